// SPDX-License-Identifier: Apache-2.0
// Audit events: written by every change, whether a server runs or not; in the event store exactly once; their chain whole.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { command, Server, waitFor } from './harness.mjs';

let server;
const at = () => ['--data', server.directory, '--json'];

async function run(...words) {
  const { code, stdout, stderr } = await command([...words, ...at()], { environment: server.environment });
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

const rows = (condition = '1') =>
  server.sql(`SELECT toString(id) AS id, action, resource_id, tenant_id, organization_id, workspace_id, actor_kind, service, sequence
              FROM observability.audit_logs WHERE ${condition} ORDER BY service, sequence`);

/** The events of this action and thing, once there are as many; more fail. */
async function events(count, action, resource) {
  let found = [];
  await waitFor(`${count} events ${action} of ${resource}`, async () => {
    found = await rows(`action = '${action}' AND resource_id = '${resource}'`);
    assert.ok(found.length <= count, `${found.length} rows`);
    return found.length === count;
  });
  return found;
}

async function verified() {
  const services = await run('audit', 'verify');
  assert.deepEqual(services.map(({ service }) => service), ['core', 'product', 'billing']);
  for (const { service, whole, broken } of services) assert.ok(whole, `${service}: ${broken}`);
  return services[0];
}

before(async () => {
  server = await Server.start({ tenants: ['alpha'] });
});
after(() => server?.remove());

test('a change by the command line is in the event store, exactly once, while the server runs', async () => {
  const { tenant } = server.tenants.alpha;
  const { api_key_id: id, key } = await run('key', 'create', tenant, '--name', 'first');
  const [event] = await events(1, 'key.created', id);
  assert.equal(event.tenant_id, tenant);
  assert.equal(event.actor_kind, 'command');
  assert.equal(event.service, 'core');
  assert.match(event.organization_id, /^[0-9a-f-]{36}$/);
  assert.match(event.workspace_id, /^[0-9a-f-]{36}$/);
  await run('key', 'rotate', id, '--grace', '60');
  await run('key', 'revoke', id, '--reason', 'it leaked');
  await events(1, 'key.rotated', id);
  await events(1, 'key.revoked', id);
  const all = await server.sql('SELECT * FROM observability.audit_logs');
  assert.ok(!JSON.stringify(all).includes(key.slice(20)), 'the text of a key is in no event');
  await verified();
});

test('changes while no server runs come when it starts again', async () => {
  await server.stop();
  const ids = [];
  for (let i = 0; i < 3; i++) ids.push((await run('key', 'create', 'alpha', '--kind', 'write', '--name', `offline ${i}`)).api_key_id);
  const before = await verified(); // from the outbox, and an engine started for the moment
  assert.ok(before.in_outbox >= 3, JSON.stringify(before));
  await server.start();
  for (const id of ids) await events(1, 'key.created', id);
  await waitFor('the outbox is empty', async () => (await verified()).in_outbox === 0);
  const text = (await server.send('/metrics')).text;
  assert.match(text, /^millrace_audit_outbox_events\{service="core"\} 0$/m);
});

test('kill -9 while events are moved neither loses nor doubles one', async () => {
  const ids = [];
  for (let round = 0; round < 4; round++) {
    const making = Array.from({ length: 3 }, (_, i) => run('key', 'create', 'alpha', '--kind', 'write', '--name', `round ${round} ${i}`));
    ids.push((await Promise.race(making)).api_key_id);
    await server.kill(); // somewhere between outbox, spool and event store
    ids.push(...(await Promise.all(making)).map(({ api_key_id }) => api_key_id));
    await server.start();
  }
  for (const id of new Set(ids)) await events(1, 'key.created', id);
  await waitFor('the outbox is empty', async () => (await verified()).in_outbox === 0);
  const found = await rows();
  assert.equal(new Set(found.map(({ id }) => id)).size, found.length, 'every event is there once');
});

test('a list goes newest first by pages, and by filters', async () => {
  const all = [];
  for (let cursor = []; ; ) {
    const page = await run('audit', 'list', '--limit', '4', ...cursor);
    assert.ok(page.data.length <= 4);
    all.push(...page.data);
    if (!page.next_cursor) break;
    cursor = ['--cursor', page.next_cursor];
  }
  assert.equal(all.length, (await rows()).length);
  assert.equal(new Set(all.map(({ id }) => id)).size, all.length);
  const order = all.map(({ timestamp, id }) => `${timestamp} ${id}`);
  assert.deepEqual(order, [...order].sort().reverse());
  const revoked = await run('audit', 'list', '--action', 'key.revoked');
  assert.deepEqual(revoked.data.map(({ metadata }) => metadata), [{ reason: 'it leaked' }]);
  assert.deepEqual((await run('audit', 'list', '--action', 'key.revoked', '--tenant', 'nobody')).data, []);
  const { code, stderr } = await command(['audit', 'list', '--limit', '0', ...at()], { environment: server.environment });
  assert.equal(code, 2);
  assert.match(stderr, /limit=0 must be a number from 1 to 1000/);
});

test('a tenant sees no audit event, and an organization only its own', async () => {
  const { tenant } = server.tenants.alpha;
  assert.equal((await server.sql('SELECT count() AS n FROM observability.audit_logs', tenant))[0].n, 0);
  const [{ organization_id: organization }] = await rows(`tenant_id = '${tenant}'`);
  const seen = await server.sql('SELECT DISTINCT organization_id FROM observability.audit_logs', organization);
  assert.deepEqual(seen, [{ organization_id: organization }]);
});

test('a changed event and a missing one are found', async () => {
  const verify = async () => {
    const { code, stdout } = await command(['audit', 'verify', ...at()], { environment: server.environment });
    return { code, ...JSON.parse(stdout)[0] };
  };
  assert.equal((await verify()).code, 0);
  const [, second, third] = await rows("service = 'core'");
  const change = async (statement) => {
    const { code, stderr } = await command(['sql', `${statement} SETTINGS mutations_sync = 2`, '--data', server.directory], { environment: server.environment });
    assert.equal(code, 0, stderr);
  };
  const table = 'ALTER TABLE observability.audit_logs';
  await change(`${table} UPDATE resource_id = concat(resource_id, 'x') WHERE id = '${third.id}'`);
  let found = await verify();
  assert.equal(found.code, 1);
  assert.equal(found.broken, `event ${third.sequence} (${third.id}) was changed: its hash does not fit what it says`);
  await change(`${table} UPDATE resource_id = '${third.resource_id}' WHERE id = '${third.id}'`);
  assert.equal((await verify()).code, 0);
  await change(`${table} DELETE WHERE id = '${second.id}'`);
  found = await verify();
  assert.equal(found.code, 1);
  assert.match(found.broken, new RegExp(`^event ${second.sequence} is missing`));
});

test('how long events are kept is a setting', async () => {
  const kept = async () => (await server.sql("SELECT engine_full FROM system.tables WHERE database = 'observability' AND name = 'audit_logs'"))[0].engine_full;
  assert.match(await kept(), /toIntervalDay\(365\)/);
  await server.stop();
  server.settings.push('--audit.retention_days', '30');
  await server.start();
  assert.match(await kept(), /toIntervalDay\(30\)/);
});
