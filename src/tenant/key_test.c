/* SPDX-License-Identifier: Apache-2.0 */
/* The check of keys: who is refused and why, places, rates, counts; and that it neither allocates nor locks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <pthread.h>

#include "os/thread.h"
#include "tenant/secret.h"
#include "tenant/verifier.h"

#define NOW_MS 1700000000000

/* ---- allocations and locks of the whole process, libraries too; sanitizers have their own ---- */

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define COUNTS_CALLS 1
static _Thread_local size_t allocations, locks;
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}
void *calloc(size_t count, size_t size)
{
    allocations++;
    return __libc_calloc(count, size);
}
void *realloc(void *old, size_t size)
{
    allocations++;
    return __libc_realloc(old, size);
}
#define LOCK(name, type)                                                        \
    int name(type *lock)                                                        \
    {                                                                           \
        static _Atomic(int (*)(type *)) next;                                   \
        if (!atomic_load(&next)) atomic_store(&next, dlsym(RTLD_NEXT, #name));  \
        locks++;                                                                \
        return atomic_load(&next)(lock);                                        \
    }
LOCK(pthread_mutex_lock, pthread_mutex_t)
LOCK(pthread_rwlock_rdlock, pthread_rwlock_t)
LOCK(pthread_rwlock_wrlock, pthread_rwlock_t)
#endif

/* ---- a snapshot ---- */

#define SECRET "0123456789012345678901234567890123456789abc"
#define SECRET_KEY "mrs_abcdefghij012345_" SECRET
struct fixture {
    struct tenant_snapshot *snapshot;
    struct tenant_info *tenant;
    struct tenant_view view;
};

static struct tenant_key *add(struct fixture *f, const char *key_id, struct tenant_key key)
{
    if (!key.tenant) key.tenant = f->tenant;
    tenant_permission_add(&key.permissions, TENANT_EVENTS_WRITE);
    return tenant_snapshot_add_key(f->snapshot, slice_from_string(key_id), SLICE_EMPTY, &key);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->snapshot = tenant_snapshot_create();
    f->tenant = tenant_snapshot_add_tenant(f->snapshot, &(struct tenant_info){.id = "t", .name = "Shop", .active = true});
    const struct tenant_info *closed = tenant_snapshot_add_tenant(f->snapshot, &(struct tenant_info){.id = "closed"});
    add(f, "write", (struct tenant_key){0});
    add(f, "revoked", (struct tenant_key){.revoked = true});
    add(f, "expired", (struct tenant_key){.expires_ms = NOW_MS});
    add(f, "expiring", (struct tenant_key){.expires_ms = NOW_MS + 1});
    add(f, "closed", (struct tenant_key){.tenant = closed});
    add(f, "abcdefghij012345", (struct tenant_key){.kind = TENANT_KEY_SECRET, .secret_hash = "", .version = 1});
    struct tenant_key rotated = {.tenant = f->tenant, .previous_until_ms = NOW_MS + 1};
    tenant_snapshot_add_key(f->snapshot, SLICE("new"), SLICE("old"), &rotated);
    rotated.previous_until_ms = NOW_MS;
    tenant_snapshot_add_key(f->snapshot, SLICE("newer"), SLICE("older"), &rotated);
    tenant_view_init(&f->view, NULL, f->snapshot);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    tenant_view_fini(&f->view);
    tenant_snapshot_release(f->snapshot);
    free(f);
    return 0;
}

static enum tenant_key_outcome check(struct fixture *f, const char *key, struct tenant_key_request request,
                                     struct tenant_key_result *result, struct error *error)
{
    request.key = slice_from_string(key);
    if (!request.now_ms) request.now_ms = NOW_MS;
    *error = (struct error){0};
    return tenant_key_check(&f->view, &request, result, error);
}

static const struct {
    const char *key;
    enum tenant_permission needed;
    enum error_code code;
    const char *message; /* a part of it */
} checks[] = {
    {"write", TENANT_EVENTS_WRITE, ERROR_NONE, NULL},
    {"write", TENANT_NO_PERMISSION, ERROR_NONE, NULL},
    {"write", TENANT_EVENTS_READ, ERROR_FORBIDDEN, "events:read: a write key may only send"},
    {"write", TENANT_TRACES_WRITE, ERROR_FORBIDDEN, "traces:write"},
    {"expiring", TENANT_EVENTS_WRITE, ERROR_NONE, NULL},
    {"expired", TENANT_EVENTS_WRITE, ERROR_UNAUTHENTICATED, "expired"},
    {"revoked", TENANT_EVENTS_WRITE, ERROR_UNAUTHENTICATED, "revoked"},
    {"closed", TENANT_EVENTS_WRITE, ERROR_UNAUTHENTICATED, "not active"},
    {"", TENANT_EVENTS_WRITE, ERROR_UNAUTHENTICATED, "no key"},
    {"Write", TENANT_EVENTS_WRITE, ERROR_UNAUTHENTICATED, "not known"},
    {"write ", TENANT_EVENTS_WRITE, ERROR_UNAUTHENTICATED, "not known"},
    {"new", TENANT_NO_PERMISSION, ERROR_NONE, NULL},
    {"old", TENANT_NO_PERMISSION, ERROR_NONE, NULL},
    {"newer", TENANT_NO_PERMISSION, ERROR_NONE, NULL},
    {"older", TENANT_NO_PERMISSION, ERROR_UNAUTHENTICATED, "replaced"},
    /* The id of a secret key without its secret, in the forms somebody may try. */
    {"abcdefghij012345", TENANT_NO_PERMISSION, ERROR_UNAUTHENTICATED, "not known"},
    {"mrs_abcdefghij012345", TENANT_NO_PERMISSION, ERROR_UNAUTHENTICATED, "not known"},
    {"mrs_abcdefghij012345_", TENANT_NO_PERMISSION, ERROR_UNAUTHENTICATED, "not known"},
    {SECRET_KEY "x", TENANT_NO_PERMISSION, ERROR_UNAUTHENTICATED, "not known"},
    {"mrs_" SECRET, TENANT_NO_PERMISSION, ERROR_UNAUTHENTICATED, "not known"},
    {SECRET_KEY, TENANT_NO_PERMISSION, ERROR_UNAVAILABLE, "cannot be checked here"},
};

static void says_which_check_failed(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        struct error error;
        struct tenant_key_result result;
        enum tenant_key_outcome outcome =
            check(f, checks[i].key, (struct tenant_key_request){.needed = checks[i].needed}, &result, &error);
        bool fits = outcome == (checks[i].code ? TENANT_KEY_REFUSED : TENANT_KEY_ACCEPTED) && error.code == checks[i].code &&
                    (result.key != NULL) == (checks[i].code == ERROR_NONE);
        if (!fits || (checks[i].message && !strstr(error.message, checks[i].message)))
            fail_msg("case %zu: %s, %s", i, error_code_name(error.code), error.message);
        if (result.key) assert_string_equal("Shop", result.key->tenant->name);
        assert_null(strstr(error.message, SECRET));
    }
}

static void overlong_keys_are_refused_unread(void **state)
{
    struct fixture *f = *state;
    char text[TENANT_KEY_LIMIT + 2];
    struct error error;
    struct tenant_key_result result;
    memset(text, 'x', sizeof text);
    text[TENANT_KEY_LIMIT + 1] = 0;
    add(f, text, (struct tenant_key){0}); /* even one that somebody managed to store */
    assert_int_equal(TENANT_KEY_REFUSED, check(f, text, (struct tenant_key_request){0}, &result, &error));
    text[TENANT_KEY_LIMIT] = 0;
    add(f, text, (struct tenant_key){0});
    assert_int_equal(TENANT_KEY_ACCEPTED,
                     check(f, text, (struct tenant_key_request){.needed = TENANT_NO_PERMISSION}, &result, &error));
}

/* ---- places ---- */

static const struct {
    const char *rules;
    const char *origin;
    bool fits;
} origins[] = {
    {"*", "https://anything.example", true},
    {"*", "null", false},
    {"*", "", false},
    {"*", "file://", false},
    {"example.com", "https://example.com", true},
    {"example.com", "https://www.Example.com:8443", true},
    {"www.example.com", "http://example.com", true},
    {"EXAMPLE.com:443", "https://example.com", true},
    {"example.com", "https://shop.example.com", false},
    {"example.com", "https://example.com.evil.example", false},
    {"example.com", "https://notexample.com", false},
    {"example.com", "example.com", false},
    {"example.com", "https://example.com@evil.example", false},
    {"example.com", "https://evil.example/example.com", false},
    {"*.example.com", "https://shop.example.com", true},
    {"*.example.com", "https://a.b.example.com", true},
    {"*.example.com", "https://example.com", true},
    {"*.example.com", "https://notexample.com", false},
    {"*.example.com", "https://example.com.evil.example", false},
    {"localhost", "http://localhost:5173", true},
    {"localhost", "http://localhost.evil.example", false},
    {"https://example.com:8443", "https://example.com:8443", true},
    {"https://example.com:8443", "HTTPS://Example.com:8443", true},
    {"https://example.com:8443", "https://example.com", false},
    {"https://example.com", "http://example.com", false},
    {"https://example.com", "https://www.example.com", false},
    {"http://[::1]:3000", "http://[::1]:3000", true},
    {"[::1]", "http://[::1]:3000", true},
    {"null", "null", false},
    {"a.example\nb.example\n", "https://b.example", true},
    {"a.example\n\n b.example \n", "https://b.example", true},
    {"not a host", "https://b.example", false},
};

static void origins_are_compared_by_host_or_as_a_whole(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof origins / sizeof *origins; i++) {
        struct tenant_key key = {.tenant = f->tenant};
        struct error error;
        struct tenant_key_result result;
        assert_true(tenant_key_rules_read(f->snapshot->arena, slice_from_string(origins[i].rules), SLICE_EMPTY, &key));
        tenant_snapshot_add_key(f->snapshot, SLICE("here"), SLICE_EMPTY, &key);
        struct tenant_key_request request = {.needed = TENANT_NO_PERMISSION, .origin = slice_from_string(origins[i].origin)};
        enum tenant_key_outcome outcome = check(f, "here", request, &result, &error);
        if ((outcome == TENANT_KEY_ACCEPTED) != origins[i].fits)
            fail_msg("%s against %s: %s", origins[i].origin, origins[i].rules, error.message);
        if (origins[i].fits) continue;
        assert_int_equal(ERROR_FORBIDDEN, error.code);
        assert_string_equal("origin", error.field);
        assert_non_null(strstr(error.message, origins[i].origin[0] ? "may not be used from" : "without an Origin header"));
    }
}

