/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of rows, newest first, page by page: a table of columns becomes SQL with the owner in it, and rows become JSON. */
#ifndef QUERY_LIST_H
#define QUERY_LIST_H

#include "query/query.h"
#include "store/store.h"

/*
 * Model: a `struct query_list` describes a table whose rows can be listed: who owns rows, when they happened, what they
 * show and by what they may be chosen. query_list_parse turns the parameters of a request into a plan,
 * query_list_statement the plan into SQL, query_list_answer rows into JSON; query_list_ask does all three. As with
 * query.h, what the asker sends becomes parameters, never SQL text.
 *
 * Pages: rows are ordered by (time, id), both descending, and a page's cursor is the place of its last row. So a page
 * never repeats or skips a row, however many come in meanwhile. Ids are compared as text.
 *
 * Parameters: from, to (ISO 8601 or Unix ms; from inclusive, to exclusive; default: the last 30 days), limit, cursor, and
 * one per column that is a filter: "action=key.created"; given more than once, any of the values fits.
 */
enum query_list_type {
    QUERY_LIST_TEXT,
    QUERY_LIST_INTEGER,
    QUERY_LIST_TIME,    /* DateTime64 of any digits; ISO 8601 in the answer */
    QUERY_LIST_UUID,
    QUERY_LIST_JSON,    /* text that is a JSON value; null in the answer when it is not */
    QUERY_LIST_TYPE_COUNT
};
struct query_list_column {
    const char *name;        /* in the answer, and as a parameter */
    enum query_list_type type;
    const char *expression;  /* over the table's row */
    bool is_filter;          /* of QUERY_LIST_TEXT: rows can be chosen by it */
    const char *help;        /* one line, for OpenAPI */
};
struct query_list {
    const char *name;
    const char *database;
    const char *table;
    const char *owner_column;  /* whose rows: the column of the table's row policy */
    const char *tenant_column; /* narrows to one tenant where the owner is an organization; NULL: the owner is the tenant */
    const char *time_column;   /* DateTime64 */
    const char *id_column;     /* UUID */
    bool once_by_id;           /* the same row may be stored twice: show it once */
    const struct query_list_column *columns;
    size_t column_count;
};
#define QUERY_LIST_COLUMN_LIMIT 64
#define QUERY_LIST_LIMIT 1000 /* rows of one page: a page, not an export */
#define QUERY_LIST_DEFAULT 50
#define QUERY_LIST_CURSOR_LIMIT 80 /* 20 digits, a dot and a UUID, with room */

struct query_list_filter {
    const struct query_list_column *column;
    struct slice values[QUERY_VALUE_LIMIT];
    size_t value_count;
};
struct query_list_plan {
    const struct query_list *list;
    int64_t from_ms, to_ms;
    uint32_t limit;
    bool has_cursor;
    int64_t cursor_ns;
    char cursor_id[37];
    struct query_list_filter *filters[QUERY_FILTER_LIMIT];
    size_t filter_count;
};
/* Whose rows an answer may show. */
struct query_list_reader {
    struct slice owner;  /* the value of owner_column; STORE_ALL_TENANTS: everybody's (the installation's administrators) */
    struct slice tenant; /* only rows of this tenant; empty: all the owner's. Ignored without tenant_column */
};

/* ERROR_INVALID names the parameter, what was wrong with it and what is allowed. */
enum error_code query_list_parse(const struct query_list *list, const struct query_parameter *parameters,
                                 size_t parameter_count, int64_t now_ms, struct arena *arena,
                                 struct query_list_plan *ret_plan, struct error *error) MUST_CHECK;
enum error_code query_list_statement(const struct query_list_plan *plan, const struct query_list_reader *reader,
                                     struct arena *arena, struct query_statement *ret_statement,
                                     struct error *error) MUST_CHECK;
/* Appends {"data":[{..},..],"next_cursor":"..." or null}. On error `out` keeps what it had. */
enum error_code query_list_answer(const struct query_list_plan *plan, struct slice native, struct arena *arena,
                                  struct buffer *out, struct error *error) MUST_CHECK;
/* All of it, with the row policy of the reader's owner. Blocks: pool threads and commands. */
struct query_list_settings {
    int64_t timeout_ms;     /* 0: the store's */
    atomic_bool *cancelled; /* may be NULL */
};
enum error_code query_list_ask(struct store_session *session, const struct query_list *list,
                               const struct query_list_reader *reader, const struct query_parameter *parameters,
                               size_t parameter_count, int64_t now_ms, const struct query_list_settings *settings,
                               struct arena *arena, struct buffer *out, struct error *error) MUST_CHECK;

#endif
