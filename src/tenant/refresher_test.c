/* SPDX-License-Identifier: Apache-2.0 */
/* A running refresher with two event loops: what the metadata says is what loops know, within a second of a change. */
#include "meta/test_backend.h"

#include <sys/wait.h>
#include <unistd.h>

#include "meta/migrate_meta.h"
#include "os/clock.h"
#include "os/thread.h"
#include "tenant/authorization.h"
#include "tenant/jwt.h"
#include "tenant/refresher.h"
#include "tenant/secret.h"
#include "tenant/verifier.h"

#define OK(call) assert_int_equal(ERROR_NONE, (call))
#define LOOP_COUNT 2
#define ID(number) "00000000-0000-4000-8000-0000000000" number
#define REGION ID("01")
#define ORGANIZATION ID("02")
#define OTHER_ORGANIZATION ID("03")
#define WORKSPACE ID("04")
#define OTHER_WORKSPACE ID("05")
#define TENANT ID("06")
#define SECOND_TENANT ID("07")
#define OTHER_TENANT ID("08")
#define USER ID("10")
#define SESSION ID("11")
#define WRITE_KEY ID("20")
#define SECRET "0123456789012345678901234567890123456789abc"
#define SECRET_KEY "mrs_abcdefghij012345_" SECRET

static const unsigned char jwt_key[TENANT_SECRET_SIZE] = {1};
static char secret_hash[TENANT_PHC_LIMIT];

struct fixture {
    const struct meta_test_backend *backend;
    char location[META_TEST_LOCATION_SIZE];
    struct meta_database *database;
    struct os_loop *loops[LOOP_COUNT];
    struct tenant_view views[LOOP_COUNT];
    struct os_thread threads[LOOP_COUNT];
    struct tenant_refresher *refresher;
    atomic_int failures, recoveries;
    struct error error;
};

static void run_loop(void *context) { os_loop_run(context); }

static void count_reports(void *context, const struct error *error)
{
    struct fixture *f = context;
    atomic_fetch_add(error ? &f->failures : &f->recoveries, 1);
}

