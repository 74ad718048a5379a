/* SPDX-License-Identifier: Apache-2.0 */
/* Logins, lockout, sessions and their refresh tokens, forgotten passwords: on every metadata database, with a moved clock. */
#include "control/identity_fixture.h"

#include "decode/json.h"
#include "os/thread.h"
#include "tenant/jwt.h"

#define ANN "ann@shop.example"
#define WRONG "some other words"

struct fixture {
    struct control_fixture *base;
    struct identity_client *client;
    char ann[37];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (control_fixture_setup(state)) return 1;
    f->base = *state;
    snprintf(f->base->control.public_url, sizeof f->base->control.public_url, "https://millrace.example");
    f->base->control.mail_is_configured = true;
    identity_add_user(f->base, ANN, "developer", f->ann);
    f->client = identity_client_create(f->base);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    void *base = f->base;
    identity_client_destroy(f->client);
    free(f);
    return control_fixture_teardown(&base);
}

static enum error_code refresh(struct identity_client *client, const char *token)
{
    char body[128];
    snprintf(body, sizeof body, "{\"refresh_token\":\"%s\"}", token);
    return identity_act(client, METHOD_POST, "/v1/auth/refresh", body, NULL);
}

static void logs_in_and_says_who_one_is(void **state)
{
    struct fixture *f = *state;
    struct identity_client *client = f->client;
    IDENTITY_OK(client, identity_login(client, "Ann@Shop.example", IDENTITY_PASSWORD));
    assert_string_equal("900", identity_get(client, NULL, "expires_in"));
    assert_int_equal(TENANT_TOKEN_SIZE, strlen(identity_get(client, NULL, "refresh_token")));
    unsigned char key[TENANT_SECRET_SIZE];
    struct tenant_jwt_claims claims;
    tenant_jwt_key(f->base->control.secret, key);
    char token[1024];
    snprintf(token, sizeof token, "%s", identity_get(client, NULL, "access_token"));
    IDENTITY_OK(client, tenant_jwt_verify(key, slice_from_string(token), client->call.now_ms, client->parser, &claims, &client->error));
    assert_string_equal(f->ann, claims.user_id);
    assert_string_equal(client->call.actor.session_id, claims.session_id);
    assert_int_equal(ERROR_UNAUTHENTICATED, tenant_jwt_verify(key, slice_from_string(token), client->call.now_ms + CONTROL_ACCESS_TOKEN_MS,
                                                              client->parser, &claims, &client->error));
    IDENTITY_OK(client, identity_act(client, METHOD_GET, "/v1/auth/me", NULL, NULL));
    assert_string_equal(ANN, identity_get(client, "user", "email"));
    assert_string_equal("default", identity_get(client, "organization", "code"));
    assert_non_null(strstr(identity_get(client, NULL, "roles"), "\"role_type\":\"developer\""));
    assert_null(memmem(client->out.data, client->out.size, "argon2", 6));
    IDENTITY_OK(client, identity_act(client, METHOD_PATCH, "/v1/auth/me", "{\"first_name\":\"Ann\",\"timezone\":\"Europe/Berlin\"}", NULL));
    assert_string_equal("Ann", identity_get(client, "user", "first_name"));
    assert_string_equal("User", identity_get(client, "user", "last_name"));
    assert_int_equal(1, control_fixture_audited(f->base, f->base->control.core, "auth.login"));
}

static void gives_cookies_to_browsers_that_ask_and_no_tokens_to_pages(void **state)
{
    struct fixture *f = *state;
    struct identity_client *client = f->client;
    IDENTITY_OK(client, identity_act(client, METHOD_POST, "/v1/auth/login",
                                     "{\"email\":\"" ANN "\",\"password\":\"" IDENTITY_PASSWORD "\",\"cookies\":true,\"remember\":true}", NULL));
    assert_true(client->output.cookies);
    assert_int_equal(TENANT_TOKEN_SIZE, client->output.refresh_token.size);
    assert_int_equal(client->call.now_ms + CONTROL_SESSION_REMEMBERED_MS, client->output.refresh_expires_ms);
    assert_true(client->output.access_token.size > 100);
    assert_true(slice_find(buffer_slice(&client->out), client->output.refresh_token) < 0);
    assert_true(slice_find(buffer_slice(&client->out), SLICE("access_token")) < 0);
    snprintf(client->refresh, sizeof client->refresh, "%.*s", SLICE_ARGS(client->output.refresh_token));
    client->call.now_ms += 1000;
    IDENTITY_OK(client, identity_act(client, METHOD_POST, "/v1/auth/refresh", NULL, NULL));
    assert_true(client->output.cookies);
    assert_int_equal(client->call.now_ms + CONTROL_SESSION_REMEMBERED_MS, client->output.refresh_expires_ms);
    /* The old cookie: refused, and the browser forgets it. */
    assert_int_equal(ERROR_UNAUTHENTICATED, identity_act(client, METHOD_POST, "/v1/auth/refresh", NULL, NULL));
    assert_true(client->output.cookies);
    assert_int_equal(0, client->output.refresh_token.size);
}

