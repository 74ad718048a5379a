/* SPDX-License-Identifier: Apache-2.0 */
/* The settings table. */
#include "server/settings.h"

#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/log.h"
#include "os/file.h"

/* A secret is text that is never printed. */
enum setting_type { SETTING_TEXT, SETTING_SECRET, SETTING_INTEGER, SETTING_BYTES, SETTING_MILLISECONDS, SETTING_MICROSECONDS };

struct setting {
    const char *name;
    enum setting_type type;
    size_t offset;
    const char *value;   /* default, as one would write it */
    int64_t least, most; /* for numbers */
    const char *help;
};

#define KIB 1024LL
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define DAY_MS 86400000LL
#define AT(field) offsetof(struct settings, field)

static const struct setting settings_table[] = {
    {"data", SETTING_TEXT, AT(data), "./data", 0, 0, "Folder that holds everything: metadata, spool, event store."},
    {"listen", SETTING_TEXT, AT(listen), "127.0.0.1:8080", 0, 0, "HOST:PORT to serve on; port 0 picks a free one."},
    {"otlp.grpc_listen", SETTING_TEXT, AT(otlp_grpc_listen), "127.0.0.1:4317", 0, 0,
     "Another HOST:PORT to serve on, where OpenTelemetry exporters send gRPC when nobody tells them; empty: none. Every address serves everything. When it is taken and nobody has set it, the server runs without it."},
    {"otlp.http_listen", SETTING_TEXT, AT(otlp_http_listen), "127.0.0.1:4318", 0, 0,
     "The same for OpenTelemetry over HTTP."},
    {"tls.certificate_file", SETTING_TEXT, AT(tls_certificate_file), "", 0, 0,
     "Certificate (PEM, with those that lead to the root): all addresses of the server speak TLS, and nothing else; empty: plain HTTP. It is read again when the file changes."},
    {"tls.key_file", SETTING_TEXT, AT(tls_key_file), "", 0, 0, "Its key (PEM, without a passphrase)."},
    {"loops", SETTING_INTEGER, AT(loops), "0", 0, 256, "Event loops; 0: one per processor."},
    {"log.level", SETTING_TEXT, AT(log_level), "info", 0, 0, "debug, info, warn or error."},
    {"meta.url", SETTING_SECRET, AT(meta_url), "", 0, 0,
     "Database of what people own (users, keys, dashboards, ..): postgres://USER:PASSWORD@HOST:PORT/DATABASE, which several servers may share; empty: SQLite files in the data folder."},
    {"security.secret_file", SETTING_TEXT, AT(security_secret_file), "", 0, 0,
     "File with the installation's secret, 32 bytes or 64 hexadecimal digits; empty: the data folder's file secret or, with meta.url, the metadata database holds it. It is made at the first start and opens what is sealed: keep a copy."},
    {"http.trusted_proxies", SETTING_TEXT, AT(trusted_proxies), "loopback", 0, 0,
     "Peers whose forwarding headers are believed when the client's address is looked for: addresses, prefixes, or loopback; comma-separated."},
    {"http.public_url", SETTING_TEXT, AT(public_url), "", 0, 0,
     "Address of the page as people type it, https://analytics.example: for links in mails and for single sign-on."},
    {"http.body_limit", SETTING_BYTES, AT(http_body_limit_bytes), "1MiB", KIB, GIB,
     "Body limit of routes that have none of their own, after decompression."},
    {"http.connection_limit", SETTING_INTEGER, AT(http_connection_limit), "10000", 16, 1000000,
     "Connections per event loop and address; more are closed at once."},
    {"http.header_timeout", SETTING_MILLISECONDS, AT(http_header_timeout_ms), "10s", 100, DAY_MS,
     "From the first byte of a request to its complete header."},
    {"http.body_timeout", SETTING_MILLISECONDS, AT(http_body_timeout_ms), "20s", 100, DAY_MS,
     "Longest pause between two bytes of a body."},
    {"http.idle_timeout", SETTING_MILLISECONDS, AT(http_idle_timeout_ms), "75s", 100, DAY_MS,
     "How long a connection may stay open without a request."},
    {"ingest.batch_bytes", SETTING_BYTES, AT(ingest_batch_bytes), "16MiB", MIB, GIB,
     "Rows one event loop may hold that are not handed to the spool yet; past it requests get 503."},
    {"ingest.duplicate_window_rows", SETTING_INTEGER, AT(ingest_duplicate_window_rows), "1000000", 1000, 1000000000,
     "Event ids remembered at least, to store an event once that a client sends twice. 32 bytes each."},
    {"ingest.duplicate_window", SETTING_MILLISECONDS, AT(ingest_duplicate_window_ms), "24h", 1000, 365 * DAY_MS,
     "How long an event id is remembered at least, unless ingest.duplicate_window_rows is reached first."},
    {"analytics.session_timeout", SETTING_MILLISECONDS, AT(analytics_session_timeout_ms), "30m", 1000, DAY_MS,
     "A visit whose device is silent for longer than this is over; the next event begins another one."},
    {"analytics.session_flush", SETTING_MILLISECONDS, AT(analytics_session_flush_ms), "5s", 100, DAY_MS,
     "How often rows of visits that changed are written, and visits that are over are ended."},
    {"analytics.session_limit", SETTING_INTEGER, AT(analytics_session_limit), "200000", 1000, 100000000,
     "Visits held in memory, about 1 KiB each; beyond it the oldest end early, and rows of new ones are made by queries."},
    {"metrics.rollup_interval", SETTING_MILLISECONDS, AT(metrics_rollup_interval_ms), "1m", 10, DAY_MS,
     "How often hours that are over, and those that late samples came for, are added up to metric_samples_hourly and _daily."},
    {"metrics.series_limit", SETTING_INTEGER, AT(metrics_series_limit), "5000000", 1, 50000000,
     "Series of metrics a tenant may send in one UTC day; new ones beyond it are refused, those already there go on. Each takes some 8 bytes of memory."},
    {"spool.commit_interval", SETTING_MICROSECONDS, AT(spool_commit_interval_us), "0us", 0, 1000000,
     "Wait this long for more rows before a sync; 0: sync as soon as rows are there (rows that come meanwhile share the next)."},
    {"spool.commit_bytes", SETTING_BYTES, AT(spool_commit_bytes), "8MiB", 64 * KIB, GIB, "A group is synced at this size at the latest."},
    {"spool.seal_rows", SETTING_INTEGER, AT(spool_seal_rows), "300000", 100, 10000000, "A segment goes to the event store at this many rows,"},
    {"spool.seal_bytes", SETTING_BYTES, AT(spool_seal_bytes), "40MiB", 64 * KIB, 4 * GIB, "or at this size,"},
    {"spool.seal_age", SETTING_MILLISECONDS, AT(spool_seal_age_ms), "600ms", 10, DAY_MS,
     "or at this age: how fresh answers are, against how many inserts the event store has to take."},
    {"spool.limit", SETTING_BYTES, AT(spool_limit_bytes), "10GiB", 16 * MIB, 1024 * GIB * 1024,
     "Disk the spool may use while the event store is away; at the limit requests get 503."},
    {"audit.retention_days", SETTING_INTEGER, AT(audit_retention_days), "365", 1, 36500,
     "How long audit events are kept in the event store."},
    {"query.threads", SETTING_INTEGER, AT(query_threads), "0", 0, 64, "Questions asked at the same time, of one tenant all but one; 0: twice the processors."},
    {"query.queue", SETTING_INTEGER, AT(query_queue), "256", 1, 100000, "Questions that may wait, of one tenant three quarters; more get 503."},
    {"query.memory", SETTING_BYTES, AT(query_memory_bytes), "900MiB", 64 * MIB, 1024 * GIB, "Most memory one question takes in the event store; at most a third of engine.memory when that is embedded."},
    {"query.cache", SETTING_MILLISECONDS, AT(query_cache_ms), "5s", 0, 3600000, "How old an answer may be that is given again; 0: every question is asked anew."},
    {"query.timeout", SETTING_MILLISECONDS, AT(query_timeout_ms), "30s", 100, DAY_MS, "Longest time for one question."},
    {"store.url", SETTING_TEXT, AT(store_url), "", 0, 0,
     "ClickHouse to use instead of the embedded event store: http(s)://HOST:PORT, several nodes of one cluster comma-separated; empty: the embedded one."},
    {"store.user", SETTING_TEXT, AT(store_user), "", 0, 0, "User for store.url; empty: the server's default user."},
    {"store.password", SETTING_SECRET, AT(store_password), "", 0, 0, "Its password. Better: store.password_file."},
    {"store.password_file", SETTING_TEXT, AT(store_password_file), "", 0, 0, "File whose first line is the password."},
    {"store.ca_file", SETTING_TEXT, AT(store_ca_file), "", 0, 0,
     "Certificates (PEM) that https hosts are checked against; empty: the system's. They are always checked."},
    {"store.compression", SETTING_TEXT, AT(store_compression), "zstd", 0, 0,
     "Of rows and answers on the way to and from store.url: none, gzip or zstd."},
    {"store.database_prefix", SETTING_TEXT, AT(store_database_prefix), "", 0, 0,
     "Put before the name of every database at store.url: prod_ makes prod_analytics."},
    {"store.cluster", SETTING_TEXT, AT(store_cluster), "", 0, 0,
     "Name of the cluster, as in the configuration of store.url: tables are made replicated and distributed over it; empty: one server."},
    {"store.connect_timeout", SETTING_MILLISECONDS, AT(store_connect_timeout_ms), "2s", 10, 60000,
     "For a connection to one host of store.url; then the next is tried."},
    {"engine.library", SETTING_TEXT, AT(engine_library), "", 0, 0,
     "Path of libchdb.so; empty: beside the program, then /usr/local/lib and /usr/lib."},
    {"engine.memory", SETTING_BYTES, AT(engine_memory_bytes), "1GiB", 256 * MIB, 1024 * GIB,
     "Memory the embedded event store may track for queries, inserts and merges."},
    {"engine.listen", SETTING_TEXT, AT(engine_listen), "", 0, 0,
     "Loopback HOST:PORT on which the embedded event store also speaks the ClickHouse HTTP protocol, without a password; empty: not at all."},
    {"geo.database", SETTING_TEXT, AT(geo_database), "", 0, 0,
     "Where addresses are: MaxMind DB files (*.mmdb) with cities, or folders of them, comma-separated; empty: the folder geo in the data folder or beside the program, if there is one."},
    {"telemetry.key", SETTING_SECRET, AT(telemetry_key), "", 0, 0,
     "Key (of a tenant of your own) with which the server stores its own metrics and log lines, as OpenTelemetry; empty, and telemetry.endpoint too: it does not."},
    {"telemetry.endpoint", SETTING_TEXT, AT(telemetry_endpoint), "", 0, 0,
     "Where to, by OTLP over HTTP (/v1/metrics and so on are added): https://collector.example:4318; empty: this server."},
    {"telemetry.interval", SETTING_MILLISECONDS, AT(telemetry_interval_ms), "15s", 100, 3600000, "How often."},
    {"telemetry.traces", SETTING_INTEGER, AT(telemetry_traces_percent), "0", 0, 100,
     "Percent of requests that make a span. A request with traceparent is for its sender to decide, unless this is 0."},
    {"mail.url", SETTING_TEXT, AT(mail_url), "", 0, 0,
     "Mail server: smtp://HOST:587 (STARTTLS is required unless the host is loopback) or smtps://HOST:465; empty: no mail is sent."},
    {"mail.from", SETTING_TEXT, AT(mail_from), "", 0, 0, "Sender of mails: Millrace <millrace@shop.example>."},
    {"mail.user", SETTING_TEXT, AT(mail_user), "", 0, 0, "User at the mail server; empty: no login."},
    {"mail.password", SETTING_SECRET, AT(mail_password), "", 0, 0, "Its password. Better: mail.password_file."},
    {"mail.password_file", SETTING_TEXT, AT(mail_password_file), "", 0, 0, "File whose first line is the password."},
    {"mail.ca_file", SETTING_TEXT, AT(mail_ca_file), "", 0, 0,
     "Certificates (PEM) that the mail server is checked against; empty: the system's. It is always checked."},
};
#define SETTINGS_COUNT (sizeof settings_table / sizeof settings_table[0])