/* Statements without parameters, and the revision raised as every change of control/ raises it; one transaction. */
static void change_in(struct meta_database *database, const char *sql)
{
    struct meta_session *session;
    struct error error = {0};
    if (meta_session_begin(database, 0, &session, &error) || meta_begin(session, &error) ||
        meta_execute_script(session, sql, &error) ||
        meta_execute(session, "update access_revision set revision = revision + 1 where id = 1", NULL, 0, NULL, &error) ||
        meta_commit(session, &error))
        fail_msg("%s: %s", sql, error.message);
    meta_session_end(session);
}
static void change(struct fixture *f, const char *sql) { change_in(f->database, sql); }
static void changef(struct fixture *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void changef(struct fixture *f, const char *format, ...)
{
    char sql[4096];
    va_list arguments;
    va_start(arguments, format);
    assert_true(vsnprintf(sql, sizeof sql, format, arguments) < (int)sizeof sql);
    va_end(arguments);
    change(f, sql);
}

#define KEY_COLUMNS "api_key_id, tenant_id, kind, key_id, secret_hash, prefix, created_at, updated_at"
static void insert_world(struct fixture *f)
{
    change(f, "insert into regions (region_id, name, code, created_at, updated_at) values ('" REGION "', 'R', 'r', 1, 1);"
              "insert into organizations (organization_id, region_id, name, code, created_at, updated_at) values"
              " ('" ORGANIZATION "', '" REGION "', 'O', 'o', 1, 1), ('" OTHER_ORGANIZATION "', '" REGION "', 'P', 'p', 1, 1);"
              "insert into workspaces (workspace_id, organization_id, name, code, created_at, updated_at) values"
              " ('" WORKSPACE "', '" ORGANIZATION "', 'W', 'w', 1, 1), ('" OTHER_WORKSPACE "', '" OTHER_ORGANIZATION "', 'X', 'x', 1, 1);"
              "insert into tenants (tenant_id, workspace_id, name, code, created_at, updated_at) values"
              " ('" TENANT "', '" WORKSPACE "', 'Shop', 'shop', 1, 1), ('" SECOND_TENANT "', '" WORKSPACE "', 'Second', 'second', 1, 1),"
              " ('" OTHER_TENANT "', '" OTHER_WORKSPACE "', 'Other', 'other', 1, 1);"
              "insert into users (user_id, organization_id, tenant_id, email, created_at, updated_at) values"
              " ('" USER "', '" ORGANIZATION "', '" TENANT "', 'user@example.com', 1, 1)");
    changef(f, "insert into api_keys (" KEY_COLUMNS ") values ('" ID("30") "', '" TENANT "', 'write', '" WRITE_KEY "', '', 'p', 1, 1),"
               " ('" ID("31") "', '" TENANT "', 'secret', 'abcdefghij012345', '%s', 'p', 1, 1);"
               "insert into api_key_permissions (api_key_permission_id, api_key_id, permission, granted_at) values"
               " ('a', '" ID("30") "', 'events:write', 1), ('b', '" ID("31") "', 'events:read', 1), ('c', '" ID("31") "', 'events:write', 1),"
               " ('d', '" ID("30") "', 'events:read', 1), ('e', '" ID("31") "', 'users:write', 1), ('f', '" ID("31") "', 'later:invented', 1)",
            secret_hash);
    /* Permissions and built-in roles, as the program writes them. */
    for (size_t i = 0; i < TENANT_PERMISSION_COUNT; i++)
        changef(f, "insert into permissions (permission_id, resource, action, name, created_at) values ('p%zu', '%s', '%s', '%s', 1)",
                i, tenant_permissions[i].resource, tenant_permissions[i].action, tenant_permissions[i].name);
    for (int i = 0; i < TENANT_ROLE_CUSTOM; i++)
        changef(f, "insert into roles (role_id, name, role_type, created_at, updated_at) values ('%s', '%s', '%s', 1, 1)",
                tenant_role_type_name(i), tenant_role_type_name(i), tenant_role_type_name(i));
}

static int make_hash(void)
{
    return secret_hash[0] ? ERROR_NONE : tenant_argon2_hash(TENANT_ARGON2_KEY, SLICE(SECRET), secret_hash, NULL);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    OK(make_hash());
    f->backend = *state;
    f->backend->create(f->location);
    OK(meta_open_service(f->location, META_SERVICE_CORE, NULL, NULL, &f->database, &f->error));
    insert_world(f);
    struct tenant_view *views[LOOP_COUNT];
    for (int i = 0; i < LOOP_COUNT; i++) {
        f->loops[i] = os_loop_create(&f->error);
        assert_non_null(f->loops[i]);
        views[i] = &f->views[i];
    }
    if (tenant_refresher_start(f->database, f->loops, views, LOOP_COUNT, count_reports, f, &f->refresher, &f->error))
        fail_msg("%s", f->error.message);
    for (int i = 0; i < LOOP_COUNT; i++)
        OK(os_thread_start(&f->threads[i], "loop", run_loop, f->loops[i], &f->error));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    tenant_refresher_stop(f->refresher);
    for (int i = 0; i < LOOP_COUNT; i++) {
        os_loop_stop(f->loops[i]);
        os_thread_join(&f->threads[i]);
        os_loop_destroy(f->loops[i]);
        tenant_view_fini(&f->views[i]);
    }
    meta_close(f->database);
    f->backend->destroy(f->location);
    free(f);
    return 0;
}

/* Asks in a loop, as a request would: with a key or a token, in a scope. */
struct probe {
    struct os_task task; /* first */
    struct tenant_verifier_wait wait;
    const struct tenant_view *view;
    struct tenant_credentials credentials;
    struct tenant_scope scope;
    enum tenant_permission permission;
    enum error_code code;
    struct error error;
    uint64_t rate_limit;
    pthread_mutex_t mutex;
    pthread_cond_t done_changed;
    bool done;
};

static void probe_end(struct probe *probe, enum error_code code)
{
    pthread_mutex_lock(&probe->mutex);
    probe->code = code;
    probe->done = true;
    pthread_cond_signal(&probe->done_changed);
    pthread_mutex_unlock(&probe->mutex);
}

static void run_probe(struct os_task *task);
static void probe_verified(struct tenant_verifier_wait *wait, enum error_code code, const struct error *error)
{
    struct probe *probe = (struct probe *)((char *)wait - offsetof(struct probe, wait));
    if (code) probe_end(probe, code);
    else run_probe(&probe->task);
}

static void run_probe(struct os_task *task)
{
    struct probe *probe = (struct probe *)task;
    struct tenant_subject_request request = {.credentials = probe->credentials, .jwt_key = jwt_key,
                                             .origin = SLICE("https://shop.example"), .client_address = SLICE("192.0.2.1"),
                                             .now_ms = os_clock_wall_ms()};
    struct tenant_subject subject;
    struct tenant_rate rate;
    enum tenant_key_outcome outcome = tenant_subject_find(probe->view, &request, &subject, &rate, &probe->error);
    probe->rate_limit = rate.limit;
    if (outcome == TENANT_KEY_PENDING) {
        probe->wait.done = probe_verified;
        OK(tenant_verifier_wait(probe->view, probe->credentials.text, &probe->wait, &probe->error));
        return;
    }
    enum error_code code = outcome == TENANT_KEY_REFUSED ? probe->error.code : ERROR_NONE;
    if (!code)
        code = tenant_access_decide(tenant_view_snapshot(probe->view), &subject, probe->scope, probe->permission,
                                    os_clock_wall_ms(), &probe->error);
    probe_end(probe, code);
}

static enum error_code ask(struct fixture *f, int loop, struct probe probe)
{
    pthread_mutex_init(&probe.mutex, NULL);
    pthread_cond_init(&probe.done_changed, NULL);
    probe.task.run = run_probe;
    probe.view = &f->views[loop];
    os_loop_post(f->loops[loop], &probe.task);
    pthread_mutex_lock(&probe.mutex);
    while (!probe.done) pthread_cond_wait(&probe.done_changed, &probe.mutex);
    pthread_mutex_unlock(&probe.mutex);
    f->error = probe.error;
    pthread_mutex_destroy(&probe.mutex);
    pthread_cond_destroy(&probe.done_changed);
    return probe.code;
}

static struct probe with_key(const char *key, enum tenant_permission permission)
{
    return (struct probe){.credentials = {TENANT_CREDENTIALS_KEY, slice_from_string(key), false},
                          .scope = {TENANT_SCOPE_TENANT, TENANT}, .permission = permission};
}

static enum error_code check_in_loop(struct fixture *f, int loop, const char *key)
{
    return ask(f, loop, with_key(key, TENANT_EVENTS_WRITE));
}

/* A token of the user, valid for fifteen minutes. */
static struct slice token(void)
{
    static struct buffer out;
    if (out.size) return buffer_slice(&out);
    struct tenant_jwt_claims claims = {.user_id = USER, .email = "user@example.com", .session_id = SESSION,
                                       .organization_id = ORGANIZATION, .id = ID("12")};
    claims.issued_s = os_clock_wall_ms() / 1000;
    claims.expires_s = claims.issued_s + 900;
    tenant_jwt_make(jwt_key, &claims, &out);
    return buffer_slice(&out);
}

static struct probe as_user(struct tenant_scope scope, enum tenant_permission permission)
{
    return (struct probe){.credentials = {TENANT_CREDENTIALS_TOKEN, token(), false}, .scope = scope, .permission = permission};
}

/* Until every loop answers so. */
static void wait_until(struct fixture *f, struct probe probe, enum error_code expected, int64_t limit_ms)
{
    int64_t start_ms = os_clock_monotonic_ms();
    for (int loop = 0; loop < LOOP_COUNT; loop++)
        while (ask(f, loop, probe) != expected) {
            if (os_clock_monotonic_ms() - start_ms > limit_ms)
                fail_msg("not seen in loop %d after %d ms: %s", loop, (int)limit_ms, f->error.message);
            nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
        }
}
static void wait_for_answer(struct fixture *f, const char *key, enum error_code expected, int64_t limit_ms)
{
    wait_until(f, with_key(key, TENANT_EVENTS_WRITE), expected, limit_ms);
}

static void loops_know_the_keys_before_they_run(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < LOOP_COUNT; i++) {
        OK(check_in_loop(f, i, WRITE_KEY));
        OK(check_in_loop(f, i, SECRET_KEY));
        OK(ask(f, i, with_key(SECRET_KEY, TENANT_EVENTS_READ)));
        /* Rows that give a kind of key what it may not have give nothing. */
        assert_int_equal(ERROR_FORBIDDEN, ask(f, i, with_key(WRITE_KEY, TENANT_EVENTS_READ)));
        assert_int_equal(ERROR_FORBIDDEN, ask(f, i, with_key(SECRET_KEY, TENANT_USERS_WRITE)));
        assert_int_equal(ERROR_UNAUTHENTICATED, check_in_loop(f, i, "mrs_abcdefghij012345_" "x123456789012345678901234567890123456789abc"));
    }
    assert_int_equal(2, tenant_refresher_verifications(f->refresher));
}

