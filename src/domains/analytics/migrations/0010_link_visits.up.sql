-- Who followed a short link: one row for each redirect of a person. Robots and repeated fetches are not in it.
CREATE TABLE IF NOT EXISTS analytics.link_visits
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `id` UUID CODEC(ZSTD(1)),
    `link_id` LowCardinality(String) CODEC(ZSTD(1)),
    `timestamp` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `referrer` String CODEC(ZSTD(1)),
    `user_agent` String CODEC(ZSTD(1)),
    `ip_hash` String CODEC(ZSTD(1)),
    `country` LowCardinality(String) CODEC(ZSTD(1)),
    `region` LowCardinality(String) CODEC(ZSTD(1)),
    `city` LowCardinality(String) CODEC(ZSTD(1)),
    `browser_name` LowCardinality(String) CODEC(ZSTD(1)),
    `device_type` LowCardinality(String) CODEC(ZSTD(1)),
    `ingested_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `segment` UInt64 CODEC(ZSTD(1)),

    `client_id` String ALIAS tenant_id,
    `project_id` String ALIAS tenant_id,

    INDEX segment_minmax segment TYPE minmax GRANULARITY 1,
    INDEX ingested_at_minmax ingested_at TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(timestamp)
ORDER BY (tenant_id, link_id, timestamp)
SETTINGS non_replicated_deduplication_window = 10000;
