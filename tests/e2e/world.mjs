// SPDX-License-Identifier: Apache-2.0
// Two organizations in one server that know nothing of each other: each with a workspace, a tenant, keys, users and one of
// every kind of thing, all named so that one can tell whose they are.
import assert from 'node:assert/strict';
import { Server, waitFor } from './harness.mjs';

// One for all bodies: two made one after the other must be equal.
const MOMENT = new Date().toISOString();
const PASSWORD = 'nine quiet herons by the mill pond';

/** A word that only this side's things hold. */
export const word = (side) => `only-${side}`;
export const otherSide = { alpha: 'beta', beta: 'alpha' };

async function made(answer, status = 201) {
  assert.equal(answer.status, status, answer.text);
  return answer.json;
}

/** Invites a user, lets him choose a password and logs him in: { id, email, token }. */
export async function makeUser(server, owner, organization, email, body = {}) {
  const headers = { 'millrace-organization': organization };
  const { user, link } = await made(await server.api('POST', '/v1/users', { email, ...body }, owner, headers));
  const token = link.slice(link.lastIndexOf('=') + 1);
  const reset = await server.api('POST', '/v1/auth/password/reset', { token, password: PASSWORD }, null, server.someAddress());
  assert.ok([200, 204].includes(reset.status), reset.text);
  return { id: user.user_id ?? user.id, email, password: PASSWORD, ...(await server.login(email, PASSWORD)) };
}

async function makeSide(server, owner, side, regionId) {
  const mine = word(side);
  const installation = (path, body) => server.api('POST', path, body, owner);
  const organization = (await made(await installation('/v1/organizations', { name: `organization ${mine}`, code: mine, region_id: regionId }))).organization_id;
  const headers = { 'millrace-organization': organization };
  const post = async (path, body, more = {}) => made(await server.api('POST', path, body, owner, { ...headers, ...more }));
  const known = (more) => async () => (await server.api('GET', '/v1/keys', undefined, owner, { ...headers, ...more })).status !== 404;
  await waitFor('the new organization is known to the loops', known({}));
  const workspace = (await post('/v1/workspaces', { name: `workspace ${mine}` })).workspace_id;
  const tenant = (await post('/v1/tenants', { name: `tenant ${mine}`, workspace_id: workspace })).tenant_id;
  const inTenant = { 'millrace-tenant': tenant };
  await waitFor('the new tenant is known to the loops', known(inTenant));
  const key = async (kind) => post('/v1/keys', { kind, name: `key ${mine} ${kind}` }, inTenant);
  const [write, secret] = [await key('write'), await key('secret')];
  const role = (await post('/v1/roles', { name: `role ${mine}` })).role_id;
  const users = {};
  for (const [name, body] of [['admin', { role: 'admin' }], ['viewer', { role: 'viewer' }], ['nothing', { role }]])
    users[name] = await makeUser(server, owner, organization, `${name}@${mine}.example`, { first_name: `first-${mine}`, last_name: `last-${mine}`, ...body });
  return { side, organization, workspace, tenant, role, users, write, secret, write_key: write.key, secret_key: secret.key, things: [] };
}

/** A value that a field takes, by its schema; texts hold the side's word. */
function valueOf(name, schema, side, refers) {
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  if (schema.enum) return schema.enum[0];
  if (type === 'boolean') return true;
  if (type === 'integer') return schema.minimum > 0 ? schema.minimum : 1;
  if (type === 'array') return [];
  if (name === 'definition') return { type: 'property', criteria: { properties: [{ name: 'id', operator: 'is', value: word(side) }] } };
  if (type === 'object') return { owner: word(side) };
  if (schema.format === 'uuid') return refers(name);
  if (schema.format === 'date-time') return MOMENT;
  if (schema.format === 'email') return `${name}@${word(side)}.example`;
  if (schema.format === 'uri') return `https://${word(side)}.example/${name}`;
  return schema.pattern ? `${word(side)}-${name.replaceAll('_', '-')}` : `${name} ${word(side)}`.slice(0, schema.maxLength);
}

/** The schema behind a reference inside the document. */
export const resolve = (document, schema) => (schema?.$ref ? schema.$ref.slice(2).split('/').reduce((at, name) => at[name], document) : schema);

/** A body that the operation takes, by its schema: required members alone. */
export function bodyOf(document, operation, side, refers) {
  const schema = resolve(document, operation.requestBody?.content?.['application/json']?.schema);
  if (!schema?.properties) return undefined;
  return Object.fromEntries((schema.required ?? []).map((name) => [name, valueOf(name, schema.properties[name], side, refers)]));
}

/** Everything that a side's admin may make by POST /v1/<kind>: things that hold the side's word. */
async function plant(server, document, world) {
  for (const [path, operations] of Object.entries(document.paths)) {
    const kind = /^\/v1\/([a-z_]+)$/.exec(path)?.[1];
    const schema = operations.post && resolve(document, operations.post.requestBody?.content?.['application/json']?.schema);
    if (!kind || !schema || operations.post['x-millrace-scope'] !== 'tenant' || !operations.get || kind === 'keys') continue;
    const refers = (name) => world.things.find((thing) => thing.id_name === name)?.id;
    const answer = await server.api('POST', path, bodyOf(document, operations.post, world.side, refers), world.users.admin.token, { 'millrace-tenant': world.tenant });
    if (answer.status === 403) continue; // for the installation's administrators
    assert.equal(answer.status, 201, `${path}: ${answer.text}`);
    const [idName, id] = Object.entries(answer.json)[0];
    assert.ok(answer.text.includes(word(world.side)), `${path} holds no word of its side: ${answer.text}`);
    world.things.push({ kind, id_name: idName, id });
  }
}

/** { server, document, owner, alpha, beta } */
export async function makeWorld(settings = {}) {
  const server = await Server.start({ tenants: [], ...settings });
  return fill(server).catch(async (error) => {
    await server.remove(); // nobody else knows it yet
    throw error;
  });
}

async function fill(server) {
  const document = (await server.get('/openapi.json')).json;
  const owner = (await server.login(server.owner.email, server.owner.password)).token;
  const { data } = (await server.api('GET', '/v1/regions', undefined, owner)).json;
  const world = { server, document, owner };
  for (const side of ['alpha', 'beta']) {
    world[side] = await makeSide(server, owner, side, data[0].region_id);
    await plant(server, document, world[side]);
  }
  return world;
}
