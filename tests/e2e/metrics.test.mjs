// SPDX-License-Identifier: Apache-2.0
// Metrics by OTLP and by remote write: what comes in stands in the tables that document 001 prints.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server } from './harness.mjs';
import { STALE, snappy, write, write2, writeRequest, writeRequest2 } from './remote_write.mjs';

let server, a, b;
before(async () => {
  server = await Server.start({ tenants: ['a', 'b'], settings: ['--spool.seal_age', '100ms'] });
  ({ a, b } = server.tenants);
});
after(() => server?.remove());

const NOW = Math.floor(Date.now() / 1000) * 1000;
const nano = (ms) => String(BigInt(ms) * 1000000n);
const attributes = (values) => Object.entries(values).map(([key, value]) => ({ key, value: typeof value === 'number' ? { intValue: value } : { stringValue: value } }));
const otlp = (...metrics) => ({ resourceMetrics: [{ resource: { attributes: attributes({ 'service.name': 'cart', 'service.namespace': 'shop', 'service.instance.id': 'i-1', 'host.name': 'h' }) },
  scopeMetrics: [{ scope: { name: 'test', version: '1.2' }, metrics }] }] });
async function sent(promise, status) {
  const answer = await promise;
  assert.equal(answer.status, status, answer.text);
  return answer;
}
const rows = async (statement, tenant = a) => {
  await server.settle(tenant.write_key);
  return server.sql(statement, tenant.tenant);
};

test('points of every kind by OTLP stand in the printed tables, each with its own type', async () => {
  const point = (more) => ({ timeUnixNano: nano(NOW), startTimeUnixNano: nano(NOW - 60000), attributes: attributes({ 'http.route': '/cart', code: 200 }), ...more });
  await sent(server.post('/v1/metrics', otlp(
    { name: 'memory.used', unit: 'By', description: 'in use', gauge: { dataPoints: [point({ asInt: '9007199254740993' }), point({ timeUnixNano: nano(NOW + 1), asDouble: 0.1 })] } },
    { name: 'requests', sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints: [point({ asDouble: 12.5, exemplars: [
      { timeUnixNano: nano(NOW - 1), asDouble: 3.5, traceId: '5b8efff798038103d269b633813fc60c', spanId: 'eee19b7ec3c1b174', filteredAttributes: attributes({ user: 'u' }) }] })] } },
    { name: 'queue', sum: { aggregationTemporality: 1, dataPoints: [point({ asInt: -3 })] } },
    { name: 'latency', unit: 'ms', histogram: { aggregationTemporality: 2, dataPoints: [point({ count: 6, sum: 70.5, min: 1, max: 40, explicitBounds: [5, 10], bucketCounts: [1, 2, 3] })] } },
    { name: 'size', exponentialHistogram: { aggregationTemporality: 1, dataPoints: [point({ count: 7, scale: 3, zeroCount: 1, positive: { offset: -2, bucketCounts: [1, 0, 2] }, negative: { offset: 4, bucketCounts: [3] }, zeroThreshold: 0.5 })] } },
    { name: 'gc', summary: { dataPoints: [point({ count: 3, sum: 0.75, quantileValues: [{ quantile: 0.5, value: 0.2 }, { quantile: 0.99, value: 0.4 }] })] } },
  ), { key: a.secret_key }), 200);
  const numbers = await rows('SELECT metric_name, value, unit, metric_type, temporality, is_monotonic, service_name, resource_attributes, scope_name, scope_version, attributes, '
    + "toUnixTimestamp64Milli(timestamp) AS ms, toUnixTimestamp64Milli(start_timestamp) AS start, exemplar_trace_id, exemplar_span_id, exemplar_value, exemplar_attributes FROM observability.metrics_v3 ORDER BY metric_name, timestamp");
  const same = { service_name: 'cart', resource_attributes: { 'service.name': 'cart', 'service.namespace': 'shop', 'service.instance.id': 'i-1', 'host.name': 'h' }, scope_name: 'test', scope_version: '1.2',
    attributes: { code: '200', 'http.route': '/cart' }, ms: NOW, start: NOW - 60000, exemplar_trace_id: '', exemplar_span_id: '', exemplar_value: 0, exemplar_attributes: {} };
  assert.deepEqual(numbers, [
    { ...same, metric_name: 'memory.used', value: 9007199254740992, unit: 'By', metric_type: 'gauge', temporality: '', is_monotonic: 0 },
    { ...same, metric_name: 'memory.used', value: 0.1, unit: 'By', metric_type: 'gauge', temporality: '', is_monotonic: 0, ms: NOW + 1 },
    { ...same, metric_name: 'queue', value: -3, unit: '', metric_type: 'gauge', temporality: 'delta', is_monotonic: 0 },
    { ...same, metric_name: 'requests', value: 12.5, unit: '', metric_type: 'counter', temporality: 'cumulative', is_monotonic: 1,
      exemplar_trace_id: '5b8efff798038103d269b633813fc60c', exemplar_span_id: 'eee19b7ec3c1b174', exemplar_value: 3.5, exemplar_attributes: { user: 'u' } },
  ]);
  // Whole numbers beyond 2^53 are kept as they were.
  assert.deepEqual(await rows("SELECT toString(mantissa) AS whole FROM observability.metric_samples WHERE scale = 0 AND mantissa > 9007199254740992"), [{ whole: '9007199254740993' }]);
  const histograms = await rows('SELECT metric_name, metric_type, temporality, bucket_bounds, bucket_counts, sum, count, min, max, scale, zero_count, zero_threshold, positive_offset, positive_counts, '
    + 'negative_offset, negative_counts, exemplar_values FROM observability.metric_histograms ORDER BY metric_name');
  assert.deepEqual(histograms, [
    { metric_name: 'latency', metric_type: 'histogram', temporality: 'cumulative', bucket_bounds: [5, 10], bucket_counts: [1, 2, 3], sum: 70.5, count: 6, min: 1, max: 40, scale: 0, zero_count: 0,
      zero_threshold: 0, positive_offset: 0, positive_counts: [], negative_offset: 0, negative_counts: [], exemplar_values: [] },
    { metric_name: 'size', metric_type: 'exponential_histogram', temporality: 'delta', bucket_bounds: [], bucket_counts: [], sum: null, count: 7, min: null, max: null, scale: 3, zero_count: 1,
      zero_threshold: 0.5, positive_offset: -2, positive_counts: [1, 0, 2], negative_offset: 4, negative_counts: [3], exemplar_values: [] },
  ]);
  assert.deepEqual(await rows('SELECT quantiles, quantile_values, sum, count FROM observability.metric_summary_samples'), [{ quantiles: [0.5, 0.99], quantile_values: [0.2, 0.4], sum: 0.75, count: 3 }]);
  assert.deepEqual(await rows('SELECT DISTINCT prometheus_name, labels FROM observability.metric_series ORDER BY 1'),
    ['gc', 'latency_milliseconds', 'memory_used_bytes', 'queue', 'requests_total', 'size'].map((prometheus_name) => ({ prometheus_name,
      labels: { code: '200', http_route: '/cart', instance: 'i-1', job: 'shop/cart', otel_scope_name: 'test', otel_scope_version: '1.2' } })));
  assert.deepEqual(await rows('SELECT count() AS n FROM observability.metrics_v3', b), [{ n: 0 }]);
});

