// SPDX-License-Identifier: Apache-2.0
// POST /v1/events from the request to the row: forms of the body, every column, ids and duplicates over restarts.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { promised, repository, Server } from './harness.mjs';

const FRESH_MS = 2000; // what the product promises from the answer to the answer that shows it

let server, key, otherKey;
before(async () => {
  server = await Server.start({ tenants: ['main', 'other'] });
  key = server.tenants.main.write_key;
  otherKey = server.tenants.other.write_key;
});
after(() => server?.remove());

const post = (body, headers) => server.post('/v1/events', body, { key, headers });
const counts = ({ accepted, duplicates, refused }) => ({ accepted, duplicates, refused });
async function take(body, expected, headers) {
  const answer = await post(body, headers);
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(counts(answer.json), { accepted: 0, duplicates: 0, refused: 0, ...expected }, answer.text);
}

// What each form of body holds: how many events.
const forms = [
  ['an array', [{ name: 'form_array' }, { name: 'form_array' }], 'form_array', 2],
  ['a single event', { name: 'form_single' }, 'form_single', 1],
  ['NDJSON', '{"name":"form_lines"}\n{"name":"form_lines"}\n\n{"name":"form_lines"}\n', 'form_lines', 3, { 'content-type': 'application/x-ndjson' }],
  ['NDJSON with Windows line ends', '{"name":"form_crlf"}\r\n{"name":"form_crlf"}\r\n', 'form_crlf', 2, { 'content-type': 'application/x-ndjson' }],
  ['lines without saying so', '{"name":"form_guessed"}\n{"name":"form_guessed"}', 'form_guessed', 2],
  ['a text/plain beacon', '{"name":"form_plain"}', 'form_plain', 1, { 'content-type': 'text/plain;charset=UTF-8' }],
  ['a gzip body', gzipSync('[{"name":"form_gzip"},{"name":"form_gzip"}]'), 'form_gzip', 2, { 'content-encoding': 'gzip' }],
  ['gzipped NDJSON', gzipSync('{"name":"form_gzip_lines"}\n{"name":"form_gzip_lines"}'), 'form_gzip_lines', 2, { 'content-encoding': 'gzip', 'content-type': 'application/x-ndjson' }],
];
for (const [what, body, name, count, headers] of forms)
  test(`takes ${what}`, async () => {
    await take(body, { accepted: count }, headers);
    await server.events(count, `name = '${name}'`);
  });

test(`shows an event within ${FRESH_MS} ms of its answer`, async () => {
  for (let round = 0; round < 5; round++) {
    await take({ name: `fresh_${round}` }, { accepted: 1 });
    await server.events(1, `name = 'fresh_${round}'`, { columns: 'id, created_at', deadlineMs: promised(FRESH_MS) });
  }
});

