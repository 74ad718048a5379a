/* SPDX-License-Identifier: Apache-2.0 */
/* Figures over the rows of one table, in total and by a key or by time: what is asked for is a row of a table, not a function. */
#ifndef DOMAINS_ANALYTICS_ASK_TABLE_H
#define DOMAINS_ANALYTICS_ASK_TABLE_H

#include "domains/analytics/ask/visits.h"

struct analytics_figure {
    const char *name;
    const char *expression; /* an aggregate that is a number, or null where there is nothing (is_ratio) */
    bool is_ratio;          /* of nothing it is null, not 0 */
};
struct analytics_key { const char *name; const char *expression; };
struct analytics_table {
    const char *question;
    const char *source;       /* of FROM: "observability.ai_call_spans"; its rows have tenant_id */
    const char *time_column;
    const char *condition;    /* " AND ..", or "" */
    /* Appends another source, as a subselect that has the tenant and the range in it; NULL: `source`. */
    enum error_code (*write_source)(struct query_context *context, struct query_text *text, const struct query_range *range,
                                    struct error *error);
    const char *split;        /* expression of what is never added up ("toString(currency)"), NULL: none */
    const char *split_name;
    const struct analytics_figure *figures; /* ended by a NULL name; the first orders rows */
    const struct analytics_key *keys;       /* what `by` may name besides time; ended by a NULL name */
    const char *const *filters;             /* fields, ended by NULL */
    bool is_approximate;
};
/* The whole answer, by the parameters of docs/api.md: by, limit, offset, sort, order, compare. `conditions`: " AND (..)", with parameters bound in `text`,
 * which is cut from. */
enum error_code analytics_table_answer(struct query_context *context, const struct analytics_table *table, struct query_text *text,
                                       struct slice conditions, struct buffer *out, struct error *error) MUST_CHECK;
#define ANALYTICS_WORDS_TABLE(keys, figures)                                                                           \
    {"by", keys " or time; only totals when absent."}, {"interval", "For time: minute, hour, day, week or month."},    \
    {"compare", "previous: totals of the period before, too."}, {"limit", "1 to 1000; 100 when absent."},              \
    {"offset", "Rows to leave out first."}, {"sort", figures}, {"order", "desc or asc."}

#endif
