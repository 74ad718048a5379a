/* SPDX-License-Identifier: Apache-2.0 */
/* `millrace key`: makes, lists, shows, rotates and revokes keys of programs; a running server notices within a second. */
#include "base/time.h"
#include "control/field.h"
#include "control/key.h"
#include "control/tenancy.h"
#include "server/command_call.h"
#include "server/commands.h"

struct key_command {
    const struct options *options;
    struct control_call *call;
    bool json;
    const char *kind, *name, *description, *permissions, *origins, *addresses, *rate, *expires, *grace, *reason, *hours;
    struct buffer out;
};

static enum error_code key_choose_tenant(struct key_command *key, struct error *error)
{
    struct meta_session *session;
    struct control_tenant tenant;
    enum error_code code = meta_session_begin(key->call->control->core, 0, &session, error);
    if (code != ERROR_NONE) return code;
    code = control_tenant_find(key->call, session, slice_from_string(key->options->positional[1]), false, &tenant, error);
    meta_session_end(session);
    if (code != ERROR_NONE) return code;
    memcpy(key->call->tenant_id, tenant.id, sizeof key->call->tenant_id);
    memcpy(key->call->organization_id, tenant.organization_id, sizeof key->call->organization_id);
    return ERROR_NONE;
}

/* "a,b" as lines, as the metadata keeps lists. */
static struct slice key_lines(struct key_command *key, const char *list)
{
    char *lines = arena_copy_string(key->call->arena, slice_from_string(list ? list : ""));
    for (char *at = lines; at && *at; at++)
        if (*at == ',') *at = '\n';
    return lines ? slice_from_string(lines) : SLICE_EMPTY;
}

static enum error_code key_number(const char *flag, const char *text, int64_t otherwise, int64_t *ret_number, struct error *error)
{
    *ret_number = otherwise;
    if (!text || slice_parse_int64(slice_from_string(text), ret_number)) return ERROR_NONE;
    return error_set_field(error, ERROR_INVALID, flag, "--%s must be a whole number", flag);
}

static void key_print_made(struct key_command *key, const struct control_key_made *made)
{
    if (key->json) {
        struct json_writer writer = {.out = &key->out};
        json_writer_object_begin(&writer);
        json_writer_key(&writer, "api_key_id");
        json_writer_string(&writer, slice_from_string(made->api_key_id));
        json_writer_key(&writer, "key");
        json_writer_string(&writer, slice_from_string(made->text));
        json_writer_object_end(&writer);
    } else {
        buffer_printf(&key->out, "key  %s\nid   %s   (a secret key's text is shown only now)\n", made->text, made->api_key_id);
    }
}

static enum error_code key_create(struct key_command *key, struct error *error)
{
    struct control_key_made made;
    struct control_key_new new_key = {.name = slice_from_string(key->name ? key->name : "from the command line"),
                                      .description = slice_from_string(key->description ? key->description : ""),
                                      .allowed_origins = key_lines(key, key->origins),
                                      .allowed_addresses = key_lines(key, key->addresses)};
    if (!control_key_kind_find(slice_from_string(key->kind), &new_key.kind))
        return error_set_field(error, ERROR_INVALID, "kind", "--kind is write or secret");
    if (key->expires && !time_parse_iso8601(slice_from_string(key->expires), &new_key.expires_ms))
        return error_set_field(error, ERROR_INVALID, "expires", "--expires is a date such as 2027-01-31");
    enum error_code code = key_number("rate", key->rate, 0, &new_key.rate_limit, error);
    if (code == ERROR_NONE && key->permissions) {
        new_key.has_permissions = true;
        code = control_key_permissions_parse(key_lines(key, key->permissions), &new_key.permissions, error);
    }
    if (code == ERROR_NONE) code = key_choose_tenant(key, error);
    if (code == ERROR_NONE) code = control_key_create(key->call, &new_key, &made, error);
    if (code == ERROR_NONE) key_print_made(key, &made);
    return code;
}

/* ---- JSON of control/ for people ---- */

static struct slice key_member(struct json_value object, const char *name)
{
    struct json_value value;
    if (!json_object_get(object, slice_from_string(name), &value) || json_value_type(value) != JSON_STRING) return SLICE_EMPTY;
    return json_value_string(value);
}

