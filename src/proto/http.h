/* SPDX-License-Identifier: Apache-2.0 */
/* What every HTTP protocol is told (handler, limits, timeouts), and the one that finds out which is spoken. */
#ifndef PROTO_HTTP_H
#define PROTO_HTTP_H

#include "listen/listen.h"
#include "proto/request.h"

struct http_settings {
    request_handler *handler;
    /* May be NULL. Called when the header is complete and before any body is read: a filled error is answered and the
     * body is not read (back-pressure, unknown route, body limit of the route): a small one is skipped, else the
     * connection (of HTTP/2: the stream) closes after the answer. `*body_limit_bytes` may be lowered or raised. */
    enum error_code (*admit)(void *context, const struct request *request, size_t *body_limit_bytes,
                             struct error *error);
    /* May be NULL: request_respond_error. Answers (at once) an error that `admit` or the protocol found (400, 405, 408,
     * 413, 414, 415, 431); the protocol puts its own status where the error's code has none (408, 414, 431). */
    void (*respond_error)(void *context, struct request *request, const struct error *error);
    void *context;
    size_t header_limit_bytes;   /* 32 KiB, at most 64 KiB; more is 431 */
    size_t target_limit_bytes;   /* of the address: 16 KiB; more is 414 */
    size_t body_limit_bytes;     /* default for all routes, after decompression; more is 413 */
    size_t body_ratio_limit;     /* decompressed / compressed, above 1 MiB; more is 413: a zip bomb */
    int64_t header_timeout_ms;   /* from the first byte to the complete header: 408 */
    int64_t body_timeout_ms;     /* without any new byte of the body: 408 */
    int64_t idle_timeout_ms;     /* keep-alive without a request, or an answer of which nothing is read: closed */
    size_t pipeline_limit;       /* HTTP/1.1: requests taken before the first is answered; then reading pauses */
    bool body_in_memory_file;    /* put bodies into a memfd (the engine reads its inserts from there) */
    /* May be NULL: for no request. Whether to answer CORS: preflights (OPTIONS with an Origin) 204 without asking the
     * handler, Access-Control-Allow-Origin echoing Origin on the answer. Asked when the header is complete. */
    bool (*cross_origin)(void *context, const struct request *request);
    struct slice common_headers; /* complete "Name: value\r\n" lines of every answer, the protocol's own included */
};
/* Sensible defaults for everything but handler and context. */
struct http_settings http_settings_default(void);

/*
 * For listen_settings.protocol; protocol_context is a `struct http_settings *` that outlives the listener. Waits for the
 * first bytes: the preface of HTTP/2 ("PRI * HTTP/2.0...", which clients send with prior knowledge and after ALPN alike)
 * makes it HTTP/2 (proto/http2.h), anything else HTTP/1.1 (proto/http1.h). Either can be used alone as well.
 */
extern const struct listen_protocol http_protocol;

#endif
