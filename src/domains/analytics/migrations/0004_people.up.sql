-- People: their profiles, other names and groups, recordings of their visits; and robots, which are none.
--
-- Profiles never lose a change: each one is a row of its own (profile_changes), also an increment, and the profile is what
-- they come to. profile_properties keeps of all "set" rows of one property the latest, and every increment once, however
-- often a row comes; the view profiles adds them up. docs/decisions/0005-profiles.md says why.
CREATE DATABASE IF NOT EXISTS analytics;

CREATE TABLE IF NOT EXISTS analytics.profile_changes
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `profile_id` String CODEC(ZSTD(1)),
    `field` LowCardinality(String) CODEC(ZSTD(1)),
    `name` String CODEC(ZSTD(1)),
    `operation` LowCardinality(String) CODEC(ZSTD(1)),
    `value` String CODEC(ZSTD(1)),
    `amount` Decimal(18, 4) CODEC(ZSTD(1)),
    `version` UInt64 CODEC(ZSTD(1)),
    `id` UUID CODEC(ZSTD(1)),
    `created_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `ingested_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `segment` UInt64 CODEC(ZSTD(1)),

    `project_id` String ALIAS tenant_id,

    INDEX segment_minmax segment TYPE minmax GRANULARITY 1,
    INDEX ingested_at_minmax ingested_at TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
ORDER BY (tenant_id, profile_id, version)
TTL toDateTime(ingested_at) + INTERVAL 30 DAY -- profile_properties has them by then
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS analytics.profile_properties
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `profile_id` String CODEC(ZSTD(1)),
    `field` LowCardinality(String) CODEC(ZSTD(1)),
    `name` String CODEC(ZSTD(1)),
    `change` UUID CODEC(ZSTD(1)), -- of an increment its id, of anything else nil: so those replace each other
    `operation` LowCardinality(String) CODEC(ZSTD(1)),
    `value` String CODEC(ZSTD(1)),
    `amount` Decimal(18, 4) CODEC(ZSTD(1)),
    `version` UInt64 CODEC(ZSTD(1)),

    `project_id` String ALIAS tenant_id
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant_id, profile_id, field, name, change)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS analytics.profile_properties_mv TO analytics.profile_properties AS
SELECT
    tenant_id,
    profile_id,
    arrayJoin(if(field = 'seen', ['seen', 'created'], [toString(field)])) AS field,
    name,
    if(operation = 'add', id, toUUID('00000000-0000-0000-0000-000000000000')) AS change,
    operation,
    value,
    amount,
    if(field = 'created', bitNot(version), version) AS version -- of the first row, not the last
FROM analytics.profile_changes;

-- One row per profile. A set, or a removal, counts with the increments that came after it. Increments of a text that is no
-- number are without effect.
CREATE VIEW IF NOT EXISTS analytics.profiles AS
SELECT
    tenant_id,
    id,
    max(field = 'identified') AS is_external,
    anyIf(text, field = 'first_name') AS first_name,
    anyIf(text, field = 'last_name') AS last_name,
    anyIf(text, field = 'email') AS email,
    anyIf(text, field = 'avatar') AS avatar,
    mapFromArrays(groupArrayIf(name, field = 'property' AND is_there), groupArrayIf(text, field = 'property' AND is_there)) AS properties,
    arraySort(groupArrayIf(name, field = 'group' AND is_there)) AS groups,
    fromUnixTimestamp64Milli(toInt64(bitShiftRight(bitNot(maxIf(last_version, field = 'created')), 20)), 'UTC') AS created_at,
    fromUnixTimestamp64Milli(toInt64(bitShiftRight(maxIf(last_version, field = 'seen'), 20)), 'UTC') AS last_seen_at,
    tenant_id AS project_id
FROM
(
    SELECT
        tenant_id,
        profile_id AS id,
        field,
        name,
        argMaxIf((operation, value, version), version, operation != 'add') AS base,
        groupUniqArrayIf((change, version, amount), operation = 'add') AS additions,
        arrayFilter(addition -> addition.2 > base.3, additions) AS later,
        arraySum(addition -> addition.3, later) AS added,
        multiIf(empty(later), base.2,
                base.2 = '', toString(added),
                isNull(toDecimal64OrNull(base.2, 4)), base.2,
                toString(assumeNotNull(toDecimal64OrNull(base.2, 4)) + added)) AS text,
        base.1 = 'set' OR notEmpty(later) AS is_there,
        max(version) AS last_version
    FROM analytics.profile_properties
    GROUP BY tenant_id, profile_id, field, name
)
GROUP BY tenant_id, id;

CREATE TABLE IF NOT EXISTS analytics.profile_aliases
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `profile_id` String CODEC(ZSTD(1)),
    `alias` String CODEC(ZSTD(1)),
    `version` UInt64 CODEC(ZSTD(1)),
    `id` UUID CODEC(ZSTD(1)),
    `created_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `ingested_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `segment` UInt64 CODEC(ZSTD(1)),

    `project_id` String ALIAS tenant_id,

    INDEX segment_minmax segment TYPE minmax GRANULARITY 1,
    INDEX ingested_at_minmax ingested_at TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
