/* SPDX-License-Identifier: Apache-2.0 */
/* Flags of commands: both spellings, bare flags, settings, arguments, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "server/options.h"

struct parsed {
    const char *name;
    bool json;
    struct settings settings;
    struct options options;
    struct error error;
};

static enum error_code parse(struct parsed *parsed, bool takes_settings, char **arguments)
{
    memset(parsed, 0, sizeof *parsed);
    const struct option flags[] = {
        {"name", "NAME", &parsed->name, NULL, "a name"}, {"json", NULL, NULL, &parsed->json, "as JSON"}, {0}};
    const struct option_table table = {.usage = "millrace test THING", .description = "Tests.", .options = flags,
                                       .positional_names = "THING", .positional_least = 1, .positional_most = 2,
                                       .takes_settings = takes_settings};
    int count = 0;
    while (arguments[count]) count++;
    assert_int_equal(settings_load(&parsed->settings, &parsed->error), ERROR_NONE);
    return options_parse(&table, count, arguments, takes_settings ? &parsed->settings : NULL, &parsed->options, &parsed->error);
}
#define PARSE(parsed, takes_settings, ...) parse(parsed, takes_settings, (char *[]){__VA_ARGS__, NULL})

static void flags_are_taken_in_both_spellings_and_in_any_place(void **state)
{
    struct parsed parsed;
    assert_int_equal(PARSE(&parsed, false, "--name", "Ann", "one", "--json", "two"), ERROR_NONE);
    assert_string_equal(parsed.name, "Ann");
    assert_true(parsed.json);
    assert_int_equal(parsed.options.positional_count, 2);
    assert_string_equal(parsed.options.positional[1], "two");
    assert_int_equal(PARSE(&parsed, false, "one", "--name=a=b"), ERROR_NONE);
    assert_string_equal(parsed.name, "a=b");
    assert_false(parsed.json);
    assert_int_equal(PARSE(&parsed, false, "one", "--name="), ERROR_NONE);
    assert_string_equal(parsed.name, "");
    assert_int_equal(PARSE(&parsed, false, "--name", "--json", "one"), ERROR_NONE); /* a value may look like a flag */
    assert_string_equal(parsed.name, "--json");
}

static void after_two_dashes_everything_is_an_argument(void **state)
{
    struct parsed parsed;
    assert_int_equal(PARSE(&parsed, false, "--", "--json", "--help"), ERROR_NONE);
    assert_string_equal(parsed.options.positional[0], "--json");
    assert_false(parsed.json);
    assert_false(parsed.options.help);
}

static void settings_are_flags_where_the_command_takes_them(void **state)
{
    struct parsed parsed;
    assert_int_equal(PARSE(&parsed, true, "one", "--spool.seal_age", "1s", "--loops=3"), ERROR_NONE);
    assert_int_equal(parsed.settings.spool_seal_age_ms, 1000);
    assert_int_equal(parsed.settings.loops, 3);
    assert_int_equal(PARSE(&parsed, true, "one", "--loops=300"), ERROR_INVALID);
    assert_non_null(strstr(parsed.error.message, "loops"));
    assert_int_equal(PARSE(&parsed, false, "one", "--loops=3"), ERROR_INVALID);
    assert_non_null(strstr(parsed.error.message, "no flag --loops"));
}

static void mistakes_are_named(void **state)
{
    struct parsed parsed;
    assert_int_equal(PARSE(&parsed, true, "one", "--looops", "3"), ERROR_INVALID);
    assert_non_null(strstr(parsed.error.message, "--looops"));
    assert_int_equal(PARSE(&parsed, true, "one", "--name"), ERROR_INVALID);
    assert_non_null(strstr(parsed.error.message, "--name needs a value"));
    assert_int_equal(PARSE(&parsed, true, "one", "--json=yes"), ERROR_INVALID);
    assert_non_null(strstr(parsed.error.message, "--json takes no value"));
    assert_int_equal(PARSE(&parsed, true, "--json"), ERROR_INVALID);
    assert_non_null(strstr(parsed.error.message, "THING is missing"));
    assert_int_equal(PARSE(&parsed, true, "one", "two", "three"), ERROR_INVALID);
    assert_non_null(strstr(parsed.error.message, "\"three\" is one argument too many"));
}

static void help_is_printed_and_ends_it(void **state)
{
    struct parsed parsed;
    char path[] = "/tmp/millrace-options-XXXXXX", text[2000] = "";
    int file = mkstemp(path), terminal = dup(STDOUT_FILENO);
    assert_true(file >= 0 && terminal >= 0);
    fflush(stdout);
    dup2(file, STDOUT_FILENO);
    enum error_code code = PARSE(&parsed, true, "--help", "--nonsense");
    bool help = parsed.options.help;
    enum error_code short_code = PARSE(&parsed, true, "-h");
    fflush(stdout);
    dup2(terminal, STDOUT_FILENO);
    assert_true(pread(file, text, sizeof text - 1, 0) > 0);
    close(file);
    close(terminal);
    unlink(path);
    assert_int_equal(code, ERROR_NONE);
    assert_int_equal(short_code, ERROR_NONE);
    assert_true(help && parsed.options.help);
    assert_non_null(strstr(text, "usage: millrace test THING\n\nTests.\n"));
    assert_non_null(strstr(text, "\n  --name NAME                  a name\n  --json                       as JSON\n"));
    assert_non_null(strstr(text, "Every setting is a flag too"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_are_taken_in_both_spellings_and_in_any_place),
        cmocka_unit_test(after_two_dashes_everything_is_an_argument),
        cmocka_unit_test(settings_are_flags_where_the_command_takes_them),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(help_is_printed_and_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
