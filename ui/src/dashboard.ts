// SPDX-License-Identifier: Apache-2.0
// The page itself: puts the parts together, asks the questions of the current view, and keeps them fresh.
import { ApiError, type Api, type Measure, type Numbers, type Series, type Tenant } from './api';
import { Chart } from './chart';
import { element, icon, set_attribute, set_text } from './dom';
import { range, wall_clock } from './format';
import { Headline } from './headline';
import { List, type ListColumn } from './list';
import {
  DIMENSIONS,
  MEASURES,
  filter_picked,
  interval_of,
  now_in,
  view_before,
  view_format,
  view_parse,
  view_question,
  view_range,
  type Interval,
  type View,
} from './state';
import { theme_watch } from './theme';
import { Toolbar } from './toolbar';
import type { Topbar } from './topbar';

/** How often a running period is asked again: an event must show within two seconds of being sent. */
const POLL_MS = 1000;
/** Periods that are over hardly change (late events only). */
const POLL_PAST_MS = 30_000;
const POLL_BACKOFF_MAX_MS = 30_000;
const LIST_ROWS = 8;
const BREAKDOWN_ROWS = 20;

interface Panel {
  list: List;
  dimension: () => string;
  limit: number;
  columns: (dimension: string) => ListColumn[];
}

const short_columns = (): ListColumn[] => [
  { measure: 'visitors', title: 'Visitors' },
  { measure: 'page_views', title: 'Views', optional: true },
];
const long_columns = (dimension: string): ListColumn[] =>
  dimension === 'name'
    ? [
        { measure: 'events', title: 'Events' },
        { measure: 'visitors', title: 'Visitors', optional: true },
      ]
    : [
        { measure: 'visitors', title: 'Visitors' },
        { measure: 'page_views', title: 'Page views', optional: true },
        { measure: 'sessions', title: 'Sessions', optional: true },
      ];

export class Dashboard {
  private view: View = view_parse(location.search);
  private series: Series | null = null;
  /** Totals of the previous period up to this time of day; null: compare with all of it. */
  private before: Numbers | null = null;
  private before_clock = '';
  /** The question `series` answers; another one must not stand over its numbers. */
  private answered = '';
  private live = true;
  private failures = 0;
  /** The server refused the question itself: asking again is of no use. */
  private hopeless = false;
  private polling = false;
  private stopped = false;
  private timer = 0;
  private poll_due_ms = 0;
  private loading: AbortController | null = null;
  private readonly cleanups: (() => void)[] = [];

  private readonly toolbar = new Toolbar((change) => this.change(change));
  private readonly headline = new Headline((measure) => this.measure_toggle(measure));
  private readonly chart = new Chart();
  private readonly panels: Panel[];
  private readonly breakdown: Panel;
  private readonly tabs = new Map<string, HTMLButtonElement>();

  private readonly title = element('h1', {}, 'Overview');
  private readonly dates = element('p', { class: 'dates' });
  private readonly live_text = element('span', {}, 'Live');
  private readonly live_button = element('button', { type: 'button', class: 'live', onclick: () => this.live_toggle() }, element('span', { class: 'pulse' }), this.live_text);
  private readonly banner = element('div', { class: 'banner', role: 'alert' });
  private readonly empty = element('div', { class: 'empty', role: 'status' });
  private readonly legend = element('div', { class: 'legend' });
  private readonly chart_area = element('div', { class: 'chart-area loading' });
  private readonly updated = element('span', {});
  private readonly sources = element('span', {});
  private readonly main: HTMLElement;
  readonly root: HTMLElement;