// Every column that clients may set, with a value that no default and no derivation gives.
const now = Date.now();
const sample = {
  id: randomUUID(), name: 'all_columns', created_at: new Date(now - 5000).toISOString(), session_id: 'session-1', device_id: 'device-1',
  profile_id: 'profile-1', event_type: 'kind', event_id: 'client-id-1', session_start_time: now - 60_000, sdk_name: 'library', sdk_version: '1.2.3',
  path: '/shop/item', origin: 'https://shop.example', query_string: '?colour=red', hash: '#reviews', title: 'An item – “ö”',
  referrer: 'https://search.example/find?q=item', referrer_name: 'Finder', referrer_type: 'partner', ip: '203.0.113.7', user_agent: 'Agent/1.0',
  country: 'NL', region: 'Noord-Holland', city: 'Amsterdam', longitude: 4.875, latitude: -52.375, os: 'Linux', os_version: '6.1', browser: 'Firefox',
  browser_version: '140.0', device: 'desktop', brand: 'Acme', model: 'M1', screen_resolution: '1920x1080', viewport_size: '1280x720',
  language: 'nl-NL', timezone: 'Europe/Amsterdam', connection_type: '4g', rtt: 50, downlink: 9.5, time_on_page: 12.25, scroll_depth: 87.5,
  interaction_count: 7, page_count: 3, utm_source: 'letter', utm_medium: 'mail', utm_campaign: 'spring', utm_term: 'shoes', utm_content: 'top',
  gclid: 'click-1', load_time: 1200, dom_ready_time: 800, dom_interactive: 700, ttfb: 90, connection_time: 30, request_time: 40, render_time: 300,
  redirect_time: 5, domain_lookup_time: 6, duration: 12345, revenue: 19.9975, groups: ['acme', 'staff'],
  properties: { plan: 'pro', nested: { a: 1, b: { c: true } }, list: ['x', 2.5], gone: null, empty: '' },
};
// What is stored differently from what was sent.
const stored = {
  created_at: new Date(now - 5000).toISOString().replace('T', ' ').replace('Z', ''),
  session_start_time: new Date(now - 60_000).toISOString().replace('T', ' ').replace('Z', ''),
  user_agent: '',
  properties: { plan: 'pro', 'nested.a': '1', 'nested.b.c': 'true', 'list.0': 'x', 'list.1': '2.5' },
};

