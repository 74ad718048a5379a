/* SPDX-License-Identifier: Apache-2.0 */
/* Permissions of keys as the metadata writes them: "write", "read", "write read". */
#ifndef TENANT_PERMISSION_H
#define TENANT_PERMISSION_H

#include "tenant/tenant.h"

/* The text of a set of permissions, or NULL when there is none for it. */
const char *tenant_permissions_text(unsigned permissions);
/* False for a text that tenant_permissions_text does not write. */
bool tenant_permissions_parse(struct slice text, unsigned *permissions);

#endif
