/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of identity tokens: what a provider really signed is believed, everything else is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "control/oidc_token.h"
#include "tenant/base64.h"

#define NOW 1789000000000LL
#define CLAIMS                                                                                                         \
    "\"iss\":\"https://"                                                                                               \
    "login.example\",\"sub\":\"ada-1\",\"aud\":\"millrace\",\"nonce\":\"n-1\",\"iat\":1788999990,\"exp\":1789000300"

static EVP_PKEY *rsa_key, *other_rsa_key, *ec_key;
static char *rsa_jwk, *ec_jwk; /* members without braces */

struct checked {
    enum error_code code;
    struct error error;
    struct oidc_claims claims;
    struct arena *arena;
};

static void append_number(struct buffer *out, const char *name, EVP_PKEY *key, const char *parameter, int size)
{
    BIGNUM *number = NULL;
    unsigned char bytes[512];
    assert_int_equal(EVP_PKEY_get_bn_param(key, parameter, &number), 1);
    int used = size ? BN_bn2binpad(number, bytes, size) : BN_bn2bin(number, bytes);
    buffer_printf(out, ",\"%s\":\"", name);
    tenant_base64_append(TENANT_BASE64_URL, slice_make(bytes, (size_t)used), out);
    buffer_append_byte(out, '"');
    BN_free(number);
}

static int keys_setup(void **state)
{
    rsa_key = EVP_RSA_gen(2048);
    other_rsa_key = EVP_RSA_gen(2048);
    ec_key = EVP_EC_gen("P-256");
    struct buffer rsa = {0}, ec = {0};
    buffer_append_string(&rsa, "\"kty\":\"RSA\"");
    append_number(&rsa, "n", rsa_key, OSSL_PKEY_PARAM_RSA_N, 0);
    append_number(&rsa, "e", rsa_key, OSSL_PKEY_PARAM_RSA_E, 0);
    buffer_append_byte(&rsa, 0);
    buffer_append_string(&ec, "\"kty\":\"EC\",\"crv\":\"P-256\"");
    append_number(&ec, "x", ec_key, OSSL_PKEY_PARAM_EC_PUB_X, 32);
    append_number(&ec, "y", ec_key, OSSL_PKEY_PARAM_EC_PUB_Y, 32);
    buffer_append_byte(&ec, 0);
    rsa_jwk = rsa.data;
    ec_jwk = ec.data;
    return 0;
}

static int keys_teardown(void **state)
{
    EVP_PKEY_free(rsa_key);
    EVP_PKEY_free(other_rsa_key);
    EVP_PKEY_free(ec_key);
    free(rsa_jwk);
    free(ec_jwk);
    return 0;
}

static struct oidc_keys *keys_read(const char *text)
{
    struct buffer padded = {0};
    struct oidc_keys *keys = NULL;
    struct error error = {0};
    buffer_append_string(&padded, text);
    buffer_append_zeros(&padded, JSON_PADDING);
    if (oidc_keys_read(slice_make(padded.data, strlen(text)), &keys, &error) != ERROR_NONE)
        fail_msg("%s", error.message);
    buffer_free(&padded);
    return keys;
}

/* The provider of most tests: an RSA key "r1" and an EC key "e1". */
static struct oidc_keys *both_keys(void)
{
    struct buffer text = {0};
    buffer_printf(&text, "{\"keys\":[{%s,\"kid\":\"r1\",\"use\":\"sig\",\"alg\":\"RS256\"},{%s,\"kid\":\"e1\"}]}",
                  rsa_jwk, ec_jwk);
    buffer_append_byte(&text, 0);
    struct oidc_keys *keys = keys_read(text.data);
    buffer_free(&text);
    assert_int_equal(oidc_keys_count(keys), 2);
    return keys;
}

static void append_signature(struct buffer *token, EVP_PKEY *key)
{
    unsigned char signature[1024];
    size_t size = sizeof signature;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_DigestSign(context, signature, &size, (unsigned char *)token->data, token->size), 1);
    EVP_MD_CTX_free(context);
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC) {
        const unsigned char *der = signature;
        ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)size);
        unsigned char raw[64];
        BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, 32);
        BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + 32, 32);
        ECDSA_SIG_free(pair);
        memcpy(signature, raw, size = sizeof raw);
    }
    buffer_append_byte(token, '.');
    tenant_base64_append(TENANT_BASE64_URL, slice_make(signature, size), token);
}

