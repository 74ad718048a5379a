// SPDX-License-Identifier: Apache-2.0
// A person and the page against a real server: sign in as the owner, second factor, a key that sends, sessions, sign out.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { launch } from './browser.mjs';
import { Server, waitFor } from './harness.mjs';

const EMAIL = 'owner@millrace.example';
const PASSWORD = 'the owner signs in with a sentence';
const PATIENCE_MS = 15_000;
const STEP_SECONDS = 30;

let server;
let browser;
let context;
let page;
let complaints;

before(async () => {
  server = await Server.start({ tenants: ['shop', 'blog'], environment: { MILLRACE_OWNER_EMAIL: EMAIL, MILLRACE_OWNER_PASSWORD: PASSWORD } });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.remove();
});
beforeEach(async () => {
  complaints = [];
  context = await visitor();
  page = await open(context);
});
afterEach(() => context.close());

/** A browser with an address of its own: how often one address may try is the front door's business. */
let visitors = 0;
const visitor = () => browser.newContext({ viewport: { width: 1280, height: 900 }, timezoneId: 'Europe/Berlin', extraHTTPHeaders: { 'x-forwarded-for': `198.51.100.${++visitors}` } });

async function open(where) {
  const opened = await where.newPage();
  opened.setDefaultTimeout(PATIENCE_MS);
  // Refusals are part of these tests; browsers report them as errors.
  opened.on('console', (message) => message.type() === 'error' && !/status of 4\d\d/.test(message.text()) && complaints.push(message.text()));
  opened.on('pageerror', (error) => complaints.push(String(error)));
  return opened;
}

const button = (name, where = page) => where.getByRole('button', { name, exact: true });
const dialog = () => page.getByRole('dialog').last();
const numbers = (where = page) => where.locator('main.page:not([aria-busy]) .tile').first().waitFor();
const thing = (name) => page.locator('.thing').filter({ has: page.locator('.thing-name', { hasText: name }) });

async function fill_in(where = page, password = PASSWORD) {
  await where.getByLabel('E-mail').fill(EMAIL);
  await where.getByLabel('Password', { exact: true }).fill(password);
  await button('Sign in', where).click();
}
async function sign_in(query = '', where = page) {
  await where.goto(`${server.url}/${query}`);
  await fill_in(where);
  if (query.includes('settings')) await where.locator('.settings-content:not([aria-busy]) h1').waitFor();
  else await numbers(where);
}

/** RFC 6238 with what every app uses: SHA-1, six digits, thirty seconds. */
function totp(secret, now_ms) {
  const bits = [...secret].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(now_ms / 1000 / STEP_SECONDS)));
  const mac = createHmac('sha1', key).update(counter).digest();
  const offset = mac.at(-1) & 15;
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

test('the owner signs in with the password of the environment; a wrong one is refused in the words of the server', async () => {
  await page.goto(server.url);
  await fill_in(page, 'not the password');
  await page.getByRole('alert').filter({ hasText: 'password is wrong' }).waitFor();
  await fill_in();
  await numbers();
  const scripts_see = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
  assert.ok(!/eyJ|refresh_token|millrace_(access|refresh)/.test(scripts_see), scripts_see);
  const cookies = await context.cookies();
  assert.deepEqual(cookies.map(({ name, httpOnly, sameSite }) => [name, httpOnly, sameSite]).sort(), [['millrace_access', true, 'Strict'], ['millrace_refresh', true, 'Strict']].sort());
  await page.reload();
  await numbers();
  assert.deepEqual(complaints, []); // The content policy's too.
});

test('a session whose access token has run out is renewed', async () => {
  await sign_in();
  const before = (await context.cookies(`${server.url}/v1/auth/me`)).find(({ name }) => name === 'millrace_refresh').value;
  await context.clearCookies({ name: 'millrace_access' });
  await page.reload();
  await numbers();
  const now = (await context.cookies(`${server.url}/v1/auth/me`)).find(({ name }) => name === 'millrace_refresh').value;
  assert.notEqual(now, before);
});

