/* SPDX-License-Identifier: Apache-2.0 */
/* `millrace import weblog`: sends a web server's access log as page views, the same events each time it is run. */
#include <errno.h>
#include <inttypes.h>
#include <openssl/hmac.h>

#include "base/json_writer.h"
#include "base/uuid.h"
#include "decode/json.h"
#include "decode/weblog.h"
#include "server/commands.h"
#include "server/http_client.h"
#include "server/progress.h"

#define IMPORT_BATCH_LINES 500
#define IMPORT_LINE_LIMIT (64 * 1024)  /* longer lines are refused: no server writes them */
#define IMPORT_REASONS_SHOWN 10

struct import {
    struct http_client *client;
    const char *key;
    struct json_parser *json;
    struct buffer body, answer;
    struct json_writer writer;
    uint64_t batch_lines[IMPORT_BATCH_LINES]; /* line number of each item, to name a refused one */
    size_t batch_count;
    uint64_t read, stored, duplicates, refused;
    struct buffer reasons;
    int reasons_shown;
};

static void import_refuse(struct import *import, uint64_t line, const char *reason)
{
    import->refused++;
    if (import->reasons_shown++ < IMPORT_REASONS_SHOWN)
        buffer_printf(&import->reasons, "line %" PRIu64 ": %s\n", line, reason);
}

/* The visitor behind an address: the same within this tenant, and not to be turned back without its key. */
static void import_visitor(const struct import *import, struct slice address, char out[33])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    HMAC(EVP_sha256(), import->key, (int)strlen(import->key), (const unsigned char *)address.data, address.size, digest, &size);
    for (int i = 0; i < 16; i++) snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static void import_field(struct json_writer *writer, const char *name, struct slice value)
{
    if (value.size == 0) return;
    json_writer_key(writer, name);
    json_writer_string(writer, value);
}

static void import_add(struct import *import, struct slice text, uint64_t number)
{
    struct weblog_line line;
    struct error error;
    if (weblog_parse(text, &line, &error) != ERROR_NONE) {
        import_refuse(import, number, error.message);
        return;
    }
    /* The id is made of the line and its number: the same file gives the same events, and equal lines stay two events. */
    char where[32], id_text[UUID_TEXT_SIZE], visitor[33];
    int where_size = snprintf(where, sizeof where, "weblog %" PRIu64, number);
    struct uuid id = uuid_from_name(slice_make(where, (size_t)where_size), text);
    uuid_format(&id, id_text);
    import_visitor(import, line.address, visitor);
    struct slice path = slice_cut(&line.target, '?');
    struct json_writer *writer = &import->writer;
    json_writer_object_begin(writer);
    import_field(writer, "id", slice_make(id_text, sizeof id_text));
    import_field(writer, "name", SLICE("screen_view"));
    json_writer_key(writer, "timestamp");
    json_writer_int(writer, line.time_ms);
    import_field(writer, "device_id", slice_from_string(visitor));
    import_field(writer, "path", path);
    import_field(writer, "referrer", line.referrer);
    import_field(writer, "user_agent", line.user_agent);
    json_writer_key(writer, "properties");
    json_writer_object_begin(writer);
    import_field(writer, "method", line.method);
    import_field(writer, "query", line.target);
    json_writer_key(writer, "status");
    json_writer_int(writer, line.status);
    json_writer_key(writer, "bytes");
    json_writer_uint(writer, line.bytes);
    json_writer_object_end(writer);
    json_writer_object_end(writer);
    import->batch_lines[import->batch_count++] = number;
}

static uint64_t import_count(struct json_value root, struct slice name)
{
    struct json_value value;
    return json_object_get(root, name, &value) && json_value_type(value) == JSON_INT ? (uint64_t)json_value_int(value) : 0;
}

static void import_take_errors(struct import *import, struct json_value root)
{
    struct json_value errors, item, reason, field, child;
    struct slice key;
    if (!json_object_get(root, SLICE("errors"), &errors) || json_value_type(errors) != JSON_ARRAY) return;
    struct json_iterator iterator = json_iterate(errors);
    while (json_next(&iterator, &key, &child)) {
        if (json_value_type(child) != JSON_OBJECT || !json_object_get(child, SLICE("item"), &item) ||
            !json_object_get(child, SLICE("reason"), &reason) || json_value_type(reason) != JSON_STRING)
            continue;
        int64_t number = json_value_type(item) == JSON_INT ? json_value_int(item) : -1;
        char text[512];
        struct slice name = json_object_get(child, SLICE("field"), &field) && json_value_type(field) == JSON_STRING
                                ? json_value_string(field) : SLICE_EMPTY;
        snprintf(text, sizeof text, "%.*s%s%.*s", SLICE_ARGS(name), name.size ? ": " : "", SLICE_ARGS(json_value_string(reason)));
        if (import->reasons_shown++ < IMPORT_REASONS_SHOWN && number >= 0 && (size_t)number < import->batch_count)
            buffer_printf(&import->reasons, "line %" PRIu64 ": %s\n", import->batch_lines[number], text);
    }
}

