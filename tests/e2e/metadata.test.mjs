// SPDX-License-Identifier: Apache-2.0
// Metadata on PostgreSQL: a server works on it, several share it, and none falls when it goes away for a while.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { command, Postgres, promised, Server, waitFor } from './harness.mjs';

const REVOKED_WITHIN_MS = 1000; // the promise

let postgres, first, second;
before(async () => {
  postgres = await Postgres.start();
  const environment = { MILLRACE_META_URL: postgres.url };
  first = await Server.start({ tenants: ['shop', 'blog', 'wiki'], environment });
  second = await Server.start({ tenants: [], environment });
});
after(async () => {
  await first?.remove();
  await second?.remove();
  postgres?.removeNow();
});

const write = (server, key) => server.post('/v1/events', { name: 'signup' }, { key });
const revoke = async (server, key) => {
  const { code, stderr } = await server.command(['tenant', 'revoke-key', key]);
  assert.equal(code, 0, stderr);
};

test('a server keeps what people own on PostgreSQL, and nothing of it in its folder', async () => {
  const { write_key, secret_key } = first.tenants.shop;
  assert.equal((await write(first, write_key)).status, 200);
  await first.events(1, "name = 'signup'");
  assert.equal((await first.get('/v1/tenant', secret_key)).status, 200);
  assert.equal((await write(first, 'mrs_nobody')).status, 401);
  for (const name of ['metadata', 'secret']) assert.ok(!existsSync(join(first.directory, name)), `${name} is in the data folder`);
});

test('a tenant made beside one server is known to the other within a second', async () => {
  const made = await first.createTenant('late');
  await waitFor('both servers take the new key', async () => (await write(first, made.write_key)).status === 200 && (await write(second, made.write_key)).status === 200);
});

test('a key revoked through one server stops at the other within a second', async () => {
  const { write_key } = first.tenants.blog;
  assert.equal((await write(second, write_key)).status, 200);
  await revoke(first, write_key);
  const revoked = Date.now();
  await waitFor('the other server refuses the key', async () => (await write(second, write_key)).status === 401);
  assert.ok(Date.now() - revoked < promised(REVOKED_WITHIN_MS), `it took ${Date.now() - revoked} ms`);
  assert.equal((await write(second, first.tenants.shop.write_key)).status, 200, 'other keys stay');
});

test('servers go on with what they know while PostgreSQL is down, and see changes once it is back', async () => {
  const { write_key } = first.tenants.wiki;
  await postgres.down();
  for (const server of [first, second]) assert.equal((await write(server, write_key)).status, 200);
  const refused = await first.command(['tenant', 'list']);
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /metadata database cannot be reached/);
  await waitFor('the log tells of it', () => /cannot be read and stay as they were/.test(first.log));
  for (const server of [first, second]) assert.equal((await write(server, write_key)).status, 200);
  await postgres.up();
  await revoke(second, write_key);
  for (const server of [first, second]) await waitFor('the key is refused', async () => (await write(server, write_key)).status === 401);
});

test('a server started again knows its tenants', async () => {
  await second.stop();
  await second.start();
  assert.equal((await write(second, first.tenants.shop.write_key)).status, 200);
});

test('the migrations of PostgreSQL are listed', async () => {
  const { stdout, code, stderr } = await first.command(['migrate', 'status', '--only', 'core', '--json']);
  assert.equal(code, 0, stderr);
  const migrations = JSON.parse(stdout);
  assert.ok(migrations.length >= 4, stdout);
  for (const migration of migrations) assert.equal(migration.state, 'applied', stdout);
});

test('a database that cannot be reached is an error that names the host and not the password', async () => {
  const environment = { MILLRACE_META_URL: 'postgres://me:hunter2@127.0.0.1:1/meta' };
  for (const words of [['serve', '--listen', '127.0.0.1:0'], ['tenant', 'list']]) {
    const { code, stderr } = await command([...words, '--data', second.directory + '-none'], { environment });
    assert.notEqual(code, 0);
    assert.match(stderr, /127\.0\.0\.1/);
    assert.ok(!stderr.includes('hunter2'), stderr);
  }
  const printed = await command(['serve', '--print-config'], { environment });
  assert.ok(!printed.stdout.includes('hunter2'), printed.stdout);
});
