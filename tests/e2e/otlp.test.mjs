// SPDX-License-Identifier: Apache-2.0
// OTLP over HTTP: spans and log records in protobuf and JSON, keys, answers, errors, what is sent twice.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Server, repository, waitFor } from './harness.mjs';

let server, a, b;
const span = (traceId, spanId, more = {}) => ({
  traceId, spanId, name: 'GET /cart', kind: 2, startTimeUnixNano: String(BigInt(Date.now()) * 1000000n), endTimeUnixNano: String(BigInt(Date.now() + 5) * 1000000n),
  attributes: [{ key: 'http.response.status_code', value: { intValue: 200 } }], ...more });
const request = (...spans) => ({ resourceSpans: [{ resource: { attributes: [{ key: 'service.name', value: { stringValue: 'cart' } }] },
  scopeSpans: [{ scope: { name: 'test' }, spans }] }] });
before(async () => {
  server = await Server.start({ tenants: ['a', 'b'], settings: ['--spool.seal_age', '100ms'] });
  ({ a, b } = server.tenants);
});
after(() => server?.remove());

const TRACE = '5b8efff798038103d269b633813fc60c';
test('spans sent as JSON are found by the id of their trace, by their own tenant only', async () => {
  const answer = await server.post('/v1/traces', request(span(TRACE.toUpperCase(), 'eee19b7ec3c1b174'), span(TRACE, 'eee19b7ec3c1b175', { parentSpanId: 'eee19b7ec3c1b174' })), { key: a.secret_key });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.text, '{}');
  await server.settle(a.write_key);
  const found = await server.get(`/api/v2/query/signals/traces/${TRACE}`, a.secret_key);
  assert.equal(found.status, 200, found.text);
  assert.deepEqual(found.json.data.map((s) => [s.spanId, s.parentSpanId, s.serviceName, s.spanKind]),
    [['eee19b7ec3c1b174', '', 'cart', 'server'], ['eee19b7ec3c1b175', 'eee19b7ec3c1b174', 'cart', 'server']]);
  assert.equal((await server.get(`/api/v2/query/signals/traces/${TRACE}`, b.secret_key)).status, 404);
});

test('a span that cannot be stored is counted in the answer, and the others are stored', async () => {
  const answer = await server.post('/v1/traces', request(span('00'.repeat(16), 'eee19b7ec3c1b174'), span('11'.repeat(16), 'eee19b7ec3c1b174')), { key: a.secret_key });
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.json, { partialSuccess: { rejectedSpans: '1', errorMessage: 'span 0: trace_id must be 16 bytes, not all zero (named "GET /cart")' } });
});

test('a request that breaks off is refused whole', async () => {
  const answer = await server.post('/v1/traces', request(span('22'.repeat(16), 'eee19b7ec3c1b174'), span('22'.repeat(16), 'eee19b7ec3c1b175', { kind: 'server' })), { key: a.secret_key });
  assert.equal(answer.status, 400);
  assert.deepEqual(answer.json, { code: 3, message: 'kind: Span.kind must be a whole number from 0 to 4294967295' });
  await server.settle(a.write_key);
  assert.equal((await server.get(`/api/v2/query/signals/traces/${'22'.repeat(16)}`, a.secret_key)).status, 404);
});

