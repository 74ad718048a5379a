// SPDX-License-Identifier: Apache-2.0
// Numbers, dates and names for people. Dates are wall-clock values already in the tenant's zone, carried as UTC.
import type { Interval } from './state';

const whole = new Intl.NumberFormat('en');
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

export const number_full = (value: number): string => whole.format(value);
/** Exact as long as it fits a tile, then "1.2M". */
export const number_tile = (value: number): string => (value < 1_000_000 ? whole.format(value) : compact.format(value));
/** All values of an axis alike: exact, or all short when the highest is long. */
export const number_axis = (value: number, highest: number): string => (highest < 10_000 ? whole.format(value) : compact.format(value));

export function percent(part: number, total: number): string {
  if (total <= 0) return '–';
  const value = (100 * part) / total;
  if (value > 0 && value < 0.1) return '<0.1%';
  return `${value >= 10 ? Math.round(value) : Math.round(value * 10) / 10}%`;
}

export interface Change {
  text: string;
  direction: 'up' | 'down' | 'flat' | 'none';
}
export const ARROWS: Record<Change['direction'], string> = { up: '↑ ', down: '↓ ', flat: '', none: '' };

/** How `now` differs from `before`; "new" when there was nothing to compare with. */
export function change(now: number, before: number | undefined): Change {
  if (before === undefined) return { text: '', direction: 'none' };
  if (before === 0) return now === 0 ? { text: '', direction: 'none' } : { text: 'new', direction: 'up' };
  const value = (100 * (now - before)) / before;
  const size = Math.abs(value);
  const digits = size >= 10 || size === 0 ? Math.round(size) : Math.round(size * 10) / 10;
  if (digits === 0) return { text: '0%', direction: 'flat' };
  const text = digits >= 1000 ? `${whole.format(Math.round(now / before))}×` : `${digits}%`;
  return { text, direction: value > 0 ? 'up' : 'down' };
}

/** "2026-11-21T13:00:00+01:00" to its wall clock, as a Date whose UTC fields hold it. */
export function wall_clock(time: string): Date {
  const match = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2}))?/.exec(time);
  if (!match) return new Date(NaN);
  const [year, month, day, hour, minute] = match.slice(1).map((part) => Number(part ?? 0));
  return new Date(Date.UTC(year!, month! - 1, day!, hour!, minute!));
}

function utc(options: Intl.DateTimeFormatOptions): { format: (at: Date) => string } {
  const made = new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', hourCycle: 'h23', ...options });
  return { format: (at) => made.format(at).replace('Sept ', 'Sep ').replace(/Sept$/, 'Sep') };
}
const day_month = utc({ day: 'numeric', month: 'short' });
const day_month_year = utc({ day: 'numeric', month: 'short', year: 'numeric' });
const weekday_day = utc({ weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' });
const month_short = utc({ month: 'short' });
const month_year = utc({ month: 'long', year: 'numeric' });
const clock = utc({ hour: '2-digit', minute: '2-digit' });

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** What stands over the numbers of one bucket. */
export function bucket_title(at: Date, interval: Interval): string {
  if (Number.isNaN(at.getTime())) return '';
  if (interval === 'minute') return `${day_month.format(at)}, ${clock.format(at)}`;
  if (interval === 'hour') return `${day_month.format(at)}, ${clock.format(at)} – ${clock.format(new Date(at.getTime() + HOUR_MS))}`;
  if (interval === 'day') return weekday_day.format(at);
  if (interval === 'week') return range(at, new Date(at.getTime() + 6 * DAY_MS));
  return month_year.format(at);
}

/** What stands under a bucket on the axis; hours show the day where it begins. */
export function bucket_label(at: Date, interval: Interval): string {
  if (Number.isNaN(at.getTime())) return '';
  if (interval === 'minute' || interval === 'hour') {
    return at.getUTCHours() === 0 && at.getUTCMinutes() === 0 ? day_month.format(at) : clock.format(at);
  }
  if (interval === 'month') {
    return at.getUTCMonth() === 0 ? String(at.getUTCFullYear()) : month_short.format(at);
  }
  return day_month.format(at);
}

export function range(from: Date, to: Date): string {
  if (Number.isNaN(from.getTime()) || Number.isNaN(to.getTime())) return '';
  if (from.getTime() === to.getTime()) return weekday_day.format(from);
  const same_year = from.getUTCFullYear() === to.getUTCFullYear();
  return `${(same_year ? day_month : day_month_year).format(from)} – ${day_month_year.format(to)}`;
}

const countries = new Intl.DisplayNames(['en'], { type: 'region', fallback: 'code' });

export function country_name(code: string): string {
  if (!/^[A-Za-z]{2}$/.test(code)) return code;
  try {
    return countries.of(code.toUpperCase()) ?? code;
  } catch {
    return code;
  }
}
