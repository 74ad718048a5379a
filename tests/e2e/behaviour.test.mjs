// SPDX-License-Identifier: Apache-2.0
// Questions about behaviour, each against small examples worked out by hand and against the same computed here from random events.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { dayThatLasts, Server } from './harness.mjs';
import { chainTimes, groupBy, level, random } from './behaviour_model.mjs';

const DAY = 86_400_000;
const MONDAY = Date.UTC(2026, 8, 7); // 2026-09-07
let server;
const keys = {};

/** Events of `name@ms` words, of one device. */
const line = (device, words, more = {}) =>
  words.split(' ').map((word) => {
    const [name, ms] = word.split('@');
    return { name, device_id: device, session_id: `visit ${device}`, created_at: MONDAY + Number(ms), ...more };
  });

async function send(tenant, events) {
  for (let i = 0; i < events.length; i += 500) {
    const answer = await server.post('/v1/events', events.slice(i, i + 500), { key: server.tenants[tenant].write_key });
    assert.equal(answer.status, 200, answer.text);
  }
  await server.settle(server.tenants[tenant].write_key);
}

async function ask(tenant, question, body, status = 200) {
  const answer = await server.post(`/v1/query/${question}`, { from: '2026-09-07', to: '2026-09-20', ...body }, { key: keys[tenant] });
  assert.equal(answer.status, status, answer.text);
  return answer.json;
}

const byHand = [
  ...line('all', 'a@0 b@1000 c@5000', { country: 'DE' }),
  ...line('others between', 'a@0 x@1 b@2000 x@2001 c@3000', { country: 'DE' }),
  ...line('wrong way', 'c@0 b@1 a@2', { country: 'FR' }),
  ...line('too late', `a@0 b@10 c@${DAY + 1}`, { country: 'FR' }),
  ...line('just in time', `a@0 b@10 c@${DAY}`, { country: 'FR' }),
  ...line('started again', `a@0 a@${DAY} b@${DAY + 50} c@${DAY + 90}`, { country: 'SE' }),
  ...line('same time', 'a@0 b@0 c@0', { country: 'SE' }),
  ...line('earlier b counts', 'a@1 b@2 b@3 c@3', { country: 'SE' }),
  ...line('nothing', 'x@5 b@6 c@7'),
  ...line('left', 'a@0 b@5 gone@6 c@7', { country: 'DE' }),
  ...line('twice', 'a@0 a@7', { country: 'SE' }),
];

let randomEvents;
before(async () => {
  server = await Server.start({ tenants: ['hand', 'random', 'other', 'few', 'seen', 'paths', 'lists', 'bare'], settings: ['--spool.seal_age', '100ms'] });
  for (const [name, tenant] of Object.entries(server.tenants)) keys[name] = tenant.secret_key;
  await send('hand', byHand);
  await send('other', line('foreign', 'a@0 b@1 c@2'));
  const week = 7 * DAY;
  await send('few', [
    ...line('phone', `a@0 b@${week + 5}`, { profile_id: 'ann' }), ...line('laptop', `a@${2 * week + 9} x@${2 * week + 10}`, { profile_id: 'ann' }),
    ...line('bob', `a@${3 * DAY} a@${3 * week - 1}`), ...line('cyd', `a@${week} a@${2 * week}`), ...line('dee', `a@${2 * week + DAY}`)]);
  const view = (device, at, path) => ({ name: 'screen_view', path, device_id: device, session_id: `visit ${device}`, created_at: MONDAY + at });
  await send('paths', [...line('p', 'open@0 buy@9'), view('p', 5, '/a'), view('p', 6, '/a'), ...line('q', 'open@0 buy@50'), view('q', 1, '/a'), view('q', 2, '/b'), view('q', 3, '/a'), view('q', 4, '/b'),
    ...line('r', 'open@5 buy@6'), view('s', 1, '/a'), view('s', 2, '/b'), view('s', 3, '/a')]);
  const groups = (...ids) => ({ groups: ids });
  await send('lists', [...line('both', 'a@0 b@1', groups('g1', 'g2')), ...line('one', 'a@0 b@1', groups('g1')), ...line('others', 'a@0', groups('g2', 'g3', 'g2')), ...line('none', 'a@0 b@1')]);
  const amount = (value) => ({ properties: { amount: value } });
  await send('bare', [...line('said', 'a@0'), ...line('said', 'b@5', amount(20)), ...line('unsaid between', 'a@0 b@3'), ...line('unsaid between', 'b@5', amount(20)),
    ...line('too little', 'a@0'), ...line('too little', 'b@5', amount(3))]);
  const midnight = Math.floor(Date.now() / DAY) * DAY;
  const ago = (device, ...days) => days.map((day) => ({ name: 'a', device_id: device, created_at: midnight - day * DAY }));
  await send('seen', [...ago('now', 0, 90), ...ago('seven', 7), ...ago('eight', 8), ...ago('thirty', 30), ...ago('sixty', 60), ...ago('more', 61)]);
  const next = random(7);
  const pick = (list) => list[Math.floor(next() * list.length)];
  randomEvents = Array.from({ length: 4000 }, () => {
    const device = `d${Math.floor(next() * 60)}`;
    return {
      name: pick(['a', 'a', 'b', 'b', 'c', 'd', 'x', 'screen_view']), device_id: device, session_id: `${device} ${Math.floor(next() * 5)}`,
      profile_id: Number(device.slice(1)) < 30 ? `u${Number(device.slice(1)) % 20}` : '', path: pick(['/', '/a', '/b/']),
      created_at: MONDAY + Math.floor(next() * 2000) * 400_000, country: pick(['DE', 'FR', 'SE', '']), properties: { plan: pick(['pro', 'free']) },
    };
  });
  await send('random', randomEvents);
});
after(() => {
  if (process.env.SHOW_LOG) console.log(server.log.slice(-8000));
  return server?.remove();
});

