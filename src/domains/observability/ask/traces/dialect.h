/* SPDX-License-Identifier: Apache-2.0 */
/* What the APIs of Jaeger and Tempo share: durations, attributes that are found again inside JSON. */
#ifndef DOMAINS_OBSERVABILITY_ASK_TRACES_DIALECT_H
#define DOMAINS_OBSERVABILITY_ASK_TRACES_DIALECT_H

#include "base/map.h"
#include "domains/observability/ask/traces/search.h"
#include "domains/observability/observability.h"

/* "1h30m", "1.5s", "100ms", "20us", "20µs", "5ns"; false for anything else, and for what is negative. */
bool traces_duration_parse(struct slice text, int64_t *ret_ns);
enum error_code traces_duration_read(struct query_context *context, const char *name, int64_t *ret_ns,
                                     struct error *error) MUST_CHECK;

/* JSON text parsed for a moment: until the next call. False: it is none. */
struct traces_json {
    struct json_parser *parser;
    struct buffer padded;
};
bool traces_json_parse(struct traces_json *json, struct slice text, struct json_value *ret_value);
void traces_json_free(struct traces_json *json);

/* ---- otlp_write.c: spans as OTLP's TracesData, protobuf or JSON ---- */

struct traces_group; /* spans of one resource and scope */
struct traces_otlp {
    bool is_json;
    struct map groups;
    struct traces_group *first, **last;
    struct traces_json json;
    struct buffer key;
};
void traces_otlp_begin(struct traces_otlp *otlp, bool is_json);
enum error_code traces_otlp_take(void *otlp, const struct traces_span *span, struct error *error); /* a traces_take */
/* Protobuf: the fields of TracesData (resource_spans 1). JSON: the array of resourceSpans. */
void traces_otlp_write(struct traces_otlp *otlp, struct buffer *out);
void traces_otlp_free(struct traces_otlp *otlp);

/* ---- traceql.c ---- */

/* Conditions of "{ .. }" are added to the filter. ERROR_INVALID says what of TraceQL is not understood, and where. */
enum error_code traces_traceql_parse(struct traces_filter *filter, struct slice query, struct error *error) MUST_CHECK;

#endif
