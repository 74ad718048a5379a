/* SPDX-License-Identifier: Apache-2.0 */
/* Administrators and the first owner: invitations, locks, help that gives nobody more than he has; on every database. */
#include "control/identity_fixture.h"

#include "control/mfa.h"
#include "control/owner.h"

#define ADMIN "admin@shop.example"
#define BOSS "boss@shop.example"
#define ANN "ann@shop.example"

struct fixture {
    struct control_fixture *base;
    struct identity_client *admin, *ann;
    char admin_id[37], boss_id[37], ann_id[37];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (control_fixture_setup(state)) return 1;
    f->base = *state;
    snprintf(f->base->control.public_url, sizeof f->base->control.public_url, "https://millrace.example");
    identity_add_user(f->base, BOSS, "super_admin", f->boss_id);
    identity_add_user(f->base, ADMIN, "admin", f->admin_id);
    identity_add_user(f->base, ANN, "viewer", f->ann_id);
    f->admin = identity_client_create(f->base);
    f->ann = identity_client_create(f->base);
    *state = f;
    IDENTITY_OK(f->admin, identity_login(f->admin, ADMIN, IDENTITY_PASSWORD));
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    void *base = f->base;
    identity_client_destroy(f->admin);
    identity_client_destroy(f->ann);
    free(f);
    return control_fixture_teardown(&base);
}

static void invites_a_user_who_then_chooses_a_password(void **state)
{
    struct fixture *f = *state;
    char body[256];
    IDENTITY_OK(f->admin, identity_act(f->admin, METHOD_POST, "/v1/users", "{\"email\":\"Bob@shop.example\",\"first_name\":\"Bob\",\"role\":\"developer\"}", NULL));
    const char *link = identity_get(f->admin, NULL, "link");
    assert_true(slice_starts_with(slice_from_string(link), SLICE("https://millrace.example/#reset-password=")));
    assert_int_equal(ERROR_UNAUTHENTICATED, identity_login(f->ann, "bob@shop.example", ""  "no password yet"));
    snprintf(body, sizeof body, "{\"token\":\"%s\",\"password\":\"six new words of mine\"}", strchr(link, '=') + 1);
    f->ann->call.now_ms += 2 * IDENTITY_DAY_MS;
    IDENTITY_OK(f->ann, identity_act(f->ann, METHOD_POST, "/v1/auth/password/reset", body, NULL));
    IDENTITY_OK(f->ann, identity_login(f->ann, "bob@shop.example", "six new words of mine"));
    IDENTITY_OK(f->ann, identity_act(f->ann, METHOD_GET, "/v1/auth/me", NULL, NULL));
    assert_non_null(strstr(identity_get(f->ann, NULL, "roles"), "\"role_type\":\"developer\""));
    /* The address is taken among the living only. */
    assert_int_equal(ERROR_CONFLICT, identity_act(f->admin, METHOD_POST, "/v1/users", "{\"email\":\"bob@shop.example\"}", NULL));
    assert_string_equal("email", f->admin->error.field);
    control_fixture_execute(f->base, "update users set deleted_at = 1 where email = 'bob@shop.example'");
    IDENTITY_OK(f->admin, identity_act(f->admin, METHOD_POST, "/v1/users", "{\"email\":\"bob@shop.example\"}", NULL));
}

static void mails_the_invitation_where_mail_is_configured(void **state)
{
    struct fixture *f = *state;
    char token[TENANT_TOKEN_SIZE + 1];
    f->base->control.mail_is_configured = true;
    IDENTITY_OK(f->admin, identity_act(f->admin, METHOD_POST, "/v1/users", "{\"email\":\"bob@shop.example\"}", NULL));
    assert_string_equal("true", identity_get(f->admin, NULL, "mailed"));
    assert_true(slice_find(buffer_slice(&f->admin->out), SLICE("reset-password")) < 0);
    identity_mailed_token(f->base, "bob@shop.example", token);
    /* A mail without an address to go to helps nobody. */
    f->base->control.public_url[0] = 0;
    IDENTITY_OK(f->admin, identity_act(f->admin, METHOD_POST, "/v1/users", "{\"email\":\"carl@shop.example\"}", NULL));
    assert_true(slice_starts_with(slice_from_string(identity_get(f->admin, NULL, "link")), SLICE("/#reset-password=")));
}

