/* SPDX-License-Identifier: Apache-2.0 */
/* Figures about log records: by severity, over time, by pattern; and what can be chosen: services, attributes. */
#include "domains/observability/ask/logs/logs.h"

#include "base/time.h"
#include "domains/observability/ask/attributes.h"
#include "query/words.h"

#define DAY_MS 86400000LL
#define BUCKET_LIMIT 2000       /* points of a histogram: more is no chart */
#define BUCKET_DEFAULT 100
#define SAMPLE_ROWS 100000      /* the newest of them: patterns of these are found in a fraction of a second */
#define PICKED_ROWS 1000000     /* keys and values are looked for in so many records */
#define PICKED_LIMIT 1000
#define PICKED_DEFAULT 100

static void begin(struct json_writer *json, struct buffer *out)
{
    *json = (struct json_writer){.out = out};
    json_writer_object_begin(json);
}
static enum error_code end(struct json_writer *json, const struct logs_question *question, enum error_code code)
{
    logs_write_metadata(json, question);
    json_writer_object_end(json);
    return code;
}

/* ---- by severity ---- */

static const struct domain_word filter_words[] = {LOGS_WORDS, {NULL, NULL}};

struct levels { struct json_writer *json; int64_t total; };
static void write_levels(void *argument, const struct query_rows *rows)
{
    struct levels *levels = argument;
    for (size_t i = 0; i < rows->count; i++) {
        int64_t level = query_rows_integer(rows, i, 0), count = query_rows_integer(rows, i, 1);
        json_writer_object_begin(levels->json);
        json_writer_key(levels->json, "severity");
        json_writer_string(levels->json, slice_from_string(logs_levels[level < LOGS_LEVEL_COUNT ? level : 0]));
        json_writer_key(levels->json, "count");
        json_writer_int(levels->json, count);
        json_writer_object_end(levels->json);
        levels->total += count;
    }
}

static enum error_code count_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct logs_question question;
    struct json_writer json;
    struct levels levels = {.json = &json};
    enum error_code code = logs_question_begin(context, filter_words, LOGS_DEFAULT_DAYS * DAY_MS, &question, error);
    if (code) return code;
    begin(&json, out);
    json_writer_key(&json, "data");
    json_writer_array_begin(&json);
    logs_question_select(&question, logs_level_sql);
    query_text_add(&question.text, " AS query_level, toInt64(count())\n");
    logs_question_where_all(&question);
    query_text_add(&question.text, "\nGROUP BY query_level ORDER BY query_level DESC");
    code = logs_ask(&question, 2, write_levels, &levels, error);
    json_writer_array_end(&json);
    json_writer_key(&json, "total");
    json_writer_int(&json, levels.total);
    return end(&json, &question, code);
}

/* ---- rows that the event store writes as JSON ---- */

static enum error_code rows_answer(struct query_context *context, struct logs_question *question, struct buffer *out, struct error *error)
{
    struct json_writer json;
    begin(&json, out);
    json_writer_key(&json, "data");
    return end(&json, question, query_context_write_rows(context, &question->text, &json, error));
}

/* One row per text and number that records have. */
static enum error_code severities_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct logs_question question;
    enum error_code code = logs_question_begin(context, filter_words, LOGS_DEFAULT_DAYS * DAY_MS, &question, error);
    if (code) return code;
    logs_question_select(&question, "toString(severity_text) AS severityText, severity_number AS severityNumber, count() AS count");
    logs_question_where_all(&question);
    query_text_printf(&question.text, "\nGROUP BY severityText, severityNumber ORDER BY severityNumber, severityText LIMIT %d", PICKED_LIMIT);
    return rows_answer(context, &question, out, error);
}

/* ---- over time ---- */

static const struct domain_word histogram_words[] = {
    LOGS_WORDS, {"interval", "1s to 1d, such as 30s, 5m, 1h; default: about a hundred buckets"}, {NULL, NULL}};

static const int64_t steps_s[] = {1, 5, 15, 30, 60, 300, 900, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 24 * 3600};

static enum error_code read_step(struct logs_question *question, int64_t *ret_ms, struct error *error)
{
    static const struct { char letter; int64_t seconds; } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    struct slice word = query_context_text(question->context, "interval");
    int64_t span_ms = question->to_ms - question->from_ms, number = 0, seconds = 0;
    if (!word.data) {
        size_t i = 0;
        while (i + 1 < sizeof steps_s / sizeof *steps_s && steps_s[i] * 1000 * BUCKET_DEFAULT < span_ms) i++;
        seconds = steps_s[i];
    } else {
        for (size_t i = 0; word.size > 1 && i < sizeof units / sizeof *units; i++)
            if (word.data[word.size - 1] == units[i].letter && slice_parse_int64(slice_first(word, word.size - 1), &number) && number <= 86400)
                seconds = number * units[i].seconds;
        if (seconds < 1 || seconds > 86400)
            return error_set_field(error, ERROR_INVALID, "interval", "interval=%s must be from 1s to 1d, such as 30s, 5m or 1h", query_words_show(word).text);
    }
    *ret_ms = seconds * 1000;
    if (span_ms / *ret_ms >= BUCKET_LIMIT)
        return error_set_field(error, ERROR_INVALID, "interval", "that makes more than %d buckets: ask about less time or for wider ones", BUCKET_LIMIT);
    return ERROR_NONE;
}

