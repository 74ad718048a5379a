// SPDX-License-Identifier: Apache-2.0
// Some hundred rows of everything that Databuddy's questions are about, the same for the same seed, and what they add up to, computed
// without the event store.
import { randomUUID } from 'node:crypto';

const HOUR = 3_600_000, DAY = 24 * HOUR;

export const LINKS = ['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222'];

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** { events, vitals, errors, custom, engagement, links, calls, payments, agents, follows }: what a site of five days until `until` sent. */
export function makeRows(seed, until, prefix = '') {
  const next = random(seed);
  const below = (limit) => Math.floor(next() * limit);
  const pick = (list) => list[below(list.length)];
  const rows = { events: [], vitals: [], errors: [], custom: [], engagement: [], links: [], calls: [], payments: [], agents: [], follows: [] };
  const places = [['DE', 'Berlin', 'Berlin'], ['DE', 'Hesse', 'Frankfurt'], ['US', 'Illinois', 'Springfield'], ['US', 'Oregon', 'Springfield'], ['IN', 'Delhi', 'Delhi']];
  const browsers = [['Chrome', '140'], ['Chrome', '139'], ['Firefox', '143'], ['Safari', '18']];
  const referrers = [{}, {}, { referrer: 'https://www.google.com/' }, { referrer: 'https://chatgpt.com/' }, { referrer: 'https://blog.example/post' }, { utm_source: `${prefix}news`, utm_medium: 'mail', utm_campaign: 'spring', utm_term: 'shoes', utm_content: 'top' }];
  const paths = ['/', '/pricing', '/pricing/', '/docs/a%20b', '/docs/c', '/blog/ä'].map((path) => `${prefix && '/'}${prefix}${path}`);
  const times = new Set();
  const at = (time) => {
    while (times.has(time)) time++;
    times.add(time);
    return time;
  };
  for (let visitor = 0; visitor < 50; visitor++) {
    const device_id = visitor === 0 ? '' : `${prefix}device-${visitor}`;
    const [country, region, city] = pick(places), [browser, browser_version] = pick(browsers);
    const device = pick(['desktop', 'mobile', 'tablet']), screen_resolution = pick(['1920x1080', '390x844']);
    const base = { device_id, country, region, city, browser, browser_version, os: pick(['Linux', 'iOS']), os_version: '1', device, screen_resolution, viewport_size: pick(['1280x720', '390x700']),
      language: pick(['de', 'en']), timezone: pick(['Europe/Berlin', 'Asia/Kolkata']), origin: 'https://shop.example' };
    const profile = visitor % 3 === 1 ? `${prefix}user-${visitor}` : '';
    const visits = 1 + below(3);
    for (let visit = 0; visit < visits; visit++) {
      const session_id = `${prefix}visit-${visitor}-${visit}`, source = pick(referrers);
      const who = { ...base, session_id, ...(profile && visit > 0 ? { profile_id: profile } : {}) };
      let time = until - 5 * DAY + below(5 * DAY - 2 * HOUR);
      const views = 1 + below(4);
      for (let view = 0; view < views; view++) {
        const path = pick(paths), seconds = pick([0.5, 3, 8, 25, 61, 400, 1000, 4000]);
        const page = { ...who, path };
        rows.events.push({ ...page, ...(view === 0 ? source : {}), name: 'screen_view', title: `${prefix}title`, load_time: 100 + below(900), ttfb: 10 + below(90), timestamp: at(time) });
        for (const metric_name of ['LCP', 'FCP', 'CLS', 'INP', 'TTFB'])
          if (next() < 0.5) rows.vitals.push({ ...page, metric_name, metric_value: metric_name === 'CLS' ? below(30) / 100 : below(5) === 0 ? 0 : 50 + below(3000), timestamp: at(time + 50) });
        if (next() < 0.2) rows.errors.push({ ...page, message: `${prefix}${pick(['Cannot read item 4711', 'Cannot read item 4712', "x is not 'defined'"])}`, error_type: pick(['TypeError', 'ReferenceError']), stack: 's'.repeat(2000), timestamp: at(time + 90) });
        if (next() < 0.3) rows.custom.push({ ...page, name: `${prefix}${pick(['signup', 'add_to_cart', 'paid'])}`, namespace: pick(['', 'shop']), timestamp: at(time + 100),
          ...(next() < 0.8 ? { properties: { plan: pick(['pro', 'free']), seats: String(1 + below(40)), trial: pick(['true', 'false']), note: `${prefix}n${below(1e6)}` } } : {}) });
        if (next() < 0.15) rows.links.push({ ...page, href: `https://${prefix}${pick(['a.example/x', 'a.example/y', 'www.b.example/'])}`, text: 'there', timestamp: at(time + 120) });
        if (next() < 0.8) rows.events.push({ ...page, name: 'page_exit', time_on_page: seconds, scroll_depth: below(101), interaction_count: below(20), timestamp: at(time + Math.floor(seconds * 1000)) });
        if (next() < 0.6) rows.engagement.push({ ...page, time_on_page: seconds, active_time: seconds / 2, max_scroll_depth: below(101), interaction_count: below(9), rage_click_count: below(4) === 0 ? 1 : 0,
          rage_click_target: '#buy', dead_click_count: 0, error_count: 0, form_field_count: below(3), form_submit_count: below(2), last_form_field: 'email', timestamp: at(time + Math.floor(seconds * 1000) + 3) });
        time += Math.floor(seconds * 1000) + below(120_000);
      }
      if (next() < 0.3) {
        const type = pick(['sale', 'subscription', 'refund', 'subscription_event']);
        const status = { refund: 'refunded', subscription_event: 'failed' }[type] ?? 'completed';
        const by = pick(['session', 'profile', 'device', 'nobody']);
        rows.payments.push({ provider: pick(['stripe', 'paddle']), transaction_id: `${prefix}pay-${session_id}`, created: time + 5000, type, status, amount: (type === 'refund' ? -1 : 1) * (1 + below(10000) / 100),
          currency: pick(['EUR', 'USD']), product_name: `${prefix}${pick(['Basic', 'Plus'])}`, session_id: by === 'session' ? session_id : '', profile_id: by === 'profile' ? profile : '',
          device_id: by === 'device' ? device_id : '', customer_id: `${prefix}customer-${visitor}` });
      }
    }
  }
  for (let call = 0; call < 60; call++)
    rows.calls.push({ provider: pick(['openai', 'anthropic']), model: `${prefix}${pick(['small', 'large'])}`, input_tokens: below(1000), output_tokens: below(500), total_tokens: 1 + below(1500), total_token_cost_usd: below(1000) / 1e5,
      duration_ms: 100 + below(5000), finish_reason: pick(['stop', 'length']), tool_call_names: pick([[], ['search'], ['search', 'read']]), ...(next() < 0.2 ? { error: { name: `${prefix}Overloaded`, message: 'try later' } } : {}),
      timestamp: at(until - below(5 * DAY)) });
  for (let read = 0; read < 40; read++)
    rows.agents.push({ bot_name: `${prefix}${pick(['GPTBot', 'ClaudeBot'])}`, bot_type: 'ai_crawler', agent_purpose: 'training', path: pick(paths), format: pick(['', 'markdown']), timestamp: until - below(5 * DAY) });
  for (let follow = 0; follow < 40; follow++)
    rows.follows.push({ link_id: pick(LINKS), referrer: pick(['', 'https://www.a.example/x']), country: pick(['DE', 'US']), region: `${prefix}Hesse`, city: 'Springfield', browser_name: 'Chrome', device_type: 'mobile', timestamp: until - below(5 * DAY) });
  for (const call of rows.calls) call.tool_call_count = call.tool_call_names.length;
  for (const list of Object.values(rows)) for (const row of list) row.id = randomUUID();
  return rows;
}

