/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: random events against a plain reading of the rules, rows that cancel exactly, and what becomes of doubts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "block/native_reader.h"
#include "domain/harness.h"
#include "domains/analytics/analytics.h"
#include "domains/analytics/session_sql.h"
#include "domains/analytics/session_table.h"

#define DAY_MS INT64_C(86400000)
#define NOON_MS (HARNESS_NOW_MS / DAY_MS * DAY_MS + DAY_MS / 2)
#define RANDOM_EVENTS 6000
#define TEXT_SIZE 48

/* ---- a small generator: the same events for one seed ---- */
static uint64_t random_state;
static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}
static unsigned random_below(unsigned limit) { return (unsigned)(random_next() % limit); }

/* ---- the rules, written down plainly: every event is kept, and a session is made of its events at the end ---- */
struct plain_event {
    char session[SESSION_ID_LIMIT_BYTES + 1], device[TEXT_SIZE], profile[TEXT_SIZE], path[TEXT_SIZE], referrer[TEXT_SIZE],
        group[TEXT_SIZE];
    bool is_view;
    int64_t time_ms, revenue;
    struct uuid id;
};
static struct plain_event plain_events[RANDOM_EVENTS];
static size_t plain_count;
struct plain_device { char session[SESSION_ID_LIMIT_BYTES + 1]; int64_t ended_ms; };

static int plain_compare(const void *a, const void *b)
{
    const struct plain_event *x = a, *y = b;
    int order = strcmp(x->session, y->session);
    if (order) return order;
    if (x->time_ms != y->time_ms) return x->time_ms < y->time_ms ? -1 : 1;
    return memcmp(&x->id, &y->id, sizeof x->id);
}

static void assert_text(const struct session_facts *facts, enum session_text text, const char *expected)
{
    struct slice value = session_facts_text(facts, text);
    if (!slice_equal(value, slice_from_string(expected)))
        fail_msg("text %d is \"%.*s\" and not \"%s\"", (int)text, SLICE_ARGS(value), expected);
}

static int text_compare(const void *a, const void *b) { return strcmp(a, b); }

/* The events [from, to) of plain_events are all of one session, in order. */
static void assert_session(const struct session_facts *facts, size_t from, size_t to)
{
    const char *entry = "", *exit = "", *profile = plain_events[from].profile;
    unsigned views = 0;
    int64_t revenue = 0;
    static char groups[RANDOM_EVENTS][TEXT_SIZE];
    size_t group_count = 0;
    for (size_t i = from; i < to; i++) {
        const struct plain_event *event = &plain_events[i];
        if (event->path[0] && !entry[0]) entry = event->path;
        if (event->path[0]) exit = event->path;
        if (event->profile[0] && strcmp(event->profile, event->device) != 0) profile = event->profile;
        views += event->is_view && event->path[0];
        revenue += event->revenue;
        if (event->group[0]) memcpy(groups[group_count++], event->group, TEXT_SIZE);
    }
    assert_int_equal(facts->first.time_ms, plain_events[from].time_ms);
    assert_int_equal(facts->ended_ms, plain_events[to - 1].time_ms);
    assert_text(facts, SESSION_ENTRY_PATH, entry);
    assert_text(facts, SESSION_EXIT_PATH, exit);
    assert_text(facts, SESSION_PROFILE_ID, profile);
    assert_text(facts, SESSION_DEVICE_ID, plain_events[from].device);
    assert_text(facts, SESSION_REFERRER, plain_events[from].referrer);
    assert_int_equal(facts->views, views);
    assert_int_equal(facts->events, to - from - views);
    assert_true(facts->revenue == revenue);
    assert_int_equal(session_facts_is_bounce(facts), views <= 1);
    struct slice held = session_facts_text(facts, SESSION_GROUPS);
    qsort(groups, group_count, TEXT_SIZE, text_compare);
    size_t distinct = 0;
    for (size_t i = 0; i < group_count && distinct < SESSION_GROUP_LIMIT; i++) {
        if (i > 0 && strcmp(groups[i], groups[i - 1]) == 0) continue;
        uint16_t size;
        assert_true(held.size > sizeof size);
        memcpy(&size, held.data, sizeof size);
        assert_true(slice_equal(slice_make(held.data + sizeof size, size), slice_from_string(groups[i])));
        held = slice_from(held, sizeof size + size);
        distinct++;
    }
    assert_int_equal(0, held.size);
}

