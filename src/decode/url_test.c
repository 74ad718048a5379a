/* SPDX-License-Identifier: Apache-2.0 */
/* URLs come apart into the parts a browser would give. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "decode/url.h"

static void check(struct slice actual, const char *expected)
{
    if (!slice_equal(actual, slice_from_string(expected)))
        fail_msg("\"%.*s\" is not \"%s\"", SLICE_ARGS(actual), expected);
}

static void splits_absolute_and_relative_urls(void **state)
{
    (void)state;
    static const struct { const char *text, *origin, *host, *port, *path, *query, *fragment; } cases[] = {
        {"https://shop.example:8443/a/b?c=d&e#top", "https://shop.example:8443", "shop.example", "8443", "/a/b", "c=d&e", "top"},
        {"http://localhost", "http://localhost", "localhost", "", "", "", ""},
        {"https://x.example?q=/a#/b?c", "https://x.example", "x.example", "", "", "q=/a", "/b?c"},
        {"https://[2001:db8::1]:80/", "https://[2001:db8::1]:80", "2001:db8::1", "80", "/", "", ""},
        {"https://user:pw@x.example/p", "", "x.example", "", "/p", "", ""},
        {"//cdn.example/p", "", "cdn.example", "", "/p", "", ""},
        {"/path?x=1", "", "", "", "/path", "x=1", ""},
        {"home", "", "", "", "home", "", ""},
        {"?x=1", "", "", "", "", "x=1", ""},
        {"#a", "", "", "", "", "", "a"},
        {"", "", "", "", "", "", ""},
        {"app:screen/home", "", "", "", "app:screen/home", "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct url url;
        assert_true(url_parse(slice_from_string(cases[i].text), &url));
        check(url.origin, cases[i].origin);
        check(url.host, cases[i].host);
        check(url.port, cases[i].port);
        check(url.path, cases[i].path);
        check(url.query, cases[i].query);
        check(url.fragment, cases[i].fragment);
    }
}

static void refuses_urls_without_host_or_with_spaces(void **state)
{
    (void)state;
    static const char *const cases[] = {"https://", "https:///path", "https://x.example:99999/", "https://x.example:a/",
                                        "https://[::1/", "https://[::1]x/", "/a b", "/a\nb"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct url url;
        if (url_parse(slice_from_string(cases[i]), &url)) fail_msg("accepted \"%s\"", cases[i]);
    }
}

static void decodes_percent_escapes(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    check(url_decode(arena, SLICE("a%20b%2Fc+d"), false), "a b/c+d");
    check(url_decode(arena, SLICE("a%20b+d"), true), "a b d");
    check(url_decode(arena, SLICE("100%"), true), "100%");
    check(url_decode(arena, SLICE("%zz%4"), true), "%zz%4");
    check(url_decode(arena, SLICE("%c3%A9"), true), "\xc3\xa9");
    check(url_decode(arena, SLICE("%41"), true), "A");
    check(url_decode(arena, SLICE(""), true), "");
    arena_destroy(arena);
}

static void walks_query_pairs(void **state)
{
    (void)state;
    struct slice rest = SLICE("&a=1&&b&c=x=y&"), name, value;
    static const char *const expected[][2] = {{"a", "1"}, {"b", ""}, {"c", "x=y"}};
    for (size_t i = 0; i < 3; i++) {
        assert_true(url_query_next(&rest, &name, &value));
        check(name, expected[i][0]);
        check(value, expected[i][1]);
    }
    assert_false(url_query_next(&rest, &name, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_absolute_and_relative_urls),
        cmocka_unit_test(refuses_urls_without_host_or_with_spaces),
        cmocka_unit_test(decodes_percent_escapes),
        cmocka_unit_test(walks_query_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
