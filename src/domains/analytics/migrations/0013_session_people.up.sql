-- Whose visit it is, as a number: counting people by it costs a third of counting texts (docs/metrics.md, Overview). The same number
-- as of events: the hash of the profile, or else of the device; 0 is nobody. And times in a form that is read three times faster.
ALTER TABLE analytics.sessions
    ADD COLUMN IF NOT EXISTS `person_hash` UInt64 MATERIALIZED multiIf(profile_id != '', cityHash64(profile_id), device_id != '', cityHash64(device_id), 0) CODEC(ZSTD(1)),
    MODIFY COLUMN `created_at` DateTime64(3, 'UTC') CODEC(T64, LZ4);
