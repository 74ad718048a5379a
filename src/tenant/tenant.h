/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what: a read-only snapshot of tenants, keys and users that event loops read without a lock or a database. */
#ifndef TENANT_TENANT_H
#define TENANT_TENANT_H

#include <stdatomic.h>
#include "base/arena.h"
#include "base/error.h"
#include "base/map.h"
#include "base/slice.h"
#include "os/loop.h"
#include "tenant/access.h"
#include "tenant/key.h"
#include "tenant/settings.h"

/*
 * Model: a snapshot is built from the metadata store by the refresher thread (tenant/refresher.h), then never changed.
 * Each event loop has a view, one pointer to the snapshot in use, and swaps it when the refresher posts a newer one; a
 * snapshot is counted, and freed when the last loop lets go of it. So a check on the hot path is one hash look-up, and
 * a revoked key, user, role or session stops everywhere within a second.
 */
#define TENANT_ID_SIZE 36
#define TENANT_NAME_LIMIT 128  /* bytes of UTF-8, at least 1 */
#define TENANT_CODE_LIMIT 64   /* bytes of [a-z0-9-], at least 1 */
#define TENANT_EMAIL_LIMIT 254
/* Revoked keys and deleted tenants are remembered this long, to say "revoked" and not "unknown"; then they cost
 * nothing. */
#define TENANT_REMEMBERED_MS (30LL * 24 * 3600 * 1000)
/* Life of an access token. Sessions that ended within it (and a minute more) are in the snapshot; older ones have no
 * token left. */
#define TENANT_ACCESS_TOKEN_MS (15LL * 60 * 1000)

struct tenant_organization {
    char id[TENANT_ID_SIZE + 1];
    bool active;
};
struct tenant_info {
    char id[TENANT_ID_SIZE + 1];     /* UUID: the value of tenant_id in every event row */
    char name[TENANT_NAME_LIMIT + 1];
    char code[TENANT_CODE_LIMIT + 1];
    char workspace_id[TENANT_ID_SIZE + 1];
    const struct tenant_organization *organization; /* NULL only in snapshots made by hand */
    bool active;                     /* so are its workspace and its organization */
    enum tenant_do_not_track do_not_track; /* settings: tenant/settings.h */
    bool allow_public_revenue;       /* amounts are believed from keys that anybody can read in a page */
    uint16_t retention_days[TENANT_SIGNAL_COUNT]; /* 0 in snapshots made by hand: as tenant_signal_retention_days */
    const struct tenant_filter *filters; /* whose events are not wanted */
    size_t filter_count;
};
/* A role of a user. */
struct tenant_assignment {
    const struct tenant_assignment *next;
    const struct tenant_info *tenant; /* NULL: in all tenants of the user's organization */
    bool is_super;                    /* super_admin: without tenant it reaches everything */
    struct tenant_permission_set allowed, denied;
    int64_t expires_ms;               /* 0: never */
};
struct tenant_user {
    char id[TENANT_ID_SIZE + 1];
    char email[TENANT_EMAIL_LIMIT + 1];
    const struct tenant_organization *organization;
    const struct tenant_info *tenant; /* the user's usual one, or NULL */
    bool active;                      /* not deleted, not switched off, not locked by an administrator */
    int64_t token_valid_from_ms;      /* tokens issued before (in seconds) are worth nothing: the password was changed */
    const struct tenant_assignment *assignments;
};
/*
 * An address that payment services report to. Its last part leads to it; the reports are signed with a secret that is
 * kept sealed (tenant/secret.h) here too, and opened for the moment of a check.
 */
#define TENANT_STRIPE_SECRET_PURPOSE "stripe webhook secret"
#define TENANT_PADDLE_SECRET_PURPOSE "paddle webhook secret"
struct tenant_webhook {
    struct tenant_key key;           /* as which its reports are taken; no client can send it */
    struct slice stripe_secret_sealed, paddle_secret_sealed; /* empty: none is set */
};
struct tenant_snapshot {
    struct map keys;                 /* key id -> private; tenant_snapshot_key */
    struct map tenants;              /* id -> struct tenant_info * */
    struct map organizations;        /* id -> struct tenant_organization * */
    struct map users;                /* id -> struct tenant_user * */
    struct map ended_sessions;       /* id of a session that was revoked lately -> itself */
    struct map webhooks;             /* last part of the address -> struct tenant_webhook * */
    size_t tenant_count;
    uint64_t generation;             /* larger in a newer snapshot of the same refresher */
    struct arena *arena;             /* private: holds all of them */
    struct tenant_key_states *states; /* private: held, because keys point into it */
    atomic_int references;           /* private */
};

