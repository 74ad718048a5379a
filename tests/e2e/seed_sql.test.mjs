// SPDX-License-Identifier: Apache-2.0
// The SQL that the two source documents of analytics print for their own tables runs on ours, and says what was sent: each answer is
// compared with one computed here from the events. What no ClickHouse runs as printed is corrected as little as will do;
// each correction stands beside its statement with its reason. CREATE TABLE is not here: the tables are ours.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { repository, Server, waitFor } from './harness.mjs';

const DAY = 86_400_000;
const seed = Number(process.env.MILLRACE_TEST_SEED ?? 20261121);
let state = seed;
/** A whole number below `bound` (Mulberry32). */
function random(bound) {
  state = (state + 0x6d2b79f5) | 0;
  let z = Math.imul(state ^ (state >>> 15), 1 | state);
  z = (z + Math.imul(z ^ (z >>> 7), 61 | z)) ^ z;
  return ((z ^ (z >>> 14)) >>> 0) % bound;
}
const pick = (list) => list[random(list.length)];

// --- what is sent -----------------------------------------------------------------------------------------------------

const EVENTS = 600;
const now = Date.now();
const taken = new Set();
/** No two events in one second: windowFunnel over DateTime leaves their order open. */
function someTime(from, to) {
  for (;;) {
    const second = Math.floor(from / 1000) + random(Math.floor((to - from) / 1000));
    if (taken.has(second)) continue;
    taken.add(second);
    return second * 1000 + random(1000);
  }
}
const events = Array.from({ length: EVENTS }, (_, i) => {
  const visit = i % 120, person = visit % 35;
  const begun = now - 2 * DAY - (visit % 24) * DAY;
  const time = someTime(begun, begun + 25 * 60_000);
  const name = pick(['screen_view', 'screen_view', 'step1', 'step2', 'step3']);
  return {
    name, time, created_at: new Date(time).toISOString(), session_id: `visit ${visit}`, device_id: `device ${person}`,
    profile_id: person < 25 ? `person ${person}` : '', path: pick(['/', '/pricing', "/it's"]), origin: 'https://shop.example',
    properties: { ...(random(4) ? { country: pick(['DE', 'FR', 'naïve "C"']) } : {}), plan: pick(['free', 'pro']) },
  };
});
const vitals = Array.from({ length: 60 }, () => ({
  type: 'vital', metric_name: pick(['LCP', 'CLS']), metric_value: random(4000) + 0.5, url: `https://shop.example${pick(['/', '/pricing'])}`,
  session_id: 'visit 1', device_id: 'device 1', timestamp: new Date(now - 3600_000 - random(2 * 3600_000)).toISOString(),
}));
const profiles = Array.from({ length: 20 }, (_, i) => ({ type: 'identify', profile_id: `person ${i}`, first_name: `First ${i}`, email: `p${i}@mail.example` }));

let server, tenant;
before(async () => {
  server = await Server.start({ tenants: ['main', 'other'], settings: ['--spool.seal_age', '100ms', '--analytics.session_flush', '100ms'] });
  const { main, other } = server.tenants;
  tenant = main.tenant;
  const sent = events.map(({ time, ...event }) => event);
  const send = async (items, { write_key }) => {
    for (let at = 0; at < items.length; at += 100) {
      const answer = await server.post('/v1/events', items.slice(at, at + 100), { key: write_key });
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.json.refused ?? 0, 0, answer.text);
    }
  };
  await send([...sent, ...vitals, ...profiles], main);
  // What must never show: the same people, elsewhere.
  await send([...sent.slice(0, 50).map((event) => ({ ...event, path: '/canary' })), { ...vitals[0], url: 'https://canary.example/canary' }], other);
  const counts = { events: EVENTS, web_vitals_spans: vitals.length, profiles: profiles.length, 'sessions FINAL': 120 };
  for (const [table, count] of Object.entries(counts))
    await waitFor(`${count} ${table}`, async () => {
      const [{ n }] = await server.sql(`SELECT count() AS n FROM analytics.${table}`, tenant);
      if (n !== count) throw new Error(`${n}`);
      return true;
    }, 30_000);
});
after(() => server?.remove());

