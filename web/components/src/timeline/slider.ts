/** The slider through time, on a small picture of all events. */
import { button, el, setAttribute, uniqueId } from "../common/dom.ts";
import { formatTime } from "../text/time.ts";
import type { Look } from "./look.ts";
import type { Model } from "./model.ts";
import { nextMoment, OVERVIEW } from "./model.ts";
import type { TimeScale } from "./scale.ts";

const HEIGHT = 26;
/** Half of the slider's thumb: the range of a slider ends that far from its edges. */
const INSET = 6;

/** A real slider: Left and Right go from moment to moment, Home and End to the ends. */
export class TimeSlider {
  readonly element: HTMLElement;
  private readonly input: HTMLInputElement;
  private readonly canvas: HTMLCanvasElement;
  private readonly shown: HTMLElement;
  private model: Model | null = null;

  constructor(private readonly onInput: (time: number) => void) {
    const id = uniqueId("k-slider");
    this.canvas = el("canvas", { "aria-hidden": "true" });
    this.input = el("input", { type: "range", id, step: "any", min: 0, max: 1, disabled: true });
    this.shown = el("output", { class: "k-slider-time", for: id });
    this.element = el(
      "div",
      { class: "k-slider" },
      el("label", { for: id, class: "k-hidden" }, "Moment"),
      this.stepButton(-1, "\u2039", "Previous moment"),
      el("div", { class: "k-slider-track" }, this.canvas, this.input),
      this.stepButton(1, "\u203a", "Next moment"),
      this.shown,
    );
    this.input.addEventListener("input", () => this.onInput(Number(this.input.value)));
    this.input.addEventListener("keydown", (event) => this.key(event));
  }

  setModel(model: Model): void {
    this.model = model;
    const { from, to } = model.extent;
    // A slider over nothing would have no place for its thumb.
    this.input.min = String(from);
    this.input.max = String(to > from ? to : from + 1);
    this.input.disabled = model.events.order.length + model.outputs.order.length === 0;
  }

  setTime(time: number): void {
    this.input.value = String(time);
    const text = this.input.disabled ? "" : `${formatTime(time)} UTC`;
    setAttribute(this.input, "aria-valuetext", text);
    if (this.shown.textContent !== text) this.shown.textContent = text;
  }

  /** Draws how many events there are over all of time, and which part the view shows. */
  draw(scale: TimeScale, look: Look): void {
    const { model, canvas } = this;
    const width = canvas.clientWidth;
    const context = canvas.getContext("2d");
    if (!model || !context || width <= 2 * INSET) return;
    const ratio = Math.max(1, window.devicePixelRatio);
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(HEIGHT * ratio);
    context.scale(ratio, ratio);
    const { from, to } = model.extent;
    const x = (time: number) =>
      INSET + ((time - from) / Math.max(1, to - from)) * (width - 2 * INSET);
    const left = Math.max(0, x(scale.from));
    const right = Math.min(width, x(scale.to));
    context.fillStyle = look.accentSoft;
    context.fillRect(left, 0, Math.max(2, right - left), HEIGHT);
    const most = Math.log1p(model.overview.reduce((a, b) => Math.max(a, b), 1));
    const column = (width - 2 * INSET) / OVERVIEW;
    context.fillStyle = look.textSoft;
    for (let at = 0; at < OVERVIEW; at++) {
      const count = model.overview[at]!;
      if (count === 0) continue;
      const height = Math.max(1, (HEIGHT - 6) * (Math.log1p(count) / most));
      context.fillRect(INSET + at * column, HEIGHT - height, Math.max(1, column), height);
    }
  }

  private key(event: KeyboardEvent): void {
    const direction = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (!direction || !this.model) return;
    event.preventDefault();
    this.step(direction as 1 | -1);
  }

  private step(direction: 1 | -1): void {
    if (!this.model || this.input.disabled) return;
    const time = nextMoment(this.model, Number(this.input.value), direction);
    if (time !== null) this.onInput(time);
  }

  private stepButton(direction: 1 | -1, text: string, title: string): HTMLElement {
    const attributes = { class: "k-button", title, "aria-label": title };
    return button(attributes, () => this.step(direction), text);
  }
}
