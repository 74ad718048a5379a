/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the HTTP/1.1 protocol know of each other: the connection, the exchange, the body being read. */
#ifndef PROTO_HTTP1_PRIV_H
#define PROTO_HTTP1_PRIV_H

#include <http_parser.h>
#include <pthread.h>
#include "base/buffer.h"
#include "proto/http1.h"

/* More header lines than this are 431: nobody sends them but to make us work. */
#define HTTP1_HEADER_LIMIT 100
/* A target (path and query) longer than this is 414; the header limit applies as well. */
/* What a handler may allocate for one request, beside the body: as much as a large body decoded may need. */
#define HTTP1_ARENA_LIMIT_BYTES (256u << 20)
/* The unread body of a refused request is skipped up to this size; a longer one costs more than a new connection. */
#define HTTP1_SKIP_LIMIT_BYTES 65536
/* Bytes readable behind every body. */
#define HTTP1_BODY_PADDING 64
/* A streamed answer blocks its writer while more than this waits for the client. */
#define HTTP1_STREAM_QUEUE_BYTES (1u << 20)
/* Buffers of an exchange that grew larger are given back when it ends. */
#define HTTP1_KEPT_BUFFER_BYTES 65536

struct http1_connection;
struct http1_decoder;

/* Where the bytes of a body go: through the decoder of its encoding, then into memory or a memory file. */
struct http1_body {
    size_t limit_bytes;         /* after decompression */
    size_t ratio_limit;
    size_t wire_bytes;          /* as received */
    size_t decoded_bytes;
    struct http1_decoder *decoder; /* kept for the next request; NULL until one was needed */
    bool decoding;
    struct buffer memory;
    int fd;                     /* the memory file, or -1 */
    void *mapping;
    size_t mapping_size;
};

/* A name and a value inside `head`, which may still move while it grows. */
struct http1_field {
    uint32_t name_offset, name_size;
    uint32_t value_offset, value_size;
};

/* What a worker thread and the loop share of a streamed answer (or one made on a thread). */
struct http1_stream {
    pthread_mutex_t mutex;      /* guards all below */
    pthread_cond_t room;        /* the queue got shorter, or the client left */
    struct buffer queue;        /* bytes for the wire, not yet taken by the loop */
    size_t in_flight;           /* taken by the loop, not yet accepted by the socket */
    bool began;                 /* a streamed answer, not one made whole */
    bool gone;                  /* the client left */
    bool ended;
    bool failed;
    bool posted;                /* `task` is on its way to the loop */
    struct os_task task;
};

/*
 * One request and its answer. Owned by its connection until the handler is called; from then on also by the handler,
 * until it answers: `connection` turns NULL when the connection goes first. Only the loop's thread takes and gives back.
 */
struct http1_exchange {
    struct request request;             /* request.exchange points back here */
    struct http1_connection *connection;
    struct http1_exchange *next;        /* the next request on the same connection, or in the pool */
    bool header_complete;
    bool handed_over;                   /* the handler has it: it must answer before the exchange is given back */
    bool answered;                      /* the whole answer is in `answer`, or has left */
    bool streaming;                     /* the loop has learnt that the answer is a streamed one */
    bool expects_continue;
    bool last;                          /* the connection closes after this answer */
    bool is_http10;
    bool has_origin;
    bool cross_origin;                  /* what the setting said, for writers on other threads */
    struct slice common_headers;        /* the setting, likewise */
    int status_override;                /* a status that no error code stands for, or 0 */
    size_t target_size;                 /* bytes at the front of `head` */
    struct buffer head;                 /* target, names and values as they arrive */
    size_t field_count;
    bool last_was_value;
    struct http1_field fields[HTTP1_HEADER_LIMIT];
    struct request_header headers[HTTP1_HEADER_LIMIT];
    struct http1_body body;
    struct buffer answer;               /* complete answers wait here for the answers before them */
    struct http1_stream stream;
};

/* Why the deadline of a connection is armed. */
enum http1_deadline { DEADLINE_NONE, DEADLINE_IDLE, DEADLINE_HEADER, DEADLINE_BODY, DEADLINE_STALL };

