// SPDX-License-Identifier: Apache-2.0
// Starts the page: takes a key from the address once, then shows either the sign-in card or the numbers.
import './style.css';
import { Dashboard } from './dashboard';
import { signin_make } from './signin';
import { theme_start } from './theme';

const STORAGE = 'millrace.key';

/** The key of `#key=…`; taken out of the address at once, so that it is neither copied nor remembered. */
function key_from_address(): string | null {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const key = fragment.get('key');
  if (key === null) return null;
  history.replaceState(null, '', location.pathname + location.search);
  return key.trim() || null;
}

const app = document.getElementById('app')!;
let dashboard: Dashboard | null = null;

function leave(message: string): void {
  sessionStorage.removeItem(STORAGE);
  dashboard?.stop();
  dashboard = null;
  document.title = 'Sign in · Millrace';
  app.replaceChildren(signin_make(message, enter));
}

function enter(key: string): void {
  dashboard?.stop();
  sessionStorage.setItem(STORAGE, key);
  dashboard = new Dashboard(key, leave);
  app.replaceChildren(dashboard.root);
  dashboard.start();
}

function start(): void {
  const key = key_from_address() ?? sessionStorage.getItem(STORAGE);
  if (key) enter(key);
  else leave('');
}

theme_start();
start();
// A link with a key, opened in a tab that already shows the page, only changes the fragment.
window.addEventListener('hashchange', () => {
  if (location.hash.startsWith('#key=')) start();
});
