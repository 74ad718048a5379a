/* SPDX-License-Identifier: Apache-2.0 */
/* The one function that decides whether somebody may do something somewhere. */
#include "tenant/tenant.h"

/* Where a scope lies. */
struct access_place {
    enum tenant_scope_kind kind;
    const struct tenant_info *tenant;             /* of TENANT_SCOPE_TENANT */
    const struct tenant_organization *organization; /* of a tenant and of TENANT_SCOPE_ORGANIZATION */
};
/* What a subject has there. */
struct access_reach {
    bool reached;   /* some assignment leads there */
    bool is_super;  /* by a super_admin's: inactive things too */
    struct tenant_permission_set allowed, denied;
};

static bool access_find(const struct tenant_snapshot *snapshot, struct tenant_scope scope, struct access_place *place)
{
    *place = (struct access_place){.kind = scope.kind};
    if (scope.kind == TENANT_SCOPE_INSTALLATION) return true;
    struct slice id = slice_from_string(scope.id ? scope.id : "");
    if (scope.kind == TENANT_SCOPE_ORGANIZATION) {
        place->organization = tenant_snapshot_organization(snapshot, id);
        return place->organization != NULL;
    }
    place->tenant = tenant_snapshot_find(snapshot, id);
    if (place->tenant) place->organization = place->tenant->organization;
    return place->tenant != NULL;
}

static void access_unite(struct tenant_permission_set *set, const struct tenant_permission_set *more)
{
    for (size_t i = 0; i < sizeof set->words / sizeof *set->words; i++) set->words[i] |= more->words[i];
}

static bool access_covers(const struct tenant_assignment *assignment, const struct tenant_user *user,
                          const struct access_place *place)
{
    if (assignment->tenant) return place->kind == TENANT_SCOPE_TENANT && place->tenant == assignment->tenant;
    if (assignment->is_super) return true;
    return place->organization && place->organization == user->organization;
}

static struct access_reach access_of_user(const struct tenant_user *user, const struct access_place *place, int64_t now_ms)
{
    struct access_reach reach = {0};
    for (const struct tenant_assignment *assignment = user->assignments; assignment; assignment = assignment->next) {
        if (assignment->expires_ms && assignment->expires_ms <= now_ms) continue;
        bool covers = access_covers(assignment, user, place);
        if (covers || !assignment->tenant) access_unite(&reach.denied, &assignment->denied);
        if (!covers) continue;
        reach.reached = true;
        reach.is_super |= assignment->is_super && !assignment->tenant;
        access_unite(&reach.allowed, &assignment->allowed);
    }
    return reach;
}

static struct access_reach access_of(const struct tenant_subject *subject, const struct access_place *place, int64_t now_ms)
{
    if (subject->kind == TENANT_SUBJECT_USER) return access_of_user(subject->user, place, now_ms);
    struct access_reach reach = {0};
    if (subject->kind != TENANT_SUBJECT_KEY || place->kind != TENANT_SCOPE_TENANT) return reach;
    reach.reached = place->tenant == subject->key->tenant;
    if (reach.reached) reach.allowed = subject->key->permissions;
    return reach;
}

static enum error_code access_check_subject(const struct tenant_subject *subject, int64_t now_ms, struct error *error)
{
    if (subject->kind == TENANT_SUBJECT_NOBODY)
        return error_set(error, ERROR_UNAUTHENTICATED, "this needs a login or a key");
    if (subject->kind == TENANT_SUBJECT_USER && !subject->user->active)
        return error_set(error, ERROR_UNAUTHENTICATED, "the user is not active");
    if (subject->kind != TENANT_SUBJECT_KEY) return ERROR_NONE;
    if (subject->key->revoked) return error_set(error, ERROR_UNAUTHENTICATED, "the key has been revoked");
    if (subject->key->expires_ms && subject->key->expires_ms <= now_ms)
        return error_set(error, ERROR_UNAUTHENTICATED, "the key has expired");
    return ERROR_NONE;
}

/* Whether the subject may know that the scope is there although no assignment leads to it. */
static bool access_is_known(const struct tenant_subject *subject, const struct access_place *place)
{
    if (place->kind == TENANT_SCOPE_INSTALLATION) return true;
    return place->kind == TENANT_SCOPE_ORGANIZATION && subject->kind == TENANT_SUBJECT_USER &&
           place->organization == subject->user->organization;
}

enum error_code tenant_access_decide(const struct tenant_snapshot *snapshot, const struct tenant_subject *subject,
                                     struct tenant_scope scope, enum tenant_permission permission, int64_t now_ms,
                                     struct error *error)
{
    static const char *const names[] = {"installation", "organization", "tenant"};
    struct access_place place;
    enum error_code code = access_check_subject(subject, now_ms, error);
    if (code) return code;
    bool exists = access_find(snapshot, scope, &place);
    struct access_reach reach = exists ? access_of(subject, &place, now_ms) : (struct access_reach){0};
    if (!exists || (!reach.reached && !access_is_known(subject, &place)))
        return error_set(error, ERROR_NOT_FOUND, "there is no such %s", names[scope.kind]);
    if (!reach.reached && permission == TENANT_NO_PERMISSION)
        return error_set(error, ERROR_FORBIDDEN, "no role leads to this %s", names[scope.kind]);
    if (permission != TENANT_NO_PERMISSION &&
        (!tenant_permission_has(&reach.allowed, permission) || tenant_permission_has(&reach.denied, permission)))
        return error_set(error, ERROR_FORBIDDEN, "this needs the permission %s", tenant_permissions[permission].name);
    if (reach.is_super) return ERROR_NONE;
    if (place.organization && !place.organization->active)
        return error_set(error, ERROR_FORBIDDEN, "the organization is not active");
    if (place.tenant && !place.tenant->active) return error_set(error, ERROR_FORBIDDEN, "the tenant is not active");
    return ERROR_NONE;
}

struct tenant_permission_set tenant_access_permissions(const struct tenant_snapshot *snapshot,
                                                       const struct tenant_subject *subject, struct tenant_scope scope,
                                                       int64_t now_ms)
{
    struct tenant_permission_set set = {{0}};
    /* The same function answers for each: nothing shown here is decided elsewhere. */
    for (size_t i = 0; i < TENANT_PERMISSION_COUNT; i++)
        if (tenant_access_decide(snapshot, subject, scope, (enum tenant_permission)i, now_ms, NULL) == ERROR_NONE)
            tenant_permission_add(&set, (enum tenant_permission)i);
    return set;
}
