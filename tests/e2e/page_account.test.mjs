// SPDX-License-Identifier: Apache-2.0
// Drives sign-in and settings of the page in a real browser, against page_mock.mjs. account.test.mjs does so against a server.
// Run it after building ui/: node --test page_account.test.mjs.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { launch } from './browser.mjs';
import { Mock } from './page_mock.mjs';
import { MOCK_CODE, MOCK_EMAIL, MOCK_PASSWORD, RESET_TOKEN } from './page_mock_account.mjs';

const PATIENCE_MS = 10_000;
let mock;
let account;
let browser;
let context;
let page;
/** Console errors besides refusals, which browsers report as errors, and errors of the page. */
let complaints;
/** { method, path, headers } of what was asked. */
let requests;

before(async () => {
  mock = await new Mock().start();
  account = mock.account;
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await mock?.stop();
});
beforeEach(async () => {
  account.reset();
  await open_context();
});
afterEach(() => context.close());

async function open_context(options = {}) {
  await context?.close().catch(() => {});
  complaints = [];
  requests = [];
  context = await browser.newContext({ viewport: { width: 1280, height: 900 }, timezoneId: 'Europe/Berlin', colorScheme: 'light', permissions: ['clipboard-read', 'clipboard-write'], ...options });
  page = await context.newPage();
  watch(page);
}
function watch(watched) {
  watched.setDefaultTimeout(PATIENCE_MS);
  watched.on('console', (message) => message.type() === 'error' && !/status of 4\d\d/.test(message.text()) && complaints.push(message.text()));
  watched.on('pageerror', (error) => complaints.push(String(error)));
  watched.on('request', (request) => requests.push({ method: request.method(), path: new URL(request.url()).pathname, headers: request.headers() }));
}
async function eventually(check) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await page.evaluate(() => new Promise(requestAnimationFrame));
    }
  }
}

const button = (name, exact = true) => page.getByRole('button', { name, exact });
const dialog = () => page.getByRole('dialog').last();
const numbers = () => page.locator('main.page:not([aria-busy]) .tile').first().waitFor();
const thing = (name) => page.locator('.thing').filter({ has: page.locator('.thing-name', { hasText: name }) });
/** Where the browser keeps things that scripts can read. */
const readable = () => page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href]));

async function fill_in(email = MOCK_EMAIL, password = MOCK_PASSWORD) {
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await button('Sign in').click();
}
async function sign_in(query = '') {
  await page.goto(`${mock.url}/${query}`);
  await fill_in();
  await (query.includes('settings') ? settings() : numbers());
}
const settings = () => page.locator('.settings-content:not([aria-busy]) h1').waitFor();
async function go(view) {
  await page.goto(`${mock.url}/?view=settings/${view}`);
  await settings();
}

test('signs in with e-mail and password, and no script can read what proves it', async () => {
  await page.goto(mock.url);
  await page.getByLabel('Stay signed in').check();
  await fill_in();
  await page.getByRole('heading', { level: 1, name: 'Northwind Outfitters' }).waitFor();
  assert.equal(account.remembered, true);
  const [session] = account.sessions;
  const kept = await readable();
  for (const secret of [session.access, session.refresh, MOCK_PASSWORD]) assert.ok(!kept.includes(secret), kept);
  await page.reload();
  await numbers();
  assert.deepEqual(complaints, []);
});

test('says in the words of the server why a sign-in is refused, and how long to wait', async () => {
  await page.goto(mock.url);
  await fill_in(MOCK_EMAIL, 'wrong');
  await page.getByRole('alert').filter({ hasText: 'the password is wrong, or the account is locked' }).waitFor();
  await fill_in('slow@northwind.example');
  await page.getByRole('alert').filter({ hasText: 'too many tries from this address. Try again in 4 minutes.' }).waitFor();
});

