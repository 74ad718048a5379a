// SPDX-License-Identifier: Apache-2.0
// The controls above the numbers: period, own dates, interval, time zone, and the filters in force.
import { element, icon, set_attribute, set_text } from './dom';
import { value_text } from './list';
import {
  INTERVALS,
  OPERATORS,
  PERIODS,
  dimension_of,
  filter_text,
  interval_of,
  intervals_for,
  now_in,
  range_days,
  timezones,
  view_range,
  type Interval,
  type Period,
  type View,
} from './state';

export class Toolbar {
  private readonly buttons = new Map<Period, HTMLButtonElement>();
  private readonly from = element('input', { type: 'date', required: true, 'aria-label': 'From' });
  private readonly to = element('input', { type: 'date', required: true, 'aria-label': 'To' });
  private readonly dates_error = element('p', { class: 'field-error', role: 'alert' });
  private readonly dates: HTMLFormElement;
  private readonly interval = element('select', { 'aria-label': 'Interval', onchange: () => this.choose({ interval: this.interval.value as Interval }) });
  private readonly timezone = element('select', {
    'aria-label': 'Time zone',
    class: 'timezone',
    onchange: () => this.choose({ timezone: this.timezone.value }),
  });
  private readonly chips = element('ul', { class: 'chips', 'aria-label': 'Filters' });
  readonly root: HTMLElement;
  readonly filters: HTMLElement;
  private view: View | null = null;

  constructor(private readonly choose: (change: Partial<View>) => void) {
    const periods = element('div', { class: 'segments', role: 'group', 'aria-label': 'Period' });
    for (const { name, title, long } of PERIODS) {
      const button = element(
        'button',
        { type: 'button', title: long, onclick: () => this.choose({ period: name, from: '', to: '', interval: null }) },
        title,
      );
      this.buttons.set(name, button);
      periods.append(button);
    }
    const custom = element('button', { type: 'button', 'aria-haspopup': 'dialog', onclick: () => this.dates_toggle(this.dates.hidden) }, 'Custom');
    this.buttons.set('custom', custom);
    periods.append(custom);
    this.dates = element(
      'form',
      {
        class: 'popover',
        role: 'dialog',
        'aria-label': 'Choose dates',
        onsubmit: (event: Event) => this.dates_submit(event),
        onkeydown: (event: KeyboardEvent) => {
          if (event.key === 'Escape') {
            this.dates_toggle(false);
            custom.focus();
          }
        },
      },
      element('label', {}, element('span', {}, 'From'), this.from),
      element('label', {}, element('span', {}, 'To'), this.to),
      this.dates_error,
      element('button', { type: 'submit', class: 'primary' }, 'Show these dates'),
    );
    this.dates.hidden = true;
    const anchor = element('div', { class: 'anchor' }, periods, this.dates);
    document.addEventListener('pointerdown', (event) => {
      if (!anchor.contains(event.target as Node)) this.dates_toggle(false);
    });
    const select = (control: HTMLSelectElement): HTMLElement => element('span', { class: 'select' }, control, icon('down'));
    this.root = element('div', { class: 'controls' }, anchor, select(this.interval), select(this.timezone));
    this.filters = element('div', { class: 'filters' }, this.chips);
  }

  show(view: View): void {
    this.view = view;
    for (const [name, button] of this.buttons) set_attribute(button, 'aria-pressed', String(name === view.period));
    set_attribute(this.buttons.get('custom')!, 'aria-expanded', String(!this.dates.hidden));
    const usable = intervals_for(range_days(view_range(view)));
    const options = INTERVALS.filter(({ name }) => usable.includes(name));
    fill(this.interval, options.map(({ name, title }) => ({ value: name, title })), interval_of(view));
    fill(this.timezone, timezones(view.timezone).map((zone) => ({ value: zone, title: zone.replace(/_/g, ' ') })), view.timezone);
    this.filters.hidden = view.filters.length === 0;
    this.chips.replaceChildren(
      ...view.filters.map((filter) => {
        const name = dimension_of(filter.dimension).singular;
        const operator = OPERATORS[filter.operator] ?? filter.operator;
        const value = filter.values.map((each) => value_text(filter.dimension, each)).join(' or ');
        const remove = (): void => this.choose({ filters: view.filters.filter((other) => filter_text(other) !== filter_text(filter)) });
        return element(
          'li',
          { class: 'chip' },
          element('span', { class: 'chip-text' }, `${name} ${operator} `, element('strong', { title: value }, value)),
          element('button', { type: 'button', 'aria-label': `Remove filter: ${name} ${operator} ${value}`, onclick: remove }, icon('close')),
        );
      }),
      ...(view.filters.length > 1
        ? [element('li', {}, element('button', { type: 'button', class: 'plain', onclick: () => this.choose({ filters: [] }) }, 'Clear all'))]
        : []),
    );
  }

  private dates_toggle(open: boolean): void {
    if (open === !this.dates.hidden || !this.view) return;
    this.dates.hidden = !open;
    set_attribute(this.buttons.get('custom')!, 'aria-expanded', String(open));
    if (!open) return;
    const { from, to } = view_range(this.view);
    const today = now_in(this.view.timezone).slice(0, 10);
    this.from.value = from;
    this.to.value = to;
    this.from.max = this.to.max = today;
    set_text(this.dates_error, '');
    this.from.focus();
  }

  private dates_submit(event: Event): void {
    event.preventDefault();
    if (this.from.value > this.to.value) {
      set_text(this.dates_error, 'The first day is after the last one.');
      return;
    }
    this.dates_toggle(false);
    this.choose({ period: 'custom', from: this.from.value, to: this.to.value, interval: null });
    this.buttons.get('custom')!.focus();
  }
}

function fill(select: HTMLSelectElement, options: { value: string; title: string }[], selected: string): void {
  const text = options.map(({ value }) => value).join();
  if (select.dataset.options !== text) {
    select.dataset.options = text;
    select.replaceChildren(...options.map(({ value, title }) => element('option', { value }, title)));
  }
  select.value = selected;
}
