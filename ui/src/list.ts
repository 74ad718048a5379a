// SPDX-License-Identifier: Apache-2.0
// A top list: rows with bars, each a button that filters by its value. Rows are kept between refreshes, so focus stays.
import type { ApiError, Measure, Row } from './api';
import { element, icon, set_attribute, set_text } from './dom';
import { country_name, number_full, number_tile, percent } from './format';
import { MEASURES, dimension_of } from './state';

export interface ListColumn {
  measure: Measure;
  title: string;
  /** Left out where there is little room. */
  optional?: boolean;
}

export function value_text(dimension: string, value: string): string {
  if (value === '') return dimension_of(dimension).missing;
  return dimension === 'country' ? country_name(value) : value;
}

interface ShownRow {
  root: HTMLLIElement;
  button: HTMLButtonElement;
  bar: HTMLElement;
  label: HTMLElement;
  numbers: HTMLElement[];
  share: HTMLElement;
}

export class List {
  private readonly head = element('div', { class: 'list-head', 'aria-hidden': 'true' });
  private readonly rows = element('ul', { class: 'list-rows' });
  private readonly note = element('div', { class: 'list-note' });
  private shown = new Map<string, ShownRow>();
  private layout = '';
  readonly root = element('div', { class: 'list' }, this.head, this.rows, this.note);

  constructor(private readonly pick: (dimension: string, value: string) => void) {
    this.note.hidden = true;
  }

  /** Grey bars until the first answer. */
  show_loading(): void {
    this.clear();
    for (let index = 0; index < 6; index++) {
      const row = element('li', { class: 'skeleton skeleton-row', 'aria-hidden': 'true' });
      row.style.width = `${92 - index * 11}%`;
      this.rows.append(row);
    }
  }

  show_error(error: ApiError): void {
    this.clear();
    // What keeps everything from loading is told once, above; here only what is wrong with this question.
    this.say(icon('alert'), error.status >= 400 && error.status < 500 ? error.message : 'Not loaded.');
  }

  show(dimension: string, rows: Row[], columns: ListColumn[], total: number, picked: string | undefined): void {
    const first = columns[0]!;
    const layout = `${dimension}|${columns.map(({ measure }) => measure).join()}`;
    if (layout !== this.layout || this.shown.size === 0) {
      this.clear();
      this.layout = layout;
      const singular = dimension_of(dimension).singular;
      this.head.replaceChildren(
        element('span', { class: 'list-label' }, singular),
        ...columns.map(({ title, optional }) => element('span', { class: optional ? 'list-number optional' : 'list-number' }, title)),
        element('span', { class: 'list-share' }, 'Share'),
      );
    }
    if (rows.length === 0) {
      this.clear();
      this.say(icon('empty'), 'Nothing in this period.');
      return;
    }
    const highest = Math.max(1, ...rows.map((row) => row[first.measure] ?? 0));
    const kept = new Map<string, ShownRow>();
    rows.forEach((row, index) => {
      const shown = this.shown.get(row.value) ?? this.make(dimension, row.value, columns);
      this.shown.delete(row.value);
      kept.set(row.value, shown);
      const text = value_text(dimension, row.value);
      const pressed = picked === row.value;
      set_text(shown.label, text);
      shown.label.title = text;
      shown.label.classList.toggle('missing', row.value === '');
      shown.bar.style.width = `${Math.max(0.5, (100 * (row[first.measure] ?? 0)) / highest)}%`;
      columns.forEach(({ measure }, column) => {
        const value = row[measure] ?? 0;
        set_text(shown.numbers[column]!, number_tile(value));
        shown.numbers[column]!.parentElement!.title = number_full(value);
      });
      set_text(shown.share, percent(row[first.measure] ?? 0, total));
      set_attribute(shown.button, 'aria-pressed', String(pressed));
      shown.button.title = pressed ? 'Remove this filter' : 'Filter by it';
      if (this.rows.children[index] !== shown.root) this.rows.insertBefore(shown.root, this.rows.children[index] ?? null);
    });
    for (const gone of this.shown.values()) gone.root.remove();
    this.shown = kept;
  }

  private make(dimension: string, value: string, columns: ListColumn[]): ShownRow {
    const bar = element('span', { class: 'bar' });
    const label = element('span', { class: 'list-label' });
    const numbers = columns.map(() => element('span', {}));
    // What the column's heading says to the eye is said here to the ear.
    const cells = columns.map(({ measure, optional }, column) => {
      const unit = ` ${MEASURES.find(({ name }) => name === measure)!.title.toLowerCase()}, `;
      return element('span', { class: optional ? 'list-number optional' : 'list-number' }, numbers[column], element('span', { class: 'visually-hidden' }, unit));
    });
    const share = element('span', { class: 'list-share' });
    const code = dimension === 'country' && value !== '' ? element('span', { class: 'country-code', 'aria-hidden': 'true' }, value.slice(0, 2)) : null;
    const button = element(
      'button',
      { type: 'button', class: 'row', onclick: () => this.pick(dimension, value) },
      element('span', { class: 'row-name' }, bar, code, label),
      ...cells,
      share,
    );
    return { root: element('li', {}, button), button, bar, label, numbers, share };
  }

  private say(picture: Element, text: string): void {
    this.note.replaceChildren(picture, element('span', {}, text));
    this.note.hidden = false;
    this.rows.hidden = true;
  }

  private clear(): void {
    this.shown.clear();
    this.layout = '';
    this.head.replaceChildren();
    this.rows.replaceChildren();
    this.rows.hidden = false;
    this.note.hidden = true;
  }
}
