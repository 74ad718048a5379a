DROP VIEW IF EXISTS observability.spans_v3;
DROP TABLE IF EXISTS observability.traces_v3;
