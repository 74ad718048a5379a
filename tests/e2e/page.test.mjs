// SPDX-License-Identifier: Apache-2.0
// Drives the page in a real browser: against page_mock.mjs, or against a server given by MILLRACE_URL and
// MILLRACE_SECRET_KEY (and MILLRACE_WRITE_KEY, a key that may send events, for the test that sends one).
// Run it after building ui/: node --test page.test.mjs.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { launch } from './browser.mjs';
import { MOCK_KEY, Mock } from './page_mock.mjs';
import { promised } from './promised.mjs';

const REAL = Boolean(process.env.MILLRACE_URL);
if (REAL && !process.env.MILLRACE_SECRET_KEY) throw new Error('MILLRACE_URL is given: give MILLRACE_SECRET_KEY too');
const KEY = REAL ? process.env.MILLRACE_SECRET_KEY : MOCK_KEY;
/** Tests that need the mock server, which can be told to fail, be empty or hold still. */
const mock_test = REAL ? () => {} : test;
const ZONE = 'Europe/Berlin';
const PATIENCE_MS = 10_000;
/** The page asks whether somebody is signed in; that nobody is, the browser reports as an error. */
const NOBODY = /\/v1\/auth\/(me|refresh)$/;
const FRESH_MS = 2000; // What the product promises from sending to showing.

let mock = null;
let url = process.env.MILLRACE_URL?.replace(/\/$/, '');
let browser;
let context;
let page;
/** Console errors and page errors of the current test. */
let complaints;
/** Addresses the page has asked for. */
let requests;

before(async () => {
  if (!REAL) {
    mock = await new Mock().start();
    url = mock.url;
  }
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await mock?.stop();
});

async function open_context(options = {}) {
  await context?.close();
  context = await browser.newContext({ viewport: { width: 1280, height: 900 }, timezoneId: ZONE, colorScheme: 'light', ...options });
  page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  page.on('console', (message) => message.type() === 'error' && !NOBODY.test(message.location().url) && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => requests.push(new URL(request.url())));
}

beforeEach(async () => {
  complaints = [];
  requests = [];
  await open_context();
});
afterEach(async () => {
  await context.close();
  context = null;
  if (mock) Object.assign(mock, { failure: null, empty: false, young: false, delay_ms: 0, events: [] });
});

/** Waits until `check` stops throwing. */
async function eventually(check, patience_ms = PATIENCE_MS) {
  const deadline = Date.now() + patience_ms;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await page.evaluate(() => new Promise(requestAnimationFrame));
    }
  }
}

async function ask(path, parameters) {
  const response = await fetch(`${url}${path}?${new URLSearchParams(parameters)}`, { headers: { authorization: `Bearer ${KEY}` } });
  assert.equal(response.status, 200, await response.clone().text());
  return response.json();
}

const whole = new Intl.NumberFormat('en');
/** YYYY-MM-DD. By parts: Debian's Node knows no other locale's order than that of en-US. */
const today = () => {
  const parts = new Intl.DateTimeFormat('en-US', { timeZone: ZONE, year: 'numeric', month: '2-digit', day: '2-digit' }).formatToParts(new Date());
  return ['year', 'month', 'day'].map((name) => parts.find(({ type }) => type === name).value).join('-');
};
const days_ago = (days) => new Date(Date.parse(today()) - days * 86_400_000).toISOString().slice(0, 10);
const tile = (measure) => page.locator(`.tile[data-measure=${measure}]`);
const tile_value = async (measure) => (await tile(measure).locator('.tile-value').textContent()).trim();
const shown = () => page.locator('main.page:not([aria-busy])').waitFor();
const series_requests = () => requests.filter(({ pathname }) => pathname === '/v1/query/timeseries');
const chips = () => page.getByRole('list', { name: 'Filters' });

async function key_card() {
  await page.goto(url);
  await page.getByRole('button', { name: 'Use a secret key instead' }).click();
  await page.getByLabel('Secret key').waitFor();
}

