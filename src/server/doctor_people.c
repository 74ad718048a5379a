/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of users, keys and what waits in the metadata. */
#include <stdio.h>

#include "server/doctor.h"
#include "tenant/secret.h"

#define DOCTOR_DAY_MS INT64_C(86400000)
#define DOCTOR_UNUSED_DAYS 90
#define DOCTOR_NAMES 3 /* of those found, named as examples */

struct doctor_names {
    int64_t count;
    char text[200];
};

static enum error_code doctor_take_name(void *context, const struct meta_row *row, struct error *error)
{
    struct doctor_names *names = context;
    size_t used = strlen(names->text);
    if (names->count++ < DOCTOR_NAMES)
        snprintf(names->text + used, sizeof names->text - used, "%s%.*s", used ? ", " : "",
                 SLICE_ARGS(slice_first(meta_row_text(row, 0), 60)));
    return ERROR_NONE;
}

/* Runs a query whose rows are what should not be; says how many and who. True when there are any. */
static bool doctor_any(const struct doctor *doctor, struct doctor_finding *finding, struct doctor_names *names,
                       const char *sql, const struct meta_value *parameters, size_t parameter_count)
{
    struct error error = {0};
    *names = (struct doctor_names){0};
    if (meta_query(doctor->session, sql, parameters, parameter_count, doctor_take_name, names, &error) != ERROR_NONE) {
        doctor_say(finding, DOCTOR_FAIL, "cannot be looked at: %s", error.message);
        return false;
    }
    if (names->count > DOCTOR_NAMES) {
        size_t used = strlen(names->text);
        snprintf(names->text + used, sizeof names->text - used, ", ..");
    }
    return names->count > 0;
}

#define SUPER_ADMINS                                                                                                   \
    "from users u join user_roles a on a.user_id = u.user_id join roles r on r.role_id = a.role_id "                   \
    "where r.role_type = 'super_admin' and a.tenant_id is null and u.deleted_at is null and u.is_active "              \
    "and (a.expires_at is null or a.expires_at > cast($1 as bigint)) "

static void check_owners(const struct doctor *doctor, struct doctor_finding *finding)
{
    struct doctor_names names;
    doctor_say(finding, DOCTOR_OK, "every super administrator shows a second factor");
    if (doctor_any(doctor, finding, &names,
                   "select distinct u.email " SUPER_ADMINS "and not exists (select 1 from mfa_secrets m where "
                                                           "m.user_id = u.user_id and m.is_enabled) order by u.email",
                   META_PARAMETERS(meta_integer(doctor->now_ms)))) {
        doctor_say(finding, DOCTOR_WARN, "%lld super administrators have no second factor: %s", (long long)names.count,
                   names.text);
        doctor_advise(finding, "each of them sets one up on the page, under his account");
    } else if (finding->level == DOCTOR_OK &&
               !doctor_any(doctor, finding, &names, "select distinct u.email " SUPER_ADMINS "order by u.email",
                           META_PARAMETERS(meta_integer(doctor->now_ms)))) {
        struct doctor_names users;
        if (doctor_any(doctor, finding, &users, "select email from users where deleted_at is null limit 1", NULL, 0)) {
            doctor_say(finding, DOCTOR_FAIL, "there is no super administrator");
            doctor_advise(finding, "`millrace role assign super_admin ADDRESS` makes somebody one");
        } else if (finding->level == DOCTOR_OK) {
            doctor_say(finding, DOCTOR_WARN, "there are no users yet");
            doctor_advise(finding, "start the server once: it makes the owner, and shows his password");
        }
    }
}

static void check_owner_count(const struct doctor *doctor, struct doctor_finding *finding)
{
    struct doctor_names names;
    doctor_say(finding, DOCTOR_OK, "few people are super administrators");
    if (doctor_any(doctor, finding, &names, "select distinct u.email " SUPER_ADMINS "order by u.email",
                   META_PARAMETERS(meta_integer(doctor->now_ms))) &&
        names.count > 5) {
        doctor_say(finding, DOCTOR_WARN, "%lld people are super administrators: %s", (long long)names.count,
                   names.text);
        doctor_advise(finding, "give most of them the role admin in their organization");
    }
}

