/* SPDX-License-Identifier: Apache-2.0 */
/* Settings: bounds, units, who wins, and what is printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "server/settings.h"

static struct settings load(void)
{
    struct settings settings;
    struct error error;
    if (settings_load(&settings, &error) != ERROR_NONE) fail_msg("%s", error.message);
    return settings;
}

static enum error_code set(struct settings *settings, const char *name, const char *value, struct error *error)
{
    return settings_set(settings, slice_from_string(name), value, SETTINGS_FLAG, error);
}

static enum error_code read_text(struct settings *settings, struct slice text, struct error *error)
{
    char path[] = "/tmp/millrace-settings-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text.data, text.size), (ssize_t)text.size);
    close(fd);
    enum error_code code = settings_read_file(settings, path, error);
    unlink(path);
    return code;
}

static char *printed(const struct settings *settings)
{
    struct buffer out = {0};
    settings_print(settings, &out);
    buffer_append_byte(&out, 0);
    return out.data;
}

static void numbers_have_units_and_bounds(void **state)
{
    static const struct {
        const char *name, *value;
        size_t offset;
        int64_t expected; /* -1: refused */
    } cases[] = {
#define FIELD(name) offsetof(struct settings, name)
        {"loops", "0", FIELD(loops), 0},
        {"loops", "256", FIELD(loops), 256},
        {"loops", "257", FIELD(loops), -1},
        {"loops", "-1", FIELD(loops), -1},
        {"loops", "", FIELD(loops), -1},
        {"loops", "1s", FIELD(loops), -1},
        {"loops", "two", FIELD(loops), -1},
        {"loops", "1.5", FIELD(loops), -1},
        {"http.body_limit", "1024", FIELD(http_body_limit_bytes), 1024},
        {"http.body_limit", "1024B", FIELD(http_body_limit_bytes), 1024},
        {"http.body_limit", "1023", FIELD(http_body_limit_bytes), -1},
        {"http.body_limit", "2MiB", FIELD(http_body_limit_bytes), 2 << 20},
        {"http.body_limit", " 2 MiB ", FIELD(http_body_limit_bytes), 2 << 20},
        {"http.body_limit", "1GiB", FIELD(http_body_limit_bytes), 1 << 30},
        {"http.body_limit", "1025MiB", FIELD(http_body_limit_bytes), -1},
        {"http.body_limit", "2MB", FIELD(http_body_limit_bytes), -1},
        {"http.body_limit", "2s", FIELD(http_body_limit_bytes), -1},
        {"http.body_limit", "99999999999GiB", FIELD(http_body_limit_bytes), -1},
        {"http.body_limit", "99999999999999999999", FIELD(http_body_limit_bytes), -1},
        {"spool.seal_age", "10", FIELD(spool_seal_age_ms), 10},
        {"spool.seal_age", "10ms", FIELD(spool_seal_age_ms), 10},
        {"spool.seal_age", "9ms", FIELD(spool_seal_age_ms), -1},
        {"spool.seal_age", "2s", FIELD(spool_seal_age_ms), 2000},
        {"spool.seal_age", "2m", FIELD(spool_seal_age_ms), 120000},
        {"spool.seal_age", "2h", FIELD(spool_seal_age_ms), 7200000},
        {"spool.seal_age", "1d", FIELD(spool_seal_age_ms), 86400000},
        {"spool.seal_age", "2d", FIELD(spool_seal_age_ms), -1},
        {"spool.commit_interval", "3ms", FIELD(spool_commit_interval_us), 3000},
        {"spool.commit_interval", "500us", FIELD(spool_commit_interval_us), 500},
        {"spool.commit_interval", "0", FIELD(spool_commit_interval_us), 0},
        {"spool.commit_interval", "2s", FIELD(spool_commit_interval_us), -1},
    };
    struct settings settings = load();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = {0};
        int64_t before, after;
        const char *field = (const char *)&settings + cases[i].offset;
        memcpy(&before, field, sizeof before);
        enum error_code code = set(&settings, cases[i].name, cases[i].value, &error);
        memcpy(&after, field, sizeof after);
        bool good = cases[i].expected < 0 ? code == ERROR_INVALID && after == before : code == ERROR_NONE && after == cases[i].expected;
        if (!good) fail_msg("%s = \"%s\": %s, %lld", cases[i].name, cases[i].value, error.message, (long long)after);
        if (code == ERROR_NONE) continue;
        assert_string_equal(error.field, cases[i].name);
        assert_non_null(strstr(error.message, cases[i].value));
        assert_non_null(strstr(error.message, " to "));
    }
}

static void the_last_of_default_file_environment_and_flag_wins(void **state)
{
    struct error error;
    setenv("MILLRACE_SPOOL_SEAL_ROWS", "300", 1);
    setenv("MILLRACE_QUERY_QUEUE", "3", 1);
    struct settings settings = load();
    assert_int_equal(settings.spool_seal_rows, 300);
    assert_int_equal(set(&settings, "query.queue", "4", &error), ERROR_NONE);
    assert_int_equal(read_text(&settings, SLICE("# a comment\n\n  loops = 2 # two\nquery.queue=5\nspool.seal_rows=500\n"
                                                "listen = [::1]:80\r\nquery.threads = 7"), &error), ERROR_NONE);
    assert_int_equal(settings.loops, 2);
    assert_int_equal(settings.query_threads, 7);
    assert_string_equal(settings.listen, "[::1]:80");
    assert_int_equal(settings.spool_seal_rows, 300); /* the environment's */
    assert_int_equal(settings.query_queue, 4);       /* the flag's */
    char *text = printed(&settings);
    assert_non_null(strstr(text, "loops = 2  # file\n"));
    assert_non_null(strstr(text, "spool.seal_rows = 300  # environment\n"));
    assert_non_null(strstr(text, "query.queue = 4  # flag\n"));
    assert_non_null(strstr(text, "query.timeout = 30s  # default\n"));
    free(text);
    unsetenv("MILLRACE_SPOOL_SEAL_ROWS");
    unsetenv("MILLRACE_QUERY_QUEUE");
}

