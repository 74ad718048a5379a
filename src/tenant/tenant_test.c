/* SPDX-License-Identifier: Apache-2.0 */
/* Checking keys against a snapshot, and a snapshot's life in views. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tenant/permission.h"
#include "tenant/tenant.h"

#define NOW_MS 1000000

static const struct tenant_info shop = {.id = "00000000-0000-4000-8000-000000000001", .name = "Shop", .code = "shop",
                                        .active = true};
static const struct tenant_info closed = {
    .id = "00000000-0000-4000-8000-000000000002", .name = "Closed", .code = "closed"};

static void add_key(struct tenant_snapshot *snapshot, const char *text, struct tenant_key key)
{
    unsigned char digest[TENANT_DIGEST_SIZE];
    tenant_key_digest(slice_from_string(text), digest);
    assert_true(tenant_snapshot_add_key(snapshot, digest, &key));
}

static struct tenant_snapshot *make_snapshot(void)
{
    struct tenant_snapshot *snapshot = tenant_snapshot_create();
    const struct tenant_info *open = tenant_snapshot_add_tenant(snapshot, &shop);
    const struct tenant_info *shut = tenant_snapshot_add_tenant(snapshot, &closed);
    add_key(snapshot, "write", (struct tenant_key){.tenant = open, .permissions = TENANT_MAY_WRITE});
    add_key(snapshot, "read", (struct tenant_key){.tenant = open, .permissions = TENANT_MAY_READ});
    add_key(snapshot, "both", (struct tenant_key){.tenant = open, .permissions = TENANT_MAY_READ | TENANT_MAY_WRITE});
    add_key(snapshot, "revoked", (struct tenant_key){.tenant = open, .permissions = TENANT_MAY_WRITE, .revoked = true});
    add_key(snapshot, "expired",
            (struct tenant_key){.tenant = open, .permissions = TENANT_MAY_WRITE, .expires_ms = NOW_MS});
    add_key(snapshot, "expiring",
            (struct tenant_key){.tenant = open, .permissions = TENANT_MAY_WRITE, .expires_ms = NOW_MS + 1});
    add_key(snapshot, "shut", (struct tenant_key){.tenant = shut, .permissions = TENANT_MAY_WRITE});
    return snapshot;
}

static const struct {
    const char *key;
    unsigned needed;
    enum error_code code;
    const char *message; /* a part of it */
} checks[] = {
    {"write", TENANT_MAY_WRITE, ERROR_NONE, NULL},
    {"write", 0, ERROR_NONE, NULL},
    {"write", TENANT_MAY_READ, ERROR_FORBIDDEN, "may only send"},
    {"write", TENANT_MAY_READ | TENANT_MAY_WRITE, ERROR_FORBIDDEN, "may only send"},
    {"read", TENANT_MAY_READ, ERROR_NONE, NULL},
    {"read", TENANT_MAY_WRITE, ERROR_FORBIDDEN, "may not send"},
    {"both", TENANT_MAY_READ | TENANT_MAY_WRITE, ERROR_NONE, NULL},
    {"expiring", TENANT_MAY_WRITE, ERROR_NONE, NULL},
    {"expired", TENANT_MAY_WRITE, ERROR_UNAUTHENTICATED, "expired"},
    {"revoked", TENANT_MAY_WRITE, ERROR_UNAUTHENTICATED, "revoked"},
    {"shut", TENANT_MAY_WRITE, ERROR_UNAUTHENTICATED, "not active"},
    {"", TENANT_MAY_WRITE, ERROR_UNAUTHENTICATED, "no key"},
    {"Write", TENANT_MAY_WRITE, ERROR_UNAUTHENTICATED, "not known"},
    {"write ", TENANT_MAY_WRITE, ERROR_UNAUTHENTICATED, "not known"},
};

static void says_which_check_failed(void **state)
{
    struct tenant_snapshot *snapshot = make_snapshot();
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        struct error error = {0};
        const struct tenant_key *key = NULL;
        enum error_code code =
            tenant_key_check(snapshot, slice_from_string(checks[i].key), checks[i].needed, NOW_MS, &key, &error);
        if (code != checks[i].code || (code == ERROR_NONE) != (key != NULL) ||
            (checks[i].message && !strstr(error.message, checks[i].message)))
            fail_msg("case %zu (%s): %s, %s", i, checks[i].key, error_code_name(code), error.message);
        if (key) assert_string_equal("Shop", key->tenant->name);
    }
    tenant_snapshot_release(snapshot);
}

