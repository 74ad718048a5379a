/* SPDX-License-Identifier: Apache-2.0 */
/* `millrace demo`: a server with a demo tenant and two months of sample traffic, or that traffic sent to a server. */
#include "base/json_writer.h"
#include "control/tenancy.h"
#include "decode/json.h"
#include "os/clock.h"
#include "os/file.h"
#include "server/command_call.h"
#include "server/commands.h"
#include "server/generator.h"
#include "server/http_client.h"
#include "server/places.h"
#include "server/progress.h"
#include "server/serve.h"
#include "tenant/tenant.h"

#define DEMO_EVENTS 60000
#define DEMO_DAYS 60 /* the page compares 30 days with the 30 before */
#define DEMO_VISITORS 6000
#define DEMO_BATCH_EVENTS 400 /* a visit adds at most some twenty more; the route takes 1,000 */
#define DEMO_SEED 20260101

struct demo_keys {
    char tenant[TENANT_ID_SIZE + 1];
    char write_key[CONTROL_KEY_TEXT_SIZE + 1];
    char secret_key[CONTROL_KEY_TEXT_SIZE + 1];
};

static enum error_code demo_send(struct http_client *client, struct buffer *body, struct error *error)
{
    struct buffer answer = {0};
    int status = 0;
    enum error_code code = http_client_post(client, "/v1/events", "application/json", buffer_slice(body), &status, &answer, error);
    if (code == ERROR_NONE && status != 200)
        code = error_set(error, ERROR_IO, "the server answered %d: %.*s", status, SLICE_ARGS(slice_first(buffer_slice(&answer), 300)));
    buffer_free(&answer);
    return code;
}

/* `own` is NULL for a server of another process. */
static enum error_code demo_traffic(const char *server, const struct server *own, const char *key, uint64_t events, uint64_t seed,
                                    struct error *error)
{
    struct http_client *client = NULL;
    char pin[LISTEN_TLS_PIN_SIZE];
    enum error_code code = http_client_create(server, key, &client, error);
    if (code == ERROR_NONE && own) http_client_own(client, server_pin(own, pin) ? pin : NULL);
    struct generator generator;
    struct buffer body = {0};
    struct progress progress;
    int64_t now_ms = os_clock_wall_ms();
    uint64_t sent = 0;
    generator_init(&generator, seed, DEMO_VISITORS);
    progress_begin(&progress, "sample traffic", "events", events);
    while (code == ERROR_NONE && sent < events) {
        struct json_writer writer = {.out = &body};
        size_t batch = 0;
        buffer_clear(&body);
        json_writer_array_begin(&writer);
        while (batch < DEMO_BATCH_EVENTS && sent + batch < events)
            batch += generator_write_visit(&generator, generator_visit_start(&generator, now_ms, DEMO_DAYS), now_ms, true, &writer);
        json_writer_array_end(&writer);
        code = demo_send(client, &body, error);
        sent += batch;
        progress_update(&progress, sent);
    }
    progress_end(&progress, sent);
    buffer_free(&body);
    http_client_destroy(client);
    return code;
}

/* The demo tenant's keys are kept in the data folder: they cannot be read back from the metadata. */
static enum error_code demo_read_keys(const char *path, struct demo_keys *keys, struct error *error)
{
    struct buffer text = {0};
    struct json_value root, value;
    struct json_parser *parser = json_parser_create();
    enum error_code code = os_file_read(path, 4096, &text, error);
    buffer_reserve(&text, JSON_PADDING);
    if (code == ERROR_NONE) code = json_parse(parser, buffer_slice(&text), &root, error);
    const struct { const char *name; char *out; size_t size; } fields[] = {
        {"tenant", keys->tenant, sizeof keys->tenant},
        {"write_key", keys->write_key, sizeof keys->write_key},
        {"secret_key", keys->secret_key, sizeof keys->secret_key},
    };
    for (size_t i = 0; code == ERROR_NONE && i < sizeof fields / sizeof fields[0]; i++) {
        if (json_value_type(root) != JSON_OBJECT || !json_object_get(root, slice_from_string(fields[i].name), &value) ||
            json_value_type(value) != JSON_STRING)
            code = error_set(error, ERROR_CORRUPT, "%s has no %s; remove the file to make a new demo tenant", path, fields[i].name);
        else snprintf(fields[i].out, fields[i].size, "%.*s", SLICE_ARGS(json_value_string(value)));
    }
    json_parser_destroy(parser);
    buffer_free(&text);
    return code;
}

static enum error_code demo_make_keys(const struct settings *settings, const char *path, struct demo_keys *keys, struct error *error)
{
    struct command_call command;
    struct control_new_tenant made;
    enum error_code code = command_call_open(settings, &command, error);
    if (code != ERROR_NONE) return code;
    code = control_tenant_create_with_keys(&command.call, SLICE("Northwind (demo)"), &made, error);
    command_call_close(&command);
    if (code != ERROR_NONE) return code;
    snprintf(keys->tenant, sizeof keys->tenant, "%s", made.tenant.id);
    snprintf(keys->write_key, sizeof keys->write_key, "%s", made.write_key);
    snprintf(keys->secret_key, sizeof keys->secret_key, "%s", made.secret_key);
    struct buffer text = {0};
    buffer_printf(&text, "{\"tenant\":\"%s\",\"write_key\":\"%s\",\"secret_key\":\"%s\"}\n", keys->tenant, keys->write_key, keys->secret_key);
    code = os_file_replace(path, buffer_slice(&text), error);
    buffer_free(&text);
    return code;
}

