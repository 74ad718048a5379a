// SPDX-License-Identifier: Apache-2.0
// The users of the organization: invited, given roles, locked, signed out, deleted.
import { Dialog, dialog_ask, dialog_confirm, secret_box } from '../dialog';
import { element, icon } from '../dom';
import { Form, text_of, type Option } from '../form';
import { Loaded, all_of, badge, button, empty, iso_of, paged, panel, role_title, things, time, type Context, type Thing } from './parts';
import { session_things, type SessionRow } from './security';

export interface Member {
  user_id: string;
  email: string;
  first_name: string;
  last_name: string;
  is_active: boolean;
  is_locked: boolean;
  email_verified: boolean;
  last_login_at: string | null;
  deleted_at: string | null;
}
interface Assignment {
  user_role_id: string;
  role_id: string;
  role_type: string;
  name: string;
  tenant_id: string | null;
  expires_at: string | null;
}
interface Role {
  role_id: string;
  name: string;
  role_type: string;
}
interface TenantName {
  tenant_id: string;
  name: string;
}
/** What both the list and the dialog of a member need. */
interface Members {
  context: Context;
  roles: Role[];
  tenants: TenantName[];
  again: () => void;
}

export const member_name = ({ first_name, last_name, email }: Pick<Member, 'first_name' | 'last_name' | 'email'>): string => `${first_name} ${last_name}`.trim() || email;

export function members_make(context: Context): HTMLElement[] {
  const { api, can } = context;
  const members: Members = { context, roles: [], tenants: [], again: () => show() };
  const place = element('div', {});
  let deleted = '';
  // Names for choosing; who may not read them does without.
  const names = Promise.all([all_of<Role>(api, '/v1/roles').catch(() => []), all_of<TenantName>(api, '/v1/tenants').catch(() => [])]).then(([roles, tenants]) => {
    members.roles = roles;
    members.tenants = tenants;
  });
  const show = (): void => {
    const path = (cursor: string | null): string => `/v1/users?${new URLSearchParams({ ...(deleted ? { include_deleted: deleted } : {}), ...(cursor ? { cursor } : {}) })}`;
    const draw = async (users: Member[]): Promise<Node[]> => {
      await names;
      return [users.length === 0 ? empty('Nobody yet', 'Invite somebody.') : things(users.map((user) => member_thing(members, user)), 'Members')];
    };
    place.replaceChildren(paged<Member>(context, path, draw).root);
  };
  const select = element('select', { 'aria-label': 'Which members' }, element('option', { value: '' }, 'Members'), element('option', { value: 'true' }, 'With deleted ones'));
  select.addEventListener('change', () => {
    deleted = select.value;
    show();
  });
  show();
  const invite = can('users:write', 'organization') ? button('Invite', () => names.then(() => member_invite(members)), '', 'primary') : null;
  return [panel('Members', 'People who can sign in, and what they may do.', [element('span', { class: 'select' }, select, icon('down')), invite], place)];
}

function member_thing(members: Members, user: Member): Thing {
  const { api, session } = members.context;
  const name = member_name(user);
  const roles = element('div', { class: 'chips-line' });
  if (!user.deleted_at) {
    void api.get<{ data: Assignment[] }>(`/v1/users/${user.user_id}/roles`).then(
      ({ data }) => roles.replaceChildren(...(data.length > 0 ? data.map((role) => badge(assignment_text(members, role))) : [badge('No role', 'bad')])),
      () => roles.remove(),
    );
  }
  return {
    name: [name, ...(user.user_id === session.me.user.user_id ? [badge('You', 'accent')] : []), ...(user.deleted_at ? [badge('Deleted', 'bad')] : []), ...(user.is_locked ? [badge('Locked', 'bad')] : []), ...(user.is_active ? [] : [badge('Switched off', 'bad')])],
    facts: [name === user.email ? null : user.email, user.email_verified ? null : 'address not verified', user.last_login_at ? time(user.last_login_at, 'signed in ') : 'never signed in', user.deleted_at && time(user.deleted_at, 'deleted ')],
    more: [roles],
    actions: [user.deleted_at ? members.context.can('users:delete', 'organization') && button('Restore', () => api.ask('POST', `/v1/users/${user.user_id}/restore`).then(members.again), name) : button('Manage', () => member_manage(members, user), name)],
  };
}

