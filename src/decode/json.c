/* SPDX-License-Identifier: Apache-2.0 */
/* Walks the tape simdjson writes: a value is one or two 64-bit words, so a step to the next one is an addition. */
#include "decode/json.h"

#include <stdlib.h>

#include "base/buffer.h"
#include "base/json_writer.h"
#include "decode/json_locate.h"
#include "decode/json_repair.h"
#include "decode/json_simdjson.h"

/*
 * The tape (simdjson, doc/tape.md): word 0 is the root; then the values in the order of the text. The top byte of a
 * word is its kind, the other 56 bits its payload.
 *   { [   payload: bits 0-31 index of the word after the matching bracket, bits 32-55 number of children (saturated)
 *   } ]   payload: index of the opening word
 *   "     payload: offset in the string buffer, where a 32-bit length, the bytes and a zero stand
 *   l u d the value is the next word: int64, uint64, double
 *   t f n true, false, null
 */
struct json_parser {
    void *simdjson;
    const uint64_t *tape;
    const uint8_t *strings;
};

/* After a larger document than this the parser's memory (about 13 times the text) is given back before the next one. */
#define JSON_KEPT_CAPACITY_BYTES (1u << 20)
/* And after one larger than this at once: below it, who sends large ones sends the next soon, and fresh pages for it cost as much as parsing. */
#define JSON_RESTING_CAPACITY_BYTES (8u << 20)
#define JSON_COUNT_SATURATED 0xffffffu

static inline uint64_t json_word(struct json_value value)
{
    return ((const struct json_parser *)value.document)->tape[value.index];
}
static inline char json_kind(uint64_t word) { return (char)(word >> 56); }
static inline uint64_t json_payload(uint64_t word) { return word & 0x00ffffffffffffffu; }

static inline size_t json_index_after(uint64_t word, size_t index)
{
    switch (json_kind(word)) {
    case '{': case '[': return (uint32_t)word;
    case 'l': case 'u': case 'd': return index + 2;
    default: return index + 1;
    }
}

static struct slice json_string_at(const struct json_parser *parser, uint64_t word)
{
    const uint8_t *string = parser->strings + json_payload(word);
    uint32_t size;
    memcpy(&size, string, sizeof size);
    return slice_make(string + sizeof size, size);
}

struct json_parser *json_parser_create(void)
{
    struct json_parser *parser = calloc(1, sizeof *parser);
    if (!parser) return NULL;
    parser->simdjson = json_simdjson_create(JSON_DEPTH_LIMIT);
    if (!parser->simdjson) {
        free(parser);
        return NULL;
    }
    return parser;
}

void json_parser_destroy(struct json_parser *parser)
{
    if (!parser) return;
    json_simdjson_destroy(parser->simdjson);
    free(parser);
}

/* False when out of memory; the parser stays as it was. */
static bool json_parser_shrink(struct json_parser *parser, size_t text_size)
{
    if (text_size > JSON_KEPT_CAPACITY_BYTES || json_simdjson_capacity(parser->simdjson) <= JSON_KEPT_CAPACITY_BYTES)
        return true;
    void *smaller = json_simdjson_create(JSON_DEPTH_LIMIT);
    if (!smaller) return false;
    json_simdjson_destroy(parser->simdjson);
    parser->simdjson = smaller;
    return true;
}

void json_parser_rest(struct json_parser *parser)
{
    if (json_simdjson_capacity(parser->simdjson) <= JSON_RESTING_CAPACITY_BYTES) return;
    bool is_small = json_parser_shrink(parser, 0);
    (void)is_small; /* without memory for a smaller one it stays, and the next document tries again */
}

