// SPDX-License-Identifier: Apache-2.0
// The published OpenPanel SDK tells of people: profiles lose no change, whoever sends it when and whatever dies meanwhile; aliases
// count once; groups, recordings, robots, version 1 and imports lie in their tables.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { OpenPanel } from '@openpanel/sdk';
import { Server, waitFor } from './harness.mjs';

const BROWSER = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';
const GOOGLEBOT = 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)';

let server, keys;
before(async () => {
  server = await Server.start({ tenants: ['main', 'other'] });
  keys = server.tenants.main;
});
after(() => server?.remove());

function sdk(options = {}, headers = {}) {
  const client = new OpenPanel({ clientId: keys.write_key, clientSecret: keys.secret_key, apiUrl: server.url, ...options });
  for (const [name, value] of Object.entries(headers)) client.api.addHeader(name, value);
  return client;
}
const visitor = (address = '203.0.113.9') => ({ 'user-agent': BROWSER, 'openpanel-client-ip': address });
const track = (type, payload, headers = {}) =>
  server.post('/track', { type, payload }, { headers: { 'openpanel-client-id': keys.secret_key, 'user-agent': 'node', ...headers } });
const rows = (table, condition, columns = '*') => server.sql(`SELECT ${columns} FROM analytics.${table} WHERE ${condition}`, keys.tenant);
const profile = async (id) => (await rows('profiles', `id = '${id}'`))[0];

async function becomes(what, read, expected) {
  let seen;
  await waitFor(`${what} is ${JSON.stringify(expected)}`, async () => {
    seen = await read();
    assert.deepEqual(seen, expected);
    return true;
  });
}

test('identify() fills the profile, again and again without losing what is not said again', async () => {
  const client = sdk();
  await client.identify({ profileId: 'ada', firstName: 'Ada', email: 'ada@example.com', properties: { tier: 'gold', address: { city: 'London' }, seats: 5 } });
  await client.identify({ profileId: 'ada', lastName: 'Lovelace', avatar: 'https://cdn.example/ada.png', properties: { tier: 'platinum', empty: '' } });
  await becomes('the profile', async () => {
    const { created_at, last_seen_at, ...known } = await profile('ada');
    assert.ok(created_at < last_seen_at, `${created_at} ${last_seen_at}`);
    return known;
  }, {
    tenant_id: keys.tenant, project_id: keys.tenant, id: 'ada', is_external: 1, first_name: 'Ada', last_name: 'Lovelace', email: 'ada@example.com',
    avatar: 'https://cdn.example/ada.png', properties: { tier: 'platinum', 'address.city': 'London', seats: '5' }, groups: [],
  });
  assert.equal((await track('identify', { profileId: 'ada', properties: { tier: null, seats: 6 } })).status, 200);
  await becomes('without the removed one', async () => (await profile('ada')).properties, { 'address.city': 'London', seats: '6' });
});

test('an increment right after the first identify counts, before it too, and for a profile nobody told of', async () => {
  const client = sdk();
  await client.increment({ profileId: 'grace', property: 'early', value: 3 });
  await client.identify({ profileId: 'grace', firstName: 'Grace', properties: { visits: 10, label: 'text', price: 1.25 } });
  await client.increment({ profileId: 'grace', property: 'visits', value: 2 });
  await client.increment({ profileId: 'grace', property: 'visits' });
  await client.decrement({ profileId: 'grace', property: 'visits', value: 4 });
  await client.increment({ profileId: 'grace', property: 'label' });
  assert.equal((await track('increment', { profileId: 'grace', property: 'price', value: 0.1 })).status, 200);
  await client.increment({ profileId: 'stranger', property: 'nested.count', value: 7 });
  await becomes('the profile', async () => (await profile('grace')).properties, { early: '3', visits: '9', label: 'text', price: '1.35' });
  await becomes('the stranger', async () => ({ ...(await profile('stranger')).properties }), { 'nested.count': '7' });
  assert.equal((await profile('stranger')).is_external, 0);
});

test('aliases count once, in chains and in rings', async () => {
  const ids = ['chain-1', 'chain-2', 'chain-3', 'chain-4', 'ring-1', 'ring-2', 'ring-3', 'to-ring', 'alone', 'moved'];
  const pairs = [['chain-2', 'chain-1'], ['chain-4', 'chain-3'], ['chain-3', 'chain-2'], ['ring-2', 'ring-1'], ['ring-3', 'ring-2'], ['ring-1', 'ring-3'],
    ['ring-2', 'to-ring'], ['alone', 'alone'], ['alone', 'moved'], ['chain-1', 'moved']];
  for (const [profileId, alias] of pairs) assert.equal((await track('alias', { profileId, alias })).status, 200);
  for (const profileId of ids) await sdk().track('aliased', { profileId });
  const expected = { 'chain-1': 'chain-4', 'chain-2': 'chain-4', 'chain-3': 'chain-4', moved: 'chain-4', 'ring-2': 'ring-1', 'ring-3': 'ring-1', 'to-ring': 'ring-1' };
  await becomes('who is who', async () => Object.fromEntries((await rows('profile_identities', '1')).map((row) => [row.alias, row.profile_id])), expected);
  await server.events(ids.length, `name = 'aliased'`);
  const answer = await server.get(`/v1/query/timeseries?from=${Date.now() - 3_600_000}&to=${Date.now() + 60_000}&measures=people,events&filter=name:is:aliased`, keys.secret_key);
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual([answer.json.totals.people, answer.json.totals.events], [3, ids.length]);
  assert.deepEqual(await server.sql('SELECT * FROM analytics.profile_identities', server.tenants.other.tenant), []);
});

