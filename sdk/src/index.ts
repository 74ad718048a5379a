// SPDX-License-Identifier: Apache-2.0
// The tracker: what a site calls, and what it does by itself.
import { clamp, cut, isHidden, listen, loading, patterns, uuid } from './base';
import { watchErrors } from './errors';
import { watchAddress, watchReading, type Page } from './page';
import { createQueue } from './queue';
import type { Consent, Properties, Settings } from './settings';
import { createVisitor, type Visit } from './visitor';
import { watchVitals, type Vitals } from './vitals';

export type { Consent, Properties, Settings } from './settings';

declare const SDK_VERSION: string;

const CAMPAIGN = /^(utm_\w+|ref|(g|fb|tt|tw|ms)clk?id|[gw]braid|li_fat_id)$/;

export interface AboutPerson {
  first_name?: string;
  last_name?: string;
  email?: string;
  avatar?: string;
  properties?: Properties;
}
export interface AboutGroup {
  /** Default: its id. */
  name?: string;
  /** company, team, ...; default: group. */
  group_type?: string;
  properties?: Properties;
}

export interface Millrace {
  track(name: string, properties?: Properties): void;
  /** A page view; called by itself unless `pages` is false. */
  page(properties?: Properties): void;
  /** The person from now on, and what is known of him. */
  identify(profileId: string, about?: AboutPerson): void;
  /** Another id of the same person; without `profileId` of who was identified. */
  alias(alias: string, profileId?: string): void;
  /** The companies, teams, ... the person acts for from now on, and what is known of the first. */
  group(ids: string | string[], about?: AboutGroup): void;
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
  let visitOfPage: Visit | undefined;

  const maskPath = (path: string): string => masks.find(([expression]) => expression.test(path))?.[1] ?? path;
  const look = (): Page => {
    const search = new URLSearchParams(location.search);
    if (!settings.query) for (const name of [...search.keys()]) if (!CAMPAIGN.test(name)) search.delete(name);
    const path = maskPath(location.pathname);
    const query = String(search);
    const hash = settings.hash ? location.hash : '';
    return {
      path: location.pathname,
      state: location.pathname + location.search + hash,
      url: cut(location.origin + path + (query && `?${query}`) + hash, 4000),
      title: cut(document.title, 340),
    };
  };
  const pagesOf = (visit?: Visit): number | undefined => visit && clamp(visit.pages, 1000);

  const post = (item: Properties, path = location.pathname): void => {
    if (visitor.rule() === 'denied' || !visitor.isSampled() || skips.some(([expression]) => expression.test(path))) return;
    try {
      if (settings.filter?.(item) !== false) queue.enter(item);
    } catch (error) {
      console.warn('millrace:', error); // a circle in its properties
    }
  };
  /** `of`: the page it belongs to, if that is not the one of this moment: then the visit is that page's too. */
  const common = (of: Page | undefined): Properties => ({
    id: uuid(), timestamp: Date.now(), url: (of ?? look()).url,
    device_id: visitor.device(), session_id: (of ? visitOfPage : visitor.visit())?.id, profile_id: visitor.person().profile,
  });
  const send = (name: string, fields: Properties, of?: Page): void =>
    post({
      ...common(of), name, page_count: pagesOf(of ? visitOfPage : visitor.visit()), title: (of ?? look()).title, groups: visitor.person().groups,
      screen_resolution: `${screen.width}x${screen.height}`, viewport_size: `${innerWidth}x${innerHeight}`,
      language: navigator.language, timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      connection_type: (navigator as any).connection?.effectiveType, sdk_name: 'millrace-web', sdk_version: SDK_VERSION,
      ...fields, properties: { ...globals, ...(fields.properties as Properties) },
    }, of?.path);
  /** What is no event of the visit, but about the page. */
  const report = (type: string, fields: Properties, of?: Page): void => post({ ...common(of), type, ...fields }, of?.path);

  const reading = watchReading(visitor.visit);
  const newErrors = on('errors') ? watchErrors((error) => report('error', error), maskPath) : () => {};
  let vitals: Vitals | undefined;
  let isLanding = true;

