/* SPDX-License-Identifier: Apache-2.0 */
/* The decision, over everything: each role, each permission, each place; then denials, ends and what is not active. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tenant/tenant.h"

#define NOW_MS 1000000

enum place { OWN_TENANT, SIBLING_TENANT, FOREIGN_TENANT, NO_TENANT, OWN_ORGANIZATION, FOREIGN_ORGANIZATION, INSTALLATION, PLACE_COUNT };
static const struct tenant_scope places[PLACE_COUNT] = {
    [OWN_TENANT] = {TENANT_SCOPE_TENANT, "t-own"},
    [SIBLING_TENANT] = {TENANT_SCOPE_TENANT, "t-sibling"},
    [FOREIGN_TENANT] = {TENANT_SCOPE_TENANT, "t-foreign"},
    [NO_TENANT] = {TENANT_SCOPE_TENANT, "t-nowhere"},
    [OWN_ORGANIZATION] = {TENANT_SCOPE_ORGANIZATION, "o-own"},
    [FOREIGN_ORGANIZATION] = {TENANT_SCOPE_ORGANIZATION, "o-foreign"},
    [INSTALLATION] = {TENANT_SCOPE_INSTALLATION, NULL},
};

struct world {
    struct tenant_snapshot *snapshot;
    struct tenant_organization *own, *foreign;
    struct tenant_info *tenants[3]; /* by the first three places */
    struct tenant_user *user;
    struct tenant_subject subject;
};

static void world_create(struct world *w)
{
    w->snapshot = tenant_snapshot_create();
    w->own = tenant_snapshot_add_organization(w->snapshot, &(struct tenant_organization){.id = "o-own", .active = true});
    w->foreign = tenant_snapshot_add_organization(w->snapshot, &(struct tenant_organization){.id = "o-foreign", .active = true});
    for (int i = 0; i < 3; i++) {
        struct tenant_info info = {.active = true, .organization = i == FOREIGN_TENANT ? w->foreign : w->own};
        snprintf(info.id, sizeof info.id, "%s", places[i].id);
        w->tenants[i] = tenant_snapshot_add_tenant(w->snapshot, &info);
    }
    w->user = tenant_snapshot_add_user(w->snapshot, &(struct tenant_user){.id = "u", .organization = w->own, .active = true});
    w->subject = (struct tenant_subject){.kind = TENANT_SUBJECT_USER, .user = w->user};
}

static void give(struct world *w, enum tenant_role_type role, const struct tenant_info *tenant, int64_t expires_ms)
{
    struct tenant_assignment assignment = {.tenant = tenant, .is_super = role == TENANT_ROLE_SUPER_ADMIN,
                                           .allowed = tenant_role_permissions(role), .expires_ms = expires_ms};
    assert_true(tenant_snapshot_add_assignment(w->snapshot, w->user, &assignment));
}

static enum error_code decide(const struct world *w, enum place place, enum tenant_permission permission)
{
    struct error error = {0};
    enum error_code code = tenant_access_decide(w->snapshot, &w->subject, places[place], permission, NOW_MS, &error);
    if (code) assert_true(error.message[0]);
    return code;
}

/* Letters again from the file, so that the table in the program is checked against it. */
static const char *const letters[TENANT_PERMISSION_COUNT] = {
#define PERMISSION(name, resource, action, roles, key, description) [TENANT_##name] = roles,
#include "tenant/permission.def"
#undef PERMISSION
};
static bool has(enum tenant_role_type role, enum tenant_permission permission)
{
    static const char role_letters[] = {[TENANT_ROLE_ADMIN] = 'A', [TENANT_ROLE_DEVELOPER] = 'D', [TENANT_ROLE_VIEWER] = 'V',
                                        [TENANT_ROLE_DEMO] = 'M', [TENANT_ROLE_SERVICE] = 'S', [TENANT_ROLE_CUSTOM] = 0};
    if (role == TENANT_ROLE_SUPER_ADMIN) return true;
    return role_letters[role] && strchr(letters[permission], role_letters[role]);
}

/* What somebody who has the permission, and who has it not, is told in each place. */
struct told {
    enum error_code with, without;
};
#define YES ERROR_NONE
#define NO ERROR_FORBIDDEN
#define NONE ERROR_NOT_FOUND

static void check_all(struct world *w, enum tenant_role_type role, const struct told told[PLACE_COUNT], const char *what)
{
    for (size_t p = 0; p < PLACE_COUNT; p++)
        for (size_t i = 0; i < TENANT_PERMISSION_COUNT; i++) {
            enum tenant_permission permission = (enum tenant_permission)i;
            enum error_code expected = has(role, permission) ? told[p].with : told[p].without;
            enum error_code code = decide(w, (enum place)p, permission);
            if (code != expected)
                fail_msg("%s as %s, place %zu, %s: %s, not %s", tenant_role_type_name(role), what, p,
                         tenant_permissions[i].name, error_code_name(code), error_code_name(expected));
            struct tenant_permission_set set = tenant_access_permissions(w->snapshot, &w->subject, places[p], NOW_MS);
            assert_int_equal(code == ERROR_NONE, tenant_permission_has(&set, permission));
        }
}

