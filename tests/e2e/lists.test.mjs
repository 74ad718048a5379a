// SPDX-License-Identifier: Apache-2.0
// Lists of events, visits and people: every row once however they are paged and whatever comes in meanwhile; one visit, one person.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server, waitFor } from './harness.mjs';

const EVENTS = 700;
const DAY = 86_400_000;
let state = 7;
function random(bound) {
  state = (state + 0x6d2b79f5) | 0;
  let z = Math.imul(state ^ (state >>> 15), 1 | state);
  z = (z + Math.imul(z ^ (z >>> 7), 61 | z)) ^ z;
  return ((z ^ (z >>> 14)) >>> 0) % bound;
}
const start = Date.now() - 400 * DAY;
// Some in one millisecond, some alone in months.
const events = Array.from({ length: EVENTS }, (_, i) => {
  const device = random(40);
  return {
    name: random(3) ? 'screen_view' : 'signup', path: `/page/${random(9)}`, device_id: `device ${device}`, session_id: `visit ${device}`,
    profile_id: device < 10 ? `person ${device}` : '', created_at: new Date(start + (i < 300 ? 390 * DAY + random(50) : random(400) * DAY)).toISOString(),
    properties: { n: String(i) },
  };
});
let server, main, other;
before(async () => {
  server = await Server.start({ tenants: ['main', 'other'], settings: ['--spool.seal_age', '100ms'] });
  ({ main, other } = server.tenants);
  for (let at = 0; at < EVENTS; at += 100) assert.equal((await server.post('/v1/events', events.slice(at, at + 100), { key: main.write_key })).status, 200);
  await server.post('/v1/events', [{ ...events[0], device_id: 'canary' }], { key: other.write_key });
  const identify = (profileId, payload) => server.post('/track', { type: 'identify', payload: { profileId, ...payload } }, { headers: { 'openpanel-client-id': main.write_key } });
  for (let i = 0; i < 10; i++) assert.equal((await identify(`person ${i}`, { firstName: `First${i}`, lastName: 'Last', email: `p${i}@mail.example`, properties: { plan: i % 2 ? 'pro' : 'free' } })).status, 200);
  for (const tenant of [main, other]) await server.settle(tenant.write_key);
  await waitFor('visits are written', async () => (await pages('sessions', 'limit=1000')).length === 40);
});
after(() => server?.remove());

const ask = async (path, status = 200) => {
  const answer = await server.get(`/v1/query/${path}`, main.secret_key);
  assert.equal(answer.status, status, answer.text);
  return answer.json;
};
async function pages(list, query, between = () => {}) {
  const rows = [];
  for (let cursor = null, page = 0; page === 0 || cursor; page++) {
    const answer = await ask(`${list}?${query}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`);
    rows.push(...answer.data);
    cursor = answer.next_cursor;
    await between(page);
  }
  return rows;
}
const sent = (rows) => rows.filter(({ properties }) => properties.n !== undefined);
const numbers = (rows) => rows.map(({ properties }) => Number(properties.n)).sort((a, b) => a - b);
const all = (holds = () => true) => events.map((event, n) => (holds(event) ? n : -1)).filter((n) => n >= 0);

for (const limit of [1000, 33]) {
  test(`events in pages of ${limit} are all there once, newest first`, async () => {
    const rows = sent(await pages('events', `limit=${limit}`));
    assert.deepEqual(numbers(rows), all());
    const times = rows.map(({ created_at }) => Date.parse(created_at));
    assert.deepEqual(times, [...times].sort((a, b) => b - a));
    assert.equal(rows.filter(({ device_id }) => device_id === 'canary').length, 0);
  });
}

test('events that come in while pages are read move nothing', async () => {
  let late = 0;
  const rows = await pages('events', 'limit=100', async (page) => {
    if (page > 2) return;
    await server.post('/v1/events', [{ name: 'late', device_id: 'late', created_at: new Date().toISOString(), properties: { n: String(-1) } }], { key: main.write_key });
    await server.events(++late, "name = 'late'");
  });
  assert.deepEqual(numbers(sent(rows).filter(({ name }) => name !== 'late')), all());
});

test('events by name, filter, visit, time and person', async () => {
  assert.deepEqual(numbers(await pages('events', 'name=signup&limit=50')), all(({ name }) => name === 'signup'));
  assert.deepEqual(numbers(await pages('events', 'filter=path:is:/page/3&limit=50')), all(({ path }) => path === '/page/3'));
  assert.deepEqual(numbers(await pages('events', `session_id=${encodeURIComponent('visit 5')}&limit=5`)), all(({ session_id }) => session_id === 'visit 5'));
  assert.deepEqual(numbers(await pages('events', `profile_id=${encodeURIComponent('person 5')}&limit=5`)), all(({ profile_id }) => profile_id === 'person 5'));
  const from = new Date(start + 390 * DAY).toISOString(), to = new Date(start + 390 * DAY + 20).toISOString();
  assert.deepEqual(numbers(await pages('events', `from=${from}&to=${to}&limit=9`)), all(({ created_at }) => created_at >= from && created_at < to));
});

