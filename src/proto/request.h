/* SPDX-License-Identifier: Apache-2.0 */
/* The one request and response every protocol ends in: HTTP/1.1, HTTP/2 and gRPC; WebSocket later. */
#ifndef PROTO_REQUEST_H
#define PROTO_REQUEST_H

#include <stdatomic.h>
#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "os/loop.h"

/*
 * Model: the protocol reads a whole request, then calls the handler once, on the loop's thread. The handler answers at
 * once or later, exactly once, by request_respond (or a stream). Until then the request and all it points to stay alive,
 * even when the client hangs up: then `cancelled` turns true. After the answer the request must not be touched. Answers
 * on one connection of HTTP/1.1 leave in the order of the requests (pipelining), those of HTTP/2 as they are
 * ready.
 *
 * `cancelled` is a hint that the work is worthless: it is set as soon as the client has closed its side (curl and browsers
 * do that when their user gives up). A client that closed only its sending side still gets a plain answer; a streamed one
 * is cut short.
 */
enum request_method {
    METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_PUT, METHOD_PATCH, METHOD_DELETE, METHOD_OPTIONS, METHOD_OTHER,
    METHOD_COUNT
};
const char *request_method_name(enum request_method method);

struct request_header {
    struct slice name; /* lower-case */
    struct slice value;
};

struct request {
    struct arena *arena;       /* freed after the answer */
    struct os_loop *loop;
    enum request_method method;
    struct slice path;         /* percent-decoded, without the query string */
    struct slice query;        /* raw, without the '?' */
    const struct request_header *headers;
    size_t header_count;
    struct slice body;         /* de-chunked, de-compressed; readable for 64 bytes past its end (simdjson wants that) */
    int body_fd;               /* with http_settings.body_in_memory_file: a memfd holding the body, which is mapped from
                                * it; -1 without a body */
    struct slice peer;         /* the socket's numeric address, "" for Unix sockets; proxies' headers are not looked at */
    int64_t received_ms;       /* wall clock when the request was complete */
    atomic_bool cancelled;     /* any thread may read it */
    uint64_t id;               /* unique in this process: for logs and for the event store's log_comment */
    void *user;                /* the handler's */
    int status_override;       /* of the protocol, for an error whose code has another status (408, 414, 431), or 0 */
    void *watch;               /* of who watches requests (api.h, struct api_watch) */
    void *exchange;            /* the protocol's */
    const struct request_transport *transport;
};

/* The value of the first header of that (lower-case) name, or an empty slice. */
struct slice request_header_get(const struct request *request, const char *lower_case_name);
/* The percent-decoded ('+' is a space) value of a query parameter in the arena; false when it is absent. */
bool request_query_get(const struct request *request, const char *name, struct slice *value);
/* Walks the query string's pairs, decoded into the arena: start with *rest = request->query. */
bool request_query_next(const struct request *request, struct slice *rest, struct slice *name, struct slice *value);

struct response {
    int status;
    const char *content_type;      /* NULL when there is no body */
    struct slice extra_headers;    /* complete "Name: value\r\n" lines, or empty */
    struct slice body;             /* copied before request_respond returns; the answer to HEAD has only its length */
};

/* Answers. On the loop's thread. */
void request_respond(struct request *request, const struct response *response);
/* The standard error body for our own routes:
 * {"error":{"code":"invalid","message":"...","field":"..."},"request_id":"..."}; retryable codes add Retry-After: 1, 401
 * adds WWW-Authenticate: Bearer. To who sends application/x-protobuf it is a google.rpc.Status in that type. */
void request_respond_error(struct request *request, const struct error *error);
/* The same with these headers (complete lines) in place of the ones above. */
void request_respond_error_with(struct request *request, const struct error *error, struct slice extra_headers);

/*
 * A streamed answer (to a gRPC call: UNIMPLEMENTED). Begin on any one thread, then write and end on that same thread,
 * which must not be the loop's: writing blocks while the client is slow (more than 1 MiB queued). ERROR_CANCELLED once
 * the client has gone; request_stream_end must still be called. `failed` cuts the connection (HTTP/2: the stream) so
 * that the client sees an incomplete answer.
 */
void request_stream_begin(struct request *request, int status, const char *content_type, struct slice extra_headers);
enum error_code request_stream_write(struct request *request, struct slice bytes);
void request_stream_end(struct request *request, bool failed);
/* As request_respond, from a thread that is not the loop's. */
void request_respond_from_thread(struct request *request, const struct response *response);
/* As request_respond_error and request_respond_error_with, from a thread that is not the loop's. */
void request_respond_error_from_thread(struct request *request, const struct error *error);
void request_respond_error_with_from_thread(struct request *request, const struct error *error,
                                            struct slice extra_headers);

/* What a protocol implements; handlers use the functions above. */
struct request_transport {
    void (*respond)(struct request *request, const struct response *response);
    void (*respond_from_thread)(struct request *request, const struct response *response);
    void (*stream_begin)(struct request *request, int status, const char *content_type, struct slice extra_headers);
    enum error_code (*stream_write)(struct request *request, struct slice bytes);
    void (*stream_end)(struct request *request, bool failed);
};

typedef void request_handler(void *context, struct request *request);

#endif
