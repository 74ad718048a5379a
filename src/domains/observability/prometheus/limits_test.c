/* SPDX-License-Identifier: Apache-2.0 */
/* What one request of remote write can make the server hold: labels, and symbols that stand in many series. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "domain/harness.h"
#include "domains/observability/observability.h"

static int set_up(void **state)
{
    struct harness *harness = calloc(1, sizeof *harness);
    harness_create(harness, &observability_domain);
    *state = harness;
    return 0;
}
static int tear_down(void **state)
{
    harness_destroy(*state);
    free(*state);
    return 0;
}

static void append_bytes(struct buffer *out, unsigned number, struct slice bytes)
{
    buffer_append_varint(out, number << 3 | 2);
    buffer_append_varint(out, bytes.size);
    buffer_append_slice(out, bytes);
}
static void append_sample(struct buffer *series)
{
    struct buffer sample = {0};
    buffer_append_varint(&sample, 2 << 3);
    buffer_append_varint(&sample, (uint64_t)HARNESS_NOW_MS);
    append_bytes(series, 2, buffer_slice(&sample));
    buffer_free(&sample);
}
static void send(struct harness *harness, int version, struct buffer *body, int status, size_t samples, const char *answer)
{
    assert_false(body->failed);
    harness_header(harness, "authorization", "Bearer k");
    harness_header(harness, "content-type", version == 1 ? "application/x-protobuf" : "application/x-protobuf;proto=io.prometheus.write.v2.Request");
    assert_true(harness_post(harness, "/api/v1/write", "", buffer_slice(body)));
    if (slice_find(buffer_slice(&harness->body), slice_from_string(answer)) < 0) fail_msg("%.*s", SLICE_ARGS(buffer_slice(&harness->body)));
    assert_int_equal(harness->status, status);
    assert_int_equal(harness_row_count(harness, OBSERVABILITY_SAMPLES), samples);
    if (!samples) assert_int_equal(harness_row_count(harness, OBSERVABILITY_SERIES), 0);
    buffer_free(body);
}

/* ---- 1.0 ---- */

static void add_label(struct buffer *series, const char *name, int number, struct slice value)
{
    struct buffer label = {0}, text = {0};
    if (number < 0) buffer_append_string(&text, name);
    else buffer_printf(&text, "%s%05d", name, number);
    append_bytes(&label, 1, buffer_slice(&text));
    append_bytes(&label, 2, value);
    append_bytes(series, 1, buffer_slice(&label));
    buffer_free(&text);
    buffer_free(&label);
}
/* __name__ and so many others of that size. */
static void add_series(struct buffer *body, int number, int labels, size_t size)
{
    struct buffer series = {0}, name = {0}, value = {0};
    buffer_printf(&name, "m%d", number);
    for (size_t i = 0; i < size; i++) buffer_append_byte(&value, 'x');
    add_label(&series, "__name__", -1, buffer_slice(&name));
    for (int i = 0; i < labels; i++) add_label(&series, "label_", i, buffer_slice(&value));
    append_sample(&series);
    append_bytes(body, 1, buffer_slice(&series));
    buffer_free(&series);
    buffer_free(&name);
    buffer_free(&value);
}

static void a_series_with_too_many_labels_is_refused_alone(void **state)
{
    struct buffer body = {0};
    add_series(&body, 1, 511, 1);
    add_series(&body, 2, 512, 1);
    send(*state, 1, &body, 400, 1, "1 of 2 samples, histograms and exemplars were refused, the others are stored: series 1 (m2): it has more than 512 labels");
}

static void a_series_with_long_labels_is_refused_alone(void **state)
{
    struct buffer body = {0};
    add_series(&body, 1, 1, 65000);
    add_series(&body, 2, 2, 33000);
    send(*state, 1, &body, 400, 1, "series 1 (m2): its labels take more than 64 KiB");
}

/* The request's arena (16 MiB here) does not hold what is only needed while a series is read. */
static void new_series_need_no_memory_of_the_request(void **state)
{
    struct buffer body = {0};
    for (int i = 0; i < 20000; i++) add_series(&body, i, 20, 10);
    send(*state, 1, &body, 204, 20000, "");
}

/* ---- 2.0 ---- */

/* Symbols: "", "__name__", "m", "long", one of `size`, "number", "0", .. */
static void add_symbols(struct buffer *body, size_t size, int count)
{
    struct buffer text = {0};
    append_bytes(body, 4, SLICE_EMPTY);
    append_bytes(body, 4, SLICE("__name__"));
    append_bytes(body, 4, SLICE("m"));
    append_bytes(body, 4, SLICE("long"));
    for (size_t i = 0; i < size; i++) buffer_append_byte(&text, 'x');
    append_bytes(body, 4, buffer_slice(&text));
    append_bytes(body, 4, SLICE("number"));
    for (int i = 0; i < count; i++) {
        buffer_clear(&text);
        buffer_printf(&text, "%d", i);
        append_bytes(body, 4, buffer_slice(&text));
    }
    buffer_free(&text);
}
static void add_series_of_symbols(struct buffer *body, int number, bool has_long, bool has_long_help)
{
    struct buffer series = {0}, references = {0}, metadata = {0};
    const unsigned all[] = {1, 2, 3, 4, 5, 6 + (unsigned)number};
    for (size_t i = 0; i < 6; i++)
        if (has_long || (all[i] != 3 && all[i] != 4)) buffer_append_varint(&references, all[i]);
    append_bytes(&series, 1, buffer_slice(&references));
    append_sample(&series);
    if (has_long_help) {
        buffer_append_varint(&metadata, 1 << 3);
        buffer_append_varint(&metadata, 2);
        buffer_append_varint(&metadata, 3 << 3);
        buffer_append_varint(&metadata, 4);
        append_bytes(&series, 5, buffer_slice(&metadata));
    }
    append_bytes(body, 5, buffer_slice(&series));
    buffer_free(&references);
    buffer_free(&metadata);
    buffer_free(&series);
}

