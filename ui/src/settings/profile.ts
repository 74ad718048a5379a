// SPDX-License-Identifier: Apache-2.0
// One's own name, time zone and language.
import { error_text } from '../api';
import { element } from '../dom';
import { Form, text_of, type Option } from '../form';
import type { Me } from '../session';
import { timezones } from '../state';
import { badge, button, panel, role_title, things, time, type Context } from './parts';

const LANGUAGES = ['en', 'de', 'fr', 'es', 'it', 'pt', 'nl', 'pl', 'sv', 'da', 'nb', 'fi', 'cs', 'uk', 'tr', 'ar', 'hi', 'ja', 'ko', 'zh'];

function languages(selected: string): Option[] {
  const names = new Intl.DisplayNames(['en'], { type: 'language', fallback: 'code' });
  const title = (code: string): string => {
    try {
      return names.of(code) ?? code;
    } catch {
      return code;
    }
  };
  return [...new Set([...LANGUAGES, selected])].filter(Boolean).map((code) => ({ value: code, title: title(code) }));
}

export function profile_make(context: Context): HTMLElement[] {
  const { api, session } = context;
  const { user, roles, tenants, organization } = session.me;
  const form = new Form({
    fields: [
      { type: 'text', name: 'first_name', label: 'First name', value: user.first_name, autocomplete: 'given-name', maxlength: 128 },
      { type: 'text', name: 'last_name', label: 'Last name', value: user.last_name, autocomplete: 'family-name', maxlength: 128 },
      { type: 'select', name: 'timezone', label: 'Time zone', value: user.timezone, options: timezones(user.timezone || 'UTC').map((zone) => ({ value: zone, title: zone.replace(/_/g, ' ') })) },
      { type: 'select', name: 'language', label: 'Language', value: user.language, options: languages(user.language || 'en') },
    ],
    submit: 'Save',
    busy: 'Saving…',
    run: async (values, form) => {
      const body = Object.fromEntries(['first_name', 'last_name', 'timezone', 'language'].map((name) => [name, text_of(values, name)]));
      session.adopt(await api.ask<Me>('PATCH', '/v1/auth/me', { body }));
      form.say('Saved.');
    },
  });
  const tenant_name = (id: string | null): string => (id === null ? 'everywhere' : (tenants.find(({ tenant_id }) => tenant_id === id)?.name ?? 'one tenant'));
  return [
    panel('Account', '', [], account(context)),
    panel('You', 'The time zone and the language are used in mails and reports.', [], form.root),
    panel(
      'What you are here',
      organization ? `In ${organization.name}.` : '',
      [],
      roles.length === 0
        ? element('p', { class: 'panel-text' }, 'You have no role yet: an administrator must give you one.')
        : things(roles.map((role) => ({ name: [role_title(role)], facts: [tenant_name(role.tenant_id), role.expires_at && time(role.expires_at, 'until ')] })), 'Your roles'),
    ),
  ];
}

function account(context: Context): HTMLElement {
  const { email, email_verified } = context.session.me.user;
  const said = element('p', { class: 'form-done', role: 'status' });
  const resend = button('Send the link again', async () => {
    resend.disabled = true;
    try {
      await context.api.ask('POST', '/v1/auth/email/resend', { body: {} });
      said.textContent = 'A mail is on its way.';
    } catch (error) {
      said.textContent = error_text(error);
    }
    resend.disabled = false;
  });
  return element(
    'div',
    { class: 'panel-line' },
    element('span', { class: 'panel-strong' }, email),
    email_verified ? badge('Verified', 'good') : badge('Not verified', 'bad'),
    email_verified ? null : resend,
    said,
  );
}
