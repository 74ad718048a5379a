// SPDX-License-Identifier: Apache-2.0
// The tracker: what a site calls, and what it does by itself.
import { clamp, cut, isHidden, listen, patterns, uuid } from './base';
import { watchErrors } from './errors';
import { loadTimes, watchAddress, watchReading, type Page } from './page';
import { createQueue } from './queue';
import type { Consent, Properties, Settings } from './settings';
import { createVisitor } from './visitor';
import { watchVitals, type Vitals } from './vitals';

export type { Consent, Properties, Settings } from './settings';

declare const SDK_VERSION: string;

const CAMPAIGN = /^(utm_\w+|ref|(g|fb|tt|tw|ms)clk?id|[gw]braid|li_fat_id)$/;
const EXIT_LIMIT_MS = 1000; // less of active time is none

export interface Millrace {
  track(name: string, properties?: Properties): void;
  /** A page view; called by itself unless `pages` is false. */
  page(properties?: Properties): void;
  /** The person from now on. */
  identify(profileId: string, traits?: Properties): void;
  /** Another name the same person was known by. */
  alias(alias: string, profileId?: string): void;
  /** The companies, teams, ... the person acts for from now on, and what is known of the one. */
  group(ids: string | string[], traits?: Properties): void;
  revenue(amount: number, properties?: Properties): void;
  /** Properties of every event of this page load from now on; undefined removes one. */
  setGlobalProperties(properties: Properties): void;
  setConsent(consent: Consent): void;
  optOut(): void;
  optIn(): void;
  /** After a logout: person, visit and device are new ones. */
  reset(): void;
  /** Sends now what waits. */
  flush(): void;
}

