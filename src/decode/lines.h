/* SPDX-License-Identifier: Apache-2.0 */
/* Walks the lines of a text: NDJSON bodies, log files. */
#ifndef DECODE_LINES_H
#define DECODE_LINES_H

#include "base/slice.h"

/* `struct lines lines = lines_of(text); while (lines_next(&lines, &line)) ...` */
struct lines {
    struct slice rest;
    size_t number; /* of the line last given, from 1, blank lines counted */
};
static inline struct lines lines_of(struct slice text) { return (struct lines){.rest = text}; }
/* The next line that is not blank, without surrounding white space; false at the end. */
bool lines_next(struct lines *lines, struct slice *line);

#endif