static void every_role_may_what_the_table_says_where_it_was_given(void **state)
{
    static const struct told in_organization[PLACE_COUNT] = {
        [OWN_TENANT] = {YES, NO},       [SIBLING_TENANT] = {YES, NO},       [FOREIGN_TENANT] = {NONE, NONE}, [NO_TENANT] = {NONE, NONE},
        [OWN_ORGANIZATION] = {YES, NO}, [FOREIGN_ORGANIZATION] = {NONE, NONE}, [INSTALLATION] = {NO, NO},
    };
    static const struct told in_tenant[PLACE_COUNT] = {
        [OWN_TENANT] = {YES, NO},      [SIBLING_TENANT] = {NONE, NONE},       [FOREIGN_TENANT] = {NONE, NONE}, [NO_TENANT] = {NONE, NONE},
        [OWN_ORGANIZATION] = {NO, NO}, [FOREIGN_ORGANIZATION] = {NONE, NONE}, [INSTALLATION] = {NO, NO},
    };
    static const struct told everywhere[PLACE_COUNT] = {
        [OWN_TENANT] = {YES, YES},       [SIBLING_TENANT] = {YES, YES},       [FOREIGN_TENANT] = {YES, YES}, [NO_TENANT] = {NONE, NONE},
        [OWN_ORGANIZATION] = {YES, YES}, [FOREIGN_ORGANIZATION] = {YES, YES}, [INSTALLATION] = {YES, YES},
    };
    for (int role = 0; role < TENANT_ROLE_TYPE_COUNT; role++) {
        struct world w;
        world_create(&w);
        give(&w, role, NULL, 0);
        check_all(&w, role, role == TENANT_ROLE_SUPER_ADMIN ? everywhere : in_organization, "role of the organization");
        tenant_snapshot_release(w.snapshot);
        world_create(&w);
        give(&w, role, w.tenants[OWN_TENANT], NOW_MS + 1);
        check_all(&w, role, in_tenant, "role of a tenant");
        tenant_snapshot_release(w.snapshot);
    }
}

static void nobody_and_a_user_without_roles_may_nothing(void **state)
{
    struct world w;
    world_create(&w);
    for (size_t p = 0; p < PLACE_COUNT; p++)
        for (size_t i = 0; i <= TENANT_PERMISSION_COUNT; i++) {
            w.subject.kind = TENANT_SUBJECT_USER;
            bool known = p == OWN_ORGANIZATION || p == INSTALLATION;
            assert_int_equal(known ? ERROR_FORBIDDEN : ERROR_NOT_FOUND, decide(&w, p, i));
            w.subject.kind = TENANT_SUBJECT_NOBODY;
            assert_int_equal(ERROR_UNAUTHENTICATED, decide(&w, p, i));
        }
    tenant_snapshot_release(w.snapshot);
}

static void a_denial_beats_every_grant(void **state)
{
    struct world w;
    world_create(&w);
    struct tenant_assignment denial = {.tenant = w.tenants[OWN_TENANT]};
    tenant_permission_add(&denial.denied, TENANT_EVENTS_READ);
    tenant_permission_add(&denial.allowed, TENANT_EVENTS_READ);
    tenant_snapshot_add_assignment(w.snapshot, w.user, &denial);
    give(&w, TENANT_ROLE_ADMIN, NULL, 0);
    give(&w, TENANT_ROLE_SUPER_ADMIN, NULL, 0);
    /* In its tenant, and only there. */
    assert_int_equal(ERROR_FORBIDDEN, decide(&w, OWN_TENANT, TENANT_EVENTS_READ));
    assert_int_equal(ERROR_NONE, decide(&w, OWN_TENANT, TENANT_EVENTS_WRITE));
    assert_int_equal(ERROR_NONE, decide(&w, SIBLING_TENANT, TENANT_EVENTS_READ));
    /* Without a tenant: everywhere. */
    denial.tenant = NULL;
    tenant_snapshot_add_assignment(w.snapshot, w.user, &denial);
    for (int p = 0; p < PLACE_COUNT; p++)
        if (p != NO_TENANT) assert_int_equal(ERROR_FORBIDDEN, decide(&w, p, TENANT_EVENTS_READ));
    tenant_snapshot_release(w.snapshot);
}

static void an_assignment_ends_at_its_time(void **state)
{
    struct world w;
    world_create(&w);
    give(&w, TENANT_ROLE_ADMIN, NULL, NOW_MS);
    assert_int_equal(ERROR_NOT_FOUND, decide(&w, OWN_TENANT, TENANT_EVENTS_READ));
    /* A denial that has ended denies nothing either. */
    struct tenant_assignment denial = {.expires_ms = NOW_MS};
    tenant_permission_add(&denial.denied, TENANT_EVENTS_READ);
    tenant_snapshot_add_assignment(w.snapshot, w.user, &denial);
    give(&w, TENANT_ROLE_VIEWER, NULL, NOW_MS + 1);
    assert_int_equal(ERROR_NONE, decide(&w, OWN_TENANT, TENANT_EVENTS_READ));
    assert_int_equal(ERROR_FORBIDDEN, decide(&w, OWN_TENANT, TENANT_EVENTS_WRITE));
    tenant_snapshot_release(w.snapshot);
}

