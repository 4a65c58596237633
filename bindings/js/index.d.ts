/// <reference lib="esnext.disposable" />
// The JavaScript package of Kleene: patterns of events over time, in browsers, workers and Node.
//
// All positions in rule text are UTF-16 offsets, as JavaScript counts the characters of strings.
// All times are milliseconds since 1970. Nothing here reads files, starts threads, or asks a clock:
// time moves when an event or `advance` says so.

/**
 * Loads the module. In browsers and workers it has to be awaited before anything else is called;
 * without `source` it loads `pkg/kleene_bg.wasm` from beside this file. In Node the package is ready
 * when it is imported, and `init` does nothing.
 *
 * After a trap (an error with the kind `"broken"`) `init` loads the module anew. Objects of the old
 * one stay unusable.
 */
export default function init(source?: InitSource): Promise<void>;
export type InitSource =
  | string | ArrayBuffer | ArrayBufferView | Global<"URL"> | Global<"Request"> | Global<"Response">
  | Promise<Global<"Response">> | WasmModule;
/** A type of the platform, where TypeScript is told of it: `lib` may be without `dom`. */
type Global<Name extends string> =
  typeof globalThis extends Record<Name, { prototype: infer T }> ? T : never;
type WasmModule =
  typeof globalThis extends { WebAssembly: { Module: { prototype: infer T } } } ? T : never;

/** The version of the package. */
export function version(): string;
/** False if the package was built without time zones by name: rules then have offsets only. */
export function hasTimeZones(): boolean;
/** The memory of the module in bytes. WebAssembly memory grows and is never given back. */
export function memorySize(): number;

// ---------------------------------------------------------------- errors and diagnostics

/**
 * Why something failed:
 * - `rules`: the rules have mistakes; `diagnostics` has them all.
 * - `events`: the input is no events at all, or cannot be unpacked.
 * - `options`: an option or argument has no meaning: an unknown rule, a key that is none.
 * - `limit`: a rule said `limit .. fail` and was exceeded, or the input is larger than allowed.
 * - `snapshot`: bytes that are no snapshot, or one of other rules.
 * - `closed`: the object was freed, or its time has ended.
 * - `broken`: the module trapped (out of memory, or a defect of Kleene). Nothing of it is used any
 *   more: every later call fails in this way until `init` has loaded it anew.
 */
export type ErrorKind = "rules" | "events" | "options" | "limit" | "snapshot" | "closed" | "broken";

export class KleeneError extends Error {
  readonly name: "KleeneError";
  readonly kind: ErrorKind;
  /** Empty but for the kind `"rules"`. */
  readonly diagnostics: Diagnostic[];
}

export interface Diagnostic {
  severity: "error" | "warning";
  /** Stable: `E0201`. `explainCode` says more. */
  code: string;
  /** One line, without what stands at the place. */
  message: string;
  /** Where, as UTF-16 offsets. Never empty in a text that is not: widened by one character. */
  start: number;
  end: number;
  /** Of `start`, from 1. Columns count characters, as messages of `kleene check` do. */
  line: number;
  column: number;
  /** What was found at the place. */
  label?: string;
  /** Other places that matter, such as the first of two equal names. */
  related: Related[];
  /** What to type instead. */
  help?: string;
  fixes: Fix[];
  /** As `kleene check` prints it, with the caret. */
  rendered: string;
  /** The file of `RuleOptions.files` that it is in; absent for the rules themselves. */
  file?: string;
}
export interface Related { start: number; end: number; message: string }
export interface Fix { title: string; edits: TextEdit[] }
export interface TextEdit { start: number; end: number; text: string }

// ---------------------------------------------------------------- rules

export interface RuleOptions {
  /** What the rules are called in messages; `rules.cep` if it is not given. */
  name?: string;
  /** The texts of files that rules name by `use "shop.cep"` or `list .. from "ips.txt"`. */
  files?: Record<string, string>;
  /** Parameters: `{ "unpaid_order.wait": "10m" }`. */
  params?: Record<string, string | number | boolean>;
}

/** All that is to be said of rules, in the order of the text. Never throws for what rules say. */
export function check(rules: string, options?: RuleOptions): Diagnostic[];
/** The rules in their one spelling, comments kept. Throws where the text has mistakes. */
export function format(rules: string): string;