/* ---- a host that keeps rows in memory ---- */
struct test_row { char id[SESSION_ID_LIMIT_BYTES + 1]; uint64_t version; char *content; };
struct test_host {
    struct domain_host host;
    struct block *blocks[ANALYTICS_TABLE_SESSIONS + 1];
    struct test_row rows[RANDOM_EVENTS]; /* the net ones */
    size_t row_count, changes, ends;
    size_t flushed[RANDOM_EVENTS];       /* rows of one session in this flush */
    bool fails;
    bool is_empty;                       /* the event store answers, and has nothing */
    size_t largest_statement, statements;
};

static struct block *host_block(struct domain_host *host, size_t table)
{
    struct test_host *test = (struct test_host *)host;
    if (!test->blocks[table]) test->blocks[table] = block_create(analytics_domain.tables[table].schema);
    return test->blocks[table];
}
static bool host_take(struct domain_host *host, size_t table, struct slice tenant, const struct uuid *id) { return true; }
static uint64_t host_segment(struct domain_host *host) { return 1; }
static bool host_is_stored(struct domain_host *host, uint64_t segment) { return true; }
static enum error_code host_query(struct domain_host *host, struct slice sql, const char *format, struct buffer *out, struct error *error)
{
    struct test_host *test = (struct test_host *)host;
    test->statements++;
    if (sql.size > test->largest_statement) test->largest_statement = sql.size;
    if (test->is_empty) return ERROR_NONE;
    return error_set(error, ERROR_UNAVAILABLE, "there is no event store here");
}

/* A row's content but for sign, version and time of writing. */
static char *row_content(const struct native_block *block, size_t row, int64_t *ret_sign, uint64_t *ret_version, char *id)
{
    struct buffer text = {0};
    for (size_t i = 0; i < block->column_count; i++) {
        const struct native_value *value = &block->columns[i].values[row];
        if (slice_equal(block->columns[i].name, SLICE("sign"))) *ret_sign = value->i;
        else if (slice_equal(block->columns[i].name, SLICE("version"))) *ret_version = value->u;
        else if (slice_equal(block->columns[i].name, SLICE("written_at"))) continue;
        else if (value->kind == BLOCK_STRING) buffer_printf(&text, "|%.*s", SLICE_ARGS(value->s));
        else if (value->kind == BLOCK_ARRAY)
            for (size_t j = 0; j < value->array.count; j++) buffer_printf(&text, ",%.*s", SLICE_ARGS(value->array.items[j].s));
        else buffer_printf(&text, "|%llx", (unsigned long long)value->u);
        if (slice_equal(block->columns[i].name, SLICE("id"))) snprintf(id, SESSION_ID_LIMIT_BYTES + 1, "%.*s", SLICE_ARGS(value->s));
    }
    buffer_append_byte(&text, 0);
    return text.data;
}

static struct test_row *host_row(struct test_host *test, const char *id)
{
    for (size_t i = 0; i < test->row_count; i++)
        if (strcmp(test->rows[i].id, id) == 0) return &test->rows[i];
    assert_true(test->row_count < RANDOM_EVENTS);
    struct test_row *row = &test->rows[test->row_count++];
    snprintf(row->id, sizeof row->id, "%s", id);
    return row;
}

/* Every -1 must be the exact copy of what is there; every +1 a new version where nothing is. */
static enum error_code host_commit(struct domain_host *host, uint64_t *ret_segment, struct error *error)
{
    struct test_host *test = (struct test_host *)host;
    struct buffer native = {0};
    struct arena *arena = arena_create(0);
    struct block *sessions = host_block(host, ANALYTICS_TABLE_SESSIONS), *events = host_block(host, ANALYTICS_TABLE_EVENTS);
    *ret_segment = 1;
    test->ends += events->rows;
    block_reset(events);
    if (test->fails) block_reset(sessions);
    memset(test->flushed, 0, sizeof test->flushed);
    assert_int_equal(ERROR_NONE, block_seal(sessions, error));
    block_write_native(sessions, NULL, 0, &native);
    struct slice bytes = buffer_slice(&native);
    struct native_block block = {0};
    if (sessions->rows) assert_int_equal(ERROR_NONE, native_reader_next(&bytes, arena, &block, error));
    for (size_t i = 0; i < block.rows; i++) {
        int64_t sign = 0;
        uint64_t version = 0;
        char id[SESSION_ID_LIMIT_BYTES + 1];
        char *content = row_content(&block, i, &sign, &version, id);
        struct test_row *row = host_row(test, id);
        test->changes++;
        assert_true(++test->flushed[row - test->rows] <= 2);
        if (sign < 0) {
            assert_non_null(row->content);
            assert_string_equal(row->content, content);
            assert_int_equal(row->version, version);
            free(row->content);
            free(content);
            row->content = NULL;
        } else {
            assert_null(row->content);
            assert_true(version > row->version);
            row->content = content;
            row->version = version;
        }
    }
    block_reset(sessions);
    buffer_free(&native);
    arena_destroy(arena);
    return test->fails ? error_set(error, ERROR_UNAVAILABLE, "the disk is full") : ERROR_NONE;
}