async function sign_in(query = '') {
  await page.goto(`${url}/${query}#key=${encodeURIComponent(KEY)}`);
  await page.locator('.tile').first().waitFor();
  await shown();
}

/** Numbers that cannot move: a past stretch on the mock; on a real server the data is recent, so the last week. */
const stretch = () => (REAL ? { from: days_ago(6), to: today() } : { from: '2026-03-02', to: '2026-03-15' });
const stretch_query = () => `?${new URLSearchParams({ ...stretch(), timezone: ZONE })}`;

test('signs in with the secret key typed into the card', async () => {
  await key_card();
  await page.getByLabel('Secret key').fill(KEY);
  assert.equal(await page.getByLabel('Secret key').getAttribute('type'), 'password');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await shown();
  const tenant = await ask('/v1/tenant', {});
  await page.getByRole('heading', { level: 1, name: tenant.name }).waitFor();
  assert.deepEqual(complaints, []);
});

test('refuses a wrong key in the words of the server', async () => {
  const answer = await fetch(`${url}/v1/tenant`, { headers: { authorization: 'Bearer sk_wrong' } });
  assert.equal(answer.status, 401);
  const { error } = await answer.json();
  await key_card();
  await page.getByLabel('Secret key').fill('sk_wrong');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').filter({ hasText: error.message }).waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
});

test('goes back to the card with the message when a kept key is refused', async () => {
  await page.goto(url);
  await page.evaluate(() => sessionStorage.setItem('millrace.key', 'sk_gone'));
  await page.reload();
  await page.getByLabel('Secret key').waitFor();
  assert.notEqual((await page.getByRole('alert').textContent()).trim(), '');
  assert.equal(await page.evaluate(() => sessionStorage.getItem('millrace.key')), null);
});

test('takes a key from the fragment once and leaves it nowhere but in the session', async () => {
  await sign_in('?period=7d');
  assert.ok(!page.url().includes(KEY) && !page.url().includes('#'), page.url());
  assert.match(page.url(), /period=7d/);
  const kept = await page.evaluate(() => ({ session: Object.values(sessionStorage), local: Object.values(localStorage), cookie: document.cookie, history: JSON.stringify(history.state) }));
  assert.deepEqual(kept.session, [KEY]);
  assert.ok(!JSON.stringify([kept.local, kept.cookie, kept.history]).includes(KEY));
  assert.ok(requests.every((request) => !request.href.split('#')[0].includes(KEY)), 'the key went into a request address');
  await page.reload();
  await shown();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('Secret key').waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
});

test('shows the totals the server gives', async () => {
  await sign_in(stretch_query());
  await eventually(async () => {
    const { totals } = await ask('/v1/query/timeseries', { ...stretch(), measures: 'visitors,page_views,sessions,events', interval: 'day', timezone: ZONE });
    for (const [measure, value] of Object.entries(totals)) assert.equal(await tile_value(measure), whole.format(value), measure);
  });
  await page.locator('.chart canvas').waitFor();
});

mock_test('shows changes against the previous period', async () => {
  const { totals, previous } = await ask('/v1/query/timeseries', { ...stretch(), measures: 'visitors,events', interval: 'day', timezone: ZONE, compare: 'previous' });
  await sign_in(stretch_query());
  for (const measure of ['visitors', 'events']) {
    const change = (100 * (totals[measure] - previous.totals[measure])) / previous.totals[measure];
    const text = await tile(measure).locator('.change').textContent();
    assert.ok(Math.abs(Number(text.replace(/[^0-9.]/g, '')) - Math.abs(change)) <= 0.5, `${text} for ${change}`);
    assert.equal(text.includes('↑'), change > 0);
    assert.equal(await tile(measure).locator('.tile-before').textContent(), `from ${whole.format(previous.totals[measure])}`);
  }
  await page.getByText('Previous period: 16 Feb – 1 Mar 2026').waitFor();
});

mock_test('compares with nothing when nothing was recorded before', async () => {
  mock.young = true;
  await sign_in(stretch_query());
  await page.getByText('Nothing was recorded in the previous period.').waitFor();
  assert.equal(await page.locator('.change:visible').count(), 0);
});

