/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC's framing, timeouts and statuses. */
#include "proto/grpc.h"

#include "base/protobuf_writer.h"
#include "decode/json.h"

enum grpc_content grpc_content_of(struct slice content_type)
{
    struct slice rest = content_type, type = slice_trim(slice_cut(&rest, ';'));
    if (slice_equal_ignore_case(type, SLICE("application/grpc")) ||
        slice_equal_ignore_case(type, SLICE("application/grpc+proto")))
        return GRPC_CONTENT_PROTOBUF;
    struct slice other = SLICE("application/grpc+");
    return slice_equal_ignore_case(slice_first(type, other.size), other) ? GRPC_CONTENT_OTHER : GRPC_CONTENT_NONE;
}

/* ---- timeouts ---- */

#define TIMEOUT_DIGITS 8

enum error_code grpc_timeout_parse(struct slice text, int64_t *ret_ms, struct error *error)
{
    static const struct {
        char unit;
        int64_t multiply, divide;
    } units[] = {{'H', 3600000, 1}, {'M', 60000, 1}, {'S', 1000, 1}, {'m', 1, 1}, {'u', 1, 1000}, {'n', 1, 1000000}};
    int64_t number = 0;
    size_t digits = 0;
    while (digits < text.size && digits < TIMEOUT_DIGITS && text.data[digits] >= '0' && text.data[digits] <= '9')
        number = number * 10 + (text.data[digits++] - '0');
    for (size_t i = 0; digits > 0 && digits + 1 == text.size && i < sizeof units / sizeof *units; i++) {
        if (text.data[digits] != units[i].unit) continue;
        int64_t ms = (number * units[i].multiply + units[i].divide - 1) / units[i].divide;
        *ret_ms = ms > 0 ? ms : 1;
        return ERROR_NONE;
    }
    return error_set_field(error, ERROR_INVALID, "grpc-timeout",
                           "grpc-timeout must be one to eight digits and a unit of H, M, S, m, u or n");
}

/* ---- frames ---- */

bool grpc_frame_is_compressed(const uint8_t head[GRPC_FRAME_HEAD_SIZE])
{
    return head[0] != 0;
}

uint32_t grpc_frame_length(const uint8_t head[GRPC_FRAME_HEAD_SIZE])
{
    return (uint32_t)head[1] << 24 | (uint32_t)head[2] << 16 | (uint32_t)head[3] << 8 | head[4];
}

void grpc_frame_head_write(size_t length, struct buffer *out)
{
    const uint8_t head[GRPC_FRAME_HEAD_SIZE] = {0, (uint8_t)(length >> 24), (uint8_t)(length >> 16),
                                                (uint8_t)(length >> 8), (uint8_t)length};
    buffer_append(out, head, sizeof head);
}

/* ---- text ---- */

void grpc_message_encode(struct slice message, struct buffer *out)
{
    if (message.size > GRPC_MESSAGE_LIMIT) {
        message.size = GRPC_MESSAGE_LIMIT;
        while (message.size > 0 && ((unsigned char)message.data[message.size] & 0xc0) == 0x80) message.size--;
    }
    for (size_t i = 0; i < message.size; i++) {
        unsigned char byte = (unsigned char)message.data[i];
        if (byte >= 0x20 && byte <= 0x7e && byte != '%') buffer_append_byte(out, (char)byte);
        else buffer_printf(out, "%%%02X", (unsigned)byte);
    }
}

void grpc_base64_encode(struct slice bytes, struct buffer *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t at = 0; at < bytes.size; at += 3) {
        uint32_t group = 0;
        size_t left = bytes.size - at < 3 ? bytes.size - at : 3;
        for (size_t i = 0; i < 3; i++) group = group << 8 | (i < left ? (unsigned char)bytes.data[at + i] : 0);
        for (size_t i = 0; i <= left; i++) buffer_append_byte(out, digits[group >> (18 - 6 * i) & 63]);
    }
}

/* ---- statuses ---- */

static const struct {
    int http_status;
    int code;
} code_table[] = {
    {400, GRPC_INVALID_ARGUMENT}, {401, 16},                    {403, 7},
    {404, GRPC_UNIMPLEMENTED}, /* no such method */
    {405, GRPC_UNIMPLEMENTED},    {408, GRPC_DEADLINE_EXCEEDED}, {409, 6},
    {410, 5},                     {413, GRPC_RESOURCE_EXHAUSTED}, {414, GRPC_RESOURCE_EXHAUSTED},
    {415, GRPC_INVALID_ARGUMENT}, {429, GRPC_UNAVAILABLE}, /* RESOURCE_EXHAUSTED is not sent again without RetryInfo */
    {431, GRPC_RESOURCE_EXHAUSTED}, {499, 1},                   {500, 13},
    {501, GRPC_UNIMPLEMENTED},    {502, GRPC_UNAVAILABLE},      {503, GRPC_UNAVAILABLE},
    {504, GRPC_DEADLINE_EXCEEDED},
};

