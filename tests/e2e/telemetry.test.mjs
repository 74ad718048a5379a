// SPDX-License-Identifier: Apache-2.0
// The server's own metrics, log lines and spans: to a collector that this test is, and to itself.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { Server, waitFor } from './harness.mjs';

/** A protobuf message as { number: [values] }: varints and fixed64 as BigInt, the rest as Buffers. */
function fields(bytes) {
  const found = {};
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const wire = tag & 7;
    let value;
    if (wire === 0) value = varint();
    else if (wire === 1) value = bytes.readBigUInt64LE((at += 8) - 8);
    else if (wire === 2) {
      const size = Number(varint());
      value = bytes.subarray(at, (at += size));
    } else throw new Error(`wire type ${wire}`);
    (found[tag >> 3] ??= []).push(value);
  }
  return found;
}
const text = (bytes) => bytes?.toString() ?? '';
const attributes = (list = []) => Object.fromEntries(list.map((bytes) => {
  const { 1: [key], 2: [value] } = fields(bytes);
  const { 1: [string] = [], 3: [integer] = [] } = fields(value);
  return [text(key), string === undefined ? Number(integer) : text(string)];
}));
/** { resource, scope, items } of any of the three requests. */
function unpack(body) {
  const { 1: [group] } = fields(body);
  const { 1: [resource], 2: [scoped] } = fields(group);
  const { 1: [scope], 2: items } = fields(scoped);
  return { resource: attributes(fields(resource)[1]), scope: text(fields(scope)[1][0]), items: items.map(fields) };
}

const refused = []; // bodies of traces
const received = { '/v1/traces': [], '/v1/logs': [], '/v1/metrics': [] };
const spans = () => received['/v1/traces'].flatMap((request) => unpack(request.body).items).map((span) => ({
  trace: span[1][0].toString('hex'), id: span[2][0].toString('hex'), parent: span[4]?.[0].toString('hex') ?? '', name: text(span[5][0]), kind: Number(span[6][0]),
  ms: Number(span[8][0] - span[7][0]) / 1e6, ...attributes(span[9]), status: span[15] ? Number(fields(span[15][0])[3][0]) : 0 }));
let answer = 200;
let collector, server;

before(async () => {
  collector = http.createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      if (answer === 200) received[request.url].push({ headers: request.headers, body: Buffer.concat(chunks) });
      else if (request.url === '/v1/traces') refused.push(Buffer.concat(chunks).toString('hex'));
      response.writeHead(answer).end();
    });
  });
  await new Promise((resolve) => collector.listen(0, '127.0.0.1', resolve));
  server = await Server.start({ settings: ['--telemetry.endpoint', `http://127.0.0.1:${collector.address().port}/`, '--telemetry.key', 'some-key',
    '--telemetry.interval', '200ms', '--telemetry.traces', '100'] });
});
after(async () => {
  await server?.remove();
  collector?.close();
});

test('requests become spans with the route as their name', async () => {
  const { write_key, secret_key } = server.tenants.main;
  await server.post('/v1/events', { name: 'screen_view', path: '/' }, { key: write_key });
  await server.get('/v1/query/timeseries?measures=events&period=today&timezone=Europe/Vaduz', secret_key);
  await server.get('/v1/keys/0190a000-0000-7000-8000-000000000001', secret_key);
  await server.get('/nothing/here');
  const named = async (name) => waitFor(`a span ${name}`, () => spans().find((span) => span.name === name));
  const ingest = await named('POST /v1/events');
  assert.deepEqual([ingest['http.request.method'], ingest['url.path'], ingest['http.route'], ingest['http.response.status_code'], ingest.kind, ingest.parent],
    ['POST', '/v1/events', '/v1/events', 200, 2, '']);
  assert.ok(ingest.ms > 0 && ingest.ms < 60_000, `${ingest.ms} ms`);
  assert.match(ingest.trace, /^[0-9a-f]{32}$/);
  const question = await named('GET /v1/query/timeseries');
  assert.equal(question['http.response.status_code'], 200);
  assert.ok(!JSON.stringify(spans()).includes('Vaduz'), 'queries are not told');
  assert.equal((await named('GET /v1/keys/{api_key_id}'))['url.path'], '/v1/keys/0190a000-0000-7000-8000-000000000001');
  assert.equal((await named('GET'))['http.response.status_code'], 404);
  assert.match(received['/v1/traces'][0].headers.authorization, /^Bearer some-key$/);
});

