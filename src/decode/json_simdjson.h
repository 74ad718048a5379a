/* SPDX-License-Identifier: Apache-2.0 */
/* The three calls of simdjson that json.c needs; everything else walks the tape that simdjson leaves behind. */
#ifndef DECODE_JSON_SIMDJSON_H
#define DECODE_JSON_SIMDJSON_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum json_simdjson_result {
    JSON_SIMDJSON_OK,
    JSON_SIMDJSON_NO_MEMORY,
    JSON_SIMDJSON_TOO_DEEP,
    JSON_SIMDJSON_NOT_UTF8,
    JSON_SIMDJSON_BAD_NUMBER, /* malformed, or too large for a double */
    JSON_SIMDJSON_BAD_STRING, /* malformed, or with half a surrogate pair */
    JSON_SIMDJSON_MALFORMED,
};

/* A simdjson::dom::parser; NULL when out of memory. */
void *json_simdjson_create(size_t depth_limit);
void json_simdjson_destroy(void *parser);
/* Bytes of text it can parse without growing; it never shrinks by itself. */
size_t json_simdjson_capacity(const void *parser);
/* `text` must be readable for 64 bytes past `size`. The tape and the strings live until the next call. */
enum json_simdjson_result json_simdjson_parse(void *parser, const char *text, size_t size, const uint64_t **ret_tape,
                                              const uint8_t **ret_strings);

#ifdef __cplusplus
}
#endif
#endif
