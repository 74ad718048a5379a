/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the doctor: what is weak is found, and what is fine is left alone. */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/control.h"
#include "listen/tls_fixture.h"
#include "meta/test_backend.h"
#include "os/file.h"
#include "server/doctor.h"

#define NOW 1789000000000LL
#define DAY 86400000LL
#define ORGANIZATION "0190a000-0000-7000-8000-000000000001"
#define TENANT "0190a000-0000-7000-8000-000000000002"

struct fixture {
    char folder[64];
    char location[128];
    struct settings settings;
    struct control control;
    struct doctor_report report;
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

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct error error = {0};
    snprintf(f->folder, sizeof f->folder, "/tmp/millrace-doctor-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    if (settings_load(&f->settings, &error) != ERROR_NONE) fail_msg("%s", error.message);
    f->settings.data = f->folder;
    f->settings.public_url = "https://analytics.example";
    f->settings.mail_url = "smtps://mail.example";
    f->settings.mail_from = "millrace@shop.example";
    *state = f;
    return 0;
}

/* The metadata of an installation where everything is as it should be. */
static void open_metadata(struct fixture *f)
{
    struct error error = {0};
    snprintf(f->location, sizeof f->location, "sqlite:%s/metadata", f->folder);
    if (control_open(f->location, &f->control, &error) != ERROR_NONE) fail_msg("%s", error.message);
    run_sql(f,
            "insert into regions (region_id, name, code, created_at, updated_at) values "
            "('0190a000-0000-7000-8000-000000000003', 'r', 'r1', 1, 1)",
            NULL, 0);
    run_sql(f,
            "insert into organizations (organization_id, region_id, name, code, created_at, updated_at) values "
            "('" ORGANIZATION "', '0190a000-0000-7000-8000-000000000003', 'o', 'o1', 1, 1)",
            NULL, 0);
    run_sql(f,
            "insert into workspaces (workspace_id, organization_id, name, code, created_at, updated_at) values "
            "('0190a000-0000-7000-8000-000000000004', '" ORGANIZATION "', 'w', 'w1', 1, 1)",
            NULL, 0);
    run_sql(f,
            "insert into tenants (tenant_id, workspace_id, name, code, created_at, updated_at) values ('" TENANT
            "', '0190a000-0000-7000-8000-000000000004', 't', 't1', 1, 1)",
            NULL, 0);
    run_sql(f,
            "insert into users (user_id, organization_id, email, email_verified, created_at, updated_at) values "
            "('0190a000-0000-7000-8000-0000000000a1', '" ORGANIZATION "', 'owner@shop.example', true, 1, 1)",
            NULL, 0);
    run_sql(f,
            "insert into user_roles (user_role_id, user_id, role_id, assigned_at) select "
            "'0190a000-0000-7000-8000-0000000000f1', '0190a000-0000-7000-8000-0000000000a1', role_id, 1 from roles "
            "where role_type = 'super_admin'",
            NULL, 0);
    run_sql(f,
            "insert into mfa_secrets (mfa_id, user_id, secret_encrypted, is_enabled, created_at, updated_at) values "
            "('m', '0190a000-0000-7000-8000-0000000000a1', 'x', true, 1, 1)",
            NULL, 0);
}

static int remove_path(const char *path, const struct stat *status, int type, struct FTW *walk) { return remove(path); }

static int teardown(void **state)
{
    struct fixture *f = *state;
    control_close(&f->control);
    nftw(f->folder, remove_path, 8, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

static const struct doctor_finding *find(struct fixture *f, const char *check)
{
    doctor_run(&f->settings, NOW, &f->report);
    for (size_t i = 0; i < f->report.count; i++)
        if (strcmp(f->report.findings[i].check, check) == 0) return &f->report.findings[i];
    fail_msg("there is no check %s", check);
    return NULL;
}

static void assert_level(struct fixture *f, const char *check, enum doctor_level level, const char *text)
{
    const struct doctor_finding *finding = find(f, check);
    if (finding->level != level || !strstr(finding->message, text))
        fail_msg("%s: %s %s", check, doctor_level_name(finding->level), finding->message);
    assert_int_equal(finding->advice[0] != 0, level != DOCTOR_OK); /* whoever complains says what to do */
}

static void finds_nothing_wrong_with_a_good_installation(void **state)
{
    struct fixture *f = *state;
    open_metadata(f);
    doctor_run(&f->settings, NOW, &f->report);
    assert_true(f->report.count > 20);
    for (size_t i = 0; i < f->report.count; i++) {
        const struct doctor_finding *finding = &f->report.findings[i];
        bool is_machine = strcmp(finding->check, "disk space") == 0 || strcmp(finding->check, "system user") == 0;
        if (!is_machine && finding->level != DOCTOR_OK) fail_msg("%s: %s", finding->check, finding->message);
    }
}

static void works_before_the_first_start(void **state)
{
    struct fixture *f = *state;
    assert_level(f, "metadata", DOCTOR_WARN, "no server has run here");
    char path[128];
    snprintf(path, sizeof path, "%s/metadata", f->folder);
    assert_false(os_file_exists(path)); /* and leaves nothing behind */
    f->settings.data = "/nonexistent/millrace";
    assert_level(f, "data folder", DOCTOR_FAIL, "/nonexistent/millrace");
}

static void finds_files_that_others_can_read(void **state)
{
    struct fixture *f = *state;
    char secret[128], password[128];
    snprintf(secret, sizeof secret, "%s/secret", f->folder);
    snprintf(password, sizeof password, "%s/password", f->folder);
    assert_int_equal(os_file_replace(secret, SLICE("12345678901234567890123456789012"), NULL), ERROR_NONE);
    assert_int_equal(os_file_replace(password, SLICE("geheim\n"), NULL), ERROR_NONE);
    chmod(secret, 0600);
    assert_level(f, "secret", DOCTOR_OK, "");
    chmod(secret, 0640);
    assert_level(f, "secret", DOCTOR_FAIL, "mode 640");
    chmod(f->folder, 0711);
    assert_level(f, "data folder", DOCTOR_FAIL, "mode 711");
    chmod(f->folder, 0700);
    assert_level(f, "data folder", DOCTOR_OK, "");
    f->settings.mail_password_file = password;
    f->settings.mail_user = "m";
    chmod(password, 0604);
    assert_level(f, "passwords", DOCTOR_FAIL, "mode 604");
    chmod(password, 0600);
    assert_level(f, "passwords", DOCTOR_OK, "");
    f->settings.mail_password_file = "";
    f->settings.mail_password = "geheim";
    assert_level(f, "passwords", DOCTOR_WARN, "mail.password");
    assert_null(strstr(find(f, "passwords")->message, "geheim"));
}

static void finds_settings_that_send_secrets_in_the_open(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *check, *listen, *public_url, *store_url, *meta_url;
        enum doctor_level level;
        const char *text;
    } CASES[] = {
        {"listen", "127.0.0.1:8080", "", "", "", DOCTOR_OK, "only this machine"},
        {"listen", "[::1]:8080", "", "", "", DOCTOR_OK, "only this machine"},
        {"listen", "0.0.0.0:8080", "https://a.example", "", "", DOCTOR_OK, "TLS"},
        {"listen", "0.0.0.0:8080", "", "", "", DOCTOR_FAIL, "in the open"},
        {"listen", "[::]:8080", "http://a.example", "", "", DOCTOR_FAIL, "in the open"},
        {"listen", "nonsense", "", "", "", DOCTOR_FAIL, ""},
        {"public url", "127.0.0.1:1", "", "", "", DOCTOR_WARN, "empty"},
        {"public url", "127.0.0.1:1", "http://a.example", "", "", DOCTOR_FAIL, "not https"},
        {"public url", "127.0.0.1:1", "http://localhost:8080", "", "", DOCTOR_OK, "on this machine"},
        {"store.url", "127.0.0.1:1", "", "https://a.example:8443,https://b.example:8443", "", DOCTOR_OK, "encrypted"},
        {"store.url", "127.0.0.1:1", "", "https://a.example:8443,http://b.example:8123", "", DOCTOR_FAIL, "password"},
        {"store.url", "127.0.0.1:1", "", "http://127.0.0.1:8123", "", DOCTOR_OK, ""},
        {"store.url", "127.0.0.1:1", "", "https://u:p@a.example", "", DOCTOR_FAIL, "holds a user"},
        {"meta.url", "127.0.0.1:1", "", "", "postgres://u@127.0.0.1:1/d", DOCTOR_OK, ""},
        {"meta.url", "127.0.0.1:1", "", "", "postgres://u:geheim@127.0.0.1:1/d", DOCTOR_WARN, "holds the password"},
        {"meta.url", "127.0.0.1:1", "", "", "postgres://u@127.0.0.1:1/d?password=geheim", DOCTOR_WARN,
         "holds the password"},
        {"meta.url", "127.0.0.1:1", "", "", "postgres://u@[::1]:1/d", DOCTOR_OK, ""},
    };
    f->settings.store_password_file = "";
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        f->settings.listen = CASES[i].listen;
        f->settings.public_url = CASES[i].public_url;
        f->settings.store_url = CASES[i].store_url;
        f->settings.store_password = "geheim";
        f->settings.meta_url = CASES[i].meta_url;
        assert_level(f, CASES[i].check, CASES[i].level, CASES[i].text);
        for (size_t j = 0; j < f->report.count; j++) assert_null(strstr(f->report.findings[j].message, "geheim"));
    }
}

static void looks_at_the_certificate_and_its_end(void **state)
{
    struct fixture *f = *state;
    char certificate[120], key[120], other[120];
    snprintf(certificate, sizeof certificate, "%s/certificate.pem", f->folder);
    snprintf(key, sizeof key, "%s/key.pem", f->folder);
    snprintf(other, sizeof other, "%s/other.pem", f->folder);
    EVP_PKEY *made = listen_tls_fixture_key(key, NULL);
    EVP_PKEY_free(listen_tls_fixture_key(other, NULL));
    assert_int_equal(chmod(key, 0600), 0);
    assert_level(f, "certificate", DOCTOR_OK, "no TLS");
    f->settings.tls_certificate_file = certificate;
    f->settings.tls_key_file = key;
    static const struct {
        long days;
        enum doctor_level level;
        const char *text;
    } CASES[] = {{30, DOCTOR_OK, "another 30 days"}, {10, DOCTOR_WARN, "ends in 10 days"}, {-3, DOCTOR_FAIL, "has expired"}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        listen_tls_fixture_certificate(certificate, made, "a.example", NOW / 1000 + CASES[i].days * 86400);
        assert_level(f, "certificate", CASES[i].level, CASES[i].text);
    }
    f->settings.listen = "0.0.0.0:443";
    f->settings.public_url = "";
    assert_level(f, "listen", DOCTOR_OK, "speaks TLS");
    listen_tls_fixture_certificate(certificate, made, "a.example", NOW / 1000 + 30 * 86400);
    assert_int_equal(chmod(key, 0644), 0);
    assert_level(f, "certificate", DOCTOR_FAIL, "open to other users");
    f->settings.tls_key_file = other;
    assert_level(f, "certificate", DOCTOR_FAIL, "is not the key of");
    f->settings.tls_key_file = "";
    assert_level(f, "certificate", DOCTOR_FAIL, "cannot be read");
    EVP_PKEY_free(made);
}

static void finds_telemetry_that_travels_in_the_open(void **state)
{
    struct fixture *f = *state;
    f->settings.telemetry_key = "geheim";
    assert_level(f, "telemetry", DOCTOR_OK, "in itself");
    f->settings.telemetry_endpoint = "http://127.0.0.1:4318";
    assert_level(f, "telemetry", DOCTOR_OK, "127.0.0.1");
    f->settings.telemetry_endpoint = "https://collector.example";
    assert_level(f, "telemetry", DOCTOR_OK, "collector.example");
    f->settings.telemetry_endpoint = "http://collector.example:4318";
    assert_level(f, "telemetry", DOCTOR_FAIL, "and the key");
    assert_null(strstr(find(f, "telemetry")->message, "geheim"));
}

static void finds_a_metadata_server_whose_way_is_not_encrypted(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *url;
        enum doctor_level level;
    } CASES[] = {
        {"postgres://u@db.example/d", DOCTOR_FAIL},
        {"postgres://u@db.example/d?sslmode=prefer", DOCTOR_FAIL},
        {"postgres://u@db.example/d?sslmode=require", DOCTOR_WARN},
        {"postgres://u@db.example/d?sslmode=verify-full&sslrootcert=/ca.pem", DOCTOR_OK},
        {"postgres://u:p@db.example/d?sslmode=verify-full", DOCTOR_WARN},
        {"postgres:///d?host=/run/postgresql", DOCTOR_OK},
        {"postgres:///d?host=db.example", DOCTOR_FAIL},
    };
    /* Only the check of the setting: nobody is asked. */
    const struct doctor_check *check = doctor_setting_checks;
    while (strcmp(check->name, "meta.url") != 0) check++;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct doctor doctor = {.settings = &f->settings, .now_ms = NOW};
        struct doctor_finding finding = {0};
        f->settings.meta_url = CASES[i].url;
        check->run(&doctor, &finding);
        if (finding.level != CASES[i].level) fail_msg("%s: %s", CASES[i].url, finding.message);
    }
}

