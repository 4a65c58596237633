/** The events that steps captured, as buttons with a word about each. */
import type { DetailsOptions } from "../api.ts";
import { button, el } from "../common/dom.ts";
import { answerOr } from "../common/later.ts";
import type { Capture } from "../data.ts";
import { brief } from "../text/visible.ts";

/** Events that are shown of a step at first. */
const SHOWN = 10;
/** Events that "more" adds. */
const MORE = 100;

/** A list of steps with their events. */
export function captureList(captures: readonly Capture[], options: DetailsOptions): HTMLElement {
  const list = el("dl", { class: "k-fields k-captures" });
  for (const { step, events } of captures) {
    list.append(
      el("dt", {}, el("bdi", { class: "k-text" }, brief(step, 60))),
      el("dd", {}, eventButtons(events, options)),
    );
  }
  return list;
}

function eventButtons(events: readonly number[], options: DetailsOptions): HTMLElement {
  const list = el("ol", { class: "k-events" });
  let shown = 0;
  const more = el("li");
  const add = (count: number) => {
    const next = events.slice(shown, shown + count);
    shown += next.length;
    more.remove();
    list.append(...items(next, options));
    const rest = events.length - shown;
    if (rest > 0) list.append(more);
    more.replaceChildren(button({ class: "k-link" }, () => add(MORE), `${rest} more`));
  };
  add(SHOWN);
  return list;
}

function items(events: readonly number[], options: DetailsOptions): HTMLElement[] {
  const texts = events.map((event) =>
    el("bdi", { class: "k-text" }, event < 0 ? "made by another rule" : `event ${event + 1}`),
  );
  void describe(events, texts, options);
  return events.map((event, at) => {
    const { onSelectEvent } = options;
    const text = texts[at]!;
    if (event < 0 || !onSelectEvent) return el("li", {}, text);
    return el(
      "li",
      {},
      button({ class: "k-link" }, () => onSelectEvent(event), text),
    );
  });
}

/** Replaces numbers by words, where somebody knows them. */
async function describe(
  events: readonly number[],
  texts: readonly HTMLElement[],
  options: DetailsOptions,
): Promise<void> {
  const real = events.filter((event) => event >= 0);
  const { describe: ask } = options;
  if (!ask || real.length === 0) return;
  const found = await answerOr(() => ask(real), []);
  const words = new Map(real.map((event, at) => [event, found[at]]));
  for (const [at, event] of events.entries()) {
    const word = words.get(event);
    if (word) texts[at]!.textContent = brief(word, 160);
  }
}
