/* SPDX-License-Identifier: Apache-2.0 */
/* Authorization and Cookie to credentials, credentials to a subject. */
#include "tenant/authorization.h"

#include "tenant/jwt.h"

/* RFC 6750: what a bearer text consists of, without the padding that none of ours has. */
static bool authorization_is_clean(struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
                    c == '_' || c == '~' || c == '+' || c == '/';
        if (!fits) return false;
    }
    return text.size > 0;
}

static bool authorization_is_token(struct slice text)
{
    size_t dots = 0;
    for (size_t i = 0; i < text.size; i++) dots += text.data[i] == '.';
    return dots == 2;
}

bool tenant_cookie_find(struct slice cookie, const char *name, struct slice *ret_value, bool *ret_twice)
{
    bool found = false, twice = false;
    while (cookie.size) {
        struct slice value = slice_trim(slice_cut(&cookie, ';'));
        if (slice_index_of(value, '=') < 0) continue;
        struct slice its_name = slice_cut(&value, '=');
        if (!slice_equal(its_name, slice_from_string(name))) continue;
        if (found && !slice_equal(value, *ret_value)) twice = true;
        if (!found) *ret_value = value;
        found = true;
    }
    if (ret_twice) *ret_twice = twice;
    return found;
}

static enum error_code authorization_of_cookie(struct slice cookie, struct tenant_credentials *credentials,
                                               struct error *error)
{
    struct slice value = SLICE_EMPTY;
    bool twice = false;
    if (!tenant_cookie_find(cookie, TENANT_ACCESS_COOKIE_SECURE, &value, &twice) &&
        !tenant_cookie_find(cookie, TENANT_ACCESS_COOKIE, &value, &twice))
        return ERROR_NONE;
    /* One of them was set by somebody who may write cookies for this host but not read ours. */
    if (twice) return error_set(error, ERROR_UNAUTHENTICATED, "the request has two access cookies; log in again");
    if (value.size == 0) return ERROR_NONE; /* cleared */
    if (!authorization_is_clean(value))
        return error_set(error, ERROR_UNAUTHENTICATED, "the access cookie is not a token; log in again");
    *credentials = (struct tenant_credentials){.kind = TENANT_CREDENTIALS_TOKEN, .text = value, .by_cookie = true};
    return ERROR_NONE;
}

enum error_code tenant_authorization_parse(struct slice authorization, struct slice cookie,
                                           struct tenant_credentials *ret_credentials, struct error *error)
{
    *ret_credentials = (struct tenant_credentials){.kind = TENANT_CREDENTIALS_NONE, .text = SLICE_EMPTY};
    authorization = slice_trim(authorization);
    if (authorization.size == 0) return authorization_of_cookie(cookie, ret_credentials, error);
    if (authorization.size > TENANT_AUTHORIZATION_LIMIT)
        return error_set(error, ERROR_UNAUTHENTICATED, "the Authorization header is longer than %d bytes", TENANT_AUTHORIZATION_LIMIT);
    struct slice text = authorization, scheme = slice_cut(&text, ' ');
    text = slice_trim(text);
    if (!slice_equal_ignore_case(scheme, SLICE("bearer")))
        return error_set(error, ERROR_UNAUTHENTICATED, "the Authorization header must read \"Bearer\" and a key or a token");
    if (!authorization_is_clean(text))
        return error_set(error, ERROR_UNAUTHENTICATED, "what follows \"Bearer\" is neither a key nor a token");
    *ret_credentials = (struct tenant_credentials){
        .kind = authorization_is_token(text) ? TENANT_CREDENTIALS_TOKEN : TENANT_CREDENTIALS_KEY, .text = text};
    return ERROR_NONE;
}

static enum error_code subject_of_token(const struct tenant_view *view, const struct tenant_subject_request *request,
                                        struct tenant_subject *subject, struct error *error)
{
    const struct tenant_snapshot *snapshot = tenant_view_snapshot(view);
    struct tenant_jwt_claims claims;
    enum error_code code =
        tenant_jwt_verify(request->jwt_key, request->credentials.text, request->now_ms, view->json, &claims, error);
    if (code) return code;
    const struct tenant_user *user = tenant_snapshot_user(snapshot, slice_from_string(claims.user_id));
    if (!user || !user->active) return error_set(error, ERROR_UNAUTHENTICATED, "the user of the token is not active");
    /* The organization that a token names is not believed either: the user's own is in the snapshot. */
    if (claims.issued_s < user->token_valid_from_ms / 1000)
        return error_set(error, ERROR_UNAUTHENTICATED, "the token is from before the last change of the password; log in again");
    if (map_get(&snapshot->ended_sessions, slice_from_string(claims.session_id)))
        return error_set(error, ERROR_UNAUTHENTICATED, "the session of the token has ended; log in again");
    *subject = (struct tenant_subject){.kind = TENANT_SUBJECT_USER, .user = user, .by_cookie = request->credentials.by_cookie};
    memcpy(subject->session_id, claims.session_id, sizeof subject->session_id);
    return ERROR_NONE;
}

enum tenant_key_outcome tenant_subject_find(const struct tenant_view *view, const struct tenant_subject_request *request,
                                            struct tenant_subject *ret_subject, struct tenant_rate *ret_rate,
                                            struct error *error)
{
    *ret_subject = (struct tenant_subject){.kind = TENANT_SUBJECT_NOBODY};
    *ret_rate = (struct tenant_rate){0};
    if (request->credentials.kind == TENANT_CREDENTIALS_NONE) return TENANT_KEY_ACCEPTED;
    if (request->credentials.kind == TENANT_CREDENTIALS_TOKEN)
        return subject_of_token(view, request, ret_subject, error) ? TENANT_KEY_REFUSED : TENANT_KEY_ACCEPTED;
    struct tenant_key_request key_request = {.key = request->credentials.text, .needed = TENANT_NO_PERMISSION,
                                             .origin = request->origin, .client_address = request->client_address,
                                             .now_ms = request->now_ms, .is_repeated = request->is_repeated};
    struct tenant_key_result result;
    enum tenant_key_outcome outcome = tenant_key_check(view, &key_request, &result, error);
    *ret_rate = result.rate;
    if (outcome == TENANT_KEY_ACCEPTED) *ret_subject = (struct tenant_subject){.kind = TENANT_SUBJECT_KEY, .key = result.key};
    return outcome;
}