static void a_revoked_key_is_refused_by_every_loop_within_a_second(void **state)
{
    struct fixture *f = *state;
    OK(check_in_loop(f, 0, WRITE_KEY));
    change(f, "update api_keys set status = 'revoked', revoked_at = 9999999999999, version = 2 where kind = 'write'");
    wait_for_answer(f, WRITE_KEY, ERROR_UNAUTHENTICATED, 1000);
    assert_non_null(strstr(f->error.message, "revoked"));
    OK(check_in_loop(f, 0, SECRET_KEY));
    change(f, "update api_keys set status = 'revoked', revoked_at = 9999999999999, version = 2 where kind = 'secret'");
    wait_for_answer(f, SECRET_KEY, ERROR_UNAUTHENTICATED, 1000);
}

static void limits_of_a_key_are_read(void **state)
{
    struct fixture *f = *state;
    change(f, "update api_keys set allowed_origins = 'a.example', rate_limit = 5, allowed_addresses = '192.0.2.0/24' where kind = 'write'");
    wait_for_answer(f, WRITE_KEY, ERROR_FORBIDDEN, 1000);
    assert_string_equal("origin", f->error.field);
    change(f, "update api_keys set allowed_origins = '*.shop.example' where kind = 'write'");
    wait_for_answer(f, WRITE_KEY, ERROR_NONE, 1000);
    /* The rate is of the key, not of a loop or of a snapshot. */
    wait_for_answer(f, WRITE_KEY, ERROR_RATE_LIMITED, 1000);
    uint64_t before = tenant_refresher_generation(f->refresher);
    tenant_refresher_poke(f->refresher);
    while (tenant_refresher_generation(f->refresher) == before) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    assert_int_equal(ERROR_RATE_LIMITED, check_in_loop(f, 0, WRITE_KEY));
    change(f, "update api_keys set rate_limit = 0, allowed_addresses = '198.51.100.0/24' where kind = 'write'");
    wait_for_answer(f, WRITE_KEY, ERROR_FORBIDDEN, 1000);
    assert_string_equal("address", f->error.field);
}

