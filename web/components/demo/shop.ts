/** Made-up orders of a shop: for a timeline of any size, with oddities. */
import type { TimelineData } from "../src/index.ts";
import { NO_LANE } from "../src/index.ts";
import { random } from "./random.ts";

const TYPES = ["order_created", "order_paid", "parcel_sent", "parcel_returned", "call", "note"];
const START = Date.UTC(2024, 4, 1);
const DAY = 86_400_000;

/** Makes the events of a number of keys over five days, and an output for each tenth event. */
export function shop(events: number, lanes: number): TimelineData {
  const next = random(7);
  const time = new Float64Array(events);
  const lane = new Uint32Array(events);
  const type = new Uint16Array(events);
  for (let at = 0; at < events; at++) {
    // Mostly in order, and some late.
    time[at] = Math.round(START + (at / events) * 5 * DAY - (next() < 0.05 ? next() * 60_000 : 0));
    lane[at] = Math.floor(next() * lanes);
    type[at] = Math.floor(next() ** 2 * TYPES.length);
  }
  const outputs = Math.floor(events / 10);
  const columns = {
    kind: new Uint8Array(outputs),
    lane: new Uint32Array(outputs),
    start: new Float64Array(outputs),
    end: new Float64Array(outputs),
  };
  for (let at = 0; at < outputs; at++) {
    const event = at * 10;
    columns.kind[at] = next() < 0.3 ? 1 : 0;
    columns.lane[at] = lane[event]!;
    columns.start[at] = time[event]!;
    columns.end[at] = time[event]! + Math.round(next() ** 3 * 0.4 * DAY);
  }
  odd(time, lane);
  return {
    types: TYPES,
    lanes: Array.from({ length: lanes }, (_, at) => laneName(at)),
    events: { time, lane, type },
    outputs: columns,
  };
}

/** Five events at one instant, one without a time, one of no lane. */
function odd(time: Float64Array, lane: Uint32Array): void {
  if (time.length < 20) return;
  for (let at = 10; at < 15; at++) {
    time[at] = time[10]!;
    lane[at] = 0;
  }
  time[16] = Number.NaN;
  lane[17] = NO_LANE;
}

function laneName(at: number): string {
  if (at === 3) return `order_id=${"x".repeat(1_000_000)}`;
  if (at === 4) return "order_id=\u202egnp.exe\u0000\ud800 <img src=x onerror=alert(1)>";
  if (at === 5) return "order_id=\u0627\u0644\u0637\u0644\u0628 17";
  return `order_id=o-${at + 1}`;
}
