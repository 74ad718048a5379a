// SPDX-License-Identifier: Apache-2.0
// The bar at the top of every view: where one is, which tenant is looked at, colours, settings, sign out.
import { element, icon, set_attribute } from './dom';
import type { Session } from './session';
import { theme_is_dark, theme_toggle, theme_watch } from './theme';

/** What views ask of the frame around them. */
export interface Frame {
  /** Goes to an address such as "?view=settings/keys". */
  go: (search: string) => void;
  /** The address of the numbers as they were last looked at. */
  numbers: () => string;
  /** Another tenant was chosen, or what the user may has changed: everything is drawn anew. */
  refresh: () => void;
  leave: (message: string) => void;
}

/** A link inside the page; with a modifier key it opens a tab as any other. */
export function link(frame: Frame, href: string, attributes: Record<string, string | null>, ...children: (Node | string)[]): HTMLAnchorElement {
  const onclick = (event: MouseEvent): void => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    frame.go(href);
  };
  return element('a', { href, onclick, ...attributes }, ...children);
}

export class Topbar {
  readonly progress = element('div', { class: 'progress', 'aria-hidden': 'true' });
  readonly tools = element('div', { class: 'topbar-tools' });
  readonly root: HTMLElement;
  private readonly theme_button = element('button', { type: 'button', class: 'icon-button', onclick: theme_toggle });
  private readonly unwatch: () => void;

  constructor(session: Session | null, frame: Frame, view: 'numbers' | 'settings') {
    const brand = link(frame, frame.numbers(), { class: 'brand', 'aria-label': 'Millrace: the numbers' }, element('span', { class: 'brand-mark' }, icon('mark')), element('span', { class: 'brand-name' }, 'Millrace'));
    if (session) {
      const attributes = { class: 'icon-button', title: 'Settings', 'aria-label': 'Settings', 'aria-current': view === 'settings' ? 'page' : null };
      this.tools.append(link(frame, '?view=settings', attributes, icon('settings')));
    }
    const leave = (): void => frame.leave('');
    this.tools.prepend(this.theme_button);
    this.tools.append(element('button', { type: 'button', class: 'icon-button', title: 'Sign out', 'aria-label': 'Sign out', onclick: leave }, icon('leave')));
    this.root = element(
      'header',
      { class: 'topbar' },
      element('div', { class: 'topbar-inner' }, brand, session && session.me.tenants.length > 1 ? tenant_select(session, frame) : null, this.tools),
      this.progress,
    );
    this.unwatch = theme_watch(() => this.theme_show());
    this.theme_show();
  }

  stop(): void {
    this.unwatch();
  }

  private theme_show(): void {
    const dark = theme_is_dark();
    this.theme_button.replaceChildren(icon(dark ? 'sun' : 'moon'));
    set_attribute(this.theme_button, 'aria-label', dark ? 'Use light colours' : 'Use dark colours');
    this.theme_button.title = dark ? 'Light' : 'Dark';
  }
}

function tenant_select(session: Session, frame: Frame): HTMLElement {
  const select = element('select', { 'aria-label': 'Tenant' });
  for (const { tenant_id, name, is_active } of session.me.tenants) {
    select.append(element('option', { value: tenant_id }, is_active ? name : `${name} (switched off)`));
  }
  select.value = session.tenant()?.tenant_id ?? '';
  select.addEventListener('change', () => {
    session.choose(select.value);
    frame.refresh();
  });
  return element('span', { class: 'select tenant-select' }, select, icon('down'));
}