/* A snapshot of this moment; the caller has the reference. */
static const struct tenant_snapshot *build(struct fixture *f)
{
    const struct tenant_snapshot *snapshot = NULL;
    int64_t revision;
    OK(tenant_snapshot_build(f->database, NULL, os_clock_wall_ms(), &snapshot, &revision, &f->error));
    return snapshot;
}

static void settings_of_tenants_are_read_and_wrong_ones_are_as_if_they_were_not_set(void **state)
{
    struct fixture *f = *state;
    const struct tenant_snapshot *snapshot = build(f);
    const struct tenant_info *tenant = tenant_snapshot_find(snapshot, SLICE(TENANT));
    assert_int_equal(TENANT_TRACK_ALL, tenant->do_not_track);
    assert_false(tenant->allow_public_revenue);
    assert_int_equal(0, tenant->filter_count);
    tenant_snapshot_release(snapshot);
    change(f, "update tenants set settings = '{\"do_not_track\": \"drop\", \"allow_public_revenue\": true, \"filters\":"
              " [{\"type\": \"event\", \"name\": \"*\", \"filters\": [{\"name\": \"path\", \"operator\": \"is\", \"value\": [\"/a\"]}]}]}'"
              " where tenant_id = '" TENANT "'");
    snapshot = build(f);
    tenant = tenant_snapshot_find(snapshot, SLICE(TENANT));
    assert_int_equal(TENANT_TRACK_DROP, tenant->do_not_track);
    assert_true(tenant->allow_public_revenue);
    assert_int_equal(1, tenant->filter_count);
    assert_true(slice_equal(tenant->filters[0].conditions[0].values[0], SLICE("/a")));
    assert_int_equal(TENANT_TRACK_ALL, tenant_snapshot_find(snapshot, SLICE(SECOND_TENANT))->do_not_track);
    tenant_snapshot_release(snapshot);
    change(f, "update tenants set settings = '{\"do_not_track\": \"never\", \"allow_public_revenue\": true}' where tenant_id = '" TENANT "'");
    snapshot = build(f);
    tenant = tenant_snapshot_find(snapshot, SLICE(TENANT));
    assert_int_equal(TENANT_TRACK_ALL, tenant->do_not_track);
    assert_true(tenant->allow_public_revenue);
    tenant_snapshot_release(snapshot);
}

