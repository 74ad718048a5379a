// SPDX-License-Identifier: Apache-2.0
// Logging in, staying in, getting out: with tokens and with cookies, past lockouts and rates, on every loop at once.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { promised, send, Server, waitFor } from './harness.mjs';
import { makeUser } from './world.mjs';

const LOOPS = 4;
const CONNECTIONS = 24; // over all loops, as the kernel deals them out
const REVOKED_MS = 1000;

let server, owner, organization, headers;
before(async () => {
  server = await Server.start({ settings: ['--loops', String(LOOPS)] });
  owner = await server.login(server.owner.email, server.owner.password);
  organization = (await server.api('GET', '/v1/auth/me', undefined, owner.token)).json.organization.organization_id ?? (await server.api('GET', '/v1/organizations', undefined, owner.token)).json.data[0].organization_id;
});
after(() => server?.remove());

let count = 0;
const someone = (body = { role: 'viewer' }) => makeUser(server, owner.token, organization, `user${(count += 1)}@auth.example`, body);
const post = (path, body, more = {}) => server.api('POST', path, body, null, { ...server.someAddress(), ...more });
const me = (token) => server.api('GET', '/v1/auth/me', undefined, token);

/** Connections of their own that stay open. */
function connections(number) {
  const agents = Array.from({ length: number }, () => new http.Agent({ keepAlive: true, maxSockets: 1 }));
  return { ask: (path, options) => Promise.all(agents.map((agent) => send(server.url + path, { ...options, agent }))), end: () => agents.forEach((agent) => agent.destroy()) };
}

/** Name to { value, attributes } of the cookies an answer sets. */
function cookiesOf(answer) {
  return Object.fromEntries((answer.headers['set-cookie'] ?? []).map((line) => {
    const [pair, ...attributes] = line.split('; ');
    return [pair.split('=')[0], { value: pair.slice(pair.indexOf('=') + 1), attributes }];
  }));
}

test('a login gives tokens, a refresh new ones, a logout ends them', async () => {
  const user = await someone();
  const login = await post('/v1/auth/login', { email: user.email, password: user.password });
  assert.equal(login.status, 200, login.text);
  assert.equal(login.headers['set-cookie'], undefined);
  assert.equal(login.headers['cache-control'], 'no-store');
  const who = await me(login.json.access_token);
  assert.ok(who.text.includes(user.email));

  const refreshed = await post('/v1/auth/refresh', { refresh_token: login.json.refresh_token });
  assert.equal(refreshed.status, 200, refreshed.text);
  assert.notEqual(refreshed.json.refresh_token, login.json.refresh_token);
  assert.equal((await me(refreshed.json.access_token)).status, 200);

  assert.equal((await server.api('POST', '/v1/auth/logout', undefined, refreshed.json.access_token, server.someAddress())).status, 204);
  await waitFor('the access token has ended', async () => (await me(refreshed.json.access_token)).status === 401, promised(REVOKED_MS));
  assert.equal((await post('/v1/auth/refresh', { refresh_token: refreshed.json.refresh_token })).status, 401);
});

test('a refresh token that comes twice ends the session', async () => {
  const user = await someone();
  const { refresh_token: first } = user;
  const second = (await post('/v1/auth/refresh', { refresh_token: first })).json;
  assert.equal((await post('/v1/auth/refresh', { refresh_token: first })).status, 401);
  assert.equal((await post('/v1/auth/refresh', { refresh_token: second.refresh_token })).status, 401);
  await waitFor('the access token has ended', async () => (await me(second.access_token)).status === 401, promised(REVOKED_MS));
});

const page = { 'sec-fetch-site': 'same-origin' };

test('a page logs in with cookies that scripts cannot read', async () => {
  const user = await someone();
  const login = await post('/v1/auth/login', { email: user.email, password: user.password, cookies: true }, page);
  assert.equal(login.status, 200, login.text);
  assert.ok(!('access_token' in login.json) && !('refresh_token' in login.json), login.text);
  const cookies = cookiesOf(login);
  for (const name of ['millrace_access', 'millrace_refresh']) {
    assert.ok(cookies[name].value.length > 20, name);
    assert.ok(cookies[name].attributes.includes('HttpOnly') && cookies[name].attributes.includes('SameSite=Strict'), name);
    assert.ok(!login.text.includes(cookies[name].value));
  }
  assert.ok(cookies.millrace_access.attributes.includes('Path=/'));
  assert.ok(cookies.millrace_refresh.attributes.includes('Path=/v1/auth'));

  const cookie = `other=1; millrace_access=${cookies.millrace_access.value}`;
  assert.ok((await server.get('/v1/auth/me', null, { cookie })).text.includes(user.email));

  const refresh = `millrace_refresh=${cookies.millrace_refresh.value}`;
  const refreshed = await post('/v1/auth/refresh', undefined, { ...page, cookie: refresh });
  assert.equal(refreshed.status, 200, refreshed.text);
  const fresh = cookiesOf(refreshed);
  assert.notEqual(fresh.millrace_refresh.value, cookies.millrace_refresh.value);

  const logout = await post('/v1/auth/logout', undefined, { ...page, cookie: `millrace_refresh=${fresh.millrace_refresh.value}` });
  assert.equal(logout.status, 204, logout.text);
  for (const name of ['millrace_access', 'millrace_refresh']) {
    assert.equal(cookiesOf(logout)[name].value, '');
    assert.ok(cookiesOf(logout)[name].attributes.includes('Max-Age=0'));
  }
  const again = await post('/v1/auth/refresh', undefined, { ...page, cookie: `millrace_refresh=${fresh.millrace_refresh.value}` });
  assert.equal(again.status, 401);
  assert.equal(cookiesOf(again).millrace_refresh.value, '', 'a refusal takes what is good for nothing');
});

