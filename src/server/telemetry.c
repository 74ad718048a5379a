/* SPDX-License-Identifier: Apache-2.0 */
/* The queues, the thread that empties them, and its requests. */
#include "server/telemetry.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/queue.h"
#include "base/uuid.h"
#include "os/clock.h"
#include "os/thread.h"
#include "server/http_client.h"
#include "server/telemetry_span.h"

#define TELEMETRY_SPAN_QUEUE 8192 /* half a second of a busy server, 3 MiB */
#define TELEMETRY_LOG_QUEUE 1024
#define TELEMETRY_BATCH_ITEMS 2048        /* then it is sent before its time */
#define TELEMETRY_KEPT_BYTES (4u << 20)   /* what waits while it cannot be sent; more is dropped */
#define TELEMETRY_WAIT_MS 1000
#define TELEMETRY_REQUEST_MS 10000
#define TELEMETRY_LAST_REQUEST_MS 2000 /* a server that is told to end does not wait for a collector */

enum telemetry_signal { TELEMETRY_TRACES, TELEMETRY_LOGS, TELEMETRY_METRICS, TELEMETRY_SIGNAL_COUNT };
static const char *const telemetry_paths[] = {"/v1/traces", "/v1/logs", "/v1/metrics"};
static const char *const telemetry_labels[] = {"signal=\"traces\"", "signal=\"logs\"", "signal=\"metrics\""};

/* Items of one signal that were not sent yet, as they stand in a request. */
struct telemetry_pending {
    struct buffer items;
    size_t count;
    size_t tried_bytes, tried_count; /* the first of them, sent without an answer: sent again as they were, for a body is known by its bytes */
};

struct telemetry_line {
    enum log_level level;
    int64_t unix_ns;
    size_t size;
    char text[];
};

struct telemetry {
    const struct settings *settings;
    struct metric_registry *metrics;
    struct telemetry_resource resource;
    struct telemetry_spans spans;
    struct queue *span_queue, *line_queue;
    struct log_listener listener;
    struct metric *sent[TELEMETRY_SIGNAL_COUNT], *dropped[TELEMETRY_SIGNAL_COUNT], *failures;
    int64_t start_ns;
    /* Of the thread. */
    struct os_thread thread;
    struct http_client *client;
    bool (*pin)(const void *context, char pin[LISTEN_TLS_PIN_SIZE]);
    const void *pin_context;
    struct telemetry_pending pending[TELEMETRY_SIGNAL_COUNT];
    int64_t due_ms, retry_ms; /* nothing is sent before retry_ms: the last time it did not work */
    bool is_failing[TELEMETRY_SIGNAL_COUNT];
};

static _Thread_local bool telemetry_is_this_thread;

static int64_t telemetry_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* ---- what comes in, on any thread ---- */

static void telemetry_span_ended(void *context, struct telemetry_span *span)
{
    struct telemetry *telemetry = context;
    if (queue_try_push(telemetry->span_queue, span)) return;
    metric_add(telemetry->dropped[TELEMETRY_TRACES], 1);
    free(span);
}

static void telemetry_heard(void *context, enum log_level level, int64_t unix_ns, struct slice text)
{
    struct telemetry *telemetry = context;
    if (telemetry_is_this_thread) return;
    struct telemetry_line *line = malloc(sizeof *line + text.size);
    if (line) {
        *line = (struct telemetry_line){level, unix_ns, text.size};
        memcpy(line->text, text.data, text.size);
        if (queue_try_push(telemetry->line_queue, line)) return;
        free(line);
    }
    metric_add(telemetry->dropped[TELEMETRY_LOGS], 1);
}

static void telemetry_begin(void *context, struct request *request, const char *route)
{
    telemetry_spans_begin(&((struct telemetry *)context)->spans, request, route);
}

struct api_watch telemetry_watch(struct telemetry *telemetry)
{
    return telemetry && telemetry->spans.percent ? (struct api_watch){telemetry_begin, telemetry} : (struct api_watch){0};
}

/* ---- sending ---- */

/* Says once that it does not work and once that it does again. */
static void telemetry_note(struct telemetry *telemetry, enum telemetry_signal signal, bool works, const char *reason)
{
    if (!works) metric_add(telemetry->failures, 1);
    if (works == !telemetry->is_failing[signal]) return;
    telemetry->is_failing[signal] = !works;
    if (works) log_info("telemetry: %s is taken again", telemetry_paths[signal]);
    else log_warn("telemetry: %s is not taken: %s", telemetry_paths[signal], reason);
}

