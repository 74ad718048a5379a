/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the tables beside analytics.events: columns, types and limits as tables, and a writer that checks them. */
#ifndef DOMAINS_ANALYTICS_ROW_H
#define DOMAINS_ANALYTICS_ROW_H

#include "domain/domain.h"
#include "domains/analytics/event.h"

/*
 * Model: rows.def names each column once. From it come the enums (ANALYTICS_TABLE_X is the table's position in
 * analytics_domain.tables, X_COLUMN the column's position in the row), the block layouts, and the limits. A decoder
 * begins a row, puts or sets columns by name, each at most once, then commits it; what is not set is the type's default.
 * TENANT_ID and INGESTED_AT are set by analytics_row_begin. Setting from clients' values may refuse: then nothing of the row is there after analytics_row_rollback.
 *
 *   struct analytics_row row;
 *   analytics_row_begin(&row, output->rows, ANALYTICS_TABLE_GROUP_CHANGES, &context);
 *   code = analytics_row_set(&row, GROUP_CHANGES_NAME, SLICE("payload/name"), value, error);
 *   if (code != ERROR_NONE) { analytics_row_rollback(&row); return code; }
 *   analytics_row_put_id(&row, GROUP_CHANGES_ID, uuid_make_v7(now_ms));
 *   analytics_row_commit(&row);
 *
 * domain.h: an error must come before the first row of a request is committed. Read values that may be refused first.
 */
enum analytics_table {
    ANALYTICS_TABLE_EVENTS, /* its columns are in tables.def: event.h */
#define ROW_TABLE(table, ...) ANALYTICS_TABLE_##table,
#define ROW_COLUMN(...)
#define ROW_TABLE_END(table)
#include "domains/analytics/rows.def"
#undef ROW_TABLE
#undef ROW_COLUMN
#undef ROW_TABLE_END
    ANALYTICS_TABLE_COUNT
};

/* PROFILE_CHANGES_NAME and so on. */
#define ROW_TABLE(table, ...) enum {
#define ROW_COLUMN(table, column, ...) table##_##column,
#define ROW_TABLE_END(table) table##_COLUMN_COUNT };
#include "domains/analytics/rows.def"
#undef ROW_TABLE
#undef ROW_COLUMN
#undef ROW_TABLE_END

struct analytics_row_column {
    const char *name;
    const char *clickhouse_type; /* as in the migration */
    int64_t minimum, maximum;    /* see rows.def */
    const char *meaning;
};
struct analytics_row_table {
    const struct block_schema *schema; /* NULL for ANALYTICS_TABLE_EVENTS, which is not made here */
    const struct analytics_row_column *columns;
    size_t tenant_column, received_column;
    const char *migration;             /* the file that makes it, as in domain.migrations */
};
extern const struct analytics_row_table analytics_row_tables[ANALYTICS_TABLE_COUNT];
extern const struct block_schema analytics_row_schemas[ANALYTICS_TABLE_COUNT];

#define ANALYTICS_ROW_DECIMAL_SCALE 10000 /* of Decimal(18, 4) */

struct analytics_row {
    const struct analytics_row_table *table;
    struct block *block;
    const struct analytics_context *context;
};
void analytics_row_begin(struct analytics_row *row, struct domain_rows *rows, enum analytics_table table,
                         const struct analytics_context *context);
void analytics_row_commit(struct analytics_row *row);
void analytics_row_rollback(struct analytics_row *row);

/* The server's own values. A text longer than the column's limit is cut after a whole character. */
void analytics_row_put_text(struct analytics_row *row, size_t column, struct slice text);
/* Integers; Bool (0, 1); times in Unix ms; decimals times ANALYTICS_ROW_DECIMAL_SCALE. */
void analytics_row_put_integer(struct analytics_row *row, size_t column, int64_t value);
void analytics_row_put_real(struct analytics_row *row, size_t column, double value);
void analytics_row_put_id(struct analytics_row *row, size_t column, struct uuid id);
/* Array(String). */
void analytics_row_put_texts(struct analytics_row *row, size_t column, const struct slice *texts, size_t count);
/* Map(String, String). */
void analytics_row_put_properties(struct analytics_row *row, size_t column, const struct analytics_property *properties,
                                  size_t count);

/*
 * A client's value: null and "" leave the column at its default. Texts take strings, numbers and booleans;
 * numbers take numbers and texts that are nothing but a number; Bool takes booleans; times take ISO 8601 and Unix
 * milliseconds; ids a UUID. ERROR_INVALID names `field` and says what is wrong.
 */
enum error_code analytics_row_set(struct analytics_row *row, size_t column, struct slice field, struct json_value value,
                                  struct error *error) MUST_CHECK;

#endif
