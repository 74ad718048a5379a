// SPDX-License-Identifier: Apache-2.0
// What one query of Prometheus' API may take: time ends it, also when it only computes.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server } from './harness.mjs';

let server;
before(async () => {
  server = await Server.start({ tenants: ['a'], settings: ['--query.timeout', '500ms'] });
});
after(() => server?.remove());

test('a query that computes for hours ends with the time of questions, whatever it asks for itself', async () => {
  const now = Math.floor(Date.now() / 1000);
  const words = new URLSearchParams({ query: 'quantile_over_time(0.5,vector(1)[6d:100ms])', start: now - 10_000, end: now, step: 1, timeout: '1000h' });
  const answer = await server.get(`/api/v1/query_range?${words}`, server.tenants.a.secret_key);
  assert.equal(answer.status, 503, answer.text.slice(0, 300));
  assert.equal(answer.json.errorType, 'timeout');
});
