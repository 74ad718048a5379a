/* SPDX-License-Identifier: Apache-2.0 */
/* Native bytes to JSON: gaps, totals, the period before, numbers of every kind, and answers that cannot be right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "block/block.h"
#include "query/test_catalog.h"

static const struct block_type type_u8 = {BLOCK_UINT8}, type_u64 = {BLOCK_UINT64}, type_i64 = {BLOCK_INT64},
    type_f64 = {BLOCK_FLOAT64}, type_string = {BLOCK_STRING};

static const struct block_schema_column series_columns[] = {{"query_is_total", &type_u8}, {"query_bucket", &type_i64},
    {"query_measure_1", &type_u64}, {"query_measure_2", &type_f64}};
static const struct block_schema series_schema = {"", "", series_columns, 4};
static const struct block_schema_column list_columns[] = {{"query_value", &type_string}, {"query_measure_1", &type_u64},
    {"query_measure_2", &type_f64}, {"query_present", &type_u8}, {"query_previous_1", &type_u64},
    {"query_previous_2", &type_f64}};
static const struct block_schema list_schema = {"", "", list_columns, 6};
static const struct block_schema_column total_columns[] = {{"query_is_total", &type_u8}, {"query_measure_1", &type_u64},
    {"query_measure_2", &type_f64}};
static const struct block_schema total_schema = {"", "", total_columns, 3};

static void finish(struct block *block, struct buffer *native)
{
    assert_int_equal(block_seal(block, NULL), ERROR_NONE);
    block_write_native(block, NULL, 0, native);
    block_destroy(block);
}

struct series_row { uint64_t is_total; int64_t bucket; uint64_t count; double mean; };
static void add_series(const struct series_row *rows, size_t count, struct buffer *native)
{
    struct block *block = block_create(&series_schema);
    for (size_t i = 0; i < count; i++) {
        block_append_uint(block, 0, rows[i].is_total);
        block_append_int(block, 1, rows[i].bucket);
        block_append_uint(block, 2, rows[i].count);
        block_append_double(block, 3, rows[i].mean);
        block_row_commit(block);
    }
    finish(block, native);
}

static void add_total(uint64_t count, double mean, struct buffer *native)
{
    struct block *block = block_create(&total_schema);
    block_append_uint(block, 0, 1);
    block_append_uint(block, 1, count);
    block_append_double(block, 2, mean);
    block_row_commit(block);
    finish(block, native);
}

static void plan_of(enum query_question question, const char *text, struct arena *arena, struct query_plan *plan)
{
    struct error error = {0};
    if (test_plan(question, text, arena, plan, &error)) fail_msg("%s: %s", text, error.message);
}

#define DAY_1 1774652400000LL /* 2026-03-28T00:00:00+01:00 */
#define DAY_2 1774738800000LL
#define DAY_3 1774821600000LL /* a day of 23 hours later */
#define BERLIN "timezone=Europe/Berlin&from=2026-03-28&to=2026-03-30&measures=events,path_length"
#define MEASURES_JSON                                                                                                  \
    "\"measures\":[{\"name\":\"events\",\"title\":\"Events\"},"                                                        \
    "{\"name\":\"path_length\",\"title\":\"Mean path length\"}]"