static void answers_unknown_addresses_like_wrong_passwords(void **state)
{
    struct fixture *f = *state;
    struct identity_client *client = f->client;
    char wrong[640];
    assert_int_equal(ERROR_UNAUTHENTICATED, identity_login(client, ANN, WRONG));
    snprintf(wrong, sizeof wrong, "%s|%s", client->error.message, client->error.field);
    const char *others[] = {"nobody@shop.example", "invited@shop.example", "inactive@shop.example"};
    char id[37];
    struct meta_session *session;
    struct control_new_user invited = {.email = others[1], .organization_id = f->base->defaults.organization_id,
                                       .first_name = SLICE(""), .last_name = SLICE("")};
    enum error_code code = identity_begin(&f->base->call, &session, &client->error);
    if (!code) code = control_user_create(&f->base->call, session, &invited, id, &client->error);
    IDENTITY_OK(client, identity_end(session, code, &client->error));
    identity_add_user(f->base, others[2], NULL, id);
    control_fixture_execute(f->base, "update users set is_active = false where email = 'inactive@shop.example'");
    for (size_t i = 0; i < 3; i++) {
        char answer[640];
        for (int round = 0; round < 2; round++) {
            assert_int_equal(ERROR_UNAUTHENTICATED, identity_login(client, others[i], round ? "" "x" : IDENTITY_PASSWORD));
            snprintf(answer, sizeof answer, "%s|%s", client->error.message, client->error.field);
            assert_string_equal(wrong, answer);
            assert_int_equal(0, client->output.retry_after_ms);
        }
    }
    assert_int_equal(7, control_fixture_audited(f->base, f->base->control.core, "auth.login_failed"));
}

static void locks_for_15_minutes_after_5_failures_within_15(void **state)
{
    struct fixture *f = *state;
    struct identity_client *client = f->client;
    int64_t start = client->call.now_ms;
    for (int i = 0; i < IDENTITY_FAILURES; i++) {
        client->call.now_ms = start + i * IDENTITY_MINUTE_MS;
        assert_int_equal(ERROR_UNAUTHENTICATED, identity_login(client, ANN, WRONG));
    }
    assert_int_equal(1, control_fixture_audited(f->base, f->base->control.core, "auth.locked"));
    /* The right one is no good now, and the answer does not tell that it was right. */
    char wrong[512];
    snprintf(wrong, sizeof wrong, "%s", client->error.message);
    assert_int_equal(ERROR_UNAUTHENTICATED, identity_login(client, ANN, IDENTITY_PASSWORD));
    assert_string_equal(wrong, client->error.message);
    client->call.now_ms += IDENTITY_LOCK_MS - 1;
    assert_int_equal(ERROR_UNAUTHENTICATED, identity_login(client, ANN, IDENTITY_PASSWORD));
    client->call.now_ms += 1;
    /* The count began anew: one more mistake does not lock again. */
    assert_int_equal(ERROR_UNAUTHENTICATED, identity_login(client, ANN, WRONG));
    IDENTITY_OK(client, identity_login(client, ANN, IDENTITY_PASSWORD));
}

