// SPDX-License-Identifier: Apache-2.0
// Keys through the API and the command line: what they may do, where, how often; rotation and its grace; revocation; use.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { command, promised, Server, waitFor } from './harness.mjs';
import { makeUser } from './world.mjs';

const ACTS_MS = 1500; // a change acts at every loop within a second
const USAGE_MS = 20_000; // use is written down every ten seconds

let server, tenant, organization, owner, headers;
const call = (method, path, body, token = owner, more = headers) => server.api(method, path, body, token, more);

async function made(body, token = owner) {
  const answer = await call('POST', '/v1/keys', body, token);
  assert.equal(answer.status, 201, answer.text);
  return answer.json;
}
const sends = (key, more = {}) => server.post('/v1/events', { name: 'x' }, { key, headers: more });
const asks = (key) => server.get('/v1/query/top?dimension=name', key);
const becomes = (what, status, ask) =>
  waitFor(`${what}: ${status}`, async () => {
    const answer = await ask();
    if (answer.status !== status) throw new Error(`${answer.status} ${answer.text}`);
    return true;
  }, promised(ACTS_MS));

before(async () => {
  server = await Server.start({ tenants: ['alpha', 'beta'], settings: ['--loops', '3'] });
  tenant = server.tenants.alpha.tenant;
  owner = (await server.login(server.owner.email, server.owner.password)).token;
  organization = (await server.api('GET', '/v1/organizations', undefined, owner)).json.data.find(({ code }) => code === 'default').organization_id;
  headers = { 'millrace-organization': organization, 'millrace-tenant': tenant };
});
after(() => server?.remove());

test('a new key works within a second, and its text is seen once', async () => {
  const key = await made({ kind: 'secret', name: 'backend' });
  assert.match(key.key, /^mrs_[a-z0-9]{16}_[A-Za-z0-9_-]{43}$/);
  assert.deepEqual(key.permissions.includes('events:read') && key.permissions.includes('events:write'), true);
  await becomes('sending', 200, () => sends(key.key));
  await becomes('asking', 200, () => asks(key.key));
  const shown = await call('GET', `/v1/keys/${key.api_key_id}`);
  assert.equal(shown.status, 200, shown.text);
  const secret = key.key.split('_').slice(2).join('_');
  for (const text of [shown.text, (await call('GET', '/v1/keys')).text]) {
    assert.ok(text.includes(key.api_key_id));
    assert.ok(!text.includes(secret) && !text.includes('argon2'));
  }
  const write = await made({ kind: 'write', name: 'page' });
  await becomes('sending', 200, () => sends(write.key));
  assert.equal((await asks(write.key)).status, 403);
});

test('rotation: both texts work during the grace, then only the new one', async () => {
  for (const kind of ['write', 'secret']) {
    const key = await made({ kind, name: `rotated ${kind}` });
    await becomes('the first text', 200, () => sends(key.key));
    const answer = await call('POST', `/v1/keys/${key.api_key_id}/rotate`, { grace_seconds: 3 });
    assert.equal(answer.status, 200, answer.text);
    assert.notEqual(answer.json.key, key.key);
    assert.equal(answer.json.version, 2);
    await becomes('the new text', 200, () => sends(answer.json.key));
    assert.equal((await sends(key.key)).status, 200, 'the old one, in its grace');
    await waitFor('the grace ends', async () => (await sends(key.key)).status === 401, 3000 + promised(ACTS_MS));
    assert.equal((await sends(answer.json.key)).status, 200);
  }
});

test('a revoked key stops everywhere within a second, also by its leaked text from the command line', async () => {
  const key = await made({ kind: 'secret', name: 'leaked' });
  await becomes('sending', 200, () => sends(key.key));
  const { code, stdout, stderr } = await command(['key', 'revoke', key.key, '--reason', 'in a log', '--data', server.directory, '--json'], { environment: server.environment });
  assert.equal(code, 0, stderr);
  assert.equal(JSON.parse(stdout).api_key_id, key.api_key_id);
  await becomes('revoked', 401, () => sends(key.key));
  for (let i = 0; i < 20; i++) assert.equal((await sends(key.key)).status, 401, 'at every loop');
  const shown = (await call('GET', `/v1/keys/${key.api_key_id}`)).json;
  assert.deepEqual([shown.status, shown.revoked_reason, shown.revoked_by], ['revoked', 'in a log', 'command']);
  assert.equal((await call('POST', `/v1/keys/${key.api_key_id}/rotate`, {})).status, 409);
});

