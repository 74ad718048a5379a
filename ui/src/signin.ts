// SPDX-License-Identifier: Apache-2.0
// The sign-in card: asks for the secret key and tries it before letting anyone in.
import { Api, ApiError } from './api';
import { element, icon, set_attribute, set_text } from './dom';
import { now_in } from './state';

/** Throws the server's refusal when the key cannot read. */
export async function key_try(key: string): Promise<void> {
  const today = now_in('UTC').slice(0, 10);
  await new Api(key).timeseries(new URLSearchParams({ measures: 'visitors', from: today, to: today, interval: 'day', timezone: 'UTC' }));
}

export function signin_make(message: string, enter: (key: string) => void): HTMLElement {
  const error = element('p', { class: 'field-error', role: 'alert', id: 'key-error' }, message);
  const input = element('input', {
    type: 'password',
    id: 'key',
    name: 'key',
    required: true,
    autocomplete: 'current-password',
    spellcheck: 'false',
    autocapitalize: 'none',
    'aria-describedby': 'key-help key-error',
    'aria-invalid': message ? 'true' : null,
  });
  const button = element('button', { type: 'submit', class: 'primary' }, 'Sign in');
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const key = input.value.trim();
    if (!key) {
      set_text(error, 'Enter the secret key.');
      return;
    }
    if (/[^\x21-\x7e]/.test(key)) {
      // Such a key cannot travel in a header; say so rather than "unreachable".
      set_text(error, 'This is not a key: it has spaces or characters no key has.');
      set_attribute(input, 'aria-invalid', 'true');
      return;
    }
    button.disabled = true;
    set_text(button, 'Signing in…');
    set_text(error, '');
    try {
      await key_try(key);
      enter(key);
    } catch (failure) {
      set_text(error, failure instanceof ApiError ? failure.message : String(failure));
      set_attribute(input, 'aria-invalid', 'true');
      button.disabled = false;
      set_text(button, 'Sign in');
      input.focus();
      input.select();
    }
  };
  const root = element(
    'main',
    { class: 'signin' },
    element(
      'form',
      { class: 'signin-card', onsubmit: (event: Event) => void submit(event), novalidate: true },
      element('div', { class: 'brand' }, element('span', { class: 'brand-mark' }, icon('mark')), 'Millrace'),
      element('h1', {}, 'Sign in to your numbers'),
      element('p', { class: 'signin-help', id: 'key-help' }, 'Enter the secret key of your tenant. It stays in this browser tab and is forgotten when you close it.'),
      element('label', { for: 'key' }, 'Secret key'),
      input,
      error,
      button,
    ),
  );
  queueMicrotask(() => input.focus());
  return root;
}
