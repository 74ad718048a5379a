// SPDX-License-Identifier: Apache-2.0
// Kill -9 of the server, of the engine, and of both, again and again under load: what was acknowledged is there exactly once.
//
// MILLRACE_FAULT_CYCLES: how many kills (10). MILLRACE_FAULT_SEED: the seed of an earlier run, to kill at the same moments.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server, waitFor } from '../e2e/harness.mjs';
import { assertExactlyOnce, BATCH, Client, faults, generator, pause, RECOVERY_MS, SpanClient, total } from './load.mjs';

const CYCLES = Number(process.env.MILLRACE_FAULT_CYCLES ?? 10);
const SEED = Number(process.env.MILLRACE_FAULT_SEED ?? Math.floor(Math.random() * 2 ** 31));
const CLIENTS = 4;
const LEAST_LIFE_MS = 300; // from recovery to the next kill
const MOST_LIFE_MS = 2500;
const random = generator(SEED);

let server;
before(async () => {
  server = await Server.start();
});
after(() => server?.remove());

test(`${CYCLES} kills under load: nothing acknowledged is lost, nothing is stored twice`, { timeout: 60_000 + CYCLES * 90_000 }, async (t) => {
  t.diagnostic(`seed ${SEED}`);
  const { write_key, secret_key } = server.tenants.main;
  const clients = Array.from({ length: CLIENTS }, (_, number) => new Client(number, server, write_key, SEED));
  const spanClient = new SpanClient(CLIENTS, server, secret_key, SEED);
  clients.push(spanClient);
  const loads = clients.map((client) => client.run());
  const kinds = Object.keys(faults);
  const cycles = Array.from({ length: CYCLES }, (_, cycle) => kinds[cycle % kinds.length]);
  for (const kind of cycles) {
    const before = total(clients, 'acknowledged');
    await waitFor('the load goes on', () => total(clients, 'acknowledged') > before + CLIENTS * BATCH, RECOVERY_MS);
    await pause(LEAST_LIFE_MS + random() * (MOST_LIFE_MS - LEAST_LIFE_MS));
    const begun = Date.now();
    await faults[kind](server);
    t.diagnostic(`${kind}: back after ${Date.now() - begun} ms, ${total(clients, 'acknowledged')} events acknowledged`);
  }
  const before = total(clients, 'acknowledged');
  await waitFor('the load goes on after the last kill', () => total(clients, 'acknowledged') > before + CLIENTS * BATCH, RECOVERY_MS);
  for (const client of clients) client.stopped = true;
  await Promise.all(loads);
  t.diagnostic(`${total(clients, 'acknowledged')} events acknowledged, ${total(clients, 'repeated')} requests repeated`);
  assert.deepEqual(clients.flatMap((client) => client.complaints), [], 'every answer was 200 for the whole batch, or 503');
  await assertExactlyOnce(server, clients, `after the kills; seed ${SEED}`);

  const { code, ms } = await server.stop();
  assert.deepEqual([code, ms < 5000], [0, true], `a clean stop in ${ms} ms`);
  await server.start();
  for (const client of clients) {
    const first = client.acknowledged - BATCH;
    const answer = await client.post(client.batchOf(first));
    if (client !== spanClient) assert.deepEqual([answer.json.accepted, answer.json.duplicates], [0, BATCH], 'the last batch sent again is known');
    client.agent.destroy();
  }
  await server.settle(server.tenants.main.write_key);
  const [{ stored }] = await server.sql("SELECT count() + (SELECT count() FROM observability.traces_v3) AS stored FROM analytics.events WHERE device_id != ''");
  assert.equal(stored, total(clients, 'acknowledged'), 'nothing came twice by sending it again');
});