  constructor(
    private readonly api: Api,
    private readonly topbar: Topbar,
    private readonly leave: (message: string) => void,
  ) {
    const pick = (dimension: string, value: string): void => this.filter_toggle(dimension, value);
    const panel = (dimension: () => string, limit: number, columns: (dimension: string) => ListColumn[]): Panel => ({ list: new List(pick), dimension, limit, columns });
    const pages = panel(() => 'path', LIST_ROWS, short_columns);
    const referrers = panel(() => 'referrer_name', LIST_ROWS, short_columns);
    this.breakdown = panel(() => this.view.tab, BREAKDOWN_ROWS, long_columns);
    this.panels = [pages, referrers, this.breakdown];
    this.banner.hidden = true;
    this.empty.hidden = true;
    this.chart_area.append(element('div', { class: 'skeleton skeleton-chart', 'aria-hidden': 'true' }), this.chart.root, this.empty);

    const card = (title: string, list: List, id: string): HTMLElement =>
      element('section', { class: 'card', 'aria-labelledby': id }, element('h2', { id }, title), list.root);
    this.main = element(
      'main',
      { class: 'page' },
      element('div', { class: 'toolbar' }, element('div', { class: 'heading' }, this.title, this.dates), this.toolbar.root),
      this.toolbar.filters,
      this.banner,
      element('section', { class: 'card card-chart', 'aria-label': 'Over time' }, this.headline.root, this.legend, this.chart_area),
      element('div', { class: 'columns' }, card('Top pages', pages.list, 'top-pages'), card('Top referrers', referrers.list, 'top-referrers')),
      element(
        'section',
        { class: 'card card-breakdown', 'aria-label': 'Breakdown' },
        this.tabs_make(),
        element('div', { role: 'tabpanel', id: 'breakdown', 'aria-labelledby': `tab-${this.view.tab}` }, this.breakdown.list.root),
      ),
      element('footer', { class: 'foot' }, this.updated, this.sources, element('span', {}, 'Millrace')),
    );
    topbar.tools.prepend(this.live_button);
    this.root = element('div', { class: 'app' }, topbar.root, this.main);
  }

  start(): void {
    this.cleanups.push(theme_watch(() => this.chart.theme_changed()));
    const listen = (target: EventTarget, name: string, listener: () => void): void => {
      target.addEventListener(name, listener);
      this.cleanups.push(() => target.removeEventListener(name, listener));
    };
    listen(document, 'visibilitychange', () => this.poll_schedule(0));
    listen(window, 'online', () => this.poll_schedule(0));
    listen(window, 'popstate', () => {
      this.view = view_parse(location.search);
      void this.load();
    });
    document.title = 'Millrace';
    this.live_show();
    history.replaceState(null, '', view_format(this.view));
    for (const { list } of this.panels) list.show_loading();
    void this.load();
    this.api.tenant().then((tenant) => this.tenant_show(tenant), (error) => this.refused(error));
  }

  /** Of what is shown. */
  address(): string {
    return view_format(this.view);
  }

  stop(): void {
    this.stopped = true;
    this.loading?.abort();
    clearTimeout(this.timer);
    for (const cleanup of this.cleanups) cleanup();
  }

  // --- what people do -------------------------------------------------------------------------------------------

  private change(change: Partial<View>): void {
    this.view = { ...this.view, ...change };
    history.pushState(null, '', view_format(this.view));
    void this.load();
  }

  private measure_toggle(measure: Measure): void {
    const measures = MEASURES.map(({ name }) => name).filter((name) => this.view.measures.includes(name) !== (name === measure));
    if (measures.length === 0) return; // A chart without a line says nothing.
    this.view = { ...this.view, measures };
    history.replaceState(null, '', view_format(this.view));
    this.headline.select(measures);
    this.series_show();
  }

  private filter_toggle(dimension: string, value: string): void {
    const others = this.view.filters.filter((filter) => !(filter.dimension === dimension && filter.operator === 'is'));
    const picked = filter_picked(this.view, dimension) === value;
    this.change({ filters: picked ? others : [...others, { dimension, operator: 'is', values: [value] }] });
  }

  private tab_choose(name: string): void {
    this.view = { ...this.view, tab: name };
    history.replaceState(null, '', view_format(this.view));
    this.tabs_show();
    this.breakdown.list.show_loading();
    void this.panel_load(this.breakdown, this.loading?.signal);
  }

