-- Page views per day and path, with states that merge: what the page's charts over long ranges will read.
CREATE TABLE IF NOT EXISTS analytics.daily_pageviews
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `date` Date CODEC(Delta(2), ZSTD(1)),
    `path` String CODEC(ZSTD(1)),
    `pageviews` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    `visitors` AggregateFunction(uniq, String) CODEC(ZSTD(1)),

    `client_id` String ALIAS tenant_id,
    `project_id` String ALIAS tenant_id
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(date)
ORDER BY (tenant_id, date, path)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS analytics.daily_pageviews_mv TO analytics.daily_pageviews AS
SELECT
    tenant_id,
    toDate(created_at, 'UTC') AS date,
    path,
    count() AS pageviews,
    uniqStateIf(device_id, device_id != '') AS visitors
FROM analytics.events
WHERE name IN ('screen_view', 'page_view', 'pageview')
GROUP BY tenant_id, date, path;
