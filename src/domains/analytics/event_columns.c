/* SPDX-License-Identifier: Apache-2.0 */
/* The columns of analytics.events as tables: block layout, limits, and the names clients use. */
#include "domains/analytics/event.h"

static const struct block_type string = {.kind = BLOCK_STRING};
static const struct block_type uuid = {.kind = BLOCK_UUID};
static const struct block_type datetime = {.kind = BLOCK_DATETIME64, .parameter = 3};
static const struct block_type nullable_datetime = {.kind = BLOCK_NULLABLE, .inner = &datetime};
static const struct block_type float32 = {.kind = BLOCK_FLOAT32};
static const struct block_type nullable_float32 = {.kind = BLOCK_NULLABLE, .inner = &float32};
static const struct block_type int16 = {.kind = BLOCK_INT16};
static const struct block_type nullable_int16 = {.kind = BLOCK_NULLABLE, .inner = &int16};
static const struct block_type int32 = {.kind = BLOCK_INT32};
static const struct block_type nullable_int32 = {.kind = BLOCK_NULLABLE, .inner = &int32};
static const struct block_type uint16 = {.kind = BLOCK_UINT16};
static const struct block_type uint64 = {.kind = BLOCK_UINT64};
static const struct block_type decimal = {.kind = BLOCK_DECIMAL64, .parameter = 4};
static const struct block_type nullable_decimal = {.kind = BLOCK_NULLABLE, .inner = &decimal};
static const struct block_type string_array = {.kind = BLOCK_ARRAY, .inner = &string};
static const struct block_type string_map = {.kind = BLOCK_MAP, .inner = &string, .key = &string};

#define EVENT_CLIENT true
#define EVENT_SERVER false
const struct analytics_column_info analytics_columns[EVENT_COLUMN_COUNT] = {
#define EVENT_COLUMN(symbol, name, type, clickhouse_type, who, kind, minimum, maximum, meaning)                        \
    {#name, &type, clickhouse_type, EVENT_##who, EVENT_KIND_##kind, minimum, maximum, meaning},
#include "domains/analytics/tables.def"
#undef EVENT_COLUMN
};

static const struct block_schema_column schema_columns[EVENT_COLUMN_COUNT] = {
#define EVENT_COLUMN(symbol, name, type, ...) {#name, &type},
#include "domains/analytics/tables.def"
#undef EVENT_COLUMN
};
const struct block_schema analytics_events_schema = {
    .database = "analytics", .table = "events", .columns = schema_columns, .column_count = EVENT_COLUMN_COUNT};

static const struct column_name {
    const char *text;
    size_t size;
    enum analytics_column column;
} column_names[] = {
#define COLUMN_NAME(text, column) {text, sizeof text - 1, EVENT_##column},
#include "domains/analytics/names.def"
#undef COLUMN_NAME
};
#define COLUMN_NAME_SIZE_LIMIT 32

/* Ordered by length first, so that most steps of the search compare one integer. */
static enum analytics_column column_search(struct slice name)
{
    size_t low = 0, high = sizeof column_names / sizeof column_names[0];
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct column_name *at = &column_names[middle];
        int order = name.size != at->size ? (name.size < at->size ? -1 : 1) : memcmp(name.data, at->text, name.size);
        if (order == 0) return at->column;
        if (order < 0) high = middle;
        else low = middle + 1;
    }
    return EVENT_UNKNOWN;
}

static bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

enum analytics_column analytics_column_find(struct slice name)
{
    enum analytics_column column = column_search(name);
    if (column != EVENT_UNKNOWN) return column;
    char snake[COLUMN_NAME_SIZE_LIMIT];
    size_t size = 0;
    if (slice_starts_with(name, SLICE("__"))) name = slice_from(name, 2);
    for (size_t i = 0; i < name.size; i++) {
        if (size + 2 > sizeof snake) return EVENT_UNKNOWN;
        if (is_upper(name.data[i]) && i > 0 && !is_upper(name.data[i - 1])) snake[size++] = '_';
        snake[size++] = is_upper(name.data[i]) ? (char)(name.data[i] + 'a' - 'A') : name.data[i];
    }
    return column_search(slice_make(snake, size));
}
