// SPDX-License-Identifier: Apache-2.0
// Senders of Zipkin's spans and of Loki's lines: what they send is found as OpenTelemetry's would be.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server, waitFor } from './harness.mjs';

let server, key;
before(async () => {
  server = await Server.start({ settings: ['--spool.seal_age', '100ms'] });
  key = server.tenants.main.secret_key;
});
after(() => server?.remove());

const now = Date.now();
const rows = (table, columns, condition, count) => waitFor(`${count} rows of ${table}`, async () => {
  const found = await server.sql(`SELECT ${columns} FROM observability.${table} WHERE ${condition} ORDER BY timestamp`, server.tenants.main.tenant);
  return found.length === count && found;
});

test('spans of Zipkin', async () => {
  const trace = '463ac35c9f6413ad48485a3953bb6124';
  const answer = await server.post('/api/v2/spans', [
    { traceId: trace, id: 'a2fb4a1d1a96d312', name: 'get /cart', kind: 'SERVER', timestamp: now * 1000, duration: 1431,
      localEndpoint: { serviceName: 'cart', ipv4: '192.168.99.1', port: 3306 }, remoteEndpoint: { serviceName: 'web', ipv6: '::1' },
      tags: { 'http.path': '/cart', error: 'no stock' }, annotations: [{ timestamp: now * 1000 + 5, value: 'waited' }] },
    { traceId: trace, id: '1', parentId: 'A2FB4A1D1A96D312', kind: 'CLIENT', timestamp: now * 1000 + 100, localEndpoint: { serviceName: 'cart' }, tags: { 'otel.status_code': 'OK' } },
    { traceId: '48485a3953bb6124', id: '2', timestamp: now * 1000 + 200, duration: 0, shared: true, localEndpoint: { serviceName: 'stock' } },
  ], { key });
  assert.deepEqual([answer.status, answer.text], [202, '']);
  const [server_, client, alone] = await rows('traces_v3', `trace_id, span_id, parent_span_id, span_name, kind, service_name, duration_nano, status, status_message, span_attributes,
    toString(toUnixTimestamp64Nano(timestamp)) AS time, arrayMap(t -> toString(toUnixTimestamp64Nano(t)), events.timestamp) AS event_times, events.name AS events, resource_attributes`, '1', 3);
  assert.deepEqual(server_, { trace_id: trace, span_id: 'a2fb4a1d1a96d312', parent_span_id: '', span_name: 'get /cart', kind: 2, service_name: 'cart', duration_nano: 1431000,
    status: 2, status_message: 'no stock', span_attributes: { 'network.local.address': '192.168.99.1', 'network.local.port': '3306', 'peer.service': 'web', 'network.peer.address': '::1',
      'http.path': '/cart', error: 'no stock' }, time: `${now}000000`, event_times: [`${now}005000`], events: ['waited'], resource_attributes: { 'service.name': 'cart' } });
  assert.deepEqual([client.span_id, client.parent_span_id, client.kind, client.status, client.service_name], ['0000000000000001', 'a2fb4a1d1a96d312', 3, 1, 'cart']);
  assert.deepEqual([alone.trace_id, alone.kind, alone.service_name, alone.span_attributes], ['0000000000000000' + '48485a3953bb6124', 1, 'stock', { 'zipkin.shared': 'true' }]);
});

test('what Zipkin cannot have meant is refused with its place, and needs a key', async () => {
  const bad = await server.post('/api/v2/spans', [{ traceId: 'z', id: '1' }], { key });
  assert.deepEqual([bad.status, bad.text], [400, 'traceId: of span 0 must be 1 to 32 hexadecimal digits\n']);
  assert.equal((await server.post('/api/v2/spans', [])).status, 401);
  assert.equal((await server.post('/loki/api/v1/push', { streams: [] })).status, 401);
});

