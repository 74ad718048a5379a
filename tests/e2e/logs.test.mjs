// SPDX-License-Identifier: Apache-2.0
// Questions about log records: found by full text, severity, attributes, around one another, as they arrive.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Server, repository, waitFor } from './harness.mjs';

const LOGS = '/api/v2/query/signals/logs';
const FOLDER = join(repository, '../shared/data/logs');
const MINUTE = 60_000_000_000n, HOUR = 60n * MINUTE;
const now = BigInt(Date.now()) * 1_000_000n;
let server, a, b;

const attribute = ([key, value]) => ({ key, value: typeof value === 'number' ? (Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value })
  : typeof value === 'boolean' ? { boolValue: value } : typeof value === 'string' ? { stringValue: value } : value });
const attributes = (object) => Object.entries(object).map(attribute);
const record = (body, more = {}, own = {}) => ({ timeUnixNano: String(now - HOUR), severityNumber: 9, severityText: 'INFO', body: { stringValue: body }, attributes: attributes(own), ...more });
async function sendLogs(tenant, service, records, resource = {}) {
  const answer = await server.post('/v1/logs', { resourceLogs: [{ resource: { attributes: attributes({ 'service.name': service, ...resource }) },
    scopeLogs: [{ scope: { name: 'test', version: '1' }, logRecords: records }] }] }, { key: tenant.secret_key });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.text, '{}', 'all records are taken');
}
async function ask(path, words = {}, tenant = a) {
  const answer = await server.get(`${LOGS}${path}?${new URLSearchParams(words)}`, tenant.secret_key);
  assert.equal(answer.status, 200, answer.text);
  return answer.json;
}
async function refused(path, words, field, tenant = a) {
  const answer = await server.get(`${LOGS}${path}?${new URLSearchParams(words)}`, tenant.secret_key);
  assert.equal(answer.status, answer.json.error?.code === 'too_large' ? 413 : 400, answer.text);
  assert.ok(answer.text.includes(field), `${answer.text} does not name ${field}`);
}
const bodies = (answer) => answer.data.map((row) => row.body).sort();

// Small and worked out by hand: every rule below picks some of these.
const LINES = ['Connection refused by 10.251.73.220:50010', 'connection timed out after 30 s', 'User alice logged in', 'user bob logged OUT',
  'jk2_init() Found child 6725 in scoreboard slot 10', 'disk failure on /dev/sda', 'authentication failure; rhost=example.com', 'failure of authentication',
  'größe ÜBER alles', 'say "hello" AND go'];

before(async () => {
  server = await Server.start({ tenants: ['a', 'b'], settings: ['--spool.seal_age', '50ms'] });
  ({ a, b } = server.tenants);
  await sendLogs(a, 'words', LINES.map((line, i) => record(line, { timeUnixNano: String(now - HOUR + BigInt(i) * 1000n) })));
  await sendLogs(b, 'words', [record('a line of another tenant: connection')]);
  await sendLogs(a, 'typed', [
    record('one', { severityNumber: 17, severityText: 'ERROR', traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8), eventName: 'order.placed', flags: 1 },
      { 'user.id': 'u7', retries: 3, ratio: 0.5, ok: true, list: { arrayValue: { values: [{ intValue: '1' }, { stringValue: 'x' }] } } }),
    record('two', { severityNumber: 13, severityText: 'Warn' }, { 'user.id': 'u8', retries: 20, ratio: 2 }),
    { ...record('', { severityNumber: 0, severityText: 'critical' }), body: { kvlistValue: { values: [{ key: 'message', value: { stringValue: 'structured words' } }, { key: 'n', value: { intValue: '7' } }] } } },
  ], { 'host.name': 'node-1', 'process.pid': 4711 });
  await server.settle(a.write_key);
  await server.settle(b.write_key);
});
after(() => server?.remove());

