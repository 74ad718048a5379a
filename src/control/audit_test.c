/* SPDX-License-Identifier: Apache-2.0 */
/* Audit events live and die with the transaction they are written in, and their chain shows every change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "control/audit.h"
#include "meta/migrate_meta.h"
#include "meta/test_backend.h"

#define OK(call)                                                       \
    do {                                                               \
        enum error_code ok_code = (call);                              \
        if (ok_code) fail_msg("%s: %s", error_code_name(ok_code), f->error.message); \
    } while (0)
#define NOW 1700000000000

struct fixture {
    const struct meta_test_backend *backend;
    char location[META_TEST_LOCATION_SIZE];
    struct meta_database *database;
    struct meta_session *session;
    struct control_call call;
    struct error error;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->backend = *state;
    f->backend->create(f->location);
    OK(meta_open_service(f->location, META_SERVICE_CORE, NULL, NULL, &f->database, &f->error));
    OK(meta_session_begin(f->database, 20000, &f->session, &f->error));
    f->call = (struct control_call){.arena = arena_create(0), .now_ms = NOW,
                                    .actor = {.kind = CONTROL_ACTOR_USER, .id = "0190a6f0-0000-7000-8000-00000000000a",
                                              .ip_address = SLICE("192.0.2.1"), .user_agent = SLICE("browser")},
                                    .organization_id = "0190a6f0-0000-7000-8000-00000000000b"};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    meta_session_end(f->session);
    meta_close(f->database);
    arena_destroy(f->call.arena);
    f->backend->destroy(f->location);
    free(f);
    return 0;
}

struct kept {
    struct buffer texts[8];
    size_t count;
};

static enum error_code keep(void *context, const struct meta_row *row, struct error *error)
{
    struct kept *kept = context;
    assert_true(kept->count < 8);
    struct buffer *text = &kept->texts[kept->count++];
    buffer_append_slice(text, meta_row_text(row, 0));
    return ERROR_NONE;
}

static void kept_read(struct fixture *f, struct kept *kept)
{
    OK(meta_query(f->session, "select event from audit_outbox order by sequence", NULL, 0, keep, kept, &f->error));
    for (size_t i = 0; i < kept->count; i++) assert_non_null(buffer_reserve(&kept->texts[i], JSON_PADDING));
}

static void kept_free(struct kept *kept)
{
    for (size_t i = 0; i < kept->count; i++) buffer_free(&kept->texts[i]);
}

static void write_event(struct fixture *f, const struct control_audit_event *event)
{
    OK(meta_begin(f->session, &f->error));
    OK(control_audit_write(&f->call, f->session, event, &f->error));
    OK(meta_commit(f->session, &f->error));
}

static void events_are_chained_and_every_change_shows(void **state)
{
    struct fixture *f = *state;
    write_event(f, &(struct control_audit_event){.action = "key.created", .resource_type = "key", .resource_id = SLICE("k1")});
    write_event(f, &(struct control_audit_event){.action = "key.revoked", .resource_type = "key", .resource_id = SLICE("k1"),
                                                 .metadata = SLICE("{\"reason\":\"it's \\\"out\\\"\"}")});
    struct kept kept = {0};
    kept_read(f, &kept);
    assert_int_equal(2, kept.count);
    struct json_parser *parser = json_parser_create();
    char first_hash[CONTROL_AUDIT_HASH_SIZE + 1], hash[CONTROL_AUDIT_HASH_SIZE + 1];
    struct control_audit_record record;

    OK(control_audit_record_read(parser, buffer_slice(&kept.texts[0]), &record, &f->error));
    assert_int_equal(1, record.sequence);
    assert_int_equal(NOW, record.time_ms);
    assert_int_equal(0, record.previous_hash.size);
    assert_true(slice_equal(record.actor_kind, SLICE("user")));
    assert_true(slice_equal(record.user_id, slice_from_string(f->call.actor.id)));
    assert_true(slice_equal(record.organization_id, slice_from_string(f->call.organization_id)));
    assert_true(slice_equal(record.result, SLICE("success")));
    assert_true(slice_equal(record.metadata, SLICE("{}")));
    OK(control_audit_hash(&record, first_hash, &f->error));
    assert_true(slice_equal(record.hash, slice_from_string(first_hash)));

    OK(control_audit_record_read(parser, buffer_slice(&kept.texts[1]), &record, &f->error));
    assert_int_equal(2, record.sequence);
    assert_true(slice_equal(record.previous_hash, slice_from_string(first_hash)));
    assert_true(slice_equal(record.metadata, SLICE("{\"reason\":\"it's \\\"out\\\"\"}")));
    OK(control_audit_hash(&record, hash, &f->error));
    assert_true(slice_equal(record.hash, slice_from_string(hash)));

    struct control_audit_record changed = record;
    changed.resource_id = SLICE("k2");
    OK(control_audit_hash(&changed, hash, &f->error));
    assert_false(slice_equal(record.hash, slice_from_string(hash)));
    changed = record;
    changed.time_ms++;
    OK(control_audit_hash(&changed, hash, &f->error));
    assert_false(slice_equal(record.hash, slice_from_string(hash)));
    json_parser_destroy(parser);
    kept_free(&kept);
}

static void an_event_goes_with_the_transaction_that_is_rolled_back(void **state)
{
    struct fixture *f = *state;
    const struct control_audit_event event = {.action = "key.created", .resource_type = "key", .resource_id = SLICE("k1")};
    OK(meta_begin(f->session, &f->error));
    OK(control_audit_write(&f->call, f->session, &event, &f->error));
    meta_rollback(f->session);
    write_event(f, &event);
    struct kept kept = {0};
    kept_read(f, &kept);
    assert_int_equal(1, kept.count);
    assert_true(slice_find(buffer_slice(&kept.texts[0]), SLICE("\"sequence\":1,")) > 0);
    kept_free(&kept);
}

static void what_a_client_sends_is_cut_and_mended_and_hashes_alike_when_read_back(void **state)
{
    struct fixture *f = *state;
    char agent[700];
    memset(agent, 'x', sizeof agent);
    memcpy(agent + 511, "\xC3\xA4", 2); /* a letter across the limit */
    f->call.actor.user_agent = slice_make(agent, sizeof agent);
    f->call.actor.ip_address = SLICE("1\xFF" "2");
    struct buffer large = {0};
    buffer_append_string(&large, "{\"a\":\"");
    for (int i = 0; i < CONTROL_AUDIT_METADATA_LIMIT; i++) buffer_append_byte(&large, 'y');
    buffer_append_string(&large, "\"}");
    write_event(f, &(struct control_audit_event){.action = "auth.login_failed", .resource_type = "user",
                                                 .resource_id = SLICE("a\0b"), .metadata = buffer_slice(&large),
                                                 .result = CONTROL_AUDIT_FAILURE, .user_id = "u"});
    buffer_free(&large);
    struct kept kept = {0};
    kept_read(f, &kept);
    struct json_parser *parser = json_parser_create();
    struct control_audit_record record;
    char hash[CONTROL_AUDIT_HASH_SIZE + 1];
    OK(control_audit_record_read(parser, buffer_slice(&kept.texts[0]), &record, &f->error));
    assert_int_equal(511, record.user_agent.size);
    assert_true(slice_equal(record.ip_address, SLICE("1?2")));
    assert_true(slice_equal(record.resource_id, SLICE("a")));
    assert_true(slice_equal(record.user_id, SLICE("u")));
    assert_true(slice_equal(record.result, SLICE("failure")));
    assert_true(slice_starts_with(record.metadata, SLICE("{\"left_out\":")));
    OK(control_audit_hash(&record, hash, &f->error));
    assert_true(slice_equal(record.hash, slice_from_string(hash)));
    json_parser_destroy(parser);
    kept_free(&kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(events_are_chained_and_every_change_shows, setup, teardown),
        cmocka_unit_test_setup_teardown(an_event_goes_with_the_transaction_that_is_rolled_back, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_client_sends_is_cut_and_mended_and_hashes_alike_when_read_back, setup, teardown),
    };
    return meta_test_run("audit", tests, sizeof tests / sizeof *tests, NULL, 0);
}
