/* SPDX-License-Identifier: Apache-2.0 */
/* Making, listing and revoking tenants and keys in a real metadata file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <ftw.h>
#include <unistd.h>

#include "base/uuid.h"
#include "meta/migrate_meta.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/thread.h"
#include "tenant/refresher.h"
#include "tenant/tenancy.h"

#define OK(call) assert_int_equal(ERROR_NONE, (call))

struct fixture {
    char location[64];
    struct meta_database *database;
    struct error error;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    char directory[] = "/tmp/millrace-tenancy-XXXXXX";
    assert_non_null(mkdtemp(directory));
    snprintf(f->location, sizeof f->location, "sqlite:%s", directory);
    OK(meta_open_service(f->location, META_SERVICE_CORE, NULL, NULL, &f->database, &f->error));
    *state = f;
    return 0;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk) { return remove(path); }

static int teardown(void **state)
{
    struct fixture *f = *state;
    meta_close(f->database);
    assert_int_equal(0, nftw(f->location + strlen("sqlite:"), remove_entry, 8, FTW_DEPTH | FTW_PHYS));
    free(f);
    return 0;
}

static enum error_code check(struct fixture *f, const char *key, unsigned needed)
{
    const struct tenant_snapshot *snapshot;
    const struct tenant_key *found;
    OK(tenant_snapshot_build(f->database, os_clock_wall_ms(), &snapshot, &f->error));
    enum error_code code =
        tenant_key_check(snapshot, slice_from_string(key), needed, os_clock_wall_ms(), &found, &f->error);
    tenant_snapshot_release(snapshot);
    return code;
}

static void a_new_tenant_has_a_write_key_and_a_secret_key_that_work(void **state)
{
    struct fixture *f = *state;
    struct tenancy_new_tenant made;
    OK(tenancy_tenant_create(f->database, SLICE("My Shop!"), &made, &f->error));
    assert_string_equal("My Shop!", made.tenant.name);
    assert_string_equal("my-shop", made.tenant.code);
    assert_true(made.tenant.active);
    struct uuid uuid;
    assert_true(uuid_parse(slice_from_string(made.tenant.id), &uuid));
    assert_true(uuid_parse(slice_from_string(made.write_key.text), &uuid));
    assert_int_equal(4, uuid.bytes[6] >> 4);
    assert_int_equal(47, strlen(made.secret_key.text));
    assert_int_equal(0, strncmp("mrs_", made.secret_key.text, 4));
    assert_int_equal(47, 4 + strspn(made.secret_key.text + 4,
                                    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"));

    OK(check(f, made.write_key.text, TENANT_MAY_WRITE));
    assert_int_equal(ERROR_FORBIDDEN, check(f, made.write_key.text, TENANT_MAY_READ));
    OK(check(f, made.secret_key.text, TENANT_MAY_WRITE | TENANT_MAY_READ));
}

static void key_texts_are_not_in_the_files(void **state)
{
    struct fixture *f = *state;
    struct tenancy_new_tenant made;
    OK(tenancy_tenant_create(f->database, SLICE("a"), &made, &f->error));
    static const char *const endings[] = {"", "-wal"};
    bool seen_tenant = false;
    for (size_t i = 0; i < 2; i++) {
        char path[128];
        struct buffer content = {0};
        snprintf(path, sizeof path, "%s/core.db%s", f->location + strlen("sqlite:"), endings[i]);
        OK(os_file_read(path, 100 << 20, &content, &f->error));
        struct slice bytes = buffer_slice(&content);
        if (slice_find(bytes, slice_from_string(made.tenant.id)) >= 0) seen_tenant = true;
        assert_true(slice_find(bytes, slice_from_string(made.write_key.text)) < 0);
        assert_true(slice_find(bytes, slice_from_string(made.secret_key.text + 10)) < 0);
        buffer_free(&content);
    }
    assert_true(seen_tenant);
}

static void same_names_get_different_codes(void **state)
{
    struct fixture *f = *state;
    static const char *const codes[] = {"shop", "shop-2", "shop-3"};
    for (int i = 0; i < 3; i++) {
        struct tenancy_new_tenant made;
        OK(tenancy_tenant_create(f->database, SLICE("Shop"), &made, &f->error));
        assert_string_equal(codes[i], made.tenant.code);
    }
    struct tenancy_tenant found;
    OK(tenancy_tenant_find(f->database, SLICE("shop-2"), &found, &f->error));
    struct tenancy_tenant again;
    OK(tenancy_tenant_find(f->database, slice_from_string(found.id), &again, &f->error));
    assert_string_equal("shop-2", again.code);
    assert_int_equal(ERROR_NOT_FOUND, tenancy_tenant_find(f->database, SLICE("shop-4"), &found, &f->error));
    assert_int_equal(ERROR_NOT_FOUND, tenancy_tenant_find(f->database, SLICE(""), &found, &f->error));
    assert_int_equal(ERROR_NOT_FOUND, tenancy_tenant_find(f->database, SLICE("\xFF"), &found, &f->error));
}

static void a_hundred_and_more_tenants_may_have_one_name(void **state)
{
    struct fixture *f = *state;
    struct tenancy_new_tenant made;
    for (int i = 0; i < 102; i++) OK(tenancy_tenant_create(f->database, SLICE("x"), &made, &f->error));
    assert_int_equal(strlen("x-00000000"), strlen(made.tenant.code));
}

static void codes_are_made_from_names(void **state)
{
    static const char *const pairs[][2] = {
        {"Shop", "shop"},
        {"  A  B  ", "a-b"},
        {"--x--", "x"},
        {"\xC3\xA9t\xC3\xA9 2026", "t-2026"},
        {"\xE6\x97\xA5", "tenant"},
        {"a.b_c", "a-b-c"},
        {"0123456789012345678901234567890123456789012345678901234567890",
         "012345678901234567890123456789012345678901234567"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char code[TENANT_CODE_LIMIT + 1];
        tenancy_code_from_name(slice_from_string(pairs[i][0]), code);
        assert_string_equal(pairs[i][1], code);
    }
}

static void refuses_names_that_are_not_short_clean_text(void **state)
{
    struct fixture *f = *state;
    char longest[TENANT_NAME_LIMIT + 2];
    memset(longest, 'n', sizeof longest);
    struct tenancy_new_tenant made;
    const struct slice bad[] = {SLICE(""),     SLICE("  "),    SLICE("a\nb"),
                                SLICE("a\0b"), SLICE("\xC3("), {longest, TENANT_NAME_LIMIT + 1}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(ERROR_INVALID, tenancy_tenant_create(f->database, bad[i], &made, &f->error));
        assert_string_equal("name", f->error.field);
    }
    OK(tenancy_tenant_create(f->database, slice_make(longest, TENANT_NAME_LIMIT), &made, &f->error));
    OK(check(f, made.write_key.text, TENANT_MAY_WRITE));
}

struct listing {
    int count;
    struct tenancy_tenant tenants[8];
    struct tenancy_key keys[8];
};
static enum error_code keep_tenant(void *context, const struct tenancy_tenant *tenant, struct error *error)
{
    struct listing *listing = context;
    listing->tenants[listing->count++] = *tenant;
    return ERROR_NONE;
}
static enum error_code keep_key(void *context, const struct tenancy_key *key, struct error *error)
{
    struct listing *listing = context;
    listing->keys[listing->count++] = *key;
    return ERROR_NONE;
}

static void lists_tenants_and_their_keys(void **state)
{
    struct fixture *f = *state;
    struct tenancy_new_tenant first, second;
    OK(tenancy_tenant_create(f->database, SLICE("b"), &first, &f->error));
    OK(tenancy_tenant_create(f->database, SLICE("a"), &second, &f->error));
    struct listing tenants = {0}, keys = {0};
    OK(tenancy_tenant_list(f->database, keep_tenant, &tenants, &f->error));
    assert_int_equal(2, tenants.count);
    assert_string_equal(tenants.tenants[0].workspace_id, tenants.tenants[1].workspace_id);
    OK(tenancy_key_list(f->database, second.tenant.id, keep_key, &keys, &f->error));
    assert_int_equal(2, keys.count);
    for (int i = 0; i < 2; i++) {
        const struct tenancy_new_key *made =
            keys.keys[i].kind == TENANCY_KEY_WRITE ? &second.write_key : &second.secret_key;
        assert_string_equal(made->id, keys.keys[i].id);
        assert_memory_equal(made->text, keys.keys[i].prefix, 8);
        assert_int_equal(8, strlen(keys.keys[i].prefix));
        assert_int_equal(0, keys.keys[i].revoked_ms);
    }
}

static void keys_can_be_added_with_fewer_rights_and_an_end(void **state)
{
    struct fixture *f = *state;
    struct tenancy_new_tenant made;
    struct tenancy_new_key key;
    OK(tenancy_tenant_create(f->database, SLICE("a"), &made, &f->error));
    int64_t now_ms = os_clock_wall_ms();
    OK(tenancy_key_create(f->database, made.tenant.id, TENANCY_KEY_SECRET, TENANT_MAY_READ, SLICE("grafana"),
                          now_ms + 3600000, &key, &f->error));
    OK(check(f, key.text, TENANT_MAY_READ));
    assert_int_equal(ERROR_FORBIDDEN, check(f, key.text, TENANT_MAY_WRITE));
    os_clock_set_wall_offset_ms(3600001);
    assert_int_equal(ERROR_UNAUTHENTICATED, check(f, key.text, TENANT_MAY_READ));
    os_clock_set_wall_offset_ms(0);

    assert_int_equal(ERROR_INVALID, tenancy_key_create(f->database, made.tenant.id, TENANCY_KEY_WRITE, TENANT_MAY_READ,
                                                       SLICE(""), 0, &key, &f->error));
    assert_string_equal("permissions", f->error.field);
    assert_int_equal(ERROR_INVALID, tenancy_key_create(f->database, made.tenant.id, TENANCY_KEY_WRITE, 0, SLICE(""),
                                                       now_ms - 1, &key, &f->error));
    assert_string_equal("expires_at", f->error.field);
    assert_int_equal(ERROR_NOT_FOUND, tenancy_key_create(f->database, "00000000-0000-4000-8000-000000000001",
                                                         TENANCY_KEY_WRITE, 0, SLICE(""), 0, &key, &f->error));
}

static void a_key_is_revoked_once_by_id_or_text(void **state)
{
    struct fixture *f = *state;
    struct tenancy_new_tenant made;
    OK(tenancy_tenant_create(f->database, SLICE("a"), &made, &f->error));
    OK(tenancy_key_revoke(f->database, slice_from_string(made.write_key.id), SLICE("leaked"), &f->error));
    OK(tenancy_key_revoke(f->database, slice_from_string(made.secret_key.text), SLICE(""), &f->error));
    OK(tenancy_key_revoke(f->database, slice_from_string(made.write_key.text), SLICE("again"), &f->error));
    assert_int_equal(ERROR_NOT_FOUND, tenancy_key_revoke(f->database, SLICE("nobody"), SLICE(""), &f->error));
    assert_int_equal(ERROR_UNAUTHENTICATED, check(f, made.write_key.text, TENANT_MAY_WRITE));
    assert_non_null(strstr(f->error.message, "revoked"));
    assert_int_equal(ERROR_UNAUTHENTICATED, check(f, made.secret_key.text, TENANT_MAY_WRITE));
    struct listing keys = {0};
    OK(tenancy_key_list(f->database, made.tenant.id, keep_key, &keys, &f->error));
    for (int i = 0; i < keys.count; i++) {
        assert_true(keys.keys[i].revoked_ms > 0);
        if (keys.keys[i].kind == TENANCY_KEY_WRITE) assert_string_equal("leaked", keys.keys[i].revoked_reason);
    }
    /* Long after, it is forgotten. */
    os_clock_set_wall_offset_ms(TENANT_REMEMBERED_MS + 1000);
    assert_int_equal(ERROR_UNAUTHENTICATED, check(f, made.write_key.text, TENANT_MAY_WRITE));
    os_clock_set_wall_offset_ms(0);
    assert_non_null(strstr(f->error.message, "not known"));
}

