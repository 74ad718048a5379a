/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds frames to an HTTP/2 connection, in the pieces the first byte asks for; the handler touches all it is given. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "os/clock.h"
#include "proto/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned touched;

static void touch(struct slice bytes, size_t behind)
{
    for (size_t i = 0; i < bytes.size + behind; i++) touched += (unsigned char)bytes.data[i];
}

/* Answers some requests at once, keeps one for later, refuses others as handlers do. */
static struct request *kept;

static void handle(void *context, struct request *request)
{
    touch(request->path, 0);
    touch(request->query, 0);
    touch(request->body, 64);
    for (size_t i = 0; i < request->header_count; i++) {
        touch(request->headers[i].name, 0);
        touch(request->headers[i].value, 0);
    }
    struct request *now = request;
    if (slice_equal(request->path, SLICE("/keep"))) {
        now = kept;
        kept = request;
    }
    if (!now) return;
    struct response response = {.status = 200, .content_type = "text/plain", .body = now->path};
    struct error error;
    error_set(&error, ERROR_UNAVAILABLE, "full");
    if (slice_equal(now->path, SLICE("/full"))) request_respond_error(now, &error);
    else request_respond(now, &response);
}

static enum error_code admit(void *context, const struct request *request, size_t *body_limit_bytes,
                             struct error *error)
{
    if (slice_equal(request->path, SLICE("/refuse"))) return error_set(error, ERROR_FORBIDDEN, "refused");
    return ERROR_NONE;
}

static void read_all(int fd)
{
    char answer[65536];
    while (recv(fd, answer, sizeof answer, 0) > 0) {}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    static struct http_settings settings;
    static struct os_loop *loop;
    static struct listen_listener *listener;
    if (!loop) {
        settings = http_settings_default();
        settings.handler = handle;
        settings.admit = admit;
        settings.body_limit_bytes = 1 << 16;
        struct listen_settings listen_settings = {.connection_limit = 4, .protocol = &http_protocol,
                                                  .protocol_context = &settings};
        loop = os_loop_create(NULL);
        if (!loop || listen_listener_create(loop, &listen_settings, &listener, NULL)) abort();
    }
    if (size == 0) return 0;
    size_t piece = data[0] ? data[0] : size;
    settings.body_in_memory_file = data[0] % 2;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) abort();
    if (listen_listener_adopt(listener, ends[0], NULL)) abort();
    if (send(ends[1], preface, sizeof preface - 1, MSG_NOSIGNAL) != sizeof preface - 1) abort();
    for (size_t at = 1; at < size && listen_listener_connections(listener) > 0;) {
        size_t left = size - at < piece ? size - at : piece;
        ssize_t sent = send(ends[1], data + at, left, MSG_NOSIGNAL);
        if (sent > 0) at += (size_t)sent;
        os_loop_turn(loop, 0);
        read_all(ends[1]);
        if (sent <= 0 && sent != -1) break;
    }
    if (kept) { /* an answer that comes late, to a client that may have gone */
        struct response response = {.status = 204};
        request_respond(kept, &response);
        kept = NULL;
    }
    close(ends[1]);
    for (int64_t deadline_ms = os_clock_monotonic_ms() + 10000; listen_listener_connections(listener) > 0;) {
        if (os_clock_monotonic_ms() > deadline_ms) abort(); /* a connection that never ends is a finding as well */
        os_loop_turn(loop, 10);
    }
    return 0;
}
