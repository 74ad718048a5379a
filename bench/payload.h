/* SPDX-License-Identifier: Apache-2.0 */
/* The events a run sends: generated once, before anything is measured, so that the driver's own work stays small. */
#ifndef BENCH_PAYLOAD_H
#define BENCH_PAYLOAD_H

#include "base/buffer.h"
#include "base/error.h"

/* More events than this are sent again from the start: 700 bytes each, so at most about 300 MB. */
#define PAYLOAD_EVENTS_LIMIT 400000u
/* Live traffic: what happened within the last day. */
#define PAYLOAD_DAYS 1u

/* Model: `json` holds the events as the inside of one JSON array, so any run of them with brackets around is a body. */
struct payload {
    struct buffer json;
    size_t *starts; /* count + 1 of them: where each event begins; the last one is where the one after the end would */
    size_t count;
};
struct payload_settings {
    uint64_t seed;
    uint64_t events;   /* as many as will be sent; the payload may hold fewer */
    size_t batch;      /* a payload that holds fewer holds whole batches */
    uint64_t visitors;
    int64_t now_ms;    /* no event is later */
    bool ids;
    bool is_raw, has_clients; /* generator.h */
};
/* Equal settings give equal bytes. */
enum error_code payload_make(const struct payload_settings *settings, struct payload *ret_payload,
                             struct error *error) MUST_CHECK;
void payload_free(struct payload *payload);
/* The text of events `first` to `first + count - 1` with commas between; they must lie within the payload. */
struct slice payload_slice(const struct payload *payload, size_t first, size_t count);

#endif