static void a_bad_environment_is_said(void **state)
{
    struct settings settings;
    struct error error;
    setenv("MILLRACE_HTTP_BODY_LIMIT", "much", 1);
    assert_int_equal(settings_load(&settings, &error), ERROR_INVALID);
    assert_non_null(strstr(error.message, "http.body_limit"));
    assert_non_null(strstr(error.message, "environment"));
    unsetenv("MILLRACE_HTTP_BODY_LIMIT");
}

static void a_bad_line_of_a_file_is_named(void **state)
{
    char large[2100];
    memset(large, 'x', sizeof large);
    memcpy(large, "data = ", 7);
    const struct {
        struct slice text;
        enum error_code code;
        const char *message;
    } cases[] = {
        {SLICE("loops = 1\nloops = many\n"), ERROR_INVALID, "line 2: setting loops: \"many\""},
        {SLICE("\n\nloop = 1\n"), ERROR_INVALID, "line 3: there is no setting \"loop\""},
        {SLICE("data\n"), ERROR_INVALID, "line 1"}, /* would leave the folder empty */
        {slice_make(large, sizeof large), ERROR_INVALID, "line 1"}, /* would cut it off */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct settings settings = load();
        struct error error = {0};
        if (read_text(&settings, cases[i].text, &error) != cases[i].code || !strstr(error.message, cases[i].message))
            fail_msg("case %zu: %s", i, error.message);
    }
    struct settings settings = load();
    struct error error;
    assert_int_not_equal(settings_read_file(&settings, "/nowhere/millrace.conf", &error), ERROR_NONE);
    assert_non_null(strstr(error.message, "/nowhere/millrace.conf"));
}

static void an_unknown_name_is_not_found(void **state)
{
    struct settings settings = load();
    struct error error;
    assert_int_equal(set(&settings, "spool.seal_ages", "1s", &error), ERROR_NOT_FOUND);
    assert_int_equal(set(&settings, "", "1s", &error), ERROR_NOT_FOUND);
    assert_int_equal(set(&settings, "LOOPS", "1", &error), ERROR_NOT_FOUND);
}

static void what_is_printed_can_be_read_again(void **state)
{
    struct settings settings = load();
    struct error error;
    assert_int_equal(set(&settings, "http.body_limit", "1536KiB", &error), ERROR_NONE);
    assert_int_equal(set(&settings, "spool.seal_age", "1500ms", &error), ERROR_NONE);
    assert_int_equal(set(&settings, "spool.commit_interval", "1500us", &error), ERROR_NONE);
    char *text = printed(&settings);
    struct settings again = load();
    if (read_text(&again, slice_from_string(text), &error) != ERROR_NONE) fail_msg("%s", error.message);
    assert_int_equal(again.http_body_limit_bytes, 1536 << 10);
    assert_int_equal(again.spool_seal_age_ms, 1500);
    assert_int_equal(again.spool_commit_interval_us, 1500);
    assert_int_equal(again.spool_limit_bytes, settings.spool_limit_bytes);
    assert_string_equal(again.data, settings.data);
    free(text);
}

static void every_printed_setting_is_documented(void **state)
{
    struct settings settings = load();
    struct buffer document = {0};
    settings_document(&document);
    char *text = printed(&settings);
    struct slice rest = slice_from_string(text);
    size_t count = 0;
    for (; rest.size; count++) {
        struct slice line = slice_cut(&rest, '\n'), name = slice_trim(slice_cut(&line, '='));
        char row[128];
        snprintf(row, sizeof row, "\n| `%.*s` | ", SLICE_ARGS(name));
        if (slice_find(buffer_slice(&document), slice_from_string(row)) < 0) fail_msg("%s is not documented", row);
    }
    assert_true(count > 20);
    free(text);
    buffer_free(&document);
}

static void log_levels_are_words(void **state)
{
    struct settings settings = load();
    struct error error;
    assert_int_equal(settings_apply_log_level(&settings, &error), ERROR_NONE);
    settings.log_level = "loud";
    assert_int_equal(settings_apply_log_level(&settings, &error), ERROR_INVALID);
    assert_string_equal(error.field, "log.level");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_have_units_and_bounds),
        cmocka_unit_test(the_last_of_default_file_environment_and_flag_wins),
        cmocka_unit_test(a_bad_environment_is_said),
        cmocka_unit_test(a_bad_line_of_a_file_is_named),
        cmocka_unit_test(an_unknown_name_is_not_found),
        cmocka_unit_test(what_is_printed_can_be_read_again),
        cmocka_unit_test(every_printed_setting_is_documented),
        cmocka_unit_test(log_levels_are_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
