/* SPDX-License-Identifier: Apache-2.0 */
/* `millrace tenant`: creates, lists, changes, deletes, restores and purges tenants; a running server notices within a
 * second. */
#include "base/json_writer.h"
#include "base/time.h"
#include "control/purge.h"
#include "control/resource.h"
#include "control/tenancy.h"
#include "os/clock.h"
#include "server/command_call.h"
#include "server/commands.h"
#include "server/embedded_store.h"
#include "server/purge_events.h"

struct tenant_command {
    struct settings *settings;
    const struct options *options;
    struct command_call *command;
    bool json, deleted, yes;
    const char *name, *active, *domain, *tenant_settings; /* NULL: not given */
    struct buffer out;
    struct json_writer writer;
};

static void tenant_print_field(struct json_writer *writer, const char *name, const char *value)
{
    json_writer_key(writer, name);
    json_writer_string(writer, slice_from_string(value));
}

static enum error_code tenant_create(struct tenant_command *tenant, struct error *error)
{
    struct control_new_tenant made;
    enum error_code code = control_tenant_create_with_keys(
        &tenant->command->call, slice_from_string(tenant->options->positional[1]), &made, error);
    if (code != ERROR_NONE) return code;
    if (tenant->json) {
        json_writer_object_begin(&tenant->writer);
        tenant_print_field(&tenant->writer, "tenant", made.tenant.id);
        tenant_print_field(&tenant->writer, "name", made.tenant.name);
        tenant_print_field(&tenant->writer, "code", made.tenant.code);
        tenant_print_field(&tenant->writer, "write_key", made.write_key);
        tenant_print_field(&tenant->writer, "secret_key", made.secret_key);
        json_writer_object_end(&tenant->writer);
    } else {
        buffer_printf(&tenant->out,
                      "tenant      %s (%s)\nwrite key   %s   sends events; safe to publish in a page\n"
                      "secret key  %s   sends and asks; shown only now\n",
                      made.tenant.id, made.tenant.code, made.write_key, made.secret_key);
    }
    explicit_bzero(&made, sizeof made);
    return ERROR_NONE;
}

static enum error_code tenant_list_row(void *context, const struct control_tenant *row, struct error *error)
{
    struct tenant_command *tenant = context;
    const char *state = row->deleted_ms ? "deleted" : row->is_active ? "active" : "inactive";
    if (!tenant->json) {
        buffer_printf(&tenant->out, "%s  %-8s  %-24s %s\n", row->id, state, row->code, row->name);
        return ERROR_NONE;
    }
    json_writer_object_begin(&tenant->writer);
    tenant_print_field(&tenant->writer, "tenant", row->id);
    tenant_print_field(&tenant->writer, "code", row->code);
    tenant_print_field(&tenant->writer, "name", row->name);
    json_writer_key(&tenant->writer, "active");
    json_writer_bool(&tenant->writer, row->is_active && !row->deleted_ms);
    json_writer_key(&tenant->writer, "deleted");
    json_writer_bool(&tenant->writer, row->deleted_ms != 0);
    tenant_print_field(&tenant->writer, "workspace", row->workspace_id);
    tenant_print_field(&tenant->writer, "organization", row->organization_id);
    json_writer_object_end(&tenant->writer);
    return ERROR_NONE;
}

static enum error_code tenant_list(struct tenant_command *tenant, struct error *error)
{
    struct meta_session *session;
    enum error_code code = meta_session_begin(tenant->command->control.core, 0, &session, error);
    if (code != ERROR_NONE) return code;
    if (tenant->json) json_writer_array_begin(&tenant->writer);
    code = control_tenant_each(&tenant->command->call, session, tenant->deleted, tenant_list_row, tenant, error);
    if (tenant->json) json_writer_array_end(&tenant->writer);
    meta_session_end(session);
    return code;
}

static enum error_code tenant_find(struct tenant_command *tenant, bool or_deleted, struct control_tenant *ret_found,
                                   struct error *error)
{
    struct meta_session *session;
    enum error_code code = meta_session_begin(tenant->command->control.core, 0, &session, error);
    if (code != ERROR_NONE) return code;
    code = control_tenant_find(&tenant->command->call, session, slice_from_string(tenant->options->positional[1]),
                               or_deleted, ret_found, error);
    meta_session_end(session);
    return code;
}

static void tenant_print_state(struct tenant_command *tenant, const struct control_tenant *row)
{
    char created[TIME_TEXT_SIZE], deleted[TIME_TEXT_SIZE];
    time_format_ms(row->created_ms, created);
    if (row->deleted_ms) time_format_ms(row->deleted_ms, deleted);
    buffer_printf(&tenant->out,
                  "tenant        %s\ncode          %s\nname          %s\nstate         %s\nworkspace     %s\n"
                  "organization  %s\ncreated       %.*s\n",
                  row->id, row->code, row->name,
                  row->deleted_ms  ? "deleted"
                  : row->is_active ? "active"
                                   : "inactive",
                  row->workspace_id, row->organization_id, TIME_TEXT_SIZE, created);
    if (row->deleted_ms) buffer_printf(&tenant->out, "deleted       %.*s\n", TIME_TEXT_SIZE, deleted);
}

