// SPDX-License-Identifier: Apache-2.0
// Databuddy's named questions: every type answers, with its columns and nothing of another tenant; and the figures are those that the
// rows add up to.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { LINKS, Model, distinct, groups, makeRows, mean, path, quantile, rate, round, sum, toSend, visitors, visitsIn } from './databuddy_data.mjs';
import { forAll, Server, send } from './harness.mjs';

const ZONE = 'Asia/Kolkata', OFFSET = 5.5 * 3_600_000, DAY = 86_400_000; // no daylight saving, and half an hour off
const CANARY = 'canary-';
const until = Math.floor(Date.now() / DAY) * DAY - 20 * DAY; // long ago: nothing is live but what a test sends, and people could come back
const localDay = (ms) => new Date(ms + OFFSET).toISOString().slice(0, 10);
const startDate = localDay(until - 4 * DAY), endDate = localDay(until - 2 * DAY);
const from = Date.parse(startDate) - OFFSET, to = Date.parse(endDate) - OFFSET + DAY;
const days = [0, 1, 2].map((day) => localDay(from + day * DAY));

let server, types, configs, rows, model;

/** Rows that only other services and servers write. */
async function insert(table, list) {
  const text = list.map((row) => JSON.stringify(row)).join('\n');
  const path = `/?log_comment=*&query=${encodeURIComponent(`INSERT INTO ${table} FORMAT JSONEachRow`)}`;
  const { status, text: said } = await send({ socketPath: join(server.directory, 'engine.sock'), path }, { method: 'POST', body: text });
  assert.equal(status, 200, said);
}
const stamp = (ms) => new Date(ms).toISOString().slice(0, 23).replace('T', ' ');

async function seed(name, all) {
  const { tenant, write_key: key } = server.tenants[name];
  const items = toSend(all);
  for (let at = 0; at < items.length; at += 500) {
    const part = items.slice(at, at + 500);
    const answer = await server.post('/v1/events', part, { key });
    assert.equal(answer.json.accepted, part.length, answer.text.slice(0, 2000));
  }
  await insert('analytics.revenue', all.payments.map(({ created, ...row }) => ({ ...row, tenant_id: tenant, created: stamp(created), synced_at: stamp(created) })));
  await insert('analytics.ai_traffic_spans', all.agents.map(({ timestamp, ...row }) => ({ ...row, tenant_id: tenant, timestamp: stamp(timestamp) })));
  await insert('analytics.link_visits', all.follows.map(({ timestamp, ...row }) => ({ ...row, tenant_id: tenant, timestamp: stamp(timestamp) })));
  const people = [...new Set(all.events.map(({ profile_id }) => profile_id).filter(Boolean))];
  await server.post('/v1/events', people.map((profile_id, i) => ({ type: 'identify', profile_id, email: `${profile_id}@x.example`, properties: { plan: i % 2 ? 'pro' : "o'neil \\" } })), { key });
  await server.settle(key);
}

before(async () => {
  server = await Server.start({ tenants: ['main', 'canary', 'empty'], settings: ['--spool.seal_age', '100ms'] });
  rows = makeRows(7, until);
  await seed('main', rows);
  await seed('canary', makeRows(8, until, CANARY));
  ({ types, configs } = (await server.get('/v1/query/types', server.tenants.main.secret_key)).json);
  model = new Model(rows, from, to);
});
after(() => server?.remove());

const post = (body, { tenant = 'main', query = '', at = '/v1/query', headers = {} } = {}) =>
  server.api('POST', `${at}${query}`, body, null, { 'x-api-key': server.tenants[tenant].secret_key, ...headers });
const when = { startDate, endDate, timezone: ZONE };
/** The rows of one type over the three days. */
async function ask(name, more = {}, options) {
  const answer = await post({ parameters: [name], ...when, ...more }, options);
  assert.equal(answer.status, 200, answer.text);
  const [part] = answer.json.data;
  assert.ok(part.success, `${name}: ${part.error}`);
  return part.data;
}
const filter = (field, value, op = 'eq', more = {}) => ({ filters: [{ field, op, value, ...more }] });
/** What some types must be filtered by: a person who paid, and one of his visits. */
function needed(name) {
  const { of } = people(), payer = of(model.payments.find((payment) => of(payment)));
  if (name === 'session_events') return { session_id: model.visits[0].id };
  if (name.startsWith('profile_') && name !== 'profile_list') return { anonymous_id: payer };
  return name === 'identified_profile_retention' ? { activation_event: 'screen_view', return_event: 'screen_view' } : {};
}
const filtersOf = (name) => Object.entries(needed(name)).map(([field, value]) => ({ field, op: 'eq', value }));
const close = (actual, expected, what) => {
  assert.equal(actual.length, expected.length, `${what}: ${JSON.stringify(actual.slice(0, 5))} against ${JSON.stringify(expected.slice(0, 5))}`);
  expected.forEach((row, i) => {
    for (const [name, value] of Object.entries(row))
      if (typeof value === 'number' && typeof actual[i][name] === 'number') assert.ok(Math.abs(actual[i][name] - value) < 0.011, `${what}, ${name}: ${JSON.stringify(actual[i])} against ${JSON.stringify(row)}`);
      else assert.deepEqual(actual[i][name], value, `${what}, ${name}: ${JSON.stringify(actual[i])} against ${JSON.stringify(row)}`);
  });
};
const byText = (a, b) => (Buffer.from(a).compare(Buffer.from(b)));
/** In the order of B: visitors, page views, name. */
const ordered = (list, ...keys) => list.sort((a, b) => keys.reduce((found, key) => found || b[key] - a[key], 0) || byText(a.name, b.name));
const withShare = (list, column = 'visitors') => list.map((row) => ({ ...row, percentage: rate(row[column], sum(list, (other) => other[column])) }));

