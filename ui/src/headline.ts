// SPDX-License-Identifier: Apache-2.0
// The headline numbers: one tile per measure with its change; a tile also switches its line in the chart.
import type { Measure, Numbers } from './api';
import { element, set_attribute, set_text } from './dom';
import { ARROWS, change, number_full, number_tile } from './format';
import { MEASURES } from './state';

interface Tile {
  button: HTMLButtonElement;
  value: HTMLElement;
  change: HTMLElement;
  before: HTMLElement;
}

export class Headline {
  private readonly tiles = new Map<Measure, Tile>();
  readonly root = element('div', { class: 'headline', role: 'group', 'aria-label': 'Totals; press one to show or hide its line' });

  constructor(toggle: (measure: Measure) => void) {
    for (const { name, title } of MEASURES) {
      const tile: Tile = {
        value: element('span', { class: 'tile-value' }, element('span', { class: 'skeleton skeleton-number' })),
        change: element('span', { class: 'change' }),
        before: element('span', { class: 'tile-before' }),
        button: element('button', { type: 'button', class: 'tile', 'data-measure': name, onclick: () => toggle(name) }),
      };
      tile.button.append(
        element('span', { class: 'tile-name' }, element('span', { class: `swatch swatch-${name}` }), title),
        tile.value,
        element('span', { class: 'tile-foot' }, tile.change, tile.before),
      );
      this.tiles.set(name, tile);
      this.root.append(tile.button);
    }
  }

  select(measures: Measure[]): void {
    for (const [name, tile] of this.tiles) set_attribute(tile.button, 'aria-pressed', String(measures.includes(name)));
  }

  /** No numbers could be had. */
  show_nothing(): void {
    for (const tile of this.tiles.values()) {
      set_text(tile.value, '–');
      tile.change.hidden = true;
      set_text(tile.before, '');
    }
  }

  show(totals: Numbers, previous: Numbers | undefined): void {
    for (const [name, tile] of this.tiles) {
      const now = totals[name];
      const moved = change(now, previous?.[name]);
      const text = number_tile(now);
      // A number that moves while one watches says so.
      const moving = /^\d/.test(tile.value.textContent ?? '') && tile.value.textContent !== text;
      set_text(tile.value, text);
      if (moving && !matchMedia('(prefers-reduced-motion: reduce)').matches) {
        tile.value.animate([{ color: `var(--${name})` }, { color: 'var(--text)' }], { duration: 1100, easing: 'ease-out' });
      }
      tile.value.title = number_full(now);
      set_text(tile.change, moved.text === 'new' ? 'new' : ARROWS[moved.direction] + moved.text);
      tile.change.className = `change ${moved.direction}`;
      tile.change.hidden = moved.direction === 'none';
      set_text(tile.before, previous && (previous[name] > 0 || now > 0) ? `from ${number_tile(previous[name])}` : '');
    }
  }
}
