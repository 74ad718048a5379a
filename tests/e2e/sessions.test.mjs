// SPDX-License-Identifier: Apache-2.0
// Sessions: what analytics.sessions says is what the stored events add up to, whatever happened on the way.
//
// The weblog is read from ../shared/data beside the project when it is there.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { repository, send, Server, waitFor } from './harness.mjs';

const BROWSER = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';
const WEBLOG = join(repository, '../shared/data/weblog/access-1.log');

const servers = [];
after(async () => {
  for (const server of servers) await server.remove();
});
async function start(settings) {
  const server = await Server.start({ tenants: ['main', 'other'], settings: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]) });
  servers.push(server);
  return server;
}

// What a session is, from the raw events alone. Not the server's own statement: this one is written from the rules.
const FIRST = ['device_id', 'country', 'region', 'city', 'longitude', 'latitude', 'os', 'os_version', 'browser', 'browser_version', 'device', 'brand', 'model',
  'utm_source', 'utm_medium', 'utm_campaign', 'utm_term', 'utm_content', 'referrer', 'referrer_name', 'referrer_type'];
const COLUMNS = ['tenant', 'session', 'person', 'companies', 'begun', 'ended', 'took', 'bounce', 'entered', 'left', 'views', 'others', 'money', 'firsts'];
const DEFINITION = `
  SELECT toString(tenant_id) AS tenant, session_id AS session,
    arrayFirst(x -> x.2, arrayConcat(arrayReverse(arrayFilter(x -> x.2, people)), [(people[1].1, true)])).1 AS person,
    arraySort(arrayDistinct(arrayFlatten(groupArray(companies_of)))) AS companies,
    toUnixTimestamp64Milli(min(at)) AS begun, toUnixTimestamp64Milli(max(at)) AS ended, ended - begun AS took, toUInt8(views < 2) AS bounce,
    ifNull(arrayElementOrNull(places, 1), '') AS entered, ifNull(arrayElementOrNull(places, -1), '') AS left,
    toInt64(countIf(is_view)) AS views, toInt64(count()) - views AS others, toString(sum(toDecimal128(ifNull(money_of, 0), 4))) AS money,
    groupArray(first_of)[1] AS firsts, groupArray((person_of, is_named)) AS people,
    groupArrayIf(place, has_place) AS places
  FROM (
    SELECT e.tenant_id, e.session_id, e.created_at AS at, e.groups AS companies_of, e.revenue AS money_of, toString(e.profile_id) AS person_of,
      e.profile_id NOT IN ('', e.device_id) AS is_named, concat(e.origin, ' ', e.path) AS place, e.path != '' AS has_place,
      e.name IN ('screen_view', 'page_view', 'pageview') AND e.path != '' AS is_view,
      [${FIRST.map((column) => `ifNull(toString(e.${column}), 'NULL')`).join(', ')}] AS first_of
    FROM analytics.events AS e
    WHERE e.session_id != '' AND e.name NOT IN ('session_start', 'session_end') AND e.event_type != 'server'
    ORDER BY e.created_at, UUIDToNum(e.id))
  GROUP BY tenant_id, session_id`;
const STORED = `
  SELECT toString(s.tenant_id) AS tenant, s.id AS session, s.profile_id AS person, s.groups AS companies, toUnixTimestamp64Milli(s.created_at) AS begun,
    toUnixTimestamp64Milli(s.ended_at) AS ended, toInt64(s.duration) AS took, toUInt8(s.is_bounce) AS bounce,
    if(s.entry_path = '', '', concat(s.entry_origin, ' ', s.entry_path)) AS entered, if(s.exit_path = '', '', concat(s.exit_origin, ' ', s.exit_path)) AS left,
    toInt64(s.screen_view_count) AS views, toInt64(s.event_count) AS others, toString(s.revenue) AS money,
    [${FIRST.map((column) => `ifNull(toString(s.${column}), 'NULL')`).join(', ')}] AS firsts, toInt64(s.sign) AS n
  FROM analytics.sessions AS s`;
