/** The right side of the page: the timeline of one rule, and the tabs below it. */
import type { OpenAt } from "kleene";
import {
  Automaton,
  el,
  formatTime,
  OutputTable,
  PartialsView,
  Timeline,
  type TimelineData,
  visible,
} from "kleene-components";
import { Details } from "./details.ts";
import { hints } from "./hints.ts";
import { count, debounced, fill, Latest, part } from "./page.ts";
import { OutputView } from "./views/output-view.ts";
import { Statistics } from "./views/statistics.ts";
import { Tabs } from "./views/tabs.ts";
import { TestsView } from "./views/tests-view.ts";
import type { EngineClient, LanguageClient } from "./worker/client.ts";
import type { OutputRef, RuleColumns, RunDone } from "./worker/protocol.ts";
import { CallError, orElse } from "./worker/rpc.ts";

/** Open partial matches that are listed; more are counted. */
const MAX_OPEN = 200;
/** A match is short if the whole stream lasts this many times as long. */
const SHORT = 20;

export interface ResultsOptions {
  rules(): string;
  goTo(start: number, end: number): void;
  showTest(test: number): void;
  /** The tests have run. */
  onTests(): void;
  copy(text: string): Promise<boolean>;
  /** True if the events are those of a test. */
  isTest(): boolean;
}

export class Results {
  /** The rule to show with the next run. */
  wanted: string | null = null;
  #columns: RuleColumns | null = null;
  #list: RunDone["rules"] = [];
  #time = Number.NaN;
  /** Counts runs: answers about an older one are dropped. */
  #run = 0;
  /** What the tabs show of the newest run, or not yet. */
  readonly #fresh = new Set<string>();
  #done: RunDone | null = null;

