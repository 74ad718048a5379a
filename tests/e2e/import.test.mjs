// SPDX-License-Identifier: Apache-2.0
// `millrace import weblog`: what the server counts is what is in the file, however often it is imported.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { command, repository, Server } from './harness.mjs';

const recorded = join(repository, '../shared/data/weblog/access-1.log');
const DAY_MS = 86_400_000;

let server;
before(async () => {
  server = await Server.start({ tenants: ['recorded', 'synthetic', 'other'] });
});
after(() => server?.remove());

async function importFile(file, tenant, code = 0) {
  const words = ['import', 'weblog', file, '--server', server.url, '--key', server.tenants[tenant].write_key];
  const result = await command([...words, '--json']);
  assert.equal(result.code, code, result.stderr);
  return JSON.parse(result.stdout);
}
const ask = async (tenant, path) => {
  const answer = await server.get(path, server.tenants[tenant].secret_key);
  assert.equal(answer.status, 200, answer.text);
  return answer.json;
};

// Our own reading of a log, as simple as awk's: address, time, path without its query.
const LINE = /^(\S+) \S+ \S+ \[(\d\d)\/(\w{3})\/(\d{4}):(\d\d:\d\d:\d\d) ([+-]\d\d)(\d\d)\] "[A-Z]+ ([^ ?"]*)\S* [^"]*" \d{3} (?:\d+|-)/;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
function readLog(text) {
  return text.split('\n').filter(Boolean).map((line) => {
    const match = LINE.exec(line);
    if (!match) return null;
    const [, address, day, month, year, clock, hours, minutes, path] = match;
    const number = String(MONTHS.indexOf(month) + 1).padStart(2, '0');
    return { address, path, time: Date.parse(`${year}-${number}-${day}T${clock}${hours}:${minutes}`) };
  });
}
function countBy(items, key) {
  const counts = new Map();
  for (const item of items) counts.set(key(item), (counts.get(key(item)) ?? 0) + 1);
  return counts;
}
const byBytes = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));

const missing = existsSync(recorded) ? false : 'the recorded log is not there (an optional data folder beside the project)';
test('a recorded log: totals, top pages and days are those of the file, also after a second import', { skip: missing }, async () => {
  const lines = readLog(readFileSync(recorded, 'utf8'));
  assert.ok(lines.every(Boolean), `line ${lines.indexOf(null) + 1} is not understood by the test`);
  assert.ok(lines.length > 1000);
  const first = await importFile(recorded, 'recorded');
  assert.deepEqual(first, { lines_read: lines.length, stored: lines.length, already_stored: 0, refused: 0 });
  await server.settle(server.tenants.recorded.write_key);

  const times = lines.map((line) => line.time);
  const range = `from=${Math.min(...times)}&to=${Math.max(...times) + 1}`;
  const pages = countBy(lines, (line) => line.path);
  const top = [...pages].sort((a, b) => b[1] - a[1] || byBytes(a[0], b[0])).slice(0, 20).map(([value, views]) => ({ value, page_views: views }));
  const visitors = new Set(lines.map((line) => line.address)).size;
  const days = [...countBy(lines, (line) => Math.floor(line.time / DAY_MS))].sort((a, b) => a[0] - b[0]).map(([, count]) => count);

  const check = async (when) => {
    const listed = await ask('recorded', `/v1/query/top?${range}&measures=page_views&dimension=path&limit=20`);
    assert.deepEqual(listed.rows, top, when);
    const over = await ask('recorded', `/v1/query/timeseries?${range}&measures=page_views,visitors,events&interval=day`);
    assert.deepEqual(over.totals, { page_views: lines.length, visitors, events: lines.length }, when);
    assert.deepEqual(over.points.map((point) => point.page_views), days, when);
  };
  await check('after the import');
  const second = await importFile(recorded, 'recorded');
  assert.deepEqual(second, { lines_read: lines.length, stored: 0, already_stored: lines.length, refused: 0 });
  await server.settle(server.tenants.recorded.write_key);
  await check('after the second import');
  const third = await importFile(recorded, 'other');
  assert.equal(third.stored, lines.length, 'another tenant has a copy of its own');
});

