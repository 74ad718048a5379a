// SPDX-License-Identifier: Apache-2.0
// Cohorts: who is a member, in lists and as a filter of every question; against the same computed here.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server, waitFor } from './harness.mjs';
import { groupBy, random } from './behaviour_model.mjs';

const DAY = 86_400_000;
const now = Date.now();
let server, key, other, owner, events;
before(async () => {
  server = await Server.start({ tenants: ['main', 'other'], settings: ['--spool.seal_age', '100ms'] });
  ({ secret_key: key } = server.tenants.main);
  other = server.tenants.other.secret_key;
  owner = (await server.login(server.owner.email, server.owner.password)).token;
  const next = random(11);
  events = Array.from({ length: 600 }, () => {
    const person = Math.floor(next() * 40);
    return { name: ['a', 'b', 'buy'][Math.floor(next() * 3)], device_id: `device ${person}`, session_id: `visit ${person}`, profile_id: person % 2 ? `user ${person}` : '', country: next() < 0.5 ? 'DE' : 'FR',
      created_at: now - Math.floor(next() * 50 * DAY) - 60_000 };
  });
  for (const name of ['main', 'other']) {
    const { write_key } = server.tenants[name];
    const mine = name === 'main' ? events : [{ name: 'buy', device_id: 'foreign' }];
    const answer = await server.post('/v1/events', mine, { key: write_key });
    assert.equal(answer.status, 200, answer.text);
    const identify = { type: 'identify', payload: { profileId: 'user 1', email: 'ada@example.com', properties: { plan: 'pro' } } };
    if (name === 'main') assert.equal((await server.post('/track', identify, { headers: { 'openpanel-client-id': write_key } })).status, 200);
    await server.settle(write_key);
  }
});
after(() => server?.remove());

const who = (e) => e.profile_id || e.device_id;
const preview = (definition, status = 200) => server.post('/v1/query/cohort_preview', { definition }, { key }).then((answer) => (assert.equal(answer.status, status, answer.text), answer.json));
const make = async (body, status = 201) => {
  const answer = await server.api('POST', '/v1/cohorts', { name: 'A cohort', ...body }, owner, { 'millrace-tenant': server.tenants.main.tenant });
  assert.equal(answer.status, status, answer.text);
  return answer.json;
};
const members = (holds) => [...groupBy(events, who)].filter(([, list]) => holds(list)).map(([name]) => name).sort();
const within = (days) => (e) => e.created_at >= now - days * DAY && e.created_at < now + DAY;

for (const [name, criteria, holds] of [
  ['once ever', { events: [{ name: 'buy' }] }, (list) => list.some((e) => e.name === 'buy')],
  ['often lately', { events: [{ name: 'buy', timeframe: '30d', frequency: { operator: 'gte', count: 3 } }] }, (list) => list.filter((e) => e.name === 'buy').filter(within(30)).length >= 3],
  ['exactly', { events: [{ name: 'a', timeframe: { type: 'relative', value: '7d' }, frequency: { operator: 'eq', count: 1 } }] }, (list) => list.filter((e) => e.name === 'a').filter(within(7)).length === 1],
  ['seldom, and only those who did', { events: [{ name: 'a', frequency: { operator: 'lte', count: 3 } }] }, (list) => [1, 2, 3].includes(list.filter((e) => e.name === 'a').length)],
  ['both', { operator: 'and', events: [{ name: 'a', timeframe: '7d' }, { name: 'buy', timeframe: '7d', filters: [{ name: 'country', operator: 'is', value: 'DE' }] }] },
    (list) => list.filter(within(7)).some((e) => e.name === 'a') && list.filter(within(7)).some((e) => e.name === 'buy' && e.country === 'DE')],
  ['either', { operator: 'or', events: [{ name: 'a', timeframe: '7d' }, { name: 'b', frequency: { operator: 'gte', count: 7 } }] },
    (list) => list.filter(within(7)).some((e) => e.name === 'a') || list.filter((e) => e.name === 'b').length >= 7],
]) {
  test(`a cohort has the members its definition says: ${name}`, async () => {
    const want = members(holds);
    assert.ok(want.length > 0 && want.length < 40, `${want.length}`);
    assert.deepEqual(await preview({ type: 'event', criteria }), { count: want.length, data: want.slice(0, 10).map((id) => ({ id })) });
  });
}

