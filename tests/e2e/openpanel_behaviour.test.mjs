// SPDX-License-Identifier: Apache-2.0
// OpenPanel's /insights of behaviour, in its own shapes, from a few events worked out by hand.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server } from './harness.mjs';

const DAY = 86_400_000;
const MONDAY = Date.UTC(2026, 8, 7);
let server, project;
before(async () => {
  server = await Server.start({ settings: ['--spool.seal_age', '100ms'] });
  project = server.tenants.main;
  const event = (profile, name, day, minute = 0) => ({ name, device_id: `phone of ${profile}`, profile_id: profile, session_id: `${profile} ${day}`, created_at: MONDAY + day * DAY + minute * 60_000 });
  const events = [
    event('ann', 'open', 0), event('ann', 'cart', 0, 1), event('ann', 'buy', 0, 2), event('ann', 'open', 7), event('ann', 'open', 14),
    event('bob', 'open', 1), event('bob', 'cart', 1, 9), event('bob', 'open', 2), event('cyd', 'open', 8), event('cyd', 'buy', 8, 1),
    { name: 'open', device_id: 'stranger', session_id: 'stranger', created_at: MONDAY },
  ];
  assert.equal((await server.post('/v1/events', events, { key: project.write_key })).status, 200);
  await server.settle(project.write_key);
});
after(() => server?.remove());

const ask = async (path, pairs = [], status = 200) => {
  const query = new URLSearchParams([['startDate', '2026-09-07'], ['endDate', '2026-09-20'], ...pairs]);
  const answer = await server.send(`/insights/${project.tenant}/${path}?${query}`, { headers: { 'openpanel-client-id': project.write_key, 'openpanel-client-secret': project.secret_key } });
  assert.equal(answer.status, status, answer.text);
  return answer.json;
};
const step = (number, eventName, users, conversionRateFromStart, dropoffPercent, isHighestDropoff) => ({ step: number, eventName, users, conversionRateFromStart, dropoffPercent, isHighestDropoff });

test('funnel: visits by default, people when asked', async () => {
  const steps = [['steps', 'open'], ['steps', 'cart'], ['steps', 'buy']];
  assert.deepEqual(await ask('funnel', steps), { steps: [step(1, 'open', 6, 100, 66.67, true), step(2, 'cart', 2, 33.33, 50, false), step(3, 'buy', 1, 16.67, null, false)], totalUsers: 6, completedUsers: 1, overallConversionRate: 16.67 });
  const people = await ask('funnel', [...steps, ['groupBy', 'profile_id'], ['windowHours', '1']]);
  assert.deepEqual(people.steps.map((each) => each.users), [4, 2, 1]);
  assert.match((await ask('funnel', [['steps', 'open']], 400)).message, /2 to 10/);
  assert.match((await ask('funnel', [...steps, ['windowHours', '721']], 400)).message, /720/);
});

test('retention by week, and the matrix with its average first', async () => {
  assert.deepEqual(await ask('retention'), [
    { date: '2026-09-07', active_users: 2, retained_users: 1, retention: 50 }, { date: '2026-09-14', active_users: 2, retained_users: 1, retention: 50 }]);
  assert.deepEqual(await ask('retention/cohort', [['criteria', 'on']]), [
    { cohort_interval: 'Weighted Average', sum: 2, values: [2, 1, 1], percentages: [100, 33.33, 33.33] },
    { cohort_interval: '2026-09-07', sum: 2, values: [2, 1, 1], percentages: [100, 50, 50] },
    { cohort_interval: '2026-09-14', sum: 1, values: [1, 0, 0], percentages: [100, 0, 0] }]);
});

test('active users of a window of days, engagement, user flow', async () => {
  const active = await ask('active_users', [['days', '7']]);
  assert.deepEqual(active.map(({ users }) => users), [1, 2, 2, 2, 2, 2, 2, 2, 3, 2, 2, 2, 2, 2]);
  assert.equal((await ask('engagement')).reduce((sum, { users }) => sum + users, 0), 3);
  assert.deepEqual((await ask('engagement')).map(({ days }) => days), ['0-7', '8-14', '15-30', '31-60', '60+']);
  const flow = await ask('user_flow', [['startEvent', 'open'], ['steps', '3']]);
  assert.deepEqual(flow.links.map(({ source, target, count }) => [source, target, count]).sort(), [['1:open', '2:buy', 1], ['1:open', '2:cart', 2], ['2:cart', '3:buy', 1]]);
  assert.deepEqual((await ask('user_flow', [['mode', 'between'], ['startEvent', 'open'], ['endEvent', 'buy'], ['exclude', 'cart']])).links.map(({ source, target, count }) => [source, target, count]), [['1:open', '2:buy', 2]]);
  await ask('user_flow', [], 400);
});
