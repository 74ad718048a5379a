// SPDX-License-Identifier: Apache-2.0
// Databuddy's read API as its clients see it: shapes of answers, dates, what is refused and with which words.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { dayThatLasts, Server } from './harness.mjs';

let server, key;
// A Monday morning in Berlin, on the day its clocks went forward (29 March 2026 is a Sunday), and what lies around it.
const sent = ['2026-03-28T22:59:59Z', '2026-03-28T23:00:00Z', '2026-03-29T00:30:00Z', '2026-03-29T21:59:59Z', '2026-03-29T22:00:00Z'];
before(async () => {
  await dayThatLasts();
  server = await Server.start({ tenants: ['main', 'other'], settings: ['--spool.seal_age', '100ms'] });
  key = server.tenants.main.secret_key;
  const { write_key } = server.tenants.main;
  const events = sent.map((timestamp, i) => ({ name: 'screen_view', device_id: `d${i}`, session_id: `s${i}`, url: 'https://www.shop.example/a', timestamp }));
  await server.post('/v1/events', [...events, { name: 'screen_view', device_id: 'now', session_id: 'now', url: 'https://www.shop.example/now' }], { key: write_key });
  await server.settle(write_key);
});
after(() => server?.remove());

const post = (body, query = '', headers = { 'x-api-key': key }) => server.api('POST', `/v1/query${query}`, body, null, headers);
const sunday = { startDate: '2026-03-29', endDate: '2026-03-29', timezone: 'Europe/Berlin' };

test('one question: its answer has every parameter apart', async () => {
  const answer = await post({ id: 'q-1', parameters: ['summary_metrics', { name: 'top_pages', id: 'pages' }, 'summary_metric', { name: 'events_by_date', start_date: '2026-03-28', end_date: '2026-03-30', granularity: 'daily' }], ...sunday,
    filters: [{ field: 'path', op: 'eq', value: '/a' }], limit: 7 });
  assert.equal(answer.status, 200, answer.text);
  const { success, queryId, data, meta } = answer.json;
  assert.deepEqual([success, queryId, meta], [true, 'q-1', { parameters: ['summary_metrics', 'top_pages', 'summary_metric', 'events_by_date'], total_parameters: 4, page: 1, limit: 7, filters_applied: 1 }]);
  assert.deepEqual(data.map((part) => [part.parameter, part.success, part.id]), [['summary_metrics', true, undefined], ['top_pages', true, 'pages'], ['summary_metric', false, undefined], ['events_by_date', true, undefined]]);
  assert.match(data[2].error, /Did you mean "summary_metrics"/);
  assert.deepEqual(data[2].data, []);
  assert.deepEqual(data[1].data, [{ name: '/a', pageviews: 3, visitors: 3, percentage: 100 }]);
  assert.deepEqual(data[3].data.map(({ date, pageviews }) => [date, pageviews]), [['2026-03-28', 1], ['2026-03-29', 3], ['2026-03-30', 1]]);
});

test('a batch: each question by itself', async () => {
  const answer = await post([{ parameters: ['summary_metrics'], ...sunday }, { parameters: ['nothing'] }, { parameters: ['top_pages'], startDate: 'yesterday', endDate: '2026-03-29' }], '?timezone=Europe/Berlin');
  assert.equal(answer.status, 200, answer.text);
  const { success, batch, results } = answer.json;
  assert.deepEqual([success, batch, results.map((result) => [result.success, result.code])], [true, true, [[true, undefined], [false, 'VALIDATION_ERROR'], [false, 'VALIDATION_ERROR']]]);
  assert.equal(results[0].data[0].data[0].pageviews, 3);
});