static const struct {
    const char *rules;
    const char *address;
    bool fits;
} addresses[] = {
    {"192.0.2.7", "192.0.2.7", true},
    {"192.0.2.7", "192.0.2.8", false},
    {"192.0.2.0/24", "192.0.2.255", true},
    {"192.0.2.0/25", "192.0.2.255", false},
    {"192.0.2.0/24", "::ffff:192.0.2.1", true},
    {"2001:db8::/33", "2001:db8:7fff::1", true},
    {"2001:db8::/33", "2001:db8:8000::1", false},
    {"0.0.0.0/0", "198.51.100.1", true},
    {"0.0.0.0/0", "2001:db8::1", false},
    {"10.0.0.0/8\n192.0.2.7", "192.0.2.7", true},
    {"10.0.0.0/33", "10.0.0.1", false},
    {"nonsense", "10.0.0.1", false},
    {"10.0.0.0/8", "", false},
    {"10.0.0.0/8", "unknown", false},
};

static void addresses_must_lie_in_a_prefix(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        struct tenant_key key = {.tenant = f->tenant};
        struct error error;
        struct tenant_key_result result;
        assert_true(tenant_key_rules_read(f->snapshot->arena, SLICE_EMPTY, slice_from_string(addresses[i].rules), &key));
        tenant_snapshot_add_key(f->snapshot, SLICE("here"), SLICE_EMPTY, &key);
        struct tenant_key_request request = {.needed = TENANT_NO_PERMISSION,
                                             .client_address = slice_from_string(addresses[i].address)};
        enum tenant_key_outcome outcome = check(f, "here", request, &result, &error);
        if ((outcome == TENANT_KEY_ACCEPTED) != addresses[i].fits)
            fail_msg("%s against %s: %s", addresses[i].address, addresses[i].rules, error.message);
        if (!addresses[i].fits) assert_string_equal("address", error.field);
    }
}

