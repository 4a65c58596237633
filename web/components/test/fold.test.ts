import { expect, test } from "vitest";
import { matchingLine } from "../src/grammar/fold.ts";
import { ruleFiles } from "./files.ts";

function closing(text: string, number: number): number | null {
  const lines = text.split("\n");
  return matchingLine((at) => lines[at - 1]!, number, lines.length);
}

test("a block folds from the line that opens it to the one that closes it", () => {
  const text = `rule a {  # why
  emit {
    x,
    y
  }
}
list b: string = [
  "1",
]
rule c { match d }
rule e {
}
rule broken {
  match f
`;
  expect([1, 2, 7, 10, 11, 13].map((line) => closing(text, line))).toEqual([
    6,
    5,
    9,
    null,
    null,
    null,
  ]);
});

test("the blocks of all rule files fold, and none over the start of another", () => {
  let folds = 0;
  for (const [path, text] of ruleFiles()) {
    const lines = text.split("\n");
    for (const [at, line] of lines.entries()) {
      const end = closing(text, at + 1);
      if (end === null) continue;
      folds++;
      const inside = lines.slice(at + 1, end - 1);
      const starts = inside.filter((one) => /^(rule|test|event)\b/.test(one));
      expect(starts, `${path}:${at + 1}: ${line}`).toEqual([]);
    }
  }
  expect(folds).toBeGreaterThan(300);
});
