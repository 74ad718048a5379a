/* SPDX-License-Identifier: Apache-2.0 */
/* The two ways to tell in which bucket somebody is. */
#include "flags/flag.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

/* Bytes that are not UTF-8 count as U+FFFD each, as JavaScript reads them. */
static uint32_t hash_next_code_point(struct slice *rest)
{
    const unsigned char *data = (const unsigned char *)rest->data;
    unsigned char first = data[0];
    size_t size = first < 0x80 ? 1 : first >= 0xF0 && first < 0xF8 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 0;
    uint32_t point = size == 1 ? first : first & (0x7Fu >> size);
    bool good = size > 0 && size <= rest->size && first < 0xF8;
    for (size_t i = 1; good && i < size; i++) {
        good = (data[i] & 0xC0) == 0x80;
        point = point << 6 | (data[i] & 0x3Fu);
    }
    *rest = slice_from(*rest, good ? size : 1);
    return good ? point : 0xFFFD;
}

static uint32_t hash_add(uint32_t hash, struct slice text)
{
    while (text.size) {
        uint32_t point = hash_next_code_point(&text);
        if (point >= 0x10000) {
            hash = 31 * hash + (0xD800 + ((point - 0x10000) >> 10));
            hash = 31 * hash + (0xDC00 + ((point - 0x10000) & 0x3FF));
        } else {
            hash = 31 * hash + point;
        }
    }
    return hash;
}

int64_t flag_hash_legacy(struct slice first, struct slice second, struct slice third)
{
    uint32_t hash = hash_add(0, first); /* unsigned wraps; the sign is looked at once, at the end */
    if (second.size) hash = hash_add(31 * hash + ':', second);
    if (third.size) hash = hash_add(31 * hash + ':', third);
    return llabs((int64_t)(int32_t)hash);
}

uint64_t flag_hash_seed(const char *purpose, struct slice tenant_id, struct slice key)
{
    char text[256];
    int size = snprintf(text, sizeof text, "%s:%.*s:%.*s", purpose, SLICE_ARGS(tenant_id), SLICE_ARGS(key));
    return XXH3_64bits(text, size < (int)sizeof text ? (size_t)size : sizeof text - 1);
}

int64_t flag_hash_stable(uint64_t seed, struct slice id)
{
    return (int64_t)(XXH3_64bits_withSeed(id.data, id.size, seed) % FLAG_BUCKETS);
}
