/* SPDX-License-Identifier: Apache-2.0 */
/* For tests and measurements: one sequence of calls writes an OTLP message as protobuf or as JSON. */
#ifndef DOMAINS_OBSERVABILITY_OTLP_WIRE_FIXTURE_H
#define DOMAINS_OBSERVABILITY_OTLP_WIRE_FIXTURE_H

#include "base/json_writer.h"
#include "base/protobuf_writer.h"

/*
 * A field has its number and its name in JSON. Messages in a list: wire_list, then for each wire_open(wire, number, NULL) .. wire_close,
 * then wire_list_end; in protobuf the list itself leaves no trace. `{.is_json = ..}` and wire_begin begin; wire_end gives the bytes.
 */
#define WIRE_DEPTH 160
struct wire {
    bool is_json;
    struct json_writer json;
    struct buffer text;               /* JSON */
    struct buffer levels[WIRE_DEPTH]; /* protobuf: the messages that are open */
    unsigned numbers[WIRE_DEPTH];
    size_t depth;
};
void wire_begin(struct wire *wire, bool is_json);
struct slice wire_end(struct wire *wire); /* good until wire_begin or wire_free */
void wire_free(struct wire *wire);

void wire_open(struct wire *wire, unsigned number, const char *name); /* `name` NULL: in a list */
void wire_close(struct wire *wire);
void wire_list(struct wire *wire, const char *name);
void wire_list_end(struct wire *wire);
void wire_text(struct wire *wire, unsigned number, const char *name, struct slice value);
void wire_id(struct wire *wire, unsigned number, const char *name, struct slice value);     /* JSON: hexadecimal */
void wire_bytes(struct wire *wire, unsigned number, const char *name, struct slice value);  /* JSON: base64 */
void wire_integer(struct wire *wire, unsigned number, const char *name, int64_t value);     /* varint; JSON: odd values as text, even ones as a number */
void wire_fixed32(struct wire *wire, unsigned number, const char *name, uint32_t value);
void wire_fixed64(struct wire *wire, unsigned number, const char *name, uint64_t value);    /* JSON as integer */
void wire_double(struct wire *wire, unsigned number, const char *name, double value);
void wire_bool(struct wire *wire, unsigned number, const char *name, bool value);
void wire_sint32(struct wire *wire, unsigned number, const char *name, int32_t value);
/* Repeated numbers, packed or each with its tag; in JSON always an array. */
enum wire_number { WIRE_FIXED64, WIRE_DOUBLE, WIRE_VARINT };
void wire_numbers(struct wire *wire, unsigned number, const char *name, enum wire_number kind, const void *values, size_t count, bool packed);

#endif
