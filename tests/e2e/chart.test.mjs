// SPDX-License-Identifier: Apache-2.0
// Charts against what the events themselves say, worked out in JavaScript: measures, formulas, breakdowns, gaps, zones, the
// period before; and the same charts as OpenPanel's clients ask for them.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { chartOf, randomEvents, randomFrom } from './chart_reference.mjs';
import { Server, waitFor } from './harness.mjs';

const EVENTS = 900;
const events = randomEvents(EVENTS, Date.parse('2026-03-05T00:00:00Z'), Date.parse('2026-04-06T00:00:00Z'), 42);
let server, keys;
before(async () => {
  server = await Server.start({ tenants: ['main', 'other'], settings: ['--spool.seal_age', '100ms'] });
  keys = server.tenants.main;
  for (let at = 0; at < EVENTS; at += 300) {
    const answer = await server.post('/v1/events', events.slice(at, at + 300), { key: keys.secret_key });
    assert.equal(answer.status, 200, answer.text);
  }
  const foreign = events.slice(0, 50).map((event) => ({ ...event, name: 'signup', country: 'XX' }));
  assert.equal((await server.post('/v1/events', foreign, { key: server.tenants.other.secret_key })).status, 200);
  for (const tenant of Object.values(server.tenants)) await server.settle(tenant.secret_key);
});
after(() => server?.remove());

const plain = (plan) => (Array.isArray(plan.series) ? { ...plan, series: plan.series.map((each) => (each?.compute ? { ...each, compute: undefined } : each)) } : plan);
async function ask(plan, status = 200) {
  const answer = await server.api('POST', '/v1/query/chart', plain(plan), keys.secret_key);
  assert.equal(answer.status, status, answer.text);
  return answer.json;
}

/** The lines of an answer, in the form of the reference. */
const linesOf = (chart) => chart.series.map((line) => {
  const { previous, change, ...metrics } = line.metrics;
  return { letter: line.letter, breakdown: line.is_rest ? 'rest' : Object.values(line.breakdown ?? {}), values: line.values ?? [line.metrics.total],
    previous: line.previous ?? (previous && [previous.total]), metrics, before: previous };
});
const keyOf = (line) => `${line.letter} ${JSON.stringify(line.breakdown)}`;

function assertNear(actual, expected, what) {
  if (Array.isArray(expected)) {
    assert.equal(actual?.length, expected.length, what);
    expected.forEach((each, index) => assertNear(actual[index], each, `${what}[${index}]`));
  } else if (expected && typeof expected === 'object') {
    assert.deepEqual(Object.keys(actual ?? {}).sort(), Object.keys(expected).sort(), what);
    for (const key of Object.keys(expected)) assertNear(actual[key], expected[key], `${what}.${key}`);
  } else if (typeof expected === 'number') {
    // A last decimal may fall to either side: averages of binary fractions.
    assert.ok(Math.abs(actual - expected) <= 0.0101 * Number(what.includes('metrics') || what.includes('before')) + 0.00011, `${what}: ${actual}, not ${expected}`);
  } else {
    assert.deepEqual(actual, expected, what);
  }
}

async function assertRight(plan) {
  const answer = await ask(plan);
  const expected = Object.fromEntries(chartOf(events, plan, answer).map((line) => [keyOf(line), line]));
  const actual = Object.fromEntries(linesOf(answer).map((line) => [keyOf(line), line]));
  for (const { metrics } of [...answer.series, answer])
    for (const [name, percent] of Object.entries(metrics.change ?? {})) {
      const earlier = metrics.previous[name];
      if (earlier === 0) assert.equal(percent, null, name);
      else assert.ok(Math.abs(percent - (metrics[name] - earlier) / Math.abs(earlier) * 100) <= 0.0501, `${name}: ${percent} from ${earlier} to ${metrics[name]}`);
    }
  assertNear(actual, expected, JSON.stringify(plan.series.map(({ name, formula, measure, property }) => [name ?? formula, measure, property])));
  return answer;
}

