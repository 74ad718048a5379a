/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour towards browsers and strangers: cookies, our page and others, the rate of one address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "api/browser.h"
#include "api/limit.h"

static struct request_header headers[8];
static struct request request_with(size_t count, const char *const pairs[][2])
{
    for (size_t i = 0; i < count; i++)
        headers[i] = (struct request_header){slice_from_string(pairs[i][0]), slice_from_string(pairs[i][1])};
    return (struct request){.headers = headers, .header_count = count, .method = METHOD_POST};
}

static void a_cookie_is_found_by_its_whole_name(void **state)
{
    static const char *const pairs[][2] = {{"cookie", "xmillrace_refresh=no; millrace_refreshx=no;millrace_refresh = yes=1 ; millrace_refresh=late"}};
    struct request request = request_with(1, pairs);
    assert_true(slice_equal(api_cookie_get(&request, API_COOKIE_REFRESH, false), SLICE("yes=1")));
    assert_int_equal(api_cookie_get(&request, API_COOKIE_REFRESH, true).size, 0);
    assert_int_equal(api_cookie_get(&request, API_COOKIE_DEVICE, false).size, 0);
}

static const char *written(enum api_cookie cookie, bool is_https, const char *value, int64_t expires_ms)
{
    static char text[400];
    struct buffer out = {0};
    api_cookie_write(cookie, is_https, slice_from_string(value), expires_ms, 1000, &out);
    snprintf(text, sizeof text, "%.*s", (int)out.size, out.data);
    buffer_free(&out);
    return text;
}

static void cookies_are_kept_from_scripts_and_from_other_hosts(void **state)
{
    assert_string_equal(written(API_COOKIE_ACCESS, false, "abc", 61000),
                        "Set-Cookie: millrace_access=abc; Path=/; HttpOnly; SameSite=Strict; Max-Age=60\r\n");
    assert_string_equal(written(API_COOKIE_ACCESS, true, "abc", 61000),
                        "Set-Cookie: __Host-millrace_access=abc; Path=/; HttpOnly; SameSite=Strict; Max-Age=60; Secure\r\n");
    assert_string_equal(written(API_COOKIE_REFRESH, true, "abc", 61000),
                        "Set-Cookie: __Secure-millrace_refresh=abc; Path=/v1/auth; HttpOnly; SameSite=Strict; Max-Age=60; Secure\r\n");
    assert_string_equal(written(API_COOKIE_REFRESH, false, "", 61000),
                        "Set-Cookie: millrace_refresh=; Path=/v1/auth; HttpOnly; SameSite=Strict; Max-Age=0\r\n");
    assert_string_equal(written(API_COOKIE_DEVICE, false, "abc", 1000),
                        "Set-Cookie: millrace_device=; Path=/v1/auth; HttpOnly; SameSite=Strict; Max-Age=0\r\n");
}

