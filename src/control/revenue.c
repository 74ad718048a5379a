/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses that payment services report to: their fields, and setting the secrets of their signatures. */
#include "control/revenue.h"

#include "control/audit.h"
#include "control/identity.h"
#include "tenant/secret.h"
#include "tenant/tenant.h"

static const struct control_field revenue_fields[] = {
    {"name", CONTROL_TEXT, CONTROL_REQUIRED, 1, 128, .help = "What people call it."},
    {"webhook_hash", CONTROL_TEXT, CONTROL_READ_ONLY,
     .help = "Last part of the addresses to give to the services: /webhooks/stripe/{webhook_hash} and "
             "/webhooks/paddle/{webhook_hash}."},
    {"has_stripe_secret", CONTROL_BOOLEAN, CONTROL_READ_ONLY, .help = "Whether reports of Stripe can be checked."},
    {"has_paddle_secret", CONTROL_BOOLEAN, CONTROL_READ_ONLY, .help = "Whether reports of Paddle can be checked."},
    {"created_by", CONTROL_TEXT, CONTROL_READ_ONLY, .help = "Who made it."},
    {0},
};

/* The address is made with the row: nobody chooses it. */
static enum error_code revenue_check(const struct control_call *call, struct meta_session *session,
                                     enum control_change change, struct slice id, struct error *error)
{
    (void)call;
    char token[TENANT_TOKEN_SIZE + 1];
    if (change != CONTROL_CREATED) return ERROR_NONE;
    tenant_token_make(token);
    return meta_execute(session, "update revenue_configs set webhook_hash = $1 where revenue_config_id = $2",
                        META_PARAMETERS(meta_string(token), meta_text(id)), NULL, error);
}

const struct control_resource control_revenue_configs = {
    .name = "revenue_config",
    .plural = "revenue_configs",
    .service = "core",
    .table = "revenue_configs",
    .id_column = "revenue_config_id",
    .scope = CONTROL_TENANT,
    .belongs = "tenant_id = $1",
    .scope_column = "tenant_id",
    .read = TENANT_KEYS_READ,
    .create = TENANT_KEYS_WRITE,
    .write = TENANT_KEYS_WRITE,
    .delete_ = TENANT_KEYS_DELETE,
    .changes_access = true,
    .limit = 50,
    .limit_reason = "a tenant has few accounts at payment services, and every server holds all of them in memory",
    .fields = revenue_fields,
    .check = revenue_check,
    .help = "Addresses that payment services report to.",
};

static const struct control_field secret_fields[] = {
    {"stripe_secret", CONTROL_SECRET, 0, 0, 256, .help = "Signing secret of the endpoint at Stripe (whsec_...); empty: none."},
    {"paddle_secret", CONTROL_SECRET, 0, 0, 256, .help = "Secret key of the destination at Paddle; empty: none."},
    {0},
};
static const struct {
    const char *purpose, *sql;
} secrets[] = {
    {TENANT_STRIPE_SECRET_PURPOSE, "update revenue_configs set stripe_secret_encrypted = $1, has_stripe_secret = $2 where revenue_config_id = $3"},
    {TENANT_PADDLE_SECRET_PURPOSE, "update revenue_configs set paddle_secret_encrypted = $1, has_paddle_secret = $2 where revenue_config_id = $3"},
};
#define SECRET_COUNT (sizeof secrets / sizeof *secrets)

static enum error_code revenue_set_secret(const struct control_call *call, struct meta_session *session, size_t index,
                                          struct slice secret, const char *id, struct error *error)
{
    struct buffer sealed = {0};
    if (secret.size) tenant_secret_seal(call->control->secret, secrets[index].purpose, secret, &sealed);
    enum error_code code = sealed.failed ? error_set(error, ERROR_MEMORY, "out of memory for a secret") : ERROR_NONE;
    if (code == ERROR_NONE)
        code = meta_execute(session, secrets[index].sql,
                            META_PARAMETERS(meta_text(buffer_slice(&sealed)), meta_boolean(secret.size > 0), meta_string(id)),
                            NULL, error);
    buffer_free(&sealed);
    return code;
}

static enum error_code revenue_set_secrets(const struct control_call *call, const struct control_input *input,
                                           struct control_output *output, struct error *error)
{
    (void)output;
    char id[37];
    int64_t changed = 0;
    struct meta_session *session = NULL;
    if (!identity_read_id(input->path_values[0], id))
        return error_set(error, ERROR_NOT_FOUND, "there is no such revenue_config");
    enum error_code code = identity_begin(call, &session, error);
    if (code == ERROR_NONE)
        code = meta_execute(session, "update revenue_configs set updated_at = $1 where revenue_config_id = $2 and tenant_id = $3",
                            META_PARAMETERS(meta_integer(call->now_ms), meta_string(id), meta_string(call->tenant_id)),
                            &changed, error);
    if (code == ERROR_NONE && changed == 0) code = error_set(error, ERROR_NOT_FOUND, "there is no such revenue_config");
    for (size_t i = 0; i < SECRET_COUNT && code == ERROR_NONE; i++)
        if (input->body[i].given) code = revenue_set_secret(call, session, i, input->body[i].text, id, error);
    if (code == ERROR_NONE) {
        struct control_audit_event event = {.action = "revenue_config.updated", .resource_type = "revenue_config",
                                            .resource_id = slice_from_string(id), .result = CONTROL_AUDIT_SUCCESS,
                                            .metadata = SLICE("{\"changed\":[\"secrets\"]}")};
        code = control_audit_write(call, session, &event, error);
    }
    if (code == ERROR_NONE) code = control_access_changed(session, error);
    return identity_end(session, code, error);
}

const struct control_action control_revenue_actions[] = {
    {.method = METHOD_PUT, .path = "/v1/revenue_configs/{revenue_config_id}/secrets", .access = CONTROL_PERMITTED,
     .scope = CONTROL_TENANT, .permission = TENANT_KEYS_WRITE, .body = secret_fields, .status = 204,
     .run = revenue_set_secrets,
     .summary = "Set the secrets that payment services sign their reports with; they are never shown again"},
    {0},
};
