// SPDX-License-Identifier: Apache-2.0
// OpenPanel's read API: who may ask, how refusals look, what the answers hold.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { Server, waitFor } from './harness.mjs';
import { DAY, mean, randomVisits, rounded, send, sum, time, visitsOf } from './visits.mjs';

const begin = Math.floor(Date.now() / DAY) * DAY - 9 * DAY; // seven days of visits from two days before
let server, keys, many, project, ann;
before(async () => {
  server = await Server.start({ tenants: ['main', 'other', 'many', 'alias'], settings: ['--spool.seal_age', '100ms'] });
  keys = server.tenants.main;
  const answer = await server.post('/v1/events', [
    { name: 'screen_view', session_id: 's1', device_id: 'd1', path: '/a' },
    { name: 'screen_view', session_id: 's2', device_id: 'd2', path: '/b' },
  ], { key: keys.write_key });
  assert.equal(answer.status, 200, answer.text);
  await server.post('/v1/events', [{ name: 'screen_view', device_id: 'foreign', path: '/a' }], { key: server.tenants.other.write_key });
  for (const tenant of ['main', 'other']) await server.settle(server.tenants[tenant].write_key);
  project = server.tenants.many;
  many = randomVisits(5, 300, begin);
  await send(server, project, many);
  // Who came most often of those with a name.
  const visits = visitsOf(many).filter((one) => one.profile_id);
  ann = visits.map((one) => one.person).reduce((a, b) => (visits.filter((one) => one.person === b).length > visits.filter((one) => one.person === a).length ? b : a));
  const people = [
    { type: 'identify', profile_id: ann, first_name: 'Ada', last_name: 'Lovelace', email: 'ada@example.org', properties: { plan: 'pro' } },
    { type: 'identify', profile_id: 'bob', first_name: 'Bob' }, { type: 'group', group_id: 'g1', group_type: 'company', name: 'ACME' }, { type: 'group', group_id: 'g2', group_type: 'team', name: 'Blue' },
  ];
  assert.equal((await server.post('/v1/events', people, { key: project.write_key })).status, 200);
  await server.settle(project.write_key);
  await waitFor('groups are stored', async () => (await server.sql('SELECT count() AS n FROM analytics.groups', project.tenant))[0].n === 2);
});
after(() => { if (process.env.SHOW_LOG) console.error(server.log.slice(-4000)); return server?.remove(); });

const client = (secret = keys.secret_key, id = keys.write_key) => ({ 'openpanel-client-id': id, 'openpanel-client-secret': secret });
const ask = (path, headers = client()) => server.send(path, { headers });

test('a secret key in OpenPanel\'s headers reads its project, by id and by any name', async () => {
  for (const project of [keys.tenant, 'my-shop', 'main']) assert.deepEqual((await ask(`/insights/${project}/live`)).json, { visitors: 2 }, project);
  assert.deepEqual((await server.get(`/insights/${keys.tenant}/live`, keys.secret_key)).json, { visitors: 2 });
});

test('refusals have the shapes of that API', async () => {
  for (const [headers, status] of [[{}, 401], [client('wrong'), 401], [client('', randomUUID()), 401], [client('', keys.write_key), 403]]) {
    const answer = await ask(`/insights/${keys.tenant}/live`, headers);
    assert.equal(answer.status, status, answer.text);
    assert.deepEqual(Object.keys(answer.json), ['error', 'message']);
    assert.equal(answer.json.error, status === 401 ? 'Unauthorized' : 'Forbidden');
  }
  const foreign = await ask(`/insights/${server.tenants.other.tenant}/live`);
  assert.deepEqual([foreign.status, foreign.json.status, foreign.json.error], [404, 404, 'Not Found']);
  const wrong = await ask(`/insights/${keys.tenant}/live?filter=pth:is:x`);
  assert.deepEqual([wrong.status, wrong.json.status, wrong.json.error], [400, 400, 'Bad Request']);
  assert.match(wrong.json.message, /path/);
});

// ---- answers: the same computed from the events that were sent ----

