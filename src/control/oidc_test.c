/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of single sign-on, from start to session, against a small OpenID provider on loopback, on every database. */
#include <curl/curl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/identity.h"
#include "control/oidc.h"
#include "control/oidc_fixture.h"
#include "control/oidc_private.h"
#include "decode/url.h"
#include "meta/test_backend.h"
#include "tenant/base64.h"

#define NOW 1789000000000LL
#define ORGANIZATION "0190a000-0000-7000-8000-000000000001"
#define OTHER_ORGANIZATION "0190a000-0000-7000-8000-000000000002"
#define PROVIDER "0190a000-0000-7000-8000-000000000011"
#define REGION "0190a000-0000-7000-8000-000000000021"

/* ---- fixture ---- */

struct fixture {
    const struct meta_test_backend *backend;
    char location[META_TEST_LOCATION_SIZE];
    struct control control;
    struct control_call call;
    struct idp idp;
    char viewer_role[37];
    /* of the last start */
    char state[64], nonce[64], challenge[64], browser[64];
};

static void run_sql(struct fixture *f, const char *sql, const struct meta_value *parameters, size_t count)
{
    struct meta_session *session;
    struct error error = {0};
    assert_int_equal(meta_session_begin(f->control.core, 0, &session, &error), ERROR_NONE);
    if (meta_execute(session, sql, parameters, count, NULL, &error) != ERROR_NONE)
        fail_msg("%s: %s", sql, error.message);
    meta_session_end(session);
}

static enum error_code take_text(void *context, const struct meta_row *row, struct error *error)
{
    snprintf(context, 512, "%.*s", SLICE_ARGS(meta_row_text(row, 0)));
    return ERROR_NONE;
}

/* The first column of the last row; "" without a row. Valid until the next call. */
static const char *ask(struct fixture *f, const char *sql)
{
    static char text[512];
    struct meta_session *session;
    struct error error = {0};
    text[0] = 0;
    assert_int_equal(meta_session_begin(f->control.core, 0, &session, &error), ERROR_NONE);
    if (meta_query(session, sql, NULL, 0, take_text, text, &error) != ERROR_NONE)
        fail_msg("%s: %s", sql, error.message);
    meta_session_end(session);
    return text;
}

static void add_user(struct fixture *f, const char *id, const char *organization, const char *email, bool verified)
{
    run_sql(f,
            "insert into users (user_id, organization_id, email, password_hash, email_verified, created_at, "
            "updated_at) values ($1, $2, $3, 'x', $4, 1, 1)",
            META_PARAMETERS(meta_string(id), meta_string(organization), meta_string(email), meta_boolean(verified)));
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct error error = {0};
    f->backend = *state;
    f->backend->create(f->location);
    memset(f->control.secret, 9, sizeof f->control.secret);
    if (control_open(f->location, &f->control, &error) != ERROR_NONE) fail_msg("%s", error.message);
    f->call = (struct control_call){.control = &f->control, .arena = arena_create(8 << 20), .now_ms = NOW,
                                    .actor = {.ip_address = SLICE("192.0.2.1"), .user_agent = SLICE("test")}};
    idp_start(&f->idp);
    oidc_cache_clear();
    run_sql(f,
            "insert into regions (region_id, name, code, created_at, updated_at) values ('" REGION
            "', 'r', 'r-oidc', 1, 1)",
            NULL, 0);
    run_sql(f,
            "insert into organizations (organization_id, region_id, name, code, created_at, updated_at) values "
            "('" ORGANIZATION "', '" REGION "', 'Shop', 'shop', 1, 1)",
            NULL, 0);
    run_sql(f,
            "insert into organizations (organization_id, region_id, name, code, created_at, updated_at) values "
            "('" OTHER_ORGANIZATION "', '" REGION "', 'Other', 'other', 1, 1)",
            NULL, 0);
    snprintf(f->viewer_role, sizeof f->viewer_role, "%s",
             ask(f, "select role_id from roles where role_type = 'viewer'"));
    assert_int_equal(strlen(f->viewer_role), 36);
    run_sql(f,
            "insert into identity_providers (identity_provider_id, organization_id, name, code, issuer, client_id, "
            "allowed_domains, auto_create_users, default_role_id, created_at, updated_at) "
            "values ('" PROVIDER "', '" ORGANIZATION
            "', 'Shop login', 'shop-login', $1, 'millrace', '', false, $2, 1, 1)",
            META_PARAMETERS(meta_string(f->idp.issuer), meta_string(f->viewer_role)));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    idp_stop(&f->idp);
    control_close(&f->control);
    f->backend->destroy(f->location);
    arena_destroy(f->call.arena);
    free(f);
    return 0;
}

