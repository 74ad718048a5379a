/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers come back as they were; names are Prometheus'; the set of known series forgets nothing but when it must. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>

#include <stdlib.h>

#include "domain/harness.h"
#include "domains/observability/metrics/names.h"
#include "domains/observability/metrics/state.h"
#include "domains/observability/metrics/write.h"

static void comes_back(double value, uint8_t *hint)
{
    struct metrics_number number = metrics_number_of(value, hint);
    double back = metrics_number_value(number);
    if (memcmp(&back, &value, sizeof value) != 0)
        fail_msg("%.17g became %.17g (mantissa %lld, scale %d, ulps %d)", value, back, (long long)number.mantissa, number.scale, number.ulps);
}

static void every_number_comes_back_bit_by_bit(void **state)
{
    static const double values[] = {0, -0.0, 1, -1, 0.1, 0.2, 12.5, 1e9, 9007199254740992.0, 9007199254740994.0, 1e300, -1e-300, 5e-324, 1.0 / 3, 3.141592653589793,
                                    123456.789, 0.000000001, 0.0000000001, INFINITY, -INFINITY, 1e15 + 0.5};
    uint8_t shared = 0;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        uint8_t hint = 0;
        comes_back(values[i], &hint);
        comes_back(values[i], &shared);
    }
    uint64_t random = 88172645463325252ULL;
    uint8_t hints[4] = {0};
    double sum = 0;
    for (int i = 0; i < 2000000; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        double value;
        memcpy(&value, &random, sizeof value);
        if (!isnan(value)) comes_back(value, &hints[0]);
        comes_back((double)(random >> 40) / 1000, &hints[1]);
        sum += (double)(random >> 50) / 1000;
        comes_back(sum, &hints[2]);
        comes_back((double)(int64_t)(random >> 20), &hints[3]);
    }
}

static bool bits_are_decimal(double value)
{
    return (double)(int64_t)nearbyint(value * 1000) / 1000 == value;
}

static void sums_of_decimals_stay_small_whole_numbers(void **state)
{
    uint8_t hint = 0;
    double sum = 0;
    for (int i = 0; i < 100000; i++) {
        sum += 0.001 * (i % 700);
        struct metrics_number number = metrics_number_of(sum, &hint);
        assert_true(number.scale <= METRICS_SCALE_LIMIT);
    }
    assert_int_equal(hint, 3);
    /* Also when the first one that is seen is no decimal any more. */
    for (hint = 0; bits_are_decimal(sum); sum += 0.1) continue;
    assert_int_equal(metrics_number_of(sum, &hint).scale, hint);
    assert_true(hint <= 3);
}

static void stale_marks_are_told_from_other_nans(void **state)
{
    uint8_t hint = 0;
    uint64_t bits = METRICS_STALE_NAN, other = 0x7ff8000000000001ULL, back;
    double value;
    memcpy(&value, &bits, sizeof value);
    assert_int_equal(metrics_number_of(value, &hint).scale, METRICS_SCALE_STALE);
    value = metrics_number_value(metrics_number_of(value, &hint));
    memcpy(&back, &value, sizeof back);
    assert_true(back == bits);
    memcpy(&value, &other, sizeof value);
    struct metrics_number number = metrics_number_of(value, &hint);
    assert_int_equal(number.scale, METRICS_SCALE_BITS);
    assert_true((uint64_t)number.mantissa == other);
}