static void refuses_overlong_keys(void **state)
{
    struct tenant_snapshot *snapshot = make_snapshot();
    char text[TENANT_KEY_LIMIT + 2];
    memset(text, 'x', sizeof text);
    text[TENANT_KEY_LIMIT + 1] = 0;
    const struct tenant_key *key = NULL;
    struct error error;
    /* Even one that somebody managed to store. */
    add_key(snapshot, text, (struct tenant_key){.tenant = tenant_snapshot_find(snapshot, slice_from_string(shop.id))});
    assert_int_equal(ERROR_UNAUTHENTICATED,
                     tenant_key_check(snapshot, slice_from_string(text), 0, NOW_MS, &key, &error));
    text[TENANT_KEY_LIMIT] = 0;
    add_key(snapshot, text, (struct tenant_key){.tenant = tenant_snapshot_find(snapshot, slice_from_string(shop.id))});
    assert_int_equal(ERROR_NONE, tenant_key_check(snapshot, slice_from_string(text), 0, NOW_MS, &key, &error));
    tenant_snapshot_release(snapshot);
}

static void digests_are_sha256(void **state)
{
    static const unsigned char expected[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
                                             0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
                                             0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    unsigned char digest[TENANT_DIGEST_SIZE];
    tenant_key_digest(SLICE("abc"), digest);
    assert_memory_equal(expected, digest, sizeof expected);
}

static void finds_tenants_by_id(void **state)
{
    struct tenant_snapshot *snapshot = make_snapshot();
    assert_int_equal(2, snapshot->tenant_count);
    assert_string_equal("closed", tenant_snapshot_find(snapshot, slice_from_string(closed.id))->code);
    assert_null(tenant_snapshot_find(snapshot, SLICE("shop")));
    tenant_snapshot_release(snapshot);
}

static void permissions_are_read_as_they_are_written(void **state)
{
    for (unsigned permissions = 0; permissions < 8; permissions++) {
        const char *text = tenant_permissions_text(permissions);
        assert_int_equal(permissions >= 1 && permissions <= 3, text != NULL);
        unsigned read = 0;
        if (text) assert_true(tenant_permissions_parse(slice_from_string(text), &read));
        if (text) assert_int_equal(permissions, read);
    }
    unsigned read = 77;
    assert_false(tenant_permissions_parse(SLICE("admin"), &read));
    assert_int_equal(77, read);
}

static void stop_loop(struct os_task *task);
struct stopper {
    struct os_task task;
    struct os_loop *loop;
};
static void stop_loop(struct os_task *task) { os_loop_stop(((struct stopper *)task)->loop); }

static int count(const struct tenant_snapshot *snapshot)
{
    return atomic_load(&((struct tenant_snapshot *)snapshot)->references);
}

static void a_view_swaps_in_its_loop_and_lets_the_old_snapshot_go(void **state)
{
    struct error error;
    struct os_loop *loop = os_loop_create(&error);
    struct tenant_snapshot *snapshots[3] = {make_snapshot(), make_snapshot(), make_snapshot()};
    struct tenant_view view;
    tenant_view_init(&view, loop, snapshots[0]);
    assert_int_equal(2, count(snapshots[0]));
    tenant_view_publish(&view, snapshots[1]);
    assert_ptr_equal(snapshots[0], tenant_view_snapshot(&view));
    /* Before the loop has taken the first: only the last is taken. */
    tenant_view_publish(&view, snapshots[2]);
    assert_int_equal(1, count(snapshots[1]));

    struct stopper stopper = {{.run = stop_loop}, loop};
    os_loop_post(loop, &stopper.task);
    os_loop_run(loop);
    assert_ptr_equal(snapshots[2], tenant_view_snapshot(&view));
    assert_int_equal(1, count(snapshots[0]));
    assert_int_equal(2, count(snapshots[2]));

    /* Published but never taken. */
    tenant_view_publish(&view, snapshots[0]);
    os_loop_destroy(loop);
    tenant_view_fini(&view);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(1, count(snapshots[i]));
        tenant_snapshot_release(snapshots[i]);
    }
    tenant_snapshot_release(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_which_check_failed),
        cmocka_unit_test(refuses_overlong_keys),
        cmocka_unit_test(digests_are_sha256),
        cmocka_unit_test(finds_tenants_by_id),
        cmocka_unit_test(permissions_are_read_as_they_are_written),
        cmocka_unit_test(a_view_swaps_in_its_loop_and_lets_the_old_snapshot_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
