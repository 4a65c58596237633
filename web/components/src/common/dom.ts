/** Makes elements. Text always becomes text nodes: nothing here parses markup. */

/** What stands in an element. */
export type Child = Node | string | null | undefined | false;

/** Attributes of an element; `false` and `null` leave one out. */
export type Attributes = Record<string, string | number | boolean | null | undefined>;

/** Makes an element with attributes and children. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) setAttribute(element, name, value);
  append(element, children);
  return element;
}

/** Makes a button with a handler. */
export function button(
  attributes: Attributes,
  onClick: (event: MouseEvent) => void,
  ...children: Child[]
): HTMLButtonElement {
  const element = el("button", { type: "button", ...attributes }, ...children);
  element.addEventListener("click", onClick);
  return element;
}

/** Sets an attribute, or takes it away. */
export function setAttribute(
  element: Element,
  name: string,
  value: string | number | boolean | null | undefined,
): void {
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : String(value));
}

/** Adds children, and leaves out what is nothing. */
export function append(element: Element, children: readonly Child[]): void {
  for (const child of children) if (child) element.append(child);
}

/** A number that no other element of this page has in its id. */
export function uniqueId(prefix: string): string {
  counter += 1;
  return `${prefix}-${counter}`;
}
let counter = 0;
