/* SPDX-License-Identifier: Apache-2.0 */
/* What questions about traces share: spans as they are read, figures of whole traces, the search, the answers' parts. */
#ifndef DOMAINS_OBSERVABILITY_ASK_TRACES_TRACES_H
#define DOMAINS_OBSERVABILITY_ASK_TRACES_TRACES_H

#include "block/native_reader.h"
#include "domain/domain.h"

/* ---- span.c: one span, as all answers are made of it ---- */

/* Keys and values of a Map, and what each value was (letters of tables.def). */
struct traces_attributes {
    const struct native_value *items; /* key, value, key, value .. */
    size_t count;                     /* of pairs */
    struct slice types;
};
struct traces_event {
    int64_t time_ns;
    struct slice name;
    struct traces_attributes attributes;
    uint32_t dropped_attributes_count;
};
struct traces_link {
    struct slice trace_id, span_id, state; /* ids hexadecimal */
    struct traces_attributes attributes;
    uint32_t flags, dropped_attributes_count;
};
struct traces_span {
    struct slice trace_id, span_id, parent_span_id; /* hexadecimal; no parent: empty */
    struct slice trace_state, name, service_name;
    struct slice resource, resource_schema_url; /* JSON object, or empty */
    struct slice scope_name, scope_version, scope_attributes, scope_schema_url;
    struct slice status_message;
    struct traces_attributes attributes;
    uint32_t kind, status, flags, dropped_attributes_count, dropped_events_count, dropped_links_count;
    int64_t start_ns;
    uint64_t duration_ns;
    size_t event_count, link_count;
    const struct native_value *const *columns; /* of this block, for events and links */
    size_t row;
};
struct traces_event traces_span_event(const struct traces_span *span, size_t index);
struct traces_link traces_span_link(const struct traces_span *span, size_t index);
/* One entry: its key, its text and the letter of its type. */
struct traces_attribute {
    struct slice key, text;
    char type;
};
struct traces_attribute traces_attribute_at(const struct traces_attributes *attributes, size_t index);

/* Begins a statement that traces_spans_ask can read: SELECT .. FROM .. WHERE tenant; conditions begin with " AND ". */
void traces_spans_select(struct query_text *text);
/* Runs it and hands on each row; the span lives until `take` returns. */
typedef enum error_code traces_take(void *user, const struct traces_span *span, struct error *error);
enum error_code traces_spans_ask(struct query_context *context, const struct query_text *text, traces_take *take,
                                 void *user, struct error *error) MUST_CHECK;

/* Up to 32 hexadecimal digits, of which leading zeros may be missing, as 32 small ones. Empty: it is none. */
struct slice traces_id_read(struct query_context *context, struct slice text);
/* "trace_id_bytes = .." or "trace_id_bytes IN ..". */
void traces_ids_write(struct query_text *text, const struct slice *ids, size_t count);
/* "timestamp >= .. AND timestamp < .."; 0 leaves that end open. */
void traces_range_write(struct query_text *text, int64_t from_ns, int64_t to_ns);
void traces_instant_write(struct query_text *text, int64_t unix_ns);

/* Spans of these traces, ordered by trace and time, in parts, so that the largest trace fits; at most `limit`. */
enum error_code traces_read(struct query_context *context, const struct slice *ids, size_t id_count, int64_t from_ns,
                            int64_t to_ns, size_t limit, traces_take *take, void *user, bool *ret_truncated,
                            struct error *error) MUST_CHECK;
/* More than this many spans are given in pages only. */
#define TRACES_SPAN_LIMIT 200000

/* ---- figures.c: what a whole trace comes to ---- */

struct traces_figures {
    struct slice trace_id;
    int64_t start_ns, end_ns;
    uint64_t span_count, error_count, missing_parents;
    bool has_root; /* a span without a parent is stored; else the root is the earliest */
    struct slice root_span_id, root_service, root_name;
    uint32_t root_status;
    const struct native_value *services; /* sorted */
    size_t service_count;
    bool has_logs; /* when asked for */
    struct traces_gathered *gathered; /* of gather.c */
};
/*
 * Of each of these traces that is stored, in no order. Open ends (0) look at all of the time there is: by the primary key and the filter
 * on ids, which is quick for one id and slow for many.
 */
enum error_code traces_figures_ask(struct query_context *context, const struct slice *ids, size_t id_count,
                                   int64_t from_ns, int64_t to_ns, struct traces_figures **ret_figures,
                                   size_t *ret_count, struct error *error) MUST_CHECK;
void traces_figures_write(const struct traces_figures *figures, struct json_writer *writer);
/*
 * gather.c: the same of one trace whose spans are all read anyhow, in the order of (timestamp, span_ids), each once. Begins with zeros; texts are
 * copied into the question's arena. Without a span all stays zero.
 */
enum error_code traces_figures_add(struct query_context *context, struct traces_figures *figures,
                                   const struct traces_span *span, struct error *error) MUST_CHECK;
enum error_code traces_figures_end(struct query_context *context, struct traces_figures *figures,
                                   struct error *error) MUST_CHECK;
/* How far from spans that were found the rest of their traces is looked for, when there are many: traces last seconds. */
#define TRACES_REACH_NS (INT64_C(3600) * 1000000000)
#define TRACES_MS_NS INT64_C(1000000)
/* No time is later (in 2255), whatever a client sends or asks for: sums with an hour stay numbers. */
#define TRACES_END_NS INT64_C(9000000000000000000)

/* ---- trace.c ---- */

/* A JSON array of the log records of these traces, and of a web session unless it is empty, the oldest first. */
enum error_code traces_logs_write(struct query_context *context, const struct slice *ids, size_t id_count,
                                  struct slice session, int64_t from_ns, int64_t to_ns, int64_t limit,
                                  struct json_writer *writer, struct error *error) MUST_CHECK;

/* A JSON array of the exemplars (points of metrics that name a trace) of these traces, the oldest first. */
enum error_code traces_exemplars_write(struct query_context *context, const struct slice *ids, size_t id_count,
                                       int64_t from_ns, int64_t to_ns, int64_t limit, struct json_writer *writer,
                                       struct error *error) MUST_CHECK;

/* ---- write.c: JSON ---- */

int64_t traces_span_end(const struct traces_span *span);
void traces_time_write(struct json_writer *writer, int64_t unix_ns); /* ISO 8601 with nine digits */
void traces_text_write(struct json_writer *writer, const char *key, struct slice text);
/* A value by its letter: numbers are numbers, objects objects. */
void traces_value_write(struct json_writer *writer, const struct traces_attribute *attribute);
void traces_span_write(struct json_writer *writer, const struct traces_span *span);
const char *traces_kind_name(uint32_t kind); /* as the columns show it; NULL: a number without a name */
const char *traces_status_name(uint32_t status);

#endif
