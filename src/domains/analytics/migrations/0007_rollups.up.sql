-- Rollups that answer without reading events: people per day, who did what on which day, and what names and property values
-- there are. States merge, so it does not matter in how many inserts events came. The views named *_mv have the names and
-- columns that clients of OpenPanel's tables know.
-- Each is filled from the events that are there already, from the beginning when this file is run again.

-- People per day: profiles, and devices that nobody is known to use.
CREATE TABLE IF NOT EXISTS analytics.dau
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `date` Date CODEC(Delta(2), ZSTD(1)),
    `people` AggregateFunction(uniq, String) CODEC(ZSTD(1)),

    `project_id` String ALIAS tenant_id
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(date)
ORDER BY (tenant_id, date)
SETTINGS non_replicated_deduplication_window = 10000;

DROP VIEW IF EXISTS analytics.dau_feed;
TRUNCATE TABLE IF EXISTS analytics.dau;

INSERT INTO analytics.dau
SELECT
    tenant_id,
    toDate(created_at, 'UTC') AS date,
    uniqState(if(profile_id != '', profile_id, device_id)) AS people
FROM analytics.events
WHERE profile_id != '' OR device_id != ''
GROUP BY tenant_id, date;

CREATE MATERIALIZED VIEW IF NOT EXISTS analytics.dau_feed TO analytics.dau AS
SELECT
    tenant_id,
    toDate(created_at, 'UTC') AS date,
    uniqState(if(profile_id != '', profile_id, device_id)) AS people
FROM analytics.events
WHERE profile_id != '' OR device_id != ''
GROUP BY tenant_id, date;

CREATE VIEW IF NOT EXISTS analytics.dau_mv AS
SELECT tenant_id, tenant_id AS project_id, date, people AS profile_id
FROM analytics.dau;

-- What each known person did on each day, and how often.
CREATE TABLE IF NOT EXISTS analytics.cohort_events
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `name` LowCardinality(String) CODEC(ZSTD(1)),
    `date` Date CODEC(Delta(2), ZSTD(1)),
    `profile_id` String CODEC(ZSTD(1)),
    `event_count` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),

    `project_id` String ALIAS tenant_id
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(date)
ORDER BY (tenant_id, name, date, profile_id)
SETTINGS non_replicated_deduplication_window = 10000;

DROP VIEW IF EXISTS analytics.cohort_events_feed;
TRUNCATE TABLE IF EXISTS analytics.cohort_events;

INSERT INTO analytics.cohort_events
SELECT
    tenant_id,
    name,
    toDate(created_at, 'UTC') AS date,
    profile_id,
    count() AS event_count
FROM analytics.events
WHERE profile_id != '' AND profile_id != device_id
GROUP BY tenant_id, name, date, profile_id;

CREATE MATERIALIZED VIEW IF NOT EXISTS analytics.cohort_events_feed TO analytics.cohort_events AS
SELECT
    tenant_id,
    name,
    toDate(created_at, 'UTC') AS date,
    profile_id,
    count() AS event_count
FROM analytics.events
WHERE profile_id != '' AND profile_id != device_id
GROUP BY tenant_id, name, date, profile_id;

CREATE VIEW IF NOT EXISTS analytics.cohort_events_mv AS
SELECT tenant_id, tenant_id AS project_id, name, date AS created_at, profile_id, sum(cohort_events.event_count) AS event_count
FROM analytics.cohort_events
GROUP BY tenant_id, name, date, profile_id;

-- The names there are.
CREATE TABLE IF NOT EXISTS analytics.distinct_event_names
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `name` LowCardinality(String) CODEC(ZSTD(1)),
    `last_seen` SimpleAggregateFunction(max, DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    `event_count` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),

    `project_id` String ALIAS tenant_id
)
ENGINE = AggregatingMergeTree
ORDER BY (tenant_id, name)
SETTINGS non_replicated_deduplication_window = 10000;

DROP VIEW IF EXISTS analytics.distinct_event_names_feed;
TRUNCATE TABLE IF EXISTS analytics.distinct_event_names;

INSERT INTO analytics.distinct_event_names
SELECT
    tenant_id,
    name,
    max(created_at) AS last_seen,
    count() AS event_count
FROM analytics.events
GROUP BY tenant_id, name;

CREATE MATERIALIZED VIEW IF NOT EXISTS analytics.distinct_event_names_feed TO analytics.distinct_event_names AS
SELECT
    tenant_id,
    name,
    max(created_at) AS last_seen,
    count() AS event_count
FROM analytics.events
GROUP BY tenant_id, name;

CREATE VIEW IF NOT EXISTS analytics.distinct_event_names_mv AS
SELECT tenant_id, tenant_id AS project_id, name, max(last_seen) AS created_at, sum(distinct_event_names.event_count) AS event_count
FROM analytics.distinct_event_names
GROUP BY tenant_id, name;

-- The values that properties have, for choosing one. Not here: texts longer than 64 bytes, numbers of six digits or more, and
-- whatever looks like an id or a fingerprint (16 or more of 0-9, a-f and dashes): such keys have as many values as events.
-- What has not been seen for 90 days is forgotten; the view shows the 1,000 most frequent values of a key.
CREATE TABLE IF NOT EXISTS analytics.event_property_values
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `name` LowCardinality(String) CODEC(ZSTD(1)),
    `property_key` LowCardinality(String) CODEC(ZSTD(1)),
    `property_value` String CODEC(ZSTD(1)),
    `last_seen` SimpleAggregateFunction(max, DateTime('UTC')) CODEC(ZSTD(1)),
    `event_count` SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),

    `project_id` String ALIAS tenant_id
)
ENGINE = AggregatingMergeTree
ORDER BY (tenant_id, name, property_key, property_value)
TTL last_seen + INTERVAL 90 DAY
SETTINGS non_replicated_deduplication_window = 10000;

DROP VIEW IF EXISTS analytics.event_property_values_feed;
TRUNCATE TABLE IF EXISTS analytics.event_property_values;

INSERT INTO analytics.event_property_values
SELECT
    tenant_id,
    name,
    pair.1 AS property_key,
    toString(pair.2) AS property_value,
    toDateTime(max(created_at), 'UTC') AS last_seen,
    count() AS event_count
FROM analytics.events
ARRAY JOIN properties AS pair
WHERE length(pair.2) <= 64 AND NOT match(pair.2, '^([0-9a-fA-F-]{16,}|[0-9]{6,})$')
GROUP BY tenant_id, name, property_key, property_value;

CREATE MATERIALIZED VIEW IF NOT EXISTS analytics.event_property_values_feed TO analytics.event_property_values AS
SELECT
    tenant_id,
    name,
    pair.1 AS property_key,
    toString(pair.2) AS property_value,
    toDateTime(max(created_at), 'UTC') AS last_seen,
    count() AS event_count
FROM analytics.events
ARRAY JOIN properties AS pair
WHERE length(pair.2) <= 64 AND NOT match(pair.2, '^([0-9a-fA-F-]{16,}|[0-9]{6,})$')
GROUP BY tenant_id, name, property_key, property_value;

CREATE VIEW IF NOT EXISTS analytics.event_property_values_mv AS
SELECT tenant_id, tenant_id AS project_id, name, property_key, property_value, max(last_seen) AS created_at,
    sum(event_property_values.event_count) AS event_count
FROM analytics.event_property_values
GROUP BY tenant_id, name, property_key, property_value
ORDER BY event_count DESC
LIMIT 1000 BY tenant_id, name, property_key;
