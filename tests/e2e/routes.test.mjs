// SPDX-License-Identifier: Apache-2.0
// Every operation of /openapi.json is tried by those who may not: nobody, broken tokens, the other organization, too small a
// role. A new route is tried without being mentioned here.
import assert from 'node:assert/strict';
import { createHmac, hkdfSync, randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { repository } from './harness.mjs';
import { bodyOf, makeWorld, otherSide, word } from './world.mjs';

let world, server, operations;
// Requests look as if they came through a proxy: what is open to this machine alone is tried as a stranger.
const stranger = { 'x-forwarded-for': '198.18.0.7' };

before(async () => {
  world = await makeWorld();
  server = world.server;
  operations = Object.entries(world.document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      path, method: method.toUpperCase(), operation, name: `${method.toUpperCase()} ${path}`, access: operation['x-millrace-access'],
      scope: operation['x-millrace-scope'], permission: operation['x-millrace-permission'],
      isIngest: !('cookie' in Object.assign({}, ...operation.security)) && operation.security.length > 0,
    })));
});
after(() => server?.remove());

/** Values of a path's parameter that are this side's. */
function idsOf(side, path, parameter) {
  const mine = world[side];
  const known = {
    organization_id: [mine.organization], workspace_id: [mine.workspace], tenant_id: [mine.tenant], role_id: [mine.role],
    user_id: [mine.users.viewer.id], api_key_id: [mine.write.api_key_id, mine.secret.api_key_id],
    session_id: [mine.users.viewer.session_id],
  };
  for (const { id_name: name, id } of mine.things) (known[name] ??= []).push(id);
  if (parameter !== 'id') return known[parameter] ?? Object.values(known).flat();
  const kind = path.split('/')[2];
  const names = Object.keys(known).filter((name) => name === `${kind.replace(/s$/, '')}_id`);
  return names.length ? names.flatMap((name) => known[name]) : Object.values(known).flat();
}

/** The path with all its parameters filled in, one path per value. */
function pathsOf(side, path) {
  const parameters = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
  return parameters.reduce((paths, name) => paths.flatMap((at) => idsOf(side, path, name).map((id) => at.replace(`{${name}}`, id))), [path]);
}

const contextOf = (side) => ({ 'millrace-organization': world[side].organization, 'millrace-tenant': world[side].tenant });

const isForm = (operation) => Boolean(operation.requestBody?.content['application/x-www-form-urlencoded']);

/** Asks an operation; bodies are ones it would take. */
function ask({ path, method, operation }, { at = pathsOf('alpha', path)[0], side = 'alpha', token, headers = {} } = {}) {
  if (isForm(operation)) return server.send(at, { method, body: '', headers: { 'content-type': 'application/x-www-form-urlencoded', ...(token ? { authorization: `Bearer ${token}` } : {}), ...stranger, ...headers } });
  const body = operation.requestBody ? bodyOf(world.document, operation, side, (name) => idsOf(side, path, name)[0]) ?? {} : undefined;
  return server.api(method, at, body, token, { ...stranger, ...headers });
}

/** 401; routes that speak another product's dialect say it in that product's words. */
function assertNobody(answer, each, what) {
  if (each.path === '/px.jpg') return assert.deepEqual([answer.status, answer.headers['content-type']], [200, 'image/gif'], what); // a picture in any case: nothing is stored
  if (each.isIngest && answer.status === 400) assert.match(answer.text, /missing client id/i, `${each.name} ${what}: ${answer.text}`);
  else assert.equal(answer.status, 401, `${each.name} ${what}: ${answer.text}`);
}

const base64 = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
function sign(header, claims, key) {
  const text = `${base64(header)}.${base64(claims)}`;
  return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
}

