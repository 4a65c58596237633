/** Events by lane and time, in columns that are searched by halving. */
import type { Work } from "../common/slices.ts";
import { BLOCK } from "../common/slices.ts";
import { pass, sortByNumber } from "../common/sort.ts";
import type { EventColumns } from "../data.ts";

/** The position of an event that is not drawn. */
export const NOWHERE = 0xffffffff;

/** Events sorted by lane, then time, then input. A place in that order is called a position. */
export interface EventIndex {
  /** Event indices by position. */
  order: Uint32Array;
  /** Times and types by position. */
  times: Float64Array;
  types: Uint16Array;
  /** Lane `n` has the positions `starts[n]..starts[n + 1]`. */
  starts: Uint32Array;
  /** Positions by event index; `NOWHERE` for an event that is not drawn. */
  positions: Uint32Array;
  /** The times of all events that are drawn, ascending. */
  moments: Float64Array;
  /** Events of a lane that have no time, and events that have no lane. */
  untimed: number;
  unseen: number;
  /** The most events of a lane at one instant. */
  ties: number;
}

/** Builds the index: a few passes, and nothing but typed arrays. */
export function* buildEvents(columns: EventColumns, lanes: number): Work<EventIndex> {
  const { time, lane, type } = columns;
  const total = time.length;
  const drawn = new Uint32Array(total);
  let count = 0;
  let untimed = 0;
  let unseen = 0;
  for (let event = 0; event < total; event++) {
    if (event % BLOCK === 0) yield;
    if (lane[event]! >= lanes) unseen++;
    else if (!Number.isFinite(time[event]!)) untimed++;
    else drawn[count++] = event;
  }
  const byTime = yield* sortByNumber(drawn.subarray(0, count), time);
  const order = new Uint32Array(count);
  const starts = yield* pass(byTime, order, (event) => lane[event]!, lanes);
  const index: EventIndex = {
    order,
    times: new Float64Array(count),
    types: new Uint16Array(count),
    starts,
    positions: new Uint32Array(total).fill(NOWHERE),
    moments: new Float64Array(count),
    untimed,
    unseen,
    ties: 0,
  };
  yield;
  let tied = 0;
  for (let position = 0; position < count; position++) {
    if (position % BLOCK === 0) yield;
    const event = order[position]!;
    index.times[position] = time[event]!;
    index.types[position] = type[event]!;
    index.positions[event] = position;
    index.moments[position] = time[byTime[position]!]!;
    const before = order[position - 1];
    const isTied =
      before !== undefined && lane[before] === lane[event] && time[before] === time[event];
    tied = isTied ? tied + 1 : 1;
    if (tied > index.ties) index.ties = tied;
  }
  return index;
}

/** The lane of a position. */
export function laneOf(starts: Uint32Array, position: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (starts[middle]! <= position) low = middle;
    else high = middle;
  }
  return low;
}
