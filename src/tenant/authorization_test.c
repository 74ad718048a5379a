/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of users, headers to credentials, credentials to who asks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tenant/authorization.h"
#include "tenant/base64.h"
#include "tenant/jwt.h"

#include <openssl/hmac.h>

#define NOW_MS 1700000000000
#define NOW_S (NOW_MS / 1000)
static const unsigned char secret[TENANT_SECRET_SIZE] = "the secret of an installation..";
static unsigned char key[TENANT_SECRET_SIZE];
static struct json_parser *parser;

static const struct tenant_jwt_claims claims = {
    .user_id = "00000000-0000-4000-8000-00000000000a", .email = "o\"brien\\@example.com",
    .session_id = "00000000-0000-4000-8000-00000000000b", .organization_id = "00000000-0000-4000-8000-00000000000c",
    .id = "00000000-0000-4000-8000-00000000000d", .issued_s = NOW_S, .expires_s = NOW_S + 900};

static int begin(void **state)
{
    tenant_jwt_key(secret, key);
    parser = json_parser_create();
    return parser ? 0 : -1;
}
static int end(void **state)
{
    json_parser_destroy(parser);
    return 0;
}

static struct buffer make(const struct tenant_jwt_claims *from)
{
    struct buffer out = {0};
    tenant_jwt_make(key, from, &out);
    assert_false(out.failed);
    return out;
}

/* Signs any text, as whoever had the key could. */
static struct buffer sign(const char *header, const char *payload)
{
    struct buffer out = {0};
    unsigned char signature[32];
    unsigned size = 0;
    tenant_base64_append(TENANT_BASE64_URL, slice_from_string(header), &out);
    buffer_append_byte(&out, '.');
    tenant_base64_append(TENANT_BASE64_URL, slice_from_string(payload), &out);
    HMAC(EVP_sha256(), key, sizeof key, (const unsigned char *)out.data, out.size, signature, &size);
    buffer_append_byte(&out, '.');
    tenant_base64_append(TENANT_BASE64_URL, slice_make(signature, sizeof signature), &out);
    return out;
}

static enum error_code verify(struct slice token, int64_t now_ms)
{
    struct tenant_jwt_claims got;
    struct error error;
    return tenant_jwt_verify(key, token, now_ms, parser, &got, &error);
}

static void a_token_says_what_it_was_made_of(void **state)
{
    struct buffer token = make(&claims);
    struct tenant_jwt_claims got;
    struct error error;
    assert_int_equal(ERROR_NONE, tenant_jwt_verify(key, buffer_slice(&token), NOW_MS, parser, &got, &error));
    assert_string_equal(claims.user_id, got.user_id);
    assert_string_equal(claims.email, got.email);
    assert_string_equal(claims.session_id, got.session_id);
    assert_string_equal(claims.organization_id, got.organization_id);
    assert_string_equal(claims.id, got.id);
    assert_int_equal(claims.issued_s, got.issued_s);
    assert_int_equal(claims.expires_s, got.expires_s);
    buffer_free(&token);
    /* The longest there can be is within the limit. */
    struct tenant_jwt_claims longest = claims;
    memset(longest.email, '"', sizeof longest.email - 1);
    token = make(&longest);
    assert_true(token.size < TENANT_JWT_LIMIT);
    assert_int_equal(ERROR_NONE, verify(buffer_slice(&token), NOW_MS));
    buffer_free(&token);
}

static void every_changed_byte_is_noticed(void **state)
{
    struct buffer token = make(&claims);
    for (size_t i = 0; i < token.size; i++)
        for (int bit = 0; bit < 8; bit++) {
            token.data[i] ^= (char)(1 << bit);
            assert_int_equal(ERROR_UNAUTHENTICATED, verify(buffer_slice(&token), NOW_MS));
            token.data[i] ^= (char)(1 << bit);
        }
    for (size_t size = 0; size < token.size; size++)
        assert_int_equal(ERROR_UNAUTHENTICATED, verify(slice_first(buffer_slice(&token), size), NOW_MS));
    buffer_append_byte(&token, '=');
    assert_int_equal(ERROR_UNAUTHENTICATED, verify(buffer_slice(&token), NOW_MS));
    token.size--;
    key[0] ^= 1;
    assert_int_equal(ERROR_UNAUTHENTICATED, verify(buffer_slice(&token), NOW_MS));
    key[0] ^= 1;
    assert_int_equal(ERROR_NONE, verify(buffer_slice(&token), NOW_MS));
    buffer_free(&token);
}

static void time_bounds_a_token(void **state)
{
    struct buffer token = make(&claims);
    assert_int_equal(ERROR_NONE, verify(buffer_slice(&token), (NOW_S + 900) * 1000 - 1));
    assert_int_equal(ERROR_UNAUTHENTICATED, verify(buffer_slice(&token), (NOW_S + 900) * 1000));
    assert_int_equal(ERROR_NONE, verify(buffer_slice(&token), NOW_MS - 30000));
    assert_int_equal(ERROR_UNAUTHENTICATED, verify(buffer_slice(&token), NOW_MS - 30001));
    buffer_free(&token);
}

