/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour of the loader: each segment reaches the event store once, whatever the store, the disk or a stop does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <poll.h>
#include <stdlib.h>
#include <cmocka.h>

#include "block/native_reader.h"
#include "ingest/loader.h"
#include "os/clock.h"
#include "spool/spool_fixture.h"
#include "store/fake/fake_store.h"

#define WAIT_MS 20000
#define BOTH (1u << FIXTURE_EVENTS | 1u << FIXTURE_METRICS)

struct setup {
    char *directory;
    struct ingest_tables tables;
    struct metric_registry *metrics;
    struct spool *spool;
    struct store *store;
    struct loader *loader;
    struct domain_table kinds[FIXTURE_SCHEMA_COUNT];
    const struct domain_table *tables_of[FIXTURE_SCHEMA_COUNT];
    uint64_t replaced; /* rows of every segment that the store says are gone */
};

static void open_spool(struct setup *setup, const struct block_schema *const *schemas)
{
    struct spool_settings settings = fixture_settings(setup->directory, &os_file_system_real);
    size_t recovered;
    setup->tables.schemas = (const struct block_schema **)schemas;
    settings.schemas = schemas;
    assert_int_equal(spool_open(&settings, &setup->spool, &recovered, NULL), ERROR_NONE);
}

static enum error_code answer_count(void *context, const struct store_query *query, struct buffer *out, struct error *error);

static void start_loader_after(struct setup *setup, bool tokens_forgotten)
{
    for (size_t i = 0; i < FIXTURE_SCHEMA_COUNT; i++) {
        setup->kinds[i].schema = fixture_schemas[i];
        setup->tables_of[i] = &setup->kinds[i];
    }
    setup->tables.tables = setup->tables_of;
    struct loader_settings settings = {.spool = setup->spool, .store = setup->store, .tables = &setup->tables,
                                       .is_embedded = true, .tokens_forgotten = tokens_forgotten, .metrics = setup->metrics};
    store_fake_set_answer(setup->store, answer_count, setup);
    assert_int_equal(loader_start(&settings, &setup->loader, NULL), ERROR_NONE);
}

static void start_loader(struct setup *setup) { start_loader_after(setup, false); }

static void stop_loader(struct setup *setup)
{
    loader_stop(setup->loader);
    setup->loader = NULL;
}

/* SELECT count() FROM db.table WHERE segment = {segment:UInt64}, from what the fake holds. */
static enum error_code answer_count(void *context, const struct store_query *query, struct buffer *out, struct error *error)
{
    struct setup *setup = context;
    uint64_t segment = 0, rows = 0;
    assert_int_equal(query->parameter_count, 1);
    assert_true(slice_parse_uint64(query->parameters[0].value, &segment));
    for (size_t table = 0; table < FIXTURE_SCHEMA_COUNT; table++) {
        char from[128], prefix[24], token[128];
        const struct block_schema *schema = fixture_schemas[table];
        snprintf(from, sizeof from, "FROM %s.%s WHERE", schema->database, schema->table);
        if (slice_find(query->sql, slice_from_string(from)) < 0) continue;
        int prefix_size = snprintf(prefix, sizeof prefix, "%016llx-", (unsigned long long)segment);
        struct buffer native = {0};
        for (size_t i = 0; store_fake_insert_at(setup->store, schema->database, schema->table, i, token, &native); i++) {
            struct arena *arena = arena_create(0);
            struct slice bytes = buffer_slice(&native);
            struct native_block block;
            assert_int_equal(native_reader_next(&bytes, arena, &block, NULL), ERROR_NONE);
            if (strncmp(token, prefix, (size_t)prefix_size) == 0) rows += block.rows;
            arena_destroy(arena);
            buffer_clear(&native);
        }
        buffer_free(&native);
    }
    buffer_printf(out, "%llu\n", (unsigned long long)(rows > setup->replaced ? rows - setup->replaced : rows));
    return ERROR_NONE;
}

