/* SPDX-License-Identifier: Apache-2.0 */
/* The second factor: set up, asked for, replayed, guessed at, lost; on every metadata database. */
#include "control/identity_fixture.h"

#include "control/mfa.h"
#include "control/totp.h"
#include "os/thread.h"

#define ANN "ann@shop.example"

struct fixture {
    struct control_fixture *base;
    struct identity_client *client;
    char ann[37];
    struct buffer secret;
    char codes[CONTROL_BACKUP_CODES][CONTROL_BACKUP_CODE_SIZE + 1];
    char mfa_token[1024];
};

static const char *code_at(struct fixture *f, int64_t now_ms)
{
    static char body[64];
    snprintf(body, sizeof body, "{\"code\":\"%06u\"}",
             control_totp_code(buffer_slice(&f->secret), now_ms / CONTROL_TOTP_STEP_MS, CONTROL_TOTP_DIGITS));
    return body;
}

static void take_codes(struct fixture *f)
{
    const char *list = identity_get(f->client, NULL, "backup_codes");
    for (size_t i = 0; i < CONTROL_BACKUP_CODES; i++) {
        list = strchr(list, '"');
        assert_non_null(list);
        memcpy(f->codes[i], list + 1, CONTROL_BACKUP_CODE_SIZE);
        assert_int_equal('-', f->codes[i][5]);
        list += CONTROL_BACKUP_CODE_SIZE + 2;
    }
}

static void begin_setup(struct fixture *f)
{
    IDENTITY_OK(f->client, identity_act(f->client, METHOD_POST, "/v1/auth/mfa/setup", NULL, NULL));
    buffer_clear(&f->secret);
    assert_true(control_base32_decode(slice_from_string(identity_get(f->client, NULL, "secret")), &f->secret));
    assert_int_equal(CONTROL_TOTP_SECRET_SIZE, f->secret.size);
}

/* Ann has a second factor. */
static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (control_fixture_setup(state)) return 1;
    f->base = *state;
    identity_add_user(f->base, ANN, "developer", f->ann);
    f->client = identity_client_create(f->base);
    *state = f;
    IDENTITY_OK(f->client, identity_login(f->client, ANN, IDENTITY_PASSWORD));
    begin_setup(f);
    IDENTITY_OK(f->client, identity_act(f->client, METHOD_POST, "/v1/auth/mfa/enable", code_at(f, f->client->call.now_ms), NULL));
    take_codes(f);
    f->client->call.now_ms += CONTROL_TOTP_STEP_MS;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    void *base = f->base;
    identity_client_destroy(f->client);
    buffer_free(&f->secret);
    free(f);
    return control_fixture_teardown(&base);
}

static void password_step(struct fixture *f, bool cookies)
{
    struct identity_client *client = f->client;
    client->call.actor.kind = CONTROL_ACTOR_NOBODY;
    IDENTITY_OK(client, identity_act(client, METHOD_POST, "/v1/auth/login",
                                     cookies ? "{\"email\":\"" ANN "\",\"password\":\"" IDENTITY_PASSWORD "\",\"cookies\":true}"
                                             : "{\"email\":\"" ANN "\",\"password\":\"" IDENTITY_PASSWORD "\"}", NULL));
    assert_string_equal("true", identity_get(client, NULL, "mfa_required"));
    assert_true(slice_find(buffer_slice(&client->out), SLICE("access_token")) < 0);
    assert_false(client->output.cookies);
    snprintf(f->mfa_token, sizeof f->mfa_token, "%s", identity_get(client, NULL, "mfa_token"));
}

/* `code` as in the answer to code_at, or a backup code. */
static enum error_code code_step(struct fixture *f, const char *code, bool trust)
{
    char body[1400], digits[16];
    const char *from = code[0] == '{' ? code + strlen("{\"code\":\"") : code;
    snprintf(digits, sizeof digits, "%.*s", (int)strcspn(from, "\""), from);
    snprintf(body, sizeof body, "{\"mfa_token\":\"%s\",\"code\":\"%s\",\"trust_device\":%s}", f->mfa_token, digits, trust ? "true" : "false");
    return identity_act(f->client, METHOD_POST, "/v1/auth/mfa", body, NULL);
}

