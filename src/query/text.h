/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a statement while it is being written: our words as SQL, the asker's as parameters. */
#ifndef QUERY_TEXT_H
#define QUERY_TEXT_H

#include "base/arena.h"
#include "base/error.h"
#include "query/query.h"

/*
 * Model: SQL is appended piece by piece; what a client sent goes in only through query_text_value and its like, which
 * bind a parameter and append "{p7:String}". {tenant:String} needs no binding: query/context.h adds it. All memory is the
 * arena's. A failure is remembered: query_text_check says once whether all of it fits.
 */
#define QUERY_TEXT_PARAMETER_LIMIT 256
#define QUERY_TEXT_PARAMETER_BYTES (128 * 1024) /* of all values: they travel in an address, of which event stores read 1 MiB */
#define QUERY_TEXT_SQL_BYTES (192 * 1024)      /* the event store parses 256 KiB */
struct query_text {
    struct arena *arena;
    char *sql;
    size_t size, capacity;
    struct query_parameter *parameters; /* QUERY_TEXT_PARAMETER_LIMIT of them; names end in a zero */
    size_t parameter_count, parameter_bytes;
    bool failed, is_too_large;
    /*
     * Rows by their key, from columns as they are stored: planned by the event store's older planner, which does not resolve every alias of
     * a table for each statement. Where that is most of the work: a trace by its id takes 5 ms of 28 less.
     */
    bool is_lookup;
};
void query_text_init(struct query_text *text, struct arena *arena);
/* Our own words only. */
void query_text_add(struct query_text *text, const char *sql);
void query_text_slice(struct query_text *text, struct slice sql);
void query_text_printf(struct query_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Anybody's words: bound as a parameter of type String, Array(String), Float64. */
void query_text_value(struct query_text *text, struct slice value);
void query_text_values(struct query_text *text, const struct slice *values, size_t count);
void query_text_number(struct query_text *text, double value);
/* An instant as DateTime64(3, 'UTC'). */
void query_text_instant(struct query_text *text, int64_t unix_ms);
/* "column >= from AND column < to", and which days that are (query_text_days). */
void query_text_range(struct query_text *text, const char *time_column, const struct query_range *range);
/*
 * " AND indexHint(..)": the days of a range, for the primary key alone; no row is looked at for it. Events are sorted by tenant, day, device, time: the
 * event store takes a condition on the time for the last of these, where it leaves out next to nothing, and not for the day.
 */
void query_text_days(struct query_text *text, const char *time_column, int64_t from_ms, int64_t to_ms);
/* The start of the bucket, in Unix ms, that holds an instant: a number per row, by the range's own list of starts. */
void query_text_bucket(struct query_text *text, const char *time_column, const struct query_range *range);
/* What was appended by `write` apart, as a slice of the arena: an expression to be used more than once. Parameters it
 * bound stay bound. */
struct slice query_text_cut(struct query_text *text, size_t from);
/* ERROR_TOO_LARGE, ERROR_MEMORY, or none. */
enum error_code query_text_check(const struct query_text *text, struct error *error) MUST_CHECK;
static inline struct slice query_text_sql(const struct query_text *text) { return slice_make(text->sql, text->size); }

#endif
