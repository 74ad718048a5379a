/* SPDX-License-Identifier: Apache-2.0 */
/* The installation's secret: made once, kept where the settings say, the same for all servers of an installation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "meta/migrate_meta.h"
#include "meta/test_backend.h"
#include "os/file.h"
#include "os/thread.h"
#include "server/installation_secret.h"
#include "spool/spool_fixture.h"

#define OK(call) assert_int_equal(ERROR_NONE, (call))
static const unsigned char zeros[TENANT_SECRET_SIZE];

struct fixture {
    const struct meta_test_backend *backend;
    char location[META_TEST_LOCATION_SIZE];
    char *data;
    char path[300];
    struct settings settings;
    struct meta_database *core;
    struct error error;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->backend = *state;
    f->backend->create(f->location);
    f->data = fixture_directory_create();
    snprintf(f->path, sizeof f->path, "%s/secret", f->data);
    OK(settings_load(&f->settings, &f->error));
    f->settings.data = f->data;
    f->settings.meta_url = strcmp(f->backend->name, "sqlite") == 0 ? "" : f->location;
    OK(meta_open_service(f->location, META_SERVICE_CORE, NULL, NULL, &f->core, &f->error));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    meta_close(f->core);
    f->backend->destroy(f->location);
    fixture_directory_destroy(f->data);
    free(f);
    return 0;
}

static void is_made_once(void **state)
{
    struct fixture *f = *state;
    unsigned char first[TENANT_SECRET_SIZE] = {0}, second[TENANT_SECRET_SIZE] = {0};
    OK(installation_secret_load(&f->settings, f->core, first, &f->error));
    OK(installation_secret_load(&f->settings, f->core, second, &f->error));
    assert_memory_equal(first, second, TENANT_SECRET_SIZE);
    assert_memory_not_equal(first, zeros, TENANT_SECRET_SIZE);
    bool in_folder = strcmp(f->backend->name, "sqlite") == 0;
    assert_int_equal(os_file_exists(f->path), in_folder);
    if (!in_folder) return;
    struct stat status;
    assert_int_equal(stat(f->path, &status), 0);
    assert_int_equal(status.st_mode & 077, 0);
    assert_int_equal(1, fixture_count_files(f->data, "")); /* nothing left over from making it */
}

struct starter {
    struct fixture *f;
    enum error_code code;
    unsigned char secret[TENANT_SECRET_SIZE];
};

static void load(void *context)
{
    struct starter *starter = context;
    struct error error;
    starter->code = installation_secret_load(&starter->f->settings, starter->f->core, starter->secret, &error);
}

static void is_the_same_for_all_that_start_at_once(void **state)
{
    struct fixture *f = *state;
    if (strcmp(f->backend->name, "sqlite") == 0) return; /* one process has one secret file beside; processes differ by pid */
    struct starter starters[4];
    struct os_thread threads[4];
    for (int i = 0; i < 4; i++) {
        starters[i] = (struct starter){.f = f};
        OK(os_thread_start(&threads[i], "starter", load, &starters[i], &f->error));
    }
    for (int i = 0; i < 4; i++) os_thread_join(&threads[i]);
    for (int i = 0; i < 4; i++) {
        OK(starters[i].code);
        assert_memory_equal(starters[0].secret, starters[i].secret, TENANT_SECRET_SIZE);
    }
}

static void one_that_is_there_is_used_and_shared(void **state)
{
    struct fixture *f = *state;
    unsigned char given[TENANT_SECRET_SIZE], read[TENANT_SECRET_SIZE];
    memset(given, 0x5A, sizeof given);
    fixture_write_file(f->path, given, sizeof given);
    OK(installation_secret_load(&f->settings, f->core, read, &f->error));
    assert_memory_equal(given, read, TENANT_SECRET_SIZE);
    if (f->settings.meta_url[0] == 0) return;
    /* Another server, with a folder of its own and even a secret of its own. */
    struct fixture other = *f;
    other.data = fixture_directory_create();
    other.settings.data = other.data;
    snprintf(other.path, sizeof other.path, "%s/secret", other.data);
    memset(given, 0x33, sizeof given);
    fixture_write_file(other.path, given, sizeof given);
    unsigned char seen[TENANT_SECRET_SIZE];
    OK(installation_secret_load(&other.settings, other.core, seen, &f->error));
    assert_memory_equal(read, seen, TENANT_SECRET_SIZE);
    fixture_directory_destroy(other.data);
}

static void a_file_of_another_size_is_refused_and_left_alone(void **state)
{
    struct fixture *f = *state;
    unsigned char secret[TENANT_SECRET_SIZE];
    for (size_t size = 0; size <= 33; size += size ? 2 : 31) {
        static const char bytes[33];
        fixture_write_file(f->path, bytes, size);
        assert_int_equal(ERROR_CORRUPT, installation_secret_load(&f->settings, f->core, secret, &f->error));
        assert_non_null(strstr(f->error.message, "must hold 32 bytes"));
        struct buffer content = fixture_read_file(f->path);
        assert_int_equal(content.size, size);
        buffer_free(&content);
    }
}

static void the_operators_file_comes_first(void **state)
{
    struct fixture *f = *state;
    unsigned char secret[TENANT_SECRET_SIZE], wanted[TENANT_SECRET_SIZE];
    static const char hexadecimal[] = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F\n";
    for (int i = 0; i < TENANT_SECRET_SIZE; i++) wanted[i] = (unsigned char)i;
    char path[300];
    snprintf(path, sizeof path, "%s/operators", f->data);
    f->settings.security_secret_file = path;
    assert_int_equal(ERROR_INVALID, installation_secret_load(&f->settings, f->core, secret, &f->error));
    assert_string_equal("security.secret_file", f->error.field);
    assert_false(os_file_exists(path));
    fixture_write_file(path, wanted, sizeof wanted);
    OK(installation_secret_load(&f->settings, f->core, secret, &f->error));
    assert_memory_equal(wanted, secret, TENANT_SECRET_SIZE);
    fixture_write_file(path, hexadecimal, sizeof hexadecimal - 1);
    OK(installation_secret_load(&f->settings, f->core, secret, &f->error));
    assert_memory_equal(wanted, secret, TENANT_SECRET_SIZE);
    fixture_write_file(path, hexadecimal, sizeof hexadecimal - 3);
    assert_int_equal(ERROR_INVALID, installation_secret_load(&f->settings, f->core, secret, &f->error));
    assert_string_equal("security.secret_file", f->error.field);
    assert_false(os_file_exists(f->path));
}

static void a_row_that_is_no_secret_is_refused(void **state)
{
    struct fixture *f = *state;
    if (f->settings.meta_url[0] == 0) return; /* there is no row */
    struct meta_session *session;
    unsigned char secret[TENANT_SECRET_SIZE];
    OK(meta_session_begin(f->core, 0, &session, &f->error));
    OK(meta_execute(session, "insert into installation (name, value, created_at) values ('secret', 'short', 1)", NULL, 0, NULL, &f->error));
    meta_session_end(session);
    assert_int_equal(ERROR_CORRUPT, installation_secret_load(&f->settings, f->core, secret, &f->error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(is_made_once, setup, teardown),
        cmocka_unit_test_setup_teardown(is_the_same_for_all_that_start_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_is_there_is_used_and_shared, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_of_another_size_is_refused_and_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(the_operators_file_comes_first, setup, teardown),
        cmocka_unit_test_setup_teardown(a_row_that_is_no_secret_is_refused, setup, teardown),
    };
    return meta_test_run("installation_secret", tests, sizeof tests / sizeof *tests, NULL, 0);
}
