// SPDX-License-Identifier: Apache-2.0
// Feature flags: what people set up is what the code of clients is told, by our own requests and by Databuddy's client for Node.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { createServerFlagsManager } from '@databuddy/sdk/node';
import { Server, waitFor } from './harness.mjs';

let server, main, other, owner;
before(async () => {
  server = await Server.start({ tenants: ['main', 'other'] });
  ({ main, other } = server.tenants);
  owner = (await server.login(server.owner.email, server.owner.password)).token;
});
after(() => server?.remove());

const CACHE = 'public, max-age=15, s-maxage=30, stale-while-revalidate=15';
let lastKey = 0;
const newKey = (word = 'flag') => `${word}-${++lastKey}`;

const manage = (method, path, body, tenant = main) => server.api(method, path, body, owner, { 'millrace-tenant': tenant.tenant });
async function makeFlag(body, tenant = main) {
  const answer = await manage('POST', '/v1/flags', { flag_key: newKey(), ...body }, tenant);
  assert.equal(answer.status, 201, answer.text);
  return answer.json;
}
async function refused(body, field, message, status = 400) {
  const answer = await manage('POST', '/v1/flags', { flag_key: newKey(), ...body });
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.json.error.field, field, answer.text);
  assert.match(answer.json.error.message, message);
}
const query = (parameters) => new URLSearchParams(Object.fromEntries(Object.entries(parameters).filter(([, value]) => value !== undefined)));
const evaluate = (key, parameters = {}, headers = {}) =>
  server.get(`/public/v1/flags/evaluate?${query({ key, clientId: main.write_key, ...parameters })}`, null, headers);
const bulk = (parameters = {}, headers = {}) => server.get(`/public/v1/flags/bulk?${query({ clientId: main.write_key, ...parameters })}`, null, headers);
/** All loops know of a change when its answer is sent: no waiting anywhere here. */
const asked = async (key, parameters) => (await evaluate(key, parameters)).json;

test('a flag is off, then on, then gone, as soon as it was changed', async () => {
  const flag = await makeFlag({ payload: { color: 'red' }, default_value: false });
  assert.equal(flag.hash, 'stable');
  const answer = await evaluate(flag.flag_key);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers['cache-control'], CACHE);
  assert.deepEqual(answer.json, { enabled: false, value: false, payload: null, reason: 'BOOLEAN_DEFAULT' });
  assert.equal((await manage('PATCH', `/v1/flags/${flag.flag_id}`, { default_value: true })).status, 200);
  assert.deepEqual(await asked(flag.flag_key), { enabled: true, value: true, payload: { color: 'red' }, reason: 'BOOLEAN_DEFAULT' });
  assert.deepEqual(await asked(flag.flag_key, { clientId: main.tenant }), await asked(flag.flag_key), 'by the id of the tenant');
  assert.equal((await manage('PATCH', `/v1/flags/${flag.flag_id}`, { status: 'inactive' })).status, 200);
  const missing = { enabled: false, value: false, payload: null, reason: 'FLAG_NOT_FOUND' };
  assert.deepEqual(await asked(flag.flag_key), missing);
  assert.equal((await manage('PATCH', `/v1/flags/${flag.flag_id}`, { status: 'active' })).status, 200);
  assert.equal((await asked(flag.flag_key)).enabled, true);
  assert.equal((await manage('DELETE', `/v1/flags/${flag.flag_id}`)).status, 204);
  assert.deepEqual(await asked(flag.flag_key), missing);
  assert.equal((await manage('POST', `/v1/flags/${flag.flag_id}/restore`)).status, 200);
  assert.equal((await asked(flag.flag_key)).enabled, true);
});