static void timeseries_fills_gaps_and_keeps_totals_apart(void **state)
{
    struct arena *arena = arena_create(0);
    struct buffer now = {0}, before = {0}, out = {0};
    struct error error = {0};
    /* In two blocks, as a large answer may come; the middle day has no rows. */
    add_series(&(struct series_row){0, DAY_1, 18446744073709551615u, 2.5}, 1, &now);
    add_series((struct series_row[]){{0, DAY_3, 3, 1}, {1, 0, 4, 1.375}}, 2, &now);
    /* Before, nothing happened: no rows, no totals. */
    struct query_plan plan;
    plan_of(QUERY_TIMESERIES, BERLIN "&compare=previous", arena, &plan);
    struct slice natives[] = {buffer_slice(&now), buffer_slice(&before)};
    buffer_append_string(&out, "kept ");
    if (query_answer_write(QUERY_TIMESERIES, &plan, natives, 2, arena, &out, &error)) fail_msg("%s", error.message);
    buffer_append_byte(&out, 0);
    assert_string_equal(out.data, "kept {\"question\":\"timeseries\",\"source\":\"events\","
        "\"from\":\"2026-03-28T00:00:00+01:00\",\"to\":\"2026-03-31T00:00:00+02:00\",\"timezone\":\"Europe/Berlin\","
        "\"interval\":\"day\"," MEASURES_JSON ",\"points\":["
        "{\"time\":\"2026-03-28T00:00:00+01:00\",\"events\":18446744073709551615,\"path_length\":2.5},"
        "{\"time\":\"2026-03-29T00:00:00+01:00\",\"events\":0,\"path_length\":null},"
        "{\"time\":\"2026-03-30T00:00:00+02:00\",\"events\":3,\"path_length\":1}],"
        "\"totals\":{\"events\":4,\"path_length\":1.375},"
        "\"previous\":{\"from\":\"2026-03-25T00:00:00+01:00\",\"to\":\"2026-03-28T00:00:00+01:00\",\"points\":["
        "{\"time\":\"2026-03-25T00:00:00+01:00\",\"events\":0,\"path_length\":null},"
        "{\"time\":\"2026-03-26T00:00:00+01:00\",\"events\":0,\"path_length\":null},"
        "{\"time\":\"2026-03-27T00:00:00+01:00\",\"events\":0,\"path_length\":null}],"
        "\"totals\":{\"events\":0,\"path_length\":null}}}");
    buffer_free(&now);
    buffer_free(&before);
    buffer_free(&out);
    arena_destroy(arena);
}

static void top_lists_values_with_their_past(void **state)
{
    struct arena *arena = arena_create(0);
    struct buffer list = {0}, now = {0}, before = {0}, out = {0};
    struct error error = {0};
    static const struct {
        const char *value;
        uint64_t count;
        double mean;
        uint64_t present, count_before;
        double mean_before;
    } rows[] = {{"/\"q\"", 5, 4.5, 1, 2, 0.25}, {"", 1, 0, 0, 0, 0}};
    struct block *block = block_create(&list_schema);
    for (size_t i = 0; i < 2; i++) {
        block_append_string(block, 0, slice_from_string(rows[i].value));
        block_append_uint(block, 1, rows[i].count);
        block_append_double(block, 2, rows[i].mean);
        block_append_uint(block, 3, rows[i].present);
        block_append_uint(block, 4, rows[i].count_before);
        block_append_double(block, 5, rows[i].mean_before);
        block_row_commit(block);
    }
    finish(block, &list);
    add_total(6, 3.75, &now);
    add_total(9, 1, &before);
    struct query_plan plan;
    plan_of(QUERY_TOP, "dimension=path&limit=2&compare=previous&" BERLIN, arena, &plan);
    struct slice natives[] = {buffer_slice(&list), buffer_slice(&now), buffer_slice(&before)};
    if (query_answer_write(QUERY_TOP, &plan, natives, 3, arena, &out, &error)) fail_msg("%s", error.message);
    buffer_append_byte(&out, 0);
    assert_string_equal(out.data, "{\"question\":\"top\",\"source\":\"events\","
        "\"from\":\"2026-03-28T00:00:00+01:00\",\"to\":\"2026-03-31T00:00:00+02:00\",\"timezone\":\"Europe/Berlin\","
        "\"dimension\":{\"name\":\"path\",\"title\":\"Page\"}," MEASURES_JSON ",\"limit\":2,\"rows\":["
        "{\"value\":\"/\\\"q\\\"\",\"events\":5,\"path_length\":4.5,\"previous\":{\"events\":2,\"path_length\":0.25}},"
        "{\"value\":\"\",\"events\":1,\"path_length\":0,\"previous\":{\"events\":0,\"path_length\":null}}],"
        "\"totals\":{\"events\":6,\"path_length\":3.75},"
        "\"previous\":{\"from\":\"2026-03-25T00:00:00+01:00\",\"to\":\"2026-03-28T00:00:00+01:00\","
        "\"totals\":{\"events\":9,\"path_length\":1}}}");
    buffer_free(&list);
    buffer_free(&now);
    buffer_free(&before);
    buffer_free(&out);
    arena_destroy(arena);
}