static void keys_of_an_inactive_tenant_are_refused(void **state)
{
    struct fixture *f = *state;
    struct tenancy_new_tenant made;
    OK(tenancy_tenant_create(f->database, SLICE("a"), &made, &f->error));
    OK(tenancy_tenant_set_active(f->database, made.tenant.id, false, &f->error));
    assert_int_equal(ERROR_UNAUTHENTICATED, check(f, made.write_key.text, TENANT_MAY_WRITE));
    assert_non_null(strstr(f->error.message, "not active"));
    OK(tenancy_tenant_set_active(f->database, made.tenant.id, true, &f->error));
    OK(check(f, made.write_key.text, TENANT_MAY_WRITE));
    assert_int_equal(ERROR_NOT_FOUND, tenancy_tenant_set_active(f->database, "nobody", true, &f->error));
}

struct creator {
    struct fixture *f;
    enum error_code code;
};
static void create_five(void *context)
{
    struct creator *creator = context;
    struct tenancy_new_tenant made;
    for (int i = 0; i < 5 && !creator->code; i++)
        creator->code = tenancy_tenant_create(creator->f->database, SLICE("Same"), &made, NULL);
}

static void tenants_made_at_once_all_get_a_code_and_one_workspace(void **state)
{
    struct fixture *f = *state;
    struct os_thread threads[4];
    struct creator creators[4];
    for (int i = 0; i < 4; i++) {
        creators[i] = (struct creator){f, ERROR_NONE};
        OK(os_thread_start(&threads[i], "creator", create_five, &creators[i], &f->error));
    }
    for (int i = 0; i < 4; i++) os_thread_join(&threads[i]);
    for (int i = 0; i < 4; i++) OK(creators[i].code);
    struct tenancy_tenant found;
    OK(tenancy_tenant_find(f->database, SLICE("same-20"), &found, &f->error));
    const struct tenant_snapshot *snapshot;
    OK(tenant_snapshot_build(f->database, os_clock_wall_ms(), &snapshot, &f->error));
    assert_int_equal(20, snapshot->tenant_count);
    assert_int_equal(40, snapshot->keys.count);
    tenant_snapshot_release(snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_tenant_has_a_write_key_and_a_secret_key_that_work, setup, teardown),
        cmocka_unit_test_setup_teardown(key_texts_are_not_in_the_files, setup, teardown),
        cmocka_unit_test_setup_teardown(same_names_get_different_codes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_hundred_and_more_tenants_may_have_one_name, setup, teardown),
        cmocka_unit_test(codes_are_made_from_names),
        cmocka_unit_test_setup_teardown(refuses_names_that_are_not_short_clean_text, setup, teardown),
        cmocka_unit_test_setup_teardown(lists_tenants_and_their_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_can_be_added_with_fewer_rights_and_an_end, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_is_revoked_once_by_id_or_text, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_of_an_inactive_tenant_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(tenants_made_at_once_all_get_a_code_and_one_workspace, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
