/* SPDX-License-Identifier: Apache-2.0 */
/* Joins rows that are already streams: of another block, or of bytes the spool kept. */
#include "block/block_private.h"

/* Adds `rows` rows, one slice per stream, which are known to be well-formed. Offsets count from this column's own
 * elements. */
static void column_append_streams(struct block_column *column, size_t rows,
                                  const struct slice streams[BLOCK_STREAM_LIMIT])
{
    uint64_t added[BLOCK_STREAM_LIMIT] = {rows};
    column->nodes[0].before_at = 0; /* the first value of every set of streams is whole, so joining them is copying */
    /* Parents stand before their children: while offsets are rebased the children's counts are still the old ones. */
    for (size_t n = 0; n < column->node_count; n++) {
        struct block_node *node = &column->nodes[n];
        struct slice source = streams[node->stream];
        if (node->null_stream != BLOCK_NO_STREAM)
            buffer_append_slice(&column->streams[node->null_stream].bytes, streams[node->null_stream]);
        if (!block_node_is_container(node)) {
            buffer_append_slice(&column->streams[node->stream].bytes, source);
            node->count += added[n];
            continue;
        }
        uint64_t base = column->nodes[node->inner].count;
        uint64_t end = 0;
        struct block_stream *offsets = &column->streams[node->stream];
        char *room = source.size ? block_stream_room(offsets, source.size) : NULL;
        for (size_t at = 0; at < source.size; at += sizeof end) {
            memcpy(&end, source.data + at, sizeof end);
            uint64_t rebased = base + end;
            if (room) memcpy(room + at, &rebased, sizeof rebased);
        }
        if (room) offsets->bytes.size += source.size;
        node->count += added[n];
        added[node->inner] = end;
        if (node->shape == BLOCK_SHAPE_MAP) added[node->key] = end;
    }
}

static void target_begin(struct block *target)
{
    ASSERT(target->appendable && target->appended == 0);
    for (size_t i = 0; i < target->column_count; i++) block_column_catch_up(&target->columns[i], target->rows);
}

static enum error_code target_end(struct block *target, size_t rows, struct error *error)
{
    target->rows += rows;
    for (size_t i = 0; i < target->column_count; i++) target->columns[i].rows = target->rows;
    if (!block_failed(target)) return ERROR_NONE;
    return error_set(error, ERROR_MEMORY, "no memory to join %zu rows of %s.%s", target->rows, target->schema->database,
                     target->schema->table);
}

enum error_code block_append_block(struct block *target, const struct block *source, struct error *error)
{
    ASSERT(source->sealed);
    ASSERT(target->schema == source->schema ||
           block_schema_fingerprint(target->schema) == block_schema_fingerprint(source->schema));
    target_begin(target);
    for (size_t i = 0; i < target->column_count; i++) {
        struct slice streams[BLOCK_STREAM_LIMIT];
        for (size_t s = 0; s < source->columns[i].stream_count; s++)
            streams[s] = buffer_slice(&source->columns[i].streams[s].bytes);
        column_append_streams(&target->columns[i], source->rows, streams);
    }
    return target_end(target, source->rows, error);
}

void block_write_streams(const struct block *block, struct buffer *out)
{
    ASSERT(block->sealed);
    if (!buffer_reserve(out, block_bytes(block) + block->column_count * 4)) return;
    for (size_t i = 0; i < block->column_count; i++) {
        const struct block_column *column = &block->columns[i];
        for (size_t s = 0; s < column->stream_count; s++) {
            buffer_append_varint(out, column->streams[s].bytes.size);
            buffer_append_slice(out, buffer_slice(&column->streams[s].bytes));
        }
    }
}

/* Cuts the streams of one column off the front of `*bytes`. */
static bool column_take_streams(const struct block_column *column, struct slice *bytes,
                                struct slice ret_streams[BLOCK_STREAM_LIMIT])
{
    for (size_t s = 0; s < column->stream_count; s++) {
        uint64_t size;
        if (!block_varint_take(bytes, &size) || size > bytes->size) return false;
        ret_streams[s] = slice_first(*bytes, size);
        *bytes = slice_from(*bytes, size);
    }
    return true;
}