// ---- every type ----

test('every type answers with its columns, in their order, and with nothing of another tenant', async () => {
  assert.ok(types.length > 120, `${types.length} types`);
  assert.deepEqual(Object.keys(configs), types);
  const silent = ['revenue_by_ai_product'].concat(types.filter((name) => name.startsWith('realtime_')));
  await forAll(types, async (name) => {
    const columns = configs[name].meta.output_fields.map((field) => field.name);
    const found = await ask(name, { filters: filtersOf(name) });
    if (!silent.includes(name)) assert.ok(found.length > 0, `${name} has no rows`);
    if (found.length) assert.deepEqual(Object.keys(found[0]), columns, name);
    const text = JSON.stringify(found);
    assert.ok(!text.includes(CANARY), `${name} shows another tenant: ${text.slice(0, 500)}`);
  });
});

test('every type takes its filters, an order, a page and another granularity; a tenant without rows gets none, or zeros', async () => {
  await forAll(types, async (name) => {
    const { allowedFilters, customizable, meta } = configs[name];
    const filters = [...filtersOf(name), ...allowedFilters.map((field) => ({ field: field.replace('*', "pl'an"), op: 'not_in', value: ["no'body", '\\', '"'] }))].slice(0, 20);
    const sortBy = meta.output_fields.map((field) => field.name).filter((column) => !['events', 'versions', 'traits', 'properties', 'property_keys'].includes(column)).at(-1);
    const more = { filters, sortBy, sortOrder: 'asc', limit: 3, page: 1, granularity: 'hourly', ...(customizable ? { groupBy: ['country'] } : {}) };
    const found = await ask(name, more, { tenant: 'empty' });
    assert.ok(found.length <= 3, name);
    for (const row of found)
      for (const [column, value] of Object.entries(row)) assert.ok(typeof value !== 'number' || value === 0, `${name}: ${column} is ${value}`);
  });
});

test('the engine takes what /compile gives, and gives the same rows', async () => {
  const sample = types.filter((name, i) => i % 4 === 0); // each is run by itself above
  for (const name of types) {
    const answer = await post({ parameters: [name], ...when, filters: filtersOf(name) }, { at: '/v1/query/compile' });
    assert.equal(answer.status, 200, answer.text);
    const [{ sql, params, parameter }] = answer.json.queries;
    assert.deepEqual([parameter, params.tenant], [name, server.tenants.main.tenant]);
    // Every read of a table names the tenant.
    const reads = sql.match(/\b(analytics|observability)\.[a-z_]+/g).length, named = sql.match(/tenant_id = \{tenant:String\}/g).length;
    assert.equal(named, reads, sql);
    if (!sample.includes(name) || name.startsWith('realtime_')) continue;
    const found = await server.sql(sql, server.tenants.main.tenant, Object.fromEntries(Object.entries(params).map(([key, value]) => [`param_${key}`, value.replaceAll('\\', '\\\\')])));
    assert.equal(found.length, (await ask(name, { filters: filtersOf(name) })).length, name);
  }
});

// ---- figures ----

test('the summary', async () => {
  const { views, events, visits } = model;
  const seconds = visits.map((visit) => visit.seconds).filter(Boolean);
  close(await ask('summary_metrics'), [{ pageviews: views.length, unique_visitors: visitors(views), sessions: visits.length, bounce_rate: rate(visits.filter(({ bounced }) => bounced).length, visits.length),
    median_session_duration: quantile(seconds, 0.5), total_events: events.length }], 'summary');
  close(await ask('session_metrics'), [{ total_sessions: visits.length, avg_session_duration: mean(seconds), bounce_rate: rate(visits.filter(({ bounced }) => bounced).length, visits.length),
    total_events: sum(visits, (visit) => visit.events.length) }], 'sessions');
  assert.ok(visits.some(({ bounced }) => bounced) && views.some(({ device_id }) => device_id === ''), 'the rows have what is counted');
});

test('days and hours are those of the zone, and empty ones are there', async () => {
  const of = (day) => ({ list: model.views.filter(({ timestamp }) => localDay(timestamp) === day), visits: model.visits.filter(({ first }) => localDay(first.timestamp) === day) });
  close(await ask('events_by_date'), days.map((date) => {
    const { list, visits } = of(date);
    return { date, pageviews: list.length, visitors: visitors(list), sessions: visits.length, bounce_rate: rate(visits.filter(({ bounced }) => bounced).length, visits.length),
      median_session_duration: quantile(visits.map(({ seconds }) => seconds).filter(Boolean), 0.5), pages_per_session: round(list.length / visits.length) };
  }), 'by date');
  const hours = await ask('events_by_date', { granularity: 'hourly' });
  assert.equal(hours.length, 72);
  assert.deepEqual([hours[0].date, hours[71].date], [`${startDate} 00:00:00`, `${endDate} 23:00:00`]);
  assert.equal(sum(hours, ({ pageviews }) => pageviews), model.views.length);
  assert.ok(hours.some(({ pageviews }) => pageviews === 0));
  const trend = await ask('error_trends');
  close(trend, days.map((date) => ({ date, errors: model.errors.filter(({ timestamp }) => localDay(timestamp) === date).length })), 'errors by date');
  const visits = await ask('sessions_time_series');
  close(visits, days.map((date) => ({ date, sessions: of(date).visits.length })), 'visits by date');
});

