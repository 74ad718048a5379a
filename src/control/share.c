/* SPDX-License-Identifier: Apache-2.0 */
/* Shares as things, and who may look: token, password, pass. */
#include "control/share.h"

#include <stdio.h>

#include "base/json_writer.h"
#include "base/time.h"
#include "base/uuid.h"
#include "control/audit.h"
#include "control/product.h"
#include "control/tenant_state.h"
#include "tenant/base64.h"
#include "tenant/secret.h"

#define SHARE_PASS_PURPOSE "share pass"

/* ---- the thing ---- */

static const struct control_field share_fields[] = {
    {"name", CONTROL_TEXT, CONTROL_REQUIRED, 1, 128, .help = "What it is called, for who made it and who looks."},
    {"dashboard_id", CONTROL_ID, CONTROL_NULLABLE | CONTROL_IMMUTABLE, .refers = &control_dashboards, .help = "Dashboard that is shown."},
    {"report_id", CONTROL_ID, CONTROL_NULLABLE | CONTROL_IMMUTABLE, .refers = &control_reports,
     .help = "Or the report; with neither, the overview of the tenant."},
    {"expires_at", CONTROL_TIME, CONTROL_NULLABLE, .help = "When it ends."},
    {"has_password", CONTROL_BOOLEAN, CONTROL_READ_ONLY, .help = "Whether one is needed besides."},
    {"created_by", CONTROL_TEXT, CONTROL_READ_ONLY, 0, 36, .help = "User or key that made it."},
    {0},
};

static enum error_code share_take_pair(void *context, const struct meta_row *row, struct error *error)
{
    *(bool *)context = !meta_row_is_null(row, 0) && !meta_row_is_null(row, 1);
    return ERROR_NONE;
}

static enum error_code share_check(const struct control_call *call, struct meta_session *session, enum control_change change,
                                   struct slice id, struct error *error)
{
    bool has_both = false;
    if (change != CONTROL_CREATED) return ERROR_NONE;
    enum error_code code = meta_query(session, "select dashboard_id, report_id from shares where share_id = $1",
                                      META_PARAMETERS(meta_text(id)), share_take_pair, &has_both, error);
    if (code) return code;
    if (has_both)
        return error_set_field(error, ERROR_INVALID, "report_id", "a share is of a dashboard or of a report: leave out one of dashboard_id and report_id");
    return ERROR_NONE;
}

const struct control_resource control_shares = {
    .name = "share", .plural = "shares", .service = "product", .table = "shares", .id_column = "share_id",
    .scope = CONTROL_TENANT, .belongs = "tenant_id = $1", .scope_column = "tenant_id",
    .read = TENANT_DASHBOARDS_READ, .create = TENANT_DASHBOARDS_WRITE, .write = TENANT_DASHBOARDS_WRITE,
    .delete_ = TENANT_DASHBOARDS_WRITE,
    .limit = 10000, .limit_reason = "ten of each dashboard",
    .fields = share_fields, .check = share_check, .help = "What people without an account may see.",
};

/* ---- its token ---- */

#define SHARE_TOKEN_BYTES 32 /* the id, and half of a MAC of 32: nobody guesses 128 bits */
#define SHARE_TOKEN_SIZE TENANT_BASE64_SIZE(SHARE_TOKEN_BYTES)

static void share_token_make(const struct control *control, const struct uuid *id, char out[SHARE_TOKEN_SIZE])
{
    unsigned char bytes[SHARE_TOKEN_BYTES], mac[TENANT_SECRET_SIZE];
    char purpose[64], text[UUID_TEXT_SIZE];
    uuid_format(id, text);
    snprintf(purpose, sizeof purpose, "share token %.*s", UUID_TEXT_SIZE, text);
    tenant_secret_derive(control->secret, purpose, mac);
    memcpy(bytes, id->bytes, sizeof id->bytes);
    memcpy(bytes + sizeof id->bytes, mac, sizeof bytes - sizeof id->bytes);
    tenant_base64_write(TENANT_BASE64_URL, slice_make(bytes, sizeof bytes), out);
}

/* The id that a token holds; false when we did not make it. */
static bool share_token_read(const struct control *control, struct slice token, char id[37])
{
    char made[SHARE_TOKEN_SIZE];
    struct buffer bytes = {0};
    struct uuid uuid;
    bool good = token.size == SHARE_TOKEN_SIZE && tenant_base64_decode(TENANT_BASE64_URL, token, &bytes) && bytes.size == SHARE_TOKEN_BYTES;
    if (good) {
        memcpy(uuid.bytes, bytes.data, sizeof uuid.bytes);
        share_token_make(control, &uuid, made);
        good = tenant_secret_equal(token, slice_make(made, sizeof made));
        uuid_format(&uuid, id);
        id[UUID_TEXT_SIZE] = 0;
    }
    buffer_free(&bytes);
    return good;
}

