// SPDX-License-Identifier: Apache-2.0
// OpenTelemetry's own SDK for JavaScript sends spans, log records and metrics: three protocols, with gzip and without. What it sent is stored.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server } from './harness.mjs';

// Only Node that these versions take: their newest ones need a newer Node than the tests do.
const load = (name) => import(name).catch(() => null);
const { Metadata, credentials } = (await load('@grpc/grpc-js')) ?? {};
const { context, trace, SpanKind, SpanStatusCode } = (await load('@opentelemetry/api')) ?? {};
const { resourceFromAttributes } = (await load('@opentelemetry/resources')) ?? {};
const { BatchSpanProcessor, NodeTracerProvider } = (await load('@opentelemetry/sdk-trace-node')) ?? {};
const { BatchLogRecordProcessor, LoggerProvider } = (await load('@opentelemetry/sdk-logs')) ?? {};
const { AggregationTemporality, AggregationType, MeterProvider, PeriodicExportingMetricReader } = (await load('@opentelemetry/sdk-metrics')) ?? {};
const skip = !credentials || !NodeTracerProvider || !LoggerProvider || !MeterProvider ? 'npm packages are not installed: npm ci in tests/e2e' : false;

let server, a;
before(async () => {
  if (skip) return;
  server = await Server.start({ tenants: ['a', 'b'], settings: ['--otlp.grpc_listen', '127.0.0.1:0', '--otlp.http_listen', '127.0.0.1:0', '--spool.seal_age', '100ms'] });
  ({ a } = server.tenants);
});
after(() => server?.remove());

