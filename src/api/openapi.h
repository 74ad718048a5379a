/* SPDX-License-Identifier: Apache-2.0 */
/* /openapi.json: what the table of routes says, as OpenAPI 3.1. */
#ifndef API_OPENAPI_H
#define API_OPENAPI_H

#include "api/route.h"

/*
 * Model: written once at start from the rows that also answer, so that it cannot say anything else. Besides the
 * standard's words each operation has x-millrace-access (open, logged_in, permitted), x-millrace-scope (installation,
 * organization, tenant) and x-millrace-permission, from which tests try every route without being told of it.
 */
struct api_openapi_source {
    const struct api_routes *routes;
    const struct domain *const *domains;
    size_t domain_count;
    const struct control_resource *const *resources; /* ended by NULL; may be NULL */
    const char *version;
};
void api_openapi_write(const struct api_openapi_source *source, struct buffer *out);

#endif