static void gives_no_role_that_is_more_than_ones_own(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ERROR_FORBIDDEN, identity_act(f->admin, METHOD_POST, "/v1/users", "{\"email\":\"evil@shop.example\",\"role\":\"super_admin\"}", NULL));
    assert_int_equal(0, identity_count(f->base, "select count(*) from users where email = 'evil@shop.example'"));
    /* Who may write users, but gives no roles. */
    IDENTITY_OK(f->ann, identity_login(f->ann, ANN, IDENTITY_PASSWORD));
    assert_int_equal(ERROR_FORBIDDEN, identity_act(f->ann, METHOD_POST, "/v1/users", "{\"email\":\"evil@shop.example\",\"role\":\"admin\"}", NULL));
    assert_int_equal(ERROR_FORBIDDEN, identity_act(f->ann, METHOD_POST, "/v1/users", "{\"email\":\"evil@shop.example\",\"role\":\"viewer\"}", NULL));
    assert_int_equal(ERROR_INVALID, identity_act(f->admin, METHOD_POST, "/v1/users", "{\"email\":\"evil@shop.example\",\"role\":\"emperor\"}", NULL));
    assert_int_equal(ERROR_INVALID, identity_act(f->admin, METHOD_POST, "/v1/users", "{\"email\":\"evil@shop.example\",\"tenant_id\":\"0190a6f0-0000-7000-8000-00000000000b\"}", NULL));
    assert_string_equal("tenant_id", f->admin->error.field);
}

static void keeps_administrators_from_taking_stronger_accounts(void **state)
{
    struct fixture *f = *state;
    static const struct { enum request_method method; const char *path; } all[] = {
        {METHOD_POST, "/v1/users/{user_id}/lock"}, {METHOD_POST, "/v1/users/{user_id}/unlock"},
        {METHOD_POST, "/v1/users/{user_id}/password-reset"}, {METHOD_DELETE, "/v1/users/{user_id}/mfa"},
        {METHOD_GET, "/v1/users/{user_id}/sessions"}, {METHOD_DELETE, "/v1/users/{user_id}/sessions"}};
    char stranger[37];
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        assert_int_equal(ERROR_FORBIDDEN, identity_act(f->admin, all[i].method, all[i].path, NULL, f->boss_id));
        /* Another organization's users do not exist. */
        snprintf(stranger, sizeof stranger, "%s", f->admin->call.organization_id);
        snprintf(f->admin->call.organization_id, 37, "0190a6f0-0000-7000-8000-00000000000b");
        assert_int_equal(ERROR_NOT_FOUND, identity_act(f->admin, all[i].method, all[i].path, NULL, f->ann_id));
        snprintf(f->admin->call.organization_id, 37, "%s", stranger);
        assert_int_equal(ERROR_NOT_FOUND, identity_act(f->admin, all[i].method, all[i].path, NULL, "0190a6f0-0000-7000-8000-00000000000c"));
        assert_int_equal(ERROR_NOT_FOUND, identity_act(f->admin, all[i].method, all[i].path, NULL, "x"));
    }
    /* Somebody with a smaller role, were he let in here: not the admin's account. */
    IDENTITY_OK(f->ann, identity_login(f->ann, ANN, IDENTITY_PASSWORD));
    assert_int_equal(ERROR_FORBIDDEN, identity_act(f->ann, METHOD_POST, "/v1/users/{user_id}/password-reset", NULL, f->admin_id));
    assert_int_equal(ERROR_FORBIDDEN, identity_act(f->ann, METHOD_DELETE, "/v1/users/{user_id}/mfa", NULL, f->admin_id));
    assert_int_equal(0, identity_count(f->base, "select count(*) from password_reset_tokens"));
}

