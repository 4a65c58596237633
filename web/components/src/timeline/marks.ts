/**
 * What is drawn of the events of a lane: dots where there is room for each, and a bar for a column in
 * which there are too many. Columns are fixed in time, so that they do not flicker while one pans.
 */
import { lowerBound, upperBound } from "../common/sort.ts";
import type { EventIndex } from "./event-index.ts";
import { COLUMN, DOT } from "./layout.ts";
import type { TimeScale } from "./scale.ts";

/** One event. */
export interface Dot {
  x: number;
  row: number;
  position: number;
  type: number;
}

/** Several events in one column: the positions `first..last`. */
export interface Bar {
  x: number;
  first: number;
  last: number;
  /** How many events of each type, the most frequent first. */
  parts: { type: number; count: number }[];
}

/** The marks of a lane in a view. */
export interface Marks {
  dots: Dot[];
  bars: Bar[];
}

/** Lays out the events of a lane. `origin` is a time where a column begins. */
export function laneMarks(
  index: EventIndex,
  lane: number,
  scale: TimeScale,
  dotRows: number,
  origin: number,
): Marks {
  const marks: Marks = { dots: [], bars: [] };
  const width = COLUMN * scale.unit;
  const firstColumn = Math.floor((scale.from - origin) / width) - 1;
  const { times, starts } = index;
  const low = starts[lane]!;
  const high = starts[lane + 1]!;
  let at = lowerBound(times, origin + firstColumn * width, low, high);
  const stop = upperBound(times, scale.to + width, at, high);
  // Where each row of dots is free again.
  const free = new Float64Array(dotRows).fill(-Infinity);
  while (at < stop) {
    const column = Math.floor((times[at]! - origin) / width);
    const end = columnEnd(times, origin + (column + 1) * width, at, stop);
    if (end - at <= dotRows) {
      for (let position = at; position < end; position++) {
        const x = scale.x(times[position]!);
        marks.dots.push({ x, row: takeRow(free, x), position, type: index.types[position]! });
      }
    } else {
      const x = scale.x(origin + column * width);
      marks.bars.push({ x, first: at, last: end, parts: parts(index.types, at, end) });
      free.fill(x + COLUMN + DOT / 2);
    }
    at = end;
  }
  return marks;
}

/** Few events are counted through; many are searched by halving. */
function columnEnd(times: Float64Array, until: number, at: number, stop: number): number {
  let end = at + 1;
  while (end < stop && end < at + 8 && times[end]! < until) end++;
  if (end < stop && times[end]! < until) end = lowerBound(times, until, end, stop);
  return end;
}

/** The lowest row with room, else the one that has most. */
function takeRow(free: Float64Array, x: number): number {
  let best = 0;
  for (let row = 0; row < free.length; row++) {
    if (free[row]! <= x) {
      best = row;
      break;
    }
    if (free[row]! < free[best]!) best = row;
  }
  free[best] = x + DOT;
  return best;
}

const counts = new Uint32Array(65536);

function parts(types: Uint16Array, first: number, last: number): Bar["parts"] {
  const seen: number[] = [];
  for (let position = first; position < last; position++) {
    const type = types[position]!;
    if (counts[type] === 0) seen.push(type);
    counts[type]! += 1;
  }
  const found = seen.map((type) => ({ type, count: counts[type]! }));
  for (const type of seen) counts[type] = 0;
  return found.sort((a, b) => b.count - a.count || a.type - b.type);
}

/** How high a bar is, as a share of the room: by the logarithm, so that few events are seen too. */
export function barHeight(events: number): number {
  return Math.min(1, 0.35 + 0.65 * (Math.log10(events) / 4));
}
