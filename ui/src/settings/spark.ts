// SPDX-License-Identifier: Apache-2.0
// A line without axes, for how something went; the numbers stand beside it.

const WIDTH = 160;
const HEIGHT = 28;

export function spark_make(values: number[], label: string): SVGSVGElement {
  const namespace = 'http://www.w3.org/2000/svg';
  const highest = Math.max(1, ...values);
  const at = (value: number, index: number): string => `${((index / Math.max(1, values.length - 1)) * WIDTH).toFixed(1)} ${(HEIGHT - 2 - (value / highest) * (HEIGHT - 4)).toFixed(1)}`;
  const svg = document.createElementNS(namespace, 'svg');
  const path = document.createElementNS(namespace, 'path');
  for (const [name, value] of Object.entries({ viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: 'spark', role: 'img', 'aria-label': label, preserveAspectRatio: 'none' })) svg.setAttribute(name, value);
  path.setAttribute('d', `M${values.map(at).join('L')}`);
  svg.append(path);
  return svg;
}
