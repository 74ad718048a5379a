/* SPDX-License-Identifier: Apache-2.0 */
/* The two requests of a single sign-on, and the list of buttons for the login page. */
#include "control/oidc.h"

#include <openssl/evp.h>

#include "control/identity.h"
#include "control/oidc_private.h"
#include "control/transfer.h"
#include "tenant/base64.h"

#define OIDC_LOGIN_PURPOSE "oidc login"
#define OIDC_LOGINS_LIMIT 20000  /* under way at once: what a flood may leave in the table for five minutes */
#define OIDC_RETURN_LIMIT 512    /* bytes of return_to: a page of ours with its view behind '?' or '#' */

static const char *const oidc_refusals[OIDC_REFUSAL_COUNT] = {
    [OIDC_ACCEPTED] = "accepted",
    [OIDC_EXPIRED] = "expired",
    [OIDC_DENIED] = "denied",
    [OIDC_UNAVAILABLE] = "unavailable",
    [OIDC_TOKEN_REFUSED] = "token_refused",
    [OIDC_EMAIL_UNVERIFIED] = "email_unverified",
    [OIDC_NO_ACCOUNT] = "no_account",
    [OIDC_ACCOUNT_LOCKED] = "account_locked",
    [OIDC_ACCOUNT_PROTECTED] = "account_protected",
    [OIDC_ACCOUNT_ELSEWHERE] = "account_elsewhere",
};
const char *oidc_refusal_name(enum oidc_refusal refusal) { return oidc_refusals[refusal]; }

/* What is remembered of a login between its two requests. No text has a line break, so each is a line. */
struct oidc_login {
    struct slice verifier, nonce, browser, redirect_uri, return_to;
};
#define OIDC_LOGIN_PARTS(login)                                                                                        \
    {                                                                                                                  \
        &(login)->verifier, &(login)->nonce, &(login)->browser, &(login)->redirect_uri, &(login)->return_to            \
    }
#define OIDC_LOGIN_PART_COUNT 5

static struct slice oidc_draw(const struct control_call *call)
{
    char token[TENANT_TOKEN_SIZE + 1];
    tenant_token_make(token);
    return arena_copy(call->arena, slice_from_string(token));
}

/* A path of our own: nothing that a browser takes for another host, and nothing that ends a header. */
static bool oidc_return_is_own(struct slice path)
{
    if (path.size == 0 || path.size > OIDC_RETURN_LIMIT || path.data[0] != '/') return false;
    if (path.size > 1 && (path.data[1] == '/' || path.data[1] == '\\')) return false;
    for (size_t i = 0; i < path.size; i++)
        if ((unsigned char)path.data[i] <= ' ' || (unsigned char)path.data[i] >= 0x7F || path.data[i] == '\\')
            return false;
    return true;
}

static enum error_code oidc_redirect_uri(const struct control_call *call, struct slice host, const char *provider_code,
                                         struct slice *ret_uri, struct error *error)
{
    const char *base = call->control->public_url;
    if (base[0]) *ret_uri = arena_printf(call->arena, "%s/v1/auth/oidc/%s/callback", base, provider_code);
    else {
        /* Without a setting only a browser on this machine: the header Host is whatever a client says. */
        *ret_uri = arena_printf(call->arena, "http://%.*s/v1/auth/oidc/%s/callback", SLICE_ARGS(host), provider_code);
        if (!control_transfer_is_loopback(*ret_uri))
            return error_set_field(error, ERROR_UNAVAILABLE, "http.public_url",
                                   "single sign-on needs the setting http.public_url");
    }
    return arena_failed(call->arena) ? error_set(error, ERROR_MEMORY, "out of memory for a login") : ERROR_NONE;
}

static enum error_code oidc_go(struct control_output *output, struct slice location, struct error *error)
{
    output->status = 302;
    output->location = location;
    return location.size ? ERROR_NONE : error_set(error, ERROR_MEMORY, "out of memory for an answer");
}

