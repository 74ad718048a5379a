-- Events per hour were asked for by nobody: questions read events themselves, visits, or device_days. What feeds a table that
-- nobody reads costs every event.
DROP VIEW IF EXISTS analytics.events_hourly_mv;
DROP TABLE IF EXISTS analytics.events_hourly;