static void only_our_own_page_counts_as_ours(void **state)
{
    static const struct {
        const char *site, *origin, *host;
        bool ours;
    } cases[] = {
        {"same-origin", NULL, "m.example", true},
        {"same-origin", "https://m.example", "m.example", true},
        {NULL, "http://m.example:8080", "m.example:8080", true},
        {NULL, "HTTPS://M.example", "m.EXAMPLE", false}, /* browsers write schemes in small letters */
        {NULL, "https://public.example", "inner:8080", true},
        {NULL, NULL, "m.example", false},
        {"cross-site", "https://m.example", "m.example", false},
        {"same-site", NULL, "m.example", false},
        {"none", NULL, "m.example", false},
        {"same-origin", "https://evil.example", "m.example", false},
        {NULL, "https://evil.example", "m.example", false},
        {NULL, "null", "m.example", false},
        {NULL, "https://m.example.evil.example", "m.example", false},
        {NULL, "https://m.example:81", "m.example", false},
        {NULL, "ftp://m.example", "m.example", false},
        {NULL, "https://", "", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *pairs[3][2] = {{"host", cases[i].host}};
        size_t count = 1;
        if (cases[i].site) pairs[count][0] = "sec-fetch-site", pairs[count++][1] = cases[i].site;
        if (cases[i].origin) pairs[count][0] = "origin", pairs[count++][1] = cases[i].origin;
        struct request request = request_with(count, (const char *const(*)[2])pairs);
        if (api_is_same_origin(&request, "https://public.example") != cases[i].ours) fail_msg("case %zu", i);
    }
}

static void a_body_says_that_it_is_json(void **state)
{
    static const struct {
        const char *type;
        bool body, good;
    } cases[] = {{"application/json", true, true}, {"Application/JSON; charset=utf-8", true, true}, {"text/plain", true, false},
                 {"application/x-www-form-urlencoded", false, false}, {NULL, true, false}, {NULL, false, true},
                 {"application/json-patch+json", true, false}, {"multipart/form-data; boundary=application/json", true, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *pairs[1][2] = {{"content-type", cases[i].type}};
        struct request request = request_with(cases[i].type ? 1 : 0, (const char *const(*)[2])pairs);
        request.body = cases[i].body ? SLICE("{}") : SLICE_EMPTY;
        if (api_has_json_body(&request) != cases[i].good) fail_msg("case %zu", i);
    }
}

static void an_address_has_its_tries_and_gets_them_back(void **state)
{
    struct api_limit *limit = api_limit_create(API_LIMIT_BURST, API_LIMIT_INTERVAL_MS);
    assert_non_null(limit);
    int64_t now_ms = 5000000;
    for (int i = 0; i < API_LIMIT_BURST; i++) {
        struct api_limit_state taken = api_limit_take(limit, SLICE("203.0.113.7"), SLICE_EMPTY, now_ms);
        assert_int_equal(taken.retry_after_ms, 0);
        assert_int_equal(taken.remaining, API_LIMIT_BURST - 1 - i);
    }
    struct api_limit_state refused = api_limit_take(limit, SLICE("203.0.113.7"), SLICE_EMPTY, now_ms + 500);
    assert_int_equal(refused.retry_after_ms, API_LIMIT_INTERVAL_MS - 500);
    assert_int_equal(api_limit_take(limit, SLICE("203.0.113.8"), SLICE_EMPTY, now_ms).retry_after_ms, 0);
    assert_int_equal(api_limit_take(limit, SLICE("203.0.113.7"), SLICE("something else"), now_ms).retry_after_ms, 0);
    assert_int_equal(api_limit_take(limit, SLICE("203.0.113.7"), SLICE_EMPTY, now_ms + API_LIMIT_INTERVAL_MS).retry_after_ms, 0);
    assert_true(api_limit_take(limit, SLICE("203.0.113.7"), SLICE_EMPTY, now_ms + API_LIMIT_INTERVAL_MS).retry_after_ms > 0);
    now_ms += (API_LIMIT_BURST + 1) * API_LIMIT_INTERVAL_MS;
    assert_int_equal(api_limit_take(limit, SLICE("203.0.113.7"), SLICE_EMPTY, now_ms).remaining, API_LIMIT_BURST - 1);
    api_limit_destroy(limit);
}

static void a_household_of_ipv6_counts_as_one(void **state)
{
    struct api_limit *limit = api_limit_create(API_LIMIT_BURST, API_LIMIT_INTERVAL_MS);
    assert_non_null(limit);
    for (int i = 0; i < API_LIMIT_BURST; i++) {
        char address[64];
        snprintf(address, sizeof address, "2001:db8:1:2::%x", (unsigned)i);
        assert_int_equal(api_limit_take(limit, slice_from_string(address), SLICE_EMPTY, 1000).retry_after_ms, 0);
    }
    assert_true(api_limit_take(limit, SLICE("2001:db8:1:2:ffff::1"), SLICE_EMPTY, 1000).retry_after_ms > 0);
    assert_int_equal(api_limit_take(limit, SLICE("2001:db8:1:3::1"), SLICE_EMPTY, 1000).retry_after_ms, 0);
    api_limit_destroy(limit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cookie_is_found_by_its_whole_name),
        cmocka_unit_test(cookies_are_kept_from_scripts_and_from_other_hosts),
        cmocka_unit_test(only_our_own_page_counts_as_ours),
        cmocka_unit_test(a_body_says_that_it_is_json),
        cmocka_unit_test(an_address_has_its_tries_and_gets_them_back),
        cmocka_unit_test(a_household_of_ipv6_counts_as_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
