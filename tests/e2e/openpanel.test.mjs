// SPDX-License-Identifier: Apache-2.0
// The published OpenPanel SDK against the server: what it sends is stored, what it gets back it understands.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { OpenPanel } from '@openpanel/sdk';
import { Server, waitFor } from './harness.mjs';

const BROWSER = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';
const DEVICE_ID = /^[0-9a-f]{32}$/;
const SESSION_ID = /^[A-Za-z0-9_-]{22}$/;

let server, keys;
before(async () => {
  server = await Server.start({ tenants: ['main', 'other'] });
  keys = server.tenants.main;
});
after(() => server?.remove());

/** The SDK as a program on a server uses it, or with `headers` as a page's backend forwards its visitors. */
// How often the SDK asks: it tries again, after half a second at first.
let asked = 0;
const { fetch } = globalThis;
globalThis.fetch = (...words) => (asked++, fetch(...words));

function sdk(options = {}, headers = {}) {
  const client = new OpenPanel({ clientId: keys.write_key, apiUrl: server.url, ...options });
  for (const [name, value] of Object.entries(headers)) client.api.addHeader(name, value);
  return client;
}
const visitor = (address = '203.0.113.9') => ({ 'user-agent': BROWSER, 'openpanel-client-ip': address });
const milliseconds = (text) => Date.parse(`${text.replace(' ', 'T')}Z`);
const one = async (name, options) => (await server.events(1, `name = '${name}'`, options))[0];

test('track() of a backend resolves with ids, and every field it sent is in the row', async () => {
  const before = Date.now();
  const client = sdk({ clientSecret: keys.secret_key });
  client.setGlobalProperties({ app_version: '1.0.2' });
  const answer = await client.track('signup', {
    profileId: 'user-1', groups: ['acme', 'staff'], plan: 'pro', amount: 12.5, seats: 3, trial: true, nested: { a: { b: 1 } }, tags: ['x', 'y'],
    nothing: null, empty: '', label: '[VIP] buyer', spaced: '  trimmed ',
  });
  assert.match(answer.deviceId, DEVICE_ID);
  assert.match(answer.sessionId, SESSION_ID);
  assert.deepEqual([client.getDeviceId(), client.getSessionId()], [answer.deviceId, answer.sessionId]);
  const row = await one('signup');
  assert.deepEqual(row.properties, {
    app_version: '1.0.2', plan: 'pro', amount: '12.5', seats: '3', trial: 'true', 'nested.a.b': '1', 'tags.0': 'x', 'tags.1': 'y',
    label: '[VIP] buyer', spaced: 'trimmed',
  });
  assert.deepEqual([row.tenant_id, row.profile_id, row.groups], [keys.tenant, 'user-1', ['acme', 'staff']]);
  assert.deepEqual([row.sdk_name, row.sdk_version, row.event_type], ['node', '1.3.1', 'track']);
  assert.deepEqual([row.device_id, row.session_id, row.device, row.ip], ['', '', 'server', ''], 'a backend is no visitor');
  assert.ok(milliseconds(row.created_at) >= before - 1000 && milliseconds(row.created_at) <= Date.now() + 1000, row.created_at);
});

test('a visitor gets a device and a session, the same for the next event', async () => {
  const client = sdk({ sdk: 'web', sdkVersion: '1.4.1' }, visitor());
  const first = await client.track('screen_view', {
    __path: 'https://shop.example/landing?utm_source=newsletter&x=1#top', __referrer: 'https://www.google.com/', __title: 'Home',
  });
  const second = await client.track('link_out', { href: 'https://other.example/x', text: null });
  assert.deepEqual(second, first);
  const row = await one('screen_view');
  assert.deepEqual([row.device_id, row.session_id, row.profile_id], [first.deviceId, first.sessionId, first.deviceId]);
  assert.deepEqual([row.origin, row.path, row.query_string, row.hash], ['https://shop.example', '/landing', '?utm_source=newsletter&x=1', '#top']);
  assert.deepEqual([row.title, row.referrer, row.utm_source], ['Home', 'https://www.google.com', 'newsletter']);
  assert.deepEqual([row.sdk_name, row.sdk_version, row.properties], ['web', '1.4.1', {}]);
  assert.match(row.ip, /^[0-9a-f]+$/);
  assert.deepEqual((await one('link_out')).properties, { href: 'https://other.example/x' });
  const stranger = await sdk({}, visitor('203.0.113.10')).track('stranger');
  assert.notEqual(stranger.deviceId, first.deviceId);
});

