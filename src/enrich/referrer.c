/* SPDX-License-Identifier: Apache-2.0 */
/* Names the sites that send visitors. */
#include "enrich/referrer.h"

#include "decode/url.h"

/* A host ending in '.' stands for that name under any top-level domain: "google." covers google.com and google.co.uk.
 * Sizes are counted by the compiler: the table is walked for every event that has a referrer. */
#define TEXT(literal) {literal, sizeof literal - 1}
#define SENDER(host, name, type) {TEXT(host), TEXT(name), TEXT(type)}
static const struct referrer_sender {
    struct slice host, name, type;
} referrer_senders[] = {
    SENDER("mail.google.com", "Gmail", "email"), SENDER("gemini.google.com", "Gemini", "ai"),
    SENDER("gmail.com", "Gmail", "email"), SENDER("googleadservices.com", "Google Ads", "ads"),
    SENDER("doubleclick.net", "Google Ads", "ads"), SENDER("news.google.com", "Google News", "search"),
    SENDER("google.", "Google", "search"), SENDER("copilot.microsoft.com", "Microsoft Copilot", "ai"),
    SENDER("bing.com", "Bing", "search"), SENDER("duckduckgo.com", "DuckDuckGo", "search"),
    SENDER("mail.yahoo.com", "Yahoo! Mail", "email"), SENDER("yahoo.", "Yahoo!", "search"),
    SENDER("yandex.", "Yandex", "search"), SENDER("ya.ru", "Yandex", "search"), SENDER("baidu.com", "Baidu", "search"),
    SENDER("ecosia.org", "Ecosia", "search"), SENDER("qwant.com", "Qwant", "search"),
    SENDER("startpage.com", "Startpage", "search"), SENDER("search.brave.com", "Brave Search", "search"),
    SENDER("kagi.com", "Kagi", "search"), SENDER("naver.com", "Naver", "search"),
    SENDER("seznam.cz", "Seznam", "search"), SENDER("sogou.com", "Sogou", "search"), SENDER("ask.com", "Ask", "search"),
    SENDER("facebook.com", "Facebook", "social"), SENDER("fb.com", "Facebook", "social"),
    SENDER("fb.me", "Facebook", "social"), SENDER("instagram.com", "Instagram", "social"),
    SENDER("threads.net", "Threads", "social"), SENDER("threads.com", "Threads", "social"),
    SENDER("twitter.com", "Twitter", "social"), SENDER("x.com", "Twitter", "social"),
    SENDER("t.co", "Twitter", "social"), SENDER("linkedin.com", "LinkedIn", "social"),
    SENDER("lnkd.in", "LinkedIn", "social"), SENDER("reddit.com", "Reddit", "social"),
    SENDER("redd.it", "Reddit", "social"), SENDER("youtube.com", "YouTube", "social"),
    SENDER("youtu.be", "YouTube", "social"), SENDER("tiktok.com", "TikTok", "social"),
    SENDER("pinterest.", "Pinterest", "social"), SENDER("news.ycombinator.com", "Hacker News", "social"),
    SENDER("whatsapp.com", "WhatsApp", "social"), SENDER("wa.me", "WhatsApp", "social"),
    SENDER("telegram.org", "Telegram", "social"), SENDER("t.me", "Telegram", "social"),
    SENDER("discord.com", "Discord", "social"), SENDER("bsky.app", "Bluesky", "social"),
    SENDER("mastodon.social", "Mastodon", "social"), SENDER("vk.com", "VK", "social"),
    SENDER("quora.com", "Quora", "social"), SENDER("producthunt.com", "Product Hunt", "social"),
    SENDER("snapchat.com", "Snapchat", "social"), SENDER("weibo.com", "Weibo", "social"),
    SENDER("outlook.live.com", "Outlook", "email"), SENDER("outlook.office.com", "Outlook", "email"),
    SENDER("mail.proton.me", "Proton Mail", "email"), SENDER("mail.yandex.ru", "Yandex Mail", "email"),
    SENDER("mail.ru", "Mail.ru", "email"), SENDER("chatgpt.com", "ChatGPT", "ai"),
    SENDER("chat.openai.com", "ChatGPT", "ai"), SENDER("openai.com", "OpenAI", "ai"),
    SENDER("claude.ai", "Claude", "ai"), SENDER("perplexity.ai", "Perplexity", "ai"),
    SENDER("chat.deepseek.com", "DeepSeek", "ai"), SENDER("chat.mistral.ai", "Mistral", "ai"),
    SENDER("grok.com", "Grok", "ai"), SENDER("poe.com", "Poe", "ai"), SENDER("deepseek.com", "DeepSeek", "ai"),
    SENDER("copilot.com", "Microsoft Copilot", "ai"), SENDER("bard.google.com", "Gemini", "ai"),
    SENDER("notebooklm.google.com", "NotebookLM", "ai"), SENDER("aistudio.google.com", "Google AI Studio", "ai"),
    SENDER("meta.ai", "Meta AI", "ai"), SENDER("you.com", "You.com", "ai"), SENDER("phind.com", "Phind", "ai"),
    SENDER("mistral.ai", "Mistral", "ai"), SENDER("character.ai", "Character.AI", "ai"), SENDER("pi.ai", "Pi", "ai"),
    SENDER("huggingface.co", "Hugging Face", "ai"), SENDER("genspark.ai", "Genspark", "ai"), SENDER("iask.ai", "iAsk", "ai"),
    SENDER("andisearch.com", "Andi", "ai"), SENDER("kimi.com", "Kimi", "ai"), SENDER("kimi.moonshot.cn", "Kimi", "ai"),
    SENDER("doubao.com", "Doubao", "ai"), SENDER("qwen.ai", "Qwen", "ai"), SENDER("manus.im", "Manus", "ai"),
    SENDER("duck.ai", "Duck.ai", "ai"), SENDER("cursor.com", "Cursor", "ai"), SENDER("anthropic.com", "Anthropic", "ai"),
    SENDER("search.aol.com", "AOL", "search"), SENDER("so.com", "360 Search", "search"),
    SENDER("sm.cn", "Shenma", "search"), SENDER("daum.net", "Daum", "search"), SENDER("mojeek.com", "Mojeek", "search"),
    SENDER("swisscows.com", "Swisscows", "search"), SENDER("coccoc.com", "Coc Coc", "search"), SENDER("petalsearch.com", "Petal", "search"),
    SENDER("dogpile.com", "Dogpile", "search"), SENDER("metager.de", "MetaGer", "search"), SENDER("presearch.com", "Presearch", "search"),
    SENDER("search.marginalia.nu", "Marginalia", "search"), SENDER("rambler.ru", "Rambler", "search"), SENDER("lilo.org", "Lilo", "search"),
    SENDER("messenger.com", "Messenger", "social"), SENDER("tumblr.com", "Tumblr", "social"), SENDER("medium.com", "Medium", "social"),
    SENDER("substack.com", "Substack", "social"), SENDER("dev.to", "DEV", "social"), SENDER("lobste.rs", "Lobsters", "social"),
    SENDER("github.com", "GitHub", "social"), SENDER("stackoverflow.com", "Stack Overflow", "social"), SENDER("twitch.tv", "Twitch", "social"),
    SENDER("vimeo.com", "Vimeo", "social"), SENDER("xing.com", "XING", "social"), SENDER("ok.ru", "Odnoklassniki", "social"),
    SENDER("mastodon.online", "Mastodon", "social"), SENDER("fosstodon.org", "Mastodon", "social"), SENDER("lemmy.world", "Lemmy", "social"),
    SENDER("slack.com", "Slack", "social"), SENDER("line.me", "LINE", "social"), SENDER("zhihu.com", "Zhihu", "social"),
    SENDER("douban.com", "Douban", "social"), SENDER("telegram.me", "Telegram", "social"), SENDER("nextdoor.com", "Nextdoor", "social"),
    SENDER("outlook.office365.com", "Outlook", "email"), SENDER("mail.aol.com", "AOL Mail", "email"), SENDER("mail.zoho.com", "Zoho Mail", "email"),
    SENDER("app.fastmail.com", "Fastmail", "email"), SENDER("mail.gmx.net", "GMX", "email"), SENDER("mail.gmx.com", "GMX", "email"),
    SENDER("web.de", "WEB.DE", "email"), SENDER("icloud.com", "iCloud Mail", "email"), SENDER("app.tuta.com", "Tuta", "email"),
    SENDER("list-manage.com", "Mailchimp", "email"), SENDER("googlesyndication.com", "Google Ads", "ads"),
    SENDER("taboola.com", "Taboola", "ads"), SENDER("outbrain.com", "Outbrain", "ads"), SENDER("criteo.com", "Criteo", "ads"),
    SENDER("adroll.com", "AdRoll", "ads"), SENDER("amazon-adsystem.com", "Amazon Ads", "ads"),
};
#define REFERRER_SENDER_COUNT (sizeof referrer_senders / sizeof referrer_senders[0])

