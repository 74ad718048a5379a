// SPDX-License-Identifier: Apache-2.0
// What the fault tests share: clients that log what was acknowledged, faults, and the check that it is all there exactly once.
import assert from 'node:assert/strict';
import http from 'node:http';
import { send, waitFor } from '../e2e/harness.mjs';

export const BATCH = 40;
export const RECOVERY_MS = 60_000;
const LOST_ANSWERS = 0.3; // of the answers, as if the network had lost them: the batch is sent again, often to a server started anew
const REPEAT_MS = 25;
const LOADED_MS = 120_000;
const NAMES = ['screen_view', 'signup', 'purchase'];

// mulberry32: the same seed gives the same numbers.
export function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A client that sends numbered events over one connection, and repeats a batch until it is acknowledged. */
export class Client {
  constructor(number, server, key, seed, pauseMs = 4) {
    Object.assign(this, { number, server, key, pauseMs, next: 0, acknowledged: 0, repeated: 0, batches: 0, complaints: [], stopped: false });
    this.random = generator(seed + 1 + number);
    this.stored = { table: 'analytics.events', sequence: 'duration', mine: `device_id = 'client-${number}'` };
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
      await pause(this.pauseMs);
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
    if (!this.isWhole(answer)) this.complaints.push(answer.text);
    return this.random() >= LOST_ANSWERS;
  }

  isWhole({ json: { accepted, duplicates, refused } }) {
    return accepted + duplicates === BATCH && refused === 0;
  }
}

/** The same with spans over OTLP, which have no id that a server could know again but that of the whole body. */
export class SpanClient extends Client {
  constructor(...words) {
    super(...words);
    this.stored = { table: 'observability.traces_v3', sequence: 'duration_nano', mine: `span_name = 'client-${this.number}'` };
  }

  span(sequence) {
    const hex = (value, digits) => value.toString(16).padStart(digits, '0');
    const start = BigInt(this.begun - (sequence % 5) * 3_600_000) * 1000000n;
    return { traceId: hex(this.number + 1, 16) + hex(Math.floor(sequence / 8) + 1, 16), spanId: hex(sequence + 1, 16), name: `client-${this.number}`,
      startTimeUnixNano: String(start), endTimeUnixNano: String(start + BigInt(sequence)) };
  }

  batchOf(first) {
    const spans = Array.from({ length: BATCH }, (_, i) => this.span(first + i));
    return JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
  }

  post(body) {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${this.key}` };
    return send(`${this.server.url}/v1/traces`, { method: 'POST', headers, body, agent: this.agent });
  }

  isWhole({ text }) {
    return text === '{}';
  }
}

/** Kinds of faults. Each returns when the server takes events and answers questions again. */
export const faults = {
  'kill the server': (server) => kill(server, 'server'),
  'kill the engine': (server) => kill(server, 'engine'),
  'kill both': (server) => kill(server, 'both'),
};

async function kill(server, kind) {
  const engine = await waitFor('there is an engine to kill', () => server.enginePid, RECOVERY_MS);
  if (kind !== 'server') process.kill(engine, 'SIGKILL');
  if (kind !== 'engine') {
    await server.kill();
    await server.start();
  } else {
    await waitFor('the server has a new engine', () => server.enginePid && server.enginePid !== engine, RECOVERY_MS);
  }
  await answersAgain(server);
}

export const answersAgain = (server) =>
  waitFor('the engine answers again', async () => (await server.sql('SELECT 1 AS one'))[0].one === 1, RECOVERY_MS);

export const total = (clients, field) => clients.reduce((sum, client) => sum + client[field], 0);

export async function assertExactlyOnce(server, clients, when) {
  const expected = total(clients, 'acknowledged');
  let stored = 0;
  await waitFor(`all acknowledged events are selectable, ${when}`, async () => {
    stored = 0;
    for (const table of new Set(clients.map((client) => client.stored.table))) stored += (await server.sql(`SELECT count() AS rows FROM ${table}`))[0].rows;
    if (stored < expected) throw new Error(`${stored} of ${expected}`);
    return true;
  }, LOADED_MS).catch((error) => (stored = `${stored}: ${error.message}`));
  let lost = 0;
  let duplicated = 0;
  const missing = [];
  for (const client of clients) {
    const { table, sequence, mine } = client.stored;
    const ids = `(SELECT ${sequence} FROM ${table} WHERE ${mine})`;
    const rows = await server.sql(`SELECT number FROM numbers(${client.acknowledged}) WHERE number NOT IN ${ids} ORDER BY number`);
    lost += rows.length;
    // By client, whose events are numbered: the ids of a long run do not fit into one question's memory.
    duplicated += (await server.sql(`SELECT count() - uniqExact(${sequence}) AS twice FROM ${table} WHERE ${mine}`))[0].twice;
    if (rows.length) missing.push(`client ${client.number}: ${rows.slice(0, 5).map((row) => row.number).join(', ')} ...`);
  }
  const counts = { lost, duplicated, stored };
  assert.deepEqual(counts, { lost: 0, duplicated: 0, stored: expected }, `${when}; ${missing.join('; ')}`);
  const raw = await server.sql(
    'SELECT toString(toDate(created_at)) AS day, toString(device_hash) AS device, count() AS count FROM analytics.events GROUP BY 1, 2 ORDER BY 1, 2');
  assert.ok(raw.length >= 2, `several devices: ${raw.length}`);
  const rollup = () => server.sql(
    'SELECT toString(date) AS day, toString(device_hash) AS device, sum(events) AS count FROM analytics.device_days GROUP BY 1, 2 ORDER BY 1, 2');
  const sum = (rows) => rows.reduce((all, row) => all + row.count, 0);
  // The rollup's part of an insert comes a moment after the table's.
  await waitFor('the rollup has as many', async () => sum(await rollup()) >= sum(raw)).catch(() => {});
  assert.deepEqual(await rollup(), raw, `the rollup of devices' days counts what is there, ${when}`);
  const [{ daily }] = await server.sql('SELECT sum(pageviews) AS daily FROM analytics.daily_pageviews');
  const [{ views }] = await server.sql("SELECT countIf(name = 'screen_view') AS views FROM analytics.events");
  assert.equal(daily, views, `the daily rollup counts what is there, ${when}`);
  return counts;
}
