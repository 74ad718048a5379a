/* SPDX-License-Identifier: Apache-2.0 */
/* Single sign-on providers as things an organization owns: their fields, their secret, and how a login finds them. */
#include "control/identity.h"
#include "control/oidc.h"
#include "control/oidc_private.h"
#include "control/role.h"
#include "control/transfer.h"

#define OIDC_SECRET_PURPOSE "oidc client secret"

static const struct control_field provider_fields[] = {
    {"name", CONTROL_TEXT, CONTROL_REQUIRED, 1, 128, .help = "What the login page calls it."},
    {"code", CONTROL_CODE, CONTROL_IMMUTABLE, 1, 64,
     .help = "Its part of the addresses of a login; made from the name when absent."},
    {"issuer", CONTROL_URL, CONTROL_REQUIRED | CONTROL_IMMUTABLE, 8, 512,
     .help =
         "The provider's issuer, exactly as its discovery document has it. Never changed: identities belong to it."},
    {"client_id", CONTROL_TEXT, CONTROL_REQUIRED, 1, 256, .help = "What the provider calls this installation."},
    {"allowed_domains", CONTROL_WORDS, 0, 0, 50,
     .help = "Domains of mail addresses that may come in by it. Empty: only users that are there already."},
    {"auto_create_users", CONTROL_BOOLEAN, .help = "Whether unknown people of allowed_domains become users."},
    {"default_role_id", CONTROL_ID, CONTROL_NULLABLE, .help = "Role of users that are made so."},
    {"is_active", CONTROL_BOOLEAN, CONTROL_UPDATE, .help = "Whether logins by it are possible."},
    {0},
};

struct provider_check {
    bool found, auto_create, has_domains, has_role;
    struct slice issuer;
    struct arena *arena;
};

static enum error_code provider_check_row(void *context, const struct meta_row *row, struct error *error)
{
    struct provider_check *check = context;
    check->found = true;
    check->auto_create = meta_row_boolean(row, 0);
    check->has_domains = meta_row_text(row, 1).size > 0;
    check->has_role = !meta_row_is_null(row, 2);
    check->issuer = arena_copy(check->arena, meta_row_text(row, 3));
    return ERROR_NONE;
}

static enum error_code provider_check_settings(const struct provider_check *check, bool is_local, struct error *error)
{
    bool is_https = slice_starts_with(check->issuer, SLICE("https://"));
    if (!is_https && !(is_local && control_transfer_is_loopback(check->issuer)))
        return error_set_field(error, ERROR_INVALID, "issuer", "issuer must be an https address");
    if (slice_index_of(check->issuer, '?') >= 0 || slice_index_of(check->issuer, '#') >= 0 ||
        slice_index_of(check->issuer, '@') >= 0)
        return error_set_field(error, ERROR_INVALID, "issuer",
                               "issuer must be an address without query, fragment and user");
    if (check->auto_create && !check->has_domains)
        return error_set_field(
            error, ERROR_INVALID, "allowed_domains",
            "auto_create_users needs allowed_domains: else everybody the provider knows could come in");
    if (check->auto_create && !check->has_role)
        return error_set_field(error, ERROR_INVALID, "default_role_id",
                               "auto_create_users needs default_role_id: a user without a role sees nothing");
    return ERROR_NONE;
}

bool oidc_is_local(const struct control_call *call)
{
    struct slice url = slice_from_string(call->control->public_url);
    return url.size == 0 || control_transfer_is_loopback(url);
}

struct provider_role {
    struct tenant_permission_set own;
    enum tenant_permission missing; /* TENANT_NO_PERMISSION: none */
};

static enum error_code provider_role_row(void *context, const struct meta_row *row, struct error *error)
{
    struct provider_role *role = context;
    enum tenant_permission permission = tenant_permission_find(meta_row_text(row, 0));
    if (permission != TENANT_PERMISSION_COUNT && !tenant_permission_has(&role->own, permission))
        role->missing = permission;
    return ERROR_NONE;
}

/* Nobody gives by a provider what he has not himself. */
static enum error_code provider_check_role(const struct control_call *call, struct meta_session *session,
                                           struct slice id, struct error *error)
{
    struct provider_role role = {.missing = TENANT_NO_PERMISSION};
    if (call->actor.is_super) return ERROR_NONE;
    enum error_code code = control_role_actor_permissions(call, session, "", "", &role.own, error);
    if (code == ERROR_NONE)
        code = meta_query(
            session,
            "select q.name from identity_providers p join role_permissions r on r.role_id = p.default_role_id "
            "join permissions q on q.permission_id = r.permission_id where p.identity_provider_id = $1 and not "
            "r.is_denied",
            META_PARAMETERS(meta_text(id)), provider_role_row, &role, error);
    if (code == ERROR_NONE && role.missing != TENANT_NO_PERMISSION)
        code = error_set_field(error, ERROR_FORBIDDEN, "default_role_id", "that role may do what you may not (%s)",
                               tenant_permissions[role.missing].name);
    return code;
}

