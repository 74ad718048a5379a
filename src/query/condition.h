/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions over one expression: every operator that any dialect knows, in one table. */
#ifndef QUERY_CONDITION_H
#define QUERY_CONDITION_H

#include "query/text.h"

enum query_value_type {
    QUERY_VALUE_TEXT,
    QUERY_VALUE_NUMBER,  /* any number type */
    QUERY_VALUE_TIME,    /* DateTime64 */
    QUERY_VALUE_BOOLEAN,
    QUERY_VALUE_TEXTS,   /* Array(String): a condition holds when it holds for one of them; a negative one, for all */
    QUERY_VALUE_TYPE_COUNT
};
struct query_term { struct slice expression; enum query_value_type type; };

/*
 * Several values: any of them fits for positive operators, none for negative ones. Letter case is ignored by contains,
 * not_contains, starts_with and ends_with, nowhere else. Text compared with a number is read as one; what is no number
 * never fits. Null and "" are the same: absent.
 */
enum query_comparison {
    QUERY_EQUALS, QUERY_EQUALS_NOT, QUERY_HAS, QUERY_HAS_NOT, QUERY_BEGINS, QUERY_ENDS, QUERY_MATCHES,
    QUERY_ABSENT, QUERY_PRESENT, QUERY_GREATER, QUERY_GREATER_EQUAL, QUERY_LESS, QUERY_LESS_EQUAL, QUERY_COMPARISON_COUNT
};
/* By any of its names: is, eq, equals, in (QUERY_EQUALS); isNot, ne, not_equals, not_in, notIn; contains, like; doesNotContain,
 * not_contains; startsWith, starts_with; endsWith, ends_with; regex; isNull, is_null; isNotNull, is_not_null; gt, gte, lt, lte. */
bool query_comparison_find(struct slice name, enum query_comparison *ret_comparison);
const char *query_comparison_name(enum query_comparison comparison); /* ours: "is", "is_not", "contains", .. */
/* Of a negative one the positive one it denies; false for positive ones. */
bool query_comparison_denies(enum query_comparison comparison, enum query_comparison *ret_denied);
bool query_comparison_needs_values(enum query_comparison comparison);

/* How text is to be read before it is compared; QUERY_AS_STORED: by the term's type and the comparison. */
enum query_cast { QUERY_AS_STORED, QUERY_AS_TEXT, QUERY_AS_NUMBER, QUERY_AS_TIME, QUERY_AS_BOOLEAN };

/* Appends one condition in parentheses. ERROR_INVALID names what is wrong with a value. `field` is for messages. */
enum error_code query_condition_write(struct query_text *text, const struct query_term *term, enum query_comparison comparison,
                                      enum query_cast cast, const struct slice *values, size_t value_count, const char *field,
                                      struct error *error) MUST_CHECK;

#endif
