/* SPDX-License-Identifier: Apache-2.0 */
/* Keys over the API: fields, bounds, routes. */
#include "control/identity.h"
#include "control/key_private.h"
#include "control/key_update.h"

static const char *const kind_words[] = {"write", "secret", NULL};
static const char *const status_words[] = {"active", "revoked", NULL};

#define KEY_RULE_FIELDS                                                                                                  \
    {.name = "permissions", .type = CONTROL_WORDS, .most = TENANT_PERMISSION_COUNT,                                      \
     .help = "what it may do; of a new key: left out, the usual of its kind"},                                           \
    {.name = "allowed_origins", .type = CONTROL_WORDS, .most = CONTROL_KEY_RULE_LIMIT,                                   \
     .help = "where browsers may use it: example.com, *.example.com, https://example.com:8443; empty: everywhere"},      \
    {.name = "allowed_addresses", .type = CONTROL_WORDS, .most = CONTROL_KEY_RULE_LIMIT,                                 \
     .help = "addresses and prefixes it may be used from; empty: all"},                                                  \
    {.name = "rate_limit", .type = CONTROL_INTEGER, .least = 0, .most = CONTROL_KEY_RATE_LIMIT,                          \
     .help = "requests a minute at each server; 0: no limit"},                                                           \
    {.name = "expires_at", .type = CONTROL_TIME, .flags = CONTROL_NULLABLE,                                              \
     .help = "at most 730 days ahead; null or left out: never"}

enum { CREATE_KIND, CREATE_NAME, CREATE_DESCRIPTION, CREATE_PERMISSIONS, CREATE_ORIGINS, CREATE_ADDRESSES, CREATE_RATE, CREATE_EXPIRES };
static const struct control_field create_fields[] = {
    {.name = "kind", .type = CONTROL_WORD, .flags = CONTROL_REQUIRED, .words = kind_words,
     .help = "write: public, sends; secret: for servers"},
    {.name = "name", .type = CONTROL_TEXT, .flags = CONTROL_REQUIRED, .least = 1, .most = CONTROL_KEY_NAME_LIMIT},
    {.name = "description", .type = CONTROL_TEXT, .most = CONTROL_KEY_DESCRIPTION_LIMIT},
    KEY_RULE_FIELDS,
    {0},
};
enum { UPDATE_NAME, UPDATE_DESCRIPTION, UPDATE_PERMISSIONS, UPDATE_ORIGINS, UPDATE_ADDRESSES, UPDATE_RATE, UPDATE_EXPIRES };
static const struct control_field update_fields[] = {
    {.name = "name", .type = CONTROL_TEXT, .least = 1, .most = CONTROL_KEY_NAME_LIMIT},
    {.name = "description", .type = CONTROL_TEXT, .most = CONTROL_KEY_DESCRIPTION_LIMIT},
    KEY_RULE_FIELDS,
    {0},
};
static const struct control_field rotate_fields[] = {
    {.name = "grace_seconds", .type = CONTROL_INTEGER, .least = 0, .most = CONTROL_KEY_GRACE_LIMIT_SECONDS, .fallback = "1800",
     .help = "how long the text before stays good"},
    {0},
};
static const struct control_field revoke_fields[] = {
    {.name = "reason", .type = CONTROL_TEXT, .most = CONTROL_KEY_REASON_LIMIT},
    {0},
};
enum { LIST_LIMIT, LIST_CURSOR, LIST_STATUS };
static const struct control_field list_query[] = {
    {.name = "limit", .type = CONTROL_INTEGER, .least = 1, .most = 200, .fallback = "50"},
    {.name = "cursor", .type = CONTROL_ID, .help = "next_cursor of the page before"},
    {.name = "status", .type = CONTROL_WORD, .words = status_words},
    {0},
};
static const struct control_field usage_query[] = {
    {.name = "hours", .type = CONTROL_INTEGER, .least = 1, .most = CONTROL_KEY_USAGE_DAYS * 24, .fallback = "168",
     .help = "how far back"},
    {0},
};

/* The key as it is, and its text when there is a new one. */
static enum error_code key_answer(const struct control_call *call, const char *api_key_id, const char *text,
                                  struct control_output *output, struct error *error)
{
    struct meta_session *session;
    struct control_key key;
    enum error_code code = meta_session_begin(call->control->core, 0, &session, error);
    if (code) return code;
    code = control_key_find(call, session, slice_from_string(api_key_id), &key, error);
    meta_session_end(session);
    if (code) return code;
    struct json_writer writer = {.out = output->body};
    control_key_write(&key, &writer);
    if (text) identity_write_text(&writer, "key", slice_from_string(text));
    json_writer_object_end(&writer);
    return identity_written(output->body, error);
}