static void check_locked_users(const struct doctor *doctor, struct doctor_finding *finding)
{
    struct doctor_names names;
    doctor_say(finding, DOCTOR_OK, "nobody is locked");
    if (doctor_any(doctor, finding, &names,
                   "select email from users where deleted_at is null and (is_locked or locked_until > cast($1 as "
                   "bigint)) order by email",
                   META_PARAMETERS(meta_integer(doctor->now_ms)))) {
        doctor_say(finding, DOCTOR_WARN, "%lld users are locked: %s", (long long)names.count, names.text);
        doctor_advise(finding, "look into the audit events of their logins before unlocking them");
    }
}

/* "$argon2id$v=19$m=..,t=..,p=..$": what a password hashed now begins with. */
static bool doctor_current_cost(char out[TENANT_PHC_LIMIT])
{
    if (tenant_argon2_hash(TENANT_ARGON2_PASSWORD, SLICE("-"), out, NULL) != ERROR_NONE) return false;
    char *end = out;
    for (int dollars = 0; *end; end++)
        if (*end == '$' && ++dollars == 4) {
            end[1] = 0;
            return true;
        }
    return false;
}

static void check_password_cost(const struct doctor *doctor, struct doctor_finding *finding)
{
    struct doctor_names names;
    char current[TENANT_PHC_LIMIT];
    if (!doctor_current_cost(current)) {
        doctor_say(finding, DOCTOR_FAIL, "cannot be looked at: no password can be hashed on this machine");
        doctor_advise(finding, "give the server 64 MiB more memory");
        return;
    }
    doctor_say(finding, DOCTOR_OK, "every password is kept at today's cost");
    if (doctor_any(doctor, finding, &names,
                   "select email from users where deleted_at is null and password_hash <> '' and substr(password_hash, "
                   "1, length(cast($1 as text))) <> cast($1 as text) order by email",
                   META_PARAMETERS(meta_string(current)))) {
        doctor_say(finding, DOCTOR_WARN, "%lld passwords are kept at an older cost of Argon2: %s",
                   (long long)names.count, names.text);
        doctor_advise(finding, "each is made anew at the next login; lock those who never come");
    }
}

static void check_unverified_users(const struct doctor *doctor, struct doctor_finding *finding)
{
    struct doctor_names names;
    doctor_say(finding, DOCTOR_OK, "every user who has a password owns his address");
    if (doctor_any(doctor, finding, &names,
                   "select email from users where deleted_at is null and password_hash <> '' and not email_verified "
                   "and created_at < $1 order by email",
                   META_PARAMETERS(meta_integer(doctor->now_ms - 30 * DOCTOR_DAY_MS)))) {
        doctor_say(finding, DOCTOR_WARN, "%lld users have not verified their address for 30 days: %s",
                   (long long)names.count, names.text);
        doctor_advise(finding, "send the verification again, or delete them");
    }
}

#define LIVING_KEYS                                                                                                    \
    "select prefix from api_keys where status = 'active' and (expires_at is null or expires_at > cast($1 as bigint)) "

static void check_keys_without_end(const struct doctor *doctor, struct doctor_finding *finding)
{
    struct doctor_names names;
    doctor_say(finding, DOCTOR_OK, "every secret key expires");
    if (doctor_any(doctor, finding, &names, LIVING_KEYS "and kind = 'secret' and expires_at is null order by prefix",
                   META_PARAMETERS(meta_integer(doctor->now_ms)))) {
        doctor_say(finding, DOCTOR_WARN, "%lld secret keys never expire: %s", (long long)names.count, names.text);
        doctor_advise(finding, "rotate them, and give the new ones an end");
    }
}

static void check_open_keys(const struct doctor *doctor, struct doctor_finding *finding)
{
    struct doctor_names names;
    doctor_say(finding, DOCTOR_OK, "every write key names the pages or addresses it is for");
    if (doctor_any(doctor, finding, &names,
                   LIVING_KEYS "and kind = 'write' and allowed_origins = '' and allowed_addresses = '' order by prefix",
                   META_PARAMETERS(meta_integer(doctor->now_ms)))) {
        doctor_say(finding, DOCTOR_WARN, "%lld write keys may be used from every page: %s", (long long)names.count,
                   names.text);
        doctor_advise(finding, "set allowed_origins: whoever copies the key from a page can send events with it");
    }
}

