// SPDX-License-Identifier: Apache-2.0
// The program's commands as people use them: help, exit codes, with and without a running server, clear refusals.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { binary, command, environmentWith, promised, repository, send, Server, waitFor } from './harness.mjs';

const DONE = 0;
const FAILED = 1;
const USAGE = 2;
const STOP_MS = 5000;

let server; // with one tenant, running
before(async () => {
  server = await Server.start();
});
after(() => server?.remove());

/** A folder of its own, without a server, removed when the test ends. */
function folder(t, settings, environment) {
  const made = new Server(settings, environment);
  t.after(() => made.remove());
  return made;
}
const json = (result) => {
  assert.equal(result.code, DONE, result.stderr);
  return JSON.parse(result.stdout);
};

// The commands as the program lists them.
async function commands() {
  const { stdout } = await command(['--help']);
  return stdout.split('commands:')[1].split('\n').map((line) => /^ {2}(\w+) /.exec(line)?.[1]).filter(Boolean);
}

test('--help lists the commands, and each has a --help of its own', async () => {
  const names = await commands();
  for (const expected of ['serve', 'demo', 'tenant', 'import', 'sql', 'migrate', 'engine']) assert.ok(names.includes(expected), expected);
  for (const name of names)
    for (const flag of ['--help', '-h']) {
      const result = await command([name, flag]);
      assert.equal(result.code, DONE, `${name}: ${result.stderr}`);
      assert.match(result.stdout, new RegExp(`^usage: millrace ${name}\\b`));
      assert.ok(result.stdout.split('\n').length > 3, result.stdout);
      assert.equal(result.stderr, '');
    }
});

test('help, no command and the version answer with status 0', async () => {
  for (const words of [[], ['help'], ['-h']]) assert.match((await command(words)).stdout, /^usage: millrace COMMAND/);
  const version = await command(['--version']);
  assert.deepEqual([version.code, version.stderr], [DONE, '']);
  assert.match(version.stdout, /^millrace \d+\.\d+\.\d+\n$/);
});

// Words that are wrong, and what the message must name. Nothing may be created and nothing started.
const wrong = [
  [['frobnicate'], 'frobnicate'], [['serve', '--frobnicate', '1'], '--frobnicate'], [['serve', '--listen'], '--listen'], [['serve', 'word'], 'word'],
  [['tenant'], 'missing'], [['tenant', 'create'], 'create'], [['tenant', 'frobnicate'], 'tenant'], [['tenant', 'list', 'x'], 'list'], [['tenant', 'list', '--json=1'], '--json'],
  [['sql'], 'missing'], [['sql', 'SELECT 1', 'SELECT 2'], 'too many'], [['import', 'weblog'], 'missing'], [['migrate', 'sideways'], 'sideways'],
  [['migrate', 'down'], '--only'], [['migrate', 'up', '--steps', 'many'], '--steps'], [['demo', 'frobnicate'], 'frobnicate'], [['engine'], '--socket'],
];
for (const [words, message] of wrong)
  test(`millrace ${words.join(' ')} is refused with status ${USAGE}`, async (t) => {
    const made = folder(t);
    const result = await command(words, { environment: { MILLRACE_DATA: join(made.directory, 'data') } });
    assert.equal(result.code, USAGE, result.stderr);
    assert.ok(result.stderr.startsWith('millrace: ') && result.stderr.includes(message), result.stderr);
    assert.ok(!existsSync(join(made.directory, 'data')), 'no folder was made');
  });

// Settings: name, a bad value, what is allowed.
const settings = [
  ['loops', '257', '256'], ['loops', 'many', '256'], ['spool.seal_age', '1 fortnight', '10ms'], ['spool.seal_age', '1ms', '10ms'], ['engine.memory', '1MiB', '256MiB'],
  ['http.body_limit', '-1', '1KiB'], ['query.timeout', '99999999999999999999s', '100ms'], ['log.level', 'loud', 'debug'], ['listen', 'nowhere', 'listen'],
  ['http.trusted_proxies', '10.0.0.0/99', 'http.trusted_proxies'],
];
for (const [name, value, allowed] of settings)
  test(`a bad ${name} is refused by name, from a flag, the environment and a file`, async (t) => {
    const made = folder(t);
    const serve = ['serve', '--data', join(made.directory, 'data'), ...(name === 'listen' ? [] : ['--listen', '127.0.0.1:0'])];
    const file = join(made.directory, 'millrace.conf');
    writeFileSync(file, `# a comment\n${name} = ${value}\n`);
    const environment = { [`MILLRACE_${name.toUpperCase().replaceAll('.', '_')}`]: value };
    for (const [words, options] of [[[...serve, `--${name}`, value]], [serve, { environment }], [[...serve, '--config', file]]]) {
      const result = await command(words, options);
      assert.ok(result.code === USAGE || result.code === FAILED, `${words.join(' ')}: ${result.code}`);
      assert.ok(result.stderr.includes(name) && result.stderr.includes(value) && result.stderr.includes(allowed), result.stderr);
      assert.equal(result.stdout, '', 'it did not say that it is ready');
    }
  });