#define TEXTS "\"sub\":\"u\",\"email\":\"e\",\"sid\":\"s\",\"org\":\"o\",\"jti\":\"j\""
static void well_signed_tokens_of_another_form_are_refused(void **state)
{
    static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
    static const struct {
        const char *header, *payload;
        bool fits;
    } cases[] = {
        {header, "{\"iss\":\"millrace\"," TEXTS ",\"iat\":1700000000,\"exp\":1700000900}", true},
        {"{\"alg\":\"none\",\"typ\":\"JWT\"}", "{\"iss\":\"millrace\"," TEXTS ",\"iat\":1700000000,\"exp\":1700000900}", false},
        {"{\"typ\":\"JWT\",\"alg\":\"HS256\"}", "{\"iss\":\"millrace\"," TEXTS ",\"iat\":1700000000,\"exp\":1700000900}", false},
        {"{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"1\"}", "{\"iss\":\"millrace\"," TEXTS ",\"iat\":1700000000,\"exp\":1700000900}", false},
        {header, "{\"iss\":\"other\"," TEXTS ",\"iat\":1700000000,\"exp\":1700000900}", false},
        {header, "{" TEXTS ",\"iat\":1700000000,\"exp\":1700000900}", false},
        {header, "{\"iss\":\"millrace\"," TEXTS ",\"exp\":1700000900}", false},
        {header, "{\"iss\":\"millrace\"," TEXTS ",\"iat\":1700000000}", false},
        {header, "{\"iss\":\"millrace\"," TEXTS ",\"iat\":1700000000,\"exp\":\"1700000900\"}", false},
        {header, "{\"iss\":\"millrace\"," TEXTS ",\"iat\":1700000000,\"exp\":1e300}", false},
        {header, "{\"iss\":\"millrace\"," TEXTS ",\"iat\":1700000000,\"exp\":9223372036854775807}", false},
        {header, "{\"iss\":\"millrace\"," TEXTS ",\"iat\":-1,\"exp\":1700000900}", false},
        {header, "{\"iss\":\"millrace\",\"sub\":\"a\\u0000b\",\"email\":\"e\",\"sid\":\"s\",\"org\":\"o\",\"jti\":\"j\",\"iat\":1700000000,\"exp\":1700000900}", false},
        {header, "{\"iss\":\"millrace\",\"sub\":\"\",\"email\":\"e\",\"sid\":\"s\",\"org\":\"o\",\"jti\":\"j\",\"iat\":1700000000,\"exp\":1700000900}", false},
        {header, "{\"iss\":\"millrace\",\"sub\":1,\"email\":\"e\",\"sid\":\"s\",\"org\":\"o\",\"jti\":\"j\",\"iat\":1700000000,\"exp\":1700000900}", false},
        {header, "{\"iss\":\"millrace\",\"sub\":\"0123456789012345678901234567890123456\",\"email\":\"e\",\"sid\":\"s\",\"org\":\"o\",\"jti\":\"j\",\"iat\":1700000000,\"exp\":1700000900}", false},
        {header, "[]", false},
        {header, "", false},
        {header, "{", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer token = sign(cases[i].header, cases[i].payload);
        enum error_code code = verify(buffer_slice(&token), NOW_MS);
        if ((code == ERROR_NONE) != cases[i].fits) fail_msg("case %zu: %s", i, error_code_name(code));
        buffer_free(&token);
    }
}

/* ---- headers ---- */

static const struct {
    const char *authorization, *cookie;
    enum error_code code;
    enum tenant_credentials_kind kind;
    const char *text;
    bool by_cookie;
} headers[] = {
    {"", "", ERROR_NONE, TENANT_CREDENTIALS_NONE, "", false},
    {"Bearer mrs_x_y", "", ERROR_NONE, TENANT_CREDENTIALS_KEY, "mrs_x_y", false},
    {"bearer   mrs_x_y  ", "", ERROR_NONE, TENANT_CREDENTIALS_KEY, "mrs_x_y", false},
    {"Bearer a.b.c", "", ERROR_NONE, TENANT_CREDENTIALS_TOKEN, "a.b.c", false},
    {"Bearer a.b", "", ERROR_NONE, TENANT_CREDENTIALS_KEY, "a.b", false},
    {"Bearer k", "millrace_access=a.b.c", ERROR_NONE, TENANT_CREDENTIALS_KEY, "k", false},
    {"Bearer", "", ERROR_UNAUTHENTICATED, 0, "", false},
    {"Bearer ", "millrace_access=a.b.c", ERROR_UNAUTHENTICATED, 0, "", false},
    {"Basic dTpw", "", ERROR_UNAUTHENTICATED, 0, "", false},
    {"mrs_x_y", "", ERROR_UNAUTHENTICATED, 0, "", false},
    {"Bearer a b", "", ERROR_UNAUTHENTICATED, 0, "", false},
    {"Bearer a\"b", "", ERROR_UNAUTHENTICATED, 0, "", false},
    {"", "millrace_access=a.b.c", ERROR_NONE, TENANT_CREDENTIALS_TOKEN, "a.b.c", true},
    {"", "a=1; millrace_access=a.b.c ;b=2", ERROR_NONE, TENANT_CREDENTIALS_TOKEN, "a.b.c", true},
    {"", "millrace_access=x.y.z; __Host-millrace_access=a.b.c", ERROR_NONE, TENANT_CREDENTIALS_TOKEN, "a.b.c", true},
    {"", "millrace_access=a.b.c; millrace_access=a.b.c", ERROR_NONE, TENANT_CREDENTIALS_TOKEN, "a.b.c", true},
    {"", "millrace_access=a.b.c; millrace_access=x.y.z", ERROR_UNAUTHENTICATED, 0, "", false},
    {"", "millrace_access=", ERROR_NONE, TENANT_CREDENTIALS_NONE, "", false},
    {"", "millrace_access", ERROR_NONE, TENANT_CREDENTIALS_NONE, "", false},
    {"", "xmillrace_access=a.b.c", ERROR_NONE, TENANT_CREDENTIALS_NONE, "", false},
    {"", "millrace_access=\"a.b.c\"", ERROR_UNAUTHENTICATED, 0, "", false},
};

static void headers_become_credentials_or_a_clear_error(void **state)
{
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        struct tenant_credentials got;
        struct error error = {0};
        enum error_code code = tenant_authorization_parse(slice_from_string(headers[i].authorization),
                                                          slice_from_string(headers[i].cookie), &got, &error);
        if (code != headers[i].code || (code && !error.message[0])) fail_msg("case %zu: %s", i, error.message);
        if (code) continue;
        if (got.kind != headers[i].kind || got.by_cookie != headers[i].by_cookie ||
            !slice_equal(got.text, slice_from_string(headers[i].text)))
            fail_msg("case %zu: kind %d, \"%.*s\"", i, got.kind, SLICE_ARGS(got.text));
    }
}

