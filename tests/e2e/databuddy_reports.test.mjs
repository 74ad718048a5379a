// SPDX-License-Identifier: Apache-2.0
// What the Databuddy tracker and SDK send beside page events, and the same through /v1/events: every field in its column.
import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Databuddy } from '@databuddy/sdk/node';
import { Server, send, waitFor } from './harness.mjs';

const BROWSER = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';
const ORIGIN = 'https://shop.example';

let server, client, secret, now;
before(async () => {
  server = await Server.start();
  client = server.tenants.main.write_key;
  secret = server.tenants.main.secret_key;
  now = Date.now();
});
after(() => server?.remove());

const page = (path, body, headers = {}) =>
  server.post(`${path}?client_id=${client}`, body, { headers: { 'user-agent': BROWSER, origin: ORIGIN, 'databuddy-sdk-name': 'web', 'databuddy-sdk-version': '2.6.0', ...headers } });
const own = (body, headers = {}) => server.post('/v1/events', body, { key: client, headers });
async function rows(table, condition, count = 1) {
  let found = [];
  await waitFor(`${count} rows of ${table} where ${condition}`, async () => {
    found = await server.sql(`SELECT * FROM ${table.includes('.') ? table : `analytics.${table}`} WHERE ${condition}`);
    if (found.length > count) throw new Error(`${found.length} rows`);
    return found.length === count;
  });
  return found;
}
const row = async (table, condition) => (await rows(table, condition))[0];
const ms = (text) => Date.parse(`${text.replace(' ', 'T')}Z`);
const who = (more = {}) => ({ timestamp: now - 1000, path: `${ORIGIN}/pricing`, sessionId: 'sess_reports', anonymousId: 'anon_reports', anonymizeVisitorIds: false, ...more });
function derived(...parts) {
  const bytes = createHash('sha256').update(JSON.stringify(parts)).digest().subarray(0, 16);
  bytes[6] = (bytes[6] & 0x0f) | 0x50;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, '$1-$2-$3-$4-$5');
}

test('POST /vitals stores each measurement, with the page and what the sender is', async () => {
  const metrics = [['FCP', 900.5], ['LCP', 2500], ['CLS', 0.08], ['INP', 120], ['TTFB', 80], ['FPS', 59]];
  const answer = await page('/vitals', metrics.map(([metricName, metricValue]) => who({ metricName, metricValue })));
  assert.deepEqual([answer.status, answer.json], [200, { status: 'success', type: 'web_vitals', count: 6 }]);
  for (const [name, value] of metrics) {
    const stored = await row('web_vitals_spans', `metric_name = '${name}'`);
    assert.deepEqual([stored.metric_value, stored.device_id, stored.session_id, stored.origin, stored.path, ms(stored.timestamp)],
      [value, 'anon_reports', 'sess_reports', ORIGIN, '/pricing', now - 1000], name);
    assert.deepEqual([stored.browser, stored.os, stored.device], ['Chrome', 'Linux', 'desktop']);
  }
  const [hour] = await rows('web_vitals_hourly', "metric_name = 'LCP'");
  assert.deepEqual([hour.sample_count, hour.p75, hour.p50, hour.avg_value, hour.min_value, hour.max_value], [1, 2500, 2500, 2500, 2500, 2500]);
});

test('the hourly vitals are right whatever the number of inserts', async () => {
  for (let part = 0; part < 4; part++) {
    for (let at = 0; at < 100; at += 20)
      await page('/vitals', Array.from({ length: 20 }, (_, i) => who({ path: `${ORIGIN}/hourly`, metricName: 'LCP', metricValue: 2000 + (part * 100 + at + i) * 10, timestamp: Math.floor(now / 3_600_000) * 3_600_000 - 60_000 })));
    await server.settle(client);
  }
  await waitFor('400 samples', async () => (await server.sql("SELECT sum(sample_count) AS n FROM analytics.web_vitals_hourly WHERE path = '/hourly'"))[0].n === 400);
  for (const merged of [false, true]) {
    if (merged) {
      const { status, text } = await send({ socketPath: join(server.directory, 'engine.sock'), path: '/?log_comment=*' }, { method: 'POST', body: 'OPTIMIZE TABLE analytics.web_vitals_hourly_states FINAL' });
      assert.equal(status, 200, text);
    }
    const [hour] = await rows('web_vitals_hourly', "path = '/hourly'");
    assert.deepEqual([hour.sample_count, hour.avg_value, hour.min_value, hour.max_value], [400, 3995, 2000, 5990]);
    assert.ok(Math.abs(hour.p75 - 4990) < 50 && Math.abs(hour.p50 - 3995) < 40, JSON.stringify(hour));
  }
});

