// SPDX-License-Identifier: Apache-2.0
// HTTP/2 and gRPC on the ports of HTTP/1.1: the page and questions without TLS, spans by a unary call.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import http2 from 'node:http2';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Server, waitFor } from './harness.mjs';

const EXPORT = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
let server, tenant, session;

before(async () => {
  server = await Server.start({ settings: ['--otlp.grpc_listen', '127.0.0.1:0', '--spool.seal_age', '100ms'] });
  tenant = server.tenants.main;
  session = http2.connect(server.url);
});
after(async () => {
  session?.destroy();
  await server?.remove();
});

/** One request over HTTP/2: { status, headers, body, trailers, reset }. */
function ask(path, { method = 'GET', headers = {}, body, over = session } = {}) {
  return new Promise((resolve, reject) => {
    const stream = over.request({ ':path': path, ':method': method, ...headers }, { endStream: body === undefined });
    const answer = { headers: {}, trailers: {}, chunks: [] };
    stream.on('response', (got) => Object.assign(answer, { status: got[':status'], headers: got }));
    stream.on('trailers', (got) => (answer.trailers = got));
    stream.on('data', (chunk) => answer.chunks.push(chunk));
    stream.on('error', reject);
    stream.on('close', () => resolve({ ...answer, body: Buffer.concat(answer.chunks), reset: stream.rstCode }));
    if (body !== undefined) stream.end(body);
  });
}

// Protobuf: a field of bytes, a fixed 64-bit number.
const varint = (value) => (value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)]);
const bytes = (number, ...parts) => {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return Buffer.concat([Buffer.from([...varint(number * 8 + 2), ...varint(content.length)]), content]);
};
const fixed64 = (number, value) => {
  const out = Buffer.alloc(9, number * 8 + 1);
  out.writeBigUInt64LE(value, 1);
  return out;
};

/** ExportTraceServiceRequest with these spans ([trace id, span id, name]). */
function spans(...list) {
  const now = BigInt(Date.now()) * 1000000n;
  const each = list.map(([trace, id, name]) => bytes(2, bytes(1, Buffer.from(trace, 'hex')), bytes(2, Buffer.from(id, 'hex')), bytes(5, name),
    fixed64(7, now), fixed64(8, now + 5000000n)));
  return bytes(1, bytes(1, bytes(1, bytes(1, 'service.name'), bytes(2, bytes(1, 'cart')))), bytes(2, ...each));
}

