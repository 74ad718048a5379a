// SPDX-License-Identifier: Apache-2.0
// The rollups of events: equal to what the events themselves say, however many inserts they came in, before and after merges.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { command, Server } from './harness.mjs';

const EVENTS = 1200;
const DAY = 86_400_000;
const seed = Number(process.env.MILLRACE_TEST_SEED ?? 20261121);
let state = seed;
/** A whole number below `bound` (Mulberry32). */
function random(bound) {
  state = (state + 0x6d2b79f5) | 0;
  let z = Math.imul(state ^ (state >>> 15), 1 | state);
  z = (z + Math.imul(z ^ (z >>> 7), 61 | z)) ^ z;
  return ((z ^ (z >>> 14)) >>> 0) % bound;
}
const pick = (list) => list[random(list.length)];

function someEvent() {
  const event = { name: pick(['screen_view', 'signup', 'add_to_cart', 'naïve "name"']), created_at: new Date(Date.now() - random(40) * DAY - random(DAY)).toISOString() };
  if (random(10)) event.device_id = `device_${random(60)}`;
  if (random(3) === 0) event.profile_id = random(4) ? `person_${random(40)}` : (event.device_id ?? '');
  event.properties = {
    plan: pick(['free', 'pro', '']), count: random(8), 'nested.key': pick(['a b', "it's", 'tab\there']),
    order: String(100_000 + random(900_000)), trace: random(0xffffffff).toString(16).padStart(16, '0'), text: 'x'.repeat(60 + random(10)),
  };
  return event;
}

let server;
before(async () => {
  server = await Server.start({ tenants: ['a', 'b'], settings: ['--spool.seal_age', '100ms'] });
  for (let sent = 0; sent < EVENTS; sent += 60) {
    const key = server.tenants[random(3) ? 'a' : 'b'].write_key;
    const answer = await server.post('/v1/events', Array.from({ length: 60 }, someEvent), { key });
    assert.equal(answer.status, 200, answer.text);
  }
  for (const { write_key } of Object.values(server.tenants)) await server.settle(write_key);
});
after(() => server?.remove());

/** [rollup, what the events say] */
const equals = {
  'people per day': [
    'SELECT project_id, toString(date) AS day, uniqMerge(profile_id) AS people FROM analytics.dau_mv GROUP BY ALL ORDER BY ALL',
    "SELECT toString(tenant_id) AS project_id, toString(toDate(created_at)) AS day, uniq(if(profile_id = '', device_id, profile_id)) AS people "
    + "FROM analytics.events WHERE device_id != '' OR profile_id != '' GROUP BY ALL ORDER BY ALL"],
  'what known people did on each day': [
    'SELECT project_id, name, toString(created_at) AS day, profile_id, event_count FROM analytics.cohort_events_mv ORDER BY ALL',
    "SELECT toString(tenant_id) AS project_id, name, toString(toDate(created_at)) AS day, profile_id, count() AS event_count "
    + "FROM analytics.events WHERE profile_id NOT IN ('', device_id) GROUP BY ALL ORDER BY ALL"],
  'what each device did on each day': [
    'SELECT project_id, toString(d.date) AS day, device_hash, profile_hash, sum(d.events) AS events, sum(d.page_views) AS page_views, sum(d.boundaries) AS boundaries '
    + 'FROM analytics.device_days AS d GROUP BY ALL ORDER BY ALL',
    'SELECT toString(tenant_id) AS project_id, toString(toDate(created_at)) AS day, device_hash, profile_hash, count() AS events, '
    + "countIf(name IN ('screen_view', 'page_view', 'pageview')) AS page_views, countIf(name IN ('session_start', 'session_end')) AS boundaries "
    + 'FROM analytics.events GROUP BY ALL ORDER BY ALL'],
  'what they did besides looking at pages': [
    'SELECT project_id, name, created_at, device_hash, profile_hash, count() AS times FROM analytics.actions GROUP BY ALL ORDER BY ALL',
    'SELECT toString(tenant_id) AS project_id, name, created_at, device_hash, profile_hash, count() AS times FROM analytics.events '
    + "WHERE name NOT IN ('screen_view', 'page_view', 'pageview', 'page_exit', 'session_start', 'session_end') GROUP BY ALL ORDER BY ALL"],
  'names': [
    'SELECT project_id, name, created_at, event_count FROM analytics.distinct_event_names_mv ORDER BY ALL',
    'SELECT toString(tenant_id) AS project_id, name, max(e.created_at) AS created_at, count() AS event_count FROM analytics.events AS e GROUP BY ALL ORDER BY ALL'],
  'values of properties': [
    'SELECT project_id, name, property_key, property_value, created_at, event_count FROM analytics.event_property_values_mv ORDER BY ALL',
    "SELECT toString(tenant_id) AS project_id, name, kept.1 AS property_key, toString(kept.2) AS property_value, toDateTime(max(e.created_at), 'UTC') AS created_at, "
    + "count() AS event_count FROM analytics.events AS e ARRAY JOIN properties AS kept WHERE kept.1 NOT IN ('order', 'trace') AND length(kept.2) <= 64 GROUP BY ALL ORDER BY ALL"],
};
const rollups = ['dau', 'device_days', 'actions', 'cohort_events', 'distinct_event_names', 'event_property_values'];

for (const [what, [rollup, events]] of Object.entries(equals))
  for (const tenant of ['*', 'a', 'b'])
    test(`${what} (${tenant}): as the events say; seed ${seed}`, async () => {
      const id = tenant === '*' ? '*' : server.tenants[tenant].tenant;
      const told = await server.sql(rollup, id);
      assert.ok(told.length > 3);
      assert.deepEqual(told, await server.sql(events, id));
      if (tenant !== '*') assert.deepEqual([...new Set(told.map((row) => row.project_id))], [id]);
    });

test('merging changes nothing', async () => {
  const before = {};
  for (const [what, [rollup]] of Object.entries(equals)) before[what] = await server.sql(rollup);
  for (const table of rollups) {
    const { code, stderr } = await command(['sql', `OPTIMIZE TABLE analytics.${table} FINAL`, '--data', server.directory]);
    assert.equal(code, 0, stderr);
  }
  for (const [what, [rollup]] of Object.entries(equals)) assert.deepEqual(await server.sql(rollup), before[what], what);
});

test('hashes tell devices and profiles apart; nobody is 0', async () => {
  const [row] = await server.sql("SELECT countIf((device_id = '') != (device_hash = 0)) + countIf((profile_id = '') != (profile_hash = 0)) AS wrong, "
    + "uniqExactIf(device_id, device_id != '') AS devices, uniqExactIf(device_hash, device_hash != 0) AS device_hashes, "
    + "uniqExact(if(profile_id != '', profile_id, device_id)) AS people, uniqExact(if(profile_hash != 0, profile_hash, device_hash)) AS people_hashes FROM analytics.events");
  assert.equal(row.wrong, 0);
  assert.ok(row.devices > 10 && row.people > 10);
  assert.deepEqual([row.device_hashes, row.people_hashes], [row.devices, row.people]);
});

test('values that look like ids, long ones and large numbers are not kept', async () => {
  const keys = (await server.sql('SELECT DISTINCT property_key FROM analytics.event_property_values_mv')).map((row) => row.property_key).sort();
  assert.deepEqual(keys, ['count', 'nested.key', 'plan', 'text']);
  assert.equal((await server.sql("SELECT max(length(property_value)) AS n FROM analytics.event_property_values WHERE property_key = 'text'"))[0].n, 64);
});
