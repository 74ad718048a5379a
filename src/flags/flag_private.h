/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share. */
#ifndef FLAGS_FLAG_PRIVATE_H
#define FLAGS_FLAG_PRIVATE_H

#include "flags/flag.h"

/* For sorting and searching lists of values. */
int flag_value_compare(const void *left, const void *right);
/* Copies the text of a value into the arena. */
struct flag_value flag_value_read(struct arena *arena, struct json_value json);

/* Parts of a row, each a JSON text of its own. ERROR_INVALID names the part and its member. */
enum error_code flag_rules_compile(struct arena *arena, struct json_parser *parser, struct slice json, struct flag_rules *rules,
                                   struct error *error) MUST_CHECK;
enum error_code flag_variants_compile(struct arena *arena, struct json_parser *parser, struct slice json, struct flag *flag,
                                      struct error *error) MUST_CHECK;
enum error_code flag_schedule_compile(struct arena *arena, struct json_parser *parser, struct slice json, struct flag *flag,
                                      struct error *error) MUST_CHECK;
/* The text must not be empty; it is copied with padding. */
enum error_code flag_json_parse(struct arena *arena, struct json_parser *parser, const char *field, struct slice text,
                                struct json_value *ret_value, struct error *error) MUST_CHECK;

#endif