const march = { from: '2026-03-20', to: '2026-03-31', timezone: 'Europe/Berlin', interval: 'day' };
const measures = [
  { measure: 'events' }, { measure: 'people' }, { measure: 'sessions' }, { measure: 'groups' }, { measure: 'events_per_person' }, { measure: 'one_event_per_person' },
  ...['sum', 'average', 'min', 'max', 'median', 'p50', 'p75', 'p90', 'p95', 'p99'].flatMap((measure) =>
    ['revenue', 'duration', 'properties.amount', 'properties.tags.*'].map((property) => ({ measure, property }))),
];
for (const measure of new Set(measures.map((each) => each.measure)))
  test(`${measure}: per day, by country, as one figure, with the days before`, async () => {
    const series = measures.filter((each) => each.measure === measure).map((each) => ({ name: 'purchase', ...each }));
    await assertRight({ ...march, series, compare: 'previous' });
    await assertRight({ ...march, series, breakdowns: ['country'], interval: 'week', limit: 2, rest: true });
    await assertRight({ ...march, series, chart: 'bar', interval: undefined, breakdowns: ['properties.plan'] });
  });

test('formulas are worked out for every point and label, and may hide what they are made of', async () => {
  const series = [
    { name: 'signup', measure: 'people' }, { name: 'screen_view', measure: 'people' },
    { formula: 'A / B * 100', compute: (a, b) => a / b * 100, label: 'Conversion', hide_series: true },
    { formula: 'max(A, B) - min(A, B) + C % 7 ^ 2', compute: (a, b, c) => Math.max(a, b) - Math.min(a, b) + (c - 49 * Math.floor(c / 49)) },
  ];
  const answer = await assertRight({ ...march, series, compare: 'previous' });
  assert.deepEqual(answer.series.map(({ letter, label, formula }) => [letter, label, formula]),
    [['C', 'Conversion', 'A / B * 100'], ['D', 'max(A, B) - min(A, B) + C % 7 ^ 2', 'max(A, B) - min(A, B) + C % 7 ^ 2']]);
  await assertRight({ ...march, series, breakdowns: ['country', 'path'], limit: 3, rest: true });
});

test('several breakdowns: the combinations that lead, whatever their texts', async () => {
  const plan = { ...march, series: [{ name: '*' }], breakdowns: ['path', 'properties.plan', 'country'], limit: 7, rest: true };
  const answer = await assertRight(plan);
  assert.equal(answer.series.length, 8);
  assert.equal(answer.has_more, true);
  assert.ok(answer.series.at(-1).is_rest);
  const sums = answer.series.slice(0, -1).map(({ metrics }) => metrics.sum);
  assert.deepEqual(sums, [...sums].sort((a, b) => b - a));
  const { has_more: hasMore, series } = await ask({ ...plan, limit: 500, rest: false });
  assert.equal(hasMore, false);
  const inRange = events.filter(({ created_at: time }) => time >= '2026-03-19T23' && time < '2026-03-31T22').length;
  assert.equal(series.reduce((all, { metrics }) => all + metrics.sum, 0), inRange);
});

test('a breakdown by groups has a row for each of them', async () => {
  await assertRight({ ...march, series: [{ name: '*', measure: 'people' }, { name: 'purchase', measure: 'sum', property: 'revenue' }], breakdowns: ['groups'] });
});

test('breakdowns by what is known of the person, the group, the cohort', async () => {
  const by = (name) => ({ ...march, series: [{ name: '*', measure: 'people' }], chart: 'bar', interval: undefined, breakdowns: [name] });
  const known = await ask(by('has_profile'));
  assert.deepEqual(known.series.map(({ breakdown }) => breakdown.has_profile).sort(), ['false', 'true']);
  for (const name of ['profile.email', 'profile.properties.plan', 'group.type', 'group.name', 'properties.tags.*', 'duration', 'revenue', 'longitude', 'createdAt', 'id', 'properties.__query.x'])
    assert.ok((await ask(by(name))).series.length > 0, name);
  assert.equal((await ask(by('cohort:no such cohort'), 404)).error.code, 'not_found');
});

