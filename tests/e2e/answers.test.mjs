// SPDX-License-Identifier: Apache-2.0
// Answers that are kept for a while: fresh for who wants it so, never another tenant's, gone with an erased person.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server, waitFor } from './harness.mjs';

let server, a, b;
const event = (device_id) => ({ name: 'screen_view', path: '/x', device_id, profile_id: `person ${device_id}` });
const live = (tenant, headers = {}) => server.get('/v1/query/live', tenant.secret_key, headers);
const visitors = async (...asked) => (await live(...asked)).json.visitors;
const send = async (tenant, ...devices) => {
  assert.equal((await server.post('/v1/events', devices.map(event), { key: tenant.write_key })).status, 200);
  await server.settle(tenant.write_key);
};
before(async () => {
  server = await Server.start({ tenants: ['a', 'b'], settings: ['--spool.seal_age', '100ms', '--query.cache', '1h'] });
  ({ a, b } = server.tenants);
  await send(a, 'd1');
});
after(() => server?.remove());

test('an equal question is answered from memory, and says how old the answer is', async () => {
  const first = await live(a);
  assert.equal(first.json.visitors, 1);
  assert.equal(first.headers.age, undefined);
  await send(a, 'd2');
  const second = await live(a);
  assert.equal(second.json.visitors, 1);
  assert.match(second.headers.age, /^\d+$/);
});

test('Cache-Control: no-cache asks anew', async () => {
  assert.equal(await visitors(a, { 'cache-control': 'no-cache' }), 2);
});

test('another tenant does not get it', async () => {
  assert.equal(await visitors(b), 0);
});

test('an erased person is in no answer from then on', async () => {
  assert.equal(await visitors(a), 1);
  const { email, password } = server.owner;
  const owner = (await server.login(email, password)).token;
  const erased = await server.api('POST', '/v1/people/erase', { profile_id: 'person d1' }, owner, { 'millrace-tenant': a.tenant });
  assert.equal(erased.status, 200, erased.text);
  assert.equal(await visitors(a), 1);
  await waitFor('the second person alone is there', async () => (await visitors(a, { 'cache-control': 'no-cache' })) === 1);
});

test('equal questions at once are asked once', async () => {
  const count = async () => {
    const { text } = await server.get('/metrics');
    return Object.fromEntries([...text.matchAll(/^millrace_query_answers_total\{by="(\w+)"\} (\d+)$/gm)].map(([, by, number]) => [by, Number(number)]));
  };
  const before = await count();
  const answers = await Promise.all(Array.from({ length: 20 }, () => server.get('/v1/query/live?filter=path:is:/x', a.secret_key)));
  assert.deepEqual([...new Set(answers.map(({ text }) => text))].length, 1);
  const now = await count();
  assert.equal(now.store - before.store, 1);
  assert.equal(now.memory + now.equal - before.memory - before.equal, 19);
});

test('a question with a bad regular expression is told so', async () => {
  const answer = await server.get(`/v1/query/live?filter=${encodeURIComponent('path:regex:(')}`, a.secret_key);
  assert.equal(answer.status, 400, answer.text);
});