async function read(path, words = {}, status = 200) {
  const pairs = Object.entries(words).flatMap(([name, value]) => (Array.isArray(value) ? value : [value]).map((one) => [name, String(one)]));
  const answer = await server.send(`${path.startsWith('/export') ? path : `/insights/${project.tenant}/${path}`}?${new URLSearchParams(pairs)}`, { headers: { 'openpanel-client-id': project.write_key, 'openpanel-client-secret': project.secret_key } });
  assert.equal(answer.status, status, `${path}: ${answer.text}`);
  return answer.json;
}
const day = (ms) => new Date(ms).toISOString().slice(0, 10);
const whole = { startDate: day(begin - 2 * DAY), endDate: day(begin + 8 * DAY) };
function figures(visits, events) {
  return { bounce_rate: rounded((100 * visits.filter((one) => one.bounced).length) / visits.length, 2) ?? 0, unique_visitors: new Set(visits.map((one) => one.person)).size, total_sessions: visits.length,
    avg_session_duration: rounded(mean(visits.map((one) => one.duration / 1000).filter((s) => s > 0)), 3) ?? 0, total_screen_views: sum(visits.map((one) => one.views.length)),
    views_per_session: rounded(sum(visits.map((one) => one.views.length)) / visits.length, 2) ?? 0, total_revenue: sum(events.map((event) => event.revenue ?? 0)) };
}
const within = (list, of, from, to) => list.filter((one) => of(one) >= from && of(one) < to);

test('metrics and overview: one row per bucket, and in total; today is in', async () => {
  const visits = visitsOf(many);
  const expected = (from, to) => figures(within(visits, (one) => one.start, from, to), within(many, time, from, to));
  const { metrics, series } = await read('metrics', { ...whole, interval: 'day' });
  assert.deepEqual(metrics, expected(begin - 2 * DAY, begin + 9 * DAY));
  assert.equal(series.length, 11);
  series.forEach(({ date, ...row }, i) => {
    assert.equal(date, new Date(begin + (i - 2) * DAY).toISOString());
    assert.deepEqual(row, expected(begin + (i - 2) * DAY, begin + (i - 1) * DAY), date);
  });
  const { summary, interval, startDate, endDate } = await read('overview');
  assert.deepEqual(summary, expected(begin - 21 * DAY, begin + 10 * DAY));
  assert.deepEqual([interval, Date.parse(endDate) >= Date.now(), Date.parse(startDate) <= begin - 20 * DAY], ['day', true, true]);
  const sweden = await read('metrics', { ...whole, filters: '[{"name":"country","operator":"is","value":["SE"]}]' });
  const chosen = visits.filter((one) => one.country === 'SE');
  assert.deepEqual(sweden.metrics, figures(chosen, chosen.flatMap((one) => one.list)));
});

test('the eighteen columns, and traffic', async () => {
  const count = (name, prefix) => {
    const groups = new Map();
    for (const one of visitsOf(many)) {
      const key = JSON.stringify([prefix?.(one), name(one)]), row = groups.get(key) ?? groups.set(key, { ...(prefix ? { prefix: prefix(one) } : {}), name: name(one), sessions: 0, pageviews: 0, revenue: 0 }).get(key);
      row.sessions++, (row.pageviews += one.views.length), (row.revenue += one.money);
    }
    return [...groups.values()].sort((a, b) => b.sessions - a.sessions || (a.prefix < b.prefix ? -1 : a.prefix > b.prefix ? 1 : 0) || (a.name < b.name ? -1 : 1));
  };
  assert.deepEqual(await read('country', whole), count((one) => one.country));
  assert.deepEqual(await read('city', whole), count((one) => one.city, (one) => one.country));
  assert.deepEqual(await read('traffic/devices', { ...whole, breakdown: 'browser' }), count((one) => one.browser));
  for (const column of ['referrer', 'referrer_name', 'referrer_type', 'utm_source', 'utm_medium', 'utm_campaign', 'utm_term', 'utm_content', 'region', 'device', 'brand', 'model', 'browser', 'browser_version', 'os', 'os_version'])
    assert.equal(sum((await read(column, whole)).map((row) => row.sessions)), 300, column);
  const countries = await read('country', whole);
  assert.deepEqual(await read('country', { ...whole, limit: 1, cursor: 2 }), [countries[1]], 'limit and cursor count');
  assert.equal((await read('entry_page', whole, 404)).error, 'Not Found');
  assert.equal((await read('traffic/geo', { breakdown: 'browser' }, 400)).status, 400);
});

