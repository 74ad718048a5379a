-- Hashes of request bodies that were stored, for routes whose clients send the same bytes again when they got no answer.
CREATE TABLE IF NOT EXISTS millrace.bodies
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `id` UUID CODEC(NONE), -- hash of route and body
    `ingested_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `segment` UInt64 CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(ingested_at)
ORDER BY (tenant_id, ingested_at)
TTL toDateTime(ingested_at) + INTERVAL 3 DAY
SETTINGS non_replicated_deduplication_window = 10000;
