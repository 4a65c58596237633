/** The partial matches that are open where the slider stands: what they have, and how long they wait. */
import type { OpenPartial } from "../data.ts";
import type { Look } from "./look.ts";
import type { Model } from "./model.ts";
import type { OpenMark, OpenMarks, View } from "./view.ts";
import { laneTop } from "./view.ts";

/** More would lie on each other. */
const MOST = 40;

/** Finds since when partial matches are open: since the first event that they captured. */
export function openMarks(model: Model, open: readonly OpenPartial[]): OpenMarks {
  const marks = new Map<number, OpenMark[]>();
  const { time } = model.data.events;
  for (const { lane, captures, deadline } of open) {
    let from = Infinity;
    for (const { events } of captures) {
      for (const event of events) from = Math.min(from, time[event] ?? Infinity);
    }
    if (!Number.isFinite(from)) continue;
    const list = marks.get(lane);
    if (!list) marks.set(lane, [{ from, deadline }]);
    else if (list.length < MOST) list.push({ from, deadline });
  }
  return marks;
}

/**
 * Draws a lane's partial matches: a thin line up to the slider, dashes from there to the deadline, and
 * a flag at its end.
 */
export function paintOpen(
  context: CanvasRenderingContext2D,
  view: View,
  look: Look,
  lane: number,
): void {
  const marks = view.open.get(lane);
  if (!marks) return;
  const y = Math.round(laneTop(view, lane) + view.layout.dotsTop) - 0.5;
  const right = view.scale.width + 10;
  const x = (time: number) => Math.max(-10, Math.min(right, view.scale.x(time)));
  context.strokeStyle = look.accent;
  context.fillStyle = look.accent;
  context.lineWidth = 1.5;
  context.beginPath();
  for (const { from } of marks) line(context, x(from), x(view.time), y);
  context.stroke();
  context.setLineDash([4, 3]);
  context.beginPath();
  for (const { deadline } of marks) {
    if (deadline !== null) line(context, x(view.time), x(deadline), y);
  }
  context.stroke();
  context.setLineDash([]);
  context.beginPath();
  for (const { deadline } of marks) {
    if (deadline !== null) flag(context, view.scale.x(deadline), y, right);
  }
  context.fill();
}

function line(context: CanvasRenderingContext2D, from: number, to: number, y: number): void {
  context.moveTo(from, y);
  context.lineTo(to, y);
}

function flag(context: CanvasRenderingContext2D, x: number, y: number, right: number): void {
  if (x < -10 || x > right) return;
  context.rect(x - 0.75, y - 4, 1.5, 12);
  context.moveTo(x, y - 4);
  context.lineTo(x - 7, y - 1);
  context.lineTo(x, y + 2);
}
