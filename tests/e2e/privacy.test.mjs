// SPDX-License-Identifier: Apache-2.0
// A person's rights: all that is known of them is given out, and removed from every table; nobody else loses a row.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { command, Server, waitFor } from './harness.mjs';

let server, a, b;
before(async () => {
  server = await Server.start({ tenants: ['a', 'b'] });
  ({ a, b } = server.tenants);
});
after(() => server?.remove());

const people = (...words) => command(['people', ...words, '--data', server.directory]);
const send = async (tenant, events, headers = {}) => {
  const answer = await server.post('/v1/events', events, { key: tenant.write_key, headers });
  assert.equal(answer.status, 200, answer.text);
  return answer;
};

/** Rows of every table that name the person, by any column of text: what an erasure must leave none of. */
async function rowsThatName(tenant, ...names) {
  const columns = await server.sql(
    "SELECT database, table, groupArray(name) AS names FROM system.columns WHERE database IN ('analytics', 'observability') AND table != 'audit_logs' "
    + "AND default_kind != 'ALIAS' AND type IN ('String', 'LowCardinality(String)') AND (database, table) IN "
    + "(SELECT database, name FROM system.tables WHERE engine LIKE '%MergeTree') GROUP BY ALL HAVING has(names, 'tenant_id') ORDER BY ALL");
  const found = {};
  for (const { database, table, names: texts } of columns) {
    const list = names.map((name) => `'${name}'`).join(', ');
    const [{ n }] = await server.sql(`SELECT count() AS n FROM ${database}.${table} WHERE tenant_id = '${tenant.tenant}' AND hasAny([${texts.map((text) => `toString(${text})`).join(', ')}], [${list}])`);
    if (n > 0) found[`${database}.${table}`] = n;
  }
  return found;
}
const others = () => server.sql("SELECT toString(tenant_id) AS tenant, count() AS n, sum(cityHash64(id, name, device_id, profile_id)) AS hash FROM analytics.events "
  + `WHERE name NOT LIKE 'settle%' AND NOT (tenant_id = '${a.tenant}' AND (device_id IN ('phone', 'laptop') OR profile_id = 'ada')) GROUP BY ALL ORDER BY ALL`);

async function fill() {
  for (const tenant of [a, b]) {
    await send(tenant, [
      { name: 'screen_view', device_id: 'phone', session_id: 's1', path: '/before-login' },
      { name: 'login', device_id: 'phone', session_id: 's1', profile_id: 'ada', properties: { email: 'ada@example.org', plan: 'pro' } },
      { name: 'screen_view', device_id: 'laptop', session_id: 's2', profile_id: 'ada' },
      { name: 'screen_view', device_id: 'tablet', session_id: 's3', profile_id: 'bob', properties: { plan: 'pro' } },
      { name: 'screen_view', device_id: 'phone', session_id: 's4', profile_id: 'bob' },
    ]);
    await server.settle(tenant.write_key);
  }
}

test('export gives every row of the person and of nobody else', async () => {
  await fill();
  const { code, stdout, stderr } = await people('export', '--tenant', a.code, '--profile', 'ada');
  assert.equal(code, 0, stderr);
  const rows = stdout.trim().split('\n').map((line) => JSON.parse(line));
  const events = rows.filter(({ table }) => table === 'analytics.events').map(({ row }) => row);
  assert.equal(events.length, 3);
  assert.deepEqual(events.map((row) => [row.tenant_id, row.device_id, row.profile_id]).sort(),
    [[a.tenant, 'laptop', 'ada'], [a.tenant, 'phone', ''], [a.tenant, 'phone', 'ada']]);
  assert.ok(rows.some(({ table, row }) => table === 'analytics.cohort_events' && row.profile_id === 'ada'));
  assert.ok(!stdout.includes('bob') && !stdout.includes(b.tenant));
});

test('erase wants to be meant, and a person to be named', async () => {
  assert.equal((await people('erase', '--tenant', a.code, '--profile', 'ada')).code, 2);
  assert.equal((await people('erase', '--tenant', a.code, '--yes')).code, 2);
  assert.equal((await people('erase', '--tenant', a.code, '--profile', 'x', '--device', 'y', '--yes')).code, 2);
  assert.equal((await people('erase', '--profile', 'x', '--yes')).code, 2);
  assert.equal((await people('erase', '--tenant', 'nobody', '--profile', 'x', '--yes')).code, 1);
});