test('asks for the second factor, and for the password again when that has taken too long', async () => {
  account.me.mfa_enabled = true;
  await page.goto(mock.url);
  await fill_in();
  await page.getByRole('heading', { name: 'Second factor' }).waitFor();
  await page.getByLabel('Code').fill('000000');
  await button('Continue').click();
  await page.getByRole('alert').filter({ hasText: 'the code is wrong' }).waitFor();
  assert.equal(await page.getByLabel('Code').getAttribute('aria-invalid'), 'true');
  account.mfa_token = 'another';
  await button('Continue').click();
  await page.getByRole('alert').filter({ hasText: 'this login took too long: begin again' }).waitFor();
  assert.equal(await page.getByLabel('E-mail').inputValue(), MOCK_EMAIL);
  await page.getByLabel('Password', { exact: true }).fill(MOCK_PASSWORD);
  await button('Sign in').click();
  await page.getByLabel('Code').fill(MOCK_CODE);
  await button('Continue').click();
  await numbers();
});

test('answers "forgot password" alike for everybody', async () => {
  const texts = [];
  for (const email of [MOCK_EMAIL, 'nobody@northwind.example']) {
    await page.goto(mock.url);
    await button('Forgot password?').click();
    await page.getByLabel('E-mail').fill(email);
    await button('Send the link').click();
    texts.push((await page.getByRole('status').filter({ hasText: 'has an account here' }).textContent()).replace(email, ''));
    await page.goto('about:blank');
  }
  assert.equal(texts[0], texts[1]);
});

test('sets a new password by the link of a mail, whose token stays nowhere', async () => {
  await page.goto(`${mock.url}/#reset-password=${RESET_TOKEN}`);
  await page.getByLabel('New password').fill('short');
  await page.getByLabel('The same again').fill('short');
  await button('Set password').click();
  await page.getByRole('alert').filter({ hasText: 'at least 12 characters' }).waitFor();
  assert.ok(!(await readable()).includes(RESET_TOKEN));
  await page.getByLabel('New password').fill('another long sentence');
  await page.getByLabel('The same again').fill('another long sentences');
  await button('Set password').click();
  await page.getByRole('alert').filter({ hasText: 'not the same' }).waitFor();
  await page.getByLabel('The same again').fill('another long sentence');
  await button('Set password').click();
  await page.getByRole('heading', { name: 'Your password is set' }).waitFor();
  assert.equal(account.password, 'another long sentence');
});

test('verifies an address by the link of a mail', async () => {
  await page.goto(`${mock.url}/#verify-email=verify-token`);
  await page.getByRole('heading', { name: 'Your address is verified' }).waitFor();
  await page.goto('about:blank');
  await page.goto(`${mock.url}/#verify-email=old`);
  await page.getByText('this link is not valid any more').waitFor();
});

test('offers single sign-on where it is set up, and says why one was refused', async () => {
  account.providers = [{ code: 'corp', name: 'Northwind SSO' }];
  await page.goto(`${mock.url}/?period=7d#error=sso_no_account`);
  await page.getByRole('alert').filter({ hasText: 'no account for you here' }).waitFor();
  const href = await page.getByRole('link', { name: 'Continue with Northwind SSO' }).getAttribute('href');
  assert.equal(href, '/v1/auth/oidc/corp/start?return_to=%2F%3Fperiod%3D7d');
});

test('renews a session that has run out, once for everything and every tab', async () => {
  await sign_in('?period=today');
  const second = await context.newPage();
  watch(second);
  await second.goto(`${mock.url}/?view=settings/security`);
  await second.getByRole('heading', { name: 'Sessions' }).waitFor();
  account.refresh_count = 0;
  account.expire_access();
  await Promise.all([second.reload(), page.reload()]);
  await second.getByRole('heading', { name: 'Sessions' }).waitFor();
  await numbers();
  // Two when the second tab asked after the first had its answer.
  assert.ok(account.refresh_count >= 1 && account.refresh_count <= 2, `${account.refresh_count} refreshes`);
  account.refresh_count = 0;
  account.expire_access();
  await eventually(() => assert.equal(account.refresh_count, 1)); // By asking for numbers, many questions at once.
  await numbers();
  assert.equal(await page.getByLabel('E-mail').count(), 0);
  await second.close();
});

test('shows the sign-in card when the session was revoked elsewhere', async () => {
  await sign_in('?period=today');
  account.revoke_all();
  await page.getByRole('alert').filter({ hasText: 'Your session has ended' }).waitFor();
  await page.getByLabel('E-mail').waitFor();
});

