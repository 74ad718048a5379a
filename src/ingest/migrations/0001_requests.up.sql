-- Answers given under an Idempotency-Key, written in the same group as the events they speak of.
CREATE TABLE IF NOT EXISTS millrace.requests
(
    `tenant_id` String CODEC(ZSTD(1)),
    `id` UUID CODEC(NONE), -- hash of tenant, route and Idempotency-Key
    `body_hash` UInt64 CODEC(NONE),
    `status` UInt16 CODEC(ZSTD(1)),
    `content_type` LowCardinality(String) CODEC(ZSTD(1)),
    `answer` String CODEC(ZSTD(1)),
    `ingested_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `segment` UInt64 CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(ingested_at)
ORDER BY (tenant_id, ingested_at)
TTL toDateTime(ingested_at) + INTERVAL 3 DAY
SETTINGS non_replicated_deduplication_window = 10000;