test('flags of a tenant are told to nobody else, and unknown clients have none', async () => {
  const flag = await makeFlag({ default_value: true });
  for (const clientId of [other.write_key, other.tenant, randomUUID(), main.secret_key, 'x', `${main.write_key} `.repeat(3)]) {
    assert.equal((await asked(flag.flag_key, { clientId })).reason, 'FLAG_NOT_FOUND', clientId);
    assert.equal((await bulk({ clientId })).json.flags[flag.flag_key], undefined, clientId);
  }
  const theirs = await makeFlag({ default_value: true }, other);
  assert.equal((await asked(theirs.flag_key)).reason, 'FLAG_NOT_FOUND');
  const elsewhere = await manage('POST', '/v1/flags', { flag_key: newKey(), dependencies: [theirs.flag_key] });
  assert.equal(elsewhere.status, 400, 'another tenant\'s flag is no dependency');
});

test('what is missing or too much is said in the words of flags', async () => {
  const off = { enabled: false, value: false, payload: null };
  const at = async (path, status, expected) => {
    const answer = await server.get(path);
    assert.equal(answer.status, status, `${path}: ${answer.text}`);
    const { error, ...rest } = answer.json;
    assert.ok(error, answer.text);
    assert.deepEqual(rest, expected);
    assert.equal(answer.headers['cache-control'], 'no-store');
  };
  const none = (reason) => ({ flags: {}, count: 0, reason });
  await at('/public/v1/flags/evaluate?key=a', 422, { ...off, reason: 'MISSING_REQUIRED_PARAMS' });
  await at('/public/v1/flags/bulk', 422, none('MISSING_REQUIRED_PARAMS'));
  await at('/public/v1/flags/bulk?clientId=%20', 400, none('MISSING_REQUIRED_PARAMS'));
  await at(`/public/v1/flags/evaluate?clientId=${main.write_key}&key=`, 400, { ...off, reason: 'MISSING_REQUIRED_PARAMS' });
  await at(`/public/v1/flags/evaluate?clientId=${main.write_key}`, 422, { ...off, reason: 'MISSING_REQUIRED_PARAMS' });
  await at(`/public/v1/flags/bulk?clientId=${main.write_key}&keys=${'k'.repeat(129)}`, 400, none('EVALUATION_ERROR'));
  await at(`/public/v1/flags/bulk?clientId=${main.write_key}&keys=${Array.from({ length: 101 }, (_, i) => `k${i}`)}`, 400, none('EVALUATION_ERROR'));
  await at(`/public/v1/flags/bulk?clientId=${main.write_key}&properties=%7B`, 400, none('EVALUATION_ERROR'));
  await at(`/public/v1/flags/bulk?clientId=${main.write_key}&properties=%5B1%5D`, 400, none('EVALUATION_ERROR'));
  await at(`/public/v1/flags/bulk?clientId=${main.write_key}&userId=${'u'.repeat(513)}`, 400, none('EVALUATION_ERROR'));
  assert.deepEqual((await bulk({ keys: '' })).json, { flags: {}, count: 0 });
});

test('all flags at once, some of them, and by POST', async () => {
  const [a, b] = [await makeFlag({ default_value: true }), await makeFlag({ rules: [{ type: 'user_id', operator: 'equals', value: 'ada', enabled: true }] })];
  const all = (await bulk()).json;
  assert.equal(all.count, Object.keys(all.flags).length);
  assert.equal(all.flags[a.flag_key].enabled, true);
  assert.equal(all.flags[b.flag_key].enabled, false, 'those that are off are told too');
  const some = await bulk({ keys: `${b.flag_key},nowhere,${b.flag_key}`, userId: 'ada' });
  assert.deepEqual(some.json, { flags: { [b.flag_key]: { enabled: true, value: true, payload: null, reason: 'USER_RULE_MATCH' } }, count: 1 });
  const posted = await server.api('POST', '/public/v1/flags/bulk', { clientId: main.write_key, keys: [a.flag_key, b.flag_key], userId: 'ada', properties: { plan: 'pro' } });
  assert.equal(posted.status, 200, posted.text);
  assert.deepEqual(Object.keys(posted.json.flags), [a.flag_key, b.flag_key]);
});