const counts = (answer) => answer.steps.map((step) => step.count);

test('a funnel counts how far each person came: worked by hand', async () => {
  const answer = await ask('hand', 'funnel', { steps: ['a', 'b', 'c'] });
  // "all", "others between", "just in time", "started again", "earlier b counts", "left" get to c; "too late" to b; "wrong way", "same time", "twice" only begin.
  assert.deepEqual(counts(answer), [10, 7, 6]);
  const [a, b, c] = answer.steps;
  assert.deepEqual([a.percent, b.percent, c.percent], [100, 70, 60]);
  assert.deepEqual([a.dropoff_count, a.dropoff_percent, b.dropoff_count, b.dropoff_percent, c.dropoff_count], [3, 30, 1, 14.29, null]);
  assert.deepEqual([a.previous_count, b.previous_count, c.previous_count, a.next_count, c.next_count], [10, 10, 7, 7, null]);
  assert.deepEqual(answer.steps.map((step) => step.is_highest_dropoff), [true, false, false]);
  assert.deepEqual([answer.entered, answer.completed, answer.percent], [10, 6, 60]);
  // ms from a to b: 1000, 2000, 10, 10, 50, 1, 5
  assert.equal(b.median_seconds, 0.01);
  assert.ok(Math.abs(b.average_seconds - 3076 / 7 / 1000) < 1e-9, `${b.average_seconds}`);
  // ms from a to c: 5000, 3000, DAY, 90, 2, 7
  assert.ok(Math.abs(c.average_seconds_from_start - (5000 + 3000 + DAY + 90 + 2 + 7) / 6 / 1000) < 1e-9, `${c.average_seconds_from_start}`);
});

test('a strict funnel allows no other event in between, an exclusion only not its own', async () => {
  assert.deepEqual(counts(await ask('hand', 'funnel', { steps: ['a', 'b', 'c'], order: 'strict' })), [10, 6, 3]); // b@2 b@3 and "others between", "left" break
  assert.deepEqual(counts(await ask('hand', 'funnel', { steps: ['a', 'b', 'c'], exclude: ['gone'] })), [10, 7, 5]);
  assert.deepEqual(counts(await ask('hand', 'funnel', { steps: ['a', 'b', 'c'], exclude: [{ event: 'gone', from: 1, to: 2 }] })), [10, 7, 6]);
});

test('steps at the same time count when asked for; the window is kept to the millisecond; a step may come twice', async () => {
  assert.deepEqual(counts(await ask('hand', 'funnel', { steps: ['a', 'b', 'c'], equal_times: true })), [10, 8, 7]);
  assert.deepEqual(counts(await ask('hand', 'funnel', { steps: ['a', 'b', 'c'], window: 86401 })), [10, 7, 7]);
  assert.deepEqual(counts(await ask('hand', 'funnel', { steps: ['a', 'a'], window: 2 * 86400 })), [10, 2]);
});

test('a breakdown never splits a chain, and puts what is too much together', async () => {
  const answer = await ask('hand', 'funnel', { steps: ['a', 'b', 'c'], breakdown: 'country', limit: 2 });
  assert.deepEqual(answer.breakdown.map((part) => [part.value, part.is_other, ...counts(part)]), [['SE', false, 4, 2, 2], ['DE', false, 3, 3, 3], [null, true, 3, 2, 1]]);
  assert.deepEqual(counts(answer), [10, 7, 6]);
});

