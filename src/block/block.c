/* SPDX-License-Identifier: Apache-2.0 */
/* The open block: columns laid out once, values appended to their streams, rows committed or rolled back. */
#include "block/block_private.h"

static uint8_t column_add_stream(struct block_column *column)
{
    ASSERT(column->stream_count < BLOCK_STREAM_LIMIT);
    return column->stream_count++;
}

/* 0 where the Enum has it, else its smallest value: what ClickHouse takes for a missing one. */
static uint8_t enum_default(const struct block_enum_name *names)
{
    int smallest = names->value;
    for (; names->name; names++) {
        if (names->value == 0) return 0;
        if (names->value < smallest) smallest = names->value;
    }
    return (uint8_t)smallest;
}

static uint8_t column_add_node(struct block_column *column, const struct block_type *type, uint8_t parent)
{
    ASSERT(column->node_count < BLOCK_STREAM_LIMIT);
    uint8_t index = column->node_count++;
    struct block_node *node = &column->nodes[index];
    *node = (struct block_node){.parent = parent, .null_stream = BLOCK_NO_STREAM};
    if (type->kind == BLOCK_LOW_CARDINALITY) {
        node->low_cardinality = true;
        type = type->inner;
    }
    if (type->kind == BLOCK_NULLABLE) {
        node->null_stream = column_add_stream(column);
        type = type->inner;
    }
    const struct block_kind_info *info = &block_kinds[type->kind];
    node->kind = (uint8_t)type->kind;
    node->shape = info->shape;
    node->stream = column_add_stream(column);
    node->width = type->kind == BLOCK_FIXED_STRING ? (uint32_t)type->parameter : info->width;
    node->minimum = info->minimum;
    node->maximum = info->maximum;
    node->may_repeat = index == 0 && node->low_cardinality && node->shape == BLOCK_SHAPE_STRING && node->null_stream == BLOCK_NO_STREAM;
    if (type->kind == BLOCK_ENUM8) node->default_byte = enum_default(type->enum_names);
    if (type->kind == BLOCK_MAP) node->key = column_add_node(column, type->key, index);
    if (type->kind == BLOCK_MAP || type->kind == BLOCK_ARRAY) node->inner = column_add_node(column, type->inner, index);
    return index;
}

struct block *block_create(const struct block_schema *schema)
{
    ASSERT(schema->column_count > 0 && schema->column_count <= BLOCK_COLUMN_LIMIT);
    struct block *block = calloc(1, sizeof *block + schema->column_count * sizeof block->columns[0]);
    if (!block) return NULL;
    block->schema = schema;
    block->appendable = true;
    block->column_count = (uint32_t)schema->column_count;
    for (size_t i = 0; i < block->column_count; i++) {
        ASSERT(block_type_is_valid(schema->columns[i].type));
        block->columns[i].type = schema->columns[i].type;
        column_add_node(&block->columns[i], schema->columns[i].type, 0);
    }
    return block;
}

void block_destroy(struct block *block)
{
    if (!block) return;
    for (size_t i = 0; i < block->column_count; i++)
        for (size_t s = 0; s < block->columns[i].stream_count; s++) buffer_free(&block->columns[i].streams[s].bytes);
    free(block);
}

void block_reset(struct block *block)
{
    for (size_t i = 0; i < block->column_count; i++) {
        struct block_column *column = &block->columns[i];
        column->rows = 0;
        column->current = 0;
        column->nodes[0].before_at = 0;
        for (size_t n = 0; n < column->node_count; n++) column->nodes[n].count = 0;
        for (size_t s = 0; s < column->stream_count; s++) buffer_clear(&column->streams[s].bytes);
    }
    block->rows = 0;
    block->appended = 0;
    block->sealed = false;
    block->appendable = true;
}

bool block_failed(const struct block *block)
{
    for (size_t i = 0; i < block->column_count; i++)
        for (size_t s = 0; s < block->columns[i].stream_count; s++)
            if (block->columns[i].streams[s].bytes.failed) return true;
    return false;
}

size_t block_bytes(const struct block *block)
{
    size_t bytes = 0;
    for (size_t i = 0; i < block->column_count; i++) {
        const struct block_column *column = &block->columns[i];
        const struct block_node *root = &column->nodes[0];
        for (size_t s = 0; s < column->stream_count; s++) bytes += column->streams[s].bytes.size;
        if (root->count >= block->rows) continue;
        size_t default_bytes = (root->width ? root->width : 1) + (root->null_stream != BLOCK_NO_STREAM);
        bytes += (block->rows - root->count) * default_bytes;
    }
    return bytes;
}

