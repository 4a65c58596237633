import { expect, test } from "vitest";
import { formatDuration, formatTime, plural } from "../src/text/time.ts";
import { brief, head, visible } from "../src/text/visible.ts";

test("what cannot be seen is shown", () => {
  const cases: [string, string][] = [
    ["plain, \u00e4\u6f22\u{1f600}", "plain, \u00e4\u6f22\u{1f600}"],
    ["a\u0000b\nc\td\u001b[0m", "a\u2400b\u240ac\u2409d\u241b[0m"],
    ["\u007f\u0085", "\u2421\\u0085"],
    ["\u202egnp.exe\u2066\u200f", "\\u202Egnp.exe\\u2066\\u200F"],
    ["\ud800", "\\uD800"],
    ["\udc00x\ud83d", "\\uDC00x\\uD83D"],
    ["\ufeff\u200b\u2028", "\\uFEFF\\u200B\\u2028"],
    ["<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"],
    ["\u0627\u0644", "\u0627\u0644"],
  ];
  for (const [from, to] of cases) expect(visible(from)).toBe(to);
  expect(visible("a\n\tb\u0000", "keep")).toBe("a\n\tb\u2400");
});

test("a long text is cut, and never within a pair", () => {
  expect(head("abc", 3)).toBe("abc");
  expect(head("ab\u{1f600}", 3)).toBe("ab");
  expect(brief("x".repeat(1_000_000), 10)).toBe(`${"x".repeat(10)}\u2026`);
  expect(brief("short", 10)).toBe("short");
});

test("times and durations are written as rules write them", () => {
  expect(formatTime(Date.UTC(2024, 4, 1, 15, 45, 4))).toBe("2024-05-01 15:45:04");
  expect(formatTime(Date.UTC(2024, 4, 1, 15, 45, 4, 50))).toBe("2024-05-01 15:45:04.050");
  expect(formatTime(Number.NaN)).toBe("no time");
  expect(formatTime(1e300)).toBe("no time");
  const durations: [number, string][] = [
    [0, "0s"],
    [5, "5ms"],
    [1500, "1s500ms"],
    [3_900_000, "1h5m"],
    [86_400_000, "1d"],
    [86_400_001, "1d"],
    [-60_000, "-1m"],
  ];
  for (const [duration, text] of durations) expect(formatDuration(duration)).toBe(text);
  expect(plural(1, "match", "matches")).toBe("1 match");
  expect(plural(12_000, "event")).toBe("12,000 events");
});