  readonly #select = part<HTMLSelectElement>("rule-select");
  readonly #banner = el("p", { class: "banner", role: "status", hidden: true });
  readonly #timeline: Timeline;
  readonly #tabs: Tabs;
  readonly #partials: PartialsView;
  readonly #table: OutputTable;
  readonly #automaton: Automaton;
  readonly #details: Details;
  readonly #tests: TestsView;
  readonly #statistics = new Statistics();
  readonly #output: OutputView;
  readonly #panels = {
    open: el("div", { class: "open" }),
    matches: el("div", { class: "matches" }),
    automaton: el("div", { class: "automaton" }),
  };
  /** What to try when there are no outputs. */
  readonly #nothing = el("ul", { class: "empty nothing", hidden: true });

  constructor(
    private readonly engine: EngineClient,
    private readonly language: LanguageClient,
    private readonly options: ResultsOptions,
  ) {
    const describe = (events: readonly number[]): Promise<string[]> =>
      orElse(engine.call("describe", [events]), []);
    // In lists of events, which have no axis of time beside them.
    const describeWithTime = async (events: readonly number[]): Promise<string[]> => {
      const times = this.#columns?.events.time;
      const texts = await describe(events);
      return texts.map((text, at) => `${clock(times?.[events[at] ?? -1])} ${text}`);
    };
    part("timeline").before(this.#banner);
    this.#timeline = new Timeline(part("timeline"), {
      label: "Events and matches over time",
      onSelectEvent: (event) => void this.#selectEvent(event),
      onSelectOutput: (index) => void this.#selectOutput({ rule: this.rule, index }),
      onTime: (time) => this.#moved(time),
      describe: async ({ kind, index }) => {
        if (kind === "event") return (await describe([index]))[0] ?? "";
        return (await this.#emits([{ rule: this.rule, index }]))[0] ?? "";
      },
    });
    const links = {
      describe: describeWithTime,
      onSelectEvent: (event: number) => void this.#selectEvent(event),
      onSelectOutput: (output: OutputRef) => void this.#selectOutput(output, "zoom"),
    };
    this.#details = new Details(engine, {
      ...links,
      rule: () => this.rule,
      run: () => this.#run,
    });
    this.#partials = new PartialsView(this.#panels.open, links);
    this.#panels.matches.append(this.#nothing);
    this.#table = new OutputTable(this.#panels.matches, {
      label: "Matches and timeouts",
      onSelect: (output) => void this.#selectOutput(output, "zoom"),
    });
    this.#automaton = new Automaton(this.#panels.automaton, {});
    this.#tests = new TestsView({ onGo: options.goTo, onShow: options.showTest });
    this.#output = new OutputView({
      lines: (from, limit) => engine.call("lines", [from, limit]),
      file: () => engine.call("linesFile", []),
      copy: options.copy,
    });
    const fresh = (id: string) => (): void => void this.#refresh(id);
    this.#tabs = new Tabs(part("results-pane"), "Results", [
      { id: "matches", label: "Matches", panel: this.#panels.matches, onShow: fresh("matches") },
      { id: "details", label: "Details", panel: this.#details.panel },
      { id: "open", label: "Open", panel: this.#panels.open, onShow: fresh("open") },
      {
        id: "automaton",
        label: "Automaton",
        panel: this.#panels.automaton,
        onShow: fresh("automaton"),
      },
      { id: "tests", label: "Tests", panel: this.#tests.panel },
      {
        id: "statistics",
        label: "Statistics",
        panel: this.#statistics.panel,
        onShow: fresh("statistics"),
      },
      { id: "output", label: "Output", panel: this.#output.panel, onShow: fresh("output") },
    ]);
    this.#select.addEventListener("change", () => void this.#chooseRule(this.#select.value));
    this.#clearDetails();
  }

  /** The rule that is shown; empty before the first run. */
  get rule(): string {
    return this.#columns?.rule ?? "";
  }

  /** The rules are being typed: their tests run once they pause. */
  rulesChanged(): void {
    this.#testSoon();
  }

  /** Says that what is shown is older than the rules. */
  stale(reason: string): void {
    this.#banner.hidden = false;
    this.#banner.textContent = reason;
    part("right").classList.add("is-stale");
  }

  /** Shows a run. */
  update(done: RunDone): void {
    const before = this.#columns;
    this.#run += 1;
    [this.#done, this.#columns] = [done, done.columns];
    this.#fresh.clear();
    this.#banner.hidden = true;
    part("right").classList.remove("is-stale");
    this.#list = done.rules;
    this.#listRules(done);
    const { matches, timeouts } = done.summary;
    this.#tabs.badge("matches", count(matches + timeouts), matches + timeouts > 0 ? "match" : "");
    this.#tabs.badge("statistics", done.summary.limitsReached > 0 ? "limit" : "", "error");
    const isSame = isSameView(before, done.columns);
    // The same events under other rules: what is said of the selected one is asked again.
    const selected = isSame ? this.#details.event : null;
    if (selected === null) this.#clearDetails();
    void this.#showColumns(done.columns, isSame ? "keep" : "fit");
    if (selected !== null) void this.#followEvent(selected);
  }

  // ---------------------------------------------------------------- the shown rule

  #listRules({ rules, columns }: RunDone): void {
    const names = rules.map(({ name }) => name);
    const old = [...this.#select.options].map(({ value }) => value);
    if (names.join("\n") !== old.join("\n")) {
      fill(
        this.#select,
        ...rules.map(({ name, key }) =>
          el(
            "option",
            { value: name },
            `${visible(name)}${key.length > 0 ? ` by ${visible(key.join(", "))}` : ""}`,
          ),
        ),
      );
    }
    this.#select.value = columns?.rule ?? "";
    this.#select.disabled = names.length < 2;
    this.#select.hidden = names.length === 0;
    this.wanted = columns?.rule ?? null;
  }

  async #chooseRule(rule: string): Promise<void> {
    this.wanted = rule;
    const run = this.#run;
    const columns = await orElse(this.engine.call("columns", [rule]), null);
    if (run !== this.#run || !columns) return;
    this.#fresh.clear();
    this.#clearDetails();
    await this.#showColumns(columns, "fit");
  }

  /** Shows the columns; ends when they are drawn. */
  async #showColumns(columns: RuleColumns | null, view: "fit" | "keep"): Promise<void> {
    const run = this.#run;
    this.#columns = columns;
    void this.#refresh(this.#tabs.active);
    await this.#timeline.setData(columns ?? NOTHING, view);
    performance.mark("results");
    if (run !== this.#run) return;
    this.#time = this.#timeline.time;
    this.#askOpen();
  }

  // ---------------------------------------------------------------- tabs

  /** Brings a tab that is shown up to the newest run. */
  async #refresh(id: string): Promise<void> {
    if (this.#fresh.has(id) || !this.#done) return;
    this.#fresh.add(id);
    try {
      if (id === "matches") await this.#fillTable();
      else if (id === "automaton") await this.#drawAutomaton();
      else if (id === "statistics") {
        const { summary, took } = this.#done;
        this.#statistics.update({ summary, took, tries: this.#hints() });
      } else if (id === "output") await this.#output.update();
    } catch (error) {
      this.#fresh.delete(id);
      if (!(error instanceof CallError)) throw error;
    }
  }

  async #fillTable(): Promise<void> {
    const run = this.#run;
    const rules = await Promise.all(
      this.#list.map(async ({ name }) =>
        name === this.rule && this.#columns
          ? { rule: name, lanes: this.#columns.lanes, outputs: this.#columns.outputs }
          : { rule: name, ...(await this.engine.call("outputs", [name])) },
      ),
    );
    if (run !== this.#run || !this.#done) return;
    const tries = this.#done.outputs > 0 ? [] : this.#hints();
    this.#nothing.hidden = tries.length === 0;
    fill(this.#nothing, ...tries.map((hint) => el("li", {}, hint)));
    this.#table.update({ rules, emits: (rows) => this.#emits(rows) });
  }

  /** What to try after the newest run. */
  #hints(): string[] {
    const { events } = this.#columns ?? NOTHING;
    // Events of tests are of 1970, and meant to be.
    const times = this.options.isTest() ? undefined : ends(events.time);
    return this.#done ? hints(this.#done.summary, times) : [];
  }

  #emits(rows: readonly OutputRef[]): Promise<string[]> {
    return orElse(this.engine.call("emits", [rows]), []);
  }

  async #drawAutomaton(): Promise<void> {
    const { rule } = this;
    if (!rule) return;
    const svg = await this.language.call("automaton", [this.options.rules(), rule]);
    if (rule !== this.rule) return;
    this.#automaton.update(svg);
    this.#askOpen();
  }

  readonly #testSoon = debounced(
    () => void this.#runTests.put(this.options.rules()),
    () => 200,
  );

  readonly #runTests = new Latest<string>(async (rules) => {
    try {
      const report = await this.language.call("test", [rules]);
      this.#tests.update(report);
      const { passed, failed } = report;
      const words = failed > 0 ? `${failed} failed` : passed > 0 ? `${passed} passed` : "";
      this.#tabs.badge("tests", words, failed > 0 ? "error" : "match");
      this.options.onTests();
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      this.#tests.message("The tests run once the rules have no mistakes.");
      this.#tabs.badge("tests", "");
    }
  });

  // ---------------------------------------------------------------- time

  #moved(time: number): void {
    this.#time = time;
    this.#askOpen();
  }

  #askOpen(): void {
    void this.#open.put({ rule: this.rule, time: this.#time, run: this.#run });
  }

  readonly #open = new Latest<{ rule: string; time: number; run: number }>(
    async ({ rule, time, run }) => {
      if (!rule || !Number.isFinite(time)) {
        this.#partials.clear();
        this.#timeline.setOpen([]);
        return;
      }
      try {
        const open: OpenAt = await this.engine.call("openAt", [rule, time, MAX_OPEN]);
        if (run !== this.#run || rule !== this.rule) return;
        this.#tabs.badge("open", open.total > 0 ? count(open.total) : "");
        this.#partials.update(time, open, this.#columns?.lanes ?? []);
        this.#timeline.setOpen(open.partials);
        this.#automaton.light(new Map(Object.entries(open.states)));
      } catch (error) {
        if (!(error instanceof CallError)) throw error;
      }
    },
  );

  // ---------------------------------------------------------------- selection

  #clearDetails(): void {
    this.#details.clear(this.#hints());
    this.#table.setSelection(null);
    this.#timeline.setSelection({});
  }

  async #selectEvent(event: number): Promise<void> {
    if (!(await this.#details.showEvent(event))) return;
    this.#table.setSelection(null);
    this.#timeline.setSelection({ event });
    this.#timeline.reveal({ kind: "event", index: event });
    this.#tabs.show("details");
  }

  /** Shows the event again that was selected before a run. */
  async #followEvent(event: number): Promise<void> {
    if (!(await this.#details.showEvent(event))) this.#timeline.setSelection({});
  }

  /** `zoom` makes a short match wide enough to be seen: for those that are not chosen by their bar. */
  async #selectOutput({ rule, index }: OutputRef, view: "zoom" | "keep" = "keep"): Promise<void> {
    if (rule !== this.rule) {
      this.#select.value = rule;
      await this.#chooseRule(rule);
    }
    const run = this.#run;
    const item = await orElse(this.engine.call("output", [rule, index]), null);
    if (run !== this.#run || !item) return;
    this.#details.showOutput(rule, item);
    const events = item.captures.flatMap(({ events: captured }) =>
      captured.filter((at) => at >= 0),
    );
    this.#timeline.setSelection({ output: index, events });
    if (view === "zoom") this.#zoomTo(index);
    this.#timeline.reveal({ kind: "output", index });
    this.#table.setSelection({ rule, index });
    this.#tabs.show("details");
  }

  #zoomTo(index: number): void {
    const { events, outputs } = this.#columns ?? NOTHING;
    const [start, end] = [outputs.start[index] ?? Number.NaN, outputs.end[index] ?? Number.NaN];
    const [from, to] = ends(events.time);
    const all = to - from;
    const length = end - start;
    if (length > 0 && length * SHORT < all) {
      this.#timeline.zoomTo(start - 3 * length, end + 3 * length);
    }
  }
}

const NOTHING: TimelineData = {
  types: [],
  lanes: [],
  events: { time: new Float64Array(), lane: new Uint32Array(), type: new Uint16Array() },
  outputs: {
    kind: new Uint8Array(),
    lane: new Uint32Array(),
    start: new Float64Array(),
    end: new Float64Array(),
  },
};

/** The time of day: `09:30:05`. */
function clock(time: number | undefined): string {
  return time === undefined ? "" : formatTime(time).slice(11, 19);
}

/** The times of the first and the last event that have one; lines that are no events have none. */
function ends(times: Float64Array): [number, number] {
  const hasTime = (time: number): boolean => !Number.isNaN(time);
  return [times.find(hasTime) ?? Number.NaN, times.findLast(hasTime) ?? Number.NaN];
}

/** True if both show the same events: the view may stay where it is. */
function isSameView(before: RuleColumns | null, after: RuleColumns | null): boolean {
  if (!before || !after) return false;
  const [a, b] = [before.events.time, after.events.time];
  return a.length === b.length && String(ends(a)) === String(ends(b));
}
