/** The timeline as a list: one lane's events and outputs, as buttons in the order of time. */
import { button, el } from "../common/dom.ts";
import type { TimelineItem } from "../data.ts";
import { NO_LANE } from "../data.ts";
import { plural } from "../text/time.ts";
import { NOWHERE } from "./event-index.ts";
import type { Model } from "./model.ts";
import { itemWords, laneWords } from "./words.ts";

/** Items that are added at a time. */
const PAGE = 50;

/** What happens when an item is chosen. */
export type Choose = (item: TimelineItem) => void;

/** A part that opens and shows a lane as a list. */
export class LaneList {
  readonly element: HTMLDetailsElement;
  private readonly body: HTMLElement = el("div", { class: "k-list-body" });
  private model: Model | null = null;
  private lane = 0;

  constructor(private readonly choose: Choose) {
    this.element = el("details", { class: "k-list" }, el("summary", {}, "As a list"), this.body);
    this.element.addEventListener("toggle", () => this.draw());
  }

  update(model: Model, lane: number): void {
    if (this.model === model && this.lane === lane) return;
    this.model = model;
    this.lane = lane;
    this.draw();
  }

  private draw(): void {
    const { model, lane } = this;
    this.body.replaceChildren();
    if (!model || !this.element.open) return;
    if (model.data.lanes.length > 0) {
      this.body.append(el("h3", { class: "k-text" }, laneWords(model, lane)));
      this.section(model, "output");
      this.section(model, "event");
    }
    this.untimed(model);
  }

  private section(model: Model, kind: "event" | "output"): void {
    const { order, starts } = kind === "event" ? model.events : model.outputs;
    const start = starts[this.lane]!;
    const count = starts[this.lane + 1]! - start;
    this.body.append(el("h4", {}, plural(count, kind)));
    this.pages(count, (at) => ({
      text: itemWords(model, kind, start + at),
      choose: () => this.choose({ kind, index: order[start + at]! }),
    }));
  }

  /** Events of a lane without a time are nowhere on the canvas. */
  private untimed(model: Model): void {
    const { positions } = model.events;
    const { lane } = model.data.events;
    if (model.events.untimed === 0) return;
    const events: number[] = [];
    for (let event = 0; event < positions.length; event++) {
      if (positions[event] === NOWHERE && lane[event] !== NO_LANE) events.push(event);
    }
    this.body.append(el("h4", {}, `${plural(events.length, "event")} without a time`));
    this.pages(events.length, (at) => ({
      text: `event ${events[at]! + 1}`,
      choose: () => this.choose({ kind: "event", index: events[at]! }),
    }));
  }

  /** Items that are made when they are shown: a lane may have a million. */
  private pages(count: number, show: (at: number) => { text: string; choose(): void }): void {
    const list = el("ol");
    const add = () => {
      const first = list.childElementCount;
      for (let at = first; at < Math.min(count, first + PAGE); at++) {
        const { text, choose } = show(at);
        list.append(el("li", {}, button({ class: "k-link k-text" }, choose, text)));
      }
      more.hidden = list.childElementCount >= count;
    };
    const more = button({ class: "k-button" }, add, "More");
    add();
    this.body.append(list, more);
  }
}