static void what_is_not_active_is_for_super_admins_alone(void **state)
{
    struct world w;
    world_create(&w);
    give(&w, TENANT_ROLE_ADMIN, NULL, 0);
    w.tenants[OWN_TENANT]->active = false;
    assert_int_equal(ERROR_FORBIDDEN, decide(&w, OWN_TENANT, TENANT_EVENTS_READ));
    assert_int_equal(ERROR_NONE, decide(&w, SIBLING_TENANT, TENANT_EVENTS_READ));
    w.own->active = false;
    assert_int_equal(ERROR_FORBIDDEN, decide(&w, SIBLING_TENANT, TENANT_EVENTS_READ));
    assert_int_equal(ERROR_FORBIDDEN, decide(&w, OWN_ORGANIZATION, TENANT_TENANTS_READ));
    give(&w, TENANT_ROLE_SUPER_ADMIN, NULL, 0);
    assert_int_equal(ERROR_NONE, decide(&w, OWN_TENANT, TENANT_TENANTS_WRITE));
    assert_int_equal(ERROR_NONE, decide(&w, OWN_ORGANIZATION, TENANT_ORGANIZATIONS_WRITE));
    w.user->active = false;
    for (int p = 0; p < PLACE_COUNT; p++)
        assert_int_equal(ERROR_UNAUTHENTICATED, decide(&w, p, TENANT_EVENTS_READ));
    tenant_snapshot_release(w.snapshot);
}

static void a_key_reaches_its_tenant_and_nothing_else(void **state)
{
    struct world w;
    world_create(&w);
    struct tenant_key key = {.tenant = w.tenants[OWN_TENANT], .expires_ms = NOW_MS + 1};
    w.subject = (struct tenant_subject){.kind = TENANT_SUBJECT_KEY, .key = &key};
    static const enum error_code elsewhere[PLACE_COUNT] = {
        [SIBLING_TENANT] = NONE, [FOREIGN_TENANT] = NONE, [NO_TENANT] = NONE, [OWN_ORGANIZATION] = NONE,
        [FOREIGN_ORGANIZATION] = NONE, [INSTALLATION] = NO};
    for (size_t given = 0; given < TENANT_PERMISSION_COUNT; given++) {
        key.permissions = (struct tenant_permission_set){{0}};
        tenant_permission_add(&key.permissions, given);
        for (size_t asked = 0; asked < TENANT_PERMISSION_COUNT; asked++)
            assert_int_equal(asked == given ? YES : NO, decide(&w, OWN_TENANT, asked));
        for (int p = SIBLING_TENANT; p < PLACE_COUNT; p++) assert_int_equal(elsewhere[p], decide(&w, p, given));
    }
    enum tenant_permission last = TENANT_PERMISSION_COUNT - 1;
    key.expires_ms = NOW_MS;
    assert_int_equal(ERROR_UNAUTHENTICATED, decide(&w, OWN_TENANT, last));
    key.expires_ms = 0;
    key.revoked = true;
    assert_int_equal(ERROR_UNAUTHENTICATED, decide(&w, OWN_TENANT, last));
    key.revoked = false;
    w.tenants[OWN_TENANT]->active = false;
    assert_int_equal(ERROR_FORBIDDEN, decide(&w, OWN_TENANT, last));
    tenant_snapshot_release(w.snapshot);
}

static void names_are_found_again(void **state)
{
    for (size_t i = 0; i < TENANT_PERMISSION_COUNT; i++) {
        assert_int_equal(i, tenant_permission_find(slice_from_string(tenant_permissions[i].name)));
        /* No developer deletes, but a leaked key; and nothing that writes is safe to publish but sending. */
        bool deletes = strcmp(tenant_permissions[i].action, "delete") == 0 && i != TENANT_KEYS_DELETE;
        if (deletes) assert_false(has(TENANT_ROLE_DEVELOPER, i));
        if (tenant_permissions[i].key == 'W') assert_string_equal("write", tenant_permissions[i].action);
    }
    assert_int_equal(TENANT_PERMISSION_COUNT, tenant_permission_find(SLICE("events")));
    assert_int_equal(TENANT_PERMISSION_COUNT, tenant_permission_find(SLICE("")));
    for (int i = 0; i < TENANT_ROLE_TYPE_COUNT; i++)
        assert_int_equal(i, tenant_role_type_find(slice_from_string(tenant_role_type_name(i))));
    assert_int_equal(TENANT_ROLE_TYPE_COUNT, tenant_role_type_find(SLICE("root")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_role_may_what_the_table_says_where_it_was_given),
        cmocka_unit_test(nobody_and_a_user_without_roles_may_nothing),
        cmocka_unit_test(a_denial_beats_every_grant),
        cmocka_unit_test(an_assignment_ends_at_its_time),
        cmocka_unit_test(what_is_not_active_is_for_super_admins_alone),
        cmocka_unit_test(a_key_reaches_its_tenant_and_nothing_else),
        cmocka_unit_test(names_are_found_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
