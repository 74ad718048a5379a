-- A table of events, a table made like it, one whose engine has arguments, one that every node needs whole.
CREATE DATABASE IF NOT EXISTS analytics;
CREATE TABLE IF NOT EXISTS analytics.events
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)), -- ENGINE = MergeTree is not here
    `created_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `note` String DEFAULT 'it''s; analytics.events \' ENGINE = Log',
    `client_id` String ALIAS tenant_id,
    INDEX note_bloom note TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(created_at)
ORDER BY (tenant_id, toDate(created_at))
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192;
CREATE TABLE analytics.events_late AS analytics.events ENGINE MergeTree() ORDER BY (tenant_id, created_at);
create table if not exists `analytics`.`profiles` (id String, tenant_id String, version UInt64)
engine = ReplacingMergeTree(version) order by (tenant_id, id);
CREATE TABLE IF NOT EXISTS analytics.countries (code String, name String) ENGINE = ReplacingMergeTree ORDER BY code
SETTINGS non_replicated_deduplication_window=100;
CREATE TABLE IF NOT EXISTS analytics.scratch (x UInt8) ENGINE = Memory;
CREATE TABLE IF NOT EXISTS analytics.made (x UInt8, tenant_id String) ENGINE = ReplicatedMergeTree('/a/{shard}', '{replica}') ORDER BY x