  private live_toggle(): void {
    this.live = !this.live;
    this.live_show();
    this.poll_schedule(0);
  }

  // --- asking ---------------------------------------------------------------------------------------------------

  /** Asks everything for the current view; what was being asked before is dropped. */
  private async load(): Promise<void> {
    this.loading?.abort();
    const loading = (this.loading = new AbortController());
    clearTimeout(this.timer);
    this.toolbar.show(this.view);
    this.headline.select(this.view.measures);
    this.tabs_show();
    const { from, to } = view_range(this.view);
    set_text(this.dates, `${range(wall_clock(from), wall_clock(to))} · ${this.view.timezone.replace(/_/g, ' ')}`);
    this.main.setAttribute('aria-busy', 'true');
    this.topbar.progress.classList.add('running');
    try {
      const lists = Promise.all(this.panels.map((panel) => this.panel_load(panel, loading.signal)));
      const question = this.series_question();
      const answered = String(question);
      question.set('compare', 'previous');
      if (answered !== this.answered) this.before = null;
      const [series, before] = await Promise.all([this.api.timeseries(question, loading.signal), this.before_ask(loading.signal)]);
      if (loading.signal.aborted) return;
      // Nothing before: nothing to compare with, rather than everything being "new".
      if (series.previous && MEASURES.every(({ name }) => series.previous!.totals[name] === 0)) delete series.previous;
      this.series = series;
      this.before = series.previous ? before : null;
      this.answered = answered;
      this.failures = 0;
      this.hopeless = false;
      this.banner.hidden = true;
      this.series_show();
      await lists;
    } catch (error) {
      if (loading.signal.aborted || this.refused(error)) return;
      this.failed(error);
    }
    if (loading.signal.aborted) return;
    this.main.removeAttribute('aria-busy');
    this.topbar.progress.classList.remove('running');
    this.live_show();
    this.poll_schedule();
  }

  private series_question(): URLSearchParams {
    const question = view_question(this.view);
    question.set('measures', MEASURES.map(({ name }) => name).join());
    question.set('interval', interval_of(this.view));
    return question;
  }

  /** What the previous period had come to by this time of day. */
  private async before_ask(signal: AbortSignal): Promise<Numbers | null> {
    const range = view_before(this.view);
    if (!range) return null;
    const question = this.series_question();
    question.set('from', range.from);
    question.set('to', range.to);
    question.set('interval', 'day');
    const { totals } = await this.api.timeseries(question, signal);
    this.before_clock = range.to.slice(11, 16);
    return totals;
  }

  private async panel_load(panel: Panel, signal?: AbortSignal): Promise<void> {
    const dimension = panel.dimension();
    const columns = panel.columns(dimension);
    const question = view_question(this.view);
    question.set('dimension', dimension);
    question.set('measures', columns.map(({ measure }) => measure).join());
    question.set('limit', String(panel.limit));
    try {
      const { rows, totals } = await this.api.top(question, signal);
      if (signal?.aborted || dimension !== panel.dimension()) return;
      // Shares are of the total, not of the sum of the rows: one visitor can be in several.
      panel.list.show(dimension, rows, columns, totals?.[columns[0]!.measure] ?? 0, filter_picked(this.view, dimension));
    } catch (error) {
      if (signal?.aborted || dimension !== panel.dimension() || this.refused(error)) return;
      panel.list.show_error(error as ApiError);
    }
  }

