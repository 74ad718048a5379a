// SPDX-License-Identifier: Apache-2.0
// Light or dark: what the system prefers until the toggle is used, which is then remembered.

const STORAGE = 'millrace.theme';
const dark = window.matchMedia('(prefers-color-scheme: dark)');
const listeners = new Set<() => void>();

function stored(): string | null {
  try {
    return localStorage.getItem(STORAGE);
  } catch {
    return null;
  }
}

function apply(): void {
  const wanted = stored();
  document.documentElement.dataset.theme = wanted === 'dark' || wanted === 'light' ? wanted : dark.matches ? 'dark' : 'light';
  for (const listener of listeners) listener();
}

export const theme_is_dark = (): boolean => document.documentElement.dataset.theme === 'dark';

export function theme_toggle(): void {
  const wanted = theme_is_dark() ? 'light' : 'dark';
  try {
    localStorage.setItem(STORAGE, wanted);
  } catch {
    document.documentElement.dataset.theme = wanted; // Storage is refused: the choice lasts as long as the page.
    for (const listener of listeners) listener();
    return;
  }
  apply();
}

/** Runs `listener` after each change; returns how to stop that. */
export function theme_watch(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function theme_start(): void {
  dark.addEventListener('change', apply);
  apply();
}
