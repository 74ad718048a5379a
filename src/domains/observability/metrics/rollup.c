/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the hours to be made, makes them and their days, writes down how far it is. */
#include "domains/observability/metrics/rollup.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/log.h"
#include "os/clock.h"

#define HOUR 3600
#define DAY 86400
#define GRACE_S 300              /* after its end an hour waits for samples this long: a sender's batch and its repetitions */
#define TICK_MS 1000
#define TENANTS_BYTES 100000     /* of a list in a statement; with more tenants an hour is made for all of them */
#define EDGE_S (4 * HOUR)        /* so near to where samples are dropped no hour is made again: those before it may be gone */
#define DAYS_LIMIT 400           /* how long rollups are kept */
#define RETRY_MS 5000

struct rollup_work {
    bool is_day;
    int64_t time;                /* start, in seconds */
    size_t tenants, tenants_size; /* in rollup->tenants; size 0: all */
};

static atomic_uint_least64_t progress; /* of this process's rollup: questions are asked on other threads */

uint64_t metrics_rollup_progress(void) { return atomic_load(&progress); }

/* A segment without samples when it was looked at was the open one, into which samples may come. */
static void publish(const struct metrics_rollup *rollup)
{
    atomic_store(&progress, rollup->rows || !rollup->segment ? rollup->segment : rollup->segment - 1);
}

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
    if (!code) publish(rollup);
    return code;
}

