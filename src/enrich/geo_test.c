/* SPDX-License-Identifier: Apache-2.0 */
/* Places out of files in both shapes, one file for each family, and files that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "enrich/geo.h"
#include "enrich/geo_fixture.h"

struct fixture { char folder[64], version4[96], version6[96]; };

static int set_up(void **state)
{
    static const struct geo_fixture_place flat[] = {
        {"81.2.69.0/24", true, "GB", "England", "London", 51.5, -0.125},
        {"5.1.2.3/32", true, "DE", "Berlin", "Berlin", 52.5, 13.375},
    };
    static const struct geo_fixture_place nested[] = {
        {"2606:4700::/32", false, "US", "California", "San Francisco", 37.75, -122.25},
        {"2a00::/16", false, "France", "\xff", "A place whose name goes on and on, longer than any place on this planet is called by those who live there, and then some more of it", 500, 1},
    };
    static struct fixture fixture;
    memcpy(fixture.folder, "/tmp/millrace-geo-XXXXXX", 25);
    if (!mkdtemp(fixture.folder)) return -1;
    snprintf(fixture.version4, sizeof fixture.version4, "%s/dbip-four.mmdb", fixture.folder);
    snprintf(fixture.version6, sizeof fixture.version6, "%s/six.mmdb", fixture.folder);
    geo_fixture_write(fixture.version4, 4, "city ipv4", flat, 2);
    geo_fixture_write(fixture.version6, 6, "GeoLite2-City", nested, 2);
    *state = &fixture;
    return 0;
}
static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    unlink(fixture->version4);
    unlink(fixture->version6);
    return rmdir(fixture->folder);
}

static void check(const struct geo *geo, const char *address, const char *expected)
{
    struct geo_place place;
    char text[512] = "";
    if (geo_find(geo, slice_from_string(address), &place))
        snprintf(text, sizeof text, "%.*s|%.*s|%.*s|%d|%.3f|%.3f", SLICE_ARGS(place.country), SLICE_ARGS(place.region),
                 SLICE_ARGS(place.city), place.has_position, place.has_position ? place.latitude : 0,
                 place.has_position ? place.longitude : 0);
    assert_string_equal(text, expected);
}

static void places_are_found_in_the_file_of_the_family(void **state)
{
    struct fixture *fixture = *state;
    char paths[256];
    snprintf(paths, sizeof paths, "%s, %s", fixture->version6, fixture->version4);
    struct geo *geo;
    struct error error;
    assert_int_equal(geo_open(slice_from_string(paths), &geo, &error), ERROR_NONE);
    assert_int_equal(geo_database_count(geo), 2);
    check(geo, "81.2.69.160", "GB|England|London|1|51.500|-0.125");
    check(geo, "::ffff:81.2.69.160", "GB|England|London|1|51.500|-0.125");
    check(geo, "5.1.2.3", "DE|Berlin|Berlin|1|52.500|13.375");
    check(geo, "5.1.2.4", "");
    check(geo, "2606:4700::1111", "US|California|San Francisco|1|37.750|-122.250");
    check(geo, "2001:4860::1", "");
    /* What a file says wrong is not passed on: no country code, no UTF-8, too long, no such latitude. */
    check(geo, "2a00::1", "|||0|0.000|0.000");
    check(geo, "10.0.0.1", "");
    check(geo, "", "");
    check(geo, "nowhere", "");
    assert_string_equal(geo_source_at(geo, 0)->url, "https://db-ip.com"); /* by the name of a file */
    assert_string_equal(geo_source_at(geo, 1)->url, "https://www.maxmind.com"); /* by what a file says */
    assert_null(geo_source_at(geo, 2));
    geo_close(geo);
}

static void what_was_asked_before_is_answered_alike_however_much_came_between(void **state)
{
    struct fixture *fixture = *state;
    char paths[256], address[32];
    snprintf(paths, sizeof paths, "%s, %s", fixture->version6, fixture->version4);
    struct geo *geo;
    struct error error;
    assert_int_equal(geo_open(slice_from_string(paths), &geo, &error), ERROR_NONE);
    for (int round = 0; round < 3; round++) {
        check(geo, "81.2.69.160", "GB|England|London|1|51.500|-0.125");
        check(geo, "5.1.2.3", "DE|Berlin|Berlin|1|52.500|13.375");
        check(geo, "5.1.2.4", "");
        check(geo, "2606:4700::1111", "US|California|San Francisco|1|37.750|-122.250");
        for (int i = 0; round == 1 && i < 200000; i++) { /* more than are remembered */
            struct geo_place place;
            snprintf(address, sizeof address, "31.%d.%d.%d", i >> 16 & 255, i >> 8 & 255, i & 255);
            assert_false(geo_find(geo, slice_from_string(address), &place));
        }
    }
    geo_close(geo);
}

static void a_folder_stands_for_its_files(void **state)
{
    struct fixture *fixture = *state;
    struct geo *geo;
    struct error error;
    assert_int_equal(geo_open(slice_from_string(fixture->folder), &geo, &error), ERROR_NONE);
    assert_int_equal(geo_database_count(geo), 2);
    check(geo, "81.2.69.160", "GB|England|London|1|51.500|-0.125");
    geo_close(geo);
    assert_int_equal(geo_open(SLICE_EMPTY, &geo, &error), ERROR_NONE);
    assert_int_equal(geo_database_count(geo), 0);
    assert_null(geo_source_at(geo, 0));
    check(geo, "81.2.69.160", "");
    geo_close(geo);
}

static void what_is_no_database_is_refused_by_name(void **state)
{
    struct fixture *fixture = *state;
    struct geo *geo;
    struct error error;
    assert_int_equal(geo_open(SLICE("/nowhere/at/all.mmdb"), &geo, &error), ERROR_INVALID);
    assert_non_null(strstr(error.message, "/nowhere/at/all.mmdb"));
    assert_string_equal(error.field, "geo.database");
    FILE *file = fopen(fixture->version6, "wb");
    assert_true(file && fwrite("no database", 1, 11, file) == 11 && fclose(file) == 0);
    assert_int_equal(geo_open(slice_from_string(fixture->folder), &geo, &error), ERROR_INVALID);
    assert_non_null(strstr(error.message, "six.mmdb"));
}

/* Every byte of tree and records changed once: whatever they say then, nothing is read that is not there. (Not what the file
 * says of itself: libmaxminddb 1.7 loses a little memory when it refuses that, which is at start and ends the program.) */
static void damaged_files_do_no_harm(void **state)
{
    struct fixture *fixture = *state;
    static char bytes[65536];
    FILE *file = fopen(fixture->version4, "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    ptrdiff_t own = slice_find(slice_make(bytes, size), SLICE("MaxMind.com"));
    assert_true(own > 100 && size < sizeof bytes);
    for (size_t i = 0; i < (size_t)own; i++) {
        bytes[i] = (char)~bytes[i];
        file = fopen(fixture->version4, "wb");
        assert_true(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
        bytes[i] = (char)~bytes[i];
        struct geo *geo;
        if (geo_open(slice_from_string(fixture->version4), &geo, NULL) != ERROR_NONE) continue;
        struct geo_place place;
        if (geo_find(geo, SLICE("81.2.69.160"), &place)) assert_true(slice_is_utf8(place.city));
        geo_close(geo);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(places_are_found_in_the_file_of_the_family, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_asked_before_is_answered_alike_however_much_came_between, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_stands_for_its_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_database_is_refused_by_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_files_do_no_harm, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