  /** What is known of the page when nobody may see it again. */
  const endPart = (exit_type: string): void => {
    if (!page) return;
    vitals?.end();
    const active = reading.active();
    const { time_on_page, scroll_depth, interaction_count } = reading.exit();
    if (on('engagement') && active > 0)
      report('engagement', { exit_type, active_time: active, time_on_page, max_scroll_depth: scroll_depth, interaction_count, page_index: pagesOf(visitOfPage) }, page);
  };
  const endPage = (exit_type: string): void => {
    if (!page) return;
    endPart(exit_type);
    if (on('pages')) send('page_exit', { ...reading.exit(), load_time: isLanding ? clamp(Math.round(loading()?.loadEventEnd), 60_000) : undefined }, page);
    isLanding = false;
    page = undefined;
  };
  const view = (properties?: Properties): void => {
    const referrer = isLanding && !page ? cut(document.referrer.split(/[?#]/)[0], 4000) : undefined;
    endPage('spa');
    reading.restart();
    newErrors();
    vitals?.restart();
    visitor.countPage();
    page = look();
    visitOfPage = visitor.visit();
    send('screen_view', { referrer, properties }, page);
  };

  /** Of what may be known. */
  const change = (make: () => void): void => {
    const before = visitor.rule();
    make();
    const after = visitor.rule();
    if (after === before) return;
    if (after === 'denied') queue.empty();
    else if (before === 'denied' && on('pages')) {
      page = undefined; // nobody was told of it
      view();
    } else visitOfPage = visitor.visit();
  };

  const millrace: Millrace = {
    track: (name, properties) => send(cut(name, 128), { properties }),
    page: view,
    identify(profileId, about) {
      const profile = cut(profileId, 256);
      visitor.setPerson({ ...visitor.person(), profile });
      post({ ...about, type: 'identify', profile_id: profile });
    },
    alias: (alias, profileId) => post({ type: 'alias', profile_id: profileId ?? visitor.person().profile, alias }),
    group(ids, about) {
      const { profile } = visitor.person();
      const groups = [ids].flat();
      const [id] = groups;
      visitor.setPerson({ profile, groups });
      if (profile) post({ type: 'assign_group', profile_id: profile, groups });
      if (about) post({ group_type: 'group', name: id, ...about, type: 'group', group_id: id });
    },
    revenue: (amount, properties) => send('revenue', { revenue: amount, properties }),
    setGlobalProperties(properties) {
      globals = { ...globals, ...properties };
    },
    setConsent: (consent) => change(() => visitor.choose(consent)),
    optOut: () => change(() => visitor.setOptOut(true)),
    optIn: () => change(() => visitor.setOptOut(false)),
    reset() {
      visitor.forget();
      globals = {};
    },
    flush: queue.flush,
  };

  const onClick = ({ target }: { target: Partial<Element> }): void => { // the document is no element
    const tracked = on('clicks') && target.closest?.<HTMLElement>('[data-track]');
    if (tracked) {
      const { track, ...properties } = tracked.dataset;
      if (track) millrace.track(track, properties);
    }
    const link = on('links') && target.closest?.<HTMLAnchorElement>('a[href]');
    if (link && /^https?:$/.test(link.protocol) && link.host !== location.host)
      report('outgoing_link', { href: cut(link.href, 2000), text: cut(link.textContent?.trim(), 200) });
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
        report('vital', { metric_name, metric_value: clamp(Math.round(value * 1e4) / 1e4, 300_000) }, page));
    listen(document, 'click auxclick', onClick);
    listen(document, 'visibilitychange', () => {
      if (!isHidden()) return;
      endPart('hidden');
      queue.leave();
    });
    listen(window, 'pagehide', () => {
      endPage('unload');
      queue.leave();
    });
    listen(window, 'pageshow', ({ persisted }) => {
      if (persisted && on('pages')) view(); // back from the browser's memory
    });
  };
  if ((document as any).prerendering) listen(document, 'prerenderingchange', start);
  else start();
  return millrace;
};
