// SPDX-License-Identifier: Apache-2.0
// Traces by OTLP in; by their id, by search, as a service map, and in the words of Jaeger and Tempo out.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Server, send, waitFor } from './harness.mjs';

let server, key, other, stranger; // a tenant each for what is worked out by hand, for what is random, and for nothing
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
async function insert(statement) {
  const { status, text } = await send({ socketPath: join(server.directory, 'engine.sock'), path: '/?log_comment=*' }, { method: 'POST', body: statement });
  assert.equal(status, 200, text);
}
const ask = async (path, who = key, headers = {}) => {
  const answer = await server.get(path, who.secret_key, headers);
  assert.equal(answer.status, 200, `${path}: ${answer.text}`);
  return answer.json;
};
const signals = '/api/v2/query/signals';

before(async () => {
  server = await Server.start({ tenants: ['a', 'b', 'c'], settings: ['--spool.seal_age', '100ms'] });
  ({ a: key, b: other, c: stranger } = server.tenants);
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

test('a trace shown whole comes to what it comes to in pages: services, errors, parents that are not there, the earliest root', async () => {
  const trace = '0a'.repeat(16);
  const spans = Array.from({ length: 300 }, (_, i) => ({ trace, id: hex(9000 - i, 16), parent: i % 97 === 5 ? '' : hex(9000 - (i * 7) % 330, 16), name: `n${i}`,
    service: `s${(i * 13) % 40}`, start: 300 - i, ms: (i * 37) % 211, status: i % 11 ? 0 : 2 }));
  await give([...spans, ...spans.slice(0, 20)]);
  const [whole, page] = [await ask(`${signals}/traces/${trace}`), await ask(`${signals}/traces/${trace}?limit=1`)];
  assert.deepEqual([whole.data.length, whole.truncated, page.data.length, page.truncated], [300, false, 1, true]);
  assert.deepEqual([whole.trace, whole.total], [page.trace, page.total]);
  assert.deepEqual([whole.trace.spanCount, whole.trace.rootSpanName, whole.trace.services.length, whole.trace.missingParents > 0], [300, 'n296', 40, true]);
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

test('a trace among many is found without reading the others', async () => {
  await insert(`INSERT INTO observability.traces_v3 (tenant_id, timestamp, trace_id_bytes, span_ids, retention_days) SELECT 'many', now64(9) - toIntervalSecond(number % 80000), sipHash128(intDiv(number, 10)), sipHash128(number), 30 FROM numbers(300000)`);
  const id = '0123456789abcdef'.repeat(2);
  const explained = async (table) => (await server.sql(`EXPLAIN indexes = 1 SELECT count() FROM ${table} WHERE tenant_id = 'many' AND trace_id_bytes = toFixedString(unhex('${id}'), 16)`)).map((row) => row.explain).join('\n');
  const granules = [...(await explained('observability.traces_v3')).matchAll(/Granules: (\d+)\/(\d+)/g)].map(([, read, all]) => [Number(read), Number(all)]);
  assert.ok(granules[0][1] >= 36, JSON.stringify(granules));
  assert.ok(granules.at(-1)[0] <= 2, JSON.stringify(granules));
});

// ---- search and map, against figures computed here ----

/** A generator of numbers that are the same in every run. */
function random(seed) {
  return () => {
    seed = (seed * 1103515245 + 12345) % 2 ** 31;
    return seed / 2 ** 31;
  };
}
const next = random(42);
const pick = (list) => list[Math.floor(next() * list.length)];
const SERVICES = ['front', 'cart', 'stock', 'mail'];
const forest = [];
for (let t = 0; t < 150; t++) {
  const trace = hex(t + 1, 4) + 'f0'.repeat(14), start = -Math.floor(next() * 7_200_000); // two hours
  const spans = [];
  for (let i = 0, count = 1 + Math.floor(next() * 12); i < count; i++) {
    const parent = i ? spans[Math.floor(next() * i)] : undefined;
    const lost = i > 1 && next() < 0.03;
    const kind = 1 + Math.floor(next() * 5);
    const peer = kind === 3 && next() < 0.5 ? { 'db.system.name': pick(['postgresql', 'redis']) } : kind === 4 && next() < 0.5 ? { 'messaging.system': 'kafka' } : {};
    spans.push({ trace, id: hex(t * 100 + i + 1, 16), parent: lost ? 'ffffffffffffffff' : parent?.id, name: pick(['GET /', 'POST /', 'work']), service: pick(SERVICES), kind,
      start: (parent?.start ?? start) + Math.floor(next() * 50), ms: Math.floor(next() * 400), status: pick([0, 0, 0, 1, 2]), resource: { 'deployment.environment': pick(['live', 'test']) },
      attributes: { 'http.response.status_code': pick([200, 404, 500]), 'user.id': pick(['u1', 'u2', 'u10']), ratio: next(), ...peer } });
  }
  forest.push(...spans);
}
const from = NOW - 3 * 3_600_000, to = NOW + 3_600_000, range = `from=${from}&to=${to}`;
const ago = (ms) => new Date(NOW + ms).toISOString().replace('Z', '000000Z');
const grouped = (spans, by) => {
  const groups = new Map();
  for (const span of spans) groups.set(by(span), [...(groups.get(by(span)) ?? []), span]);
  return groups;
};
const earlier = (a, b) => a.start - b.start || (a.id < b.id ? -1 : 1);
function summary(spans) {
  const ids = new Set(spans.map((span) => span.id)), roots = spans.filter((span) => !span.parent).sort(earlier);
  const root = roots[0] ?? [...spans].sort(earlier)[0];
  const start = Math.min(...spans.map((span) => span.start)), end = Math.max(...spans.map((span) => span.start + span.ms));
  return { traceId: root.trace, rootServiceName: root.service, rootSpanName: root.name, rootSpanId: root.id, rootStatusCode: ['unset', 'ok', 'error'][root.status], startTime: ago(start), endTime: ago(end),
    durationMs: end - start, spanCount: spans.length, errorCount: spans.filter((span) => span.status === 2).length,
    isComplete: roots.length > 0 && spans.every((span) => !span.parent || ids.has(span.parent)), services: [...new Set(spans.map((span) => span.service))].sort(), hasLogs: false };
}
/** Whole traces with a span that fits, by their latest span that fits. */
function expected(fits, keep = () => true) {
  const all = grouped(forest, (span) => span.trace);
  return [...grouped(forest.filter(fits), (span) => span.trace)]
    .map(([trace, spans]) => ({ place: Math.max(...spans.map((span) => span.start)), summary: summary(all.get(trace)) }))
    .sort((a, b) => b.place - a.place || (a.summary.traceId < b.summary.traceId ? 1 : -1)).map(({ summary }) => summary).filter(keep);
}
async function allPages(path, limit) {
  const rows = [];
  let page, cursor = '';
  do {
    page = await ask(`${path}&limit=${limit}${cursor}`, key2);
    assert.ok(page.data.length <= limit);
    assert.equal(page.truncated, page.cursor !== null);
    rows.push(...page.data);
    cursor = `&cursor=${page.cursor}`;
  } while (page.truncated);
  return rows;
}
let key2; // traces of its own, so that figures of all of them can be told

test('traces of two hours are stored', async () => {
  key2 = other;
  await give(forest, key2);
});

const searches = [
  ['everything', '', () => true],
  ['a service', '&serviceName=cart', (s) => s.service === 'cart'],
  ['one of two services', '&serviceName=cart&serviceName=mail', (s) => ['cart', 'mail'].includes(s.service)],
  ['an operation of a service', '&serviceName=front&spanName=GET+/', (s) => s.service === 'front' && s.name === 'GET /'],
  ['a kind and a status', '&spanKind=client&statusCode=error', (s) => s.kind === 3 && s.status === 2],
  ['durations', '&minDurationMs=100&maxDurationMs=150', (s) => s.ms >= 100 && s.ms <= 150],
  ['errors, of whole traces', '&hasError=true', (s) => s.status === 2],
  ['no error anywhere', '&hasError=false', () => true, (t) => t.errorCount === 0],
  ['a number that is a number', `&attributes=${encodeURIComponent('{"http.response.status_code":{"gte":404}}')}`, (s) => s.attributes['http.response.status_code'] >= 404],
  ['a number given as one', `&attributes=${encodeURIComponent('{"http.response.status_code":200.0}')}`, (s) => s.attributes['http.response.status_code'] === 200],
  ['operators by name', `&attributes=${encodeURIComponent('{"http.response.status_code":{"operator":"lt","value":404}}')}&resourceAttributes=${encodeURIComponent('[{"key":"deployment.environment","operator":"is_not","value":"live"}]')}`, (s) => s.attributes['http.response.status_code'] < 404 && s.resource['deployment.environment'] !== 'live'],
  ['text, exactly', `&attributes=${encodeURIComponent('{"user.id":"u1"}')}`, (s) => s.attributes['user.id'] === 'u1'],
  ['text, in part, and a ratio', `&attributes=${encodeURIComponent('{"user.id":{"starts_with":"U1"},"ratio":{"lt":0.3,"gt":0.1}}')}`, (s) => s.attributes['user.id'].startsWith('u1') && s.attributes.ratio < 0.3 && s.attributes.ratio > 0.1],
  ['absence', `&attributes=${encodeURIComponent('{"db.system.name":{"is_null":true}}')}&spanKind=client`, (s) => s.kind === 3 && !s.attributes['db.system.name']],
  ['the resource', `&resourceAttributes=${encodeURIComponent('{"deployment.environment":["live"]}')}&statusCode=ok`, (s) => s.resource['deployment.environment'] === 'live' && s.status === 1],
];
for (const [what, query, fits, keep] of searches)
  test(`summaries and spans by ${what} are what the spans sent come to`, async () => {
    const wanted = expected(fits, keep);
    assert.ok(wanted.length > 3, what);
    assert.deepEqual(await allPages(`${signals}/traces/summaries?${range}${query}`, 7), wanted);
    if (keep) return;
    const spans = forest.filter(fits).sort((a, b) => b.start - a.start || (a.trace === b.trace ? (a.id < b.id ? 1 : -1) : a.trace < b.trace ? 1 : -1));
    assert.deepEqual((await allPages(`${signals}/traces?${range}${query}`, 100)).map((s) => [s.traceId, s.spanId]), spans.map((s) => [s.trace, s.id]));
  });

test('kinds and statuses may be spelled as OpenTelemetry spells them', async () => {
  const spans = async (words) => (await ask(`${signals}/traces?${range}&limit=1000&${words}`, key2)).data.map((s) => s.spanId);
  for (const [one, ...others] of [['spanKind=client', 'spanKind=CLIENT', 'spanKind=SPAN_KIND_CLIENT', 'spanKind=3'], ['statusCode=error', 'statusCode=Error', 'statusCode=STATUS_CODE_ERROR', 'statusCode=2']]) {
    const wanted = await spans(one);
    assert.ok(wanted.length > 3, one);
    for (const other of others) assert.deepEqual(await spans(other), wanted, other);
  }
});

test('counted pages have a total of all that fits', async () => {
  const post = async (path, body) => {
    const answer = await server.api('POST', `${signals}/${path}`, { from, to, ...body }, key2.secret_key);
    assert.equal(answer.status, 200, answer.text);
    return answer.json;
  };
  const traces = expected((s) => s.service === 'cart');
  const second = await post('traces/summaries', { serviceName: 'cart', pagination: { page: 2, limit: 10 } });
  assert.deepEqual(second.data, traces.slice(10, 20));
  assert.deepEqual([second.total, second.pagination], [traces.length, { page: 2, totalPages: Math.ceil(traces.length / 10), hasPrev: true, limit: 10, hasNext: true }]);
  const spans = forest.filter((s) => s.service === 'cart');
  const last = await post('traces', { serviceNames: ['cart'], page: Math.ceil(spans.length / 50), limit: 50 });
  assert.deepEqual([last.total, last.data.length, last.pagination.hasNext], [spans.length, (spans.length - 1) % 50 + 1, false]);
  const ids = [forest[0].trace, forest.at(-1).trace];
  assert.deepEqual(new Set((await post('traces/summaries', { traceIds: ids })).data.map((t) => t.traceId)), new Set(ids));
});

test('services, operations and attributes can be picked', async () => {
  const services = (await ask(`${signals}/traces/services?${range}`, key2)).data;
  assert.deepEqual(services.map(({ serviceName, spanCount, errorCount }) => [serviceName, spanCount, errorCount]),
    [...SERVICES].sort().map((name) => [name, forest.filter((s) => s.service === name).length, forest.filter((s) => s.service === name && s.status === 2).length]));
  const operations = (await ask(`${signals}/traces/operations?${range}&serviceName=mail`, key2)).data;
  assert.deepEqual(new Set(operations.map((o) => o.spanName)), new Set(forest.filter((s) => s.service === 'mail').map((s) => s.name)));
  const keys = (await ask(`${signals}/traces/attributes?${range}`, key2)).data;
  assert.deepEqual(new Set(keys.map((k) => k.key)), new Set(forest.flatMap((s) => Object.keys(s.attributes))));
  assert.equal(keys.find((k) => k.key === 'user.id').spanCount, forest.length);
  const values = (await ask(`${signals}/traces/attributes?${range}&key=http.response.status_code`, key2)).data;
  assert.deepEqual(Object.fromEntries(values.map((v) => [v.value, v.spanCount])), Object.fromEntries([200, 404, 500].map((code) => [code, forest.filter((s) => s.attributes['http.response.status_code'] === code).length])));
  const places = (await ask(`${signals}/traces/attributes?${range}&of=resource&key=deployment.environment`, key2)).data;
  assert.deepEqual(new Set(places.map((v) => v.value)), new Set(['live', 'test']));
});

test('the service map is what spans and their parents come to', async () => {
  const byId = new Map(forest.map((span) => [`${span.trace} ${span.id}`, span]));
  const edges = {}, seconds = (NOW - from) / 1000;
  const add = (caller, callee, type, virtual, span) => {
    const edge = (edges[`${caller}>${callee}`] ??= { caller, callee, calleeType: type, virtual, calls: 0, errors: 0, durations: [] });
    edge.calls++;
    edge.errors += span.status === 2;
    edge.durations.push(span.ms);
  };
  const remote = new Set();
  for (const span of forest) {
    const parent = byId.get(`${span.trace} ${span.parent}`);
    if (!parent || parent.service === span.service) continue;
    remote.add(parent.id);
    add(parent.service, span.service, 'service', false, span);
  }
  for (const span of forest) {
    const [name, type] = span.attributes['db.system.name'] ? [span.attributes['db.system.name'], 'database'] : [span.attributes['messaging.system'], 'messaging'];
    if (name && !remote.has(span.id)) add(span.service, name, type, true, span);
  }
  const map = await ask(`${signals}/traces/service-map?${range}`, key2);
  assert.deepEqual([map.truncated, map.sampledTraces], [false, 1]);
  assert.deepEqual(new Set(map.edges.map((e) => `${e.caller}>${e.callee}`)), new Set(Object.keys(edges)));
  for (const edge of map.edges) {
    const { durations, ...wanted } = edges[`${edge.caller}>${edge.callee}`];
    assert.deepEqual({ caller: edge.caller, callee: edge.callee, calleeType: edge.calleeType, virtual: edge.virtual, calls: edge.calls, errors: edge.errors }, wanted);
    durations.sort((a, b) => a - b);
    const at = (q) => durations[Math.min(durations.length - 1, Math.floor(q * durations.length))];
    assert.ok(edge.p50Ms >= durations[Math.max(0, Math.floor(durations.length / 2) - 2)] && edge.p50Ms <= durations[Math.min(durations.length - 1, Math.ceil(durations.length / 2) + 1)], `${edge.p50Ms} ${durations}`);
    assert.ok(edge.p99Ms <= durations.at(-1) && edge.p99Ms >= at(0.8), `${edge.p99Ms} ${durations}`);
    assert.ok(Math.abs(edge.callsPerSecond - edge.calls / seconds) < 0.2 * edge.callsPerSecond);
  }
  const nodes = Object.fromEntries(map.nodes.map((node) => [node.name, node]));
  assert.deepEqual(Object.keys(nodes).sort(), [...SERVICES, 'postgresql', 'redis', 'kafka'].sort());
  for (const name of SERVICES) {
    const own = forest.filter((s) => s.service === name), entered = own.filter((s) => s.kind === 2 || s.kind === 5);
    assert.deepEqual([nodes[name].spanCount, nodes[name].calls, nodes[name].errors], [own.length, entered.length, entered.filter((s) => s.status === 2).length]);
  }
});

test('what cannot be asked is refused by its name', async () => {
  const bad = [['minDurationMs=x', 'minDurationMs'], ['limit=0', 'limit'], ['limit=1001', 'limit'], ['cursor=x', 'cursor'], [`cursor=${2n ** 63n - 1n}.300.${'f'.repeat(64)}`, 'cursor'], ['page=1&cursor=1.1.00', 'page'], ['page=10000&limit=1000', 'page'],
    ['hasError=maybe', 'hasError'], ['spanKind=CLEINT', 'spanKind'], ['statusCode=failed', 'statusCode'], ['statusCode=error&statusCodes=256', 'statusCode'], ['traceId=zz', 'traceId'], ['attributes={', 'attributes'], ['attributes={"a":{"near":1}}', 'attributes'],
    ['attributes={"a":[[1]]}', 'attributes'], ['from=x', 'from'], ['service=cart', 'service'], ['attributes=[1]', 'attributes'], ['attributes=[{"key":"a"}]', 'attributes'], ['attributes=5', 'attributes'], [`attributes=${encodeURIComponent('{"a":{"regex":"("}}')}`, '']];
  for (const [query, field] of bad)
    for (const path of ['traces', 'traces/summaries']) {
      const answer = await server.get(`${signals}/${path}?${query}`, key.secret_key);
      assert.equal(answer.status, 400, `${path} ${query}: ${answer.text}`);
      if (field) assert.equal(answer.json.error.field, field, answer.text);
    }
  // Of another type it would be no filter at all, and everything be shown.
  for (const [body, field] of [[{ serviceName: { a: 1 } }, 'serviceName'], [{ spanNames: ['a', null] }, 'spanNames'], [{ statusCode: [['error']] }, 'statusCode'], [{ traceId: {} }, 'traceId'], [{ from: [1] }, 'from'],
    [{ minDurationMs: [5] }, 'minDurationMs'], [{ hasError: {} }, 'hasError'], [{ cursor: [] }, 'cursor'], [{ page: {} }, 'page'], [{ pagination: 5 }, 'pagination'], [{ serviceNames: Array(101).fill('a') }, 'serviceNames']])
    for (const path of ['traces', 'traces/summaries']) {
      const answer = await server.api('POST', `${signals}/${path}`, body, key.secret_key);
      assert.deepEqual([answer.status, answer.json.error?.field], [400, field], `${JSON.stringify(body)} ${answer.text}`);
    }
  for (const hostile of ["'", '\\', "') OR 1=1 --", '{tenant:String}', '%00', '\u{1F600}'])
    for (const name of ['serviceName', 'spanName']) {
      const { data } = await ask(`${signals}/traces?${range}&${name}=${encodeURIComponent(hostile)}`, key2);
      assert.deepEqual(data, [], hostile);
    }
  const key_ = encodeURIComponent(JSON.stringify({ "a'] OR 1=1 --": { is: "x'" } }));
  assert.deepEqual((await ask(`${signals}/traces?${range}&attributes=${key_}&resourceAttributes=${key_}`, key2)).data, []);
});

// ---- logs, and web events ----

const log = (trace, text, more = {}) => ({ timeUnixNano: ns(NOW + 15), traceId: trace, spanId: '00000000000000a3', severityNumber: 17, severityText: 'ERROR', body: { stringValue: text }, ...more });
async function giveLogs(...records) {
  const answer = await server.post('/v1/logs', { resourceLogs: [{ resource: { attributes: attributes({ 'service.name': 'pay' }) }, scopeLogs: [{ logRecords: records }] }] }, { key: key.secret_key });
  assert.equal(answer.text, '{}');
  await server.settle(key.write_key);
}

test('a trace leads to its logs', async () => {
  await giveLogs(log(SHOP, 'card refused'), log('99'.repeat(16), 'of another trace'), log('', 'of none'));
  const { data } = await ask(`${signals}/traces/${SHOP}/logs`);
  assert.deepEqual(data.map((r) => [r.body, r.traceId, r.spanId, r.severityText, r.serviceName]), [['card refused', SHOP, '00000000000000a3', 'ERROR', 'pay']]);
  const { data: [found] } = await ask(`${signals}/traces/summaries?traceId=${SHOP}&period=24h`);
  assert.deepEqual([found.traceId, found.hasLogs], [SHOP, true]);
});

test('a trace leads to the points of metrics that name it', async () => {
  const point = { asDouble: 7.5, timeUnixNano: ns(NOW + 20), exemplars: [{ timeUnixNano: ns(NOW + 18), asDouble: 6.5, traceId: SHOP, spanId: '00000000000000a3', filteredAttributes: attributes({ route: '/pay' }) },
    { timeUnixNano: ns(NOW + 19), asDouble: 1, traceId: '99'.repeat(16), spanId: '00000000000000a3' }] };
  const answer = await server.post('/v1/metrics', { resourceMetrics: [{ resource: { attributes: attributes({ 'service.name': 'pay' }) }, scopeMetrics: [{ metrics: [{ name: 'pay.seconds', gauge: { dataPoints: [point] } }] }] }] }, { key: key.secret_key });
  assert.equal(answer.text, '{}');
  await server.settle(key.write_key);
  const wanted = [{ timestamp: ago(18), metricName: 'pay.seconds', serviceName: 'pay', value: 6.5, traceId: SHOP, spanId: '00000000000000a3', attributes: { route: '/pay' } }];
  assert.deepEqual((await ask(`${signals}/traces/${SHOP}/exemplars`)).data, wanted);
  assert.deepEqual((await ask(`${signals}/correlation?traceId=${SHOP}`)).exemplars, wanted);
});

test('times at the end of all numbers stay numbers', async () => {
  const trace = '07'.repeat(16);
  // OTLP refuses such a span; rows may come in other ways.
  await insert(`INSERT INTO observability.traces_v3 (tenant_id, timestamp, trace_id_bytes, span_ids, service_name, duration_nano, retention_days) SELECT '${key.tenant}', now64(9), unhex('${trace}'), unhex('${'1'.repeat(16)}${'0'.repeat(16)}'), 'edge', 18446744073709551615, 30`);
  for (const path of [`traces/${trace}`, `traces/${trace}/logs`, `traces/summaries?serviceName=edge`, `traces?serviceName=edge`, `correlation?traceId=${trace}`, 'traces/summaries?from=1970-01-01&to=2199-12-31&serviceName=edge'])
    assert.ok(await ask(`${signals}/${path}`), path);
  assert.equal((await ask(`${signals}/traces/${trace}`)).trace.endTime.slice(0, 5), '2255-');
  assert.equal((await jaeger(`traces/${trace}`, key))[0].spans.length, 1);
  assert.equal((await jaeger('traces?service=edge&start=0&end=9000000000000000', key)).length, 1);
  assert.equal((await tempo(`search?start=1&end=8999999999&minDuration=100000h`, key)).traces.length, 1);
});

test('a visit leads to its traces, logs and events, and a trace to its visits', async () => {
  const trace = '04'.repeat(16), browser = '05'.repeat(16), session = 'visit-7';
  await give([{ trace, id: '00000000000000d1', name: 'POST /order', service: 'web', start: 0 }, { trace: browser, id: '00000000000000d2', name: 'click', service: 'page', start: 5, attributes: { 'session.id': session } },
    { trace: '06'.repeat(16), id: '00000000000000d3', service: 'web', start: 0, attributes: { 'session.id': 'visit-8' } }]);
  await giveLogs(log(trace, 'order taken'), log('', 'from the page', { attributes: attributes({ 'session.id': session }), timeUnixNano: ns(NOW + 16) }));
  const events = [{ name: 'order', session_id: session, device_id: 'd', timestamp: NOW, properties: { traceparent: `00-${trace}-00000000000000d1-01` } },
    { name: 'later', session_id: session, device_id: 'd', timestamp: NOW + 1, properties: { traceparent: 'no such thing' } }, { name: 'other', session_id: 'visit-8', device_id: 'e', timestamp: NOW }];
  assert.equal((await server.post('/v1/events', events, { key: key.write_key })).json.accepted, 3);
  await server.settle(key.write_key);
  const visit = await ask(`${signals}/correlation?sessionId=${session}`);
  assert.deepEqual(visit.traces.map((t) => [t.traceId, t.rootSpanName, t.hasLogs]), [[browser, 'click', false], [trace, 'POST /order', true]]);
  assert.deepEqual(visit.logs.map((r) => r.body), ['order taken', 'from the page']);
  assert.deepEqual(visit.events.map((e) => [e.name, e.traceId]), [['order', trace], ['later', '']]);
  const of = await ask(`${signals}/correlation?traceId=${trace}`);
  assert.deepEqual([of.traces.map((t) => t.traceId), of.sessions, of.logs.map((r) => r.body), of.events.map((e) => e.name)], [[trace], [session], ['order taken'], ['order']]);
  assert.deepEqual((await ask(`${signals}/correlation?traceId=${browser}`)).sessions, [session]);
  for (const query of ['', '?sessionId=a&traceId=b', '?traceId=x']) assert.equal((await server.get(`${signals}/correlation${query}`, key.secret_key)).status, 400);
  assert.equal((await server.get(`${signals}/correlation?traceId=${trace}`, other.secret_key)).status, 404);
  assert.deepEqual(await ask(`${signals}/correlation?sessionId=${session}`, other), { traces: [], logs: [], exemplars: [], events: [] });
});

test('who may read traces alone sees no logs, points or events by way of them', async () => {
  const key = async (permissions) => {
    const { code, stdout, stderr } = await server.command(['key', 'create', 'a', '--kind', 'secret', '--name', permissions, '--permissions', permissions, '--json']);
    assert.equal(code, 0, stderr);
    const made = JSON.parse(stdout).key;
    await waitFor('the key is known', async () => (await server.get(`${signals}/traces/services`, made)).status !== 401);
    return made;
  };
  const statuses = async (token) => Object.fromEntries(await Promise.all([`traces/${SHOP}`, `traces/${SHOP}/logs`, `traces/${SHOP}/exemplars`, `correlation?traceId=${SHOP}`]
    .map(async (path) => [path.replace(/[?].*/, '').replace(SHOP, 'id'), (await server.get(`${signals}/${path}`, token)).status])));
  assert.deepEqual(await statuses(await key('traces:read')), { 'traces/id': 200, 'traces/id/logs': 403, 'traces/id/exemplars': 403, correlation: 403 });
  assert.deepEqual(await statuses(await key('traces:read,logs:read,metrics:read')), { 'traces/id': 200, 'traces/id/logs': 200, 'traces/id/exemplars': 200, correlation: 403 });
  assert.deepEqual(await statuses(await key('traces:read,logs:read,metrics:read,events:read')), { 'traces/id': 200, 'traces/id/logs': 200, 'traces/id/exemplars': 200, correlation: 200 });
  const eventsOnly = await key('events:read');
  const refused = await server.get('/jaeger/api/services', eventsOnly);
  assert.deepEqual([refused.status, refused.json.errors[0].code], [403, 403]);
  assert.equal((await server.get('/tempo/api/search', eventsOnly)).status, 403);
});

// ---- Jaeger ----

const basic = (who) => ({ authorization: `Basic ${Buffer.from(`grafana:${who.secret_key}`).toString('base64')}` });
/** As Grafana's data sources ask: the key as a password. */
async function jaeger(path, who = key2) {
  const answer = await server.send(`/jaeger/api/${path}`, { headers: basic(who) });
  assert.equal(answer.status, 200, `${path}: ${answer.text}`);
  const { data, ...rest } = answer.json;
  assert.deepEqual(rest, { total: data.length, limit: 0, offset: 0, errors: null });
  return data;
}
const us = (ms) => (NOW + ms) * 1000;

test('Jaeger: a trace has its shape, with tags, logs, references and processes', async () => {
  const [trace, ...more] = await jaeger(`traces/${SHOP}`, key);
  assert.deepEqual([more, trace.traceID, trace.warnings, trace.spans.length, Object.keys(trace.processes).length], [[], SHOP, null, 4, 3]); // web told its process id in some spans only
  const [first, , third] = trace.spans;
  assert.deepEqual(Object.keys(first), ['traceID', 'spanID', 'flags', 'operationName', 'references', 'startTime', 'duration', 'tags', 'logs', 'processID', 'warnings']);
  assert.deepEqual([first.operationName, first.startTime, first.duration, first.spanID], ['GET /cart', us(0), 120_000, '00000000000000a1']);
  const tags = Object.fromEntries(first.tags.filter(({ key }) => key !== 'huge').map(({ key, type, value }) => [key, [type, value]]));
  assert.deepEqual(tags, { text: ['string', 'a "quoted" \u2713'], whole: ['int64', 200], real: ['float64', 0.5], yes: ['bool', true], list: ['string', '[1,"x"]'], object: ['string', '{"a":false}'],
    bytes: ['binary', 'AQI='], nothing: ['string', ''], 'span.kind': ['string', 'server'], 'w3c.tracestate': ['string', 'a=b'], 'otel.scope.name': ['string', 'test'], 'otel.scope.version': ['string', '1.0'] });
  assert.deepEqual(first.references, [{ refType: 'FOLLOWS_FROM', traceID: 'ab'.repeat(16), spanID: 'cd'.repeat(8) }]);
  assert.deepEqual(first.logs, [{ timestamp: us(5), fields: [{ key: 'event', type: 'string', value: 'exception' }, { key: 'exception.type', type: 'string', value: 'Oops' }, { key: 'count', type: 'int64', value: 2 }] }]);
  assert.deepEqual(trace.processes[first.processID], { serviceName: 'web', tags: [{ key: 'process.pid', type: 'int64', value: 7 }, { key: 'host.name', type: 'string', value: 'h1' }] });
  assert.equal(trace.processes[third.processID].serviceName, 'pay');
  assert.deepEqual(third.references, [{ refType: 'CHILD_OF', traceID: SHOP, spanID: '00000000000000a2' }]);
  for (const tag of [{ key: 'error', type: 'bool', value: true }, { key: 'otel.status_code', type: 'string', value: 'ERROR' }, { key: 'otel.status_description', type: 'string', value: 'card refused' }])
    assert.ok(third.tags.some((other) => JSON.stringify(other) === JSON.stringify(tag)), JSON.stringify(third.tags));
});

test('Jaeger: services, operations and dependencies', async () => {
  const recent = forest.filter((s) => s.start > -48 * 3_600_000);
  assert.deepEqual(await jaeger('services'), [...SERVICES].sort());
  const names = [...new Set(recent.filter((s) => s.service === 'cart').map((s) => s.name))].sort();
  assert.deepEqual(await jaeger('services/cart/operations'), names);
  await give([{ trace: '03'.repeat(16), id: '00000000000000c1', name: 'slashed', service: 'team/x%y', start: 0 }]);
  assert.deepEqual(await jaeger(`services/${encodeURIComponent('team/x%y')}/operations`, key), ['slashed']);
  assert.deepEqual(await jaeger('services/nobody/operations'), []);
  const kinds = ['', 'internal', 'server', 'client', 'producer', 'consumer'];
  const operations = new Set(recent.filter((s) => s.service === 'cart').map((s) => `${s.name} ${kinds[s.kind]}`));
  assert.deepEqual(new Set((await jaeger('operations?service=cart')).map((o) => `${o.name} ${o.spanKind}`)), operations);
  assert.ok((await jaeger('operations?service=cart&spanKind=server')).every((o) => o.spanKind === 'server'));
  const map = await ask(`${signals}/traces/service-map?from=${from}&to=${to}`, key2);
  const calls = (list) => Object.fromEntries(list.map((e) => [`${e.caller ?? e.parent}>${e.callee ?? e.child}`, e.calls ?? e.callCount]));
  assert.deepEqual(calls(await jaeger(`dependencies?endTs=${to}&lookback=${to - from}`)), calls(map.edges.filter((e) => !e.virtual)));
});

test('Jaeger: a search finds whole traces with a span that fits, newest first', async () => {
  const time = `start=${from * 1000}&end=${to * 1000}&lookback=custom`;
  const cases = [
    ['', (s) => s.service === 'cart'], ['&operation=POST+/', (s) => s.service === 'cart' && s.name === 'POST /'],
    ['&tags=%7B%22http.response.status_code%22%3A%22404%22%7D', (s) => s.service === 'cart' && s.attributes['http.response.status_code'] === 404],
    ['&tags=%7B%22error%22%3A%22true%22%2C%22deployment.environment%22%3A%22live%22%7D', (s) => s.service === 'cart' && s.status === 2 && s.resource['deployment.environment'] === 'live'],
    ['&tag=span.kind:client', (s) => s.service === 'cart' && s.kind === 3], ['&minDuration=100ms&maxDuration=0.2s', (s) => s.service === 'cart' && s.ms >= 100 && s.ms <= 200],
  ];
  for (const [query, fits] of cases) {
    const wanted = expected(fits);
    const found = await jaeger(`traces?service=cart&limit=500&${time}${query}`);
    assert.deepEqual(found.map((t) => [t.traceID, t.spans.length]), wanted.map((t) => [t.traceId, t.spanCount]), query);
  }
  assert.equal((await jaeger(`traces?service=cart&limit=3&${time}`)).length, 3);
  const ids = [forest[0].trace, forest.at(-1).trace];
  assert.deepEqual((await jaeger(`traces?traceID=${ids[0]}&traceID=${ids[1]}`)).map((t) => t.traceID), ids);
});

test('Jaeger: what is wrong is said in its words', async () => {
  const cases = [['traces', 400], ['traces?service=a&tags={', 400], ['traces?service=a&tags=[]', 400], ['traces?service=a&tag=x', 400], ['traces?service=a&start=2&end=1', 400], ['traces?service=a&minDuration=5', 400],
    ['traces?service=a&minDuration=-5s', 400], ['traces?traceID=zz', 400], ['traces?service=a&limit=0', 400], ['operations', 400], ['dependencies', 400], ['dependencies?endTs=x', 400], [`traces/${'9'.repeat(32)}`, 404], [`traces/${SHOP}`, 404]];
  for (const [path, status] of cases) {
    const answer = await server.send(`/jaeger/api/${path}`, { headers: basic(key2) });
    assert.equal(answer.status, status, `${path}: ${answer.text}`);
    assert.deepEqual({ ...answer.json, errors: answer.json.errors.map(({ code }) => code) }, { data: null, total: 0, limit: 0, offset: 0, errors: [status] }, path);
    assert.ok(answer.json.errors[0].msg, path);
  }
  const nobody = await server.send('/jaeger/api/services', { headers: { authorization: `Basic ${Buffer.from('a:b').toString('base64')}` } });
  assert.deepEqual([nobody.status, nobody.json.errors[0].code], [401, 401]);
});

test('Jaeger: a trace of a hundred thousand spans comes whole', async () => {
  const [trace] = await jaeger(`traces/${'02'.repeat(16)}`, key);
  assert.equal(new Set(trace.spans.map((s) => s.spanID)).size, 100_000);
  assert.deepEqual([trace.warnings, Object.keys(trace.processes).length], [null, 3]);
});

// ---- Tempo ----

async function tempo(path, who = key2) {
  const answer = await server.get(`/tempo/api/${path}`, who.secret_key);
  assert.equal(answer.status, 200, `${path}: ${answer.text}`);
  return answer.json;
}

test('Tempo: a trace as OTLP, in protobuf and JSON, is what was sent: taken in again it is the same', async () => {
  assert.equal((await server.get('/tempo/api/echo', key.secret_key)).text, 'echo');
  const shown = async (who) => ask(`${signals}/traces/${SHOP}`, who);
  const sent = await shown(key);
  const fetched = (path, accept) => new Promise((resolve, reject) => {
    const { hostname, port } = new URL(server.url);
    import('node:http').then(({ default: http }) => http.get({ hostname, port, path, headers: { accept, ...basic(key) } }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => resolve({ type: response.headers['content-type'], body: Buffer.concat(chunks) }));
    }).on('error', reject));
  });
  const protobuf = await fetched(`/tempo/api/traces/${SHOP}`, 'application/protobuf');
  assert.equal(protobuf.type, 'application/protobuf');
  const json = await fetched(`/tempo/api/v2/traces/${SHOP}`, 'application/json');
  assert.equal(json.type, 'application/json');
  const { trace, status } = JSON.parse(json.body);
  assert.equal(status, 'COMPLETE');
  assert.deepEqual((await tempo(`traces/${SHOP}`, key)).batches, trace.resourceSpans);
  const v2 = await fetched(`/tempo/api/v2/traces/${SHOP}`, 'application/protobuf');
  assert.ok(v2.body.subarray(-protobuf.body.length).equals(protobuf.body), 'TraceByIDResponse holds the trace');
  // Into tenants that have not seen it.
  for (const [name, body, type] of [['copy1', protobuf.body, 'application/x-protobuf'], ['copy2', JSON.stringify(trace), 'application/json']]) {
    const copy = await server.createTenant(name);
    await waitForKey(copy);
    const answer = await server.post('/v1/traces', body, { key: copy.secret_key, headers: { 'content-type': type } });
    assert.equal(answer.status, 200, answer.text);
    await server.settle(copy.write_key);
    assert.deepEqual(await shown(copy), sent, name);
  }
});
const waitForKey = (tenant) => waitFor('the new tenant is known', async () => (await server.get('/v1/tenant', tenant.secret_key)).status === 200);

test('Tempo: searches by TraceQL and by tags find what fits', async () => {
  const time = `start=${Math.floor(from / 1000)}&end=${Math.floor(to / 1000)}&limit=500`;
  const cases = [
    ['{}', () => true], ['{ resource.service.name = "cart" }', (s) => s.service === 'cart'], ['{ resource.service.name="cart" && duration > 300ms }', (s) => s.service === 'cart' && s.ms > 300],
    ['{ .http.response.status_code >= 404 && (name = "GET /" || kind = client) }', (s) => s.attributes['http.response.status_code'] >= 404 && (s.name === 'GET /' || s.kind === 3)],
    ['{ status = error && span.user.id =~ "u1.*" }', (s) => s.status === 2 && s.attributes['user.id'].startsWith('u1')], ['{ span.user.id =~ "u1" }', (s) => s.attributes['user.id'] === 'u1'],
    ['{ span.db.system.name != "redis" }', (s) => s.attributes['db.system.name'] === 'postgresql'], ['{ span.db.system.name != nil && kind=client }', (s) => s.attributes['db.system.name'] && s.kind === 3],
    ['{ .deployment.environment = `live` && status != unset }', (s) => s.resource['deployment.environment'] === 'live' && s.status !== 0], ['{ span."user.id" !~ "u1.*" }', (s) => s.attributes['user.id'] === 'u2'],
    ['{ nestedSetParent < 0 && true }', (s) => !s.parent],
  ];
  for (const [q, fits] of cases) {
    const wanted = expected(fits), { traces } = await tempo(`search?${time}&spss=2&q=${encodeURIComponent(q)}`);
    assert.ok(wanted.length > 3, q);
    assert.deepEqual(traces.map((t) => t.traceID), wanted.map((t) => t.traceId), q);
    for (const found of traces.slice(0, 5)) {
      const spans = forest.filter((s) => s.trace === found.traceID && fits(s)).sort(earlier);
      assert.equal(found.spanSets[0].matched, spans.length, q);
      assert.deepEqual(found.spanSets[0].spans.map((s) => s.spanID), spans.slice(0, 2).map((s) => s.id));
      assert.equal(found.durationMs, wanted.find((t) => t.traceId === found.traceID).durationMs);
    }
  }
  const tagged = expected((s) => s.service === 'cart' && s.attributes['user.id'] === 'u2');
  assert.deepEqual((await tempo(`search?${time}&tags=${encodeURIComponent('service.name=cart user.id="u2"')}`)).traces.map((t) => t.traceID), tagged.map((t) => t.traceId));
});

test('Tempo: tags and their values', async () => {
  const time = `start=${Math.floor(from / 1000)}&end=${Math.floor(to / 1000)}`;
  const spanKeys = [...new Set(forest.flatMap((s) => Object.keys(s.attributes)))].sort();
  const { scopes } = await tempo(`v2/search/tags?${time}`);
  assert.deepEqual(scopes.map((s) => s.name), ['resource', 'span', 'intrinsic']);
  assert.deepEqual([scopes[0].tags, scopes[1].tags], [['deployment.environment', 'service.name'], spanKeys]);
  assert.deepEqual(new Set((await tempo(`search/tags?${time}`)).tagNames), new Set(['deployment.environment', 'service.name', ...spanKeys]));
  assert.deepEqual((await tempo(`search/tag/service.name/values?${time}`)).tagValues, [...SERVICES].sort());
  assert.deepEqual((await tempo(`v2/search/tag/resource.service.name/values?${time}`)).tagValues.map((v) => v.value), [...SERVICES].sort());
  assert.deepEqual((await tempo(`v2/search/tag/.user.id/values?${time}&q=${encodeURIComponent('{.user.id=~"u1.*"}')}`)).tagValues, [{ type: 'string', value: 'u1' }, { type: 'string', value: 'u10' }]);
  assert.deepEqual((await tempo(`v2/search/tag/status/values?${time}`)).tagValues, ['error', 'ok', 'unset'].map((value) => ({ type: 'keyword', value })));
});

test('Tempo: what is not understood is refused with the place where it stands', async () => {
  for (const q of ['x', '{', '{ name }', '{ name = }', '{ duration > 5 }', '{ duration > "5" }', '{ name > "a" }', '{ .a > "x" }', '{ .a =~ 5 }', '{ rootName = "a" }', '{} | count() > 2', '{} >> {}', '{ .a = "x }', '{ (.a = 1 }',
    '{ .a = 1 & .b = 2 }', `{ ${'('.repeat(100)} }`, `{ ${Array(200).fill('.a = 1').join(' && ')} }`, '{ nestedSetParent = 1 }', '{ .a < nil }', '{ span. = 1 }', '{ status = foo }', '{ kind != "sever" }', '{ .a = 1x }']) {
    const answer = await server.get(`/tempo/api/search?q=${encodeURIComponent(q)}`, key.secret_key);
    assert.equal(answer.status, 400, `${q}: ${answer.text}`);
    assert.match(answer.text, q === '{ .a = 1x }' ? /not a number/ : /^TraceQL, at character \d+/, q);
    assert.match(answer.headers['content-type'], /^text\/plain/);
  }
  for (const [path, status] of [['traces/xyz', 404], [`traces/${'9'.repeat(32)}`, 404], ['search?limit=0', 400], ['search?start=5&end=1', 400], ['search?tags=x', 400], ['search?minDuration=x', 400], ['search/tags?scope=x', 400]])
    assert.equal((await server.get(`/tempo/api/${path}`, key.secret_key)).status, status, path);
});

// ---- isolation ----

test('no question shows anything of it to a tenant that sent nothing', async () => {
  const { paths } = (await server.get('/openapi.json')).json;
  const mine = Object.entries(paths).filter(([path]) => /^\/(jaeger|tempo)\/|^\/api\/v2\/query\/signals\/(traces|correlation)/.test(path));
  assert.ok(mine.length >= 20, `${mine.length} paths`);
  const query = (path) => path.startsWith('/api/') ? (path.includes('correlation') ? 'sessionId=visit-7' : range) : `service=cart&endTs=${to}&q=%7B%7D`;
  for (const [path, methods] of mine) {
    for (const method of Object.keys(methods)) {
      const at = path.replace('{trace_id}', SHOP).replace('{service}', 'cart').replace('{tag}', 'user.id').replace('{group}', 'team');
      const answer = method === 'post' ? await server.api('POST', at, { from, to }, stranger.secret_key) : await server.get(`${at}?${query(path)}`, stranger.secret_key);
      assert.ok([200, 404].includes(answer.status), `${method} ${at}: ${answer.status} ${answer.text}`);
      for (const word of [...SERVICES.filter((name) => name !== 'cart'), 'pay', '"cart"', forest[0].trace, 'user.id', 'u10', 'POST /']) assert.ok(!answer.text.includes(word) || at.includes(word), `${at} shows ${word}: ${answer.text}`);
    }
  }
});
