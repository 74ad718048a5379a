// SPDX-License-Identifier: Apache-2.0
// The example domain src/domains/_shape, run end to end in the program that serves it: a new domain starts as its copy.
import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';

process.env.MILLRACE_BINARY = join(dirname(process.env.MILLRACE_BINARY ?? new URL('../../build/millrace', import.meta.url).pathname), 'millrace_with_shape');
const { Server, waitFor } = await import('./harness.mjs');
const server = await Server.start({ tenants: ['main', 'other'] });
after(() => server.remove());
const { write_key, secret_key } = server.tenants.main;

test('samples are stored once, over a restart too, and answered as a question', async () => {
  const samples = [{ id: '0190a6f0-0000-7000-8000-000000000001', value: 1.5 }, { value: -4 }];
  const first = await server.post('/v1/shape', samples, { key: write_key, headers: { 'millrace-wait': 'stored' } });
  assert.deepEqual(first.json, { accepted: 2, duplicates: 0 });
  await server.kill();
  await server.start();
  assert.deepEqual((await server.post('/v1/shape', samples[0], { key: write_key })).json, { accepted: 0, duplicates: 1 });
  await waitFor('the question is answered', async () => {
    const top = await server.get('/v1/query/top?source=samples&dimension=sign&measures=value_sum&period=today', secret_key);
    assert.deepEqual(top.json.rows, [{ value: 'positive', value_sum: 1.5 }, { value: 'negative', value_sum: -4 }]);
    return true;
  });
  const other = await server.get('/v1/query/top?source=samples&dimension=sign&measures=value_sum&period=today', server.tenants.other.secret_key);
  assert.deepEqual(other.json.rows, []);
});

test('a bad sample refuses its request and says which', async () => {
  const answer = await server.post('/v1/shape', [{ value: 1 }, { value: 'x' }], { key: write_key });
  assert.equal(answer.status, 400);
  assert.match(answer.text, /sample 1: must be a number/);
});