static void forgets_failures_after_15_minutes_and_after_a_login(void **state)
{
    struct fixture *f = *state;
    struct identity_client *client = f->client;
    for (int i = 0; i < IDENTITY_FAILURES - 1; i++) assert_int_equal(ERROR_UNAUTHENTICATED, identity_login(client, ANN, WRONG));
    IDENTITY_OK(client, identity_login(client, ANN, IDENTITY_PASSWORD));
    for (int i = 0; i < IDENTITY_FAILURES - 1; i++) assert_int_equal(ERROR_UNAUTHENTICATED, identity_login(client, ANN, WRONG));
    client->call.now_ms += IDENTITY_FAILURE_WINDOW_MS;
    assert_int_equal(ERROR_UNAUTHENTICATED, identity_login(client, ANN, WRONG));
    assert_int_equal(1, identity_count(f->base, "select failed_attempts from users where email = '" ANN "'"));
    IDENTITY_OK(client, identity_login(client, ANN, IDENTITY_PASSWORD));
    assert_int_equal(0, identity_count(f->base, "select failed_attempts from users where email = '" ANN "'"));
}

static void ends_the_session_when_a_refresh_token_comes_twice(void **state)
{
    struct fixture *f = *state;
    struct identity_client *client = f->client;
    char first[64], second[64];
    IDENTITY_OK(client, identity_login(client, ANN, IDENTITY_PASSWORD));
    snprintf(first, sizeof first, "%s", client->refresh);
    int64_t before = identity_count(f->base, "select revision from access_revision");
    IDENTITY_OK(client, refresh(client, first));
    snprintf(second, sizeof second, "%s", identity_get(client, NULL, "refresh_token"));
    assert_string_not_equal(first, second);
    assert_string_equal(client->call.actor.session_id, identity_get(client, NULL, "session_id"));
    assert_int_equal(ERROR_UNAUTHENTICATED, refresh(client, first));
    assert_int_equal(ERROR_UNAUTHENTICATED, refresh(client, second));
    assert_int_equal(1, control_fixture_audited(f->base, f->base->control.core, "auth.refresh_reused"));
    assert_int_equal(1, identity_count(f->base, "select count(*) from user_sessions where revoked_at is not null and is_active = false"));
    assert_true(identity_count(f->base, "select revision from access_revision") > before);
    assert_int_equal(0, identity_count(f->base, "select count(*) from refresh_tokens where length(token_hash) <> 64"));
    /* Another session of the user lives on. */
    IDENTITY_OK(client, identity_login(client, ANN, IDENTITY_PASSWORD));
    assert_int_equal(ERROR_UNAUTHENTICATED, refresh(client, first));
    IDENTITY_OK(client, refresh(client, client->refresh));
}

