/* SPDX-License-Identifier: Apache-2.0 */
/* Purging: everything of the deleted goes after 90 days, nothing of anybody else, and the audit tells how much. */
#include "meta/test_backend.h"

#include "control/control_fixture.h"
#include "control/product.h"
#include "control/revenue.h"
#include "control/purge.h"

#define DAY INT64_C(86400000)

struct events {
    char tenants[4][37];
    size_t count;
    bool fails;
};

static enum error_code take_events(void *context, const char *tenant_id, struct control_purge_report *report,
                                   struct error *error)
{
    struct events *events = context;
    if (events->fails) return error_set(error, ERROR_UNAVAILABLE, "the event store is away");
    assert_true(events->count < 4);
    snprintf(events->tenants[events->count++], 37, "%s", tenant_id);
    control_purge_report_add(report, "analytics", "events", 7);
    return ERROR_NONE;
}

static int64_t number_in(struct control_fixture *fixture, struct meta_database *database, const char *sql);

static enum error_code take_number(void *context, const struct meta_row *row, struct error *error)
{
    *(int64_t *)context = meta_row_integer(row, 0);
    return ERROR_NONE;
}

static int64_t number_in(struct control_fixture *fixture, struct meta_database *database, const char *sql)
{
    struct meta_session *session;
    int64_t number = -1;
    assert_int_equal(meta_session_begin(database, 0, &session, &fixture->error), ERROR_NONE);
    if (meta_query(session, sql, NULL, 0, take_number, &number, &fixture->error))
        fail_msg("%s", fixture->error.message);
    meta_session_end(session);
    return number;
}

/* A tenant with keys, a role in it, and a row of every kind that belongs to tenants. */
static void make_tenant(struct control_fixture *fixture, const char *name, char id[37])
{
    struct control_new_tenant made;
    char body[256];
    fixture->call.actor.is_super = true;
    if (control_tenant_create_with_keys(&fixture->call, slice_from_string(name), &made, &fixture->error))
        fail_msg("%s", fixture->error.message);
    snprintf(id, 37, "%s", made.tenant.id);
    snprintf(fixture->call.tenant_id, 37, "%s", id);
    assert_int_equal(control_fixture_create(fixture, &control_dashboards, "{\"name\":\"d\"}"), ERROR_NONE);
    snprintf(body, sizeof body, "{\"dashboard_id\":\"%s\",\"title\":\"t\",\"widget_type\":\"stat\"}",
             control_fixture_member(fixture, "dashboard_id"));
    assert_int_equal(control_fixture_create(fixture, &control_widgets, body), ERROR_NONE);
    snprintf(body, sizeof body, "{\"slug\":\"s-%s\",\"name\":\"n\",\"target_url\":\"https://a.example/\"}", name);
    assert_int_equal(control_fixture_create(fixture, &control_links, body), ERROR_NONE);
    assert_int_equal(control_fixture_create(fixture, &control_revenue_configs, "{\"name\":\"r\"}"), ERROR_NONE);
    fixture->call.tenant_id[0] = 0;
}

static void a_living_tenant_is_not_purged(void **state)
{
    struct control_fixture *fixture = *state;
    struct events events = {0};
    struct control_purge_report report = {0};
    char a[37];
    make_tenant(fixture, "a", a);
    assert_int_equal(control_purge_tenant(&fixture->call, a, take_events, &events, &report, &fixture->error),
                     ERROR_CONFLICT);
    assert_int_equal(control_purge_tenant(&fixture->call, fixture->defaults.region_id, take_events, &events, &report,
                                          &fixture->error),
                     ERROR_NOT_FOUND);
    assert_int_equal(events.count, 0);
}