static enum settings_origin settings_origins[SETTINGS_COUNT];
static const char *const settings_origin_names[] = {"default", "file", "environment", "flag"};

static const struct {
    const char *suffix;
    enum setting_type type;
    int64_t factor;
} settings_units[] = {
    {"KiB", SETTING_BYTES, KIB}, {"MiB", SETTING_BYTES, MIB}, {"GiB", SETTING_BYTES, GIB}, {"B", SETTING_BYTES, 1},
    {"ms", SETTING_MILLISECONDS, 1}, {"s", SETTING_MILLISECONDS, 1000}, {"m", SETTING_MILLISECONDS, 60000},
    {"h", SETTING_MILLISECONDS, 3600000}, {"d", SETTING_MILLISECONDS, DAY_MS},
    {"us", SETTING_MICROSECONDS, 1}, {"ms", SETTING_MICROSECONDS, 1000},
};

static bool settings_parse_number(enum setting_type type, const char *text, int64_t *value)
{
    struct slice rest = slice_trim(slice_from_string(text));
    size_t digits = 0;
    while (digits < rest.size && isdigit((unsigned char)rest.data[digits])) digits++;
    if (!slice_parse_int64(slice_first(rest, digits), value)) return false;
    struct slice suffix = slice_trim(slice_from(rest, digits));
    if (suffix.size == 0) return true;
    for (size_t i = 0; i < sizeof settings_units / sizeof settings_units[0]; i++)
        if (settings_units[i].type == type && slice_equal(suffix, slice_from_string(settings_units[i].suffix)))
            return !__builtin_mul_overflow(*value, settings_units[i].factor, value);
    return false;
}

