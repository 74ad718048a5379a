/* SPDX-License-Identifier: Apache-2.0 */
/* `millrace sql`: an administrator's statement, over all tenants' rows. */
#include "server/commands.h"
#include "server/embedded_store.h"

static bool sql_print(void *context, struct slice bytes) { return fwrite(bytes.data, 1, bytes.size, stdout) == bytes.size; }

int command_sql(int argc, char **argv)
{
    const char *format = "TSV";
    const struct option flags[] = {
        {"format", "NAME", &format, NULL, "TSV (default), JSON, Pretty or any other output format of ClickHouse"},
        {0},
    };
    const struct option_table table = {
        .usage = "millrace sql 'SELECT ...' --data DIR [--format TSV|JSON|Pretty]",
        .description = "Runs one statement in the event store, through the running server of the data folder or, without one,\n"
                       "in an engine started for the moment. Sees the rows of all tenants.",
        .options = flags, .positional_names = "the statement", .positional_least = 1, .positional_most = 1, .takes_settings = true};
    struct settings settings;
    struct options options;
    struct error error;
    enum error_code code = settings_load(&settings, &error);
    if (code == ERROR_NONE) code = options_parse(&table, argc, argv, &settings, &options, &error);
    if (code != ERROR_NONE) return command_fail(&error);
    if (options.help) return EXIT_DONE;
    struct embedded_store store;
    if (embedded_store_open(&settings, &store, &error) != ERROR_NONE) return command_fail(&error);
    struct store_query query = {.sql = slice_from_string(options.positional[0]), .tenant = STORE_ALL_TENANTS, .format = format,
                                .timeout_ms = 3600000, .received = sql_print};
    struct buffer out = {0};
    code = store_session_query(store.session, &query, &out, &error);
    fflush(stdout);
    buffer_free(&out);
    embedded_store_close(&store);
    return code == ERROR_NONE ? EXIT_DONE : command_fail(&error);
}
