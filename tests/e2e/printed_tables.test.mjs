// SPDX-License-Identifier: Apache-2.0
// Tables that other analytics products print in their documents: each of their columns can be asked for here, by its name and
// in the type printed, so that questions written for them need no rewriting.
//
// The documents are read from ../shared/seeds beside the project when they are there; then the list below must be what they say.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { repository, Server, send, waitFor } from './harness.mjs';

const DOCUMENTS = process.env.MILLRACE_SEEDS ?? join(repository, '../shared/seeds');

/** Document, table: its columns and their types. A table printed without a database is one of analytics. */
const PRINTED = `
  002 analytics.events: id UUID, client_id String, event_name String, anonymous_id String, time DateTime64(3, 'UTC'), session_id String, event_type LowCardinality(String), event_id Nullable(String), session_start_time Nullable(DateTime64(3, 'UTC')), timestamp DateTime64(3, 'UTC'), referrer Nullable(String), url String, path String, title Nullable(String), ip String, user_agent String, browser_name Nullable(String), browser_version Nullable(String), os_name Nullable(String), os_version Nullable(String), device_type Nullable(String), device_brand Nullable(String), device_model Nullable(String), country Nullable(String), region Nullable(String), city Nullable(String), screen_resolution Nullable(String), viewport_size Nullable(String), language Nullable(String), timezone Nullable(String), connection_type Nullable(String), rtt Nullable(Int16), downlink Nullable(Float32), time_on_page Nullable(Float32), scroll_depth Nullable(Float32), interaction_count Nullable(Int16), page_count UInt8, utm_source Nullable(String), utm_medium Nullable(String), utm_campaign Nullable(String), utm_term Nullable(String), utm_content Nullable(String), load_time Nullable(Int32), dom_ready_time Nullable(Int32), dom_interactive Nullable(Int32), ttfb Nullable(Int32), connection_time Nullable(Int32), request_time Nullable(Int32), render_time Nullable(Int32), redirect_time Nullable(Int32), domain_lookup_time Nullable(Int32), properties String, created_at DateTime64(3, 'UTC')
  002 analytics.web_vitals_spans: client_id String, anonymous_id String, session_id String, timestamp DateTime64(3, 'UTC'), path String, metric_name LowCardinality(String), metric_value Float64
  002 analytics.web_vitals_hourly: client_id String, path String, metric_name LowCardinality(String), hour DateTime, sample_count UInt64, p75 Float64, p50 Float64, avg_value Float64, min_value Float64, max_value Float64
  002 analytics.error_spans: client_id String, anonymous_id String, session_id String, timestamp DateTime64(3, 'UTC'), path String, message String, filename Nullable(String), lineno Nullable(Int32), colno Nullable(Int32), stack Nullable(String), error_type LowCardinality(String)
  002 analytics.error_hourly: client_id String, path String, error_type LowCardinality(String), message_hash UInt64, hour DateTime, error_count UInt64, affected_users AggregateFunction(uniq, String), affected_sessions AggregateFunction(uniq, String), sample_message String
  002 analytics.custom_events: owner_id String, website_id Nullable(String), timestamp DateTime64(3, 'UTC'), event_name LowCardinality(String), namespace LowCardinality(Nullable(String)), path Nullable(String), properties String, anonymous_id Nullable(String), session_id Nullable(String), source LowCardinality(Nullable(String))
  002 analytics.revenue: owner_id String, website_id Nullable(String), transaction_id String, provider LowCardinality(String), type LowCardinality(String), status LowCardinality(String), amount Decimal64(4), original_amount Decimal64(4), original_currency LowCardinality(String), currency LowCardinality(String), anonymous_id Nullable(String), session_id Nullable(String), customer_id Nullable(String), product_id Nullable(String), product_name Nullable(String), metadata String, created DateTime('UTC'), synced_at DateTime('UTC')
  002 observability.ai_call_spans: owner_id String, timestamp DateTime64(3, 'UTC'), type LowCardinality(String), model String, provider LowCardinality(String), finish_reason LowCardinality(Nullable(String)), input_tokens UInt32, output_tokens UInt32, total_tokens UInt32, cached_input_tokens Nullable(UInt32), cache_creation_input_tokens Nullable(UInt32), reasoning_tokens Nullable(UInt32), web_search_count Nullable(UInt16), input_token_cost_usd Nullable(Float64), output_token_cost_usd Nullable(Float64), total_token_cost_usd Nullable(Float64), tool_call_count UInt16, tool_result_count UInt16, tool_call_names Array(String), duration_ms UInt32, trace_id Nullable(String), http_status Nullable(UInt16), error_name LowCardinality(Nullable(String)), error_message Nullable(String), error_stack Nullable(String)
  003 analytics.events: id UUID, name LowCardinality(String), project_id String, session_id String, device_id String, profile_id String, sdk_name LowCardinality(String), sdk_version LowCardinality(String), path String, origin String, referrer String, referrer_name LowCardinality(String), referrer_type LowCardinality(String), duration UInt64, revenue Nullable(Float64), properties Map(String, String), created_at DateTime64(3), imported_at Nullable(DateTime64(3)), country FixedString(2), city String, region String, longitude Nullable(Float32), latitude Nullable(Float32), os LowCardinality(String), os_version LowCardinality(String), browser LowCardinality(String), browser_version LowCardinality(String), device LowCardinality(String), brand LowCardinality(String), model LowCardinality(String)
  003 analytics.sessions: id String, project_id String, profile_id String, device_id String, created_at DateTime64(3), ended_at DateTime64(3), is_bounce Bool, screen_view_count Int32, event_count Int32, duration UInt32, revenue Float64, country FixedString(2), region LowCardinality(String), city LowCardinality(String), longitude Nullable(Float32), latitude Nullable(Float32), device LowCardinality(String), brand LowCardinality(String), model LowCardinality(String), browser LowCardinality(String), browser_version LowCardinality(String), os LowCardinality(String), os_version LowCardinality(String), entry_origin String, entry_path String, exit_origin String, exit_path String, utm_medium String, utm_source String, utm_campaign String, utm_content String, utm_term String, referrer String, referrer_name LowCardinality(String), referrer_type LowCardinality(String), sign Int8, version UInt64, properties Map(String, String)
  003 analytics.profiles: id String, project_id String, is_external Bool, first_name String, last_name String, email String, avatar String, properties Map(String, String), created_at DateTime64(3)
  003 analytics.profile_aliases: project_id String, profile_id String, alias String, created_at DateTime
`;
/** Tables that are named there, and described by the product's own source. */
const NAMED = `
  003 analytics.events_bots: id UUID, project_id String, name String, type String, path String, created_at DateTime64(3)
  003 analytics.dau_mv: project_id String, date Date, profile_id AggregateFunction(uniq, String)
  003 analytics.cohort_events_mv: project_id String, name LowCardinality(String), created_at Date, profile_id String, event_count UInt64
  003 analytics.distinct_event_names_mv: project_id String, name LowCardinality(String), created_at DateTime64(3), event_count UInt64
  003 analytics.event_property_values_mv: project_id String, name LowCardinality(String), property_key String, property_value String, created_at DateTime64(3)
  003 analytics.events_imports: id UUID, project_id String, name LowCardinality(String), device_id String, profile_id String, session_id String, path String, properties Map(String, String), created_at DateTime64(3), imported_at Nullable(DateTime64(3))
`;

