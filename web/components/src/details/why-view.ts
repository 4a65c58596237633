/** The story of a key: for each event what it did to each partial match, and why. */
import type { DetailsOptions, WhyViewApi } from "../api.ts";
import { button, el } from "../common/dom.ts";
import type { WhyEffect, WhyEntry, WhyStory } from "../data.ts";
import { plural } from "../text/time.ts";
import { recordText, withCode } from "../text/values.ts";
import { brief, head } from "../text/visible.ts";

/** Entries that are shown at once. */
const PAGE = 100;
/** Entries that are shown before the one that was asked for. */
const BEFORE = 10;

/** What entries are, where they are no events of the key. */
const KINDS: Record<WhyEntry["kind"], string> = {
  event: "",
  "unseen type": "type not seen by this rule",
  late: "late",
  rejected: "rejected",
  unreadable: "a line that cannot be read",
  time: "time passes",
  end: "the input ends",
};

/** The signs of fates, by what they mean for a partial match. */
const SIGNS: Record<string, string> = {
  begun: "\u25b6",
  ended: "\u2715",
  over: "\u29d6",
  match: "\u2605",
  timeout: "\u29d6",
  still: "\u00b7",
};

/** What fates mean: those that are not listed change nothing. */
const FATES: Record<string, keyof typeof SIGNS> = {
  started: "begun",
  took: "begun",
  branched: "begun",
  completed: "begun",
  "turn came": "begun",
  broken: "ended",
  stopped: "ended",
  dropped: "ended",
  overflow: "ended",
  failed: "ended",
  "not followed": "ended",
  "ran out": "over",
  exhausted: "over",
  "too late": "over",
  over: "over",
};

/** A story in readable form. */
export class WhyView implements WhyViewApi {
  private readonly element: HTMLElement = el("div", { class: "k-details k-story" });

  constructor(
    parent: HTMLElement,
    private readonly options: Pick<DetailsOptions, "onSelectEvent"> = {},
  ) {
    parent.append(this.element);
    this.clear();
  }

  update(story: WhyStory, event?: number): void {
    const { summary, entries } = story;
    const wanted = event === undefined ? -1 : entries.findIndex((entry) => entry.index === event);
    const list = el("ol", { class: "k-cards" });
    this.element.replaceChildren(
      el("h3", { class: "k-details-title" }, el("bdi", {}, brief(summary.rule, 80))),
      el("p", { class: "k-details-place" }, counts(story)),
      list,
      open(story),
    );
    this.fill(list, entries, wanted);
  }

  clear(): void {
    this.element.replaceChildren(
      el("p", { class: "k-none" }, "Select an event and ask why it did or did not take part."),
    );
  }

  destroy(): void {
    this.element.remove();
  }

  /** Shows a page of entries, with buttons for those before and behind it. */
  private fill(list: HTMLElement, entries: readonly WhyEntry[], wanted: number): void {
    let first = Math.max(0, wanted - BEFORE);
    let last = Math.min(entries.length, first + PAGE);
    const earlier = el("li", { class: "k-card-more" });
    const later = el("li", { class: "k-card-more" });
    const make = (from: number, to: number) =>
      entries.slice(from, to).map((entry, at) => this.card(entry, from + at === wanted));
    const buttons = () => {
      earlier.hidden = first === 0;
      later.hidden = last === entries.length;
      earlier.replaceChildren(button({ class: "k-button" }, addEarlier, `${first} earlier`));
      later.replaceChildren(
        button({ class: "k-button" }, addLater, `${entries.length - last} later`),
      );
    };
    const addEarlier = () => {
      const from = Math.max(0, first - PAGE);
      earlier.after(...make(from, first));
      first = from;
      buttons();
    };
    const addLater = () => {
      const to = Math.min(entries.length, last + PAGE);
      later.before(...make(last, to));
      last = to;
      buttons();
    };
    list.append(earlier, ...make(first, last), later);
    buttons();
    list.querySelector(".k-wanted")?.scrollIntoView({ block: "nearest" });
  }

