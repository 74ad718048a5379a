/* SPDX-License-Identifier: Apache-2.0 */
/* Takes connections on a port or Unix socket and gives their byte streams to a protocol, with limits and timeouts. */
#ifndef LISTEN_LISTEN_H
#define LISTEN_LISTEN_H

#include "base/error.h"
#include "base/metric.h"
#include "base/slice.h"
#include "os/loop.h"

/*
 * Model: a listener belongs to one loop (one per core on the same port through SO_REUSEPORT). A stream is one connection;
 * it belongs to the loop's thread. The protocol is a table of callbacks; it never sees the socket. TLS will be a layer
 * inside this folder: protocols will not notice. Output is queued without bound by the stream, so a protocol that
 * streams asks listen_stream_pending() and waits for `drained`.
 */
struct listen_stream;

struct listen_protocol {
    /* A new connection: returns the protocol's own state for it, or NULL to refuse it. */
    void *(*opened)(void *context, struct listen_stream *stream);
    /* Bytes arrived. All of them are taken (the protocol keeps what it needs). Not called while reading is paused. */
    void (*received)(void *state, struct slice bytes);
    /* Everything written so far has left. */
    void (*drained)(void *state);
    /* The deadline set with listen_stream_set_deadline has passed. */
    void (*timed_out)(void *state);
    /* The connection is gone (peer, error or our close); last call for this state, which must be freed now. */
    void (*closed)(void *state);
};

struct listen_settings {
    const char *host;          /* NULL when unix_path is set */
    uint16_t port;             /* 0 picks a free one */
    const char *unix_path;
    size_t connection_limit;   /* per listener; more are closed at once: memory per connection must have a ceiling */
    const struct listen_protocol *protocol;
    void *protocol_context;
};

struct listen_listener;
enum error_code listen_listener_create(struct os_loop *loop, const struct listen_settings *settings,
                                       struct listen_listener **ret_listener, struct error *error);
uint16_t listen_listener_port(const struct listen_listener *listener);
size_t listen_listener_connections(const struct listen_listener *listener);
/* Stops taking new connections; those that exist go on. */
void listen_listener_stop(struct listen_listener *listener);
/* Closes everything (each stream gets `closed`) and frees. On the loop's thread, or after the loop has ended. */
void listen_listener_destroy(struct listen_listener *listener);

/* Queues bytes and writes as much as the socket takes. The bytes are copied only when they do not leave at once. */
void listen_stream_write(struct listen_stream *stream, struct slice bytes);
size_t listen_stream_pending(const struct listen_stream *stream);
void listen_stream_pause(struct listen_stream *stream);
void listen_stream_resume(struct listen_stream *stream);
/* Closes once all output has left (or after 5 s); no more `received`. */
void listen_stream_close(struct listen_stream *stream);
/* Closes now. `closed` is called from the loop, not inside this call. */
void listen_stream_abort(struct listen_stream *stream);
/* One timer per stream; a new value replaces the old, 0 turns it off. */
void listen_stream_set_deadline(struct listen_stream *stream, int64_t milliseconds);
const char *listen_stream_peer(const struct listen_stream *stream);
struct os_loop *listen_stream_loop(const struct listen_stream *stream);

#endif
