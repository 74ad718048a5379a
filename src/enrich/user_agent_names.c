/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of names and of the words that tell devices. */
#include "enrich/user_agent_names.h"

struct name_pair { const char *from, *to; };

static const struct name_pair browser_names[] = {
    {"Chrome Mobile", "Mobile Chrome"}, {"Chrome Mobile iOS", "Mobile Chrome"}, {"Chrome Mobile WebView", "Chrome WebView"},
    {"Firefox Mobile", "Mobile Firefox"}, {"Firefox iOS", "Mobile Firefox"}, {"Firefox Beta", "Firefox"},
    {"Firefox Alpha", "Firefox"}, {"Mobile Safari UI/WKWebView", "WebKit"}, {"Edge Mobile", "Edge"},
    {"IE Mobile", "IEMobile"}, {"IE Large Screen", "IEMobile"}, {"Opera Mobile", "Opera Mobi"}, {"HeadlessChrome", "Chrome Headless"},
    {"UC Browser", "UCBrowser"}, {"QQ Browser", "QQBrowser"}, {"QQ Browser Mobile", "QQBrowser"}, {"QQ Browser Mini", "QQBrowserLite"},
    {"Android", "Android Browser"}, {"Amazon Silk", "Silk"}, {"Google", "GSA"}, {"MiuiBrowser", "MIUI Browser"},
    {"Yandex Browser", "Yandex"}, {"DuckDuckGo Mobile", "DuckDuckGo"}, {"Baidu Browser", "Baidu"},
    {"Baidu Explorer", "Baidu"}, {"BlackBerry WebKit", "BlackBerry"}, {"HuaweiBrowser", "Huawei Browser"},
    {"Other", ""},
};
static const struct name_pair os_names[] = {
    {"Mac OS X", "macOS"}, {"WatchOS", "watchOS"}, {"ATV OS X", "tvOS"},
    {"BlackBerry OS", "BlackBerry"}, {"BlackBerry Tablet OS", "RIM Tablet OS"}, {"Symbian OS", "Symbian"}, {"Web0S", "webOS"}, {"Other", ""},
};
static const struct name_pair brand_names[] = {
    {"XiaoMi", "Xiaomi"}, {"Redmi", "Xiaomi"}, {"POCO", "Xiaomi"}, {"Oppo", "OPPO"}, {"vivo", "Vivo"}, {"Asus", "ASUS"},
    {"Blackberry", "BlackBerry"}, {"Tmobile", "T-Mobile"}, {"Generic", ""}, {"Generic_Android", ""},
    {"Generic_Android_Tablet", ""}, {"Generic_Inettv", ""}, {"Spider", ""}, {"Other", ""},
};
static const struct name_pair model_names[] = {
    {"Mac", "Macintosh"}, {"AppleTV", "Apple TV"}, {"iOS-Device", ""}, {"Smartphone", ""}, {"Feature Phone", ""}, {"Tablet", ""},
    {"Desktop", ""}, {"K", ""}, /* what browsers send instead of a model since they no longer tell it */
    {"Android", ""}, {"Other", ""},
};

#define PAIRS(table) (table), sizeof(table) / sizeof(table)[0]
static struct slice renamed(struct slice name, const struct name_pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (slice_equal(name, slice_from_string(pairs[i].from))) return slice_from_string(pairs[i].to);
    return name;
}

struct slice user_agent_browser_name(struct slice family) { return renamed(family, PAIRS(browser_names)); }
struct slice user_agent_os_name(struct slice family) { return renamed(family, PAIRS(os_names)); }

/* How models of makers begin that uap-core does not know by these names. */
static const struct name_pair model_makers[] = {
    {"SM-", "Samsung"}, {"Galaxy", "Samsung"}, {"Pixel", "Google"}, {"Nexus", "Google"}, {"Redmi", "Xiaomi"}, {"POCO", "Xiaomi"},
    {"Mi ", "Xiaomi"}, {"M19", "Xiaomi"}, {"M20", "Xiaomi"}, {"M21", "Xiaomi"}, {"RMX", "realme"}, {"CPH", "OPPO"}, {"moto", "Motorola"},
    {"Nokia", "Nokia"}, {"TECNO", "Tecno"}, {"Infinix", "Infinix"}, {"ONEPLUS", "OnePlus"}, {"LM-", "LG"},
};

