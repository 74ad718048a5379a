DROP TABLE IF EXISTS millrace.requests;
