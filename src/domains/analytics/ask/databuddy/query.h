/* SPDX-License-Identifier: Apache-2.0 */
/* Databuddy's named questions: what a type is, what was asked, and how the two become a statement. */
#ifndef DOMAINS_ANALYTICS_ASK_DATABUDDY_QUERY_H
#define DOMAINS_ANALYTICS_ASK_DATABUDDY_QUERY_H

#include "query/condition.h"
#include "query/context.h"

/* The tables that questions read: rows of the range, of the tenant, that pass the filters. */
enum databuddy_source {
    DATABUDDY_EVENTS, DATABUDDY_VITALS, DATABUDDY_ERRORS, DATABUDDY_CUSTOM, DATABUDDY_LINKS, DATABUDDY_ENGAGEMENT,
    DATABUDDY_REVENUE, DATABUDDY_AI_VISITS, DATABUDDY_AI_CALLS, DATABUDDY_LINK_VISITS, DATABUDDY_SOURCE_COUNT
};

/*
 * One type. `sql` is a SELECT that gives the columns by name, in any order; around it come filters of columns, order,
 * limit and the order of columns. In it a word behind a dollar stands for
 *   $events $vitals $errors $custom $links $engagement $ai_visits $ai_calls $link_visits   the table, its conditions:
 *                tenant, range, filters
 *   $payments, $attributed   payments, with the visit they came from when a filter needs it; always
 *   $all         events of tenant and range, without filters; $where: the filters as an expression over them
 *   $sessions    all events of the visits that have an event that passes the filters
 *   $errors_all  as $errors, without filters
 *   $tenant      the tenant's condition
 *   $bucket(column)  the start of its bucket, Unix ms; a type with a `series` gives it as "bucket"
 *   $person      who: analytics_person; $zone: the zone's name; $needed: the value of the filter that the type needs
 *   $from $to $now   instants; $limit: LIMIT and OFFSET, which the type then does itself
 *   $value(name|default)   the value of a filter that is a parameter, see `takes`
 *   $also_first  the fields of groupBy as visits' first values, ", .. AS also_1"; $also: ", also_1"
 * Aliases in a SELECT over a table must not be names of its columns: the event store would use them in WHERE.
 */
enum databuddy_series {
    DATABUDDY_NO_SERIES,
    DATABUDDY_FILLED, /* one row per bucket, zeros where there is nothing */
    DATABUDDY_SPARSE, /* several rows per bucket, none where there is nothing */
};
struct databuddy_type {
    const char *name;
    const char *columns;        /* names divided by commas, in the answer's order; "@" behind one: a time, as text */
    const char *sql;
    const char *order;          /* "visitors DESC, name"; a series has its own */
    enum databuddy_source source;
    enum databuddy_series series; /* its first column is the bucket's name */
    bool is_public;             /* readable without a key where a site is public */
    bool customizable;          /* takes groupBy */
    bool is_today;              /* about today, whatever the range */
    uint16_t minutes;           /* about the last minutes, whatever the range */
    uint16_t limit;             /* by default; 0: DATABUDDY_LIMIT_DEFAULT */
    uint16_t days;              /* the longest range; 0: any */
    const char *needs;          /* a field that must be filtered by, with one value; NULL: none */
    const char *takes;          /* further filters that are parameters, divided by commas */
};
#define DATABUDDY_LIMIT_DEFAULT 100
#define DATABUDDY_LIMIT 10000
struct databuddy_family {
    const char *name;           /* "Pages" */
    const struct databuddy_type *types;
    size_t count;
};
/* Ended by a NULL name. */
extern const struct databuddy_family *const databuddy_families[];
const struct databuddy_type *databuddy_type_find(struct slice name);
/* ERROR_INVALID with the nearest name there is. */
enum error_code databuddy_type_unknown(struct slice name, struct error *error);

struct databuddy_filter {
    struct slice field;
    enum query_comparison comparison;
    const struct slice *values;
    size_t value_count;
    bool is_having;             /* of the answer's columns */
};
#define DATABUDDY_FILTER_LIMIT 20
#define DATABUDDY_GROUP_LIMIT 5

/* One type as it was asked for. */
struct databuddy_query {
    struct query_context *context;
    const struct databuddy_type *type;
    struct slice timezone;
    const struct query_zone *zone;
    struct query_range range;   /* buckets for a series */
    enum query_interval interval;
    const struct databuddy_filter *filters;
    size_t filter_count;
    struct slice sort_by;       /* empty: the type's order */
    bool is_descending;
    struct slice groups[DATABUDDY_GROUP_LIMIT];
    size_t group_count;
    int64_t limit, page;        /* limit 0: the type's */
};
/* The whole statement. ERROR_INVALID says what of the question the type cannot do. */
enum error_code databuddy_statement_write(const struct databuddy_query *query, struct query_text *text, struct error
    *error) MUST_CHECK;

/* ---- filters: filters.c ---- */

/* Whether rows of the source have the field. */
bool databuddy_field_is_of(enum databuddy_source source, struct slice field);
/* The names, in the table's order; NULL behind the last. */
const char *databuddy_field_name(enum databuddy_source source, size_t index);
/* Appends " AND (..)" for each filter that rows of the source have; the others are not about it. `as_expression`: "
 * AND " is left out before the first, and "1" written when there are none. */
enum error_code databuddy_filters_write(const struct databuddy_query *query, struct query_text *text, enum
    databuddy_source source,
                                        bool as_expression, struct error *error) MUST_CHECK;
/* Appends " AND .." for filters of the answer's columns. */
enum error_code databuddy_having_write(const struct databuddy_query *query, struct query_text *text, struct error
    *error) MUST_CHECK;
/* Whether a filter is about what only the visit of a payment knows. */
bool databuddy_filters_need_visits(const struct databuddy_query *query);
/* A field of groupBy as an expression over events: the first value of the visit. NULL: cannot be grouped by. */
const char *databuddy_group_expression(struct slice field);
/* Whether the type's answer has the column. */
bool databuddy_type_has_column(const struct databuddy_type *type, struct slice column);
/* Cuts the next name off; false at the end. `ret_is_time` for "@". */
bool databuddy_next_column(struct slice *columns, struct slice *ret_name, bool *ret_is_time);

/* ---- what is asked: request.c ---- */

struct databuddy_part {           /* one of "parameters" */
    struct slice name, id;
    struct databuddy_query query; /* when error.code is none */
    struct error error;
};
struct databuddy_request {
    struct slice id;
    struct databuddy_part *parts;
    size_t part_count;
    struct json_value filters;
    bool has_filters;
    int64_t limit, page;
};
#define DATABUDDY_PART_LIMIT 50  /* of all questions of one HTTP request: they are answered one after the other */
/* ERROR_INVALID when nothing of it can be answered. */
enum error_code databuddy_request_read(struct query_context *context, struct json_value body, struct databuddy_request
    *ret_request,
                                       struct error *error) MUST_CHECK;
extern const char *const databuddy_presets[]; /* ended by NULL */

#endif
