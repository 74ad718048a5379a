/* SPDX-License-Identifier: Apache-2.0 */
/* Things by table, on every database: made, read in pages, changed, deleted, restored; scope, parents, conflicts,
 * events. */
#include "meta/test_backend.h"

#include "control/control_fixture.h"
#include "control/product.h"

static struct slice id_of(struct control_fixture *fixture, const char *name)
{
    return slice_from_string(control_fixture_member(fixture, name));
}

/* A second organization with a workspace and a tenant, made by the installation. */
struct tree {
    char organization[37], workspace[37], tenant[37];
};

static void make_tree(struct control_fixture *fixture, const char *name, struct tree *tree)
{
    char body[512];
    struct control_call *call = &fixture->call;
    call->organization_id[0] = call->tenant_id[0] = 0;
    call->actor.is_super = true;
    snprintf(body, sizeof body, "{\"name\":\"%s\",\"region_id\":\"%s\"}", name, fixture->defaults.region_id);
    assert_int_equal(control_fixture_create(fixture, &control_organizations, body), ERROR_NONE);
    snprintf(tree->organization, 37, "%s", control_fixture_member(fixture, "organization_id"));
    snprintf(call->organization_id, 37, "%s", tree->organization);
    snprintf(body, sizeof body, "{\"name\":\"%s\"}", name);
    assert_int_equal(control_fixture_create(fixture, &control_workspaces, body), ERROR_NONE);
    snprintf(tree->workspace, 37, "%s", control_fixture_member(fixture, "workspace_id"));
    snprintf(body, sizeof body, "{\"name\":\"%s\",\"workspace_id\":\"%s\"}", name, tree->workspace);
    assert_int_equal(control_fixture_create(fixture, &control_tenants, body), ERROR_NONE);
    snprintf(tree->tenant, 37, "%s", control_fixture_member(fixture, "tenant_id"));
    snprintf(call->tenant_id, 37, "%s", tree->tenant);
    call->actor.is_super = false;
}

static void a_thing_is_made_read_changed_deleted_and_restored(void **state)
{
    struct control_fixture *fixture = *state;
    struct tree tree;
    make_tree(fixture, "My Shop!", &tree);
    struct slice id = slice_from_string(tree.tenant);
    assert_int_equal(control_fixture_get(fixture, &control_tenants, tree.tenant), ERROR_NONE);
    assert_string_equal(control_fixture_member(fixture, "code"), "my-shop");
    assert_string_equal(control_fixture_member(fixture, "is_active"), "true");
    assert_string_equal(control_fixture_member(fixture, "settings"), "{}");
    assert_string_equal(control_fixture_member(fixture, "deleted_at"), "null");
    assert_string_equal(control_fixture_member(fixture, "created_at"), "2026-01-31T12:00:00.000Z");

    fixture->call.now_ms += 1000;
    assert_int_equal(
        control_fixture_update(fixture, &control_tenants, tree.tenant,
                               "{\"name\":\"Shop\",\"is_active\":false,\"settings\":{\"a\":[1,true,\"x\"]},"
                               "\"domain\":\"shop.example\"}"),
        ERROR_NONE);
    assert_string_equal(control_fixture_member(fixture, "name"), "Shop");
    assert_string_equal(control_fixture_member(fixture, "is_active"), "false");
    assert_string_equal(control_fixture_member(fixture, "code"), "my-shop");
    assert_string_equal(control_fixture_member(fixture, "updated_at"), "2026-01-31T12:00:01.000Z");
    assert_non_null(strstr(control_fixture_member(fixture, "settings"), "true"));

    assert_int_equal(control_resource_delete(&fixture->call, &control_tenants, id, &fixture->error), ERROR_NONE);
    assert_int_equal(control_fixture_get(fixture, &control_tenants, tree.tenant), ERROR_NOT_FOUND);
    assert_int_equal(control_resource_delete(&fixture->call, &control_tenants, id, &fixture->error), ERROR_NOT_FOUND);
    assert_int_equal(control_fixture_update(fixture, &control_tenants, tree.tenant, "{\"name\":\"x\"}"),
                     ERROR_NOT_FOUND);
    assert_int_equal(control_fixture_list(fixture, &control_tenants, (struct control_page){0}), 0);
    assert_int_equal(control_fixture_list(fixture, &control_tenants, (struct control_page){.include_deleted = true}),
                     1);

    buffer_clear(&fixture->out);
    assert_int_equal(control_resource_restore(&fixture->call, &control_tenants, id, &fixture->out, &fixture->error),
                     ERROR_NONE);
    assert_string_equal(control_fixture_member(fixture, "deleted_at"), "null");
    assert_int_equal(control_resource_restore(&fixture->call, &control_tenants, id, &fixture->out, &fixture->error),
                     ERROR_NOT_FOUND);
}

