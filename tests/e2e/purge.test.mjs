// SPDX-License-Identifier: Apache-2.0
// The end of a tenant: deleted, restored, deleted and purged; its events go from every table and rollup, nobody else's.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

process.env.MILLRACE_BINARY = join(dirname(process.env.MILLRACE_BINARY ?? new URL('../../build/millrace', import.meta.url).pathname), 'millrace_with_shape');
const { command, Server, waitFor } = await import('./harness.mjs');

const json = ({ code, stdout, stderr }) => {
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
};

/** Everything in the event store that has a tenant: { 'analytics.events': [rows of a, rows of b] } */
async function rowsOfTenants(server, tenants) {
  const tables = await server.sql(
    "SELECT database, table FROM system.columns WHERE name = 'tenant_id' AND database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema') "
    + "AND (database, table) IN (SELECT database, name FROM system.tables WHERE engine LIKE '%MergeTree') ORDER BY ALL");
  const rows = {};
  for (const { database, table } of tables) {
    rows[`${database}.${table}`] = [];
    for (const tenant of tenants)
      rows[`${database}.${table}`].push((await server.sql(`SELECT count() AS n FROM ${database}.${table} WHERE tenant_id = '${tenant}'`))[0].n);
  }
  return rows;
}

/** Events of all domains, for both. */
async function fill(server, a, b) {
  for (const { write_key } of [a, b]) {
    const events = Array.from({ length: 5 }, (_, i) => ({ name: 'screen_view', path: `/p${i}`, device_id: `d${i}` }));
    assert.equal((await server.post('/v1/events', events, { key: write_key })).status, 200);
    assert.equal((await server.post('/v1/events', { name: 'once' }, { key: write_key, headers: { 'idempotency-key': 'k-1' } })).status, 200);
    assert.equal((await server.post('/v1/shape', [{ value: 1 }, { value: 2 }], { key: write_key })).status, 200);
    await server.settle(write_key);
  }
  await waitFor('samples are stored', async () => (await server.sql('SELECT count() AS n FROM shape.samples'))[0].n === 4);
}

/** Asked by reading: an event that is still taken would come into the tables later. */
async function refused(server, key) {
  await waitFor('the key is refused', async () => (await server.get('/v1/tenant', key)).status === 401);
}

function assertPurged(before, after, kept = ['observability.audit_logs']) {
  let checked = 0;
  for (const [table, [ofA, ofB]] of Object.entries(after)) {
    if (kept.includes(table)) continue;
    assert.equal(ofA, 0, `${table} still has rows of the purged tenant`);
    assert.equal(ofB, before[table][1], `${table} lost rows of the other tenant`);
    checked += before[table][0] > 0;
  }
  return checked;
}

test('a purged tenant leaves nothing in any table, and another one everything', async (t) => {
  const server = await Server.start({ tenants: ['a', 'b'] });
  t.after(() => server.remove());
  const { a, b } = server.tenants;
  const tenant = (...words) => command(['tenant', ...words, '--data', server.directory, '--json']);
  await fill(server, a, b);

  // Deleted and restored: nothing is lost.
  assert.equal((await tenant('purge', a.tenant, '--yes')).code, 1, 'a living tenant is not purged');
  assert.equal(json(await tenant('delete', a.code)).deleted, true);
  await refused(server, a.secret_key);
  await waitFor('the other one is not concerned', async () => (await server.post('/v1/events', { name: 'still' }, { key: b.write_key })).status === 200);
  assert.equal(json(await tenant('restore', a.code)).deleted, false);
  await waitFor('the key is good again', async () => (await server.post('/v1/events', { name: 'back' }, { key: a.write_key })).status === 200);
  await server.settle(a.write_key);
  await server.settle(b.write_key);

  // Deleted and purged: everything is.
  json(await tenant('delete', a.code));
  await refused(server, a.secret_key);
  const before = await rowsOfTenants(server, [a.tenant, b.tenant]);
  for (const table of ['analytics.events', 'analytics.device_days', 'analytics.daily_pageviews', 'shape.samples'])
    assert.ok(before[table][0] > 0 && before[table][1] > 0, `${table}: ${before[table]}`);
  assert.equal((await tenant('purge', a.code)).code, 2, 'not without --yes');
  const { purged, rows } = json(await tenant('purge', a.code, '--yes'));
  assert.equal(purged, a.tenant);
  const after = await rowsOfTenants(server, [a.tenant, b.tenant]);
  assert.ok(assertPurged(before, after) >= 4);
  for (const [table, [ofA]] of Object.entries(before))
    if (table !== 'observability.audit_logs') assert.equal(rows[table] ?? 0, ofA, `the report about ${table}`);
  assert.equal(rows['core.api_keys'], 2);
  assert.equal(rows['core.tenants'], 1);
  assert.ok(!json(await tenant('list', '--deleted')).some((each) => each.tenant === a.tenant));
  assert.equal((await tenant('purge', a.tenant, '--yes')).code, 1, 'there is none any more');

  // The audit tells how much went.
  await waitFor('the audit event', async () => {
    const events = await server.sql(`SELECT * FROM observability.audit_logs WHERE action = 'tenant.purged' AND resource_id = '${a.tenant}'`);
    return events.length === 1 && JSON.stringify(events[0]).includes('analytics.events');
  }, 30_000);
  await waitFor('the other tenant goes on', async () => (await server.post('/v1/events', { name: 'last' }, { key: b.write_key })).status === 200);
});