/** The exporter of a signal over a protocol; `wait` ends when its last request was answered, with the error if there was one. */
async function exporter(signal, protocol, compression, key, more = {}) {
  const { [`OTLP${signal}Exporter`]: Exporter } = await import(`@opentelemetry/exporter-${{ Trace: 'trace', Log: 'logs', Metric: 'metrics' }[signal]}-otlp-${protocol}`);
  if (protocol === 'grpc') {
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${key}`);
    return new Exporter({ url: server.grpcUrl, metadata, credentials: credentials.createInsecure(), compression, ...more });
  }
  return new Exporter({ url: `${server.otlpUrl}/v1/${{ Trace: 'traces', Log: 'logs', Metric: 'metrics' }[signal]}`, headers: { authorization: `Bearer ${key}` }, compression, ...more });
}

/** Remembers what became of each request, which the SDK only logs. */
function watched(exporter) {
  const results = [];
  const send = exporter.export.bind(exporter);
  exporter.export = (items, done) => send(items, (result) => (results.push(result), done(result)));
  return { exporter, results };
}

// The SDK cuts through characters: JSON then holds half of a surrogate pair, protobuf U+FFFD.
for (const protocol of ['http', 'proto'])
  test(`spans with attributes cut through a character, over ${protocol}`, { skip }, async () => {
    const service = `cut-${protocol}`;
    const { exporter: sender, results } = watched(await exporter('Trace', protocol, 'none', a.secret_key));
    const provider = new NodeTracerProvider({ resource: resourceFromAttributes({ 'service.name': service }), spanLimits: { attributeValueLengthLimit: 11 }, spanProcessors: [new BatchSpanProcessor(sender)] });
    provider.getTracer('e2e').startSpan('cut', { attributes: { text: 'hello abc \u{1F600} world' } }).end();
    await provider.forceFlush();
    await provider.shutdown();
    assert.deepEqual(results.map((result) => result.error?.message ?? result.code), [0]);
    await server.settle(a.write_key);
    assert.deepEqual(await server.sql(`SELECT span_attributes['text'] AS text FROM observability.traces_v3 WHERE service_name = '${service}'`), [{ text: 'hello abc \uFFFD' }]);
  });

const ways = ['http', 'proto', 'grpc'].flatMap((protocol) => ['none', 'gzip'].map((compression) => [protocol, compression]));
for (const [protocol, compression] of ways)
  test(`spans over ${protocol}, compression ${compression}`, { skip }, async () => {
    const service = `spans-${protocol}-${compression}`;
    const { exporter: sender, results } = watched(await exporter('Trace', protocol, compression, a.secret_key));
    const provider = new NodeTracerProvider({ resource: resourceFromAttributes({ 'service.name': service, 'process.pid': 7 }), spanProcessors: [new BatchSpanProcessor(sender)] });
    const tracer = provider.getTracer('e2e', '1.2.3');
    const parent = tracer.startSpan('parent', { kind: SpanKind.SERVER, attributes: { text: 'Größe', count: 3, ratio: 0.25, yes: true, list: ['a', 'b'] } });
    const child = tracer.startSpan('child', { kind: SpanKind.CLIENT, links: [{ context: parent.spanContext(), attributes: { why: 'test' } }] }, trace.setSpan(context.active(), parent));
    child.addEvent('cache miss', { key: 'cart' });
    child.recordException(new Error('no stock'));
    child.setStatus({ code: SpanStatusCode.ERROR, message: 'no stock' });
    child.end();
    parent.end();
    for (let i = 0; i < 1000; i++) tracer.startSpan(`many ${i % 10}`).end();
    await provider.forceFlush();
    await provider.shutdown();
    assert.deepEqual(results.filter(({ code }) => code !== 0), []);
    await server.settle(a.write_key);
    const [counted] = await server.sql(`SELECT count() AS n, countIf(flags = 257) AS flagged FROM observability.traces_v3 WHERE service_name = '${service}'`, a.tenant);
    assert.equal(counted.n, 1002);
    const [p, c] = await server.sql(`SELECT trace_id, span_id, parent_span_id, span_kind, status_code, status_message, scope_name, scope_version, span_attributes, span_attribute_types,
      resource_attributes['process.pid'] AS pid, \`events.name\` AS events, \`events.attributes\` AS event_attributes, \`links.span_id\` AS links, \`links.attributes\` AS link_attributes
      FROM observability.traces_v3 WHERE service_name = '${service}' AND span_name IN ('parent', 'child') ORDER BY span_name DESC`);
    const { traceId, spanId } = parent.spanContext();
    assert.deepEqual([p.trace_id, p.span_id, p.parent_span_id, p.span_kind, p.scope_name, p.scope_version, p.pid], [traceId, spanId, '', 'server', 'e2e', '1.2.3', '7']);
    assert.deepEqual(p.span_attributes, { text: 'Größe', count: '3', ratio: '0.25', yes: 'true', list: '["a","b"]' });
    assert.equal(p.span_attribute_types, 'sidba');
    assert.deepEqual([c.trace_id, c.parent_span_id, c.span_kind, c.status_code, c.status_message, c.links], [traceId, spanId, 'client', 'error', 'no stock', [spanId]]);
    assert.deepEqual(c.events, ['cache miss', 'exception']);
    assert.equal(c.event_attributes[1]['exception.message'], 'no stock');
    assert.deepEqual(c.link_attributes, [{ why: 'test' }]);
  });

for (const [protocol, compression] of ways)
  test(`log records over ${protocol}, compression ${compression}`, { skip }, async () => {
    const service = `logs-${protocol}-${compression}`;
    const { exporter: sender, results } = watched(await exporter('Log', protocol, compression, a.secret_key));
    const provider = new LoggerProvider({ resource: resourceFromAttributes({ 'service.name': service }), processors: [new BatchLogRecordProcessor({ exporter: sender })] });
    const logger = provider.getLogger('e2e');
    logger.emit({ severityNumber: 17, severityText: 'ERROR', body: 'no stock', attributes: { sku: 42, tags: ['x'], nested: { deep: { n: 1.5 } } } });
    logger.emit({ severityNumber: 9, body: { order: 7, lines: [1, 2] }, eventName: 'order.placed' });
    for (let i = 0; i < 500; i++) logger.emit({ severityNumber: 5, body: `line ${i}` });
    await provider.forceFlush();
    await provider.shutdown();
    assert.deepEqual(results.filter(({ code }) => code !== 0), []);
    await server.settle(a.write_key);
    const rows = await server.sql(`SELECT severity_number AS number, severity_text, body, body_type, event_name, log_attributes, log_attribute_types
      FROM observability.logs_v3 WHERE service_name = '${service}' ORDER BY id`, a.tenant);
    assert.equal(rows.length, 502);
    assert.deepEqual(rows[0], { number: 17, severity_text: 'ERROR', body: 'no stock', body_type: 's', event_name: '',
      log_attributes: { sku: '42', tags: '["x"]', nested: '{"deep":{"n":1.5}}' }, log_attribute_types: 'iak' });
    assert.deepEqual(rows[1], { number: 9, severity_text: '', body: '{"order":7,"lines":[1,2]}', body_type: 'k', event_name: 'order.placed', log_attributes: {}, log_attribute_types: '' });
    assert.deepEqual(rows.slice(2).map((row) => row.body), Array.from({ length: 500 }, (_, i) => `line ${i}`));
  });