static void check_unused_keys(const struct doctor *doctor, struct doctor_finding *finding)
{
    struct doctor_names names;
    doctor_say(finding, DOCTOR_OK, "every key is in use");
    if (doctor_any(doctor, finding, &names,
                   LIVING_KEYS "and created_at < $2 and (last_used_at is null or last_used_at < $2) order by prefix",
                   META_PARAMETERS(meta_integer(doctor->now_ms),
                                   meta_integer(doctor->now_ms - DOCTOR_UNUSED_DAYS * DOCTOR_DAY_MS)))) {
        doctor_say(finding, DOCTOR_WARN, "%lld keys have not been used for %d days: %s", (long long)names.count,
                   DOCTOR_UNUSED_DAYS, names.text);
        doctor_advise(finding, "revoke what nobody uses");
    }
}

static void check_identity_providers(const struct doctor *doctor, struct doctor_finding *finding)
{
    struct doctor_names names;
    doctor_say(finding, DOCTOR_OK, "single sign-on asks its providers by https, and as a client with a secret");
    if (doctor_any(doctor, finding, &names,
                   "select code from identity_providers where deleted_at is null and is_active and substr(issuer, 1, "
                   "8) <> 'https://' order by code",
                   NULL, 0)) {
        doctor_say(finding, DOCTOR_FAIL, "%lld single sign-on providers are not https: %s", (long long)names.count,
                   names.text);
        doctor_advise(finding, "switch them off, and make them anew with an https issuer");
    } else if (doctor_any(doctor, finding, &names,
                          "select code from identity_providers where deleted_at is null and is_active and "
                          "client_secret_encrypted = '' order by code",
                          NULL, 0)) {
        doctor_say(finding, DOCTOR_WARN, "%lld single sign-on providers have no client secret: %s",
                   (long long)names.count, names.text);
        doctor_advise(finding, "set client_secret, unless the provider knows this installation as a public client");
    }
}

static void check_waiting_mail(const struct doctor *doctor, struct doctor_finding *finding)
{
    struct doctor_names names;
    doctor_say(finding, DOCTOR_OK, "no mail waits for long");
    if (doctor_any(doctor, finding, &names,
                   "select case when last_error = '' then 'not tried yet' else last_error end from mail_outbox where "
                   "created_at < $1 order by created_at",
                   META_PARAMETERS(meta_integer(doctor->now_ms - DOCTOR_DAY_MS / 24)))) {
        doctor_say(finding, DOCTOR_WARN, "%lld mails wait for more than an hour: %s", (long long)names.count,
                   names.text);
        doctor_advise(finding, "check the mail server and the settings mail.*; mails are sent while a server runs");
    }
}

static void check_waiting_audit(const struct doctor *doctor, struct doctor_finding *finding)
{
    struct doctor_names names;
    doctor_say(finding, DOCTOR_OK, "no audit event waits for long");
    if (doctor_any(doctor, finding, &names,
                   "select event_id from audit_outbox where created_at < $1 order by sequence limit 100000",
                   META_PARAMETERS(meta_integer(doctor->now_ms - DOCTOR_DAY_MS / 24)))) {
        doctor_say(finding, DOCTOR_WARN,
                   "%lld audit events have waited for more than an hour for their way to the event store",
                   (long long)names.count);
        doctor_advise(finding, "they move while a server runs; see its log if one does");
    }
}

const struct doctor_check doctor_people_checks[] = {
    {"second factor", check_owners},
    {"super administrators", check_owner_count},
    {"locked users", check_locked_users},
    {"password cost", check_password_cost},
    {"unverified users", check_unverified_users},
    {"keys without end", check_keys_without_end},
    {"open write keys", check_open_keys},
    {"unused keys", check_unused_keys},
    {"single sign-on", check_identity_providers},
    {"waiting mail", check_waiting_mail},
    {"waiting audit", check_waiting_audit},
    {0},
};
