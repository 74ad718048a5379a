// SPDX-License-Identifier: Apache-2.0
// The engine is killed, stopped or stuck below a running server: ingest goes on as if nothing had happened, /readyz tells
// the truth, and the engine comes back.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { promised, Server, waitFor } from '../e2e/harness.mjs';

const BACK_MS = 120_000; // how slow a machine may be: what is promised is that it comes back
const HUNG_MS = 60_000; // the server gives a silent engine 20 s
const UNKILLABLE = "SELECT sum(editDistance(materialize(repeat('a', 20000)), repeat('b', 20000))) FROM numbers(100)";

describe('the engine below a server', { concurrency: false }, () => {
  let server, key, sent = 0;

  before(async () => {
    server = await Server.start();
    key = server.tenants.main.write_key;
  });
  after(() => server?.remove());

  const ready = async () => (await server.get('/readyz')).status;

  // Sends events one after the other until stopped; every answer must be 200.
  function sender() {
    const self = { stopped: false, answers: [] };
    self.done = (async () => {
      while (!self.stopped) {
        const answer = await server.post('/v1/events', { name: 'signup', device_id: `device-${sent}` }, { key });
        self.answers.push(answer.status);
        if (answer.status === 200) sent++;
      }
    })();
    self.stop = async () => {
      self.stopped = true;
      await self.done;
      assert.deepEqual([...new Set(self.answers)], [200]);
    };
    return self;
  }

  async function survives(harm, { downMs = BACK_MS } = {}) {
    const old = server.enginePid;
    const load = sender();
    await waitFor('events are sent', () => load.answers.length > 5);
    const before = load.answers.length;
    await harm(old);
    await waitFor('/readyz is 503', async () => (await ready()) === 503, downMs);
    await waitFor('/readyz is 200', async () => (await ready()) === 200, downMs);
    assert.notEqual(server.enginePid, old);
    await waitFor('events go on', () => load.answers.length > before + 5);
    await load.stop();
    await server.events(sent, "name = 'signup'", { columns: 'id, created_at', deadlineMs: BACK_MS });
  }

  it('kill -9: events are taken all the time, and the engine is back with all of them', async () => {
    await survives((pid) => process.kill(pid, 'SIGKILL'));
  });

  it('killed again and again: the pauses grow, and it comes back', async () => {
    for (let i = 0; i < 3; i++) {
      const pid = await waitFor('there is an engine', () => server.enginePid, BACK_MS);
      process.kill(pid, 'SIGKILL');
      await waitFor('it is another one', () => server.enginePid && server.enginePid !== pid, BACK_MS);
    }
    await waitFor('/readyz is 200', async () => (await ready()) === 200, BACK_MS);
    const metrics = (await server.get('/metrics', server.tenants.main.secret_key)).text;
    const restarts = Number(/^millrace_engine_restarts_total (\d+)$/m.exec(metrics)?.[1]);
    assert.ok(restarts >= 4, metrics.slice(0, 300));
  });

  it('silent: it is killed and started again', async () => {
    await survives((pid) => process.kill(pid, 'SIGSTOP'), { downMs: HUNG_MS });
    assert.match(server.log, /has not answered for 20 s and is killed/);
  });

  it('stops in less than 5 s under load, also with a statement that cannot be killed', async () => {
    const stuck = server.sql(UNKILLABLE).catch(() => {});
    await waitFor('it runs', async () => (await server.sql("SELECT count() AS n FROM system.processes WHERE query LIKE '%editDistance%'"))[0].n > 1);
    const load = (async () => {
      for (;;) {
        const answer = await server.post('/v1/events', { name: 'signup' }, { key }).catch(() => null);
        if (answer?.status !== 200) return;
        sent++;
      }
    })();
    const { code, ms } = await server.stop();
    await Promise.all([load, stuck]);
    assert.equal(code, 0, server.log);
    assert.ok(ms < promised(5000), `${ms} ms`);
    await server.start();
    await waitFor('all events are there', async () => (await server.sql("SELECT count() AS n FROM analytics.events WHERE name = 'signup'"))[0].n >= sent, BACK_MS);
  });
});