/** What /v1/events takes. Custom events and clicks are events too. */
export const toSend = (rows) => [
  ...rows.events, ...rows.vitals.map(typed('vital', ['browser_version', 'os_version'])), ...rows.errors.map(typed('error')), ...rows.custom.map((row) => ({ type: 'custom', ...row })),
  ...rows.engagement.map(typed('engagement')), ...rows.links.map((row) => ({ type: 'outgoing_link', ...row })), ...rows.calls.map((row) => ({ type: 'ai_call', ...row })),
];
const PAGE_ONLY = ['screen_resolution', 'viewport_size', 'language', 'timezone'];
const typed = (type) => (row) => ({ type, ...Object.fromEntries(Object.entries(row).filter(([name]) => !PAGE_ONLY.includes(name))) });

/** Rows of a time, and what they come to. */
export class Model {
  constructor(rows, from, to) {
    const inside = (list) => list.filter(({ timestamp }) => timestamp >= from && timestamp < to);
    this.custom = inside(rows.custom);
    this.links = inside(rows.links);
    for (const name of ['vitals', 'errors', 'engagement', 'calls', 'agents', 'follows']) this[name] = inside(rows[name]);
    this.payments = rows.payments.filter(({ created }) => created >= from && created < to);
    this.events = [...inside(rows.events), ...this.custom, ...this.links.map((row) => ({ ...row, name: 'outgoing_link' }))];
    this.views = this.events.filter(isView);
    this.visits = [...groups(this.events.filter(({ session_id }) => session_id), ({ session_id }) => session_id)].map(([id, list]) => new Visit(id, list)).filter(({ views }) => views.length);
    this.visitOf = Object.fromEntries(this.visits.map((visit) => [visit.id, visit]));
  }
}
export const isView = ({ name }) => name === 'screen_view';
export class Visit {
  constructor(id, events) {
    this.id = id;
    this.events = events.sort((a, b) => a.timestamp - b.timestamp);
    this.views = this.events.filter(isView);
    this.first = this.views[0] ?? this.events[0];
    this.seconds = sum(this.events.filter(({ name, time_on_page }) => name === 'page_exit' && time_on_page > 0), ({ time_on_page }) => time_on_page);
    this.actions = this.events.filter(({ name }) => !['screen_view', 'page_exit'].includes(name)).length;
    this.bounced = this.views.length === 1 && this.seconds < 10 && this.actions === 0;
  }
}

export function groups(list, key) {
  const map = new Map();
  for (const item of list) {
    const name = key(item);
    if (!map.has(name)) map.set(name, []);
    map.get(name).push(item);
  }
  return map;
}
export const sum = (list, value = (item) => item) => list.reduce((total, item) => total + value(item), 0);
export const distinct = (list, value) => new Set(list.map(value).filter((text) => text !== '' && text !== undefined)).size;
export const visitors = (list) => distinct(list, ({ device_id }) => device_id);
export const visitsIn = (list) => distinct(list, ({ session_id }) => session_id);
export function quantile(list, level) {
  if (!list.length) return 0;
  const sorted = [...list].sort((a, b) => a - b), position = (sorted.length - 1) * level, low = Math.floor(position);
  return sorted[low] + (sorted[Math.min(low + 1, sorted.length - 1)] - sorted[low]) * (position - low);
}
export const round = (value, digits = 2) => Math.round((value + Number.EPSILON) * 10 ** digits) / 10 ** digits;
export const rate = (part, whole) => (whole ? round((100 * part) / whole) : 0);
export const mean = (list) => (list.length ? sum(list) / list.length : 0);
export const path = (text) => decodeURIComponent(text.replace(/\/+$/, '') || '/');
