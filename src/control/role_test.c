/* SPDX-License-Identifier: Apache-2.0 */
/* Roles: the built-in ones as the program says, custom ones that give nobody more than he has, the last super
 * administrator. */
#include "meta/test_backend.h"

#include "base/uuid.h"
#include "control/control_fixture.h"
#include "control/role.h"

/* Users with a role each, all of the default organization. */
#define ROOT "0192f0c1-0000-7000-8000-000000000001"
#define ADMIN "0192f0c1-0000-7000-8000-000000000002"
#define DEVELOPER "0192f0c1-0000-7000-8000-000000000003"
#define NEWCOMER "0192f0c1-0000-7000-8000-000000000004"
#define STRANGER "0192f0c1-0000-7000-8000-000000000005" /* of another organization */

static void make_user(struct control_fixture *fixture, const char *id, const char *organization_id)
{
    char sql[512];
    snprintf(sql, sizeof sql,
             "insert into users (user_id, organization_id, email, created_at, updated_at)"
             " values ('%s', '%s', '%s@a.example', 1, 1)",
             id, organization_id, id);
    control_fixture_execute(fixture, sql);
}

static void act_as(struct control_fixture *fixture, const char *user_id)
{
    fixture->call.actor.kind = CONTROL_ACTOR_USER;
    fixture->call.actor.is_super = strcmp(user_id, ROOT) == 0;
    snprintf(fixture->call.actor.id, 37, "%s", user_id);
    snprintf(fixture->call.organization_id, 37, "%s", fixture->defaults.organization_id);
}

static const struct control_action *find_action(enum request_method method, const char *path)
{
    for (size_t i = 0; control_role_actions[i].path; i++)
        if (control_role_actions[i].method == method && strcmp(control_role_actions[i].path, path) == 0)
            return &control_role_actions[i];
    fail_msg("no action %s", path);
    return NULL;
}

static enum error_code run(struct control_fixture *fixture, enum request_method method, const char *path,
                           const char *first, const char *second, const char *body)
{
    const struct control_action *action = find_action(method, path);
    struct control_value values[CONTROL_FIELD_LIMIT];
    struct control_output output = {.body = &fixture->out};
    struct control_input input = {.path_values = {slice_from_string(first), slice_from_string(second)}, .body = values};
    buffer_clear(&fixture->out);
    fixture->error = (struct error){0};
    enum error_code code = ERROR_NONE;
    if (action->body)
        code = control_fields_read(fixture->call.arena, action->body, control_fixture_json(fixture, body), false,
                                   values, &fixture->error);
    return code ? code : action->run(&fixture->call, &input, &output, &fixture->error);
}

static enum error_code assign(struct control_fixture *fixture, const char *user_id, const char *role_id,
                              const char *tenant_id, int64_t expires_ms)
{
    char body[256], tenant[64] = "null", expires[32] = "null";
    if (tenant_id[0]) snprintf(tenant, sizeof tenant, "\"%s\"", tenant_id);
    if (expires_ms) snprintf(expires, sizeof expires, "%lld", (long long)expires_ms);
    snprintf(body, sizeof body, "{\"role_id\":\"%s\",\"tenant_id\":%s,\"expires_at\":%s}", role_id, tenant, expires);
    return run(fixture, METHOD_POST, "/v1/users/{user_id}/roles", user_id, "", body);
}

static enum error_code assign_type(struct control_fixture *fixture, const char *user_id, enum tenant_role_type type,
                                   const char *tenant_id)
{
    char role_id[37];
    control_role_id(type, role_id);
    return assign(fixture, user_id, role_id, tenant_id, 0);
}

static enum error_code put(struct control_fixture *fixture, const char *role_id, const char *granted,
                           const char *denied)
{
    char body[512];
    snprintf(body, sizeof body, "{\"granted\":[%s],\"denied\":[%s]}", granted, denied);
    return run(fixture, METHOD_PUT, "/v1/roles/{role_id}/permissions", role_id, "", body);
}

