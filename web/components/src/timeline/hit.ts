/** What is under the pointer. It is found in the same marks that are drawn. */
import { COLUMN, DOT, dotY, SPAN, spanY } from "./layout.ts";
import { laneMarks } from "./marks.ts";
import type { Span } from "./spans.ts";
import { laneSpans, spanPositions } from "./spans.ts";
import type { View } from "./view.ts";
import { laneTop } from "./view.ts";

/** Events or outputs at a place, as positions; several if they are drawn together. */
export interface Hit {
  kind: "event" | "output";
  lane: number;
  positions: readonly number[];
  /** How many there are: more than `positions` if those are too many to list. */
  count: number;
}

/** More are not listed. */
const LISTED = 200;
/** A finger is not a needle: so far from a dot or a span still hits it. */
const REACH = 7;
const NEAR = 6;

/** Finds what is at a place, in pixels from the upper left of the part with lanes. */
export function hitAt(view: View, x: number, y: number): Hit | null {
  if (y < 0 || y >= view.height) return null;
  const lane = Math.floor((y + view.scroll) / view.layout.height);
  if (lane >= view.model.data.lanes.length) return null;
  const inLane = y - laneTop(view, lane);
  return inLane < view.layout.dotsTop - 1
    ? outputAt(view, lane, x, inLane)
    : eventAt(view, lane, x, inLane);
}

function eventAt(view: View, lane: number, x: number, y: number): Hit | null {
  const { model, scale, layout } = view;
  const marks = laneMarks(model.events, lane, scale, layout.dotRows, model.extent.from);
  let best: number | null = null;
  let distance = REACH + DOT / 2;
  for (const dot of marks.dots) {
    const away = Math.hypot(dot.x - x, dotY(layout, dot.row) - y);
    if (away < distance) {
      distance = away;
      best = dot.position;
    }
  }
  if (best !== null && distance < DOT) return { kind: "event", lane, positions: [best], count: 1 };
  const bar = marks.bars.find((one) => x >= one.x && x < one.x + COLUMN);
  if (bar) {
    const count = bar.last - bar.first;
    const length = Math.min(LISTED, count);
    return {
      kind: "event",
      lane,
      positions: Array.from({ length }, (_, at) => bar.first + at),
      count,
    };
  }
  return best === null ? null : { kind: "event", lane, positions: [best], count: 1 };
}

function outputAt(view: View, lane: number, x: number, y: number): Hit | null {
  const { layout } = view;
  const { outputs } = view.model;
  const { spans, signs } = laneSpans(outputs, lane, view.scale);
  if (layout.hasSigns && y < layout.spansTop) {
    const sign = signs.find((one) => x >= one.x && x < one.end);
    return sign ? { kind: "output", lane, positions: sign.positions, count: sign.count } : null;
  }
  let best: Span | null = null;
  let distance = NEAR;
  for (const span of spans) {
    const top = spanY(layout, span.row);
    const dx = Math.max(0, span.x - x, x - span.end);
    const dy = Math.max(0, top - y, y - top - SPAN);
    if (dx + dy < distance) {
      distance = dx + dy;
      best = span;
    }
  }
  if (!best) return null;
  const positions = spanPositions(outputs, best);
  return { kind: "output", lane, positions, count: best.count };
}