test('POST /errors stores each error, and counts them by fingerprint', async () => {
  const error = { message: 'Cannot read item 4711', filename: `${ORIGIN}/app.js`, lineno: 12, colno: 34, stack: 'at a\nat b', errorType: 'TypeError' };
  const answer = await page('/errors', [who(error), who({ ...error, message: 'Cannot read item 4712', timestamp: now - 900 })]);
  assert.deepEqual([answer.status, answer.json], [200, { status: 'success', type: 'error', count: 2 }]);
  const stored = await row('error_spans', "message = 'Cannot read item 4711'");
  assert.deepEqual([stored.filename, stored.lineno, stored.colno, stored.stack, stored.error_type, stored.path, stored.browser],
    [error.filename, 12, 34, error.stack, 'TypeError', '/pricing', 'Chrome']);
  await waitFor('one fingerprint', async () => {
    const hours = await server.sql("SELECT message_hash, sum(error_count) AS n, uniqMerge(affected_users) AS users FROM analytics.error_hourly GROUP BY message_hash");
    return hours.length === 1 && hours[0].n === 2 && hours[0].users === 1;
  });
});

test('POST /engagement stores how a page was used', async () => {
  const counters = ['scroll', 'click', 'key', 'interaction', 'copy', 'rageClick', 'deadClick', 'formField', 'error'];
  const span = who({ pageIndex: 2, exitType: 'spa', timeOnPage: 30.5, activeTime: 20.25, timeToFirstInteraction: 1500, maxScrollDepth: 80,
    rageClickTarget: 'r'.repeat(100), deadClickTarget: '#dead', lastFormField: 'email' });
  counters.forEach((name, i) => (span[`${name}Count`] = i + 1));
  const answer = await page('/engagement', [span]);
  assert.deepEqual([answer.status, answer.json], [200, { status: 'success', type: 'engagement', count: 1 }]);
  const stored = await row('engagement_spans', "exit_type = 'spa'");
  assert.deepEqual([stored.page_index, stored.time_on_page, stored.active_time, stored.time_to_first_interaction, stored.max_scroll_depth], [2, 30.5, 20.25, 1500, 80]);
  const snake = (name) => name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);
  counters.forEach((name, i) => assert.equal(stored[`${snake(name)}_count`], i + 1, name));
  assert.deepEqual([stored.rage_click_target, stored.dead_click_target, stored.last_form_field, stored.form_abandoned], ['r'.repeat(64), '#dead', 'email', 1]);
});

test('custom events of a page are events too', async () => {
  const event = { eventId: 'custom-1', properties: { plan: 'pro', nested: { a: 1 } }, ...who() };
  const first = await page('/events', [{ ...event, eventName: 'signup_page' }]);
  const second = await server.post(`/track?website_id=${client}`, [{ ...event, eventId: 'custom-2', name: 'signup_track', namespace: 'billing', source: 'browser' }], { headers: { 'user-agent': BROWSER } });
  for (const answer of [first, second]) assert.deepEqual([answer.status, answer.json], [200, { status: 'success', type: 'custom_event', count: 1 }], answer.text);
  const stored = await row('custom_events', "event_name = 'signup_track'");
  assert.deepEqual([stored.namespace, stored.source, stored.website_id, stored.properties, stored.device_id, stored.path],
    ['billing', 'browser', client, { plan: 'pro', 'nested.a': '1' }, 'anon_reports', '/pricing']);
  await row('custom_events', "event_name = 'signup_page'");
  const twin = await row('events', "name = 'signup_track'");
  assert.deepEqual([twin.id, twin.event_type, twin.properties, twin.session_id], [stored.id, 'custom', stored.properties, 'sess_reports']);
});