static void refuses_refresh_tokens_that_are_old_made_up_or_of_users_who_may_not_log_in(void **state)
{
    struct fixture *f = *state;
    struct identity_client *client = f->client;
    IDENTITY_OK(client, identity_login(client, ANN, IDENTITY_PASSWORD));
    assert_int_equal(ERROR_UNAUTHENTICATED, refresh(client, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
    client->call.now_ms += CONTROL_SESSION_MS - 1;
    IDENTITY_OK(client, refresh(client, client->refresh));
    client->call.now_ms += CONTROL_SESSION_MS;
    assert_int_equal(ERROR_UNAUTHENTICATED, refresh(client, identity_get(client, NULL, "refresh_token")));
    IDENTITY_OK(client, identity_login(client, ANN, IDENTITY_PASSWORD));
    control_fixture_execute(f->base, "update users set is_active = false where email = '" ANN "'");
    assert_int_equal(ERROR_UNAUTHENTICATED, refresh(client, client->refresh));
    client->refresh[0] = 0;
    assert_int_equal(ERROR_UNAUTHENTICATED, identity_act(client, METHOD_POST, "/v1/auth/refresh", NULL, NULL));
}

static void lets_no_session_live_longer_than_90_days(void **state)
{
    struct fixture *f = *state;
    struct identity_client *client = f->client;
    IDENTITY_OK(client, identity_login(client, ANN, IDENTITY_PASSWORD));
    int64_t start = client->call.now_ms;
    enum error_code code = ERROR_NONE;
    while (code == ERROR_NONE && client->call.now_ms < start + 2 * CONTROL_SESSION_LIFE_MS) {
        client->call.now_ms += CONTROL_SESSION_MS - 1;
        code = refresh(client, client->refresh);
        if (code == ERROR_NONE) snprintf(client->refresh, sizeof client->refresh, "%s", identity_get(client, NULL, "refresh_token"));
    }
    assert_int_equal(ERROR_UNAUTHENTICATED, code);
    assert_in_range(client->call.now_ms - start, CONTROL_SESSION_LIFE_MS, CONTROL_SESSION_LIFE_MS + CONTROL_SESSION_MS);
}

static void ends_sessions_by_logout_one_by_one_and_all_others(void **state)
{
    struct fixture *f = *state;
    struct identity_client *one = f->client, *two = identity_client_create(f->base), *three = identity_client_create(f->base);
    IDENTITY_OK(one, identity_login(one, ANN, IDENTITY_PASSWORD));
    IDENTITY_OK(two, identity_login(two, ANN, IDENTITY_PASSWORD));
    IDENTITY_OK(three, identity_login(three, ANN, IDENTITY_PASSWORD));
    IDENTITY_OK(one, identity_act(one, METHOD_GET, "/v1/auth/sessions", NULL, NULL));
    const char *list = identity_get(one, NULL, "data");
    assert_non_null(strstr(list, two->call.actor.session_id));
    assert_non_null(strstr(list, "\"is_current\":true"));
    IDENTITY_OK(one, identity_act(one, METHOD_DELETE, "/v1/auth/sessions/{session_id}", NULL, two->call.actor.session_id));
    assert_int_equal(ERROR_UNAUTHENTICATED, refresh(two, two->refresh));
    assert_int_equal(ERROR_NOT_FOUND, identity_act(one, METHOD_DELETE, "/v1/auth/sessions/{session_id}", NULL, two->call.actor.session_id));
    assert_int_equal(ERROR_NOT_FOUND, identity_act(one, METHOD_DELETE, "/v1/auth/sessions/{session_id}", NULL, "no-id"));
    IDENTITY_OK(one, identity_act(one, METHOD_DELETE, "/v1/auth/sessions", NULL, NULL));
    assert_string_equal("1", identity_get(one, NULL, "ended"));
    assert_int_equal(ERROR_UNAUTHENTICATED, refresh(three, three->refresh));
    /* By its refresh token alone, when the access token has expired. */
    one->call.actor.kind = CONTROL_ACTOR_NOBODY;
    IDENTITY_OK(one, identity_act(one, METHOD_POST, "/v1/auth/logout", NULL, NULL));
    assert_true(one->output.cookies);
    assert_int_equal(ERROR_UNAUTHENTICATED, refresh(one, one->refresh));
    assert_int_equal(1, control_fixture_audited(f->base, f->base->control.core, "auth.logout"));
    IDENTITY_OK(one, identity_act(one, METHOD_POST, "/v1/auth/logout", NULL, NULL));
    /* Nobody ends another's session. */
    char id[37];
    identity_add_user(f->base, "bob@shop.example", NULL, id);
    IDENTITY_OK(two, identity_login(two, "bob@shop.example", IDENTITY_PASSWORD));
    IDENTITY_OK(three, identity_login(three, ANN, IDENTITY_PASSWORD));
    assert_int_equal(ERROR_NOT_FOUND, identity_act(two, METHOD_DELETE, "/v1/auth/sessions/{session_id}", NULL, three->call.actor.session_id));
    identity_client_destroy(two);
    identity_client_destroy(three);
}

static void bounds_the_sessions_of_a_user(void **state)
{
    struct fixture *f = *state;
    struct control_user user;
    struct control_tokens tokens;
    struct meta_session *session;
    struct identity_client *client = f->client;
    for (int i = 0; i < CONTROL_SESSION_LIMIT + 3; i++) {
        client->call.now_ms += 1000;
        enum error_code code = identity_begin(&client->call, &session, &client->error);
        if (!code) code = control_user_find(&client->call, session, f->ann, &user, &client->error);
        if (!code) code = control_session_start(&client->call, session, &user, "password", false, &tokens, &client->error);
        IDENTITY_OK(client, identity_end(session, code, &client->error));
    }
    assert_int_equal(CONTROL_SESSION_LIMIT, identity_count(f->base, "select count(*) from user_sessions where revoked_at is null"));
    IDENTITY_OK(client, refresh(client, tokens.refresh));
}

/* Threads that do the same thing at the same time. */
struct racer {
    struct identity_client *client;
    const char *path, *body;
    pthread_barrier_t *start;
    enum error_code code;
};
static void race(void *context)
{
    struct racer *racer = context;
    pthread_barrier_wait(racer->start);
    racer->code = identity_act(racer->client, METHOD_POST, racer->path, racer->body, NULL);
}
#define RACERS 4
static int race_all(struct fixture *f, const char *path, const char *body, enum error_code loser)
{
    struct racer racers[RACERS];
    struct os_thread threads[RACERS] = {0};
    pthread_barrier_t start;
    int won = 0;
    pthread_barrier_init(&start, NULL, RACERS);
    for (int i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){identity_client_create(f->base), path, body, &start, ERROR_NONE};
        assert_int_equal(ERROR_NONE, os_thread_start(&threads[i], "racer", race, &racers[i], &f->client->error));
    }
    for (int i = 0; i < RACERS; i++) {
        os_thread_join(&threads[i]);
        if (racers[i].code == ERROR_NONE) won++;
        else if (racers[i].code != loser) fail_msg("%s: %s", error_code_name(racers[i].code), racers[i].client->error.message);
        identity_client_destroy(racers[i].client);
    }
    pthread_barrier_destroy(&start);
    return won;
}

static void lets_one_of_many_at_once_use_a_refresh_token(void **state)
{
    struct fixture *f = *state;
    char body[128];
    IDENTITY_OK(f->client, identity_login(f->client, ANN, IDENTITY_PASSWORD));
    snprintf(body, sizeof body, "{\"refresh_token\":\"%s\"}", f->client->refresh);
    assert_int_equal(1, race_all(f, "/v1/auth/refresh", body, ERROR_UNAUTHENTICATED));
    assert_int_equal(1, identity_count(f->base, "select count(*) from user_sessions where revoked_at is not null"));
}

static void lets_one_of_many_at_once_use_a_reset_token(void **state)
{
    struct fixture *f = *state;
    char body[256], token[TENANT_TOKEN_SIZE + 1];
    IDENTITY_OK(f->client, identity_act(f->client, METHOD_POST, "/v1/auth/password/forgot", "{\"email\":\"" ANN "\"}", NULL));
    identity_mailed_token(f->base, ANN, token);
    snprintf(body, sizeof body, "{\"token\":\"%s\",\"password\":\"six new words of mine\"}", token);
    assert_int_equal(1, race_all(f, "/v1/auth/password/reset", body, ERROR_INVALID));
}

static void gives_guessers_at_once_no_more_than_five_tries(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(0, race_all(f, "/v1/auth/login", "{\"email\":\"" ANN "\",\"password\":\"" WRONG "\"}", ERROR_UNAUTHENTICATED));
    assert_int_equal(1, control_fixture_audited(f->base, f->base->control.core, "auth.locked"));
    assert_int_equal(ERROR_UNAUTHENTICATED, identity_login(f->client, ANN, IDENTITY_PASSWORD));
}

static void resets_a_forgotten_password_once_within_an_hour_and_ends_all_sessions(void **state)
{
    struct fixture *f = *state;
    struct identity_client *client = f->client, *thief = identity_client_create(f->base);
    char token[TENANT_TOKEN_SIZE + 1], body[256];
    IDENTITY_OK(thief, identity_login(thief, ANN, IDENTITY_PASSWORD));
    IDENTITY_OK(client, identity_act(client, METHOD_POST, "/v1/auth/password/forgot", "{\"email\":\"ANN@shop.example\"}", NULL));
    assert_int_equal(0, client->out.size);
    identity_mailed_token(f->base, ANN, token);
    /* Too weak: the token stays good. */
    snprintf(body, sizeof body, "{\"token\":\"%s\",\"password\":\"password1234\"}", token);
    assert_int_equal(ERROR_INVALID, identity_act(client, METHOD_POST, "/v1/auth/password/reset", body, NULL));
    assert_string_equal("password", client->error.field);
    snprintf(body, sizeof body, "{\"token\":\"%s\",\"password\":\"six new words of mine\"}", token);
    client->call.now_ms += IDENTITY_HOUR_MS - 1;
    IDENTITY_OK(client, identity_act(client, METHOD_POST, "/v1/auth/password/reset", body, NULL));
    assert_int_equal(ERROR_INVALID, identity_act(client, METHOD_POST, "/v1/auth/password/reset", body, NULL));
    assert_string_equal("token", client->error.field);
    assert_int_equal(ERROR_UNAUTHENTICATED, refresh(thief, thief->refresh));
    assert_int_equal(ERROR_UNAUTHENTICATED, identity_login(client, ANN, IDENTITY_PASSWORD));
    IDENTITY_OK(client, identity_login(client, ANN, "six new words of mine"));
    assert_string_equal("true", identity_get(client, "user", "email_verified"));

    IDENTITY_OK(client, identity_act(client, METHOD_POST, "/v1/auth/password/forgot", "{\"email\":\"" ANN "\"}", NULL));
    identity_mailed_token(f->base, ANN, token);
    snprintf(body, sizeof body, "{\"token\":\"%s\",\"password\":\"seven newer words of mine\"}", token);
    client->call.now_ms += IDENTITY_HOUR_MS;
    assert_int_equal(ERROR_INVALID, identity_act(client, METHOD_POST, "/v1/auth/password/reset", body, NULL));
    identity_client_destroy(thief);
}

static void tells_nobody_whether_an_address_has_an_account_and_mails_three_times_an_hour(void **state)
{
    struct fixture *f = *state;
    struct identity_client *client = f->client;
    IDENTITY_OK(client, identity_act(client, METHOD_POST, "/v1/auth/password/forgot", "{\"email\":\"nobody@shop.example\"}", NULL));
    assert_int_equal(0, client->out.size);
    assert_int_equal(0, identity_count(f->base, "select count(*) from mail_outbox"));
    for (int i = 0; i < 5; i++)
        IDENTITY_OK(client, identity_act(client, METHOD_POST, "/v1/auth/password/forgot", "{\"email\":\"" ANN "\"}", NULL));
    assert_int_equal(3, identity_count(f->base, "select count(*) from mail_outbox"));
    client->call.now_ms += IDENTITY_HOUR_MS;
    IDENTITY_OK(client, identity_act(client, METHOD_POST, "/v1/auth/password/forgot", "{\"email\":\"" ANN "\"}", NULL));
    assert_int_equal(4, identity_count(f->base, "select count(*) from mail_outbox"));
    assert_int_equal(7, control_fixture_audited(f->base, f->base->control.core, "auth.password_forgot"));
    f->base->control.mail_is_configured = false;
    client->call.now_ms += IDENTITY_HOUR_MS;
    IDENTITY_OK(client, identity_act(client, METHOD_POST, "/v1/auth/password/forgot", "{\"email\":\"" ANN "\"}", NULL));
    assert_int_equal(4, identity_count(f->base, "select count(*) from password_reset_tokens"));
}

static void changes_ones_password_and_ends_the_other_sessions(void **state)
{
    struct fixture *f = *state;
    struct identity_client *client = f->client, *other = identity_client_create(f->base);
    IDENTITY_OK(other, identity_login(other, ANN, IDENTITY_PASSWORD));
    IDENTITY_OK(client, identity_login(client, ANN, IDENTITY_PASSWORD));
    assert_int_equal(ERROR_INVALID, identity_act(client, METHOD_POST, "/v1/auth/password", "{\"current\":\"" WRONG "\",\"new\":\"six new words of mine\"}", NULL));
    assert_string_equal("current", client->error.field);
    assert_int_equal(ERROR_INVALID, identity_act(client, METHOD_POST, "/v1/auth/password", "{\"current\":\"" IDENTITY_PASSWORD "\",\"new\":\"ann@shop.example\"}", NULL));
    assert_string_equal("new", client->error.field);
    IDENTITY_OK(client, identity_act(client, METHOD_POST, "/v1/auth/password", "{\"current\":\"" IDENTITY_PASSWORD "\",\"new\":\"six new words of mine\"}", NULL));
    assert_int_equal(ERROR_UNAUTHENTICATED, refresh(other, other->refresh));
    IDENTITY_OK(client, refresh(client, client->refresh));
    assert_int_equal(1, identity_count(f->base, "select count(*) from mail_outbox"));
    /* Who found the computer unlocked cannot try for ever. */
    for (int i = 0; i < IDENTITY_FAILURES; i++)
        assert_int_equal(ERROR_INVALID, identity_act(client, METHOD_POST, "/v1/auth/password", "{\"current\":\"" WRONG "\",\"new\":\"seven new words of mine\"}", NULL));
    assert_int_equal(ERROR_RATE_LIMITED, identity_act(client, METHOD_POST, "/v1/auth/password", "{\"current\":\"six new words of mine\",\"new\":\"seven new words of mine\"}", NULL));
    assert_int_equal(IDENTITY_LOCK_MS, client->output.retry_after_ms);
    identity_client_destroy(other);
}

static void verifies_an_address_once_within_a_day(void **state)
{
    struct fixture *f = *state;
    struct identity_client *client = f->client;
    char token[TENANT_TOKEN_SIZE + 1], body[128];
    IDENTITY_OK(client, identity_login(client, ANN, IDENTITY_PASSWORD));
    IDENTITY_OK(client, identity_act(client, METHOD_POST, "/v1/auth/email/resend", NULL, NULL));
    identity_mailed_token(f->base, ANN, token);
    snprintf(body, sizeof body, "{\"token\":\"%s\"}", token);
    client->call.now_ms += CONTROL_SESSION_MS / 7;
    assert_int_equal(ERROR_INVALID, identity_act(client, METHOD_POST, "/v1/auth/email/verify", body, NULL));
    for (int i = 0; i < 3; i++) IDENTITY_OK(client, identity_act(client, METHOD_POST, "/v1/auth/email/resend", NULL, NULL));
    assert_int_equal(ERROR_RATE_LIMITED, identity_act(client, METHOD_POST, "/v1/auth/email/resend", NULL, NULL));
    identity_mailed_token(f->base, ANN, token);
    snprintf(body, sizeof body, "{\"token\":\"%s\"}", token);
    IDENTITY_OK(client, identity_act(client, METHOD_POST, "/v1/auth/email/verify", body, NULL));
    assert_int_equal(ERROR_INVALID, identity_act(client, METHOD_POST, "/v1/auth/email/verify", body, NULL));
    assert_int_equal(1, identity_count(f->base, "select count(*) from users where email_verified"));
    assert_int_equal(ERROR_CONFLICT, identity_act(client, METHOD_POST, "/v1/auth/email/resend", NULL, NULL));
}

static void keeps_no_token_or_password_where_it_could_be_read(void **state)
{
    struct fixture *f = *state;
    char sql[512], token[TENANT_TOKEN_SIZE + 1];
    IDENTITY_OK(f->client, identity_login(f->client, ANN, IDENTITY_PASSWORD));
    IDENTITY_OK(f->client, identity_act(f->client, METHOD_POST, "/v1/auth/password/forgot", "{\"email\":\"" ANN "\"}", NULL));
    identity_mailed_token(f->base, ANN, token);
    const char *secrets[] = {token, f->client->refresh, IDENTITY_PASSWORD};
    const char *columns[] = {"token_hash from refresh_tokens", "token_hash from password_reset_tokens", "event from audit_outbox",
                             "message_encrypted from mail_outbox", "password_hash from users"};
    for (size_t s = 0; s < 3; s++)
        for (size_t c = 0; c < 5; c++) {
            snprintf(sql, sizeof sql, "select count(*) from (select %s) as x(t) where t like '%%%s%%'", columns[c], secrets[s]);
            if (strcmp(f->base->backend->name, "sqlite") == 0)
                snprintf(sql, sizeof sql, "with x(t) as (select %s) select count(*) from x where instr(t, '%s') > 0", columns[c], secrets[s]);
            assert_int_equal(0, identity_count(f->base, sql));
        }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(logs_in_and_says_who_one_is),
        TEST(gives_cookies_to_browsers_that_ask_and_no_tokens_to_pages),
        TEST(answers_unknown_addresses_like_wrong_passwords),
        TEST(locks_for_15_minutes_after_5_failures_within_15),
        TEST(forgets_failures_after_15_minutes_and_after_a_login),
        TEST(ends_the_session_when_a_refresh_token_comes_twice),
        TEST(refuses_refresh_tokens_that_are_old_made_up_or_of_users_who_may_not_log_in),
        TEST(lets_no_session_live_longer_than_90_days),
        TEST(ends_sessions_by_logout_one_by_one_and_all_others),
        TEST(bounds_the_sessions_of_a_user),
        TEST(lets_one_of_many_at_once_use_a_refresh_token),
        TEST(lets_one_of_many_at_once_use_a_reset_token),
        TEST(gives_guessers_at_once_no_more_than_five_tries),
        TEST(resets_a_forgotten_password_once_within_an_hour_and_ends_all_sessions),
        TEST(tells_nobody_whether_an_address_has_an_account_and_mails_three_times_an_hour),
        TEST(changes_ones_password_and_ends_the_other_sessions),
        TEST(verifies_an_address_once_within_a_day),
        TEST(keeps_no_token_or_password_where_it_could_be_read),
    };
    return meta_test_run("login", tests, sizeof tests / sizeof *tests, NULL, 0);
}