const list = COLUMNS.join(', ');
/** Sessions that are not what their events say, of one part of all ids: a million at once takes more memory than a query has. */
const difference = (part = 0, parts = 1) => `SELECT ${list}, sum(n) AS n FROM (
    SELECT ${list}, toInt64(1) AS n FROM (${DEFINITION.replace("e.session_id != ''", `e.session_id != '' AND cityHash64(e.session_id) % ${parts} = ${part}`)})
    UNION ALL SELECT ${list}, -n AS n FROM (${STORED} WHERE cityHash64(s.id) % ${parts} = ${part}))
  GROUP BY ${list} HAVING n != 0 ORDER BY tenant, session LIMIT 10`;

/** Waits until the table says what the events say; then nothing may differ any more. */
async function assertExact(server, { parts = 1, seconds = 30 } = {}) {
  for (let part = 0; part < parts; part++) {
    await waitFor('sessions are what their events add up to', async () => {
      // max_threads: the order of the inner SELECT is that of the arrays.
      const rows = await server.sql(difference(part, parts), '*', { max_threads: '1' });
      if (rows.length) throw new Error(JSON.stringify(rows.slice(0, 2)));
      return true;
    }, seconds * 1000);
  }
}
const totals = async (server) => (await server.sql('SELECT sum(sign) AS sessions, sum(sign * screen_view_count) AS views, sum(sign * event_count) AS events, max(version) AS version FROM analytics.sessions'))[0];

function track(server, name, properties, { agent = false, address = '93.184.216.34', userAgent = BROWSER, profileId, secret } = {}) {
  return send(`${server.url}/track`, {
    method: 'POST', agent,
    headers: { 'content-type': 'application/json', 'openpanel-client-id': server.tenants.main.write_key, ...(secret ? { 'openpanel-client-secret': server.tenants.main.secret_key } : {}), 'user-agent': userAgent, 'x-forwarded-for': address, origin: 'https://shop.example' },
    body: JSON.stringify({ type: 'track', payload: { name, properties, ...(profileId ? { profileId } : {}) } }),
  });
}
const ago = (ms) => new Date(Date.now() - ms).toISOString();

test('a visit: entry, exit, views, revenue, person; session_start before it, session_end after it, each once', async () => {
  const server = await start({ 'analytics.session_timeout': '1500ms', 'analytics.session_flush': '200ms' });
  const { json: ids } = await track(server, 'screen_view', { __path: 'https://shop.example/in?utm_source=spring', __referrer: 'https://www.google.com/' });
  await track(server, 'screen_view', { __path: 'https://shop.example/out' }, { profileId: 'ada' });
  await track(server, 'revenue', { __revenue: 1999 }, { secret: true });
  const { json: backend } = await track(server, 'paid', {}, { userAgent: 'node', profileId: 'ada' });
  assert.equal(backend.sessionId, ids.sessionId, 'the event of a server joins the visit of its person');
  const ends = await server.events(1, "name = 'session_end'");
  await assertExact(server);
  const [row] = await server.sql('SELECT * FROM analytics.sessions FINAL');
  assert.deepEqual([row.id, row.device_id, row.profile_id, row.entry_path, row.exit_path], [ids.sessionId, ids.deviceId, 'ada', '/in', '/out']);
  assert.deepEqual([row.screen_view_count, row.event_count, row.is_bounce, Number(row.revenue)], [2, 1, false, 1999]);
  assert.deepEqual([row.utm_source, row.referrer, row.referrer_name, row.browser, row.os], ['spring', 'https://www.google.com', 'spring', 'Chrome', 'Linux']);
  const starts = await server.events(1, "name = 'session_start'");
  const time = (text) => Date.parse(`${text.replace(' ', 'T')}Z`);
  assert.equal(time(starts[0].created_at), time(row.created_at) - 100);
  assert.equal(starts[0].path, '/in');
  assert.equal(time(ends[0].created_at), time(row.ended_at) + 1000);
  assert.deepEqual([ends[0].duration, ends[0].path, ends[0].properties], [row.duration, '/out', { __bounce: 'false' }]);
  assert.deepEqual([ends[0].device_id, ends[0].session_id, ends[0].profile_id], [ids.deviceId, ids.sessionId, 'ada']);
  const joined = await server.events(1, "name = 'paid'");
  assert.deepEqual([joined[0].device_id, joined[0].session_id, joined[0].referrer, joined[0].path], [ids.deviceId, ids.sessionId, 'https://www.google.com', '/out']);
  assert.equal(starts[0].referrer, 'https://www.google.com');
  // The next visit of the same device is another session.
  const { json: again } = await track(server, 'screen_view', { __path: 'https://shop.example/again' });
  assert.equal(again.deviceId, ids.deviceId);
  assert.notEqual(again.sessionId, ids.sessionId);
  await server.events(2, "name = 'session_end'");
  await assertExact(server);
});