static void a_rotated_key_works_under_both_names_until_its_grace_ends(void **state)
{
    struct fixture *f = *state;
    OK(check_in_loop(f, 0, SECRET_KEY));
    changef(f, "update api_keys set previous_key_id = key_id, previous_secret_hash = secret_hash, key_id = 'newnewnewnewnewn',"
               " secret_hash = '%s', version = 2, grace_period_expires_at = 9999999999999 where kind = 'secret'", secret_hash);
    wait_for_answer(f, "mrs_newnewnewnewnewn_" SECRET, ERROR_NONE, 1000);
    OK(check_in_loop(f, 0, SECRET_KEY));
    change(f, "update api_keys set grace_period_expires_at = 1 where kind = 'secret'");
    wait_for_answer(f, SECRET_KEY, ERROR_UNAUTHENTICATED, 1000);
    OK(check_in_loop(f, 0, "mrs_newnewnewnewnewn_" SECRET));
}

static const struct tenant_scope tenant = {TENANT_SCOPE_TENANT, TENANT}, second = {TENANT_SCOPE_TENANT, SECOND_TENANT},
                                 other = {TENANT_SCOPE_TENANT, OTHER_TENANT}, organization = {TENANT_SCOPE_ORGANIZATION, ORGANIZATION},
                                 installation = {TENANT_SCOPE_INSTALLATION, NULL};

static void roles_given_and_taken_act_within_a_second(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ERROR_NOT_FOUND, ask(f, 0, as_user(tenant, TENANT_EVENTS_READ)));
    change(f, "insert into user_roles (user_role_id, user_id, role_id, tenant_id, assigned_at) values ('1', '" USER "', 'viewer', '" TENANT "', 1)");
    wait_until(f, as_user(tenant, TENANT_EVENTS_READ), ERROR_NONE, 1000);
    assert_int_equal(ERROR_FORBIDDEN, ask(f, 0, as_user(tenant, TENANT_EVENTS_WRITE)));
    assert_int_equal(ERROR_NOT_FOUND, ask(f, 0, as_user(second, TENANT_EVENTS_READ)));
    change(f, "insert into user_roles (user_role_id, user_id, role_id, assigned_at) values ('2', '" USER "', 'admin', 1)");
    wait_until(f, as_user(second, TENANT_TENANTS_DELETE), ERROR_NONE, 1000);
    OK(ask(f, 0, as_user(organization, TENANT_USERS_WRITE)));
    assert_int_equal(ERROR_NOT_FOUND, ask(f, 0, as_user(other, TENANT_EVENTS_READ)));
    assert_int_equal(ERROR_FORBIDDEN, ask(f, 0, as_user(installation, TENANT_PLATFORM_READ)));
    /* An assignment to a tenant of another organization leads nowhere. */
    change(f, "insert into user_roles (user_role_id, user_id, role_id, tenant_id, assigned_at) values ('3', '" USER "', 'viewer', '" OTHER_TENANT "', 1)");
    change(f, "insert into user_roles (user_role_id, user_id, role_id, assigned_at, expires_at) values ('4', '" USER "', 'super_admin', 1, 2)");
    change(f, "delete from user_roles where user_role_id = '2'");
    wait_until(f, as_user(second, TENANT_EVENTS_READ), ERROR_NOT_FOUND, 1000);
    assert_int_equal(ERROR_NOT_FOUND, ask(f, 0, as_user(other, TENANT_EVENTS_READ)));
    change(f, "update user_roles set expires_at = null where user_role_id = '4'");
    wait_until(f, as_user(other, TENANT_EVENTS_READ), ERROR_NONE, 1000);
    OK(ask(f, 0, as_user(installation, TENANT_PLATFORM_MANAGE)));
}

