-- Points of metrics as narrow rows, and what their series are, once per day of use (docs/metrics_in.md).
CREATE TABLE IF NOT EXISTS observability.metric_series
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `organization_id` LowCardinality(String) CODEC(ZSTD(1)),
    `workspace_id` LowCardinality(String) CODEC(ZSTD(1)),
    `retention_days` UInt16 CODEC(T64, ZSTD(1)),
    `series_id` UInt64 CODEC(ZSTD(1)),
    `day` Date CODEC(ZSTD(1)),
    `source` LowCardinality(String) CODEC(ZSTD(1)),
    `metric_name` LowCardinality(String) CODEC(ZSTD(1)),
    `metric_type` LowCardinality(String) CODEC(ZSTD(1)),
    `unit` LowCardinality(String) CODEC(ZSTD(1)),
    `description` LowCardinality(String) CODEC(ZSTD(1)),
    `temporality` LowCardinality(String) CODEC(ZSTD(1)),
    `is_monotonic` UInt8 CODEC(ZSTD(1)),
    `service_name` LowCardinality(String) CODEC(ZSTD(1)),
    `resource` LowCardinality(String) CODEC(ZSTD(3)),
    `resource_schema_url` LowCardinality(String) CODEC(ZSTD(1)),
    `scope_name` LowCardinality(String) CODEC(ZSTD(1)),
    `scope_version` LowCardinality(String) CODEC(ZSTD(1)),
    `scope_attributes` LowCardinality(String) CODEC(ZSTD(1)),
    `scope_schema_url` LowCardinality(String) CODEC(ZSTD(1)),
    `attributes` Map(LowCardinality(String), String) CODEC(ZSTD(3)),
    `attribute_types` LowCardinality(String) CODEC(ZSTD(1)),
    `prometheus_name` LowCardinality(String) CODEC(ZSTD(1)),
    `labels` Map(LowCardinality(String), String) CODEC(ZSTD(3)),
    `is_described` UInt8 CODEC(ZSTD(1)),
    `segment` UInt64 CODEC(ZSTD(1)),

    INDEX segment_minmax segment TYPE minmax GRANULARITY 1,
    INDEX metric_name_bloom metric_name TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX series_bloom series_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(is_described)
PARTITION BY toYYYYMM(day)
ORDER BY (tenant_id, prometheus_name, day, series_id)
TTL day + toIntervalDay(greatest(retention_days, 400))
SETTINGS non_replicated_deduplication_window = 10000;

-- Granules of 32,768 rows, which are the blocks that are compressed: series of one target have the same times, and they stand side by side. Merged ten at a
-- time: rows are rewritten less often. No sparse columns: they cost an eighth of an insert and save nothing that ZSTD does not.
-- value = the double that is `ulps` doubles beyond mantissa / 10^scale; scale 126: the series is stale, 127: mantissa holds the bits of the double.
CREATE TABLE IF NOT EXISTS observability.metric_samples
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `retention_days` UInt16 CODEC(T64, ZSTD(1)),
    `series_id` UInt64 CODEC(ZSTD(1)),
    `timestamp` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `mantissa` Int64 CODEC(Delta(8), T64('bit'), ZSTD(1)),
    `scale` UInt8 CODEC(ZSTD(1)),
    `ulps` Int16 CODEC(Delta(2), T64('bit'), ZSTD(1)),
    `start_timestamp` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `segment` UInt64 CODEC(Delta(8), ZSTD(3)),

    `value` Float64 ALIAS multiIf(scale < 126, reinterpretAsFloat64(reinterpretAsInt64(mantissa / intExp10(scale)) + ulps), scale = 126, reinterpretAsFloat64(9218868437227405314), reinterpretAsFloat64(mantissa)),
    `is_stale` UInt8 ALIAS scale = 126,

    INDEX segment_minmax segment TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(timestamp)
ORDER BY (tenant_id, series_id, timestamp)
TTL toDateTime(timestamp) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 32768, min_compress_block_size = 262144, merge_selector_base = 10,
    ratio_of_defaults_for_sparse_serialization = 1;