static void asks_for_the_code_after_the_password(void **state)
{
    struct fixture *f = *state;
    password_step(f, false);
    IDENTITY_OK(f->client, code_step(f, code_at(f, f->client->call.now_ms), false));
    assert_int_equal(TENANT_TOKEN_SIZE, strlen(identity_get(f->client, NULL, "refresh_token")));
    assert_int_equal(1, control_fixture_audited(f->base, f->base->control.core, "auth.mfa_asked"));
    assert_int_equal(2, control_fixture_audited(f->base, f->base->control.core, "auth.login"));
}

static void refuses_a_code_that_was_used(void **state)
{
    struct fixture *f = *state;
    password_step(f, false);
    const char *code = code_at(f, f->client->call.now_ms);
    IDENTITY_OK(f->client, code_step(f, code, false));
    assert_int_equal(ERROR_UNAUTHENTICATED, code_step(f, code, false));
    /* Nor the one of the step before, which the drift would allow. */
    assert_int_equal(ERROR_UNAUTHENTICATED, code_step(f, code_at(f, f->client->call.now_ms - CONTROL_TOTP_STEP_MS), false));
    f->client->call.now_ms += CONTROL_TOTP_STEP_MS;
    IDENTITY_OK(f->client, code_step(f, code_at(f, f->client->call.now_ms), false));
}

static void takes_a_backup_code_once(void **state)
{
    struct fixture *f = *state;
    password_step(f, false);
    IDENTITY_OK(f->client, code_step(f, f->codes[3], false));
    assert_int_equal(ERROR_UNAUTHENTICATED, code_step(f, f->codes[3], false));
    char loose[16];
    snprintf(loose, sizeof loose, "%.5s %s", f->codes[4], f->codes[4] + 6);
    for (size_t i = 0; loose[i]; i++)
        if (loose[i] >= 'A' && loose[i] <= 'Z') loose[i] += 'a' - 'A';
    IDENTITY_OK(f->client, code_step(f, loose, false));
    assert_int_equal(2, control_fixture_audited(f->base, f->base->control.core, "mfa.backup_code_used"));
    assert_int_equal(2, identity_count(f->base, "select count(*) from mfa_backup_codes where used_at is not null"));
}

static void locks_after_five_wrong_codes(void **state)
{
    struct fixture *f = *state;
    password_step(f, false);
    for (int i = 0; i < IDENTITY_FAILURES; i++) assert_int_equal(ERROR_UNAUTHENTICATED, code_step(f, "AAAAA-AAAAA", false));
    assert_int_equal(ERROR_RATE_LIMITED, code_step(f, code_at(f, f->client->call.now_ms), false));
    assert_int_equal(IDENTITY_LOCK_MS, f->client->output.retry_after_ms);
    /* A new login is no way around. */
    password_step(f, false);
    assert_int_equal(ERROR_RATE_LIMITED, code_step(f, f->codes[0], false));
    f->client->call.now_ms += IDENTITY_LOCK_MS;
    password_step(f, false);
    assert_int_equal(ERROR_UNAUTHENTICATED, code_step(f, "AAAAA-AAAAA", false));
    IDENTITY_OK(f->client, code_step(f, f->codes[0], false));
}

static void forgets_a_login_after_five_minutes_or_a_new_password(void **state)
{
    struct fixture *f = *state;
    password_step(f, false);
    f->client->call.now_ms += CONTROL_MFA_TOKEN_MS;
    assert_int_equal(ERROR_UNAUTHENTICATED, code_step(f, f->codes[0], false));
    password_step(f, false);
    control_fixture_execute(f->base, "update users set password_changed_at = password_changed_at + 1 where email = '" ANN "'");
    assert_int_equal(ERROR_UNAUTHENTICATED, code_step(f, f->codes[0], false));
    snprintf(f->mfa_token, sizeof f->mfa_token, "s1:AAAA");
    assert_int_equal(ERROR_UNAUTHENTICATED, code_step(f, f->codes[0], false));
    assert_int_equal(0, identity_count(f->base, "select count(*) from mfa_backup_codes where used_at is not null"));
}

