// SPDX-License-Identifier: Apache-2.0
// Full disks: the spool's limit while the event store is away, and the event store's own disk. Nothing acknowledged is lost,
// and all goes on by itself when there is room again.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Server, waitFor } from '../e2e/harness.mjs';

const BATCH = 1000;
const LOADED_MS = 60_000;

// Text that does not compress: the disk must fill.
const noise = (size) => Array.from({ length: size }, () => String.fromCharCode(33 + Math.floor(Math.random() * 90))).join('').replace(/["\\]/g, '.');
const event = (number) => ({
  id: `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`, name: 'fill', device_id: 'd', duration: number, properties: { noise: noise(1500) },
});
const batch = (first) => JSON.stringify(Array.from({ length: BATCH }, (_, i) => event(first + i)));

async function assertExactlyOnce(server, expected) {
  await waitFor('all acknowledged events are there', async () => {
    const [{ stored }] = await server.sql('SELECT count() AS stored FROM analytics.events');
    if (stored < expected) throw new Error(`${stored} of ${expected}`);
    return true;
  }, LOADED_MS);
  const [counts] = await server.sql('SELECT count() AS stored, uniqExact(id) AS different FROM analytics.events');
  assert.deepEqual(counts, { stored: expected, different: expected });
}

test('at its limit the spool refuses early with Retry-After, and takes events again by itself', async (t) => {
  const server = await Server.start({ settings: ['--spool.limit', '16MiB'] });
  t.after(() => server.remove());
  const { write_key: key } = server.tenants.main;
  let acknowledged = 0;
  process.kill(server.enginePid, 'SIGSTOP');
  let refused;
  for (let number = 0; number < 60 && !refused; number++) {
    const answer = await server.post('/v1/events', batch(acknowledged), { key });
    if (answer.status === 200) acknowledged += BATCH;
    else refused = answer;
  }
  assert.equal(refused?.status, 503, 'the limit is reached');
  assert.match(refused.headers['retry-after'], /^\d+$/);
  assert.match(refused.text, /spool is full/);
  process.kill(server.enginePid, 'SIGCONT');
  await waitFor('events are taken again', async () => {
    const answer = await server.post('/v1/events', batch(acknowledged), { key });
    if (answer.status === 200) acknowledged += BATCH;
    return answer.status === 200;
  }, LOADED_MS);
  await assertExactlyOnce(server, acknowledged);
});

test('when the event store has no room the spool keeps the rows, and stores them once there is', async (t) => {
  const server = new Server();
  const place = join(server.directory, 'engine');
  let mounted = false;
  t.after(async () => {
    if (server.child && !server.child.hasEnded) await server.stop('SIGKILL');
    if (mounted) execFileSync('umount', ['-l', place]);
    await server.remove();
  });
  await server.createTenant('main');
  mkdirSync(place, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=48m', 'tmpfs', place], { stdio: 'pipe' });
    mounted = true;
  } catch (error) {
    return t.skip(`a small disk cannot be mounted here: ${String(error.stderr).trim()}`);
  }
  await server.start();
  const { write_key: key } = server.tenants.main;
  let acknowledged = 0;
  const retries = async () => Number(/^millrace_loader_retries_total (\d+)/m.exec((await server.get('/metrics')).text)[1]);
  await waitFor('the event store refuses for want of room', async () => {
    const answer = await server.post('/v1/events', batch(acknowledged), { key });
    assert.equal(answer.status, 200, answer.text);
    acknowledged += BATCH;
    return (await retries()) > 0 || acknowledged >= 100 * BATCH;
  }, LOADED_MS);
  assert.ok((await retries()) > 0, `the disk is full after ${acknowledged} events`);
  for (let number = 0; number < 5; number++) {
    assert.equal((await server.post('/v1/events', batch(acknowledged), { key })).status, 200, 'ingest goes on');
    acknowledged += BATCH;
  }
  execFileSync('mount', ['-o', 'remount,size=1g', place]);
  await assertExactlyOnce(server, acknowledged);
});
