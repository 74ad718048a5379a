/* SPDX-License-Identifier: Apache-2.0 */
/* All kinds of things people own; here the tables of tenancy, users and roles. */
#include "control/oidc.h"
#include "control/product.h"
#include "control/revenue.h"
#include "control/role.h"
#include "control/share.h"
#include "control/tenancy.h"
#include "control/user.h"

#define RESOURCES_JSON_BYTES (16 * 1024) /* settings, not data */

/* ---- regions: everybody's to see, the installation's to make ---- */

static const struct control_field region_fields[] = {
    {.name = "name",
     .type = CONTROL_TEXT,
     .flags = CONTROL_REQUIRED,
     .least = 1,
     .most = 128,
     .help = "Name of the region."},
    {.name = "code",
     .type = CONTROL_CODE,
     .flags = CONTROL_IMMUTABLE,
     .help = "Short name for scripts, unique; made from the name when absent."},
    {.name = "description", .type = CONTROL_LONG_TEXT, .most = 4096, .help = "What it is for."},
    {.name = "is_active",
     .type = CONTROL_BOOLEAN,
     .flags = CONTROL_UPDATE,
     .help = "Whether new organizations should be made there."},
    {0},
};
const struct control_resource control_regions = {
    .name = "region", .plural = "regions", .service = "core", .table = "regions", .id_column = "region_id",
    .scope = CONTROL_ORGANIZATION, .belongs = "cast($1 as text) <> ''", /* of every organization */
    .read = TENANT_REGIONS_READ, .create = TENANT_REGIONS_WRITE, .write = TENANT_REGIONS_WRITE,
    .delete_ = TENANT_REGIONS_WRITE, .created_by_installation = true,
    .limit = 1000, .limit_reason = "regions are places in the world",
    .fields = region_fields, .help = "Where organizations are at home.",
};

/* ---- organizations ---- */

static const struct control_field organization_fields[] = {
    {.name = "region_id",
     .type = CONTROL_ID,
     .flags = CONTROL_REQUIRED | CONTROL_IMMUTABLE,
     .refers = &control_regions,
     .help = "Region it is at home in."},
    {.name = "name",
     .type = CONTROL_TEXT,
     .flags = CONTROL_REQUIRED,
     .least = 1,
     .most = 128,
     .help = "Name of the organization."},
    {.name = "code",
     .type = CONTROL_CODE,
     .flags = CONTROL_IMMUTABLE,
     .help = "Short name for scripts, unique; made from the name when absent."},
    {.name = "description", .type = CONTROL_LONG_TEXT, .most = 4096, .help = "What it does."},
    {.name = "settings", .type = CONTROL_JSON, .most = RESOURCES_JSON_BYTES, .help = "Settings of pages and programs."},
    {.name = "is_active",
     .type = CONTROL_BOOLEAN,
     .flags = CONTROL_UPDATE | CONTROL_ACCESS,
     .help = "false: its users and keys are refused."},
    {0},
};

/* Users of a switched-off or deleted organization cannot act: one of them may be the last who can undo it. */
static enum error_code resources_check_owner(const struct control_call *call, struct meta_session *session,
                                             enum control_change change, struct slice id, struct error *error)
{
    return control_super_admin_check(call, session, error);
}

const struct control_resource control_organizations = {
    .name = "organization", .plural = "organizations", .service = "core", .table = "organizations",
    .id_column = "organization_id", .scope = CONTROL_ORGANIZATION, .belongs = "organization_id = $1",
    .read = TENANT_ORGANIZATIONS_READ, .create = TENANT_ORGANIZATIONS_CREATE, .write = TENANT_ORGANIZATIONS_WRITE,
    .delete_ = TENANT_ORGANIZATIONS_DELETE, .created_by_installation = true, .soft_delete = true,
    .changes_access = true,
    .limit = 100000, .limit_reason = "every server holds all of them in memory",
    .fields = organization_fields, .check = resources_check_owner, .help = "Who pays: people, workspaces and tenants.",
};

/* ---- workspaces ---- */