static struct buffer token_unsigned(const char *header, const char *claims)
{
    struct buffer token = {0};
    tenant_base64_append(TENANT_BASE64_URL, slice_from_string(header), &token);
    buffer_append_byte(&token, '.');
    tenant_base64_append(TENANT_BASE64_URL, slice_from_string(claims), &token);
    return token;
}

static struct buffer token_make(EVP_PKEY *key, const char *header, const char *claims)
{
    struct buffer token = token_unsigned(header, claims);
    append_signature(&token, key);
    return token;
}

static struct checked check_at(struct slice token, int64_t now_ms)
{
    struct oidc_keys *keys = both_keys();
    struct checked checked = {.arena = arena_create(1 << 20)};
    struct oidc_token_rules rules = {.issuer = SLICE("https://login.example"),
                                     .audience = SLICE("millrace"),
                                     .nonce = SLICE("n-1"),
                                     .now_ms = now_ms};
    checked.code = oidc_token_check(checked.arena, token, keys, &rules, &checked.claims, &checked.error);
    oidc_keys_destroy(keys);
    return checked;
}

static void assert_believed(struct buffer token)
{
    struct checked checked = check_at(buffer_slice(&token), NOW);
    if (checked.code != ERROR_NONE) fail_msg("%s: %s", checked.error.field, checked.error.message);
    arena_destroy(checked.arena);
    buffer_free(&token);
}

static void assert_refused(struct buffer token, const char *why)
{
    struct checked checked = check_at(buffer_slice(&token), NOW);
    assert_int_not_equal(checked.code, ERROR_NONE);
    assert_string_equal(checked.error.field, why);
    arena_destroy(checked.arena);
    buffer_free(&token);
}

static void believes_what_the_provider_signed(void **state)
{
    assert_believed(token_make(ec_key, "{\"alg\":\"ES256\",\"kid\":\"e1\"}", "{" CLAIMS "}"));
    struct buffer token = token_make(
        rsa_key, "{\"alg\":\"RS256\",\"kid\":\"r1\",\"typ\":\"JWT\"}",
        "{" CLAIMS
        ",\"email\":\"Ada@Shop.Example\",\"email_verified\":true,\"given_name\":\"Ada\",\"family_name\":\"L\\nx\"}");
    struct checked checked = check_at(buffer_slice(&token), NOW);
    assert_int_equal(checked.code, ERROR_NONE);
    assert_true(slice_equal(checked.claims.subject, SLICE("ada-1")));
    assert_true(slice_equal(checked.claims.email, SLICE("Ada@Shop.Example")));
    assert_true(checked.claims.email_verified);
    assert_true(slice_equal(checked.claims.first_name, SLICE("Ada")));
    assert_int_equal(checked.claims.last_name.size, 0); /* a line break in a name is nobody's name */
    arena_destroy(checked.arena);
    buffer_free(&token);
}

static void refuses_a_token_changed_in_any_byte(void **state)
{
    EVP_PKEY *const signers[] = {rsa_key, ec_key};
    const char *const headers[] = {"{\"alg\":\"RS256\",\"kid\":\"r1\"}", "{\"alg\":\"ES256\",\"kid\":\"e1\"}"};
    for (size_t k = 0; k < 2; k++) {
        struct buffer token = token_make(signers[k], headers[k], "{" CLAIMS "}");
        for (size_t i = 0; i < token.size; i++) {
            char saved = token.data[i];
            token.data[i] = saved == 'A' ? 'B' : 'A';
            struct checked checked = check_at(buffer_slice(&token), NOW);
            assert_int_not_equal(checked.code, ERROR_NONE);
            arena_destroy(checked.arena);
            token.data[i] = saved;
            if (token.size > 400 && i % 7) i += 5; /* every sixth byte or so of the long one */
        }
        assert_believed(token);
    }
}

