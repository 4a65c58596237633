/** Draws what is selected, and where the keys are, above all other events. */
import { laneOf } from "./event-index.ts";
import { DOT, dotY } from "./layout.ts";
import type { Look } from "./look.ts";
import { addShape, colourOf, shapeOf } from "./palette.ts";
import type { View } from "./view.ts";
import { laneTop } from "./view.ts";

/** A place on the canvas. */
export interface Place {
  x: number;
  y: number;
}

/** The places of events that are dots of their own, by position. */
export type Places = ReadonlyMap<number, Place>;

/** Events nearer than this are not drawn again: an output may have captured 100,000. */
const NEAR = 3;

/** The events of the selected output with a line through them, the selected event, and the cursor. */
export function paintHighlights(
  context: CanvasRenderingContext2D,
  view: View,
  look: Look,
  drawn: Places,
): void {
  const { event, output } = view.selection;
  const isTimeout = output !== null && view.model.outputs.kind[output] === 1;
  const colour = output === null ? look.accent : isTimeout ? look.timeout : look.match;
  const placed = capturedPlaces(view, drawn);
  context.strokeStyle = colour;
  context.lineWidth = 2;
  context.beginPath();
  for (const [at, { place }] of placed.entries()) {
    if (at === 0) context.moveTo(place.x, place.y);
    else context.lineTo(place.x, place.y);
  }
  context.stroke();
  for (const one of placed) ring(context, view, look, one, { colour, width: 2 });
  if (event !== null) {
    const one = { position: event, place: placeOf(view, drawn, event) };
    ring(context, view, look, one, { colour: look.accent, width: 3 });
  }
  const { cursor } = view;
  if (cursor?.kind !== "event" || cursor.position === null) return;
  const { x, y } = placeOf(view, drawn, cursor.position);
  context.strokeStyle = look.text;
  context.lineWidth = 1.5;
  context.strokeRect(x - DOT, y - DOT, 2 * DOT, 2 * DOT);
}

interface Placed {
  position: number;
  place: Place;
}

/** The captured events in view, without those that would cover each other. */
function capturedPlaces(view: View, drawn: Places): Placed[] {
  const placed: Placed[] = [];
  let last: Place = { x: -Infinity, y: 0 };
  for (const position of view.selection.events) {
    const x = view.scale.x(view.model.events.times[position]!);
    if (x < -DOT || x > view.scale.width + DOT) continue;
    const place = placeOf(view, drawn, position);
    if (Math.abs(place.x - last.x) < NEAR && place.y === last.y) continue;
    placed.push({ position, place });
    last = place;
  }
  return placed;
}

function ring(
  context: CanvasRenderingContext2D,
  view: View,
  look: Look,
  { position, place }: Placed,
  line: { colour: string; width: number },
): void {
  const type = view.model.events.types[position]!;
  context.beginPath();
  context.arc(place.x, place.y, DOT * 0.85, 0, 2 * Math.PI);
  context.fillStyle = look.bg;
  context.fill();
  context.strokeStyle = line.colour;
  context.lineWidth = line.width;
  context.stroke();
  context.beginPath();
  context.fillStyle = colourOf(type, look.ground);
  addShape(context, shapeOf(type), place.x, place.y, DOT / 2 - 0.7);
  context.fill();
}

/** Where an event is. One that is drawn in a bar, or not on screen, is on the base of its lane. */
function placeOf(view: View, drawn: Places, position: number): Place {
  const place = drawn.get(position);
  if (place) return place;
  const lane = laneOf(view.model.events.starts, position);
  const x = view.scale.x(view.model.events.times[position]!);
  return { x, y: laneTop(view, lane) + dotY(view.layout, 0) };
}
