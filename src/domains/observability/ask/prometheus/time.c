/* SPDX-License-Identifier: Apache-2.0 */
/* Times, durations and errors as the API of Prometheus has them. */
#include <math.h>

#include "base/json_writer.h"
#include "base/time.h"
#include "domains/observability/ask/prometheus/prometheus.h"
#include "promql/expression.h"

int64_t prometheus_time_clamp(int64_t unix_ms)
{
    return unix_ms < PROMETHEUS_TIME_LEAST_MS ? PROMETHEUS_TIME_LEAST_MS : unix_ms > PROMETHEUS_TIME_MOST_MS ? PROMETHEUS_TIME_MOST_MS : unix_ms;
}

static bool read_seconds(struct slice text, double *ret_seconds)
{
    char copy[64];
    char *end;
    if (text.size == 0 || text.size >= sizeof copy) return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    *ret_seconds = strtod(copy, &end);
    return end == copy + text.size && isfinite(*ret_seconds);
}

/* Seconds as a number, or RFC 3339; to the nearest millisecond. */
static bool read_time(struct slice text, int64_t *ret_ms)
{
    double seconds;
    if (read_seconds(text, &seconds)) {
        if (fabs(seconds) > 9.2e15) return false;
        *ret_ms = llround(seconds * 1000);
        return true;
    }
    /* A time of day is needed: Prometheus takes no bare date. */
    return slice_index_of(text, 'T') > 0 && time_parse_iso8601(text, ret_ms);
}

enum error_code prometheus_time(const struct query_context *context, const char *name, int64_t fallback, bool is_needed, int64_t *ret_ms,
                                struct error *error)
{
    struct slice text = query_context_text(context, name);
    *ret_ms = fallback;
    if (!text.size && !is_needed) return ERROR_NONE;
    if (read_time(text, ret_ms)) return ERROR_NONE;
    return error_set_field(error, ERROR_INVALID, name, "invalid parameter \"%s\": %s%s%scannot parse \"%.*s\" to a valid timestamp", name,
                           is_needed ? "" : "Invalid time value for '", is_needed ? "" : name, is_needed ? "" : "': ", SLICE_ARGS(slice_first(text, 200)));
}

enum error_code prometheus_duration(const struct query_context *context, const char *name, int64_t fallback, bool is_needed, int64_t *ret_ms,
                                    struct error *error)
{
    struct slice text = query_context_text(context, name);
    double seconds;
    *ret_ms = fallback;
    if (!text.size && !is_needed) return ERROR_NONE;
    if (read_seconds(text, &seconds)) {
        if (fabs(seconds) <= 9.2e12) {
            *ret_ms = llround(seconds * 1000);
            return ERROR_NONE;
        }
        return error_set_field(error, ERROR_INVALID, name, "invalid parameter \"%s\": cannot parse \"%.*s\" to a valid duration. It overflows int64", name,
                               SLICE_ARGS(slice_first(text, 200)));
    }
    if (text.size && promql_duration_parse(text, ret_ms)) return ERROR_NONE;
    return error_set_field(error, ERROR_INVALID, name, "invalid parameter \"%s\": cannot parse \"%.*s\" to a valid duration", name,
                           SLICE_ARGS(slice_first(text, 200)));
}

/* By our code: Prometheus' status and word. Others keep their status; the word is what clients show. */
static const struct { enum error_code code; int status; const char *type; } ERRORS[] = {
    {ERROR_INVALID, 400, "bad_data"}, {ERROR_UNSUPPORTED_MEDIA, 415, "bad_data"}, {ERROR_TOO_LARGE, 422, "execution"}, {ERROR_TIMEOUT, 503, "timeout"},
    {ERROR_CANCELLED, 503, "canceled"}, {ERROR_NOT_FOUND, 404, "not_found"}, {ERROR_UNAUTHENTICATED, 401, "unauthorized"},
    {ERROR_FORBIDDEN, 403, "forbidden"}, {ERROR_RATE_LIMITED, 429, "too_many_requests"}, {ERROR_UNAVAILABLE, 503, "unavailable"},
};

const char *prometheus_refuse(const struct error *error, const struct request *request, int *status, struct buffer *body)
{
    struct json_writer writer = {.out = body};
    const char *type = "internal";
    for (size_t i = 0; i < sizeof ERRORS / sizeof *ERRORS; i++) {
        if (ERRORS[i].code != error->code) continue;
        *status = ERRORS[i].status;
        type = ERRORS[i].type;
    }
    if (strcmp(error->field, "execution") == 0 && error->code == ERROR_INVALID) {
        *status = 422;
        type = "execution";
    }
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "status");
    json_writer_string(&writer, SLICE("error"));
    json_writer_key(&writer, "errorType");
    json_writer_string(&writer, slice_from_string(type));
    json_writer_key(&writer, "error");
    json_writer_string(&writer, slice_from_string(error->message));
    json_writer_object_end(&writer);
    return "application/json";
}

enum error_code prometheus_execution_error(enum error_code code, const struct prometheus_read *read, struct error *error)
{
    if (code == ERROR_MEMORY && read->arena && arena_failed(read->arena))
        return error_set_field(error, ERROR_TOO_LARGE, "execution",
                               "the query needs more memory than it may take beside the others under way (%zu MiB): ask for fewer series or less time",
                               read->memory_bytes >> 20);
    if (code == ERROR_INVALID && error) snprintf(error->field, sizeof error->field, "execution");
    return code;
}
