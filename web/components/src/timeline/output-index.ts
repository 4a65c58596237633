/** Outputs by lane and start, stacked in rows so that those of one row never overlap. */
import type { Work } from "../common/slices.ts";
import { BLOCK } from "../common/slices.ts";
import { pass, sortByNumber } from "../common/sort.ts";
import type { OutputColumns } from "../data.ts";
import { NOWHERE } from "./event-index.ts";

/** Rows that are drawn. What finds no room in them is counted by a sign. */
export const MOST_ROWS = 4;
/** The row of an output that is not drawn. */
export const NO_ROW = 255;

/** Outputs sorted by lane, then start. A place in that order is called a position. */
export interface OutputIndex {
  /** Output indices by position. */
  order: Uint32Array;
  /** Columns by position. */
  start: Float64Array;
  end: Float64Array;
  kind: Uint8Array;
  row: Uint8Array;
  /** The latest end of this and all earlier outputs of the lane: finds what reaches into a view. */
  reach: Float64Array;
  /** Lane `n` has the positions `starts[n]..starts[n + 1]`. */
  starts: Uint32Array;
  positions: Uint32Array;
  /** The times of all reports, ascending. */
  moments: Float64Array;
  /** Rows that are used, and outputs without one. */
  rows: number;
  hidden: number;
  timeouts: number;
}

/** Builds the index. */
export function* buildOutputs(columns: OutputColumns, lanes: number): Work<OutputIndex> {
  const { start, end, lane } = columns;
  const total = start.length;
  const drawn = new Uint32Array(total);
  let count = 0;
  for (let output = 0; output < total; output++) {
    if (output % BLOCK === 0) yield;
    const isDrawn = Number.isFinite(start[output]!) && Number.isFinite(end[output]!);
    if (isDrawn && lane[output]! < lanes) drawn[count++] = output;
  }
  const items = drawn.subarray(0, count);
  const byEnd = yield* sortByNumber(items, end);
  const moments = new Float64Array(count);
  for (let at = 0; at < count; at++) moments[at] = end[byEnd[at]!]!;
  const byStart = yield* sortByNumber(items, start);
  const order = new Uint32Array(count);
  const starts = yield* pass(byStart, order, (output) => lane[output]!, lanes);
  const index: OutputIndex = {
    order,
    start: new Float64Array(count),
    end: new Float64Array(count),
    kind: new Uint8Array(count),
    row: new Uint8Array(count),
    reach: new Float64Array(count),
    starts,
    positions: new Uint32Array(total).fill(NOWHERE),
    moments,
    rows: 0,
    hidden: 0,
    timeouts: 0,
  };
  yield* fill(index, columns, lanes);
  return index;
}

function* fill(index: OutputIndex, columns: OutputColumns, lanes: number): Work<void> {
  const free = new Float64Array(MOST_ROWS);
  let sinceYield = 0;
  for (let lane = 0; lane < lanes; lane++) {
    free.fill(-Infinity);
    let reach = -Infinity;
    for (let position = index.starts[lane]!; position < index.starts[lane + 1]!; position++) {
      const output = index.order[position]!;
      const start = columns.start[output]!;
      const end = Math.max(start, columns.end[output]!);
      reach = Math.max(reach, end);
      index.start[position] = start;
      index.end[position] = end;
      index.reach[position] = reach;
      index.kind[position] = columns.kind[output]!;
      index.positions[output] = position;
      if (columns.kind[output] === 1) index.timeouts++;
      place(index, position, free);
      sinceYield++;
    }
    sinceYield++;
    if (sinceYield > BLOCK) {
      sinceYield = 0;
      yield;
    }
  }
}

/** Takes the first row whose last output is over. */
function place(index: OutputIndex, position: number, free: Float64Array): void {
  const row = free.findIndex((end) => end < index.start[position]!);
  if (row < 0) {
    index.row[position] = NO_ROW;
    index.hidden++;
    return;
  }
  free[row] = index.end[position]!;
  index.row[position] = row;
  index.rows = Math.max(index.rows, row + 1);
}