const texts = {
  'a word is found whatever its case': ['CONNECTION', [0, 1]],
  'a word is a whole token, not a part of one': ['connect', []],
  'words together must all be there': ['connection refused', [0]],
  'AND says the same': ['connection AND refused', [0]],
  'OR needs one of them': ['alice OR bob', [2, 3]],
  'AND binds more than OR': ['alice OR bob logged out', [2, 3]],
  'parentheses group': ['(alice OR bob) out', [3]],
  'a minus excludes': ['connection -refused', [1]],
  'NOT excludes': ['failure NOT disk', [6, 7]],
  'a group can be excluded': ['failure -(disk OR rhost)', [7]],
  'a phrase stands as it is': ['"authentication failure"', [6]],
  'a phrase can be excluded': ['authentication -"authentication failure"', [7]],
  'what has signs in it is a phrase': ['10.251.73.220', [0]],
  'parentheses inside a word are its own': ['jk2_init()', [4]],
  'numbers are words': ['6725', [4]],
  'quotation marks inside a phrase are escaped': ['"say \\"hello\\""', [9]],
  'AND and OR in quotes are words': ['"AND" "go"', [9]],
  'contains: finds parts of words': ['contains:onnec', [0, 1]],
  'contains: takes a quoted text': ['contains:"ed in"', [2]],
  'regex: matches expressions': ['regex:"child [0-9]{4} "', [4]],
  'regex: minds letter case unless told otherwise': ['regex:USER', []],
  'letters outside ASCII are parts of words': ['größe', [8]],
  'a lone sign is looked for as it stands': ['/', [5]],
};
for (const [name, [query, expected]] of Object.entries(texts))
  test(`full text: ${name}`, async () => {
    assert.deepEqual(bodies(await ask('', { query, serviceName: 'words' })), expected.map((i) => LINES[i]).sort());
  });

test('full text that cannot be read is refused with its place', async () => {
  for (const query of ['"open', '(open', 'OR', 'a OR', 'AND b', '""', 'contains:', '-', '()', ')'.repeat(3) + ' ('].filter((q) => q !== '-'))
    await refused('', { query }, 'query');
  const regex = await server.get(`${LOGS}?${new URLSearchParams({ query: 'regex:[' })}`, a.secret_key);
  assert.equal(regex.status, 400);
  assert.match(regex.json.error.message, /^a regular expression cannot be read: missing \]: .*\(the syntax is RE2's\)$/);
  await refused('', { query: '('.repeat(100) }, 'query');
  await refused('', { query: Array(100).fill('a').join(' ') }, 'query');
  await refused('', { query: 'x'.repeat(5000) }, 'query');
});

test('a record is given back with the types that were sent', async () => {
  const [row] = (await ask('', { query: 'one', serviceName: 'typed' })).data;
  assert.deepEqual(row.logAttributes, { 'user.id': 'u7', retries: 3, ratio: 0.5, ok: true, list: [1, 'x'] });
  assert.deepEqual(row.resourceAttributes, { 'service.name': 'typed', 'host.name': 'node-1', 'process.pid': 4711 });
  assert.deepEqual(row.scope, { name: 'test', version: '1', attributes: {} });
  assert.equal(row.timestamp, new Date(Number((now - HOUR) / 1_000_000n)).toISOString().replace('Z', '000000Z'));
  const { traceId, spanId, severityNumber, severityText, eventName, flags, serviceName } = row;
  assert.deepEqual({ traceId, spanId, severityNumber, severityText, eventName, flags, serviceName },
    { traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8), severityNumber: 17, severityText: 'ERROR', eventName: 'order.placed', flags: 1, serviceName: 'typed' });
  const [structured] = (await ask('', { query: '"structured words"' })).data;
  assert.deepEqual(structured.body, { message: 'structured words', n: 7 });
});

const typed = async (words) => (await ask('', { serviceName: 'typed', ...words })).data.map((row) => (typeof row.body === 'string' ? row.body : 'three')).sort();
test('attributes are compared by their types', async () => {
  const by = (condition) => typed({ logAttributes: JSON.stringify(condition) });
  assert.deepEqual(await by({ 'user.id': 'u7' }), ['one']);
  assert.deepEqual(await by({ retries: 3 }), ['one']);
  assert.deepEqual(await by({ ok: true }), ['one']);
  assert.deepEqual(await by({ ratio: 0.5 }), ['one']);
  assert.deepEqual(await by({ 'user.id': ['u7', 'u8'] }), ['one', 'two']);
  assert.deepEqual(await by({ retries: { operator: 'gt', value: 9 } }), ['two']); // as text 3 would be more
  assert.deepEqual(await by([{ key: 'retries', operator: 'gte', value: 3 }, { key: 'retries', operator: 'lt', value: 20 }]), ['one']);
  assert.deepEqual(await by({ 'user.id': { operator: 'starts_with', value: 'U' } }), ['one', 'two']);
  assert.deepEqual(await by({ 'user.id': { operator: 'is_null' } }), ['three']);
  assert.deepEqual(await by({ 'user.id': { operator: 'is_not', value: 'u7' } }), ['three', 'two']);
  assert.deepEqual(await typed({ resourceAttributes: '{"host.name":"node-1","process.pid":4711}' }), ['one', 'three', 'two']);
  assert.deepEqual(await typed({ resourceAttributes: '{"host.name":"node-2"}' }), []);
});