static struct slice referrer_without_www(struct slice host)
{
    return host.size > 4 && slice_equal_ignore_case(slice_first(host, 4), SLICE("www.")) ? slice_from(host, 4) : host;
}

/* Most rows of the table differ in the first letter already. */
static bool referrer_may_be(struct slice text, struct slice sender)
{
    return text.size > 0 && ((text.data[0] ^ sender.data[0]) & ~('a' ^ 'A')) == 0;
}

static bool referrer_host_is(struct slice host, struct slice sender)
{
    if (!referrer_may_be(host, sender)) return false;
    if (sender.data[sender.size - 1] != '.') return slice_equal_ignore_case(host, sender);
    if (host.size <= sender.size || !slice_equal_ignore_case(slice_first(host, sender.size), sender)) return false;
    /* What is left must be a top-level domain: "com", or two short labels as in "co.uk", "com.br". */
    struct slice rest = slice_from(host, sender.size);
    struct slice label = slice_cut(&rest, '.');
    return label.size > 0 && (rest.size == 0 || (label.size <= 3 && rest.size == 2));
}

static const struct referrer_sender *referrer_find_host(struct slice host)
{
    for (struct slice rest = host; slice_index_of(rest, '.') >= 0; slice_cut(&rest, '.'))
        for (size_t i = 0; i < REFERRER_SENDER_COUNT; i++)
            if (referrer_host_is(rest, referrer_senders[i].host)) return &referrer_senders[i];
    return NULL;
}