static void all_of_a_purged_tenant_goes_and_nothing_of_another(void **state)
{
    struct control_fixture *fixture = *state;
    struct events events = {0};
    struct control_purge_report report = {0};
    char a[37], b[37], sql[256];
    make_tenant(fixture, "a", a);
    make_tenant(fixture, "b", b);
    assert_int_equal(control_resource_delete(&fixture->call, &control_tenants, slice_from_string(a), &fixture->error),
                     ERROR_NONE);
    if (control_purge_tenant(&fixture->call, a, take_events, &events, &report, &fixture->error))
        fail_msg("%s", fixture->error.message);
    assert_int_equal(events.count, 1);
    assert_string_equal(events.tenants[0], a);
    static const char *const core[] = {"tenants", "api_keys", "revenue_configs"};
    static const char *const product[] = {"dashboards", "widgets", "links"};
    for (size_t i = 0; i < sizeof core / sizeof *core; i++) {
        snprintf(sql, sizeof sql, "select count(*) from %s where tenant_id = '%s'", core[i], a);
        assert_int_equal(number_in(fixture, fixture->control.core, sql), 0);
        snprintf(sql, sizeof sql, "select count(*) from %s where tenant_id = '%s'", core[i], b);
        assert_true(number_in(fixture, fixture->control.core, sql) > 0);
    }
    for (size_t i = 0; i < sizeof product / sizeof *product; i++) {
        snprintf(sql, sizeof sql, "select count(*) from %s where tenant_id = '%s'", product[i], a);
        assert_int_equal(number_in(fixture, fixture->control.product, sql), 0);
        snprintf(sql, sizeof sql, "select count(*) from %s where tenant_id = '%s'", product[i], b);
        assert_int_equal(number_in(fixture, fixture->control.product, sql), 1);
    }
    /* The audit says what went, of all three stores. */
    assert_int_equal(control_fixture_audited(fixture, fixture->control.core, "tenant.purged"), 1);
    assert_int_equal(
        control_fixture_number(fixture,
                               "select count(*) from audit_outbox where event like '%tenant.purged%analytics.events%' "
                               "and event like '%core.api_keys%' and event like '%product.widgets%'"),
        1);
    assert_int_equal(control_purge_tenant(&fixture->call, a, take_events, &events, &report, &fixture->error),
                     ERROR_NOT_FOUND);
}

static void a_purge_that_was_cut_short_is_begun_anew(void **state)
{
    struct control_fixture *fixture = *state;
    struct events events = {.fails = true};
    struct control_purge_report report = {0};
    char a[37];
    make_tenant(fixture, "a", a);
    assert_int_equal(control_resource_delete(&fixture->call, &control_tenants, slice_from_string(a), &fixture->error),
                     ERROR_NONE);
    assert_int_equal(control_purge_tenant(&fixture->call, a, take_events, &events, &report, &fixture->error),
                     ERROR_UNAVAILABLE);
    assert_int_equal(number_in(fixture, fixture->control.product, "select count(*) from dashboards"), 1);
    assert_int_equal(control_fixture_audited(fixture, fixture->control.core, "tenant.purged"), 0);
    events.fails = false;
    assert_int_equal(control_purge_tenant(&fixture->call, a, take_events, &events, &report, &fixture->error),
                     ERROR_NONE);
    assert_int_equal(number_in(fixture, fixture->control.product, "select count(*) from dashboards"), 0);
}

static void only_what_was_deleted_90_days_ago_is_due(void **state)
{
    struct control_fixture *fixture = *state;
    struct events events = {0};
    char a[37], b[37];
    make_tenant(fixture, "a", a);
    make_tenant(fixture, "b", b);
    assert_int_equal(control_resource_delete(&fixture->call, &control_tenants, slice_from_string(a), &fixture->error),
                     ERROR_NONE);
    fixture->call.now_ms += 90 * DAY;
    assert_int_equal(control_purge_due(&fixture->call, take_events, &events, &fixture->error), ERROR_NONE);
    assert_int_equal(events.count, 0);
    fixture->call.now_ms += 1;
    if (control_purge_due(&fixture->call, take_events, &events, &fixture->error))
        fail_msg("%s", fixture->error.message);
    assert_int_equal(events.count, 1);
    assert_string_equal(events.tenants[0], a);
    assert_int_equal(control_fixture_number(fixture, "select count(*) from tenants"), 1);
}