static void make_role(struct control_fixture *fixture, const char *name, char id[37])
{
    char body[128];
    snprintf(body, sizeof body, "{\"name\":\"%s\"}", name);
    if (control_fixture_create(fixture, &control_roles, body)) fail_msg("%s", fixture->error.message);
    snprintf(id, 37, "%s", control_fixture_member(fixture, "role_id"));
}

static void make_tenant(struct control_fixture *fixture, const char *name, char id[37])
{
    char body[256];
    snprintf(body, sizeof body, "{\"name\":\"%s\",\"workspace_id\":\"%s\"}", name, fixture->defaults.workspace_id);
    if (control_fixture_create(fixture, &control_tenants, body)) fail_msg("%s", fixture->error.message);
    snprintf(id, 37, "%s", control_fixture_member(fixture, "tenant_id"));
}

static int setup(void **state)
{
    control_fixture_setup(state);
    struct control_fixture *fixture = *state;
    static const struct { const char *id; enum tenant_role_type type; } people[] = {
        {ROOT, TENANT_ROLE_SUPER_ADMIN}, {ADMIN, TENANT_ROLE_ADMIN}, {DEVELOPER, TENANT_ROLE_DEVELOPER}};
    act_as(fixture, ROOT);
    for (size_t i = 0; i < sizeof people / sizeof *people; i++) {
        make_user(fixture, people[i].id, fixture->defaults.organization_id);
        if (assign_type(fixture, people[i].id, people[i].type, "")) fail_msg("%s", fixture->error.message);
    }
    make_user(fixture, NEWCOMER, fixture->defaults.organization_id);
    return 0;
}

static void the_tables_hold_what_the_program_says(void **state)
{
    struct control_fixture *fixture = *state;
    int64_t pairs = 0;
    for (int type = 0; type < TENANT_ROLE_CUSTOM; type++) {
        struct tenant_permission_set set = tenant_role_permissions((enum tenant_role_type)type);
        for (int i = 0; i < TENANT_PERMISSION_COUNT; i++)
            pairs += tenant_permission_has(&set, (enum tenant_permission)i);
    }
    assert_int_equal(control_fixture_number(fixture, "select count(*) from permissions"), TENANT_PERMISSION_COUNT);
    assert_int_equal(control_fixture_number(fixture, "select count(*) from roles"), TENANT_ROLE_CUSTOM);
    assert_int_equal(control_fixture_number(fixture, "select count(*) from role_permissions"), pairs);
    /* Again changes nothing, not even the revision. */
    int64_t revision = control_fixture_number(fixture, "select revision from access_revision");
    assert_int_equal(control_role_sync(fixture->control.core, 2, &fixture->error), ERROR_NONE);
    assert_int_equal(control_fixture_number(fixture, "select revision from access_revision"), revision);
    /* What an older program left, or somebody changed, is put right. */
    control_fixture_execute(
        fixture, "insert into permissions (permission_id, resource, action, name, created_at) values ('old', 'old', "
                 "'x', 'old:x', 1);"
                 "insert into role_permissions (role_permission_id, role_id, permission_id, granted_at)"
                 " select 'old', role_id, 'old', 1 from roles where role_type = 'viewer';"
                 "delete from role_permissions where role_id in (select role_id from roles where role_type = 'admin');"
                 "update permissions set description = 'wrong' where name = 'tenants:read'");
    assert_int_equal(control_role_sync(fixture->control.core, 3, &fixture->error), ERROR_NONE);
    assert_int_equal(control_fixture_number(fixture, "select count(*) from permissions"), TENANT_PERMISSION_COUNT);
    assert_int_equal(control_fixture_number(fixture, "select count(*) from role_permissions"), pairs);
    assert_int_equal(control_fixture_number(fixture, "select count(*) from permissions where description = 'wrong'"),
                     0);
    assert_int_equal(control_fixture_number(fixture, "select revision from access_revision"), revision + 1);
}