/* Each NULL when there is none of that id. */
const struct tenant_info *tenant_snapshot_find(const struct tenant_snapshot *snapshot, struct slice tenant_id);
const struct tenant_organization *tenant_snapshot_organization(const struct tenant_snapshot *snapshot, struct slice id);
const struct tenant_user *tenant_snapshot_user(const struct tenant_snapshot *snapshot, struct slice id);
/* NULL also when its tenant is switched off or deleted. */
const struct tenant_webhook *tenant_snapshot_webhook(const struct tenant_snapshot *snapshot, struct slice hash);
/* By what a client sent (tenant_key_split). *ret_previous: it is the one before a rotation. */
const struct tenant_key *tenant_snapshot_key(const struct tenant_snapshot *snapshot, struct slice key_id,
                                             bool *ret_previous);

/*
 * Building one by hand (tests, tools); tenant_snapshot_build does it from the metadata. A new snapshot is empty and has
 * one reference. The functions give NULL or false when out of memory. What is given is copied, but not what it points to;
 * what they return may be changed until the snapshot is shared.
 */
struct tenant_snapshot *tenant_snapshot_create(void);
struct tenant_organization *tenant_snapshot_add_organization(struct tenant_snapshot *snapshot,
                                                             const struct tenant_organization *organization);
struct tenant_info *tenant_snapshot_add_tenant(struct tenant_snapshot *snapshot, const struct tenant_info *tenant);
struct tenant_user *tenant_snapshot_add_user(struct tenant_snapshot *snapshot, const struct tenant_user *user);
bool tenant_snapshot_add_assignment(struct tenant_snapshot *snapshot, struct tenant_user *user,
                                    const struct tenant_assignment *assignment);
bool tenant_snapshot_end_session(struct tenant_snapshot *snapshot, struct slice session_id);
/* `previous_key_id` may be empty. */
struct tenant_key *tenant_snapshot_add_key(struct tenant_snapshot *snapshot, struct slice key_id,
                                           struct slice previous_key_id, const struct tenant_key *key);
/* The sealed texts are copied. */
bool tenant_snapshot_add_webhook(struct tenant_snapshot *snapshot, struct slice hash, const struct tenant_webhook *webhook);
/* One more reference; any thread that has one may take another. */
void tenant_snapshot_hold(const struct tenant_snapshot *snapshot);
/* Gives one up; the last one frees it. Any thread. Accepts NULL. */
void tenant_snapshot_release(const struct tenant_snapshot *snapshot);

/*
 * One event loop's pointer. Only that loop's thread reads it (or anybody before the loop runs). Embedded in its owner;
 * must stay where it is between tenant_view_init and tenant_view_fini.
 */
struct tenant_verifier_loop;
struct json_parser;
struct tenant_view {
    const struct tenant_snapshot *current;         /* never NULL between tenant_view_init and tenant_view_fini */
    struct os_loop *loop;                          /* NULL: nobody will publish to it */
    struct tenant_verifier_loop *verifier;         /* NULL: secret keys cannot be checked (tenant/verifier.h) */
    struct json_parser *json;                      /* for claims of tokens; NULL when there was no memory for it */
    _Atomic(const struct tenant_snapshot *) next;  /* private: published, not yet taken by the loop */
    struct os_task task;                           /* private */
};
/* Takes a reference of its own. */
void tenant_view_init(struct tenant_view *view, struct os_loop *loop, const struct tenant_snapshot *snapshot);
/* After the refresher was stopped and the loop has ended. Accepts a zeroed view. */
void tenant_view_fini(struct tenant_view *view);
/* Hands a newer snapshot to the loop, which swaps soon; takes a reference of its own. One publishing thread. */
void tenant_view_publish(struct tenant_view *view, const struct tenant_snapshot *snapshot);
static inline const struct tenant_snapshot *tenant_view_snapshot(const struct tenant_view *view)
{
    return view->current;
}

#endif
