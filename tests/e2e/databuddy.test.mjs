// SPDX-License-Identifier: Apache-2.0
// Databuddy's browser tracker against the server, by the requests that it sends.
// The tracker itself is not in @databuddy/sdk (it comes from the vendor's own host), so its requests are written out here.
// What it sends beside page events, and the client for Node: databuddy_reports.test.mjs.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { Server } from './harness.mjs';

const BROWSER = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';
const ORIGIN = 'https://shop.example';

let server, client, now;
before(async () => {
  server = await Server.start();
  client = server.tenants.main.write_key;
  now = Date.now();
});
after(() => server?.remove());

// As the tracker's fetch sends them: the id in the query, the SDK in headers.
const trackerHeaders = () => ({
  'content-type': 'application/json', 'user-agent': BROWSER, origin: ORIGIN, referer: `${ORIGIN}/`, 'accept-language': 'en-GB',
  'databuddy-client-id': client, 'databuddy-sdk-name': 'web', 'databuddy-sdk-version': '2.6.0',
});
const post = (path, body, headers = {}) => server.post(path, body, { headers: { ...trackerHeaders(), ...headers } });
const batch = (events, headers) => post(`/batch?client_id=${client}`, events, headers);
const view = (name, more = {}) => ({
  eventId: randomUUID(), name, anonymousId: 'anon_11111111-2222-4333-8444-555555555555', sessionId: 'sess_aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee',
  timestamp: now - 1000, path: `${ORIGIN}/pricing`, ...more,
});
const one = async (name) => (await server.events(1, `name = '${name}'`))[0];
const milliseconds = (text) => Date.parse(`${text.replace(' ', 'T')}Z`);

test('POST / stores every field of a page event', async () => {
  const event = view('full', {
    type: 'track', sessionStartTime: now - 30_000, referrer: 'https://www.google.com/', title: 'Pricing', screen_resolution: '1920x1080',
    viewport_size: '1280x720', language: 'en-GB', timezone: 'Europe/Berlin', connection_type: '4g', rtt: 50, downlink: 9.5, time_on_page: 12.25,
    scroll_depth: 87.5, interaction_count: 7, page_count: 3, utm_source: 'news', utm_medium: 'mail', utm_campaign: 'spring', utm_term: 'shoes',
    utm_content: 'top', gclid: 'g1', load_time: 1200, dom_ready_time: 800, dom_interactive: 700, ttfb: 90, render_time: 300, redirect_time: 5,
    domain_lookup_time: 6, profileId: 'user-1', href: 'https://x.example/', text: 'Buy', value: '9', properties: { plan: 'pro', nested: { a: 1 } },
    anonymizeVisitorIds: false, unknown_key: 'dropped',
  });
  const answer = await post(`/?client_id=${client}`, event);
  assert.deepEqual([answer.status, answer.json], [200, { status: 'success', type: 'track' }]);
  const row = await one('full');
  const same = ['title', 'screen_resolution', 'viewport_size', 'language', 'timezone', 'connection_type', 'rtt', 'downlink', 'time_on_page', 'scroll_depth',
    'interaction_count', 'page_count', 'utm_source', 'utm_medium', 'utm_campaign', 'utm_term', 'utm_content', 'gclid', 'load_time', 'dom_ready_time',
    'dom_interactive', 'ttfb', 'render_time', 'redirect_time', 'domain_lookup_time'];
  for (const column of same) assert.deepEqual(row[column], event[column], column);
  assert.deepEqual([row.event_id, row.device_id, row.session_id, row.profile_id], [event.eventId, event.anonymousId, event.sessionId, 'user-1']);
  assert.deepEqual([milliseconds(row.created_at), milliseconds(row.session_start_time)], [event.timestamp, event.sessionStartTime]);
  assert.deepEqual([row.origin, row.path, row.referrer], [ORIGIN, '/pricing', 'https://www.google.com']);
  assert.deepEqual([row.sdk_name, row.sdk_version, row.event_type, row.user_agent], ['web', '2.6.0', 'track', '']);
  assert.deepEqual(row.properties, { href: 'https://x.example/', text: 'Buy', value: '9', plan: 'pro', 'nested.a': '1' });
});

