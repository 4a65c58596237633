/**
 * Draws outputs: a match is a full span; a timeout is a hollow one with stripes that ends in a bar, so
 * that they differ without colours.
 */
import { SPAN, spanY } from "./layout.ts";
import type { Look } from "./look.ts";
import { NO_ROW } from "./output-index.ts";
import type { Sign, Span } from "./spans.ts";
import { laneSpans } from "./spans.ts";
import type { View } from "./view.ts";
import { laneTop } from "./view.ts";

/** Draws the outputs of a lane. */
export function paintSpans(
  context: CanvasRenderingContext2D,
  view: View,
  look: Look,
  lane: number,
): void {
  const top = laneTop(view, lane);
  const { spans, signs } = laneSpans(view.model.outputs, lane, view.scale);
  for (const span of spans) {
    const y = top + spanY(view.layout, span.row);
    if (span.kind === 1) paintTimeout(context, look, span, y);
    else paintMatch(context, look, span, y);
    if (isIn(view, span, view.selection.output)) frame(context, look.text, span, y);
    const { cursor } = view;
    if (cursor?.kind === "output" && isIn(view, span, cursor.position)) {
      frame(context, look.accent, span, y);
    }
  }
  for (const sign of signs) paintSign(context, view, look, sign, top);
  paintHidden(context, view, look, lane);
}

/** The selected output, or that of the keys, where it has no row: over the signs. */
function paintHidden(
  context: CanvasRenderingContext2D,
  view: View,
  look: Look,
  lane: number,
): void {
  const { outputs } = view.model;
  const keys = view.cursor?.kind === "output" ? view.cursor.position : null;
  for (const position of new Set([view.selection.output, keys])) {
    if (position === null || outputs.row[position] !== NO_ROW) continue;
    if (position < outputs.starts[lane]! || position >= outputs.starts[lane + 1]!) continue;
    const y = laneTop(view, lane) + view.layout.signsTop + 4;
    // Stripes of what is far outside of the view would be drawn for ever.
    const x = Math.max(-5, view.scale.x(outputs.start[position]!));
    const end = Math.min(
      view.scale.width + 5,
      Math.max(x + 5, view.scale.x(outputs.end[position]!)),
    );
    const kind = outputs.kind[position]!;
    const span = { x, end, kind, row: NO_ROW, first: position, last: position + 1, count: 1 };
    context.fillStyle = look.bg;
    context.fillRect(x - 3, y - 4, end - x + 6, SPAN + 8);
    if (kind === 1) paintTimeout(context, look, span, y);
    else paintMatch(context, look, span, y);
    frame(context, position === view.selection.output ? look.text : look.accent, span, y);
  }
}

function paintMatch(context: CanvasRenderingContext2D, look: Look, span: Span, y: number): void {
  context.fillStyle = look.match;
  context.beginPath();
  context.roundRect(span.x, y, span.end - span.x, SPAN, SPAN / 2);
  context.fill();
}

function paintTimeout(context: CanvasRenderingContext2D, look: Look, span: Span, y: number): void {
  const width = span.end - span.x;
  context.fillStyle = look.timeoutSoft;
  context.fillRect(span.x, y, width, SPAN);
  context.strokeStyle = look.timeout;
  context.lineWidth = 1;
  context.strokeRect(span.x + 0.5, y + 0.5, Math.max(1, width - 1), SPAN - 1);
  context.beginPath();
  for (let x = span.x + SPAN; x < span.end; x += SPAN) {
    context.moveTo(x - SPAN / 2, y + SPAN);
    context.lineTo(x, y);
  }
  context.stroke();
  context.fillStyle = look.timeout;
  context.fillRect(span.end - 3, y - 1, 3, SPAN + 2);
}

function frame(context: CanvasRenderingContext2D, colour: string, span: Span, y: number): void {
  context.strokeStyle = colour;
  context.lineWidth = 2;
  context.strokeRect(span.x - 1, y - 1, span.end - span.x + 2, SPAN + 2);
}

function paintSign(
  context: CanvasRenderingContext2D,
  view: View,
  look: Look,
  sign: Sign,
  top: number,
): void {
  context.font = `600 10px ${look.font}`;
  context.textAlign = "left";
  context.textBaseline = "top";
  context.fillStyle = look.text;
  context.fillText(signText(sign.count), sign.x + 1, top + view.layout.signsTop);
}

/** A count that fits: `+3`, `+12k`. */
export function signText(count: number): string {
  if (count < 1000) return `+${count}`;
  return count < 1_000_000 ? `+${Math.floor(count / 1000)}k` : `+${Math.floor(count / 1e6)}M`;
}

function isIn(view: View, span: Span, position: number | null): boolean {
  if (position === null || position < span.first || position >= span.last) return false;
  const { row, kind } = view.model.outputs;
  return row[position] === span.row && kind[position] === span.kind;
}
