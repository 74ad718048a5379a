-- One row per span. Sorted by five minutes, then by trace: a trace is found by its id without a time, its spans stand side by side,
-- and what repeats inside a trace (ids of parents, times) costs next to nothing. Letters of *_attribute_types: tables.def.
CREATE DATABASE IF NOT EXISTS observability;

CREATE TABLE IF NOT EXISTS observability.traces_v3
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `organization_id` LowCardinality(String) CODEC(ZSTD(1)),
    `workspace_id` LowCardinality(String) CODEC(ZSTD(1)),
    `retention_days` UInt16 CODEC(T64, ZSTD(1)), -- as the tenant wanted it when the row came
    `timestamp` DateTime64(9, 'UTC') CODEC(Delta(8), T64('bit'), ZSTD(1)),
    `trace_id_bytes` FixedString(16) CODEC(ZSTD(1)),
    `span_ids` FixedString(16) CODEC(ZSTD(3)), -- the span's 8 bytes, then its parent's or zeros
    `trace_state` LowCardinality(String) CODEC(ZSTD(1)),
    `shape` LowCardinality(String) CODEC(ZSTD(1)), -- spans.h: <kind> <letters>\2{<key>\1<value>\2}\2<name>
    `service_name` LowCardinality(String) CODEC(ZSTD(3)),
    `resource` LowCardinality(String) CODEC(ZSTD(3)),
    `resource_schema_url` LowCardinality(String) CODEC(ZSTD(1)),
    `scope_name` LowCardinality(String) CODEC(ZSTD(1)),
    `scope_version` LowCardinality(String) CODEC(ZSTD(1)),
    `scope_attributes` LowCardinality(String) CODEC(ZSTD(1)),
    `scope_schema_url` LowCardinality(String) CODEC(ZSTD(1)),
    `url_path` String CODEC(ZSTD(1)),
    `client_address` String CODEC(ZSTD(1)),
    `db_query_text` String CODEC(ZSTD(1)),
    `user_id` String CODEC(ZSTD(1)),
    `session_id` String CODEC(ZSTD(1)),
    `other_attributes` Map(LowCardinality(String), String) CODEC(ZSTD(3)),
    `duration_nano` UInt64 CODEC(T64, ZSTD(1)),
    `status` UInt32 CODEC(T64, ZSTD(1)),
    `status_message` String CODEC(ZSTD(1)),
    `flags` UInt32 CODEC(T64, ZSTD(1)),
    `dropped_attributes_count` UInt32 CODEC(T64, ZSTD(1)),
    `dropped_events_count` UInt32 CODEC(T64, ZSTD(1)),
    `dropped_links_count` UInt32 CODEC(T64, ZSTD(1)),
    `events.timestamp` Array(DateTime64(9, 'UTC')) CODEC(Delta(8), ZSTD(1)),
    `events.name` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `events.attributes` Array(Map(LowCardinality(String), String)) CODEC(ZSTD(3)),
    `events.attribute_types` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `events.dropped_attributes_count` Array(UInt32) CODEC(ZSTD(1)),
    `links.trace_id` Array(String) CODEC(ZSTD(1)),
    `links.span_id` Array(String) CODEC(ZSTD(1)),
    `links.state` Array(String) CODEC(ZSTD(1)),
    `links.attributes` Array(Map(LowCardinality(String), String)) CODEC(ZSTD(3)),
    `links.attribute_types` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `links.flags` Array(UInt32) CODEC(ZSTD(1)),
    `links.dropped_attributes_count` Array(UInt32) CODEC(ZSTD(1)),
    `segment` UInt64 CODEC(T64, ZSTD(1)),

    `trace_id` String ALIAS lower(hex(trace_id_bytes)),
    `span_id` String ALIAS lower(hex(substring(span_ids, 1, 8))),
    `parent_span_id` String ALIAS if(substring(span_ids, 9, 8) = repeat('\0', 8), '', lower(hex(substring(span_ids, 9, 8)))),
    `span_name` LowCardinality(String) ALIAS extract(shape, '(?s)\x02\x02(.*)'),
    `kind` UInt32 ALIAS toUInt32OrZero(toString(substringIndex(shape, ' ', 1))), -- as received: numbers we do not know are kept
    `span_attribute_types` LowCardinality(String) ALIAS substringIndex(substringIndex(shape, '\x02', 1), ' ', -1),
    `http_request_method` LowCardinality(String) ALIAS extract(shape, '\x02http\\.request\\.method\x01([^\x02]*)'),
    `http_response_status_code` LowCardinality(String) ALIAS extract(shape, '\x02http\\.response\\.status_code\x01([^\x02]*)'),
    `http_route` LowCardinality(String) ALIAS extract(shape, '\x02http\\.route\x01([^\x02]*)'),
    `server_address` LowCardinality(String) ALIAS extract(shape, '\x02server\\.address\x01([^\x02]*)'),
    `db_system_name` LowCardinality(String) ALIAS extract(shape, '\x02db\\.system\\.name\x01([^\x02]*)'),
    `rpc_service` LowCardinality(String) ALIAS extract(shape, '\x02rpc\\.service\x01([^\x02]*)'),
    `span_attributes` Map(LowCardinality(String), String) ALIAS mapConcat(
        CAST(extractKeyValuePairs(toString(extract(shape, '(?s)^(.*?)\x02\x02')), '\x01', '\x02', '\x03'), 'Map(LowCardinality(String), String)'),
        mapFilter((key, value) -> (value != ''), CAST(map('url.path', url_path, 'client.address', client_address,
            'db.query.text', db_query_text, 'user.id', user_id, 'session.id', session_id), 'Map(LowCardinality(String), String)')), other_attributes),
    `span_kind` String ALIAS transform(kind, [0, 1, 2, 3, 4, 5], ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'], toString(kind)),
    `status_code` String ALIAS transform(status, [0, 1, 2], ['unset', 'ok', 'error'], toString(status)),
    `resource_attributes` Map(String, String) ALIAS JSONExtract(toString(resource), 'Map(String, String)'),
    `end_timestamp` DateTime64(9, 'UTC') ALIAS fromUnixTimestamp64Nano(toUnixTimestamp64Nano(timestamp) + toInt64(duration_nano), 'UTC'),
    `duration_ms` Float64 ALIAS duration_nano / 1000000,
    `date` Date ALIAS toDate(timestamp),
    `hour` DateTime('UTC') ALIAS toStartOfHour(timestamp),

    INDEX segment_minmax segment TYPE minmax GRANULARITY 1,
    INDEX trace_bloom trace_id_bytes TYPE bloom_filter(0.001) GRANULARITY 1, -- 0.19 bytes a span; without it an id reads 7 of 10 granules
    INDEX attribute_values mapValues(other_attributes) TYPE bloom_filter(0.025) GRANULARITY 1,
    INDEX duration_minmax duration_nano TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(timestamp)
-- Without the time itself: the event store would take a condition on it for the last column of the key, and not for the five minutes.
PRIMARY KEY (tenant_id, toStartOfInterval(timestamp, INTERVAL 5 MINUTE), trace_id_bytes)
ORDER BY (tenant_id, toStartOfInterval(timestamp, INTERVAL 5 MINUTE), trace_id_bytes, timestamp)
TTL toDateTime(timestamp) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE VIEW IF NOT EXISTS observability.spans_v3 AS
SELECT timestamp, trace_id, span_id, parent_span_id, span_name, span_kind, service_name, workspace_id, tenant_id, duration_nano, span_attributes
FROM observability.traces_v3;