test('samples by remote write stand there too, a series once a day, whatever is sent', async () => {
  const labels = { __name__: 'http_requests_total', job: 'api', instance: 'x:80', code: '200' };
  for (const path of ['/api/v1/write', '/api/v1/push', '/prometheus/api/v1/write'])
    await sent(write(server, b.secret_key, writeRequest([{ labels, samples: [[NOW - 15000, 5], [NOW, 7.25]] }]), { path }), 204);
  await sent(write(server, b.secret_key, writeRequest([{ labels, samples: [[NOW + 15000, STALE]] }, { labels: { ...labels, __name__: 'up' }, samples: [[NOW, 1]] }],
    [{ type: 1, family: 'http_requests', help: 'How many.', unit: 's' }])), 204);
  assert.deepEqual(await rows('SELECT metric_name, metric_type, value, attributes, service_name, toUnixTimestamp64Milli(timestamp) AS ms FROM observability.metrics_v3 ORDER BY metric_name, ms', b), [
    { metric_name: 'http_requests_total', metric_type: 'counter', value: 5, attributes: { code: '200', instance: 'x:80', job: 'api' }, service_name: 'api', ms: NOW - 15000 },
    { metric_name: 'http_requests_total', metric_type: 'counter', value: 7.25, attributes: { code: '200', instance: 'x:80', job: 'api' }, service_name: 'api', ms: NOW },
    { metric_name: 'up', metric_type: 'gauge', value: 1, attributes: { code: '200', instance: 'x:80', job: 'api' }, service_name: 'api', ms: NOW },
  ]);
  assert.deepEqual(await rows('SELECT prometheus_name, metric_type, help, unit FROM observability.metric_metadata', b), [{ prometheus_name: 'http_requests', metric_type: 'counter', help: 'How many.', unit: 's' }]);
  assert.deepEqual(await rows("SELECT hex(reinterpretAsUInt64(value)) AS bits FROM observability.metric_samples WHERE is_stale", b), [{ bits: '7FF0000000000002' }]);
});
