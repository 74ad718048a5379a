// SPDX-License-Identifier: Apache-2.0
// The embedded event store as clients see it: ClickHouse's HTTP protocol, isolation, cancelling, dying and coming back.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createClient } from '@clickhouse/client';
import { Engine, waitFor } from './engine_server.mjs';
import { promised } from './promised.mjs';

const policies = ['--policy', 'default.owned.tenant_id', '--policy', 'default.owned_view.tenant_id'];

async function runningStatements(engine, marker) {
  return Number(await engine.value(`SELECT count() FROM system.processes WHERE query LIKE '%${marker}%' AND query NOT LIKE '%processes%'`));
}

// Sends a statement and returns a function that hangs up.
function sendAndHold(engine, sql) {
  const request = http.request({ socketPath: engine.socket, method: 'POST', path: '/', agent: false }, (response) => response.pause());
  request.on('error', () => {});
  request.end(sql);
  return () => request.destroy();
}

describe('engine over HTTP', { concurrency: false }, () => {
  let engine, client;

  before(async () => {
    engine = await new Engine(Engine.makeDirectory(), policies, { TZ: 'Europe/Amsterdam' }).start();
    client = createClient({ url: engine.url });
  });
  after(async () => {
    await client?.close();
    await engine?.remove();
  });

  it('answers curl on its Unix socket, and prints nothing on standard output', () => {
    const curl = (...words) => execFileSync('curl', ['-sS', '--unix-socket', engine.socket, ...words]).toString();
    assert.equal(curl('http://engine/ping'), 'Ok.\n');
    assert.equal(curl('http://engine/'), 'Ok.\n');
    assert.equal(curl('http://engine/?query=SELECT%201'), '1\n');
    assert.equal(curl('http://engine/', '--data-binary', 'SELECT 1 AS a FORMAT JSONEachRow'), '{"a":1}\n');
    const headers = curl('-D', '-', '-o', '/dev/null', 'http://engine/?query_id=my-id', '--data-binary', 'SELECT 1 FORMAT CSV');
    assert.match(headers, /^HTTP\/1\.1 200 /);
    assert.match(headers, /X-ClickHouse-Query-Id: my-id\r\n/);
    assert.match(headers, /X-ClickHouse-Format: CSV\r\n/);
    assert.match(headers, /Content-Type: text\/csv; charset=UTF-8\r\n/i);
    assert.match(headers, /X-ClickHouse-Timezone: UTC\r\n/);
    assert.match(headers, /X-ClickHouse-Server-Display-Name: /);
    assert.equal(engine.stdout, '');
  });

  it('runs in UTC wherever the machine is', async () => {
    assert.equal(await engine.value("SELECT timezone(), toDateTime(0)"), 'UTC\t1970-01-01 00:00:00');
  });

  it('serves the ClickHouse client: ping, query, parameters', async () => {
    assert.equal((await client.ping()).success, true);
    const result = await client.query({
      query: 'SELECT {s:String} AS s, {n:UInt64} AS n, {a:Array(String)} AS a, {d:DateTime64(3)} AS d, {m:Nullable(String)} AS m',
      query_params: { s: "it's \t a\\b\n\"ü\"; DROP TABLE x --", n: 42, a: ["x'y", 'z'], d: new Date('2026-11-21T08:00:00.123Z'), m: null },
      format: 'JSONEachRow',
    });
    assert.deepEqual(await result.json(), [{
      s: "it's \t a\\b\n\"ü\"; DROP TABLE x --", n: 42, a: ["x'y", 'z'], d: '2026-11-21 08:00:00.123', m: null }]);
  });

  it('gives one valid document for formats with a frame, however many blocks there are', async () => {
    const result = await (await client.query({ query: 'SELECT number FROM numbers(300000)', format: 'JSON' })).json();
    assert.equal(result.rows, 300000);
    assert.equal(result.data.length, 300000);
    const csv = await engine.value('SELECT number AS n FROM numbers(200000) FORMAT CSVWithNames');
    assert.equal(csv.split('\n').length, 200001);
    assert.equal(csv.split('"n"').length, 2);
  });

  it('inserts JSONEachRow from the client', async () => {
    await client.command({ query: 'CREATE TABLE rows (a UInt32, b String, t DateTime64(3)) ENGINE = MergeTree ORDER BY a' });
    const inserted = await client.insert({
      table: 'rows', format: 'JSONEachRow',
      values: [{ a: 1, b: 'x\n\ny', t: '2026-11-21T08:00:00.123Z' }, { a: 2, b: '', t: '2026-11-21 08:00:00' }],
    });
    assert.equal(inserted.summary?.written_rows, '2');
    const rows = await (await client.query({ query: 'SELECT * FROM rows ORDER BY a', format: 'JSONEachRow' })).json();
    assert.deepEqual(rows, [
      { a: 1, b: 'x\n\ny', t: '2026-11-21 08:00:00.123' }, { a: 2, b: '', t: '2026-11-21 08:00:00.000' }]);
    await client.command({ query: 'DROP TABLE rows' });
  });

  it('takes and gives compressed bodies', async () => {
    const packed = createClient({ url: engine.url, compression: { request: true, response: true } });
    await engine.value('CREATE TABLE packed (a UInt32, b String) ENGINE = MergeTree ORDER BY a');
    await packed.insert({ table: 'packed', format: 'JSONEachRow', values: Array.from({ length: 5000 }, (_, a) => ({ a, b: 'some text' })) });
    const rows = await (await packed.query({ query: 'SELECT count() AS n, sum(a) AS s FROM packed', format: 'JSONEachRow' })).json();
    assert.deepEqual(rows, [{ n: 5000, s: 12497500 }]);
    await packed.close();
    await engine.value('DROP TABLE packed');
  });

  it('inserts Native, RowBinary, CSV, VALUES, and data behind the statement in the body', async () => {
    await engine.value('CREATE TABLE many (a UInt32, b LowCardinality(String)) ENGINE = MergeTree ORDER BY a');
    for (const format of ['Native', 'RowBinary', 'Parquet']) {
      // Bytes 10 10 are in the data: two line ends must not end it.
      const block = await engine.query(`SELECT toUInt32(168430090 + number) AS a, '\\n\\n\\n' AS b FROM numbers(1000) FORMAT ${format}`);
      const answer = await engine.insert(`INSERT INTO many FORMAT ${format}`, block.body);
      assert.equal(answer.status, 200, answer.text);
    }
    assert.equal((await engine.insert('INSERT INTO many (b, a) FORMAT CSV', 'x,1\n"y\n\nz",2\n')).status, 200);
    assert.equal((await engine.query("INSERT INTO many VALUES (3, 'v;w')")).status, 200);
    assert.equal((await engine.insert('INSERT INTO many VALUES', "(4, 'FORMAT CSV')")).status, 200);
    assert.equal((await engine.query('INSERT INTO many SETTINGS max_threads=1 FORMAT JSONEachRow\n{"a":5,"b":"j"}\n\n\n{"a":6,"b":"k"}\n')).status, 200);
    assert.equal((await engine.insert("INSERT INTO many SELECT a * 10, b FROM input('a UInt32, b String') FORMAT CSV", '7,in\n')).status, 200);
    assert.equal((await engine.insert('INSERT INTO many FORMAT CSV', '')).status, 200);
    assert.equal(await engine.value('SELECT count(), countIf(b = \'\\n\\n\\n\'), groupArraySorted(10)(a) FROM many WHERE a < 100 OR b = \'\\n\\n\\n\''),
      '3007\t3000\t[1,2,3,4,5,6,70,168430090,168430090,168430090]');
    await engine.value('DROP TABLE many');
  });

  it('drops a repeated insert by its token, given as a setting or in the statement', async () => {
    await engine.value('CREATE TABLE tokens (a UInt32) ENGINE = MergeTree ORDER BY a');
    for (let i = 0; i < 3; i++) {
      await engine.insert('INSERT INTO tokens FORMAT CSV', '1\n', { insert_deduplication_token: 'one' });
      await engine.insert("INSERT INTO tokens SETTINGS insert_deduplication_token='two' FORMAT CSV", '1\n');
    }
    await engine.insert('INSERT INTO tokens FORMAT CSV', '1\n', { insert_deduplication_token: 'three' });
    assert.equal(await engine.value('SELECT count() FROM tokens'), '3');
    await engine.value('DROP TABLE tokens');
  });

  it('keeps equal inserts that carry no token, also through views', async () => {
    await engine.value('CREATE TABLE equal (a UInt32) ENGINE = MergeTree ORDER BY a');
    await engine.value('CREATE MATERIALIZED VIEW equal_view ENGINE = SummingMergeTree ORDER BY a AS SELECT a, 1 AS n FROM equal');
    for (let i = 0; i < 3; i++) {
      await engine.insert('INSERT INTO equal FORMAT CSV', '1\n');
      await engine.query('INSERT INTO equal VALUES (1)');
      await engine.query('INSERT INTO equal SELECT 1');
    }
    assert.equal(await engine.value('SELECT count() FROM equal'), '9');
    assert.equal(await engine.value('SELECT sum(n) FROM equal_view'), '9');
  });

  it('applies settings, database and default format of the request', async () => {
    assert.equal(await engine.value("SELECT getSetting('max_threads'), getSetting('max_block_size')", { max_threads: '1', max_block_size: '777' }), '1\t777');
    assert.equal(await engine.value('SELECT currentDatabase()', { database: 'system' }), 'system');
    assert.equal(await engine.value('SELECT 1 AS a', { default_format: 'JSONEachRow' }), '{"a":1}');
    const answer = await engine.request('POST', '/', 'SELECT currentDatabase() AS d', { 'X-ClickHouse-Database': 'system', 'X-ClickHouse-Format': 'JSONEachRow' });
    assert.equal(answer.text, '{"d":"system"}\n');
    // Nothing of it is left for the next request.
    assert.equal(await engine.value('SELECT currentDatabase()'), 'default');
  });

  it('answers errors with ClickHouse numbers and statuses', async () => {
    const cases = [
      ['SELEC 1', {}, 400, 62],
      ['SELECT * FROM nowhere', {}, 404, 60],
      ['SELECT 1', { database: 'nowhere' }, 404, 81],
      ['SELECT 1', { no_such_setting: '1' }, 404, 115],
      ['SELECT {x:String}', {}, 400, 456],
      ['SELECT 1; SELECT 2', {}, 400, 62],
      ['', {}, 400, 62],
      ["SELECT 1 INTO OUTFILE '/tmp/millrace-must-not-exist'", {}, 400, 62],
      ['SELECT 1 FORMAT Nonsense', {}, 404, 73],
      ['SELECT throwIf(number = 9) FROM numbers(10)', {}, 500, 395],
      ['INSERT INTO nowhere FORMAT CSV\n1', {}, 404, 60],
      ['SELECT 1', { compress: '1' }, 501, 48],
    ];
    for (const [sql, parameters, status, code] of cases) {
      const answer = await engine.query(sql, parameters);
      assert.equal(answer.status, status, `${sql}: ${answer.text}`);
      assert.equal(answer.headers['x-clickhouse-exception-code'], String(code), sql);
      assert.match(answer.text, new RegExp(`^Code: ${code}\\. DB::Exception: .*\\([A-Z_]+\\)\\n$`, 's'));
    }
    const get = await engine.request('GET', '/?query=' + encodeURIComponent('CREATE TABLE x (a UInt8) ENGINE = Memory'));
    assert.equal(get.status, 403);
    assert.equal(get.headers['x-clickhouse-exception-code'], '164');
    await assert.rejects(client.query({ query: 'SELECT * FROM nowhere' }), { code: '60', type: 'UNKNOWN_TABLE' });
  });

  it('refuses bad rows and keeps none of them', async () => {
    await engine.value('CREATE TABLE strict (a UInt32) ENGINE = MergeTree ORDER BY a');
    const answer = await engine.insert('INSERT INTO strict FORMAT CSV', '1\n2\nthree\n');
    assert.equal(answer.status, 400, answer.text);
    assert.equal(await engine.value('SELECT count() FROM strict'), '0');
    await engine.value('DROP TABLE strict');
  });

  it('reports what it read and wrote', async () => {
    const read = JSON.parse((await engine.query('SELECT number FROM numbers(1000)')).headers['x-clickhouse-summary']);
    assert.equal(read.read_rows, '1000');
    assert.equal(read.result_rows, '1000');
    assert.equal(read.result_bytes, '3890');
    assert.ok(Number(read.elapsed_ns) > 0);
    await engine.value('CREATE TABLE counted (a UInt32) ENGINE = MergeTree ORDER BY a');
    const written = JSON.parse((await engine.insert('INSERT INTO counted FORMAT CSV', '1\n2\n3\n')).headers['x-clickhouse-summary']);
    assert.equal(written.written_rows, '3');
    assert.ok(Number(written.written_bytes) > 0);
    await engine.value('DROP TABLE counted');
  });

  it('never mixes up the parameters of simultaneous requests', async () => {
    const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => engine.value('SELECT {x:UInt32}, {y:String}', { param_x: i, param_y: `v${i}` })));
    answers.forEach((answer, i) => assert.equal(answer, `${i}\tv${i}`));
  });

  it('streams a large answer with little memory', async () => {
    const begun = engine.memory();
    let peak = begun;
    const watch = setInterval(() => (peak = Math.max(peak, engine.memory())), 20);
    let bytes = 0;
    const result = await client.exec({ query: "SELECT number, 'some text to make the row longer' AS t FROM numbers(10000000) FORMAT JSON" });
    for await (const chunk of result.stream) bytes += chunk.length;
    clearInterval(watch);
    assert.ok(bytes > 700e6, `${bytes} bytes`);
    assert.ok(peak - begun < 300e6, `memory grew by ${Math.round((peak - begun) / 1e6)} MB`);
  });

  it('cuts the connection when a statement fails after rows were sent', async () => {
    const answer = await engine.query('SELECT throwIf(number = 3000000) FROM numbers(4000000)');
    assert.equal(answer.status, 200);
    assert.equal(answer.complete, false);
    assert.match(answer.text.slice(-1000), /Code: 395\. DB::Exception: /);
  });

  it('ends a computing statement when its client hangs up', async () => {
    const hangUp = sendAndHold(engine, "SELECT count(), 'marker_compute' FROM numbers(100000000000) WHERE sipHash64(number) = 1");
    await waitFor('the statement runs', async () => (await runningStatements(engine, 'marker_compute')) === 1);
    hangUp();
    await waitFor('the statement is gone', async () => (await runningStatements(engine, 'marker_compute')) === 0, 5000);
  });

  it('ends a streaming statement when its client hangs up, also one that stopped reading', async () => {
    const hangUp = sendAndHold(engine, "SELECT number, 'marker_stream' FROM numbers(100000000000)");
    await waitFor('the statement runs', async () => (await runningStatements(engine, 'marker_stream')) === 1);
    hangUp();
    await waitFor('the statement is gone', async () => (await runningStatements(engine, 'marker_stream')) === 0, 5000);
  });

  it('shows each tenant its own rows, in tables and in views', async () => {
    await engine.value('CREATE TABLE owned (tenant_id String, n UInt32) ENGINE = MergeTree ORDER BY tenant_id');
    await engine.value('CREATE MATERIALIZED VIEW owned_view ENGINE = MergeTree ORDER BY tenant_id AS SELECT tenant_id, n FROM owned');
    await engine.insert('INSERT INTO owned FORMAT CSV', 'a,1\na,2\nb,3\n');
    for (const table of ['owned', 'owned_view']) {
      const sum = (comment) => engine.value(`SELECT sum(n) FROM ${table}`, comment === undefined ? {} : { log_comment: comment });
      assert.equal(await sum(), '6');
      assert.equal(await sum('*'), '6');
      assert.equal(await sum('a'), '3');
      assert.equal(await sum('b request-17'), '3');
      assert.equal(await sum('nobody'), '0');
      assert.equal(await sum(''), '0');
    }
    // With readonly=1 a statement cannot become another tenant.
    const closed = { log_comment: 'b', readonly: '1' };
    assert.equal(await engine.value('SELECT sum(n) FROM owned', closed), '3');
    for (const sql of ["SELECT sum(n) FROM owned SETTINGS log_comment='*'", "SET log_comment='*'", 'INSERT INTO owned FORMAT CSV\nb,1'])
      for (const method of ['POST', 'GET']) {
        const path = '/?' + new URLSearchParams(method === 'GET' ? { ...closed, query: sql } : closed);
        const answer = await engine.request(method, path, method === 'GET' ? undefined : sql);
        assert.equal(answer.headers['x-clickhouse-exception-code'], '164', `${method} ${sql}: ${answer.text}`);
      }
    assert.equal(await engine.value('SELECT count() FROM owned AS x JOIN owned AS y ON x.n >= 0 AND y.n >= 0', { log_comment: 'b' }), '1');
  });
});