test('signs out, and stays signed in when that fails', async () => {
  await sign_in('?period=7d');
  await page.route('**/v1/auth/logout', (route) => route.abort());
  await button('Sign out').click();
  await page.getByRole('alert').filter({ hasText: 'You are not signed out' }).waitFor();
  await page.unroute('**/v1/auth/logout');
  await button('Sign out').click();
  await page.getByLabel('E-mail').waitFor();
  await page.reload();
  await page.getByLabel('E-mail').waitFor();
});

test('asks for the chosen tenant, and remembers it', async () => {
  await sign_in('?period=7d');
  const [first, second] = account.tenants;
  const tenants_asked = () => [...new Set(requests.filter(({ path }) => path.startsWith('/v1/query/')).map(({ headers }) => headers['millrace-tenant']))];
  assert.deepEqual(tenants_asked(), [first.tenant_id]);
  requests = [];
  await page.getByLabel('Tenant').selectOption(second.tenant_id);
  await page.getByRole('heading', { level: 1, name: second.name }).waitFor();
  await numbers();
  assert.deepEqual(tenants_asked(), [second.tenant_id]);
  assert.ok(requests.filter(({ path }) => path.startsWith('/v1/auth/')).every(({ headers }) => !('millrace-tenant' in headers)));
  await page.reload();
  await page.getByRole('heading', { level: 1, name: second.name }).waitFor();
});

test('goes between numbers and settings, and back', async () => {
  await sign_in('?period=7d');
  await page.getByRole('link', { name: 'Settings' }).click();
  await settings();
  await page.getByRole('link', { name: 'Roles' }).click();
  await page.getByRole('heading', { level: 1, name: 'Roles' }).waitFor();
  assert.equal(new URL(page.url()).searchParams.get('view'), 'settings/roles');
  await page.goBack();
  await page.getByRole('heading', { level: 1, name: 'Profile' }).waitFor();
  await page.goBack();
  await numbers();
  assert.equal(new URL(page.url()).searchParams.get('period'), '7d');
  await page.goForward();
  await page.getByRole('heading', { level: 1, name: 'Profile' }).waitFor();
  await page.getByRole('link', { name: /the numbers/ }).click();
  await numbers();
  assert.equal(new URL(page.url()).searchParams.get('period'), '7d');
});

test('changes the profile, and shows a refusal at its field', async () => {
  await sign_in('?view=settings/profile');
  await page.getByLabel('First name').fill('refuse me');
  await button('Save').click();
  await page.getByRole('alert').filter({ hasText: 'first_name must not be that' }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.name), 'first_name');
  await page.getByLabel('First name').fill('Augusta');
  await page.getByLabel('Time zone').selectOption('Pacific/Auckland');
  await button('Save').click();
  await page.getByText('Saved.').waitFor();
  assert.deepEqual([account.me.first_name, account.me.timezone], ['Augusta', 'Pacific/Auckland']);
});

test('sets up the second factor: code, backup codes once, and off again', async () => {
  await sign_in('?view=settings/security');
  await button('Set up the second factor').click();
  await page.getByRole('img', { name: /^QR code/ }).waitFor();
  await dialog().getByLabel('Code', { exact: true }).fill('111111');
  await button('Turn on').click();
  await dialog().getByRole('alert').filter({ hasText: 'the code is wrong' }).waitFor();
  await dialog().getByLabel('Code', { exact: true }).fill(MOCK_CODE);
  await button('Turn on').click();
  await dialog().getByRole('heading', { name: 'Your backup codes' }).waitFor();
  await page.keyboard.press('Escape'); // Shown once: it takes a decision to close it.
  const codes = await dialog().locator('.codes span').allTextContents();
  assert.equal(codes.length, 10);
  await dialog().getByRole('button', { name: 'Copy all' }).click();
  await dialog().getByText('Copied', { exact: true }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), codes.join('\n'));
  const [download] = await Promise.all([page.waitForEvent('download'), dialog().getByRole('button', { name: 'Download' }).click()]);
  assert.ok((await readFile(await download.path(), 'utf8')).includes(codes[9]));
  await button('I have kept them').click();
  assert.equal(account.me.mfa_enabled, true);
  await button('Turn off the second factor').click();
  await dialog().getByLabel('Password').fill(MOCK_PASSWORD);
  await dialog().getByLabel('Code', { exact: true }).fill(MOCK_CODE);
  await dialog().getByRole('button', { name: 'Turn off' }).click();
  await button('Set up the second factor').waitFor();
  assert.deepEqual(complaints, []);
});

