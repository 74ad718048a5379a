/* SPDX-License-Identifier: Apache-2.0 */
/* Every table from which something goes when it is purged, children before what they refer to. */
#include <stddef.h>

#include "control/purge_private.h"

const char *const purge_service_names[PURGE_SERVICE_COUNT] = {"core", "product", "billing"};

#define PRODUCT_OF_TENANT(table) {PURGE_PRODUCT, #table, "delete from " #table " where tenant_id = $1"}
#define CORE(table, where) {PURGE_CORE, #table, "delete from " #table " where " where}

static const struct purge_step tenant_steps[] = {
    PRODUCT_OF_TENANT(widgets),       PRODUCT_OF_TENANT(reports), PRODUCT_OF_TENANT(dashboards),
    PRODUCT_OF_TENANT(goals),         PRODUCT_OF_TENANT(funnels), PRODUCT_OF_TENANT(annotations), PRODUCT_OF_TENANT(cohorts),
    PRODUCT_OF_TENANT(target_groups), PRODUCT_OF_TENANT(flags),   PRODUCT_OF_TENANT(links),
    PRODUCT_OF_TENANT(flag_revisions), PRODUCT_OF_TENANT(shares),
    CORE(api_key_usage, "api_key_id in (select api_key_id from api_keys where tenant_id = $1)"),
    CORE(api_key_permissions, "api_key_id in (select api_key_id from api_keys where tenant_id = $1)"),
    CORE(api_keys, "tenant_id = $1"),
    CORE(revenue_configs, "tenant_id = $1"),
    CORE(user_roles, "tenant_id = $1 or role_id in (select role_id from roles where tenant_id = $1)"),
    CORE(role_permissions, "role_id in (select role_id from roles where tenant_id = $1)"),
    CORE(roles, "tenant_id = $1"),
    {PURGE_CORE, NULL, "update users set tenant_id = null where tenant_id = $1"},
    CORE(tenants, "tenant_id = $1"),
    {0},
};
const struct purge_kind purge_tenants = {
    .type = "tenant",
    .due = "select t.tenant_id, w.organization_id from tenants t join workspaces w on w.workspace_id = t.workspace_id"
           " join organizations o on o.organization_id = w.organization_id"
           " where t.deleted_at < cast($1 as bigint) or w.deleted_at < cast($1 as bigint)"
           " or o.deleted_at < cast($1 as bigint) order by t.tenant_id limit 100",
    .steps = tenant_steps,
};

/* Its tenants went before; one that is restored in between keeps it. */
static const struct purge_step workspace_steps[] = {CORE(workspaces, "workspace_id = $1"), {0}};
static const struct purge_kind purge_workspaces = {
    .type = "workspace",
    .due = "select w.workspace_id, w.organization_id from workspaces w"
           " join organizations o on o.organization_id = w.organization_id"
           " where (w.deleted_at < cast($1 as bigint) or o.deleted_at < cast($1 as bigint))"
           " and not exists (select 1 from tenants t where t.workspace_id = w.workspace_id)"
           " order by w.workspace_id limit 100",
    .steps = workspace_steps,
};

#define USERS "(select user_id from users where user_id = $1 or organization_id = $1)"
#define USER_STEPS                                                                                                     \
    CORE(user_roles, "user_id in " USERS), CORE(refresh_tokens, "user_id in " USERS),                                  \
        CORE(user_sessions, "user_id in " USERS), CORE(email_verifications, "user_id in " USERS),                      \
        CORE(password_reset_tokens, "user_id in " USERS), CORE(mfa_secrets, "user_id in " USERS),                      \
        CORE(mfa_backup_codes, "user_id in " USERS), CORE(trusted_devices, "user_id in " USERS),                       \
        CORE(user_identities, "user_id in " USERS), CORE(users, "user_id = $1 or organization_id = $1")
static const struct purge_step user_steps[] = {USER_STEPS, {0}};
static const struct purge_kind purge_users = {
    .type = "user",
    .due =
        "select user_id, organization_id from users where deleted_at < cast($1 as bigint) order by user_id limit 100",
    .steps = user_steps,
};