test('events out of order extend a visit backwards; those from the past belong to none; a client names its own', async () => {
  const server = await start({ 'analytics.session_flush': '100ms' });
  const first = await track(server, 'screen_view', { __path: '/second', __timestamp: ago(60_000) });
  await server.settle(server.tenants.main.write_key);
  const earlier = await track(server, 'screen_view', { __path: '/first', __timestamp: ago(120_000), __referrer: 'https://news.example/' });
  assert.equal(earlier.json.sessionId, first.json.sessionId);
  await track(server, 'screen_view', { __path: '/old', __timestamp: ago(20 * 60_000) });
  const key = server.tenants.main.write_key;
  await server.post('/v1/events', [{ name: 'page_view', path: '/a', session_id: 'tab', device_id: 'd', created_at: ago(5000) }, { name: 'buy', session_id: 'tab', revenue: 2.5, groups: ['b', 'a'] }], { key });
  await server.post('/v1/events', { name: 'page_view', path: '/b', session_id: 'tab' }, { key: server.tenants.other.write_key });
  await server.settle(key);
  await assertExact(server);
  const rows = await server.sql('SELECT id, entry_path, exit_path, screen_view_count, event_count, groups, tenant_id FROM analytics.sessions FINAL ORDER BY screen_view_count DESC, event_count DESC');
  assert.equal(rows.length, 3, JSON.stringify(rows));
  assert.deepEqual([rows[0].entry_path, rows[0].exit_path], ['/first', '/second']);
  assert.deepEqual([rows[1].id, rows[1].event_count, rows[1].groups], ['tab', 1, ['a', 'b']]);
  assert.equal(rows[2].tenant_id, server.tenants.other.tenant);
  const past = await server.events(1, "path = '/old'");
  assert.equal(past[0].session_id, '');
});

test('kill -9 before anything was written of the visits changes nothing; they go on, and end once', async () => {
  const server = await start({ 'analytics.session_flush': '24h' });
  const { json: ids } = await track(server, 'screen_view', { __path: '/one', __timestamp: ago(1000) });
  await server.kill();
  await server.start();
  await assertExact(server);
  const { json: same } = await track(server, 'screen_view', { __path: '/two' });
  assert.deepEqual(same, ids);
  await server.kill();
  await server.start();
  await assertExact(server);
  await track(server, 'click', { __path: '/three' });
  await server.stop(); // writes what there is
  await server.start();
  await assertExact(server);
  // A row that says something else is found, and put right at the next start.
  const wrong = 'INSERT INTO analytics.sessions SELECT * REPLACE(99 AS screen_view_count, version + 5 AS version, now64(3) AS written_at) FROM analytics.sessions FINAL';
  const inserted = await send({ socketPath: join(server.directory, 'engine.sock'), path: '/?log_comment=*' }, { method: 'POST', body: wrong });
  assert.equal(inserted.status, 200, inserted.text);
  assert.equal((await server.sql(difference(), '*', { max_threads: '1' })).length, 1);
  await server.kill();
  await server.start();
  await assertExact(server);
  assert.deepEqual({ ...(await totals(server)), version: 0 }, { sessions: 1, views: 2, events: 1, version: 0 });
  await server.events(1, "name = 'session_start'");
});

