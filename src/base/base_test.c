/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour of the base library: arenas, buffers, maps, slices, times, UUIDs, queues, JSON text, metrics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <pthread.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/json_writer.h"
#include "base/map.h"
#include "base/metric.h"
#include "base/network.h"
#include "base/queue.h"
#include "base/time.h"
#include "base/uuid.h"

static void arena_refuses_more_than_its_limit_and_says_so(void **state)
{
    struct arena *arena = arena_create(1000);
    assert_non_null(arena_allocate(arena, 900));
    assert_false(arena_failed(arena));
    assert_null(arena_allocate(arena, 200));
    assert_true(arena_failed(arena));
    arena_reset(arena);
    assert_false(arena_failed(arena));
    assert_non_null(arena_allocate(arena, 900));
    arena_destroy(arena);
}

static void arena_memory_is_zeroed_aligned_and_survives_large_allocations(void **state)
{
    struct arena *arena = arena_create(0);
    for (int round = 0; round < 3; round++) {
        for (size_t size = 1; size < 300000; size = size * 3 + 1) {
            unsigned char *memory = arena_allocate(arena, size);
            assert_int_equal((uintptr_t)memory % 16, 0);
            for (size_t i = 0; i < size; i++) assert_int_equal(memory[i], 0);
            memset(memory, 0xFF, size);
        }
        arena_reset(arena);
    }
    struct slice text = arena_printf(arena, "%d-%s", 42, "x");
    assert_string_equal(text.data, "42-x");
    arena_destroy(arena);
}

