/* SPDX-License-Identifier: Apache-2.0 */
/* Chains of steps: who did one thing after another, how far each came and how long it took. */
#ifndef DOMAINS_ANALYTICS_ASK_BEHAVIOUR_CHAIN_H
#define DOMAINS_ANALYTICS_ASK_BEHAVIOUR_CHAIN_H

#include "domains/analytics/ask/behaviour/step.h"
#include "query/rows.h"

/*
 * Model: a chain is one event per step, in the order of the steps, each later than the one before (or not earlier, when
 * `allows_equal`), the last at most `window_ms` after the first; all by the same person (session, device) and in the range.
 * Somebody's level is the length of his longest chain. Strict: no other event of his, among those that pass the filters, lies between two
 * steps. An exclusion (from a to b) is an event that may not lie between step a and step b of a chain: the chain ends there.
 *
 * Somebody's entry is his first event of step 1 in the range: its time gives the bucket, its value the breakdown (of a list each value, once). Times are measured when a
 * step is first reached: since the latest start, and the latest step before, from which it can be reached.
 */
#define ANALYTICS_CHAIN_STEPS 20
#define ANALYTICS_CHAIN_EXCLUSIONS 10
#define ANALYTICS_CHAIN_WINDOW_SECONDS (90 * 86400)
#define ANALYTICS_CHAIN_WINDOW_DEFAULT 86400
#define ANALYTICS_CHAIN_VALUES 50 /* of a breakdown: more lines are no chart */
#define ANALYTICS_CHAIN_POINTS 10000 /* lines times buckets: each has a row of all steps in memory */
enum analytics_chain_by { ANALYTICS_BY_PERSON, ANALYTICS_BY_SESSION, ANALYTICS_BY_DEVICE };
struct analytics_chain {
    struct analytics_step steps[ANALYTICS_CHAIN_STEPS + ANALYTICS_CHAIN_EXCLUSIONS]; /* exclusions behind the steps */
    size_t step_count, exclusion_count;
    struct { size_t from, to; } exclusions[ANALYTICS_CHAIN_EXCLUSIONS]; /* steps, from 1 */
    enum analytics_chain_by by;
    bool is_strict, allows_equal;
    int64_t window_ms;
    struct slice breakdown; /* name of a field; empty: none */
    size_t value_limit;
};
/* Of the body: steps, exclude, order, by, window, equal_times, breakdown, limit. `least` steps, `most` steps. */
enum error_code analytics_chain_parse(struct query_context *context, size_t least, size_t most, struct analytics_chain *ret_chain,
                                      struct error *error) MUST_CHECK;

/* What is asked for beside the whole. */
enum { ANALYTICS_CHAIN_WHOLE = 1, ANALYTICS_CHAIN_BY_VALUE = 2, ANALYTICS_CHAIN_BY_BUCKET = 4, ANALYTICS_CHAIN_BY_BOTH = 8 };
struct analytics_chain_row {
    int kind;            /* one of those */
    struct slice value;  /* of the breakdown */
    bool is_other;       /* all values after the first value_limit */
    int64_t bucket_ms;
    uint64_t counts[ANALYTICS_CHAIN_STEPS]; /* who reached the step */
    /* Milliseconds, NaN where nobody came; [0] is of step 2. */
    double median_between[ANALYTICS_CHAIN_STEPS], average_between[ANALYTICS_CHAIN_STEPS];
    double median_from_start[ANALYTICS_CHAIN_STEPS], average_from_start[ANALYTICS_CHAIN_STEPS];
};
/* One statement; rows by kind; those by value by people at step 1, most first, the others at the end. Filters are those of the question. */
enum error_code analytics_chain_ask(struct query_context *context, const struct analytics_chain *chain, const struct query_range *range,
                                    int kinds, struct analytics_chain_row **ret_rows, size_t *ret_count, struct error *error) MUST_CHECK;
/* The row of a kind other than BY_VALUE, of the value of `like` (NULL: none) and bucket (0: none); of nobody when there is none. */
const struct analytics_chain_row *analytics_chain_find(const struct analytics_chain_row *rows, size_t count, int kind,
                                                       const struct analytics_chain_row *like, int64_t bucket_ms);

/* Numbers of steps and exclusions, from 1, so that events of one time lie in the right order (chain.c says which). */
void analytics_chain_codes(const struct analytics_chain *chain, int codes[ANALYTICS_CHAIN_STEPS + ANALYTICS_CHAIN_EXCLUSIONS]);
/* Whether the question has filters on all events. */
bool analytics_chain_is_filtered(struct query_context *context);
/* Whose a row of events is: a number (docs/metrics.md says how certain), 0 where it is nobody's. An expression; empty with `error` set on
 * failure. */
struct slice analytics_chain_key(struct query_context *context, enum analytics_chain_by by, struct error *error);
enum error_code analytics_chain_by_parse(struct query_context *context, enum analytics_chain_by *ret_by, struct error *error) MUST_CHECK;
/* 100 * part / whole with two decimals; 0 of nothing. */
double analytics_percent(double part, double whole);

#endif