static struct test_host *host_create(void)
{
    struct test_host *test = calloc(1, sizeof *test);
    assert_non_null(test);
    test->host = (struct domain_host){host_query, host_block, host_take, host_commit, host_segment, host_is_stored};
    return test;
}

static void host_destroy(struct test_host *test)
{
    for (size_t i = 0; i < sizeof test->blocks / sizeof test->blocks[0]; i++) block_destroy(test->blocks[i]);
    for (size_t i = 0; i < test->row_count; i++) free(test->rows[i].content);
    free(test);
}

/* ---- events ---- */
struct bench { struct harness harness; struct session_table *table; struct analytics_context context; };

static void bench_create(struct bench *bench)
{
    harness_create(&bench->harness, &analytics_domain);
    bench->table = bench->harness.rows.state;
    bench->context = (struct analytics_context){.arena = bench->harness.arena, .received_ms = NOON_MS, .tenant = SLICE(HARNESS_TENANT),
                                                .sessions = bench->table};
}

static void bench_take(struct bench *bench, struct analytics_event *event)
{
    analytics_session_take(event, &bench->context, &bench->harness.rows);
}

static struct analytics_event *event_make(struct bench *bench, const struct plain_event *plain, enum analytics_visit visit)
{
    static struct analytics_event event;
    analytics_event_init(&event);
    event.visit = visit;
    analytics_event_put_text(&event, EVENT_TENANT_ID, bench->context.tenant);
    analytics_event_put_text(&event, EVENT_NAME, plain->is_view ? SLICE("screen_view") : SLICE("click"));
    analytics_event_put_text(&event, EVENT_EVENT_TYPE, SLICE("track"));
    analytics_event_put_text(&event, EVENT_SESSION_ID, slice_from_string(plain->session));
    analytics_event_put_text(&event, EVENT_DEVICE_ID, slice_from_string(plain->device));
    analytics_event_put_text(&event, EVENT_PROFILE_ID, slice_from_string(plain->profile));
    analytics_event_put_text(&event, EVENT_PATH, slice_from_string(plain->path));
    analytics_event_put_text(&event, EVENT_REFERRER, slice_from_string(plain->referrer));
    if (plain->group[0]) analytics_event_put_group(&event, slice_from_string(plain->group));
    analytics_event_put_integer(&event, EVENT_CREATED_AT, plain->time_ms);
    analytics_event_put_integer(&event, EVENT_INGESTED_AT, bench->context.received_ms);
    analytics_event_put_id(&event, plain->id);
    if (plain->revenue) analytics_event_put_integer(&event, EVENT_REVENUE, plain->revenue);
    return &event;
}

static struct plain_event plain_random(int64_t now_ms)
{
    struct plain_event event = {.is_view = random_below(2), .time_ms = now_ms - (random_below(3) ? 0 : (int64_t)random_below(14 * 60000)),
                                .revenue = random_below(8) ? 0 : (int64_t)random_below(100000) - 20000};
    snprintf(event.device, TEXT_SIZE, "device-%u", random_below(40));
    snprintf(event.profile, TEXT_SIZE, "%s", event.device);
    if (!random_below(4)) snprintf(event.profile, TEXT_SIZE, "person-%u", random_below(60));
    if (random_below(3)) snprintf(event.path, TEXT_SIZE, "/page/%.*s", (int)random_below(24), "abcdefghijklmnopqrstuvwxyz");
    if (!random_below(3)) snprintf(event.referrer, TEXT_SIZE, "https://site-%u.example", random_below(9));
    if (!random_below(5)) snprintf(event.group, TEXT_SIZE, "group-%u", random_below(90));
    uuid_random_bytes(&event.id, sizeof event.id); /* equal times must not depend on the order of arrival */
    return event;
}

