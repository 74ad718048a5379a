/* SPDX-License-Identifier: Apache-2.0 */
/* Changing a key: what was given of its fields. */
#ifndef CONTROL_KEY_UPDATE_H
#define CONTROL_KEY_UPDATE_H

#include "control/key.h"

/* None is NULL; what is not `given` stays as it is. The lists are replaced as a whole; expires_at null: never. */
struct control_key_update {
    const struct control_value *name, *description, *permissions, *allowed_origins, *allowed_addresses, *rate_limit,
        *expires_at;
};
/* Permissions that are added must be the actor's own; those the key has may stay. ERROR_CONFLICT for a revoked key. */
enum error_code control_key_update(const struct control_call *call, struct slice key,
                                   const struct control_key_update *update, struct error *error) MUST_CHECK;

#endif
