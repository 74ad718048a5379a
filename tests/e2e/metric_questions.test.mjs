// SPDX-License-Identifier: Apache-2.0
// Our own questions about metrics, against the same figures computed here from what was sent.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server, waitFor } from './harness.mjs';

const STEP = 15_000, COUNT = 120, MINUTE = 60_000, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const END = Math.floor(Date.now() / (5 * MINUTE)) * 5 * MINUTE, BEGIN = END - COUNT * STEP; // half an hour
const ns = (ms) => `${ms}000000`;
const TRACE = '5b8efff798038103d269b633813fc60c';
let server, key, other, sent;

function random(seed) {
  return () => {
    seed = (seed + 0x6D2B79F5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const attribute = ([name, value]) => ({ key: name, value: { stringValue: value } });
const attributes = (object) => Object.entries(object).map(attribute);
const times = Array.from({ length: COUNT }, (_, i) => BEGIN + i * STEP);
const BOUNDS = [5, 10, 25, 50, 100, 250];

/** Series of every kind: { service, metric, kind, labels, points: [{ time, start, value | histogram }] }. */
function makeSeries() {
  const next = random(11), list = [];
  for (const service of ['cart', 'payment'])
    for (const route of ['/a', '/b']) {
      let total = 0, start = BEGIN - 10 * MINUTE;
      const reset = 30 + Math.floor(next() * 60);
      list.push({ service, metric: 'requests', kind: 'cumulative', labels: { route }, points: times.map((time, i) => {
        if (i === reset) [total, start] = [0, time - 5000];
        total += Math.floor(next() * 20);
        return { time, start, value: total };
      }) });
      list.push({ service, metric: 'jobs', kind: 'delta', labels: { route }, points: times.map((time) => ({ time, start: time - STEP, value: Math.floor(next() * 9) })) });
      list.push({ service, metric: 'memory', kind: 'gauge', labels: { route }, points: times.filter(() => next() > 0.1).map((time) => ({ time, start: 0, value: Math.round(next() * 1e6) / 100 })) });
      for (const kind of ['cumulative', 'delta']) {
        const sum = { count: 0, sum: 0, counts: new Array(BOUNDS.length + 1).fill(0) };
        list.push({ service, metric: `latency.${kind}`, kind, isHistogram: true, labels: { route }, points: times.map((time) => {
          if (kind === 'delta') Object.assign(sum, { count: 0, sum: 0, counts: new Array(BOUNDS.length + 1).fill(0) });
          for (let k = 0; k < 5; k++) {
            const value = Math.floor(next() * next() * 40000) / 100;
            const bucket = BOUNDS.findIndex((bound) => value <= bound);
            sum.counts[bucket < 0 ? BOUNDS.length : bucket]++;
            sum.count++;
            sum.sum += value;
          }
          return { time, start: kind === 'delta' ? time - STEP : BEGIN - MINUTE, histogram: { ...sum, counts: [...sum.counts] } };
        }) });
      }
    }
  return list;
}

function toOtlp(series) {
  const point = (one) => (p) => ({ timeUnixNano: ns(p.time), startTimeUnixNano: p.start ? ns(p.start) : '0', attributes: attributes(one.labels),
    ...(p.histogram ? { count: p.histogram.count, sum: p.histogram.sum, bucketCounts: p.histogram.counts, explicitBounds: BOUNDS } : { asDouble: p.value }),
    ...(one.metric === 'requests' && p.time === times.at(-1) ? { exemplars: [{ timeUnixNano: ns(p.time - 1000), asDouble: 1.5, traceId: TRACE, spanId: 'eee19b7ec3c1b174', filteredAttributes: attributes({ user: 'u1' }) }] } : {}) });
  const metric = (one) => {
    const dataPoints = one.points.map(point(one)), aggregationTemporality = one.kind === 'delta' ? 1 : 2;
    if (one.isHistogram) return { name: one.metric, unit: 'ms', histogram: { aggregationTemporality, dataPoints } };
    return { name: one.metric, unit: '1', ...(one.kind === 'gauge' ? { gauge: { dataPoints } } : { sum: { aggregationTemporality, isMonotonic: true, dataPoints } }) };
  };
  return { resourceMetrics: ['cart', 'payment'].map((service) => ({ resource: { attributes: attributes({ 'service.name': service, region: service === 'cart' ? 'eu' : 'us' }) },
    scopeMetrics: [{ scope: { name: 'test' }, metrics: series.filter((one) => one.service === service).map(metric) }] })) };
}

/** Points of all values at the same scale: base 2^(1/4), one cumulative series. */
function exponential() {
  const next = random(5), counts = new Array(40).fill(0), points = [];
  let count = 0, sum = 0;
  for (const time of times) {
    for (let k = 0; k < 20; k++) {
      const index = Math.floor(next() * 40);
      counts[index]++;
      count++;
      sum += 2 ** ((index + 0.5) / 4);
    }
    points.push({ timeUnixNano: ns(time), startTimeUnixNano: ns(BEGIN - MINUTE), count, sum, scale: 2, zeroCount: 0, positive: { offset: 0, bucketCounts: [...counts] } });
  }
  return { resourceMetrics: [{ resource: { attributes: attributes({ 'service.name': 'cart' }) }, scopeMetrics: [{ metrics: [{ name: 'size', exponentialHistogram: { aggregationTemporality: 2, dataPoints: points } }] }] }] };
}

before(async () => {
  server = await Server.start({ tenants: ['a', 'b'], settings: ['--spool.seal_age', '100ms', '--metrics.rollup_interval', '100ms'] });
  key = server.tenants.a.secret_key;
  other = server.tenants.b.secret_key;
  sent = makeSeries();
  // Some points come twice, the first time with other values: the last counts.
  const again = (one) => ({ ...one, points: one.points.slice(3, 6).map((p) => ({ ...p, ...(p.histogram ? {} : { value: p.value + 1000 }) })) });
  const points = async (table) => Number((await server.sql(`SELECT uniqExact(series_id, timestamp) AS n FROM observability.${table}`))[0].n);
  const post = async (body) => {
    const answer = await server.post('/v1/metrics', body, { key });
    assert.deepEqual([answer.status, answer.text], [200, '{}']);
  };
  await post(toOtlp(sent.map(again)));
  await waitFor('what came first is stored, in a segment of its own', async () => (await points('metric_samples')) === 12 * 3);
  for (const body of [toOtlp(sent), exponential()]) await post(body);
  // How many rows stand for a point that came twice is the table's own affair.
  const wanted = (isHistogram) => sent.filter((one) => Boolean(one.isHistogram) === isHistogram).reduce((sum, { points }) => sum + points.length, 0);
  await waitFor('all points are stored', async () => (await points('metric_samples')) === wanted(false) && (await points('metric_histogram_samples')) === wanted(true) + COUNT);
  await server.insertsEnd();
});
after(() => server?.remove());

const METRICS = '/api/v2/query/signals/metrics';
async function ask(words) {
  const answer = await server.post(METRICS, { from: new Date(BEGIN).toISOString(), to: new Date(END).toISOString(), ...words }, { key });
  assert.equal(answer.status, 200, `${JSON.stringify(words)}: ${answer.text}`);
  return answer.json;
}

/** { 'metric|group|bucket': steps of all series } by the document's rules; only points of [from, to). */
function steps(metric, { from = BEGIN, interval, group = [] }) {
  const found = new Map();
  for (const one of sent.filter((s) => s.metric === metric)) {
    let last;
    for (const p of one.points) {
      const all = { time: p.time, value: p.value, histogram: p.histogram };
      let step;
      if (one.kind === 'delta') step = all;
      else if (!last) step = p.start >= Math.floor(p.time / HOUR) * HOUR - HOUR && p.start < p.time ? all : null;
      else if ((p.value ?? p.histogram.count) < (last.value ?? last.histogram.count) || (p.start > last.start && p.start >= last.time)) step = all;
      else step = { time: p.time, value: p.value - last.value, histogram: p.histogram && { count: p.histogram.count - last.histogram.count, sum: p.histogram.sum - last.histogram.sum,
        counts: p.histogram.counts.map((c, i) => c - last.histogram.counts[i]) } };
      last = p;
      if (!step || p.time < from) continue;
      const labels = { ...one.labels, serviceName: one.service, region: one.service === 'cart' ? 'eu' : 'us' };
      const name = [...group.map((label) => labels[label]), interval ? Math.floor(p.time / interval) * interval : from].join('|');
      found.set(name, [...(found.get(name) ?? []), step]);
    }
  }
  return found;
}

/** Points of gauges, per group and bucket, with their series. */
function values(metric, { interval, group = [] }) {
  const found = new Map();
  sent.filter((s) => s.metric === metric).forEach((one, series) => {
    const labels = { ...one.labels, serviceName: one.service };
    for (const p of one.points) {
      const name = [...group.map((label) => labels[label]), interval ? Math.floor(p.time / interval) * interval : BEGIN].join('|');
      found.set(name, [...(found.get(name) ?? []), { series, time: p.time, value: p.value }]);
    }
  });
  return found;
}

/** The answer in the same form. */
function flat(answer, group = []) {
  const found = new Map();
  for (const series of answer.data)
    for (const { timestamp, value } of series.points) found.set([...group.map((label) => series.labels[label]), Date.parse(timestamp)].join('|'), value);
  return found;
}

function assertEqual(found, wanted, what) {
  assert.deepEqual([...found.keys()].sort(), [...wanted.keys()].sort(), what);
  for (const [name, value] of wanted) assert.ok(Math.abs(found.get(name) - value) <= 1e-9 * Math.max(1, Math.abs(value)), `${what} ${name}: ${found.get(name)} instead of ${value}`);
}
const mapped = (map, work) => new Map([...map].map(([name, list]) => [name, work(list)]));
const add = (list) => list.reduce((sum, value) => sum + value, 0);

/** The quantile of values that lie evenly in (x0, x1], by the merged counts. */
function quantile(share, edges, counts) {
  let rank = share * add(counts), sum = 0;
  for (let i = 0; i < counts.length; i++) {
    if (sum + counts[i] >= rank && counts[i] > 0) return edges[i + 1] === Infinity ? edges[i] : edges[i] + ((edges[i + 1] - edges[i]) * (rank - sum)) / counts[i];
    sum += counts[i];
  }
  return NaN;
}

test('what gauges were: over all points of a group and an interval', async () => {
  const sorted = (list) => list.map((p) => p.value).sort((a, b) => a - b);
  const inclusive = (share) => (list) => {
    const all = sorted(list), place = share * (all.length - 1), low = Math.floor(place);
    return low + 1 < all.length ? all[low] + (all[low + 1] - all[low]) * (place - low) : all[low];
  };
  const newest = (list) => add([...new Map([...list].sort((a, b) => a.time - b.time).map((p) => [p.series, p.value])).values()]);
  const figures = { avg: (list) => add(list.map((p) => p.value)) / list.length, sum: (list) => add(list.map((p) => p.value)), min: (list) => sorted(list)[0], max: (list) => sorted(list).at(-1),
    count: (list) => list.length, last: newest, p50: inclusive(0.5), p95: inclusive(0.95) };
  for (const [aggregation, figure] of Object.entries(figures))
    for (const [words, shape] of [[{ interval: '5m', groupBy: ['serviceName'] }, { interval: 5 * MINUTE, group: ['serviceName'] }], [{ groupBy: ['route'] }, { group: ['route'] }]])
      assertEqual(flat(await ask({ metricName: 'memory', aggregation, ...words }), shape.group), mapped(values('memory', shape), figure), `${aggregation} ${JSON.stringify(words)}`);
});

test('increase and rate of cumulative counters know resets, those of delta counters add up', async () => {
  for (const metric of ['requests', 'jobs'])
    for (const [words, shape] of [[{ interval: '5m', groupBy: ['serviceName', 'route'] }, { interval: 5 * MINUTE, group: ['serviceName', 'route'] }], [{ interval: '1m', groupBy: ['region'] }, { interval: MINUTE, group: ['region'] }],
      [{}, {}]]) {
      const wanted = mapped(steps(metric, shape), (list) => add(list.map((one) => one.value)));
      assertEqual(flat(await ask({ metricName: metric, aggregation: 'increase', ...words }), shape.group), wanted, `increase of ${metric}`);
      const seconds = (shape.interval ?? END - BEGIN) / 1000;
      assertEqual(flat(await ask({ metricName: metric, aggregation: 'rate', ...words }), shape.group), new Map([...wanted].map(([name, value]) => [name, value / seconds])), `rate of ${metric}`);
    }
});

test('a time that begins in the middle counts the step from the last point before it', async () => {
  const from = BEGIN + 10 * MINUTE;
  const answer = await ask({ metricName: 'requests', aggregation: 'increase', from: new Date(from).toISOString() });
  assertEqual(flat(answer), mapped(steps('requests', { from }), (list) => add(list.map((one) => one.value))), 'from the middle');
});

test('histograms: averages and quantiles of what was measured in the interval, whatever their temporality', async () => {
  const merged = (list) => BOUNDS.concat(0).map((_, i) => add(list.map((one) => one.histogram.counts[i])));
  const edges = [0, ...BOUNDS, Infinity];
  const figures = { avg: (list) => add(list.map((one) => one.histogram.sum)) / add(list.map((one) => one.histogram.count)), count: (list) => add(list.map((one) => one.histogram.count)),
    sum: (list) => add(list.map((one) => one.histogram.sum)), p50: (list) => quantile(0.5, edges, merged(list)), p90: (list) => quantile(0.9, edges, merged(list)), p99: (list) => quantile(0.99, edges, merged(list)) };
  for (const kind of ['cumulative', 'delta'])
    for (const [aggregation, figure] of Object.entries(figures))
      for (const [words, shape] of [[{ interval: '5m', groupBy: ['serviceName'] }, { interval: 5 * MINUTE, group: ['serviceName'] }], [{}, {}]])
        assertEqual(flat(await ask({ metricName: `latency.${kind}`, aggregation, ...words }), shape.group), mapped(steps(`latency.${kind}`, shape), figure), `${aggregation} of ${kind} ${JSON.stringify(words)}`);
});

test('exponential histograms have quantiles too', async () => {
  const counts = exponential().resourceMetrics[0].scopeMetrics[0].metrics[0].exponentialHistogram.dataPoints.at(-1).positive.bucketCounts;
  const edges = counts.map((_, i) => 2 ** (i / 4)).concat(2 ** 10);
  for (const [aggregation, share] of [['p50', 0.5], ['p99', 0.99]])
    assertEqual(flat(await ask({ metricName: 'size', aggregation })), new Map([[String(BEGIN), quantile(share, edges, counts)]]), aggregation);
});

/** Every three hours 100 more, and 10 values of 7: 60 hours, then silence for a day and a half, then one more of each. */
const sparse = (() => {
  const first = Math.floor(END / HOUR) * HOUR - 5 * DAY + 5 * MINUTE, start = first - 40 * HOUR, at = [...Array.from({ length: 20 }, (_, i) => first + i * 3 * HOUR), first + 93 * HOUR];
  const numbers = at.map((time, i) => ({ timeUnixNano: ns(time), startTimeUnixNano: ns(start), asInt: 1000 + 100 * i }));
  const histograms = at.map((time, i) => ({ timeUnixNano: ns(time), startTimeUnixNano: ns(start), count: 50 + 10 * i, sum: 7 * (50 + 10 * i), bucketCounts: [0, 50 + 10 * i, 0], explicitBounds: [5, 10] }));
  const exponentials = histograms.map(({ bucketCounts, explicitBounds, ...point }) => ({ ...point, scale: 0, positive: { offset: 2, bucketCounts: [bucketCounts[1]] } }));
  const metrics = [{ name: 'sparse', sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints: numbers } }, { name: 'sparse.times', histogram: { aggregationTemporality: 2, dataPoints: histograms } },
    { name: 'sparse.sizes', exponentialHistogram: { aggregationTemporality: 2, dataPoints: exponentials } }];
  return { first, at, body: { resourceMetrics: [{ resource: { attributes: attributes({ 'service.name': 'sparse' }) }, scopeMetrics: [{ metrics }] }] } };
})();

test('hours and days of rollups, with raw points at both ends, say what raw points say', async () => {
  const next = random(3), from = Math.floor((END - 4 * DAY) / DAY) * DAY - 5 * HOUR, dataPoints = [];
  for (const route of ['/a', '/b', '/c'])
    for (let time = from, total = 0, start = from - MINUTE; time < END; time += Math.floor(1 + next() * 8) * 2 * MINUTE) {
      if (next() < 0.02) time += Math.floor(next() * 3) * HOUR; // silence
      if (next() < 0.03) [total, start] = [0, time - 1000];
      if (time >= END) break;
      total += Math.floor(next() * 50);
      dataPoints.push({ timeUnixNano: ns(time), startTimeUnixNano: ns(start), asInt: total, attributes: attributes({ route }) });
    }
  const body = { resourceMetrics: [{ resource: { attributes: attributes({ 'service.name': 'old' }) }, scopeMetrics: [{ metrics: [{ name: 'old', sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints } }] }] }] };
  // What the next test asks about comes now: its hours are made in one go with these.
  for (const one of [body, sparse.body]) assert.equal((await server.post('/v1/metrics', one, { key })).text, '{}');
  const closed = Math.floor((Date.now() - 5 * MINUTE) / HOUR) * HOUR, count = (until) => dataPoints.filter((p) => Number(p.timeUnixNano.slice(0, -6)) < until).length;
  for (const [table, until] of [['hourly', closed], ['daily', Math.floor(closed / DAY) * DAY]])
    await waitFor(`${table} rollups are made`, async () => Number((await server.sql(`SELECT sum(count) AS n FROM observability.metric_samples_${table} FINAL WHERE series_id IN (SELECT series_id FROM observability.metric_series WHERE metric_name = 'old')`))[0].n) >= count(until), 120_000);
  await waitFor('all of it is made', async () => (await ask({ metricName: 'old', interval: '1d', tier: 'day', from, to: END })).metadata.tier === 'day');
  for (const [tier, words] of [['hour', { interval: '6h', groupBy: ['route'] }], ['hour', {}], ['day', { interval: '1d' }]])
    for (const aggregation of words.interval ? ['avg', 'min', 'max', 'last', 'increase'] : ['count', 'rate']) {
      const question = { metricName: 'old', aggregation, from: from + 17 * MINUTE, to: END - 3 * MINUTE, ...words };
      const [rolled, raw] = [await ask({ ...question, tier }), await ask({ ...question, tier: 'raw' })];
      assert.deepEqual([rolled.metadata.tier, raw.metadata.tier], [tier, 'raw']);
      assert.ok(raw.data[0].points.length >= 1);
      assertEqual(flat(rolled, words.groupBy), flat(raw, words.groupBy), `${aggregation} by ${tier}, ${JSON.stringify(words)}`);
    }
  assert.equal((await ask({ metricName: 'old', interval: '1h', from, to: END })).metadata.tier, 'hour');
  assert.equal((await ask({ metricName: 'old', interval: '1h', from, to: END, aggregation: 'p50' })).metadata.tier, 'raw');
  assert.equal((await server.post(METRICS, { metricName: 'old', interval: '5m', tier: 'hour' }, { key })).json.error.field, 'tier');
});

test('a step counts however far apart its points are, by hours and days of rollups as well', async () => {
  const { first, at } = sparse;
  const closed = Math.floor((Date.now() - 5 * MINUTE) / HOUR) * HOUR, today = Math.floor(closed / DAY) * DAY;
  for (const [table, until] of [['hourly', closed], ['daily', today]])
    await waitFor(`${table} rollups are made`, async () => Number((await server.sql(`SELECT sum(count) AS n FROM observability.metric_samples_${table} FINAL WHERE series_id IN (SELECT series_id FROM observability.metric_series WHERE metric_name = 'sparse')`))[0].n)
      >= at.filter((time) => time < until).length, 120_000);
  await waitFor('histograms are stored', async () => Number((await server.sql("SELECT count() AS n FROM observability.metric_histogram_samples WHERE series_id IN (SELECT series_id FROM observability.metric_series WHERE metric_name LIKE 'sparse.%')"))[0].n) >= 42);
  const figure = async (words) => (await ask({ metricName: 'sparse', aggregation: 'increase', ...words })).data.map(({ points }) => points.map(({ value }) => value));
  const whole = { from: first - HOUR, to: first + 58 * HOUR };
  await waitFor('all of it is made', async () => (await ask({ metricName: 'sparse', interval: '1d', tier: 'day', ...whole })).metadata.tier === 'day');
  for (const tier of ['raw', 'hour']) {
    assert.deepEqual(await figure({ ...whole, tier }), [[1900]], tier); // 19 steps: of the first point nothing is known
    assert.deepEqual(await figure({ from: first + 4 * HOUR, to: first + 58 * HOUR, tier }), [[1800]], `${tier}: the first step begins before the time asked for`);
    assert.deepEqual(await figure({ ...whole, to: first + 94 * HOUR, tier }), [[2000]], `${tier}: the silence lies in the time asked for`);
    assert.deepEqual(await figure({ from: first + 70 * HOUR, to: first + 94 * HOUR, tier }), [[100]], `${tier}: 13 hours before it`);
    assert.deepEqual(await figure({ from: first + 84 * HOUR, to: first + 94 * HOUR, tier }), [[0]], `${tier}: more than a day before it`);
    const hours = (await figure({ ...whole, interval: '1h', tier }))[0];
    assert.deepEqual([hours.length, hours.filter((value) => value === 100).length], [20, 19], tier);
  }
  const days = { from: Math.floor(first / DAY) * DAY, to: today, interval: '1d' };
  assert.deepEqual(await figure({ ...days, tier: 'day' }), await figure({ ...days, tier: 'raw' }));
  assert.deepEqual(await figure({ ...days, interval: undefined, tier: 'day' }), [[100 * (at.filter((time) => time < today).length - 1)]]);
  for (const metricName of ['sparse.times', 'sparse.sizes']) {
    for (const [aggregation, value] of [['count', 190], ['increase', 190], ['sum', 1330], ['avg', 7]]) assert.deepEqual(await figure({ ...whole, metricName, aggregation }), [[value]], `${aggregation} of ${metricName}`);
    assert.deepEqual(await figure({ from: first + 4 * HOUR, to: first + 58 * HOUR, metricName }), [[180]], metricName);
    assert.deepEqual(await figure({ from: first + 70 * HOUR, to: first + 94 * HOUR, metricName }), [[10]], metricName);
    assert.deepEqual(await figure({ from: first + 84 * HOUR, to: first + 94 * HOUR, metricName }), [], metricName);
  }
  assert.deepEqual(await figure({ ...whole, metricName: 'sparse.times', aggregation: 'p50' }), [[7.5]]);
});

test('hours long over that have just been sent are in the answer at once, whether they are rolled up or not', async () => {
  const first = Math.floor(END / HOUR) * HOUR - 88 * HOUR, at = Array.from({ length: 120 }, (_, i) => first + i * 30 * MINUTE);
  const dataPoints = at.map((time) => ({ timeUnixNano: ns(time), asInt: '1' }));
  assert.equal((await server.post('/v1/metrics', { resourceMetrics: [{ resource: { attributes: attributes({ 'service.name': 'late' }) }, scopeMetrics: [{ metrics: [{ name: 'late', gauge: { dataPoints } }] }] }] }, { key })).text, '{}');
  const question = { metricName: 'late', aggregation: 'sum', from: first, to: first + 60 * HOUR, tier: 'hour' };
  const sum = (answer) => add(answer.data.flatMap(({ points }) => points.map(({ value }) => value)));
  const deadline = Date.now() + 60_000;
  for (let tier = 'raw', stored = 0; stored < 120 || tier === 'raw';) {
    assert.ok(Date.now() < deadline, `after a minute ${stored} are stored, and answers are ${tier}`);
    stored = sum(await ask({ ...question, tier: 'raw' }));
    for (const words of [{}, { interval: '1h' }]) {
      const answer = await ask({ ...question, ...words });
      tier = answer.metadata.tier;
      if (stored === 120) assert.equal(sum(answer), 120, tier);
    }
  }
});

test('filters, pages and intervals without points', async () => {
  const one = await ask({ metricName: 'requests', aggregation: 'increase', labels: { route: '/a' }, serviceName: 'cart', groupBy: ['route', 'serviceName', 'region'] });
  assert.deepEqual(one.data.map((series) => series.labels), [{ route: '/a', serviceName: 'cart', region: 'eu' }]);
  assert.equal(one.metadata.tier, 'raw');
  const both = await ask({ metricNames: ['requests', 'jobs'], aggregation: 'increase', groupBy: ['serviceName', 'route'], pagination: { page: 2, limit: 3 } });
  assert.deepEqual([both.total, both.data.length, both.pagination], [8, 3, { page: 2, limit: 3, totalPages: 3, hasNext: true, hasPrev: true }]);
  const filled = await ask({ metricName: 'memory', interval: '5m', fill: 'null', to: new Date(END + 10 * MINUTE).toISOString() });
  assert.deepEqual(filled.data[0].points.map((p) => p.value === null), [false, false, false, false, false, false, true, true]);
  const zero = await ask({ metricName: 'jobs', aggregation: 'increase', interval: '5m', fill: 'zero', to: new Date(END + 5 * MINUTE).toISOString() });
  assert.equal(zero.data[0].points.at(-1).value, 0);
  const byAddress = await server.get(`${METRICS}?metricName=requests&aggregation=increase&from=${BEGIN}&to=${END}&label=route:/a&serviceName=cart`, key);
  assert.deepEqual(byAddress.json.data[0].points, one.data[0].points);
});

test('a period up to now stands for from and to', async () => {
  const { metadata } = (await server.post(METRICS, { metricName: 'memory', period: '15m' }, { key })).json;
  assert.equal(Date.parse(metadata.to) - Date.parse(metadata.from), 15 * MINUTE);
  assert.ok(Math.abs(Date.parse(metadata.to) - Date.now()) < MINUTE, metadata.to);
});

test('what cannot be answered says why', async () => {
  for (const [words, field] of [[{}, 'metricName'], [{ metricName: 'memory', aggregation: 'median' }, 'aggregation'], [{ metricName: 'memory', aggregation: 'rate' }, 'aggregation'],
    [{ metricName: 'latency.delta', aggregation: 'last' }, 'aggregation'], [{ metricName: 'memory', interval: '1ms' }, 'interval'], [{ metricName: 'memory', from: 'noon' }, 'from'],
    [{ metricName: 'memory', from: END, to: BEGIN }, 'from'], [{ metricName: 'memory', period: '15' }, 'period'], [{ metricName: 'memory', aggregation: { a: 1 } }, 'aggregation'], [{ metricName: 'memory', groupBy: [{}] }, 'groupBy'], [{ metricName: 'memory', pagination: [1] }, 'pagination'],
    [{ metricName: 'memory', period: '15m', to: END }, 'period'], [{ metricName: 'memory', fill: 'zero' }, 'fill'], [{ metricName: 'memory', labels: [] }, 'labels']]) {
    const answer = await server.post(METRICS, words, { key });
    assert.deepEqual([answer.status, answer.json.error?.field], [400, field], answer.text);
  }
});

test('names, labels and their values', async () => {
  const get = async (path) => (await server.get(`${METRICS}/${path}${path.includes('?') ? '&' : '?'}from=${BEGIN}&to=${END}`, key)).json.data;
  assert.deepEqual((await get('names')).map(({ name, type, series }) => [name, type, Number(series)]), [['jobs', 'counter', 4], ['latency.cumulative', 'histogram', 4], ['latency.delta', 'histogram', 4], ['memory', 'gauge', 4], ['old', 'counter', 3],
    ['requests', 'counter', 4], ['size', 'exponential_histogram', 1]]);
  assert.deepEqual((await get('names?prefix=lat')).map(({ name }) => name), ['latency.cumulative', 'latency.delta']);
  assert.deepEqual(await get('labels?metricName=requests'), [{ name: 'route', series: 4 }]);
  assert.deepEqual(await get('labels/route?metricName=requests'), [{ value: '/a', series: 2 }, { value: '/b', series: 2 }]);
  assert.deepEqual((await get('labels/serviceName?label=route:/a')).map(({ value }) => value).filter((value) => !['old', 'sparse', 'late'].includes(value)), ['cart', 'payment']);
  assert.deepEqual((await get('labels/region')).map(({ value }) => value), ['eu', 'us']);
});

test('from a metric to a trace: exemplars', async () => {
  const answer = await server.get(`${METRICS}/exemplars?metricName=requests&serviceName=cart&label=route:/b&from=${BEGIN}&to=${END}`, key);
  assert.equal(answer.json.data.length, 1, answer.text);
  const [{ timestamp, value, traceId, spanId, filteredAttributes, metricName, labels }] = answer.json.data;
  assert.deepEqual({ time: Date.parse(timestamp), value, traceId, spanId, filteredAttributes, metricName, labels },
    { time: times.at(-1) - 1000, value: 1.5, traceId: TRACE, spanId: 'eee19b7ec3c1b174', filteredAttributes: { user: 'u1' }, metricName: 'requests', labels: { route: '/b' } });
  assert.equal((await server.get(`${METRICS}/exemplars?traceId=${TRACE}&from=${BEGIN}&to=${END}`, key)).json.data.length, 4);
  const prometheus = await server.get(`/api/v1/query_exemplars?query=requests_ratio_total&start=${BEGIN / 1000}&end=${END / 1000}`, key);
  assert.equal(prometheus.json.status, 'success');
});

test('OTLP metrics are series of Prometheus: translated names, histograms by le, steps of delta counters summed up', async () => {
  const query = async (text, time = times.at(-1)) => {
    const answer = await server.get(`/api/v1/query?query=${encodeURIComponent(text)}&time=${time / 1000}`, key);
    assert.equal(answer.status, 200, answer.text);
    return answer.json.data.result;
  };
  const names = (await server.get('/api/v1/label/__name__/values', key)).json.data;
  for (const name of ['latency_cumulative_milliseconds_bucket', 'latency_cumulative_milliseconds_sum', 'latency_cumulative_milliseconds_count', 'size_sum', 'size_count']) assert.ok(names.includes(name), `${name} in ${names}`);
  const last = (metric, service, route) => sent.find((s) => s.metric === metric && s.service === service && s.labels.route === route).points.at(-1);
  const [count] = await query('latency_cumulative_milliseconds_count{job="cart",route="/a"}');
  assert.equal(Number(count.value[1]), last('latency.cumulative', 'cart', '/a').histogram.count);
  const buckets = await query('latency_cumulative_milliseconds_bucket{job="cart",route="/a"}');
  const wanted = last('latency.cumulative', 'cart', '/a').histogram.counts;
  assert.deepEqual(Object.fromEntries(buckets.map(({ metric, value }) => [metric.le, Number(value[1])])),
    Object.fromEntries([...BOUNDS, '+Inf'].map((le, i) => [String(le), add(wanted.slice(0, i + 1))])));
  assert.equal((await query('latency_cumulative_milliseconds_bucket{job="cart",route="/a",le="25"}')).length, 1);
  const [p90] = await query('histogram_quantile(0.9, sum by (le) (latency_cumulative_milliseconds_bucket))');
  const merged = wanted.map((_, i) => add(['cart', 'payment'].flatMap((service) => ['/a', '/b'].map((route) => last('latency.cumulative', service, route).histogram.counts[i]))));
  assert.ok(Math.abs(Number(p90.value[1]) - quantile(0.9, [0, ...BOUNDS, Infinity], merged)) < 1e-9);
  assert.ok(names.includes('target_info'), names);
  const targets = await query('target_info');
  assert.deepEqual(targets.map(({ metric }) => [metric.job, metric.region]).sort(), [['cart', 'eu'], ['payment', 'us']]);
  assert.deepEqual((await query('target_info{region="eu"}')).map(({ metric, value }) => [metric.__name__, metric.job, value[1]]), [['target_info', 'cart', '1']]);
  const joined = await query('sum by (region) (latency_cumulative_milliseconds_count * on (job, instance) group_left (region) target_info)');
  assert.equal(Number(joined.find(({ metric }) => metric.region === 'eu').value[1]), add(['/a', '/b'].map((route) => last('latency.cumulative', 'cart', route).histogram.count)));
  const jobs = names.find((name) => name.startsWith('jobs'));
  const [delta] = await query(`max_over_time(${jobs}{job="cart",route="/a"}[1h])`);
  assert.equal(Number(delta.value[1]), add(sent.find((s) => s.metric === 'jobs' && s.service === 'cart' && s.labels.route === '/a').points.map((p) => p.value)));
});

test('a delta point that came alone has grown since its start', async () => {
  const at = Date.now() - 20_000, point = { timeUnixNano: ns(at), startTimeUnixNano: ns(at - MINUTE) };
  const body = { resourceMetrics: [{ resource: { attributes: attributes({ 'service.name': 'alone' }) }, scopeMetrics: [{ metrics: [
    { name: 'failures', sum: { aggregationTemporality: 1, isMonotonic: true, dataPoints: [{ ...point, asInt: '5' }] } },
    { name: 'waits', histogram: { aggregationTemporality: 1, dataPoints: [{ ...point, count: '4', sum: 10, bucketCounts: ['0', '4', '0'], explicitBounds: [2, 4] }] } },
    { name: 'adjacent', sum: { aggregationTemporality: 1, isMonotonic: true, dataPoints: [3, 2, 1].map((age, i) => ({ timeUnixNano: ns(at - (age - 1) * MINUTE), startTimeUnixNano: ns(at - age * MINUTE), asInt: String(i + 1) })) } },
  ] }] }] };
  assert.equal((await server.post('/v1/metrics', body, { key })).status, 200);
  const query = async (text) => (await server.get(`/api/v1/query?time=${(at + 20_000) / 1000}&query=${encodeURIComponent(text)}`, key)).json.data.result.map(({ value }) => Number(value[1]));
  await waitFor('they are stored', async () => (await query('failures_total')).length && (await query('waits_count')).length && (await query('adjacent_total')).length);
  assert.deepEqual(await query('failures_total'), [5]);
  // 5 in a minute, and stretched over the 20 s behind it: never before the level 0.
  const [grown] = await query('increase(failures_total[5m])');
  assert.ok(Math.abs(grown - 5 * 80 / 60) < 1e-9, grown);
  assert.deepEqual(await query('histogram_quantile(0.5, rate(waits_bucket[5m]))'), [3]);
  // One after another: a sample at each end, one at the first start, none twice.
  assert.deepEqual([await query('count_over_time(adjacent_total[5m])'), await query('adjacent_total'), await query('sum_over_time(adjacent_total[5m])')], [[4], [6], [0 + 1 + 3 + 6]]);
});

test('of delta points further apart than a range, and of exponential ones, each counts as well', async () => {
  const at = Math.floor(Date.now() / MINUTE) * MINUTE - MINUTE, point = (age, length) => ({ timeUnixNano: ns(at - age), startTimeUnixNano: ns(at - age - length) });
  const body = { resourceMetrics: [{ resource: { attributes: attributes({ 'service.name': 'rare' }) }, scopeMetrics: [{ metrics: [
    { name: 'rare.errors', sum: { aggregationTemporality: 1, isMonotonic: true, dataPoints: [20, 10, 0].map((age) => ({ ...point(age * MINUTE, 10 * MINUTE), asInt: '5' })) } },
    { name: 'rare.sizes', exponentialHistogram: { aggregationTemporality: 1, dataPoints: [10, 0].map((age) => ({ ...point(age * MINUTE, MINUTE), count: '4', sum: 24, scale: 0, positive: { offset: 2, bucketCounts: ['4'] } })) } },
    { name: 'young', sum: { aggregationTemporality: 1, isMonotonic: true, dataPoints: [2, 1, 0].map((age) => ({ ...point(age * MINUTE, MINUTE), asInt: '60' })) } },
  ] }] }] };
  assert.equal((await server.post('/v1/metrics', body, { key })).text, '{}');
  const query = async (text, time = at) => (await server.get(`/api/v1/query?time=${time / 1000}&query=${encodeURIComponent(text)}`, key)).json.data.result.map(({ value }) => Number(value[1]));
  await waitFor('they are stored', async () => (await query('rare_errors_total')).length && (await query('rare_sizes_count')).length && (await query('young_total')).length);
  assert.deepEqual(await query('increase(young_total[5m])'), [180]);
  assert.deepEqual(await query('increase(rare_errors_total[5m])'), [5]);
  assert.deepEqual(await query('increase(rare_errors_total[5m])', at - 6 * MINUTE), []); // nothing in this range
  assert.deepEqual(await query('increase(rare_sizes_count[5m])'), [4]);
  assert.deepEqual(await query('histogram_quantile(0.5, rate(rare_sizes[5m]))'), [6]); // the middle of 4 to 8
  // Parts of histograms are stretched by half a distance, below zero too.
  assert.deepEqual(await query('histogram_count(increase(rare_sizes[5m]))'), [4 * 90 / 60]);
});

test('who asks for buckets of an exponential histogram is told how its quantiles are asked for', async () => {
  const query = async (text) => (await server.get(`/api/v1/query?time=${times.at(-1) / 1000}&query=${encodeURIComponent(text)}`, key)).json;
  const answer = await query('histogram_quantile(0.5, rate(size_bucket[5m]))');
  assert.deepEqual([answer.status, answer.data.result, answer.warnings.length], ['success', [], 1]);
  const [, advice] = answer.warnings[0].match(/as in (histogram_quantile\(.+\))$/);
  const [{ value }] = (await query(advice)).data.result;
  assert.ok(Number(value[1]) > 1 && Number(value[1]) < 2 ** 10, value);
  for (const text of ['latency_cumulative_milliseconds_bucket', 'none_bucket', 'size_count']) assert.equal((await query(text)).warnings, undefined, text);
});

test('another tenant sees nothing of it', async () => {
  for (const path of ['', '/names', '/labels', '/labels/route', '/exemplars']) {
    const answer = await server.get(`${METRICS}${path}?metricName=requests&from=${BEGIN}&to=${END}`, other);
    assert.deepEqual(answer.json.data, [], path);
  }
});
