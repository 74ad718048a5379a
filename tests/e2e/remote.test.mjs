// SPDX-License-Identifier: Apache-2.0
// A server whose event store is somewhere else: over TCP, with names of its own, away for a while, behind TLS, behind a dead host.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import tls from 'node:tls';
import { Server, binary, command, send, waitFor } from './harness.mjs';

function freePort() {
  return new Promise((resolve, reject) => {
    const listener = net.createServer();
    listener.on('error', reject);
    listener.listen(0, '127.0.0.1', () => {
      const { port } = listener.address();
      listener.close(() => resolve(port));
    });
  });
}

/** `millrace engine` alone, playing the ClickHouse server of somebody else. */
class Remote {
  constructor(directory, port) {
    this.directory = directory;
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.log = '';
  }

  async start() {
    const words = ['engine', '--directory', this.directory, '--engine.listen', `127.0.0.1:${this.port}`];
    this.child = spawn(binary, words, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.child.stderr.on('data', (bytes) => (this.log += bytes));
    this.ended = new Promise((resolve) => this.child.on('exit', resolve));
    await waitFor(`the engine answers: ${this.log}`, async () => (await send(`${this.url}/ping`)).status === 200, 60_000);
    return this;
  }

  async stop(signal = 'SIGKILL') {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    await this.ended;
  }

  async sql(statement) {
    const query = new URLSearchParams({ log_comment: '* test', output_format_json_quote_64bit_integers: '0' });
    const answer = await send(`${this.url}/?${query}`, { method: 'POST', body: `${statement} FORMAT JSON` });
    if (answer.status !== 200) throw new Error(`${statement}: ${answer.text}`);
    return answer.json.data;
  }
}

/** The harness's server, but what is stored is looked for in the remote. */
class RemoteServer extends Server {
  static async startWith(remote, settings, prefix = '') {
    const server = new RemoteServer(settings);
    server.remote = remote;
    server.prefix = prefix;
    await server.createTenant('main');
    return server.start();
  }

  sql(statement) {
    return this.remote.sql(statement.replaceAll('analytics.', `${this.prefix}analytics.`));
  }
}

let remote, server, key, deadPort, folder;
before(async () => {
  folder = new Server(); // only for its directory
  remote = await new Remote(join(folder.directory, 'engine'), await freePort()).start();
  deadPort = await freePort();
  server = await RemoteServer.startWith(remote, [
    '--store.url', `http://127.0.0.1:${deadPort},${remote.url}`,
    '--store.compression', 'gzip',
    '--store.database_prefix', 'ours_',
  ], 'ours_');
  key = server.tenants.main.write_key;
});
after(async () => {
  await server?.remove();
  await remote?.stop();
  folder?.removeNow();
});

const take = async (names, to = server) => {
  const answer = await to.post('/v1/events', names.map((name) => ({ name })), { key: to.tenants.main.write_key });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.json.accepted, names.length, answer.text);
};
const isReady = async () => (await server.get('/readyz')).status === 200;

test('starts no engine of its own and makes its tables in the remote', async () => {
  assert.equal(server.enginePid, 0);
  assert.ok(await isReady());
  const databases = (await remote.sql("SELECT name FROM system.databases WHERE name LIKE '%analytics' OR name LIKE '%millrace' ORDER BY name"));
  assert.deepEqual(databases.map(({ name }) => name), ['ours_analytics', 'ours_millrace']);
});

test('stores events and answers questions', async () => {
  await take(Array.from({ length: 500 }, () => 'remote_counted')); // enough to be compressed
  await server.events(500, "name = 'remote_counted'", { columns: 'id, created_at' });
  const question = new URLSearchParams({ measures: 'events', period: '7d', filter: 'name:is:remote_counted' });
  const answer = await server.get(`/v1/query/timeseries?${question}`, server.tenants.main.secret_key);
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(answer.json.totals, { events: 500 });
});

test('takes events while the remote is away and stores each once when it is back', async () => {
  await take(['remote_before']);
  await remote.stop('SIGKILL');
  await waitFor('the server says that it is not ready', async () => !(await isReady()));
  for (let i = 0; i < 20; i++) await take([`remote_away_${i}`, 'remote_away']);
  await remote.start();
  await waitFor('the server is ready again', isReady, 30_000);
  await server.events(40, "name LIKE 'remote_away%'", { columns: 'id, name, created_at', deadlineMs: 30_000 });
  await server.events(1, "name = 'remote_before'", { columns: 'id, created_at', deadlineMs: 30_000 });
  await server.settle(key);
  const [{ rows, ids }] = await server.sql('SELECT count() AS rows, uniqExact(id) AS ids FROM analytics.events');
  assert.equal(rows, ids);
});

test('a server that starts again finds its events and repeats none', async () => {
  await take(['remote_restart']);
  await server.kill();
  await server.start();
  await server.events(1, "name = 'remote_restart'", { columns: 'id, created_at' });
  const [{ rows, ids }] = await server.sql('SELECT count() AS rows, uniqExact(id) AS ids FROM analytics.events');
  assert.equal(rows, ids);
});

