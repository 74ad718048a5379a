// SPDX-License-Identifier: Apache-2.0
// Web vitals, by the definitions of web.dev: LCP, FCP and TTFB of a load, CLS and INP of each page.
import { isHidden, listen } from './base';

type Report = (name: string, value: number) => void;

export interface Vitals {
  /** Reports what is known of the page, once: when it is hidden for the first time or left. */
  end(): void;
  /** Another page begins. */
  restart(): void;
}

export const watchVitals = (report: Report): Vitals => {
  const drains: (() => void)[] = [];
  let hiddenAt = isHidden() ? 0 : Infinity;
  const navigation = performance.getEntriesByType('navigation')[0] as any;
  // A page may be loaded before anybody wants it.
  const since = (time: number): number => Math.max(time - (navigation?.activationStart ?? 0), 0);
  listen(document, 'visibilitychange', ({ timeStamp }) => {
    if (isHidden()) hiddenAt = Math.min(hiddenAt, timeStamp);
  });

  const observe = (type: string, take: (entry: any) => void, options = {}): void => {
    try {
      const observer = new PerformanceObserver((list) => list.getEntries().forEach(take));
      observer.observe({ type, buffered: true, ...options } as PerformanceObserverInit);
      drains.push(() => observer.takeRecords().forEach(take));
    } catch {
      // a browser without it
    }
  };

  if (navigation?.responseStart > 0) report('TTFB', since(navigation.responseStart));
  observe('paint', ({ name, startTime }) => {
    if (name === 'first-contentful-paint' && startTime < hiddenAt) report('FCP', since(startTime));
  });

  let largest: number | undefined;
  let isFirstPage = true;
  let isReported = false;
  observe('largest-contentful-paint', ({ startTime }) => {
    if (startTime < hiddenAt) largest = since(startTime);
  });

  // The worst group of shifts: at most a second between two of them, five seconds in all.
  let worst: number | undefined;
  let group = 0;
  let first = 0;
  let last = 0;
  observe('layout-shift', ({ hadRecentInput, startTime, value }) => {
    if (hadRecentInput) return;
    if (startTime - last > 1000 || startTime - first > 5000) {
      group = 0;
      first = startTime;
    }
    last = startTime;
    group += value;
    worst = Math.max(worst ?? 0, group);
  });

  // The slowest interaction, without one in fifty. One interaction has several events.
  const slowest = new Map<number, number>();
  const seen = new Set<number>();
  const takeEvent = ({ interactionId, duration }: any): void => {
    if (!interactionId) return;
    seen.add(interactionId);
    slowest.set(interactionId, Math.max(slowest.get(interactionId) ?? 0, duration));
    if (slowest.size > 10) slowest.delete([...slowest].sort((a, b) => a[1] - b[1])[0]![0]);
  };
  observe('event', takeEvent, { durationThreshold: 16 });
  observe('first-input', takeEvent);

  const drain = (): void => drains.forEach((take) => take());
  const end = (): void => {
    if (isReported) return;
    isReported = true;
    drain();
    if (isFirstPage && largest !== undefined) report('LCP', largest);
    if (worst !== undefined || isFirstPage) report('CLS', worst ?? 0);
    const durations = [...slowest.values()].sort((a, b) => b - a);
    const slow = durations[Math.min(durations.length - 1, Math.floor(seen.size / 50))];
    if (slow !== undefined) report('INP', slow);
  };
  return {
    end,
    restart() {
      drain();
      isFirstPage = isReported = false;
      worst = undefined;
      group = first = last = 0;
      slowest.clear();
      seen.clear();
    },
  };
};