test('pages of other sites may ask', async () => {
  const origin = 'https://shop.example';
  const answer = await bulk({}, { origin });
  assert.equal(answer.headers['access-control-allow-origin'], origin);
  const preflight = await server.send('/public/v1/flags/bulk', { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' } });
  assert.ok([200, 204].includes(preflight.status), preflight.text);
  assert.match(preflight.headers['access-control-allow-methods'], /POST/);
  assert.equal((await server.send('/v1/flags', { method: 'OPTIONS', headers: { origin } })).headers['access-control-allow-origin'], undefined);
});

test('rules, groups and properties', async () => {
  const group = await manage('POST', '/v1/target_groups', { name: 'staff', rules: [{ type: 'email', operator: 'ends_with', value: '@staff.example', enabled: true }] });
  assert.equal(group.status, 201, group.text);
  const flag = await makeFlag({
    target_group_ids: [group.json.target_group_id],
    rules: [
      { type: 'user_id', operator: 'in', batch: true, batchValues: ['bad'], enabled: false },
      { type: 'property', operator: 'equals', field: 'seats', value: 10, enabled: true },
    ],
  });
  const reason = async (parameters) => (await asked(flag.flag_key, parameters)).reason;
  assert.equal(await reason({ userId: 'bad', email: 'x@staff.example' }), 'USER_RULE_MATCH');
  assert.equal((await asked(flag.flag_key, { userId: 'bad', email: 'x@staff.example' })).enabled, false);
  assert.equal(await reason({ properties: JSON.stringify({ seats: 10 }) }), 'USER_RULE_MATCH');
  assert.equal(await reason({ properties: JSON.stringify({ seats: '10' }) }), 'BOOLEAN_DEFAULT');
  assert.equal(await reason({ email: 'x@staff.example' }), 'TARGET_GROUP_MATCH');
  const change = await manage('PATCH', `/v1/target_groups/${group.json.target_group_id}`, { rules: [] });
  assert.equal(change.status, 200, change.text);
  assert.equal(await reason({ email: 'x@staff.example' }), 'BOOLEAN_DEFAULT', 'a change of the group is seen too');
  const removal = await manage('DELETE', `/v1/target_groups/${group.json.target_group_id}`);
  assert.equal(removal.status, 409, removal.text);
});

test('shares, legacy ones by Databuddy\'s hash', async () => {
  const old = await makeFlag({ flag_key: 'checkout', type: 'rollout', hash: 'legacy', rollout_percentage: 22 });
  assert.equal((await asked('checkout', { userId: 'user_1' })).reason, 'ROLLOUT_ENABLED', 'its bucket is 21');
  assert.equal((await manage('PATCH', `/v1/flags/${old.flag_id}`, { rollout_percentage: 21 })).status, 200);
  assert.equal((await asked('checkout', { userId: 'user_1' })).reason, 'ROLLOUT_DISABLED');
  const fresh = await makeFlag({ type: 'rollout', rollout_percentage: 50 });
  const on = [];
  for (let i = 0; i < 60; i++) on.push((await asked(fresh.flag_key, { userId: `user ${i}` })).enabled);
  assert.ok(on.includes(true) && on.includes(false));
  const teams = await makeFlag({ type: 'rollout', rollout_percentage: 50, rollout_by: 'team' });
  const first = await asked(teams.flag_key, { userId: 'a', teamId: 't1' });
  assert.deepEqual(await asked(teams.flag_key, { userId: 'b', teamId: 't1' }), first);
});

test('variants', async () => {
  const variants = [{ key: 'a', value: 'red', weight: 30 }, { key: 'b', value: { size: 2 }, weight: 70 }];
  const flag = await makeFlag({ type: 'multivariant', variants });
  const seen = new Map();
  for (let i = 0; i < 40; i++) {
    const result = await asked(flag.flag_key, { userId: `user ${i}` });
    assert.deepEqual([result.enabled, result.reason], [true, 'MULTIVARIANT_EVALUATED']);
    seen.set(result.variant, result.value);
  }
  assert.deepEqual(Object.fromEntries(seen), { a: 'red', b: { size: 2 } });
});

test('logging in keeps the value where asked to', async () => {
  const flag = await makeFlag({ type: 'rollout', rollout_percentage: 50, persist_across_auth: true });
  for (let i = 0; i < 20; i++) {
    const before = await asked(flag.flag_key, { anonymousId: `anon_${i}` });
    assert.deepEqual(await asked(flag.flag_key, { anonymousId: `anon_${i}`, userId: `user_${i}`, email: 'x@y.example' }), before);
  }
});

test('environments', async () => {
  const key = newKey();
  await makeFlag({ flag_key: key, environment: 'production', default_value: true });
  await makeFlag({ flag_key: key, environment: 'staging', default_value: false });
  assert.equal((await asked(key)).reason, 'FLAG_NOT_FOUND');
  assert.equal((await asked(key, { environment: 'production' })).value, true);
  assert.equal((await asked(key, { environment: 'staging' })).value, false);
  const again = await manage('POST', '/v1/flags', { flag_key: key, environment: 'staging' });
  assert.equal(again.status, 409, again.text);
  assert.deepEqual(Object.keys((await bulk({ environment: 'production' })).json.flags), [key]);
});

test('a flag is off while one it depends on is off; circles are refused', async () => {
  const base = await makeFlag({ rules: [{ type: 'user_id', operator: 'equals', value: 'ada', enabled: true }] });
  const top = await makeFlag({ default_value: true, dependencies: [base.flag_key] });
  assert.equal((await asked(top.flag_key, { userId: 'ada' })).enabled, true);
  assert.deepEqual(await asked(top.flag_key, { userId: 'eve' }), { enabled: false, value: false, payload: null, reason: 'DEPENDENCY_DISABLED' });
  const circle = await manage('PATCH', `/v1/flags/${base.flag_id}`, { dependencies: [top.flag_key] });
  assert.equal(circle.status, 400, circle.text);
  assert.match(circle.json.error.message, /lead back/);
  const removal = await manage('DELETE', `/v1/flags/${base.flag_id}`);
  assert.equal(removal.status, 409, removal.text);
  assert.match(removal.json.error.message, new RegExp(top.flag_key));
  assert.equal((await manage('PATCH', `/v1/flags/${base.flag_id}`, { status: 'archived' })).status, 200);
  assert.equal((await asked(top.flag_key, { userId: 'ada' })).reason, 'DEPENDENCY_DISABLED');
});

test('steps of a schedule happen when they are due, and become the flag', async () => {
  const soon = Date.now() + 1500;
  const flag = await makeFlag({
    type: 'rollout', status: 'inactive',
    schedule: [{ scheduledAt: new Date(Date.now() - 1000).toISOString(), type: 'enable' }, { scheduledAt: soon, type: 'update_rollout', value: 100 },
      { scheduledAt: soon + 3_600_000, type: 'disable' }],
  });
  if (Date.now() < soon) assert.equal((await asked(flag.flag_key, { userId: 'ada' })).reason, 'ROLLOUT_DISABLED');
  await waitFor('the share is everybody', async () => (await asked(flag.flag_key, { userId: 'ada' })).reason === 'ROLLOUT_ENABLED');
  assert.ok(Date.now() >= soon);
  const patched = (await manage('PATCH', `/v1/flags/${flag.flag_id}`, { rollout_percentage: 0 })).json;
  assert.deepEqual([patched.status, patched.rollout_percentage, patched.schedule.map(({ type }) => type)], ['active', 0, ['disable']]);
  assert.equal((await asked(flag.flag_key, { userId: 'ada' })).reason, 'ROLLOUT_DISABLED', 'what was done by hand later stands');
  const left = await makeFlag({ schedule: [{ scheduledAt: 1000, type: 'disable' }] });
  assert.equal((await asked(left.flag_key)).reason, 'FLAG_NOT_FOUND');
  const row = await waitFor('steps become the row by themselves', async () => {
    const { json } = await manage('GET', `/v1/flags/${left.flag_id}`);
    return json.schedule.length === 0 && json;
  }, 30_000);
  assert.equal(row.status, 'inactive');
});

test('what cannot be a flag is refused by its field', async () => {
  await refused({ flag_key: 'has space' }, 'flag_key', /A-Z/);
  await refused({ flag_key: 'k'.repeat(101) }, 'flag_key', /1 to 100/);
  await refused({ default_value: 'on' }, 'default_value', /true or false/);
  await refused({ type: 'multivariant', variants: [{ key: 'a', value: 1, weight: 50 }] }, 'variants', /100 together/);
  await refused({ type: 'multivariant', variants: [{ key: 'a', value: 1, weight: 50 }, { key: 'b', value: 1 }] }, 'variants', /all have a weight/);
  await refused({ rules: [{ type: 'email', operator: 'matches', value: 'x', enabled: true }] }, 'rules[0]', /operator must be one of/);
  await refused({ rules: [{ type: 'email', operator: 'equals', enabled: true }] }, 'rules[0]', /must have a value/);
  await refused({ dependencies: ['nowhere'] }, 'dependencies', /nowhere is no flag/);
  await refused({ target_group_ids: [randomUUID()] }, 'target_group_ids', /target groups/);
  await refused({ schedule: [{ scheduledAt: 'tomorrow', type: 'enable' }] }, 'schedule[0]', /scheduledAt/);
  await refused({ hash: 'md5' }, 'hash', /stable, legacy/);
  const group = await manage('POST', '/v1/target_groups', { name: 'broken', rules: [{ type: 'email' }] });
  assert.equal(group.status, 400, group.text);
});

test('Databuddy\'s client for Node reads flags', async () => {
  const on = await makeFlag({ default_value: true, payload: { limit: 5 } });
  const off = await makeFlag({});
  const pro = await makeFlag({ rules: [{ type: 'property', operator: 'equals', field: 'plan', value: 'pro', enabled: true }] });
  const many = await makeFlag({ type: 'multivariant', environment: 'production', variants: [{ key: 'only', value: 'blue' }] });
  const manager = createServerFlagsManager({ clientId: main.write_key, apiUrl: server.url, user: { userId: 'ada', email: 'ada@shop.example', properties: { plan: 'pro' } } });
  await manager.waitForInit();
  const found = await manager.getFlag(on.flag_key);
  assert.deepEqual([found.enabled, found.value, found.payload, found.reason], [true, true, { limit: 5 }, 'BOOLEAN_DEFAULT']);
  assert.equal((await manager.getFlag(off.flag_key)).enabled, false);
  assert.equal((await manager.getFlag(pro.flag_key)).reason, 'USER_RULE_MATCH');
  assert.equal((await manager.getFlag('nowhere')).enabled, false);
  manager.destroy?.();
  const production = createServerFlagsManager({ clientId: main.write_key, apiUrl: server.url, environment: 'production', user: { userId: 'ada' } });
  await production.waitForInit();
  const variant = await production.getFlag(many.flag_key);
  assert.deepEqual([variant.enabled, variant.value, variant.variant], [true, 'blue', 'only']);
  production.destroy?.();
});

test('flags are there again after a restart', async () => {
  const flag = await makeFlag({ default_value: true });
  assert.equal((await server.stop()).code, 0);
  await server.start();
  assert.equal((await asked(flag.flag_key)).enabled, true);
});

test('600 requests a minute, then 429, of that address alone', async () => {
  const headers = server.someAddress();
  const flag = await makeFlag({ default_value: true });
  let refusal;
  for (let sent = 0; sent < 2000 && !refusal; sent += 50) {
    const answers = await Promise.all(Array.from({ length: 50 }, () => evaluate(flag.flag_key, {}, headers)));
    refusal = answers.find(({ status }) => status === 429);
    if (refusal) assert.ok(sent + 50 > 600, `refused after ${sent}`);
  }
  assert.ok(refusal, 'nothing was refused');
  assert.equal(refusal.json.reason, 'RATE_LIMITED');
  assert.ok(Number(refusal.headers['retry-after']) >= 1);
  assert.equal((await evaluate(flag.flag_key, {}, server.someAddress())).status, 200);
});