test('changes the password and ends sessions', async () => {
  await sign_in('?view=settings/security');
  await button('End session of Safari on iOS').click();
  await dialog().getByRole('button', { name: 'Cancel' }).click();
  assert.equal(account.sessions.length, 2);
  await button('End session of Safari on iOS').click();
  await dialog().getByRole('button', { name: 'End session' }).click();
  await thing('Safari on iOS').waitFor({ state: 'detached' });
  assert.equal(account.sessions.length, 1);
  await page.getByLabel('Current password').fill('wrong');
  await page.getByLabel('New password').fill('a new long sentence');
  await page.getByLabel('The new one again').fill('a new long sentence');
  await button('Change password').click();
  await page.getByRole('alert').filter({ hasText: 'the password is wrong' }).waitFor();
  await page.getByLabel('Current password').fill(MOCK_PASSWORD);
  await button('Change password').click();
  await page.getByText('Changed. Your other sessions have ended.').waitFor();
  assert.equal(account.password, 'a new long sentence');
});

test('makes a key: permissions of its kind, a refusal at its field, its text once', async () => {
  await sign_in('?view=settings/keys');
  await button('New key').click();
  const offered = () => dialog().locator('.permissions input').evaluateAll((inputs) => inputs.map(({ value }) => value));
  assert.deepEqual((await offered()).sort(), ['events:write', 'logs:write', 'metrics:write', 'traces:write']);
  await dialog().getByLabel('Secret key').check();
  assert.ok((await offered()).includes('events:read') && !(await offered()).some((name) => /^(users|keys|billing|roles)/.test(name)));
  await dialog().getByLabel('Name').fill('Collector');
  await dialog().getByRole('textbox', { name: 'Websites' }).fill('not a site!');
  await dialog().getByLabel('Requests a minute').fill('90');
  await dialog().getByRole('group', { name: 'logs' }).getByLabel('read').uncheck();
  await button('Make key').click();
  await dialog().getByRole('alert').filter({ hasText: 'is none of *' }).waitFor();
  assert.equal(await dialog().getByRole('textbox', { name: 'Websites' }).getAttribute('aria-invalid'), 'true');
  await dialog().getByRole('textbox', { name: 'Websites' }).fill('');
  await button('Make key').click();
  await dialog().getByText('This is shown only now.').waitFor();
  const text = await dialog().getByRole('textbox', { name: 'Key' }).textContent();
  assert.match(text, /^mrs_/);
  await dialog().getByRole('button', { name: 'Copy' }).click();
  await dialog().getByText('Copied', { exact: true }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), text);
  await button('Done').click();
  await thing('Collector').waitFor();
  assert.ok(!(await page.content()).includes(text));
  const made = account.keys.at(-1);
  assert.deepEqual([made.kind, made.rate_limit, made.expires_at, made.permissions.includes('logs:read')], ['secret', 90, null, false]);
});

test('rotates a key with a grace period and revokes one with a reason', async () => {
  await sign_in('?view=settings/keys');
  await thing('Shop website').getByRole('img', { name: /Last 7 days: 31,240 requests/ }).waitFor();
  await button('Rotate Billing server').click();
  await dialog().getByLabel('The old text stops working').selectOption('86400');
  await dialog().getByRole('button', { name: 'Rotate' }).click();
  await button('Done').click();
  await thing('Billing server').getByText('old text good until').waitFor();
  await button('Revoke Shop website').click();
  await dialog().getByLabel('Reason').fill('leaked');
  await button('Revoke key').click();
  await thing('Shop website').waitFor({ state: 'detached' });
  await page.getByLabel('Which keys').selectOption('revoked');
  await thing('Shop website').getByText('“leaked”').waitFor();
});

