// SPDX-License-Identifier: Apache-2.0
// What a chart must show, worked out from the events themselves: independent of the server, for tests to compare with.

/** Numbers that follow from a seed. */
export function randomFrom(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const below = (limit) => Math.floor(next() * limit);
  return { next, below, one: (list) => list[below(list.length)], chance: (p) => next() < p };
}

/** Random visits of a month around the end of summer time; amounts are quarters, whose sums are exact. */
export function randomEvents(count, fromMs, toMs, seed) {
  const random = randomFrom(seed);
  return Array.from({ length: count }, (unused, index) => {
    const person = random.below(40);
    const event = {
      name: random.one(['signup', 'purchase', 'purchase', 'screen_view', 'screen_view', 'screen_view']),
      created_at: new Date(fromMs + Math.floor(random.next() * (toMs - fromMs)) + index % 7).toISOString(),
      device_id: `device ${person}`, session_id: `visit ${person}.${random.below(5)}`, path: random.one(['/', '/pricing', "/it's", '/docs/ä']),
      country: random.one(['DE', 'DE', 'FR', 'US', '']), duration: random.below(4) * 1000,
      properties: { plan: random.one(['pro', 'free', 'team', '']), amount: random.one(['1.25', '2.5', ' 10 ', 'many', '', '-3.75', '1e2']) },
    };
    if (random.chance(0.4)) event.profile_id = `profile ${person % 15}`;
    if (random.chance(0.5)) event.groups = random.chance(0.3) ? ['acme', 'globex'] : [random.one(['acme', 'initech'])];
    if (event.name === 'purchase') event.revenue = random.below(400) / 4;
    if (random.chance(0.5)) Object.assign(event.properties, { 'tags.0': random.one(['red', 'blue', '7.5']), 'tags.1': random.one(['blue', '2.25']) });
    return event;
  });
}

// ---- time ----

const formats = new Map();
function offsetMs(ms, zone) {
  if (!formats.has(zone)) formats.set(zone, new Intl.DateTimeFormat('en', { timeZone: zone, timeZoneName: 'longOffset' }));
  const text = formats.get(zone).formatToParts(ms).find((part) => part.type === 'timeZoneName').value;
  const match = /GMT([+-])(\d\d):(\d\d)/.exec(text);
  return match ? (match[1] === '-' ? -1 : 1) * (Number(match[2]) * 60 + Number(match[3])) * 60_000 : 0;
}

/** Names the bucket of an instant: minutes and hours by their start, days, weeks and months by their local date. */
export function bucketName(ms, interval, zone) {
  const local = ms + offsetMs(ms, zone);
  const width = { minute: 60_000, hour: 3_600_000 }[interval];
  if (width) return new Date(Math.floor(local / width) * width - offsetMs(ms, zone)).toISOString();
  const date = new Date(local);
  if (interval === 'month') date.setUTCDate(1);
  if (interval === 'week') date.setUTCDate(date.getUTCDate() - ((date.getUTCDay() + 6) % 7));
  return date.toISOString().slice(0, 10);
}
const nameOfTime = (time, interval) => (['minute', 'hour'].includes(interval) ? new Date(time).toISOString() : time.slice(0, 10));

// ---- measures ----

export const personOf = (event) => event.profile_id || event.device_id;
const numberOf = (text) => (/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(String(text).trim()) ? [Number(text)] : []);
function numbersOf(event, property) {
  if (property === 'duration') return [event.duration];
  if (property === 'revenue') return event.revenue === undefined ? [] : [event.revenue];
  const key = property.slice('properties.'.length);
  if (key.endsWith('*')) return Object.entries(event.properties).filter(([name]) => name.startsWith(key.slice(0, -1))).flatMap(([, value]) => numberOf(value));
  return numberOf(event.properties[key] ?? '');
}
function percentile(numbers, level) {
  const sorted = [...numbers].sort((a, b) => a - b);
  if (!sorted.length) return 0;
  const at = level * (sorted.length - 1), low = Math.floor(at), high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (sorted[high] - sorted[low]) * (at - low);
}
function groupBy(list, keyOf) {
  const groups = new Map();
  for (const item of list) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}
const distinct = (list) => new Set(list).size;
const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
const rounded = (value, digits) => (Number.isFinite(value) ? Math.sign(value) * Math.round(Math.abs(value) * 10 ** digits) / 10 ** digits || 0 : 0);
const percentiles = { median: 0.5, p50: 0.5, p75: 0.75, p90: 0.9, p95: 0.95, p99: 0.99 };

function measured(events, { measure = 'events', property }) {
  const numbers = property ? events.flatMap((event) => numbersOf(event, property)) : [];
  if (measure in percentiles) return rounded(percentile(numbers, percentiles[measure]), 4);
  const people = distinct(events.map(personOf));
  const value = {
    events: () => events.length, people: () => people, sessions: () => distinct(events.map((event) => event.session_id)),
    groups: () => distinct(events.flatMap((event) => event.groups ?? [])), events_per_person: () => events.length / people,
    one_event_per_person: () => events.length, // they have been chosen before
    sum: () => sum(numbers), average: () => sum(numbers) / numbers.length, min: () => Math.min(...numbers), max: () => Math.max(...numbers),
  }[measure]();
  return rounded(value, 4);
}

/** Of each person the latest event alone. */
function latestOnly(events) {
  const latest = new Map();
  for (const event of events) {
    const other = latest.get(personOf(event));
    if (!other || event.created_at > other.created_at) latest.set(personOf(event), event);
  }
  return [...latest.values()];
}