test('pages: top, entry and exit, performance', async () => {
  const views = many.filter((event) => event.name === 'screen_view');
  const top = await read('pages', whole);
  assert.deepEqual(top, await read('pages/top', whole));
  assert.deepEqual(Object.keys(top[0]), ['origin', 'path', 'sessions', 'pageviews', 'revenue']);
  for (const row of top) {
    const mine = views.filter((event) => event.path === row.path);
    assert.deepEqual([row.pageviews, row.sessions, row.revenue], [mine.length, new Set(mine.map((event) => event.session_id)).size, sum(many.filter((event) => event.path === row.path).map((event) => event.revenue ?? 0))]);
  }
  const visits = visitsOf(many), exits = await read('pages/entry_exit', { ...whole, mode: 'exit' });
  for (const row of exits) assert.equal(row.sessions, visits.filter((one) => one.list.at(-1).path === row.path).length, row.path);
  const { total_pages, shown, pages } = await read('pages/performance', { ...whole, limit: 2, sortBy: 'bounce_rate', sortOrder: 'asc' });
  assert.deepEqual([total_pages, shown, pages.length], [6, 2, 2]);
  assert.ok(pages[0].bounce_rate <= pages[1].bounce_rate);
  for (const page of pages) {
    assert.deepEqual(Object.keys(page), ['origin', 'path', 'title', 'sessions', 'pageviews', 'bounce_rate', 'avg_duration', 'high_bounce', 'low_engagement', 'good_landing']);
    const gaps = visits.flatMap((one) => one.views.map((view, i) => [view, one.views[i + 1] ? time(one.views[i + 1]) - time(view) : 0])).filter(([view]) => view.path === page.path).map(([, gap]) => gap);
    assert.deepEqual([page.avg_duration, page.low_engagement], [rounded(mean(gaps) / 60000, 2), mean(gaps) < 60000 ? 1 : 0]);
  }
});

test('export: whole rows with their properties, in pages that neither repeat nor leave out', async () => {
  const seen = [];
  for (let page = 1; ; page++) {
    const { meta, data } = await read('/export/events', { projectId: project.tenant, start: whole.startDate, end: whole.endDate, limit: 200, page, event: ['screen_view', 'order', 'click'] });
    assert.deepEqual(meta, { count: data.length, totalCount: many.length, pages: Math.ceil(many.length / 200), current: page });
    seen.push(...data);
    if (page >= meta.pages) break;
  }
  assert.deepEqual([seen.length, new Set(seen.map((row) => row.id)).size], [many.length, many.length]);
  const place = (row) => `${row.createdAt}${row.sessionId}${row.name}${row.path}${row.revenue}`;
  assert.deepEqual(seen.map(place).sort(), many.map((event) => `${event.timestamp}${event.session_id}${event.name}${event.path}${event.revenue ?? null}`).sort());
  for (let i = 1; i < seen.length; i++) assert.ok(seen[i - 1].createdAt >= seen[i].createdAt);
  const [row] = (await read('/export/events', { profileId: ann, limit: 1, includes: 'profile,properties' })).data;
  assert.deepEqual([row.profileId, row.projectId, row.profile.firstName, row.profile.properties.plan], [ann, project.tenant, 'Ada', 'pro']);
  const filtered = await read('/export/events', { filters: '[{"name":"country","operator":"is","value":["SE"]}]', event: 'order' });
  assert.equal(filtered.meta.totalCount, many.filter((event) => event.country === 'SE' && event.name === 'order').length);
  assert.equal((await read('/export/events', { projectId: server.tenants.other.tenant }, 404)).error, 'Not Found');
  assert.match((await read('/export/events', { limit: 5000 }, 400)).message, /limit/);
  assert.match((await read('/export/events', { filters: '[{' }, 400)).message, /filters/);
});

test('export: whoever an event is of by an alias comes with it, too', async () => {
  const { write_key, secret_key, tenant } = server.tenants.alias, path = '/export/events?includes=profile&event=screen_view';
  const sent = [{ name: 'screen_view', device_id: 'd1', profile_id: 'old', path: '/a' }, { type: 'identify', profile_id: 'new', first_name: 'Eve' }, { type: 'alias', profile_id: 'new', alias: 'old' }];
  assert.equal((await server.post('/v1/events', sent, { key: write_key })).status, 200);
  await server.settle(write_key);
  await waitFor('the profile and its alias are stored', async () => (await server.sql('SELECT count() AS n FROM analytics.profile_identities', tenant))[0].n > 0 && (await server.sql("SELECT count() AS n FROM analytics.profiles WHERE id = 'new'", tenant))[0].n === 1);
  let row; // that a tenant has no aliases is remembered for a moment
  await waitFor('the alias counts', async () => ([row] = (await ask(path, client(secret_key, write_key))).json.data)[0].profile.id !== '');
  assert.deepEqual([row.profileId, row.profile.id, row.profile.firstName], ['old', 'new', 'Eve']);
});