test('a bare path and a screen name are paths', async () => {
  const client = sdk({}, visitor());
  await client.track('virtual', { __path: '/virtual' });
  await client.track('screen', { __path: 'Settings Screen' });
  await client.track('fallback', { path: '/from-path' });
  assert.equal((await one('virtual')).path, '/virtual');
  assert.equal((await one('screen')).path, 'Settings Screen');
  const row = await one('fallback');
  assert.deepEqual([row.path, row.properties], ['/from-path', { path: '/from-path' }]);
});

test('revenue() stores the amount, the currency and the device it names', async () => {
  const answer = await sdk({ clientSecret: keys.secret_key }).revenue(1999, { currency: 'USD', deviceId: 'device-override-1' });
  assert.equal(answer.deviceId, 'device-override-1');
  const row = await one('revenue');
  assert.deepEqual([row.revenue, row.device_id, row.properties], [1999, 'device-override-1', { currency: 'USD' }]);
});

test('properties with a meaning fill their columns', async () => {
  await sdk({}, visitor()).track('meanings', {
    __os: 'Plan 9', __osVersion: '4', __browser: 'Mothra', __browserVersion: '1', __device: 'tablet', __brand: 'Acme', __model: 'M', __ip: '203.0.113.77',
    __identify: { profileId: 'user-7' }, __bot: '1', __bot_reasons: 'client says so',
  });
  const row = await one('meanings');
  assert.deepEqual([row.os, row.os_version, row.browser, row.browser_version, row.device, row.brand, row.model], ['Plan 9', '4', 'Mothra', '1', 'tablet', 'Acme', 'M']);
  assert.equal(row.profile_id, 'user-7');
  assert.ok(!JSON.stringify(row).includes('203.0.113.77'), 'the address is not stored');
  assert.ok(!('__bot' in row.properties) && !('__bot_reasons' in row.properties), JSON.stringify(row.properties));
});

test('events queued until ready() carry the time they happened', async () => {
  const client = sdk({ disabled: true }, visitor());
  const queuedAt = Date.now();
  await client.track('queued', { step: 1 });
  await server.settle(keys.write_key); // some time passes, and nothing was sent meanwhile
  await server.events(0, `name = 'queued'`);
  client.ready();
  const row = await one('queued');
  assert.ok(Math.abs(milliseconds(row.created_at) - queuedAt) < 100, `${row.created_at} is ${milliseconds(row.created_at) - queuedAt} ms away`);
  assert.deepEqual(row.properties, { step: '1' });
});

// The client's time against now; what is stored: 'sent' or 'now'. Events from the past open no session.
const times = [
  ['ten minutes ago', -600_000, 'sent', true],
  ['twenty minutes ago', -1_200_000, 'sent', false],
  ['three days ago', -3 * 86_400_000, 'sent', false],
  ['half a minute ahead', 30_000, 'sent', true],
  ['two minutes ahead', 120_000, 'now', true],
  ['two days ahead', 2 * 86_400_000, 'now', true],
];
for (const [what, offset, expected, session] of times)
  test(`a time ${what} is stored as ${expected}, ${session ? 'with' : 'without'} a session`, async () => {
    const name = `time ${what}`;
    const sent = Date.now() + offset;
    const answer = await sdk({}, visitor()).track(name, { __timestamp: new Date(sent).toISOString() });
    assert.match(answer.sessionId, SESSION_ID);
    const row = await one(name);
    if (expected === 'sent') assert.equal(milliseconds(row.created_at), sent);
    else assert.ok(Math.abs(milliseconds(row.created_at) - (sent - offset)) < 2000, row.created_at);
    assert.deepEqual([row.session_id !== '', row.device_id !== ''], [session, session]);
    assert.ok(!('__timestamp' in row.properties));
  });

