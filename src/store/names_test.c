/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of database names with a prefix. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "store/names.h"

static const char *const databases[] = {"analytics", "millrace", NULL};

static void check(const char *sql, const char *expected)
{
    struct store_names *names;
    struct buffer out = {0};
    assert_int_equal(store_names_create("p_", databases, &names, NULL), ERROR_NONE);
    store_names_write_sql(names, slice_from_string(sql), &out);
    buffer_append_byte(&out, '\0');
    assert_string_equal(out.data, expected);
    buffer_free(&out);
    store_names_destroy(names);
}

static void database_before_a_dot_gets_the_prefix(void **state)
{
    check("SELECT * FROM analytics.events", "SELECT * FROM p_analytics.events");
    check("analytics.a JOIN `analytics`.b JOIN \"analytics\".c",
          "p_analytics.a JOIN `p_analytics`.b JOIN \"p_analytics\".c");
    check("SELECT analytics.events.id FROM analytics /* x */ . events",
          "SELECT p_analytics.events.id FROM p_analytics /* x */ . events");
    check("INSERT INTO millrace.schema_migrations SELECT {a:String}",
          "INSERT INTO p_millrace.schema_migrations SELECT {a:String}");
    check("CREATE MATERIALIZED VIEW analytics.v TO analytics.t AS SELECT 1 FROM analytics.e",
          "CREATE MATERIALIZED VIEW p_analytics.v TO p_analytics.t AS SELECT 1 FROM p_analytics.e");
}

static void database_by_itself_gets_the_prefix_where_one_stands(void **state)
{
    check("CREATE DATABASE IF NOT EXISTS analytics", "CREATE DATABASE IF NOT EXISTS p_analytics");
    check("DROP DATABASE IF EXISTS `analytics` ON CLUSTER c", "DROP DATABASE IF EXISTS `p_analytics` ON CLUSTER c");
    check("-- the place\nUSE analytics", "-- the place\nUSE p_analytics");
    check("SHOW TABLES FROM analytics", "SHOW TABLES FROM p_analytics");
    check("SHOW TABLES IN analytics LIKE 'analytics.%'", "SHOW TABLES IN p_analytics LIKE 'analytics.%'");
}

static void everything_else_stays_as_it_is(void **state)
{
    static const char *const same[] = {
        "SELECT 'analytics.events', \"it\"\"s\" -- analytics.events\nFROM t /* analytics.events */",
        "SELECT analytics FROM other",
        "SELECT t.analytics.x FROM other.t",
        "SELECT x.analytics.events",
        "SELECT properties['analytics.x'], 1.5, $a$analytics.events$a$",
        "SELECT * FROM p_analytics.events",
        "SELECT * FROM Analytics.events",
        "SELECT * FROM system.tables WHERE database = 'analytics'",
        "",
        "'",
        "`",
        "\\",
        "analytics",
        "SELECT '\\'analytics.x'",
        "$",
        "/* analytics.events",
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) check(same[i], same[i]);
}

static void written_twice_is_written_once(void **state)
{
    check("SELECT * FROM p_analytics.events, analytics.e", "SELECT * FROM p_analytics.events, p_analytics.e");
}

static void prefix_that_is_no_name_is_refused(void **state)
{
    static const char *const bad[] = {"", "1a", "a-b", "a.b", "a`", "a b",
                                      "a2345678901234567890123456789012345678901234567890123456789012345"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct store_names *names = NULL;
        assert_int_equal(store_names_create(bad[i], databases, &names, NULL), ERROR_INVALID);
        assert_null(names);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(database_before_a_dot_gets_the_prefix),
        cmocka_unit_test(database_by_itself_gets_the_prefix_where_one_stands),
        cmocka_unit_test(everything_else_stays_as_it_is),
        cmocka_unit_test(written_twice_is_written_once),
        cmocka_unit_test(prefix_that_is_no_name_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