test('links are rows of their own, with the id that Databuddy derives', async () => {
  const answer = await page('/', { type: 'outgoing_link', eventId: 'link-77', href: 'https://elsewhere.example/', text: 'There', properties: { a: 'b' }, ...who() });
  assert.deepEqual([answer.status, answer.json], [200, { status: 'success', type: 'outgoing_link' }]);
  const stored = await row('outgoing_links', '1');
  assert.deepEqual([stored.href, stored.text, stored.properties, stored.device_id, stored.id],
    ['https://elsewhere.example/', 'There', { a: 'b' }, 'anon_reports', derived(client, 'outgoing_link', 'link-77')]);
  assert.equal((await row('events', "event_type = 'outgoing_link'")).id, stored.id);
  await page('/', { eventId: 'page-77', name: 'derived', ...who() });
  assert.equal((await row('events', "name = 'derived'")).id, derived(client, 'track', 'page-77'));
});

test('the SDK for Node is believed: custom events and people', async () => {
  const sdk = new Databuddy({ apiKey: secret, apiUrl: server.url, websiteId: 'site_1', namespace: 'app', source: 'backend', enableBatching: false });
  const one = await sdk.track({ name: 'node_one', timestamp: now - 500, properties: { plan: 'pro' }, anonymousId: 'anon_x', sessionId: 'sess_y' });
  assert.equal(one.success, true, JSON.stringify(one));
  const stored = await row('custom_events', "event_name = 'node_one'");
  assert.deepEqual([stored.website_id, stored.namespace, stored.source, stored.properties, stored.session_id], ['site_1', 'app', 'backend', { plan: 'pro' }, 'sess_y']);
  assert.match(stored.device_id, /^[0-9a-f]{64}$/);
  const batched = new Databuddy({ apiKey: secret, apiUrl: server.url, batchSize: 50 });
  for (let i = 0; i < 20; i++) await batched.track({ name: 'node_many', properties: { i } });
  assert.equal((await batched.flush()).success, true);
  await rows('custom_events', "event_name = 'node_many'", 20);
  if (sdk.identify) {
    const known = await sdk.identify({ profileId: 'user_42', anonymousId: 'anon_1', traits: { email: 'A@b.c', plan: 'pro', n: 3, name: 'Ada Lovelace', drop: null } });
    assert.equal(known?.success ?? true, true, JSON.stringify(known));
    const profile = await row('profiles', "id = 'user_42'");
    assert.deepEqual([profile.email, profile.first_name, profile.last_name, profile.properties], ['a@b.c', 'Ada', 'Lovelace', { plan: 'pro', n: '3', name: 'Ada Lovelace' }]);
  }
});

test('the same request again is stored once when it names its time', async () => {
  const events = [{ name: 'again', timestamp: now - 100, properties: { i: 1 } }, { name: 'again', timestamp: now - 100, properties: { i: 1 } }];
  for (let i = 0; i < 3; i++) assert.equal((await server.post('/track', events, { headers: { 'x-api-key': secret } })).json.count, 2);
  await server.settle(client);
  await rows('custom_events', "event_name = 'again'", 2);
});

