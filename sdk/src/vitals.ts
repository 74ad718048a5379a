// SPDX-License-Identifier: Apache-2.0
// Web vitals, by the definitions of web.dev: LCP, FCP and TTFB of a load, CLS and INP of each page.
import { isHidden, listen, loading } from './base';

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
  const navigation = loading();
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
  const interactions = new Map<number, number>();
  const takeEvent = ({ interactionId, duration }: any): void => {
    if (interactionId) interactions.set(interactionId, Math.max(interactions.get(interactionId) ?? 0, duration));
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
    const durations = [...interactions.values()].sort((a, b) => b - a);
    if (durations[0] !== undefined) report('INP', durations[Math.floor(durations.length / 50)]!);
  };
  return {
    end,
    restart() {
      drain();
      isFirstPage = isReported = false;
      worst = undefined;
      group = first = last = 0;
      interactions.clear();
    },
  };
};
