import { expect, test } from "vitest";
import { shop } from "../demo/shop.ts";
import { atOnce } from "../src/common/slices.ts";
import { cursorIn } from "../src/timeline/cursor.ts";
import { findLane } from "../src/timeline/finder.ts";
import { hitAt } from "../src/timeline/hit.ts";
import { moveOf } from "../src/timeline/keyboard.ts";
import { commandOf } from "../src/timeline/keys.ts";
import { COLUMN, dotY, layoutOf, spanY } from "../src/timeline/layout.ts";
import { laneMarks } from "../src/timeline/marks.ts";
import { buildModel } from "../src/timeline/model.ts";
import { commonField, withoutPrefix } from "../src/timeline/names.ts";
import { openMarks } from "../src/timeline/open.ts";
import { signText } from "../src/timeline/paint-spans.ts";
import { limitsOf, TimeScale, tickLabel } from "../src/timeline/scale.ts";
import { kept } from "../src/timeline/scene.ts";
import { laneSpans } from "../src/timeline/spans.ts";
import type { Cursor, View } from "../src/timeline/view.ts";
import { cursorWords } from "../src/timeline/words.ts";

function viewOf(events: number, lanes: number, from?: number, to?: number): View {
  const model = atOnce(buildModel(shop(events, lanes)));
  const limits = limitsOf(model.extent);
  return {
    model,
    layout: layoutOf(model),
    limits,
    scale: new TimeScale(from ?? limits.from, to ?? limits.to, 1000).within(limits),
    height: 400,
    scroll: 0,
    time: model.extent.to,
    selection: { event: null, output: null, events: [] },
    open: new Map(),
    cursor: null,
  };
}

const marksOf = (view: View, lane: number) =>
  laneMarks(view.model.events, lane, view.scale, view.layout.dotRows, view.model.extent.from);

test("every event in view is in one dot or one bar, however far one zooms", () => {
  const view = viewOf(20_000, 4);
  for (let factor = 1; factor > 1e-6; factor /= 7) {
    const scale = view.scale.zoom(factor, 333, view.limits);
    for (let lane = 0; lane < 4; lane++) {
      const { dots, bars } = marksOf({ ...view, scale }, lane);
      const drawn = [
        ...dots.map((dot) => [dot.position, dot.position + 1] as const),
        ...bars.map((bar) => [bar.first, bar.last] as const),
      ].sort((a, b) => a[0] - b[0]);
      for (let at = 1; at < drawn.length; at++) expect(drawn[at]![0]).toBe(drawn[at - 1]![1]);
      const inView = [...view.model.events.times.keys()].filter((position) => {
        const time = view.model.events.times[position]!;
        const { starts } = view.model.events;
        const isHere = position >= starts[lane]! && position < starts[lane + 1]!;
        return isHere && time >= scale.from && time <= scale.to;
      });
      if (inView.length === 0) continue;
      expect(drawn[0]![0]).toBeLessThanOrEqual(inView[0]!);
      expect(drawn.at(-1)![1]).toBeGreaterThan(inView.at(-1)!);
      for (const bar of bars) {
        expect(bar.parts.reduce((sum, part) => sum + part.count, 0)).toBe(bar.last - bar.first);
      }
    }
  }
});

test("what is drawn is bounded by the width, not by the data", () => {
  const view = viewOf(300_000, 1);
  const { dots, bars } = marksOf(view, 0);
  expect(dots.length + bars.length).toBeLessThan((1000 / COLUMN) * 4);
  const { spans, signs } = laneSpans(view.model.outputs, 0, view.scale);
  expect(spans.length).toBeLessThan(1000);
  expect(signs.length).toBeLessThan(60);
  const shown = spans.reduce((sum, span) => sum + span.count, 0);
  const hidden = signs.reduce((sum, sign) => sum + sign.count, 0);
  expect(shown + hidden).toBe(30_000);
});

test("spans that began before the view are found", () => {
  const view = viewOf(2000, 1);
  const { outputs } = view.model;
  const long = outputs.end.findIndex((end, at) => end - outputs.start[at]! > 3_600_000);
  const middle = (outputs.start[long]! + outputs.end[long]!) / 2;
  const scale = new TimeScale(middle, middle + 1000, 1000);
  const { spans, signs } = laneSpans(outputs, 0, scale);
  const expected = [...outputs.start.keys()].filter(
    (at) => outputs.start[at]! <= scale.to && outputs.end[at]! >= scale.from,
  );
  const found =
    spans.reduce((sum, span) => sum + span.count, 0) +
    signs.reduce((sum, sign) => sum + sign.count, 0);
  expect(found).toBe(expected.length);
  expect(expected).toContain(long);
});

