// SPDX-License-Identifier: Apache-2.0
// Traces by OTLP in; by their id, by search, as a service map, and in the words of Jaeger and Tempo out.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server } from './harness.mjs';

let server, key, other;
const NOW = Date.now() - 60_000;
const ns = (ms) => String(BigInt(Math.round(ms * 1000)) * 1000n);
const value = (v) => typeof v === 'string' ? { stringValue: v } : typeof v === 'boolean' ? { boolValue: v } : Number.isInteger(v) ? { intValue: v } : typeof v === 'number' ? { doubleValue: v } : v;
const attributes = (object = {}) => Object.entries(object).map(([name, v]) => ({ key: name, value: value(v) }));
const hex = (n, digits) => n.toString(16).padStart(digits, '0');

/** A span as the tests think of it: { trace, id, parent, name, service, kind, start (ms after NOW), ms, status, attributes, .. } to OTLP. */
function otlp(spans) {
  const services = new Map();
  for (const span of spans) {
    const resource = JSON.stringify([span.service, span.resource ?? {}]);
    if (!services.get(resource)?.push(span)) services.set(resource, [span]);
  }
  return { resourceSpans: [...services].map(([service, list]) => ({
    resource: { attributes: attributes({ 'service.name': JSON.parse(service)[0], ...JSON.parse(service)[1] }) },
    scopeSpans: [{ scope: { name: 'test', version: '1.0' }, spans: list.map((span) => ({
      traceId: span.trace, spanId: span.id, parentSpanId: span.parent ?? '', name: span.name ?? 'work', kind: span.kind ?? 1,
      startTimeUnixNano: ns(NOW + span.start), endTimeUnixNano: ns(NOW + span.start + (span.ms ?? 10)), attributes: attributes(span.attributes),
      status: { code: span.status ?? 0, ...(span.message ? { message: span.message } : {}) }, ...span.more })) }] })) };
}
async function give(spans, to = key) {
  for (let i = 0; i < spans.length; i += 5000) {
    const answer = await server.post('/v1/traces', otlp(spans.slice(i, i + 5000)), { key: to.secret_key });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.text, '{}');
  }
  await server.settle(to.write_key);
}
const ask = async (path, who = key, headers = {}) => {
  const answer = await server.get(path, who.secret_key, headers);
  assert.equal(answer.status, 200, `${path}: ${answer.text}`);
  return answer.json;
};
const signals = '/api/v2/query/signals';

before(async () => {
  server = await Server.start({ tenants: ['a', 'b'], settings: ['--spool.seal_age', '100ms'] });
  ({ a: key, b: other } = server.tenants);
});
after(() => server?.remove());

// ---- a trace by its id ----

const SHOP = '5b8efff798038103d269b633813fc60c';
const shop = [
  { trace: SHOP, id: '00000000000000a1', name: 'GET /cart', service: 'web', kind: 2, start: 0, ms: 120, resource: { 'process.pid': 7, 'host.name': 'h1' },
    attributes: { text: 'a "quoted" \u2713', whole: 200, real: 0.5, yes: true, list: { arrayValue: { values: [{ intValue: 1 }, { stringValue: 'x' }] } },
      object: { kvlistValue: { values: [{ key: 'a', value: { boolValue: false } }] } }, bytes: { bytesValue: 'AQI=' }, nothing: {}, huge: { intValue: '9007199254740993' } },
    more: { traceState: 'a=b', flags: 257, events: [{ timeUnixNano: ns(NOW + 5), name: 'exception', attributes: attributes({ 'exception.type': 'Oops', count: 2 }) }],
      links: [{ traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8), attributes: attributes({ why: 'retry' }), flags: 1 }] } },
  { trace: SHOP, id: '00000000000000a2', parent: '00000000000000a1', name: 'POST /pay', service: 'web', kind: 3, start: 10, ms: 60 },
  { trace: SHOP, id: '00000000000000a3', parent: '00000000000000a2', name: 'POST /pay', service: 'pay', kind: 2, start: 20, ms: 40, status: 2, message: 'card refused', attributes: { 'http.response.status_code': 402 } },
  { trace: SHOP, id: '00000000000000a4', parent: '00000000000000a3', name: 'SELECT', service: 'pay', kind: 3, start: 25, ms: 150, status: 1, attributes: { 'db.system.name': 'postgresql' } },
];

