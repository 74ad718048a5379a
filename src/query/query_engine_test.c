/* SPDX-License-Identifier: Apache-2.0 */
/* Questions asked of the real engine, against numbers this test counts by itself, around every change of the clocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <ftw.h>
#include <unistd.h>
#include "base/time.h"
#include "query/test_catalog.h"

/* --- The engine --- */

typedef void *engine_result;
static struct {
    void **(*connect)(int count, char **arguments);
    void (*close)(void **connection);
    void (*set_signal_handlers)(int enabled);
    engine_result (*query)(void *connection, const char *sql, const char *format, const char *const *names,
                           const char *const *values, size_t count);
    const char *(*buffer)(engine_result result);
    size_t (*length)(engine_result result);
    const char *(*error)(engine_result result);
    void (*destroy)(engine_result result);
} engine;
static void **connection;
static char directory[] = "/tmp/millrace-query-XXXXXX";

/* Parameters travel in tab-separated escaping, as the store's driver writes them. */
static char *escape(struct slice value, struct arena *arena)
{
    char *text = arena_allocate(arena, 2 * value.size + 1);
    size_t size = 0;
    for (size_t i = 0; i < value.size; i++) {
        const char *special = "\\\\\tt\nn\rr";
        while (*special && *special != value.data[i]) special += 2;
        if (*special) text[size++] = '\\';
        text[size++] = *special ? special[1] : value.data[i];
    }
    text[size] = 0;
    return text;
}

static void run(const struct query_statement *statement, const char *format, struct buffer *out)
{
    struct arena *arena = arena_create(0);
    const char *names[QUERY_PARAMETER_LIMIT], *values[QUERY_PARAMETER_LIMIT];
    for (size_t i = 0; i < statement->parameter_count; i++) {
        names[i] = arena_copy_string(arena, statement->parameters[i].name);
        values[i] = escape(statement->parameters[i].value, arena);
    }
    engine_result result = engine.query(*connection, arena_copy_string(arena, statement->sql), format, names, values,
                                        statement->parameter_count);
    if (engine.error(result)) fail_msg("%s\n%.*s", engine.error(result), SLICE_ARGS(statement->sql));
    buffer_append(out, engine.buffer(result), engine.length(result));
    engine.destroy(result);
    arena_destroy(arena);
}

static void execute(const char *sql)
{
    struct buffer out = {0};
    run(&(struct query_statement){.sql = slice_from_string(sql)}, "TSV", &out);
    buffer_free(&out);
}

/* --- The rows --- */

static const char *const paths[] = {"/",           "/it's",          "/back\\slash", "/tab\there",
                                    "/line\nfeed", "/pricing?a=b|c", "/Über-Größe"};
#define PATH_COUNT (sizeof paths / sizeof *paths)
#define DEVICE_COUNT 40 /* 0 is the empty device, which is nobody */
#define ROW_LIMIT 12000
struct row { bool mine; int64_t ms; int device; bool is_view; size_t path; };
static struct row rows[ROW_LIMIT];
static size_t row_count;

static uint32_t random_number(void)
{
    static uint64_t seed = 42;
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33);
}

static void add_row(int64_t ms)
{
    rows[row_count++] = (struct row){random_number() % 3 > 0, ms, (int)(random_number() % DEVICE_COUNT),
                                     random_number() % 10 < 7, random_number() % PATH_COUNT};
}

static int64_t at(const char *text)
{
    int64_t ms;
    if (!time_parse_iso8601(slice_from_string(text), &ms)) fail_msg("%s", text);
    return ms;
}

/* Sparse over two years, so that there are gaps, and dense around the changes of the clocks. */
static void make_rows(void)
{
    static const char *const changes[] = {"2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z", "2026-03-08T07:00:00Z",
                                          "2026-11-01T06:00:00Z"};
    int64_t start = at("2025-01-01"), length = at("2027-01-01") - start;
    while (row_count < 6000) add_row(start + (int64_t)((uint64_t)random_number() * 977 % (uint64_t)length));
    for (size_t i = 0; i < 4; i++) {
        int64_t middle = at(changes[i]);
        for (int64_t ms = middle - 129600000; ms <= middle + 129600000; ms += 13 * 60000) add_row(ms);
        for (int edge = -1; edge <= 1; edge++) add_row(middle + edge);
    }
}

