/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the hours to be made, makes them and their days, writes down how far it is. */
#include "domains/observability/metrics/rollup.h"

#include <stdio.h>

#include "base/log.h"
#include "os/clock.h"

#define HOUR 3600
#define DAY 86400
#define GRACE_S 300              /* after its end an hour waits for samples this long: a sender's batch and its repetitions */
#define TICK_MS 1000
#define TENANTS_BYTES 100000     /* of a list in a statement; with more tenants an hour is made for all of them */
#define DAYS_LIMIT 400           /* how long rollups are kept */
#define RETRY_MS 5000

struct rollup_work {
    bool is_day;
    int64_t time;                /* start, in seconds */
    size_t tenants, tenants_size; /* in rollup->tenants; size 0: all */
};

void metrics_rollup_free(struct metrics_rollup *rollup)
{
    buffer_free(&rollup->work);
    buffer_free(&rollup->tenants);
}

static size_t work_count(const struct metrics_rollup *rollup) { return rollup->work.size / sizeof(struct rollup_work); }
bool metrics_rollup_has_work(const struct metrics_rollup *rollup) { return rollup->done < work_count(rollup); }

static enum error_code run(struct domain_host *host, struct buffer *sql, struct buffer *out, struct error *error)
{
    enum error_code code = sql->failed ? error_set(error, ERROR_MEMORY, "out of memory for a statement")
                                       : host->query(host, buffer_slice(sql), out ? "TSVRaw" : NULL, out, error);
    buffer_free(sql);
    return code;
}

static enum error_code read_progress(struct metrics_rollup *rollup, struct domain_host *host, struct error *error)
{
    struct buffer sql = {0}, out = {0};
    buffer_append_string(&sql, "SELECT max(segment), toUnixTimestamp(max(closed)) FROM observability.metric_rollups FINAL");
    enum error_code code = run(host, &sql, &out, error);
    struct slice rest = slice_trim(buffer_slice(&out)), segment = slice_cut(&rest, '\t');
    if (!code && (!slice_parse_uint64(segment, &rollup->segment) || !slice_parse_int64(rest, &rollup->closed)))
        code = error_set(error, ERROR_CORRUPT, "the answer about rollups of metrics is not two numbers");
    buffer_free(&out);
    rollup->is_known = !code;
    return code;
}

static void looked(struct metrics_rollup *rollup)
{
    rollup->segment = rollup->wanted_segment;
    rollup->rows = rollup->wanted_rows;
    rollup->closed = rollup->wanted_closed;
    rollup->wanted_segment = 0;
}

static enum error_code write_progress(struct metrics_rollup *rollup, struct domain_host *host, struct error *error)
{
    struct buffer sql = {0};
    buffer_printf(&sql, "INSERT INTO observability.metric_rollups (tenant_id, segment, closed, written_at) SELECT '', %llu, toDateTime(%lld, 'UTC'), now64(3, 'UTC')",
                  (unsigned long long)rollup->wanted_segment, (long long)rollup->wanted_closed);
    enum error_code code = run(host, &sql, NULL, error);
    if (code) return code;
    looked(rollup);
    return ERROR_NONE;
}

/* ---- what is to be made ---- */

static void add(struct metrics_rollup *rollup, bool is_day, int64_t time, struct slice tenants)
{
    struct rollup_work work = {.is_day = is_day, .time = time, .tenants = rollup->tenants.size, .tenants_size = tenants.size};
    if (tenants.size > TENANTS_BYTES) work.tenants_size = 0;
    buffer_append(&rollup->tenants, tenants.data, work.tenants_size);
    buffer_append(&rollup->work, &work, sizeof work);
}

/* Lines of "time<TAB>'id','id'". */
static enum error_code add_lines(struct metrics_rollup *rollup, bool is_day, struct slice lines, struct error *error)
{
    while (lines.size) {
        struct slice rest = slice_cut(&lines, '\n'), time = slice_cut(&rest, '\t');
        int64_t seconds;
        if (!slice_parse_int64(time, &seconds) || !rest.size) return error_set(error, ERROR_CORRUPT, "the answer about late samples is malformed");
        add(rollup, is_day, seconds, rest);
    }
    return rollup->work.failed || rollup->tenants.failed ? error_set(error, ERROR_MEMORY, "out of memory for rollups") : ERROR_NONE;
}

