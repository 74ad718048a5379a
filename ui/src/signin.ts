// SPDX-License-Identifier: Apache-2.0
// The sign-in card and its steps: password, second factor, forgotten password, links of mails, single sign-on, or a key.
import { Api, ApiError, error_text, key_credentials, nobody } from './api';
import { element, icon } from './dom';
import { Form, text_of, type FormSettings } from './form';
import { now_in } from './state';

export interface SigninDoors {
  /** With a tenant's secret key. */
  key: (key: string) => void;
  /** By cookies, which the server has set. */
  user: () => void;
}
/** What a link of a mail, or a refused single sign-on, asks for. */
export interface SigninTask {
  kind: 'reset' | 'verify' | 'error' | 'key';
  text: string;
}

const SSO_ERRORS: Record<string, string> = {
  sso_expired: 'This sign-on took too long or was begun in another browser. Try again.',
  sso_denied: 'Your provider did not confirm the sign-on.',
  sso_unavailable: 'Your provider could not be reached. Try again in a moment.',
  sso_token_refused: 'The answer of your provider could not be trusted. Tell an administrator.',
  sso_email_unverified: 'Your provider has not verified your e-mail address.',
  sso_no_account: 'There is no account for you here. Ask an administrator to invite you.',
  sso_account_locked: 'Your account is locked. Ask an administrator.',
  sso_account_protected: 'This account does not accept single sign-on. Sign in with your password.',
  sso_account_elsewhere: 'An account with your address belongs to another organization.',
};
const api = new Api(nobody);

/** Throws the server's refusal when the key cannot read. */
async function key_try(key: string): Promise<void> {
  const today = now_in('UTC').slice(0, 10);
  const question = new URLSearchParams({ measures: 'visitors', from: today, to: today, interval: 'day', timezone: 'UTC' });
  await new Api(key_credentials(key)).timeseries(question);
}

class Card {
  private readonly card = element('div', { class: 'signin-card' });
  readonly root = element('main', { class: 'signin' }, this.card);

  constructor(private readonly doors: SigninDoors) {}

  password(message = '', email = ''): void {
    const form = this.show('Sign in to your numbers', '', {
      fields: [
        { type: 'email', name: 'email', label: 'E-mail', autocomplete: 'username', required: true, value: email, inputmode: 'email' },
        { type: 'password', name: 'password', label: 'Password', autocomplete: 'current-password', required: true },
        { type: 'checkbox', name: 'remember', label: 'Stay signed in for 30 days' },
      ],
      submit: 'Sign in',
      busy: 'Signing in…',
      run: async (values) => {
        const answer = await api.ask<{ mfa_required?: boolean; mfa_token?: string }>('POST', '/v1/auth/login', {
          body: { email: text_of(values, 'email'), password: values.password, remember: values.remember, cookies: true },
        });
        if (answer.mfa_required && answer.mfa_token) this.second_factor(answer.mfa_token, text_of(values, 'email'));
        else this.doors.user();
      },
    }, message);
    if (email) form.input('password').focus();
    const ways = element('div', { class: 'signin-ways' });
    this.card.append(
      ways,
      element('div', { class: 'signin-links' }, this.step('Forgot password?', () => this.forgot(form.input('email').value)), this.step('Use a secret key instead', () => this.key())),
    );
    void this.providers(ways);
  }

  private second_factor(mfa_token: string, email: string): void {
    this.show('Second factor', 'Enter the six digits that your authenticator app shows, or one of your backup codes.', {
      fields: [
        { type: 'text', name: 'code', label: 'Code', autocomplete: 'one-time-code', required: true, maxlength: 16 },
        { type: 'checkbox', name: 'trust_device', label: 'Do not ask in this browser for 30 days' },
      ],
      submit: 'Continue',
      busy: 'Checking…',
      run: async (values) => {
        try {
          await api.ask('POST', '/v1/auth/mfa', { body: { mfa_token, code: text_of(values, 'code'), trust_device: values.trust_device } });
        } catch (error) {
          // The first step has run out; the words say so.
          if (error instanceof ApiError && error.field === 'mfa_token') return this.password(error.message, email);
          throw error;
        }
        this.doors.user();
      },
    });
    this.links(this.step('Back', () => this.password('', email)));
  }

  private forgot(email: string): void {
    this.show('Forgot your password?', 'Enter your e-mail address, and we send you a link to choose a new one.', {
      fields: [{ type: 'email', name: 'email', label: 'E-mail', autocomplete: 'username', required: true, value: email, inputmode: 'email' }],
      submit: 'Send the link',
      busy: 'Sending…',
      run: async (values) => {
        await api.ask('POST', '/v1/auth/password/forgot', { body: { email: text_of(values, 'email') } });
        this.told('Look into your mail', `If ${text_of(values, 'email')} has an account here, a link is on its way. It is good for an hour. No mail? Look among unwanted mail, or ask an administrator.`);
      },
    });
    this.links(this.step('Back to sign-in', () => this.password()));
  }

