// SPDX-License-Identifier: Apache-2.0
// The overview: a hand-worked example of every figure, then random visits against the same computed here.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server, waitFor } from './harness.mjs';
import { DAY, mean, median, randomVisits, rounded, send, time, visit, visitsOf } from './visits.mjs';

const MINUTE = 60_000;
const midnight = Math.floor(Date.now() / DAY) * DAY;
const begin = midnight - 9 * DAY; // all of it lies in the past
let server, keys, many;

before(async () => {
  server = await Server.start({ tenants: ['hand', 'many', 'alias', 'odd'], settings: ['--spool.seal_age', '100ms'] });
  keys = server.tenants;
  // By hand: three visits of two people in the range, one before it.
  await send(server, keys.hand, [
    ...visit('h0', begin - 3 * DAY, 'ann', [[0, 'screen_view', { path: '/a' }]]),
    ...visit('h1', begin + MINUTE, 'ann', [[0, 'screen_view', { path: '/a' }], [10_000, 'screen_view', { path: '/b' }], [40_000, 'signup', {}]], { country: 'SE' }),
    ...visit('h2', begin + 2 * MINUTE, 'bob', [[0, 'screen_view', { path: '/a' }]], { country: 'DE' }),
    ...visit('h3', begin + DAY + MINUTE, 'bob', [[0, 'screen_view', { path: '/b' }], [20_000, 'screen_view', { path: '/a' }], [25_000, 'order', { revenue: 12.5 }]], { country: 'DE' }),
  ]);
  // One person under two names, seen by two devices.
  await send(server, keys.alias, [...visit('a1', begin, 'dev1', [[0, 'screen_view', { path: '/a' }]], { profile_id: 'old' }), ...visit('a2', begin, 'dev2', [[0, 'screen_view', { path: '/a' }]], { profile_id: 'new' })]);
  assert.equal((await server.post('/v1/events', { type: 'alias', profile_id: 'new', alias: 'old' }, { key: keys.alias.write_key })).status, 200);
  // Money that goes back, and page views of no visit.
  await send(server, keys.odd, visit('o1', begin, 'ann', [[0, 'screen_view', { path: '/x' }], [10_000, 'screen_view', { path: '/y' }], [11_000, 'order', { path: '/x', revenue: 10 }], [12_000, 'back', { path: '/x', revenue: -4 }]], { country: 'SE' }));
  const alone = [1, 2].map((minute) => ({ name: 'screen_view', device_id: 'eve', path: '/x', timestamp: new Date(begin + minute * MINUTE).toISOString() }));
  assert.equal((await server.post('/v1/events', alone, { key: keys.odd.write_key })).status, 200);
  await server.settle(keys.odd.write_key);
  assert.deepEqual(await server.sql("SELECT name, device_id FROM analytics.events WHERE session_id = '' AND device_id != ''", keys.odd.tenant), [1, 2].map(() => ({ name: 'screen_view', device_id: 'eve' })));
  await send(server, keys.many, (many = randomVisits(7, 600, begin)));
});
after(() => server?.remove());

async function ask(tenant, words) {
  const query = new URLSearchParams(words.filter((word) => Array.isArray(word)));
  const answer = await server.get(`/v1/query/overview?${query}`, keys[tenant].secret_key);
  assert.equal(answer.status, 200, answer.text);
  return answer.json;
}
const range = (from, to) => [['from', String(from)], ['to', String(to)], ['interval', 'day']];

test('every figure of an example worked by hand', async () => {
  const all = 'visitors,sessions,page_views,bounce_rate,average_duration,median_duration,views_per_session,revenue,new_visitors,returning_visitors';
  const { points, totals, previous, counted_from } = await ask('hand', [...range(begin, begin + 3 * DAY), ['measures', all], ['compare', 'previous']]);
  assert.equal(counted_from, 'sessions');
  // Day 1: ann 40 s with 2 views; bob 0 s, one view: bounced. Day 2: bob 25 s with 2 views and 12.5.
  assert.deepEqual(points.map(({ time: at, ...figures }) => figures), [
    { visitors: 2, sessions: 2, page_views: 3, bounce_rate: 50, average_duration: 40, median_duration: 40, views_per_session: 1.5, revenue: 0, new_visitors: 1, returning_visitors: 1 },
    { visitors: 1, sessions: 1, page_views: 2, bounce_rate: 0, average_duration: 25, median_duration: 25, views_per_session: 2, revenue: 12.5, new_visitors: 0, returning_visitors: 1 },
    { visitors: 0, sessions: 0, page_views: 0, bounce_rate: null, average_duration: null, median_duration: null, views_per_session: null, revenue: 0, new_visitors: 0, returning_visitors: 0 },
  ]);
  // Three visits, one bounced; of the two that lasted, 40 s and 25 s: mean and median 32.5. bob is new, ann came before.
  assert.deepEqual(totals, { visitors: 2, sessions: 3, page_views: 5, bounce_rate: 33.33, average_duration: 32.5, median_duration: 32.5, views_per_session: 1.67, revenue: 12.5, new_visitors: 1, returning_visitors: 1 });
  assert.deepEqual([previous.totals.visitors, previous.totals.sessions, previous.totals.bounce_rate, previous.totals.new_visitors], [1, 1, 100, 1]);
  assert.equal(previous.points.length, 3);
});

