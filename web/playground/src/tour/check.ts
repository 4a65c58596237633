/** Whether a step of the tour is done: judged by what the rules report. */
import type { Expected } from "./steps.ts";

/** What lines that `kleene run` prints report: their kinds and emits. */
export function reported(lines: readonly string[]): Expected[] {
  return lines.map((line) => {
    const { kind, emit } = JSON.parse(line) as Expected;
    return { kind, emit };
  });
}

/** True if the lines report just what is expected, in this order; fields may come in any order. */
export function isDone(lines: readonly string[], expected: readonly Expected[]): boolean {
  return sorted(reported(lines)) === sorted(expected.map(({ kind, emit }) => ({ kind, emit })));
}

function sorted(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