const record = (more = {}) => ({ timeUnixNano: String(BigInt(Date.now()) * 1000000n), severityNumber: 9, severityText: 'INFO', body: { stringValue: 'cart is empty' }, ...more });
const logs = (...logRecords) => ({ resourceLogs: [{ resource: { attributes: [{ key: 'service.name', value: { stringValue: 'cart' } }] }, scopeLogs: [{ scope: { name: 'test' }, logRecords }] }] });
test('log records are stored with their trace, and in the order in which they came', async () => {
  const answer = await server.post('/v1/logs', logs(record({ traceId: TRACE, spanId: 'eee19b7ec3c1b174', flags: 257 }),
    record({ traceId: 'beef', body: { kvlistValue: { values: [{ key: 'n', value: { intValue: '7' } }] } } }), record({ timeUnixNano: '0', body: undefined })), { key: a.secret_key });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.text, '{}');
  await server.settle(a.write_key);
  const rows = await server.sql(`SELECT trace_id, span_id, trace_flags, body, body_type, severity_text, service_name, timestamp >= now() - 60 AS recent
    FROM observability.logs_v3 WHERE tenant_id = '${a.tenant}' ORDER BY id`);
  assert.deepEqual(rows.map(({ trace_id, span_id, trace_flags, body, body_type, service_name, recent }) => [trace_id, span_id, trace_flags, body, body_type, service_name, recent]), [
    [TRACE, 'eee19b7ec3c1b174', 1, 'cart is empty', 's', 'cart', 1], ['', '', 0, '{"n":7}', 'k', 'cart', 1], ['', '', 0, '', 'e', 'cart', 1]]);
});

test('the same bytes again, as after an answer that was lost, are stored once, also when the server was restarted between', async () => {
  const trace = '33'.repeat(16);
  const body = JSON.stringify(request(span(trace, 'eee19b7ec3c1b174'), span('00'.repeat(16), 'eee19b7ec3c1b174')));
  const send = () => server.post('/v1/traces', body, { key: a.secret_key });
  const first = await send();
  assert.equal(first.json.partialSuccess.rejectedSpans, '1');
  assert.deepEqual((await send()).json, first.json);
  assert.equal((await server.post('/v1/traces', body, { key: b.secret_key })).status, 200); // another tenant's is another request
  await server.kill();
  await server.start();
  assert.deepEqual((await send()).json, first.json);
  await server.settle(a.write_key);
  assert.deepEqual(await server.sql(`SELECT tenant_id, count() AS n FROM observability.traces_v3 WHERE trace_id = '${trace}' GROUP BY tenant_id ORDER BY tenant_id`),
    [a.tenant, b.tenant].sort().map((tenant_id) => ({ tenant_id, n: 1 })));
});

test('log records without a time are timed by their arrival, and each is another one', async () => {
  const body = JSON.stringify(logs({ body: { stringValue: 'tick' } }));
  for (let i = 0; i < 2; i++) assert.equal((await server.post('/v1/logs', body, { key: a.secret_key })).status, 200);
  await server.settle(a.write_key);
  assert.deepEqual(await server.sql("SELECT count() AS n, uniqExact(id) AS ids FROM observability.logs_v3 WHERE body = 'tick'"), [{ n: 2, ids: 2 }]);
});

test('a key is found in the headers of all senders, and never in the address', async () => {
  const [, id, secret] = /^mrs_([^_]+)_(.+)$/.exec(a.secret_key);
  const basic = (text) => `Basic ${Buffer.from(text).toString('base64')}`;
  const forms = [
    { 'x-telemetryflow-key-id': id, 'x-telemetryflow-key-secret': secret }, { 'X-API-Key-ID': `mrs_${id}`, 'X-API-Key-Secret': secret },
    { 'x-api-key-id': id, 'x-api-key-secret': a.secret_key }, { 'x-api-key': a.secret_key }, { authorization: `ApiKey ${a.secret_key}` },
    { authorization: `Bearer ${id}:${secret}` }, { authorization: `Bearer ${id}.${secret}` }, { authorization: `${id}.${secret}` },
    { authorization: basic(`${id}:${secret}`) }, { authorization: basic(`:${a.secret_key}`) }, { authorization: basic(`${a.secret_key}:`) },
  ];
  for (const headers of forms) {
    const answer = await server.post('/v1/traces', request(), { headers });
    assert.equal(answer.status, 200, `${JSON.stringify(headers)}: ${answer.text}`);
  }
  for (const path of [`/v1/traces?api_key=${a.secret_key}`, '/v1/traces']) {
    const answer = await server.post(path, request());
    assert.equal(answer.status, 401);
    assert.equal(answer.json.code, 16);
  }
  assert.equal((await server.post('/v1/traces', request(), { headers: { authorization: basic(`${id}:wrong`) } })).status, 401);
});