test('severities are chosen by text whatever its case, and by number or name', async () => {
  assert.deepEqual(await typed({ severityText: 'error' }), ['one']);
  assert.deepEqual(await typed({ minSeverity: 'WARN' }), ['one', 'two']);
  assert.deepEqual(await typed({ minSeverity: '14' }), ['one']);
  assert.deepEqual(await typed({ maxSeverity: 'warn' }), ['two']);
  assert.deepEqual(await typed({ traceId: 'AB'.repeat(16) }), ['one']);
  assert.deepEqual(await typed({ spanId: 'cd'.repeat(8) }), ['one']);
  assert.deepEqual(await typed({ eventName: 'order.placed' }), ['one']);
});

test('a body asks the same as an address', async () => {
  const answer = await server.api('POST', LOGS, { serviceNames: ['typed'], severityTexts: ['ERROR', 'warn'], logAttributes: { retries: { operator: 'lt', value: 100 } },
    pagination: { page: 2, limit: 1 }, total: true }, a.secret_key);
  assert.equal(answer.status, 200, answer.text);
  const { data, total, truncated, pagination } = answer.json;
  assert.deepEqual([data.map((row) => row.body), total, truncated], [['one'], 2, false]); // the newest comes first: equal times, later id
  assert.deepEqual(pagination, { page: 2, limit: 1, totalPages: 2, hasNext: false, hasPrev: true, cursor: null });
});

test('a period up to now stands for from and to', async () => {
  assert.equal((await ask('', { serviceName: 'words', period: '2h' })).data.length, LINES.length);
  assert.deepEqual((await ask('', { serviceName: 'words', period: '30m' })).data, []);
});

test('words that mean nothing, and values out of bounds, are refused and named', async () => {
  for (const [path, words, field] of [
    ['', { serviceNmae: 'x' }, 'serviceName'], ['', { limit: '0' }, 'limit'], ['', { limit: '1001' }, 'limit'], ['', { cursor: 'x' }, 'cursor'],
    ['', { page: '2', cursor: '1.1.1' }, 'page'], ['', { page: '9999', limit: '1000' }, 'page'], ['', { traceId: 'xyz' }, 'traceId'], ['', { spanId: 'ab' }, 'spanId'],
    ['', { minSeverity: 'loud' }, 'minSeverity'], ['', { from: 'yesterday' }, 'from'], ['', { period: 'fortnight' }, 'period'], ['', { period: '1h', from: '2026-01-02' }, 'period'],
    ['', { from: '2026-01-02', to: '2026-01-01' }, 'from'],
    ['', { logAttributes: '{' }, 'logAttributes'], ['', { logAttributes: '3' }, 'logAttributes'], ['', { logAttributes: '[1]' }, 'logAttributes'],
    ['', { logAttributes: '{"a":{"operator":"near","value":1}}' }, 'operator'], ['', { logAttributes: '{"a":{"operator":"gt","value":"x"}}' }, 'logAttributes'],
    ['', { logAttributes: '{"a":{"operator":"gt"}}' }, 'logAttributes'], ['', { logAttributes: '{"":"x"}' }, 'key'], ['', { logAttributes: '{"a":{"b":null}}' }, 'logAttributes'],
    ['', { logAttributes: JSON.stringify(Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`k${i}`, 1]))) }, 'logAttributes'],
    ['/histogram', { interval: '1x' }, 'interval'], ['/histogram', { interval: '1s' }, 'interval'], ['/attributes', { of: 'span' }, 'of'],
    ['/tail', { cursor: '1_x' }, 'cursor'], ['/tail', { from: '2026-01-01' }, 'from'], ['/tail', { period: '1h' }, 'from'], ['/tail', { cursor: `1${'_1'.repeat(100)}` }, 'cursor'],
    ['/context', {}, 'place'], ['/context', { place: '1.x' }, 'place'], ['/export', { limit: '1000000' }, 'limit'],
  ]) await refused(path, words, field);
  for (const [words, field] of [[{ severityText: [{ a: 1 }] }, 'severityText'], [{ query: {} }, 'query'], [{ traceId: { a: 1 } }, 'traceId']]) {
    const answer = await server.api('POST', LOGS, words, a.secret_key);
    assert.deepEqual([answer.status, answer.json.error?.field], [400, field], answer.text);
  }
  assert.equal((await server.get(`${LOGS}/context?place=1.1.1`, a.secret_key)).status, 404);
});

