// SPDX-License-Identifier: Apache-2.0
// The chart: lines of the chosen measures over time, the previous period faint and dashed, a readout under the pointer.
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Measure, Series } from './api';
import { element, set_text } from './dom';
import { ARROWS, bucket_label, bucket_title, change, type Change, number_axis, number_full, wall_clock } from './format';
import { MEASURES, type Interval } from './state';

export interface ChartData {
  series: Series;
  measures: Measure[];
  interval: Interval;
  /** Wall clock of the zone, "YYYY-MM-DDTHH:MM"; buckets after it have not happened yet. */
  now: string;
}

const LABEL_WIDTH_PX = 76;
/** Distances between labels that fall on round times, per interval. */
const STEPS: Record<Interval, number[]> = {
  minute: [5, 10, 15, 30, 60, 120, 180, 240, 360, 720, 1440],
  hour: [1, 2, 3, 4, 6, 12, 24, 48, 72, 96, 168, 240, 336],
  day: [1, 2, 3, 4, 5, 7, 10, 14, 21, 28, 42, 56, 84],
  week: [1, 2, 3, 4, 6, 8, 13, 26],
  month: [1, 2, 3, 6, 12],
};

const INTERVAL_MS: Record<Interval, number> = {
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 7 * 86_400_000,
  month: 31 * 86_400_000,
};
const ROUND = [1, 2, 5];
for (let magnitude = 10; magnitude <= 1e12; magnitude *= 10) ROUND.push(magnitude, 2 * magnitude, 2.5 * magnitude, 5 * magnitude);

/** "#0d9488" with an opacity. */
function with_alpha(colour: string, alpha: number): string {
  const value = parseInt(colour.slice(1), 16);
  return `rgba(${value >> 16}, ${(value >> 8) & 255}, ${value & 255}, ${alpha})`;
}

/** The distance of lines on the value axis, so that about five round ones reach over the highest value. */
const rise = (highest: number): number => ROUND.find((step) => highest / step <= 5) ?? ROUND[ROUND.length - 1]!;
const ceiling = (highest: number): number => Math.max(4, Math.ceil(highest / rise(highest)) * rise(highest));

export class Chart {
  private plot: uPlot | null = null;
  private data: ChartData | null = null;
  private shape = '';
  private readonly readout = element('div', { class: 'readout', 'aria-hidden': 'true' });
  private readonly spoken = element('div', { class: 'visually-hidden', 'aria-live': 'polite' });
  private readonly canvas = element('div', { class: 'chart-canvas' });
  readonly root = element(
    'div',
    {
      class: 'chart',
      role: 'group',
      tabindex: 0,
      'aria-label': 'Chart over time. Use the left and right arrow keys to read single values.',
      onkeydown: (event: KeyboardEvent) => this.move(event),
      onblur: () => this.point(null),
    },
    this.canvas,
    this.readout,
    this.spoken,
  );

  constructor() {
    new ResizeObserver(() => this.plot?.setSize(this.size())).observe(this.canvas);
  }

  /** Draws; keeps the plot (and the pointer's place) when only numbers have changed. */
  show(data: ChartData): void {
    this.data = data;
    const table = this.table(data);
    const shape = [data.measures.join(), data.interval, data.series.points.length, data.series.points[0]?.time].join('|');
    if (this.plot && shape === this.shape) {
      this.plot.setData(table);
      this.point(this.plot.cursor.idx ?? null);
      return;
    }
    this.shape = shape;
    this.rebuild(table);
  }

  /** Colours come from the style sheet, so a new theme needs a new plot. */
  theme_changed(): void {
    if (this.data) this.rebuild(this.table(this.data));
  }

  private size(): { width: number; height: number } {
    return { width: Math.max(this.canvas.clientWidth, 100), height: Math.max(this.canvas.clientHeight, 120) };
  }

  /** Index of the bucket that is still filling; the last one when the period is over. */
  private current(data: ChartData): { last: number; filling: boolean } {
    const now = wall_clock(data.now).getTime();
    const times = data.series.points.map((point) => wall_clock(point.time).getTime());
    let last = times.length - 1;
    while (last > 0 && times[last]! > now) last--;
    return { last, filling: times.length > 0 && now < times[last]! + INTERVAL_MS[data.interval] };
  }

  /** Per measure: previous period, finished buckets, and the step into the bucket that is still filling. */
  private table(data: ChartData): uPlot.AlignedData {
    const { points, previous } = data.series;
    const { last, filling } = this.current(data);
    const solid_end = filling ? last - 1 : last;
    const columns: (number | null)[][] = [];
    for (const measure of data.measures) {
      columns.push(points.map((_, index) => previous?.points[index]?.[measure] ?? null));
      columns.push(points.map((point, index) => (index <= solid_end ? point[measure] : null)));
      columns.push(points.map((point, index) => (filling && (index === last || index === last - 1) ? point[measure] : null)));
    }
    return [points.map((_, index) => index), ...columns] as uPlot.AlignedData;
  }