/* True when the items are not needed any more: taken, or refused for good. */
static bool telemetry_send(struct telemetry *telemetry, enum telemetry_signal signal, struct slice items)
{
    struct buffer body = {0}, answer = {0};
    struct error error = {0};
    char pin[LISTEN_TLS_PIN_SIZE];
    int status = 0;
    telemetry_otlp_request(&telemetry->resource, items, &body);
    if (!telemetry->settings->telemetry_endpoint[0])
        http_client_own(telemetry->client, telemetry->pin(telemetry->pin_context, pin) ? pin : NULL);
    enum error_code code = body.failed ? error_set(&error, ERROR_MEMORY, "out of memory")
                                       : http_client_post(telemetry->client, telemetry_paths[signal], "application/x-protobuf",
                                                          buffer_slice(&body), &status, &answer, &error);
    bool is_taken = !code && status >= 200 && status < 300;
    bool is_temporary = code || status == 429 || status == 502 || status == 503 || status == 504;
    if (!code && !is_taken)
        error_set(&error, ERROR_UNAVAILABLE, "the answer has status %d", status);
    telemetry_note(telemetry, signal, is_taken, error.message);
    if (is_temporary) telemetry->retry_ms = os_clock_monotonic_ms() + telemetry->settings->telemetry_interval_ms;
    buffer_free(&body);
    buffer_free(&answer);
    if (is_taken) metric_add(telemetry->sent[signal], (int64_t)telemetry->pending[signal].tried_count);
    else if (!is_temporary) metric_add(telemetry->dropped[signal], (int64_t)telemetry->pending[signal].tried_count);
    return !is_temporary;
}

static void telemetry_flush(struct telemetry *telemetry, enum telemetry_signal signal)
{
    struct telemetry_pending *pending = &telemetry->pending[signal];
    while (pending->count > 0 && os_clock_monotonic_ms() >= telemetry->retry_ms) {
        if (pending->tried_count == 0) {
            pending->tried_bytes = pending->items.size;
            pending->tried_count = pending->count;
        }
        if (!telemetry_send(telemetry, signal, slice_first(buffer_slice(&pending->items), pending->tried_bytes))) return;
        buffer_consume(&pending->items, pending->tried_bytes);
        pending->count -= pending->tried_count;
        pending->tried_count = 0;
        if (pending->count == 0) buffer_clear(&pending->items);
    }
}

static bool telemetry_has_room(struct telemetry *telemetry, enum telemetry_signal signal)
{
    if (telemetry->pending[signal].items.size < TELEMETRY_KEPT_BYTES && !telemetry->pending[signal].items.failed) return true;
    metric_add(telemetry->dropped[signal], 1);
    return false;
}

static void telemetry_take_span(struct telemetry *telemetry, struct telemetry_span *span)
{
    struct telemetry_pending *pending = &telemetry->pending[TELEMETRY_TRACES];
    if (telemetry_has_room(telemetry, TELEMETRY_TRACES)) {
        telemetry_otlp_span(span, &pending->items);
        if (++pending->count % TELEMETRY_BATCH_ITEMS == 0) telemetry_flush(telemetry, TELEMETRY_TRACES);
    }
    free(span);
}

static void telemetry_take_lines(struct telemetry *telemetry)
{
    struct telemetry_pending *pending = &telemetry->pending[TELEMETRY_LOGS];
    struct telemetry_line *line;
    while ((line = queue_pop(telemetry->line_queue, 0))) {
        if (telemetry_has_room(telemetry, TELEMETRY_LOGS)) {
            telemetry_otlp_log(line->level, line->unix_ns, slice_make(line->text, line->size), &pending->items);
            pending->count++;
        }
        free(line);
    }
}

/* Metrics are what they are now: those that could not be sent before are not missed. */
static void telemetry_take_metrics(struct telemetry *telemetry)
{
    struct telemetry_pending *pending = &telemetry->pending[TELEMETRY_METRICS];
    buffer_clear(&pending->items);
    telemetry_otlp_metrics(telemetry->metrics, telemetry->start_ns, telemetry_now_ns(), &pending->items);
    pending->count = 1;
    pending->tried_count = 0;
}

static void telemetry_export(struct telemetry *telemetry)
{
    telemetry_take_lines(telemetry);
    telemetry_take_metrics(telemetry);
    for (enum telemetry_signal signal = 0; signal < TELEMETRY_SIGNAL_COUNT; signal++) telemetry_flush(telemetry, signal);
}

static void telemetry_run(void *context)
{
    struct telemetry *telemetry = context;
    telemetry_is_this_thread = true;
    telemetry->due_ms = os_clock_monotonic_ms() + telemetry->settings->telemetry_interval_ms;
    for (;;) {
        int64_t left_ms = telemetry->due_ms - os_clock_monotonic_ms();
        int wait_ms = left_ms < 0 ? 0 : left_ms > TELEMETRY_WAIT_MS ? TELEMETRY_WAIT_MS : (int)left_ms;
        struct telemetry_span *span = queue_pop(telemetry->span_queue, wait_ms);
        if (span) telemetry_take_span(telemetry, span);
        else if (queue_is_closed(telemetry->span_queue)) break;
        else telemetry_take_lines(telemetry); /* their queue is small */
        if (os_clock_monotonic_ms() < telemetry->due_ms) continue;
        telemetry_export(telemetry);
        telemetry->due_ms = os_clock_monotonic_ms() + telemetry->settings->telemetry_interval_ms;
    }
    http_client_once(telemetry->client, TELEMETRY_LAST_REQUEST_MS);
    telemetry_export(telemetry);
}

/* ---- start and end ---- */