static void every_change_has_its_audit_event_and_raises_the_revision_where_access_changes(void **state)
{
    struct control_fixture *fixture = *state;
    struct tree tree;
    make_tree(fixture, "A", &tree);
    struct slice id = slice_from_string(tree.tenant);
    int64_t revision = control_fixture_number(fixture, "select revision from access_revision");
    assert_int_equal(control_fixture_update(fixture, &control_tenants, tree.tenant, "{\"domain\":\"a.example\"}"),
                     ERROR_NONE);
    assert_int_equal(control_fixture_number(fixture, "select revision from access_revision"), revision);
    assert_int_equal(control_fixture_update(fixture, &control_tenants, tree.tenant, "{\"is_active\":false}"),
                     ERROR_NONE);
    assert_int_equal(control_fixture_number(fixture, "select revision from access_revision"), revision + 1);
    assert_int_equal(control_resource_delete(&fixture->call, &control_tenants, id, &fixture->error), ERROR_NONE);
    buffer_clear(&fixture->out);
    assert_int_equal(control_resource_restore(&fixture->call, &control_tenants, id, &fixture->out, &fixture->error),
                     ERROR_NONE);
    assert_int_equal(control_fixture_number(fixture, "select revision from access_revision"), revision + 3);
    static const char *const actions[] = {"organization.created", "workspace.created", "tenant.created",
                                          "tenant.deleted", "tenant.restored"};
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        assert_true(control_fixture_audited(fixture, fixture->control.core, actions[i]) >= 1);
    assert_int_equal(control_fixture_audited(fixture, fixture->control.core, "tenant.updated"), 2);
    /* An update of nothing is none. */
    assert_int_equal(control_fixture_update(fixture, &control_tenants, tree.tenant, "{}"), ERROR_NONE);
    assert_int_equal(control_fixture_audited(fixture, fixture->control.core, "tenant.updated"), 2);
    /* What is refused leaves no event. */
    assert_int_equal(control_fixture_create(fixture, &control_workspaces, "{\"name\":\"A\",\"code\":\"a\"}"),
                     ERROR_CONFLICT);
    assert_int_equal(control_fixture_audited(fixture, fixture->control.core, "workspace.created"), 2); /* default, A */
}

static void codes_made_from_names_are_unique_and_given_ones_conflict(void **state)
{
    struct control_fixture *fixture = *state;
    struct tree tree;
    make_tree(fixture, "My Shop", &tree);
    char body[256];
    snprintf(body, sizeof body, "{\"name\":\"My  shop\",\"workspace_id\":\"%s\"}", tree.workspace);
    assert_int_equal(control_fixture_create(fixture, &control_tenants, body), ERROR_NONE);
    assert_string_equal(control_fixture_member(fixture, "code"), "my-shop-2");
    assert_int_equal(control_fixture_create(fixture, &control_tenants, body), ERROR_NONE);
    assert_string_equal(control_fixture_member(fixture, "code"), "my-shop-3");
    snprintf(body, sizeof body, "{\"name\":\"\xc3\xa9\",\"workspace_id\":\"%s\"}", tree.workspace);
    assert_int_equal(control_fixture_create(fixture, &control_tenants, body), ERROR_NONE);
    assert_string_equal(control_fixture_member(fixture, "code"), "tenant");
    snprintf(body, sizeof body, "{\"name\":\"x\",\"code\":\"my-shop\",\"workspace_id\":\"%s\"}", tree.workspace);
    assert_int_equal(control_fixture_create(fixture, &control_tenants, body), ERROR_CONFLICT);
    assert_string_equal(fixture->error.field, "code");
    assert_string_equal(fixture->error.message, "there is already a tenant with this code");
}

