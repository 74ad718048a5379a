// SPDX-License-Identifier: Apache-2.0
// The Databuddy tracker's requests, sent by a page of another origin in a real browser: batches with its headers (and so a
// preflight), and beacons while the page goes away.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { launch } from './browser.mjs';
import { Server, waitFor } from './harness.mjs';

const PERSON = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';

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
  const page = await browser.newPage({ userAgent: PERSON }); // without one the browser says that nobody sits before it
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

test('what the tracker sends beside page events arrives too: fetches, beacons and the pixel', async () => {
  const page = await browser.newPage({ userAgent: PERSON });
  const complaints = [];
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  await page.goto(`http://localhost:${site.address().port}/shop`);
  const statuses = await page.evaluate(async ({ api, client }) => {
    const ids = { anonymousId: 'anon_2', sessionId: 'sess_2', timestamp: Date.now(), path: location.origin + location.pathname };
    const send = async (path, body) => {
      const response = await fetch(`${api}${path}`, {
        method: 'POST', keepalive: true, credentials: 'omit',
        headers: { 'Content-Type': 'application/json', 'databuddy-client-id': client, 'databuddy-sdk-name': 'web', 'databuddy-sdk-version': '2.6.0' }, body: JSON.stringify(body),
      });
      return `${response.status} ${(await response.json()).status}`;
    };
    const statuses = [
      await send(`/vitals?client_id=${client}`, [{ ...ids, metricName: 'LCP', metricValue: 1234.5 }, { ...ids, metricName: 'CLS', metricValue: 0.01 }]),
      await send(`/errors?client_id=${client}`, [{ ...ids, message: 'boom', filename: `${location.origin}/a.js`, lineno: 3, colno: 4, stack: 'at x', errorType: 'Error' }]),
      await send(`/track?website_id=${client}`, [{ ...ids, name: 'bought', properties: { item: 'shoe' }, source: 'browser' }]),
      await send(`/identify?client_id=${client}`, { profileId: 'u1', anonymousId: 'anon_2', traits: { plan: 'pro' } }),
      await send(`/?client_id=${client}`, { ...ids, type: 'outgoing_link', eventId: 'l1', href: 'https://elsewhere.example/', text: 'There' }),
    ];
    const pixel = new Image();
    pixel.src = `${api}/px.jpg?${new URLSearchParams({ client_id: client, type: 'track', eventId: 'p1', name: 'pixel', path: ids.path })}`;
    await pixel.decode();
    addEventListener('pagehide', () => navigator.sendBeacon(`${api}/engagement?client_id=${client}`,
      new Blob([JSON.stringify([{ ...ids, exitType: 'unload', timeOnPage: 9, activeTime: 4, clickCount: 2 }])], { type: 'application/json' })));
    return statuses;
  }, { api: server.url, client: server.tenants.main.write_key });
  assert.deepEqual(statuses, Array(5).fill('200 success'));
  await page.goto(`http://localhost:${site.address().port}/next`);
  const tables = {
    web_vitals_spans: ["metric_name = 'LCP'", { metric_value: 1234.5, path: '/shop', browser: 'Chrome', device: 'desktop', session_id: 'sess_2' }],
    error_spans: ['1', { message: 'boom', lineno: 3, colno: 4, error_type: 'Error', path: '/shop' }],
    custom_events: ['1', { event_name: 'bought', source: 'browser', properties: { item: 'shoe' } }],
    outgoing_links: ['1', { href: 'https://elsewhere.example/', text: 'There' }],
    engagement_spans: ['1', { exit_type: 'unload', time_on_page: 9, active_time: 4, click_count: 2 }],
    profiles: ["id = 'u1'", { properties: { plan: 'pro' } }],
    events: ["name = 'pixel'", { path: '/shop' }],
  };
  for (const [table, [condition, expected]] of Object.entries(tables)) {
    let row;
    await waitFor(`a row of ${table}`, async () => ([row] = await server.sql(`SELECT * FROM analytics.${table} WHERE ${condition}`)).length === 1);
    for (const [column, value] of Object.entries(expected)) assert.deepEqual(row[column], value, `${table}.${column}`);
  }
  assert.deepEqual(complaints, [], 'no request was blocked');
});