test('stores every column a client may set as it was sent', async () => {
  const table = readFileSync(join(repository, 'src/domains/analytics/tables.def'), 'utf8');
  const columns = [...table.matchAll(/^EVENT_COLUMN\(\w+, (\w+), .*?, (CLIENT|SERVER), /gm)];
  const settable = columns.filter((match) => match[2] === 'CLIENT').map((match) => match[1]);
  assert.deepEqual(Object.keys(sample).sort(), settable.sort(), 'the sample has every column that clients may set');
  await take(sample, { accepted: 1 });
  const [row] = await server.events(1, `name = 'all_columns'`);
  for (const column of settable) {
    if (column === 'ip') continue;
    assert.deepEqual(row[column], column in stored ? stored[column] : sample[column], column);
  }
  assert.match(row.ip, /^[0-9a-f]{12,64}$/, 'a hash of the address');
  assert.equal(row.tenant_id, server.tenants.main.tenant);
  assert.equal(row.imported_at, null);
  const received = Date.parse(`${row.ingested_at.replace(' ', 'T')}Z`);
  assert.ok(received >= now - 1000 && received <= Date.now() + 1000, row.ingested_at);
});

test('hashes one address always to the same, and two addresses to two', async () => {
  await take(['203.0.113.1', '203.0.113.1', '203.0.113.2'].map((ip) => ({ name: 'address', ip })), { accepted: 3 });
  const rows = await server.events(3, `name = 'address'`);
  assert.equal(new Set(rows.map((row) => row.ip)).size, 2);
  for (const { ip } of rows) assert.match(ip, /^[0-9a-f]{12,64}$/, 'no address');
});

test('knows the names of both dialects and camelCase', async () => {
  await take({ eventName: 'aliases', timestamp: now - 1000, anonymousId: 'anon', sessionId: 'visit', browserName: 'Chrome', deviceType: 'mobile', osName: 'iOS' }, { accepted: 1 });
  const [row] = await server.events(1, `name = 'aliases'`);
  assert.deepEqual([row.device_id, row.session_id, row.browser, row.device, row.os], ['anon', 'visit', 'Chrome', 'mobile', 'iOS']);
  assert.equal(Date.parse(`${row.created_at.replace(' ', 'T')}Z`), now - 1000);
});

test('takes a url apart, with its campaign and referrer', async () => {
  await take({ name: 'page', url: 'https://Shop.example:443/a/b?utm_source=news&utm_campaign=x%20y&gclid=g1#top', referrer: 'https://www.google.com/' }, { accepted: 1 });
  const [row] = await server.events(1, `name = 'page'`);
  assert.deepEqual([row.origin, row.path, row.query_string, row.hash], ['https://shop.example', '/a/b', '?utm_source=news&utm_campaign=x%20y&gclid=g1', '#top']);
  assert.deepEqual([row.utm_source, row.utm_campaign, row.gclid, row.referrer], ['news', 'x y', 'g1', 'https://www.google.com']);
});

test('fills in id, times and kind when the client sends only a name', async () => {
  const before = Date.now();
  await take([{ name: 'bare' }, { name: 'bare' }], { accepted: 2 });
  const rows = await server.events(2, `name = 'bare'`);
  assert.notEqual(rows[0].id, rows[1].id);
  for (const row of rows) {
    assert.match(row.id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.equal(row.created_at.slice(0, 19), row.ingested_at.slice(0, 19)); // received is kept in whole seconds
    const time = Date.parse(`${row.created_at.replace(' ', 'T')}Z`);
    assert.ok(time >= before - 1000 && time <= Date.now() + 1000, row.created_at);
    assert.deepEqual([row.event_type, row.event_id, row.page_count, row.rtt, row.revenue], ['track', '', 1, null, null]);
  }
});

test('keeps an id that is no UUID, and makes the same UUID of it each time', async () => {
  await take([{ name: 'named', id: 'order-1' }, { name: 'named', event_id: 'order-2' }, { name: 'named', id: 'order-1' }], { accepted: 2, duplicates: 1 });
  await take({ name: 'named', eventId: 'order-1' }, { duplicates: 1 });
  await server.settle(key);
  const rows = await server.events(2, `name = 'named'`);
  assert.deepEqual(rows.map((row) => row.event_id).sort(), ['order-1', 'order-2']);
});

test('stores an id once: in one request, over requests, over connections at once', async () => {
  const id = randomUUID();
  await take([{ name: 'once', id }, { name: 'once', id: id.toUpperCase() }], { accepted: 1, duplicates: 1 });
  await take({ name: 'once', id }, { duplicates: 1 });
  const raced = Array.from({ length: 20 }, () => randomUUID());
  const answers = await Promise.all(Array.from({ length: 8 }, () => post(raced.map((each) => ({ name: 'raced', id: each })))));
  assert.ok(answers.every((answer) => answer.status === 200), answers.map((answer) => answer.text).join('\n'));
  assert.equal(answers.reduce((sum, answer) => sum + answer.json.accepted, 0), raced.length);
  assert.equal(answers.reduce((sum, answer) => sum + answer.json.duplicates, 0), 7 * raced.length);
  await server.settle(key);
  await server.events(1, `name = 'once'`);
  await server.events(raced.length, `name = 'raced'`);
});

test('keeps the ids of two tenants apart', async () => {
  const id = randomUUID();
  await take({ name: 'shared_id', id }, { accepted: 1 });
  const answer = await server.post('/v1/events', { name: 'shared_id', id }, { key: otherKey });
  assert.equal(answer.json.accepted, 1, answer.text);
  const rows = await server.events(2, `name = 'shared_id'`);
  assert.deepEqual(new Set(rows.map((row) => row.tenant_id)), new Set([server.tenants.main.tenant, server.tenants.other.tenant]));
});

// The second time right after the answer: rows may still be in the spool, in the store, or on their way.
for (const [what, end] of [['a clean restart', () => server.stop()], ['kill -9', () => server.kill()]])
  for (const loaded of [true, false])
    test(`knows ids again after ${what}, ${loaded ? 'when they are loaded' : 'right after the answer'}`, async () => {
      const name = `again_${randomUUID().slice(0, 8)}`;
      const events = Array.from({ length: 50 }, () => ({ name, id: randomUUID() })).concat({ name, id: `text-${name}` });
      await take(events, { accepted: events.length });
      if (loaded) await server.events(events.length, `name = '${name}'`, { columns: 'id, created_at' });
      await end();
      await server.start();
      await take(events, { duplicates: events.length });
      await server.settle(key);
      await server.events(events.length, `name = '${name}'`, { columns: 'id, created_at' });
    });
