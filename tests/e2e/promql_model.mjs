// SPDX-License-Identifier: Apache-2.0
// Series and expressions that follow from a seed: counters with resets, gauges with gaps and ends, histograms; and PromQL of them.
import { randomFrom } from './chart_reference.mjs';

export const START = 1_700_000_000_000;
export const END = START + 2 * 3600_000;

/** Scrapes every 15 s with a little jitter, some missed; `value(at, before)` gives numbers or 'stale'. */
function scraped(random, value, { everyMs = 15_000, missed = 0.02, fromMs = START, toMs = END } = {}) {
  const samples = [];
  const phase = random.below(everyMs);
  for (let time = fromMs + phase; time <= toMs; time += everyMs) {
    if (random.chance(missed)) continue;
    const one = value(time);
    if (one !== undefined) samples.push([time + random.below(20), one]);
  }
  return samples;
}

export function makeSeries(seed) {
  const random = randomFrom(seed);
  const series = [];
  const add = (name, labels, samples) => series.push({ labels: { __name__: name, ...labels }, samples });
  for (const instance of ['a:9090', 'b:9090', 'c:9090', 'd:9090']) {
    const job = instance < 'c' ? 'api' : 'web';
    let ended = 0;
    // An instance that goes away and comes back: its series end with a marker.
    add('up', { instance, job }, scraped(random, () => {
      if (ended > 0) return void ended--;
      if (!random.chance(0.02)) return random.chance(0.1) ? 0 : 1;
      ended = random.below(40);
      return 'stale';
    }));
    add('build_info', { instance, version: instance < 'b' ? '1.0' : instance < 'd' ? '1.1' : '2.0' }, scraped(random, () => 1));
    for (const code of ['200', '404', '500']) {
      let count = code === '404' ? 0 : random.below(1000);
      add('http_requests_total', { instance, job, code }, scraped(random, () => {
        count = random.chance(0.004) ? random.below(5) : count + random.below(code === '200' ? 50 : 3);
        return count;
      }));
    }
    const bounds = ['0.05', '0.1', '0.25', '0.5', '1', '2.5', '+Inf'];
    const counts = bounds.map(() => 0);
    const times = scraped(random, () => 0);
    const rows = bounds.map(() => []);
    for (const [time] of times) {
      counts.forEach((unused, index) => { counts[index] += random.below(10 - index); });
      let sum = 0;
      bounds.forEach((unused, index) => { sum += counts[index]; rows[index].push([time, sum]); });
    }
    bounds.forEach((le, index) => add('latency_seconds_bucket', { instance, job, le }, rows[index]));
    add('latency_seconds_count', { instance, job }, rows[bounds.length - 1]);
  }
  for (const room of ['kitchen', 'hall', 'cellar', 'ro\\of"1"', 'gärten']) {
    let value = random.below(200) / 8;
    add('temperature', { room, floor: room === 'cellar' ? '-1' : '1' }, scraped(random, () => {
      value += (random.below(17) - 8) / 8;
      return random.chance(0.01) ? NaN : random.chance(0.005) ? Infinity : value;
    }, { everyMs: 60_000, missed: 0.1 }));
  }
  // Samples so far apart that the lookback ends between them.
  add('sparse', { kind: 'x' }, scraped(random, () => random.below(100), { everyMs: 400_000, missed: 0 }));
  add('sparse', { kind: 'y' }, scraped(random, () => random.below(100), { everyMs: 250_000, missed: 0.2 }));
  add('constant', {}, scraped(random, () => 42, { everyMs: 30_000, missed: 0 }));
  add('late', { job: 'api' }, scraped(random, () => random.below(10), { fromMs: START + 3600_000 }));
  add('early', { job: 'web' }, scraped(random, () => random.below(10), { toMs: START + 3600_000 }));
  // No two values are the same, so that there is one order: at most one is NaN, at most one infinite.
  for (const n of ['0', '1', '2', '3', '4', '5'])
    add('wild', { n, even: String(n % 2) }, scraped(random, () => n === '0' && random.chance(0.2) ? NaN : n === '1' && random.chance(0.2) ? -Infinity : random.next() * 100 - 50, { missed: 0.1 }));
  add('tiny', { job: 'web' }, scraped(random, () => random.next() * 1e-7 - 5e-8, { everyMs: 60_000 }));
  add('huge', { job: 'web' }, scraped(random, () => random.next() * 1e22, { everyMs: 60_000 }));
  return series;
}

