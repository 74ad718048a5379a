// SPDX-License-Identifier: Apache-2.0
// Two tenants in one server: no route and no statement shows one of them anything of the other.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { forAll, repository, waitFor, send } from './harness.mjs';
import { makeWorld, otherSide as other, word } from './world.mjs';

const EVENTS = 20;
const SHARED = 'shared-device'; // both tenants have this visitor, session and page
const now = Date.now();

let world, server, catalog;
const tenants = ['alpha', 'beta'];

function event(tenant, i) {
  const mine = word(tenant);
  return {
    name: i % 2 ? 'screen_view' : `event-${mine}`, path: i % 4 === 1 ? '/shared' : `/${mine}`, origin: `https://${mine}.example`, title: `title ${mine}`,
    referrer: `https://${mine}-referrer.example/`, referrer_name: `name ${mine}`, referrer_type: `type ${mine}`, utm_source: mine, utm_medium: mine,
    utm_campaign: mine, country: mine, region: mine, city: mine, browser: mine, os: mine, device: mine, language: mine,
    device_id: i < 5 ? SHARED : `device-${mine}-${i}`, session_id: i < 5 ? SHARED : `session-${mine}-${i}`, profile_id: mine,
    timestamp: now - 60_000 - i, properties: { owner: mine },
  };
}