static void key_print_line(struct key_command *key, struct json_value object)
{
    struct slice expires = key_member(object, "expires_at"), used = key_member(object, "last_used_at");
    buffer_printf(&key->out, "%.*s  %-6.*s  %-8.*s  %.*s..  expires %-10.*s  used %-10.*s  %.*s\n", SLICE_ARGS(key_member(object, "api_key_id")),
                  SLICE_ARGS(key_member(object, "kind")), SLICE_ARGS(key_member(object, "status")),
                  SLICE_ARGS(key_member(object, "prefix")), SLICE_ARGS(expires.size ? slice_first(expires, 10) : SLICE("never")),
                  SLICE_ARGS(used.size ? slice_first(used, 10) : SLICE("never")), SLICE_ARGS(key_member(object, "name")));
}

/* name: value, one a line. */
static void key_print_object(struct key_command *key, struct json_value object)
{
    struct slice name;
    struct json_value value;
    for (struct json_iterator all = json_iterate(object); json_next(&all, &name, &value);) {
        buffer_printf(&key->out, "%-24.*s ", SLICE_ARGS(name));
        if (json_value_type(value) == JSON_STRING) buffer_append_slice(&key->out, json_value_string(value));
        else json_value_write(value, &key->out);
        buffer_append_byte(&key->out, '\n');
    }
}

static void key_print_hours(struct key_command *key, struct json_value hours)
{
    struct slice name;
    struct json_value hour;
    for (struct json_iterator all = json_iterate(hours); json_next(&all, &name, &hour);) {
        static const char *const counts[] = {"requests", "refused", "items"};
        buffer_printf(&key->out, "%.13s:00", key_member(hour, "hour").data);
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            struct json_value count;
            if (json_object_get(hour, slice_from_string(counts[i]), &count))
                buffer_printf(&key->out, "  %10lld %s", (long long)json_value_int(count), counts[i]);
        }
        buffer_append_byte(&key->out, '\n');
    }
}

enum key_shape { KEY_ONE, KEY_LIST, KEY_HOURS };

/* What control/ answered: as it is, or for people. `data` of a list is appended to what is there. *ret_cursor: the next
 * page's, in the arena. */
static enum error_code key_print(struct key_command *key, enum key_shape shape, struct buffer *answer, struct slice *ret_cursor,
                                 struct error *error)
{
    struct json_parser *parser = json_parser_create();
    struct json_value root, data, cursor;
    size_t size = answer->size;
    buffer_append_zeros(answer, JSON_PADDING);
    enum error_code code = !parser || answer->failed ? error_set(error, ERROR_MEMORY, "out of memory")
                                                     : json_parse(parser, slice_make(answer->data, size), &root, error);
    if (code == ERROR_NONE && key->json && shape != KEY_LIST) {
        buffer_append(&key->out, answer->data, size);
    } else if (code == ERROR_NONE && shape == KEY_ONE) {
        key_print_object(key, root);
    } else if (code == ERROR_NONE && json_object_get(root, SLICE("data"), &data)) {
        struct slice name;
        struct json_value item;
        if (shape == KEY_HOURS) key_print_hours(key, data);
        for (struct json_iterator all = json_iterate(data); shape == KEY_LIST && json_next(&all, &name, &item);) {
            if (!key->json) key_print_line(key, item);
            if (key->json && key->out.size > 1) buffer_append_byte(&key->out, ',');
            if (key->json) json_value_write(item, &key->out);
        }
        if (ret_cursor && json_object_get(root, SLICE("next_cursor"), &cursor) && json_value_type(cursor) == JSON_STRING)
            *ret_cursor = arena_copy(key->call->arena, json_value_string(cursor));
    }
    json_parser_destroy(parser);
    return code;
}

static enum error_code key_list(struct key_command *key, struct error *error)
{
    struct slice cursor = SLICE_EMPTY, next = SLICE_EMPTY;
    enum error_code code = key_choose_tenant(key, error);
    if (key->json) buffer_append_byte(&key->out, '[');
    do {
        struct buffer answer = {0};
        cursor = next;
        next = SLICE_EMPTY;
        if (code == ERROR_NONE) code = control_key_list(key->call, 200, cursor, SLICE_EMPTY, &answer, error);
        if (code == ERROR_NONE) code = key_print(key, KEY_LIST, &answer, &next, error);
        buffer_free(&answer);
    } while (code == ERROR_NONE && next.size);
    if (key->json) buffer_append_byte(&key->out, ']');
    return code;
}

static struct slice key_named(const struct key_command *key) { return slice_from_string(key->options->positional[1]); }

static enum error_code key_show(struct key_command *key, struct error *error)
{
    struct buffer answer = {0};
    enum error_code code = control_key_get(key->call, key_named(key), &answer, error);
    if (code == ERROR_NONE) code = key_print(key, KEY_ONE, &answer, NULL, error);
    buffer_free(&answer);
    return code;
}

