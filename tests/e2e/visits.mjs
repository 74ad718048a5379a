// SPDX-License-Identifier: Apache-2.0
// Visits for tests of questions: made by a generator with a seed, sent, and put together again as the documents define them.
import assert from 'node:assert/strict';
import { waitFor } from './harness.mjs';

export const DAY = 86_400_000;

/** A small generator with a seed, so that a failure can be repeated. */
export function generator(seed) {
  let state = seed;
  return (n) => { state = (Math.imul(state, 1664525) + 1013904223) >>> 0; return Math.floor((state / 2 ** 32) * n); };
}

/** The events of a visit: steps are [ms after its begin, name, more]. */
export function visit(id, at, device, steps, more = {}) {
  return steps.map(([after, name, extra]) => ({ name, session_id: id, device_id: device, timestamp: new Date(at + after).toISOString(), ...more, ...extra }));
}

/** `count` visits in the nine days from `begin` - 2 days on. */
export function randomVisits(seed, count, begin) {
  const random = generator(seed), events = [];
  for (let i = 0; i < count; i++) {
    const steps = [];
    let at = 0;
    for (let k = 0; k <= random(5); k++) {
      const path = `/p${random(6)}`;
      steps.push(random(4) ? [at, 'screen_view', { path, title: `Page ${path}`, origin: 'https://shop.example' }] : [at, ['click', 'order'][random(2)], { path, origin: 'https://shop.example', ...(random(3) ? {} : { revenue: 1 + random(50) }) }]);
      at += random(3) ? 500 * (1 + random(400)) : 0;
    }
    events.push(...visit(`m${i}`, begin - 2 * DAY + random(9 * DAY * 0.98), `d${random(150)}`, steps,
      { country: ['SE', 'DE', 'US'][random(3)], city: ['A', 'B'][random(2)], browser: ['Chrome', 'Safari'][random(2)], utm_source: ['', 'news', 'ads'][random(3)], ...(random(5) ? {} : { profile_id: `user${random(30)}` }) }));
  }
  return events;
}

/** Sends the events and waits until all of them, and their visits, can be asked for. */
export async function send(server, keys, events) {
  for (let i = 0; i < events.length; i += 500) {
    const answer = await server.post('/v1/events', events.slice(i, i + 500), { key: keys.write_key });
    assert.equal(answer.status, 200, answer.text);
  }
  await server.settle(keys.write_key);
  const visits = new Set(events.map((event) => event.session_id)).size;
  await waitFor('all visits are stored', async () => {
    const [row] = await server.sql('SELECT sum(sign * (screen_view_count + event_count)) AS n, uniqExact(id) AS visits FROM analytics.sessions', keys.tenant);
    return row.visits >= visits && row.n >= events.length;
  });
}

export const isView = (event) => event.name === 'screen_view';
export const time = (event) => Date.parse(event.timestamp);
export const median = (list) => (list.length ? (list[(list.length - 1) >> 1] + list[list.length >> 1]) / 2 : null);
export const rounded = (value, decimals) => (value !== null && Number.isFinite(value) ? Math.round(value * 10 ** decimals) / 10 ** decimals : null);
export const sum = (list) => list.reduce((a, b) => a + b, 0);
export const mean = (list) => (list.length ? sum(list) / list.length : null);

/** The visits of events: { id, list, views, start, duration, bounced, person, and what the first event says }. */
export function visitsOf(events) {
  const map = new Map();
  for (const event of events) (map.get(event.session_id) ?? map.set(event.session_id, []).get(event.session_id)).push(event);
  return [...map].map(([id, list]) => {
    list.sort((a, b) => time(a) - time(b));
    // Views of one instant are in the order of their pages.
    const page = (event) => `${event.origin ?? ''}${event.path}`;
    const times = list.map(time), views = list.filter(isView).sort((a, b) => time(a) - time(b) || (page(a) < page(b) ? -1 : page(a) > page(b) ? 1 : 0));
    return { ...list[0], id, list, views, start: times[0], duration: times.at(-1) - times[0], bounced: views.length <= 1, person: list[0].profile_id ?? list[0].device_id, money: sum(list.map((event) => event.revenue ?? 0)) };
  });
}