/* ---- rates and counts ---- */

static void a_rate_lets_a_minutes_worth_through_and_refills_evenly(void **state)
{
    struct tenant_key_states *states = tenant_key_states_create();
    struct tenant_key_state *key = tenant_key_states_find(states, SLICE("k"));
    struct tenant_rate rate;
    for (uint64_t i = 0; i < 60; i++) {
        assert_true(tenant_rate_take(key, 60, NOW_MS, &rate));
        assert_int_equal(59 - i, rate.remaining);
        assert_int_equal(1000 * (i + 1), rate.reset_ms);
    }
    assert_false(tenant_rate_take(key, 60, NOW_MS, &rate));
    assert_int_equal(0, rate.remaining);
    assert_int_equal(1000, rate.retry_after_ms);
    assert_false(tenant_rate_take(key, 60, NOW_MS + 999, &rate));
    assert_int_equal(1, rate.retry_after_ms);
    assert_true(tenant_rate_take(key, 60, NOW_MS + 1000, &rate));
    assert_false(tenant_rate_take(key, 60, NOW_MS + 1000, &rate));
    /* A clock that was set back does not lock anybody out. */
    assert_true(tenant_rate_take(key, 60, NOW_MS - 3600000, &rate));
    assert_int_equal(59, rate.remaining);
    /* No limit: nothing to say. */
    assert_true(tenant_rate_take(key, 0, NOW_MS, &rate));
    assert_int_equal(0, rate.limit);
    tenant_key_states_release(states);
}

