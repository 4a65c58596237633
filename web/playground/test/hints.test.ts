import type { Reject } from "kleene";
import { expect, test } from "vitest";
import { hints, isDocument } from "../src/hints.ts";

const counts = {
  events: 10,
  matches: 0,
  timeouts: 0,
  filtered: 0,
  suppressed: 0,
  late: 0,
  rejected: 0,
  unknown: 0,
  stillOpen: 0,
  rules: [{ rule: "r", matches: 0, timeouts: 0, cost: [] as string[] }],
  rejects: [] as Reject[],
};
const reject = (input: string, line = 1): Reject => ({ line, kind: "rejected", reason: "", input });

test("hints name what to try, and only where it helps", () => {
  const said = (change: Partial<typeof counts>, times?: [number, number]) =>
    hints({ ...counts, ...change }, times).join(" ");
  expect(said({ matches: 1 })).toBe("");
  expect(said({})).toMatch(/Nothing matches.*Why/);
  expect(said({ filtered: 2 })).toMatch(/^2 matches completed, but having/);
  expect(said({ rules: [] })).toMatch(/no rule yet/);
  // Without rules no type is looked for: nothing is said of declarations that may be there.
  expect(said({ rules: [], unknown: 10 })).not.toMatch(/has a declared type|Nothing matches/);
  expect(said({ events: 0 })).toMatch(/^There are no events[^\u201c]*$/);
  expect(said({ events: 0, rejected: 3 })).toMatch(/Statistics/);
  expect(said({ events: 0, rejected: 3, rejects: [reject("[")] })).toMatch(/JSON document/);
  expect(said({ unknown: 10 })).toMatch(/Infer declarations/);
  expect(said({ unknown: 9, matches: 1 })).toBe("");
  expect(said({ late: 1 })).toMatch(/^1 event came .*Late by up to/);
  expect(said({ stillOpen: 2 })).toMatch(
    /^Partial matches are open .*see Open.*Nothing comes after/,
  );
  expect(said({ stillOpen: 2, matches: 1 })).toBe("");
  expect(said({ matches: 1 }, [1_714_554_000, 1_714_554_900])).toMatch(/seconds\?/);
  expect(said({ matches: 1 }, [0, 3_600_000])).toBe("");
  expect(said({ matches: 1 }, [1_714_554_000_000, 1_714_554_900_000])).toBe("");
});

test("a JSON document is told from lines with mistakes", () => {
  expect(isDocument({ rejects: [reject("[{")] })).toBe(true);
  expect(isDocument({ rejects: [reject("{  ")] })).toBe(true);
  expect(isDocument({ rejects: [reject('{"a":')] })).toBe(false);
  expect(isDocument({ rejects: [reject("[", 2)] })).toBe(false);
  expect(isDocument({ rejects: [] })).toBe(false);
});