test('other sites change nothing with our cookies', async () => {
  const user = await someone();
  const login = await post('/v1/auth/login', { email: user.email, password: user.password, cookies: true }, page);
  const cookie = `millrace_access=${cookiesOf(login).millrace_access.value}`;
  const refresh = `millrace_refresh=${cookiesOf(login).millrace_refresh.value}`;
  const change = (more, type = 'application/json') =>
    server.send('/v1/auth/me', { method: 'PATCH', headers: { cookie, 'content-type': type, ...more }, body: '{"first_name":"Changed"}' });
  const host = new URL(server.url).host;
  for (const more of [{}, { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }, { 'sec-fetch-site': 'none' }, { origin: 'https://evil.example' }, { origin: 'null' }, { origin: `http://${host}.evil.example` },
    { 'sec-fetch-site': 'cross-site', origin: server.url }, { 'sec-fetch-site': 'same-origin', origin: 'https://evil.example' }]) {
    const answer = await change(more);
    assert.equal(answer.status, 403, `${JSON.stringify(more)}: ${answer.text}`);
    assert.equal((await post('/v1/auth/refresh', undefined, { cookie: refresh, ...more })).status, 403, JSON.stringify(more));
  }
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) assert.equal((await change(page, type)).status, 415, type);
  assert.ok(!(await server.get('/v1/auth/me', null, { cookie })).text.includes('Changed'));
  assert.equal((await change({ origin: server.url })).status, 200);
  assert.equal((await change(page)).status, 200);
  assert.ok((await server.get('/v1/auth/me', null, { cookie })).text.includes('Changed'));
});

test('a revoked key stops on every connection within a second', async () => {
  const key = async (kind) => (await server.api('POST', '/v1/keys', { kind, name: `revoked ${kind}` }, owner.token)).json;
  const many = connections(CONNECTIONS);
  for (const kind of ['write', 'secret']) {
    const made = await key(kind);
    assert.ok(made.key, JSON.stringify(made));
    const options = { method: 'POST', headers: { authorization: `Bearer ${made.key}`, 'content-type': 'application/json' }, body: '{"name":"revoked"}' };
    const statuses = async () => (await many.ask('/v1/events', options)).map(({ status }) => status);
    await waitFor('the key works everywhere', async () => (await statuses()).every((status) => status === 200));
    const revoked = await server.api('POST', `/v1/keys/${made.api_key_id}/revoke`, { reason: 'leaked' }, owner.token);
    assert.equal(revoked.status, 200, revoked.text);
    await waitFor('the key is refused everywhere', async () => (await statuses()).every((status) => status === 401), promised(REVOKED_MS));
    assert.ok((await statuses()).every((status) => status === 401));
  }
  many.end();
});

test('an ended session and a locked user stop on every connection within a second', async () => {
  const many = connections(CONNECTIONS);
  const statuses = async (token) => (await many.ask('/v1/auth/me', { headers: { authorization: `Bearer ${token}` } })).map(({ status }) => status);
  for (const end of [
    (user) => server.api('DELETE', `/v1/auth/sessions/${user.session_id}`, undefined, user.token),
    (user) => server.api('POST', `/v1/users/${user.id}/lock`, undefined, owner.token),
    (user) => server.api('DELETE', `/v1/users/${user.id}`, undefined, owner.token),
  ]) {
    const user = await someone();
    await waitFor('the user is known everywhere', async () => (await statuses(user.token)).every((status) => status === 200));
    assert.equal((await end(user)).status, 204);
    await waitFor('nobody answers him any more', async () => (await statuses(user.token)).every((status) => status === 401), promised(REVOKED_MS));
  }
  many.end();
});

test('a role that is taken away is gone within a second', async () => {
  const user = await someone({ role: 'admin' });
  const tenants = () => server.api('GET', '/v1/users', undefined, user.token);
  await waitFor('the role works', async () => (await tenants()).status === 200);
  const { data } = (await server.api('GET', `/v1/users/${user.id}/roles`, undefined, owner.token)).json;
  assert.equal((await server.api('DELETE', `/v1/users/${user.id}/roles/${data[0].user_role_id}`, undefined, owner.token)).status, 204);
  await waitFor('the role is gone', async () => (await tenants()).status === 403, promised(REVOKED_MS));
});

