-- What browsers report beside events, what payment services and programs report, and what was turned away.
-- Each row has its dimensions (country, browser, ...) itself: a report needs no join with events.
CREATE DATABASE IF NOT EXISTS analytics;
CREATE DATABASE IF NOT EXISTS observability; -- the audit domain's; whichever comes first makes it

-- One measurement of one page view.
CREATE TABLE IF NOT EXISTS analytics.web_vitals_spans
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `id` UUID CODEC(ZSTD(1)),
    `timestamp` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `device_id` String CODEC(ZSTD(1)),
    `session_id` String CODEC(ZSTD(1)),
    `profile_id` String CODEC(ZSTD(1)),
    `origin` LowCardinality(String) CODEC(ZSTD(1)),
    `path` String CODEC(ZSTD(1)),
    `metric_name` LowCardinality(String) CODEC(ZSTD(1)),
    `metric_value` Float64 CODEC(Gorilla, ZSTD(1)),
    `country` LowCardinality(String) CODEC(ZSTD(1)),
    `region` LowCardinality(String) CODEC(ZSTD(1)),
    `city` LowCardinality(String) CODEC(ZSTD(1)),
    `browser` LowCardinality(String) CODEC(ZSTD(1)),
    `browser_version` LowCardinality(String) CODEC(ZSTD(1)),
    `os` LowCardinality(String) CODEC(ZSTD(1)),
    `os_version` LowCardinality(String) CODEC(ZSTD(1)),
    `device` LowCardinality(String) CODEC(ZSTD(1)),
    `ingested_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `segment` UInt64 CODEC(ZSTD(1)),

    `client_id` String ALIAS tenant_id,
    `project_id` String ALIAS tenant_id,
    `anonymous_id` String ALIAS device_id,
    `created_at` DateTime64(3, 'UTC') ALIAS timestamp,
    `browser_name` String ALIAS browser,
    `os_name` String ALIAS os,
    `device_type` String ALIAS device,

    INDEX segment_minmax segment TYPE minmax GRANULARITY 1,
    INDEX ingested_at_minmax ingested_at TYPE minmax GRANULARITY 1,
    INDEX session_id_bloom session_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX metric_value_minmax metric_value TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(timestamp)
ORDER BY (tenant_id, metric_name, path, timestamp)
SETTINGS non_replicated_deduplication_window = 10000;

-- Vitals per hour, as states that merge: counts, sums, extremes, and a sketch for the quantiles.
CREATE TABLE IF NOT EXISTS analytics.web_vitals_hourly_states
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `metric_name` LowCardinality(String) CODEC(ZSTD(1)),
    `path` String CODEC(ZSTD(1)),
    `hour` DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    `samples` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    `value_sum` SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
    `value_min` SimpleAggregateFunction(min, Float64) CODEC(ZSTD(1)),
    `value_max` SimpleAggregateFunction(max, Float64) CODEC(ZSTD(1)),
    `quantiles` AggregateFunction(quantilesTDigest(0.5, 0.75, 0.9, 0.95, 0.99), Float64) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (tenant_id, metric_name, path, hour)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS analytics.web_vitals_hourly_mv TO analytics.web_vitals_hourly_states AS
SELECT
    tenant_id,
    metric_name,
    path,
    toStartOfHour(toDateTime(timestamp, 'UTC'), 'UTC') AS hour,
    count() AS samples,
    sum(metric_value) AS value_sum,
    min(metric_value) AS value_min,
    max(metric_value) AS value_max,
    quantilesTDigestState(0.5, 0.75, 0.9, 0.95, 0.99)(metric_value) AS quantiles
FROM analytics.web_vitals_spans
GROUP BY tenant_id, metric_name, path, hour;

-- The figures of an hour. Those of more than one hour come from the states: quantiles of quantiles are none.
CREATE VIEW IF NOT EXISTS analytics.web_vitals_hourly AS
SELECT
    tenant_id,
    tenant_id AS client_id,
    path,
    metric_name,
    hour,
    sum(samples) AS sample_count,
    quantilesTDigestMerge(0.5, 0.75, 0.9, 0.95, 0.99)(quantiles) AS merged,
    toFloat64(merged[2]) AS p75,
    toFloat64(merged[1]) AS p50,
    sum(value_sum) / sum(samples) AS avg_value,
    min(value_min) AS min_value,
    max(value_max) AS max_value
FROM analytics.web_vitals_hourly_states
GROUP BY tenant_id, path, metric_name, hour;

-- One error in a browser.
CREATE TABLE IF NOT EXISTS analytics.error_spans
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `id` UUID CODEC(ZSTD(1)),
    `timestamp` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `device_id` String CODEC(ZSTD(1)),
    `session_id` String CODEC(ZSTD(1)),
    `profile_id` String CODEC(ZSTD(1)),
    `origin` LowCardinality(String) CODEC(ZSTD(1)),
    `path` String CODEC(ZSTD(1)),
    `error_type` LowCardinality(String) CODEC(ZSTD(1)),
    `message` String CODEC(ZSTD(1)),
    `filename` String CODEC(ZSTD(1)),
    `lineno` Nullable(Int32) CODEC(ZSTD(1)),
    `colno` Nullable(Int32) CODEC(ZSTD(1)),
    `stack` String CODEC(ZSTD(1)),
    `country` LowCardinality(String) CODEC(ZSTD(1)),
    `region` LowCardinality(String) CODEC(ZSTD(1)),
    `city` LowCardinality(String) CODEC(ZSTD(1)),
    `browser` LowCardinality(String) CODEC(ZSTD(1)),
    `browser_version` LowCardinality(String) CODEC(ZSTD(1)),
    `os` LowCardinality(String) CODEC(ZSTD(1)),
    `os_version` LowCardinality(String) CODEC(ZSTD(1)),
    `device` LowCardinality(String) CODEC(ZSTD(1)),
    `ingested_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `segment` UInt64 CODEC(ZSTD(1)),

    `client_id` String ALIAS tenant_id,
    `project_id` String ALIAS tenant_id,
    `anonymous_id` String ALIAS device_id,
    `created_at` DateTime64(3, 'UTC') ALIAS timestamp,
    `browser_name` String ALIAS browser,
    `os_name` String ALIAS os,
    `device_type` String ALIAS device,

    INDEX segment_minmax segment TYPE minmax GRANULARITY 1,
    INDEX ingested_at_minmax ingested_at TYPE minmax GRANULARITY 1,
    INDEX session_id_bloom session_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX error_type_bloom error_type TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX message_tokens message TYPE tokenbf_v1(10240, 3, 0) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(timestamp)