static void random_events_add_up(uint64_t seed)
{
    random_state = seed;
    static struct plain_device devices[40];
    memset(devices, 0, sizeof devices);
    plain_count = 0;
    struct bench bench;
    struct test_host *host = host_create();
    bench_create(&bench);
    int64_t now_ms = NOON_MS + 11 * 3600000 + 50 * 60000; /* ten minutes before midnight */
    size_t starts = 0;
    for (size_t i = 0; i < RANDOM_EVENTS; i++) {
        now_ms += random_below(200) ? random_below(3000) : random_below(40 * 60000);
        if (i % 100 == 0) { /* else times would all differ */
            now_ms -= now_ms % 1000;
        }
        struct plain_event plain = plain_random(now_ms);
        bench.context.received_ms = now_ms;
        bool named = random_below(4) == 0;
        if (named) snprintf(plain.session, sizeof plain.session, "tab-%u-%lld", random_below(20), (long long)(now_ms / (20 * 60000)));
        struct analytics_event *event = event_make(&bench, &plain, named ? EVENT_VISIT_AS_SENT : EVENT_VISIT_OF_DEVICE);
        bench_take(&bench, event);
        struct slice session = analytics_event_text(event, EVENT_SESSION_ID);
        if (!named) {
            struct plain_device *device = &devices[strtol(plain.device + 7, NULL, 10)];
            bool is_new = device->session[0] == 0 || plain.time_ms - device->ended_ms > SESSION_TIMEOUT_MS;
            if (is_new) {
                visitor_session_id(bench.context.tenant, slice_from_string(plain.device), plain.time_ms, SESSION_TIMEOUT_MS, device->session);
                device->session[VISITOR_SESSION_ID_SIZE] = 0;
                starts++;
            }
            if (is_new || plain.time_ms > device->ended_ms) device->ended_ms = plain.time_ms;
            snprintf(plain.session, sizeof plain.session, "%s", device->session);
            if (!slice_equal(session, slice_from_string(plain.session)))
                fail_msg("seed %llu, event %zu: session %.*s and not %s", (unsigned long long)seed, i, SLICE_ARGS(session), plain.session);
            struct slice referrer = analytics_event_text(event, EVENT_REFERRER); /* of the session, from its first event on */
            if (referrer.data != plain.referrer) snprintf(plain.referrer, TEXT_SIZE, "%.*s", SLICE_ARGS(referrer));
        }
        plain_events[plain_count++] = plain;
        if (random_below(40) == 0) analytics_session_state.tick(bench.table, &host->host, now_ms, false);
        if (i % 500 == 499) {
            harness_reset(&bench.harness); /* its blocks hold the session_start events */
        }
    }
    assert_true(starts > 100);
    /* Sessions that were dropped meanwhile have their row; those in memory get it now. */
    analytics_session_state.tick(bench.table, &host->host, now_ms, false);
    qsort(plain_events, plain_count, sizeof plain_events[0], plain_compare);
    size_t compared = 0, sessions = 0;
    for (size_t from = 0, to; from < plain_count; from = to) {
        for (to = from; to < plain_count && strcmp(plain_events[to].session, plain_events[from].session) == 0;) to++;
        struct slice id = slice_from_string(plain_events[from].session);
        struct session_key key = session_table_key(bench.table, bench.context.tenant, 's', id);
        struct session *session = session_shard_find(session_table_shard(bench.table, &key), &key);
        sessions++;
        assert_non_null(host_row(host, plain_events[from].session)->content);
        if (!session) continue;
        assert_false(session->is_doubtful);
        assert_session(session->facts, from, to);
        compared++;
    }
    assert_true(compared > 20);
    assert_int_equal(sessions, host->row_count); /* no row of a session nobody made */
    /* Everything ends: one session_end for each of our own sessions, none twice. */
    int64_t keep_ms = session_table_keep_ms(bench.table);
    analytics_session_state.tick(bench.table, &host->host, now_ms + keep_ms + 1, false);
    analytics_session_state.tick(bench.table, &host->host, now_ms + keep_ms + SESSION_TIMEOUT_MS, false);
    assert_int_equal(starts, host->ends);
    for (size_t i = 0; i < SESSION_SHARDS; i++) assert_int_equal(0, bench.table->sessions[i].count);
    host_destroy(host);
    harness_destroy(&bench.harness);
}

static void test_random_events_add_up_to_what_the_rules_say(void **state)
{
    for (uint64_t seed = 1; seed <= 12; seed++) random_events_add_up(seed * 0x9E3779B97F4A7C15u);
}

/* ---- several loops ---- */
#define LOOP_COUNT 4
#define LOOP_EVENTS 400
struct loop_run { struct bench *bench; struct harness harness; size_t number; pthread_t thread; };