CREATE TABLE IF NOT EXISTS observability.metric_histogram_samples
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `retention_days` UInt16 CODEC(T64, ZSTD(1)),
    `series_id` UInt64 CODEC(ZSTD(1)),
    `timestamp` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `start_timestamp` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `flags` UInt32 CODEC(ZSTD(1)),
    `count` UInt64 CODEC(Delta(8), ZSTD(1)),
    `sum` Nullable(Float64) CODEC(ZSTD(1)),
    `min` Nullable(Float64) CODEC(ZSTD(1)),
    `max` Nullable(Float64) CODEC(ZSTD(1)),
    `bucket_bounds` Array(Float64) CODEC(ZSTD(1)),
    `bucket_counts` Array(UInt64) CODEC(ZSTD(1)),
    `scale` Int32 CODEC(ZSTD(1)),
    `zero_threshold` Float64 CODEC(ZSTD(1)),
    `zero_count` UInt64 CODEC(Delta(8), ZSTD(1)),
    `positive_offset` Int32 CODEC(ZSTD(1)),
    `positive_counts` Array(UInt64) CODEC(ZSTD(1)),
    `negative_offset` Int32 CODEC(ZSTD(1)),
    `negative_counts` Array(UInt64) CODEC(ZSTD(1)),
    `is_float` UInt8 CODEC(ZSTD(1)),
    `count_float` Float64 CODEC(ZSTD(1)),
    `zero_count_float` Float64 CODEC(ZSTD(1)),
    `positive_counts_float` Array(Float64) CODEC(ZSTD(1)),
    `negative_counts_float` Array(Float64) CODEC(ZSTD(1)),
    `bucket_counts_float` Array(Float64) CODEC(ZSTD(1)),
    `reset_hint` UInt8 CODEC(ZSTD(1)),
    `segment` UInt64 CODEC(Delta(8), ZSTD(3)),

    INDEX segment_minmax segment TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(timestamp)
ORDER BY (tenant_id, series_id, timestamp)
TTL toDateTime(timestamp) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS observability.metric_summary_samples
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `retention_days` UInt16 CODEC(T64, ZSTD(1)),
    `series_id` UInt64 CODEC(ZSTD(1)),
    `timestamp` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `start_timestamp` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `flags` UInt32 CODEC(ZSTD(1)),
    `count` UInt64 CODEC(Delta(8), ZSTD(1)),
    `sum` Float64 CODEC(ZSTD(1)),
    `quantiles` Array(Float64) CODEC(ZSTD(1)),
    `quantile_values` Array(Float64) CODEC(ZSTD(1)),
    `segment` UInt64 CODEC(Delta(8), ZSTD(3)),

    INDEX segment_minmax segment TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(timestamp)
ORDER BY (tenant_id, series_id, timestamp)
TTL toDateTime(timestamp) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS observability.exemplars_v3
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `organization_id` LowCardinality(String) CODEC(ZSTD(1)),
    `workspace_id` LowCardinality(String) CODEC(ZSTD(1)),
    `retention_days` UInt16 CODEC(T64, ZSTD(1)),
    `timestamp` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `series_id` UInt64 CODEC(ZSTD(1)),
    `point_timestamp` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `metric_name` LowCardinality(String) CODEC(ZSTD(1)),
    `service_name` LowCardinality(String) CODEC(ZSTD(1)),
    `trace_id_bytes` FixedString(16) CODEC(ZSTD(1)),
    `span_id_bytes` FixedString(8) CODEC(ZSTD(1)),
    `value` Float64 CODEC(ZSTD(1)),
    `attributes` Map(LowCardinality(String), String) CODEC(ZSTD(3)),
    `attribute_types` LowCardinality(String) CODEC(ZSTD(1)),
    `segment` UInt64 CODEC(ZSTD(1)),

    `trace_id` String ALIAS if(trace_id_bytes = toFixedString('', 16), '', lower(hex(trace_id_bytes))),
    `span_id` String ALIAS if(span_id_bytes = toFixedString('', 8), '', lower(hex(span_id_bytes))),
    `date` Date ALIAS toDate(timestamp),

    INDEX segment_minmax segment TYPE minmax GRANULARITY 1,
    INDEX trace_bloom trace_id_bytes TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(timestamp)
ORDER BY (tenant_id, series_id, timestamp)
TTL toDateTime(timestamp) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS observability.metric_metadata
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `organization_id` LowCardinality(String) CODEC(ZSTD(1)),
    `workspace_id` LowCardinality(String) CODEC(ZSTD(1)),
    `retention_days` UInt16 CODEC(T64, ZSTD(1)),
    `prometheus_name` LowCardinality(String) CODEC(ZSTD(1)),
    `metric_type` LowCardinality(String) CODEC(ZSTD(1)),
    `unit` LowCardinality(String) CODEC(ZSTD(1)),
    `help` String CODEC(ZSTD(1)),
    `day` Date CODEC(ZSTD(1)),
    `segment` UInt64 CODEC(ZSTD(1)),

    INDEX segment_minmax segment TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(day)
ORDER BY (tenant_id, prometheus_name, metric_type, unit, help)
TTL day + toIntervalDay(greatest(retention_days, 400))
SETTINGS non_replicated_deduplication_window = 10000;

