/* SPDX-License-Identifier: Apache-2.0 */
/* What questions about logs share: which rows, in what order, as what JSON. */
#ifndef DOMAINS_OBSERVABILITY_ASK_LOGS_LOGS_H
#define DOMAINS_OBSERVABILITY_ASK_LOGS_LOGS_H

#include "domain/domain.h"
#include "query/rows.h"
#include "query/text.h"

/*
 * A question about log records: a time, and conditions that were read once and stand in every statement of the question.
 * Places of records are (timestamp in ns, id, node): ids grow with arrival and are unique among those that one server took, whose node is in
 * the number of the record's segment.
 */
#define LOGS_LIMIT 1000            /* records of one page */
#define LOGS_DEFAULT 100
#define LOGS_PAGED_ROWS 10000      /* reachable by page and limit: each page costs all before it. A cursor has no end */
#define LOGS_DEFAULT_DAYS 30       /* as long as logs are kept unless a tenant wishes otherwise */
#define LOGS_FUTURE_MS (10 * 60 * 1000) /* what is accepted from clocks that are ahead */
#define LOGS_NODE_SHIFT 40         /* spool/directory.h */
struct logs_place { int64_t timestamp_ns; uint64_t id, node; };
struct logs_question {
    struct query_context *context;
    struct query_text text;       /* the statement being written; its parameters are those of the conditions too */
    struct slice conditions;      /* " AND (..)": in the arena */
    int64_t from_ms, to_ms;
    int64_t begun_ms;             /* for executionTimeMs */
};
/* Reads the time and all conditions. `words` are the names the question knows. */
enum error_code logs_question_begin(struct query_context *context, const struct domain_word *words, int64_t default_ms,
                                    struct logs_question *ret_question, struct error *error) MUST_CHECK;
/* A new statement: what stands before FROM. */
void logs_question_select(struct logs_question *question, const char *columns);
/* "FROM .. WHERE tenant, time and conditions". Nanoseconds: from inclusive, to exclusive. */
void logs_question_where(struct logs_question *question, int64_t from_ns, int64_t to_ns);
/* The same for all of the question's time. */
void logs_question_where_all(struct logs_question *question);

/* Names of the parameters that logs_question_begin reads. */
#define LOGS_WORDS                                                                                                                 \
    {"query", "words, \"phrases\", -not, AND, OR, (..), contains:text, regex:expression (docs/logs.md)"},                         \
    {"severityText", "one or more texts of severity; letter case is ignored"}, {"severityTexts", "the same"},                     \
    {"minSeverity", "number 1 to 24, or TRACE, DEBUG, INFO, WARN, ERROR, FATAL"}, {"maxSeverity", "the same"},                     \
    {"serviceName", "one or more services"}, {"serviceNames", "the same"}, {"traceId", "32 hexadecimal digits"},                  \
    {"spanId", "16 hexadecimal digits"}, {"eventName", "of the record"},                                                          \
    {"logAttributes", "conditions over the record's attributes, JSON"}, {"resourceAttributes", "over its resource's"},             \
    {"from", "ISO 8601 or Unix ms; default: 30 days before"}, {"to", "exclusive; default: now"}, \
    {"period", "instead of from and to: 15m, 24h, 7d, today, .."}

/* text.c: the full-text language as a condition over `body`. */
#define LOGS_QUERY_BYTES 4096
#define LOGS_QUERY_TERMS 32
enum error_code logs_text_write(struct query_text *text, struct slice query, struct error *error) MUST_CHECK;

/* severity.c */
#define LOGS_LEVEL_COUNT 7
extern const char *const logs_levels[LOGS_LEVEL_COUNT + 1]; /* UNSPECIFIED, TRACE, .. FATAL, NULL */
extern const char logs_level_sql[]; /* the index of a row's level: by its number, else by its text */
/* A number, or a name: its first number, or its last when `is_most`. */
enum error_code logs_severity_parse(const char *name, struct slice text, bool is_most, int64_t *ret_number, struct error *error) MUST_CHECK;

/* rows.c: records as JSON. */
extern const char logs_columns[]; /* to be selected */
#define LOGS_COLUMN_COUNT 21
struct logs_writer {
    struct json_writer json;
    struct json_parser *parser;
    struct buffer scratch;
};
/* ERROR_MEMORY. */
enum error_code logs_writer_begin(struct buffer *out, struct logs_writer *ret_writer, struct error *error) MUST_CHECK;
void logs_writer_end(struct logs_writer *writer);
void logs_write_row(struct logs_writer *writer, const struct query_rows *rows, size_t row);
struct logs_place logs_row_place(const struct query_rows *rows, size_t row);
uint64_t logs_row_segment(const struct query_rows *rows, size_t row);
int64_t logs_row_day(const struct query_rows *rows, size_t row);
/* "1763700000000000000.1849...7": a record's place, and a page's cursor. */
#define LOGS_PLACE_SIZE 64
void logs_place_format(const struct logs_place *place, char out[LOGS_PLACE_SIZE]);
enum error_code logs_place_parse(const char *name, struct slice text, struct logs_place *ret_place, struct error *error) MUST_CHECK;

/* walk.c: records in order of their places, from one on, read by windows of time that widen: a page costs what it shows. */
struct logs_walk {
    struct logs_question *question;
    bool forward;                 /* oldest first */
    bool has_place;
    struct logs_place place;      /* records behind it, in the order of the walk */
    int64_t from_ns, to_ns;
    const char *more;             /* further conditions, our own words with parameters already bound; NULL: none */
    size_t limit;
};
/* `each` gets rows in batches, whose memory ends with the call. */
typedef void logs_walk_each(void *argument, const struct query_rows *rows);
enum error_code logs_walk(const struct logs_walk *walk, logs_walk_each *each, void *argument, struct error *error) MUST_CHECK;
/* One statement's rows, with memory of their own that goes when `each` returns. */
enum error_code logs_ask(struct logs_question *question, size_t column_count, logs_walk_each *each, void *argument, struct error *error) MUST_CHECK;

/* "metadata" and "pagination" of an answer's end. */
void logs_write_metadata(struct json_writer *json, const struct logs_question *question);

extern const struct domain_question observability_log_questions[];
extern const struct domain_question observability_log_figure_questions[];
extern const struct domain_question observability_log_tail_questions[];

#endif