static void locks_and_unlocks(void **state)
{
    struct fixture *f = *state;
    IDENTITY_OK(f->ann, identity_login(f->ann, ANN, IDENTITY_PASSWORD));
    int64_t before = identity_count(f->base, "select revision from access_revision");
    IDENTITY_OK(f->admin, identity_act(f->admin, METHOD_POST, "/v1/users/{user_id}/lock", NULL, f->ann_id));
    assert_true(identity_count(f->base, "select revision from access_revision") > before);
    assert_int_equal(ERROR_UNAUTHENTICATED, identity_act(f->ann, METHOD_POST, "/v1/auth/refresh", NULL, NULL));
    assert_int_equal(ERROR_UNAUTHENTICATED, identity_login(f->ann, ANN, IDENTITY_PASSWORD));
    f->ann->call.now_ms += 2 * IDENTITY_LOCK_MS;
    assert_int_equal(ERROR_UNAUTHENTICATED, identity_login(f->ann, ANN, IDENTITY_PASSWORD));
    IDENTITY_OK(f->admin, identity_act(f->admin, METHOD_POST, "/v1/users/{user_id}/unlock", NULL, f->ann_id));
    IDENTITY_OK(f->ann, identity_login(f->ann, ANN, IDENTITY_PASSWORD));
    /* Wrong passwords, forgiven. */
    for (int i = 0; i < IDENTITY_FAILURES; i++) assert_int_equal(ERROR_UNAUTHENTICATED, identity_login(f->ann, ANN, "wrong words here"));
    IDENTITY_OK(f->admin, identity_act(f->admin, METHOD_POST, "/v1/users/{user_id}/unlock", NULL, f->ann_id));
    IDENTITY_OK(f->ann, identity_login(f->ann, ANN, IDENTITY_PASSWORD));
    assert_int_equal(1, control_fixture_audited(f->base, f->base->control.core, "user.locked"));
}

static void never_locks_the_last_super_administrator(void **state)
{
    struct fixture *f = *state;
    char other[37];
    f->admin->call.actor.is_super = true;
    assert_int_equal(ERROR_CONFLICT, identity_act(f->admin, METHOD_POST, "/v1/users/{user_id}/lock", NULL, f->boss_id));
    assert_int_equal(0, identity_count(f->base, "select count(*) from users where is_locked"));
    identity_add_user(f->base, "deputy@shop.example", "super_admin", other);
    IDENTITY_OK(f->admin, identity_act(f->admin, METHOD_POST, "/v1/users/{user_id}/lock", NULL, f->boss_id));
}

static void helps_with_sessions_passwords_and_second_factors(void **state)
{
    struct fixture *f = *state;
    char body[256];
    IDENTITY_OK(f->ann, identity_login(f->ann, ANN, IDENTITY_PASSWORD));
    IDENTITY_OK(f->admin, identity_act(f->admin, METHOD_GET, "/v1/users/{user_id}/sessions", NULL, f->ann_id));
    assert_non_null(strstr(identity_get(f->admin, NULL, "data"), f->ann->call.actor.session_id));
    IDENTITY_OK(f->admin, identity_act(f->admin, METHOD_DELETE, "/v1/users/{user_id}/sessions", NULL, f->ann_id));
    assert_string_equal("1", identity_get(f->admin, NULL, "ended"));
    assert_int_equal(ERROR_UNAUTHENTICATED, identity_act(f->ann, METHOD_POST, "/v1/auth/refresh", NULL, NULL));
    IDENTITY_OK(f->admin, identity_act(f->admin, METHOD_POST, "/v1/users/{user_id}/password-reset", NULL, f->ann_id));
    snprintf(body, sizeof body, "{\"token\":\"%s\",\"password\":\"six new words of mine\"}", strchr(identity_get(f->admin, NULL, "link"), '=') + 1);
    IDENTITY_OK(f->ann, identity_act(f->ann, METHOD_POST, "/v1/auth/password/reset", body, NULL));
    /* The link came from an administrator, not by mail: it shows nothing about the address. */
    assert_int_equal(0, identity_count(f->base, "select count(*) from users where email_verified"));
    IDENTITY_OK(f->ann, identity_login(f->ann, ANN, "six new words of mine"));
    IDENTITY_OK(f->ann, identity_act(f->ann, METHOD_POST, "/v1/auth/mfa/setup", NULL, NULL));
    control_fixture_execute(f->base, "update mfa_secrets set is_enabled = true");
    IDENTITY_OK(f->ann, identity_login(f->ann, ANN, "six new words of mine"));
    assert_int_equal(CONTROL_ACTOR_NOBODY, f->ann->call.actor.kind);
    IDENTITY_OK(f->admin, identity_act(f->admin, METHOD_DELETE, "/v1/users/{user_id}/mfa", NULL, f->ann_id));
    IDENTITY_OK(f->ann, identity_login(f->ann, ANN, "six new words of mine"));
    assert_int_equal(CONTROL_ACTOR_USER, f->ann->call.actor.kind);
}

