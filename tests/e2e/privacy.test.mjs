// SPDX-License-Identifier: Apache-2.0
// A person's rights: all that is known of them is given out, and removed from every table; nobody else loses a row.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { command, send as request, Server, waitFor } from './harness.mjs';
import { makeUser } from './world.mjs';

const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0';
let server, a, b;
const flush = ['--analytics.session_flush', '500ms']; // an erasure waits for it
before(async () => {
  server = await Server.start({ tenants: ['a', 'b'], settings: flush });
  ({ a, b } = server.tenants);
});
after(() => server?.remove());

const people = (...words) => command(['people', ...words, '--data', server.directory, ...flush]);
const send = async (tenant, events, headers = {}) => {
  const answer = await server.post('/v1/events', events, { key: tenant.write_key, headers });
  assert.equal(answer.status, 200, answer.text);
  return answer;
};

/** Rows of every table that name the person, by any column of text: what an erasure must leave none of. */
async function rowsThatName(tenant, ...names) {
  const columns = await server.sql(
    "SELECT database, table, groupArray(name) AS names FROM system.columns WHERE database IN ('analytics', 'observability') AND table != 'audit_logs' "
    + "AND default_kind != 'ALIAS' AND type IN ('String', 'LowCardinality(String)') AND (database, table) IN "
    + "(SELECT database, name FROM system.tables WHERE engine LIKE '%MergeTree') GROUP BY ALL HAVING has(names, 'tenant_id') ORDER BY ALL");
  const found = {};
  for (const { database, table, names: texts } of columns) {
    const list = names.map((name) => `'${name}'`).join(', ');
    const [{ n }] = await server.sql(`SELECT count() AS n FROM ${database}.${table} WHERE tenant_id = '${tenant.tenant}' AND hasAny([${texts.map((text) => `toString(${text})`).join(', ')}], [${list}])`);
    if (n > 0) found[`${database}.${table}`] = n;
  }
  return found;
}
const others = () => server.sql("SELECT toString(tenant_id) AS tenant, count() AS n, sum(cityHash64(id, name, device_id, profile_id)) AS hash FROM analytics.events "
  + `WHERE name NOT LIKE 'settle%' AND NOT (tenant_id = '${a.tenant}' AND (device_id IN ('phone', 'laptop') OR profile_id = 'ada')) GROUP BY ALL ORDER BY ALL`);

async function fill() {
  for (const tenant of [a, b]) {
    await send(tenant, [
      { name: 'screen_view', device_id: 'phone', session_id: 's1', path: '/before-login' },
      { name: 'login', device_id: 'phone', session_id: 's1', profile_id: 'ada', properties: { email: 'ada@example.org', plan: 'pro' } },
      { name: 'screen_view', device_id: 'laptop', session_id: 's2', profile_id: 'ada' },
      { name: 'screen_view', device_id: 'tablet', session_id: 's3', profile_id: 'bob', properties: { plan: 'pro' } },
      { name: 'screen_view', device_id: 'phone', session_id: 's4', profile_id: 'bob' },
    ]);
    await server.settle(tenant.write_key);
  }
}

test('export gives every row of the person and of nobody else', async () => {
  await fill();
  const { code, stdout, stderr } = await people('export', '--tenant', a.code, '--profile', 'ada');
  assert.equal(code, 0, stderr);
  const rows = stdout.trim().split('\n').map((line) => JSON.parse(line));
  const events = rows.filter(({ table }) => table === 'analytics.events').map(({ row }) => row);
  assert.equal(events.length, 3);
  assert.deepEqual(events.map((row) => [row.tenant_id, row.device_id, row.profile_id]).sort(),
    [[a.tenant, 'laptop', 'ada'], [a.tenant, 'phone', ''], [a.tenant, 'phone', 'ada']]);
  assert.ok(rows.some(({ table, row }) => table === 'analytics.cohort_events' && row.profile_id === 'ada'));
  assert.ok(!stdout.includes('bob') && !stdout.includes(b.tenant));
});

test('erase wants to be meant, and a person to be named', async () => {
  assert.equal((await people('erase', '--tenant', a.code, '--profile', 'ada')).code, 2);
  assert.equal((await people('erase', '--tenant', a.code, '--yes')).code, 2);
  assert.equal((await people('erase', '--tenant', a.code, '--profile', 'x', '--device', 'y', '--yes')).code, 2);
  assert.equal((await people('erase', '--profile', 'x', '--yes')).code, 2);
  assert.equal((await people('erase', '--tenant', 'nobody', '--profile', 'x', '--yes')).code, 1);
});