export interface ExplainOptions extends RuleOptions {
  /** The rule; may be left out if there is one only, or `as` is `"text"`: then all are explained. */
  rule?: string;
  as?: "text" | "svg" | "dot" | "mermaid";
  /**
   * The automaton instead of the rule's steps. In its SVG the ellipse of each state has the
   * attribute `data-state`: `data-state="S1"`; the names are those of `OpenPartial.states`.
   */
  states?: boolean;
}
export function explain(rules: string, options?: ExplainOptions): string;
/** What a code of a diagnostic means, with a wrong example and a right one. Plain text. */
export function explainCode(code: string): string;

export type CompletionKind =
  | "keyword" | "event" | "field" | "rule" | "list" | "step" | "param" | "function";
export interface Completion {
  label: string;
  kind: CompletionKind;
  detail?: string;
  /** Markdown. */
  documentation?: string;
  apply: TextEdit;
  /** What is typed is compared with this; the label with a back-quote where one is typed. */
  filter: string;
  /** Sorts the completions. */
  sort: string;
}
/** What can be typed at a place. Works in texts with mistakes. */
export function complete(rules: string, offset: number, options?: RuleOptions): Completion[];
/** What the name at a place means. */
export function hover(rules: string, offset: number, options?: RuleOptions): Hover | null;
export interface Hover { start: number; end: number; markdown: string }

export interface TestReport {
  passed: number;
  failed: number;
  tests: TestResult[];
  /** Rules without a test. */
  untested: string[];
}
export interface TestResult {
  /** `rule:line`, as reports name it. */
  name: string;
  rule: string;
  line: number;
  /** The name of the rule in the test, as UTF-16 offsets. */
  start: number;
  end: number;
  ok: boolean;
  failures: TestFailure[];
}
export interface TestFailure {
  /** One line. */
  message: string;
  /** As `kleene test` prints it. */
  rendered: string;
  /** The expectation that does not hold, as UTF-16 offsets. */
  start: number;
  end: number;
}
/**
 * The events of a test as JSON lines, by its place in `TestReport.tests`. `advanceTo` is how far the
 * test moves time on behind its last event, in ms.
 */
export function testEvents(rules: string, test: number, options?: RuleOptions):
  { text: string; advanceTo: number | null; rule: string };

/** Runs the `test` blocks. Throws where the rules have mistakes. */
export function test(rules: string, options?: RuleOptions & { rule?: string }): TestReport;

// ---------------------------------------------------------------- events

/**
 * Events: text or bytes of JSON lines or CSV (bytes also packed with gzip), or objects. An object is
 * read as `JSON.stringify` writes it, but a `bigint` is a number and a `Date` a time.
 */
export type Events = string | Uint8Array | ArrayBuffer | readonly object[];

export interface InputOptions {
  /** Without it: CSV if the first line is no JSON object. */
  format?: "jsonl" | "csv";
  /** Of CSV. Without it the first line decides: `,`, `;`, tab or `|`. */
  delimiter?: string;
  /**
   * The field that holds the event type, `type` if not given; dotted for one in an object. Of a
   * list, the declared type in it.
   */
  typeField?: string;
  /** The type of all events, where the input does not say. */
  type?: string;
  /**
   * The field that holds the event time of every event: one without it is rejected. If not given, it
   * is the declared field of type `time`, else `ts`.
   */
  timeField?: string;
  /** What numbers that are moments count; `ms` if not given. */
  timeUnit?: "s" | "ms" | "us" | "ns";
  /** Numbers and bools in quotes, single values for lists and types in lists are rejected. */
  strict?: boolean;
  /** Longer lines are rejected; 1 MiB if not given. */
  maxLine?: number;
  /** More unpacked bytes are an error of kind `limit`; 1 GiB if not given. */
  maxBytes?: number;
}

/** Event declarations that fit a sample of events, with comments that say why. */
export function infer(events: Events, options?: InputOptions): string;