test('page views without a visit count as views that have no length; of visitors without one nobody says they came back', async () => {
  const { totals } = await ask('odd', [...range(begin, begin + DAY), ['filter', 'path:is:/x'], ['measures', 'visitors,sessions,page_views,average_duration,new_visitors,returning_visitors']]);
  assert.deepEqual(totals, { visitors: 2, sessions: 1, page_views: 3, average_duration: 10, new_visitors: 1, returning_visitors: 0 });
  const { rows } = (await server.get(`/v1/query/pages?mode=performance&from=${begin}&to=${begin + DAY}`, keys.odd.secret_key)).json;
  assert.deepEqual(rows.map((row) => [row.path, row.page_views, row.sessions, row.average_time, row.median_time]), [['/x', 3, 1, 3.333, 10], ['/y', 1, 1, 0, null]]);
});

test('revenue is the sum of all amounts, also of those that go back, wherever it is shown', async () => {
  const words = `from=${begin}&to=${begin + DAY}`, get = async (path) => (await server.get(`/v1/query/${path}`, keys.odd.secret_key)).json;
  assert.equal((await ask('odd', range(begin, begin + DAY))).totals.revenue, 6);
  assert.deepEqual((await get(`breakdown?dimension=country&${words}`)).rows.map((row) => row.revenue), [6]);
  for (const mode of ['top', 'entry', 'exit']) assert.equal((await get(`pages?mode=${mode}&${words}`)).rows.reduce((total, row) => total + row.revenue, 0), 6, mode);
});

test('an alias makes two visitors one, in visits and in page views', async () => {
  await waitFor('the alias is known', async () => (await ask('alias', range(begin, begin + DAY))).totals.visitors === 1);
  assert.deepEqual((await ask('alias', [...range(begin, begin + DAY), ['filter', 'path:is:/a'], ['measures', 'visitors,sessions']])).totals, { visitors: 1, sessions: 2 });
});

test('a filter on the path counts page views and how long they were looked at', async () => {
  const { totals, counted_from } = await ask('hand', [...range(begin, begin + 3 * DAY), ['filter', 'path:is:/a']]);
  assert.equal(counted_from, 'page_views');
  // /a was seen in h1 (10 s until /b), h2 (the last view: no time) and h3 (the last); h2 bounced. h3 ordered for 12.5.
  assert.deepEqual(totals, { visitors: 2, sessions: 3, page_views: 3, bounce_rate: 33.33, average_duration: 10, median_duration: 10, views_per_session: 1, revenue: 12.5 });
});

test('a filter on visits chooses visits, their page views and their revenue', async () => {
  const { totals } = await ask('hand', [...range(begin, begin + 3 * DAY), ['filter', 'country:is:DE'], ['filter', 'entry_path:is:/b']]);
  assert.deepEqual(totals, { visitors: 1, sessions: 1, page_views: 2, bounce_rate: 0, average_duration: 25, median_duration: 25, views_per_session: 2, revenue: 12.5 });
});

test('what is wrong with a question is said', async () => {
  for (const [word, part] of [['measures=visitor', 'visitors'], ['filter=pth:is:x', 'path'], ['interval=year', 'month'], ['from=x', 'from'], ['filter=duration:gt:much', 'number']]) {
    const answer = await server.get(`/v1/query/overview?${word}`, keys.hand.secret_key);
    assert.equal(answer.status, 400, `${word}: ${answer.text}`);
    assert.match(answer.json.error.message, new RegExp(part), word);
  }
});

// ---- the same figures, computed from the events that were sent ----

