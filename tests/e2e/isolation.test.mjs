// SPDX-License-Identifier: Apache-2.0
// Two tenants in one server: no route and no statement shows one of them anything of the other.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { repository, Server } from './harness.mjs';

const EVENTS = 20;
const SHARED = 'shared-device'; // both tenants have this visitor, session and page
const now = Date.now();

let server, catalog;
const tenants = ['alpha', 'beta'];
const other = { alpha: 'beta', beta: 'alpha' };
// A word that only this tenant's rows hold, in every column a question can show.
const word = (tenant) => `only-${tenant}`;

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

before(async () => {
  server = await Server.start({ tenants });
  for (const tenant of tenants) {
    const { write_key: key } = server.tenants[tenant];
    const answer = await server.post('/v1/events', Array.from({ length: EVENTS }, (_, i) => event(tenant, i)), { key });
    assert.equal(answer.json.accepted, EVENTS, answer.text);
    await server.settle(key);
  }
  catalog = (await server.get('/v1/query/catalog', server.tenants.alpha.secret_key)).json;
});
after(() => server?.remove());

const ask = (tenant, path) => server.get(path, server.tenants[tenant].secret_key);

/** The texts that may not be seen by anybody but this tenant. */
const secrets = (tenant) => [word(tenant), ...Object.entries(server.tenants[tenant]).filter(([name]) => name !== 'code' && name !== 'name').map(([, text]) => text)];

function assertShowsOnly(tenant, text, what) {
  for (const secret of secrets(other[tenant])) assert.ok(!text.includes(secret), `${what} shows ${tenant} "${secret}": ${text.slice(0, 500)}`);
}

// Every route of our own: what to ask of it, and how its answer proves that it knows the asker.
const range = `from=${now - 3_600_000}&to=${now + 3_600_000}`;
const measures = 'measures=visitors,page_views,sessions,events';
const routes = {
  'GET /healthz': { open: true },
  'GET /readyz': { open: true },
  'GET /metrics': { open: true },
  'GET /v1/tenant': { paths: () => ['/v1/tenant'], proof: (answer, tenant) => assert.equal(answer.json.id, server.tenants[tenant].tenant) },
  'GET /v1/query/timeseries': {
    paths: () => [`/v1/query/timeseries?${range}&${measures}&interval=hour`, `/v1/query/timeseries?${range}&${measures}&compare=previous`],
    proof: (answer) => assert.equal(answer.json.totals.events, EVENTS + 1),
  },
  'GET /v1/query/top': {
    paths: () => catalog.sources[0].dimensions.map(({ name }) => `/v1/query/top?${range}&${measures}&limit=1000&dimension=${name}`),
    proof: (answer, tenant) => assert.ok(answer.text.includes(word(tenant)), answer.text),
  },
  'GET /v1/query/catalog': { paths: () => ['/v1/query/catalog'], proof: (answer) => assert.ok(answer.json.sources.length > 0) },
};

// The tables of routes as the source has them: a new route fails here until it has a row above.
test('the table above has every route of the server', () => {
  const source = readFileSync(join(repository, 'src/api/api.c'), 'utf8');
  const table = /const struct api_route api_routes\[\] = \{(.*?)\n\};/s.exec(source)[1];
  const listed = [...table.matchAll(/\{METHOD_(\w+), "([^"]+)", (\w+), \w+\}/g)];
  assert.ok(listed.length >= 7, 'the table was read');
  assert.equal(listed.length, table.split('\n').filter((line) => line.includes('METHOD_') && !line.includes('NULL, 0, NULL')).length, 'all lines were read');
  assert.deepEqual(Object.keys(routes).sort(), listed.map(([, method, path]) => `${method} ${path}`).sort());
  for (const [, method, path, permission] of listed) assert.equal(routes[`${method} ${path}`].open ?? false, permission === '0', path);
});

for (const [route, { open, paths, proof }] of Object.entries(routes)) {
  const path = route.split(' ')[1];
  if (open) {
    test(`${path}, open to all, shows nothing of any tenant`, async () => {
      for (const key of [undefined, ...tenants.map((tenant) => server.tenants[tenant].secret_key)]) {
        const answer = await server.get(path, key);
        assert.equal(answer.status, 200);
        for (const tenant of tenants) assertShowsOnly(tenant, answer.text, path);
      }
    });
    continue;
  }
  test(`${path} shows each tenant its own and nothing of the other`, async () => {
    for (const tenant of tenants)
      for (const each of paths()) {
        const answer = await ask(tenant, each);
        assert.equal(answer.status, 200, `${each}: ${answer.text}`);
        proof(answer, tenant);
        assertShowsOnly(tenant, answer.text, each);
      }
  });
  test(`${path} refuses write keys, strange keys and none`, async () => {
    const strange = [undefined, randomUUID(), `mrs_${'B'.repeat(43)}`, server.tenants.alpha.tenant, server.tenants.alpha.secret_key.slice(0, -1)];
    for (const each of paths().slice(0, 1)) {
      for (const tenant of tenants) {
        const answer = await server.get(each, server.tenants[tenant].write_key);
        assert.equal(answer.status, 403, answer.text);
        for (const one of tenants) assert.ok(!answer.text.includes(word(one)));
      }
      for (const key of strange) assert.equal((await server.get(each, key)).status, 401, String(key));
    }
  });
}

test('ingest routes answer no questions', async () => {
  const source = readFileSync(join(repository, 'src/domains/analytics/analytics.c'), 'utf8');
  const paths = [...source.matchAll(/\{METHOD_POST, "([^"]+)"/g)].map((match) => match[1]);
  assert.ok(paths.includes('/v1/events') && paths.length >= 4, paths.join(' '));
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
  const text = readdirSync(folder).filter((file) => file.endsWith('.up.sql')).map((file) => readFileSync(join(folder, file), 'utf8')).join('\n');
  const made = [...text.matchAll(/CREATE (?:TABLE|VIEW|MATERIALIZED VIEW) IF NOT EXISTS analytics\.(\w+)/g)].map((match) => match[1]);
  assert.deepEqual((await tables()).sort(), made.sort());
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

const selects = [
  ['merge()', "SELECT toString(tenant_id) AS tenant FROM merge('analytics', '.*')"],
  ['a subquery', 'SELECT tenant FROM (SELECT toString(tenant_id) AS tenant FROM analytics.events)'],
  ['a join', 'SELECT toString(b.tenant_id) AS tenant FROM analytics.events AS a INNER JOIN analytics.events AS b ON a.device_id = b.device_id'],
  ['IN', 'SELECT toString(tenant_id) AS tenant FROM analytics.events WHERE tenant_id IN (SELECT tenant_id FROM analytics.events_hourly)'],
  ['WITH', 'WITH all AS (SELECT toString(tenant_id) AS tenant FROM analytics.events) SELECT tenant FROM all'],
  ['view()', 'SELECT tenant FROM view(SELECT toString(tenant_id) AS tenant FROM analytics.events)'],
  ['PREWHERE', "SELECT toString(tenant_id) AS tenant FROM analytics.events PREWHERE tenant_id != ''"],
  ['an alias', 'SELECT client_id AS tenant FROM analytics.events'],
  ['UNION', 'SELECT toString(tenant_id) AS tenant FROM analytics.events UNION ALL SELECT toString(tenant_id) FROM analytics.events_hourly'],
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
