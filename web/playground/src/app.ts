/**
 * The page's state, and what follows from a change of it: new rules or events make a run, a run makes
 * new results, a selection or a moment of the slider asks the worker for what belongs to it.
 */

import type { Example } from "virtual:examples";
import type { Diagnostic, ExplorerRunOptions, InputOptions, Limits, Summary } from "kleene";
import { brief, button, el, RuleEditor, visible } from "kleene-components";
import unpaidEvents from "../../../examples/data/orders.jsonl?raw";
import unpaidRules from "../../../examples/unpaid.cep?raw";
import { inferredUnit, withDeclarations } from "./declarations.ts";
import { isDocument } from "./hints.ts";
import { count, counted, debounced, fill, part, took } from "./page.ts";
import { inPageWords } from "./reason.ts";
import { Results } from "./results.ts";
import { decodeShare, encodeShare, type RunSettings, ShareError } from "./share.ts";
import { CodeDialog, ExamplesDialog, ShareDialog } from "./views/dialogs.ts";
import { type EventsContent, EventsPane } from "./views/events-pane.ts";
import { splitter } from "./views/splitter.ts";
import { TourView } from "./views/tour-view.ts";
import type { EngineClient, LanguageClient } from "./worker/client.ts";
import type { RunDone, TestEvents } from "./worker/protocol.ts";
import type { CallError } from "./worker/rpc.ts";

/**
 * Tighter than those of `kleene run`: a page has less memory, and less patience. A run that reaches
 * one says so.
 */
const LIMITS: Limits = {
  partials: 1_000_000,
  partialsPerKey: 20_000,
  capturedBytes: 512 * 1024 * 1024,
  stepsPerEvent: 100_000,
};
/** The number of outputs that are kept; later ones are only counted. */
const MAX_OUTPUTS = 500_000;
/** From this number of events on, a run waits for a pause in typing. */
const MANY = 50_000;

export class App {
  readonly #editor: RuleEditor;
  readonly #events: EventsPane;
  readonly #results: Results;
  readonly #tour: TourView;
  readonly #status = part("status");
  readonly #progress = part<HTMLProgressElement>("progress");
  readonly #stop = part<HTMLButtonElement>("stop-button");
  readonly #notice = part("notice");
  readonly #codes = new CodeDialog();
  readonly #share = new ShareDialog(copied);
  readonly #examples = new ExamplesDialog((example) => void this.#openExample(example));
  /** The events of the last run: runs of many are put off. */
  #size = 0;
  /** What the tour took the place of. */
  #before: { rules: string; events: EventsContent } | null = null;
  /** What the address, an example or a link holds: the rest would be lost with the page. */
  #kept = { rules: "", events: "" };
  /** What is wrong with the rules; the first is where the next click goes. */
  #marks: Diagnostic[] = [];
  /** Ends the loading of an example when something newer is shown. */
  #shown = 0;