struct histogram {
    int64_t first, count; /* buckets since 1970 */
    int64_t (*levels)[LOGS_LEVEL_COUNT];
};
static void take_buckets(void *argument, const struct query_rows *rows)
{
    struct histogram *histogram = argument;
    for (size_t i = 0; i < rows->count; i++) {
        int64_t bucket = query_rows_integer(rows, i, 0) - histogram->first, level = query_rows_integer(rows, i, 1);
        if (bucket >= 0 && bucket < histogram->count && level >= 0 && level < LOGS_LEVEL_COUNT)
            histogram->levels[bucket][level] = query_rows_integer(rows, i, 2);
    }
}

static void write_bucket(struct json_writer *json, int64_t at_ms, const int64_t levels[LOGS_LEVEL_COUNT])
{
    char time[TIME_TEXT_SIZE];
    int64_t total = 0;
    time_format_ms(at_ms, time);
    json_writer_object_begin(json);
    json_writer_key(json, "time");
    json_writer_string(json, slice_make(time, sizeof time));
    json_writer_key(json, "counts");
    json_writer_object_begin(json);
    for (int level = LOGS_LEVEL_COUNT - 1; level >= 0; level--) {
        total += levels[level];
        if (!levels[level]) continue;
        json_writer_key(json, logs_levels[level]);
        json_writer_int(json, levels[level]);
    }
    json_writer_object_end(json);
    json_writer_key(json, "total");
    json_writer_int(json, total);
    json_writer_object_end(json);
}

static enum error_code histogram_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct logs_question question;
    struct json_writer json;
    int64_t step_ms = 0;
    enum error_code code = logs_question_begin(context, histogram_words, LOGS_DEFAULT_DAYS * DAY_MS, &question, error);
    if (!code) code = read_step(&question, &step_ms, error);
    if (code) return code;
    struct histogram histogram = {.first = question.from_ms / step_ms};
    histogram.count = (question.to_ms - 1) / step_ms - histogram.first + 1;
    histogram.levels = arena_allocate(context->arena, (size_t)histogram.count * sizeof *histogram.levels);
    if (!histogram.levels) return error_set(error, ERROR_MEMORY, "no memory for a question");
    logs_question_select(&question, "");
    query_text_printf(&question.text, "toInt64(intDiv(toUnixTimestamp64Milli(timestamp), %lld)) AS query_bucket, %s AS query_level, toInt64(count())\n",
                      (long long)step_ms, logs_level_sql);
    logs_question_where_all(&question);
    query_text_add(&question.text, "\nGROUP BY query_bucket, query_level");
    code = logs_ask(&question, 3, take_buckets, &histogram, error);
    if (code) return code;
    begin(&json, out);
    json_writer_key(&json, "intervalMs");
    json_writer_int(&json, step_ms);
    json_writer_key(&json, "data");
    json_writer_array_begin(&json);
    for (int64_t i = 0; i < histogram.count; i++) write_bucket(&json, (histogram.first + i) * step_ms, histogram.levels[i]);
    json_writer_array_end(&json);
    return end(&json, &question, ERROR_NONE);
}

/* ---- patterns ---- */

static const struct domain_word pattern_words[] = {LOGS_WORDS, {"limit", "1 to 1000, default 100"}, {NULL, NULL}};

/* Identifiers first, then numbers: what is left of a line when what varies is taken out. */
static const char pattern_sql[] =
    "replaceRegexpAll(replaceRegexpAll(substringUTF8(body, 1, 500), "
    "'\\\\b[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\\\\b|\\\\b0x[0-9a-fA-F]+\\\\b|\\\\b[0-9]*[a-f][0-9a-f]*[0-9][0-9a-f]{6,}\\\\b', '<id>'), '-?[0-9]+([.:][0-9]+)*', '<n>')";

static enum error_code patterns_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct logs_question question;
    int64_t limit;
    enum error_code code = logs_question_begin(context, pattern_words, DAY_MS, &question, error);
    if (!code) code = query_context_integer(context, "limit", 1, PICKED_LIMIT, PICKED_DEFAULT, &limit, error);
    if (code) return code;
    logs_question_select(&question, pattern_sql);
    query_text_printf(&question.text, " AS pattern, count() AS count, min(timestamp) AS firstSeen, max(timestamp) AS lastSeen, any(body) AS example, "
                                      "arraySort(groupUniqArray(10)(toString(service_name))) AS services, toInt64(max(severity_number)) AS maxSeverity\n"
                                      "FROM (SELECT timestamp, body, service_name, severity_number\n");
    logs_question_where_all(&question);
    query_text_printf(&question.text, "\nORDER BY timestamp DESC LIMIT %d) GROUP BY pattern ORDER BY count DESC, pattern LIMIT %lld", SAMPLE_ROWS, (long long)limit);
    return rows_answer(context, &question, out, error);
}

