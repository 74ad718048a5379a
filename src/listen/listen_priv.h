/* SPDX-License-Identifier: Apache-2.0 */
/* What the listener and its streams know of each other. */
#ifndef LISTEN_LISTEN_PRIV_H
#define LISTEN_LISTEN_PRIV_H

#include "base/buffer.h"
#include "listen/listen.h"
#include "os/loop.h"
#include "os/socket.h"

/* One read takes this much at most; it lies in the listener because idle connections need none. */
#define LISTEN_READ_BYTES 65536

struct listen_listener {
    struct os_loop *loop;
    struct listen_settings settings;
    struct os_watch watch;
    struct os_timer retry;
    bool listening;
    uint16_t port;
    char *unix_path;
    struct listen_stream *streams; /* doubly linked */
    size_t count;
    char read_buffer[LISTEN_READ_BYTES];
};

/* Starts a stream on a connected descriptor, which is taken over also on failure. */
enum error_code listen_stream_create(struct listen_listener *listener, int fd, const char *peer, struct error *error);
/* Tells the protocols of all streams that the listener is stopping. */
void listen_streams_stopping(struct listen_listener *listener);
/* Closes the descriptor, tells the protocol and frees. */
void listen_stream_destroy(struct listen_stream *stream);

#endif
