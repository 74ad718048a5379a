-- Times of events again in the form that is read fastest: over 8 M rows T64('bit') and ZSTD(1) took 74 ms of CPU, T64 and LZ4
-- 34, for 0.1 bytes an event (docs/benchmarks.md, query). Every question reads them.
ALTER TABLE analytics.events MODIFY COLUMN `created_at` DateTime64(3, 'UTC') CODEC(T64, LZ4);
