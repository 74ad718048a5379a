/* SPDX-License-Identifier: Apache-2.0 */
/* In the place of src/tenant/key_check.c: every known key id may do everything, from anywhere, uncounted. For measuring alone. */
#include "tenant/verifier.h"

enum tenant_key_outcome tenant_key_check(const struct tenant_view *view, const struct tenant_key_request *request,
                                         struct tenant_key_result *result, struct error *error)
{
    struct slice key_id, secret;
    bool is_previous;
    *result = (struct tenant_key_result){0};
    if (tenant_key_split(request->key, &key_id, &secret))
        result->key = tenant_snapshot_key(tenant_view_snapshot(view), key_id, &is_previous);
    if (result->key) return TENANT_KEY_ACCEPTED;
    error_set(error, ERROR_UNAUTHENTICATED, "the key is not known here");
    return TENANT_KEY_REFUSED;
}