/* Reads the thing first: whose it is not, learns nothing. */
static enum error_code share_get_token(const struct control_call *call, const struct control_input *input, struct control_output *output,
                                       struct error *error)
{
    struct uuid uuid;
    struct buffer thing = {0};
    char token[SHARE_TOKEN_SIZE];
    enum error_code code = control_resource_get(call, &control_shares, input->path_values[0], &thing, error);
    buffer_free(&thing);
    if (code) return code;
    if (!uuid_parse(input->path_values[0], &uuid)) return error_set(error, ERROR_NOT_FOUND, "there is no such share");
    share_token_make(call->control, &uuid, token);
    buffer_printf(output->body, "{\"token\":\"%.*s\",\"url\":\"%s/public/v1/shared/%.*s\"}", (int)sizeof token, token, call->control->public_url,
                  (int)sizeof token, token);
    return ERROR_NONE;
}

/* ---- its password ---- */

static const struct control_field password_fields[] = {
    {"password", CONTROL_SECRET, CONTROL_REQUIRED, 0, 256, .help = "At least 8 bytes; empty: none is needed any more."},
    {0},
};

static enum error_code share_set_password(const struct control_call *call, const struct control_input *input, struct control_output *output,
                                          struct error *error)
{
    char phc[TENANT_PHC_LIMIT] = "", id[37];
    struct uuid uuid;
    struct slice password = input->body[0].text;
    int64_t changed = 0;
    if (!uuid_parse(input->path_values[0], &uuid)) return error_set(error, ERROR_NOT_FOUND, "there is no such share");
    uuid_format(&uuid, id);
    id[UUID_TEXT_SIZE] = 0;
    if (password.size && password.size < 8) return error_set_field(error, ERROR_INVALID, "password", "password must have at least 8 bytes, or none");
    enum error_code code = password.size ? tenant_argon2_hash(TENANT_ARGON2_PASSWORD, password, phc, error) : ERROR_NONE;
    struct meta_session *session = NULL;
    if (!code) code = meta_session_begin(call->control->product, 0, &session, error);
    if (!code) code = meta_begin(session, error);
    if (!code)
        code = meta_execute(session,
                            "update shares set password_hash = $1, has_password = $2, failed_attempts = 0, locked_until = 0, updated_at = $3"
                            " where share_id = $4 and tenant_id = $5",
                            META_PARAMETERS(meta_string(phc), meta_boolean(password.size > 0), meta_integer(call->now_ms), meta_string(id),
                                            meta_string(call->tenant_id)), &changed, error);
    if (!code && !changed) code = error_set(error, ERROR_NOT_FOUND, "there is no such share");
    const struct control_audit_event event = {.action = "share.updated", .resource_type = "share", .resource_id = slice_from_string(id),
                                              .metadata = SLICE("{\"changed\":[\"password\"]}")};
    if (!code) code = control_audit_write(call, session, &event, error);
    if (!code) code = meta_commit(session, error);
    meta_session_end(session);
    return code;
}

const struct control_action control_share_actions[] = {
    {.method = METHOD_GET, .path = "/v1/shares/{share_id}/token", .access = CONTROL_PERMITTED, .scope = CONTROL_TENANT,
     .permission = TENANT_DASHBOARDS_READ, .status = 200, .run = share_get_token,
     .summary = "The token of a share: who has it may look",
     .answer = "{\"type\":\"object\",\"required\":[\"token\",\"url\"],\"properties\":{\"token\":{\"type\":\"string\"},\"url\":{\"type\":\"string\"}}}"},
    {.method = METHOD_PUT, .path = "/v1/shares/{share_id}/password", .access = CONTROL_PERMITTED, .scope = CONTROL_TENANT,
     .permission = TENANT_DASHBOARDS_WRITE, .body = password_fields, .status = 204, .run = share_set_password,
     .summary = "Set the password that is needed besides the token, or take it away; whoever has looked must give it anew"},
    {0},
};

/* ---- finding ---- */

struct share_search {
    struct arena *arena;
    struct control_share *share;
    bool found;
    int64_t locked_until_ms;
};

