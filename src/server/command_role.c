/* SPDX-License-Identifier: Apache-2.0 */
/* `millrace role`: shows and makes roles, says what they may do, gives them to users and takes them away. */
#include <stdio.h>

#include "base/uuid.h"
#include "control/role.h"
#include "control/user.h"
#include "server/command_call.h"
#include "server/commands.h"

struct role_command {
    const struct options *options;
    struct control_call *call;
    bool json;
    const char *organization, *tenant, *granted, *denied, *expires;
    struct buffer out; /* JSON */
};

/* Rows of answers as a table for people; columns named here, in this order. */
static void role_print_rows(struct slice json, const char *const *columns)
{
    struct json_parser *parser = json_parser_create();
    struct json_value root, data, row, value;
    struct slice key;
    struct buffer padded = {0};
    buffer_append_slice(&padded, json);
    buffer_append_zeros(&padded, JSON_PADDING);
    if (parser && !padded.failed && json_parse(parser, slice_make(padded.data, json.size), &root, NULL) == ERROR_NONE &&
        json_object_get(root, SLICE("data"), &data)) {
        struct json_iterator rows = json_iterate(data);
        while (json_next(&rows, &key, &row)) {
            for (const char *const *column = columns; *column; column++) {
                bool is_text =
                    json_object_get(row, slice_from_string(*column), &value) && json_value_type(value) == JSON_STRING;
                struct slice text = is_text ? json_value_string(value) : SLICE("-");
                printf("%.*s%s", SLICE_ARGS(text), column[1] ? "  " : "\n");
            }
        }
    }
    buffer_free(&padded);
    json_parser_destroy(parser);
}

/* Pages put together: a command lists all. */
static enum error_code role_list(struct role_command *role, struct error *error)
{
    static const char *const columns[] = {"role_id", "role_type", "name", "description", NULL};
    const struct control_page page = {.limit = CONTROL_PAGE_LIMIT};
    enum error_code code = control_resource_list(role->call, &control_roles, &page, &role->out, error);
    if (code == ERROR_NONE && !role->json) {
        role_print_rows(buffer_slice(&role->out), columns);
        buffer_clear(&role->out);
    }
    return code;
}

struct role_found {
    char id[37];
    size_t count;
};

static enum error_code role_take_id(void *context, const struct meta_row *row, struct error *error)
{
    struct role_found *found = context;
    found->count++;
    return META_ROW_COPY(row, 0, found->id, error);
}

/* By id, or by name: those of the organization before the built-in ones. */
static enum error_code role_find_by_name(struct role_command *role, const char *word, char id[37], struct error *error)
{
    struct role_found found = {0};
    struct meta_session *session;
    if (!slice_is_utf8(slice_from_string(word))) return error_set(error, ERROR_NOT_FOUND, "there is no such role");
    enum error_code code = meta_session_begin(role->call->control->core, 0, &session, error);
    if (code != ERROR_NONE) return code;
    code = meta_query(session,
                      "select role_id from roles where deleted_at is null and (role_id = $1 or (name = $1"
                      " and (organization_id is null or organization_id = $2 or cast($2 as text) = '')))",
                      META_PARAMETERS(meta_string(word), meta_string(role->call->organization_id)), role_take_id,
                      &found, error);
    meta_session_end(session);
    if (code != ERROR_NONE) return code;
    if (found.count == 0)
        return error_set(error, ERROR_NOT_FOUND, "there is no role with the id or name \"%.64s\"", word);
    if (found.count > 1)
        return error_set(error, ERROR_CONFLICT, "%zu roles are called \"%.64s\"; say the id, or --organization",
                         found.count, word);
    memcpy(id, found.id, sizeof found.id);
    return ERROR_NONE;
}

static enum error_code role_find_user_by_word(struct role_command *role, const char *word, char id[37],
                                              struct error *error)
{
    struct role_found found = {0};
    struct meta_session *session;
    struct uuid uuid;
    char email[CONTROL_EMAIL_LIMIT + 1] = "";
    enum error_code code = ERROR_NONE;
    if (!uuid_parse(slice_from_string(word), &uuid)) code = control_email_read(slice_from_string(word), email, error);
    if (code == ERROR_NONE) code = meta_session_begin(role->call->control->core, 0, &session, error);
    if (code != ERROR_NONE) return code;
    code = meta_query(session, "select user_id from users where deleted_at is null and (user_id = $1 or email = $2)",
                      META_PARAMETERS(meta_string(word), meta_string(email)), role_take_id, &found, error);
    meta_session_end(session);
    if (code == ERROR_NONE && !found.count) code = error_set(error, ERROR_NOT_FOUND, "there is no user %.254s", word);
    if (code == ERROR_NONE) memcpy(id, found.id, sizeof found.id);
    return code;
}

