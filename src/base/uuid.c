/* SPDX-License-Identifier: Apache-2.0 */
/* Making, parsing and printing of UUIDs. */
#include "base/uuid.h"

#include <sys/random.h>

#include "base/error.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

void uuid_random_bytes(void *out, size_t size)
{
    /* Buffered per thread: one system call gives the randomness of 64 UUIDs. */
    static _Thread_local unsigned char pool[1024];
    static _Thread_local size_t left;
    char *target = out;
    while (size) {
        if (left == 0) {
            ASSERT(getrandom(pool, 256, 0) == 256 && getrandom(pool + 256, 256, 0) == 256);
            ASSERT(getrandom(pool + 512, 256, 0) == 256 && getrandom(pool + 768, 256, 0) == 256);
            left = sizeof pool;
        }
        size_t part = size < left ? size : left;
        memcpy(target, pool + sizeof pool - left, part);
        memset(pool + sizeof pool - left, 0, part);
        left -= part;
        target += part;
        size -= part;
    }
}

static void uuid_stamp(struct uuid *uuid, unsigned version)
{
    uuid->bytes[6] = (uint8_t)((uuid->bytes[6] & 0x0F) | version << 4);
    uuid->bytes[8] = (uint8_t)((uuid->bytes[8] & 0x3F) | 0x80);
}

struct uuid uuid_make_v7(int64_t unix_ms)
{
    struct uuid uuid;
    for (int i = 0; i < 6; i++) uuid.bytes[i] = (uint8_t)((uint64_t)unix_ms >> (40 - 8 * i));
    uuid_random_bytes(uuid.bytes + 6, 10);
    uuid_stamp(&uuid, 7);
    return uuid;
}

struct uuid uuid_make_v4(void)
{
    struct uuid uuid;
    uuid_random_bytes(uuid.bytes, sizeof uuid.bytes);
    uuid_stamp(&uuid, 4);
    return uuid;
}

struct uuid uuid_from_name(struct slice space, struct slice name)
{
    XXH3_state_t state;
    XXH3_128bits_reset(&state);
    XXH3_128bits_update(&state, &space.size, sizeof space.size); /* so that ("a", "bc") and ("ab", "c") differ */
    XXH3_128bits_update(&state, space.data, space.size);
    XXH3_128bits_update(&state, name.data, name.size);
    XXH128_canonical_t digest;
    XXH128_canonicalFromHash(&digest, XXH3_128bits_digest(&state));
    struct uuid uuid;
    memcpy(uuid.bytes, digest.digest, sizeof uuid.bytes);
    uuid_stamp(&uuid, 8);
    return uuid;
}

static int uuid_hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool uuid_parse(struct slice text, struct uuid *uuid)
{
    if (text.size != UUID_TEXT_SIZE) return false;
    struct uuid parsed;
    size_t position = 0;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            if (text.data[position++] != '-') return false;
        int high = uuid_hex_digit(text.data[position]), low = uuid_hex_digit(text.data[position + 1]);
        if (high < 0 || low < 0) return false;
        parsed.bytes[i] = (uint8_t)(high << 4 | low);
        position += 2;
    }
    *uuid = parsed;
    return true;
}

void uuid_format(const struct uuid *uuid, char out[UUID_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *out++ = '-';
        *out++ = digits[uuid->bytes[i] >> 4];
        *out++ = digits[uuid->bytes[i] & 15];
    }
}
