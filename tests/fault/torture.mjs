// SPDX-License-Identifier: Apache-2.0
// Faults under load for as long as wanted: node tests/fault/torture.mjs --minutes N [--seed S]. Prints the counts and the seed;
// ends with 1 when something acknowledged is lost or stored twice.
import { Server, waitFor } from '../e2e/harness.mjs';
import { answersAgain, assertExactlyOnce, BATCH, Client, SpanClient, faults, generator, pause, RECOVERY_MS, total } from './load.mjs';

const argument = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
};
const MINUTES = argument('minutes', 20);
const SEED = argument('seed', Math.floor(Math.random() * 2 ** 31));
if (!(MINUTES > 0 && MINUTES <= 24 * 60) || !Number.isFinite(SEED)) {
  console.error('usage: ./dev torture [--minutes N (20, at most a day)] [--seed S]');
  process.exit(2);
}
const CLIENTS = 4;
const PAUSE_MS = 20; // some thousand events a second, so that a long run ends with a number of rows one can count
const LEAST_LIFE_MS = 200;
const MOST_LIFE_MS = 3000;
const CHECK_EVERY = 25; // faults from one full count to the next
const random = generator(SEED);

/** Stops a process for some seconds, as a swapped-out or paused machine does. */
async function freeze(server, pid) {
  process.kill(pid, 'SIGSTOP');
  await pause(200 + random() * 4000);
  process.kill(pid, 'SIGCONT');
  await answersAgain(server);
}

const more = {
  'kill the server while it starts': async (server) => {
    await server.kill();
    server.start().catch(() => {}); // gives up on its own
    await pause(30 + random() * 400);
    server.child.kill('SIGKILL');
    await server.ended;
    await server.start();
    await answersAgain(server);
  },
  'freeze the engine': (server) => freeze(server, server.enginePid),
  'freeze the server': (server) => freeze(server, server.pid),
  'freeze the engine, then kill the server': async (server) => {
    process.kill(server.enginePid, 'SIGSTOP');
    await pause(200 + random() * 2000);
    const engine = server.enginePid;
    server.child.kill('SIGKILL');
    process.kill(engine, 'SIGKILL');
    await server.ended;
    await server.start();
    await answersAgain(server);
  },
  'stop cleanly': async (server) => {
    const { code } = await server.stop();
    if (code !== 0) throw new Error(`a clean stop ended with ${code}`);
    await server.start();
    await answersAgain(server);
  },
};

const kinds = { ...faults, ...more };
const counts = Object.fromEntries(Object.keys(kinds).map((kind) => [kind, 0]));
const server = await Server.start();
const clients = Array.from({ length: CLIENTS }, (_, number) => new Client(number, server, server.tenants.main.write_key, SEED, PAUSE_MS));
clients.push(new SpanClient(CLIENTS, server, server.tenants.main.secret_key, SEED, PAUSE_MS));
const begun = Date.now();
let injected = 0;
let checked;

console.log(`seed ${SEED}, ${MINUTES} minutes`);
async function lives(until) {
  const loads = clients.map((client) => client.run());
  for (let faultsHere = 0; Date.now() < until && faultsHere < CHECK_EVERY; faultsHere++) {
    const before = total(clients, 'acknowledged');
    await waitFor('the load goes on', () => total(clients, 'acknowledged') > before + CLIENTS * BATCH, RECOVERY_MS);
    await pause(LEAST_LIFE_MS + random() * (MOST_LIFE_MS - LEAST_LIFE_MS));
    const kind = Object.keys(kinds)[Math.floor(random() * Object.keys(kinds).length)];
    await kinds[kind](server);
    counts[kind]++;
    injected++;
  }
  for (const client of clients) client.stopped = true;
  await Promise.all(loads);
  const complaints = clients.flatMap((client) => client.complaints);
  if (complaints.length) throw new Error(`answers other than 200 and 503: ${complaints.slice(0, 5).join('; ')}`);
  checked = await assertExactlyOnce(server, clients, `after ${injected} faults; seed ${SEED}`);
  for (const client of clients) client.stopped = false;
  console.log(`${Math.round((Date.now() - begun) / 1000)} s: ${injected} faults, ${total(clients, 'acknowledged')} events acknowledged, ` +
    `lost ${checked.lost}, duplicated ${checked.duplicated}, ${total(clients, 'repeated')} requests repeated`);
}

let status = 0;
try {
  const until = begun + MINUTES * 60_000;
  while (Date.now() < until) await lives(until);
  for (const [kind, count] of Object.entries(counts)) console.log(`  ${String(count).padStart(5)}  ${kind}`);
  console.log(`${injected} faults injected, ${total(clients, 'acknowledged')} events acknowledged, ${checked.lost} lost, ${checked.duplicated} duplicated; seed ${SEED}`);
} catch (error) {
  console.error(`${error.message}\nseed ${SEED}; the server's last words:\n${server.log.split('\n').slice(-40).join('\n')}`);
  status = 1;
}
await server.remove();
process.exit(status);