test('wrong passwords lock the account for a while, and say nothing of who is known', async () => {
  const user = await someone();
  const wrong = (email) => post('/v1/auth/login', { email, password: 'not the right one at all' });
  const unknown = await wrong('nobody@auth.example');
  const known = await wrong(user.email);
  assert.deepEqual([known.status, known.json.error], [unknown.status, unknown.json.error]);
  assert.equal(known.status, 401);
  for (let i = 1; i < 5; i += 1) assert.equal((await wrong(user.email)).status, 401);
  const right = await post('/v1/auth/login', { email: user.email, password: user.password });
  assert.deepEqual([right.status, right.json.error], [unknown.status, unknown.json.error], 'who guesses does not learn that he has guessed right');
  assert.equal((await me(user.token)).status, 200, 'sessions go on');
  assert.equal((await server.api('POST', `/v1/users/${user.id}/unlock`, undefined, owner.token)).status, 204);
  assert.equal((await post('/v1/auth/login', { email: user.email, password: user.password })).status, 200);
});

test('one address has so many tries, others have theirs', async () => {
  const address = { 'x-forwarded-for': '93.184.216.34' };
  const tries = [];
  for (let i = 0; i < 31; i += 1) tries.push(await server.api('POST', '/v1/auth/email/verify', { token: `t${i}` }, null, address));
  const [first, last] = [tries[0], tries.at(-1)];
  assert.equal(first.status, 400);
  assert.match(first.headers['ratelimit-policy'] ?? first.headers['x-ratelimit-limit'], /30/);
  assert.equal(last.status, 429, last.text);
  assert.ok(Number(last.headers['retry-after']) >= 1 && Number(last.headers['retry-after']) <= 60);
  assert.equal(last.json.error.code, 'rate_limited');
  assert.equal((await server.api('POST', '/v1/auth/email/verify', { token: 't' }, null, { 'x-forwarded-for': '93.184.216.35' })).status, 400);
  assert.equal((await me(owner.token)).status, 200);
});

test('passwords, tokens and keys are in no log', async () => {
  const { key } = (await server.api('POST', '/v1/keys', { kind: 'secret', name: 'unlogged' }, owner.token)).json;
  await server.api('GET', '/v1/tenant', undefined, key);
  await post('/v1/auth/login', { email: server.owner.email, password: 'a wrong one that is seen nowhere' });
  for (const secret of [server.owner.password, owner.token, owner.refresh_token, key, key.split('_').slice(2).join('_'), 'seen nowhere']) // a secret may hold a _
    assert.ok(secret.length > 10 && !server.log.includes(secret));
});

test('over https cookies are bound to the host, and browsers stay with https', async () => {
  const other = await Server.start({ tenants: [], settings: ['--http.public_url', 'https://millrace.example'] });
  try {
    const from = { origin: 'https://millrace.example', ...other.someAddress() };
    const login = await other.api('POST', '/v1/auth/login', { ...other.owner, cookies: true }, null, from);
    assert.equal(login.status, 200, login.text);
    assert.match(login.headers['strict-transport-security'], /max-age=\d{7,}/);
    const cookies = cookiesOf(login);
    assert.ok(cookies['__Host-millrace_access'].attributes.includes('Secure'));
    assert.ok(cookies['__Host-millrace_access'].attributes.includes('Path=/'));
    assert.ok(cookies['__Secure-millrace_refresh'].attributes.includes('Secure'));
    const cookie = `__Host-millrace_access=${cookies['__Host-millrace_access'].value}`;
    await waitFor('the cookie is known', async () => (await other.get('/v1/auth/me', null, { cookie })).status === 200);
    const refreshed = await other.api('POST', '/v1/auth/refresh', undefined, null, { ...from, cookie: `__Secure-millrace_refresh=${cookies['__Secure-millrace_refresh'].value}` });
    assert.equal(refreshed.status, 200, refreshed.text);
  } finally {
    await other.remove();
  }
});

test('who has changed something finds it at the next request', async () => {
  const { json: workspaces } = await server.api('GET', '/v1/workspaces', undefined, owner.token);
  for (let i = 0; i < 5; i++) {
    const made = await server.api('POST', '/v1/tenants', { name: `At once ${i}`, workspace_id: workspaces.data[0].workspace_id }, owner.token);
    assert.equal(made.status, 201, made.text);
    const tenant = { 'millrace-tenant': made.json.tenant_id };
    const key = await server.api('POST', '/v1/keys', { kind: 'write', name: 'first' }, owner.token, tenant);
    assert.equal(key.status, 201, key.text);
    const sent = await server.post('/v1/events', { name: 'at once' }, { key: key.json.key ?? key.json.text });
    assert.equal(sent.status, 200, sent.text);
  }
});
