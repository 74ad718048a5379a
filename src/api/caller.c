/* SPDX-License-Identifier: Apache-2.0 */
/* On behalf of which organization and tenant somebody asks, and whether he may. */
#include "api/api_private.h"

static void api_copy_id(char out[37], const char *id) { snprintf(out, 37, "%s", id); }

static bool api_is_id(struct slice text, const char *id) { return slice_equal(text, slice_from_string(id)); }

static struct slice api_header_of(const void *request, const char *lower_case_name)
{
    return request_header_get(request, lower_case_name);
}

void api_caller_address(struct api_call *call)
{
    const struct client_address_rules *rules = call->loop->api->settings.address_rules;
    struct request *request = call->request;
    call->caller.address = client_address_find(rules, request->peer, api_header_of, request, request->arena);
}

bool api_caller_is_local(const struct request *request)
{
    static const char *const proxy_headers[] = {"forwarded", "x-forwarded-for", "x-real-ip", "via"};
    for (size_t i = 0; i < sizeof proxy_headers / sizeof *proxy_headers; i++)
        if (request_header_get(request, proxy_headers[i]).size) return false;
    struct slice peer = request->peer;
    return peer.size == 0 || slice_starts_with(peer, SLICE("127.")) || slice_equal(peer, SLICE("::1")) ||
           slice_starts_with(peer, SLICE("::ffff:127."));
}

/* ---- keys ---- */

static enum error_code api_key_context(struct api_caller *caller, const struct tenant_key *key,
                                       struct slice organization,
                                       struct slice tenant, struct error *error)
{
    api_copy_id(caller->id, key->id);
    api_copy_id(caller->tenant_id, key->tenant->id);
    if (key->tenant->organization) api_copy_id(caller->organization_id, key->tenant->organization->id);
    if (tenant.size && !api_is_id(tenant, caller->tenant_id))
        return error_set_field(error, ERROR_FORBIDDEN, "millrace-tenant",
                               "the key is of another tenant than the header names");
    if (organization.size && !api_is_id(organization, caller->organization_id))
        return error_set_field(error, ERROR_FORBIDDEN, "millrace-organization",
                               "the key is of another organization than the header names");
    return ERROR_NONE;
}

/* ---- users ---- */

struct api_asking {
    const struct tenant_snapshot *snapshot;
    const struct tenant_subject *subject;
    int64_t now_ms;
};

static enum error_code api_reaches(const struct api_asking *asking, enum tenant_scope_kind kind, const char *id,
                                   struct error *error)
{
    struct tenant_scope scope = {.kind = kind, .id = id};
    return tenant_access_decide(asking->snapshot, asking->subject, scope, TENANT_NO_PERMISSION, asking->now_ms, error);
}

static enum error_code api_not_there(const char *what, const char *field, struct error *error)
{
    return error_set_field(error, ERROR_NOT_FOUND, field, "there is no %s of that id that you may know of", what);
}

static enum error_code api_user_organization(const struct api_asking *asking, struct api_caller *caller,
                                             struct slice organization, struct error *error)
{
    api_copy_id(caller->organization_id, asking->subject->user->organization->id);
    if (!organization.size || api_is_id(organization, caller->organization_id)) return ERROR_NONE;
    if (caller->is_super && api_is_id(organization, API_INSTALLATION_ID)) {
        api_copy_id(caller->organization_id, API_INSTALLATION_ID);
        return ERROR_NONE;
    }
    const struct tenant_organization *other = tenant_snapshot_organization(asking->snapshot, organization);
    if (!other || api_reaches(asking, TENANT_SCOPE_ORGANIZATION, other->id, NULL) != ERROR_NONE)
        return api_not_there("organization", "millrace-organization", error);
    api_copy_id(caller->organization_id, other->id);
    return ERROR_NONE;
}

static enum error_code api_user_tenant(const struct api_asking *asking, struct api_caller *caller,
                                       bool has_organization,
                                       struct slice tenant, struct error *error)
{
    const struct tenant_info *info = tenant_snapshot_find(asking->snapshot, tenant);
    if (!info || !info->organization) return api_not_there("tenant", "millrace-tenant", error);
    /* An inactive one is told of with its reason by the decision about the permission. */
    if (api_reaches(asking, TENANT_SCOPE_TENANT, info->id, error) == ERROR_NOT_FOUND)
        return api_not_there("tenant", "millrace-tenant", error);
    if (has_organization && strcmp(caller->organization_id, info->organization->id) != 0)
        return api_not_there("tenant", "millrace-tenant", error);
    api_copy_id(caller->tenant_id, info->id);
    api_copy_id(caller->organization_id, info->organization->id);
    return ERROR_NONE;
}

