// SPDX-License-Identifier: Apache-2.0
// Small things the other parts have in common.

/** The name of an object URL ends in a random UUID, in every browser; crypto.randomUUID is there for https alone. */
export const uuid = (): string => {
  const url = URL.createObjectURL(new Blob());
  URL.revokeObjectURL(url);
  return url.slice(-36);
};

/** The first characters; `limit` in UTF-16 units, of which each is at most 3 bytes of the server's limits. */
export const cut = (text: unknown, limit: number): string => String(text ?? '').slice(0, limit);

/** A number the server accepts: it refuses what is out of range. */
export const clamp = (value: number, maximum: number): number => Math.min(Math.max(value || 0, 0), maximum);

export const listen = (target: EventTarget, types: string, handle: (event: any) => void): void => {
  for (const type of types.split(' ')) target.addEventListener(type, handle, true);
};

/** The browser's own record of the load of this document; complete when that is. */
export const loading = (): any => performance.getEntriesByType('navigation')[0];

export const isHidden = (): boolean => document.hidden;

/** One expression for a list of patterns: "*" is one segment of a path, "**" everything. */
export const patterns = (list: string | string[] | undefined): [RegExp, string][] =>
  String(list ?? '').split(',').map((text) => {
    const pattern = text.trim();
    const source = pattern.replace(/[^\w*]/g, '\\$&').replace(/\*+/g, (stars) => (stars[1] ? '.*' : '[^/]+'));
    return [new RegExp(`^${source}$`), pattern];
  });

/** Values on the device, as JSON under one prefix: read and written only while `allowed`. Without storage it holds nothing. */
export interface Store {
  get<T>(name: string): T | undefined;
  set(name: string, value: unknown): void;
  clear(): void;
}
export const createStore = (prefix: string, allowed: () => boolean): Store => ({
  get(name) {
    try {
      if (allowed()) return JSON.parse(localStorage.getItem(prefix + name)!) ?? undefined;
    } catch {
      // forbidden, or not ours
    }
    return undefined;
  },
  set(name, value) {
    try {
      if (value === undefined) localStorage.removeItem(prefix + name);
      else if (allowed()) localStorage.setItem(prefix + name, JSON.stringify(value));
    } catch {
      // full or forbidden: as without
    }
  },
  clear() {
    try {
      for (const name of Object.keys(localStorage)) if (name.startsWith(prefix)) localStorage.removeItem(name);
    } catch {
      // forbidden: then there is nothing
    }
  },
});
