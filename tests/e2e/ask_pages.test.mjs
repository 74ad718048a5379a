// SPDX-License-Identifier: Apache-2.0
// Breakdowns of visits and lists of pages: an example worked by hand, then random visits against the same computed here.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server } from './harness.mjs';
import { DAY, mean, median, randomVisits, rounded, send, sum, time, visit, visitsOf } from './visits.mjs';

const begin = Math.floor(Date.now() / DAY) * DAY - 9 * DAY;
let server, keys, many;
before(async () => {
  server = await Server.start({ tenants: ['hand', 'many'], settings: ['--spool.seal_age', '100ms'] });
  keys = server.tenants;
  const view = (after, path) => [after, 'screen_view', { path, origin: 'https://a.example' }];
  await send(server, keys.hand, [
    ...visit('h1', begin, 'ann', [view(0, '/a'), view(30_000, '/b'), [40_000, 'order', { path: '/b', origin: 'https://a.example', revenue: 5 }]], { country: 'SE', city: 'Lund', utm_source: 'News', utm_medium: 'email' }),
    ...visit('h2', begin, 'bob', [view(0, '/a')], { country: 'SE', city: 'Umea', referrer: 'https://www.google.com/' }),
    ...visit('h3', begin, 'cid', [view(0, '/b'), view(300_000, '/a'), view(310_000, '/b')], { country: 'DE', city: 'Lund' }),
  ]);
  await send(server, keys.many, (many = randomVisits(11, 500, begin)));
});
after(() => { if (process.env.SHOW_LOG) console.error(server.log.slice(-3000)); return server?.remove(); });

async function ask(tenant, question, words = []) {
  const query = new URLSearchParams(Object.entries({ from: begin - 2 * DAY, to: begin + 8 * DAY }).filter(([name]) => !words.some(([other]) => other === name)).concat(words).map((pair) => pair.map(String)));
  const answer = await server.get(`/v1/query/${question}?${query}`, keys[tenant].secret_key);
  assert.equal(answer.status, 200, answer.text);
  return answer.json.rows;
}

test('an example worked by hand: places, with what they lie in', async () => {
  assert.deepEqual(await ask('hand', 'breakdown', [['dimension', 'country']]), [
    { name: 'SE', sessions: 2, visitors: 2, page_views: 3, bounce_rate: 50, average_duration: 40, revenue: 5, percentage: 66.67 },
    { name: 'DE', sessions: 1, visitors: 1, page_views: 3, bounce_rate: 0, average_duration: 310, revenue: 0, percentage: 33.33 },
  ]);
  const cities = await ask('hand', 'breakdown', [['dimension', 'city']]);
  assert.deepEqual(cities.map(({ prefix, name, sessions }) => [prefix, name, sessions]), [['DE', 'Lund', 1], ['SE', 'Lund', 1], ['SE', 'Umea', 1]]);
});

test('an example worked by hand: channels and sources', async () => {
  const of = async (dimension) => Object.fromEntries((await ask('hand', 'breakdown', [['dimension', dimension]])).map(({ name, sessions }) => [name, sessions]));
  assert.deepEqual(await of('channel'), { direct: 1, email: 1, search: 1 });
  assert.deepEqual(await of('source'), { direct: 1, news: 1, Google: 1 });
});

test('an example worked by hand: pages seen, entered, left and read', async () => {
  const origin = 'https://a.example';
  assert.deepEqual((await ask('hand', 'pages')).map(({ title, ...row }) => row), [
    { origin, path: '/a', sessions: 3, visitors: 3, page_views: 3, revenue: 0, percentage: 50 },
    { origin, path: '/b', sessions: 2, visitors: 2, page_views: 3, revenue: 5, percentage: 50 },
  ]);
  const ends = async (mode) => (await ask('hand', 'pages', [['mode', mode]])).map(({ path, sessions, bounce_rate }) => [path, sessions, bounce_rate]);
  assert.deepEqual(await ends('entry'), [['/a', 2, 50], ['/b', 1, 0]]);
  assert.deepEqual(await ends('exit'), [['/b', 2, 0], ['/a', 1, 100]]);
  // /a: 30 s, the only view, 10 s. /b: the last view, 300 s, the last view: 1.67 minutes each on average.
  assert.deepEqual((await ask('hand', 'pages', [['mode', 'performance']])).map(({ title, ...row }) => row), [
    { origin, path: '/a', sessions: 3, page_views: 3, bounce_rate: 33.33, average_time: 13.333, median_time: 20, flags: ['low_engagement'] },
    { origin, path: '/b', sessions: 2, page_views: 3, bounce_rate: 0, average_time: 100, median_time: 300, flags: [] },
  ]);
  assert.deepEqual((await ask('hand', 'pages', [['mode', 'performance'], ['search', 'EXAMPLE/B']])).map(({ path }) => path), ['/b']);
});