static void finds_open_doors_of_the_machine(void **state)
{
    struct fixture *f = *state;
    f->settings.engine_listen = "127.0.0.1:9000";
    assert_level(f, "engine.listen", DOCTOR_WARN, "without a password");
    f->settings.engine_listen = "0.0.0.0:9000";
    assert_level(f, "engine.listen", DOCTOR_FAIL, "without a password");
    f->settings.trusted_proxies = "10.0.0.0/8, 0.0.0.0/0";
    assert_level(f, "trusted proxies", DOCTOR_FAIL, "0.0.0.0/0");
    f->settings.trusted_proxies = "10.0.0.0/8";
    assert_level(f, "trusted proxies", DOCTOR_OK, "");
    f->settings.mail_url = "";
    assert_level(f, "mail", DOCTOR_WARN, "no mail");
    f->settings.mail_url = "smtp://mail.example";
    f->settings.mail_from = "nobody";
    assert_level(f, "mail", DOCTOR_FAIL, "mail.from");
    f->settings.mail_from = "millrace@shop.example";
    f->settings.public_url = "";
    assert_level(f, "mail", DOCTOR_FAIL, "http.public_url");
}

static void finds_people_who_are_weak_or_locked(void **state)
{
    struct fixture *f = *state;
    char phc[TENANT_PHC_LIMIT];
    open_metadata(f);
    run_sql(f, "update mfa_secrets set is_enabled = false", NULL, 0);
    assert_level(f, "second factor", DOCTOR_WARN, "owner@shop.example");
    run_sql(f, "update user_roles set expires_at = 5", NULL, 0);
    assert_level(f, "second factor", DOCTOR_FAIL, "no super administrator");
    run_sql(f, "update users set deleted_at = 1", NULL, 0);
    assert_level(f, "second factor", DOCTOR_WARN, "no users yet");
    run_sql(f, "update users set deleted_at = null", NULL, 0);
    assert_level(f, "locked users", DOCTOR_OK, "");
    run_sql(f, "update users set locked_until = $1", META_PARAMETERS(meta_integer(NOW + 1)));
    assert_level(f, "locked users", DOCTOR_WARN, "owner@shop.example");
    run_sql(f, "update users set locked_until = $1", META_PARAMETERS(meta_integer(NOW)));
    assert_level(f, "locked users", DOCTOR_OK, "");
    assert_int_equal(tenant_argon2_hash(TENANT_ARGON2_PASSWORD, SLICE("a password"), phc, NULL), ERROR_NONE);
    run_sql(f, "update users set password_hash = $1", META_PARAMETERS(meta_string(phc)));
    assert_level(f, "password cost", DOCTOR_OK, "");
    assert_int_equal(tenant_argon2_hash(TENANT_ARGON2_KEY, SLICE("a password"), phc, NULL), ERROR_NONE);
    run_sql(f, "update users set password_hash = $1", META_PARAMETERS(meta_string(phc)));
    assert_level(f, "password cost", DOCTOR_WARN, "owner@shop.example");
    run_sql(f, "update users set email_verified = false", NULL, 0);
    assert_level(f, "unverified users", DOCTOR_WARN, "owner@shop.example");
}