static enum error_code run_create(const struct control_call *call, const struct control_input *input,
                                  struct control_output *output, struct error *error)
{
    const struct control_value *body = input->body;
    struct control_key_made made;
    struct control_key_new key = {
        .name = body[CREATE_NAME].text, .description = body[CREATE_DESCRIPTION].text,
        .has_permissions = body[CREATE_PERMISSIONS].given, .allowed_origins = body[CREATE_ORIGINS].text,
        .allowed_addresses = body[CREATE_ADDRESSES].text, .rate_limit = body[CREATE_RATE].integer,
        .expires_ms = body[CREATE_EXPIRES].integer};
    if (!control_key_kind_find(body[CREATE_KIND].text, &key.kind))
        return error_set_field(error, ERROR_INVALID, "kind", "kind is write or secret");
    enum error_code code = ERROR_NONE;
    if (key.has_permissions) code = control_key_permissions_parse(body[CREATE_PERMISSIONS].text, &key.permissions, error);
    if (!code) code = control_key_create(call, &key, &made, error);
    return code ? code : key_answer(call, made.api_key_id, made.text, output, error);
}

/* Paths name keys by api_key_id alone: texts of keys do not belong into addresses, which are logged. */
static enum error_code key_id_of_path(const struct control_input *input, char api_key_id[37], struct error *error)
{
    if (identity_read_id(input->path_values[0], api_key_id)) return ERROR_NONE;
    return error_set(error, ERROR_NOT_FOUND, "there is no such key");
}

static enum error_code run_get(const struct control_call *call, const struct control_input *input,
                               struct control_output *output, struct error *error)
{
    char id[37];
    enum error_code code = key_id_of_path(input, id, error);
    return code ? code : key_answer(call, id, NULL, output, error);
}

static enum error_code run_update(const struct control_call *call, const struct control_input *input,
                                  struct control_output *output, struct error *error)
{
    const struct control_value *body = input->body;
    const struct control_key_update update = {
        .name = &body[UPDATE_NAME], .description = &body[UPDATE_DESCRIPTION], .permissions = &body[UPDATE_PERMISSIONS],
        .allowed_origins = &body[UPDATE_ORIGINS], .allowed_addresses = &body[UPDATE_ADDRESSES],
        .rate_limit = &body[UPDATE_RATE], .expires_at = &body[UPDATE_EXPIRES]};
    char id[37];
    enum error_code code = key_id_of_path(input, id, error);
    if (!code) code = control_key_update(call, slice_from_string(id), &update, error);
    return code ? code : key_answer(call, id, NULL, output, error);
}

static enum error_code run_rotate(const struct control_call *call, const struct control_input *input,
                                  struct control_output *output, struct error *error)
{
    struct control_key_made made;
    char id[37];
    enum error_code code = key_id_of_path(input, id, error);
    if (!code) code = control_key_rotate(call, slice_from_string(id), input->body[0].integer, &made, error);
    return code ? code : key_answer(call, made.api_key_id, made.text, output, error);
}

static enum error_code run_revoke(const struct control_call *call, const struct control_input *input,
                                  struct control_output *output, struct error *error)
{
    char id[37], revoked[37];
    enum error_code code = key_id_of_path(input, id, error);
    if (!code) code = control_key_revoke(call, slice_from_string(id), input->body[0].text, revoked, error);
    return code ? code : key_answer(call, id, NULL, output, error);
}

static enum error_code run_usage(const struct control_call *call, const struct control_input *input,
                                 struct control_output *output, struct error *error)
{
    char id[37];
    enum error_code code = key_id_of_path(input, id, error);
    return code ? code : control_key_usage(call, slice_from_string(id), input->query[0].integer, output->body, error);
}

static enum error_code run_list(const struct control_call *call, const struct control_input *input,
                                struct control_output *output, struct error *error)
{
    return control_key_list(call, (size_t)input->query[LIST_LIMIT].integer, input->query[LIST_CURSOR].text,
                            input->query[LIST_STATUS].text, output->body, error);
}

