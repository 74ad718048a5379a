/* SPDX-License-Identifier: Apache-2.0 */
/* Samples become rows; a bad one refuses its request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "domains/_shape/shape.h"
#include "domain/harness.h"

static int set_up(void **state)
{
    struct harness *harness = calloc(1, sizeof *harness);
    harness_create(harness, &shape_domain);
    harness_header(harness, "authorization", "Bearer k");
    *state = harness;
    return 0;
}
static int tear_down(void **state)
{
    harness_destroy(*state);
    free(*state);
    return 0;
}

static void check_rows(struct harness *harness, const char *expected)
{
    struct buffer rows = {0};
    harness_write_rows(harness, SHAPE_TABLE_SAMPLES, &rows);
    buffer_append_byte(&rows, 0);
    assert_string_equal(rows.data, expected);
    buffer_free(&rows);
}

static void check_body(struct harness *harness, int status, const char *expected)
{
    assert_int_equal(harness->status, status);
    if (!slice_equal(buffer_slice(&harness->body), slice_from_string(expected)))
        fail_msg("%.*s", SLICE_ARGS(buffer_slice(&harness->body)));
}

static void stores_samples_and_counts_duplicates(void **state)
{
    struct harness *harness = *state;
    assert_true(harness_post(harness, "/v1/shape", "", SLICE(
        "[{\"value\":1.5,\"time\":\"2026-01-31T08:00:00Z\",\"id\":\"0190a6f0-0000-4000-8000-000000000001\"},"
        "{\"value\":-2},{\"value\":9,\"id\":\"0190a6f0-0000-4000-8000-000000000001\"}]")));
    check_body(harness, 200, "{\"accepted\":2,\"duplicates\":1}");
    check_rows(harness,
        "{\"tenant_id\":\"" HARNESS_TENANT "\",\"id\":\"0190a6f0-0000-4000-8000-000000000001\","
        "\"time\":\"2026-01-31T08:00:00.000Z\",\"value\":1.5,\"ingested_at\":\"2026-06-08T12:00:10.000Z\"}\n"
        "{\"tenant_id\":\"" HARNESS_TENANT "\",\"id\":\"new\",\"time\":\"2026-06-08T12:00:10.000Z\",\"value\":-2,\"ingested_at\":\"2026-06-08T12:00:10.000Z\"}\n");
}

static void one_bad_sample_refuses_the_request(void **state)
{
    struct harness *harness = *state;
    assert_true(harness_post(harness, "/v1/shape", "", SLICE("[{\"value\":1},{\"value\":\"x\"}]")));
    check_body(harness, 400, "(standard error) invalid: value sample 1: must be a number");
    assert_int_equal(harness_row_count(harness, SHAPE_TABLE_SAMPLES), 0);
    assert_true(harness_post(harness, "/v1/shape", "", SLICE("{\"value\":1,\"time\":\"2036-01-01\"}")));
    check_body(harness, 400, "(standard error) invalid: time from the future, by more than an hour");
    assert_true(harness_post(harness, "/v1/shape", "", SLICE("{\"value\":1,\"id\":\"x\"}")));
    check_body(harness, 400, "(standard error) invalid: id must be a UUID");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(stores_samples_and_counts_duplicates, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_bad_sample_refuses_the_request, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