test('somebody with several values counts in each, once in the whole and once among the others', async () => {
  const body = { steps: ['a', 'b'], breakdown: 'group.id', limit: 1, series: true, interval: 'day' };
  const answer = await ask('lists', 'funnel', body);
  assert.deepEqual([answer.entered, answer.completed, counts(answer)], [4, 3, [4, 3]]);
  assert.deepEqual(answer.breakdown.map((part) => [part.value, part.is_other, ...counts(part)]), [['g1', false, 2, 2], [null, true, 3, 2]]);
  assert.deepEqual(answer.series[0].counts, [4, 3]);
  const each = await ask('lists', 'funnel', { ...body, limit: 10 });
  assert.deepEqual(each.breakdown.map((part) => [part.value, ...counts(part)]), [['g1', 2, 2], ['g2', 2, 1], ['', 1, 1], ['g3', 1, 0]]);
  assert.equal(each.entered, 4);
  const conversion = await ask('lists', 'conversion', { steps: ['a', 'b'], breakdown: 'group.id', limit: 1, interval: 'week' });
  assert.deepEqual(conversion.series.map((part) => [part.value, part.data.map((point) => [point.total, point.conversions])]), [['g1', [[2, 2], [0, 0]]], [null, [[3, 2], [0, 0]]]]);
  const before = await ask('lists', 'funnel', { ...body, from: '2026-09-21', to: '2026-10-04', compare: 'previous' });
  assert.deepEqual(counts(before.previous), [4, 3]);
});

test('an event without the property of a step is another event: it breaks a strict chain, and is no step', async () => {
  const steps = ['a', { event: 'b', filters: [{ name: 'properties.amount', operator: 'gte', value: 20 }] }];
  assert.deepEqual(counts(await ask('bare', 'funnel', { steps, order: 'strict' })), [3, 1]);
  assert.deepEqual(counts(await ask('bare', 'funnel', { steps })), [3, 2]);
  assert.deepEqual(counts(await ask('bare', 'funnel', { steps: ['a', { event: ['a', 'b'], filters: steps[1].filters }] })), [3, 2]);
  const paths = await ask('bare', 'paths', { mode: 'before', end: steps[1], depth: 2 });
  assert.deepEqual([paths.total, idOf(paths)], [2, [['1:a', '2:b', 1], ['1:b', '2:b', 1]]]);
});

test('a conversion has a limit of points, and says it', async () => {
  const { error } = await ask('hand', 'conversion', { steps: ['a', 'b'], interval: 'hour', breakdown: 'country', limit: 50 }, 413);
  assert.deepEqual([error.field, /51 lines of 336 points .* 10000/.test(error.message)], ['limit', true], error.message);
  const most = await ask('random', 'conversion', { steps: ['a', 'b'], interval: 'hour', breakdown: 'country', limit: 28 });
  const whole = await ask('random', 'funnel', { steps: ['a', 'b'], interval: 'hour', series: true });
  assert.deepEqual(whole.series.map((point) => point.entered), whole.series.map((_, i) => most.series.reduce((sum, part) => sum + part.data[i].total, 0)));
  assert.ok(most.series.length > 3 && whole.series.filter((point) => point.entered).length > 5);
});