-- What series are, each once, whatever days they were used.
CREATE VIEW IF NOT EXISTS observability.metric_series_known AS
SELECT tenant_id, series_id, any(organization_id) AS organization_id, any(workspace_id) AS workspace_id, any(metric_name) AS metric_name,
    argMax(metric_type, is_described) AS metric_type, argMax(unit, is_described) AS unit, argMax(temporality, is_described) AS temporality,
    argMax(is_monotonic, is_described) AS is_monotonic,
    any(service_name) AS service_name, any(resource) AS resource, any(scope_name) AS scope_name, any(scope_version) AS scope_version,
    any(attributes) AS attributes
FROM observability.metric_series GROUP BY tenant_id, series_id;

-- The names that document 001 prints.
CREATE VIEW IF NOT EXISTS observability.metrics_v3 AS
SELECT samples.timestamp AS timestamp, series.metric_name AS metric_name, series.service_name AS service_name,
    series.organization_id AS organization_id, series.workspace_id AS workspace_id, samples.tenant_id AS tenant_id,
    JSONExtract(toString(series.resource), 'Map(String, String)') AS resource_attributes, series.scope_name AS scope_name,
    series.scope_version AS scope_version, series.attributes AS attributes, samples.value AS value, series.unit AS unit,
    series.metric_type AS metric_type, series.temporality AS temporality, series.is_monotonic AS is_monotonic,
    samples.start_timestamp AS start_timestamp, samples.series_id AS series_id,
    exemplars.last_trace_id AS exemplar_trace_id, exemplars.last_span_id AS exemplar_span_id,
    exemplars.last_timestamp AS exemplar_timestamp, exemplars.last_value AS exemplar_value, exemplars.last_attributes AS exemplar_attributes,
    toDate(samples.timestamp) AS date, toStartOfHour(samples.timestamp) AS hour
FROM (SELECT tenant_id, series_id, timestamp, value, start_timestamp FROM observability.metric_samples FINAL WHERE scale != 126) AS samples
INNER JOIN observability.metric_series_known AS series ON samples.tenant_id = series.tenant_id AND samples.series_id = series.series_id
LEFT JOIN
(
    SELECT tenant_id, series_id, point_timestamp, argMax(trace_id, timestamp) AS last_trace_id, argMax(span_id, timestamp) AS last_span_id,
        argMax(value, timestamp) AS last_value, argMax(attributes, timestamp) AS last_attributes, max(timestamp) AS last_timestamp
    FROM observability.exemplars_v3 GROUP BY tenant_id, series_id, point_timestamp
) AS exemplars
ON samples.tenant_id = exemplars.tenant_id AND samples.series_id = exemplars.series_id AND samples.timestamp = exemplars.point_timestamp;

CREATE VIEW IF NOT EXISTS observability.metric_histograms AS
SELECT samples.timestamp AS timestamp, series.metric_name AS metric_name, series.service_name AS service_name,
    series.organization_id AS organization_id, series.workspace_id AS workspace_id, samples.tenant_id AS tenant_id,
    JSONExtract(toString(series.resource), 'Map(String, String)') AS resource_attributes, series.scope_name AS scope_name,
    series.scope_version AS scope_version, series.attributes AS attributes, series.unit AS unit, series.metric_type AS metric_type,
    series.temporality AS temporality, samples.start_timestamp AS start_timestamp, samples.series_id AS series_id,
    samples.bucket_bounds AS bucket_bounds, samples.bucket_counts AS bucket_counts, samples.sum AS sum, samples.count AS count,
    samples.min AS min, samples.max AS max, samples.scale AS scale, samples.zero_threshold AS zero_threshold,
    samples.zero_count AS zero_count, samples.positive_offset AS positive_offset, samples.positive_counts AS positive_counts,
    samples.negative_offset AS negative_offset, samples.negative_counts AS negative_counts,
    exemplars.timestamps AS exemplar_timestamps, exemplars.exemplar_values AS exemplar_values, exemplars.trace_ids AS exemplar_trace_ids,
    exemplars.span_ids AS exemplar_span_ids, exemplars.exemplar_attributes AS exemplar_attributes,
    toDate(samples.timestamp) AS date, toStartOfHour(samples.timestamp) AS hour