const agent = '"Mozilla/5.0 (X11; Linux x86_64)"';
const synthetic = [
  // line, and the path it counts for; null: refused
  [`203.0.113.1 - - [10/Oct/2020:13:55:36 -0700] "GET /a?x=1&utm_source=news HTTP/1.1" 200 2326 "https://www.google.com/" ${agent}`, '/a'],
  [`203.0.113.1 - - [10/Oct/2020:13:55:36 -0700] "GET /a?x=1&utm_source=news HTTP/1.1" 200 2326 "https://www.google.com/" ${agent}`, '/a'], // the same again: two requests
  ['203.0.113.2 - alice [10/Oct/2020:23:59:59 +0200] "POST /form HTTP/1.0" 302 -', '/form'],
  ['2001:db8::1 - - [11/Oct/2020:00:00:00 +0000] "GET /caf%C3%A9 HTTP/2.0" 404 0 "-" "-"', '/caf%C3%A9'],
  ['this is no line of an access log', null],
  ['', null],
  ['203.0.113.3 - - [99/Oct/2020:13:55:36 -0700] "GET /bad-day HTTP/1.1" 200 1', null],
  ['203.0.113.3 - - [10/Oct/2020:13:55:36 -0700] "GET /no-status HTTP/1.1"', null],
  ['203.0.113.3 - - [10/Oct/2020:13:55:36 -0700] "GET /open-quote', null],
  [`203.0.113.4 - - [10/Oct/2020:13:55:36 -0700] "GET /a HTTP/1.1" 200 5 "-" "agent with \\"quotes\\""`, '/a'],
  [`203.0.113.5 - - [10/Oct/2020:13:55:36 -0700] "GET /${'l'.repeat(5000)} HTTP/1.1" 414 5 "-" "-"`, null],
  [`203.0.113.6 - - [10/Oct/1999:13:55:36 -0700] "GET /last-century HTTP/1.1" 200 5 "-" "-"`, null],
];
test('a log with broken lines: the good ones are stored, the others counted and named', async () => {
  const file = join(server.directory, 'synthetic.log');
  writeFileSync(file, synthetic.map(([line]) => line).join('\n')); // without a line end at the end
  const good = synthetic.filter(([, path]) => path !== null);
  const summary = await importFile(file, 'synthetic');
  assert.deepEqual(summary, { lines_read: synthetic.length, stored: good.length, already_stored: 0, refused: synthetic.length - good.length });
  await server.settle(server.tenants.synthetic.write_key);
  const rows = await server.sql("SELECT * FROM analytics.events WHERE name = 'screen_view' ORDER BY created_at, path, device_id", server.tenants.synthetic.tenant);
  assert.deepEqual(rows.map((row) => row.path).sort(), good.map(([, path]) => path).sort());
  const a = rows.find((row) => row.path === '/a' && row.referrer);
  assert.equal(a.created_at, '2020-10-10 20:55:36.000');
  assert.deepEqual([a.referrer, a.properties], ['https://www.google.com', { method: 'GET', query: 'x=1&utm_source=news', status: '200', bytes: '2326' }]);
  assert.equal(rows.find((row) => row.path === '/form').created_at, '2020-10-10 21:59:59.000');
  assert.equal(new Set(rows.map((row) => row.device_id)).size, 4, 'one visitor for each address');
  assert.ok(!JSON.stringify(rows).includes('203.0.113'), 'no address is stored');

  const again = await command(['import', 'weblog', file, '--server', server.url, '--key', server.tenants.synthetic.write_key]);
  assert.equal(again.code, 0);
  assert.match(again.stdout, new RegExp(`^${synthetic.length} lines read, 0 stored, ${good.length} already stored, ${synthetic.length - good.length} refused\n`));
  for (const [index, [, path]] of synthetic.entries())
    assert.equal(again.stdout.includes(`line ${index + 1}: `), path === null, `line ${index + 1}: ${again.stdout}`);
});

test('an empty file is no error', async () => {
  const file = join(server.directory, 'empty.log');
  writeFileSync(file, '');
  assert.deepEqual(await importFile(file, 'other'), { lines_read: 0, stored: 0, already_stored: 0, refused: 0 });
});

// What is wrong, the words, and what the message says.
const wrong = [
  ['no file', (key) => ['import', 'weblog', '/nonexistent.log', '--key', key], 1, '/nonexistent.log'],
  ['an unknown kind', (key) => ['import', 'syslog', '/dev/null', '--key', key], 2, 'weblog'],
  ['no key', () => ['import', 'weblog', '/dev/null'], 2, '--key'],
  ['too few words', (key) => ['import', 'weblog', '--key', key], 2, 'missing'],
];
for (const [what, words, code, message] of wrong)
  test(`import says when there is ${what}`, async () => {
    const result = await command(words(server.tenants.other.write_key));
    assert.equal(result.code, code, result.stderr);
    assert.ok(result.stderr.startsWith('millrace: ') && result.stderr.includes(message), result.stderr);
  });

test('import says when the key is refused, and does not claim success', async () => {
  const file = join(server.directory, 'one.log');
  writeFileSync(file, `${synthetic[0][0]}\n`);
  const refused = await command(['import', 'weblog', file, '--server', server.url, '--key', 'nobody']);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /401/);
  assert.match(refused.stdout, /^1 lines read, 0 stored/);
});

test('an import waits for a server that is restarted', async () => {
  const file = join(server.directory, 'waits.log');
  writeFileSync(file, `${synthetic[2][0]}\n`);
  await server.stop();
  const summary = importFile(file, 'other');
  await server.start();
  assert.deepEqual(await summary, { lines_read: 1, stored: 1, already_stored: 0, refused: 0 });
});
