// SPDX-License-Identifier: Apache-2.0
// Starts and stops an engine process for a test, and speaks plain HTTP to its Unix socket.
//
// MILLRACE_ENGINE_COMMAND: the program (build directory's src/engine/engine_test_server).
// MILLRACE_CHDB_LIBRARY: libchdb.so.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const command = process.env.MILLRACE_ENGINE_COMMAND;
const library = process.env.MILLRACE_CHDB_LIBRARY;
if (!command || !library) throw new Error('set MILLRACE_ENGINE_COMMAND and MILLRACE_CHDB_LIBRARY');

export async function waitFor(what, condition, deadlineMs = 20000) {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`did not happen in ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

export class Engine {
  static makeDirectory() {
    return mkdtempSync(join(tmpdir(), 'millrace-engine-'));
  }

  constructor(directory, extra = [], environment = {}) {
    this.directory = directory;
    this.data = join(directory, 'data');
    this.socket = join(directory, `engine-${Math.random().toString(36).slice(2)}.sock`);
    this.extra = extra;
    this.environment = environment;
    this.log = '';
  }

  // Settings that stand above those the engine writes: to switch one of its remedies off. Before start.
  override({ server = {}, tables = {}, profile = {} }) {
    const elements = (values) => Object.entries(values).map(([name, value]) => `<${name}>${value}</${name}>`).join('');
    const write = (folder, text) => {
      mkdirSync(join(this.data, folder), { recursive: true });
      writeFileSync(join(this.data, folder, 'override.xml'), `<clickhouse>${text}</clickhouse>`);
    };
    write('config.d', `${elements(server)}<merge_tree>${elements(tables)}</merge_tree>`);
    write('users.d', `<profiles><default>${elements(profile)}</default></profiles>`);
    return this;
  }

  async spawn() {
    this.port = await freePort();
    const words = command.split(' ').filter(Boolean);
    this.process = spawn(
      words[0],
      [...words.slice(1), '--data', this.data, '--library', library, '--socket', this.socket, '--port', String(this.port),
        ...this.extra],
      { stdio: ['ignore', 'pipe', 'pipe', 'pipe'], env: { ...process.env, ...this.environment } },
    );
    this.stdout = '';
    this.process.stdout.on('data', (bytes) => (this.stdout += bytes));
    this.process.stderr.on('data', (bytes) => (this.log += bytes));
    this.process.stdio[3].on('error', () => {});
    this.ended = new Promise((resolve) => this.process.on('exit', (code, signal) => resolve({ code, signal })));
    this.alive = true;
    this.ended.then(() => (this.alive = false));
    return this;
  }

  async start() {
    await this.spawn();
    await this.ready();
    return this;
  }

  async ready() {
    await waitFor(`engine answers (${this.log})`, async () => {
      if (!this.alive) throw new Error(`engine ended at start: ${this.log}`);
      const answer = await this.request('GET', '/ping').catch(() => null);
      return answer?.status === 200;
    });
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  // One HTTP request over the Unix socket. The answer carries `complete: false` when the connection was cut.
  request(method, path, body, headers = {}) {
    return new Promise((resolve, reject) => {
      const request = http.request({ socketPath: this.socket, method, path, headers, agent: false }, (response) => {
        const chunks = [];
        const done = (complete) =>
          resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks), complete,
            get text() { return this.body.toString(); } });
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('end', () => done(response.complete));
        response.on('aborted', () => done(false));
        response.on('error', () => done(false));
      });
      request.on('error', reject);
      request.end(body);
    });
  }

  // A statement in the body; parameters and settings in the URL.
  query(sql, parameters = {}) {
    return this.request('POST', '/?' + new URLSearchParams(parameters), sql);
  }

  async value(sql, parameters = {}) {
    const answer = await this.query(sql, parameters);
    if (answer.status !== 200) throw new Error(answer.text);
    return answer.text.trimEnd();
  }

  insert(statement, data, parameters = {}) {
    return this.request('POST', '/?' + new URLSearchParams({ query: statement, ...parameters }), data);
  }

  // Memory in bytes: what is the process's own, or another field of /proc/PID/status.
  memory(field = 'RssAnon') {
    return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync(`/proc/${this.process.pid}/status`, 'latin1'))[1]) * 1024;
  }

  async stop(signal = 'SIGTERM') {
    const begun = Date.now();
    this.process.kill(signal);
    const { code } = await this.ended;
    return { code, ms: Date.now() - begun };
  }

  async remove() {
    if (this.alive) await this.stop('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }
}
