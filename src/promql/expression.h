/* SPDX-License-Identifier: Apache-2.0 */
/* PromQL expressions: text is parsed and checked once, then evaluated any number of times, by any thread. */
#ifndef PROMQL_EXPRESSION_H
#define PROMQL_EXPRESSION_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

/*
 * Model: the language of Prometheus 2.42 (docs/promql.md says what of it is left out). promql_parse reads, checks types
 * and compiles regular expressions. A parsed expression never changes. Its selectors say which series it needs
 * (promql_selectors), promql_windows (promql/evaluate.h) of which time. This folder knows no storage: samples come by a
 * callback.
 */
struct promql_expression;

/* The limits of a text, each with its reason. */
#define PROMQL_TEXT_LIMIT (64u << 10)  /* the longest generated dashboard queries are some ten KiB */
#define PROMQL_DEPTH_LIMIT 200         /* levels of the tree: parsing and evaluation recurse as deep */
#define PROMQL_SELECTOR_LIMIT 64       /* each is a read of the store */
#define PROMQL_REGEX_STEP_LIMIT 100000 /* steps of the matcher for one value: no pattern may hold a thread */

enum promql_type { PROMQL_NONE, PROMQL_SCALAR, PROMQL_VECTOR, PROMQL_MATRIX, PROMQL_STRING };
/* "scalar", "vector", "matrix", "string", as in the JSON of Prometheus. */
const char *promql_type_name(enum promql_type type);

/* ERROR_INVALID "1:5: parse error: ..." (line and column) as Prometheus words it. */
enum error_code promql_parse(struct slice text, struct promql_expression **expression, struct error *error) MUST_CHECK;
/* Only a selector without range, offset and @, as match[] of /series has it; else ERROR_INVALID. */
enum error_code promql_parse_selector(struct slice text, struct promql_expression **expression,
                                      struct error *error) MUST_CHECK;
void promql_expression_free(struct promql_expression *expression); /* accepts NULL */
enum promql_type promql_expression_type(const struct promql_expression *expression);
/* The canonical text of the whole expression on one line. */
void promql_expression_write(const struct promql_expression *expression, struct buffer *out);
/* The same with parts longer than 100 characters on lines of their own: what /api/v1/format_query answers. */
void promql_expression_write_lines(const struct promql_expression *expression, struct buffer *out);

/* "1h30m", as ranges and the parameter `step` are written, in ms; false for anything else, or what does not fit. */
bool promql_duration_parse(struct slice text, int64_t *milliseconds);

enum promql_match { PROMQL_EQUAL, PROMQL_NOT_EQUAL, PROMQL_REGEX, PROMQL_NOT_REGEX };
struct promql_matcher {
    enum promql_match match;
    struct slice name;  /* "__name__": the metric */
    struct slice value; /* of a regex: as written; it matches whole values only, '.' matches no newline */
    const void *code;   /* of a regex: compiled */
};
/* Whether a value of the label (empty: the series has none) fits. A pattern over its step limit is ERROR_INVALID. */
enum error_code promql_matcher_test(const struct promql_matcher *matcher, struct slice value, bool *fits,
                                    struct error *error) MUST_CHECK;

/* What stands around a selector: what a store may use to read less. All of it may be ignored. */
struct promql_hints {
    const char *function;    /* called with the selector ("rate"), or NULL; only this function sees its samples */
    const char *aggregation; /* around that function, or around the selector itself without one ("sum"), or NULL */
    const struct slice *grouping; /* labels of that aggregation, as written */
    size_t grouping_count;
    bool without;            /* grouping lists what is dropped */
    bool histograms;         /* a function of native histograms is around it: they are given by parts (promql/evaluate.h) */
};
enum promql_at { PROMQL_AT_NONE, PROMQL_AT_TIME, PROMQL_AT_START, PROMQL_AT_END };
struct promql_selector {
    size_t index;               /* of promql_selectors */
    const struct promql_matcher *matchers; /* all must fit; at least one does not fit the empty value */
    size_t matcher_count;
    int64_t range_ms;           /* 0: an instant selector, which needs the newest sample of the lookback */
    int64_t offset_ms;          /* into the past; negative: into the future */
    enum promql_at at;
    int64_t at_ms;              /* of PROMQL_AT_TIME */
    struct promql_hints hints;
};
/* Whether labels fit all matchers: `labels` sorted by name. See promql/evaluate.h for struct promql_labels. */
struct promql_labels;
enum error_code promql_selector_test(const struct promql_selector *selector, const struct promql_labels *labels,
                                     bool *fits, struct error *error) MUST_CHECK;

struct promql_selector_list {
    const struct promql_selector *const *items;
    size_t count;
};
/* In the order of the text; lives as long as the expression. */
struct promql_selector_list promql_selectors(const struct promql_expression *expression);

#endif