export interface Limits {
  /** Open partial matches, over all rules and keys. */
  partials?: number;
  partialsPerKey?: number;
  /** Bytes of the events that partial matches hold. */
  capturedBytes?: number;
  /** Events that wait to be sorted, and their bytes. */
  buffered?: number;
  bufferedBytes?: number;
  stepsPerEvent?: number;
  matchesPerSet?: number;
  /** Nodes of the graph of a key, where a rule is in the compact form. */
  graphNodesPerKey?: number;
}
export interface EngineOptions extends RuleOptions, InputOptions {
  /** How late events may come: `"5s"`, or milliseconds. Without it they come in order. */
  outOfOrder?: string | number;
  limits?: Limits;
}
export interface RunOptions extends EngineOptions {
  /** What is open ends with the input: timeouts are reported. As `kleene run --end-of-time`. */
  endOfTime?: boolean;
  /** Time moves on to here behind the last event: `advance to` of a test. Milliseconds. */
  advanceTo?: number;
  /** Short lines for people instead of JSON. As `kleene run --brief`. */
  brief?: boolean;
}

export interface RunResult {
  /** Each output as `kleene run` prints it, without the end of the line. */
  outputs: string[];
  summary: Summary;
}
export interface Reject {
  /** Of the input, from 1; for objects their place in the array, from 1. */
  line: number;
  kind: "late" | "rejected";
  reason: string;
  /** The start of the line. */
  input: string;
}
export interface Summary {
  events: number;
  matches: number;
  timeouts: number;
  /** Matches that `having`, or that `suppress` kept back. */
  filtered: number;
  suppressed: number;
  /** Partial matches of keys that are over (`once`). */
  ended: number;
  late: number;
  rejected: number;
  unknown: number;
  /** Undeclared types by how often they came. */
  unknownTypes: { type: string; count: number }[];
  keyless: number;
  derived: number;
  dividedByZero: number;
  valuesTooLarge: number;
  /** Partial matches of a rule without timeouts may count for a while after their deadline. */
  stillOpen: number;
  /** Events that wait to be sorted. */
  buffered: number;
  peakPartials: number;
  limitsReached: number;
  /** What limits were reached, in words; the first 5. */
  limitNotes: string[];
  rules: RuleSummary[];
  /** The first 1000 late and rejected events; `late + rejected` counts them all. */
  rejects: Reject[];
  /** Explorer only: outputs beyond `maxOutputs`. */
  outputsNotKept: number;
}
export interface RuleSummary {
  rule: string;
  matches: number;
  timeouts: number;
  /** How the time of an event and the memory of a key grow, and why, as `kleene explain` says it; a line each. */
  cost: string[];
}
/** Runs rules over events, as `kleene run` does. */
export function run(rules: string, events: Events, options?: RunOptions): RunResult;

// ---------------------------------------------------------------- why

export interface WhyOptions extends EngineOptions {
  /** May be left out if there is one only. */
  rule?: string;
  /** A text or a list of texts, one for each part of the key: as `kleene why --key`. */
  key?: string | readonly string[];
  endOfTime?: boolean;
  /** The number of entries to keep: the first ones, or the last ones. The default is the first 1000. */
  first?: number;
  last?: number;
}
/** The story of one key of one rule. Objects are those that `kleene why --json` prints. */
export interface WhyStory {
  entries: WhyEntry[];
  summary: WhySummary;
  /** The whole story as `kleene why` prints it. */
  text: string;
}
export interface WhyEntry {
  kind: "event" | "unseen type" | "late" | "rejected" | "unreadable" | "time" | "end";
  /** RFC 3339. */
  at: string;
  /** `at` in milliseconds. */
  time: number;
  event: { type: string; line: number | null; made_by: string | null; fields: Record<string, unknown> } | null;
  reason: string | null;
  effects: WhyEffect[];
  more_effects: number;
  /** Explorer only: the event's place in the input, where it has one. */
  index?: number;
}
export interface WhyEffect {
  /** The number of the partial match, from 1; `null` if the event started none. */
  partial: number | null;
  /** `started`, `took`, `skipped`, `stopped`, `ran out` and so on. */
  fate: string;
  step: string | null;
  mismatches: { step: string; reasons: string[] }[];
  reported: {
    kind: "match" | "timeout"; suppressed: boolean; filtered: boolean; chosen: boolean;
    of: number; at: string; emit: unknown;
  } | null;
  until: string | null;
  /** All of it in words. */
  text: string;
}
export interface WhySummary {
  kind: "summary"; rule: string; events_read: number; events: number; partial_matches: number;
  matches: number; timeouts: number; filtered: number; suppressed: number; not_chosen: number;
  late: number; left_out: number; more_open: number;
  open: { partial: number; taken: string[]; waits_for: string[]; must_not_come: string[]; until: string | null }[];
}
export function why(rules: string, events: Events, options?: WhyOptions): WhyStory;