static enum error_code oidc_audit_refusal(const struct control_call *call, const struct oidc_provider *provider,
                                          const char *user_id, enum oidc_refusal refusal, const char *detail,
                                          struct error *error)
{
    struct meta_session *session = NULL;
    struct buffer metadata = {0};
    struct json_writer writer = {.out = &metadata};
    json_writer_object_begin(&writer);
    identity_write_text(&writer, "method", SLICE("oidc"));
    identity_write_text(&writer, "provider", slice_from_string(provider->code));
    identity_write_text(&writer, "reason", slice_from_string(oidc_refusals[refusal]));
    if (detail && detail[0]) identity_write_text(&writer, "detail", slice_from_string(detail));
    json_writer_object_end(&writer);
    struct control_audit_event event = {.action = "auth.login_failed",
                                        .resource_type = "identity_provider",
                                        .resource_id = slice_from_string(provider->id),
                                        .result = CONTROL_AUDIT_FAILURE,
                                        .metadata = buffer_slice(&metadata),
                                        .organization_id = provider->organization_id,
                                        .user_id = user_id && user_id[0] ? user_id : NULL};
    enum error_code code = metadata.failed ? error_set(error, ERROR_MEMORY, "out of memory for an audit event")
                                           : identity_begin(call, &session, error);
    if (code == ERROR_NONE) code = control_audit_write(call, session, &event, error);
    buffer_free(&metadata);
    return identity_end(session, code, error);
}

/* Back to the page with a word that it explains to people. `provider` without id: nobody knows which it was. */
static enum error_code oidc_refuse(const struct control_call *call, struct control_output *output,
                                   const struct oidc_provider *provider, const char *user_id, enum oidc_refusal refusal,
                                   const char *detail, struct error *error)
{
    if (provider->id[0]) {
        enum error_code code = oidc_audit_refusal(call, provider, user_id, refusal, detail, error);
        if (code != ERROR_NONE) return code;
    }
    output->login_cookie = true; /* cleared */
    return oidc_go(output, arena_printf(call->arena, "/#error=sso_%s", oidc_refusals[refusal]), error);
}

/* ---- GET /v1/auth/oidc ---- */

static const struct control_field oidc_list_query[] = {
    {"organization", CONTROL_TEXT, 0, 0, 64,
     .help = "Code of an organization; needed where more than one has providers."},
    {0},
};

static enum error_code oidc_list(const struct control_call *call, const struct control_input *input,
                                 struct control_output *output, struct error *error)
{
    return oidc_provider_list(call, input->query[0].given ? input->query[0].text : SLICE_EMPTY, output->body, error);
}

/* ---- GET /v1/auth/oidc/{code}/start ---- */

static enum error_code oidc_login_store(const struct control_call *call, struct meta_session *session,
                                        const struct oidc_provider *provider, struct slice state,
                                        struct oidc_login *login, struct error *error)
{
    struct slice *parts[OIDC_LOGIN_PART_COUNT] = OIDC_LOGIN_PARTS(login);
    struct buffer plain = {0}, sealed = {0};
    char hash[65];
    int64_t waiting = 0;
    for (size_t i = 0; i < OIDC_LOGIN_PART_COUNT; i++) {
        buffer_append_slice(&plain, *parts[i]);
        buffer_append_byte(&plain, '\n');
    }
    tenant_secret_seal(call->control->secret, OIDC_LOGIN_PURPOSE, buffer_slice(&plain), &sealed);
    tenant_token_hash(state, hash);
    enum error_code code = plain.failed || sealed.failed ? error_set(error, ERROR_MEMORY, "out of memory for a login")
                                                         : ERROR_NONE;
    if (code == ERROR_NONE)
        code = meta_execute(session, "delete from identity_logins where expires_at < $1",
                            META_PARAMETERS(meta_integer(call->now_ms)), NULL, error);
    if (code == ERROR_NONE)
        code = identity_query_integer(session, "select count(*) from identity_logins", NULL, 0, &waiting, error);
    if (code == ERROR_NONE && waiting >= OIDC_LOGINS_LIMIT)
        code = error_set(error, ERROR_RATE_LIMITED, "too many logins are under way; try again in some minutes");
    if (code == ERROR_NONE)
        code = meta_execute(
            session,
            "insert into identity_logins (state_hash, identity_provider_id, secret_encrypted, expires_at, created_at) "
            "values ($1, $2, $3, $4, $5)",
            META_PARAMETERS(meta_string(hash), meta_string(provider->id), meta_text(buffer_slice(&sealed)),
                            meta_integer(call->now_ms + CONTROL_OIDC_LOGIN_MS), meta_integer(call->now_ms)),
            NULL, error);
    buffer_free(&plain);
    buffer_free(&sealed);
    return code;
}

