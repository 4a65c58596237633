/** The rows of the table: outputs of all rules, sorted and filtered in slices. */
import type { Work } from "../common/slices.ts";
import { BLOCK } from "../common/slices.ts";
import { sortBy, sortByNumber } from "../common/sort.ts";
import type { OutputRef, RuleOutputs } from "../data.ts";

/** Columns by which rows are sorted. */
export type SortColumn = "time" | "kind" | "rule" | "key";

/** How rows are chosen and sorted. */
export interface Arrangement {
  column: SortColumn;
  descending: boolean;
  /** What the key or the name of the rule has to contain. */
  text: string;
  /** 0 for matches, 1 for timeouts, `null` for both. */
  kind: number | null;
}

/** Outputs of all rules; a row is `firsts[rule] + index`. */
export interface Rows {
  rules: readonly RuleOutputs[];
  firsts: readonly number[];
  count: number;
  rule: Uint16Array;
  time: Float64Array;
  /** Rows by time, then rule, then index. */
  byTime: Uint32Array;
  /** The place of each row's key among all keys: made when rows are first sorted by key. */
  keyRanks: Float64Array | null;
}

/** Collects the rows of all rules. */
export function* buildRows(rules: readonly RuleOutputs[]): Work<Rows> {
  const firsts: number[] = [];
  let count = 0;
  for (const one of rules) {
    firsts.push(count);
    count += one.outputs.kind.length;
  }
  const rule = new Uint16Array(count);
  const time = new Float64Array(count);
  for (const [at, one] of rules.entries()) {
    rule.fill(at, firsts[at], firsts[at]! + one.outputs.kind.length);
    time.set(one.outputs.end, firsts[at]);
    yield;
  }
  const all = Uint32Array.from({ length: 0 });
  const items = count === 0 ? all : yield* numbers(count);
  const byTime = yield* sortByNumber(items, time);
  return { rules, firsts, count, rule, time, byTime, keyRanks: null };
}

function* numbers(count: number): Work<Uint32Array> {
  const all = new Uint32Array(count);
  for (let at = 0; at < count; at++) {
    if (at % BLOCK === 0) yield;
    all[at] = at;
  }
  return all;
}

/** The rule and index of a row. */
export function refOf(rows: Rows, row: number): OutputRef {
  const rule = rows.rule[row]!;
  return { rule: rows.rules[rule]!.rule, index: row - rows.firsts[rule]! };
}

/** The row of an output; `null` if there is none. */
export function rowOf(rows: Rows, ref: OutputRef): number | null {
  const rule = rows.rules.findIndex((one) => one.rule === ref.rule);
  const length = rows.rules[rule]?.outputs.kind.length ?? 0;
  return ref.index < length ? rows.firsts[rule]! + ref.index : null;
}

/** 0 for a match, 1 for a timeout. */
export function kindOf(rows: Rows, row: number): number {
  const rule = rows.rule[row]!;
  return rows.rules[rule]!.outputs.kind[row - rows.firsts[rule]!]!;
}

/** The key of a row in words. */
export function keyOf(rows: Rows, row: number): string {
  const rule = rows.rule[row]!;
  const { lanes, outputs } = rows.rules[rule]!;
  return lanes[outputs.lane[row - rows.firsts[rule]!]!] ?? "";
}

/** The rows to show, in order. */
export function* arrange(rows: Rows, how: Arrangement): Work<Uint32Array> {
  const kept = yield* filter(rows, how);
  const sorted = how.column === "time" ? kept : yield* sort(rows, kept, how.column);
  return how.descending ? sorted.slice().reverse() : sorted;
}

function* sort(rows: Rows, kept: Uint32Array, column: SortColumn): Work<Uint32Array> {
  if (column === "key") {
    rows.keyRanks ??= yield* rankKeys(rows);
    return yield* sortByNumber(kept, rows.keyRanks);
  }
  const keys = new Float64Array(rows.count);
  for (let row = 0; row < rows.count; row++) {
    if (row % BLOCK === 0) yield;
    keys[row] = column === "rule" ? rows.rule[row]! : kindOf(rows, row);
  }
  return yield* sortByNumber(kept, keys);
}

/** Sorts each distinct key once: there are fewer keys than rows, and texts are slow to compare. */
function* rankKeys(rows: Rows): Work<Float64Array> {
  const starts: number[] = [];
  const keys: string[] = [];
  for (const { lanes } of rows.rules) {
    starts.push(keys.length);
    for (const lane of lanes) keys.push(lane);
    yield;
  }
  const order = yield* sortBy(yield* numbers(keys.length), (a, b) =>
    keys[a]! < keys[b]! ? -1 : keys[a]! > keys[b]! ? 1 : 0,
  );
  const ranks = new Float64Array(keys.length);
  let rank = 0;
  for (let at = 0; at < order.length; at++) {
    if (at % BLOCK === 0) yield;
    if (at > 0 && keys[order[at]!] !== keys[order[at - 1]!]) rank++;
    ranks[order[at]!] = rank;
  }
  const ofRows = new Float64Array(rows.count);
  for (let row = 0; row < rows.count; row++) {
    if (row % BLOCK === 0) yield;
    const rule = rows.rule[row]!;
    const lane = rows.rules[rule]!.outputs.lane[row - rows.firsts[rule]!]!;
    ofRows[row] = ranks[starts[rule]! + lane] ?? -1;
  }
  return ofRows;
}

/** Longer keys are not searched to their end. */
const SEARCHED = 1000;

function* filter(rows: Rows, how: Arrangement): Work<Uint32Array> {
  const text = how.text.trim().toLowerCase();
  if (!text && how.kind === null) return rows.byTime;
  const fits = yield* fittingLanes(rows, text);
  const kept = new Uint32Array(rows.count);
  let count = 0;
  for (let at = 0; at < rows.byTime.length; at++) {
    if (at % BLOCK === 0) yield;
    const row = rows.byTime[at]!;
    const rule = rows.rule[row]!;
    const index = row - rows.firsts[rule]!;
    const { kind, lane } = rows.rules[rule]!.outputs;
    if (how.kind !== null && kind[index] !== how.kind) continue;
    if (fits[rule]![lane[index]!] === 0) continue;
    kept[count++] = row;
  }
  return kept.slice(0, count);
}

/** For each rule and lane 1 if it fits, 0 if not. */
function* fittingLanes(rows: Rows, text: string): Work<Uint8Array[]> {
  const all: Uint8Array[] = [];
  for (const { rule, lanes } of rows.rules) {
    const fits = new Uint8Array(lanes.length);
    all.push(fits);
    if (rule.toLowerCase().includes(text)) {
      fits.fill(1);
      continue;
    }
    for (let lane = 0; lane < lanes.length; lane++) {
      if (lane % 1024 === 0) yield;
      if (lanes[lane]!.slice(0, SEARCHED).toLowerCase().includes(text)) fits[lane] = 1;
    }
  }
  return all;
}