const seconds = (list) => { const lasting = list.filter((ms) => ms > 0).map((ms) => ms / 1000).sort((a, b) => a - b); return { average_duration: rounded(mean(lasting), 3), median_duration: rounded(median(lasting), 3) }; };
function figures(visits, revenue) {
  const sessions = visits.length, page_views = visits.reduce((sum, one) => sum + one.views.length, 0);
  return { visitors: new Set(visits.map((one) => one.person)).size, sessions, page_views, bounce_rate: rounded((100 * visits.filter((one) => one.bounced).length) / sessions, 2),
    ...seconds(visits.map((one) => one.duration)), views_per_session: rounded(page_views / sessions, 2), revenue };
}
const money = (bodies, from, to) => bodies.filter((body) => body.revenue > 0 && Date.parse(body.timestamp) >= from && Date.parse(body.timestamp) < to).reduce((sum, body) => sum + body.revenue, 0);

for (const [what, filters, holds] of [['without filters', [], () => true], ['of one country', ['country:is:SE'], (one) => one.country === 'SE'], ['of some browsers', ['browser:is_not:Chrome', 'country:is:DE|US'], (one) => one.browser === 'Safari' && one.country !== 'SE']])
  test(`random visits ${what} give what is computed here, per day, in total and before`, async () => {
    const visits = visitsOf(many).filter(holds);
    const chosen = filters.length ? visits.flatMap((one) => one.list) : many;
    const expected = (from, to) => figures(visits.filter((one) => one.start >= from && one.start < to), money(chosen, from, to));
    const from = begin + 2 * DAY, to = begin + 6 * DAY;
    const answer = await ask('many', [...range(from, to), ...filters.map((filter) => ['filter', filter]), ['compare', 'previous']]);
    assert.deepEqual(answer.totals, expected(from, to));
    assert.deepEqual(answer.previous.totals, expected(from - 4 * DAY, from));
    answer.points.forEach(({ time: at, ...point }, i) => assert.deepEqual(point, expected(from + i * DAY, from + (i + 1) * DAY), at));
    assert.equal(answer.points.length, 4);
    // New: the first visit of all lies in the bucket or the range.
    const ever = visitsOf(many);
    const first = (person) => Math.min(...ever.filter((one) => one.person === person).map((one) => one.start));
    const fresh = (a, b) => new Set(visits.filter((one) => one.start >= a && one.start < b && first(one.person) >= a).map((one) => one.person)).size;
    const more = await ask('many', [...range(from, to), ...filters.map((filter) => ['filter', filter]), ['measures', 'visitors,new_visitors,returning_visitors']]);
    assert.deepEqual(more.totals, { visitors: answer.totals.visitors, new_visitors: fresh(from, to), returning_visitors: answer.totals.visitors - fresh(from, to) });
    more.points.forEach((point, i) => assert.equal(point.new_visitors, fresh(from + i * DAY, from + (i + 1) * DAY), point.time));
  });

test('random page views of some paths give what is computed here', async () => {
  const from = begin + 2 * DAY, to = begin + 6 * DAY;
  const within = (body, a, b) => Date.parse(body.timestamp) >= a && Date.parse(body.timestamp) < b;
  const expected = (a, b) => {
    const lengths = [], people = new Set(), seen = new Set(), bounced = new Set();
    let page_views = 0;
    for (const one of visitsOf(many))
      one.views.forEach((view, i) => {
        if (!['/p1', '/p2'].includes(view.path) || !within(view, a, b)) return;
        page_views++;
        people.add(view.profile_id ?? view.device_id);
        seen.add(one.id);
        if (one.bounced) bounced.add(one.id);
        lengths.push(one.views[i + 1] ? Date.parse(one.views[i + 1].timestamp) - Date.parse(view.timestamp) : 0);
      });
    return { visitors: people.size, sessions: seen.size, page_views, bounce_rate: rounded((100 * bounced.size) / seen.size, 2), ...seconds(lengths), views_per_session: rounded(page_views / seen.size, 2), seen };
  };
  const answer = await ask('many', [...range(from, to), ['filter', 'path:is:/p1|/p2']]);
  const { seen, ...totals } = expected(from, to);
  assert.deepEqual(answer.totals, { ...totals, revenue: money(many.filter((body) => seen.has(body.session_id)), from, to) });
  answer.points.forEach(({ time: at, revenue, ...point }, i) => {
    const { seen: ignored, ...one } = expected(from + i * DAY, from + (i + 1) * DAY);
    assert.deepEqual(point, one, at);
  });
});
