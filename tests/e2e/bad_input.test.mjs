// SPDX-License-Identifier: Apache-2.0
// What a client can get wrong, as a table: each row is refused with its status, and the answer says what and where.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { command, Server, waitFor } from './harness.mjs';

let server, keys, revoked;
before(async () => {
  server = await Server.start({ tenants: ['main', 'revoked'] });
  keys = server.tenants.main;
  revoked = server.tenants.revoked;
  for (const key of [revoked.write_key, revoked.secret_key]) {
    const { code, stderr } = await command(['tenant', 'revoke-key', key, '--data', server.directory]);
    assert.equal(code, 0, stderr);
  }
  await waitFor('the running server knows that the keys are revoked', async () => (await server.get('/v1/tenant', revoked.secret_key)).status === 401, 5000);
});
after(() => server?.remove());

let kept = 0; // events that were accepted beside bad ones
const good = () => ({ name: 'good', id: randomUUID() });
const post = (body, headers = {}, key = keys.write_key) => server.post('/v1/events', body, { key, headers });
const lines = { 'content-type': 'application/x-ndjson' };

// One bad event: the field that must be named, its bad value, and what the reason must contain.
const fields = [
  ['name', undefined, 'missing'], ['name', '', 'missing'], ['name', null, 'missing'], ['name', {}, 'string'], ['name', true, 'string'],
  ['name', 'n'.repeat(129), '128'], ['path', 'p'.repeat(5000), '4096'], ['path', 'white space', 'URL or path'], ['url', 'http://[', 'URL'],
  ['title', ['x'], 'string'], ['title', 't'.repeat(1025), '1024'], ['device_id', 'd'.repeat(129), '128'], ['user_agent', 'u'.repeat(1025), '1024'],
  ['id', 'i'.repeat(513), '512'], ['id', {}, 'string'], ['created_at', 'yesterday', 'ISO 8601'], ['created_at', 1_700_000_000, 'milliseconds'],
  ['created_at', Date.now() + 7_200_000, 'future'], ['created_at', '1999-12-31T23:59:59Z', '2000'], ['created_at', true, 'ISO 8601'],
  ['timestamp', '2026-02-30T00:00:00Z', 'ISO 8601'], ['rtt', 10001, '10000'], ['rtt', -1, '0'], ['rtt', 'fast', 'number'], ['rtt', [], 'number'],
  ['rtt', false, 'number'], ['longitude', 180.5, '180'], ['latitude', '-91', '90'], ['page_count', 1001, '1000'], ['scroll_depth', 101, '100'],
  ['duration', 31536000001, '31536000000'], ['revenue', 'ten', 'number'], ['revenue', 10000000001, '10000000000'], ['groups', 'acme', 'array'],
  ['groups', [['a']], 'array'], ['groups', Array(33).fill('g'), '32'], ['groups', ['g'.repeat(257)], '256'], ['properties', [], 'object'],
  ['properties', 'x', 'object'], ['properties', Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`k${i}`, i])), '100'],
  ['properties', { a: 'x'.repeat(32769) }, '32768'], ['colour', 'red', 'not a field'], ['Name ', 'x', 'not a field'],
  ['tenant_id', randomUUID(), 'may not be sent'], ['client_id', 'x', 'may not be sent'], ['ingested_at', 1, 'may not be sent'],
  ['imported_at', 1, 'may not be sent'], ['segment', 1, 'not a field'],
];
test('names item, field and reason of each bad event, and stores the others of the request', async () => {
  for (const [field, value, reason] of fields) {
    const what = `${field}: ${JSON.stringify(value)?.slice(0, 60)}`;
    const bad = { name: 'bad', id: randomUUID(), [field]: value };
    const answer = await post([good(), bad, good()]);
    assert.equal(answer.status, 200, `${what}: ${answer.text}`);
    const { accepted, duplicates, refused, errors } = answer.json;
    assert.deepEqual([accepted, duplicates, refused, errors.length], [2, 0, 1, 1], `${what}: ${answer.text}`);
    assert.deepEqual([errors[0].item, errors[0].field], [1, field], `${what}: ${answer.text}`);
    assert.ok(errors[0].reason.includes(reason), `${what}: ${errors[0].reason}`);
    kept += accepted;
    const alone = await post(bad);
    assert.equal(alone.status, 400, what);
    assert.deepEqual([alone.json.accepted, alone.json.refused, alone.json.error.code], [0, 1, 'invalid'], what);
    assert.deepEqual(alone.json.errors[0], { ...errors[0], item: 0 }, what);
  }
});

