/* SPDX-License-Identifier: Apache-2.0 */
/* URL to the four parts of a page. */
#include "enrich/page.h"

#include "decode/url.h"

static struct slice page_lower(struct arena *arena, struct slice text)
{
    size_t i = 0;
    while (i < text.size && !(text.data[i] >= 'A' && text.data[i] <= 'Z')) i++;
    if (i == text.size) return text;
    char *copy = arena_copy_string(arena, text);
    if (!copy) return SLICE_EMPTY;
    for (; i < text.size; i++)
        if (copy[i] >= 'A' && copy[i] <= 'Z') copy[i] = (char)(copy[i] + 'a' - 'A');
    return slice_make(copy, text.size);
}

static bool page_port_is_default(const struct url *url)
{
    return (slice_equal_ignore_case(url->scheme, SLICE("https")) && slice_equal(url->port, SLICE("443"))) ||
           (slice_equal_ignore_case(url->scheme, SLICE("http")) && slice_equal(url->port, SLICE("80")));
}

static struct slice page_origin(struct arena *arena, const struct url *url)
{
    if (!url->absolute) return SLICE_EMPTY;
    struct slice origin = url->origin;
    if (origin.size == 0) { /* a user name stood in the middle */
        bool bracket = slice_index_of(url->host, ':') >= 0;
        origin =
            arena_printf(arena, "%.*s://%s%.*s%s%s%.*s", SLICE_ARGS(url->scheme), bracket ? "[" : "",
                         SLICE_ARGS(url->host), bracket ? "]" : "", url->port.size ? ":" : "", SLICE_ARGS(url->port));
    }
    if (page_port_is_default(url)) origin.size -= url->port.size + 1;
    return page_lower(arena, origin);
}

/* The part together with the delimiter that stands before it. */
static struct slice page_with_delimiter(struct slice part)
{
    return part.size ? slice_make(part.data - 1, part.size + 1) : SLICE_EMPTY;
}

bool page_from_url(struct arena *arena, struct slice text, struct page *page)
{
    struct url url;
    *page = (struct page){SLICE_EMPTY, SLICE_EMPTY, SLICE_EMPTY, SLICE_EMPTY};
    if (!url_parse(text, &url)) return false;
    page->origin = page_origin(arena, &url);
    page->path = url.path.size || !url.absolute ? url.path : SLICE("/");
    page->query_string = page_with_delimiter(url.query);
    page->hash = page_with_delimiter(url.fragment);
    return true;
}

struct slice page_host(struct slice origin)
{
    struct url url;
    return url_parse(origin, &url) ? url.host : SLICE_EMPTY;
}
