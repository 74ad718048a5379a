/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of native histograms become series of parts. tests/e2e/prometheus.test.mjs compares what is computed of them with Prometheus. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "domains/observability/ask/prometheus/store.h"

struct fixture {
    struct query_context context; /* first */
    struct buffer rows;           /* what the store answers */
    struct prometheus_read read;
    struct promql_selector selector;
    struct promql_window window;
    struct prometheus_asked asked;
    struct prometheus_found found;
    struct prometheus_reader reader;
};

static enum error_code run(struct query_context *context, const struct query_text *text, const char *format, struct buffer *out, struct error *error)
{
    struct fixture *f = (struct fixture *)context;
    buffer_append_slice(out, buffer_slice(&f->rows));
    return ERROR_NONE;
}
static void release(struct query_context *context, size_t bytes) { assert_int_equal(bytes, ((struct fixture *)context)->rows.size); }

static int setup(void **state)
{
    static const struct promql_label name = {{"__name__", 8}, {"n", 1}};
    struct fixture *f = calloc(1, sizeof *f);
    *state = f;
    f->context = (struct query_context){.run = run, .release = release};
    f->read = (struct prometheus_read){.context = &f->context, .arena = arena_create(64 << 20), .samples = arena_create(64 << 20)};
    f->selector = (struct promql_selector){.range_ms = 60000, .hints = {.function = "rate", .histograms = true}};
    f->window = (struct promql_window){.selector = &f->selector, .end_ms = 60000};
    f->asked.window = &f->window;
    f->found = (struct prometheus_found){.series_id = 7, .part = PROMETHEUS_NATIVE, .labels = {&name, 1}};
    f->reader = (struct prometheus_reader){.read = &f->read, .arena = f->read.samples, .asked = &f->asked, .found = &f->found, .found_count = 1};
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    prometheus_read_end(&f->read);
    buffer_free(&f->rows);
    free(f);
    return 0;
}

static void add_side(struct buffer *rows, int32_t offset, const double *counts, size_t count)
{
    buffer_append(rows, &offset, sizeof offset);
    buffer_append_varint(rows, count);
    buffer_append(rows, counts, count * sizeof *counts);
}

static void add_row(struct fixture *f, int64_t time_ms, uint8_t is_stale, double count, int32_t schema, int32_t offset, const double *counts, size_t size)
{
    double sum = 10 * count, threshold = 0.5, zero = 1;
    uint64_t id = 7;
    int64_t start_ms = 0;
    buffer_append(&f->rows, &id, 8);
    buffer_append(&f->rows, &time_ms, 8);
    buffer_append(&f->rows, &start_ms, 8);
    buffer_append(&f->rows, &is_stale, 1);
    buffer_append(&f->rows, &count, 8);
    buffer_append(&f->rows, &sum, 8);
    buffer_append(&f->rows, &threshold, 8);
    buffer_append(&f->rows, &zero, 8);
    buffer_append(&f->rows, &schema, 4);
    add_side(&f->rows, offset, counts, size);
    add_side(&f->rows, 0, (double[]){4}, size ? 1 : 0);
}

static enum error_code ask(struct fixture *f, struct error *error)
{
    size_t limit = 10000;
    return prometheus_native_read(&f->reader, 0, 1, &limit, error);
}

/* The series of a part, and of what schema and index it is. */
static const struct promql_series *part(const struct fixture *f, enum promql_part_kind kind, size_t nth, struct promql_part *ret_part)
{
    for (size_t i = 0; i < f->reader.count; i++) {
        const struct promql_label *label = &f->reader.items[i].labels.items[0];
        assert_true(slice_equal(label->name, promql_part_label));
        memcpy(ret_part, label->value.data, sizeof *ret_part);
        if (ret_part->kind == kind && nth-- == 0) return &f->reader.items[i];
    }
    fail_msg("there is no such part");
    return NULL;
}

static void expect(const struct promql_series *series, size_t count, const double *values)
{
    assert_int_equal(count, series->count);
    for (size_t i = 0; i < count; i++)
        if (series->values[i] != values[i]) fail_msg("value %zu is %f, not %f", i, series->values[i], values[i]);
}