struct slice user_agent_brand_name(struct slice brand, struct slice model)
{
    struct slice name = renamed(brand, PAIRS(brand_names));
    for (size_t i = 0; name.size == 0 && i < sizeof model_makers / sizeof model_makers[0]; i++)
        if (slice_starts_with(model, slice_from_string(model_makers[i].from))) name = slice_from_string(model_makers[i].to);
    return name;
}

struct slice user_agent_model_name(struct slice model) { return renamed(model, PAIRS(model_names)); }

struct word_type { const char *word, *type; };

/* The first word that stands in the text decides. Televisions and watches come first: they call themselves mobile too. */
static const struct word_type text_types[] = {
    {"SMART-TV", "smarttv"}, {"SmartTV", "smarttv"}, {"Smart TV", "smarttv"}, {"Smart-TV", "smarttv"}, {"HbbTV", "smarttv"},
    {"AppleTV", "smarttv"}, {"Apple TV", "smarttv"}, {"tvOS", "smarttv"}, {"GoogleTV", "smarttv"}, {"Google TV", "smarttv"},
    {"Android TV", "smarttv"}, {"BRAVIA", "smarttv"}, {"Web0S", "smarttv"}, {"webOS.TV", "smarttv"}, {"NetCast", "smarttv"},
    {"VIDAA", "smarttv"}, {"Viera", "smarttv"}, {"VIERA", "smarttv"}, {"Roku", "smarttv"}, {"CrKey", "smarttv"}, {"; AFT", "smarttv"},
    {"InettvBrowser", "smarttv"}, {"NETTV", "smarttv"}, {"Opera TV", "smarttv"}, {"TV Safari", "smarttv"}, {"MiTV", "smarttv"},
    {"MIBOX", "smarttv"}, {"SHIELD Android", "smarttv"},
    {"PlayStation", "console"}, {"PLAYSTATION", "console"}, {"Xbox", "console"}, {"XBOX", "console"}, {"Nintendo", "console"},
    {"watchOS", "wearable"}, {"Apple Watch", "wearable"}, {"Watch OS", "wearable"}, {"Galaxy Watch", "wearable"},
    {"Wear OS", "wearable"}, {"; SM-R", "wearable"}, {"OculusBrowser", "wearable"}, {"Pico Neo", "wearable"},
    {"iPad", "tablet"}, {"iPhone", "mobile"}, {"iPod", "mobile"}, {"PlayBook", "tablet"}, {"Kindle", "tablet"}, {"; KF", "tablet"},
    {"Silk/", "tablet"}, {"Tablet PC", "desktop"}, {"Tablet", "tablet"}, {"tablet", "tablet"}, {"TABLET", "tablet"}, {"; SM-T", "tablet"}, {"; SM-X", "tablet"},
    {"; SM-P", "tablet"}, {"; GT-P", "tablet"}, {"Nexus 7", "tablet"}, {"Nexus 9", "tablet"}, {"Nexus 10", "tablet"},
    {"Pixel C", "tablet"}, {"MediaPad", "tablet"}, {"MatePad", "tablet"}, {"Lenovo TB", "tablet"}, {"Xiaomi Pad", "tablet"},
    {"Redmi Pad", "tablet"}, {"Xoom", "tablet"}, {"hp-tablet", "tablet"},
};
static const struct word_type os_types[] = {
    {"iOS", "mobile"}, {"Windows Phone", "mobile"}, {"Windows Mobile", "mobile"}, {"Windows CE", "mobile"}, {"BlackBerry OS", "mobile"},
    {"Symbian OS", "mobile"}, {"Symbian^3", "mobile"}, {"Symbian^3 Anna", "mobile"}, {"Symbian^3 Belle", "mobile"},
    {"Firefox OS", "mobile"}, {"KaiOS", "mobile"}, {"Bada", "mobile"}, {"MeeGo", "mobile"}, {"Maemo", "mobile"}, {"Sailfish", "mobile"},
    {"Nokia Series 40", "mobile"}, {"Nokia Series 30 Plus", "mobile"}, {"Brew MP", "mobile"}, {"BREW", "mobile"}, {"webOS", "mobile"},
    {"Tizen", "mobile"}, {"WatchOS", "wearable"}, {"tvOS", "smarttv"}, {"ATV OS X", "smarttv"}, {"Chromecast", "smarttv"},
    {"FireHbbTV", "smarttv"}, {"Roku", "smarttv"}, {"GoogleTV", "smarttv"}, {"WebTV", "smarttv"}, {"BlackBerry Tablet OS", "tablet"},
};
static const struct word_type model_types[] = {
    {"Smartphone", "mobile"}, {"Feature Phone", "mobile"}, {"Tablet", "tablet"}, {"iOS-Device", "mobile"}, {"iPad", "tablet"},
    {"iPhone", "mobile"}, {"HomePod", "smarttv"},
};