test('more sessions than there is room for have their rows all the same, and go on', async () => {
  const server = await start({ 'analytics.session_limit': '1000', 'analytics.session_flush': '200ms' });
  const key = server.tenants.main.write_key;
  // Long ids: a thousand of them in one statement are more than the event store reads of one.
  const post = async (round, count = 1000) => {
    const events = Array.from({ length: 1000 }, (_, i) => 1000 - count + i).filter((i) => i < 1000).map((i) => ({ name: 'page_view', path: `/${i % 7}`, session_id: `tab-${round % 3}-${i}-${'long'.repeat(25)}`, device_id: `d${i}` }));
    const answer = await server.post('/v1/events', events, { key });
    assert.equal(answer.json.accepted, count);
  };
  for (let round = 0; round < 5; round++) await post(round);
  await server.settle(key);
  await assertExact(server, { seconds: 120 });
  await post(3, 50); // of those that came first
  await server.settle(key);
  await assertExact(server, { seconds: 120 });
  const { sessions, views } = await totals(server);
  assert.deepEqual([sessions, views], [3000, 5050]);
});

// MILLRACE_SESSION_EVENTS: how many events the next test sends; docs/benchmarks.md has a run with a million.
const GENERATED = Number(process.env.MILLRACE_SESSION_EVENTS ?? 12_000);
const VISIT_LIMIT = 8; // events
const DAY = 86_400_000;

/** mulberry32: the same seed gives the same numbers. */
function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
const pick = (next, list) => list[Math.floor(next() * list.length)];

/** Visits around a midnight: the last one that is two hours ago, or that between two months, which is another partition. */
function generatedVisit(visit, run) {
  const next = random(visit * 7919 + 1), now = new Date(), today = Math.floor((now - 3 * 3_600_000) / DAY) * DAY;
  const month = Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - (now.getUTCDate() === 1 ? 1 : 0), 1);
  const begun = (next() < 0.3 ? month : today) + Math.floor((next() - 0.5) * 4 * 3_600_000);
  const person = Math.floor(next() * GENERATED / 12);
  return { next, begun, length: 1 + Math.floor(next() * VISIT_LIMIT), session_id: `${run}-${visit}`, device_id: `device-${person}`, named: person % 3 ? '' : `person-${person}`,
    country: pick(next, ['', 'DE', 'FR', 'US']), place: next() < 0.5, referrer: pick(next, ['', 'https://news.example/a', 'https://www.google.com/']) };
}

function generatedEvent(number, run) {
  const visit = generatedVisit(Math.floor(number / VISIT_LIMIT), run), position = number % VISIT_LIMIT;
  if (position >= visit.length) return null;
  const { next } = visit;
  for (let i = 0; i < position * 11; i++) next();
  const steps = Math.floor(next() * 4); // events of one visit share a millisecond now and then
  const name = pick(next, ['screen_view', 'page_view', 'pageview', 'click', 'purchase']), has = (share) => next() < share;
  return {
    id: `${String(number).padStart(8, '0')}-${run}-4000-8000-000000000000`, name, session_id: visit.session_id, device_id: visit.device_id,
    created_at: new Date(visit.begun + position * steps * 90_000).toISOString(), referrer: visit.referrer,
    ...(has(0.8) ? { path: pick(next, ['/', '/a', '/b', '/c']), origin: pick(next, ['https://one.example', 'https://two.example']) } : {}),
    ...(visit.country ? { country: visit.country, city: pick(next, ['Ulm', 'Paris', 'Reno']) } : {}), ...(visit.place ? { longitude: Math.floor(next() * 360 - 180), latitude: 48.25 } : {}),
    ...(has(0.4) ? { profile_id: visit.named || visit.device_id } : {}), ...(has(0.1) ? { groups: [pick(next, ['acme', 'Ärzte', 'b']), 'c'] } : {}),
    ...(name === 'purchase' ? { revenue: Math.floor(next() * 100_000) / 100 } : {}), ...(has(0.3) ? { utm_source: 'letter', utm_medium: 'email' } : {}),
    os: pick(next, ['iOS', 'Android']), browser: pick(next, ['Safari', 'Chrome']), browser_version: '1.2',
  };
}

