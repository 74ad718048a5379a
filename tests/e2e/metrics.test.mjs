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

const labelsOf = (name, more = {}) => ({ __name__: name, instance: 'i', job: 'rules', ...more });
const refused = async (body, reason, send = write) => {
  const answer = await sent(send(server, a.secret_key, body), 400);
  assert.match(answer.headers['content-type'], /^text\/plain/);
  assert.match(answer.text, reason);
  return answer;
};
const count = async (name) => (await rows(`SELECT count() AS n FROM observability.metrics_v3 WHERE metric_name = '${name}'`))[0].n;

test('labels must be sorted, given once, with a name and a value; what is wrong is said, the rest is stored', async () => {
  const good = { labels: labelsOf('good_with_bad'), samples: [[NOW, 1]] };
  const cases = [
    [[['job', 'j'], ['__name__', 'x']], /series 1 \(x\): labels must be sorted by name/],
    [[['__name__', 'x'], ['a', '1'], ['a', '2']], /series 1 \(x\): a label is given twice/],
    [[['__name__', 'x'], ['a', '']], /series 1 \(x\): a label has no value; labels without one must be left out/],
    [[['', 'v'], ['__name__', 'x']], /series 1 \(x\): a label has no name/],
    [[['job', 'j']], /series 1: the label __name__ is missing/],
    [[['__name__', '9 lives']], /series 1 \(9 lives\): the label __name__ is not a valid name of a metric/],
    [[['__name__', 'x'], ['a', Buffer.from([0xff])]], /series 1 \(x\): a label is not UTF-8/],
  ];
  for (const [labels, reason] of cases) {
    const answer = await refused(writeRequest([good, { labels, samples: [[NOW, 1]] }]), reason);
    assert.match(answer.text, /^1 of 2 samples, histograms and exemplars were refused, the others are stored: /);
  }
  assert.equal(await count('good_with_bad'), 1);
  assert.equal(await count('x'), 0);
});

test('times far ahead or older than metrics are kept are refused; late ones, out of order and twice, are taken', async () => {
  const labels = labelsOf('times');
  await refused(writeRequest([{ labels, samples: [[NOW, 1], [Date.now() + 11 * 60_000, 2]] }]), /timestamp \d+ is more than ten minutes in the future/);
  await refused(writeRequest([{ labels, samples: [[NOW - 91 * 86400_000, 3], [NOW - 1000, 4]] }]), /timestamp \d+ is older than the 90 days for which metrics are kept/);
  await refused(writeRequest([{ labels, samples: [[-5, 3]] }]), /timestamp -5 is older/);
  await sent(write(server, a.secret_key, writeRequest([{ labels, samples: [[NOW - 3600_000, 5], [NOW - 7200_000, 6], [NOW, 1], [NOW - 80 * 86400_000, 7]] }])), 204);
  assert.equal(await count('times'), 5);
  // Of equal times of one request the last counts, which is neither the largest nor the smallest.
  await sent(write(server, a.secret_key, writeRequest([{ labels: labelsOf('once'), samples: [[NOW, 1], [NOW, 9], [NOW - 1000, 3], [NOW, 5]] }])), 204);
  assert.deepEqual(await rows("SELECT value FROM observability.metric_samples WHERE series_id IN (SELECT series_id FROM observability.metric_series WHERE metric_name = 'once') ORDER BY timestamp"), [{ value: 3 }, { value: 5 }]);
  assert.equal((await rows("SELECT count() AS n, uniq(series_id) AS ids FROM observability.metric_series FINAL WHERE metric_name = 'times'"))[0].ids, 1);
});

test('who sends a series without saying what it is takes nothing from what another sender said', async () => {
  const labels = { __name__: 'queue_count', job: 'described' };
  await sent(write2(server, b.secret_key, writeRequest2([{ labels, samples: [[NOW, 5]], metadata: { type: 2, unit: 'items' } }])), 204);
  await server.settle(b.write_key);
  await sent(write(server, b.secret_key, writeRequest([{ labels, samples: [[NOW + 1000, 6]] }])), 204);
  await sent(write(server, b.secret_key, writeRequest([{ labels, samples: [[NOW - 86400_000, 4]] }])), 204);
  const said = () => rows("SELECT DISTINCT metric_type, unit FROM observability.metrics_v3 WHERE metric_name = 'queue_count'", b);
  assert.deepEqual(await said(), [{ metric_type: 'gauge', unit: 'items' }]);
  const left = await server.sql("SELECT metric_type, unit FROM observability.metric_series FINAL WHERE metric_name = 'queue_count' ORDER BY day DESC", b.tenant);
  assert.deepEqual(left, [{ metric_type: 'gauge', unit: 'items' }, { metric_type: 'counter', unit: '' }]);
  const names = await server.get(`/api/v2/query/signals/metrics/names?from=${NOW - 2 * 86400_000}&to=${NOW + 60_000}&prefix=queue_count`, b.secret_key);
  assert.deepEqual(names.json.data, [{ name: 'queue_count', type: 'gauge', unit: 'items', isDelta: 0, isCounter: 0, series: 1 }], names.text);
  assert.match((await server.get('/metrics')).text, /^millrace_metric_series [1-9]\d*$/m);
});

