/* SPDX-License-Identifier: Apache-2.0 */
/* Keys: what they may do and who may say so, their texts, rotation and its grace, revocation, use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/uuid.h"
#include "control/identity.h"
#include "control/key.h"
#include "control/key_update.h"
#include "meta/migrate_meta.h"
#include "meta/test_backend.h"

#define OK(call)                                                                     \
    do {                                                                             \
        enum error_code ok_code = (call);                                            \
        if (ok_code) fail_msg("%s: %s", error_code_name(ok_code), f->error.message); \
    } while (0)
#define NOW INT64_C(1700000000000)
#define ORGANIZATION "0190a6f0-0000-7000-8000-000000000001"
#define OTHER_ORGANIZATION "0190a6f0-0000-7000-8000-000000000002"
#define TENANT "0190a6f0-0000-7000-8000-000000000011"
#define OTHER_TENANT "0190a6f0-0000-7000-8000-000000000012"
#define DEVELOPER "0190a6f0-0000-7000-8000-000000000021"
#define OUTSIDER "0190a6f0-0000-7000-8000-000000000022"

struct fixture {
    const struct meta_test_backend *backend;
    char location[META_TEST_LOCATION_SIZE];
    struct control control;
    struct control_call call; /* the command line, in TENANT */
    struct error error;
};

static const char world[] =
    "insert into regions (region_id, name, code, created_at, updated_at)"
    " values ('0190a6f0-0000-7000-8000-0000000000f0', 'r', 'r', 1, 1);"
    "insert into organizations (organization_id, region_id, name, code, created_at, updated_at) values"
    " ('" ORGANIZATION "', '0190a6f0-0000-7000-8000-0000000000f0', 'o', 'o', 1, 1),"
    " ('" OTHER_ORGANIZATION "', '0190a6f0-0000-7000-8000-0000000000f0', 'p', 'p', 1, 1);"
    "insert into workspaces (workspace_id, organization_id, name, code, created_at, updated_at) values"
    " ('0190a6f0-0000-7000-8000-0000000000e1', '" ORGANIZATION "', 'w', 'w', 1, 1),"
    " ('0190a6f0-0000-7000-8000-0000000000e2', '" OTHER_ORGANIZATION "', 'v', 'v', 1, 1);"
    "insert into tenants (tenant_id, workspace_id, name, code, created_at, updated_at) values"
    " ('" TENANT "', '0190a6f0-0000-7000-8000-0000000000e1', 't', 't', 1, 1),"
    " ('" OTHER_TENANT "', '0190a6f0-0000-7000-8000-0000000000e2', 's', 's', 1, 1);"
    "insert into users (user_id, organization_id, email, created_at, updated_at) values"
    " ('" DEVELOPER "', '" ORGANIZATION "', 'd@example.com', 1, 1),"
    " ('" OUTSIDER "', '" OTHER_ORGANIZATION "', 'o@example.com', 1, 1);"
    "insert into roles (role_id, name, role_type, created_at, updated_at) values"
    " ('0190a6f0-0000-7000-8000-0000000000d1', 'test developer', 'developer', 1, 1);"
    "insert into user_roles (user_role_id, user_id, role_id, assigned_at) values"
    " ('0190a6f0-0000-7000-8000-0000000000c1', '" DEVELOPER "', '0190a6f0-0000-7000-8000-0000000000d1', 1),"
    " ('0190a6f0-0000-7000-8000-0000000000c2', '" OUTSIDER "', '0190a6f0-0000-7000-8000-0000000000d1', 1);";

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct meta_session *session;
    f->backend = *state;
    f->backend->create(f->location);
    OK(meta_open_service(f->location, META_SERVICE_CORE, NULL, NULL, &f->control.core, &f->error));
    OK(meta_session_begin(f->control.core, 20000, &session, &f->error));
    OK(meta_execute_script(session, world, &f->error));
    meta_session_end(session);
    f->call = (struct control_call){.control = &f->control, .arena = arena_create(0), .now_ms = NOW, .tenant_id = TENANT,
                                    .actor = {.kind = CONTROL_ACTOR_COMMAND, .is_super = true}};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    meta_close(f->control.core);
    f->backend->destroy(f->location);
    arena_destroy(f->call.arena);
    free(f);
    return 0;
}