test('erase removes the person from every table, rows on their way included, and nobody else', async () => {
  const before = await others();
  const namedInB = () => rowsThatName(b, 'ada', 'laptop', 'ada@example.org');
  await waitFor('the visits of the other tenant are written', async () => (await namedInB())['analytics.sessions'] > 0, 30_000);
  const ofB = await namedInB();
  assert.ok((await rowsThatName(a, 'ada'))['analytics.cohort_events'] > 0);
  const named = { id: randomUUID(), name: 'late', device_id: 'laptop', profile_id: 'ada' };
  await send(a, [named]); // answered, perhaps not stored yet
  const { code, stdout, stderr } = await people('erase', '--tenant', a.code, '--profile', 'ada', '--yes', '--json');
  assert.equal(code, 0, stderr);
  const { rows } = JSON.parse(stdout);
  assert.equal(rows['analytics.events'], 4);
  assert.ok(rows['analytics.cohort_events'] > 0);
  assert.deepEqual(await rowsThatName(a, 'ada', 'laptop', 'ada@example.org'), {}, 'nothing is left');
  assert.deepEqual(await others(), before, "others' events are untouched");
  assert.ok(rows['analytics.device_days'] > 0);
  assert.deepEqual(await server.sql('SELECT toString(tenant_id) AS tenant, device_hash, profile_hash, toUInt64(sum(d.events)) AS n FROM analytics.device_days AS d GROUP BY ALL ORDER BY ALL'),
    await server.sql('SELECT toString(tenant_id) AS tenant, device_hash, profile_hash, count() AS n FROM analytics.events GROUP BY ALL ORDER BY ALL'), 'what was known of the person only as a number is gone too');
  assert.deepEqual(await namedInB(), ofB, 'the other tenant has its own ada');
  assert.deepEqual(await server.sql(`SELECT property_key AS key, property_value AS value FROM analytics.event_property_values WHERE tenant_id = '${a.tenant}' GROUP BY ALL`),
    [{ key: 'plan', value: 'pro' }], 'a value that others have too stays');

  // A client that did not get its answer sends the event again: it is a duplicate still.
  await send(a, [named]);
  await server.settle(a.write_key);
  assert.deepEqual(await rowsThatName(a, 'ada'), {});

  await waitFor('the audit event', async () => {
    const events = await server.sql(`SELECT * FROM observability.audit_logs WHERE action = 'person.erased' AND tenant_id = '${a.tenant}'`);
    if (events.length !== 1) return false;
    const text = JSON.stringify(events);
    assert.ok(text.includes('analytics.events') && !/"ada|laptop/.test(text), text);
    return true;
  }, 30_000);
  const again = JSON.parse((await people('erase', '--tenant', a.code, '--profile', 'ada', '--yes', '--json')).stdout);
  assert.deepEqual(again.rows, {}, 'harmless when done again');
});

test('erase by device takes all of it, whoever used it', async () => {
  const { stdout, code, stderr } = await people('erase', '--tenant', b.tenant, '--device', 'phone', '--yes', '--json');
  assert.equal(code, 0, stderr);
  assert.equal(JSON.parse(stdout).rows['analytics.events'], 3);
  assert.equal((await rowsThatName(b, 'phone'))['analytics.events'], undefined);
  assert.ok((await rowsThatName(b, 'ada'))['analytics.events'] > 0, 'the laptop is left');
});

test('names are values, whatever they contain', async () => {
  const odd = String.raw`o'); DROP TABLE x; -- \'`;
  await send(a, [{ name: 'odd', profile_id: odd, device_id: 'odd-device' }]);
  await server.settle(a.write_key);
  const { stdout, code, stderr } = await people('erase', '--tenant', a.code, '--profile', odd, '--yes', '--json');
  assert.equal(code, 0, stderr);
  assert.equal(JSON.parse(stdout).rows['analytics.events'], 1);
});

/** Names of the API's people routes, asked for a tenant by whoever has the token. */
const ask = (what, body, token, headers = {}) => server.api('POST', `/v1/people/${what}`, body, token, headers);

test('over HTTP: who may, in which tenant, and what a request must say', async () => {
  const owner = (await server.login(server.owner.email, server.owner.password)).token;
  const organization = (await server.api('GET', '/v1/organizations', undefined, owner)).json.data.find(({ code }) => code === 'default').organization_id;
  const headers = { 'millrace-organization': organization, 'millrace-tenant': a.tenant };
  const viewer = (await makeUser(server, owner, organization, 'viewer@people.example', { role: 'viewer' })).token;
  for (const what of ['export', 'erase']) {
    assert.equal((await ask(what, { profile_id: 'carol' }, viewer, { 'millrace-tenant': a.tenant })).status, 403, what);
    assert.equal((await ask(what, { profile_id: 'carol' }, a.secret_key)).status, 403, 'a key without the permission');
    assert.equal((await ask(what, { profile_id: 'carol' }, null)).status, 401);
    for (const body of [{}, { profile_id: '' }, { profile_id: 'x', device_id: 'y' }, { profile_id: 7 }, { device_id: 'x'.repeat(257) },
      { profile_id: 'x', tenant_id: b.tenant }, { profile_id: 'x\u0000y' }, { nobody: 'x' }, []])
      assert.equal((await ask(what, body, owner, headers)).status, 400, JSON.stringify(body));
  }
});

test('over HTTP: a key with people:erase exports and erases a person of its tenant alone', async () => {
  const owner = (await server.login(server.owner.email, server.owner.password)).token;
  const made = await server.api('POST', '/v1/keys', { kind: 'secret', name: 'eraser', permissions: ['people:erase'] }, owner, { 'millrace-tenant': a.tenant });
  assert.equal(made.status, 201, made.text);
  const { key } = made.json;
  await waitFor('the key is known', async () => (await ask('export', { profile_id: 'nobody' }, key)).status === 200);
  for (const tenant of [a, b])
    await send(tenant, [
      { name: 'screen_view', device_id: 'carols', session_id: 'c1' },
      { name: 'login', device_id: 'carols', session_id: 'c1', profile_id: 'carol', properties: { email: 'carol@example.org' } },
      { name: 'screen_view', device_id: 'daves', session_id: 'd1', profile_id: 'dave' },
    ]);
  const exported = await ask('export', { profile_id: 'carol' }, key); // what is on its way is waited for
  assert.equal(exported.status, 200, exported.text);
  assert.equal(exported.headers['content-type'], 'application/x-ndjson');
  const rows = exported.text.trim().split('\n').map((line) => JSON.parse(line));
  assert.equal(rows.filter(({ table }) => table === 'analytics.events').length, 2);
  assert.ok(rows.every(({ row }) => row.tenant_id === a.tenant) && !exported.text.includes('dave'));
  const nobody = await ask('export', { device_id: 'nobodys' }, key);
  assert.deepEqual([nobody.status, nobody.text], [200, '']);
  assert.equal((await ask('erase', { profile_id: 'carol' }, key, { 'millrace-tenant': b.tenant })).status, 403, 'the key is of one tenant');

  await server.settle(b.write_key);
  const ofB = await rowsThatName(b, 'carol', 'carols', 'carol@example.org');
  const ofDave = await rowsThatName(a, 'dave', 'daves');
  const erased = await ask('erase', { profile_id: 'carol' }, key);
  assert.equal(erased.status, 200, erased.text);
  assert.equal(erased.json.erased, true);
  assert.equal(erased.json.rows['analytics.events'], 2);
  assert.deepEqual(await rowsThatName(a, 'carol', 'carols', 'carol@example.org'), {}, 'nothing is left');
  assert.deepEqual(await rowsThatName(b, 'carol', 'carols', 'carol@example.org'), ofB, 'the other tenant is untouched');
  assert.deepEqual(await rowsThatName(a, 'dave', 'daves'), ofDave);
  assert.deepEqual((await ask('erase', { profile_id: 'carol' }, key)).json, { erased: true, rows: {} }, 'harmless when done again');
  await waitFor('the audit event says which key, and not whom', async () => {
    const events = await server.sql(`SELECT * FROM observability.audit_logs WHERE action = 'person.erased' AND actor_id = '${made.json.api_key_id}' ORDER BY sequence`);
    assert.ok(!JSON.stringify(events).includes('carol'));
    return events.length === 2 && events[0].tenant_id === a.tenant && events[0].actor_kind === 'key' && JSON.stringify(events[0]).includes('analytics.events');
  }, 30_000);
  assert.equal((await ask('erase', { device_id: 'daves' }, key)).json.rows['analytics.events'], 1);
});

/** Tables of rows, with their columns: what the event store says there is, and not what this test remembers. */
async function tablesThatNamePeople() {
  const tables = await server.sql("SELECT table_schema AS database, table_name AS table, groupArray((column_name, data_type)) AS columns FROM information_schema.columns "
    + "WHERE table_schema NOT IN ('system', 'information_schema', 'INFORMATION_SCHEMA') AND (table_schema, table_name, column_name) IN (SELECT database, table, name FROM system.columns WHERE default_kind NOT IN ('ALIAS', 'MATERIALIZED')) "
    + "AND (table_schema, table_name) IN (SELECT database, name FROM system.tables WHERE engine LIKE '%MergeTree') AND table_name != 'audit_logs' GROUP BY ALL ORDER BY ALL");
  return tables.filter(({ columns }) => columns.some(([name]) => PERSON_COLUMNS.includes(name)));
}
const PERSON_COLUMNS = ['profile_id', 'device_id', 'session_id', 'alias', 'device_hash', 'profile_hash'];
/** A column that could name a person under another name must be looked at by whoever adds it. */
const MAY_NAME = /^(user|visitor|customer|person|account|owner|distinct|anonymous|client|email|phone)(_|$)|_(hash|email|phone)$/;
const KNOWN = ['customer_id', 'user_agent', 'message_hash', 'user_id', 'client_address' /* of spans: docs/privacy.md */];
/** A value for what the row cannot do without; the rest has defaults. */
const valueOf = ([name, type], person) => {
  if (name === 'tenant_id') return `'${a.tenant}'`;
  if (name.endsWith('_hash') && PERSON_COLUMNS.includes(name)) return `cityHash64('${name === 'device_hash' ? `${person}-device` : person}')`;
  if (PERSON_COLUMNS.includes(name)) return `'${name === 'session_id' ? `${person}-visit` : name === 'device_id' ? `${person}-device` : person}'`;
  if (name === 'sign') return '1';
  if (name === 'retention_days') return '30'; // the row would be over at once
  if (/^(Date|SimpleAggregateFunction\(max, Date)/.test(type)) return 'now()';
  return null;
};

test('every table that can name a person is exported and erased: a new one, too', async () => {
  const tables = await tablesThatNamePeople();
  assert.ok(tables.length > 12, `${tables.length} tables`);
  for (const { database, table, columns } of tables)
    for (const [name] of columns) assert.ok(!MAY_NAME.test(name) || [...KNOWN, ...PERSON_COLUMNS].includes(name), `${database}.${table}.${name}: whose is it?`);
  for (const person of ['eve', 'mallory'])
    for (const { database, table, columns } of tables) {
      const given = columns.map((column) => [column[0], valueOf(column, person)]).filter(([, value]) => value !== null);
      const answer = await request({ socketPath: join(server.directory, 'engine.sock'), path: '/?log_comment=*' },
        { method: 'POST', body: `INSERT INTO ${database}.${table} (${given.map(([name]) => name).join(', ')}) SELECT ${given.map(([, value]) => value).join(', ')}` });
      assert.equal(answer.status, 200, `${database}.${table}: ${answer.text}`);
    }
  const names = tables.map(({ database, table }) => `${database}.${table}`);
  const exported = await people('export', '--tenant', a.code, '--profile', 'eve');
  assert.equal(exported.code, 0, exported.stderr);
  assert.deepEqual(names.filter((name) => !exported.stdout.includes(`"table":"${name}"`)), [], 'tables of which nothing is given out');
  assert.ok(!exported.stdout.includes('mallory'));
  const hashed = tables.filter(({ columns }) => !columns.some(([name]) => PERSON_COLUMNS.slice(0, 4).includes(name))).map(({ database, table }) => `${database}.${table}`);
  const inHashes = async (...ids) => {
    for (const table of hashed)
      if ((await server.sql(`SELECT count() AS n FROM ${table} WHERE hasAny([device_hash, profile_hash], [${ids.map((id) => `cityHash64('${id}')`)}])`))[0].n > 0) return true;
    return false;
  };
  assert.ok(hashed.length > 0 && await inHashes('eve', 'eve-device') && await inHashes('mallory', 'mallory-device'));
  const others = await rowsThatName(a, 'mallory', 'mallory-device', 'mallory-visit');
  assert.deepEqual(Object.keys(others).sort(), names.filter((name) => !hashed.includes(name)));
  const erased = await people('erase', '--tenant', a.code, '--profile', 'eve', '--yes', '--json');
  assert.equal(erased.code, 0, erased.stderr);
  assert.deepEqual(await rowsThatName(a, 'eve', 'eve-device', 'eve-visit'), {}, 'nothing is left');
  assert.ok(!await inHashes('eve', 'eve-device') && await inHashes('mallory', 'mallory-device'));
  assert.deepEqual(await rowsThatName(a, 'mallory', 'mallory-device', 'mallory-visit'), others);
  assert.equal((await people('erase', '--tenant', a.code, '--device', 'mallory-device', '--yes')).code, 0);
  assert.ok(!await inHashes('mallory-device'));
  const kept = tables.filter(({ columns }) => !columns.some(([name]) => ['device_id', 'session_id', 'device_hash'].includes(name))).map(({ database, table }) => `${database}.${table}`);
  assert.deepEqual(Object.keys(await rowsThatName(a, 'mallory-device', 'mallory-visit')), []);
  assert.deepEqual(Object.keys(await rowsThatName(a, 'mallory')), kept, 'a device is not its profile');
});

test('a payment that was told only of the visit goes with its person; one of a customer alone stays', async () => {
  await send(a, [{ name: 'screen_view', device_id: 'payers', session_id: 'p1', profile_id: 'payer' }, { name: 'screen_view', device_id: 'others', session_id: 'p2', profile_id: 'other' }]);
  await server.settle(a.write_key);
  const paid = await request({ socketPath: join(server.directory, 'engine.sock'), path: '/?log_comment=*' }, { method: 'POST', body: 'INSERT INTO analytics.revenue (tenant_id, provider, transaction_id, session_id, profile_id, customer_id, created) '
    + `SELECT '${a.tenant}', 'stripe', id, visit, person, customer, now() FROM values('id String, visit String, person String, customer String', ('t1', 'p1', '', 'c1'), ('t2', 'p1', 'other', ''), ('t3', 'p2', '', ''), ('t4', '', '', 'c1'), ('t5', '', 'payer', ''))` });
  assert.equal(paid.status, 200, paid.text);
  const { code, stderr } = await people('erase', '--tenant', a.code, '--profile', 'payer', '--yes');
  assert.equal(code, 0, stderr);
  assert.deepEqual((await server.sql("SELECT transaction_id FROM analytics.revenue WHERE transaction_id LIKE 't_' ORDER BY 1")).map((row) => row.transaction_id), ['t2', 't3', 't4']);
  assert.equal((await people('erase', '--tenant', a.code, '--device', 'others', '--yes')).code, 0);
  assert.deepEqual((await server.sql("SELECT transaction_id FROM analytics.revenue WHERE transaction_id LIKE 't_' ORDER BY 1")).map((row) => row.transaction_id), ['t2', 't4']);
});

test('spans and log records that name the person or a visit of theirs go too', async () => {
  await send(a, [{ name: 'screen_view', device_id: 'traced', session_id: 'traced-visit', profile_id: 'tracy' }]);
  const time = `${Date.now()}000000`;
  const naming = (key, value) => ({ attributes: [{ key, value: { stringValue: value } }] });
  const named = [naming('session.id', 'traced-visit'), naming('user.id', 'tracy'), naming('enduser.id', 'tracy'), naming('session.id', 'other-visit'), naming('user.id', 'ann'), {}];
  const spans = named.map((more, i) => ({ traceId: 'ab'.repeat(16), spanId: String(i + 1).padStart(16, '0'), name: `erasure ${i}`, startTimeUnixNano: time, ...more }));
  const logRecords = named.map((more, i) => ({ timeUnixNano: time, body: { stringValue: `erasure ${i}` }, ...more }));
  assert.equal((await server.post('/v1/traces', { resourceSpans: [{ scopeSpans: [{ spans }] }] }, { key: a.secret_key })).text, '{}');
  assert.equal((await server.post('/v1/logs', { resourceLogs: [{ scopeLogs: [{ logRecords }] }] }, { key: a.secret_key })).text, '{}');
  await server.settle(a.write_key);
  const { code, stderr } = await people('erase', '--tenant', a.code, '--profile', 'tracy', '--yes');
  assert.equal(code, 0, stderr);
  for (const [table, column] of [['traces_v3', 'span_name'], ['logs_v3', 'body']])
    assert.deepEqual((await server.sql(`SELECT toString(${column}) AS name FROM observability.${table} WHERE ${column} LIKE 'erasure%' ORDER BY 1`)).map((row) => row.name),
      ['erasure 3', 'erasure 4', 'erasure 5'], table);
});

test('a visit that ended just before its erasure has no end afterwards, and no row', async () => {
  const quick = await Server.start({ settings: ['--analytics.session_timeout', '3s', '--analytics.session_flush', '200ms'] });
  try {
    const { main } = quick.tenants;
    const visit = async (person, address) => {
      const answer = await quick.post('/track', { type: 'track', payload: { name: 'screen_view', profileId: person, properties: { __path: 'https://shop.example/' } } },
        { headers: { 'openpanel-client-id': main.write_key, 'user-agent': FIREFOX, 'x-forwarded-for': address } });
      assert.equal(answer.status, 200, answer.text);
      return answer.json.deviceId;
    };
    const owner = (await quick.login(quick.owner.email, quick.owner.password)).token;
    const organization = (await quick.api('GET', '/v1/organizations', undefined, owner)).json.data.find(({ code }) => code === 'default').organization_id;
    const [gone, stays] = [await visit('erased', '198.51.100.1'), await visit('kept', '198.51.100.2')];
    const erased = await quick.api('POST', '/v1/people/erase', { profile_id: 'erased' }, owner, { 'millrace-organization': organization, 'millrace-tenant': main.tenant });
    assert.equal(erased.status, 200, erased.text);
    assert.ok(erased.json.rows['analytics.events'] >= 2, 'its view and its session_start');
    // The last visit began after the erased one: when it has ended, the erased one would have.
    const later = await visit('later', '198.51.100.3');
    await quick.events(1, `name = 'session_end' AND device_id = '${later}'`);
    await quick.events(1, `name = 'session_end' AND device_id = '${stays}'`);
    for (const table of ['events', 'sessions', 'session_changes'])
      assert.deepEqual(await quick.sql(`SELECT count() AS n FROM analytics.${table} WHERE device_id = '${gone}'`), [{ n: 0 }], table);
  } finally {
    await quick.remove();
  }
});

test('without a running server the engine is started for it', async () => {
  await server.stop();
  const { stdout, code, stderr } = await people('erase', '--tenant', b.code, '--profile', 'bob', '--yes', '--json');
  assert.equal(code, 0, stderr);
  assert.ok(JSON.parse(stdout).rows['analytics.events'] > 0);
  await server.start();
  assert.deepEqual(await rowsThatName(b, 'bob'), {});
});

/** SQL in the metadata, of a server that does not run: Python comes with SQLite. */
const metadata = (sql) => execFileSync('python3', ['-c', 'import sqlite3, sys\nwith sqlite3.connect(sys.argv[1]) as core: core.execute(sys.argv[2])',
  join(server.directory, 'metadata', 'core.db'), sql]);

test('events older than a tenant wants them kept are removed, of that tenant alone', async () => {
  const days = (n) => new Date(Date.now() - n * 86_400_000).toISOString();
  for (const tenant of [a, b]) {
    await send(tenant, [1, 9, 11, 40].map((n) => ({ name: `old_${n}`, created_at: days(n), device_id: 'd', profile_id: 'p' })));
    await server.settle(tenant.write_key);
  }
  const spans = [1, 20].map((n) => ({ traceId: String(n).padStart(32, '0'), spanId: '0000000000000001', name: `old_${n}`, startTimeUnixNano: `${Date.now() - n * 86_400_000}000000` }));
  assert.equal((await server.post('/v1/traces', { resourceSpans: [{ scopeSpans: [{ spans }] }] }, { key: a.secret_key })).text, '{}');
  await server.settle(a.write_key);
  const names = async (tenant, table = 'events') => (await server.sql(
    `SELECT DISTINCT toString(name) AS name FROM analytics.${table} WHERE tenant_id = '${tenant.tenant}' AND name LIKE 'old%' ORDER BY name`)).map((row) => row.name);
  await server.stop();
  metadata(`update tenants set settings = '{"retention_days": 10}' where tenant_id = '${a.tenant}'`);
  metadata("update jobs set next_run_at = 0 where name = 'retention.events'");
  await server.start();
  await waitFor('old events are gone', async () => (await names(a)).length === 2, 30_000);
  assert.deepEqual(await names(a), ['old_1', 'old_9']);
  await waitFor('what is derived from them and names a person, too', async () => (await names(a, 'cohort_events')).length === 2, 30_000);
  const kept = await server.sql(`SELECT toString(span_name) AS name FROM observability.traces_v3 WHERE tenant_id = '${a.tenant}' AND name LIKE 'old%' ORDER BY name`);
  assert.deepEqual(kept.map((row) => row.name), ['old_1', 'old_20'], 'telemetry has a time of its own');
  for (const table of ['events', 'cohort_events']) assert.deepEqual(await names(b, table), ['old_1', 'old_11', 'old_40', 'old_9'], table);
});

const asking = { 'user-agent': FIREFOX, 'x-forwarded-for': '198.51.100.77' };
/** The same visit in each dialect, with ids of the client's own. */
const dialects = {
  own: (tenant, headers, name) => server.post('/v1/events', { name, device_id: `dev-${name}`, session_id: `ses-${name}`, profile_id: `pro-${name}`, ip: '198.51.100.77' }, { key: tenant.write_key, headers }),
  openpanel: (tenant, headers, name) => server.post('/track', { type: 'track', payload: { name, profileId: `pro-${name}`, properties: { __deviceId: `dev-${name}` } } },
    { headers: { 'openpanel-client-id': tenant.write_key, ...headers } }),
  databuddy: (tenant, headers, name) => server.post(`/?client_id=${tenant.write_key}`, { type: 'track', eventId: `id-${name}`, name, path: 'https://shop.example/',
    anonymousId: `dev-${name}`, sessionId: `ses-${name}`, profileId: `pro-${name}` }, { headers: { origin: 'https://shop.example', ...headers } }),
};
/** As an administrator does, on a running server. What it answers is in force. */
const change = async (tenant, settings) => {
  const owner = (await server.login(server.owner.email, server.owner.password)).token;
  const organization = (await server.api('GET', '/v1/organizations', undefined, owner)).json.data.find(({ code }) => code === 'default').organization_id;
  return server.api('PATCH', `/v1/tenants/${tenant.tenant}`, { settings }, owner, { 'millrace-organization': organization });
};
const setDoNotTrack = async (tenant, mode) => {
  const answer = await change(tenant, { do_not_track: mode });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.json.settings.do_not_track, mode);
};
const metricOf = async (result) => {
  const { text } = await server.get('/metrics');
  return Number(new RegExp(`^millrace_ingest_items_total\\{result="${result}"\\} (\\d+)`, 'm').exec(text)?.[1] ?? 0);
};
const stored = (tenant, word) => server.sql('SELECT toString(name) AS name, device_id, session_id, profile_id, ip FROM analytics.events '
  + `WHERE tenant_id = '${tenant.tenant}' AND name LIKE '%${word}' ORDER BY name`);

test('visitors who ask not to be tracked are counted without an id of their own where a tenant says cookieless', async () => {
  await setDoNotTrack(a, 'cookieless');
  for (const tenant of [a, b])
    for (const [dialect, sends] of Object.entries(dialects)) {
      for (const [word, header] of [['gpc', { 'sec-gpc': '1' }], ['dnt', { dnt: '1' }], ['allowed', { dnt: '0' }]]) {
        const answer = await sends(tenant, { ...asking, ...header }, `${dialect}_${word}`);
        assert.equal(answer.status, 200, `${dialect} ${word}: ${answer.text}`);
      }
    }
  const identify = await server.post('/v1/events', [{ type: 'identify', profile_id: 'pro-hidden', email: 'hidden@example.org' }], { key: a.write_key, headers: { ...asking, dnt: '1' } });
  assert.equal(identify.status, 200, identify.text);
  for (const tenant of [a, b]) await server.settle(tenant.write_key);
  const hidden = [...await stored(a, '\\_gpc'), ...await stored(a, '\\_dnt')];
  assert.equal(hidden.length, 6);
  assert.match(hidden[0].device_id, /^[0-9a-f]{32}$/);
  for (const row of hidden) {
    assert.deepEqual([row.profile_id, row.ip], ['', ''], row.name);
    assert.equal(row.device_id, hidden[0].device_id, 'one visitor of the day, whatever the dialect');
    assert.equal(row.session_id, hidden[0].session_id);
  }
  for (const word of ['gpc', 'dnt'])
    for (const dialect of Object.keys(dialects))
      assert.deepEqual(await rowsThatName(a, ...['dev', 'ses', 'pro'].map((id) => `${id}-${dialect}_${word}`)), {}, `${dialect} ${word}`);
  assert.deepEqual(await rowsThatName(a, 'pro-hidden', 'hidden@example.org'), {});
  for (const row of [...await stored(a, '\\_allowed'), ...await stored(b, '\\_gpc')]) {
    assert.equal(row.profile_id, `pro-${row.name}`, 'who does not ask, and other tenants: as always');
    assert.notEqual(row.ip, '');
  }
});

test('visitors who ask not to be tracked leave nothing where a tenant says drop', async () => {
  await setDoNotTrack(a, 'drop');
  const [dropped, accepted] = [await metricOf('do_not_track'), await metricOf('accepted')];
  for (const [dialect, sends] of Object.entries(dialects)) {
    const answer = await sends(a, { ...asking, 'sec-gpc': '1', 'idempotency-key': `drop-${dialect}` }, `${dialect}_dropped`);
    assert.equal(answer.status, 200, `${dialect}: ${answer.text}`);
    if (dialect === 'own') assert.deepEqual([answer.json.accepted, answer.json.refused], [1, 0]);
    if (dialect === 'openpanel') assert.ok(answer.json.deviceId && answer.json.sessionId);
    assert.equal((await sends(a, asking, `${dialect}_kept`)).status, 200);
  }
  assert.equal(await metricOf('do_not_track') - dropped, 3);
  assert.equal(await metricOf('accepted') - accepted, 3);
  await server.settle(a.write_key);
  assert.deepEqual((await stored(a, '\\_kept')).length, 3);
  for (const dialect of Object.keys(dialects))
    assert.deepEqual(await rowsThatName(a, `${dialect}_dropped`, ...['dev', 'ses', 'pro'].map((id) => `${id}-${dialect}_dropped`)), {}, dialect);
  assert.deepEqual(await server.sql(`SELECT count() AS n FROM millrace.requests WHERE tenant_id = '${a.tenant}' AND answer LIKE '%deviceId%'`), [{ n: 0 }]);
});

test('a change of do_not_track acts within a second, whoever makes it; a value that means nothing is refused', async () => {
  const dropped = await metricOf('do_not_track');
  const visit = (name) => dialects.own(a, { ...asking, dnt: '1' }, name);
  await setDoNotTrack(a, 'ignore');
  await visit('back_again'); // the very next request
  assert.equal(await metricOf('do_not_track'), dropped);
  for (const [settings, field] of [[{ do_not_track: 'cookiless' }, 'settings.do_not_track'], [{ do_not_track: true }, 'settings.do_not_track'],
    [{ allow_public_revenue: 'yes' }, 'settings.allow_public_revenue'], [{ retention_days: 0 }, 'settings.retention_days'],
    [{ filters: [{ type: 'ip', ip: 'here' }] }, 'settings.filters.0']]) {
    const answer = await change(a, settings);
    assert.deepEqual([answer.status, answer.json.error.field], [400, field], answer.text);
  }
  const refused = await server.command(['tenant', 'update', a.code, '--settings', '{"do_not_track":"cookiless"}']);
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /settings\.do_not_track must be one of ignore, cookieless, drop/);
  assert.match((await server.command(['tenant', 'update', a.code, '--settings', '{'])).stderr, /--settings is no JSON/);
  const { code, stderr } = await server.command(['tenant', 'update', a.code, '--settings', '{"do_not_track":"drop"}']);
  assert.equal(code, 0, stderr);
  await waitFor('another process changed it', async () => {
    await visit('dropped_soon');
    return await metricOf('do_not_track') > dropped;
  }, 1000);
});

