// SPDX-License-Identifier: Apache-2.0
// The settings: a list of views at the side, one of them shown; each has its address.
import './settings.css';
import { ApiError } from '../api';
import { element, set_attribute } from '../dom';
import type { Session } from '../session';
import { link, type Frame, type Topbar } from '../topbar';
import { audit_make } from './audit';
import { keys_make } from './keys';
import { members_make } from './members';
import { problem, refused, skeletons, type Context } from './parts';
import { profile_make } from './profile';
import { roles_make } from './roles';
import { security_make } from './security';
import { tenants_make } from './tenants';

interface Section {
  name: string;
  title: string;
  group: string;
  make: (context: Context) => HTMLElement[];
  /** Whom it is of use. */
  shown: (context: Context) => boolean;
}
const SECTIONS: Section[] = [
  { name: 'profile', title: 'Profile', group: 'You', make: profile_make, shown: () => true },
  { name: 'security', title: 'Security', group: 'You', make: security_make, shown: () => true },
  { name: 'keys', title: 'Keys', group: 'Tenant', make: keys_make, shown: ({ can, session }) => Boolean(session.tenant()) && can('keys:read') },
  { name: 'members', title: 'Members', group: 'Organization', make: members_make, shown: ({ can }) => can('users:read', 'organization') },
  { name: 'roles', title: 'Roles', group: 'Organization', make: roles_make, shown: ({ can }) => can('roles:read', 'organization') },
  { name: 'tenants', title: 'Tenants', group: 'Organization', make: tenants_make, shown: ({ can }) => can('tenants:read', 'organization') },
  { name: 'audit', title: 'Audit', group: 'Organization', make: audit_make, shown: ({ can }) => can('audit:read', 'organization') || can('audit:read') },
];

export class Settings {
  private readonly side = element('nav', { class: 'side', 'aria-label': 'Settings' });
  private readonly content = element('main', { class: 'settings-content', tabindex: '-1', 'aria-busy': 'true' }, ...skeletons());
  readonly root: HTMLElement;
  private stopped = false;

  constructor(
    private readonly session: Session,
    topbar: Topbar,
    private readonly frame: Frame,
  ) {
    this.root = element('div', { class: 'app' }, topbar.root, element('div', { class: 'page settings' }, this.side, this.content));
  }

  start(): void {
    document.title = 'Settings · Millrace';
    void this.fill();
  }
  stop(): void {
    this.stopped = true;
  }

  private async fill(): Promise<void> {
    const context: Context = { api: this.session.api, session: this.session, frame: this.frame, can: () => false };
    try {
      context.can = await this.session.permissions();
    } catch (error) {
      if (this.stopped || refused(error)) return;
      if (!(error instanceof ApiError)) console.error(error);
      this.content.replaceChildren(problem(error, () => void this.fill()));
      return;
    }
    if (this.stopped) return;
    const wanted = (new URLSearchParams(location.search).get('view') ?? '').split('/')[1] || 'profile';
    const shown = SECTIONS.filter((section) => section.shown(context));
    const section = shown.find(({ name }) => name === wanted);
    this.side_show(shown, section?.name ?? '');
    this.content.removeAttribute('aria-busy');
    const title = element('h1', { tabindex: '-1' }, section?.title ?? 'Not for you');
    const nothing = element('p', { class: 'card nothing' }, SECTIONS.some(({ name }) => name === wanted) ? 'Your roles do not open this part of the settings.' : 'There is no such part of the settings.');
    this.content.replaceChildren(title, ...(section ? section.make(context) : [nothing]));
    // Where the view is one panel, its name is said once.
    for (const heading of this.content.querySelectorAll('h2')) heading.classList.toggle('visually-hidden', heading.textContent === title.textContent);
    document.title = `${title.textContent} · Millrace`;
    title.focus({ preventScroll: true });
    this.side.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }

  private side_show(shown: Section[], current: string): void {
    const groups = [...new Set(shown.map(({ group }) => group))];
    this.side.replaceChildren(
      ...groups.map((group) => {
        const id = `side-${group}`;
        const name = group === 'Tenant' ? (this.session.tenant()?.name ?? group) : group === 'Organization' ? (this.session.me.organization?.name ?? group) : group;
        const list = element('ul', { 'aria-labelledby': id });
        for (const section of shown.filter((other) => other.group === group)) {
          const item = link(this.frame, `?view=settings/${section.name}`, {}, section.title);
          set_attribute(item, 'aria-current', section.name === current ? 'page' : null);
          list.append(element('li', {}, item));
        }
        return element('div', { class: 'side-group' }, element('h2', { id, title: name }, name), list);
      }),
    );
  }
}
