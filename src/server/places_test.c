/* SPDX-License-Identifier: Apache-2.0 */
/* Where things lie: the data folder's layout, sockets of long paths, the installation's secret, the engine's library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "os/file.h"
#include "server/places.h"
#include "spool/spool_fixture.h"

static struct settings settings_in(const char *data)
{
    struct settings settings;
    struct error error;
    assert_int_equal(settings_load(&settings, &error), ERROR_NONE);
    settings.data = data;
    settings.engine_library = "/proc/self/exe"; /* any file: it is not loaded here */
    return settings;
}

static void everything_lies_in_the_data_folder(void **state)
{
    char *directory = fixture_directory_create(), data[300], wanted[400];
    struct places places;
    struct error error;
    snprintf(data, sizeof data, "%s/a/b/../c", directory);
    char parent[300];
    snprintf(parent, sizeof parent, "%s/a/b", directory);
    assert_int_equal(os_directory_create(parent, &error), ERROR_NONE);
    struct settings settings = settings_in(data);
    if (places_find(&settings, &places, &error) != ERROR_NONE) fail_msg("%s", error.message);
    snprintf(wanted, sizeof wanted, "%s/a/c", directory);
    assert_string_equal(places.data, wanted);
    assert_true(os_file_exists(wanted));
    const char *const inside[] = {places.spool, places.engine, places.engine_socket, places.metadata + strlen("sqlite:")};
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++)
        assert_true(slice_starts_with(slice_from_string(inside[i]), slice_from_string(wanted)));
    assert_true(slice_starts_with(slice_from_string(places.metadata), SLICE("sqlite:")));
    fixture_directory_destroy(directory);
}

static void a_long_path_has_its_socket_elsewhere_and_always_the_same(void **state)
{
    char *directory = fixture_directory_create(), data[300];
    struct places places, again, other;
    struct error error;
    snprintf(data, sizeof data, "%s/%0100d", directory, 1);
    struct settings settings = settings_in(data);
    if (places_find(&settings, &places, &error) != ERROR_NONE) fail_msg("%s", error.message);
    assert_true(strlen(places.engine_socket) < 108);
    assert_false(slice_starts_with(slice_from_string(places.engine_socket), slice_from_string(directory)));
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", places.engine_socket);
    *strrchr(folder, '/') = 0;
    struct stat status;
    assert_int_equal(lstat(folder, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    assert_int_equal(status.st_uid, getuid());
    assert_int_equal(places_find(&settings, &again, &error), ERROR_NONE);
    assert_string_equal(places.engine_socket, again.engine_socket);
    snprintf(data, sizeof data, "%s/%0100d", directory, 2);
    assert_int_equal(places_find(&settings, &other, &error), ERROR_NONE);
    assert_string_not_equal(places.engine_socket, other.engine_socket);
    fixture_directory_destroy(directory);
}

static void a_missing_library_is_said_with_its_setting(void **state)
{
    char *directory = fixture_directory_create();
    struct places places;
    struct error error;
    struct settings settings = settings_in(directory);
    settings.engine_library = "/nowhere/libchdb.so";
    assert_int_equal(places_find(&settings, &places, &error), ERROR_INVALID);
    assert_string_equal(error.field, "engine.library");
    assert_non_null(strstr(error.message, "/nowhere/libchdb.so"));
    fixture_directory_destroy(directory);
}

static void a_data_folder_that_cannot_be_is_said(void **state)
{
    struct places places;
    struct error error;
    struct settings settings = settings_in("/proc/self/exe/data");
    assert_int_not_equal(places_find(&settings, &places, &error), ERROR_NONE);
    assert_non_null(strstr(error.message, "/proc/self/exe"));
}

static void metadata_may_be_elsewhere(void **state)
{
    char *directory = fixture_directory_create(), location[PATH_MAX];
    struct places places;
    struct error error;
    struct settings settings = settings_in(directory);
    assert_false(places_metadata_is_shared(&settings));
    settings.meta_url = "postgres://me:secret@db/meta";
    assert_true(places_metadata_is_shared(&settings));
    assert_int_equal(places_find(&settings, &places, &error), ERROR_NONE);
    assert_string_equal(places.metadata, settings.meta_url);
    assert_int_equal(places_find_metadata(&settings, location, &error), ERROR_NONE);
    assert_string_equal(location, settings.meta_url);
    fixture_directory_destroy(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_lies_in_the_data_folder),
        cmocka_unit_test(a_long_path_has_its_socket_elsewhere_and_always_the_same),
        cmocka_unit_test(a_missing_library_is_said_with_its_setting),
        cmocka_unit_test(a_data_folder_that_cannot_be_is_said),
        cmocka_unit_test(metadata_may_be_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
