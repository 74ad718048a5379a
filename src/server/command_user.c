/* SPDX-License-Identifier: Apache-2.0 */
/* `millrace user`: makes, lists, locks, deletes and helps users; a running server notices within a second. */
#include "base/time.h"
#include "base/uuid.h"
#include "control/account.h"
#include "control/identity.h"
#include "control/login.h"
#include "control/mfa.h"
#include "control/password.h"
#include "control/resource.h"
#include "control/tenancy.h"
#include "os/file.h"
#include "server/command_call.h"
#include "server/commands.h"

struct user_command {
    const struct options *options;
    struct control_call *call;
    bool json, deleted, invite;
    const char *role, *organization, *first_name, *last_name, *password_file; /* NULL: not given */
    struct buffer out;
    struct json_writer writer;
};

static const char *user_state(const struct user_command *command, const struct control_user *user)
{
    if (user->is_deleted) return "deleted";
    if (!user->is_active) return "inactive";
    if (user->is_locked) return "locked";
    if (user->locked_until_ms > command->call->now_ms) return "waiting"; /* after wrong passwords */
    return user->password_hash[0] ? "active" : "invited";
}

static enum error_code user_print_row(void *context, const struct control_user *user, struct error *error)
{
    struct user_command *command = context;
    if (command->json)
        control_user_write(user, &command->writer);
    else
        buffer_printf(&command->out, "%s  %-8s  %-32s %s\n", user->id, user_state(command, user), user->email,
                      user->is_super ? "super_admin" : "");
    return ERROR_NONE;
}

static void user_print_time(struct user_command *command, const char *label, int64_t unix_ms)
{
    char text[TIME_TEXT_SIZE];
    if (!unix_ms) return;
    time_format_ms(unix_ms, text);
    buffer_printf(&command->out, "%-13s %.*s\n", label, TIME_TEXT_SIZE, text);
}

/* By id or by address; of several with one address the living one, else the one made last. */
struct user_search {
    const char *word;
    struct control_user found;
};

static enum error_code user_match(void *context, const struct control_user *user, struct error *error)
{
    struct user_search *search = context;
    bool fits = slice_equal_ignore_case(slice_from_string(search->word), slice_from_string(user->email)) ||
                slice_equal_ignore_case(slice_from_string(search->word), slice_from_string(user->id));
    if (fits && (!search->found.id[0] || search->found.is_deleted)) search->found = *user;
    return ERROR_NONE;
}

static enum error_code user_find(struct user_command *command, struct control_user *ret_user, struct error *error)
{
    struct user_search search = {.word = command->options->positional[1]};
    struct meta_session *session;
    enum error_code code = meta_session_begin(command->call->control->core, 0, &session, error);
    if (code != ERROR_NONE) return code;
    code = control_user_each(command->call, session, true, user_match, &search, error);
    meta_session_end(session);
    if (code == ERROR_NONE && !search.found.id[0])
        code = error_set(error, ERROR_NOT_FOUND, "there is no user %.254s", search.word);
    *ret_user = search.found;
    /* From here on the command works in the user's organization. */
    if (code == ERROR_NONE) memcpy(command->call->organization_id, ret_user->organization_id, sizeof ret_user->organization_id);
    return code;
}

static enum error_code user_show(struct user_command *command, struct error *error)
{
    struct control_user user;
    enum error_code code = user_find(command, &user, error);
    if (code != ERROR_NONE) return code;
    if (command->json) return user_print_row(command, &user, error);
    buffer_printf(&command->out, "user          %s\nemail         %s%s\nname          %s %s\nstate         %s\nsecond factor %s\n"
                                 "organization  %s\n",
                  user.id, user.email, user.email_verified ? "" : " (not verified)", user.first_name, user.last_name,
                  user_state(command, &user), user.mfa_enabled ? "yes" : "no", user.organization_id);
    user_print_time(command, "created", user.created_ms);
    user_print_time(command, "last login", user.last_login_ms);
    if (user.locked_until_ms > command->call->now_ms) user_print_time(command, "waits until", user.locked_until_ms);
    return ERROR_NONE;
}

