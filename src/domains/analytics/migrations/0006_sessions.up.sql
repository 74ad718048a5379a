-- One row per visit, kept up to date while it lasts: a new version of a row comes with one that cancels the version
-- before. Ask with sum(sign * x), or FINAL. Rows arrive by way of session_changes, because rows of a collapsing table vanish
-- in merges and could not be counted when an insert must be repeated.
CREATE TABLE IF NOT EXISTS analytics.sessions
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `id` String CODEC(ZSTD(1)),
    `profile_id` String CODEC(ZSTD(1)),
    `device_id` String CODEC(ZSTD(1)),
    `groups` Array(String) CODEC(ZSTD(1)),
    `created_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `ended_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `duration` UInt32 CODEC(ZSTD(1)), -- ms
    `is_bounce` Bool CODEC(ZSTD(1)),
    `entry_origin` LowCardinality(String) CODEC(ZSTD(1)),
    `entry_path` String CODEC(ZSTD(1)),
    `exit_origin` LowCardinality(String) CODEC(ZSTD(1)),
    `exit_path` String CODEC(ZSTD(1)),
    `screen_view_count` Int32 CODEC(ZSTD(1)),
    `event_count` Int32 CODEC(ZSTD(1)),
    `revenue` Decimal(38, 4) CODEC(ZSTD(1)),
    `country` LowCardinality(String) CODEC(ZSTD(1)),
    `region` LowCardinality(String) CODEC(ZSTD(1)),
    `city` LowCardinality(String) CODEC(ZSTD(1)),
    `longitude` Nullable(Float32) CODEC(ZSTD(1)),
    `latitude` Nullable(Float32) CODEC(ZSTD(1)),
    `os` LowCardinality(String) CODEC(ZSTD(1)),
    `os_version` LowCardinality(String) CODEC(ZSTD(1)),
    `browser` LowCardinality(String) CODEC(ZSTD(1)),
    `browser_version` LowCardinality(String) CODEC(ZSTD(1)),
    `device` LowCardinality(String) CODEC(ZSTD(1)),
    `brand` LowCardinality(String) CODEC(ZSTD(1)),
    `model` LowCardinality(String) CODEC(ZSTD(1)),
    `utm_source` LowCardinality(String) CODEC(ZSTD(1)),
    `utm_medium` LowCardinality(String) CODEC(ZSTD(1)),
    `utm_campaign` LowCardinality(String) CODEC(ZSTD(1)),
    `utm_term` LowCardinality(String) CODEC(ZSTD(1)),
    `utm_content` LowCardinality(String) CODEC(ZSTD(1)),
    `referrer` String CODEC(ZSTD(1)),
    `referrer_name` LowCardinality(String) CODEC(ZSTD(1)),
    `referrer_type` LowCardinality(String) CODEC(ZSTD(1)),
    `sign` Int8 CODEC(ZSTD(1)),
    `version` UInt64 CODEC(ZSTD(1)),
    `written_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),

    `project_id` String ALIAS tenant_id,
    `client_id` String ALIAS tenant_id,
    `session_id` String ALIAS id,

    INDEX id_bloom id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX written_at_minmax written_at TYPE minmax GRANULARITY 1
)
ENGINE = VersionedCollapsingMergeTree(sign, version)
PARTITION BY toYYYYMM(created_at)
ORDER BY (tenant_id, toStartOfHour(toDateTime(created_at, 'UTC')), id)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS analytics.session_changes
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `id` String CODEC(ZSTD(1)),
    `profile_id` String CODEC(ZSTD(1)),
    `device_id` String CODEC(ZSTD(1)),
    `groups` Array(String) CODEC(ZSTD(1)),
    `created_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `ended_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `duration` UInt32 CODEC(ZSTD(1)),
    `is_bounce` Bool CODEC(ZSTD(1)),
    `entry_origin` LowCardinality(String) CODEC(ZSTD(1)),
    `entry_path` String CODEC(ZSTD(1)),
    `exit_origin` LowCardinality(String) CODEC(ZSTD(1)),
    `exit_path` String CODEC(ZSTD(1)),
    `screen_view_count` Int32 CODEC(ZSTD(1)),
    `event_count` Int32 CODEC(ZSTD(1)),
    `revenue` Decimal(38, 4) CODEC(ZSTD(1)),
    `country` LowCardinality(String) CODEC(ZSTD(1)),
    `region` LowCardinality(String) CODEC(ZSTD(1)),
    `city` LowCardinality(String) CODEC(ZSTD(1)),
    `longitude` Nullable(Float32) CODEC(ZSTD(1)),
    `latitude` Nullable(Float32) CODEC(ZSTD(1)),
    `os` LowCardinality(String) CODEC(ZSTD(1)),
    `os_version` LowCardinality(String) CODEC(ZSTD(1)),
    `browser` LowCardinality(String) CODEC(ZSTD(1)),
    `browser_version` LowCardinality(String) CODEC(ZSTD(1)),
    `device` LowCardinality(String) CODEC(ZSTD(1)),
    `brand` LowCardinality(String) CODEC(ZSTD(1)),
    `model` LowCardinality(String) CODEC(ZSTD(1)),
    `utm_source` LowCardinality(String) CODEC(ZSTD(1)),
    `utm_medium` LowCardinality(String) CODEC(ZSTD(1)),
    `utm_campaign` LowCardinality(String) CODEC(ZSTD(1)),
    `utm_term` LowCardinality(String) CODEC(ZSTD(1)),
    `utm_content` LowCardinality(String) CODEC(ZSTD(1)),
    `referrer` String CODEC(ZSTD(1)),
    `referrer_name` LowCardinality(String) CODEC(ZSTD(1)),
    `referrer_type` LowCardinality(String) CODEC(ZSTD(1)),
    `sign` Int8 CODEC(ZSTD(1)),
    `version` UInt64 CODEC(ZSTD(1)),
    `written_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `segment` UInt64 CODEC(ZSTD(1)),

    `project_id` String ALIAS tenant_id,
    `client_id` String ALIAS tenant_id,

    INDEX segment_minmax segment TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(written_at)
ORDER BY (tenant_id, written_at)
TTL toDateTime(written_at) + INTERVAL 7 DAY
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS analytics.session_changes_mv TO analytics.sessions AS
SELECT
    tenant_id, id, profile_id, device_id, groups, created_at, ended_at, duration, is_bounce, entry_origin, entry_path, exit_origin,
    exit_path, screen_view_count, event_count, revenue, country, region, city, longitude, latitude, os, os_version, browser,
    browser_version, device, brand, model, utm_source, utm_medium, utm_campaign, utm_term, utm_content, referrer, referrer_name,
    referrer_type, sign, version, written_at
FROM analytics.session_changes;
