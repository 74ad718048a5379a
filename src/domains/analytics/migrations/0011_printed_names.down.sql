DROP VIEW IF EXISTS analytics.events_imports;
ALTER TABLE analytics.sessions DROP COLUMN IF EXISTS `properties`;
