/* SPDX-License-Identifier: Apache-2.0 */
/* Who signed a report, and what its payment becomes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <openssl/hmac.h>

#include "domain/harness.h"
#include "domains/analytics/analytics.h"
#include "domains/analytics/row.h"
#include "enrich/privacy.h"

static int set_up(void **state)
{
    struct harness *harness = calloc(1, sizeof *harness);
    harness_create(harness, &analytics_domain);
    *state = harness;
    return 0;
}
static int tear_down(void **state)
{
    harness_destroy(*state);
    free(*state);
    return 0;
}

static void sign(const char *secret, long long seconds, char separator, const char *body, char out[65])
{
    unsigned char digest[32];
    char text[4096];
    int size = snprintf(text, sizeof text, "%lld%c%s", seconds, separator, body);
    assert_true(size > 0 && (size_t)size < sizeof text);
    assert_non_null(HMAC(EVP_sha256(), secret, (int)strlen(secret), (unsigned char *)text, (size_t)size, digest, NULL));
    privacy_hex(digest, sizeof digest, out);
    out[64] = 0;
}

static int post(struct harness *harness, const char *service, const char *header, const char *body)
{
    char path[64], name[32];
    snprintf(path, sizeof path, "/webhooks/%s/address", service);
    snprintf(name, sizeof name, "%s-signature", service);
    harness_reset(harness);
    if (header) harness_header(harness, name, header);
    assert_true(harness_post(harness, path, "", slice_from_string(body)));
    return harness->status;
}

static int post_stripe(struct harness *harness, const char *secret, long long seconds, const char *body)
{
    char signature[65], header[256];
    sign(secret, seconds, '.', body, signature);
    snprintf(header, sizeof header, "t=%lld,v1=%064d,v1=%s,v0=ignored", seconds, 0, signature);
    return post(harness, "stripe", header, body);
}

static int post_paddle(struct harness *harness, const char *secret, long long seconds, const char *body)
{
    char signature[65], header[256];
    sign(secret, seconds, ':', body, signature);
    snprintf(header, sizeof header, "ts=%lld;h1=%s", seconds, signature);
    return post(harness, "paddle", header, body);
}

static void check_row(struct harness *harness, const char *const *parts)
{
    struct buffer rows = {0};
    assert_int_equal(harness_row_count(harness, ANALYTICS_TABLE_REVENUE), 1);
    harness_write_rows(harness, ANALYTICS_TABLE_REVENUE, &rows);
    for (; *parts; parts++)
        if (slice_find(buffer_slice(&rows), slice_from_string(*parts)) < 0)
            fail_msg("%.*s does not hold %s", SLICE_ARGS(buffer_slice(&rows)), *parts);
    buffer_free(&rows);
}
#define ROW_HAS(...) check_row(harness, (const char *const[]){__VA_ARGS__, NULL})
#define NOW (HARNESS_NOW_MS / 1000)
#define SECRET HARNESS_WEBHOOK_SECRET
#define SALE "{\"id\":\"evt_1\",\"type\":\"payment_intent.succeeded\",\"created\":1780920000,\"data\":{\"object\":{\"id\":\"pi_1\"," \
             "\"amount_received\":1999,\"currency\":\"usd\",\"customer\":\"cus_1\",\"metadata\":{\"databuddy_client_id\":\"shop\"," \
             "\"databuddy_session_id\":\"s1\",\"databuddy_anonymous_id\":\"visitor\",\"databuddy_profile_id\":\"ann\"}}}}"

static void a_signed_payment_is_a_row(void **state)
{
    struct harness *harness = *state;
    assert_int_equal(post_stripe(harness, SECRET, NOW, SALE), 200);
    assert_int_equal(slice_find(buffer_slice(&harness->body), SLICE("{\"received\":true,\"type\":\"payment_intent.succeeded\"}")), 0);
    ROW_HAS("\"provider\":\"stripe\"", "\"transaction_id\":\"pi_1\"", "\"type\":\"sale\"", "\"status\":\"succeeded\"",
            "\"amount\":199900,", "\"currency\":\"USD\"", "\"website_id\":\"shop\"", "\"session_id\":\"s1\"",
            "\"profile_id\":\"ann\"", "\"customer_id\":\"cus_1\"", "2026-06-08T12:00:00.000Z");
}

static void the_visitor_is_hidden(void **state)
{
    struct harness *harness = *state;
    char hash[PRIVACY_ID_HASH_SIZE + 1] = {0}, part[128];
    struct privacy_salt salt = privacy_salt_of_day(harness->secret, "analytics visitor", HARNESS_NOW_MS);
    privacy_hash_id(SLICE("visitor"), &salt, hash);
    snprintf(part, sizeof part, "\"device_id\":\"%s\"", hash);
    assert_int_equal(post_stripe(harness, SECRET, NOW, SALE), 200);
    ROW_HAS(part);
}

static void a_report_that_comes_again_is_no_second_row(void **state)
{
    struct harness *harness = *state;
    assert_int_equal(post_stripe(harness, SECRET, NOW, SALE), 200);
    assert_int_equal(post_stripe(harness, SECRET, NOW + 1, SALE), 200);
    assert_int_equal(harness_row_count(harness, ANALYTICS_TABLE_REVENUE), 0);
    assert_int_equal(harness->output.duplicates, 1);
}

static void signatures_must_fit_and_be_fresh(void **state)
{
    struct harness *harness = *state;
    assert_int_equal(post(harness, "stripe", NULL, SALE), 400);
    assert_int_equal(post(harness, "stripe", "t=1", SALE), 400);
    assert_int_equal(post(harness, "stripe", "v1=00", SALE), 400);
    assert_int_equal(post(harness, "stripe", "t=1780920010,v1=00", SALE), 401);
    assert_int_equal(post_stripe(harness, "whsec_other", NOW, SALE), 401);
    assert_int_equal(post_stripe(harness, SECRET, NOW - 301, SALE), 401);
    assert_int_equal(post_stripe(harness, SECRET, NOW + 301, SALE), 401);
    assert_int_equal(post_stripe(harness, SECRET, NOW, "{\"id\":"), 400);
    assert_int_equal(post_stripe(harness, SECRET, NOW, "[]"), 400);
    assert_int_equal(post_stripe(harness, SECRET, NOW, "{\"id\":\"e\",\"type\":\"invoice.paid\"}"), 400);
    assert_int_equal(post_stripe(harness, SECRET, NOW - 300, SALE), 200);
    harness->webhook.stripe_secret_sealed = SLICE_EMPTY;
    assert_int_equal(post_stripe(harness, SECRET, NOW, SALE), 404);
}

static void currencies_have_their_own_smallest_unit(void **state)
{
    struct harness *harness = *state;
    static const char yen[] = "{\"id\":\"evt_2\",\"type\":\"payment_intent.succeeded\",\"data\":{\"object\":{\"id\":\"pi_2\",\"amount\":500,\"currency\":\"jpy\"}}}";
    assert_int_equal(post_stripe(harness, SECRET, NOW, yen), 200);
    ROW_HAS("\"amount\":5000000,", "\"currency\":\"JPY\"");
}

static void refunds_are_negative_and_known_by_their_own_id(void **state)
{
    struct harness *harness = *state;
    static const char listed[] = "{\"id\":\"evt_3\",\"type\":\"charge.refunded\",\"data\":{\"object\":{\"id\":\"ch_1\",\"amount_refunded\":900,"
                                 "\"currency\":\"eur\",\"refunds\":{\"data\":[{\"id\":\"re_2\",\"amount\":400}]}}}}";
    assert_int_equal(post_stripe(harness, SECRET, NOW, listed), 200);
    ROW_HAS("\"transaction_id\":\"re_2\"", "\"type\":\"refund\"", "\"status\":\"refunded\"", "\"amount\":-40000,");
    static const char counted[] = "{\"id\":\"evt_4\",\"type\":\"charge.refunded\",\"data\":{\"object\":{\"id\":\"ch_1\",\"amount_refunded\":900,"
                                  "\"currency\":\"eur\"},\"previous_attributes\":{\"amount_refunded\":500}}}";
    assert_int_equal(post_stripe(harness, SECRET, NOW, counted), 200);
    ROW_HAS("\"transaction_id\":\"evt_4\"", "\"amount\":-40000,");
}

static void failures_earn_nothing(void **state)
{
    struct harness *harness = *state;
    static const char failed[] = "{\"id\":\"evt_5\",\"type\":\"payment_intent.payment_failed\",\"data\":{\"object\":{\"id\":\"pi_1\",\"amount\":500,\"currency\":\"usd\"}}}";
    assert_int_equal(post_stripe(harness, SECRET, NOW, failed), 200);
    ROW_HAS("\"transaction_id\":\"evt_5\"", "\"type\":\"subscription_event\",\"status\":\"failed\",\"currency\"");
}

static void all_reports_of_an_invoice_are_one_transaction(void **state)
{
    struct harness *harness = *state;
    static const char *const bodies[] = {
        "{\"id\":\"evt_6\",\"type\":\"invoice.paid\",\"data\":{\"object\":{\"id\":\"in_1\",\"amount_paid\":1200,\"currency\":\"usd\","
        "\"parent\":{\"subscription_details\":{\"metadata\":{\"databuddy_profile_id\":\"ann\"}}}}}}",
        "{\"id\":\"evt_7\",\"type\":\"invoice_payment.paid\",\"data\":{\"object\":{\"id\":\"inpay_1\",\"invoice\":\"in_1\",\"amount_paid\":1200,\"currency\":\"usd\"}}}",
        "{\"id\":\"evt_8\",\"type\":\"payment_intent.succeeded\",\"data\":{\"object\":{\"id\":\"pi_3\",\"amount\":1200,\"currency\":\"usd\",\"invoice\":\"in_1\"}}}",
        "{\"id\":\"evt_9\",\"type\":\"payment_intent.succeeded\",\"data\":{\"object\":{\"id\":\"pi_3\",\"amount\":1200,\"currency\":\"usd\","
        "\"payment_details\":{\"order_reference\":\"in_1\"}}}}",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        assert_int_equal(post_stripe(harness, SECRET, NOW, bodies[i]), 200);
        if (i == 0) ROW_HAS("\"transaction_id\":\"in_1\"", "\"type\":\"subscription\"", "\"profile_id\":\"ann\"");
        else ROW_HAS("\"transaction_id\":\"in_1\"", "\"type\":\"subscription\"", "\"amount\":120000,");
    }
}

#define SESSION(more) "{\"id\":\"evt_s\",\"type\":\"checkout.session.completed\",\"created\":1780920000,\"data\":{\"object\":{\"id\":\"cs_1\"," \
                      "\"object\":\"checkout.session\",\"amount_total\":1999,\"currency\":\"usd\"," more "}}}"

static void a_paid_checkout_session_is_the_payment_it_was_for(void **state)
{
    struct harness *harness = *state;
    assert_int_equal(post_stripe(harness, SECRET, NOW, SESSION("\"mode\":\"payment\",\"payment_status\":\"paid\",\"payment_intent\":\"pi_1\",\"invoice\":null,"
                                                               "\"client_reference_id\":\"bob\",\"metadata\":{\"databuddy_session_id\":\"s1\",\"databuddy_profile_id\":\"ann\"}")), 200);
    ROW_HAS("\"transaction_id\":\"pi_1\"", "\"type\":\"sale\"", "\"status\":\"succeeded\"", "\"amount\":199900,", "\"currency\":\"USD\"",
            "\"session_id\":\"s1\"", "\"profile_id\":\"ann\"", "\"created\":\"2026-06-08T12:00:00.000Z\"", "\"synced_at\":\"2026-06-08T12:00:00.999Z\"");
    harness->rows.seen_count = 0;
    assert_int_equal(post_stripe(harness, SECRET, NOW, SESSION("\"mode\":\"payment\",\"payment_status\":\"paid\",\"payment_intent\":{\"id\":\"pi_2\"},\"invoice\":\"in_2\","
                                                               "\"client_reference_id\":\"bob\",\"metadata\":{}")), 200);
    ROW_HAS("\"transaction_id\":\"in_2\"", "\"type\":\"subscription\"", "\"profile_id\":\"bob\"");
    static const char *const none[] = {
        SESSION("\"mode\":\"payment\",\"payment_status\":\"unpaid\",\"payment_intent\":\"pi_1\""), /* it is told again when it is paid */
        SESSION("\"mode\":\"payment\",\"payment_status\":\"no_payment_required\",\"payment_intent\":null"),
        SESSION("\"mode\":\"subscription\",\"payment_status\":\"paid\",\"invoice\":\"in_1\""),
        SESSION("\"mode\":\"setup\",\"payment_status\":\"no_payment_required\""),
    };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        harness->rows.seen_count = 0;
        assert_int_equal(post_stripe(harness, SECRET, NOW, none[i]), 200);
        assert_int_equal(harness_row_count(harness, ANALYTICS_TABLE_REVENUE), 0);
    }
}