  /** Asks only for the lines again; the lists follow when the lines have changed. */
  private async poll(): Promise<void> {
    const loading = this.loading;
    const shown = this.series;
    if (!loading || loading.signal.aborted || this.polling) return;
    const question = this.series_question();
    // After a failure, or when a new day has begun, all of it is asked for.
    if (!shown || this.failures > 0 || String(question) !== this.answered) return this.load();
    this.polling = true;
    try {
      const series = await this.api.timeseries(question, loading.signal);
      if (loading.signal.aborted) return;
      const changed = JSON.stringify([series.points, series.totals]) !== JSON.stringify([shown.points, shown.totals]);
      if (changed) {
        this.series = { ...series, ...(shown.previous ? { previous: shown.previous } : {}) };
        this.series_show();
        await Promise.all(this.panels.map((panel) => this.panel_load(panel, loading.signal)));
      }
    } catch (error) {
      if (loading.signal.aborted || this.refused(error)) return;
      this.failed(error);
    } finally {
      this.polling = false;
    }
    if (loading.signal.aborted) return;
    this.live_show();
    this.poll_schedule();
  }

  private poll_schedule(wait_ms?: number): void {
    clearTimeout(this.timer);
    if (this.stopped || !this.live || this.hopeless || document.hidden || this.main.hasAttribute('aria-busy')) return;
    const over = view_range(this.view).to < now_in(this.view.timezone).slice(0, 10);
    const usual = over ? POLL_PAST_MS : POLL_MS;
    const backoff = this.failures === 0 ? usual : Math.min(POLL_BACKOFF_MAX_MS, Math.max(POLL_MS * 2 ** this.failures, this.poll_due_ms));
    this.timer = window.setTimeout(() => void this.poll(), wait_ms ?? backoff);
  }

  // --- showing --------------------------------------------------------------------------------------------------

  private series_show(): void {
    const series = this.series;
    if (!series) return;
    const nothing = MEASURES.every(({ name }) => series.totals[name] === 0);
    this.headline.show(series.totals, this.before ?? series.previous?.totals);
    this.chart_area.classList.remove('loading', 'is-error');
    this.chart_area.classList.toggle('is-empty', nothing);
    this.empty.hidden = !nothing;
    if (nothing) this.empty_show();
    this.chart.show({ series, measures: this.view.measures, interval: (series.interval as Interval | undefined) ?? interval_of(this.view), now: now_in(this.view.timezone) });
    this.legend_show(series);
    set_text(this.updated, `Last change seen at ${new Date().toLocaleTimeString('en-GB')}. Times are those of ${this.view.timezone.replace(/_/g, ' ')}.`);
  }

  private legend_show(series: Series): void {
    if (!series.previous) {
      const text = this.empty.hidden ? 'Nothing was recorded in the previous period.' : '';
      this.legend.replaceChildren(element('span', {}, text));
      return;
    }
    const { from, to, points } = series.previous;
    const first = from ?? points[0]?.time;
    // The end is the midnight after the last day.
    const last = to ? wall_clock(to).getTime() - 1 : wall_clock(points[points.length - 1]?.time ?? '').getTime();
    const dates = first ? range(day_of(first), day_of(new Date(Number.isNaN(last) ? 0 : last).toISOString())) : '';
    const until = this.before ? `, compared up to ${this.before_clock}` : '';
    this.legend.replaceChildren(
      ...(dates ? [element('span', { class: 'dashes', 'aria-hidden': 'true' }), element('span', {}, `Previous period: ${dates}${until}`)] : []),
    );
  }

  private empty_show(): void {
    const filtered = this.view.filters.length > 0;
    const button = (text: string, change: Partial<View>): HTMLElement =>
      element('button', { type: 'button', class: 'secondary', onclick: () => this.change(change) }, text);
    this.empty.replaceChildren(
      icon('empty'),
      element('h2', {}, filtered ? 'Nothing matches these filters' : 'Nothing recorded in this period'),
      element('p', {}, filtered ? 'No visit in this period fits all the filters above.' : 'Send an event and it shows up here within two seconds.'),
      element(
        'div',
        { class: 'empty-actions' },
        filtered ? button('Clear filters', { filters: [] }) : null,
        this.view.period === '12m' ? null : button('Show 12 months', { period: '12m', from: '', to: '', interval: null }),
      ),
    );
  }

  /** 401 ends the visit; true when it did. */
  private refused(error: unknown): boolean {
    if (!(error instanceof ApiError) || error.status !== 401) return false;
    if (!this.stopped) this.leave(error.message);
    return true;
  }