static void settings_write_number(enum setting_type type, int64_t value, struct buffer *out)
{
    const char *suffix = type == SETTING_BYTES ? "B" : type == SETTING_MILLISECONDS ? "ms" : type == SETTING_MICROSECONDS ? "us" : "";
    int64_t factor = 1;
    for (size_t i = 0; i < sizeof settings_units / sizeof settings_units[0]; i++)
        if (settings_units[i].type == type && value && value % settings_units[i].factor == 0 && settings_units[i].factor >= factor) {
            factor = settings_units[i].factor;
            suffix = settings_units[i].suffix;
        }
    buffer_printf(out, "%lld%s", (long long)(value / factor), suffix);
}

static bool settings_is_text(const struct setting *setting)
{
    return setting->type == SETTING_TEXT || setting->type == SETTING_SECRET;
}

/* Every text that was ever set: they live until the process ends. */
static struct settings_text {
    struct settings_text *next;
    char text[];
} *settings_texts;

static const char *settings_keep_text(const char *value)
{
    size_t size = strlen(value) + 1;
    struct settings_text *kept = malloc(sizeof *kept + size);
    ASSERT(kept != NULL);
    memcpy(kept->text, value, size);
    kept->next = settings_texts;
    settings_texts = kept;
    return kept->text;
}