test('what a write key may not do from where it was sent, and what is too large to be read, stands in blocked_traffic', async () => {
  const key = await made({ kind: 'write', name: 'watched', allowed_origins: ['watched.example'] });
  await becomes('known', 200, () => sends(key.key, { origin: 'https://watched.example' }));
  assert.equal((await sends(key.key, { origin: 'https://thief.example' })).status, 403);
  assert.equal((await sends(key.key)).status, 403);
  const large = await server.post('/v1/events', Buffer.alloc(17 << 20, ' '), { key: key.key, headers: { origin: 'https://watched.example' } });
  assert.equal(large.status, 413, large.text);
  assert.equal((await call('PATCH', `/v1/keys/${key.api_key_id}`, { allowed_origins: [], allowed_addresses: ['198.51.100.0/24'] })).status, 200);
  await becomes('elsewhere', 403, () => sends(key.key, { 'x-forwarded-for': '192.0.2.99' }));
  const expected = [['ip_not_authorized', 'Security Check'], ['origin_missing', 'Security Check'], ['origin_not_authorized', 'Security Check'], ['payload_too_large', 'Validation Error']];
  let rows = [];
  await waitFor('the refusals are written down', async () => {
    rows = await server.sql("SELECT block_reason, block_category, any(origin) AS origin, max(payload_size) AS size, any(detail) AS detail, any(path) AS path FROM analytics.blocked_traffic WHERE block_category != 'Known Bot' GROUP BY ALL ORDER BY block_reason");
    return rows.length === expected.length;
  });
  assert.deepEqual(rows.map((row) => [row.block_reason, row.block_category]), expected);
  assert.deepEqual([rows[2].origin, rows[2].path], ['https://thief.example', '/v1/events']);
  assert.ok(rows[3].size > 16 << 20, `${rows[3].size}`);
  assert.ok(!JSON.stringify(await server.sql("SELECT * FROM analytics.blocked_traffic WHERE block_reason = 'ip_not_authorized'")).includes('192.0.2.99'), 'no address is kept');
});

test('rules: origins, addresses, rate; a change acts within a second', async () => {
  const key = await made({ kind: 'write', name: 'rules', allowed_origins: ['shop.example', '*.shop.example'] });
  await becomes('from the shop', 200, () => sends(key.key, { origin: 'https://www.shop.example' }));
  assert.equal((await sends(key.key, { origin: 'https://thief.example' })).status, 403);
  const change = (body) => call('PATCH', `/v1/keys/${key.api_key_id}`, body);
  assert.equal((await change({ allowed_origins: [], allowed_addresses: ['198.51.100.0/24'] })).status, 200);
  await becomes('from here', 403, () => sends(key.key));
  assert.equal((await change({ allowed_addresses: [], rate_limit: 2 })).status, 200);
  await becomes('too often', 429, () => sends(key.key));
  for (const [body, field] of [[{ allowed_origins: ['no origin'] }, 'allowed_origins'], [{ allowed_addresses: ['x'] }, 'allowed_addresses'],
    [{ permissions: ['events:read'] }, 'permissions'], [{ permissions: ['nothing:real'] }, 'permissions'],
    [{ expires_at: '2020-01-01T00:00:00Z' }, 'expires_at'], [{ expires_at: '2099-01-01T00:00:00Z' }, 'expires_at'], [{ nothing: 1 }, 'nothing']]) {
    const answer = await change(body);
    assert.equal(answer.status, 400, `${JSON.stringify(body)} ${answer.text}`);
    assert.ok(answer.text.includes(field), answer.text);
  }
});

test('nobody gives a key what he lacks himself, or learns it by rotation', async () => {
  const developer = (await makeUser(server, owner, organization, 'developer@keys.example', { role: 'developer' })).token;
  await waitFor('the developer is known', async () => (await call('GET', '/v1/keys', undefined, developer)).status === 200);
  assert.equal((await call('POST', '/v1/keys', { kind: 'secret', name: 'a', permissions: ['audit:read'] }, developer)).status, 403);
  await made({ kind: 'secret', name: 'b', permissions: ['events:read'] }, developer);
  const strong = await made({ kind: 'secret', name: 'auditor', permissions: ['audit:read'] });
  assert.equal((await call('POST', `/v1/keys/${strong.api_key_id}/rotate`, {}, developer)).status, 403);
  assert.equal((await call('PATCH', `/v1/keys/${strong.api_key_id}`, { permissions: ['audit:read', 'people:erase'] }, developer)).status, 403);
  // A key cannot manage keys at all.
  assert.equal((await server.api('GET', '/v1/keys', undefined, server.tenants.alpha.secret_key)).status, 403);
  // Keys of another tenant are not there.
  const beta = { ...headers, 'millrace-tenant': server.tenants.beta.tenant };
  for (const [method, path, body] of [['GET', '', undefined], ['PATCH', '', { name: 'x' }], ['POST', '/rotate', {}], ['POST', '/revoke', {}], ['GET', '/usage', undefined]])
    assert.equal((await call(method, `/v1/keys/${strong.api_key_id}${path}`, body, owner, beta)).status, 404, `${method} ${path}`);
});

