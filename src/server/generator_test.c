/* SPDX-License-Identifier: Apache-2.0 */
/* The traffic generator: the same seed gives the same bytes, ids never repeat, nothing lies in the future. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/map.h"
#include "base/time.h"
#include "decode/json.h"
#include "server/generator.h"

#define NOW_MS 1795248000000LL /* 2026-11-21T08:00:00Z */
#define DAY_MS 86400000LL

static size_t write_visits(struct buffer *out, uint64_t seed, size_t visits, bool ids)
{
    struct generator generator;
    struct json_writer writer = {.out = out};
    size_t events = 0;
    generator_init(&generator, seed, 500);
    json_writer_array_begin(&writer);
    for (size_t i = 0; i < visits; i++)
        events += generator_write_visit(&generator, generator_visit_start(&generator, NOW_MS, 30), NOW_MS, ids, &writer);
    json_writer_array_end(&writer);
    buffer_append_zeros(out, JSON_PADDING);
    buffer_truncate(out, out->size - JSON_PADDING);
    assert_false(out->failed);
    return events;
}

static void the_same_seed_gives_the_same_bytes(void **state)
{
    struct buffer a = {0}, b = {0}, c = {0};
    assert_int_equal(write_visits(&a, 7, 200, true), write_visits(&b, 7, 200, true));
    write_visits(&c, 8, 200, true);
    assert_true(slice_equal(buffer_slice(&a), buffer_slice(&b)));
    assert_false(slice_equal(buffer_slice(&a), buffer_slice(&c)));
    buffer_free(&a);
    buffer_free(&b);
    buffer_free(&c);
}

struct counts {
    struct map ids;
    size_t events, with_id, views;
    int64_t least_ms, most_ms;
};

static void count_event(struct counts *counts, struct json_value event)
{
    struct json_value value;
    int64_t time_ms;
    counts->events++;
    assert_true(json_object_get(event, SLICE("created_at"), &value));
    assert_true(time_parse_iso8601(json_value_string(value), &time_ms));
    if (time_ms < counts->least_ms) counts->least_ms = time_ms;
    if (time_ms > counts->most_ms) counts->most_ms = time_ms;
    assert_true(json_object_get(event, SLICE("name"), &value));
    counts->views += slice_equal(json_value_string(value), SLICE("screen_view"));
    assert_true(json_object_get(event, SLICE("device_id"), &value) && json_value_string(value).size == 32);
    if (!json_object_get(event, SLICE("id"), &value)) return;
    counts->with_id++;
    assert_null(map_get(&counts->ids, json_value_string(value)));
    assert_true(map_put(&counts->ids, json_value_string(value), counts));
}

static struct counts count_events(struct slice text)
{
    struct counts counts = {.least_ms = INT64_MAX, .most_ms = INT64_MIN};
    struct json_parser *parser = json_parser_create();
    struct json_value root, event;
    struct error error;
    assert_int_equal(json_parse(parser, text, &root, &error), ERROR_NONE);
    struct json_iterator iterator = json_iterate(root);
    struct slice key;
    while (json_next(&iterator, &key, &event)) count_event(&counts, event);
    map_free(&counts.ids);
    json_parser_destroy(parser);
    return counts;
}

static void events_have_ids_of_their_own_and_lie_in_the_days_asked_for(void **state)
{
    struct buffer text = {0};
    size_t events = write_visits(&text, 42, 3000, true);
    struct counts counts = count_events(buffer_slice(&text));
    assert_int_equal(counts.events, events);
    assert_int_equal(counts.with_id, events);
    assert_in_range(counts.views, events * 8 / 10, events - 1);
    assert_true(counts.most_ms <= NOW_MS);
    assert_true(counts.least_ms >= NOW_MS - 30 * DAY_MS - DAY_MS);
    assert_true(counts.least_ms < NOW_MS - 25 * DAY_MS); /* not all of it is of today */
    buffer_free(&text);
}

static void ids_are_left_out_when_not_asked_for(void **state)
{
    struct buffer text = {0};
    size_t events = write_visits(&text, 42, 20, false);
    struct counts counts = count_events(buffer_slice(&text));
    assert_int_equal(counts.events, events);
    assert_int_equal(counts.with_id, 0);
    buffer_free(&text);
}

static void a_visit_that_starts_at_the_end_has_one_event_and_later_ones_none(void **state)
{
    struct generator generator;
    struct buffer text = {0};
    struct json_writer writer = {.out = &text};
    generator_init(&generator, 1, 0);
    json_writer_array_begin(&writer);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(generator_write_visit(&generator, NOW_MS, NOW_MS, true, &writer), 1);
        assert_int_equal(generator_write_visit(&generator, NOW_MS + 1, NOW_MS, true, &writer), 0);
    }
    buffer_free(&text);
}

static void raw_events_name_clients_instead_of_what_follows_from_them(void **state)
{
    struct generator generator;
    struct buffer text = {0};
    struct json_writer writer = {.out = &text};
    generator_init(&generator, 1, 100000);
    generator.is_raw = generator.has_clients = true;
    json_writer_array_begin(&writer);
    for (int i = 0; i < 200; i++) generator_write_visit(&generator, NOW_MS - DAY_MS, NOW_MS, false, &writer);
    json_writer_array_end(&writer);
    assert_true(slice_find(buffer_slice(&text), SLICE("\"user_agent\":\"Mozilla/5.0 (")) > 0);
    assert_true(slice_find(buffer_slice(&text), SLICE("\"ip\":\"")) > 0);
    assert_true(slice_find(buffer_slice(&text), SLICE("?utm_campaign=")) > 0);
    const struct slice found[] = {SLICE("\"browser\""), SLICE("\"country\""), SLICE("\"referrer_name\""), SLICE("\"utm_source\""), SLICE("{V}")};
    for (size_t i = 0; i < sizeof found / sizeof found[0]; i++) assert_int_equal(slice_find(buffer_slice(&text), found[i]), -1);
    buffer_free(&text);
}

static void the_first_user_agent_is_seen_most_and_there_are_hundreds(void **state)
{
    char text[GENERATOR_USER_AGENT_SIZE], address[GENERATOR_ADDRESS_SIZE];
    struct map agents = {0}, addresses = {0};
    size_t first = 0;
    for (uint64_t i = 0; i < 50000; i++) {
        uint64_t person = (i + 1) * 0x9E3779B97F4A7C15u;
        generator_user_agent(person, text);
        generator_address(person, address);
        if (strcmp(text, "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36") == 0) first++;
        assert_true(map_put(&agents, slice_from_string(text), &agents));
        assert_true(map_put(&addresses, slice_from_string(address), &addresses));
    }
    assert_in_range(agents.count, 300, 511);
    assert_in_range(first, 4000, 8000);
    assert_in_range(addresses.count, 20000, GENERATOR_ADDRESS_COUNT);
    map_free(&agents);
    map_free(&addresses);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_bytes),
        cmocka_unit_test(raw_events_name_clients_instead_of_what_follows_from_them),
        cmocka_unit_test(the_first_user_agent_is_seen_most_and_there_are_hundreds),
        cmocka_unit_test(events_have_ids_of_their_own_and_lie_in_the_days_asked_for),
        cmocka_unit_test(ids_are_left_out_when_not_asked_for),
        cmocka_unit_test(a_visit_that_starts_at_the_end_has_one_event_and_later_ones_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