for (const [protocol, compression] of ways)
  test(`metrics over ${protocol}, compression ${compression}`, { skip }, async () => {
    const service = `metrics-${protocol}-${compression}`;
    const temporality = compression === 'gzip' ? 'delta' : 'cumulative';
    const { exporter: sender, results } = watched(await exporter('Metric', protocol, compression, a.secret_key,
      { temporalityPreference: AggregationTemporality[temporality.toUpperCase()] }));
    const provider = new MeterProvider({ resource: resourceFromAttributes({ 'service.name': service }), readers: [new PeriodicExportingMetricReader({ exporter: sender, exportIntervalMillis: 3600000 })],
      views: [{ instrumentName: 'size', aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } }] });
    const meter = provider.getMeter('e2e');
    const requests = meter.createCounter('requests', { unit: '1', description: 'asked' });
    const latency = meter.createHistogram('latency', { unit: 'ms', advice: { explicitBucketBoundaries: [5, 10] } });
    const size = meter.createHistogram('size');
    meter.createObservableGauge('load').addCallback((result) => result.observe(0.75, { core: 1 }));
    requests.add(3, { route: '/cart' });
    requests.add(4, { route: '/cart' });
    for (const value of [1, 7, 7, 30]) latency.record(value);
    for (const value of [1, 2, 4]) size.record(value);
    await provider.forceFlush();
    await provider.shutdown();
    assert.deepEqual(results.filter(({ code }) => code !== 0), []);
    await server.settle(a.write_key);
    const numbers = await server.sql(`SELECT metric_name, any(value) AS n, any(attributes) AS labels, any(metric_type) AS type, any(unit) AS u
      FROM observability.metrics_v3 WHERE service_name = '${service}' AND metric_name IN ('requests', 'load') AND value != 0 GROUP BY metric_name ORDER BY metric_name`, a.tenant);
    assert.deepEqual(numbers, [{ metric_name: 'load', n: 0.75, labels: { core: '1' }, type: 'gauge', u: '' },
      { metric_name: 'requests', n: 7, labels: { route: '/cart' }, type: 'counter', u: '1' }]);
    const histograms = await server.sql(`SELECT metric_name, any(metric_type) AS type, any(temporality) AS t, max(count) AS n, any(bucket_bounds) AS bounds, any(bucket_counts) AS counts, max(sum) AS total
      FROM observability.metric_histograms WHERE service_name = '${service}' GROUP BY metric_name ORDER BY metric_name`, a.tenant);
    assert.deepEqual(histograms, [{ metric_name: 'latency', type: 'histogram', t: temporality, n: 4, bounds: [5, 10], counts: [1, 2, 1], total: 45 },
      { metric_name: 'size', type: 'exponential_histogram', t: temporality, n: 3, bounds: [], counts: [], total: 7 }]);
  });

for (const protocol of ['http', 'proto', 'grpc'])
  test(`what a wrong key sends over ${protocol} is refused, and the SDK says so`, { skip }, async () => {
    const { exporter: sender, results } = watched(await exporter('Trace', protocol, 'none', 'mrs_0123456789abcdef_wrong'));
    const provider = new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(sender)] });
    provider.getTracer('e2e').startSpan('nobody').end();
    await provider.forceFlush().catch(() => {});
    await provider.shutdown().catch(() => {});
    assert.equal(results.length, 1);
    assert.equal(results[0].code, 1);
    assert.equal(results[0].error.code, protocol === 'grpc' ? 16 : 401);
    assert.deepEqual(await server.sql("SELECT count() AS n FROM observability.traces_v3 WHERE span_name = 'nobody'"), [{ n: 0 }]);
  });