/* An organization with all that can be in it. */
static void an_organization_goes_with_all_it_has(void **state)
{
    struct control_fixture *fixture = *state;
    struct events events = {0};
    char body[256], organization[37], workspace[37], sql[1024];
    fixture->call.actor.is_super = true;
    snprintf(body, sizeof body, "{\"name\":\"O\",\"region_id\":\"%s\"}", fixture->defaults.region_id);
    assert_int_equal(control_fixture_create(fixture, &control_organizations, body), ERROR_NONE);
    snprintf(organization, 37, "%s", control_fixture_member(fixture, "organization_id"));
    snprintf(fixture->call.organization_id, 37, "%s", organization);
    assert_int_equal(control_fixture_create(fixture, &control_workspaces, "{\"name\":\"W\"}"), ERROR_NONE);
    snprintf(workspace, 37, "%s", control_fixture_member(fixture, "workspace_id"));
    snprintf(body, sizeof body, "{\"name\":\"T\",\"workspace_id\":\"%s\"}", workspace);
    assert_int_equal(control_fixture_create(fixture, &control_tenants, body), ERROR_NONE);
    assert_int_equal(control_fixture_create(fixture, &control_roles, "{\"name\":\"R\"}"), ERROR_NONE);
    assert_int_equal(control_fixture_create(fixture, &control_subscriptions, "{\"plan_name\":\"free\"}"), ERROR_NONE);
    snprintf(sql, sizeof sql,
             "insert into users (user_id, organization_id, email, created_at, updated_at)"
             " values ('0192f0c1-0000-7000-8000-000000000001', '%s', 'a@a.example', 1, 1);"
             "insert into user_sessions (session_id, user_id, expires_at, last_used_at, created_at, updated_at)"
             " values ('0192f0c1-0000-7000-8000-000000000002', '0192f0c1-0000-7000-8000-000000000001', 9, 1, 1, 1);"
             "insert into refresh_tokens (token_id, session_id, user_id, token_hash, expires_at, created_at) values"
             " ('t', '0192f0c1-0000-7000-8000-000000000002', '0192f0c1-0000-7000-8000-000000000001',"
             " '0123456789012345678901234567890123456789012345678901234567890123', 9, 1);"
             "insert into user_roles (user_role_id, user_id, role_id, assigned_at)"
             " select 'ur', '0192f0c1-0000-7000-8000-000000000001', role_id, 1 from roles where name = 'R'",
             organization);
    control_fixture_execute(fixture, sql);
    fixture->call.organization_id[0] = 0;
    assert_int_equal(control_resource_delete(&fixture->call, &control_organizations, slice_from_string(organization),
                                             &fixture->error),
                     ERROR_NONE);
    fixture->call.now_ms += 91 * DAY;
    if (control_purge_due(&fixture->call, take_events, &events, &fixture->error))
        fail_msg("%s", fixture->error.message);
    assert_int_equal(events.count, 1);
    static const char *const empty[] = {"users", "user_sessions", "refresh_tokens", "user_roles", "tenants"};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        snprintf(sql, sizeof sql, "select count(*) from %s", empty[i]);
        assert_int_equal(control_fixture_number(fixture, sql), 0);
    }
    assert_int_equal(control_fixture_number(fixture, "select count(*) from organizations"), 1);
    assert_int_equal(control_fixture_number(fixture, "select count(*) from workspaces"), 1);
    assert_int_equal(control_fixture_number(fixture, "select count(*) from roles where organization_id is not null"),
                     0);
    assert_int_equal(number_in(fixture, fixture->control.billing, "select count(*) from subscriptions"), 0);
    static const char *const actions[] = {"tenant.purged", "workspace.purged", "organization.purged"};
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        assert_int_equal(control_fixture_audited(fixture, fixture->control.core, actions[i]), 1);
}

static void old_rows_of_living_tenants_go_and_widgets_with_their_dashboard(void **state)
{
    struct control_fixture *fixture = *state;
    struct events events = {0};
    char a[37];
    make_tenant(fixture, "a", a);
    snprintf(fixture->call.tenant_id, 37, "%s", a);
    assert_int_equal(control_fixture_list(fixture, &control_dashboards, (struct control_page){0}), 1);
    const char *dashboard = control_fixture_row_member(fixture, 0, "dashboard_id");
    assert_int_equal(
        control_resource_delete(&fixture->call, &control_dashboards, slice_from_string(dashboard), &fixture->error),
        ERROR_NONE);
    fixture->call.now_ms += 91 * DAY;
    if (control_purge_due(&fixture->call, take_events, &events, &fixture->error))
        fail_msg("%s", fixture->error.message);
    assert_int_equal(number_in(fixture, fixture->control.product, "select count(*) from dashboards"), 0);
    assert_int_equal(number_in(fixture, fixture->control.product, "select count(*) from widgets"), 0);
    assert_int_equal(number_in(fixture, fixture->control.product, "select count(*) from links"), 1);
    assert_int_equal(control_fixture_audited(fixture, fixture->control.product, "deleted_rows.purged"), 1);
    assert_int_equal(events.count, 0);
}

