/* SPDX-License-Identifier: Apache-2.0 */
/* Second factors: secrets are sealed, backup codes hashed with a key, steps remembered. */
#include "control/mfa.h"

#include <openssl/crypto.h>

#include "base/uuid.h"
#include "control/identity.h"
#include "control/password.h"
#include "control/session.h"
#include "control/totp.h"

#define MFA_PURPOSE "totp"
#define MFA_CODE_PURPOSE "backup-code"
#define MFA_ISSUER "Millrace"
#define BACKUP_CODE_DIGITS 10

struct mfa_row {
    struct arena *arena;
    struct slice sealed;
    int64_t last_step, failed_attempts, locked_until_ms, updated_ms;
    bool is_enabled, found;
};

static enum error_code mfa_take(void *context, const struct meta_row *row, struct error *error)
{
    struct mfa_row *mfa = context;
    mfa->sealed = arena_copy(mfa->arena, meta_row_text(row, 0));
    mfa->last_step = meta_row_integer(row, 1);
    mfa->failed_attempts = meta_row_integer(row, 2);
    mfa->locked_until_ms = meta_row_integer(row, 3);
    mfa->is_enabled = meta_row_boolean(row, 4);
    mfa->updated_ms = meta_row_integer(row, 5);
    mfa->found = true;
    return ERROR_NONE;
}

/* Reads the row and holds it until the transaction ends: codes of one user are judged one after the other. */
static enum error_code mfa_hold(const struct control_call *call, struct meta_session *session, const char *user_id,
                                struct mfa_row *mfa, struct error *error)
{
    *mfa = (struct mfa_row){.arena = call->arena};
    return meta_query(session,
                      "update mfa_secrets set updated_at = updated_at where user_id = $1 returning secret_encrypted,"
                      " last_step, failed_attempts, coalesce(locked_until, 0), case when is_enabled then 1 else 0 end,"
                      " updated_at",
                      META_PARAMETERS(meta_string(user_id)), mfa_take, mfa, error);
}

/* Backup codes have few bits, so a hash alone could be searched: a key of the installation is hashed with them. */
static void mfa_hash_backup_code(const struct control_call *call, const char *user_id, const char *digits, char hash[65])
{
    struct { unsigned char key[TENANT_SECRET_SIZE]; char user_id[36], digits[BACKUP_CODE_DIGITS]; } text;
    tenant_secret_derive(call->control->secret, MFA_CODE_PURPOSE, text.key);
    memcpy(text.user_id, user_id, sizeof text.user_id);
    memcpy(text.digits, digits, sizeof text.digits);
    tenant_token_hash(slice_make(&text, sizeof text), hash);
    OPENSSL_cleanse(&text, sizeof text);
}

/* Capitals without '-' and spaces; false when it is no backup code. */
static bool mfa_read_backup_code(struct slice text, char digits[BACKUP_CODE_DIGITS])
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c == '-' || c == ' ') continue;
        if (count == BACKUP_CODE_DIGITS) return false;
        digits[count++] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    return count == BACKUP_CODE_DIGITS;
}

static enum error_code mfa_check_totp(const struct control_call *call, struct meta_session *session,
                                      const struct control_user *user, const struct mfa_row *mfa, struct slice text,
                                      bool *ret_right, struct error *error)
{
    struct buffer secret = {0};
    int64_t step = 0;
    enum error_code code = tenant_secret_open(call->control->secret, MFA_PURPOSE, mfa->sealed, &secret, error);
    if (code == ERROR_NONE)
        *ret_right = control_totp_check(buffer_slice(&secret), text, call->now_ms, mfa->last_step, &step);
    if (secret.data) OPENSSL_cleanse(secret.data, secret.size);
    buffer_free(&secret);
    if (code == ERROR_NONE && *ret_right)
        code = meta_execute(session, "update mfa_secrets set last_step = $1 where user_id = $2",
                            META_PARAMETERS(meta_integer(step), meta_string(user->id)), NULL, error);
    return code;
}

static enum error_code mfa_check_backup(const struct control_call *call, struct meta_session *session,
                                        const struct control_user *user, const char *digits, bool *ret_right,
                                        struct error *error)
{
    char hash[65];
    int64_t used = 0;
    mfa_hash_backup_code(call, user->id, digits, hash);
    enum error_code code = meta_execute(
        session, "update mfa_backup_codes set used_at = $1 where user_id = $2 and code_hash = $3 and used_at is null",
        META_PARAMETERS(meta_integer(call->now_ms), meta_string(user->id), meta_string(hash)), &used, error);
    *ret_right = used == 1;
    if (code == ERROR_NONE && used)
        code = identity_audit(call, session, "mfa.backup_code_used", CONTROL_AUDIT_SUCCESS, user->id,
                              user->organization_id, NULL, error);
    return code;
}

