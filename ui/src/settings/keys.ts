// SPDX-License-Identifier: Apache-2.0
// The keys of the chosen tenant: made, changed, rotated, revoked, and how much they are used.
import { ApiError } from '../api';
import { Dialog, copy_button, dialog_ask, dialog_confirm, secret_box } from '../dialog';
import { element, icon } from '../dom';
import { lines_of, text_of, type Field, type Values } from '../form';
import { number_full } from '../format';
import { badge, button, empty, iso_of, local_of, moment_text, paged, panel, things, time, type Context, type Thing } from './parts';
import { spark_make } from './spark';

type Kind = 'write' | 'secret';
interface Key {
  api_key_id: string;
  kind: Kind;
  key_id: string;
  prefix: string;
  name: string;
  description: string;
  status: 'active' | 'revoked';
  permissions: string[];
  allowed_origins: string[];
  allowed_addresses: string[];
  rate_limit: number;
  expires_at: string | null;
  grace_period_expires_at: string | null;
  last_used_at: string | null;
  last_used_ip: string;
  usage_count: number;
  revoked_at: string | null;
  revoked_reason: string;
  created_at: string;
}
interface Permission {
  name: string;
  resource: string;
  action: string;
  description: string;
}
interface Usage {
  data: { hour: string; requests: number; refused: number; items: number }[];
  totals: { requests: number; refused: number; items: number };
}

const SIGNALS = ['events', 'traces', 'metrics', 'logs'];
const WRITE = SIGNALS.map((signal) => `${signal}:write`);
const READ = SIGNALS.map((signal) => `${signal}:read`);
/** Resources that are for people alone. */
const NOT_FOR_KEYS = ['regions', 'organizations', 'workspaces', 'users', 'roles', 'identity_providers', 'keys', 'billing', 'platform'];
const USAGE_HOURS = 7 * 24;

/** What a kind of key can be given at all. */
const fits = (kind: Kind, { name, resource, action }: Permission): boolean =>
  kind === 'write' ? WRITE.includes(name) : !NOT_FOR_KEYS.includes(resource) && !(resource === 'tenants' && action !== 'read');

export function keys_make(context: Context): HTMLElement[] {
  const { api, can } = context;
  let status = 'active';
  const place = element('div', {});
  const show = (): void => {
    const path = (cursor: string | null): string => `/v1/keys?${new URLSearchParams({ ...(status ? { status } : {}), ...(cursor ? { cursor } : {}) })}`;
    place.replaceChildren(paged<Key>(context, path, (keys) => [keys_draw(context, keys, show, status)]).root);
  };
  const select = element('select', { 'aria-label': 'Which keys' }, element('option', { value: 'active' }, 'Active'), element('option', { value: 'revoked' }, 'Revoked'), element('option', { value: '' }, 'All'));
  select.addEventListener('change', () => {
    status = select.value;
    show();
  });
  const create = async (): Promise<void> => {
    const all = (await api.get<{ data: Permission[] }>('/v1/permissions')).data;
    let made: (Key & { key: string }) | null = null;
    const permissions = permissions_make(context, all, 'write', WRITE);
    const kind = kind_make((chosen) => permissions.kind(chosen));
    await dialog_ask('New key', {
      fields: [{ type: 'custom', name: 'kind', label: 'Kind', node: kind.root, read: kind.read }, { type: 'text', name: 'name', label: 'Name', required: true, maxlength: 128, help: 'Where it is used: “Shop website”, “Billing server”.' }, ...rule_fields(permissions)],
      submit: 'Make key',
      busy: 'Making…',
      run: async (values) => {
        made = await api.ask<Key & { key: string }>('POST', '/v1/keys', { body: { kind: values.kind, ...body_of(values) } });
      },
    });
    if (!made) return;
    await key_show(made);
    show();
  };
  show();
  const make = can('keys:write') ? button('New key', create, '', 'primary') : null;
  const name = context.session.tenant()?.name ?? '';
  return [panel(`Keys of ${name}`, 'Programs send and ask with them. A write key may be published in a website; a secret key stays on your servers.', [element('span', { class: 'select' }, select, icon('down')), make], place)];
}

function keys_draw(context: Context, keys: Key[], again: () => void, status: string): HTMLElement {
  if (keys.length > 0) return things(keys.map((key) => key_thing(context, key, again)), 'Keys');
  return status === 'revoked' ? empty('No revoked keys', 'Keys that you end stay listed here, with the reason.') : empty('No keys', 'Make a write key to send events from a website or an app.');
}

