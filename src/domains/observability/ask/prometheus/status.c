/* SPDX-License-Identifier: Apache-2.0 */
/* What clients ask to learn who answers: the version, what is scraped and alerted (nothing), and which labels have many values. */
#include "base/json_writer.h"
#include "domains/observability/ask/prometheus/prometheus.h"
#include "query/rows.h"

#define TOP_DEFAULT 10         /* entries of each list, as Prometheus */
#define TOP_LIMIT 10000
#define HEAD_MS (3 * 3600 * INT64_C(1000))

static enum error_code answer(struct buffer *out, const char *data)
{
    buffer_printf(out, "{\"status\":\"success\",\"data\":%s}", data);
    return ERROR_NONE;
}

/* There are none here: alerts of this server have routes of their own, and nothing is scraped. */
enum error_code prometheus_rules(struct query_context *context, struct buffer *out, struct error *error)
{
    struct slice type = query_context_text(context, "type");
    if (type.size && !slice_equal(type, SLICE("alert")) && !slice_equal(type, SLICE("record")))
        return error_set_field(error, ERROR_INVALID, "type", "invalid parameter \"type\": not supported value \"%.*s\"", SLICE_ARGS(slice_first(type, 200)));
    return answer(out, "{\"groups\":[]}");
}

enum error_code prometheus_alerts(struct query_context *context, struct buffer *out, struct error *error) { return answer(out, "{\"alerts\":[]}"); }

enum error_code prometheus_alertmanagers(struct query_context *context, struct buffer *out, struct error *error)
{
    return answer(out, "{\"activeAlertmanagers\":[],\"droppedAlertmanagers\":[]}");
}

enum error_code prometheus_targets(struct query_context *context, struct buffer *out, struct error *error)
{
    return answer(out, "{\"activeTargets\":[],\"droppedTargets\":[]}");
}

enum error_code prometheus_targets_metadata(struct query_context *context, struct buffer *out, struct error *error) { return answer(out, "[]"); }

/* Grafana asks which language it may speak: that of Prometheus 2.42. */
enum error_code prometheus_buildinfo(struct query_context *context, struct buffer *out, struct error *error)
{
    return answer(out, "{\"version\":\"2.42.0\",\"revision\":\"millrace\",\"branch\":\"\",\"buildUser\":\"\",\"buildDate\":\"\",\"goVersion\":\"\",\"features\":{}}");
}

/* Rows of the statement are (list, name, value); what the lists are called. */
enum list { BY_METRIC, VALUES_BY_NAME, BYTES_BY_NAME, BY_PAIR, PAIRS, SERIES, LIST_COUNT };
static const char *const LISTS[PAIRS] = {[BY_METRIC] = "seriesCountByMetricName", [VALUES_BY_NAME] = "labelValueCountByLabelName",
                                         [BYTES_BY_NAME] = "memoryInBytesByLabelName", [BY_PAIR] = "seriesCountByLabelValuePair"};

static void write_statement(struct query_text *text, int64_t day, int64_t limit)
{
    query_text_printf(text, "SELECT entry.1 AS list, entry.2 AS name, sum(entry.3) AS value FROM (\n"
                      "SELECT arrayJoin(arrayConcat([(toUInt8(%d), k, toUInt64(1)), (toUInt8(%d), k, length(v)), (toUInt8(%d), concat(k, '=', v), n),"
                      " (toUInt8(%d), '', toUInt64(1))], if(k = '__name__', [(toUInt8(%d), v, n), (toUInt8(%d), '', n)], []))) AS entry FROM (\n",
                      VALUES_BY_NAME, BYTES_BY_NAME, BY_PAIR, PAIRS, BY_METRIC, SERIES);
    query_text_printf(text, "SELECT pair.1 AS k, pair.2 AS v, count() AS n FROM (SELECT prometheus_name, labels FROM observability.metric_series\n"
                      "WHERE tenant_id = {tenant:String} AND day >= toDate(%lld) LIMIT 1 BY series_id)\n"
                      "ARRAY JOIN arrayConcat([('__name__', toString(prometheus_name))], arrayMap((k, v) -> (toString(k), v), mapKeys(labels), mapValues(labels))) AS pair\n"
                      "WHERE pair.2 != '' GROUP BY k, v)) GROUP BY list, name ORDER BY list, value DESC, name LIMIT %lld BY list",
                      (long long)day, (long long)limit);
}

static int64_t total(const struct query_rows *rows, enum list list)
{
    for (size_t i = 0; i < rows->count; i++)
        if (query_rows_integer(rows, i, 0) == (int64_t)list) return query_rows_integer(rows, i, 2);
    return 0;
}

/* Of the days in which the last hours lie that a head of Prometheus holds at most: series as they are stored, a histogram is one. */
enum error_code prometheus_tsdb(struct query_context *context, struct buffer *out, struct error *error)
{
    struct query_text text;
    struct query_rows rows;
    struct json_writer writer = {.out = out};
    int64_t limit, day = (context->now_ms - HEAD_MS) / 86400000;
    enum error_code code = query_context_integer(context, "limit", 1, TOP_LIMIT, TOP_DEFAULT, &limit, error);
    if (code) return code;
    query_text_init(&text, context->arena);
    write_statement(&text, day, limit);
    code = query_rows_ask(context, &text, 3, &rows, error);
    if (code) return code;
    buffer_printf(out, "{\"status\":\"success\",\"data\":{\"headStats\":{\"numSeries\":%lld,\"numLabelPairs\":%lld,\"minTime\":%lld,\"maxTime\":%lld}",
                  (long long)total(&rows, SERIES), (long long)total(&rows, PAIRS), (long long)day * 86400000, (long long)context->now_ms);
    for (int list = 0; list < PAIRS; list++) {
        buffer_printf(out, ",\"%s\":", LISTS[list]);
        writer.need_comma = false;
        json_writer_array_begin(&writer);
        for (size_t i = 0; i < rows.count; i++) {
            if (query_rows_integer(&rows, i, 0) != list) continue;
            json_writer_object_begin(&writer);
            json_writer_key(&writer, "name");
            json_writer_string(&writer, query_rows_text(&rows, i, 1));
            json_writer_key(&writer, "value");
            json_writer_int(&writer, query_rows_integer(&rows, i, 2));
            json_writer_object_end(&writer);
        }
        json_writer_array_end(&writer);
    }
    buffer_append_string(out, "}}");
    return ERROR_NONE;
}