/** As src/promql/test_series.h reads them. */
export function seriesText(series) {
  return series.map(({ labels, samples }) => `${Object.keys(labels).sort().map((name) => `${name} ${labels[name]}`).join(' ')}|`
    + samples.map(([time, value]) => `${time} ${value === 'stale' ? 'stale' : value}`).join(' ')).join('\n') + '\n';
}

// ---- expressions ----

const GAUGES = ['temperature', 'temperature{room=~"k.*|h.*"}', 'up', 'up{job="api"}', 'sparse', 'late', 'early', 'constant', 'tiny', 'huge', 'wild', 'temperature{floor!="1"}'];
const COUNTERS = ['http_requests_total', 'http_requests_total{code="200"}', 'http_requests_total{code!~"2.."}', 'http_requests_total{job="web",instance!="c:9090"}',
  'latency_seconds_count', 'latency_seconds_bucket{le="0.5"}'];
const RANGES = ['30s', '1m', '2m', '5m', '7m30s', '20m', '1h'];
const OVER_TIME = ['sum_over_time', 'avg_over_time', 'min_over_time', 'max_over_time', 'count_over_time', 'last_over_time', 'stddev_over_time',
  'stdvar_over_time', 'present_over_time', 'absent_over_time', 'changes', 'resets', 'delta', 'idelta', 'deriv'];
const COUNTING = ['rate', 'increase', 'irate', 'resets', 'changes'];
const MAPS = ['abs', 'ceil', 'floor', 'exp', 'ln', 'log2', 'log10', 'sqrt', 'sgn', 'round', 'atan', 'deg', 'rad', 'asinh',
  'timestamp', 'absent', '-', '+'];
const DATES = ['minute', 'hour', 'day_of_week', 'day_of_month', 'day_of_year', 'days_in_month', 'month', 'year'];
const AGGREGATIONS = ['sum', 'avg', 'min', 'max', 'count', 'group', 'stddev', 'stdvar'];
const LABELS = ['instance', 'job', 'code', 'room', 'le', 'kind'];

