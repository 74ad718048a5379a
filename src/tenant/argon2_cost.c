/* SPDX-License-Identifier: Apache-2.0 */
/* What guessing one password or one key's secret costs. */
#include "tenant/secret_priv.h"

const struct secret_argon2_cost secret_argon2_costs[] = {
    [TENANT_ARGON2_PASSWORD] = {.memory_kib = 64 * 1024, .passes = 3, .lanes = 4},
    [TENANT_ARGON2_KEY] = {.memory_kib = 19 * 1024, .passes = 2, .lanes = 1},
};