  private rebuild(table: uPlot.AlignedData): void {
    const data = this.data!;
    this.plot?.destroy();
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const points = data.series.points;
    const paths = points.length <= 120 ? uPlot.paths.spline!() : uPlot.paths.linear!();
    const alone = (plot: uPlot, index: number): boolean => (plot.data[index] as (number | null)[]).filter((value) => value !== null).length === 1;
    const series: uPlot.Series[] = [{}];
    const dash = (...lengths: number[]): number[] => lengths.map((length) => length * devicePixelRatio);
    data.measures.forEach((measure, order) => {
      const stroke = colour(measure);
      const fill = (plot: uPlot): CanvasGradient | string => {
        const { top, height } = plot.bbox;
        if (!Number.isFinite(height) || height <= 0) return 'transparent';
        const gradient = plot.ctx.createLinearGradient(0, top, 0, top + height);
        gradient.addColorStop(0, with_alpha(stroke, order === 0 ? 0.26 : 0.1));
        gradient.addColorStop(1, with_alpha(stroke, 0));
        return gradient;
      };
      series.push(
        { stroke: with_alpha(stroke, 0.5), width: 1.4, dash: dash(3, 5), paths, points: { show: false } },
        { stroke, width: 2, fill, paths, points: { show: alone, size: 7, fill: stroke } },
        { stroke, width: 2, dash: dash(5, 4), fill, paths, points: { show: alone, size: 7, fill: stroke } },
      );
    });
    const narrow = this.canvas.clientWidth < 520;
    this.plot = new uPlot(
      {
        ...this.size(),
        padding: [14, 26, 0, 0],
        legend: { show: false },
        scales: {
          x: { time: false, range: (_, low, high) => (low === high ? [low - 1, high + 1] : [low, high]) },
          y: { range: (_, __, high) => [0, ceiling(high ?? 0)] },
        },
        axes: [
          {
            stroke: colour('muted'),
            font,
            size: 30,
            gap: 8,
            ticks: { show: false },
            grid: { show: false },
            splits: (plot) => this.splits(plot),
            values: (_, splits) => splits.map((index) => bucket_label(wall_clock(this.data!.series.points[index]?.time ?? ''), data.interval)),
          },
          {
            stroke: colour('muted'),
            font,
            size: narrow ? 42 : 54,
            gap: 8,
            splits: (_, __, ___, high) => {
              const step = rise(high);
              return Array.from({ length: Math.floor(high / step) + 1 }, (_, index) => index * step);
            },
            ticks: { show: false },
            grid: { stroke: colour('grid'), width: 1 },
            values: (_, splits) => splits.map((value) => number_axis(value, splits[splits.length - 1] ?? 0)),
          },
        ],
        cursor: {
          y: false,
          // The line stands on a bucket, where the numbers are, not between two.
          move: (plot, left, top) => [left < 0 ? left : plot.valToPos(plot.posToIdx(left), 'x'), top],
          drag: { x: false, y: false },
          points: {
            size: (_, index) => ((index - 1) % 3 === 0 ? 5 : 9),
            width: 2,
            stroke: () => colour('surface'),
            fill: (plot, index) => (plot.series[index]!.stroke as () => string)() as string,
          },
        },
        series,
        hooks: { setCursor: [(plot) => this.point(plot.cursor.idx ?? null)] },
      },
      table,
      this.canvas,
    );
    this.point(null);
  }

  private splits(plot: uPlot): number[] {
    const { series, interval } = this.data!;
    const count = series.points.length;
    const room = Math.max(1, Math.floor((plot.width - 60) / LABEL_WIDTH_PX));
    const step = STEPS[interval].find((candidate) => count / candidate <= room) ?? Math.ceil(count / room);
    const found: number[] = [];
    for (let index = 0; index < count; index += step) found.push(index);
    return found;
  }

  private move(event: KeyboardEvent): void {
    if (!this.plot || !this.data) return;
    const count = this.data.series.points.length;
    const { last } = this.current(this.data);
    const at = this.plot.cursor.idx;
    const target = { ArrowLeft: (at ?? last + 1) - 1, ArrowRight: (at ?? -1) + 1, Home: 0, End: last }[event.key];
    if (event.key === 'Escape') {
      this.plot.setCursor({ left: -10, top: -10 });
      return;
    }
    if (target === undefined) return;
    event.preventDefault();
    const index = Math.min(Math.max(target, 0), count - 1);
    this.plot.setCursor({ left: this.plot.valToPos(index, 'x'), top: 20 });
    set_text(this.spoken, this.readout.innerText.replace(/\s+/g, ' '));
  }

  /** Fills and places the readout for a bucket; null hides it. */
  private point(index: number | null): void {
    const data = this.data;
    const point = index === null ? undefined : data?.series.points[index];
    if (!this.plot || !data || index === null || !point || (this.plot.cursor.left ?? -1) < 0) {
      this.readout.classList.remove('shown');
      return;
    }
    const before = data.series.previous?.points[index];
    const future = index > this.current(data).last;
    const rows = MEASURES.filter(({ name }) => data.measures.includes(name)).map(({ name, title }) => {
      const moved: Change = future ? { text: '', direction: 'none' } : change(point[name], before?.[name]);
      return element(
        'div',
        { class: 'readout-row' },
        element('span', { class: `swatch swatch-${name}` }),
        element('span', { class: 'readout-name' }, title),
        element('span', { class: 'readout-value' }, future ? '–' : number_full(point[name])),
        before ? element('span', { class: 'readout-before' }, number_full(before[name])) : null,
        before ? element('span', { class: `readout-change ${moved.direction}` }, moved.text === 'new' ? 'new' : ARROWS[moved.direction] + moved.text) : null,
      );
    });
    this.readout.replaceChildren(
      element('div', { class: 'readout-title' }, bucket_title(wall_clock(point.time), data.interval)),
      ...rows,
      ...(before ? [element('div', { class: 'readout-note' }, `Before: ${bucket_title(wall_clock(before.time), data.interval)}`)] : []),
    );
    this.readout.classList.add('shown');
    const left = this.plot.over.offsetLeft + (this.plot.cursor.left ?? 0);
    const width = this.readout.offsetWidth;
    const beside = left + 16 + width > this.root.clientWidth ? left - 16 - width : left + 16;
    this.readout.style.transform = `translate(${Math.round(Math.max(0, Math.min(beside, this.root.clientWidth - width)))}px, 8px)`;
  }
}