test('pages', async () => {
  const B = (list, key) => withShare(ordered([...groups(list, key)].map(([name, some]) => ({ name, pageviews: some.length, visitors: visitors(some) })), 'visitors', 'pageviews'));
  close(await ask('top_pages'), B(model.views, (view) => path(view.path)), 'top pages');
  assert.ok((await ask('top_pages')).some(({ name }) => name === '/docs/a b'));
  close(await ask('entry_pages'), B(model.visits.map(({ views }) => views[0]), (view) => path(view.path)), 'entry pages');
  close(await ask('exit_pages'), B(model.visits.map(({ views }) => views.at(-1)), (view) => path(view.path)), 'exit pages');
  const exits = model.events.filter(({ name, time_on_page }) => name === 'page_exit' && time_on_page > 1 && time_on_page < 3600);
  const times = [...groups(exits, (exit) => path(exit.path))].map(([name, list]) => ({ name, sessions_with_time: visitsIn(list), visitors: visitors(list), median_time_on_page: quantile(list.map((exit) => exit.time_on_page), 0.5) }));
  close(await ask('page_time_analysis'), withShare(ordered(times, 'sessions_with_time')), 'time on page');
  close(await ask('page_performance'), ordered([...groups(model.views, (view) => path(view.path))].map(([name, list]) => ({ name, pageviews: list.length, samples: list.length,
    avg_load_time: mean(list.map((view) => view.load_time)), p75_load_time: quantile(list.map((view) => view.load_time), 0.75) })), 'pageviews'), 'load times');
});

/** B by a value of the visit. */
function byVisit(value, keep = (name) => name !== '', list = model.visits) {
  const found = [...groups(list, value)].filter(([name]) => keep(name));
  return withShare(ordered(found.map(([name, visits]) => ({ name, pageviews: sum(visits, ({ views }) => views.length), visitors: visitors(visits.flatMap(({ views }) => views)) })), 'visitors', 'pageviews'));
}

test('where visits come from, places and devices are what their first page view says', async () => {
  const known = { 'https://www.google.com/': 'Google', 'https://chatgpt.com/': 'ChatGPT', 'https://blog.example/post': 'blog.example' };
  const source = ({ first }) => known[first.referrer] ?? (first.utm_source || 'direct');
  const sources = await ask('traffic_sources');
  close(sources.filter(({ name }) => name !== 'news' && name !== 'direct'), byVisit(source, () => true).filter(({ name }) => name !== 'news' && name !== 'direct'), 'sources');
  assert.equal(sources.find(({ name }) => name === 'Google').domain, 'google.com');
  assert.equal(sources.find(({ name }) => name === 'ChatGPT').referrer_type, 'ai');
  assert.ok(sources.some(({ name }) => name === 'direct') && !(await ask('top_referrers')).some(({ name }) => name === 'direct'));
  close(await ask('utm_campaigns'), byVisit(({ first }) => first.utm_campaign ?? ''), 'campaigns');
  for (const [type, field] of [['browser_name', 'browser'], ['os_name', 'os'], ['device_types', 'device'], ['country', 'country'], ['timezone', 'timezone'], ['language', 'language'],
    ['screen_resolutions', 'screen_resolution'], ['viewport_patterns', 'viewport_size']])
    close(await ask(type), byVisit(({ first }) => first[field]), type);
  close((await ask('city')).map((row) => ({ ...row, name: `${row.name} ${row.country}` })).sort((a, b) => byText(a.name, b.name)),
    byVisit(({ first }) => `${first.city} ${first.country}`).sort((a, b) => byText(a.name, b.name)), 'cities, by country');
  const grouped = await ask('browsers_grouped');
  for (const { name, pageviews, versions } of grouped) assert.equal(sum(versions, (version) => version.pageviews), pageviews, name);
  const both = await ask('browser_name', { groupBy: ['country'] });
  close(both.map((row) => ({ ...row, name: `${row.name} ${row.country}` })).sort((a, b) => byText(a.name, b.name)), byVisit(({ first }) => `${first.browser} ${first.country}`).sort((a, b) => byText(a.name, b.name)), 'by two fields');
});

test('errors', async () => {
  const { errors, visits } = model;
  assert.ok(errors.length > 10);
  const by = (key) => [...groups(errors, key)];
  close(await ask('error_types'), by(({ message }) => message).map(([name, list]) => ({ name, count: list.length, users: visitors(list), last_seen: stamp(Math.max(...list.map(({ timestamp }) => timestamp))) }))
    .sort((a, b) => b.count - a.count || byText(a.name, b.name)), 'messages');
  close(await ask('errors_by_page'), ordered(by((error) => path(error.path)).map(([name, list]) => ({ name, errors: list.length, users: visitors(list) })), 'errors'), 'pages');
  const failed = new Set(errors.map(({ session_id }) => session_id));
  close(await ask('error_summary'), [{ totalErrors: errors.length, uniqueErrorTypes: distinct(errors, ({ error_type }) => error_type), affectedUsers: visitors(errors), affectedSessions: failed.size,
    errorRate: rate(visits.filter(({ id }) => failed.has(id)).length, visits.length) }], 'summary');
  const recent = await ask('recent_errors');
  assert.ok(recent.every(({ stack, device_type, country }) => stack.length === 1500 && device_type && country));
  assert.equal((await ask('error_fingerprints')).length, distinct(errors, ({ message, error_type }) => `${message.replace(/\d+/, '#')} ${error_type}`));
  const payers = rows.payments.filter(({ type, status }) => ['sale', 'subscription'].includes(type) && status === 'completed');
  const pays = (error) => payers.some(({ profile_id, device_id }) => (profile_id && profile_id === error.profile_id) || (device_id && device_id === error.device_id));
  assert.equal(sum(await ask('error_customer_impact'), (row) => row.paying_users), sum(by(({ message }) => message), ([, list]) => distinct(list.filter(pays), (error) => error.profile_id || error.device_id)));
});

