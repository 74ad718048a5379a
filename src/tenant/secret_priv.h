/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of secret.h that only its tests see: HKDF with salt, the gate that bounds Argon2, and its costs. */
#ifndef TENANT_SECRET_PRIV_H
#define TENANT_SECRET_PRIV_H

#include <pthread.h>
#include "tenant/secret.h"

/* HKDF-SHA256 (RFC 5869). */
void secret_hkdf(struct slice key, struct slice salt, struct slice info, unsigned char *out, size_t out_size);

/* Lets `limit` threads in at once; more wait for one to leave. */
struct secret_gate {
    pthread_mutex_t lock;
    pthread_cond_t left;
    unsigned inside, limit;
};
#define SECRET_GATE(most) {.lock = PTHREAD_MUTEX_INITIALIZER, .left = PTHREAD_COND_INITIALIZER, .limit = (most)}
/* False after `wait_ms` without a place. */
bool secret_gate_enter(struct secret_gate *gate, int64_t wait_ms);
void secret_gate_leave(struct secret_gate *gate);

/* By enum tenant_argon2_cost. In a file of its own (argon2_cost.c): tests of logins are linked with cheaper ones. */
struct secret_argon2_cost { uint32_t memory_kib, passes, lanes; };
extern const struct secret_argon2_cost secret_argon2_costs[];

#endif