test("what is drawn is found under the pointer", () => {
  const view = viewOf(300, 3);
  let dots = 0;
  for (let lane = 0; lane < 3; lane++) {
    const top = lane * view.layout.height;
    for (const dot of marksOf(view, lane).dots) {
      const hit = hitAt(view, dot.x, top + dotY(view.layout, dot.row));
      expect(hit).toMatchObject({ kind: "event", lane });
      expect(hit?.positions).toContain(dot.position);
      dots++;
    }
    for (const span of laneSpans(view.model.outputs, lane, view.scale).spans) {
      const hit = hitAt(view, (span.x + span.end) / 2, top + spanY(view.layout, span.row) + 2);
      expect(hit).toMatchObject({ kind: "output", lane });
    }
  }
  expect(dots).toBeGreaterThan(100);
  expect(hitAt(view, 10, 10_000)).toBeNull();
  expect(hitAt(view, 10, -1)).toBeNull();
});

test("five events of one instant can each be chosen", () => {
  const view = viewOf(300, 8);
  const { events } = view.model;
  const [first] = [...events.times.keys()].filter(
    (at) => events.times[at] === events.times[at + 4] && at + 4 < events.starts[1]!,
  );
  const time = events.times[first!]!;
  const narrow = { ...view, scale: new TimeScale(time - 10, time + 10, 1000) };
  const { bars } = marksOf(narrow, 0);
  expect(bars).toHaveLength(1);
  const y = dotY(view.layout, 0);
  expect(hitAt(narrow, bars[0]!.x + 2, y)?.positions).toHaveLength(5);
});

test("with few lanes there is room for each of them", () => {
  const view = viewOf(300, 3);
  const rows = marksOf(view, 0).dots.map((dot) => dot.row);
  expect(Math.max(...rows)).toBeGreaterThan(2);
  expect(Math.max(...rows)).toBeLessThan(view.layout.dotRows);
});

test("zooming keeps the place under the pointer, and stays within the data", () => {
  const limits = { from: 0, to: 10_000 };
  const scale = new TimeScale(0, 10_000, 500);
  const zoomed = scale.zoom(0.5, 100, limits);
  expect(zoomed.time(100)).toBeCloseTo(2000);
  expect(zoomed.to - zoomed.from).toBeCloseTo(5000);
  expect(zoomed.zoom(1e9, 3, limits)).toMatchObject({ from: 0, to: 10_000 });
  expect(zoomed.zoom(1e-9, 3, limits).to - zoomed.zoom(1e-9, 3, limits).from).toBeCloseTo(20);
  expect(zoomed.pan(1e9, limits).to).toBeCloseTo(10_000);
  expect(zoomed.pan(-1e9, limits).from).toBeCloseTo(0);
  const shown = zoomed.showing(9900, limits);
  expect(shown.x(9900)).toBeGreaterThan(0);
  expect(shown.x(9900)).toBeLessThanOrEqual(500);
});

test("an axis has sensible ticks from milliseconds to centuries, and says the day", () => {
  for (const span of [20, 1000, 60_000, 3.6e6, 8.64e7, 3e9, 3e10, 3e12]) {
    const from = Date.UTC(2024, 4, 1, 10, 3, 7);
    const ticks = new TimeScale(from, from + span, 800).ticks();
    expect(ticks.length, `${span}`).toBeGreaterThan(1);
    expect(ticks.length, `${span}`).toBeLessThan(14);
    expect(new Set(ticks.map((tick) => tick.label)).size, `${span}`).toBe(ticks.length);
    if (span < 1e10) expect(ticks.some((tick) => /^[A-Z][a-z]{2} \d/.test(tick.label))).toBe(true);
  }
  expect(tickLabel(new Date(Date.UTC(2024, 4, 1, 10, 3, 7, 250)), 250)).toBe("10:03:07.250");
  expect(tickLabel(new Date(Date.UTC(2024, 0, 1)), 3e10)).toBe("2024");
});

test("keys move the cursor through events, outputs and lanes", () => {
  const view = viewOf(300, 3);
  const start: Cursor = { lane: 0, kind: "event", position: 0 };
  const press = (cursor: Cursor, key: string, more: Partial<KeyboardEvent> = {}) => {
    const none = { altKey: false, metaKey: false, ctrlKey: false, shiftKey: false };
    const command = commandOf({ key, ...none, ...more } as KeyboardEvent);
    return (command && moveOf(command, view, cursor)) ?? cursor;
  };
  expect(press(start, "ArrowRight").position).toBe(1);
  expect(press(start, "ArrowLeft").position).toBe(0);
  const last = view.model.events.starts[1]! - 1;
  expect(press(start, "End").position).toBe(last);
  expect(press(press(start, "End"), "ArrowRight").position).toBe(last);
  expect(press(start, "ArrowDown").lane).toBe(1);
  expect(press(start, "ArrowUp").lane).toBe(0);
  expect(press(start, "End", { ctrlKey: true }).lane).toBe(2);
  const output = press(start, "n");
  expect(output).toMatchObject({ kind: "output", lane: 0 });
  expect(press(output, "n").position).toBe(output.position! + 1);
  expect(press(output, "e").kind).toBe("event");
  expect(cursorWords(view.model, start)).toMatch(
    /^[a-z_]+, 2024-05-01 .*; event 1 of \d+ of order_id=o-1$/,
  );
  expect(press(start, "a")).toBe(start);
  expect(press(start, "+", { ctrlKey: true })).toBe(start);
});

