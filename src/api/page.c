/* SPDX-License-Identifier: Apache-2.0 */
/* Serves the built web page, and the tracker for pages of other sites, out of the program itself. */
#include <xxhash.h>

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

/* Every page of a site asks for it: it is kept for an hour, and for a day while a newer one is being fetched. */
#define TRACKER_HEADERS                                                                                                \
    "Access-Control-Allow-Origin: *\r\nCross-Origin-Resource-Policy: cross-origin\r\nVary: Accept-Encoding\r\n"         \
    "Cache-Control: public, max-age=3600, stale-while-revalidate=86400\r\n"

static bool tracker_serve(const struct embedded_file *files, struct request *request)
{
    bool compressed = slice_find(request_header_get(request, "accept-encoding"), SLICE("gzip")) >= 0;
    const char *wanted = compressed ? "millrace.js.gz" : "millrace.js";
    while (files && files->name && strcmp(files->name, wanted) != 0) files++;
    if (!files || !files->name) return false;
    char tag[24], headers[400];
    snprintf(tag, sizeof tag, "\"%016llx\"", (unsigned long long)XXH3_64bits(files->data, files->size));
    int size = snprintf(headers, sizeof headers, TRACKER_HEADERS "ETag: %s\r\n%s", tag,
                        compressed ? "Content-Encoding: gzip\r\n" : "");
    bool known = slice_equal(request_header_get(request, "if-none-match"), slice_from_string(tag));
    struct response response = {
        .status = known ? 304 : 200,
        .content_type = known ? NULL : "text/javascript; charset=utf-8",
        .extra_headers = slice_make(headers, (size_t)size),
        .body = known ? SLICE_EMPTY : slice_make(files->data, files->size),
    };
    request_respond(request, &response);
    return true;
}

bool api_page_serve(struct api_loop *loop, struct request *request)
{
    if (request->method != METHOD_GET && request->method != METHOD_HEAD) return false;
    if (slice_equal(request->path, SLICE("/millrace.js"))) return tracker_serve(loop->api->settings.tracker, request);
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
