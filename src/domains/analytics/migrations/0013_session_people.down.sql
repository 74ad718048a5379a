ALTER TABLE analytics.sessions
    DROP COLUMN IF EXISTS `person_hash`,
    MODIFY COLUMN `created_at` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1));
