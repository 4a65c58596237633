/** One event: what it is, its fields, and the outputs that captured it. */
import type { DetailsOptions, EventDetailsApi } from "../api.ts";
import { button, el } from "../common/dom.ts";
import type { EventItem, OutputRef } from "../data.ts";
import { longText } from "../text/long-text.ts";
import { formatTime, plural } from "../text/time.ts";
import { fieldList } from "../text/values.ts";
import { brief, visible } from "../text/visible.ts";

/** Outputs that are listed. */
const LISTED = 50;

/** What events with this status are, for people. */
const STATUS: Record<EventItem["status"], string> = {
  ok: "",
  late: "late",
  rejected: "rejected",
  unknown: "no declared type",
};

/** The details of an event. */
export class EventDetails implements EventDetailsApi {
  private readonly element: HTMLElement = el("div", { class: "k-details" });

  constructor(
    parent: HTMLElement,
    private readonly options: DetailsOptions = {},
  ) {
    parent.append(this.element);
    this.clear();
  }

  update(event: EventItem, outputs: readonly OutputRef[]): void {
    const { onWhy } = this.options;
    const status = STATUS[event.status];
    this.element.replaceChildren(
      el(
        "h3",
        { class: "k-details-title" },
        longText(event.type, 80),
        status ? el("span", { class: "k-badge k-badge-warning" }, status) : "",
      ),
      el(
        "p",
        { class: "k-details-place" },
        event.time === null ? "no time" : formatTime(event.time),
        `, line ${event.line}`,
      ),
      event.reason ? el("p", { class: "k-reason" }, longText(event.reason)) : "",
      fieldList(event.fields),
      this.outputs(outputs),
      onWhy
        ? button({ class: "k-button k-why" }, () => onWhy(event.index), "Why? Trace its key")
        : "",
      el(
        "details",
        { class: "k-raw" },
        el("summary", {}, "The line"),
        el("pre", {}, longText(event.text, 2000)),
      ),
    );
  }

  clear(): void {
    this.element.replaceChildren(el("p", { class: "k-none" }, "No event is selected."));
  }

  destroy(): void {
    this.element.remove();
  }

  private outputs(outputs: readonly OutputRef[]): HTMLElement {
    if (outputs.length === 0) return el("p", { class: "k-none" }, "In no match or timeout.");
    const { onSelectOutput } = this.options;
    const list = el("ul", { class: "k-inline" });
    for (const output of outputs.slice(0, LISTED)) {
      const text = `${brief(output.rule, 60)} ${output.index + 1}`;
      const content = onSelectOutput
        ? button({ class: "k-link k-text" }, () => onSelectOutput(output), text)
        : visible(text);
      list.append(el("li", {}, content));
    }
    const rest = outputs.length - LISTED;
    if (rest > 0) list.append(el("li", {}, `and ${rest.toLocaleString("en-US")} more`));
    return el("div", {}, el("h4", {}, `In ${plural(outputs.length, "output")}`), list);
  }
}
