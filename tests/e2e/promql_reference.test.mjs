// SPDX-License-Identifier: Apache-2.0
// PromQL answers as Prometheus does: the same series, the same questions, to both.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { END, makeExpressions, makeSeries, seriesText, START } from './promql_model.mjs';
import { missing, startPrometheus } from './prometheus_server.mjs';

// Beside the server's program: this test needs no server.
const binary = process.env.MILLRACE_BINARY ?? fileURLToPath(new URL('../../build/millrace', import.meta.url));
const SEED = Number(process.env.MILLRACE_TEST_SEED ?? 20231114);
const COUNT = Number(process.env.MILLRACE_TEST_EXPRESSIONS ?? 400);
const TOLERANCE = 1e-9;
// Over a range (and in a subquery) Prometheus 2.42 moves with the steps what @ nails down, in functions that it evaluates at every step.
const MOVED = /(predict_linear|timestamp)\(.*@/;
const MOVED_AT_AN_INSTANT = /(predict_linear|timestamp)\(.*@.*:\w*\]/;

/** Answers lines of questions with lines, in their order. */
function startAnswers(file) {
  const child = spawn(join(dirname(binary), 'src/promql/promql_answers'), [file], { stdio: ['pipe', 'pipe', 'inherit'] });
  const waiting = [];
  createInterface({ input: child.stdout }).on('line', (line) => waiting.shift()(line));
  child.on('exit', (code, signal) => waiting.splice(0).forEach((give) => give(`the program ended: ${signal ?? code}`)));
  return {
    ask: (startMs, endMs, stepMs, expression) => new Promise((resolve) => {
      waiting.push(resolve);
      child.stdin.write(`${startMs} ${endMs} ${stepMs} ${expression}\n`);
    }),
    stop: () => child.stdin.end(),
  };
}

const labelText = (metric) => JSON.stringify(Object.keys(metric).sort().map((name) => [name, metric[name]]));

function sameNumber(a, b) {
  if (a === b) return true;
  const [x, y] = [Number(a.replace('Inf', 'Infinity')), Number(b.replace('Inf', 'Infinity'))];
  return Math.abs(x - y) <= TOLERANCE * Math.max(Math.abs(x), Math.abs(y), 1e-3) || (Number.isNaN(x) && Number.isNaN(y));
}

/** What differs, or undefined. Series may come in any order, unless the order is the question. */
function difference(ours, theirs, ordered) {
  if (ours.resultType !== theirs.resultType) return `type ${ours.resultType}, not ${theirs.resultType}`;
  const points = (row) => row.values ?? [row.value];
  const rows = (data) => data.resultType === 'scalar' || data.resultType === 'string' ? [{ metric: {}, value: data.result }] : data.result;
  // Where values are equal, any order is right.
  if (ordered && !ours.result.every((row, i) => sameNumber(row.value[1], theirs.result[i]?.value[1] ?? 'nothing')))
    return `the order is ${JSON.stringify(ours.result)}, not ${JSON.stringify(theirs.result)}`;
  const [a, b] = [rows(ours), rows(theirs)].map((list) => [...list].sort((x, y) => labelText(x.metric) < labelText(y.metric) ? -1 : 1));
  if (a.length !== b.length) return `${a.length} series, not ${b.length}: ${JSON.stringify(a.map((r) => r.metric))} and ${JSON.stringify(b.map((r) => r.metric))}`;
  for (const [i, row] of a.entries()) {
    const [name, other] = [labelText(row.metric), labelText(b[i].metric)];
    if (name !== other) return `series ${name}, not ${other}`;
    const [mine, his] = [points(row), points(b[i])];
    if (mine.length !== his.length) return `${name}: ${mine.length} points, not ${his.length}`;
    for (const [k, [time, value]] of mine.entries()) {
      if (time !== his[k][0]) return `${name}: time ${time}, not ${his[k][0]}`;
      if (!sameNumber(value, his[k][1])) return `${name} at ${time}: ${value}, not ${his[k][1]}`;
    }
  }
}

describe('PromQL', { skip: missing }, () => {
  let prometheus, answers, folder;
  before(async () => {
    const series = makeSeries(SEED);
    folder = mkdtempSync(join(tmpdir(), 'millrace-promql-'));
    writeFileSync(join(folder, 'series'), seriesText(series));
    answers = startAnswers(join(folder, 'series'));
    prometheus = await startPrometheus(series);
  });
  after(async () => {
    answers?.stop();
    await prometheus?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** One question to both. Errors must be errors of both, of the same kind; their texts are compared by other tests. */
  async function compare(startMs, endMs, stepMs, expression) {
    const theirs = await prometheus.ask(stepMs ? '/api/v1/query_range' : '/api/v1/query', stepMs
      ? { query: expression, start: startMs / 1000, end: endMs / 1000, step: stepMs / 1000 } : { query: expression, time: startMs / 1000 });
    const line = await answers.ask(startMs, endMs, stepMs, expression);
    const ours = line.startsWith('{') ? JSON.parse(line) : undefined;
    if (theirs.status === 'error') return ours ? `answered, but Prometheus says: ${theirs.error}` : undefined;
    if (!ours) return `${line} -- but Prometheus answers`;
    return difference(ours, theirs.data, !stepMs && /^(sort|sort_desc|topk|bottomk)\(/.test(expression) && !expression.includes(' by ') && !expression.includes(' without '));
  }

  async function compareAll(questions) {
    const different = [];
    for (const [startMs, endMs, stepMs, expression] of questions) {
      const what = await compare(startMs, endMs, stepMs, expression);
      if (what) different.push(`${expression}\n    ${stepMs ? `from ${startMs} to ${endMs} by ${stepMs}` : `at ${startMs}`}: ${what}`);
    }
    assert.deepEqual(different.length, 0, `${different.length} of ${questions.length} answers differ (seed ${SEED}):\n${different.slice(0, Number(process.env.MILLRACE_TEST_SHOW ?? 20)).join('\n')}`);
  }

  test('expressions that follow from a seed give the same answers at instants and over ranges', async () => {
    const questions = makeExpressions(COUNT, SEED).filter((expression) => !MOVED_AT_AN_INSTANT.test(expression)).flatMap((expression, i) => [
      [START + 3600_000 + (i % 7) * 13_001, 0, 0, expression],
      ...MOVED.test(expression) ? [] : [[START + 1800_000 + (i % 5) * 60_000, START + 1800_000 + (i % 5) * 60_000 + 20 * 97_000, 97_000, expression]]]);
    await compareAll(questions.map(([start, end, step, text]) => [start, step ? end : start, step, text]));
  });


  test('questions at the edges', async () => {
    const at = START + 3600_000;
    const texts = ['up[5m]', 'http_requests_total{code="200"}[3m] offset 5m', 'rate(http_requests_total[5m])[10m:1m]', '(up[1m])', 'temperature[2h]', '1e22', '1e-9', '-0', '0.1 + 0.2', '"text"',
      '1 / 0', '-1 / 0', '0 / 0', '5 % 3', '-5 % 3', '5.5 % -2', '2 ^ 0.5', '1 > bool 2', 'scalar(up)', 'time()', 'vector(1)', 'absent(up)', 'absent(nothing)',
      'absent(nothing{a="b",c=~"d",e="f",e="g"})', 'absent((nothing{a="b"}))', 'absent(sum(nothing{a="b"}))', 'absent(nothing{a="b"} @ 10 offset 5m)', 'absent_over_time(nothing{a="b"}[5m])',
      'absent_over_time((nothing{a="b"}[5m]))', 'absent_over_time(nothing{a="b"}[5m:1m])', 'absent_over_time({__name__=~"up|constant"}[5m])', 'absent_over_time({__name__=~"late|early"}[5m])', 'absent_over_time({__name__=~"tiny|huge"}[5m])', 'absent({__name__=~"tiny|huge"})',
      '{__name__=~"up|constant"}', '-{__name__=~"up|build_info",instance="a:9090"}', 'abs({__name__=~"late|early"})', 'rate({__name__=~"late|early"}[5m])', 'rate({__name__=~"up|build_info"}[5m])',
      'last_over_time({__name__=~"up|build_info"}[5m])', '{__name__=~"up|build_info"} + 1', '{__name__=~"up|build_info"} > 0', '{__name__=~"up|build_info"} > bool 0',
      'timestamp({__name__=~"up|build_info"})', 'timestamp(up)', 'timestamp((up))', 'timestamp(up offset 5m)', 'timestamp(up + 0)', 'timestamp(timestamp(up))', 'timestamp(up @ 1700003000)',
      'histogram_quantile(0.5, {__name__=~"latency_seconds_bucket|other_bucket"})', 'histogram_quantile(0.9, latency_seconds_bucket{le=~"0.1|0.5"})', 'histogram_quantile(0.9, up)',
      'histogram_quantile(0.9, label_replace(latency_seconds_bucket, "le", "nonsense", "le", "0.1"))', 'histogram_quantile(0.9, label_replace(latency_seconds_bucket, "le", "0.10", "le", "0.1") or latency_seconds_bucket)',
      'histogram_quantile(0.5, -latency_seconds_bucket)', 'histogram_quantile(NaN, latency_seconds_bucket)', 'up * on (instance) build_info', 'up * on (job) build_info', 'up * on (job) group_left build_info',
      'build_info * on (job) group_right up', 'up * on (instance) group_left (version) build_info', 'up == on (instance) group_left (version) build_info', 'up == bool on (instance) group_left (version) build_info',
      'up + on (job) sum by (job) (up)', 'sum by (job) (up) + on (job) up', 'sum by (job) (up) > on (job) up', 'up * ignoring (job) build_info', 'up * ignoring (job) group_left (version) build_info', 'up + up', 'up * on (instance) group_left (job) http_requests_total',
      'http_requests_total * on (instance) group_left (__name__) build_info', 'up - on (__name__, instance) up', 'up == ignoring (job) up', 'up + ignoring (instance) up', 'up and on () vector(1)', 'up unless on () vector(1)', 'up or vector(5)', 'vector(5) or up', 'up or on () vector(5)',
      '{__name__=~"up|build_info"} * on (instance) group_right () up', '{__name__=~"up|build_info"} > on (instance) group_left () up',
      'label_replace(up, "instance", "x", "job", ".*")', 'label_replace(up, "__name__", "other", "job", "api")', 'label_replace(up, "job", "", "job", ".*")', 'label_replace(up, "0bad", "x", "job", ".*")',
      'label_replace(up, "a", "$x ${} $ $1x $$1 ${1}x $2 $10", "instance", "(.):(.*)")', 'label_replace(up, "a", "$1", "instance", "(")', 'label_join(up, "0", "", "job")', 'label_join(up, "a", "", "0b")', 'label_join(up, "job", "")',
      'label_join(up, "a", "-", "job", "nothing", "instance")', 'count_values("v", up)', 'count_values("0", up)', 'count_values without (instance) ("instance", up)', 'count_values by (job) ("job", up)', 'count_values("v", tiny or huge)', 'topk(NaN, up)', 'topk(Inf, up)', 'topk(-1, up)',
      'topk(1.9, wild)', 'quantile(NaN, temperature)', 'quantile(-1, temperature)', 'quantile(2, temperature)', 'quantile by (floor) (0.5, temperature)', 'sum(nothing)', 'sum without () (up)', 'group(up)', 'sum by (nothing) (up)', 'avg(temperature)',
      'max(temperature)', 'min(temperature)', 'stddev(temperature)', 'holt_winters(temperature[1h], 0, 0.5)', 'holt_winters(temperature[1h], 0.5, 1)', 'holt_winters(nothing[1h], 5, 0.5)', 'clamp(up, 1, 0)', 'clamp(temperature, NaN, 1)', 'clamp_min(temperature, Inf)', 'round(temperature, 0)', 'round(-2.5 * up)',
      'sort(temperature)', 'sort_desc(temperature)', 'bottomk(3, wild)', 'topk(10, wild)', 'sum(up) by (job, job)', 'sum by (job) (up) / sum(up)', 'sum by (job) (up) / ignoring (job) group_left sum(up)',
      'min_over_time(wild{n="0"}[10m])', 'quantile_over_time(0.5, wild{n="0"}[10m])', 'avg_over_time(wild{n="1"}[10m])', 'sum_over_time(wild{n="1"}[10m])', 'stddev_over_time(wild{n="1"}[10m])', 'deriv(constant[5m])', 'deriv(up[20s])', 'rate(up[1s])', 'irate(up[20s])',
      'sum_over_time(vector(1)[5m:30s])', 'count_over_time(time()[5m:])', 'sum(up[5m:])', 'max_over_time(max_over_time(up[5m:1m])[10m:2m])', 'up @ 1700003000', 'up @ 0', 'up @ 1700003000.5 offset -1s', 'rate(http_requests_total[5m] @ 1700003000)', 'up offset 100y', 'year(vector(-62135596800))', 'hour() + minute()', 'ln(-1 * up)', 'sqrt(-up)', 'sgn(temperature)', 'pi()', 'sin(temperature)', 'cos(temperature)', 'tan(temperature)', 'asin(tiny)', 'acos(tiny)', 'acosh(temperature)', 'atanh(tiny)', 'sinh(temperature)', 'cosh(temperature)', 'tanh(temperature)', 'exp(temperature)',
      'sparse', 'sparse offset 3m', 'last_over_time(sparse[1m])', 'up{job=~""}', 'up{nothing=""}', 'up{job!=""}', 'up{instance=~"a.*|b.*",instance!~".*a.*"}', 'temperature{room="gärten"}', 'temperature{room=~"g.rten"}', 'temperature{room="ro\\\\of\\"1\\""}', 'start', 'sum'];
    await compareAll(texts.map((text) => [at, at, 0, text]));
    // The same over a range, but for what has no meaning there.
    await compareAll(texts.filter((text) => !MOVED.test(text)).map((text) => [at - 600_000, at, 45_000, text]));
  });

  test('what is refused is refused at the same place with the same words', async () => {
    const texts = ['', 'a +', 'sum(a', 'a{', 'a b', '1 2', "'abc", '5mm', '{}', '{b=~".*"}', 'a{__name__="b"}', 'a[5m] + 1', 'rate(a)', 'rate()', 'round(a, 1, 2)', 'label_join(a)', 'abs(a,)', 'rata(a[5m])', 'sum()',
      'topk(a)', 'topk("a", b)', 'sum(1)', '1 == 2', 'a + bool b', '1 and 2', 'a and on(x) group_left b', 'a + on(x) group_left(x) b', '1 + on(x) a', '-"a"', 'sum(a)[5m]', 'a offset 1m [5m]', 'a offset 1m offset 2m', 'sum(a) offset 1m',
      'a @ 1 @ 2', 'a[0s]', 'a[5m30h]', 'a ! b', 'a ; b', 'a{b}', 'a{b="c" d="e"}', 'a @ 1e300', 'sum by a (b)', 'sum by (a b) (c)', 'a[5', 'a[5m', 'a[5m:', 'a]', 'a}', 'a offset', 'a @', '(', 'sum(a) by', 'a{1="x"}', 'a{b=c}',
      'topk(5)', 'count_values(5, a)', 'label_replace(up, "x", "y", "z")', 'up{a!"x"}', '"a" + 1', 'rate(up[5m]) [5m]', 'rate(rate(up[5m]))', 'bool', 'a == bool', 'on(a)', 'a on(b) c', 'ä', 'a{ä="x"}', 'a and', 'sum by (x)', 'a{b="c",,}', 'a{,}',
      'a offset -', 'a offset 0s', 'time(1)', 'a > bool and b', 'atan2', '1h', 'a[1]',
      'up * on (job) build_info', 'up * on (job) group_left build_info', 'build_info * on (job) group_right up', 'up + on (job) sum by (job) (up)', 'up * on (instance) group_left (job) http_requests_total', '-{__name__=~"tiny|huge"}',
      'rate({__name__=~"tiny|huge"}[5m])', 'abs({__name__=~"tiny|huge"})', 'last_over_time({__name__=~"tiny|huge"}[5m]) + 1', '{__name__=~"tiny|huge"} * 2', 'timestamp({__name__=~"tiny|huge"})', 'topk(NaN, up)', 'label_replace(up, "instance", "x", "job", ".*")', 'label_replace(up, "0bad", "x", "job", ".*")', 'label_replace(up, "a", "$1", "instance", "(")', 'label_join(up, "0", "", "job")',
      'label_join(up, "a", "", "0b")', 'count_values("0", up)', 'topk(Inf, up)', 'holt_winters(temperature[1h], 0, 0.5)', 'holt_winters(temperature[1h], 0.5, 1)'];
    const at = START + 3600_000, different = [];
    for (const text of texts) {
      const theirs = await prometheus.ask('/api/v1/query', { query: text, time: at / 1000 });
      const ours = await answers.ask(at, at, 0, text);
      const expected = `${theirs.errorType}: ${theirs.error?.replace(/^invalid parameter "query": /, '')}`;
      // With other series (another seed) some of them have an answer.
      if (theirs.status === 'success' ? !ours.startsWith('{') : ours !== expected) different.push(`${text}\n    ${ours}\n    ${expected}`);
    }
    assert.equal(different.length, 0, `${different.length} texts differ:\n${different.join('\n')}`);
  });

  test('expressions are formatted in the same way', async () => {
    const different = [];
    // Infinity has no sign here: it would be read as an operator. Prometheus 2.42 forgets a grouping behind `ignoring ()`.
    for (const text of makeExpressions(COUNT / 2, SEED + 1).filter((one) => !/Inf|ignoring \(\) group/.test(one))) {
      const theirs = await prometheus.ask('/api/v1/format_query', { query: text });
      const ours = await answers.ask(0, 0, -1, text);
      if (theirs.data !== (ours.startsWith('"') ? JSON.parse(ours) : undefined)) different.push(`${text}\n---\n${ours}\n---\n${JSON.stringify(theirs.data)}`);
    }
    assert.equal(different.length, 0, `${different.length} differ (seed ${SEED}):\n${different.slice(0, 10).join('\n\n')}`);
  });

  test('patterns mean the same', async () => {
    const patterns = ['a.*', '.*:.*', 'a|b', 'A:.*', '(?i)A:.*', '(?i:A).*', '(?s).*', '(?m)^a.*', '(?U)a.*', '(?x)a .*', '(?P<x>a).*', '(?<x>a).*', "(?'x'a).*", '(?:a).*', '(?>a).*', '(?=a).*', '(?!a).*', '(?<=a).*', '(?#a).*',
      '(a)\\1.*', '\\Qa:\\E.*', '\\x61.*', '\\x{61}.*', '\\141.*', '\\1', '\\g1', '\\ka', '\\h', '\\R', '\\X', '\\e', '\\cA', '\\o{141}', '\\N', '\\K', '\\G', '\\Z', 'a.*\\z', '\\Aa.*', '\\pL.*', '\\p{Greek}.*', '\\PN.*', '\\w:\\d+', '\\W.*',
      '[[:alpha:]]:.*', '[[:word:]]:.*', '[^b-z]:.*', '[]a]:.*', '[a', 'a++', 'a*+', 'a?+', 'a**', 'a{1}.*', 'a{1,2}+.*', 'a{,2}.*', 'a{2,1}', '*a', '+', '?', '|', '()', '(', ')', 'a)', '\\', 'a:9090$', '^a:9090', '$', '\\b.*', '(*FAIL)', '(?R)', '(?1)', '(?-i)a.*', '(?i-s:A.*)', '(?z)a', '(?', '(?P', '\\_', '\\-', '\\:', 'a\\.*', '.{1001}', '[\\d]:', '\\C', '[a-\\d]', '[z-a]'];
    const at = START + 3600_000, different = [];
    for (const pattern of patterns) {
      const text = `up{instance=~"${pattern}"}`;
      const theirs = await prometheus.ask('/api/v1/query', { query: text, time: at / 1000 });
      const ours = await answers.ask(at, at, 0, text);
      const say = (data) => data ? JSON.stringify(data.result.map((row) => row.metric.instance).sort()) : 'refused';
      const both = [say(ours.startsWith('{') ? JSON.parse(ours) : undefined), say(theirs.data)];
      if (both[0] !== both[1]) different.push(`${pattern}  ${both[0]}, not ${both[1]}`);
    }
    assert.equal(different.length, 0, `${different.length} differ:\n${different.join('\n')}`);
  });
});