/** A row of this tenant in every table beside events; before the time that the questions below ask for. */
async function plant(tenant, key) {
  const mine = word(tenant), timestamp = now - 48 * 3_600_000, profile_id = mine, path = `/${mine}`;
  const things = [
    { type: 'vital', metric_name: 'LCP', metric_value: 1, path, timestamp }, { type: 'error', message: mine, path, timestamp },
    { type: 'custom', name: mine, timestamp }, { type: 'engagement', path, timestamp }, { type: 'outgoing_link', href: `https://${mine}.example/`, timestamp },
    { type: 'ai_call', model: mine, provider: mine, timestamp }, { type: 'identify', profile_id, first_name: mine, properties: { owner: mine } },
    { type: 'alias', profile_id, alias: `alias-${mine}` }, { type: 'group', group_id: mine, group_type: 'company', name: mine },
  ];
  const answer = await server.post('/v1/events', things, { key });
  assert.equal(answer.json.accepted, things.length, answer.text);
  const robot = { 'user-agent': 'Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)' };
  await server.post(`/?client_id=${key}`, { eventId: mine, name: 'screen_view', path: `https://${mine}.example/` }, { headers: robot });
  await server.post(`/vitals?client_id=${key}`, [{ metricName: mine }]);
  const link = await server.send(`/l/${mine}-slug`, { headers: { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36', referer: `https://${mine}.example/` } });
  assert.equal(link.status, 302, link.text);
  const imported = await server.post('/import/events', [{ name: mine, created_at: new Date(timestamp).toISOString(), path, properties: { owner: mine } }],
    { headers: { 'openpanel-client-id': key, 'openpanel-client-secret': server.tenants[tenant].secret_key } });
  assert.equal(imported.status, 200, imported.text);
  const rows = {
    revenue: `INSERT INTO analytics.revenue (tenant_id, provider, transaction_id, created) SELECT '${server.tenants[tenant].tenant}', 'stripe', '${mine}', now64(3)`,
    session_replay_chunks: `INSERT INTO analytics.session_replay_chunks (tenant_id, session_id, payload, started_at, ended_at, ingested_at) SELECT '${server.tenants[tenant].tenant}', '${mine}', '${mine}', now64(3), now64(3), now64(3)`,
  };
  for (const statement of Object.values(rows)) {
    const { status, text } = await send({ socketPath: join(server.directory, 'engine.sock'), path: '/?log_comment=*' }, { method: 'POST', body: statement });
    assert.equal(status, 200, text);
  }
}

before(async () => {
  world = await makeWorld(); // things of every kind, users and keys, all with a word that only their side has
  server = world.server;
  for (const side of tenants) {
    const { tenant, write_key, secret_key } = world[side];
    server.tenants[side] = { tenant, write_key, secret_key };
  }
  for (const tenant of tenants) {
    const { write_key: key } = server.tenants[tenant];
    const answer = await server.post('/v1/events', Array.from({ length: EVENTS }, (_, i) => event(tenant, i)), { key });
    assert.equal(answer.json.accepted, EVENTS, answer.text);
    await plant(tenant, key);
    await server.settle(key);
  }
  catalog = (await server.get('/v1/query/catalog', server.tenants.alpha.secret_key)).json;
});
after(() => server?.remove());

const ask = (tenant, path) => server.get(path, server.tenants[tenant].secret_key);

/** The texts that may not be seen by anybody but this tenant and its organization. */
function secrets(side) {
  const { organization, workspace, tenant, role, users, write, secret, things } = world[side];
  const people = Object.values(users).flatMap(({ id, session_id, token, refresh_token }) => [id, session_id, token, refresh_token]);
  return [word(side), organization, workspace, tenant, role, write.key, secret.key, write.api_key_id, secret.api_key_id, ...people, ...things.map(({ id }) => id)];
}

function assertShowsOnly(tenant, text, what) {
  for (const secret of secrets(other[tenant])) assert.ok(!text.includes(secret), `${what} shows ${tenant} "${secret}": ${text.slice(0, 500)}`);
}

// How questions are asked, and how their answers prove that they know the asker.
const range = `from=${now - 3_600_000}&to=${now + 3_600_000}`;
const measures = 'measures=visitors,page_views,sessions,events';
const questions = {
  '/v1/tenant': { paths: () => ['/v1/tenant'], proof: (answer, tenant) => assert.equal(answer.json.id, server.tenants[tenant].tenant) },
  '/v1/query/timeseries': {
    paths: () => [`/v1/query/timeseries?${range}&${measures}&interval=hour`, `/v1/query/timeseries?${range}&${measures}&compare=previous`],
    proof: (answer) => assert.equal(answer.json.totals.events, EVENTS + 1),
  },
  '/v1/query/top': {
    paths: () => catalog.sources[0].dimensions.map(({ name }) => `/v1/query/top?${range}&${measures}&limit=1000&dimension=${name}`),
    proof: (answer, tenant) => assert.ok(answer.text.includes(word(tenant)), answer.text),
  },
  '/v1/query/catalog': { paths: () => ['/v1/query/catalog'], proof: (answer) => assert.ok(answer.json.sources.length > 0) },
};
for (const [path, { paths, proof }] of Object.entries(questions))
  test(`${path} shows each tenant its own and nothing of the other`, async () => {
    for (const tenant of tenants)
      await forAll(paths(), async (each) => {
        for (const token of [server.tenants[tenant].secret_key, world[tenant].users.viewer.token]) {
          const answer = await server.get(each, token);
          assert.equal(answer.status, 200, `${each}: ${answer.text}`);
          proof(answer, tenant);
          assertShowsOnly(tenant, answer.text, each);
        }
      });
  });

/** Paths of a GET operation with values of this side: every id where one is wanted, in all places the same. What visitors and
 *  telemetry are called is no id: there the side's word stands, its tenant and its organization. */
function pathsOf(side, path) {
  const own = path.replace('{tenant_id}', world[side].tenant);
  if (!own.includes('{')) return [own];
  const ids = path.startsWith('/v1/') ? secrets(side).filter((text) => /^[0-9a-f-]{36}$/.test(text)) : [word(side), world[side].tenant, world[side].organization];
  return ids.map((id) => own.replace(/\{\w+\}/g, id));
}

test('whatever can be read shows each side its own things and nothing of the other', async () => {
  const reads = Object.entries(world.document.paths).filter(([, methods]) => methods.get && methods.get['x-millrace-access'] !== 'open');
  assert.ok(reads.length > 40, `${reads.length} paths`);
  for (const side of tenants) {
    const shown = new Set();
    await forAll(reads.flatMap(([path]) => pathsOf(side, path).map((at) => [path, at])), async ([path, at]) => {
      for (const token of [world[side].users.admin.token, world[side].users.viewer.token, world[side].secret_key]) {
        const answer = await server.get(at, token);
        assert.ok(answer.status < 500, `${at}: ${answer.text}`);
        assertShowsOnly(side, answer.text, at);
        if (answer.status === 200 && answer.text.includes(word(side))) shown.add(path);
      }
    });
    // The canary sings: the words that may not be seen by others are seen by their owners.
    for (const path of ['/v1/tenants', '/v1/workspaces', '/v1/organizations', '/v1/users', '/v1/roles', '/v1/keys', '/v1/dashboards', '/v1/flags', '/v1/links', '/v1/auth/me'])
      assert.ok(shown.has(path), `${path} shows ${side} nothing of its own: ${[...shown].join(' ')}`);
    for (const { kind, id } of world[side].things) assert.ok(shown.has(`/v1/${kind}/{id}`), `${kind} ${id}`);
  }
});

test('what is open to all shows nothing of any side', async () => {
  for (const [path, { get }] of Object.entries(world.document.paths)) {
    if (get?.['x-millrace-access'] !== 'open' && path !== '/metrics') continue;
    for (const token of [undefined, ...tenants.map((side) => world[side].users.admin.token)]) {
      const answer = await server.send(path, { headers: token ? { authorization: `Bearer ${token}` } : {} });
      for (const side of tenants) assertShowsOnly(side, answer.text, path);
    }
  }
});

test('the audit events of one organization are not shown to the other', async () => {
  for (const side of tenants) {
    const list = () => server.get('/v1/audit?limit=1000', world[side].users.admin.token);
    await waitFor('the events have been moved', async () => (await list()).text.includes(world[side].users.admin.id));
    assertShowsOnly(side, (await list()).text, '/v1/audit');
  }
});

test('ingest routes answer no questions', async () => {
  const source = readFileSync(join(repository, 'src/domains/analytics/analytics.c'), 'utf8');
  const paths = [...source.matchAll(/(?:\{METHOD_\w+, |_ROUTE\()"([^"]+)"/g)].map((match) => match[1]);
  assert.ok(paths.includes('/v1/events') && paths.length >= 16, paths.join(' '));
  for (const path of paths)
    for (const tenant of tenants) {
      const answer = await ask(tenant, path); // the page lies at /
      for (const each of tenants) assertShowsOnly(each, answer.text, path);
    }
});

// Ways to ask for the other tenant's rows: all are refused, or answered with the asker's own rows only.
const attempts = [
  ['a tenant_id parameter', (tenant, id) => [`/v1/query/top?dimension=path&${range}&tenant_id=${id}`]],
  ['a tenant parameter', (tenant, id) => [`/v1/query/top?dimension=path&${range}&tenant=${id}`]],
  ['log_comment', (tenant, id) => [`/v1/query/top?dimension=path&${range}&log_comment=${id}`]],
  ['a filter on the tenant', (tenant, id) => [`/v1/query/top?dimension=path&${range}&filter=tenant_id:is:${id}`]],
  ['SQL in a filter', (tenant, id) => [`/v1/query/top?dimension=path&${range}&filter=${encodeURIComponent("path:is:' OR 1=1 OR path='")}`]],
  ['SQL in a dimension', () => [`/v1/query/top?dimension=${encodeURIComponent('path FROM analytics.events --')}&${range}`]],
  ['SQL in a zone', () => [`/v1/query/timeseries?${range}&timezone=${encodeURIComponent("UTC') OR 1=1 --")}`]],
  ['a filter that excludes nothing', () => [`/v1/query/top?dimension=path&${range}&filter=path:is_not:nothing`]],
  ['a tenant header', (tenant, id) => [`/v1/query/top?dimension=path&${range}`, { 'x-tenant-id': id, 'x-clickhouse-user': id }]],
  ['a second Authorization', (tenant) => [`/v1/query/top?dimension=path&${range}`, { 'x-authorization': `Bearer ${server.tenants[other[tenant]].write_key}` }]],
];
for (const [what, make] of attempts)
  test(`${what} leads nobody to the other's rows`, async () => {
    for (const tenant of tenants) {
      const [path, headers] = make(tenant, server.tenants[other[tenant]].tenant);
      const answer = await server.get(path, server.tenants[tenant].secret_key, headers);
      assert.ok([200, 400].includes(answer.status), `${answer.status} ${answer.text}`);
      if (answer.status === 200) assert.ok(!answer.text.includes(word(other[tenant])), answer.text);
      else assert.equal(answer.json.error.code, 'invalid');
    }
  });

test('the visitor both have is counted for each alone', async () => {
  for (const tenant of tenants) {
    const { totals } = (await ask(tenant, `/v1/query/timeseries?${range}&${measures}`)).json;
    assert.deepEqual(totals, { visitors: EVENTS - 4, page_views: EVENTS / 2, sessions: EVENTS - 4, events: EVENTS + 1 });
    const { rows } = (await ask(tenant, `/v1/query/top?${range}&measures=page_views&dimension=path&filter=path:is:/shared`)).json;
    assert.deepEqual(rows, [{ value: '/shared', page_views: EVENTS / 4 }]);
  }
});

// ---- the engine itself: raw statements with a tenant in log_comment ----

async function tables() {
  return (await server.sql("SELECT name FROM system.tables WHERE database = 'analytics' ORDER BY name")).map((row) => row.name);
}

test('the engine has policies for every table and view of the migrations', async () => {
  const folder = join(repository, 'src/domains/analytics/migrations');
  const text = readdirSync(folder).sort().filter((file) => file.endsWith('.up.sql')).map((file) => readFileSync(join(folder, file), 'utf8')).join('\n');
  const made = new Set();
  for (const [, table, dropped, renamed] of text.matchAll(/CREATE (?:TABLE|VIEW|MATERIALIZED VIEW) IF NOT EXISTS analytics\.(\w+)|DROP (?:TABLE|VIEW) IF EXISTS analytics\.(\w+)|RENAME TABLE analytics\.(\w+)/g)) {
    if (table) made.add(table);
    else made.delete(dropped ?? renamed);
  }
  assert.deepEqual((await tables()).sort(), [...made].sort());
});

test('a raw SELECT on any table or view shows a tenant its rows alone', async () => {
  for (const table of await tables()) {
    const all = await server.sql(`SELECT DISTINCT toString(tenant_id) AS tenant FROM analytics.${table} ORDER BY 1`);
    assert.deepEqual(all.map((row) => row.tenant), tenants.map((tenant) => server.tenants[tenant].tenant).sort(), `${table} has rows of both`);
    for (const tenant of tenants) {
      const { tenant: id } = server.tenants[tenant];
      const [{ mine }] = await server.sql(`SELECT count() AS mine FROM analytics.${table} WHERE tenant_id = '${id}'`);
      assert.ok(mine > 0, table);
      const rows = await server.sql(`SELECT count() AS seen, groupUniqArray(toString(tenant_id)) AS tenants FROM analytics.${table}`, id);
      assert.deepEqual(rows, [{ seen: mine, tenants: [id] }], table);
      const text = JSON.stringify(await server.sql(`SELECT toString(tuple(*)) AS row FROM analytics.${table} LIMIT 10000`, id));
      assertShowsOnly(tenant, text, table);
    }
  }
});

// Whatever database a later part makes: a tenant sees nothing there that is not a tenant's.
test('a tenant sees of every table of every other database its own rows or none, organizations their own audit events alone', async () => {
  const rows = await server.sql("SELECT database, name FROM system.tables WHERE database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema', 'analytics', 'default') ORDER BY 1, 2");
  const others = rows.map((row) => `${row.database}.${row.name}`);
  assert.ok(others.includes('observability.audit_logs') && others.includes('observability.ai_call_spans'), others.join(' '));
  for (const table of others) {
    const [{ columns }] = await server.sql(`SELECT countIf(name = 'tenant_id') AS columns FROM system.columns WHERE concat(database, '.', table) = '${table}'`);
    for (const tenant of tenants) {
      const { tenant: id } = server.tenants[tenant];
      const [{ seen }] = await server.sql(`SELECT count() AS seen FROM ${table}${columns ? ` WHERE tenant_id != '${id}'` : ''}`, id);
      assert.equal(seen, 0, `${table} shows ${tenant} ${seen} rows of others`);
    }
  }
  for (const side of tenants) {
    const found = await server.sql('SELECT count() AS seen, groupUniqArray(toString(organization_id)) AS organizations FROM observability.audit_logs', world[side].organization);
    assert.ok(found[0].seen > 0, side);
    assert.deepEqual(found[0].organizations, [world[side].organization]);
  }
});

// What the program says of a table decides how a segment is inserted again (struct domain_table.rows_replace): counted rows that replace each other never become enough.
test('the tables whose rows replace each other are those that the program says', async () => {
  const source = (path) => readFileSync(join(repository, 'src/domains', path), 'utf8');
  const [, revenue] = /rows_replace = ANALYTICS_TABLE_##table == ANALYTICS_TABLE_(\w+)\}/.exec(source('analytics/analytics.c'));
  const said = [`analytics.${revenue.toLowerCase()}`], known = [...source('observability/tables.def').matchAll(/^TABLE\(\w+, (\w+), (true|false)[,)]/gm)];
  assert.ok(known.length >= 8, 'tables.def is read');
  for (const [, table, replaces] of known) if (replaces === 'true') said.push(`observability.${table}`);
  // Ingest fills those that have the number of their rows' segment, but for what the program makes of them (struct domain_view).
  const views = ['analytics/analytics.c', 'observability/observability.c'].flatMap((path) => [...source(path).matchAll(/^ {4}\{"(\w+)", "(\w+)", "tenant_id"\}/gm)].map(([, database, table]) => `${database}.${table}`));
  const made = await server.sql("SELECT concat(database, '.', name) AS made FROM system.tables WHERE (database, name) IN "
    + "(SELECT database, table FROM system.columns WHERE name = 'segment') AND engine LIKE '%MergeTree' AND engine NOT IN ('MergeTree', 'ReplicatedMergeTree') ORDER BY 1");
  assert.deepEqual(made.map((row) => row.made).filter((table) => !views.includes(table)), said.sort());
});

const selects = [
  ['merge()', "SELECT toString(tenant_id) AS tenant FROM merge('analytics', '.*')"],
  ['a subquery', 'SELECT tenant FROM (SELECT toString(tenant_id) AS tenant FROM analytics.events)'],
  ['a join', 'SELECT toString(b.tenant_id) AS tenant FROM analytics.events AS a INNER JOIN analytics.events AS b ON a.device_id = b.device_id'],
  ['IN', 'SELECT toString(tenant_id) AS tenant FROM analytics.events WHERE tenant_id IN (SELECT tenant_id FROM analytics.dau)'],
  ['WITH', 'WITH all AS (SELECT toString(tenant_id) AS tenant FROM analytics.events) SELECT tenant FROM all'],
  ['view()', 'SELECT tenant FROM view(SELECT toString(tenant_id) AS tenant FROM analytics.events)'],
  ['PREWHERE', "SELECT toString(tenant_id) AS tenant FROM analytics.events PREWHERE tenant_id != ''"],
  ['an alias', 'SELECT client_id AS tenant FROM analytics.events'],
  ['UNION', 'SELECT toString(tenant_id) AS tenant FROM analytics.events UNION ALL SELECT toString(tenant_id) FROM analytics.dau'],
];
for (const [what, statement] of selects)
  test(`${what} goes through the policies too`, async () => {
    for (const tenant of tenants) {
      const { tenant: id } = server.tenants[tenant];
      const rows = await server.sql(`SELECT DISTINCT tenant FROM (${statement})`, id);
      assert.deepEqual(rows, [{ tenant: id }]);
    }
  });

test('an unknown tenant, none, and a part of one see no row', async () => {
  for (const table of await tables())
    for (const id of [randomUUID(), '', ' ', server.tenants.alpha.tenant.slice(0, -1), `${server.tenants.alpha.tenant}x`, '%']) {
      const [{ seen }] = await server.sql(`SELECT count() AS seen FROM analytics.${table}`, id);
      assert.equal(seen, 0, `${table} for "${id}"`);
    }
});

test('a read-only statement cannot name another tenant in its settings', async () => {
  const { tenant: alpha } = server.tenants.alpha;
  for (const name of ['*', server.tenants.beta.tenant]) {
    const statement = `SELECT toString(tenant_id) AS tenant FROM analytics.events SETTINGS log_comment = '${name}'`;
    const rows = await server.sql(statement, alpha, { readonly: '1' }).catch((error) => error);
    if (rows instanceof Error) assert.match(rows.message, /readonly|log_comment/i);
    else assert.ok(rows.every((row) => row.tenant === alpha), JSON.stringify(rows));
  }
});

// Last, because it leaves the name of one tenant in a row of the other.
test('events go to the tenant of the key, whatever the event says', async () => {
  const id = server.tenants.beta.tenant;
  for (const field of ['tenant_id', 'client_id', 'project_id']) {
    const answer = await server.post('/v1/events', { name: 'smuggled', [field]: id }, { key: server.tenants.alpha.write_key });
    assert.deepEqual([answer.status, answer.json.errors[0].field], [400, field]);
  }
  const { write_key: alpha } = server.tenants.alpha;
  const openpanel = await server.post('/track', { type: 'track', payload: { name: 'smuggled', properties: { tenant_id: id, __tenantId: id, __projectId: id } } },
    { headers: { 'openpanel-client-id': alpha } });
  const databuddy = await server.post(`/?client_id=${alpha}`, { eventId: randomUUID(), name: 'smuggled', path: 'https://a.example/', tenant_id: id, client_id: id });
  assert.deepEqual([openpanel.status, databuddy.status], [200, 200], openpanel.text + databuddy.text);
  const rows = await server.events(2, "name = 'smuggled'");
  assert.deepEqual(rows.map((row) => row.tenant_id), [server.tenants.alpha.tenant, server.tenants.alpha.tenant]);
});