test('the document is OpenAPI 3.1, and every operation says who may', async () => {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(structuredClone(world.document));
  assert.ok(valid, JSON.stringify(errors));
  assert.equal(validator.version, '3.1');
  assert.ok(operations.length > 100, `${operations.length} operations`);
  const ids = new Set();
  for (const { name, operation, access, permission, scope } of operations) {
    assert.ok(['open', 'logged_in', 'permitted'].includes(access), name);
    assert.equal(access === 'permitted', /^[a-z_]+:[a-z]+$/.test(permission ?? '') && ['installation', 'organization', 'tenant'].includes(scope), name);
    assert.equal(access === 'open', operation.security.length === 0, name);
    assert.ok(!ids.has(operation.operationId), operation.operationId);
    ids.add(operation.operationId);
  }
});

test('what is open to all is a short list', () => {
  const open = operations.filter(({ access }) => access === 'open').map(({ name }) => name);
  for (const name of open) assert.match(name, /^(GET \/(healthz|readyz|openapi\.json|l\/\{slug\}|public\/v1\/shared\/\{token\}(\/overview|\/reports\/\{report_id\})?)|POST \/public\/v1\/shared\/\{token\}|(GET|POST) \/v1\/auth\/.+|GET \/v1\/auth\/oidc|GET \/public\/v1\/flags\/(evaluate|bulk)|POST \/public\/v1\/flags\/bulk|POST \/webhooks\/(stripe|paddle)\/\{hash\})$/);
});

test('nobody gets 401 from everything that is not open', async () => {
  for (const each of operations.filter(({ access }) => access !== 'open')) {
    const answer = await ask(each);
    assertNobody(answer, each, 'without a token');
    if (!each.isIngest) assert.equal(answer.headers['www-authenticate'], 'Bearer', each.name);
    for (const side of ['alpha', 'beta']) assert.ok(!answer.text.includes(word(side)), answer.text);
  }
});

test('broken, expired and foreign tokens are nobody', async () => {
  const secret = readFileSync(join(server.directory, 'secret'));
  const key = Buffer.from(hkdfSync('sha256', secret, '', 'jwt', 32));
  const good = JSON.parse(Buffer.from(world.alpha.users.admin.token.split('.')[1], 'base64url'));
  const header = JSON.parse(Buffer.from(world.alpha.users.admin.token.split('.')[0], 'base64url'));
  const seconds = Math.floor(Date.now() / 1000);
  const me = (token) => server.api('GET', '/v1/auth/me', undefined, token);
  assert.equal((await me(sign(header, good, key))).status, 200, 'a token signed here is good: the broken ones below are broken by what they say');
  const [head, claims, signature] = world.alpha.users.admin.token.split('.');
  const broken = {
    'expired': sign(header, { ...good, iat: seconds - 1000, exp: seconds - 1 }, key),
    'from the future': sign(header, { ...good, iat: seconds + 600, exp: seconds + 1200 }, key),
    'of another secret': sign(header, good, randomBytes(32)),
    'of the secret itself': sign(header, good, secret),
    'of another issuer': sign(header, { ...good, iss: 'somebody' }, key),
    'of no user': sign(header, { ...good, sub: randomUUID() }, key),
    'without a session': sign(header, { ...good, sid: undefined }, key),
    'with another algorithm': sign({ ...header, alg: 'HS512' }, good, key),
    'unsigned': `${base64({ alg: 'none', typ: 'JWT' })}.${claims}.`,
    'with other claims': `${head}.${base64({ ...good, sub: world.beta.users.admin.id })}.${signature}`,
    'cut': world.alpha.users.admin.token.slice(0, -1),
    'garbage': 'garbage', 'dots': 'a.b.c', 'a key that is none': `mrs_${'a'.repeat(16)}_${'B'.repeat(43)}`, 'a UUID': randomUUID(),
    'a secret key without its end': world.alpha.secret_key.slice(0, -1),
    'the id of a secret key': world.alpha.secret_key.split('_')[1],
    'a refresh token': world.alpha.users.admin.refresh_token,
  };
  for (const [what, token] of Object.entries(broken)) {
    const answer = await me(token);
    assert.equal(answer.status, 401, `${what}: ${answer.text}`);
    assert.ok(!answer.text.includes(token), what);
  }
  for (const each of operations.filter(({ access }) => access !== 'open'))
    for (const what of ['expired', 'of another secret', 'garbage']) {
      const answer = await ask(each, { token: broken[what] });
      assertNobody(answer, each, `with a token ${what}`);
    }
});

