// SPDX-License-Identifier: Apache-2.0
// The engine on a small machine and under bad statements: memory has a limit, nothing runs for ever, stopping always ends.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { Engine, waitFor } from './engine_server.mjs';
import { promised } from './promised.mjs';

const MIB = 2 ** 20;
// Row after row of one block without a look at the clock or at a kill: half a second each, 50 s in all.
const UNKILLABLE = "SELECT sum(editDistance(materialize(repeat('a', 20000)), repeat('b', 20000))) FROM numbers(100)";
const ENGINE_EXIT_STUCK = 3;

const code = (answer) => Number(answer.headers['x-clickhouse-exception-code'] ?? 0);

// All context switches of a process's threads: each is a thread that went to sleep or was put there.
function switches(pid) {
  let sum = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const status = readFileSync(`/proc/${pid}/task/${task}/status`, 'latin1');
    for (const [, count] of status.matchAll(/ctxt_switches:\s+(\d+)/g)) sum += Number(count);
  }
  return sum;
}

function processorMs(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

describe('engine supervision', { concurrency: false }, () => {
  let engine;
  afterEach(() => engine?.remove());

  const start = async (...words) => (engine = await new Engine(Engine.makeDirectory(), words).start());

  it('refuses greedy statements at the memory limit; inserts and small questions go on', async () => {
    const limit = 400 * MIB;
    await start('--memory', String(limit));
    await engine.value('CREATE TABLE t (a UInt64, b String) ENGINE = MergeTree ORDER BY a');
    const greedy = [
      'SELECT length(groupArray(number)) FROM numbers(300000000)',
      'SELECT count() FROM (SELECT number, any(toString(number)) FROM numbers(30000000) GROUP BY number)',
      'SELECT count() FROM numbers(20000000) AS a JOIN (SELECT number FROM numbers(20000000)) AS b ON a.number = b.number',
    ];
    // None of them may end in another way on a machine that is slow or has room on its disk.
    const settings = { max_execution_time: 0, max_bytes_ratio_before_external_group_by: 0, max_bytes_ratio_before_external_join: 0 };
    const refused = new Map();
    let inserted = 0, answered = 0, peak = 0, done = false;
    // Blocks of 16 MB: far above what a thread may take before a limit sees it.
    const rows = 1000000;
    const insert = async () => {
      for (; !done; inserted++) {
        const answer = await engine.query(`INSERT INTO t SELECT number, hex(number) FROM numbers(${rows}) SETTINGS max_block_size = ${rows}`);
        assert.equal(answer.status, 200, `insert ${inserted}: ${answer.text}`);
      }
    };
    const count = async () => {
      for (; !done; answered++) {
        const answer = await engine.query('SELECT count() FROM t');
        assert.equal(answer.status, 200, `question ${answered}: ${answer.text}`);
      }
    };
    // Until each kind had its rounds, however fast the machine is with one of them.
    const ask = async (sql) => {
      for (let i = 0; !done && (i < 5 || inserted < 5 || answered < 5); i++) {
        const answer = await engine.query(sql, settings);
        assert.equal(code(answer), 241, `${sql}: ${answer.status} ${answer.text}`);
        refused.set(sql, answer.text);
      }
    };
    const watch = setInterval(() => (peak = Math.max(peak, engine.memory())), 20);
    const stop = () => (done = true);
    const others = [insert(), count()].map((promise) => promise.finally(stop));
    const results = await Promise.allSettled([Promise.all(greedy.map(ask)).finally(stop), ...others]);
    clearInterval(watch);
    for (const { reason } of results) if (reason) throw reason;
    assert.equal(refused.size, greedy.length);
    assert.equal(await engine.value('SELECT count() FROM t'), String(rows * inserted));
    assert.ok(peak > limit / 4, `the statements were not greedy: ${peak / MIB} MiB`);
    // What engine.h promises. 380 to 490 MiB were seen with 2, 16 and 64 processors; what the limit does not see is a
    // MiB per thread, and free pages the allocator keeps until the engine looks again.
    assert.ok(peak < 1.5 * limit, `${Math.round(peak / MIB)} MiB`);
  });

  it('takes no more threads on a machine of many processors than its memory allows', async () => {
    await start('--memory', String(256 * MIB));
    assert.ok(Number(await engine.value("SELECT getSetting('max_threads')")) <= 4);
  });

  it('kills a statement that runs on after its max_execution_time', async () => {
    await start('--grace', '300', '--stuck', '60000');
    const slow = UNKILLABLE.replace('100', '5');
    const answer = await engine.query(slow, { max_execution_time: 1 });
    assert.equal(answer.status, 408, answer.text);
    assert.equal(code(answer), 159);
    assert.match(engine.log, /killing a statement \d+ ms after its max_execution_time/);
    // Without a limit it may take its time.
    assert.equal(await engine.value(slow, { max_execution_time: 0 }), '100000');
    assert.equal(await engine.value(`${slow} SETTINGS max_execution_time = 0`), '100000');
  });

  it('says that it works while statements take all its readers, and goes on with them', async () => {
    await start('--queries', '2');
    const sleeps = () => engine.query('SELECT sum(sleepEachRow(1)) FROM numbers(4) SETTINGS max_block_size = 1, function_sleep_max_microseconds_per_block = 0');
    const full = [sleeps(), sleeps()];
    let done = 0;
    for (const each of full) each.then(() => done++);
    await waitFor('both readers have a statement', async () => (await engine.value('SELECT 1')) === '1' && engine.alive && done === 0);
    const checks = [];
    for (let i = 0; i < 5; i++) checks.push(await engine.value('SELECT 1'));
    assert.deepEqual([checks, done], [Array(5).fill('1'), 0], 'checks come before statements that were there first');
    for (const each of full) assert.equal((await each).text, '0\n');
  });

  it('ends when a statement cannot be killed, for its supervisor to start it again', async () => {
    await start('--grace', '300', '--stuck', '1500');
    const gone = engine.query(UNKILLABLE, { max_execution_time: 1 }).then(() => 'answered', () => 'cut');
    assert.equal((await engine.ended).code, ENGINE_EXIT_STUCK, engine.log);
    assert.match(engine.log, /a statement cannot be killed/);
    assert.equal(await gone, 'cut');
    assert.ok(existsSync(join(engine.data, 'running'))); // an unclean end: the next start repairs
  });

  it('does not take a slow client for a stuck statement', async () => {
    await start('--grace', '300', '--stuck', '500');
    const path = '/?' + new URLSearchParams({ max_execution_time: '1' });
    const request = http.request({ socketPath: engine.socket, method: 'POST', path, agent: false }, (response) => response.pause());
    request.on('error', () => {});
    request.end('SELECT number FROM numbers(100000000000)');
    await waitFor('it is noticed', () => /killing a statement/.test(engine.log));
    // Two more statements one after the other outlive the time in which a stuck one would have ended the process.
    for (let i = 0; i < 2; i++) assert.equal(await engine.value('SELECT sleep(1)'), '0');
    assert.ok(engine.alive, engine.log);
    request.destroy();
  });

  it('stops in less than 5 s also while a statement cannot be killed and inserts come', async () => {
    await start();
    await engine.value('CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a');
    engine.query(UNKILLABLE).catch(() => {});
    await waitFor('it runs', async () => (await engine.value("SELECT count() FROM system.processes WHERE query LIKE '%editDistance%'")) > 1);
    let acknowledged = 0;
    const insert = async () => {
      for (;;) {
        const answer = await engine.insert('INSERT INTO t FORMAT CSV', '1\n').catch(() => null);
        if (answer?.status !== 200) return;
        acknowledged++;
      }
    };
    const inserts = Promise.all([insert(), insert()]);
    await waitFor('inserts come', () => acknowledged > 5);
    const { code: status, ms } = await engine.stop();
    await inserts;
    assert.equal(status, 0, engine.log);
    assert.ok(ms < promised(5000), `${ms} ms`);
    engine = await new Engine(engine.directory).start();
    assert.ok(Number(await engine.value('SELECT count() FROM t')) >= acknowledged);
  });

  it('is small when it has just started, and again when its work is done', async () => {
    await start('--idle', '500');
    assert.ok(engine.memory('VmRSS') < 110 * MIB, `${engine.memory('VmRSS') / MIB} MiB`);
    let peak = 0;
    const watch = setInterval(() => (peak = Math.max(peak, engine.memory())), 5);
    await engine.value('SELECT count() FROM (SELECT number, any(hex(number)) FROM numbers(3000000) GROUP BY number)');
    clearInterval(watch);
    assert.ok(peak > 150 * MIB, `the work was small: ${peak / MIB} MiB`);
    await waitFor('its memory is given back', () => engine.memory('VmRSS') < 150 * MIB);
  });

  it('sleeps when nothing is asked', async () => {
    await start('--idle', '200');
    await engine.value('SELECT 1');
    // A second in which nothing happens is what is measured.
    const second = () => new Promise((resolve) => setTimeout(resolve, 1000));
    let fewest = Infinity, least = Infinity;
    for (let i = 0; i < 5; i++) {
      const begun = switches(engine.process.pid), processor = processorMs(engine.process.pid);
      await second();
      fewest = Math.min(fewest, switches(engine.process.pid) - begun);
      least = Math.min(least, processorMs(engine.process.pid) - processor);
    }
    assert.ok(fewest <= 15, `${fewest} wake-ups a second`);
    assert.ok(least <= 10, `${least} ms of processor time a second`);
  });

  it('looks at its own memory, and prints no stack traces about control groups', async () => {
    await start();
    assert.equal(await engine.value("SELECT value FROM system.server_settings WHERE name = 'memory_worker_use_cgroup'"), '0');
    assert.doesNotMatch(engine.log, /cgroup|Stack trace/);
  });
});
