/** What of the timeline is seen: a range of time, and some of the lanes. */
import type { LaneLayout } from "./layout.ts";
import type { Model } from "./model.ts";
import type { Range, TimeScale } from "./scale.ts";

/** All that drawing and finding need to know. */
export interface View {
  model: Model;
  layout: LaneLayout;
  scale: TimeScale;
  limits: Range;
  /** The height of the part with lanes, in pixels. */
  height: number;
  /** How far the lanes are scrolled, in pixels. */
  scroll: number;
  /** Where the slider stands. */
  time: number;
  selection: Selection;
  /** Partial matches that are open where the slider stands. */
  open: OpenMarks;
  /** What the keys are at; `null` while the timeline does not have the focus. */
  cursor: Cursor | null;
}

/** A partial match in a lane: since when it is open, and when its time runs out. */
export interface OpenMark {
  from: number;
  deadline: number | null;
}

/** Partial matches by lane. */
export type OpenMarks = ReadonlyMap<number, readonly OpenMark[]>;

/** What is selected, as positions. */
export interface Selection {
  event: number | null;
  output: number | null;
  /** Events to highlight, ascending. */
  events: readonly number[];
}

/** A place for the keys: a lane, and an item in it. */
export interface Cursor {
  lane: number;
  kind: "event" | "output";
  /** `null` if the lane has no such item. */
  position: number | null;
}

/** The lanes on screen, `first..last`, and where the first begins. */
export function lanesInView(view: View): { first: number; last: number; top: number } {
  const { height } = view.layout;
  const lanes = view.model.data.lanes.length;
  const first = Math.min(lanes, Math.max(0, Math.floor(view.scroll / height)));
  const last = Math.min(lanes, Math.ceil((view.scroll + view.height) / height));
  return { first, last, top: first * height - view.scroll };
}

/** The top of a lane in pixels from the top of the part with lanes. */
export function laneTop(view: View, lane: number): number {
  return lane * view.layout.height - view.scroll;
}