static struct setup start(void)
{
    struct setup setup = {.directory = fixture_directory_create(), .metrics = metric_registry_create()};
    setup.tables.count = FIXTURE_SCHEMA_COUNT;
    assert_int_equal(store_fake_create(&setup.store, NULL), ERROR_NONE);
    open_spool(&setup, fixture_schemas);
    return setup;
}

static void end(struct setup *setup)
{
    loader_stop(setup->loader);
    spool_close(setup->spool);
    store_destroy(setup->store);
    metric_registry_destroy(setup->metrics);
    fixture_directory_destroy(setup->directory);
}

/* Commits rows first .. first + count - 1 as a segment of their own and gives its number. */
static uint64_t commit_segment(struct setup *setup, unsigned tables, uint64_t first, size_t count)
{
    uint64_t number = spool_current_segment(setup->spool);
    assert_int_equal(fixture_commit(setup->spool, tables, first, count), ERROR_NONE);
    spool_seal_now(setup->spool);
    int64_t deadline_ms = os_clock_monotonic_ms() + WAIT_MS;
    while (spool_current_segment(setup->spool) == number) {
        assert_true(os_clock_monotonic_ms() < deadline_ms);
        poll(NULL, 0, 1);
    }
    return number;
}

static bool wait_done(struct setup *setup, uint64_t segment)
{
    int64_t deadline_ms = os_clock_monotonic_ms() + WAIT_MS;
    while (spool_stored_up_to(setup->spool) < segment) {
        if (os_clock_monotonic_ms() > deadline_ms) return false;
        poll(NULL, 0, 1);
    }
    return true;
}

static bool wait_metric(struct setup *setup, const char *line)
{
    int64_t deadline_ms = os_clock_monotonic_ms() + WAIT_MS;
    for (bool found = false; !found; poll(NULL, 0, 1)) {
        struct buffer text = {0};
        metric_registry_write(setup->metrics, &text);
        found = slice_find(buffer_slice(&text), slice_from_string(line)) >= 0;
        buffer_free(&text);
        if (!found && os_clock_monotonic_ms() > deadline_ms) return false;
    }
    return true;
}

static size_t inserts_of(struct setup *setup, size_t table)
{
    return store_fake_insert_count(setup->store, fixture_schemas[table]->database, fixture_schemas[table]->table);
}

static void assert_insert(struct setup *setup, size_t table, size_t index, uint64_t segment, uint64_t first, size_t count)
{
    const struct block_schema *schema = fixture_schemas[table];
    char token[128], wanted[128];
    struct buffer native = {0};
    struct arena *arena = arena_create(0);
    struct native_block block;
    assert_true(store_fake_insert_at(setup->store, schema->database, schema->table, index, token, &native));
    snprintf(wanted, sizeof wanted, "%016llx-%s.%s", (unsigned long long)segment, schema->database, schema->table);
    assert_string_equal(token, wanted);
    struct slice bytes = buffer_slice(&native);
    assert_int_equal(native_reader_next(&bytes, arena, &block, NULL), ERROR_NONE);
    assert_int_equal(bytes.size, 0);
    assert_int_equal(block.rows, count);
    assert_int_equal(block.column_count, schema->column_count + 1);
    assert_true(slice_equal(block.columns[schema->column_count].name, SLICE("segment")));
    for (size_t row = 0; row < count; row++) {
        assert_int_equal(block.columns[0].values[row].u, first + row);
        assert_int_equal(block.columns[schema->column_count].values[row].u, segment);
    }
    arena_destroy(arena);
    buffer_free(&native);
}

static void every_table_of_a_segment_is_inserted_once_under_its_token(void **state)
{
    struct setup setup = start();
    start_loader(&setup);
    uint64_t first = commit_segment(&setup, BOTH, 100, 50);
    uint64_t second = commit_segment(&setup, 1u << FIXTURE_METRICS, 500, 7);
    assert_true(wait_done(&setup, second));
    assert_insert(&setup, FIXTURE_EVENTS, 0, first, 100, 50);
    assert_insert(&setup, FIXTURE_METRICS, 0, first, 100, 50);
    assert_insert(&setup, FIXTURE_METRICS, 1, second, 500, 7);
    assert_int_equal(inserts_of(&setup, FIXTURE_EVENTS), 1);
    assert_int_equal(inserts_of(&setup, FIXTURE_METRICS), 2);
    assert_int_equal(store_fake_attempts(setup.store), 3);
    assert_int_equal(spool_depth(setup.spool), 0);
    end(&setup);
}

