/* SPDX-License-Identifier: Apache-2.0 */
/* One trace in Jaeger's JSON, gathered span by span. */
#ifndef DOMAINS_OBSERVABILITY_ASK_TRACES_JAEGER_H
#define DOMAINS_OBSERVABILITY_ASK_TRACES_JAEGER_H

#include "domains/observability/ask/traces/dialect.h"

/* `{0}` is ready. Source: the structs of jaeger/model/json (Span, Process, KeyValue, Reference, Log). */
struct traces_jaeger {
    struct buffer spans, processes, key;
    struct map process_ids; /* service and resource -> number, from 1 */
    size_t process_count;
    struct traces_json json;
};
enum error_code traces_jaeger_take(void *jaeger, const struct traces_span *span,
                                   struct error *error); /* a traces_take */
void traces_jaeger_write(struct traces_jaeger *jaeger, struct slice trace_id, bool is_truncated,
                         struct json_writer *writer);
void traces_jaeger_free(struct traces_jaeger *jaeger);

#endif
