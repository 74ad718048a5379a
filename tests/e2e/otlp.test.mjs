// SPDX-License-Identifier: Apache-2.0
// OTLP over HTTP: traces in, a trace out, by protobuf's and JSON's own rules.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server } from './harness.mjs';

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
  assert.deepEqual(answer.json, { partialSuccess: { rejectedSpans: '1', errorMessage: 'span 0: trace_id must be 16 bytes, not all zero' } });
});

test('a request that breaks off is refused whole', async () => {
  const answer = await server.post('/v1/traces', request(span('22'.repeat(16), 'eee19b7ec3c1b174'), span('22'.repeat(16), 'eee19b7ec3c1b175', { kind: 'server' })), { key: a.secret_key });
  assert.equal(answer.status, 400);
  assert.deepEqual(answer.json, { code: 3, message: 'kind: Span.kind must be a whole number' });
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