test('web vitals', async () => {
  const { vitals } = model;
  const values = (list, metric) => list.filter(({ metric_name }) => metric_name === metric).map(({ metric_value }) => metric_value);
  close(await ask('vitals_overview'), ['CLS', 'FCP', 'INP', 'LCP', 'TTFB'].map((metric_name) => {
    const list = values(vitals, metric_name);
    return { metric_name, p50: quantile(list, 0.5), p75: quantile(list, 0.75), p99: quantile(list, 0.99), avg_value: mean(list), samples: list.length };
  }), 'overview');
  const counted = vitals.filter(({ metric_name, metric_value }) => metric_name === 'CLS' || metric_value > 0);
  assert.ok(counted.length < vitals.length);
  const shape = (key, sizes) => ordered([...groups(counted, key)].map(([name, list]) => ({ name, visitors: visitors(list), p50_lcp: quantile(values(list, 'LCP'), 0.5), p50_cls: quantile(values(list, 'CLS'), 0.5), [sizes]: list.length })), 'visitors', sizes);
  close(await ask('vitals_by_country'), shape(({ country }) => country, 'samples'), 'by country');
  const devices = await ask('web_vitals_by_device');
  close(devices, shape(({ device }) => device, 'measurements'), 'by device');
  assert.ok(devices.some(({ name }) => name === 'desktop'), 'desktops are not lost');
  close(await ask('vitals_time_series'), days.flatMap((date) => ['CLS', 'FCP', 'INP', 'LCP', 'TTFB'].map((metric_name) => {
    const list = values(vitals.filter(({ timestamp }) => localDay(timestamp) === date), metric_name);
    return { date, metric_name, p75: quantile(list, 0.75), samples: list.length };
  })).filter(({ samples }) => samples), 'by date');
});

test('visits', async () => {
  const { visits } = model;
  const edges = [['0-30s', 0, 30], ['30s-1m', 30, 60], ['1m-5m', 60, 300], ['5m-15m', 300, 900], ['15m-1h', 900, 3600], ['1h+', 3600, Infinity]];
  const timed = visits.filter(({ seconds }) => seconds > 0);
  close(await ask('session_duration_distribution'), edges.map(([name, least, most]) => {
    const sessions = timed.filter(({ seconds }) => seconds >= least && seconds < most).length;
    return { name, sessions, percentage: rate(sessions, timed.length) };
  }), 'durations');
  close(await ask('sessions_by_device'), withShare(ordered([...groups(visits, ({ first }) => first.device)].map(([name, list]) => ({ name, sessions: list.length, visitors: visitors(list.flatMap(({ events }) => events)),
    bounce_rate: rate(list.filter(({ bounced }) => bounced).length, list.length), avg_session_duration: mean(list.map(({ seconds }) => seconds).filter(Boolean)) })), 'sessions'), 'sessions'), 'devices');
  const steps = visits.flatMap(({ id, views }) => views.slice(1).map((view, i) => ({ session_id: id, from_path: path(views[i].path), to_path: path(view.path) }))).filter((step) => step.from_path !== step.to_path);
  close(await ask('session_flow'), ordered([...groups(steps, (step) => `${step.from_path} → ${step.to_path}`)].map(([name, list]) => ({ name, transitions: list.length, sessions: visitsIn(list) })), 'transitions').slice(0, 100), 'flow');
  const recent = [...visits].sort((a, b) => b.events.at(-1).timestamp - a.events.at(-1).timestamp);
  const listed = await ask('session_list');
  assert.equal(listed.length, 25);
  close(listed, recent.slice(0, 25).map(({ id, views, events, first }) => ({ session_id: id, page_views: views.length, first_visit: stamp(events[0].timestamp), last_visit: stamp(events.at(-1).timestamp),
    visitor_id: first.device_id, country: first.country, device: first.device })), 'list');
  for (const row of listed) assert.deepEqual(row.events.map(([, time, name]) => [time, name]), model.visitOf[row.session_id].events.map(({ timestamp, name }) => [stamp(timestamp), name]), row.session_id);
  assert.deepEqual((await ask('session_list', { page: 2 })).map(({ session_id }) => session_id), recent.slice(25, 50).map(({ id }) => id));
  const [one] = listed;
  const events = await ask('session_events', filter('session_id', one.session_id));
  assert.deepEqual(events.map(({ time, name }) => [time, name]), one.events.map(([, time, name]) => [time, name]));
});