static const struct control_field workspace_fields[] = {
    {.name = "name",
     .type = CONTROL_TEXT,
     .flags = CONTROL_REQUIRED,
     .least = 1,
     .most = 128,
     .help = "Name of the workspace."},
    {.name = "code",
     .type = CONTROL_CODE,
     .flags = CONTROL_IMMUTABLE,
     .help = "Short name for scripts, unique; made from the name when absent."},
    {.name = "description", .type = CONTROL_LONG_TEXT, .most = 4096, .help = "What it is for."},
    {.name = "datasource_config",
     .type = CONTROL_JSON,
     .most = RESOURCES_JSON_BYTES,
     .help = "Settings of its data sources."},
    {.name = "is_active",
     .type = CONTROL_BOOLEAN,
     .flags = CONTROL_UPDATE | CONTROL_ACCESS,
     .help = "false: the keys of its tenants are refused."},
    {0},
};
const struct control_resource control_workspaces = {
    .name = "workspace", .plural = "workspaces", .service = "core", .table = "workspaces", .id_column = "workspace_id",
    .scope = CONTROL_ORGANIZATION, .belongs = "organization_id = $1", .scope_column = "organization_id",
    .read = TENANT_WORKSPACES_READ, .create = TENANT_WORKSPACES_WRITE, .write = TENANT_WORKSPACES_WRITE,
    .delete_ = TENANT_WORKSPACES_DELETE, .soft_delete = true, .changes_access = true,
    .limit = 1000, .limit_reason = "a workspace is for a team, not for a customer",
    .fields = workspace_fields, .help = "Groups of tenants.",
};

/* ---- tenants ---- */

static const struct control_field tenant_fields[] = {
    {.name = "workspace_id",
     .type = CONTROL_ID,
     .flags = CONTROL_REQUIRED | CONTROL_IMMUTABLE,
     .refers = &control_workspaces,
     .help = "Workspace it is in."},
    {.name = "name",
     .type = CONTROL_TEXT,
     .flags = CONTROL_REQUIRED,
     .least = 1,
     .most = 128,
     .help = "Name of the tenant."},
    {.name = "code",
     .type = CONTROL_CODE,
     .flags = CONTROL_IMMUTABLE,
     .help = "Short name for scripts, unique; made from the name when absent."},
    {.name = "domain", .type = CONTROL_TEXT, .most = 253, .help = "Its website, such as shop.example."},
    {.name = "settings",
     .type = CONTROL_JSON,
     .flags = CONTROL_ACCESS,
     .most = RESOURCES_JSON_BYTES,
     .help = "An object: do_not_track, allow_public_revenue, retention_days, retention_days_traces, retention_days_logs, retention_days_metrics, filters; other names are for pages and programs."},
    {.name = "is_active",
     .type = CONTROL_BOOLEAN,
     .flags = CONTROL_UPDATE | CONTROL_ACCESS,
     .help = "false: its keys are refused."},
    {0},
};
const struct control_resource control_tenants = {
    .name = "tenant", .plural = "tenants", .service = "core", .table = "tenants", .id_column = "tenant_id",
    .scope = CONTROL_ORGANIZATION,
    .belongs = "workspace_id in (select workspace_id from workspaces where organization_id = $1)",
    .read = TENANT_TENANTS_READ, .create = TENANT_TENANTS_WRITE, .write = TENANT_TENANTS_WRITE,
    .delete_ = TENANT_TENANTS_DELETE, .soft_delete = true, .changes_access = true,
    .limit = 10000, .limit_reason = "every server holds all of them in memory",
    .fields = tenant_fields, .check = control_tenant_check, .help = "A website, a project or an account: what events belong to.",
};

/* ---- users: made by invitation (control/user.h) ---- */

