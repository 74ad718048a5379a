/* SPDX-License-Identifier: Apache-2.0 */
/* Events go from the outbox to the spool once, past failing disks and what an earlier process had made durable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <poll.h>
#include <cmocka.h>

#include "block/native_reader.h"
#include "control/audit_outbox.h"
#include "domains/audit/audit.h"
#include "meta/migrate_meta.h"
#include "meta/test_backend.h"
#include "os/clock.h"
#include "server/audit_mover.h"
#include "spool/spool_fixture.h"

#define OK(call)                                                                     \
    do {                                                                             \
        enum error_code ok_code = (call);                                            \
        if (ok_code) fail_msg("%s: %s", error_code_name(ok_code), f->error.message); \
    } while (0)
#define WAIT_MS 20000
#define NOW INT64_C(1700000000000)
#define ORGANIZATION "0190a6f0-0000-7000-8000-000000000001"

struct fixture {
    const struct meta_test_backend *backend;
    char location[META_TEST_LOCATION_SIZE];
    char *directory;
    struct control control;
    struct control_call call;
    struct fixture_disk disk;
    struct metric_registry *metrics;
    struct ingest_tables tables;
    struct spool *spool;
    struct ingest_window *window;
    struct audit_mover *mover;
    struct error error;
};

static int setup(void **state)
{
    static const struct domain *const domains[] = {&audit_domain};
    struct fixture *f = calloc(1, sizeof *f);
    size_t recovered;
    f->backend = *state;
    f->backend->create(f->location);
    OK(meta_open_service(f->location, META_SERVICE_CORE, NULL, NULL, &f->control.core, &f->error));
    OK(meta_open_service(f->location, META_SERVICE_PRODUCT, NULL, NULL, &f->control.product, &f->error));
    f->call = (struct control_call){.control = &f->control, .arena = arena_create(0), .now_ms = NOW, .organization_id = ORGANIZATION};
    f->directory = fixture_directory_create();
    f->metrics = metric_registry_create();
    f->tables = ingest_tables_make(domains, 1);
    fixture_disk_init(&f->disk);
    struct spool_settings spool = fixture_settings(f->directory, &f->disk.files);
    spool.schemas = f->tables.schemas;
    spool.schema_count = f->tables.count;
    OK(spool_open(&spool, &f->spool, &recovered, &f->error));
    f->window = ingest_window_create(1000, 60000);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    audit_mover_stop(f->mover);
    spool_close(f->spool);
    ingest_window_destroy(f->window);
    ingest_tables_free(&f->tables);
    metric_registry_destroy(f->metrics);
    fixture_directory_destroy(f->directory);
    meta_close(f->control.core);
    meta_close(f->control.product);
    f->backend->destroy(f->location);
    arena_destroy(f->call.arena);
    free(f);
    return 0;
}

static void write_events(struct fixture *f, struct meta_database *database, int count)
{
    struct meta_session *session;
    OK(meta_session_begin(database, 0, &session, &f->error));
    OK(meta_begin(session, &f->error));
    for (int i = 0; i < count; i++)
        OK(control_audit_write(&f->call, session,
                               &(struct control_audit_event){.action = "thing.made", .resource_type = "thing", .resource_id = SLICE("r")}, &f->error));
    OK(meta_commit(session, &f->error));
    meta_session_end(session);
}

static void start(struct fixture *f)
{
    const struct audit_mover_settings settings = {.control = &f->control, .data = f->directory, .spool = f->spool,
                                                  .window = f->window, .tables = &f->tables, .metrics = f->metrics};
    OK(audit_mover_start(&settings, &f->mover, &f->error));
}

static void stop(struct fixture *f)
{
    audit_mover_stop(f->mover);
    f->mover = NULL;
}

static void wait_until_empty(struct fixture *f, struct meta_database *database)
{
    struct control_outbox_depth depth = {.events = 1};
    for (int64_t until = os_clock_monotonic_ms() + WAIT_MS; depth.events > 0; poll(NULL, 0, 5)) {
        OK(control_outbox_measure(database, &depth, &f->error));
        if (os_clock_monotonic_ms() > until) fail_msg("%lld events are still in the outbox", (long long)depth.events);
    }
}

/* Takes everything out of the spool; `each` sees every block as the event store would. */
static size_t take_rows(struct fixture *f, void (*each)(const struct native_block *block))
{
    struct spool_segment_info segment;
    size_t rows = 0;
    spool_seal_now(f->spool);
    while (spool_take(f->spool, rows ? 0 : 2000, &segment)) {
        struct block *block = NULL;
        OK(spool_read_table(f->spool, segment.number, 0, &block, &f->error));
        if (block) rows += block->rows;
        if (block && each) {
            struct buffer native = {0};
            struct arena *arena = arena_create(0);
            struct native_block read;
            block_write_native(block, NULL, 0, &native);
            struct slice bytes = buffer_slice(&native);
            OK(native_reader_next(&bytes, arena, &read, &f->error));
            each(&read);
            arena_destroy(arena);
            buffer_free(&native);
        }
        block_destroy(block);
        OK(spool_stored(f->spool, segment.number, &f->error));
    }
    return rows;
}