test('custom events and their properties', async () => {
  const { custom } = model;
  const list = ordered([...groups(custom, ({ name }) => name)].map(([name, some]) => ({ name, total_events: some.length, unique_users: visitors(some), unique_sessions: visitsIn(some),
    events_with_properties: some.filter(({ properties }) => properties).length })), 'total_events');
  close(await ask('custom_events'), withShare(list, 'total_events'), 'events');
  const plans = (name, value) => custom.filter((event) => event.name === name && event.properties?.plan === value).length;
  const distribution = await ask('custom_events_property_distribution', filter('property_key', 'plan'));
  for (const { name, property_value, count, percentage } of distribution) {
    assert.equal(count, plans(name, property_value));
    assert.ok(Math.abs(percentage - rate(count, plans(name, 'pro') + plans(name, 'free'))) < 0.011);
  }
  const few = [...groups(custom, ({ name }) => name)].filter(([, some]) => distinct(some, ({ properties }) => properties?.note) <= 20).map(([name]) => name);
  const shown = await ask('custom_events_property_distribution', { limit: 1000 });
  assert.deepEqual([...new Set(shown.filter(({ property_key }) => property_key === 'note').map(({ name }) => name))].sort(), few.sort(), 'a property of many values is no choice among few');
  const kinds = Object.fromEntries((await ask('custom_events_property_classification')).map(({ property_key, type }) => [property_key, type]));
  assert.deepEqual([kinds.plan, kinds.seats, kinds.trial], ['categorical', 'numeric', 'boolean']);
  assert.deepEqual((await ask('custom_events_summary'))[0], { total_events: custom.length, unique_event_types: 3, unique_users: visitors(custom), unique_sessions: visitsIn(custom), unique_pages: distinct(custom, (event) => path(event.path)) });
  close(await ask('custom_events', filter('properties.plan', 'pro')), list.map(({ name }) => ({ name, total_events: plans(name, 'pro') })).filter((row) => row.total_events).sort((a, b) => b.total_events - a.total_events || byText(a.name, b.name)), 'by property');
  close(await ask('custom_events_trends'), days.map((date) => ({ date, total_events: custom.filter(({ timestamp }) => localDay(timestamp) === date).length })), 'by date');
});

/** Who an event is of: its profile, else the first profile of its device, else the device. */
function people() {
  const owners = {};
  for (const event of [...model.events].sort((a, b) => a.timestamp - b.timestamp)) if (event.profile_id && event.device_id) owners[event.device_id] ??= event.profile_id;
  return { owners, of: (row) => row.profile_id || owners[row.device_id] || row.device_id };
}

test('people: what a device did before it was known is theirs', async () => {
  const { of } = people();
  const all = [...groups(model.events.filter((event) => of(event)), of)];
  const listed = await ask('profile_list', { limit: 1000 });
  assert.equal(listed.length, all.length);
  for (const [who, events] of all) {
    const row = listed.find(({ profile_id, visitor_id }) => (profile_id || visitor_id) === who);
    const paid = rows.payments.filter((payment) => of(payment) === who && ['completed', 'refunded'].includes(payment.status));
    assert.ok(row, who);
    assert.deepEqual([row.total_events, row.session_count, row.custom_event_count, round(row.ltv)],
      [events.length, visitsIn(events), events.filter((event) => model.custom.includes(event)).length, round(sum(paid, ({ amount }) => amount))], who);
  }
  const known = all.find(([who, events]) => who.startsWith('user-') && events.some(({ profile_id }) => !profile_id));
  assert.ok(known, 'somebody was seen before being known');
  const [who, events] = known;
  for (const name of [who, events[0].device_id]) {
    const [detail] = await ask('profile_detail', filter('anonymous_id', name));
    assert.deepEqual([detail.profile_id, detail.total_events, detail.email], [who, events.length, `${who}@x.example`]);
    const sessions = await ask('profile_sessions', filter('anonymous_id', name));
    close(sessions, [...groups(events, ({ session_id }) => session_id)].map(([session_id, list]) => ({ session_id, event_count: list.length,
      duration: Math.min(28800, Math.floor(Math.max(...list.map(({ timestamp }) => timestamp)) / 1000) - Math.floor(Math.min(...list.map(({ timestamp }) => timestamp)) / 1000)) }))
      .sort((a, b) => Math.max(...events.filter((e) => e.session_id === b.session_id).map((e) => e.timestamp)) - Math.max(...events.filter((e) => e.session_id === a.session_id).map((e) => e.timestamp))), name);
  }
});

test('retention: only people who are known, and whose time is over', async () => {
  const known = model.events.filter(({ profile_id }) => profile_id);
  const begins = [...groups(known.filter(({ name }) => name === 'screen_view'), ({ profile_id }) => profile_id)].map(([id, list]) => [id, Math.min(...list.map(({ timestamp }) => timestamp))]);
  const exits = rows.events.filter(({ profile_id, name }) => profile_id && name === 'page_exit');
  const came = begins.filter(([id, begun]) => exits.some(({ profile_id, timestamp }) => profile_id === id && timestamp > begun && timestamp <= begun + 7 * DAY));
  const filters = [{ field: 'activation_event', op: 'eq', value: 'screen_view' }, { field: 'return_event', op: 'eq', value: 'page_exit' }, { field: 'horizon_days', op: 'eq', value: 7 }];
  const [overall, ...cohorts] = await ask('identified_profile_retention', { filters });
  assert.deepEqual(overall, { cohort: 'overall', eligible: begins.length, retained: came.length, rate: rate(came.length, begins.length) });
  assert.ok(came.length > 0 && came.length < begins.length, `${came.length} of ${begins.length}`);
  assert.deepEqual(cohorts.map(({ cohort, eligible }) => [cohort, eligible]), days.map((day) => [day, begins.filter(([, begun]) => localDay(begun) === day).length]).filter(([, count]) => count));
  const early = [...filters, { field: 'observation_end', op: 'eq', value: new Date(to).toISOString() }];
  assert.deepEqual(await ask('identified_profile_retention', { filters: early }), [], 'nobody has been watched for seven days by then');
});

