/* SPDX-License-Identifier: Apache-2.0 */
/* `millrace audit`: lists audit events, and checks that none was changed or taken away. */
#include "base/json_writer.h"
#include "decode/json.h"
#include "domains/audit/audit.h"
#include "meta/migrate_meta.h"
#include "os/clock.h"
#include "server/audit_verify.h"
#include "server/command_call.h"
#include "server/commands.h"
#include "server/embedded_store.h"

#define AUDIT_WAIT_MS 15000 /* of an event between outbox and event store; a second or two is usual */
#define AUDIT_PARAMETER_LIMIT 16

struct audit_command {
    struct settings *settings;
    bool json;
    const char *organization;
    struct embedded_store store;
    struct buffer out;
};
/* Flags that become parameters of the list as they are. */
static const char *audit_values[AUDIT_PARAMETER_LIMIT];
enum {
    FLAG_FROM, FLAG_TO, FLAG_ACTION, FLAG_USER, FLAG_RESOURCE_TYPE, FLAG_RESOURCE, FLAG_RESULT, FLAG_TENANT, FLAG_LIMIT,
    FLAG_CURSOR
};

static struct slice audit_member(struct json_value object, const char *name)
{
    struct json_value value;
    if (!json_object_get(object, slice_from_string(name), &value) || json_value_type(value) != JSON_STRING) return SLICE_EMPTY;
    return json_value_string(value);
}

static enum error_code audit_print(struct audit_command *audit, struct buffer *answer, struct error *error)
{
    struct json_parser *parser = json_parser_create();
    struct json_value root, data, cursor, event;
    struct slice name;
    size_t size = answer->size;
    buffer_append_zeros(answer, JSON_PADDING);
    enum error_code code = !parser || answer->failed ? error_set(error, ERROR_MEMORY, "out of memory")
                                                     : json_parse(parser, slice_make(answer->data, size), &root, error);
    if (code == ERROR_NONE && json_object_get(root, SLICE("data"), &data)) {
        for (struct json_iterator all = json_iterate(data); json_next(&all, &name, &event);) {
            struct slice actor = audit_member(event, "actor_id");
            buffer_printf(&audit->out, "%.*s  %-7.*s  %-24.*s  %.*s %.*s  by %.*s%s%.*s\n", SLICE_ARGS(audit_member(event, "timestamp")),
                          SLICE_ARGS(audit_member(event, "result")), SLICE_ARGS(audit_member(event, "action")),
                          SLICE_ARGS(audit_member(event, "resource_type")), SLICE_ARGS(audit_member(event, "resource_id")),
                          SLICE_ARGS(audit_member(event, "actor_kind")), actor.size ? " " : "", SLICE_ARGS(actor));
        }
        if (json_object_get(root, SLICE("next_cursor"), &cursor) && json_value_type(cursor) == JSON_STRING)
            buffer_printf(&audit->out, "more: --cursor %.*s\n", SLICE_ARGS(json_value_string(cursor)));
    }
    json_parser_destroy(parser);
    return code;
}

/* ClickHouse: UNKNOWN_TABLE, UNKNOWN_DATABASE. */
#define AUDIT_NO_TABLE 60
#define AUDIT_NO_DATABASE 81

/* Commands may come before the first server. */
static enum error_code audit_explain(enum error_code code, struct error *error)
{
    if (code != ERROR_STORE || (error->detail != AUDIT_NO_TABLE && error->detail != AUDIT_NO_DATABASE)) return code;
    return error_set(error, ERROR_NOT_FOUND, "the event store has no audit events yet: they wait for the first start of the server");
}

static enum error_code audit_list_events(struct audit_command *audit, bool *ret_fine, struct error *error)
{
    static const char *const names[] = {"from", "to", "action", "user_id", "resource_type", "resource_id", "result",
                                        "tenant_id", "limit", "cursor"};
    struct query_parameter parameters[AUDIT_PARAMETER_LIMIT];
    size_t count = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (audit_values[i]) parameters[count++] = (struct query_parameter){slice_from_string(names[i]), slice_from_string(audit_values[i])};
    struct query_list_reader reader = {slice_from_string(audit->organization ? audit->organization : STORE_ALL_TENANTS), SLICE_EMPTY};
    struct arena *arena = arena_create(0);
    struct buffer answer = {0};
    enum error_code code = arena ? embedded_store_open(audit->settings, &audit->store, error) : error_set(error, ERROR_MEMORY, "out of memory");
    if (code == ERROR_NONE)
        code = query_list_ask(audit->store.session, &audit_list, &reader, parameters, count, os_clock_wall_ms(),
                              &(struct query_list_settings){0}, arena, &answer, error);
    code = audit_explain(code, error);
    if (code == ERROR_NONE && audit->json) buffer_append_slice(&audit->out, buffer_slice(&answer));
    else if (code == ERROR_NONE) code = audit_print(audit, &answer, error);
    embedded_store_close(&audit->store);
    buffer_free(&answer);
    arena_destroy(arena);
    return code;
}