static void check_rows(const struct native_block *block)
{
    for (size_t i = 0; i < block->rows; i++) {
        assert_true(slice_equal(block->columns[AUDIT_ACTION].values[i].s, SLICE("thing.made")));
        assert_true(slice_equal(block->columns[AUDIT_ORGANIZATION_ID].values[i].s, SLICE(ORGANIZATION)));
        assert_true(block->columns[AUDIT_TIMESTAMP].values[i].i == NOW * 1000000);
        assert_int_equal(CONTROL_AUDIT_HASH_SIZE, block->columns[AUDIT_HASH].values[i].s.size);
        assert_true(slice_equal(block->columns[AUDIT_SERVICE].values[i].s, SLICE("core")) ||
                    slice_equal(block->columns[AUDIT_SERVICE].values[i].s, SLICE("product")));
    }
}

static void events_of_all_services_become_rows(void **state)
{
    struct fixture *f = *state;
    write_events(f, f->control.core, CONTROL_OUTBOX_BATCH + 3);
    start(f);
    wait_until_empty(f, f->control.core);
    write_events(f, f->control.product, 2);
    wait_until_empty(f, f->control.product);
    stop(f);
    assert_int_equal(CONTROL_OUTBOX_BATCH + 5, take_rows(f, check_rows));
}

static void a_disk_that_fails_delays_events_and_loses_none(void **state)
{
    struct fixture *f = *state;
    atomic_store(&f->disk.fail_syncs, 2);
    write_events(f, f->control.core, 3);
    start(f);
    wait_until_empty(f, f->control.core);
    stop(f);
    assert_int_equal(0, atomic_load(&f->disk.fail_syncs));
    assert_int_equal(3, take_rows(f, check_rows));
}

/* Killed between the sync and the removal: the events are in the outbox, claimed, and their ids in the window, which was
 * read back from the event store. */
static void what_an_earlier_process_made_durable_is_not_written_again(void **state)
{
    struct fixture *f = *state;
    struct control_outbox_batch batch;
    struct json_parser *parser = json_parser_create();
    write_events(f, f->control.core, 1);
    start(f); /* makes the server's lasting id */
    wait_until_empty(f, f->control.core);
    stop(f);
    assert_int_equal(1, take_rows(f, check_rows));
    char path[600];
    struct buffer id = {0};
    snprintf(path, sizeof path, "%s/server_id", f->directory);
    id = fixture_read_file(path);
    buffer_append_byte(&id, 0);

    write_events(f, f->control.core, 3);
    OK(control_outbox_claim(f->control.core, id.data, os_clock_wall_ms(), f->call.arena, &batch, &f->error));
    assert_int_equal(3, batch.count);
    for (size_t i = 0; i < 2; i++) {
        struct control_audit_record record;
        struct uuid uuid;
        OK(control_audit_record_read(parser, batch.events[i].text, &record, &f->error));
        assert_true(uuid_parse(record.id, &uuid));
        ingest_window_add_stored(f->window, ingest_window_key_make(SLICE(ORGANIZATION), &uuid), os_clock_wall_ms());
    }
    start(f);
    wait_until_empty(f, f->control.core); /* at once: the claim is the server's own */
    stop(f);
    assert_int_equal(1, take_rows(f, check_rows));
    buffer_free(&id);
    json_parser_destroy(parser);
}

static void an_event_that_cannot_be_read_stays_and_the_others_go(void **state)
{
    struct fixture *f = *state;
    struct meta_session *session;
    struct control_outbox_batch batch;
    write_events(f, f->control.core, 3);
    OK(meta_session_begin(f->control.core, 0, &session, &f->error));
    OK(meta_execute(session, "update audit_outbox set event = '{' where sequence = 2", NULL, 0, NULL, &f->error));
    meta_session_end(session);
    start(f);
    wait_until_empty(f, f->control.core);
    stop(f);
    assert_int_equal(2, take_rows(f, check_rows));
    OK(control_outbox_read(f->control.core, 0, f->call.arena, &batch, &f->error));
    assert_int_equal(1, batch.count);
    assert_int_equal(2, batch.events[0].sequence);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(events_of_all_services_become_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(a_disk_that_fails_delays_events_and_loses_none, setup, teardown),
        cmocka_unit_test_setup_teardown(what_an_earlier_process_made_durable_is_not_written_again, setup, teardown),
        cmocka_unit_test_setup_teardown(an_event_that_cannot_be_read_stays_and_the_others_go, setup, teardown),
    };
    return meta_test_run("audit_mover", tests, sizeof tests / sizeof *tests, NULL, 0);
}