/* ---- the owner: without anybody there before ---- */

static struct control_call system_call(struct control_fixture *fixture)
{
    struct control_call call = fixture->call;
    call.actor = (struct control_actor){.kind = CONTROL_ACTOR_SYSTEM, .is_super = true};
    call.organization_id[0] = 0;
    return call;
}

static void makes_one_owner_where_nobody_is(void **state)
{
    struct control_fixture *fixture = *state;
    struct control_call call = system_call(fixture);
    struct control_owner owner, again;
    struct identity_client *client = identity_client_create(fixture);
    IDENTITY_OK(fixture, control_owner_ensure(&call, "", NULL, &owner, &fixture->error));
    assert_true(owner.made);
    assert_string_equal(CONTROL_OWNER_EMAIL, owner.email);
    assert_int_equal(CONTROL_PASSWORD_MADE_SIZE, strlen(owner.password));
    IDENTITY_OK(fixture, control_owner_ensure(&call, "other@shop.example", NULL, &again, &fixture->error));
    assert_false(again.made);
    assert_string_equal("", again.password);
    assert_int_equal(1, identity_count(fixture, "select count(*) from users"));
    IDENTITY_OK(client, identity_login(client, owner.email, owner.password));
    IDENTITY_OK(client, identity_act(client, METHOD_GET, "/v1/auth/me", NULL, NULL));
    assert_non_null(strstr(identity_get(client, NULL, "roles"), "super_admin"));
    identity_client_destroy(client);
}

static void takes_the_owners_password_from_the_environment_if_it_is_good(void **state)
{
    struct control_fixture *fixture = *state;
    struct control_call call = system_call(fixture);
    struct control_owner owner;
    struct identity_client *client = identity_client_create(fixture);
    assert_int_equal(ERROR_INVALID, control_owner_ensure(&call, "me@shop.example", "password1234", &owner, &fixture->error));
    assert_string_equal("MILLRACE_OWNER_PASSWORD", fixture->error.field);
    assert_int_equal(ERROR_INVALID, control_owner_ensure(&call, "not an address", IDENTITY_PASSWORD, &owner, &fixture->error));
    assert_int_equal(0, identity_count(fixture, "select count(*) from users"));
    IDENTITY_OK(fixture, control_owner_ensure(&call, "Me@shop.example", IDENTITY_PASSWORD, &owner, &fixture->error));
    assert_true(owner.made);
    assert_string_equal("", owner.password);
    IDENTITY_OK(client, identity_login(client, "me@shop.example", IDENTITY_PASSWORD));
    identity_client_destroy(client);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define EMPTY_TEST(name) cmocka_unit_test_setup_teardown(name, control_fixture_setup, control_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(invites_a_user_who_then_chooses_a_password),
        TEST(mails_the_invitation_where_mail_is_configured),
        TEST(gives_no_role_that_is_more_than_ones_own),
        TEST(keeps_administrators_from_taking_stronger_accounts),
        TEST(locks_and_unlocks),
        TEST(never_locks_the_last_super_administrator),
        TEST(helps_with_sessions_passwords_and_second_factors),
        EMPTY_TEST(makes_one_owner_where_nobody_is),
        EMPTY_TEST(takes_the_owners_password_from_the_environment_if_it_is_good),
    };
    return meta_test_run("users", tests, sizeof tests / sizeof *tests, NULL, 0);
}
