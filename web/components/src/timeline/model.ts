/** All that is computed of the timeline's data, before anything is drawn. */
import type { Work } from "../common/slices.ts";
import { BLOCK } from "../common/slices.ts";
import { lowerBound, upperBound } from "../common/sort.ts";
import type { TimelineData, TimelineItem } from "../data.ts";
import type { EventIndex } from "./event-index.ts";
import { buildEvents, NOWHERE } from "./event-index.ts";
import type { OutputIndex } from "./output-index.ts";
import { buildOutputs } from "./output-index.ts";
import type { Range } from "./scale.ts";

/** Columns of the overview. */
export const OVERVIEW = 400;

/** Data with their indexes. */
export interface Model {
  data: TimelineData;
  events: EventIndex;
  outputs: OutputIndex;
  /** From the first to the last time of an event or output. */
  extent: Range;
  /** How many events are in each of `OVERVIEW` parts of the extent. */
  overview: Uint32Array;
  /** Types by number that events of the rule have, and how many events. */
  typeCounts: Uint32Array;
}

/** Builds the model. */
export function* buildModel(data: TimelineData): Work<Model> {
  const events = yield* buildEvents(data.events, data.lanes.length);
  const outputs = yield* buildOutputs(data.outputs, data.lanes.length);
  const extent = extentOf(events, outputs);
  const overview = new Uint32Array(OVERVIEW);
  const typeCounts = new Uint32Array(data.types.length + 1);
  const width = (extent.to - extent.from || 1) / OVERVIEW;
  for (let at = 0; at < events.order.length; at++) {
    if (at % BLOCK === 0) yield;
    const column = Math.floor((events.times[at]! - extent.from) / width);
    overview[Math.min(OVERVIEW - 1, column)]! += 1;
    typeCounts[Math.min(data.types.length, events.types[at]!)]! += 1;
  }
  return { data, events, outputs, extent, overview, typeCounts };
}

function extentOf(events: EventIndex, outputs: OutputIndex): Range {
  let from = events.moments[0] ?? Infinity;
  let to = events.moments.at(-1) ?? -Infinity;
  for (let at = 0; at < outputs.order.length; at++) from = Math.min(from, outputs.start[at]!);
  to = Math.max(to, outputs.moments.at(-1) ?? -Infinity);
  return from <= to ? { from, to } : { from: 0, to: 0 };
}

/** The moment before or after a time: of an event or a report. `null` if there is none. */
export function nextMoment(model: Model, time: number, direction: 1 | -1): number | null {
  const found = [model.events.moments, model.outputs.moments].map((moments) =>
    direction > 0 ? moments[upperBound(moments, time)] : moments[lowerBound(moments, time) - 1],
  );
  const times = found.filter((one) => one !== undefined);
  if (times.length === 0) return null;
  return direction > 0 ? Math.min(...times) : Math.max(...times);
}

/** The name of a type. */
export function typeName(model: Model, type: number): string {
  return model.data.types[type] ?? "no declared type";
}

/** The item of a position. */
export function itemOf(model: Model, kind: TimelineItem["kind"], position: number): TimelineItem {
  const { order } = kind === "event" ? model.events : model.outputs;
  return { kind, index: order[position]! };
}

/** The position of an item, if it is drawn. */
export function positionOf(
  model: Model,
  kind: TimelineItem["kind"],
  index: number | null | undefined,
): number | null {
  const { positions } = kind === "event" ? model.events : model.outputs;
  const position = index === null || index === undefined ? NOWHERE : positions[index];
  return position === undefined || position === NOWHERE ? null : position;
}
