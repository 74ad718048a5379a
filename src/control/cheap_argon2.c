/* SPDX-License-Identifier: Apache-2.0 */
/* In tests of logins, instead of tenant/argon2_cost.c: hundreds of passwords under sanitizers would take minutes. */
#include "tenant/secret_priv.h"

const struct secret_argon2_cost secret_argon2_costs[] = {
    [TENANT_ARGON2_PASSWORD] = {.memory_kib = 64, .passes = 1, .lanes = 1},
    [TENANT_ARGON2_KEY] = {.memory_kib = 64, .passes = 1, .lanes = 1},
};
