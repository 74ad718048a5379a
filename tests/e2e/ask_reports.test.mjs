// SPDX-License-Identifier: Apache-2.0
// Vitals, errors, payments, model calls, links and what there is to choose from: each figure against the same computed here.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { forAll, send as request, Server, waitFor } from './harness.mjs';
import { DAY, generator, mean, rounded, send, sum, visit } from './visits.mjs';

const HOUR = 3_600_000;
const begin = Math.floor(Date.now() / DAY) * DAY - 5 * DAY;
const at = (ms) => new Date(begin + ms).toISOString();
let server, keys, vitals, errors, calls, payments;

before(async () => {
  server = await Server.start({ tenants: ['main', 'other'], settings: ['--spool.seal_age', '100ms'] });
  keys = server.tenants.main;
  const random = generator(3);
  vitals = Array.from({ length: 3000 }, () => ({ metric_name: ['LCP', 'CLS', 'FPS'][random(3)], metric_value: (1 + random(6000)) / (random(2) ? 1 : 7), path: `/p${random(3)}`, browser: ['Chrome', 'Safari'][random(2)], timestamp: at(random(3 * DAY)), device_id: 'd' }));
  for (const vital of vitals) if (vital.metric_name === 'CLS') vital.metric_value /= 10000;
  errors = Array.from({ length: 200 }, () => ({ message: [`row ${random(1000)} is missing`, `cannot read 0x${random(1e6).toString(16)}f of x`, 'broken'][random(3)], error_type: ['TypeError', 'Error'][random(2)], path: `/p${random(3)}`, device_id: `d${random(20)}`, session_id: `s${random(40)}`, timestamp: at(random(3 * DAY)), stack: 'at x:1', country: 'SE' }));
  calls = Array.from({ length: 100 }, () => ({ call_type: 'generate', model: ['m1', 'm2'][random(2)], provider: 'acme', usage: { input_tokens: 100 + random(100), output_tokens: random(50), total_tokens: 200, cached_input_tokens: random(50) }, cost: { total_token_cost_usd: random(100) / 1000 }, duration_ms: 10 + random(500), http_status: random(5) ? 200 : 500, timestamp: at(random(3 * DAY)) }));
  const visits = [
    ...visit('v1', begin - 2 * DAY, 'dev1', [[0, 'screen_view', { path: '/first' }]], { utm_source: 'news', country: 'SE' }),
    ...visit('v2', begin, 'dev1', [[0, 'screen_view', { path: '/second' }], [1000, 'link_out', { properties: { href: 'https://www.elsewhere.example/x' } }], [2000, 'signup', { properties: { plan: 'pro', seats: '3' } }]], { utm_source: 'ads', country: 'SE' }),
    ...visit('v3', begin + HOUR, 'dev2', [[0, 'screen_view', { path: '/third' }], [500, 'signup', { properties: { plan: 'free' } }]], { country: 'DE', profile_id: 'ann' }),
    ...visit('v4', begin + 2 * HOUR, 'dev3', [[0, 'screen_view', { path: '/a', profile_id: 'ann' }], [10, 'screen_view', { path: '/b', profile_id: 'bob' }]], { country: 'US' }),
  ];
  await send(server, keys, visits);
  assert.equal((await server.post('/v1/events', { type: 'alias', profile_id: 'ann', alias: 'ann@example.org' }, { key: keys.write_key })).status, 200);
  await waitFor('the alias is stored', async () => (await server.sql('SELECT count() AS n FROM analytics.profile_identities', keys.tenant))[0].n > 0);
  const typed = [...vitals.map((item) => ({ type: 'vital', ...item })), ...errors.map((item) => ({ type: 'error', ...item })), ...calls.map((item) => ({ type: 'ai_call', ...item })),
    { type: 'outgoing_link', href: 'https://elsewhere.example/y', text: 'Y', device_id: 'dev2', session_id: 'v3', path: '/third', timestamp: at(HOUR) }];
  for (let i = 0; i < typed.length; i += 500) {
    const answer = await server.post('/v1/events', typed.slice(i, i + 500), { key: keys.write_key });
    assert.equal(answer.status, 200, answer.text);
  }
  // id, day, amount, currency, type, status, session, profile, device, customer
  payments = [
    ['p1', 1, 100, 'EUR', 'sale', 'succeeded', 'v2', '', '', 'c1'], // its visit: ads
    ['p2', 1, 50, 'EUR', 'sale', 'succeeded', '', 'ann', '', 'c2'], // first visit of ann: v3, DE
    ['p3', 2, 30, 'EUR', 'subscription', 'paid', '', '', 'dev1', ''], // first visit of the device: news
    ['p4', 2, 20, 'EUR', 'sale', 'completed', '', '', '', 'c1'], // the customer of p1: ads
    ['p5', 2, 7, 'EUR', 'sale', 'succeeded', '', '', '', ''], // nobody known
    ['p6', 2, 9, 'EUR', 'sale', 'succeeded', 'v4', '', '', 'c9'], // a visit of two people: refused
    ['p7', -1, 11, 'EUR', 'sale', 'succeeded', 'v2', '', '', ''], // before its visit: refused
    ['p8', 2, -40, 'EUR', 'refund', 'refunded', 'v2', '', '', 'c1'],
    ['p9', 2, 0, 'EUR', 'subscription_event', 'failed', '', '', '', 'c2'],
    ['p10', 2, 500, 'USD', 'sale', 'succeeded', 'v2', 'zoe', '', ''], // the visit has no profile: hers
    ['p11', 2, 1000, 'USD', 'sale', 'pending', 'v2', '', '', 'c1'], // not paid
    ['p12', 2, 3, 'GBP', 'sale', 'paid', 'v3', 'ann@example.org', '', ''], // the visit of ann, who that is
    ['p13', 2, 4, 'GBP', 'sale', 'paid', '', 'ann@example.org', '', ''], // the same: the first visit of ann
  ];
  const rows = payments.map(([id, day, amount, currency, type, status, session, profile, device, customer]) =>
    `('${keys.tenant}', 'stripe', '${id}', '${randomUUID()}', fromUnixTimestamp64Milli(${begin + day * DAY}, 'UTC'), '${type}', '${status}', ${amount}, '${currency}', '${session}', '${profile}', '${device}', '${customer}', 'product of ${customer}')`);
  const made = await request({ socketPath: join(server.directory, 'engine.sock'), path: '/?log_comment=*' }, { method: 'POST',
    body: `INSERT INTO analytics.revenue (tenant_id, provider, transaction_id, id, created, type, status, amount, currency, session_id, profile_id, device_id, customer_id, product_name) VALUES ${rows.join(', ')}` });
  assert.equal(made.status, 200, made.text);
  await server.settle(keys.write_key);
  for (const [table, count] of [['analytics.web_vitals_spans', vitals.length], ['analytics.error_spans', errors.length], ['observability.ai_call_spans', calls.length], ['analytics.outgoing_links', 1]])
    await waitFor(table, async () => (await server.sql(`SELECT count() AS n FROM ${table}`))[0].n === count);
});
after(() => { if (process.env.SHOW_LOG) console.error(server.log.slice(-4000)); return server?.remove(); });