static void telemetry_make_metrics(struct telemetry *telemetry)
{
    for (size_t i = 0; i < TELEMETRY_SIGNAL_COUNT; i++)
        telemetry->sent[i] = metric_counter(telemetry->metrics, "millrace_telemetry_sent_total", telemetry_labels[i],
                                            "Items of the server's own telemetry that were taken; of metrics: requests.");
    for (size_t i = 0; i < TELEMETRY_SIGNAL_COUNT; i++)
        telemetry->dropped[i] = metric_counter(telemetry->metrics, "millrace_telemetry_dropped_total", telemetry_labels[i],
                                               "Items of the server's own telemetry that found a queue full or were refused.");
    telemetry->failures = metric_counter(telemetry->metrics, "millrace_telemetry_failures_total", "",
                                         "Requests with the server's own telemetry that were not taken.");
}

enum error_code telemetry_create(const struct settings *settings, struct metric_registry *metrics, const char *version,
                                 struct telemetry **ret_telemetry, struct error *error)
{
    *ret_telemetry = NULL;
    if (!settings->telemetry_key[0] && !settings->telemetry_endpoint[0]) {
        if (!settings->telemetry_traces_percent) return ERROR_NONE;
        return error_set_field(error, ERROR_INVALID, "telemetry.key",
                               "setting telemetry.traces: nothing says where to; set telemetry.key or telemetry.endpoint");
    }
    struct slice endpoint = slice_from_string(settings->telemetry_endpoint);
    if (endpoint.size && !slice_starts_with(endpoint, SLICE("http://")) && !slice_starts_with(endpoint, SLICE("https://")))
        return error_set_field(error, ERROR_INVALID, "telemetry.endpoint",
                               "setting telemetry.endpoint: \"%s\" must begin with http:// or https://", settings->telemetry_endpoint);
    struct telemetry *telemetry = calloc(1, sizeof *telemetry);
    struct queue *spans = queue_create(TELEMETRY_SPAN_QUEUE), *lines = queue_create(TELEMETRY_LOG_QUEUE);
    ASSERT(telemetry && spans && lines);
    telemetry->settings = settings;
    telemetry->metrics = metrics;
    telemetry->span_queue = spans;
    telemetry->line_queue = lines;
    telemetry->start_ns = telemetry_now_ns();
    telemetry->resource.version = version;
    telemetry->resource.process = getpid();
    struct uuid instance = uuid_make_v4();
    uuid_format(&instance, telemetry->resource.instance);
    if (gethostname(telemetry->resource.host, sizeof telemetry->resource.host - 1) != 0) telemetry->resource.host[0] = 0;
    unsigned char secret[TELEMETRY_SECRET_SIZE / 2];
    uuid_random_bytes(secret, sizeof secret);
    for (size_t i = 0; i < sizeof secret; i++) snprintf(telemetry->spans.secret + 2 * i, 3, "%02x", secret[i]);
    telemetry->spans.percent = settings->telemetry_traces_percent;
    telemetry->spans.ended = telemetry_span_ended;
    telemetry->spans.context = telemetry;
    telemetry_make_metrics(telemetry);
    telemetry->listener = (struct log_listener){telemetry_heard, telemetry};
    log_set_listener(&telemetry->listener);
    *ret_telemetry = telemetry;
    return ERROR_NONE;
}

enum error_code telemetry_start(struct telemetry *telemetry, const char *url, bool (*pin)(const void *context, char pin[LISTEN_TLS_PIN_SIZE]),
                                const void *pin_context, struct error *error)
{
    if (!telemetry) return ERROR_NONE;
    const char *endpoint = telemetry->settings->telemetry_endpoint, *key = telemetry->settings->telemetry_key;
    char header[sizeof TELEMETRY_OWN_HEADER + 2 + TELEMETRY_SECRET_SIZE + 1];
    enum error_code code = http_client_create(endpoint[0] ? endpoint : url, key[0] ? key : NULL, &telemetry->client, error);
    if (code) return code;
    snprintf(header, sizeof header, "%s: %s", TELEMETRY_OWN_HEADER, telemetry->spans.secret);
    http_client_header(telemetry->client, header);
    http_client_once(telemetry->client, TELEMETRY_REQUEST_MS);
    telemetry->pin = pin;
    telemetry->pin_context = pin_context;
    return os_thread_start(&telemetry->thread, "telemetry", telemetry_run, telemetry, error);
}

void telemetry_stop(struct telemetry *telemetry)
{
    if (!telemetry) return;
    log_set_listener(NULL);
    queue_close(telemetry->span_queue);
    os_thread_join(&telemetry->thread);
}

void telemetry_destroy(struct telemetry *telemetry)
{
    if (!telemetry) return;
    log_set_listener(NULL);
    void *item;
    while ((item = queue_pop(telemetry->span_queue, 0))) free(item);
    while ((item = queue_pop(telemetry->line_queue, 0))) free(item);
    queue_destroy(telemetry->span_queue);
    queue_destroy(telemetry->line_queue);
    for (size_t i = 0; i < TELEMETRY_SIGNAL_COUNT; i++) buffer_free(&telemetry->pending[i].items);
    http_client_destroy(telemetry->client);
    free(telemetry);
}