static void a_custom_role_grants_and_denies_in_its_organization(void **state)
{
    struct fixture *f = *state;
    changef(f, "insert into roles (role_id, organization_id, name, created_at, updated_at) values"
               " ('mine', '" ORGANIZATION "', 'Mine', 1, 1), ('theirs', '" OTHER_ORGANIZATION "', 'Theirs', 1, 1);"
               "insert into role_permissions (role_permission_id, role_id, permission_id, is_denied, granted_at) values"
               " ('1', 'mine', 'p%d', false, 1), ('2', 'mine', 'p%d', true, 1), ('3', 'theirs', 'p%d', false, 1);"
               "insert into user_roles (user_role_id, user_id, role_id, assigned_at) values ('1', '" USER "', 'mine', 1),"
               " ('2', '" USER "', 'theirs', 1), ('3', '" USER "', 'viewer', 1)",
            TENANT_EVENTS_WRITE, TENANT_EVENTS_READ, TENANT_FLAGS_DELETE);
    wait_until(f, as_user(tenant, TENANT_EVENTS_WRITE), ERROR_NONE, 1000);
    assert_int_equal(ERROR_FORBIDDEN, ask(f, 0, as_user(tenant, TENANT_EVENTS_READ)));
    OK(ask(f, 0, as_user(tenant, TENANT_TRACES_READ)));
    assert_int_equal(ERROR_FORBIDDEN, ask(f, 0, as_user(tenant, TENANT_FLAGS_DELETE)));
    change(f, "update roles set deleted_at = 1 where role_id = 'mine'");
    wait_until(f, as_user(tenant, TENANT_EVENTS_READ), ERROR_NONE, 1000);
}

static void a_token_stops_with_its_session_its_user_and_its_password(void **state)
{
    static const struct {
        const char *end, *again;
    } ends[] = {
        {"update user_sessions set revoked_at = 9999999999999, is_active = false", "delete from user_sessions"},
        {"update users set is_active = false", "update users set is_active = true"},
        {"update users set deleted_at = 1", "update users set deleted_at = null"},
        {"update users set is_locked = true", "update users set is_locked = false"},
        {"update users set password_changed_at = 9999999999999", "update users set password_changed_at = 1"},
    };
    struct fixture *f = *state;
    change(f, "insert into user_roles (user_role_id, user_id, role_id, assigned_at) values ('1', '" USER "', 'viewer', 1);"
              "insert into user_sessions (session_id, user_id, expires_at, last_used_at, created_at, updated_at) values"
              " ('" SESSION "', '" USER "', 9999999999999, 1, 1, 1)");
    struct probe probe = as_user(tenant, TENANT_EVENTS_READ);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        wait_until(f, probe, ERROR_NONE, 1000);
        change(f, ends[i].end);
        wait_until(f, probe, ERROR_UNAUTHENTICATED, 1000);
        change(f, ends[i].again);
    }
    /* A lock after wrong passwords is about logging in. */
    change(f, "update users set is_locked = true, locked_until = 9999999999999");
    wait_until(f, probe, ERROR_NONE, 1000);
    change(f, "update organizations set is_active = false");
    wait_until(f, probe, ERROR_FORBIDDEN, 1000);
}

static int other_process_main(const char *location)
{
    struct meta_database *database;
    struct error error;
    if (meta_open_service(location, META_SERVICE_CORE, NULL, NULL, &database, &error)) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    change_in(database, "insert into tenants (tenant_id, workspace_id, name, code, created_at, updated_at) values"
                        " ('" ID("09") "', '" WORKSPACE "', 'New', 'new', 1, 1);"
                        "insert into api_keys (" KEY_COLUMNS ") values ('" ID("32") "', '" TENANT "', 'write', 'made elsewhere', '', 'p', 1, 1);"
                        "insert into api_key_permissions (api_key_permission_id, api_key_id, permission, granted_at) values"
                        " ('z', '" ID("32") "', 'events:write', 1)");
    meta_close(database);
    return 0;
}

static void a_key_made_by_another_process_is_known_within_a_second(void **state)
{
    struct fixture *f = *state;
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "refresher_test", "create", f->location, (char *)NULL);
        _exit(127);
    }
    int status = -1;
    waitpid(child, &status, 0);
    assert_int_equal(0, status);
    wait_for_answer(f, "made elsewhere", ERROR_NONE, 1000);
    OK(check_in_loop(f, 0, WRITE_KEY));
}

