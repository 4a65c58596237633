import { readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "kleene";
import { expect, test } from "vitest";
import { examples, header } from "../scripts/examples.mjs";

const root = join(import.meta.dirname, "../../..");
const all = examples(root);

test("each rule file of patterns/ is an example, with a sentence", () => {
  expect(all.length).toBeGreaterThan(25);
  for (const { sentence, title, field } of all) {
    expect(sentence).toMatch(/^[A-Z].*\.$/);
    expect(title).toMatch(/^[A-Z]/);
    expect(field).not.toBe("");
  }
  const [first] = all.filter(({ id }) => id === "security/login_after_failures");
  expect(first).toMatchObject({
    field: "Security",
    title: "Login after failures",
    events: "examples/data/auth.jsonl",
    settings: { outOfOrder: "5s" },
  });
});

test.each(all)("$id finds something in its data", ({ rules, events, settings }) => {
  const [text, data] = [rules, events].map((path) => readFileSync(join(root, path)));
  const { summary } = run(String(text), new Uint8Array(data as Buffer), settings);
  expect(summary.matches + summary.timeouts).toBeGreaterThan(0);
  expect(summary.rejected + summary.late).toBe(0);
});

test("a file that does not say what the page needs is refused", () => {
  const file = (command: string) => `# A sentence.\n#\n#   ${command}\n\nevent a { ts: time }\n`;
  const command = "kleene run p/a.cep --input examples/data/a.jsonl";
  expect(header("p/a.cep", file(command))).toEqual({
    rules: "p/a.cep",
    sentence: "A sentence.",
    events: "examples/data/a.jsonl",
    settings: {},
  });
  expect(() => header("p/a.cep", file("kleene test p/a.cep"))).toThrow("no sentence");
  expect(() => header("p/b.cep", file(command))).toThrow("another file");
  expect(() => header("p/a.cep", file(`${command} --threads 2`))).toThrow("--threads");
  expect(() => header("p/a.cep", file("kleene run p/a.cep"))).toThrow("no data");
});