const key = { person: (e) => e.profile_id || e.device_id, device: (e) => e.device_id, session: (e) => e.session_id };
const isView = (e) => e.name === 'screen_view';
const variants = [
  [{ steps: ['a', 'b', 'c'] }, ['a', 'b', 'c'].map((n) => (e) => e.name === n)],
  [{ steps: ['a', 'b', 'c', 'd'], window: 3 * 86400, by: 'device' }, ['a', 'b', 'c', 'd'].map((n) => (e) => e.name === n)],
  [{ steps: ['a', 'b', 'c'], order: 'strict', by: 'session', window: 5 * 86400 }, ['a', 'b', 'c'].map((n) => (e) => e.name === n)],
  [{ steps: ['a', 'b'], order: 'strict', equal_times: true, window: 5 * 86400 }, ['a', 'b'].map((n) => (e) => e.name === n)],
  [{ steps: ['a', 'a', 'b'], window: 2 * 86400 }, ['a', 'a', 'b'].map((n) => (e) => e.name === n)],
  [{ steps: [{ event: ['a', 'b'] }, { event: ['b', 'c'] }, { page: '/b' }], window: 2 * 86400 },
    [(e) => 'ab'.includes(e.name), (e) => 'bc'.includes(e.name), (e) => isView(e) && e.path === '/b/']],
  [{ steps: [{ event: 'a', filters: [{ name: 'country', operator: 'is', value: 'DE' }] }, '*', 'c'], window: 86400 },
    [(e) => e.name === 'a' && e.country === 'DE', () => true, (e) => e.name === 'c']],
  [{ steps: ['a', 'b', 'c'], exclude: [{ event: 'x', from: 1, to: 2 }, { event: 'd', from: 2 }], window: 4 * 86400 }, ['a', 'b', 'c'].map((n) => (e) => e.name === n),
    [{ fits: (e) => e.name === 'x', from: 1, to: 2 }, { fits: (e) => e.name === 'd', from: 2, to: 3 }]],
  [{ steps: ['a', 'b', 'c'], filters: [{ name: 'properties.plan', operator: 'is', value: 'pro' }], breakdown: 'country', series: true, window: 2 * 86400 },
    ['a', 'b', 'c'].map((n) => (e) => e.name === n), [], (e) => e.properties.plan === 'pro'],
];
for (const [body, steps, exclusions = [], filter = () => true] of variants) {
  test(`a funnel of random events is what its definition says: ${JSON.stringify(body)}`, async () => {
    const groups = groupBy(randomEvents.filter(filter), key[body.by ?? 'person']);
    const want = { all: steps.map(() => 0), value: {}, day: {}, times: steps.map(() => []), starts: steps.map(() => []) };
    for (const events of groups.values()) {
      events.sort((p, q) => p.created_at - q.created_at);
      const options = { window: (body.window ?? 86400) * 1000, equal: body.equal_times ?? false, strict: body.order === 'strict', exclusions };
      const deepest = level(events, steps, options);
      if (!deepest) continue;
      const entry = events.find(steps[0]);
      const first = events.filter((e) => e.created_at === entry.created_at && steps[0](e));
      const day = Math.floor((entry.created_at - MONDAY) / DAY);
      const country = new Set(first.map((e) => e.country)).size > 1 ? null : entry.country; // two first events at once: either
      for (let i = 0; i < deepest; i++) {
        want.all[i]++;
        (want.value[country] ??= steps.map(() => 0))[i]++;
        (want.day[day] ??= steps.map(() => 0))[i]++;
      }
      for (const [step, time] of chainTimes(events, steps, options, deepest).entries()) if (step) want.times[step].push(time.between) && want.starts[step].push(time.fromStart);
    }
    const answer = await ask('random', 'funnel', body);
    assert.deepEqual(counts(answer), want.all);
    assert.ok(want.all.at(-1) > 0, 'somebody completes it');
    for (let i = 1; i < steps.length; i++) {
      const average = (list) => list.reduce((sum, value) => sum + value, 0) / list.length / 1000;
      assert.ok(Math.abs(answer.steps[i].average_seconds - average(want.times[i])) < 1e-6, `step ${i + 1}: ${answer.steps[i].average_seconds} ${average(want.times[i])}`);
      assert.ok(Math.abs(answer.steps[i].average_seconds_from_start - average(want.starts[i])) < 1e-6, `step ${i + 1} from start`);
    }
    if (body.series) {
      assert.equal(answer.series.length, 14);
      assert.deepEqual(answer.series.map((point) => point.counts), Array.from({ length: 14 }, (_, day) => want.day[day] ?? steps.map(() => 0)));
    }
    if (body.breakdown && !want.value[null]) assert.deepEqual(Object.fromEntries(answer.breakdown.map((part) => [part.value, counts(part)])), want.value);
  });
}

test('conversion over time is a funnel by the time of entry', async () => {
  const answer = await ask('random', 'conversion', { steps: ['a', 'b'], interval: 'day' });
  const funnel = await ask('random', 'funnel', { steps: ['a', 'b'], series: true, interval: 'day' });
  assert.deepEqual(answer.series.length, 1);
  assert.deepEqual(answer.series[0].data, funnel.series.map(({ time, entered, completed, percent }) => ({ time, total: entered, conversions: completed, rate: percent })));
  const split = await ask('random', 'conversion', { steps: ['a', 'b'], interval: 'week', breakdown: 'country', limit: 2, compare: 'previous' });
  assert.equal(split.series.length, 3);
  assert.equal(split.series.reduce((sum, part) => sum + part.entered, 0), funnel.entered);
  assert.equal(split.series.reduce((sum, part) => sum + part.completed, 0), funnel.completed);
  assert.deepEqual(split.series[0].data.map((point) => point.previous_rate), [0, 0]);
});