static void refuses_tokens_without_a_signature(void **state)
{
    static const char *const HEADERS[] = {"{\"alg\":\"none\"}",
                                          "{\"alg\":\"None\",\"kid\":\"r1\"}",
                                          "{\"alg\":\"NONE\"}",
                                          "{\"alg\":\"\"}",
                                          "{}",
                                          "{\"alg\":\"rs256\",\"kid\":\"r1\"}"};
    for (size_t i = 0; i < sizeof HEADERS / sizeof *HEADERS; i++) {
        struct buffer token = token_unsigned(HEADERS[i], "{" CLAIMS "}");
        buffer_append_byte(&token, '.');
        assert_refused(token, "alg");
    }
    struct buffer empty = token_unsigned("{\"alg\":\"RS256\",\"kid\":\"r1\"}", "{" CLAIMS "}");
    buffer_append_byte(&empty, '.');
    assert_refused(empty, "signature");
}

static void refuses_a_public_key_used_as_a_shared_secret(void **state)
{
    BIO *memory = BIO_new(BIO_s_mem());
    char *pem = NULL;
    PEM_write_bio_PUBKEY(memory, rsa_key);
    long pem_size = BIO_get_mem_data(memory, &pem);
    struct buffer token = token_unsigned("{\"alg\":\"HS256\",\"kid\":\"r1\"}", "{" CLAIMS "}");
    unsigned char mac[32];
    HMAC(EVP_sha256(), pem, (int)pem_size, (unsigned char *)token.data, token.size, mac, NULL);
    buffer_append_byte(&token, '.');
    tenant_base64_append(TENANT_BASE64_URL, slice_make(mac, sizeof mac), &token);
    BIO_free(memory);
    assert_refused(token, "alg");
}

static void refuses_the_signature_of_another_key_or_kind(void **state)
{
    assert_refused(token_make(other_rsa_key, "{\"alg\":\"RS256\",\"kid\":\"r1\"}", "{" CLAIMS "}"), "signature");
    assert_refused(token_make(rsa_key, "{\"alg\":\"RS256\",\"kid\":\"e1\"}", "{" CLAIMS "}"),
                   "kid"); /* that one is an EC key */
    assert_refused(token_make(ec_key, "{\"alg\":\"RS256\",\"kid\":\"r1\"}", "{" CLAIMS "}"), "signature");
    assert_refused(token_make(rsa_key, "{\"alg\":\"ES256\",\"kid\":\"e1\"}", "{" CLAIMS "}"), "signature");
    assert_refused(token_make(rsa_key, "{\"alg\":\"RS256\",\"kid\":\"r2\"}", "{" CLAIMS "}"), "kid");
    assert_refused(token_make(rsa_key, "{\"alg\":\"RS256\",\"kid\":\"r1\",\"crit\":[\"exp\"]}", "{" CLAIMS "}"),
                   "crit");
    assert_refused(token_make(rsa_key, "{\"alg\":\"RS256\",\"kid\":\"r1\",\"typ\":\"at+jwt\"}", "{" CLAIMS "}"), "typ");
    assert_refused(token_make(rsa_key, "{\"alg\":\"RS256\",\"kid\":\"r1\",\"typ\":\"logout+jwt\"}", "{" CLAIMS "}"),
                   "typ");
    assert_believed(token_make(rsa_key, "{\"alg\":\"RS256\"}", "{" CLAIMS "}")); /* the only RSA key there is */
}

