// SPDX-License-Identifier: Apache-2.0
// Serves the built page and a deterministic imitation of the query routes, for working on the page and for its tests.
// Run it: node page_mock.mjs [port]; then sign in with the key it prints.
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Account, MOCK_EMAIL, MOCK_PASSWORD } from './page_mock_account.mjs';

export const MOCK_KEY = 'sk_mock_0123456789abcdef';
const DIST = fileURLToPath(new URL('../../ui/dist/', import.meta.url));
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
};
// The strictest policy the page must live with.
const POLICY = "default-src 'self'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

const MEASURES = ['visitors', 'page_views', 'sessions', 'events'];
const VALUES = {
  path: [['/', 0.31], ['/pricing', 0.17], ['/docs/getting-started', 0.12], ['/blog/why-we-moved-off-batch-pipelines-and-what-it-cost-us', 0.09], ['/features', 0.08], ['/docs/api', 0.06], ['/customers', 0.05], ['/changelog', 0.04], ['/a|b\\c', 0.03], ['/search?q=a,b&x=1:2', 0.02], ['/contact', 0.01]],
  referrer_name: [['Google', 0.34], ['Hacker News', 0.13], ['GitHub', 0.09], ['DuckDuckGo', 0.05], ['Reddit', 0.04], ['X', 0.03], ['LinkedIn', 0.02], ['Bing', 0.02]],
  country: [['DE', 0.24], ['US', 0.22], ['GB', 0.11], ['FR', 0.09], ['IN', 0.08], ['NL', 0.06], ['PL', 0.05], ['SE', 0.04], ['BR', 0.04], ['JP', 0.03], ['CA', 0.02]],
  browser: [['Chrome', 0.52], ['Safari', 0.22], ['Firefox', 0.14], ['Edge', 0.08], ['Samsung Internet', 0.03], ['Opera', 0.01]],
  os: [['Windows', 0.34], ['macOS', 0.25], ['iOS', 0.16], ['Android', 0.15], ['Linux', 0.1]],
  device: [['desktop', 0.66], ['mobile', 0.3], ['tablet', 0.04]],
  name: [['screen_view', 0.68], ['link_out', 0.12], ['signup_started', 0.09], ['signup_completed', 0.06], ['purchase', 0.03], ['<img src=x onerror=alert(1)>', 0.02]],
};
const STEP_MINUTES = { minute: 1, hour: 60, day: 1440 };

/** 0..1 from a text, the same on every machine. */
function noise(text) {
  let hash = 2166136261;
  for (const character of text) hash = Math.imul(hash ^ character.charCodeAt(0), 16777619);
  hash = Math.imul(hash ^ (hash >>> 15), 2246822507);
  return ((hash ^ (hash >>> 13)) >>> 0) / 4294967296;
}

/** A bar or backslash inside a filter's value stands behind a backslash. */
const unescape_value = (text) => text.replace(/\\([\\|])/g, '$1');
const split_values = (text) => (text.match(/(?:\\[\\|]|[^|])+/g) ?? ['']).map(unescape_value);
const wall = (date) => date.toISOString().slice(0, 16);