/* Quotes could only come from rows nobody wrote by the front door: such tenants are left out. */
#define TENANT_LIST "arrayStringConcat(groupUniqArray(concat('\\'', tenant_id, '\\'')), ',')"
#define TENANT_IS_SOUND "match(tenant_id, '^[0-9a-zA-Z-]+$')"

/* Hours with samples that are new since the last look, and hours that have closed since; with the hour after each. */
static void changed_hours_sql(const struct metrics_rollup *rollup, const char *start, struct buffer *sql)
{
    buffer_printf(sql,
                  "SELECT DISTINCT tenant_id, %s AS time FROM (SELECT DISTINCT tenant_id, toInt64(toUnixTimestamp(toStartOfHour(timestamp))) AS hour "
                  "FROM observability.metric_samples WHERE timestamp < toDateTime64(%lld, 9, 'UTC') AND timestamp >= toDateTime64(%lld, 9, 'UTC') "
                  "AND ((segment %s %llu AND segment <= %llu) OR timestamp >= toDateTime64(%lld, 9, 'UTC')) AND " TENANT_IS_SOUND
                  ") ARRAY JOIN [hour, hour + %d] AS either WHERE either < %lld",
                  start, (long long)rollup->wanted_closed, (long long)(rollup->wanted_closed - DAYS_LIMIT * (int64_t)DAY), rollup->grew ? ">=" : ">",
                  (unsigned long long)rollup->segment, (unsigned long long)rollup->wanted_segment, (long long)rollup->closed, HOUR,
                  (long long)rollup->wanted_closed);
}

static enum error_code find_work(struct metrics_rollup *rollup, struct domain_host *host, struct error *error)
{
    struct buffer sql = {0}, out = {0};
    buffer_clear(&rollup->work);
    buffer_clear(&rollup->tenants);
    rollup->done = 0;
    buffer_append_string(&sql, "SELECT time, " TENANT_LIST " FROM (");
    changed_hours_sql(rollup, "either", &sql);
    buffer_append_string(&sql, ") GROUP BY time ORDER BY time");
    enum error_code code = run(host, &sql, &out, error);
    if (!code) code = add_lines(rollup, false, buffer_slice(&out), error);
    /* Days of those hours that are over; and days that ended since the last look, for all tenants. */
    buffer_clear(&out);
    int64_t last_day = rollup->wanted_closed - rollup->wanted_closed % DAY, first_day = rollup->closed ? rollup->closed - rollup->closed % DAY : last_day;
    buffer_append_string(&sql, "SELECT time, " TENANT_LIST " FROM (");
    changed_hours_sql(rollup, "intDiv(either, 86400) * 86400", &sql);
    buffer_printf(&sql, ") WHERE time < %lld GROUP BY time ORDER BY time", (long long)first_day);
    if (code) buffer_free(&sql);
    else code = run(host, &sql, &out, error);
    if (!code) code = add_lines(rollup, true, buffer_slice(&out), error);
    if (last_day - first_day > DAYS_LIMIT * (int64_t)DAY) first_day = last_day - DAYS_LIMIT * (int64_t)DAY;
    for (int64_t day = first_day; !code && day < last_day; day += DAY) add(rollup, true, day, SLICE_EMPTY);
    buffer_free(&out);
    return code;
}

/* ---- making it ---- */

static void tenants_sql(const struct metrics_rollup *rollup, const struct rollup_work *work, struct buffer *sql)
{
    if (!work->tenants_size) return;
    buffer_append_string(sql, " AND tenant_id IN (");
    buffer_append(sql, rollup->tenants.data + work->tenants, work->tenants_size);
    buffer_append_string(sql, ")");
}

