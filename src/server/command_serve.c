/* SPDX-License-Identifier: Apache-2.0 */
/* `millrace serve` and `millrace engine`. */
#include <unistd.h>

#include "os/socket.h"
#include "server/commands.h"
#include "server/domains.h"
#include "server/places.h"
#include "server/serve.h"

static void print_buffer(struct buffer *out)
{
    fwrite(out->data, 1, out->size, stdout);
    buffer_free(out);
}

int command_serve(int argc, char **argv)
{
    const char *config = NULL;
    bool print_config = false, document_config = false;
    const struct option flags[] = {
        {"config", "FILE", &config, NULL, "read settings from this file"},
        {"print-config", NULL, NULL, &print_config, "print the settings in force and where each came from, and end"},
        {"document-config", NULL, NULL, &document_config, "print docs/config.md and end"},
        {0},
    };
    const struct option_table table = {
        .usage = "millrace serve --data DIR --listen HOST:PORT",
        .description = "Takes events and answers questions, with the embedded databases, until SIGTERM. Prints one line\n"
                       "`ready http://HOST:PORT` on standard output once it does, and one for each further address.",
        .options = flags, .takes_settings = true};
    struct settings settings;
    struct options options;
    struct error error;
    enum error_code code = settings_load(&settings, &error);
    if (code == ERROR_NONE) code = options_parse(&table, argc, argv, &settings, &options, &error);
    if (code == ERROR_NONE && !options.help && config) code = settings_read_file(&settings, config, &error);
    if (code != ERROR_NONE) return command_fail(&error);
    if (options.help) return EXIT_DONE;
    struct buffer out = {0};
    if (document_config) settings_document(&out);
    else if (print_config) settings_print(&settings, &out);
    if (out.size) {
        print_buffer(&out);
        return EXIT_DONE;
    }
    struct server *server;
    if (server_start(&settings, &server, &error) != ERROR_NONE) return command_fail(&error);
    server_describe(server, &out);
    print_buffer(&out);
    fflush(stdout);
    server_wait(server);
    server_stop(server);
    return EXIT_DONE;
}

int command_engine(int argc, char **argv)
{
    const char *directory = "./data/engine", *socket_path = NULL;
    bool lifeline = false;
    const struct option flags[] = {
        {"directory", "DIR", &directory, NULL, "the event store's own folder (./data/engine)"},
        {"socket", "PATH", &socket_path, NULL, "Unix socket to listen on"},
        {"lifeline", NULL, NULL, &lifeline, "end when descriptor 3 reaches end of file"},
        {0},
    };
    const struct option_table table = {
        .usage = "millrace engine --directory DIR [--socket PATH] [--engine.listen HOST:PORT]",
        .description = "The embedded event store alone: the ClickHouse HTTP protocol on a Unix socket, a loopback port, or both.\n"
                       "`millrace serve` starts one by itself.",
        .options = flags, .takes_settings = true};
    struct settings settings;
    struct options options;
    struct error error;
    enum error_code code = settings_load(&settings, &error);
    if (code == ERROR_NONE) code = options_parse(&table, argc, argv, &settings, &options, &error);
    if (code != ERROR_NONE) return command_fail(&error);
    if (options.help) return EXIT_DONE;
    if (settings_apply_log_level(&settings, &error) != ERROR_NONE) return command_fail(&error);
    char host[256];
    uint16_t port = 0;
    bool tcp = settings.engine_listen[0] != 0;
    if (tcp && os_socket_parse_address(settings.engine_listen, host, &port, &error) != ERROR_NONE) return command_fail(&error);
    if (!tcp && !socket_path) {
        error_set(&error, ERROR_INVALID, "give --socket PATH or --engine.listen HOST:PORT (see --help)");
        return command_fail(&error);
    }
    struct engine_process_settings process = {
        .engine = {.data_directory = directory, .library_path = settings.engine_library,
                   .memory_limit_bytes = (uint64_t)settings.engine_memory_bytes},
        .unix_path = socket_path, .host = tcp ? host : NULL, .port = port, .lifeline = lifeline};
    process.engine.policies = server_domain_policies(&process.engine.policy_count);
    struct places places;
    settings.store_url = ""; /* this is an embedded one, whatever its servers are told */
    if (!settings.engine_library[0]) {
        if (places_find(&settings, &places, &error) != ERROR_NONE) return command_fail(&error);
        process.engine.library_path = places.library;
    }
    return engine_main(&process);
}