static void a_custom_role_gets_permissions_and_an_assignment_with_an_end(void **state)
{
    struct control_fixture *fixture = *state;
    char role[37], tenant[37];
    act_as(fixture, ADMIN);
    make_tenant(fixture, "A", tenant);
    make_role(fixture, "reader", role);
    assert_int_equal(put(fixture, role, "\"events:read\",\"logs:read\"", "\"traces:read\""), ERROR_NONE);
    assert_int_equal(run(fixture, METHOD_GET, "/v1/roles/{role_id}/permissions", role, "", NULL), ERROR_NONE);
    assert_string_equal(control_fixture_member(fixture, "granted"), "[\"events:read\",\"logs:read\"]");
    assert_string_equal(control_fixture_member(fixture, "denied"), "[\"traces:read\"]");
    assert_int_equal(assign(fixture, NEWCOMER, role, tenant, fixture->call.now_ms + 1000), ERROR_NONE);
    char assignment[37];
    snprintf(assignment, 37, "%s", control_fixture_member(fixture, "user_role_id"));
    assert_string_equal(control_fixture_member(fixture, "expires_at"), "2026-01-31T12:00:01.000Z");
    assert_string_equal(control_fixture_member(fixture, "assigned_by"), ADMIN);
    assert_int_equal(assign(fixture, NEWCOMER, role, tenant, 0), ERROR_CONFLICT);
    assert_int_equal(run(fixture, METHOD_GET, "/v1/users/{user_id}/roles", NEWCOMER, "", NULL), ERROR_NONE);
    assert_string_equal(control_fixture_row_member(fixture, 0, "tenant_id"), tenant);

    /* What the newcomer may do there, until it ends; a denial of another role wins. */
    struct tenant_permission_set set;
    struct meta_session *session;
    act_as(fixture, NEWCOMER);
    assert_int_equal(meta_session_begin(fixture->control.core, 0, &session, &fixture->error), ERROR_NONE);
    assert_int_equal(control_role_actor_permissions(&fixture->call, session, tenant, "", &set, &fixture->error),
                     ERROR_NONE);
    assert_true(tenant_permission_has(&set, TENANT_EVENTS_READ));
    assert_false(tenant_permission_has(&set, TENANT_TRACES_READ));
    assert_int_equal(control_role_actor_permissions(&fixture->call, session, "", "", &set, &fixture->error),
                     ERROR_NONE);
    assert_false(tenant_permission_has(&set, TENANT_EVENTS_READ));
    fixture->call.now_ms += 1000;
    assert_int_equal(control_role_actor_permissions(&fixture->call, session, tenant, "", &set, &fixture->error),
                     ERROR_NONE);
    assert_false(tenant_permission_has(&set, TENANT_EVENTS_READ));
    meta_session_end(session);
    act_as(fixture, ADMIN);
    /* The denial in the role is one the administrator himself does not suffer: he may end it. */
    assert_int_equal(
        run(fixture, METHOD_DELETE, "/v1/users/{user_id}/roles/{user_role_id}", NEWCOMER, assignment, NULL),
        ERROR_NONE);
    assert_int_equal(
        run(fixture, METHOD_DELETE, "/v1/users/{user_id}/roles/{user_role_id}", NEWCOMER, assignment, NULL),
        ERROR_NOT_FOUND);
    assert_int_equal(control_fixture_audited(fixture, fixture->control.core, "role.permissions_changed"), 1);
    assert_int_equal(control_fixture_audited(fixture, fixture->control.core, "role.unassigned"), 1);
}

