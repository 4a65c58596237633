/** Where things are within a lane, in pixels. All lanes of a rule are equally high. */
import type { Model } from "./model.ts";

/** The diameter of a dot. */
export const DOT = 9;
/** The height of a row of spans, without the room between two. */
export const SPAN = 6;
/** The width of a column in which events are drawn together if they are too many. */
export const COLUMN = 10;
/** The height of the line with the signs of hidden outputs. */
const SIGN = 12;
const ROOM = 4;
/** Up to this number of lanes, each lane has room for more rows of dots. */
const FEW = 4;
const SOME = 20;

/** The heights of a lane's parts. */
export interface LaneLayout {
  height: number;
  /** Rows of spans; the first begins at `spansTop`. */
  rows: number;
  spansTop: number;
  /** Where signs such as `+3` are written; only with `hasSigns`. */
  signsTop: number;
  hasSigns: boolean;
  /** Rows of dots: the number of events of one instant that are drawn one by one. */
  dotRows: number;
  dotsTop: number;
  dotsHeight: number;
}

/** The layout for some data: no room is kept for what they do not have. */
export function layoutOf(model: Model): LaneLayout {
  const lanes = model.data.lanes.length;
  const { rows, hidden } = model.outputs;
  const hasSigns = hidden > 0;
  const most = lanes <= FEW ? 6 : 3;
  const dotRows = lanes <= SOME ? most : Math.min(3, Math.max(2, model.events.ties));
  const signsTop = ROOM;
  const spansTop = signsTop + (hasSigns ? SIGN : 0);
  const dotsTop = spansTop + (rows > 0 ? rows * (SPAN + 2) + 2 : 0);
  const dotsHeight = dotRows * DOT + 1;
  const height = dotsTop + dotsHeight + ROOM;
  return { height, rows, spansTop, signsTop, hasSigns, dotRows, dotsTop, dotsHeight };
}

/** The middle of a dot's row. Rows are counted from below: a lone event is on the base line. */
export function dotY(layout: LaneLayout, row: number): number {
  return layout.dotsTop + layout.dotsHeight - DOT / 2 - row * DOT;
}

/** The top of a row of spans: the first is next to the dots. */
export function spanY(layout: LaneLayout, row: number): number {
  return layout.spansTop + (layout.rows - 1 - row) * (SPAN + 2);
}