test('names the line of each bad line', async () => {
  const text = [JSON.stringify(good()), '{"name":', '', '[]', '7', JSON.stringify({ name: 'bad', rtt: 'x' }), JSON.stringify(good())].join('\n');
  const answer = await post(text, lines);
  assert.deepEqual([answer.status, answer.json.accepted, answer.json.refused], [200, 2, 4], answer.text);
  kept += 2;
  assert.deepEqual(answer.json.errors.map(({ item, line }) => [item, line]), [[1, 2], [2, 4], [3, 5], [4, 6]]);
  assert.ok(answer.json.errors.every((error) => error.reason.length > 10), answer.text);
  assert.equal(answer.json.errors[3].field, 'rtt');
});

test('lists a hundred errors and counts all', async () => {
  const answer = await post([...Array.from({ length: 150 }, () => ({ name: '' })), good()]);
  assert.deepEqual([answer.status, answer.json.accepted, answer.json.refused, answer.json.errors.length], [200, 1, 150, 100]);
  kept += 1;
});

// Requests that are refused as a whole: how, status, code, what the message contains, the field when there is one.
const bomb = gzipSync(Buffer.alloc(64 << 20, ' '));
const whole = [
  ['malformed JSON', () => post('[{"name":"bad"},{"name":]'), 400, 'invalid', 'JSON'],
  ['JSON with something after it', () => post('{"name":"bad"} trailing'), 400, 'invalid', 'JSON'],
  ['bytes that are no UTF-8', () => post(Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d])), 400, 'invalid', ''],
  ['an empty body', () => post(''), 400, 'invalid', ''],
  ['an empty array', () => post([]), 400, 'invalid', 'no event'],
  ['no lines', () => post('\n\n', lines), 400, 'invalid', 'no event'],
  ['nesting without end', () => post(`{"name":"bad","properties":${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}}`), 400, 'invalid', ''],
  ['1001 events', () => post(Array.from({ length: 1001 }, () => ({ name: 'bad' }))), 413, 'too_large', '1000'],
  ['1001 lines', () => post('{"name":"bad"}\n'.repeat(1001), lines), 413, 'too_large', '1000'],
  ['a body over 10 MiB', () => post(Buffer.alloc((10 << 20) + 1, ' ')), 413, 'too_large', '10485760'],
  ['an announced gigabyte', () => announce(1 << 30), 413, 'too_large', '10485760'],
  ['chunks over 10 MiB', () => chunks(Buffer.alloc(1 << 20, ' '), 11), 413, 'too_large', '10485760'],
  ['a gzip bomb', () => post(bomb, { 'content-encoding': 'gzip' }), 413, 'too_large', ''],
  ['gzip that is none', () => post('{"name":"bad"}', { 'content-encoding': 'gzip' }), 400, 'invalid', ''],
  ['half a gzip', () => post(gzipSync('{"name":"bad"}').subarray(0, 20), { 'content-encoding': 'gzip' }), 400, 'invalid', 'incomplete'],
  ['an unknown encoding', () => post('x', { 'content-encoding': 'br' }), 415, 'unsupported_media', 'br', 'content-encoding'],
  ['a form', () => post('name=bad', { 'content-type': 'application/x-www-form-urlencoded' }), 415, 'unsupported_media', 'application/json'],
  ['XML', () => post('<name/>', { 'content-type': 'application/xml' }), 415, 'unsupported_media', 'application/json'],
  ['no key', () => post({ name: 'bad' }, {}, null), 401, 'unauthenticated', 'key'],
  ['a key that is none', () => post({ name: 'bad' }, {}, 'nonsense'), 401, 'unauthenticated', 'key'],
  ['an unknown key', () => post({ name: 'bad' }, {}, randomUUID()), 401, 'unauthenticated', 'key'],
  ['an unknown secret key', () => post({ name: 'bad' }, {}, `mrs_${'A'.repeat(43)}`), 401, 'unauthenticated', 'key'],
  ['a key of the wrong scheme', () => post({ name: 'bad' }, { authorization: `Basic ${keys.write_key}` }, null), 401, 'unauthenticated', 'key'],
  ['a revoked write key', () => post({ name: 'bad' }, {}, revoked.write_key), 401, 'unauthenticated', 'revoked'],
  ['a revoked secret key', () => post({ name: 'bad' }, {}, revoked.secret_key), 401, 'unauthenticated', 'revoked'],
  ['an unknown route', () => server.get('/v1/nothing', keys.secret_key), 404, 'not_found', '/v1/nothing'],
  ['an unknown route to post to', () => server.post('/v2/events', { name: 'bad' }, { key: keys.write_key }), 404, 'not_found', '/v2/events'],
  ['a route in capitals', () => server.post('/V1/EVENTS', { name: 'bad' }, { key: keys.write_key }), 404, 'not_found', '/V1/EVENTS'],
  ['GET of events', () => server.get('/v1/events', keys.secret_key), 405, 'method_not_allowed', 'GET'],
  ['DELETE of events', () => server.send('/v1/events', { method: 'DELETE' }), 405, 'method_not_allowed', 'DELETE'],
  ['POST of a question', () => server.post('/v1/query/top?dimension=path', {}, { key: keys.secret_key }), 405, 'method_not_allowed', 'POST'],
  ['PUT of health', () => server.send('/healthz', { method: 'PUT' }), 405, 'method_not_allowed', 'PUT'],
  ['a question without a key', () => server.get('/v1/query/catalog'), 401, 'unauthenticated', 'key'],
  ['a question with a write key', () => server.get('/v1/query/catalog', keys.write_key), 403, 'forbidden', 'events:read'],
  ['a question with a revoked key', () => server.get('/v1/query/catalog', revoked.secret_key), 401, 'unauthenticated', 'revoked'],
];