static enum error_code import_send(struct import *import, struct error *error)
{
    if (import->batch_count == 0) return ERROR_NONE;
    json_writer_array_end(&import->writer);
    if (import->body.failed) return error_set(error, ERROR_MEMORY, "out of memory");
    buffer_clear(&import->answer);
    int status = 0;
    enum error_code code = http_client_post(import->client, "/v1/events?bots=count", "application/json", buffer_slice(&import->body), &status,
                                            &import->answer, error);
    if (code != ERROR_NONE) return code;
    struct json_value root;
    buffer_reserve(&import->answer, JSON_PADDING); /* the parser may look past the end */
    struct slice text = buffer_slice(&import->answer);
    if (json_parse(import->json, text, &root, error) != ERROR_NONE || json_value_type(root) != JSON_OBJECT || (status != 200 && status != 400) ||
        (status == 400 && import_count(root, SLICE("refused")) == 0))
        return error_set(error, ERROR_IO, "the server answered %d: %.*s", status, SLICE_ARGS(slice_first(text, 300)));
    import->stored += import_count(root, SLICE("accepted"));
    import->duplicates += import_count(root, SLICE("duplicates"));
    import->refused += import_count(root, SLICE("refused"));
    import_take_errors(import, root);
    buffer_clear(&import->body);
    import->writer = (struct json_writer){.out = &import->body};
    json_writer_array_begin(&import->writer);
    import->batch_count = 0;
    return ERROR_NONE;
}

static uint64_t import_count_lines(FILE *file)
{
    static char chunk[1 << 16];
    uint64_t lines = 0;
    size_t size;
    char last = '\n';
    while ((size = fread(chunk, 1, sizeof chunk, file)) > 0) {
        for (size_t i = 0; i < size; i++) lines += chunk[i] == '\n';
        last = chunk[size - 1];
    }
    rewind(file);
    return lines + (last != '\n');
}

static enum error_code import_file(struct import *import, FILE *file, struct error *error)
{
    struct progress progress;
    progress_begin(&progress, "importing", "lines", import_count_lines(file));
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    enum error_code code = ERROR_NONE;
    json_writer_array_begin(&import->writer);
    while (code == ERROR_NONE && (size = getline(&line, &capacity, file)) >= 0) {
        import->read++;
        struct slice text = slice_trim(slice_make(line, (size_t)size));
        if (text.size > IMPORT_LINE_LIMIT) import_refuse(import, import->read, "longer than 64 KiB");
        else if (text.size == 0) import_refuse(import, import->read, "empty");
        else import_add(import, text, import->read);
        if (import->batch_count == IMPORT_BATCH_LINES) code = import_send(import, error);
        progress_update(&progress, import->read);
    }
    free(line);
    if (code == ERROR_NONE) code = import_send(import, error);
    progress_end(&progress, import->read);
    return code;
}

static void import_print(const struct import *import, bool json)
{
    if (json) {
        printf("{\"lines_read\":%" PRIu64 ",\"stored\":%" PRIu64 ",\"already_stored\":%" PRIu64 ",\"refused\":%" PRIu64 "}\n",
               import->read, import->stored, import->duplicates, import->refused);
        return;
    }
    printf("%" PRIu64 " lines read, %" PRIu64 " stored, %" PRIu64 " already stored, %" PRIu64 " refused\n", import->read, import->stored,
           import->duplicates, import->refused);
    if (import->reasons.size) printf("refused:\n%.*s", SLICE_ARGS(buffer_slice(&import->reasons)));
    if (import->reasons_shown > IMPORT_REASONS_SHOWN) printf("... and %d more\n", import->reasons_shown - IMPORT_REASONS_SHOWN);
}

int command_import(int argc, char **argv)
{
    const char *server = "http://127.0.0.1:8080", *key = getenv("MILLRACE_KEY");
    bool json = false;
    const struct option flags[] = {
        {"server", "URL", &server, NULL, "the server to send to (http://127.0.0.1:8080)"},
        {"key", "KEY", &key, NULL, "a write or secret key of the tenant (or MILLRACE_KEY in the environment)"},
        {"json", NULL, NULL, &json, "print the summary as one JSON object"},
        {0},
    };
    const struct option_table table = {
        .usage = "millrace import weblog FILE --server URL --key KEY",
        .description = "Sends each line of an access log (Apache common or combined format) as a page view (screen_view).\n"
                       "The events' ids are made of line and line number: a second run stores nothing twice.",
        .options = flags, .positional_names = "weblog FILE", .positional_least = 2, .positional_most = 2};
    struct options options;
    struct error error;
    if (options_parse(&table, argc, argv, NULL, &options, &error) != ERROR_NONE) return command_fail(&error);
    if (options.help) return EXIT_DONE;
    if (strcmp(options.positional[0], "weblog") != 0) {
        error_set(&error, ERROR_INVALID, "\"%s\" cannot be imported; there is: weblog", options.positional[0]);
        return command_fail(&error);
    }
    if (!key) {
        error_set(&error, ERROR_INVALID, "--key is missing (or MILLRACE_KEY in the environment)");
        return command_fail(&error);
    }
    FILE *file = fopen(options.positional[1], "r");
    if (!file) {
        error_set_errno(&error, errno, "open %s", options.positional[1]);
        return command_fail(&error);
    }
    struct import import = {.key = key, .json = json_parser_create()};
    import.writer.out = &import.body;
    enum error_code code = http_client_create(server, key, &import.client, &error);
    if (code == ERROR_NONE) code = import_file(&import, file, &error);
    fclose(file);
    import_print(&import, json);
    http_client_destroy(import.client);
    json_parser_destroy(import.json);
    buffer_free(&import.body);
    buffer_free(&import.answer);
    buffer_free(&import.reasons);
    if (code != ERROR_NONE) return command_fail(&error);
    return EXIT_DONE;
}
