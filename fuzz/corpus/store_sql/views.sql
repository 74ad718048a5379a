CREATE TABLE IF NOT EXISTS analytics.events (tenant_id String, time DateTime, country String) ENGINE = MergeTree ORDER BY tenant_id;
CREATE TABLE IF NOT EXISTS analytics.events_hourly (tenant_id String, hour DateTime, n SimpleAggregateFunction(sum, UInt64), country String)
ENGINE = AggregatingMergeTree ORDER BY (tenant_id, hour);
CREATE TABLE IF NOT EXISTS analytics.countries (code String, name String) ENGINE = MergeTree ORDER BY code;
-- Local to local; the small table keeps its name.
CREATE MATERIALIZED VIEW IF NOT EXISTS analytics.events_hourly_mv TO analytics.events_hourly AS
SELECT tenant_id, toStartOfHour(time) AS hour, count() AS n, any(name) AS country
FROM analytics.events LEFT JOIN analytics.countries ON analytics.events.country = analytics.countries.code
GROUP BY tenant_id, hour;
CREATE VIEW IF NOT EXISTS analytics.hours AS SELECT tenant_id, hour, sum(n) AS n FROM analytics.events_hourly GROUP BY tenant_id, hour;
CREATE OR REPLACE VIEW analytics.hours AS SELECT 1 FROM analytics.events_hourly;
CREATE DICTIONARY IF NOT EXISTS analytics.country_names (code String, name String) PRIMARY KEY code
SOURCE(CLICKHOUSE(DB 'analytics' TABLE 'countries')) LAYOUT(COMPLEX_KEY_HASHED()) LIFETIME(60);
CREATE FUNCTION IF NOT EXISTS half AS (x) -> x / 2;
INSERT INTO analytics.events_hourly SELECT tenant_id, toStartOfHour(time), count(), '' FROM analytics.events GROUP BY 1, 2;