test('lines of Loki as JSON', async () => {
  const answer = await server.post('/loki/api/v1/push', { streams: [
    { stream: { app: 'cart', job: 'shops', host: 'a', level: 'warn' }, values: [
      [`${now}000001`, 'first'],
      [`${now}000002`, 'second', { level: 'Error', trace_id: '463ac35c9f6413ad48485a3953bb6124', span_id: 'a2fb4a1d1a96d312', user: 'ä' }]] },
    { stream: { service_name: 'stock', app: 'other' }, values: [[`${now}000003`, 'third']] },
    { stream: { host: 'b' }, values: [[`${now}000004`, 'fourth']] },
  ] }, { key });
  assert.deepEqual([answer.status, answer.text], [204, '']);
  const found = await rows('logs_v3', 'toString(toUnixTimestamp64Nano(timestamp)) AS time, body, body_type, severity_text, severity_number, service_name, trace_id, span_id, log_attributes, resource_attributes', '1', 4);
  assert.deepEqual(found[0], { time: `${now}000001`, body: 'first', body_type: 's', severity_text: 'warn', severity_number: 13, service_name: 'cart', trace_id: '', span_id: '',
    log_attributes: {}, resource_attributes: { app: 'cart', job: 'shops', host: 'a', level: 'warn', 'service.name': 'cart' } });
  assert.deepEqual([found[1].severity_text, found[1].severity_number, found[1].trace_id, found[1].span_id, found[1].log_attributes.user], ['Error', 17, '463ac35c9f6413ad48485a3953bb6124', 'a2fb4a1d1a96d312', 'ä']);
  assert.deepEqual([found[2].service_name, found[2].resource_attributes], ['stock', { app: 'other', 'service.name': 'stock' }]);
  assert.deepEqual([found[3].service_name, found[3].resource_attributes], ['unknown_service', { host: 'b' }]);
});

// Protobuf, and a block of snappy that holds it as it is: in literals of at most 60 bytes.
const varint = (value) => { const bytes = []; for (let rest = BigInt(value); ; rest >>= 7n) { bytes.push(Number(rest & 127n) | (rest > 127n ? 128 : 0)); if (rest < 128n) return Buffer.from(bytes); } };
const bytesField = (number, value) => { const bytes = Buffer.from(value); return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]); };
const numberField = (number, value) => Buffer.concat([varint(number << 3), varint(value)]);
function snappy(bytes) {
  const parts = [varint(bytes.length)];
  for (let at = 0; at < bytes.length; at += 60) parts.push(Buffer.from([(Math.min(60, bytes.length - at) - 1) << 2]), bytes.subarray(at, at + 60));
  return Buffer.concat(parts);
}

test('lines of Loki as protobuf are the same rows', async () => {
  const seconds = Math.floor(now / 1000) - 10;
  const entry = (nanoseconds, line, metadata = {}) => bytesField(2, Buffer.concat([bytesField(1, Buffer.concat([numberField(1, seconds), numberField(2, nanoseconds)])), bytesField(2, line),
    ...Object.entries(metadata).map(([name, value]) => bytesField(3, Buffer.concat([bytesField(1, name), bytesField(2, value)])))]));
  const metadata = { level: 'debug', user: 'ä "7"' };
  const push = bytesField(1, Buffer.concat([bytesField(1, '{app="same", text="a \\"b\\" \\\\ c"}'), entry(7, 'one'), entry(8, 'two', metadata)]));
  const wire = await server.post('/loki/api/v1/push', snappy(push), { key, headers: { 'content-type': 'application/x-protobuf' } });
  assert.deepEqual([wire.status, wire.text], [204, '']);
  const named = await server.post('/loki/api/v1/push', snappy(bytesField(1, Buffer.concat([bytesField(1, '{app="named"}'), entry(9, 'three')]))), { key, headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' } });
  assert.equal(named.status, 204, named.text);
  const json = await server.post('/loki/api/v1/push', { streams: [{ stream: { app: 'same', text: 'a "b" \\ c' }, values: [[`${seconds}000000007`, 'one'], [`${seconds}000000008`, 'two', metadata]] }] }, { key });
  assert.equal(json.status, 204);
  const [a, b, c, d] = await rows('logs_v3', 'timestamp, body, severity_text, severity_number, service_name, log_attributes, resource_attributes', "service_name = 'same'", 4);
  assert.deepEqual([a, c], [b, d]);
  await rows('logs_v3', 'body', "service_name = 'named' AND body = 'three'", 1);
  assert.deepEqual([a.body, c.body, c.severity_number, c.log_attributes], ['one', 'two', 5, metadata]);
  assert.equal(a.resource_attributes.text, 'a "b" \\ c');
});

test('lines of Loki that cannot be stored are named, and the others are stored', async () => {
  const answer = await server.post('/loki/api/v1/push', { streams: [{ stream: { app: 'late' }, values: [[`${now}000005`, 'good'], [`${now + 3_600_000}000000`, 'from the future']] }] }, { key });
  assert.equal(answer.status, 400);
  assert.match(answer.text, /^1 lines not stored: log record 1: .*future/);
  await rows('logs_v3', 'body', "service_name = 'late'", 1);
});
