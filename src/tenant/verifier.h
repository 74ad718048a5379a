/* SPDX-License-Identifier: Apache-2.0 */
/* Verifies secrets of keys away from the event loops, once, and remembers the results. */
#ifndef TENANT_VERIFIER_H
#define TENANT_VERIFIER_H

#include "tenant/key.h"
#include "tenant/tenant.h"

/*
 * Model: results are kept under HMAC-SHA256(key of this process, text of the key) together with the version of the key: a
 * rotated or revoked key's results die with its version. Each loop has a cache of its own, read without a lock. A miss
 * goes as a job to one of two threads, which look into the cache they share and only then ask Argon2; the result is posted
 * to the loop, where everybody who waits for it goes on. So a secret costs Argon2 once per process, a wrong one once in
 * TENANT_VERIFIER_FAILED_MS.
 *
 *   tenant_key_check -> PENDING -> tenant_verifier_wait -> (thread, Argon2) -> wait->done on the loop -> tenant_key_check
 */
#define TENANT_VERIFIER_THREADS 2       /* Argon2 at once: 19 MiB and a processor each */
#define TENANT_VERIFIER_QUEUE_LIMIT 256 /* jobs: about three seconds of both threads, longer no client should wait */
#define TENANT_VERIFIER_KEY_LIMIT 16    /* jobs of one key at one loop: who tries secrets of one key leaves room for the others */
#define TENANT_VERIFIER_FAILED_MS 30000
/* A good result is asked for again after this time: somebody may have changed a hash by hand. */
#define TENANT_VERIFIER_GOOD_MS (60LL * 60 * 1000)

struct tenant_verifier;
/* Starts the threads. */
enum error_code tenant_verifier_create(struct tenant_verifier **ret_verifier, struct error *error) MUST_CHECK;
/* Gives the view's loop a cache. After tenant_view_init, before the loop runs. */
enum error_code tenant_verifier_attach(struct tenant_verifier *verifier, struct tenant_view *view,
                                       struct error *error) MUST_CHECK;
/* Ends the threads; jobs under way are answered ERROR_UNAVAILABLE by loops that still run. Accepts NULL. */
void tenant_verifier_stop(struct tenant_verifier *verifier);
/* How often Argon2 was asked: for tests and metrics. */
uint64_t tenant_verifier_count(struct tenant_verifier *verifier);

/* Embedded in what waits (in the request's arena). */
struct tenant_verifier_wait {
    /* On the loop. ERROR_NONE: the result is known now, good or bad: check again. Otherwise nobody knows: refuse. */
    void (*done)(struct tenant_verifier_wait *wait, enum error_code code, const struct error *error);
    struct tenant_verifier_wait *next; /* private */
};
/* On the view's loop. ERROR_UNAVAILABLE when too many wait, in all or for this key: refuse with `error`, `done` is not called. */
enum error_code tenant_verifier_wait(const struct tenant_view *view, struct slice key,
                                     struct tenant_verifier_wait *wait, struct error *error) MUST_CHECK;

/* For tenant_key_check: what is known of a key's text. On the loop. */
enum tenant_verified { TENANT_VERIFIED_UNKNOWN, TENANT_VERIFIED_GOOD, TENANT_VERIFIED_BAD };
enum tenant_verified tenant_verifier_look(struct tenant_verifier_loop *loop, struct slice key, int64_t version,
                                          int64_t now_ms);
/* For tenant_view_fini, when the loop has ended. Accepts NULL. */
void tenant_verifier_detach(struct tenant_verifier_loop *loop);

#endif
