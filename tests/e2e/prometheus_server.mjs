// SPDX-License-Identifier: Apache-2.0
// Prometheus itself, with given series, for tests to compare with.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// As `./dev test` unpacks it, or of the system.
const unpacked = fileURLToPath(new URL('../../.deps/prometheus/usr/bin/prometheus', import.meta.url));
export const PROMETHEUS = process.env.MILLRACE_TEST_PROMETHEUS ?? (existsSync(unpacked) ? unpacked : '/usr/bin/prometheus');
export const missing = existsSync(PROMETHEUS) ? false : `there is no ${PROMETHEUS}`;
const START_MS = 30_000;
const STOP_MS = 10_000;

/** The bits that end a series. */
export const STALE = 0x7ff0000000000002n;

// ---- remote write, version 1: protobuf in the block format of snappy ----

function varint(number) {
  const bytes = [];
  let rest = BigInt(number);
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Buffer.from([...bytes, Number(rest)]);
}
const field = (number, content) => Buffer.concat([varint(number << 3 | 2), varint(content.length), content]);

/** `value` is a number, or 'stale'. */
function sample([time, value]) {
  const bits = Buffer.alloc(8);
  if (value === 'stale') bits.writeBigUInt64LE(STALE);
  else bits.writeDoubleLE(value);
  return Buffer.concat([Buffer.from([9]), bits, Buffer.from([16]), varint(time)]);
}

const double = (number, value) => {
  const bits = Buffer.alloc(8);
  bits.writeDoubleLE(value);
  return Buffer.concat([varint(number << 3 | 1), bits]);
};
const zigzag = (number) => varint(number < 0 ? -2 * number - 1 : 2 * number);

/** { count, sum, schema, threshold, zero, positive: { index: count }, negative: { index: count } } as Prometheus sends it: spans, and steps from bucket to bucket. */
function nativeHistogram(time, { count, sum, schema, threshold, zero, positive = {}, negative = {} }) {
  const side = (buckets, spansField, stepsField) => {
    const indexes = Object.keys(buckets).map(Number).sort((a, b) => a - b);
    let end = 0, before = 0;
    const steps = [], spans = [];
    for (const index of indexes) {
      spans.push(field(spansField, Buffer.concat([Buffer.from([8]), zigzag(index - end), Buffer.from([16]), varint(1)])));
      steps.push(zigzag(buckets[index] - before));
      [end, before] = [index + 1, buckets[index]];
    }
    return indexes.length ? [...spans, field(stepsField, Buffer.concat(steps))] : [];
  };
  return Buffer.concat([Buffer.from([8]), varint(count), double(3, sum), Buffer.from([4 << 3]), zigzag(schema), double(5, threshold), Buffer.from([6 << 3]), varint(zero),
    ...side(negative, 8, 9), ...side(positive, 11, 12), Buffer.from([15 << 3]), varint(time)]);
}

/** Series: [{ labels: { name: value }, samples: [[ms, value]], histograms: [[ms, histogram]] }]. */
export function writeRequest(series) {
  return Buffer.concat(series.map(({ labels, samples, histograms }) => field(1, Buffer.concat([
    ...Object.keys(labels).sort().map((name) => field(1, Buffer.concat([field(1, Buffer.from(name)), field(2, Buffer.from(labels[name]))]))),
    ...(samples ?? []).map((one) => field(2, sample(one))), ...(histograms ?? []).map(([time, histogram]) => field(4, nativeHistogram(time, histogram)))]))));
}

/** Literals only: nothing is compressed, everything can read it. */
export function snappyBlock(content) {
  const parts = [varint(content.length)];
  for (let at = 0; at < content.length; at += 65536) {
    const piece = content.subarray(at, at + 65536);
    parts.push(Buffer.from([61 << 2, (piece.length - 1) & 255, (piece.length - 1) >> 8]), piece);
  }
  return Buffer.concat(parts);
}

// ---- the server ----

/** { url, ask(path, parameters) -> JSON, stop() }. */
export async function startPrometheus(series) {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-prometheus-'));
  const config = join(folder, 'prometheus.yml');
  // One request holds series after series: the later ones begin before the earlier ones ended.
  writeFileSync(config, 'global: {evaluation_interval: 1m}\nstorage: {tsdb: {out_of_order_time_window: 30d}}\n');
  const child = spawn(PROMETHEUS, [`--config.file=${config}`, `--storage.tsdb.path=${join(folder, 'data')}`, '--web.listen-address=127.0.0.1:0',
    '--web.enable-remote-write-receiver', '--enable-feature=native-histograms'], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const stop = async () => {
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    child.kill('SIGTERM');
    await ended;
    clearTimeout(timer);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const url = await new Promise((resolve, reject) => {
      let log = '', address;
      const timer = setTimeout(() => reject(new Error(`Prometheus does not start:\n${log}`)), START_MS);
      child.once('exit', () => reject(new Error(`Prometheus ended:\n${log}`)));
      child.stderr.on('data', (chunk) => {
        log += chunk;
        address ??= /msg="Listening on" address=(\S+)/.exec(log)?.[1];
        if (!address || !log.includes('Server is ready to receive web requests')) return;
        clearTimeout(timer);
        resolve(`http://${address}`);
      });
    });
    const written = await fetch(`${url}/api/v1/write`, { method: 'POST', body: snappyBlock(writeRequest(series)),
      headers: { 'content-encoding': 'snappy', 'content-type': 'application/x-protobuf', 'x-prometheus-remote-write-version': '0.1.0' } });
    if (!written.ok) throw new Error(`Prometheus refuses the series: ${written.status} ${await written.text()}`);
    const ask = async (path, parameters) => (await fetch(`${url}${path}`, { method: 'POST', body: new URLSearchParams(parameters) })).json();
    return { url, ask, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
