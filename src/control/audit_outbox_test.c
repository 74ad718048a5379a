/* SPDX-License-Identifier: Apache-2.0 */
/* Events leave the outbox once they are durable, through one server at a time, and nothing is lost when it dies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "control/audit_outbox.h"
#include "meta/migrate_meta.h"
#include "meta/test_backend.h"

#define OK(call)                                                                     \
    do {                                                                             \
        enum error_code ok_code = (call);                                            \
        if (ok_code) fail_msg("%s: %s", error_code_name(ok_code), f->error.message); \
    } while (0)
#define NOW INT64_C(1700000000000)
#define TENANT "0190a6f0-0000-7000-8000-000000000011"

struct fixture {
    const struct meta_test_backend *backend;
    char location[META_TEST_LOCATION_SIZE];
    struct meta_database *database;
    struct control_call call;
    struct error error;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->backend = *state;
    f->backend->create(f->location);
    OK(meta_open_service(f->location, META_SERVICE_PRODUCT, NULL, NULL, &f->database, &f->error));
    f->call = (struct control_call){.arena = arena_create(0), .now_ms = NOW};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    meta_close(f->database);
    f->backend->destroy(f->location);
    arena_destroy(f->call.arena);
    free(f);
    return 0;
}

static void write_events(struct fixture *f, int count)
{
    struct meta_session *session;
    OK(meta_session_begin(f->database, 0, &session, &f->error));
    OK(meta_begin(session, &f->error));
    for (int i = 0; i < count; i++)
        OK(control_audit_write(&f->call, session, &(struct control_audit_event){.action = "flag.created", .resource_type = "flag"}, &f->error));
    OK(meta_commit(session, &f->error));
    meta_session_end(session);
}

static int64_t depth(struct fixture *f)
{
    struct control_outbox_depth depth;
    OK(control_outbox_measure(f->database, &depth, &f->error));
    return depth.events;
}

static void events_leave_oldest_first_and_by_batches(void **state)
{
    struct fixture *f = *state;
    struct control_outbox_batch batch;
    write_events(f, CONTROL_OUTBOX_BATCH + 2);
    OK(control_outbox_claim(f->database, "a", NOW, f->call.arena, &batch, &f->error));
    assert_int_equal(CONTROL_OUTBOX_BATCH, batch.count);
    for (size_t i = 0; i < batch.count; i++) assert_int_equal(i + 1, batch.events[i].sequence);
    OK(control_outbox_remove(f->database, "a", &batch, &f->error));
    assert_int_equal(2, depth(f));
    OK(control_outbox_claim(f->database, "a", NOW, f->call.arena, &batch, &f->error));
    assert_int_equal(2, batch.count);
    OK(control_outbox_remove(f->database, "a", &batch, &f->error));
    assert_int_equal(0, depth(f));
    OK(control_outbox_claim(f->database, "a", NOW, f->call.arena, &batch, &f->error));
    assert_int_equal(0, batch.count);
}

static void another_server_waits_for_the_claim_and_the_same_one_does_not(void **state)
{
    struct fixture *f = *state;
    struct control_outbox_batch first, other, again;
    write_events(f, 3);
    OK(control_outbox_claim(f->database, "a", NOW, f->call.arena, &first, &f->error));
    OK(control_outbox_claim(f->database, "b", NOW + 1, f->call.arena, &other, &f->error));
    assert_int_equal(3, first.count);
    assert_int_equal(0, other.count);
    /* It died and came back: its own events at once, and those that came meanwhile. */
    write_events(f, 1);
    OK(control_outbox_claim(f->database, "a", NOW + 2, f->call.arena, &again, &f->error));
    assert_int_equal(4, again.count);
    /* It never came back. */
    OK(control_outbox_claim(f->database, "b", NOW + 3 + CONTROL_OUTBOX_CLAIM_MS, f->call.arena, &other, &f->error));
    assert_int_equal(4, other.count);
    /* And then it did: what is no longer its own it does not remove. */
    OK(control_outbox_remove(f->database, "a", &again, &f->error));
    assert_int_equal(4, depth(f));
    OK(control_outbox_remove(f->database, "b", &other, &f->error));
    assert_int_equal(0, depth(f));
}

static void an_unreadable_event_stays_and_holds_nobody_up(void **state)
{
    struct fixture *f = *state;
    struct control_outbox_batch batch;
    struct control_audit_head head;
    write_events(f, 2);
    OK(control_outbox_claim(f->database, "a", NOW, f->call.arena, &batch, &f->error));
    OK(control_outbox_set_aside(f->database, 1, &f->error));
    OK(control_outbox_remove(f->database, "a", &batch, &f->error));
    assert_int_equal(0, depth(f));
    OK(control_outbox_claim(f->database, "a", NOW + 10 * CONTROL_OUTBOX_CLAIM_MS, f->call.arena, &batch, &f->error));
    assert_int_equal(0, batch.count);
    OK(control_outbox_read(f->database, 0, f->call.arena, &batch, &f->error));
    assert_int_equal(1, batch.count);
    assert_int_equal(1, batch.events[0].sequence);
    OK(control_audit_head_read(f->database, &head, &f->error));
    assert_int_equal(2, head.sequence);
    assert_int_equal(CONTROL_AUDIT_HASH_SIZE, strlen(head.hash));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(events_leave_oldest_first_and_by_batches, setup, teardown),
        cmocka_unit_test_setup_teardown(another_server_waits_for_the_claim_and_the_same_one_does_not, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unreadable_event_stays_and_holds_nobody_up, setup, teardown),
    };
    return meta_test_run("audit_outbox", tests, sizeof tests / sizeof *tests, NULL, 0);
}