static void insert_rows(void)
{
    execute("CREATE DATABASE analytics");
    execute("CREATE TABLE analytics.events (tenant_id String, name LowCardinality(String), created_at DateTime64(3, "
            "'UTC'), "
            "device_id String, session_id String, path String) ENGINE = MergeTree ORDER BY (tenant_id, created_at)");
    struct buffer sql = {0};
    buffer_append_string(&sql, "INSERT INTO analytics.events VALUES ");
    for (size_t i = 0; i < row_count; i++) {
        char device[16] = "", path[64];
        if (rows[i].device) snprintf(device, sizeof device, "d%d", rows[i].device);
        size_t size = 0;
        for (const char *c = paths[rows[i].path]; *c; c++) {
            if (*c == '\'' || *c == '\\') path[size++] = '\\';
            path[size++] = *c;
        }
        path[size] = 0;
        buffer_printf(&sql, "%s('%s','%s',fromUnixTimestamp64Milli(toInt64(%lld)),'%s','s','%s')", i ? "," : "",
                      rows[i].mine ? "mine" : "other", rows[i].is_view ? "screen_view" : "Click", (long long)rows[i].ms,
                      device, path);
    }
    buffer_append_byte(&sql, 0);
    execute(sql.data);
    buffer_free(&sql);
}

static int start_engine(void **state)
{
    const char *library = getenv("MILLRACE_CHDB_LIBRARY");
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        fprintf(stderr, "%s\n", dlerror());
        return -1;
    }
    const struct { const char *name; void *function;
    } symbols[] = {
        {"chdb_connect", &engine.connect},         {"chdb_close_conn", &engine.close},
        {"chdb_query_with_params", &engine.query}, {"chdb_set_signal_handlers_enabled", &engine.set_signal_handlers},
        {"chdb_result_buffer", &engine.buffer},    {"chdb_result_length", &engine.length},
        {"chdb_result_error", &engine.error},      {"chdb_destroy_query_result", &engine.destroy}};
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        *(void **)symbols[i].function = dlsym(handle, symbols[i].name);
        if (!*(void **)symbols[i].function) {
            fprintf(stderr, "%s has no %s\n", library, symbols[i].name);
            return -1;
        }
    }
    if (!mkdtemp(directory)) return -1;
    char config[80], path_argument[80], config_argument[112];
    snprintf(config, sizeof config, "%s/config.xml", directory);
    FILE *file = fopen(config, "w");
    if (!file) return -1;
    fputs("<clickhouse></clickhouse>\n", file);
    fclose(file);
    snprintf(path_argument, sizeof path_argument, "--path=%s/data", directory);
    snprintf(config_argument, sizeof config_argument, "--config-file=%s", config);
    char *arguments[] = {"query_engine_test", path_argument, config_argument};
    engine.set_signal_handlers(0);
    connection = engine.connect(3, arguments);
    if (!connection) return -1;
    make_rows();
    insert_rows();
    return 0;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    return remove(path);
}

static int stop_engine(void **state)
{
    if (connection) {
        engine.close(connection);
        nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    }
    return 0;
}

static void ask(enum query_question question, const char *text, const char *tenant, struct buffer *out)
{
    struct arena *arena = arena_create(0);
    struct query_plan plan;
    struct error error = {0};
    struct query_statement statements[QUERY_STATEMENT_LIMIT];
    struct buffer natives[QUERY_STATEMENT_LIMIT] = {{0}};
    struct slice slices[QUERY_STATEMENT_LIMIT];
    size_t count;
    if (test_plan(question, text, arena, &plan, &error)) fail_msg("%s: %s", text, error.message);
    assert_int_equal(
        query_statement_make(question, &plan, slice_from_string(tenant), arena, statements, &count, &error), 0);
    for (size_t i = 0; i < count; i++) {
        run(&statements[i], "Native", &natives[i]);
        slices[i] = buffer_slice(&natives[i]);
    }
    if (query_answer_write(question, &plan, slices, count, arena, out, &error)) fail_msg("%s: %s", text, error.message);
    buffer_append_byte(out, 0);
    for (size_t i = 0; i < count; i++) buffer_free(&natives[i]);
    arena_destroy(arena);
}