test('a time nobody can read is now', async () => {
  await sdk({}, visitor()).track('unreadable time', { __timestamp: 'yesterday-ish' });
  const row = await one('unreadable time');
  assert.equal(row.created_at.slice(0, 19), row.ingested_at.slice(0, 19));
});

test('a duplicate is answered in JSON like the first, at once, and stored once', async () => {
  const client = sdk({}, { ...visitor(), origin: 'https://shop.example' });
  const properties = { __timestamp: new Date().toISOString(), order: 7 };
  const first = await client.track('twice', { ...properties });
  asked = 0;
  assert.deepEqual(await client.track('twice', { ...properties }), first);
  assert.equal(asked, 1, 'the SDK did not try again');
  await server.settle(keys.write_key);
  await server.events(1, `name = 'twice'`);
});

test('a double click within 100 ms is one event whenever it comes, and later ones are their own', async () => {
  const client = sdk({}, { ...visitor(), origin: 'https://shop.example' });
  // The two clicks lie around a full tenth of a second: a clock cut into pieces must not tear them apart.
  const phase = (least, most) => waitFor(`the clock is ${least} to ${most} ms past a tenth`, () => Date.now() % 100 >= least && Date.now() % 100 <= most, 5000);
  let between;
  await waitFor('two clicks are answered within 100 ms', async () => {
    between = `click ${Date.now()}`;
    await phase(50, 75);
    const begun = Date.now();
    await client.track(between);
    await phase(0, 30);
    await client.track(between);
    return Date.now() - begun < 95;
  }, 20_000);
  await server.settle(keys.write_key);
  await server.events(1, `name = '${between}'`, { deadlineMs: 0 });
  await client.track('click again');
  const end = Date.now() + 250;
  await waitFor('a quarter of a second passes', () => Date.now() > end);
  await client.track('click again');
  await server.events(2, `name = 'click again'`);
});

// Which of the two keys, in which place; the events of all but the last four are stored.
const credentials = [
  ['the write key alone', () => ({ clientId: keys.write_key }), true],
  ['the write key and the secret key', () => ({ clientId: keys.write_key, clientSecret: keys.secret_key }), true],
  ['the write key and a secret of another system', () => ({ clientId: keys.write_key, clientSecret: 'sec_0123456789abcdef0123' }), true],
  ['the secret key as id', () => ({ clientId: keys.secret_key }), true],
  ['an unknown id', () => ({ clientId: '11111111-2222-4333-8444-555555555555' }), false],
  ['an unknown secret key', () => ({ clientId: keys.write_key, clientSecret: `mrs_${'A'.repeat(43)}` }), false],
  ['an id that is none', () => ({ clientId: 'nobody' }), false],
];
for (const [what, options, accepted] of credentials)
  test(`${what} ${accepted ? 'sends' : 'is refused, and the SDK gives up at once'}`, async () => {
    const name = `credentials of ${what}`;
    asked = 0;
    const answer = await sdk(options()).track(name);
    if (accepted) {
      assert.match(answer.deviceId, DEVICE_ID);
      assert.equal((await one(name)).tenant_id, keys.tenant);
    } else {
      assert.equal(answer, null);
      assert.equal(asked, 1, 'the SDK did not try again');
      await server.settle(keys.write_key);
      await server.events(0, `name = '${name}'`);
    }
  });

const track = (body, headers = {}) => server.post('/track', body, { headers: { 'openpanel-client-id': keys.write_key, ...headers } });

test('a refused key is answered 401 in plain text, as the SDKs know it', async () => {
  for (const headers of [{ 'openpanel-client-id': '11111111-2222-4333-8444-555555555555' }, { 'openpanel-client-id': '' }]) {
    const answer = await track({ type: 'track', payload: { name: 'x' } }, headers);
    assert.equal(answer.status, 401);
    assert.match(answer.headers['content-type'], /^text\/plain/);
    assert.match(answer.text, /^Ingestion: ./);
  }
});

