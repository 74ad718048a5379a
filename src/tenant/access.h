/* SPDX-License-Identifier: Apache-2.0 */
/* Permissions, who asks, and the one function that decides whether they may. */
#ifndef TENANT_ACCESS_H
#define TENANT_ACCESS_H

#include "base/error.h"
#include "base/slice.h"

/*
 * Model: a permission is a pair of resource and action, written "resource:action"; tenant/permission.def lists all. A
 * subject is who asks: a key, a user with a session, or nobody. A scope is what is asked about: one tenant, one
 * organization, or the installation. tenant_access_decide is the only place where the answer is made: deny by default,
 * an explicit deny beats every grant, an expired assignment grants nothing. It reads a snapshot (tenant/tenant.h):
 * no lock, no database.
 */
enum tenant_permission {
#define PERMISSION(name, resource, action, roles, key, description) TENANT_##name,
#include "tenant/permission.def"
#undef PERMISSION
    TENANT_PERMISSION_COUNT,
    TENANT_NO_PERMISSION = TENANT_PERMISSION_COUNT /* of routes that are open to all, or to everybody who is logged in */
};
struct tenant_permission_info {
    const char *name;        /* "events:write" */
    const char *resource;
    const char *action;
    const char *roles;       /* letters of tenant/permission.def */
    char key;                /* 'W', 'S' or 0 */
    const char *description;
};
extern const struct tenant_permission_info tenant_permissions[TENANT_PERMISSION_COUNT];
/* TENANT_PERMISSION_COUNT when there is none of that name. */
enum tenant_permission tenant_permission_find(struct slice name);

struct tenant_permission_set {
    uint64_t words[(TENANT_PERMISSION_COUNT + 63) / 64];
};
static inline void tenant_permission_add(struct tenant_permission_set *set, enum tenant_permission permission)
{
    set->words[permission / 64] |= UINT64_C(1) << permission % 64;
}
static inline bool tenant_permission_has(const struct tenant_permission_set *set, enum tenant_permission permission)
{
    return set->words[permission / 64] >> permission % 64 & 1;
}

/* The built-in roles; the text is roles.role_type. */
enum tenant_role_type {
    TENANT_ROLE_SUPER_ADMIN, TENANT_ROLE_ADMIN, TENANT_ROLE_DEVELOPER, TENANT_ROLE_VIEWER, TENANT_ROLE_DEMO,
    TENANT_ROLE_SERVICE, TENANT_ROLE_CUSTOM, TENANT_ROLE_TYPE_COUNT
};
const char *tenant_role_type_name(enum tenant_role_type type);
/* TENANT_ROLE_TYPE_COUNT when there is none of that name. */
enum tenant_role_type tenant_role_type_find(struct slice name);
/* What a built-in role may do; empty for TENANT_ROLE_CUSTOM. */
struct tenant_permission_set tenant_role_permissions(enum tenant_role_type type);

struct tenant_snapshot;
struct tenant_key;
struct tenant_user;
enum tenant_subject_kind { TENANT_SUBJECT_NOBODY, TENANT_SUBJECT_KEY, TENANT_SUBJECT_USER };
/* Points into the snapshot it was found in: valid as long as that. */
struct tenant_subject {
    enum tenant_subject_kind kind;
    const struct tenant_key *key;    /* of TENANT_SUBJECT_KEY */
    const struct tenant_user *user;  /* of TENANT_SUBJECT_USER */
    char session_id[37];             /* of TENANT_SUBJECT_USER */
    bool by_cookie;                  /* sent by a browser on its own: changes need the CSRF check of api/ */
};

enum tenant_scope_kind { TENANT_SCOPE_INSTALLATION, TENANT_SCOPE_ORGANIZATION, TENANT_SCOPE_TENANT };
struct tenant_scope {
    enum tenant_scope_kind kind;
    const char *id; /* of the organization or the tenant; NULL for the installation */
};
/*
 * ERROR_NONE: the subject has the permission there. ERROR_UNAUTHENTICATED: it is nobody, or a key or user that has ended.
 * ERROR_FORBIDDEN: it is not granted (the message names the permission), or denied, or the tenant or organization is
 * inactive (super admins alone may work on those). ERROR_NOT_FOUND: the scope is not one this subject may know of, or does
 * not exist: the two cannot be told apart.
 *
 * A key reaches its own tenant and nothing else. A user's assignment without tenant reaches the user's organization
 * with all its tenants, one with a tenant that tenant alone; super_admin without tenant reaches everything. A denial
 * without tenant holds everywhere, one with a tenant in that tenant. TENANT_NO_PERMISSION asks only whether it is reached.
 */
enum error_code tenant_access_decide(const struct tenant_snapshot *snapshot, const struct tenant_subject *subject,
                                     struct tenant_scope scope, enum tenant_permission permission, int64_t now_ms,
                                     struct error *error) MUST_CHECK;
/* Every permission the subject has there: for tokens, and for pages that show only what one may do. */
struct tenant_permission_set tenant_access_permissions(const struct tenant_snapshot *snapshot,
                                                       const struct tenant_subject *subject, struct tenant_scope scope,
                                                       int64_t now_ms);

#endif
