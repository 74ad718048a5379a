DROP VIEW IF EXISTS analytics.actions_feed;
DROP TABLE IF EXISTS analytics.actions;