static enum error_code tenant_show(struct tenant_command *tenant, struct error *error)
{
    struct control_tenant found;
    enum error_code code = tenant_find(tenant, true, &found, error);
    if (code == ERROR_NONE && tenant->json) code = tenant_list_row(tenant, &found, error);
    else if (code == ERROR_NONE) tenant_print_state(tenant, &found);
    return code;
}

/* Shows what became of it. */
static enum error_code tenant_show_again(struct tenant_command *tenant, enum error_code code, struct error *error)
{
    return code == ERROR_NONE ? tenant_show(tenant, error) : code;
}

/* Parsed by itself: nothing in the text can become another field of the change. */
static enum error_code tenant_write_settings(struct tenant_command *tenant, struct json_parser *parser, struct json_writer *writer,
                                             struct error *error)
{
    struct json_value root;
    struct buffer text = {0};
    struct error inner;
    size_t size = strlen(tenant->tenant_settings);
    buffer_append_string(&text, tenant->tenant_settings);
    buffer_append_zeros(&text, JSON_PADDING);
    enum error_code code = json_parse(parser, slice_make(text.data, size), &root, &inner);
    buffer_free(&text);
    if (code != ERROR_NONE) return error_set_field(error, code, "settings", "--settings is no JSON: %s", inner.message);
    json_writer_raw(writer, slice_make(tenant->tenant_settings, size));
    return ERROR_NONE;
}

/* Goes the way of the API: the same checks, the same audit event. */
static enum error_code tenant_update(struct tenant_command *tenant, struct error *error)
{
    struct control_tenant found;
    struct buffer body = {0}, answer = {0};
    struct json_writer writer = {.out = &body};
    struct json_value root;
    enum error_code code = tenant_find(tenant, false, &found, error);
    if (code != ERROR_NONE) return code;
    json_writer_object_begin(&writer);
    if (tenant->name) tenant_print_field(&writer, "name", tenant->name);
    if (tenant->domain) tenant_print_field(&writer, "domain", tenant->domain);
    if (tenant->active) {
        json_writer_key(&writer, "is_active");
        if (strcmp(tenant->active, "true") == 0) json_writer_bool(&writer, true);
        else if (strcmp(tenant->active, "false") == 0) json_writer_bool(&writer, false);
        else json_writer_string(&writer, slice_from_string(tenant->active)); /* refused with the right words */
    }
    struct json_parser *parser = json_parser_create();
    if (tenant->tenant_settings) {
        json_writer_key(&writer, "settings");
        code = tenant_write_settings(tenant, parser, &writer, error);
    }
    json_writer_object_end(&writer);
    size_t size = body.size;
    buffer_append_zeros(&body, JSON_PADDING);
    if (code == ERROR_NONE) code = json_parse(parser, slice_make(body.data, size), &root, error);
    if (code == ERROR_NONE)
        code = control_resource_update(&tenant->command->call, &control_tenants, slice_from_string(found.id), root,
                                       &answer, error);
    json_parser_destroy(parser);
    buffer_free(&body);
    buffer_free(&answer);
    return tenant_show_again(tenant, code, error);
}

static enum error_code tenant_delete(struct tenant_command *tenant, struct error *error)
{
    struct control_tenant found;
    enum error_code code = tenant_find(tenant, false, &found, error);
    if (code == ERROR_NONE)
        code = control_resource_delete(&tenant->command->call, &control_tenants, slice_from_string(found.id), error);
    return tenant_show_again(tenant, code, error);
}

static enum error_code tenant_restore(struct tenant_command *tenant, struct error *error)
{
    struct control_tenant found;
    struct buffer answer = {0};
    enum error_code code = tenant_find(tenant, true, &found, error);
    if (code == ERROR_NONE)
        code = control_resource_restore(&tenant->command->call, &control_tenants, slice_from_string(found.id), &answer,
                                        error);
    buffer_free(&answer);
    return tenant_show_again(tenant, code, error);
}

static void tenant_print_report(struct tenant_command *tenant, const char *id,
                                const struct control_purge_report *report)
{
    if (!tenant->json) {
        buffer_printf(&tenant->out, "purged %s\n", id);
        for (size_t i = 0; i < report->count; i++)
            buffer_printf(&tenant->out, "  %10lld rows of %s\n", (long long)report->tables[i].rows,
                          report->tables[i].name);
        return;
    }
    json_writer_object_begin(&tenant->writer);
    tenant_print_field(&tenant->writer, "purged", id);
    json_writer_key(&tenant->writer, "rows");
    control_purge_report_write(report, &tenant->writer);
    json_writer_object_end(&tenant->writer);
}