FROM (SELECT * FROM observability.metric_histogram_samples FINAL WHERE bitAnd(flags, 1) = 0) AS samples
INNER JOIN observability.metric_series_known AS series ON samples.tenant_id = series.tenant_id AND samples.series_id = series.series_id
LEFT JOIN
(
    SELECT tenant_id, series_id, point_timestamp, groupArray(timestamp) AS timestamps, groupArray(value) AS exemplar_values,
        groupArray(trace_id) AS trace_ids, groupArray(span_id) AS span_ids, groupArray(attributes) AS exemplar_attributes
    FROM (SELECT *, trace_id, span_id FROM observability.exemplars_v3 ORDER BY timestamp) GROUP BY tenant_id, series_id, point_timestamp
) AS exemplars
ON samples.tenant_id = exemplars.tenant_id AND samples.series_id = exemplars.series_id AND samples.timestamp = exemplars.point_timestamp;

-- Numbers per series and hour, and per day: states that can be merged. Made from metric_samples by the server (metrics/rollup.h) when hours
-- are over, again when samples come late; the newest version stands.
CREATE TABLE IF NOT EXISTS observability.metric_samples_hourly
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `series_id` UInt64 CODEC(ZSTD(1)),
    `hour` DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    `version` UInt64 CODEC(T64, ZSTD(1)),
    `count` UInt64 CODEC(T64, ZSTD(1)),
    `sum` Float64 CODEC(ZSTD(1)),
    `min` Float64 CODEC(ZSTD(1)),
    `max` Float64 CODEC(ZSTD(1)),
    `first_value` Float64 CODEC(ZSTD(1)),
    `first_timestamp` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `first_start_timestamp` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `last_value` Float64 CODEC(ZSTD(1)),
    `last_timestamp` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `last_start_timestamp` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `increase` Float64 CODEC(ZSTD(1)),
    `resets` UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(hour)
ORDER BY (tenant_id, series_id, hour)
TTL hour + INTERVAL 400 DAY;

CREATE TABLE IF NOT EXISTS observability.metric_samples_daily
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `series_id` UInt64 CODEC(ZSTD(1)),
    `day` Date CODEC(Delta(2), ZSTD(1)),
    `version` UInt64 CODEC(T64, ZSTD(1)),
    `count` UInt64 CODEC(T64, ZSTD(1)),
    `sum` Float64 CODEC(ZSTD(1)),
    `min` Float64 CODEC(ZSTD(1)),
    `max` Float64 CODEC(ZSTD(1)),
    `first_value` Float64 CODEC(ZSTD(1)),
    `first_timestamp` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `first_start_timestamp` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `last_value` Float64 CODEC(ZSTD(1)),
    `last_timestamp` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `last_start_timestamp` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `increase` Float64 CODEC(ZSTD(1)),
    `resets` UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYear(day)
ORDER BY (tenant_id, series_id, day)
TTL day + INTERVAL 400 DAY;

-- How far they are, in one row: all samples of segments up to this one, of hours before `closed`. It is no tenant's.
CREATE TABLE IF NOT EXISTS observability.metric_rollups
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `segment` UInt64 CODEC(ZSTD(1)),
    `closed` DateTime('UTC') CODEC(ZSTD(1)),
    `written_at` DateTime64(3, 'UTC') CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(written_at)
ORDER BY tenant_id;

CREATE VIEW IF NOT EXISTS observability.metrics_v3_hourly AS
SELECT rollups.hour AS hour, series.metric_name AS metric_name, series.service_name AS service_name, series.workspace_id AS workspace_id,
    rollups.tenant_id AS tenant_id, sum(rollups.sum) AS sum_value, sum_value / count AS avg_value, min(rollups.min) AS min_value,
    max(rollups.max) AS max_value, sum(rollups.count) AS count, sum(rollups.increase) AS increase
FROM (SELECT * FROM observability.metric_samples_hourly FINAL) AS rollups
INNER JOIN observability.metric_series_known AS series ON rollups.tenant_id = series.tenant_id AND rollups.series_id = series.series_id
GROUP BY hour, metric_name, service_name, workspace_id, tenant_id;

CREATE VIEW IF NOT EXISTS observability.metrics_v3_daily AS
SELECT rollups.day AS date, series.metric_name AS metric_name, series.service_name AS service_name, series.workspace_id AS workspace_id,
    rollups.tenant_id AS tenant_id, sum(rollups.sum) AS sum_value, sum_value / count AS avg_value, min(rollups.min) AS min_value,
    max(rollups.max) AS max_value, sum(rollups.count) AS count, sum(rollups.increase) AS increase
FROM (SELECT * FROM observability.metric_samples_daily FINAL) AS rollups
INNER JOIN observability.metric_series_known AS series ON rollups.tenant_id = series.tenant_id AND rollups.series_id = series.series_id
GROUP BY date, metric_name, service_name, workspace_id, tenant_id;
