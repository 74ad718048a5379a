// SPDX-License-Identifier: Apache-2.0
// Writes Prometheus' remote write requests, 1.0 and 2.0: protobuf and snappy by hand, so that tests can also write wrong ones.

/** Bytes of an unsigned number of any size (BigInt or Number); negative ones as protobuf's ten bytes. */
export function varint(value) {
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes = [];
  do {
    bytes.push(Number(rest & 127n) | (rest > 127n ? 128 : 0));
    rest >>= 7n;
  } while (rest);
  return Buffer.from(bytes);
}
export const zigzag = (value) => BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
export const field = {
  varint: (number, value) => Buffer.concat([varint(number << 3), varint(value)]),
  zigzag: (number, value) => field.varint(number, zigzag(value)),
  double: (number, value) => {
    const bytes = Buffer.alloc(8);
    if (typeof value === 'bigint') bytes.writeBigUInt64LE(value); // the bits of one
    else bytes.writeDoubleLE(value);
    return Buffer.concat([varint((number << 3) | 1), bytes]);
  },
  bytes: (number, value) => {
    const bytes = Buffer.from(value);
    return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
  },
  packed: (number, values) => field.bytes(number, Buffer.concat(values)),
};
export const STALE = 0x7ff0000000000002n;

/** Snappy's block format, literals alone: any decoder takes it. */
export function snappy(bytes) {
  const parts = [varint(bytes.length)];
  for (let at = 0; at < bytes.length; at += 65536) {
    const literal = bytes.subarray(at, at + 65536), size = Buffer.alloc(2);
    size.writeUInt16LE(literal.length - 1);
    parts.push(Buffer.from([61 << 2]), size, literal);
  }
  return Buffer.concat(parts);
}

const label = ([name, value]) => Buffer.concat([field.bytes(1, name), field.bytes(2, value)]);
const sorted = (labels) => (Array.isArray(labels) ? labels : Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
const spans = (number, list = []) => list.map(([offset, length]) => field.bytes(number, Buffer.concat([field.zigzag(1, offset), field.varint(2, length)])));

export function histogram({ count, sum, schema = 0, zeroThreshold = 0, zeroCount = 0, positiveSpans, positiveDeltas = [], negativeSpans, negativeDeltas = [],
  positiveCounts = [], isFloat = false, time, custom, resetHint = 0, start }) {
  const doubles = (number, values) => (values?.length ? [field.packed(number, values.map((value) => field.double(1, value).subarray(1)))] : []);
  const deltas = (number, values) => (values.length ? [field.packed(number, values.map((value) => varint(zigzag(value))))] : []);
  return Buffer.concat([isFloat ? field.double(2, count) : field.varint(1, count), field.double(3, sum), field.zigzag(4, schema), field.double(5, zeroThreshold),
    isFloat ? field.double(7, zeroCount) : field.varint(6, zeroCount), ...spans(8, negativeSpans), ...deltas(9, negativeDeltas), ...spans(11, positiveSpans),
    ...deltas(12, positiveDeltas), ...doubles(13, positiveCounts), field.varint(14, resetHint), field.varint(15, time), ...doubles(16, custom),
    ...(start ? [field.varint(17, start)] : [])]);
}

/** series: [{ labels: {..} or pairs as they are, samples: [[ms, value]], exemplars: [{ labels, value, time }], histograms: [..] }]. */
export function writeRequest(series, metadata = []) {
  return Buffer.concat([
    ...series.map(({ labels, samples = [], exemplars = [], histograms = [] }) => field.bytes(1, Buffer.concat([
      ...sorted(labels).map((pair) => field.bytes(1, label(pair))),
      ...samples.map(([time, value]) => field.bytes(2, Buffer.concat([field.double(1, value), field.varint(2, time)]))),
      ...exemplars.map((e) => field.bytes(3, Buffer.concat([...sorted(e.labels).map((pair) => field.bytes(1, label(pair))), field.double(2, e.value), field.varint(3, e.time)]))),
      ...histograms.map((h) => field.bytes(4, histogram(h))),
    ]))),
    ...metadata.map(({ type = 0, family, help = '', unit = '' }) => field.bytes(3, Buffer.concat([field.varint(1, type), field.bytes(2, family), field.bytes(4, help), field.bytes(5, unit)]))),
  ]);
}

/** 2.0: the same, a series may have metadata { type, help, unit }; samples are [ms, value, start ms]. */
export function writeRequest2(series) {
  const symbols = [''];
  const symbol = (text) => (symbols.includes(text) ? symbols.indexOf(text) : symbols.push(text) - 1);
  const references = (labels) => field.packed(1, sorted(labels).flat().map((text) => varint(symbol(text))));
  const messages = series.map(({ labels, samples = [], exemplars = [], histograms = [], metadata }) => field.bytes(5, Buffer.concat([
    references(labels),
    ...samples.map(([time, value, start]) => field.bytes(2, Buffer.concat([field.double(1, value), field.varint(2, time), ...(start ? [field.varint(3, start)] : [])]))),
    ...histograms.map((h) => field.bytes(3, histogram(h))),
    ...exemplars.map((e) => field.bytes(4, Buffer.concat([references(e.labels), field.double(2, e.value), field.varint(3, e.time)]))),
    ...(metadata ? [field.bytes(5, Buffer.concat([field.varint(1, metadata.type ?? 0), field.varint(3, symbol(metadata.help ?? '')), field.varint(4, symbol(metadata.unit ?? ''))]))] : []),
  ])));
  return Buffer.concat([...symbols.map((text) => field.bytes(4, text)), ...messages]);
}

const HEADERS = { 'content-encoding': 'snappy', 'content-type': 'application/x-protobuf', 'x-prometheus-remote-write-version': '0.1.0' };
export const write = (server, key, body, { path = '/api/v1/write', headers = {} } = {}) =>
  server.post(path, snappy(body), { key, headers: { ...HEADERS, ...headers } });
export const write2 = (server, key, body) =>
  write(server, key, body, { headers: { 'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request', 'x-prometheus-remote-write-version': '2.0.0' } });