static void finds_keys_that_are_too_open(void **state)
{
    struct fixture *f = *state;
    open_metadata(f);
    run_sql(f,
            "insert into api_keys (api_key_id, tenant_id, kind, key_id, prefix, allowed_origins, created_at, "
            "last_used_at, updated_at) "
            "values ('0190a000-0000-7000-8000-0000000000b1', '" TENANT
            "', 'write', 'w1', 'w1-prefix', 'https://shop.example', 1, $1, 1)",
            META_PARAMETERS(meta_integer(NOW - DAY)));
    run_sql(f,
            "insert into api_keys (api_key_id, tenant_id, kind, key_id, secret_hash, prefix, created_at, last_used_at, "
            "expires_at, updated_at) "
            "values ('0190a000-0000-7000-8000-0000000000b2', '" TENANT
            "', 'secret', 's1', 'x', 's1-prefix', 1, $1, $2, 1)",
            META_PARAMETERS(meta_integer(NOW - DAY), meta_integer(NOW + DAY)));
    assert_level(f, "open write keys", DOCTOR_OK, "");
    assert_level(f, "keys without end", DOCTOR_OK, "");
    assert_level(f, "unused keys", DOCTOR_OK, "");
    run_sql(f, "update api_keys set allowed_origins = '', expires_at = null, last_used_at = $1",
            META_PARAMETERS(meta_integer(NOW - 91 * DAY)));
    assert_level(f, "open write keys", DOCTOR_WARN, "1 write keys may be used from every page: w1-prefix");
    assert_level(f, "keys without end", DOCTOR_WARN, "1 secret keys never expire: s1-prefix");
    assert_level(f, "unused keys", DOCTOR_WARN, "2 keys");
    run_sql(f, "update api_keys set status = 'revoked', revoked_at = 1", NULL, 0);
    assert_level(f, "unused keys", DOCTOR_OK, "");
}

