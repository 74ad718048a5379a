/* SPDX-License-Identifier: Apache-2.0 */
/* Each enrichment step by example. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "enrich/campaign.h"
#include "enrich/client_address.h"
#include "enrich/client_time.h"
#include "enrich/page.h"
#include "enrich/privacy.h"
#include "enrich/referrer.h"

static void check(struct slice actual, const char *expected)
{
    if (!slice_equal(actual, slice_from_string(expected)))
        fail_msg("\"%.*s\" is not \"%s\"", SLICE_ARGS(actual), expected);
}

static int set_up(void **state)
{
    *state = arena_create(0);
    return *state ? 0 : -1;
}
static int tear_down(void **state)
{
    arena_destroy(*state);
    return 0;
}

static void page_parts_make_the_url_again(void **state)
{
    static const struct { const char *url, *origin, *path, *query, *hash; } cases[] = {
        {"https://shop.example/landing?utm_source=newsletter#top", "https://shop.example", "/landing", "?utm_source=newsletter", "#top"},
        {"HTTPS://Shop.Example:443", "https://shop.example", "/", "", ""},
        {"http://shop.example:8080/About/", "http://shop.example:8080", "/About/", "", ""},
        {"https://me:pw@shop.example/x", "https://shop.example", "/x", "", ""},
        {"https://me@[2001:db8::1]:81/x", "https://[2001:db8::1]:81", "/x", "", ""},
        {"/virtual?a=1#", "", "/virtual", "?a=1", ""},
        {"home", "", "home", "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct page page;
        assert_true(page_from_url(*state, slice_from_string(cases[i].url), &page));
        check(page.origin, cases[i].origin);
        check(page.path, cases[i].path);
        check(page.query_string, cases[i].query);
        check(page.hash, cases[i].hash);
    }
    struct page page;
    assert_false(page_from_url(*state, SLICE("https://"), &page));
    check(page_host(SLICE("https://shop.example:8443")), "shop.example");
}

static void campaign_is_read_from_the_query(void **state)
{
    struct campaign campaign;
    campaign_from_query(*state,
                        SLICE("?utm_source=News%20Letter&utm_medium=e+mail&utm_campaign=spring&utm_term=a&utm_content=b"
                              "&gclid=G-1&ref=other&utm_source=second&x=%ff"),
                        &campaign);
    check(campaign.source, "News Letter");
    check(campaign.medium, "e mail");
    check(campaign.campaign, "spring");
    check(campaign.term, "a");
    check(campaign.content, "b");
    check(campaign.gclid, "G-1");
    check(campaign.tag, "News Letter");
    campaign_from_query(*state, SLICE("utm_referrer=b&ref=a&utm_medium=%ff%fe"), &campaign);
    check(campaign.tag, "a");
    check(campaign.medium, "");
}

static void long_campaign_values_are_cut_between_characters(void **state)
{
    char query[600] = "utm_source=x";
    for (int i = 0; i < 200; i++) memcpy(query + 12 + 2 * i, "\xc3\xa9", 3);
    struct campaign campaign;
    campaign_from_query(*state, slice_from_string(query), &campaign);
    assert_int_equal(campaign.source.size, 255);
    assert_true(slice_is_utf8(campaign.source));
}

static void referrers_get_name_and_type(void **state)
{
    static const struct { const char *raw, *page_host, *tag, *url, *name, *type; } cases[] = {
        {"https://www.google.com/", "shop.example", "", "https://www.google.com", "Google", "search"},
        {"https://www.google.co.uk/search?q=x", "shop.example", "", "https://www.google.co.uk/search?q=x", "Google", "search"},
        {"https://mail.google.com/", "shop.example", "", "https://mail.google.com", "Gmail", "email"},
        {"https://google.evil.example/", "shop.example", "", "https://google.evil.example", "google.evil.example", "unknown"},
        {"https://old.reddit.com/r/x", "shop.example", "", "https://old.reddit.com/r/x", "Reddit", "social"},
        {"https://chatgpt.com/", "shop.example", "", "https://chatgpt.com", "ChatGPT", "ai"},
        {"https://WWW.Blog.Example/post", "shop.example", "", "https://WWW.Blog.Example/post", "blog.example", "unknown"},
        {"https://www.shop.example/a", "shop.example", "", "", "", ""},
        {"https://shop.example/a", "shop.example", "newsletter", "", "newsletter", "unknown"},
        {"direct", "shop.example", "", "", "", ""},
        {"", "", "", "", "", ""},
        {"", "", "twitter", "", "Twitter", "social"},
        {"", "", "Hacker News", "", "Hacker News", "social"},
        {"https://t.co/abc", "", "Bing.com", "https://t.co/abc", "Bing", "search"},
        {"https://blog.shop.example/a", "www.shop.example", "", "", "", ""},
        {"https://notshop.example/a", "shop.example", "", "https://notshop.example/a", "notshop.example", "unknown"},
        {"http://localhost:3000/a", "shop.example", "", "", "", ""},
        {"https://find.example/?lang=en&q=shoes", "shop.example", "", "https://find.example/?lang=en&q=shoes", "find.example", "search"},
        {"https://www.perplexity.ai/search/x", "", "", "https://www.perplexity.ai/search/x", "Perplexity", "ai"},
        {"https://gemini.google.com/", "", "", "https://gemini.google.com", "Gemini", "ai"},
        {"https://copilot.microsoft.com/", "", "", "https://copilot.microsoft.com", "Microsoft Copilot", "ai"},
        {"android-app://com.slack", "", "", "android-app://com.slack", "com.slack", "unknown"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct referrer referrer;
        referrer_resolve(*state, slice_from_string(cases[i].raw), slice_from_string(cases[i].page_host),
                         slice_from_string(cases[i].tag), &referrer);
        check(referrer.url, cases[i].url);
        check(referrer.name, cases[i].name);
        check(referrer.type, cases[i].type);
    }
}

static void click_ids_and_mediums_tell_what_is_paid_for(void **state)
{
    static const struct { const char *raw, *query, *name, *type; } cases[] = {
        {"https://www.google.com/", "?gclid=1", "Google", "ads"},
        {"", "?gclid=1", "Google Ads", "ads"},
        {"", "?a=b&msclkid=1", "Microsoft Ads", "ads"},
        {"", "?ttclid=1", "TikTok", "ads"},
        {"https://t.co/x", "?twclid=1", "Twitter", "ads"},
        {"", "?li_fat_id=1", "LinkedIn", "ads"},
        {"", "?fbclid=1", "Facebook", "social"},
        {"https://l.facebook.com/", "?fbclid=1&utm_medium=paid_social", "Facebook", "ads"},
        {"https://www.bing.com/", "?utm_medium=CPC", "Bing", "ads"},
        {"", "?utm_source=march&utm_medium=email", "march", "email"},
        {"https://www.google.com/", "?utm_medium=email", "Google", "search"},
        {"https://blog.example/", "?utm_medium=referral", "blog.example", "unknown"},
        {"", "?gclid=", "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct campaign campaign;
        struct referrer referrer;
        campaign_from_query(*state, slice_from_string(cases[i].query), &campaign);
        referrer_resolve(*state, slice_from_string(cases[i].raw), SLICE("shop.example"), campaign.tag, &referrer);
        referrer_refine(&referrer, campaign.medium, campaign.click);
        check(referrer.name, cases[i].name);
        check(referrer.type, cases[i].type);
    }
}

static void client_times_are_clamped_and_refused(void **state)
{
    (void)state;
    const int64_t now = 1781000000000;
    assert_null(client_time_refusal(now, now));
    assert_null(client_time_refusal(now + CLIENT_TIME_FUTURE_LIMIT_MS, now));
    assert_non_null(strstr(client_time_refusal(now + CLIENT_TIME_FUTURE_LIMIT_MS + 1, now), "from the future"));
    assert_non_null(strstr(client_time_refusal(1781000000, now), "before 2000"));
    assert_int_equal(client_time_clamp(now + 60000, now), now + 60000);
    assert_int_equal(client_time_clamp(now + 60001, now), now);
    assert_false(client_time_is_past(now - 900000, now));
    assert_true(client_time_is_past(now - 900001, now));
    int64_t parsed;
    assert_true(client_time_parse(SLICE("2026-06-08T12:00:00.000Z"), &parsed));
    assert_int_equal(parsed, 1780920000000);
    assert_true(client_time_parse(SLICE("1780920000000"), &parsed));
    assert_int_equal(parsed, 1780920000000);
    assert_false(client_time_parse(SLICE("yesterday"), &parsed));
}

struct header { const char *name, *value; };
static struct slice header_get(const void *request, const char *name)
{
    for (const struct header *header = request; header->name; header++)
        if (strcmp(header->name, name) == 0) return slice_from_string(header->value);
    return SLICE_EMPTY;
}

static void proxies_headers_count_only_from_trusted_peers(void **state)
{
    static const struct { const char *peer; struct header headers[3]; const char *expected; } cases[] = {
        {"198.51.100.7", {{"x-forwarded-for", "203.0.113.9"}}, "198.51.100.7"},
        {"127.0.0.1", {{"x-forwarded-for", "10.0.0.1, 203.0.113.9, 198.51.100.1"}}, "203.0.113.9"},
        {"::1", {{"x-forwarded-for", "203.0.113.9:4711"}}, "203.0.113.9"},
        {"", {{"forwarded", "for=\"[2001:DB8::1]:443\";proto=https"}}, "2001:db8::1"},
        {"10.1.2.3", {{"cf-connecting-ip", "2001:db8::2"}, {"x-forwarded-for", "203.0.113.9"}}, "2001:db8::2"},
        {"127.0.0.1", {{"x-forwarded-for", "192.168.1.1, unknown"}}, "127.0.0.1"},
        {"::ffff:198.51.100.7", {{NULL}}, "198.51.100.7"},
        {"", {{NULL}}, ""},
    };
    struct client_address_rules rules;
    assert_int_equal(client_address_rules_parse(SLICE("loopback, 10.0.0.0/8"), &rules, NULL), ERROR_NONE);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check(client_address_find(&rules, slice_from_string(cases[i].peer), header_get, cases[i].headers, *state),
              cases[i].expected);
}

static void bad_proxy_lists_are_refused(void **state)
{
    (void)state;
    struct client_address_rules rules;
    static const char *const cases[] = {"localhost", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.1/x"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(client_address_rules_parse(slice_from_string(cases[i]), &rules, NULL), ERROR_INVALID);
}

static void private_addresses_are_not_public(void **state)
{
    (void)state;
    static const char *const private_ones[] = {
        "10.1.1.1", "127.0.0.1", "172.31.0.1", "192.168.0.1", "169.254.1.1", "100.64.0.1", "::1", "fe80::1",
        "fd00::1", "255.255.255.255", "x", "",
    };
    static const char *const public_ones[] = {"8.8.8.8", "172.32.0.1", "2606:4700::1", "::ffff:8.8.8.8"};
    for (size_t i = 0; i < sizeof private_ones / sizeof private_ones[0]; i++)
        assert_false(client_address_is_public(slice_from_string(private_ones[i])));
    for (size_t i = 0; i < sizeof public_ones / sizeof public_ones[0]; i++)
        assert_true(client_address_is_public(slice_from_string(public_ones[i])));
}

static void salts_differ_by_secret_purpose_and_day(void **state)
{
    (void)state;
    unsigned char secret[PRIVACY_SECRET_SIZE] = {1}, other[PRIVACY_SECRET_SIZE] = {2};
    struct privacy_salt salt = privacy_salt_of_day(secret, "visitor", 1780920000000);
    struct privacy_salt same_day = privacy_salt_of_day(secret, "visitor", 1780920000000 + 11 * 3600000);
    struct privacy_salt next_day = privacy_salt_of_day(secret, "visitor", 1780920000000 + 12 * 3600000);
    struct privacy_salt other_secret = privacy_salt_of_day(other, "visitor", 1780920000000);
    struct privacy_salt other_purpose = privacy_salt_of_day(secret, "device", 1780920000000);
    assert_memory_equal(&salt, &same_day, sizeof salt);
    assert_memory_not_equal(&salt, &next_day, sizeof salt);
    assert_memory_not_equal(&salt, &other_secret, sizeof salt);
    assert_memory_not_equal(&salt, &other_purpose, sizeof salt);
}

static void hashes_are_sha256_of_text_and_salt(void **state)
{
    (void)state;
    struct privacy_salt salt;
    memset(salt.text, 'a', sizeof salt.text);
    char address[PRIVACY_ADDRESS_HASH_SIZE], id[PRIVACY_ID_HASH_SIZE];
    privacy_hash_address(SLICE("1.2.3.4"), &salt, address);
    privacy_hash_id(SLICE("1.2.3.4"), &salt, id);
    /* printf '1.2.3.4%064d' | tr 0 a | sha256sum */
    check(slice_make(id, sizeof id), "157c4d6387a885890c5d97fef2221c55c7788341cfa62d4e691ef1ba4e947e95");
    assert_memory_equal(address, id, sizeof address);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(page_parts_make_the_url_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(campaign_is_read_from_the_query, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_campaign_values_are_cut_between_characters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(referrers_get_name_and_type, set_up, tear_down),
        cmocka_unit_test_setup_teardown(click_ids_and_mediums_tell_what_is_paid_for, set_up, tear_down),
        cmocka_unit_test(client_times_are_clamped_and_refused),
        cmocka_unit_test_setup_teardown(proxies_headers_count_only_from_trusted_peers, set_up, tear_down),
        cmocka_unit_test(bad_proxy_lists_are_refused),
        cmocka_unit_test(private_addresses_are_not_public),
        cmocka_unit_test(salts_differ_by_secret_purpose_and_day),
        cmocka_unit_test(hashes_are_sha256_of_text_and_salt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
