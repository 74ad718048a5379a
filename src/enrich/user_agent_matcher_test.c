/* SPDX-License-Identifier: Apache-2.0 */
/* uap-core's own test files, and Hyperscan's answers against those of one rule after another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/arena.h"
#include "enrich/user_agent_matcher.h"

static const char *tests_folder;
static struct user_agent_matcher *matcher;

static int set_up(void **state)
{
    struct error error;
    return user_agent_matcher_create(&matcher, &error) == ERROR_NONE ? 0 : -1;
}
static int tear_down(void **state)
{
    user_agent_matcher_destroy(matcher);
    return 0;
}

struct expectation {
    struct slice text;
    struct slice fields[USER_AGENT_FIELD_COUNT];
};
struct test_file {
    FILE *file;
    struct arena *arena;
    char line[8192];
    bool has_line;
};

/* The value of a "key: 'value'" line, quoted as YAML does. */
static struct slice yaml_value(struct arena *arena, const char *line)
{
    struct slice value = slice_trim(slice_from_string(strchr(line, ':') + 1));
    char quote = value.size >= 2 && (value.data[0] == '\'' || value.data[0] == '"') ? value.data[0] : 0;
    if (!quote) return arena_copy(arena, value);
    value = slice_make(value.data + 1, value.size - 2);
    char *copy = arena_copy_string(arena, value);
    size_t size = 0;
    for (size_t i = 0; i < value.size; i++) {
        if (i + 1 < value.size && ((quote == '\'' && value.data[i] == '\'') || (quote == '"' && value.data[i] == '\\'))) i++;
        copy[size++] = value.data[i];
    }
    return slice_make(copy, size);
}

static bool starts_case(const char *line) { return strstr(line, "- user_agent_string:") != NULL; }

/* Reads the next case; fields in the order of `keys`. */
static bool read_case(struct test_file *test, const char *const keys[USER_AGENT_FIELD_COUNT], struct expectation *ret)
{
    while (!test->has_line || !starts_case(test->line)) {
        test->has_line = fgets(test->line, sizeof test->line, test->file) != NULL;
        if (!test->has_line) return false;
    }
    arena_reset(test->arena);
    *ret = (struct expectation){.text = yaml_value(test->arena, test->line)};
    for (unsigned i = 0; i < USER_AGENT_FIELD_COUNT; i++) ret->fields[i] = SLICE_EMPTY;
    while ((test->has_line = fgets(test->line, sizeof test->line, test->file) != NULL) && !starts_case(test->line)) {
        struct slice key = slice_from_string(test->line);
        key = slice_trim(slice_cut(&key, ':'));
        for (unsigned i = 0; i < USER_AGENT_FIELD_COUNT; i++)
            if (keys[i] && slice_equal(key, slice_from_string(keys[i]))) ret->fields[i] = yaml_value(test->arena, test->line);
    }
    return true;
}

static size_t check_file(const char *name, enum user_agent_kind kind, const char *const keys[USER_AGENT_FIELD_COUNT],
                         size_t *ret_wrong)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", tests_folder, name);
    struct test_file test = {.file = fopen(path, "r"), .arena = arena_create(0)};
    if (!test.file) fail_msg("%s cannot be opened", path);
    struct expectation expected;
    size_t count = 0;
    static struct user_agent_match matches[USER_AGENT_KIND_COUNT];
    while (read_case(&test, keys, &expected)) {
        count++;
        assert_true(user_agent_match(matcher, expected.text, matches));
        if (!matches[kind].found) matches[kind].fields[0] = SLICE("Other");
        for (unsigned i = 0; i < USER_AGENT_FIELD_COUNT; i++) {
            if (!keys[i] || slice_equal(matches[kind].fields[i], expected.fields[i])) continue;
            (*ret_wrong)++;
            print_message("# %.*s: %s is \"%.*s\", not \"%.*s\"\n", SLICE_ARGS(expected.text), keys[i],
                          SLICE_ARGS(matches[kind].fields[i]), SLICE_ARGS(expected.fields[i]));
            break;
        }
    }
    fclose(test.file);
    arena_destroy(test.arena);
    return count;
}