ORDER BY (tenant_id, error_type, path, timestamp)
SETTINGS non_replicated_deduplication_window = 10000;

-- Errors per hour and fingerprint: messages that differ only in numbers and hexadecimal ids are one.
CREATE TABLE IF NOT EXISTS analytics.error_hourly
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `error_type` LowCardinality(String) CODEC(ZSTD(1)),
    `path` String CODEC(ZSTD(1)),
    `hour` DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    `message_hash` UInt64 CODEC(ZSTD(1)),
    `error_count` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    `affected_users` AggregateFunction(uniq, String) CODEC(ZSTD(1)),
    `affected_sessions` AggregateFunction(uniq, String) CODEC(ZSTD(1)),
    `sample_message` SimpleAggregateFunction(any, String) CODEC(ZSTD(1)),

    `client_id` String ALIAS tenant_id,
    `project_id` String ALIAS tenant_id
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (tenant_id, error_type, path, hour, message_hash)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS analytics.error_hourly_mv TO analytics.error_hourly AS
SELECT
    tenant_id,
    error_type,
    path,
    toStartOfHour(toDateTime(timestamp, 'UTC'), 'UTC') AS hour,
    cityHash64(replaceRegexpAll(message, '0[xX][0-9a-fA-F]+|[0-9a-fA-F]{8,}|[0-9]+', '#')) AS message_hash,
    count() AS error_count,
    uniqStateIf(device_id, device_id != '') AS affected_users,
    uniqStateIf(session_id, session_id != '') AS affected_sessions,
    any(message) AS sample_message
FROM analytics.error_spans
GROUP BY tenant_id, error_type, path, hour, message_hash;