test('how pages are used, and links that lead elsewhere', async () => {
  const exits = model.events.filter(({ name }) => name === 'page_exit');
  const depths = exits.map(({ scroll_depth }) => scroll_depth);
  close(await ask('scroll_depth_summary'), [{ avg_scroll_depth: mean(depths), median_scroll_depth: quantile(depths, 0.5), samples: exits.length, visitors: visitors(exits), sessions: visitsIn(exits) }], 'scrolling');
  close(await ask('scroll_depth_distribution'), [[0, 25], [25, 50], [50, 75], [75, 100], [100, 101]].map(([least, most]) => {
    const part = exits.filter(({ scroll_depth }) => scroll_depth >= least && scroll_depth < most);
    return { name: least === 100 ? '100%' : `${least}-${most}%`, samples: part.length, visitors: visitors(part), percentage: rate(part.length, exits.length) };
  }), 'depths');
  close(await ask('interaction_summary'), [{ samples: exits.length, total_interactions: sum(exits, ({ interaction_count }) => interaction_count), interaction_rate: rate(exits.filter(({ interaction_count }) => interaction_count > 0).length, exits.length) }], 'interactions');
  const pages = [...groups(model.engagement, (span) => path(span.path))].filter(([, list]) => list.length >= 5);
  assert.ok(pages.length > 0);
  const frustrated = (list) => rate(list.filter((span) => span.rage_click_count > 0).length, list.length);
  close(await ask('frustration_by_page'), ordered(pages.map(([name, list]) => ({ name, samples: list.length, rage_clicks: sum(list, (span) => span.rage_click_count), frustration_rate: frustrated(list) })), 'frustration_rate', 'samples'), 'frustration');
  close(await ask('engagement_quality_by_page'), ordered(pages.map(([name, list]) => ({ name, samples: list.length, median_active_time: quantile(list.map((span) => span.active_time), 0.5), active_share: 50 })), 'samples'), 'engagement');
  const forms = await ask('form_abandonment_by_page');
  for (const [name, list] of pages) assert.equal(forms.find((row) => row.name === name).forms_started, list.filter((span) => span.form_field_count > 0).length, name);
  const { links } = model;
  assert.ok(links.length > 5);
  close(await ask('outbound_links'), withShare([...groups(links, ({ href }) => href)].map(([href, list]) => ({ href, text: 'there', total_clicks: list.length, unique_users: visitors(list) })), 'total_clicks').sort((a, b) => b.total_clicks - a.total_clicks || byText(a.href, b.href)), 'links');
  close(await ask('outbound_domains'), withShare([...groups(links, ({ href }) => new URL(href).host.replace('www.', ''))].map(([domain, list]) => ({ domain, total_clicks: list.length, unique_links: distinct(list, ({ href }) => href) })), 'total_clicks')
    .sort((a, b) => b.total_clicks - a.total_clicks || byText(a.domain, b.domain)), 'domains');
});

test('visits of short links', async () => {
  const { follows } = model, of = (link) => follows.filter(({ link_id }) => link_id === link);
  assert.deepEqual(await ask('link_total_clicks'), [{ clicks: follows.length }]);
  for (const link of LINKS) assert.deepEqual(await ask('link_total_clicks', {}, { query: `?link_id=${link}` }), [{ clicks: of(link).length }]);
  close(await ask('link_clicks_by_day', {}, { query: `?link_id=${LINKS[0]}` }), days.map((date) => ({ date, clicks: of(LINKS[0]).filter(({ timestamp }) => localDay(timestamp) === date).length })), 'by day');
  close(await ask('link_top_countries'), withShare(ordered([...groups(follows, ({ country }) => country)].map(([name, list]) => ({ name, clicks: list.length })), 'clicks'), 'clicks'), 'countries');
  close(await ask('link_top_referrers'), withShare(ordered([...groups(follows, ({ referrer }) => (referrer ? 'a.example' : 'direct'))].map(([name, list]) => ({ name, clicks: list.length })), 'clicks'), 'clicks'), 'referrers');
  const [wrong] = (await post({ parameters: ['top_pages', 'link_total_clicks'], ...when }, { query: `?link_id=${LINKS[0]}` })).json.data;
  assert.match(wrong.error, /cannot be filtered by link_id/);
});

const isSale = ({ type }) => ['sale', 'subscription'].includes(type);
/** The first values of what leads to a payment, by the rules of attribution. */
function touchOf(payment) {
  const all = new Model(rows, 0, to).events.filter(({ timestamp }) => timestamp >= from - 365 * DAY).sort((a, b) => a.timestamp - b.timestamp);
  const touch = (key, value, before = payment.created) => {
    const list = value ? all.filter((event) => event[key] === value) : [];
    return list.length && list[0].timestamp <= before ? { list, first: list.find(({ name }) => name === 'screen_view') ?? list[0] } : undefined;
  };
  const trusted = (found, payer) => found && (() => {
    const profiles = [...new Set(found.list.map(({ profile_id }) => profile_id).filter(Boolean))];
    return profiles.length < 2 && (!payer || !profiles.length || profiles.includes(payer));
  })();
  const session = touch('session_id', payment.session_id);
  if (trusted(session, payment.profile_id)) return ['session', session.first];
  for (const [way, key] of [['profile', 'profile_id'], ['anonymous', 'device_id']]) {
    const found = touch(key, payment[key]);
    if (found) return [way, found.first];
  }
  const others = rows.payments.filter((other) => other.provider === payment.provider && other.customer_id === payment.customer_id && other.session_id && other.created <= payment.created);
  const visits = others.map((other) => touch('session_id', other.session_id, other.created)).filter((found) => trusted(found)).sort((a, b) => a.list[0].timestamp - b.list[0].timestamp);
  return visits.length ? ['customer', visits[0].first] : ['', undefined];
}