static enum error_code share_take(void *context, const struct meta_row *row, struct error *error)
{
    struct share_search *search = context;
    struct control_share *share = search->share;
    search->found = true;
    share->name = arena_copy(search->arena, meta_row_text(row, 4));
    share->password_hash = arena_copy(search->arena, meta_row_text(row, 5));
    share->has_password = share->password_hash.size > 0;
    share->expires_ms = meta_row_integer(row, 6);
    search->locked_until_ms = meta_row_integer(row, 7);
    enum error_code code = META_ROW_COPY(row, 0, share->share_id, error);
    if (!code) code = META_ROW_COPY(row, 1, share->tenant_id, error);
    if (!code) code = META_ROW_COPY(row, 2, share->dashboard_id, error);
    return code ? code : META_ROW_COPY(row, 3, share->report_id, error);
}

static enum error_code share_find(const struct control_call *call, struct slice token, struct control_share *share,
                                  int64_t *ret_locked_until_ms, struct error *error)
{
    struct share_search search = {.arena = call->arena, .share = share};
    struct control_tenant_state tenant = {0};
    struct meta_session *session = NULL;
    *share = (struct control_share){0};
    char id[37];
    if (!share_token_read(call->control, token, id)) return error_set(error, ERROR_NOT_FOUND, "nothing is shared here");
    enum error_code code = meta_session_begin(call->control->product, 0, &session, error);
    if (!code)
        code = meta_query(session,
                          "select share_id, tenant_id, dashboard_id, report_id, name, password_hash, expires_at, locked_until from shares s"
                          " where share_id = $1 and (dashboard_id is null or exists (select 1 from dashboards d where d.dashboard_id ="
                          " s.dashboard_id and d.tenant_id = s.tenant_id and d.deleted_at is null)) and (report_id is null or exists"
                          " (select 1 from reports r where r.report_id = s.report_id and r.tenant_id = s.tenant_id and r.deleted_at is null))",
                          META_PARAMETERS(meta_string(id)), share_take, &search, error);
    meta_session_end(session);
    if (!code && search.found) code = control_tenant_state_read(call->control, share->tenant_id, &tenant, error);
    if (code) return code;
    if (!search.found || !tenant.is_active) return error_set(error, ERROR_NOT_FOUND, "nothing is shared here");
    snprintf(share->organization_id, sizeof share->organization_id, "%s", tenant.organization_id);
    share->tenant_name = arena_copy(call->arena, slice_from_string(tenant.name));
    *ret_locked_until_ms = search.locked_until_ms;
    if (share->expires_ms && share->expires_ms <= call->now_ms) return error_set(error, ERROR_GONE, "what was shared here has expired");
    return arena_failed(call->arena) ? error_set(error, ERROR_MEMORY, "out of memory for a share") : ERROR_NONE;
}

enum error_code control_share_find(const struct control_call *call, struct slice token, struct control_share *share, struct error *error)
{
    int64_t locked_until_ms;
    return share_find(call, token, share, &locked_until_ms, error);
}

/* ---- passes ---- */

/* What a pass says: the share, its password's hash, and until when. */
static struct slice share_pass_text(const struct control_call *call, const struct control_share *share, int64_t expires_ms)
{
    char digest[65];
    tenant_token_hash(share->password_hash, digest);
    return arena_printf(call->arena, "%s %s %lld", share->share_id, digest, (long long)expires_ms);
}

static bool share_pass_is_good(const struct control_call *call, const struct control_share *share, struct slice pass)
{
    struct buffer text = {0};
    int64_t expires_ms = 0;
    bool good = false;
    if (pass.size && pass.size <= 2 * CONTROL_SHARE_TOKEN_MOST &&
        tenant_secret_open(call->control->secret, SHARE_PASS_PURPOSE, pass, &text, NULL) == ERROR_NONE) {
        struct slice rest = buffer_slice(&text);
        slice_cut(&rest, ' ');
        slice_cut(&rest, ' ');
        good = slice_parse_int64(rest, &expires_ms) && expires_ms > call->now_ms &&
               tenant_secret_equal(buffer_slice(&text), share_pass_text(call, share, expires_ms));
    }
    buffer_free(&text);
    return good;
}

enum error_code control_share_open(const struct control_call *call, struct slice token, struct slice pass, struct control_share *share,
                                   struct error *error)
{
    enum error_code code = control_share_find(call, token, share, error);
    if (code || !share->has_password || share_pass_is_good(call, share, pass)) return code;
    return error_set_field(error, ERROR_UNAUTHENTICATED, "password",
                           "this needs a password: POST it here, and send the pass of the answer in the header Millrace-Share");
}