async function ask(question, words = {}, status = 200, days = [-3, 4]) {
  const query = new URLSearchParams({ from: begin + days[0] * DAY, to: begin + days[1] * DAY, ...words });
  const answer = await server.get(`/v1/query/${question}?${query}`, keys.secret_key);
  assert.equal(answer.status, status, answer.text);
  return answer.json;
}
const quantile = (values, level) => {
  const sorted = [...values].sort((a, b) => a - b), place = level * (sorted.length - 1), low = Math.floor(place);
  return low + 1 < sorted.length ? sorted[low] + (place - low) * (sorted[low + 1] - sorted[low]) : sorted[low];
};
const near = (a, b, share = 1e-9) => Math.abs(a - b) <= share * Math.max(Math.abs(a), Math.abs(b), 1e-12);
const LIMITS = { LCP: [2500, 4000], CLS: [0.1, 0.25] };
function assertVitals(row, values, tolerance) {
  assert.equal(row.samples, values.length);
  for (const [name, level] of [['p50', 0.5], ['p75', 0.75], ['p90', 0.9], ['p95', 0.95], ['p99', 0.99]])
    if (tolerance) { // a sketch: its value lies among the values whose rank is near
      const low = quantile(values, Math.max(0, level - tolerance)), high = quantile(values, Math.min(1, level + tolerance));
      assert.ok(row[name] >= low * (1 - 1e-6) && row[name] <= high * (1 + 1e-6), `${name} ${row[name]} of ${low}..${high}`);
    } else assert.ok(near(row[name], quantile(values, level)), `${name} ${row[name]} ${quantile(values, level)}`);
  assert.ok(near(row.average, mean(values), 1e-9));
  const [good, poor] = LIMITS[row.metric] ?? [];
  if (!good) return assert.deepEqual([row.good, row.needs_improvement, row.poor], [null, null, null]);
  const share = (holds) => rounded((100 * values.filter(holds).length) / values.length, 2);
  assert.deepEqual([row.good, row.poor], [share((value) => value <= good), share((value) => value > poor)]);
  assert.ok(Math.abs(row.good + row.poor + row.needs_improvement - 100) < 0.03);
}
const valuesOf = (metric, holds = () => true) => vitals.filter((one) => one.metric_name === metric && holds(one)).map((one) => one.metric_value);

