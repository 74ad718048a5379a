/* SPDX-License-Identifier: Apache-2.0 */
/* A progress bar on standard error, only where a person is looking. */
#ifndef SERVER_PROGRESS_H
#define SERVER_PROGRESS_H

#include <stdint.h>

struct progress {
    const char *label;
    const char *unit;
    uint64_t total; /* 0: not known */
    int64_t started_ms, shown_ms;
    int terminal;
};
void progress_begin(struct progress *progress, const char *label, const char *unit, uint64_t total);
/* Redraws at most ten times a second. */
void progress_update(struct progress *progress, uint64_t done);
void progress_end(struct progress *progress, uint64_t done);

#endif