test('one organization does not reach into the other by header', async () => {
  for (const each of operations.filter(({ access, scope, isIngest }) => access === 'permitted' && scope !== 'installation' && !isIngest))
    for (const side of ['alpha', 'beta'])
      for (const token of [world[side].users.admin.token, world[side].secret_key]) {
        const other = otherSide[side];
        const answer = await ask(each, { token, side: other, at: pathsOf(other, each.path)[0], headers: contextOf(other) });
        assert.ok([403, 404].includes(answer.status), `${each.name}: ${answer.status} ${answer.text}`);
        assert.ok(!answer.text.includes(word(other)), answer.text);
      }
});

/** Regions are places that all organizations see; permissions are the same for all. */
const sharedWithAll = (path) => path.startsWith('/v1/regions');
/** Names that anybody may choose for things of his own, as services and attributes: asking by one finds one's own or nothing. */
const isName = (path) => /\{(service|group|tag|label|name)\}/.test(path);

test('one organization does not reach into the other by id', async () => {
  const things = async () => {
    const seen = {};
    for (const { kind, id } of world.beta.things)
      seen[`${kind} ${id}`] = (await server.api('GET', `/v1/${kind}/${id}`, undefined, world.beta.users.admin.token)).text;
    return seen;
  };
  const before = await things();
  assert.ok(Object.values(before).every((text) => text.includes(word('beta'))), JSON.stringify(before));
  for (const each of operations.filter(({ path, access, isIngest }) => path.includes('{') && access !== 'open' && !isIngest && !sharedWithAll(path)))
    for (const at of pathsOf('beta', each.path)) {
      const answer = await ask(each, { token: world.alpha.users.admin.token, at, side: 'alpha' });
      assert.ok([403, 404].includes(answer.status) || (isName(each.path) && [200, 400].includes(answer.status)), `${each.method} ${at}: ${answer.status} ${answer.text}`);
      assert.ok(!answer.text.includes(word('beta')), answer.text);
    }
  assert.deepEqual(await things(), before);
});

test('a body does not name things of the other', async () => {
  for (const each of operations.filter(({ method, operation, access }) => ['POST', 'PATCH', 'PUT'].includes(method) && operation.requestBody && access === 'permitted')) {
    const mine = bodyOf(world.document, each.operation, 'alpha', (name) => idsOf('alpha', each.path, name)[0]) ?? {};
    const theirs = bodyOf(world.document, each.operation, 'alpha', (name) => idsOf('beta', each.path, name)[0]) ?? {};
    if (JSON.stringify(mine) === JSON.stringify(theirs) || each.scope === 'installation') continue;
    const answer = await server.api(each.method, pathsOf('alpha', each.path)[0], theirs, world.alpha.users.admin.token, stranger);
    assert.ok(answer.status >= 400 && answer.status < 500, `${each.name}: ${answer.status} ${answer.text}`);
    assert.ok(!answer.text.includes(word('beta')), answer.text);
  }
});

