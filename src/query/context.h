/* SPDX-License-Identifier: Apache-2.0 */
/* What a question has while it is being answered: who asks, what was asked, and the way to the event store. */
#ifndef QUERY_CONTEXT_H
#define QUERY_CONTEXT_H

#include <stdatomic.h>

#include "base/json_writer.h"
#include "decode/json.h"
#include "query/query.h"
#include "query/text.h"
#include "query/zone.h"

/*
 * Model: a domain answers a question (domain.h) with one function, on a thread of the query pool. It reads what was asked
 * (query_context_text and its like), writes statements with query/text.h, runs them with query_context_run (or
 * query_rows_ask, query_context_write_rows) and appends its answer to `out`. Every statement runs in the tenant's name, read only,
 * bounded in time and memory; {tenant:String} is bound in each and must be in each, as the first condition of every read of a table.
 */
#define QUERY_CONTEXT_PARSER_LIMIT 8 /* JSON texts in one address */
struct query_context {
    struct slice tenant;      /* id */
    int64_t now_ms;
    struct arena *arena;      /* the request's */
    const struct query_parameter *parameters; /* of the address, decoded */
    size_t parameter_count;
    struct json_value body;   /* when has_body: a JSON object or array */
    bool has_body;
    const struct slice *path_values; /* what stands for the {..} of the path */
    size_t path_value_count;
    struct slice accept;      /* the header Accept, for questions that can answer in several formats */
    /* Runs one statement; the answer in `format` is appended to `out`. Blocks. What the event store finds wrong with a
     * value (a regular expression, a number) is ERROR_INVALID. */
    enum error_code (*run)(struct query_context *context, const struct query_text *text, const char *format,
                           struct buffer *out, struct error *error);
    /* So many bytes of what `run` gave are looked at and freed: they no longer count against what a question may hold. */
    void (*release)(struct query_context *context, size_t bytes);
    /* What computes long by itself asks this now and then: ERROR_TIMEOUT once the question's time is over, ERROR_CANCELLED when
     * nobody waits for the answer. */
    enum error_code (*check)(struct query_context *context, struct error *error);
    /* A thing of the tenant that somebody has made ("cohorts", its id), as one JSON object appended to `out`. ERROR_NOT_FOUND. Blocks. */
    enum error_code (*definition)(struct query_context *context, const char *plural, struct slice id, struct buffer *out,
                                  struct error *error);
    /* Of the answer; 200 and application/json unless the question sets them. */
    int status;
    const char *content_type; /* lasts as long as the program */
    bool is_partial;          /* a part of the answer could not be given for now: the next one who asks shall not get this one */
    /* The first member of the body that was asked for as text, or as a list, and is something else: the question is refused
     * with it, for without it more would be shown than was asked for. NULL: nobody wants to know. */
    struct error *misused;
    int64_t to_ms;            /* the end of the time it is about, set by query_span_*; 0: not known */
    /* Of query_context_parse; freed by query_context_close. */
    struct json_parser *parsers[QUERY_CONTEXT_PARSER_LIMIT];
    size_t parser_count;
};

/* Parameters by name: in the address, else a member of the body that is text, number or boolean (as text). Empty, with data
 * NULL, when absent; of another type: see misused. */
struct slice query_context_text(const struct query_context *context, const char *name);
/* Every value of a repeated parameter; lists in the body; "a,b" is one value. At most `limit`: more are misused as well. */
size_t query_context_texts(const struct query_context *context, const char *name, struct slice *values, size_t limit);
/* A whole number in bounds, or `fallback` when absent. */
enum error_code query_context_integer(const struct query_context *context, const char *name, int64_t least, int64_t most,
                                      int64_t fallback, int64_t *ret_value, struct error *error) MUST_CHECK;
/* true, false, 1, 0. */
enum error_code query_context_boolean(const struct query_context *context, const char *name, bool fallback, bool *ret_value,
                                      struct error *error) MUST_CHECK;
/* The index of the word in a list ended by NULL; `fallback` when absent. */
enum error_code query_context_word(const struct query_context *context, const char *name, const char *const *words,
                                   size_t fallback, size_t *ret_index, struct error *error) MUST_CHECK;
/* A member of the body; false when absent or null. */
bool query_context_member(const struct query_context *context, const char *name, struct json_value *ret_value);
/* JSON text in a parameter of the address, as some clients send it. The value lives as long as the question. `name` is for
 * messages. */
enum error_code query_context_parse(struct query_context *context, const char *name, struct slice json_text,
                                    struct json_value *ret_value, struct error *error) MUST_CHECK;

/* Whoever made the context, when the answer has been written. */
void query_context_close(struct query_context *context);

/* The time a question is about. */
struct query_span {
    const struct query_zone *zone;
    struct slice timezone;    /* IANA name */
    enum query_interval interval;
    struct query_range range; /* with buckets */
    bool has_previous;
    struct query_range previous;
};
/* By the parameters of docs/api.md: timezone, from, to, period, interval, compare=previous (or "compare": true). */
enum error_code query_span_parse(struct query_context *context, struct query_span *ret_span, struct error *error) MUST_CHECK;
/* By instants, for dialects that have other words for it. Fills buckets, and the period before when `has_previous`. */
enum error_code query_span_make(struct query_context *context, struct slice timezone, int64_t from_ms, int64_t to_ms,
                                enum query_interval interval, bool has_previous, struct query_span *ret_span,
                                struct error *error) MUST_CHECK;

/* All rows as members of a JSON array that the caller begins and ends; otherwise as query_context_write_rows. */
enum error_code query_context_append_rows(struct query_context *context, const struct query_text *text,
                                          struct json_writer *writer, struct error *error) MUST_CHECK;
/* All rows as a JSON array of objects, written by the event store itself: [{"column": value, ..}, ..]. Numbers are numbers
 * (64-bit integers too), not-a-number is null, times are ISO 8601 with Z. */
enum error_code query_context_write_rows(struct query_context *context, const struct query_text *text,
                                         struct json_writer *writer, struct error *error) MUST_CHECK;

#endif
