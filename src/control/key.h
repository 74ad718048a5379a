/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of programs: made, listed, changed, rotated, revoked; and how much each was used. */
#ifndef CONTROL_KEY_H
#define CONTROL_KEY_H

#include "base/json_writer.h"
#include "control/action.h"
#include "tenant/key.h"

/*
 * Model: a key belongs to one tenant. Its text is seen once, when it is made or rotated: of a secret key only the Argon2id
 * hash is kept, a write key is its own public id. What a key may do is a set of permissions: nobody can give a key one he
 * lacks himself, nor one that keys of its kind may not have (tenant/permission.def); and who rotates a key learns its
 * text, so he must have all it has.
 *
 * A key has no end unless it is given one (expires_at, at most CONTROL_KEY_LIFE_MS ahead): a tracker in a page or an app
 * that is out in the world cannot be renewed. Rotation replaces the text under the same api_key_id and raises the version;
 * the text before stays good until the grace ends. Revocation is for good.
 *
 * call->tenant_id says whose keys are meant. Commands may leave it empty where a key is named: any tenant's then.
 */
#define CONTROL_KEY_LIMIT 100 /* living keys of a tenant: every server holds all of them, and more is a script gone wrong */
#define CONTROL_KEY_NAME_LIMIT 128
#define CONTROL_KEY_DESCRIPTION_LIMIT 1000
#define CONTROL_KEY_REASON_LIMIT 256
#define CONTROL_KEY_RULE_LIMIT 50                       /* origins or addresses: each is compared at every request */
#define CONTROL_KEY_RATE_LIMIT 1000000                  /* requests a minute: beyond this a limit limits nothing */
#define CONTROL_KEY_LIFE_MS (730LL * 24 * 3600 * 1000)  /* two years: a date farther away is a mistake in its year */
#define CONTROL_KEY_GRACE_SECONDS 1800                  /* time to change a setting and restart what uses it */
#define CONTROL_KEY_GRACE_LIMIT_SECONDS (7 * 24 * 3600) /* a leaked key must not stay good for longer */
#define CONTROL_KEY_TEXT_SIZE 64                        /* "mrs_", 16, "_", 43; a write key has 36 */

const char *control_key_kind_name(enum tenant_key_kind kind);
bool control_key_kind_find(struct slice name, enum tenant_key_kind *ret_kind);
/* What keys of the kind get when nothing is said: write keys send everything, secret keys send and ask. */
struct tenant_permission_set control_key_default_permissions(enum tenant_key_kind kind);

/* From names, one a line. ERROR_INVALID names "permissions". */
enum error_code control_key_permissions_parse(struct slice lines, struct tenant_permission_set *ret_set,
                                              struct error *error) MUST_CHECK;

/* A new text, before the transaction: hashing takes tens of milliseconds. */
struct control_key_text {
    char text[CONTROL_KEY_TEXT_SIZE + 1];
    char key_id[37];
    char secret_hash[TENANT_PHC_LIMIT]; /* "" of a write key */
};
enum error_code control_key_text_make(enum tenant_key_kind kind, struct control_key_text *ret_text,
                                      struct error *error) MUST_CHECK;

/* What a new key is to be. */
struct control_key_new {
    enum tenant_key_kind kind;
    struct slice name;                        /* 1 to CONTROL_KEY_NAME_LIMIT bytes */
    struct slice description;
    bool has_permissions;                     /* false: the default ones, as far as the actor has them */
    struct tenant_permission_set permissions;
    struct slice allowed_origins;             /* one a line; empty: from anywhere. tenant/origin.h */
    struct slice allowed_addresses;           /* one a line; empty: from anywhere. Addresses and prefixes */
    int64_t rate_limit;                       /* requests a minute at each server; 0: none */
    int64_t expires_ms;                       /* 0: never */
};
/* Checks and inserts, with its audit event, inside the caller's transaction on core; raises the access revision. For
 * tenants that are made together with their keys: the tenant must be there already. */
enum error_code control_key_insert(const struct control_call *call, struct meta_session *session, const char *tenant_id,
                                   const struct control_key_new *key, const struct control_key_text *text,
                                   char ret_api_key_id[37], struct error *error) MUST_CHECK;
/* All of it, for call->tenant_id. */
struct control_key_made {
    char api_key_id[37];
    char text[CONTROL_KEY_TEXT_SIZE + 1];
};
enum error_code control_key_create(const struct control_call *call, const struct control_key_new *key,
                                   struct control_key_made *ret_made, struct error *error) MUST_CHECK;

/* `key` is an api_key_id, or a key's text or key_id (current or before the rotation): when one leaked, that is what
 * people have. ERROR_NOT_FOUND does not repeat it. */
enum error_code control_key_rotate(const struct control_call *call, struct slice key, int64_t grace_seconds,
                                   struct control_key_made *ret_made, struct error *error) MUST_CHECK;
/* Again changes nothing: the first reason stays. */
enum error_code control_key_revoke(const struct control_call *call, struct slice key, struct slice reason,
                                   char ret_api_key_id[37], struct error *error) MUST_CHECK;
/* A key as JSON object, without its text. */
enum error_code control_key_get(const struct control_call *call, struct slice key, struct buffer *out,
                                struct error *error) MUST_CHECK;
/* {"data":[..],"next_cursor":..}, oldest first. `cursor` and `status` may be empty. */
enum error_code control_key_list(const struct control_call *call, size_t limit, struct slice cursor, struct slice status,
                                 struct buffer *out, struct error *error) MUST_CHECK;
/* {"data":[{"hour","requests","refused","items"},..],"totals":{..}} of the last hours, oldest first; hours without use are
 * left out. */
#define CONTROL_KEY_USAGE_DAYS 90 /* how long hours are kept */
enum error_code control_key_usage(const struct control_call *call, struct slice key, int64_t hours, struct buffer *out,
                                  struct error *error) MUST_CHECK;

/*
 * Writes what was counted in this process (tenant/key_state.h) into api_keys and api_key_usage, and removes old hours.
 * Event loops need not know: the access revision stays. What could not be written is kept and comes first next time.
 * One thread; every CONTROL_KEY_FLUSH_MS and at the end.
 */
#define CONTROL_KEY_FLUSH_MS 10000
struct control_key_flusher;
struct control_key_flusher *control_key_flusher_create(struct meta_database *core, struct tenant_key_states *states);
void control_key_flusher_destroy(struct control_key_flusher *flusher); /* accepts NULL */
enum error_code control_key_usage_flush(struct control_key_flusher *flusher, int64_t now_ms, struct error *error) MUST_CHECK;

extern const struct control_action control_key_actions[];

#endif
