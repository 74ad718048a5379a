-- Who did what, and from where. Rows come only from the outboxes of the metadata databases (control/audit.h), never from
-- a client. organization_id is the nil UUID for what belongs to the whole installation.
-- A server that dies for good between making an event durable and taking it out of the outbox leaves it to another one,
-- which may store it again: lists and checks take one row per id.
CREATE DATABASE IF NOT EXISTS observability;

CREATE TABLE IF NOT EXISTS observability.audit_logs
(
    `organization_id` LowCardinality(String) CODEC(ZSTD(1)),
    `timestamp` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `id` UUID CODEC(ZSTD(1)),
    `user_id` String CODEC(ZSTD(1)),
    `action` LowCardinality(String) CODEC(ZSTD(1)),
    `resource_type` LowCardinality(String) CODEC(ZSTD(1)),
    `resource_id` String CODEC(ZSTD(1)),
    `ip_address` String CODEC(ZSTD(1)),
    `user_agent` String CODEC(ZSTD(1)),
    `workspace_id` LowCardinality(String) CODEC(ZSTD(1)),
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `result` LowCardinality(String) CODEC(ZSTD(1)),
    `metadata` String CODEC(ZSTD(1)), -- a JSON object, byte for byte as it was hashed
    `actor_kind` LowCardinality(String) CODEC(ZSTD(1)),
    `actor_id` String CODEC(ZSTD(1)),
    `session_id` String CODEC(ZSTD(1)),
    `service` LowCardinality(String) CODEC(ZSTD(1)),
    `sequence` Int64 CODEC(Delta(8), ZSTD(1)),
    `previous_hash` String CODEC(ZSTD(1)),
    `hash` String CODEC(ZSTD(1)),
    `ingested_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `segment` UInt64 CODEC(ZSTD(1)),

    INDEX segment_minmax segment TYPE minmax GRANULARITY 1,
    INDEX sequence_minmax sequence TYPE minmax GRANULARITY 1,
    INDEX resource_bloom resource_id TYPE bloom_filter GRANULARITY 4
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(timestamp)
ORDER BY (organization_id, timestamp, id)
TTL toDateTime(timestamp) + INTERVAL 365 DAY
SETTINGS non_replicated_deduplication_window = 10000;