test(`${GENERATED} generated events: out of order, some twice, past midnight, with kill -9 in the middle`, async () => {
  const server = await start({ 'analytics.session_flush': '1s' });
  const key = server.tenants.main.write_key, run = 'abcd';
  const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
  const next = random(42), order = [];
  for (let number = 0; order.length < GENERATED; number++) {
    if (number % VISIT_LIMIT >= generatedVisit(Math.floor(number / VISIT_LIMIT), run).length) continue;
    const late = next() < 0.02 ? GENERATED : 0; // behind all others, when the server has been started anew
    order.push({ number, place: order.length + next() * 2_000 + late * 2 });
    if (next() < 0.05) order.push({ number, place: order.length + next() * 20_000 + late });
  }
  order.sort((a, b) => a.place - b.place);
  const size = 100, batches = Math.ceil(order.length / size);
  let at = 0, accepted = 0, duplicates = 0, killed = null;
  const worker = async () => {
    for (let batch = at++; batch < batches; batch = at++) {
      const body = JSON.stringify(order.slice(batch * size, (batch + 1) * size).map(({ number }) => generatedEvent(number, run)));
      for (;;) {
        try {
          const answer = await send(`${server.url}/v1/events`, { method: 'POST', agent, headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` }, body });
          if (answer.status === 503) continue; // the spool is full
          assert.equal(answer.status, 200, answer.text);
          assert.equal(answer.json.refused, 0, answer.text);
          accepted += answer.json.accepted;
          duplicates += answer.json.duplicates;
          break;
        } catch (error) {
          if (!killed || error instanceof assert.AssertionError) throw error;
          await killed; // and the same batch again: its ids tell whether it was stored
        }
      }
      if (batch === Math.floor(batches / 2)) {
        killed = (async () => {
          await server.kill();
          await server.start();
        })();
        await killed;
      }
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  agent.destroy();
  await waitFor('the spool is empty', async () => /^millrace_spool_depth_segments 0$/m.test((await send(`${server.url}/metrics`)).text), 30_000 + GENERATED / 2);
  const parts = Math.ceil(GENERATED / 30_000);
  await assertExact(server, { parts, seconds: 60 + GENERATED / 1_000 });
  await assertExact(server, { parts }); // and stay so
  const distinct = new Set(order.map(({ number }) => number)).size, visits = new Set(order.map(({ number }) => Math.floor(number / VISIT_LIMIT))).size;
  const { sessions, views, events: others } = await totals(server);
  assert.deepEqual([sessions, views + others], [visits, distinct]);
  assert.equal(accepted + duplicates, order.length);
  const [crossing] = await server.sql('SELECT sum(sign) AS sessions FROM analytics.sessions WHERE toDate(created_at) != toDate(ended_at)');
  assert.ok(crossing.sessions > 0 && duplicates > 0, JSON.stringify({ crossing, duplicates }));
  console.log(`# ${distinct} events in ${order.length} sendings, ${duplicates} duplicates, ${sessions} sessions, ${crossing.sessions} of them past midnight, compared in ${parts} parts`);
});

/** The log's requests, its four days squeezed into twelve minutes that end now; a visit's half hour shrinks alike. */
function readWeblog() {
  const months = 'JanFebMarAprMayJunJulAugSepOctNovDec';
  const line = /^(\S+) \S+ \S+ \[(\d+)\/(\w+)\/(\d+):(\d+):(\d+):(\d+) [^\]]*\] "\w+ (\S+)[^"]*" \d+ \S+ "([^"]*)" "([^"]*)"/;
  const rows = readFileSync(WEBLOG, 'utf8').split('\n').map((text) => line.exec(text)).filter(Boolean).map(([, address, day, month, year, hour, minute, second, path, referrer, userAgent]) => ({
    address, path, referrer, userAgent, at: Date.UTC(Number(year), months.indexOf(month) / 3, Number(day), Number(hour), Number(minute), Number(second)),
  }));
  const begin = Math.min(...rows.map((row) => row.at)), end = Math.max(...rows.map((row) => row.at));
  return { rows, begin, factor: (12 * 60_000) / (end - begin) };
}

test('the weblog through /track, out of order, some twice, with kill -9 in the middle', { skip: existsSync(WEBLOG) ? false : `there is no ${WEBLOG}` }, async () => {
  const { rows, begin, factor } = readWeblog();
  const timeout = Math.round(30 * 60_000 * factor);
  assert.ok(timeout > 1000 && rows.length > 5000, `${timeout} ms, ${rows.length} lines`);
  const server = await start({ 'analytics.session_timeout': `${timeout}ms`, 'analytics.session_flush': '500ms' });
  const zero = Date.now() - 12.5 * 60_000;
  const agent = new http.Agent({ keepAlive: true, maxSockets: 16 });
  // Neighbours swap places: what came later is sent earlier.
  const order = rows.map((row, i) => ({ ...row, place: i + Math.random() * 40 })).sort((a, b) => a.place - b.place);
  const events = order.flatMap((row, i) => (i % 10 === 0 ? [row, row] : [row]));
  let next = 0, stored = 0, bots = 0, refused = 0, killed = null;
  const worker = async () => {
    for (let i = next++; i < events.length; i = next++) {
      const row = events[i];
      const properties = { __path: `https://www.semicomplete.example${row.path}`, __timestamp: new Date(zero + (row.at - begin) * factor).toISOString(), ...(row.referrer !== '-' ? { __referrer: row.referrer } : {}) };
      for (;;) {
        try {
          const answer = await track(server, 'screen_view', properties, { agent, address: row.address, userAgent: row.userAgent });
          if (answer.status === 200) stored++;
          else if (answer.status === 202) bots++;
          else if (answer.status === 400) refused++;
          else throw new Error(`${answer.status} ${answer.text}`);
          break;
        } catch (error) {
          if (!killed) throw error;
          await killed; // and the same request again
        }
      }
      if (i === Math.floor(events.length / 2)) {
        killed = (async () => {
          await server.kill();
          await server.start();
        })();
        await killed;
      }
    }
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  agent.destroy();
  await server.settle(server.tenants.main.write_key);
  await assertExact(server);
  const { sessions, views, events: others } = await totals(server);
  const [raw] = await server.sql("SELECT uniqExact(session_id) AS sessions, count() AS events FROM analytics.events WHERE session_id != '' AND name = 'screen_view'");
  assert.deepEqual([sessions, views + others], [raw.sessions, raw.events]);
  assert.ok(sessions > 500 && raw.events > 3000, `${sessions} sessions of ${raw.events} events; ${stored} stored, ${bots} of bots, ${refused} refused`);
  const boundaries = await server.sql("SELECT name, session_id, count() AS times FROM analytics.events WHERE name IN ('session_start', 'session_end') GROUP BY name, session_id HAVING times != 1");
  assert.deepEqual(boundaries, []);
  assert.equal((await server.sql("SELECT count() AS n FROM analytics.events WHERE name = 'session_start'"))[0].n, sessions);
  await waitFor('all visits have ended', async () => (await server.sql("SELECT count() AS n FROM analytics.events WHERE name = 'session_end'"))[0].n === sessions, 30_000);
});