  constructor(
    private readonly language: LanguageClient,
    private readonly engine: EngineClient,
  ) {
    this.#editor = new RuleEditor(part("rules"), {
      value: "",
      label: "Rules",
      language: {
        check: (text) => language.call("check", [text]),
        complete: (text, offset) => language.call("complete", [text, offset]),
        hover: (text, offset) => language.call("hover", [text, offset]),
        format: (text) => language.call("format", [text]),
      },
      onChange: () => this.#rulesChanged(),
      onDiagnostics: (found) => this.#diagnosed(found as Diagnostic[]),
      onCode: (code) => void this.#explain(code),
    });
    this.#events = new EventsPane(part("events-pane"), {
      onChange: () => this.#eventsChanged(),
      onInfer: () => void this.#infer(),
      head: (lines) => engine.call("head", [lines]),
      onNotice: (message) => this.#say(message),
    });
    this.#results = new Results(engine, language, {
      rules: () => this.#editor.value,
      goTo: (start, end) => this.#editor.select(start, end),
      showTest: (test) => void this.#showTest(test),
      onTests: () => void this.#followTest(),
      isTest: () => this.#events.test !== null,
      copy: copied,
    });
    this.#tour = new TourView(part("tour"), {
      onStep: ({ rules, events }) => {
        this.#silence();
        this.#show(rules, events);
      },
      onSolution: (rules) => this.#editor.setValue(rules),
      onClose: () => this.#tourEnded(),
    });
    engine.onRestart = (message) => this.#restarted(message);
    language.onRestart = (message) => {
      this.#say(`${message} It was restarted.`);
      this.#editor.check();
    };
    this.#layout();
    this.#buttons();
  }

  /** Shows what the address asks for, or the first example. */
  start(): void {
    window.addEventListener("hashchange", () => this.#openLink());
    window.addEventListener("beforeunload", (event) => {
      if (this.#hasEdits()) event.preventDefault();
    });
    if (this.#openLink()) return;
    this.#show(unpaidRules, unpaidEvents, {}, { name: "orders.jsonl" });
    this.#keep();
  }

  #keep(): void {
    this.#kept = { rules: this.#editor.value, events: this.#events.text ?? "" };
  }

  /** True if something was typed that is in no link. */
  #hasEdits(): boolean {
    const { rules, events } = this.#before ?? {
      rules: this.#editor.value,
      events: this.#events.content,
    };
    const hasEvents = events.test === null && events.file === null;
    return rules !== this.#kept.rules || (hasEvents && events.text !== this.#kept.events);
  }

  // ---------------------------------------------------------------- what is shown

  #show(
    rules: string,
    events: string,
    settings: RunSettings = {},
    more: { rule?: string; name?: string } = {},
  ): void {
    this.#shown += 1;
    this.#results.wanted = more.rule ?? null;
    this.#events.set(events, settings, more.name);
    this.#editor.setValue(rules);
    this.#editor.check();
    this.#eventsChanged();
  }

  /** True if the address holds something to show. */
  #openLink(): boolean {
    try {
      const shared = decodeShare(location.hash);
      if (!shared) return false;
      this.#silence();
      this.#before = null;
      if (this.#tour.isOpen) this.#tour.close();
      const { rules, events, settings, rule, test } = shared;
      this.#show(rules, events ?? "", settings, { rule });
      this.#keep();
      if (events === undefined && test !== undefined) void this.#showTest(test, rule);
      return true;
    } catch (error) {
      if (!(error instanceof ShareError)) throw error;
      this.#say(error.message);
      return false;
    }
  }

  async #openExample({ rules, events, settings, data, title }: Example): Promise<void> {
    const turn = ++this.#shown;
    try {
      const [ruleText, eventText] = await Promise.all([fetched(rules), fetched(events)]);
      if (turn !== this.#shown) return;
      this.#silence();
      this.#before = null;
      if (this.#tour.isOpen) this.#tour.close();
      history.replaceState(null, "", location.pathname + location.search);
      this.#show(ruleText, eventText, settings, { name: data });
      this.#keep();
    } catch (error) {
      this.#say(`The example ${title} cannot be loaded: ${String(error)}`);
    }
  }

  /** Shows the events of a test, and its rule. */
  async #showTest(number: number, rule?: string): Promise<void> {
    const rules = this.#editor.value;
    try {
      const test = await this.language.call("testEvents", [rules, number]);
      if (rules !== this.#editor.value) return;
      this.#results.wanted = rule ?? test.rule;
      this.#putTest(number, test);
    } catch (error) {
      this.#say(visible((error as Error).message));
    }
  }

  #putTest(number: number, { text, advanceTo, rule }: TestEvents): void {
    this.#events.setTest(text, { number, advanceTo }, `test ${number + 1}, of ${rule}`);
    this.#eventsChanged();
  }

  /** The tests were edited: the one that is shown may have other events now. */
  async #followTest(): Promise<void> {
    const shown = this.#events.test;
    if (!shown) return;
    const rules = this.#editor.value;
    const test = await this.language.call("testEvents", [rules, shown.number]).catch(() => null);
    const isSame = test?.text === this.#events.text && test?.advanceTo === shown.advanceTo;
    if (!test || isSame || shown !== this.#events.test) return;
    this.#putTest(shown.number, test);
  }

  async #infer(): Promise<void> {
    this.#events.flush();
    try {
      const inferred = await this.engine.call("infer", []);
      const { text, added } = withDeclarations(this.#editor.value, inferred);
      if (added > 0) this.#editor.setValue(text);
      const unit = inferredUnit(inferred);
      if (unit && unit !== this.#events.settings.timeUnit) {
        this.#events.timeUnit = unit;
        this.#eventsChanged();
      }
      this.#events.remark(
        added > 0
          ? `${counted(added, "declaration")} added above the rules. Undo removes them.`
          : "The rules already declare all types of these events.",
      );
    } catch (error) {
      this.#events.remark(inPageWords((error as Error).message));
    }
  }

  /** Makes JSON lines of events that are one JSON document. */
  async #writeLines(): Promise<void> {
    const { source } = this.#events;
    const lines = await this.engine.call("jsonLines", []).catch(() => null);
    if (source !== this.#events.source) return;
    if (lines !== null) this.#events.rewrite(lines);
    else
      this.#events.note("This is not a list of JSON objects. `jq -c` writes one object per line.");
  }

  async #explain(code: string): Promise<void> {
    this.#codes.open(code, await this.language.call("explainCode", [code]));
  }

  // ---------------------------------------------------------------- runs

  readonly #runSoon = debounced(
    () => void this.#run(),
    () => (this.#size > MANY ? 250 : 0),
  );

  #rulesChanged(): void {
    this.#runSoon();
    this.#results.rulesChanged();
  }

  #eventsChanged(): void {
    const { type, typeField, timeUnit } = this.#events.settings;
    const options: InputOptions = {};
    if (type) options.type = type;
    if (typeField) options.typeField = typeField;
    if (timeUnit) options.timeUnit = timeUnit as "s";
    this.#events.note("");
    this.#events.remark("");
    this.engine.load(this.#events.source, options).catch((error: CallError) => this.#failed(error));
    void this.#events.showHead().catch(() => undefined);
    void this.#run();
  }

  async #run(): Promise<void> {
    const { outOfOrder, endOfTime } = this.#events.settings;
    const advanceTo = this.#events.test?.advanceTo;
    const options: ExplorerRunOptions = {
      endOfTime: endOfTime ?? false,
      limits: LIMITS,
      maxOutputs: MAX_OUTPUTS,
    };
    if (outOfOrder) options.outOfOrder = outOfOrder;
    if (typeof advanceTo === "number") options.advanceTo = advanceTo;
    const busy = setTimeout(() => this.#busy(true), 150);
    try {
      const done = await this.engine.run(
        this.#editor.value,
        options,
        this.#results.wanted,
        ({ done, total }) => {
          this.#progress.value = total > 0 ? done / total : 0;
          this.#status.textContent = `${count(done)} of about ${counted(total, "event")}`;
        },
      );
      this.#finished(done);
    } catch (error) {
      this.#failed(error as CallError);
    } finally {
      clearTimeout(busy);
      if (!this.engine.isRunning) this.#busy(false);
    }
  }

  #finished(done: RunDone): void {
    const { summary } = done;
    this.#size = summary.events;
    this.#results.update(done);
    this.#status.textContent = summed(summary, done.took);
    this.#status.dataset.state = summary.limitsReached > 0 ? "error" : "";
    const [reject] = summary.rejects;
    if (reject) {
      const others = summary.late + summary.rejected - 1;
      const more = others > 0 ? `, and ${count(others)} more: see Statistics` : "";
      const mend = isDocument(summary) ? () => void this.#writeLines() : undefined;
      const reason = brief(inPageWords(reject.reason), 200);
      this.#events.note(`Line ${count(reject.line)}: ${reason}${more} `, mend);
    } else {
      this.#events.note("");
    }
    if (this.#tour.isOpen) {
      void this.engine.call("lines", [0, 100]).then(({ lines }) => this.#tour.judge(lines));
    }
  }

  #failed(error: CallError): void {
    if (error.kind === "cancelled") return;
    if (error.kind === "rules") {
      this.#results.stale(
        "The rules have mistakes. These are the results of the last correct rules.",
      );
      const mistakes = error.diagnostics.filter(({ severity }) => severity === "error");
      const [first] = mistakes;
      const what = first ? `: line ${first.line}, ${brief(first.message, 80)}` : "";
      this.#status.textContent = `${counted(mistakes.length, "mistake")} in the rules${what}`;
      this.#status.dataset.state = "error";
      return;
    }
    this.#status.dataset.state = "error";
    const what = new Map([
      ["events", "The events cannot be read"],
      ["options", "A setting cannot be used"],
    ]).get(error.kind);
    if (what) {
      this.#events.note(inPageWords(error.message));
      this.#results.stale(`${what}. These are the results of the last complete run.`);
      this.#status.textContent = `${what}: see below the events.`;
      return;
    }
    this.#results.stale("The last run was not completed.");
    this.#status.textContent = visible(error.message);
  }

  #restarted(message: string): void {
    this.#results.stale("The last run was not completed.");
    this.#say(
      `${message} It was restarted with your events, and runs when you next change the rules.`,
    );
  }

  #busy(isBusy: boolean): void {
    this.#progress.hidden = !isBusy;
    this.#stop.hidden = !isBusy;
    if (isBusy) this.#progress.value = 0;
  }

  #diagnosed(found: readonly Diagnostic[]): void {
    const errors = found.filter(({ severity }) => severity === "error").length;
    const warnings = found.length - errors;
    const words = [errors && counted(errors, "mistake"), warnings && counted(warnings, "warning")];
    const meta = part("rules-meta");
    this.#marks = [...found].sort((a, b) => rank(a) - rank(b) || a.start - b.start);
    const text = words.filter(Boolean).join(", ");
    const title = "Go to the next one";
    const go = (): void => this.#goToMark();
    fill(meta, text !== "" && button({ class: "k-link", title }, go, text));
    meta.dataset.state = errors > 0 ? "error" : warnings > 0 ? "warning" : "";
    performance.mark("diagnostics");
  }

  /** Goes from mistake to mistake, and then to the warnings. */
  #goToMark(): void {
    const mark = this.#marks.shift();
    if (!mark) return;
    this.#marks.push(mark);
    this.#editor.select(mark.start, mark.end);
  }

  // ---------------------------------------------------------------- the page around

  #say(message: string): void {
    this.#notice.hidden = false;
    fill(
      this.#notice,
      el("span", {}, message),
      button({ class: "k-button" }, () => this.#silence(), "Dismiss"),
    );
  }

  #silence(): void {
    this.#notice.hidden = true;
    this.#notice.textContent = "";
  }

  #openShare(): void {
    const { text, settings, test } = this.#events;
    try {
      const fragment = encodeShare({
        rules: this.#editor.value,
        ...(test ? { test: test.number } : text === null ? {} : { events: text }),
        settings,
        ...(this.#results.rule ? { rule: this.#results.rule } : {}),
      });
      history.replaceState(null, "", `#${fragment}`);
      if (!this.#before) this.#keep();
      const remark =
        text === null
          ? "The link does not contain the file with the events, which is too large."
          : "";
      this.#share.open(location.href, remark);
    } catch (error) {
      if (!(error instanceof ShareError)) throw error;
      this.#share.fail(error.message);
    }
  }

  /** Shows what was there before the tour. */
  #tourEnded(): void {
    part("tour-button").setAttribute("aria-expanded", "false");
    part("tour-button").focus();
    if (!this.#before) return;
    const { rules, events } = this.#before;
    this.#before = null;
    this.#results.wanted = null;
    this.#events.content = events;
    this.#editor.setValue(rules);
    this.#eventsChanged();
  }

  #buttons(): void {
    part("examples-button").addEventListener("click", () => this.#examples.open());
    part("share-button").addEventListener("click", () => this.#openShare());
    part("format-button").addEventListener("click", () => void this.#format());
    this.#stop.addEventListener("click", () => {
      void this.engine.stop();
      this.#status.textContent = "Stopped.";
    });
    part("tour-button").addEventListener("click", () => {
      if (this.#tour.isOpen) {
        this.#tour.close();
      } else {
        this.#before = { rules: this.#editor.value, events: this.#events.content };
        this.#tour.open();
        part("tour-button").setAttribute("aria-expanded", "true");
      }
    });
  }

  async #format(): Promise<void> {
    const isDone = await this.#editor.format();
    if (!isDone) part("rules-meta").textContent = "Rules with mistakes cannot be formatted";
  }

  #layout(): void {
    splitter(part("split-main"), {
      label: "Width of the rules",
      direction: "down",
      box: part("layout"),
      property: "--left",
      share: 42,
    });
    splitter(part("split-left"), {
      label: "Height of the rules",
      direction: "across",
      box: part("left"),
      property: "--top",
      share: 60,
    });
    splitter(part("split-right"), {
      label: "Height of the timeline",
      direction: "across",
      box: part("right"),
      property: "--top",
      share: 57,
    });
  }
}

function rank({ severity }: Diagnostic): number {
  return severity === "error" ? 0 : 1;
}

function summed(summary: Summary, time: number): string {
  const { events, matches, timeouts, limitsReached, limitNotes } = summary;
  const parts = [counted(events, "event"), counted(matches, "match", "matches")];
  if (timeouts > 0) parts.push(counted(timeouts, "timeout"));
  parts.push(took(time));
  if (limitsReached > 0) {
    parts.push(
      `limits were reached ${counted(limitsReached, "time")}: ${brief(limitNotes[0] ?? "", 160)}`,
    );
  }
  return parts.join(", ");
}

async function fetched(address: string): Promise<string> {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${answer.status} for ${address}`);
  return answer.text();
}

/** Copies a text; false if the browser does not allow it. */
async function copied(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