test('a key made in the page sends an event that shows in the numbers of its tenant alone', async (t) => {
  await sign_in('?view=settings/keys');
  await page.getByLabel('Tenant', { exact: true }).selectOption({ label: 'blog' });
  await page.getByRole('heading', { name: 'Keys of blog' }).waitFor();
  await button('New key').click();
  await dialog().getByLabel('Name').fill('Website of the blog');
  await button('Make key').click();
  const key = await dialog().getByRole('textbox', { name: 'Key' }).textContent();
  await button('Done').click();
  await thing('Website of the blog').waitFor();
  await page.goto(`${server.url}/?period=today`);
  await numbers();
  await page.getByRole('heading', { level: 1, name: 'blog' }).waitFor();
  const events = async () => (await page.locator('.tile[data-measure=events] .tile-value').textContent()).trim();
  await waitFor('no events yet', async () => (await events()) === '0');
  await waitFor('the key is known', async () => (await server.post('/v1/events', { name: 'bought', device_id: 'd1' }, { key })).status === 200);
  const sent = Date.now();
  await waitFor('the event is shown', async () => (await events()) === '1');
  t.diagnostic(`shown ${Date.now() - sent} ms after the answer`);
  await page.getByLabel('Tenant', { exact: true }).selectOption({ label: 'shop' });
  await page.getByRole('heading', { level: 1, name: 'shop' }).waitFor();
  await waitFor('nothing of it in another tenant', async () => (await events()) === '0');
  await page.goto(`${server.url}/?view=settings/keys`);
  await page.getByLabel('Tenant', { exact: true }).selectOption({ label: 'blog' });
  await button('Revoke Website of the blog').click();
  await dialog().getByLabel('Reason').fill('the test is over');
  await button('Revoke key').click();
  await thing('Website of the blog').waitFor({ state: 'detached' });
  await waitFor('the key is refused', async () => (await server.post('/v1/events', { name: 'bought', device_id: 'd1' }, { key })).status === 401);
  assert.deepEqual(complaints, []);
});

test('every view of the settings shows what the server says', async () => {
  await sign_in('?view=settings/profile');
  await page.getByLabel('First name').fill('Olga');
  await button('Save').click();
  await page.getByText('Saved.').waitFor();
  await page.reload();
  await page.getByLabel('First name').waitFor();
  assert.equal(await page.getByLabel('First name').inputValue(), 'Olga');
  const go = async (view) => {
    await page.goto(`${server.url}/?view=settings/${view}`);
    await page.locator('.settings-content:not([aria-busy]) h1').waitFor();
  };
  await go('members');
  await thing('Olga').getByText('Super admin').waitFor();
  await button('Invite').click();
  await dialog().getByLabel('E-mail').fill('dev@millrace.example');
  await dialog().getByLabel('Role').selectOption({ label: 'Developer' });
  await dialog().getByLabel('Where').selectOption({ label: 'Only in shop' });
  await button('Invite').last().click();
  const link = await dialog().getByRole('textbox', { name: 'Link' }).textContent();
  await button('Done').click();
  await thing('dev@millrace.example').getByText('Developer in shop').waitFor();
  await go('roles');
  await button('New role').click();
  await dialog().getByLabel('Name').fill('Readers');
  await button('Make role').click();
  await button('events read: not given').click();
  await button('Save permissions').click();
  await page.getByText('Saved: it holds within a second.').waitFor();
  await go('tenants');
  await button('New tenant').click();
  await dialog().getByLabel('Name').fill('Third');
  await button('Make tenant').click();
  await thing('Third').waitFor();
  await button('Delete Third').click();
  await dialog().getByLabel(/^Type/).fill('Third');
  await button('Delete tenant').click();
  await thing('Third').waitFor({ state: 'detached' });
  await go('audit');
  await waitFor('the audit has it all', async () => {
    await button('Refresh').click();
    const actions = await page.locator('.audit-action').allTextContents();
    return ['tenant.deleted', 'tenant.created', 'role.created', 'auth.login'].every((action) => actions.includes(action));
  });
  assert.deepEqual(complaints, []);

  // The invited one chooses a password by the link, and sees less.
  const other = await visitor();
  try {
    const guest = await open(other);
    await guest.goto(link);
    await guest.getByLabel('New password').fill('a developer of the shop');
    await guest.getByLabel('The same again').fill('a developer of the shop');
    await button('Set password', guest).click();
    await button('Sign in', guest).click();
    await guest.getByLabel('E-mail').fill('dev@millrace.example');
    await guest.getByLabel('Password', { exact: true }).fill('a developer of the shop');
    await button('Sign in', guest).click();
    await numbers(guest);
    assert.equal(await guest.getByLabel('Tenant', { exact: true }).count(), 0);
    await guest.goto(`${server.url}/?view=settings/keys`);
    await guest.getByRole('heading', { name: 'Keys of shop' }).waitFor();
  } finally {
    await other.close();
  }
});

