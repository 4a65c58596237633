/** The names of the lanes on screen. */
import { el } from "../common/dom.ts";
import { brief } from "../text/visible.ts";
import type { View } from "./view.ts";
import { lanesInView } from "./view.ts";

/** A column with the names of lanes. Elements are used again while one scrolls. */
export class LaneNames {
  readonly element: HTMLElement = el("div", { class: "k-lane-names", "aria-hidden": "true" });
  /** Below the names: what all of them begin with. */
  readonly corner: HTMLElement = el("div", { class: "k-lane-corner", "aria-hidden": "true" });
  private readonly items: HTMLElement[] = [];
  private lanes: readonly string[] = [];
  private prefix = "";

  draw(view: View): void {
    const { first, last, top } = lanesInView(view);
    if (this.lanes !== view.model.data.lanes) {
      this.lanes = view.model.data.lanes;
      this.prefix = commonField(this.lanes);
      this.corner.replaceChildren(el("bdi", {}, brief(this.prefix.slice(0, -1), 40)));
    }
    for (let at = 0; at < last - first; at++) {
      const item = this.items[at] ?? this.add();
      const name = brief(withoutPrefix(this.lanes[first + at] ?? "", this.prefix), 60);
      if (item.firstElementChild!.textContent !== name) item.firstElementChild!.textContent = name;
      item.style.transform = `translateY(${top + at * view.layout.height}px)`;
      item.style.height = `${view.layout.height}px`;
      item.classList.toggle("k-current", view.cursor?.lane === first + at);
      item.hidden = false;
    }
    for (const item of this.items.slice(last - first)) item.hidden = true;
  }

  private add(): HTMLElement {
    const item = el("div", { class: "k-lane-name" }, el("bdi", { class: "k-text" }));
    this.items.push(item);
    this.element.append(item);
    return item;
  }
}

/** Lanes that are looked at: if all of them begin alike, most others do. */
const ASKED = 1000;

/** `order_id=` if lanes begin with it: then it is written once. */
export function commonField(lanes: readonly string[]): string {
  const [prefix] = /^[A-Za-z_][A-Za-z0-9_]{0,60}=/.exec(lanes[0] ?? "") ?? [""];
  return lanes.slice(0, ASKED).every((lane) => lane.startsWith(prefix)) ? prefix : "";
}

/** The name without what is written once; whole if it begins otherwise. */
export function withoutPrefix(name: string, prefix: string): string {
  return name.startsWith(prefix) ? name.slice(prefix.length) : name;
}