/* "bing" for bing.com, "google" for "google.", not "mail" for mail.google.com. */
static bool referrer_is_first_label(struct slice tag, struct slice host)
{
    if (tag.size >= host.size || host.data[tag.size] != '.') return false;
    return slice_index_of(slice_from(host, tag.size + 1), '.') < 0 &&
           slice_equal_ignore_case(tag, slice_first(host, tag.size));
}

/* A tag is a host ("bing.com"), the name of one ("Hacker News"), or a host's first label ("chatgpt"). */
static const struct referrer_sender *referrer_find_tag(struct slice tag)
{
    for (size_t i = 0; i < REFERRER_SENDER_COUNT; i++) {
        const struct referrer_sender *sender = &referrer_senders[i];
        if (referrer_may_be(tag, sender->name) && slice_equal_ignore_case(tag, sender->name)) return sender;
        if (referrer_may_be(tag, sender->host) && referrer_is_first_label(tag, sender->host)) return sender;
    }
    return slice_index_of(tag, '.') >= 0 ? referrer_find_host(referrer_without_www(tag)) : NULL;
}

static bool referrer_is_direct(struct slice raw)
{
    static const char *const words[] = {"direct", "(direct)", "none"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (slice_equal_ignore_case(raw, slice_from_string(words[i]))) return true;
    return raw.size == 0;
}

static struct slice referrer_lower(struct arena *arena, struct slice text)
{
    char *copy = arena_copy_string(arena, text);
    if (!copy) return SLICE_EMPTY;
    for (size_t i = 0; i < text.size; i++)
        if (copy[i] >= 'A' && copy[i] <= 'Z') copy[i] = (char)(copy[i] + 'a' - 'A');
    return slice_make(copy, text.size);
}

static void referrer_set(struct arena *arena, struct referrer *referrer, const struct referrer_sender *sender,
                         struct slice unknown_name)
{
    referrer->name = sender ? sender->name : referrer_lower(arena, unknown_name);
    referrer->type = sender ? sender->type : SLICE("unknown");
}

/* The page's own host, one below it, or this machine. */
static bool referrer_is_own(struct slice host, struct slice page_host)
{
    if (slice_equal_ignore_case(host, SLICE("localhost")) || slice_equal(host, SLICE("127.0.0.1"))) return true;
    if (page_host.size == 0 || host.size < page_host.size) return false;
    struct slice end = slice_from(host, host.size - page_host.size);
    return slice_equal_ignore_case(end, page_host) &&
           (end.size == host.size || host.data[host.size - end.size - 1] == '.');
}

static bool referrer_asks(struct slice query)
{
    struct slice name, value;
    while (url_query_next(&query, &name, &value))
        if (value.size > 0 && (slice_equal(name, SLICE("q")) || slice_equal(name, SLICE("query")) || slice_equal(name, SLICE("search"))))
            return true;
    return false;
}

void referrer_resolve(struct arena *arena, struct slice raw, struct slice page_host, struct slice tag,
                      struct referrer *referrer)
{
    *referrer = (struct referrer){SLICE_EMPTY, SLICE_EMPTY, SLICE_EMPTY};
    struct url url = {.host = SLICE_EMPTY};
    raw = slice_trim(raw);
    struct slice host = SLICE_EMPTY;
    if (!referrer_is_direct(raw) && url_parse(raw, &url)) host = referrer_without_www(url.host);
    bool same_host = host.size > 0 && referrer_is_own(host, referrer_without_www(page_host));
    if (!referrer_is_direct(raw) && !same_host)
        referrer->url = slice_ends_with(raw, SLICE("/")) ? slice_first(raw, raw.size - 1) : raw;
    if (tag.size > 0) referrer_set(arena, referrer, referrer_find_tag(tag), tag);
    else if (host.size > 0 && !same_host) {
        const struct referrer_sender *sender = referrer_find_host(host);
        referrer_set(arena, referrer, sender, host);
        if (!sender && referrer_asks(url.query)) referrer->type = SLICE("search");
    }
}

/* Networks by the click ids they put into links. */
static const struct referrer_click { const char *parameter; struct slice name; bool is_paid; } referrer_clicks[] = {
    {"gclid", TEXT("Google Ads"), true},   {"gbraid", TEXT("Google Ads"), true}, {"wbraid", TEXT("Google Ads"), true},
    {"msclkid", TEXT("Microsoft Ads"), true}, {"ttclid", TEXT("TikTok"), true},  {"twclid", TEXT("Twitter"), true},
    {"li_fat_id", TEXT("LinkedIn"), true}, {"fbclid", TEXT("Facebook"), false},
};
/* Values of utm_medium, without the '-', '_' and ' ' that people write in them. */
static const struct referrer_medium { const char *medium; struct slice type; } referrer_mediums[] = {
    {"cpc", TEXT("ads")}, {"ppc", TEXT("ads")}, {"cpm", TEXT("ads")}, {"cpv", TEXT("ads")}, {"cpa", TEXT("ads")}, {"paid", TEXT("ads")},
    {"paidsearch", TEXT("ads")}, {"paidsocial", TEXT("ads")}, {"socialpaid", TEXT("ads")}, {"display", TEXT("ads")}, {"banner", TEXT("ads")},
    {"retargeting", TEXT("ads")}, {"remarketing", TEXT("ads")}, {"ad", TEXT("ads")}, {"ads", TEXT("ads")}, {"sem", TEXT("ads")},
    {"email", TEXT("email")}, {"newsletter", TEXT("email")}, {"mail", TEXT("email")}, {"social", TEXT("social")},
    {"socialmedia", TEXT("social")}, {"socialnetwork", TEXT("social")}, {"organicsocial", TEXT("social")},
};

static struct slice referrer_medium_type(struct slice medium)
{
    char text[32];
    size_t size = 0;
    for (size_t i = 0; i < medium.size && size < sizeof text; i++)
        if (medium.data[i] != '-' && medium.data[i] != '_' && medium.data[i] != ' ') text[size++] = medium.data[i];
    for (size_t i = 0; i < sizeof referrer_mediums / sizeof referrer_mediums[0]; i++)
        if (slice_equal_ignore_case(slice_make(text, size), slice_from_string(referrer_mediums[i].medium)))
            return referrer_mediums[i].type;
    return SLICE_EMPTY;
}

void referrer_refine(struct referrer *referrer, struct slice medium, struct slice click)
{
    struct slice type = referrer_medium_type(medium);
    bool is_paid = slice_equal(type, SLICE("ads"));
    for (size_t i = 0; i < sizeof referrer_clicks / sizeof referrer_clicks[0]; i++) {
        if (!slice_equal(click, slice_from_string(referrer_clicks[i].parameter))) continue;
        is_paid = is_paid || referrer_clicks[i].is_paid;
        if (referrer->name.size > 0) break;
        referrer->name = referrer_clicks[i].name;
        referrer->type = SLICE("social"); /* those that are paid are ads, see below */
    }
    bool is_unknown = referrer->type.size == 0 || slice_equal(referrer->type, SLICE("unknown"));
    if (is_paid) referrer->type = SLICE("ads");
    else if (is_unknown && type.size > 0) referrer->type = type;
}
