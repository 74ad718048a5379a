// SPDX-License-Identifier: Apache-2.0
// Forms: labelled fields, the server's refusal at the field it names, no second press while the first is under way.
import { ApiError, error_text } from './api';
import { element, icon, set_attribute, set_text } from './dom';

export interface Option {
  value: string;
  title: string;
}
interface Shared {
  name: string;
  label: string;
  help?: string;
  value?: string;
  required?: boolean;
}
/** What a field is; `custom` brings its own element and value. */
export type Field =
  | (Shared & { type: 'text' | 'email' | 'password' | 'number' | 'datetime-local' | 'date' | 'url'; autocomplete?: string; maxlength?: number; inputmode?: string; placeholder?: string })
  | (Shared & { type: 'lines'; maxlength?: number; placeholder?: string })
  | (Shared & { type: 'select'; options: Option[] })
  | (Shared & { type: 'checkbox'; checked?: boolean })
  | (Shared & { type: 'custom'; node: HTMLElement; read: () => unknown });

/** Text of inputs, true or false of checkboxes, whatever custom fields read. */
export type Values = Record<string, unknown>;
export interface FormSettings {
  fields: Field[];
  submit: string;
  /** What the button says meanwhile. */
  busy?: string;
  danger?: boolean;
  /** Above the fields and below the button. */
  before?: Node[];
  after?: Node[];
  /** Beside the button. */
  beside?: Node[];
  run: (values: Values, form: Form) => Promise<unknown>;
}

let count = 0;

export class Form {
  readonly root: HTMLFormElement;
  readonly button: HTMLButtonElement;
  private readonly alert = element('p', { class: 'field-error', role: 'alert' });
  private readonly done = element('p', { class: 'form-done', role: 'status' });
  private readonly controls = new Map<string, { input: HTMLElement; error: HTMLElement; read: () => unknown }>();
  private readonly id = `form${++count}`;

  constructor(private readonly settings: FormSettings) {
    this.button = element('button', { type: 'submit', class: settings.danger ? 'primary danger' : 'primary' }, settings.submit);
    this.root = element(
      'form',
      { class: 'form', novalidate: true, onsubmit: (event: Event) => void this.submit(event) },
      ...(settings.before ?? []),
      ...settings.fields.map((field) => this.field_make(field)),
      this.alert,
      element('div', { class: 'form-actions' }, ...(settings.beside ?? []), this.done, this.button),
      ...(settings.after ?? []),
    );
  }

  input(name: string): HTMLInputElement {
    return this.controls.get(name)!.input as HTMLInputElement;
  }
  values(): Values {
    return Object.fromEntries([...this.controls].map(([name, { read }]) => [name, read()]));
  }
  /** Said politely beside the button. */
  say(text: string): void {
    set_text(this.done, text);
  }
  focus(): void {
    const first = this.root.querySelector<HTMLElement>('input:not([type=hidden]), textarea, select');
    (first ?? this.button).focus();
  }

  fail(error: unknown): void {
    const field = error instanceof ApiError ? this.controls.get(error.field) : undefined;
    if (!(error instanceof ApiError)) console.error(error);
    if (!field) {
      set_text(this.alert, error_text(error));
      return;
    }
    set_text(field.error, error_text(error));
    set_attribute(field.input, 'aria-invalid', 'true');
    field.input.focus();
    if (field.input instanceof HTMLInputElement && field.input.type === 'password') field.input.select();
  }

  private field_make(field: Field): HTMLElement {
    const id = `${this.id}-${field.name}`;
    const error = element('p', { class: 'field-error', role: 'alert', id: `${id}-error` });
    const help = field.help ? element('p', { class: 'field-help', id: `${id}-help` }, field.help) : null;
    const attributes = { id, name: field.name, required: field.required ?? false, 'aria-describedby': `${help ? `${id}-help ` : ''}${id}-error` };
    if (field.type === 'checkbox') {
      const input = element('input', { ...attributes, type: 'checkbox', checked: field.checked ?? false });
      this.controls.set(field.name, { input, error, read: () => input.checked });
      return element('div', { class: 'field' }, element('label', { class: 'check' }, input, element('span', {}, field.label)), help, error);
    }
    if (field.type === 'custom') {
      set_attribute(field.node, 'tabindex', '-1');
      this.controls.set(field.name, { input: field.node, error, read: field.read });
      return element('fieldset', { class: 'field', 'aria-describedby': attributes['aria-describedby'] }, element('legend', {}, field.label), help, field.node, error);
    }
    const input = this.input_make(field, attributes);
    this.controls.set(field.name, { input, error, read: () => input.value });
    const shown = input instanceof HTMLSelectElement ? element('span', { class: 'select' }, input, icon('down')) : input;
    return element('div', { class: 'field' }, element('label', { for: id }, field.label), shown, help, error);
  }

  private input_make(field: Exclude<Field, { type: 'checkbox' } | { type: 'custom' }>, attributes: Record<string, string | boolean>): HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement {
    if (field.type === 'select') {
      const select = element('select', attributes, ...field.options.map(({ value, title }) => element('option', { value }, title)));
      select.value = field.value ?? field.options[0]?.value ?? '';
      return select;
    }
    const { placeholder = null, maxlength = null } = field;
    if (field.type === 'lines') {
      const lines = element('textarea', { ...attributes, rows: 3, placeholder, maxlength, spellcheck: 'false' });
      lines.value = field.value ?? '';
      return lines;
    }
    const { autocomplete = 'off', inputmode = null } = field;
    const secret = field.type === 'password' ? { spellcheck: 'false', autocapitalize: 'none' } : {};
    const input = element('input', { ...attributes, type: field.type, autocomplete, maxlength, inputmode, placeholder, ...secret });
    input.value = field.value ?? '';
    return input;
  }

  private async submit(event: Event): Promise<void> {
    event.preventDefault();
    if (this.button.disabled) return;
    set_text(this.alert, '');
    this.say('');
    for (const { input, error } of this.controls.values()) {
      set_text(error, '');
      set_attribute(input, 'aria-invalid', null);
    }
    const missing = this.settings.fields.find(({ name, required }) => required && String(this.controls.get(name)!.read()).trim() === '');
    if (missing) {
      this.fail(new ApiError('This is needed.', 400, 'missing', '', 0, missing.name));
      return;
    }
    this.button.disabled = true;
    set_text(this.button, this.settings.busy ?? this.settings.submit);
    try {
      await this.settings.run(this.values(), this);
    } catch (error) {
      this.fail(error);
    } finally {
      this.button.disabled = false;
      set_text(this.button, this.settings.submit);
    }
  }
}

export const text_of = (values: Values, name: string): string => String(values[name] ?? '').trim();
/** One entry a line; commas part entries too. */
export const lines_of = (values: Values, name: string): string[] =>
  text_of(values, name)
    .split(/[\n,]/)
    .map((line) => line.trim())
    .filter(Boolean);