static void points_have_the_buckets_of_all_and_never_fall_where_they_began_anew(void **state)
{
    struct fixture *f = *state;
    struct promql_part what;
    struct error error;
    add_row(f, 1000, 0, 10, 2, 3, (double[]){1, 2}, 2);
    add_row(f, 2000, 0, 20, 2, 3, (double[]){1, 5, 7}, 3);
    add_row(f, 3000, 0, 4, 2, 4, (double[]){1, 9}, 2);
    assert_int_equal(ERROR_NONE, ask(f, &error));
    assert_int_equal(7, f->reader.count);
    expect(part(f, PROMQL_PART_COUNT, 0, &what), 3, (double[]){10, 20, 24});
    expect(part(f, PROMQL_PART_SUM, 0, &what), 3, (double[]){100, 200, 240});
    expect(part(f, PROMQL_PART_ZERO, 0, &what), 3, (double[]){1, 1, 2});
    assert_true(what.threshold == 0.5);
    expect(part(f, PROMQL_PART_NEGATIVE, 0, &what), 3, (double[]){4, 4, 8});
    assert_int_equal(1, what.index);
    expect(part(f, PROMQL_PART_POSITIVE, 0, &what), 3, (double[]){1, 1, 1});
    assert_int_equal(2, what.schema);
    assert_int_equal(4, what.index);
    expect(part(f, PROMQL_PART_POSITIVE, 1, &what), 3, (double[]){2, 5, 6});
    /* By itself this one did not fall. */
    expect(part(f, PROMQL_PART_POSITIVE, 2, &what), 3, (double[]){0, 7, 16});
}

static void without_a_rate_nothing_is_lifted_and_every_point_keeps_its_schema(void **state)
{
    struct fixture *f = *state;
    struct promql_part what;
    struct error error;
    f->selector = (struct promql_selector){.hints = {.histograms = true}};
    add_row(f, 1000, 0, 10, 3, 0, (double[]){1, 2}, 2);
    add_row(f, 1000, 0, 12, 3, 0, (double[]){3, 4}, 2);
    add_row(f, 2000, 1, 0, 0, 0, NULL, 0);
    add_row(f, 3000, 0, 5, 1, 0, (double[]){6}, 1);
    assert_int_equal(ERROR_NONE, ask(f, &error));
    const struct promql_series *count = part(f, PROMQL_PART_COUNT, 0, &what);
    assert_int_equal(3, count->count);
    assert_true(count->values[0] == 12 && promql_is_stale(count->values[1]) && count->values[2] == 5);
    const struct promql_series *coarse = part(f, PROMQL_PART_POSITIVE, 0, &what);
    assert_int_equal(1, what.schema);
    assert_true(coarse->values[0] == 0 && coarse->values[2] == 6);
    const struct promql_series *fine = part(f, PROMQL_PART_POSITIVE, 1, &what);
    assert_int_equal(3, what.schema);
    assert_true(fine->values[0] == 3 && fine->values[2] == 0);
}

static void delta_histograms_are_summed_up_however_far_apart_their_buckets_are(void **state)
{
    struct fixture *f = *state;
    struct promql_part what;
    struct error error;
    f->found.is_delta = true;
    add_row(f, 1000, 0, 1, 20, 0, (double[]){1}, 1);
    add_row(f, 2000, 0, 1, 20, 20 << 20, (double[]){1}, 1);
    assert_int_equal(ERROR_NONE, ask(f, &error));
    expect(part(f, PROMQL_PART_COUNT, 0, &what), 2, (double[]){1, 2});
    expect(part(f, PROMQL_PART_POSITIVE, 0, &what), 2, (double[]){1, 1});
    assert_true(what.schema < 20 && what.schema > 4);
    expect(part(f, PROMQL_PART_POSITIVE, 1, &what), 2, (double[]){0, 1});
    assert_true(fabs(ldexp(what.index, -what.schema) - 20) < 0.1);
}

static void rows_that_are_none_and_too_many_are_errors(void **state)
{
    struct fixture *f = *state;
    struct error error;
    size_t limit = 32;
    add_row(f, 1000, 0, 1, 0, 0, (double[]){1}, 1);
    f->rows.size--;
    assert_int_equal(ERROR_CORRUPT, ask(f, &error));
    f->rows.size++;
    add_row(f, 2000, 0, 1, 0, 0, (double[]){1}, 1);
    assert_int_equal(ERROR_TOO_LARGE, prometheus_native_read(&f->reader, 0, 1, &limit, &error));
    buffer_clear(&f->rows);
    add_row(f, 1000, 0, 1, 99, 0, (double[]){1}, 1);
    assert_int_equal(ERROR_CORRUPT, ask(f, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(points_have_the_buckets_of_all_and_never_fall_where_they_began_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_rate_nothing_is_lifted_and_every_point_keeps_its_schema, setup, teardown),
        cmocka_unit_test_setup_teardown(delta_histograms_are_summed_up_however_far_apart_their_buckets_are, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_that_are_none_and_too_many_are_errors, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