/* ---- subjects ---- */

static void a_token_leads_to_its_user_while_user_and_session_last(void **state)
{
    struct tenant_snapshot *snapshot = tenant_snapshot_create();
    struct tenant_user user = {.active = true};
    memcpy(user.id, claims.user_id, sizeof user.id);
    struct tenant_user *added = tenant_snapshot_add_user(snapshot, &user);
    struct tenant_view view;
    tenant_view_init(&view, NULL, snapshot);
    struct buffer token = make(&claims);
    struct tenant_subject_request request = {.credentials = {TENANT_CREDENTIALS_TOKEN, buffer_slice(&token), true},
                                             .jwt_key = key, .now_ms = NOW_MS};
    struct tenant_subject subject;
    struct tenant_rate rate;
    struct error error;
    assert_int_equal(TENANT_KEY_ACCEPTED, tenant_subject_find(&view, &request, &subject, &rate, &error));
    assert_int_equal(TENANT_SUBJECT_USER, subject.kind);
    assert_ptr_equal(added, subject.user);
    assert_string_equal(claims.session_id, subject.session_id);
    assert_true(subject.by_cookie);

    added->token_valid_from_ms = NOW_MS + 999; /* the same second: a login right after the change must work */
    assert_int_equal(TENANT_KEY_ACCEPTED, tenant_subject_find(&view, &request, &subject, &rate, &error));
    added->token_valid_from_ms = NOW_MS + 1000;
    assert_int_equal(TENANT_KEY_REFUSED, tenant_subject_find(&view, &request, &subject, &rate, &error));
    assert_non_null(strstr(error.message, "password"));
    added->token_valid_from_ms = 0;
    added->active = false;
    assert_int_equal(TENANT_KEY_REFUSED, tenant_subject_find(&view, &request, &subject, &rate, &error));
    added->active = true;
    assert_true(tenant_snapshot_end_session(snapshot, SLICE("another session")));
    assert_int_equal(TENANT_KEY_ACCEPTED, tenant_subject_find(&view, &request, &subject, &rate, &error));
    assert_true(tenant_snapshot_end_session(snapshot, slice_from_string(claims.session_id)));
    assert_int_equal(TENANT_KEY_REFUSED, tenant_subject_find(&view, &request, &subject, &rate, &error));
    assert_non_null(strstr(error.message, "session"));
    assert_int_equal(TENANT_SUBJECT_NOBODY, subject.kind);

    request.credentials = (struct tenant_credentials){TENANT_CREDENTIALS_NONE, SLICE_EMPTY, false};
    assert_int_equal(TENANT_KEY_ACCEPTED, tenant_subject_find(&view, &request, &subject, &rate, &error));
    assert_int_equal(TENANT_SUBJECT_NOBODY, subject.kind);
    buffer_free(&token);
    tenant_view_fini(&view);
    tenant_snapshot_release(snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_says_what_it_was_made_of),
        cmocka_unit_test(every_changed_byte_is_noticed),
        cmocka_unit_test(time_bounds_a_token),
        cmocka_unit_test(well_signed_tokens_of_another_form_are_refused),
        cmocka_unit_test(headers_become_credentials_or_a_clear_error),
        cmocka_unit_test(a_token_leads_to_its_user_while_user_and_session_last),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
