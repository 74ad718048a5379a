/* SPDX-License-Identifier: Apache-2.0 */
/* `millrace people`: gives out, or removes, what the event store has of one person. */
#include <stdio.h>

#include "control/tenancy.h"
#include "server/command_call.h"
#include "server/commands.h"
#include "server/embedded_store.h"
#include "server/person.h"

/* Longer than the oldest open segment and a busy event store need; a store that is away fails the command. */
#define PEOPLE_SPOOL_TIMEOUT_MS (5 * 60 * 1000)

struct people_command {
    struct settings *settings;
    struct command_call *command;
    const char *tenant, *profile, *device;
    bool yes, json;
    struct control_tenant found;
    struct person person;
};

static enum error_code people_read(struct people_command *people, struct error *error)
{
    struct meta_session *session;
    const char *name = people->profile ? people->profile : people->device;
    if (!people->tenant) return error_set_field(error, ERROR_INVALID, "tenant", "--tenant says whose visitor it is");
    if (!name || (people->profile && people->device) || !name[0])
        return error_set_field(error, ERROR_INVALID, "profile", "one of --profile and --device names the person");
    if (strlen(name) > PERSON_NAME_LIMIT_BYTES)
        return error_set_field(error, ERROR_INVALID, "profile", "no person has a name that long (%d bytes)", PERSON_NAME_LIMIT_BYTES);
    enum error_code code = meta_session_begin(people->command->control.core, 0, &session, error);
    if (code != ERROR_NONE) return code;
    code = control_tenant_find(&people->command->call, session, slice_from_string(people->tenant), true, &people->found, error);
    meta_session_end(session);
    if (code != ERROR_NONE) return code;
    people->person.is_device = people->device != NULL;
    snprintf(people->person.tenant_id, sizeof people->person.tenant_id, "%s", people->found.id);
    snprintf(people->person.name, sizeof people->person.name, "%s", name);
    return ERROR_NONE;
}

static enum error_code people_erase(struct people_command *people, const struct person_store *store, struct error *error)
{
    struct control_purge_report report = {0};
    struct buffer out = {0};
    enum error_code code =
        person_erase_audited(store, &people->person, &people->command->call, people->found.organization_id, &report, error);
    if (code) return code;
    person_report_write(&report, &out);
    if (people->json) printf("%.*s\n", (int)out.size, out.data);
    else if (report.count == 0) printf("there was nothing of this person\n");
    for (size_t i = 0; i < report.count && !people->json; i++)
        printf("%-40s %lld rows\n", report.tables[i].name, (long long)report.tables[i].rows);
    buffer_free(&out);
    return ERROR_NONE;
}

static bool people_print(void *context, struct slice bytes) { return fwrite(bytes.data, 1, bytes.size, stdout) == bytes.size; }

int command_people(int argc, char **argv)
{
    struct settings settings;
    struct options options;
    struct command_call command;
    struct embedded_store store;
    struct error error;
    struct people_command people = {.settings = &settings, .command = &command};
    const struct option flags[] = {
        {"tenant", "TENANT", &people.tenant, NULL, "whose visitor: an id or a code"},
        {"profile", "ID", &people.profile, NULL, "the person, as identify named them, with all aliases"},
        {"device", "ID", &people.device, NULL, "or one device"},
        {"yes", NULL, NULL, &people.yes, "erase: it is meant"},
        {"json", NULL, NULL, &people.json, "erase: print JSON"},
        {0},
    };
    const struct option_table table = {
        .usage = "millrace people export|erase --tenant TENANT --profile ID|--device ID [--yes]  --data DIR",
        .description = "export prints every row of the person, of every table, one JSON object a line. erase removes them for good,\n"
                       "also those that were accepted and are not stored yet, and writes the audit event person.erased.\n"
                       "Counts in which nobody can be found stay. Beside a running server, or without one.",
        .options = flags, .positional_names = "export or erase", .positional_least = 1, .positional_most = 1, .takes_settings = true};
    enum error_code code = settings_load(&settings, &error);
    if (code == ERROR_NONE) code = options_parse(&table, argc, argv, &settings, &options, &error);
    if (code != ERROR_NONE) return command_fail(&error);
    if (options.help) return EXIT_DONE;
    bool is_erase = strcmp(options.positional[0], "erase") == 0;
    if (!is_erase && strcmp(options.positional[0], "export") != 0) code = error_set(&error, ERROR_INVALID, "usage: %s", table.usage);
    if (!code && is_erase && !people.yes)
        code = error_set_field(&error, ERROR_INVALID, "yes", "this removes all that is known of the person; say --yes if that is meant");
    if (!code) code = command_call_open(&settings, &command, &error);
    if (code != ERROR_NONE) return command_fail(&error);
    code = people_read(&people, &error);
    const struct person_store waited = {.settings = &settings};
    if (!code) code = person_wait_for_spool(&waited, PEOPLE_SPOOL_TIMEOUT_MS, &error);
    if (!code && is_erase) code = person_wait_for_visits(&waited, PEOPLE_SPOOL_TIMEOUT_MS, &error);
    if (!code) code = embedded_store_open(&settings, &store, &error);
    if (!code) {
        struct person_store person_store = {.settings = &settings, .session = store.session};
        code = is_erase ? people_erase(&people, &person_store, &error) : person_export(&person_store, &people.person, people_print, NULL, &error);
        embedded_store_close(&store);
    }
    command_call_close(&command);
    return code == ERROR_NONE ? EXIT_DONE : command_fail(&error);
}
