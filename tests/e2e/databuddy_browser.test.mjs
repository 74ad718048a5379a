// SPDX-License-Identifier: Apache-2.0
// The Databuddy tracker's requests, sent by a page of another origin in a real browser: batches with its headers (and so a
// preflight), and beacons while the page goes away.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { launch } from './browser.mjs';
import { Server } from './harness.mjs';

let server;
let site;
let browser;
before(async () => {
  server = await Server.start();
  site = http.createServer((request, response) => response.setHeader('content-type', 'text/html').end('<title>Shop</title><h1>Shop</h1>'));
  await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
  browser = await launch();
});
after(async () => {
  await browser?.close();
  site?.close();
  await server?.remove();
});

test('a page with the tracker is counted, its last event too', async () => {
  const page = await browser.newPage();
  const complaints = [];
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  await page.goto(`http://localhost:${site.address().port}/pricing?utm_source=letter`);
  const answer = await page.evaluate(async ({ api, client }) => {
    const common = { anonymousId: 'anon_6f1d2c3b-0000-4000-8000-000000000001', sessionId: 'sess_1', sessionStartTime: Date.now(), timestamp: Date.now(),
      path: location.origin + location.pathname, title: document.title, referrer: 'direct', viewport_size: '1280x720', timezone: 'Europe/Berlin', language: 'en-US', utm_source: 'letter' };
    const event = (eventId, name, more) => ({ type: 'track', eventId, name, ...common, ...more });
    const response = await fetch(`${api}/batch?client_id=${client}`, {
      method: 'POST', keepalive: true, credentials: 'omit',
      headers: { 'Content-Type': 'application/json', 'databuddy-client-id': client, 'databuddy-sdk-name': 'web', 'databuddy-sdk-version': '2.0.0' },
      body: JSON.stringify([event('e1', 'screen_view', { page_count: 1 })]),
    });
    // Like the tracker when the page goes away: a beacon, which nobody waits for.
    addEventListener('pagehide', () => navigator.sendBeacon(`${api}/batch?client_id=${client}`,
      new Blob([JSON.stringify([event('exit_e2', 'page_exit', { time_on_page: 3, scroll_depth: 40 })])], { type: 'application/json' })));
    return { status: response.status, body: await response.json() };
  }, { api: server.url, client: server.tenants.main.write_key });
  assert.equal(answer.status, 200);
  assert.equal(answer.body.status, 'success');
  await page.goto(`http://localhost:${site.address().port}/next`);
  const rows = await server.events(2, '1', { columns: 'name, path, origin, utm_source, title, device_id, session_id, time_on_page, created_at, id' });
  assert.deepEqual(rows.map((row) => row.name).sort(), ['page_exit', 'screen_view']);
  for (const row of rows) {
    assert.equal(row.path, '/pricing');
    assert.equal(row.session_id, 'sess_1');
    assert.equal(row.utm_source, 'letter');
    assert.notEqual(row.device_id, '', 'a visitor');
    assert.ok(!row.device_id.startsWith('anon_'), 'is not stored under the id of the browser');
  }
  assert.equal(rows.find((row) => row.name === 'page_exit').time_on_page, 3);
  assert.deepEqual(complaints, [], 'no request was blocked');
});
