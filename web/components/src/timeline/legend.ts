/** The legend: event types with their dots, and how matches and timeouts look. */
import { button, el } from "../common/dom.ts";
import { brief, visible } from "../text/visible.ts";
import type { Look } from "./look.ts";
import type { Model } from "./model.ts";
import { typeName } from "./model.ts";
import { addShape, colourOf, shapeOf } from "./palette.ts";

/** Types that are shown at first. */
const SHOWN = 8;

/** Makes the items of a legend for the types that occur. */
export function legend(model: Model, look: Look): HTMLElement {
  const types = [...model.typeCounts.keys()].filter((type) => model.typeCounts[type]! > 0);
  const list = el("ul", { class: "k-legend", "aria-label": "Legend" });
  for (const type of types.slice(0, SHOWN)) list.append(typeItem(model, look, type));
  const rest = types.slice(SHOWN);
  if (rest.length > 0) {
    const more = el("li");
    const showAll = () => more.replaceWith(...rest.map((type) => typeItem(model, look, type)));
    more.append(button({ class: "k-link" }, showAll, `${rest.length} more types`));
    list.append(more);
  }
  if (model.outputs.order.length > model.outputs.timeouts) {
    list.append(el("li", {}, el("span", { class: "k-swatch k-swatch-match" }), "match"));
  }
  if (model.outputs.timeouts > 0) {
    list.append(el("li", {}, el("span", { class: "k-swatch k-swatch-timeout" }), "timeout"));
  }
  list.append(
    el("li", {}, el("span", { class: "k-swatch k-swatch-open" }), "open, to its deadline"),
  );
  return list;
}

function typeItem(model: Model, look: Look, type: number): HTMLElement {
  const name = typeName(model, type);
  const count = model.typeCounts[type]!.toLocaleString("en-US");
  return el(
    "li",
    { title: `${visible(name.slice(0, 500))}: ${count}` },
    dot(type, look),
    el("span", { class: "k-text" }, brief(name, 40)),
  );
}

function dot(type: number, look: Look): HTMLCanvasElement {
  const size = 12;
  const ratio = Math.max(1, window.devicePixelRatio);
  const canvas = el("canvas", { width: size * ratio, height: size * ratio, "aria-hidden": "true" });
  canvas.className = "k-legend-dot";
  const context = canvas.getContext("2d");
  if (context) {
    context.scale(ratio, ratio);
    context.fillStyle = colourOf(type, look.ground);
    context.beginPath();
    addShape(context, shapeOf(type), size / 2, size / 2, 4);
    context.fill();
  }
  return canvas;
}