static void *loop_body(void *context)
{
    struct loop_run *run = context;
    struct analytics_context events = run->bench->context;
    events.arena = run->harness.arena;
    run->harness.rows.state = run->bench->table;
    for (size_t i = run->number; i < LOOP_COUNT * LOOP_EVENTS; i += LOOP_COUNT) {
        const struct plain_event *plain = &plain_events[i];
        struct analytics_event *event = arena_allocate(run->harness.arena, sizeof *event);
        ASSERT(event);
        analytics_event_init(event);
        event->visit = EVENT_VISIT_AS_SENT;
        analytics_event_put_text(event, EVENT_NAME, plain->is_view ? SLICE("screen_view") : SLICE("click"));
        analytics_event_put_text(event, EVENT_SESSION_ID, slice_from_string(plain->session));
        analytics_event_put_text(event, EVENT_DEVICE_ID, slice_from_string(plain->device));
        analytics_event_put_text(event, EVENT_PROFILE_ID, slice_from_string(plain->profile));
        analytics_event_put_text(event, EVENT_PATH, slice_from_string(plain->path));
        analytics_event_put_text(event, EVENT_REFERRER, slice_from_string(plain->referrer));
        if (plain->group[0]) analytics_event_put_group(event, slice_from_string(plain->group));
        analytics_event_put_integer(event, EVENT_CREATED_AT, plain->time_ms);
        analytics_event_put_id(event, plain->id);
        if (plain->revenue) analytics_event_put_integer(event, EVENT_REVENUE, plain->revenue);
        analytics_session_take(event, &events, &run->harness.rows);
    }
    return NULL;
}

static void test_loops_in_any_interleaving_add_up_to_the_same(void **state)
{
    struct bench bench;
    struct test_host *host = host_create();
    static struct loop_run runs[LOOP_COUNT];
    bench_create(&bench);
    random_state = 77;
    plain_count = LOOP_COUNT * LOOP_EVENTS;
    for (size_t i = 0; i < plain_count; i++) {
        plain_events[i] = plain_random(NOON_MS);
        snprintf(plain_events[i].session, sizeof plain_events[i].session, "tab-%u", random_below(30));
    }
    for (size_t i = 0; i < LOOP_COUNT; i++) {
        runs[i].bench = &bench;
        runs[i].number = i;
        harness_create(&runs[i].harness, &analytics_domain);
        analytics_domain.state->destroy(runs[i].harness.rows.state);
        runs[i].harness.rows.state = NULL;
    }
    for (size_t i = 0; i < LOOP_COUNT; i++) pthread_create(&runs[i].thread, NULL, loop_body, &runs[i]);
    for (int i = 0; i < 50; i++) analytics_session_state.tick(bench.table, &host->host, NOON_MS, false);
    for (size_t i = 0; i < LOOP_COUNT; i++) {
        pthread_join(runs[i].thread, NULL);
        runs[i].harness.rows.state = NULL; /* it is the bench's */
        harness_destroy(&runs[i].harness);
    }
    analytics_session_state.tick(bench.table, &host->host, NOON_MS, false);
    qsort(plain_events, plain_count, sizeof plain_events[0], plain_compare);
    for (size_t from = 0, to; from < plain_count; from = to) {
        for (to = from; to < plain_count && strcmp(plain_events[to].session, plain_events[from].session) == 0;) to++;
        struct session_key key = session_table_key(bench.table, bench.context.tenant, 's', slice_from_string(plain_events[from].session));
        struct session *session = session_shard_find(session_table_shard(bench.table, &key), &key);
        assert_non_null(session);
        assert_session(session->facts, from, to);
        assert_int_equal(0, session->pending);
        assert_non_null(host_row(host, plain_events[from].session)->content);
    }
    host_destroy(host);
    harness_destroy(&bench.harness);
}

/* ---- doubts ---- */
static struct plain_event plain_simple(const char *session, int64_t time_ms)
{
    struct plain_event event = {.is_view = true, .time_ms = time_ms, .device = "device-0", .profile = "device-0", .path = "/"};
    snprintf(event.session, sizeof event.session, "%s", session);
    uuid_random_bytes(&event.id, sizeof event.id);
    return event;
}

static struct session *bench_session(struct bench *bench, const char *id)
{
    struct session_key key = session_table_key(bench->table, bench->context.tenant, 's', slice_from_string(id));
    return session_shard_find(session_table_shard(bench->table, &key), &key);
}

