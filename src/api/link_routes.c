/* SPDX-License-Identifier: Apache-2.0 */
/* Short links: /l/{slug}, and /{slug} where nothing else is. */
#include "api/api_private.h"

#include <xxhash.h>

#include "os/clock.h"

#define LINK_PREFIX "/l/"
#define LINK_HEADERS "Cache-Control: private, no-cache\r\n"
/* Pages of links hold texts that people wrote: nothing in them runs or is fetched. */
#define LINK_PAGE_HEADERS "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"

void api_link_follow(struct api_call *call)
{
    const struct api_links *links = &call->loop->api->settings.links;
    struct request *request = call->request;
    struct error error;
    struct api_link *link = arena_allocate(request->arena, sizeof *link);
    call->headers = SLICE("Cache-Control: no-store\r\n");
    if (!link || !links->follow) {
        error_set(&error, link ? ERROR_NOT_FOUND : ERROR_MEMORY, link ? "there are no short links here" : "out of memory for a request");
        api_refuse(call, &error);
        return;
    }
    *link = (struct api_link){
        .call = call, .slug = call->values[0], .address = call->caller.address, .arena = request->arena,
        .user_agent = request_header_get(request, "user-agent"), .referrer = request_header_get(request, "referer"),
        .asks_not_to_be_tracked = slice_equal(request_header_get(request, "sec-gpc"), SLICE("1")) ||
                                  slice_equal(request_header_get(request, "dnt"), SLICE("1")),
        .is_method_head = request->method == METHOD_HEAD,
    };
    if (control_slug_is_good(link->slug) && links->follow(links->context, link)) return;
    bool is_good = control_slug_is_good(link->slug);
    error_set(&error, is_good ? ERROR_UNAVAILABLE : ERROR_NOT_FOUND, is_good ? "too many links are being followed; try again in a moment"
                                                                             : "no link has such a name");
    api_refuse(call, &error);
}

bool api_link_serve(struct api_loop *loop, struct request *request)
{
    struct slice slug = slice_from(request->path, 1);
    if (request->method != METHOD_GET && request->method != METHOD_HEAD) return false;
    if (!loop->api->settings.links.follow || !control_slug_is_good(slug)) return false;
    struct api_match match;
    api_routes_find(loop->api->routes, METHOD_GET, SLICE(LINK_PREFIX "any"), &match);
    struct api_call *call = match.route ? arena_allocate(request->arena, sizeof *call) : NULL;
    if (!call) return false;
    call->loop = loop;
    call->request = request;
    call->route = match.route;
    call->values[0] = slug;
    api_caller_address(call);
    api_link_follow(call);
    return true;
}

/* ---- answers ---- */

/* Changes with the link and with where it leads this browser. */
static void link_tag(const struct api_link *link, char out[20])
{
    struct slice location = link->decision.location;
    uint64_t seed = XXH3_64bits(link->link.link_id, sizeof link->link.link_id) + (uint64_t)link->link.updated_ms + link->decision.way;
    snprintf(out, 20, "\"%016llx\"", (unsigned long long)XXH3_64bits_withSeed(location.data, location.size, seed));
}

bool api_link_is_known(const struct api_link *link)
{
    char tag[20];
    link_tag(link, tag);
    return slice_equal(request_header_get(link->call->request, "if-none-match"), slice_from_string(tag));
}

static void link_escape(struct buffer *out, struct slice text)
{
    for (size_t i = 0; i < text.size; i++) switch (text.data[i]) {
        case '<': buffer_append_string(out, "&lt;"); break;
        case '>': buffer_append_string(out, "&gt;"); break;
        case '&': buffer_append_string(out, "&amp;"); break;
        case '"': buffer_append_string(out, "&quot;"); break;
        default: buffer_append_byte(out, text.data[i]);
        }
}

static void link_write_meta(struct buffer *page, const char *property, struct slice value)
{
    if (!value.size) return;
    buffer_printf(page, "<meta property=\"%s\" content=\"", property);
    link_escape(page, value);
    buffer_append_string(page, "\">\n");
}