test('what looks like SQL is a word', async () => {
  for (const query of ["') OR 1=1 --", "x' UNION SELECT", '{tenant:String}', '\\', "'"]) assert.deepEqual(bodies(await ask('', { query: `contains:"${query.replaceAll('\\', '\\\\')}"` })), []);
  assert.deepEqual(await typed({ logAttributes: JSON.stringify({ "a'] OR 1=1 --": 'x' }) }), []);
});

test('pages by cursor show every record once while others arrive', async () => {
  const base = now - 26n * HOUR; // over many windows, in several days
  const lines = Array.from({ length: 300 }, (_, i) => record(`paged ${i}`, { timeUnixNano: String(base - BigInt(i % 100) * 7n * MINUTE) }));
  await sendLogs(a, 'paged', lines.slice(0, 150));
  await sendLogs(a, 'paged', lines.slice(150));
  await server.settle(a.write_key);
  const seen = [];
  let cursor, pages = 0;
  do {
    const { data, pagination } = await ask('', { serviceName: 'paged', limit: '37', ...(cursor ? { cursor } : {}) });
    seen.push(...data);
    cursor = pagination.cursor;
    // Newer and older ones come in between: those before the cursor's place are not shown, none is shown twice.
    if (++pages === 2) {
      await sendLogs(a, 'paged', [record('newer', { timeUnixNano: String(now) }), record('older', { timeUnixNano: String(base - 30n * HOUR) })]);
      await server.settle(a.write_key);
    }
  } while (cursor);
  assert.deepEqual(seen.map((row) => row.body).filter((body) => body !== 'older').sort(), lines.map((line) => line.body.stringValue).sort());
  assert.equal(seen.filter((row) => row.body === 'older').length, 1);
  const order = seen.map((row) => row.timestamp);
  assert.deepEqual(order, [...order].sort().reverse());
  const byPage = [];
  for (let page = 1; page <= 4; page++) byPage.push(...(await ask('', { serviceName: 'paged', limit: '100', page: String(page) })).data);
  assert.equal(new Set(byPage.map((row) => row.id)).size, 302);
});

test('records of two servers with the same time and id are both shown, each once', async () => {
  await sendLogs(a, 'twins', Array.from({ length: 5 }, (_, i) => record(`twin ${i}`)));
  await server.settle(a.write_key);
  await server.sql("INSERT INTO observability.logs_v3 SELECT * REPLACE (segment + bitShiftLeft(toUInt64(1), 40) AS segment) FROM observability.logs_v3 WHERE service_name = 'twins'");
  const seen = [];
  for (let cursor, page; page === undefined || cursor; cursor = page.pagination.cursor) seen.push(...(page = await ask('', { serviceName: 'twins', limit: '3', ...(cursor ? { cursor } : {}) })).data);
  assert.deepEqual([seen.length, new Set(seen.map((row) => row.id)).size, new Set(seen.map((row) => row.place)).size], [10, 5, 10]);
  const { before, data, after } = await ask('/context', { place: seen[4].place });
  assert.deepEqual([after, data, before].map((rows) => rows.map((row) => row.place)), [seen.slice(0, 4).reverse(), [seen[4]], seen.slice(5)].map((rows) => rows.map((row) => row.place)));
});

test('a record of an empty resource and scope has empty objects there', async () => {
  assert.equal((await server.post('/v1/logs', { resourceLogs: [{ scopeLogs: [{ logRecords: [record('bare words')] }] }] }, { key: a.secret_key })).status, 200);
  await server.settle(a.write_key);
  const [row] = (await ask('', { query: '"bare words"' })).data;
  assert.deepEqual([row.resourceAttributes, row.scope, row.serviceName], [{}, { name: '', version: '', attributes: {} }, 'unknown_service']);
});