test('POST /batch answers item by item', async () => {
  const events = [
    view('screen_view', { page_count: 1 }),
    view('page_exit', { eventId: `exit_${randomUUID()}`, time_on_page: 4, scroll_depth: 50 }),
    { type: 'outgoing_link', eventId: randomUUID(), href: 'https://elsewhere.example/', text: 'There', anonymousId: 'anon_x', sessionId: 'sess_x', timestamp: now },
  ];
  const answer = await batch(events);
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.json, {
    status: 'success', batch: true, processed: 3, batched: { track: 2, outgoing_link: 1 },
    results: [
      { status: 'success', type: 'track', eventId: events[0].eventId },
      { status: 'success', type: 'track', eventId: events[1].eventId },
      { status: 'success', type: 'outgoing_link', eventId: events[2].eventId },
    ],
  });
  await one('screen_view');
  assert.equal((await one('page_exit')).time_on_page, 4);
  const link = await one('outgoing_link');
  assert.deepEqual([link.event_type, link.properties], ['outgoing_link', { href: 'https://elsewhere.example/', text: 'There' }]);
});

test('beacons are JSON whatever their type says', async () => {
  const beacon = (name, type, headers = {}) =>
    server.post(`/batch?client_id=${client}`, JSON.stringify([view(name)]), { headers: { 'content-type': type, 'user-agent': BROWSER, origin: ORIGIN, ...headers } });
  for (const [name, type] of [['beacon_text', 'text/plain;charset=UTF-8'], ['beacon_blob', 'application/json']]) {
    const answer = await beacon(name, type);
    assert.deepEqual([answer.status, answer.json.status], [200, 'success'], answer.text);
    await one(name);
  }
});

test('the client id may be in the query or in a header', async () => {
  const { 'databuddy-client-id': id, ...others } = trackerHeaders();
  const inHeader = await server.post('/', view('id_in_header'), { headers: { ...others, 'databuddy-client-id': id } });
  const inQuery = await server.post(`/?client_id=${id}`, view('id_in_query'), { headers: others });
  assert.deepEqual([inHeader.status, inQuery.status], [200, 200]);
  await one('id_in_header');
  await one('id_in_query');
});

test('an event without times and ids of visitors is stored now, without them', async () => {
  await post('/', { eventId: randomUUID(), name: 'sparse', path: 'http://localhost:3000/x', anonymousId: null, title: null });
  const row = await one('sparse');
  assert.equal(row.created_at.slice(0, 19), row.ingested_at.slice(0, 19)); // received is kept in whole seconds
  assert.deepEqual([row.device_id, row.session_id, row.origin, row.path], ['', '', 'http://localhost:3000', '/x']);
});

// Refusals of the whole request.
const whole = [
  ['no client id', '/', () => view('w'), { 'databuddy-client-id': '' }, 400, 'INGEST_MISSING_CLIENT_ID', 'Missing client ID'],
  ['no client id of a batch', '/batch', () => [view('w')], { 'databuddy-client-id': '' }, 400, 'INGEST_MISSING_CLIENT_ID', 'Missing client ID'],
  ['an unknown client id', '/', () => view('w'), { 'databuddy-client-id': randomUUID() }, 400, 'INGEST_INVALID_CLIENT_ID', 'Invalid or inactive client ID'],
  ['bad JSON', '/', () => '{"name":', {}, 400, 'TRACK_INVALID_BODY', 'Invalid request body'],
  ['an unknown type', '/', () => view('w', { type: 'custom' }), {}, 400, 'INGEST_UNKNOWN_EVENT_TYPE', 'Unknown event type'],
  ['an invalid event', '/', () => view('w', { path: '/relative' }), {}, 400, 'INVALID_EVENT_SCHEMA', 'Invalid event schema'],
  ['a batch that is no array', '/batch', () => view('w'), {}, 400, 'INGEST_BATCH_NOT_ARRAY', 'array'],
  ['a batch of 101', '/batch', () => Array.from({ length: 101 }, () => view('w')), {}, 400, 'INGEST_BATCH_TOO_LARGE', 'Batch too large'],
  ['more than 1 MiB', '/', () => view('w', { padding: 'x'.repeat(1 << 20) }), {}, 413, 'INGEST_PAYLOAD_TOO_LARGE', ''],
];
for (const [what, path, body, headers, status, code, message] of whole)
  test(`refuses ${what} as ${code}`, async () => {
    const answer = await post(path, body(), headers);
    assert.equal(answer.status, status, answer.text);
    const error = answer.json;
    assert.deepEqual([error.success, error.status, error.code, error.retryable], [false, 'error', `basket.${code}`, false], answer.text);
    assert.ok(error.message.includes(message) && error.error, answer.text);
    assert.ok(error.requestId && answer.headers['x-request-id'], answer.text);
  });

