/** What the page asks of its two workers. */
import type {
  Completion,
  Diagnostic,
  EventColumns,
  EventItem,
  ExplorerRunOptions,
  Hover,
  InputOptions,
  OpenAt,
  OutputColumns,
  OutputItem,
  Summary,
  TestReport,
  WhyStory,
} from "kleene";

/** The worker that runs rules over events. Newer calls of `load` and `run` cancel a `run`. */
export interface EngineCalls {
  init(module: WebAssembly.Module): void;
  /** Takes events: a text, or a file whose bytes are read in the worker. */
  load(source: string | Blob, options: InputOptions): void;
  /** Runs to the end. Reports `RunProgress`; `shown` is the rule of which columns are wanted. */
  run(rules: string, options: ExplorerRunOptions, shown: string | null): RunDone;
  cancel(): void;
  /** The columns of a rule. */
  columns(rule: string): RuleColumns;
  /** The outputs of a rule, without the events. */
  outputs(rule: string): { lanes: string[]; outputs: OutputColumns };
  event(index: number): EventItem;
  /** Events as short texts. */
  describe(events: readonly number[]): string[];
  output(rule: string, index: number): OutputItem;
  /** The emits of outputs as short texts. */
  emits(outputs: readonly OutputRef[]): string[];
  /** The outputs of any rule that captured the event, at most `limit`. */
  outputsOf(event: number, limit: number): OutputRef[];
  openAt(rule: string, time: number, limit: number): OpenAt;
  why(rule: string, event: number): WhyStory;
  /** Some of the lines that `kleene run` prints, and how many there are. */
  lines(from: number, count: number): { lines: string[]; total: number };
  /** All lines as a file. */
  linesFile(): Blob;
  /** Declarations that fit the start of the events. */
  infer(): string;
  /** The events as JSON lines, if they are one JSON document; `null` if they are not. */
  jsonLines(): string | null;
  /** The first lines of the events, unpacked. */
  head(lines: number): string[];
}

/** The worker that knows the language: it stays free while the other one runs. */
export interface LanguageCalls {
  init(module: WebAssembly.Module): void;
  check(rules: string): Diagnostic[];
  complete(rules: string, offset: number): Completion[];
  hover(rules: string, offset: number): Hover | null;
  format(rules: string): string;
  test(rules: string): TestReport;
  /** The automaton as SVG. */
  automaton(rules: string, rule: string): string;
  explainCode(code: string): string;
  /** The events of a test as JSON lines. */
  testEvents(rules: string, test: number): TestEvents;
}

export interface OutputRef {
  rule: string;
  index: number;
}

export interface RunProgress {
  done: number;
  total: number;
}

export interface RunDone {
  warnings: Diagnostic[];
  summary: Summary;
  rules: { name: string; key: string[]; types: string[] }[];
  /** How many outputs there are, by rule. */
  outputs: number;
  /** The columns of the wanted rule, or of the first one. */
  columns: RuleColumns | null;
  /** Milliseconds in the worker, without waiting. */
  took: number;
}

export interface RuleColumns {
  rule: string;
  types: string[];
  lanes: string[];
  events: EventColumns;
  outputs: OutputColumns;
}

export interface TestEvents {
  text: string;
  /** The test moves time on to this moment, if it says so. */
  advanceTo: number | null;
  rule: string;
}