static void the_headers_of_a_rate(void **state)
{
    char out[TENANT_RATE_HEADERS_SIZE];
    struct tenant_rate rate = {.limit = 100, .remaining = 0, .reset_ms = 59001, .retry_after_ms = 600};
    struct slice headers = tenant_rate_headers(&rate, out);
    assert_true(slice_equal(headers, SLICE("RateLimit-Policy: \"key\";q=100;w=60\r\nRateLimit: \"key\";r=0;t=60\r\n"
                                           "X-RateLimit-Limit: 100\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 60\r\n"
                                           "Retry-After: 1\r\n")));
    rate = (struct tenant_rate){.limit = UINT64_MAX, .remaining = UINT64_MAX, .reset_ms = INT64_MAX - 1000, .retry_after_ms = INT64_MAX - 1000};
    headers = tenant_rate_headers(&rate, out);
    assert_true(headers.size < sizeof out && slice_ends_with(headers, SLICE("\r\n")));
    assert_int_equal(0, tenant_rate_headers(&(struct tenant_rate){0}, out).size);
}

static struct tenant_key_usage used;
static size_t used_count;
static bool keep_usage(void *context, const struct tenant_key_usage *usage)
{
    used = *usage;
    used_count++;
    return context == NULL;
}

static void what_was_used_is_counted_until_it_is_written(void **state)
{
    struct fixture *f = *state;
    struct tenant_key_states *states = tenant_key_states_create();
    struct error error;
    struct tenant_key_result result;
    struct tenant_key *key = add(f, "counted", (struct tenant_key){.rate_limit = 2});
    key->state = tenant_key_states_find(states, SLICE("id"));
    struct tenant_key_request request = {.needed = TENANT_EVENTS_WRITE, .client_address = SLICE("192.0.2.7")};
    for (int i = 0; i < 3; i++) {
        enum tenant_key_outcome outcome = check(f, "counted", request, &result, &error);
        assert_int_equal(i < 2 ? TENANT_KEY_ACCEPTED : TENANT_KEY_REFUSED, outcome);
        assert_int_equal(2, result.rate.limit);
        if (i == 1) tenant_key_count_items(result.key->state, 40);
    }
    assert_int_equal(ERROR_RATE_LIMITED, error.code);
    assert_true(result.rate.retry_after_ms > 0);
    request.is_repeated = true; /* neither counted nor limited */
    assert_int_equal(TENANT_KEY_ACCEPTED, check(f, "counted", request, &result, &error));
    for (int i = 0; i < 2; i++) { /* the first time it cannot be written */
        tenant_key_usage_drain(states, keep_usage, i == 0 ? &used : NULL);
        assert_int_equal(i + 1, used_count);
        assert_string_equal("id", used.id);
        assert_int_equal(3, used.requests);
        assert_int_equal(1, used.refused);
        assert_int_equal(40, used.items);
        assert_int_equal(NOW_MS, used.last_used_ms);
        assert_string_equal("192.0.2.7", used.last_address);
    }
    tenant_key_usage_drain(states, keep_usage, NULL);
    assert_int_equal(2, used_count);
    tenant_key_states_release(states);
}