mock_test('compares a running day with as much of the day before', async () => {
  await sign_in(`?period=today&timezone=${ZONE}`);
  const partial = series_requests().find(({ searchParams }) => searchParams.get('to').includes('T'));
  assert.equal(partial.searchParams.get('from'), days_ago(1));
  assert.match(partial.searchParams.get('to'), new RegExp(`^${days_ago(1)}T\\d\\d:\\d\\d:00$`));
  const { totals } = await ask('/v1/query/timeseries', partial.searchParams);
  assert.equal(await tile('events').locator('.tile-before').textContent(), `from ${whole.format(totals.events)}`);
});

test('asks for the chosen period and keeps it in the address', async () => {
  await sign_in();
  requests.length = 0;
  await page.getByRole('button', { name: '7D', exact: true }).click();
  await eventually(() => {
    const question = series_requests().find(({ searchParams }) => searchParams.get('compare') === 'previous')?.searchParams;
    assert.ok(question, 'no question yet');
    assert.deepEqual(
      Object.fromEntries(question),
      { from: days_ago(6), to: today(), timezone: ZONE, measures: 'visitors,page_views,sessions,events', interval: 'day', compare: 'previous' },
    );
  });
  await shown();
  assert.equal(new URL(page.url()).searchParams.get('period'), '7d');
  await page.goBack();
  await eventually(async () => assert.equal(await page.getByRole('button', { name: '30D', exact: true }).getAttribute('aria-pressed'), 'true'));
});

test('shows own dates, and says when they are the wrong way round', async () => {
  await sign_in();
  await page.getByRole('button', { name: 'Custom', exact: true }).click();
  const dialog = page.getByRole('dialog', { name: 'Choose dates' });
  await dialog.getByLabel('From').fill(days_ago(3));
  await dialog.getByLabel('To').fill(days_ago(5));
  await dialog.getByRole('button').click();
  await dialog.getByRole('alert').filter({ hasText: 'after the last' }).waitFor();
  await dialog.getByLabel('From').fill(days_ago(8));
  await dialog.getByRole('button').click();
  await dialog.waitFor({ state: 'hidden' });
  await eventually(() => assert.ok(series_requests().some(({ searchParams }) => searchParams.get('from') === days_ago(8) && searchParams.get('to') === days_ago(5))));
  const address = new URL(page.url()).searchParams;
  assert.deepEqual([address.get('from'), address.get('to'), address.get('period')], [days_ago(8), days_ago(5), null]);
});

test('asks for the chosen interval and time zone, and a link reproduces them', async () => {
  await sign_in('?period=7d');
  await page.getByLabel('Interval').selectOption('hour');
  await page.getByLabel('Time zone').selectOption('Pacific/Auckland');
  await eventually(() => {
    const question = series_requests().at(-1).searchParams;
    assert.equal(question.get('interval'), 'hour');
    assert.equal(question.get('timezone'), 'Pacific/Auckland');
  });
  await shown();
  const link = page.url();
  await open_context();
  await page.goto(`${link}#key=${KEY}`);
  await shown();
  assert.equal(await page.getByLabel('Interval').inputValue(), 'hour');
  assert.equal(await page.getByLabel('Time zone').inputValue(), 'Pacific/Auckland');
  assert.equal(page.url(), link);
});

test('gets an answer for every interval it offers', async () => {
  await sign_in();
  for (const period of ['Today', '7D', '30D', '90D', '12M']) {
    await page.getByRole('button', { name: period, exact: true }).click();
    await shown();
    const intervals = await page.getByLabel('Interval').locator('option').evaluateAll((options) => options.map(({ value }) => value));
    for (const interval of intervals) {
      const answered = page.waitForResponse((response) => {
        const question = new URL(response.url()).searchParams;
        return question.get('interval') === interval && question.get('compare') === 'previous';
      });
      await page.getByLabel('Interval').selectOption(intervals.find((other) => other !== interval) ?? interval);
      await page.getByLabel('Interval').selectOption(interval);
      assert.equal((await answered).status(), 200, `${period} by ${interval}`);
      await shown();
    }
  }
});