static enum error_code user_list(struct user_command *command, struct error *error)
{
    struct meta_session *session;
    enum error_code code = meta_session_begin(command->call->control->core, 0, &session, error);
    if (code != ERROR_NONE) return code;
    if (command->json) json_writer_array_begin(&command->writer);
    code = control_user_each(command->call, session, command->deleted, user_print_row, command, error);
    if (command->json) json_writer_array_end(&command->writer);
    meta_session_end(session);
    return code;
}

/* ---- making ---- */

/* The password of the new user, in `out`: of the file, or a random one, which is shown. */
static enum error_code user_choose_password(struct user_command *command, struct buffer *out, bool *ret_made, struct error *error)
{
    *ret_made = !command->password_file;
    if (*ret_made) {
        char made[CONTROL_PASSWORD_MADE_SIZE + 1];
        control_password_make(made);
        buffer_append_string(out, made);
        return ERROR_NONE;
    }
    enum error_code code = os_file_read(command->password_file, 4096, out, error);
    if (code == ERROR_NONE && out->size && out->data[out->size - 1] == '\n') out->size--;
    return code;
}

static void user_print_made(struct user_command *command, const struct control_user *user, struct slice password, struct slice link)
{
    bool mailed = command->invite && !link.size;
    if (!command->json) {
        buffer_printf(&command->out, "user      %s\nemail     %s\n", user->id, user->email);
        if (password.size) buffer_printf(&command->out, "password  %.*s   shown only now\n", SLICE_ARGS(password));
        if (link.size) buffer_printf(&command->out, "link      %.*s   shown only now\n", SLICE_ARGS(link));
        if (mailed) buffer_append_string(&command->out, "a mail with a link is on its way\n");
        return;
    }
    json_writer_object_begin(&command->writer);
    json_writer_key(&command->writer, "user");
    control_user_write(user, &command->writer);
    if (password.size) identity_write_text(&command->writer, "password", password);
    if (link.size) identity_write_text(&command->writer, "link", link);
    if (mailed) identity_write_flag(&command->writer, "mailed", true);
    json_writer_object_end(&command->writer);
}

static enum error_code user_insert(struct user_command *command, const char *email, const char *phc, struct control_user *user,
                                   struct slice *link, struct error *error)
{
    char id[37];
    struct control_defaults defaults;
    struct meta_session *session;
    enum error_code code = identity_begin(command->call, &session, error);
    if (code == ERROR_NONE && !command->organization) {
        code = control_defaults_ensure(command->call, session, &defaults, error);
        if (code == ERROR_NONE) memcpy(command->call->organization_id, defaults.organization_id, sizeof defaults.organization_id);
    }
    const struct control_new_user fresh = {
        .email = email, .organization_id = command->call->organization_id, .password_hash = phc,
        .first_name = slice_from_string(command->first_name ? command->first_name : ""),
        .last_name = slice_from_string(command->last_name ? command->last_name : ""), .role = command->role};
    if (code == ERROR_NONE) code = control_user_create(command->call, session, &fresh, id, error);
    if (code == ERROR_NONE) code = control_user_find(command->call, session, id, user, error);
    if (code == ERROR_NONE && !phc) code = control_account_send_reset(command->call, session, user, true, link, error);
    return identity_end(session, code, error);
}

static enum error_code user_create(struct user_command *command, struct error *error)
{
    struct control_user user = {0};
    struct buffer password = {0};
    struct slice link = SLICE_EMPTY;
    char phc[TENANT_PHC_LIMIT];
    bool made = false;
    snprintf(user.first_name, sizeof user.first_name, "%s", command->first_name ? command->first_name : "");
    snprintf(user.last_name, sizeof user.last_name, "%s", command->last_name ? command->last_name : "");
    enum error_code code = control_email_read(slice_from_string(command->options->positional[1]), user.email, error);
    if (code == ERROR_NONE && !command->invite) code = user_choose_password(command, &password, &made, error);
    if (code == ERROR_NONE && !command->invite)
        code = control_user_hash_password(buffer_slice(&password), &user, "password", phc, error);
    char email[CONTROL_EMAIL_LIMIT + 1];
    memcpy(email, user.email, sizeof email);
    if (code == ERROR_NONE) code = user_insert(command, email, command->invite ? NULL : phc, &user, &link, error);
    if (code == ERROR_NONE) user_print_made(command, &user, made ? buffer_slice(&password) : SLICE_EMPTY, link);
    if (password.data) explicit_bzero(password.data, password.size);
    buffer_free(&password);
    return code;
}

