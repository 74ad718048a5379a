/* SPDX-License-Identifier: Apache-2.0 */
/* What the statement reader finds, and what it must not take for a clause. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/sql.h"

static struct engine_statement analyse(const char *text)
{
    struct engine_statement statement;
    struct error error;
    assert_int_equal(engine_sql_analyse(slice_from_string(text), &statement, &error), 0);
    return statement;
}

static void assert_slice(struct slice s, const char *expected)
{
    if (!slice_equal(s, slice_from_string(expected)))
        fail_msg("\"%.*s\" is not \"%s\"", SLICE_ARGS(s), expected);
}

static void finds_the_format_clause(void **state)
{
    static const struct {
        const char *text, *format, *head, *tail;
    } cases[] = {
        {"SELECT 1 FORMAT JSON", "JSON", "SELECT 1 ", ""},
        {"select 1 format CSV ;", "CSV", "select 1 ", " "},
        {"SELECT 1 FORMAT JSON SETTINGS max_threads=1", "JSON", "SELECT 1 ", " SETTINGS max_threads=1"},
        {"SELECT * FORMAT TSV -- FORMAT CSV", "TSV", "SELECT * ", " -- FORMAT CSV"},
        {"SELECT 'FORMAT CSV'", "", "SELECT 'FORMAT CSV'", ""},
        {"SELECT 'it''s \\' FORMAT CSV' FORMAT XML", "XML", "SELECT 'it''s \\' FORMAT CSV' ", ""},
        {"SELECT 1 /* FORMAT CSV */", "", "SELECT 1 /* FORMAT CSV */", ""},
        {"SELECT 1 -- FORMAT CSV", "", "SELECT 1 -- FORMAT CSV", ""},
        {"SELECT format FROM t", "", "SELECT format FROM t", ""},
        {"SELECT a, format x FROM t", "", "SELECT a, format x FROM t", ""},
        {"SELECT format x", "", "SELECT format x", ""},
        {"SELECT (SELECT 1 format x) FORMAT Native", "Native", "SELECT (SELECT 1 format x) ", ""},
        {"SELECT `FORMAT` FROM \"a b\" FORMAT JSON;;", "JSON", "SELECT `FORMAT` FROM \"a b\" ", ""},
        {"SELECT $a$ FORMAT CSV ; $a$", "", "SELECT $a$ FORMAT CSV ; $a$", ""},
        {"SELECT {x:String} FORMAT JSON", "JSON", "SELECT {x:String} ", ""},
        {"SELECT 1;", "", "SELECT 1", ""},
        {"SELECT 1 # FORMAT CSV\nFORMAT JSON", "JSON", "SELECT 1 # FORMAT CSV\n", ""},
        {"(SELECT 1) UNION ALL (SELECT 2) FORMAT CSV", "CSV", "(SELECT 1) UNION ALL (SELECT 2) ", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct engine_statement statement = analyse(cases[i].text);
        assert_int_equal(statement.kind, ENGINE_STATEMENT_SELECT);
        assert_slice(statement.format, cases[i].format);
        assert_slice(statement.head, cases[i].head);
        assert_slice(statement.tail, cases[i].tail);
    }
}

