/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour of request bodies: limits, compression, memory files. */
#include "proto/http_harness.h"

#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

/* The text packed by zlib: window bits 31 give gzip, 15 give deflate. */
static void pack(struct buffer *out, struct slice text, int window_bits)
{
    z_stream zlib = {0};
    assert_int_equal(deflateInit2(&zlib, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t room = deflateBound(&zlib, text.size);
    zlib.next_in = (Bytef *)(uintptr_t)text.data;
    zlib.avail_in = (uInt)text.size;
    zlib.next_out = (Bytef *)buffer_reserve(out, room);
    zlib.avail_out = (uInt)room;
    assert_int_equal(deflate(&zlib, Z_FINISH), Z_STREAM_END);
    out->size += room - zlib.avail_out;
    deflateEnd(&zlib);
}

static void pack_zstd(struct buffer *out, struct slice text)
{
    size_t room = ZSTD_compressBound(text.size);
    size_t size = ZSTD_compress(buffer_reserve(out, room), room, text.data, text.size, 3);
    assert_false(ZSTD_isError(size));
    out->size += size;
}

static void send_packed(const char *encoding, struct slice body, bool byte_by_byte)
{
    struct buffer request = {0};
    buffer_printf(&request, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Encoding: %s\r\nContent-Length: %zu\r\n\r\n",
                  encoding, body.size);
    buffer_append_slice(&request, body);
    if (!byte_by_byte) harness_send(buffer_slice(&request));
    for (size_t i = 0; byte_by_byte && i < request.size; i++) {
        harness_send(slice_make(request.data + i, 1));
        os_loop_turn(harness.loop, 0);
    }
    buffer_free(&request);
}

static const char text[] = "some text, some text, some more text";

static void unpacks_bodies_of_every_encoding(void **state)
{
    struct slice plain = slice_from_string(text);
    harness_connect();
    for (int round = 0; round < 4; round++) { /* on one connection, so that decoders are used again */
        struct buffer gzip = {0}, deflated = {0}, zstd = {0};
        pack(&gzip, plain, 31);
        pack(&deflated, plain, 15);
        pack_zstd(&zstd, plain);
        bool slow = round % 2;
        send_packed("gzip", buffer_slice(&gzip), slow);
        send_packed("X-GZIP", buffer_slice(&gzip), slow);
        send_packed("deflate", buffer_slice(&deflated), slow);
        send_packed("zstd", buffer_slice(&zstd), slow);
        send_packed("identity", plain, slow);
        WAIT_FOR((harness_read(), harness_count("POST /echo? 36:some text, some text, some more text") ==
                                      (size_t)(round + 1) * 5));
        assert_true(harness.padding_ok);
        buffer_free(&gzip);
        buffer_free(&deflated);
        buffer_free(&zstd);
    }
}

static void unpacks_joined_gzip_members_and_zstd_frames(void **state)
{
    struct buffer gzip = {0}, zstd = {0};
    harness_connect();
    pack(&gzip, SLICE("abc"), 31);
    pack(&gzip, SLICE("def"), 31);
    send_packed("gzip", buffer_slice(&gzip), false);
    WAIT_FOR_TEXT("6:abcdef");
    pack_zstd(&zstd, SLICE("ghi"));
    pack_zstd(&zstd, SLICE("jkl"));
    send_packed("zstd", buffer_slice(&zstd), true);
    WAIT_FOR_TEXT("6:ghijkl");
    buffer_free(&gzip);
    buffer_free(&zstd);
}

static void unpacks_a_large_chunked_gzip_body(void **state)
{
    struct buffer plain = {0}, gzip = {0};
    for (int i = 0; plain.size < 3000000; i++)
        buffer_printf(&plain, "{\"number\":%d,\"square\":%d}\n", i, i % 1000 * (i % 1000) % 9973);
    pack(&gzip, buffer_slice(&plain), 31);
    harness_connect();
    harness_send_text("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (size_t at = 0; at < gzip.size; at += 5000) {
        struct buffer chunk = {0};
        struct slice part = slice_first(slice_from(buffer_slice(&gzip), at), 5000);
        buffer_printf(&chunk, "%zx\r\n", part.size);
        buffer_append_slice(&chunk, part);
        buffer_append_string(&chunk, "\r\n");
        harness_send(buffer_slice(&chunk));
        buffer_free(&chunk);
    }
    harness_send_text("0\r\n\r\n");
    WAIT_FOR((harness_read(), harness.received.size > plain.size));
    ptrdiff_t at = slice_find(buffer_slice(&harness.received), SLICE("{\"number\":0,"));
    assert_true(at > 0);
    WAIT_FOR((harness_read(), harness.received.size == (size_t)at + plain.size));
    assert_memory_equal(harness.received.data + at, plain.data, plain.size);
    buffer_free(&plain);
    buffer_free(&gzip);
}

static void refuses_what_it_cannot_unpack(void **state)
{
    struct buffer gzip = {0}, tail = {0};
    pack(&gzip, slice_from_string(text), 31);
    buffer_append_slice(&tail, buffer_slice(&gzip));
    buffer_append_string(&tail, "tail");
    struct slice whole = buffer_slice(&gzip);
    struct {
        const char *status, *encoding;
        struct slice body;
    } cases[] = {
        {"415", "br", whole},       {"415", "gzip, gzip", whole}, {"400", "gzip", SLICE("not gzip at all")},
        {"400", "deflate", whole},  {"400", "zstd", whole},       {"400", "gzip", slice_first(whole, whole.size - 4)},
        {"400", "gzip", buffer_slice(&tail)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char status[32];
        snprintf(status, sizeof status, "HTTP/1.1 %s ", cases[i].status);
        harness_connect();
        send_packed(cases[i].encoding, cases[i].body, i % 2);
        WAIT_FOR_TEXT(status);
    }
    assert_int_equal(harness.handled_count, 0);
    buffer_free(&gzip);
    buffer_free(&tail);
}

static void refuses_a_body_over_the_limit_as_early_as_possible(void **state)
{
    harness.settings.body_limit_bytes = 100000;
    /* Announced: refused before a byte of it was sent. */
    harness_connect();
    harness_send_text("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100001\r\n\r\n");
    WAIT_FOR_CLOSE();
    assert_true(harness_has("HTTP/1.1 413 "));
    /* Not announced: refused at the limit. */
    harness_connect();
    harness_send_text("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 3; i++) {
        static char chunk[40000];
        harness_send_text("9c40\r\n");
        harness_send(slice_make(chunk, sizeof chunk));
        harness_send_text("\r\n");
    }
    WAIT_FOR_CLOSE();
    assert_true(harness_has("HTTP/1.1 413 "));
    /* Packed: the limit holds for what comes out. */
    struct buffer plain = {0}, gzip = {0};
    for (int i = 0; i < 100001; i++) buffer_append_byte(&plain, (char)('a' + i % 7));
    pack(&gzip, buffer_slice(&plain), 31);
    harness_connect();
    send_packed("gzip", buffer_slice(&gzip), false);
    WAIT_FOR_TEXT("HTTP/1.1 413 ");
    /* Exactly the limit is fine. */
    harness_connect();
    send_packed("identity", slice_make(plain.data, 100000), false);
    WAIT_FOR_TEXT("POST /echo? 100000:");
    assert_int_equal(harness.handled_count, 1);
    /* Admit knows better for its route. */
    harness.admit_limit_bytes = 10;
    harness_connect();
    send_packed("identity", slice_make(plain.data, 11), false);
    WAIT_FOR_TEXT("HTTP/1.1 413 ");
    harness.admit_limit_bytes = 200000;
    harness_connect();
    send_packed("identity", buffer_slice(&plain), false);
    WAIT_FOR_TEXT("POST /echo? 100001:");
    buffer_free(&plain);
    buffer_free(&gzip);
}

static void refuses_a_body_that_explodes(void **state)
{
    struct buffer zeros = {0}, gzip = {0}, zstd = {0};
    buffer_append_zeros(&zeros, 10 << 20);
    pack(&gzip, buffer_slice(&zeros), 31);
    pack_zstd(&zstd, buffer_slice(&zeros));
    harness_connect();
    send_packed("gzip", buffer_slice(&gzip), false);
    WAIT_FOR_TEXT("HTTP/1.1 413 ");
    assert_true(harness_has("when it is decompressed"));
    harness_connect();
    send_packed("zstd", buffer_slice(&zstd), false);
    WAIT_FOR_TEXT("HTTP/1.1 413 ");
    assert_int_equal(harness.handled_count, 0);
    buffer_free(&zeros);
    buffer_free(&gzip);
    buffer_free(&zstd);
}

static void puts_bodies_into_a_memory_file_with_readable_bytes_behind(void **state)
{
    harness.settings.body_in_memory_file = true;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t sizes[] = {1, page - 64, page - 63, page - 1, page, page + 1, 3 * page, 1000000};
    harness_connect();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct buffer plain = {0}, gzip = {0};
        char expected[64];
        for (size_t at = 0; at < sizes[i]; at++) buffer_append_byte(&plain, (char)('a' + at * 7 % 26));
        snprintf(expected, sizeof expected, "POST /echo? %zu:", sizes[i]);
        pack(&gzip, buffer_slice(&plain), 31);
        for (int packed = 0; packed < 2; packed++) {
            buffer_clear(&harness.received);
            send_packed(packed ? "gzip" : "identity", buffer_slice(packed ? &gzip : &plain), false);
            WAIT_FOR((harness_read(), harness_has(expected) && harness.received.size > sizes[i] + 100));
            assert_true(harness.padding_ok);
            assert_true(harness.body_is_file);
        }
        buffer_free(&plain);
        buffer_free(&gzip);
    }
    harness_send_text("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
    WAIT_FOR_TEXT("GET /echo? 0:");
    assert_false(harness.body_is_file);
    assert_true(harness.padding_ok);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_start, harness_stop)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(unpacks_bodies_of_every_encoding),
        TEST(unpacks_joined_gzip_members_and_zstd_frames),
        TEST(unpacks_a_large_chunked_gzip_body),
        TEST(refuses_what_it_cannot_unpack),
        TEST(refuses_a_body_over_the_limit_as_early_as_possible),
        TEST(refuses_a_body_that_explodes),
        TEST(puts_bodies_into_a_memory_file_with_readable_bytes_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