static struct slice oidc_challenge(const struct control_call *call, struct slice verifier)
{
    unsigned char digest[32];
    char text[TENANT_BASE64_SIZE(sizeof digest)];
    unsigned size = sizeof digest;
    if (EVP_Digest(verifier.data, verifier.size, digest, &size, EVP_sha256(), NULL) != 1) return SLICE_EMPTY;
    tenant_base64_write(TENANT_BASE64_URL, slice_make(digest, sizeof digest), text);
    return arena_copy(call->arena, slice_make(text, sizeof text));
}

static struct slice oidc_authorization_url(const struct control_call *call, const struct oidc_provider *provider,
                                           const struct oidc_endpoints *endpoints, const struct oidc_login *login,
                                           struct slice state)
{
    const struct {
        const char *name;
        struct slice value;
    } parameters[] = {
        {"response_type", SLICE("code")},
        {"client_id", slice_from_string(provider->client_id)},
        {"redirect_uri", login->redirect_uri},
        {"scope", SLICE("openid email profile")},
        {"state", state},
        {"nonce", login->nonce},
        {"code_challenge", oidc_challenge(call, login->verifier)},
        {"code_challenge_method", SLICE("S256")},
    };
    struct buffer url = {0};
    buffer_append_slice(&url, endpoints->authorization);
    if (slice_index_of(endpoints->authorization, '?') < 0) buffer_append_byte(&url, '?');
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
        control_transfer_append_pair(&url, parameters[i].name, parameters[i].value);
    struct slice text = url.failed ? SLICE_EMPTY : arena_copy(call->arena, buffer_slice(&url));
    buffer_free(&url);
    return text;
}

static const struct control_field oidc_start_query[] = {
    {"return_to", CONTROL_TEXT, 0, 0, OIDC_RETURN_LIMIT, .help = "Path of this server to come back to."},
    {0},
};

static enum error_code oidc_start_found(const struct control_call *call, const struct control_input *input,
                                        struct control_output *output, struct slice return_to,
                                        const struct oidc_provider *provider, struct error *error)
{
    struct oidc_login login = {.return_to = return_to};
    struct oidc_endpoints endpoints;
    struct error inner = {0};
    enum error_code code = oidc_redirect_uri(call, input->host, provider->code, &login.redirect_uri, error);
    if (code != ERROR_NONE) return code;
    if (oidc_discover(call, slice_from_string(provider->issuer), oidc_is_local(call), &endpoints, &inner) != ERROR_NONE)
        return oidc_refuse(call, output, provider, NULL, OIDC_UNAVAILABLE, inner.message, error);
    struct slice state = oidc_draw(call);
    login.verifier = oidc_draw(call);
    login.nonce = oidc_draw(call);
    /* Two tabs of one browser share its cookie, and both logins must come to their end. */
    login.browser = input->login_token.size == TENANT_TOKEN_SIZE && slice_index_of(input->login_token, '\n') < 0
                        ? input->login_token
                        : oidc_draw(call);
    if (arena_failed(call->arena)) return error_set(error, ERROR_MEMORY, "out of memory for a login");
    struct meta_session *session = NULL;
    code = identity_begin(call, &session, error);
    if (code == ERROR_NONE) code = oidc_login_store(call, session, provider, state, &login, error);
    code = identity_end(session, code, error);
    if (code != ERROR_NONE) return code;
    output->login_cookie = true;
    output->login_token = login.browser;
    output->login_expires_ms = call->now_ms + CONTROL_OIDC_LOGIN_MS;
    return oidc_go(output, oidc_authorization_url(call, provider, &endpoints, &login, state), error);
}

static enum error_code oidc_start(const struct control_call *call, const struct control_input *input,
                                  struct control_output *output, struct error *error)
{
    struct slice return_to = input->query[0].given && input->query[0].text.size ? input->query[0].text : SLICE("/");
    if (!oidc_return_is_own(return_to))
        return error_set_field(error, ERROR_INVALID, "return_to",
                               "return_to must be a path of this server: /dashboards?range=7d");
    struct oidc_provider provider;
    struct meta_session *session = NULL;
    enum error_code code = meta_session_begin(call->control->core, 0, &session, error);
    if (code == ERROR_NONE) code = oidc_provider_find(call, session, input->path_values[0], "", &provider, error);
    meta_session_end(session); /* nothing is held while the provider is asked */
    return code != ERROR_NONE ? code : oidc_start_found(call, input, output, return_to, &provider, error);
}