static void names_are_spelled_as_prometheus_does(void **state)
{
    static const struct { const char *name, *unit; enum metrics_name_kind kind; const char *expected; } cases[] = {
        {"http.server.request.duration", "s", METRICS_NAME_PLAIN, "http_server_request_duration_seconds"},
        {"http.server.requests", "{request}", METRICS_NAME_COUNTER, "http_server_requests_total"},
        {"requests.total", "", METRICS_NAME_COUNTER, "requests_total"},
        {"total.requests", "", METRICS_NAME_COUNTER, "requests_total"},
        {"system.cpu.utilization", "1", METRICS_NAME_GAUGE, "system_cpu_utilization_ratio"},
        {"system.io", "By", METRICS_NAME_COUNTER, "system_io_bytes_total"},
        {"disk.bytes", "By", METRICS_NAME_GAUGE, "disk_bytes"},
        {"speed", "m/s", METRICS_NAME_GAUGE, "speed_meters_per_second"},
        {"rate", "By/min", METRICS_NAME_PLAIN, "rate_bytes_per_min"},
        {"already_fine:name", "", METRICS_NAME_PLAIN, "already_fine:name"},
        {"5xx.errors", "", METRICS_NAME_COUNTER, "_5xx_errors_total"},
        {"a--b..c", "", METRICS_NAME_PLAIN, "a_b_c"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer out = {0};
        metrics_name_append(&out, slice_from_string(cases[i].name), slice_from_string(cases[i].unit), cases[i].kind);
        buffer_append_byte(&out, 0);
        assert_string_equal(out.data, cases[i].expected);
        buffer_free(&out);
    }
    struct buffer out = {0};
    metrics_label_name_append(&out, SLICE("http.route"));
    metrics_label_name_append(&out, SLICE("2nd-try"));
    metrics_label_name_append(&out, SLICE("stra\xc3\x9f" "e"));
    buffer_append_byte(&out, 0);
    assert_string_equal(out.data, "http_routekey_2nd_trystra_e");
    buffer_free(&out);
}

static void the_set_remembers_series_and_their_days(void **state)
{
    struct metrics_set *set = metrics_set_create();
    assert_non_null(set);
    for (uint64_t key = 1; key <= 100000; key++) metrics_set_mark(set, metrics_set_add(set, key * 0x9e3779b97f4a7c15ULL, key), 20000);
    for (uint64_t key = 1; key <= 100000; key++) {
        struct metrics_known *known = metrics_set_find(set, key * 0x9e3779b97f4a7c15ULL);
        assert_non_null(known);
        assert_true(known->series_id == key);
        assert_true(metrics_known_has(known, 20000));
        assert_false(metrics_known_has(known, 19999));
        assert_false(metrics_known_has(known, 20001));
    }
    struct metrics_known *known = metrics_set_find(set, 0x9e3779b97f4a7c15ULL);
    metrics_set_mark(set, known, 20003);
    metrics_set_mark(set, known, 19990);
    assert_true(metrics_known_has(known, 20000) && metrics_known_has(known, 20003) && metrics_known_has(known, 19990));
    assert_false(metrics_known_has(known, 20001) || metrics_known_has(known, 20002));
    metrics_set_mark(set, known, 20100); /* far ahead: what was is written again */
    assert_true(metrics_known_has(known, 20100));
    assert_false(metrics_known_has(known, 20003));
    assert_null(metrics_set_find(set, 42));
    metrics_set_keep(set);
    metrics_set_forget(set);
    assert_int_equal(metrics_set_count(set), 0);
    assert_null(metrics_set_find(set, 0x9e3779b97f4a7c15ULL));
    metrics_set_destroy(set);
}

static uint64_t key_of(uint64_t number) { return number * 0x9e3779b97f4a7c15ULL; }

static void what_a_refused_request_marked_is_forgotten_alone(void **state)
{
    struct metrics_set *set = metrics_set_create();
    assert_non_null(set);
    for (uint64_t i = 1; i <= 100; i++) metrics_set_mark(set, metrics_set_add(set, key_of(i), i), 20000);
    metrics_set_keep(set);
    metrics_set_mark(set, metrics_set_find(set, key_of(1)), 20001);
    for (uint64_t i = 101; i <= 10000; i++) metrics_set_mark(set, metrics_set_add(set, key_of(i), i), 20001);
    metrics_set_forget(set);
    for (uint64_t i = 1; i <= 10000; i++) {
        struct metrics_known *known = metrics_set_find(set, key_of(i));
        if (known && metrics_known_has(known, 20001)) fail_msg("series %llu is known of the day of the refused request", (unsigned long long)i);
        if (i <= 100 && !(known && metrics_known_has(known, 20000))) fail_msg("series %llu was forgotten", (unsigned long long)i);
    }
    metrics_set_destroy(set);
}

static void series_in_use_outlast_any_number_of_new_ones(void **state)
{
    struct metrics_set *set = metrics_set_create();
    assert_non_null(set);
    for (uint64_t i = 1; i <= 1000; i++) metrics_set_mark(set, metrics_set_add(set, key_of(i), i), 20000);
    for (uint64_t i = 1001; i <= 2 * METRICS_KNOWN_LIMIT; i++) {
        metrics_set_add(set, key_of(i), i);
        if (i % 1000000) continue;
        for (uint64_t used = 1; used <= 1000; used++) {
            const struct metrics_known *known = metrics_set_find(set, key_of(used));
            if (!known || known->series_id != used || !metrics_known_has(known, 20000)) fail_msg("series %llu was forgotten", (unsigned long long)used);
        }
    }
    assert_true(metrics_set_count(set) <= METRICS_KNOWN_LIMIT);
    assert_null(metrics_set_find(set, key_of(1001)));
    metrics_set_destroy(set);
}

static void series_of_one_target_stand_side_by_side(void **state)
{
    uint64_t a = metrics_series_id(SLICE("host 1"), SLICE("cpu")), b = metrics_series_id(SLICE("host 1"), SLICE("memory")),
             c = metrics_series_id(SLICE("host 2"), SLICE("cpu"));
    assert_true(a >> 52 == b >> 52);
    assert_true(a != b);
    assert_true(c >> 52 != a >> 52);
    assert_true((a & ((UINT64_C(1) << 52) - 1)) == (c & ((UINT64_C(1) << 52) - 1)));
}

/* One point of a gauge: the rows of a table, or the answer, have that part. */
static void point_gives(const char *point, int status, ptrdiff_t table, const char *part)
{
    struct harness *harness = calloc(1, sizeof *harness);
    struct buffer body = {0}, rows = {0};
    assert_non_null(harness);
    harness_create(harness, &observability_domain);
    harness_header(harness, "authorization", "Bearer k");
    harness_header(harness, "content-type", "application/json");
    buffer_printf(&body, "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"load\",\"gauge\":{\"dataPoints\":[{\"timeUnixNano\":\"%lld000000\",%s}]}}]}]}]}",
                  (long long)HARNESS_NOW_MS, point);
    assert_true(harness_post(harness, "/v1/metrics", "", buffer_slice(&body)));
    assert_int_equal(harness->status, status);
    if (table >= 0) harness_write_rows(harness, (size_t)table, &rows);
    else buffer_append_slice(&rows, buffer_slice(&harness->body));
    if (slice_find(buffer_slice(&rows), slice_from_string(part)) < 0) fail_msg("%s: %s is not in %.*s", point, part, SLICE_ARGS(buffer_slice(&rows)));
    buffer_free(&body);
    buffer_free(&rows);
    harness_destroy(harness);
    free(harness);
}

static void a_point_has_the_value_that_was_sent_last_or_is_refused(void **state)
{
    point_gives("\"asInt\":\"7\"", 200, OBSERVABILITY_SAMPLES, "\"mantissa\":7");
    point_gives("\"asInt\":\"-7\"", 200, OBSERVABILITY_SAMPLES, "\"mantissa\":-7");
    point_gives("\"asInt\":\"7\",\"asDouble\":9", 200, OBSERVABILITY_SAMPLES, "\"mantissa\":9");
    point_gives("\"asDouble\":9,\"asInt\":\"7\"", 200, OBSERVABILITY_SAMPLES, "\"mantissa\":7");
    point_gives("\"flags\":1", 200, OBSERVABILITY_SAMPLES, "\"scale\":126");
    point_gives("\"flags\":0", 200, -1, "\"rejectedDataPoints\":\"1\",\"errorMessage\":\"data point 0: it has no value: neither as_int nor as_double (named \\\"load\\\")\"");
    point_gives("\"asInt\":\"9223372036854775808\"", 400, -1, "NumberDataPoint.asInt must be a whole number of 64 bits");
}

static void an_attribute_cannot_take_the_name_of_the_metric(void **state)
{
    point_gives("\"asInt\":1,\"attributes\":[{\"key\":\"__name__\",\"value\":{\"stringValue\":\"other\"}}]", 200, OBSERVABILITY_SERIES,
                "\"labels\":{\"exported___name__\":\"other\"}");
    point_gives("\"asInt\":1,\"attributes\":[{\"key\":\"--name--\",\"value\":{\"stringValue\":\"other\"}}]", 200, OBSERVABILITY_SERIES,
                "\"labels\":{\"exported___name__\":\"other\"}");
}

/* ---- how many series a tenant may have ---- */

static void a_tenant_has_so_many_series_a_day_and_those_it_has_go_on(void **state)
{
    struct metrics_active *active = metrics_active_create(3000);
    const struct slice a = SLICE("a"), b = SLICE("b");
    const int64_t day_ms = 86400000;
    assert_non_null(active);
    for (int round = 0; round < 2; round++)
        for (uint64_t i = 0; i < 3000; i++) assert_null(metrics_active_refusal(active, a, i * UINT64_C(0x9E3779B1), 20000 * day_ms));
    const char *refusal = metrics_active_refusal(active, a, 77, 20001 * day_ms - 1);
    assert_string_equal(refusal, "it is a new series, and the tenant has sent 3000 today, as many as metrics.series_limit allows");
    assert_null(metrics_active_refusal(active, a, 5 * UINT64_C(0x9E3779B1), 20001 * day_ms - 1));
    assert_null(metrics_active_refusal(active, b, 77, 20000 * day_ms));
    assert_null(metrics_active_refusal(active, a, 77, 20001 * day_ms));
    metrics_active_destroy(active);
}

static void post_points(struct harness *harness, int first, int count, const char *answer, size_t samples, size_t series)
{
    struct buffer body = {0};
    harness_reset(harness);
    harness_header(harness, "authorization", "Bearer k");
    harness_header(harness, "content-type", "application/json");
    buffer_append_string(&body, "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"load\",\"description\":\"d\",\"gauge\":{\"dataPoints\":[");
    for (int i = first; i < first + count; i++)
        buffer_printf(&body, "%s{\"timeUnixNano\":\"%lld000000\",\"asInt\":1,\"attributes\":[{\"key\":\"n\",\"value\":{\"intValue\":\"%d\"}}]}", i > first ? "," : "",
                      (long long)HARNESS_NOW_MS, i);
    buffer_append_string(&body, "]}}]}]}]}");
    assert_true(harness_post(harness, "/v1/metrics", "", buffer_slice(&body)));
    assert_int_equal(harness->status, 200);
    if (!slice_equal(buffer_slice(&harness->body), slice_from_string(answer))) fail_msg("%.*s", SLICE_ARGS(buffer_slice(&harness->body)));
    assert_int_equal(harness_row_count(harness, OBSERVABILITY_SAMPLES), samples);
    assert_int_equal(harness_row_count(harness, OBSERVABILITY_SERIES), series);
    buffer_free(&body);
}

static void points_of_series_beyond_the_limit_are_refused_with_the_reason_and_counted(void **state)
{
    static const struct domain_state_setting settings[] = {{"series_limit", 3}};
    struct harness *harness = calloc(1, sizeof *harness);
    struct metric_registry *registry = metric_registry_create();
    struct buffer text = {0};
    assert_non_null(harness);
    harness_create_with(harness, &observability_domain, settings, 1);
    observability_domain.state->metrics(harness->rows.state, registry);
    post_points(harness, 0, 2, "{}", 2, 2);
    post_points(harness, 0, 4, "{\"partialSuccess\":{\"rejectedDataPoints\":\"1\",\"errorMessage\":\"data point 3: it is a new series, and the tenant has sent 3 today, as "
                "many as metrics.series_limit allows (named \\\"load\\\")\"}}", 3, 1);
    post_points(harness, 0, 3, "{}", 3, 0);
    metric_registry_write(registry, &text);
    assert_true(slice_find(buffer_slice(&text), SLICE("\nmillrace_metric_series 3\n")) >= 0);
    assert_true(slice_find(buffer_slice(&text), SLICE("\nmillrace_metric_series_refused_total 1\n")) >= 0);
    buffer_free(&text);
    metric_registry_destroy(registry);
    harness_destroy(harness);
    free(harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_comes_back_bit_by_bit),
        cmocka_unit_test(sums_of_decimals_stay_small_whole_numbers),
        cmocka_unit_test(stale_marks_are_told_from_other_nans),
        cmocka_unit_test(names_are_spelled_as_prometheus_does),
        cmocka_unit_test(the_set_remembers_series_and_their_days),
        cmocka_unit_test(what_a_refused_request_marked_is_forgotten_alone),
        cmocka_unit_test(series_in_use_outlast_any_number_of_new_ones),
        cmocka_unit_test(a_point_has_the_value_that_was_sent_last_or_is_refused),
        cmocka_unit_test(an_attribute_cannot_take_the_name_of_the_metric),
        cmocka_unit_test(series_of_one_target_stand_side_by_side),
        cmocka_unit_test(a_tenant_has_so_many_series_a_day_and_those_it_has_go_on),
        cmocka_unit_test(points_of_series_beyond_the_limit_are_refused_with_the_reason_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