static void audit_print_report(struct audit_command *audit, const char *service, const struct audit_verify_report *report)
{
    if (!audit->json) {
        if (!report->is_whole) buffer_printf(&audit->out, "%-8s BROKEN: %s\n", service, report->broken);
        else if (report->last == 0) buffer_printf(&audit->out, "%-8s no events\n", service);
        else buffer_printf(&audit->out, "%-8s whole: events %lld to %lld, %lld of them not in the event store yet\n", service,
                           (long long)report->first, (long long)report->last, (long long)report->in_outbox);
        return;
    }
    struct json_writer writer = {.out = &audit->out, .need_comma = audit->out.size > 1};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "service");
    json_writer_string(&writer, slice_from_string(service));
    json_writer_key(&writer, "whole");
    json_writer_bool(&writer, report->is_whole);
    json_writer_key(&writer, "first");
    json_writer_int(&writer, report->first);
    json_writer_key(&writer, "last");
    json_writer_int(&writer, report->last);
    json_writer_key(&writer, "in_outbox");
    json_writer_int(&writer, report->in_outbox);
    json_writer_key(&writer, "broken");
    if (report->is_whole) json_writer_null(&writer);
    else json_writer_string(&writer, slice_from_string(report->broken));
    json_writer_object_end(&writer);
}

static enum error_code audit_verify_all(struct audit_command *audit, bool *ret_fine, struct error *error)
{
    struct command_call command;
    enum error_code code = command_call_open(audit->settings, &command, error);
    if (code != ERROR_NONE) return code;
    const struct { const char *name; struct meta_database *database; } services[] = {
        {META_SERVICE_CORE, command.control.core}, {META_SERVICE_PRODUCT, command.control.product},
        {META_SERVICE_BILLING, command.control.billing}};
    code = embedded_store_open(audit->settings, &audit->store, error);
    if (audit->json) buffer_append_byte(&audit->out, '[');
    for (size_t i = 0; code == ERROR_NONE && i < sizeof services / sizeof *services; i++) {
        struct audit_verify_report report;
        code = audit_verify(services[i].name, services[i].database, audit->store.session, AUDIT_WAIT_MS, &report, error);
        code = audit_explain(code, error);
        if (code == ERROR_NONE) audit_print_report(audit, services[i].name, &report);
        *ret_fine = *ret_fine && report.is_whole;
    }
    if (audit->json) buffer_append_byte(&audit->out, ']');
    embedded_store_close(&audit->store);
    command_call_close(&command);
    return code;
}

int command_audit(int argc, char **argv)
{
    struct settings settings;
    struct audit_command audit = {.settings = &settings};
    const struct option flags[] = {
        {"json", NULL, NULL, &audit.json, "print JSON"},
        {"organization", "ID", &audit.organization, NULL, "list: only events of this organization; default: all"},
        {"from", "TIME", &audit_values[FLAG_FROM], NULL, "list: not before; default: the last 30 days"},
        {"to", "TIME", &audit_values[FLAG_TO], NULL, "list: before"},
        {"action", "NAME", &audit_values[FLAG_ACTION], NULL, "list: such as key.created"},
        {"user", "ID", &audit_values[FLAG_USER], NULL, "list: of this user"},
        {"resource-type", "NAME", &audit_values[FLAG_RESOURCE_TYPE], NULL, "list: such as key"},
        {"resource", "ID", &audit_values[FLAG_RESOURCE], NULL, "list: of this thing"},
        {"result", "NAME", &audit_values[FLAG_RESULT], NULL, "list: success, failure or error"},
        {"tenant", "ID", &audit_values[FLAG_TENANT], NULL, "list: in this tenant"},
        {"limit", "N", &audit_values[FLAG_LIMIT], NULL, "list: events of a page"},
        {"cursor", "TEXT", &audit_values[FLAG_CURSOR], NULL, "list: where the page before ended"},
        {0},
    };
    const struct option_table table = {
        .usage = "millrace audit list | verify  --data DIR [flags]",
        .description = "Who did what. Uses the running server's event store or, without one, an engine started for the moment.\n"
                       "verify recomputes the chain of hashes over event store and outbox; it ends with 1 when one is broken.",
        .options = flags, .positional_names = "list or verify", .positional_least = 1, .positional_most = 1, .takes_settings = true};
    struct options options;
    struct error error;
    enum error_code code = settings_load(&settings, &error);
    if (code == ERROR_NONE) code = options_parse(&table, argc, argv, &settings, &options, &error);
    if (code != ERROR_NONE) return command_fail(&error);
    if (options.help) return EXIT_DONE;
    bool fine = true;
    if (strcmp(options.positional[0], "list") == 0) code = audit_list_events(&audit, &fine, &error);
    else if (strcmp(options.positional[0], "verify") == 0) code = audit_verify_all(&audit, &fine, &error);
    else code = error_set(&error, ERROR_INVALID, "usage: %s", table.usage);
    if (code == ERROR_NONE) {
        fwrite(audit.out.data, 1, audit.out.size, stdout);
        if (audit.json) putchar('\n');
    }
    buffer_free(&audit.out);
    if (code != ERROR_NONE) return command_fail(&error);
    return fine ? EXIT_DONE : EXIT_FAILED;
}