// --- what they should say ---------------------------------------------------------------------------------------------

function group(list, key) {
  const groups = new Map();
  for (const one of list) groups.set(key(one), [...(groups.get(key(one)) ?? []), one]);
  return [...groups];
}
const distinct = (list, key) => new Set(list.map(key)).size;
const day = (time) => new Date(time).toISOString().slice(0, 10);
const text = (time) => new Date(time).toISOString().replace('T', ' ').replace('Z', '');
const byText = (a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
const views = events.filter(({ name }) => name === 'screen_view');
const weekStart = (time) => day(time - new Date(time).getUTCDay() * DAY); // Sunday, toStartOfWeek's default
const startDate = day(now - 20 * DAY), endDate = day(now - 4 * DAY);
const inDates = events.filter(({ time }) => time >= Date.parse(startDate) && time <= Date.parse(endDate));
const dayCounts = (list) => Object.fromEntries(group(list, ({ time }) => day(time)).map(([date, rows]) => [date, rows.length]));

/** Whether steps from `at` on follow each other in time, all within a day of the first. */
function follows(rows, steps, at, since, first) {
  if (at === steps.length) return true;
  return rows.some(({ name, time }) => name === steps[at] && time > since && (first === null || Math.floor(time / 1000) - Math.floor(first / 1000) <= 86400)
    && follows(rows, steps, at + 1, time, first ?? time));
}
const funnelLevel = (rows) => [3, 2, 1].find((level) => follows(rows, ['step1', 'step2', 'step3'].slice(0, level), 0, -1, null)) ?? 0;

/** A row of a bucket for each event, by the bucket's start: in the document's functions without a zone UTC. */
const buckets = {
  "toStartOfMinute(created_at)": (time) => `${text(time).slice(0, 16)}:00`,
  "toStartOfHour(created_at)": (time) => `${text(time).slice(0, 13)}:00:00`,
  "toStartOfDay(created_at, 'timezone')": (time) => `${day(time)} 00:00:00`,
  "toStartOfWeek(created_at, 1, 'timezone')": (time) => day(time - ((new Date(time).getUTCDay() + 6) % 7) * DAY),
  "toStartOfMonth(created_at)": (time) => `${day(time).slice(0, 7)}-01`,
};

const rollingFrom = Object.entries(dayCounts(events)).sort();
const monthly = group(events, ({ time }) => `${day(time).slice(0, 7)}-01`).sort().map(([month, rows]) => ({ month, users: distinct(rows, (row) => row.profile_id) }));

// --- the statements ---------------------------------------------------------------------------------------------------
// document, what it is for, printed: the text of the document (white space and comments apart). `corrections`: [from, to, why]. `settings`: what makes
// it run as printed. `before`: what stands in front of it, `fragment`: what a piece of a statement stands in.

const NO_TYPE = 'a time with milliseconds: the function takes DateTime';
const statements = [
  {
    document: '002', what: 'top pages',
    printed: `SELECT path, count(*) as pageviews, uniq(anonymous_id) as unique_visitors FROM analytics.events
      WHERE client_id = 'your-client-id' AND event_name = 'screen_view' AND time >= now() - INTERVAL 7 DAY
      GROUP BY path ORDER BY pageviews DESC LIMIT 10`,
    // What is about as old as the limit may be on either side of it by now.
    wanted: () => {
      const recent = views.filter(({ time }) => time >= Date.now() - 7 * DAY);
      return group(recent, ({ path }) => path).map(([path, rows]) => ({ path, pageviews: rows.length, unique_visitors: distinct(rows, (row) => row.device_id) }));
    },
    sorted: true,
  },
  {
    document: '002', what: 'filter early', printed: "WHERE client_id = 'xxx' AND time >= '2024-01-01'", fragment: (piece) => `SELECT count() AS n FROM analytics.events ${piece}`,
    wanted: () => [{ n: EVENTS }],
  },
  {
    document: '002', what: 'limit results', printed: 'SELECT * FROM events LIMIT 1000',
    wanted: () => events.map((event) => ({ name: event.name, path: event.path, created_at: text(event.time) })), columns: ['name', 'path', 'created_at'], sorted: true,
  },
  {
    document: '002', what: 'vitals of an hour',
    printed: `SELECT client_id, path, metric_name, toStartOfHour(timestamp) AS hour, count() AS sample_count, quantile(0.75)(metric_value) AS p75,
      quantile(0.50)(metric_value) AS p50, avg(metric_value) AS avg_value, min(metric_value) AS min_value, max(metric_value) AS max_value
      FROM analytics.web_vitals_spans GROUP BY client_id, path, metric_name, hour`,
    wanted: () => group(vitals, (vital) => JSON.stringify([new URL(vital.url).pathname, vital.metric_name, `${vital.timestamp.slice(0, 13).replace('T', ' ')}:00:00`])).map(([key, rows]) => {
      const [path, metric_name, hour] = JSON.parse(key);
      const values = rows.map(({ metric_value }) => metric_value).sort((a, b) => a - b);
      const quantile = (part) => { // between the two values around it
        const at = part * (values.length - 1), low = Math.floor(at);
        return values[low] + (values[Math.min(low + 1, values.length - 1)] - values[low]) * (at - low);
      };
      return { client_id: tenant, path, metric_name, hour, sample_count: values.length, p75: quantile(0.75), p50: quantile(0.5),
        avg_value: values.reduce((sum, value) => sum + value, 0) / values.length, min_value: values[0], max_value: values.at(-1) };
    }),
    sorted: true, near: ['avg_value', 'p75', 'p50'],
  },
  {
    document: '003', what: 'time series',
    printed: `SELECT toStartOfDay(created_at, 'UTC') as date, count(*) as count FROM events WHERE project_id = {projectId}
      AND created_at >= {startDate} AND created_at <= {endDate} GROUP BY date ORDER BY date`,
    wanted: () => Object.entries(dayCounts(inDates)).sort().map(([date, count]) => ({ date: `${date} 00:00:00`, count })),
  },
  {
    document: '003', what: 'segments by a property',
    printed: `SELECT countDistinct(profile_id) as count, properties['country'] as country FROM events WHERE project_id = {projectId}
      AND name = 'screen_view' GROUP BY country ORDER BY count DESC LIMIT 10`,
    wanted: () => group(views, ({ properties }) => properties.country ?? '').map(([country, rows]) => ({ count: distinct(rows, (row) => row.profile_id), country })),
    sorted: true,
  },
  {
    document: '003', what: 'funnel',
    printed: `SELECT profile_id, windowFunnel(86400)( created_at, name = 'step1', name = 'step2', name = 'step3' ) as level
      FROM events WHERE project_id = {projectId} GROUP BY profile_id`,
    corrections: [['( created_at,', '( toDateTime(created_at),', NO_TYPE]],
    wanted: () => group(events, ({ profile_id }) => profile_id).map(([profile_id, rows]) => ({ profile_id, level: funnelLevel(rows) })),
    sorted: true,
  },
  {
    document: '003', what: 'weekly retention', // joined_subquery_requires_alias=0 is in our profile: the second subquery has no name
    printed: `WITH first_week AS ( SELECT profile_id, toStartOfWeek(min(created_at)) as cohort_week FROM events WHERE project_id = {projectId} GROUP BY profile_id )
      SELECT cohort_week, count(DISTINCT profile_id) as users, countIf(last_seen >= cohort_week + INTERVAL 1 WEEK) as retained_week_1
      FROM first_week LEFT JOIN ( SELECT profile_id, max(created_at) as last_seen FROM events GROUP BY profile_id ) USING profile_id GROUP BY cohort_week`,
    wanted: () => {
      const people = group(events, ({ profile_id }) => profile_id).map(([, rows]) => {
        const times = rows.map(({ time }) => time), week = weekStart(Math.min(...times));
        return { week, stayed: Math.max(...times) >= Date.parse(week) + 7 * DAY };
      });
      return group(people, ({ week }) => week).map(([cohort_week, rows]) => ({ cohort_week, users: rows.length, retained_week_1: rows.filter(({ stayed }) => stayed).length }));
    },
    sorted: true,
  },
  {
    document: '003', what: 'visits',
    printed: 'SELECT * FROM sessions FINAL WHERE project_id = {projectId} AND created_at > now() - INTERVAL 7 DAY ORDER BY created_at DESC LIMIT 100',
    columns: ['id', 'created_at', 'ended_at', 'profile_id', 'screen_view_count', 'event_count', 'is_bounce', 'entry_path', 'exit_path'],
    wanted: () => group(events, ({ session_id }) => session_id)
      .map(([id, rows]) => ({ id, rows: rows.toSorted((a, b) => a.time - b.time) }))
      .filter(({ rows }) => rows[0].time > Date.now() - 7 * DAY)
      .sort((a, b) => b.rows[0].time - a.rows[0].time).slice(0, 100)
      .map(({ id, rows }) => {
        const seen = rows.filter(({ name }) => name === 'screen_view').length;
        return { id, created_at: text(rows[0].time), ended_at: text(rows.at(-1).time), profile_id: rows[0].profile_id, screen_view_count: seen,
          event_count: rows.length - seen, is_bounce: seen <= 1, entry_path: rows[0].path, exit_path: rows.at(-1).path };
      }),
  },
  {
    document: '003', what: 'events with profiles',
    printed: 'SELECT e.*, p.email, p.first_name FROM events e LEFT ANY JOIN profiles p ON p.id = e.profile_id AND p.project_id = e.project_id WHERE e.project_id = {projectId}',
    columns: ['path', 'created_at', 'email', 'first_name'], sorted: true,
    wanted: () => events.map((event) => {
      const profile = profiles.find(({ profile_id }) => profile_id === event.profile_id);
      return { path: event.path, created_at: text(event.time), email: profile?.email ?? '', first_name: profile?.first_name ?? '' };
    }),
  },
  {
    document: '003', what: 'a join only when needed', printed: 'LEFT ANY JOIN profiles p ON p.id = e.profile_id', fragment: (piece) => `SELECT countIf(p.email != '') AS n FROM events e ${piece}`,
    settings: { query_plan_convert_any_join_to_semi_or_anti_join: '0' }, // that document's own setting
    wanted: () => [{ n: events.filter((event) => profiles.some(({ profile_id }) => profile_id === event.profile_id)).length }],
  },
  {
    document: '003', what: 'the most frequent values',
    printed: `WITH top_values AS ( SELECT field, count(*) as cnt FROM events WHERE project_id = {projectId} GROUP BY field ORDER BY cnt DESC LIMIT 10 )
      SELECT e.field, count(*) as count FROM events e WHERE e.project_id = {projectId} AND e.field IN (SELECT field FROM top_values) GROUP BY e.field`,
    corrections: [['field', 'path', 'it stands for the name of a column']],
    wanted: () => group(events, ({ path }) => path).map(([path, rows]) => ({ path, count: rows.length })), sorted: true,
  },
  ...Object.entries(buckets).map(([printed, start]) => ({
    document: '003', what: `buckets: ${printed}`, printed, fragment: (piece) => `SELECT ${piece} AS bucket, count() AS count FROM events GROUP BY bucket`,
    corrections: printed.includes("'timezone'") ? [["'timezone'", "'UTC'", 'it stands for the name of a zone']] : [],
    wanted: () => group(events, ({ time }) => start(time)).map(([bucket, rows]) => ({ bucket, count: rows.length })), sorted: true,
  })),
  {
    document: '003', what: 'gaps filled',
    printed: 'SELECT date, count FROM events WHERE ... ORDER BY date WITH FILL FROM toStartOfDay({startDate}) TO toStartOfDay({endDate}) STEP INTERVAL 1 DAY',
    corrections: [
      ['FROM events WHERE ...', "FROM ( SELECT toStartOfDay(created_at, 'UTC') as date, count(*) as count FROM events WHERE project_id = {projectId} AND created_at >= {startDate} AND created_at <= {endDate} GROUP BY date )",
        '"..." and the two columns stand for the time series above'],
      ['toStartOfDay({startDate})', 'toStartOfDay(toDateTime({startDate}))', 'the client fills in text, and the function takes a time'],
      ['toStartOfDay({endDate})', 'toStartOfDay(toDateTime({endDate}))', 'likewise'],
    ],
    wanted: () => {
      const counts = dayCounts(inDates), rows = [];
      for (let time = Date.parse(startDate); time < Date.parse(endDate); time += DAY) rows.push({ date: `${day(time)} 00:00:00`, count: counts[day(time)] ?? 0 });
      return rows;
    },
  },
  {
    document: '003', what: 'rolling average',
    printed: 'SELECT date, count, avg(count) OVER ( ORDER BY date ROWS BETWEEN 7 PRECEDING AND 1 PRECEDING ) as rolling_avg FROM daily_counts',
    before: 'WITH daily_counts AS (SELECT toDate(created_at) AS date, count() AS count FROM events GROUP BY date) ',
    wanted: () => rollingFrom.map(([date, count], i) => {
      const week = rollingFrom.slice(Math.max(0, i - 7), i).map(([, n]) => n);
      return { date, count, rolling_avg: week.length ? week.reduce((a, b) => a + b) / week.length : null };
    }),
    near: ['rolling_avg'], sorted: true,
  },
  {
    document: '003', what: 'period over period', printed: 'SELECT month, users, lag(users) OVER (ORDER BY month) as prev_month_users FROM monthly_users',
    before: 'WITH monthly_users AS (SELECT toStartOfMonth(created_at) AS month, uniqExact(profile_id) AS users FROM events GROUP BY month) ',
    wanted: () => monthly.map(({ month, users }, i) => ({ month, users, prev_month_users: i ? monthly[i - 1].users : 0 })), sorted: true,
  },
  {
    document: '003', what: 'pages by cursor',
    printed: 'SELECT * FROM events WHERE project_id = {projectId} AND created_at <= {cursor} AND created_at >= toDateTime64({cursor}) - INTERVAL 30 DAY ORDER BY created_at DESC LIMIT 50',
    corrections: [['toDateTime64({cursor})', 'toDateTime64({cursor}, 3)', 'the function wants a scale']],
    columns: ['name', 'created_at'],
    wanted: () => events.filter(({ time }) => text(time) <= cursor).sort((a, b) => b.time - a.time).slice(0, 50).map(({ name, time }) => ({ name, created_at: text(time) })),
  },
  {
    document: '003', what: 'what the query builder makes',
    printed: "createSqlBuilder(); sb.select = { count: 'count(*)' }; sb.where = { project: `project_id = ${escape(projectId)}` }; sb.groupBy = { date: 'toStartOfDay(created_at)' };",
    corrections: [[/^.*$/s, 'SELECT count(*) as count FROM events WHERE project_id = {projectId} GROUP BY toStartOfDay(created_at)', 'what that product makes of it']],
    notSql: true,
    wanted: () => Object.values(dayCounts(events)).map((count) => ({ count })), sorted: true,
  },
];
const cursor = text(now - 6 * DAY);

/** The client's templates: it fills in quoted text. */
const fill = (sql) => sql.replaceAll('{projectId}', `'${tenant}'`).replaceAll("'your-client-id'", `'${tenant}'`).replaceAll("'xxx'", `'${tenant}'`)
  .replaceAll('{startDate}', `'${startDate}'`).replaceAll('{endDate}', `'${endDate}'`).replaceAll('{cursor}', `'${cursor}'`);
const plain = (sql) => sql.replace(/--.*$/gm, '').replace(/\s+/g, ' ').trim();
const rounded = (row, near = []) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, near.includes(name) && value !== null ? Math.round(value * 1000) / 1000 : value]));