test('an unknown setting in a file is refused with its line', async (t) => {
  const made = folder(t);
  const file = join(made.directory, 'millrace.conf');
  for (const [text, part] of [['loops = 1\nfrobnicate = 2\n', 'frobnicate'], ['loops = 1\nno equals sign\n', '2']]) {
    writeFileSync(file, text);
    const result = await command(['serve', '--config', file, '--print-config']);
    assert.equal(result.code, USAGE, result.stderr);
    assert.ok(result.stderr.includes(part) && result.stderr.includes(file), result.stderr);
  }
});

test('--print-config shows each value and where it came from; a flag wins over the environment, that over the file', async (t) => {
  const made = folder(t);
  const file = join(made.directory, 'millrace.conf');
  writeFileSync(file, 'query.queue = 11\nquery.timeout = 11s\nquery.threads = 11\n');
  const environment = { MILLRACE_QUERY_TIMEOUT: '12s', MILLRACE_QUERY_THREADS: '12' };
  const result = await command(['serve', '--query.threads', '13', '--print-config', '--config', file], { environment });
  assert.equal(result.code, DONE, result.stderr);
  const shown = Object.fromEntries(result.stdout.trim().split('\n').map((line) => /^(\S+) = (.*)  # (\w+)$/.exec(line).slice(1)).map(([name, ...rest]) => [name, rest]));
  assert.deepEqual(shown['query.queue'], ['11', 'file']);
  assert.deepEqual(shown['query.timeout'], ['12s', 'environment']);
  assert.deepEqual(shown['query.threads'], ['13', 'flag']);
  assert.deepEqual(shown.listen, ['127.0.0.1:8080', 'default']);
});

test('docs/config.md is what --document-config prints, and has every setting', async () => {
  const { stdout } = await command(['serve', '--document-config']);
  const printed = await command(['serve', '--print-config']);
  for (const line of printed.stdout.trim().split('\n')) assert.ok(stdout.includes(`| \`${line.split(' ')[0]}\` |`), line);
  const file = join(repository, 'docs/config.md');
  assert.ok(existsSync(file), 'docs/config.md is missing: millrace serve --document-config > docs/config.md');
  assert.equal(readFileSync(file, 'utf8'), stdout, 'millrace serve --document-config > docs/config.md');
});

for (const running of [true, false])
  test(`tenants are created, listed and their keys revoked ${running ? 'beside a running' : 'without a'} server`, async (t) => {
    const place = running ? server : folder(t);
    const tenant = (...words) => command(['tenant', ...words, '--data', place.directory, '--json']);
    const made = json(await tenant('create', 'Ünïcode & "quotes"'));
    assert.match(made.tenant, /^[0-9a-f-]{36}$/);
    assert.match(made.write_key, /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/);
    assert.match(made.secret_key, /^mrs_.{40,}$/);
    const listed = json(await tenant('list')).find((each) => each.tenant === made.tenant);
    assert.deepEqual([listed.name, listed.active], ['Ünïcode & "quotes"', true]);
    assert.ok(!JSON.stringify(json(await tenant('list'))).includes(made.secret_key), 'keys are shown once');
    if (!running) await place.start();
    await waitFor('the server takes the new key', async () => (await place.get('/v1/tenant', made.secret_key)).status === 200, 5000);
    assert.deepEqual(json(await tenant('revoke-key', made.secret_key)), { revoked: true });
    await waitFor('the server refuses the revoked key', async () => (await place.get('/v1/tenant', made.secret_key)).status === 401, 5000);
    const unknown = await tenant('revoke-key', 'mrs_nobody');
    assert.equal(unknown.code, FAILED);
    assert.match(unknown.stderr, /^millrace: .*key/);
  });

test('tenant create without --json prints the keys for people', async (t) => {
  const { code, stdout } = await command(['tenant', 'create', 'plain', '--data', folder(t).directory]);
  assert.equal(code, DONE);
  assert.match(stdout, /^tenant +[0-9a-f-]{36} .*\nwrite key +[0-9a-f-]{36} .*\nsecret key +mrs_\S+ /);
});

test('a tenant without a name, or with one too long, is refused', async (t) => {
  const made = folder(t);
  for (const name of ['', ' ', 'n'.repeat(5000)]) {
    const result = await command(['tenant', 'create', name, '--data', made.directory, '--json']);
    assert.notEqual(result.code, DONE, `"${name.slice(0, 10)}" was created: ${result.stdout}`);
    assert.match(result.stderr, /name/);
  }
});

for (const running of [true, false])
  test(`sql answers ${running ? 'through the running' : 'without a'} server, in the format asked for`, async (t) => {
    const place = running ? server : folder(t);
    if (!running) {
      await place.createTenant('main');
      await place.start();
      assert.equal((await place.post('/v1/events', { name: 'before' }, { key: place.tenants.main.write_key })).status, 200);
      await place.settle(place.tenants.main.write_key);
      await place.stop();
    }
    const sql = (...words) => command(['sql', ...words, '--data', place.directory]);
    assert.deepEqual(await sql("SELECT 1 AS one, 'tab\\there'"), { code: DONE, stdout: '1\ttab\\there\n', stderr: '' });
    assert.deepEqual(json(await sql('SELECT 1 AS one', '--format', 'JSON')).data, [{ one: 1 }]);
    assert.match((await sql('SELECT number FROM numbers(3)', '--format', 'CSVWithNames')).stdout, /^"number"\n0\n1\n2\n$/);
    const many = await sql('SELECT number FROM numbers(300000)');
    assert.equal(many.stdout.length, [...Array(300000).keys()].join('\n').length + 1, 'a long answer is whole');
    if (!running) assert.equal((await sql("SELECT count() FROM analytics.events WHERE name = 'before'")).stdout, '1\n');
    for (const [statement, message] of [['SELEC 1', 'Syntax'], ['SELECT * FROM analytics.nothing', 'nothing'], ['SELECT throwIf(1)', 'throwIf']]) {
      const result = await sql(statement);
      assert.equal(result.code, FAILED, statement);
      assert.equal(result.stdout, '', statement);
      assert.ok(result.stderr.startsWith('millrace: ') && result.stderr.includes(message), result.stderr);
    }
    const format = await sql('SELECT 1', '--format', 'Nonsense');
    assert.equal(format.code, FAILED);
    assert.match(format.stderr, /Nonsense/);
  });

for (const running of [false, true])
  test(`migrate status, down and up ${running ? 'beside a running' : 'without a'} server`, async (t) => {
    const place = folder(t);
    await place.createTenant('main');
    if (running) await place.start();
    const migrate = (...words) => command(['migrate', ...words, '--data', place.directory]);
    const states = async () => json(await migrate('status', '--json')).map(({ set, number, state }) => `${set} ${number} ${state}`);
    if (!running) assert.equal((await migrate('up')).code, DONE);
    const all = await states();
    assert.ok(all.length >= 3 && all.every((line) => line.endsWith(' applied')), all.join('\n'));
    const text = (await migrate('status')).stdout;
    assert.equal(text.trim().split('\n').length, all.length);

    const sql = async (statement) => {
      const { code, stdout, stderr } = await command(['sql', statement, '--data', place.directory]);
      assert.equal(code, DONE, stderr);
      return stdout;
    };
    const state = () => sql("SELECT sorting_key, (SELECT count() FROM analytics.events), (SELECT sum(event_count) FROM analytics.distinct_event_names) "
      + "FROM system.tables WHERE database = 'analytics' AND name = 'events'");
    await sql("INSERT INTO analytics.events (tenant_id, id, name, created_at) SELECT 't', generateUUIDv4(), 'kept', now64(3)");
    const names = (text, word) => [...text.matchAll(new RegExp(`${word} (\\d{4}_\\w+)`, 'g'))].map(([, name]) => name);
    const back = []; // one by one, to the form before the one of now
    while (back.at(-1) !== '0008_events_sorted') {
      const down = await migrate('down', '--only', 'analytics');
      assert.equal(down.code, DONE, down.stderr);
      assert.equal(names(down.stderr, 'undone').length, 1, down.stderr);
      back.push(...names(down.stderr, 'undone'));
    }
    const undone = (await states()).filter((line) => !line.endsWith(' applied'));
    assert.equal(undone.length, back.length, undone.join('\n'));
    assert.equal(await state(), 'tenant_id, toDate(created_at), name, created_at\t1\t1\n', 'rows stay, the order is the old one');
    await sql("INSERT INTO analytics.events (tenant_id, id, name, created_at) SELECT 't', generateUUIDv4(), 'kept', now64(3)");
    const up = await migrate('up');
    assert.equal(up.code, DONE, up.stderr);
    assert.deepEqual(names(up.stderr, 'applied'), back.reverse());
    assert.deepEqual(await states(), all);
    assert.equal(await state(), 'tenant_id, toDate(created_at), device_id, created_at\t2\t2\n', 'and views still see what comes');
    const again = await migrate('up');
    assert.deepEqual([again.code, again.stdout, again.stderr.includes('applied')], [DONE, '', false], 'nothing is left to do');

    if (!running) await place.start();
    const { write_key: key, tenant } = place.tenants.main;
    assert.equal((await place.post('/v1/events', { name: 'screen_view', path: '/afterwards' }, { key })).status, 200);
    await place.events(1, "path = '/afterwards'");
    const counted = async () => (await place.sql("SELECT sum(pageviews) AS counted FROM analytics.daily_pageviews WHERE path = '/afterwards'", tenant))[0].counted;
    await waitFor('the rollup fills again', async () => (await counted()) === 1); // a moment after the table
  });

test('a second server on the same folder is refused, and the first goes on', async () => {
  const result = await command(['serve', '--data', server.directory, '--listen', '127.0.0.1:0']);
  assert.equal(result.code, FAILED);
  assert.equal(result.stdout, '');
  assert.ok(result.stderr.includes('another server') && result.stderr.includes(server.directory), result.stderr);
  assert.equal((await server.get('/readyz')).status, 200);
});

test('a port that is taken is refused by name', async (t) => {
  const taken = net.createServer();
  await new Promise((resolve) => taken.listen(0, '127.0.0.1', resolve));
  t.after(() => taken.close());
  const address = `127.0.0.1:${taken.address().port}`;
  const result = await command(['serve', '--data', folder(t).directory, '--listen', address]);
  assert.equal(result.code, FAILED);
  assert.ok(result.stderr.includes(String(taken.address().port)), result.stderr);
});

test('a folder that cannot be used and a library that is not there are refused by name', async (t) => {
  const made = folder(t);
  const file = join(made.directory, 'file');
  writeFileSync(file, '');
  const data = await command(['serve', '--data', join(file, 'data'), '--listen', '127.0.0.1:0']);
  assert.equal(data.code, FAILED);
  assert.ok(data.stderr.includes(file), data.stderr);
  const library = await command(['serve', '--data', made.directory, '--listen', '127.0.0.1:0', '--engine.library', '/nonexistent/libchdb.so']);
  assert.notEqual(library.code, DONE);
  assert.ok(library.stderr.includes('engine.library') && library.stderr.includes('/nonexistent/libchdb.so'), library.stderr);
});

test('a folder with a long path works', async (t) => {
  const made = folder(t);
  const outer = made.directory;
  const deep = join(outer, 'd'.repeat(100), 'e'.repeat(100));
  mkdirSync(deep, { recursive: true });
  made.directory = deep;
  t.after(() => {
    made.directory = outer;
    made.removeNow();
  });
  await made.createTenant('main');
  await made.start();
  assert.equal((await made.post('/v1/events', { name: 'deep' }, { key: made.tenants.main.write_key })).status, 200);
  const count = () => command(['sql', "SELECT count() FROM analytics.events WHERE name = 'deep'", '--data', deep]);
  await waitFor('the event is there', async () => (await count()).stdout === '1\n');
});

for (const signal of ['SIGTERM', 'SIGINT'])
  test(`${signal} stops an idle server and a busy one within ${STOP_MS} ms, with status 0`, async (t) => {
    const made = folder(t);
    await made.createTenant('main');
    for (const busy of [false, true]) {
      await made.start();
      const { write_key: key } = made.tenants.main;
      let stopped = false;
      let acknowledged = 0;
      const load = busy
        ? Array.from({ length: 4 }, async () => {
            while (!stopped) {
              const answer = await made.post('/v1/events', Array.from({ length: 50 }, () => ({ name: 'busy' })), { key }).catch(() => null);
              if (answer?.status === 200) acknowledged += answer.json.accepted;
            }
          })
        : [];
      if (busy) await waitFor('there is load', () => acknowledged > 1000);
      const { code, ms } = await made.stop(signal);
      stopped = true;
      await Promise.all(load);
      assert.equal(code, DONE, made.log);
      assert.ok(ms < promised(STOP_MS), `${ms} ms`);
      if (!busy) continue;
      await made.start();
      await made.events(acknowledged, "name = 'busy'", { columns: 'id, created_at' });
    }
  });

test('a server that is stopped while a client is silent in the middle of a request stops all the same', async (t) => {
  const made = folder(t);
  await made.createTenant('main');
  await made.start();
  const socket = net.connect(made.port, '127.0.0.1');
  socket.on('error', () => {});
  t.after(() => socket.destroy());
  await new Promise((resolve) => socket.write('POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{', resolve));
  assert.equal((await made.get('/healthz')).status, 200);
  const { code, ms } = await made.stop();
  assert.deepEqual([code, ms < promised(STOP_MS)], [DONE, true], `${ms} ms`);
});

test('the engine alone speaks the ClickHouse protocol on a socket, and ends on SIGTERM with its folder usable', async (t) => {
  const made = folder(t);
  const place = join(made.directory, 'engine');
  const socketPath = join(made.directory, 'alone.sock');
  for (let round = 0; round < 2; round++) {
    const child = spawn(binary, ['engine', '--directory', place, '--socket', socketPath, '--data', made.directory], { stdio: 'ignore' });
    const ended = new Promise((resolve) => child.on('exit', (code) => resolve(code)));
    try {
      await waitFor('the engine answers', async () => (await send({ socketPath, path: '/ping' })).text === 'Ok.\n', 30_000);
      assert.equal((await send({ socketPath, path: '/?query=SELECT%201%2B1' })).text, '2\n');
    } finally {
      child.kill('SIGTERM');
    }
    assert.equal(await ended, DONE);
  }
});

test('demo serve makes a tenant with two months of traffic, once', async (t) => {
  const made = folder(t);
  const counts = [];
  for (let round = 0; round < 2; round++) {
    const child = spawn(binary, ['demo', 'serve', '--data', made.directory, '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'ignore'], env: environmentWith({}) });
    const ended = new Promise((resolve) => child.on('exit', (code) => resolve(code)));
    let out = '';
    child.stdout.on('data', (bytes) => (out += bytes));
    try {
      await waitFor(`the demo is ready: ${out}`, () => /login +mrs_/.test(out), 60_000);
      const url = /^ready (\S+)/.exec(out)[1];
      const key = /login +(mrs_\S+)/.exec(out)[1];
      const curl = /curl (\S+) -H 'Authorization: Bearer ([^']+)' -H 'Content-Type: application\/json' -d '([^']+)'/.exec(out);
      const answer = await send(curl[1], { method: 'POST', headers: { authorization: `Bearer ${curl[2]}`, 'content-type': 'application/json' }, body: curl[3] });
      assert.equal(answer.status, 200, answer.text);
      const range = `from=${Date.now() - 90 * 86_400_000}&to=${Date.now() + 3_600_000}&interval=day`;
      const ask = async (more) => (await send(`${url}/v1/query/timeseries?measures=events,visitors&${range}${more}`, { headers: { authorization: `Bearer ${key}` } })).json.totals;
      // When the event just sent is there and its insert has ended, all that was sent before is there.
      await waitFor('the event is there', async () => (await ask('&filter=path:is:/hello')).events === round + 1, 120_000);
      await made.insertsEnd();
      const totals = await ask('');
      assert.ok(totals.events >= 60_000, JSON.stringify(totals));
      assert.ok(totals.visitors > 1000, JSON.stringify(totals));
      counts.push(totals.events);
    } finally {
      child.kill('SIGTERM');
    }
    assert.equal(await ended, DONE);
  }
  assert.equal(counts[1], counts[0] + 1, 'the sample is loaded once');
});