#define ROLES "(select role_id from roles where role_id = $1 or organization_id = $1)"
#define ROLE_STEPS                                                                                                     \
    CORE(user_roles, "role_id in " ROLES), CORE(role_permissions, "role_id in " ROLES),                                \
        CORE(roles, "role_id = $1 or organization_id = $1")
static const struct purge_step role_steps[] = {
    {PURGE_CORE, NULL, "update identity_providers set default_role_id = null where default_role_id = $1"},
    ROLE_STEPS,
    {0},
};
static const struct purge_kind purge_roles = {
    .type = "role",
    .due = "select role_id, organization_id from roles where deleted_at < cast($1 as bigint)"
           " and organization_id is not null order by role_id limit 100",
    .steps = role_steps,
};

#define PROVIDERS                                                                                                      \
    "(select identity_provider_id from identity_providers where identity_provider_id = $1 or organization_id = $1)"
#define PROVIDER_STEPS                                                                                                 \
    CORE(user_identities, "identity_provider_id in " PROVIDERS),                                                       \
        CORE(identity_logins, "identity_provider_id in " PROVIDERS),                                                   \
        CORE(identity_providers, "identity_provider_id = $1 or organization_id = $1")
static const struct purge_step provider_steps[] = {PROVIDER_STEPS, {0}};
static const struct purge_kind purge_providers = {
    .type = "identity_provider",
    .due = "select identity_provider_id, organization_id from identity_providers where deleted_at < cast($1 as bigint)"
           " order by identity_provider_id limit 100",
    .steps = provider_steps,
};

static const struct purge_step organization_steps[] = {
    {PURGE_BILLING, "billing_history", "delete from billing_history where organization_id = $1"},
    {PURGE_BILLING, "subscriptions", "delete from subscriptions where organization_id = $1"},
    PROVIDER_STEPS,
    USER_STEPS,
    ROLE_STEPS,
    CORE(organizations, "organization_id = $1"),
    {0},
};
static const struct purge_kind purge_organizations = {
    .type = "organization",
    .due = "select o.organization_id, o.organization_id from organizations o where o.deleted_at < cast($1 as bigint)"
           " and not exists (select 1 from workspaces w where w.organization_id = o.organization_id)"
           " order by o.organization_id limit 100",
    .steps = organization_steps,
};

const struct purge_kind *const purge_kinds[] = {
    &purge_tenants, &purge_workspaces, &purge_users, &purge_roles, &purge_providers, &purge_organizations, NULL,
};

#define OLD_PRODUCT(table) {PURGE_PRODUCT, #table, "delete from " #table " where deleted_at < $1"}
#define OLD_DASHBOARDS "(select dashboard_id from dashboards where deleted_at < $1)"
const struct purge_step purge_product_rows[] = {
    {PURGE_PRODUCT, "widgets", "delete from widgets where dashboard_id in " OLD_DASHBOARDS},
    OLD_PRODUCT(reports),
    {PURGE_PRODUCT, NULL, "update reports set dashboard_id = null where dashboard_id in " OLD_DASHBOARDS},
    OLD_PRODUCT(dashboards),
    OLD_PRODUCT(goals),
    OLD_PRODUCT(funnels),
    OLD_PRODUCT(annotations),
    OLD_PRODUCT(cohorts),
    OLD_PRODUCT(target_groups),
    OLD_PRODUCT(flags),
    OLD_PRODUCT(links),
    {0},
};

/* Sessions are kept for 30 days after their end, for people who look where they were logged in; so are their refresh
 * tokens, by whose reuse theft is seen. */
#define DAYS_30 "2592000000"
#define OVER                                                                                                           \
    "(select session_id from user_sessions where expires_at < $1 - " DAYS_30 " or revoked_at < $1 - " DAYS_30 ")"
const struct purge_step purge_expired_rows[] = {
    CORE(refresh_tokens, "session_id in " OVER),
    CORE(user_sessions, "session_id in " OVER),
    CORE(email_verifications, "expires_at < $1"),
    CORE(password_reset_tokens, "expires_at < $1"),
    CORE(identity_logins, "expires_at < $1"),
    CORE(trusted_devices, "expires_at < $1"),
    CORE(user_roles, "expires_at < $1 - " DAYS_30),
    {0},
};
