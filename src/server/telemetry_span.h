/* SPDX-License-Identifier: Apache-2.0 */
/* A span per request: which requests get one, and when it ends. */
#ifndef SERVER_TELEMETRY_SPAN_H
#define SERVER_TELEMETRY_SPAN_H

#include "proto/request.h"
#include "server/telemetry_otlp.h"

/* The header that requests of our own carry. */
#define TELEMETRY_OWN_HEADER "millrace-own-telemetry"
enum { TELEMETRY_SECRET_SIZE = 32 }; /* hexadecimal digits */

struct telemetry_spans {
    int64_t percent;
    char secret[TELEMETRY_SECRET_SIZE + 1];
    /* Takes over a span that has ended (malloc). Any thread. */
    void (*ended)(void *context, struct telemetry_span *span);
    void *context;
};
/* Begins a span when the request gets one; `route` is lasting, NULL: none was found. Of struct api_watch. */
void telemetry_spans_begin(struct telemetry_spans *spans, struct request *request, const char *route);
/* The value of a header traceparent: false when it is none. `ids` gets the trace's 16 bytes and the parent's 8. */
bool telemetry_traceparent_parse(struct slice text, char ids[24], bool *ret_sampled);

#endif
