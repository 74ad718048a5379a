// SPDX-License-Identifier: Apache-2.0
// Rollups of metrics: hours and days equal to what an independent computation makes of the raw samples; late samples, resets, restarts, kill -9.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server, waitFor } from './harness.mjs';
import { write, writeRequest, STALE } from './remote_write.mjs';

const HOUR = 3600_000, DAY = 24 * HOUR;
const ROLLUP_MS = 60_000;
let server, a, b;
before(async () => {
  server = await Server.start({ tenants: ['a', 'b'], settings: ['--spool.seal_age', '100ms', '--metrics.rollup_interval', '100ms'] });
  ({ a, b } = server.tenants);
});
after(() => server?.remove());

// A fixed stream of numbers: a failure can be looked at again.
let seed = 20260608;
const random = (limit) => {
  seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
  return Math.floor((seed / 2 ** 32) * limit);
};

/** Everything sent, by tenant and series: { points: Map(ms -> { value, start }), isDelta }. */
const world = new Map();
function note(tenant, name, ms, value, { isDelta = false, start = 0 } = {}) {
  const key = `${tenant}/${name}`;
  if (!world.has(key)) world.set(key, { points: new Map(), isDelta });
  if (!Number.isNaN(value)) world.get(key).points.set(ms, { value, start });
}

/** docs/metrics_in.md, as plainly as it can be said. */
function hoursOf({ points, isDelta }) {
  const all = [...points.entries()].sort(([x], [y]) => x - y).map(([ms, point]) => ({ ms, ...point }));
  const hours = new Map();
  all.forEach((point, index) => {
    const hour = Math.floor(point.ms / HOUR) * HOUR, from = hour - HOUR;
    if (!hours.has(hour)) hours.set(hour, { count: 0, sum: 0, min: Infinity, max: -Infinity, first: point.value, last: 0, increase: 0, resets: 0, gap: 0 });
    const bucket = hours.get(hour), earlier = all[index - 1], before = earlier?.ms >= from ? earlier : undefined;
    bucket.count++;
    bucket.sum += point.value;
    bucket.min = Math.min(bucket.min, point.value);
    bucket.max = Math.max(bucket.max, point.value);
    bucket.last = point.value;
    if (isDelta) bucket.increase += point.value;
    else if (!before) {
      const isNew = point.start >= from && point.start < point.ms;
      bucket.increase += isNew ? point.value : 0;
      if (earlier && !isNew) bucket.gap = point.value < earlier.value || (point.start > earlier.start && point.start >= earlier.ms) ? point.value : point.value - earlier.value;
    }
    else if (point.value < before.value || (point.start > before.start && point.start >= before.ms)) {
      bucket.increase += point.value;
      bucket.resets++;
    } else bucket.increase += point.value - before.value;
  });
  return hours;
}
function daysOf(hours, closed) {
  const days = new Map();
  for (const [hour, of] of [...hours].sort(([x], [y]) => x - y)) {
    const day = Math.floor(hour / DAY) * DAY;
    if (day + DAY > closed) continue;
    const sum = days.get(day);
    days.set(day, sum ? { count: sum.count + of.count, sum: sum.sum + of.sum, min: Math.min(sum.min, of.min), max: Math.max(sum.max, of.max), first: sum.first, last: of.last,
      increase: sum.increase + of.increase + of.gap, resets: sum.resets + of.resets } : { ...of });
  }
  return days;
}
const closedAt = (now) => Math.floor((now - 300_000) / HOUR) * HOUR;
const near = (x, y) => Math.abs(x - y) <= 1e-9 * Math.max(1, Math.abs(x), Math.abs(y));

async function stored(tier, tenant) {
  const time = tier === 'hourly' ? 'hour' : 'toDateTime(day)';
  const rows = await server.sql(`SELECT concat(r.tenant_id, '/', s.metric_name) AS key, toUnixTimestamp(${time}) * 1000 AS time, count, sum, min, max, first_value AS first, last_value AS last, increase, resets `
    + `FROM observability.metric_samples_${tier} AS r FINAL INNER JOIN observability.metric_series_known AS s ON r.tenant_id = s.tenant_id AND r.series_id = s.series_id ORDER BY key, time`, tenant);
  return new Map(rows.map(({ key, time: at, ...of }) => [`${key} ${at}`, of]));
}