test('a trace is shown whole: spans with the types that were sent, events, links, resource, root, its time from first start to last end', async () => {
  await give(shop);
  const { data, trace, truncated, cursor, total } = await ask(`${signals}/traces/${SHOP.toUpperCase()}`);
  assert.deepEqual({ truncated, cursor, total }, { truncated: false, cursor: null, total: 4 });
  assert.deepEqual(data.map((span) => span.spanId), shop.map((span) => span.id));
  const [first, , third] = data;
  assert.match((await server.get(`${signals}/traces/${SHOP}`, key.secret_key)).text, /"huge":9007199254740993[,}]/);
  delete first.attributes.huge;
  assert.deepEqual(first.attributes, { text: 'a "quoted" \u2713', whole: 200, real: 0.5, yes: true, list: [1, 'x'], object: { a: false }, bytes: 'AQI=', nothing: null });
  assert.deepEqual(first.resourceAttributes, { 'service.name': 'web', 'process.pid': 7, 'host.name': 'h1' });
  assert.deepEqual(first.scope, { name: 'test', version: '1.0', attributes: {} });
  assert.deepEqual(first.events, [{ timestamp: new Date(NOW + 5).toISOString().replace('Z', '000000Z'), name: 'exception', attributes: { 'exception.type': 'Oops', count: 2 } }]);
  assert.deepEqual(first.links, [{ traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8), traceState: '', attributes: { why: 'retry' }, flags: 1 }]);
  assert.deepEqual([first.traceState, first.flags, first.spanKind, first.durationMs, first.parentSpanId], ['a=b', 257, 'server', 120, '']);
  assert.deepEqual([third.statusCode, third.statusMessage, third.serviceName, third.parentSpanId], ['error', 'card refused', 'pay', '00000000000000a2']);
  assert.deepEqual(trace, {
    traceId: SHOP, rootServiceName: 'web', rootSpanName: 'GET /cart', rootSpanId: '00000000000000a1', rootStatusCode: 'unset',
    startTime: new Date(NOW).toISOString().replace('Z', '000000Z'), endTime: new Date(NOW + 175).toISOString().replace('Z', '000000Z'), durationMs: 175,
    spanCount: 4, errorCount: 1, isComplete: true, services: ['pay', 'web'], hasRoot: true, missingParents: 0 });
});

test('a trace is not shown to another tenant, and what is no trace is not there', async () => {
  for (const [id, who] of [[SHOP, other], ['77'.repeat(16), key], ['xyz', key], [`${SHOP}0`, key], ['%27', key]])
    assert.equal((await server.get(`${signals}/traces/${id}`, who.secret_key)).status, 404, id);
  assert.equal((await server.get(`${signals}/traces/${SHOP}`, key.write_key)).status, 403);
});

test('a span sent twice is shown and counted once', async () => {
  await give(shop);
  const { data, trace } = await ask(`${signals}/traces/${SHOP}`);
  assert.deepEqual([data.length, trace.spanCount, trace.errorCount], [4, 4, 1]);
});

test('a trace whose root or a parent is missing says so', async () => {
  const trace = '01'.repeat(16);
  await give([{ trace, id: '00000000000000b1', parent: '00000000000000b0', name: 'first', service: 's', start: 0 },
    { trace, id: '00000000000000b2', parent: '00000000000000b1', name: 'second', service: 's', start: 1 }]);
  const { trace: figures } = await ask(`${signals}/traces/${trace}`);
  assert.deepEqual([figures.isComplete, figures.hasRoot, figures.missingParents, figures.rootSpanName], [false, false, 1, 'first']);
});

test('a trace of a hundred thousand spans is read in pages, without a gap, in order', async () => {
  const trace = '02'.repeat(16);
  const spans = Array.from({ length: 100_000 }, (_, i) => ({ trace, id: hex(i + 1, 16), parent: i ? hex((i >> 1) + 1, 16) : '', service: `s${i % 3}`, start: (i % 1000) / 100, ms: 1, kind: 1 }));
  await give(spans);
  const seen = [];
  let page, cursor = '';
  do {
    page = await ask(`${signals}/traces/${trace}?limit=20000${cursor}`);
    seen.push(...page.data.map((span) => [span.startTime, span.spanId]));
    assert.equal(page.truncated, page.cursor !== null);
    assert.equal(page.trace.spanCount, 100_000);
    cursor = `&cursor=${page.cursor}`;
  } while (page.truncated);
  assert.equal(seen.length, 100_000);
  assert.equal(new Set(seen.map(([, id]) => id)).size, 100_000);
  for (let i = 1; i < seen.length; i++) assert.ok(seen[i - 1][0] < seen[i][0] || (seen[i - 1][0] === seen[i][0] && seen[i - 1][1] < seen[i][1]), `${seen[i - 1]} ${seen[i]}`);
  for (const cursor of ['x', '1.', '1.2', `-1.${'0'.repeat(32)}`, `1.${'g'.repeat(32)}`])
    assert.equal((await server.get(`${signals}/traces/${trace}?cursor=${cursor}`, key.secret_key)).status, 400, cursor);
});