/* ---- changing ---- */

static enum error_code user_change(struct user_command *command,
                                   enum error_code (*change)(const struct control_call *, const char *, struct error *),
                                   struct error *error)
{
    struct control_user user;
    enum error_code code = user_find(command, &user, error);
    if (code == ERROR_NONE) code = change(command->call, user.id, error);
    return code == ERROR_NONE ? user_show(command, error) : code;
}
static enum error_code user_lock(struct user_command *command, struct error *error)
{
    return user_change(command, control_user_lock, error);
}
static enum error_code user_unlock(struct user_command *command, struct error *error)
{
    return user_change(command, control_user_unlock, error);
}

/* Deleting and restoring go the way of the API: the same checks, the same audit events. */
static enum error_code user_delete_by_id(const struct control_call *call, const char *user_id, struct error *error)
{
    return control_resource_delete(call, &control_users, slice_from_string(user_id), error);
}
static enum error_code user_restore_by_id(const struct control_call *call, const char *user_id, struct error *error)
{
    struct buffer answer = {0};
    enum error_code code = control_resource_restore(call, &control_users, slice_from_string(user_id), &answer, error);
    buffer_free(&answer);
    return code;
}
static enum error_code user_delete(struct user_command *command, struct error *error)
{
    return user_change(command, user_delete_by_id, error);
}
static enum error_code user_restore(struct user_command *command, struct error *error)
{
    return user_change(command, user_restore_by_id, error);
}

static enum error_code user_reset_password(struct user_command *command, struct error *error)
{
    struct control_user user;
    struct slice link = SLICE_EMPTY;
    struct meta_session *session;
    enum error_code code = user_find(command, &user, error);
    if (code == ERROR_NONE && user.is_deleted) code = error_set(error, ERROR_CONFLICT, "this user is deleted: restore him first");
    if (code != ERROR_NONE) return code;
    code = identity_begin(command->call, &session, error);
    if (code == ERROR_NONE) code = control_account_send_reset(command->call, session, &user, false, &link, error);
    if (code == ERROR_NONE)
        code = identity_audit(command->call, session, "user.password_reset_sent", CONTROL_AUDIT_SUCCESS, user.id,
                              user.organization_id, NULL, error);
    code = identity_end(session, code, error);
    command->invite = true; /* a mail, where there is no link */
    if (code == ERROR_NONE) user_print_made(command, &user, SLICE_EMPTY, link);
    return code;
}

static enum error_code user_disable_mfa(struct user_command *command, struct error *error)
{
    struct control_user user;
    struct meta_session *session;
    enum error_code code = user_find(command, &user, error);
    if (code != ERROR_NONE) return code;
    code = identity_begin(command->call, &session, error);
    if (code == ERROR_NONE) code = control_mfa_disable(command->call, session, &user, error);
    code = identity_end(session, code, error);
    return code == ERROR_NONE ? user_show(command, error) : code;
}

/* ---- sessions ---- */

static void user_print_sessions(struct user_command *command, struct slice json)
{
    static const char *const columns[] = {"session_id", "last_used_at", "method", "ip_address", "user_agent"};
    struct json_parser *parser = json_parser_create();
    struct buffer padded = {0};
    struct json_value root, data, row, value;
    struct slice key;
    buffer_append_slice(&padded, json);
    buffer_append_zeros(&padded, JSON_PADDING);
    if (parser && !padded.failed && json_parse(parser, slice_make(padded.data, json.size), &root, NULL) == ERROR_NONE &&
        json_object_get(root, SLICE("data"), &data)) {
        struct json_iterator rows = json_iterate(data);
        while (json_next(&rows, &key, &row))
            for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
                bool is_text = json_object_get(row, slice_from_string(columns[i]), &value) && json_value_type(value) == JSON_STRING;
                struct slice text = is_text ? json_value_string(value) : SLICE("-");
                buffer_printf(&command->out, "%.*s%s", SLICE_ARGS(text), i + 1 < sizeof columns / sizeof *columns ? "  " : "\n");
            }
    }
    buffer_free(&padded);
    json_parser_destroy(parser);
}