/* As a user of the organization. */
static struct control_call as_user(struct fixture *f, const char *user_id)
{
    struct control_call call = f->call;
    call.actor = (struct control_actor){.kind = CONTROL_ACTOR_USER};
    snprintf(call.actor.id, sizeof call.actor.id, "%s", user_id);
    return call;
}

static struct control_key_made make(struct fixture *f, enum tenant_key_kind kind)
{
    struct control_key_made made;
    OK(control_key_create(&f->call, &(struct control_key_new){.kind = kind, .name = SLICE("n")}, &made, &f->error));
    return made;
}

static struct tenant_permission_set set_of(enum tenant_permission permission)
{
    struct tenant_permission_set set = {{0}};
    tenant_permission_add(&set, permission);
    return set;
}

static enum error_code take_text(void *context, const struct meta_row *row, struct error *error)
{
    struct buffer *out = context;
    for (size_t i = 0; i < row->count; i++) {
        if (out->size) buffer_append_byte(out, '|');
        if (row->values[i].type == META_INTEGER) buffer_printf(out, "%lld", (long long)row->values[i].integer);
        else buffer_append_slice(out, meta_row_text(row, i));
    }
    return ERROR_NONE;
}

/* All values of all rows, between bars. */
static void check_sql(struct fixture *f, const char *sql, const char *expected)
{
    struct meta_session *session;
    struct buffer out = {0};
    OK(meta_session_begin(f->control.core, 0, &session, &f->error));
    OK(meta_query(session, sql, NULL, 0, take_text, &out, &f->error));
    meta_session_end(session);
    if (!slice_equal(buffer_slice(&out), slice_from_string(expected)))
        fail_msg("%s\nis %.*s\nnot %s", sql, SLICE_ARGS(buffer_slice(&out)), expected);
    buffer_free(&out);
}

static void check_shows(struct fixture *f, const char *api_key_id, const char *part)
{
    struct buffer out = {0};
    OK(control_key_get(&f->call, slice_from_string(api_key_id), &out, &f->error));
    if (slice_find(buffer_slice(&out), slice_from_string(part)) < 0) fail_msg("no %s in %.*s", part, SLICE_ARGS(buffer_slice(&out)));
    buffer_free(&out);
}

static void a_secret_key_is_kept_as_a_hash_and_its_text_fits(void **state)
{
    struct fixture *f = *state;
    struct control_key_made made = make(f, TENANT_KEY_SECRET);
    struct slice key_id, secret;
    assert_int_equal(64, strlen(made.text));
    assert_true(tenant_key_split(slice_from_string(made.text), &key_id, &secret));
    assert_int_equal(43, secret.size);
    struct meta_session *session;
    struct buffer hash = {0};
    bool fits = false;
    OK(meta_session_begin(f->control.core, 0, &session, &f->error));
    OK(meta_query(session, "select secret_hash from api_keys where key_id = $1", META_PARAMETERS(meta_text(key_id)), take_text,
                  &hash, &f->error));
    meta_session_end(session);
    buffer_append_byte(&hash, 0);
    OK(tenant_argon2_verify(hash.data, secret, &fits, &f->error));
    assert_true(fits);
    buffer_free(&hash);
    check_sql(f, "select kind, substr(prefix, 1, 4), name, status from api_keys", "secret|mrs_|n|active");
    check_shows(f, made.api_key_id, "\"permissions\":[\"events:write\",\"events:read\",");
    /* The text is nowhere in the answers or the audit event. */
    struct buffer out = {0};
    OK(control_key_list(&f->call, 0, SLICE_EMPTY, SLICE_EMPTY, &out, &f->error));
    assert_true(slice_find(buffer_slice(&out), secret) < 0 && slice_find(buffer_slice(&out), SLICE("argon2")) < 0);
    buffer_free(&out);
    check_sql(f, "select count(*) from audit_outbox where event like '%key.created%' and event like '%" TENANT "%' and event like '%" ORGANIZATION "%'", "1");
    check_sql(f, "select revision from access_revision", "2");
}

