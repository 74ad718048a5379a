/* SPDX-License-Identifier: Apache-2.0 */
/* `millrace spool`: looks at segments, brings quarantined ones back or removes them; beside a running server too. */
#include <inttypes.h>
#include <limits.h>

#include "base/json_writer.h"
#include "base/time.h"
#include "os/clock.h"
#include "server/commands.h"
#include "server/domains.h"
#include "spool/inspect.h"

#define SPOOL_SHOW_ROWS 10
#define SPOOL_YEAR_9999_MS 253402300799999 /* beyond it a damaged header's time is no time */

struct spool_command {
    char directory[PATH_MAX];
    const struct block_schema **schemas;
    size_t schema_count;
    uint64_t number;
    uint64_t limit;
    bool json;
    bool yes;
    struct arena *arena;
    struct buffer out;
    struct json_writer writer;
};

static enum error_code spool_collect_schemas(struct spool_command *command, struct error *error)
{
    size_t count = 0;
    for (size_t i = 0; i < server_domain_count; i++) count += server_domains[i]->table_count;
    command->schemas = arena_allocate(command->arena, (count + 1) * sizeof *command->schemas);
    if (!command->schemas) return error_set(error, ERROR_MEMORY, "out of memory");
    for (size_t i = 0; i < server_domain_count; i++)
        for (size_t j = 0; j < server_domains[i]->table_count; j++)
            command->schemas[command->schema_count++] = server_domains[i]->tables[j].schema;
    return ERROR_NONE;
}

static void spool_write_text(struct json_writer *writer, const char *key, const char *value)
{
    json_writer_key(writer, key);
    json_writer_string(writer, slice_from_string(value));
}

static void spool_write_number(struct json_writer *writer, const char *key, uint64_t value)
{
    json_writer_key(writer, key);
    json_writer_uint(writer, value);
}

/* Numbers of segments are above 2^53: as text, so that every reader keeps them whole. */
static void spool_write_json(struct json_writer *writer, const struct spool_file *file)
{
    char text[32], created[TIME_TEXT_SIZE + 1] = "";
    snprintf(text, sizeof text, "%" PRIu64, file->number);
    if (file->created_ms > 0 && file->created_ms < SPOOL_YEAR_9999_MS) time_format_ms(file->created_ms, created);
    json_writer_object_begin(writer);
    spool_write_text(writer, "segment", text);
    spool_write_text(writer, "state", spool_file_state_name(file->state));
    spool_write_text(writer, "created", created);
    spool_write_number(writer, "bytes", file->bytes);
    spool_write_number(writer, "rows", file->rows);
    spool_write_number(writer, "groups", file->groups);
    if (*file->reason) spool_write_text(writer, "reason", file->reason);
    if (*file->damage) spool_write_text(writer, "damage", file->damage);
    json_writer_key(writer, "tables");
    json_writer_array_begin(writer);
    for (size_t i = 0; i < file->table_count; i++) {
        const struct spool_file_table *table = &file->tables[i];
        json_writer_object_begin(writer);
        json_writer_key(writer, "database");
        json_writer_string(writer, table->table.database);
        json_writer_key(writer, "table");
        json_writer_string(writer, table->table.name);
        spool_write_number(writer, "rows", table->rows);
        spool_write_number(writer, "columns", table->table.column_count);
        if (*table->differences) spool_write_text(writer, "differences", table->differences);
        json_writer_object_end(writer);
    }
    json_writer_array_end(writer);
    json_writer_object_end(writer);
}

static void spool_print_file(struct buffer *out, const struct spool_file *file, bool with_differences)
{
    int64_t age_s = (os_clock_wall_ms() - file->created_ms) / 1000;
    buffer_printf(out, "%-20" PRIu64 "  %-11s  %8" PRIu64 " rows  %6" PRIu64 " groups  %10" PRIu64 " bytes  %" PRId64 " s old\n",
                  file->number, spool_file_state_name(file->state), file->rows, file->groups, file->bytes, age_s > 0 ? age_s : 0);
    if (*file->reason) buffer_printf(out, "    because  %s\n", file->reason);
    if (*file->damage) buffer_printf(out, "    damage   %s\n", file->damage);
    for (size_t i = 0; i < file->table_count; i++) {
        const struct spool_file_table *table = &file->tables[i];
        buffer_printf(out, "    %.*s.%.*s  %" PRIu64 " rows%s%s\n", SLICE_ARGS(table->table.database), SLICE_ARGS(table->table.name),
                      table->rows, !*table->differences ? "" : with_differences ? "; not today's schema: " : "; not today's schema",
                      with_differences ? table->differences : "");
    }
}

static enum error_code spool_list(struct spool_command *command, struct error *error)
{
    struct spool_file *files;
    size_t count;
    enum error_code code = spool_inspect_list(command->directory, command->schemas, command->schema_count, command->arena,
                                              &files, &count, error);
    if (code != ERROR_NONE) return code;
    if (command->json) json_writer_array_begin(&command->writer);
    for (size_t i = 0; i < count; i++) {
        if (command->json) spool_write_json(&command->writer, &files[i]);
        else spool_print_file(&command->out, &files[i], false);
    }
    if (command->json) json_writer_array_end(&command->writer);
    else if (count == 0) buffer_append_string(&command->out, "no segments: all that was acknowledged is stored\n");
    return ERROR_NONE;
}