static void demo_print(const struct server *server, const struct demo_keys *keys)
{
    const char *url = server_url(server), *grpc = server_url_of(server, "otlp.grpc"), *http = server_url_of(server, "otlp.http");
    printf("\n"
           "  page    %s/\n"
           "  login   %s   (the secret key of the demo tenant)\n"
           "  or go   %s/#key=%s\n"
           "\n"
           "  send an event:\n"
           "  curl %s/v1/events -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' "
           "-d '{\"name\":\"screen_view\",\"path\":\"/hello\",\"device_id\":\"me\"}'\n"
           "\n",
           url, keys->secret_key, url, keys->secret_key, url, keys->write_key);
    if (grpc || http)
        printf("  OpenTelemetry: gRPC %s, HTTP %s\n"
               "  OTEL_EXPORTER_OTLP_HEADERS='authorization=Bearer%%20%s'\n\n", grpc ? grpc : "off", http ? http : "off", keys->write_key);
    printf("  Ctrl-C stops it; the data stays.\n\n");
    fflush(stdout);
}

static int demo_serve(const struct settings *settings)
{
    struct error error;
    struct server *server = NULL;
    struct demo_keys keys;
    char keys_path[PATH_MAX], loaded_path[PATH_MAX];
    snprintf(keys_path, sizeof keys_path, "%s/demo.json", settings->data);
    snprintf(loaded_path, sizeof loaded_path, "%s/demo.loaded", settings->data);
    enum error_code code = os_directory_create(settings->data, &error);
    if (code == ERROR_NONE)
        code = os_file_exists(keys_path) ? demo_read_keys(keys_path, &keys, &error) : demo_make_keys(settings, keys_path, &keys, &error);
    if (code == ERROR_NONE) code = server_start(settings, &server, &error);
    if (code != ERROR_NONE) return command_fail(&error);
    struct buffer addresses = {0};
    server_describe(server, &addresses);
    fwrite(addresses.data, 1, addresses.size, stdout);
    fflush(stdout);
    buffer_free(&addresses);
    /* Events of the sample have ids made from the seed: a load that was cut short and is repeated stores none twice. */
    if (!os_file_exists(loaded_path)) {
        code = demo_traffic(server_url(server), server, keys.write_key, DEMO_EVENTS, DEMO_SEED, &error);
        if (code == ERROR_NONE) code = os_file_replace(loaded_path, SLICE("sample traffic was loaded\n"), &error);
    }
    if (code == ERROR_NONE) {
        demo_print(server, &keys);
        server_wait(server);
    }
    server_stop(server);
    return code == ERROR_NONE ? EXIT_DONE : command_fail(&error);
}

int command_demo(int argc, char **argv)
{
    const char *server = "http://127.0.0.1:8080", *key = getenv("MILLRACE_KEY"), *events_text = "60000", *seed_text = "20260101";
    const struct option flags[] = {
        {"server", "URL", &server, NULL, "traffic: the server to send to (http://127.0.0.1:8080)"},
        {"key", "KEY", &key, NULL, "traffic: a write or secret key (or MILLRACE_KEY in the environment)"},
        {"events", "N", &events_text, NULL, "traffic: how many events (60000)"},
        {"seed", "N", &seed_text, NULL, "traffic: the same seed gives the same people (20260101)"},
        {0},
    };
    const struct option_table table = {
        .usage = "millrace demo serve [settings] | traffic --server URL --key KEY",
        .description = "serve    a server with everything embedded, a demo tenant and, the first time, two months of sample traffic\n"
                       "traffic  that traffic alone, sent to a running server",
        .options = flags, .positional_names = "serve or traffic", .positional_least = 1, .positional_most = 1, .takes_settings = true};
    struct settings settings;
    struct options options;
    struct error error;
    uint64_t events = 0, seed = 0;
    enum error_code code = settings_load(&settings, &error);
    if (code == ERROR_NONE) code = options_parse(&table, argc, argv, &settings, &options, &error);
    if (code != ERROR_NONE) return command_fail(&error);
    if (options.help) return EXIT_DONE;
    if (strcmp(options.positional[0], "serve") == 0) return demo_serve(&settings);
    if (strcmp(options.positional[0], "traffic") != 0)
        code = error_set(&error, ERROR_INVALID, "\"%s\" is none of serve, traffic", options.positional[0]);
    else if (!slice_parse_uint64(slice_from_string(events_text), &events) || !slice_parse_uint64(slice_from_string(seed_text), &seed))
        code = error_set(&error, ERROR_INVALID, "--events and --seed must be numbers");
    else if (!key) code = error_set(&error, ERROR_INVALID, "--key is missing (or MILLRACE_KEY in the environment)");
    else code = demo_traffic(server, NULL, key, events, seed, &error);
    return code == ERROR_NONE ? EXIT_DONE : command_fail(&error);
}
