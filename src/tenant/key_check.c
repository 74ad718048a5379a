/* SPDX-License-Identifier: Apache-2.0 */
/* The check of a request's key. A file of its own, so that the benchmark of its cost can put another in its place. */
#include "tenant/verifier.h"

static enum error_code key_check_place(const struct tenant_key *key, const struct tenant_key_request *request,
                                       struct error *error)
{
    uint8_t bytes[16];
    if (key->limits_origins) {
        if (request->origin.size == 0)
            return error_set_field(error, ERROR_FORBIDDEN, "origin",
                                   "this key is for pages of certain origins, and the request came without an Origin header");
        if (!tenant_origin_fits(key->origins, key->origin_count, request->origin))
            return error_set_field(error, ERROR_FORBIDDEN, "origin", "this key may not be used from the origin %.*s",
                                   SLICE_ARGS(slice_first(request->origin, TENANT_ORIGIN_LIMIT)));
    }
    if (!key->limits_addresses) return ERROR_NONE;
    if (network_address_parse(request->client_address, bytes))
        for (size_t i = 0; i < key->address_count; i++)
            if (network_prefix_matches(&key->addresses[i], bytes)) return ERROR_NONE;
    return error_set_field(error, ERROR_FORBIDDEN, "address", "this key may not be used from the address %.*s",
                           SLICE_ARGS(slice_first(request->client_address, NETWORK_ADDRESS_TEXT_SIZE)));
}

/* All that needs no secret. */
static enum error_code key_check_state(const struct tenant_key *key, bool is_previous,
                                       const struct tenant_key_request *request, struct error *error)
{
    if (key->revoked) return error_set(error, ERROR_UNAUTHENTICATED, "the key has been revoked");
    if (is_previous && key->previous_until_ms <= request->now_ms)
        return error_set(error, ERROR_UNAUTHENTICATED, "the key was replaced by a new one and does not work any more");
    if (key->expires_ms && key->expires_ms <= request->now_ms)
        return error_set(error, ERROR_UNAUTHENTICATED, "the key has expired");
    if (!key->tenant->active) return error_set(error, ERROR_UNAUTHENTICATED, "the tenant of the key is not active");
    return ERROR_NONE;
}

static enum error_code key_check_permission(const struct tenant_key *key, enum tenant_permission needed, struct error *error)
{
    if (needed == TENANT_NO_PERMISSION || tenant_permission_has(&key->permissions, needed)) return ERROR_NONE;
    return error_set(error, ERROR_FORBIDDEN, "the key has not the permission %s%s", tenant_permissions[needed].name,
                     key->kind == TENANT_KEY_WRITE && tenant_permissions[needed].key == 'S'
                         ? ": a write key may only send, use a secret key (mrs_...)" : "");
}

static enum tenant_key_outcome key_check_found(const struct tenant_view *view, const struct tenant_key *key, bool is_previous,
                                               const struct tenant_key_request *request, struct tenant_key_result *result,
                                               struct error *error)
{
    if (key_check_state(key, is_previous, request, error)) return TENANT_KEY_REFUSED;
    if (key_check_place(key, request, error)) {
        result->refused = key->kind == TENANT_KEY_WRITE ? key : NULL; /* of a secret key only the id is known to be right */
        return TENANT_KEY_REFUSED;
    }
    if (key->kind == TENANT_KEY_SECRET) {
        if (!view->verifier) {
            error_set(error, ERROR_UNAVAILABLE, "secret keys cannot be checked here");
            return TENANT_KEY_REFUSED;
        }
        enum tenant_verified verified = tenant_verifier_look(view->verifier, request->key, key->version, request->now_ms);
        if (verified == TENANT_VERIFIED_UNKNOWN) return TENANT_KEY_PENDING;
        if (verified == TENANT_VERIFIED_BAD) {
            error_set(error, ERROR_UNAUTHENTICATED, "the key is not known here");
            return TENANT_KEY_REFUSED;
        }
    }
    if (key_check_permission(key, request->needed, error)) return TENANT_KEY_REFUSED;
    if (!request->is_repeated && !tenant_rate_take(key->state, key->rate_limit, request->now_ms, &result->rate)) {
        error_set(error, ERROR_RATE_LIMITED, "more than %llu requests a minute with this key",
                  (unsigned long long)key->rate_limit);
        return TENANT_KEY_REFUSED;
    }
    result->key = key;
    return TENANT_KEY_ACCEPTED;
}

enum tenant_key_outcome tenant_key_check(const struct tenant_view *view, const struct tenant_key_request *request,
                                         struct tenant_key_result *result, struct error *error)
{
    struct slice key_id, secret;
    bool is_previous = false;
    *result = (struct tenant_key_result){0};
    if (request->key.size == 0) {
        error_set(error, ERROR_UNAUTHENTICATED, "no key was given with the request");
        return TENANT_KEY_REFUSED;
    }
    const struct tenant_key *key = NULL;
    if (tenant_key_split(request->key, &key_id, &secret))
        key = tenant_snapshot_key(tenant_view_snapshot(view), key_id, &is_previous);
    /* The id of a secret key is no key without its secret. */
    if (!key || (key->kind == TENANT_KEY_SECRET) != (secret.size > 0)) {
        error_set(error, ERROR_UNAUTHENTICATED, "the key is not known here");
        return TENANT_KEY_REFUSED;
    }
    enum tenant_key_outcome outcome = key_check_found(view, key, is_previous, request, result, error);
    if (outcome != TENANT_KEY_PENDING && !request->is_repeated)
        tenant_key_count(key->state, outcome == TENANT_KEY_ACCEPTED, request->client_address, request->now_ms);
    return outcome;
}
