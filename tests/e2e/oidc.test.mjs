// SPDX-License-Identifier: Apache-2.0
// Single sign-on through a whole server, against an OpenID provider that this test is: authorization code with PKCE, rotation of
// its keys, and what must not let anybody in.
import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { Server, waitFor } from './harness.mjs';

const OWNER = 'owner@shop.example';
const PASSWORD = 'heron lantern oxbow quartz 41';
const CLIENT = 'millrace-e2e';
const CLIENT_SECRET = 'a secret: with & signs';

/** A provider of one client. `person` is who is logged in at it; `spoil` changes the claims or the signed token of the next login. */
class Provider {
  async start() {
    this.codes = new Map();
    this.requests = [];
    this.rotate('first');
    this.spoil = {};
    this.server = http.createServer((request, response) => this.#answer(request, response));
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.issuer = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  rotate(kid) {
    this.kid = kid;
    this.keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
  }

  /** What a browser that is logged in here would do: takes the address it was sent to, gives the one it is sent back to. */
  authorize(address) {
    const { searchParams: asked, pathname } = new URL(address);
    assert.equal(pathname, '/authorize');
    assert.equal(asked.get('response_type'), 'code');
    assert.equal(asked.get('client_id'), CLIENT);
    assert.equal(asked.get('code_challenge_method'), 'S256');
    assert.match(asked.get('scope'), /\bopenid\b/);
    const code = randomUUID();
    this.codes.set(code, { challenge: asked.get('code_challenge'), nonce: asked.get('nonce'), redirect: asked.get('redirect_uri') });
    const back = new URL(asked.get('redirect_uri'));
    back.search = new URLSearchParams({ code, state: asked.get('state'), session_state: 'x', iss: this.issuer });
    return back;
  }

  #token({ nonce }) {
    const now = Math.floor(Date.now() / 1000);
    const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = { iss: this.issuer, aud: CLIENT, iat: now, exp: now + 300, nonce, ...this.person, ...this.spoil.claims };
    const text = `${part({ alg: 'RS256', kid: this.kid, typ: 'JWT', ...this.spoil.header })}.${part(claims)}`;
    const token = `${text}.${sign('sha256', Buffer.from(text), this.keys.privateKey).toString('base64url')}`;
    return this.spoil.token ? this.spoil.token(token) : token;
  }

  #exchange(request, body) {
    const form = new URLSearchParams(body);
    const code = this.codes.get(form.get('code'));
    this.codes.delete(form.get('code'));
    const expected = Buffer.from(`${encodeURIComponent(CLIENT)}:${encodeURIComponent(CLIENT_SECRET)}`).toString('base64');
    if (request.headers.authorization !== `Basic ${expected}`) return [401, { error: 'invalid_client' }];
    const challenge = createHash('sha256').update(form.get('code_verifier') ?? '').digest('base64url');
    if (!code || form.get('grant_type') !== 'authorization_code' || form.get('redirect_uri') !== code.redirect || challenge !== code.challenge)
      return [400, { error: 'invalid_grant' }];
    return [200, { access_token: 'unused', token_type: 'Bearer', id_token: this.#token(code) }];
  }

  #answer(request, response) {
    let body = '';
    request.on('data', (bytes) => (body += bytes));
    request.on('end', () => {
      this.requests.push(`${request.method} ${request.url}`);
      const answers = {
        'GET /.well-known/openid-configuration': () => [200, {
          issuer: this.issuer, authorization_endpoint: `${this.issuer}/authorize`, token_endpoint: `${this.issuer}/token`, jwks_uri: `${this.issuer}/keys`,
          response_types_supported: ['code'], subject_types_supported: ['public'], id_token_signing_alg_values_supported: ['RS256'],
        }],
        'GET /keys': () => [200, { keys: [{ ...this.keys.publicKey.export({ format: 'jwk' }), kid: this.kid, use: 'sig', alg: 'RS256' }] }],
        'POST /token': () => this.#exchange(request, body),
      };
      const [status, answer] = (answers[`${request.method} ${request.url}`] ?? (() => [404, {}]))();
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
    });
  }

  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }
}

let server, provider, owner, role;

