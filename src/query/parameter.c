/* SPDX-License-Identifier: Apache-2.0 */
/* Parameter values as text. */
#include "query/parameter.h"

/*
 * Array(String) as the engine reads it, but for backslashes and control characters: the driver's one pass of escaping
 * for the wire is what the engine undoes inside the quotes of an array. So only quotes are doubled here.
 */
struct slice query_parameter_strings(const struct slice *values, size_t count, struct arena *arena)
{
    struct buffer text = {0};
    buffer_append_byte(&text, '[');
    for (size_t i = 0; i < count; i++) {
        buffer_append_string(&text, i ? ",'" : "'");
        for (size_t at = 0; at < values[i].size; at++) {
            char byte = values[i].data[at];
            if (byte == '\'') buffer_append_byte(&text, byte);
            buffer_append_byte(&text, byte);
        }
        buffer_append_byte(&text, '\'');
    }
    buffer_append_byte(&text, ']');
    struct slice copy = text.failed ? SLICE_EMPTY : arena_copy(arena, buffer_slice(&text));
    buffer_free(&text);
    return copy;
}