test('vitals: exact quantiles, averages and shares of all values', async () => {
  const { totals, rows, approximate } = await ask('vitals', { exact: true, by: 'path' });
  assert.equal(approximate, undefined);
  assert.deepEqual(totals.map((row) => row.metric), ['CLS', 'FPS', 'LCP']);
  for (const row of totals) assertVitals(row, valuesOf(row.metric));
  assert.equal(rows.length, 9);
  for (const row of rows) assertVitals(row, valuesOf(row.metric, (one) => one.path === row.name));
});

test('vitals of whole hours come from sketches, and say so; counts, averages and shares are exact all the same', async () => {
  const { totals, rows, approximate } = await ask('vitals', { by: 'path', metric: 'LCP,CLS' });
  assert.equal(approximate, true);
  assert.deepEqual(totals.map((row) => row.metric), ['CLS', 'LCP']);
  for (const row of totals) assertVitals(row, valuesOf(row.metric), 0.02);
  for (const row of rows) assertVitals(row, valuesOf(row.metric, (one) => one.path === row.name), 0.02);
});

test('vitals between hours, by browser or filtered are computed from the values', async () => {
  const late = await ask('vitals', { from: begin + 60_000, metric: 'LCP' });
  assert.equal(late.approximate, undefined);
  assertVitals(late.totals[0], valuesOf('LCP', (one) => Date.parse(one.timestamp) >= begin + 60_000));
  const { rows } = await ask('vitals', { by: 'browser', metric: 'LCP', filter: 'path:is:/p1' });
  for (const row of rows) assertVitals(row, valuesOf('LCP', (one) => one.browser === row.name && one.path === '/p1'));
});

test('vitals over time have every bucket', async () => {
  const { rows } = await ask('vitals', { by: 'time', metric: 'LCP', interval: 'day', exact: true });
  assert.equal(rows.length, 7);
  rows.forEach((row, i) => {
    const values = valuesOf('LCP', (one) => Math.floor((Date.parse(one.timestamp) - begin) / DAY) === i - 3);
    if (values.length) assertVitals(row, values);
    else assert.deepEqual([row.samples, row.p75], [0, null]);
  });
});