for (const statement of statements) {
  test(`${statement.document}, ${statement.what}: as the events say; seed ${seed}`, async () => {
    let sql = plain(statement.printed);
    for (const [from, to] of statement.corrections ?? []) {
      assert.ok(from instanceof RegExp ? from.test(sql) : sql.includes(from), `nothing to correct: ${from}`);
      sql = from instanceof RegExp ? sql.replace(from, to) : sql.replaceAll(from, to);
    }
    sql = fill(`${statement.before ?? ''}${statement.fragment ? statement.fragment(sql) : sql}`);
    const told = await server.sql(sql, tenant, { database: 'analytics', ...statement.settings });
    const shown = told.map((row) => rounded(statement.columns ? Object.fromEntries(statement.columns.map((name) => [name, row[name]])) : row, statement.near));
    const wanted = statement.wanted().map((row) => rounded(row, statement.near));
    assert.ok(wanted.length > 0);
    if (statement.sorted) assert.deepEqual(shown.sort(byText), wanted.sort(byText), sql);
    else assert.deepEqual(shown, wanted, sql);
  });
}

// --- how long rows are kept ----------------------------------------------------------------------------------------------
// Each changes what is kept, so it runs on a copy.
const retentions = [
  { table: 'events', printed: 'ALTER TABLE analytics.events MODIFY TTL time + INTERVAL 1 YEAR', column: 'created_at',
    corrections: [['TTL time +', 'TTL created_at +', '`time` is another name of created_at here, and an ALIAS cannot be in a TTL']] },
  { table: 'daily_pageviews', printed: 'ALTER TABLE analytics.daily_pageviews MODIFY TTL date + INTERVAL 2 YEAR', column: 'date' },
];
for (const { table, printed, corrections = [] } of retentions)
  test(`002, how long ${table} are kept`, async () => {
    const copy = `${table}_kept`;
    await server.command(['sql', `CREATE TABLE analytics.${copy} AS analytics.${table}`]);
    let sql = printed;
    for (const [from, to] of corrections) sql = sql.replace(from, to);
    const { code, stderr } = await server.command(['sql', sql.replace(`analytics.${table} `, `analytics.${copy} `)]);
    assert.equal(code, 0, stderr);
    const [{ made }] = await server.sql(`SELECT create_table_query AS made FROM system.tables WHERE database = 'analytics' AND name = '${copy}'`);
    assert.match(made, /TTL .*toInterval(Year\([12]\))/);
    await server.command(['sql', `DROP TABLE analytics.${copy}`]);
  });