static void buffer_grows_and_consumes_from_the_front(void **state)
{
    struct buffer buffer = {0};
    for (int i = 0; i < 1000; i++) buffer_printf(&buffer, "%04d", i);
    assert_int_equal(buffer.size, 4000);
    buffer_consume(&buffer, 3996);
    assert_memory_equal(buffer.data, "0999", 4);
    buffer_clear(&buffer);
    buffer_append_varint(&buffer, 300);
    assert_memory_equal(buffer.data, "\xAC\x02", 2);
    char long_text[2000];
    memset(long_text, 'a', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = 0;
    buffer_clear(&buffer);
    buffer_printf(&buffer, "%s!", long_text);
    assert_int_equal(buffer.size, 2000);
    assert_int_equal(buffer.data[1999], '!');
    buffer_free(&buffer);
}

static void buffer_remembers_a_failed_allocation(void **state)
{
    struct buffer buffer = {0};
    buffer_append_string(&buffer, "kept");
    assert_null(buffer_reserve(&buffer, SIZE_MAX - 2));
    assert_true(buffer.failed);
    buffer_append_string(&buffer, "dropped");
    assert_int_equal(buffer.size, 4);
    buffer_free(&buffer);
}

static void map_finds_what_was_put_and_nothing_else(void **state)
{
    struct map map = {0};
    static int values[1000];
    char key[16];
    for (int i = 0; i < 1000; i++) {
        int size = snprintf(key, sizeof key, "key%d", i);
        assert_true(map_put(&map, slice_make(key, (size_t)size), &values[i]));
    }
    assert_int_equal(map.count, 1000);
    for (int i = 0; i < 1000; i++) {
        int size = snprintf(key, sizeof key, "key%d", i);
        assert_ptr_equal(map_get(&map, slice_make(key, (size_t)size)), &values[i]);
    }
    assert_null(map_get(&map, SLICE("key1000")));
    assert_true(map_put(&map, SLICE("key7"), &values[8]));
    assert_ptr_equal(map_get(&map, SLICE("key7")), &values[8]);
    assert_int_equal(map.count, 1000);
    size_t position = 0, walked = 0;
    while (map_next(&map, &position)) walked++;
    assert_int_equal(walked, 1000);
    map_free(&map);
}

static void utf8_check_accepts_only_well_formed_sequences(void **state)
{
    static const struct { const char *text; bool good; } cases[] = {
        {"", true}, {"plain", true}, {"gr\xC3\xBC\xC3\x9F", true}, {"\xE2\x82\xAC", true}, {"\xF0\x9F\x98\x80", true},
        {"\xC0\xAF", false}, {"\xE0\x80\x80", false}, {"\xED\xA0\x80", false}, {"\xF4\x90\x80\x80", false}, {"\xC3", false},
        {"\x80", false}, {"a\xFFz", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(slice_is_utf8(slice_from_string(cases[i].text)), cases[i].good);
}

static void integers_are_parsed_without_overflow(void **state)
{
    int64_t value = 7;
    uint64_t unsigned_value;
    assert_true(slice_parse_int64(SLICE("-9223372036854775808"), &value));
    assert_true(value == INT64_MIN);
    assert_false(slice_parse_int64(SLICE("9223372036854775808"), &value));
    assert_false(slice_parse_int64(SLICE("12a"), &value));
    assert_false(slice_parse_int64(SLICE(""), &value));
    assert_false(slice_parse_int64(SLICE("-"), &value));
    assert_true(slice_parse_uint64(SLICE("18446744073709551615"), &unsigned_value));
    assert_false(slice_parse_uint64(SLICE("18446744073709551616"), &unsigned_value));
}

static void cut_splits_at_the_first_separator(void **state)
{
    struct slice rest = SLICE("a=b=c");
    assert_true(slice_equal(slice_cut(&rest, '='), SLICE("a")));
    assert_true(slice_equal(rest, SLICE("b=c")));
    assert_true(slice_equal(slice_cut(&rest, '&'), SLICE("b=c")));
    assert_int_equal(rest.size, 0);
}

static void iso8601_times_are_read_and_bad_ones_refused(void **state)
{
    static const struct { const char *text; int64_t ms; } good[] = {
        {"1970-01-01", 0}, {"1970-01-01T00:00:00Z", 0}, {"2026-06-08T12:00:00.000Z", 1780920000000},
        {"2026-06-08 14:00:00+02:00", 1780920000000}, {"2026-06-08T12:00Z", 1780920000000},
        {"2026-06-08T12:00:00.123456789Z", 1780920000123}, {"2026-06-08T12:00:00.5Z", 1780920000500},
        {"2000-02-29", 951782400000}, {"1969-12-31T23:59:59.999Z", -1},
    };
    static const char *const bad[] = {"", "2026", "2026-13-01", "2026-02-29", "1900-02-29", "2026-06-08T25:00:00Z", "2026-06-08T12",
                                      "2026-06-08T12:00:00.Z", "2026-06-08T12:00:00Zx", "yesterday", "2026-06-08T12:00:00+2"};
    int64_t ms;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(time_parse_iso8601(slice_from_string(good[i].text), &ms));
        assert_true(ms == good[i].ms);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_false(time_parse_iso8601(slice_from_string(bad[i]), &ms));
}

static void times_print_as_they_were_read(void **state)
{
    char text[TIME_TEXT_SIZE];
    for (int64_t ms = -62167219200000; ms < 253402300800000; ms += 86400000LL * 97 + 12345678) {
        int64_t back;
        time_format_ms(ms, text);
        assert_true(time_parse_iso8601(slice_make(text, sizeof text), &back));
        assert_true(back == ms);
    }
}

static void uuids_are_parsed_printed_and_stamped(void **state)
{
    struct uuid uuid;
    char text[UUID_TEXT_SIZE];
    assert_true(uuid_parse(SLICE("0189F7E2-3B4c-7d5e-8f60-718293a4b5c6"), &uuid));
    uuid_format(&uuid, text);
    assert_memory_equal(text, "0189f7e2-3b4c-7d5e-8f60-718293a4b5c6", UUID_TEXT_SIZE);
    assert_false(uuid_parse(SLICE("0189f7e2-3b4c-7d5e-8f60-718293a4b5c"), &uuid));
    assert_false(uuid_parse(SLICE("0189f7e2+3b4c-7d5e-8f60-718293a4b5c6"), &uuid));
    assert_false(uuid_parse(SLICE("0189f7e2-3b4c-7d5e-8f60-718293a4b5cg"), &uuid));
    struct uuid made = uuid_make_v7(1780920000123), other = uuid_make_v7(1780920000123);
    assert_int_equal(made.bytes[6] >> 4, 7);
    assert_int_equal(made.bytes[8] >> 6, 2);
    assert_memory_not_equal(&made, &other, sizeof made);
    struct uuid a = uuid_from_name(SLICE("a"), SLICE("bc")), b = uuid_from_name(SLICE("ab"), SLICE("c"));
    struct uuid a_again = uuid_from_name(SLICE("a"), SLICE("bc"));
    assert_memory_not_equal(&a, &b, sizeof a);
    assert_memory_equal(&a, &a_again, sizeof a);
}

static void json_text_is_escaped_and_commas_are_placed(void **state)
{
    struct buffer out = {0};
    struct json_writer writer = {.out = &out};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "te\"xt");
    json_writer_string(&writer, SLICE("a\\b\n\x01\xC3\xBC\xFF"));
    json_writer_key(&writer, "list");
    json_writer_array_begin(&writer);
    json_writer_int(&writer, -5);
    json_writer_double(&writer, 0.1);
    json_writer_double(&writer, NAN);
    json_writer_array_begin(&writer);
    json_writer_array_end(&writer);
    json_writer_bool(&writer, true);
    json_writer_null(&writer);
    json_writer_uint(&writer, UINT64_MAX);
    json_writer_raw(&writer, SLICE("{}"));
    json_writer_array_end(&writer);
    json_writer_object_end(&writer);
    buffer_append_byte(&out, 0);
    assert_string_equal(out.data, "{\"te\\\"xt\":\"a\\\\b\\n\\u0001\xC3\xBC\xEF\xBF\xBD\","
                                  "\"list\":[-5,0.1,null,[],true,null,18446744073709551615,{}]}");
    buffer_free(&out);
}

static void *push_a_thousand(void *context)
{
    for (uintptr_t i = 1; i <= 1000; i++)
        while (!queue_try_push(context, (void *)i)) sched_yield();
    return NULL;
}

static void queue_is_bounded_keeps_order_and_drains_after_close(void **state)
{
    struct queue *queue = queue_create(2);
    int item;
    assert_null(queue_pop(queue, 0));
    assert_true(queue_try_push(queue, &item));
    assert_true(queue_try_push(queue, &item));
    assert_false(queue_try_push(queue, &item));
    assert_ptr_equal(queue_pop(queue, -1), &item);
    assert_ptr_equal(queue_pop(queue, -1), &item);
    pthread_t producer;
    pthread_create(&producer, NULL, push_a_thousand, queue);
    for (uintptr_t i = 1; i <= 1000; i++) assert_ptr_equal(queue_pop(queue, -1), (void *)i);
    pthread_join(producer, NULL);
    queue_try_push(queue, &item);
    queue_close(queue);
    assert_false(queue_try_push(queue, &item));
    assert_ptr_equal(queue_pop(queue, -1), &item);
    assert_null(queue_pop(queue, -1));
    queue_destroy(queue);
}

static void errors_name_the_field_and_map_to_statuses(void **state)
{
    struct error error;
    assert_int_equal(error_set_field(&error, ERROR_INVALID, "name", "must not be %s", "empty"), ERROR_INVALID);
    assert_string_equal(error.field, "name");
    assert_string_equal(error.message, "must not be empty");
    assert_int_equal(error_set_errno(&error, 28, "write x"), ERROR_UNAVAILABLE);
    assert_string_equal(error.message, "write x: No space left on device");
    for (int code = 0; code < ERROR_CODE_COUNT; code++) {
        assert_non_null(error_code_name((enum error_code)code));
        assert_in_range(error_code_http_status((enum error_code)code), 200, 599);
        /* gRPC clients send again what is UNAVAILABLE or late; the rest of what they repeat needs more than a code. */
        int grpc = error_code_grpc_status((enum error_code)code);
        assert_int_equal(grpc == 14 || grpc == 4, error_code_is_retryable((enum error_code)code));
    }
    assert_int_equal(error_code_grpc_status(ERROR_TOO_LARGE), 8);
}

static void errors_are_counted_by_their_codes_for_all_who_tell_them(void **state)
{
    struct metric_registry *registry = metric_registry_create();
    struct buffer out = {0};
    metric_count_error(metric_errors(registry), ERROR_NOT_FOUND);
    metric_count_error(metric_errors(registry), ERROR_NOT_FOUND);
    metric_registry_write(registry, &out);
    assert_true(slice_find(buffer_slice(&out), SLICE("\nmillrace_http_errors_total{code=\"not_found\"} 2\n")) >= 0);
    assert_true(slice_find(buffer_slice(&out), SLICE("\nmillrace_http_errors_total{code=\"gone\"} 0\n")) >= 0);
    assert_true(slice_find(buffer_slice(&out), SLICE("\"ok\"")) < 0);
    buffer_free(&out);
    metric_registry_destroy(registry);
}

static void metrics_print_as_prometheus_text(void **state)
{
    struct metric_registry *registry = metric_registry_create();
    struct metric *counter = metric_counter(registry, "x_total", "state=\"ok\"", "Things.");
    struct metric_histogram *histogram = metric_histogram(registry, "x_seconds", "Time.");
    metric_add(counter, 3);
    metric_observe_us(histogram, 400);
    metric_observe_us(histogram, 90000000);
    struct buffer out = {0};
    metric_registry_write(registry, &out);
    struct slice text = buffer_slice(&out);
    assert_true(slice_find(text, SLICE("# TYPE x_total counter\nx_total{state=\"ok\"} 3\n")) >= 0);
    assert_true(slice_find(text, SLICE("x_seconds_bucket{le=\"0.0005\"} 1\n")) >= 0);
    assert_true(slice_find(text, SLICE("x_seconds_bucket{le=\"+Inf\"} 2\n")) >= 0);
    assert_true(slice_find(text, SLICE("x_seconds_count 2\n")) >= 0);
    buffer_free(&out);
    metric_registry_destroy(registry);
}

static void network_addresses_lie_in_prefixes(void **state)
{
    static const struct {
        const char *prefix, *address;
        bool parses, matches;
    } cases[] = {
        {"10.0.0.0/8", "10.255.0.1", true, true},      {"10.0.0.0/8", "11.0.0.1", true, false},
        {"10.9.9.9/8", "10.0.0.1", true, true},        {"192.0.2.128/25", "192.0.2.127", true, false},
        {"192.0.2.7", "::ffff:192.0.2.7", true, true}, {"2001:db8::/33", "2001:db8:7fff::1", true, true},
        {"2001:db8::/33", "2001:db8:8000::", true, false}, {"::/0", "10.0.0.1", true, true},
        {"0.0.0.0/0", "2001:db8::1", true, false},     {"10.0.0.0/33", "", false, false},
        {"::/129", "", false, false},                  {"10.0.0.0/", "", false, false},
        {"10.0.0/8", "", false, false},                {"", "", false, false},
        {"10.0.0.0/8x", "", false, false},             {"localhost", "", false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct network_prefix prefix;
        uint8_t bytes[16];
        if (network_prefix_parse(slice_from_string(cases[i].prefix), &prefix) != cases[i].parses) fail_msg("%s", cases[i].prefix);
        if (!cases[i].parses) continue;
        assert_true(network_address_parse(slice_from_string(cases[i].address), bytes));
        if (network_prefix_matches(&prefix, bytes) != cases[i].matches) fail_msg("%s in %s", cases[i].address, cases[i].prefix);
    }
    uint8_t bytes[16];
    char text[NETWORK_ADDRESS_TEXT_SIZE];
    assert_true(network_address_parse(SLICE("2001:DB8:0::1"), bytes));
    network_address_format(bytes, text);
    assert_string_equal("2001:db8::1", text);
    assert_true(network_address_parse(SLICE("::ffff:192.0.2.7"), bytes));
    network_address_format(bytes, text);
    assert_string_equal("192.0.2.7", text);
    assert_false(network_address_parse(slice_make("192.0.2.7\0x", 11), bytes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_refuses_more_than_its_limit_and_says_so),
        cmocka_unit_test(arena_memory_is_zeroed_aligned_and_survives_large_allocations),
        cmocka_unit_test(buffer_grows_and_consumes_from_the_front),
        cmocka_unit_test(buffer_remembers_a_failed_allocation),
        cmocka_unit_test(map_finds_what_was_put_and_nothing_else),
        cmocka_unit_test(utf8_check_accepts_only_well_formed_sequences),
        cmocka_unit_test(integers_are_parsed_without_overflow),
        cmocka_unit_test(cut_splits_at_the_first_separator),
        cmocka_unit_test(iso8601_times_are_read_and_bad_ones_refused),
        cmocka_unit_test(times_print_as_they_were_read),
        cmocka_unit_test(uuids_are_parsed_printed_and_stamped),
        cmocka_unit_test(json_text_is_escaped_and_commas_are_placed),
        cmocka_unit_test(queue_is_bounded_keeps_order_and_drains_after_close),
        cmocka_unit_test(errors_name_the_field_and_map_to_statuses),
        cmocka_unit_test(metrics_print_as_prometheus_text),
        cmocka_unit_test(errors_are_counted_by_their_codes_for_all_who_tell_them),
        cmocka_unit_test(network_addresses_lie_in_prefixes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
