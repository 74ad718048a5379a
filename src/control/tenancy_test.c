/* SPDX-License-Identifier: Apache-2.0 */
/* The first organization and tenants of the command line: made once, found by id and code, with keys or not at all. */
#include "meta/test_backend.h"

#include "control/control_fixture.h"

static struct meta_session *begin(struct control_fixture *fixture)
{
    struct meta_session *session;
    assert_int_equal(meta_session_begin(fixture->control.core, 0, &session, &fixture->error), ERROR_NONE);
    assert_int_equal(meta_begin(session, &fixture->error), ERROR_NONE);
    return session;
}

static void codes_are_made_from_names(void **state)
{
    static const struct { const char *name, *code;
    } rows[] = {{"My Shop!", "my-shop"},
                {"  A  b  ", "a-b"},
                {"\xc3\xa9t\xc3\xa9", "t"},
                {"", "tenant"},
                {"---", "tenant"},
                {"0123456789012345678901234567890123456789012345678901234567890123",
                 "012345678901234567890123456789012345678901234567"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char code[CONTROL_CODE_STEM_LIMIT + 1];
        control_code_from_name(slice_from_string(rows[i].name), "tenant", code);
        assert_string_equal(code, rows[i].code);
    }
}

static void defaults_are_made_once(void **state)
{
    struct control_fixture *fixture = *state;
    struct control_defaults again;
    struct meta_session *session = begin(fixture);
    assert_int_equal(control_defaults_ensure(&fixture->call, session, &again, &fixture->error), ERROR_NONE);
    assert_memory_equal(&again, &fixture->defaults, sizeof again);
    assert_int_equal(meta_commit(session, &fixture->error), ERROR_NONE);
    meta_session_end(session);
    assert_int_equal(control_fixture_number(fixture, "select count(*) from workspaces"), 1);
    assert_int_equal(control_fixture_audited(fixture, fixture->control.core, "organization.created"), 1);
    control_fixture_execute(fixture, "update workspaces set deleted_at = 1");
    session = begin(fixture);
    assert_int_equal(control_defaults_ensure(&fixture->call, session, &again, &fixture->error), ERROR_CONFLICT);
    meta_session_end(session);
}

static void a_tenant_comes_with_a_key_of_each_kind(void **state)
{
    struct control_fixture *fixture = *state;
    struct control_new_tenant made, second;
    int64_t revision = control_fixture_number(fixture, "select revision from access_revision");
    fixture->call.actor.kind = CONTROL_ACTOR_COMMAND;
    fixture->call.actor.is_super = true;
    if (control_tenant_create_with_keys(&fixture->call, SLICE("My Shop"), &made, &fixture->error))
        fail_msg("%s", fixture->error.message);
    assert_string_equal(made.tenant.code, "my-shop");
    assert_string_equal(made.tenant.workspace_id, fixture->defaults.workspace_id);
    assert_int_equal(strlen(made.write_key), 36);
    assert_int_equal(strncmp(made.secret_key, "mrs_", 4), 0);
    assert_true(control_fixture_number(fixture, "select revision from access_revision") > revision);
    assert_int_equal(control_fixture_number(fixture, "select count(*) from api_keys where status = 'active'"), 2);
    assert_int_equal(control_tenant_create_with_keys(&fixture->call, SLICE("My Shop"), &second, &fixture->error),
                     ERROR_NONE);
    assert_string_equal(second.tenant.code, "my-shop-2");
    assert_int_equal(control_fixture_audited(fixture, fixture->control.core, "tenant.created"), 2);
    /* Refused as a whole. */
    static const char *const names[] = {"", "  ", "a\nb", "\xff"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(
            control_tenant_create_with_keys(&fixture->call, slice_from_string(names[i]), &second, &fixture->error),
            ERROR_INVALID);
        assert_string_equal(fixture->error.field, "name");
    }
    assert_int_equal(control_fixture_number(fixture, "select count(*) from tenants"), 2);
}

static enum error_code count_tenant(void *context, const struct control_tenant *tenant, struct error *error)
{
    ++*(int *)context;
    return ERROR_NONE;
}

static void a_tenant_is_found_by_id_and_code_deleted_ones_when_asked(void **state)
{
    struct control_fixture *fixture = *state;
    struct control_tenant made, found;
    int count = 0;
    struct meta_session *session = begin(fixture);
    assert_int_equal(control_tenant_create(&fixture->call, session, SLICE("A"), NULL, &made, &fixture->error),
                     ERROR_NONE);
    assert_int_equal(meta_commit(session, &fixture->error), ERROR_NONE);
    assert_int_equal(control_tenant_find(&fixture->call, session, SLICE("a"), false, &found, &fixture->error),
                     ERROR_NONE);
    assert_string_equal(found.id, made.id);
    assert_string_equal(found.organization_id, fixture->defaults.organization_id);
    assert_int_equal(
        control_tenant_find(&fixture->call, session, slice_from_string(made.id), false, &found, &fixture->error),
        ERROR_NONE);
    static const char *const nobody[] = {"", "b", "\xff", "' or 1=1 --"};
    for (size_t i = 0; i < sizeof nobody / sizeof *nobody; i++)
        assert_int_equal(
            control_tenant_find(&fixture->call, session, slice_from_string(nobody[i]), true, &found, &fixture->error),
            ERROR_NOT_FOUND);
    meta_session_end(session);
    control_fixture_execute(fixture, "update tenants set deleted_at = 5");
    session = begin(fixture);
    assert_int_equal(control_tenant_find(&fixture->call, session, SLICE("a"), false, &found, &fixture->error),
                     ERROR_NOT_FOUND);
    assert_int_equal(control_tenant_find(&fixture->call, session, SLICE("a"), true, &found, &fixture->error),
                     ERROR_NONE);
    assert_int_equal(found.deleted_ms, 5);
    assert_int_equal(control_tenant_each(&fixture->call, session, false, count_tenant, &count, &fixture->error),
                     ERROR_NONE);
    assert_int_equal(count, 0);
    assert_int_equal(control_tenant_each(&fixture->call, session, true, count_tenant, &count, &fixture->error),
                     ERROR_NONE);
    assert_int_equal(count, 1);
    meta_session_end(session);
}

static enum error_code set_settings(struct control_fixture *fixture, const char *id, const char *settings)
{
    struct json_value root;
    struct buffer body = {0}, answer = {0};
    struct json_parser *parser = json_parser_create();
    buffer_printf(&body, "{\"settings\":%s}", settings);
    size_t size = body.size;
    buffer_append_zeros(&body, JSON_PADDING);
    assert_int_equal(json_parse(parser, slice_make(body.data, size), &root, &fixture->error), ERROR_NONE);
    enum error_code code = control_resource_update(&fixture->call, &control_tenants, slice_from_string(id), root, &answer, &fixture->error);
    json_parser_destroy(parser);
    buffer_free(&body);
    buffer_free(&answer);
    return code;
}

static void settings_that_mean_nothing_are_refused_and_others_reach_event_loops(void **state)
{
    struct control_fixture *fixture = *state;
    struct control_new_tenant made;
    fixture->call.actor.kind = CONTROL_ACTOR_COMMAND;
    fixture->call.actor.is_super = true;
    assert_int_equal(control_tenant_create_with_keys(&fixture->call, SLICE("A"), &made, &fixture->error), ERROR_NONE);
    int64_t revision = control_fixture_number(fixture, "select revision from access_revision");
    assert_int_equal(set_settings(fixture, made.tenant.id, "{\"do_not_track\":\"never\",\"theme\":\"dark\"}"), ERROR_INVALID);
    assert_string_equal(fixture->error.field, "settings.do_not_track");
    assert_int_equal(control_fixture_number(fixture, "select revision from access_revision"), revision);
    assert_int_equal(control_fixture_number(fixture, "select count(*) from tenants where cast(settings as text) = '{}'"), 1);
    assert_int_equal(set_settings(fixture, made.tenant.id, "{\"do_not_track\":\"drop\",\"theme\":\"dark\"}"), ERROR_NONE);
    assert_true(control_fixture_number(fixture, "select revision from access_revision") > revision);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, control_fixture_setup, control_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(defaults_are_made_once),
        TEST(a_tenant_comes_with_a_key_of_each_kind),
        TEST(a_tenant_is_found_by_id_and_code_deleted_ones_when_asked),
        TEST(settings_that_mean_nothing_are_refused_and_others_reach_event_loops),
    };
    const struct CMUnitTest once[] = {cmocka_unit_test(codes_are_made_from_names)};
    return meta_test_run("tenancy", tests, sizeof tests / sizeof *tests, once, 1);
}
