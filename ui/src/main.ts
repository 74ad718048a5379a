// SPDX-License-Identifier: Apache-2.0
// Starts the page: who is here (a key, a signed-in user, nobody), and which view the address names.
import './style.css';
import { Api, error_text, key_credentials } from './api';
import { Dashboard } from './dashboard';
import { element, icon } from './dom';
import { Session } from './session';
import { Settings } from './settings/settings';
import { signin_make, type SigninTask } from './signin';
import { theme_start } from './theme';
import { Topbar, link, type Frame } from './topbar';

const STORAGE = 'millrace.key';
const app = document.getElementById('app')!;

interface View {
  root: HTMLElement;
  start: () => void;
  stop: () => void;
}
let api: Api | null = null;
let session: Session | null = null;
let view: View | null = null;
let bar: Topbar | null = null;
let numbers = './';

const in_settings = (): boolean => /^settings(\/|$)/.test(new URLSearchParams(location.search).get('view') ?? '');

const frame: Frame = {
  go: (search) => {
    history.pushState(null, '', search);
    show();
  },
  numbers: () => numbers,
  refresh: () => show(),
  leave: (message) => void leave(message),
};

/** What fragments of the address ask for; those of mails are named by the server (control/account.c). */
const TASKS: Record<string, SigninTask['kind']> = { key: 'key', 'reset-password': 'reset', 'verify-email': 'verify', error: 'error' };

/** Fragments are taken out of the address at once, so that secrets are neither copied nor remembered. */
function task_from_address(): SigninTask | null {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const name = Object.keys(TASKS).find((task) => fragment.has(task));
  if (!name) return null;
  history.replaceState(null, '', location.pathname + location.search);
  const text = fragment.get(name)!.trim();
  return text ? { kind: TASKS[name]!, text } : null;
}

function end(): void {
  view?.stop();
  bar?.stop();
  view = bar = null;
  // Whatever was open over a view goes with it.
  for (const dialog of document.querySelectorAll('dialog')) dialog.close();
}

function ask_in(message: string, task: SigninTask | null): void {
  end();
  api = session = null;
  document.title = 'Sign in · Millrace';
  app.replaceChildren(signin_make({ key: enter_by_key, user: () => void enter_by_cookie('You are signed in, but the browser did not keep the cookie.') }, message, task));
}

/** A message means that the server has shown the door. */
async function leave(message: string): Promise<void> {
  if (!api) return;
  const by_key = session === null;
  sessionStorage.removeItem(STORAGE);
  if (session && !message) {
    try {
      await session.close();
    } catch (error) {
      // The cookies are still good: saying "signed out" would be a lie.
      return notice(`You are not signed out: ${error_text(error)}`);
    }
    numbers = './';
    history.replaceState(null, '', './');
  }
  ask_in(message, by_key ? { kind: 'key', text: '' } : null);
}

function notice(text: string): void {
  const close = element('button', { type: 'button', class: 'icon-button', 'aria-label': 'Close', onclick: () => box.remove() }, icon('close'));
  const box = element('div', { class: 'notice', role: 'alert' }, element('span', {}, text), close);
  app.append(box);
}

function enter_by_key(key: string): void {
  sessionStorage.setItem(STORAGE, key);
  session = null;
  api = new Api(key_credentials(key));
  show();
}

/** `otherwise` is said when there turns out to be nobody. */
async function enter_by_cookie(otherwise: string): Promise<void> {
  try {
    session = await Session.open();
  } catch (error) {
    return ask_in(error_text(error), null);
  }
  if (!session) return ask_in(otherwise, null);
  session.ended = () => frame.leave('Your session has ended. Sign in again.');
  api = session.api;
  show();
}

/** Nothing to look at yet: says how to get there. */
class Welcome implements View {
  readonly root: HTMLElement;
  constructor(topbar: Topbar) {
    this.root = element(
      'div',
      { class: 'app' },
      topbar.root,
      element(
        'main',
        { class: 'page' },
        element('div', { class: 'card nothing' }, icon('empty'), element('h1', {}, 'No tenant yet'), element('p', {}, 'Events belong to a tenant: a website, a project or an account. None is open to you so far.'), link(frame, '?view=settings/tenants', { class: 'primary' }, 'Go to tenants')),
      ),
    );
  }
  start(): void {
    document.title = 'Millrace';
  }
  stop(): void {}
}

/** Draws what the address names. */
function show(): void {
  if (!api) return;
  if (view instanceof Dashboard) numbers = view.address();
  end();
  if (session && in_settings()) {
    bar = new Topbar(session, frame, 'settings');
    view = new Settings(session, bar, frame);
  } else {
    bar = new Topbar(session, frame, 'numbers');
    view = session && !session.tenant() ? new Welcome(bar) : new Dashboard(api, bar, frame.leave);
  }
  app.replaceChildren(view.root);
  view.start();
}

function start(task: SigninTask | null): void {
  const key = task?.kind === 'key' ? task.text : sessionStorage.getItem(STORAGE);
  if (task && task.kind !== 'key') ask_in('', task);
  else if (key) enter_by_key(key);
  else void enter_by_cookie('');
}

theme_start();
start(task_from_address());
// A link with a key or a token, opened in a tab that already shows the page, only changes the fragment.
window.addEventListener('hashchange', () => {
  const task = task_from_address();
  if (task) start(task);
});
window.addEventListener('popstate', () => {
  // The numbers follow their own addresses.
  if (!(view instanceof Dashboard && !in_settings())) show();
});
