/** One match or timeout: its events, its emit, and the line of it. */
import type { DetailsOptions, OutputDetailsApi } from "../api.ts";
import { el } from "../common/dom.ts";
import type { OutputItem } from "../data.ts";
import { longText } from "../text/long-text.ts";
import { formatTime } from "../text/time.ts";
import { fieldList } from "../text/values.ts";
import { visible } from "../text/visible.ts";
import { captureList } from "./captures.ts";

/** The details of an output. */
export class OutputDetails implements OutputDetailsApi {
  private readonly element: HTMLElement = el("div", { class: "k-details" });

  constructor(
    parent: HTMLElement,
    private readonly options: DetailsOptions = {},
  ) {
    parent.append(this.element);
    this.clear();
  }

  update(rule: string, output: OutputItem): void {
    this.element.replaceChildren(
      el(
        "h3",
        { class: "k-details-title" },
        el("span", { class: `k-badge k-badge-${output.kind}` }, output.kind),
        longText(rule, 80),
      ),
      el(
        "p",
        { class: "k-details-place" },
        formatTime(output.time),
        output.count === undefined ? "" : `, ${visible(output.count)} matches in one report`,
      ),
      el("h4", {}, "Key"),
      fieldList(output.key),
      el("h4", {}, "Events"),
      captureList(output.captures, this.options),
      el("h4", {}, "Emit"),
      fieldList(output.emit),
      el(
        "details",
        { class: "k-raw" },
        el("summary", {}, "As JSON"),
        el("pre", {}, longText(output.json, 2000)),
      ),
    );
  }

  clear(): void {
    this.element.replaceChildren(el("p", { class: "k-none" }, "No match or timeout is selected."));
  }

  destroy(): void {
    this.element.remove();
  }
}