test('invites a member, gives and takes roles, locks', async () => {
  await sign_in('?view=settings/members');
  await thing('<b>mallory</b>').getByText('Locked').waitFor();
  await button('Invite').click();
  await dialog().getByLabel('E-mail').fill('bo@northwind.example');
  await dialog().getByRole('button', { name: 'Invite' }).click();
  await dialog().getByRole('alert').filter({ hasText: 'there is a user with this address' }).waitFor();
  await dialog().getByLabel('E-mail').fill('cy@northwind.example');
  await dialog().getByLabel('Where').selectOption({ label: 'Only in Northwind Wholesale' });
  await dialog().getByRole('button', { name: 'Invite' }).click();
  assert.equal(await dialog().getByRole('textbox', { name: 'Link' }).textContent(), `${mock.url}/#reset-password=invitation-token`);
  await button('Done').click();
  await thing('cy@northwind.example').getByText('Viewer in Northwind Wholesale').waitFor();
  await button('Manage Bo Castellanos').click();
  await dialog().getByRole('button', { name: 'Remove Viewer' }).click();
  await button('Remove role').click();
  await dialog().getByLabel('Give a role').selectOption({ label: 'Admin' });
  await button('Give role').click();
  await dialog().locator('.thing-name').getByText('Admin').waitFor();
  const bo = account.users[1];
  assert.deepEqual(account.assignments.filter(({ user_id }) => user_id === bo.user_id).map(({ name, tenant_id }) => [name, tenant_id]), [['Developer', account.tenants[1].tenant_id], ['Admin', null]]);
  await button('Lock').click();
  await dialog().getByRole('button', { name: 'Lock' }).click();
  await thing('Bo Castellanos').getByText('Locked').waitFor();
  assert.deepEqual(complaints, []);
});

test('makes a role and says what it may do', async () => {
  await sign_in('?view=settings/roles');
  assert.equal(await page.locator('button.grant').count(), 0, 'built-in roles cannot be changed');
  await button('New role').click();
  await dialog().getByLabel('Name').fill('Support');
  await button('Make role').click();
  await button('keys read: not given').click();
  await button('users read: not given').click();
  await button('users read: given').click();
  await button('users read: denied').waitFor();
  await button('Save permissions').click();
  await page.getByText('Saved: it holds within a second.').waitFor();
  const role = account.roles.at(-1);
  assert.deepEqual([role.name, role.granted, role.denied], ['Support', ['keys:read'], ['users:read']]);
  await button('Delete Support').click();
  await button('Delete role').click();
  await button('Support', false).first().waitFor({ state: 'detached' });
});

test('makes, deletes and restores tenants, and the bar at the top follows', async () => {
  await sign_in('?view=settings/tenants');
  await button('New tenant').click();
  await dialog().getByLabel('Name').fill('Northwind Repairs');
  await dialog().getByLabel('Code').fill('wholesale');
  await button('Make tenant').click();
  await dialog().getByRole('alert').filter({ hasText: 'this code is taken' }).waitFor();
  await dialog().getByLabel('Code').fill('');
  await button('Make tenant').click();
  await thing('Northwind Repairs').getByText('Chosen').waitFor();
  assert.equal(await page.getByLabel('Tenant', { exact: true }).locator('option').count(), 3);
  await button('Delete Northwind Wholesale').click();
  await dialog().getByLabel(/^Type/).fill('Northwind');
  await button('Delete tenant').click();
  await dialog().getByRole('alert').filter({ hasText: 'not its name' }).waitFor();
  await dialog().getByLabel(/^Type/).fill('Northwind Wholesale');
  await button('Delete tenant').click();
  await eventually(async () => assert.equal(await page.getByLabel('Tenant', { exact: true }).locator('option').count(), 2));
  await page.getByLabel('Which tenants').selectOption('true');
  await button('Restore Northwind Wholesale').click();
  await eventually(async () => assert.equal(await page.getByLabel('Tenant', { exact: true }).locator('option').count(), 3));
});

test('lists the audit, filters it, loads more', async () => {
  await sign_in('?view=settings/audit');
  await page.locator('.audit').first().waitFor();
  assert.equal(await page.locator('.audit').count(), 50);
  await button('Load more').click();
  await eventually(async () => assert.equal(await page.locator('.audit').count(), 100));
  await page.getByLabel('Result').selectOption('failure');
  await eventually(async () => assert.equal(await page.locator('.audit').count(), 24));
  assert.deepEqual([...new Set(await page.locator('.audit-action').allTextContents())], ['auth.login_failed']);
  await page.locator('.audit summary').first().click();
  await page.locator('.audit dl').first().getByText('203.0.113.7').waitFor();
  await page.getByLabel('Action').fill('nothing.such');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Nothing was done' }).waitFor();
});