static void test_an_event_that_was_given_up_puts_its_session_in_doubt(void **state)
{
    struct bench bench;
    struct test_host *host = host_create();
    bench_create(&bench);
    struct plain_event plain = plain_simple("tab", NOON_MS);
    bench_take(&bench, event_make(&bench, &plain, EVENT_VISIT_AS_SENT));
    struct session *session = bench_session(&bench, "tab");
    session->pending++; /* as if another request came */
    session_settled(session, bench.table, 7, false);
    assert_true(session->is_doubtful);
    analytics_session_state.tick(bench.table, &host->host, NOON_MS, false);
    assert_int_equal(0, host->changes); /* nothing is written of it before it was made anew */
    host_destroy(host);
    harness_destroy(&bench.harness);
}

static void test_a_flush_that_failed_puts_its_sessions_in_doubt(void **state)
{
    struct bench bench;
    struct test_host *host = host_create();
    bench_create(&bench);
    struct plain_event plain = plain_simple("tab", NOON_MS);
    bench_take(&bench, event_make(&bench, &plain, EVENT_VISIT_AS_SENT));
    host->fails = true;
    analytics_session_state.tick(bench.table, &host->host, NOON_MS, false);
    assert_true(bench_session(&bench, "tab")->is_doubtful);
    host_destroy(host);
    harness_destroy(&bench.harness);
}

static void test_however_many_doubts_there_are_statements_stay_within_what_the_event_store_parses(void **state)
{
    enum { SESSIONS = 2500, ID_BYTES = 64 };
    struct bench bench;
    struct test_host *host = host_create();
    bench_create(&bench);
    for (int i = 0; i < SESSIONS; i++) {
        char id[ID_BYTES + 1];
        snprintf(id, sizeof id, "%0*d", i % 2 ? ID_BYTES : 16, i);
        if (i % 2) memset(id, '\'', ID_BYTES / 2); /* quotes are written as two bytes */
        struct plain_event plain = plain_simple(id, NOON_MS);
        bench_take(&bench, event_make(&bench, &plain, EVENT_VISIT_AS_SENT));
        struct session *session = bench_session(&bench, id);
        session->pending++;
        session_settled(session, bench.table, 7, false);
    }
    host->is_empty = true;
    for (int i = 0; i < 100; i++) analytics_session_state.tick(bench.table, &host->host, NOON_MS, false);
    assert_in_range(host->largest_statement, 10000, 256 * 1024);
    assert_in_range(host->statements, 4, 400); /* many in one, not one by one */
    host_destroy(host);
    harness_destroy(&bench.harness);
}

static void test_an_id_that_comes_back_after_its_session_was_dropped_is_in_doubt(void **state)
{
    struct bench bench;
    struct test_host *host = host_create();
    bench_create(&bench);
    struct plain_event plain = plain_simple("tab", NOON_MS);
    bench_take(&bench, event_make(&bench, &plain, EVENT_VISIT_AS_SENT));
    int64_t later_ms = NOON_MS + session_table_keep_ms(bench.table) + 1;
    analytics_session_state.tick(bench.table, &host->host, later_ms, false);
    analytics_session_state.tick(bench.table, &host->host, later_ms + SESSION_TIMEOUT_MS, false);
    assert_null(bench_session(&bench, "tab"));
    bench.context.received_ms = later_ms;
    plain = plain_simple("tab", later_ms);
    bench_take(&bench, event_make(&bench, &plain, EVENT_VISIT_AS_SENT));
    plain = plain_simple("other", later_ms);
    bench_take(&bench, event_make(&bench, &plain, EVENT_VISIT_AS_SENT));
    assert_true(bench_session(&bench, "tab")->is_doubtful);
    assert_false(bench_session(&bench, "other")->is_doubtful);
    host_destroy(host);
    harness_destroy(&bench.harness);
}

static void test_events_beyond_the_limit_are_noted_and_not_lost(void **state)
{
    struct bench bench;
    bench_create(&bench);
    struct session_table *small = session_table_create(SESSION_TIMEOUT_MS, 1000), *own = bench.table;
    bench.context.sessions = bench.harness.rows.state = small;
    for (int i = 0; i < 3000; i++) {
        char id[32];
        snprintf(id, sizeof id, "tab-%d", i);
        struct plain_event plain = plain_simple(id, NOON_MS);
        bench_take(&bench, event_make(&bench, &plain, EVENT_VISIT_AS_SENT));
    }
    assert_int_equal(NOON_MS, small->overflown_ms);
    size_t count = 0;
    for (size_t i = 0; i < SESSION_SHARDS; i++) count += small->sessions[i].count;
    assert_true(count <= 1000 + SESSION_SHARDS && count > 900);
    session_table_destroy(small);
    bench.harness.rows.state = own;
    harness_destroy(&bench.harness);
}