test("a lane without events has a cursor too", () => {
  const view = viewOf(0, 2);
  const cursor: Cursor = { lane: 0, kind: "event", position: null };
  expect(moveOf({ do: "step", by: 1 }, view, cursor)).toEqual(cursor);
  expect(moveOf({ do: "lane", by: 1 }, view, cursor)).toMatchObject({ lane: 1, position: null });
  expect(cursorWords(view.model, cursor)).toBe("order_id=o-1: no events");
});

test("names that begin alike are cut", () => {
  expect(commonField(["user=ann", "user=bob"])).toBe("user=");
  expect(commonField(["user=ann", "ip=1"])).toBe("");
  expect(commonField([])).toBe("");
  expect(commonField(["ann", "bob"])).toBe("");
  expect(withoutPrefix("user=ann", "user=")).toBe("ann");
  expect(withoutPrefix("ip=1", "user=")).toBe("ip=1");
});

test("lanes are found by name, from where one is, and round again", () => {
  const lanes = ["k=Ann", "k=bob", "k=anna", "x".repeat(2000)];
  expect(findLane(lanes, "ann", -1)).toBe(0);
  expect(findLane(lanes, " ANN ", 0)).toBe(2);
  expect(findLane(lanes, "ann", 2)).toBe(0);
  expect(findLane(lanes, "zoe", 0)).toBeNull();
  expect(findLane(lanes, "", 0)).toBeNull();
  expect(findLane([], "a", 0)).toBeNull();
});

test("the cursor stays in its lane when data change", () => {
  const model = atOnce(buildModel(shop(300, 3)));
  const cursor: Cursor = { lane: 2, kind: "event", position: 250 };
  const time = model.events.times[250]!;
  expect(cursorIn(model, cursor, time)).toEqual({ ...cursor, position: 250 });
  const fewer = atOnce(buildModel(shop(300, 2)));
  expect(cursorIn(fewer, cursor, time)?.lane).toBe(1);
  expect(cursorIn(atOnce(buildModel({ ...shop(0, 0), lanes: [] })), cursor, time)).toBeNull();
});

test("partial matches are open since their first event", () => {
  const { model } = viewOf(300, 3);
  const { time } = model.data.events;
  const open = (lane: number, events: number[], deadline: number | null) => ({
    lane,
    captures: [{ step: "a", events }],
    states: [],
    waits: "",
    deadline,
  });
  const marks = openMarks(model, [
    open(1, [40, 20], 99),
    open(1, [-1, 30], null),
    // Nothing is known of events that a rule made, and of one without a time.
    open(2, [-1], null),
    open(2, [16], null),
  ]);
  expect([...marks]).toEqual([
    [
      1,
      [
        { from: Math.min(time[20]!, time[40]!), deadline: 99 },
        { from: time[30]!, deadline: null },
      ],
    ],
  ]);
});

test("other data keep what was seen, but for who saw all of it", () => {
  const before = viewOf(300, 3);
  const { model } = viewOf(600, 3);
  const later = { from: before.model.extent.from, to: before.model.extent.to + 1e9 };
  const grown = { ...model, extent: later };
  const limits = limitsOf(later);
  expect(kept(before, grown, limits)).toEqual({ range: limits, time: later.to });
  expect(kept(null, grown, limits)).toEqual({ range: limits, time: later.to });
  const near = {
    ...before,
    scale: before.scale.zoom(0.5, 10, before.limits),
    time: later.from + 7,
  };
  expect(kept(near, grown, limits)).toEqual({ range: near.scale, time: later.from + 7 });
  const past = { ...near, time: 5 };
  expect(kept(past, grown, limits).time).toBe(later.from);
  expect(kept(viewOf(0, 3), grown, limits).range).toEqual(limits);
});

test("signs are short", () => {
  expect([3, 999, 1000, 12_345, 7_000_000].map(signText)).toEqual([
    "+3",
    "+999",
    "+1k",
    "+12k",
    "+7M",
  ]);
});