/* Runs an action of the API: the same checks, the same audit events. */
static enum error_code role_act(struct role_command *role, enum request_method method, const char *path,
                                const char *first, const char *second, const struct control_value *body,
                                struct error *error)
{
    const struct control_action *action = control_role_actions;
    while (action->path && (action->method != method || strcmp(action->path, path) != 0)) action++;
    ASSERT(action->path);
    struct control_input input = {.path_values = {slice_from_string(first), slice_from_string(second)}, .body = body};
    struct control_output output = {.body = &role->out};
    return action->run(role->call, &input, &output, error);
}

static enum error_code role_show(struct role_command *role, struct error *error)
{
    char id[37];
    enum error_code code = role_find_by_name(role, role->options->positional[1], id, error);
    return code ? code : role_act(role, METHOD_GET, "/v1/roles/{role_id}/permissions", id, "", NULL, error);
}

static struct slice role_lines(struct role_command *role, const char *words)
{
    struct slice lines = arena_copy(role->call->arena, slice_from_string(words ? words : ""));
    for (size_t i = 0; i < lines.size; i++)
        if (lines.data[i] == ',') ((char *)lines.data)[i] = '\n'; /* the arena's copy */
    return lines;
}

static enum error_code role_set(struct role_command *role, struct error *error)
{
    char id[37];
    struct control_value body[2] = {{.given = true, .text = role_lines(role, role->granted)},
                                    {.given = true, .text = role_lines(role, role->denied)}};
    enum error_code code = role_find_by_name(role, role->options->positional[1], id, error);
    return code ? code : role_act(role, METHOD_PUT, "/v1/roles/{role_id}/permissions", id, "", body, error);
}

static enum error_code role_create(struct role_command *role, struct error *error)
{
    struct buffer body = {0};
    struct json_writer writer = {.out = &body};
    struct json_value root;
    if (!role->call->organization_id[0])
        return error_set_field(error, ERROR_INVALID, "organization", "say whose role it is: --organization ID");
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "name");
    json_writer_string(&writer, slice_from_string(role->options->positional[1]));
    json_writer_object_end(&writer);
    size_t size = body.size;
    buffer_append_zeros(&body, JSON_PADDING);
    struct json_parser *parser = json_parser_create();
    enum error_code code = json_parse(parser, slice_make(body.data, size), &root, error);
    if (code == ERROR_NONE) code = control_resource_create(role->call, &control_roles, root, &role->out, error);
    json_parser_destroy(parser);
    buffer_free(&body);
    return code;
}

static enum error_code role_assign(struct role_command *role, struct error *error)
{
    static const struct control_field until = {.name = "expires", .type = CONTROL_TIME};
    char role_id[37], user_id[37];
    struct control_value body[3] = {{.given = true}, {0}, {0}};
    enum error_code code = role_find_by_name(role, role->options->positional[1], role_id, error);
    if (code == ERROR_NONE) code = role_find_user_by_word(role, role->options->positional[2], user_id, error);
    if (code == ERROR_NONE && role->expires)
        code = control_field_read_text(role->call->arena, &until, slice_from_string(role->expires), &body[2], error);
    if (code != ERROR_NONE) return code;
    body[0].text = slice_from_string(role_id);
    if (role->tenant) body[1] = (struct control_value){.given = true, .text = slice_from_string(role->tenant)};
    return role_act(role, METHOD_POST, "/v1/users/{user_id}/roles", user_id, "", body, error);
}

static enum error_code role_revoke(struct role_command *role, struct error *error)
{
    char role_id[37], user_id[37];
    struct role_found found = {0};
    struct meta_session *session;
    enum error_code code = role_find_by_name(role, role->options->positional[1], role_id, error);
    if (code == ERROR_NONE) code = role_find_user_by_word(role, role->options->positional[2], user_id, error);
    if (code == ERROR_NONE) code = meta_session_begin(role->call->control->core, 0, &session, error);
    if (code != ERROR_NONE) return code;
    code = meta_query(session,
                      "select user_role_id from user_roles where user_id = $1 and role_id = $2"
                      " and coalesce(tenant_id, '') = $3",
                      META_PARAMETERS(meta_string(user_id), meta_string(role_id),
                                      meta_string(role->tenant ? role->tenant : "")),
                      role_take_id, &found, error);
    meta_session_end(session);
    if (code == ERROR_NONE && !found.count)
        code = error_set(error, ERROR_NOT_FOUND, "the user does not have this role%s",
                         role->tenant ? " in this tenant" : " everywhere; --tenant?");
    if (code == ERROR_NONE)
        code =
            role_act(role, METHOD_DELETE, "/v1/users/{user_id}/roles/{user_role_id}", user_id, found.id, NULL, error);
    if (code == ERROR_NONE) buffer_append_string(&role->out, "{\"revoked\":true}");
    return code;
}

