/** A few lines beside the pointer. */
import { el } from "../common/dom.ts";

/** A tooltip that never gets the pointer. */
export class Tooltip {
  readonly element: HTMLElement = el("div", { class: "k-tooltip", "aria-hidden": "true" });

  constructor() {
    this.element.hidden = true;
  }

  show(lines: readonly string[], x: number, y: number): void {
    const { element } = this;
    element.replaceChildren(...lines.map((line) => el("div", { class: "k-text" }, line)));
    element.hidden = false;
    const parent = element.parentElement!;
    const left =
      x + 14 + element.offsetWidth > parent.clientWidth ? x - element.offsetWidth - 10 : x + 14;
    const top = Math.min(y + 14, parent.clientHeight - element.offsetHeight);
    element.style.transform = `translate(${Math.max(0, left)}px, ${Math.max(0, top)}px)`;
  }

  /** Adds a line to what is shown. */
  add(line: string): void {
    this.element.append(el("div", { class: "k-text" }, line));
  }

  hide(): void {
    this.element.hidden = true;
  }
}
