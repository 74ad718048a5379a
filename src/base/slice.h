/* SPDX-License-Identifier: Apache-2.0 */
/* A slice is a read-only view of bytes somebody else owns; it is not terminated by a zero. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *data;
    size_t size;
};

#define SLICE(literal) ((struct slice){"" literal, sizeof(literal) - 1})
#define SLICE_EMPTY ((struct slice){"", 0})
/* For printf: printf("%.*s", SLICE_ARGS(s)). The argument is evaluated twice: no calls with effects. */
#define SLICE_ARGS(slice) (int)(slice).size, (slice).data

static inline struct slice slice_make(const void *data, size_t size) { return (struct slice){data, size}; }
static inline struct slice slice_from_string(const char *text) { return (struct slice){text, strlen(text)}; }
static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}
static inline bool slice_starts_with(struct slice s, struct slice prefix)
{
    return s.size >= prefix.size && memcmp(s.data, prefix.data, prefix.size) == 0;
}
static inline bool slice_ends_with(struct slice s, struct slice suffix)
{
    return s.size >= suffix.size && memcmp(s.data + s.size - suffix.size, suffix.data, suffix.size) == 0;
}
/* The part of `s` from `offset`, clamped to its size. */
static inline struct slice slice_from(struct slice s, size_t offset)
{
    if (offset > s.size) offset = s.size;
    return (struct slice){s.data + offset, s.size - offset};
}
static inline struct slice slice_first(struct slice s, size_t count)
{
    return (struct slice){s.data, count < s.size ? count : s.size};
}
/* ASCII case is ignored. */
bool slice_equal_ignore_case(struct slice a, struct slice b);
/* Index of the first `byte`, or -1. */
ptrdiff_t slice_index_of(struct slice s, char byte);
/* Index of the first occurrence of `needle`, or -1. */
ptrdiff_t slice_find(struct slice s, struct slice needle);
/* Without leading and trailing space, tab, CR and LF. */
struct slice slice_trim(struct slice s);
/* Cuts `*rest` at the first `separator`; returns the part before it and advances `*rest` past it (to empty when absent). */
struct slice slice_cut(struct slice *rest, char separator);
/* Decimal digits only, no sign, no overflow; false leaves *value alone. */
bool slice_parse_uint64(struct slice s, uint64_t *value);
bool slice_parse_int64(struct slice s, int64_t *value);
/* Whether the bytes are well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool slice_is_utf8(struct slice s);
/* Well-mixed 64-bit hash (XXH3) for tables in memory and checksums on disk. */
uint64_t slice_hash(struct slice s);

#endif
