DROP TABLE IF EXISTS analytics.link_visits;
