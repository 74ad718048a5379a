/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: an HTTP/2 client of the server in http_harness.h, that can be slow, greedy or rude. */
#ifndef PROTO_HTTP2_CLIENT_H
#define PROTO_HTTP2_CLIENT_H

#include "proto/http_harness.h"
#include <nghttp2/nghttp2.h>

#define CLIENT_CALLS 256

/* One stream as the client sees it. */
struct client_call {
    int32_t id;
    char path[64];
    int status;
    struct buffer headers;  /* "name: value\n", of head and trailers */
    struct buffer body;
    bool has_trailers;
    bool ended;             /* the answer is whole */
    bool closed;
    uint32_t reset_code;    /* when it closed */
    struct slice upload;    /* must stay alive */
    size_t uploaded;
    bool never_ends;        /* the upload stops before its end */
    size_t arrived;         /* bytes of `body` for which the server has been given no room yet */
};

struct client {
    nghttp2_session *session;
    struct client_call calls[CLIENT_CALLS];
    size_t count;
    bool manual;            /* gives no windows by itself */
    bool went_away;         /* GOAWAY arrived... */
    uint32_t away_code;
    bool gone;              /* the connection is closed */
    size_t pings_answered;
    size_t continues;       /* "100 Continue" */
    size_t resets;          /* RST_STREAM frames of any stream */
};
extern struct client client;

/* Connects; with `window` the client takes only so many bytes on each stream (0: the usual 64 KiB). */
void client_connect(uint32_t window);
void client_disconnect(void);
/* `headers`: "name: value\n" lines, beside the pseudo ones. With an `upload` that has data the request has a body. */
struct client_call *client_request(const char *method, const char *path, const char *headers, struct slice upload);
#define client_get(path) client_request("GET", path, "", SLICE_EMPTY)
/* Forgets the calls from that one on, whose answers no longer matter: their places are free again. */
void client_forget(size_t from);
/* Sends and receives what there is; true, to be used in WAIT_FOR. */
bool client_turn(void);
bool client_has(const struct client_call *call, const char *header_line);
/* A gzip member of the bytes, appended. */
void client_gzip(struct slice plain, struct buffer *out);
bool client_body_is(const struct client_call *call, const char *text);
#define WAIT_FOR_CALL(condition) WAIT_FOR((client_turn(), condition))

#endif
