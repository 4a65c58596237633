import { expect, test } from "vitest";
import { declared, inferredUnit, withDeclarations } from "../src/declarations.ts";

const INFERRED = `# Inferred from 3 events of data.

# 2 events.
event order { ts: time, id: string }

# 1 event.
event \`rule\` { ts: time }
`;

test("names are those of declarations, with and without back-quotes", () => {
  expect([...declared(`${INFERRED}rule r { match order }\n# event no { }\n`)]).toEqual([
    "order",
    "rule",
  ]);
});

test("only what is missing is added, above the rules", () => {
  expect(withDeclarations("", INFERRED)).toEqual({
    added: 2,
    text: "# 2 events.\nevent order { ts: time, id: string }\n\n# 1 event.\nevent `rule` { ts: time }\n",
  });
  const rules = "event order { ts: time }\n\nrule r { match order }\n";
  expect(withDeclarations(rules, INFERRED)).toEqual({
    added: 1,
    text: `# 1 event.\nevent \`rule\` { ts: time }\n\n${rules}`,
  });
  const all = withDeclarations("", INFERRED).text;
  expect(withDeclarations(all, INFERRED)).toEqual({ added: 0, text: all });
});

test("the unit of times that inferred declarations ask for", () => {
  expect(inferredUnit(INFERRED)).toBe(null);
  expect(inferredUnit(`# x\n# To be read with: kleene run RULES --time-unit s\n`)).toBe("s");
  expect(inferredUnit("event x { a: string }  # --time-unit s")).toBe(null);
});