/* ---- GET /v1/auth/oidc/{code}/callback ---- */

/* The parameters of the standards and those that large providers add: unknown ones would be refused. */
enum { CALLBACK_CODE, CALLBACK_STATE, CALLBACK_ERROR, CALLBACK_ISSUER };
static const struct control_field oidc_callback_query[] = {
    {"code", CONTROL_SECRET, 0, 0, 4096, .help = "What the provider gives to fetch the tokens with."},
    {"state", CONTROL_SECRET, 0, 0, 256, .help = "What start sent along."},
    {"error", CONTROL_TEXT, 0, 0, 256, .help = "Why the provider says no."},
    {"iss", CONTROL_TEXT, 0, 0, 512, .help = "The provider's issuer (RFC 9207)."},
    {"error_description", CONTROL_TEXT, 0, 0, 2048, .help = "Not looked at."},
    {"error_uri", CONTROL_TEXT, 0, 0, 2048, .help = "Not looked at."},
    {"session_state", CONTROL_TEXT, 0, 0, 512, .help = "Not looked at."},
    {"scope", CONTROL_TEXT, 0, 0, 2048, .help = "Not looked at."},
    {"authuser", CONTROL_TEXT, 0, 0, 64, .help = "Not looked at."},
    {"hd", CONTROL_TEXT, 0, 0, 256, .help = "Not looked at."},
    {"prompt", CONTROL_TEXT, 0, 0, 64, .help = "Not looked at."},
    {"client_info", CONTROL_TEXT, 0, 0, 2048, .help = "Not looked at."},
    {0},
};

struct oidc_taken {
    const struct control_call *call;
    bool found;
    char provider_id[37];
    int64_t expires_ms;
    struct slice sealed;
};

static enum error_code oidc_taken_row(void *context, const struct meta_row *row, struct error *error)
{
    struct oidc_taken *taken = context;
    taken->found = true;
    taken->expires_ms = meta_row_integer(row, 1);
    taken->sealed = arena_copy(taken->call->arena, meta_row_text(row, 2));
    return META_ROW_COPY(row, 0, taken->provider_id, error);
}

static enum error_code oidc_login_open(const struct control_call *call, struct slice sealed,
                                       struct oidc_login *ret_login, struct error *error)
{
    struct buffer plain = {0};
    enum error_code code = tenant_secret_open(call->control->secret, OIDC_LOGIN_PURPOSE, sealed, &plain, error);
    struct slice rest = arena_copy(call->arena, buffer_slice(&plain));
    struct slice *parts[OIDC_LOGIN_PART_COUNT] = OIDC_LOGIN_PARTS(ret_login);
    for (size_t i = 0; i < OIDC_LOGIN_PART_COUNT; i++) *parts[i] = slice_cut(&rest, '\n');
    buffer_free(&plain);
    return code;
}

/* Takes the login of this state, once. ERROR_NOT_FOUND when there is none that this browser may end now. */
static enum error_code oidc_login_take(const struct control_call *call, const struct control_input *input,
                                       struct oidc_provider *ret_provider, struct oidc_login *ret_login,
                                       struct error *error)
{
    char hash[65];
    struct oidc_taken taken = {.call = call};
    struct meta_session *session = NULL;
    tenant_token_hash(input->query[CALLBACK_STATE].text, hash);
    enum error_code code = identity_begin(call, &session, error);
    if (code == ERROR_NONE)
        code = meta_query(session,
                          "delete from identity_logins where state_hash = $1 returning identity_provider_id, "
                          "expires_at, secret_encrypted",
                          META_PARAMETERS(meta_string(hash)), oidc_taken_row, &taken, error);
    if (code == ERROR_NONE && taken.found)
        code = oidc_provider_find(call, session, SLICE_EMPTY, taken.provider_id, ret_provider, error);
    if (code == ERROR_NOT_FOUND) taken.found = false;
    code = identity_end(session, code == ERROR_NOT_FOUND ? ERROR_NONE : code, error);
    if (code == ERROR_NONE && taken.found) code = oidc_login_open(call, taken.sealed, ret_login, error);
    if (code != ERROR_NONE) return code;
    bool is_good = taken.found && taken.expires_ms > call->now_ms &&
                   slice_equal(slice_from_string(ret_provider->code), input->path_values[0]) &&
                   input->login_token.size && tenant_secret_equal(input->login_token, ret_login->browser);
    return is_good ? ERROR_NONE : error_set(error, ERROR_NOT_FOUND, "no such login is under way");
}

