/** The elements of the part that is drawn: names, canvas, and the layer that scrolls and listens. */
import { el } from "../common/dom.ts";
import { VirtualScroll } from "../common/scroll.ts";
import type { Look } from "./look.ts";
import { LaneNames } from "./names.ts";
import { AXIS, paint } from "./painter.ts";
import type { View } from "./view.ts";

/** The drawn part of the timeline. */
export class Plot {
  readonly element: HTMLElement;
  /** Has the focus, scrolls, and hears the pointer. Its upper left is that of the names. */
  readonly surface: HTMLElement;
  /** Listens to clicks on the axis. */
  readonly axis: HTMLElement;
  readonly scroll: VirtualScroll;
  private readonly canvas: HTMLCanvasElement = el("canvas", { "aria-hidden": "true" });
  private readonly names = new LaneNames();

  constructor(label: string, helpId: string) {
    const spacer = el("div", { class: "k-spacer" });
    this.surface = el(
      "div",
      {
        class: "k-surface",
        tabindex: 0,
        role: "application",
        "aria-label": label,
        "aria-roledescription": "timeline",
        "aria-describedby": helpId,
      },
      spacer,
    );
    this.axis = el("div", { class: "k-axis", title: "Click to move the slider here" });
    this.scroll = new VirtualScroll(this.surface, spacer);
    this.element = el(
      "div",
      { class: "k-plot" },
      this.canvas,
      this.names.element,
      this.names.corner,
      this.surface,
      this.axis,
    );
  }

  /** The width of the column with names, and the size of the part with lanes. */
  size(): { names: number; width: number; height: number } {
    const names = this.names.element.offsetWidth;
    return {
      names,
      width: Math.max(1, this.surface.clientWidth - names),
      height: Math.max(1, this.surface.clientHeight),
    };
  }

  draw(view: View, look: Look): void {
    const { canvas } = this;
    const ratio = Math.max(1, window.devicePixelRatio);
    const width = Math.round(view.scale.width * ratio);
    const height = Math.round((view.height + AXIS) * ratio);
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
      canvas.style.width = `${view.scale.width}px`;
      canvas.style.height = `${view.height + AXIS}px`;
    }
    const context = canvas.getContext("2d");
    if (!context) return;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    paint(context, view, look);
    this.names.draw(view);
  }
}
