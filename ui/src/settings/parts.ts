// SPDX-License-Identifier: Apache-2.0
// What the views of the settings are made of: panels, lists of things, states of loading, badges, times.
import type { Api, Page } from '../api';
import { ApiError, error_text } from '../api';
import { Dialog } from '../dialog';
import { element, icon } from '../dom';
import type { Session } from '../session';
import type { Frame } from '../topbar';

export interface Context {
  api: Api;
  session: Session;
  frame: Frame;
  can: (permission: string, where?: 'tenant' | 'organization') => boolean;
}
/** The visit has ended (Session.ended): there is no place left to say it. */
export const refused = (error: unknown): boolean => error instanceof ApiError && error.status === 401;

export function panel(title: string, help: string, actions: (Node | null)[], ...children: Node[]): HTMLElement {
  return element(
    'section',
    { class: 'card panel', 'aria-label': title },
    element('div', { class: 'panel-head' }, element('div', {}, element('h2', {}, title), help ? element('p', { class: 'panel-help' }, help) : null), element('div', { class: 'panel-actions' }, ...actions)),
    ...children,
  );
}

/** A place that shows it is loading, then what was loaded, or why not. */
export class Loaded {
  readonly root = element('div', { class: 'loaded' });
  private turn = 0;

  constructor(private readonly load: () => Promise<Node[]>) {
    void this.again();
  }

  /** Loads anew; what is shown stays until there is something else. */
  async again(): Promise<void> {
    const turn = ++this.turn;
    if (!this.root.hasChildNodes() || this.root.querySelector('.problem')) this.root.replaceChildren(...skeletons());
    this.root.setAttribute('aria-busy', 'true');
    try {
      const nodes = await this.load();
      if (turn === this.turn) this.root.replaceChildren(...nodes);
    } catch (error) {
      if (turn !== this.turn || refused(error)) return;
      if (!(error instanceof ApiError)) console.error(error);
      this.root.replaceChildren(problem(error, () => void this.again()));
    }
    if (turn === this.turn) this.root.removeAttribute('aria-busy');
  }
}

export function skeletons(): HTMLElement[] {
  return [1, 2, 3].map(() => element('div', { class: 'skeleton skeleton-thing', 'aria-hidden': 'true' }));
}
export function problem(error: unknown, again: () => void): HTMLElement {
  const request = error instanceof ApiError && error.request_id ? element('p', { class: 'request-id' }, `Request ${error.request_id}`) : null;
  return element('div', { class: 'problem', role: 'alert' }, icon('alert'), element('div', {}, element('p', {}, error_text(error)), request), element('button', { type: 'button', class: 'secondary', onclick: again }, 'Try again'));
}
export function empty(title: string, text: string): HTMLElement {
  return element('div', { class: 'nothing' }, icon('empty'), element('h3', {}, title), element('p', {}, text));
}

export type Tone = 'good' | 'bad' | 'quiet' | 'accent';
export const badge = (text: string, tone: Tone = 'quiet', title: string | null = null): HTMLElement => element('span', { class: `badge ${tone}`, title }, text);

export interface Thing {
  id?: string;
  name: (Node | string)[];
  /** Below the name, apart by dots. */
  facts: (Node | string | null | false)[];
  /** Under the facts. */
  more?: Node[];
  actions?: (Node | null | false)[];
}
export const things = (list: Thing[], label: string): HTMLElement => element('ul', { class: 'things', 'aria-label': label }, ...list.map(thing));
export function thing({ name, facts, more = [], actions = [] }: Thing): HTMLElement {
  const shown = facts.filter((fact): fact is Node | string => Boolean(fact));
  return element(
    'li',
    { class: 'thing' },
    element('div', { class: 'thing-text' }, element('div', { class: 'thing-name' }, ...name), shown.length > 0 && element('div', { class: 'thing-facts' }, ...shown.map((fact) => element('span', {}, fact))), ...more),
    actions.some(Boolean) && element('div', { class: 'thing-actions' }, ...actions),
  );
}

