/* SPDX-License-Identifier: Apache-2.0 */
/* Nanoseconds of this thread's own processor time per check of a key, best and median of several rounds. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tenant/secret.h"
#include "tenant/verifier.h"

#define ROUNDS 9
#define CHECKS 300000
#define OTHERS 10000 /* keys that are not asked for: the map is not in the nearest cache by chance alone */
#define SECRET "0123456789012345678901234567890123456789abc"

static int64_t thread_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int compare(const void *a, const void *b) { return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b); }

static void on_done(struct tenant_verifier_wait *wait, enum error_code code, const struct error *error) { ASSERT(code == ERROR_NONE); }

static void measure(const char *name, struct tenant_view *view, const char *key)
{
    struct tenant_key_request request = {.key = slice_from_string(key), .needed = TENANT_EVENTS_WRITE,
                                         .origin = SLICE("https://shop.example.com"), .client_address = SLICE("192.0.2.7"),
                                         .now_ms = 1700000000000};
    struct tenant_key_result result;
    struct error error;
    struct tenant_verifier_wait wait = {.done = on_done};
    if (tenant_key_check(view, &request, &result, &error) == TENANT_KEY_PENDING) {
        ASSERT(tenant_verifier_wait(view, request.key, &wait, &error) == ERROR_NONE);
        while (tenant_key_check(view, &request, &result, &error) == TENANT_KEY_PENDING) os_loop_turn(view->loop, 100);
    }
    double rounds[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        int64_t start = thread_ns();
        for (int i = 0; i < CHECKS; i++) {
            request.now_ms += 1;
            ASSERT(tenant_key_check(view, &request, &result, &error) == TENANT_KEY_ACCEPTED);
        }
        rounds[round] = (double)(thread_ns() - start) / CHECKS;
    }
    qsort(rounds, ROUNDS, sizeof *rounds, compare);
    printf("%-48s %6.0f ns (best %.0f)\n", name, rounds[ROUNDS / 2], rounds[0]);
}

int main(void)
{
    char hash[TENANT_PHC_LIMIT], id[40];
    struct error error;
    struct tenant_verifier *verifier;
    struct tenant_view view;
    struct tenant_snapshot *snapshot = tenant_snapshot_create();
    struct tenant_info *tenant = tenant_snapshot_add_tenant(snapshot, &(struct tenant_info){.id = "t", .active = true});
    struct tenant_key_states *states = tenant_key_states_create();
    struct tenant_key key = {.tenant = tenant, .state = tenant_key_states_find(states, SLICE("a"))};
    tenant_permission_add(&key.permissions, TENANT_EVENTS_WRITE);
    for (int i = 0; i < OTHERS; i++) {
        snprintf(id, sizeof id, "%08d-8329-4746-9fd0-13f71461be29", i);
        ASSERT(tenant_snapshot_add_key(snapshot, slice_from_string(id), SLICE_EMPTY, &key));
    }
    struct tenant_key limited = key, secret = key;
    limited.rate_limit = 1000000;
    limited.state = tenant_key_states_find(states, SLICE("b"));
    ASSERT(tenant_key_rules_read(snapshot->arena, SLICE("other.example\n*.example.com"), SLICE("10.0.0.0/8\n192.0.2.0/24"), &limited));
    ASSERT(tenant_snapshot_add_key(snapshot, SLICE("893596f9-8329-4746-9fd0-13f71461be29"), SLICE_EMPTY, &limited));
    secret.kind = TENANT_KEY_SECRET;
    secret.secret_hash = hash;
    ASSERT(tenant_argon2_hash(TENANT_ARGON2_KEY, SLICE(SECRET), hash, &error) == ERROR_NONE);
    ASSERT(tenant_snapshot_add_key(snapshot, SLICE("abcdefghij012345"), SLICE_EMPTY, &secret));
    struct os_loop *loop = os_loop_create(&error);
    tenant_view_init(&view, loop, snapshot);
    ASSERT(tenant_verifier_create(&verifier, &error) == ERROR_NONE);
    ASSERT(tenant_verifier_attach(verifier, &view, &error) == ERROR_NONE);
    measure("write key", &view, "00000500-8329-4746-9fd0-13f71461be29");
    measure("write key with origins, addresses and a rate", &view, "893596f9-8329-4746-9fd0-13f71461be29");
    measure("secret key, verified before", &view, "mrs_abcdefghij012345_" SECRET);
    tenant_verifier_stop(verifier);
    os_loop_destroy(loop);
    tenant_view_fini(&view);
    tenant_snapshot_release(snapshot);
    tenant_key_states_release(states);
    return 0;
}