static void a_store_that_is_away_gets_the_rows_when_it_is_back(void **state)
{
    struct setup setup = start();
    store_fake_set_reachable(setup.store, false);
    start_loader(&setup);
    uint64_t segment = commit_segment(&setup, BOTH, 1, 10);
    assert_true(wait_metric(&setup, "millrace_loader_retries_total 2\n"));
    assert_int_equal(inserts_of(&setup, FIXTURE_EVENTS), 0);
    assert_true(spool_stored_up_to(setup.spool) < segment);
    store_fake_set_reachable(setup.store, true);
    assert_true(wait_done(&setup, segment));
    assert_insert(&setup, FIXTURE_EVENTS, 0, segment, 1, 10);
    assert_insert(&setup, FIXTURE_METRICS, 0, segment, 1, 10);
    assert_int_equal(inserts_of(&setup, FIXTURE_EVENTS), 1);
    end(&setup);
}

static void a_lost_answer_leads_to_the_same_token_and_no_duplicate(void **state)
{
    struct setup setup = start();
    store_fake_lose_answers(setup.store, 2);
    start_loader(&setup);
    uint64_t segment = commit_segment(&setup, BOTH, 1, 10);
    assert_true(wait_done(&setup, segment));
    assert_int_equal(inserts_of(&setup, FIXTURE_EVENTS), 1);
    assert_int_equal(inserts_of(&setup, FIXTURE_METRICS), 1);
    assert_insert(&setup, FIXTURE_EVENTS, 0, segment, 1, 10);
    /* Events twice without an answer, then both tables. */
    assert_int_equal(store_fake_attempts(setup.store), 4);
    end(&setup);
}

static void rows_that_replace_each_other_are_not_counted(void **state)
{
    struct setup setup = start();
    setup.kinds[FIXTURE_EVENTS].rows_replace = true;
    setup.replaced = 3;
    store_fake_lose_answers(setup.store, 1);
    start_loader(&setup);
    uint64_t segment = commit_segment(&setup, 1u << FIXTURE_EVENTS, 1, 10);
    assert_true(wait_done(&setup, segment));
    assert_insert(&setup, FIXTURE_EVENTS, 0, segment, 1, 10);
    assert_int_equal(inserts_of(&setup, FIXTURE_EVENTS), 1);
    end(&setup);
}

static void the_event_store_is_told_that_no_row_replaces_another(void **state)
{
    struct setup setup = start();
    setup.kinds[FIXTURE_EVENTS].rows_replace = setup.kinds[FIXTURE_METRICS].rows_replace = true;
    setup.kinds[FIXTURE_EVENTS].key_count = 1; /* by the first column, a number of its own in each row; of the other table nothing is known */
    start_loader(&setup);
    uint64_t segment = commit_segment(&setup, BOTH, 1, 10);
    assert_true(wait_done(&setup, segment));
    assert_int_equal(store_fake_differing_inserts(setup.store), 1);
    uint64_t number = spool_current_segment(setup.spool);
    assert_int_equal(fixture_commit(setup.spool, 1u << FIXTURE_EVENTS, 1, 10), ERROR_NONE);
    if (spool_current_segment(setup.spool) == number) assert_int_equal(fixture_commit(setup.spool, 1u << FIXTURE_EVENTS, 5, 1), ERROR_NONE);
    spool_seal_now(setup.spool);
    assert_true(wait_done(&setup, number));
    assert_int_equal(store_fake_differing_inserts(setup.store), 1);
    end(&setup);
}