  private card(entry: WhyEntry, isWanted: boolean): HTMLElement {
    const effects = entry.effects.map(effectItem);
    if (entry.more_effects > 0) effects.push(el("li", {}, `and ${entry.more_effects} more`));
    return el(
      "li",
      { class: isWanted ? "k-card k-wanted" : "k-card", "aria-current": isWanted && "true" },
      this.title(entry),
      entry.reason ? el("p", { class: "k-reason" }, brief(entry.reason, 1000)) : null,
      effects.length > 0 ? el("ul", { class: "k-effects" }, ...effects) : null,
    );
  }

  private title(entry: WhyEntry): HTMLElement {
    const { event, index } = entry;
    const { onSelectEvent } = this.options;
    const title = el("p", { class: "k-card-title" }, el("time", {}, timeText(entry.at)));
    if (event) {
      const text = `${event.type} ${recordText(event.fields)}`;
      const content = el("bdi", { class: "k-text" }, brief(text, 400));
      const canSelect = index !== undefined && onSelectEvent;
      title.append(
        canSelect
          ? button({ class: "k-link" }, () => onSelectEvent(index), content)
          : el("strong", {}, content),
      );
      if (event.line !== null) title.append(el("span", { class: "k-none" }, `line ${event.line}`));
      if (event.made_by) {
        title.append(el("span", { class: "k-none" }, `made by ${brief(event.made_by, 60)}`));
      }
    }
    const kind = KINDS[entry.kind] ?? entry.kind;
    if (kind) title.append(el("span", { class: "k-badge" }, kind));
    return title;
  }
}

function effectItem(effect: WhyEffect): HTMLElement {
  const mood = effect.reported?.kind ?? FATES[effect.fate] ?? "still";
  const [first, ...more] = head(effect.text, 10_000).split("\n");
  return el(
    "li",
    { class: `k-effect k-effect-${mood}` },
    el("span", { class: "k-sign", "aria-hidden": "true" }, SIGNS[mood]),
    el(
      "div",
      { class: "k-text" },
      el("p", {}, withCode(first ?? "")),
      ...more.map((line) => el("p", { class: "k-because" }, withCode(line.trim()))),
    ),
  );
}

function counts(story: WhyStory): string {
  const { summary } = story;
  const parts = [
    plural(summary.partial_matches, "partial match", "partial matches"),
    plural(summary.matches, "match", "matches"),
    plural(summary.timeouts, "timeout"),
  ];
  if (summary.left_out > 0) parts.push(`${plural(summary.left_out, "entry", "entries")} left out`);
  const read = summary.events_read.toLocaleString("en-US");
  return `${plural(summary.events, "event")} of this key, of ${read} read: ${parts.join(", ")}`;
}

/** What is still open when the story ends. */
function open(story: WhyStory): HTMLElement | string {
  const { summary } = story;
  if (summary.open.length === 0) return "";
  const items = summary.open.map((one) => {
    const until = one.until ? ` until ${timeText(one.until)}` : "";
    const waits = one.waits_for.map((step) => `\`${step}\``).join(" or ");
    const unless = one.must_not_come.map((step) => `\`${step}\``).join(" or ");
    const text = [
      `#${one.partial} has ${one.taken.map((step) => `\`${step}\``).join(", ") || "nothing yet"}`,
      waits ? `waits${until} for ${waits}` : `waits${until}`,
      unless ? `ends if ${unless} comes` : "",
    ];
    return el("li", { class: "k-text" }, withCode(brief(text.filter(Boolean).join("; "), 1000)));
  });
  if (summary.more_open > 0) items.push(el("li", {}, `and ${summary.more_open} more`));
  return el("div", {}, el("h4", {}, "Still open"), el("ul", {}, ...items));
}

/** `2024-03-01 10:00:00` of an RFC 3339 time. */
function timeText(at: string): string {
  return brief(at.replace("T", " ").replace(/Z$/, ""), 40);
}
