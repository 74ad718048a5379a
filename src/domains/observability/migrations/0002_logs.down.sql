DROP VIEW IF EXISTS observability.logs_v3_by_trace;
DROP TABLE IF EXISTS observability.logs_v3;
