/* SPDX-License-Identifier: Apache-2.0 */
/* bench_telemetry: makes telemetry by a seed and posts it to a server, ours or another that takes the same. */
#include <inttypes.h>

#include "os/clock.h"
#include "server/options.h"
#include "telemetry_send.h"

static const char *const KINDS[TELEMETRY_KIND_COUNT] = {"traces", "logs", "samples"};

int main(int argc, char **argv)
{
    const char *kind = "traces", *url = "", *path = "", *key = "", *items = "100000", *batch = "8192", *seed = "1", *now = "0", *series = "2000", *skip = "0";
    const char *dump = NULL;
    bool is_grpc = false;
    const struct option flags[] = {
        {"kind", "KIND", &kind, NULL, "traces, logs or samples (traces)"},
        {"url", "HOST:PORT", &url, NULL, "where to send"},
        {"path", "PATH", &path, NULL, "of the requests"},
        {"key", "KEY", &key, NULL, "sent as a bearer token"},
        {"items", "N", &items, NULL, "spans, records or samples, rounded to whole requests (100000)"},
        {"batch", "N", &batch, NULL, "items of a request (8192)"},
        {"series", "N", &series, NULL, "of samples (2000)"},
        {"skip", "N", &skip, NULL, "scrapes that an earlier run has sent (0)"},
        {"seed", "N", &seed, NULL, "of all of it (1)"},
        {"now-ms", "MS", &now, NULL, "the newest span, or the first scrape (now)"},
        {"grpc", NULL, NULL, &is_grpc, "gRPC instead of HTTP"},
        {"dump", "FILE", &dump, NULL, "write the bodies to FILE, each behind its size (4 bytes, little-endian), instead of sending them"},
        {0},
    };
    const struct option_table table = {.usage = "bench_telemetry [flags]", .options = flags,
        .description = "Sends generated telemetry and prints what was sent as one JSON object. A refusal is an error."};
    struct options options;
    struct error error;
    struct telemetry_settings settings = {.kind = TELEMETRY_KIND_COUNT};
    struct telemetry telemetry = {0};
    struct telemetry_sent sent = {0};
    int64_t numbers[6];
    const char *const *texts[6] = {&items, &batch, &seed, &now, &series, &skip}; /* read after the flags */
    if (options_parse(&table, argc - 1, argv + 1, NULL, &options, &error) != ERROR_NONE) goto failed;
    if (options.help) return 0;
    for (size_t i = 0; i < 6; i++)
        if (!slice_parse_int64(slice_from_string(*texts[i]), &numbers[i]) || numbers[i] < 0) {
            error_set(&error, ERROR_INVALID, "%s: a number is meant", *texts[i]);
            goto failed;
        }
    for (unsigned i = 0; i < TELEMETRY_KIND_COUNT; i++)
        if (strcmp(kind, KINDS[i]) == 0) settings.kind = (enum telemetry_kind)i;
    if (settings.kind == TELEMETRY_KIND_COUNT || numbers[0] == 0 || numbers[1] == 0 || numbers[4] == 0) {
        error_set(&error, ERROR_INVALID, "--kind: traces, logs or samples is meant; --items, --batch and --series are at least 1");
        goto failed;
    }
    settings.items = (uint64_t)numbers[0];
    settings.batch = (size_t)numbers[1];
    settings.seed = (uint64_t)numbers[2];
    settings.now_ms = numbers[3] ? numbers[3] : os_clock_wall_ms();
    settings.series = (size_t)numbers[4];
    settings.skip = (uint64_t)numbers[5];
    if (telemetry_make(&settings, &telemetry, &error) != ERROR_NONE) goto failed;
    if (dump) {
        FILE *file = fopen(dump, "w");
        for (size_t i = 0; file && i < telemetry.count; i++) {
            uint32_t size = (uint32_t)telemetry.bodies[i].size;
            fwrite(&size, sizeof size, 1, file);
            fwrite(telemetry.bytes.data + telemetry.bodies[i].at, 1, size, file);
        }
        if (!file || ferror(file) || fclose(file) != 0) {
            error_set(&error, ERROR_IO, "%s cannot be written", dump);
            goto failed;
        }
    } else {
        char host[256];
        const char *colon = strrchr(url, ':');
        if (!colon || (size_t)(colon - url) >= sizeof host) {
            error_set(&error, ERROR_INVALID, "--url: HOST:PORT is meant");
            goto failed;
        }
        snprintf(host, sizeof host, "%.*s", (int)(colon - url), url);
        struct telemetry_target target = {.host = host, .port = colon + 1, .path = path, .key = key, .is_grpc = is_grpc,
            .headers = settings.kind == TELEMETRY_SAMPLES ? "Content-Encoding: snappy\r\nX-Prometheus-Remote-Write-Version: 0.1.0\r\n" : ""};
        if (telemetry_send(&target, &telemetry, &sent, &error) != ERROR_NONE) goto failed;
    }
    printf("{\"items\":%" PRIu64 ",\"bodies\":%zu,\"bytes\":%zu,\"requests\":%" PRIu64 ",\"seconds\":%.3f}\n", telemetry.items, telemetry.count,
           telemetry.bytes.size, sent.requests, (double)sent.wall_us / 1e6);
    telemetry_free(&telemetry);
    return 0;
failed:
    fprintf(stderr, "bench_telemetry: %s\n", error.message);
    return 1;
}
