/* SPDX-License-Identifier: Apache-2.0 */
/* A server thread for tests that says, request by request, exactly the bytes it was given, and remembers what it was
 * asked. */
#ifndef STORE_SCRIPTED_SERVER_H
#define STORE_SCRIPTED_SERVER_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/buffer.h"

struct scripted_answer {
    const char *bytes;
    bool closes;  /* the connection, after these bytes */
    bool holds;   /* says nothing more and waits until the client closes */
};
struct scripted_server {
    int listen_fd;
    int port;                 /* 0 for a Unix socket */
    char folder[64];
    char path[96];
    pthread_t thread;
    const struct scripted_answer *answers; /* one per request; behind the last the connection is closed */
    size_t answer_count;
    struct buffer requests[16]; /* header and body of each */
    atomic_size_t request_count;
    atomic_int connection_count;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool was_hung_up;         /* the client closed while the server held; under the lock */
    atomic_bool is_stopping;
};

void scripted_server_start(struct scripted_server *server, bool is_unix, const struct scripted_answer *answers,
                           size_t answer_count);
/* Waits up to 20 s for the client to close a held connection. */
bool scripted_server_wait_hung_up(struct scripted_server *server);
void scripted_server_stop(struct scripted_server *server);

#endif