static void nobody_gives_what_he_has_not(void **state)
{
    struct control_fixture *fixture = *state;
    char role[37], tenant[37], strong[37];
    act_as(fixture, ROOT);
    make_tenant(fixture, "A", tenant);
    make_role(fixture, "strong", strong);
    assert_int_equal(put(fixture, strong, "\"organizations:delete\",\"events:read\"", ""), ERROR_NONE);
    act_as(fixture, ADMIN);
    make_role(fixture, "own", role);
    assert_int_equal(put(fixture, role, "\"platform:manage\"", ""), ERROR_FORBIDDEN);
    assert_non_null(strstr(fixture->error.message, "platform:manage"));
    assert_int_equal(assign(fixture, NEWCOMER, strong, "", 0), ERROR_FORBIDDEN);
    assert_int_equal(assign(fixture, ADMIN, strong, tenant, 0), ERROR_FORBIDDEN);
    assert_int_equal(assign_type(fixture, ADMIN, TENANT_ROLE_SUPER_ADMIN, ""), ERROR_FORBIDDEN);
    assert_int_equal(assign_type(fixture, ADMIN, TENANT_ROLE_SUPER_ADMIN, tenant), ERROR_FORBIDDEN);
    /* A role that has more already can be narrowed, and what it has may stay. */
    assert_int_equal(put(fixture, strong, "\"organizations:delete\"", ""), ERROR_NONE);
    assert_int_equal(put(fixture, strong, "", ""), ERROR_NONE);
    assert_int_equal(put(fixture, strong, "\"organizations:delete\"", ""), ERROR_FORBIDDEN);
    /* A developer lacks what administrators have; where he has nothing he gives nothing. */
    act_as(fixture, DEVELOPER);
    assert_int_equal(assign_type(fixture, NEWCOMER, TENANT_ROLE_ADMIN, ""), ERROR_FORBIDDEN);
    assert_int_equal(assign_type(fixture, NEWCOMER, TENANT_ROLE_DEVELOPER, ""), ERROR_NONE);
    /* Rights in one tenant are not rights everywhere. */
    act_as(fixture, ROOT);
    make_user(fixture, STRANGER, fixture->defaults.organization_id);
    assert_int_equal(assign_type(fixture, STRANGER, TENANT_ROLE_ADMIN, tenant), ERROR_NONE);
    act_as(fixture, STRANGER);
    assert_int_equal(assign_type(fixture, NEWCOMER, TENANT_ROLE_VIEWER, ""), ERROR_FORBIDDEN);
    assert_int_equal(assign_type(fixture, NEWCOMER, TENANT_ROLE_VIEWER, tenant), ERROR_NONE);
    assert_int_equal(put(fixture, role, "\"events:read\"", ""), ERROR_FORBIDDEN);
}

static void nobody_ends_a_denial_that_holds_himself(void **state)
{
    struct control_fixture *fixture = *state;
    char role[37];
    act_as(fixture, ROOT);
    make_role(fixture, "no audit", role);
    assert_int_equal(put(fixture, role, "", "\"audit:read\""), ERROR_NONE);
    assert_int_equal(assign(fixture, ADMIN, role, "", 0), ERROR_NONE);
    char assignment[37];
    snprintf(assignment, 37, "%s", control_fixture_member(fixture, "user_role_id"));
    act_as(fixture, ADMIN);
    assert_int_equal(put(fixture, role, "", ""), ERROR_FORBIDDEN);
    assert_int_equal(run(fixture, METHOD_DELETE, "/v1/users/{user_id}/roles/{user_role_id}", ADMIN, assignment, NULL),
                     ERROR_FORBIDDEN);
    assert_int_equal(control_resource_delete(&fixture->call, &control_roles, slice_from_string(role), &fixture->error),
                     ERROR_FORBIDDEN);
    act_as(fixture, ROOT);
    assert_int_equal(control_resource_delete(&fixture->call, &control_roles, slice_from_string(role), &fixture->error),
                     ERROR_NONE);
}

