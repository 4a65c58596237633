/**
 * The data that the components show. These interfaces are theirs: a page fills them from the
 * package `kleene`, a board from a server. Times are milliseconds since 1970, positions in rule
 * text are UTF-16 offsets.
 */

/** A value that is there now, or comes later. */
export type Later<T> = T | Promise<T>;

// ---------------------------------------------------------------- rule text

/** Replaces `start..end` by `text`. */
export interface TextEdit {
  start: number;
  end: number;
  text: string;
}

/** A change that the user can choose to mend a mistake. */
export interface Fix {
  title: string;
  edits: readonly TextEdit[];
}

/** A mistake or a warning at a place in rule text. */
export interface Diagnostic {
  severity: "error" | "warning";
  /** Stable: `E0201`. */
  code: string;
  message: string;
  start: number;
  end: number;
  /** What was found at the place. */
  label?: string;
  /** Other places that matter. */
  related: readonly { start: number; end: number; message: string }[];
  /** What to type instead. */
  help?: string;
  fixes: readonly Fix[];
}

/** Something that can be typed at a place. */
export interface Completion {
  label: string;
  /** `keyword`, `event`, `field` and so on: chooses the icon. */
  kind: string;
  detail?: string;
  /** Markdown. */
  documentation?: string;
  apply: TextEdit;
  /** What is typed is compared with this. */
  filter: string;
  /** Sorts the completions. */
  sort: string;
}

/** What a name means. */
export interface Hover {
  start: number;
  end: number;
  markdown: string;
}

/** What knows the language: functions of the package, or calls to a worker that has it. */
export interface LanguageServices {
  check(text: string): Later<readonly Diagnostic[]>;
  complete(text: string, offset: number): Later<readonly Completion[]>;
  hover(text: string, offset: number): Later<Hover | null>;
  /** Gives the text in its one spelling, or fails where the text has mistakes. */
  format(text: string): Later<string>;
}

// ---------------------------------------------------------------- timeline

/** The lane of what has none: the rule does not see it. */
export const NO_LANE = 0xffffffff;
/** The type of what has no declared type. */
export const NO_TYPE = 0xffff;

/** Events by index, in the order of the input. */
export interface EventColumns {
  /** NaN for an event without a time. */
  time: Float64Array;
  /** `NO_LANE` if the rule does not see the event. */
  lane: Uint32Array;
  /** `NO_TYPE` for an event of no declared type. */
  type: Uint16Array;
}

/** Outputs of one rule by index. */
export interface OutputColumns {
  /** 0 is a match, 1 a timeout. */
  kind: Uint8Array;
  lane: Uint32Array;
  start: Float64Array;
  end: Float64Array;
}

/** What the timeline shows of one rule. */
export interface TimelineData {
  /** The names of event types by number. */
  types: readonly string[];
  /** The names of lanes by number: one for each key. */
  lanes: readonly string[];
  events: EventColumns;
  outputs: OutputColumns;
}

/** An event or output of the timeline. */
export interface TimelineItem {
  kind: "event" | "output";
  index: number;
}

/** What is selected on the timeline. */
export interface TimelineSelection {
  event?: number | null;
  output?: number | null;
  /** Events to highlight: mostly those that the output captured. */
  events?: readonly number[];
}

// ---------------------------------------------------------------- events and outputs in detail

/** An event of the input. */
export interface EventItem {
  index: number;
  /** Of the input, from 1. */
  line: number;
  time: number | null;
  type: string;
  fields: Readonly<Record<string, unknown>>;
  /** The line itself. */
  text: string;
  status: "ok" | "late" | "rejected" | "unknown";
  reason?: string;
}

/** Events that a step captured. */
export interface Capture {
  step: string;
  /** Event indices; -1 is an event that another rule made. */
  events: readonly number[];
}

/** A match or timeout. */
export interface OutputItem {
  kind: "match" | "timeout";
  /** The line that `kleene run` prints. */
  json: string;
  key: Readonly<Record<string, unknown>>;
  time: number;
  captures: readonly Capture[];
  emit: unknown;
  /** How many matches stand behind a report. */
  count?: string;
}

/** A reference to an output of a rule. */
export interface OutputRef {
  rule: string;
  index: number;
}

/** A partial match that is open at a moment. */
export interface OpenPartial {
  lane: number;
  captures: readonly Capture[];
  states: readonly string[];
  /** What it waits for, in words. */
  waits: string;
  /** When it runs out of time. */
  deadline: number | null;
}

/** The partial matches that are open at a moment. */
export interface OpenAt {
  total: number;
  partials: readonly OpenPartial[];
}

// ---------------------------------------------------------------- table of outputs

/** The outputs of one rule, for the table. */
export interface RuleOutputs {
  rule: string;
  lanes: readonly string[];
  outputs: OutputColumns;
}

/** What the table shows. */
export interface OutputTableData {
  rules: readonly RuleOutputs[];
  /** The emits of some outputs as short texts. Asked for the rows on screen only. */
  emits(rows: readonly OutputRef[]): Later<readonly string[]>;
}

// ---------------------------------------------------------------- why

/** The story of one key of a rule, as `kleene why --json` tells it. */
export interface WhyStory {
  entries: readonly WhyEntry[];
  summary: WhySummary;
}

/** What happened at one moment. */
export interface WhyEntry {
  kind: "event" | "unseen type" | "late" | "rejected" | "unreadable" | "time" | "end";
  /** RFC 3339. */
  at: string;
  event: {
    type: string;
    line: number | null;
    made_by: string | null;
    fields: Readonly<Record<string, unknown>>;
  } | null;
  reason: string | null;
  effects: readonly WhyEffect[];
  more_effects: number;
  /** The event's place in the input, where it has one. */
  index?: number;
}

/** What an event, or time, did to one partial match. */
export interface WhyEffect {
  /** The number of the partial match; `null` if none started. */
  partial: number | null;
  fate: string;
  step: string | null;
  mismatches: readonly { step: string; reasons: readonly string[] }[];
  reported: {
    kind: "match" | "timeout";
    suppressed: boolean;
    filtered: boolean;
    chosen: boolean;
    at: string;
    emit: unknown;
  } | null;
  until: string | null;
  text: string;
}

/** The counts at the end of a story. */
export interface WhySummary {
  rule: string;
  events_read: number;
  events: number;
  partial_matches: number;
  matches: number;
  timeouts: number;
  late: number;
  left_out: number;
  more_open: number;
  open: readonly {
    partial: number;
    taken: readonly string[];
    waits_for: readonly string[];
    must_not_come: readonly string[];
    until: string | null;
  }[];
}
