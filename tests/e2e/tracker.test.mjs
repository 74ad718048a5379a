// SPDX-License-Identifier: Apache-2.0
// Our own tracker (sdk/) in a real browser: pages of a site of another origin load it from a real server, and what happens on
// them shows as rows. Between the two stands a gate, which can fail as networks and servers do.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { launch } from './browser.mjs';
import { repository, send, Server, waitFor } from './harness.mjs';

const SIZE_LIMIT = 5000;
// A browser without a window says so, and is counted among the robots then.
const PERSON = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36';

let server;
let site;
let gate;
let browser;
let key;

/** Forwards to the server, or fails: `fail` is a status, "lose" (the server takes it, the answer is lost), or null. */
async function startGate() {
  const state = { fail: null, requests: [], forwarded: 0 };
  const listener = http.createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    state.requests.push({ url: request.url, body: body.toString(), method: request.method, type: request.headers['content-type'], failed: state.fail });
    if (typeof state.fail === 'number') return response.writeHead(state.fail, { 'access-control-allow-origin': '*' }).end();
    const { fail } = state;
    const answer = await send(server.url + request.url, { method: request.method, headers: request.headers, body });
    state.forwarded++;
    if (fail === 'lose') return response.destroy();
    return response.writeHead(answer.status, answer.headers).end(answer.text);
  });
  await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
  state.url = `http://127.0.0.1:${listener.address().port}`;
  state.close = () => listener.close();
  state.events = () => state.requests.flatMap(({ body }) => (body ? JSON.parse(body) : []));
  return state;
}

/** Every page of the site is the same; the first part of the path is the test it is for, and finds its attributes. */
const cases = {};
const pageOf = (name) => `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Shop ${name}</title><link rel="icon" href="data:,">
<script defer src="${server.url}/millrace.js" data-key="${key}" ${cases[name] ?? ''}></script></head>
<body style="margin:0"><h1>Shop</h1><p>${'Barges on the canal. '.repeat(20)}</p>
<button id="buy" data-track="buy_clicked" data-plan="pro" data-seats="3">Buy</button>
<button id="slow">Slow</button><button id="break">Break</button>
<a id="out" href="https://partner.example/deal?ref=shop" target="_blank"><b>Our partner</b></a> <a id="in" href="#part">Inside</a>
<div id="shift"></div><p>What stands below moves.</p><div style="height:3000px"></div>
<script>
document.getElementById('slow').onclick = () => { const end = performance.now() + 120; while (performance.now() < end); };
document.getElementById('break').onclick = () => { throw new TypeError('the lock is stuck'); };
document.getElementById('out').onclick = (event) => event.preventDefault();
</script></body></html>`;