const tablesOf = (text) => text.trim().split('\n').map((line) => {
  const [, document, table, columns] = /^(\d+) (\S+): (.*)$/.exec(line.trim());
  return { document, table, columns: splitColumns(columns).map((column) => /^(\w+) (.*)$/.exec(column).slice(1)) };
});

/** At the commas that stand in no brackets. */
function splitColumns(text) {
  const parts = [''];
  let depth = 0;
  for (const character of text) {
    depth += (character === '(') - (character === ')');
    if (character === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += character;
  }
  return parts.map((part) => part.trim()).filter(Boolean);
}

/** The CREATE TABLE statements of a document, as the lists above have them. */
function statementsOf(document) {
  const name = readdirSync(DOCUMENTS).find((file) => file.startsWith(`${document}_`));
  const text = readFileSync(join(DOCUMENTS, name), 'utf8');
  return [...text.matchAll(/CREATE TABLE (\S+) \(\n([\s\S]*?)\n\)/g)].map(([, table, body]) => ({
    document, table: table.includes('.') ? table : `analytics.${table}`,
    columns: splitColumns(body.replace(/--.*/g, '')).filter((column) => /^[a-z]/.test(column)).map((column) => {
      const [, column_name, rest] = /^(\w+)\s+([\s\S]*)$/.exec(column);
      return [column_name, /^\w+(\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))?/.exec(rest)[0]];
    }),
  }));
}

