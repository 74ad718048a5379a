/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the owner where nobody is yet. */
#include "control/owner.h"

#include <openssl/crypto.h>

#include "control/identity.h"
#include "control/tenancy.h"

static enum error_code owner_count_users(struct meta_session *session, int64_t *ret_count, struct error *error)
{
    return identity_query_integer(session, "select count(*) from users", NULL, 0, ret_count, error);
}

static enum error_code owner_create(const struct control_call *call, const char *email, const char *phc, bool *ret_made,
                                    struct error *error)
{
    int64_t users = 0;
    char user_id[37];
    struct control_defaults defaults;
    struct meta_session *session;
    enum error_code code = identity_begin(call, &session, error);
    /* Takes a row that every change takes, so that of two servers one sees the other's owner. */
    if (code == ERROR_NONE) code = control_access_changed(session, error);
    if (code == ERROR_NONE) code = owner_count_users(session, &users, error);
    if (code == ERROR_NONE && users == 0) {
        code = control_defaults_ensure(call, session, &defaults, error);
        const struct control_new_user owner = {.email = email, .organization_id = defaults.organization_id, .password_hash = phc,
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