static enum error_code provider_check(const struct control_call *call, struct meta_session *session,
                                      enum control_change change, struct slice id, struct error *error)
{
    if (change == CONTROL_DELETED) return ERROR_NONE;
    struct provider_check check = {.arena = call->arena};
    enum error_code code = meta_query(
        session,
        "select case when auto_create_users then 1 else 0 end, allowed_domains, default_role_id, issuer "
        "from identity_providers where identity_provider_id = $1",
        META_PARAMETERS(meta_text(id)), provider_check_row, &check, error);
    if (code == ERROR_NONE && check.found) code = provider_check_settings(&check, oidc_is_local(call), error);
    if (code != ERROR_NONE || !check.has_role) return code;
    int64_t fitting = 0;
    code = identity_query_integer(
        session,
        "select count(*) from roles r join identity_providers p on p.default_role_id = r.role_id "
        "where p.identity_provider_id = $1 and r.deleted_at is null and r.role_type <> 'super_admin' "
        "and (r.organization_id is null or r.organization_id = p.organization_id)",
        META_PARAMETERS(meta_text(id)), &fitting, error);
    if (code == ERROR_NONE && fitting == 0)
        code = error_set_field(error, ERROR_INVALID, "default_role_id",
                               "default_role_id must be a role of this organization, and not super_admin");
    return code != ERROR_NONE ? code : provider_check_role(call, session, id, error);
}

const struct control_resource control_identity_providers = {
    .name = "identity_provider",
    .plural = "identity_providers",
    .service = "core",
    .table = "identity_providers",
    .id_column = "identity_provider_id",
    .scope = CONTROL_ORGANIZATION,
    .belongs = "organization_id = $1",
    .scope_column = "organization_id",
    .read = TENANT_IDENTITY_PROVIDERS_READ,
    .create = TENANT_IDENTITY_PROVIDERS_WRITE,
    .write = TENANT_IDENTITY_PROVIDERS_WRITE,
    .delete_ = TENANT_IDENTITY_PROVIDERS_WRITE,
    .soft_delete = true,
    .limit = 20,
    .limit_reason = "the login page shows a button for each",
    .fields = provider_fields,
    .check = provider_check,
    .help = "Single sign-on by OpenID Connect.",
};

/* ---- the secret ---- */

static const struct control_field secret_fields[] = {
    {"client_secret", CONTROL_SECRET, CONTROL_REQUIRED, 0, 1024,
     .help = "The secret the provider gave; empty: none, a public client."},
    {0},
};

enum { PROVIDER_CLIENT_SECRET };

static enum error_code provider_set_secret(const struct control_call *call, const struct control_input *input,
                                           struct control_output *output, struct error *error)
{
    char id[37];
    if (!identity_read_id(input->path_values[0], id))
        return error_set(error, ERROR_NOT_FOUND, "there is no such identity provider");
    struct slice secret = input->body[PROVIDER_CLIENT_SECRET].text;
    struct buffer sealed = {0};
    if (secret.size) tenant_secret_seal(call->control->secret, OIDC_SECRET_PURPOSE, secret, &sealed);
    struct meta_session *session = NULL;
    int64_t changed = 0;
    enum error_code code = sealed.failed ? error_set(error, ERROR_MEMORY, "out of memory for a secret")
                                         : identity_begin(call, &session, error);
    if (code == ERROR_NONE)
        code = meta_execute(session,
                            "update identity_providers set client_secret_encrypted = $1, updated_at = $2 "
                            "where identity_provider_id = $3 and organization_id = $4 and deleted_at is null",
                            META_PARAMETERS(meta_text(buffer_slice(&sealed)), meta_integer(call->now_ms),
                                            meta_string(id), meta_string(call->organization_id)),
                            &changed, error);
    if (code == ERROR_NONE && changed == 0)
        code = error_set(error, ERROR_NOT_FOUND, "there is no such identity provider");
    if (code == ERROR_NONE) {
        struct control_audit_event event = {.action = "identity_provider.updated", .resource_type = "identity_provider",
                                            .resource_id = slice_from_string(id), .result = CONTROL_AUDIT_SUCCESS,
                                            .metadata = SLICE("{\"changed\":[\"client_secret\"]}")};
        code = control_audit_write(call, session, &event, error);
    }
    buffer_free(&sealed);
    return identity_end(session, code, error);
}

const struct control_action control_identity_provider_actions[] = {
    {.method = METHOD_PUT,
     .path = "/v1/identity_providers/{identity_provider_id}/client_secret",
     .access = CONTROL_PERMITTED,
     .scope = CONTROL_ORGANIZATION,
     .permission = TENANT_IDENTITY_PROVIDERS_WRITE,
     .body = secret_fields,
     .status = 204,
     .run = provider_set_secret,
     .summary = "Set the client secret of a single sign-on provider; it is never shown again"},
    {0},
};