describe('engine under pressure', { concurrency: false }, () => {
  let engine;
  before(async () => {
    engine = await new Engine(Engine.makeDirectory(), ['--queries', '1']).start();
  });
  after(() => engine?.remove());

  it('refuses what it cannot queue, and says when to come back', async () => {
    const answers = await Promise.all(Array.from({ length: 200 }, () => engine.query('SELECT sleep(0.05)')));
    const refused = answers.filter((answer) => answer.status === 503);
    assert.ok(refused.length > 0);
    assert.ok(answers.filter((answer) => answer.status === 200).length >= 65);
    for (const answer of refused) {
      assert.equal(answer.headers['retry-after'], '1');
      assert.match(answer.text, /^Code: 202\. /);
    }
  });

  it('inserts while all readers are busy', async () => {
    await engine.value('CREATE TABLE busy (a UInt32) ENGINE = MergeTree ORDER BY a');
    const hangUp = sendAndHold(engine, 'SELECT count() FROM numbers(100000000000) WHERE sipHash64(number) = 1');
    const answer = await engine.insert('INSERT INTO busy FORMAT CSV', '1\n');
    assert.equal(answer.status, 200);
    hangUp();
    assert.equal(await engine.value('SELECT count() FROM busy'), '1');
  });
});

describe('engine life and death', { concurrency: false }, () => {
  let directory, engine;
  before(() => (directory = Engine.makeDirectory()));
  after(() => engine?.remove());

  it('keeps what it acknowledged through kill -9', async () => {
    engine = await new Engine(directory).start();
    await engine.value('CREATE DATABASE d');
    await engine.value('CREATE TABLE d.t (a UInt32) ENGINE = MergeTree ORDER BY a');
    for (let round = 0; round < 3; round++) {
      await engine.insert('INSERT INTO d.t FORMAT CSV', '1\n2\n', { insert_deduplication_token: `round ${round}` });
      await engine.stop('SIGKILL');
      assert.ok(existsSync(join(engine.data, 'running')));
      engine = await new Engine(directory).start();
      assert.match(engine.log, /unclean end/);
      await engine.insert('INSERT INTO d.t FORMAT CSV', '1\n2\n', { insert_deduplication_token: `round ${round}` });
      assert.equal(await engine.value('SELECT count() FROM d.t'), String(2 * (round + 1)));
    }
  });

  it('takes a token back whose rows never came to be', async () => {
    await engine.value('CREATE TABLE d.poisoned (a UInt32) ENGINE = MergeTree ORDER BY a');
    await engine.value('SYSTEM STOP MERGES d.poisoned');
    const insert = (token) => engine.insert('INSERT INTO d.poisoned FORMAT CSV', '1\n2\n', { insert_deduplication_token: token });
    await insert('kept');
    await insert('lost');
    const path = await engine.value("SELECT path FROM system.parts WHERE table = 'poisoned' AND name = 'all_2_2_0'");
    await engine.stop('SIGKILL');
    // As if it had died between writing the token and publishing the part.
    assert.ok(existsSync(path));
    rmSync(path, { recursive: true });
    engine = await new Engine(directory).start();
    assert.match(engine.log, /; 2 stale insert tokens removed/);
    assert.equal(await engine.value('SELECT count() FROM d.poisoned'), '2');
    await insert('kept');
    await insert('lost');
    await insert('lost');
    assert.equal(await engine.value('SELECT count() FROM d.poisoned'), '4');
  });

  it('stops cleanly in less than 5 s while statements run', async () => {
    sendAndHold(engine, "SELECT count(), 'marker_stop' FROM numbers(100000000000) WHERE sipHash64(number) = 1");
    sendAndHold(engine, "SELECT number, 'marker_stop' FROM numbers(100000000000)");
    await waitFor('both run', async () => (await runningStatements(engine, 'marker_stop')) === 2);
    const { code, ms } = await engine.stop();
    assert.equal(code, 0, engine.log);
    assert.ok(ms < promised(5000), `${ms} ms`);
    assert.ok(!existsSync(join(engine.data, 'running')), engine.log);
    assert.ok(!existsSync(engine.socket));
  });

  it('waits for another engine to let go of the directory', async () => {
    const first = await new Engine(directory).start();
    engine = await new Engine(directory).spawn();
    const early = await Promise.race([engine.ready().then(() => 'ready'), new Promise((resolve) => setTimeout(() => resolve('waiting'), 500))]);
    assert.equal(early, 'waiting');
    await first.stop();
    await engine.ready();
    assert.equal(await engine.value('SELECT count() FROM d.t'), '6');
    assert.doesNotMatch(engine.log, /unclean end/);
  });

  it('gives up with a reason when the directory stays in use', async () => {
    const second = await new Engine(directory, ['--timeout', '300']).spawn();
    assert.equal((await second.ended).code, 1);
    assert.match(second.log, /another process uses/);
  });

  it('ends when its lifeline does', async () => {
    await engine.stop();
    engine = await new Engine(directory, ['--lifeline']).start();
    engine.process.stdio[3].destroy();
    assert.equal((await engine.ended).code, 0);
    assert.ok(!existsSync(join(engine.data, 'running')));
  });
});