static void nothing_of_another_organization_is_reached(void **state)
{
    struct control_fixture *fixture = *state;
    struct tree a, b;
    char body[256];
    make_tree(fixture, "A", &a);
    make_tree(fixture, "B", &b);
    /* The call is now one of B. */
    const struct { const struct control_resource *resource; const char *id; } rows[] = {
        {&control_organizations, a.organization}, {&control_workspaces, a.workspace}, {&control_tenants, a.tenant}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slice id = slice_from_string(rows[i].id);
        assert_int_equal(control_fixture_get(fixture, rows[i].resource, rows[i].id), ERROR_NOT_FOUND);
        assert_int_equal(control_fixture_update(fixture, rows[i].resource, rows[i].id, "{\"name\":\"mine\"}"),
                         ERROR_NOT_FOUND);
        assert_int_equal(control_resource_delete(&fixture->call, rows[i].resource, id, &fixture->error),
                         ERROR_NOT_FOUND);
        assert_int_equal(control_resource_restore(&fixture->call, rows[i].resource, id, &fixture->out, &fixture->error),
                         ERROR_NOT_FOUND);
        assert_int_equal(control_fixture_list(fixture, rows[i].resource, (struct control_page){0}), 1);
    }
    snprintf(body, sizeof body, "{\"name\":\"x\",\"workspace_id\":\"%s\"}", a.workspace);
    assert_int_equal(control_fixture_create(fixture, &control_tenants, body), ERROR_INVALID);
    assert_string_equal(fixture->error.field, "workspace_id");
    /* Another tenant's dashboard is no parent either. */
    snprintf(fixture->call.tenant_id, 37, "%s", a.tenant);
    assert_int_equal(control_fixture_create(fixture, &control_dashboards, "{\"name\":\"d\"}"), ERROR_NONE);
    char dashboard[37];
    snprintf(dashboard, 37, "%s", control_fixture_member(fixture, "dashboard_id"));
    snprintf(fixture->call.tenant_id, 37, "%s", b.tenant);
    snprintf(body, sizeof body, "{\"dashboard_id\":\"%s\",\"title\":\"t\",\"widget_type\":\"stat\"}", dashboard);
    assert_int_equal(control_fixture_create(fixture, &control_widgets, body), ERROR_INVALID);
    assert_string_equal(fixture->error.field, "dashboard_id");
    assert_int_equal(control_fixture_get(fixture, &control_dashboards, dashboard), ERROR_NOT_FOUND);
    /* Everybody sees regions; who has chosen nothing is told to. */
    assert_int_equal(control_fixture_get(fixture, &control_regions, fixture->defaults.region_id), ERROR_NONE);
    fixture->call.organization_id[0] = fixture->call.tenant_id[0] = 0;
    assert_int_equal(control_fixture_get(fixture, &control_tenants, b.tenant), ERROR_INVALID);
    assert_string_equal(fixture->error.field, "Millrace-Organization");
    assert_int_equal(control_fixture_create(fixture, &control_dashboards, "{\"name\":\"d\"}"), ERROR_INVALID);
    assert_string_equal(fixture->error.field, "Millrace-Tenant");
    /* The installation sees all. */
    fixture->call.actor.is_super = true;
    assert_int_equal(control_fixture_list(fixture, &control_tenants, (struct control_page){0}), 2);
    assert_int_equal(control_fixture_list(fixture, &control_organizations, (struct control_page){0}), 3);
}

static void children_hide_with_their_parent_and_are_not_restored_before_it(void **state)
{
    struct control_fixture *fixture = *state;
    struct tree tree;
    make_tree(fixture, "A", &tree);
    struct slice tenant = slice_from_string(tree.tenant), workspace = slice_from_string(tree.workspace);
    assert_int_equal(control_resource_delete(&fixture->call, &control_workspaces, workspace, &fixture->error),
                     ERROR_NONE);
    assert_int_equal(control_fixture_get(fixture, &control_tenants, tree.tenant), ERROR_NOT_FOUND);
    assert_int_equal(control_fixture_list(fixture, &control_tenants, (struct control_page){0}), 0);
    assert_int_equal(control_fixture_list(fixture, &control_tenants, (struct control_page){.include_deleted = true}),
                     1);
    assert_int_equal(
        control_resource_restore(&fixture->call, &control_workspaces, workspace, &fixture->out, &fixture->error),
        ERROR_NONE);
    assert_int_equal(control_resource_delete(&fixture->call, &control_tenants, tenant, &fixture->error), ERROR_NONE);
    assert_int_equal(control_resource_delete(&fixture->call, &control_workspaces, workspace, &fixture->error),
                     ERROR_NONE);
    assert_int_equal(control_resource_restore(&fixture->call, &control_tenants, tenant, &fixture->out, &fixture->error),
                     ERROR_CONFLICT);
    assert_string_equal(fixture->error.field, "workspace_id");
    assert_int_equal(control_fixture_number(fixture, "select count(*) from tenants where deleted_at is null"), 0);
}

