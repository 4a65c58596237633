/** What is on the timeline, in words: for tooltips, lists and screen readers. */

import { formatDuration, formatTime, plural } from "../text/time.ts";
import { brief } from "../text/visible.ts";
import { laneOf } from "./event-index.ts";
import type { Hit } from "./hit.ts";
import type { Model } from "./model.ts";
import { typeName } from "./model.ts";
import type { Cursor } from "./view.ts";

/** `order_created, 2024-05-01 15:45:04`. */
export function eventWords(model: Model, position: number): string {
  const type = brief(typeName(model, model.events.types[position]!), 60);
  return `${type}, ${formatTime(model.events.times[position]!)}`;
}

/** `match, 2024-05-01 15:45:04 to 16:15:04 (30m)`. */
export function outputWords(model: Model, position: number): string {
  const { kind, start, end } = model.outputs;
  const from = formatTime(start[position]!);
  const to = formatTime(end[position]!);
  const lasted = formatDuration(end[position]! - start[position]!);
  // The day is not said twice.
  const short = to.slice(0, 11) === from.slice(0, 11) ? to.slice(11) : to;
  return `${kind[position] === 1 ? "timeout" : "match"}, ${from} to ${short} (${lasted})`;
}

/** An item in words. */
export function itemWords(model: Model, kind: Hit["kind"], position: number): string {
  return kind === "event" ? eventWords(model, position) : outputWords(model, position);
}

/** The name of a lane. */
export function laneWords(model: Model, lane: number): string {
  return brief(model.data.lanes[lane] ?? "", 120);
}

/** What the cursor is at: `order_created, …; event 3 of 20 of order_id=o-17`. */
export function cursorWords(model: Model, cursor: Cursor): string {
  const { kind, lane, position } = cursor;
  const { starts } = kind === "event" ? model.events : model.outputs;
  const count = starts[lane + 1]! - starts[lane]!;
  const name = laneWords(model, lane);
  if (position === null) return `${name}: no ${kind}s`;
  const place = `${kind} ${position - starts[lane]! + 1} of ${count} of ${name}`;
  return `${itemWords(model, kind, position)}; ${place}`;
}

/** Several items that are drawn together: `37 events: login 20, order 17`. */
export function hitWords(model: Model, hit: Hit): string[] {
  const [first] = hit.positions;
  if (first === undefined) return [];
  if (hit.count === 1) return [itemWords(model, hit.kind, first)];
  if (hit.kind === "output") return [`${plural(hit.count, "output")} together`, "Click for a list"];
  const { times } = model.events;
  const last = first + hit.count - 1;
  const range = `${formatTime(times[first]!)}, within ${formatDuration(times[last]! - times[first]!)}`;
  return [`${plural(hit.count, "event")} together`, range, "Click for a list"];
}

/** All of the data in a sentence or two. */
export function summaryWords(model: Model): string {
  const { events, outputs, data } = model;
  if (data.events.time.length === 0) return "No events yet";
  const lanes = plural(data.lanes.length, "lane");
  const matches = plural(outputs.order.length - outputs.timeouts, "match", "matches");
  const parts = [
    `${plural(events.order.length, "event")}, ${matches} and ${plural(outputs.timeouts, "timeout")} in ${lanes}`,
  ];
  if (events.untimed > 0) parts.push(`${plural(events.untimed, "event")} without a time`);
  // Events of other types, and lines that are no events.
  if (events.unseen > 0) parts.push(`${plural(events.unseen, "other")} not seen by this rule`);
  return parts.join("; ");
}

/** The lane of an item. */
export function laneOfItem(model: Model, kind: Hit["kind"], position: number): number {
  return laneOf(kind === "event" ? model.events.starts : model.outputs.starts, position);
}
