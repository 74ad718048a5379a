/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the HTTP/1.1 protocol know of each other: the connection, its parser, its answers. */
#ifndef PROTO_HTTP1_PRIV_H
#define PROTO_HTTP1_PRIV_H

#include <http_parser.h>
#include "proto/http1.h"
#include "proto/http_priv.h"

/* Why the deadline of a connection is armed. */
enum http1_deadline { DEADLINE_NONE, DEADLINE_IDLE, DEADLINE_HEADER, DEADLINE_BODY, DEADLINE_STALL };

struct http1_connection {
    const struct http_settings *settings;
    struct listen_stream *stream;
    http_parser parser;
    struct http_exchange *first;       /* oldest without a sent answer */
    struct http_exchange *newest;
    size_t waiting;                     /* complete requests without a sent answer */
    struct http_exchange *reading;     /* the newest, while it is still arriving */
    bool skipping;                      /* the rest of a request that is answered already goes nowhere */
    bool input_closed;                  /* no more requests: the connection closes when all answers have left */
    bool closing;                       /* listen_stream_close was called */
    bool parsing;                       /* inside the parser: answers gather in `output` */
    bool paused;
    struct buffer held;                 /* received but not parsed: the pipeline is full */
    struct buffer output;               /* answers of this parser run */
    enum http1_deadline deadline;
    uint64_t sent_when_armed;           /* what the socket had taken then */
};

/* http1_parse.c */
extern const http_parser_settings http1_parser_settings;
/* Answers the request being read (begins one when there is none) with an error; nothing more is read afterwards unless
 * the error may be followed by the next request (`skip_body`). */
void http1_refuse(struct http1_connection *connection, const struct error *error, int status, bool skip_body);

/* http1_respond.c */
extern const struct request_transport http1_transport;
/* Writes an answer into `out`: the status line, all headers, and with `with_body` the body. Any thread. */
void http1_answer_write(struct http_exchange *exchange, const struct response *response, bool with_body,
                        struct buffer *out);
/* The head of a streamed answer. Any thread. */
void http1_stream_head_write(struct http_exchange *exchange, int status, const char *content_type,
                             struct slice extra_headers, struct buffer *out);

/* http1_stream.c: answers made on other threads. */
void http1_respond_from_thread(struct request *request, const struct response *response);
void http1_stream_begin(struct request *request, int status, const char *content_type, struct slice extra_headers);
enum error_code http1_stream_write(struct request *request, struct slice bytes);
void http1_stream_end(struct request *request, bool failed);
/* Moves queued bytes to the socket, on the loop's thread; true when the writer has ended the answer. */
bool http1_stream_pump(struct http_exchange *exchange);
/* The task by which a thread tells the loop of news. */
void http1_stream_run(struct os_task *task);

/* http1.c */
/* Sends the answers whose turn it is, goes on reading or closes. */
void http1_connection_advance(struct http1_connection *connection);
/* Gives what is gathered in `output` to the stream. */
void http1_connection_flush(struct http1_connection *connection);
/* Adds an exchange for the next request, as `reading`; NULL (and the connection is cut) when out of memory. */
struct http_exchange *http1_connection_begin_exchange(struct http1_connection *connection);

#endif
