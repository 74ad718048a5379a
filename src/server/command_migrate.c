/* SPDX-License-Identifier: Apache-2.0 */
/* `millrace migrate`: the migrations of the metadata and of the event store. */
#include "base/time.h"
#include "meta/migrate_meta.h"
#include "server/commands.h"
#include "server/domains.h"
#include "server/embedded_store.h"
#include "server/store_migrations.h"

enum migrate_action { MIGRATE_UP, MIGRATE_DOWN, MIGRATE_STATUS, MIGRATE_ACTION_COUNT };
static const char *const migrate_action_names[] = {"up", "down", "status"};

struct migrate_run {
    enum migrate_action action;
    unsigned steps;
    bool json;
    bool any; /* a line of status was printed */
    const char *label;
};

static void migrate_print_progress(void *context, const struct migration *migration, bool down, int64_t elapsed_us)
{
    struct migrate_run *run = context;
    if (elapsed_us < 0) return;
    fprintf(stderr, "%s: %s %04u_%s (%.1f ms)\n", run->label, down ? "undone" : "applied", migration->number, migration->name,
            (double)elapsed_us / 1000.0);
}

static void migrate_print_line(void *context, const struct migrate_status_line *line)
{
    struct migrate_run *run = context;
    char when[TIME_TEXT_SIZE] = "                        ";
    if (line->applied_ms) time_format_ms(line->applied_ms, when);
    if (run->json)
        printf("%s\n  {\"set\":\"%s\",\"number\":%u,\"name\":\"%s\",\"state\":\"%s\",\"applied_ms\":%lld}", run->any ? "," : "", run->label,
               line->number, line->name, migrate_state_name(line->state), (long long)line->applied_ms);
    else printf("%-24s %04u_%-24s %-8s %.*s\n", run->label, line->number, line->name, migrate_state_name(line->state), TIME_TEXT_SIZE, when);
    run->any = true;
}

static enum error_code migrate_set(struct migrate_run *run, const struct migrate_target *target, const struct embedded_file *files,
                                   struct error *error)
{
    struct migration *migrations = NULL;
    size_t count = 0;
    run->label = target->label;
    enum error_code code = migrate_list_create(files, &migrations, &count, error);
    if (code == ERROR_NONE && run->action == MIGRATE_UP)
        code = migrate_up(target, migrations, count, 0, migrate_print_progress, run, NULL, error);
    if (code == ERROR_NONE && run->action == MIGRATE_DOWN)
        code = migrate_down(target, migrations, count, run->steps, migrate_print_progress, run, NULL, error);
    if (code == ERROR_NONE && run->action == MIGRATE_STATUS)
        code = migrate_status(target, migrations, count, migrate_print_line, run, error);
    migrate_list_free(migrations);
    return code;
}

static enum error_code migrate_metadata(struct migrate_run *run, const struct places *places, const char *only, struct error *error)
{
    enum error_code code = ERROR_NONE;
    for (const struct meta_service *service = meta_services; service->name && code == ERROR_NONE; service++) {
        if (only && strcmp(only, service->name) != 0) continue;
        struct meta_database *database = NULL;
        struct migrate_meta target;
        code = meta_open(places->metadata, service->name, &database, error);
        if (code != ERROR_NONE) break;
        migrate_meta_init(&target, database, service->name);
        code = migrate_set(run, &target.target, service->files, error);
        meta_close(database);
    }
    return code;
}

static enum error_code migrate_store(struct migrate_run *run, const struct settings *settings, struct store_session *session,
                                     const char *only, struct error *error)
{
    enum error_code code = ERROR_NONE;
    for (size_t i = 0; i < server_domain_count && code == ERROR_NONE; i++) {
        if (only && strcmp(only, server_domains[i]->name) != 0) continue;
        struct store_migrations target;
        code = store_migrations_init(&target, settings, session, server_domains[i], error);
        if (code == ERROR_NONE) code = migrate_set(run, &target.target, server_domains[i]->migrations, error);
        store_migrations_fini(&target);
    }
    return code;
}

int command_migrate(int argc, char **argv)
{
    const char *only = NULL, *steps = "1";
    struct migrate_run run = {0};
    const struct option flags[] = {
        {"only", "NAME", &only, NULL, "one set: a metadata service (core) or a domain (analytics)"},
        {"steps", "N", &steps, NULL, "how many to undo with `down` (1)"},
        {"json", NULL, NULL, &run.json, "print the status as JSON"},
        {0},
    };
    const struct option_table table = {
        .usage = "millrace migrate up|down|status --data DIR",
        .description = "Applies what is missing, undoes the last ones, or lists all migrations of the metadata and of the event store.\n"
                       "`down` needs --only, because it drops tables and what is in them. A server applies missing ones at start.",
        .options = flags, .positional_names = "up, down or status", .positional_least = 1, .positional_most = 1, .takes_settings = true};
    struct settings settings;
    struct options options;
    struct error error;
    enum error_code code = settings_load(&settings, &error);
    if (code == ERROR_NONE) code = options_parse(&table, argc, argv, &settings, &options, &error);
    if (code != ERROR_NONE) return command_fail(&error);
    if (options.help) return EXIT_DONE;
    uint64_t step_count = 0;
    while (run.action < MIGRATE_ACTION_COUNT && strcmp(options.positional[0], migrate_action_names[run.action]) != 0) run.action++;
    if (run.action == MIGRATE_ACTION_COUNT) code = error_set(&error, ERROR_INVALID, "\"%s\" is none of up, down, status", options.positional[0]);
    else if (!slice_parse_uint64(slice_from_string(steps), &step_count) || step_count == 0 || step_count > 10000)
        code = error_set(&error, ERROR_INVALID, "--steps %s is not a number from 1 to 10000", steps);
    else if (run.action == MIGRATE_DOWN && !only)
        code = error_set(&error, ERROR_INVALID, "`down` drops tables: name the set with --only (see `millrace migrate status`)");
    if (code != ERROR_NONE) return command_fail(&error);
    run.steps = (unsigned)step_count;
    struct embedded_store store;
    if (embedded_store_open(&settings, &store, &error) != ERROR_NONE) return command_fail(&error);
    if (run.json) printf("[");
    code = migrate_metadata(&run, &store.places, only, &error);
    if (code == ERROR_NONE) code = migrate_store(&run, &settings, store.session, only, &error);
    if (run.json) printf("\n]\n");
    embedded_store_close(&store);
    return code == ERROR_NONE ? EXIT_DONE : command_fail(&error);
}