/* Counts the try before it is looked at: many at once are as many. */
static enum error_code share_count_try(const struct control_call *call, const struct control_share *share, struct error *error)
{
    struct meta_session *session = NULL;
    int64_t changed = 0;
    enum error_code code = meta_session_begin(call->control->product, 0, &session, error);
    if (!code) code = meta_begin(session, error);
    if (!code)
        code = meta_execute(session,
                            "update shares set failed_attempts = failed_attempts + 1, locked_until = case when failed_attempts + 1 >= $3"
                            " then cast($2 as bigint) + case when failed_attempts + 1 - $3 >= 6 then cast($5 as bigint)"
                            " else cast($4 as bigint) * (1 << cast(failed_attempts + 1 - $3 as integer)) end else 0 end"
                            " where share_id = $1 and locked_until <= cast($2 as bigint)",
                            META_PARAMETERS(meta_string(share->share_id), meta_integer(call->now_ms), meta_integer(CONTROL_SHARE_ATTEMPTS),
                                            meta_integer(CONTROL_SHARE_LOCK_MS), meta_integer(CONTROL_SHARE_LOCK_MOST_MS)),
                            &changed, error);
    if (!code) code = meta_commit(session, error);
    meta_session_end(session);
    if (!code && !changed) return error_set(error, ERROR_RATE_LIMITED, "too many wrong passwords; try again later");
    return code;
}

static enum error_code share_settle(const struct control_call *call, const struct control_share *share, bool fits, struct error *error)
{
    struct control_call in_tenant = *call;
    struct meta_session *session = NULL;
    snprintf(in_tenant.tenant_id, sizeof in_tenant.tenant_id, "%s", share->tenant_id);
    snprintf(in_tenant.organization_id, sizeof in_tenant.organization_id, "%s", share->organization_id);
    const struct control_audit_event event = {.action = fits ? "share.opened" : "share.password_failed", .resource_type = "share",
                                              .resource_id = slice_from_string(share->share_id),
                                              .result = fits ? CONTROL_AUDIT_SUCCESS : CONTROL_AUDIT_FAILURE};
    enum error_code code = meta_session_begin(call->control->product, 0, &session, error);
    if (!code) code = meta_begin(session, error);
    if (!code && fits)
        code = meta_execute(session, "update shares set failed_attempts = 0, locked_until = 0 where share_id = $1",
                            META_PARAMETERS(meta_string(share->share_id)), NULL, error);
    if (!code) code = control_audit_write(&in_tenant, session, &event, error);
    if (!code) code = meta_commit(session, error);
    meta_session_end(session);
    return code;
}

enum error_code control_share_enter(const struct control_call *call, struct slice token, struct slice password, struct buffer *out,
                                    int64_t *ret_retry_after_ms, struct error *error)
{
    struct control_share share;
    int64_t locked_until_ms = 0;
    bool fits = false;
    *ret_retry_after_ms = 0;
    enum error_code code = share_find(call, token, &share, &locked_until_ms, error);
    if (code) return code;
    if (!share.has_password) return error_set_field(error, ERROR_INVALID, "password", "this share has no password: it is open to whoever has its token");
    code = share_count_try(call, &share, error);
    if (code == ERROR_RATE_LIMITED) *ret_retry_after_ms = locked_until_ms > call->now_ms ? locked_until_ms - call->now_ms : CONTROL_SHARE_LOCK_MS;
    if (!code) code = tenant_argon2_verify(share.password_hash.data, password, &fits, error);
    if (!code) code = share_settle(call, &share, fits, error);
    if (code) return code;
    if (!fits) return error_set_field(error, ERROR_UNAUTHENTICATED, "password", "this is not the password");
    int64_t expires_ms = call->now_ms + CONTROL_SHARE_PASS_MS;
    struct buffer pass = {0};
    char time[TIME_TEXT_SIZE];
    struct json_writer writer = {.out = out};
    tenant_secret_seal(call->control->secret, SHARE_PASS_PURPOSE, share_pass_text(call, &share, expires_ms), &pass);
    time_format_ms(expires_ms, time);
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "pass");
    json_writer_string(&writer, buffer_slice(&pass));
    json_writer_key(&writer, "expires_at");
    json_writer_string(&writer, slice_make(time, sizeof time));
    json_writer_object_end(&writer);
    if (pass.failed) code = error_set(error, ERROR_MEMORY, "out of memory for a pass");
    buffer_free(&pass);
    return code;
}