static void symbols_that_many_series_name_are_bounded_for_the_whole_request(void **state)
{
    struct buffer body = {0};
    add_symbols(&body, 60000, 3000);
    for (int i = 0; i < 3000; i++) add_series_of_symbols(&body, i, true, false);
    send(*state, 2, &body, 413, 0, "take more than 256 MiB as rows: send smaller batches");
}

static void help_that_many_series_name_is_bounded_for_the_whole_request(void **state)
{
    struct buffer body = {0};
    add_symbols(&body, 60000, 3000);
    for (int i = 0; i < 3000; i++) add_series_of_symbols(&body, i, false, true);
    send(*state, 2, &body, 413, 0, "take more than 256 MiB as rows: send smaller batches");
}

static void a_symbol_longer_than_help_may_be_is_none(void **state)
{
    struct buffer body = {0}, rows = {0};
    add_symbols(&body, 1 << 20, 1000);
    for (int i = 0; i < 1000; i++) add_series_of_symbols(&body, i, false, true);
    send(*state, 2, &body, 204, 1000, "");
    harness_write_rows(*state, OBSERVABILITY_METADATA, &rows);
    assert_true(rows.size > 0 && rows.size < 10000);
    buffer_free(&rows);
}

/* ---- series of a day ---- */

static int set_up_three_series(void **state)
{
    static const struct domain_state_setting settings[] = {{"series_limit", 3}};
    struct harness *harness = calloc(1, sizeof *harness);
    harness_create_with(harness, &observability_domain, settings, 1);
    *state = harness;
    return 0;
}

static void series_beyond_the_limit_of_a_day_are_refused_and_known_ones_go_on(void **state)
{
    struct buffer body = {0};
    for (int i = 0; i < 4; i++) add_series(&body, i, 1, 10);
    send(*state, 1, &body, 400, 3, "1 of 4 samples, histograms and exemplars were refused, the others are stored: series 3 (m3): it is a new series, and the tenant has sent 3 today");
    harness_reset(*state);
    for (int i = 0; i < 3; i++) add_series(&body, i, 1, 10);
    send(*state, 1, &body, 204, 3, "");
}

/* ---- what describes a series ---- */

static void add_described_series(struct buffer *body, bool is_described)
{
    struct buffer series = {0}, references = {0}, metadata = {0};
    const char *const symbols[] = {"", "__name__", "queue_count", "items"};
    for (size_t i = 0; i < 4; i++) append_bytes(body, 4, slice_from_string(symbols[i]));
    buffer_append_varint(&references, 1);
    buffer_append_varint(&references, 2);
    append_bytes(&series, 1, buffer_slice(&references));
    append_sample(&series);
    buffer_append_varint(&metadata, 1 << 3);
    buffer_append_varint(&metadata, is_described ? 2 : 0); /* a gauge, though its name ends as a counter's */
    if (is_described) {
        buffer_append_varint(&metadata, 4 << 3);
        buffer_append_varint(&metadata, 3);
    }
    append_bytes(&series, 5, buffer_slice(&metadata));
    append_bytes(body, 5, buffer_slice(&series));
    buffer_free(&references);
    buffer_free(&metadata);
    buffer_free(&series);
}

static void expect_series(struct harness *harness, bool is_described, const char *part)
{
    struct buffer body = {0}, rows = {0};
    harness_reset(harness);
    add_described_series(&body, is_described);
    send(harness, 2, &body, 204, 1, "");
    assert_int_equal(harness_row_count(harness, OBSERVABILITY_SERIES), part != NULL);
    if (part) harness_write_rows(harness, OBSERVABILITY_SERIES, &rows);
    if (part && slice_find(buffer_slice(&rows), slice_from_string(part)) < 0) fail_msg("%.*s", SLICE_ARGS(buffer_slice(&rows)));
    assert_int_equal(slice_find(buffer_slice(&rows), SLICE("\"is_described\":1")) >= 0, part && is_described);
    buffer_free(&rows);
}

static void a_series_is_written_again_once_its_sender_says_what_it_is(void **state)
{
    expect_series(*state, false, "\"metric_type\":\"counter\"");
    expect_series(*state, true, "\"metric_type\":\"gauge\",\"unit\":\"items\"");
    expect_series(*state, false, NULL);
    expect_series(*state, true, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_series_with_too_many_labels_is_refused_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_series_with_long_labels_is_refused_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(new_series_need_no_memory_of_the_request, set_up, tear_down),
        cmocka_unit_test_setup_teardown(symbols_that_many_series_name_are_bounded_for_the_whole_request, set_up, tear_down),
        cmocka_unit_test_setup_teardown(help_that_many_series_name_is_bounded_for_the_whole_request, set_up, tear_down),
        cmocka_unit_test_setup_teardown(series_beyond_the_limit_of_a_day_are_refused_and_known_ones_go_on, set_up_three_series, tear_down),
        cmocka_unit_test_setup_teardown(a_series_is_written_again_once_its_sender_says_what_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_symbol_longer_than_help_may_be_is_none, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
