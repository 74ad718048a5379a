/* SPDX-License-Identifier: Apache-2.0 */
/* Traces, logs and metrics: OpenTelemetry and Prometheus in, answers for their clients out. */
#ifndef DOMAINS_OBSERVABILITY_OBSERVABILITY_H
#define DOMAINS_OBSERVABILITY_OBSERVABILITY_H

#include "domain/domain.h"

/*
 * Rooms of the domain
 *   tables.def         every table ingest fills, column by column
 *   otlp/              OTLP requests (protobuf and JSON by the same tables) to rows
 *   dialects/          Zipkin's spans and Loki's lines, turned into OTLP requests
 *   prometheus/        remote write to rows
 *   ask/               questions: traces, logs, metrics, the APIs of Prometheus and Jaeger
 *   migrations/        the tables in SQL, with the names that document 001 prints as aliases and views
 */
extern const struct domain observability_domain;

enum observability_table {
#define TABLE(symbol, ...) OBSERVABILITY_##symbol,
#define COLUMN(symbol, column, name, type)
#define TABLE_END(symbol)
#include "domains/observability/tables.def"
#undef TABLE
#undef COLUMN
#undef TABLE_END
    OBSERVABILITY_TABLE_COUNT
};
/* Positions of columns: TRACES_TIMESTAMP, LOGS_BODY, .. */
#define TABLE(symbol, ...) enum symbol##_column {
#define COLUMN(symbol, column, name, type) symbol##_##column,
#define TABLE_END(symbol) symbol##_COLUMN_COUNT };
#include "domains/observability/tables.def"
#undef TABLE
#undef COLUMN
#undef TABLE_END

/* tables.c */
extern const struct block_schema observability_schemas[OBSERVABILITY_TABLE_COUNT];
/* Begins a row: the first four columns of every table. */
void observability_row_begin(struct block *block, const struct tenant_info *tenant, enum tenant_signal signal);
uint16_t observability_retention_days(const struct tenant_info *tenant, enum tenant_signal signal);

/* Why an item of that time cannot be stored: absent, more than ten minutes in the future, or to be dropped at once. NULL: it can. The text lasts until the next call
 * on the same thread. */
#define OBSERVABILITY_FUTURE_MS (10 * 60 * 1000)
const char *observability_time_refusal(const char *field, uint64_t unix_nano, int64_t now_ms, uint16_t retention_days);

/* Of a request after decompression: what OTLP recommends. */
#define OBSERVABILITY_BODY_LIMIT_BYTES (64u << 20)
/* Items of one request: a collector's batch has 8,192; this many hold their loop for half a second. */
#define OBSERVABILITY_ITEM_LIMIT 500000

/* key.c: the key in any of the forms that senders of telemetry use; never in the address. May point into the request's arena. */
struct slice observability_find_key(const struct request *request);
/*
 * Senders may say whose telemetry it is: headers X-Tenant-ID, X-Workspace-ID, X-Organization-ID, resource attributes telemetryflow.tenant.id,
 * .workspace.id, .organization.id. The key decides; whoever names another gets ERROR_FORBIDDEN for the whole request.
 */
enum error_code observability_owner_headers_check(const struct request *request, const struct tenant_info *tenant, struct error *error) MUST_CHECK;
enum error_code observability_owner_attribute_check(struct slice key, struct slice value, const struct tenant_info *tenant, struct error *error) MUST_CHECK;

/* The same for questions: a bearer is left to the rules of all routes, for it may be a user's token. */
struct slice observability_find_reader_key(const struct request *request);

#endif