enum error_code control_mfa_check(const struct control_call *call, struct meta_session *session,
                                  const struct control_user *user, struct slice code_text, bool of_setup,
                                  enum control_mfa_answer *ret_answer, int64_t *ret_locked_until_ms, struct error *error)
{
    struct mfa_row mfa;
    char digits[BACKUP_CODE_DIGITS];
    bool right = false;
    enum error_code code = mfa_hold(call, session, user->id, &mfa, error);
    if (code != ERROR_NONE) return code;
    if (!mfa.found || mfa.is_enabled == of_setup)
        return error_set(error, ERROR_CONFLICT, of_setup ? "no second factor is being set up" : "no second factor is in use");
    if (of_setup && call->now_ms - mfa.updated_ms > CONTROL_MFA_SETUP_MS)
        return error_set(error, ERROR_CONFLICT, "setting up the second factor took too long: begin again");
    *ret_locked_until_ms = mfa.locked_until_ms;
    *ret_answer = CONTROL_MFA_LOCKED;
    if (mfa.locked_until_ms > call->now_ms) return ERROR_NONE;

    struct slice text = slice_trim(code_text);
    if (text.size == CONTROL_TOTP_DIGITS)
        code = mfa_check_totp(call, session, user, &mfa, text, &right, error);
    else if (!of_setup && mfa_read_backup_code(text, digits))
        code = mfa_check_backup(call, session, user, digits, &right, error);
    if (code != ERROR_NONE) return code;
    bool locks = !right && mfa.failed_attempts + 1 >= IDENTITY_FAILURES;
    int64_t failed = right || locks ? 0 : mfa.failed_attempts + 1;
    code = meta_execute(session, "update mfa_secrets set failed_attempts = $1, locked_until = $2 where user_id = $3",
                        META_PARAMETERS(meta_integer(failed), meta_time_or_null(locks ? call->now_ms + IDENTITY_LOCK_MS : 0),
                                        meta_string(user->id)),
                        NULL, error);
    *ret_answer = right ? CONTROL_MFA_RIGHT : CONTROL_MFA_WRONG;
    if (code == ERROR_NONE && locks)
        code = identity_audit(call, session, "mfa.locked", CONTROL_AUDIT_FAILURE, user->id, user->organization_id,
                              "5 wrong codes", error);
    return code;
}

enum error_code control_mfa_setup(const struct control_call *call, const struct control_user *user, struct buffer *secret,
                                  struct buffer *url, struct error *error)
{
    unsigned char bytes[CONTROL_TOTP_SECRET_SIZE];
    char id[37];
    int64_t changed = 0;
    struct buffer sealed = {0};
    struct meta_session *session;
    uuid_random_bytes(bytes, sizeof bytes);
    struct slice raw = slice_make(bytes, sizeof bytes);
    tenant_secret_seal(call->control->secret, MFA_PURPOSE, raw, &sealed);
    control_base32_append(raw, secret);
    control_totp_url_append(SLICE(MFA_ISSUER), slice_from_string(user->email), raw, url);
    OPENSSL_cleanse(bytes, sizeof bytes);
    if (sealed.failed || secret->failed || url->failed) {
        buffer_free(&sealed);
        return error_set(error, ERROR_MEMORY, "no memory to set up a second factor");
    }
    control_id_make(call->now_ms, id);
    enum error_code code = identity_begin(call, &session, error);
    /* Failures and a lock stay: setting up again is no way around them. */
    if (code == ERROR_NONE)
        code = meta_execute(
            session,
            "insert into mfa_secrets (mfa_id, user_id, secret_encrypted, created_at, updated_at) values ($1, $2, $3, $4, $4)"
            " on conflict (user_id) do update set secret_encrypted = excluded.secret_encrypted, last_step = 0,"
            " updated_at = excluded.updated_at where mfa_secrets.is_enabled = false",
            META_PARAMETERS(meta_string(id), meta_string(user->id), meta_text(buffer_slice(&sealed)),
                            meta_integer(call->now_ms)),
            &changed, error);
    buffer_free(&sealed);
    if (code == ERROR_NONE && !changed)
        code = error_set(error, ERROR_CONFLICT, "a second factor is in use already: disable it first");
    if (code == ERROR_NONE)
        code = identity_audit(call, session, "mfa.setup", CONTROL_AUDIT_SUCCESS, user->id, user->organization_id, NULL, error);
    return identity_end(session, code, error);
}

enum error_code control_mfa_enable(const struct control_call *call, struct meta_session *session,
                                   const struct control_user *user, struct error *error)
{
    enum error_code code =
        meta_execute(session, "update mfa_secrets set is_enabled = true, enabled_at = $1, updated_at = $1 where user_id = $2",
                     META_PARAMETERS(meta_integer(call->now_ms), meta_string(user->id)), NULL, error);
    if (code == ERROR_NONE)
        code = identity_audit(call, session, "mfa.enabled", CONTROL_AUDIT_SUCCESS, user->id, user->organization_id, NULL, error);
    return code;
}

