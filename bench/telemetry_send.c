/* SPDX-License-Identifier: Apache-2.0 */
/* A thread per lane that posts and waits for the answer, body after body. */
#include "telemetry_send.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "os/clock.h"

#define SEND_WAIT_SECONDS 60

struct lane {
    const struct telemetry_target *target;
    const struct telemetry *telemetry;
    unsigned number;
    uint64_t requests;
    enum error_code code;
    struct error error;
};

bool telemetry_write_all(int fd, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return false;
        at += sent;
        size -= (size_t)sent;
    }
    return true;
}

static int send_connect(const struct telemetry_target *target, struct error *error)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found = NULL;
    int failed = getaddrinfo(target->host, target->port, &hints, &found), one = 1;
    if (failed) {
        error_set(error, ERROR_IO, "%s: %s", target->host, gai_strerror(failed));
        return -1;
    }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval wait = {.tv_sec = SEND_WAIT_SECONDS};
    if (fd >= 0 && (connect(fd, found->ai_addr, found->ai_addrlen) != 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0 ||
                    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) != 0)) {
        close(fd);
        fd = -1;
    }
    if (fd < 0) error_set_errno(error, errno, "cannot connect to %s:%s", target->host, target->port);
    freeaddrinfo(found);
    return fd;
}

/* Reads one answer with a Content-Length, or without a body (204). */
static enum error_code http_answer(int fd, struct error *error)
{
    char answer[8192];
    size_t size = 0;
    for (;;) {
        ssize_t got = recv(fd, answer + size, sizeof answer - 1 - size, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return error_set(error, ERROR_IO, "the server closed a connection or was silent for a minute");
        size += (size_t)got;
        answer[size] = 0;
        char *end = memmem(answer, size, "\r\n\r\n", 4);
        if (!end) continue;
        const char *length = strcasestr(answer, "\r\ncontent-length:");
        size_t body = length && length < end ? strtoul(length + 17, NULL, 10) : 0, header = (size_t)(end - answer) + 4;
        if (size < header + body) continue;
        /* OTLP answers an empty message when all of it was taken; remote write answers 204 or an empty 200. */
        if (strncmp(answer, "HTTP/1.1 20", 11) == 0 && body == 0) return ERROR_NONE;
        return error_set(error, ERROR_IO, "answered %.12s: %.300s", answer, answer + header);
    }
}

static enum error_code send_http(struct lane *lane, int fd, struct error *error)
{
    const struct telemetry_target *target = lane->target;
    char header[1024];
    for (size_t i = 0; i < lane->telemetry->count; i++) {
        const struct telemetry_body *body = &lane->telemetry->bodies[i];
        if (body->lane != lane->number) continue;
        int size = snprintf(header, sizeof header, "POST %s HTTP/1.1\r\nHost: %s:%s\r\nContent-Type: application/x-protobuf\r\n%s%s%s%sContent-Length: %zu\r\n\r\n",
                            target->path, target->host, target->port, target->headers, target->key[0] ? "Authorization: Bearer " : "", target->key,
                            target->key[0] ? "\r\n" : "", body->size);
        if (size < 0 || (size_t)size >= sizeof header) return error_set(error, ERROR_INVALID, "key, path and host are too long together");
        if (!telemetry_write_all(fd, header, (size_t)size) || !telemetry_write_all(fd, lane->telemetry->bytes.data + body->at, body->size))
            return error_set_errno(error, errno, "sending");
        enum error_code code = http_answer(fd, error);
        if (code) return code;
        lane->requests++;
    }
    return ERROR_NONE;
}

static void *lane_run(void *argument)
{
    struct lane *lane = argument;
    int fd = send_connect(lane->target, &lane->error);
    if (fd < 0) lane->code = ERROR_IO;
    else if (lane->target->is_grpc) lane->code = telemetry_send_grpc(lane->target, lane->telemetry, lane->number, fd, &lane->requests, &lane->error);
    else lane->code = send_http(lane, fd, &lane->error);
    if (fd >= 0) close(fd);
    return NULL;
}

enum error_code telemetry_send(const struct telemetry_target *target, const struct telemetry *telemetry, struct telemetry_sent *ret_sent,
                               struct error *error)
{
    struct lane lanes[TELEMETRY_LANES];
    pthread_t threads[TELEMETRY_LANES];
    int64_t started = os_clock_monotonic_us();
    enum error_code code = ERROR_NONE;
    *ret_sent = (struct telemetry_sent){.bytes = telemetry->bytes.size};
    for (unsigned i = 0; i < TELEMETRY_LANES; i++) {
        lanes[i] = (struct lane){.target = target, .telemetry = telemetry, .number = i};
        if (pthread_create(&threads[i], NULL, lane_run, &lanes[i]) != 0) return error_set(error, ERROR_MEMORY, "no thread");
    }
    for (unsigned i = 0; i < TELEMETRY_LANES; i++) {
        pthread_join(threads[i], NULL);
        ret_sent->requests += lanes[i].requests;
        if (lanes[i].code && !code) {
            code = lanes[i].code;
            *error = lanes[i].error;
        }
    }
    ret_sent->wall_us = os_clock_monotonic_us() - started;
    return code;
}