test('groups are stored, and a profile keeps those it was assigned to', async () => {
  const client = sdk();
  await client.upsertGroup({ id: 'acme', type: 'company', name: 'Acme', properties: { seats: 5, plan: { name: 'pro' } } });
  await client.upsertGroup({ id: 'acme', type: 'company', name: 'Acme Corp', properties: { seats: 6 } });
  await becomes('the group', async () => (await rows('groups', `id = 'acme'`, 'id, type, name, properties')), [{ id: 'acme', type: 'company', name: 'Acme Corp', properties: { seats: '6' } }]);
  assert.equal((await track('assign_group', { profileId: 'linus', groupIds: ['acme', 'beta'] })).status, 200);
  assert.equal((await track('assign_group', { profileId: 'linus', groupIds: ['beta', 'core'] })).status, 200);
  await becomes('the groups of the profile', async () => (await profile('linus')).groups, ['acme', 'beta', 'core']);
  assert.equal((await track('assign_group', { groupIds: ['acme'] })).status, 400, 'a program has no device');
});

test('a recording is stored chunk by chunk, each once, under the session of its device', async () => {
  const { sessionId, deviceId } = await sdk({ clientSecret: undefined, sdk: 'web' }, visitor('203.0.113.44')).track('recorded');
  const started = new Date(Date.now() - 10_000).toISOString();
  const payload = JSON.stringify([{ type: 4, data: { text: 'x'.repeat(1_500_000) } }]);
  const chunk = (chunk_index, text) => track('replay', { chunk_index, events_count: 2, is_full_snapshot: chunk_index === 0, started_at: started, ended_at: new Date().toISOString(), payload: text },
    { 'openpanel-client-id': keys.write_key, ...visitor('203.0.113.44') });
  for (const [index, text] of [[0, payload], [0, payload], [1, '[]']]) {
    const answer = await chunk(index, text);
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual(answer.json, { deviceId, sessionId });
  }
  await becomes('the recording', () => rows('session_replay_chunks', `session_id = '${sessionId}' ORDER BY chunk_index`, 'chunk_index, device_id, events_count, is_full_snapshot, length(payload) AS size'), [
    { chunk_index: 0, device_id: deviceId, events_count: 2, is_full_snapshot: true, size: payload.length },
    { chunk_index: 1, device_id: deviceId, events_count: 2, is_full_snapshot: false, size: 2 },
  ]);
  assert.equal((await chunk(2, 'x'.repeat((2 << 20) + 1))).status, 400);
});

test('a robot is told so, kept apart and not counted', async () => {
  const client = sdk({ clientSecret: undefined, sdk: 'web' }, { 'user-agent': GOOGLEBOT, 'openpanel-client-ip': '203.0.113.80' });
  assert.deepEqual((await client.track('robot_view', { __path: 'https://shop.example/robots' })).bot, { name: 'Googlebot', type: 'search_engine' });
  await becomes('the robot', () => rows('events_bots', `path = '/robots'`, 'name, type, path, event_name'), [{ name: 'Googlebot', type: 'search_engine', path: '/robots', event_name: 'robot_view' }]);
  await server.events(0, `name = 'robot_view'`);
});

test('version 1 works as it did', async () => {
  const headers = { 'mixan-client-id': keys.write_key, 'mixan-client-secret': keys.secret_key, 'user-agent': 'node' };
  const old = async (path, body, status, text) => {
    const answer = await server.post(path, body, { headers });
    assert.deepEqual([answer.status, answer.text], [status, text]);
  };
  const at = new Date(Date.now() - 60_000).toISOString();
  await old('/event', { name: 'old_event', profileId: 'v1', timestamp: at, properties: { plan: 'pro' } }, 202, 'ok');
  await old('/profile', { profileId: 'v1', firstName: 'Vera', properties: { visits: 1 } }, 202, 'v1');
  await old('/profile/increment', { profileId: 'v1', property: 'visits', value: 5 }, 202, 'v1');
  await old('/profile/decrement', { profileId: 'v1', property: 'visits', value: 2 }, 202, 'v1');
  await becomes('the profile', async () => [(await profile('v1')).first_name, (await profile('v1')).properties], ['Vera', { visits: '4' }]);
  const [event] = await server.events(1, `name = 'old_event'`);
  assert.deepEqual([event.profile_id, event.properties, Date.parse(`${event.created_at.replace(' ', 'T')}Z`)], ['v1', { plan: 'pro' }, Date.parse(at)]);
});