test('requests that no route sees become spans too, and every refusal is counted', async () => {
  const counts = async () => Object.fromEntries([...(await server.get('/metrics')).text.matchAll(/^millrace_http_errors_total\{code="(\w+)"\} (\d+)$/gm)].map(([, code, count]) => [code, Number(count)]));
  const before = await counts();
  const answers = [await server.post('/v1/events', Buffer.alloc((10 << 20) + 1, ' ')), await server.get(`/?${'x'.repeat(20_000)}`), await server.post('/v1/events', {}, { key: 'mrw_nobody' }),
    await server.get('/nothing/there'), await server.post('/v1/traces', '', { headers: { 'content-type': 'text/plain' } }), await server.send('/v1/traces', { method: 'DELETE' })];
  assert.deepEqual(answers.map(({ status }) => status), [413, 414, 401, 404, 401, 405]);
  const more = await counts();
  assert.deepEqual(Object.keys(more).filter((code) => more[code] !== before[code]).map((code) => [code, more[code] - before[code]]).sort(),
    [['method_not_allowed', 1], ['not_found', 1], ['too_large', 2], ['unauthenticated', 2]]);
  for (const status of [413, 414]) await waitFor(`a span of ${status}`, () => spans().find((span) => span['http.response.status_code'] === status));
  assert.equal(spans().find((span) => span['http.response.status_code'] === 413).name, 'POST /v1/events');
});

test('traceparent decides: whose child, and whether at all', async () => {
  const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
  const parent = '00f067aa0ba902b7';
  const ask = (path, traceparent) => server.get(path, null, { traceparent });
  const answers = [
    await ask('/healthz?1', `00-${trace}-${parent}-01`),
    await ask('/readyz', `00-${trace}-${parent}-00`), // its sender does not want it
    await ask('/openapi.json', `00-${'0'.repeat(32)}-${parent}-01`), // none: as without
  ];
  assert.deepEqual(answers.map((one) => one.status), [200, 200, 200]);
  await waitFor('the last span', () => spans().some((span) => span.name === 'GET /openapi.json'));
  const [child] = spans().filter((span) => span.trace === trace);
  assert.deepEqual([child.name, child.parent], ['GET /healthz', parent]);
  assert.equal(child['millrace.request_id'], answers[0].headers['x-request-id']);
  assert.equal(spans().filter((span) => span.trace === trace).length, 1);
  assert.notEqual(spans().find((span) => span.name === 'GET /openapi.json').trace, '0'.repeat(32));
});

test('metrics have their types, units and labels', async () => {
  const before = received['/v1/metrics'].length;
  await waitFor('metrics made after those requests', () => received['/v1/metrics'].length > before + 1);
  const { resource, scope, items } = unpack(received['/v1/metrics'].at(-1).body);
  assert.equal(resource['service.name'], 'millrace');
  assert.equal(resource['process.pid'], server.pid);
  assert.match(resource['service.instance.id'], /^[0-9a-f-]{36}$/);
  assert.equal(scope, 'millrace');
  const metrics = Object.fromEntries(items.map((metric) => [text(metric[1][0]), metric]));
  const told = (await server.get('/metrics')).text;
  for (const name of new Set([...told.matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1]))) assert.ok(metrics[name], `${name} is sent`);
  const requests = fields(metrics.millrace_http_requests_total[7][0]); // Sum
  assert.deepEqual([requests[2], requests[3]], [[2n], [1n]], 'cumulative, monotonic');
  const point = fields(requests[1][0]);
  assert.ok(point[6][0] >= 5n, `${point[6][0]} requests`);
  assert.ok(point[2][0] > 0n && point[3][0] > point[2][0], 'start and time');
  const dropped = fields(metrics.millrace_telemetry_dropped_total[7][0])[1].map((bytes) => attributes(fields(bytes)[7]).signal);
  assert.deepEqual(dropped, ['traces', 'logs', 'metrics'], 'one metric, a point for each label');
  const histogram = items.find((metric) => metric[9]);
  const one = fields(fields(histogram[9][0])[1][0]);
  assert.equal(text(histogram[3][0]), 's');
  assert.equal(one[6][0].length / 8, one[7][0].length / 8 + 1, 'one count more than bounds');
  let total = 0n;
  for (let at = 0; at < one[6][0].length; at += 8) total += one[6][0].readBigUInt64LE(at);
  assert.equal(total, one[4][0]);
});