static void does_not_ask_a_trusted_device_for_30_days(void **state)
{
    struct fixture *f = *state;
    struct identity_client *client = f->client;
    password_step(f, true);
    IDENTITY_OK(client, code_step(f, f->codes[0], true));
    assert_int_equal(TENANT_TOKEN_SIZE, client->output.device_token.size);
    assert_int_equal(client->call.now_ms + CONTROL_DEVICE_MS, client->output.device_expires_ms);
    snprintf(client->device, sizeof client->device, "%.*s", SLICE_ARGS(client->output.device_token));
    IDENTITY_OK(client, identity_login(client, ANN, IDENTITY_PASSWORD));
    assert_int_equal(CONTROL_ACTOR_USER, client->call.actor.kind);
    IDENTITY_OK(client, identity_act(client, METHOD_GET, "/v1/auth/devices", NULL, NULL));
    assert_non_null(strstr(identity_get(client, NULL, "data"), "test browser"));
    /* It is nobody else's device. */
    char id[37];
    identity_add_user(f->base, "bob@shop.example", NULL, id);
    control_fixture_execute(f->base, "update trusted_devices set user_id = (select user_id from users where email = 'bob@shop.example')");
    password_step(f, false);
    control_fixture_execute(f->base, "update trusted_devices set user_id = (select user_id from users where email = '" ANN "')");
    client->call.now_ms += CONTROL_DEVICE_MS;
    password_step(f, false);
    client->call.now_ms -= CONTROL_DEVICE_MS;
    IDENTITY_OK(client, identity_login(client, ANN, IDENTITY_PASSWORD));
    IDENTITY_OK(client, identity_act(client, METHOD_DELETE, "/v1/auth/devices", NULL, NULL));
    password_step(f, false);
}

static void replaces_backup_codes_and_disables_with_password_and_code(void **state)
{
    struct fixture *f = *state;
    struct identity_client *client = f->client;
    char old[CONTROL_BACKUP_CODE_SIZE + 1], body[128];
    memcpy(old, f->codes[0], sizeof old);
    IDENTITY_OK(client, identity_act(client, METHOD_POST, "/v1/auth/mfa/backup-codes", code_at(f, client->call.now_ms), NULL));
    take_codes(f);
    snprintf(body, sizeof body, "{\"password\":\"" IDENTITY_PASSWORD "\",\"code\":\"%s\"}", old);
    assert_int_equal(ERROR_INVALID, identity_act(client, METHOD_POST, "/v1/auth/mfa/disable", body, NULL));
    assert_string_equal("code", client->error.field);
    snprintf(body, sizeof body, "{\"password\":\"wrong words here\",\"code\":\"%s\"}", f->codes[0]);
    assert_int_equal(ERROR_INVALID, identity_act(client, METHOD_POST, "/v1/auth/mfa/disable", body, NULL));
    assert_string_equal("password", client->error.field);
    assert_int_equal(ERROR_CONFLICT, identity_act(client, METHOD_POST, "/v1/auth/mfa/setup", NULL, NULL));
    snprintf(body, sizeof body, "{\"password\":\"" IDENTITY_PASSWORD "\",\"code\":\"%s\"}", f->codes[0]);
    IDENTITY_OK(client, identity_act(client, METHOD_POST, "/v1/auth/mfa/disable", body, NULL));
    IDENTITY_OK(client, identity_login(client, ANN, IDENTITY_PASSWORD));
    assert_int_equal(CONTROL_ACTOR_USER, client->call.actor.kind);
    assert_int_equal(ERROR_CONFLICT, identity_act(client, METHOD_POST, "/v1/auth/mfa/backup-codes", code_at(f, client->call.now_ms), NULL));
    assert_int_equal(0, identity_count(f->base, "select count(*) from mfa_backup_codes"));
}