function key_thing(context: Context, key: Key, again: () => void): Thing {
  const { api, can } = context;
  const active = key.status === 'active';
  const expired = key.expires_at !== null && Date.parse(key.expires_at) < Date.now();
  const state = !active ? badge('Revoked', 'bad') : expired ? badge('Expired', 'bad') : badge('Active', 'good');
  const grace = key.grace_period_expires_at && Date.parse(key.grace_period_expires_at) > Date.now() ? time(key.grace_period_expires_at, 'old text good until ') : null;
  const limits = [
    key.rate_limit > 0 && `${number_full(key.rate_limit)} requests a minute`,
    key.allowed_origins.length > 0 && `from ${key.allowed_origins.join(', ')}`,
    key.allowed_addresses.length > 0 && `at ${key.allowed_addresses.join(', ')}`,
  ];
  const text = element('code', {}, key.kind === 'write' ? key.key_id : `${key.prefix}…`);
  const usage = element('div', { class: 'usage' });
  if (active && key.usage_count > 0) void usage_fill(context, key, usage);
  return {
    name: [key.name, badge(key.kind === 'write' ? 'Write' : 'Secret', 'accent'), state],
    facts: [
      text,
      key.last_used_at ? time(key.last_used_at, 'used ') : 'never used',
      `${number_full(key.usage_count)} requests`,
      key.expires_at && time(key.expires_at, expired ? 'expired ' : 'expires '),
      grace,
      key.revoked_at && time(key.revoked_at, 'revoked '),
      key.revoked_reason && `“${key.revoked_reason}”`,
      ...limits,
    ],
    more: [...(key.description ? [element('p', { class: 'thing-note' }, key.description)] : []), element('p', { class: 'thing-note' }, key.permissions.join(', ')), usage],
    actions: [
      active && key.kind === 'write' && copy_button(key.key_id),
      active && can('keys:write') && button('Edit', () => key_edit(context, key).then((done) => done && again()), key.name),
      active && can('keys:write') && button('Rotate', () => key_rotate(context, key).then((done) => done && again()), key.name),
      active &&
        can('keys:delete') &&
        button(
          'Revoke',
          () =>
            dialog_confirm(
              `Revoke “${key.name}”?`,
              'Whatever uses this key is refused within a second. This cannot be undone.',
              'Revoke key',
              (values) => api.ask('POST', `/v1/keys/${key.api_key_id}/revoke`, { body: { reason: text_of(values, 'reason') } }),
              [{ type: 'text', name: 'reason', label: 'Reason', maxlength: 256, help: 'For the audit: leaked, replaced, no longer used.' }],
            ).then((done) => done && again()),
          key.name,
          'secondary danger',
        ),
    ],
  };
}

async function usage_fill({ api }: Context, key: Key, place: HTMLElement): Promise<void> {
  // Not having it is no reason to trouble anybody: the count is above.
  const usage = await api.get<Usage>(`/v1/keys/${key.api_key_id}/usage?hours=${USAGE_HOURS}`).catch(() => null);
  if (!usage || usage.data.length === 0) return;
  const now = Math.floor(Date.now() / 3_600_000);
  const hours = new Array<number>(USAGE_HOURS).fill(0);
  for (const { hour, requests } of usage.data) {
    const index = USAGE_HOURS - 1 - (now - Math.floor(Date.parse(hour) / 3_600_000));
    if (index >= 0 && index < USAGE_HOURS) hours[index] = requests;
  }
  const { requests, refused, items } = usage.totals;
  const text = `Last 7 days: ${number_full(requests)} requests, ${number_full(items)} items${refused ? `, ${number_full(refused)} refused` : ''}`;
  place.replaceChildren(spark_make(hours, text), element('span', {}, text));
}

// --- changing -------------------------------------------------------------------------------------------------------

async function key_edit(context: Context, key: Key): Promise<boolean> {
  const { api } = context;
  const all = (await api.get<{ data: Permission[] }>('/v1/permissions')).data;
  const permissions = permissions_make(context, all, key.kind, key.permissions);
  return dialog_ask(`Edit “${key.name}”`, {
    fields: [{ type: 'text', name: 'name', label: 'Name', required: true, maxlength: 128, value: key.name }, ...rule_fields(permissions, key)],
    submit: 'Save',
    busy: 'Saving…',
    run: (values) => api.ask('PATCH', `/v1/keys/${key.api_key_id}`, { body: body_of(values) }),
  });
}

const GRACE = [
  { value: '0', title: 'At once' },
  { value: '1800', title: 'In 30 minutes' },
  { value: '86400', title: 'In a day' },
  { value: '604800', title: 'In 7 days' },
];

async function key_rotate({ api }: Context, key: Key): Promise<boolean> {
  let made: (Key & { key: string }) | null = null;
  const done = await dialog_ask(`Rotate “${key.name}”`, {
    before: [element('p', { class: 'dialog-text' }, 'The key gets a new text; its permissions and rules stay. The old text goes on working for a while, so that you can change it everywhere.')],
    fields: [{ type: 'select', name: 'grace_seconds', label: 'The old text stops working', options: GRACE, value: '1800' }],
    submit: 'Rotate',
    busy: 'Rotating…',
    run: async (values) => {
      made = await api.ask<Key & { key: string }>('POST', `/v1/keys/${key.api_key_id}/rotate`, { body: { grace_seconds: Number(values.grace_seconds) } });
    },
  });
  if (made) await key_show(made);
  return done;
}

