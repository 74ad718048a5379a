// SPDX-License-Identifier: Apache-2.0
// The page that is seen: its address, how long, how far and how actively; and when it becomes another one.
import { clamp, isHidden, listen } from './base';

const SETTLE_MS = 50; // after a change of the address, for the title to follow
const SCROLL_PAUSE_MS = 1000; // scrolling on after it is another interaction

export interface Page {
  path: string;  // as it is
  state: string; // another one is another page
  url: string;   // as it is sent
  title: string;
}

export interface Reading {
  /** Of the page: seconds, percent, number. */
  exit(): { time_on_page: number; scroll_depth: number; interaction_count: number };
  /** Seconds visible and focused since it was asked before. */
  active(): number;
  restart(): void;
}

export const watchReading = (touched: () => void): Reading => {
  let begun = 0;
  let depth = 0;
  let interactions = 0;
  let lastScroll = -Infinity;
  let active = 0;
  let activeSince: number | undefined;

  const look = (): void => {
    const height = document.documentElement.scrollHeight;
    depth = Math.max(depth, height ? clamp(((scrollY + innerHeight) / height) * 100, 100) : 0);
  };
  const measure = (): void => {
    const now = performance.now();
    if (activeSince !== undefined) active += now - activeSince;
    activeSince = !isHidden() && document.hasFocus() ? now : undefined;
  };
  listen(window, 'click keydown', () => {
    interactions++;
    touched();
  });
  listen(document, 'scroll', () => {
    const now = performance.now();
    if (now - lastScroll > SCROLL_PAUSE_MS) {
      interactions++;
      touched();
    }
    lastScroll = now;
    look();
  });
  listen(window, 'focus blur', measure);
  listen(document, 'visibilitychange', measure);

  const reading: Reading = {
    exit() {
      look();
      return {
        time_on_page: clamp(Math.round((performance.now() - begun) / 100) / 10, 86_400),
        scroll_depth: Math.round(depth),
        interaction_count: clamp(interactions, 10_000),
      };
    },
    active() {
      measure();
      const total = Math.round(active / 100) / 10;
      active = 0;
      return total;
    },
    restart() {
      begun = performance.now();
      depth = interactions = 0;
      lastScroll = -Infinity;
      reading.active();
    },
  };
  reading.restart();
  return reading;
};

/** Calls back after the address changed, whoever changed it. */
export const watchAddress = (changed: () => void): void => {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const soon = (): void => {
    clearTimeout(timer);
    timer = setTimeout(changed, SETTLE_MS);
  };
  const navigation = (window as any).navigation;
  if (navigation) {
    listen(navigation, 'currententrychange', soon);
    return;
  }
  listen(window, 'popstate hashchange', soon);
  for (const name of ['pushState', 'replaceState'] as const) {
    const original = history[name];
    history[name] = function (...words) {
      original.apply(this, words);
      soon();
    };
  }
};