test('POST /llm stores a model call', async () => {
  const call = {
    timestamp: now - 10, traceId: 'trace-1', type: 'stream', model: 'm-1', provider: 'acme', finishReason: 'stop', input: 'dropped',
    usage: { inputTokens: 10, outputTokens: 20, totalTokens: 30, cachedInputTokens: 4, cacheCreationInputTokens: 5, reasoningTokens: 6, webSearchCount: 1 },
    cost: { inputTokenCostUSD: 0.0000015, outputTokenCostUSD: 0.002, totalTokenCostUSD: 0.0020015 },
    tools: { toolCallCount: 2, toolResultCount: 1, toolCallNames: ['search', 'read'], availableTools: ['x'] },
    error: { name: 'Timeout', message: 'too slow', stack: 'at x' }, durationMs: 1234, httpStatus: 504,
  };
  const answer = await server.post('/llm', [call], { key: secret });
  assert.deepEqual([answer.status, answer.json], [200, { status: 'success', type: 'ai_call', count: 1 }], answer.text);
  const stored = await row('observability.ai_call_spans', "trace_id = 'trace-1'");
  assert.deepEqual([stored.type, stored.model, stored.provider, stored.finish_reason, stored.input_tokens, stored.output_tokens, stored.total_tokens], ['stream', 'm-1', 'acme', 'stop', 10, 20, 30]);
  assert.deepEqual([stored.cached_input_tokens, stored.cache_creation_input_tokens, stored.reasoning_tokens, stored.web_search_count], [4, 5, 6, 1]);
  assert.deepEqual([stored.input_token_cost_usd, stored.output_token_cost_usd, stored.total_token_cost_usd].map(Number), [0.0000015, 0.002, 0.0020015]);
  assert.deepEqual([stored.tool_call_count, stored.tool_result_count, stored.tool_call_names, stored.duration_ms, stored.http_status], [2, 1, ['search', 'read'], 1234, 504]);
  assert.deepEqual([stored.error_name, stored.error_message, stored.error_stack], ['Timeout', 'too slow', 'at x']);
});

test('GET /px.jpg is always a picture, and no cache keeps it', async () => {
  const query = new URLSearchParams({ client_id: client, sdk_name: 'web', type: 'track', eventId: 'px-1', name: 'pixel', path: `${ORIGIN}/px`, anonymousId: '42', anonymizeVisitorIds: 'false', 'properties[plan]': 'pro', rtt: '50' });
  const vital = new URLSearchParams({ client_id: client, type: 'web_vitals', metricName: 'FPS', metricValue: '31.5', path: '/px' });
  for (const [path, status] of [[`/px.jpg?${query}`, 200], [`/px.jpg?${vital}`, 200], ['/px.jpg', 200], [`/px.jpg?client_id=${client}&type=odd`, 200], [`/px.jpg?client_id=${randomUUID()}`, 200]]) {
    const answer = await server.send(path, { headers: { 'user-agent': BROWSER } });
    assert.deepEqual([answer.status, answer.headers['content-type'], answer.text.slice(0, 6)], [status, 'image/gif', 'GIF89a'], path);
    assert.match(answer.headers['cache-control'], /no-store/, path);
  }
  const stored = await row('events', "name = 'pixel'");
  assert.deepEqual([stored.device_id, stored.rtt, stored.path, stored.properties], ['42', 50, '/px', { plan: 'pro' }]);
  assert.equal((await row('web_vitals_spans', "path = '/px'")).metric_value, 31.5);
});

test('POST /ai-traffic stores what an AI service fetched', async () => {
  const answer = await server.post('/ai-traffic', { websiteId: client, host: 'shop.example', path: '/docs', format: 'markdown', userAgent: 'Mozilla/5.0; compatible; GPTBot/1.2; +https://openai.com/gptbot', referrer: `${ORIGIN}/` });
  assert.deepEqual([answer.status, answer.text], [202, '']);
  const stored = await row('ai_traffic_spans', '1');
  assert.deepEqual([stored.bot_type, stored.bot_name, stored.agent_id, stored.agent_purpose, stored.source, stored.host, stored.path, stored.format],
    ['ai_crawler', 'GPTBot', 'openai', 'training', 'middleware', 'shop.example', '/docs', 'markdown']);
});