test('random charts show what the events say', async () => {
  const random = randomFrom(7);
  const zones = ['UTC', 'Europe/Berlin', 'Asia/Kolkata', 'Asia/Kathmandu', 'America/New_York', 'Australia/Adelaide'];
  for (let round = 0; round < 40; round++) {
    const series = Array.from({ length: 1 + random.below(3) }, () => ({
      name: random.one(['*', 'signup', 'purchase', 'screen_view', 'never']), ...random.one(measures),
      ...(random.chance(0.4) ? { filters: [{ name: random.one(['country', 'path', 'properties.plan']), operator: random.one(['is', 'isNot']), value: random.one(['DE', '/', 'pro', ['free', 'FR', '/pricing']]) }] } : {}),
    }));
    if (random.chance(0.4)) series.push({ formula: '(A - 3) * 2 / 7', compute: (a) => (a - 3) * 2 / 7, hide_series: random.chance(0.5) });
    const chart = random.one(['linear', 'area', 'bar', 'metric']);
    const interval = ['linear', 'area'].includes(chart) ? random.one(['hour', 'day', 'day', 'week', 'month']) : undefined;
    const first = 20 + random.below(10);
    await assertRight({
      chart, interval, series, timezone: random.one(zones), from: `2026-03-${first}`, to: `2026-04-0${1 + random.below(5)}`,
      ...(random.chance(0.5) ? { breakdowns: [['country'], ['properties.plan', 'country'], ['path'], ['groups']][random.below(4)], limit: 1 + random.below(8), rest: random.chance(0.5) } : {}),
      ...(random.chance(0.4) ? { compare: 'previous' } : {}),
      ...(random.chance(0.3) ? { filters: [{ name: 'properties.plan', operator: 'is', value: ['pro', 'team'] }] } : {}),
    });
  }
});

test('without people the rest of the chart is the same', async () => {
  const sums = [{ name: 'purchase', measure: 'sum', property: 'revenue' }, { name: '*' }, { formula: 'A / B', hide_series: true }, { name: 'signup' }];
  const others = [...sums, { name: 'purchase', measure: 'p75', property: 'revenue' }, { name: '*', measure: 'one_event_per_person' }];
  const without = (chart) => JSON.parse(JSON.stringify(chart), (key, value) => (key === 'people' ? undefined : value));
  for (const plan of [{ series: sums }, { series: others }, { series: others, breakdowns: ['country'] }, { series: others, breakdowns: ['country'], limit: 2, rest: true }, { series: sums, chart: 'bar' }]) {
    const full = await ask({ ...march, compare: 'previous', ...plan });
    assert.deepEqual(await ask({ ...march, compare: 'previous', ...plan, people: false }), without(full), JSON.stringify(plan));
  }
});

test('every bucket is there, also on the days when clocks change', async () => {
  const hours = await ask({ from: '2026-03-29', to: '2026-03-29', timezone: 'Europe/Berlin', interval: 'hour', series: [{ name: 'never' }] });
  assert.equal(hours.times.length, 23);
  assert.deepEqual(hours.times.slice(1, 3), ['2026-03-29T01:00:00+01:00', '2026-03-29T03:00:00+02:00']);
  assert.deepEqual(hours.series[0].values, Array(23).fill(0));
  const india = await ask({ from: '2026-03-29', to: '2026-03-29', timezone: 'Asia/Kolkata', interval: 'hour', series: [{ name: '*' }] });
  assert.equal(india.times.length, 24);
  assert.equal(india.times[0], '2026-03-29T00:00:00+05:30');
  const weeks = await ask({ ...march, interval: 'week', series: [{ name: '*' }] });
  assert.deepEqual(weeks.times.map((time) => time.slice(0, 10)), ['2026-03-16', '2026-03-23', '2026-03-30']);
});

test('a chart over time can be asked for in the address, with the same answer', async () => {
  const plan = { ...march, series: [{ name: 'purchase', measure: 'sum', property: 'revenue' }], breakdowns: ['country'], filters: [{ name: 'path', operator: 'is', value: '/' }] };
  const short = await server.get('/v1/query/chart?from=2026-03-20&to=2026-03-31&timezone=Europe/Berlin&interval=day&event=purchase&measure=sum&property=revenue&breakdown=country&filter=path:is:/', keys.secret_key);
  assert.deepEqual(short.json, await ask(plan), short.text);
  const list = (value) => encodeURIComponent(JSON.stringify(value));
  const long = await server.get(`/v1/query/chart?from=2026-03-20&to=2026-03-31&timezone=Europe/Berlin&interval=day&series=${list(plan.series)}&breakdowns=${list(plan.breakdowns)}&filters=${list(plan.filters)}`, keys.secret_key);
  assert.deepEqual(long.json, await ask(plan), long.text);
});

