// SPDX-License-Identifier: Apache-2.0
// Who visits, as far as may be known: consent, ids of device, visit and person, and what is kept of them on the device.
import { createStore, uuid, type Store } from './base';
import type { Consent, Settings } from './settings';

const IDLE_MS = 30 * 60_000; // ends a visit
const TOUCH_MS = 5000; // how exactly its last moment is kept

export interface Visit {
  id: string;
  last: number;
  pages: number;
}
export interface Person {
  profile?: string;
  groups?: string[];
}

export interface Visitor {
  store: Store;
  rule(): Consent;
  choose(consent: Consent): void;
  setOptOut(out: boolean): void;
  device(): string | undefined;
  /** The visit of this moment, if it may be known: a new one after half an hour without anything. */
  visit(): Visit | undefined;
  countPage(): void;
  person(): Person;
  setPerson(person: Person): void;
  isSampled(): boolean;
  /** Another person uses this device from now on. */
  forget(): void;
}

export const createVisitor = (settings: Settings): Visitor => {
  const chance = Math.random();
  let chosen = settings.consent ?? 'granted';
  let device: string | undefined;
  let visit: Visit | undefined;
  let person: Person = {};

  // The wish not to be tracked is the one thing that is kept whatever the consent.
  const wishes = createStore('millrace.', () => true);
  const signal = navigator.doNotTrack === '1' || (navigator as any).globalPrivacyControl;
  const rule = (): Consent => {
    const wish = signal ? settings.doNotTrack ?? 'denied' : 'ignore';
    if (chosen === 'denied' || wish === 'denied' || wishes.get('out')) return 'denied';
    return chosen === 'granted' && wish === 'ignore' ? 'granted' : 'cookieless';
  };
  const isGranted = (): boolean => rule() === 'granted';
  const store = createStore(`millrace.${settings.key}.`, isGranted);
  const clean = (): void => {
    if (isGranted()) return;
    store.clear();
    device = visit = undefined;
  };
  clean();

  const visitor: Visitor = {
    store,
    rule,
    choose(next) {
      chosen = next;
      clean();
    },
    setOptOut(out) {
      wishes.set('out', out || undefined);
      clean();
    },
    device() {
      if (!isGranted()) return undefined;
      device = store.get<string>('device') ?? device ?? uuid();
      store.set('device', device);
      return device;
    },
    visit() {
      if (!isGranted()) return undefined;
      const now = Date.now();
      const kept = store.get<Visit>('visit') ?? visit;
      const isNew = !kept || Math.abs(now - kept.last) > IDLE_MS;
      visit = isNew ? { id: uuid(), last: 0, pages: 0 } : kept;
      if (Math.abs(now - visit.last) > TOUCH_MS) {
        visit.last = now;
        store.set('visit', visit);
      }
      return visit;
    },
    countPage() {
      const now = visitor.visit();
      if (now) now.pages++;
      store.set('visit', now);
    },
    person: () => (person = store.get<Person>('person') ?? person),
    setPerson(next) {
      person = next;
      store.set('person', next);
    },
    isSampled() {
      const id = visitor.device();
      return (id ? parseInt(id.slice(0, 8), 16) / 2 ** 32 : chance) < (settings.sample ?? 1);
    },
    forget() {
      device = visit = undefined;
      person = {};
      for (const name of ['device', 'visit', 'person']) store.set(name, undefined);
    },
  };
  return visitor;
};