static void a_deleted_role_is_not_given_back_by_who_lacks_it(void **state)
{
    struct control_fixture *fixture = *state;
    char role[37];
    act_as(fixture, ROOT);
    make_role(fixture, "strong", role);
    assert_int_equal(put(fixture, role, "\"platform:manage\"", ""), ERROR_NONE);
    assert_int_equal(assign(fixture, ADMIN, role, "", 0), ERROR_NONE);
    assert_int_equal(control_resource_delete(&fixture->call, &control_roles, slice_from_string(role), &fixture->error),
                     ERROR_NONE);
    act_as(fixture, ADMIN);
    assert_int_equal(control_resource_restore(&fixture->call, &control_roles, slice_from_string(role), &fixture->out,
                                              &fixture->error),
                     ERROR_FORBIDDEN);
    act_as(fixture, ROOT);
    assert_int_equal(control_resource_restore(&fixture->call, &control_roles, slice_from_string(role), &fixture->out,
                                              &fixture->error),
                     ERROR_NONE);
}

static void built_in_roles_stay_as_they_are(void **state)
{
    struct control_fixture *fixture = *state;
    char viewer[37];
    control_role_id(TENANT_ROLE_VIEWER, viewer);
    act_as(fixture, ROOT);
    assert_int_equal(control_fixture_get(fixture, &control_roles, viewer), ERROR_NONE);
    assert_string_equal(control_fixture_member(fixture, "role_type"), "viewer");
    assert_int_equal(control_fixture_update(fixture, &control_roles, viewer, "{\"name\":\"x\"}"), ERROR_FORBIDDEN);
    assert_int_equal(
        control_resource_delete(&fixture->call, &control_roles, slice_from_string(viewer), &fixture->error),
        ERROR_FORBIDDEN);
    assert_int_equal(put(fixture, viewer, "\"events:write\"", ""), ERROR_FORBIDDEN);
    act_as(fixture, ADMIN);
    assert_int_equal(control_fixture_list(fixture, &control_roles, (struct control_page){0}), TENANT_ROLE_CUSTOM);
}

static void what_is_not_there_or_elsewhere_is_refused(void **state)
{
    struct control_fixture *fixture = *state;
    char body[256], role[37], other[37], viewer[37];
    control_role_id(TENANT_ROLE_VIEWER, viewer);
    act_as(fixture, ROOT);
    snprintf(body, sizeof body, "{\"name\":\"Other\",\"region_id\":\"%s\"}", fixture->defaults.region_id);
    assert_int_equal(control_fixture_create(fixture, &control_organizations, body), ERROR_NONE);
    snprintf(other, 37, "%s", control_fixture_member(fixture, "organization_id"));
    make_user(fixture, STRANGER, other);
    act_as(fixture, ADMIN);
    make_role(fixture, "own", role);
    assert_int_equal(assign(fixture, STRANGER, viewer, "", 0), ERROR_NOT_FOUND);
    assert_int_equal(run(fixture, METHOD_GET, "/v1/users/{user_id}/roles", STRANGER, "", NULL), ERROR_NOT_FOUND);
    assert_int_equal(assign(fixture, NEWCOMER, STRANGER, "", 0), ERROR_NOT_FOUND);
    assert_int_equal(assign(fixture, NEWCOMER, viewer, STRANGER, 0), ERROR_INVALID);
    assert_string_equal(fixture->error.field, "tenant_id");
    assert_int_equal(assign(fixture, NEWCOMER, viewer, "", fixture->call.now_ms), ERROR_INVALID);
    assert_string_equal(fixture->error.field, "expires_at");
    assert_int_equal(put(fixture, role, "\"nothing:read\"", ""), ERROR_INVALID);
    assert_string_equal(fixture->error.field, "granted");
    assert_int_equal(put(fixture, role, "\"events:read\"", "\"events:read\""), ERROR_INVALID);
    assert_string_equal(fixture->error.field, "denied");
    assert_int_equal(put(fixture, "x", "", ""), ERROR_NOT_FOUND);
    act_as(fixture, ROOT); /* whom a custom role of another organization does not fit either */
    assert_int_equal(assign(fixture, STRANGER, role, "", 0), ERROR_INVALID);
    assert_string_equal(fixture->error.field, "role_id");
    act_as(fixture, STRANGER);
    snprintf(fixture->call.organization_id, 37, "%s", other);
    assert_int_equal(run(fixture, METHOD_GET, "/v1/roles/{role_id}/permissions", role, "", NULL), ERROR_NOT_FOUND);
}