/* The identity token for the code. */
static enum error_code oidc_exchange(const struct control_call *call, const struct oidc_provider *provider,
                                     const struct oidc_endpoints *endpoints, const struct oidc_login *login,
                                     struct slice code_text, struct slice *ret_token, struct error *error)
{
    struct buffer form = {0}, user = {0}, password = {0}, answer = {0};
    bool is_public = provider->client_secret.size == 0;
    control_transfer_append_pair(&form, "grant_type", SLICE("authorization_code"));
    control_transfer_append_pair(&form, "code", code_text);
    control_transfer_append_pair(&form, "redirect_uri", login->redirect_uri);
    control_transfer_append_pair(&form, "code_verifier", login->verifier);
    control_transfer_append_pair(&form, "client_id", slice_from_string(provider->client_id));
    if (!is_public && endpoints->secret_in_form)
        control_transfer_append_pair(&form, "client_secret", provider->client_secret);
    else if (!is_public) {
        /* RFC 6749, section 2.3.1: both are form-encoded before they are joined. */
        control_transfer_append_encoded(&user, slice_from_string(provider->client_id));
        control_transfer_append_encoded(&password, provider->client_secret);
    }
    struct control_transfer transfer = {.url = endpoints->token,
                                        .may_be_plain = oidc_is_local(call),
                                        .form = buffer_slice(&form),
                                        .user = buffer_slice(&user),
                                        .password = buffer_slice(&password)};
    struct json_parser *parser = json_parser_create();
    struct json_value root, token;
    enum error_code code = !parser || form.failed || user.failed || password.failed
                               ? error_set(error, ERROR_MEMORY, "out of memory for a login")
                               : control_transfer_run(&transfer, &answer, error);
    if (code == ERROR_NONE) {
        if (json_parse(parser, buffer_slice(&answer), &root, NULL) != ERROR_NONE ||
            json_value_type(root) != JSON_OBJECT || !json_object_get(root, SLICE("id_token"), &token) ||
            json_value_type(token) != JSON_STRING)
            code = error_set(error, ERROR_UNAVAILABLE, "the provider's answer holds no identity token");
        else *ret_token = arena_copy(call->arena, json_value_string(token));
    }
    json_parser_destroy(parser);
    buffer_free(&form);
    buffer_free(&user);
    buffer_free(&password);
    buffer_free(&answer);
    return code;
}

/* Everything that asks the provider. No session is held meanwhile. */
static enum oidc_refusal oidc_identify(const struct control_call *call, const struct control_input *input,
                                       const struct oidc_provider *provider, const struct oidc_login *login,
                                       struct oidc_claims *ret_claims, struct error *error)
{
    struct oidc_endpoints endpoints;
    struct slice token;
    const struct control_value *query = input->query, *said = &query[CALLBACK_ISSUER];
    if (query[CALLBACK_ERROR].given && query[CALLBACK_ERROR].text.size) {
        error_set(error, ERROR_FORBIDDEN, "%.*s", SLICE_ARGS(slice_first(query[CALLBACK_ERROR].text, 64)));
        return OIDC_DENIED;
    }
    if (!query[CALLBACK_CODE].given || query[CALLBACK_CODE].text.size == 0) {
        error_set(error, ERROR_INVALID, "there is no code");
        return OIDC_DENIED;
    }
    if (said->given && !slice_equal(said->text, slice_from_string(provider->issuer))) {
        error_set(error, ERROR_UNAUTHENTICATED, "the answer is of another issuer");
        return OIDC_TOKEN_REFUSED;
    }
    if (oidc_discover(call, slice_from_string(provider->issuer), oidc_is_local(call), &endpoints, error) != ERROR_NONE)
        return OIDC_UNAVAILABLE;
    enum error_code code = oidc_exchange(call, provider, &endpoints, login, query[CALLBACK_CODE].text, &token, error);
    if (code != ERROR_NONE) return code == ERROR_FORBIDDEN ? OIDC_DENIED : OIDC_UNAVAILABLE;
    struct oidc_token_rules rules = {.issuer = slice_from_string(provider->issuer),
                                     .audience = slice_from_string(provider->client_id),
                                     .nonce = login->nonce,
                                     .now_ms = call->now_ms};
    code = oidc_check_with_provider(call, &endpoints, oidc_is_local(call), token, &rules, ret_claims, error);
    if (code == ERROR_NONE) return OIDC_ACCEPTED;
    return code == ERROR_UNAUTHENTICATED || code == ERROR_INVALID ? OIDC_TOKEN_REFUSED : OIDC_UNAVAILABLE;
}