static void stream_append_repeated(struct block_stream *stream, uint8_t byte, size_t count)
{
    if (count == 0) return;
    char *room = block_stream_room(stream, count);
    if (!room) return;
    memset(room, byte, count);
    stream->bytes.size += count;
}

static void node_append_defaults(struct block_column *column, struct block_node *node, size_t count)
{
    struct block_stream *stream = &column->streams[node->stream];
    node->before_at = 0;
    if (node->null_stream != BLOCK_NO_STREAM) stream_append_repeated(&column->streams[node->null_stream], 1, count);
    if (block_node_is_container(node)) {
        char *room = block_stream_room(stream, count * sizeof(uint64_t));
        uint64_t end = column->nodes[node->inner].count;
        for (size_t i = 0; room && i < count; i++) memcpy(room + i * sizeof end, &end, sizeof end);
        if (room) stream->bytes.size += count * sizeof end;
    } else {
        stream_append_repeated(stream, node->default_byte, count * (node->width ? node->width : 1));
    }
    node->count += count;
}

void block_column_catch_up(struct block_column *column, size_t rows)
{
    if (column->nodes[0].count < rows) node_append_defaults(column, &column->nodes[0], rows - column->nodes[0].count);
}

/* A column receives its first value of the row begun: from here on a rollback must find the way back. */
static inline void column_row_begin(struct block *block, struct block_column *column)
{
    ASSERT(column->rows <= block->rows); /* exactly once per row */
    column->rows = block->rows + 1;
    block->appended++;
    if (column->nodes[0].count < block->rows) block_column_catch_up(column, block->rows);
    for (size_t s = 0; s < column->stream_count; s++) column->streams[s].mark = column->streams[s].bytes.size;
    for (size_t n = 1; n < column->node_count; n++) column->nodes[n].count_mark = column->nodes[n].count;
}

static inline struct block_column *block_column_at(struct block *block, size_t index)
{
    ASSERT(index < block->column_count && block->appendable);
    return &block->columns[index];
}

/* The node that takes a value next, already counted; its null map is written. */
static inline struct block_node *column_value_begin(struct block *block, struct block_column *column)
{
    struct block_node *node = &column->nodes[column->current];
    if (column->current == 0) column_row_begin(block, column);
    if (node->null_stream != BLOCK_NO_STREAM) {
        struct block_stream *nulls = &column->streams[node->null_stream];
        char *room = block_stream_room(nulls, 1);
        if (room) {
            *room = 0;
            nulls->bytes.size++;
        }
    }
    node->count++;
    return node;
}

/* Room for eight bytes is made whatever the width: one store then serves all integer widths without a branch. */
static inline void node_store(struct block_column *column, const struct block_node *node, uint64_t bits)
{
    struct block_stream *stream = &column->streams[node->stream];
    char *room = block_stream_room(stream, sizeof bits);
    if (!room) return;
    memcpy(room, &bits, sizeof bits);
    stream->bytes.size += node->width;
}

static inline void node_store_bytes(struct block_column *column, const struct block_node *node, const void *data,
                                    size_t size)
{
    struct block_stream *stream = &column->streams[node->stream];
    char *room = size ? block_stream_room(stream, size) : NULL;
    if (!room) return;
    memcpy(room, data, size);
    stream->bytes.size += size;
}

void block_append_uint(struct block *block, size_t column_index, uint64_t value)
{
    struct block_column *column = block_column_at(block, column_index);
    ASSERT(column->nodes[column->current].shape == BLOCK_SHAPE_UINT);
    struct block_node *node = column_value_begin(block, column);
    node_store(column, node, value < node->maximum ? value : node->maximum);
}

void block_append_int(struct block *block, size_t column_index, int64_t value)
{
    struct block_column *column = block_column_at(block, column_index);
    ASSERT(column->nodes[column->current].shape == BLOCK_SHAPE_INT);
    struct block_node *node = column_value_begin(block, column);
    if (value > (int64_t)node->maximum) value = (int64_t)node->maximum;
    if (value < node->minimum) value = node->minimum;
    node_store(column, node, (uint64_t)value);
}

void block_append_int128(struct block *block, size_t column_index, __int128 value)
{
    struct block_column *column = block_column_at(block, column_index);
    ASSERT(column->nodes[column->current].shape == BLOCK_SHAPE_INT128);
    struct block_node *node = column_value_begin(block, column);
    const __int128 ten_to_19 = 10000000000000000000ULL;
    const __int128 maximum = ten_to_19 * ten_to_19 - 1; /* 38 digits */
    if (value > maximum) value = maximum;
    if (value < -maximum) value = -maximum;
    node_store_bytes(column, node, &value, sizeof value);
}

