/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of programs: what a snapshot knows of one, and the check every request with a key goes through. */
#ifndef TENANT_KEY_H
#define TENANT_KEY_H

#include "base/arena.h"
#include "base/network.h"
#include "tenant/access.h"
#include "tenant/key_state.h"
#include "tenant/origin.h"

/*
 * Model: a write key is a UUID that may be published in a page; the OpenPanel SDKs send it as clientId, the Databuddy
 * tracker as client_id. A secret key is "mrs_<key id>_<secret>". Both are found in the snapshot by their key id, one hash
 * look-up. The secret is compared with an Argon2id hash, which costs tens of milliseconds, so never in the loop and once
 * only: tenant/verifier.h does it on threads of its own and remembers the result. Until it is known the outcome is PENDING.
 *
 * A rotation gives the key a new key id (and secret) and raises its version; the old pair works until the grace ends.
 */
#define TENANT_SECRET_KEY_PREFIX "mrs_"
#define TENANT_KEY_ID_SIZE 16     /* of a secret key: [a-z0-9] */
#define TENANT_KEY_SECRET_SIZE 43 /* 256 random bits as base64url */
/* Longer ones are refused unread: ours have 36 and 64 bytes. */
#define TENANT_KEY_LIMIT 256
/* The parts of a key's text; a write key is all id. The Argon2 hash of a secret key is that of `secret` alone. False for
 * a text that cannot be a key. */
bool tenant_key_split(struct slice text, struct slice *key_id, struct slice *secret);

enum tenant_key_kind { TENANT_KEY_WRITE, TENANT_KEY_SECRET };
struct tenant_info;
struct tenant_key {
    const struct tenant_info *tenant;
    char id[37];                      /* api_key_id, for audit and usage; not what clients send */
    enum tenant_key_kind kind;
    struct tenant_permission_set permissions;
    int64_t version;                  /* raised by rotation and revocation: what was verified before is worth nothing */
    bool revoked;
    int64_t expires_ms;               /* 0: never */
    const char *secret_hash;          /* Argon2id PHC string of a secret key */
    const char *previous_secret_hash; /* of the key before a rotation */
    int64_t previous_until_ms;        /* until when that one works */
    bool limits_origins;              /* a list was given, whatever could be read of it */
    const struct tenant_origin_rule *origins;
    size_t origin_count;
    bool limits_addresses;
    const struct network_prefix *addresses;
    size_t address_count;
    uint64_t rate_limit;              /* requests a minute at each server, 0: no limit; a request of 1000 events is one */
    struct tenant_key_state *state;   /* what outlives snapshots: rate and usage; NULL in snapshots made by hand */
};
/* Reads the lists of the metadata, one entry a line, into `key`; what cannot be read fits nothing. False without memory. */
bool tenant_key_rules_read(struct arena *arena, struct slice origins, struct slice addresses, struct tenant_key *key);

struct tenant_view;
struct tenant_key_request {
    struct slice key;                 /* as it was sent */
    enum tenant_permission needed;    /* TENANT_NO_PERMISSION: the caller decides later (tenant_access_decide) */
    struct slice origin;              /* header Origin, or empty */
    struct slice client_address;      /* numeric text, or empty */
    int64_t now_ms;                   /* wall clock */
    bool is_repeated;                 /* the same request was ACCEPTED before (not PENDING): it is not counted again */
};
struct tenant_key_result {
    const struct tenant_key *refused; /* a write key that is only not for this place (field "origin" or "address"), else NULL */
    const struct tenant_key *key;     /* lives as long as the snapshot: on a loop, until the callback returns to it */
    struct tenant_rate rate;          /* for headers; filled when accepted and when ERROR_RATE_LIMITED */
};
enum tenant_key_outcome {
    TENANT_KEY_ACCEPTED,
    TENANT_KEY_REFUSED,               /* `error` says why */
    TENANT_KEY_PENDING,               /* the secret is not verified yet: tenant_verifier_wait, then check again */
};
/*
 * On the view's loop; no lock, no allocation, no system call. Refused with ERROR_UNAUTHENTICATED: no key given, not a key
 * we know (a wrong secret reads the same), revoked, expired, tenant inactive. ERROR_FORBIDDEN: the permission is missing;
 * field "origin" or "address": not from there. ERROR_RATE_LIMITED with result->rate. ERROR_UNAVAILABLE: a secret key, and
 * the view has no verifier.
 */
enum tenant_key_outcome tenant_key_check(const struct tenant_view *view, const struct tenant_key_request *request,
                                         struct tenant_key_result *result, struct error *error) MUST_CHECK;

#endif
