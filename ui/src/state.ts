// SPDX-License-Identifier: Apache-2.0
// What the page shows: held in one value, written to the address so that a link shows the same. Never the key.
import type { Measure } from './api';

export type Interval = 'minute' | 'hour' | 'day' | 'week' | 'month';
export type Period = 'today' | '7d' | '30d' | '90d' | '12m' | 'custom';

export interface Filter {
  dimension: string;
  operator: string;
  /** Any of them. */
  values: string[];
}
export interface View {
  period: Period;
  /** Dates as YYYY-MM-DD, both included; only for the custom period. */
  from: string;
  to: string;
  /** Null: what suits the period. */
  interval: Interval | null;
  timezone: string;
  filters: Filter[];
  measures: Measure[];
  tab: string;
}

export const MEASURES: { name: Measure; title: string }[] = [
  { name: 'visitors', title: 'Visitors' },
  { name: 'page_views', title: 'Page views' },
  { name: 'sessions', title: 'Sessions' },
  { name: 'events', title: 'Events' },
];

export interface Dimension {
  name: string;
  /** The tab, the filter chip, and what stands for a missing value. */
  title: string;
  singular: string;
  missing: string;
}
export const DIMENSIONS: Dimension[] = [
  { name: 'path', title: 'Pages', singular: 'Page', missing: '(no page)' },
  { name: 'referrer_name', title: 'Referrers', singular: 'Referrer', missing: 'Direct / none' },
  { name: 'country', title: 'Countries', singular: 'Country', missing: 'Unknown' },
  { name: 'browser', title: 'Browsers', singular: 'Browser', missing: 'Unknown' },
  { name: 'os', title: 'OS', singular: 'OS', missing: 'Unknown' },
  { name: 'device', title: 'Devices', singular: 'Device', missing: 'Unknown' },
  { name: 'name', title: 'Events', singular: 'Event', missing: '(no name)' },
];
export const dimension_of = (name: string): Dimension =>
  DIMENSIONS.find((dimension) => dimension.name === name) ?? { name, title: name, singular: name, missing: 'Unknown' };

export const PERIODS: { name: Period; title: string; long: string }[] = [
  { name: 'today', title: 'Today', long: 'Today' },
  { name: '7d', title: '7D', long: 'Last 7 days' },
  { name: '30d', title: '30D', long: 'Last 30 days' },
  { name: '90d', title: '90D', long: 'Last 90 days' },
  { name: '12m', title: '12M', long: 'Last 12 months' },
];

export const OPERATORS: Record<string, string> = {
  is: 'is',
  is_not: 'is not',
  contains: 'contains',
  not_contains: 'does not contain',
  starts_with: 'starts with',
};

export const INTERVALS: { name: Interval; title: string; minutes: number }[] = [
  { name: 'minute', title: 'Minutes', minutes: 1 },
  { name: 'hour', title: 'Hours', minutes: 60 },
  { name: 'day', title: 'Days', minutes: 1440 },
  { name: 'week', title: 'Weeks', minutes: 10_080 },
  { name: 'month', title: 'Months', minutes: 43_200 },
];
const POINTS_MAX = 1500; // More points than pixels is not a chart, and the server refuses 5000.

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const date_utc = (date: string): Date => new Date(`${date}T00:00:00Z`);
const date_text = (date: Date): string => date.toISOString().slice(0, 10);
export const date_valid = (date: string): boolean => DATE.test(date) && !Number.isNaN(date_utc(date).getTime());

export function date_add(date: string, days: number): string {
  const moved = date_utc(date);
  moved.setUTCDate(moved.getUTCDate() + days);
  return date_text(moved);
}

/** The wall clock of `now` in a zone as "YYYY-MM-DDTHH:MM". */
export function now_in(timezone: string, now = new Date()): string {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone: timezone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
  }).formatToParts(now);
  const part = (type: string): string => parts.find((entry) => entry.type === type)?.value ?? '';
  return `${part('year')}-${part('month')}-${part('day')}T${part('hour')}:${part('minute')}`;
}

/** The dates a view covers, both included. */
export function view_range(view: View, now = new Date()): { from: string; to: string } {
  if (view.period === 'custom') return { from: view.from, to: view.to };
  const to = now_in(view.timezone, now).slice(0, 10);
  if (view.period === 'today') return { from: to, to };
  if (view.period === '12m') {
    const first = date_utc(`${to.slice(0, 7)}-01`);
    first.setUTCMonth(first.getUTCMonth() - 11);
    return { from: date_text(first), to };
  }
  return { from: date_add(to, 1 - parseInt(view.period, 10)), to };
}

export const range_days = (range: { from: string; to: string }): number =>
  Math.round((date_utc(range.to).getTime() - date_utc(range.from).getTime()) / 86_400_000) + 1;

/** Intervals that make a readable chart of so many days. */
export function intervals_for(days: number): Interval[] {
  const usable = INTERVALS.filter(({ minutes }) => {
    const points = (days * 1440) / minutes;
    return points <= POINTS_MAX && points >= 2;
  }).map(({ name }) => name);
  return usable.length > 0 ? usable : ['month'];
}

