/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts text at newlines and counts them. */
#include "decode/lines.h"

bool lines_next(struct lines *lines, struct slice *line)
{
    while (lines->rest.size > 0) {
        lines->number++;
        *line = slice_trim(slice_cut(&lines->rest, '\n'));
        if (line->size > 0) return true;
    }
    return false;
}