/** Announces a body and sends none of it. */
function announce(bytes) {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${keys.write_key}`, 'content-length': bytes };
    const request = http.request(`${server.url}/v1/events`, { method: 'POST', headers, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += chunk));
      response.on('end', () => {
        request.destroy();
        resolve({ status: response.statusCode, headers: response.headers, text, json: JSON.parse(text) });
      });
    });
    request.on('error', reject);
    request.flushHeaders();
  });
}

/** The same chunk several times, without a length announced. */
function chunks(chunk, count) {
  return new Promise((resolve, reject) => {
    let answered = false;
    const headers = { authorization: `Bearer ${keys.write_key}`, 'transfer-encoding': 'chunked' };
    const request = http.request(`${server.url}/v1/events`, { method: 'POST', headers, agent: false }, (response) => {
      let text = '';
      answered = true;
      response.on('data', (bytes) => (text += bytes));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text, json: JSON.parse(text) }));
    });
    request.on('error', (error) => answered || reject(error));
    for (let i = 0; i < count; i++) request.write(chunk);
    request.end();
  });
}

for (const [what, ask, status, code, message, field] of whole)
  test(`${what}: ${status} ${code}`, async () => {
    const answer = await ask();
    assert.equal(answer.status, status, answer.text);
    assert.match(answer.headers['content-type'], /^application\/json/);
    const { error, request_id: id } = answer.json;
    assert.equal(error.code, code, answer.text);
    assert.ok(error.message.length > 5 && error.message.includes(message), error.message);
    if (field) assert.equal(error.field, field, answer.text);
    assert.equal(id, answer.headers['x-request-id']);
  });

// Questions: the parameters, the field that must be named, and what the message must contain.
const manyFilters = Array.from({ length: 17 }, () => 'filter=path:is:/').join('&');
const questions = [
  ['timeseries', 'measures=visitor', 'measures', 'visitors'], ['timeseries', 'measures=', 'measures', ''],
  ['timeseries', 'measures=visitors,visitors', 'measures', ''], ['timeseries', 'measures=visitors&measures=events', 'measures', ''],
  ['timeseries', 'source=sessions', 'source', 'events'], ['timeseries', 'from=soon', 'from', ''], ['timeseries', 'to=2026-13-01', 'to', ''],
  ['timeseries', 'from=1795248000', 'from', 'milliseconds'], ['timeseries', 'from=2026-01-02&to=2026-01-01', 'from', ''],
  ['timeseries', 'from=1969-01-01&to=1970-02-01', 'from', '1970'], ['timeseries', 'to=2300-01-01', 'to', '2199'],
  ['timeseries', 'period=8x', 'period', '7d'], ['timeseries', 'period=7d&from=2026-01-01', 'period', ''], ['timeseries', 'interval=second', 'interval', 'minute'],
  ['timeseries', 'interval=minute&from=2026-01-01&to=2026-03-01', 'interval', '5000'], ['timeseries', 'timezone=Mars/Base', 'timezone', 'Mars/Base'],
  ['timeseries', 'timezone=../../etc/passwd', 'timezone', ''], ['timeseries', 'compare=next', 'compare', 'previous'],
  ['timeseries', 'filter=path', 'filter', ''], ['timeseries', 'filter=colour:is:red', 'filter', 'colour'], ['timeseries', 'filter=path:like:x', 'filter', 'like'],
  ['timeseries', 'filter=path:contains:', 'filter', ''], ['timeseries', manyFilters, 'filter', '16'],
  ['timeseries', `filter=path:is:${'x'.repeat(2049)}`, 'filter', '2048'], ['timeseries', `filter=path:is:${Array(101).fill('a').join('|')}`, 'filter', '100'],
  ['timeseries', 'filter=path:is:%ff', 'filter', 'UTF-8'], ['timeseries', 'filter=path:is:a%00b', 'filter', ''],
  ['timeseries', 'dimension=path', 'dimension', ''], ['timeseries', 'limit=5', 'limit', ''], ['timeseries', 'tenant_id=x', 'tenant_id', ''],
  ['timeseries', 'log_comment=*', 'log_comment', ''], ['top', '', 'dimension', ''], ['top', 'dimension=colour', 'dimension', 'colour'],
  ['top', 'dimension=path&limit=0', 'limit', '1000'], ['top', 'dimension=path&limit=1001', 'limit', '1000'], ['top', 'dimension=path&limit=ten', 'limit', '1000'],
  ['top', 'dimension=path&interval=day', 'interval', ''],
  ['top', 'dimension=path&measures=visitors,page_views,sessions,events,a,b,c,d,e', 'measures', ''],
];
for (const [question, query, field, message] of questions)
  test(`/v1/query/${question}?${query.slice(0, 50)} is refused for ${field}`, async () => {
    const answer = await server.get(`/v1/query/${question}?${query}`, keys.secret_key);
    assert.equal(answer.status, 400, answer.text);
    const { error } = answer.json;
    assert.deepEqual([error.code, error.field], ['invalid', field], answer.text);
    assert.ok(error.message.length > 10 && error.message.includes(message), error.message);
  });

test('is healthy afterwards, and has exactly what it accepted', async () => {
  for (const path of ['/healthz', '/readyz']) assert.equal((await server.get(path)).status, 200, path);
  await server.settle(keys.write_key);
  const rows = await server.sql('SELECT toString(name) AS name, count() AS count FROM analytics.events GROUP BY name ORDER BY name');
  assert.deepEqual(rows.filter((row) => !row.name.startsWith('settle_')), [{ name: 'good', count: kept }]);
  const metrics = (await server.get('/metrics')).text;
  const accepted = Number(/^millrace_ingest_items_total\{result="accepted"\} (\d+)/m.exec(metrics)?.[1]);
  assert.equal(accepted, kept + 1, 'the metric counts the same (and the event that was waited for)');
});
