// SPDX-License-Identifier: Apache-2.0
// Kill -9 of the server, of the engine, and of both, again and again under load: what was acknowledged is there exactly once.
//
// MILLRACE_FAULT_CYCLES: how many kills (6). MILLRACE_FAULT_SEED: the seed of an earlier run, to kill at the same moments.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { send, Server, waitFor } from '../e2e/harness.mjs';

const CYCLES = Number(process.env.MILLRACE_FAULT_CYCLES ?? 6);
const SEED = Number(process.env.MILLRACE_FAULT_SEED ?? Math.floor(Math.random() * 2 ** 31));
const CLIENTS = 4;
const BATCH = 40;
const LOST_ANSWERS = 0.3; // of the answers, as if the network had lost them: the batch is sent again, often to a server started anew
const REPEAT_MS = 25;
const PAUSE_MS = 4; // between a client's batches: several thousand events a second, so that every stage holds some of them
const LEAST_LIFE_MS = 300; // from recovery to the next kill
const MOST_LIFE_MS = 2500;
const RECOVERY_MS = 60_000;
const LOADED_MS = 60_000;
const KINDS = ['server', 'engine', 'both'];
const NAMES = ['screen_view', 'signup', 'purchase'];

// mulberry32: the same seed gives the same numbers.
function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
const random = generator(SEED);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A client that sends numbered events over one connection, and repeats a batch until it is acknowledged. */
class Client {
  constructor(number, server, key) {
    Object.assign(this, { number, server, key, next: 0, acknowledged: 0, repeated: 0, batches: 0, complaints: [], stopped: false });
    this.random = generator(SEED + 1 + number);
    this.agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  }

  event(sequence) {
    const id = `${String(this.number).padStart(8, '0')}-0000-4000-8000-${String(sequence).padStart(12, '0')}`;
    // Times over some hours, so that the rollup has several rows.
    return { id, name: NAMES[sequence % NAMES.length], device_id: `client-${this.number}`, duration: sequence, timestamp: this.begun - (sequence % 5) * 3_600_000 };
  }

  batchOf(first) {
    return JSON.stringify(Array.from({ length: BATCH }, (_, i) => this.event(first + i)));
  }