static const char *const browser_keys[USER_AGENT_FIELD_COUNT] = {"family", "major", "minor", "patch"};
static const char *const os_keys[USER_AGENT_FIELD_COUNT] = {"family", "major", "minor", "patch", "patch_minor"};
static const char *const device_keys[USER_AGENT_FIELD_COUNT] = {"family", "brand", "model"};

static void all_of_uap_cores_own_tests_pass(void **state)
{
    size_t wrong = 0;
    size_t browsers = check_file("tests/test_ua.yaml", USER_AGENT_BROWSER, browser_keys, &wrong);
    browsers += check_file("test_resources/firefox_user_agent_strings.yaml", USER_AGENT_BROWSER, browser_keys, &wrong);
    browsers += check_file("test_resources/opera_mini_user_agent_strings.yaml", USER_AGENT_BROWSER, browser_keys, &wrong);
    browsers += check_file("test_resources/podcasting_user_agent_strings.yaml", USER_AGENT_BROWSER, browser_keys, &wrong);
    browsers += check_file("test_resources/pgts_browser_list.yaml", USER_AGENT_BROWSER, browser_keys, &wrong);
    size_t systems = check_file("tests/test_os.yaml", USER_AGENT_OS, os_keys, &wrong);
    systems += check_file("test_resources/additional_os_tests.yaml", USER_AGENT_OS, os_keys, &wrong);
    size_t devices = check_file("tests/test_device.yaml", USER_AGENT_DEVICE, device_keys, &wrong);
    print_message("# %zu browsers, %zu systems, %zu devices, %zu wrong\n", browsers, systems, devices, wrong);
    assert_int_equal(wrong, 0);
    assert_true(browsers > 1000 && systems > 400 && devices > 10000);
}

static void compare(struct slice text)
{
    static struct user_agent_match fast[USER_AGENT_KIND_COUNT], slow[USER_AGENT_KIND_COUNT];
    assert_true(user_agent_match(matcher, text, fast));
    assert_true(user_agent_match_in_turn(matcher, text, slow));
    for (unsigned kind = 0; kind < USER_AGENT_KIND_COUNT; kind++)
        for (unsigned i = 0; i < USER_AGENT_FIELD_COUNT; i++)
            if (fast[kind].found != slow[kind].found || !slice_equal(fast[kind].fields[i], slow[kind].fields[i]))
                fail_msg("%.*s: kind %u field %u is \"%.*s\", in turn \"%.*s\"", SLICE_ARGS(text), kind, i,
                         SLICE_ARGS(fast[kind].fields[i]), SLICE_ARGS(slow[kind].fields[i]));
}

/* Every 40th text of the device tests, whole and cut and with a byte changed, some 1,600 texts. */
static void one_pass_says_the_same_as_rule_after_rule(void **state)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/tests/test_device.yaml", tests_folder);
    struct test_file test = {.file = fopen(path, "r"), .arena = arena_create(0)};
    assert_non_null(test.file);
    struct expectation expected;
    uint32_t random = 1;
    for (size_t count = 0; read_case(&test, device_keys, &expected); count++) {
        if (count % 40 != 0 || expected.text.size < 4) continue;
        compare(expected.text);
        random = random * 1664525 + 1013904223;
        compare(slice_first(expected.text, random % expected.text.size));
        compare(slice_from(expected.text, (random >> 8) % expected.text.size));
        char *changed = arena_copy_string(test.arena, expected.text);
        changed[(random >> 4) % expected.text.size] = (char)(random >> 24);
        compare(slice_make(changed, expected.text.size));
    }
    compare(SLICE_EMPTY);
    fclose(test.file);
    arena_destroy(test.arena);
}

int main(int argument_count, char **arguments)
{
    if (argument_count != 2) return 2;
    tests_folder = arguments[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_uap_cores_own_tests_pass),
        cmocka_unit_test(one_pass_says_the_same_as_rule_after_rule),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