static void link_write_preview(const struct api_link *link, struct buffer *page)
{
    const struct control_link *shown = &link->link;
    buffer_append_string(page, "<!doctype html>\n<html><head><meta charset=\"utf-8\"><title>");
    link_escape(page, shown->og_title);
    buffer_append_string(page, "</title>\n");
    link_write_meta(page, "og:title", shown->og_title);
    link_write_meta(page, "og:description", shown->og_description);
    link_write_meta(page, "og:image", shown->og_image_url);
    link_write_meta(page, "og:url", shown->target_url);
    buffer_append_string(page, "<link rel=\"canonical\" href=\"");
    link_escape(page, shown->target_url);
    buffer_append_string(page, "\"></head><body><a href=\"");
    link_escape(page, shown->target_url);
    buffer_append_string(page, "\">");
    link_escape(page, shown->og_title.size ? shown->og_title : shown->target_url);
    buffer_append_string(page, "</a></body></html>\n");
}

static void link_answer_page(struct api_link *link, int status, struct slice headers, struct slice body)
{
    link->call->headers = SLICE(LINK_PAGE_HEADERS);
    api_answer_from_thread(link->call, status, "text/html; charset=utf-8", headers, body);
}

void api_link_answer(struct api_link *link)
{
    char tag[20];
    struct buffer headers = {0}, page = {0};
    link_tag(link, tag);
    buffer_printf(&headers, LINK_HEADERS "ETag: %s\r\n", tag);
    link->call->headers = SLICE_EMPTY;
    if (link->decision.way == CONTROL_LINK_EXPIRED) {
        link_answer_page(link, 410, SLICE(LINK_HEADERS), SLICE("<!doctype html>\n<html><head><meta charset=\"utf-8\"><title>Expired</title></head>"
                                                               "<body><h1>This link has expired.</h1></body></html>\n"));
    } else if (api_link_is_known(link)) {
        api_answer_from_thread(link->call, 304, NULL, buffer_slice(&headers), SLICE_EMPTY);
    } else if (link->decision.way == CONTROL_LINK_PREVIEW) {
        link_write_preview(link, &page);
        link_answer_page(link, 200, buffer_slice(&headers), buffer_slice(&page));
    } else {
        /* An address has no control byte: it was read as one. */
        buffer_printf(&headers, "Location: %.*s\r\n", SLICE_ARGS(link->decision.location));
        api_answer_from_thread(link->call, 302, NULL, buffer_slice(&headers), SLICE_EMPTY);
    }
    buffer_free(&headers);
    buffer_free(&page);
}

void api_link_answer_unknown(struct api_link *link)
{
    struct api_call *call = link->call;
    struct api *api = call->loop->api;
    struct error error;
    struct api_limit_state state = api_limit_take(api->link_limit, link->address, SLICE_EMPTY, os_clock_monotonic_ms());
    if (state.retry_after_ms) {
        metric_add(api->limited, 1);
        error_set(&error, ERROR_RATE_LIMITED, "too many links that do not exist were asked for from this address; the next one in %lld s",
                  (long long)(state.retry_after_ms + 999) / 1000);
        api_refuse_from_thread(call, &error, state.retry_after_ms, SLICE_EMPTY);
    } else if (slice_starts_with(call->request->path, SLICE(LINK_PREFIX))) {
        link_answer_page(link, 404, SLICE("Cache-Control: no-store\r\n"), SLICE("<!doctype html>\n<html><head><meta charset=\"utf-8\"><title>Not found"
                                                                              "</title></head><body><h1>There is no such link.</h1></body></html>\n"));
    } else {
        metric_add(api->not_found, 1);
        error_set(&error, ERROR_NOT_FOUND, "there is nothing at %.*s", SLICE_ARGS(slice_first(call->request->path, 200)));
        api_refuse_from_thread(call, &error, 0, SLICE_EMPTY);
    }
}

void api_link_refuse(struct api_link *link, const struct error *error) { api_refuse_from_thread(link->call, error, 0, SLICE_EMPTY); }
