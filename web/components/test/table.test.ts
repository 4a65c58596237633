import { expect, test } from "vitest";
import { shop } from "../demo/shop.ts";
import { outputsOf } from "../demo/table.ts";
import { atOnce } from "../src/common/slices.ts";
import type { Arrangement } from "../src/table/rows.ts";
import { arrange, buildRows, keyOf, kindOf, refOf, rowOf } from "../src/table/rows.ts";

const data = outputsOf(shop(5000, 60));
const rows = atOnce(buildRows(data.rules));
const base: Arrangement = { column: "time", descending: false, text: "", kind: null };
const shown = (how: Partial<Arrangement>) => [...atOnce(arrange(rows, { ...base, ...how }))];

test("rows are the outputs of all rules", () => {
  expect(rows.count).toBe(550);
  for (const row of [0, 499, 500, 549]) expect(rowOf(rows, refOf(rows, row))).toBe(row);
  expect(refOf(rows, 500)).toEqual({ rule: data.rules[1]!.rule, index: 0 });
  expect(rowOf(rows, { rule: "unpaid_order", index: 500 })).toBeNull();
  expect(rowOf(rows, { rule: "other", index: 0 })).toBeNull();
});

test("each column sorts, both ways, and equal rows stay in the order of time", () => {
  const value = {
    time: (row: number) => rows.time[row]!,
    kind: (row: number) => kindOf(rows, row),
    rule: (row: number) => rows.rule[row]!,
    key: (row: number) => keyOf(rows, row),
  };
  for (const column of ["time", "kind", "rule", "key"] as const) {
    const order = shown({ column });
    expect(order.length).toBe(550);
    const of = value[column];
    for (let at = 1; at < order.length; at++) {
      const [a, b] = [order[at - 1]!, order[at]!];
      expect(of(a) <= of(b), `${column} ${at}`).toBe(true);
      if (of(a) === of(b)) expect(rows.time[a]!).toBeLessThanOrEqual(rows.time[b]!);
    }
    expect(shown({ column, descending: true })).toEqual(order.toReversed());
  }
});

test("rows are filtered by key, rule and kind", () => {
  const some = shown({ text: " O-1" });
  expect(some.length).toBeGreaterThan(0);
  expect(some.length).toBeLessThan(550);
  expect(some.every((row) => keyOf(rows, row).includes("o-1"))).toBe(true);
  expect(shown({ text: "UNPAID" }).length).toBe(500);
  const timeouts = shown({ kind: 1 });
  expect(timeouts.every((row) => kindOf(rows, row) === 1)).toBe(true);
  expect(timeouts.length + shown({ kind: 0 }).length).toBe(550);
  expect(shown({ text: "nothing has this" })).toEqual([]);
});

test("no outputs are no rows", () => {
  expect([...atOnce(arrange(atOnce(buildRows([])), base))]).toEqual([]);
});