test('what is wrong with a chart is said, with the place', async () => {
  const series = [{ name: '*' }];
  for (const [body, field, part] of [
    [{}, 'series', /name of an event/], [{ series: 'signup' }, 'series', /list/], [{ series: [1] }, 'series[0]', /object/], [{ series: [{}] }, 'series[0].name', /name/],
    [{ series: [{ name: 'x'.repeat(300) }] }, 'series[0].name', /256/], [{ series: [{ name: 'a', measure: 'evnts' }] }, 'series[0].measure', /events_per_person/],
    [{ series: [{ name: 'a', measure: 'sum' }] }, 'series[0].property', /field/], [{ series: [{ name: 'a', measure: 'sum', property: 'revenu' }] }, 'name', /revenue/],
    [{ series: [{ name: 'a', measure: 'sum', property: 'created_at' }] }, 'property', /time/],
    [{ series: [...series, { formula: 'A +' }] }, 'formula', /character 4/], [{ series: [...series, { formula: 'B' }] }, 'series[1].formula', /before/],
    [{ series: [...series, { formula: 'A; DROP TABLE x' }] }, 'formula', /character 2/], [{ series: [...series, { type: 'magic', name: 'a' }] }, 'series[1].type', /event/],
    [{ series: [...series, { formula: '1'.repeat(1001) }] }, 'series[1].formula', /1000/], [{ series: Array(27).fill('a') }, 'series', /26/], [{ series: [{ formula: '5' }] }, 'series', /events/],
    [{ series, breakdowns: ['contry'] }, 'name', /country/], [{ series, breakdowns: [7] }, 'breakdowns', /field/], [{ series, breakdowns: Array(6).fill('path') }, 'breakdowns', /5/],
    [{ series, breakdowns: 'path' }, 'breakdowns', /list/], [{ series, filters: [{ name: 'path', operator: 'equalz', value: 'x' }] }, 'filters', /operator/],
    [{ series: [{ name: 'a', filters: [{ name: 'pth', operator: 'is', value: 'x' }] }] }, 'name', /path/], [{ series: [{ name: 'a', filters: {} }] }, 'series[0].filters', /list/],
    [{ series, chart: 'funnel' }, 'chart', /linear/], [{ series, limit: 0 }, 'limit', /500/], [{ series, limit: 501 }, 'limit', /500/], [{ series, rest: 'maybe' }, 'rest', /true/],
    [{ series, from: '2026-03-02', to: '2026-03-01' }, 'from', /before/], [{ series, range: '8x' }, 'range', /7d/], [{ series, interval: 'year' }, 'interval', /month/],
    [{ series: Array(26).fill('a'), breakdowns: ['path'], limit: 500, from: '2026-01-01', to: '2026-03-01', interval: 'hour' }, 'limit', /points/],
  ]) {
    const { error } = await ask({ series: [], ...body }, 400);
    assert.equal(error.field, field, `${JSON.stringify(body).slice(0, 200)}: ${error.message}`);
    assert.match(error.message, part);
  }
});

test('one tenant sees nothing of another', async () => {
  const chart = await ask({ ...march, from: '2026-03-01', to: '2026-04-30', series: [{ name: '*' }], breakdowns: ['country'], limit: 500 });
  assert.ok(!JSON.stringify(chart).includes('XX'));
  const foreign = await server.api('POST', '/v1/query/chart', { ...march, from: '2026-03-01', to: '2026-04-30', series: [{ name: '*' }], breakdowns: ['country'] }, server.tenants.other.secret_key);
  assert.deepEqual(foreign.json.series.map(({ breakdown, metrics }) => [breakdown.country, metrics.sum]), [['XX', 50]]);
});

test('two names of one person are one person', async () => {
  const { secret_key: key } = server.tenants.other;
  const person = { created_at: '2025-06-01T12:00:00Z', device_id: 'phone' };
  await server.post('/v1/events', ['ann', 'ann@example.org', 'bob'].map((profile_id) => ({ ...person, name: 'login', profile_id })), { key });
  await server.post('/v1/events', [{ type: 'alias', profile_id: 'ann', alias: 'ann@example.org' }], { key });
  const count = async (measure) => (await server.api('POST', '/v1/query/chart', { from: '2025-06-01', to: '2025-06-01', chart: 'metric', series: [{ name: 'login', measure }] }, key)).json.series[0].metrics;
  await waitFor('the alias counts', async () => (await count('people')).total === 2 && (await count('events')).total === 3);
  assert.equal((await count('events_per_person')).total, 1.5);
  assert.equal((await count('one_event_per_person')).total, 2);
  assert.equal((await count('events')).people, 2);
});

