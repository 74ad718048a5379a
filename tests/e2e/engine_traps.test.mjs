// SPDX-License-Identifier: Apache-2.0
// What the embedded engine does wrong by itself, and that it does not with our settings. Each test also switches the
// remedy off and expects the damage: when that part fails after an upgrade of the library, the remedy can go.
// (Threads on one connection, and a config.xml in the working directory: src/engine/chdb_test.c.)
import assert from 'node:assert/strict';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Engine } from './engine_server.mjs';

const NO_FSYNC = {
  fsync_after_insert: 0, fsync_part_directory: 0, min_rows_to_fsync_after_merge: 0, min_compressed_bytes_to_fsync_after_merge: 0,
};
const DROP_MS = 15_000; // a statement that hangs never ends

// Runs with an engine of its own, and removes it.
async function withEngine(override, work) {
  const engine = await new Engine(Engine.makeDirectory()).override(override).start();
  try {
    return await work(engine);
  } finally {
    await engine.remove();
  }
}

const code = (answer) => Number(answer.headers['x-clickhouse-exception-code'] ?? 0);

describe('traps of the engine', { concurrency: false }, () => {
  let engine;
  before(async () => {
    engine = await new Engine(Engine.makeDirectory()).start();
    await engine.value('CREATE DATABASE d');
  });
  after(() => engine?.remove());

  it('no filter of its own in ORDER BY time DESC LIMIT, which fails while rows are inserted', async () => {
    await engine.value("CREATE TABLE d.recent (a String, time DateTime64(3, 'UTC'), b String) ENGINE = MergeTree ORDER BY (a, toDate(time), time)");
    await engine.value('INSERT INTO d.recent SELECT toString(number % 3), now64(3) - number, hex(number) FROM numbers(100000)');
    const plan = (parameters) => engine.value("EXPLAIN actions = 1 SELECT * FROM d.recent WHERE a != '' ORDER BY time DESC LIMIT 20", parameters);
    assert.match(await plan({ use_top_k_dynamic_filtering: 1 }), /__topKFilter/);
    assert.doesNotMatch(await plan({}), /__topKFilter/);
  });

  it('keeps equal blocks that carry no token', async () => {
    const count = async (parameters) => {
      await engine.value('CREATE TABLE d.equal (a UInt32) ENGINE = MergeTree ORDER BY a');
      for (let i = 0; i < 2; i++) {
        await engine.insert('INSERT INTO d.equal FORMAT CSV', '1\n', parameters);
        await engine.query('INSERT INTO d.equal VALUES (2)', parameters);
      }
      const rows = Number(await engine.value('SELECT count() FROM d.equal'));
      await engine.value('DROP TABLE d.equal');
      return rows;
    };
    assert.equal(await count({ deduplicate_insert: 'enable' }), 2);
    assert.equal(await count({ insert_deduplicate: 0, deduplicate_insert: 'enable' }), 2); // the setting of that name does nothing
    assert.equal(await count({}), 4);
  });

  it('syncs every insert, also into targets of views', async () => {
    const synced = async (one) => {
      await one.value('CREATE DATABASE IF NOT EXISTS s');
      await one.value('CREATE TABLE s.base (a UInt32) ENGINE = MergeTree ORDER BY a');
      await one.value('CREATE TABLE s.target (a UInt32) ENGINE = MergeTree ORDER BY a');
      await one.value('CREATE MATERIALIZED VIEW s.to_target TO s.target AS SELECT a FROM s.base');
      await one.value('CREATE MATERIALIZED VIEW s.inner ENGINE = MergeTree ORDER BY a AS SELECT a FROM s.base');
      await one.value('CREATE TABLE s.alone (a UInt32) ENGINE = MergeTree ORDER BY a');
      const syncs = async () => Number(await one.value("SELECT sum(value) FROM system.events WHERE event IN ('FileSync', 'DirectorySync')"));
      const during = async (statement) => {
        const begun = await syncs();
        await one.value(statement);
        return (await syncs()) - begun;
      };
      const alone = await during('INSERT INTO s.alone VALUES (1)');
      const all = await during('INSERT INTO s.base VALUES (1)');
      await one.value('INSERT INTO s.alone VALUES (2)');
      return { alone, all, merge: await during('OPTIMIZE TABLE s.alone FINAL') };
    };
    const off = await withEngine({ tables: NO_FSYNC }, synced);
    assert.deepEqual(off, { alone: 0, all: 0, merge: 0 });
    const on = await synced(engine);
    assert.ok(on.alone > 0 && on.merge > 0, JSON.stringify(on));
    assert.ok(on.all >= 3 * on.alone, JSON.stringify(on));
    const settings = await engine.value(`SELECT name, value FROM system.merge_tree_settings WHERE name IN (${Object.keys(NO_FSYNC).map((name) => `'${name}'`)}) AND value != '1'`);
    assert.equal(settings, '');
  });

  for (const [what, limit] of [['many', { max_suspicious_broken_parts: 1 }], ['large', { max_suspicious_broken_parts_bytes: 1 }]])
    it(`opens although ${what} parts are broken`, async () => {
      const one = await new Engine(Engine.makeDirectory(), ['--timeout', '300']).start();
      let again;
      try {
        await one.value('CREATE DATABASE d');
        await one.value('CREATE TABLE d.broken (a UInt32) ENGINE = MergeTree ORDER BY a');
        await one.value('SYSTEM STOP MERGES d.broken');
        for (let i = 0; i < 4; i++) await one.value(`INSERT INTO d.broken VALUES (${i})`);
        const paths = (await one.value("SELECT path FROM system.parts WHERE table = 'broken' AND name != 'all_1_1_0'")).split('\n');
        assert.equal(paths.length, 3);
        await one.stop('SIGKILL');
        for (const path of paths) for (const name of readdirSync(path)) if (name !== 'count.txt') rmSync(join(path, name));
        again = new Engine(one.directory, ['--timeout', '300']).override({ tables: limit });
        await again.spawn();
        assert.equal((await again.ended).code, 1, 'with the library\'s own limit it must refuse');
        assert.match(again.log, /broken/i);
        again = await new Engine(one.directory).override({}).start();
        assert.equal(await again.value('SELECT count() FROM d.broken'), '1');
      } finally {
        await again?.remove();
        await one.remove();
      }
    });

  it('knows no statements without a verb, and no functions that look into the process', async () => {
    assert.equal((await engine.query('1 + 1', { implicit_select: 1 })).text, '2\n');
    assert.equal(code(await engine.query('1 + 1')), 62);
    assert.equal(await engine.value("SELECT demangle('_ZN2DB9ExceptionE')", { allow_introspection_functions: 1 }), 'DB::Exception');
    assert.equal(code(await engine.query("SELECT demangle('_ZN2DB9ExceptionE')")), 446);
  });

  it('shows materialized views all rows of an insert, unless the tenant is said', async () => {
    const policies = ['--policy', 'd.owned.tenant_id', '--policy', 'd.owned_sums.tenant_id'];
    const one = await new Engine(Engine.makeDirectory(), policies).start();
    try {
      await one.value('CREATE DATABASE d');
      await one.value('CREATE TABLE d.owned (tenant_id String, n UInt32) ENGINE = MergeTree ORDER BY tenant_id');
      await one.value('CREATE MATERIALIZED VIEW d.owned_sums ENGINE = SummingMergeTree ORDER BY tenant_id AS SELECT tenant_id, n FROM d.owned');
      const seen = async (parameters) => {
        await one.insert('INSERT INTO d.owned FORMAT CSV', 'a,1\nb,1\n', parameters);
        return [await one.value('SELECT count() FROM d.owned'), await one.value('SELECT sum(n) FROM d.owned_sums')];
      };
      assert.deepEqual(await seen({ log_comment: '' }), ['2', '0']); // rows, but none for the view, and no error
      assert.deepEqual(await seen({}), ['4', '2']);
      assert.deepEqual(await seen({ log_comment: '*' }), ['6', '4']);
      assert.deepEqual(await seen({ log_comment: 'a' }), ['8', '5']);
    } finally {
      await one.remove();
    }
  });

  it('drops a refreshable view at once, however it is asked to', async () => {
    for (let i = 0; i < 4; i++) {
      await engine.value('CREATE MATERIALIZED VIEW d.refreshed REFRESH EVERY 1 SECOND ENGINE = MergeTree ORDER BY n AS SELECT 1 AS n');
      const dropped = engine.value('DROP VIEW d.refreshed SYNC');
      let timer;
      const late = new Promise((resolve) => (timer = setTimeout(() => resolve('late'), DROP_MS)));
      assert.equal(await Promise.race([dropped, late]), '');
      clearTimeout(timer);
    }
    assert.equal(await engine.value("SELECT count() FROM system.tables WHERE name = 'refreshed'"), '0');
  });

  it('takes a segment that touches any number of partitions', async () => {
    await engine.value('CREATE TABLE d.parted (a UInt32) ENGINE = MergeTree PARTITION BY a ORDER BY a');
    const insert = (parameters) => engine.insert('INSERT INTO d.parted FORMAT CSV', Array.from({ length: 120 }, (_, i) => `${i}\n`).join(''), parameters);
    assert.equal(code(await insert({ max_partitions_per_insert_block: 100 })), 252);
    assert.equal((await insert({})).status, 200);
    assert.equal(await engine.value('SELECT count() FROM d.parted'), '120');
  });

  it('has caches for a small machine, though its own are for a large one', async () => {
    const names = ['mark_cache_size', 'primary_index_cache_size', 'index_mark_cache_size'];
    const sizes = `SELECT name, toUInt64(value), toUInt64(default) FROM system.server_settings WHERE name IN (${names.map((name) => `'${name}'`)}) FORMAT JSONCompact`;
    const rows = JSON.parse(await engine.value(sizes, { output_format_json_quote_64bit_integers: 0 })).data;
    assert.equal(rows.length, names.length);
    for (const [name, ours, theirs] of rows) assert.ok(ours <= 64 << 20 && theirs > 1e9, `${name}: ${ours}, ${theirs}`);
  });

  it('takes small inserts as parts of one file', async () => {
    const kind = async (one) => {
      await one.value('CREATE DATABASE IF NOT EXISTS d');
      await one.value('CREATE TABLE d.kind (a UInt64, b String) ENGINE = MergeTree ORDER BY a');
      await one.value("INSERT INTO d.kind SELECT number, repeat('x', 200) FROM numbers(100000)");
      return one.value("SELECT DISTINCT part_type FROM system.parts WHERE active AND table = 'kind'");
    };
    assert.equal(await withEngine({ tables: { min_bytes_for_wide_part: 10485760 } }, kind), 'Wide');
    assert.equal(await kind(engine), 'Compact');
  });
});

describe('a token whose rows never came to be', { concurrency: false }, () => {
  for (const repaired of [false, true])
    it(repaired ? 'is forgotten by the repair at start' : 'swallows the retry when nothing repairs', async () => {
      const one = await new Engine(Engine.makeDirectory()).start();
      let again;
      try {
        await one.value('CREATE DATABASE d');
        await one.value('CREATE TABLE d.t (a UInt32) ENGINE = MergeTree ORDER BY a');
        const insert = (to) => to.insert('INSERT INTO d.t FORMAT CSV', '1\n', { insert_deduplication_token: 'one' });
        await insert(one);
        const path = await one.value("SELECT path FROM system.parts WHERE table = 't'");
        await one.stop('SIGKILL');
        rmSync(path, { recursive: true });
        if (!repaired) rmSync(join(one.data, 'running')); // the mark of an unclean end, which starts the repair
        again = await new Engine(one.directory).start();
        await insert(again);
        assert.equal(await again.value('SELECT count() FROM d.t'), repaired ? '1' : '0');
      } finally {
        await again?.remove();
        await one.remove();
      }
    });
});