test('erase removes the person from every table, rows on their way included, and nobody else', async () => {
  const before = await others();
  const ofB = await rowsThatName(b, 'ada', 'laptop', 'ada@example.org');
  assert.ok((await rowsThatName(a, 'ada'))['analytics.cohort_events'] > 0);
  const named = { id: randomUUID(), name: 'late', device_id: 'laptop', profile_id: 'ada' };
  await send(a, [named]); // answered, perhaps not stored yet
  const { code, stdout, stderr } = await people('erase', '--tenant', a.code, '--profile', 'ada', '--yes', '--json');
  assert.equal(code, 0, stderr);
  const { rows } = JSON.parse(stdout);
  assert.equal(rows['analytics.events'], 4);
  assert.ok(rows['analytics.cohort_events'] > 0);
  assert.deepEqual(await rowsThatName(a, 'ada', 'laptop', 'ada@example.org'), {}, 'nothing is left');
  assert.deepEqual(await others(), before, "others' events are untouched");
  assert.deepEqual(await rowsThatName(b, 'ada', 'laptop', 'ada@example.org'), ofB, 'the other tenant has its own ada');
  assert.deepEqual(await server.sql(`SELECT property_key AS key, property_value AS value FROM analytics.event_property_values WHERE tenant_id = '${a.tenant}' GROUP BY ALL`),
    [{ key: 'plan', value: 'pro' }], 'a value that others have too stays');

  // A client that did not get its answer sends the event again: it is a duplicate still.
  await send(a, [named]);
  await server.settle(a.write_key);
  assert.deepEqual(await rowsThatName(a, 'ada'), {});

  await waitFor('the audit event', async () => {
    const events = await server.sql(`SELECT * FROM observability.audit_logs WHERE action = 'person.erased' AND tenant_id = '${a.tenant}'`);
    if (events.length !== 1) return false;
    const text = JSON.stringify(events);
    assert.ok(text.includes('analytics.events') && !/"ada|laptop/.test(text), text);
    return true;
  }, 30_000);
  const again = JSON.parse((await people('erase', '--tenant', a.code, '--profile', 'ada', '--yes', '--json')).stdout);
  assert.deepEqual(again.rows, {}, 'harmless when done again');
});

test('erase by device takes all of it, whoever used it', async () => {
  const { stdout, code, stderr } = await people('erase', '--tenant', b.tenant, '--device', 'phone', '--yes', '--json');
  assert.equal(code, 0, stderr);
  assert.equal(JSON.parse(stdout).rows['analytics.events'], 3);
  assert.equal((await rowsThatName(b, 'phone'))['analytics.events'], undefined);
  assert.ok((await rowsThatName(b, 'ada'))['analytics.events'] > 0, 'the laptop is left');
});

test('names are values, whatever they contain', async () => {
  const odd = String.raw`o'); DROP TABLE x; -- \'`;
  await send(a, [{ name: 'odd', profile_id: odd, device_id: 'odd-device' }]);
  await server.settle(a.write_key);
  const { stdout, code, stderr } = await people('erase', '--tenant', a.code, '--profile', odd, '--yes', '--json');
  assert.equal(code, 0, stderr);
  assert.equal(JSON.parse(stdout).rows['analytics.events'], 1);
});

test('without a running server the engine is started for it', async () => {
  await server.stop();
  const { stdout, code, stderr } = await people('erase', '--tenant', b.code, '--profile', 'bob', '--yes', '--json');
  assert.equal(code, 0, stderr);
  assert.ok(JSON.parse(stdout).rows['analytics.events'] > 0);
  await server.start();
  assert.deepEqual(await rowsThatName(b, 'bob'), {});
});

/** SQL in the metadata, of a server that does not run: Python comes with SQLite. */
const metadata = (sql) => execFileSync('python3', ['-c', 'import sqlite3, sys\nwith sqlite3.connect(sys.argv[1]) as core: core.execute(sys.argv[2])',
  join(server.directory, 'metadata', 'core.db'), sql]);

test('events older than a tenant wants them kept are removed, of that tenant alone', async () => {
  const days = (n) => new Date(Date.now() - n * 86_400_000).toISOString();
  for (const tenant of [a, b]) {
    await send(tenant, [1, 9, 11, 40].map((n) => ({ name: `old_${n}`, created_at: days(n), device_id: 'd', profile_id: 'p' })));
    await server.settle(tenant.write_key);
  }
  const names = async (tenant, table = 'events') => (await server.sql(
    `SELECT DISTINCT toString(name) AS name FROM analytics.${table} WHERE tenant_id = '${tenant.tenant}' AND name LIKE 'old%' ORDER BY name`)).map((row) => row.name);
  await server.stop();
  metadata(`update tenants set settings = '{"retention_days": 10}' where tenant_id = '${a.tenant}'`);
  metadata("update jobs set next_run_at = 0 where name = 'retention.events'");
  await server.start();
  await waitFor('old events are gone', async () => (await names(a)).length === 2, 30_000);
  assert.deepEqual(await names(a), ['old_1', 'old_9']);
  await waitFor('what is derived from them and names a person, too', async () => (await names(a, 'cohort_events')).length === 2, 30_000);
  for (const table of ['events', 'cohort_events']) assert.deepEqual(await names(b, table), ['old_1', 'old_11', 'old_40', 'old_9'], table);
});