// ---- saved reports ----

let owner;
async function report(method, path, body, tenant = keys.tenant) {
  owner ??= (await server.login(server.owner.email, server.owner.password)).token;
  return server.api(method, `/v1/reports${path}`, body, owner, { 'millrace-tenant': tenant });
}

test('a saved report shows its chart; who looks may move it in time and change nothing else', async () => {
  const series = [{ type: 'event', name: 'signup', segment: 'event', filters: [] }, { type: 'event', name: 'screen_view', segment: 'event' }];
  const stored = { name: 'Ratio', chart_type: 'linear', interval: 'day', range: 'custom', start_date: '2026-03-20T00:00:00Z', end_date: '2026-04-01T00:00:00Z', series,
    breakdowns: [{ name: 'country' }], filters: [{ name: 'path', operator: 'is', value: ['/'] }], formula: 'A/B*100', previous: true };
  const made = await report('POST', '', stored);
  assert.equal(made.status, 201, made.text);
  const id = made.json.report_id;
  const shown = await report('GET', `/${id}/data`);
  assert.equal(shown.status, 200, shown.text);
  const plan = { from: '2026-03-20', to: '2026-03-31', interval: 'day', compare: 'previous', breakdowns: ['country'], filters: stored.filters,
    series: [...series, { formula: 'A/B*100', compute: (a, b) => a / b * 100, hide_series: true }] };
  assert.deepEqual(shown.json, await assertRight(plan));
  const moved = await report('GET', `/${id}/data?from=2026-03-10&to=2026-03-12&timezone=Europe/Berlin&series=[]&filter=country:is:US&limit=1&breakdown=path`);
  assert.deepEqual(moved.json, await assertRight({ ...plan, from: '2026-03-10', to: '2026-03-12', timezone: 'Europe/Berlin' }), moved.text);
  // A change counts at once.
  assert.equal((await report('PATCH', `/${id}`, { formula: '', previous: false })).status, 200);
  const letters = new Set((await report('GET', `/${id}/data`)).json.series.map(({ letter }) => letter));
  assert.deepEqual([...letters], ['A', 'B']);
  for (const [key, status] of [[server.tenants.other.secret_key, 403], [keys.secret_key, 403], [keys.write_key, 403], [undefined, 401]])
    assert.equal((await server.get(`/v1/reports/${id}/data`, key)).status, status); // these keys may not read reports
  assert.equal((await report('GET', '/nothing/data')).status, 404);
  assert.equal((await report('GET', `/${id}/data`, undefined, server.tenants.other.tenant)).status, 404);
});

test('a report with a named range, and one no chart can draw, say what they are', async () => {
  const make = async (body) => (await report('POST', '', { name: 'r', chart_type: 'bar', series: [{ name: '*' }], ...body })).json.report_id;
  const month = await report('GET', `/${await make({ range: 'lastMonth' })}/data`);
  assert.equal(month.status, 200, month.text);
  assert.equal(month.json.chart, 'bar');
  const broken = await report('GET', `/${await make({ series: [{ name: '*', segment: 'magic' }] })}/data`);
  assert.deepEqual([broken.status, broken.json.error.field], [400, 'series[0].measure'], broken.text);
});

// ---- OpenPanel ----

const export_ = async (parameters, status = 200) => {
  const query = new URLSearchParams(Object.entries(parameters).map(([name, value]) => [name, typeof value === 'object' ? JSON.stringify(value) : String(value)]));
  const answer = await server.send(`/export/charts?${query}`, { headers: { 'openpanel-client-id': keys.write_key, 'openpanel-client-secret': keys.secret_key } });
  assert.equal(answer.status, status, answer.text);
  return answer.json;
};
const dates = { startDate: '2026-03-20', endDate: '2026-03-31' };

