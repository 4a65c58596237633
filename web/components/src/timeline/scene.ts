/** What is seen and how it is drawn: data, range of time, scrolled lanes, slider, selection. */
import { el } from "../common/dom.ts";
import type { OpenPartial, TimelineSelection } from "../data.ts";
import { cursorIn, cursorTime } from "./cursor.ts";
import { layoutOf } from "./layout.ts";
import { legend } from "./legend.ts";
import type { Look } from "./look.ts";
import { lookOf, watchLook } from "./look.ts";
import type { Model } from "./model.ts";
import { positionOf } from "./model.ts";
import { openMarks } from "./open.ts";
import { Plot } from "./plot.ts";
import type { Range } from "./scale.ts";
import { limitsOf, TimeScale } from "./scale.ts";
import { TimeSlider } from "./slider.ts";
import type { Cursor, View } from "./view.ts";
import { lanesInView } from "./view.ts";
import { summaryWords } from "./words.ts";

/** The parts of the timeline that show something, and what they show. */
export class Scene {
  readonly plot: Plot;
  readonly slider: TimeSlider;
  readonly legend: HTMLElement = el("div", { class: "k-legend-place" });
  readonly summary: HTMLElement = el("p", { class: "k-timeline-summary" });
  /** Where the keys are, also while the timeline does not have the focus. */
  cursor: Cursor | null = null;
  /** The cursor is shown without the focus: a key was looked for and found. */
  isFound = false;
  private current: View | null = null;
  private look: Look;
  private chosen: TimelineSelection = {};
  private frame = 0;
  private readonly stops: (() => void)[];

  constructor(
    label: string,
    helpId: string,
    private readonly actions: { moved(time: number): void; painted(view: View): void },
  ) {
    this.plot = new Plot(label, helpId);
    this.slider = new TimeSlider((time) => this.moveTime(time));
    this.look = lookOf(document.documentElement);
    const observer = new ResizeObserver(() => this.resize());
    observer.observe(this.plot.element);
    this.stops = [() => observer.disconnect(), watchLook(() => this.changeLook())];
    this.plot.surface.addEventListener("scroll", () => this.draw());
  }

  /** The view, once there are data. */
  get view(): View | null {
    return this.current;
  }

  destroy(): void {
    cancelAnimationFrame(this.frame);
    for (const stop of this.stops) stop();
  }

  /** Shows other data: all of them, or the range that was seen before. */
  show(model: Model, keep: "fit" | "keep"): void {
    const before = keep === "keep" ? this.current : null;
    const cursorBefore = this.cursor && this.current && cursorTime(this.current.model, this.cursor);
    const layout = layoutOf(model);
    const limits = limitsOf(model.extent);
    const { width, height } = this.plot.size();
    const { range, time } = kept(before, model, limits);
    this.plot.scroll.setContent(model.data.lanes.length * layout.height);
    if (!before) this.plot.scroll.offset = 0;
    this.current = {
      model,
      layout,
      limits,
      scale: new TimeScale(range.from, range.to, width).within(limits),
      height,
      scroll: this.plot.scroll.offset,
      time,
      selection: { event: null, output: null, events: [] },
      open: new Map(),
      cursor: null,
    };
    this.cursor = this.cursor && cursorIn(model, this.cursor, cursorBefore);
    this.slider.setModel(model);
    this.slider.setTime(this.current.time);
    this.summary.textContent = summaryWords(model);
    this.select(this.chosen);
    this.changeLook();
    // The legend may have changed the room that is left.
    this.resize();
    this.paint();
  }

  select(chosen: TimelineSelection): void {
    this.chosen = chosen;
    const { current } = this;
    if (!current) return;
    const { model } = current;
    const highlighted = (chosen.events ?? []).map((event) => positionOf(model, "event", event));
    current.selection = {
      event: positionOf(model, "event", chosen.event),
      output: positionOf(model, "output", chosen.output),
      events: highlighted.filter((position) => position !== null).sort((a, b) => a - b),
    };
    this.draw();
  }