export const init = (settings: Settings): Millrace => {
  const server = (settings.server ?? location.origin).replace(/\/+$/, '');
  const visitor = createVisitor(settings);
  const queue = createQueue(`${server}/v1/events?key=${encodeURIComponent(settings.key)}`, visitor.store);
  const masks = patterns(settings.mask);
  const skips = patterns(settings.skip);
  const on = (name: 'pages' | 'vitals' | 'errors' | 'links' | 'clicks' | 'engagement'): boolean => settings[name] !== false;
  let globals: Properties = {};
  let page: Page | undefined; // what was counted last
  let visitOfPage: { session_id?: string; session_start_time?: number; page_count?: number } = {};

  const look = (): Page => {
    const search = new URLSearchParams(location.search);
    if (!settings.query) for (const name of [...search.keys()]) if (!CAMPAIGN.test(name)) search.delete(name);
    const path = masks.find(([expression]) => expression.test(location.pathname))?.[1] ?? location.pathname;
    const query = String(search);
    const hash = settings.hash ? location.hash : '';
    return {
      path: location.pathname,
      state: location.pathname + location.search + hash,
      url: cut(location.origin + path + (query && `?${query}`) + hash, 4000),
      title: cut(document.title, 340),
    };
  };
  const visitFields = (): typeof visitOfPage => {
    if (!visitor.isGranted()) return {};
    const { id, start, pages } = visitor.visit();
    return { session_start_time: start, session_id: id, page_count: clamp(pages, 1000) };
  };

  /** `of`: the page it belongs to, if that is not the one of this moment: then the visit is that page's too. */
  const send = (name: string, fields: Properties, of?: Page): void => {
    const { path, state: _, ...where } = of ?? look();
    if (visitor.consent() === 'denied' || !visitor.isSampled() || skips.some(([expression]) => expression.test(path))) return;
    const { profile, groups } = visitor.person();
    const id = uuid();
    const event: Properties = {
      name, id, timestamp: Date.now(), ...(of ? visitOfPage : visitFields()), ...where,
      device_id: visitor.device(), profile_id: profile, groups,
      screen_resolution: `${screen.width}x${screen.height}`, viewport_size: `${innerWidth}x${innerHeight}`,
      language: navigator.language, timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      connection_type: (navigator as any).connection?.effectiveType,
      sdk_name: 'millrace-web', sdk_version: SDK_VERSION,
      ...fields, properties: { ...globals, ...(fields.properties as Properties) },
    };
    try {
      if (settings.filter?.(event) !== false) queue.add(id, event);
    } catch (error) {
      console.warn('millrace:', error); // a circle in its properties
    }
  };

  const reading = watchReading(() => visitor.isGranted() && visitor.visit());
  const newErrors = on('errors') ? watchErrors((properties) => send('error', { properties })) : () => {};
  let vitals: Vitals | undefined;
  let isLanding = true;

  /** What is known of the page when nobody may see it again. */
  const endPart = (): void => {
    if (!page) return;
    vitals?.end();
    const active = reading.active();
    if (on('engagement') && active >= EXIT_LIMIT_MS) send('engagement', { duration: active, ...reading.exit() }, page);
  };
  const endPage = (): void => {
    endPart();
    if (page && on('pages')) send('page_exit', { ...reading.exit(), ...(isLanding ? loadTimes() : {}) }, page);
    if (page) isLanding = false;
    page = undefined;
  };
  const view = (properties?: Properties): void => {
    const referrer = isLanding && !page ? cut(document.referrer.split(/[?#]/)[0], 4000) : undefined;
    endPage();
    reading.restart();
    newErrors();
    vitals?.restart();
    if (visitor.isGranted()) visitor.countPage();
    page = look();
    visitOfPage = visitFields();
    send('screen_view', { referrer, properties }, page);
  };

  /** Of what may be known. */
  const change = (make: () => void): void => {
    const before = visitor.consent();
    make();
    const after = visitor.consent();
    if (after === before) return;
    if (after === 'denied') queue.clear();
    else if (before === 'denied' && on('pages')) {
      page = undefined; // nobody was told of it
      view();
    } else visitOfPage = visitFields();
  };

  const millrace: Millrace = {
    track: (name, properties) => send(cut(name, 128), { properties }),
    page: view,
    identify(profileId, traits) {
      visitor.setPerson({ ...visitor.person(), profile: cut(profileId, 256) });
      send('identify', { properties: traits });
    },
    alias: (alias, profileId) => send('alias', { profile_id: profileId ?? visitor.person().profile, properties: { alias } }),
    group(ids, traits) {
      visitor.setPerson({ ...visitor.person(), groups: [ids].flat() });
      send('group', { properties: traits });
    },
    revenue: (amount, properties) => send('revenue', { revenue: amount, properties }),
    setGlobalProperties(properties) {
      globals = { ...globals, ...properties };
    },
    setConsent: (consent) => change(() => visitor.setConsent(consent)),
    optOut: () => change(() => visitor.setOptOut(true)),
    optIn: () => change(() => visitor.setOptOut(false)),
    reset() {
      visitor.forget();
      globals = {};
    },
    flush: queue.flush,
  };

  const onClick = ({ target }: Event): void => {
    const element = target instanceof Element ? target : undefined;
    const tracked = on('clicks') && element?.closest<HTMLElement>('[data-track]');
    if (tracked) {
      const { track, ...properties } = tracked.dataset;
      if (track) millrace.track(track, properties);
    }
    const link = on('links') && element?.closest<HTMLAnchorElement>('a[href]');
    if (link && /^https?:$/.test(link.protocol) && link.host !== location.host)
      send('outgoing_link', { properties: { href: cut(link.href, 2000), text: cut(link.textContent?.trim(), 200) } });
  };
  const start = (): void => {
    if (on('pages')) {
      view();
      watchAddress(() => {
        if (look().state !== page?.state) view();
      });
    }
    if (on('vitals'))
      vitals = watchVitals((metric_name, value) =>
        send('web_vital', { properties: { metric_name, metric_value: Math.round(value * 1e4) / 1e4 } }, page));
    listen(document, 'click auxclick', onClick);
    listen(document, 'visibilitychange', () => {
      if (!isHidden()) return;
      endPart();
      queue.leave();
    });
    listen(window, 'pagehide', () => {
      endPage();
      queue.leave();
    });
    listen(window, 'pageshow', ({ persisted }) => {
      if (persisted && on('pages')) view(); // back from the browser's memory
    });
  };
  if ((document as any).prerendering) document.addEventListener('prerenderingchange', start, { once: true });
  else start();
  return millrace;
};
