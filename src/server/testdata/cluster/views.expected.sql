CREATE TABLE IF NOT EXISTS analytics.events_replicated ON CLUSTER 'events' (tenant_id String, time DateTime, country String) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/our_analytics/events_replicated', '{replica}') ORDER BY tenant_id;
CREATE TABLE IF NOT EXISTS analytics.events ON CLUSTER 'events' AS analytics.events_replicated
ENGINE = Distributed('events', 'our_analytics', 'events_replicated', sipHash64(tenant_id));
CREATE TABLE IF NOT EXISTS analytics.events_hourly_replicated ON CLUSTER 'events' (tenant_id String, hour DateTime, n SimpleAggregateFunction(sum, UInt64), country String)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/our_analytics/events_hourly_replicated', '{replica}') ORDER BY (tenant_id, hour);
CREATE TABLE IF NOT EXISTS analytics.events_hourly ON CLUSTER 'events' AS analytics.events_hourly_replicated
ENGINE = Distributed('events', 'our_analytics', 'events_hourly_replicated', sipHash64(tenant_id));
CREATE TABLE IF NOT EXISTS analytics.countries ON CLUSTER 'events' (code String, name String) ENGINE = ReplicatedMergeTree('/clickhouse/tables/all/our_analytics/countries', '{shard}-{replica}') ORDER BY code;
-- Local to local; the small table keeps its name.
CREATE MATERIALIZED VIEW IF NOT EXISTS analytics.events_hourly_mv ON CLUSTER 'events' TO analytics.events_hourly_replicated AS
SELECT tenant_id, toStartOfHour(time) AS hour, count() AS n, any(name) AS country
FROM analytics.events_replicated LEFT JOIN analytics.countries ON analytics.events_replicated.country = analytics.countries.code
GROUP BY tenant_id, hour;
CREATE VIEW IF NOT EXISTS analytics.hours ON CLUSTER 'events' AS SELECT tenant_id, hour, sum(n) AS n FROM analytics.events_hourly GROUP BY tenant_id, hour;
CREATE OR REPLACE VIEW analytics.hours ON CLUSTER 'events' AS SELECT 1 FROM analytics.events_hourly;
CREATE DICTIONARY IF NOT EXISTS analytics.country_names ON CLUSTER 'events' (code String, name String) PRIMARY KEY code
SOURCE(CLICKHOUSE(DB 'analytics' TABLE 'countries')) LAYOUT(COMPLEX_KEY_HASHED()) LIFETIME(60);
CREATE FUNCTION IF NOT EXISTS half ON CLUSTER 'events' AS (x) -> x / 2;
INSERT INTO analytics.events_hourly SELECT tenant_id, toStartOfHour(time), count(), '' FROM analytics.events GROUP BY 1, 2;
