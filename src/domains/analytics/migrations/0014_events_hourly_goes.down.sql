CREATE TABLE IF NOT EXISTS analytics.events_hourly
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `name` LowCardinality(String) CODEC(ZSTD(1)),
    `hour` DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    `count` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    `devices` AggregateFunction(uniq, String) CODEC(ZSTD(1)),
    `sessions` AggregateFunction(uniq, String) CODEC(ZSTD(1)),

    `client_id` String ALIAS tenant_id,
    `project_id` String ALIAS tenant_id,
    `event_name` String ALIAS name
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (tenant_id, name, hour)
SETTINGS non_replicated_deduplication_window = 10000;

DROP VIEW IF EXISTS analytics.events_hourly_mv;
TRUNCATE TABLE IF EXISTS analytics.events_hourly;
INSERT INTO analytics.events_hourly
SELECT
    tenant_id,
    name,
    toStartOfHour(toDateTime(created_at, 'UTC'), 'UTC') AS hour,
    count() AS count,
    uniqStateIf(device_id, device_id != '') AS devices,
    uniqStateIf(session_id, session_id != '') AS sessions
FROM analytics.events
GROUP BY tenant_id, name, hour;

CREATE MATERIALIZED VIEW IF NOT EXISTS analytics.events_hourly_mv TO analytics.events_hourly AS
SELECT
    tenant_id,
    name,
    toStartOfHour(toDateTime(created_at, 'UTC'), 'UTC') AS hour,
    count() AS count,
    uniqStateIf(device_id, device_id != '') AS devices,
    uniqStateIf(session_id, session_id != '') AS sessions
FROM analytics.events
GROUP BY tenant_id, name, hour;
