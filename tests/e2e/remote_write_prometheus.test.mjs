// SPDX-License-Identifier: Apache-2.0
// A real Prometheus scrapes the server's own /metrics and sends what it finds by remote write: the same samples are in both.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Server, repository, send, waitFor } from './harness.mjs';

const program = [join(repository, '.deps/prometheus/usr/bin/prometheus'), '/usr/bin/prometheus'].find(existsSync);
const SCRAPES = 8; // of each series, at least
const START_MS = 60_000;

let server, a, folder, prometheus, url;
const freePort = () => new Promise((resolve) => {
  const probe = createServer().listen(0, '127.0.0.1', () => {
    const { port } = probe.address();
    probe.close(() => resolve(port));
  });
});
const ask = async (path) => {
  const answer = await send(url + path);
  assert.equal(answer.status, 200, answer.text);
  return answer.json.data;
};

before(async () => {
  if (!program) return;
  server = await Server.start({ tenants: ['a'], settings: ['--spool.seal_age', '100ms'] });
  ({ a } = server.tenants);
  folder = mkdtempSync(join(tmpdir(), 'millrace-prometheus-'));
  writeFileSync(join(folder, 'prometheus.yml'), `
global: { scrape_interval: 500ms, external_labels: { origin: test } }
scrape_configs:
  - { job_name: own, static_configs: [ { targets: ["127.0.0.1:${server.port}"] } ] }
remote_write:
  - url: ${server.url}/api/v1/write
    authorization: { credentials: ${a.secret_key} }
    send_exemplars: true
    send_native_histograms: true
    queue_config: { batch_send_deadline: 200ms, max_shards: 2 }
    metadata_config: { send_interval: 1s }
`);
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  prometheus = spawn(program, [`--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${folder}/data`, `--web.listen-address=127.0.0.1:${port}`, '--log.level=warn'],
    { stdio: ['ignore', 'ignore', 'inherit'] });
  prometheus.ended = new Promise((resolve) => prometheus.on('exit', resolve));
  await waitFor('Prometheus is ready', async () => (await send(`${url}/-/ready`)).status === 200, START_MS);
});
after(async () => {
  if (prometheus) {
    prometheus.kill('SIGTERM');
    await prometheus.ended;
  }
  if (folder) rmSync(folder, { recursive: true, force: true });
  await server?.remove();
});

test('no sample fails, and those of both are equal, series by series', { skip: program ? false : 'there is no Prometheus' }, async () => {
  const first = Date.now() / 1000;
  await waitFor('enough scrapes', async () => Number((await ask('/api/v1/query?query=count_over_time(up[5m])')).result[0]?.value[1] ?? 0) > SCRAPES, START_MS);
  const end = (Date.now() - 1500) / 1000; // of samples that are complete in both
  const range = `[${Math.ceil(end - first) + 5}s]`;
  const selector = encodeURIComponent(`{job="own"}${range}`);
  const theirs = new Map();
  for (const { metric, values } of (await ask(`/api/v1/query?query=${selector}&time=${end}`)).result) {
    const { __name__, ...labels } = metric;
    theirs.set(JSON.stringify([__name__, { ...labels, origin: 'test' }], (key, of) => (of?.constructor === Object ? Object.fromEntries(Object.entries(of).sort()) : of)),
      values.map(([time, text]) => [Math.round(time * 1000), Number(text)]));
  }
  assert.ok(theirs.size > 50, `${theirs.size} series`);
  const ours = new Map();
  await waitFor('all of them are stored', async () => {
    ours.clear();
    const rows = await server.sql('SELECT s.prometheus_name AS name, s.labels AS labels, groupArray((m.ms, m.value)) AS list FROM '
      + "(SELECT series_id, toUnixTimestamp64Milli(timestamp) AS ms, value FROM observability.metric_samples FINAL WHERE NOT is_stale ORDER BY series_id, ms) AS m "
      + 'INNER JOIN (SELECT DISTINCT series_id, prometheus_name, labels FROM observability.metric_series) AS s ON m.series_id = s.series_id GROUP BY name, labels', a.tenant);
    for (const { name, labels, list } of rows)
      ours.set(JSON.stringify([name, Object.fromEntries(Object.entries(labels).sort())]), list);
    for (const [series, values] of theirs) {
      const mine = new Map((ours.get(series) ?? []).map(([ms, number]) => [ms, number]));
      for (const [ms, number] of values) {
        if (!mine.has(ms)) throw new Error(`${series} lacks ${ms} (${values.length} there, ${mine.size} here)`);
        if (mine.get(ms) !== number) throw new Error(`${series} at ${ms}: ${mine.get(ms)} here, ${number} there`);
      }
    }
    return true;
  }, START_MS);
  for (const name of ['prometheus_remote_storage_samples_failed_total', 'prometheus_remote_storage_samples_dropped_total', 'prometheus_remote_storage_metadata_failed_total'])
    assert.equal(await fetchOwn(name), 0, name);
  assert.ok(await fetchOwn('prometheus_remote_storage_samples_total') > 0);
});

/** A sum of one of Prometheus' own metrics; those that are not there have not happened. */
async function fetchOwn(name) {
  const { text } = await send(`${url}/metrics`);
  return text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `)).reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

test('what its metrics are stands in metric_metadata', { skip: program ? false : 'there is no Prometheus' }, async () => {
  await waitFor('metadata came', async () => {
    const rows = await server.sql("SELECT metric_type, help FROM observability.metric_metadata WHERE prometheus_name = 'millrace_ingest_requests_total' LIMIT 1", a.tenant);
    return rows[0]?.metric_type === 'counter' && rows[0].help.length > 0;
  }, START_MS);
});
