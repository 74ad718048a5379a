// SPDX-License-Identifier: Apache-2.0
// The addresses a server listens on: each serves everything; a default one may be taken, one that was set may not.
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { Server, command, send } from './harness.mjs';

let server;
before(async () => {
  server = await Server.start({ settings: ['--otlp.grpc_listen', '127.0.0.1:0', '--otlp.http_listen', '127.0.0.1:0'] });
});
after(() => server?.remove());

test('all addresses serve the same routes', async () => {
  const { write_key: key } = server.tenants.main;
  const urls = [server.url, server.grpcUrl, server.otlpUrl];
  assert.equal(new Set(urls).size, 3, `three addresses: ${urls}`);
  for (const [i, url] of urls.entries()) {
    assert.equal((await send(`${url}/readyz`)).status, 200, url);
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const answer = await send(`${url}/v1/events`, { method: 'POST', headers, body: JSON.stringify({ name: 'screen_view', path: `/by/${i}` }) });
    assert.equal(answer.status, 200, `${url} ${answer.text}`);
  }
  await server.events(3, "path LIKE '/by/%'", { columns: 'id, created_at' });
});

test('an address that is taken: set, it is an error with its setting; by default, a warning', async (t) => {
  const refused = await command(['serve', '--data', server.directory + '/other', '--listen', '127.0.0.1:0', '--otlp.http_listen', `127.0.0.1:${server.port}`]);
  assert.notEqual(refused.code, 0);
  for (const part of ['otlp.http_listen', String(server.port), 'another program']) assert.ok(refused.stderr.includes(part), refused.stderr);

  // Whoever has the default port: somebody else on this machine, or this test.
  const taken = net.createServer();
  const isOurs = await new Promise((resolve) => taken.once('error', () => resolve(false)).listen(4317, '127.0.0.1', () => resolve(true)));
  t.after(() => isOurs && taken.close());
  const other = new Server([], { MILLRACE_OTLP_GRPC_LISTEN: undefined });
  t.after(() => other.remove());
  await other.start();
  assert.equal(other.grpcUrl, undefined);
  assert.match(other.log, /otlp\.grpc_listen: cannot listen on 127\.0\.0\.1 port 4317.* is off/);
  assert.equal((await other.get('/readyz')).status, 200);
});

test('two servers never share a port', async () => {
  const result = await command(['serve', '--data', server.directory + '/other', '--listen', `127.0.0.1:${server.port}`]);
  assert.notEqual(result.code, 0);
  assert.ok(result.stderr.includes('setting listen') && result.stderr.includes('another program'), result.stderr);
});