/* ---- for logins ---- */

struct provider_read {
    const struct control_call *call;
    struct oidc_provider *provider;
    struct slice sealed;
    bool found;
};

static enum error_code provider_take_row(void *context, const struct meta_row *row, struct error *error)
{
    struct provider_read *read = context;
    struct oidc_provider *provider = read->provider;
    read->found = true;
    enum error_code code = META_ROW_COPY(row, 0, provider->id, error);
    if (code == ERROR_NONE) code = META_ROW_COPY(row, 1, provider->organization_id, error);
    if (code == ERROR_NONE) code = META_ROW_COPY(row, 2, provider->code, error);
    if (code == ERROR_NONE) code = META_ROW_COPY(row, 3, provider->name, error);
    if (code == ERROR_NONE) code = META_ROW_COPY(row, 4, provider->issuer, error);
    if (code == ERROR_NONE) code = META_ROW_COPY(row, 5, provider->client_id, error);
    if (code == ERROR_NONE) code = META_ROW_COPY(row, 6, provider->default_role_id, error);
    read->sealed = arena_copy(read->call->arena, meta_row_text(row, 7));
    provider->allowed_domains = arena_copy(read->call->arena, meta_row_text(row, 8));
    provider->auto_create_users = meta_row_boolean(row, 9);
    return code;
}

enum error_code oidc_provider_find(const struct control_call *call, struct meta_session *session,
                                   struct slice code_text, const char *id, struct oidc_provider *ret_provider,
                                   struct error *error)
{
    struct provider_read read = {.call = call, .provider = ret_provider};
    *ret_provider = (struct oidc_provider){0};
    enum error_code code = meta_query(
        session,
        "select p.identity_provider_id, p.organization_id, p.code, p.name, p.issuer, p.client_id, "
        "coalesce(p.default_role_id, ''), "
        "p.client_secret_encrypted, p.allowed_domains, case when p.auto_create_users then 1 else 0 end "
        "from identity_providers p join organizations o on o.organization_id = p.organization_id "
        "where (p.code = $1 or p.identity_provider_id = $2) and p.is_active and p.deleted_at is null and o.is_active "
        "and o.deleted_at is null",
        META_PARAMETERS(meta_text(code_text), meta_string(id)), provider_take_row, &read, error);
    if (code != ERROR_NONE) return code;
    if (!read.found) return error_set(error, ERROR_NOT_FOUND, "there is no such single sign-on provider");
    if (read.sealed.size) {
        struct buffer plain = {0};
        code = tenant_secret_open(call->control->secret, OIDC_SECRET_PURPOSE, read.sealed, &plain, error);
        ret_provider->client_secret = arena_copy(call->arena, buffer_slice(&plain));
        buffer_free(&plain);
    }
    if (code == ERROR_NONE && arena_failed(call->arena))
        code = error_set(error, ERROR_MEMORY, "out of memory for a provider");
    return code;
}

static enum error_code provider_list_row(void *context, const struct meta_row *row, struct error *error)
{
    struct json_writer *writer = context;
    json_writer_object_begin(writer);
    identity_write_text(writer, "code", meta_row_text(row, 0));
    identity_write_text(writer, "name", meta_row_text(row, 1));
    json_writer_object_end(writer);
    return ERROR_NONE;
}

#define PROVIDER_LIVING                                                                                     \
    "from identity_providers p join organizations o on o.organization_id = p.organization_id "              \
    "where p.is_active and p.deleted_at is null and o.is_active and o.deleted_at is null "

enum error_code oidc_provider_list(const struct control_call *call, struct slice organization_code, struct buffer *out,
                                   struct error *error)
{
    struct meta_session *session = NULL;
    int64_t organizations = 0;
    enum error_code code = meta_session_begin(call->control->core, 0, &session, error);
    if (code == ERROR_NONE)
        code = identity_query_integer(session, "select count(distinct p.organization_id) " PROVIDER_LIVING, NULL, 0,
                                      &organizations, error);
    struct json_writer writer = {.out = out};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "data");
    json_writer_array_begin(&writer);
    if (code == ERROR_NONE && (organization_code.size || organizations == 1))
        code = meta_query(session,
                          "select p.code, p.name " PROVIDER_LIVING
                          "and ($1 = '' or o.code = $1) order by p.name, p.code limit 20",
                          META_PARAMETERS(meta_text(organization_code)), provider_list_row, &writer, error);
    json_writer_array_end(&writer);
    json_writer_object_end(&writer);
    meta_session_end(session);
    return code == ERROR_NONE ? identity_written(out, error) : code;
}