test('remote write 2.0 says what it wrote, also when it refuses; its words are resolved by number', async () => {
  const labels = labelsOf('two_total'), metadata = { type: 1, help: 'Two.', unit: 'things' }, histograms = [{ count: 12, sum: 18.4, schema: 1, zeroThreshold: 0.001, zeroCount: 2, positiveSpans: [[0, 2], [1, 2]], positiveDeltas: [1, 1, -1, 0],
    negativeSpans: [[-3, 1]], negativeDeltas: [3], time: NOW }];
  const written = ({ headers }) => ['samples', 'histograms', 'exemplars'].map((kind) => headers[`x-prometheus-remote-write-${kind}-written`]);
  const exemplars = [{ labels: { trace_id: '5b8efff798038103d269b633813fc60c', span_id: 'eee19b7ec3c1b174', zone: 'z' }, value: 0.25, time: NOW }];
  const all = await sent(write2(server, a.secret_key, writeRequest2([{ labels, samples: [[NOW, 1.5, NOW - 5000]], exemplars, metadata },
    { labels: labelsOf('two_seconds'), histograms, metadata: { type: 3 } }])), 204);
  assert.deepEqual(written(all), ['1', '1', '1']);
  const some = await refused(writeRequest2([{ labels, samples: [[NOW + 1000, 2], [NOW + 86400_000, 3]], metadata }]), /1 of 2 samples/, write2);
  assert.deepEqual(written(some), ['1', '0', '0']);
  assert.deepEqual(await rows("SELECT metric_type, unit, value, toUnixTimestamp64Milli(start_timestamp) AS start FROM observability.metrics_v3 WHERE metric_name = 'two_total' ORDER BY timestamp"),
    [{ metric_type: 'counter', unit: 'things', value: 1.5, start: NOW - 5000 }, { metric_type: 'counter', unit: 'things', value: 2, start: 0 }]);
  assert.deepEqual(await rows("SELECT value, trace_id, span_id, attributes FROM observability.exemplars_v3 WHERE metric_name = 'two_total'"),
    [{ value: 0.25, trace_id: '5b8efff798038103d269b633813fc60c', span_id: 'eee19b7ec3c1b174', attributes: { trace_id: '5b8efff798038103d269b633813fc60c', span_id: 'eee19b7ec3c1b174', zone: 'z' } }]);
  assert.deepEqual(await rows("SELECT DISTINCT metric_type, help, unit FROM observability.metric_metadata WHERE prometheus_name = 'two_total'"), [{ metric_type: 'counter', help: 'Two.', unit: 'things' }]);
  // Prometheus' bucket i ends where OpenTelemetry's begins.
  assert.deepEqual(await rows("SELECT scale, zero_count, positive_offset, positive_counts, negative_offset, negative_counts, sum, count, zero_threshold FROM observability.metric_histograms WHERE metric_name = 'two_seconds'"),
    [{ scale: 1, zero_count: 2, positive_offset: -1, positive_counts: [1, 2, 0, 1, 1], negative_offset: -4, negative_counts: [3], sum: 18.4, count: 12, zero_threshold: 0.001 }]);
  for (const [body, reason] of [[Buffer.concat([Buffer.from([0x22, 1, 0x78])]), /symbols: the first symbol must be empty/], [Buffer.from([0x2a, 5]), /is malformed/]])
    await refused(body, reason, write2);
});

test('histograms of every form keep their buckets; what does not fit together is refused', async () => {
  const at = (name, histogram) => writeRequest([{ labels: labelsOf(name), histograms: [{ count: 0, sum: 0, time: NOW, ...histogram }] }]);
  await sent(write(server, a.secret_key, at('h_custom', { count: 6, sum: 7, schema: -53, positiveSpans: [[1, 2]], positiveDeltas: [2, 2], custom: [1, 2.5, 5] })), 204);
  await sent(write(server, a.secret_key, at('h_float', { isFloat: true, count: 4.5, sum: 1, zeroCount: 0.5, positiveSpans: [[2, 1]], positiveCounts: [4] })), 204);
  await sent(write(server, a.secret_key, at('h_stale', { sum: STALE })), 204);
  assert.deepEqual(await rows("SELECT metric_name, bucket_bounds, bucket_counts FROM observability.metric_histograms WHERE metric_name IN ('h_custom', 'h_stale')"),
    [{ metric_name: 'h_custom', bucket_bounds: [1, 2.5, 5], bucket_counts: [0, 2, 4, 0] }]);
  assert.deepEqual(await rows('SELECT is_float, count_float, zero_count_float, positive_offset, positive_counts_float FROM observability.metric_histogram_samples WHERE is_float = 1'),
    [{ is_float: 1, count_float: 4.5, zero_count_float: 0.5, positive_offset: 1, positive_counts_float: [4] }]);
  await refused(at('h_bad', { schema: 9 }), /the schema of the histogram must be -4 to 8, or -53/);
  await refused(at('h_bad', { positiveSpans: [[0, 2]], positiveDeltas: [1] }), /spans and buckets of the histogram do not fit together/);
  await refused(at('h_bad', { positiveSpans: [[0, 2]], positiveDeltas: [1, -2] }), /a bucket of the histogram is negative/);
  await refused(at('h_bad', { positiveSpans: [[0, 1], [2147483647, 1]], positiveDeltas: [1, 1] }), /may have 20000 buckets, gaps included/);
  await refused(at('h_bad', { schema: -53, positiveSpans: [[0, 3]], positiveDeltas: [1, 1, 1], custom: [1] }), /more buckets than bounds/);
  await refused(at('h_bad', { schema: -53, custom: [2, 1] }), /the bounds of the histogram must grow/);
});