static enum error_code act(struct fixture *f, size_t action, struct control_input *input, struct control_output *output,
                           struct error *error)
{
    static struct buffer body;
    buffer_clear(&body);
    *output = (struct control_output){.body = &body};
    input->path_values[0] = SLICE("shop-login");
    input->host = SLICE("127.0.0.1:8080");
    return control_oidc_actions[action].run(&f->call, input, output, error);
}

static void parameter_of(struct slice url_text, const char *name, char *out, size_t size)
{
    struct url url;
    struct slice key, value;
    struct arena *arena = arena_create(1 << 16);
    assert_true(url_parse(url_text, &url));
    out[0] = 0;
    struct slice rest = url.query;
    while (url_query_next(&rest, &key, &value))
        if (slice_equal(key, slice_from_string(name)))
            snprintf(out, size, "%.*s", SLICE_ARGS(url_decode(arena, value, true)));
    arena_destroy(arena);
}

static struct control_output start(struct fixture *f, const char *return_to)
{
    struct control_value query[2] = {{.given = true, .text = slice_from_string(return_to)}};
    struct control_input input = {.query = query};
    struct control_output output;
    struct error error = {0};
    if (act(f, 1, &input, &output, &error) != ERROR_NONE) fail_msg("%s", error.message);
    assert_int_equal(output.status, 302);
    if (slice_starts_with(output.location, SLICE("/"))) return output; /* refused */
    parameter_of(output.location, "state", f->state, sizeof f->state);
    parameter_of(output.location, "nonce", f->nonce, sizeof f->nonce);
    parameter_of(output.location, "code_challenge", f->challenge, sizeof f->challenge);
    assert_true(output.login_cookie && output.login_token.size == TENANT_TOKEN_SIZE);
    snprintf(f->browser, sizeof f->browser, "%.*s", SLICE_ARGS(output.login_token));
    return output;
}

/* A token for the login under way. `more`: further claims, each with a comma before. */
static void issue(struct fixture *f, const char *subject, const char *more)
{
    char claims[1024];
    snprintf(claims, sizeof claims,
             "{\"iss\":\"%s\",\"aud\":\"millrace\",\"sub\":\"%s\",\"nonce\":\"%s\",\"iat\":%lld,\"exp\":%lld%s}",
             f->idp.issuer, subject, f->nonce, NOW / 1000, NOW / 1000 + 300, more);
    idp_issue(&f->idp, "k1", claims);
}

static struct control_output callback_with(struct fixture *f, const char *state, const char *browser,
                                           const char *refusal)
{
    struct control_value query[16] = {{.given = refusal == NULL, .text = SLICE("code-1")},
                                      {.given = true, .text = slice_from_string(state)},
                                      {.given = refusal != NULL, .text = slice_from_string(refusal ? refusal : "")}};
    struct control_input input = {.query = query, .login_token = slice_from_string(browser)};
    struct control_output output;
    struct error error = {0};
    if (act(f, 2, &input, &output, &error) != ERROR_NONE) fail_msg("%s", error.message);
    assert_int_equal(output.status, 302);
    return output;
}

static struct control_output callback(struct fixture *f) { return callback_with(f, f->state, f->browser, NULL); }

static void assert_sent_to(struct control_output output, const char *location)
{
    char text[600];
    snprintf(text, sizeof text, "%.*s", SLICE_ARGS(output.location));
    assert_string_equal(text, location);
}

static void assert_refused(struct control_output output, const char *location)
{
    assert_sent_to(output, location);
    assert_false(output.cookies);
    assert_int_equal(output.access_token.size + output.refresh_token.size, 0);
}

#define ADA "0190a000-0000-7000-8000-0000000000a1"
#define ADA_EMAIL ",\"email\":\"Ada@Shop.example\",\"email_verified\":true"

/* ---- tests ---- */

