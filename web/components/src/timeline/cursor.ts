/** Where the keys lead: to the next item of a lane, and to the item of another lane that is nearest. */
import { lowerBound } from "../common/sort.ts";
import type { Model } from "./model.ts";
import type { Cursor } from "./view.ts";

/** The times of a kind of item by position, and where lanes begin. */
function columns(model: Model, kind: Cursor["kind"]): { times: Float64Array; starts: Uint32Array } {
  return kind === "event"
    ? { times: model.events.times, starts: model.events.starts }
    : { times: model.outputs.start, starts: model.outputs.starts };
}

/** The time of the item at the cursor. */
export function cursorTime(model: Model, cursor: Cursor): number | null {
  if (cursor.position === null) return null;
  return columns(model, cursor.kind).times[cursor.position] ?? null;
}

/** The item of a lane that is nearest to a time. */
export function cursorAt(model: Model, lane: number, kind: Cursor["kind"], time: number): Cursor {
  const { times, starts } = columns(model, kind);
  const low = starts[lane] ?? 0;
  const high = starts[lane + 1] ?? low;
  if (low === high) return { lane, kind, position: null };
  const after = lowerBound(times, time, low, high);
  const isBefore =
    after > low && (after === high || time - times[after - 1]! <= times[after]! - time);
  return { lane, kind, position: isBefore ? after - 1 : after };
}

/** The next item of the lane. Stays at the last one. */
export function cursorStep(model: Model, cursor: Cursor, step: number): Cursor {
  const { starts } = columns(model, cursor.kind);
  if (cursor.position === null) return cursor;
  const low = starts[cursor.lane]!;
  const high = starts[cursor.lane + 1]!;
  return { ...cursor, position: Math.min(high - 1, Math.max(low, cursor.position + step)) };
}

/** The first or last item of the lane. */
export function cursorEnd(model: Model, cursor: Cursor, end: "first" | "last"): Cursor {
  return cursorStep(model, cursor, end === "first" ? -Infinity : Infinity);
}

/** The cursor in other data: in the same lane, near the time where it was. */
export function cursorIn(model: Model, cursor: Cursor, time: number | null): Cursor | null {
  const lanes = model.data.lanes.length;
  if (lanes === 0) return null;
  const lane = Math.min(cursor.lane, lanes - 1);
  return cursorAt(model, lane, cursor.kind, time ?? model.extent.from);
}