/** A text that follows from the seed; what it means is for both to say. */
export function makeExpressions(count, seed) {
  const random = randomFrom(seed);
  const modifiers = () => random.chance(0.75) ? '' : random.one([' offset 1m', ' offset -2m', ' offset 1h', ` @ ${START / 1000 + 3000}`, ' @ end()', ' @ start() offset 5m']);
  const labels = () => LABELS.filter(() => random.chance(0.35)).join(', ');
  const grouping = () => random.one(['', ` by (${labels()}) `, ` without (${labels()}) `]);
  const scalar = () => random.one(['0', '1', '2.5', '-3', '1e3', 'time()', 'scalar(constant)', 'scalar(sum(up))', 'pi()', 'NaN', 'Inf', '0x10']);
  const range = (depth) => {
    if (depth > 0 && random.chance(0.3)) return `(${vector(depth - 1)})[${random.one(['5m', '10m', '33m'])}:${random.one(['', '1m', '37s', '2m'])}]${modifiers()}`;
    return `${random.one([...GAUGES, ...COUNTERS])}[${random.one(RANGES)}]${modifiers()}`;
  };
  const operator = () => random.one(['+', '-', '*', '/', '%', '^', 'atan2', '==', '!=', '<', '<=', '>', '>=', '> bool ', '== bool ']);
  const matching = () => random.one(['', '', ` on (${labels()}) `, ` ignoring (${labels()}) `, ` on (${labels()}) group_left `, ` ignoring (${labels()}) group_right (job) `, ' on (instance) group_left (version) ']);
  const choices = [
    (d) => random.one([...GAUGES, ...COUNTERS]) + modifiers(),
    (d) => `${random.one(COUNTING)}(${random.one(COUNTERS)}[${random.one(RANGES)}]${modifiers()})`,
    (d) => `${random.one(OVER_TIME)}(${range(d)})`,
    (d) => `quantile_over_time(${random.one(['0', '0.5', '0.9', '1', '1.5', '-1'])}, ${range(d)})`,
    (d) => `predict_linear(${range(d)}, ${random.one(['60', '3600', 'scalar(constant)'])})`,
    (d) => `holt_winters(${range(d)}, 0.5, 0.25)`,
    (d) => `${random.one(MAPS)}(${vector(d - 1)})`,
    (d) => `${random.one(AGGREGATIONS)}${grouping()}(${vector(d - 1)})`,
    (d) => `${random.one(AGGREGATIONS)}${grouping()}(${random.one(COUNTING)}(${random.one(COUNTERS)}[${random.one(RANGES)}]))`,
    (d) => `quantile${grouping()}(${random.one(['0.1', '0.5', '0.99', '2'])}, ${vector(d - 1)})`,
    (d) => `${random.one(['topk', 'bottomk'])}${grouping()}(${random.one(['1', '2', '3', '0', '100'])}, ${random.one(['wild', '-wild', 'wild > 0', 'tiny'])})`,
    (d) => `count_values${grouping()}("v", ${random.one(['up', 'build_info', 'sparse', 'ceil(temperature)'])})`,
    (d) => `(${vector(d - 1)}) ${operator()} ${scalar()}`,
    (d) => `${scalar()} ${operator()} (${vector(d - 1)})`,
    (d) => { const inner = vector(d - 1); return `(${inner}) ${operator()}${matching()} (${random.chance(0.5) ? inner : vector(d - 1)})`; },
    (d) => `(${vector(d - 1)}) ${random.one(['and', 'or', 'unless'])}${random.one(['', ` on (${labels()}) `, ` ignoring (${labels()}) `])}(${vector(d - 1)})`,
    (d) => `http_requests_total * on (instance) group_left (version) build_info${modifiers()}`,
    (d) => `histogram_quantile(${random.one(['0', '0.5', '0.9', '0.99', '1', '-1', '2'])}, ${random.one(['latency_seconds_bucket', 'rate(latency_seconds_bucket[5m])', 'sum by (le) (rate(latency_seconds_bucket[5m]))', 'sum by (le, job) (increase(latency_seconds_bucket[20m]))', 'latency_seconds_bucket{le!="0.25"}'])})`,
    (d) => `label_replace(${vector(d - 1)}, "${random.one(['made', 'instance', 'job'])}", "${random.one(['x-$1', '$1:${1}$$', '', '${name}'])}", "${random.one(['instance', 'room', 'none'])}", "${random.one(['(.*):.*', '(?P<name>.).*', '', '.+'])}")`,
    (d) => `label_join(${vector(d - 1)}, "${random.one(['made', 'job'])}", "-", "instance", "code")`,
    (d) => `clamp(${vector(d - 1)}, ${scalar()}, ${scalar()})`,
    (d) => `${random.one(['clamp_min', 'clamp_max', 'round'])}(${vector(d - 1)}, ${scalar()})`,
    (d) => `${random.one(['sort', 'sort_desc'])}(${vector(d - 1)})`,
    (d) => `vector(${scalar()})`,
    // Of no time (NaN, Inf) Prometheus answers whatever an overflow gives.
    (d) => `${random.one(DATES)}(${random.one(['', 'up * 1e9', 'timestamp(up)', 'vector(time() - 1e8)', 'constant * 31415926', '-constant * 1e7', 'http_requests_total * -86399'])})`,
  ];
  function vector(depth) {
    return depth <= 0 ? choices[random.below(3)](0) : random.one(choices)(depth);
  }
  return Array.from({ length: count }, () => vector(1 + random.below(3)));
}
