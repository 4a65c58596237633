/** What is drawn of the outputs of a lane: spans in rows, and signs for those without a row. */
import { lowerBound } from "../common/sort.ts";
import type { OutputIndex } from "./output-index.ts";
import { MOST_ROWS, NO_ROW } from "./output-index.ts";
import type { TimeScale } from "./scale.ts";

/** Spans are at least so wide, so that an output of one instant is seen. */
const LEAST = 5;
/** The room that a sign takes. */
const SIGN_WIDTH = 28;

/** One output, or several of a kind that fall together: their positions are in `first..last`. */
export interface Span {
  x: number;
  end: number;
  row: number;
  kind: number;
  first: number;
  last: number;
  count: number;
}

/** Outputs that have no row, from `x` on. */
export interface Sign {
  x: number;
  end: number;
  positions: number[];
  count: number;
}

/** The spans of a lane in a view. */
export interface Spans {
  spans: Span[];
  signs: Sign[];
}

/** More are not named in the list behind a sign. */
const NAMED = 200;

/** Lays out the outputs of a lane. */
export function laneSpans(index: OutputIndex, lane: number, scale: TimeScale): Spans {
  const out: Spans = { spans: [], signs: [] };
  const low = index.starts[lane]!;
  const high = index.starts[lane + 1]!;
  // Nothing before the first output that reaches into the view is seen.
  const first = lowerBound(index.reach, scale.from, low, high);
  const last: (Span | undefined)[] = new Array(MOST_ROWS * 2);
  for (let position = first; position < high && index.start[position]! <= scale.to; position++) {
    if (index.end[position]! < scale.from) continue;
    const x = Math.max(-LEAST, scale.x(index.start[position]!));
    const end = Math.max(x + LEAST, Math.min(scale.width + LEAST, scale.x(index.end[position]!)));
    const row = index.row[position]!;
    if (row === NO_ROW) addSign(out.signs, Math.max(0, x), position);
    else addSpan(out.spans, last, { x, end, position, row, kind: index.kind[position]! });
  }
  return out;
}

interface Placed {
  x: number;
  end: number;
  row: number;
  kind: number;
  position: number;
}

function addSpan(spans: Span[], last: (Span | undefined)[], placed: Placed): void {
  const { position, ...rest } = placed;
  const slot = placed.row * 2 + (placed.kind & 1);
  const before = last[slot];
  if (before && placed.x < before.end) {
    before.end = Math.max(before.end, placed.end);
    before.last = position + 1;
    before.count++;
    return;
  }
  const span = { ...rest, first: position, last: position + 1, count: 1 };
  spans.push(span);
  last[slot] = span;
}

function addSign(signs: Sign[], x: number, position: number): void {
  const before = signs.at(-1);
  if (before && x < before.end) {
    before.count++;
    if (before.positions.length < NAMED) before.positions.push(position);
    return;
  }
  signs.push({ x, end: x + SIGN_WIDTH, positions: [position], count: 1 });
}

/** The positions of the outputs behind a span. */
export function spanPositions(index: OutputIndex, span: Span): number[] {
  const found: number[] = [];
  for (let at = span.first; at < span.last && found.length < NAMED; at++) {
    if (index.row[at] === span.row && index.kind[at] === span.kind) found.push(at);
  }
  return found;
}
