-- A table of events, a table made like it, one whose engine has arguments, one that every node needs whole.
CREATE DATABASE IF NOT EXISTS analytics ON CLUSTER 'events';
CREATE TABLE IF NOT EXISTS analytics.events_replicated ON CLUSTER 'events'
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)), -- ENGINE = MergeTree is not here
    `created_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `note` String DEFAULT 'it''s; analytics.events \' ENGINE = Log',
    `client_id` String ALIAS tenant_id,
    INDEX note_bloom note TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/our_analytics/events_replicated', '{replica}')
PARTITION BY toYYYYMM(created_at)
ORDER BY (tenant_id, toDate(created_at))
SETTINGS replicated_deduplication_window_seconds = 604800, replicated_deduplication_window = 10000, index_granularity = 8192;
CREATE TABLE IF NOT EXISTS analytics.events ON CLUSTER 'events' AS analytics.events_replicated
ENGINE = Distributed('events', 'our_analytics', 'events_replicated', sipHash64(tenant_id));
CREATE TABLE analytics.events_late_replicated ON CLUSTER 'events' AS analytics.events_replicated ENGINE ReplicatedMergeTree('/clickhouse/tables/{shard}/our_analytics/events_late_replicated', '{replica}') ORDER BY (tenant_id, created_at);
CREATE TABLE IF NOT EXISTS analytics.events_late ON CLUSTER 'events' AS analytics.events_late_replicated
ENGINE = Distributed('events', 'our_analytics', 'events_late_replicated', sipHash64(tenant_id));
create table if not exists `analytics`.`profiles_replicated` ON CLUSTER 'events' (id String, tenant_id String, version UInt64)
engine = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/our_analytics/profiles_replicated', '{replica}', version) order by (tenant_id, id);
CREATE TABLE IF NOT EXISTS analytics.profiles ON CLUSTER 'events' AS analytics.profiles_replicated
ENGINE = Distributed('events', 'our_analytics', 'profiles_replicated', sipHash64(tenant_id));
CREATE TABLE IF NOT EXISTS analytics.countries ON CLUSTER 'events' (code String, name String) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/all/our_analytics/countries', '{shard}-{replica}') ORDER BY code
SETTINGS replicated_deduplication_window_seconds = 604800, replicated_deduplication_window=100;
CREATE TABLE IF NOT EXISTS analytics.scratch ON CLUSTER 'events' (x UInt8) ENGINE = Memory;
CREATE TABLE IF NOT EXISTS analytics.made ON CLUSTER 'events' (x UInt8, tenant_id String) ENGINE = ReplicatedMergeTree('/a/{shard}', '{replica}') ORDER BY x;