test('errors are grouped by what they say besides numbers', async () => {
  const { totals, rows, times } = await ask('errors', { interval: 'day' });
  const visits = 4; // that began in the range: the visits of the errors themselves sent no other event
  assert.deepEqual(totals, { errors: 200, fingerprints: 6, users: new Set(errors.map((one) => one.device_id)).size, sessions: new Set(errors.map((one) => one.session_id)).size,
    error_rate: rounded((100 * new Set(errors.map((one) => one.session_id)).size) / visits, 2) });
  assert.equal(times.length, 7);
  assert.equal(rows.length, 6);
  const shape = (message) => message.replace(/0[xX][0-9a-fA-F]+|[0-9a-fA-F]{8,}|[0-9]+/g, '#');
  for (const row of rows) {
    const mine = errors.filter((one) => one.error_type === row.type && shape(one.message) === shape(row.message)).sort((a, b) => Date.parse(a.timestamp) - Date.parse(b.timestamp));
    assert.deepEqual([row.count, row.users, row.sessions], [mine.length, new Set(mine.map((one) => one.device_id)).size, new Set(mine.map((one) => one.session_id)).size]);
    assert.deepEqual([Date.parse(row.first_seen), Date.parse(row.last_seen)], [Date.parse(mine[0].timestamp), Date.parse(mine.at(-1).timestamp)]);
    assert.equal(row.message, mine.at(-1).message);
    assert.deepEqual(row.trend, times.map((time) => mine.filter((one) => Date.parse(one.timestamp) >= Date.parse(time) && Date.parse(one.timestamp) < Date.parse(time) + DAY).length));
  }
  const [first] = rows;
  assert.deepEqual((await ask('errors', { fingerprint: first.fingerprint, type: first.type, interval: 'day' })).rows, [first]);
  assert.equal((await ask('errors', { filter: 'path:is:/p1' })).totals.errors, errors.filter((one) => one.path === '/p1').length);
  const hit = new Set(errors.map((one) => one.session_id)).size;
  assert.equal((await ask('errors', { filter: 'country:is:SE' })).totals.error_rate, (100 * hit) / 2, 'v1 and v2 are visits from there');
  for (const words of [{ filter: 'path:is:/p1' }, { type: 'Error' }, { fingerprint: first.fingerprint }]) assert.equal((await ask('errors', words)).totals.error_rate, null, 'visits have no such thing');
  assert.match((await ask('errors', { filter: 'properties.x:is:1' }, 400)).error.message, /no field/);
});

test('payments per currency, with refunds and failures apart', async () => {
  const { totals } = await ask('revenue');
  // p1..p7 are payments of 227 EUR by c1 (twice), c2, c9, dev1 and nobody (p5, p7 count for no customer).
  assert.deepEqual(totals, [
    { currency: 'EUR', revenue: 227, refunds: 40, net: 187, transactions: 7, refund_count: 1, customers: 4, average: 32.43, failed: 1, payment_failure_rate: 12.5 },
    { currency: 'GBP', revenue: 7, refunds: 0, net: 7, transactions: 2, refund_count: 0, customers: 1, average: 3.5, failed: 0, payment_failure_rate: 0 },
    { currency: 'USD', revenue: 500, refunds: 0, net: 500, transactions: 1, refund_count: 0, customers: 1, average: 500, failed: 0, payment_failure_rate: 0 },
  ]);
  const { rows } = await ask('revenue', { by: 'product' });
  assert.deepEqual(rows.filter((row) => row.currency === 'EUR').map((row) => [row.name, row.revenue]), [['product of c1', 120], ['product of c2', 50], ['product of ', 48], ['product of c9', 9]]);
});

