/* SPDX-License-Identifier: Apache-2.0 */
/* Names the sites that send visitors. */
#include "enrich/referrer.h"

#include "decode/url.h"

/* A host ending in '.' stands for that name under any top-level domain: "google." covers google.com and google.co.uk. */
static const struct referrer_sender {
    const char *host, *name, *type;
} referrer_senders[] = {
    {"mail.google.com", "Gmail", "email"}, {"gemini.google.com", "Gemini", "ai"}, {"gmail.com", "Gmail", "email"},
    {"googleadservices.com", "Google Ads", "ads"}, {"doubleclick.net", "Google Ads", "ads"},
    {"news.google.com", "Google News", "search"}, {"google.", "Google", "search"},
    {"copilot.microsoft.com", "Microsoft Copilot", "ai"}, {"bing.com", "Bing", "search"},
    {"duckduckgo.com", "DuckDuckGo", "search"}, {"mail.yahoo.com", "Yahoo! Mail", "email"}, {"yahoo.", "Yahoo!", "search"},
    {"yandex.", "Yandex", "search"}, {"ya.ru", "Yandex", "search"}, {"baidu.com", "Baidu", "search"},
    {"ecosia.org", "Ecosia", "search"}, {"qwant.com", "Qwant", "search"}, {"startpage.com", "Startpage", "search"},
    {"search.brave.com", "Brave Search", "search"}, {"kagi.com", "Kagi", "search"}, {"naver.com", "Naver", "search"},
    {"seznam.cz", "Seznam", "search"}, {"sogou.com", "Sogou", "search"}, {"ask.com", "Ask", "search"},
    {"facebook.com", "Facebook", "social"}, {"fb.com", "Facebook", "social"}, {"fb.me", "Facebook", "social"},
    {"instagram.com", "Instagram", "social"}, {"threads.net", "Threads", "social"}, {"threads.com", "Threads", "social"},
    {"twitter.com", "Twitter", "social"}, {"x.com", "Twitter", "social"}, {"t.co", "Twitter", "social"},
    {"linkedin.com", "LinkedIn", "social"}, {"lnkd.in", "LinkedIn", "social"}, {"reddit.com", "Reddit", "social"},
    {"redd.it", "Reddit", "social"}, {"youtube.com", "YouTube", "social"}, {"youtu.be", "YouTube", "social"},
    {"tiktok.com", "TikTok", "social"}, {"pinterest.", "Pinterest", "social"}, {"news.ycombinator.com", "Hacker News", "social"},
    {"whatsapp.com", "WhatsApp", "social"}, {"wa.me", "WhatsApp", "social"}, {"telegram.org", "Telegram", "social"},
    {"t.me", "Telegram", "social"}, {"discord.com", "Discord", "social"}, {"bsky.app", "Bluesky", "social"},
    {"mastodon.social", "Mastodon", "social"}, {"vk.com", "VK", "social"}, {"quora.com", "Quora", "social"},
    {"producthunt.com", "Product Hunt", "social"}, {"snapchat.com", "Snapchat", "social"}, {"weibo.com", "Weibo", "social"},
    {"outlook.live.com", "Outlook", "email"}, {"outlook.office.com", "Outlook", "email"},
    {"mail.proton.me", "Proton Mail", "email"}, {"mail.yandex.ru", "Yandex Mail", "email"}, {"mail.ru", "Mail.ru", "email"},
    {"chatgpt.com", "ChatGPT", "ai"}, {"chat.openai.com", "ChatGPT", "ai"}, {"openai.com", "OpenAI", "ai"},
    {"claude.ai", "Claude", "ai"}, {"perplexity.ai", "Perplexity", "ai"}, {"chat.deepseek.com", "DeepSeek", "ai"},
    {"chat.mistral.ai", "Mistral", "ai"}, {"grok.com", "Grok", "ai"}, {"poe.com", "Poe", "ai"},
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
            if (referrer_host_is(rest, slice_from_string(referrer_senders[i].host))) return &referrer_senders[i];
    return NULL;
}

/* A tag is a host ("bing.com"), the name of one ("Hacker News"), or a host's first label ("chatgpt"). */
static const struct referrer_sender *referrer_find_tag(struct slice tag)
{
    for (size_t i = 0; i < REFERRER_SENDER_COUNT; i++) {
        struct slice host = slice_from_string(referrer_senders[i].host);
        struct slice first = slice_cut(&host, '.');
        if (slice_equal_ignore_case(tag, slice_from_string(referrer_senders[i].name))) return &referrer_senders[i];
        if (slice_index_of(host, '.') < 0 && slice_equal_ignore_case(tag, first)) return &referrer_senders[i];
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
    referrer->name = sender ? slice_from_string(sender->name) : referrer_lower(arena, unknown_name);
    referrer->type = sender ? slice_from_string(sender->type) : SLICE("unknown");
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
