/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many small requests one loop answers: a server thread that answers 200 to everything and a client thread that
 * keeps requests in flight on many connections. `http1_bench [connections [in flight on each [seconds]]]`; with
 * `http1_bench serve [port]` only the server, for other load generators (h2load: HTTP/2 is spoken as well).
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "os/clock.h"
#include "os/thread.h"
#include "proto/http.h"

static void handle(void *context, struct request *request)
{
    struct response response = {.status = 200, .content_type = "application/json", .body = SLICE("{\"ok\":true}")};
    request_respond(request, &response);
}

static struct os_loop *loop;
static double server_cpu_seconds;

static void serve(void *context)
{
    os_loop_run(loop);
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    server_cpu_seconds = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        perror("connect");
        exit(1);
    }
    return fd;
}

/* Sends `in_flight` requests on a connection whenever all answers before are there. Returns how many were answered. */
static uint64_t load(uint16_t port, int connections, int in_flight, int seconds)
{
    static const char head[] = "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n"
                               "Content-Type: application/json\r\nContent-Length: 200\r\n\r\n";
    struct buffer batch = {0};
    for (int i = 0; i < in_flight; i++) {
        buffer_append_string(&batch, head);
        for (int j = 0; j < 200; j++) buffer_append_byte(&batch, 'x');
    }
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int *due = calloc((size_t)connections, sizeof *due);
    int *fds = calloc((size_t)connections, sizeof *fds);
    if (!due || !fds || batch.failed) exit(1);
    for (int i = 0; i < connections; i++) {
        fds[i] = connect_to(port);
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event);
        due[i] = in_flight;
        if (send(fds[i], batch.data, batch.size, 0) != (ssize_t)batch.size) exit(1);
    }
    uint64_t answered = 0;
    char answer[65536];
    for (int64_t end_us = os_clock_monotonic_us() + (int64_t)seconds * 1000000; os_clock_monotonic_us() < end_us;) {
        struct epoll_event events[64];
        int count = epoll_wait(epoll, events, 64, 100);
        for (int i = 0; i < count; i++) {
            uint32_t index = events[i].data.u32;
            ssize_t got = recv(fds[index], answer, sizeof answer, 0);
            if (got <= 0) exit(1);
            /* Each answer ends with the only closing brace in it. */
            for (char *at = answer; (at = memchr(at, '}', (size_t)(answer + got - at))); at++) {
                answered++;
                due[index]--;
            }
            if (due[index] > 0) continue;
            due[index] = in_flight;
            if (send(fds[index], batch.data, batch.size, 0) != (ssize_t)batch.size) exit(1);
        }
    }
    for (int i = 0; i < connections; i++) close(fds[i]);
    close(epoll);
    free(fds);
    free(due);
    buffer_free(&batch);
    return answered;
}

int main(int argc, char **argv)
{
    bool only_serve = argc > 1 && strcmp(argv[1], "serve") == 0;
    struct http_settings settings = http_settings_default();
    settings.handler = handle;
    struct listen_settings listen_settings = {
        .host = "127.0.0.1",
        .port = only_serve && argc > 2 ? (uint16_t)strtoul(argv[2], NULL, 10) : 0,
        .connection_limit = 10000,
        .protocol = &http_protocol,
        .protocol_context = &settings,
    };
    struct listen_listener *listener;
    struct error error;
    loop = os_loop_create(&error);
    if (!loop || listen_listener_create(loop, &listen_settings, &listener, &error)) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    if (only_serve) {
        printf("listening on 127.0.0.1:%u\n", listen_listener_port(listener));
        fflush(stdout);
        os_loop_run(loop);
        return 0;
    }
    int connections = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 64;
    int in_flight = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 1;
    int seconds = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 3;
    struct os_thread thread;
    if (os_thread_start(&thread, "server", serve, NULL, &error)) return 1;
    uint64_t answered = load(listen_listener_port(listener), connections, in_flight, seconds);
    os_loop_stop(loop);
    os_thread_join(&thread);
    printf("%d connections, %d in flight on each: %.0f requests/s, %.2f us of the server's processor per request\n",
           connections, in_flight, (double)answered / seconds, server_cpu_seconds * 1e6 / (double)answered);
    listen_listener_destroy(listener);
    os_loop_destroy(loop);
    return 0;
}