// Refusals.
const invalid = [
  ['/vitals', { metricName: 'XYZ', metricValue: 1 }, 'metricName'], ['/vitals', { metricName: 'LCP' }, 'metricValue'], ['/vitals', { metricName: 'LCP', metricValue: 'slow' }, 'metricValue'],
  ['/vitals', { metricName: 'LCP', metricValue: 1, timestamp: Date.now() + 7_200_000 }, 'timestamp'], ['/errors', { errorType: 'E' }, 'message'], ['/errors', { message: 'm'.repeat(2049) }, 'message'],
  ['/errors', { message: 'm', lineno: 100001 }, 'lineno'], ['/events', { path: '/x' }, 'eventName'], ['/events', { eventName: 'n'.repeat(257) }, 'eventName'],
  ['/events', { eventName: 'n', properties: Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`k${i}`, i])) }, 'properties'], ['/engagement', { exitType: 'gone' }, 'exitType'],
  ['/engagement', { maxScrollDepth: 101 }, 'maxScrollDepth'], ['/vitals', { metricName: 'LCP', metric_name: 'LCP', metricValue: 1 }, 'metric_name'],
];
test('an invalid report is refused by its field, written down, and does not take the others with it', async () => {
  const good = { '/vitals': { metricName: 'LCP', metricValue: 1 }, '/errors': { message: 'beside' }, '/events': { eventName: 'beside' }, '/engagement': { exitType: 'hidden' } };
  for (const [path, item, field] of invalid) {
    const what = `${path} ${JSON.stringify(item).slice(0, 80)}`;
    const alone = await page(path, [item]);
    assert.deepEqual([alone.status, alone.json.code, alone.json.errors?.[0].field], [400, 'basket.INVALID_EVENT_SCHEMA', field], `${what}: ${alone.text}`);
    const beside = await page(path, [good[path], item]);
    assert.deepEqual([beside.status, beside.json.status, beside.json.count, beside.json.errors[0].index, beside.json.errors[0].field], [200, 'partial', 1, 1, field], `${what}: ${beside.text}`);
  }
  await rows('blocked_traffic', `block_reason = 'invalid_schema' AND path IN ('/vitals', '/errors', '/events', '/engagement')`, 2 * invalid.length);
});

test('more than a route takes at once is refused whole', async () => {
  for (const [path, limit, code] of [['/vitals', 20], ['/errors', 50], ['/events', 100], ['/engagement', 20], ['/track', 100]].map((each) => [...each, 'INGEST_BATCH_TOO_LARGE'])) {
    const answer = await page(path, Array.from({ length: limit + 1 }, () => ({})));
    assert.deepEqual([answer.status, answer.json.code], [400, `basket.${code}`], path);
  }
  const large = await page('/errors', [{ message: 'x'.repeat(140_000) }]);
  assert.deepEqual([large.status, large.json.code], [413, 'basket.INGEST_ERRORS_BODY_TOO_LARGE']);
  const nobody = await server.post('/track', [{ name: 'x' }]);
  assert.deepEqual([nobody.status, nobody.json.code, nobody.json.message], [401, 'basket.TRACK_MISSING_CREDENTIALS', 'API key or website_id required']);
});