static void refuses_claims_that_do_not_fit(void **state)
{
    static const struct {
        const char *claims, *why;
    } CASES[] = {
#define CASE(iss, aud, nonce, iat, exp, more) \
    "{\"iss\":" iss ",\"aud\":" aud ",\"nonce\":" nonce ",\"iat\":" iat ",\"exp\":" exp more "}"
#define ISS "\"https://login.example\""
#define SUB ",\"sub\":\"ada\""
        {CASE("\"https://login.example/\"", "\"millrace\"", "\"n-1\"", "1789000000", "1789000300", SUB), "iss"},
        {CASE("\"http://login.example\"", "\"millrace\"", "\"n-1\"", "1789000000", "1789000300", SUB), "iss"},
        {CASE("1", "\"millrace\"", "\"n-1\"", "1789000000", "1789000300", SUB), "iss"},
        {CASE(ISS, "\"other\"", "\"n-1\"", "1789000000", "1789000300", SUB), "aud"},
        {CASE(ISS, "[\"other\",\"millrace2\"]", "\"n-1\"", "1789000000", "1789000300", SUB), "aud"},
        {CASE(ISS, "[]", "\"n-1\"", "1789000000", "1789000300", SUB), "aud"},
        {CASE(ISS, "[\"millrace\",\"other\"]", "\"n-1\"", "1789000000", "1789000300", SUB), "azp"},
        {CASE(ISS, "[\"millrace\",\"other\"]", "\"n-1\"", "1789000000", "1789000300", SUB ",\"azp\":\"other\""), "azp"},
        {CASE(ISS, "\"millrace\"", "\"n-1\"", "1789000000", "1789000300", SUB ",\"azp\":\"other\""), "azp"},
        {CASE(ISS, "\"millrace\"", "\"n-2\"", "1789000000", "1789000300", SUB), "nonce"},
        {CASE(ISS, "\"millrace\"", "null", "1789000000", "1789000300", SUB), "nonce"},
        {CASE(ISS, "\"millrace\"", "\"\"", "1789000000", "1789000300", SUB), "nonce"},
        {CASE(ISS, "\"millrace\"", "\"n-1\"", "1789000000", "1788999940", SUB), "exp"},
        {CASE(ISS, "\"millrace\"", "\"n-1\"", "1789000000", "\"1789000300\"", SUB), "exp"},
        {CASE(ISS, "\"millrace\"", "\"n-1\"", "1789000000", "1e400", SUB), "form"},
        {CASE(ISS, "\"millrace\"", "\"n-1\"", "1789000000", "-1", SUB), "exp"},
        {CASE(ISS, "\"millrace\"", "\"n-1\"", "1789000061", "1789000300", SUB), "iat"},
        {CASE(ISS, "\"millrace\"", "\"n-1\"", "1788999399", "1789000300", SUB), "iat"},
        {CASE(ISS, "\"millrace\"", "\"n-1\"", "null", "1789000300", SUB), "iat"},
        {CASE(ISS, "\"millrace\"", "\"n-1\"", "1789000000", "1789000300", SUB ",\"nbf\":1789000061"), "nbf"},
        {CASE(ISS, "\"millrace\"", "\"n-1\"", "1789000000", "1789000300", ",\"sub\":\"\""), "sub"},
        {CASE(ISS, "\"millrace\"", "\"n-1\"", "1789000000", "1789000300", ""), "sub"},
        {CASE(ISS, "\"millrace\"", "\"n-1\"", "1789000000", "1789000300", ",\"sub\":7"), "sub"},
        {"[]", "form"},
        {"", "form"},
        {"{\"iss\":", "form"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        assert_refused(token_make(ec_key, "{\"alg\":\"ES256\",\"kid\":\"e1\"}", CASES[i].claims), CASES[i].why);
    assert_believed(token_make(
        ec_key, "{\"alg\":\"ES256\",\"kid\":\"e1\"}",
        CASE(ISS, "[\"other\",\"millrace\"]", "\"n-1\"", "1789000059.5", "1788999941", SUB ",\"azp\":\"millrace\"")));
}

static void refuses_what_is_no_token(void **state)
{
    static const char *const TOKENS[] = {
        "", ".", "..", "...", "a", "a.b", "a.b.c", "e30.e30.", "e30=.e30.e30", "e30.e30.e30.e30", "e30.\xff.e30"};
    for (size_t i = 0; i < sizeof TOKENS / sizeof *TOKENS; i++) {
        struct checked checked = check_at(slice_from_string(TOKENS[i]), NOW);
        assert_int_not_equal(checked.code, ERROR_NONE);
        arena_destroy(checked.arena);
    }
    struct buffer long_token = {0};
    for (int i = 0; i < OIDC_TOKEN_LIMIT + 1; i++) buffer_append_byte(&long_token, 'a');
    assert_refused(long_token, "form");
}

static void an_email_is_verified_only_when_the_token_says_so(void **state)
{
    static const struct {
        const char *claim;
        bool verified;
    } CASES[] = {{"true", true}, {"\"true\"", true}, {"false", false}, {"\"false\"", false},
                 {"1", false},   {"null", false},    {"[true]", false}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char claims[512];
        snprintf(claims, sizeof claims, "{" CLAIMS ",\"email\":\"a@b.example\",\"email_verified\":%s}", CASES[i].claim);
        struct buffer token = token_make(ec_key, "{\"alg\":\"ES256\",\"kid\":\"e1\"}", claims);
        struct checked checked = check_at(buffer_slice(&token), NOW);
        assert_int_equal(checked.code, ERROR_NONE);
        assert_int_equal(checked.claims.email_verified, CASES[i].verified);
        arena_destroy(checked.arena);
        buffer_free(&token);
    }
}

static void skips_keys_that_are_weak_broken_or_not_for_signing(void **state)
{
    struct buffer text = {0};
    EVP_PKEY *short_key = EVP_RSA_gen(1024);
    buffer_printf(&text,
                  "{\"keys\":[{%s,\"use\":\"enc\"},{%s,\"alg\":\"RS512\"},{\"kty\":\"oct\",\"k\":\"AAAA\"},7,null,{}",
                  rsa_jwk, rsa_jwk);
    buffer_append_string(&text, ",{\"kty\":\"RSA\",\"e\":\"AQAB\"");
    append_number(&text, "n", short_key, OSSL_PKEY_PARAM_RSA_N, 0);
    buffer_append_string(&text,
                         "},{\"kty\":\"RSA\",\"e\":\"AQ\""); /* exponent 1: every text would be its own signature */
    append_number(&text, "n", rsa_key, OSSL_PKEY_PARAM_RSA_N, 0);
    buffer_append_string(&text,
                         "},{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\","
                         "\"y\":\"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI\"}]}"); /* not on the curve */
    buffer_append_byte(&text, 0);
    struct oidc_keys *keys = keys_read(text.data);
    assert_int_equal(oidc_keys_count(keys), 0);
    oidc_keys_destroy(keys);
    EVP_PKEY_free(short_key);
    buffer_free(&text);
}

static void refuses_to_choose_between_two_keys(void **state)
{
    struct buffer text = {0}, token = token_make(rsa_key, "{\"alg\":\"RS256\"}", "{" CLAIMS "}");
    buffer_printf(&text, "{\"keys\":[{%s,\"kid\":\"a\"},{%s,\"kid\":\"b\"}]}", rsa_jwk, rsa_jwk);
    buffer_append_byte(&text, 0);
    struct oidc_keys *keys = keys_read(text.data);
    struct oidc_token_rules rules = {
        .issuer = SLICE("https://login.example"), .audience = SLICE("millrace"), .nonce = SLICE("n-1"), .now_ms = NOW};
    struct oidc_claims claims;
    struct error error;
    struct arena *arena = arena_create(1 << 16);
    assert_int_equal(oidc_token_check(arena, buffer_slice(&token), keys, &rules, &claims, &error),
                     ERROR_UNAUTHENTICATED);
    assert_string_equal(error.field, "kid");
    arena_destroy(arena);
    oidc_keys_destroy(keys);
    buffer_free(&text);
    buffer_free(&token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(believes_what_the_provider_signed),
        cmocka_unit_test(refuses_a_token_changed_in_any_byte),
        cmocka_unit_test(refuses_tokens_without_a_signature),
        cmocka_unit_test(refuses_a_public_key_used_as_a_shared_secret),
        cmocka_unit_test(refuses_the_signature_of_another_key_or_kind),
        cmocka_unit_test(refuses_claims_that_do_not_fit),
        cmocka_unit_test(refuses_what_is_no_token),
        cmocka_unit_test(an_email_is_verified_only_when_the_token_says_so),
        cmocka_unit_test(skips_keys_that_are_weak_broken_or_not_for_signing),
        cmocka_unit_test(refuses_to_choose_between_two_keys),
    };
    return cmocka_run_group_tests(tests, keys_setup, keys_teardown);
}