  reset(token: string): void {
    this.show('Choose a password', 'At least 12 characters. Sentences make good passwords. All your other sessions end.', {
      fields: [
        { type: 'password', name: 'password', label: 'New password', autocomplete: 'new-password', required: true },
        { type: 'password', name: 'again', label: 'The same again', autocomplete: 'new-password', required: true },
      ],
      submit: 'Set password',
      busy: 'Setting…',
      run: async (values) => {
        if (values.password !== values.again) throw new ApiError('The two are not the same.', 400, 'differs', '', 0, 'again');
        await api.ask('POST', '/v1/auth/password/reset', { body: { token, password: values.password } });
        this.told('Your password is set', 'Sign in with it now.');
      },
    });
    this.links(this.step('Back to sign-in', () => this.password()));
  }

  verify(token: string): void {
    this.told('Verifying your address…', '');
    api.ask('POST', '/v1/auth/email/verify', { body: { token } }).then(
      () => this.told('Your address is verified', 'Thank you. You can go on.', 'Continue', () => this.doors.user()),
      (error) => this.told('Your address could not be verified', error_text(error)),
    );
  }

  key(message = ''): void {
    this.show('Sign in with a key', 'Enter the secret key of your tenant. It stays in this browser tab and is forgotten when you close it.', {
      fields: [{ type: 'password', name: 'key', label: 'Secret key', required: true }],
      submit: 'Sign in',
      busy: 'Signing in…',
      run: async (values) => {
        const key = text_of(values, 'key');
        const refuse = (text: string): ApiError => new ApiError(text, 400, 'bad_key', '', 0, 'key');
        // Such a key cannot travel in a header; say so rather than "unreachable".
        if (/[^\x21-\x7e]/.test(key)) throw refuse('This is not a key: it has spaces or characters no key has.');
        await key_try(key).catch((error) => {
          throw error instanceof ApiError ? refuse(error_text(error)) : error;
        });
        this.doors.key(key);
      },
    }, message, 'key');
    this.links(this.step('Use e-mail and password instead', () => this.password()));
  }

  private show(title: string, help: string, settings: FormSettings, message = '', field = ''): Form {
    const form = new Form(settings);
    this.card.replaceChildren(this.brand(), element('h1', {}, title), ...(help ? [element('p', { class: 'signin-help' }, help)] : []), form.root);
    if (message) form.fail(new ApiError(message, 400, '', '', 0, field));
    queueMicrotask(() => form.focus());
    return form;
  }
  private told(title: string, text: string, next = 'Sign in', go: () => void = () => this.password()): void {
    const button = element('button', { type: 'button', class: 'primary', onclick: go }, next);
    this.card.replaceChildren(this.brand(), element('h1', {}, title), element('p', { class: 'signin-help', role: 'status' }, text), ...(text ? [button] : []));
    if (text) button.focus();
  }
  private brand(): HTMLElement {
    return element('div', { class: 'brand' }, element('span', { class: 'brand-mark' }, icon('mark')), 'Millrace');
  }
  private step(text: string, go: () => void): HTMLElement {
    return element('button', { type: 'button', class: 'text-button', onclick: go }, text);
  }
  private links(...links: HTMLElement[]): void {
    this.card.append(element('div', { class: 'signin-links' }, ...links));
  }

  /** Single sign-on, where it is set up. Not having it is no error. */
  private async providers(place: HTMLElement): Promise<void> {
    const { data } = await api.get<{ data: { code: string; name: string }[] }>('/v1/auth/oidc').catch(() => ({ data: [] }));
    if (data.length === 0) return;
    const back = encodeURIComponent(`/${location.search}`);
    place.append(
      element('p', { class: 'signin-or' }, 'or'),
      ...data.map(({ code, name }) => element('a', { class: 'secondary', href: `/v1/auth/oidc/${encodeURIComponent(code)}/start?return_to=${back}` }, `Continue with ${name}`)),
    );
  }
}

export function signin_make(doors: SigninDoors, message: string, task: SigninTask | null): HTMLElement {
  const card = new Card(doors);
  if (task?.kind === 'reset') card.reset(task.text);
  else if (task?.kind === 'verify') card.verify(task.text);
  else if (task?.kind === 'error') card.password(SSO_ERRORS[task.text] ?? `The sign-on failed (${task.text}).`);
  else if (task?.kind === 'key') card.key(message);
  else card.password(message);
  return card.root;
}
