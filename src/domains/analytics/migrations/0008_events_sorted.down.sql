-- Back to the order of 0001.
DROP TABLE IF EXISTS analytics.events_unsorted;

CREATE TABLE analytics.events_unsorted
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `id` UUID CODEC(ZSTD(1)),
    `name` LowCardinality(String) CODEC(ZSTD(1)),
    `created_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `session_id` String CODEC(ZSTD(1)),
    `device_id` String CODEC(ZSTD(1)),
    `profile_id` String CODEC(ZSTD(1)),
    `event_type` LowCardinality(String) DEFAULT 'track' CODEC(ZSTD(1)),
    `event_id` String CODEC(ZSTD(1)),
    `session_start_time` Nullable(DateTime64(3, 'UTC')) CODEC(Delta(8), ZSTD(1)),
    `sdk_name` LowCardinality(String) CODEC(ZSTD(1)),
    `sdk_version` LowCardinality(String) CODEC(ZSTD(1)),
    `path` String CODEC(ZSTD(1)),
    `origin` LowCardinality(String) CODEC(ZSTD(1)),
    `query_string` String CODEC(ZSTD(1)),
    `hash` String CODEC(ZSTD(1)),
    `title` String CODEC(ZSTD(1)),
    `referrer` String CODEC(ZSTD(1)),
    `referrer_name` LowCardinality(String) CODEC(ZSTD(1)),
    `referrer_type` LowCardinality(String) CODEC(ZSTD(1)),
    `ip` String CODEC(ZSTD(1)),
    `user_agent` String CODEC(ZSTD(1)),
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
    `screen_resolution` LowCardinality(String) CODEC(ZSTD(1)),
    `viewport_size` LowCardinality(String) CODEC(ZSTD(1)),
    `language` LowCardinality(String) CODEC(ZSTD(1)),
    `timezone` LowCardinality(String) CODEC(ZSTD(1)),
    `connection_type` LowCardinality(String) CODEC(ZSTD(1)),
    `rtt` Nullable(Int16) CODEC(ZSTD(1)),
    `downlink` Nullable(Float32) CODEC(ZSTD(1)),
    `time_on_page` Nullable(Float32) CODEC(ZSTD(1)),
    `scroll_depth` Nullable(Float32) CODEC(ZSTD(1)),
    `interaction_count` Nullable(Int16) CODEC(ZSTD(1)),
    `page_count` UInt16 DEFAULT 1 CODEC(ZSTD(1)),
    `utm_source` LowCardinality(String) CODEC(ZSTD(1)),
    `utm_medium` LowCardinality(String) CODEC(ZSTD(1)),
    `utm_campaign` LowCardinality(String) CODEC(ZSTD(1)),
    `utm_term` LowCardinality(String) CODEC(ZSTD(1)),
    `utm_content` LowCardinality(String) CODEC(ZSTD(1)),
    `gclid` String CODEC(ZSTD(1)),
    `load_time` Nullable(Int32) CODEC(ZSTD(1)),
    `dom_ready_time` Nullable(Int32) CODEC(ZSTD(1)),
    `dom_interactive` Nullable(Int32) CODEC(ZSTD(1)),
    `ttfb` Nullable(Int32) CODEC(ZSTD(1)),
    `connection_time` Nullable(Int32) CODEC(ZSTD(1)),
    `request_time` Nullable(Int32) CODEC(ZSTD(1)),
    `render_time` Nullable(Int32) CODEC(ZSTD(1)),
    `redirect_time` Nullable(Int32) CODEC(ZSTD(1)),
    `domain_lookup_time` Nullable(Int32) CODEC(ZSTD(1)),
    `duration` UInt64 CODEC(ZSTD(1)),
    `revenue` Nullable(Decimal(18, 4)) CODEC(ZSTD(1)),
    `groups` Array(String) CODEC(ZSTD(1)),
    `properties` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `imported_at` Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    `ingested_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `segment` UInt64 CODEC(ZSTD(1)), -- the loader's segment: tells which segments the table holds

    `client_id` String ALIAS tenant_id,
    `project_id` String ALIAS tenant_id,
    `event_name` String ALIAS name,
    `time` DateTime64(3, 'UTC') ALIAS created_at,
    `timestamp` DateTime64(3, 'UTC') ALIAS created_at,
    `anonymous_id` String ALIAS device_id,
    `url` String ALIAS concat(origin, path, query_string),
    `browser_name` String ALIAS browser,
    `os_name` String ALIAS os,
    `device_type` String ALIAS device,
    `device_brand` String ALIAS brand,
    `device_model` String ALIAS model,

    INDEX segment_minmax segment TYPE minmax GRANULARITY 1,
    INDEX ingested_at_minmax ingested_at TYPE minmax GRANULARITY 1,
    INDEX session_id_bloom session_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX device_id_bloom device_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX profile_id_bloom profile_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(created_at)
ORDER BY (tenant_id, toDate(created_at), name, created_at)
SETTINGS non_replicated_deduplication_window = 10000;

INSERT INTO analytics.events_unsorted SELECT * FROM analytics.events;

-- Materialized views follow the name.
EXCHANGE TABLES analytics.events_unsorted AND analytics.events;

DROP TABLE IF EXISTS analytics.events_unsorted;