static void the_last_super_administrator_stays(void **state)
{
    struct control_fixture *fixture = *state;
    struct slice root = SLICE(ROOT);
    char assignment[37];
    act_as(fixture, ROOT);
    assert_int_equal(run(fixture, METHOD_GET, "/v1/users/{user_id}/roles", ROOT, "", NULL), ERROR_NONE);
    snprintf(assignment, 37, "%s", control_fixture_row_member(fixture, 0, "user_role_id"));
    assert_int_equal(run(fixture, METHOD_DELETE, "/v1/users/{user_id}/roles/{user_role_id}", ROOT, assignment, NULL),
                     ERROR_CONFLICT);
    assert_int_equal(control_resource_delete(&fixture->call, &control_users, root, &fixture->error), ERROR_CONFLICT);
    assert_int_equal(control_fixture_update(fixture, &control_users, ROOT, "{\"is_active\":false}"), ERROR_CONFLICT);
    struct slice organization = slice_from_string(fixture->defaults.organization_id);
    assert_int_equal(control_resource_delete(&fixture->call, &control_organizations, organization, &fixture->error),
                     ERROR_CONFLICT);
    assert_int_equal(control_fixture_update(fixture, &control_organizations, fixture->defaults.organization_id,
                                            "{\"is_active\":false}"),
                     ERROR_CONFLICT);
    assert_int_equal(control_fixture_update(fixture, &control_users, ROOT, "{\"first_name\":\"Ada\"}"), ERROR_NONE);
    /* Nothing of it was done. */
    assert_int_equal(
        control_fixture_number(fixture, "select count(*) from users where is_active and deleted_at is null"), 4);
    assert_int_equal(control_fixture_number(fixture, "select count(*) from user_roles"), 3);
    /* An administrator does not touch him. */
    act_as(fixture, ADMIN);
    assert_int_equal(control_fixture_update(fixture, &control_users, ROOT, "{\"first_name\":\"Eve\"}"),
                     ERROR_FORBIDDEN);
    assert_int_equal(run(fixture, METHOD_DELETE, "/v1/users/{user_id}/roles/{user_role_id}", ROOT, assignment, NULL),
                     ERROR_FORBIDDEN);
    /* With a second one the first may go, and ends his sessions. */
    act_as(fixture, ROOT);
    assert_int_equal(assign_type(fixture, ADMIN, TENANT_ROLE_SUPER_ADMIN, ""), ERROR_NONE);
    control_fixture_execute(
        fixture, "insert into user_sessions (session_id, user_id, expires_at, last_used_at, created_at, updated_at)"
                 " values ('0192f0c1-0000-7000-8000-0000000000aa', '" ROOT "', 9, 1, 1, 1)");
    assert_int_equal(control_resource_delete(&fixture->call, &control_users, root, &fixture->error), ERROR_NONE);
    assert_int_equal(control_fixture_number(
                         fixture, "select count(*) from user_sessions where revoked_at is not null and not is_active"),
                     1);
    assert_int_equal(control_resource_delete(&fixture->call, &control_users, SLICE(ADMIN), &fixture->error),
                     ERROR_CONFLICT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, control_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_tables_hold_what_the_program_says),
        TEST(a_custom_role_gets_permissions_and_an_assignment_with_an_end),
        TEST(nobody_gives_what_he_has_not),
        TEST(nobody_ends_a_denial_that_holds_himself),
        TEST(a_deleted_role_is_not_given_back_by_who_lacks_it),
        TEST(built_in_roles_stay_as_they_are),
        TEST(what_is_not_there_or_elsewhere_is_refused),
        TEST(the_last_super_administrator_stays),
    };
    return meta_test_run("role", tests, sizeof tests / sizeof *tests, NULL, 0);
}