// ---------------------------------------------------------------- Engine

/** A match or timeout: the object that `kleene run` prints. */
export interface Output {
  rule: string;
  version: string;
  kind: "match" | "timeout";
  id: string;
  key: Record<string, unknown>;
  /** RFC 3339. */
  start: string;
  end: string;
  /** Where the rule has `report`. */
  count?: number;
  saturated?: boolean;
  /** Timeouts only. */
  reached?: string | null;
  awaits?: string[];
  events: Record<string, Record<string, unknown>[]>;
  emit: Record<string, unknown>;
}
/** A limit that was reached: from `end` on, results of the rule for this key may be missing. */
export interface LimitReached {
  rule: string;
  version: string;
  kind: "limit";
  key: Record<string, unknown>;
  /** RFC 3339. */
  end: string;
  /** Its name, such as `steps_per_event`. */
  limit: string;
  /** How many partial matches, matches, silences or events gave way. */
  dropped: number;
}
export interface Verdict {
  rule: string;
  verdict: "unchanged" | "kept" | "kept in part" | "reset" | "added" | "removed";
  /** Why it was reset. */
  reason?: string;
  /** Partial matches that go on, and that are dropped. */
  kept: number;
  dropped: number;
  /** All of it in words. */
  text: string;
}
export interface Stats {
  events: number; matches: number; timeouts: number; filtered: number; suppressed: number;
  ended: number; derived: number; late: number; rejected: number; unknown: number; keyless: number;
  dividedByZero: number; valuesTooLarge: number; limitsReached: number; partials: number;
  peakPartials: number; buffered: number; bufferedBytes: number; capturedBytes: number; keys: number;
}

/**
 * Runs rules over a stream. The same events give the same outputs, however they are batched.
 *
 * `using engine = new Engine(rules)` frees it at the end of the block; without it `free` does. An
 * engine that is neither is freed some time after it was dropped.
 */
export class Engine {
  constructor(rules: string, options?: EngineOptions);
  /** Takes an event. What is wrong with it is counted, and kept for `takeRejects`. */
  push(event: object): (Output | LimitReached)[];
  /** Takes many, and is faster. */
  pushAll(events: Events): (Output | LimitReached)[];
  /** No event at or before this moment comes any more: a time in ms, or a `Date`. */
  advance(to: number | Date): (Output | LimitReached)[];
  /** The input ends for now, as a file does: time moves to the newest event. Later events go on. */
  endInput(): (Output | LimitReached)[];
  /** Time ends: every deadline passes. Then only reading is left. */
  endTime(): (Output | LimitReached)[];
  snapshot(): Uint8Array;
  /** An engine that goes on where the snapshot was taken. The rules may have changed since. */
  static restore(rules: string, snapshot: Uint8Array | ArrayBuffer, options?: EngineOptions): Engine;
  /** What became of the rules in `restore`; empty in other engines. */
  readonly restored: Verdict[];
  /**
   * Goes on with other rules. Throws, and changes nothing, if they have mistakes or cannot be run.
   */
  replace(rules: string, options?: RuleOptions): Verdict[];
  stats(): Stats;
  /** The watermark in ms; `null` before the first event. */
  watermark(): number | null;
  /** What could not be taken since the last call; the first 1000 are kept. */
  takeRejects(): Reject[];
  /** Approximate bytes that it holds, without the events'. */
  memoryUsage(): number;
  free(): void;
  [Symbol.dispose](): void;
}

// ---------------------------------------------------------------- Explorer

/**
 * What a page needs: events and results stay in the module, only columns and single items cross.
 *
 * `setEvents`, then `start` and `step` until it is finished; `start` again after each edit. Decoded
 * events are kept as long as the declarations they were decoded with are the same. Everything but
 * `setEvents` and `start` speaks of the events that `step` has taken so far.
 */