static void rows_whose_time_is_over_are_not_missed(void **state)
{
    struct setup setup = start();
    setup.kinds[FIXTURE_EVENTS].rows_expire = true;
    setup.replaced = 3;
    store_fake_lose_answers(setup.store, 1);
    start_loader(&setup);
    uint64_t segment = commit_segment(&setup, 1u << FIXTURE_EVENTS, 1, 10);
    assert_true(wait_done(&setup, segment));
    assert_int_equal(inserts_of(&setup, FIXTURE_EVENTS), 1);
    end(&setup);
}

static void a_passing_refusal_is_tried_again(void **state)
{
    struct setup setup = start();
    store_fake_fail_inserts(setup.store, 1, ERROR_UNAVAILABLE, 252, "too many parts");
    store_fake_fail_inserts(setup.store, 1, ERROR_STORE, 241, "memory limit exceeded");
    start_loader(&setup);
    uint64_t segment = commit_segment(&setup, 1u << FIXTURE_EVENTS, 1, 10);
    assert_true(wait_done(&setup, segment));
    assert_insert(&setup, FIXTURE_EVENTS, 0, segment, 1, 10);
    end(&setup);
}

static void assert_quarantined(struct setup *setup, const char *reason)
{
    char folder[600], path[512];
    snprintf(folder, sizeof folder, "%s/quarantine", setup->directory);
    assert_int_equal(fixture_count_files(folder, ".segment"), 1);
    fixture_only_file(folder, ".reason", path);
    struct buffer text = fixture_read_file(path);
    if (slice_find(buffer_slice(&text), slice_from_string(reason)) < 0)
        fail_msg("the reason is %.*s", SLICE_ARGS(buffer_slice(&text)));
    buffer_free(&text);
}

static void what_the_store_will_never_take_goes_to_quarantine_with_the_reason(void **state)
{
    static const int codes[] = {16, 60, 117};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        struct setup setup = start();
        store_fake_fail_inserts(setup.store, 1, ERROR_STORE, codes[i], "Code: X. DB::Exception: never");
        start_loader(&setup);
        uint64_t bad = commit_segment(&setup, 1u << FIXTURE_EVENTS, 1, 10);
        uint64_t good = commit_segment(&setup, 1u << FIXTURE_EVENTS, 100, 5);
        assert_true(wait_done(&setup, good));
        assert_true(bad < good);
        assert_insert(&setup, FIXTURE_EVENTS, 0, good, 100, 5);
        assert_int_equal(inserts_of(&setup, FIXTURE_EVENTS), 1);
        assert_quarantined(&setup, "DB::Exception: never");
        assert_int_equal(spool_depth(setup.spool), 0);
        end(&setup);
    }
}

static void a_stopped_loader_gives_the_segment_back_and_the_next_finishes_it(void **state)
{
    struct setup setup = start();
    store_fake_fail_inserts(setup.store, 1000, ERROR_UNAVAILABLE, 0, "starting");
    start_loader(&setup);
    uint64_t segment = commit_segment(&setup, BOTH, 1, 10);
    assert_true(store_fake_wait_attempts(setup.store, 1, WAIT_MS));
    int64_t before_ms = os_clock_monotonic_ms();
    stop_loader(&setup);
    assert_true(os_clock_monotonic_ms() - before_ms < 5000); /* not the rest of its pause */
    assert_int_equal(spool_depth(setup.spool), 1);
    struct store *other;
    assert_int_equal(store_fake_create(&other, NULL), ERROR_NONE);
    store_destroy(setup.store);
    setup.store = other;
    start_loader(&setup);
    assert_true(wait_done(&setup, segment));
    assert_insert(&setup, FIXTURE_EVENTS, 0, segment, 1, 10);
    assert_insert(&setup, FIXTURE_METRICS, 0, segment, 1, 10);
    end(&setup);
}

