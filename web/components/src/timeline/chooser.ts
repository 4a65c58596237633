/** A list of things that are drawn together, to choose one. */
import { button, el } from "../common/dom.ts";

/** What the list shows and does. */
export interface Choice {
  title: string;
  items: readonly { text: string; choose(): void; describe(): Promise<string> }[];
  /** Shown below the list, such as "and 300 more". */
  note: string | null;
  /** Makes the view narrower, so that the things part; `null` if that is not possible. */
  zoom: (() => void) | null;
}

/** Items that are described besides their text: each may be a question to a worker. */
const DESCRIBED = 30;

/** Opens the list at a place in `parent`. Gives a function that closes it. */
export function openChooser(
  parent: HTMLElement,
  at: { x: number; y: number },
  choice: Choice,
  returnTo: HTMLElement,
): () => void {
  const items = choice.items.map((item, at) => {
    const more = el("span", { class: "k-choice-more" });
    if (at < DESCRIBED) void item.describe().then((text) => describe(more, text));
    const choose = () => leave(item.choose);
    return el("li", {}, button({ class: "k-choice k-text" }, choose, item.text, more));
  });
  const { zoom } = choice;
  const dialog = el(
    "div",
    { class: "k-chooser", role: "dialog", "aria-label": choice.title },
    el("p", { class: "k-chooser-title" }, choice.title),
    el("ul", {}, ...items),
    choice.note ? el("p", {}, choice.note) : null,
    zoom ? button({ class: "k-button" }, () => leave(zoom), "Zoom in here") : null,
    button({ class: "k-button" }, () => leave(), "Close"),
  );
  dialog.addEventListener("keydown", (event) => {
    const buttons = [...dialog.querySelectorAll("button")];
    const now = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) buttons[(now + step + buttons.length) % buttons.length]?.focus();
    else if (event.key === "Escape") leave();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  dialog.addEventListener("focusout", (event) => {
    if (event.relatedTarget instanceof Node && !dialog.contains(event.relatedTarget)) close();
  });
  parent.append(dialog);
  place();
  dialog.querySelector("button")?.focus();
  return close;

  function place(): void {
    const right = parent.clientWidth - dialog.offsetWidth;
    const bottom = parent.clientHeight - dialog.offsetHeight;
    dialog.style.left = `${Math.max(0, Math.min(at.x, right))}px`;
    dialog.style.top = `${Math.max(0, Math.min(at.y, bottom))}px`;
  }

  function describe(more: HTMLElement, text: string): void {
    more.append(text);
    // It has become higher.
    place();
  }

  function close(): void {
    dialog.remove();
  }

  function leave(then?: () => void): void {
    close();
    returnTo.focus();
    then?.();
  }
}
