/* SPDX-License-Identifier: Apache-2.0 */
/* What is known about each kind of type: its name in ClickHouse, its width, its shape, what it may hold. */
#include "block/block_private.h"

#define SCALAR(label, bytes, form, low, high) \
    {.name = label, .width = bytes, .shape = BLOCK_SHAPE_##form, .minimum = low, .maximum = high}
#define UNSIGNED(label, bytes, high) SCALAR(label, bytes, UINT, 0, high)

/* Decimals hold as many digits as their precision says, not what their bytes could. */
const struct block_kind_info block_kinds[BLOCK_KIND_COUNT] = {
    [BLOCK_UINT8] = UNSIGNED("UInt8", 1, UINT8_MAX),
    [BLOCK_UINT16] = UNSIGNED("UInt16", 2, UINT16_MAX),
    [BLOCK_UINT32] = UNSIGNED("UInt32", 4, UINT32_MAX),
    [BLOCK_UINT64] = UNSIGNED("UInt64", 8, UINT64_MAX),
    [BLOCK_INT8] = SCALAR("Int8", 1, INT, INT8_MIN, INT8_MAX),
    [BLOCK_INT16] = SCALAR("Int16", 2, INT, INT16_MIN, INT16_MAX),
    [BLOCK_INT32] = SCALAR("Int32", 4, INT, INT32_MIN, INT32_MAX),
    [BLOCK_INT64] = SCALAR("Int64", 8, INT, INT64_MIN, INT64_MAX),
    [BLOCK_FLOAT32] = SCALAR("Float32", 4, DOUBLE, 0, 0),
    [BLOCK_FLOAT64] = SCALAR("Float64", 8, DOUBLE, 0, 0),
    [BLOCK_BOOL] = UNSIGNED("Bool", 1, 1),
    [BLOCK_DECIMAL32] = SCALAR("Decimal", 4, INT, -999999999, 999999999),
    [BLOCK_DECIMAL64] = SCALAR("Decimal", 8, INT, -999999999999999999, 999999999999999999),
    [BLOCK_DECIMAL128] = SCALAR("Decimal", 16, INT128, 0, 0),
    [BLOCK_STRING] = SCALAR("String", 0, STRING, 0, 0),
    [BLOCK_FIXED_STRING] = SCALAR("FixedString", 0, FIXED_STRING, 0, 0),
    [BLOCK_UUID] = SCALAR("UUID", 16, UUID, 0, 0),
    [BLOCK_DATE] = UNSIGNED("Date", 2, UINT16_MAX),
    [BLOCK_DATETIME] = UNSIGNED("DateTime", 4, UINT32_MAX),
    [BLOCK_DATETIME64] = SCALAR("DateTime64", 8, INT, INT64_MIN, INT64_MAX),
    [BLOCK_ENUM8] = SCALAR("Enum8", 1, INT, INT8_MIN, INT8_MAX),
    [BLOCK_IPV4] = UNSIGNED("IPv4", 4, UINT32_MAX),
    [BLOCK_IPV6] = SCALAR("IPv6", 16, IPV6, 0, 0),
    [BLOCK_NULLABLE] = {.name = "Nullable", .holds_others = true},
    [BLOCK_LOW_CARDINALITY] = {.name = "LowCardinality", .holds_others = true},
    [BLOCK_ARRAY] = {.name = "Array", .width = 8, .shape = BLOCK_SHAPE_ARRAY, .holds_others = true},
    [BLOCK_MAP] = {.name = "Map", .width = 8, .shape = BLOCK_SHAPE_MAP, .holds_others = true},
};

static bool type_may_be_low_cardinality(const struct block_type *type)
{
    switch (type->kind) {
    case BLOCK_DECIMAL32:
    case BLOCK_DECIMAL64:
    case BLOCK_DECIMAL128:
    case BLOCK_DATETIME64:
    case BLOCK_ENUM8:
        return false;
    default:
        return !block_kinds[type->kind].holds_others;
    }
}

static int decimal_precision(enum block_kind kind)
{
    return kind == BLOCK_DECIMAL32 ? 9 : kind == BLOCK_DECIMAL64 ? 18 : 38;
}

static bool type_is_valid_at(const struct block_type *type, int depth)
{
    if (!type || (unsigned)type->kind >= BLOCK_KIND_COUNT || depth > BLOCK_TYPE_DEPTH_LIMIT) return false;
    const struct block_type *inner = type->inner;
    switch (type->kind) {
    case BLOCK_DECIMAL32:
    case BLOCK_DECIMAL64:
    case BLOCK_DECIMAL128:
        return type->parameter >= 0 && type->parameter <= decimal_precision(type->kind);
    case BLOCK_FIXED_STRING:
        return type->parameter > 0 && type->parameter <= BLOCK_FIXED_STRING_LIMIT;
    case BLOCK_DATETIME64:
        return type->parameter >= 0 && type->parameter <= 9;
    case BLOCK_ENUM8:
        return type->enum_names && type->enum_names[0].name;
    case BLOCK_NULLABLE:
        return type_is_valid_at(inner, depth + 1) && !block_kinds[inner->kind].holds_others;
    case BLOCK_LOW_CARDINALITY:
        if (!type_is_valid_at(inner, depth + 1)) return false;
        return type_may_be_low_cardinality(inner->kind == BLOCK_NULLABLE ? inner->inner : inner);
    case BLOCK_ARRAY:
        return type_is_valid_at(inner, depth + 1);
    case BLOCK_MAP: {
        if (!type_is_valid_at(inner, depth + 1) || !type_is_valid_at(type->key, depth + 1)) return false;
        const struct block_type *key = type->key->kind == BLOCK_LOW_CARDINALITY ? type->key->inner : type->key;
        return !block_kinds[key->kind].holds_others;
    }
    default:
        return true;
    }
}

bool block_type_is_valid(const struct block_type *type)
{
    return type_is_valid_at(type, 0);
}

/* ClickHouse escapes quotes, backslashes and control characters in the names of an Enum. */
static void write_quoted(const char *text, struct buffer *out)
{
    static const char letters[] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r', ['\''] = '\'', ['\\'] = '\\'};
    buffer_append_byte(out, '\'');
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        char letter = byte < sizeof letters ? letters[byte] : 0;
        if (letter) buffer_append_byte(out, '\\');
        buffer_append_byte(out, letter ? letter : *text);
    }
    buffer_append_byte(out, '\'');
}

