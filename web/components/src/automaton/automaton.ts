/** The picture of a rule's automaton, with the states that partial matches wait in. */
import type { AutomatonApi, AutomatonOptions } from "../api.ts";
import { button, el, uniqueId } from "../common/dom.ts";
import { plural } from "../text/time.ts";
import { brief } from "../text/visible.ts";
import { safeSvg } from "./sanitise.ts";

const SVG = "http://www.w3.org/2000/svg";

/** A picture is not made smaller than this share of its size. */
const READABLE = 0.7;

/** The automaton. The list below the picture says in words what is lit. */
export class Automaton implements AutomatonApi {
  private readonly picture: HTMLElement;
  private readonly list: HTMLElement = el("ul", { class: "k-states", "aria-live": "polite" });
  private readonly element: HTMLElement;
  private readonly prefix = uniqueId("k-svg");
  private states: ReadonlyMap<string, number> = new Map();

  constructor(
    parent: HTMLElement,
    private readonly options: AutomatonOptions = {},
  ) {
    // It scrolls, so that keys have to reach it.
    this.picture = el("div", { class: "k-picture", tabindex: 0, role: "group" });
    this.picture.setAttribute("aria-label", "Automaton");
    this.element = el("div", { class: "k-automaton" }, this.picture, this.list);
    parent.append(this.element);
    this.picture.addEventListener("click", (event) => {
      const state = (event.target as Element).getAttribute("data-state");
      if (state) this.options.onSelectState?.(state);
    });
  }

  update(text: string): void {
    const svg = safeSvg(text, this.prefix);
    this.states = new Map();
    this.list.replaceChildren();
    if (!svg) {
      this.picture.replaceChildren(el("p", { class: "k-none" }, "There is no picture."));
      return;
    }
    const title = svg.querySelector("title");
    if (title) {
      title.id = `${this.prefix}-title`;
      svg.setAttribute("aria-labelledby", title.id);
    }
    svg.setAttribute("role", "img");
    // A large picture is scrolled rather than made too small to read.
    svg.style.minWidth = `${Number(svg.getAttribute("width") ?? 0) * READABLE}px`;
    this.picture.replaceChildren(svg);
  }

  light(states: ReadonlyMap<string, number>): void {
    this.states = states;
    for (const old of this.picture.querySelectorAll(".k-count-sign")) old.remove();
    for (const shape of this.picture.querySelectorAll<SVGElement>("[data-state]")) {
      const count = states.get(shape.getAttribute("data-state") ?? "") ?? 0;
      shape.classList.toggle("k-lit", count > 0);
      if (count > 0) shape.ownerSVGElement?.append(sign(shape, count));
    }
    this.describe();
  }

  destroy(): void {
    this.element.remove();
  }

  private describe(): void {
    const { onSelectState } = this.options;
    const occupied = [...this.states].filter(([, count]) => count > 0);
    const items = occupied.map(([state, count]) => {
      const text = `${brief(state, 40)}: ${plural(count, "partial match", "partial matches")}`;
      const content = onSelectState
        ? button({ class: "k-link k-text" }, () => onSelectState(state), text)
        : text;
      return el("li", {}, content);
    });
    this.list.replaceChildren(
      ...(items.length > 0 ? items : [el("li", {}, "No partial match is open.")]),
    );
  }
}

/** A count in a circle, at the upper right of a state. */
function sign(shape: Element, count: number): SVGElement {
  const number = (name: string) => Number(shape.getAttribute(name) ?? 0);
  const x = number("cx") + number("rx") * 0.75;
  const y = number("cy") - number("ry") * 0.75;
  const text = count < 10_000 ? String(count) : `${Math.floor(count / 1000)}k`;
  const out = document.createElementNS(SVG, "g");
  out.setAttribute("class", "k-count-sign");
  const width = 12 + 7 * text.length;
  const ground = document.createElementNS(SVG, "rect");
  const place = { x: x - width / 2, y: y - 9, width, height: 18, rx: 9 };
  for (const [name, value] of Object.entries(place)) ground.setAttribute(name, String(value));
  const label = document.createElementNS(SVG, "text");
  label.setAttribute("x", String(x));
  label.setAttribute("y", String(y + 4));
  label.setAttribute("text-anchor", "middle");
  label.append(text);
  out.append(ground, label);
  return out;
}