const assignment_text = ({ tenants }: Members, role: Assignment): string =>
  role.tenant_id === null ? role_title(role) : `${role_title(role)} in ${tenants.find(({ tenant_id }) => tenant_id === role.tenant_id)?.name ?? 'a tenant'}`;

const where_options = ({ tenants }: Members): Option[] => [{ value: '', title: 'Everywhere in the organization' }, ...tenants.map(({ tenant_id, name }) => ({ value: tenant_id, title: `Only in ${name}` }))];

/** Where no mail is set up the server hands out the link itself. */
function link_show(title: string, text: string, link: string): Promise<void> {
  const address = new URL(link, location.origin).href;
  const dialog: Dialog = new Dialog(title, [element('p', { class: 'dialog-text' }, text), secret_box('Link', address), element('div', { class: 'form-actions' }, button('Done', () => dialog.close(), '', 'primary'))], true);
  return dialog.closed;
}
interface Invited {
  link?: string;
  mailed?: boolean;
}

async function member_invite(members: Members): Promise<void> {
  const { api, can } = members.context;
  let invited: Invited | null = null;
  let email = '';
  const gives = can('roles:assign', 'organization');
  await dialog_ask('Invite somebody', {
    fields: [
      { type: 'email', name: 'email', label: 'E-mail', required: true, inputmode: 'email' },
      { type: 'text', name: 'first_name', label: 'First name', maxlength: 128 },
      { type: 'text', name: 'last_name', label: 'Last name', maxlength: 128 },
      ...(gives
        ? [
            { type: 'select' as const, name: 'role', label: 'Role', value: members.roles.find(({ role_type }) => role_type === 'viewer')?.role_id ?? '', options: [{ value: '', title: 'None yet' }, ...members.roles.map((role) => ({ value: role.role_id, title: role_title(role) }))] },
            { type: 'select' as const, name: 'role_tenant_id', label: 'Where', options: where_options(members) },
          ]
        : []),
    ],
    submit: 'Invite',
    busy: 'Inviting…',
    run: async (values) => {
      email = text_of(values, 'email');
      const given = Object.entries({ email, first_name: text_of(values, 'first_name'), last_name: text_of(values, 'last_name'), role: text_of(values, 'role'), role_tenant_id: text_of(values, 'role') && text_of(values, 'role_tenant_id') });
      invited = await api.ask<Invited>('POST', '/v1/users', { body: Object.fromEntries(given.filter(([, value]) => value)) });
    },
  });
  if (!invited) return;
  members.again();
  const { link } = invited as Invited;
  if (link) await link_show('Invitation', `No mail is set up here: give this link to ${email} yourself. It lets them choose a password, once.`, link);
}

// --- one member -----------------------------------------------------------------------------------------------------

async function member_manage(members: Members, user: Member): Promise<void> {
  const { can } = members.context;
  const dialog = new Dialog(member_name(user), [
    element('p', { class: 'dialog-text' }, user.email),
    roles_part(members, user),
    ...(can('users:read', 'organization') ? [sessions_part(members, user)] : []),
    ...(can('users:write', 'organization') || can('users:delete', 'organization') ? [actions_part(members, user, () => dialog.close())] : []),
  ]);
  await dialog.closed;
  members.again();
}

const part = (title: string, ...children: Node[]): HTMLElement => element('section', { class: 'dialog-part', 'aria-label': title }, element('h3', {}, title), ...children);