static bool contains(struct slice text, const char *word) { return slice_find(text, slice_from_string(word)) >= 0; }

static const char *type_of(struct slice name, const struct word_type *types, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (slice_equal(name, slice_from_string(types[i].word))) return types[i].type;
    return NULL;
}

/* Browsers of Android leave out "Mobile" on tablets; apps say neither, and are on phones far more often. */
static const char *android_type(struct slice text)
{
    bool browser = slice_starts_with(text, SLICE("Mozilla/")) && contains(text, "Safari/");
    return browser && !contains(text, "Mobi") ? "tablet" : "mobile";
}

struct slice user_agent_device_type(struct slice text, struct slice os, struct slice brand, struct slice model)
{
    for (size_t i = 0; i < sizeof text_types / sizeof text_types[0]; i++)
        if (contains(text, text_types[i].word)) return slice_from_string(text_types[i].type);
    const char *type = NULL;
    if (slice_equal(brand, SLICE("Generic_Inettv"))) type = "smarttv";
    else if (slice_equal(brand, SLICE("Generic_Android_Tablet"))) type = "tablet";
    else if (slice_equal(os, SLICE("Android"))) type = android_type(text);
    if (!type) type = type_of(os, PAIRS(os_types));
    if (!type) type = type_of(model, PAIRS(model_types));
    /* A phone that names no system known: "SonyEricssonK800i/R1JG Browser/NetFront/3.3 Profile/MIDP-2.0". */
    if (!type && (contains(text, "MIDP") || contains(text, "Mobile") || contains(text, "WAP"))) type = "mobile";
    return slice_from_string(type ? type : "");
}

/* "name/" at the beginning. */
static const char *const library_names[] = {
    "curl", "libcurl", "Wget", "python-requests", "Python-urllib", "python-httpx", "aiohttp", "Python", "node", "node-fetch", "undici",
    "axios", "got", "superagent", "okhttp", "Java", "Apache-HttpClient", "Apache-HttpAsyncClient", "Jersey", "ReactorNetty",
    "Go-http-client", "Ruby", "http.rb", "Faraday", "PHP", "GuzzleHttp", "Symfony HttpClient", "Dart", "reqwest", "ureq", "hyper",
    "RestSharp", "PostmanRuntime", "insomnia", "HTTPie", "Deno", "Bun", "Elixir", "hackney", "Typhoeus", "Fetch", "WinHTTP", "lua-resty-http",
};

bool user_agent_is_library(struct slice text)
{
    for (size_t i = 0; i < sizeof library_names / sizeof library_names[0]; i++) {
        struct slice name = slice_from_string(library_names[i]);
        if (text.size < name.size || !slice_equal_ignore_case(slice_first(text, name.size), name)) continue;
        if (text.size == name.size || text.data[name.size] == '/' || text.data[name.size] == ' ') return true;
    }
    return false;
}