// Protobuf by hand: a field of bytes, a fixed 64-bit number.
const varint = (value) => (value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)]);
const bytes = (number, ...parts) => {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return Buffer.concat([Buffer.from([...varint(number * 8 + 2), ...varint(content.length)]), content]);
};
const fixed64 = (number, value) => {
  const out = Buffer.alloc(9, number * 8 + 1);
  out.writeBigUInt64LE(value, 1);
  return out;
};
const protobufSpan = (trace, name) => bytes(1, bytes(2, bytes(2, bytes(1, Buffer.from(trace, 'hex')), bytes(2, Buffer.from('eee19b7ec3c1b174', 'hex')), bytes(5, name), fixed64(7, BigInt(Date.now()) * 1000000n))));
const PROTOBUF = { 'content-type': 'application/x-protobuf' };

test('protobuf, gzip or not, in chunks or not, on every path: stored; the answer is zero bytes of protobuf', async () => {
  const paths = ['/v1/traces', '/v2/traces', '/v1/otlp/traces', '/api/v2/otlp/traces', '/opentelemetry.proto.collector.trace.v1.TraceService/Export'];
  for (const [i, path] of paths.entries()) {
    const plain = protobufSpan('44'.repeat(16), `plain ${i}`), zipped = protobufSpan('44'.repeat(16), `zipped ${i}`), chunked = protobufSpan('44'.repeat(16), `chunked ${i}`);
    for (const [body, headers] of [[plain, { 'content-length': plain.length }], [gzipSync(zipped), { 'content-encoding': 'gzip' }], [gzipSync(chunked), { 'content-encoding': 'gzip', 'transfer-encoding': 'chunked' }]]) {
      const answer = await server.post(path, body, { key: a.secret_key, headers: { ...PROTOBUF, ...headers } });
      assert.deepEqual([answer.status, answer.headers['content-type'], answer.text], [200, 'application/x-protobuf', ''], path);
    }
  }
  await server.settle(a.write_key);
  assert.deepEqual(await server.sql(`SELECT count() AS n, uniqExact(span_name) AS names FROM observability.traces_v3 WHERE trace_id = '${'44'.repeat(16)}'`), [{ n: 15, names: 15 }]);
});

