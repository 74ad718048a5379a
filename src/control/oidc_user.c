/* SPDX-License-Identifier: Apache-2.0 */
/* From an identity that a provider vouches for to a user: found, linked or made, or refused. */
#include "control/identity.h"
#include "control/oidc_private.h"

struct oidc_link {
    char id[37], user_id[37];
};

static enum error_code oidc_link_row(void *context, const struct meta_row *row, struct error *error)
{
    struct oidc_link *link = context;
    enum error_code code = META_ROW_COPY(row, 0, link->id, error);
    return code != ERROR_NONE ? code : META_ROW_COPY(row, 1, link->user_id, error);
}

/* The user whom this provider has vouched for before; a deleted one counts no more. `ret_user->id` "" : nobody. */
static enum error_code oidc_find_linked(const struct control_call *call, struct meta_session *session,
                                        const struct oidc_provider *provider, const struct oidc_claims *claims,
                                        struct control_user *ret_user, struct error *error)
{
    struct oidc_link link = {0};
    *ret_user = (struct control_user){0};
    enum error_code code = meta_query(
        session,
        "select user_identity_id, user_id from user_identities where identity_provider_id = $1 and subject = $2",
        META_PARAMETERS(meta_string(provider->id), meta_text(claims->subject)), oidc_link_row, &link, error);
    if (code != ERROR_NONE || !link.id[0]) return code;
    code = control_user_find(call, session, link.user_id, ret_user, error);
    if (code != ERROR_NONE) return code;
    if (!ret_user->is_deleted)
        return meta_execute(session, "update user_identities set last_login_at = $1 where user_identity_id = $2",
                            META_PARAMETERS(meta_integer(call->now_ms), meta_string(link.id)), NULL, error);
    *ret_user = (struct control_user){0};
    return meta_execute(session, "delete from user_identities where user_identity_id = $1",
                        META_PARAMETERS(meta_string(link.id)), NULL, error);
}

static bool oidc_domain_is_listed(const struct oidc_provider *provider, const char *email)
{
    const char *at = strrchr(email, '@');
    struct slice domain = slice_from_string(at ? at + 1 : ""), rest = provider->allowed_domains;
    while (rest.size)
        if (slice_equal_ignore_case(slice_trim(slice_cut(&rest, '\n')), domain)) return true;
    return false;
}

static enum oidc_refusal oidc_judge_user(const struct oidc_provider *provider, const struct control_user *user)
{
    if (strcmp(user->organization_id, provider->organization_id) != 0) return OIDC_ACCOUNT_ELSEWHERE;
    /* Whoever may set up providers of one organization must not come to own the installation by it. */
    if (user->is_super) return OIDC_ACCOUNT_PROTECTED;
    if (user->is_locked || !user->is_active) return OIDC_ACCOUNT_LOCKED;
    return OIDC_ACCEPTED;
}

static enum error_code oidc_add_link(const struct control_call *call, struct meta_session *session,
                                     const struct oidc_provider *provider, const struct oidc_claims *claims,
                                     const char *user_id, struct error *error)
{
    char id[37];
    control_id_make(call->now_ms, id);
    enum error_code code = meta_execute(session,
                                        "insert into user_identities (user_identity_id, user_id, identity_provider_id, "
                                        "subject, created_at, last_login_at) "
                                        "values ($1, $2, $3, $4, $5, $5)",
                                        META_PARAMETERS(meta_string(id), meta_string(user_id),
                                                        meta_string(provider->id), meta_text(claims->subject),
                                                        meta_integer(call->now_ms)),
                                        NULL, error);
    return code != ERROR_NONE ? code
                              : identity_audit(call, session, "user.identity_linked", CONTROL_AUDIT_SUCCESS, user_id,
                                               provider->organization_id, provider->code, error);
}

/* An account whose address nobody has shown to own may have been made, with a password, by somebody who waits for its
 * owner to come: what was there before loses its password and sessions. */
static enum error_code oidc_take_over_unverified(const struct control_call *call, struct meta_session *session,
                                                 struct control_user *user, struct error *error)
{
    enum error_code code = meta_execute(
        session, "update users set email_verified = true, email_verified_at = $1, updated_at = $1 where user_id = $2",
        META_PARAMETERS(meta_integer(call->now_ms), meta_string(user->id)), NULL, error);
    if (code == ERROR_NONE) code = control_user_set_password(call, session, user, "", "", error);
    user->email_verified = true;
    user->password_hash[0] = 0;
    return code;
}

static enum error_code oidc_create_user(const struct control_call *call, struct meta_session *session,
                                        const struct oidc_provider *provider, const struct oidc_claims *claims,
                                        const char *email, struct control_user *ret_user,
                                        enum oidc_refusal *ret_refusal, struct error *error)
{
    if (!provider->auto_create_users || !oidc_domain_is_listed(provider, email)) {
        *ret_refusal = OIDC_NO_ACCOUNT;
        return ERROR_NONE;
    }
    char id[37];
    struct control_new_user fresh = {.email = email,
                                     .organization_id = provider->organization_id,
                                     .first_name = claims->first_name,
                                     .last_name = claims->last_name,
                                     .email_verified = true,
                                     .role = provider->default_role_id[0] ? provider->default_role_id : NULL};
    enum error_code code = control_user_create(call, session, &fresh, id, error);
    if (code == ERROR_NONE) code = control_user_find(call, session, id, ret_user, error);
    if (code == ERROR_NONE)
        *ret_refusal = oidc_judge_user(provider, ret_user); /* a role may have become a strong one meanwhile */
    if (code == ERROR_NONE && *ret_refusal == OIDC_ACCEPTED)
        code = oidc_add_link(call, session, provider, claims, id, error);
    return code;
}

enum error_code oidc_user_resolve(const struct control_call *call, struct meta_session *session,
                                  const struct oidc_provider *provider, const struct oidc_claims *claims,
                                  struct control_user *ret_user, enum oidc_refusal *ret_refusal, struct error *error)
{
    enum error_code code = oidc_find_linked(call, session, provider, claims, ret_user, error);
    if (code != ERROR_NONE) return code;
    if (ret_user->id[0]) {
        *ret_refusal = oidc_judge_user(provider, ret_user);
        return ERROR_NONE;
    }
    char email[CONTROL_EMAIL_LIMIT + 1];
    *ret_refusal = OIDC_EMAIL_UNVERIFIED;
    if (!claims->email_verified || control_email_read(claims->email, email, NULL) != ERROR_NONE) return ERROR_NONE;
    code = control_user_find_by_email(call, session, email, ret_user, error);
    if (code == ERROR_NOT_FOUND) {
        *ret_user = (struct control_user){0};
        *ret_refusal = OIDC_ACCEPTED;
        return oidc_create_user(call, session, provider, claims, email, ret_user, ret_refusal, error);
    }
    if (code != ERROR_NONE) return code;
    *ret_refusal = oidc_judge_user(provider, ret_user);
    if (*ret_refusal == OIDC_ACCEPTED && provider->allowed_domains.size && !oidc_domain_is_listed(provider, email))
        *ret_refusal = OIDC_NO_ACCOUNT;
    if (*ret_refusal != OIDC_ACCEPTED) return ERROR_NONE;
    if (!ret_user->email_verified) code = oidc_take_over_unverified(call, session, ret_user, error);
    return code != ERROR_NONE ? code : oidc_add_link(call, session, provider, claims, ret_user->id, error);
}