test('shows only what the roles of a user allow', async () => {
  const [, developer, viewer] = account.roles;
  account.assignments = [account.assignment(account.me, viewer)];
  await sign_in('?view=settings/keys');
  await thing('Shop website').waitFor();
  assert.equal(await button('New key').count() + (await button('Revoke Shop website').count()), 0);
  assert.equal(await page.getByRole('link', { name: 'Audit' }).count(), 0);
  account.assignments = [account.assignment(account.me, developer, account.tenants[1].tenant_id)];
  await go('members');
  await page.getByText('Your roles do not open this part').waitFor();
  await page.getByLabel('Tenant').selectOption(account.tenants[1].tenant_id);
  await page.getByRole('link', { name: 'Keys' }).click();
  await button('New key').waitFor();
});

test('says what went wrong when something cannot be loaded, and tries again', async () => {
  await sign_in('?view=settings/tenants');
  await page.route('**/v1/tenants?*', (route) => route.fulfill({ status: 503, contentType: 'application/json', body: JSON.stringify({ error: { code: 'unavailable', message: 'the database is away' }, request_id: 'r1' }) }));
  await go('tenants');
  await page.getByRole('alert').filter({ hasText: 'the database is away' }).waitFor();
  await page.unroute('**/v1/tenants?*');
  await button('Try again').click();
  await thing('Northwind Outfitters').waitFor();
});

test('begins with making a tenant, and its workspace, where there is none', async () => {
  account.tenants = [];
  account.workspaces = [];
  await page.goto(mock.url);
  await fill_in();
  await page.getByRole('heading', { name: 'No tenant yet' }).waitFor();
  await page.getByRole('link', { name: 'Go to tenants' }).click();
  await button('New tenant').click();
  await dialog().getByLabel('Name').fill('First shop');
  await button('Make tenant').click();
  await thing('First shop').getByText('Chosen').waitFor();
  assert.equal(account.workspaces[0].name, 'Default');
  assert.equal(account.tenants[0].workspace_id, account.workspaces[0].workspace_id);
});

test('fits into 360 pixels without scrolling sideways', async () => {
  await open_context({ viewport: { width: 360, height: 740 } });
  const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  await page.goto(mock.url);
  await page.getByLabel('E-mail').waitFor();
  assert.equal(await overflow(), 0);
  await fill_in();
  await numbers();
  for (const view of ['profile', 'security', 'keys', 'members', 'roles', 'tenants', 'audit']) {
    await go(view);
    await page.locator('.thing, .role-item, .audit').first().waitFor();
    assert.equal(await overflow(), 0, view);
  }
});

test('has no faults that axe finds, light and dark', async () => {
  const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  for (const colorScheme of ['light', 'dark']) {
    account.reset();
    await open_context({ colorScheme, reducedMotion: 'reduce', bypassCSP: true });
    const check = async (what) => {
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => window.axe.run());
      assert.deepEqual(violations.map(({ id, nodes }) => `${colorScheme} ${what} ${id}: ${nodes.map(({ html }) => html).join(' ')}`), []);
    };
    await page.goto(mock.url);
    await page.getByLabel('E-mail').waitFor();
    await check('sign-in');
    await fill_in();
    await numbers();
    for (const view of ['profile', 'security', 'keys', 'members', 'roles', 'tenants', 'audit']) {
      await go(view);
      await page.locator('.thing, .role-item, .audit').first().waitFor();
      await check(view);
    }
    await go('roles');
    await button('Shop analysts', false).first().click();
    await page.locator('button.grant').first().waitFor();
    await check('custom role');
    await go('keys');
    await button('New key').click();
    await dialog().getByLabel('Name').waitFor();
    await check('new key');
    await go('security');
    await button('Set up the second factor').click();
    await page.getByRole('img', { name: /^QR code/ }).waitFor();
    await check('second factor');
  }
});

test('can be used by keyboard: dialogs take the focus and give it back', async () => {
  await sign_in('?view=settings/keys');
  await button('Revoke Shop website').focus();
  await page.keyboard.press('Enter');
  await dialog().getByLabel('Reason').waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.name), 'reason');
  await page.keyboard.press('Escape');
  await dialog().waitFor({ state: 'detached' });
  assert.match(await page.evaluate(() => document.activeElement.textContent), /^Revoke Shop website/);
});
