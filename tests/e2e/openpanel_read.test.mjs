// SPDX-License-Identifier: Apache-2.0
// OpenPanel's read API: who may ask, how refusals look, what the answers hold.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { Server } from './harness.mjs';

let server, keys;
before(async () => {
  server = await Server.start({ tenants: ['main', 'other'], settings: ['--spool.seal_age', '100ms'] });
  keys = server.tenants.main;
  const answer = await server.post('/v1/events', [
    { name: 'screen_view', session_id: 's1', device_id: 'd1', path: '/a' },
    { name: 'screen_view', session_id: 's2', device_id: 'd2', path: '/b' },
  ], { key: keys.write_key });
  assert.equal(answer.status, 200, answer.text);
  await server.post('/v1/events', [{ name: 'screen_view', device_id: 'foreign', path: '/a' }], { key: server.tenants.other.write_key });
  for (const tenant of Object.values(server.tenants)) await server.settle(tenant.write_key);
});
after(() => server?.remove());

const client = (secret = keys.secret_key, id = keys.write_key) => ({ 'openpanel-client-id': id, 'openpanel-client-secret': secret });
const ask = (path, headers = client()) => server.send(path, { headers });

test('a secret key in OpenPanel\'s headers reads its project, by id and by any name', async () => {
  for (const project of [keys.tenant, 'my-shop', 'main']) assert.deepEqual((await ask(`/insights/${project}/live`)).json, { visitors: 2 }, project);
  assert.deepEqual((await server.get(`/insights/${keys.tenant}/live`, keys.secret_key)).json, { visitors: 2 });
});

test('refusals have the shapes of that API', async () => {
  for (const [headers, status] of [[{}, 401], [client('wrong'), 401], [client('', randomUUID()), 401], [client('', keys.write_key), 403]]) {
    const answer = await ask(`/insights/${keys.tenant}/live`, headers);
    assert.equal(answer.status, status, answer.text);
    assert.deepEqual(Object.keys(answer.json), ['error', 'message']);
    assert.equal(answer.json.error, status === 401 ? 'Unauthorized' : 'Forbidden');
  }
  const foreign = await ask(`/insights/${server.tenants.other.tenant}/live`);
  assert.deepEqual([foreign.status, foreign.json.status, foreign.json.error], [404, 404, 'Not Found']);
  const wrong = await ask(`/insights/${keys.tenant}/live?filter=pth:is:x`);
  assert.deepEqual([wrong.status, wrong.json.status, wrong.json.error], [400, 400, 'Bad Request']);
  assert.match(wrong.json.message, /path/);
});