function now_in(timezone) {
  const parts = Object.fromEntries(
    new Intl.DateTimeFormat('en-US', { timeZone: timezone, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit' })
      .formatToParts(new Date())
      .map(({ type, value }) => [type, value]),
  );
  return `${parts.year}-${parts.month}-${parts.day}T${parts.hour}:${parts.minute}`;
}

function offset_of(timezone, wall_date) {
  const name = new Intl.DateTimeFormat('en', { timeZone: timezone, timeZoneName: 'longOffset' }).formatToParts(wall_date).find(({ type }) => type === 'timeZoneName').value;
  return name === 'GMT' ? '+00:00' : name.slice(3);
}

/** Page views of one hour: quiet nights and weekends, slow growth, a bump now and then. */
function hour_views(date) {
  const hour = date.getUTCHours();
  const weekend = [0, 6].includes(date.getUTCDay()) ? 0.62 : 1;
  const daily = 0.25 + Math.exp(-(((hour - 14.5) / 5.2) ** 2));
  const growth = Math.exp((date.getTime() - Date.UTC(2026, 0, 1)) / (3.2e10));
  const bump = 0.88 + 0.24 * noise(wall(date).slice(0, 10));
  return 46 * weekend * daily * growth * bump * (0.8 + 0.4 * noise(wall(date)));
}

/** Views between two wall clocks, never from the future; `extra` are events sent to the mock itself. */
function views_between(start, end, now, extra) {
  let sum = 0;
  if (end - start < 3_600_000) {
    const hour = new Date(Math.floor(start / 3_600_000) * 3_600_000);
    if (wall(new Date(start)) <= now) sum = (hour_views(hour) / 60) * (0.3 + 1.4 * noise(wall(new Date(start))));
  } else {
    for (let at = start; at < end; at += 3_600_000) {
      const text = wall(new Date(at));
      if (text > now) break;
      const part = text.slice(0, 13) === now.slice(0, 13) ? (Number(now.slice(14, 16)) + 1) / 60 : Math.min(1, (end - at) / 3_600_000);
      sum += hour_views(new Date(at)) * part;
    }
  }
  return { sum, extra: extra.filter((time) => time >= start && time < end).length };
}

function numbers_of({ sum, extra }, share) {
  const page_views = Math.round(sum * share);
  return {
    visitors: Math.round(sum * share * 0.46) + extra,
    page_views: page_views + extra,
    sessions: Math.round(sum * share * 0.55) + extra,
    events: Math.round(sum * share * 1.47) + extra,
  };
}

function series_between(from, to, interval, timezone, share, extra) {
  const now = now_in(timezone);
  const points = [];
  // A date is meant whole; with a time of day it ends then.
  const end = to.includes('T') ? Date.parse(`${to}Z`) : Date.parse(`${to}T00:00Z`) + 86_400_000;
  const first = new Date(`${from}T00:00Z`);
  let at = new Date(first);
  if (interval === 'week') at.setUTCDate(at.getUTCDate() - ((at.getUTCDay() + 6) % 7));
  if (interval === 'month') at.setUTCDate(1);
  while (at.getTime() < end) {
    const next = new Date(at);
    if (interval === 'month') next.setUTCMonth(next.getUTCMonth() + 1);
    else next.setTime(next.getTime() + (interval === 'week' ? 7 * 1440 : STEP_MINUTES[interval]) * 60_000);
    const views = views_between(Math.max(at.getTime(), first.getTime()), Math.min(next.getTime(), end), now, extra);
    points.push({ time: `${wall(at)}:00${offset_of(timezone, at)}`, ...numbers_of(views, share) });
    at = next;
  }
  const totals = Object.fromEntries(MEASURES.map((name) => [name, points.reduce((sum, point) => sum + point[name], 0)]));
  // The measures do not all grow alike.
  totals.sessions = Math.round(totals.sessions * (0.97 + 0.06 * noise(from)));
  totals.events = Math.round(totals.events * (0.9 + 0.2 * noise(`${from} events`)));
  // One visitor comes back on several days: totals are less than the sum of the days.
  totals.visitors = Math.ceil(totals.visitors * (points.length > 1 ? 0.78 : 1));
  return { from: `${from}T00:00:00${offset_of(timezone, first)}`, to: `${wall(new Date(end))}:00${offset_of(timezone, new Date(end))}`, points, totals };
}

class Refusal extends Error {
  constructor(status, code, message, field) {
    super(message);
    Object.assign(this, { status, code, field });
  }
}

export class Mock {
  /** Every query asked, as { path, query: URLSearchParams }. */
  asked = [];
  /** Set to { status, code, message, retry_after } and every query fails so. */
  failure = null;
  /** No data at all. */
  empty = false;
  /** No data before the period asked for. */
  young = false;
  delay_ms = 0;
  events = [];
  /** People, keys and what else is owned. */
  account = new Account();

  async start(port = 0) {
    this.server = createServer((request, response) => {
      this.answer(request, response).catch((error) => {
        response.writeHead(500).end(String(error));
      });
    });
    await new Promise((resolve) => this.server.listen(port, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }
  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
  /** One page view, now. */
  send() {
    this.events.push(Date.now());
  }

  async answer(request, response) {
    const url = new URL(request.url, 'http://mock');
    if (!url.pathname.startsWith('/v1/')) return this.serve(url.pathname, response);
    const json = (status, body, headers = {}) => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(JSON.stringify(body));
    };
    try {
      const owned = await this.account.answer(request, url);
      if (owned) return owned.body === undefined ? response.writeHead(owned.status, owned.headers).end() : json(owned.status, owned.body, owned.headers);
      const session = request.headers.authorization ? undefined : this.account.who(request);
      if (!session && request.headers.authorization !== `Bearer ${MOCK_KEY}`) {
        throw new Refusal(401, 'unauthorized', request.headers.authorization ? 'This key is not known. Check that it was copied whole.' : 'the session has ended');
      }
      const tenant = this.account.tenants.find(({ tenant_id }) => tenant_id === request.headers['millrace-tenant']) ?? this.account.tenants[0];
      if (url.pathname === '/v1/tenant') return json(200, { id: tenant.tenant_id, name: tenant.name });
      this.asked.push({ path: url.pathname, query: url.searchParams });
      if (this.delay_ms) await new Promise((resolve) => setTimeout(resolve, this.delay_ms));
      if (this.failure) throw this.failure;
      if (url.pathname === '/v1/query/timeseries') return json(200, this.timeseries(url.searchParams));
      if (url.pathname === '/v1/query/top') return json(200, this.top(url.searchParams));
      throw new Refusal(404, 'not_found', 'There is nothing at this address.');
    } catch (error) {
      if (!('status' in error)) throw error;
      const { status, code, message, field, retry_after, headers } = error;
      json(status, { error: { code, message, ...(field ? { field } : {}) }, request_id: 'req_mock_7f3a' }, { ...headers, ...(retry_after ? { 'retry-after': String(retry_after) } : {}) });
    }
  }

  /** What part of all visits passes the filters. */
  share(query) {
    let share = this.empty ? 0 : 1;
    for (const text of query.getAll('filter')) {
      const [, dimension, operator, value] = /^([a-z_]+):([a-z_]+):([^]*)$/.exec(text) ?? [];
      if (!VALUES[dimension]) throw new Refusal(400, 'invalid', `There is no dimension of this name: ${text}`, 'filter');
      const wanted = split_values(value);
      const found = VALUES[dimension].reduce((sum, [name, part]) => sum + (wanted.includes(name) ? part : 0), 0);
      share *= operator === 'is_not' ? 1 - found : found;
    }
    return share;
  }

  common(query) {
    const timezone = query.get('timezone') ?? 'UTC';
    const now = Date.parse(`${now_in(timezone)}Z`);
    const from = query.get('from');
    const to = query.get('to');
    if (!/^\d{4}-\d\d-\d\d$/.test(from) || !/^\d{4}-\d\d-\d\d(T\d\d:\d\d:00)?$/.test(to) || from > to) {
      throw new Refusal(400, 'invalid', 'Give from and to as YYYY-MM-DD, from first.', 'from');
    }
    // Events are kept as moments; the series work with wall clocks of the zone.
    const extra = this.events.map((time) => now - Math.floor((Date.now() - time) / 60_000) * 60_000);
    return { from, to, timezone, share: this.share(query), extra: this.empty ? [] : extra };
  }

  timeseries(query) {
    const { from, to, timezone, share, extra } = this.common(query);
    const interval = query.get('interval') ?? 'day';
    const measures = (query.get('measures') ?? '').split(',');
    const only = (numbers) => Object.fromEntries(Object.entries(numbers).filter(([name]) => name === 'time' || measures.includes(name)));
    const trim = (series) => ({ ...series, points: series.points.map(only), totals: only(series.totals) });
    const answer = { interval, timezone, ...trim(series_between(from, to, interval, timezone, share, extra)) };
    if (query.get('compare') === 'previous') {
      const days = Math.round((Date.parse(to) - Date.parse(from)) / 86_400_000) + 1;
      const shift = (date) => new Date(Date.parse(date) - days * 86_400_000).toISOString().slice(0, 10);
      answer.previous = trim(series_between(shift(from), shift(to), interval, timezone, this.young ? 0 : share, []));
    }
    return answer;
  }

  top(query) {
    const { from, to, timezone, share, extra } = this.common(query);
    const dimension = query.get('dimension');
    if (!VALUES[dimension]) throw new Refusal(400, 'invalid', 'There is no dimension of this name.', 'dimension');
    const measures = query.get('measures').split(',');
    const { totals } = series_between(from, to, 'day', timezone, share, []);
    const picked = query.getAll('filter').filter((text) => text.startsWith(`${dimension}:is:`)).flatMap((text) => split_values(text.slice(dimension.length + 4)));
    const held = VALUES[dimension].reduce((sum, [value, part]) => sum + (picked.includes(value) ? part : 0), 0);
    const rows = VALUES[dimension]
      .filter(([value]) => picked.length === 0 || picked.includes(value))
      .map(([value, part], index) => {
        // Held to some values, all of the (already filtered) total is divided among them.
        const factor = part / (picked.length > 0 ? held : 1);
        return { value, ...Object.fromEntries(measures.map((name) => [name, Math.round(totals[name] * factor) + (index === 0 ? extra.length : 0)])) };
      })
      .filter((row) => row[measures[0]] > 0)
      .sort((a, b) => b[measures[0]] - a[measures[0]])
      .slice(0, Number(query.get('limit') ?? 10));
    const factor = picked.length > 0 || this.empty ? 1 : VALUES[dimension].reduce((sum, [, part]) => sum + part, 0);
    return { dimension: { name: dimension, title: dimension }, rows, totals: Object.fromEntries(measures.map((name) => [name, Math.round(totals[name] * factor) + extra.length])) };
  }

  async serve(path, response) {
    const file = join(DIST, normalize(path === '/' ? '/index.html' : path));
    try {
      if (!file.startsWith(DIST)) throw new Error('outside');
      const body = await readFile(file);
      response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream', 'content-security-policy': POLICY });
      response.end(body);
    } catch {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('Nothing here. Is the page built? (cd ui && npm ci && npm run build)\n');
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const mock = await new Mock().start(Number(process.argv[2] ?? 8090));
  console.log(`${mock.url}/#key=${MOCK_KEY}\nor sign in as ${MOCK_EMAIL} with "${MOCK_PASSWORD}"`);
}
