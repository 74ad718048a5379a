/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the owner where nobody is yet. */
#include "control/owner.h"

#include <openssl/crypto.h>

#include "control/identity.h"

#define OWNER_ORGANIZATION "default"

static enum error_code owner_count_users(struct meta_session *session, int64_t *ret_count, struct error *error)
{
    return identity_query_integer(session, "select count(*) from users", NULL, 0, ret_count, error);
}

static enum error_code owner_take_id(void *context, const struct meta_row *row, struct error *error)
{
    return meta_row_copy_text(row, 0, context, 37, error);
}

static enum error_code owner_ensure_organization(const struct control_call *call, struct meta_session *session, char id[37],
                                                 struct error *error)
{
    static const char *const statements[] = {
        "insert into regions (region_id, name, code, created_at, updated_at)"
        " values ($1, $2, $3, $4, $4) on conflict (code) do nothing",
        "insert into organizations (organization_id, region_id, name, code, created_at, updated_at)"
        " select $1, region_id, $2, $3, cast($4 as bigint), cast($4 as bigint) from regions where code = $3"
        " on conflict (code) do nothing"};
    enum error_code code = ERROR_NONE;
    for (size_t i = 0; i < sizeof statements / sizeof *statements && code == ERROR_NONE; i++) {
        char made[37];
        control_id_make(call->now_ms, made);
        code = meta_execute(session, statements[i],
                            META_PARAMETERS(meta_string(made), meta_string("Default"), meta_string(OWNER_ORGANIZATION),
                                            meta_integer(call->now_ms)),
                            NULL, error);
    }
    id[0] = 0;
    if (code == ERROR_NONE)
        code = meta_query(session, "select organization_id from organizations where code = $1",
                          META_PARAMETERS(meta_string(OWNER_ORGANIZATION)), owner_take_id, id, error);
    return code;
}

static enum error_code owner_create(const struct control_call *call, const char *email, const char *phc, bool *ret_made,
                                    struct error *error)
{
    int64_t users = 0;
    char organization_id[37], user_id[37];
    struct meta_session *session;
    enum error_code code = identity_begin(call, &session, error);
    /* Takes a row that every change takes, so that of two servers one sees the other's owner. */
    if (code == ERROR_NONE) code = control_access_changed(session, error);
    if (code == ERROR_NONE) code = owner_count_users(session, &users, error);
    if (code == ERROR_NONE && users == 0) {
        code = owner_ensure_organization(call, session, organization_id, error);
        const struct control_new_user owner = {.email = email, .organization_id = organization_id, .password_hash = phc,
                                               .first_name = SLICE("Owner"), .last_name = SLICE(""), .email_verified = true,
                                               .role = "super_admin"};
        if (code == ERROR_NONE) code = control_user_create(call, session, &owner, user_id, error);
    }
    code = identity_end(session, code, error);
    *ret_made = code == ERROR_NONE && users == 0;
    return code;
}

enum error_code control_owner_ensure(const struct control_call *call, const char *email, const char *password,
                                     struct control_owner *ret_owner, struct error *error)
{
    int64_t users = 0;
    struct meta_session *session;
    struct control_user user = {0};
    char phc[TENANT_PHC_LIMIT];
    *ret_owner = (struct control_owner){0};
    enum error_code code = meta_session_begin(call->control->core, 0, &session, error);
    if (code != ERROR_NONE) return code;
    code = owner_count_users(session, &users, error);
    meta_session_end(session);
    if (code != ERROR_NONE || users) return code;

    if (!email || !email[0]) email = CONTROL_OWNER_EMAIL;
    code = control_email_read(slice_from_string(email), user.email, error);
    if (code != ERROR_NONE) return code;
    char made[CONTROL_PASSWORD_MADE_SIZE + 1] = "";
    if (!password || !password[0]) {
        control_password_make(made);
        password = made;
    }
    code = control_user_hash_password(slice_from_string(password), &user, "MILLRACE_OWNER_PASSWORD", phc, error);
    if (code == ERROR_NONE) code = owner_create(call, user.email, phc, &ret_owner->made, error);
    if (code == ERROR_NONE && ret_owner->made) {
        memcpy(ret_owner->email, user.email, sizeof user.email);
        memcpy(ret_owner->password, made, sizeof made);
    }
    OPENSSL_cleanse(made, sizeof made);
    return code;
}