static enum error_code tenant_purge(struct tenant_command *tenant, struct error *error)
{
    struct control_tenant found;
    struct control_purge_report report = {0};
    struct embedded_store store;
    if (!tenant->yes)
        return error_set_field(error, ERROR_INVALID, "yes",
                               "this removes the tenant and all its events for good; say --yes if that is meant");
    enum error_code code = tenant_find(tenant, true, &found, error);
    if (code != ERROR_NONE) return code;
    if (!found.deleted_ms)
        return error_set(error, ERROR_CONFLICT, "%s lives; delete it first: millrace tenant delete %s", found.id,
                         found.code);
    code = embedded_store_open(tenant->settings, &store, error);
    if (code != ERROR_NONE) return code;
    struct purge_events events = {.settings = tenant->settings, .session = store.session};
    code = control_purge_tenant(&tenant->command->call, found.id, purge_events_of_tenant, &events, &report, error);
    embedded_store_close(&store);
    if (code == ERROR_NONE) tenant_print_report(tenant, found.id, &report);
    return code;
}

static enum error_code tenant_revoke(struct tenant_command *tenant, struct error *error)
{
    char id[37];
    enum error_code code = control_key_revoke(&tenant->command->call, slice_from_string(tenant->options->positional[1]),
                                              SLICE("revoked from the command line"), id, error);
    if (code != ERROR_NONE) return code;
    if (tenant->json) buffer_append_string(&tenant->out, "{\"revoked\":true}");
    else buffer_append_string(&tenant->out, "revoked; running servers refuse it within a second\n");
    return ERROR_NONE;
}

static const struct {
    const char *name;
    size_t arguments;
    enum error_code (*run)(struct tenant_command *, struct error *);
} tenant_actions[] = {
    {"create", 2, tenant_create}, {"list", 1, tenant_list},         {"show", 2, tenant_show},
    {"update", 2, tenant_update}, {"delete", 2, tenant_delete},     {"restore", 2, tenant_restore},
    {"purge", 2, tenant_purge},   {"revoke-key", 2, tenant_revoke},
};

int command_tenant(int argc, char **argv)
{
    struct settings settings;
    struct options options;
    struct command_call command;
    struct error error;
    struct tenant_command tenant = {.settings = &settings, .options = &options, .command = &command};
    tenant.writer.out = &tenant.out;
    const struct option flags[] = {
        {"json", NULL, NULL, &tenant.json, "print JSON"},
        {"deleted", NULL, NULL, &tenant.deleted, "list: deleted ones too"},
        {"name", "NAME", &tenant.name, NULL, "update: the new name"},
        {"domain", "DOMAIN", &tenant.domain, NULL, "update: its website, such as shop.example"},
        {"active", "true|false", &tenant.active, NULL, "update: false refuses its keys"},
        {"settings", "JSON", &tenant.tenant_settings, NULL, "update: all its settings, as an object"},
        {"yes", NULL, NULL, &tenant.yes, "purge: it is meant"},
        {0},
    };
    const struct option_table table = {
        .usage = "millrace tenant create NAME | list | show TENANT | update TENANT | delete TENANT | restore TENANT |\n"
                 "                       purge TENANT --yes | revoke-key KEY   --data DIR [--json]",
        .description = "Works with and without a running server. TENANT is an id or a code. Keys are shown once, when "
                       "they are made.\n"
                       "A deleted tenant can be restored for 90 days; purge removes it and its events at once.",
        .options = flags,
        .positional_names = "create NAME, list, show TENANT, ...",
        .positional_least = 1,
        .positional_most = 2,
        .takes_settings = true};
    enum error_code code = settings_load(&settings, &error);
    if (code == ERROR_NONE) code = options_parse(&table, argc, argv, &settings, &options, &error);
    if (code != ERROR_NONE) return command_fail(&error);
    if (options.help) return EXIT_DONE;
    size_t action = 0, count = sizeof tenant_actions / sizeof tenant_actions[0];
    while (action < count && strcmp(tenant_actions[action].name, options.positional[0]) != 0) action++;
    if (action == count || tenant_actions[action].arguments != options.positional_count) {
        error_set(&error, ERROR_INVALID, "usage: %s", table.usage);
        return command_fail(&error);
    }
    code = command_call_open(&settings, &command, &error);
    if (code != ERROR_NONE) return command_fail(&error);
    code = tenant_actions[action].run(&tenant, &error);
    command_call_close(&command);
    if (code == ERROR_NONE) {
        fwrite(tenant.out.data, 1, tenant.out.size, stdout);
        if (tenant.json) putchar('\n');
    }
    if (tenant.out.data) explicit_bzero(tenant.out.data, tenant.out.size);
    buffer_free(&tenant.out);
    return code == ERROR_NONE ? EXIT_DONE : command_fail(&error);
}
