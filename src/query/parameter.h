/* SPDX-License-Identifier: Apache-2.0 */
/* Values of statement parameters in the form the store's drivers take them. */
#ifndef QUERY_PARAMETER_H
#define QUERY_PARAMETER_H

#include "query/query.h"

/* The value of a parameter of type Array(String); empty when out of memory, which no list is. */
struct slice query_parameter_strings(const struct slice *values, size_t count, struct arena *arena);

/* Takes one value of "value|value" off the front: up to a bare '|'. "\|" is a '|', "\\" a backslash, any other backslash stands
 * for itself. `out` has room for rest->size bytes, and holds the value. */
struct slice query_parameter_take_value(struct slice *rest, char *out, bool *ret_more);

#endif