test('errors are a Status in the type of the request, with the status that tells senders what to do', async () => {
  const json = (path, body, options = {}) => server.post(path, body, { key: a.secret_key, ...options });
  const refused = async (answer, status, code, pattern) => {
    const { status: got, text } = await answer;
    assert.equal(got, status, text);
    assert.equal(JSON.parse(text).code, code, text);
    assert.match(JSON.parse(text).message, pattern);
  };
  await refused(json('/v1/traces', '{'), 400, 3, /JSON/);
  await refused(json('/v1/traces', request(), { key: null }), 401, 16, /key/);
  const made = await server.command(['key', 'create', a.tenant, '--kind', 'write', '--permissions', 'events:write', '--json']);
  const { key } = JSON.parse(made.stdout);
  await waitFor('the key is known', async () => (await json('/v1/traces', request(), { key })).status !== 401);
  await refused(json('/v1/traces', request(), { key }), 403, 7, /traces/);
  await refused(json('/v1/traces', request(), { headers: { 'x-tenant-id': b.tenant } }), 403, 7, /x-tenant-id/);
  await refused(json('/v1/traces', request(), { headers: { 'content-encoding': 'br' } }), 415, 3, /encoding/);
  await refused(json('/v1/traces', gzipSync(Buffer.alloc((64 << 20) + 1, ' ')), { headers: { 'content-encoding': 'gzip' } }), 413, 8, /./);
  const cut = await server.post('/v1/traces', protobufSpan('55'.repeat(16), 'cut').subarray(0, 20), { key: a.secret_key, headers: PROTOBUF });
  assert.deepEqual([cut.status, cut.headers['content-type'], cut.text.slice(0, 3)], [400, 'application/x-protobuf', '\x08\x03\x12']);
  const nobody = await server.post('/v1/logs', '', { headers: PROTOBUF });
  assert.deepEqual([nobody.status, nobody.text.slice(0, 3)], [401, '\x08\x10\x12']);
  assert.equal((await json('/v1/traces', '{}', { headers: { 'content-type': 'text/plain' } })).status, 415);
  const got = await server.get('/v1/traces', a.secret_key);
  assert.deepEqual([got.status, got.headers.allow, got.headers['content-type'], got.json.code], [405, 'POST', 'application/json', 12], got.text);
  const put = await server.send('/v1/metrics', { method: 'PUT', headers: PROTOBUF, body: '' });
  assert.deepEqual([put.status, put.headers['content-type'], put.text.slice(0, 3)], [405, 'application/x-protobuf', '\x08\x0c\x12']);
  const elsewhere = await server.post('/v1development/profiles', '', { headers: PROTOBUF });
  assert.deepEqual([elsewhere.status, elsewhere.headers['content-type'], elsewhere.text.slice(0, 3)], [404, 'application/x-protobuf', '\x08\x05\x12']);
  assert.equal((await json('/v1/profiles', '{}')).status, 404);
});

