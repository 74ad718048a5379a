ALTER TABLE analytics.events MODIFY COLUMN `created_at` DateTime64(3, 'UTC') CODEC(T64('bit'), ZSTD(1));