static enum error_code json_set_malformed(struct slice text, enum json_simdjson_result result, struct error *error)
{
    struct json_fault fault;
    if (!json_locate(text, &fault))
        return error_set(error, ERROR_INVALID, "the JSON text is malformed: %s",
                         result == JSON_SIMDJSON_BAD_NUMBER ? "a number is too large for a double"
                         : result == JSON_SIMDJSON_BAD_STRING ? "a string holds half of a surrogate pair"
                                                              : "simdjson refuses it");
    return error_set(error, ERROR_INVALID, "the JSON text is malformed: %s at byte %zu (line %zu, column %zu)",
                     fault.reason, fault.offset, fault.line, fault.column);
}

static enum error_code json_try(struct json_parser *parser, struct slice padded_text, struct json_value *ret_root,
                                enum json_simdjson_result *ret_result, struct error *error)
{
    *ret_result = JSON_SIMDJSON_MALFORMED;
    if (slice_trim(padded_text).size == 0) return error_set(error, ERROR_INVALID, "the JSON text is empty");
    if (!json_parser_shrink(parser, padded_text.size))
        return error_set(error, ERROR_MEMORY, "not enough memory to parse %zu bytes of JSON", padded_text.size);
    *ret_result =
        json_simdjson_parse(parser->simdjson, padded_text.data, padded_text.size, &parser->tape, &parser->strings);
    switch (*ret_result) {
    case JSON_SIMDJSON_OK:
        *ret_root = (struct json_value){parser, 1};
        return ERROR_NONE;
    case JSON_SIMDJSON_NO_MEMORY:
        return error_set(error, ERROR_MEMORY, "not enough memory to parse %zu bytes of JSON", padded_text.size);
    case JSON_SIMDJSON_TOO_DEEP:
        return error_set(error, ERROR_INVALID, "the JSON text is nested deeper than %d levels", JSON_DEPTH_LIMIT);
    case JSON_SIMDJSON_NOT_UTF8:
        return error_set(error, ERROR_INVALID, "the JSON text is not UTF-8");
    default:
        return json_set_malformed(padded_text, *ret_result, error);
    }
}

enum error_code json_parse(struct json_parser *parser, struct slice padded_text, struct json_value *ret_root,
                           struct error *error)
{
    enum json_simdjson_result result;
    return json_try(parser, padded_text, ret_root, &result, error);
}

enum error_code json_parse_repaired(struct json_parser *parser, struct slice padded_text, struct json_value *ret_root,
                                    struct error *error)
{
    enum json_simdjson_result result;
    enum error_code code = json_try(parser, padded_text, ret_root, &result, error);
    if (result != JSON_SIMDJSON_NOT_UTF8 && result != JSON_SIMDJSON_BAD_STRING) return code;
    struct buffer repaired = {0};
    if (!json_repair(padded_text, JSON_REPAIR_BYTES, &repaired)) {
        code = error_set(error, ERROR_INVALID, "the JSON text is not UTF-8: more than %u of its bytes do not belong",
                         JSON_REPAIR_BYTES);
    } else {
        size_t size = repaired.size;
        buffer_append_zeros(&repaired, JSON_PADDING);
        code = repaired.failed ? error_set(error, ERROR_MEMORY, "not enough memory to parse %zu bytes of JSON", size)
                               : json_try(parser, slice_first(buffer_slice(&repaired), size), ret_root, &result, error);
    }
    buffer_free(&repaired); /* the parser has copied every string */
    return code;
}

enum json_type json_value_type(struct json_value value)
{
    switch (json_kind(json_word(value))) {
    case '{': return JSON_OBJECT;
    case '[': return JSON_ARRAY;
    case '"': return JSON_STRING;
    case 'l': return JSON_INT;
    case 'u': return JSON_UINT;
    case 'd': return JSON_DOUBLE;
    case 't': case 'f': return JSON_BOOL;
    default: return JSON_NULL;
    }
}

bool json_value_bool(struct json_value value)
{
    ASSERT(json_value_type(value) == JSON_BOOL);
    return json_kind(json_word(value)) == 't';
}

static uint64_t json_second_word(struct json_value value)
{
    return ((const struct json_parser *)value.document)->tape[value.index + 1];
}

