/** The partial matches that are open at a moment. */
import type { DetailsOptions, PartialsViewApi } from "../api.ts";
import { el } from "../common/dom.ts";
import type { OpenAt, OpenPartial } from "../data.ts";
import { formatDuration, formatTime, plural } from "../text/time.ts";
import { withCode } from "../text/values.ts";
import { brief } from "../text/visible.ts";
import { captureList } from "./captures.ts";

/** Partial matches that are shown. */
const SHOWN = 100;

/** A list of partial matches: what each has, waits for, and when its time runs out. */
export class PartialsView implements PartialsViewApi {
  private readonly element: HTMLElement = el("div", { class: "k-details k-partials" });

  constructor(
    parent: HTMLElement,
    private readonly options: DetailsOptions = {},
  ) {
    parent.append(this.element);
  }

  update(time: number, open: OpenAt, lanes: readonly string[]): void {
    const shown = open.partials.slice(0, SHOWN);
    const rest = open.total - shown.length;
    const count = plural(open.total, "partial match", "partial matches");
    this.element.replaceChildren(
      el("p", { class: "k-details-place" }, `${count} open at ${formatTime(time)}`),
      open.total === 0
        ? el("p", { class: "k-none" }, "Move the slider of the timeline to another moment.")
        : "",
      el("ol", { class: "k-cards" }, ...shown.map((one) => this.card(time, one, lanes))),
      rest > 0 ? el("p", { class: "k-none" }, `and ${rest.toLocaleString("en-US")} more`) : "",
    );
  }

  clear(): void {
    this.element.replaceChildren();
  }

  destroy(): void {
    this.element.remove();
  }

  private card(time: number, partial: OpenPartial, lanes: readonly string[]): HTMLElement {
    const { deadline } = partial;
    return el(
      "li",
      { class: "k-card" },
      el(
        "p",
        { class: "k-card-title" },
        el("bdi", { class: "k-text" }, brief(lanes[partial.lane] ?? "", 80)),
        ...partial.states.map((state) => el("span", { class: "k-badge" }, brief(state, 20))),
      ),
      captureList(partial.captures, this.options),
      partial.waits ? el("p", {}, withCode(brief(partial.waits, 2000))) : null,
      deadline === null
        ? el("p", { class: "k-none" }, "no deadline")
        : el(
            "p",
            { class: "k-deadline" },
            `until ${formatTime(deadline)}, ${formatDuration(deadline - time)} left`,
          ),
    );
  }
}