-- Events that programs and pages name themselves, with what only these have; each is a row of analytics.events too, of the same id.
CREATE TABLE IF NOT EXISTS analytics.custom_events
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `id` UUID CODEC(ZSTD(1)),
    `timestamp` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `event_name` LowCardinality(String) CODEC(ZSTD(1)),
    `namespace` LowCardinality(String) CODEC(ZSTD(1)),
    `source` LowCardinality(String) CODEC(ZSTD(1)),
    `website_id` LowCardinality(String) CODEC(ZSTD(1)),
    `device_id` String CODEC(ZSTD(1)),
    `session_id` String CODEC(ZSTD(1)),
    `profile_id` String CODEC(ZSTD(1)),
    `origin` LowCardinality(String) CODEC(ZSTD(1)),
    `path` String CODEC(ZSTD(1)),
    `properties` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `ingested_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `segment` UInt64 CODEC(ZSTD(1)),

    `owner_id` String ALIAS tenant_id,
    `client_id` String ALIAS tenant_id,
    `project_id` String ALIAS tenant_id,
    `anonymous_id` String ALIAS device_id,
    `created_at` DateTime64(3, 'UTC') ALIAS timestamp,
    `name` String ALIAS event_name,

    INDEX segment_minmax segment TYPE minmax GRANULARITY 1,
    INDEX ingested_at_minmax ingested_at TYPE minmax GRANULARITY 1,
    INDEX session_id_bloom session_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX device_id_bloom device_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX profile_id_bloom profile_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX namespace_bloom namespace TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX website_id_bloom website_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(timestamp)
ORDER BY (tenant_id, event_name, timestamp)
SETTINGS non_replicated_deduplication_window = 10000;

-- Payments as their services report them. A later report of the same transaction replaces the earlier one, whatever its day:
-- so there are no partitions, and sums are read with FINAL.
CREATE TABLE IF NOT EXISTS analytics.revenue
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `provider` LowCardinality(String) CODEC(ZSTD(1)),
    `transaction_id` String CODEC(ZSTD(1)),
    `id` UUID CODEC(ZSTD(1)),
    `created` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `type` LowCardinality(String) CODEC(ZSTD(1)),
    `status` LowCardinality(String) CODEC(ZSTD(1)),
    `amount` Decimal(18, 4) CODEC(ZSTD(1)),
    `currency` LowCardinality(String) CODEC(ZSTD(1)),
    `original_amount` Decimal(18, 4) CODEC(ZSTD(1)),
    `original_currency` LowCardinality(String) CODEC(ZSTD(1)),
    `website_id` LowCardinality(String) CODEC(ZSTD(1)),
    `device_id` String CODEC(ZSTD(1)),
    `session_id` String CODEC(ZSTD(1)),
    `profile_id` String CODEC(ZSTD(1)),
    `customer_id` String CODEC(ZSTD(1)),
    `product_id` String CODEC(ZSTD(1)),
    `product_name` String CODEC(ZSTD(1)),
    `metadata` String DEFAULT '{}' CODEC(ZSTD(1)),
    `synced_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `ingested_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `segment` UInt64 CODEC(ZSTD(1)),

    `owner_id` String ALIAS tenant_id,
    `client_id` String ALIAS tenant_id,
    `anonymous_id` String ALIAS device_id,

    INDEX segment_minmax segment TYPE minmax GRANULARITY 1,
    INDEX ingested_at_minmax ingested_at TYPE minmax GRANULARITY 1,
    INDEX device_id_bloom device_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX profile_id_bloom profile_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(synced_at)
ORDER BY (tenant_id, provider, transaction_id)
SETTINGS non_replicated_deduplication_window = 10000;

-- Clicks on links that lead elsewhere; each is a row of analytics.events too, of the same id.
CREATE TABLE IF NOT EXISTS analytics.outgoing_links
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `id` UUID CODEC(ZSTD(1)),
    `timestamp` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `device_id` String CODEC(ZSTD(1)),
    `session_id` String CODEC(ZSTD(1)),
    `profile_id` String CODEC(ZSTD(1)),
    `origin` LowCardinality(String) CODEC(ZSTD(1)),
    `path` String CODEC(ZSTD(1)),
    `href` String CODEC(ZSTD(1)),
    `text` String CODEC(ZSTD(1)),
    `properties` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `ingested_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `segment` UInt64 CODEC(ZSTD(1)),

    `client_id` String ALIAS tenant_id,
    `project_id` String ALIAS tenant_id,
    `anonymous_id` String ALIAS device_id,
    `created_at` DateTime64(3, 'UTC') ALIAS timestamp,

    INDEX segment_minmax segment TYPE minmax GRANULARITY 1,
    INDEX ingested_at_minmax ingested_at TYPE minmax GRANULARITY 1,
    INDEX session_id_bloom session_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX device_id_bloom device_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX profile_id_bloom profile_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(timestamp)
ORDER BY (tenant_id, timestamp, id)
SETTINGS non_replicated_deduplication_window = 10000;

