// SPDX-License-Identifier: Apache-2.0
// What a question reads: the days, minutes and traces it asks of, and not all that a tenant has.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server } from './harness.mjs';

const DAY = 86_400_000;
const MINUTE = 60_000;
const begin = Date.UTC(2026, 2, 1);
const EVENTS = 600_000; // of March, 20,000 a day
const SPANS = 400_000; // of March 2nd, ten of a trace, 1,400 in five minutes
const RECORDS = 400_000;
let server, key;

before(async () => {
  server = await Server.start({ tenants: ['reads'] });
  key = server.tenants.reads;
  const at = (stepMs) => `fromUnixTimestamp64Milli(toInt64(${begin} + number * ${stepMs}), 'UTC')`;
  await server.sql(`INSERT INTO analytics.events (tenant_id, id, name, created_at, device_id, path) SELECT '${key.tenant}', generateUUIDv4(), 'screen_view', ${at(30 * DAY / EVENTS)}, toString(cityHash64(intDiv(number, 20))), '/' FROM numbers(${EVENTS})`);
  const ns = (stepMs) => `fromUnixTimestamp64Nano(toInt64(${(begin + DAY) * 1e6} + number * ${stepMs * 1e6}), 'UTC')`;
  await server.sql(`INSERT INTO observability.traces_v3 (tenant_id, retention_days, timestamp, trace_id_bytes, span_ids, service_name, duration_nano) SELECT '${key.tenant}', 3650, ${ns(DAY / SPANS)}, MD5(toString(intDiv(number, 10))), MD5(concat('span', toString(number))), 'shop', number FROM numbers(${SPANS})`);
  await server.sql(`INSERT INTO observability.logs_v3 (tenant_id, retention_days, timestamp, service_name, body) SELECT '${key.tenant}', 3650, ${ns(DAY / RECORDS)}, 'shop', 'a line' FROM numbers(${RECORDS})`);
});
after(() => server?.remove());

// Rows that a question makes the event store read, and its answer.
async function reads(method, path, body) {
  const rows = async () => (await server.sql("SELECT value FROM system.events WHERE event = 'SelectedRows'"))[0]?.value ?? 0;
  const before = await rows();
  const answer = await server.api(method, path, body, key.secret_key);
  assert.equal(answer.status, 200, answer.text);
  return { rows: (await rows()) - before, answer: answer.json };
}

test('a chart of one day reads that day and the ones beside it, not the month', async () => {
  const plan = { from: new Date(begin + 10 * DAY).toISOString(), to: new Date(begin + 11 * DAY).toISOString(), interval: 'day', series: [{ event: 'screen_view' }] };
  const { rows, answer } = await reads('POST', '/v1/query/chart', plan);
  assert.equal(answer.series[0].metrics.total, EVENTS / 30, JSON.stringify(answer));
  assert.ok(rows < EVENTS / 4, `${rows} rows`);
});

for (const [what, path, all] of [['spans', 'traces', SPANS], ['log records', 'logs', RECORDS]])
  test(`a page of ${what} reads five minutes of a day`, async () => {
    const from = begin + DAY + 600 * MINUTE;
    const { rows, answer } = await reads('GET', `/api/v2/query/signals/${path}?from=${from}&to=${from + 5 * MINUTE}&limit=10`);
    assert.equal(answer.data.length, 10);
    assert.ok(rows < all / 4, `${rows} rows`);
  });

test('figures of a thousand traces are looked up by their ids, not row by row for each', async () => {
  const from = begin + DAY;
  // Row by row it takes the time that one question has, and then is refused.
  const { answer } = await reads('GET', `/api/v2/query/signals/traces/summaries?from=${from}&to=${from + DAY}&limit=1000`);
  assert.equal(answer.data.length, 1000);
});

test('a counted page far behind looks at what its own traces come to, not at those before it', async () => {
  const range = `from=${begin + DAY + 600 * MINUTE}&to=${begin + DAY + 660 * MINUTE}`;
  const page = (words) => reads('GET', `/api/v2/query/signals/traces/summaries?${range}&${words}`);
  const first = await page('limit=50&page=1'), { rows, answer } = await page('limit=50&page=20');
  assert.deepEqual(answer.data, (await page('limit=1000')).answer.data.slice(950));
  assert.ok(rows < 4 * first.rows, `${rows} rows, ${first.rows} of the first page`);
});
