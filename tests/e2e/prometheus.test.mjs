// SPDX-License-Identifier: Apache-2.0
// Prometheus' HTTP API: the same samples by remote write to ours and to a real Prometheus, the same questions to both, equal answers.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { join } from 'node:path';
import { Server, send, waitFor } from './harness.mjs';
import { missing as skip, snappyBlock, startPrometheus, writeRequest } from './prometheus_server.mjs';

const SCRAPES = 200, STEP = 15_000;
const END = Math.floor(Date.now() / 60_000) * 60_000 - 60_000, BEGIN = END - SCRAPES * STEP;
let server, oracle, key, other;

function random(seed) {
  return () => {
    seed = (seed + 0x6D2B79F5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Counters with resets, gauges with gaps, ends and odd values, a histogram. */
function makeSeries() {
  const next = random(7), list = [];
  const add = (labels, value, keep = () => true) => {
    const samples = [];
    for (let i = 0; i < SCRAPES; i++) {
      const v = value(i);
      if (keep(i)) samples.push([BEGIN + i * STEP + 3 * list.length, v]); // scrapes of targets are some ms apart
    }
    list.push({ labels, samples });
  };
  for (const job of ['shop', 'node'])
    for (const instance of ['a:9100', 'b:9100'])
      for (const code of ['200', '404', '500']) {
        let total = Math.floor(next() * 1000);
        const reset = 40 + Math.floor(next() * 100);
        add({ __name__: 'http_requests_total', job, instance, code }, (i) => (i === reset ? (total = 3) : (total += Math.floor(next() * 30))), () => next() > 0.02);
      }
  for (const room of ['kitchen', 'cellar', 'attic'])
    add({ __name__: 'temperature_celsius', room, job: 'home' }, () => Math.round((next() * 40 - 10) * 100) / 100, (i) => room !== 'cellar' || i < 60 || i > 120);
  add({ __name__: 'temperature_celsius', room: 'garden', job: 'home' }, (i) => (i % 50 === 49 ? 'stale' : i % 50 > 40 ? NaN : i === 20 ? Infinity : i === 30 ? -Infinity : -i / 3),
    (i) => i % 50 < 40 || i % 50 === 49 || i % 7 === 0);
  for (const instance of ['a:9100', 'b:9100']) add({ __name__: 'up', job: 'node', instance }, (i) => (instance[0] === 'b' && i > 90 && i < 110 ? 0 : 1));
  for (const route of ['/cart', '/login']) {
    const bounds = ['0.005', '0.05', '0.1', '0.5', '1', '+Inf'], counts = bounds.map(() => 0);
    let at = -1, sum = 0;
    const step = (i) => {
      if (i === at) return;
      at = i;
      for (let k = 0; k < 9; k++) {
        const bucket = Math.floor(next() * next() * bounds.length);
        for (let b = bucket; b < bounds.length; b++) counts[b]++;
        sum += 0.1 * bucket;
      }
    };
    // All series of one scrape are made at once, whichever is asked first.
    const scrapes = Array.from({ length: SCRAPES }, (_, i) => { step(i); return [...counts, sum]; });
    bounds.forEach((le, b) => add({ __name__: 'latency_seconds_bucket', route, le }, (i) => scrapes[i][b]));
    add({ __name__: 'latency_seconds_sum', route }, (i) => scrapes[i].at(-1));
    add({ __name__: 'latency_seconds_count', route }, (i) => scrapes[i][bounds.length - 1]);
  }
  for (const [city, note] of [['Zürich', 'a "b" \\c\n'], ['東京', '\u{1f30a}']]) add({ __name__: 'water_level', city, note }, (i) => i);
  // Over days, with one in between on which nothing came.
  for (const site of ['north', 'south']) {
    const samples = [];
    for (let i = 0, total = 0; i < 3 * 288; i++, total = i % 400 ? total + Math.floor(next() * 50) : 0)
      if (site === 'north' || i < 250 || i > 600) samples.push([END - (3 * 288 - i) * 300_000 + 7, total]);
    list.push({ labels: { __name__: 'slow_total', site, job: 'far' }, samples });
  }
  return list;
}

/** Native histograms: of one schema, of two, of both signs; all begin anew, some with other buckets. */
function makeHistograms() {
  const next = random(11), list = [];
  [['a', 3, 3], ['b', 3, 3], ['b', 4, 1], ['c', 2, 2]].forEach(([pool, first, second], n) => {
    const histograms = [], of = (schema) => ({ count: 0, sum: 0, schema, threshold: 0.001, zero: 0, positive: {}, negative: {} });
    let h = of(first);
    for (let i = 0; i < SCRAPES; i++) {
      if (i === 120) h = of(second); // counts fall, and where both differ the buckets become others
      for (let k = 0; k < 5 + n; k++) {
        const value = pool === 'c' && next() < 0.4 ? -(next() ** 2) : next() < 0.1 ? 0 : next() ** 3 * 10;
        const side = value < 0 ? h.negative : h.positive, index = Math.ceil(Math.log2(Math.abs(value)) * 2 ** h.schema);
        h.count++;
        h.sum += value;
        if (Math.abs(value) <= h.threshold) h.zero++;
        else side[index] = (side[index] ?? 0) + 1;
      }
      if (n !== 2 || i % 50 < 45) histograms.push([BEGIN + i * STEP + 11 * n, structuredClone(h)]);
    }
    list.push({ labels: { __name__: 'work_seconds', pool, number: String(n), job: 'node' }, histograms });
  });
  // So many small buckets that they are put together here.
  const wide = [...Array(40)].map((_, i) => [BEGIN + i * STEP, { count: 2 * (i + 1), sum: 1e6 * (i + 1), schema: 8, threshold: 0.001, zero: 0, positive: { 0: i + 1, 5100: i + 1 } }]);
  list.push({ labels: { __name__: 'wide_seconds', job: 'node' }, histograms: wide });
  return list;
}

async function write(series, to) {
  const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy', 'x-prometheus-remote-write-version': '0.1.0' };
  const ours = await server.post('/api/v1/write', snappyBlock(writeRequest(series)), { key: to, headers });
  assert.ok([200, 204].includes(ours.status), ours.text);
}

before(async () => {
  if (skip) return;
  const series = makeSeries();
  [server, oracle] = await Promise.all([Server.start({ tenants: ['a', 'b', 'many', 'native'], settings: ['--spool.seal_age', '100ms', '--query.timeout', '2m'] }), startPrometheus(series)]);
  key = server.tenants.a.secret_key;
  other = server.tenants.b.secret_key;
  await write(series, key);
  const wanted = series.reduce((sum, { samples }) => sum + samples.length, 0);
  await waitFor('all samples are stored', async () => Number((await server.sql('SELECT count() AS n FROM observability.metric_samples'))[0].n) === wanted);
});
after(async () => {
  await server?.remove();
  await oracle?.stop();
});

const seconds = (ms) => String(ms / 1000);
const ask = (path, words) => {
  const query = new URLSearchParams(words);
  return Promise.all([server.get(`/api/v1/${path}?${query}`, key), send(`${oracle.url}/api/v1/${path}?${query}`)]);
};
const labelsOf = (metric) => JSON.stringify(Object.entries(metric).sort());
const closeTo = (a, b) => a === b || Math.abs(Number(a) - Number(b)) <= 1e-9 * Math.max(Math.abs(Number(a)), Math.abs(Number(b)), 1e-300);

function assertPoints(ours, theirs, what) {
  assert.equal(ours.length, theirs.length, `${what}: points`);
  ours.forEach(([time, value], i) => {
    assert.equal(time, theirs[i][0], `${what}: time of point ${i}`);
    assert.ok(closeTo(value, theirs[i][1]), `${what}: at ${time} ${value} instead of ${theirs[i][1]}`);
  });
}

/** Equal, whatever the order of series; errors word by word. */
function assertSame(ours, theirs, what) {
  assert.equal(ours.status, theirs.status, `${what}: ${ours.text.slice(0, 300)} instead of ${theirs.text.slice(0, 300)}`);
  if (theirs.status !== 200) return assert.deepEqual(ours.json, theirs.json, what);
  const [a, b] = [ours.json, theirs.json];
  assert.equal(a.status, 'success', what);
  assert.equal(a.data.resultType, b.data.resultType, what);
  if (['scalar', 'string'].includes(b.data.resultType)) return assertPoints([a.data.result], [b.data.result], what);
  const byLabels = (result) => new Map(result.map((one) => [labelsOf(one.metric), one]));
  const [mine, real] = [byLabels(a.data.result), byLabels(b.data.result)];
  assert.deepEqual([...mine.keys()].sort(), [...real.keys()].sort(), what);
  for (const [labels, one] of mine) assertPoints(one.values ?? [one.value], real.get(labels).values ?? [real.get(labels).value], `${what} ${labels}`);
}

const FIXED = [
  'up', 'http_requests_total', '{__name__=~"up|temp.*"}', '{job="node"}', 'http_requests_total{code!="200"}', 'http_requests_total{code=~"4..|5.."}',
  'http_requests_total{instance=~"a.*",job!~"s.*"}', 'temperature_celsius{room=""}', 'temperature_celsius{hall=""}', 'temperature_celsius{room=~".*e.*"}',
  'rate(http_requests_total[5m])', 'irate(http_requests_total[1m])', 'increase(http_requests_total[10m])', 'delta(temperature_celsius[5m])', 'idelta(temperature_celsius[5m])',
  'sum(rate(http_requests_total[5m])) by (job)', 'sum without (instance) (rate(http_requests_total[5m]))', 'avg(temperature_celsius)', 'max by (room) (temperature_celsius)',
  'min(temperature_celsius) by (job)', 'count(http_requests_total) by (code)', 'stddev(temperature_celsius{room!="garden"})', 'stdvar(temperature_celsius{room!="garden"})',
  'topk(2, http_requests_total)', 'bottomk(1, http_requests_total) by (job)', 'quantile(0.9, http_requests_total)', 'count_values("value", up)', 'group(up) by (job)',
  'histogram_quantile(0.9, sum by (le, route) (rate(latency_seconds_bucket[5m])))', 'histogram_quantile(0.5, rate(latency_seconds_bucket[5m]))',
  'histogram_quantile(0.99, latency_seconds_bucket)', 'sum(rate(latency_seconds_sum[5m])) / sum(rate(latency_seconds_count[5m]))', 'latency_seconds_bucket{le="0.1"}',
  'http_requests_total offset 5m', 'http_requests_total offset -5m', 'rate(http_requests_total[5m] offset 10m)', `up @ ${seconds(END - 600_000)}`, 'up @ start()', 'up @ end()',
  'max_over_time(temperature_celsius[10m])', 'min_over_time(temperature_celsius[10m])', 'avg_over_time(temperature_celsius{room!="garden"}[10m])', 'sum_over_time(up[10m])',
  'count_over_time(temperature_celsius[10m])', 'last_over_time(temperature_celsius[10m])', 'quantile_over_time(0.5, temperature_celsius{room!="garden"}[10m])',
  'stddev_over_time(temperature_celsius{room="attic"}[10m])', 'present_over_time(temperature_celsius[2m])', 'absent_over_time(nothing[5m])', 'absent(nothing{a="b"})', 'absent(up)',
  'changes(up[20m])', 'resets(http_requests_total[30m])', 'deriv(temperature_celsius{room="attic"}[10m])', 'predict_linear(temperature_celsius{room="attic"}[10m], 3600)',
  'http_requests_total > 1000', 'http_requests_total > bool 1000', 'up == 0', 'http_requests_total{code="500"} / ignoring(code) http_requests_total{code="200"}',
  'sum by (job, instance) (http_requests_total) / on (job, instance) group_left up', 'http_requests_total * on (instance) group_left (job) up', 'up and http_requests_total', 'up or temperature_celsius',
  'http_requests_total unless on (instance) (up == 0)', '-up', '1 + 2 * 3 ^ 2', 'scalar(up{instance="a:9100"})', 'vector(1)', 'time()', 'timestamp(up)', 'minute()', 'hour(vector(0))',
  'day_of_week(timestamp(up))', 'days_in_month()', 'label_replace(up, "host", "$1", "instance", "(.*):.*")', 'label_join(up, "both", "-", "job", "instance")',
  'abs(temperature_celsius)', 'ceil(temperature_celsius)', 'floor(temperature_celsius)', 'round(temperature_celsius, 0.5)', 'clamp(temperature_celsius, 0, 10)', 'clamp_min(temperature_celsius, 0)',
  'clamp_max(temperature_celsius, 0)', 'exp(up)', 'ln(http_requests_total)', 'log2(http_requests_total)', 'log10(http_requests_total)', 'sqrt(http_requests_total)', 'sgn(temperature_celsius)',
  'max_over_time(rate(http_requests_total[2m])[10m:1m])', 'avg_over_time(up[10m:30s])', 'sum(up) by (job) > 1 or vector(0)', '"text"', 'rate(nothing[5m])', 'sort_desc(http_requests_total)',
];

const EDGES = [
  '{__name__=~".+"}', '{__name__!~"http.*|slow.*"}', '{__name__=~"latency_seconds_(sum|count)"}', '{__name__=~".*_bucket",le="0.1"}', '{le=~"|0.1",__name__=~"latency.*"}', '{__name__!="up",job="node"}', '{le="+Inf"}',
  '{__name__="up",__name__=~"u.*"}', 'count by (__name__) ({__name__=~".+"})', 'sum by (__name__) ({__name__=~"latency.*"})', 'count({job=""})', 'count({job=~".*",__name__!=""})', 'rate({__name__=~"latency_seconds_sum"}[5m])',
  'rate({__name__=~"latency_seconds_(sum|count)"}[5m])', '{__name__=~"(?i)UP"}', '{__name__=~"up|"}', 'water_level{city="Zürich"}', 'water_level{city=~"Z.rich"}', 'water_level{city=~"..",note!=""}', 'water_level{note="a \\"b\\" \\\\c\\n"}',
  'water_level{note=~"a.*"}', 'water_level{note=~"(?s)a.*"}', 'label_replace(water_level, "place", "$1", "city", "(.).*")', 'up @ end() offset -5m', 'rate(http_requests_total[5m] @ start() offset -10m)', 'slow_total', 'increase(slow_total[1d])',
  'sum(increase(slow_total[36h]))', 'slow_total offset 1d', 'changes(slow_total[3d])', 'resets(slow_total[3d])', 'max_over_time(slow_total[2d:1h])', 'count_over_time(slow_total[1d])', 'slow_total - slow_total offset 1d', 'absent(slow_total{site="south"})',
  'absent_over_time(slow_total{site="south"}[6h])', 'sum_over_time(temperature_celsius{room="garden"}[10m])', 'min(temperature_celsius{room="garden"})', 'count_values("v", temperature_celsius{room="garden"})', 'temperature_celsius{room="garden"} == temperature_celsius{room="garden"}',
  'quantile_over_time(0.5, temperature_celsius{room="garden"}[10m])', 'last_over_time(temperature_celsius{room="garden"}[1h])', 'timestamp(temperature_celsius{room="garden"})',
];

test('edges: names as patterns, unusual texts, days, odd numbers', { skip }, async () => {
  const day = 86_400_000;
  const questions = EDGES.flatMap((query, i) => i % 2 ? [{ query, time: seconds(END - 1.2 * day) }, { query, start: seconds(END - 3_600_000), end: seconds(END), step: '1000' }]
    : [{ query, time: seconds(END) }, { query, start: seconds(END - 3 * day), end: seconds(END), step: '6h' }]);
  await forAll(questions, async (words) => assertSame(...(await ask(words.step ? 'query_range' : 'query', words)), JSON.stringify(words)));
});

const NATIVE = ['histogram_count(work_seconds)', 'histogram_sum(work_seconds)', 'histogram_quantile(0.9, work_seconds)', 'histogram_quantile(0.5, work_seconds{pool="c"})', 'histogram_fraction(0, 1, work_seconds)',
  'histogram_fraction(-0.2, 0.3, work_seconds{pool="c"})', 'histogram_count(rate(work_seconds[5m]))', 'histogram_sum(increase(work_seconds[10m]))', 'histogram_quantile(0.99, rate(work_seconds{number!="2"}[5m]))',
  'histogram_quantile(0.5, sum by (pool) (rate(work_seconds{number!="2"}[5m])))', 'histogram_quantile(0.75, sum(work_seconds))', 'histogram_fraction(0.1, 2, sum without (number) (rate(work_seconds{number!="2"}[3m])))', 'histogram_sum(sum by (job) (rate(work_seconds[4m] offset 5m)))',
  'histogram_count(sum(rate(work_seconds{pool="b"}[5m])))', 'histogram_sum(rate(work_seconds[5m])) / histogram_count(rate(work_seconds[5m]))', 'histogram_quantile(-1, work_seconds)', 'histogram_quantile(2, work_seconds)', 'histogram_quantile(NaN, work_seconds)', 'histogram_fraction(1, 0, work_seconds)',
  'histogram_fraction(-Inf, +Inf, work_seconds)', 'histogram_count(up)', 'histogram_sum(rate(http_requests_total[5m]))', 'histogram_count(nothing)', 'histogram_quantile(0.5, work_seconds offset 10m)', 'histogram_count(work_seconds @ end())', 'histogram_count(delta(work_seconds[2m]))',
  'sum(histogram_count(rate(work_seconds[5m])))', 'histogram_quantile(0.9, sum(rate(work_seconds{pool="c"}[5m])))', 'histogram_quantile(0.1, rate(work_seconds{pool="c"}[10m]))'];

test('functions of native histograms', { skip }, async () => {
  const questions = NATIVE.flatMap((query, i) => [{ query, time: seconds(i % 2 ? END : BEGIN + 1_000_000) }, { query, start: seconds(BEGIN + 600_000), end: seconds(END), step: i % 3 ? '47' : '700' }]);
  const histograms = makeHistograms(), own = server.tenants.native.secret_key;
  const [real] = await Promise.all([startPrometheus(histograms), write(histograms, own)]);
  try {
    const wanted = histograms.reduce((sum, one) => sum + one.histograms.length, 0);
    await waitFor('all histograms are stored', async () => Number((await server.sql('SELECT count() AS n FROM observability.metric_histogram_samples'))[0].n) === wanted);
    await forAll(questions, async (words) => {
      const path = `/api/v1/${words.step ? 'query_range' : 'query'}?${new URLSearchParams(words)}`;
      assertSame(await server.get(path, own), await send(`${real.url}${path}`), JSON.stringify(words));
    });
    for (const query of ['histogram_count(wide_seconds)', 'histogram_sum(rate(wide_seconds[5m]))', 'histogram_quantile(0.4, wide_seconds)', 'histogram_quantile(0.9, rate(wide_seconds[5m]))']) {
      const path = `/api/v1/query?${new URLSearchParams({ query, time: seconds(BEGIN + 500_000) })}`;
      const [mine, theirs] = (await Promise.all([server.get(path, own), send(`${real.url}${path}`)])).map(({ json }) => Number(json.data.result[0].value[1]));
      assert.ok(Math.abs(mine - theirs) < 0.02 * theirs, `${query}: ${mine} instead of ${theirs}`);
    }
    const series = (await server.get(`/api/v1/series?match[]=work_seconds&start=${seconds(BEGIN)}&end=${seconds(END)}`, own)).json.data;
    assert.deepEqual(series.map(labelsOf).sort(), histograms.map(({ labels }) => labelsOf(labels)).filter((one) => one.includes('work_seconds')).sort());
    assert.ok((await server.get('/api/v1/label/__name__/values', own)).json.data.includes('work_seconds'));
  } finally {
    await real.stop();
  }
});

/** All of it, some at a time. */
async function forAll(list, work) {
  const rest = [...list];
  await Promise.all(Array.from({ length: 4 }, async () => {
    while (rest.length) await work(rest.shift());
  }));
}

test('a set of queries at one time has the answers of Prometheus', { skip }, async () => {
  const questions = FIXED.flatMap((query, i) => [END, i % 2 ? END - 1_234_567 : BEGIN + 61_000].map((time) => ({ query, time: seconds(time) })));
  await forAll(questions, async (words) => assertSame(...(await ask('query', words)), JSON.stringify(words)));
});

test('the same over ranges, with steps below and above the scrapes', { skip }, async () => {
  const questions = FIXED.flatMap((query, i) => ['60', i % 2 ? '7' : '300s'].map((step) => ({ query, start: seconds(END - 1_800_000), end: seconds(END), step })));
  await forAll(questions, async (words) => assertSame(...(await ask('query_range', words)), JSON.stringify(words)));
});

test('queries that follow from a seed have the answers of Prometheus', { skip }, async () => {
  const next = random(20261121), pick = (list) => list[Math.floor(next() * list.length)];
  const selectors = ['http_requests_total', 'http_requests_total{job="shop"}', 'latency_seconds_count', 'up', 'temperature_celsius{room!="garden"}'];
  const duration = () => `${1 + Math.floor(next() * 12)}m`;
  const inner = () => {
    const function_ = pick(['', 'rate', 'increase', 'max_over_time', 'avg_over_time', 'last_over_time', 'changes', 'delta', 'irate']);
    const offset = next() < 0.2 ? ` offset ${duration()}` : '';
    return function_ ? `${function_}(${pick(selectors)}[${duration()}]${offset})` : `${pick(selectors)}${offset}`;
  };
  const outer = () => (next() < 0.6 ? `${pick(['sum', 'avg', 'max', 'min', 'count'])} ${pick(['', 'by (job)', 'by (instance, code)', 'without (code)'])} (${inner()})` : inner());
  const questions = Array.from({ length: 120 }, () => {
    const query = next() < 0.3 ? `${outer()} ${pick(['+', '-', '*', '>', 'or', 'and'])} ${pick(['2', outer()])}` : outer();
    const end = END - Math.floor(next() * 1_200_000);
    return { query, start: seconds(end - 900_000), end: seconds(end), step: pick(['15', '45', '60', '120', '450', '800']) };
  });
  await forAll(questions, async (words) => assertSame(...(await ask('query_range', words)), JSON.stringify(words)));
});

test('what is wrong with a question is said in the words of Prometheus', { skip }, async () => {
  const range = { start: seconds(END - 60_000), end: seconds(END), step: '15' };
  for (const words of [{ query: '' }, { query: 'up{' }, { query: 'rate(up)' }, { query: 'sum(' }, { query: 'unknown_thing(up)' }, { query: 'up + on (job) http_requests_total' }, { query: '{}' },
    { query: '{a=~".*"}' }, { query: 'up', time: 'noon' }, { query: 'up', timeout: 'soon' }])
    assertSame(...(await ask('query', { time: seconds(END), ...words })), JSON.stringify(words));
  for (const words of [{ query: 'up', step: '0' }, { query: 'up', step: 'x' }, { query: 'up', step: '-1' }, { query: 'up', start: 'x' }, { query: 'up', end: '' }, { query: 'up', end: seconds(END - 120_000) },
    { query: 'up', step: '0.001' }, { query: 'up[5m]' }, { query: '"text"' }])
    assertSame(...(await ask('query_range', { ...range, ...words })), JSON.stringify(words));
});

test('names and values of labels, and series', { skip }, async () => {
  const bounds = { start: seconds(BEGIN), end: seconds(END) };
  const same = async (path, words = bounds) => {
    const [ours, theirs] = await ask(path, words);
    assert.equal(ours.status, theirs.status, `${path}: ${ours.text}`);
    const sorted = (data) => (Array.isArray(data) ? data.map((one) => (typeof one === 'string' ? one : labelsOf(one))).sort() : data);
    if (theirs.status !== 200) return assert.deepEqual(ours.json, theirs.json, path);
    assert.deepEqual({ ...ours.json, data: sorted(ours.json.data) }, { ...theirs.json, data: sorted(theirs.json.data) }, path);
  };
  for (const path of ['labels', 'label/__name__/values', 'label/job/values', 'label/le/values', 'label/nothing/values', 'label/2x/values']) await same(path);
  for (const match of ['up', '{job="node"}', 'latency_seconds_bucket{route="/cart"}', '{__name__=~"http.*",code="200"}', 'nothing'])
    for (const path of ['series', 'labels', 'label/job/values', 'label/__name__/values']) await same(path, [['match[]', match], ...Object.entries(bounds)]);
  await same('series', [['match[]', 'up'], ['match[]', '{job="home"}'], ...Object.entries(bounds)]);
  await same('series');
  await same('series', [['match[]', 'up{'], ...Object.entries(bounds)]);
  await same('series', [['match[]', '{}'], ...Object.entries(bounds)]);
});

test('what Grafana asks a data source is answered: forms, HTTP Basic, a prefix, version, metadata, exemplars, rules', { skip }, async () => {
  const form = (path, words, headers) => server.send(path, { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers }, body: new URLSearchParams(words).toString() });
  const bearer = { authorization: `Bearer ${key}` }, basic = { authorization: `Basic ${Buffer.from(`anybody:${key}`).toString('base64')}` };
  for (const headers of [bearer, basic]) {
    const answer = await form('/api/v1/query', { query: '1+1', time: seconds(END) }, headers);
    assert.equal(answer.text, `{"status":"success","data":{"resultType":"scalar","result":[${seconds(END)},"2"]}}`);
  }
  const words = { query: 'sum(rate(http_requests_total{code=~"2.."}[5m])) by (job)', start: seconds(END - 900_000), end: seconds(END), step: '15' };
  const theirs = await send(`${oracle.url}/api/v1/query_range`, { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: new URLSearchParams(words).toString() });
  assertSame(await form('/api/v1/query_range', words, bearer), theirs, 'a form');
  assertSame(await form('/prometheus/api/v1/query_range', words, basic), theirs, 'a form below the prefix');
  assert.equal((await form('/api/v1/series', { 'match[]': 'up' }, bearer)).json.data.length, 2);
  assert.equal((await form('/api/v1/query', { query: '1' }, { authorization: `Basic ${Buffer.from('anybody:nothing').toString('base64')}` })).status, 401);
  assert.equal((await server.get('/api/v1/status/buildinfo', key)).json.data.version, '2.42.0');
  assert.deepEqual((await server.get('/api/v1/rules', key)).json, { status: 'success', data: { groups: [] } });
  for (const path of ['alerts', 'alertmanagers', 'targets', 'targets/metadata', 'rules?type=alert', 'rules?type=soon']) {
    const [ours, theirs] = await ask(path, []);
    assert.deepEqual([ours.status, ours.json], [theirs.status, theirs.json], path);
  }
  assert.equal((await server.get('/api/v1/metadata?limit=5', key)).json.status, 'success');
  assert.deepEqual((await server.get(`/api/v1/query_exemplars?query=up&start=${seconds(BEGIN)}&end=${seconds(END)}`, key)).json, { status: 'success', data: [] });
  const pretty = 'sum by (job) (up)';
  assert.equal((await server.get(`/api/v1/format_query?query=${encodeURIComponent('sum(up)by(job)')}`, key)).json.data, pretty);
});

test('how much a query looked at is said as Prometheus counts it, when asked', { skip }, async () => {
  for (const query of ['up', 'sum(up)', 'rate(http_requests_total[5m])', 'max_over_time(rate(http_requests_total[2m])[10m:1m])', `up @ ${seconds(END - 60_000)} + up`, 'avg_over_time(up[10m:30s])', 'absent(up)', '1 + 1', 'topk(2, temperature_celsius)'])
    for (const words of [{ time: seconds(END) }, { start: seconds(END - 900_000), end: seconds(END), step: '60' }]) {
      const [ours, theirs] = await ask(words.step ? 'query_range' : 'query', { query, stats: 'all', ...words });
      assert.equal(ours.json.data.stats.samples.totalQueryableSamples, theirs.json.data.stats.samples.totalQueryableSamples, query);
      assert.ok(ours.json.data.stats.timings.evalTotalTime >= 0);
    }
  assert.equal((await server.get('/api/v1/query?query=1', key)).json.data.stats, undefined);
  assert.equal((await server.get('/api/v1/query?query=up&timeout=0', key)).json.errorType, 'timeout');
});

test('metrics and labels with many series are listed', { skip }, async () => {
  const lists = (data) => Object.fromEntries(['seriesCountByMetricName', 'labelValueCountByLabelName', 'memoryInBytesByLabelName'].map((name) => [name, data[name].sort((a, b) => (a.name < b.name ? -1 : 1))]));
  const [ours, theirs] = await ask('status/tsdb', []);
  assert.equal(ours.status, 200, ours.text);
  assert.deepEqual(lists(ours.json.data), lists(theirs.json.data));
  for (const count of ['numSeries', 'numLabelPairs']) assert.equal(ours.json.data.headStats[count], theirs.json.data.headStats[count], count);
  assert.equal((await server.get('/api/v1/status/tsdb?limit=1', key)).json.data.seriesCountByLabelValuePair.length, 1);
});

test('another tenant sees nothing of it', { skip }, async () => {
  const get = async (path) => (await server.get(`/api/v1/${path}`, other)).json.data;
  assert.deepEqual((await get(`query?query=${encodeURIComponent('{__name__=~".+"}')}&time=${seconds(END)}`)).result, []);
  assert.deepEqual(await get('labels'), []);
  assert.deepEqual(await get('label/__name__/values'), []);
  assert.deepEqual(await get(`series?match[]=${encodeURIComponent('{__name__=~".+"}')}`), []);
});

// 2 million samples, looked at three times, are 144 MB as rows: a question may hold 128 MiB of them. Two series of the store each are one of Prometheus.
test('a query looks at more samples than a question may hold, and at those of series that are one', { skip }, async () => {
  const { tenant, secret_key: own } = server.tenants.many, [series, samples] = [20, 100_000];
  const day = Math.floor(END / 86_400_000) * 86_400 - 3 * 86_400, until = day + 2 * samples;
  const run = async (body) => assert.equal((await send({ socketPath: join(server.directory, 'engine.sock'), path: '/?log_comment=*' }, { method: 'POST', body })).status, 200);
  await run(`INSERT INTO observability.metric_series (tenant_id, retention_days, series_id, day, source, metric_type, prometheus_name, labels)
    SELECT '${tenant}', 400, 7 + number * 1000003, toDate(${day}), 'prometheus', 'counter', 'many_total', map('job', 'many', 'n', toString(intDiv(number, 2))) FROM numbers(${series})`);
  await run(`INSERT INTO observability.metric_samples (tenant_id, retention_days, series_id, timestamp, mantissa, scale, ulps, segment)
    SELECT '${tenant}', 400, 7 + s * 1000003, fromUnixTimestamp64Nano(toInt64(${day} + 2 * i + s % 2) * 1000000000), toInt64(2 * i + s % 2), 0, 0, 1
    FROM (SELECT intDiv(number, ${samples}) AS s, number % ${samples} AS i FROM numbers(${series * samples})) SETTINGS max_partitions_per_insert_block = 1000`);
  const sum = async (query, step) => {
    const answer = await server.get(`/api/v1/query_range?${new URLSearchParams({ query, start: day + 7200, end: until, step })}`, own);
    assert.equal(answer.status, 200, answer.text.slice(0, 300));
    const values = answer.json.data.result[0].values.map(([, value]) => Number(value));
    assert.equal(values.length, Math.floor((until - day - 7200) / step) + 1);
    return values;
  };
  const rate = 'sum(rate(many_total[1h]))';
  assert.ok((await sum(`${rate} + ${rate} + ${rate}`, 3600)).every((value) => Math.abs(value - 3 * series / 2) < 1e-9), 'each of them rises by one a second');
  assert.ok((await sum('sum(count_over_time(many_total[10s]))', 3600)).every((value) => value === (series / 2) * 11), 'ranges with gaps between them are whole');
});