-- How a page was used until it was left: active is visible and in focus.
CREATE TABLE IF NOT EXISTS analytics.engagement_spans
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `id` UUID CODEC(ZSTD(1)),
    `timestamp` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `device_id` String CODEC(ZSTD(1)),
    `session_id` String CODEC(ZSTD(1)),
    `profile_id` String CODEC(ZSTD(1)),
    `origin` LowCardinality(String) CODEC(ZSTD(1)),
    `path` String CODEC(ZSTD(1)),
    `page_index` UInt16 CODEC(ZSTD(1)),
    `exit_type` LowCardinality(String) CODEC(ZSTD(1)),
    `time_on_page` Float32 CODEC(ZSTD(1)),
    `active_time` Float32 CODEC(ZSTD(1)),
    `time_to_first_interaction` Nullable(UInt32) CODEC(ZSTD(1)),
    `max_scroll_depth` Float32 CODEC(ZSTD(1)),
    `scroll_count` UInt16 CODEC(ZSTD(1)),
    `click_count` UInt16 CODEC(ZSTD(1)),
    `key_count` UInt16 CODEC(ZSTD(1)),
    `interaction_count` UInt16 CODEC(ZSTD(1)),
    `copy_count` UInt16 CODEC(ZSTD(1)),
    `rage_click_count` UInt16 CODEC(ZSTD(1)),
    `dead_click_count` UInt16 CODEC(ZSTD(1)),
    `form_field_count` UInt16 CODEC(ZSTD(1)),
    `form_submit_count` UInt16 CODEC(ZSTD(1)),
    `error_count` UInt16 CODEC(ZSTD(1)),
    `form_abandoned` UInt8 CODEC(ZSTD(1)),
    `rage_click_target` String CODEC(ZSTD(1)),
    `dead_click_target` String CODEC(ZSTD(1)),
    `last_form_field` String CODEC(ZSTD(1)),
    `country` LowCardinality(String) CODEC(ZSTD(1)),
    `region` LowCardinality(String) CODEC(ZSTD(1)),
    `city` LowCardinality(String) CODEC(ZSTD(1)),
    `browser` LowCardinality(String) CODEC(ZSTD(1)),
    `browser_version` LowCardinality(String) CODEC(ZSTD(1)),
    `os` LowCardinality(String) CODEC(ZSTD(1)),
    `os_version` LowCardinality(String) CODEC(ZSTD(1)),
    `device` LowCardinality(String) CODEC(ZSTD(1)),
    `ingested_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `segment` UInt64 CODEC(ZSTD(1)),

    `client_id` String ALIAS tenant_id,
    `project_id` String ALIAS tenant_id,
    `anonymous_id` String ALIAS device_id,
    `created_at` DateTime64(3, 'UTC') ALIAS timestamp,
    `browser_name` String ALIAS browser,
    `os_name` String ALIAS os,
    `device_type` String ALIAS device,

    INDEX segment_minmax segment TYPE minmax GRANULARITY 1,
    INDEX ingested_at_minmax ingested_at TYPE minmax GRANULARITY 1,
    INDEX session_id_bloom session_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(timestamp)
ORDER BY (tenant_id, path, timestamp)
SETTINGS non_replicated_deduplication_window = 10000;

-- What was turned away, and why; kept for 90 days.
CREATE TABLE IF NOT EXISTS analytics.blocked_traffic
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `id` UUID CODEC(ZSTD(1)),
    `timestamp` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `block_reason` LowCardinality(String) CODEC(ZSTD(1)),
    `block_category` LowCardinality(String) CODEC(ZSTD(1)),
    `method` LowCardinality(String) CODEC(ZSTD(1)),
    `path` LowCardinality(String) CODEC(ZSTD(1)),
    `url` String CODEC(ZSTD(1)),
    `origin` String CODEC(ZSTD(1)),
    `referrer` String CODEC(ZSTD(1)),
    `ip` String CODEC(ZSTD(1)),
    `user_agent` String CODEC(ZSTD(1)),
    `accept_header` String CODEC(ZSTD(1)),
    `language` LowCardinality(String) CODEC(ZSTD(1)),
    `bot_name` LowCardinality(String) CODEC(ZSTD(1)),
    `country` LowCardinality(String) CODEC(ZSTD(1)),
    `region` LowCardinality(String) CODEC(ZSTD(1)),
    `city` LowCardinality(String) CODEC(ZSTD(1)),
    `browser` LowCardinality(String) CODEC(ZSTD(1)),
    `browser_version` LowCardinality(String) CODEC(ZSTD(1)),
    `os` LowCardinality(String) CODEC(ZSTD(1)),
    `os_version` LowCardinality(String) CODEC(ZSTD(1)),
    `device` LowCardinality(String) CODEC(ZSTD(1)),
    `payload_size` UInt32 CODEC(ZSTD(1)),
    `detail` String CODEC(ZSTD(1)),
    `ingested_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `segment` UInt64 CODEC(ZSTD(1)),

    `client_id` String ALIAS tenant_id,
    `project_id` String ALIAS tenant_id,
    `browser_name` String ALIAS browser,
    `os_name` String ALIAS os,
    `device_type` String ALIAS device,

    INDEX segment_minmax segment TYPE minmax GRANULARITY 1,
    INDEX ingested_at_minmax ingested_at TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(timestamp)
