// SPDX-License-Identifier: Apache-2.0
// What questions about behaviour mean, computed from events one by one: slow, and written from the definitions alone.

/** Numbers from 0 to 1, the same for the same seed. */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export function groupBy(list, name) {
  const groups = new Map();
  for (const item of list) groups.set(name(item), [...(groups.get(name(item)) ?? []), item]);
  return groups;
}

const follows = (p, q, equal) => (equal ? q.created_at >= p.created_at : q.created_at > p.created_at);

/**
 * Every chain there is, by its last event: for each step the list of { event, start, before } that a chain can end in. Events are
 * sorted by time. Brute force: each pair of events is tried.
 */
function reached(events, steps, { window, equal, strict, exclusions }) {
  const lists = [events.map((event, place) => ({ event, place, start: event.created_at })).filter(({ event }) => steps[0](event))];
  for (let step = 1; step < steps.length; step++) {
    const list = [];
    for (const [place, event] of events.entries()) {
      if (!steps[step](event)) continue;
      for (const before of lists[step - 1]) {
        // One chain for each start; what an exclusion forbids depends on when the steps of the chain were.
        if (before.place === place && !equal) continue;
        if (!follows(before.event, event, equal) || event.created_at - before.start > window) continue;
        if (strict && before.place !== place - 1) continue;
        const broken = exclusions.some(({ fits, from, to }) => step >= from && step < to &&
          events.some((other) => fits(other) && other.created_at > before.event.created_at && other.created_at < event.created_at));
        const inside = exclusions.some(({ fits, from, to }) => step > from && step < to &&
          events.some((other) => fits(other) && other.created_at === before.event.created_at));
        if (!broken && !inside) list.push({ event, place, start: before.start, before });
      }
    }
    // The same event with the same start and the same step before says nothing new.
    const seen = new Set();
    lists.push(list.filter((item) => {
      const name = `${item.place} ${item.start} ${item.before.event.created_at}`;
      return !seen.has(name) && seen.add(name);
    }));
  }
  return lists;
}

export function level(events, steps, options) {
  if (options.strict) {
    // Equal times have no order of their own: where they are allowed, it is that of the steps.
    const mask = (event) => steps.reduce((sum, fits, i) => sum + (fits(event) ? 2 ** i : 0), 0);
    events.sort((p, q) => p.created_at - q.created_at || mask(p) - mask(q));
  }
  const lists = reached(events, steps, options);
  let deepest = 0;
  while (deepest < steps.length && lists[deepest].length) deepest++;
  return deepest;
}

/** For each step reached: when it is reached first, how long since the latest start and the latest step before that allow it. */
export function chainTimes(events, steps, options, deepest) {
  return reached(events, steps, options).slice(0, deepest).map((list, step) => {
    if (!step) return {};
    const first = Math.min(...list.map((item) => item.event.created_at));
    const items = list.filter((item) => item.event.created_at === first);
    return {
      between: first - Math.max(...items.map((item) => item.before.event.created_at)),
      fromStart: first - Math.max(...items.map((item) => item.start)),
    };
  });
}