static const struct control_field user_fields[] = {
    {.name = "email", .type = CONTROL_EMAIL, .flags = CONTROL_READ_ONLY, .help = "Address, unique among the living."},
    {.name = "tenant_id",
     .type = CONTROL_ID,
     .flags = CONTROL_NULLABLE | CONTROL_ACCESS,
     .refers = &control_tenants,
     .help = "The tenant shown first."},
    {.name = "first_name", .type = CONTROL_TEXT, .most = 128, .help = "First name."},
    {.name = "last_name", .type = CONTROL_TEXT, .most = 128, .help = "Last name."},
    {.name = "avatar_url", .type = CONTROL_URL, .most = 512, .help = "A picture."},
    {.name = "timezone",
     .type = CONTROL_TEXT,
     .least = 1,
     .most = 64,
     .help = "Name of a time zone, such as Europe/Paris."},
    {.name = "language",
     .type = CONTROL_TEXT,
     .least = 2,
     .most = 16,
     .help = "Language of pages and mails, such as en."},
    {.name = "is_active",
     .type = CONTROL_BOOLEAN,
     .flags = CONTROL_UPDATE | CONTROL_ACCESS,
     .help = "false: cannot log in, and what was logged in stops."},
    {.name = "is_locked", .type = CONTROL_BOOLEAN, .flags = CONTROL_READ_ONLY, .help = "Locked by an administrator."},
    {.name = "email_verified",
     .type = CONTROL_BOOLEAN,
     .flags = CONTROL_READ_ONLY,
     .help = "Whether the address was shown to be theirs."},
    {.name = "last_login_at", .type = CONTROL_TIME, .flags = CONTROL_READ_ONLY, .help = "Last login."},
    {0},
};
const struct control_resource control_users = {
    .name = "user", .plural = "users", .service = "core", .table = "users", .id_column = "user_id",
    .scope = CONTROL_ORGANIZATION, .belongs = "organization_id = $1", .scope_column = "organization_id",
    .read = TENANT_USERS_READ, .create = TENANT_NO_PERMISSION, .write = TENANT_USERS_WRITE,
    .delete_ = TENANT_USERS_DELETE, .soft_delete = true, .changes_access = true,
    .limit = 10000, .limit_reason = "every server holds all of them in memory",
    .fields = user_fields, .check = control_role_check_user, .help = "People.",
};

/* ---- roles: built-in ones are shown, custom ones can be made ---- */

static const struct control_field role_fields[] = {
    {.name = "name",
     .type = CONTROL_TEXT,
     .flags = CONTROL_REQUIRED,
     .least = 1,
     .most = 128,
     .help = "Name of the role."},
    {.name = "description", .type = CONTROL_LONG_TEXT, .most = 4096, .help = "Whom it is for."},
    {.name = "role_type",
     .type = CONTROL_TEXT,
     .flags = CONTROL_READ_ONLY,
     .help = "custom, or the name of a built-in role."},
    {0},
};
const struct control_resource control_roles = {
    .name = "role", .plural = "roles", .service = "core", .table = "roles", .id_column = "role_id",
    .scope = CONTROL_ORGANIZATION, .belongs = "organization_id = $1 or organization_id is null",
    .scope_column = "organization_id",
    .read = TENANT_ROLES_READ, .create = TENANT_ROLES_WRITE, .write = TENANT_ROLES_WRITE,
    .delete_ = TENANT_ROLES_WRITE, .soft_delete = true, .changes_access = true,
    .limit = 200, .limit_reason = "more can no longer be told apart by people",
    .fields = role_fields, .check = control_role_check_role, .help = "What people may do.",
};

const struct control_resource *const control_resources[] = {
    &control_regions,
    &control_organizations,
    &control_workspaces,
    &control_tenants,
    &control_users,
    &control_roles,
    &control_identity_providers,
    &control_revenue_configs,
    &control_dashboards,
    &control_widgets,
    &control_dashboard_templates,
    &control_reports,
    &control_goals,
    &control_funnels,
    &control_annotations,
    &control_cohorts,
    &control_flags,
    &control_target_groups,
    &control_links,
    &control_shares,
    &control_subscriptions,
    &control_billing_history,
    NULL,
};

const struct control_resource *control_resource_find(struct slice plural)
{
    for (size_t i = 0; control_resources[i]; i++)
        if (slice_equal(slice_from_string(control_resources[i]->plural), plural)) return control_resources[i];
    return NULL;
}