static void hour_sql(const struct metrics_rollup *rollup, const struct rollup_work *work, struct buffer *sql)
{
    long long from = (long long)(work->time - HOUR), start = (long long)work->time, end = (long long)(work->time + HOUR);
    buffer_printf(sql,
                  "INSERT INTO observability.metric_samples_hourly (tenant_id, series_id, hour, version, count, sum, min, max, first_value, "
                  "first_timestamp, last_value, last_timestamp, increase, resets)\n"
                  "WITH toDateTime64(%lld, 9, 'UTC') AS start, toDateTime64(%lld, 9, 'UTC') AS looked_from, toDateTime64(0, 9, 'UTC') AS never,\n"
                  "    arrayFilter((p, n) -> p.1 != n.1, points, arrayPushBack(arrayPopFront(points), (never, toUInt64(0), toFloat64(0), never))) AS p,\n"
                  "    arrayPushFront(arrayPopBack(p), (never, toUInt64(0), toFloat64(0), never)) AS before,\n"
                  "    arrayMap(x -> x.3, arrayFilter(x -> x.1 >= start, p)) AS v,\n"
                  "    arrayMap(x -> x.1, arrayFilter(x -> x.1 >= start, p)) AS t,\n"
                  "    arrayMap((x, b) -> b.1 != never AND (x.3 < b.3 OR (x.4 > b.4 AND x.4 >= b.1)), p, before) AS is_reset\n"
                  "SELECT tenant_id, series_id, toDateTime(start, 'UTC'), %llu, length(v), arraySum(v), arrayMin(v), arrayMax(v), v[1], t[1], v[-1], t[-1],\n"
                  "    if(is_delta, arraySum(v), arraySum((x, b, r) -> multiIf(x.1 < start, 0., b.1 = never, if(x.4 >= looked_from AND x.4 < x.1, x.3, 0.), r, x.3, x.3 - b.3), p, "
                  "before, is_reset)),\n"
                  "    if(is_delta, 0, arrayCount((x, r) -> r AND x.1 >= start, p, is_reset))\n"
                  "FROM (SELECT tenant_id, series_id, arraySort(groupArray((timestamp, segment, value, start_timestamp))) AS points,\n"
                  "    (tenant_id, series_id) IN (SELECT tenant_id, series_id FROM observability.metric_series WHERE temporality = 'delta'",
                  start, from, (unsigned long long)rollup->wanted_segment);
    tenants_sql(rollup, work, sql);
    buffer_printf(sql,
                  ") AS is_delta\n"
                  "FROM observability.metric_samples WHERE timestamp >= toDateTime64(%lld, 9, 'UTC') AND timestamp < toDateTime64(%lld, 9, 'UTC') AND NOT isNaN(value)",
                  from, end);
    tenants_sql(rollup, work, sql);
    buffer_append_string(sql, "\nGROUP BY tenant_id, series_id) WHERE notEmpty(v) SETTINGS optimize_aggregation_in_order = 1");
}

static void day_sql(const struct metrics_rollup *rollup, const struct rollup_work *work, struct buffer *sql)
{
    buffer_printf(sql,
                  "INSERT INTO observability.metric_samples_daily (tenant_id, series_id, day, version, count, sum, min, max, first_value, first_timestamp, "
                  "last_value, last_timestamp, increase, resets)\n"
                  "SELECT tenant_id, series_id, toDate(toDateTime(%lld, 'UTC')), %llu, sum(h.count), sum(h.sum), min(h.min), max(h.max), argMin(h.first_value, h.hour), "
                  "min(h.first_timestamp), argMax(h.last_value, h.hour), max(h.last_timestamp), sum(h.increase), sum(h.resets)\n"
                  "FROM observability.metric_samples_hourly AS h FINAL WHERE hour >= toDateTime(%lld, 'UTC') AND hour < toDateTime(%lld, 'UTC')",
                  (long long)work->time, (unsigned long long)rollup->wanted_segment, (long long)work->time, (long long)(work->time + DAY));
    tenants_sql(rollup, work, sql);
    buffer_append_string(sql, "\nGROUP BY tenant_id, series_id");
}