enum error_code control_mfa_disable(const struct control_call *call, struct meta_session *session,
                                    const struct control_user *user, struct error *error)
{
    static const char *const statements[] = {"delete from mfa_secrets where user_id = $1",
                                             "delete from mfa_backup_codes where user_id = $1",
                                             "delete from trusted_devices where user_id = $1"};
    enum error_code code = ERROR_NONE;
    for (size_t i = 0; i < sizeof statements / sizeof *statements && code == ERROR_NONE; i++)
        code = meta_execute(session, statements[i], META_PARAMETERS(meta_string(user->id)), NULL, error);
    if (code == ERROR_NONE)
        code = identity_audit(call, session, "mfa.disabled", CONTROL_AUDIT_SUCCESS, user->id, user->organization_id, NULL, error);
    return code;
}

enum error_code control_mfa_make_backup_codes(const struct control_call *call, struct meta_session *session,
                                              const struct control_user *user,
                                              char codes[CONTROL_BACKUP_CODES][CONTROL_BACKUP_CODE_SIZE + 1],
                                              struct error *error)
{
    enum error_code code = meta_execute(session, "delete from mfa_backup_codes where user_id = $1",
                                        META_PARAMETERS(meta_string(user->id)), NULL, error);
    for (size_t i = 0; i < CONTROL_BACKUP_CODES && code == ERROR_NONE; i++) {
        char digits[BACKUP_CODE_DIGITS], hash[65], id[37];
        control_random_text(digits, sizeof digits);
        snprintf(codes[i], CONTROL_BACKUP_CODE_SIZE + 1, "%.5s-%.5s", digits, digits + 5);
        mfa_hash_backup_code(call, user->id, digits, hash);
        control_id_make(call->now_ms, id);
        code = meta_execute(session,
                            "insert into mfa_backup_codes (code_id, user_id, code_hash, created_at) values ($1, $2, $3, $4)",
                            META_PARAMETERS(meta_string(id), meta_string(user->id), meta_string(hash),
                                            meta_integer(call->now_ms)),
                            NULL, error);
    }
    if (code == ERROR_NONE)
        code = identity_audit(call, session, "mfa.backup_codes_made", CONTROL_AUDIT_SUCCESS, user->id,
                              user->organization_id, NULL, error);
    return code;
}

enum error_code control_device_trust(const struct control_call *call, struct meta_session *session, const char *user_id,
                                     char token[TENANT_TOKEN_SIZE + 1], int64_t *ret_expires_ms, struct error *error)
{
    char id[37], hash[65], name[257];
    control_id_make(call->now_ms, id);
    tenant_token_make(token);
    tenant_token_hash(slice_from_string(token), hash);
    size_t size = 0;
    for (size_t i = 0; i < call->actor.user_agent.size && size + 1 < sizeof name; i++) {
        unsigned char c = (unsigned char)call->actor.user_agent.data[i];
        name[size++] = c >= 0x20 && c < 0x7F ? (char)c : '?';
    }
    *ret_expires_ms = call->now_ms + CONTROL_DEVICE_MS;
    enum error_code code = meta_execute(
        session,
        "delete from trusted_devices where device_id in (select device_id from trusted_devices where user_id = $1"
        " order by last_used_at desc, device_id limit 1000 offset $2)",
        META_PARAMETERS(meta_string(user_id), meta_integer(CONTROL_DEVICE_LIMIT - 1)), NULL, error);
    if (code == ERROR_NONE)
        code = meta_execute(
            session,
            "insert into trusted_devices (device_id, user_id, device_fingerprint, device_name, expires_at, last_used_at,"
            " created_at) values ($1, $2, $3, $4, $5, $6, $6)",
            META_PARAMETERS(meta_string(id), meta_string(user_id), meta_string(hash), meta_text(slice_make(name, size)),
                            meta_integer(*ret_expires_ms), meta_integer(call->now_ms)),
            NULL, error);
    if (code == ERROR_NONE)
        code = identity_audit(call, session, "device.trusted", CONTROL_AUDIT_SUCCESS, user_id, NULL, NULL, error);
    return code;
}

enum error_code control_device_is_trusted(const struct control_call *call, struct meta_session *session,
                                          const char *user_id, struct slice token, bool *ret_trusted, struct error *error)
{
    char hash[65];
    int64_t found = 0;
    *ret_trusted = false;
    if (token.size != TENANT_TOKEN_SIZE) return ERROR_NONE;
    tenant_token_hash(token, hash);
    enum error_code code = meta_execute(
        session,
        "update trusted_devices set last_used_at = $1 where device_fingerprint = $2 and user_id = $3 and expires_at > $1",
        META_PARAMETERS(meta_integer(call->now_ms), meta_string(hash), meta_string(user_id)), &found, error);
    *ret_trusted = found == 1;
    return code;
}