#define KEY_MEMBERS                                                                                                       \
    "\"api_key_id\":{\"type\":\"string\",\"format\":\"uuid\"},\"tenant_id\":{\"type\":\"string\",\"format\":\"uuid\"},"   \
    "\"kind\":{\"enum\":[\"write\",\"secret\"]},\"key_id\":{\"type\":\"string\"},\"prefix\":{\"type\":\"string\"},"       \
    "\"name\":{\"type\":\"string\"},\"description\":{\"type\":\"string\"},"                                               \
    "\"status\":{\"enum\":[\"active\",\"revoked\"]},\"version\":{\"type\":\"integer\"},"                                  \
    "\"permissions\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"                                               \
    "\"allowed_origins\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"                                           \
    "\"allowed_addresses\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},\"rate_limit\":{\"type\":\"integer\"},"   \
    "\"expires_at\":{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"},"                                           \
    "\"grace_period_expires_at\":{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"},"                              \
    "\"last_used_at\":{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"},\"last_used_ip\":{\"type\":\"string\"},"  \
    "\"usage_count\":{\"type\":\"integer\"},\"revoked_at\":{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"},"    \
    "\"revoked_by\":{\"type\":\"string\"},\"revoked_reason\":{\"type\":\"string\"},\"created_by\":{\"type\":\"string\"}," \
    "\"created_at\":{\"type\":\"string\",\"format\":\"date-time\"},\"updated_at\":{\"type\":\"string\",\"format\":\"date-time\"}"
#define KEY_ANSWER "{\"type\":\"object\",\"properties\":{" KEY_MEMBERS "}}"
#define KEY_TEXT_ANSWER                                                                                    \
    "{\"type\":\"object\",\"properties\":{" KEY_MEMBERS ",\"key\":{\"type\":\"string\",\"description\":" \
    "\"the text programs send; shown only now\"}}}"

const struct control_action control_key_actions[] = {
    {.method = METHOD_GET, .path = "/v1/keys", .access = CONTROL_PERMITTED, .scope = CONTROL_TENANT,
     .permission = TENANT_KEYS_READ, .query = list_query, .status = 200, .run = run_list,
     .summary = "List keys, oldest first",
     .answer = "{\"type\":\"object\",\"properties\":{\"data\":{\"type\":\"array\",\"items\":" KEY_ANSWER
               "},\"next_cursor\":{\"type\":[\"string\",\"null\"]}}}"},
    {.method = METHOD_POST, .path = "/v1/keys", .access = CONTROL_PERMITTED, .scope = CONTROL_TENANT,
     .permission = TENANT_KEYS_WRITE, .body = create_fields, .status = 201, .run = run_create,
     .summary = "Make a key; its text is in the answer and nowhere else", .answer = KEY_TEXT_ANSWER},
    {.method = METHOD_GET, .path = "/v1/keys/{api_key_id}", .access = CONTROL_PERMITTED, .scope = CONTROL_TENANT,
     .permission = TENANT_KEYS_READ, .status = 200, .run = run_get, .summary = "Look at a key", .answer = KEY_ANSWER},
    {.method = METHOD_PATCH, .path = "/v1/keys/{api_key_id}", .access = CONTROL_PERMITTED, .scope = CONTROL_TENANT,
     .permission = TENANT_KEYS_WRITE, .body = update_fields, .status = 200, .run = run_update,
     .summary = "Change a key's name, rules, permissions or end", .answer = KEY_ANSWER},
    {.method = METHOD_POST, .path = "/v1/keys/{api_key_id}/rotate", .access = CONTROL_PERMITTED, .scope = CONTROL_TENANT,
     .permission = TENANT_KEYS_WRITE, .body = rotate_fields, .status = 200, .run = run_rotate,
     .summary = "Give a key a new text; the one before stays good for the grace period", .answer = KEY_TEXT_ANSWER},
    {.method = METHOD_POST, .path = "/v1/keys/{api_key_id}/revoke", .access = CONTROL_PERMITTED, .scope = CONTROL_TENANT,
     .permission = TENANT_KEYS_DELETE, .body = revoke_fields, .status = 200, .run = run_revoke,
     .summary = "End a key for good", .answer = KEY_ANSWER},
    {.method = METHOD_GET, .path = "/v1/keys/{api_key_id}/usage", .access = CONTROL_PERMITTED, .scope = CONTROL_TENANT,
     .permission = TENANT_KEYS_READ, .query = usage_query, .status = 200, .run = run_usage,
     .summary = "How much a key was used, by the hour",
     .answer = "{\"type\":\"object\",\"properties\":{\"data\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{"
               "\"hour\":{\"type\":\"string\",\"format\":\"date-time\"},\"requests\":{\"type\":\"integer\"},"
               "\"refused\":{\"type\":\"integer\"},\"items\":{\"type\":\"integer\"}}}},\"totals\":{\"type\":\"object\"}}}"},
    {.path = NULL},
};
