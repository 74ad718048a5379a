/* SPDX-License-Identifier: Apache-2.0 */
/* The scripted server: accepts one connection after the other, reads whole requests, gives the next answer. */
#include "store/scripted_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"

static bool is_complete(const struct buffer *request)
{
    struct slice text = buffer_slice(request);
    ptrdiff_t end = slice_find(text, SLICE("\r\n\r\n"));
    if (end < 0) return false;
    ptrdiff_t at = slice_find(text, SLICE("Content-Length: "));
    uint64_t size = 0;
    if (at >= 0 && at < end) {
        struct slice rest = slice_from(text, (size_t)at + 16);
        ASSERT(slice_parse_uint64(slice_trim(slice_cut(&rest, '\n')), &size));
    }
    return text.size >= (size_t)end + 4 + size;
}

/* Waits for bytes, looking up now and then whether the test is over. 0 when the client closed or the test is. */
static ssize_t read_some(struct scripted_server *server, int fd, char *out, size_t size)
{
    for (;;) {
        struct pollfd poll_fd = {fd, POLLIN, 0};
        if (poll(&poll_fd, 1, 20) > 0) {
            ssize_t count = recv(fd, out, size, 0);
            return count > 0 ? count : 0;
        }
        if (atomic_load(&server->is_stopping)) return 0;
    }
}

static bool serve_one(struct scripted_server *server, int fd)
{
    size_t index = atomic_load(&server->request_count);
    ASSERT(index < sizeof server->requests / sizeof *server->requests);
    struct buffer *request = &server->requests[index];
    char chunk[4096];
    while (!is_complete(request)) {
        ssize_t count = read_some(server, fd, chunk, sizeof chunk);
        if (count == 0) {
            buffer_clear(request);
            return false;
        }
        buffer_append(request, chunk, (size_t)count);
    }
    atomic_fetch_add(&server->request_count, 1);
    if (index >= server->answer_count) return false;
    const struct scripted_answer *answer = &server->answers[index];
    size_t size = strlen(answer->bytes);
    ASSERT(send(fd, answer->bytes, size, MSG_NOSIGNAL) == (ssize_t)size);
    if (answer->holds) {
        while (read_some(server, fd, chunk, sizeof chunk) > 0) {
        }
        pthread_mutex_lock(&server->lock);
        server->was_hung_up = !atomic_load(&server->is_stopping);
        pthread_cond_signal(&server->changed);
        pthread_mutex_unlock(&server->lock);
        return false;
    }
    return !answer->closes;
}

static void *serve(void *context)
{
    struct scripted_server *server = context;
    while (!atomic_load(&server->is_stopping)) {
        struct pollfd poll_fd = {server->listen_fd, POLLIN, 0};
        if (poll(&poll_fd, 1, 20) <= 0) continue;
        int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) continue;
        atomic_fetch_add(&server->connection_count, 1);
        while (serve_one(server, fd)) {
        }
        close(fd);
    }
    return NULL;
}

static int listen_unix(struct scripted_server *server)
{
    memcpy(server->folder, "/tmp/millrace-store-XXXXXX", 27);
    ASSERT(mkdtemp(server->folder));
    snprintf(server->path, sizeof server->path, "%s/socket", server->folder);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", server->path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

static int listen_tcp(struct scripted_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    ASSERT(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    server->port = ntohs(address.sin_port);
    return fd;
}

void scripted_server_start(struct scripted_server *server, bool is_unix, const struct scripted_answer *answers,
                           size_t answer_count)
{
    memset(server, 0, sizeof *server);
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->changed, NULL);
    server->answers = answers;
    server->answer_count = answer_count;
    server->listen_fd = is_unix ? listen_unix(server) : listen_tcp(server);
    ASSERT(listen(server->listen_fd, 8) == 0);
    ASSERT(pthread_create(&server->thread, NULL, serve, server) == 0);
}

bool scripted_server_wait_hung_up(struct scripted_server *server)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 20;
    int result = 0;
    pthread_mutex_lock(&server->lock);
    while (!server->was_hung_up && result == 0) {
        result = pthread_cond_timedwait(&server->changed, &server->lock, &deadline);
    }
    bool was_hung_up = server->was_hung_up;
    pthread_mutex_unlock(&server->lock);
    return was_hung_up;
}

void scripted_server_stop(struct scripted_server *server)
{
    atomic_store(&server->is_stopping, true);
    pthread_join(server->thread, NULL);
    close(server->listen_fd);
    for (size_t i = 0; i < sizeof server->requests / sizeof *server->requests; i++) buffer_free(&server->requests[i]);
    if (server->path[0]) {
        unlink(server->path);
        rmdir(server->folder);
    }
}
