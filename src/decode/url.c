/* SPDX-License-Identifier: Apache-2.0 */
/* URL parts by one forward look per delimiter. */
#include "decode/url.h"

static struct slice slice_between(const char *begin, const char *end)
{
    return slice_make(begin, (size_t)(end - begin));
}

/* The length of a scheme that "://" follows, or 0. */
static size_t url_scheme_size(struct slice text)
{
    size_t size = 0;
    while (size < text.size) {
        char c = text.data[size];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool other = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
        if (!letter && !(size > 0 && other)) break;
        size++;
    }
    return size > 0 && slice_starts_with(slice_from(text, size), SLICE("://")) ? size : 0;
}

static bool url_parse_authority(struct slice authority, struct url *url)
{
    for (size_t i = authority.size; i > 0; i--) {
        if (authority.data[i - 1] != '@') continue;
        authority = slice_from(authority, i);
        break;
    }
    if (authority.size > 0 && authority.data[0] == '[') {
        ptrdiff_t close = slice_index_of(authority, ']');
        if (close < 0) return false;
        url->host = slice_between(authority.data + 1, authority.data + close);
        authority = slice_from(authority, (size_t)close + 1);
        if (authority.size > 0 && authority.data[0] != ':') return false;
        url->port = slice_from(authority, 1);
    } else {
        url->host = slice_cut(&authority, ':');
        url->port = authority;
    }
    uint64_t port = 0;
    return url->host.size > 0 && (url->port.size == 0 || (slice_parse_uint64(url->port, &port) && port <= 65535));
}

bool url_parse(struct slice text, struct url *url)
{
    *url = (struct url){.scheme = SLICE_EMPTY, .origin = SLICE_EMPTY, .host = SLICE_EMPTY, .port = SLICE_EMPTY};
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] <= ' ' || text.data[i] == 0x7f) return false;

    struct slice rest = text;
    ptrdiff_t hash = slice_index_of(rest, '#');
    url->fragment = hash < 0 ? SLICE_EMPTY : slice_from(rest, (size_t)hash + 1);
    if (hash >= 0) rest = slice_first(rest, (size_t)hash);
    ptrdiff_t question = slice_index_of(rest, '?');
    url->query = question < 0 ? SLICE_EMPTY : slice_from(rest, (size_t)question + 1);
    if (question >= 0) rest = slice_first(rest, (size_t)question);

    size_t scheme_size = url_scheme_size(rest);
    bool network_path = slice_starts_with(rest, SLICE("//"));
    if (scheme_size > 0 || network_path) {
        url->scheme = slice_first(rest, scheme_size);
        struct slice authority = slice_from(rest, scheme_size > 0 ? scheme_size + 3 : 2);
        ptrdiff_t slash = slice_index_of(authority, '/');
        rest = slash < 0 ? SLICE_EMPTY : slice_from(authority, (size_t)slash);
        if (slash >= 0) authority = slice_first(authority, (size_t)slash);
        if (!url_parse_authority(authority, url)) return false;
        url->absolute = scheme_size > 0;
        /* A URL with a user name in it has no origin that may be stored as one slice: only the host stays. */
        if (url->absolute && slice_index_of(authority, '@') < 0)
            url->origin = slice_between(text.data, authority.data + authority.size);
    }
    url->path = rest;
    return true;
}

static int url_hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9') return byte - '0';
    if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
    if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
    return -1;
}

struct slice url_decode(struct arena *arena, struct slice text, bool plus_is_space)
{
    if (slice_index_of(text, '%') < 0 && (!plus_is_space || slice_index_of(text, '+') < 0))
        return arena_copy(arena, text);
    char *out = arena_allocate(arena, text.size + 1);
    if (!out) return SLICE_EMPTY;
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        char byte = text.data[i];
        if (byte == '+' && plus_is_space) byte = ' ';
        if (byte == '%' && i + 2 < text.size) {
            int high = url_hex_digit(text.data[i + 1]), low = url_hex_digit(text.data[i + 2]);
            if (high >= 0 && low >= 0) {
                byte = (char)(high * 16 + low);
                i += 2;
            }
        }
        out[size++] = byte;
    }
    return slice_make(out, size);
}

bool url_query_next(struct slice *rest, struct slice *name, struct slice *value)
{
    while (rest->size > 0) {
        struct slice pair = slice_cut(rest, '&');
        if (pair.size == 0) continue;
        *name = slice_cut(&pair, '=');
        *value = pair;
        return true;
    }
    return false;
}
