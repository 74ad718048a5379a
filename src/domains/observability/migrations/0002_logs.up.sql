-- One row per log record. Sorted by five minutes, then by service: bodies of one service are alike.
CREATE TABLE IF NOT EXISTS observability.logs_v3
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `organization_id` LowCardinality(String) CODEC(ZSTD(1)),
    `workspace_id` LowCardinality(String) CODEC(ZSTD(1)),
    `retention_days` UInt16 CODEC(T64, ZSTD(1)), -- as the tenant wanted it when the row came
    `timestamp` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `observed_timestamp` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `id` UInt64 CODEC(Delta(8), ZSTD(1)),
    `trace_id_bytes` FixedString(16) CODEC(ZSTD(1)),
    `span_id_bytes` FixedString(8) CODEC(ZSTD(1)),
    `flags` UInt32 CODEC(T64, ZSTD(1)),
    `severity_text` LowCardinality(String) CODEC(ZSTD(1)),
    `severity_number` UInt8 CODEC(T64, ZSTD(1)),
    `service_name` LowCardinality(String) CODEC(ZSTD(1)),
    `body` String CODEC(ZSTD(3)),
    `body_type` LowCardinality(String) CODEC(ZSTD(1)),
    `event_name` LowCardinality(String) CODEC(ZSTD(1)),
    `resource` LowCardinality(String) CODEC(ZSTD(3)),
    `resource_schema_url` LowCardinality(String) CODEC(ZSTD(1)),
    `scope_name` LowCardinality(String) CODEC(ZSTD(1)),
    `scope_version` LowCardinality(String) CODEC(ZSTD(1)),
    `scope_attributes` LowCardinality(String) CODEC(ZSTD(1)),
    `scope_schema_url` LowCardinality(String) CODEC(ZSTD(1)),
    `log_attributes` Map(LowCardinality(String), String) CODEC(ZSTD(3)),
    `log_attribute_types` LowCardinality(String) CODEC(ZSTD(1)),
    `dropped_attributes_count` UInt32 CODEC(T64, ZSTD(1)),
    `segment` UInt64 CODEC(T64, ZSTD(1)),

    `trace_id` String ALIAS if(trace_id_bytes = toFixedString('', 16), '', lower(hex(trace_id_bytes))),
    `span_id` String ALIAS if(span_id_bytes = toFixedString('', 8), '', lower(hex(span_id_bytes))),
    `trace_flags` UInt32 ALIAS bitAnd(flags, 255),
    `resource_attributes` Map(String, String) ALIAS JSONExtract(toString(resource), 'Map(String, String)'),
    `date` Date ALIAS toDate(timestamp),
    `hour` DateTime('UTC') ALIAS toStartOfHour(timestamp),

    INDEX segment_minmax segment TYPE minmax GRANULARITY 1,
    INDEX trace_bloom trace_id_bytes TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX severity_minmax severity_number TYPE minmax GRANULARITY 1,
    INDEX id_minmax id TYPE minmax GRANULARITY 1,
    -- Words of the body, as hasToken(lower(body), ..) asks for them: 2 bytes a record.
    INDEX body_words lower(body) TYPE tokenbf_v1(16384, 3, 0) GRANULARITY 1,
    -- Values of attributes, for log_attributes['key'] = 'value'.
    INDEX attribute_values mapValues(log_attributes) TYPE bloom_filter(0.025) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(timestamp)
PRIMARY KEY (tenant_id, toStartOfInterval(timestamp, INTERVAL 5 MINUTE), service_name) -- without the time: 0001_traces
ORDER BY (tenant_id, toStartOfInterval(timestamp, INTERVAL 5 MINUTE), service_name, timestamp)
TTL toDateTime(timestamp) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE VIEW IF NOT EXISTS observability.logs_v3_by_trace AS
SELECT trace_id, timestamp, span_id, severity_text, body, workspace_id, tenant_id
FROM observability.logs_v3 WHERE trace_id_bytes != toFixedString('', 16);
