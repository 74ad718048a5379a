// SPDX-License-Identifier: Apache-2.0
// Single sign-on in a real browser: the button, the provider on another site, and back where one came from.
// What a provider must not achieve is tested in oidc.test.mjs.
import assert from 'node:assert/strict';
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { launch } from './browser.mjs';
import { Server } from './harness.mjs';

const OWNER = 'owner@shop.example';
const PASSWORD = 'heron lantern oxbow quartz 41';
const CLIENT = 'millrace-page';
const PATIENCE_MS = 15_000;

/** A provider at which `person` is always logged in: it sends browsers back at once. Named so that it is another site. */
class Provider {
  keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
  nonces = new Map();

  async start() {
    this.server = http.createServer((request, response) => this.#answer(request, response));
    await new Promise((resolve) => this.server.listen(0, 'localhost', resolve));
    this.issuer = `http://localhost:${this.server.address().port}`;
    return this;
  }
  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }

  #token(code) {
    const now = Math.floor(Date.now() / 1000);
    const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const text = `${part({ alg: 'RS256', kid: 'one', typ: 'JWT' })}.${part({ iss: this.issuer, aud: CLIENT, iat: now, exp: now + 300, nonce: this.nonces.get(code), ...this.person })}`;
    return `${text}.${sign('sha256', Buffer.from(text), this.keys.privateKey).toString('base64url')}`;
  }

  async #answer(request, response) {
    const url = new URL(request.url, this.issuer);
    let body = '';
    for await (const bytes of request) body += bytes;
    const json = (value) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    switch (url.pathname) {
      case '/.well-known/openid-configuration':
        return json({ issuer: this.issuer, authorization_endpoint: `${this.issuer}/authorize`, token_endpoint: `${this.issuer}/token`, jwks_uri: `${this.issuer}/keys`, response_types_supported: ['code'], subject_types_supported: ['public'], id_token_signing_alg_values_supported: ['RS256'] });
      case '/keys':
        return json({ keys: [{ ...this.keys.publicKey.export({ format: 'jwk' }), kid: 'one', use: 'sig', alg: 'RS256' }] });
      case '/authorize': {
        const code = randomUUID();
        this.nonces.set(code, url.searchParams.get('nonce'));
        const back = new URL(url.searchParams.get('redirect_uri'));
        back.search = new URLSearchParams({ code, state: url.searchParams.get('state') });
        return response.writeHead(302, { location: back.href }).end();
      }
      case '/token':
        return json({ access_token: 'unused', token_type: 'Bearer', id_token: this.#token(new URLSearchParams(body).get('code')) });
      default:
        return response.writeHead(404).end();
    }
  }
}

let server;
let provider;
let browser;

before(async () => {
  provider = await new Provider().start();
  server = await Server.start({ environment: { MILLRACE_OWNER_EMAIL: OWNER, MILLRACE_OWNER_PASSWORD: PASSWORD } });
  const login = await server.post('/v1/auth/login', { email: OWNER, password: PASSWORD });
  const key = login.json.access_token;
  const role = JSON.parse((await server.get('/v1/roles', key)).text).data.find(({ role_type }) => role_type === 'viewer').role_id;
  const made = await server.post('/v1/identity_providers', { name: 'Shop', code: 'shop', issuer: provider.issuer, client_id: CLIENT, allowed_domains: ['shop.example'], auto_create_users: true, default_role_id: role }, { key });
  assert.equal(made.status, 201, made.text);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.remove();
  provider?.stop();
});

async function sign_on(person, query) {
  provider.person = person;
  const context = await browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  await page.goto(`${server.url}/${query}`);
  await page.getByRole('link', { name: 'Continue with Shop' }).click();
  return { page, context };
}

test('a person of the provider is signed in where he wanted to be', async () => {
  const { page, context } = await sign_on({ sub: 'ada', email: 'ada@shop.example', email_verified: true, given_name: 'Ada' }, '?view=settings/security');
  await page.getByRole('heading', { level: 1, name: 'Security' }).waitFor();
  assert.equal(new URL(page.url()).search, '?view=settings/security');
  await page.getByText('You sign in by single sign-on and have no password').waitFor();
  await page.getByRole('list', { name: 'Sessions' }).getByText('by single sign-on').waitFor();
  await page.reload();
  await page.getByRole('heading', { level: 1, name: 'Security' }).waitFor();
  await context.close();
});

test('a person without an account is told so on the sign-in card', async () => {
  const { page, context } = await sign_on({ sub: 'eve', email: 'eve@evil.example', email_verified: true }, '');
  await page.getByRole('alert').filter({ hasText: 'There is no account for you here' }).waitFor();
  assert.equal(new URL(page.url()).hash, '');
  await context.close();
});