test('what is wrong with the steps is said', async () => {
  for (const [body, field, words, status = 400] of [
    [{ steps: ['a'] }, 'steps', /2 to 20/], [{ steps: Array(21).fill('a') }, 'steps', /2 to 20/], [{}, 'steps', /list/], [{ steps: [1, 2] }, 'steps[0]', /event/],
    [{ steps: ['a', {}] }, 'steps[1]', /event or a page/], [{ steps: ['a', { event: Array(21).fill('n') }] }, 'steps[1]', /20/, 413],
    [{ steps: ['a', 'b'], window: 0 }, 'window', /1 to 7776000/], [{ steps: ['a', 'b'], order: 'any' }, 'order', /strict/], [{ steps: ['a', 'b'], by: "x' OR 1" }, 'by', /session/],
    [{ steps: ['a', 'b'], exclude: [{ event: 'x', from: 2 }] }, 'exclude', /from 1 to 1/], [{ steps: ['a', 'b'], exclude: ['x'], order: 'strict' }, 'exclude', /strict/],
    [{ steps: ['a', 'b'], breakdown: 'nonsense' }, 'name', /nonsense/], [{ steps: ['a', { event: 'b', filters: {} }] }, 'steps', /list of filters/],
  ]) {
    const { error } = await ask('hand', 'funnel', body, status);
    assert.equal(error.field, field, JSON.stringify(error));
    assert.match(error.message, words);
  }
  assert.deepEqual(counts(await ask('hand', 'funnel', { steps: ["' OR 1 = 1 --", 'b\\'] })), [0, 0]);
});

// Days are numbers from MONDAY; a person's days as a sorted list.
const daysOf = (fits, offset = 0, filter = () => true) => {
  const people = new Map();
  for (const [who, events] of groupBy(randomEvents.filter((e) => fits(e) && filter(e)), key.person))
    people.set(who, [...new Set(events.map((e) => Math.floor((e.created_at + offset - MONDAY) / DAY)))].sort((p, q) => p - q));
  return people;
};

test('retention of a few people, worked by hand', async () => {
  const answer = await ask('few', 'retention', { from: '2026-09-07', to: '2026-09-27', interval: 'week', mode: 'on', columns: 2 });
  // ann: weeks 0, 1, 2; bob: 0, 2; cyd: 1, 2; dee: 2. Devices of ann count as ann.
  const cells = (row) => row.cells.map((cell) => [cell.value, cell.percent]);
  assert.deepEqual(answer.cohorts.map((row) => [row.time, row.size, ...cells(row)]), [
    ['2026-09-07T00:00:00+00:00', 2, [2, 100], [1, 50], [2, 100]],
    ['2026-09-14T00:00:00+00:00', 1, [1, 100], [1, 100], [0, 0]],
    ['2026-09-21T00:00:00+00:00', 1, [1, 100], [0, 0], [0, 0]]]);
  assert.equal(answer.average.size, 1.33);
  assert.deepEqual(answer.average.cells.map((cell) => cell.percent), [100, 50, 50]);
  const after = await ask('few', 'retention', { from: '2026-09-07', to: '2026-09-27', interval: 'week', columns: 2 });
  assert.deepEqual(after.cohorts.map((row) => row.cells.map((cell) => cell.value)), [[2, 2, 2], [1, 1, 0], [1, 0, 0]]);
  const identified = await ask('few', 'retention', { from: '2026-09-07', to: '2026-09-27', interval: 'week', columns: 1, people: 'identified' });
  assert.deepEqual(identified.cohorts.map((row) => row.size), [1, 0, 0]);
});

test('a cell whose period is not over says so, and no average counts it', async () => {
  await dayThatLasts(30_000);
  const today = new Date().toISOString().slice(0, 10);
  const answer = await ask('few', 'retention', { from: '2026-09-07', to: today, interval: 'day', columns: 1 });
  assert.ok(answer.cohorts.slice(0, -2).every((row) => row.cells.every((cell) => !cell.incomplete)));
  assert.deepEqual(answer.cohorts.at(-1).cells.map((cell) => cell.incomplete), [true, true]);
  assert.deepEqual(answer.cohorts.at(-2).cells.map((cell) => cell.incomplete), [undefined, true]);
});

