import { expect, test } from "vitest";
import { random } from "../demo/random.ts";
import { shop } from "../demo/shop.ts";
import { atOnce, inSlices } from "../src/common/slices.ts";
import { lowerBound, sortBy, sortByNumber, upperBound } from "../src/common/sort.ts";
import type { TimelineData } from "../src/data.ts";
import { NO_LANE } from "../src/data.ts";
import { laneOf, NOWHERE } from "../src/timeline/event-index.ts";
import { buildModel, nextMoment } from "../src/timeline/model.ts";
import { MOST_ROWS, NO_ROW } from "../src/timeline/output-index.ts";

const count = (length: number) => Uint32Array.from({ length }, (_, at) => at);

test("numbers are sorted as Array.prototype.sort does, and stay in order where they are equal", () => {
  const next = random(1);
  const make: [string, (at: number) => number][] = [
    ["milliseconds", () => 1.7e12 + Math.floor(next() * 3e10)],
    ["few values", () => Math.floor(next() * 3)],
    ["before 1970", () => -Math.floor(next() * 1e13)],
    ["fractions", () => next() * 10 - 5],
    ["far apart", () => (next() < 0.5 ? -8e15 : 8e15)],
    ["in order", (at) => at],
    ["all equal", () => 5],
  ];
  for (const [name, value] of make) {
    const keys = Float64Array.from({ length: 3000 }, (_, at) => value(at));
    const expected = [...count(3000)].sort((a, b) => keys[a]! - keys[b]!);
    expect([...atOnce(sortByNumber(count(3000), keys))], name).toEqual(expected);
    const compared = atOnce(sortBy(count(3000), (a, b) => keys[a]! - keys[b]!));
    expect([...compared], name).toEqual(expected);
  }
  expect([...atOnce(sortByNumber(count(0), new Float64Array()))]).toEqual([]);
});

test("bounds are those of a search from the start", () => {
  const sorted = [1, 3, 3, 3, 7];
  for (const key of [0, 1, 2, 3, 4, 7, 8]) {
    const low = sorted.findIndex((one) => one >= key);
    const high = sorted.findIndex((one) => one > key);
    expect(lowerBound(sorted, key)).toBe(low < 0 ? 5 : low);
    expect(upperBound(sorted, key)).toBe(high < 0 ? 5 : high);
  }
});

test("work in slices gives what work at once gives, and stops when it is stale", async () => {
  const keys = Float64Array.from({ length: 50_000 }, (_, at) => (at * 7919) % 50_021);
  const sorted = await inSlices(sortByNumber(count(50_000), keys), () => false);
  expect(sorted).toEqual(atOnce(sortByNumber(count(50_000), keys)));
  let steps = 0;
  function* endless(): Generator<undefined, never, undefined> {
    for (;;) {
      steps++;
      yield;
    }
  }
  expect(await inSlices(endless(), () => true)).toBeNull();
  expect(steps).toBeGreaterThan(0);
});

test("each drawn event is in its lane, in the order of time and then of input", () => {
  const data = shop(5000, 40);
  const { events } = atOnce(buildModel(data));
  const { lane, time } = data.events;
  let drawn = 0;
  for (let event = 0; event < lane.length; event++) {
    const position = events.positions[event]!;
    const isDrawn = lane[event] !== NO_LANE && !Number.isNaN(time[event]);
    expect(position !== NOWHERE).toBe(isDrawn);
    if (!isDrawn) continue;
    drawn++;
    expect(events.order[position]).toBe(event);
    expect(laneOf(events.starts, position)).toBe(lane[event]);
  }
  expect(events.order.length).toBe(drawn);
  for (let at = 1; at < drawn; at++) {
    const [a, b] = [events.order[at - 1]!, events.order[at]!];
    if (lane[a] !== lane[b]) expect(lane[a]!).toBeLessThan(lane[b]!);
    else if (time[a] !== time[b]) expect(time[a]!).toBeLessThan(time[b]!);
    else expect(a).toBeLessThan(b);
  }
  expect(events).toMatchObject({ untimed: 1, unseen: 1, ties: 5 });
});

test("outputs of a row do not overlap, and those without room are counted", () => {
  const data = shop(4000, 3);
  const { outputs } = atOnce(buildModel(data));
  expect(outputs.order.length).toBe(400);
  expect(outputs.rows).toBe(MOST_ROWS);
  expect(outputs.hidden).toBeGreaterThan(0);
  expect(outputs.row.filter((row) => row === NO_ROW).length).toBe(outputs.hidden);
  for (let lane = 0; lane < 3; lane++) {
    const ends = new Array<number>(MOST_ROWS).fill(-Infinity);
    let reach = -Infinity;
    for (let at = outputs.starts[lane]!; at < outputs.starts[lane + 1]!; at++) {
      reach = Math.max(reach, outputs.end[at]!);
      expect(outputs.reach[at]).toBe(reach);
      const row = outputs.row[at]!;
      if (row === NO_ROW) {
        expect(ends.every((end) => end >= outputs.start[at]!)).toBe(true);
        continue;
      }
      expect(ends[row]!).toBeLessThan(outputs.start[at]!);
      ends[row] = outputs.end[at]!;
    }
  }
});

test("moments are those of events and reports", () => {
  const data = tiny();
  const model = atOnce(buildModel(data));
  expect(model.extent).toEqual({ from: 10, to: 50 });
  const seen: number[] = [];
  for (let time: number | null = 0; time !== null; time = nextMoment(model, time, 1))
    seen.push(time);
  expect(seen).toEqual([0, 10, 20, 30, 50]);
  expect(nextMoment(model, 30, -1)).toBe(20);
  expect(nextMoment(model, 10, -1)).toBeNull();
});

test("no data and data without a time make an empty model", () => {
  const none = atOnce(buildModel({ ...tiny(), lanes: [] }));
  expect(none.events.order.length).toBe(0);
  expect(none.extent).toEqual({ from: 0, to: 0 });
  const data = tiny();
  data.events.time.fill(Number.NaN);
  data.outputs.start.fill(Number.NaN);
  expect(atOnce(buildModel(data)).extent).toEqual({ from: 0, to: 0 });
});

function tiny(): TimelineData {
  return {
    types: ["a", "b"],
    lanes: ["k=1", "k=2"],
    events: {
      time: Float64Array.of(20, 10, 30, 20),
      lane: Uint32Array.of(0, 1, 0, 1),
      type: Uint16Array.of(0, 1, 0, 0xffff),
    },
    outputs: {
      kind: Uint8Array.of(1),
      lane: Uint32Array.of(0),
      start: Float64Array.of(20),
      end: Float64Array.of(50),
    },
  };
}
