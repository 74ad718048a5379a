/* SPDX-License-Identifier: Apache-2.0 */
/* Sorts a request's parameters into HTTP options, query parameters and settings. */
#include "engine/call.h"

#include <ctype.h>
#include <inttypes.h>

#include "base/uuid.h"
#include "engine/exception.h"

/* Options of the HTTP interface that change nothing here. Sessions: each request has its own connection, so temporary
 * tables and SET do not last. */
static const char *const ignored[] = {
    "user", "password", "quota_key", "role", "session_id", "session_timeout", "session_check", "close_session",
    "enable_http_compression", "send_progress_in_http_headers", "add_http_cors_header", "buffer_size",
    "client_protocol_version", "stacktrace", "cancel_http_readonly_queries_on_client_close",
};

static bool is_ignored(struct slice name)
{
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        if (slice_equal(name, slice_from_string(ignored[i]))) return true;
    return slice_starts_with(name, SLICE("http_"));
}

static bool is_true(struct slice value)
{
    return slice_equal(value, SLICE("1")) || slice_equal_ignore_case(value, SLICE("true"));
}

bool engine_call_is_name(struct slice name)
{
    if (name.size == 0 || name.size > 200) return false;
    for (size_t i = 0; i < name.size; i++)
        if (!isalnum((unsigned char)name.data[i]) && name.data[i] != '_') return false;
    return true;
}

static void append_quoted(struct buffer *out, struct slice text, char quote)
{
    buffer_append_byte(out, quote);
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c == quote || c == '\\') buffer_append_byte(out, '\\');
        if (c == 0)
            buffer_append_string(out, "\\0");
        else
            buffer_append_byte(out, c);
    }
    buffer_append_byte(out, quote);
}

void engine_call_append_literal(struct buffer *out, struct slice text)
{
    append_quoted(out, text, '\'');
}

void engine_call_append_name(struct buffer *out, struct slice name)
{
    append_quoted(out, name, '`');
}

/* Copies the parameters counted before into arrays as chdb wants them. */
struct parameter_list {
    const char **names;
    size_t *name_sizes;
    const char **values;
    size_t *value_sizes;
    size_t count;
};

static bool allocate_parameters(struct arena *arena, const struct request *request, struct parameter_list *list)
{
    size_t pairs = 1;
    for (size_t i = 0; i < request->query.size; i++) pairs += request->query.data[i] == '&';
    list->names = arena_allocate(arena, pairs * sizeof(char *));
    list->values = arena_allocate(arena, pairs * sizeof(char *));
    list->name_sizes = arena_allocate(arena, pairs * sizeof(size_t));
    list->value_sizes = arena_allocate(arena, pairs * sizeof(size_t));
    return !arena_failed(arena);
}

static enum error_code take_setting(struct engine_call *call, struct buffer *settings, struct slice name,
                                    struct slice value, struct error *error)
{
    if (slice_equal(name, SLICE("log_comment"))) {
        call->log_comment = value;
        return 0;
    }
    if (!engine_call_is_name(name))
        return engine_exception_set(error, ERROR_INVALID, ENGINE_EXCEPTION_UNKNOWN_SETTING, "Unknown setting '%.*s'",
                                    SLICE_ARGS(slice_first(name, 200)));
    if (slice_equal(name, SLICE("max_execution_time"))) call->sets_time = true;
    if (slice_equal(name, SLICE("max_memory_usage"))) call->sets_memory = true;
    if (slice_equal(name, SLICE("insert_deduplicate")) || slice_equal(name, SLICE("deduplicate_insert")))
        call->sets_deduplicate = true;
    if (slice_equal(name, SLICE("insert_deduplication_token"))) call->sets_token = value.size > 0;
    if (slice_equal(name, SLICE("readonly"))) call->sets_readonly = !slice_equal(value, SLICE("0"));
    if (settings->size > 0) buffer_append_string(settings, ", ");
    buffer_append_slice(settings, name);
    buffer_append_string(settings, " = ");
    engine_call_append_literal(settings, value);
    return 0;
}

static enum error_code take_pair(struct engine_call *call, struct parameter_list *parameters, struct buffer *settings,
                                 struct slice name, struct slice value, struct error *error)
{
    struct slice prefix = SLICE("param_");
    if (slice_equal(name, SLICE("query"))) {
        call->query = value;
    } else if (slice_starts_with(name, prefix)) {
        size_t at = parameters->count++;
        parameters->names[at] = name.data + prefix.size;
        parameters->name_sizes[at] = name.size - prefix.size;
        parameters->values[at] = value.data;
        parameters->value_sizes[at] = value.size;
    } else if (slice_equal(name, SLICE("database"))) {
        call->database = value;
    } else if (slice_equal(name, SLICE("default_format"))) {
        call->default_format = value;
    } else if (slice_equal(name, SLICE("query_id"))) {
        call->query_id = value;
    } else if (slice_equal(name, SLICE("wait_end_of_query"))) {
        call->wait_end_of_query = is_true(value);
    } else if (slice_equal(name, SLICE("compress")) || slice_equal(name, SLICE("decompress"))) {
        if (is_true(value))
            return engine_exception_set(
                error, ERROR_INVALID, ENGINE_EXCEPTION_NOT_IMPLEMENTED,
                "%.*s=1 (ClickHouse's own block compression) is not supported: use Content-Encoding", SLICE_ARGS(name));
    } else if (name.size > 0 && !is_ignored(name)) {
        return take_setting(call, settings, name, value, error);
    }
    return 0;
}

