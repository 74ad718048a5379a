// SPDX-License-Identifier: Apache-2.0
// For a script tag: <script defer src="https://your.server/millrace.js" data-key="..."></script>. Each setting is an attribute
// ("data-do-not-track"). window.millrace may be an array of calls that came before: [["track", "signup"]].
import { init, type Settings } from './index';

const script = document.currentScript as HTMLScriptElement | null;
const page = window as any;
const calls = page.millrace;
if (!calls?.track) {
  const settings: any = script?.src ? { server: new URL('.', script.src).href } : {};
  for (const [name, text] of Object.entries(script?.dataset ?? {})) settings[name] = text === 'false' ? false : text || true;
  page.millrace = settings.key ? { init, ...init(settings as Settings) } : { init };
  for (const [name, ...words] of Array.isArray(calls) ? calls : []) page.millrace[name]?.(...words);
}