const bearer = (token) => ({ headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' } });
const cookiesOf = (answer) => Object.fromEntries((answer.headers['set-cookie'] ?? []).map((line) => line.split(';')[0].split(/=(.*)/s).slice(0, 2)));
const cookieHeader = (cookies) => ({ cookie: Object.entries(cookies).map(([name, value]) => `${name}=${value}`).join('; ') });

// Every login comes from an address of its own: how often one address may try is the front door's business.
let visitors = 0;
const visitor = () => ({ 'x-forwarded-for': `198.51.100.${++visitors}` });

/** A login by a browser: { location, cookies } of the last answer. `between` may change what the browser sends back. */
async function login({ returnTo = '/', between = (back, cookies) => [back, cookies] } = {}) {
  const from = visitor();
  const start = await server.send(`/v1/auth/oidc/shop/start?return_to=${encodeURIComponent(returnTo)}`, { headers: from });
  assert.equal(start.status, 302, start.text);
  const line = start.headers['set-cookie'].find((cookie) => cookie.startsWith('millrace_login='));
  assert.match(line, /HttpOnly/i);
  assert.match(line, /SameSite=Lax/i);
  const [back, cookies] = between(provider.authorize(start.headers.location), cookiesOf(start));
  const end = await server.send(back.pathname + back.search, { headers: { ...from, ...cookieHeader(cookies) } });
  assert.equal(end.status, 302, end.text);
  return { location: end.headers.location, cookies: cookiesOf(end) };
}

function assertOutside({ location, cookies }, word) {
  assert.equal(location, `/#error=sso_${word}`);
  assert.ok(!cookies.millrace_access && !cookies.millrace_refresh, 'no session was begun');
}

before(async () => {
  provider = await new Provider().start();
  server = await Server.start({ environment: { MILLRACE_OWNER_EMAIL: OWNER, MILLRACE_OWNER_PASSWORD: PASSWORD } });
  const answer = await server.post('/v1/auth/login', { email: OWNER, password: PASSWORD });
  assert.equal(answer.status, 200, answer.text);
  owner = answer.json.access_token;
  role = (await server.send('/v1/roles', bearer(owner))).json.data.find((one) => one.role_type === 'viewer').role_id;
  const made = await server.send('/v1/identity_providers', {
    method: 'POST', ...bearer(owner),
    body: JSON.stringify({ name: 'Shop', code: 'shop', issuer: provider.issuer, client_id: CLIENT, allowed_domains: ['shop.example'], auto_create_users: true, default_role_id: role }),
  });
  assert.equal(made.status, 201, made.text);
  const secret = await server.send(`/v1/identity_providers/${made.json.identity_provider_id}/client_secret`, {
    method: 'PUT', ...bearer(owner), body: JSON.stringify({ client_secret: CLIENT_SECRET }),
  });
  assert.equal(secret.status, 204, secret.text);
  const shown = await server.send(`/v1/identity_providers/${made.json.identity_provider_id}`, bearer(owner));
  assert.ok(!/secret/.test(shown.text), 'the client secret is not shown');
});

after(async () => {
  await server?.remove();
  provider?.stop();
});

test('the login page learns of the provider', async () => {
  assert.deepEqual((await server.send('/v1/auth/oidc', { headers: visitor() })).json, { data: [{ code: 'shop', name: 'Shop' }] });
});

test('a new person of an allowed domain becomes a user, and is the same one next time', async () => {
  provider.person = { sub: 'ada-1', email: 'Ada@Shop.example', email_verified: true, given_name: 'Ada' };
  const first = await login({ returnTo: '/pages?range=7d' });
  assert.equal(first.location, '/pages?range=7d');
  // Event loops learn of a user within some hundred milliseconds.
  const me = await waitFor('the new user is known', async () => {
    const answer = await server.send('/v1/auth/me', { headers: cookieHeader(first.cookies) });
    return answer.status === 200 && answer;
  });
  assert.match(me.text, /ada@shop\.example/);
  provider.person = { sub: 'ada-1' };
  const second = await login();
  assert.equal(second.location, '/');
  const again = await server.send('/v1/auth/me', { headers: cookieHeader(second.cookies) });
  assert.match(again.text, /ada@shop\.example/);
});

test('people of other domains, and addresses nobody verified, stay out', async () => {
  provider.person = { sub: 'eve-1', email: 'eve@evil.example', email_verified: true };
  assertOutside(await login(), 'no_account');
  provider.person = { sub: 'eve-2', email: 'eve@shop.example', email_verified: false };
  assertOutside(await login(), 'email_unverified');
});

test('the owner of the installation cannot be taken over by a provider', async () => {
  provider.person = { sub: 'fake-owner', email: OWNER, email_verified: true };
  assertOutside(await login(), 'account_protected');
});

test('a login ends in the browser that began it, and once', async () => {
  provider.person = { sub: 'ada-1' };
  assertOutside(await login({ between: (back) => [back, {}] }), 'expired');
  assertOutside(await login({ between: (back, cookies) => [back, { ...cookies, millrace_login: 'A'.repeat(43) }] }), 'expired');
  let used;
  const good = await login({ between: (back, cookies) => (used = [back, cookies]) });
  assert.equal(good.location, '/');
  const replayed = await server.send(used[0].pathname + used[0].search, { headers: { ...visitor(), ...cookieHeader(used[1]) } });
  assertOutside({ location: replayed.headers.location, cookies: cookiesOf(replayed) }, 'expired');
});

test('a token that is not what the provider signed for this login lets nobody in', async () => {
  provider.person = { sub: 'ada-1' };
  const unsigned = Buffer.from(JSON.stringify({ alg: 'none' })).toString('base64url');
  const changed = (token) => {
    const [header, claims, signature] = token.split('.');
    const edited = { ...JSON.parse(Buffer.from(claims, 'base64url')), sub: 'somebody-else' };
    return [header, Buffer.from(JSON.stringify(edited)).toString('base64url'), signature].join('.');
  };
  const cases = [
    { claims: { nonce: 'another' } }, { claims: { aud: 'another' } }, { claims: { iss: 'https://another.example' } }, { claims: { exp: 1000 } },
    { claims: { azp: 'another' } }, { header: { alg: 'HS256' } }, { header: { kid: 'unknown' } }, { token: changed },
    { token: (token) => `${unsigned}.${token.split('.')[1]}.` },
  ];
  for (const spoil of cases) {
    provider.spoil = spoil;
    assertOutside(await login(), 'token_refused');
  }
  provider.spoil = {};
  assert.equal((await login()).location, '/');
});

test('new keys of the provider are found', async () => {
  provider.person = { sub: 'ada-1' };
  provider.rotate('second');
  assert.equal((await login()).location, '/');
});

test('what the provider refuses ends at the page', async () => {
  const refused = (back) => {
    const state = back.searchParams.get('state');
    back.search = new URLSearchParams({ error: 'access_denied', error_description: 'no "thanks"', state });
    return back;
  };
  assertOutside(await login({ between: (back, cookies) => [refused(back), cookies] }), 'denied');
  assertOutside(await login({ between: (back, cookies) => [(back.searchParams.set('code', 'forged'), back), cookies] }), 'denied');
});

test('a login leads to no other site', async () => {
  for (const path of ['https://evil.example/', '//evil.example', '/\\evil.example', '/%0d%0aSet-Cookie:%20a=b', '/a\r\nb']) {
    const address = `/v1/auth/oidc/shop/start?return_to=${path.includes('%0d') ? path : encodeURIComponent(path)}`;
    const answer = await server.send(address, { headers: visitor() });
    assert.equal(answer.status, 400, `${path}: ${answer.headers.location}`);
  }
  assert.equal((await server.send('/v1/auth/oidc/nobody/start', { headers: visitor() })).status, 404);
});

test('a provider that was switched off lets nobody in', async () => {
  const [{ identity_provider_id: id }] = (await server.send('/v1/identity_providers', bearer(owner))).json.data;
  const change = await server.send(`/v1/identity_providers/${id}`, { method: 'PATCH', ...bearer(owner), body: JSON.stringify({ is_active: false }) });
  assert.equal(change.status, 200, change.text);
  assert.equal((await server.send('/v1/auth/oidc/shop/start', { headers: visitor() })).status, 404);
  assert.deepEqual((await server.send('/v1/auth/oidc', { headers: visitor() })).json, { data: [] });
});
