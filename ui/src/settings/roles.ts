// SPDX-License-Identifier: Apache-2.0
// Built-in and custom roles, and what each may do: a matrix of resources and actions.
import { dialog_ask, dialog_confirm } from '../dialog';
import { element, set_attribute } from '../dom';
import { Form, text_of, type Field } from '../form';
import { Loaded, all_of, badge, button, panel, role_title, type Context } from './parts';

interface Role {
  role_id: string;
  name: string;
  description: string;
  role_type: string;
}
interface Permission {
  name: string;
  resource: string;
  action: string;
  description: string;
}
/** From most to least. */
const BUILT_IN = ['super_admin', 'admin', 'developer', 'viewer', 'demo', 'service', 'custom'];
const rank = ({ role_type }: Role): number => BUILT_IN.indexOf(role_type);

type State = 'none' | 'granted' | 'denied';
const NEXT: Record<State, State> = { none: 'granted', granted: 'denied', denied: 'none' };
const WORDS: Record<State, string> = { none: 'not given', granted: 'given', denied: 'denied' };

export function roles_make(context: Context): HTMLElement[] {
  const { api, can } = context;
  const writes = can('roles:write', 'organization');
  const matrix = element('div', {});
  let chosen = '';
  const loaded = new Loaded(async () => {
    const [found, permissions] = await Promise.all([all_of<Role>(api, '/v1/roles'), api.get<{ data: Permission[] }>('/v1/permissions')]);
    const roles = found.sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
    const role = roles.find(({ role_id }) => role_id === chosen) ?? roles[0];
    if (!role) return [];
    const list = element('div', { class: 'role-list', role: 'group', 'aria-label': 'Roles' });
    const show = (role: Role): void => {
      chosen = role.role_id;
      for (const item of list.children) set_attribute(item, 'aria-pressed', String((item as HTMLElement).dataset.role === role.role_id));
      matrix.replaceChildren(role_panel(context, role, permissions.data, writes, () => void loaded.again()));
    };
    list.append(
      ...roles.map((role) =>
        element('button', { type: 'button', class: 'role-item', 'data-role': role.role_id, onclick: () => show(role) }, element('span', { class: 'role-name' }, role_title(role)), role.role_type === 'custom' ? badge('Custom', 'accent') : badge('Built in')),
      ),
    );
    show(role);
    return [list];
  });
  const create = async (): Promise<void> => {
    const done = await dialog_ask('New role', {
      fields: role_fields(),
      submit: 'Make role',
      run: async (values) => {
        chosen = (await api.ask<Role>('POST', '/v1/roles', { body: { name: text_of(values, 'name'), description: text_of(values, 'description') } })).role_id;
      },
    });
    if (done) await loaded.again();
  };
  return [panel('Roles', 'Members have roles, everywhere or in one tenant.', [writes ? button('New role', create, '', 'primary') : null], loaded.root), matrix];
}

const role_fields = (role?: Role): Field[] => [
  { type: 'text', name: 'name', label: 'Name', required: true, maxlength: 128, value: role?.name ?? '' },
  { type: 'lines', name: 'description', label: 'Whom it is for', maxlength: 4096, value: role?.description ?? '' },
];

function role_panel(context: Context, role: Role, permissions: Permission[], writes: boolean, again: () => void): HTMLElement {
  const { api } = context;
  const custom = role.role_type === 'custom';
  const path = `/v1/roles/${role.role_id}`;
  const loaded = new Loaded(async () => {
    const { granted, denied } = await api.get<{ granted: string[]; denied: string[] }>(`${path}/permissions`);
    const states = new Map<string, State>(permissions.map(({ name }) => [name, denied.includes(name) ? 'denied' : granted.includes(name) ? 'granted' : 'none']));
    const grid = grid_make(permissions, states, custom && writes);
    if (!custom || !writes) return [grid];
    const of = (state: State): string[] => [...states].filter(([, value]) => value === state).map(([name]) => name);
    const form = new Form({
      fields: [{ type: 'custom', name: 'granted', label: 'What it may do', help: 'Press to give, again to deny, again for neither. A denial wins over what other roles give.', node: grid, read: () => of('granted') }],
      submit: 'Save permissions',
      busy: 'Saving…',
      run: async (_, form) => {
        await api.ask('PUT', `${path}/permissions`, { body: { granted: of('granted'), denied: of('denied') } });
        form.say('Saved: it holds within a second.');
      },
    });
    return [form.root];
  });
  const edit = async (): Promise<void> => {
    const done = await dialog_ask(`Edit “${role.name}”`, { fields: role_fields(role), submit: 'Save', run: (values) => api.ask('PATCH', path, { body: { name: text_of(values, 'name'), description: text_of(values, 'description') } }) });
    if (done) again();
  };
  const remove = async (): Promise<void> => {
    const done = await dialog_confirm(`Delete “${role.name}”?`, 'Whoever has it loses what it gives within a second.', 'Delete role', () => api.ask('DELETE', path));
    if (done) again();
  };
  const actions = custom && writes ? [button('Edit', edit, role.name), button('Delete', remove, role.name, 'secondary danger')] : [];
  return panel(role_title(role), custom ? role.description : 'Built in: the same everywhere, and not to be changed.', actions, loaded.root);
}

function grid_make(permissions: Permission[], states: Map<string, State>, editable: boolean): HTMLElement {
  const resources = [...new Set(permissions.map(({ resource }) => resource))];
  const cell = ({ name, resource, action, description }: Permission): HTMLElement => {
    const label = (): string => `${resource} ${action}: ${WORDS[states.get(name)!]}`;
    const box = editable ? element('button', { type: 'button', class: 'grant', title: description }, action) : element('span', { class: 'grant', title: description }, action, element('span', { class: 'visually-hidden' }, `: ${WORDS[states.get(name)!]}`));
    const show = (): void => {
      box.dataset.state = states.get(name)!;
      if (editable) set_attribute(box, 'aria-label', label());
    };
    if (editable) {
      box.addEventListener('click', () => {
        states.set(name, NEXT[states.get(name)!]);
        show();
      });
    }
    show();
    return box;
  };
  return element(
    'div',
    { class: 'permissions' },
    ...resources.map((resource) =>
      element('div', { class: 'permission-row', role: 'group', 'aria-label': resource }, element('span', { class: 'permission-resource' }, resource.replace(/_/g, ' ')), ...permissions.filter((permission) => permission.resource === resource).map(cell)),
    ),
  );
}