test('dates are those of the zone, also on the day its clocks change', async () => {
  const hours = (await post({ parameters: ['events_by_date'], ...sunday, granularity: 'hourly' })).json.data[0].data;
  assert.equal(hours.length, 23);
  assert.deepEqual(hours.filter(({ pageviews }) => pageviews).map(({ date }) => date), ['2026-03-29 00:00:00', '2026-03-29 01:00:00', '2026-03-29 23:00:00']);
  assert.equal((await post({ parameters: ['summary_metrics'], ...sunday, timezone: 'UTC' })).json.data[0].data[0].pageviews, 3);
  const today = (await post({ parameters: ['top_pages'], preset: 'today' })).json.data[0].data;
  assert.deepEqual(today.map(({ name }) => name), ['/now']);
  for (const preset of ['yesterday', 'last_7d', 'last_14d', 'last_30d', 'last_90d', 'this_week', 'last_week', 'this_month', 'last_month', 'this_year']) {
    const series = (await post({ parameters: ['events_by_date'], preset })).json.data[0].data;
    const length = { yesterday: 1, last_7d: 7, last_14d: 14, last_30d: 30, last_90d: 90, last_week: 7 }[preset];
    if (length) assert.equal(series.length, length, preset);
    const last = series.at(-1).date, today = new Date().toISOString().slice(0, 10);
    assert.equal(last < today, ['yesterday', 'last_week', 'last_month'].includes(preset), `${preset} ends ${last}`);
    if (preset.endsWith('_week')) assert.equal(new Date(series[0].date).getUTCDay(), 1, 'weeks start on Monday');
    if (preset.endsWith('_month')) assert.equal(series[0].date.slice(8), '01');
  }
});

test('who asks: a key in x-api-key or Authorization, and only about its own site', async () => {
  const body = { parameters: ['summary_metrics'], ...sunday };
  const { tenant } = server.tenants.main;
  for (const headers of [{ 'x-api-key': key }, { authorization: `Bearer ${key}` }]) assert.equal((await post(body, `?website_id=${tenant}`, headers)).status, 200);
  const refused = async (answer, status, code) => {
    const { status: found, json } = await answer;
    assert.deepEqual([found, json.success, json.code, typeof json.error, typeof json.requestId], [status, false, code, 'string', 'string']);
  };
  await refused(post(body, '', {}), 401, 'AUTH_REQUIRED');
  await refused(post(body, '', { 'x-api-key': 'dbdy_nobody' }), 401, 'AUTH_REQUIRED');
  await refused(post(body, '', { 'x-api-key': server.tenants.main.write_key }), 403, 'ACCESS_DENIED');
  await refused(post(body, `?website_id=${server.tenants.other.tenant}`), 403, 'ACCESS_DENIED');
  await refused(post(body, '?organization_id=somebody'), 403, 'ACCESS_DENIED');
  const other = await post(body, '', { 'x-api-key': server.tenants.other.secret_key });
  assert.equal(other.json.data[0].data[0].pageviews, 0);
});

test('GET /types lists what can be asked, GET /websites whom the key reads', async () => {
  const answer = await server.get('/v1/query/types', null, { 'x-api-key': key });
  const { types, configs, presets } = answer.json;
  assert.ok(types.includes('top_pages') && !types.some((name) => name.startsWith('uptime_') || name.startsWith('mcp_')));
  assert.equal(new Set(types).size, types.length);
  assert.deepEqual([configs.top_pages.publicAccess, configs.top_pages.defaultLimit, configs.session_list.defaultLimit, configs.country.customizable, configs.profile_list.publicAccess], [true, 100, 25, true, false]);
  assert.ok(configs.top_pages.allowedFilters.includes('utm_source') && configs.top_pages.allowedFilters.includes('trait:*'));
  assert.deepEqual(configs.top_pages.meta, { title: 'Top pages', category: 'Pages', output_fields: ['name', 'pageviews', 'visitors', 'percentage'].map((name) => ({ name })) });
  assert.equal(presets.length, 11);
  const sites = (await server.get('/v1/query/websites', key)).json;
  assert.deepEqual([sites.success, sites.total, sites.websites], [true, 1, [{ id: server.tenants.main.tenant, domain: 'shop.example', isPublic: false }]]);
});

