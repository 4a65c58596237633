/** A few lines beside the pointer. */
import { el } from "../common/dom.ts";

/** A tooltip that never gets the pointer. */
export class Tooltip {
  readonly element: HTMLElement = el("div", { class: "k-tooltip", "aria-hidden": "true" });

  private at = { x: 0, y: 0 };

  constructor() {
    this.element.hidden = true;
  }

  show(lines: readonly string[], x: number, y: number): void {
    const { element } = this;
    element.replaceChildren(...lines.map((line) => el("div", { class: "k-text" }, line)));
    element.hidden = false;
    this.at = { x, y };
    this.place();
  }

  /** Adds a line to what is shown. */
  add(line: string): void {
    this.element.append(el("div", { class: "k-text" }, line));
    // It has become higher.
    this.place();
  }

  /** Puts it beside the pointer, and inside of what it stands in. */
  private place(): void {
    const { element, at } = this;
    const parent = element.parentElement!;
    const { offsetWidth: width, offsetHeight: height } = element;
    const left = at.x + 14 + width > parent.clientWidth ? at.x - width - 10 : at.x + 14;
    const top = at.y + 14 + height > parent.clientHeight ? at.y - height - 8 : at.y + 14;
    const most = Math.max(0, parent.clientHeight - height);
    element.style.transform = `translate(${Math.max(0, left)}px, ${Math.min(most, Math.max(0, top))}px)`;
  }

  hide(): void {
    this.element.hidden = true;
  }
}