export function interval_of(view: View): Interval {
  const days = range_days(view_range(view));
  const usable = intervals_for(days);
  if (view.interval && usable.includes(view.interval)) return view.interval;
  const suits: Interval = days <= 2 ? 'hour' : days <= 92 ? 'day' : days <= 184 ? 'week' : 'month';
  return usable.includes(suits) ? suits : usable[usable.length - 1]!;
}

export function timezone_valid(timezone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: timezone });
    return timezone.length > 0;
  } catch {
    return false;
  }
}

export const timezone_here = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';

export function timezones(selected: string): string[] {
  const known = typeof Intl.supportedValuesOf === 'function' ? Intl.supportedValuesOf('timeZone') : [];
  return [...new Set(['UTC', ...known, timezone_here(), selected])].sort((a, b) => (a === 'UTC' ? -1 : b === 'UTC' ? 1 : a < b ? -1 : 1));
}

/** As the server reads it: "country:is:DE|AT"; a bar or backslash inside a value is written behind a backslash. */
export const filter_text = ({ dimension, operator, values }: Filter): string =>
  `${dimension}:${operator}:${values.map((value) => value.replace(/[\\|]/g, '\\$&')).join('|')}`;

export function filter_parse(text: string): Filter | null {
  const match = /^([a-z0-9_]+):([a-z_]+):([^]*)$/.exec(text);
  if (!match) return null;
  const values = [''];
  for (const piece of match[3]!.match(/\\[\\|]|[^]/gu) ?? []) {
    if (piece === '|') values.push('');
    else values[values.length - 1] += piece.length === 2 && piece[0] === '\\' ? piece[1]! : piece;
  }
  return { dimension: match[1]!, operator: match[2]!, values };
}

/** The one value a dimension is held to by clicking a row; undefined when it is not. */
export const filter_picked = (view: View, dimension: string): string | undefined =>
  view.filters.find((filter) => filter.dimension === dimension && filter.operator === 'is' && filter.values.length === 1)?.values[0];

/** Reads an address; whatever is wrong in it falls back to the default. */
export function view_parse(search: string): View {
  const parameters = new URLSearchParams(search);
  const timezone = parameters.get('timezone') ?? '';
  const from = parameters.get('from') ?? '';
  const to = parameters.get('to') ?? '';
  const period = parameters.get('period') as Period | null;
  const custom = date_valid(from) && date_valid(to) && from <= to;
  const known = PERIODS.some(({ name }) => name === period);
  const interval = parameters.get('interval') as Interval | null;
  const wanted = (parameters.get('measures') ?? '').split(',');
  const measures = MEASURES.map(({ name }) => name).filter((name) => wanted.includes(name));
  const tab = parameters.get('tab') ?? '';
  return {
    period: custom ? 'custom' : known ? period! : '30d',
    from: custom ? from : '',
    to: custom ? to : '',
    interval: INTERVALS.some(({ name }) => name === interval) ? interval : null,
    timezone: timezone_valid(timezone) ? timezone : timezone_here(),
    filters: parameters
      .getAll('filter')
      .map(filter_parse)
      .filter((filter): filter is Filter => filter !== null),
    measures: measures.length > 0 ? measures : ['visitors', 'page_views'],
    tab: DIMENSIONS.some(({ name }) => name === tab) ? tab : 'country',
  };
}

/** The address of a view: "?period=7d&timezone=Europe%2FBerlin". */
export function view_format(view: View): string {
  const parameters = new URLSearchParams();
  if (view.period === 'custom') {
    parameters.set('from', view.from);
    parameters.set('to', view.to);
  } else parameters.set('period', view.period);
  if (view.interval) parameters.set('interval', view.interval);
  parameters.set('timezone', view.timezone);
  if (view.measures.join() !== 'visitors,page_views') parameters.set('measures', view.measures.join());
  if (view.tab !== 'country') parameters.set('tab', view.tab);
  for (const filter of view.filters) parameters.append('filter', filter_text(filter));
  return `?${parameters}`;
}

/**
 * The part of the previous period that had passed by this time of day, for comparing a day that is still running with
 * as much of the day before; null when the period is over, or so long that the difference is none.
 */
export function view_before(view: View, now = new Date()): { from: string; to: string } | null {
  const { from, to } = view_range(view, now);
  const clock = now_in(view.timezone, now);
  const interval = interval_of(view);
  const length = range_days({ from, to });
  if (to !== clock.slice(0, 10) || length > 92 || interval === 'month') return null;
  // Weeks are compared with whole weeks before, as the server does for the lines.
  const days = interval === 'week' ? 7 * Math.ceil(length / 7) : length;
  return { from: date_add(from, -days), to: `${date_add(to, -days)}${clock.slice(10)}:00` };
}

/** What every question of a view carries. */
export function view_question(view: View): URLSearchParams {
  const { from, to } = view_range(view);
  const parameters = new URLSearchParams({ from, to, timezone: view.timezone });
  for (const filter of view.filters) parameters.append('filter', filter_text(filter));
  return parameters;
}
