/* SPDX-License-Identifier: Apache-2.0 */
/* Clients for tests of users and logins. */
#include "control/identity_fixture.h"

#include "control/field.h"

struct identity_client *identity_client_create(struct control_fixture *fixture)
{
    struct identity_client *client = calloc(1, sizeof *client);
    client->call = fixture->call;
    client->call.arena = arena_create(0);
    client->call.actor = (struct control_actor){.ip_address = SLICE("192.0.2.7"), .user_agent = SLICE("test browser")};
    client->call.organization_id[0] = 0;
    client->parser = json_parser_create();
    return client;
}

void identity_client_destroy(struct identity_client *client)
{
    arena_destroy(client->call.arena);
    json_parser_destroy(client->parser);
    buffer_free(&client->out);
    free(client);
}

static const struct control_action *find_action(enum request_method method, const char *path)
{
    const struct control_action *const lists[] = {control_login_actions, control_account_actions, control_session_actions,
                                                  control_mfa_actions, control_user_actions};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (const struct control_action *action = lists[i]; action->path; action++)
            if (action->method == method && strcmp(action->path, path) == 0) return action;
    fail_msg("no action %s", path);
    return NULL;
}

static struct json_value parse(struct identity_client *client, struct slice text)
{
    struct json_value root;
    assert_true(text.size + JSON_PADDING < sizeof client->padded);
    memset(client->padded, 0, sizeof client->padded);
    memcpy(client->padded, text.data, text.size);
    if (json_parse(client->parser, slice_make(client->padded, text.size), &root, &client->error))
        fail_msg("not JSON: %.*s", SLICE_ARGS(text));
    return root;
}

enum error_code identity_act(struct identity_client *client, enum request_method method, const char *path, const char *body,
                             const char *id)
{
    const struct control_action *action = find_action(method, path);
    struct control_value values[CONTROL_FIELD_LIMIT] = {0};
    struct control_input input = {.body = values, .device_token = slice_from_string(client->device),
                                  .refresh_token = slice_from_string(client->refresh)};
    client->error = (struct error){0};
    buffer_clear(&client->out);
    client->output = (struct control_output){.body = &client->out};
    if (id) input.path_values[0] = slice_from_string(id);
    if (action->body) {
        enum error_code code = control_fields_read(client->call.arena, action->body,
                                                   parse(client, slice_from_string(body ? body : "{}")),
                                                   method == METHOD_PATCH, values, &client->error);
        if (code) return code;
    }
    return action->run(&client->call, &input, &client->output, &client->error);
}

const char *identity_get(struct identity_client *client, const char *in, const char *name)
{
    struct json_value root = parse(client, buffer_slice(&client->out)), value;
    struct buffer text = {0};
    if (in && !json_object_get(root, slice_from_string(in), &root)) fail_msg("no %s", in);
    if (!json_object_get(root, slice_from_string(name), &value))
        fail_msg("no %s in %.*s", name, SLICE_ARGS(buffer_slice(&client->out)));
    if (json_value_type(value) == JSON_STRING) buffer_append_slice(&text, json_value_string(value));
    else json_value_write(value, &text);
    char *out = client->text[client->next_text++ % 8];
    assert_true(text.size < sizeof *client->text);
    snprintf(out, sizeof *client->text, "%.*s", SLICE_ARGS(buffer_slice(&text)));
    buffer_free(&text);
    return out;
}

enum error_code identity_login(struct identity_client *client, const char *email, const char *password)
{
    char body[512];
    snprintf(body, sizeof body, "{\"email\":\"%s\",\"password\":\"%s\"}", email, password);
    client->call.actor.kind = CONTROL_ACTOR_NOBODY;
    client->call.actor.id[0] = client->call.actor.session_id[0] = 0;
    enum error_code code = identity_act(client, METHOD_POST, "/v1/auth/login", body, NULL);
    if (code || slice_find(buffer_slice(&client->out), SLICE("mfa_required")) >= 0) return code;
    client->call.actor.kind = CONTROL_ACTOR_USER;
    snprintf(client->call.actor.id, 37, "%s", identity_get(client, "user", "user_id"));
    snprintf(client->call.actor.session_id, 37, "%s", identity_get(client, NULL, "session_id"));
    snprintf(client->call.organization_id, 37, "%s", identity_get(client, "user", "organization_id"));
    snprintf(client->refresh, sizeof client->refresh, "%s", identity_get(client, NULL, "refresh_token"));
    return code;
}

void identity_add_user(struct control_fixture *fixture, const char *email, const char *role, char id[37])
{
    static char phc[TENANT_PHC_LIMIT]; /* made once: it costs a tenth of a second */
    struct meta_session *session = NULL;
    if (!phc[0]) assert_int_equal(ERROR_NONE, tenant_argon2_hash(TENANT_ARGON2_PASSWORD, SLICE(IDENTITY_PASSWORD), phc, &fixture->error));
    struct control_new_user user = {.email = email, .organization_id = fixture->defaults.organization_id, .password_hash = phc,
                                    .first_name = SLICE("Test"), .last_name = SLICE("User"), .role = role};
    enum error_code code = identity_begin(&fixture->call, &session, &fixture->error);
    if (!code) code = control_user_create(&fixture->call, session, &user, id, &fixture->error);
    code = identity_end(session, code, &fixture->error);
    if (code) fail_msg("%s: %s", email, fixture->error.message);
}

struct mails {
    struct control_fixture *fixture;
    char *token;
};

static enum error_code take_token(void *context, const struct meta_row *row, struct error *error)
{
    struct mails *mails = context;
    struct buffer text = {0};
    assert_int_equal(ERROR_NONE, tenant_secret_open(mails->fixture->control.secret, "mail", meta_row_text(row, 0), &text, error));
    ptrdiff_t at = slice_find(buffer_slice(&text), SLICE("/#"));
    struct slice token = slice_from(buffer_slice(&text), at < 0 ? text.size : (size_t)at);
    slice_cut(&token, '=');
    if (token.size >= TENANT_TOKEN_SIZE) snprintf(mails->token, TENANT_TOKEN_SIZE + 1, "%.*s", TENANT_TOKEN_SIZE, token.data);
    buffer_free(&text);
    return ERROR_NONE;
}

void identity_mailed_token(struct control_fixture *fixture, const char *email, char token[TENANT_TOKEN_SIZE + 1])
{
    struct meta_session *session;
    struct mails mails = {fixture, token};
    token[0] = 0;
    assert_int_equal(ERROR_NONE, meta_session_begin(fixture->control.core, 0, &session, &fixture->error));
    assert_int_equal(ERROR_NONE,
                     meta_query(session, "select message_encrypted from mail_outbox where recipient = $1 order by created_at, mail_id",
                                META_PARAMETERS(meta_string(email)), take_token, &mails, &fixture->error));
    meta_session_end(session);
    assert_int_equal(TENANT_TOKEN_SIZE, strlen(token));
}

int64_t identity_count(struct control_fixture *fixture, const char *sql)
{
    int64_t value;
    struct meta_session *session;
    assert_int_equal(ERROR_NONE, meta_session_begin(fixture->control.core, 0, &session, &fixture->error));
    if (identity_query_integer(session, sql, NULL, 0, &value, &fixture->error)) fail_msg("%s", fixture->error.message);
    meta_session_end(session);
    return value;
}