static void links_a_user_by_verified_email_and_knows_him_afterwards(void **state)
{
    struct fixture *f = *state;
    add_user(f, ADA, ORGANIZATION, "ada@shop.example", true);
    struct control_output output = start(f, "/dashboards?range=7d");
    char text[2048];
    snprintf(text, sizeof text, "%.*s", SLICE_ARGS(output.location));
    assert_non_null(
        strstr(text, "/authorize?response_type=code&client_id=millrace&redirect_uri=http%3A%2F%2F127.0.0.1%3A8080%2Fv1%"
                     "2Fauth%2Foidc%2Fshop-login%2Fcallback&scope=openid%20email%20profile&state="));
    assert_non_null(strstr(text, "&code_challenge_method=S256"));
    assert_null(strstr(ask(f, "select secret_encrypted from identity_logins"), f->nonce));
    assert_string_not_equal(ask(f, "select state_hash from identity_logins"), f->state);

    issue(f, "subject-1", ADA_EMAIL);
    output = callback(f);
    assert_sent_to(output, "/dashboards?range=7d");
    assert_true(output.cookies && output.access_token.size && output.refresh_token.size == TENANT_TOKEN_SIZE);
    assert_true(output.login_cookie && output.login_token.size == 0);
    assert_string_equal(ask(f, "select user_id from user_identities where subject = 'subject-1'"), ADA);
    assert_string_equal(ask(f, "select method from user_sessions"), "oidc");
    assert_string_equal(ask(f, "select password_hash from users where user_id = '" ADA "'"), "x");

    /* The verifier sent is the one whose hash went along at start. */
    char *verifier = strstr(f->idp.heard, "code_verifier=");
    assert_non_null(verifier);
    unsigned char digest[32];
    char challenge[TENANT_BASE64_SIZE(32) + 1] = "";
    EVP_Digest(verifier + 14, 43, digest, NULL, EVP_sha256(), NULL);
    tenant_base64_write(TENANT_BASE64_URL, slice_make(digest, 32), challenge);
    assert_string_equal(challenge, f->challenge);

    /* Later the address may be another one, and even unverified: the subject counts. */
    start(f, "/");
    issue(f, "subject-1", ",\"email\":\"ada@new.example\"");
    assert_sent_to(callback(f), "/");
    assert_int_equal(f->idp.discoveries, 1); /* remembered */
}