// The field, and a value that it may not have.
const invalid = [
  ['eventId', undefined], ['eventId', ''], ['eventId', 'e'.repeat(513)], ['eventId', 7], ['name', undefined], ['name', ''], ['name', 'n'.repeat(129)],
  ['path', undefined], ['path', '/relative'], ['path', 'ftp://shop.example/'], ['path', 'https://nodots/'], ['path', 'javascript:alert(1)'],
  ['profileId', 'p'.repeat(129)], ['timestamp', 946684799999], ['timestamp', Date.now() + 2 * 3_600_000], ['timestamp', '2026-01-01T00:00:00Z'],
  ['sessionStartTime', 12345], ['referrer', 'not a url'], ['title', 't'.repeat(513)], ['screen_resolution', '100x100'], ['viewport_size', '1280'],
  ['viewport_size', '12000x800'], ['language', 'english'], ['language', 'e'], ['timezone', 'z'.repeat(65)], ['connection_type', '6g'], ['rtt', 10001],
  ['rtt', -1], ['rtt', '50'], ['downlink', 10001], ['time_on_page', 86401], ['scroll_depth', 101], ['scroll_depth', -1], ['interaction_count', 10001],
  ['page_count', 1001], ['utm_source', 'u'.repeat(129)], ['gclid', 'g'.repeat(129)], ['load_time', 60001], ['ttfb', -5], ['dom_interactive', 60001],
  ['href', 'h'.repeat(2049)], ['text', 't'.repeat(2049)], ['value', {}], ['properties', []], ['properties', 'text'],
  ['properties', Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`k${i}`, i]))], ['properties', { ['k'.repeat(129)]: 1 }],
  ['properties', { big: 'x'.repeat(33_000) }], ['anonymizeVisitorIds', 'yes'],
];
test('names field and reason of each invalid item, and keeps the valid ones around it', async () => {
  for (const [field, value] of invalid) {
    const what = `${field}: ${JSON.stringify(value)?.slice(0, 60)}`;
    const bad = view('invalid', { [field]: value });
    const answer = await batch([view('beside'), bad, view('beside')]);
    assert.equal(answer.status, 200, `${what}: ${answer.text}`);
    const { status, processed, batched, results } = answer.json;
    assert.deepEqual([status, processed, batched], ['partial', 3, { track: 2, outgoing_link: 0 }], `${what}: ${answer.text}`);
    assert.deepEqual(results.map((result) => result.status), ['success', 'error', 'success'], what);
    const { message, eventType, code, errors, eventId } = results[1];
    assert.deepEqual([message, eventType, code], ['Invalid event schema', 'track', 'basket.INVALID_EVENT_SCHEMA'], what);
    assert.equal(errors[0].field, field, `${what}: ${answer.text}`);
    assert.ok(errors[0].message.length > 8, what);
    if (typeof bad.eventId === 'string' && bad.eventId) assert.equal(eventId, bad.eventId, what);
  }
  await server.settle(client);
  await server.events(2 * invalid.length, `name = 'beside'`, { columns: 'id, created_at' });
  await server.events(0, `name = 'invalid'`);
});

