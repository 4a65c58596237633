import { expect, test } from "vitest";
import { jsonLines } from "../src/json-lines.ts";

test("lists and objects over many lines become lines, with numbers and texts as they are", () => {
  const same = '{"a":12345678901234567890,"b":[1,{"c":"x, ]}\\""}]}\n{"a":1.50}\n';
  const [one, two] = same.trim().split("\n");
  expect(jsonLines(`[${one}, ${two}]`)).toBe(same);
  expect(jsonLines(` [\n${one},\r\n${two},\n]\n`)).toBe(same);
  expect(jsonLines(`${one}\n${two}`)).toBe(same);
  expect(jsonLines('{\n  "a": 1,\n  "b": " x\t"\n}\n{\n  "a": 2\n}\n')).toBe(
    '{"a":1,"b":" x\t"}\n{"a":2}\n',
  );
});

test("what is no list of objects is left alone", () => {
  const others = [
    "",
    "[",
    "[]",
    "[1,2]",
    "[[1]]",
    '"x"',
    "hello",
    '[{"a":1}',
    '[{"a":1}] x',
    "{}, {}",
    '{"a',
  ];
  for (const text of others) expect(jsonLines(text), text).toBe(null);
});