test('a stored cohort is a filter of any question, for its tenant alone', async () => {
  const { cohort_id } = await make({ definition: { type: 'event', criteria: { events: [{ name: 'buy', timeframe: '30d' }] } } });
  const want = members((list) => list.filter(within(30)).some((e) => e.name === 'buy'));
  const page = await server.get(`/v1/query/cohort_members?cohort=${cohort_id}&limit=3&offset=2`, key);
  assert.equal(page.status, 200, page.text);
  assert.deepEqual(page.json, { count: want.length, data: want.slice(2, 5).map((id) => ({ id })) });
  for (const [operator, keeps] of [['in_cohort', (p) => want.includes(p)], ['not_in_cohort', (p) => !want.includes(p)]]) {
    const filters = [{ name: 'cohort', operator, value: cohort_id }];
    const goals = await server.post('/v1/query/goals', { from: now - 60 * DAY, to: now + DAY, goals: ['a'], filters }, { key });
    assert.equal(goals.status, 200, goals.text);
    assert.equal(goals.json.goals[0].completions, new Set(events.filter((e) => e.name === 'a' && keeps(who(e))).map(who)).size);
  }
  const foreign = await server.get(`/v1/query/cohort_members?cohort=${cohort_id}`, other);
  assert.equal(foreign.status, 404, foreign.text);
  assert.equal((await server.api('DELETE', `/v1/cohorts/${cohort_id}`, undefined, owner, { 'millrace-tenant': server.tenants.main.tenant })).status, 204);
  assert.equal((await server.get(`/v1/query/cohort_members?cohort=${cohort_id}&limit=4`, key)).status, 404);
});

test('a cohort by properties has the profiles that fit; a static one does not grow', async () => {
  await waitFor('the profile is there', async () => (await server.sql("SELECT id FROM analytics.profiles WHERE email != ''")).length === 1);
  assert.deepEqual(await preview({ type: 'property', criteria: { properties: [{ name: 'properties.plan', operator: 'is', value: 'pro' }] } }), { count: 1, data: [{ id: 'user 1' }] });
  const definition = { type: 'event', criteria: { events: [{ name: 'late' }] } };
  const [fixed, growing] = [await make({ definition, is_static: true }), await make({ definition })];
  await server.post('/v1/events', [{ name: 'late', device_id: 'newcomer' }], { key: server.tenants.main.write_key });
  await server.settle(server.tenants.main.write_key);
  const count = async ({ cohort_id }) => (await server.get(`/v1/query/cohort_members?cohort=${cohort_id}`, key)).json.count;
  assert.deepEqual([await count(fixed), await count(growing)], [0, 1]);
});

test('what is wrong with a cohort is said, when it is made or shown', async () => {
  for (const definition of [{}, [], { type: 'x' }, { type: 'event' }, { type: 'event', criteria: { events: [] } }, { type: 'event', criteria: { operator: 'xor', events: [{ name: 'a' }] } }, { type: 'event', criteria: { events: [1] } },
    { type: 'property', criteria: { properties: 'x' } }]) {
    const { error } = await make({ definition }, 400);
    assert.equal(error.field, 'definition', JSON.stringify(error));
  }
  await make({ definition: { type: 'property', criteria: { properties: [{ name: 'email', operator: 'is', value: 'x' }] } }, is_static: true }, 400);
  for (const event of [{ name: 'a', timeframe: 'soon' }, { name: 'a', timeframe: { start: '2026-02-01', end: '2026-01-01' } }, { name: 'a', frequency: { operator: 'ne', count: 1 } }, { name: 'a', frequency: 2 },
    { name: 'a', filters: [{ name: 'cohort', operator: 'in_cohort', value: 'x' }] }, { name: 'a', filters: [{ name: 'nonsense', operator: 'is', value: 'x' }] }])
    await preview({ type: 'event', criteria: { events: [event] } }, 400);
});
