DROP VIEW IF EXISTS analytics.events_hourly_mv;
DROP TABLE IF EXISTS analytics.events_hourly;