static void finds_what_waits_too_long(void **state)
{
    struct fixture *f = *state;
    open_metadata(f);
    run_sql(f,
            "insert into mail_outbox (mail_id, recipient, message_encrypted, next_attempt_at, last_error, created_at) "
            "values ('m', 'a@b.example', 'x', 1, 'Connection refused', $1)",
            META_PARAMETERS(meta_integer(NOW - DAY)));
    assert_level(f, "waiting mail", DOCTOR_WARN, "Connection refused");
    run_sql(f, "insert into audit_outbox (sequence, event_id, event, created_at) values (1000, 'e', '{}', $1)",
            META_PARAMETERS(meta_integer(NOW - DAY)));
    assert_level(f, "waiting audit", DOCTOR_WARN, "1 audit events");
    run_sql(f,
            "insert into identity_providers (identity_provider_id, organization_id, name, code, issuer, client_id, "
            "created_at, updated_at) values ('p', '" ORGANIZATION "', 'n', 'sso', 'http://127.0.0.1:1', 'c', 1, 1)",
            NULL, 0);
    assert_level(f, "single sign-on", DOCTOR_FAIL, "sso");
    run_sql(f, "update identity_providers set issuer = 'https://idp.example'", NULL, 0);
    assert_level(f, "single sign-on", DOCTOR_WARN, "no client secret");
}

static void says_when_migrations_are_missing_or_foreign(void **state)
{
    struct fixture *f = *state;
    open_metadata(f);
    assert_level(f, "metadata", DOCTOR_OK, "");
    run_sql(f, "update schema_migrations set checksum = '0000000000000000' where number = 1", NULL, 0);
    assert_level(f, "metadata", DOCTOR_FAIL, "1 migrations were changed");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(finds_nothing_wrong_with_a_good_installation),
        TEST(works_before_the_first_start),
        TEST(finds_files_that_others_can_read),
        TEST(finds_settings_that_send_secrets_in_the_open),
        TEST(looks_at_the_certificate_and_its_end),
        TEST(finds_telemetry_that_travels_in_the_open),
        TEST(finds_a_metadata_server_whose_way_is_not_encrypted),
        TEST(finds_open_doors_of_the_machine),
        TEST(finds_people_who_are_weak_or_locked),
        TEST(finds_keys_that_are_too_open),
        TEST(finds_what_waits_too_long),
        TEST(says_when_migrations_are_missing_or_foreign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