static void other_reports_are_only_acknowledged(void **state)
{
    struct harness *harness = *state;
    assert_int_equal(post_stripe(harness, SECRET, NOW, "{\"id\":\"evt\",\"type\":\"customer.created\"}"), 200);
    assert_int_equal(post_paddle(harness, SECRET, NOW, "{\"event_id\":\"evt\",\"event_type\":\"customer.created\"}"), 200);
    assert_int_equal(harness_row_count(harness, ANALYTICS_TABLE_REVENUE), 0);
}

static void paddle_transactions_are_rows(void **state)
{
    struct harness *harness = *state;
    static const char body[] = "{\"event_id\":\"evt_p\",\"event_type\":\"transaction.completed\",\"occurred_at\":\"2026-06-08T11:59:00Z\","
        "\"data\":{\"id\":\"txn_1\",\"customer_id\":\"ctm_1\",\"currency_code\":\"EUR\",\"details\":{\"totals\":{\"total\":\"2500\",\"currency_code\":\"EUR\"}},"
        "\"items\":[{\"price\":{\"product_id\":\"pro_1\",\"name\":\"Plan\",\"billing_cycle\":{\"interval\":\"month\"}}}],"
        "\"custom_data\":{\"website_id\":\"shop\",\"session_id\":\"s1\",\"profile_id\":\"ann\"}}}";
    assert_int_equal(post_paddle(harness, "other", NOW, body), 401);
    assert_int_equal(post_paddle(harness, SECRET, NOW - 301, body), 401);
    assert_int_equal(post(harness, "paddle", NULL, body), 400);
    assert_int_equal(post_paddle(harness, SECRET, NOW, body), 200);
    ROW_HAS("\"provider\":\"paddle\"", "\"transaction_id\":\"txn_1\"", "\"type\":\"subscription\"", "\"amount\":250000,",
            "\"currency\":\"EUR\"", "\"product_id\":\"pro_1\"", "\"website_id\":\"shop\"", "\"profile_id\":\"ann\"");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_signed_payment_is_a_row), TEST(the_visitor_is_hidden), TEST(a_report_that_comes_again_is_no_second_row),
        TEST(signatures_must_fit_and_be_fresh), TEST(currencies_have_their_own_smallest_unit),
        TEST(refunds_are_negative_and_known_by_their_own_id), TEST(failures_earn_nothing),
        TEST(all_reports_of_an_invoice_are_one_transaction), TEST(a_paid_checkout_session_is_the_payment_it_was_for), TEST(other_reports_are_only_acknowledged),
        TEST(paddle_transactions_are_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