/** A button; `of` is the name of what it is done to, for those who hear the button alone. What fails is told. */
export function button(text: string, run: () => unknown, of = '', kind = 'secondary'): HTMLButtonElement {
  const onclick = (): void =>
    void Promise.resolve()
      .then(run)
      .catch((error) => {
        if (refused(error)) return;
        if (!(error instanceof ApiError)) console.error(error);
        new Dialog('That did not work', [element('p', { class: 'dialog-text', role: 'alert' }, error_text(error))]);
      });
  return element('button', { type: 'button', class: kind, onclick }, text, of ? element('span', { class: 'visually-hidden' }, ` ${of}`) : null);
}

/** Pages of a list, added to by a button. `draw` makes the list of all rows so far. */
export function paged<T>(context: Context, path: (cursor: string | null) => string, draw: (rows: T[]) => Node[] | Promise<Node[]>, headers: Record<string, string> = {}): Loaded {
  const ask = (cursor: string | null): Promise<Page<T>> => context.api.ask<Page<T>>('GET', path(cursor), { headers });
  return new Loaded(async () => {
    let page = await ask(null);
    const rows = page.data;
    const list = element('div', {}, ...(await draw(rows)));
    const foot = element('div', { class: 'more' });
    const more = button('Load more', () => void next());
    const next = async (): Promise<void> => {
      more.disabled = true;
      try {
        page = await ask(page.next_cursor!);
        rows.push(...page.data);
        list.replaceChildren(...(await draw(rows)));
        foot.replaceChildren();
      } catch (error) {
        if (refused(error)) return;
        foot.replaceChildren(problem(error, () => void next()));
      }
      more.disabled = false;
      more.hidden = !page.next_cursor;
    };
    more.hidden = !page.next_cursor;
    return [list, element('div', { class: 'more' }, more), foot];
  });
}

/** All pages of a list that is short by its nature (roles, workspaces). */
export async function all_of<T>(api: Api, path: string): Promise<T[]> {
  const rows: T[] = [];
  for (let cursor = ''; ; ) {
    const page = await api.get<Page<T>>(`${path}${path.includes('?') ? '&' : '?'}limit=200${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    rows.push(...page.data);
    if (!page.next_cursor) return rows;
    cursor = page.next_cursor;
  }
}

const moment = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const exact = new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeStyle: 'long', hourCycle: 'h23' });
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [['day', 86_400_000], ['hour', 3_600_000], ['minute', 60_000]];

/** "3 hours ago" within a week, else the date; the exact time on hovering. */
export function time(iso: string, prefix = ''): HTMLElement {
  const at = new Date(iso);
  const distance = at.getTime() - Date.now();
  const unit = UNITS.find(([, size]) => Math.abs(distance) >= size);
  const near = Math.abs(distance) < 7 * 86_400_000;
  const text = !near ? moment.format(at) : unit ? relative.format(Math.trunc(distance / unit[1]), unit[0]) : distance < 0 ? 'just now' : 'within a minute';
  return element('time', { datetime: iso, title: exact.format(at) }, `${prefix}${text}`);
}
export const moment_text = (iso: string): string => moment.format(new Date(iso));

/** "2026-11-21T13:00" as <input type=datetime-local> wants it, and back. */
export function local_of(iso: string | null): string {
  if (!iso) return '';
  const at = new Date(iso);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
export const iso_of = (local: string): string | null => (local ? new Date(local).toISOString() : null);

/** "Firefox on Linux" out of what browsers call themselves; other programs as they are. */
export function agent_text(agent: string): string {
  const browsers: [RegExp, string][] = [[/Edg\//, 'Edge'], [/OPR\//, 'Opera'], [/Firefox\//, 'Firefox'], [/Chrome\//, 'Chrome'], [/Safari\//, 'Safari']];
  const systems: [RegExp, string][] = [[/Windows/, 'Windows'], [/iPhone|iPad/, 'iOS'], [/Mac OS X/, 'macOS'], [/Android/, 'Android'], [/Linux/, 'Linux']];
  const browser = browsers.find(([pattern]) => pattern.test(agent))?.[1];
  const system = systems.find(([pattern]) => pattern.test(agent))?.[1];
  if (!browser) return agent.slice(0, 80) || 'Unknown program';
  return system ? `${browser} on ${system}` : browser;
}

/** Built-in roles are called as programs call them: "super_admin". */
export const role_title = ({ name, role_type }: { name: string; role_type: string }): string => (role_type === 'custom' ? name : (name.charAt(0).toUpperCase() + name.slice(1)).replace(/_/g, ' '));
