/* SPDX-License-Identifier: Apache-2.0 */
/* What all kinds of generated telemetry share: random numbers, protobuf fields, bodies. */
#include "telemetry.h"

#include <stdlib.h>

/* splitmix64 */
uint64_t telemetry_random(uint64_t *state)
{
    uint64_t value = *state += 0x9E3779B97F4A7C15ULL;
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ULL;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBULL;
    return value ^ (value >> 31);
}

void telemetry_put_varint(struct buffer *out, unsigned field, uint64_t value)
{
    buffer_append_varint(out, field << 3);
    buffer_append_varint(out, value);
}

void telemetry_put_fixed64(struct buffer *out, unsigned field, uint64_t value)
{
    buffer_append_varint(out, field << 3 | 1);
    buffer_append(out, &value, sizeof value); /* little-endian, as the machine is */
}

void telemetry_put_double(struct buffer *out, unsigned field, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    telemetry_put_fixed64(out, field, bits);
}

void telemetry_put_bytes(struct buffer *out, unsigned field, struct slice value)
{
    buffer_append_varint(out, field << 3 | 2);
    buffer_append_varint(out, value.size);
    buffer_append_slice(out, value);
}

bool telemetry_body_end(struct telemetry *telemetry, size_t at, unsigned lane)
{
    if (telemetry->count == telemetry->capacity) {
        size_t capacity = telemetry->capacity ? 2 * telemetry->capacity : 64;
        struct telemetry_body *bodies = realloc(telemetry->bodies, capacity * sizeof *bodies);
        if (!bodies) {
            telemetry->bytes.failed = true;
            return false;
        }
        telemetry->bodies = bodies;
        telemetry->capacity = capacity;
    }
    telemetry->bodies[telemetry->count++] = (struct telemetry_body){at, telemetry->bytes.size - at, lane};
    if (lane >= telemetry->lanes) telemetry->lanes = lane + 1;
    return !telemetry->bytes.failed;
}

enum error_code telemetry_make(const struct telemetry_settings *settings, struct telemetry *ret_telemetry, struct error *error)
{
    struct telemetry telemetry = {0};
    if (settings->kind == TELEMETRY_SAMPLES) telemetry_make_samples(settings, &telemetry);
    else telemetry_make_signals(settings, &telemetry);
    *ret_telemetry = telemetry;
    if (!telemetry.bytes.failed && telemetry.count) return ERROR_NONE;
    telemetry_free(ret_telemetry);
    return error_set(error, ERROR_MEMORY, "out of memory for the requests");
}

void telemetry_free(struct telemetry *telemetry)
{
    buffer_free(&telemetry->bytes);
    free(telemetry->bodies);
    *telemetry = (struct telemetry){0};
}