test('OpenPanel: series, breakdowns and the period before, in its shape', async () => {
  const events_ = [{ name: 'purchase', segment: 'property_sum', property: 'revenue', filters: [], displayName: 'Revenue' }, { name: 'signup', segment: 'user', filters: [{ name: 'country', operator: 'isNot', value: ['US'] }] }];
  const chart = await export_({ projectId: keys.tenant, events: events_, breakdowns: [{ name: 'country' }], interval: 'day', previous: true, ...dates });
  const own = await ask({ from: '2026-03-20', to: '2026-03-31', interval: 'day', series: events_, breakdowns: ['country'], compare: 'previous', limit: 50 });
  assert.deepEqual(Object.keys(chart), ['series', 'metrics']);
  assert.equal(chart.series.length, own.series.length);
  const sums = chart.series.map(({ metrics }) => metrics.sum);
  assert.deepEqual(sums, [...sums].sort((a, b) => b - a));
  for (const line of chart.series) {
    assert.deepEqual(Object.keys(line), ['id', 'names', 'event', 'metrics', 'data']);
    const letter = line.event.id, country = line.event.breakdowns.country;
    const same = own.series.find((each) => each.letter === letter && each.breakdown.country === country);
    assert.deepEqual(line.names, [`(${letter}) ${letter === 'A' ? 'Revenue' : 'signup'}`, ...(country ? [country] : [])]);
    assert.deepEqual(line.data.map(({ count }) => count), same.values);
    assert.deepEqual(line.data.map(({ date }) => date), own.times.map((time) => new Date(time).toISOString()));
    assert.deepEqual(line.data.map(({ previous }) => previous.value), same.previous);
    assert.equal(line.metrics.sum, same.metrics.sum);
    assert.equal(line.metrics.count, same.metrics.people);
    for (const { count, previous } of line.data) {
      assert.equal(previous.state, count > previous.value ? 'positive' : count < previous.value ? 'negative' : 'neutral');
      const diff = (Math.max(count, previous.value) / Math.min(count, previous.value) - 1) * 100;
      if (count === previous.value || !Number.isFinite(diff)) assert.equal(previous.diff, null);
      else assert.ok(Math.abs(previous.diff - diff) <= 0.051, `${previous.diff}, not ${diff}`);
    }
  }
  assert.equal(chart.metrics.count, undefined);
  assert.ok(Math.abs(chart.metrics.sum - sums.reduce((a, b) => a + b, 0)) < 0.02);
});

test('OpenPanel: formulas, charts without dates, one series without a letter, nothing at all', async () => {
  const series = [{ type: 'event', name: 'signup', segment: 'event', filters: [] }, { type: 'event', name: 'screen_view', segment: 'event', filters: [] }, { type: 'formula', formula: 'A/B', displayName: 'Ratio', hideSeries: true }];
  const formula = await export_({ project_id: keys.tenant, series, ...dates });
  assert.deepEqual(formula.series.map(({ names }) => names), [['(C) Ratio']]);
  assert.equal(formula.series[0].data.length, 12);
  const bar = await export_({ series: series.slice(0, 1), chartType: 'bar', breakdowns: [{ name: 'country' }], ...dates });
  assert.deepEqual(bar.series[0].data, []);
  assert.deepEqual(bar.series[0].names.slice(0, 1), ['signup']);
  const never = await export_({ series: [{ name: 'never', filters: [] }], ...dates });
  assert.deepEqual(never.series, []);
});

test('OpenPanel: words for time; refusals in its shape', async () => {
  const series = [{ name: '*' }];
  for (const range of ['30min', 'lastHour', 'last24h', 'today', 'yesterday', '7d', '30d', '3m', '6m', '12m', 'monthToDate', 'lastMonth', 'yearToDate', 'lastYear'])
    assert.ok(Array.isArray((await export_({ series, range })).series), range);
  const wrong = await export_({ series: '[{"name":', ...dates }, 400);
  assert.deepEqual([wrong.status, wrong.error], [400, 'Bad Request']);
  assert.match((await export_({ series, range: '8d' }, 400)).message, /lastMonth/);
  const nobody = await server.send('/export/charts?series=[]', { headers: {} });
  assert.deepEqual([nobody.status, nobody.json.error], [401, 'Unauthorized']);
  const writer = await server.send('/export/charts?series=[]', { headers: { 'openpanel-client-id': keys.write_key } });
  assert.ok([401, 403].includes(writer.status), writer.text);
});