int64_t json_value_int(struct json_value value)
{
    ASSERT(json_value_type(value) == JSON_INT);
    return (int64_t)json_second_word(value);
}

uint64_t json_value_uint(struct json_value value)
{
    ASSERT(json_value_type(value) == JSON_UINT);
    return json_second_word(value);
}

double json_value_double(struct json_value value)
{
    enum json_type type = json_value_type(value);
    uint64_t word = json_second_word(value);
    if (type == JSON_INT) return (double)(int64_t)word;
    if (type == JSON_UINT) return (double)word;
    ASSERT(type == JSON_DOUBLE);
    double number;
    memcpy(&number, &word, sizeof number);
    return number;
}

struct slice json_value_string(struct json_value value)
{
    ASSERT(json_value_type(value) == JSON_STRING);
    return json_string_at(value.document, json_word(value));
}

struct json_iterator json_iterate(struct json_value array_or_object)
{
    uint64_t word = json_word(array_or_object);
    ASSERT(json_kind(word) == '{' || json_kind(word) == '[');
    return (struct json_iterator){
        .next = {array_or_object.document, array_or_object.index + 1},
        .end_index = (uint32_t)word - 1,
        .object = json_kind(word) == '{',
    };
}

bool json_next(struct json_iterator *iterator, struct slice *key, struct json_value *child)
{
    /* Field by field: copying a struct of which one half was just written waits until both halves are in the cache. */
    size_t index = iterator->next.index;
    if (index >= iterator->end_index) return false;
    const struct json_parser *parser = iterator->next.document;
    if (iterator->object) *key = json_string_at(parser, parser->tape[index++]);
    else *key = SLICE_EMPTY;
    child->document = parser;
    child->index = index;
    iterator->next.index = json_index_after(parser->tape[index], index);
    return true;
}

bool json_object_get(struct json_value object, struct slice key, struct json_value *ret_value)
{
    struct json_iterator iterator = json_iterate(object);
    struct slice name;
    struct json_value child;
    while (json_next(&iterator, &name, &child)) {
        if (!slice_equal(name, key)) continue;
        *ret_value = child;
        return true;
    }
    return false;
}

size_t json_array_size(struct json_value array)
{
    uint64_t word = json_word(array);
    ASSERT(json_kind(word) == '[');
    size_t count = (word >> 32) & JSON_COUNT_SATURATED;
    if (count < JSON_COUNT_SATURATED) return count;
    struct json_iterator iterator = json_iterate(array);
    struct slice key;
    struct json_value child;
    for (count = 0; json_next(&iterator, &key, &child);) count++;
    return count;
}

/* Recursion is bounded by JSON_DEPTH_LIMIT. */
static void json_write(struct json_writer *writer, struct json_value value)
{
    struct slice key;
    struct json_value child;
    struct json_iterator iterator;
    switch (json_value_type(value)) {
    case JSON_NULL: json_writer_null(writer); break;
    case JSON_BOOL: json_writer_bool(writer, json_value_bool(value)); break;
    case JSON_INT: json_writer_int(writer, json_value_int(value)); break;
    case JSON_UINT: json_writer_uint(writer, json_value_uint(value)); break;
    case JSON_DOUBLE: json_writer_double(writer, json_value_double(value)); break;
    case JSON_STRING: json_writer_string(writer, json_value_string(value)); break;
    case JSON_ARRAY:
        json_writer_array_begin(writer);
        for (iterator = json_iterate(value); json_next(&iterator, &key, &child);) json_write(writer, child);
        json_writer_array_end(writer);
        break;
    case JSON_OBJECT:
        json_writer_object_begin(writer);
        for (iterator = json_iterate(value); json_next(&iterator, &key, &child);) {
            json_writer_key_slice(writer, key);
            json_write(writer, child);
        }
        json_writer_object_end(writer);
        break;
    }
}

void json_value_write(struct json_value value, struct buffer *out)
{
    struct json_writer writer = {.out = out};
    json_write(&writer, value);
}