static enum error_code role_of_user(struct role_command *role, struct error *error)
{
    static const char *const columns[] = {"name", "role_type", "tenant_id", "expires_at", "role_id", NULL};
    char user_id[37];
    enum error_code code = role_find_user_by_word(role, role->options->positional[1], user_id, error);
    if (code == ERROR_NONE) code = role_act(role, METHOD_GET, "/v1/users/{user_id}/roles", user_id, "", NULL, error);
    if (code == ERROR_NONE && !role->json) {
        role_print_rows(buffer_slice(&role->out), columns);
        buffer_clear(&role->out);
    }
    return code;
}

static const struct {
    const char *name;
    size_t arguments;
    enum error_code (*run)(struct role_command *, struct error *);
} role_commands[] = {
    {"list", 1, role_list},     {"show", 2, role_show},     {"create", 2, role_create}, {"set", 2, role_set},
    {"assign", 3, role_assign}, {"revoke", 3, role_revoke}, {"of", 2, role_of_user},
};

int command_role(int argc, char **argv)
{
    struct settings settings;
    struct options options;
    struct command_call command;
    struct error error;
    struct uuid uuid;
    struct role_command role = {.options = &options, .call = &command.call};
    const struct option flags[] = {
        {"json", NULL, NULL, &role.json, "print JSON"},
        {"organization", "ID", &role.organization, NULL, "whose roles: needed by create"},
        {"tenant", "ID", &role.tenant, NULL, "assign, revoke: in this tenant only"},
        {"expires", "TIME", &role.expires, NULL, "assign: until then (2027-01-31)"},
        {"granted", "A,B", &role.granted, NULL, "set: what the role may do, such as events:read,logs:read"},
        {"denied", "A,B", &role.denied, NULL, "set: what it must not, whatever other roles say"},
        {0},
    };
    const struct option_table table = {
        .usage =
            "millrace role list | show ROLE | create NAME --organization ID | set ROLE --granted A,B --denied C |\n"
            "                     assign ROLE USER | revoke ROLE USER | of USER   --data DIR [--json]",
        .description = "Works with and without a running server. ROLE is an id or a name, USER an id or an address.\n"
                       "Built-in roles: super_admin, admin, developer, viewer, demo, service.",
        .options = flags,
        .positional_names = "list, show ROLE, assign ROLE USER, ...",
        .positional_least = 1,
        .positional_most = 3,
        .takes_settings = true};
    enum error_code code = settings_load(&settings, &error);
    if (code == ERROR_NONE) code = options_parse(&table, argc, argv, &settings, &options, &error);
    if (code != ERROR_NONE) return command_fail(&error);
    if (options.help) return EXIT_DONE;
    size_t action = 0, count = sizeof role_commands / sizeof role_commands[0];
    while (action < count && strcmp(role_commands[action].name, options.positional[0]) != 0) action++;
    if (action == count || role_commands[action].arguments != options.positional_count)
        code = error_set(&error, ERROR_INVALID, "usage: %s", table.usage);
    else if ((role.organization && !uuid_parse(slice_from_string(role.organization), &uuid)) ||
             (role.tenant && !uuid_parse(slice_from_string(role.tenant), &uuid)))
        code = error_set(&error, ERROR_INVALID, "--organization and --tenant take ids");
    if (code == ERROR_NONE) code = command_call_open(&settings, &command, &error);
    if (code != ERROR_NONE) return command_fail(&error);
    if (role.organization) snprintf(command.call.organization_id, 37, "%s", role.organization);
    code = role_commands[action].run(&role, &error);
    command_call_close(&command);
    if (code == ERROR_NONE && role.out.size) printf("%.*s\n", SLICE_ARGS(buffer_slice(&role.out)));
    buffer_free(&role.out);
    return code == ERROR_NONE ? EXIT_DONE : command_fail(&error);
}
