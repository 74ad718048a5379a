/* SPDX-License-Identifier: Apache-2.0 */
/* Takes connections on a port or Unix socket and gives their byte streams to a protocol, with limits and timeouts. */
#ifndef LISTEN_LISTEN_H
#define LISTEN_LISTEN_H

#include "base/error.h"
#include "base/metric.h"
#include "base/slice.h"
#include "listen/tls.h"
#include "os/loop.h"

/*
 * Model: a listener belongs to one loop (one per core on the same port through SO_REUSEPORT). A stream is one connection;
 * it belongs to the loop's thread. The protocol is a table of callbacks; it never sees the socket. TLS is a layer inside
 * this folder (tls.h) that protocols do not notice: `opened` comes after the handshake. Output is queued without bound by the stream, so a protocol that
 * streams asks listen_stream_pending() and waits for `drained`.
 */
struct listen_stream;

struct listen_protocol {
    /* A new connection: returns the protocol's own state for it, or NULL to refuse it. */
    void *(*opened)(void *context, struct listen_stream *stream);
    /* Bytes arrived. All of them are taken (the protocol keeps what it needs). Not called while reading is paused. */
    void (*received)(void *state, struct slice bytes);
    /* Everything written so far has left, after some of it had to wait. May be NULL. */
    void (*drained)(void *state);
    /*
     * The peer has closed its side: it is gone, or it waits for answers and will send no more. With `all_received` every
     * byte it sent has been given to `received`; without, reading is paused and more may come once it is resumed (then
     * this is called again). Called at most once with each value. The stream stays open until the protocol closes it or
     * writing fails. NULL: closes the stream once all is received.
     */
    void (*peer_closed)(void *state, bool all_received);
    /* The deadline set with listen_stream_set_deadline has passed. */
    void (*timed_out)(void *state);
    /* The listener takes no new connections: the server is about to end, so answer what was begun, then close. May be NULL. */
    void (*stopping)(void *state);
    /* The connection is gone (peer, error or our close); last call for this state, which must be freed now. */
    void (*closed)(void *state);
};

struct listen_settings {
    const char *host;          /* NULL when unix_path is set; both NULL: only what listen_listener_adopt gives */
    uint16_t port;             /* 0 picks a free one */
    const char *unix_path;
    size_t connection_limit;   /* per listener; more are closed at once: memory per connection must have a ceiling */
    const struct listen_protocol *protocol;
    void *protocol_context;
    struct listen_tls *tls;    /* NULL: plain. Must outlive the listener */
};

struct listen_listener;
enum error_code listen_listener_create(struct os_loop *loop, const struct listen_settings *settings,
                                       struct listen_listener **ret_listener, struct error *error);
uint16_t listen_listener_port(const struct listen_listener *listener);
size_t listen_listener_connections(const struct listen_listener *listener);
/* Takes an already connected socket (inherited, or one end of a socketpair in a test) as if it had been accepted; the
 * descriptor is the listener's from here on, also when it is refused: then the result is an error. */
enum error_code listen_listener_adopt(struct listen_listener *listener, int fd, struct error *error);
/* Stops taking new connections; those that exist go on (their protocols get `stopping`). */
void listen_listener_stop(struct listen_listener *listener);
/* Closes everything (each stream gets `closed`) and frees; NULL is allowed. On the loop's thread but not inside a callback
 * of one of its streams, or after the loop has ended. */
void listen_listener_destroy(struct listen_listener *listener);

/* Queues bytes and writes as much as the socket takes. The bytes are copied only when they do not leave at once. Bytes
 * written to a stream that is closing or gone are dropped: `closed` follows. */
void listen_stream_write(struct listen_stream *stream, struct slice bytes);
size_t listen_stream_pending(const struct listen_stream *stream);
/* Bytes the socket has taken since the connection began, encrypted ones with TLS: tells a slow reader from one that has stopped. */
uint64_t listen_stream_sent(const struct listen_stream *stream);
void listen_stream_pause(struct listen_stream *stream);
void listen_stream_resume(struct listen_stream *stream);
/* Closes once all output has left (or none of it for 5 s); no more callbacks but `closed`. What the peer still sends is
 * read and thrown away for up to 5 s, so that it can read our last answer instead of seeing a reset. */
void listen_stream_close(struct listen_stream *stream);
/* Closes now. `closed` is called from the loop, not inside this call. */
void listen_stream_abort(struct listen_stream *stream);
/* One timer per stream; a new value replaces the old, 0 turns it off. */
void listen_stream_set_deadline(struct listen_stream *stream, int64_t milliseconds);
/* From here on `protocol` gets the callbacks of this stream, with `state`: for a protocol that finds out by the first bytes
 * which one is spoken. Inside `received`; the state before is the caller's to free. */
void listen_stream_hand_to(struct listen_stream *stream, const struct listen_protocol *protocol, void *state);
const char *listen_stream_peer(const struct listen_stream *stream);
struct os_loop *listen_stream_loop(const struct listen_stream *stream);

#endif
