/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the tables beside analytics.events: layouts from rows.def, values checked against it. */
#include "domains/analytics/row.h"

#include <math.h>

#include "enrich/client_time.h"

static const struct block_type string = {.kind = BLOCK_STRING};
static const struct block_type uuid = {.kind = BLOCK_UUID};
static const struct block_type boolean __attribute__((unused)) = {.kind = BLOCK_BOOL};
static const struct block_type datetime = {.kind = BLOCK_DATETIME64, .parameter = 3};
static const struct block_type nullable_datetime __attribute__((unused)) = {.kind = BLOCK_NULLABLE, .inner = &datetime};
static const struct block_type float32 __attribute__((unused)) = {.kind = BLOCK_FLOAT32};
static const struct block_type nullable_float32 __attribute__((unused)) = {.kind = BLOCK_NULLABLE, .inner = &float32};
static const struct block_type float64 __attribute__((unused)) = {.kind = BLOCK_FLOAT64};
static const struct block_type nullable_float64 __attribute__((unused)) = {.kind = BLOCK_NULLABLE, .inner = &float64};
static const struct block_type int32 __attribute__((unused)) = {.kind = BLOCK_INT32};
static const struct block_type nullable_int32 __attribute__((unused)) = {.kind = BLOCK_NULLABLE, .inner = &int32};
static const struct block_type uint8 __attribute__((unused)) = {.kind = BLOCK_UINT8};
static const struct block_type uint16 __attribute__((unused)) = {.kind = BLOCK_UINT16};
static const struct block_type uint32 __attribute__((unused)) = {.kind = BLOCK_UINT32};
static const struct block_type uint64 __attribute__((unused)) = {.kind = BLOCK_UINT64};
static const struct block_type nullable_uint32 __attribute__((unused)) = {.kind = BLOCK_NULLABLE, .inner = &uint32};
static const struct block_type nullable_string __attribute__((unused)) = {.kind = BLOCK_NULLABLE, .inner = &string};
static const struct block_type decimal __attribute__((unused)) = {.kind = BLOCK_DECIMAL64, .parameter = 4};
static const struct block_type nullable_decimal __attribute__((unused)) = {.kind = BLOCK_NULLABLE, .inner = &decimal};
static const struct block_type decimal10 = {.kind = BLOCK_DECIMAL64, .parameter = 10};
static const struct block_type nullable_decimal10 __attribute__((unused)) = {.kind = BLOCK_NULLABLE, .inner = &decimal10};
static const struct block_type nullable_uint16 __attribute__((unused)) = {.kind = BLOCK_NULLABLE, .inner = &uint16};
static const struct block_type string_array __attribute__((unused)) = {.kind = BLOCK_ARRAY, .inner = &string};
static const struct block_type string_map __attribute__((unused)) = {.kind = BLOCK_MAP, .inner = &string, .key = &string};