before(async () => {
  server = await Server.start();
  key = server.tenants.main.write_key;
  gate = await startGate();
  site = http.createServer((request, response) => {
    if (request.url === '/sdk.js') return response.setHeader('content-type', 'text/javascript').end(readFileSync(`${repository}sdk/dist/index.js`));
    return response.setHeader('content-type', 'text/html').end(pageOf(request.url.split(/[/?#]/)[1]));
  });
  await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
  browser = await launch();
});
after(async () => {
  await browser?.close();
  site?.closeAllConnections();
  site?.close();
  gate?.close();
  await server?.remove();
});

const address = (path) => `http://localhost:${site.address().port}${path}`;
const kept = (page) => page.evaluate(() => Object.keys(localStorage).length + Object.keys(sessionStorage).length + document.cookie.length);

/** Opens a page of a test of that name, in a browser profile of its own. */
async function open(name, { attributes = '', path = '/', script } = {}) {
  cases[name] = attributes;
  const context = await browser.newContext({ userAgent: PERSON });
  if (script) await context.addInitScript(script);
  const page = await context.newPage();
  page.complaints = [];
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && page.complaints.push(message.text()));
  await page.goto(address(`/${name}${path}`), { waitUntil: 'load' });
  await page.waitForFunction(() => window.millrace?.track);
  return page;
}

/** All rows of a test, when those of this condition are as many as expected. */
async function rowsOf(name, count, condition = '1') {
  await server.events(count, `path LIKE '/${name}/%' AND ${condition}`);
  return server.sql(`SELECT * FROM analytics.events WHERE path LIKE '/${name}/%' ORDER BY created_at, id`);
}
const named = (rows, name) => rows.filter((row) => row.name === name);

/** Rows of another table, when they are as many as expected. */
async function others(table, count, condition) {
  let rows = [];
  await waitFor(`${count} rows of ${table} where ${condition}`, async () => {
    rows = await server.sql(`SELECT * FROM analytics.${table} WHERE ${condition}`);
    if (rows.length !== count) throw new Error(JSON.stringify(rows));
    return true;
  });
  return rows;
}

/** What is reported about the page itself, and is no event of the visit. */
async function aboutThePage({ device_id, session_id }) {
  const here = "path = '/visit/pricing'";
  const spans = await others('web_vitals_spans', 5, here);
  const vitals = Object.fromEntries(spans.map((row) => [row.metric_name, row.metric_value]));
  assert.deepEqual(Object.keys(vitals).sort(), ['CLS', 'FCP', 'INP', 'LCP', 'TTFB']);
  assert.ok(vitals.CLS > 0 && vitals.CLS < 5, `CLS ${vitals.CLS}`);
  assert.ok(vitals.INP >= 100 && vitals.INP < 5000, `INP ${vitals.INP}`);
  assert.ok(vitals.TTFB > 0 && vitals.TTFB <= vitals.FCP && vitals.FCP <= vitals.LCP && vitals.LCP < 20_000, JSON.stringify(vitals));
  const errors = await others('error_spans', 3, here);
  assert.deepEqual(errors.map((row) => [row.message, row.error_type, row.filename.replace(address(''), ''), row.stack !== '']).sort(), [
    ['Uncaught TypeError: the lock is stuck', 'TypeError', '/visit/pricing', true],
    ['again and again', 'Error', 'https://shop.example/app.js', false], ['no berth', 'RangeError', '', true]]);
  assert.equal(errors.find((row) => row.message === 'again and again').lineno, 7);
  const links = await others('outgoing_links', 1, here);
  assert.deepEqual([links[0].href, links[0].text], ['https://partner.example/deal?ref=shop', 'Our partner']);
  const [engagement] = await others('engagement_spans', 1, here);
  assert.ok(engagement.active_time >= 0.5 && engagement.active_time <= engagement.time_on_page + 0.11, JSON.stringify(engagement));
  assert.ok(engagement.max_scroll_depth > 90 && engagement.interaction_count >= 5, JSON.stringify(engagement));
  assert.deepEqual([engagement.exit_type, engagement.page_index], ['spa', 1]);
  for (const row of [...spans, ...errors, ...links, engagement]) assert.deepEqual([row.device_id, row.session_id, row.origin], [device_id, session_id, address('')]);
}

/** What is said about a person. */
async function aboutThePerson() {
  const [profile] = await others('profiles', 1, "id = 'user-17'");
  assert.deepEqual([profile.is_external, profile.email, profile.properties, profile.groups], [1, 'ada@shop.example', { plan: 'pro' }, ['acme', 'beta']]);
  assert.equal((await others('profile_aliases', 1, "alias = 'old-17'"))[0].profile_id, 'user-17');
  const [group] = await others('groups', 1, "id = 'acme'");
  assert.deepEqual([group.type, group.name, group.properties], ['company', 'acme', { seats: '3' }]);
}

test('the script is small, may be loaded by any page, and is kept by browsers', async () => {
  const plain = await server.get('/millrace.js');
  assert.equal(plain.status, 200);
  assert.equal(plain.headers['content-type'], 'text/javascript; charset=utf-8');
  assert.equal(plain.headers['cross-origin-resource-policy'], 'cross-origin');
  assert.equal(plain.headers['access-control-allow-origin'], '*');
  assert.match(plain.headers['cache-control'], /max-age=3600/);
  const size = gzipSync(plain.text, { level: 9 }).length;
  assert.ok(size < SIZE_LIMIT, `${size} bytes compressed`);
  const packed = await server.get('/millrace.js', null, { 'accept-encoding': 'gzip' });
  assert.equal(packed.headers['content-encoding'], 'gzip');
  assert.ok(Number(packed.headers['content-length']) < SIZE_LIMIT);
  const again = await server.get('/millrace.js', null, { 'if-none-match': plain.headers.etag });
  assert.equal(again.status, 304);
  assert.equal(again.text, '');
});

test('a visit shows as rows: views, clicks, links, errors, vitals, attention, exits', async () => {
  const page = await open('visit', { path: '/pricing?utm_source=letter&token=secret' });
  await page.evaluate(() => millrace.setGlobalProperties({ theme: 'dark' }));
  await page.evaluate(() => millrace.track('signup', { plan: 'pro', cart: { items: 2 } }));
  await page.click('#buy');
  await page.click('#slow');
  await page.click('#out');
  await page.click('#break');
  await page.evaluate(() => { void Promise.reject(new RangeError('no berth')); });
  await page.evaluate(() => {
    const raise = (message, filename, lineno = 1) => dispatchEvent(new ErrorEvent('error', { message, filename, lineno }));
    for (let i = 0; i < 3; i++) raise('again and again', 'https://shop.example/app.js', 7);
    raise('not of the page', 'chrome-extension://abcdef/content.js');
    raise('Script error.', '');
    raise('ResizeObserver loop completed with undelivered notifications.', 'https://shop.example/app.js');
  });
  // A shift of the layout that nobody caused: browsers forgive what comes within half a second of a click.
  await page.evaluate(() => new Promise((done) => {
    const box = document.getElementById('shift');
    const timer = setInterval(() => (box.style.height = `${box.offsetHeight + 40}px`), 50);
    new PerformanceObserver((list) => list.getEntries().some((entry) => !entry.hadRecentInput) && done(clearInterval(timer))).observe({ type: 'layout-shift' });
  }));
  await page.mouse.wheel(0, 4000);
  await page.waitForFunction(() => scrollY > 1000);
  await page.evaluate(() => { history.pushState({}, '', '/visit/checkout#step'); document.title = 'Checkout'; });
  await rowsOf('visit', 2, "name = 'screen_view'");
  await page.evaluate(() => history.replaceState({ same: 1 }, ''));
  await page.evaluate(() => millrace.track('paid'));
  await page.close({ runBeforeUnload: false });
  const rows = await rowsOf('visit', 2, "name = 'page_exit'");

  const views = named(rows, 'screen_view');
  assert.deepEqual(views.map((row) => [row.path, row.title, row.page_count]), [['/visit/pricing', 'Shop visit', 1], ['/visit/checkout', 'Checkout', 2]]);
  const [view] = views;
  assert.equal(view.origin, address(''));
  assert.equal(view.query_string, '?utm_source=letter', 'what is no campaign stays on the device');
  assert.equal(view.utm_source, 'letter');
  assert.equal(view.viewport_size, '1280x720');
  assert.match(view.screen_resolution, /^\d+x\d+$/);
  assert.equal(view.language, 'en-US');
  assert.notEqual(view.timezone, '');
  assert.equal(view.sdk_name, 'millrace-web');
  assert.match(view.sdk_version, /^\d+\.\d+\.\d+$/);
  assert.equal(new Set(rows.map((row) => row.device_id)).size, 1);
  assert.match(view.device_id, /^[0-9a-f]{8}-/);
  assert.equal(new Set(rows.map((row) => row.session_id)).size, 1);
  assert.match(view.session_id, /^[0-9a-f]{8}-/);

  assert.deepEqual(named(rows, 'signup').map((row) => row.properties), [{ theme: 'dark', plan: 'pro', 'cart.items': '2' }]);
  assert.deepEqual(named(rows, 'buy_clicked').map((row) => row.properties), [{ theme: 'dark', plan: 'pro', seats: '3' }]);
  assert.deepEqual(named(rows, 'paid').map((row) => row.path), ['/visit/checkout']);
  const exits = named(rows, 'page_exit').sort((a, b) => a.page_count - b.page_count);
  assert.deepEqual(exits.map((row) => row.path), ['/visit/pricing', '/visit/checkout']);
  assert.ok(exits[0].time_on_page >= 0.5 && exits[0].time_on_page < 60, `${exits[0].time_on_page} s`);
  assert.ok(exits[0].scroll_depth > 90, `${exits[0].scroll_depth} %`);
  assert.ok(exits[0].interaction_count >= 5, `${exits[0].interaction_count} interactions`);
  assert.ok(exits[0].load_time > 0);
  assert.ok(exits[1].scroll_depth > 0 && !exits[1].interaction_count && !exits[1].load_time, 'each page has its own');
  await aboutThePage(view);
  assert.deepEqual(page.complaints.filter((text) => !/the lock is stuck|no berth/.test(text)), [], 'no request was blocked');
});

test('pages are told apart without the Navigation API too, and by fragment where that is asked for', async () => {
  const page = await open('routes', { attributes: 'data-hash data-query', script: () => delete window.navigation });
  assert.equal(await page.evaluate(() => 'navigation' in window), false);
  const go = async (change, count) => {
    await page.evaluate(change);
    await rowsOf('routes', count, "name = 'screen_view'");
  };
  await go("history.pushState({}, '', '/routes/a?page=2')", 2);
  await go("location.hash = '#/orders'", 3);
  await go('history.back()', 4);
  await go("history.replaceState({}, '', '/routes/b')", 5);
  const views = named(await rowsOf('routes', 5, "name = 'screen_view'"), 'screen_view');
  assert.deepEqual(views.map((row) => row.path + row.query_string + row.hash), ['/routes/', '/routes/a?page=2', '/routes/a?page=2#/orders', '/routes/a?page=2', '/routes/b']);
  await page.context().close();
});

test('half an hour without anything ends a visit', async () => {
  const page = await open('idle');
  await page.evaluate(() => {
    const real = Date.now;
    let minutes = 0;
    Date.now = () => real() + minutes * 60_000;
    for (minutes of [29, 58]) millrace.track('same');
    minutes = 0;
    const name = Object.keys(localStorage).find((entry) => entry.endsWith('.visit'));
    localStorage[name] = JSON.stringify({ ...JSON.parse(localStorage[name]), last: real() - 31 * 60_000 });
    millrace.track('other');
  });
  const rows = await rowsOf('idle', 1, "name = 'other'");
  const ids = (name) => [...new Set(named(rows, name).map((row) => row.session_id))];
  assert.deepEqual(ids('same'), ids('screen_view'));
  assert.notDeepEqual(ids('other'), ids('same'));
  assert.deepEqual([ids('same').length, ids('other').length], [1, 1]);
  await page.context().close();
});

test('a person, their groups, aliases and money are sent with what follows', async () => {
  const page = await open('person', { attributes: `data-server="${gate.url}"` });
  await page.evaluate(() => {
    millrace.identify('user-17', { email: 'ada@shop.example', properties: { plan: 'pro' } });
    millrace.alias('old-17');
    millrace.group(['acme', 'beta'], { group_type: 'company', properties: { seats: 3 } });
    millrace.revenue(19.99, { order: '4711' });
  });
  await rowsOf('person', 1, "name = 'revenue'");
  await page.reload();
  await page.waitForFunction(() => window.millrace?.track);
  await page.evaluate(() => {
    millrace.track('knows');
    millrace.reset();
    millrace.track('knows_not');
  });
  const rows = await rowsOf('person', 1, "name = 'knows_not'");
  await aboutThePerson();
  const [money] = named(rows, 'revenue');
  assert.deepEqual([money.revenue, money.profile_id, money.groups, money.properties], [19.99, 'user-17', ['acme', 'beta'], { order: '4711' }]);
  const [knows] = named(rows, 'knows');
  assert.deepEqual([knows.profile_id, knows.groups, knows.device_id, knows.session_id], ['user-17', ['acme', 'beta'], money.device_id, money.session_id], 'also on the next page');
  const [knowsNot] = named(rows, 'knows_not');
  assert.deepEqual([knowsNot.profile_id, knowsNot.groups], ['', []]);
  assert.notEqual(knowsNot.device_id, knows.device_id);
  await page.context().close();
});

test('what happens offline is sent once when the network is back, also by a later page', async () => {
  const page = await open('offline');
  const context = page.context();
  await rowsOf('offline', 1, "name = 'screen_view'");
  await context.setOffline(true);
  await page.evaluate(() => { for (let i = 0; i < 20; i++) millrace.track('away', { i }); });
  await page.waitForFunction(() => Object.entries(localStorage).some(([name, text]) => name.endsWith('.queue') && text.includes('away')));
  await context.setOffline(false);
  await rowsOf('offline', 20, "name = 'away'");
  await context.setOffline(true);
  await page.evaluate(() => millrace.track('last_words'));
  // Written down a moment later; what a page has not yet written when it is killed is gone.
  await page.waitForFunction(() => Object.entries(localStorage).some(([name, text]) => name.endsWith('.queue') && text.includes('last_words')));
  await page.close();
  await context.setOffline(false);
  const next = await context.newPage();
  await next.goto(address('/offline/next'));
  const rows = await rowsOf('offline', 1, "path = '/offline/next' AND name = 'screen_view'");
  await server.settle(key);
  assert.deepEqual((await rowsOf('offline', 20, "name = 'away'")).filter((row) => row.name === 'away').map((row) => Number(row.properties.i)).sort((a, b) => a - b), [...Array(20).keys()]);
  assert.equal(named(await rowsOf('offline', 1, "name = 'last_words'"), 'last_words').length, 1);
  assert.ok(named(rows, 'screen_view').length >= 2);
  await next.waitForFunction(() => !Object.keys(localStorage).some((name) => name.endsWith('.queue')));
  await context.close();
});

test('a server that fails, and answers that are lost, cost no event and double none', async () => {
  gate.fail = 503;
  const page = await open('failing', { attributes: `data-server="${gate.url}"` });
  await page.evaluate(() => { for (let i = 0; i < 10; i++) millrace.track('kept', { i }); });
  await waitFor('the tracker tries again', () => gate.requests.filter(({ url, failed, body }) => url.includes('/v1/events') && failed === 503 && body.includes('kept')).length >= 3, 20_000);
  assert.ok(await kept(page) > 0);
  gate.fail = 'lose';
  const before = gate.forwarded;
  await waitFor('an answer is lost', () => gate.forwarded > before, 30_000);
  gate.fail = null;
  await page.waitForFunction(() => !Object.keys(localStorage).some((name) => name.endsWith('.queue')), null, { timeout: 30_000 });
  await server.settle(key);
  const rows = await rowsOf('failing', 10, "name = 'kept'");
  assert.deepEqual(named(rows, 'kept').map((row) => Number(row.properties.i)).sort((a, b) => a - b), [...Array(10).keys()]);
  assert.equal(named(rows, 'screen_view').length, 1);
  assert.ok(gate.requests.every(({ method, type }) => method === 'POST' && type.startsWith('text/plain')), 'no preflight');
  await page.context().close();
});

test('a page that is closed at once has said all, in pieces that browsers let go', async () => {
  gate.requests.length = 0;
  const page = await open('closed', { attributes: `data-server="${gate.url}"` });
  await rowsOf('closed', 1, "name = 'screen_view'");
  const context = page.context();
  await page.evaluate(() => { for (let i = 0; i < 90; i++) millrace.track('much', { i, text: 'x'.repeat(1000) }); });
  await page.close();
  // 64 KiB may be under way while a page goes away: what is more waits for the next one.
  const next = await context.newPage();
  await next.goto(address('/closed/next'));
  const rows = await rowsOf('closed', 90, "name = 'much'");
  assert.deepEqual(named(rows, 'page_exit').map((row) => row.path), ['/closed/']);
  for (const { body } of gate.requests) assert.ok(Buffer.byteLength(body) <= 60 << 10, `${Buffer.byteLength(body)} bytes`);
  await context.close();
});

test('without consent nothing is kept on the device, or nothing sent', async () => {
  const cookieless = await open('cookieless', { attributes: 'data-consent="cookieless"' });
  await cookieless.evaluate(() => { millrace.track('seen'); millrace.flush(); });
  let rows = await rowsOf('cookieless', 1, "name = 'seen'");
  assert.equal(await kept(cookieless), 0);
  for (const row of rows) assert.deepEqual([row.profile_id, row.page_count], ['', 1]);
  const sent = await cookieless.evaluate(() => new Promise((done) => { window.fetch = (url, { body }) => { done(JSON.parse(body)); return new Promise(() => {}); }; millrace.track('look'); }));
  for (const event of sent) assert.ok(!('device_id' in event) && !('session_id' in event), JSON.stringify(event));
  await cookieless.context().close();

  gate.requests.length = 0;
  const denied = await open('denied', { attributes: `data-consent="denied" data-server="${gate.url}"` });
  await denied.evaluate(() => { millrace.track('never'); millrace.flush(); });
  await denied.evaluate(() => millrace.setConsent('granted'));
  rows = await rowsOf('denied', 1, "name = 'screen_view'");
  assert.ok(await kept(denied) > 0);
  assert.equal(named(rows, 'never').length, 0);
  await denied.evaluate(() => { millrace.track('withdrawn'); millrace.setConsent('denied'); millrace.flush(); });
  assert.equal(await kept(denied), 0);
  await denied.evaluate(() => { millrace.setConsent('granted'); millrace.track('again'); });
  rows = await rowsOf('denied', 1, "name = 'again'");
  assert.equal(named(rows, 'withdrawn').length, 0);
  await denied.evaluate(() => { millrace.optOut(); millrace.track('never'); });
  assert.deepEqual(await denied.evaluate(() => Object.keys(localStorage)), ['millrace.out'], 'the wish alone is kept');
  await denied.reload();
  await denied.waitForFunction(() => window.millrace?.track);
  await denied.evaluate(() => { millrace.track('never'); millrace.optIn(); millrace.track('never'); millrace.setConsent('granted'); millrace.track('back'); });
  rows = await rowsOf('denied', 1, "name = 'back'");
  await server.settle(key);
  assert.ok(!gate.events().some(({ name }) => ['never', 'withdrawn'].includes(name)));
  await denied.context().close();
});

test('Do Not Track and Global Privacy Control are respected unless the site says otherwise', async () => {
  const signals = {
    dnt: () => Object.defineProperty(navigator, 'doNotTrack', { value: '1' }),
    gpc: () => Object.defineProperty(navigator, 'globalPrivacyControl', { value: true }),
  };
  gate.requests.length = 0;
  for (const [name, script] of Object.entries(signals)) {
    const silent = await open(name, { attributes: `data-server="${gate.url}"`, script });
    await silent.evaluate(() => { millrace.track('never'); millrace.setConsent('granted'); millrace.flush(); });
    assert.equal(await kept(silent), 0);
    await silent.context().close();
    const bare = await open(`${name}_bare`, { attributes: `data-do-not-track="cookieless" data-server="${gate.url}"`, script });
    await rowsOf(`${name}_bare`, 1, "name = 'screen_view'");
    assert.equal(await kept(bare), 0);
    await bare.context().close();
    const loud = await open(`${name}_loud`, { attributes: 'data-do-not-track="ignore"', script });
    await rowsOf(`${name}_loud`, 1, "name = 'screen_view'");
    assert.ok(await kept(loud) > 0);
    await loud.context().close();
  }
  const events = gate.events();
  assert.ok(events.length > 0 && events.every(({ path, url }) => /_bare\//.test(path ?? url)));
});

test('a site may leave out visitors and pages, hide parts of paths, and look at each event', async () => {
  gate.requests.length = 0;
  const left = await open('sample', { attributes: `data-sample="0" data-server="${gate.url}"` });
  await left.evaluate(() => { millrace.track('never'); millrace.flush(); });
  await left.context().close();
  assert.deepEqual(gate.events(), []);
  const page = await open('paths', { path: '/users/17/orders', attributes: 'data-mask="/paths/users/*/orders, /paths/admin/**" data-skip="/paths/private/**"' });
  const go = (path) => page.evaluate((to) => history.pushState({}, '', to), path);
  await go('/paths/users/18/orders');
  await rowsOf('paths', 2, "name = 'screen_view'");
  await go('/paths/private/letters');
  await page.waitForFunction(() => location.pathname.includes('private'));
  await page.evaluate(() => millrace.track('secret'));
  await page.evaluate(() => new Promise((done) => { navigation.addEventListener('currententrychange', () => setTimeout(done, 60), { once: true }); history.replaceState({}, '', ''); }));
  await go('/paths/admin/keys/3');
  const views = named(await rowsOf('paths', 3, "name = 'screen_view'"), 'screen_view');
  assert.deepEqual(views.map((row) => row.path), ['/paths/users/*/orders', '/paths/users/*/orders', '/paths/admin/**']);
  assert.deepEqual(await server.sql("SELECT name FROM analytics.events WHERE name = 'secret' OR path LIKE '%letters%'"), []);
  await page.context().close();
});

test('errors say nothing that addresses would not: no queries, masked paths, no addresses of people, no ids', async () => {
  const page = await open('errors', { path: '/users/ada?token=secret#part', attributes: 'data-mask="/errors/users/*"' });
  await page.evaluate(() => {
    const fail = (message) => setTimeout(() => { throw new Error(message); });
    fail('GET https://api.example/orders?token=abc:def&x=1: 404');
    fail('GET /errors/users/ada?session=s3cr3t failed (ada@example.org, bob%40example.org)');
    fail('no user 9f8e7d6c-5b4a-4321-8fed-cba987654321 with card 4111111111111111');
    fail('what? foo?.bar is undefined at 12:30');
    dispatchEvent(new ErrorEvent('error', { message: 'bundled', filename: `${location.origin}/app.js?v=3&user=ada#x`, lineno: 7, error: { name: 'Error', stack: `Error: bundled\n    at run (${location.origin}/app.js?v=3&user=ada:7:21)\ngo@${location.origin}/app.js?user=ada:9:1` } }));
  });
  await page.evaluate(() => millrace.flush());
  const errors = await others('error_spans', 5, "path = '/errors/users/*'");
  assert.deepEqual(errors.map(({ message }) => message.replace('Uncaught Error: ', '')).sort(), [
    'GET /errors/users/* failed (*, *)', 'GET https://api.example/orders 404', 'bundled', 'no user * with card *', 'what? foo?.bar is undefined at 12:30'].sort());
  const bundled = errors.find(({ message }) => message === 'bundled');
  assert.equal(bundled.filename, address('/app.js'));
  assert.equal(bundled.stack, `Error: bundled\n    at run (${address('/app.js')}:7:21)\ngo@${address('/app.js')}:9:1`);
  // What the page could have said; ids of ours are random digits, in which any of these may stand by chance.
  for (const { path, message, filename, stack, origin } of errors) {
    const said = JSON.stringify({ path, message, filename, stack, origin });
    assert.doesNotMatch(said, /secret|s3cr3t|ada|bob|4111|9f8e/, said);
  }
});

test('as a module: a filter, odd values, a clock that is wrong, a key that is refused', async () => {
  const page = await open('module', { attributes: 'data-pages="false" data-vitals="false" data-engagement="false" data-consent="denied"' });
  await page.evaluate(async ({ url, write_key }) => {
    const { init } = await import('/sdk.js');
    window.own = init({ key: write_key, server: url, filter: (event) => { event.properties.seen = true; return event.name !== 'unwanted'; } });
    const circle = {};
    circle.circle = circle;
    own.track('unwanted');
    own.track('circle', circle);
    own.track('half', { text: `cut ${'\ud83d'}` });
    own.track('fine', { text: '😀' });
  }, { url: server.url, write_key: key });
  let rows = await rowsOf('module', 1, "name = 'fine'");
  assert.deepEqual(named(rows, 'half').map(({ properties }) => properties), [{ text: 'cut \ufffd', seen: 'true' }]);
  assert.deepEqual(named(rows, 'fine').map(({ properties }) => properties.text), ['😀']);
  assert.equal(named(rows, 'unwanted').length + named(rows, 'circle').length, 0);
  await page.context().close();

  const ahead = await open('ahead', { script: () => { const real = Date.now; Date.now = () => real() + 3 * 3_600_000; } });
  await ahead.evaluate(() => millrace.track('later'));
  rows = await rowsOf('ahead', 1, "name = 'later'");
  await ahead.evaluate(() => millrace.track('still'));
  rows = await rowsOf('ahead', 1, "name = 'still' AND created_at <= now64(3) + 5");
  assert.equal(named(rows, 'screen_view').length, 1);
  await ahead.context().close();

  gate.requests.length = 0;
  const refused = await open('refused', { attributes: `data-server="${gate.url}" data-consent="denied"` });
  await refused.evaluate(async (url) => {
    const { init } = await import('/sdk.js');
    window.own = init({ key: '00000000-0000-4000-8000-000000000000', server: url });
  }, gate.url);
  await waitFor('the key is refused', () => refused.complaints.some((text) => text.includes('millrace: key refused 401')));
  await refused.evaluate(() => { own.track('unheard'); own.flush(); });
  await refused.close();
  await server.settle(key);
  assert.equal(gate.requests.length, 1, 'and not asked again');
  await refused.context().close();
});