test('without a running server the engine is started for the purge', async (t) => {
  const server = await Server.start({ tenants: ['a', 'b'] });
  t.after(() => server.remove());
  const { a, b } = server.tenants;
  await fill(server, a, b);
  const before = await rowsOfTenants(server, [a.tenant, b.tenant]);
  await server.stop();
  json(await command(['tenant', 'delete', a.code, '--data', server.directory, '--json']));
  const { rows } = json(await command(['tenant', 'purge', a.code, '--yes', '--data', server.directory, '--json']));
  assert.equal(rows['analytics.events'], before['analytics.events'][0]);
  await server.start();
  assert.ok(assertPurged(before, await rowsOfTenants(server, [a.tenant, b.tenant])) >= 4);
});

// The scheduled job needs a tenant that was deleted long ago: the metadata is told so, which psql can do.
const psql = existsSync('/usr/lib/postgresql') && readdirSync('/usr/lib/postgresql').map((version) => `/usr/lib/postgresql/${version}/bin/psql`).find(existsSync);
const postgres = process.env.MILLRACE_TEST_POSTGRES;
test('after 90 days the server purges by itself', { skip: !(psql && postgres) && 'no PostgreSQL' }, async (t) => {
  const name = `purge_${process.pid}`;
  const query = (url, sql) => execFileSync(psql, [url, '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-c', sql], { encoding: 'utf8' }).trim();
  query(postgres, `create database ${name}`);
  t.after(() => query(postgres, `drop database ${name} with (force)`));
  const url = postgres.replace(/\/postgres(\?|$)/, `/${name}$1`);
  assert.notEqual(url, postgres);
  const server = new Server([], { MILLRACE_META_URL: url });
  t.after(() => server.remove());
  for (const each of ['a', 'b', 'c'])
    server.tenants[each] = json(await command(['tenant', 'create', each, '--data', server.directory, '--json', '--meta.url', url]));
  await server.start();
  const { a, b, c } = server.tenants;
  await fill(server, a, b);
  const before = await rowsOfTenants(server, [a.tenant, b.tenant]);
  const day = 86_400_000;
  for (const [tenant, days] of [[a, 91], [c, 89]])
    query(url, `update core.tenants set deleted_at = ${Date.now() - days * day} where tenant_id = '${tenant.tenant}'`);
  query(url, "update core.jobs set next_run_at = 0 where name = 'purge.deleted'");
  await waitFor('the job has purged', () => query(url, `select count(*) from core.tenants where tenant_id = '${a.tenant}'`) === '0', 30_000);
  assert.ok(assertPurged(before, await rowsOfTenants(server, [a.tenant, b.tenant])) >= 4);
  assert.equal(query(url, 'select count(*) from core.tenants'), '2', 'the one deleted 89 days ago and the living one stay');
  await waitFor('the job says it is done', () => query(url, "select last_result from core.jobs where name = 'purge.deleted' and locked_by = ''") === 'done');
});
