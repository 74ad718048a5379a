// SPDX-License-Identifier: Apache-2.0
// Who did what: audit events, newest first, chosen by filters.
import { element, icon } from '../dom';
import { member_name, type Member } from './members';
import { all_of, badge, button, empty, moment_text, paged, panel, type Context, type Tone } from './parts';

interface AuditEvent {
  id: string;
  timestamp: string;
  action: string;
  result: string;
  resource_type: string;
  resource_id: string;
  user_id: string;
  actor_kind: string;
  actor_id: string;
  ip_address: string;
  user_agent: string;
  tenant_id: string;
  metadata: unknown;
  hash: string;
}

const TONES: Record<string, Tone> = { success: 'good', failure: 'bad', error: 'bad' };
const FILTERS = [
  { name: 'action', label: 'Action', placeholder: 'key.created' },
  { name: 'resource_type', label: 'Kind of thing', placeholder: 'key' },
  { name: 'ip_address', label: 'Address', placeholder: '203.0.113.7' },
];
const PERIODS = [
  { value: '1', title: 'Last day' },
  { value: '7', title: 'Last 7 days' },
  { value: '30', title: 'Last 30 days' },
  { value: '365', title: 'Last year' },
];

export function audit_make(context: Context): HTMLElement[] {
  const { session, can, api } = context;
  const place = element('div', {});
  const inputs = new Map<string, HTMLInputElement | HTMLSelectElement>();
  const field = (name: string, label: string, input: HTMLInputElement | HTMLSelectElement): HTMLElement => {
    inputs.set(name, input);
    input.addEventListener('change', () => show());
    return element('label', { class: 'filter' }, element('span', {}, label), input instanceof HTMLSelectElement ? element('span', { class: 'select' }, input, icon('down')) : input);
  };
  const select = (options: { value: string; title: string }[], value: string): HTMLSelectElement => {
    const made = element('select', {}, ...options.map(({ value, title }) => element('option', { value }, title)));
    made.value = value;
    return made;
  };
  const wide = can('audit:read', 'organization');
  const tenant = session.tenant();
  const wheres = [...(wide ? [{ value: '', title: 'Whole organization' }] : []), ...(tenant ? [{ value: tenant.tenant_id, title: tenant.name }] : [])];
  const words = (values: string[]): { value: string; title: string }[] => [{ value: '', title: 'All' }, ...values.map((value) => ({ value, title: value }))];
  const filters = element(
    'form',
    { class: 'filters-form', 'aria-label': 'Filters', onsubmit: (event: Event) => (event.preventDefault(), show()) },
    field('where', 'Where', select(wheres, '')),
    field('days', 'When', select(PERIODS, '30')),
    field('result', 'Result', select(words(['success', 'failure', 'error']), '')),
    field('actor_kind', 'Done by', select(words(['user', 'key', 'command', 'system', 'nobody']), '')),
    ...FILTERS.map(({ name, label, placeholder }) => field(name, label, element('input', { type: 'search', placeholder, spellcheck: 'false', autocapitalize: 'none' }))),
  );
  inputs.get('where')!.value = wheres[0]?.value ?? '';
  // Names instead of ids, for those who may see them.
  const names = can('users:read', 'organization') ? all_of<Member>(api, '/v1/users?include_deleted=true').catch((): Member[] => []) : Promise.resolve<Member[]>([]);

  const show = (): void => {
    const question = new URLSearchParams({ limit: '50', from: new Date(Date.now() - Number(inputs.get('days')!.value) * 86_400_000).toISOString() });
    for (const name of ['result', 'actor_kind', ...FILTERS.map((filter) => filter.name)]) {
      const value = inputs.get(name)!.value.trim();
      if (value) question.set(name, value);
    }
    // Of the organization rather than of the chosen tenant.
    const organization = tenant?.organization_id ?? session.me.user.organization_id;
    const headers: Record<string, string> = inputs.get('where')!.value ? {} : { 'millrace-tenant': '', 'millrace-organization': organization };
    const path = (cursor: string | null): string => {
      if (cursor) question.set('cursor', cursor);
      return `/v1/audit?${question}`;
    };
    const draw = async (events: AuditEvent[]): Promise<Node[]> => {
      const people = new Map((await names).map((user) => [user.user_id, member_name(user)]));
      if (events.length === 0) return [empty('Nothing was done', 'No audit event fits these filters.')];
      return [element('ul', { class: 'things', 'aria-label': 'Audit events' }, ...events.map((event) => event_item(event, people)))];
    };
    place.replaceChildren(paged<AuditEvent>(context, path, draw, headers).root);
  };
  show();
  return [panel('Audit', 'Every change and every sign-in, newest first. Nothing here can be changed.', [button('Refresh', show)], filters, place)];
}

function event_item(event: AuditEvent, people: Map<string, string>): HTMLElement {
  const actor = people.get(event.actor_id || event.user_id) ?? (event.actor_id ? `${event.actor_kind} ${event.actor_id.slice(0, 13)}` : event.actor_kind);
  const thing = people.get(event.resource_id) ?? (event.resource_id ? `${event.resource_type} ${event.resource_id.slice(0, 13)}` : event.resource_type);
  const facts: [string, string][] = [
    ['Resource', `${event.resource_type} ${event.resource_id}`],
    ['Done by', `${event.actor_kind} ${event.actor_id}`],
    ['Tenant', event.tenant_id],
    ['Address', event.ip_address],
    ['Program', event.user_agent],
    ['More', event.metadata === null || event.metadata === undefined ? '' : JSON.stringify(event.metadata, null, 2)],
    ['Event', event.id],
    ['Hash', event.hash],
  ];
  return element(
    'li',
    { class: 'audit' },
    element(
      'details',
      {},
      element(
        'summary',
        {},
        element('span', { class: 'audit-action' }, event.action),
        badge(event.result, TONES[event.result] ?? 'quiet'),
        element('span', { class: 'audit-who' }, actor),
        element('span', { class: 'audit-what' }, thing),
        element('time', { class: 'audit-time', datetime: event.timestamp }, moment_text(event.timestamp)),
      ),
      element('dl', {}, ...facts.filter(([, text]) => text.trim()).flatMap(([name, text]) => [element('dt', {}, name), element('dd', {}, text)])),
    ),
  );
}