test('the records around one are those of its service and resource, in order', async () => {
  const at = (i) => String(now - 3n * HOUR + BigInt(i) * MINUTE * 20n);
  await sendLogs(a, 'around', Array.from({ length: 9 }, (_, i) => record(`line ${i}`, { timeUnixNano: at(i) })), { 'host.name': 'one' });
  await sendLogs(a, 'around', [record('of another host', { timeUnixNano: at(4) })], { 'host.name': 'two' });
  await server.settle(a.write_key);
  const [{ place }] = (await ask('', { query: '"line 4"', serviceName: 'around' })).data;
  const around = await ask('/context', { place, before: '2', after: '3' });
  assert.deepEqual(['before', 'data', 'after'].map((side) => around[side].map((row) => row.body)), [['line 3', 'line 2'], ['line 4'], ['line 5', 'line 6', 'line 7']]);
  assert.deepEqual([around.hasMoreBefore, around.hasMoreAfter], [true, true]);
  const whole = await ask('/context', { place, before: '200', after: '200', sameResource: 'false' });
  assert.equal(whole.before.length + whole.after.length, 9);
  assert.deepEqual([whole.hasMoreBefore, whole.hasMoreAfter], [false, false]);
  assert.equal((await server.get(`${LOGS}/context?place=${place}`, b.secret_key)).status, 404, 'nobody else has it');
});

test('counts by severity, levels, the histogram and services agree with what was sent', async () => {
  const { data, total } = await ask('/count-by-severity', { serviceName: 'typed' });
  assert.deepEqual([Object.fromEntries(data.map((row) => [row.severity, row.count])), total], [{ FATAL: 1, ERROR: 1, WARN: 1 }, 3]);
  const levels = (await ask('/severity-levels', { serviceName: 'typed' })).data;
  assert.deepEqual(levels.map((row) => [row.severityText, row.severityNumber, row.count]), [['critical', 0, 1], ['Warn', 13, 1], ['ERROR', 17, 1]]);
  const from = new Date(Number((now - 2n * HOUR) / 1_000_000n)).toISOString(), to = new Date(Number(now / 1_000_000n)).toISOString();
  const histogram = await ask('/histogram', { serviceName: 'typed', from, to, interval: '5m' });
  assert.ok(histogram.data.length >= 24 && histogram.data.length <= 25);
  const filled = histogram.data.filter((bucket) => bucket.total);
  const start = Number((now - HOUR) / 1_000_000n);
  assert.deepEqual(filled, [{ time: new Date(start - (start % 300_000)).toISOString(), counts: { FATAL: 1, ERROR: 1, WARN: 1 }, total: 3 }]);
  const services = (await ask('/services')).data;
  assert.equal(services.find((row) => row.serviceName === 'typed').count, 3);
});

test('keys and values of attributes can be chosen', async () => {
  const keys = async (words) => (await ask('/attributes', { serviceName: 'typed', ...words })).data.map((row) => [row.key ?? row.value, row.count]);
  assert.deepEqual(await keys({}), [['ratio', 2], ['retries', 2], ['user.id', 2], ['list', 1], ['ok', 1]]);
  assert.deepEqual(await keys({ key: 'user.id' }), [['u7', 1], ['u8', 1]]);
  assert.deepEqual(await keys({ search: 'USER' }), [['user.id', 2]]);
  assert.deepEqual(await keys({ of: 'resource' }), [['host.name', 3], ['process.pid', 3], ['service.name', 3]]);
  assert.deepEqual(await keys({ of: 'resource', key: 'process.pid' }), [['4711', 3]]);
});

test('lines that differ only in numbers and ids are one pattern', async () => {
  await sendLogs(a, 'patterns', [1, 22, 333].map((n) => record(`took ${n} ms from 10.0.0.${n}:80 for 0196b1de-0000-7000-8000-00000000000${n % 10}`)));
  await server.settle(a.write_key);
  const { data } = await ask('/patterns', { serviceName: 'patterns' });
  assert.deepEqual(data.map((row) => [row.pattern, row.count]), [['took <n> ms from <n> for <id>', 3]]);
});

test('an export is one record a line, and says when it is not all', async () => {
  const get = async (words) => {
    const answer = await server.get(`${LOGS}/export?${new URLSearchParams({ serviceName: 'words', ...words })}`, a.secret_key);
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers['content-type'], 'application/x-ndjson');
    return answer.text.trim().split('\n').map((line) => JSON.parse(line));
  };
  assert.deepEqual((await get({})).map((row) => row.body), [...LINES].reverse());
  const first = await get({ limit: '4' });
  assert.deepEqual([first.length, first[4].truncated], [5, true]);
  assert.deepEqual((await get({ cursor: first[4].cursor })).map((row) => row.body), [...LINES].reverse().slice(4));
});