test('says of items that are no events or of no known type what they are', async () => {
  const answer = await batch([7, null, 'text', [], view('odd', { type: 'custom', eventId: 'custom-1' }), { type: 'outgoing_link', eventId: 'link-1' }]);
  assert.deepEqual([answer.status, answer.json.status, answer.json.processed], [200, 'error', 6], answer.text);
  const { results } = answer.json;
  for (const result of results) assert.equal(result.status, 'error');
  assert.deepEqual(results.slice(0, 4).map((result) => result.message), Array(4).fill('Invalid event schema'));
  assert.deepEqual(results[4], { status: 'error', message: 'Unknown event type', eventType: 'custom', code: 'basket.INGEST_UNKNOWN_EVENT_TYPE', eventId: 'custom-1' });
  assert.deepEqual([results[5].errors[0].field, results[5].eventId], ['href', 'link-1']);
});

test('takes 100 items and an empty batch', async () => {
  const events = Array.from({ length: 100 }, () => view('hundred'));
  const answer = await batch(events);
  assert.deepEqual([answer.status, answer.json.processed, answer.json.batched.track], [200, 100, 100]);
  await server.events(100, `name = 'hundred'`, { columns: 'id, created_at' });
  const empty = await batch([]);
  assert.deepEqual([empty.status, empty.json.processed, empty.json.results], [200, 0, []]);
});

test('an eventId is stored once: in a batch, over batches, over both routes; another type is another event', async () => {
  const event = view('dedup', { eventId: 'event-once' });
  const first = await batch([event, event]);
  const second = await batch([event]);
  const third = await post('/', event);
  for (const answer of [first, second, third]) assert.deepEqual([answer.status, answer.json.status], [200, 'success'], answer.text);
  await post('/', { type: 'outgoing_link', eventId: 'event-once', href: 'https://a.example/' });
  await server.settle(client);
  await server.events(2, `event_id = 'event-once'`);
});

test('hides visitors unless the site keeps their ids', async () => {
  const events = [
    ['hidden', 'visitor-a', undefined], ['hidden', 'visitor-a', true], ['hidden', 'visitor-a', 'auto'], ['hidden', 'visitor-b', undefined],
    ['hidden', 'visitor-c', false], ['hidden', undefined, true],
  ].map(([name, anonymousId, anonymizeVisitorIds]) => view(name, { anonymousId, anonymizeVisitorIds }));
  assert.equal((await batch(events)).json.status, 'success');
  const rows = await server.events(events.length, `name = 'hidden'`);
  const ids = events.map((event) => rows.find((row) => row.event_id === event.eventId).device_id);
  assert.match(ids[0], /^[0-9a-f]{64}$/);
  assert.deepEqual([ids[1], ids[2]], [ids[0], ids[0]], 'the same visitor, the same day, the same id');
  assert.match(ids[3], /^[0-9a-f]{64}$/);
  assert.notEqual(ids[3], ids[0]);
  assert.deepEqual([ids[4], ids[5]], ['visitor-c', '']);
});

test('drops session ids that could not be the tracker\'s', async () => {
  await batch([view('session', { sessionId: 'sess_ok-1' }), view('session', { sessionId: 'a b<c>' })]);
  const rows = await server.events(2, `name = 'session'`);
  assert.deepEqual(rows.map((row) => row.session_id).sort(), ['', 'sess_ok-1']);
});

test('answers a browser\'s preflight and marks every answer for its origin', async () => {
  for (const path of ['/', `/batch?client_id=${client}`]) {
    const preflight = await server.send(path, {
      method: 'OPTIONS',
      headers: {
        origin: ORIGIN, 'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type,databuddy-client-id,databuddy-sdk-name,databuddy-sdk-version',
      },
    });
    assert.equal(preflight.status, 204);
    const allowed = preflight.headers['access-control-allow-headers'].toLowerCase().split(/,\s*/);
    for (const header of ['content-type', 'databuddy-client-id', 'databuddy-sdk-name', 'databuddy-sdk-version']) assert.ok(allowed.includes(header), header);
    assert.match(preflight.headers['access-control-allow-methods'], /\bPOST\b/);
    assert.equal(preflight.headers['access-control-allow-origin'], ORIGIN);
  }
  for (const [body, status] of [[view('cors'), 200], [view('cors', { name: '' }), 400]]) {
    const answer = await post('/', body);
    assert.equal(answer.status, status);
    assert.equal(answer.headers['access-control-allow-origin'], ORIGIN);
    assert.equal(answer.headers['access-control-allow-credentials'], 'true');
    assert.match(answer.headers.vary, /origin/i);
  }
});