// The example requests of opentelemetry-proto, from an optional data folder beside the project. They are of 2018: their times are moved to now.
const example = (name) => join(repository, '../shared/data/otlp', name);
const skip = existsSync(example('trace.json')) ? false : 'there is no data folder beside the project';
const examplesAt = (name, ms) => readFileSync(example(name), 'utf8').replace(/"1544712(\d{3})(\d{9})"/g, (_, seconds, rest) => `"${BigInt(ms) * 1000000n + BigInt(seconds) * 1000000000n + BigInt(rest) - 661000000000n}"`);
test('the example requests land field by field', { skip }, async () => {
  const now = Date.now() - 5000, nano = (offset) => String(BigInt(now) * 1000000n + BigInt(offset));
  for (const [path, name] of [['/v1/traces', 'trace.json'], ['/v1/logs', 'logs.json'], ['/v1/logs', 'events.json'], ['/v1/metrics', 'metrics.json']]) {
    const answer = await server.post(path, examplesAt(name, now), { key: b.secret_key });
    assert.deepEqual([answer.status, answer.text], [200, '{}'], name);
  }
  await server.settle(b.write_key);
  const shared = { service_name: 'my.service', resource_attributes: { 'service.name': 'my.service' }, scope_name: 'my.library', scope_version: '1.0.0', scope_attributes: '{"my.scope.attribute":"some scope attribute"}' };
  const columns = 'service_name, resource_attributes, scope_name, scope_version, scope_attributes';
  assert.deepEqual(await server.sql(`SELECT trace_id, span_id, parent_span_id, span_name, span_kind, status_code, toString(toUnixTimestamp64Nano(timestamp)) AS start, toString(toUnixTimestamp64Nano(end_timestamp)) AS stop,
    span_attributes, ${columns} FROM observability.traces_v3 WHERE span_name = 'I\\'m a server span'`, b.tenant), [{ trace_id: '5b8efff798038103d269b633813fc60c', span_id: 'eee19b7ec3c1b174',
    parent_span_id: 'eee19b7ec3c1b173', span_name: "I'm a server span", span_kind: 'server', status_code: 'unset', start: nano(-1000000000), stop: nano(0), span_attributes: { 'my.span.attr': 'some value' }, ...shared }]);
  const records = await server.sql(`SELECT toString(toUnixTimestamp64Nano(timestamp)) AS time, toString(toUnixTimestamp64Nano(observed_timestamp)) AS observed, trace_id, span_id, severity_number, severity_text, body, body_type,
    event_name, log_attributes, log_attribute_types, ${columns} FROM observability.logs_v3 WHERE service_name = 'my.service' ORDER BY id`, b.tenant);
  const times = { time: nano(-700000000), observed: nano(-700000000) };
  assert.deepEqual(records, [
    { ...times, trace_id: '5b8efff798038103d269b633813fc60c', span_id: 'eee19b7ec3c1b174', severity_number: 10, severity_text: 'Information', body: 'Example log record', body_type: 's', event_name: '',
      log_attributes: { 'string.attribute': 'some string', 'boolean.attribute': 'true', 'int.attribute': '10', 'double.attribute': '637.704', 'array.attribute': '["many","values"]', 'map.attribute': '{"some.map.key":"some value"}' },
      log_attribute_types: 'sbidak', ...shared },
    { ...times, trace_id: '', span_id: '', severity_number: 9, severity_text: 'test severity text',
      body: '{"type":0,"url":"https://www.guidgenerator.com/online-guid-generator.aspx","referrer":"https://wwww.google.com","title":"Free Online GUID Generator"}', body_type: 'k', event_name: 'browser.page_view',
      log_attributes: { 'event.attribute': 'some event attribute' }, log_attribute_types: 's', ...shared },
  ]);
  const named = (name) => ({ metric_name: name, attributes: { [`${name}.attr`]: 'some value' } });
  const point = { time: nano(-700000000), unit: '1', service_name: 'my.service', resource_attributes: { 'service.name': 'my.service' }, scope_name: 'my.library', scope_version: '1.0.0' };
  const common = 'metric_name, attributes, toString(toUnixTimestamp64Nano(timestamp)) AS time, unit, service_name, resource_attributes, scope_name, scope_version, toString(temporality) AS temporality';
  assert.deepEqual(await server.sql(`SELECT ${common}, value, toString(metric_type) AS metric_type, is_monotonic FROM observability.metrics_v3 WHERE service_name = 'my.service' ORDER BY metric_name`, b.tenant), [
    { ...named('my.counter'), ...point, temporality: 'delta', value: 5, metric_type: 'counter', is_monotonic: 1 },
    { ...named('my.gauge'), ...point, temporality: '', value: 10, metric_type: 'gauge', is_monotonic: 0 },
  ]);
  assert.deepEqual(await server.sql(`SELECT ${common}, count, sum, min, max, bucket_bounds, bucket_counts, scale, zero_count, zero_threshold, positive_offset, positive_counts, negative_counts
    FROM observability.metric_histograms WHERE service_name = 'my.service' ORDER BY metric_name`, b.tenant), [
    { ...named('my.exponential.histogram'), ...point, temporality: 'delta', count: 3, sum: 10, min: 0, max: 5, bucket_bounds: [], bucket_counts: [], scale: 0, zero_count: 1, zero_threshold: 0,
      positive_offset: 1, positive_counts: [0, 2], negative_counts: [] },
    { ...named('my.histogram'), ...point, temporality: 'delta', count: 2, sum: 2, min: 0, max: 2, bucket_bounds: [1], bucket_counts: [1, 1], scale: 0, zero_count: 0, zero_threshold: 0,
      positive_offset: 0, positive_counts: [], negative_counts: [] },
  ]);
  assert.deepEqual((await server.sql(`SELECT metric_name, description FROM observability.metric_series WHERE service_name = 'my.service' ORDER BY metric_name`, b.tenant)).map((row) => row.description),
    ['I am a Counter', 'I am an Exponential Histogram', 'I am a Gauge', 'I am a Histogram']);
});