static enum error_code oidc_admit(const struct control_call *call, const struct oidc_provider *provider,
                                  const struct oidc_claims *claims, struct control_user *ret_user,
                                  enum oidc_refusal *ret_refusal, struct control_tokens *ret_tokens,
                                  struct error *error)
{
    struct meta_session *session = NULL;
    enum error_code code = identity_begin(call, &session, error);
    if (code == ERROR_NONE) code = oidc_user_resolve(call, session, provider, claims, ret_user, ret_refusal, error);
    if (code == ERROR_NONE && *ret_refusal == OIDC_ACCEPTED)
        code = control_session_start(call, session, ret_user, "oidc", false, ret_tokens, error);
    if (code == ERROR_NONE && *ret_refusal != OIDC_ACCEPTED) {
        meta_rollback(session);
        meta_session_end(session);
        return ERROR_NONE;
    }
    return identity_end(session, code, error);
}

static enum error_code oidc_callback(const struct control_call *call, const struct control_input *input,
                                     struct control_output *output, struct error *error)
{
    struct oidc_provider provider = {0};
    struct oidc_login login = {0};
    struct oidc_claims claims = {0};
    struct control_user user = {0};
    struct control_tokens tokens;
    struct error reason = {0};
    enum oidc_refusal refusal = OIDC_EXPIRED;
    enum error_code code = ERROR_NOT_FOUND;
    if (input->query[CALLBACK_STATE].given) code = oidc_login_take(call, input, &provider, &login, error);
    if (code == ERROR_NOT_FOUND) return oidc_refuse(call, output, &provider, NULL, OIDC_EXPIRED, NULL, error);
    if (code != ERROR_NONE) return code;
    refusal = oidc_identify(call, input, &provider, &login, &claims, &reason);
    if (refusal == OIDC_ACCEPTED) {
        code = oidc_admit(call, &provider, &claims, &user, &refusal, &tokens, error);
        if (code != ERROR_NONE) return code;
    }
    if (refusal != OIDC_ACCEPTED) return oidc_refuse(call, output, &provider, user.id, refusal, reason.message, error);
    output->cookies = true;
    output->access_token = tokens.access;
    output->refresh_token = arena_copy(call->arena, slice_from_string(tokens.refresh));
    output->refresh_expires_ms = tokens.refresh_expires_ms;
    output->login_cookie = true;                /* cleared */
    return oidc_go(output, login.return_to, error);
}

const struct control_action control_oidc_actions[] = {
    {.method = METHOD_GET,
     .path = "/v1/auth/oidc",
     .access = CONTROL_OPEN,
     .permission = TENANT_NO_PERMISSION,
     .query = oidc_list_query,
     .status = 200,
     .run = oidc_list,
     .summary = "List the single sign-on providers people may choose from",
     .answer = "{\"type\":\"object\",\"required\":[\"data\"],\"properties\":{\"data\":{\"type\":\"array\",\"items\":{"
               "\"type\":\"object\","
               "\"required\":[\"code\",\"name\"],\"properties\":{\"code\":{\"type\":\"string\"},\"name\":{\"type\":"
               "\"string\"}}}}}}"},
    {.method = METHOD_GET,
     .path = "/v1/auth/oidc/{code}/start",
     .access = CONTROL_OPEN,
     .permission = TENANT_NO_PERMISSION,
     .query = oidc_start_query,
     .status = 302,
     .run = oidc_start,
     .summary = "Go to the single sign-on provider"},
    {.method = METHOD_GET,
     .path = "/v1/auth/oidc/{code}/callback",
     .access = CONTROL_OPEN,
     .permission = TENANT_NO_PERMISSION,
     .query = oidc_callback_query,
     .status = 302,
     .run = oidc_callback,
     .summary = "Come back from the single sign-on provider, and be logged in"},
    {0},
};
