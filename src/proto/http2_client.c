/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP/2 client of the tests, made of nghttp2's client side. */
#include "proto/http2_client.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

struct client client;

static struct client_call *call_of(int32_t id)
{
    return nghttp2_session_get_stream_user_data(client.session, id);
}

static int header_came(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_size,
                       const uint8_t *value, size_t value_size, uint8_t flags, void *context)
{
    struct client_call *call = call_of(frame->hd.stream_id);
    if (!call) return 0;
    bool is_status = name_size == 7 && memcmp(name, ":status", 7) == 0;
    if (is_status) call->status = (int)strtol((const char *)value, NULL, 10);
    if (is_status) client.continues += call->status == 100;
    else buffer_printf(&call->headers, "%.*s: %.*s\n", (int)name_size, name, (int)value_size, value);
    call->has_trailers |= call->body.size > 0;
    return 0;
}

static int data_came(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t size,
                     void *context)
{
    struct client_call *call = call_of(id);
    if (call) buffer_append(&call->body, data, size);
    if (call && client.manual) call->arrived += size;
    else nghttp2_session_consume(session, id, size);
    return 0;
}

static int frame_came(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        client.went_away = true;
        client.away_code = frame->goaway.error_code;
    }
    client.resets += frame->hd.type == NGHTTP2_RST_STREAM;
    if (frame->hd.type == NGHTTP2_PING && frame->hd.flags & NGHTTP2_FLAG_ACK) client.pings_answered++;
    struct client_call *call = frame->hd.stream_id ? call_of(frame->hd.stream_id) : NULL;
    bool may_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (call && may_end && frame->hd.flags & NGHTTP2_FLAG_END_STREAM) call->ended = true;
    return 0;
}

static int stream_closed(nghttp2_session *session, int32_t id, uint32_t code, void *context)
{
    struct client_call *call = call_of(id);
    if (!call) return 0;
    call->closed = true;
    call->reset_code = code;
    return 0;
}

static ssize_t read_upload(nghttp2_session *session, int32_t id, uint8_t *room, size_t size, uint32_t *flags,
                           nghttp2_data_source *source, void *context)
{
    struct client_call *call = source->ptr;
    struct slice left = slice_from(call->upload, call->uploaded);
    if (left.size == 0 && call->never_ends) return NGHTTP2_ERR_DEFERRED;
    if (size > left.size) size = left.size;
    memcpy(room, left.data, size);
    call->uploaded += size;
    if (size == left.size && !call->never_ends) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)size;
}

void client_connect(uint32_t window)
{
    client_disconnect();
    harness_connect();
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
    assert_int_equal(nghttp2_option_new(&option), 0);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, header_came);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, data_came);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, frame_came);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, stream_closed);
    assert_int_equal(nghttp2_session_client_new2(&client.session, callbacks, NULL, option), 0);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    const nghttp2_settings_entry entry = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window ? window : 65535};
    assert_int_equal(nghttp2_submit_settings(client.session, NGHTTP2_FLAG_NONE, &entry, 1), 0);
}

void client_forget(size_t from)
{
    for (size_t i = from; i < client.count; i++) {
        if (client.session) nghttp2_session_set_stream_user_data(client.session, client.calls[i].id, NULL);
        buffer_free(&client.calls[i].headers);
        buffer_free(&client.calls[i].body);
        client.calls[i] = (struct client_call){0};
    }
    client.count = from;
}

void client_disconnect(void)
{
    client_forget(0);
    nghttp2_session_del(client.session);
    memset(&client, 0, sizeof client);
    if (harness.client >= 0) close(harness.client);
    harness.client = -1;
}

static nghttp2_nv field(struct slice name, struct slice value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name.data, (uint8_t *)(uintptr_t)value.data, name.size, value.size,
                        NGHTTP2_NV_FLAG_NONE};
}

struct client_call *client_request(const char *method, const char *path, const char *headers, struct slice upload)
{
    assert_true(client.count < CLIENT_CALLS);
    struct client_call *call = &client.calls[client.count++];
    call->upload = upload;
    snprintf(call->path, sizeof call->path, "%.60s", path);
    nghttp2_nv fields[300];
    size_t count = 0;
    fields[count++] = field(SLICE(":method"), slice_from_string(method));
    fields[count++] = field(SLICE(":scheme"), SLICE("http"));
    fields[count++] = field(SLICE(":authority"), SLICE("localhost"));
    fields[count++] = field(SLICE(":path"), slice_from_string(path));
    for (struct slice rest = slice_from_string(headers); rest.size > 0;) {
        struct slice value = slice_cut(&rest, '\n'), name = slice_cut(&value, ':');
        assert_true(count < 300);
        fields[count++] = field(name, slice_trim(value));
    }
    nghttp2_data_provider provider = {.source.ptr = call, .read_callback = read_upload};
    call->id = nghttp2_submit_request(client.session, NULL, fields, count, upload.data ? &provider : NULL, call);
    assert_true(call->id > 0);
    return call;
}

bool client_turn(void)
{
    const uint8_t *bytes;
    ssize_t size;
    while (!client.gone && (size = nghttp2_session_mem_send(client.session, &bytes)) > 0)
        harness_send(slice_make(bytes, (size_t)size));
    buffer_clear(&harness.received);
    client.gone |= harness_read();
    struct slice got = buffer_slice(&harness.received);
    if (got.size > 0) nghttp2_session_mem_recv(client.session, (const uint8_t *)got.data, got.size);
    while (!client.gone && (size = nghttp2_session_mem_send(client.session, &bytes)) > 0)
        harness_send(slice_make(bytes, (size_t)size));
    return true;
}

bool client_has(const struct client_call *call, const char *header_line)
{
    struct slice line = slice_from_string(header_line);
    for (struct slice rest = buffer_slice(&call->headers); rest.size > 0;)
        if (slice_equal(slice_cut(&rest, '\n'), line)) return true;
    print_error("%s: no \"%s\" among\n%.*s", call->path, header_line, SLICE_ARGS(buffer_slice(&call->headers)));
    return false;
}

bool client_body_is(const struct client_call *call, const char *text)
{
    return slice_equal(buffer_slice(&call->body), slice_from_string(text));
}

void client_gzip(struct slice plain, struct buffer *out)
{
    z_stream zlib = {.next_in = (Bytef *)(uintptr_t)plain.data, .avail_in = (uInt)plain.size};
    assert_int_equal(deflateInit2(&zlib, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    zlib.avail_out = (uInt)deflateBound(&zlib, zlib.avail_in);
    zlib.next_out = (Bytef *)buffer_reserve(out, zlib.avail_out);
    assert_int_equal(deflate(&zlib, Z_FINISH), Z_STREAM_END);
    out->size += zlib.total_out;
    deflateEnd(&zlib);
}