/* Without a header: the user's usual tenant, or the only one he reaches in the organization. */
static enum error_code api_user_default_tenant(const struct api_asking *asking, struct api_caller *caller,
                                               struct error *error)
{
    const struct tenant_info *usual = asking->subject->user->tenant, *only = NULL;
    if (usual && usual->organization && strcmp(usual->organization->id, caller->organization_id) == 0 &&
        api_reaches(asking, TENANT_SCOPE_TENANT, usual->id, NULL) != ERROR_NOT_FOUND) {
        api_copy_id(caller->tenant_id, usual->id);
        return ERROR_NONE;
    }
    size_t position = 0;
    for (struct map_entry *entry; (entry = map_next(&asking->snapshot->tenants, &position));) {
        const struct tenant_info *info = entry->value;
        if (!info->organization || strcmp(info->organization->id, caller->organization_id) != 0) continue;
        if (api_reaches(asking, TENANT_SCOPE_TENANT, info->id, NULL) != ERROR_NONE) continue;
        if (only)
            return error_set_field(error, ERROR_INVALID, "millrace-tenant",
                                   "several tenants can be meant: name one in the header Millrace-Tenant");
        only = info;
    }
    if (!only) return error_set(error, ERROR_FORBIDDEN, "no tenant of the organization is open to you");
    api_copy_id(caller->tenant_id, only->id);
    return ERROR_NONE;
}

static void api_user_identify(struct api_caller *caller, const struct api_asking *asking)
{
    caller->kind = TENANT_SUBJECT_USER;
    api_copy_id(caller->id, asking->subject->user->id);
    api_copy_id(caller->session_id, asking->subject->session_id);
    caller->is_super = api_reaches(asking, TENANT_SCOPE_INSTALLATION, NULL, NULL) == ERROR_NONE;
}

void api_caller_identify(struct api_call *call, const struct tenant_subject *subject)
{
    struct api_asking asking = {tenant_view_snapshot(call->loop->view), subject, call->request->received_ms};
    if (subject->kind == TENANT_SUBJECT_USER) api_user_identify(&call->caller, &asking);
}

static enum error_code api_user_context(struct api_call *call, const struct api_asking *asking,
                                        struct slice organization,
                                        struct slice tenant, struct error *error)
{
    struct api_caller *caller = &call->caller;
    api_user_identify(caller, asking);
    enum error_code code = api_user_organization(asking, caller, organization, error);
    if (code == ERROR_NONE && tenant.size) code = api_user_tenant(asking, caller, organization.size > 0, tenant, error);
    else if (code == ERROR_NONE && call->route->access == API_PERMITTED && call->route->scope == CONTROL_TENANT)
        code = api_user_default_tenant(asking, caller, error);
    return code;
}

/* ---- the decision ---- */

enum error_code api_caller_decide(struct api_call *call, const struct tenant_subject *subject, struct error *error)
{
    const struct api_route *route = call->route;
    struct api_caller *caller = &call->caller;
    struct api_asking asking = {tenant_view_snapshot(call->loop->view), subject, call->request->received_ms};
    struct slice organization = request_header_get(call->request, "millrace-organization");
    struct slice tenant = request_header_get(call->request, "millrace-tenant");
    caller->kind = subject->kind;
    if (route->access == API_OPEN) return ERROR_NONE;
    enum error_code code = ERROR_NONE;
    switch (subject->kind) {
    case TENANT_SUBJECT_NOBODY:
        return error_set(error, ERROR_UNAUTHENTICATED,
                         "this needs a key or a login: send \"Authorization: Bearer ...\"");
    case TENANT_SUBJECT_KEY: code = api_key_context(caller, subject->key, organization, tenant, error); break;
    case TENANT_SUBJECT_USER: code = api_user_context(call, &asking, organization, tenant, error); break;
    }
    if (code != ERROR_NONE) return code;
    if (route->access == API_LOGGED_IN) {
        if (subject->kind == TENANT_SUBJECT_USER) return ERROR_NONE;
        return error_set(error, ERROR_FORBIDDEN, "this is for users who are logged in; a key is not one");
    }
    ASSERT(route->access == API_PERMITTED);
    static const enum tenant_scope_kind kinds[] = {[CONTROL_INSTALLATION] = TENANT_SCOPE_INSTALLATION,
                                                   [CONTROL_ORGANIZATION] = TENANT_SCOPE_ORGANIZATION,
                                                   [CONTROL_TENANT] = TENANT_SCOPE_TENANT};
    struct tenant_scope scope = {.kind = kinds[route->scope]};
    if (route->scope == CONTROL_ORGANIZATION) scope.id = caller->organization_id;
    if (route->scope == CONTROL_TENANT) scope.id = caller->tenant_id;
    if (route->tenant_is_enough && caller->tenant_id[0])
        scope = (struct tenant_scope){TENANT_SCOPE_TENANT, caller->tenant_id};
    else if (strcmp(caller->organization_id, API_INSTALLATION_ID) == 0)
        scope = (struct tenant_scope){.kind = TENANT_SCOPE_INSTALLATION};
    code = tenant_access_decide(asking.snapshot, subject, scope, route->permission, asking.now_ms, error);
    const enum tenant_permission *also = route->question ? route->question->also : NULL;
    for (; code == ERROR_NONE && also && *also != TENANT_NO_PERMISSION; also++)
        code = tenant_access_decide(asking.snapshot, subject, scope, *also, asking.now_ms, error);
    return code;
}
