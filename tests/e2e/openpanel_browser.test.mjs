// SPDX-License-Identifier: Apache-2.0
// The published OpenPanel web SDK in a real browser, loaded by its script tag: views of pages and of an app's routes, links,
// marked buttons, people, and the recording of the visit.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { launch } from './browser.mjs';
import { Server, waitFor } from './harness.mjs';

const USER_AGENT = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';
const scripts = join(dirname(createRequire(import.meta.url).resolve('@openpanel/web')), 'src');

let server, site, browser, keys, origin;
const page = () => `<!doctype html><title>Shop</title><h1>Shop</h1>
<a id="out" href="https://other.example/x">Other</a> <button id="buy" data-track="buy_clicked" data-plan-name="pro">Buy</button>
<script>
  window.op = window.op || function (...args) { (window.op.q = window.op.q || []).push(args); };
  window.op('init', { apiUrl: ${JSON.stringify(server.url)}, clientId: ${JSON.stringify(keys.write_key)}, trackScreenViews: true, trackOutgoingLinks: true,
    trackAttributes: true, sessionReplay: { enabled: true, flushIntervalMs: 300 } });
</script><script src="/op1.js"></script>`;
const files = { '/op1.js': 'tracker.global.js', '/op1-replay.js': 'replay.global.js' };

before(async () => {
  server = await Server.start();
  keys = server.tenants.main;
  site = http.createServer((request, response) => {
    const file = files[request.url.split('?')[0]];
    response.setHeader('content-type', file ? 'text/javascript' : 'text/html');
    response.end(file ? readFileSync(join(scripts, file)) : page());
  });
  await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
  origin = `http://localhost:${site.address().port}`;
  browser = await launch();
});
after(async () => {
  await browser?.close();
  site?.close();
  await server?.remove();
});

test('what the web SDK sends of a visit is in the right columns', async () => {
  const tab = await browser.newPage({ userAgent: USER_AGENT, viewport: { width: 900, height: 700 } });
  const complaints = [];
  tab.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  await tab.route('https://other.example/**', (route) => route.fulfill({ body: 'elsewhere' }));
  await tab.goto(`${origin}/landing?utm_source=letter&x=1#top`);
  const one = async (name, more = '1') => (await server.events(1, `name = '${name}' AND ${more}`))[0];

  const first = await one('screen_view', `path = '/landing'`);
  assert.deepEqual([first.origin, first.path, first.query_string, first.hash, first.title, first.utm_source], [origin, '/landing', '?utm_source=letter&x=1', '#top', 'Shop', 'letter']);
  assert.deepEqual([first.sdk_name, first.sdk_version, first.tenant_id], ['web', '1.4.1', keys.tenant]);
  assert.deepEqual([first.os, first.browser, first.browser_version, first.device], ['Linux', 'Chrome', '140.0.0.0', 'desktop']);
  assert.match(first.device_id, /^[0-9a-f]{32}$/);
  assert.match(first.session_id, /^[A-Za-z0-9_-]{22}$/);
  assert.equal(first.profile_id, first.device_id);
  const visit = (row) => assert.deepEqual([row.device_id, row.session_id], [first.device_id, first.session_id], row.name);

  await tab.evaluate(() => history.pushState({}, '', '/app/settings'));
  const routed = await one('screen_view', `path = '/app/settings'`);
  visit(routed);

  await tab.click('#buy');
  const clicked = await one('buy_clicked');
  visit(clicked);
  assert.equal(clicked.properties.planName, 'pro');

  await tab.evaluate(() => window.op('identify', { profileId: 'web-1', firstName: 'Ada', email: 'ada@example.com', properties: { tier: 'gold' } }));
  await tab.evaluate(() => window.op('increment', { profileId: 'web-1', property: 'visits', value: 2 }));
  await tab.evaluate(() => window.op('track', 'after_identify', { step: 2 }));
  const identified = await one('after_identify');
  visit(identified);
  assert.equal(identified.profile_id, 'web-1');
  await waitFor('the profile is there', async () => {
    const [profile] = await server.sql(`SELECT * FROM analytics.profiles WHERE id = 'web-1'`, keys.tenant);
    assert.deepEqual([profile.first_name, profile.email, profile.properties.tier, profile.properties.visits], ['Ada', 'ada@example.com', 'gold', '2']);
    assert.deepEqual([profile.properties.os, profile.properties.browser, profile.properties.device], ['Linux', 'Chrome', 'desktop'], 'where the person was');
    return true;
  });

  await waitFor('the recording of the visit is there', async () => {
    const chunks = await server.sql(`SELECT session_id, device_id, chunk_index, is_full_snapshot, payload FROM analytics.session_replay_chunks ORDER BY chunk_index`, keys.tenant);
    assert.ok(chunks.length > 0);
    assert.deepEqual([chunks[0].session_id, chunks[0].device_id, chunks[0].chunk_index, chunks[0].is_full_snapshot], [first.session_id, first.device_id, 0, true]);
    return JSON.parse(chunks[0].payload).some(({ type }) => type === 2);
  });

  await tab.click('#out');
  const left = await one('link_out');
  visit(left);
  assert.equal(left.properties.href, 'https://other.example/x');
  assert.deepEqual(complaints, [], 'no request was blocked');
});