/* ClickHouse lists the names of an Enum by value, however they were declared. */
static void write_enum_names(const struct block_enum_name *names, struct buffer *out)
{
    const char *separator = "";
    for (int value = INT8_MIN; value <= INT8_MAX; value++) {
        for (const struct block_enum_name *entry = names; entry->name; entry++) {
            if (entry->value != value) continue;
            buffer_append_string(out, separator);
            write_quoted(entry->name, out);
            buffer_printf(out, " = %d", value);
            separator = ", ";
        }
    }
}

void block_type_write_name(const struct block_type *type, struct buffer *out)
{
    const struct block_kind_info *info = &block_kinds[type->kind];
    buffer_append_string(out, info->name);
    switch (type->kind) {
    case BLOCK_DECIMAL32:
    case BLOCK_DECIMAL64:
    case BLOCK_DECIMAL128:
        buffer_printf(out, "(%d, %d)", decimal_precision(type->kind), type->parameter);
        return;
    case BLOCK_FIXED_STRING:
        buffer_printf(out, "(%d)", type->parameter);
        return;
    case BLOCK_DATETIME:
        buffer_append_string(out, "('UTC')");
        return;
    case BLOCK_DATETIME64:
        buffer_printf(out, "(%d, 'UTC')", type->parameter);
        return;
    case BLOCK_ENUM8:
        buffer_append_byte(out, '(');
        write_enum_names(type->enum_names, out);
        buffer_append_byte(out, ')');
        return;
    default:
        break;
    }
    if (!info->holds_others) return;
    buffer_append_byte(out, '(');
    if (type->kind == BLOCK_MAP) {
        block_type_write_name(type->key, out);
        buffer_append_string(out, ", ");
    }
    block_type_write_name(type->inner, out);
    buffer_append_byte(out, ')');
}

uint64_t block_schema_fingerprint(const struct block_schema *schema)
{
    struct buffer text = {0};
    struct buffer type = {0};
    for (size_t i = 0; i < schema->column_count; i++) {
        const struct block_schema_column *column = &schema->columns[i];
        buffer_clear(&type);
        block_type_write_name(column->type, &type);
        /* Lengths in front, so that no name can pass for the end of another. */
        buffer_append_varint(&text, strlen(column->name));
        buffer_append_string(&text, column->name);
        buffer_append_varint(&text, type.size);
        buffer_append_slice(&text, buffer_slice(&type));
        ASSERT(!type.failed);
    }
    ASSERT(!text.failed); /* made at start, a few kilobytes: without them nothing else would work either */
    uint64_t fingerprint = slice_hash(buffer_slice(&text));
    buffer_free(&type);
    buffer_free(&text);
    return fingerprint;
}