void block_append_double(struct block *block, size_t column_index, double value)
{
    struct block_column *column = block_column_at(block, column_index);
    ASSERT(column->nodes[column->current].shape == BLOCK_SHAPE_DOUBLE);
    struct block_node *node = column_value_begin(block, column);
    uint64_t bits = 0;
    if (node->width == sizeof(float)) {
        float single = (float)value;
        memcpy(&bits, &single, sizeof single);
    } else {
        memcpy(&bits, &value, sizeof value);
    }
    node_store(column, node, bits);
}

static void node_store_string(struct block_column *column, const struct block_node *node, struct slice value)
{
    struct block_stream *stream = &column->streams[node->stream];
    if (node->shape == BLOCK_SHAPE_FIXED_STRING) {
        ASSERT(value.size <= node->width);
        node_store_bytes(column, node, value.data, value.size);
        stream_append_repeated(stream, 0, node->width - value.size);
        return;
    }
    ASSERT(node->shape == BLOCK_SHAPE_STRING);
    char *room = block_stream_room(stream, value.size + 10); /* a varint has at most ten bytes */
    if (!room) return;
    char *start = room;
    uint64_t length = value.size;
    for (; length >= 0x80; length >>= 7) *room++ = (char)(length | 0x80);
    *room++ = (char)length;
    if (value.size) memcpy(room, value.data, value.size);
    stream->bytes.size += (size_t)(room - start) + value.size;
}

/* True when it is the value before, and is written as that. Short ones are not worth it. */
static bool node_store_repeat(struct block_column *column, struct block_node *node, struct slice value)
{
    struct buffer *bytes = &column->streams[node->stream].bytes;
    if (value.size <= BLOCK_REPEAT_SIZE || bytes->failed) {
        node->before_at = 0;
        return false;
    }
    if (node->before_at && node->before_size == value.size && memcmp(bytes->data + node->before_at, value.data, value.size) == 0) {
        node_store_bytes(column, node, BLOCK_REPEAT, BLOCK_REPEAT_SIZE);
        return true;
    }
    size_t length_size = 1; /* of the varint */
    for (uint64_t length = value.size; length >= 0x80; length >>= 7) length_size++;
    node->before_at = bytes->size + length_size;
    node->before_size = value.size;
    return false;
}

void block_append_string(struct block *block, size_t column_index, struct slice value)
{
    struct block_column *column = block_column_at(block, column_index);
    struct block_node *node = column_value_begin(block, column);
    if (node->may_repeat && node_store_repeat(column, node, value)) return;
    node_store_string(column, node, value);
}

/* ClickHouse keeps a UUID as two little-endian numbers, the high half first. */
void block_append_uuid(struct block *block, size_t column_index, const struct uuid *value)
{
    struct block_column *column = block_column_at(block, column_index);
    ASSERT(column->nodes[column->current].shape == BLOCK_SHAPE_UUID);
    struct block_node *node = column_value_begin(block, column);
    uint64_t halves[2];
    memcpy(halves, value->bytes, sizeof halves);
    halves[0] = __builtin_bswap64(halves[0]);
    halves[1] = __builtin_bswap64(halves[1]);
    node_store_bytes(column, node, halves, sizeof halves);
}

void block_append_ipv6(struct block *block, size_t column_index, const uint8_t address[16])
{
    struct block_column *column = block_column_at(block, column_index);
    ASSERT(column->nodes[column->current].shape == BLOCK_SHAPE_IPV6);
    struct block_node *node = column_value_begin(block, column);
    node_store_bytes(column, node, address, 16);
}

void block_append_default(struct block *block, size_t column_index)
{
    struct block_column *column = block_column_at(block, column_index);
    if (column->current != 0) {
        node_append_defaults(column, &column->nodes[column->current], 1);
        return;
    }
    ASSERT(column->rows <= block->rows);
    column->rows = block->rows + 1; /* the streams follow when they must: block_column_catch_up */
    block->appended++;
}

void block_append_null(struct block *block, size_t column_index)
{
    ASSERT(column_index < block->column_count);
    struct block_column *column = &block->columns[column_index];
    ASSERT(column->nodes[column->current].null_stream != BLOCK_NO_STREAM);
    block_append_default(block, column_index);
}

void block_append_defaults_for_missing(struct block *block)
{
    ASSERT(block->appendable);
    block->appended = block->column_count;
    block->appendable = false;
}

