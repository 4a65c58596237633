import { expect, test } from "vitest";
import { hints } from "../src/hints.ts";

const counts = {
  events: 10,
  matches: 0,
  timeouts: 0,
  late: 0,
  rejected: 0,
  unknown: 0,
  stillOpen: 0,
  rules: [{ rule: "r", matches: 0, timeouts: 0, cost: [] }],
};

test("hints name what to try, and only where it helps", () => {
  const said = (change: Partial<typeof counts>) => hints({ ...counts, ...change }).join(" ");
  expect(said({})).toBe("");
  expect(said({ rules: [] })).toMatch(/no rule yet/);
  expect(said({ events: 0 })).toMatch(/no events/);
  expect(said({ events: 0, rejected: 3 })).toMatch(/Statistics/);
  expect(said({ unknown: 10 })).toMatch(/Infer declarations/);
  expect(said({ unknown: 9 })).toBe("");
  expect(said({ late: 1 })).toMatch(/^1 event came .*Late by up to/);
  expect(said({ stillOpen: 2 })).toMatch(/^2 partial matches wait .*Nothing comes after/);
  expect(said({ stillOpen: 2, matches: 1 })).toBe("");
});