int grpc_code_of_http_status(int status)
{
    if (status >= 200 && status < 300) return GRPC_OK;
    for (size_t i = 0; i < sizeof code_table / sizeof *code_table; i++)
        if (code_table[i].http_status == status) return code_table[i].code;
    return GRPC_UNKNOWN;
}

static bool read_varint(struct slice *rest, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && rest->size > 0; shift += 7) {
        unsigned char byte = (unsigned char)rest->data[0];
        *rest = slice_from(*rest, 1);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

bool grpc_status_read(struct slice body, struct grpc_status *ret_status)
{
    struct slice rest = body;
    *ret_status = (struct grpc_status){.code = GRPC_OK};
    while (rest.size > 0) {
        uint64_t key, value;
        if (!read_varint(&rest, &key)) return false;
        unsigned field = (unsigned)(key >> 3), type = key & 7;
        struct slice bytes = SLICE_EMPTY;
        if (type == 0) {
            if (!read_varint(&rest, &value)) return false;
        } else if (type == 2) {
            if (!read_varint(&rest, &value) || value > rest.size) return false;
            bytes = slice_first(rest, (size_t)value);
            rest = slice_from(rest, (size_t)value);
        } else {
            return false; /* google.rpc.Status has no other */
        }
        if (field == 1 && type == 0) {
            if (value >= GRPC_CODE_COUNT) return false;
            ret_status->code = (int)value;
        } else if (field == 2 && type == 2) {
            ret_status->message = bytes;
        } else if (field == 3 && type == 2) {
            ret_status->details = body;
        }
    }
    return true;
}

/* {"error":{"message":"..."}}, {"error":"..."} or {"message":"..."}; empty when it is nothing of these. */
static struct slice message_of_json(struct slice body, struct arena *arena)
{
    struct slice message = SLICE_EMPTY;
    char *text = arena_allocate(arena, body.size + JSON_PADDING);
    struct json_parser *parser = text ? json_parser_create() : NULL;
    if (!parser) return message;
    memcpy(text, body.data, body.size);
    struct json_value root, value;
    enum error_code code = json_parse(parser, slice_make(text, body.size), &root, NULL);
    if (code == ERROR_NONE && json_value_type(root) == JSON_OBJECT) {
        if (json_object_get(root, SLICE("error"), &value) && json_value_type(value) == JSON_OBJECT) root = value;
        if (json_object_get(root, SLICE("message"), &value) && json_value_type(value) == JSON_STRING)
            message = arena_copy(arena, json_value_string(value));
        else if (json_object_get(root, SLICE("error"), &value) && json_value_type(value) == JSON_STRING)
            message = arena_copy(arena, json_value_string(value));
    }
    json_parser_destroy(parser);
    return message;
}

void grpc_status_write(int code, struct slice message, uint64_t retry_after_s, struct buffer *out)
{
    protobuf_write_varint(out, 1, (uint64_t)code);
    protobuf_write_bytes(out, 2, message);
    if (!retry_after_s) return;
    struct buffer duration = {0}, retry = {0}, any = {0};
    protobuf_write_varint(&duration, 1, retry_after_s);
    protobuf_write_bytes(&retry, 1, buffer_slice(&duration));
    protobuf_write_text(&any, 1, GRPC_RETRY_INFO);
    protobuf_write_bytes(&any, 2, buffer_slice(&retry));
    protobuf_write_bytes(out, 3, buffer_slice(&any));
    out->failed |= duration.failed || retry.failed || any.failed;
    buffer_free(&duration);
    buffer_free(&retry);
    buffer_free(&any);
}

static struct slice status_with_retry(int code, struct slice message, uint64_t seconds, struct arena *arena)
{
    struct buffer status = {0};
    grpc_status_write(code, message, seconds ? seconds : 1, &status);
    struct slice copy = status.failed ? SLICE_EMPTY : arena_copy(arena, buffer_slice(&status));
    buffer_free(&status);
    return copy;
}

void grpc_status_of_answer(int http_status, const char *content_type, struct slice body, struct slice retry_after,
                           struct arena *arena, struct grpc_status *ret_status)
{
    struct slice rest = content_type ? slice_from_string(content_type) : SLICE_EMPTY;
    struct slice type = slice_trim(slice_cut(&rest, ';'));
    if (slice_equal(type, SLICE("application/x-protobuf")) && body.size > 0 && grpc_status_read(body, ret_status) &&
        ret_status->code != GRPC_OK)
        return;
    *ret_status = (struct grpc_status){.code = grpc_code_of_http_status(http_status)};
    if (slice_equal(type, SLICE("application/json"))) ret_status->message = message_of_json(body, arena);
    else if (slice_equal(type, SLICE("text/plain"))) ret_status->message = slice_first(body, GRPC_MESSAGE_LIMIT);
    if (ret_status->message.size == 0)
        ret_status->message = arena_printf(arena, "the answer was HTTP status %d", http_status);
    uint64_t seconds; /* a date, the other form, none of our handlers sends */
    if (slice_parse_uint64(slice_trim(retry_after), &seconds) && ret_status->code == GRPC_UNAVAILABLE)
        ret_status->details = status_with_retry(ret_status->code, ret_status->message, seconds, arena);
}