test('events, their names, properties and values', async () => {
  const events = await read('events', { ...whole, limit: 100, event: 'order' });
  const orders = many.filter((event) => event.name === 'order');
  assert.equal(events.length, Math.min(100, orders.length));
  assert.deepEqual([events[0].session_id, Date.parse(events[0].created_at)], [orders.reduce((a, b) => (time(b) > time(a) ? b : a)).session_id, Math.max(...orders.map(time))]);
  const next = await read('events', { ...whole, limit: 10, cursor: 2, event: 'order' });
  assert.deepEqual(next, events.slice(10, 20));
  assert.deepEqual(await read('events', { ...whole, limit: 100, cursor: 50, event: 'order' }), []);
  const all = await read('events', { ...whole, limit: 100, cursor: 1 }), far = await read('events', { ...whole, limit: 1, cursor: 77 });
  assert.deepEqual(far, [all[76]]);
  for (const words of [{ limit: 100, cursor: 101 }, { limit: 3, page: 3334 }])
    assert.match((await read('events', { ...whole, ...words }, 400)).message, /10000.*less time/, 'how deep pages go is said');
  const many101 = Array.from({ length: 101 }, (_, i) => `e${i}`);
  assert.match((await read('events', { event: JSON.stringify(many101) }, 413)).message, /event may have 100/);
  assert.match((await read('profiles', { search: 'a b c d e f' }, 413)).message, /5 words/);
  const names = await read('events/names');
  assert.equal(names.find((row) => row.name === 'order').count, orders.length);
  assert.deepEqual(await read('events/properties', { event: 'order' }), []);
  assert.deepEqual(await read('events/property_values', { property: 'plan' }), []);
});

test('profiles, their visits and what they come to', async () => {
  const people = await read('profiles', { search: 'lovelace ADA' });
  assert.deepEqual(people.map((row) => [row.id, row.first_name, row.email, row.properties]), [[ann, 'Ada', 'ada@example.org', { plan: 'pro' }]]);
  assert.equal((await read('profiles', { isExternal: true, limit: 100 })).filter((row) => [ann, 'bob'].includes(row.id)).length, 2);
  assert.equal((await read('profiles/bob')).first_name, 'Bob');
  assert.deepEqual(await read('profiles/nobody', {}, 404), { error: 'Profile not found', profileId: 'nobody' });
  const mine = visitsOf(many).filter((one) => one.person === ann).sort((a, b) => b.start - a.start), events = mine.flatMap((one) => one.list);
  assert.ok(mine.length > 1);
  assert.deepEqual((await read(`profiles/${ann}/sessions`)).map((row) => row.id), mine.map((one) => one.id));
  const metrics = await read(`profiles/${ann}/metrics`);
  assert.deepEqual([metrics.screenViews, metrics.sessions, metrics.totalEvents, metrics.uniqueDaysActive, metrics.bounceRate, metrics.conversionEvents, metrics.revenue, metrics.avgEventsPerSession, metrics.avgTimeBetweenSessions, metrics.durationAvg],
    [sum(mine.map((one) => one.views.length)), mine.length, events.length, new Set(events.map((event) => event.timestamp.slice(0, 10))).size, rounded((100 * mine.filter((one) => one.bounced).length) / mine.length, 2),
      events.filter((event) => event.name !== 'screen_view').length, sum(events.map((event) => event.revenue ?? 0)), rounded(events.length / mine.length, 2), rounded((mine[0].start - mine.at(-1).start) / (mine.length - 1) / 1000, 2), rounded(mean(mine.map((one) => one.duration).filter((ms) => ms > 0)) / 60000, 2) ?? 0]);
  assert.deepEqual(await read('profiles/nobody/metrics', {}, 404), { error: 'Profile not found', profileId: 'nobody' });
});

test('sessions and groups', async () => {
  const visits = visitsOf(many).sort((a, b) => b.start - a.start || (a.id < b.id ? -1 : 1));
  assert.deepEqual((await read('sessions', { ...whole, limit: 50, cursor: 2 })).map((row) => row.id), visits.slice(50, 100).map((one) => one.id));
  const [row] = await read('sessions', { ...whole, limit: 1 });
  assert.deepEqual([row.duration, row.is_bounce, row.screen_view_count], [visits[0].duration, visits[0].bounced, visits[0].views.length]);
  assert.deepEqual((await read('groups')).map((group) => group.id).sort(), ['g1', 'g2']);
  assert.deepEqual(await read('groups/types'), ['company', 'team']);
  assert.deepEqual([(await read('groups/g1')).name, (await read('groups', { type: 'team' })).map((group) => group.name)], ['ACME', ['Blue']]);
  assert.deepEqual(await read('groups/none', {}, 404), { error: 'Group not found', groupId: 'none' });
});