for (const [body, first, back, offset = 0, filter = () => true] of [
  [{ mode: 'on' }, () => true, () => true],
  [{ mode: 'on', timezone: 'Asia/Kolkata' }, () => true, () => true, 5.5 * 3600_000],
  [{ columns: 5, first: 'a', return: { event: ['b', 'c'] } }, (e) => e.name === 'a', (e) => 'bc'.includes(e.name)],
  [{ columns: 5, first: { page: '/a' }, filters: [{ name: 'country', operator: 'is', value: ['DE', 'FR'] }], mode: 'on' }, (e) => isView(e) && e.path === '/a', () => true, 0, (e) => ['DE', 'FR'].includes(e.country)],
]) {
  test(`retention of random events is what its definition says: ${JSON.stringify(body)}`, async () => {
    const answer = await ask('random', 'retention', { interval: 'day', to: '2026-09-13', ...body });
    const columns = body.columns ?? 7;
    const begun = daysOf(first, offset, filter);
    const came = daysOf(back, offset, filter);
    const want = Array.from({ length: 7 }, () => ({ size: 0, values: Array(columns + 1).fill(0) }));
    for (const [who, days] of begun) {
      const cohort = days.find((day) => day >= 0);
      if (cohort === undefined || cohort > 6) continue;
      want[cohort].size++;
      const later = (came.get(who) ?? []).filter((day) => day >= cohort && day < 7 + columns);
      for (let k = 0; k <= columns; k++) if (later.some((day) => (body.mode === 'on' ? day === cohort + k : day >= cohort + k))) want[cohort].values[k]++;
    }
    assert.deepEqual(answer.cohorts.map((row) => ({ size: row.size, values: row.cells.map((cell) => cell.value) })), want);
    assert.ok(want.some((row) => row.values[2] > 0));
  });
}

test('active people of random events: by day, in windows, again, new and gone', async () => {
  const people = daysOf(() => true);
  const active = await server.get('/v1/query/active_users?from=2026-09-09&to=2026-09-20', keys.random);
  assert.equal(active.status, 200, active.text);
  const within = (from, to) => [...people.values()].filter((days) => days.some((day) => day >= from && day <= to)).length;
  assert.deepEqual(active.json.data.map(({ dau, wau, mau }) => [dau, wau, mau]), Array.from({ length: 12 }, (_, i) => [within(i + 2, i + 2), within(i - 4, i + 2), within(i - 27, i + 2)]));
  const series = await server.get('/v1/query/retention_series?from=2026-09-07&to=2026-09-20&interval=day', keys.random);
  const has = (day) => [...people.values()].filter((days) => days.includes(day));
  assert.deepEqual(series.json.data.map(({ active_users, retained_users }) => [active_users, retained_users]), Array.from({ length: 14 }, (_, i) => [has(i).length, has(i).filter((days) => days.includes(i + 1)).length]));
  for (const [body, fits, offset] of [[{}, () => true, 0], [{ event: 'd', timezone: 'Asia/Kolkata' }, (e) => e.name === 'd', 5.5 * 3600_000]]) {
    const lifecycle = await ask('random', 'lifecycle', { from: '2026-09-10', to: '2026-09-20', ...body });
    const lists = [...daysOf(fits, offset).values()];
    const count = (test_) => lists.filter(test_).length;
    assert.deepEqual(lifecycle.data.map((row) => [row.new, row.returning, row.resurrecting, row.dormant]), Array.from({ length: 11 }, (_, i) => {
      const day = i + 3;
      return [count((l) => l[0] === day), count((l) => l.includes(day) && l.includes(day - 1)), count((l) => l.includes(day) && !l.includes(day - 1) && l[0] < day), count((l) => !l.includes(day) && l.includes(day - 1))];
    }));
    if (body.event) assert.ok(lifecycle.data.some((row) => row.resurrecting > 0 && row.dormant > 0));
  }
});