test('payments, and the visits they came from', async () => {
  const { payments } = model, sales = payments.filter(isSale);
  assert.ok(sales.length > 5, `${sales.length} sales`);
  const money = (list) => sum(list, ({ amount }) => amount);
  const currencies = [...groups(payments, ({ currency }) => currency)];
  close((await ask('revenue_overview')).sort((a, b) => byText(a.currency, b.currency)), currencies.map(([currency, list]) => {
    const sold = list.filter(isSale), back = list.filter(({ type }) => type === 'refund'), failed = list.filter(({ status }) => status === 'failed');
    return { currency, total_revenue: money(sold), transactions: sold.length, customers: distinct(sold, ({ customer_id }) => customer_id), refunds: money(back), refund_count: back.length, net_revenue: money(sold) + money(back),
      failed_payments: failed.length, payment_failure_rate: rate(failed.length, failed.length + sold.length), average_order_value: sold.length ? round(money(sold) / sold.length) : 0 };
  }).sort((a, b) => byText(a.currency, b.currency)), 'overview');
  const R = (list, key) => [...groups(list.filter((row) => key(row)), (row) => `${key(row)}\n${row.currency}`)].map(([name, some]) => ({ name: name.split('\n')[0], currency: name.split('\n')[1], revenue: money(some), transactions: some.length }))
    .sort((a, b) => b.revenue - a.revenue || byText(a.name, b.name) || byText(a.currency, b.currency));
  close(await ask('revenue_by_provider'), R(sales, ({ provider }) => provider), 'by provider');
  close(await ask('revenue_by_product'), R(sales, ({ product_name }) => product_name), 'by product');
  const touched = sales.map((sale) => ({ ...sale, touch: touchOf(sale) }));
  const ways = new Set(touched.map(({ touch }) => touch[0]));
  for (const way of ['session', 'anonymous', '']) assert.ok(ways.has(way), `${[...ways]}`);
  const overview = await ask('revenue_attribution_overview');
  for (const way of ways)
    assert.equal(sum(overview.filter(({ matched_by }) => matched_by === way), ({ transactions }) => transactions), touched.filter(({ touch }) => touch[0] === way).length, `by ${way}: ${JSON.stringify(overview)}`);
  assert.ok(overview.filter(({ matched_by }) => !matched_by).every(({ unmatched_reason }) => ['missing_browser_identity', 'no_verified_prior_match'].includes(unmatched_reason)));
  close(await ask('revenue_by_country'), R(touched, ({ touch }) => touch[1]?.country), 'by country');
  close(await ask('revenue_by_device'), R(touched, ({ touch }) => touch[1]?.device), 'by device');
  close(await ask('revenue_by_entry_page'), R(touched, ({ touch }) => touch[1] && path(touch[1].path)), 'by entry page');
  close(await ask('revenue_by_ai_product'), R(touched, ({ touch }) => touch[1]?.referrer === 'https://chatgpt.com/' && 'ChatGPT'), 'by assistant');
  const german = touched.filter(({ touch }) => touch[1]?.country === 'DE');
  assert.equal(sum(await ask('revenue_by_provider', filter('country', 'DE')), ({ transactions }) => transactions), german.length);
  close(await ask('revenue_time_series'), days.flatMap((date) => ['EUR', 'USD'].map((currency) => {
    const list = payments.filter((payment) => payment.currency === currency && localDay(payment.created) === date);
    return { date, currency, revenue: money(list.filter(isSale)), rows: list.length };
  })).filter((row) => row.rows).map(({ rows: unused, ...row }) => row), 'by date');
  assert.equal((await ask('recent_transactions', { limit: 1000 })).length, payments.length);
});

test('AI: visits that assistants send, pages that agents read, calls of models', async () => {
  const visits = model.visits.filter(({ first }) => first.referrer === 'https://chatgpt.com/');
  close(await ask('ai_products'), visits.length ? [{ name: 'ChatGPT', sessions: visits.length, pageviews: sum(visits, ({ views }) => views.length) }] : [], 'products');
  const { agents, calls } = model;
  close(await ask('ai_crawlers'), withShare(ordered([...groups(agents, ({ bot_name }) => bot_name)].map(([name, list]) => ({ name, requests: list.length, pages: distinct(list, (read) => path(read.path)) })), 'requests'), 'requests'), 'crawlers');
  close(await ask('ai_content_formats'), withShare(ordered([...groups(agents, ({ format }) => format || 'unknown')].map(([name, list]) => ({ name, requests: list.length })), 'requests'), 'requests'), 'formats');
  const figures = (list) => ({ total_calls: list.length, total_tokens: sum(list, ({ total_tokens }) => total_tokens), errors: list.filter(({ error }) => error).length, error_rate: rate(list.filter(({ error }) => error).length, list.length),
    p95_duration_ms: quantile(list.map(({ duration_ms }) => duration_ms), 0.95) });
  const [overview] = await ask('llm_overview_kpis');
  close([overview], [{ ...figures(calls), input_tokens: sum(calls, ({ input_tokens }) => input_tokens), tool_calls: sum(calls, ({ tool_call_names }) => tool_call_names.length) }], 'calls');
  assert.ok(Math.abs(overview.total_cost - sum(calls, ({ total_token_cost_usd }) => total_token_cost_usd)) < 1e-9);
  close(await ask('llm_model_breakdown'), ordered([...groups(calls, ({ model: name }) => name)].map(([name, list]) => ({ name, ...figures(list) })), 'total_calls'), 'models');
  const tools = calls.flatMap(({ tool_call_names }) => tool_call_names);
  close(await ask('llm_tool_breakdown'), ordered([...groups(tools, (name) => name)].map(([name, list]) => ({ name, calls: list.length })), 'calls'), 'tools');
  assert.equal((await ask('llm_recent_errors')).length, calls.filter(({ error }) => error).length);
});

// ---- filters ----