test('events that a tenant filters are answered and not kept; its public keys are believed about revenue when it says so', async () => {
  const sells = (tenant) => server.post('/track', { type: 'track', payload: { name: 'revenue', properties: { __revenue: 4200 } } },
    { headers: { 'openpanel-client-id': tenant.write_key, ...asking } });
  const refused = await sells(a);
  assert.deepEqual([refused.status, refused.text.startsWith('Ingestion: ')], [401, true]);
  const answer = await change(a, { allow_public_revenue: true, filters: [{ type: 'ip', ip: '192.0.2.0/24' }, { type: 'profile_id', profileId: 'pro-unwanted' }, { type: 'event', name: '*', filters: [{ name: 'name', operator: 'endsWith', value: ['_noise'] }] }] });
  assert.equal(answer.status, 200, answer.text);
  const sold = await sells(a);
  assert.equal(sold.status, 200, sold.text);
  assert.equal((await sells(b)).status, 401, 'the other tenant has not said so');
  const filtered = await metricOf('filtered');
  for (const [dialect, sends] of Object.entries(dialects)) {
    assert.equal((await sends(a, asking, `${dialect}_noise`)).status, 200, dialect);
    assert.equal((await sends(a, { ...asking, 'x-forwarded-for': '192.0.2.7' }, `${dialect}_elsewhere`)).status, dialect === 'openpanel' ? 401 : 200, dialect);
    assert.equal((await sends(a, asking, `${dialect}_wanted`)).status, 200, dialect);
  }
  assert.equal((await dialects.openpanel(a, asking, 'unwanted')).status, 401);
  assert.equal(await metricOf('filtered') - filtered, 5);
  await server.settle(a.write_key);
  assert.deepEqual((await stored(a, '\\_wanted')).length, 3);
  assert.deepEqual([...await stored(a, '\\_noise'), ...await stored(a, '\\_elsewhere'), ...await stored(a, 'unwanted')], []);
  assert.deepEqual(await server.sql(`SELECT toFloat64(revenue) AS revenue FROM analytics.events WHERE tenant_id = '${a.tenant}' AND name = 'revenue'`), [{ revenue: 4200 }]);
});
