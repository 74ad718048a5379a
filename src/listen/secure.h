/* SPDX-License-Identifier: Apache-2.0 */
/* TLS of one connection: between a stream and its socket. */
#ifndef LISTEN_SECURE_H
#define LISTEN_SECURE_H

#include "listen/tls.h"

/*
 * Model: OpenSSL reads and writes through two functions of the stream, so that what it writes waits in the stream's output
 * like everything else, and what it does not read yet stays in the socket. Writing therefore never has to wait here, and
 * between two reads nothing is held that epoll does not know of: a record is read to its end in one call.
 */
struct listen_stream;
struct listen_secure;

/* The stream's side, in stream.c. Sends or queues; false when the connection is gone. */
bool listen_stream_raw_write(struct listen_stream *stream, struct slice bytes);
/* As recv(2). */
ssize_t listen_stream_raw_read(struct listen_stream *stream, void *into, size_t size);

/* In tls.c. NULL when there is no memory. */
struct ssl_st *listen_tls_begin(struct listen_tls *tls);
int64_t listen_tls_handshake_timeout_ms(const struct listen_tls *tls);

/* NULL when there is no memory. */
struct listen_secure *listen_secure_create(struct listen_tls *tls, struct listen_stream *stream);
void listen_secure_destroy(struct listen_secure *secure);
/* Whether the handshake has ended well. */
bool listen_secure_is_ready(const struct listen_secure *secure);

/* At least this much room must be given to a read: one record. */
#define LISTEN_SECURE_RECORD_BYTES 16384
enum listen_secure_result {
    LISTEN_SECURE_DATA,
    LISTEN_SECURE_WAIT,   /* for more from the socket */
    LISTEN_SECURE_END,    /* the peer has said that it sends no more */
    LISTEN_SECURE_BROKEN, /* not TLS, or against its rules; what is to be said to the peer is written */
    LISTEN_SECURE_GONE,   /* the socket ended or failed without a word: what came may not be the whole */
};
enum listen_secure_result listen_secure_read(struct listen_secure *secure, void *into, size_t size, size_t *ret_got);
/* False when the connection cannot go on. */
bool listen_secure_write(struct listen_secure *secure, struct slice bytes);
/* Says that we send no more. */
void listen_secure_close(struct listen_secure *secure);

#endif