test('audit events over the API: the organization sees all of its own, a key only those of its tenant', async () => {
  const auditor = await made({ kind: 'secret', name: 'auditor 2', permissions: ['audit:read'] });
  const list = (token, query = '', more = {}) => server.api('GET', `/v1/audit${query}`, undefined, token, more);
  await waitFor('the event is listed', async () => {
    const answer = await list(owner, `?resource_id=${auditor.api_key_id}`, { 'millrace-organization': organization });
    if (answer.status !== 200) throw new Error(answer.text);
    return answer.json.data.length === 1 && answer.json.data[0].actor_kind === 'user' && answer.json.data[0].user_id !== '';
  });
  const ofOrganization = (await list(owner, '?limit=1000', { 'millrace-organization': organization })).json.data;
  assert.ok(ofOrganization.some(({ tenant_id }) => tenant_id === server.tenants.beta.tenant));
  await becomes('the key lists', 200, () => list(auditor.key));
  const ofTenant = (await list(auditor.key, '?limit=1000')).json.data;
  assert.ok(ofTenant.length > 0 && ofTenant.every(({ tenant_id }) => tenant_id === tenant));
  assert.equal((await list(server.tenants.alpha.secret_key)).status, 403, 'without the permission');
  assert.equal((await list()).status, 401);
  const wrong = await list(auditor.key, '?acton=x');
  assert.equal(wrong.status, 400);
  assert.ok(wrong.text.includes('Did you mean'), wrong.text);
});

test('use is counted by the hour and shown', async () => {
  const key = await made({ kind: 'write', name: 'counted', allowed_origins: ['shop.example'] });
  const shop = { origin: 'https://shop.example' };
  await becomes('sending', 200, () => sends(key.key, shop));
  await server.post('/v1/events', [{ name: 'a' }, { name: 'b' }], { key: key.key, headers: shop });
  assert.equal((await sends(key.key, { origin: 'https://thief.example' })).status, 403);
  const usage = async () => (await call('GET', `/v1/keys/${key.api_key_id}/usage?hours=2`)).json;
  await waitFor('the use is written down', async () => {
    const { totals } = await usage();
    return totals.requests >= 3 && totals.items >= 3 && totals.refused >= 1;
  }, USAGE_MS);
  const shown = (await call('GET', `/v1/keys/${key.api_key_id}`)).json;
  assert.ok(shown.usage_count >= 3);
  assert.ok(Date.parse(shown.last_used_at) > Date.now() - 60_000);
  assert.equal(shown.last_used_ip, '127.0.0.1');
});

test('the command line makes, lists, shows and counts', async () => {
  const run = async (...words) => {
    const { code, stdout, stderr } = await command(['key', ...words, '--data', server.directory], { environment: server.environment });
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const { api_key_id: id, key } = JSON.parse(await run('create', 'alpha', '--kind', 'write', '--name', 'cli', '--origins', 'a.example,b.example', '--permissions', 'events:write', '--expires', new Date(Date.now() + 86_400_000).toISOString(), '--json'));
  const shown = JSON.parse(await run('show', key, '--json'));
  assert.equal(shown.api_key_id, id);
  assert.deepEqual(shown.allowed_origins, ['a.example', 'b.example']);
  assert.deepEqual(shown.permissions, ['events:write']);
  const listed = JSON.parse(await run('list', tenant, '--json'));
  assert.ok(listed.some(({ api_key_id }) => api_key_id === id));
  assert.match(await run('list', 'alpha'), new RegExp(`${id}  write   active`));
  assert.match(await run('show', id), /^name +cli$/m);
  JSON.parse(await run('usage', id, '--json'));
  const { code, stderr } = await command(['key', 'show', 'mrs_nothing', '--data', server.directory]);
  assert.equal(code, 1);
  assert.ok(!stderr.includes('mrs_nothing'), 'what may be a key is not repeated');
});