function differences(found, expected) {
  const wrong = []; // gap: between hours, which a day counts
  for (const key of new Set([...found.keys(), ...expected.keys()])) {
    const x = found.get(key), y = expected.get(key);
    if (!x || !y || Object.keys(y).some((name) => name !== 'gap' && !near(Number(x[name]), y[name]))) wrong.push({ key, found: x, expected: y });
  }
  return wrong;
}

async function check() {
  await waitFor('rollups are what the samples say', async () => {
    const closed = closedAt(Date.now()), hourly = new Map(), daily = new Map();
    for (const [key, series] of world) {
      const hours = hoursOf(series);
      for (const [hour, of] of hours) if (hour < closed) hourly.set(`${key} ${hour}`, of);
      for (const [day, of] of daysOf(new Map([...hours].filter(([hour]) => hour < closed)), closed)) daily.set(`${key} ${day}`, of);
    }
    const wrong = [...differences(await stored('hourly', '*'), hourly), ...differences(await stored('daily', '*'), daily)];
    if (wrong.length) throw new Error(`${wrong.length} of ${hourly.size + daily.size} differ, one: ${JSON.stringify(wrong[0])}`);
    assert.ok(hourly.size > 0 && daily.size > 0);
    return true;
  }, ROLLUP_MS);
}

/** Counters with resets, gauges, steps of 15 s to 20 min, for some hours of some days; in shuffled batches. */
function generate(tenant, names, from, hours) {
  const all = [];
  for (const [index, name] of names.entries()) {
    let value = random(1000), isCounter = index % 3 !== 2;
    for (let ms = from + random(60) * 1000; ms < from + hours * HOUR; ms += 15_000 + random(40) * 30_000) {
      if (random(30) === 0) ms += random(3) * HOUR; // silence
      if (isCounter) value = random(25) === 0 ? random(10) : value + random(100);
      else value = (random(2000) - 1000) / 10;
      all.push({ name, ms, value });
      note(tenant.tenant, name, ms, value);
    }
  }
  for (let i = all.length - 1; i > 0; i--) {
    const j = random(i + 1);
    [all[i], all[j]] = [all[j], all[i]];
  }
  return all;
}

async function send(tenant, samples) {
  for (let i = 0; i < samples.length; i += 400) {
    const series = new Map();
    for (const { name, ms, value } of samples.slice(i, i + 400)) series.set(name, [...(series.get(name) ?? []), [ms, value]]);
    const answer = await write(server, tenant.secret_key, writeRequest([...series].map(([name, list]) => ({ labels: { __name__: name, job: 'j' }, samples: list }))));
    assert.equal(answer.status, 204, answer.text);
  }
}

const START = Math.floor((Date.now() - 3 * DAY) / HOUR) * HOUR;
const NAMES = ['requests_total', 'errors_total', 'temperature', 'bytes_total', 'events_total', 'queue'];

test('hours and days are what an independent computation says, of samples that came in any order, by two tenants', async () => {
  await send(a, generate(a, NAMES, START, 40));
  await send(b, generate(b, NAMES.slice(0, 3), START + 7 * HOUR, 20));
  await check();
});

test('where samples are dropped, what was dropped is neither counted again nor are its hours made again', async () => {
  const edge = Date.now() - 90 * DAY, MINUTE = 60_000, nano = (ms) => `${ms}000000`;
  const points = [[30, 150], [40, 160]].map(([minutes, value]) => ({ time: edge + minutes * MINUTE, value })); // of the start ten minutes before the edge, and of what came then
  const common = ({ time }) => ({ timeUnixNano: nano(time), startTimeUnixNano: nano(edge - 10 * MINUTE) });
  const metrics = [{ name: 'edge', sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints: points.map((point) => ({ ...common(point), asInt: point.value })) } },
    { name: 'edge.sizes', histogram: { aggregationTemporality: 2, dataPoints: points.map((point) => ({ ...common(point), count: point.value, sum: 1, explicitBounds: [], bucketCounts: [point.value] })) } }];
  assert.equal((await server.post('/v1/metrics', { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }, { key: a.secret_key })).text, '{}');
  note(a.tenant, NAMES[0], START + 8 * HOUR + 7, 5);
  await send(a, [{ name: NAMES[0], ms: START + 8 * HOUR + 7, value: 5 }]); // an hour that is made again afterwards
  await check();
  for (const [metricName, aggregation] of [['edge', 'increase'], ['edge.sizes', 'count']]) {
    const { json, text } = await server.post('/api/v2/query/signals/metrics', { metricName, aggregation, from: edge + 20 * MINUTE, to: edge + 50 * MINUTE }, { key: a.secret_key });
    assert.deepEqual(json.data?.map((series) => series.points.map((point) => point.value)), [[10]], `${metricName}: ${text}`);
  }
});

