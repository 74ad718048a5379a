// SPDX-License-Identifier: Apache-2.0
// Starts a whole server in a fresh folder for a test, sends requests to it, and looks at what it stored.
//
// MILLRACE_BINARY: the program to test (build/millrace of this repository).
import { execFile, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export { promised } from './promised.mjs';
export const repository = fileURLToPath(new URL('../../', import.meta.url));
export const binary = process.env.MILLRACE_BINARY ?? join(repository, 'build/millrace');
if (!existsSync(binary)) throw new Error(`there is no program ${binary}: build it, or set MILLRACE_BINARY`);

const START_MS = Number(process.env.MILLRACE_TEST_START_MS ?? 90_000); // a start after a crash repairs and loads first
const STOP_MS = 30_000;
const REQUEST_MS = 60_000;
const COMMAND_MS = 120_000;
export const VISIBLE_MS = 30_000; // far beyond the promise: a slow machine must not look like a lost row

/** Asks again and again until the answer is true. A condition that throws counts as false, and its last error is shown. */
export async function waitFor(what, condition, deadlineMs = VISIBLE_MS) {
  const end = Date.now() + deadlineMs;
  let reason = '';
  for (;;) {
    try {
      const value = await condition();
      if (value) return value;
      reason = '';
    } catch (error) {
      reason = ` (${error.message})`;
    }
    if (Date.now() > end) throw new Error(`did not happen within ${deadlineMs} ms: ${what}${reason}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Does it for all of them, some at the same time: one request after the other waits more than it works. The first error ends it. */
export async function forAll(list, work, width = 6) {
  const rest = list.values();
  await Promise.all(Array.from({ length: width }, async () => { for (const one of rest) await work(one); }));
}

/** For tests that say "today": waits for the next day of UTC where this one ends before the test would. */
export async function dayThatLasts(ms = 120_000) {
  const DAY = 86_400_000;
  if (DAY - (Date.now() % DAY) < ms) await waitFor('it is past midnight', () => DAY - (Date.now() % DAY) >= ms, 2 * ms);
}

// Addresses of their own would make servers that run side by side meet.
const NO_OTHER_ADDRESSES = { MILLRACE_OTLP_GRPC_LISTEN: '', MILLRACE_OTLP_HTTP_LISTEN: '' };
// Whoever waits for rows of visits, an erasure too, would wait for the five seconds of a server that has many.
const SOON = { MILLRACE_ANALYTICS_SESSION_FLUSH: '500ms' };

// Settings of whoever runs the tests must not reach the program.
export function environmentWith(extra) {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('MILLRACE_'));
  return { ...Object.fromEntries(own), ...NO_OTHER_ADDRESSES, ...SOON, ...extra };
}

/** Runs the program to its end: { code, stdout, stderr }. */
export function command(words, { environment = {}, deadlineMs = COMMAND_MS } = {}) {
  return new Promise((resolve, reject) => {
    const options = { env: environmentWith(environment), timeout: deadlineMs, killSignal: 'SIGKILL', maxBuffer: 64 << 20 };
    execFile(binary, words, options, (error, stdout, stderr) => {
      if (error && typeof error.code !== 'number') reject(new Error(`millrace ${words.join(' ')}: ${error.message}\n${stderr}`));
      else resolve({ code: error ? error.code : 0, stdout, stderr });
    });
  });
}

/** One HTTP request, with exactly these headers: { status, headers, text, json }. `target` is a URL or { socketPath, path };
 *  `tls` are options of node:tls for https. */
export function send(target, { method = 'GET', headers = {}, body, agent = false, tls = {} } = {}) {
  return new Promise((resolve, reject) => {
    const where = typeof target === 'string' ? [target] : [];
    const options = { method, headers, agent, ...tls, ...(typeof target === 'string' ? {} : target) };
    const module = where[0]?.startsWith('https:') ? https : http;
    let answered = false;
    const request = module.request(...where, options, (response) => {
      answered = true;
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        clearTimeout(timer);
        if (!response.complete) return reject(new Error('the answer was cut'));
        const text = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode, headers: response.headers, text, get json() { return JSON.parse(text); } });
      });
    });
    const timer = setTimeout(() => request.destroy(new Error(`no answer within ${REQUEST_MS} ms`)), REQUEST_MS);
    request.on('error', (error) => {
      if (answered) return; // the server closed while the rest of a refused body was on its way
      clearTimeout(timer);
      error.message = `${method} ${where[0] ?? target.path}: ${error.message}`;
      reject(error);
    });
    request.end(body);
  });
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
}

const running = new Set();
process.on('exit', () => {
  for (const server of running) server.removeNow();
});

/** A PostgreSQL server of the test's own: `url` for MILLRACE_META_URL. down() is a crash, up() starts it again. */
export class Postgres {
  static #tool = join(repository, 'tools/private_postgres');

  static async start() {
    const postgres = new Postgres();
    postgres.folder = join('/tmp', `millrace-postgres-${process.pid}-${Math.random().toString(36).slice(2, 8)}`);
    running.add(postgres);
    postgres.url = (await postgres.#run('start')).trim();
    return postgres;
  }

  #run(word) {
    return new Promise((resolve, reject) =>
      execFile(Postgres.#tool, [word, this.folder], (error, stdout, stderr) => (error ? reject(new Error(`${error.message}\n${stderr}`)) : resolve(stdout))));
  }

  down() {
    return this.#run('down');
  }

  up() {
    return this.#run('up');
  }

  removeNow() {
    spawnSync(Postgres.#tool, ['stop', this.folder]);
    running.delete(this);
  }
}

export class Server {
  /** A fresh folder with these tenants, and a server on it: server.tenants.NAME is { tenant, write_key, secret_key }. */
  static async start({ tenants = ['main'], settings = [], environment = {} } = {}) {
    const server = new Server(settings, environment);
    for (const name of tenants) await server.createTenant(name);
    await server.start();
    return server;
  }

  /** Only the folder. */
  constructor(settings = [], environment = {}) {
    this.directory = mkdtempSync(join(tmpdir(), 'millrace-e2e-'));
    this.settings = settings;
    this.environment = environment;
    this.tenants = {};
    this.owner = { email: 'owner@millrace.example', password: 'twelve slow barges on the canal' };
    this.log = '';
    this.port = 0;
    running.add(this);
  }

  async createTenant(name) {
    const { code, stdout, stderr } = await this.command(['tenant', 'create', name, '--json']);
    if (code !== 0) throw new Error(stderr);
    return (this.tenants[name] = JSON.parse(stdout));
  }

  /** Runs the program on this server's folder, with its environment. */
  command(words) {
    return command([...words, '--data', this.directory], { environment: this.environment });
  }

  /** Starts on the port of the time before, so that clients find the server again. */
  async start() {
    const words = ['serve', '--data', this.directory, '--listen', `127.0.0.1:${this.port}`, ...this.settings];
    const child = spawn(binary, words, { stdio: ['ignore', 'pipe', 'pipe'], env: environmentWith({ MILLRACE_OWNER_EMAIL: this.owner.email, MILLRACE_OWNER_PASSWORD: this.owner.password, MILLRACE_QUERY_CACHE: '0', ...this.environment }) });
    let out = '';
    this.child = child;
    this.ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve({ code, signal })));
    this.ended.then(() => (child.hasEnded = true));
    child.stdout.on('data', (bytes) => (out += bytes));
    child.stderr.on('data', (bytes) => (this.log += bytes));
    await waitFor(`the server is ready; its log:\n${this.log}`, () => {
      if (child.hasEnded) throw new Error(`the server ended: ${this.log}`);
      return out.includes('\n');
    }, START_MS).catch((error) => {
      throw new Error(`${error.message}\n${this.log}`);
    });
    const match = /^ready (https?:\/\/127\.0\.0\.1:(\d+))\n/.exec(out);
    if (!match) throw new Error(`not a ready line: ${out}`);
    this.url = match[1];
    this.port = Number(match[2]);
    // Where settings open them: written together with the first line.
    this.grpcUrl = /^otlp\.grpc (\S+)$/m.exec(out)?.[1];
    this.otlpUrl = /^otlp\.http (\S+)$/m.exec(out)?.[1];
    return this;
  }

  get pid() {
    return this.child.pid;
  }

  /** The engine's process, or 0 while there is none. */
  get enginePid() {
    try {
      for (const task of readdirSync(`/proc/${this.pid}/task`))
        for (const pid of readFileSync(`/proc/${this.pid}/task/${task}/children`, 'latin1').split(' ').filter(Boolean))
          if (readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0')[1] === 'engine') return Number(pid);
    } catch {
      // it ended while we looked
    }
    return 0;
  }

  /** SIGTERM: { code, signal, ms }. */
  async stop(signal = 'SIGTERM') {
    const engine = this.enginePid;
    const begun = Date.now();
    this.child.kill(signal);
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_MS);
    const { code, signal: by } = await this.ended;
    clearTimeout(timer);
    const ms = Date.now() - begun;
    if (engine) await waitFor('the engine ends with its server', () => !isAlive(engine), STOP_MS);
    return { code, signal: by, ms };
  }

  /** kill -9, and the engine's own end that follows it. */
  async kill() {
    return this.stop('SIGKILL');
  }

  async remove() {
    if (this.child && !this.child.hasEnded) await this.stop('SIGKILL');
    this.removeNow();
  }

  removeNow() {
    const engine = this.child && !this.child.hasEnded ? this.enginePid : 0;
    if (this.child && !this.child.hasEnded) this.child.kill('SIGKILL');
    if (engine) {
      try {
        process.kill(engine, 'SIGKILL');
      } catch {
        // already gone
      }
    }
    rmSync(this.directory, { recursive: true, force: true });
    running.delete(this);
  }

  /** `this.tls`: options of node:tls for a server that speaks it. */
  send(path, options) {
    return send(this.url + path, { tls: this.tls, ...options });
  }

  get(path, key, headers = {}) {
    return this.send(path, { headers: { ...(key ? { authorization: `Bearer ${key}` } : {}), ...headers } });
  }

  /** A request to the API: `body` as JSON, `token` (a key or an access token) in Authorization. */
  api(method, path, body, token, headers = {}) {
    return this.send(path, {
      method,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...(token ? { authorization: `Bearer ${token}` } : {}), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  /** Headers that make the request come from an address of its own, as through a proxy on this machine: open routes are
   *  limited per address. */
  someAddress() {
    const byte = () => 1 + Math.floor(Math.random() * 250);
    return { 'x-forwarded-for': `93.${byte()}.${byte()}.${byte()}` };
  }

  /** Logs in, and waits until all loops know the user: { token, refresh_token, session_id }. */
  async login(email, password) {
    const answer = await this.api('POST', '/v1/auth/login', { email, password }, null, this.someAddress());
    if (answer.status !== 200) throw new Error(`login of ${email}: ${answer.status} ${answer.text}`);
    const { access_token: token, refresh_token, session_id } = answer.json;
    await waitFor(`${email} is known`, async () => (await this.api('GET', '/v1/auth/me', undefined, token)).status === 200);
    return { token, refresh_token, session_id };
  }

  /** POST of a value as JSON, or of a string or Buffer as it is. */
  post(path, body, { key, headers = {} } = {}) {
    const raw = typeof body === 'string' || Buffer.isBuffer(body);
    return this.send(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(key ? { authorization: `Bearer ${key}` } : {}), ...headers },
      body: raw ? body : JSON.stringify(body),
    });
  }

  /** Rows of a statement. `tenant` limits it to that tenant's rows ('*': all), as the engine's row policies do. */
  async sql(statement, tenant = '*', parameters = {}) {
    const query = new URLSearchParams({ log_comment: tenant, output_format_json_quote_64bit_integers: '0', ...parameters });
    const answer = await send(
      { socketPath: join(this.directory, 'engine.sock'), path: `/?${query}` },
      { method: 'POST', body: statement.startsWith('INSERT') ? statement : `${statement} FORMAT JSON` },
    );
    if (answer.status !== 200) throw new Error(`${statement}: ${answer.text}`);
    return answer.text ? answer.json.data : []; // an INSERT has none
  }

  /** The rows of analytics.events that fulfil the condition, when there are as many as expected. More of them fail. */
  async events(count, condition = '1', { tenant = '*', columns = '*', deadlineMs = VISIBLE_MS } = {}) {
    let rows = [];
    await waitFor(`${count} events where ${condition}`, async () => {
      rows = await this.sql(`SELECT ${columns} FROM analytics.events WHERE ${condition} ORDER BY created_at, id`, tenant);
      if (rows.length > count) throw new Error(`${rows.length} rows`);
      return rows.length === count || (() => { throw new Error(`${rows.length} rows`); })();
    }, deadlineMs);
    return rows;
  }

  /** Waits until everything that was answered before this call is selectable: rows are loaded in order, those of one insert by month. */
  async settle(key) {
    const name = `settle_${Math.random().toString(36).slice(2)}`;
    const answer = await this.post('/v1/events', { name }, { key, headers: { 'millrace-wait': 'stored' } });
    if (answer.status !== 200) throw new Error(answer.text);
    await this.events(1, `name = '${name}'`, { columns: 'id, created_at' });
    await this.insertsEnd();
  }

  async insertsEnd() {
    const inserts = async () => (await this.sql("SELECT count() AS inserts FROM system.processes WHERE query_kind = 'Insert'"))[0].inserts;
    await waitFor('no insert is under way', async () => (await inserts()) === 0);
  }
}
