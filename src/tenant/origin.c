/* SPDX-License-Identifier: Apache-2.0 */
/* Origins are compared lower-case; hosts without port and leading "www.". */
#include "tenant/origin.h"

static struct slice origin_lower(struct slice text, char *out)
{
    for (size_t i = 0; i < text.size; i++)
        out[i] = text.data[i] >= 'A' && text.data[i] <= 'Z' ? (char)(text.data[i] - 'A' + 'a') : text.data[i];
    return slice_make(out, text.size);
}

/* "www.example.com:8080" -> "example.com", "[::1]:80" -> "[::1]". */
static struct slice origin_host(struct slice authority)
{
    if (authority.size && authority.data[0] == '[') {
        ptrdiff_t close = slice_index_of(authority, ']');
        return close < 0 ? SLICE_EMPTY : slice_first(authority, (size_t)close + 1);
    }
    struct slice host = slice_cut(&authority, ':');
    return slice_starts_with(host, SLICE("www.")) ? slice_from(host, 4) : host;
}

/* Letters of host names, of numeric addresses and of ports. */
static bool origin_is_clean(struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        bool fits = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == ':' ||
                    c == '[' || c == ']';
        if (!fits) return false;
    }
    return text.size > 0;
}

bool tenant_origin_rule_parse(struct slice entry, char *storage, struct tenant_origin_rule *rule)
{
    if (entry.size == 0 || entry.size > TENANT_ORIGIN_LIMIT) return false;
    struct slice text = origin_lower(entry, storage);
    if (slice_equal(text, SLICE("*"))) {
        *rule = (struct tenant_origin_rule){TENANT_ORIGIN_ANY, text};
        return true;
    }
    ptrdiff_t scheme = slice_find(text, SLICE("://"));
    if (scheme >= 0) {
        *rule = (struct tenant_origin_rule){TENANT_ORIGIN_EXACT, text};
        return scheme > 0 && origin_is_clean(slice_from(text, (size_t)scheme + 3));
    }
    bool below = slice_starts_with(text, SLICE("*."));
    struct slice host = origin_host(below ? slice_from(text, 2) : text);
    *rule = (struct tenant_origin_rule){below ? TENANT_ORIGIN_BELOW : TENANT_ORIGIN_HOST, host};
    return origin_is_clean(host) && !slice_equal(host, SLICE("null"));
}

static bool origin_is_below(struct slice host, struct slice apex)
{
    return host.size > apex.size && slice_ends_with(host, apex) && host.data[host.size - apex.size - 1] == '.';
}

bool tenant_origin_fits(const struct tenant_origin_rule *rules, size_t count, struct slice origin)
{
    char storage[TENANT_ORIGIN_LIMIT];
    if (origin.size > TENANT_ORIGIN_LIMIT) return false;
    struct slice text = origin_lower(origin, storage);
    ptrdiff_t scheme = slice_find(text, SLICE("://"));
    struct slice authority = slice_from(text, (size_t)scheme + 3);
    if (scheme <= 0 || !origin_is_clean(authority)) return false; /* "null" and what no browser sends */
    struct slice host = origin_host(authority);
    for (size_t i = 0; i < count; i++) {
        struct slice wanted = rules[i].text;
        switch (rules[i].kind) {
        case TENANT_ORIGIN_ANY: return true;
        case TENANT_ORIGIN_HOST:
            if (slice_equal(host, wanted)) return true;
            break;
        case TENANT_ORIGIN_BELOW:
            if (slice_equal(host, wanted) || origin_is_below(host, wanted)) return true;
            break;
        case TENANT_ORIGIN_EXACT:
            if (slice_equal(text, wanted)) return true;
            break;
        }
    }
    return false;
}
