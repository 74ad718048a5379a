/* SPDX-License-Identifier: Apache-2.0 */
/* The table of permissions, and which of them each built-in role has. */
#include "tenant/access.h"

const struct tenant_permission_info tenant_permissions[TENANT_PERMISSION_COUNT] = {
#define PERMISSION(name, resource, action, roles, key, description) \
    [TENANT_##name] = {resource ":" action, resource, action, roles, key, description},
#include "tenant/permission.def"
#undef PERMISSION
};

enum tenant_permission tenant_permission_find(struct slice name)
{
    for (size_t i = 0; i < TENANT_PERMISSION_COUNT; i++)
        if (slice_equal(slice_from_string(tenant_permissions[i].name), name)) return (enum tenant_permission)i;
    return TENANT_PERMISSION_COUNT;
}

/* The letter is that of permission.def; super_admin has no letter because it has all, custom because it has none. */
static const struct {
    const char *name;
    char letter;
} tenant_roles[TENANT_ROLE_TYPE_COUNT] = {
    [TENANT_ROLE_SUPER_ADMIN] = {"super_admin", 0}, [TENANT_ROLE_ADMIN] = {"admin", 'A'},
    [TENANT_ROLE_DEVELOPER] = {"developer", 'D'},   [TENANT_ROLE_VIEWER] = {"viewer", 'V'},
    [TENANT_ROLE_DEMO] = {"demo", 'M'},             [TENANT_ROLE_SERVICE] = {"service", 'S'},
    [TENANT_ROLE_CUSTOM] = {"custom", 0},
};

const char *tenant_role_type_name(enum tenant_role_type type) { return tenant_roles[type].name; }

enum tenant_role_type tenant_role_type_find(struct slice name)
{
    for (size_t i = 0; i < TENANT_ROLE_TYPE_COUNT; i++)
        if (slice_equal(slice_from_string(tenant_roles[i].name), name)) return (enum tenant_role_type)i;
    return TENANT_ROLE_TYPE_COUNT;
}

struct tenant_permission_set tenant_role_permissions(enum tenant_role_type type)
{
    struct tenant_permission_set set = {{0}};
    for (size_t i = 0; i < TENANT_PERMISSION_COUNT; i++)
        if (type == TENANT_ROLE_SUPER_ADMIN ||
            (tenant_roles[type].letter && strchr(tenant_permissions[i].roles, tenant_roles[type].letter)))
            tenant_permission_add(&set, (enum tenant_permission)i);
    return set;
}