static enum error_code settings_apply(struct settings *settings, size_t index, const char *value, enum settings_origin origin,
                                      struct error *error)
{
    const struct setting *setting = &settings_table[index];
    if (origin < settings_origins[index]) return ERROR_NONE; /* a flag stays above the file */
    char *field = (char *)settings + setting->offset;
    if (settings_is_text(setting)) {
        const char *copy = settings_keep_text(value);
        memcpy(field, &copy, sizeof copy);
    } else {
        int64_t number;
        if (!settings_parse_number(setting->type, value, &number) || number < setting->least || number > setting->most) {
            struct buffer range = {0};
            settings_write_number(setting->type, setting->least, &range);
            buffer_append_string(&range, " to ");
            settings_write_number(setting->type, setting->most, &range);
            error_set_field(error, ERROR_INVALID, setting->name, "setting %s: \"%s\" (from %s) is not allowed; allowed is %.*s",
                            setting->name, value, settings_origin_names[origin], SLICE_ARGS(buffer_slice(&range)));
            buffer_free(&range);
            return ERROR_INVALID;
        }
        memcpy(field, &number, sizeof number);
    }
    settings_origins[index] = origin;
    return ERROR_NONE;
}

static void settings_environment_name(const char *name, char *out, size_t size)
{
    int used = snprintf(out, size, "MILLRACE_%s", name);
    for (int i = 0; i < used && out[i]; i++) out[i] = out[i] == '.' ? '_' : (char)toupper((unsigned char)out[i]);
}

enum error_code settings_load(struct settings *settings, struct error *error)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        settings_origins[i] = SETTINGS_DEFAULT;
        enum error_code code = settings_apply(settings, i, settings_table[i].value, SETTINGS_DEFAULT, error);
        if (code != ERROR_NONE) return code;
        char name[128];
        settings_environment_name(settings_table[i].name, name, sizeof name);
        const char *value = getenv(name);
        if (value && (code = settings_apply(settings, i, value, SETTINGS_ENVIRONMENT, error)) != ERROR_NONE) return code;
    }
    return ERROR_NONE;
}

enum error_code settings_set(struct settings *settings, struct slice name, const char *value, enum settings_origin origin,
                             struct error *error)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++)
        if (slice_equal(name, slice_from_string(settings_table[i].name)))
            return settings_apply(settings, i, value, origin, error);
    return error_set(error, ERROR_NOT_FOUND, "there is no setting \"%.*s\" (see docs/config.md)", SLICE_ARGS(name));
}