static void a_login_ends_once_and_only_in_its_browser(void **state)
{
    struct fixture *f = *state;
    char first_state[64];
    add_user(f, ADA, ORGANIZATION, "ada@shop.example", true);
    start(f, "/");
    issue(f, "s", ADA_EMAIL);
    snprintf(first_state, sizeof first_state, "%s", f->state);
    assert_refused(callback_with(f, f->state, "", NULL), "/#error=sso_expired");
    assert_refused(callback(f), "/#error=sso_expired"); /* the first try took it */
    start(f, "/");
    issue(f, "s", ADA_EMAIL);
    assert_refused(callback_with(f, f->state, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", NULL),
                   "/#error=sso_expired");
    start(f, "/");
    issue(f, "s", ADA_EMAIL);
    assert_refused(callback_with(f, first_state, f->browser, NULL), "/#error=sso_expired");
    assert_sent_to(callback(f), "/");
    assert_refused(callback(f), "/#error=sso_expired");
    start(f, "/");
    issue(f, "s", ADA_EMAIL);
    f->call.now_ms = NOW + CONTROL_OIDC_LOGIN_MS;
    assert_refused(callback(f), "/#error=sso_expired");
    assert_int_equal(f->idp.exchanges, 1);
}

static void refuses_a_token_that_was_made_for_something_else(void **state)
{
    struct fixture *f = *state;
    add_user(f, ADA, ORGANIZATION, "ada@shop.example", true);
    start(f, "/");
    snprintf(f->nonce, sizeof f->nonce, "another");
    issue(f, "s", ADA_EMAIL);
    assert_refused(callback(f), "/#error=sso_token_refused");
    start(f, "/");
    issue(f, "s", ADA_EMAIL ",\"azp\":\"other\"");
    assert_refused(callback(f), "/#error=sso_token_refused");
    assert_string_equal(ask(f, "select session_id from user_sessions"), "");
    assert_string_equal(ask(f, "select user_id from user_identities"), "");
}

static void fetches_the_keys_again_once_when_the_provider_changed_them(void **state)
{
    struct fixture *f = *state;
    char claims[1024];
    add_user(f, ADA, ORGANIZATION, "ada@shop.example", true);
    start(f, "/");
    issue(f, "s", ADA_EMAIL);
    assert_sent_to(callback(f), "/");
    assert_int_equal(f->idp.key_fetches, 1);
    idp_change_key(&f->idp, "k2");
    start(f, "/");
    snprintf(claims, sizeof claims,
             "{\"iss\":\"%s\",\"aud\":\"millrace\",\"sub\":\"s\",\"nonce\":\"%s\",\"iat\":%lld,\"exp\":%lld}",
             f->idp.issuer, f->nonce, NOW / 1000, NOW / 1000 + 9);
    idp_issue(&f->idp, "k2", claims);
    assert_sent_to(callback(f), "/");
    assert_int_equal(f->idp.key_fetches, 2);
    start(f, "/");
    idp_issue(&f->idp, "k3", claims);
    assert_refused(callback(f), "/#error=sso_token_refused");
    assert_int_equal(f->idp.key_fetches, 3);
}

static void an_unverified_address_links_nobody(void **state)
{
    struct fixture *f = *state;
    add_user(f, ADA, ORGANIZATION, "ada@shop.example", true);
    static const char *const MORE[] = {",\"email\":\"ada@shop.example\"",
                                       ",\"email\":\"ada@shop.example\",\"email_verified\":false",
                                       ",\"email_verified\":true", ",\"email\":\"ada\",\"email_verified\":true"};
    for (size_t i = 0; i < sizeof MORE / sizeof *MORE; i++) {
        start(f, "/");
        issue(f, "s", MORE[i]);
        assert_refused(callback(f), "/#error=sso_email_unverified");
    }
}

static void a_user_of_another_organization_is_not_reached(void **state)
{
    struct fixture *f = *state;
    add_user(f, ADA, OTHER_ORGANIZATION, "ada@shop.example", true);
    start(f, "/");
    issue(f, "s", ADA_EMAIL);
    assert_refused(callback(f), "/#error=sso_account_elsewhere");
}

static void a_super_administrator_is_never_vouched_for(void **state)
{
    struct fixture *f = *state;
    add_user(f, ADA, ORGANIZATION, "ada@shop.example", true);
    run_sql(f,
            "insert into user_roles (user_role_id, user_id, role_id, assigned_at) select "
            "'0190a000-0000-7000-8000-0000000000f1', '" ADA "', role_id, 1 from roles where role_type = 'super_admin'",
            NULL, 0);
    start(f, "/");
    issue(f, "s", ADA_EMAIL);
    assert_refused(callback(f), "/#error=sso_account_protected");
    /* Nor one who became so after he was linked. */
    run_sql(f,
            "insert into user_identities (user_identity_id, user_id, identity_provider_id, subject, created_at) values "
            "('0190a000-0000-7000-8000-0000000000f2', '" ADA "', '" PROVIDER "', 's', 1)",
            NULL, 0);
    start(f, "/");
    issue(f, "s", ADA_EMAIL);
    assert_refused(callback(f), "/#error=sso_account_protected");
}

static void a_locked_user_stays_out(void **state)
{
    struct fixture *f = *state;
    add_user(f, ADA, ORGANIZATION, "ada@shop.example", true);
    run_sql(f, "update users set is_locked = true", NULL, 0);
    start(f, "/");
    issue(f, "s", ADA_EMAIL);
    assert_refused(callback(f), "/#error=sso_account_locked");
    assert_string_equal(ask(f, "select user_id from user_identities"), "");
}

static void linking_an_account_nobody_had_verified_drops_its_password(void **state)
{
    struct fixture *f = *state;
    add_user(f, ADA, ORGANIZATION, "ada@shop.example", false);
    start(f, "/");
    issue(f, "s", ADA_EMAIL);
    assert_sent_to(callback(f), "/");
    assert_string_equal(ask(f, "select password_hash from users"), "");
    assert_string_equal(ask(f, "select case when email_verified then 'yes' else 'no' end from users"), "yes");
}

static void makes_users_only_of_listed_domains(void **state)
{
    struct fixture *f = *state;
    start(f, "/");
    issue(f, "s", ADA_EMAIL);
    assert_refused(callback(f), "/#error=sso_no_account");
    run_sql(f,
            "update identity_providers set auto_create_users = true, allowed_domains = 'other.example\nshop.example'",
            NULL, 0);
    start(f, "/");
    issue(f, "s2", ",\"email\":\"eve@evil.example\",\"email_verified\":true");
    assert_refused(callback(f), "/#error=sso_no_account");
    start(f, "/");
    issue(f, "s3", ",\"email\":\"eve@evil.shop.example\",\"email_verified\":true");
    assert_refused(callback(f), "/#error=sso_no_account");
    start(f, "/");
    issue(f, "s", ADA_EMAIL ",\"given_name\":\"Ada\"");
    assert_sent_to(callback(f), "/");
    assert_string_equal(ask(f, "select first_name from users where email = 'ada@shop.example'"), "Ada");
    assert_string_equal(ask(f, "select organization_id from users"), ORGANIZATION);
    assert_string_equal(ask(f, "select role_id from user_roles"), f->viewer_role);
}

static void refusals_are_audited(void **state)
{
    struct fixture *f = *state;
    start(f, "/");
    assert_refused(callback_with(f, f->state, f->browser, "access_denied"), "/#error=sso_denied");
    assert_int_equal(f->idp.exchanges, 0);
    const char *event = ask(f, "select event from audit_outbox");
    assert_non_null(strstr(event, "auth.login_failed"));
    start(f, "/");
    f->idp.token_status = 400;
    assert_refused(callback(f), "/#error=sso_denied");
    f->idp.token_status = 302; /* not followed */
    start(f, "/");
    assert_refused(callback(f), "/#error=sso_unavailable");
    assert_string_equal(ask(f, "select cast(count(*) as text) from audit_outbox"), "3");
}

static void sends_nobody_to_another_site(void **state)
{
    struct fixture *f = *state;
    static const char *const PATHS[] = {"https://evil.example",
                                        "//evil.example",
                                        "/\\evil.example",
                                        "\\\\evil.example",
                                        "evil",
                                        "/a\\b",
                                        "/a b",
                                        "javascript:alert(1)",
                                        "/\xc3\xa9",
                                        " /a"};
    for (size_t i = 0; i < sizeof PATHS / sizeof *PATHS; i++) {
        struct control_value query[2] = {{.given = true, .text = slice_from_string(PATHS[i])}};
        struct control_input input = {.query = query};
        struct control_output output;
        struct error error = {0};
        assert_int_equal(act(f, 1, &input, &output, &error), ERROR_INVALID);
        assert_string_equal(error.field, "return_to");
    }
}

static void believes_only_a_discovery_document_of_the_issuer_itself(void **state)
{
    struct fixture *f = *state;
    static const char *const DOCUMENTS[] = {"{\"issuer\":\"http://127.0.0.1:1\",\"authorization_endpoint\":\"%s/"
                                            "a\",\"token_endpoint\":\"%s/t\",\"jwks_uri\":\"%s/k\"}",
                                            "{\"issuer\":\"ISSUER\",\"authorization_endpoint\":\"http://shop.example/"
                                            "a\",\"token_endpoint\":\"ISSUER/t\",\"jwks_uri\":\"ISSUER/k\"}",
                                            "{\"issuer\":\"ISSUER\",\"authorization_endpoint\":\"ISSUER/"
                                            "a\",\"token_endpoint\":\"ftp://127.0.0.1/t\",\"jwks_uri\":\"ISSUER/k\"}",
                                            "{\"issuer\":\"ISSUER\",\"authorization_endpoint\":\"ISSUER/"
                                            "a\",\"token_endpoint\":\"ISSUER/t\",\"jwks_uri\":\"file:///etc/passwd\"}",
                                            "{\"issuer\":\"ISSUER\",\"authorization_endpoint\":\"javascript:alert(1)\","
                                            "\"token_endpoint\":\"ISSUER/t\",\"jwks_uri\":\"ISSUER/k\"}",
                                            "[]",
                                            "",
                                            "{",
                                            "{\"issuer\":\"ISSUER\"}"};
    for (size_t i = 0; i < sizeof DOCUMENTS / sizeof *DOCUMENTS; i++) {
        struct slice rest = slice_from_string(DOCUMENTS[i]);
        struct buffer text = {0};
        ptrdiff_t at;
        while ((at = slice_find(rest, SLICE("ISSUER"))) >= 0) {
            buffer_append_slice(&text, slice_first(rest, (size_t)at));
            buffer_append_string(&text, f->idp.issuer);
            rest = slice_from(rest, (size_t)at + 6);
        }
        buffer_append_slice(&text, rest);
        snprintf(f->idp.discovery, sizeof f->idp.discovery, "%.*s", SLICE_ARGS(buffer_slice(&text)));
        buffer_free(&text);
        oidc_cache_clear();
        assert_refused(start(f, "/"), "/#error=sso_unavailable");
    }
    /* An answer without end. */
    oidc_cache_clear();
    run_sql(f, "update identity_providers set issuer = 'http://127.0.0.1:1'", NULL, 0);
    assert_refused(start(f, "/"), "/#error=sso_unavailable");
    /* Where the page has an address in the world, plain http is asked nowhere. */
    snprintf(f->control.public_url, sizeof f->control.public_url, "https://analytics.example");
    run_sql(f, "update identity_providers set issuer = $1", META_PARAMETERS(meta_string(f->idp.issuer)));
    unsigned before = f->idp.discoveries;
    assert_refused(start(f, "/"), "/#error=sso_unavailable");
    assert_int_equal(f->idp.discoveries, before);
}

static void the_client_secret_goes_in_and_never_out(void **state)
{
    struct fixture *f = *state;
    struct control_value body[1] = {{.given = true, .text = SLICE("geheim & co")}};
    struct control_input input = {.path_values = {SLICE(PROVIDER)}, .body = body};
    struct control_output output = {0};
    struct error error = {0};
    snprintf(f->call.organization_id, sizeof f->call.organization_id, OTHER_ORGANIZATION);
    assert_int_equal(control_identity_provider_actions[0].run(&f->call, &input, &output, &error), ERROR_NOT_FOUND);
    snprintf(f->call.organization_id, sizeof f->call.organization_id, ORGANIZATION);
    if (control_identity_provider_actions[0].run(&f->call, &input, &output, &error) != ERROR_NONE)
        fail_msg("%s", error.message);
    assert_true(strncmp(ask(f, "select client_secret_encrypted from identity_providers"), "s1:", 3) == 0);
    assert_null(strstr(ask(f, "select event from audit_outbox"), "geheim"));
    for (const struct control_field *field = control_identity_providers.fields; field->name; field++)
        assert_null(strstr(field->name, "secret"));

    add_user(f, ADA, ORGANIZATION, "ada@shop.example", true);
    start(f, "/");
    issue(f, "s", ADA_EMAIL);
    assert_sent_to(callback(f), "/");
    /* base64 of "millrace:geheim%20%26%20co" */
    assert_non_null(strstr(f->idp.heard, "Authorization: Basic bWlsbHJhY2U6Z2VoZWltJTIwJTI2JTIwY28="));
    assert_null(strstr(strstr(f->idp.heard, "\r\n\r\n"), "geheim"));
}

static enum error_code check_provider(struct fixture *f, struct error *error)
{
    struct meta_session *session;
    assert_int_equal(meta_session_begin(f->control.core, 0, &session, error), ERROR_NONE);
    enum error_code code = control_identity_providers.check(&f->call, session, CONTROL_UPDATED, SLICE(PROVIDER), error);
    meta_session_end(session);
    return code;
}

static void a_provider_gives_nobody_more_than_its_maker_has(void **state)
{
    struct fixture *f = *state;
    struct error error = {0};
    snprintf(f->call.organization_id, sizeof f->call.organization_id, ORGANIZATION);
    add_user(f, ADA, ORGANIZATION, "ada@shop.example", true);
    run_sql(f,
            "insert into user_roles (user_role_id, user_id, role_id, assigned_at) select "
            "'0190a000-0000-7000-8000-0000000000f1', '" ADA "', role_id, 1 from roles where role_type = 'developer'",
            NULL, 0);
    f->call.actor.kind = CONTROL_ACTOR_USER;
    snprintf(f->call.actor.id, sizeof f->call.actor.id, ADA);
    if (check_provider(f, &error) != ERROR_NONE) fail_msg("%s", error.message); /* a viewer is less than a developer */
    run_sql(f, "update identity_providers set default_role_id = (select role_id from roles where role_type = 'admin')",
            NULL, 0);
    assert_int_equal(check_provider(f, &error), ERROR_FORBIDDEN);
    f->call.actor.is_super = true;
    assert_int_equal(check_provider(f, &error), ERROR_NONE);
    run_sql(
        f,
        "update identity_providers set default_role_id = (select role_id from roles where role_type = 'super_admin')",
        NULL, 0);
    assert_int_equal(check_provider(f, &error), ERROR_INVALID);
    assert_string_equal(error.field, "default_role_id");
    run_sql(f,
            "update identity_providers set default_role_id = null, auto_create_users = true, allowed_domains = "
            "'shop.example'",
            NULL, 0);
    assert_int_equal(check_provider(f, &error), ERROR_INVALID);
    run_sql(f, "update identity_providers set default_role_id = $1, allowed_domains = ''",
            META_PARAMETERS(meta_string(f->viewer_role)));
    assert_int_equal(check_provider(f, &error), ERROR_INVALID);
    assert_string_equal(error.field, "allowed_domains");
    run_sql(f, "update identity_providers set allowed_domains = 'shop.example', issuer = 'http://idp.example'", NULL,
            0);
    assert_int_equal(check_provider(f, &error), ERROR_INVALID);
    assert_string_equal(error.field, "issuer");
}

static void lists_providers_only_where_that_tells_nothing(void **state)
{
    struct fixture *f = *state;
    struct control_value query[2] = {{0}};
    struct control_input input = {.query = query};
    struct control_output output;
    struct error error = {0};
    assert_int_equal(act(f, 0, &input, &output, &error), ERROR_NONE);
    assert_true(slice_equal(buffer_slice(output.body),
                            SLICE("{\"data\":[{\"code\":\"shop-login\",\"name\":\"Shop login\"}]}")));
    run_sql(f,
            "insert into identity_providers (identity_provider_id, organization_id, name, code, issuer, client_id, "
            "created_at, updated_at) "
            "values ('0190a000-0000-7000-8000-000000000012', '" OTHER_ORGANIZATION
            "', 'Other login', 'other-login', 'https://a.example', 'm', 1, 1)",
            NULL, 0);
    assert_int_equal(act(f, 0, &input, &output, &error), ERROR_NONE);
    assert_true(slice_equal(buffer_slice(output.body), SLICE("{\"data\":[]}")));
    query[0] = (struct control_value){.given = true, .text = SLICE("other")};
    assert_int_equal(act(f, 0, &input, &output, &error), ERROR_NONE);
    assert_true(slice_equal(buffer_slice(output.body),
                            SLICE("{\"data\":[{\"code\":\"other-login\",\"name\":\"Other login\"}]}")));
    run_sql(f, "update identity_providers set is_active = false", NULL, 0);
    assert_int_equal(act(f, 0, &input, &output, &error), ERROR_NONE);
    assert_true(slice_equal(buffer_slice(output.body), SLICE("{\"data\":[]}")));
}

int main(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(links_a_user_by_verified_email_and_knows_him_afterwards),
        TEST(a_login_ends_once_and_only_in_its_browser),
        TEST(refuses_a_token_that_was_made_for_something_else),
        TEST(fetches_the_keys_again_once_when_the_provider_changed_them),
        TEST(an_unverified_address_links_nobody),
        TEST(a_user_of_another_organization_is_not_reached),
        TEST(a_super_administrator_is_never_vouched_for),
        TEST(a_locked_user_stays_out),
        TEST(linking_an_account_nobody_had_verified_drops_its_password),
        TEST(makes_users_only_of_listed_domains),
        TEST(refusals_are_audited),
        TEST(sends_nobody_to_another_site),
        TEST(believes_only_a_discovery_document_of_the_issuer_itself),
        TEST(the_client_secret_goes_in_and_never_out),
        TEST(a_provider_gives_nobody_more_than_its_maker_has),
        TEST(lists_providers_only_where_that_tells_nothing),
    };
    return meta_test_run("oidc", tests, sizeof tests / sizeof *tests, NULL, 0);
}
