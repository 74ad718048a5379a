// SPDX-License-Identifier: Apache-2.0
// The tenants of the organization: websites, projects, accounts; what events belong to.
import { ApiError } from '../api';
import { dialog_ask, dialog_confirm } from '../dialog';
import { element, icon } from '../dom';
import { text_of, type Field } from '../form';
import { all_of, badge, button, empty, paged, panel, things, time, type Context, type Thing } from './parts';

interface TenantRow {
  tenant_id: string;
  workspace_id: string;
  name: string;
  code: string;
  domain: string | null;
  is_active: boolean;
  created_at: string;
  deleted_at: string | null;
}
interface Workspace {
  workspace_id: string;
  name: string;
}

export function tenants_make(context: Context): HTMLElement[] {
  const { api, can, session, frame } = context;
  const place = element('div', {});
  let deleted = '';
  let workspaces: Promise<Workspace[]>;
  const show = (): void => {
    workspaces = all_of<Workspace>(api, '/v1/workspaces').catch(() => []);
    const path = (cursor: string | null): string => `/v1/tenants?${new URLSearchParams({ ...(deleted ? { include_deleted: deleted } : {}), ...(cursor ? { cursor } : {}) })}`;
    const draw = async (rows: TenantRow[]): Promise<Node[]> => {
      const known = await workspaces;
      return [rows.length === 0 ? empty('No tenant yet', 'Make one for each website, project or account whose events should stay apart.') : things(rows.map((row) => tenant_thing(context, row, known, changed)), 'Tenants')];
    };
    place.replaceChildren(paged<TenantRow>(context, path, draw).root);
  };
  // The bar at the top knows them too.
  const changed = async (): Promise<void> => {
    await session.reload();
    frame.refresh();
  };
  const create = async (): Promise<void> => {
    const known = await workspaces;
    const workspace: Field = known.length > 0 ? { type: 'select', name: 'workspace_id', label: 'Workspace', options: known.map(({ workspace_id, name }) => ({ value: workspace_id, title: name })) } : { type: 'text', name: 'workspace', label: 'Workspace', required: true, value: 'Default', maxlength: 128, help: 'There is none yet; tenants are grouped in workspaces.' };
    let made: TenantRow | null = null;
    let workspace_id = '';
    await dialog_ask('New tenant', {
      fields: [
        { type: 'text', name: 'name', label: 'Name', required: true, maxlength: 128 },
        { type: 'text', name: 'domain', label: 'Website', maxlength: 253, placeholder: 'shop.example' },
        { type: 'text', name: 'code', label: 'Code', maxlength: 64, help: 'Short name for scripts, a-z, 0-9 and -. Empty: made from the name. It stays.' },
        workspace,
      ],
      submit: 'Make tenant',
      busy: 'Making…',
      run: async (values) => {
        workspace_id ||= text_of(values, 'workspace_id') || (await api.ask<Workspace>('POST', '/v1/workspaces', { body: { name: text_of(values, 'workspace') } })).workspace_id;
        const given = Object.entries({ workspace_id, name: text_of(values, 'name'), domain: text_of(values, 'domain'), code: text_of(values, 'code') });
        try {
          made = await api.ask<TenantRow>('POST', '/v1/tenants', { body: Object.fromEntries(given.filter(([, value]) => value)) });
        } catch (error) {
          if (error instanceof ApiError && error.field === 'workspace_id') workspace_id = '';
          throw error;
        }
      },
    });
    if (!made) return;
    const { tenant_id } = made as TenantRow;
    await session.reload();
    session.choose(tenant_id);
    frame.refresh();
  };
  const select = element('select', { 'aria-label': 'Which tenants' }, element('option', { value: '' }, 'Tenants'), element('option', { value: 'true' }, 'With deleted ones'));
  select.addEventListener('change', () => {
    deleted = select.value;
    show();
  });
  show();
  return [panel('Tenants', 'What events belong to. Nothing of one is seen in another.', [element('span', { class: 'select' }, select, icon('down')), can('tenants:write', 'organization') ? button('New tenant', create, '', 'primary') : null], place)];
}

function tenant_thing({ api, can, session, frame }: Context, row: TenantRow, workspaces: Workspace[], changed: () => Promise<void>): Thing {
  const path = `/v1/tenants/${row.tenant_id}`;
  const writes = can('tenants:write', 'organization');
  const deletes = can('tenants:delete', 'organization');
  const current = session.tenant()?.tenant_id === row.tenant_id;
  const edit = async (): Promise<void> => {
    const done = await dialog_ask(`Edit “${row.name}”`, {
      fields: [
        { type: 'text', name: 'name', label: 'Name', required: true, maxlength: 128, value: row.name },
        { type: 'text', name: 'domain', label: 'Website', maxlength: 253, value: row.domain ?? '', placeholder: 'shop.example' },
        { type: 'checkbox', name: 'is_active', label: 'Active', checked: row.is_active, help: 'Switched off, its keys are refused: nothing comes in and nothing is answered.' },
      ],
      submit: 'Save',
      run: (values) => api.ask('PATCH', path, { body: { name: text_of(values, 'name'), domain: text_of(values, 'domain'), is_active: values.is_active } }),
    });
    if (done) await changed();
  };
  const remove = async (): Promise<void> => {
    const done = await dialog_confirm(
      `Delete “${row.name}”?`,
      'Its keys are refused within a second. You can restore it for 90 days; after that its events are deleted for good.',
      'Delete tenant',
      async (values) => {
        if (text_of(values, 'name') !== row.name) throw new ApiError('This is not its name.', 400, 'differs', '', 0, 'name');
        await api.ask('DELETE', path);
      },
      [{ type: 'text', name: 'name', label: `Type “${row.name}” to confirm`, required: true }],
    );
    if (done) await changed();
  };
  const look = (): void => {
    session.choose(row.tenant_id);
    frame.go('?');
  };
  return {
    name: [row.name, ...(current ? [badge('Chosen', 'accent')] : []), ...(row.deleted_at ? [badge('Deleted', 'bad')] : row.is_active ? [] : [badge('Switched off', 'bad')])],
    facts: [element('code', {}, row.code), row.domain, workspaces.find(({ workspace_id }) => workspace_id === row.workspace_id)?.name ?? null, row.deleted_at ? time(row.deleted_at, 'deleted ') : time(row.created_at, 'since ')],
    actions: row.deleted_at
      ? [deletes && button('Restore', () => api.ask('POST', `${path}/restore`).then(changed), row.name)]
      : [session.me.tenants.some(({ tenant_id }) => tenant_id === row.tenant_id) && button('Numbers', look, row.name), writes && button('Edit', edit, row.name), deletes && button('Delete', remove, row.name, 'secondary danger')],
  };
}
