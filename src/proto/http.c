/* SPDX-License-Identifier: Apache-2.0 */
/* Finds out by its first bytes whether a client speaks HTTP/2 or HTTP/1.1, and hands the connection to that protocol. */
#include "proto/http.h"

#include <stdlib.h>
#include "proto/http1.h"
#include "proto/http2.h"

struct http_settings http_settings_default(void)
{
    return (struct http_settings){
        .header_limit_bytes = 32768,
        .target_limit_bytes = 16384,
        .body_limit_bytes = 16u << 20,
        .body_ratio_limit = 200,
        .header_timeout_ms = 10000,
        .body_timeout_ms = 30000,
        .idle_timeout_ms = 75000,
        .pipeline_limit = 64,
    };
}

/* The first two lines of the preface say enough: no method of HTTP/1.1 is called PRI. */
#define PREFACE "PRI * HTTP/2.0\r\n\r\n"
#define PREFACE_SIZE (sizeof PREFACE - 1)

/* A connection of which too few bytes are known. */
struct unknown {
    struct http_settings *settings;
    struct listen_stream *stream;
    char seen[PREFACE_SIZE];
    size_t seen_size;
};

static void *unknown_opened(void *context, struct listen_stream *stream)
{
    struct unknown *unknown = calloc(1, sizeof *unknown);
    if (!unknown) return NULL;
    unknown->settings = context;
    unknown->stream = stream;
    listen_stream_set_deadline(stream, unknown->settings->idle_timeout_ms);
    return unknown;
}

static void hand_over(struct unknown *unknown, const struct listen_protocol *protocol, struct slice bytes)
{
    struct listen_stream *stream = unknown->stream;
    void *state = protocol->opened(unknown->settings, stream);
    if (!state) {
        listen_stream_abort(stream);
        return;
    }
    listen_stream_hand_to(stream, protocol, state);
    char seen[PREFACE_SIZE];
    size_t seen_size = unknown->seen_size;
    memcpy(seen, unknown->seen, seen_size);
    free(unknown);
    if (seen_size > 0) protocol->received(state, slice_make(seen, seen_size));
    protocol->received(state, bytes);
}

static void unknown_received(void *state, struct slice bytes)
{
    struct unknown *unknown = state;
    size_t left = PREFACE_SIZE - unknown->seen_size, now = bytes.size < left ? bytes.size : left;
    if (memcmp(bytes.data, &PREFACE[unknown->seen_size], now) != 0) {
        hand_over(unknown, &http1_protocol, bytes);
    } else if (now == left) {
        hand_over(unknown, &http2_protocol, bytes);
    } else {
        memcpy(unknown->seen + unknown->seen_size, bytes.data, now);
        unknown->seen_size += now;
        listen_stream_set_deadline(unknown->stream, unknown->settings->header_timeout_ms);
    }
}

static void unknown_timed_out(void *state)
{
    listen_stream_close(((struct unknown *)state)->stream);
}

static void unknown_closed(void *state)
{
    free(state);
}

const struct listen_protocol http_protocol = {
    .opened = unknown_opened,
    .received = unknown_received,
    .timed_out = unknown_timed_out,
    .stopping = unknown_timed_out, /* nothing was begun */
    .closed = unknown_closed,
};