let server;
before(async () => {
  server = await Server.start({ settings: ['--analytics.session_flush', '300ms'] });
  const { main } = server.tenants;
  const at = { device_id: 'd', session_id: 's', profile_id: 'p', path: '/x' };
  const sent = await server.post('/v1/events', [
    { name: 'screen_view', ...at, properties: { plan: 'pro' }, country: 'SE', revenue: 12.5 },
    { name: 'bare' },
    { type: 'vital', metric_name: 'LCP', metric_value: 1200.5, ...at },
    { type: 'error', message: 'broken', ...at },
    { type: 'custom', name: 'paid', ...at, properties: { plan: 'pro' } },
    { type: 'ai_call', provider: 'acme', model: 'm-1' },
    { type: 'identify', profile_id: 'p', first_name: 'Ann', properties: { plan: 'pro' } },
    { type: 'alias', profile_id: 'p', alias: 'q' },
  ], { key: main.write_key, headers: { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0' } });
  assert.deepEqual([sent.status, sent.json.refused], [200, 0], sent.text);
  const robot = await server.post('/v1/events', { name: 'screen_view', path: '/x' }, { key: main.write_key, headers: { 'user-agent': 'Googlebot/2.1 (+http://www.google.com/bot.html)' } });
  assert.equal(robot.status, 200, robot.text);
  const imported = await send(`${server.url}/import/events`, { method: 'POST', headers: { 'content-type': 'application/json', 'openpanel-client-id': main.write_key, 'openpanel-client-secret': main.secret_key },
    body: JSON.stringify([{ name: 'old', created_at: '2026-01-01T00:00:00Z', device_id: 'd', properties: { plan: 'old' } }]) });
  assert.equal(imported.status, 200, imported.text);
  const paid = await send({ socketPath: join(server.directory, 'engine.sock'), path: '/?log_comment=*' },
    { method: 'POST', body: `INSERT INTO analytics.revenue (tenant_id, provider, transaction_id, amount, created, synced_at) SELECT '${main.tenant}', 'stripe', 'pi_1', 12.5, now(), now()` });
  assert.equal(paid.status, 200, paid.text);
  await server.settle(main.write_key);
  await waitFor('the visit has a row', async () => (await server.sql('SELECT count() AS n FROM analytics.sessions'))[0].n > 0);
});
after(() => server?.remove());

test('the list is what the documents print', { skip: !existsSync(DOCUMENTS) && 'there are no documents beside the project' }, () => {
  assert.deepEqual(tablesOf(PRINTED), ['002', '003'].flatMap(statementsOf));
});

for (const { document, table, columns } of [...tablesOf(PRINTED), ...tablesOf(NAMED)])
  test(`${table} of document ${document} has its columns, in the types printed`, async () => {
    const { tenant } = server.tenants.main;
    const missing = [];
    for (const [name, type] of columns)
      await server.sql(`SELECT CAST(${name}, '${type.replaceAll("'", "\\'")}') AS value FROM ${table}`, tenant).catch((error) => missing.push(`${name} ${type}: ${error.message.slice(0, 300)}`));
    assert.deepEqual(missing, []);
    const rows = await server.sql(`SELECT ${columns.map(([name]) => name).join(', ')} FROM ${table}`, tenant);
    assert.ok(rows.length > 0, 'there is something to cast');
    assert.deepEqual(await server.sql(`SELECT ${columns[0][0]} FROM ${table}`, '00000000-0000-4000-8000-000000000000'), [], 'only the tenant sees it');
  });
