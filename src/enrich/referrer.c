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
    SENDER("grok.com", "Grok", "ai"), SENDER("poe.com", "Poe", "ai"),
};
#define REFERRER_SENDER_COUNT (sizeof referrer_senders / sizeof referrer_senders[0])

static struct slice referrer_without_www(struct slice host)
{
    return host.size > 4 && slice_equal_ignore_case(slice_first(host, 4), SLICE("www.")) ? slice_from(host, 4) : host;
}

static bool referrer_host_is(struct slice host, struct slice sender)
{
    if (sender.data[sender.size - 1] != '.') return slice_equal_ignore_case(host, sender);
    if (host.size <= sender.size || !slice_equal_ignore_case(slice_first(host, sender.size), sender)) return false;
    /* What is left must be a top-level domain: "com", or two short labels as in "co.uk", "com.br". */
    struct slice rest = slice_from(host, sender.size);
    struct slice label = slice_cut(&rest, '.');
    return label.size > 0 && (rest.size == 0 || (label.size <= 3 && rest.size == 2));
}

static const struct referrer_sender *referrer_find_host(struct slice host)
{
    for (struct slice rest = host; rest.size > 0; slice_cut(&rest, '.'))
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
        if (slice_equal_ignore_case(tag, sender->name) || referrer_is_first_label(tag, sender->host)) return sender;
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

void referrer_resolve(struct arena *arena, struct slice raw, struct slice page_host, struct slice tag,
                      struct referrer *referrer)
{
    *referrer = (struct referrer){SLICE_EMPTY, SLICE_EMPTY, SLICE_EMPTY};
    struct url url = {.host = SLICE_EMPTY};
    raw = slice_trim(raw);
    struct slice host = SLICE_EMPTY;
    if (!referrer_is_direct(raw) && url_parse(raw, &url)) host = referrer_without_www(url.host);
    bool same_host = host.size > 0 && slice_equal_ignore_case(host, referrer_without_www(page_host));
    if (!referrer_is_direct(raw) && !same_host)
        referrer->url = slice_ends_with(raw, SLICE("/")) ? slice_first(raw, raw.size - 1) : raw;
    if (tag.size > 0) referrer_set(arena, referrer, referrer_find_tag(tag), tag);
    else if (host.size > 0 && !same_host) referrer_set(arena, referrer, referrer_find_host(host), host);
}