ORDER BY (tenant_id, alias, version)
SETTINGS non_replicated_deduplication_window = 10000;

-- Which person an id stands for. An alias belongs to the profile it was last given to; that may be an alias in turn (chains
-- are followed for 64 steps), and some may be aliases of each other: then the smallest name of the ring stands for all of
-- it. Only ids that are not their own person are here.
CREATE VIEW IF NOT EXISTS analytics.profile_identities AS
WITH RECURSIVE targets AS
(
    SELECT tenant_id, alias, argMax(profile_id, version) AS profile_id
    FROM analytics.profile_aliases
    GROUP BY tenant_id, alias
    HAVING alias != profile_id
),
walks AS
(
    SELECT tenant_id, alias, [alias, profile_id] AS path
    FROM targets
    UNION ALL
    SELECT walks.tenant_id AS tenant_id, walks.alias AS alias, arrayPushBack(walks.path, targets.profile_id) AS path
    FROM walks
    INNER JOIN targets ON targets.tenant_id = walks.tenant_id AND targets.alias = walks.path[-1]
    WHERE indexOf(walks.path, walks.path[-1]) = length(walks.path) AND length(walks.path) < 65
)
SELECT
    tenant_id,
    alias,
    -- A path ends at a person, or where it comes to a place of its own again: from there on it is a ring.
    if(indexOf(path, path[-1]) = length(path), path[-1], arrayMin(arraySlice(path, indexOf(path, path[-1])))) AS profile_id,
    tenant_id AS project_id
FROM
(
    SELECT tenant_id, alias, argMax(path, length(path)) AS path
    FROM walks
    GROUP BY tenant_id, alias
)
WHERE alias != profile_id;

CREATE TABLE IF NOT EXISTS analytics.group_changes
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `group_id` String CODEC(ZSTD(1)),
    `type` LowCardinality(String) CODEC(ZSTD(1)),
    `name` String CODEC(ZSTD(1)),
    `properties` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `version` UInt64 CODEC(ZSTD(1)),
    `id` UUID CODEC(ZSTD(1)),
    `created_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `ingested_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `segment` UInt64 CODEC(ZSTD(1)),

    `project_id` String ALIAS tenant_id,

    INDEX segment_minmax segment TYPE minmax GRANULARITY 1,
    INDEX ingested_at_minmax ingested_at TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
ORDER BY (tenant_id, group_id, version)
SETTINGS non_replicated_deduplication_window = 10000;

-- One row per group, as it was sent last.
CREATE VIEW IF NOT EXISTS analytics.groups AS
SELECT
    tenant_id,
    group_id AS id,
    argMax(group_changes.type, version) AS type,
    argMax(group_changes.name, version) AS name,
    argMax(group_changes.properties, version) AS properties,
    min(group_changes.created_at) AS created_at,
    tenant_id AS project_id
FROM analytics.group_changes
GROUP BY tenant_id, group_id;

CREATE TABLE IF NOT EXISTS analytics.session_replay_chunks
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `session_id` String CODEC(ZSTD(1)),
    `device_id` String CODEC(ZSTD(1)),
    `chunk_index` UInt16 CODEC(ZSTD(1)),
    `started_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `ended_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `events_count` UInt32 CODEC(ZSTD(1)),
    `is_full_snapshot` Bool CODEC(ZSTD(1)),
    `payload` String CODEC(ZSTD(6)),
    `id` UUID CODEC(ZSTD(1)),
    `ingested_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `segment` UInt64 CODEC(ZSTD(1)),

    `project_id` String ALIAS tenant_id,

    INDEX segment_minmax segment TYPE minmax GRANULARITY 1,
    INDEX ingested_at_minmax ingested_at TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(ingested_at) -- by our clock: one request may not make many parts
ORDER BY (tenant_id, session_id, started_at, chunk_index)
TTL toDateTime(ingested_at) + INTERVAL 30 DAY
SETTINGS non_replicated_deduplication_window = 10000;

-- Visits of robots: not in analytics.events, so neither counted nor billed.
CREATE TABLE IF NOT EXISTS analytics.events_bots
(
    `tenant_id` LowCardinality(String) CODEC(ZSTD(1)),
    `id` UUID CODEC(ZSTD(1)),
    `name` LowCardinality(String) CODEC(ZSTD(1)),
    `type` LowCardinality(String) CODEC(ZSTD(1)),
    `path` String CODEC(ZSTD(1)),
    `origin` LowCardinality(String) CODEC(ZSTD(1)),
    `event_name` LowCardinality(String) CODEC(ZSTD(1)),
    `created_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `ingested_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `segment` UInt64 CODEC(ZSTD(1)),

    `project_id` String ALIAS tenant_id,

    INDEX segment_minmax segment TYPE minmax GRANULARITY 1,
    INDEX ingested_at_minmax ingested_at TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(created_at)
ORDER BY (tenant_id, created_at)
SETTINGS non_replicated_deduplication_window = 10000;