  /** Shows partial matches that are open where the slider stands. */
  setOpen(open: readonly OpenPartial[]): void {
    const { current } = this;
    if (!current) return;
    current.open = openMarks(current.model, open);
    this.draw();
  }

  // -------------------------------------------------------------- moving

  zoomTo(start: number, end: number): void {
    this.rescale((scale, view) => new TimeScale(start, end, scale.width).within(view.limits));
  }

  /** Shows `factor` times as much. `x` stays where it is: the middle if it is not given. */
  zoom(factor: number, x?: number): void {
    this.rescale((scale, view) => scale.zoom(factor, x ?? scale.width / 2, view.limits));
  }

  pan(dx: number, dy: number): void {
    if (dy !== 0) this.plot.scroll.offset += dy;
    this.rescale((scale, view) => scale.pan(dx, view.limits));
  }

  /** Moves the slider without telling anybody. */
  setTime(time: number): void {
    if (!this.current) return;
    this.current.time = time;
    this.slider.setTime(time);
    this.draw();
  }

  /** Moves the slider for the user. */
  moveTime(time: number): void {
    const { current } = this;
    if (!current) return;
    const { from, to } = current.model.extent;
    this.setTime(Math.round(Math.min(to, Math.max(from, time))));
    this.rescale((scale, view) => scale.showing(view.time, view.limits));
    this.actions.moved(current.time);
  }

  /** Scrolls and pans until the cursor is seen. */
  showCursor(): void {
    const { current, cursor } = this;
    if (!current || !cursor) return;
    const { height } = current.layout;
    this.plot.scroll.show(cursor.lane * height, (cursor.lane + 1) * height);
    const time = cursorTime(current.model, cursor);
    this.rescale((scale, view) => (time === null ? scale : scale.showing(time, view.limits)));
  }

  private rescale(change: (scale: TimeScale, view: View) => TimeScale): void {
    const { current } = this;
    if (!current) return;
    current.scale = change(current.scale, current);
    this.draw();
  }

  // -------------------------------------------------------------- drawing

  /** Draws with the next frame, however often it is called before. */
  draw(): void {
    this.frame ||= requestAnimationFrame(() => this.paint());
  }

  private paint(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const { current, plot } = this;
    if (!current) return;
    current.scroll = plot.scroll.offset;
    const isShown = this.isFound || plot.surface.matches(":focus-visible");
    current.cursor = isShown ? this.cursor : null;
    plot.draw(current, this.look);
    this.slider.draw(current.scale, this.look);
    this.actions.painted(current);
  }

  private resize(): void {
    const { current } = this;
    if (!current) return;
    const { width, height } = this.plot.size();
    current.height = height;
    this.rescale((scale) => scale.wide(width));
  }

  private changeLook(): void {
    this.look = lookOf(this.plot.element);
    if (this.current) this.legend.replaceChildren(legend(this.current.model, this.look));
    this.draw();
  }
}

/**
 * The range and moment to show of other data. Who saw all of time sees all of it again, and a slider at
 * the end stays at the end.
 */
export function kept(
  before: View | null,
  model: Model,
  limits: Range,
): { range: Range; time: number } {
  const { from, to } = model.extent;
  const end = { range: limits, time: to };
  if (!before || before.model.events.order.length === 0) return end;
  const { scale, limits: old, time } = before;
  const sawAll = scale.from <= old.from && scale.to >= old.to;
  const wasAtEnd = time === before.model.extent.to;
  return {
    range: sawAll ? limits : scale,
    time: wasAtEnd ? to : Math.min(to, Math.max(from, time)),
  };
}

/** The lane that the keys are in, or the first on screen. */
export function currentLane(scene: Scene, view: View): number {
  return scene.cursor?.lane ?? lanesInView(view).first;
}
