// SPDX-License-Identifier: Apache-2.0
// Errors of the page's scripts; not those of extensions, and none again and again.
import { clamp, cut, listen } from './base';
import type { Properties } from './settings';

const PAGE_LIMIT = 20; // different ones of one page
const NOISE = /^Script error\.?$|ResizeObserver loop/;

/* Addresses of people, and ids: 16 and more of the digits up to f, numbers of 6 and more. */
const SECRET = /[^\s@/"'<(]+(@|%40)[\w-]+\.[\w.-]+|[\da-f-]{16,}|\d{6,}/gi;
/* Host, path, and what follows it up to a line's number. */
const ADDRESS = /(:\/\/[^\s/]+)?(\/[^\s?#:)]*)([?#][^\s)]*?(?=(:\d+)*([\s)]|$)))?/g;

const place = (number?: number): number | undefined => number && clamp(number, 100_000);

/** Returns what begins a new page. */
export const watchErrors = (report: (error: Properties) => void, maskPath: (path: string) => string): (() => void) => {
  const seen = new Set<string>();
  /** As the page's own address is sent: without query, the path as its pattern. */
  const mask = (text: unknown, limit: number): string =>
    cut(String(text ?? '').replace(ADDRESS, (_, host = '', path) => host + maskPath(path)).replace(SECRET, '*'), limit);
  const take = (message: unknown, cause: any, event: Partial<ErrorEvent>): void => {
    const text = mask(message, 600);
    const stack = mask(cause?.stack, 2700);
    const key = `${text}${event.filename}${event.lineno}`;
    if (NOISE.test(text) || /-extension:\/\//.test(`${event.filename}${stack}`) || seen.has(key) || seen.size >= PAGE_LIMIT) return;
    seen.add(key);
    report({ message: text, filename: mask(event.filename, 500), lineno: place(event.lineno), colno: place(event.colno), stack, error_type: cut(cause?.name || 'Error', 40) });
  };
  listen(window, 'error', (event) => {
    if (event.message) take(event.message, event.error, event); // an image that does not load has none
  });
  listen(window, 'unhandledrejection', ({ reason }) => take(reason?.message ?? reason, reason, {}));
  return () => seen.clear();
};
