DROP TABLE IF EXISTS shape.samples;