function roles_part(members: Members, user: Member): HTMLElement {
  const { api, can } = members.context;
  const path = `/v1/users/${user.user_id}/roles`;
  const assigns = can('roles:assign', 'organization');
  const loaded: Loaded = new Loaded(async () => {
    const { data } = await api.get<{ data: Assignment[] }>(path);
    if (data.length === 0) return [element('p', { class: 'panel-text' }, 'No role: nothing is open to this person.')];
    return [
      things(
        data.map((role) => ({
          name: [assignment_text(members, role)],
          facts: [role.expires_at && time(role.expires_at, 'until ')],
          actions: [assigns && button('Remove', () => dialog_confirm('Remove this role?', `${member_name(user)} is no longer ${assignment_text(members, role)}, within a second.`, 'Remove role', () => api.ask('DELETE', `${path}/${role.user_role_id}`)).then((done) => (done ? loaded.again() : undefined)), assignment_text(members, role))],
        })),
        'Roles',
      ),
    ];
  });
  if (!assigns || members.roles.length === 0) return part('Roles', loaded.root);
  const form = new Form({
    fields: [
      { type: 'select', name: 'role_id', label: 'Give a role', options: members.roles.map((role) => ({ value: role.role_id, title: role_title(role) })) },
      { type: 'select', name: 'tenant_id', label: 'Where', options: where_options(members) },
      { type: 'datetime-local', name: 'expires_at', label: 'Until', help: 'Empty: for good.' },
    ],
    submit: 'Give role',
    run: async (values) => {
      const body = { role_id: values.role_id, tenant_id: text_of(values, 'tenant_id') || null, expires_at: iso_of(text_of(values, 'expires_at')) };
      await api.ask('POST', path, { body });
      await loaded.again();
    },
  });
  form.root.classList.add('form-row');
  return part('Roles', loaded.root, form.root);
}

function sessions_part({ context: { api, can } }: Members, user: Member): HTMLElement {
  const path = `/v1/users/${user.user_id}/sessions`;
  const loaded: Loaded = new Loaded(async () => {
    const { data } = await api.get<{ data: SessionRow[] }>(path);
    if (data.length === 0) return [element('p', { class: 'panel-text' }, 'Not signed in anywhere.')];
    const end = button('End all', () => dialog_confirm('End all sessions?', `${member_name(user)} is signed out everywhere within a second.`, 'End all', () => api.ask('DELETE', path)).then((done) => (done ? loaded.again() : undefined)), 'sessions');
    return [session_things(data, null), ...(can('users:write', 'organization') ? [element('div', { class: 'form-actions' }, end)] : [])];
  });
  return part('Sessions', loaded.root);
}

function actions_part({ context: { api, can, session } }: Members, user: Member, close: () => void): HTMLElement {
  const path = `/v1/users/${user.user_id}`;
  const name = member_name(user);
  const said = element('p', { class: 'form-done', role: 'status' });
  const own = user.user_id === session.me.user.user_id;
  const writes = can('users:write', 'organization');
  const ask = (title: string, text: string, submit: string, run: () => Promise<unknown>, closes = false): Promise<void> =>
    dialog_confirm(title, text, submit, run).then((done) => {
      if (done && closes) close();
      else if (done) said.textContent = 'Done.';
    });
  const reset = async (): Promise<void> => {
    const { link } = await api.ask<Invited>('POST', `${path}/password-reset`);
    if (link) await link_show('New password', `No mail is set up here: give this link to ${user.email} yourself.`, link);
    else said.textContent = 'A mail with a link is on its way.';
  };
  const unlock = async (): Promise<void> => {
    await api.ask('POST', `${path}/unlock`);
    said.textContent = 'Unlocked; wrong passwords and codes are forgotten.';
  };
  return part(
    'Account',
    element(
      'div',
      { class: 'button-line' },
      ...(writes ? [button('Send a password link', reset), button('Unlock', unlock), button('Remove second factor', () => ask('Remove the second factor?', `${name} then signs in with the password alone. Make sure that it is really they who ask.`, 'Remove', () => api.ask('DELETE', `${path}/mfa`)))] : []),
      ...(writes && !own && !user.is_locked ? [button('Lock', () => ask(`Lock ${name}?`, 'All sessions end within a second, and signing in is refused until you unlock.', 'Lock', () => api.ask('POST', `${path}/lock`), true), '', 'secondary danger')] : []),
      ...(can('users:delete', 'organization') && !own ? [button('Delete', () => ask(`Delete ${name}?`, 'All sessions end within a second. You can restore the account for 90 days.', 'Delete', () => api.ask('DELETE', path), true), '', 'secondary danger')] : []),
    ),
    said,
  );
}
