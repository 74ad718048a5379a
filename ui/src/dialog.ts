// SPDX-License-Identifier: Apache-2.0
// Dialogs: the browser's own modal element, so that focus, Escape and what lies behind are as people expect.
import { element, icon, set_attribute } from './dom';
import { Form, type Field, type FormSettings, type Values } from './form';

export class Dialog {
  private readonly heading = element('h2', { tabindex: '-1' });
  private readonly close_button = element('button', { type: 'button', class: 'icon-button', 'aria-label': 'Close', onclick: () => this.close() }, icon('close'));
  private readonly body = element('div', { class: 'dialog-body' });
  readonly root: HTMLDialogElement;
  /** Fulfilled when it is gone. */
  readonly closed: Promise<void>;

  /** `keep`: what it shows is shown once, so neither Escape nor a click beside it closes it. */
  constructor(title: string, children: Node[], private keep = false) {
    this.heading.id = `dialog${Math.random().toString(36).slice(2)}`;
    this.root = element('dialog', { class: 'dialog', 'aria-labelledby': this.heading.id }, element('div', { class: 'dialog-head' }, this.heading, this.close_button), this.body);
    this.fill(title, children, keep);
    this.closed = new Promise((resolve) =>
      this.root.addEventListener('close', () => {
        this.root.remove();
        resolve();
      }),
    );
    // Browsers honour a refused cancel only once; the key itself has to be taken away.
    this.root.addEventListener('keydown', (event) => event.key === 'Escape' && this.keep && event.preventDefault());
    this.root.addEventListener('cancel', (event) => this.keep && event.preventDefault());
    this.root.addEventListener('pointerdown', (event) => event.target === this.root && !this.keep && this.close());
    document.body.append(this.root);
    this.root.showModal();
    this.focus();
  }

  /** The next step of the same dialog. */
  fill(title: string, children: Node[], keep = false): void {
    this.keep = keep;
    this.heading.textContent = title;
    this.close_button.hidden = keep;
    this.body.replaceChildren(...children);
    if (this.root?.open) this.focus();
  }
  close(): void {
    this.root.close();
  }
  private focus(): void {
    (this.body.querySelector<HTMLElement>('input, textarea, select') ?? this.heading).focus();
  }
}

/** Asks; closes when `run` has succeeded. True: it was done. */
export async function dialog_ask(title: string, settings: Omit<FormSettings, 'run'> & { run: (values: Values) => Promise<unknown> }): Promise<boolean> {
  let done = false;
  const cancel = element('button', { type: 'button', class: 'secondary' }, 'Cancel');
  const form = new Form({
    ...settings,
    beside: [cancel],
    run: async (values) => {
      await settings.run(values);
      done = true;
      dialog.close();
    },
  });
  const dialog = new Dialog(title, [form.root]);
  cancel.addEventListener('click', () => dialog.close());
  await dialog.closed;
  return done;
}

/** For what cannot be undone: says what happens before it does. */
export function dialog_confirm(title: string, text: string, submit: string, run: (values: Values) => Promise<unknown>, fields: Field[] = []): Promise<boolean> {
  return dialog_ask(title, { fields, submit, danger: true, before: [element('p', { class: 'dialog-text' }, text)], run });
}

/** A text that is shown once, with a button that copies it. */
export function secret_box(label: string, text: string): HTMLElement {
  const code = element('code', { tabindex: '0', role: 'textbox', 'aria-readonly': 'true', 'aria-label': label }, text);
  return element('div', { class: 'secret' }, code, copy_button(text));
}

export function copy_button(text: string, name = 'Copy'): HTMLElement {
  const label = element('span', {}, name);
  const said = element('span', { class: 'visually-hidden', role: 'status' });
  const button = element('button', { type: 'button', class: 'secondary copy' }, icon('copy'), label);
  const box = element('span', { class: 'copy-box' }, button, said);
  button.addEventListener('click', async () => {
    const copied = await navigator.clipboard?.writeText(text).then(
      () => true,
      () => false,
    );
    // Clipboards are refused on plain http: the text is selected, so that it can be copied by hand.
    if (!copied) getSelection()?.selectAllChildren(box.parentElement?.querySelector('code') ?? box.closest('.thing')?.querySelector('code') ?? box);
    label.textContent = copied ? 'Copied' : 'Selected: press Ctrl+C';
    said.textContent = copied ? 'It is in the clipboard.' : 'It is selected: press Control and C.';
    set_attribute(button, 'data-copied', copied ? true : null);
  });
  return box;
}