test('what cannot be sent now is sent later, and failures are said once; log lines come too', async () => {
  answer = 503;
  await waitFor('the log says so', () => /WARN +telemetry: \S+ is not taken: the answer has status 503/.test(server.log));
  await server.get('/healthz?while-it-was-away', null, { traceparent: `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01` });
  const failures = () => Number(/^millrace_telemetry_failures_total (\d+)/m.exec(metrics)[1]);
  let metrics = '';
  await waitFor('some more tries', async () => ((metrics = (await server.get('/metrics')).text), failures() >= 3 && refused.length >= 3));
  answer = 200;
  await waitFor('the span arrives', () => spans().some((span) => span.trace === 'ab'.repeat(16)));
  assert.equal(new Set(refused).size, 1, 'tried again as it was: a server that had stored it knows it by its bytes');
  await waitFor('the body that was refused', () => received['/v1/traces'].filter(({ body }) => body.toString('hex') === refused[0]).length === 1);
  await waitFor('the log says that too', () => /is taken again/.test(server.log));
  const lines = received['/v1/logs'].flatMap((request) => unpack(request.body).items);
  const ready = lines.map((line) => ({ body: text(fields(line[5][0])[1][0]), severity: Number(line[2][0]), level: text(line[3][0]) }));
  assert.ok(ready.some(({ body, severity, level }) => body.startsWith('engine:') && severity === 9 && level === 'INFO'), JSON.stringify(ready.slice(0, 3)));
  assert.ok(!ready.some(({ body }) => body.startsWith('telemetry:')), 'it does not tell of itself');
});

test('to itself: spans are found by the API, its own requests make none, and the last ones are sent at the end', async (t) => {
  const own = new Server(['--telemetry.interval', '100ms', '--telemetry.traces', '100', '--spool.seal_age', '100ms']);
  t.after(() => own.remove());
  const { secret_key } = await own.createTenant('self');
  own.environment = { MILLRACE_TELEMETRY_KEY: secret_key };
  await own.start();
  const trace = '0af7651916cd43dd8448eb211c80319c';
  await own.get('/healthz', null, { traceparent: `00-${trace}-b7ad6b7169203331-01` });
  const [span] = await waitFor('the span is stored', async () => {
    const found = (await own.get(`/api/v2/query/signals/traces/${trace}`, secret_key)).json.data;
    return found.length ? found : false;
  });
  assert.deepEqual([span.spanName, span.spanKind, span.serviceName, span.parentSpanId], ['GET /healthz', 'server', 'millrace', 'b7ad6b7169203331']);
  const last = 'ff'.repeat(16);
  await own.get('/healthz', null, { traceparent: `00-${last}-b7ad6b7169203331-01` });
  assert.equal((await own.stop()).code, 0);
  await own.start();
  assert.equal((await waitFor('the last span', async () => {
    const found = (await own.get(`/api/v2/query/signals/traces/${last}`, secret_key)).json.data;
    return found.length ? found : false;
  })).length, 1);
  await waitFor('log lines are stored', async () => (await own.sql(
    "SELECT count() AS lines FROM observability.logs_v3 WHERE service_name = 'millrace' AND severity_text = 'INFO' AND body LIKE 'engine: %'"))[0].lines > 0);
  const [counter] = await waitFor('metrics are stored', async () => {
    const found = await own.sql("SELECT metric_type, unit, is_monotonic, service_name, max(value) AS value FROM observability.metrics_v3 WHERE metric_name = 'millrace_http_requests_total' GROUP BY ALL");
    return found.length ? found : false;
  });
  assert.ok(counter.value > 0);
  assert.deepEqual([Boolean(Number(counter.is_monotonic)), counter.service_name], [true, 'millrace']);
  const failed = /^millrace_telemetry_failures_total (\d+)/m.exec((await own.get('/metrics')).text)[1];
  assert.equal(failed, '0', `everything is taken:\n${own.log}`);
  const [{ fed }] = await own.sql("SELECT countIf(span_name LIKE 'POST /v1/%') AS fed FROM observability.traces_v3");
  assert.equal(fed, 0, 'sending telemetry makes no telemetry');
});
