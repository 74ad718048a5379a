/* SPDX-License-Identifier: Apache-2.0 */
/* An arena gives memory that is all freed at once: one per request, one per batch. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/slice.h"

/*
 * Memory is zeroed and aligned to 16 bytes. Running over `limit_bytes` or out of memory gives NULL and sets the sticky
 * flag arena_failed(), which callers turn into ERROR_TOO_LARGE or ERROR_MEMORY. One owner, no locks.
 */
struct arena;

/* `limit_bytes` bounds the sum of all allocations between resets; 0 means unlimited. NULL when out of memory. */
struct arena *arena_create(size_t limit_bytes);
void arena_destroy(struct arena *arena);
/* Forgets every allocation; keeps the first chunk (64 KiB) for reuse. */
void arena_reset(struct arena *arena);
void *arena_allocate(struct arena *arena, size_t size);
/* A copy of the bytes with a zero behind them (not counted in size). On failure an empty slice, and the flag. */
struct slice arena_copy(struct arena *arena, struct slice s);
char *arena_copy_string(struct arena *arena, struct slice s);
struct slice arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool arena_failed(const struct arena *arena);
size_t arena_used(const struct arena *arena);

#endif
