/* SPDX-License-Identifier: Apache-2.0 */
/* What HTTP/1.1 and HTTP/2 share: the exchange (one request and its answer), bodies, the head of an answer. */
#ifndef PROTO_HTTP_PRIV_H
#define PROTO_HTTP_PRIV_H

#include <pthread.h>
#include "base/buffer.h"
#include "os/socket.h"
#include "proto/http.h"

/* More header lines than this are 431: nobody sends them but to make us work. */
#define HTTP_HEADER_LIMIT 100
/* What a handler may allocate for one request, beside the body: as much as a large body decoded may need. */
#define HTTP_ARENA_LIMIT_BYTES (256u << 20)
/* The unread body of a refused request is skipped up to this size; a longer one costs more than a new connection. */
#define HTTP_SKIP_LIMIT_BYTES 65536
/* Bytes readable behind every body. */
#define HTTP_BODY_PADDING 64
/* A streamed answer blocks its writer while more than this waits for the client. */
#define HTTP_STREAM_QUEUE_BYTES (1u << 20)
/* The loop takes more from the queue only while less than this waits in the socket's own queue. */
#define HTTP_SOCKET_QUEUE_BYTES (256u << 10)
/* Buffers of an exchange that grew larger are given back when it ends. */
#define HTTP_KEPT_BUFFER_BYTES 65536

struct http1_connection;
struct http2_connection;
struct http_decoder;

/* Where the bytes of a body go: through the decoder of its encoding, then into memory or a memory file. */
struct http_body {
    size_t limit_bytes;         /* after decompression */
    size_t ratio_limit;
    size_t wire_bytes;          /* as received */
    size_t decoded_bytes;
    struct http_decoder *decoder; /* kept for the next request; NULL until one was needed */
    bool decoding;
    bool is_snappy;             /* kept as it arrives: the block format is undone as a whole, at the end */
    struct buffer memory;
    int fd;                     /* the memory file, or -1 */
    void *mapping;
    size_t mapping_size;
};

/* A name and a value inside `head`, which may still move while it grows. */
struct http_field {
    uint32_t name_offset, name_size;
    uint32_t value_offset, value_size;
};