test('the commands of an administrator reach the remote too', async () => {
  const settings = ['--data', server.directory, ...server.settings];
  const sql = await command(['sql', 'SELECT count() FROM analytics.events WHERE name = \'remote_before\'', ...settings]);
  assert.equal(sql.stdout.trim(), '1', sql.stderr);
  const status = await command(['migrate', 'status', ...settings]);
  assert.match(status.stdout, /analytics +0001_events +applied/, status.stderr);
});

test('a password is never shown', async () => {
  const shown = await command(['serve', '--print-config', '--store.password', 'hush-hush', '--store.url', 'http://h:1']);
  assert.match(shown.stdout, /^store\.password = \*\*\* /m);
  assert.doesNotMatch(shown.stdout + shown.stderr, /hush-hush/);
  const inUrl = await command(['sql', 'SELECT 1', '--data', server.directory, '--store.url', 'http://me:hush-hush@127.0.0.1:1']);
  assert.equal(inUrl.code, 2);
  assert.doesNotMatch(inUrl.stderr, /hush-hush/);
});

test('user and the password of a file go to the server as headers', async () => {
  const passwordFile = join(folder.directory, 'password');
  writeFileSync(passwordFile, 'from a file\n');
  const seen = [];
  const listener = http.createServer((request, response) => {
    seen.push(request.headers);
    request.resume().on('end', () => response.end('1\n'));
  });
  await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
  try {
    const url = `http://127.0.0.1:${listener.address().port}`;
    const { code, stderr } = await command(['sql', 'SELECT 1', '--data', folder.directory, '--store.url', url,
      '--store.user', 'someone', '--store.password_file', passwordFile]);
    assert.equal(code, 0, stderr);
    assert.equal(seen[0]['x-clickhouse-user'], 'someone');
    assert.equal(seen[0]['x-clickhouse-key'], 'from a file');
  } finally {
    listener.close();
    listener.closeAllConnections();
  }
});

test('a server ends at once when its login is refused', async () => {
  const listener = http.createServer((request, response) => {
    response.writeHead(403, { 'X-ClickHouse-Exception-Code': '516' });
    request.resume().on('end', () => response.end('Code: 516. DB::Exception: someone: Authentication failed. (AUTHENTICATION_FAILED)\n'));
  });
  await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
  try {
    const url = `http://127.0.0.1:${listener.address().port}`;
    const { code, stderr } = await command(['serve', '--data', folder.directory, '--listen', '127.0.0.1:0', '--store.url', url,
      '--store.user', 'someone', '--store.password', 'hush-hush'], { deadlineMs: 20_000 });
    assert.equal(code, 1, stderr);
    assert.match(stderr, /refuses the login.*someone/);
    assert.doesNotMatch(stderr, /hush-hush/);
  } finally {
    listener.close();
    listener.closeAllConnections();
  }
});

// What is said of settings that cannot work: the words that must be in it.
const wrong = [
  [['--store.url', 'ftp://x'], /must look like http/],
  [['--store.url', 'http://127.0.0.1:1', '--store.compression', 'rar'], /store\.compression.*none, gzip, zstd/],
  [['--store.url', 'http://127.0.0.1:1', '--store.database_prefix', '1-'], /prefix/],
  [['--store.url', 'http://127.0.0.1:1', '--store.ca_file', '/nowhere/ca.pem'], /store\.ca_file/],
  [['--store.url', 'http://127.0.0.1:1', '--store.password', 'a', '--store.password_file', 'b'], /not both/],
  [['--store.cluster', 'events'], /store\.url/],
];
for (const [settings, words] of wrong)
  test(`refuses ${settings.join(' ')}`, async () => {
    const { code, stderr } = await command(['sql', 'SELECT 1', '--data', folder.directory, ...settings]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, words);
  });

test('TLS: the certificate is checked, against store.ca_file when it is given', async () => {
  const [certificate, privateKey] = ['cert.pem', 'key.pem'].map((name) => join(folder.directory, name));
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=test', '-addext',
    'subjectAltName=IP:127.0.0.1', '-keyout', privateKey, '-out', certificate], { stdio: 'ignore' });
  const proxy = tls.createServer({ cert: readFileSync(certificate), key: readFileSync(privateKey) }, (outside) => {
    const inside = net.connect(remote.port, '127.0.0.1');
    for (const [from, to] of [[outside, inside], [inside, outside]]) {
      from.pipe(to);
      from.on('error', () => to.destroy());
    }
  });
  proxy.on('tlsClientError', () => {});
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  try {
    const words = ['sql', "SELECT 'over TLS'", '--data', folder.directory, '--store.url', `https://127.0.0.1:${proxy.address().port}`];
    const trusted = await command([...words, '--store.ca_file', certificate]);
    assert.equal(trusted.stdout, 'over TLS\n', trusted.stderr);
    const unknown = await command(words);
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /certificate/i);
    const otherName = [...words.slice(0, -1), `https://localhost:${proxy.address().port}`, '--store.ca_file', certificate];
    const wrongName = await command(otherName);
    assert.equal(wrongName.code, 1);
    assert.match(wrongName.stderr, /certificate|subject name|alternative/i);
  } finally {
    proxy.close();
  }
});
