/* SPDX-License-Identifier: Apache-2.0 */
/* A table of bots by the words they call themselves. */
#include "enrich/bot.h"

#include <ctype.h>

/* The part of a User-Agent that is looked at, as enrich/user_agent.h. */
#define BOT_TEXT_LIMIT_BYTES 1024

static const char *const bot_class_names[BOT_CLASS_COUNT] = {
    "", "ai_crawler", "ai_assistant", "search_engine", "social_media", "seo_tool", "monitoring", "scraper", "unknown_bot",
};

/* `word` in lower case stands anywhere in the text. The first that does counts: what contains another stands before it. */
#define BOT(word, name, class) {{word, sizeof word - 1}, {name, sizeof name - 1}, class}
static const struct bot_entry {
    struct slice word, name;
    enum bot_class class;
} bot_entries[] = {
    BOT("chatgpt-user", "ChatGPT-User", BOT_AI_ASSISTANT), BOT("oai-searchbot", "OAI-SearchBot", BOT_AI_ASSISTANT),
    BOT("gptbot", "GPTBot", BOT_AI_CRAWLER), BOT("chatgpt agent", "ChatGPT Agent", BOT_AI_ASSISTANT),
    BOT("claude-user", "Claude-User", BOT_AI_ASSISTANT), BOT("claude-searchbot", "Claude-SearchBot", BOT_AI_ASSISTANT),
    BOT("claude-web", "Claude-Web", BOT_AI_CRAWLER), BOT("claudebot", "ClaudeBot", BOT_AI_CRAWLER),
    BOT("claude-code", "Claude-Code", BOT_AI_ASSISTANT), BOT("anthropic-ai", "anthropic-ai", BOT_AI_CRAWLER),
    BOT("perplexity-user", "Perplexity-User", BOT_AI_ASSISTANT), BOT("perplexitybot", "PerplexityBot", BOT_AI_CRAWLER),
    BOT("mistralai-user", "MistralAI-User", BOT_AI_ASSISTANT), BOT("duckassistbot", "DuckAssistBot", BOT_AI_ASSISTANT),
    BOT("meta-externalfetcher", "Meta-ExternalFetcher", BOT_AI_ASSISTANT),
    BOT("meta-externalagent", "Meta-ExternalAgent", BOT_AI_CRAWLER), BOT("facebookbot", "FacebookBot", BOT_AI_CRAWLER),
    BOT("google-extended", "Google-Extended", BOT_AI_CRAWLER), BOT("google-cloudvertexbot", "Google-CloudVertexBot", BOT_AI_CRAWLER),
    BOT("google-notebooklm", "Google-NotebookLM", BOT_AI_ASSISTANT), BOT("gemini-deep-research", "Gemini-Deep-Research", BOT_AI_ASSISTANT),
    BOT("googleagent", "GoogleAgent", BOT_AI_ASSISTANT), BOT("applebot-extended", "Applebot-Extended", BOT_AI_CRAWLER),
    BOT("bytespider", "Bytespider", BOT_AI_CRAWLER), BOT("tiktokspider", "TikTokSpider", BOT_AI_CRAWLER),
    BOT("ccbot", "CCBot", BOT_AI_CRAWLER), BOT("cohere-ai", "cohere-ai", BOT_AI_ASSISTANT),
    BOT("cohere-training-data-crawler", "cohere-training-data-crawler", BOT_AI_CRAWLER),
    BOT("amazonbot", "Amazonbot", BOT_AI_CRAWLER), BOT("amzn-searchbot", "Amzn-SearchBot", BOT_AI_ASSISTANT),
    BOT("amzn-user", "Amzn-User", BOT_AI_ASSISTANT), BOT("novaact", "NovaAct", BOT_AI_ASSISTANT),
    BOT("diffbot", "Diffbot", BOT_AI_CRAWLER), BOT("ai2bot", "AI2Bot", BOT_AI_CRAWLER), BOT("youbot", "YouBot", BOT_AI_CRAWLER),
    BOT("timpibot", "Timpibot", BOT_AI_CRAWLER), BOT("pangubot", "PanguBot", BOT_AI_CRAWLER),
    BOT("imagesiftbot", "ImagesiftBot", BOT_AI_CRAWLER), BOT("omgili", "Omgili", BOT_AI_CRAWLER),
    BOT("webzio", "Webzio", BOT_AI_CRAWLER), BOT("deepseekbot", "DeepSeekBot", BOT_AI_CRAWLER),
    BOT("xai-bot", "xAI-Bot", BOT_AI_CRAWLER), BOT("grokbot", "GrokBot", BOT_AI_CRAWLER), BOT("grok-deepsearch", "Grok-DeepSearch", BOT_AI_ASSISTANT),
    BOT("xai-grok", "xAI-Grok", BOT_AI_ASSISTANT),
    BOT("kagi-fetcher", "Kagi-Fetcher", BOT_AI_ASSISTANT), BOT("andibot", "Andibot", BOT_AI_ASSISTANT),
    BOT("phindbot", "PhindBot", BOT_AI_ASSISTANT), BOT("linerbot", "LinerBot", BOT_AI_ASSISTANT),
    BOT("firecrawl", "Firecrawl", BOT_AI_CRAWLER), BOT("crawl4ai", "Crawl4AI", BOT_AI_CRAWLER),
    BOT("icc-crawler", "ICC-Crawler", BOT_AI_CRAWLER), BOT("iaskspider", "iAskSpider", BOT_AI_CRAWLER),

    BOT("google-inspectiontool", "Google-InspectionTool", BOT_SEARCH_ENGINE), BOT("adsbot-google", "AdsBot-Google", BOT_SEARCH_ENGINE),
    BOT("mediapartners-google", "Mediapartners-Google", BOT_SEARCH_ENGINE), BOT("storebot-google", "Storebot-Google", BOT_SEARCH_ENGINE),
    BOT("googleother", "GoogleOther", BOT_SEARCH_ENGINE), BOT("google-read-aloud", "Google-Read-Aloud", BOT_SEARCH_ENGINE),
    BOT("feedfetcher-google", "FeedFetcher-Google", BOT_SEARCH_ENGINE), BOT("google-site-verification", "Google-Site-Verification", BOT_SEARCH_ENGINE),
    BOT("apis-google", "APIs-Google", BOT_SEARCH_ENGINE), BOT("googlebot", "Googlebot", BOT_SEARCH_ENGINE),
    BOT("adidxbot", "AdIdxBot", BOT_SEARCH_ENGINE), BOT("bingpreview", "BingPreview", BOT_SEARCH_ENGINE),
    BOT("bingbot", "Bingbot", BOT_SEARCH_ENGINE), BOT("msnbot", "MSNBot", BOT_SEARCH_ENGINE),
    BOT("duckduckbot", "DuckDuckBot", BOT_SEARCH_ENGINE), BOT("duckduckgo-favicons-bot", "DuckDuckGo-Favicons-Bot", BOT_SEARCH_ENGINE),
    BOT("slurp", "Yahoo! Slurp", BOT_SEARCH_ENGINE), BOT("yandex.com/bots", "YandexBot", BOT_SEARCH_ENGINE),
    BOT("yandexbot", "YandexBot", BOT_SEARCH_ENGINE), BOT("baiduspider", "Baiduspider", BOT_SEARCH_ENGINE),
    BOT("applebot", "Applebot", BOT_SEARCH_ENGINE), BOT("sogou web spider", "Sogou Spider", BOT_SEARCH_ENGINE),
    BOT("sogou inst spider", "Sogou Spider", BOT_SEARCH_ENGINE), BOT("360spider", "360Spider", BOT_SEARCH_ENGINE),
    BOT("exabot", "Exabot", BOT_SEARCH_ENGINE), BOT("seznambot", "SeznamBot", BOT_SEARCH_ENGINE),
    BOT("qwantbot", "Qwantbot", BOT_SEARCH_ENGINE), BOT("qwantify", "Qwantify", BOT_SEARCH_ENGINE),
    BOT("mojeekbot", "MojeekBot", BOT_SEARCH_ENGINE), BOT("yeti/", "Naver Yeti", BOT_SEARCH_ENGINE),
    BOT("daum/", "Daum", BOT_SEARCH_ENGINE), BOT("coccocbot", "Coccocbot", BOT_SEARCH_ENGINE),
    BOT("petalbot", "PetalBot", BOT_SEARCH_ENGINE), BOT("aspiegelbot", "AspiegelBot", BOT_SEARCH_ENGINE),
    BOT("yisouspider", "YisouSpider", BOT_SEARCH_ENGINE), BOT("ia_archiver", "Internet Archive", BOT_SEARCH_ENGINE),
    BOT("archive.org_bot", "Internet Archive", BOT_SEARCH_ENGINE), BOT("bravebot", "Bravebot", BOT_SEARCH_ENGINE),
    BOT("kagibot", "Kagibot", BOT_SEARCH_ENGINE), BOT("mail.ru_bot", "Mail.RU_Bot", BOT_SEARCH_ENGINE),

    BOT("facebookexternalhit", "facebookexternalhit", BOT_SOCIAL_MEDIA), BOT("facebookcatalog", "facebookcatalog", BOT_SOCIAL_MEDIA),
    BOT("twitterbot", "Twitterbot", BOT_SOCIAL_MEDIA), BOT("linkedinbot", "LinkedInBot", BOT_SOCIAL_MEDIA),
    BOT("pinterestbot", "Pinterestbot", BOT_SOCIAL_MEDIA), BOT("pinterest/0.", "Pinterestbot", BOT_SOCIAL_MEDIA),
    BOT("slackbot", "Slackbot", BOT_SOCIAL_MEDIA), BOT("slack-imgproxy", "Slack-ImgProxy", BOT_SOCIAL_MEDIA),
    BOT("telegrambot", "TelegramBot", BOT_SOCIAL_MEDIA), BOT("discordbot", "Discordbot", BOT_SOCIAL_MEDIA),
    BOT("skypeuripreview", "SkypeUriPreview", BOT_SOCIAL_MEDIA), BOT("redditbot", "Redditbot", BOT_SOCIAL_MEDIA),
    BOT("vkshare", "vkShare", BOT_SOCIAL_MEDIA), BOT("embedly", "Embedly", BOT_SOCIAL_MEDIA),
    BOT("quora link preview", "Quora Link Preview", BOT_SOCIAL_MEDIA), BOT("bitlybot", "bitlybot", BOT_SOCIAL_MEDIA),
    BOT("iframely", "Iframely", BOT_SOCIAL_MEDIA), BOT("(mastodon/", "Mastodon", BOT_SOCIAL_MEDIA),
    BOT("bluesky cardyb", "Bluesky Cardyb", BOT_SOCIAL_MEDIA), BOT("flipboardproxy", "FlipboardProxy", BOT_SOCIAL_MEDIA),
    BOT("snap url preview", "Snap URL Preview", BOT_SOCIAL_MEDIA), BOT("zoombot", "Zoombot", BOT_SOCIAL_MEDIA),

    BOT("ahrefs", "AhrefsBot", BOT_SEO_TOOL), BOT("semrushbot", "SemrushBot", BOT_SEO_TOOL), BOT("siteauditbot", "SiteAuditBot", BOT_SEO_TOOL),
    BOT("mj12bot", "MJ12bot", BOT_SEO_TOOL), BOT("dotbot", "DotBot", BOT_SEO_TOOL), BOT("rogerbot", "Rogerbot", BOT_SEO_TOOL),
    BOT("dataforseo", "DataForSeoBot", BOT_SEO_TOOL), BOT("blexbot", "BLEXBot", BOT_SEO_TOOL), BOT("serpstatbot", "serpstatbot", BOT_SEO_TOOL),
    BOT("seokicks", "SEOkicks", BOT_SEO_TOOL), BOT("screaming frog", "Screaming Frog", BOT_SEO_TOOL), BOT("sistrix", "SISTRIX", BOT_SEO_TOOL),
    BOT("seobilitybot", "SeobilityBot", BOT_SEO_TOOL), BOT("barkrowler", "Barkrowler", BOT_SEO_TOOL), BOT("linkdexbot", "linkdexbot", BOT_SEO_TOOL),
    BOT("rytebot", "RyteBot", BOT_SEO_TOOL), BOT("sitebulb", "Sitebulb", BOT_SEO_TOOL), BOT("oncrawl", "OnCrawl", BOT_SEO_TOOL),
    BOT("deepcrawl", "Deepcrawl", BOT_SEO_TOOL), BOT("megaindex", "MegaIndex", BOT_SEO_TOOL), BOT("serankingbacklinksbot", "SE Ranking", BOT_SEO_TOOL),
    BOT("chrome-lighthouse", "Lighthouse", BOT_SEO_TOOL), BOT("google page speed", "Google PageSpeed", BOT_SEO_TOOL),
    BOT("gtmetrix", "GTmetrix", BOT_SEO_TOOL), BOT(" ptst/", "WebPageTest", BOT_SEO_TOOL), BOT("datanyze", "Datanyze", BOT_SEO_TOOL),
    BOT("w3c_validator", "W3C Validator", BOT_SEO_TOOL), BOT("builtwith", "BuiltWith", BOT_SEO_TOOL),

    BOT("uptimerobot", "UptimeRobot", BOT_MONITORING), BOT("pingdom", "Pingdom", BOT_MONITORING), BOT("statuscake", "StatusCake", BOT_MONITORING),
    BOT("site24x7", "Site24x7", BOT_MONITORING), BOT("better uptime", "Better Stack", BOT_MONITORING), BOT("betteruptime", "Better Stack", BOT_MONITORING),
    BOT("better stack", "Better Stack", BOT_MONITORING), BOT("datadogsynthetics", "Datadog", BOT_MONITORING), BOT("newrelicpinger", "New Relic", BOT_MONITORING),
    BOT("newrelicsynthetics", "New Relic", BOT_MONITORING), BOT("googlestackdrivermonitoring", "Google Cloud Monitoring", BOT_MONITORING),
    BOT("amazon-route53-health-check", "Route 53 Health Check", BOT_MONITORING),
    BOT("cloudwatchsynthetics", "CloudWatch Synthetics", BOT_MONITORING), BOT("elb-healthchecker", "ELB Health Checker", BOT_MONITORING),
    BOT("googlehc/", "Google Health Check", BOT_MONITORING), BOT("kube-probe", "kube-probe", BOT_MONITORING),
    BOT("blackbox exporter", "Blackbox Exporter", BOT_MONITORING), BOT("blackbox-exporter", "Blackbox Exporter", BOT_MONITORING),
    BOT("checkly", "Checkly", BOT_MONITORING), BOT("hetrixtools", "HetrixTools", BOT_MONITORING), BOT("freshping", "Freshping", BOT_MONITORING),
    BOT("uptime-kuma", "Uptime Kuma", BOT_MONITORING), BOT("updown.io", "updown.io", BOT_MONITORING), BOT("nodeping", "NodePing", BOT_MONITORING),
    BOT("catchpoint", "Catchpoint", BOT_MONITORING), BOT("dynatracesynthetic", "Dynatrace", BOT_MONITORING), BOT("check_http", "Nagios", BOT_MONITORING),
    BOT("zabbix", "Zabbix", BOT_MONITORING), BOT("montastic", "Montastic", BOT_MONITORING), BOT("cloudflare-healthchecks", "Cloudflare Health Checks", BOT_MONITORING),
    BOT("sentryuptimebot", "SentryUptimeBot", BOT_MONITORING), BOT("vercel-screenshot", "Vercel", BOT_MONITORING),

    BOT("headlesschrome", "Headless Chrome", BOT_SCRAPER), BOT("phantomjs", "PhantomJS", BOT_SCRAPER), BOT("slimerjs", "SlimerJS", BOT_SCRAPER),
    BOT("puppeteer", "Puppeteer", BOT_SCRAPER), BOT("playwright", "Playwright", BOT_SCRAPER), BOT("selenium", "Selenium", BOT_SCRAPER),
    BOT("scrapy", "Scrapy", BOT_SCRAPER), BOT("httrack", "HTTrack", BOT_SCRAPER), BOT("nutch", "Apache Nutch", BOT_SCRAPER),
    BOT("heritrix", "Heritrix", BOT_SCRAPER), BOT("electron/bot", "Electron", BOT_SCRAPER), BOT("zgrab", "ZGrab", BOT_SCRAPER),
    BOT("masscan", "masscan", BOT_SCRAPER), BOT("nmap", "Nmap", BOT_SCRAPER), BOT("nikto", "Nikto", BOT_SCRAPER), BOT("sqlmap", "sqlmap", BOT_SCRAPER),
    BOT("wpscan", "WPScan", BOT_SCRAPER), BOT("censys", "Censys", BOT_SCRAPER), BOT("expanse, a palo alto", "Palo Alto Expanse", BOT_SCRAPER),
    BOT("internetmeasurement", "InternetMeasurement", BOT_SCRAPER), BOT("libwww-perl", "libwww-perl", BOT_SCRAPER), BOT("htmlunit", "HtmlUnit", BOT_SCRAPER),
    BOT("mechanize", "Mechanize", BOT_SCRAPER), BOT("colly -", "Colly", BOT_SCRAPER), BOT("prerender", "Prerender", BOT_SCRAPER), BOT("apify", "Apify", BOT_SCRAPER),
};
#define BOT_ENTRY_COUNT (sizeof bot_entries / sizeof bot_entries[0])