/* ---- what can be chosen ---- */

static const struct domain_word attribute_words[] = {
    LOGS_WORDS, {"of", "log (default) or resource: whose attributes"}, {"key", "its values; without it, the keys"},
    {"search", "a part of what is looked for; letter case is ignored"}, {"limit", "1 to 1000, default 100"}, {NULL, NULL}};

static void write_attribute(struct logs_question *question, bool is_resource, struct slice key)
{
    struct query_text *text = &question->text;
    if (!key.size) {
        query_text_add(text, is_resource ? "arrayJoin(JSONExtractKeys(query_attributes))" : "arrayJoin(mapKeys(query_attributes))");
        return;
    }
    query_text_add(text, is_resource ? "JSONExtract(query_attributes, " : "query_attributes[");
    query_text_value(text, key);
    query_text_add(text, is_resource ? ", 'String')" : "]");
}

static enum error_code attributes_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    static const char *const owners[] = {"log", "resource", NULL};
    struct logs_question question;
    struct slice key = query_context_text(context, "key"), search = query_context_text(context, "search");
    size_t owner = 0;
    int64_t limit;
    enum error_code code = logs_question_begin(context, attribute_words, DAY_MS, &question, error);
    if (!code) code = query_context_word(context, "of", owners, 0, &owner, error);
    if (!code) code = query_context_integer(context, "limit", 1, PICKED_LIMIT, PICKED_DEFAULT, &limit, error);
    if (!code && (!slice_is_utf8(key) || slice_index_of(key, 0) >= 0 || !slice_is_utf8(search) || slice_index_of(search, 0) >= 0))
        code = error_set_field(error, ERROR_INVALID, "key", "key and search must be UTF-8 text");
    if (code) return code;
    logs_question_select(&question, key.size ? "value, count FROM (SELECT " : "key, count FROM (SELECT ");
    write_attribute(&question, owner == 1, key);
    query_text_printf(&question.text, " AS %s, sum(query_rows) AS count FROM (SELECT %s AS query_attributes, %s AS query_rows\n", key.size ? "value" : "key",
                      owner == 1 ? "toString(resource)" : "log_attributes", owner == 1 ? "count()" : "1");
    logs_question_where_all(&question);
    query_text_printf(&question.text, owner == 1 ? "\nGROUP BY query_attributes LIMIT %d)" : "\nLIMIT %d)", PICKED_ROWS);
    query_text_printf(&question.text, " GROUP BY %s) WHERE %s != ''", key.size ? "value" : "key", key.size ? "value" : "key");
    if (search.size) {
        query_text_printf(&question.text, " AND positionCaseInsensitiveUTF8(%s, ", key.size ? "value" : "key");
        query_text_value(&question.text, search);
        query_text_add(&question.text, ") > 0");
    }
    query_text_printf(&question.text, " ORDER BY count DESC, %s LIMIT %lld", key.size ? "value" : "key", (long long)limit);
    return rows_answer(context, &question, out, error);
}

static enum error_code services_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct logs_question question;
    enum error_code code = logs_question_begin(context, filter_words, LOGS_DEFAULT_DAYS * DAY_MS, &question, error);
    if (code) return code;
    logs_question_select(&question, "toString(service_name) AS serviceName, count() AS count, max(timestamp) AS lastSeen");
    logs_question_where_all(&question);
    query_text_printf(&question.text, "\nGROUP BY serviceName ORDER BY count DESC, serviceName LIMIT %d", PICKED_LIMIT);
    return rows_answer(context, &question, out, error);
}

#define LOGS "/api/v2/query/signals/logs"
const struct domain_question observability_log_figure_questions[] = {
    {METHOD_GET, LOGS "/count-by-severity", TENANT_LOGS_READ, count_answer, filter_words, .summary = "How many log records of each severity"},
    {METHOD_POST, LOGS "/count-by-severity", TENANT_LOGS_READ, count_answer, filter_words, .summary = "The same; what is asked as a body"},
    {METHOD_GET, LOGS "/severity-levels", TENANT_LOGS_READ, severities_answer, filter_words, .summary = "Texts and numbers of severity that occur"},
    {METHOD_GET, LOGS "/histogram", TENANT_LOGS_READ, histogram_answer, histogram_words, .summary = "Log records over time, by severity"},
    {METHOD_POST, LOGS "/histogram", TENANT_LOGS_READ, histogram_answer, histogram_words, .summary = "The same; what is asked as a body"},
    {METHOD_GET, LOGS "/patterns", TENANT_LOGS_READ, patterns_answer, pattern_words, .summary = "What bodies have in common, of the newest 100,000 records"},
    {METHOD_GET, LOGS "/attributes", TENANT_LOGS_READ, attributes_answer, attribute_words, .summary = "Keys of attributes, or values of one"},
    {METHOD_GET, LOGS "/services", TENANT_LOGS_READ, services_answer, filter_words, .summary = "Services that log"},
    {0},
};