static void a_write_key_is_a_uuid_that_only_sends(void **state)
{
    struct fixture *f = *state;
    struct control_key_made made = make(f, TENANT_KEY_WRITE);
    struct uuid uuid;
    assert_true(uuid_parse(slice_from_string(made.text), &uuid));
    check_sql(f, "select count(*) from api_keys where secret_hash = ''", "1");
    check_sql(f, "select permission from api_key_permissions order by permission", "events:write|logs:write|metrics:write|traces:write");
    struct control_key_new wrong = {.kind = TENANT_KEY_WRITE, .name = SLICE("n"), .has_permissions = true,
                                    .permissions = set_of(TENANT_EVENTS_READ)};
    assert_int_equal(ERROR_INVALID, control_key_create(&f->call, &wrong, &made, &f->error));
    assert_string_equal("permissions", f->error.field);
    assert_string_equal("a write key cannot have events:read: it may be published", f->error.message);
    wrong.kind = TENANT_KEY_SECRET;
    wrong.permissions = set_of(TENANT_KEYS_WRITE);
    assert_int_equal(ERROR_INVALID, control_key_create(&f->call, &wrong, &made, &f->error));
    wrong.permissions = (struct tenant_permission_set){{0}};
    assert_int_equal(ERROR_INVALID, control_key_create(&f->call, &wrong, &made, &f->error));
    check_sql(f, "select count(*) from api_keys", "1");
}

static void nobody_gives_a_key_what_he_lacks(void **state)
{
    struct fixture *f = *state;
    struct control_call developer = as_user(f, DEVELOPER), outsider = as_user(f, OUTSIDER);
    struct control_key_made made;
    struct control_key_new key = {.kind = TENANT_KEY_SECRET, .name = SLICE("n"), .has_permissions = true,
                                  .permissions = set_of(TENANT_EVENTS_READ)};
    OK(control_key_create(&developer, &key, &made, &f->error));
    key.permissions = set_of(TENANT_AUDIT_READ); /* developers do not read the audit log */
    assert_int_equal(ERROR_FORBIDDEN, control_key_create(&developer, &key, &made, &f->error));
    assert_string_equal("permissions", f->error.field);
    OK(control_key_create(&f->call, &key, &made, &f->error));
    /* Rotating it would show its text. */
    assert_int_equal(ERROR_FORBIDDEN, control_key_rotate(&developer, slice_from_string(made.api_key_id), 0, &made, &f->error));
    /* A role of another organization counts for nothing here. */
    key.permissions = set_of(TENANT_EVENTS_READ);
    assert_int_equal(ERROR_FORBIDDEN, control_key_create(&outsider, &key, &made, &f->error));
    key.has_permissions = false;
    assert_int_equal(ERROR_INVALID, control_key_create(&outsider, &key, &made, &f->error));
    /* Not even when it reaches a key by its id: it is of another tenant. */
    made = make(f, TENANT_KEY_SECRET);
    snprintf(outsider.tenant_id, sizeof outsider.tenant_id, "%s", OTHER_TENANT);
    struct buffer out = {0};
    char id[37];
    assert_int_equal(ERROR_NOT_FOUND, control_key_get(&outsider, slice_from_string(made.api_key_id), &out, &f->error));
    assert_int_equal(ERROR_NOT_FOUND, control_key_revoke(&outsider, slice_from_string(made.text), SLICE(""), id, &f->error));
    outsider.tenant_id[0] = 0;
    assert_int_equal(ERROR_NOT_FOUND, control_key_get(&outsider, slice_from_string(made.api_key_id), &out, &f->error));
    buffer_free(&out);
}