  post(body) {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${this.key}` };
    return send(`${this.server.url}/v1/events`, { method: 'POST', headers, body, agent: this.agent });
  }

  async run() {
    this.begun = Date.now() - 60_000;
    for (; !this.stopped; this.next += BATCH) {
      const body = this.batchOf(this.next);
      while (!(await this.try(body))) {
        this.repeated++;
        await pause(REPEAT_MS);
      }
      this.acknowledged = this.next + BATCH;
      this.batches++;
      await pause(PAUSE_MS);
    }
    this.agent.destroy();
  }

  /** True when the whole batch is acknowledged, and the client knows. Refusals other than "try again" are noted: none may happen. */
  async try(body) {
    let answer;
    try {
      answer = await this.post(body);
    } catch {
      return false; // the server is away
    }
    if (answer.status !== 200) {
      if (answer.status !== 503) this.complaints.push(`${answer.status} ${answer.text}`);
      return false;
    }
    const { accepted, duplicates, refused } = answer.json;
    if (accepted + duplicates !== BATCH || refused !== 0) this.complaints.push(answer.text);
    return this.random() >= LOST_ANSWERS;
  }
}

let server;
before(async () => {
  server = await Server.start();
});
after(() => server?.remove());

async function kill(kind) {
  const engine = await waitFor('there is an engine to kill', () => server.enginePid, RECOVERY_MS);
  if (kind !== 'server') process.kill(engine, 'SIGKILL');
  if (kind !== 'engine') {
    await server.kill();
    await server.start();
  } else {
    await waitFor('the server has a new engine', () => server.enginePid && server.enginePid !== engine, RECOVERY_MS);
  }
  await waitFor('the engine answers again', async () => (await server.sql('SELECT 1 AS one'))[0].one === 1, RECOVERY_MS);
}

const total = (clients, field) => clients.reduce((sum, client) => sum + client[field], 0);

async function assertExactlyOnce(clients, when) {
  const expected = total(clients, 'acknowledged');
  let stored = 0;
  await waitFor(`all acknowledged events are selectable, ${when}`, async () => {
    [{ stored }] = await server.sql('SELECT count() AS stored FROM analytics.events');
    if (stored < expected) throw new Error(`${stored} of ${expected}`);
    return true;
  }, LOADED_MS).catch((error) => (stored = `${stored}: ${error.message}`));
  const [{ duplicated }] = await server.sql('SELECT count() - uniqExact(id) AS duplicated FROM analytics.events');
  let lost = 0;
  const missing = [];
  for (const client of clients) {
    const ids = `(SELECT duration FROM analytics.events WHERE device_id = 'client-${client.number}')`;
    const rows = await server.sql(`SELECT number FROM numbers(${client.acknowledged}) WHERE number NOT IN ${ids} ORDER BY number`);
    lost += rows.length;
    if (rows.length) missing.push(`client ${client.number}: ${rows.slice(0, 5).map((row) => row.number).join(', ')} ...`);
  }
  assert.deepEqual({ lost, duplicated, stored }, { lost: 0, duplicated: 0, stored: expected }, `${when}; seed ${SEED}; ${missing.join('; ')}`);
  const raw = await server.sql(
    'SELECT toString(name) AS name, toString(toStartOfHour(created_at)) AS hour, count() AS count FROM analytics.events GROUP BY 1, 2 ORDER BY 1, 2');
  assert.ok(raw.length >= 5 * NAMES.length, `several hours and names: ${raw.length}`);
  const rollup = () => server.sql(
    'SELECT toString(name) AS name, toString(hour) AS hour, sum(count) AS count FROM analytics.events_hourly GROUP BY name, hour ORDER BY 1, 2');
  const sum = (rows) => rows.reduce((all, row) => all + row.count, 0);
  // The rollup's part of an insert comes a moment after the table's.
  await waitFor('the rollup has as many', async () => sum(await rollup()) >= sum(raw)).catch(() => {});
  assert.deepEqual(await rollup(), raw, `the hourly rollup counts what is there, ${when}; seed ${SEED}`);
}

test(`${CYCLES} kills under load: nothing acknowledged is lost, nothing is stored twice`, { timeout: 60_000 + CYCLES * 90_000 }, async (t) => {
  t.diagnostic(`seed ${SEED}`);
  const clients = Array.from({ length: CLIENTS }, (_, number) => new Client(number, server, server.tenants.main.write_key));
  const loads = clients.map((client) => client.run());
  const kinds = Array.from({ length: CYCLES }, (_, cycle) => KINDS[cycle % KINDS.length]);
  for (const kind of kinds) {
    const before = total(clients, 'acknowledged');
    await waitFor('the load goes on', () => total(clients, 'acknowledged') > before + CLIENTS * BATCH, RECOVERY_MS);
    await pause(LEAST_LIFE_MS + random() * (MOST_LIFE_MS - LEAST_LIFE_MS));
    const begun = Date.now();
    await kill(kind);
    t.diagnostic(`killed ${kind}: back after ${Date.now() - begun} ms, ${total(clients, 'acknowledged')} events acknowledged`);
  }
  const before = total(clients, 'acknowledged');
  await waitFor('the load goes on after the last kill', () => total(clients, 'acknowledged') > before + CLIENTS * BATCH, RECOVERY_MS);
  for (const client of clients) client.stopped = true;
  await Promise.all(loads);
  t.diagnostic(`${total(clients, 'acknowledged')} events acknowledged, ${total(clients, 'repeated')} requests repeated`);
  assert.deepEqual(clients.flatMap((client) => client.complaints), [], 'every answer was 200 for the whole batch, or 503');
  await assertExactlyOnce(clients, 'after the kills');

  const { code, ms } = await server.stop();
  assert.deepEqual([code, ms < 5000], [0, true], `a clean stop in ${ms} ms`);
  await server.start();
  for (const client of clients) {
    const first = client.acknowledged - BATCH;
    const answer = await client.post(client.batchOf(first));
    assert.deepEqual([answer.json.accepted, answer.json.duplicates], [0, BATCH], 'the last batch sent again is known');
    client.agent.destroy();
  }
  await server.settle(server.tenants.main.write_key);
  const [{ stored }] = await server.sql("SELECT count() AS stored FROM analytics.events WHERE device_id != ''");
  assert.equal(stored, total(clients, 'acknowledged'), 'nothing came twice by sending it again');
});
