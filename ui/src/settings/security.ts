// SPDX-License-Identifier: Apache-2.0
// Password, second factor, sessions and trusted devices of oneself.
import { ApiError } from '../api';
import { Dialog, copy_button, dialog_ask, dialog_confirm, secret_box } from '../dialog';
import { element } from '../dom';
import { Form, text_of, type Field } from '../form';
import { Loaded, agent_text, badge, button, empty, panel, things, time, type Context } from './parts';
import { qr_make } from './qr';

export interface SessionRow {
  session_id: string;
  ip_address: string;
  user_agent: string;
  method: string;
  created_at: string;
  last_used_at: string;
  expires_at: string;
  is_current: boolean;
}
interface Device {
  device_id: string;
  device_name: string;
  created_at: string;
  last_used_at: string | null;
  expires_at: string;
}

export function security_make(context: Context): HTMLElement[] {
  const sessions = sessions_make(context);
  return [password_make(context, () => void sessions.loaded.again()), factor_make(context), sessions.root, devices_make(context)];
}

// --- password -------------------------------------------------------------------------------------------------------

function password_make(context: Context, done: () => void): HTMLElement {
  if (!context.session.me.user.has_password) {
    return panel('Password', '', [], element('p', { class: 'panel-text' }, 'You sign in by single sign-on and have no password. To get one, sign out and choose “Forgot password?”.'));
  }
  const form = new Form({
    fields: [
      { type: 'password', name: 'current', label: 'Current password', autocomplete: 'current-password', required: true },
      { type: 'password', name: 'new', label: 'New password', autocomplete: 'new-password', required: true, help: 'At least 12 characters. Sentences make good passwords.' },
      { type: 'password', name: 'again', label: 'The new one again', autocomplete: 'new-password', required: true },
    ],
    submit: 'Change password',
    busy: 'Changing…',
    run: async (values, form) => {
      if (values.new !== values.again) throw new ApiError('The two are not the same.', 400, 'differs', '', 0, 'again');
      await context.api.ask('POST', '/v1/auth/password', { body: { current: values.current, new: values.new } });
      form.root.reset();
      form.say('Changed. Your other sessions have ended.');
      done();
    },
  });
  return panel('Password', 'Your other sessions end when you change it.', [], form.root);
}

// --- second factor --------------------------------------------------------------------------------------------------

const CODE: Field = { type: 'text', name: 'code', label: 'Code', autocomplete: 'one-time-code', required: true, maxlength: 16, help: 'Six digits of your app, or a backup code.' };

function factor_make(context: Context): HTMLElement {
  const { session, api } = context;
  const place = element('div', {});
  const changed = async (): Promise<void> => {
    await session.reload();
    show();
  };
  const show = (): void => {
    const { mfa_enabled, has_password } = session.me.user;
    const line = element('div', { class: 'panel-line' });
    if (!mfa_enabled) {
      line.append(badge('Off'), element('span', { class: 'panel-grow' }, 'A stolen password is then enough to get in.'), button('Set up', () => factor_setup(context, changed), 'the second factor', 'primary'));
    } else {
      const password: Field[] = has_password ? [{ type: 'password', name: 'password', label: 'Password', autocomplete: 'current-password', required: true }] : [];
      const renew = async (): Promise<void> => {
        let codes: string[] = [];
        const done = await dialog_ask('New backup codes', {
          before: [element('p', { class: 'dialog-text' }, 'The old ones stop working.')],
          fields: [CODE],
          submit: 'Make new codes',
          run: async (values) => {
            codes = (await api.ask<{ backup_codes: string[] }>('POST', '/v1/auth/mfa/backup-codes', { body: { code: text_of(values, 'code') } })).backup_codes;
          },
        });
        if (done) codes_show(codes);
      };
      const disable = async (): Promise<void> => {
        const done = await dialog_confirm(
          'Turn off the second factor?',
          'Your password alone is then enough to get in. Backup codes and trusted devices are forgotten.',
          'Turn off',
          (values) => api.ask('POST', '/v1/auth/mfa/disable', { body: { ...(has_password ? { password: values.password } : {}), code: text_of(values, 'code') } }),
          [...password, CODE],
        );
        if (done) await changed();
      };
      line.append(badge('On', 'good'), element('span', { class: 'panel-grow' }, 'You are asked for a code of your app when you sign in.'), button('New backup codes', renew), button('Turn off', disable, 'the second factor', 'secondary danger'));
    }
    place.replaceChildren(line);
  };
  show();
  return panel('Second factor', 'A code of an authenticator app besides the password.', [], place);
}

function codes_show(codes: string[]): void {
  const dialog: Dialog = new Dialog('Your backup codes', codes_nodes(codes, () => dialog.close()), true);
}