test('a tail shows every record that arrives once, of any time and from any loop, while writers write', async () => {
  const WRITERS = 6, REQUESTS = 15, PER_REQUEST = 7;
  let { cursor, data } = await ask('/tail', { serviceName: 'tailed' });
  assert.deepEqual(data, []);
  let writing = WRITERS;
  const sent = new Set();
  const writers = Array.from({ length: WRITERS }, async (_, w) => {
    for (let i = 0; i < REQUESTS; i++) {
      const lines = Array.from({ length: PER_REQUEST }, (_, n) => {
        const body = `tail ${w}.${i}.${n}`;
        sent.add(body);
        // Late by hours and days: other days are other parts of the same insert.
        return record(body, { timeUnixNano: String(now - BigInt(n % 4) * 25n * HOUR) });
      });
      await sendLogs(a, 'tailed', lines);
      await sendLogs(a, 'other', [record('not asked for')]);
    }
    writing--;
  });
  const seen = [];
  await waitFor('all records were shown', async () => {
    const answer = await ask('/tail', { cursor, serviceName: 'tailed', limit: '23' });
    cursor = answer.cursor;
    seen.push(...answer.data.map((row) => row.body));
    return writing === 0 && seen.length >= sent.size;
  }, 60_000);
  await Promise.all(writers);
  await server.settle(a.write_key);
  seen.push(...(await ask('/tail', { cursor, serviceName: 'tailed' })).data.map((row) => row.body));
  assert.equal(seen.length, sent.size, 'none twice');
  assert.deepEqual([...seen].sort(), [...sent].sort());
  const last = await ask('/tail', { serviceName: 'tailed', last: '5' });
  assert.equal(last.data.length, 5);
  assert.deepEqual((await ask('/tail', { cursor: last.cursor, serviceName: 'tailed' })).data, []);
});

const files = ['Apache', 'HDFS', 'Linux', 'OpenSSH', 'Zookeeper'].map((name) => join(FOLDER, `${name}.log`));
test('real log lines are found again by search', { skip: files.every((file) => existsSync(file)) ? false : 'no data/logs in the data folder beside the repository' }, async () => {
  const all = {};
  for (const file of files) {
    const service = file.replace(/.*\/|\.log/g, '');
    const lines = (all[service] = readFileSync(file, 'utf8').split(/\r?\n/).filter(Boolean));
    for (let i = 0; i < lines.length; i += 500) await sendLogs(a, service, lines.slice(i, i + 500).map((line, n) => record(line, { timeUnixNano: String(now - 2n * HOUR - BigInt(i + n) * 1_000_000n) })));
  }
  await server.settle(a.write_key);
  const during = { from: String((now - 2n * HOUR - MINUTE) / 1_000_000n), to: String((now - 2n * HOUR + MINUTE) / 1_000_000n) };
  // What the language means, once more by hand.
  const tokens = (line) => line.toLowerCase().match(/[a-z0-9\u0080-\uffff]+/g) ?? [];
  for (const [service, lines] of Object.entries(all)) {
    assert.equal((await ask('', { ...during, serviceName: service, total: 'true', limit: '1' })).total, lines.length);
    for (let i = 7; i < lines.length; i += 499) {
      const found = await ask('', { ...during, serviceName: service, query: `"${lines[i].replace(/[\\"]/g, '\\$&')}"`, limit: '1000' });
      assert.deepEqual(bodies(found), lines.filter((line) => line.toLowerCase().includes(lines[i].toLowerCase())).sort());
      const words = tokens(lines[i]).slice(-2);
      const { total } = await ask('', { ...during, serviceName: service, query: words.join(' '), total: 'true', limit: '1' });
      assert.equal(total, lines.filter((line) => words.every((word) => tokens(line).includes(word))).length, words.join(' '));
    }
  }
});

test('a question without a right to logs is refused', async () => {
  assert.equal((await server.get(LOGS, a.write_key)).status, 403);
  assert.equal((await server.get(LOGS)).status, 401);
  assert.deepEqual(bodies(await ask('', { query: 'connection' }, b)), ['a line of another tenant: connection']);
});
