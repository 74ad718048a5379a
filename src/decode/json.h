/* SPDX-License-Identifier: Apache-2.0 */
/* JSON text to values one can walk: a thin C face of simdjson's DOM, which checks the whole text first. */
#ifndef DECODE_JSON_H
#define DECODE_JSON_H

#include "base/error.h"
#include "base/slice.h"

/*
 * Model: a parser owns the parsed document; parsing again ends the life of all values of the one before. One parser per
 * thread. Values are small handles, passed by value. Strings point into the parser. The text must be readable for
 * JSON_PADDING bytes past its end (request bodies are). Depth over JSON_DEPTH_LIMIT is refused.
 */
#define JSON_PADDING 64
#define JSON_DEPTH_LIMIT 128 /* deeper nesting is an attack on recursion; one value inside another takes three levels in OTLP */

struct json_parser;
struct json_value { const void *document; size_t index; };
enum json_type { JSON_NULL, JSON_BOOL, JSON_INT, JSON_UINT, JSON_DOUBLE, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_parser *json_parser_create(void); /* NULL when out of memory */
void json_parser_destroy(struct json_parser *parser);
/* After a document, for who keeps a parser: what one of more than 8 MiB took (some 13 times its text) is given back now, not when a small one comes. Values
 * of the document are no more. */
void json_parser_rest(struct json_parser *parser);
/* ERROR_INVALID with the reason and, where known, the byte offset; ERROR_MEMORY. Trailing bytes are refused. */
enum error_code json_parse(struct json_parser *parser, struct slice padded_text, struct json_value *ret_root,
                           struct error *error) MUST_CHECK;
/* As json_parse, but half of a surrogate pair, and each byte that is no UTF-8, is read as U+FFFD: for telemetry, whose senders
 * cut text where they like and never repeat what was refused. At most JSON_REPAIR_BYTES such bytes, which bounds the copy
 * that has to be made; text without any costs nothing more. */
#define JSON_REPAIR_BYTES (1u << 20)
enum error_code json_parse_repaired(struct json_parser *parser, struct slice padded_text, struct json_value *ret_root,
                                    struct error *error) MUST_CHECK;

enum json_type json_value_type(struct json_value value);
bool json_value_bool(struct json_value value);          /* the getters assert the type */
int64_t json_value_int(struct json_value value);        /* JSON_INT: fits int64 */
uint64_t json_value_uint(struct json_value value);      /* JSON_UINT: only for values above INT64_MAX */
double json_value_double(struct json_value value);      /* JSON_DOUBLE, JSON_INT or JSON_UINT */
struct slice json_value_string(struct json_value value);

/* `struct json_iterator it = json_iterate(v); while (json_next(&it, &key, &child)) ...`; in arrays the key is empty. */
struct json_iterator { struct json_value next; size_t end_index; bool object; };
struct json_iterator json_iterate(struct json_value array_or_object);
bool json_next(struct json_iterator *iterator, struct slice *key, struct json_value *child);
/* First member of that name; false when absent. Linear: for envelopes, not for hot loops. */
bool json_object_get(struct json_value object, struct slice key, struct json_value *ret_value);
size_t json_array_size(struct json_value array);
/* The value as JSON text, appended. */
struct buffer;
void json_value_write(struct json_value value, struct buffer *out);

#endif