static void a_denied_permission_and_an_expired_role_cannot_be_given(void **state)
{
    struct fixture *f = *state;
    struct control_call developer = as_user(f, DEVELOPER);
    struct control_key_made made;
    struct control_key_new key = {.kind = TENANT_KEY_SECRET, .name = SLICE("n"), .has_permissions = true,
                                  .permissions = set_of(TENANT_EVENTS_READ)};
    struct meta_session *session;
    OK(meta_session_begin(f->control.core, 0, &session, &f->error));
    OK(meta_execute_script(
        session,
        "insert into permissions (permission_id, resource, action, name, created_at)"
        " values ('0190a6f0-0000-7000-8000-0000000000b1', 'events', 'read', 'events:read', 1);"
        "insert into roles (role_id, organization_id, name, created_at, updated_at)"
        " values ('0190a6f0-0000-7000-8000-0000000000d2', '" ORGANIZATION "', 'no reading', 1, 1);"
        "insert into role_permissions (role_permission_id, role_id, permission_id, is_denied, granted_at) values"
        " ('0190a6f0-0000-7000-8000-0000000000a1', '0190a6f0-0000-7000-8000-0000000000d2',"
        "  '0190a6f0-0000-7000-8000-0000000000b1', true, 1);"
        "insert into user_roles (user_role_id, user_id, role_id, tenant_id, assigned_at) values"
        " ('0190a6f0-0000-7000-8000-0000000000c3', '" DEVELOPER "', '0190a6f0-0000-7000-8000-0000000000d2', '" TENANT "', 1);",
        &f->error));
    assert_int_equal(ERROR_FORBIDDEN, control_key_create(&developer, &key, &made, &f->error));
    OK(meta_execute_script(session, "delete from user_roles where tenant_id is not null", &f->error));
    OK(control_key_create(&developer, &key, &made, &f->error));
    OK(meta_execute(session, "update user_roles set expires_at = $1", META_PARAMETERS(meta_integer(NOW)), NULL, &f->error));
    meta_session_end(session);
    assert_int_equal(ERROR_FORBIDDEN, control_key_create(&developer, &key, &made, &f->error));
}

static void rotation_keeps_the_old_text_for_the_grace_and_revocation_is_for_good(void **state)
{
    struct fixture *f = *state;
    struct control_key_made made = make(f, TENANT_KEY_SECRET), rotated;
    OK(control_key_rotate(&f->call, slice_from_string(made.text), 60, &rotated, &f->error));
    assert_string_equal(made.api_key_id, rotated.api_key_id);
    assert_string_not_equal(made.text, rotated.text);
    check_sql(f, "select version, grace_period_expires_at from api_keys where previous_secret_hash <> '' and previous_key_id <> key_id", "2|1700000060000");
    check_shows(f, rotated.api_key_id, "\"grace_period_expires_at\":\"2023-11-14T22:14:20.000Z\"");
    /* Without grace nothing is left of the one before. */
    OK(control_key_rotate(&f->call, slice_from_string(made.api_key_id), 0, &rotated, &f->error));
    check_sql(f, "select version from api_keys where previous_secret_hash = '' and previous_key_id is null and grace_period_expires_at is null", "3");
    assert_int_equal(ERROR_INVALID, control_key_rotate(&f->call, slice_from_string(made.api_key_id), 604801, &rotated, &f->error));
    assert_string_equal("grace_seconds", f->error.field);

    struct control_key_made write_key = make(f, TENANT_KEY_WRITE);
    OK(control_key_rotate(&f->call, slice_from_string(write_key.api_key_id), 60, &rotated, &f->error));
    assert_int_equal(36, strlen(rotated.text));

    char id[37];
    f->call.tenant_id[0] = 0; /* the command line, with a text that leaked, of before the rotation */
    OK(control_key_revoke(&f->call, slice_from_string(write_key.text), SLICE("leaked \"there\""), id, &f->error));
    assert_string_equal(write_key.api_key_id, id);
    f->call.now_ms += 1000;
    OK(control_key_revoke(&f->call, slice_from_string(id), SLICE("again"), id, &f->error));
    check_sql(f, "select revoked_at, revoked_reason, revoked_by, version from api_keys where status = 'revoked'",
              "1700000000000|leaked \"there\"|command|3");
    check_sql(f, "select count(*) from audit_outbox where event like '%key.revoked%'", "1");
    assert_int_equal(ERROR_CONFLICT, control_key_rotate(&f->call, slice_from_string(id), 60, &rotated, &f->error));
    assert_int_equal(ERROR_NOT_FOUND, control_key_revoke(&f->call, SLICE("mrs_unknown"), SLICE(""), id, &f->error));
    assert_null(strstr(f->error.message, "mrs_"));
}