/* What a worker thread and the loop share of a streamed answer (or one made on a thread). */
struct http_stream {
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

/* What only HTTP/2 knows of an exchange; zeroed after each. Here because the exchanges of both come from one pool. */
struct http2_part {
    struct http2_connection *connection;
    struct http_exchange *previous;     /* in the connection's list, oldest first (`next` is the other way) */
    int32_t id;
    bool reading;                       /* the request is still arriving */
    bool refused;                       /* answered before it was complete: what still arrives goes nowhere */
    bool lingers;                       /* its answer has been sent, and the client is given time to see that */
    bool too_large;                     /* the header is over a limit; what follows of it is only counted */
    bool is_connect;
    bool has_authority;
    uint32_t path_offset, path_size;    /* in `head` */
    size_t header_bytes;                /* as RFC 9113 counts them: 32 more for each field */
    size_t held_bytes;                  /* of the body, as counted in the connection */
    size_t unconsumed_bytes;            /* arrived, but the client has not been given room for as many yet */
    int64_t progress_ms;                /* when the last byte of header or body arrived, or of the answer left */
    int64_t deadline_ms;                /* grpc-timeout: the answer is worthless after this; 0 is none */
    bool is_grpc;
    int grpc_code;                      /* of the protocol's own refusal, where its HTTP status says too little; or 0 */
    uint8_t frame_head[5];              /* of a gRPC message: flag and length */
    size_t frame_head_size;
    size_t frame_left;                  /* bytes of the message that have not arrived */
    int status;                         /* of the answer */
    bool has_body;                      /* of the answer */
    bool submitted;                     /* the head of the answer is on its way */
    bool deferred;                      /* the answer waits for its writer, not for the client */
    size_t sent;                        /* bytes of `answer` that have left */
    struct buffer lines;                /* "Name: value\r\n" of the answer's head */
    struct buffer trailers;             /* likewise, behind the answer's body */
};

/*
 * One request and its answer. Owned by its connection until the handler is called; from then on also by the handler,
 * until it answers: the connection turns NULL when it (or the stream of HTTP/2) goes first. Only the loop's thread
 * takes and gives back.
 */
struct http_exchange {
    struct request request;             /* request.exchange points back here */
    char peer[OS_SOCKET_ADDRESS_SIZE];  /* request.peer: an exchange outlives its connection */
    struct http_exchange *next;         /* the next request on the same connection, or in the pool */
    bool header_complete;
    bool handed_over;                   /* the handler has it: it must answer before the exchange is given back */
    bool answered;                      /* the whole answer is in `answer`, or has left */
    bool streaming;                     /* the loop has learnt that the answer is a streamed one */
    bool expects_continue;
    bool has_origin;
    bool cross_origin;                  /* what the setting said, for writers on other threads */
    struct slice common_headers;        /* the setting, likewise */
    size_t target_size;                 /* bytes at the front of `head` */
    struct buffer head;                 /* target, names and values as they arrive */
    size_t field_count;
    struct http_field fields[HTTP_HEADER_LIMIT];
    struct request_header headers[HTTP_HEADER_LIMIT];
    struct http_body body;
    struct buffer answer;               /* complete answers wait here for the answers before them */
    struct http_stream stream;
    /* Of HTTP/1.1 alone. */
    struct http1_connection *connection;
    bool last;                          /* the connection closes after this answer */
    bool is_http10;
    bool last_was_value;
    struct http2_part http2;
};

/* http_exchange.c: a pool per thread, so that a request costs no allocation. */
/* An exchange for a request on that stream, answered through `transport`; `run` is what news of a thread calls. */
struct http_exchange *http_exchange_take(const struct listen_stream *stream, const struct http_settings *settings,
                                         const struct request_transport *transport, void (*run)(struct os_task *task));
void http_exchange_give(struct http_exchange *exchange);
/* Makes request.headers of the fields. */
void http_exchange_collect_headers(struct http_exchange *exchange);
/* Whether the cross-origin setting answers this in the handler's place. */
bool http_exchange_is_preflight(const struct http_exchange *exchange);

/* http_body.c */
/* Prepares for a body of that Content-Encoding; ERROR_UNSUPPORTED_MEDIA when it is not known. */
enum error_code http_body_begin(struct http_body *body, struct slice encoding, bool in_memory_file,
                                 uint64_t announced_bytes, struct error *error);
enum error_code http_body_add(struct http_body *body, struct slice bytes, struct error *error);
/* Checks that the encoding is complete, pads, maps: fills request->body and body_fd. */
enum error_code http_body_end(struct http_body *body, struct request *request, struct error *error);
/* Ready for the next request; `http_body_free` also frees what is kept. */
void http_body_reset(struct http_body *body);
void http_body_free(struct http_body *body);

/* http_decode.c: gzip, deflate and zstd, in pieces. */
enum http_encoding { ENCODING_IDENTITY, ENCODING_GZIP, ENCODING_DEFLATE, ENCODING_ZSTD, ENCODING_UNKNOWN };
enum http_encoding http_encoding_from_name(struct slice name);
/* Creates *decoder when it is NULL, else makes it ready again. */
enum error_code http_decoder_start(struct http_decoder **decoder, enum http_encoding encoding, struct error *error);
/* Decodes from the front of *input into `room`; *ret_size is what came out. Call until *input is empty and less than
 * the room came out. */
enum error_code http_decoder_run(struct http_decoder *decoder, struct slice *input, char *room, size_t room_size,
                                  size_t *ret_size, struct error *error);
/* Whether the input ended where its format ends. */
bool http_decoder_is_complete(const struct http_decoder *decoder);
void http_decoder_free(struct http_decoder *decoder);

/* http_head.c */
/* Splits a target ("/path?query", or a whole URL) and decodes the path into the request; false when it is malformed. */
bool http_target_read(struct request *request, struct slice target);
/* The lines every answer has: Date, X-Request-Id, the common ones, CORS, Content-Type, the extra ones. Any thread. */
void http_head_write(const struct http_exchange *exchange, const char *content_type, struct slice extra_headers,
                     struct buffer *out);
/* Whether an answer of that status may have a body at all. */
bool http_status_has_body(int status);

/* http_stream.c: answers made on other threads. */
/* Wakes the loop. With the mutex held: once the loop gets it, this thread touches the exchange no more. */
void http_stream_tell_loop(struct http_exchange *exchange);
/* With the mutex held: waits until there is room in the queue; false when the client has left. */
bool http_stream_wait_for_room(struct http_stream *stream);
/* The client left: the writer gets ERROR_CANCELLED. True when no writer and no task will touch the exchange again. */
bool http_stream_cancel(struct http_exchange *exchange);

#endif
