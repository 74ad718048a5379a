/* SPDX-License-Identifier: Apache-2.0 */
/* Access log lines give their parts; lines of another shape are refused with the part that is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "decode/weblog.h"

static void check(struct slice actual, const char *expected)
{
    if (!slice_equal(actual, slice_from_string(expected)))
        fail_msg("\"%.*s\" is not \"%s\"", SLICE_ARGS(actual), expected);
}

static void reads_the_combined_format(void **state)
{
    (void)state;
    struct weblog_line line;
    assert_int_equal(
        weblog_parse(SLICE("203.0.113.9 - frank [10/Oct/2000:13:55:36 -0700] \"GET /a.html?b=c HTTP/1.1\" 200 "
                           "2326 \"https://ref.example/\" \"Mozilla/5.0 \\\"x\\\" (X11)\"\n"),
                     &line, NULL),
        ERROR_NONE);
    check(line.address, "203.0.113.9");
    check(line.user, "frank");
    assert_int_equal(line.time_ms, 971211336000);
    check(line.method, "GET");
    check(line.target, "/a.html?b=c");
    check(line.protocol, "HTTP/1.1");
    assert_int_equal(line.status, 200);
    assert_int_equal(line.bytes, 2326);
    check(line.referrer, "https://ref.example/");
    check(line.user_agent, "Mozilla/5.0 \\\"x\\\" (X11)");
}

static void reads_the_common_format_and_dashes(void **state)
{
    (void)state;
    struct weblog_line line;
    assert_int_equal(weblog_parse(SLICE("::1 - - [29/Feb/2024:00:00:00 +0530] \"-\" 408 -"), &line, NULL), ERROR_NONE);
    assert_int_equal(line.time_ms, 1709145000000);
    check(line.user, "");
    check(line.request, "");
    check(line.method, "");
    assert_int_equal(line.bytes, 0);
    check(line.referrer, "");
    assert_int_equal(weblog_parse(SLICE("h - - [29/Feb/2024:00:00:00 +0000] \"\\x16\\x03\" 400 0 \"-\" \"-\" extra"),
                                  &line, NULL), ERROR_NONE);
    check(line.request, "\\x16\\x03");
    check(line.method, "");
    check(line.user_agent, "");
}

static void refuses_other_lines(void **state)
{
    (void)state;
    static const struct { const char *line, *expected; } cases[] = {
        {"", "empty"},
        {"hello world", "no time"},
        {"h - - [", "no time"},
        {"h - - []", "no time"},
        {"h - - [10/Foo/2000:13:55:36 -0700] \"GET / HTTP/1.1\" 200 1", "no time"},
        {"h - - [40/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.1\" 200 1", "no time"},
        {"h - - [10/Oct/2000:13:55:36 -0700] GET", "no request line"},
        {"h - - [10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.1\\\" 200", "no request line"},
        {"h - - [10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.1\" abc 1", "no status"},
        {"h - - [10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.1\" 200 x", "no size"},
        {"h - - [10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.1\" 200 1 \"a\"", "no referrer and user agent"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct weblog_line line;
        struct error error = {0};
        assert_int_equal(weblog_parse(slice_from_string(cases[i].line), &line, &error), ERROR_INVALID);
        if (!strstr(error.message, cases[i].expected)) fail_msg("%s: %s", cases[i].line, error.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_combined_format),
        cmocka_unit_test(reads_the_common_format_and_dashes),
        cmocka_unit_test(refuses_other_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