/* What is wrong with `count` plain values held in `values`, or NULL. */
static const char *check_values(const struct block_node *node, struct slice values, uint64_t count)
{
    if (node->shape == BLOCK_SHAPE_STRING) {
        bool has_before = false;
        for (; count > 0; count--) {
            uint64_t size;
            if (node->may_repeat && has_before && block_take_repeat(&values)) continue;
            if (!block_varint_take(&values, &size) || size > values.size) return "a string runs past the end";
            values = slice_from(values, size);
            has_before = true;
        }
        return values.size ? "bytes after the last string" : NULL;
    }
    if (values.size % node->width || values.size / node->width != count)
        return "the values have not the size of the rows";
    if (node->kind == BLOCK_BOOL)
        for (size_t i = 0; i < values.size; i++)
            if ((uint8_t)values.data[i] > 1) return "a Bool is neither 0 nor 1";
    return NULL;
}

static const char *check_nulls(struct slice nulls, uint64_t count)
{
    if (nulls.size != count) return "the null map has not the size of the rows";
    for (size_t i = 0; i < nulls.size; i++)
        if ((uint8_t)nulls.data[i] > 1) return "a null map holds neither 0 nor 1";
    return NULL;
}

static const char *check_offsets(struct slice offsets, uint64_t count, uint64_t *ret_elements)
{
    if (offsets.size % sizeof(uint64_t) || offsets.size / sizeof(uint64_t) != count)
        return "the offsets have not the size of the rows";
    uint64_t before = 0;
    for (size_t at = 0; at < offsets.size; at += sizeof(uint64_t)) {
        uint64_t end;
        memcpy(&end, offsets.data + at, sizeof end);
        if (end < before) return "offsets go backwards";
        before = end;
    }
    *ret_elements = before;
    return NULL;
}

static const char *check_column(const struct block_column *column, uint64_t rows,
                                const struct slice streams[BLOCK_STREAM_LIMIT])
{
    uint64_t counts[BLOCK_STREAM_LIMIT] = {rows};
    for (size_t n = 0; n < column->node_count; n++) {
        const struct block_node *node = &column->nodes[n];
        const char *reason = NULL;
        if (node->null_stream != BLOCK_NO_STREAM) reason = check_nulls(streams[node->null_stream], counts[n]);
        if (reason) return reason;
        if (block_node_is_container(node)) {
            reason = check_offsets(streams[node->stream], counts[n], &counts[node->inner]);
            if (node->shape == BLOCK_SHAPE_MAP) counts[node->key] = counts[node->inner];
        } else {
            reason = check_values(node, streams[node->stream], counts[n]);
        }
        if (reason) return reason;
    }
    return NULL;
}

enum error_code block_read_streams(struct block *target, uint64_t rows, struct slice bytes, struct error *error)
{
    struct slice streams[BLOCK_STREAM_LIMIT];
    struct slice rest = bytes;
    /* All is checked before anything is appended, so that a refusal leaves the target as it was. */
    for (size_t i = 0; i < target->column_count; i++) {
        const char *reason = "a stream runs past the end";
        if (column_take_streams(&target->columns[i], &rest, streams))
            reason = check_column(&target->columns[i], rows, streams);
        if (reason)
            return error_set(error, ERROR_CORRUPT, "column %s of %s.%s: %s", target->schema->columns[i].name,
                             target->schema->database, target->schema->table, reason);
    }
    if (rest.size)
        return error_set(error, ERROR_CORRUPT, "%zu bytes after the last column of %s.%s", rest.size,
                         target->schema->database, target->schema->table);
    target_begin(target);
    for (size_t i = 0; i < target->column_count; i++) {
        bool taken = column_take_streams(&target->columns[i], &bytes, streams);
        ASSERT(taken);
        column_append_streams(&target->columns[i], rows, streams);
    }
    return target_end(target, rows, error);
}