// --- nothing of the documents is missing ------------------------------------------------------------------------------
const folder = join(repository, '../shared/seeds');
const documentOf = (number) => readFileSync(join(folder, readdirSync(folder).find((name) => name.startsWith(`${number}_`))), 'utf8');
test('every statement of the documents is here', { skip: !existsSync(folder) && 'the documents are not there' }, () => {
  for (const number of ['002', '003']) {
    const document = plain(documentOf(number));
    const here = [...statements.filter((one) => one.document === number && !one.notSql), ...(number === '002' ? retentions : [])].map(({ printed }) => plain(printed));
    for (const printed of here) assert.ok(document.includes(printed), `document ${number} has no ${printed}`);
  }
  const blocks = [...documentOf('003').matchAll(/```sql\n([^]*?)```/g)].map(([, block]) => plain(block)).filter((block) => !/^CREATE TABLE/.test(block));
  assert.ok(blocks.length > 8);
  for (let block of blocks) {
    for (const { printed } of statements) block = block.replace(plain(printed), '');
    assert.equal(block.replaceAll(';', '').trim(), '', 'a statement of 003 that is not tried');
  }
  const begun = documentOf('002').match(/^(SELECT|ALTER|AS SELECT|WHERE \S+ = 'xxx')(?!\w).*$/gm) ?? [];
  assert.equal(begun.length, statements.filter(({ document }) => document === '002').length + retentions.length, begun.join('\n'));
});