static void wants_setup_finished_within_ten_minutes_with_a_right_code(void **state)
{
    struct fixture *f = *state;
    struct identity_client *client = f->client;
    char id[37];
    identity_add_user(f->base, "bob@shop.example", NULL, id);
    IDENTITY_OK(client, identity_login(client, "bob@shop.example", IDENTITY_PASSWORD));
    assert_int_equal(ERROR_CONFLICT, identity_act(client, METHOD_POST, "/v1/auth/mfa/enable", "{\"code\":\"123456\"}", NULL));
    begin_setup(f);
    client->call.now_ms += CONTROL_MFA_SETUP_MS + 1;
    assert_int_equal(ERROR_CONFLICT, identity_act(client, METHOD_POST, "/v1/auth/mfa/enable", code_at(f, client->call.now_ms), NULL));
    begin_setup(f);
    assert_int_equal(ERROR_INVALID, identity_act(client, METHOD_POST, "/v1/auth/mfa/enable", code_at(f, client->call.now_ms + 300000), NULL));
    /* Not asked for while it is not enabled. */
    IDENTITY_OK(client, identity_login(client, "bob@shop.example", IDENTITY_PASSWORD));
    assert_int_equal(CONTROL_ACTOR_USER, client->call.actor.kind);
    IDENTITY_OK(client, identity_act(client, METHOD_POST, "/v1/auth/mfa/enable", code_at(f, client->call.now_ms), NULL));
}

static void keeps_secret_and_codes_unreadable(void **state)
{
    struct fixture *f = *state;
    char sql[256], hash[65];
    assert_int_equal(1, identity_count(f->base, "select count(*) from mfa_secrets where substr(secret_encrypted, 1, 3) = 's1:'"));
    for (size_t i = 0; i < CONTROL_BACKUP_CODES; i++) {
        tenant_token_hash(slice_from_string(f->codes[i]), hash);
        snprintf(sql, sizeof sql, "select count(*) from mfa_backup_codes where code_hash in ('%s', '%s')", f->codes[i], hash);
        assert_int_equal(0, identity_count(f->base, sql));
    }
}

struct racer {
    struct identity_client *client;
    const char *body;
    pthread_barrier_t *start;
    enum error_code code;
};
static void race(void *context)
{
    struct racer *racer = context;
    pthread_barrier_wait(racer->start);
    racer->code = identity_act(racer->client, METHOD_POST, "/v1/auth/mfa", racer->body, NULL);
}

static void lets_one_of_many_at_once_use_a_code(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 2; round++) { /* an app's code, then a backup code */
        struct racer racers[3];
        struct os_thread threads[3] = {0};
        pthread_barrier_t start;
        char body[1400];
        int won = 0;
        password_step(f, false);
        snprintf(body, sizeof body, "{\"mfa_token\":\"%s\",\"code\":\"%.11s\"}", f->mfa_token,
                 round ? f->codes[0] : code_at(f, f->client->call.now_ms) + strlen("{\"code\":\""));
        if (!round) snprintf(strstr(body, "\"code\":") + 14, 4, "\"}");
        pthread_barrier_init(&start, NULL, 3);
        for (int i = 0; i < 3; i++) {
            racers[i] = (struct racer){identity_client_create(f->base), body, &start, ERROR_NONE};
            racers[i].client->call.now_ms = f->client->call.now_ms;
            assert_int_equal(ERROR_NONE, os_thread_start(&threads[i], "racer", race, &racers[i], &f->client->error));
        }
        for (int i = 0; i < 3; i++) {
            os_thread_join(&threads[i]);
            won += racers[i].code == ERROR_NONE;
            if (racers[i].code && racers[i].code != ERROR_UNAUTHENTICATED) fail_msg("%s", racers[i].client->error.message);
            identity_client_destroy(racers[i].client);
        }
        pthread_barrier_destroy(&start);
        assert_int_equal(1, won);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(asks_for_the_code_after_the_password),
        TEST(refuses_a_code_that_was_used),
        TEST(takes_a_backup_code_once),
        TEST(locks_after_five_wrong_codes),
        TEST(forgets_a_login_after_five_minutes_or_a_new_password),
        TEST(does_not_ask_a_trusted_device_for_30_days),
        TEST(replaces_backup_codes_and_disables_with_password_and_code),
        TEST(wants_setup_finished_within_ten_minutes_with_a_right_code),
        TEST(keeps_secret_and_codes_unreadable),
        TEST(lets_one_of_many_at_once_use_a_code),
    };
    return meta_test_run("mfa", tests, sizeof tests / sizeof *tests, NULL, 0);
}
