/* SPDX-License-Identifier: Apache-2.0 */
/* Generates the events and finds where each begins. */
#include "payload.h"

#include <stdlib.h>

#include "server/generator.h"

/* Where the value that begins at `at` ends: commas within it stand in strings or at some depth. */
static size_t payload_value_end(struct slice text, size_t at)
{
    unsigned depth = 0;
    bool in_string = false;
    for (; at < text.size; at++) {
        char byte = text.data[at];
        if (in_string) {
            if (byte == '\\') at++;
            else if (byte == '"') in_string = false;
        } else if (byte == '"') {
            in_string = true;
        } else if (byte == '{' || byte == '[') {
            depth++;
        } else if (byte == '}' || byte == ']') {
            depth--;
        } else if (byte == ',' && depth == 0) {
            break;
        }
    }
    return at;
}

enum error_code payload_make(const struct payload_settings *settings, struct payload *ret_payload, struct error *error)
{
    size_t wanted = settings->events < PAYLOAD_EVENTS_LIMIT ? (size_t)settings->events : PAYLOAD_EVENTS_LIMIT;
    if (wanted < settings->events) wanted -= wanted % settings->batch;
    if (wanted == 0) return error_set(error, ERROR_INVALID, "a batch holds at most %u events", PAYLOAD_EVENTS_LIMIT);
    struct payload payload = {.starts = calloc(wanted + 1, sizeof *payload.starts)};
    struct json_writer writer = {.out = &payload.json};
    struct generator generator;
    generator_init(&generator, settings->seed, settings->visitors);
    generator.is_raw = settings->is_raw;
    generator.has_clients = settings->has_clients;
    for (size_t made = 0; made < wanted;) {
        int64_t start_ms = generator_visit_start(&generator, settings->now_ms, PAYLOAD_DAYS);
        made += generator_write_visit(&generator, start_ms, settings->now_ms, settings->ids, &writer);
    }
    if (!payload.starts || payload.json.failed) {
        payload_free(&payload);
        return error_set(error, ERROR_MEMORY, "out of memory for %zu events", wanted);
    }
    struct slice text = buffer_slice(&payload.json);
    for (size_t at = 0; payload.count < wanted; payload.count++) {
        payload.starts[payload.count] = at;
        at = payload_value_end(text, at) + 1;
        payload.starts[payload.count + 1] = at;
    }
    *ret_payload = payload;
    return ERROR_NONE;
}

void payload_free(struct payload *payload)
{
    free(payload->starts);
    buffer_free(&payload->json);
    *payload = (struct payload){0};
}

struct slice payload_slice(const struct payload *payload, size_t first, size_t count)
{
    size_t begin = payload->starts[first], end = payload->starts[first + count] - 1;
    return slice_make(payload->json.data + begin, end - begin);
}
