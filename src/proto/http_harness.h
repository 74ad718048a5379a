/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: a server on a free port with a handler that echoes or holds, and a client that sends and reads bytes. */
#ifndef PROTO_HTTP_HARNESS_H
#define PROTO_HTTP_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/buffer.h"
#include "os/clock.h"
#include "proto/http.h"

/*
 * Routes: /echo answers "METHOD path?query body-size:" and the body; /hold keeps the request for the test to answer;
 * anything else is 404 from admit. Tests change `settings` after harness_start and before they connect.
 */
struct harness {
    struct http_settings settings;
    struct os_loop *loop;
    struct listen_listener *listener;
    struct request *held[256];
    size_t held_count;
    size_t handled_count;
    uint64_t last_id;
    bool padding_ok;
    bool body_is_file;
    size_t admit_limit_bytes; /* 0: admit leaves the limit alone */
    int admit_calls;
    int client;               /* the connection of harness_send and harness_read */
    struct buffer received;
};
extern struct harness harness;

int harness_start(void **state);
int harness_stop(void **state);
/* Connects `client`, or connects anew. */
void harness_connect(void);
void harness_send(struct slice bytes);
#define harness_send_text(text) harness_send(slice_from_string(text))
/* Reads what is there; true when the server has closed the connection (or reset it). */
bool harness_read(void);
/* How often `text` stands in what was received. */
size_t harness_count(const char *text);
bool harness_has(const char *text);
void harness_answer(struct request *request, int status, const char *body);

/* Turns the loop until the condition holds; the test fails when it does not within 10 s. */
#define WAIT_FOR(condition)                                                                                            \
    do {                                                                                                               \
        int64_t deadline_ms = os_clock_monotonic_ms() + 10000;                                                         \
        while (!(condition) && os_clock_monotonic_ms() < deadline_ms) os_loop_turn(harness.loop, 10);                  \
        if (!(condition)) print_error("received so far: %.*s\n", SLICE_ARGS(buffer_slice(&harness.received)));         \
        assert_true(condition);                                                                                        \
    } while (0)
/* Waits until the answer holds the text. */
#define WAIT_FOR_TEXT(text) WAIT_FOR((harness_read(), harness_has(text)))
#define WAIT_FOR_CLOSE() WAIT_FOR(harness_read())

#endif
