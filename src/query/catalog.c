/* SPDX-License-Identifier: Apache-2.0 */
/* Writes what can be asked, so that clients need not know it beforehand. */
#include "base/json_writer.h"
#include "query/plan_time.h"
#include "query/query.h"

static void write_text(struct json_writer *json, const char *key, const char *text)
{
    json_writer_key(json, key);
    json_writer_string(json, slice_from_string(text));
}

static void write_limit(struct json_writer *json, const char *key, uint64_t value)
{
    json_writer_key(json, key);
    json_writer_uint(json, value);
}

static void write_source(struct json_writer *json, const struct query_catalog *catalog)
{
    json_writer_object_begin(json);
    write_text(json, "name", catalog->name);
    json_writer_key(json, "measures");
    json_writer_array_begin(json);
    for (size_t i = 0; i < catalog->measure_count; i++) {
        json_writer_object_begin(json);
        write_text(json, "name", catalog->measures[i].name);
        write_text(json, "title", catalog->measures[i].title);
        write_text(json, "definition", catalog->measures[i].definition);
        json_writer_object_end(json);
    }
    json_writer_array_end(json);
    json_writer_key(json, "dimensions");
    json_writer_array_begin(json);
    for (size_t i = 0; i < catalog->dimension_count; i++) {
        json_writer_object_begin(json);
        write_text(json, "name", catalog->dimensions[i].name);
        write_text(json, "title", catalog->dimensions[i].title);
        json_writer_object_end(json);
    }
    json_writer_array_end(json);
    json_writer_object_end(json);
}

static const char *question_at(size_t index) { return query_question_name((enum query_question)index); }
static const char *operator_at(size_t index) { return query_operator_name((enum query_operator)index); }
static const char *interval_at(size_t index) { return query_interval_name((enum query_interval)index); }
static const char *period_at(size_t index) { return query_period_name(NULL, index); }

enum error_code query_catalog_write_json(const struct query_catalog *const *catalogs, size_t catalog_count,
                                         struct buffer *out, struct error *error)
{
    static const struct { const char *key; const char *(*name)(size_t); size_t count; } lists[] = {
        {"questions", question_at, QUERY_QUESTION_COUNT},
        {"operators", operator_at, QUERY_OPERATOR_COUNT},
        {"intervals", interval_at, QUERY_INTERVAL_COUNT},
        {"periods", period_at, QUERY_PERIOD_COUNT},
    };
    size_t before = out->size;
    struct json_writer json = {.out = out};
    json_writer_object_begin(&json);
    json_writer_key(&json, "sources");
    json_writer_array_begin(&json);
    for (size_t i = 0; i < catalog_count; i++) write_source(&json, catalogs[i]);
    json_writer_array_end(&json);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        json_writer_key(&json, lists[i].key);
        json_writer_array_begin(&json);
        for (size_t j = 0; j < lists[i].count; j++) json_writer_string(&json, slice_from_string(lists[i].name(j)));
        json_writer_array_end(&json);
    }
    json_writer_key(&json, "limits");
    json_writer_object_begin(&json);
    write_limit(&json, "measures", QUERY_MEASURE_LIMIT);
    write_limit(&json, "filters", QUERY_FILTER_LIMIT);
    write_limit(&json, "filter_values", QUERY_VALUE_LIMIT);
    write_limit(&json, "filter_value_bytes", QUERY_TEXT_LIMIT);
    write_limit(&json, "filter_bytes", QUERY_FILTER_TEXT_LIMIT);
    write_limit(&json, "points", QUERY_BUCKET_LIMIT);
    write_limit(&json, "rows", QUERY_TOP_LIMIT);
    json_writer_object_end(&json);
    json_writer_object_end(&json);
    if (out->failed) {
        buffer_truncate(out, before);
        return error_set(error, ERROR_MEMORY, "no memory for the catalog");
    }
    return ERROR_NONE;
}