test('lists the top pages the server gives, filters by a click, and removes the filter', async (context) => {
  await sign_in(stretch_query());
  const { rows } = await ask('/v1/query/top', { ...stretch(), dimension: 'path', measures: 'visitors,page_views', limit: 8, timezone: ZONE });
  if (rows.length === 0) return context.skip('this server has no page views in the last week');
  const list = page.getByRole('region', { name: 'Top pages' }).getByRole('button');
  await eventually(async () => assert.equal(await list.count(), rows.length));
  if (!REAL) {
    const texts = await list.evaluateAll((buttons) => buttons.map((button) => button.textContent.replace(/\d+(\.\d+)?%$/, '')));
    assert.deepEqual(texts, rows.map((row) => `${row.value}${whole.format(row.visitors)} visitors, ${whole.format(row.page_views)} page views, `));
  }
  const value = (await list.first().locator('.list-label').textContent()).trim();
  requests.length = 0;
  await list.first().click();
  await chips().getByText(`Page is ${value}`).waitFor();
  const filter = `path:is:${value}`;
  await eventually(() => {
    const asked = requests.filter(({ pathname }) => pathname.startsWith('/v1/query/'));
    assert.ok(asked.length >= 4 && asked.every(({ searchParams }) => searchParams.get('filter') === filter));
  });
  await eventually(async () => {
    const { totals } = await ask('/v1/query/timeseries', { ...stretch(), measures: 'events', interval: 'day', timezone: ZONE, filter });
    assert.equal(await tile_value('events'), whole.format(totals.events));
  });
  assert.equal(new URL(page.url()).searchParams.get('filter'), filter);
  await chips().getByRole('button', { name: /^Remove filter/ }).click();
  await chips().waitFor({ state: 'hidden' });
  await eventually(() => assert.ok(!series_requests().at(-1).searchParams.has('filter')));
});

mock_test('escapes bars and backslashes of a value it filters by', async () => {
  await sign_in(stretch_query());
  await page.getByRole('tab', { name: 'Pages' }).click();
  const row = page.getByRole('tabpanel').getByRole('button', { name: '/a|b\\c' });
  const visitors = (await row.locator('.list-number > span').first().textContent()).trim();
  await row.click();
  await chips().getByText('Page is /a|b\\c').waitFor();
  await shown();
  assert.equal(series_requests().at(-1).searchParams.get('filter'), 'path:is:/a\\|b\\\\c');
  assert.ok(Math.abs(Number(await tile_value('visitors')) - Number(visitors)) <= 20, 'the filter did not find the row');
  await page.reload();
  await chips().getByText('Page is /a|b\\c').waitFor();
});

mock_test('shows markup in names as text', async () => {
  await sign_in();
  await page.getByRole('tab', { name: 'Events' }).click();
  await page.getByRole('tabpanel').getByText('<img src=x onerror=alert(1)>', { exact: true }).waitFor();
  assert.equal(await page.locator('img').count(), 0);
});

test('breaks down by every tab', async () => {
  await sign_in();
  for (const [name, dimension] of Object.entries({ Pages: 'path', Referrers: 'referrer_name', Browsers: 'browser', OS: 'os', Devices: 'device', Events: 'name', Countries: 'country' })) {
    const answered = page.waitForResponse((response) => response.url().includes('limit=20') && new URL(response.url()).searchParams.get('dimension') === dimension);
    await page.getByRole('tab', { name, exact: true }).click();
    assert.equal((await answered).status(), 200, dimension);
    assert.equal(await page.getByRole('tab', { name, exact: true }).getAttribute('aria-selected'), 'true');
  }
  assert.deepEqual(complaints, []);
});

