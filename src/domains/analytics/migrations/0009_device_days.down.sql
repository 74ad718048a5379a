DROP VIEW IF EXISTS analytics.device_days_feed;
DROP TABLE IF EXISTS analytics.device_days;
ALTER TABLE analytics.events
    DROP COLUMN IF EXISTS `device_hash`,
    DROP COLUMN IF EXISTS `profile_hash`,
    MODIFY COLUMN `created_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(6));