test('payments are put down to the first visit that fits: its own, the profile\'s, the device\'s, the customer\'s', async () => {
  const of = async (by, words = {}) => Object.fromEntries((await ask('revenue', { by, ...words })).rows.filter((row) => row.currency === 'EUR' && row.revenue).map((row) => [row.name, row.revenue]));
  assert.deepEqual(await of('attribution'), { session: 100, profile: 50, device: 30, customer: 20, missing_browser_identity: 7, no_verified_prior_match: 20 });
  assert.deepEqual(await of('utm_source'), { ads: 120, news: 30, '': 77 });
  assert.deepEqual(await of('country'), { SE: 150, DE: 50, '': 27 });
  assert.deepEqual(await of('entry_page'), { '/second': 120, '/third': 50, '/first': 30, '': 27 });
  assert.deepEqual(await of('channel', { filter: 'country:is:SE' }), { campaign: 150 });
  const rows = (await ask('revenue', { by: 'attribution' })).rows;
  assert.equal(rows.find((row) => row.currency === 'USD').name, 'session');
  assert.deepEqual(rows.filter((row) => row.currency === 'GBP').map((row) => [row.name, row.revenue]).sort(), [['profile', 4], ['session', 3]], 'by an alias');
});

test('Databuddy\'s questions count the same payments, put them down to the same visits, and name the same errors', async () => {
  const words = { startDate: at(-3 * DAY).slice(0, 10), endDate: at(3 * DAY).slice(0, 10), timezone: 'UTC', limit: 100 };
  const theirs = async (name) => (await server.api('POST', '/v1/query', { parameters: [name], ...words }, null, { 'x-api-key': keys.secret_key })).json.data[0].data;
  const list = (rows) => rows.sort().map(String);
  const { totals } = await ask('revenue'), { rows } = await ask('revenue', { by: 'attribution' });
  assert.deepEqual(list((await theirs('revenue_overview')).map((row) => [row.currency, row.total_revenue, row.transactions, row.customers])), list(totals.map((row) => [row.currency, row.revenue, row.transactions, row.customers])));
  assert.deepEqual(list((await theirs('revenue_attribution_overview')).map((row) => [row.currency, (row.matched_by || row.unmatched_reason).replace('anonymous', 'device'), row.revenue])),
    list(rows.filter((row) => row.transactions).map((row) => [row.currency, row.name, row.revenue])));
  assert.deepEqual(list((await theirs('error_fingerprints')).map((row) => [row.fingerprint, row.error_type])), list((await ask('errors')).rows.map((row) => [row.fingerprint, row.type])));
});

test('model calls: cost, tokens, latency and errors, by model and in total', async () => {
  const expected = (list) => ({
    calls: list.length, cost: rounded(sum(list.map((one) => one.cost.total_token_cost_usd)), 6), input_tokens: sum(list.map((one) => one.usage.input_tokens)), output_tokens: sum(list.map((one) => one.usage.output_tokens)),
    total_tokens: 200 * list.length, cached_input_tokens: sum(list.map((one) => one.usage.cached_input_tokens)), cached_share: rounded((100 * sum(list.map((one) => one.usage.cached_input_tokens))) / sum(list.map((one) => one.usage.input_tokens)), 2),
    reasoning_tokens: 0, errors: list.filter((one) => one.http_status === 500).length, error_rate: rounded((100 * list.filter((one) => one.http_status === 500).length) / list.length, 2),
    average_latency: rounded(mean(list.map((one) => one.duration_ms)), 6), p50_latency: rounded(quantile(list.map((one) => one.duration_ms), 0.5), 6), p95_latency: rounded(quantile(list.map((one) => one.duration_ms), 0.95), 6), tool_calls: 0 });
  const plain = (row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, typeof value === 'number' ? rounded(value, 6) : value]));
  const { totals, rows } = await ask('ai', { by: 'model', compare: 'previous' });
  assert.deepEqual(plain(totals), expected(calls));
  assert.deepEqual(rows.map(plain).sort((a, b) => (a.name < b.name ? -1 : 1)), ['m1', 'm2'].map((name) => ({ name, ...expected(calls.filter((one) => one.model === name)) })));
  const days = (await ask('ai', { by: 'time', interval: 'day', model: 'm1' })).rows;
  assert.deepEqual(days.map((row) => row.calls), days.map((row) => calls.filter((one) => one.model === 'm1' && Math.floor(Date.parse(one.timestamp) / DAY) === Math.floor(Date.parse(row.time) / DAY)).length));
});