enum settings_origin settings_origin(const char *name)
{
    size_t i = 0;
    while (i < SETTINGS_COUNT && strcmp(settings_table[i].name, name) != 0) i++;
    ASSERT(i < SETTINGS_COUNT);
    return settings_origins[i];
}

enum error_code settings_read_file(struct settings *settings, const char *path, struct error *error)
{
    struct buffer text = {0};
    enum error_code code = os_file_read(path, MIB, &text, error);
    struct slice rest = buffer_slice(&text);
    for (int line = 1; code == ERROR_NONE && rest.size; line++) {
        struct slice content = slice_cut(&rest, '\n');
        struct slice before_comment = slice_trim(slice_cut(&content, '#'));
        if (before_comment.size == 0) continue;
        bool has_value = slice_index_of(before_comment, '=') >= 0;
        struct slice name = slice_trim(slice_cut(&before_comment, '=')), text_value = slice_trim(before_comment);
        char value[1024];
        snprintf(value, sizeof value, "%.*s", SLICE_ARGS(text_value));
        struct error inner;
        if (!has_value) code = error_set(&inner, ERROR_INVALID, "there is no '='; lines are `name = value`");
        else if (text_value.size >= sizeof value)
            code = error_set(&inner, ERROR_INVALID, "the value is longer than %zu bytes", sizeof value - 1);
        else code = settings_set(settings, name, value, SETTINGS_FILE, &inner);
        if (code == ERROR_NOT_FOUND) code = ERROR_INVALID;
        if (code != ERROR_NONE) error_set(error, code, "%s line %d: %s", path, line, inner.message);
    }
    buffer_free(&text);
    return code;
}

enum error_code settings_apply_log_level(const struct settings *settings, struct error *error)
{
    static const struct {
        const char *name;
        enum log_level level;
    } levels[] = {{"debug", LOG_LEVEL_DEBUG}, {"info", LOG_LEVEL_INFO}, {"warn", LOG_LEVEL_WARN}, {"error", LOG_LEVEL_ERROR}};
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
        if (strcmp(settings->log_level, levels[i].name) == 0) {
            log_set_level(levels[i].level);
            return ERROR_NONE;
        }
    return error_set_field(error, ERROR_INVALID, "log.level", "setting log.level: \"%s\" is none of debug, info, warn, error",
                           settings->log_level);
}

static void settings_write_value(const struct settings *settings, const struct setting *setting, struct buffer *out)
{
    const char *field = (const char *)settings + setting->offset;
    if (settings_is_text(setting)) {
        const char *text;
        memcpy(&text, field, sizeof text);
        buffer_append_string(out, setting->type == SETTING_SECRET && text[0] ? "***" : text);
    } else {
        int64_t number;
        memcpy(&number, field, sizeof number);
        settings_write_number(setting->type, number, out);
    }
}

void settings_print(const struct settings *settings, struct buffer *out)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        buffer_printf(out, "%s = ", settings_table[i].name);
        settings_write_value(settings, &settings_table[i], out);
        buffer_printf(out, "  # %s\n", settings_origin_names[settings_origins[i]]);
    }
}

void settings_document(struct buffer *out)
{
    buffer_append_string(out,
        "# Settings\n\nPrinted by `millrace serve --document-config`; the table in `src/server/settings.c` is the source.\n\n"
        "A value comes from its default, then from a file (`--config FILE`, lines `name = value`), then from the environment\n"
        "(`MILLRACE_SPOOL_SEAL_AGE` for `spool.seal_age`), then from a flag (`--spool.seal_age 1s`); the last one wins.\n"
        "`millrace serve --print-config` shows the values in force and where each came from.\n\n"
        "| setting | default | allowed | meaning |\n| --- | --- | --- | --- |\n");
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        const struct setting *setting = &settings_table[i];
        buffer_printf(out, "| `%s` | %s%s%s | ", setting->name, setting->value[0] ? "`" : "", setting->value[0] ? setting->value : "(empty)",
                      setting->value[0] ? "`" : "");
        if (settings_is_text(setting)) buffer_append_string(out, "text");
        else {
            settings_write_number(setting->type, setting->least, out);
            buffer_append_string(out, " to ");
            settings_write_number(setting->type, setting->most, out);
        }
        buffer_printf(out, " | %s |\n", setting->help);
    }
}