/* Goes into a response header, so it must not carry line ends. */
static void check_query_id(struct request *request, struct arena *arena, struct engine_call *call)
{
    bool usable = call->query_id.size > 0 && call->query_id.size <= 200;
    for (size_t i = 0; usable && i < call->query_id.size; i++) usable = isprint((unsigned char)call->query_id.data[i]);
    if (usable) return;
    struct uuid uuid = uuid_make_v7(request->received_ms);
    char text[UUID_TEXT_SIZE];
    uuid_format(&uuid, text);
    call->query_id = arena_copy(arena, slice_make(text, sizeof text));
}

enum error_code engine_call_parse(struct request *request, struct arena *arena, struct engine_call *call,
                                  struct error *error)
{
    *call = (struct engine_call){.query = SLICE_EMPTY, .database = request_header_get(request, "x-clickhouse-database"),
                                 .default_format = request_header_get(request, "x-clickhouse-format"),
                                 .query_id = SLICE_EMPTY, .log_comment = SLICE("*"), .settings = SLICE_EMPTY,
                                 .read_only = request->method == METHOD_GET || request->method == METHOD_HEAD};
    check_query_id(request, arena, call);
    if (slice_starts_with(request_header_get(request, "content-type"), SLICE("multipart/form-data")))
        return engine_exception_set(error, ERROR_INVALID, ENGINE_EXCEPTION_NOT_IMPLEMENTED,
                                    "External data (multipart/form-data) is not supported");
    struct parameter_list parameters = {0};
    struct buffer settings = {0};
    enum error_code code = 0;
    if (!allocate_parameters(arena, request, &parameters)) code = error_set(error, ERROR_MEMORY, "out of memory");
    struct slice rest = request->query, name, value;
    while (!code && request_query_next(request, &rest, &name, &value))
        code = take_pair(call, &parameters, &settings, name, value, error);
    call->parameters = (struct engine_chdb_parameters){parameters.names, parameters.name_sizes, parameters.values,
                                                       parameters.value_sizes, parameters.count};
    call->settings = arena_copy(arena, buffer_slice(&settings));
    if (!code && (settings.failed || arena_failed(arena))) code = error_set(error, ERROR_MEMORY, "out of memory");
    /* A parameter that did not fit reads as empty, which must not pass for what was asked. */
    if (!code && arena_failed(request->arena))
        code = error_set(error, ERROR_TOO_LARGE, "the request's parameters are too large");
    buffer_free(&settings);
    check_query_id(request, arena, call);
    if (call->default_format.size == 0) call->default_format = SLICE("TabSeparated");
    if (!code && !engine_call_is_name(call->default_format)) {
        code = engine_exception_set(error, ERROR_INVALID, ENGINE_EXCEPTION_UNKNOWN_FORMAT, "Unknown format %.*s",
                                    SLICE_ARGS(slice_first(call->default_format, 200)));
    }
    return code;
}

void engine_call_append_set(struct buffer *out, const struct engine_call *call,
                            const struct engine_call_purpose *purpose)
{
    buffer_append_string(out, "SET log_comment = ");
    size_t quoted = out->size;
    engine_call_append_literal(out, call->log_comment);
    if (out->failed || out->size <= quoted) return;
    buffer_truncate(out, out->size - 1); /* reopens the literal */
    buffer_append_byte(out, ' ');
    buffer_append_slice(out, purpose->unique);
    buffer_append_byte(out, '\'');
    if (purpose->is_write && !call->sets_time) buffer_append_string(out, ", max_execution_time = 0");
    if (purpose->is_write && !call->sets_memory) buffer_append_string(out, ", max_memory_usage = 0");
    /* Memory that is not counted yet cannot be refused. The profiler's step would be an upper limit of it. */
    if (purpose->is_insert && purpose->insert_reserve_bytes > 0)
        buffer_printf(out, ", max_untracked_memory = %" PRIu64 ", memory_profiler_step = 0",
                      purpose->insert_reserve_bytes);
    /* insert_deduplicate = 0 would do nothing: this setting stands above it. */
    if (purpose->is_insert && !call->sets_deduplicate && !call->sets_token && !purpose->statement_has_token)
        buffer_append_string(out, ", deduplicate_insert = 'disable'");
    if (call->settings.size > 0) {
        buffer_append_string(out, ", ");
        buffer_append_slice(out, call->settings);
    }
    /* As ClickHouse does for GET. 2: a statement may still change settings, but nothing else. Must not replace a 1. */
    if (call->read_only && !call->sets_readonly) buffer_append_string(out, ", readonly = 2");
}