test('links that led elsewhere, from both kinds of rows, each once', async () => {
  const { totals, rows } = await ask('links', { by: 'domain' });
  assert.deepEqual(totals, { clicks: 2, visitors: 2, sessions: 2 });
  assert.deepEqual(rows, [{ name: 'elsewhere.example', clicks: 2, visitors: 2, sessions: 2 }]);
  assert.deepEqual((await ask('links', { by: 'href' })).rows.map((row) => row.name).sort(), ['https://elsewhere.example/y', 'https://www.elsewhere.example/x']);
});

test('what there is to choose from', async () => {
  const rows = async (path) => (await server.get(`/v1/query/${path}`, keys.secret_key)).json.rows.map((row) => [row.value, row.count]);
  const names = await rows('event_names?limit=1000');
  assert.ok(names.some(([name, count]) => name === 'signup' && count === 2) && !names.some(([name]) => name.startsWith('session_')), JSON.stringify(names));
  assert.deepEqual(await rows('event_names?search=SIGN'), [['signup', 2]]);
  assert.deepEqual(await rows('properties?event=signup'), [['plan', 2], ['seats', 1]]);
  assert.deepEqual(await rows('property_values?property=plan'), [['free', 1], ['pro', 1]]);
  assert.match((await server.get('/v1/query/property_values', keys.secret_key)).json.error.message, /property/);
});

test('what is wrong is said', async () => {
  for (const [path, part] of [['vitals?metric=LCPP', 'LCP'], ['vitals?by=planet', 'country'], ['ai?filter=path:is:x', 'no filters'], ['revenue?filter=plan:is:x', 'country'], ['revenue?by=planet', 'provider'], ['links?sort=x', 'clicks'], ['errors?limit=0', 'limit'], ['ai?filter=profile.email:is:x', 'no filters']]) {
    const answer = await server.get(`/v1/query/${path}`, keys.secret_key);
    assert.equal(answer.status, 400, `${path}: ${answer.text}`);
    assert.match(answer.json.error.message, new RegExp(part), path);
  }
});

test('whatever stands in the address is answered or refused, never a failure of ours', async () => {
  const nasty = ["'", '"', '\\', "') OR 1=1 --", '{tenant:String}', 'NaN', '-1', '1e309', '9'.repeat(40), '%00', 'ä€😀', '[]', '{"a":', 'null', '../..', 'a'.repeat(3000), ',', '|', ':::'];
  const words = { overview: ['measures', 'filter', 'from', 'compare'], breakdown: ['dimension', 'sort', 'offset', 'filter'], pages: ['mode', 'search', 'order', 'filter'], vitals: ['metric', 'by', 'exact', 'filter'], errors: ['fingerprint', 'type', 'limit', 'filter'],
    revenue: ['by', 'sort', 'filter'], ai: ['model', 'by', 'filter'], links: ['by', 'filter'], event_names: ['search'], properties: ['event'], property_values: ['property', 'search'] };
  const fields = ['path', 'country', 'properties.x', 'duration', 'created_at', 'utm_source', 'referrer_name'];
  const all = [];
  for (const [question, names] of Object.entries(words))
    for (const name of names)
      for (const [i, value] of nasty.entries()) {
        // Filters become SQL in one place: the overview is asked with every field, the others with one by turns.
        const asked = name !== 'filter' ? [value] : (question === 'overview' ? fields : [fields[i % fields.length]]).map((field) => `${field}:is:${value}`);
        for (const said of asked) all.push({ question, name, said });
      }
  await forAll(all, async ({ question, name, said }) => {
    const more = question === 'breakdown' && name !== 'dimension' ? { dimension: 'country' } : question === 'property_values' && name !== 'property' ? { property: 'plan' } : {};
    const answer = await server.get(`/v1/query/${question}?${new URLSearchParams({ ...more, [name]: said })}`, keys.secret_key);
    assert.ok([200, 400, 413].includes(answer.status), `${question} ${name}=${said.slice(0, 100)}: ${answer.status} ${answer.text}`);
  });
});