static void assert_has(const struct buffer *json, const struct buffer *expected, const char *text)
{
    if (!strstr(json->data, expected->data))
        fail_msg("%s\nis:       %s\nexpected: %s", text, json->data, expected->data);
}

/* --- Counting by hand --- */

/* What the clocks did in 2025 and 2026, from the law and not from zone data. */
static int offset_at(const char *zone, int64_t ms)
{
    if (strcmp(zone, "Europe/Berlin") == 0) {
        bool summer = (ms >= 1743296400000 && ms < 1761440400000) || (ms >= 1774746000000 && ms < 1792890000000);
        return summer ? 120 : 60;
    }
    if (strcmp(zone, "America/New_York") == 0) {
        bool summer = (ms >= 1741503600000 && ms < 1762063200000) || (ms >= 1772953200000 && ms < 1793512800000);
        return summer ? -240 : -300;
    }
    return 0;
}

/* "2026-11-21T00:00:00+01:00" of the bucket that holds the instant. */
static void label_of(const char *zone, const char *interval, int64_t ms, char out[32])
{
    int64_t local = ms + offset_at(zone, ms) * 60000LL;
    int64_t days = local / 86400000;
    int year, month, day;
    time_civil_from_days(days, &year, &month, &day);
    if (strcmp(interval, "hour") == 0) local -= local % 3600000;
    else if (strcmp(interval, "week") == 0) local = (days - (days + 3) % 7) * 86400000;
    else if (strcmp(interval, "month") == 0) local = (days - (day - 1)) * 86400000;
    else local = days * 86400000;
    /* An hour keeps the offset of the instant; midnights here are never ambiguous. */
    int offset = offset_at(zone, ms);
    for (int guess = -300; strcmp(interval, "hour") != 0 && guess <= 120; guess += 60) {
        if (offset_at(zone, local - guess * 60000LL) == guess) offset = guess;
    }
    char text[TIME_TEXT_SIZE];
    time_format_ms(local, text);
    snprintf(out, 32, "%.19s%c%02d:%02d", text, offset < 0 ? '-' : '+', abs(offset) / 60, abs(offset) % 60);
}

struct counted { uint64_t devices; int views; int events; };
static void count_row(struct counted *counted, const struct row *row)
{
    if (row->device) counted->devices |= 1ull << row->device;
    counted->views += row->is_view;
    counted->events++;
}

static void append_counted(const struct counted *counted, struct buffer *out)
{
    buffer_printf(out, "\"visitors\":%d,\"page_views\":%d}", __builtin_popcountll(counted->devices), counted->views);
}

/* The points and totals an answer must hold, found by walking through time in quarter hours. */
static void expect_series(const char *zone, const char *interval, int64_t from, int64_t to, struct buffer *out)
{
    static struct counted points[64];
    static char labels[64][32];
    size_t count = 0;
    for (int64_t ms = from; ms < to; ms += 900000) {
        char label[32];
        label_of(zone, interval, ms, label);
        if (count > 0 && strcmp(labels[count - 1], label) == 0) continue;
        points[count] = (struct counted){0};
        memcpy(labels[count++], label, sizeof label);
    }
    struct counted total = {0};
    for (size_t i = 0; i < row_count; i++) {
        if (!rows[i].mine || rows[i].ms < from || rows[i].ms >= to) continue;
        char label[32];
        label_of(zone, interval, rows[i].ms, label);
        size_t point = 0;
        while (strcmp(labels[point], label) != 0) point++;
        count_row(&points[point], &rows[i]);
        count_row(&total, &rows[i]);
    }
    buffer_append_string(out, "\"points\":[");
    for (size_t i = 0; i < count; i++) {
        buffer_printf(out, "%s{\"time\":\"%s\",", i ? "," : "", labels[i]);
        append_counted(&points[i], out);
    }
    buffer_append_string(out, "],\"totals\":{");
    append_counted(&total, out);
}