static void a_segment_half_stored_by_an_earlier_process_is_completed_without_duplicates(void **state)
{
    struct setup setup = start();
    uint64_t segment = commit_segment(&setup, BOTH, 1, 10);
    /* The first table's insert succeeds, the second's fails: then the process ends. */
    store_fake_lose_answers(setup.store, 1);
    start_loader(&setup);
    assert_true(store_fake_wait_rows(setup.store, "analytics", "events", 10, WAIT_MS));
    stop_loader(&setup);
    spool_close(setup.spool);
    open_spool(&setup, fixture_schemas);
    start_loader(&setup);
    assert_true(wait_done(&setup, segment));
    assert_insert(&setup, FIXTURE_EVENTS, 0, segment, 1, 10);
    assert_insert(&setup, FIXTURE_METRICS, 0, segment, 1, 10);
    assert_int_equal(inserts_of(&setup, FIXTURE_EVENTS), 1);
    assert_int_equal(inserts_of(&setup, FIXTURE_METRICS), 1);
    end(&setup);
}

static void a_power_cut_that_forgets_tokens_does_not_store_rows_twice(void **state)
{
    struct setup setup = start();
    uint64_t segment = commit_segment(&setup, BOTH, 1, 10);
    store_fake_lose_answers(setup.store, 1); /* the first table has its rows, the second has none */
    start_loader(&setup);
    assert_true(store_fake_wait_rows(setup.store, "analytics", "events", 10, WAIT_MS));
    stop_loader(&setup);
    spool_close(setup.spool);
    store_fake_forget_tokens(setup.store);
    open_spool(&setup, fixture_schemas);
    start_loader_after(&setup, true);
    assert_true(wait_done(&setup, segment));
    assert_int_equal(inserts_of(&setup, FIXTURE_EVENTS), 1);
    assert_insert(&setup, FIXTURE_METRICS, 0, segment, 1, 10);
    end(&setup);
}

static void rows_of_a_column_whose_type_changed_go_to_quarantine(void **state)
{
    static const struct block_schema *schemas[FIXTURE_SCHEMA_COUNT];
    struct setup setup = start();
    uint64_t bad = commit_segment(&setup, 1u << FIXTURE_EVENTS, 1, 10);
    spool_close(setup.spool);
    schemas[FIXTURE_EVENTS] = &fixture_events_retyped;
    schemas[FIXTURE_METRICS] = fixture_schemas[FIXTURE_METRICS];
    open_spool(&setup, schemas);
    uint64_t good = commit_segment(&setup, 1u << FIXTURE_METRICS, 1, 3);
    start_loader(&setup);
    assert_true(wait_done(&setup, good));
    assert_true(bad < good);
    assert_int_equal(inserts_of(&setup, FIXTURE_EVENTS), 0);
    assert_insert(&setup, FIXTURE_METRICS, 0, good, 1, 3);
    assert_quarantined(&setup, "id");
    end(&setup);
}

static void only_refusals_for_good_are_final(void **state)
{
    static const int final[] = {16, 60, 117}, passing[] = {0, 159, 202, 210, 241, 242, 252, 999};
    for (size_t i = 0; i < sizeof final / sizeof *final; i++) assert_true(loader_is_refused_for_good(final[i]));
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++) assert_false(loader_is_refused_for_good(passing[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_of_a_segment_is_inserted_once_under_its_token),
        cmocka_unit_test(a_store_that_is_away_gets_the_rows_when_it_is_back),
        cmocka_unit_test(a_lost_answer_leads_to_the_same_token_and_no_duplicate),
        cmocka_unit_test(rows_that_replace_each_other_are_not_counted),
        cmocka_unit_test(the_event_store_is_told_that_no_row_replaces_another),
        cmocka_unit_test(rows_whose_time_is_over_are_not_missed),
        cmocka_unit_test(a_passing_refusal_is_tried_again),
        cmocka_unit_test(what_the_store_will_never_take_goes_to_quarantine_with_the_reason),
        cmocka_unit_test(a_stopped_loader_gives_the_segment_back_and_the_next_finishes_it),
        cmocka_unit_test(a_segment_half_stored_by_an_earlier_process_is_completed_without_duplicates),
        cmocka_unit_test(a_power_cut_that_forgets_tokens_does_not_store_rows_twice),
        cmocka_unit_test(rows_of_a_column_whose_type_changed_go_to_quarantine),
        cmocka_unit_test(only_refusals_for_good_are_final),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
