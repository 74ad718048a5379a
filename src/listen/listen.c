/* SPDX-License-Identifier: Apache-2.0 */
/* The listener: takes connections, counts them, and closes them all at the end. */
#include "listen/listen_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/log.h"
#include "os/socket.h"

/* Connections taken per turn, so that a flood of them does not starve those that exist. */
#define ACCEPT_BATCH 64
/* How long to wait when the process has no descriptor or memory left for another connection. */
#define ACCEPT_RETRY_MS 100

static enum error_code take(struct listen_listener *listener, int fd, const char *peer, struct error *error)
{
    if (listener->count >= listener->settings.connection_limit) {
        close(fd);
        return error_set(error, ERROR_UNAVAILABLE, "too many connections");
    }
    return listen_stream_create(listener, fd, peer, error);
}

static void connections_wait(struct os_watch *watch, uint32_t events)
{
    struct listen_listener *listener =
        (struct listen_listener *)((char *)watch - offsetof(struct listen_listener, watch));
    for (int i = 0; i < ACCEPT_BATCH && listener->listening; i++) {
        char peer[OS_SOCKET_ADDRESS_SIZE];
        int fd = os_socket_accept(listener->watch.fd, peer);
        if (fd >= 0) {
            take(listener, fd, peer, NULL); /* a refused client sees the connection close: nobody else is to be told */
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            /* The waiting connection would wake the loop again and again. */
            listener->watch.events = 0;
            os_loop_watch_update(listener->loop, &listener->watch);
            os_loop_timer_start(listener->loop, &listener->retry, ACCEPT_RETRY_MS);
        }
        return;
    }
}

static void accept_again(struct os_timer *timer)
{
    struct listen_listener *listener =
        (struct listen_listener *)((char *)timer - offsetof(struct listen_listener, retry));
    listener->watch.events = OS_LOOP_READ;
    os_loop_watch_update(listener->loop, &listener->watch);
}

static enum error_code open_socket(struct listen_listener *listener, struct error *error)
{
    const struct listen_settings *settings = &listener->settings;
    if (settings->unix_path) {
        listener->unix_path = strdup(settings->unix_path);
        if (!listener->unix_path)
            return error_set(error, ERROR_MEMORY, "no memory to listen on %s", settings->unix_path);
    }
    enum error_code code =
        settings->unix_path
            ? os_socket_listen_unix(settings->unix_path, &listener->watch.fd, error)
            : os_socket_listen_tcp(settings->host, settings->port, &listener->watch.fd, &listener->port, error);
    if (code) return code;
    listener->listening = true;
    return os_loop_watch(listener->loop, &listener->watch, error);
}

enum error_code listen_listener_create(struct os_loop *loop, const struct listen_settings *settings,
                                       struct listen_listener **ret_listener, struct error *error)
{
    struct listen_listener *listener = calloc(1, sizeof *listener);
    if (!listener) return error_set(error, ERROR_MEMORY, "no memory for a listener");
    listener->loop = loop;
    listener->settings = *settings;
    listener->watch = (struct os_watch){.fd = -1, .events = OS_LOOP_READ, .ready = connections_wait};
    listener->retry.fire = accept_again;
    enum error_code code = settings->host || settings->unix_path ? open_socket(listener, error) : ERROR_NONE;
    if (code) {
        listen_listener_destroy(listener);
        return code;
    }
    *ret_listener = listener;
    return ERROR_NONE;
}

uint16_t listen_listener_port(const struct listen_listener *listener)
{
    return listener->port;
}

size_t listen_listener_connections(const struct listen_listener *listener)
{
    return listener->count;
}

enum error_code listen_listener_adopt(struct listen_listener *listener, int fd, struct error *error)
{
    return take(listener, fd, "", error);
}

void listen_listener_stop(struct listen_listener *listener)
{
    if (!listener->listening) return;
    listener->listening = false;
    os_loop_timer_stop(listener->loop, &listener->retry);
    os_loop_unwatch(listener->loop, &listener->watch);
    /* Before the descriptor is closed: until then nobody else can have taken the path over. */
    if (listener->unix_path) unlink(listener->unix_path);
    close(listener->watch.fd);
    listen_streams_stopping(listener);
}

void listen_listener_destroy(struct listen_listener *listener)
{
    if (!listener) return;
    listen_listener_stop(listener);
    while (listener->streams) listen_stream_destroy(listener->streams);
    free(listener->unix_path);
    free(listener);
}