test('a range that ends within a day, a week or a month ends there', async () => {
  const end = MONDAY + 3.5 * DAY;
  const to = new Date(end).toISOString();
  const early = [...daysOf(() => true, 0, (e) => e.created_at < end).values()];
  const all = [...daysOf(() => true).values()];
  const active = await server.get(`/v1/query/active_users?from=2026-09-07&to=${to}`, keys.random);
  assert.deepEqual(active.json.data.map((row) => row.dau), [0, 1, 2, 3].map((day) => early.filter((days) => days.includes(day)).length));
  assert.ok(active.json.data[3].dau < all.filter((days) => days.includes(3)).length);
  const lifecycle = await ask('random', 'lifecycle', { to });
  assert.deepEqual(lifecycle.data.map((row) => row.new), [0, 1, 2, 3].map((day) => early.filter((days) => days[0] === day).length));
  for (const filters of [[], [{ name: 'properties.plan', operator: 'is', value: 'pro' }]]) {
    const passes = (e) => !filters.length || e.properties.plan === 'pro';
    const begun = daysOf(() => true, 0, (e) => e.created_at < end && passes(e)), came = daysOf(() => true, 0, passes);
    const { cohorts } = await ask('random', 'retention', { to, interval: 'day', columns: 2, mode: 'on', filters });
    const last = [...begun].filter(([, days]) => days[0] === 3);
    assert.deepEqual([cohorts.length, cohorts[3].size, ...cohorts[3].cells.map((cell) => cell.value)], [4, last.length, ...[3, 4, 5].map((day) => last.filter(([who]) => came.get(who).includes(day)).length)]);
    const week = await ask('random', 'retention', { to: '2026-09-11', interval: 'week', columns: 0, filters });
    assert.equal(week.cohorts[0].size, daysOf(() => true, 0, (e) => e.created_at < MONDAY + 5 * DAY && passes(e)).size);
  }
  const series = await server.get(`/v1/query/retention_series?from=2026-09-07&to=${to}&interval=day`, keys.random);
  const stayed = [...daysOf(() => true, 0, (e) => e.created_at < end || e.created_at >= MONDAY + 4 * DAY).values()].filter((days) => days.includes(3));
  assert.deepEqual([series.json.data[3].active_users, series.json.data[3].retained_users], [stayed.length, stayed.filter((days) => days.includes(4)).length]);
});

test('weeks begin at midnight, also after one whose midnight is skipped', async () => {
  // In Tehran the clocks went from 00:00 to 01:00 on Monday 2021-03-22.
  const { cohorts } = await ask('few', 'retention', { from: '2021-03-22', to: '2021-04-04', interval: 'week', columns: 0, timezone: 'Asia/Tehran' });
  assert.deepEqual(cohorts.map((row) => row.time), ['2021-03-22T01:00:00+04:30', '2021-03-29T00:00:00+04:30']);
});

test('engagement counts the days since somebody was last seen', async () => {
  const answer = await server.get('/v1/query/engagement', keys.seen);
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(answer.json, { total: 6, data: [['0-7', 2, 33.33], ['8-14', 1, 16.67], ['15-30', 1, 16.67], ['31-60', 1, 16.67], ['60+', 1, 16.67]].map(([days, count, percent]) => ({ days, people: count, percent })) });
});

const idOf = (answer) => answer.links.map(({ source, target, count }) => [source, target, count]).sort();
test('paths after, before and between, worked by hand', async () => {
  const after = await ask('paths', 'paths', { mode: 'after', start: 'open', depth: 3 });
  assert.equal(after.total, 3);
  assert.deepEqual(idOf(after), [['1:open', '2:/a', 2], ['1:open', '2:buy', 1], ['2:/a', '3:/b', 1], ['2:/a', '3:buy', 1]]);
  assert.deepEqual(after.nodes.map(({ id, count, percent }) => [id, count, percent]).sort(), [['1:open', 3, 100], ['2:/a', 2, 66.67], ['2:buy', 1, 33.33], ['3:/b', 1, 33.33], ['3:buy', 1, 33.33]]);
  assert.deepEqual(idOf(await ask('paths', 'paths', { mode: 'before', end: 'buy', depth: 2 })), [['1:/a', '2:buy', 1], ['1:/b', '2:buy', 1], ['1:open', '2:buy', 1]]);
  const upTo = await ask('paths', 'paths', { mode: 'before', end: 'buy', depth: 3 });
  assert.deepEqual(idOf(upTo), [['1:/a', '2:/b', 1], ['1:open', '2:/a', 1], ['2:/a', '3:buy', 1], ['2:/b', '3:buy', 1], ['2:open', '3:buy', 1]]);
  assert.deepEqual([upTo.total, upTo.links[0].percent], [3, 33.33]);
  assert.deepEqual(upTo.nodes.map(({ id, step, count, percent }) => [id, step, count, percent]).sort(),
    [['1:/a', 1, 1, 33.33], ['1:open', 1, 1, 33.33], ['2:/a', 2, 1, 33.33], ['2:/b', 2, 1, 33.33], ['2:open', 2, 1, 33.33], ['3:buy', 3, 3, 100]]);
  assert.deepEqual(idOf(await ask('paths', 'paths', { mode: 'between', start: 'open', end: 'buy', depth: 3 })), [['1:open', '2:/a', 1], ['1:open', '2:buy', 1], ['2:/a', '3:buy', 1]]);
  const pages = await ask('paths', 'paths', { nodes: 'pages', cut_repeats: true, limit: 1 });
  assert.deepEqual([pages.total, idOf(pages)], [2, [['1:/a', '2:/b', 2]]]);
  const other = await ask('paths', 'paths', { mode: 'after', start: 'open', depth: 2, limit: 1 });
  assert.deepEqual(idOf(other), [['1:open', '2', 1], ['1:open', '2:/a', 2]]);
  assert.match((await ask('paths', 'paths', { mode: 'before' }, 400)).error.message, /end/);
  const { error } = await ask('paths', 'paths', { include: Array.from({ length: 51 }, (_, i) => `n${i}`) }, 413);
  assert.deepEqual([error.field, /50/.test(error.message)], ['include', true]);
});