test('filters of visits hold for all their rows, those of pages for each row', async () => {
  const german = model.visits.filter(({ first }) => first.country === 'DE');
  const [figures] = await ask('summary_metrics', filter('country', 'DE'));
  assert.deepEqual([figures.sessions, figures.pageviews], [german.length, sum(german, ({ views }) => views.length)]);
  const news = model.visits.filter(({ first }) => first.utm_source === 'news');
  assert.equal((await ask('summary_metrics', filter('utm_source', 'news')))[0].pageviews, sum(news, ({ views }) => views.length));
  const google = model.visits.filter(({ first }) => first.referrer === 'https://www.google.com/');
  for (const name of ['Google', 'google.com', 'https://www.google.com']) assert.equal((await ask('summary_metrics', filter('referrer', name)))[0].sessions, google.length, name);
  const priced = model.views.filter((view) => path(view.path) === '/pricing');
  for (const value of ['/pricing', '/pricing/']) assert.equal((await ask('summary_metrics', filter('path', value)))[0].pageviews, priced.length, value);
  assert.equal((await ask('summary_metrics', filter('path', '/pricing')))[0].sessions, model.visits.filter(({ events }) => events.some((event) => path(event.path) === '/pricing')).length);
  const desktop = model.visits.filter(({ first }) => first.device === 'desktop').map(({ id }) => id);
  assert.equal((await ask('custom_events_summary', filter('device_type', 'desktop')))[0].total_events, model.custom.filter(({ session_id }) => desktop.includes(session_id)).length);
  assert.equal((await ask('error_summary', filter('browser_name', ['Chrome', 'Firefox'], 'not_in')))[0].totalErrors, model.errors.filter(({ browser }) => browser === 'Safari').length);
  const owners = [...new Set(rows.events.map(({ profile_id }) => profile_id).filter(Boolean))].filter((id, i) => i % 2 === 0);
  assert.equal((await ask('summary_metrics', filter('trait:plan', "o'neil \\")))[0].total_events, model.events.filter(({ profile_id }) => owners.includes(profile_id)).length);
});

test('operators of both vocabularies, columns of the answer, order and pages', async () => {
  const all = await ask('top_pages');
  const names = async (more) => (await ask('top_pages', more)).map(({ name }) => name).sort();
  const paths = all.map(({ name }) => name).sort();
  for (const [op, value, holds] of [['eq', '/', (p) => p === '/'], ['ne', '/', (p) => p !== '/'], ['contains', 'PRIC', (p) => p.includes('pric')], ['like', '%docs%', (p) => p.includes('docs')], ['not_contains', 'docs', (p) => !p.includes('docs')],
    ['starts_with', '/docs', (p) => p.startsWith('/docs')], ['in', ['/', '/pricing'], (p) => ['/', '/pricing'].includes(p)], ['not_in', ['/', '/pricing'], (p) => !['/', '/pricing'].includes(p)], ['notIn', ['/'], (p) => p !== '/']])
    assert.deepEqual(await names(filter('path', value, op)), paths.filter(holds), `${op} ${value}`);
  const median = all[2].pageviews;
  assert.deepEqual(await names(filter('pageviews', median, 'gt', { having: true })), all.filter(({ pageviews }) => pageviews > median).map(({ name }) => name).sort());
  const up = await ask('top_pages', { sortBy: 'pageviews', sortOrder: 'asc' });
  assert.deepEqual(up.map(({ pageviews }) => pageviews), all.map(({ pageviews }) => pageviews).sort((a, b) => a - b));
  const halves = [...await ask('top_pages', { limit: 2, page: 1 }), ...await ask('top_pages', { limit: 2, page: 2 })];
  assert.deepEqual(halves, all.slice(0, 4), 'shares are of all rows, whatever the page');
});

// ---- now ----

test('what is live', async () => {
  const { write_key: key } = server.tenants.canary, now = Date.now();
  const view = (device_id, more) => ({ name: 'screen_view', device_id, session_id: `live-${device_id}`, path: '/live', country: 'DE', city: 'Berlin', timestamp: now - 30_000, ...more });
  await server.post('/v1/events', [view('a'), view('b', { country: 'US', city: 'Springfield' }), view('a', { path: '/other', timestamp: now - 10_000 }), view('gone', { timestamp: now - 20 * 60_000 })], { key });
  await server.settle(key);
  const fresh = { tenant: 'canary', headers: { 'cache-control': 'no-cache' } };
  const [stats] = await ask('active_stats', {}, fresh);
  assert.deepEqual(stats, { active_users: 2, active_sessions: 2 });
  assert.deepEqual((await ask('realtime_pages', {}, fresh)).map(({ name, visitors: count }) => [name, count]), [['/live', 2], ['/other', 1]]);
  assert.deepEqual((await ask('realtime_countries', filter('country', 'US'), fresh)).map(({ name, visitors: count }) => [name, count]), [['US', 1]]);
  assert.deepEqual((await ask('realtime_sessions', {}, fresh)).map(({ visitor_id, current_path }) => [visitor_id, current_path]), [['a', '/other'], ['b', '/live']]);
  assert.equal((await ask('realtime_feed', filter('event_name', 'screen_view'), fresh)).length, 3);
  const velocity = await ask('realtime_velocity', filter('event_name', 'screen_view'), fresh);
  assert.deepEqual([velocity.length, sum(velocity, ({ pageviews }) => pageviews)], [60, 4]);
  const [today] = await ask('today_metrics', { preset: 'last_month', timezone: ZONE }, fresh);
  assert.equal(today.sessions, new Set([now - 30_000, now - 20 * 60_000].filter((ms) => localDay(ms) === localDay(now))).size + (localDay(now - 30_000) === localDay(now) ? 1 : 0));
});