// The source of truth of what roles may do: letters per permission.
const definition = readFileSync(join(repository, 'src/tenant/permission.def'), 'utf8');
const rolesOf = Object.fromEntries([...definition.matchAll(/^PERMISSION\(\w+, "(\w+)", "(\w+)", "(\w*)"/gm)].map(([, resource, action, roles]) => [`${resource}:${action}`, roles]));

test('a role without permissions gets 403 from everything that needs one', async () => {
  for (const each of operations.filter(({ access, isIngest }) => access === 'permitted' && !isIngest)) {
    const answer = await ask(each, { token: world.alpha.users.nothing.token, headers: each.scope === 'tenant' ? { 'millrace-tenant': world.alpha.tenant } : {} });
    assert.equal(answer.status, 403, `${each.name}: ${answer.text}`);
    assert.ok(!answer.text.includes(word('beta')), answer.text);
  }
});

test('a viewer looks at things and changes none', async () => {
  assert.ok(Object.keys(rolesOf).length > 50);
  let looked = 0;
  for (const each of operations.filter(({ access, isIngest }) => access === 'permitted' && !isIngest)) {
    const may = rolesOf[each.permission].includes('V') && each.scope !== 'installation';
    // A question with a body asks all the same.
    if (may && !isForm(each.operation) && !/^\/(v1|api\/v2)\/query(\/|$)/.test(each.path)) assert.equal(each.method, 'GET', `${each.name} needs only what a viewer has`);
    for (const at of pathsOf('alpha', each.path)) {
      const answer = await ask(each, { token: world.alpha.users.viewer.token, at, headers: each.scope === 'tenant' ? { 'millrace-tenant': world.alpha.tenant } : {} });
      if (!may) assert.equal(answer.status, 403, `${each.name}: ${answer.text}`);
      else assert.ok([200, 400, 404].includes(answer.status), `${each.name}: ${answer.status} ${answer.text}`);
      looked += answer.status === 200;
    }
  }
  assert.ok(looked > 20, `${looked} answers`);
});

test('write keys send and nothing else; no key is a user', async () => {
  for (const each of operations.filter(({ access, isIngest }) => access !== 'open' && !isIngest)) {
    const answer = await ask(each, { token: world.alpha.write_key });
    assert.ok([403, 404].includes(answer.status), `${each.name}: ${answer.status} ${answer.text}`);
    if (each.access !== 'logged_in') continue;
    assert.equal((await ask(each, { token: world.alpha.secret_key })).status, 403, each.name);
  }
});

test('paths say what may be done there', async () => {
  const all = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
  for (const [path, methods] of Object.entries(world.document.paths)) {
    const known = Object.keys(methods).map((name) => name.toUpperCase());
    const unknown = all.find((name) => !known.includes(name) && !(path === '/' && name === 'GET'));
    if (!unknown) continue;
    const answer = await server.api(unknown, pathsOf('alpha', path)[0], undefined, world.alpha.users.admin.token);
    assert.equal(answer.status, 405, `${unknown} ${path}: ${answer.text}`);
    if (!path.startsWith('/v1/') || path === '/v1/events') continue;
    const allowed = answer.headers.allow.split(', ');
    for (const name of known) assert.ok(allowed.includes(name), `${path}: ${answer.headers.allow}`);
    assert.ok(!allowed.includes(unknown));
  }
});

test('every answer has the headers that keep browsers from guessing, framing and keeping', async () => {
  for (const path of ['/healthz', '/v1/tenants', '/v1/nothing', '/openapi.json', '/']) {
    const { headers } = await server.api('GET', path, undefined, world.alpha.users.admin.token);
    assert.equal(headers['x-content-type-options'], 'nosniff', path);
    assert.equal(headers['x-frame-options'], 'DENY', path);
    assert.equal(headers['referrer-policy'], 'same-origin', path);
    assert.match(headers['content-security-policy'], /frame-ancestors 'none'/, path);
    assert.match(headers['x-request-id'], /^[0-9a-f]{16}$/, path);
    assert.equal(headers['strict-transport-security'], undefined, 'the public address is not https');
    if (path !== '/') assert.equal(headers['cache-control'], 'no-store', path);
  }
});

test('pages of other sites may send events, and ask nothing but flags', async () => {
  const origin = { origin: 'https://shop.example' };
  for (const each of operations) {
    const asked = await server.send(pathsOf('alpha', each.path)[0], { method: 'OPTIONS', headers: { ...origin, 'access-control-request-method': each.method } });
    const answer = await ask(each, { headers: { ...origin, ...server.someAddress() } });
    const open = each.isIngest || each.path.startsWith('/public/v1/flags/') ? 'https://shop.example' : undefined;
    assert.equal(asked.headers['access-control-allow-origin'], open, `OPTIONS ${each.path}`);
    assert.equal(answer.headers['access-control-allow-origin'], open, each.name);
  }
});
