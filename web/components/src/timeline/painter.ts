/** Draws the timeline on a canvas. */
import { COLUMN, DOT, dotY } from "./layout.ts";
import type { Look } from "./look.ts";
import type { Bar, Dot } from "./marks.ts";
import { barHeight, laneMarks } from "./marks.ts";
import { paintOpen } from "./open.ts";
import type { Place, Places } from "./paint-highlights.ts";
import { paintHighlights } from "./paint-highlights.ts";
import { paintSpans } from "./paint-spans.ts";
import { addShape, colourOf, shapeOf } from "./palette.ts";
import type { View } from "./view.ts";
import { lanesInView, laneTop } from "./view.ts";

/** The height of the axis below the lanes. */
export const AXIS = 24;

/** Draws all that is in view. The context is scaled to CSS pixels already. */
export function paint(context: CanvasRenderingContext2D, view: View, look: Look): void {
  const { width } = view.scale;
  // The ground is drawn as well: where the system forces colours it would be another one.
  context.fillStyle = look.bg;
  context.fillRect(0, 0, width, view.height + AXIS);
  const ticks = hasTimes(view) ? view.scale.ticks() : [];
  context.fillStyle = look.border;
  for (const tick of ticks) context.fillRect(Math.round(tick.x), 0, 1, view.height);
  context.save();
  context.beginPath();
  context.rect(0, 0, width, view.height);
  context.clip();
  const places = paintLanes(context, view, look);
  paintHighlights(context, view, look, places);
  context.restore();
  paintAxis(context, view, look, ticks);
  if (hasTimes(view)) paintSlider(context, view, look);
}

/** False if nothing has a time: no moment means anything then. */
function hasTimes({ model }: View): boolean {
  return model.events.order.length + model.outputs.order.length > 0;
}

/** Draws the lanes on screen. Gives the places of events to highlight that are dots of their own. */
function paintLanes(context: CanvasRenderingContext2D, view: View, look: Look): Places {
  const { selection, cursor } = view;
  const wanted = new Set(selection.events);
  if (selection.event !== null) wanted.add(selection.event);
  if (cursor?.kind === "event" && cursor.position !== null) wanted.add(cursor.position);
  const places = new Map<number, Place>();
  const { first, last } = lanesInView(view);
  // Dots of a type are one path: a fill for each of thousands of dots takes several times as long.
  const byType = new Map<number, { dot: Dot; y: number }[]>();
  for (let lane = first; lane < last; lane++) {
    const top = laneTop(view, lane);
    if (view.cursor?.lane === lane) {
      context.fillStyle = look.accentSoft;
      context.fillRect(0, top, view.scale.width, view.layout.height);
    }
    context.fillStyle = look.border;
    context.fillRect(0, Math.round(top + view.layout.height) - 1, view.scale.width, 1);
    paintSpans(context, view, look, lane);
    paintOpen(context, view, look, lane);
    const marks = laneMarks(
      view.model.events,
      lane,
      view.scale,
      view.layout.dotRows,
      view.model.extent.from,
    );
    for (const bar of marks.bars) paintBar(context, view, look, bar, top);
    for (const dot of marks.dots) {
      const list = byType.get(dot.type);
      const placed = { dot, y: top + dotY(view.layout, dot.row) };
      if (wanted.has(dot.position)) places.set(dot.position, { x: dot.x, y: placed.y });
      if (list) list.push(placed);
      else byType.set(dot.type, [placed]);
    }
  }
  for (const [type, dots] of byType) {
    context.fillStyle = colourOf(type, look.ground);
    context.beginPath();
    for (const { dot, y } of dots) addShape(context, shapeOf(type), dot.x, y, DOT / 2 - 0.7);
    context.fill();
  }
  return places;
}

function paintBar(
  context: CanvasRenderingContext2D,
  view: View,
  look: Look,
  bar: Bar,
  top: number,
): void {
  const { dotsTop, dotsHeight } = view.layout;
  const events = bar.last - bar.first;
  const height = Math.round(dotsHeight * barHeight(events));
  let bottom = top + dotsTop + dotsHeight;
  for (const { type, count } of bar.parts) {
    const part = Math.max(1, (height * count) / events);
    context.fillStyle = colourOf(type, look.ground);
    context.fillRect(bar.x, bottom - part, COLUMN - 1, part);
    bottom -= part;
  }
}

function paintAxis(
  context: CanvasRenderingContext2D,
  view: View,
  look: Look,
  ticks: readonly { x: number; label: string }[],
): void {
  context.fillStyle = look.soft;
  context.fillRect(0, view.height, view.scale.width, AXIS);
  context.fillStyle = look.textSoft;
  context.font = `11px ${look.font}`;
  context.textBaseline = "middle";
  context.textAlign = "center";
  let free = -Infinity;
  for (const tick of ticks) {
    const half = context.measureText(tick.label).width / 2 + 2;
    const x = Math.min(view.scale.width - half, Math.max(half, tick.x));
    // The first label also says the day: the one behind it may have no room.
    if (x - half < free) continue;
    context.fillText(tick.label, x, view.height + AXIS / 2);
    free = x + half + 4;
  }
}

function paintSlider(context: CanvasRenderingContext2D, view: View, look: Look): void {
  const x = Math.round(view.scale.x(view.time));
  if (x < -6 || x > view.scale.width + 6) return;
  context.fillStyle = look.accent;
  context.fillRect(x - 1, 0, 2, view.height + AXIS);
  context.beginPath();
  context.moveTo(x - 6, view.height + AXIS);
  context.lineTo(x + 6, view.height + AXIS);
  context.lineTo(x, view.height + AXIS - 9);
  context.fill();
}
