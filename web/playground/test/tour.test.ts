import { check, format, run } from "kleene";
import { expect, test } from "vitest";
import { isDone, reported } from "../src/tour/check.ts";
import { steps } from "../src/tour/steps.ts";

test.each(steps)("$title", ({ rules, solution, events, before, expected }) => {
  for (const text of [rules, solution]) {
    // No key, and no bound in time: the text of the first step says so.
    const found = check(text).filter(({ code }) => code !== "W0001" && code !== "W0004");
    expect(found).toEqual([]);
    expect(format(text)).toBe(text);
  }
  const [first, last] = [rules, solution].map((text) => run(text, events));
  expect(reported(first?.outputs ?? [])).toEqual(before);
  expect(reported(last?.outputs ?? [])).toEqual(expected);
  expect(first?.summary.rejected).toBe(0);
  expect(isDone(first?.outputs ?? [], expected)).toBe(false);
  expect(isDone(last?.outputs ?? [], expected)).toBe(true);
});

test("a step is done by what is reported, whatever the order of fields", () => {
  const line = '{"rule":"r","kind":"match","emit":{"b":[1,2],"a":1}}';
  expect(isDone([line], [{ kind: "match", emit: { a: 1, b: [1, 2] } }])).toBe(true);
  expect(isDone([line], [{ kind: "match", emit: { a: 1, b: [2, 1] } }])).toBe(false);
  expect(isDone([line], [{ kind: "timeout", emit: { a: 1, b: [1, 2] } }])).toBe(false);
  expect(isDone([line, line], [{ kind: "match", emit: { a: 1, b: [1, 2] } }])).toBe(false);
  expect(isDone([], [])).toBe(true);
});