static void refuses_answers_that_cannot_be_right_and_keeps_the_buffer(void **state)
{
    static const struct { const char *what; struct series_row rows[3]; size_t count; size_t cut; } cases[] = {
        {"no totals", {{0, DAY_1, 1, 1}}, 1, 0},
        {"a bucket that was not asked for", {{0, DAY_1 + 1, 1, 1}, {1, 0, 1, 1}}, 2, 0},
        {"buckets out of order", {{0, DAY_2, 1, 1}, {0, DAY_1, 1, 1}, {1, 0, 2, 1}}, 3, 0},
        {"cut off", {{0, DAY_1, 1, 1}, {1, 0, 1, 1}}, 2, 5},
    };
    struct arena *arena = arena_create(0);
    struct query_plan plan;
    plan_of(QUERY_TIMESERIES, BERLIN, arena, &plan);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer native = {0}, out = {0};
        struct error error = {0};
        add_series(cases[i].rows, cases[i].count, &native);
        buffer_append_string(&out, "kept");
        struct slice bytes = slice_first(buffer_slice(&native), native.size - cases[i].cut);
        enum error_code code = query_answer_write(QUERY_TIMESERIES, &plan, &bytes, 1, arena, &out, &error);
        if (code != ERROR_CORRUPT || out.size != 4) fail_msg("%s: code %d, %zu bytes", cases[i].what, code, out.size);
        buffer_free(&native);
        buffer_free(&out);
    }
    /* Another question's columns. */
    struct buffer total = {0}, out = {0};
    struct error error = {0};
    add_total(1, 1, &total);
    struct slice bytes = buffer_slice(&total);
    assert_int_equal(query_answer_write(QUERY_TIMESERIES, &plan, &bytes, 1, arena, &out, &error), ERROR_CORRUPT);
    assert_non_null(strstr(error.message, "3 columns where 4"));
    buffer_free(&total);
    buffer_free(&out);
    arena_destroy(arena);
}

static void catalog_says_what_can_be_asked(void **state)
{
    struct buffer out = {0};
    assert_int_equal(query_catalog_write_json(test_catalogs, 1, &out, NULL), ERROR_NONE);
    buffer_append_byte(&out, 0);
    static const char *const parts[] = {
        "{\"sources\":[{\"name\":\"events\",\"measures\":[{\"name\":\"visitors\",\"title\":\"Unique visitors\","
        "\"definition\":\"distinct device_id\"},",
        "\"dimensions\":[{\"name\":\"path\",\"title\":\"Page\"},{\"name\":\"name\",\"title\":\"Event\"},",
        "\"questions\":[\"timeseries\",\"top\"],\"operators\":[\"is\",\"is_not\",\"contains\",\"not_contains\","
        "\"starts_with\"],"
        "\"intervals\":[\"minute\",\"hour\",\"day\",\"week\",\"month\"],"
        "\"periods\":[\"today\",\"yesterday\",\"7d\",\"30d\",\"90d\",\"month\",\"12m\"],"
        "\"limits\":{\"measures\":8,\"filters\":16,\"filter_values\":100,\"filter_value_bytes\":2048,\"filter_bytes\":4096,\"points\":5000,"
        "\"rows\":1000}}",
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (!strstr(out.data, parts[i])) fail_msg("no %s in %s", parts[i], out.data);
    }
    /* No expression of ours leaves the house. */
    assert_null(strstr(out.data, "uniqExact"));
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timeseries_fills_gaps_and_keeps_totals_apart),
        cmocka_unit_test(top_lists_values_with_their_past),
        cmocka_unit_test(refuses_answers_that_cannot_be_right_and_keeps_the_buffer),
        cmocka_unit_test(catalog_says_what_can_be_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
