// SPDX-License-Identifier: Apache-2.0
// Makes elements; text only ever enters the page as text nodes.

type Child = Node | string | null | undefined | false;
type Attributes = Record<string, string | number | boolean | null | undefined | ((event: never) => void)>;

/** An element with attributes (true: present, false/null: absent), `on…` listeners and children. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') made.addEventListener(name.replace(/^on/, ''), value as EventListener);
    else set_attribute(made, name, value);
  }
  made.append(...children.filter((child): child is Node | string => child !== null && child !== undefined && child !== false));
  return made;
}

export function set_attribute(target: Element, name: string, value: string | number | boolean | null | undefined): void {
  if (value === null || value === undefined || value === false) target.removeAttribute(name);
  else target.setAttribute(name, value === true ? '' : String(value));
}

/** Writes text only when it differs, so that polling does not disturb selections or screen readers. */
export function set_text(target: Element, text: string): void {
  if (target.textContent !== text) target.textContent = text;
}

const ICONS: Record<string, string[]> = {
  mark: ['M2.5 6.5c3.2-3.3 6.3-3.3 9.5 0s6.3 3.3 9.5 0', 'M2.5 12.5c3.2-3.3 6.3-3.3 9.5 0s6.3 3.3 9.5 0', 'M2.5 18.5c3.2-3.3 6.3-3.3 9.5 0s6.3 3.3 9.5 0'],
  sun: ['M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z', 'M12 2.5v2', 'M12 19.5v2', 'M2.5 12h2', 'M19.5 12h2', 'M5.3 5.3l1.4 1.4', 'M17.3 17.3l1.4 1.4', 'M5.3 18.7l1.4-1.4', 'M17.3 6.7l1.4-1.4'],
  moon: ['M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z'],
  settings: ['M4 7h9', 'M17 7h3', 'M4 17h3', 'M11 17h9', 'M15 4.8a2.2 2.2 0 1 0 0 4.4 2.2 2.2 0 0 0 0-4.4z', 'M9 14.8a2.2 2.2 0 1 0 0 4.4 2.2 2.2 0 0 0 0-4.4z'],
  copy: ['M9 9h10v11H9z', 'M15 9V4H5v11h4'],
  check: ['M5 12.5l4.5 4.5L19 7.5'],
  plus: ['M12 5v14', 'M5 12h14'],
  leave: ['M10 4H6a2 2 0 0 0-2 2v12a2 2 0 0 0 2 2h4', 'M15 8l4 4-4 4', 'M19 12H9.5'],
  close: ['M7 7l10 10', 'M17 7L7 17'],
  down: ['M7 10l5 5 5-5'],
  alert: ['M12 8v5', 'M12 16.5v.1', 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z'],
  empty: ['M3.5 19.5h17', 'M6.5 16v-3', 'M12 16V9', 'M17.5 16v-5'],
};

/** A line icon; decoration only, so it is hidden from screen readers. */
export function icon(name: string): SVGSVGElement {
  const namespace = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(namespace, 'svg');
  for (const [key, value] of Object.entries({ viewBox: '0 0 24 24', class: `icon icon-${name}`, 'aria-hidden': 'true' })) {
    svg.setAttribute(key, value);
  }
  for (const data of ICONS[name] ?? []) {
    const path = document.createElementNS(namespace, 'path');
    path.setAttribute('d', data);
    svg.append(path);
  }
  return svg;
}