ORDER BY (tenant_id, block_reason, timestamp)
TTL toDateTime(timestamp) + INTERVAL 90 DAY
SETTINGS non_replicated_deduplication_window = 10000;

-- Pages fetched by crawlers and assistants of AI services: they are no visitors.
CREATE TABLE IF NOT EXISTS analytics.ai_traffic_spans
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `id` UUID CODEC(ZSTD(1)),
    `timestamp` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `bot_type` LowCardinality(String) CODEC(ZSTD(1)),
    `bot_name` LowCardinality(String) CODEC(ZSTD(1)),
    `agent_id` LowCardinality(String) CODEC(ZSTD(1)),
    `agent_purpose` LowCardinality(String) CODEC(ZSTD(1)),
    `source` LowCardinality(String) CODEC(ZSTD(1)),
    `host` LowCardinality(String) CODEC(ZSTD(1)),
    `path` String CODEC(ZSTD(1)),
    `format` LowCardinality(String) CODEC(ZSTD(1)),
    `referrer` String CODEC(ZSTD(1)),
    `user_agent` String CODEC(ZSTD(1)),
    `status_code` UInt16 CODEC(ZSTD(1)),
    `ingested_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `segment` UInt64 CODEC(ZSTD(1)),

    `client_id` String ALIAS tenant_id,
    `project_id` String ALIAS tenant_id,

    INDEX segment_minmax segment TYPE minmax GRANULARITY 1,
    INDEX ingested_at_minmax ingested_at TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(timestamp)
ORDER BY (tenant_id, bot_type, timestamp)
SETTINGS non_replicated_deduplication_window = 10000;

-- One call of a language model.
CREATE TABLE IF NOT EXISTS observability.ai_call_spans
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `id` UUID CODEC(ZSTD(1)),
    `timestamp` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `type` LowCardinality(String) CODEC(ZSTD(1)),
    `provider` LowCardinality(String) CODEC(ZSTD(1)),
    `model` LowCardinality(String) CODEC(ZSTD(1)),
    `finish_reason` LowCardinality(String) CODEC(ZSTD(1)),
    `input_tokens` UInt32 CODEC(ZSTD(1)),
    `output_tokens` UInt32 CODEC(ZSTD(1)),
    `total_tokens` UInt32 CODEC(ZSTD(1)),
    `cached_input_tokens` Nullable(UInt32) CODEC(ZSTD(1)),
    `cache_creation_input_tokens` Nullable(UInt32) CODEC(ZSTD(1)),
    `reasoning_tokens` Nullable(UInt32) CODEC(ZSTD(1)),
    `web_search_count` Nullable(UInt16) CODEC(ZSTD(1)),
    `input_token_cost_usd` Nullable(Decimal(18, 10)) CODEC(ZSTD(1)),
    `output_token_cost_usd` Nullable(Decimal(18, 10)) CODEC(ZSTD(1)),
    `total_token_cost_usd` Nullable(Decimal(18, 10)) CODEC(ZSTD(1)),
    `tool_call_count` UInt16 CODEC(ZSTD(1)),
    `tool_result_count` UInt16 CODEC(ZSTD(1)),
    `tool_call_names` Array(String) CODEC(ZSTD(1)),
    `duration_ms` UInt32 CODEC(ZSTD(1)),
    `trace_id` String CODEC(ZSTD(1)),
    `http_status` Nullable(UInt16) CODEC(ZSTD(1)),
    `error_name` LowCardinality(String) CODEC(ZSTD(1)),
    `error_message` String CODEC(ZSTD(1)),
    `error_stack` String CODEC(ZSTD(1)),
    `ingested_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `segment` UInt64 CODEC(ZSTD(1)),

    `owner_id` String ALIAS tenant_id,
    `client_id` String ALIAS tenant_id,

    INDEX segment_minmax segment TYPE minmax GRANULARITY 1,
    INDEX ingested_at_minmax ingested_at TYPE minmax GRANULARITY 1,
    INDEX trace_id_bloom trace_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(timestamp)
ORDER BY (tenant_id, provider, model, timestamp)
SETTINGS non_replicated_deduplication_window = 10000;