test('samples that come late, twice or change the step of the hour after are added up again', async () => {
  const late = [];
  for (let i = 0; i < 60; i++) {
    const ms = START + random(40 * 3600) * 1000 + 500, name = NAMES[random(NAMES.length)], value = random(5000);
    late.push({ name, ms, value });
    note(a.tenant, name, ms, value);
  }
  await send(a, late);
  await send(a, late);
  await check();
});

test('stale marks and NaN are no numbers; deltas add up; a start time says where a counter began', async () => {
  const base = START + 50 * HOUR;
  const stale = writeRequest([{ labels: { __name__: 'requests_total', job: 'j' }, samples: [[base, STALE], [base + 1000, NaN]] }]);
  assert.equal((await write(server, a.secret_key, stale)).status, 204);
  const nano = (ms) => String(BigInt(ms) * 1000000n);
  const points = (name, list) => list.map(([ms, value, start]) => {
    note(a.tenant, name, ms, value, { isDelta: name === 'delta', start });
    return { timeUnixNano: nano(ms), startTimeUnixNano: nano(start), asDouble: value };
  });
  const metric = (name, temporality, list) => ({ name, sum: { aggregationTemporality: temporality, isMonotonic: true, dataPoints: points(name, list) } });
  const answer = await server.post('/v1/metrics', { resourceMetrics: [{ scopeMetrics: [{ metrics: [
    metric('delta', 1, [[base + 60000, 5, base], [base + 120000, 3, base + 60000], [base + HOUR, 4, base + 120000]]),
    // Began inside the hour; again, without having fallen; began long before.
    metric('began', 2, [[base + 60000, 10, base + 30000], [base + 90000, 15, base + 30000], [base + 120000, 40, base + 100000]]),
    metric('old', 2, [[base + 60000, 1000, base - 30 * HOUR], [base + 120000, 1010, base - 30 * HOUR]]),
  ] }] }] }, { key: a.secret_key });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.text, '{}');
  await check();
});

test('the printed views show them by name; averages are made when they are read', async () => {
  const [row] = await server.sql("SELECT sum(sum_value) AS sum, sum(count) AS n, min(min_value) AS min, max(max_value) AS max FROM observability.metrics_v3_hourly WHERE metric_name = 'temperature'", a.tenant);
  const values = [...world.get(`${a.tenant}/temperature`).points.values()].map(({ value }) => value);
  assert.ok(near(row.sum, values.reduce((x, y) => x + y, 0)));
  assert.deepEqual([row.n, row.min, row.max], [values.length, Math.min(...values), Math.max(...values)]);
  const [day] = await server.sql("SELECT * FROM observability.metrics_v3_daily WHERE metric_name = 'temperature' ORDER BY date LIMIT 1", a.tenant);
  assert.deepEqual(Object.keys(day), ['date', 'metric_name', 'service_name', 'workspace_id', 'tenant_id', 'sum_value', 'avg_value', 'min_value', 'max_value', 'count', 'increase']);
  assert.ok(near(day.avg_value, day.sum_value / day.count));
});

test('after kill -9 in the middle of it all is there once', async () => {
  const more = generate(a, NAMES.map((name) => `again_${name}`), START + 3 * HOUR, 30);
  await send(a, more);
  await server.kill();
  await server.start();
  await send(a, generate(a, ['after_total'], START + 4 * HOUR, 5));
  await server.kill();
  await server.start();
  await send(b, generate(b, ['after_total'], START + 4 * HOUR, 5));
  await check();
});
