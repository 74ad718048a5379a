/* SPDX-License-Identifier: Apache-2.0 */
/* One gRPC connection: unary calls, one after the other, as an exporter of a collector makes them. */
#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "telemetry_send.h"

struct grpc {
    int fd;
    nghttp2_session *session;
    unsigned char prefix[5]; /* not compressed, and the message's size */
    const char *message;
    size_t size, at;         /* prefix and message together */
    bool is_over;
    int status;              /* grpc-status; -1: none came */
    char text[200];
    size_t answer_bytes;
};

static ssize_t grpc_send(nghttp2_session *session, const uint8_t *data, size_t size, int flags, void *user)
{
    const struct grpc *grpc = user;
    return telemetry_write_all(grpc->fd, data, size) ? (ssize_t)size : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static ssize_t grpc_read(nghttp2_session *session, int32_t stream, uint8_t *out, size_t room, uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct grpc *grpc = user;
    size_t left = grpc->size - grpc->at, count = 0;
    while (count < room && left > 0) {
        bool in_prefix = grpc->at < sizeof grpc->prefix;
        const void *from = in_prefix ? (const void *)(grpc->prefix + grpc->at) : (const void *)(grpc->message + grpc->at - sizeof grpc->prefix);
        size_t chunk = in_prefix ? sizeof grpc->prefix - grpc->at : left;
        if (chunk > room - count) chunk = room - count;
        memcpy(out + count, from, chunk);
        count += chunk;
        grpc->at += chunk;
        left -= chunk;
    }
    if (left == 0) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)count;
}

static int grpc_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_size, const uint8_t *value,
                       size_t value_size, uint8_t flags, void *user)
{
    struct grpc *grpc = user;
    struct slice key = slice_make((const char *)name, name_size), text = slice_make((const char *)value, value_size);
    int64_t status;
    if (slice_equal(key, SLICE("grpc-status")) && slice_parse_int64(text, &status)) grpc->status = (int)status;
    if (slice_equal(key, SLICE("grpc-message"))) snprintf(grpc->text, sizeof grpc->text, "%.*s", SLICE_ARGS(text));
    return 0;
}

static int grpc_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data, size_t size, void *user)
{
    ((struct grpc *)user)->answer_bytes += size;
    return 0;
}

static int grpc_close(nghttp2_session *session, int32_t stream, uint32_t code, void *user)
{
    ((struct grpc *)user)->is_over = true;
    return 0;
}

static nghttp2_nv grpc_pair(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static enum error_code grpc_call(struct grpc *grpc, const struct telemetry_target *target, struct slice message, struct error *error)
{
    char authorization[300];
    snprintf(authorization, sizeof authorization, "Bearer %s", target->key);
    const nghttp2_nv headers[] = {grpc_pair(":method", "POST"), grpc_pair(":scheme", "http"), grpc_pair(":path", target->path),
        grpc_pair(":authority", target->host), grpc_pair("content-type", "application/grpc"), grpc_pair("te", "trailers"),
        grpc_pair("authorization", authorization)};
    const nghttp2_data_provider provider = {.read_callback = grpc_read};
    uint8_t input[16384];
    grpc->message = message.data;
    grpc->size = message.size + sizeof grpc->prefix;
    grpc->at = grpc->answer_bytes = 0;
    grpc->is_over = false;
    grpc->status = -1;
    grpc->text[0] = 0;
    grpc->prefix[0] = 0;
    for (unsigned i = 0; i < 4; i++) grpc->prefix[1 + i] = (unsigned char)(message.size >> (24 - 8 * i));
    if (nghttp2_submit_request(grpc->session, NULL, headers, sizeof headers / sizeof *headers, &provider, NULL) < 0)
        return error_set(error, ERROR_MEMORY, "no call");
    while (!grpc->is_over) {
        if (nghttp2_session_send(grpc->session) != 0) return error_set_errno(error, errno, "sending");
        if (grpc->is_over) break;
        ssize_t got = recv(grpc->fd, input, sizeof input, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return error_set(error, ERROR_IO, "the server closed a connection or was silent for a minute");
        if (nghttp2_session_mem_recv(grpc->session, input, (size_t)got) < 0) return error_set(error, ERROR_IO, "not HTTP/2");
    }
    /* An empty answer message is five bytes: all of it was taken. */
    if (grpc->status != 0 || grpc->answer_bytes != sizeof grpc->prefix)
        return error_set(error, ERROR_IO, "gRPC status %d, %zu bytes: %s", grpc->status, grpc->answer_bytes, grpc->text);
    return ERROR_NONE;
}

enum error_code telemetry_send_grpc(const struct telemetry_target *target, const struct telemetry *telemetry, unsigned lane, int fd,
                                    uint64_t *requests, struct error *error)
{
    struct grpc grpc = {.fd = fd};
    nghttp2_session_callbacks *callbacks;
    if (nghttp2_session_callbacks_new(&callbacks) != 0) return error_set(error, ERROR_MEMORY, "no session");
    nghttp2_session_callbacks_set_send_callback(callbacks, grpc_send);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, grpc_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, grpc_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, grpc_close);
    int failed = nghttp2_session_client_new(&grpc.session, callbacks, &grpc);
    nghttp2_session_callbacks_del(callbacks);
    if (failed) return error_set(error, ERROR_MEMORY, "no session");
    enum error_code code = nghttp2_submit_settings(grpc.session, NGHTTP2_FLAG_NONE, NULL, 0) == 0 ? ERROR_NONE : error_set(error, ERROR_MEMORY, "no settings");
    for (size_t i = 0; i < telemetry->count && code == ERROR_NONE; i++) {
        const struct telemetry_body *body = &telemetry->bodies[i];
        if (body->lane != lane) continue;
        code = grpc_call(&grpc, target, slice_make(telemetry->bytes.data + body->at, body->size), error);
        ++*requests;
    }
    nghttp2_session_del(grpc.session);
    return code;
}