static void looked(struct metrics_rollup *rollup)
{
    rollup->segment = rollup->wanted_segment;
    rollup->rows = rollup->wanted_rows;
    publish(rollup);
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

/* Lines of "is_day<TAB>time<TAB>'id','id'". */
static enum error_code add_lines(struct metrics_rollup *rollup, struct slice lines, struct error *error)
{
    while (lines.size) {
        struct slice rest = slice_cut(&lines, '\n'), is_day = slice_cut(&rest, '\t'), time = slice_cut(&rest, '\t');
        int64_t seconds;
        if (!slice_parse_int64(time, &seconds) || !rest.size) return error_set(error, ERROR_CORRUPT, "the answer about late samples is malformed");
        add(rollup, slice_equal(is_day, SLICE("1")), seconds, rest);
    }
    return rollup->work.failed || rollup->tenants.failed ? error_set(error, ERROR_MEMORY, "out of memory for rollups") : ERROR_NONE;
}

/* Quotes could only come from rows nobody wrote by the front door: such tenants are left out. */
#define TENANT_LIST "arrayStringConcat(groupUniqArray(concat('\\'', tenant_id, '\\'')), ',')"
#define TENANT_IS_SOUND "match(tenant_id, '^[0-9a-zA-Z-]+$')"

/*
 * Hours with samples that are new since the last look, and hours that have closed since; with the hour after each. And days of those hours
 * that were over at the last look. Hours come first, the earliest before the others: each needs the one before.
 */
static void changed_sql(const struct metrics_rollup *rollup, int64_t first_day, struct buffer *sql)
{
    buffer_printf(sql,
                  "SELECT one.1 AS is_day, one.2 AS time, " TENANT_LIST " FROM (SELECT DISTINCT tenant_id, toInt64(toUnixTimestamp(toStartOfHour(timestamp))) AS hour "
                  "FROM observability.metric_samples WHERE timestamp < toDateTime64(%lld, 9, 'UTC') AND timestamp >= toDateTime64(%lld, 9, 'UTC') "
                  "AND ((segment %s %llu AND segment <= %llu) OR timestamp >= toDateTime64(%lld, 9, 'UTC')) "
                  "AND timestamp >= toDateTime64(%lld, 9, 'UTC') - toIntervalDay(retention_days) AND " TENANT_IS_SOUND
                  ") ARRAY JOIN [hour, hour + %d] AS either ARRAY JOIN [(0, either), (1, intDiv(either, %d) * %d)] AS one "
                  "WHERE either < %lld AND (is_day = 0 OR time < %lld) GROUP BY is_day, time ORDER BY is_day, time",
                  (long long)rollup->wanted_closed, (long long)(rollup->wanted_closed - DAYS_LIMIT * (int64_t)DAY), rollup->grew ? ">=" : ">",
                  (unsigned long long)rollup->segment, (unsigned long long)rollup->wanted_segment, (long long)rollup->closed,
                  (long long)(rollup->wanted_closed + EDGE_S), HOUR, DAY, DAY, (long long)rollup->wanted_closed, (long long)first_day);
}

static enum error_code find_work(struct metrics_rollup *rollup, struct domain_host *host, struct error *error)
{
    struct buffer sql = {0}, out = {0};
    buffer_clear(&rollup->work);
    buffer_clear(&rollup->tenants);
    rollup->done = 0;
    int64_t last_day = rollup->wanted_closed - rollup->wanted_closed % DAY, first_day = rollup->closed ? rollup->closed - rollup->closed % DAY : last_day;
    changed_sql(rollup, first_day, &sql);
    enum error_code code = run(host, &sql, &out, error);
    if (!code) code = add_lines(rollup, buffer_slice(&out), error);
    /* Days that ended since the last look, for all tenants. */
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

/*
 * Only the hour's own samples are read: of the sample before it its rollup knows, which is made first. Arrays of numbers, because functions
 * of arrays are then loops over columns; they are sorted only where samples did not come in order or came twice.
 */
static void hour_sql(const struct metrics_rollup *rollup, const struct rollup_work *work, struct buffer *sql)
{
    long long start = (long long)work->time, end = start + HOUR, before = start - HOUR;
    buffer_printf(sql,
                  "INSERT INTO observability.metric_samples_hourly (tenant_id, series_id, hour, version, count, sum, min, max, first_value, "
                  "first_timestamp, first_start_timestamp, last_value, last_timestamp, last_start_timestamp, increase, resets)\n"
                  "WITH arrayDifference(t) AS dt, arrayDifference(v) AS dv, arrayDifference(s) AS ds,\n"
                  "    arrayMap((d, e, x, y, z) -> d < 0 OR (e > 0 AND x - y + z >= 0), dv, ds, s, t, dt) AS is_reset,\n"
                  "    b.time != 0 AND (v[1] < b.value OR (s[1] > b.start AND s[1] >= b.time)) AS is_first_reset,\n"
                  "    multiIf(b.time = 0, if(s[1] >= %lld000000000 AND s[1] < t[1], v[1], 0.), is_first_reset, v[1], v[1] - b.value) AS first_step,\n"
                  "    (p.tenant_id, p.series_id) IN (SELECT tenant_id, series_id FROM observability.metric_series WHERE temporality = 'delta'",
                  before);
    tenants_sql(rollup, work, sql);
    buffer_printf(sql,
                  ") AS is_delta\n"
                  "SELECT p.tenant_id, p.series_id, toDateTime(%lld, 'UTC'), %llu, length(v), arraySum(v), arrayMin(v), arrayMax(v), v[1], fromUnixTimestamp64Nano(t[1], 'UTC'),\n"
                  "    fromUnixTimestamp64Nano(s[1], 'UTC'), v[-1], fromUnixTimestamp64Nano(t[-1], 'UTC'), fromUnixTimestamp64Nano(s[-1], 'UTC'),\n"
                  "    if(is_delta, arraySum(v), first_step + arraySum(arrayMap((r, x, d) -> if(r, x, d), is_reset, v, dv))), if(is_delta, 0, is_first_reset + arraySum(is_reset))\n"
                  "FROM (WITH arrayAll(d -> d > 0, arrayPopFront(arrayDifference(times))) AS is_plain,\n"
                  "        arraySort(arrayFilter(x -> NOT is_plain, arrayZip(times, segments, numbers, starts))) AS o,\n"
                  "        arrayFilter((x, n) -> x.1 != n.1, o, arrayPushBack(arrayPopFront(o), (toInt64(0), toUInt64(0), 0., toInt64(0)))) AS u\n"
                  "    SELECT tenant_id, series_id, if(is_plain, times, arrayMap(x -> x.1, u)) AS t, if(is_plain, numbers, arrayMap(x -> x.3, u)) AS v,\n"
                  "        if(is_plain, starts, arrayMap(x -> x.4, u)) AS s\n"
                  "    FROM (SELECT tenant_id, series_id, groupArray(toUnixTimestamp64Nano(timestamp)) AS times, groupArray(segment) AS segments, groupArray(value) AS numbers,\n"
                  "            groupArray(toUnixTimestamp64Nano(start_timestamp)) AS starts\n"
                  "        FROM observability.metric_samples WHERE timestamp >= toDateTime64(%lld, 9, 'UTC') AND timestamp < toDateTime64(%lld, 9, 'UTC') AND NOT isNaN(value)",
                  start, (unsigned long long)rollup->wanted_segment, start, end);
    tenants_sql(rollup, work, sql);
    buffer_append_string(sql,
                         "\n        GROUP BY tenant_id, series_id)) AS p\n"
                         "LEFT JOIN (SELECT tenant_id, series_id, toUnixTimestamp64Nano(last_timestamp) AS time, last_value AS value, "
                         "toUnixTimestamp64Nano(last_start_timestamp) AS start\n");
    buffer_printf(sql, "    FROM observability.metric_samples_hourly FINAL WHERE hour = toDateTime(%lld, 'UTC')", before);
    tenants_sql(rollup, work, sql);
    buffer_append_string(sql, ") AS b ON p.tenant_id = b.tenant_id AND p.series_id = b.series_id\nSETTINGS optimize_aggregation_in_order = 1");
}

static void day_sql(const struct metrics_rollup *rollup, const struct rollup_work *work, struct buffer *sql)
{
    buffer_printf(sql,
                  "INSERT INTO observability.metric_samples_daily (tenant_id, series_id, day, version, count, sum, min, max, first_value, first_timestamp, "
                  "first_start_timestamp, last_value, last_timestamp, last_start_timestamp, increase, resets)\n"
                  "SELECT tenant_id, series_id, toDate(toDateTime(%lld, 'UTC')), %llu, sum(h.count), sum(h.sum), min(h.min), max(h.max), argMin(h.first_value, h.hour), "
                  "min(h.first_timestamp), argMin(h.first_start_timestamp, h.hour), argMax(h.last_value, h.hour), max(h.last_timestamp), argMax(h.last_start_timestamp, h.hour), "
                  "sum(h.increase + if((tenant_id, series_id) IN (SELECT tenant_id, series_id FROM observability.metric_series WHERE temporality = 'delta'",
                  (long long)work->time, (unsigned long long)rollup->wanted_segment);
    tenants_sql(rollup, work, sql);
    buffer_printf(sql,
                  "), 0, " METRICS_GAP_STEP ")), sum(h.resets)\n"
                  "FROM (SELECT *, " METRICS_GAP_COLUMNS " FROM observability.metric_samples_hourly FINAL WHERE hour >= toDateTime(%lld, 'UTC') AND hour < toDateTime(%lld, 'UTC')",
                  (long long)work->time, (long long)(work->time + DAY));
    tenants_sql(rollup, work, sql);
    buffer_append_string(sql, " WINDOW w AS (PARTITION BY tenant_id, series_id ORDER BY hour ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)) AS h\n"
                              "GROUP BY tenant_id, series_id");
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