test('old header names, a key in the body and a trailing slash work', async () => {
  const body = (name, more = {}) => ({ type: 'track', payload: { name }, ...more });
  const send = (path, value, headers) => server.post(path, value, { headers });
  const answers = [
    await send('/track', body('old headers'), { 'mixan-client-id': keys.write_key, 'mixan-sdk-name': 'old', 'mixan-sdk-version': '0.1' }),
    await send('/track', body('key in body', { clientId: keys.write_key }), {}),
    await send('/track', body('secret in body', { clientId: keys.write_key, clientSecret: keys.secret_key }), {}),
    await send('/track/', body('slash'), { 'openpanel-client-id': keys.write_key }),
  ];
  for (const answer of answers) assert.equal(answer.status, 200, answer.text);
  assert.deepEqual([(await one('old headers')).sdk_name, (await one('old headers')).sdk_version], ['old', '0.1']);
  for (const name of ['key in body', 'secret in body', 'slash']) assert.equal((await one(name)).tenant_id, keys.tenant);
});

// What is wrong with the body, and what the message must say.
const payload = (value) => ({ type: 'track', payload: value });
const refusals = [
  ['no type', { payload: { name: 'x' } }, 'body/type'],
  ['an unknown type', { type: 'trak', payload: {} }, 'body/type'],
  ['no payload', { type: 'track' }, 'body/payload'],
  ['no name', payload({}), 'body/payload/name'],
  ['an empty name', payload({ name: '' }), 'body/payload/name'],
  ['a name that is no text', payload({ name: 7 }), 'body/payload/name'],
  ['a long name', payload({ name: 'n'.repeat(81) }), 'body/payload/name'],
  ['a reserved name', payload({ name: 'session_start' }), 'body/payload/name'],
  ['a reserved name', payload({ name: 'session_end' }), 'body/payload/name'],
  ['a line break in the name', payload({ name: 'a\nb' }), 'body/payload/name'],
  ['a scanner', payload({ name: '/wp-login.php' }), 'body/payload/name'],
  ['an empty profile', payload({ name: 'x', profileId: '' }), 'body/payload/profileId'],
  ['a profile that is an object', payload({ name: 'x', profileId: {} }), 'body/payload/profileId'],
  ['groups that are no list', payload({ name: 'x', groups: 'acme' }), 'body/payload/groups'],
  ['properties that are no object', payload({ name: 'x', properties: [1] }), 'body/payload/properties'],
  ['negative revenue', payload({ name: 'revenue', properties: { __revenue: -1 } }), '__revenue'],
  ['broken revenue', payload({ name: 'revenue', properties: { __revenue: 1.5 } }), '__revenue'],
  ['too many properties', payload({ name: 'x', properties: Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`p${i}`, i])) }), 'body/payload/properties'],
  ['an identity without an id', { type: 'identify', payload: { firstName: 'x' } }, 'body/payload/profileId'],
  ['an address that is none', { type: 'identify', payload: { profileId: 'u1', email: 'x' } }, 'body/payload/email'],
  ['an array', [payload({ name: 'x' })], 'body'],
  ['bad JSON', '{"type":"track",', '', 'FastifyError'],
  ['nothing', '', '', 'FastifyError'],
];
for (const [what, body, place, kind = 'Error'] of refusals)
  test(`refuses ${what}: ${place || kind}`, async () => {
    const answer = await track(body);
    assert.equal(answer.status, 400, answer.text);
    const { status, error, message } = answer.json;
    assert.deepEqual([status, error], [400, kind], answer.text);
    assert.ok(message.includes(place) && message.length > place.length + 3, message);
  });

test('refuses a form with 415', async () => {
  const answer = await track('type=track', { 'content-type': 'application/x-www-form-urlencoded' });
  assert.equal(answer.status, 415);
  assert.equal(answer.json.status, 415);
});

test('refuses a body over 1 MiB with 413, in the form its clients read', async () => {
  const answer = await track(payload({ name: 'x', properties: { padding: 'x'.repeat(1 << 20) } }));
  assert.equal(answer.status, 413);
  assert.equal(answer.json.status, 413, answer.text);
});

test('stored nothing of what it refused, and nothing for the other tenant', async () => {
  await server.settle(keys.write_key);
  const [{ bad }] = await server.sql("SELECT count() AS bad FROM analytics.events WHERE name IN ('x', '')");
  assert.equal(bad, 0);
  const [{ strange }] = await server.sql('SELECT count() AS strange FROM analytics.events', server.tenants.other.tenant);
  assert.equal(strange, 0);
});