static void tells_kinds_apart(void **state)
{
    static const struct {
        const char *text;
        enum engine_statement_kind kind;
    } cases[] = {
        {"", ENGINE_STATEMENT_EMPTY},
        {" -- nothing\n", ENGINE_STATEMENT_EMPTY},
        {"/* c */ with 1 as x select x", ENGINE_STATEMENT_SELECT},
        {"WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x", ENGINE_STATEMENT_OTHER},
        {"SHOW TABLES FORMAT JSON", ENGINE_STATEMENT_OTHER},
        {"CREATE TABLE t (a String) ENGINE=Memory", ENGINE_STATEMENT_OTHER},
        {"INSERT INTO t VALUES ('FORMAT CSV')", ENGINE_STATEMENT_INSERT},
        {"INSERT INTO t SELECT 1", ENGINE_STATEMENT_INSERT},
        {"INSERT INTO t FROM INFILE 'x' FORMAT CSV", ENGINE_STATEMENT_INSERT},
        {"SELECT 'never ends", ENGINE_STATEMENT_OTHER},
        {"SELECT /* never ends", ENGINE_STATEMENT_OTHER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(analyse(cases[i].text).kind, cases[i].kind);
    assert_true(engine_sql_is_insert(SLICE("-- c\n insert into t")));
    assert_false(engine_sql_is_insert(SLICE("SELECT 'INSERT'")));
}

static void finds_where_insert_data_begins(void **state)
{
    static const struct {
        const char *text, *format, *head, *tail, *data;
    } cases[] = {
        {"INSERT INTO t FORMAT JSONEachRow\n{\"a\":1}", "JSONEachRow", "INSERT INTO t ", "", "{\"a\":1}"},
        {"INSERT INTO t FORMAT JSONEachRow {\"a\":1}", "JSONEachRow", "INSERT INTO t ", "", "{\"a\":1}"},
        {"INSERT INTO t FORMAT CSV\r\n\n1", "CSV", "INSERT INTO t ", "", "\n1"},
        {"INSERT INTO d.t (a, b) SETTINGS x='FORMAT y' FORMAT CSV\n1;2", "CSV", "INSERT INTO d.t (a, b) ",
         "SETTINGS x='FORMAT y' ", "1;2"},
        {"INSERT INTO `a b`.format FORMAT Native", "Native", "INSERT INTO `a b`.format ", "", ""},
        {"INSERT INTO TABLE FUNCTION null('a UInt8') FORMAT CSV\n1", "CSV",
         "INSERT INTO TABLE FUNCTION null('a UInt8') ", "", "1"},
        {"INSERT INTO format FORMAT CSV\n'", "CSV", "INSERT INTO format ", "", "'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct engine_statement statement = analyse(cases[i].text);
        assert_int_equal(statement.kind, ENGINE_STATEMENT_DATA);
        assert_slice(statement.format, cases[i].format);
        assert_slice(statement.head, cases[i].head);
        assert_slice(statement.tail, cases[i].tail);
        assert_slice(statement.data, cases[i].data);
    }
    struct engine_statement statement =
        analyse("INSERT INTO t SELECT a+1 FROM input('a UInt8, b Array(UInt8)') FORMAT CSV\n1");
    assert_int_equal(statement.kind, ENGINE_STATEMENT_DATA);
    assert_slice(statement.head, "INSERT INTO t SELECT a+1 FROM input('a UInt8, b Array(UInt8)') ");
    assert_slice(statement.input, "input('a UInt8, b Array(UInt8)')");
    assert_slice(statement.input_arguments, "'a UInt8, b Array(UInt8)'");
    assert_slice(statement.data, "1");
}

static void finds_the_sync_of_drop_view(void **state)
{
    assert_slice(analyse("DROP VIEW v SYNC").sync, "SYNC");
    assert_slice(analyse("drop /* c */ view IF EXISTS d.`v` sync ;").sync, "sync");
    static const char *const cases[] = {"DROP VIEW sync", "DROP VIEW IF EXISTS sync", "DROP VIEW d.sync", "DROP VIEW v",
                                        "DROP TABLE t SYNC", "DROP VIEW v SYNC x", "SELECT 'DROP VIEW v SYNC'"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) assert_slice(analyse(cases[i]).sync, "");
}

static void refuses_two_statements_and_files(void **state)
{
    static const char *const cases[] = {"SELECT 1; SELECT 2", "SELECT 1; DROP TABLE t;", "SHOW TABLES; x",
                                        "SELECT 1 INTO OUTFILE '/tmp/x'", "SELECT 1 FORMAT CSV INTO OUTFILE '/tmp/x'"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct engine_statement statement;
        struct error error;
        assert_int_equal(engine_sql_analyse(slice_from_string(cases[i]), &statement, &error), ERROR_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_format_clause),
        cmocka_unit_test(tells_kinds_apart),
        cmocka_unit_test(finds_where_insert_data_begins),
        cmocka_unit_test(finds_the_sync_of_drop_view),
        cmocka_unit_test(refuses_two_statements_and_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
