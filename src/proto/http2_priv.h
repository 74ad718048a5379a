/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of HTTP/2 know of each other: the connection and who may call what. */
#ifndef PROTO_HTTP2_PRIV_H
#define PROTO_HTTP2_PRIV_H

#include <nghttp2/nghttp2.h>
#include "proto/http2.h"
#include "proto/http_priv.h"

/* Streams at once: what browsers and gRPC clients expect as the least, and enough to keep a spool's sync busy. */
#define HTTP2_STREAM_LIMIT 100
/* What a client may send on one stream before we let it send more: at 50 ms of distance still 10 MB/s on each. 100
 * streams hold 50 MiB at most in this way. */
#define HTTP2_STREAM_WINDOW (512 << 10)
/* The same of a whole connection. Always given back at once: memory is bounded by the windows of the streams. */
#define HTTP2_CONNECTION_WINDOW (16 << 20)
/* Bodies (unpacked) held by one connection: above so many times the body limit only the oldest unfinished gets on... */
#define HTTP2_HELD_BODIES 2
/* ...and above the larger of these the others are refused: small packed bodies can become large without any window. */
#define HTTP2_REFUSED_BODIES 4
#define HTTP2_REFUSED_BYTES (64u << 20)
/* Who is answered while still sending gets so much time to see the answer before its stream is reset: some clients (curl 7.88)
 * lose an answer that comes together with the reset. */
#define HTTP2_LINGER_MS 500
/* A header this many times over the limit is not answered: the connection ends. */
#define HTTP2_HEADER_EXCESS 8

/*
 * Frames that make work and cost their sender nothing (PING, SETTINGS, RST_STREAM, empty DATA, broken ones) are paid from
 * a budget that time and complete requests fill; who overdraws it is sent away (ENHANCE_YOUR_CALM). gRPC clients that
 * measure the line send a PING for every answer or so: a complete request pays for two.
 */
#define HTTP2_BUDGET 1000
#define HTTP2_BUDGET_PER_SECOND 100
#define HTTP2_BUDGET_PER_REQUEST 2
#define HTTP2_COST_CONTROL 1
#define HTTP2_COST_RESET 5

struct http2_connection {
    const struct http_settings *settings;
    struct listen_stream *stream;
    nghttp2_session *session;
    struct http_exchange *first;    /* those whose stream is open, oldest first */
    struct http_exchange *newest;
    size_t held_bytes;              /* of bodies, unpacked */
    bool withholding;               /* some stream is not given the room it has used */
    bool busy;                      /* inside nghttp2, or walking through the exchanges: who does sends afterwards */
    bool input_closed;              /* the client will send no more */
    bool closing;                   /* listen_stream_close or abort was called */
    bool paused;
    struct buffer output;           /* frames gathered for one write */
    int64_t budget;
    int64_t budget_ms;              /* when it was filled last */
    int64_t due_ms;                 /* when the stream's timer is to fire; 0: not at all */
    int64_t idle_ms;                /* since when there is no stream */
    uint64_t sent_seen;             /* what the socket had taken... */
    int64_t sent_seen_ms;           /* ...when it was last seen to take something */
};

/* http2.c */
int64_t http2_now_ms(const struct http2_connection *connection);
/* Sends what can be sent, goes on reading or closes. Does nothing inside nghttp2. */
void http2_advance(struct http2_connection *connection);
/* The timer is to fire at that time, or earlier. */
void http2_due(struct http2_connection *connection, int64_t at_ms);
/* Takes from the budget; ends the connection when it is empty. */
void http2_charge(struct http2_connection *connection, int64_t cost);
/* The stream has gone: takes the exchange out of the connection, and back when nobody else has it. */
void http2_drop(struct http_exchange *exchange);
/* Resets the stream and drops the exchange. */
void http2_reset(struct http_exchange *exchange, uint32_t code);

/* http2_request.c */
void http2_callbacks_for_requests(nghttp2_session_callbacks *callbacks);
/* Answers a request that is not complete (or never will be) with an error; `status` as for http1_refuse. */
void http2_refuse(struct http_exchange *exchange, const struct error *error, int status);
/* Gives clients the room they have used, as far as memory allows. */
void http2_give_windows(struct http2_connection *connection);

/* http2_respond.c */
extern const struct request_transport http2_transport;
void http2_callbacks_for_answers(nghttp2_session_callbacks *callbacks);
/* The task by which a thread tells the loop of news. */
void http2_stream_run(struct os_task *task);
/* The grpc-timeout has passed: answers so at once and leaves the exchange to its handler. */
void http2_deadline_passed(struct http_exchange *exchange);

/* http2_grpc.c: what differs in a gRPC call. */
/* Looks at the header; fills `error` and http2.grpc_code when the call cannot be taken. */
enum error_code http2_grpc_begin(struct http_exchange *exchange, struct error *error);
/* Takes the framing off. */
enum error_code http2_grpc_add(struct http_exchange *exchange, bool in_memory_file, struct slice bytes,
                               struct error *error);
enum error_code http2_grpc_end(struct http_exchange *exchange, struct error *error);
/* Makes head, body and trailers of the answer. Any thread. */
void http2_grpc_answer(struct http_exchange *exchange, const struct response *response);

#endif
