/* SPDX-License-Identifier: Apache-2.0 */
/* Serves the built web page out of the program itself. */
#include "api/api_private.h"

static const struct {
    const char *ending;
    const char *content_type;
} page_types[] = {
    {".html", "text/html; charset=utf-8"}, {".js", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
    {".svg", "image/svg+xml"}, {".png", "image/png"}, {".ico", "image/x-icon"}, {".woff2", "font/woff2"},
    {".json", "application/json"}, {".txt", "text/plain; charset=utf-8"},
};

static const char *page_type(struct slice name)
{
    for (size_t i = 0; i < sizeof page_types / sizeof page_types[0]; i++)
        if (slice_ends_with(name, slice_from_string(page_types[i].ending))) return page_types[i].content_type;
    return "application/octet-stream";
}

/* index.html names its scripts by content hash: those never change; index.html itself must be asked for each time. */
#define PAGE_SECURITY_HEADERS                                                                                          \
    "Content-Security-Policy: default-src 'self'; style-src 'self'; img-src 'self' data:; "            \
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'\r\n"

bool api_page_serve(struct api_loop *loop, struct request *request)
{
    if (request->method != METHOD_GET && request->method != METHOD_HEAD) return false;
    struct slice path = slice_equal(request->path, SLICE("/")) ? SLICE("/index.html") : request->path;
    for (const struct embedded_file *file = loop->api->settings.page; file && file->name; file++) {
        struct slice name = slice_from_string(file->path); /* from the root of the page: "/assets/index-1a2b.js" */
        if (!slice_equal(name, path)) continue;
        bool hashed = slice_starts_with(name, SLICE("/assets/"));
        struct response response = {
            .status = 200,
            .content_type = page_type(name),
            .extra_headers = hashed ? SLICE(PAGE_SECURITY_HEADERS "Cache-Control: public, max-age=31536000, immutable\r\n")
                                    : SLICE(PAGE_SECURITY_HEADERS "Cache-Control: no-cache\r\n"),
            .body = slice_make(file->data, file->size),
        };
        request_respond(request, &response);
        return true;
    }
    return false;
}
