/* SPDX-License-Identifier: Apache-2.0 */
/* bench_driver: sends generated events to a server, or writes them to a file, or is the bare server to compare with. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/json_writer.h"
#include "echo.h"
#include "load.h"
#include "os/clock.h"
#include "payload.h"
#include "server/options.h"

#define DRIVER_VISITORS 100000u

struct driver_numbers {
    int64_t connections, batch, events, seed, now_ms, threads, port;
};
struct driver_number {
    const char *name, *text;
    int64_t least, most, *value;
};

static enum error_code driver_read_numbers(const struct driver_number *numbers, size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        const struct driver_number *number = &numbers[i];
        if (!slice_parse_int64(slice_from_string(number->text), number->value) || *number->value < number->least ||
            *number->value > number->most)
            return error_set(error, ERROR_INVALID, "--%s: a number from %" PRId64 " to %" PRId64 " is meant", number->name,
                             number->least, number->most);
    }
    return ERROR_NONE;
}

/* One event a line, the very ones (and in the same order) that a load with these settings sends. */
static enum error_code driver_dump(const char *path, const struct payload *payload, uint64_t events, struct error *error)
{
    FILE *file = fopen(path, "w");
    if (!file) return error_set_errno(error, errno, "open %s", path);
    size_t position = 0;
    for (uint64_t i = 0; i < events; i++) {
        struct slice event = payload_slice(payload, position, 1);
        fwrite(event.data, 1, event.size, file);
        fputc('\n', file);
        if (++position == payload->count) position = 0;
    }
    bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed) return error_set_errno(error, errno, "write %s", path);
    return ERROR_NONE;
}

static void driver_put(struct json_writer *writer, const char *name, uint64_t value)
{
    json_writer_key(writer, name);
    json_writer_uint(writer, value);
}

static uint32_t driver_percentile(const struct load_result *result, unsigned percent)
{
    uint64_t rank = (result->requests * percent + 99) / 100; /* the nearest rank, rounded up */
    return result->latencies_us[rank > 0 ? rank - 1 : 0];
}

static void driver_print(const struct load_settings *settings, const struct load_result *result)
{
    struct buffer text = {0};
    struct json_writer writer = {.out = &text};
    double seconds = (double)result->wall_us / 1e6;
    json_writer_object_begin(&writer);
    driver_put(&writer, "events", settings->events);
    driver_put(&writer, "accepted", result->accepted);
    driver_put(&writer, "requests", result->requests);
    driver_put(&writer, "failed_requests", result->failed_requests);
    json_writer_key(&writer, "seconds");
    json_writer_double(&writer, seconds);
    driver_put(&writer, "events_per_second", (uint64_t)((double)settings->events / seconds));
    driver_put(&writer, "requests_per_second", (uint64_t)((double)result->requests / seconds));
    driver_put(&writer, "p50_us", driver_percentile(result, 50));
    driver_put(&writer, "p90_us", driver_percentile(result, 90));
    driver_put(&writer, "p99_us", driver_percentile(result, 99));
    driver_put(&writer, "max_us", driver_percentile(result, 100));
    driver_put(&writer, "bytes_sent", result->bytes_sent);
    json_writer_key(&writer, "driver_cpu_seconds");
    json_writer_double(&writer, (double)result->cpu_us / 1e6);
    json_writer_object_end(&writer);
    printf("%.*s\n", SLICE_ARGS(buffer_slice(&text)));
    buffer_free(&text);
    if (result->failed_requests > 0)
        fprintf(stderr, "%" PRIu64 " requests failed, the first with %d: %s\n", result->failed_requests, result->first_failure,
                result->first_failure_body);
}