function key_show(key: Key & { key: string }): Promise<void> {
  const warning =
    key.kind === 'secret'
      ? 'This is shown only now. Keep it where your programs keep secrets, and never in a web page.'
      : 'Put it into your website or app. It may be published: it can send, and nothing else.';
  const done = button('Done', () => dialog.close(), '', 'primary');
  const dialog: Dialog = new Dialog(`Key “${key.name}”`, [element('p', { class: key.kind === 'secret' ? 'dialog-warning' : 'dialog-text' }, warning), secret_box('Key', key.key), element('div', { class: 'form-actions' }, done)], key.kind === 'secret');
  return dialog.closed;
}

function rule_fields(permissions: Permissions, key?: Key): Field[] {
  return [
    { type: 'text', name: 'description', label: 'Description', maxlength: 1000, value: key?.description ?? '' },
    { type: 'custom', name: 'permissions', label: 'Permissions', node: permissions.root, read: permissions.read },
    { type: 'lines', name: 'allowed_origins', label: 'Websites', placeholder: 'example.com\n*.example.com', value: key?.allowed_origins.join('\n') ?? '', help: 'Where browsers may use it, one a line. Empty: everywhere.' },
    { type: 'lines', name: 'allowed_addresses', label: 'Addresses', placeholder: '203.0.113.7\n10.0.0.0/8', value: key?.allowed_addresses.join('\n') ?? '', help: 'Addresses it may be used from, one a line. Empty: all.' },
    { type: 'number', name: 'rate_limit', label: 'Requests a minute', value: key?.rate_limit ? String(key.rate_limit) : '', help: 'At each server. Empty: no limit.', inputmode: 'numeric' },
    { type: 'datetime-local', name: 'expires_at', label: 'Expires', value: local_of(key?.expires_at ?? null), help: key?.expires_at ? `Now: ${moment_text(key.expires_at)}. Empty: never.` : 'Empty: never.' },
  ];
}

function body_of(values: Values): Record<string, unknown> {
  const rate = Number(text_of(values, 'rate_limit') || 0);
  if (!Number.isInteger(rate) || rate < 0) throw new ApiError('A whole number, please.', 400, 'not_a_number', '', 0, 'rate_limit');
  return {
    name: text_of(values, 'name'),
    description: text_of(values, 'description'),
    permissions: values.permissions,
    allowed_origins: lines_of(values, 'allowed_origins'),
    allowed_addresses: lines_of(values, 'allowed_addresses'),
    rate_limit: rate,
    expires_at: iso_of(text_of(values, 'expires_at')),
  };
}

// --- choosing -------------------------------------------------------------------------------------------------------

function kind_make(changed: (kind: Kind) => void): { root: HTMLElement; read: () => Kind } {
  const choice = (kind: Kind, title: string, help: string): HTMLElement => {
    const input = element('input', { type: 'radio', name: 'kind', value: kind, checked: kind === 'write', onchange: () => changed(kind) });
    return element('label', { class: 'choice' }, input, element('span', {}, element('strong', {}, title), help));
  };
  const root = element('div', { class: 'choices', role: 'radiogroup', 'aria-label': 'Kind' }, choice('write', 'Write key', 'Public: for websites and apps. Sends, reads nothing.'), choice('secret', 'Secret key', 'For servers. Sends and reads what you allow.'));
  return { root, read: () => root.querySelector<HTMLInputElement>('input:checked')!.value as Kind };
}

interface Permissions {
  root: HTMLElement;
  read: () => string[];
  kind: (kind: Kind) => void;
}
/** Checkboxes by resource; only what the kind can have and what one has oneself. */
function permissions_make({ can }: Context, all: Permission[], first: Kind, given: string[]): Permissions {
  const root = element('div', { class: 'permissions' });
  const kind = (kind: Kind, chosen: string[]): void => {
    const usable = all.filter((permission) => fits(kind, permission) && (can(permission.name) || chosen.includes(permission.name)));
    const resources = [...new Set(usable.map(({ resource }) => resource))];
    root.replaceChildren(
      ...resources.map((resource) =>
        element(
          'div',
          { class: 'permission-row', role: 'group', 'aria-label': resource },
          element('span', { class: 'permission-resource' }, resource),
          ...usable
            .filter((permission) => permission.resource === resource)
            .map(({ name, action, description }) => element('label', { class: 'check', title: description }, element('input', { type: 'checkbox', value: name, checked: chosen.includes(name) }), element('span', {}, action))),
        ),
      ),
    );
  };
  kind(first, given);
  return {
    root,
    read: () => [...root.querySelectorAll<HTMLInputElement>('input:checked')].map(({ value }) => value),
    kind: (chosen) => kind(chosen, chosen === 'write' ? WRITE : [...WRITE, ...READ]),
  };
}
