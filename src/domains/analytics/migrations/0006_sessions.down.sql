DROP VIEW IF EXISTS analytics.session_changes_mv;
DROP TABLE IF EXISTS analytics.session_changes;
DROP TABLE IF EXISTS analytics.sessions;