  private failed(error: unknown): void {
    const failure = error instanceof ApiError ? error : null;
    const status = failure?.status ?? 0;
    this.failures++;
    this.hopeless = status >= 400 && status < 500 && status !== 408 && status !== 429;
    this.poll_due_ms = (failure?.retry_after_seconds ?? 0) * 1000;
    if (!failure) console.error(error); // A fault of this page, not of the server.
    // Old numbers may stay under a warning, but not under a heading that asks for others.
    const stale = this.series !== null && String(this.series_question()) === this.answered;
    const text = failure?.message ?? String(error);
    const request = failure?.request_id ? element('p', { class: 'request-id' }, `Request ${failure.request_id}`) : null;
    const again = element('button', { type: 'button', class: 'secondary', onclick: () => void this.load() }, 'Try again');
    this.banner.hidden = !stale;
    if (stale) {
      this.banner.replaceChildren(icon('alert'), element('div', {}, element('strong', {}, 'These numbers may be out of date'), element('p', {}, text), request), again);
      return;
    }
    this.series = null;
    this.headline.show_nothing();
    this.legend.replaceChildren();
    this.chart_area.classList.remove('loading');
    this.chart_area.classList.add('is-empty', 'is-error');
    this.empty.replaceChildren(icon('alert'), element('h2', {}, 'The numbers could not be loaded'), element('p', {}, text), ...(request ? [request] : []), element('div', { class: 'empty-actions' }, again));
    this.empty.hidden = false;
  }

  private tenant_show(tenant: Tenant | null): void {
    if (!tenant?.name || this.stopped) return;
    this.sources.replaceChildren(...(tenant.sources ?? []).map(({ name, url }) => element('a', { href: url, rel: 'noopener' }, name)));
    set_text(this.title, tenant.name);
    document.title = `${tenant.name} · Millrace`;
  }

  private live_show(): void {
    const state = !this.live ? 'paused' : this.failures > 0 ? (this.hopeless ? 'stopped' : 'broken') : 'running';
    this.live_button.className = `live ${state}`;
    set_text(this.live_text, { paused: 'Paused', stopped: 'Stopped', broken: 'Reconnecting', running: 'Live' }[state]);
    set_attribute(this.live_button, 'aria-pressed', String(this.live));
    set_attribute(this.live_button, 'aria-label', 'Live updates');
    this.live_button.title = this.live ? 'Numbers refresh every second. Press to pause.' : 'Press to refresh every second again.';
  }

  private tabs_make(): HTMLElement {
    const strip = element('div', { class: 'tabs', role: 'tablist', 'aria-label': 'Break down by' });
    DIMENSIONS.forEach(({ name, title }, index) => {
      const tab = element('button', { type: 'button', role: 'tab', id: `tab-${name}`, 'aria-controls': 'breakdown', onclick: () => this.tab_choose(name) }, title);
      tab.addEventListener('keydown', (event) => {
        const count = DIMENSIONS.length;
        const target = { ArrowRight: index + 1, ArrowLeft: index - 1 + count, Home: 0, End: count - 1 }[event.key];
        if (target === undefined) return;
        event.preventDefault();
        const next = DIMENSIONS[target % count]!.name;
        this.tab_choose(next);
        this.tabs.get(next)!.focus();
      });
      this.tabs.set(name, tab);
      strip.append(tab);
    });
    return strip;
  }

  private tabs_show(): void {
    for (const [name, tab] of this.tabs) {
      const selected = name === this.view.tab;
      set_attribute(tab, 'aria-selected', String(selected));
      tab.tabIndex = selected ? 0 : -1;
    }
    this.main.querySelector('#breakdown')?.setAttribute('aria-labelledby', `tab-${this.view.tab}`);
  }
}

/** The day of a point, for a range of dates. */
function day_of(time: string): Date {
  return wall_clock(time.slice(0, 10));
}
