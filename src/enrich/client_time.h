/* SPDX-License-Identifier: Apache-2.0 */
/* How far a client's clock is believed. */
#ifndef ENRICH_CLIENT_TIME_H
#define ENRICH_CLIENT_TIME_H

#include "base/slice.h"

#define CLIENT_TIME_EARLIEST_MS 946684800000         /* 2000-01-01: earlier means seconds taken for milliseconds */
#define CLIENT_TIME_FUTURE_LIMIT_MS (60 * 60 * 1000) /* a clock an hour ahead is a wrong time zone: refuse */
#define CLIENT_TIME_SKEW_LIMIT_MS (60 * 1000)        /* a clock a minute ahead is ordinary */
#define CLIENT_TIME_PAST_MS (15 * 60 * 1000)         /* older events are replays: they open no session */

/* NULL when the time may be stored, else the reason why not: "from the future", "before 2000-01-01". */
const char *client_time_refusal(int64_t time_ms, int64_t now_ms);
/* The client's time, or now when the client is more than the ordinary skew ahead. */
int64_t client_time_clamp(int64_t time_ms, int64_t now_ms);
bool client_time_is_past(int64_t time_ms, int64_t now_ms);
/* ISO 8601, or Unix milliseconds in digits. */
bool client_time_parse(struct slice text, int64_t *time_ms);

#endif
