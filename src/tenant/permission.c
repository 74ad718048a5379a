/* SPDX-License-Identifier: Apache-2.0 */
/* The table of permission texts. */
#include "tenant/permission.h"

static const struct {
    unsigned permissions;
    const char *text;
} tenant_permission_texts[] = {
    {TENANT_MAY_WRITE, "write"},
    {TENANT_MAY_READ, "read"},
    {TENANT_MAY_WRITE | TENANT_MAY_READ, "write read"},
};
#define TENANT_PERMISSION_TEXT_COUNT (sizeof tenant_permission_texts / sizeof *tenant_permission_texts)

const char *tenant_permissions_text(unsigned permissions)
{
    for (size_t i = 0; i < TENANT_PERMISSION_TEXT_COUNT; i++)
        if (tenant_permission_texts[i].permissions == permissions) return tenant_permission_texts[i].text;
    return NULL;
}

bool tenant_permissions_parse(struct slice text, unsigned *permissions)
{
    for (size_t i = 0; i < TENANT_PERMISSION_TEXT_COUNT; i++)
        if (slice_equal(slice_from_string(tenant_permission_texts[i].text), text)) {
            *permissions = tenant_permission_texts[i].permissions;
            return true;
        }
    return false;
}