static void a_poke_reads_again_although_nothing_changed(void **state)
{
    struct fixture *f = *state;
    uint64_t before = tenant_refresher_generation(f->refresher);
    assert_int_equal(1, before);
    tenant_refresher_poke(f->refresher);
    int64_t start_ms = os_clock_monotonic_ms();
    while (tenant_refresher_generation(f->refresher) == before) {
        assert_true(os_clock_monotonic_ms() - start_ms < 5000);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

/* Twenty changes each seen at once: far less than one poll each would take. */
static void after_catching_up_the_loops_know_what_was_committed_before(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 20; i++) {
        changef(f, "update tenants set is_active = %s", i % 2 ? "true" : "false");
        uint64_t before = tenant_refresher_generation(f->refresher);
        tenant_refresher_catch_up(f->refresher);
        assert_true(tenant_refresher_generation(f->refresher) >= before);
        assert_int_equal(i % 2 ? ERROR_NONE : ERROR_UNAUTHENTICATED, check_in_loop(f, 0, WRITE_KEY));
    }
    /* Nothing changed: no new snapshot is made. */
    uint64_t before = tenant_refresher_generation(f->refresher);
    tenant_refresher_catch_up(f->refresher);
    assert_int_equal(before, tenant_refresher_generation(f->refresher));
}

static void wait_for_count(atomic_int *counter)
{
    int64_t start_ms = os_clock_monotonic_ms();
    while (atomic_load(counter) == 0) {
        assert_true(os_clock_monotonic_ms() - start_ms < 5000);
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
}

static void keeps_the_last_good_snapshot_while_the_metadata_cannot_be_read(void **state)
{
    struct fixture *f = *state;
    change(f, "alter table api_key_permissions rename to hidden");
    wait_for_count(&f->failures);
    OK(check_in_loop(f, 0, WRITE_KEY));
    change(f, "alter table hidden rename to api_key_permissions");
    wait_for_count(&f->recoveries);
    assert_int_equal(1, atomic_load(&f->failures));
    OK(check_in_loop(f, 0, WRITE_KEY));
}

static void does_not_start_on_metadata_it_cannot_read(void **state)
{
    struct fixture *f = *state;
    struct tenant_refresher *refresher = NULL;
    struct tenant_view view = {0}, *views[] = {&view};
    change(f, "alter table api_keys rename to hidden");
    assert_int_equal(ERROR_INTERNAL,
                     tenant_refresher_start(f->database, f->loops, views, 1, NULL, NULL, &refresher, &f->error));
    assert_null(refresher);
    tenant_view_fini(&view);
}

static void many_changes_in_a_row_end_in_the_last_state(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 20; i++) {
        changef(f, "update tenants set is_active = %s", i % 2 ? "true" : "false");
        tenant_refresher_poke(f->refresher);
    }
    change(f, "update tenants set is_active = false");
    wait_for_answer(f, WRITE_KEY, ERROR_UNAUTHENTICATED, 1000);
    change(f, "update tenants set is_active = true");
    wait_for_answer(f, WRITE_KEY, ERROR_NONE, 1000);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "create") == 0) return other_process_main(argv[2]);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(loops_know_the_keys_before_they_run),
        TEST(a_revoked_key_is_refused_by_every_loop_within_a_second),
        TEST(limits_of_a_key_are_read),
        TEST(settings_of_tenants_are_read_and_wrong_ones_are_as_if_they_were_not_set),
        TEST(a_rotated_key_works_under_both_names_until_its_grace_ends),
        TEST(roles_given_and_taken_act_within_a_second),
        TEST(a_custom_role_grants_and_denies_in_its_organization),
        TEST(a_token_stops_with_its_session_its_user_and_its_password),
        TEST(a_key_made_by_another_process_is_known_within_a_second),
        TEST(after_catching_up_the_loops_know_what_was_committed_before),
        TEST(a_poke_reads_again_although_nothing_changed),
        TEST(keeps_the_last_good_snapshot_while_the_metadata_cannot_be_read),
        TEST(does_not_start_on_metadata_it_cannot_read),
        TEST(many_changes_in_a_row_end_in_the_last_state),
    };
    return meta_test_run("refresher", tests, sizeof tests / sizeof *tests, NULL, 0);
}