test('rows are imported once, however often they are sent, and only with a secret key', async () => {
  const imported = Array.from({ length: 50 }, (_, i) => ({
    ...(i % 2 ? { id: randomUUID() } : {}), name: 'imported', created_at: `2025-03-01 12:00:${String(i).padStart(2, '0')}.000`, device_id: `d${i}`, session_id: `s${i}`, profile_id: `p${i}`,
    path: '/p', origin: 'https://shop.example', country: 'SE', properties: { nested: { i } }, project_id: 'elsewhere', imported_at: null,
  }));
  const post = (key) => server.post('/import/events', imported, { headers: { 'openpanel-client-id': key, 'user-agent': 'node' } });
  for (let i = 0; i < 2; i++) {
    const answer = await post(keys.secret_key);
    assert.deepEqual([answer.status, answer.text], [200, 'OK']);
  }
  const stored = await server.events(50, `name = 'imported'`);
  assert.deepEqual([stored[7].device_id, stored[7].session_id, stored[7].profile_id, stored[7].country, stored[7].properties], ['d7', 's7', 'p7', 'SE', { 'nested.i': '7' }]);
  assert.ok(stored.every((row) => row.imported_at && row.tenant_id === keys.tenant));
  const refused = await post(keys.write_key);
  assert.deepEqual([refused.status, refused.json.error], [401, 'Unauthorized']);
});

test('GET /track/device-id knows the device and its session', async () => {
  const client = sdk({ clientSecret: undefined }, visitor('203.0.113.45'));
  const before = await server.get('/track/device-id', null, { 'openpanel-client-id': keys.write_key, ...visitor('203.0.113.45') });
  assert.equal(before.json.sessionId, '', 'no session before the first event');
  const { deviceId, sessionId } = await client.track('who');
  const answer = await server.get('/track/device-id', null, { 'openpanel-client-id': keys.write_key, ...visitor('203.0.113.45') });
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual([answer.json.deviceId, answer.json.sessionId, typeof answer.json.message], [deviceId, sessionId, 'string']);
});

test('revenue from a key that anybody can read is only taken where the tenant allows it', async () => {
  const client = sdk({ clientSecret: undefined }, visitor());
  assert.equal(await client.revenue(100), null);
  const answer = await server.post('/track', { type: 'track', payload: { name: 'revenue', properties: { __revenue: 5 } } }, { headers: { 'openpanel-client-id': keys.write_key } });
  assert.equal(answer.status, 401);
  assert.match(answer.text, /^Ingestion: ./);
});

// Every connection sends changes of a few profiles at once; then the server dies, and comes back.
test('concurrent changes add up to their sum, also over kill -9', async () => {
  const people = ['x0', 'x1', 'x2'];
  const sums = {};
  const sets = {};
  let number = 0;
  const random = (below) => (number = (number * 1103515245 + 12345) % 2147483648) % below;
  const change = async () => {
    const profileId = people[random(people.length)];
    const property = `n${random(3)}`;
    const value = 1 + random(9);
    const kind = random(4);
    const type = kind === 0 ? 'identify' : kind === 1 ? 'decrement' : 'increment';
    const name = `set${number}`;
    const payload = type === 'identify' ? { profileId, properties: { [name]: value } } : { profileId, property, value };
    const headers = { 'openpanel-client-id': keys.secret_key, 'user-agent': 'node' };
    const answer = await server.post('/track', { type, payload }, { headers });
    assert.equal(answer.status, 200, answer.text);
    if (type === 'identify') sets[`${profileId} ${name}`] = payload;
    else sums[`${profileId} ${property}`] = (sums[`${profileId} ${property}`] ?? 0) + (type === 'increment' ? value : -value);
  };
  const check = () => becomes('the sums', async () => {
    const found = await rows('profiles', `startsWith(id, 'x')`, 'id, properties');
    for (const { profileId, properties } of Object.values(sets))
      for (const [name, value] of Object.entries(properties)) assert.equal(found.find((row) => row.id === profileId)?.properties[name], String(value));
    return Object.fromEntries(found.flatMap((row) => Object.entries(row.properties).filter(([name]) => /^n\d$/.test(name)).map(([name, value]) => [`${row.id} ${name}`, Number(value)])).sort());
  }, Object.fromEntries(Object.entries(sums).sort()));
  for (let round = 0; round < 3; round++) {
    const workers = Array.from({ length: 8 }, async () => { for (let i = 0; i < 40; i++) await change(); });
    await Promise.all(workers);
    await server.kill(); // right after the last answer: much of it is in the spool only
    await server.start();
    await check();
  }
});