// ---- the chart ----

const fieldOf = (event, name) => (name.startsWith('properties.') ? event.properties[name.slice('properties.'.length)] ?? '' : event[name] ?? '');
export function labelsOf(event, breakdowns) {
  return breakdowns.reduce((rows, name) => {
    const values = name === 'groups' ? (event.groups?.length ? event.groups : ['']) : [String(fieldOf(event, name))];
    return rows.flatMap((row) => values.map((value) => [...row, value]));
  }, [[]]);
}
const holds = (filters, event) => (filters ?? []).every(({ name, operator, value }) => {
  const is = [value].flat().includes(String(fieldOf(event, name)));
  return operator === 'is' ? is : !is;
});
const compareTexts = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** Events that a series is of, with one row per combination of labels. */
function rowsOf(events, plan, series, range) {
  const chosen = events.filter((event) => {
    const ms = Date.parse(event.created_at);
    return ms >= range[0] && ms < range[1] && (series.name === '*' || event.name === series.name) && holds(plan.filters, event) && holds(series.filters, event);
  });
  const kept = series.measure === 'one_event_per_person' ? latestOnly(chosen) : chosen;
  return kept.flatMap((event) => labelsOf(event, plan.breakdowns ?? []).map((labels) => ({ event, key: JSON.stringify(labels) })));
}
const eventsOf = (rows) => rows.map(({ event }) => event);

function metricsOf(values, total) {
  const counted = values.filter((value) => value !== 0);
  return { sum: rounded(sum(values), 2), average: rounded(sum(counted) / counted.length, 2), min: Math.min(...values), max: Math.max(...values), total };
}

/** Lines by letter and label: { letter, breakdown: [..] or 'rest', values, previous, metrics, before }. `formulas`: by letter, as functions of (A, B, ..). */
export function chartOf(events, plan, answer) {
  const { series, breakdowns = [], limit = 10, rest = false, interval, timezone = 'UTC' } = plan;
  const ranges = [answer, answer.previous].map((each) => each && [Date.parse(each.from), Date.parse(each.to)]);
  const names = [answer, answer.previous].map((each) => each?.times?.map((time) => nameOfTime(time, interval)));
  const letters = series.map((unused, index) => String.fromCharCode(65 + index));
  // Ranked by what the first series shows, then the next; labels of equals in their order.
  const known = new Map();
  series.forEach((each, index) => {
    if (each.formula) return;
    const ranking = each.measure === 'one_event_per_person' ? { ...each, measure: 'people' } : each;
    const rows = groupBy(rowsOf(events, plan, ranking, ranges[0]), ({ key }) => key);
    for (const [key, list] of rows) {
      if (!known.has(key)) known.set(key, series.map(() => 0));
      known.get(key)[index] = measured(eventsOf(list), ranking);
    }
  });
  const ranked = [...known].sort(([a, first], [b, second]) => {
    const index = first.findIndex((value, at) => value !== second[at]);
    if (index >= 0) return second[index] - first[index];
    const [one, two] = [JSON.parse(a), JSON.parse(b)], at = one.findIndex((text, place) => text !== two[place]);
    return at < 0 ? 0 : compareTexts(one[at], two[at]);
  }).map(([key]) => key);
  const keys = breakdowns.length ? ranked.slice(0, limit) : ['[]'];
  const slots = rest && breakdowns.length ? [...keys, 'rest'] : keys;
  const slotOf = (key) => (keys.includes(key) ? key : 'rest');
  // figures[period][series][slot]
  const figures = ranges.map((range, period) => range && series.map((each) => {
    if (each.formula) return null;
    const rows = groupBy(rowsOf(events, plan, each, range), ({ key }) => slotOf(key));
    return Object.fromEntries(slots.map((slot) => {
      const list = eventsOf(rows.get(slot) ?? []);
      const total = measured(list, each);
      const byBucket = groupBy(list, (event) => bucketName(Date.parse(event.created_at), interval ?? 'day', timezone));
      const values = names[period] ? names[period].map((name) => measured(byBucket.get(name) ?? [], each)) : [total];
      return [slot, { rows: list.length, total, people: distinct(list.map(personOf)), values }];
    }));
  }));
  for (const period of figures)
    series.forEach((each, index) => {
      if (!each.formula || !period) return;
      period[index] = Object.fromEntries(slots.map((slot) => {
        const inputs = period.slice(0, index).map((one) => one[slot]);
        const used = inputs.filter((unused, at) => each.formula.includes(letters[at]));
        const work = (pick) => rounded(each.compute(...inputs.map(pick)), 2);
        return [slot, { rows: sum(used.map(({ rows }) => rows)), total: work(({ total }) => total), people: Math.max(0, Math.floor(work(({ people }) => people))),
          values: inputs[0].values.map((unused, point) => work(({ values }) => values[point])) }];
      }));
    });
  const hidden = new Set(series.flatMap((each) => (each.hide_series ? letters.filter((letter) => each.formula.includes(letter)) : [])));
  return series.flatMap((each, index) => (hidden.has(letters[index]) ? [] : slots.flatMap((slot) => {
    const now = figures[0][index][slot], before = figures[1]?.[index][slot];
    if (!now.rows && (breakdowns.length || slot === 'rest')) return [];
    return [{ letter: letters[index], breakdown: slot === 'rest' ? 'rest' : JSON.parse(slot), values: now.values, previous: before?.values,
      metrics: { ...metricsOf(now.values, now.total), people: now.people }, before: before && { ...metricsOf(before.values, before.total), people: before.people } }];
  })));
}
