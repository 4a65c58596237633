/** Shows text of users in the page: cut if it is long, with a way to see more of it. */
import { button, el } from "../common/dom.ts";
import { head, visible } from "./visible.ts";

/** Characters that "more" adds at first; each time it adds twice as many. */
const MORE = 4000;

/** An element with the start of a text. A button adds more of it. */
export function longText(text: string, limit = 300): HTMLElement {
  let end = head(text, limit).length;
  const shown = el("bdi", { class: "k-text" }, visible(text.slice(0, end)));
  if (end >= text.length) return shown;
  let step = MORE;
  const more = button({ class: "k-link k-more" }, () => {
    const next = head(text.slice(end), step).length;
    shown.append(visible(text.slice(end, end + next)));
    end += next;
    step *= 2;
    label();
  });
  label();
  return el("span", { class: "k-long" }, shown, more);

  function label(): void {
    const rest = text.length - end;
    more.textContent = `\u2026 ${rest.toLocaleString("en-US")} more characters`;
    more.hidden = rest <= 0;
  }
}
