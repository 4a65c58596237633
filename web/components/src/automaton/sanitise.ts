/**
 * Takes over an SVG picture, element by element, by a list of what is allowed. What is not on the list
 * is left out: scripts, handlers, styles, links, foreign content, references to other places.
 */

const SVG = "http://www.w3.org/2000/svg";

const ELEMENTS = new Set(
  "svg g path ellipse rect circle line polygon polyline text tspan title defs marker".split(" "),
);

const ATTRIBUTES = new Set(
  (
    "viewBox width height x y x1 y1 x2 y2 cx cy r rx ry d points text-anchor orient " +
    "refX refY markerWidth markerHeight data-state"
  ).split(" "),
);

/** Classes that our pictures have; `svg.css` says how they look. */
const CLASSES = new Set(
  "title name label arc dashed node step start match end fork state".split(" "),
);

/** A picture of more elements is no picture that anybody reads. */
const MOST = 20_000;

/** Gives a safe copy of a picture; `null` if the text is none. `prefix` makes ids unique. */
export function safeSvg(text: string, prefix: string): SVGSVGElement | null {
  // Style sheets are not taken over anyway; a strict policy would report them when they are parsed.
  const plain = text.replace(/<style\b[^>]*>[\s\S]*?<\/style>/g, "");
  const parsed = new DOMParser().parseFromString(plain, "image/svg+xml").documentElement;
  if (parsed.namespaceURI !== SVG || parsed.localName !== "svg") return null;
  let left = MOST;
  return copy(parsed) as SVGSVGElement;

  function copy(from: Element): SVGElement {
    left--;
    const to = document.createElementNS(SVG, from.localName);
    for (const { name, value } of from.attributes) takeAttribute(to, name, value, prefix);
    for (const child of from.childNodes) {
      if (child.nodeType === Node.TEXT_NODE) to.append(child.nodeValue ?? "");
      else if (isAllowed(child) && left > 0) to.append(copy(child));
    }
    return to;
  }
}

function isAllowed(node: Node): node is Element {
  if (node.nodeType !== Node.ELEMENT_NODE) return false;
  const { namespaceURI, localName } = node as Element;
  return namespaceURI === SVG && ELEMENTS.has(localName);
}

function takeAttribute(to: Element, name: string, value: string, prefix: string): void {
  if (ATTRIBUTES.has(name)) to.setAttribute(name, value);
  else if (name === "class") {
    const kept = value.split(/\s+/).filter((one) => CLASSES.has(one));
    if (kept.length > 0) to.setAttribute("class", kept.join(" "));
  } else if (name === "id" && /^\w+$/.test(value)) to.id = `${prefix}-${value}`;
  else if (name === "marker-end") {
    const id = /^url\(#(\w+)\)$/.exec(value)?.[1];
    if (id) to.setAttribute(name, `url(#${prefix}-${id})`);
  }
}