/* What others call themselves. A word may end a longer one ("Foobot"), except where it is the name of a thing people
 * hold: the word in front of it. */
static const struct { const char *word; const char *except; } bot_words[] = {
    {"bot", "cu"}, /* CUBOT makes phones */
    {"spider", ""}, {"crawler", ""}, {"crawling", ""}, {"scraper", ""}, {"feedburner", ""}, {"link checker", ""},
};

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static bool is_word(char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_'; }

/* The whole name in which a bot's word stands, as it was written; empty when there is none. */
static struct slice unknown_name(struct slice text, struct slice lower)
{
    for (size_t i = 0; i < sizeof bot_words / sizeof bot_words[0]; i++) {
        struct slice word = slice_from_string(bot_words[i].word), except = slice_from_string(bot_words[i].except);
        for (size_t from = 0; from < lower.size;) {
            ptrdiff_t found = slice_find(slice_from(lower, from), word);
            if (found < 0) break;
            size_t start = from + (size_t)found, end = start + word.size;
            from = end;
            bool ends = end == lower.size || !is_letter(lower.data[end]);
            bool excepted = except.size > 0 && slice_ends_with(slice_first(lower, start), except);
            if (!ends || excepted) continue;
            while (start > 0 && is_word(text.data[start - 1])) start--;
            while (end < text.size && is_word(text.data[end])) end++;
            return slice_make(text.data + start, end - start);
        }
    }
    return SLICE_EMPTY;
}

struct bot bot_find(struct slice user_agent, bool is_spider)
{
    char buffer[BOT_TEXT_LIMIT_BYTES];
    struct slice text = slice_first(user_agent, sizeof buffer);
    for (size_t i = 0; i < text.size; i++) buffer[i] = (char)tolower((unsigned char)text.data[i]);
    struct slice lower = slice_make(buffer, text.size);
    for (size_t i = 0; i < BOT_ENTRY_COUNT; i++)
        if (slice_find(lower, bot_entries[i].word) >= 0) return (struct bot){bot_entries[i].class, bot_entries[i].name};
    struct slice name = unknown_name(text, lower);
    if (name.size == 0 && !is_spider) return (struct bot){BOT_NONE, SLICE_EMPTY};
    return (struct bot){BOT_UNKNOWN, name.size ? name : SLICE("unknown")};
}

struct slice bot_class_name(enum bot_class class)
{
    return slice_from_string(bot_class_names[class]);
}