/* The last segment looked at may have been open then: whether it has more samples now. */
static enum error_code look_at_last(struct metrics_rollup *rollup, struct domain_host *host, struct error *error)
{
    struct buffer sql = {0}, out = {0};
    uint64_t rows = 0;
    buffer_printf(&sql, "SELECT countIf(segment = %llu), countIf(segment = %llu) FROM observability.metric_samples WHERE segment IN (%llu, %llu)",
                  (unsigned long long)rollup->segment, (unsigned long long)rollup->wanted_segment, (unsigned long long)rollup->segment,
                  (unsigned long long)rollup->wanted_segment);
    enum error_code code = run(host, &sql, &out, error);
    struct slice rest = slice_trim(buffer_slice(&out)), last = slice_cut(&rest, '\t');
    if (!code && (!slice_parse_uint64(last, &rows) || !slice_parse_uint64(rest, &rollup->wanted_rows)))
        code = error_set(error, ERROR_CORRUPT, "the answer about late samples is not two numbers");
    rollup->grew = rows != rollup->rows;
    buffer_free(&out);
    return code;
}

static enum error_code look(struct metrics_rollup *rollup, struct domain_host *host, int64_t now_ms, struct error *error)
{
    enum error_code code = rollup->is_known ? ERROR_NONE : read_progress(rollup, host, error);
    if (code) return code;
    if (!rollup->wanted_segment) {
        rollup->wanted_segment = host->segment(host);
        rollup->wanted_closed = (now_ms / 1000 - GRACE_S) / HOUR * HOUR;
    }
    if (!host->is_stored(host, rollup->wanted_segment)) return ERROR_NONE;
    code = look_at_last(rollup, host, error);
    if (code) return code;
    if (rollup->wanted_segment <= rollup->segment && rollup->wanted_closed <= rollup->closed && !rollup->grew) {
        rollup->wanted_segment = 0;
        return ERROR_NONE;
    }
    code = find_work(rollup, host, error);
    /* Nothing to make: the row would be written for nothing each time. Looking again at the same segments costs little. */
    if (!code && !metrics_rollup_has_work(rollup)) {
        if (rollup->closed && rollup->closed < rollup->wanted_closed) return write_progress(rollup, host, error);
        looked(rollup);
    }
    return code;
}

void metrics_rollup_tick(struct metrics_rollup *rollup, struct domain_host *host, int64_t now_ms)
{
    struct error error;
    enum error_code code = ERROR_NONE;
    int64_t begun_ms = os_clock_monotonic_ms();
    if (begun_ms < rollup->next_ms) return;
    if (!metrics_rollup_has_work(rollup)) code = look(rollup, host, now_ms, &error);
    bool has_worked = false;
    while (!code && metrics_rollup_has_work(rollup) && os_clock_monotonic_ms() - begun_ms < TICK_MS) {
        struct buffer sql = {0};
        const struct rollup_work *work = (const struct rollup_work *)rollup->work.data + rollup->done;
        (work->is_day ? day_sql : hour_sql)(rollup, work, &sql);
        code = run(host, &sql, NULL, &error);
        if (!code) rollup->done++;
        has_worked = true;
    }
    if (!code && has_worked && !metrics_rollup_has_work(rollup)) code = write_progress(rollup, host, &error);
    int64_t ended_ms = os_clock_monotonic_ms();
    if (code) {
        log_warn("metrics: rollups wait: %s", error.message);
        buffer_clear(&rollup->work);
        rollup->done = 0;
        rollup->wanted_segment = 0;
        rollup->next_ms = ended_ms + RETRY_MS;
    } else if (metrics_rollup_has_work(rollup)) {
        rollup->next_ms = ended_ms;
    } else {
        /* Looking takes at most two hundredths of the time, however much is stored. */
        int64_t pause_ms = has_worked ? 0 : (ended_ms - begun_ms) * 50;
        rollup->next_ms = ended_ms + (pause_ms > rollup->interval_ms ? pause_ms : rollup->interval_ms);
    }
}