test('paths of random events are what their definition says', async () => {
  for (const [body, nodes] of [[{ mode: 'after', start: 'a', depth: 4, limit: 50, nodes: 'names' }, (e) => e.name], [{ mode: 'before', end: { page: '/b' }, depth: 3, limit: 50 }, (e) => (isView(e) ? e.path : e.name)]]) {
    const want = new Map(), places = new Map();
    let total = 0;
    for (const events of groupBy(randomEvents, key.session).values()) {
      const fits = body.start ? (e) => e.name === 'a' : (e) => isView(e) && e.path === '/b/';
      const list = events.map((e) => [nodes(e), fits(e), e.created_at]).sort((p, q) => p[2] - q[2] || (p[0] < q[0] ? -1 : p[0] > q[0] ? 1 : p[1] - q[1]));
      const slim = list.filter((item, i) => !i || item[0] !== list[i - 1][0] || (item[1] && !list[i - 1][1]));
      const at = slim.findIndex((item) => item[1]);
      if (at < 0) continue;
      const names = (body.start ? slim.slice(at, at + 4) : slim.slice(Math.max(0, at - 2), at + 1)).map((item) => item[0]);
      const first = body.start ? 1 : 4 - names.length;
      total++;
      for (const [i, name] of names.entries()) places.set(`${first + i}:${name}`, (places.get(`${first + i}:${name}`) ?? 0) + 1);
      for (let i = 0; i + 1 < names.length; i++) {
        const link = JSON.stringify([`${first + i}:${names[i]}`, `${first + i + 1}:${names[i + 1]}`]);
        want.set(link, (want.get(link) ?? 0) + 1);
      }
    }
    const answer = await ask('random', 'paths', body);
    assert.deepEqual(idOf(answer), [...want].map(([link, count]) => [...JSON.parse(link), count]).sort());
    assert.equal(answer.total, total);
    assert.deepEqual(Object.fromEntries(answer.nodes.map(({ id, count }) => [id, count])), Object.fromEntries(places));
    assert.ok(want.size > 10);
  }
});

test('goals are people who did something, and their share of visitors', async () => {
  const answer = await ask('random', 'goals', { goals: ['a', { page: '/a', name: 'saw a' }, 'never'] });
  const people = (fits) => new Set(randomEvents.filter(fits).map(key.person)).size;
  const visitors = people(isView);
  const rate = (n) => Math.round((10000 * n) / visitors) / 100;
  const saw = (e) => isView(e) && e.path === '/a';
  assert.deepEqual(answer, { visitors, goals: [
    { name: 'a', completions: people((e) => e.name === 'a'), events: randomEvents.filter((e) => e.name === 'a').length, rate: rate(people((e) => e.name === 'a')) },
    { name: 'saw a', completions: people(saw), events: randomEvents.filter(saw).length, rate: rate(people(saw)) }, { name: 'never', completions: 0, events: 0, rate: 0 }] });
});

test('a funnel from the rollup of actions is the one from the events themselves', async () => {
  const everything = [{ name: 'name', operator: 'is_not', value: 'nothing is called so' }]; // filters ask the events
  const asked = [
    { steps: ['a', 'b', 'c'] }, { steps: ['c', 'a'], window: 3600, by: 'device' }, { steps: ['a', { event: ['b', 'c'] }], equal_times: true },
    { steps: ['a', 'c'], exclude: [{ event: 'b' }] }, { steps: ['a', 'b'], series: true },
  ];
  for (const tenant of ['random', 'hand', 'few'])
    for (const body of asked) {
      const rolled = await ask(tenant, 'funnel', body);
      assert.deepEqual(rolled, await ask(tenant, 'funnel', { ...body, filters: everything }), JSON.stringify(body));
    }
});