static void restoring_what_somebody_else_replaced_is_a_conflict(void **state)
{
    struct control_fixture *fixture = *state;
    struct tree tree;
    make_tree(fixture, "A", &tree);
    assert_int_equal(control_fixture_create(fixture, &control_links,
                                            "{\"slug\":\"abc\",\"name\":\"n\",\"target_url\":\"https://a.example/\"}"),
                     ERROR_NONE);
    char first[37];
    snprintf(first, 37, "%s", control_fixture_member(fixture, "link_id"));
    assert_int_equal(control_resource_delete(&fixture->call, &control_links, slice_from_string(first), &fixture->error),
                     ERROR_NONE);
    assert_int_equal(control_fixture_create(fixture, &control_links,
                                            "{\"slug\":\"abc\",\"name\":\"n\",\"target_url\":\"https://b.example/\"}"),
                     ERROR_NONE);
    assert_int_equal(control_resource_restore(&fixture->call, &control_links, slice_from_string(first), &fixture->out,
                                              &fixture->error),
                     ERROR_CONFLICT);
    assert_string_equal(fixture->error.field, "slug");
    assert_int_equal(control_fixture_audited(fixture, fixture->control.product, "link.created"), 2);
    assert_int_equal(control_fixture_audited(fixture, fixture->control.product, "link.restored"), 0);
}

static void pages_neither_skip_nor_repeat_while_rows_come_and_go(void **state)
{
    struct control_fixture *fixture = *state;
    struct tree tree;
    char body[64], cursor[128] = "";
    bool seen[25] = {0};
    make_tree(fixture, "A", &tree);
    for (int i = 0; i < 23; i++) {
        if (i % 4 == 0) fixture->call.now_ms++; /* several share a millisecond */
        snprintf(body, sizeof body, "{\"name\":\"d%d\"}", i);
        assert_int_equal(control_fixture_create(fixture, &control_dashboards, body), ERROR_NONE);
    }
    int total = 0;
    for (int pages = 0; pages < 10; pages++) {
        struct control_page page = {.limit = 5, .cursor = slice_from_string(cursor)};
        size_t rows = control_fixture_list(fixture, &control_dashboards, page);
        for (size_t i = 0; i < rows; i++) {
            int number = atol(control_fixture_row_member(fixture, i, "name") + 1);
            assert_false(seen[number]);
            seen[number] = true;
            total++;
            /* What was read already is deleted, and something new comes: neither moves the rest. */
            if (i == 0)
                assert_int_equal(
                    control_resource_delete(&fixture->call, &control_dashboards,
                                            slice_from_string(control_fixture_row_member(fixture, i, "dashboard_id")),
                                            &fixture->error),
                    ERROR_NONE);
        }
        snprintf(cursor, sizeof cursor, "%s", control_fixture_member(fixture, "next_cursor"));
        if (strcmp(cursor, "null") == 0) break;
        if (pages == 0) {
            fixture->call.now_ms++;
            struct buffer made = {0};
            assert_int_equal(control_resource_create(&fixture->call, &control_dashboards,
                                                     control_fixture_json(fixture, "{\"name\":\"d23\"}"), &made,
                                                     &fixture->error),
                             ERROR_NONE);
            buffer_free(&made);
        }
    }
    assert_int_equal(total, 24);
    static const char *const bad[] = {"x", "!!!!", "MTIz", "MTIzLDQ1Ng"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct control_page page = {.cursor = slice_from_string(bad[i])};
        buffer_clear(&fixture->out);
        assert_int_equal(
            control_resource_list(&fixture->call, &control_dashboards, &page, &fixture->out, &fixture->error),
            ERROR_INVALID);
        assert_string_equal(fixture->error.field, "cursor");
        assert_int_equal(fixture->out.size, 0);
    }
    struct control_page page = {.limit = 201};
    assert_int_equal(control_resource_list(&fixture->call, &control_dashboards, &page, &fixture->out, &fixture->error),
                     ERROR_INVALID);
    assert_string_equal(fixture->error.field, "limit");
}

static void input_never_becomes_sql(void **state)
{
    static const char *const ids[] = {"", "'", "x' or '1'='1", "00000000-0000-0000-0000-00000000000'", "\xff\xfe"};
    struct control_fixture *fixture = *state;
    struct tree tree;
    make_tree(fixture, "A", &tree);
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        assert_int_equal(control_fixture_get(fixture, &control_tenants, ids[i]), ERROR_NOT_FOUND);
    assert_int_equal(
        control_fixture_create(fixture, &control_dashboards, "{\"name\":\"'); drop table dashboards; --\"}"),
        ERROR_NONE);
    assert_string_equal(control_fixture_member(fixture, "name"), "'); drop table dashboards; --");
    assert_int_equal(control_fixture_create(fixture, &control_dashboards, "{\"name\\\" = 1\":\"x\",\"name\":\"y\"}"),
                     ERROR_INVALID);
}

