/* SPDX-License-Identifier: Apache-2.0 */
/* Loki's push in protobuf (logproto.PushRequest), in a block of snappy. */
#include "decode/protobuf.h"
#include "decode/snappy.h"
#include "domains/observability/dialects/loki.h"
#include "domains/observability/observability.h"

static enum error_code malformed(struct error *error)
{
    return error_set(error, ERROR_INVALID, "the body is not a valid protobuf message: logproto.PushRequest");
}

static bool label_character(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') || byte == '_' || byte == ':' || byte == '.';
}

/* A text in double quotes as Go writes it, into the scratch; false: it is none. */
static bool read_quoted(struct slice *rest, struct buffer *out)
{
    static const char escaped[] = "abfnrtv\\\"'", meaning[] = "\a\b\f\n\r\t\v\\\"'";
    if (!slice_starts_with(*rest, SLICE("\""))) return false;
    for (size_t i = 1; i < rest->size; i++) {
        char byte = rest->data[i];
        if (byte == '"') {
            *rest = slice_from(*rest, i + 1);
            return true;
        }
        if (byte == '\\') {
            const char *found = ++i < rest->size && rest->data[i] ? strchr(escaped, rest->data[i]) : NULL;
            if (!found) {
                char code = 0; /* \xHH; \u and \U are not written for what is UTF-8 */
                bool is_hex = i + 2 < rest->size && rest->data[i] == 'x' && translation_read_hex(slice_make(rest->data + i + 1, 2), &code, 1);
                if (!is_hex) return false;
                i += 2;
                byte = code;
            } else {
                byte = meaning[found - escaped];
            }
        }
        buffer_append_byte(out, byte);
    }
    return false;
}

/* {job="a", host="b"}. Values that are looked at later lie in the arena. */
static enum error_code text_labels(struct loki_stream *stream, struct arena *arena, struct slice text, struct error *error)
{
    struct slice rest = slice_trim(text);
    struct buffer value = {0};
    bool good = slice_starts_with(rest, SLICE("{"));
    if (good) rest = slice_trim(slice_from(rest, 1));
    while (good && rest.size && rest.data[0] != '}') {
        size_t size = 0;
        while (size < rest.size && label_character(rest.data[size])) size++;
        struct slice name = slice_first(rest, size);
        rest = slice_trim(slice_from(rest, size));
        good = size > 0 && slice_starts_with(rest, SLICE("="));
        if (!good) break;
        rest = slice_trim(slice_from(rest, 1));
        buffer_clear(&value);
        good = read_quoted(&rest, &value);
        if (good) loki_stream_label(stream, name, arena_copy(arena, buffer_slice(&value)));
        rest = slice_trim(rest);
        if (slice_starts_with(rest, SLICE(","))) rest = slice_trim(slice_from(rest, 1));
        else break;
    }
    good = good && slice_equal(rest, SLICE("}"));
    buffer_free(&value);
    if (good) return ERROR_NONE;
    return error_set_field(error, ERROR_INVALID, "labels", "must be {name=\"value\", ..}: %.*s", SLICE_ARGS(slice_first(text, 100)));
}

static enum error_code wire_metadata(struct loki_stream *stream, struct loki_line *line, struct slice pair, struct error *error)
{
    struct protobuf_field field;
    enum protobuf_wire wire;
    struct slice texts[2] = {SLICE_EMPTY, SLICE_EMPTY};
    while ((wire = protobuf_next(&pair, &field)) != PROTOBUF_END) {
        if (wire == PROTOBUF_MALFORMED) return malformed(error);
        if ((field.number == 1 || field.number == 2) && wire == PROTOBUF_BYTES) texts[field.number - 1] = field.bytes;
    }
    loki_line_metadata(stream, line, texts[0], texts[1]);
    return ERROR_NONE;
}

static enum error_code wire_time(struct slice timestamp, uint64_t *ret_ns, struct error *error)
{
    struct protobuf_field field;
    enum protobuf_wire wire;
    uint64_t parts[2] = {0};
    while ((wire = protobuf_next(&timestamp, &field)) != PROTOBUF_END) {
        if (wire == PROTOBUF_MALFORMED) return malformed(error);
        if ((field.number == 1 || field.number == 2) && wire == PROTOBUF_VARINT) parts[field.number - 1] = field.integer;
    }
    /* What cannot be is no time at all: refused with its line. */
    bool good = parts[1] < 1000000000 && parts[0] < UINT64_MAX / 1000000000 - 1;
    *ret_ns = good ? parts[0] * 1000000000 + parts[1] : 0;
    return ERROR_NONE;
}

static enum error_code wire_line(struct loki_stream *stream, struct slice entry, struct error *error)
{
    struct protobuf_field field;
    enum protobuf_wire wire;
    struct loki_line line = {0};
    struct slice text = SLICE_EMPTY;
    uint64_t time_ns = 0;
    enum error_code code = ERROR_NONE;
    while (!code && (wire = protobuf_next(&entry, &field)) != PROTOBUF_END) {
        if (wire == PROTOBUF_MALFORMED) return malformed(error);
        if (wire != PROTOBUF_BYTES) continue;
        if (field.number == 1) code = wire_time(field.bytes, &time_ns, error);
        else if (field.number == 2) text = field.bytes;
        else if (field.number == 3) code = wire_metadata(stream, &line, field.bytes, error);
    }
    return code ? code : loki_line_end(stream, &line, time_ns, text, error);
}

static enum error_code wire_stream(struct loki_stream *stream, struct arena *arena, struct slice message, struct error *error)
{
    struct protobuf_field field;
    enum protobuf_wire wire;
    struct slice rest = message, labels = SLICE_EMPTY;
    while ((wire = protobuf_next(&rest, &field)) != PROTOBUF_END) {
        if (wire == PROTOBUF_MALFORMED) return malformed(error);
        if (field.number == 1 && wire == PROTOBUF_BYTES) labels = field.bytes;
    }
    loki_stream_begin(stream);
    enum error_code code = text_labels(stream, arena, labels, error);
    loki_stream_labels_end(stream);
    for (rest = message; !code && protobuf_next(&rest, &field) != PROTOBUF_END;)
        if (field.number == 2 && field.wire == PROTOBUF_BYTES) code = wire_line(stream, field.bytes, error);
    return code;
}

enum error_code loki_wire_translate(const struct domain_input *input, struct loki_stream *stream, struct error *error)
{
    struct buffer body = {0};
    struct protobuf_field field;
    enum protobuf_wire wire;
    /* The block is part of this format; a sender that names it as an encoding as well has had it undone with the body. */
    bool is_undone = slice_equal_ignore_case(slice_trim(request_header_get(input->request, "content-encoding")), SLICE("snappy"));
    enum error_code code = is_undone ? ERROR_NONE : snappy_read(input->request->body, OBSERVABILITY_BODY_LIMIT_BYTES, &body, error);
    struct slice rest = is_undone ? input->request->body : buffer_slice(&body);
    while (!code && (wire = protobuf_next(&rest, &field)) != PROTOBUF_END) {
        if (wire == PROTOBUF_MALFORMED) code = malformed(error);
        else if (field.number == 1 && wire == PROTOBUF_BYTES) code = wire_stream(stream, input->request->arena, field.bytes, error);
    }
    buffer_free(&body);
    return code;
}