static void rules_are_checked_and_changed(void **state)
{
    struct fixture *f = *state;
    struct control_key_made made;
    struct control_key_new key = {.kind = TENANT_KEY_WRITE, .name = SLICE("n"), .allowed_origins = SLICE("shop.example\n*.shop.example"),
                                  .allowed_addresses = SLICE("192.0.2.0/24"), .rate_limit = 60, .expires_ms = NOW + 1};
    OK(control_key_create(&f->call, &key, &made, &f->error));
    check_shows(f, made.api_key_id, "\"allowed_origins\":[\"shop.example\",\"*.shop.example\"],\"allowed_addresses\":[\"192.0.2.0/24\"],\"rate_limit\":60");
    static const struct { struct control_key_new key; const char *field; } wrong[] = {
        {{.name = {"n", 1}, .allowed_origins = {"not an origin", 13}}, "allowed_origins"},
        {{.name = {"n", 1}, .allowed_addresses = {"192.0.2", 7}}, "allowed_addresses"},
        {{.name = {"n", 1}, .rate_limit = -1}, "rate_limit"},
        {{.name = {"n", 1}, .expires_ms = NOW}, "expires_at"},
        {{.name = {"n", 1}, .expires_ms = NOW + CONTROL_KEY_LIFE_MS + 1}, "expires_at"},
        {{.name = {"", 0}}, "name"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct control_key_made none;
        assert_int_equal(ERROR_INVALID, control_key_create(&f->call, &wrong[i].key, &none, &f->error));
        assert_string_equal(wrong[i].field, f->error.field);
    }
    const struct control_value absent = {0}, name = {.given = true, .text = SLICE("new name")},
                               never = {.given = true, .is_null = true}, permissions = {.given = true, .text = SLICE("logs:write")};
    struct control_key_update update = {.name = &name, .description = &absent, .permissions = &permissions, .allowed_origins = &absent,
                                        .allowed_addresses = &absent, .rate_limit = &absent, .expires_at = &never};
    OK(control_key_update(&f->call, slice_from_string(made.api_key_id), &update, &f->error));
    check_shows(f, made.api_key_id, "\"name\":\"new name\"");
    check_shows(f, made.api_key_id, "\"permissions\":[\"logs:write\"],\"allowed_origins\":[\"shop.example\",");
    check_shows(f, made.api_key_id, "\"expires_at\":null");
    check_sql(f, "select count(*) from audit_outbox where event like '%key.updated%changed%name%permissions%expires_at%'", "1");
    check_sql(f, "select revision from access_revision", "3");
}

static void pages_of_keys_neither_repeat_nor_skip_and_their_number_is_limited(void **state)
{
    struct fixture *f = *state;
    struct control_key_made made, last;
    for (int i = 0; i < CONTROL_KEY_LIMIT; i++) {
        f->call.now_ms++;
        last = make(f, TENANT_KEY_WRITE);
    }
    struct control_key_new one_more = {.kind = TENANT_KEY_WRITE, .name = SLICE("n")};
    assert_int_equal(ERROR_CONFLICT, control_key_create(&f->call, &one_more, &made, &f->error));
    char id[37], cursor[37] = "";
    OK(control_key_revoke(&f->call, slice_from_string(last.api_key_id), SLICE(""), id, &f->error));
    OK(control_key_create(&f->call, &one_more, &made, &f->error));
    size_t seen = 0, pages = 0;
    do {
        struct buffer out = {0};
        OK(control_key_list(&f->call, 40, slice_from_string(cursor), SLICE_EMPTY, &out, &f->error));
        struct slice rest = buffer_slice(&out);
        for (ptrdiff_t at; (at = slice_find(rest, SLICE("\"api_key_id\":\""))) >= 0; seen++) rest = slice_from(rest, (size_t)at + 1);
        ptrdiff_t next = slice_find(rest, SLICE("\"next_cursor\":\""));
        snprintf(cursor, sizeof cursor, "%.36s", next < 0 ? "" : rest.data + next + 15);
        buffer_free(&out);
        pages++;
    } while (cursor[0]);
    assert_int_equal(CONTROL_KEY_LIMIT + 1, seen);
    assert_int_equal(3, pages);
    struct buffer out = {0};
    OK(control_key_list(&f->call, 40, SLICE_EMPTY, SLICE("revoked"), &out, &f->error));
    assert_true(slice_find(buffer_slice(&out), slice_from_string(last.api_key_id)) > 0);
    assert_true(slice_find(buffer_slice(&out), slice_from_string(made.api_key_id)) < 0);
    buffer_free(&out);
}

static void use_is_added_up_by_the_hour_without_telling_event_loops(void **state)
{
    struct fixture *f = *state;
    struct control_key_made made = make(f, TENANT_KEY_WRITE);
    struct tenant_key_states *states = tenant_key_states_create();
    struct tenant_key_state *key_state = tenant_key_states_find(states, slice_from_string(made.api_key_id));
    struct tenant_key_state *removed = tenant_key_states_find(states, SLICE("0190a6f0-0000-7000-8000-00000000dead"));
    struct control_key_flusher *flusher = control_key_flusher_create(f->control.core, states);
    tenant_key_count(removed, true, SLICE("192.0.2.9"), NOW);
    for (int hour = 0; hour < 2; hour++) {
        for (int i = 0; i < 3; i++) tenant_key_count(key_state, i > 0, SLICE("192.0.2.7"), NOW + hour * 3600000);
        tenant_key_count_items(key_state, 10);
        OK(control_key_usage_flush(flusher, NOW + hour * 3600000, &f->error));
        OK(control_key_usage_flush(flusher, NOW + hour * 3600000, &f->error)); /* nothing new: nothing written */
    }
    check_sql(f, "select requests, refused, items from api_key_usage order by hour", "3|1|10|3|1|10");
    check_sql(f, "select usage_count, last_used_at, last_used_ip from api_keys", "6|1700003600000|192.0.2.7");
    check_sql(f, "select revision from access_revision", "2");
    f->call.now_ms = NOW + 3600000;
    struct buffer out = {0};
    OK(control_key_usage(&f->call, slice_from_string(made.api_key_id), 168, &out, &f->error));
    buffer_append_byte(&out, 0);
    assert_string_equal("{\"data\":[{\"hour\":\"2023-11-14T22:00:00.000Z\",\"requests\":3,\"refused\":1,\"items\":10},"
                        "{\"hour\":\"2023-11-14T23:00:00.000Z\",\"requests\":3,\"refused\":1,\"items\":10}],"
                        "\"totals\":{\"requests\":6,\"refused\":2,\"items\":20}}", out.data);
    buffer_free(&out);
    OK(control_key_usage_flush(flusher, NOW + 91LL * 24 * 3600000, &f->error));
    check_sql(f, "select count(*) from api_key_usage", "0");
    control_key_flusher_destroy(flusher);
    tenant_key_states_release(states);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_secret_key_is_kept_as_a_hash_and_its_text_fits),
        TEST(a_write_key_is_a_uuid_that_only_sends),
        TEST(nobody_gives_a_key_what_he_lacks),
        TEST(a_denied_permission_and_an_expired_role_cannot_be_given),
        TEST(rotation_keeps_the_old_text_for_the_grace_and_revocation_is_for_good),
        TEST(rules_are_checked_and_changed),
        TEST(pages_of_keys_neither_repeat_nor_skip_and_their_number_is_limited),
        TEST(use_is_added_up_by_the_hour_without_telling_event_loops),
    };
    return meta_test_run("keys", tests, sizeof tests / sizeof *tests, NULL, 0);
}