test('bodies are snappy within their limits, types and keys are checked', async () => {
  const body = writeRequest([{ labels: labelsOf('limits'), samples: [[NOW, 1]] }]);
  const post = (raw, headers = {}, key = a.secret_key) => server.post('/api/v1/write', raw, { key, headers: { 'content-encoding': 'snappy', 'content-type': 'application/x-protobuf', ...headers } });
  await sent(post(snappy(body)), 204);
  await sent(post(body, { 'content-encoding': 'identity' }), 204);
  assert.match((await sent(post(Buffer.from('no snappy at all')), 400)).text, /not valid snappy/);
  // It says 60 MiB and holds nothing; it says 65 MiB.
  assert.match((await sent(post(Buffer.from([0x80, 0x80, 0x80, 0x1e, 0])), 400)).text, /not valid snappy/);
  const huge = Buffer.concat([Buffer.from([0x81, 0x80, 0x80, 0x20]), Buffer.alloc(4 << 20)]);
  assert.match((await sent(post(huge), 413)).text, /larger than 67108864 bytes/);
  assert.match((await sent(post(snappy(Buffer.from([0x0a, 0x7f])), {}), 400)).text, /not a valid protobuf message/);
  for (const type of ['application/json', 'application/x-protobuf;proto=other.Request'])
    assert.match((await sent(post(snappy(body), { 'content-type': type }), 415)).text, /^content-type: /);
  await sent(post(snappy(body), {}, null), 401);
  await sent(post(snappy(body), { 'x-tenant-id': a.tenant }), 204);
  assert.match((await sent(post(snappy(body), { 'x-tenant-id': b.tenant }), 403)).text, /^x-tenant-id: /);
});

test('points that cannot be stored are counted in the answer, and the others are stored', async () => {
  const ok = { timeUnixNano: nano(NOW), asInt: 1 };
  const rejected = async (metric, reason) => {
    const answer = await sent(server.post('/v1/metrics', otlp(metric, { name: 'beside', gauge: { dataPoints: [ok] } }), { key: a.secret_key }), 200);
    assert.equal(answer.json.partialSuccess?.rejectedDataPoints, '1', answer.text);
    assert.match(answer.json.partialSuccess.errorMessage, reason);
  };
  await rejected({ name: 'p', gauge: { dataPoints: [{ asInt: 1 }] } }, /data point 0: time_unix_nano is missing \(named "p"\)/);
  await rejected({ name: 'p', sum: { dataPoints: [ok] } }, /aggregation_temporality must be 1 \(delta\) or 2 \(cumulative\)/);
  await rejected({ name: 'p', gauge: { dataPoints: [{ ...ok, timeUnixNano: nano(NOW + 86400_000) }] } }, /time_unix_nano is more than ten minutes in the future/);
  await rejected({ gauge: { dataPoints: [ok] } }, /the metric has no name/);
  const histogram = (point) => ({ name: 'p', histogram: { aggregationTemporality: 2, dataPoints: [{ timeUnixNano: nano(NOW), count: 1, ...point }] } });
  await rejected(histogram({ explicitBounds: [1, 2, 3, 4], bucketCounts: [1, 2, 3, 4] }), /bucket_counts must be one more than explicit_bounds, or both empty/);
  await rejected(histogram({ explicitBounds: [2, 2], bucketCounts: [1, 2, 3] }), /explicit_bounds must grow/);
  await rejected({ name: 'p', summary: { dataPoints: [{ timeUnixNano: nano(NOW), quantileValues: [{ quantile: 1.5 }] }] } }, /quantiles must be 0 to 1/);
  await rejected({ name: 'p', exponentialHistogram: { aggregationTemporality: 2, dataPoints: [{ timeUnixNano: nano(NOW), scale: 21 }] } }, /scale must be -10 to 20/);
  await sent(server.post('/v1/metrics', otlp({ name: 'gone', gauge: { dataPoints: [{ timeUnixNano: nano(NOW), flags: 1 }] } }), { key: a.secret_key }), 200);
  assert.equal(await count('p'), 0);
  assert.equal(await count('beside'), 1);
  assert.equal(await count('gone'), 0);
  assert.deepEqual(await rows("SELECT is_stale FROM observability.metric_samples WHERE series_id IN (SELECT series_id FROM observability.metric_series WHERE metric_name = 'gone')"), [{ is_stale: 1 }]);
});
