/* SPDX-License-Identifier: Apache-2.0 */
/* The protobuf wire format, read field by field from bytes somebody else owns. */
#ifndef DECODE_PROTOBUF_H
#define DECODE_PROTOBUF_H

#include "base/slice.h"

/*
 * Source: https://protobuf.dev/programming-guides/encoding. Nothing is copied or allocated: what is length-delimited is a
 * slice of the input. A message is read by calling protobuf_next until it gives PROTOBUF_END or PROTOBUF_MALFORMED. Field
 * numbers above 2^29-1, number 0 and groups (wire types 3 and 4, long deprecated) are malformed.
 */
enum protobuf_wire {
    PROTOBUF_VARINT = 0,
    PROTOBUF_FIXED64 = 1,
    PROTOBUF_BYTES = 2,
    PROTOBUF_FIXED32 = 5,
    PROTOBUF_END = 8,       /* no more fields */
    PROTOBUF_MALFORMED = 9, /* cut short, or no such wire type */
};
struct protobuf_field {
    uint32_t number;
    enum protobuf_wire wire;
    uint64_t integer;   /* VARINT, FIXED64, FIXED32 */
    struct slice bytes; /* BYTES */
};

/* False when it is cut or longer than ten bytes. */
static inline bool protobuf_take_varint(struct slice *rest, uint64_t *ret_value)
{
    const unsigned char *at = (const unsigned char *)rest->data;
    if (__builtin_expect(rest->size > 0 && at[0] < 0x80, 1)) {
        *ret_value = at[0];
        rest->data++;
        rest->size--;
        return true;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < rest->size && i < 10; i++) {
        value |= (uint64_t)(at[i] & 0x7f) << (7 * i);
        if (at[i] & 0x80) continue;
        rest->data += i + 1;
        rest->size -= i + 1;
        *ret_value = value;
        return true;
    }
    return false;
}

static inline bool protobuf_take_fixed64(struct slice *rest, uint64_t *ret_value)
{
    if (rest->size < 8) return false;
    memcpy(ret_value, rest->data, 8); /* little-endian, as the machine is */
    *rest = slice_from(*rest, 8);
    return true;
}

static inline enum protobuf_wire protobuf_next(struct slice *rest, struct protobuf_field *field)
{
    uint64_t tag, size;
    *field = (struct protobuf_field){.bytes = SLICE_EMPTY};
    if (rest->size == 0) return PROTOBUF_END;
    if (!protobuf_take_varint(rest, &tag) || tag >> 32 || tag >> 3 == 0) return PROTOBUF_MALFORMED;
    field->number = (uint32_t)(tag >> 3);
    field->wire = (enum protobuf_wire)(tag & 7);
    switch (field->wire) {
    case PROTOBUF_VARINT: return protobuf_take_varint(rest, &field->integer) ? PROTOBUF_VARINT : PROTOBUF_MALFORMED;
    case PROTOBUF_FIXED64: return protobuf_take_fixed64(rest, &field->integer) ? PROTOBUF_FIXED64 : PROTOBUF_MALFORMED;
    case PROTOBUF_BYTES:
        if (!protobuf_take_varint(rest, &size) || size > rest->size) return PROTOBUF_MALFORMED;
        field->bytes = slice_first(*rest, (size_t)size);
        *rest = slice_from(*rest, (size_t)size);
        return PROTOBUF_BYTES;
    case PROTOBUF_FIXED32: {
        uint32_t value;
        if (rest->size < 4) return PROTOBUF_MALFORMED;
        memcpy(&value, rest->data, 4);
        field->integer = value;
        *rest = slice_from(*rest, 4);
        return PROTOBUF_FIXED32;
    }
    default: return PROTOBUF_MALFORMED;
    }
}

static inline double protobuf_double(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
static inline int64_t protobuf_zigzag(uint64_t value) { return (int64_t)(value >> 1) ^ -(int64_t)(value & 1); }

#endif
