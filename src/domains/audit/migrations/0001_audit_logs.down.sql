DROP TABLE IF EXISTS observability.audit_logs;
