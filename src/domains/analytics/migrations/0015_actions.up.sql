-- What people did besides looking at pages, with nothing but who, what and when: one event in five to ten on websites, and what
-- funnels and conversions are mostly about. Ordered by name, so that a funnel reads the rows of its steps and no others.
-- Filled from the events that are there already, from the beginning when this file is run again.
CREATE TABLE IF NOT EXISTS analytics.actions
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `name` LowCardinality(String) CODEC(ZSTD(1)),
    `created_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `device_hash` UInt64 CODEC(ZSTD(1)),
    `profile_hash` UInt64 CODEC(ZSTD(1)),

    `project_id` String ALIAS tenant_id,
    `client_id` String ALIAS tenant_id
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(created_at)
ORDER BY (tenant_id, name, created_at)
SETTINGS non_replicated_deduplication_window = 10000;

DROP VIEW IF EXISTS analytics.actions_feed;
TRUNCATE TABLE IF EXISTS analytics.actions;

INSERT INTO analytics.actions
SELECT
    tenant_id,
    name,
    created_at,
    if(device_id = '', 0, cityHash64(device_id)) AS device_hash,
    if(profile_id = '', 0, cityHash64(profile_id)) AS profile_hash
FROM analytics.events
WHERE name NOT IN ('screen_view', 'page_view', 'pageview', 'page_exit', 'session_start', 'session_end');

CREATE MATERIALIZED VIEW IF NOT EXISTS analytics.actions_feed TO analytics.actions AS
SELECT
    tenant_id,
    name,
    created_at,
    if(device_id = '', 0, cityHash64(device_id)) AS device_hash,
    if(profile_id = '', 0, cityHash64(profile_id)) AS profile_hash
FROM analytics.events
WHERE name NOT IN ('screen_view', 'page_view', 'pageview', 'page_exit', 'session_start', 'session_end');