static enum error_code driver_run(const struct driver_numbers *numbers, struct load_settings *load, const char *dump, bool ids,
                                  const char *clients, struct error *error)
{
    struct payload payload;
    bool in_events = strcmp(clients, "events") == 0, in_headers = strcmp(clients, "headers") == 0;
    if (!in_events && !in_headers && strcmp(clients, "none") != 0)
        return error_set(error, ERROR_INVALID, "--clients: none, events or headers is meant");
    load->has_clients = in_headers;
    struct payload_settings settings = {.seed = (uint64_t)numbers->seed, .events = (uint64_t)numbers->events,
        .batch = (size_t)numbers->batch, .visitors = DRIVER_VISITORS, .ids = ids, .is_raw = in_events || in_headers, .has_clients = in_events,
        .now_ms = numbers->now_ms ? numbers->now_ms : os_clock_wall_ms()};
    enum error_code code = payload_make(&settings, &payload, error);
    if (code != ERROR_NONE) return code;
    if (dump) {
        code = driver_dump(dump, &payload, settings.events, error);
    } else {
        struct load_result result;
        load->connections = (unsigned)numbers->connections;
        load->batch = settings.batch;
        load->events = settings.events;
        code = load_run(load, &payload, &result, error);
        if (code == ERROR_NONE) {
            driver_print(load, &result);
            free(result.latencies_us);
        }
    }
    payload_free(&payload);
    return code;
}

int main(int argc, char **argv)
{
    const char *connections = "16", *batch = "50", *events = "100000", *seed = "1", *now_ms = "0", *threads = "0", *port = NULL;
    const char *dump = NULL, *clients = "none";
    bool ids = false;
    struct load_settings load = {.url = "http://127.0.0.1:8080", .path = "/v1/events"};
    const struct option flags[] = {
        {"url", "URL", &load.url, NULL, "the server (http://127.0.0.1:8080)"},
        {"path", "PATH", &load.path, NULL, "where to post (/v1/events)"},
        {"key", "KEY", &load.key, NULL, "sent as a bearer token"},
        {"connections", "N", &connections, NULL, "keep-alive connections, one request in flight on each (16)"},
        {"batch", "N", &batch, NULL, "events in a request; 1 sends a bare object (50)"},
        {"events", "N", &events, NULL, "how many to send (100000)"},
        {"seed", "N", &seed, NULL, "of the events (1)"},
        {"now-ms", "MS", &now_ms, NULL, "Unix time the events end at; with it and the seed the bytes are fixed (now)"},
        {"ids", NULL, NULL, &ids, "give every event an id"},
        {"clients", "WHERE", &clients, NULL, "send no device, place and campaign but User-Agents and addresses: in events or headers (none)"},
        {"dump", "FILE", &dump, NULL, "write the events to FILE, one a line, instead of sending them"},
        {"serve", "PORT", &port, NULL, "be the bare server that answers 200 to every POST; 0: a free port"},
        {"threads", "N", &threads, NULL, "of the bare server; 0: one per processor (0)"},
        {0},
    };
    const struct option_table table = {.usage = "bench_driver [flags]", .options = flags,
        .description = "Sends generated events and prints what came of it as one JSON object, refused requests included."};
    struct options options;
    struct error error;
    if (options_parse(&table, argc - 1, argv + 1, NULL, &options, &error) != ERROR_NONE) goto failed;
    if (options.help) return 0;
    struct driver_numbers numbers;
    const struct driver_number list[] = {
        {"connections", connections, 1, LOAD_CONNECTIONS_LIMIT, &numbers.connections},
        {"batch", batch, 1, 100000, &numbers.batch},
        {"events", events, 1, 1000000000, &numbers.events},
        {"seed", seed, 0, INT64_MAX, &numbers.seed},
        {"now-ms", now_ms, 0, INT64_MAX, &numbers.now_ms},
        {"threads", threads, 0, 64, &numbers.threads},
        {"serve", port ? port : "0", 0, 65535, &numbers.port},
    };
    if (driver_read_numbers(list, sizeof list / sizeof list[0], &error) != ERROR_NONE) goto failed;
    if (port) {
        unsigned count = numbers.threads ? (unsigned)numbers.threads : (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
        if (echo_serve((unsigned)numbers.port, count, &error) != ERROR_NONE) goto failed;
        return 0;
    }
    if (driver_run(&numbers, &load, dump, ids, clients, &error) != ERROR_NONE) goto failed;
    return 0;
failed:
    fprintf(stderr, "bench_driver: %s\n", error.message);
    return 1;
}
