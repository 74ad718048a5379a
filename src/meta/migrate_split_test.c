/* SPDX-License-Identifier: Apache-2.0 */
/* Cutting SQL files into statements, as a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "meta/migrate.h"

struct split_case {
    const char *script;
    bool backslash_escapes;
    const char *statements[4];
};

static const struct split_case cases[] = {
    {"", false, {0}},
    {" ;\n;; ", false, {0}},
    {"a", false, {"a"}},
    {"a;b", false, {"a", "b"}},
    {"  a ;\n\tb;\n", false, {"a", "b"}},
    {"select ';', 'it''s;'; b", false, {"select ';', 'it''s;'", "b"}},
    {"select \"x;y\"; select `x;y`", false, {"select \"x;y\"", "select `x;y`"}},
    {"select 'a\\'; b", false, {"select 'a\\'", "b"}},
    {"select 'a\\'; b'; c", true, {"select 'a\\'; b'", "c"}},
    {"select `a\\`; b`; c", true, {"select `a\\`; b`", "c"}},
    {"-- first; comment\na; -- second;\nb; -- end;", false, {"-- first; comment\na", "-- second;\nb"}},
    {"# one; comment\na; #!two;\nb", false, {"# one; comment\na", "#!two;\nb"}},
    {"select '-- no comment'; b", false, {"select '-- no comment'", "b"}},
    {"-- it's\na; b", false, {"-- it's\na", "b"}},
    {"/* a;b */ c; /* x /* y; */ z; */ d; /* only; */", false, {"/* a;b */ c", "/* x /* y; */ z; */ d"}},
    {"select 4 /2*3; b", false, {"select 4 /2*3", "b"}},
    {"select $$a;b$$; c", false, {"select $$a;b$$", "c"}},
    {"select $t$a;$$;b$t$; c", false, {"select $t$a;$$;b$t$", "c"}},
    {"select $1; select $2", false, {"select $1", "select $2"}},
    {"select a$b$c; d$b$e", false, {"select a$b$c", "d$b$e"}},
    {"a; select 'never closed; b", false, {"a", "select 'never closed; b"}},
    {"a; b /* never closed; c", false, {"a", "b /* never closed; c"}},
    {"a; select $x$ never closed; c", false, {"a", "select $x$ never closed; c"}},
    {"select 'a\\", true, {"select 'a\\"}},
    {"create table x (a String DEFAULT 'a\\\\'); drop table y",
     true,
     {"create table x (a String DEFAULT 'a\\\\')", "drop table y"}},
};

static void cuts_at_semicolons_outside_of_quotes_and_comments(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice script = slice_from_string(cases[i].script), statement;
        size_t count = 0;
        while (migrate_split(&script, cases[i].backslash_escapes, &statement)) {
            assert_true(count < 4);
            if (!cases[i].statements[count] || !slice_equal(slice_from_string(cases[i].statements[count]), statement))
                fail_msg("case %zu, statement %zu: got <%.*s> of <%s>", i, count, SLICE_ARGS(statement),
                         cases[i].script);
            count++;
        }
        if (count < 4 && cases[i].statements[count])
            fail_msg("case %zu: <%s> is missing of <%s>", i, cases[i].statements[count], cases[i].script);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cuts_at_semicolons_outside_of_quotes_and_comments)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
