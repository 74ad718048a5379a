/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and strings as PromQL writes them. Private to promql/. */
#ifndef PROMQL_PARSE_TEXT_H
#define PROMQL_PARSE_TEXT_H

#include "base/arena.h"

/* "0x1f", "017" (octal, as Go reads it), "1e3", "Inf", "NaN". */
bool promql_number_parse(struct slice text, double *value);
/* As Go's strconv.ParseFloat: what the label "le" of a bucket has. */
bool promql_float_parse(struct slice text, double *value);
/* The value of a quoted text into the arena; what is wrong with it, or NULL. */
const char *promql_unquote(struct arena *arena, struct slice quoted, struct slice *value);

#endif