static enum error_code spool_show(struct spool_command *command, struct error *error)
{
    struct spool_file file;
    struct buffer content = {0};
    enum error_code code = spool_inspect_one(command->directory, command->number, command->schemas, command->schema_count,
                                             command->arena, &file, &content, error);
    if (code == ERROR_NONE) {
        if (command->json) spool_write_json(&command->writer, &file);
        else spool_print_file(&command->out, &file, true);
        if (command->json) buffer_append_byte(&command->out, '\n');
        code = spool_rows_write_json(buffer_slice(&content), command->number, command->limit, &command->out, error);
    }
    buffer_free(&content);
    return code;
}

static void spool_say_done(struct spool_command *command, const char *key, const char *text)
{
    if (command->json) buffer_printf(&command->out, "{\"%s\":true}", key);
    else buffer_append_string(&command->out, text);
}

static enum error_code spool_replay(struct spool_command *command, struct error *error)
{
    enum error_code code = spool_quarantine_replay(command->directory, command->number, error);
    if (code == ERROR_NONE)
        spool_say_done(command, "replayed", "a running server takes it back within a second, else the next start does\n");
    return code;
}

static enum error_code spool_drop(struct spool_command *command, struct error *error)
{
    if (!command->yes)
        return error_set(error, ERROR_INVALID, "this removes acknowledged rows for good; look at them with `millrace spool "
                         "show %" PRIu64 "`, then say --yes", command->number);
    enum error_code code = spool_quarantine_drop(command->directory, command->number, error);
    if (code == ERROR_NONE) spool_say_done(command, "dropped", "dropped\n");
    return code;
}

static const struct {
    const char *name;
    size_t arguments;
    enum error_code (*run)(struct spool_command *, struct error *);
} spool_actions[] = {{"list", 1, spool_list}, {"show", 2, spool_show}, {"replay", 2, spool_replay}, {"drop", 2, spool_drop}};
#define SPOOL_ACTION_COUNT (sizeof spool_actions / sizeof spool_actions[0])

/* Runs what the words ask for. */
static enum error_code spool_act(const struct options *options, const struct option_table *table, struct spool_command *command,
                                 struct error *error)
{
    size_t action = 0;
    while (action < SPOOL_ACTION_COUNT && strcmp(spool_actions[action].name, options->positional[0]) != 0) action++;
    if (action == SPOOL_ACTION_COUNT || spool_actions[action].arguments != options->positional_count)
        return error_set(error, ERROR_INVALID, "usage: %s", table->usage);
    if (options->positional_count == 2 && !slice_parse_uint64(slice_from_string(options->positional[1]), &command->number))
        return error_set(error, ERROR_INVALID, "\"%s\" is no segment's number (see `millrace spool list`)", options->positional[1]);
    enum error_code code = spool_collect_schemas(command, error);
    if (code == ERROR_NONE) code = spool_actions[action].run(command, error);
    if (code == ERROR_NONE && command->out.failed) code = error_set(error, ERROR_MEMORY, "out of memory");
    return code;
}

int command_spool(int argc, char **argv)
{
    struct spool_command command = {.limit = SPOOL_SHOW_ROWS};
    command.writer.out = &command.out;
    const char *rows = NULL;
    const struct option flags[] = {
        {"json", NULL, NULL, &command.json, "print JSON"},
        {"rows", "N", &rows, NULL, "show: so many rows (default 10)"},
        {"yes", NULL, NULL, &command.yes, "drop: really"},
        {0},
    };
    const struct option_table table = {
        .usage = "millrace spool list | show N | replay N | drop N --yes  --data DIR [--json]",
        .description = "Segments are rows that were acknowledged and are not stored yet; works with and without a running server.\n"
                       "A segment that the event store refused waits in quarantine: `replay` offers it again, `drop` removes it.\n"
                       "Of a replayed segment, tables that were stored before are recognised and not stored twice as long as\n"
                       "fewer than 10,000 inserts into them came since.",
        .options = flags, .positional_names = "list, show N, replay N or drop N", .positional_least = 1, .positional_most = 2,
        .takes_settings = true};
    struct settings settings;
    struct options options;
    struct error error;
    enum error_code code = settings_load(&settings, &error);
    if (code == ERROR_NONE) code = options_parse(&table, argc, argv, &settings, &options, &error);
    if (code != ERROR_NONE) return command_fail(&error);
    if (options.help) return EXIT_DONE;
    if (rows && !slice_parse_uint64(slice_from_string(rows), &command.limit))
        code = error_set(&error, ERROR_INVALID, "--rows: \"%s\" is no number", rows);
    if (code == ERROR_NONE && snprintf(command.directory, PATH_MAX, "%s/spool", settings.data) >= PATH_MAX)
        code = error_set(&error, ERROR_INVALID, "the data folder's path is too long");
    command.arena = arena_create(0);
    if (code == ERROR_NONE && !command.arena) code = error_set(&error, ERROR_MEMORY, "out of memory");
    if (code == ERROR_NONE) code = spool_act(&options, &table, &command, &error);
    if (code == ERROR_NONE) {
        fwrite(command.out.data, 1, command.out.size, stdout);
        if (command.json && command.out.size > 0 && command.out.data[command.out.size - 1] != '\n') putchar('\n');
    }
    buffer_free(&command.out);
    arena_destroy(command.arena);
    return code == ERROR_NONE ? EXIT_DONE : command_fail(&error);
}
