/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes in questions: conditions over them, and what was stored as text with its types again. */
#ifndef DOMAINS_OBSERVABILITY_ASK_ATTRIBUTES_H
#define DOMAINS_OBSERVABILITY_ASK_ATTRIBUTES_H

#include "block/native_reader.h"
#include "query/condition.h"
#include "query/context.h"

/*
 * Conditions, as a member of the body or as JSON text in the address:
 *   {"user.id": "u7", "retries": {"operator": "gt", "value": 3}, "zone": ["a", "b"]}
 *   [{"key": "retries", "operator": "gte", "value": 3}, {"key": "retries", "operator": "lt", "value": 9}]
 * Operators are those of query/condition.h; without one it is equality, with any of a list's values. Numbers with a fraction and
 * gt, gte, lt, lte compare as numbers, everything else as the text that is stored (docs/logs.md). Appends " AND (..)" for each.
 */
#define ASK_ATTRIBUTE_LIMIT 32      /* conditions of one question */
#define ASK_ATTRIBUTE_KEY_BYTES 512
enum ask_attributes_kind { ASK_ATTRIBUTES_MAP, ASK_ATTRIBUTES_JSON }; /* a Map column, or a JSON object as text */
enum error_code ask_attributes_write(struct query_context *context, struct query_text *text, const char *name, const char *column,
                                     enum ask_attributes_kind kind, struct error *error) MUST_CHECK;

/* A Map and its letters (tables.def) as a JSON object with the types that were sent. */
void ask_attributes_write_json(struct json_writer *writer, const struct native_value *map, struct slice letters);
/* Text by its letter; what is no value of that type stays text. */
void ask_value_write_json(struct json_writer *writer, struct slice value, char letter);
/* Text that is a JSON object; null when it is not one: nothing else is let into an answer. `parser` may be used for many. */
void ask_object_write_json(struct json_writer *writer, struct json_parser *parser, struct buffer *scratch, struct slice value);

/* Refuses names, in the address or the body, that the question does not know: a filter that is dropped silently lies. */
struct domain_word;
enum error_code ask_check_names(const struct query_context *context, const struct domain_word *words, struct error *error) MUST_CHECK;

#endif