test('a row of events has every column under its name', async () => {
  const [row] = (await ask('events?limit=1&name=signup')).data;
  const event = events[Number(row.properties.n)];
  for (const [name, value] of Object.entries(event)) if (name !== 'created_at') assert.deepEqual(row[name], value, name);
  assert.equal(Date.parse(row.created_at), Date.parse(event.created_at));
});

test('visits in pages, by person and by filter', async () => {
  const rows = await pages('sessions', 'limit=7');
  assert.deepEqual(rows.map(({ id }) => id).sort(), [...new Set(events.map(({ session_id }) => session_id))].sort());
  assert.deepEqual((await pages('sessions', `profile_id=${encodeURIComponent('person 3')}`)).map(({ id }) => id), ['visit 3']);
  assert.deepEqual((await pages('sessions', `filter=${encodeURIComponent('session_id:is:visit 8')}`)).map(({ id }) => id), ['visit 8']);
});

test('people in pages, by search and by property', async () => {
  const rows = await pages('profiles', 'limit=3');
  assert.deepEqual(rows.filter(({ is_external }) => is_external).map(({ id }) => id).sort(), Array.from({ length: 10 }, (_, i) => `person ${i}`));
  assert.equal(new Set(rows.map(({ id }) => id)).size, rows.length);
  assert.deepEqual((await pages('profiles', 'search=p7@mail%20last')).map(({ id }) => id), ['person 7']);
  assert.deepEqual((await pages('profiles', 'filter=properties.plan:is:pro&identified=true')).map(({ id }) => id).sort(), [1, 3, 5, 7, 9].map((i) => `person ${i}`));
});

test('one visit with what happened in it', async () => {
  const { session, events: rows } = await ask(`session?session_id=${encodeURIComponent('visit 12')}`);
  assert.equal(session.id, 'visit 12');
  const mine = events.filter(({ session_id }) => session_id === 'visit 12');
  assert.equal(session.screen_view_count, mine.filter(({ name }) => name === 'screen_view').length);
  assert.equal(rows.length, mine.length);
  await ask('session?session_id=nobody', 404);
  await ask('session', 400);
});

test('one person and what they come to', async () => {
  const { profile, events: did, visits, aliases } = await ask(`profile?profile_id=${encodeURIComponent('person 4')}`);
  const mine = events.filter(({ profile_id }) => profile_id === 'person 4');
  assert.equal(profile.email, 'p4@mail.example');
  assert.equal(did.events, mine.length);
  assert.equal(did.page_views, mine.filter(({ name }) => name === 'screen_view').length);
  assert.equal(did.actions, mine.filter(({ name }) => name === 'signup').length);
  assert.equal(did.days_active, new Set(mine.map(({ created_at }) => created_at.slice(0, 10))).size);
  assert.deepEqual(did.devices, ['device 4']);
  assert.equal(visits.sessions, 1);
  assert.deepEqual(aliases, []);
  await ask('profile?profile_id=nobody', 404);
});

test('a page of long ids is whole', async () => {
  const ids = Array.from({ length: 600 }, (_, i) => `${'ü'.repeat(55)}${i}`);
  const sent = ids.map((session_id) => ({ name: 'screen_view', path: '/long', device_id: `long ${session_id}`, session_id }));
  assert.equal((await server.post('/v1/events', sent, { key: other.write_key })).status, 200);
  await server.settle(other.write_key);
  const listed = async (list) => (await server.get(`/v1/query/${list}?limit=1000`, other.secret_key)).json.data;
  assert.equal((await listed('events')).filter(({ path }) => path === '/long').length, ids.length);
  await waitFor('visits are written', async () => (await listed('sessions')).filter(({ id }) => ids.includes(id)).length === ids.length);
});

test('what is wrong is said', async () => {
  for (const query of ['events?cursor=x', 'events?cursor=1.2.notauuid', 'events?limit=0', 'events?limit=1001', 'events?from=never', 'profiles?identified=perhaps', 'sessions?filter=nothing:is:x'])
    await ask(query, 400);
  // What is too much is refused, not cut.
  const repeated = (name, count) => Array.from({ length: count }, (_, i) => `${name}=${i}`).join('&');
  await ask('events?' + repeated('name', 160), 400);
  for (const query of ['events?' + repeated('name', 101), 'ai?' + repeated('model', 101)]) await ask(query, 413);
  for (const search of ['a+b+c+d+e+f', 'a'.repeat(257)]) await ask(`profiles?search=${search}`, 413);
  await ask('events?' + repeated('name', 100));
  await ask('profiles?search=a+b++c+d+e');
});
