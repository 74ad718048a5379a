/* SPDX-License-Identifier: Apache-2.0 */
/* The server and client that the tests of HTTP share. */
#include "proto/http_harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct harness harness;

static void handle(void *context, struct request *request)
{
    harness.handled_count++;
    harness.last_id = request->id;
    harness.padding_ok = true;
    for (size_t i = 0; i < 64; i++) harness.padding_ok &= request->body.data[request->body.size + i] == 0;
    struct stat status;
    harness.body_is_file = request->body_fd >= 0 && fstat(request->body_fd, &status) == 0 &&
                           (size_t)status.st_size == request->body.size;
    if (slice_starts_with(request->path, SLICE("/hold"))) {
        assert_true(harness.held_count < 256);
        harness.held[harness.held_count++] = request;
        return;
    }
    struct buffer body = {0};
    buffer_printf(&body, "%s %.*s?%.*s %zu:", request_method_name(request->method), SLICE_ARGS(request->path),
                  SLICE_ARGS(request->query), request->body.size);
    buffer_append_slice(&body, request->body);
    struct response response = {.status = 200, .content_type = "text/plain", .body = buffer_slice(&body)};
    request_respond(request, &response);
    buffer_free(&body);
}

static enum error_code admit(void *context, const struct request *request, size_t *body_limit_bytes,
                             struct error *error)
{
    harness.admit_calls++;
    if (harness.admit_limit_bytes) *body_limit_bytes = harness.admit_limit_bytes;
    if (slice_starts_with(request->path, SLICE("/echo")) || slice_starts_with(request->path, SLICE("/hold"))) return 0;
    if (slice_equal(request->path, SLICE("/busy"))) return error_set(error, ERROR_RATE_LIMITED, "slow down");
    return error_set(error, ERROR_NOT_FOUND, "no such route");
}

int harness_start(void **state)
{
    memset(&harness, 0, sizeof harness);
    harness.client = -1;
    harness.settings = http_settings_default();
    harness.settings.handler = handle;
    harness.settings.admit = admit;
    harness.loop = os_loop_create(NULL);
    struct listen_settings settings = {.host = "127.0.0.1", .connection_limit = 100, .protocol = &http_protocol,
                                       .protocol_context = &harness.settings};
    return listen_listener_create(harness.loop, &settings, &harness.listener, NULL) ? -1 : 0;
}

int harness_stop(void **state)
{
    if (harness.client >= 0) close(harness.client);
    listen_listener_destroy(harness.listener);
    os_loop_turn(harness.loop, 0);
    os_loop_destroy(harness.loop);
    buffer_free(&harness.received);
    return 0;
}

void harness_connect(void)
{
    if (harness.client >= 0) close(harness.client);
    buffer_clear(&harness.received);
    harness.client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(listen_listener_port(harness.listener)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(harness.client, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(fcntl(harness.client, F_SETFL, O_NONBLOCK), 0);
}

void harness_send(struct slice bytes)
{
    int64_t deadline_ms = os_clock_monotonic_ms() + 10000;
    while (bytes.size > 0) {
        ssize_t sent = send(harness.client, bytes.data, bytes.size, MSG_NOSIGNAL);
        if (sent > 0) {
            bytes = slice_from(bytes, (size_t)sent);
        } else if (errno == EAGAIN) {
            assert_true(os_clock_monotonic_ms() < deadline_ms);
            os_loop_turn(harness.loop, 10);
        } else {
            return; /* the server has had enough */
        }
    }
}

bool harness_read(void)
{
    for (;;) {
        char *room = buffer_reserve(&harness.received, 65536);
        ssize_t got = recv(harness.client, room, 65536, 0);
        if (got <= 0) return got == 0 || errno != EAGAIN;
        harness.received.size += (size_t)got;
    }
}

size_t harness_count(const char *text)
{
    size_t count = 0;
    struct slice rest = buffer_slice(&harness.received), needle = slice_from_string(text);
    for (ptrdiff_t at; (at = slice_find(rest, needle)) >= 0; count++) rest = slice_from(rest, (size_t)at + needle.size);
    return count;
}

bool harness_has(const char *text)
{
    return harness_count(text) > 0;
}

void harness_answer(struct request *request, int status, const char *body)
{
    struct response response = {.status = status, .content_type = "text/plain", .body = slice_from_string(body)};
    request_respond(request, &response);
}