static enum error_code user_sessions(struct user_command *command, struct error *error)
{
    struct control_user user;
    struct buffer json = {0};
    enum error_code code = user_find(command, &user, error);
    if (code == ERROR_NONE) code = control_session_list(command->call, user.id, &json, error);
    if (code == ERROR_NONE && command->json) buffer_append_slice(&command->out, buffer_slice(&json));
    else if (code == ERROR_NONE) user_print_sessions(command, buffer_slice(&json));
    buffer_free(&json);
    return code;
}

static const struct {
    const char *name;
    size_t arguments;
    enum error_code (*run)(struct user_command *, struct error *);
} user_actions[] = {
    {"create", 2, user_create},   {"list", 1, user_list},       {"show", 2, user_show},
    {"lock", 2, user_lock},       {"unlock", 2, user_unlock},   {"delete", 2, user_delete},
    {"restore", 2, user_restore}, {"sessions", 2, user_sessions}, {"reset-password", 2, user_reset_password},
    {"disable-mfa", 2, user_disable_mfa},
};

int command_user(int argc, char **argv)
{
    struct settings settings;
    struct options options;
    struct command_call command_call;
    struct error error;
    struct uuid uuid;
    struct user_command command = {.options = &options, .call = &command_call.call};
    command.writer.out = &command.out;
    const struct option flags[] = {
        {"json", NULL, NULL, &command.json, "print JSON"},
        {"deleted", NULL, NULL, &command.deleted, "list: deleted ones too"},
        {"organization", "ID", &command.organization, NULL, "create, list: of this organization; without it the one called default, or all"},
        {"role", "ROLE", &command.role, NULL, "create: super_admin, admin, developer, viewer, demo, service, or the id of a role"},
        {"first-name", "NAME", &command.first_name, NULL, "create: given name"},
        {"last-name", "NAME", &command.last_name, NULL, "create: family name"},
        {"password-file", "FILE", &command.password_file, NULL, "create: the password is the text of this file; without it a random one is made and shown"},
        {"invite", NULL, NULL, &command.invite, "create: without password; a link to choose one is mailed, or shown where no mail is configured"},
        {0},
    };
    const struct option_table table = {
        .usage = "millrace user create EMAIL [--role ROLE] | list | show USER | lock USER | unlock USER | delete USER |\n"
                 "                     restore USER | reset-password USER | sessions USER | disable-mfa USER   --data DIR [--json]",
        .description = "Works with and without a running server. USER is an id or an e-mail address. Passwords and links are shown once.",
        .options = flags, .positional_names = "create EMAIL, list, show USER, ...", .positional_least = 1,
        .positional_most = 2, .takes_settings = true};
    enum error_code code = settings_load(&settings, &error);
    if (code == ERROR_NONE) code = options_parse(&table, argc, argv, &settings, &options, &error);
    if (code != ERROR_NONE) return command_fail(&error);
    if (options.help) return EXIT_DONE;
    size_t action = 0, count = sizeof user_actions / sizeof user_actions[0];
    while (action < count && strcmp(user_actions[action].name, options.positional[0]) != 0) action++;
    if (action == count || user_actions[action].arguments != options.positional_count)
        code = error_set(&error, ERROR_INVALID, "usage: %s", table.usage);
    else if (command.organization && !uuid_parse(slice_from_string(command.organization), &uuid))
        code = error_set_field(&error, ERROR_INVALID, "organization", "--organization takes an id");
    if (code == ERROR_NONE) code = command_call_open(&settings, &command_call, &error);
    if (code != ERROR_NONE) return command_fail(&error);
    if (command.organization) snprintf(command_call.call.organization_id, 37, "%s", command.organization);
    code = user_actions[action].run(&command, &error);
    command_call_close(&command_call);
    if (code == ERROR_NONE) {
        fwrite(command.out.data, 1, command.out.size, stdout);
        if (command.json) putchar('\n');
    }
    if (command.out.data) explicit_bzero(command.out.data, command.out.size);
    buffer_free(&command.out);
    return code == ERROR_NONE ? EXIT_DONE : command_fail(&error);
}