const many = (count, value) => Array.from({ length: count }, () => value);
const wrong = [
  ['no parameters', {}, 'parameters'], ['parameters that are none', { parameters: 'top_pages' }, 'parameters'], ['too many', { parameters: many(51, 'top_pages') }, '50'],
  ['a type of something else', { parameters: [17] }, 'name'], ['a near name', { parameters: ['top_page'] }, 'top_pages'], ['uptime', { parameters: ['uptime_overview'] }, 'not available yet'],
  ['a hostile name', { parameters: ["x' OR 1=1 --"] }, 'Unknown'], ['a date', { parameters: ['top_pages'], startDate: '2026-02-30', endDate: '2026-03-01' }, 'startDate'],
  ['one date', { parameters: ['top_pages'], startDate: '2026-02-01' }, 'endDate'], ['dates the wrong way round', { parameters: ['top_pages'], startDate: '2026-03-02', endDate: '2026-03-01' }, 'startDate'],
  ['a preset', { parameters: ['top_pages'], preset: 'last_8d' }, 'last_7d'], ['a zone', { parameters: ['top_pages'], timezone: '../../etc/passwd' }, 'timezone'],
  ['a granularity', { parameters: ['events_by_date'], granularity: 'minutely' }, 'hourly'], ['hours of a year', { parameters: ['events_by_date'], granularity: 'hourly', preset: 'last_90d' }, '30 days'],
  ['a limit', { parameters: ['top_pages'], limit: 10001 }, 'limit'], ['a limit of text', { parameters: ['top_pages'], limit: '5' }, 'limit'], ['a page', { parameters: ['top_pages'], page: 0 }, 'page'],
  ['filters that are none', { parameters: ['top_pages'], filters: 'path' }, 'filters'], ['a filter without a value', { parameters: ['top_pages'], filters: [{ field: 'path', op: 'eq' }] }, 'value'],
  ['an operator', { parameters: ['top_pages'], filters: [{ field: 'path', op: 'resembles', value: 'x' }] }, 'resembles'], ['a field', { parameters: ['top_pages'], filters: [{ field: "path' OR '1", op: 'eq', value: 'x' }] }, 'cannot be filtered'],
  ['too many filters', { parameters: ['top_pages'], filters: many(21, { field: 'path', op: 'eq', value: 'x' }) }, '20'], ['too many values', { parameters: ['top_pages'], filters: [{ field: 'path', op: 'in', value: many(101, 'x') }] }, '100'],
  ['a zero byte', { parameters: ['top_pages'], filters: [{ field: 'path', op: 'eq', value: 'a\0b' }] }, 'zero byte'], ['a long value', { parameters: ['top_pages'], filters: [{ field: 'path', op: 'eq', value: 'x'.repeat(3000) }] }, '2048'],
  ['groupBy', { parameters: ['country'], groupBy: ['path; DROP TABLE'] }, 'groupBy'], ['groupBy where it makes no sense', { parameters: ['top_pages'], groupBy: ['country'] }, 'takes no groupBy'],
];
for (const [what, body, part] of wrong)
  test(`refuses ${what}`, async () => {
    const { status, json } = await post(body);
    assert.deepEqual([status, json.success, json.code], [400, false, 'VALIDATION_ERROR'], JSON.stringify(json));
    assert.ok(json.error.includes(part), json.error);
  });

test('what one type cannot do fails alone; what it needs is said', async () => {
  const { json } = await post({ parameters: ['top_pages', 'session_events', 'error_types'], sortBy: 'pageviews', ...sunday });
  assert.deepEqual(json.data.map(({ success }) => success), [true, false, false]);
  assert.match(json.data[1].error, /session_id|sortBy/);
  assert.match(json.data[2].error, /sortBy=pageviews: error_types has the columns name,count/);
  const injected = await post({ parameters: ['top_pages'], sortBy: 'pageviews; DROP TABLE analytics.events', ...sunday });
  assert.equal(injected.json.data[0].success, false);
  const compiled = await server.api('POST', '/v1/query/compile', { parameters: ['session_events'] }, key);
  assert.deepEqual([compiled.status, compiled.json.code], [400, 'COMPILATION_ERROR']);
});

test('hostile values are values', async () => {
  for (const value of ["'", '"', '\\', "\\'", '{tenant:String}', '$all', "') OR 1=1 --", '\t\n', '%', '漢字', '🚀'])
    for (const op of ['eq', 'contains', 'starts_with', 'in']) {
      const { status, json } = await post({ parameters: ['top_pages', 'country', 'custom_events'], ...sunday, filters: [{ field: 'path', op, value }, { field: 'utm_source', op: 'ne', value }, { field: `trait:${value.trim() || 'x'}`, op: 'ne', value }] });
      assert.equal(status, 200, JSON.stringify(json));
      for (const part of json.data) assert.ok(part.success, `${op} ${value}: ${part.error}`);
      assert.deepEqual(json.data[0].data, [], `${op} ${value}`);
    }
  const broken = await server.send('/v1/query', { method: 'POST', headers: { 'x-api-key': key, 'content-type': 'application/json' }, body: '{"parameters":[' });
  assert.deepEqual([broken.status, broken.json.code], [400, 'VALIDATION_ERROR']);
});
