/* SPDX-License-Identifier: Apache-2.0 */
/* The arena: a list of chunks, freed together. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"

#define ARENA_CHUNK_SIZE (64u << 10)
#define ARENA_ALIGNMENT 16u

struct arena_chunk {
    struct arena_chunk *next;
    size_t size;
    size_t used;
    _Alignas(16) char data[];
};

struct arena {
    struct arena_chunk *chunks; /* newest first; the last one is the chunk kept by reset */
    size_t limit_bytes;
    size_t used;
    bool failed;
};

static struct arena_chunk *arena_chunk_create(size_t size)
{
    struct arena_chunk *chunk = malloc(sizeof *chunk + size);
    if (!chunk) return NULL;
    *chunk = (struct arena_chunk){.size = size};
    return chunk;
}

struct arena *arena_create(size_t limit_bytes)
{
    struct arena *arena = calloc(1, sizeof *arena);
    if (!arena) return NULL;
    arena->limit_bytes = limit_bytes;
    return arena;
}

void arena_destroy(struct arena *arena)
{
    if (!arena) return;
    for (struct arena_chunk *chunk = arena->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    free(arena);
}

void arena_reset(struct arena *arena)
{
    struct arena_chunk *kept = NULL;
    for (struct arena_chunk *chunk = arena->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        if (!kept && chunk->size == ARENA_CHUNK_SIZE) kept = chunk;
        else free(chunk);
    }
    if (kept) {
        kept->next = NULL;
        kept->used = 0;
    }
    arena->chunks = kept;
    arena->used = 0;
    arena->failed = false;
}

void *arena_allocate(struct arena *arena, size_t size)
{
    size_t rounded;
    if (__builtin_add_overflow(size, ARENA_ALIGNMENT - 1, &rounded)) goto failed;
    rounded &= ~(size_t)(ARENA_ALIGNMENT - 1);
    if (rounded == 0) rounded = ARENA_ALIGNMENT;
    if (arena->limit_bytes && rounded > arena->limit_bytes - arena->used) goto failed;
    struct arena_chunk *chunk = arena->chunks;
    if (!chunk || chunk->size - chunk->used < rounded) {
        chunk = arena_chunk_create(rounded > ARENA_CHUNK_SIZE ? rounded : ARENA_CHUNK_SIZE);
        if (!chunk) goto failed;
        /* A large allocation gets its own chunk behind the current one, whose free space stays in use. */
        if (rounded > ARENA_CHUNK_SIZE && arena->chunks) {
            chunk->next = arena->chunks->next;
            arena->chunks->next = chunk;
        } else {
            chunk->next = arena->chunks;
            arena->chunks = chunk;
        }
    }
    void *memory = chunk->data + chunk->used;
    chunk->used += rounded;
    arena->used += rounded;
    memset(memory, 0, rounded);
    return memory;
failed:
    arena->failed = true;
    return NULL;
}

struct slice arena_copy(struct arena *arena, struct slice s)
{
    char *copy = arena_copy_string(arena, s);
    return copy ? slice_make(copy, s.size) : SLICE_EMPTY;
}

char *arena_copy_string(struct arena *arena, struct slice s)
{
    char *copy = arena_allocate(arena, s.size + 1);
    if (copy && s.size) memcpy(copy, s.data, s.size);
    return copy;
}

struct slice arena_printf(struct arena *arena, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    ASSERT(size >= 0);
    char *text = arena_allocate(arena, (size_t)size + 1);
    if (text) vsnprintf(text, (size_t)size + 1, format, again);
    va_end(again);
    va_end(arguments);
    return text ? slice_make(text, (size_t)size) : SLICE_EMPTY;
}

bool arena_failed(const struct arena *arena) { return arena->failed; }
size_t arena_used(const struct arena *arena) { return arena->used; }
