DROP TABLE IF EXISTS millrace.bodies;