test('/v1/events takes every type in one request', async () => {
  const items = [
    { name: 'envelope' }, { type: 'track', name: 'envelope' },
    { type: 'vital', metric_name: 'INP', metric_value: 77, path: '/envelope', device_id: 'd1', country: 'NL' },
    { type: 'error', message: 'envelope error', error_type: 'E', url: `${ORIGIN}/envelope?x=1` },
    { type: 'custom', name: 'envelope custom', namespace: 'n', properties: { a: 1 }, id: 'env-1' },
    { type: 'engagement', exit_type: 'unload', active_time: 5, path: '/envelope' },
    { type: 'outgoing_link', href: 'https://envelope.example/', text: 'E' },
    { type: 'ai_call', call_type: 'generate', model: 'm', provider: 'envelope', usage: { input_tokens: 7 }, duration_ms: 3 },
    { type: 'identify', profile_id: 'env-user', first_name: 'Ada', email: 'a@b.c', properties: { plan: 'pro' } },
    { type: 'increment', profile_id: 'env-user', property: 'visits', value: 3 }, { type: 'decrement', profileId: 'env-user', property: 'visits' },
    { type: 'alias', profile_id: 'env-user', alias: 'env-alias' },
    { type: 'group', group_id: 'g1', group_type: 'company', name: 'ACME', properties: { size: 'big' } }, { type: 'assign_group', profile_id: 'env-user', groups: ['g1'] },
  ];
  const bad = [
    { type: 'nonsense', name: 'x' }, { type: 7, name: 'x' }, { type: 'vital', metric_name: 'INP', metric_value: 1, plan: 'x' }, { type: 'error' },
    { type: 'increment', profile_id: 'u', property: 'p', value: -1 }, { type: 'identify' }, { type: 'custom', name: 'x', tenant_id: 'y' }, { type: 'alias', profile_id: 'u' },
  ];
  const answer = await own([...items, ...bad]);
  assert.deepEqual([answer.status, answer.json.accepted, answer.json.refused], [200, items.length, bad.length], answer.text);
  assert.deepEqual(answer.json.errors.map((error) => error.field), ['type', 'type', 'plan', 'message', 'value', 'profile_id', 'tenant_id', 'alias'], answer.text);
  await rows('events', "name = 'envelope'", 2);
  const vital = await row('web_vitals_spans', "metric_value = 77");
  assert.deepEqual([vital.path, vital.device_id, vital.country], ['/envelope', 'd1', 'NL']);
  const error = await row('error_spans', "message = 'envelope error'");
  assert.deepEqual([error.origin, error.path], [ORIGIN, '/envelope']);
  const custom = await row('custom_events', "event_name = 'envelope custom'");
  assert.equal((await row('events', "name = 'envelope custom'")).id, custom.id);
  assert.equal((await row('engagement_spans', "exit_type = 'unload'")).active_time, 5);
  await row('outgoing_links', "href = 'https://envelope.example/'");
  const call = await row('observability.ai_call_spans', "provider = 'envelope'");
  assert.deepEqual([call.type, call.input_tokens, call.duration_ms], ['generate', 7, 3]);
  const profile = await row('profiles', "id = 'env-user'");
  assert.deepEqual([profile.first_name, profile.email, profile.properties], ['Ada', 'a@b.c', { plan: 'pro', visits: '2' }]);
  await row('profile_aliases', "alias = 'env-alias'");
  await row('groups', "id = 'g1' AND name = 'ACME'");
  const again = await own([items[4]]);
  assert.deepEqual(again.json, { accepted: 0, duplicates: 1, refused: 0, errors: [] });
});

test('/v1/events takes gzip, and lines of every type', async () => {
  const lines = [{ name: 'zipped' }, { type: 'vital', metric_name: 'FPS', metric_value: 12, path: '/zipped' }].map((item) => JSON.stringify(item)).join('\n');
  const answer = await own(gzipSync(lines), { 'content-type': 'application/x-ndjson', 'content-encoding': 'gzip' });
  assert.deepEqual([answer.status, answer.json.accepted], [200, 2], answer.text);
  await row('events', "name = 'zipped'");
  await row('web_vitals_spans', "path = '/zipped'");
});

test('robots are answered 204, and are no visitors; AI services are counted by themselves', async () => {
  const gpt = 'Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)';
  const view = (name) => who({ eventId: randomUUID(), name, path: `${ORIGIN}/robots` });
  const ai = await page('/batch', [view('screen_view'), view('page_exit')], { 'user-agent': gpt });
  const seo = await page('/', view('screen_view'), { 'user-agent': 'Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)' });
  const vital = await page('/vitals', [who({ metricName: 'LCP', metricValue: 1, path: '/robots' })], { 'user-agent': gpt });
  for (const answer of [ai, seo, vital]) assert.deepEqual([answer.status, answer.text], [204, '']);
  const visit = await row('ai_traffic_spans', "path = '/robots'");
  assert.deepEqual([visit.bot_type, visit.bot_name, visit.source, visit.host], ['ai_crawler', 'GPTBot', 'tracker', 'shop.example']);
  const blocked = await row('blocked_traffic', "block_category = 'Known Bot'");
  assert.deepEqual([blocked.bot_name, blocked.block_reason, blocked.origin, blocked.method], ['AhrefsBot', 'seo_tool', ORIGIN, 'POST']);
  await rows('events_bots', "path = '/robots'", 4);
  await server.settle(client);
  await rows('events', "path = '/robots'", 0);
  await rows('web_vitals_spans', "path = '/robots'", 0);
});
