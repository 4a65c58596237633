/** What the last run counted, what it cost, and what it could not take. */
import type { Summary } from "kleene";
import { brief, el, visible } from "kleene-components";
import { count, fill, took } from "../page.ts";
import { inPageWords } from "../reason.ts";

export interface Measured {
  summary: Summary;
  /** Milliseconds in the worker. */
  took: number;
  /** What to try. */
  tries: readonly string[];
}

const MAX_ROWS = 100;

export class Statistics {
  readonly panel = el("div", { class: "statistics" });

  constructor() {
    this.clear();
  }

  clear(): void {
    fill(this.panel, el("p", { class: "empty" }, "Nothing has run yet."));
  }

  update({ summary, took: time, tries }: Measured): void {
    fill(
      this.panel,
      numbers(summary, time),
      ...section("Hints", list(tries)),
      ...section("Limits", list(summary.limitNotes)),
      ...section("State and cost of the rules", costs(summary)),
      ...section("Undeclared types", unknown(summary)),
      ...section("Rejected lines", rejects(summary)),
    );
  }
}

function numbers(summary: Summary, time: number): HTMLElement {
  const rate = time > 0 ? Math.round((summary.events / time) * 1000) : 0;
  const all: [string, number, string?][] = [
    ["Events", summary.events],
    ["Matches", summary.matches, summary.matches ? "match" : ""],
    ["Timeouts", summary.timeouts, summary.timeouts ? "timeout" : ""],
    ["Still open", summary.stillOpen],
    ["Peak partial matches", summary.peakPartials],
    ["Late", summary.late, summary.late ? "warning" : ""],
    ["Rejected", summary.rejected, summary.rejected ? "error" : ""],
    ["Unknown type", summary.unknown],
    ["Filtered by having", summary.filtered],
    ["Suppressed", summary.suppressed],
    ["Without key", summary.keyless],
    ["Made by rules", summary.derived],
    ["Limits reached", summary.limitsReached, summary.limitsReached ? "error" : ""],
  ];
  const always = new Set(["Events", "Matches", "Timeouts", "Still open", "Peak partial matches"]);
  const tile = (name: string, value: string, state = ""): HTMLElement =>
    el("div", { class: "tile", "data-state": state }, el("dt", {}, name), el("dd", {}, value));
  return el(
    "dl",
    { class: "tiles" },
    ...all
      .filter(([name, value]) => value > 0 || always.has(name))
      .map(([name, value, state]) => tile(name, count(value), state)),
    tile("Time", took(time)),
    rate > 0 && tile("Events per second", count(rate)),
  );
}

function section(title: string, body: HTMLElement | null): HTMLElement[] {
  return body ? [el("section", {}, el("h3", {}, title), body)] : [];
}

function list(lines: readonly string[]): HTMLElement | null {
  if (lines.length === 0) return null;
  return el("ul", {}, ...lines.map((line) => el("li", { class: "k-text" }, visible(line))));
}

function costs(summary: Summary): HTMLElement | null {
  const rules = summary.rules.filter(({ cost }) => cost.length > 0);
  if (rules.length === 0) return null;
  return el(
    "dl",
    { class: "costs" },
    ...rules.flatMap(({ rule, cost }) => [
      el("dt", { class: "k-text" }, visible(rule)),
      ...cost.map((line) => el("dd", { class: "k-text" }, visible(line))),
    ]),
  );
}

function unknown({ unknownTypes, rules }: Summary): HTMLElement | null {
  // Without a rule no type is looked for.
  if (unknownTypes.length === 0 || rules.length === 0) return null;
  const shown = unknownTypes.slice(0, MAX_ROWS);
  return el(
    "ul",
    { class: "inline-list" },
    ...shown.map((item) =>
      el("li", { class: "k-text" }, `${brief(item.type, 60)} `, el("b", {}, count(item.count))),
    ),
  );
}

function rejects({ rejects: all, late, rejected }: Summary): HTMLElement | null {
  if (all.length === 0) return null;
  const shown = all.slice(0, MAX_ROWS);
  const rest = late + rejected - shown.length;
  return el(
    "div",
    {
      class: "scroll-x",
      tabindex: 0,
      role: "region",
      "aria-label": "Rejected lines",
    },
    el(
      "table",
      { class: "plain" },
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          ...["Line", "Reason", "Input"].map((name) => el("th", { scope: "col" }, name)),
        ),
      ),
      el(
        "tbody",
        {},
        ...shown.map(({ line, reason, input }) =>
          el(
            "tr",
            {},
            el("td", { class: "number" }, count(line)),
            el("td", { class: "k-text" }, brief(inPageWords(reason), 300)),
            el("td", { class: "k-text k-mono" }, brief(input, 120)),
          ),
        ),
      ),
    ),
    rest > 0 && el("p", { class: "soft" }, `and ${count(rest)} more`),
  );
}