static void what_has_expired_is_cleaned_and_what_has_not_stays(void **state)
{
    struct control_fixture *fixture = *state;
    char sql[2048];
    int64_t now = fixture->call.now_ms;
    snprintf(
        sql, sizeof sql,
        "insert into users (user_id, organization_id, email, created_at, updated_at)"
        " values ('0192f0c1-0000-7000-8000-000000000001', '%s', 'a@a.example', 1, 1);"
        "insert into user_sessions (session_id, user_id, expires_at, last_used_at, created_at, updated_at) values"
        " ('0192f0c1-0000-7000-8000-000000000002', '0192f0c1-0000-7000-8000-000000000001', %lld, 1, 1, 1),"
        " ('0192f0c1-0000-7000-8000-000000000003', '0192f0c1-0000-7000-8000-000000000001', %lld, 1, 1, 1);"
        "insert into email_verifications (verification_id, user_id, token_hash, email, expires_at, created_at) values"
        " ('v1', '0192f0c1-0000-7000-8000-000000000001', "
        "'0123456789012345678901234567890123456789012345678901234567890123', 'a@a.example', %lld, 1),"
        " ('v2', '0192f0c1-0000-7000-8000-000000000001', "
        "'1123456789012345678901234567890123456789012345678901234567890123', 'a@a.example', %lld, 1)",
        fixture->defaults.organization_id, (long long)(now - 31 * DAY), (long long)(now - 29 * DAY),
        (long long)(now - 1), (long long)now);
    control_fixture_execute(fixture, sql);
    if (control_purge_expired(&fixture->call, &fixture->error)) fail_msg("%s", fixture->error.message);
    assert_int_equal(control_fixture_number(fixture, "select count(*) from user_sessions"), 1);
    assert_int_equal(control_fixture_number(fixture, "select count(*) from email_verifications"), 1);
}

/* A table with tenant_id that is added later must be purged too: SQLite tells which there are. */
static void no_table_of_tenants_is_forgotten(void **state)
{
    struct control_fixture *fixture = *state;
    char a[37];
    if (strcmp(fixture->backend->name, "sqlite") != 0) return;
    make_tenant(fixture, "a", a);
    assert_int_equal(
        control_fixture_number(fixture, "select count(*) from sqlite_master m join pragma_table_info(m.name) c where "
                                        "m.type = 'table' and c.name = 'tenant_id'"
                                        " and m.name not in ('tenants', 'users', 'roles', 'user_roles', 'api_keys', "
                                        "'revenue_configs')"),
        0);
    assert_int_equal(number_in(fixture, fixture->control.product,
                               "select count(*) from sqlite_master m join pragma_table_info(m.name) c where m.type = "
                               "'table' and c.name = 'tenant_id'"
                               " and m.name not in ('widgets', 'reports', 'dashboards', 'goals', 'funnels', "
                               "'annotations', 'target_groups', 'flags', 'links', 'flag_revisions', 'shares', 'cohorts')"),
                     0);
    assert_int_equal(number_in(fixture, fixture->control.billing,
                               "select count(*) from sqlite_master m join pragma_table_info(m.name) c where m.type = "
                               "'table' and c.name = 'tenant_id'"),
                     0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, control_fixture_setup, control_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_living_tenant_is_not_purged),
        TEST(all_of_a_purged_tenant_goes_and_nothing_of_another),
        TEST(a_purge_that_was_cut_short_is_begun_anew),
        TEST(only_what_was_deleted_90_days_ago_is_due),
        TEST(an_organization_goes_with_all_it_has),
        TEST(old_rows_of_living_tenants_go_and_widgets_with_their_dashboard),
        TEST(what_has_expired_is_cleaned_and_what_has_not_stays),
        TEST(no_table_of_tenants_is_forgotten),
    };
    return meta_test_run("purge", tests, sizeof tests / sizeof *tests, NULL, 0);
}