function framed(message, flag = 0) {
  const head = Buffer.alloc(5, flag);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** A unary call: the status is in the trailers, or in the only headers. */
async function call(message, { path = EXPORT, headers = {}, key = tenant.secret_key, ...more } = {}) {
  const answer = await ask(path, { method: 'POST', body: message, ...more,
    headers: { 'content-type': 'application/grpc', te: 'trailers', authorization: `Bearer ${key}`, ...headers } });
  const end = answer.trailers['grpc-status'] === undefined ? answer.headers : answer.trailers;
  return { ...answer, code: Number(end['grpc-status']), message: decodeURIComponent(end['grpc-message'] ?? '') };
}

const stored = async (trace) => (await server.get(`/api/v2/query/signals/traces/${trace}`, tenant.secret_key)).json.data;

test('the page, events and questions are answered over HTTP/2 on the port of HTTP/1.1', async () => {
  const [page, missing, head, sent] = await Promise.all([
    ask('/', { headers: { accept: 'text/html' } }),
    ask('/v1/nothing'),
    ask('/', { method: 'HEAD' }),
    ask('/v1/events', { method: 'POST', headers: { 'content-type': 'application/json', 'content-encoding': 'gzip', authorization: `Bearer ${tenant.write_key}` },
      body: gzipSync(JSON.stringify([{ name: 'screen_view', path: '/over/http2' }])) }),
  ]);
  assert.equal(page.status, 200);
  assert.match(page.body.toString(), /<html/);
  assert.equal(missing.status, 404);
  assert.equal(JSON.parse(missing.body).error.code, 'not_found');
  assert.equal(head.status, 200);
  assert.equal(Number(head.headers['content-length']), page.body.length);
  assert.equal(head.body.length, 0);
  assert.equal(sent.status, 200, sent.body.toString());
  await server.events(1, "path = '/over/http2'");
  const asked = await ask('/v1/query/timeseries?measures=events&period=today', { headers: { authorization: `Bearer ${tenant.secret_key}` } });
  assert.equal(JSON.parse(asked.body).totals.events, 1);
  assert.equal((await server.get('/readyz')).status, 200); // and HTTP/1.1 beside it
});

test('curl speaks HTTP/2 with prior knowledge', (t) => {
  if (!/\bHTTP2\b/.test(execFileSync('curl', ['--version'], { encoding: 'utf8' }))) return t.skip('this curl has no HTTP/2');
  const said = execFileSync('curl', ['-s', '--http2-prior-knowledge', '-o', '/dev/null', '-w', '%{http_version} %{http_code}', `${server.url}/readyz`], { encoding: 'utf8' });
  assert.equal(said, '2 200');
  const refused = execFileSync('curl', ['-s', '--http2-prior-knowledge', '-w', ' %{http_code}', '-H', `authorization: Bearer ${tenant.write_key}`,
    '-H', 'content-type: application/json', '--data-binary', '@-', `${server.url}/v1/events`], { encoding: 'utf8', input: Buffer.alloc(30 << 20, ' ') });
  assert.match(refused, /"too_large".* 413$/s); // seen although 30 MiB were still on their way
});

test('spans of a unary call are stored, plain and packed, on both ports', async () => {
  const [a, b, c] = ['a', 'b', 'c'].map((digit) => digit.repeat(32));
  const plain = await call(framed(spans([a, '1'.repeat(16), 'plain'])));
  assert.equal(plain.status, 200);
  assert.equal(plain.headers['content-type'], 'application/grpc');
  assert.match(plain.headers['grpc-accept-encoding'], /^identity,gzip/);
  assert.deepEqual(plain.body, Buffer.alloc(5)); // an empty ExportTraceServiceResponse
  assert.equal(plain.code, 0);
  const packed = await call(framed(gzipSync(spans([b, '2'.repeat(16), 'packed'])), 1), { headers: { 'grpc-encoding': 'gzip' } });
  assert.equal(packed.code, 0, packed.message);
  const other = http2.connect(server.grpcUrl);
  const elsewhere = await call(framed(spans([c, '3'.repeat(16), 'elsewhere'])), { over: other, headers: { 'grpc-timeout': '10S' } });
  assert.equal(elsewhere.code, 0, elsewhere.message);
  other.close();
  await server.settle(tenant.write_key);
  assert.deepEqual(await Promise.all([a, b, c].map(async (id) => (await stored(id)).map((span) => span.name ?? span.spanName))), [['plain'], ['packed'], ['elsewhere']]);
});

test('a span that cannot be stored is counted in the answer of the call', async () => {
  const answer = await call(framed(spans(['0'.repeat(32), '1'.repeat(16), 'bad'])));
  assert.equal(answer.code, 0);
  assert.match(answer.body.toString('latin1'), /trace_id must be 16 bytes/);
});

test('the health service says that the server and what it takes are serving, and what it does not know', async () => {
  const check = (service, method = 'Check') => call(framed(service === undefined ? Buffer.alloc(0) : bytes(1, service)), { path: `/grpc.health.v1.Health/${method}`, headers: { authorization: '' } });
  for (const service of [undefined, '', ...['trace', 'metrics', 'logs'].map((signal) => `opentelemetry.proto.collector.${signal}.v1.${signal[0].toUpperCase()}${signal.slice(1)}Service`)]) {
    const { code, body } = await check(service);
    assert.deepEqual([code, body], [0, framed(Buffer.from([8, 1]))], service); // SERVING
  }
  for (const service of ['grpc.health.v1.Health', 'opentelemetry', 'v1']) assert.deepEqual([(await check(service)).code, (await check(service)).message], [5, `there is no service ${service} here`]);
  assert.equal((await check('', 'Watch')).code, 12);
  assert.equal((await call(framed(Buffer.from([0x0a, 9])), { path: '/grpc.health.v1.Health/Check' })).code, 3);
  assert.equal((await server.post('/grpc.health.v1.Health/Check', {})).status, 415);
});

test('calls that cannot be taken say why in gRPC', async () => {
  const message = framed(spans(['d'.repeat(32), '1'.repeat(16), 'x']));
  const cases = [
    [{ key: 'nobody.knows' }, 16, /./],
    [{ path: '/opentelemetry.proto.collector.trace.v1.TraceService/Import' }, 12, /nothing at/],
    [{ headers: { 'grpc-encoding': 'snappy' } }, 12, /snappy/],
    [{ headers: { 'grpc-timeout': 'soon' } }, 3, /grpc-timeout/],
    [{ body: framed(Buffer.from('not protobuf')) }, 3, /./],
    [{ body: message.subarray(0, 20) }, 3, /cut off/],
    [{ body: Buffer.concat([message, message]) }, 3, /more than one message/],
  ];
  for (const [options, code, text] of cases) {
    const answer = await call(message, options);
    assert.equal(answer.status, 200);
    assert.equal(answer.code, code, `${JSON.stringify(options)}: ${answer.code} ${answer.message}`);
    assert.match(answer.message, text);
    assert.equal(answer.body.length, 0);
  }
});

test('many calls at once on one connection are each answered', async () => {
  const answers = await Promise.all(Array.from({ length: 300 }, (_, i) => call(framed(spans(['e'.repeat(32), (i + 1).toString(16).padStart(16, '0'), `span ${i}`])))));
  assert.deepEqual(answers.filter((answer) => answer.code !== 0), []);
  await server.settle(tenant.write_key);
  assert.equal((await stored('e'.repeat(32))).length, 300);
});

test('a call as large as exporters send is taken', async () => {
  const many = Array.from({ length: 30000 }, (_, i) => ['f'.repeat(32), (i + 1).toString(16).padStart(16, '0'), 'n'.repeat(100)]);
  const message = spans(...many); // 4.8 MB
  assert.ok(message.length > 4 << 20);
  const answer = await call(framed(message));
  assert.equal(answer.code, 0, answer.message);
});

test('a server that stops says goodbye and ends what was begun', async () => {
  const own = http2.connect(server.url);
  let goodbye;
  own.on('goaway', (code) => (goodbye = code));
  assert.equal((await ask('/readyz', { over: own })).status, 200);
  const closed = new Promise((resolve) => own.on('close', resolve));
  assert.equal((await server.stop()).code, 0);
  await closed;
  await waitFor('the goodbye was seen', () => goodbye !== undefined);
  assert.equal(goodbye, http2.constants.NGHTTP2_NO_ERROR);
});