static void take_many(struct bench *bench, int first, int count)
{
    for (int i = first; i < first + count; i++) {
        char id[32];
        snprintf(id, sizeof id, "tab-%d", i);
        struct plain_event plain = plain_simple(id, NOON_MS);
        bench_take(bench, event_make(bench, &plain, EVENT_VISIT_AS_SENT));
    }
}

/* There are more rows than a host remembers. */
static enum error_code commit_and_forget(struct domain_host *host, uint64_t *ret_segment, struct error *error)
{
    block_reset(host_block(host, ANALYTICS_TABLE_SESSIONS));
    *ret_segment = 1;
    return ERROR_NONE;
}

static void test_a_full_table_drops_what_is_written_for_what_is_new(void **state)
{
    struct bench bench;
    struct test_host *host = host_create();
    bench_create(&bench);
    host->host.commit = commit_and_forget;
    struct session_table *small = session_table_create(SESSION_TIMEOUT_MS, 6400), *own = bench.table;
    bench.context.sessions = bench.harness.rows.state = bench.table = small;
    assert_false(analytics_session_state.is_pressed(small));
    for (int i = 0; i < 10; i++) {
        take_many(&bench, i * 4500, 4500);
        assert_true(analytics_session_state.is_pressed(small));
        analytics_session_state.tick(small, &host->host, NOON_MS + i, false);
        assert_false(analytics_session_state.is_pressed(small));
    }
    assert_int_equal(INT64_MAX, small->overflown_ms); /* there was room for all */
    assert_null(bench_session(&bench, "tab-0"));
    take_many(&bench, 0, 1);
    assert_true(bench_session(&bench, "tab-0")->is_doubtful); /* its row says more than memory knows */
    assert_false(bench_session(&bench, "tab-44999")->is_doubtful);
    session_table_destroy(small);
    bench.harness.rows.state = bench.table = own;
    host_destroy(host);
    harness_destroy(&bench.harness);
}

static void test_an_id_that_found_no_room_is_in_doubt_when_it_finds_some(void **state)
{
    struct bench bench;
    struct test_host *host = host_create();
    bench_create(&bench);
    host->host.commit = commit_and_forget;
    struct session_table *small = session_table_create(SESSION_TIMEOUT_MS, 640), *own = bench.table;
    bench.context.sessions = bench.harness.rows.state = bench.table = small;
    take_many(&bench, 0, 3000); /* nothing of these is written: none may go */
    assert_int_equal(NOON_MS, small->overflown_ms);
    int missing = 0;
    char id[32];
    do snprintf(id, sizeof id, "tab-%d", ++missing);
    while (bench_session(&bench, id));
    analytics_session_state.tick(small, &host->host, NOON_MS + 1, false);
    take_many(&bench, missing, 1);
    assert_non_null(bench_session(&bench, id));
    assert_true(bench_session(&bench, id)->is_doubtful); /* its events from before are stored as well */
    session_table_destroy(small);
    bench.harness.rows.state = bench.table = own;
    host_destroy(host);
    harness_destroy(&bench.harness);
}

/* ---- erasure ---- */
static void test_a_visit_that_is_erased_gets_no_row_and_no_end_any_more(void **state)
{
    struct bench bench;
    struct test_host *host = host_create();
    bench_create(&bench);
    host->is_empty = true;
    const struct domain_state_functions *functions = analytics_domain.state;
    struct plain_event plain = plain_simple("", NOON_MS), other = plain_simple("", NOON_MS);
    snprintf(other.device, TEXT_SIZE, "device-1");
    char ids[2][SESSION_ID_LIMIT_BYTES + 1] = {"", ""};
    const struct plain_event *events[] = {&plain, &other};
    for (size_t i = 0; i < 2; i++) {
        struct analytics_event *event = event_make(&bench, events[i], EVENT_VISIT_OF_DEVICE);
        bench_take(&bench, event);
        memcpy(ids[i], analytics_event_text(event, EVENT_SESSION_ID).data, VISITOR_SESSION_ID_SIZE);
    }
    functions->tick(bench.table, &host->host, NOON_MS, false);
    assert_int_equal(2, host->changes);
    struct session *changed = bench_session(&bench, ids[0]);
    session_set_changed(session_table_shard(bench.table, &changed->key), changed, true); /* it has a row, and another one would follow */

    const struct slice erased[] = {slice_from_string(ids[0]), SLICE("nobody's")};
    functions->forget(bench.table, bench.context.tenant, erased, 2, false);
    functions->forget(bench.table, bench.context.tenant, erased, 2, false); /* asked twice at once */
    int64_t over_ms = NOON_MS + SESSION_TIMEOUT_MS + 1;
    functions->tick(bench.table, &host->host, over_ms, false);
    assert_int_equal(2, host->changes);
    assert_int_equal(1, host->ends); /* the other one's */
    functions->forget(bench.table, bench.context.tenant, erased, 2, true);
    functions->tick(bench.table, &host->host, over_ms, false);
    assert_non_null(bench_session(&bench, ids[0])); /* the second erasure is under way: its rows may still be there */
    functions->forget(bench.table, bench.context.tenant, erased, 2, true);
    functions->tick(bench.table, &host->host, over_ms, false);
    assert_null(bench_session(&bench, ids[0])); /* nothing is stored of it */
    assert_non_null(bench_session(&bench, ids[1]));
    functions->tick(bench.table, &host->host, over_ms + 1, true);
    assert_int_equal(2, host->changes);
    assert_int_equal(1, host->ends);
    host_destroy(host);
    harness_destroy(&bench.harness);
}