static void a_kind_has_at_most_its_limit(void **state)
{
    struct control_fixture *fixture = *state;
    struct tree tree;
    make_tree(fixture, "A", &tree);
    struct control_resource few = control_dashboards;
    few.limit = 2;
    few.limit_reason = "two are enough";
    assert_int_equal(control_fixture_create(fixture, &few, "{\"name\":\"1\"}"), ERROR_NONE);
    char first[37];
    snprintf(first, 37, "%s", control_fixture_member(fixture, "dashboard_id"));
    assert_int_equal(control_fixture_create(fixture, &few, "{\"name\":\"2\"}"), ERROR_NONE);
    assert_int_equal(control_fixture_create(fixture, &few, "{\"name\":\"3\"}"), ERROR_CONFLICT);
    assert_string_equal(fixture->error.message, "there can be at most 2 dashboards here: two are enough");
    assert_int_equal(control_resource_delete(&fixture->call, &few, slice_from_string(first), &fixture->error),
                     ERROR_NONE);
    assert_int_equal(control_fixture_create(fixture, &few, "{\"name\":\"3\"}"), ERROR_NONE);
    assert_int_equal(
        control_resource_restore(&fixture->call, &few, slice_from_string(first), &fixture->out, &fixture->error),
        ERROR_CONFLICT);
}

static void what_is_in_use_is_not_removed(void **state)
{
    struct control_fixture *fixture = *state;
    fixture->call.actor.is_super = true;
    assert_int_equal(control_resource_delete(&fixture->call, &control_regions,
                                             slice_from_string(fixture->defaults.region_id), &fixture->error),
                     ERROR_CONFLICT);
    assert_int_equal(control_fixture_create(fixture, &control_regions, "{\"name\":\"North\"}"), ERROR_NONE);
    assert_int_equal(
        control_resource_delete(&fixture->call, &control_regions, id_of(fixture, "region_id"), &fixture->error),
        ERROR_NONE);
    assert_int_equal(control_fixture_list(fixture, &control_regions, (struct control_page){0}), 1);
}

/* Every table: what is asked for is written, and all columns exist on every database. */
static void every_kind_can_be_listed(void **state)
{
    struct control_fixture *fixture = *state;
    struct tree tree;
    make_tree(fixture, "A", &tree);
    for (size_t i = 0; control_resources[i]; i++) {
        struct control_page page = {0};
        buffer_clear(&fixture->out);
        if (control_resource_list(&fixture->call, control_resources[i], &page, &fixture->out, &fixture->error))
            fail_msg("%s: %s", control_resources[i]->plural, fixture->error.message);
        assert_ptr_equal(control_resource_find(slice_from_string(control_resources[i]->plural)), control_resources[i]);
    }
    assert_null(control_resource_find(SLICE("nothing")));
}

static void created_by_is_who_made_it(void **state)
{
    struct control_fixture *fixture = *state;
    struct tree tree;
    make_tree(fixture, "A", &tree);
    fixture->call.actor.kind = CONTROL_ACTOR_USER;
    snprintf(fixture->call.actor.id, 37, "%s", "0192f0c1-0000-7000-8000-0000000000ab");
    assert_int_equal(control_fixture_create(fixture, &control_dashboards, "{\"name\":\"d\",\"is_public\":true}"),
                     ERROR_NONE);
    assert_string_equal(control_fixture_member(fixture, "created_by"), fixture->call.actor.id);
    assert_string_equal(control_fixture_member(fixture, "is_public"), "true");
    assert_string_equal(control_fixture_member(fixture, "tenant_id"), tree.tenant);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, control_fixture_setup, control_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_thing_is_made_read_changed_deleted_and_restored),
        TEST(every_change_has_its_audit_event_and_raises_the_revision_where_access_changes),
        TEST(codes_made_from_names_are_unique_and_given_ones_conflict),
        TEST(nothing_of_another_organization_is_reached),
        TEST(children_hide_with_their_parent_and_are_not_restored_before_it),
        TEST(restoring_what_somebody_else_replaced_is_a_conflict),
        TEST(pages_neither_skip_nor_repeat_while_rows_come_and_go),
        TEST(input_never_becomes_sql),
        TEST(a_kind_has_at_most_its_limit),
        TEST(what_is_in_use_is_not_removed),
        TEST(every_kind_can_be_listed),
        TEST(created_by_is_who_made_it),
    };
    return meta_test_run("resource", tests, sizeof tests / sizeof *tests, NULL, 0);
}