static enum error_code key_usage(struct key_command *key, struct error *error)
{
    struct buffer answer = {0};
    int64_t hours;
    enum error_code code = key_number("hours", key->hours, 168, &hours, error);
    if (code == ERROR_NONE) code = control_key_usage(key->call, key_named(key), hours, &answer, error);
    if (code == ERROR_NONE) code = key_print(key, KEY_HOURS, &answer, NULL, error);
    buffer_free(&answer);
    return code;
}

static enum error_code key_rotate(struct key_command *key, struct error *error)
{
    struct control_key_made made;
    int64_t grace;
    enum error_code code = key_number("grace", key->grace, CONTROL_KEY_GRACE_SECONDS, &grace, error);
    if (code == ERROR_NONE) code = control_key_rotate(key->call, key_named(key), grace, &made, error);
    if (code == ERROR_NONE) key_print_made(key, &made);
    return code;
}

static enum error_code key_revoke(struct key_command *key, struct error *error)
{
    char id[37];
    enum error_code code = control_key_revoke(
        key->call, key_named(key), slice_from_string(key->reason ? key->reason : "revoked from the command line"), id, error);
    if (code != ERROR_NONE) return code;
    if (key->json) buffer_printf(&key->out, "{\"revoked\":true,\"api_key_id\":\"%s\"}", id);
    else buffer_printf(&key->out, "revoked %s; running servers refuse it within a second\n", id);
    return ERROR_NONE;
}

static const struct {
    const char *name;
    enum error_code (*run)(struct key_command *key, struct error *error);
} key_commands[] = {{"create", key_create}, {"list", key_list},     {"show", key_show},
                    {"rotate", key_rotate}, {"revoke", key_revoke}, {"usage", key_usage}};

int command_key(int argc, char **argv)
{
    struct key_command key = {.kind = "secret"};
    const struct option flags[] = {
        {"json", NULL, NULL, &key.json, "print JSON"},
        {"kind", "write|secret", &key.kind, NULL, "create: write keys send and may be published; secret keys are for servers"},
        {"name", "NAME", &key.name, NULL, "create: for people"},
        {"description", "TEXT", &key.description, NULL, "create: likewise"},
        {"permissions", "A,B", &key.permissions, NULL, "create: what it may do; default: the usual of its kind"},
        {"origins", "A,B", &key.origins, NULL, "create: where browsers may use it: shop.example, *.shop.example"},
        {"addresses", "A,B", &key.addresses, NULL, "create: addresses and prefixes it may be used from"},
        {"rate", "N", &key.rate, NULL, "create: requests a minute at each server"},
        {"expires", "DATE", &key.expires, NULL, "create: at most 730 days ahead; default: never"},
        {"grace", "SECONDS", &key.grace, NULL, "rotate: how long the text before stays good; default 1800"},
        {"reason", "TEXT", &key.reason, NULL, "revoke: why"},
        {"hours", "N", &key.hours, NULL, "usage: how far back; default 168"},
        {0},
    };
    const struct option_table table = {
        .usage = "millrace key create TENANT | list TENANT | show KEY | rotate KEY | revoke KEY | usage KEY  --data DIR [flags]",
        .description = "Works with and without a running server. TENANT is an id or code, KEY an id or, when it leaked, its text.\n"
                       "The text of a key is shown once, when it is made or rotated.",
        .options = flags, .positional_names = "create|list TENANT, or show|rotate|revoke|usage KEY", .positional_least = 2,
        .positional_most = 2, .takes_settings = true};
    struct settings settings;
    struct options options;
    struct error error;
    struct command_call command;
    enum error_code code = settings_load(&settings, &error);
    if (code == ERROR_NONE) code = options_parse(&table, argc, argv, &settings, &options, &error);
    if (code != ERROR_NONE) return command_fail(&error);
    if (options.help) return EXIT_DONE;
    size_t action = 0, count = sizeof key_commands / sizeof *key_commands;
    while (action < count && strcmp(key_commands[action].name, options.positional[0]) != 0) action++;
    if (action == count) {
        error_set(&error, ERROR_INVALID, "usage: %s", table.usage);
        return command_fail(&error);
    }
    code = command_call_open(&settings, &command, &error);
    if (code != ERROR_NONE) return command_fail(&error);
    key.options = &options;
    key.call = &command.call;
    code = key_commands[action].run(&key, &error);
    if (code == ERROR_NONE) {
        fwrite(key.out.data, 1, key.out.size, stdout);
        if (key.json) putchar('\n');
    }
    buffer_free(&key.out);
    command_call_close(&command);
    return code == ERROR_NONE ? EXIT_DONE : command_fail(&error);
}
