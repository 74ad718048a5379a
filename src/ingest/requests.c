/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of answers given under an Idempotency-Key, and of bodies that are their own key. */
#include "ingest/requests.h"

extern const struct embedded_file ingest_requests_migrations[];

static const struct block_type uint16_type = {.kind = BLOCK_UINT16};
static const struct block_type uint64_type = {.kind = BLOCK_UINT64};
static const struct block_type string_type = {.kind = BLOCK_STRING};
static const struct block_type uuid_type = {.kind = BLOCK_UUID};
static const struct block_type milliseconds_type = {.kind = BLOCK_DATETIME64, .parameter = 3};

enum { REQUESTS_TENANT, REQUESTS_ID, REQUESTS_BODY_HASH, REQUESTS_STATUS, REQUESTS_CONTENT_TYPE, REQUESTS_ANSWER, REQUESTS_INGESTED_AT };
static const struct block_schema_column requests_columns[] = {
    [REQUESTS_TENANT] = {"tenant_id", &string_type},
    [REQUESTS_ID] = {"id", &uuid_type},
    [REQUESTS_BODY_HASH] = {"body_hash", &uint64_type},
    [REQUESTS_STATUS] = {"status", &uint16_type},
    [REQUESTS_CONTENT_TYPE] = {"content_type", &string_type},
    [REQUESTS_ANSWER] = {"answer", &string_type},
    [REQUESTS_INGESTED_AT] = {"ingested_at", &milliseconds_type},
};
static const struct block_schema requests_schema = {
    .database = "millrace", .table = "requests", .columns = requests_columns,
    .column_count = sizeof requests_columns / sizeof requests_columns[0]};
enum { BODIES_TENANT, BODIES_ID, BODIES_INGESTED_AT };
static const struct block_schema_column bodies_columns[] = {
    [BODIES_TENANT] = {"tenant_id", &string_type},
    [BODIES_ID] = {"id", &uuid_type},
    [BODIES_INGESTED_AT] = {"ingested_at", &milliseconds_type},
};
static const struct block_schema bodies_schema = {
    .database = "millrace", .table = "bodies", .columns = bodies_columns, .column_count = sizeof bodies_columns / sizeof bodies_columns[0]};
static const struct domain_table requests_tables[] = {
    {.schema = &requests_schema, .tenant_column = "tenant_id"},
    {.schema = &bodies_schema, .tenant_column = "tenant_id", .id_column = "id", .received_column = "ingested_at"},
};

const struct domain ingest_requests_domain = {
    .name = "requests", .tables = requests_tables, .table_count = sizeof requests_tables / sizeof requests_tables[0],
    .migrations = ingest_requests_migrations};

void ingest_requests_append(struct block *block, struct slice tenant, struct ingest_window_key key,
                            const struct ingest_answer *answer, int64_t now_ms)
{
    struct uuid id;
    memcpy(id.bytes, key.halves, sizeof id.bytes);
    block_append_string(block, REQUESTS_TENANT, tenant);
    block_append_uuid(block, REQUESTS_ID, &id);
    block_append_uint(block, REQUESTS_BODY_HASH, answer->body_hash);
    block_append_uint(block, REQUESTS_STATUS, (uint64_t)answer->status);
    block_append_string(block, REQUESTS_CONTENT_TYPE, answer->content_type);
    block_append_string(block, REQUESTS_ANSWER, answer->body);
    block_append_int(block, REQUESTS_INGESTED_AT, now_ms);
    block_row_commit(block);
}

void ingest_requests_append_body(struct block *block, struct slice tenant, const struct uuid *id, int64_t now_ms)
{
    block_append_string(block, BODIES_TENANT, tenant);
    block_append_uuid(block, BODIES_ID, id);
    block_append_int(block, BODIES_INGESTED_AT, now_ms);
    block_row_commit(block);
}