static void container_begin(struct block *block, size_t column_index, enum block_shape shape)
{
    struct block_column *column = block_column_at(block, column_index);
    struct block_node *node = &column->nodes[column->current];
    ASSERT(node->shape == shape);
    if (column->current == 0) {
        column_row_begin(block, column);
        block->appended--; /* counts when it ends, so that a commit finds a container left open */
    }
    column->current = node->inner;
}

static void container_end(struct block *block, size_t column_index, enum block_shape shape)
{
    struct block_column *column = block_column_at(block, column_index);
    ASSERT(column->current != 0);
    uint8_t index = column->nodes[column->current].parent;
    struct block_node *node = &column->nodes[index];
    ASSERT(node->shape == shape);
    if (shape == BLOCK_SHAPE_MAP) ASSERT(column->nodes[node->key].count == column->nodes[node->inner].count);
    node_store(column, node, column->nodes[node->inner].count);
    node->count++;
    column->current = index;
    if (index == 0) block->appended++;
}

void block_array_begin(struct block *block, size_t column)
{
    container_begin(block, column, BLOCK_SHAPE_ARRAY);
}

void block_array_end(struct block *block, size_t column)
{
    container_end(block, column, BLOCK_SHAPE_ARRAY);
}

void block_map_begin(struct block *block, size_t column)
{
    container_begin(block, column, BLOCK_SHAPE_MAP);
}

void block_map_key(struct block *block, size_t column_index, struct slice key)
{
    struct block_column *column = block_column_at(block, column_index);
    ASSERT(column->current != 0);
    struct block_node *map = &column->nodes[column->nodes[column->current].parent];
    ASSERT(map->shape == BLOCK_SHAPE_MAP);
    struct block_node *node = &column->nodes[map->key];
    ASSERT(node->count == column->nodes[map->inner].count); /* the key before has its value */
    node_store_string(column, node, key);
    node->count++;
}

void block_map_end(struct block *block, size_t column)
{
    container_end(block, column, BLOCK_SHAPE_MAP);
}

void block_row_commit(struct block *block)
{
    ASSERT(!block->sealed && block->appended == block->column_count);
    block->rows++;
    block->appended = 0;
    block->appendable = true;
}

void block_row_rollback(struct block *block)
{
    ASSERT(!block->sealed);
    for (size_t i = 0; i < block->column_count; i++) {
        struct block_column *column = &block->columns[i];
        if (column->rows <= block->rows) continue;
        column->rows = block->rows;
        /* A lazy default left nothing; anything else has moved the streams or opened a container. */
        if (column->nodes[0].count <= block->rows && column->current == 0) continue;
        column->current = 0;
        column->nodes[0].before_at = 0;
        column->nodes[0].count = block->rows;
        for (size_t n = 1; n < column->node_count; n++) column->nodes[n].count = column->nodes[n].count_mark;
        for (size_t s = 0; s < column->stream_count; s++)
            buffer_truncate(&column->streams[s].bytes, column->streams[s].mark);
    }
    block->appended = 0;
    block->appendable = true;
}

void block_mark(struct block *block)
{
    ASSERT(!block->sealed && block->appended == 0);
    block->rewind_rows = block->rows;
    for (size_t i = 0; i < block->column_count; i++) {
        struct block_column *column = &block->columns[i];
        for (size_t n = 0; n < column->node_count; n++) column->nodes[n].rewind_mark = column->nodes[n].count;
        for (size_t s = 0; s < column->stream_count; s++) column->streams[s].rewind_mark = column->streams[s].bytes.size;
    }
}

void block_rewind(struct block *block)
{
    block_row_rollback(block);
    for (size_t i = 0; i < block->column_count; i++) {
        struct block_column *column = &block->columns[i];
        column->rows = block->rewind_rows;
        column->nodes[0].before_at = 0;
        for (size_t n = 0; n < column->node_count; n++) column->nodes[n].count = column->nodes[n].rewind_mark;
        for (size_t s = 0; s < column->stream_count; s++) buffer_truncate(&column->streams[s].bytes, column->streams[s].rewind_mark);
    }
    block->rows = block->rewind_rows;
}

enum error_code block_seal(struct block *block, struct error *error)
{
    ASSERT(!block->sealed && block->appended == 0);
    for (size_t i = 0; i < block->column_count; i++) {
        ASSERT(block->columns[i].current == 0);
        block_column_catch_up(&block->columns[i], block->rows);
        block->columns[i].rows = block->rows;
    }
    if (block_failed(block))
        return error_set(error, ERROR_MEMORY, "no memory for %zu rows of %s.%s", block->rows, block->schema->database,
                         block->schema->table);
    block->sealed = true;
    block->appendable = false;
    return ERROR_NONE;
}