struct http1_connection {
    const struct http1_settings *settings;
    struct listen_stream *stream;
    http_parser parser;
    struct http1_exchange *first;       /* oldest without a sent answer */
    struct http1_exchange *newest;
    size_t waiting;                     /* complete requests without a sent answer */
    struct http1_exchange *reading;     /* the newest, while it is still arriving */
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

/* http1_exchange.c: a pool per thread, so that a request costs no allocation. */
struct http1_exchange *http1_exchange_take(struct http1_connection *connection);
void http1_exchange_give(struct http1_exchange *exchange);

/* http1_body.c */
/* Prepares for a body of that Content-Encoding; ERROR_UNSUPPORTED_MEDIA when it is not known. */
enum error_code http1_body_begin(struct http1_body *body, struct slice encoding, bool in_memory_file,
                                 uint64_t announced_bytes, struct error *error);
enum error_code http1_body_add(struct http1_body *body, struct slice bytes, struct error *error);
/* Checks that the encoding is complete, pads, maps: fills request->body and body_fd. */
enum error_code http1_body_end(struct http1_body *body, struct request *request, struct error *error);
/* Ready for the next request; `http1_body_free` also frees what is kept. */
void http1_body_reset(struct http1_body *body);
void http1_body_free(struct http1_body *body);

/* http1_decode.c: gzip, deflate and zstd, in pieces. */
enum http1_encoding { ENCODING_IDENTITY, ENCODING_GZIP, ENCODING_DEFLATE, ENCODING_ZSTD, ENCODING_UNKNOWN };
enum http1_encoding http1_encoding_from_name(struct slice name);
/* Creates *decoder when it is NULL, else makes it ready again. */
enum error_code http1_decoder_start(struct http1_decoder **decoder, enum http1_encoding encoding, struct error *error);
/* Decodes from the front of *input into `room`; *ret_size is what came out. Call until *input is empty and less than
 * the room came out. */
enum error_code http1_decoder_run(struct http1_decoder *decoder, struct slice *input, char *room, size_t room_size,
                                  size_t *ret_size, struct error *error);
/* Whether the input ended where its format ends. */
bool http1_decoder_is_complete(const struct http1_decoder *decoder);
void http1_decoder_free(struct http1_decoder *decoder);

/* http1_parse.c */
extern const http_parser_settings http1_parser_settings;
/* Answers the request being read (begins one when there is none) with an error; nothing more is read afterwards unless
 * the error may be followed by the next request (`skip_body`). */
void http1_refuse(struct http1_connection *connection, const struct error *error, int status, bool skip_body);

/* http1_respond.c */
extern const struct request_transport http1_transport;
/* Writes an answer into `out`: the status line, all headers, and with `with_body` the body. Any thread. */
void http1_answer_write(struct http1_exchange *exchange, const struct response *response, bool with_body,
                        struct buffer *out);
/* The head of a streamed answer. Any thread. */
void http1_stream_head_write(struct http1_exchange *exchange, int status, const char *content_type,
                             struct slice extra_headers, struct buffer *out);

/* http1_stream.c: answers made on other threads. */
void http1_respond_from_thread(struct request *request, const struct response *response);
void http1_stream_begin(struct request *request, int status, const char *content_type, struct slice extra_headers);
enum error_code http1_stream_write(struct request *request, struct slice bytes);
void http1_stream_end(struct request *request, bool failed);
/* Moves queued bytes to the socket, on the loop's thread; true when the writer has ended the answer. */
bool http1_stream_pump(struct http1_exchange *exchange);
/* The client left: the writer gets ERROR_CANCELLED. True when no writer and no task will touch the exchange again. */
bool http1_stream_cancel(struct http1_exchange *exchange);
/* The task by which a thread tells the loop of news. */
void http1_stream_run(struct os_task *task);

/* http1.c */
/* Sends the answers whose turn it is, goes on reading or closes. */
void http1_connection_advance(struct http1_connection *connection);
/* Gives what is gathered in `output` to the stream. */
void http1_connection_flush(struct http1_connection *connection);
/* Adds an exchange for the next request, as `reading`; NULL (and the connection is cut) when out of memory. */
struct http1_exchange *http1_connection_begin_exchange(struct http1_connection *connection);

#endif
