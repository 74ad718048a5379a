// SPDX-License-Identifier: Apache-2.0
// A QR code as SVG: one path of all dark squares, dark on white whatever the theme, as scanners want it.
import { encode } from 'uqr';

const QUIET = 4; // Squares of margin the standard asks for.

export function qr_make(text: string, label: string): SVGSVGElement {
  const { data, size } = encode(text, { border: QUIET });
  const namespace = 'http://www.w3.org/2000/svg';
  const make = <K extends keyof SVGElementTagNameMap>(tag: K, attributes: Record<string, string>): SVGElementTagNameMap[K] => {
    const made = document.createElementNS(namespace, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };
  const squares = data.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : [])));
  const svg = make('svg', { viewBox: `0 0 ${size} ${size}`, class: 'qr', role: 'img', 'aria-label': label });
  svg.append(make('rect', { width: String(size), height: String(size), fill: '#fff' }), make('path', { d: squares.join(''), fill: '#000', 'shape-rendering': 'crispEdges' }));
  return svg;
}