test('attributes that repeat come back whatever their text, and are found by it', async () => {
  const trace = 'c1'.repeat(16), odd = 'a\u0001b\u0002c', long = 'x'.repeat(1025), name = 'odd \u0002\u0002 name';
  const sent = { 'http.route': odd, 'db.name': long, 'rpc.method': 'x'.repeat(1024), 'db.system': "it's", 'peer.service': 'payments' };
  const attributes = Object.entries(sent).map(([key, stringValue]) => ({ key, value: { stringValue } }));
  assert.equal((await server.post('/v1/traces', request(span(trace, 'c1c1c1c1c1c1c1c1', { attributes, name, kind: 9 })), { key: a.secret_key })).status, 200);
  await server.settle(a.write_key);
  const [row] = await server.sql(`SELECT span_name, kind, http_route, span_attributes FROM observability.traces_v3 WHERE trace_id = '${trace}'`);
  assert.deepEqual(row, { span_name: name, kind: 9, http_route: '', span_attributes: sent });
  const [found] = (await server.get(`/api/v2/query/signals/traces/${trace}`, a.secret_key)).json.data;
  assert.deepEqual([found.spanName, found.spanKind, found.attributes], [name, 9, sent]);
  for (const [key, value, count] of [['rpc.method', 'x'.repeat(1024), 1], ['db.system', "it's", 1], ['peer.service', 'payments', 1], ['peer.service', 'payment', 0]]) {
    const { json } = await server.api('POST', '/api/v2/query/signals/traces', { attributes: { [key]: value }, spanName: name }, a.secret_key);
    assert.equal(json.data.length, count, key);
  }
});

test('attributes with columns of their own come back like all others: their types, doubles of a key, empty text', async () => {
  const trace = 'c0'.repeat(16), key = (name, value) => ({ key: name, value });
  const sent = [key('http.route', { stringValue: '/cart/{id}' }), key('app.cart', { stringValue: 'x' }), key('http.response.status_code', { intValue: '200' }),
    key('url.path', { stringValue: '' }), key('user.id', { doubleValue: 1.5 }), key('http.route', { stringValue: 'again' }), key('rpc.service', { arrayValue: { values: [{ intValue: 1 }] } }),
    key('session.id', { boolValue: true }), key('retries', { intValue: 3 })];
  assert.equal((await server.post('/v1/traces', request(span(trace, 'c0c0c0c0c0c0c0c0', { attributes: sent })), { key: a.secret_key })).status, 200);
  await server.settle(a.write_key);
  const [row] = await server.sql(`SELECT http_route, http_response_status_code AS status, url_path, user_id, rpc_service, session_id, mapKeys(span_attributes) AS keys,
    mapValues(span_attributes) AS texts, span_attribute_types AS types FROM observability.traces_v3 WHERE trace_id = '${trace}'`);
  assert.deepEqual(row, { http_route: '/cart/{id}', status: '200', url_path: '', user_id: '1.5', rpc_service: '', session_id: 'true',
    keys: ['http.route', 'http.response.status_code', 'user.id', 'session.id', 'app.cart', 'url.path', 'http.route', 'rpc.service', 'retries'],
    texts: ['/cart/{id}', '200', '1.5', 'true', 'x', '', 'again', '[1]', '3'], types: 'sidbsssai' });
  const found = (await server.get(`/api/v2/query/signals/traces/${trace}`, a.secret_key)).json.data[0].attributes;
  assert.deepEqual([found['http.response.status_code'], found['user.id'], found['session.id'], found['rpc.service'], found.retries, found['url.path']], [200, 1.5, true, [1], 3, '']);
  const search = async (attributes) => (await server.api('POST', '/api/v2/query/signals/traces', { attributes }, a.secret_key)).json.data.filter((each) => each.traceId === trace).length;
  assert.deepEqual(await Promise.all([{ 'http.route': '/cart/{id}' }, { 'http.response.status_code': { gte: 200 } }, { 'user.id': 1.5 }, { retries: { gt: 2 } }, { 'http.route': 'other' }, { 'session.id': { is_null: '' } }].map(search)),
    [1, 1, 1, 1, 0, 0]);
});
