/* SPDX-License-Identifier: Apache-2.0 */
/* A bare epoll server: knows the end of a header and Content-Length, and nothing else of HTTP. */
#include "echo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/slice.h"

#define ECHO_BUFFER_BYTES 65536u /* a request larger than this is cut off: single events are meant */
#define ECHO_EVENTS 64
#define ECHO_THREADS_LIMIT 64u

static const char echo_answer[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{\"accepted\":1}";

struct echo_connection {
    int fd;
    size_t used;
    char data[ECHO_BUFFER_BYTES];
};

/* Size of the whole request at the start of `text`, 0 while its header is incomplete. */
static size_t echo_request_size(struct slice text)
{
    static const char name[] = "\r\ncontent-length:";
    const char *end = memmem(text.data, text.size, "\r\n\r\n", 4);
    if (!end) return 0;
    size_t header = (size_t)(end - text.data) + 4, body = 0;
    for (const char *at = text.data; (at = memchr(at, '\r', (size_t)(end - at))) && at < end; at++) {
        if ((size_t)(end - at) <= sizeof name || strncasecmp(at, name, sizeof name - 1) != 0) continue;
        body = strtoul(at + sizeof name - 1, NULL, 10); /* ends at the line's end, which is there */
        break;
    }
    return header + body;
}

static bool echo_read(struct echo_connection *connection)
{
    ssize_t got = recv(connection->fd, connection->data + connection->used, sizeof connection->data - connection->used, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (got <= 0) return false;
    connection->used += (size_t)got;
    size_t done = 0, size;
    while ((size = echo_request_size(slice_make(connection->data + done, connection->used - done))) > 0 &&
           size <= connection->used - done) {
        ssize_t sent = send(connection->fd, echo_answer, sizeof echo_answer - 1, MSG_NOSIGNAL);
        if (sent != (ssize_t)sizeof echo_answer - 1) return false;
        done += size;
    }
    connection->used -= done;
    if (done > 0) memmove(connection->data, connection->data + done, connection->used);
    return connection->used < sizeof connection->data;
}

static void echo_accept(int epoll, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    struct echo_connection *connection = malloc(sizeof *connection);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (connection) {
        connection->fd = fd;
        connection->used = 0;
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0) return;
    }
    free(connection);
    close(fd);
}

static void *echo_run(void *context)
{
    int listener = *(int *)context, epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[ECHO_EVENTS];
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) != 0) return NULL;
    for (;;) {
        int count = epoll_wait(epoll, events, ECHO_EVENTS, -1);
        for (int i = 0; i < count; i++) {
            struct echo_connection *connection = events[i].data.ptr;
            if (!connection) {
                echo_accept(epoll, listener);
            } else if (!echo_read(connection)) {
                close(connection->fd);
                free(connection);
            }
        }
    }
}

/* *port is the wish, then what it became. */
static enum error_code echo_listen(unsigned *port, int *ret_fd, struct error *error)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)*port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) != 0 ||
        bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 1024) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        error_set_errno(error, errno, "cannot listen on port %u", *port);
        if (fd >= 0) close(fd);
        return error->code;
    }
    *port = ntohs(address.sin_port);
    *ret_fd = fd;
    return ERROR_NONE;
}

enum error_code echo_serve(unsigned port, unsigned threads, struct error *error)
{
    static int listeners[ECHO_THREADS_LIMIT];
    static pthread_t running[ECHO_THREADS_LIMIT];
    if (threads < 1 || threads > ECHO_THREADS_LIMIT)
        return error_set(error, ERROR_INVALID, "1 to %u threads", ECHO_THREADS_LIMIT);
    for (unsigned i = 0; i < threads; i++) {
        enum error_code code = echo_listen(&port, &listeners[i], error);
        if (code != ERROR_NONE) return code;
    }
    for (unsigned i = 0; i < threads; i++) {
        int failed = pthread_create(&running[i], NULL, echo_run, &listeners[i]);
        if (failed) return error_set_errno(error, failed, "cannot start a thread");
    }
    printf("ready http://127.0.0.1:%u\n", port);
    fflush(stdout);
    for (unsigned i = 0; i < threads; i++) pthread_join(running[i], NULL);
    return error_set(error, ERROR_IO, "epoll failed");
}
