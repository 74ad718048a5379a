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

struct slice query_parameter_take_value(struct slice *rest, char *out, bool *ret_more)
{
    size_t size = 0, at = 0;
    *ret_more = false;
    while (at < rest->size) {
        char byte = rest->data[at++];
        if (byte == '|') {
            *ret_more = true;
            break;
        }
        if (byte == '\\' && at < rest->size && (rest->data[at] == '|' || rest->data[at] == '\\'))
            byte = rest->data[at++];
        out[size++] = byte;
    }
    *rest = slice_from(*rest, at);
    return slice_make(out, size);
}