struct taker {
    struct os_thread thread;
    struct tenant_key_state *state;
    size_t taken;
};
static void take_many(void *context)
{
    struct taker *taker = context;
    struct tenant_rate rate;
    for (int i = 0; i < 20000; i++) {
        taker->taken += tenant_rate_take(taker->state, 1000, NOW_MS, &rate);
        tenant_key_count(taker->state, true, SLICE("192.0.2.7"), NOW_MS + i * 10);
    }
}
static void sum_requests(size_t *sum, const struct tenant_key_usage *usage) { *sum += usage->requests; }
static bool add_requests(void *context, const struct tenant_key_usage *usage)
{
    sum_requests(context, usage);
    return true;
}

static void several_threads_share_one_rate_and_lose_no_count(void **state)
{
    struct tenant_key_states *states = tenant_key_states_create();
    struct taker takers[3];
    size_t taken = 0, requests = 0;
    struct error error;
    for (int i = 0; i < 3; i++) {
        takers[i] = (struct taker){.state = tenant_key_states_find(states, SLICE("k"))};
        assert_int_equal(ERROR_NONE, os_thread_start(&takers[i].thread, "taker", take_many, &takers[i], &error));
    }
    for (int i = 0; i < 50; i++) tenant_key_usage_drain(states, add_requests, &requests);
    for (int i = 0; i < 3; i++) {
        os_thread_join(&takers[i].thread);
        taken += takers[i].taken;
    }
    tenant_key_usage_drain(states, add_requests, &requests);
    assert_int_equal(1000, taken);
    assert_int_equal(60000, requests);
    tenant_key_states_release(states);
}

/* ---- the hot path ---- */

static void a_check_neither_allocates_nor_locks(void **state)
{
#ifdef COUNTS_CALLS
    struct fixture *f = *state;
    struct error error;
    struct tenant_key_result result;
    struct tenant_verifier *verifier;
    struct tenant_key_states *states = tenant_key_states_create();
    struct tenant_key *key = add(f, "busy", (struct tenant_key){.rate_limit = 1000000});
    key->state = tenant_key_states_find(states, SLICE("id"));
    assert_true(tenant_key_rules_read(f->snapshot->arena, SLICE("*.example.com"), SLICE("192.0.2.0/24"), key));
    assert_int_equal(ERROR_NONE, tenant_verifier_create(&verifier, &error));
    assert_int_equal(ERROR_NONE, tenant_verifier_attach(verifier, &f->view, &error));
    struct tenant_key_request request = {.needed = TENANT_EVENTS_WRITE, .origin = SLICE("https://shop.example.com"),
                                         .client_address = SLICE("192.0.2.7")};
    /* The counters do count. */
    allocations = locks = 0;
    free(malloc(1));
    tenant_key_states_find(states, SLICE("id"));
    assert_int_equal(1, allocations);
    assert_int_equal(1, locks);
    allocations = locks = 0;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(TENANT_KEY_ACCEPTED, check(f, "busy", request, &result, &error));
        /* A secret key's look into the cache as well. */
        assert_int_equal(TENANT_KEY_PENDING, check(f, SECRET_KEY, request, &result, &error));
    }
    assert_int_equal(0, allocations);
    assert_int_equal(0, locks);
    tenant_verifier_stop(verifier);
    tenant_key_states_release(states);
#else
    skip();
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(says_which_check_failed, setup, teardown),
        cmocka_unit_test_setup_teardown(overlong_keys_are_refused_unread, setup, teardown),
        cmocka_unit_test_setup_teardown(origins_are_compared_by_host_or_as_a_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(addresses_must_lie_in_a_prefix, setup, teardown),
        cmocka_unit_test(a_rate_lets_a_minutes_worth_through_and_refills_evenly),
        cmocka_unit_test(the_headers_of_a_rate),
        cmocka_unit_test_setup_teardown(what_was_used_is_counted_until_it_is_written, setup, teardown),
        cmocka_unit_test(several_threads_share_one_rate_and_lose_no_count),
        cmocka_unit_test_setup_teardown(a_check_neither_allocates_nor_locks, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