test('a session revoked in another browser ends here', async () => {
  const other = await visitor();
  try {
    const elsewhere = await open(other);
    await sign_in('?period=today', elsewhere);
    await sign_in('?view=settings/security');
    await page.getByRole('button', { name: /^End session of/ }).first().waitFor();
    await button('End all others').click();
    await dialog().getByRole('button', { name: 'End all others' }).click();
    await dialog().waitFor({ state: 'detached' });
    await elsewhere.getByRole('alert').filter({ hasText: 'Your session has ended' }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'Sessions' }).waitFor();
  } finally {
    await other.close();
  }
});

test('signing out ends the session at the server', async () => {
  await sign_in();
  const cookies = (await context.cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
  const asked = () => server.get('/v1/auth/me', null, { cookie: cookies });
  assert.equal((await asked()).status, 200);
  await button('Sign out').click();
  await page.getByLabel('E-mail').waitFor();
  await waitFor('the old cookies are refused', async () => (await asked()).status === 401);
  assert.deepEqual(await context.cookies(), []);
});

test('a second factor is set up, asked for, used up, and turned off', async () => {
  await sign_in('?view=settings/security');
  await button('Set up the second factor').click();
  await page.getByRole('img', { name: /^QR code/ }).waitFor();
  const secret = await dialog().getByRole('textbox', { name: /^Secret/ }).textContent();
  const first = totp(secret, Date.now());
  await dialog().getByLabel('Code', { exact: true }).fill(first);
  await button('Turn on').click();
  await dialog().getByRole('heading', { name: 'Your backup codes' }).waitFor();
  const codes = await dialog().locator('.codes span').allTextContents();
  assert.equal(codes.length, 10);
  await button('I have kept them').click();
  await button('Sign out').click();

  await fill_in();
  await page.getByRole('heading', { name: 'Second factor' }).waitFor();
  await page.getByLabel('Code').fill(first); // Once is enough for a code.
  await button('Continue').click();
  await page.getByRole('alert').filter({ hasText: 'the code is wrong or was used already' }).waitFor();
  await page.getByLabel('Code').fill(totp(secret, Date.now() + STEP_SECONDS * 1000)); // Clocks may differ by a step.
  await page.getByLabel('Do not ask in this browser').check();
  await button('Continue').click();
  await numbers();

  await button('Sign out').click();
  await fill_in();
  await numbers(); // This browser is trusted.
  await page.goto(`${server.url}/?view=settings/security`);
  await page.getByRole('list', { name: 'Trusted devices' }).getByRole('button', { name: 'Forget Chrome on Linux' }).waitFor();
  await button('Turn off the second factor').click();
  await dialog().getByLabel('Password').fill(PASSWORD);
  await dialog().getByLabel('Code', { exact: true }).fill(codes[0]);
  await dialog().getByRole('button', { name: 'Turn off' }).click();
  await button('Set up the second factor').waitFor();
  assert.deepEqual(complaints, []);
});