test('shows a new event within two seconds of its being sent', async (context) => {
  const write_key = process.env.MILLRACE_WRITE_KEY;
  if (REAL && !write_key) return context.skip('give MILLRACE_WRITE_KEY, a key that may send events');
  await sign_in('?period=today');
  const number = async () => Number((await tile_value('events')).replace(/,/g, ''));
  await eventually(async () => assert.ok(Number.isFinite(await number())));
  const path = `/page-test-${Date.now()}`;
  const sent = Date.now();
  if (REAL) {
    const events_before = await number();
    const response = await fetch(`${url}/v1/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${write_key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'screen_view', path, device_id: path }),
    });
    assert.ok(response.ok, await response.text());
    await eventually(async () => assert.ok((await number()) > events_before), promised(FRESH_MS));
  } else {
    // The mock's day also grows by the minute, so only its exact number will do.
    mock.send();
    await eventually(async () => {
      const { totals } = await ask('/v1/query/timeseries', { from: today(), to: today(), measures: 'events', interval: 'hour', timezone: ZONE });
      assert.equal(await number(), totals.events);
    }, promised(FRESH_MS));
  }
  context.diagnostic(`shown ${Date.now() - sent} ms after sending`);
});

test('asks nothing while it is hidden or paused, and again afterwards', async () => {
  await page.clock.install();
  await page.addInitScript(() => {
    window.hidden_for_test = false;
    Object.defineProperty(document, 'hidden', { get: () => window.hidden_for_test });
  });
  await sign_in('?period=today');
  const hide = (hidden) =>
    page.evaluate((value) => {
      window.hidden_for_test = value;
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
  await hide(true);
  await page.clock.runFor(2000); // Whatever was under way ends.
  requests.length = 0;
  await page.clock.runFor(60_000);
  assert.equal(requests.length, 0);
  await hide(false);
  await page.clock.runFor(50);
  await eventually(() => assert.ok(series_requests().length > 0));
  await page.getByRole('button', { name: 'Live updates' }).click();
  await page.clock.runFor(2000);
  requests.length = 0;
  await page.clock.runFor(60_000);
  assert.equal(requests.length, 0);
});

test('follows the system into the dark, and remembers the toggle', async () => {
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await sign_in();
  const light = await background();
  await page.emulateMedia({ colorScheme: 'dark' });
  await eventually(async () => assert.notEqual(await background(), light));
  await page.emulateMedia({ colorScheme: 'light' });
  await eventually(async () => assert.equal(await background(), light));
  await page.getByRole('button', { name: 'Use dark colours' }).click();
  const dark = await background();
  assert.notEqual(dark, light);
  await page.reload();
  await shown();
  assert.equal(await background(), dark);
  await page.getByRole('button', { name: 'Use light colours' }).click();
  assert.equal(await background(), light);
});

mock_test('shows what the server said when it fails, and recovers', async () => {
  mock.failure = { status: 503, code: 'unavailable', message: 'The event store is starting.' };
  await page.goto(`${url}/#key=${KEY}`);
  await page.getByRole('heading', { name: 'The numbers could not be loaded' }).waitFor();
  await page.getByText('The event store is starting.').waitFor();
  await page.getByText('Request req_mock_7f3a').waitFor();
  mock.failure = null;
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByRole('heading', { name: 'The numbers could not be loaded' }).waitFor({ state: 'hidden' });
  await eventually(async () => assert.match(await tile_value('visitors'), /^\d/));
});

mock_test('keeps the numbers under a warning when a refresh fails, and recovers by itself', async () => {
  await sign_in('?period=today');
  mock.failure = { status: 503, code: 'unavailable', message: 'The event store is starting.', retry_after: 1 };
  await page.getByRole('alert').filter({ hasText: 'may be out of date' }).filter({ hasText: 'The event store is starting.' }).waitFor();
  assert.match(await tile_value('visitors'), /^\d/);
  mock.failure = null;
  await page.getByText('may be out of date').waitFor({ state: 'hidden' });
});

test('says why a question in a link is refused', async () => {
  await page.goto(`${url}/?filter=colour:is:blue#key=${KEY}`);
  await page.getByRole('heading', { name: 'The numbers could not be loaded' }).waitFor();
  await page.locator('.empty').getByText(/colour/).waitFor();
  await page.getByText('Stopped').waitFor();
});

test('says so when nothing matches, and offers the way out', async () => {
  if (REAL) await sign_in('?filter=path:is:/no-such-page-3f9c');
  else await sign_in('?filter=path:is:/nowhere');
  await page.getByRole('heading', { name: 'Nothing matches these filters' }).waitFor();
  await page.getByRole('button', { name: 'Clear filters' }).click();
  await chips().waitFor({ state: 'hidden' });
  assert.deepEqual(complaints, []);
});

mock_test('says so when nothing was recorded', async () => {
  mock.empty = true;
  await sign_in();
  await page.getByRole('heading', { name: 'Nothing recorded in this period' }).waitFor();
  assert.equal(await tile_value('visitors'), '0');
});

test('loads nothing from elsewhere and complains about nothing', async () => {
  await key_card();
  await sign_in('?period=90d&measures=visitors,page_views,sessions,events');
  for (const name of ['Today', '12M']) {
    await page.getByRole('button', { name, exact: true }).click();
    await shown();
  }
  for (const measure of ['visitors', 'events']) await tile(measure).click();
  assert.deepEqual([...new Set(requests.map(({ origin }) => origin))], [new URL(url).origin]);
  assert.deepEqual(complaints, []); // Breaches of the content policy are reported here too.
});

test('fits into 360 pixels without scrolling sideways', async () => {
  await open_context({ viewport: { width: 360, height: 740 } });
  const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  await key_card();
  assert.equal(await overflow(), 0);
  await sign_in('?period=7d&filter=path:is:/blog/why-we-moved-off-batch-pipelines-and-what-it-cost-us');
  assert.equal(await overflow(), 0);
  await sign_in('?period=12m&measures=visitors,page_views,sessions,events&tab=name');
  await page.getByRole('button', { name: 'Custom', exact: true }).click();
  assert.equal(await overflow(), 0);
});

test('can be used by keyboard alone', async () => {
  await sign_in('?period=7d');
  await page.getByRole('tab', { name: 'Countries' }).focus();
  await page.keyboard.press('ArrowRight');
  await page.locator('[role=tab][aria-selected=true]', { hasText: 'Browsers' }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Browsers');
  await page.getByRole('group', { name: /^Chart/ }).focus();
  await page.keyboard.press('Home');
  await page.locator('.readout.shown').waitFor();
  const first = await page.locator('.chart [aria-live]').textContent();
  assert.match(first, /Visitors/);
  await page.keyboard.press('ArrowRight');
  await eventually(async () => assert.notEqual(await page.locator('.chart [aria-live]').textContent(), first));
  await page.keyboard.press('Escape');
  await page.locator('.readout.shown').waitFor({ state: 'hidden' });
  await page.getByRole('button', { name: 'Custom', exact: true }).focus();
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), 'From');
  await page.keyboard.press('Escape');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Custom');
});

mock_test('keeps focus on a row while numbers refresh', async () => {
  await sign_in('?period=today');
  const row = page.getByRole('region', { name: 'Top pages' }).getByRole('button').first();
  await row.focus();
  const label = await row.textContent();
  mock.send();
  await eventually(async () => assert.notEqual(await row.textContent(), label));
  assert.ok(await row.evaluate((element) => element === document.activeElement));
});

test('has no faults that axe finds, light and dark', async () => {
  const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  for (const colorScheme of ['light', 'dark']) {
    await open_context({ colorScheme, reducedMotion: 'reduce', bypassCSP: true });
    const faults = async () => {
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => window.axe.run());
      return violations.map(({ id, nodes }) => `${colorScheme} ${id}: ${nodes.map(({ html }) => html).join(' ')}`);
    };
    await key_card();
    assert.deepEqual(await faults(), []);
    await sign_in('?period=7d&filter=device:is:desktop');
    assert.deepEqual(await faults(), []);
  }
});