async function factor_setup(context: Context, changed: () => Promise<void>): Promise<void> {
  const made = await context.api.ask<{ secret: string; otpauth_url: string }>('POST', '/v1/auth/mfa/setup', { body: {} });
  const form = new Form({
    fields: [{ ...CODE, type: 'text', inputmode: 'numeric', help: 'Six digits that the app shows now.' }],
    submit: 'Turn on',
    busy: 'Checking…',
    run: async (values) => {
      const { backup_codes } = await context.api.ask<{ backup_codes: string[] }>('POST', '/v1/auth/mfa/enable', { body: { code: text_of(values, 'code') } });
      dialog.fill('Your backup codes', codes_nodes(backup_codes, () => dialog.close()), true);
      await changed();
    },
  });
  const dialog: Dialog = new Dialog('Set up the second factor', [
    element('p', { class: 'dialog-text' }, 'Scan this with an authenticator app on your phone, or enter the text into it by hand.'),
    qr_make(made.otpauth_url, 'QR code for your authenticator app'),
    secret_box('Secret for your authenticator app', made.secret),
    form.root,
  ]);
}

function codes_nodes(codes: string[], close: () => void): Node[] {
  const text = codes.join('\n');
  const download = button('Download', () => {
    const file = URL.createObjectURL(new Blob([`Backup codes for Millrace, each good once:\n\n${text}\n`], { type: 'text/plain' }));
    element('a', { href: file, download: 'millrace-backup-codes.txt' }).click();
    URL.revokeObjectURL(file);
  });
  return [
    element('p', { class: 'dialog-text' }, 'Each of these lets you in once when your phone is not at hand. They are shown only now: keep them where you keep passwords.'),
    element('div', { class: 'codes-box' }, element('code', { class: 'codes', tabindex: '0', 'aria-label': 'Backup codes' }, ...codes.map((code) => element('span', {}, code))), copy_button(text, 'Copy all'), download),
    element('div', { class: 'form-actions' }, button('I have kept them', close, '', 'primary')),
  ];
}

// --- sessions and devices -------------------------------------------------------------------------------------------

const METHODS: Record<string, string> = { password: 'by password', oidc: 'by single sign-on' };

export function session_things(rows: SessionRow[], end: ((row: SessionRow) => void) | null): HTMLElement {
  return things(
    rows.map((row) => ({
      name: [agent_text(row.user_agent), ...(row.is_current ? [badge('This one', 'accent')] : [])],
      facts: [row.ip_address, time(row.last_used_at, 'used '), time(row.created_at, 'since '), METHODS[row.method] ?? row.method],
      actions: [end && !row.is_current && button('End', () => end(row), `session of ${agent_text(row.user_agent)}`)],
    })),
    'Sessions',
  );
}

function sessions_make(context: Context): { root: HTMLElement; loaded: Loaded } {
  const { api } = context;
  const end = async (row: SessionRow): Promise<void> => {
    const done = await dialog_confirm('End this session?', `${agent_text(row.user_agent)} at ${row.ip_address} is signed out within a second.`, 'End session', () => api.ask('DELETE', `/v1/auth/sessions/${row.session_id}`));
    if (done) await loaded.again();
  };
  const others = button('End all others', async () => {
    const done = await dialog_confirm('End all other sessions?', 'Everywhere but here you are signed out within a second.', 'End all others', () => api.ask('DELETE', '/v1/auth/sessions'));
    if (done) await loaded.again();
  });
  const loaded = new Loaded(async () => {
    const { data } = await api.get<{ data: SessionRow[] }>('/v1/auth/sessions');
    others.hidden = data.length < 2;
    return [session_things(data, (row) => void end(row))];
  });
  return { root: panel('Sessions', 'Where you are signed in.', [others], loaded.root), loaded };
}

function devices_make(context: Context): HTMLElement {
  const { api } = context;
  const forget = async (device: Device): Promise<void> => {
    const name = agent_text(device.device_name);
    const done = await dialog_confirm('Forget this device?', `${name} is asked for the second factor at its next sign-in.`, 'Forget', () => api.ask('DELETE', `/v1/auth/devices/${device.device_id}`));
    if (done) await loaded.again();
  };
  const all = button('Ask all again', async () => {
    const done = await dialog_confirm('Ask every device again?', 'Each asks for the second factor at its next sign-in.', 'Ask all again', () => api.ask('DELETE', '/v1/auth/devices'));
    if (done) await loaded.again();
  });
  const loaded = new Loaded(async () => {
    const { data } = await api.get<{ data: Device[] }>('/v1/auth/devices');
    all.hidden = data.length < 2;
    if (data.length === 0) return [empty('No trusted devices', 'When you show your second factor you can have a browser remembered for 30 days.')];
    return [
      things(
        data.map((device) => ({
          name: [agent_text(device.device_name)],
          facts: [device.last_used_at && time(device.last_used_at, 'used '), time(device.expires_at, 'trusted until ')],
          actions: [button('Forget', () => void forget(device), agent_text(device.device_name))],
        })),
        'Trusted devices',
      ),
    ];
  });
  return panel('Trusted devices', 'Browsers that are not asked for the second factor.', [all], loaded.root);
}