#define ROW_TABLE(table, ...) static const struct analytics_row_column table##_columns[] = {
#define ROW_COLUMN(table, column, name, type, clickhouse_type, minimum, maximum, meaning)                              \
    {#name, clickhouse_type, minimum, maximum, meaning},
#define ROW_TABLE_END(table) };
#include "domains/analytics/rows.def"
#undef ROW_TABLE
#undef ROW_COLUMN
#define ROW_TABLE(table, ...) static const struct block_schema_column table##_schema_columns[] = {
#define ROW_COLUMN(table, column, name, type, ...) {#name, &type},
#include "domains/analytics/rows.def"
#undef ROW_TABLE
#undef ROW_COLUMN
#undef ROW_TABLE_END

#define ROW_COLUMN(...)
#define ROW_TABLE_END(table)
const struct block_schema analytics_row_schemas[ANALYTICS_TABLE_COUNT] = {
#define ROW_TABLE(symbol, database_name, table_name, ...)                                                              \
    [ANALYTICS_TABLE_##symbol] = {.database = database_name, .table = table_name, .columns = symbol##_schema_columns,  \
                                  .column_count = symbol##_COLUMN_COUNT},
#include "domains/analytics/rows.def"
#undef ROW_TABLE
};
const struct analytics_row_table analytics_row_tables[ANALYTICS_TABLE_COUNT] = {
#define ROW_TABLE(symbol, database_name, table_name, migration_name)                                                   \
    [ANALYTICS_TABLE_##symbol] = {.schema = &analytics_row_schemas[ANALYTICS_TABLE_##symbol],                          \
                                  .columns = symbol##_columns, .tenant_column = symbol##_TENANT_ID,                        \
                                  .received_column = symbol##_INGESTED_AT, .migration = migration_name},
#include "domains/analytics/rows.def"
#undef ROW_TABLE
};

void analytics_row_begin(struct analytics_row *row, struct domain_rows *rows, enum analytics_table table,
                         const struct analytics_context *context)
{
    ASSERT(table != ANALYTICS_TABLE_EVENTS && table < ANALYTICS_TABLE_COUNT);
    row->table = &analytics_row_tables[table];
    row->block = domain_rows_block(rows, table);
    row->context = context;
    block_append_string(row->block, row->table->tenant_column, context->tenant);
    block_append_int(row->block, row->table->received_column, context->received_ms);
}

void analytics_row_commit(struct analytics_row *row)
{
    block_append_defaults_for_missing(row->block);
    block_row_commit(row->block);
}

void analytics_row_rollback(struct analytics_row *row) { block_row_rollback(row->block); }

/* Not after a part of a character. */
static struct slice row_cut(struct slice text, size_t limit)
{
    if (text.size <= limit) return text;
    while (limit > 0 && ((unsigned char)text.data[limit] & 0xc0) == 0x80) limit--;
    return slice_first(text, limit);
}

static const struct block_type *row_type(const struct analytics_row *row, size_t column)
{
    const struct block_type *type = row->table->schema->columns[column].type;
    return type->kind == BLOCK_NULLABLE ? type->inner : type;
}

void analytics_row_put_text(struct analytics_row *row, size_t column, struct slice text)
{
    block_append_string(row->block, column, row_cut(text, (size_t)row->table->columns[column].maximum));
}

void analytics_row_put_integer(struct analytics_row *row, size_t column, int64_t value)
{
    enum block_kind kind = row_type(row, column)->kind;
    if (kind <= BLOCK_UINT64 || kind == BLOCK_BOOL) block_append_uint(row->block, column, (uint64_t)value);
    else block_append_int(row->block, column, value);
}

void analytics_row_put_real(struct analytics_row *row, size_t column, double value)
{
    block_append_double(row->block, column, value);
}

void analytics_row_put_id(struct analytics_row *row, size_t column, struct uuid id)
{
    block_append_uuid(row->block, column, &id);
}

void analytics_row_put_texts(struct analytics_row *row, size_t column, const struct slice *texts, size_t count)
{
    block_array_begin(row->block, column);
    for (size_t i = 0; i < count; i++) block_append_string(row->block, column, texts[i]);
    block_array_end(row->block, column);
}

void analytics_row_put_properties(struct analytics_row *row, size_t column, const struct analytics_property *properties,
                                  size_t count)
{
    block_map_begin(row->block, column);
    for (size_t i = 0; i < count; i++) {
        block_map_key(row->block, column, properties[i].key);
        block_append_string(row->block, column, properties[i].value);
    }
    block_map_end(row->block, column);
}

static enum error_code row_refuse(struct error *error, struct slice field, const char *reason)
{
    char name[sizeof error->field];
    snprintf(name, sizeof name, "%.*s", SLICE_ARGS(slice_first(field, sizeof name - 1)));
    return error_set_field(error, ERROR_INVALID, name, "%s", reason);
}

static enum error_code row_set_text(struct analytics_row *row, size_t column, struct slice field, struct json_value value,
                                    struct error *error)
{
    size_t limit = (size_t)row->table->columns[column].maximum;
    char reason[96];
    struct slice text;
    if (!analytics_scalar_text(row->context->arena, value, &text)) return row_refuse(error, field, "must be a string");
    text = slice_trim(text);
    snprintf(reason, sizeof reason, "is %zu bytes long; at most %zu are allowed", text.size, limit);
    if (text.size > limit) return row_refuse(error, field, reason);
    if (text.size > 0) block_append_string(row->block, column, text);
    return ERROR_NONE;
}

static enum error_code row_set_number(struct analytics_row *row, size_t column, struct slice field,
                                      struct json_value value, struct error *error)
{
    const struct analytics_row_column *info = &row->table->columns[column];
    enum block_kind kind = row_type(row, column)->kind;
    char reason[96];
    double number;
    if (json_value_type(value) == JSON_STRING && json_value_string(value).size == 0) return ERROR_NONE;
    if (!analytics_number(value, &number)) return row_refuse(error, field, "must be a number");
    snprintf(reason, sizeof reason, "must be between %lld and %lld", (long long)info->minimum, (long long)info->maximum);
    if (!(number >= (double)info->minimum && number <= (double)info->maximum)) return row_refuse(error, field, reason);
    if (kind == BLOCK_FLOAT32 || kind == BLOCK_FLOAT64) analytics_row_put_real(row, column, number);
    else if (kind == BLOCK_DECIMAL64)
        analytics_row_put_integer(row, column, llround(number * pow(10, row_type(row, column)->parameter)));
    else analytics_row_put_integer(row, column, llround(number));
    return ERROR_NONE;
}

static enum error_code row_set_time(struct analytics_row *row, size_t column, struct slice field, struct json_value value,
                                    struct error *error)
{
    int64_t time_ms;
    enum json_type type = json_value_type(value);
    if (type == JSON_INT) time_ms = json_value_int(value);
    else if (type == JSON_DOUBLE && fabs(json_value_double(value)) < 1e15) time_ms = (int64_t)json_value_double(value);
    else if (type != JSON_STRING || !client_time_parse(json_value_string(value), &time_ms))
        return row_refuse(error, field, "must be an ISO 8601 time like 2026-01-31T08:00:00.123Z or Unix milliseconds");
    const char *reason = client_time_refusal(time_ms, row->context->received_ms);
    if (reason) return row_refuse(error, field, reason);
    analytics_row_put_integer(row, column, time_ms);
    return ERROR_NONE;
}

enum error_code analytics_row_set(struct analytics_row *row, size_t column, struct slice field, struct json_value value,
                                  struct error *error)
{
    struct uuid id;
    if (json_value_type(value) == JSON_NULL) return ERROR_NONE;
    switch (row_type(row, column)->kind) {
    case BLOCK_STRING: return row_set_text(row, column, field, value, error);
    case BLOCK_DATETIME64: return row_set_time(row, column, field, value, error);
    case BLOCK_BOOL:
        if (json_value_type(value) != JSON_BOOL) return row_refuse(error, field, "must be true or false");
        analytics_row_put_integer(row, column, json_value_bool(value));
        return ERROR_NONE;
    case BLOCK_UUID:
        if (json_value_type(value) != JSON_STRING || !uuid_parse(json_value_string(value), &id))
            return row_refuse(error, field, "must be a UUID");
        analytics_row_put_id(row, column, id);
        return ERROR_NONE;
    default: return row_set_number(row, column, field, value, error);
    }
}