/* ---- programs on servers ---- */
static void test_an_event_of_a_server_joins_the_visit_of_its_person_and_does_not_count(void **state)
{
    struct bench bench;
    bench_create(&bench);
    struct plain_event plain = plain_simple("", NOON_MS);
    snprintf(plain.profile, TEXT_SIZE, "ada");
    snprintf(plain.referrer, TEXT_SIZE, "https://news.example");
    struct analytics_event *event = event_make(&bench, &plain, EVENT_VISIT_OF_DEVICE);
    bench_take(&bench, event);
    char id[SESSION_ID_LIMIT_BYTES + 1] = "";
    memcpy(id, analytics_event_text(event, EVENT_SESSION_ID).data, VISITOR_SESSION_ID_SIZE);
    struct plain_event paid = plain_simple("", NOON_MS + 1000);
    paid.device[0] = paid.path[0] = 0;
    snprintf(paid.profile, TEXT_SIZE, "ada");
    event = event_make(&bench, &paid, EVENT_VISIT_OF_PERSON);
    bench_take(&bench, event);
    assert_true(slice_equal(slice_from_string(id), analytics_event_text(event, EVENT_SESSION_ID)));
    assert_true(slice_equal(SLICE("device-0"), analytics_event_text(event, EVENT_DEVICE_ID)));
    assert_true(slice_equal(SLICE("https://news.example"), analytics_event_text(event, EVENT_REFERRER)));
    assert_true(slice_equal(SLICE("/"), analytics_event_text(event, EVENT_PATH)));
    assert_false(session_event_counts(event));
    assert_int_equal(1, bench_session(&bench, id)->facts->views);
    assert_int_equal(0, bench_session(&bench, id)->facts->events);
    /* A stranger's does not, nor one after the visit. */
    snprintf(paid.profile, TEXT_SIZE, "bob");
    event = event_make(&bench, &paid, EVENT_VISIT_OF_PERSON);
    bench_take(&bench, event);
    assert_int_equal(0, analytics_event_text(event, EVENT_SESSION_ID).size);
    snprintf(paid.profile, TEXT_SIZE, "ada");
    paid.time_ms = NOON_MS + SESSION_TIMEOUT_MS + 1;
    event = event_make(&bench, &paid, EVENT_VISIT_OF_PERSON);
    bench_take(&bench, event);
    assert_int_equal(0, analytics_event_text(event, EVENT_SESSION_ID).size);
    harness_destroy(&bench.harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_events_add_up_to_what_the_rules_say),
        cmocka_unit_test(test_loops_in_any_interleaving_add_up_to_the_same),
        cmocka_unit_test(test_an_event_that_was_given_up_puts_its_session_in_doubt),
        cmocka_unit_test(test_a_flush_that_failed_puts_its_sessions_in_doubt),
        cmocka_unit_test(test_however_many_doubts_there_are_statements_stay_within_what_the_event_store_parses),
        cmocka_unit_test(test_an_id_that_comes_back_after_its_session_was_dropped_is_in_doubt),
        cmocka_unit_test(test_events_beyond_the_limit_are_noted_and_not_lost),
        cmocka_unit_test(test_an_id_that_found_no_room_is_in_doubt_when_it_finds_some),
        cmocka_unit_test(test_a_full_table_drops_what_is_written_for_what_is_new),
        cmocka_unit_test(test_a_visit_that_is_erased_gets_no_row_and_no_end_any_more),
        cmocka_unit_test(test_an_event_of_a_server_joins_the_visit_of_its_person_and_does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