static void timeseries_are_right_across_changes_of_the_clocks(void **state)
{
    static const struct {
        const char *zone; const char *interval; const char *from; const char *to;          /* local dates */
        const char *from_utc; const char *to_utc; const char *before_from; const char *before_to;
    } cases[] = {
        {"Europe/Berlin", "hour", "2026-03-29", "2026-03-29", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z",
         "2026-03-28T00:00:00Z", "2026-03-28T23:00:00Z"},
        {"Europe/Berlin", "hour", "2026-10-25", "2026-10-25", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z",
         "2026-10-23T21:00:00Z", "2026-10-24T22:00:00Z"},
        {"Europe/Berlin", "day", "2026-03-27", "2026-03-31", "2026-03-26T23:00:00Z", "2026-03-31T22:00:00Z",
         "2026-03-21T23:00:00Z", "2026-03-26T23:00:00Z"},
        {"Europe/Berlin", "day", "2026-10-23", "2026-10-27", "2026-10-22T22:00:00Z", "2026-10-27T23:00:00Z",
         "2026-10-17T22:00:00Z", "2026-10-22T22:00:00Z"},
        {"Europe/Berlin", "day", "2026-03-30", "2026-03-31", "2026-03-29T22:00:00Z", "2026-03-31T22:00:00Z",
         "2026-03-27T23:00:00Z", "2026-03-29T22:00:00Z"},
        {"Europe/Berlin", "week", "2026-03-19", "2026-04-08", "2026-03-18T23:00:00Z", "2026-04-08T22:00:00Z",
         "2026-02-25T23:00:00Z", "2026-03-18T23:00:00Z"},
        {"Europe/Berlin", "month", "2026-01-15", "2026-11-20", "2026-01-14T23:00:00Z", "2026-11-20T23:00:00Z",
         "2025-02-14T23:00:00Z", "2025-12-20T23:00:00Z"},
        {"America/New_York", "hour", "2026-03-08", "2026-03-08", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z",
         "2026-03-07T06:00:00Z", "2026-03-08T05:00:00Z"},
        {"America/New_York", "hour", "2026-11-01", "2026-11-01", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z",
         "2026-10-31T03:00:00Z", "2026-11-01T04:00:00Z"},
        {"America/New_York", "day", "2026-03-06", "2026-03-10", "2026-03-06T05:00:00Z", "2026-03-11T04:00:00Z",
         "2026-03-01T05:00:00Z", "2026-03-06T05:00:00Z"},
        {"America/New_York", "day", "2026-10-30", "2026-11-03", "2026-10-30T04:00:00Z", "2026-11-04T05:00:00Z",
         "2026-10-25T04:00:00Z", "2026-10-30T04:00:00Z"},
        {"America/New_York", "month", "2026-07-01", "2026-12-31", "2026-07-01T04:00:00Z", "2027-01-01T05:00:00Z",
         "2026-01-01T05:00:00Z", "2026-07-01T04:00:00Z"},
        {"UTC", "day", "2026-02-01", "2026-02-28", "2026-02-01", "2026-03-01", "2026-01-04", "2026-02-01"},
        /* Before there was anything: gaps only. */
        {"UTC", "day", "2020-02-01", "2020-02-03", "2020-02-01", "2020-02-04", "2020-01-29", "2020-02-01"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        snprintf(text, sizeof text,
                 "measures=visitors,page_views&timezone=%s&interval=%s&from=%s&to=%s&compare=previous", cases[i].zone,
                 cases[i].interval, cases[i].from, cases[i].to);
        struct buffer json = {0}, now = {0}, before = {0};
        expect_series(cases[i].zone, cases[i].interval, at(cases[i].from_utc), at(cases[i].to_utc), &now);
        buffer_append_string(&now, ",\"previous\":{");
        buffer_append_byte(&now, 0);
        expect_series(cases[i].zone, cases[i].interval, at(cases[i].before_from), at(cases[i].before_to), &before);
        buffer_append_string(&before, "}}");
        buffer_append_byte(&before, 0);
        ask(QUERY_TIMESERIES, text, "mine", &json);
        assert_has(&json, &now, text);
        assert_has(&json, &before, text);
        buffer_free(&json);
        buffer_free(&now);
        buffer_free(&before);
    }
}

static void other_tenants_rows_are_never_counted(void **state)
{
    static const char *const tenants[] = {"nobody", "mine' OR '1'='1", "mi\\ne", "%", "mine\t"};
    for (size_t i = 0; i < sizeof tenants / sizeof *tenants; i++) {
        struct buffer json = {0};
        ask(QUERY_TIMESERIES, "measures=events&from=2025-01-01&to=2026-12-31&interval=month", tenants[i], &json);
        assert_non_null(strstr(json.data, "\"totals\":{\"events\":0}"));
        buffer_free(&json);
        ask(QUERY_TOP, "dimension=path&measures=events&from=2025-01-01&to=2026-12-31&compare=previous", tenants[i],
            &json);
        assert_non_null(strstr(json.data, "\"rows\":[],\"totals\":{\"events\":0}"));
        buffer_free(&json);
    }
}

/* Which paths a filter lets through, one bit each. */
static void filters_select_the_rows_they_say(void **state)
{
    static const struct { const char *filter; unsigned paths; bool views, clicks; } cases[] = {
        {"path:is:/", 1u << 0, true, true},
        {"path:is:/it's|/back\\\\slash", 1u << 1 | 1u << 2, true, true},
        {"path:is:/back\\slash", 1u << 2, true, true},
        {"path:is:/tab\there", 1u << 3, true, true},
        {"path:is:/line\nfeed", 1u << 4, true, true},
        {"path:is:/pricing?a=b\\|c", 1u << 5, true, true},
        {"path:is:/pricing?a=b|c", 0, true, true},
        {"path:is_not:/|/it's", 0x7Cu, true, true},
        {"path:contains:GRÖSSE|GRÖßE", 1u << 6, true, true},
        {"path:contains:TAB\t|slash", 1u << 2 | 1u << 3, true, true},
        {"path:not_contains:über|'", 0x3Du, true, true},
        {"path:starts_with:/l|/p", 1u << 4 | 1u << 5, true, true},
        {"path:starts_with:/L", 0, true, true},
        {"path:is:') OR 1=1 --", 0, true, true},
        {"path:is:", 0, true, true},
        {"path:is_not:", 0x7Fu, true, true},
        {"name:is:screen_view", 0x7Fu, true, false},
        {"name:is_not:screen_view", 0x7Fu, false, true},
        {"name:contains:CLI", 0x7Fu, false, true},
        {"name:not_contains:cli", 0x7Fu, true, false},
        {"name:starts_with:screen|x", 0x7Fu, true, false},
        {"path:is:/&filter=name:is:Click", 1u << 0, false, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int expected = 0;
        for (size_t j = 0; j < row_count; j++) {
            expected += rows[j].mine && (cases[i].paths >> rows[j].path & 1) &&
                        (rows[j].is_view ? cases[i].views : cases[i].clicks);
        }
        char text[256], total[64];
        snprintf(text, sizeof text, "measures=events&from=2025-01-01&to=2026-12-31&interval=month&filter=%s",
                 cases[i].filter);
        snprintf(total, sizeof total, "\"totals\":{\"events\":%d}", expected);
        struct buffer json = {0};
        ask(QUERY_TIMESERIES, text, "mine", &json);
        if (!strstr(json.data, total)) fail_msg("%s: expected %s in %s", cases[i].filter, total, json.data);
        buffer_free(&json);
    }
}

/* Views of one period by path. */
static void count_views(int64_t from, int64_t to, struct counted by_path[PATH_COUNT], struct counted *total)
{
    for (size_t i = 0; i < row_count; i++) {
        if (!rows[i].mine || !rows[i].is_view || rows[i].ms < from || rows[i].ms >= to) continue;
        count_row(&by_path[rows[i].path], &rows[i]);
        count_row(total, &rows[i]);
    }
}

static const char *const json_paths[] = {
    "/", "/it's", "/back\\\\slash", "/tab\\there", "/line\\nfeed", "/pricing?a=b|c", "/Über-Größe"};

static void top_is_ordered_limited_and_compared(void **state)
{
    struct counted now[PATH_COUNT] = {{0}}, before[PATH_COUNT] = {{0}}, total = {0}, total_before = {0};
    count_views(at("2026-10-24T22:00:00Z"), at("2026-10-25T23:00:00Z"), now, &total);
    count_views(at("2026-10-23T22:00:00Z"), at("2026-10-24T22:00:00Z"), before, &total_before);
    struct buffer expected = {0}, json = {0};
    bool used[PATH_COUNT] = {false};
    buffer_append_string(&expected, "\"rows\":[");
    for (int place = 0; place < 5; place++) {
        size_t best = PATH_COUNT;
        for (size_t i = 0; i < PATH_COUNT; i++) {
            if (used[i] || now[i].views == 0) continue;
            if (best == PATH_COUNT || now[i].views > now[best].views ||
                (now[i].views == now[best].views && strcmp(paths[i], paths[best]) < 0)) best = i;
        }
        assert_true(best < PATH_COUNT);
        used[best] = true;
        buffer_printf(&expected,
                      "%s{\"value\":\"%s\",\"page_views\":%d,\"visitors\":%d,\"previous\":{\"page_views\":%d,"
                      "\"visitors\":%d}}",
                      place ? "," : "", json_paths[best], now[best].views, __builtin_popcountll(now[best].devices),
                      before[best].views, __builtin_popcountll(before[best].devices));
    }
    buffer_printf(&expected, "],\"totals\":{\"page_views\":%d,\"visitors\":%d},\"previous\":{\"from\":"
                  "\"2026-10-24T00:00:00+02:00\",\"to\":\"2026-10-25T00:00:00+02:00\",\"totals\":{\"page_views\":%d,"
                  "\"visitors\":%d}}}", total.views, __builtin_popcountll(total.devices), total_before.views,
                  __builtin_popcountll(total_before.devices));
    buffer_append_byte(&expected, 0);
    const char *text =
        "dimension=path&measures=page_views,visitors&limit=5&compare=previous&from=2026-10-25&to=2026-10-25&"
        "timezone=Europe/Berlin";
    ask(QUERY_TOP, text, "mine", &json);
    assert_has(&json, &expected, text);
    buffer_free(&expected);
    buffer_free(&json);
    /* A dimension of another type, without comparing. */
    ask(QUERY_TOP, "dimension=name&measures=events&from=2025-01-01&to=2026-12-31", "mine", &json);
    struct counted by_name[2] = {{0}};
    for (size_t i = 0; i < row_count; i++) if (rows[i].mine) count_row(&by_name[rows[i].is_view], &rows[i]);
    buffer_printf(&expected,
                  "\"rows\":[{\"value\":\"screen_view\",\"events\":%d},{\"value\":\"Click\",\"events\":%d}],"
                  "\"totals\":{\"events\":%d}}",
                  by_name[1].events, by_name[0].events, by_name[0].events + by_name[1].events);
    buffer_append_byte(&expected, 0);
    assert_has(&json, &expected, "top names");
    buffer_free(&expected);
    buffer_free(&json);
}

static void the_largest_series_is_answered(void **state)
{
    struct buffer json = {0};
    /* 5000 minutes end at 11:20 of the fourth day. */
    ask(QUERY_TIMESERIES,
        "measures=events,path_length&interval=minute&from=2026-10-24T00:00:00Z&to=2026-10-27T11:20:00Z", "mine", &json);
    size_t points = 0;
    for (const char *found = json.data; (found = strstr(found, "\"time\"")); found++) points++;
    assert_int_equal(points, QUERY_BUCKET_LIMIT);
    assert_non_null(strstr(json.data, "\"events\":0,\"path_length\":null}"));
    buffer_free(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timeseries_are_right_across_changes_of_the_clocks),
        cmocka_unit_test(other_tenants_rows_are_never_counted),
        cmocka_unit_test(filters_select_the_rows_they_say),
        cmocka_unit_test(top_is_ordered_limited_and_compared),
        cmocka_unit_test(the_largest_series_is_answered),
    };
    const char *library = getenv("MILLRACE_CHDB_LIBRARY");
    if (!library || !library[0]) {
        puts("1..0 # SKIP MILLRACE_CHDB_LIBRARY does not name libchdb.so");
        return 0;
    }
    return cmocka_run_group_tests(tests, start_engine, stop_engine);
}
