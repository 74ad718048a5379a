// SPDX-License-Identifier: Apache-2.0
// Events on their way to the server. Each has an id of its own, so sending one again is harmless: what is not known to have
// arrived is kept, on the device where that is allowed, and sent again.
import { listen, uuid, type Store } from './base';

const CHUNK_BYTES = 60 << 10; // browsers let 64 KiB be under way while a page goes away
const CHUNK_ITEMS = 100;
const QUEUE_CHARACTERS = 256 << 10; // of a page that stays offline; the oldest go first
const WAIT_MS = 1000; // for others that join
const RETRY_MS = 500;
const RETRY_LIMIT_MS = 300_000;
const KEPT_MS = 86_400_000; // the server remembers ids for a day: what is older could be stored twice

const OWN_TIME = /"timestamp":\d+,/; // as index.ts writes it, before anything of the site's

interface Item {
  id: string;
  at: number;
  text: string;
}

export interface Queue {
  enter(item: Record<string, unknown>): void;
  flush(): void;
  /** The page may go away now. */
  leave(): void;
  /** Forgets what waits. */
  empty(): void;
}

/* JSON.stringify writes halves of surrogate pairs, which a site may have cut in two, as escapes that no JSON parser likes. */
const write = (value: unknown): string => JSON.stringify(value).replace(/\\ud[89a-f]\w\w/g, '\\ufffd');
const isOffline = (): boolean => !navigator.onLine;
const size = (text: string): number => new Blob([text]).size;
const bodyOf = (items: Item[]): string => `[${items.map((item) => item.text)}]`;

export const createQueue = (url: string, store: Store): Queue => {
  let waiting: Item[] = [];
  let flying: Item[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;
  let stopped = false;
  let clockIsWrong = false;

  const stored = (): Item[] => {
    const items = store.get<Item[]>('queue');
    return Array.isArray(items) ? items.filter((item) => item?.at > Date.now() - KEPT_MS) : [];
  };
  const bound = (items: Item[]): Item[] => {
    let total = 0;
    return items.reverse().filter((item) => (total += item.text.length) <= QUEUE_CHARACTERS).reverse();
  };
  /** Takes these off what is on the device, which other tabs write too, and adds those. */
  const save = (gone: Item[], more: Item[] = []): void => {
    const before = stored();
    const after = bound([...before.filter(({ id }) => !gone.some((item) => item.id === id)), ...more]);
    if (before[0] || after[0]) store.set('queue', after[0] && after);
  };
  const keep = (items: Item[]): void => save(items, items);

  const take = (): Item[] => {
    let bytes = 2;
    let count = 0;
    while (count < waiting.length && count < CHUNK_ITEMS && (bytes += size(waiting[count]!.text) + 1) <= CHUNK_BYTES) count++;
    return waiting.splice(0, count);
  };
  const unschedule = (): void => {
    clearTimeout(timer);
    timer = undefined;
  };
  const schedule = (ms: number): void => {
    timer ??= setTimeout(flush, ms);
  };

  const again = (items: Item[]): void => {
    waiting = [...items, ...waiting];
    flying = [];
    keep(waiting);
    unschedule();
    schedule(Math.min(RETRY_MS * 2 ** failures++, RETRY_LIMIT_MS) * (0.75 + Math.random() / 2));
  };
  /** A device's clock may be far ahead: the server refuses such times, and its own are better then. */
  const withoutTime = (item: Item): Item => ({ ...item, text: item.text.replace(OWN_TIME, '') });
  const arrived = (items: Item[], status: number, answer: any): void => {
    flying = [];
    failures = 0;
    save(items);
    if (status === 401 || status === 403) {
      stopped = true;
      waiting = [];
      console.warn('millrace: key refused', status);
    }
    const late = clockIsWrong ? [] : (answer?.errors ?? []).filter(({ field }: any) => field === 'timestamp');
    if (late.length) {
      clockIsWrong = true;
      waiting = [...late.map(({ item }: any) => items[item]), ...waiting].map(withoutTime);
    }
    if (waiting.length) schedule(0);
  };

  const send = async (items: Item[]): Promise<void> => {
    let status = 0;
    let answer: any;
    try {
      // Other requests of the page may have used up what may be under way while it goes away: then without.
      const response = await fetch(url, { method: 'POST', body: bodyOf(items), keepalive: !failures, credentials: 'omit' });
      status = response.status;
      if (status === 200 || status === 400) answer = await response.json();
    } catch {
      // no answer, or none that says more
    }
    if (flying !== items) return; // forgotten meanwhile
    if (!status || status > 499 || [408, 425, 429].includes(status)) again(items);
    else arrived(items, status, answer);
  };
  const flush = (): void => {
    unschedule();
    if (flying[0] || !waiting[0] || isOffline()) return;
    flying = take();
    void send(flying);
  };

  const queue: Queue = {
    enter(value) {
      const text = write(value);
      if (stopped || size(text) > CHUNK_BYTES - 4) return;
      let item: Item = { id: uuid(), at: Date.now(), text };
      if (clockIsWrong) item = withoutTime(item);
      waiting = bound([...waiting, item]);
      if (failures || isOffline()) keep(waiting);
      schedule(WAIT_MS);
    },
    flush,
    leave() {
      // Nobody learns what becomes of a beacon: after a failure the events stay, here and on the device.
      const before = [...waiting];
      while (waiting[0] && !isOffline()) {
        const items = take();
        if (navigator.sendBeacon(url, bodyOf(items))) continue;
        waiting = [...items, ...waiting];
        break;
      }
      if (failures) waiting = before;
      if (flying[0] || waiting[0]) keep([...flying, ...waiting]);
    },
    empty() {
      waiting = [];
      flying = [];
      unschedule();
    },
  };
  waiting = stored();
  if (waiting[0]) schedule(0);
  listen(window, 'online', () => {
    failures = 0;
    flush();
  });
  return queue;
};
