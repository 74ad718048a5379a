// SPDX-License-Identifier: Apache-2.0
// A server with a certificate: every address speaks TLS, cookies know it, and a renewed certificate needs no restart.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import tls from 'node:tls';
import { command, send, Server, waitFor } from './harness.mjs';

const folder = mkdtempSync(join(tmpdir(), 'millrace-tls-'));
const certificate = join(folder, 'certificate.pem');
const key = join(folder, 'key.pem');
let server;

// Both files, replaced by renaming as tools that renew certificates do.
function renew(name) {
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30', '-subj', `/CN=${name}`,
    '-addext', `subjectAltName=DNS:${name},IP:127.0.0.1`, '-keyout', `${key}.new`, '-out', `${certificate}.new`], { stdio: 'ignore' });
  renameSync(`${certificate}.new`, certificate);
  renameSync(`${key}.new`, key);
}

/** The name in the certificate a new connection gets. */
function nameSeen(port = server.port) {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().subject.CN);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

before(async () => {
  renew('first.example');
  const settings = ['--tls.certificate_file', certificate, '--tls.key_file', key, '--otlp.http_listen', '127.0.0.1:0'];
  server = new Server(settings);
  server.tls = { ca: readFileSync(certificate) }; // checked, with its address
  const { secret_key } = await server.createTenant('main');
  server.environment = { MILLRACE_TELEMETRY_KEY: secret_key, MILLRACE_TELEMETRY_INTERVAL: '200ms' };
  await server.start();
});
after(async () => {
  await server?.remove();
  rmSync(folder, { recursive: true, force: true });
});

test('all addresses speak TLS: the page, events and questions', async () => {
  const { write_key, secret_key } = server.tenants.main;
  assert.match(server.url, /^https:/);
  assert.match(server.otlpUrl, /^https:/);
  const page = await server.get('/');
  assert.equal(page.status, 200);
  assert.match(page.text, /<html/);
  assert.equal((await send(`${server.otlpUrl}/readyz`, { tls: server.tls })).status, 200);
  const events = Array.from({ length: 400 }, (_, i) => ({ name: 'screen_view', path: `/${i}`, properties: { text: 'x'.repeat(2000) } })); // 800 kB
  const sent = await server.post('/v1/events', events, { key: write_key });
  assert.equal(sent.status, 200, sent.text);
  await server.events(400, "name = 'screen_view'", { columns: 'id, created_at' });
  const asked = await server.get('/v1/query/timeseries?measures=events&period=today', secret_key);
  assert.equal(asked.json.totals.events, 400, asked.text);
});

test('cookies are for https alone, and browsers stay with it', async () => {
  const origin = server.url;
  const login = await server.api('POST', '/v1/auth/login', { ...server.owner, cookies: true }, null, { origin, ...server.someAddress() });
  assert.equal(login.status, 200, login.text);
  assert.match(login.headers['strict-transport-security'], /max-age=\d{7,}/);
  const access = login.headers['set-cookie'].find((line) => line.startsWith('__Host-millrace_access='));
  assert.match(access, /; Secure/);
  const cookie = access.split(';')[0];
  await waitFor('the cookie is known', async () => (await server.get('/v1/auth/me', null, { cookie })).status === 200);
});

test('plain HTTP is told where it should go', async () => {
  const answer = await send(server.url.replace('https', 'http') + '/readyz');
  assert.equal(answer.status, 400);
  assert.match(answer.text, /use https/);
});

test('HTTP/2 is chosen by those who speak it', async () => {
  const session = http2.connect(server.url, { ca: readFileSync(certificate) });
  try {
    const status = await new Promise((resolve, reject) => {
      session.on('error', reject);
      const stream = session.request({ ':path': '/readyz' });
      stream.on('response', (headers) => resolve(headers[':status']));
      stream.on('error', reject);
      stream.resume();
      stream.end();
    });
    assert.deepEqual([status, session.alpnProtocol], [200, 'h2']);
  } finally {
    session.destroy();
  }
});

test('only TLS 1.2 and later, and HTTP by name', async () => {
  const speak = (options) => new Promise((resolve) => {
    const socket = tls.connect({ host: '127.0.0.1', port: server.port, rejectUnauthorized: false, ...options }, () => {
      resolve([socket.getProtocol(), socket.alpnProtocol]);
      socket.destroy();
    });
    socket.on('error', (error) => resolve(error.code));
  });
  assert.deepEqual(await speak({ ALPNProtocols: ['http/1.1'] }), ['TLSv1.3', 'http/1.1']);
  assert.deepEqual(await speak({ maxVersion: 'TLSv1.2' }), ['TLSv1.2', false]);
  assert.equal(typeof (await speak({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' })), 'string');
});

test('a renewed certificate is taken while connections go on; a bad one is said and not taken', async () => {
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  try {
    const readyOnOld = () => send(`${server.url}/readyz`, { agent, tls: { rejectUnauthorized: false } });
    assert.equal((await readyOnOld()).status, 200);
    renew('second.example');
    await waitFor('the new certificate is in use', async () => (await nameSeen()) === 'second.example');
    assert.equal((await readyOnOld()).status, 200);
    const [socket] = Object.values(agent.freeSockets)[0];
    assert.equal(socket.getPeerCertificate().subject.CN, 'first.example', 'this connection began before');

    // The server speaks to itself by the key of the certificate in use, whatever its name.
    await waitFor("the server's own log line is stored", async () =>
      (await server.sql("SELECT count() AS lines FROM observability.logs_v3 WHERE body LIKE 'tls: a new certificate is in use%'"))[0].lines > 0);

    const good = readFileSync(certificate);
    writeFileSync(certificate, 'not a certificate');
    await waitFor('the log says so', () => /the certificate \S+ is no PEM certificate.*stays in use/.test(server.log));
    assert.equal(await nameSeen(), 'second.example');
    writeFileSync(certificate, good);
  } finally {
    agent.destroy();
  }
});

test('a certificate that cannot be used ends the start, with the reason', async () => {
  const serve = (...words) => command(['serve', '--data', join(folder, 'data'), '--listen', '127.0.0.1:0', ...words]);
  for (const [words, part] of [
    [['--tls.certificate_file', join(folder, 'none.pem'), '--tls.key_file', key], 'none.pem'],
    [['--tls.certificate_file', certificate], 'tls.key_file'],
    [['--tls.key_file', key], 'tls.certificate_file'],
    [['--tls.certificate_file', certificate, '--tls.key_file', certificate], 'no PEM key'],
  ]) {
    const { code, stdout, stderr } = await serve(...words);
    assert.notEqual(code, 0, words.join(' '));
    assert.equal(stdout, '');
    assert.ok(stderr.includes(part), stderr);
  }
});
