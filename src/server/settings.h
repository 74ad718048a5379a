/* SPDX-License-Identifier: Apache-2.0 */
/* One table parses, bounds and documents every setting; docs/config.md is printed from it. */
#ifndef SERVER_SETTINGS_H
#define SERVER_SETTINGS_H

#include "base/buffer.h"
#include "base/error.h"

/*
 * Model: a setting gets its value from its default, then the file (`name = value` lines, '#' comments), then the
 * environment (MILLRACE_ and the name in capitals, dots as underscores), then flags (--name VALUE or --name=VALUE);
 * the last one wins and is remembered as the origin. All values live until the process ends.
 */
struct settings {
    const char *data;
    const char *listen;
    const char *otlp_grpc_listen;
    const char *otlp_http_listen;
    const char *tls_certificate_file;
    const char *tls_key_file;
    int64_t loops;
    const char *log_level;
    const char *meta_url;
    const char *security_secret_file;
    const char *trusted_proxies;
    int64_t http_body_limit_bytes;
    int64_t http_connection_limit;
    int64_t http_header_timeout_ms;
    int64_t http_body_timeout_ms;
    int64_t http_idle_timeout_ms;
    int64_t ingest_batch_bytes;
    int64_t ingest_duplicate_window_rows;
    int64_t ingest_duplicate_window_ms;
    int64_t analytics_session_timeout_ms;
    int64_t analytics_session_flush_ms;
    int64_t analytics_session_limit;
    int64_t metrics_rollup_interval_ms;
    int64_t metrics_series_limit;
    int64_t spool_commit_interval_us;
    int64_t spool_commit_bytes;
    int64_t spool_seal_rows;
    int64_t spool_seal_bytes;
    int64_t spool_seal_age_ms;
    int64_t spool_limit_bytes;
    int64_t audit_retention_days;
    int64_t query_threads;
    int64_t query_queue;
    int64_t query_timeout_ms;
    int64_t query_cache_ms;
    int64_t query_memory_bytes;
    const char *store_url;
    const char *store_user;
    const char *store_password;
    const char *store_password_file;
    const char *store_ca_file;
    const char *store_compression;
    const char *store_database_prefix;
    const char *store_cluster;
    int64_t store_connect_timeout_ms;
    const char *engine_library;
    int64_t engine_memory_bytes;
    const char *engine_listen;
    const char *public_url;
    const char *geo_database;
    const char *telemetry_key;
    const char *telemetry_endpoint;
    int64_t telemetry_interval_ms;
    int64_t telemetry_traces_percent;
    const char *mail_url;
    const char *mail_from;
    const char *mail_user;
    const char *mail_password;
    const char *mail_password_file;
    const char *mail_ca_file;
};

enum settings_origin { SETTINGS_DEFAULT, SETTINGS_FILE, SETTINGS_ENVIRONMENT, SETTINGS_FLAG };

/* Fills in defaults and the environment. ERROR_INVALID names the setting, its value and what is allowed. */
enum error_code settings_load(struct settings *settings, struct error *error) MUST_CHECK;
/* Reads a file over what is there, but does not touch what environment or flags have set. */
enum error_code settings_read_file(struct settings *settings, const char *path, struct error *error) MUST_CHECK;
/* Sets one value by the name of the setting. ERROR_NOT_FOUND when there is no such setting. */
enum error_code settings_set(struct settings *settings, struct slice name, const char *value, enum settings_origin origin,
                             struct error *error) MUST_CHECK;
/* Where a setting's value came from; the name must be one of the table. */
enum settings_origin settings_origin(const char *name);
/* Makes log.level the level of this process. ERROR_INVALID for a word that is none. */
enum error_code settings_apply_log_level(const struct settings *settings, struct error *error) MUST_CHECK;
/* "name = value  # origin" lines. */
void settings_print(const struct settings *settings, struct buffer *out);
/* The table as Markdown: docs/config.md. */
void settings_document(struct buffer *out);

#endif
