/* SPDX-License-Identifier: Apache-2.0 */
/* Changes as transactions, their audit events, and JSON of times and ids. */
#include "control/identity.h"

#include "base/time.h"
#include "base/uuid.h"

enum error_code identity_begin(const struct control_call *call, struct meta_session **ret_session, struct error *error)
{
    *ret_session = NULL;
    enum error_code code = meta_session_begin(call->control->core, 0, ret_session, error);
    if (code != ERROR_NONE) return code;
    code = meta_begin(*ret_session, error);
    if (code != ERROR_NONE) {
        meta_session_end(*ret_session);
        *ret_session = NULL;
    }
    return code;
}

enum error_code identity_end(struct meta_session *session, enum error_code code, struct error *error)
{
    if (!session) return code;
    if (code == ERROR_NONE)
        code = meta_commit(session, error);
    else
        meta_rollback(session);
    meta_session_end(session);
    return code;
}

static enum error_code identity_take_integer(void *context, const struct meta_row *row, struct error *error)
{
    *(int64_t *)context = meta_row_integer(row, 0);
    return ERROR_NONE;
}

enum error_code identity_query_integer(struct meta_session *session, const char *sql, const struct meta_value *parameters,
                                       size_t parameter_count, int64_t *ret_value, struct error *error)
{
    *ret_value = 0;
    return meta_query(session, sql, parameters, parameter_count, identity_take_integer, ret_value, error);
}

enum error_code identity_audit(const struct control_call *call, struct meta_session *session, const char *action,
                               enum control_audit_result result, const char *user_id, const char *organization_id,
                               const char *reason, struct error *error)
{
    struct control_audit_event event = {
        .action = action, .resource_type = "user", .resource_id = slice_from_string(user_id), .result = result,
        .user_id = call->actor.kind == CONTROL_ACTOR_NOBODY ? user_id : NULL,
        .organization_id = organization_id && organization_id[0] ? organization_id : NULL};
    if (reason) event.metadata = arena_printf(call->arena, "{\"reason\":\"%s\"}", reason);
    return control_audit_write(call, session, &event, error);
}

bool identity_read_id(struct slice text, char out[37])
{
    struct uuid uuid;
    if (!uuid_parse(text, &uuid)) return false;
    uuid_format(&uuid, out);
    out[UUID_TEXT_SIZE] = 0;
    return true;
}

void identity_write_text(struct json_writer *writer, const char *name, struct slice value)
{
    json_writer_key(writer, name);
    json_writer_string(writer, value);
}

void identity_write_time(struct json_writer *writer, const char *name, int64_t unix_ms)
{
    char text[TIME_TEXT_SIZE];
    json_writer_key(writer, name);
    if (!unix_ms) {
        json_writer_null(writer);
        return;
    }
    time_format_ms(unix_ms, text);
    json_writer_string(writer, slice_make(text, sizeof text));
}

void identity_write_flag(struct json_writer *writer, const char *name, bool value)
{
    json_writer_key(writer, name);
    json_writer_bool(writer, value);
}

enum error_code identity_written(const struct buffer *body, struct error *error)
{
    return body->failed ? error_set(error, ERROR_MEMORY, "no memory for the answer") : ERROR_NONE;
}

struct slice identity_link(const struct control_call *call, const char *page, const char *token)
{
    return arena_printf(call->arena, "%s/#%s=%s", call->control->public_url, page, token);
}