export class Explorer {
  constructor(options?: EngineOptions);
  /** Takes the text (or packed bytes) of the events. Cheap: `step` decodes. */
  setEvents(events: Events, options?: InputOptions): void;
  /** Starts a run; throws for mistakes in rules, and the last run stays then. Gives warnings. */
  start(rules: string, options?: ExplorerRunOptions): Diagnostic[];
  /** Decodes and matches at most `maxEvents` events. `total` is an estimate until all are decoded. */
  step(maxEvents: number): Progress;
  summary(): Summary;
  rules(): { name: string; key: string[]; types: string[]; hasTimeout: boolean }[];
  /** The names of the event types, by the numbers in `eventColumns().type`. */
  types(): string[];
  /** One lane a key of that rule, in the order of first events: `order_id=o-17`; the key in words. */
  lanes(rule: string): string[];
  /** By event index: the order of the input. */
  eventColumns(rule: string): EventColumns;
  outputColumns(rule: string): OutputColumns;
  event(index: number): EventItem;
  output(rule: string, index: number): OutputItem;
  /** Several, from the one at `from` on. */
  outputs(rule: string, from: number, count: number): OutputItem[];
  /**
   * How many outputs there are of all rules, their lines as `kleene run` prints them, and which. The lines have
   * those of limits that were reached among them.
   */
  outputCount(): number;
  outputLines(from: number, count: number): string[];
  outputAt(place: number): { rule: string; index: number };
  /** The outputs of a rule that captured the event. */
  outputsOf(rule: string, event: number): Uint32Array;
  /**
   * The partial matches that are open at a moment: after all events before the first one that is
   * later, and with time moved to the moment itself. `lane` asks for one key.
   */
  openAt(rule: string, time: number, lane?: number, limit?: number): OpenAt;
  /** The story of the event's key. */
  why(rule: string, event: number): WhyStory;
  /** Bytes of the module's memory that it holds, approximately. */
  memoryUsage(): number;
  free(): void;
  [Symbol.dispose](): void;
}
export interface ExplorerRunOptions extends RuleOptions {
  outOfOrder?: string | number;
  limits?: Limits;
  endOfTime?: boolean;
  advanceTo?: number;
  /** The number of outputs to keep; later ones are only counted. The default is 2,000,000. */
  maxOutputs?: number;
}
export interface Progress {
  /** The number of events so far, and an estimate of all. */
  done: number;
  total: number;
  finished: boolean;
}
export interface EventColumns {
  /** Milliseconds; NaN for what is no event: status `rejected` without a time, or `unknown`. */
  time: Float64Array;
  /** 0xFFFFFFFF: the rule does not see the event, or it has no key. */
  lane: Uint32Array;
  /** 0xFFFF: of no declared type. */
  type: Uint16Array;
}
export interface OutputColumns {
  /** 0 match, 1 timeout. */
  kind: Uint8Array;
  lane: Uint32Array;
  /** Of the first captured event, and of the report, in ms. */
  start: Float64Array;
  end: Float64Array;
}
export interface EventItem {
  index: number;
  /** Of the input, from 1. */
  line: number;
  time: number | null;
  type: string;
  /** Declared and undeclared fields as outputs show them. */
  fields: Record<string, unknown>;
  /** The line itself; the start of it if it is very long. */
  text: string;
  status: "ok" | "late" | "rejected" | "unknown";
  reason?: string;
}
export interface Capture {
  step: string;
  /** Event indices; -1 is an event that another rule made (`emit as`). */
  events: number[];
}
export interface OutputItem {
  kind: "match" | "timeout";
  /** The line that `kleene run` prints. */
  json: string;
  lane: number;
  key: Record<string, unknown>;
  /** When it was reported, in ms. */
  time: number;
  captures: Capture[];
  emit: Record<string, unknown>;
  /** How many matches the set has, where the rule has a `report`: `"12"`, `"18446744073709551615+"`. */
  count?: string;
}
export interface OpenAt {
  /**
   * How many are open in all; `partials` has at most `limit`, 1000 if not given. Of a key whose
   * partial matches are held in the compact form, the first 1000 count.
   */
  total: number;
  partials: OpenPartial[];
  /** How many wait in each state, over all of them. */
  states: Record<string, number>;
}
export interface OpenPartial {
  lane: number;
  captures: Capture[];
  /** The states it waits in, as `explain(.., { states: true })` names them; mostly one. */
  states: string[];
  /** What it waits for, in words. */
  waits: string;
  /** When it runs out of time, in ms. */
  deadline: number | null;
}
