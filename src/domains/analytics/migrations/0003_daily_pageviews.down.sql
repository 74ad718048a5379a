DROP VIEW IF EXISTS analytics.daily_pageviews_mv;
DROP TABLE IF EXISTS analytics.daily_pageviews;