test('a page filter chooses the visits that saw the page; limit, offset and order choose rows', async () => {
  const rows = await ask('hand', 'breakdown', [['dimension', 'country'], ['filter', 'path:is:/b']]);
  assert.deepEqual(rows.map(({ name, sessions, page_views }) => [name, sessions, page_views]), [['DE', 1, 3], ['SE', 1, 2]]);
  const names = async (...words) => (await ask('many', 'breakdown', [['dimension', 'country'], ...words])).map(({ name }) => name);
  assert.deepEqual(await names(['sort', 'name'], ['order', 'asc']), ['DE', 'SE', 'US']);
  assert.deepEqual(await names(['sort', 'name'], ['order', 'asc'], ['limit', 1], ['offset', 1]), ['SE']);
});

test('breakdowns show the period before beside each row', async () => {
  const rows = await ask('many', 'breakdown', [['dimension', 'country'], ['from', begin + 2 * DAY], ['to', begin + 6 * DAY], ['interval', 'day'], ['compare', 'previous']]);
  const of = (name, from) => visitsOf(many).filter((one) => one.country === name && one.start >= from && one.start < from + 4 * DAY);
  assert.equal(rows.length, 3);
  for (const row of rows) {
    const now = of(row.name, begin + 2 * DAY), before = of(row.name, begin - 2 * DAY);
    assert.deepEqual([row.sessions, row.visitors], [now.length, new Set(now.map((one) => one.person)).size], row.name);
    assert.deepEqual(row.previous, { sessions: before.length, visitors: new Set(before.map((one) => one.person)).size, page_views: sum(before.map((one) => one.views.length)) });
  }
});

test('what is wrong is said', async () => {
  for (const [path, part] of [['breakdown?dimension=land', 'country'], ['breakdown', 'dimension'], ['breakdown?dimension=country&limit=0', 'limit'], ['breakdown?dimension=country&sort=x', 'sessions'], ['pages?mode=x', 'entry'], ['pages?sort=bounce_rate', 'page_views']]) {
    const answer = await server.get(`/v1/query/${path}`, keys.hand.secret_key);
    assert.equal(answer.status, 400, `${path}: ${answer.text}`);
    assert.match(answer.json.error.message, new RegExp(part), path);
  }
});

const byName = (a, b) => b.sessions - a.sessions || (a.prefix < b.prefix ? -1 : a.prefix > b.prefix ? 1 : 0) || (a.name < b.name ? -1 : 1);
for (const [dimension, name, prefix] of [['country', (one) => one.country], ['city', (one) => one.city, (one) => one.country], ['utm_source', (one) => one.utm_source], ['entry_page', (one) => one.path, (one) => one.origin]])
  test(`random visits by ${dimension} give what is computed here`, async () => {
    const visits = visitsOf(many), groups = new Map();
    for (const one of visits) {
      const key = JSON.stringify([prefix?.(one), name(one)]);
      (groups.get(key) ?? groups.set(key, []).get(key)).push(one);
    }
    const expected = [...groups.values()].map((list) => ({
      ...(prefix ? { prefix: prefix(list[0]) } : {}), name: name(list[0]), sessions: list.length, visitors: new Set(list.map((one) => one.person)).size,
      page_views: sum(list.map((one) => one.views.length)), bounce_rate: rounded((100 * list.filter((one) => one.bounced).length) / list.length, 2),
      average_duration: rounded(mean(list.map((one) => one.duration / 1000).filter((s) => s > 0)), 3), revenue: sum(list.map((one) => one.money)), percentage: rounded((100 * list.length) / visits.length, 2),
    })).sort(byName);
    assert.deepEqual(await ask('many', 'breakdown', [['dimension', dimension]]), expected);
  });

test('random page views by page give what is computed here', async () => {
  const pages = new Map(), row = (path) => pages.get(path) ?? pages.set(path, { views: 0, lengths: [], seen: new Set(), people: new Set(), bounced: new Set(), money: 0 }).get(path);
  for (const event of many) if (event.revenue > 0) row(event.path).money += event.revenue;
  for (const one of visitsOf(many))
    one.views.forEach((view, i) => {
      const at = row(view.path);
      at.views++;
      at.seen.add(one.id);
      at.people.add(one.person);
      if (one.bounced) at.bounced.add(one.id);
      at.lengths.push(one.views[i + 1] ? (time(one.views[i + 1]) - time(view)) / 1000 : 0);
    });
  const all = sum([...pages.values()].map((at) => at.views)), origin = 'https://shop.example';
  const ordered = [...pages].sort(([a, x], [b, y]) => y.views - x.views || (a < b ? -1 : 1));
  assert.deepEqual(await ask('many', 'pages'), ordered.map(([path, at]) => ({ origin, path, title: `Page ${path}`, sessions: at.seen.size, visitors: at.people.size, page_views: at.views, revenue: at.money, percentage: rounded((100 * at.views) / all, 2) })));
  const lasting = (list) => list.filter((s) => s > 0).sort((a, b) => a - b);
  const read = (await ask('many', 'pages', [['mode', 'performance']])).map(({ flags, ...page }) => page);
  assert.deepEqual(read, ordered.map(([path, at]) => ({ origin, path, title: `Page ${path}`, sessions: at.seen.size, page_views: at.views, bounce_rate: rounded((100 * at.bounced.size) / at.seen.size, 2), average_time: rounded(mean(at.lengths), 3), median_time: rounded(median(lasting(at.lengths)), 3) })));
});
