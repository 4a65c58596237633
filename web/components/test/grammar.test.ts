/**
 * The colours of the page are those of the editors: each line of all rule files is read by our reader
 * and by the one of Visual Studio Code, and every character has to get the same scope.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { expect, test } from "vitest";
import oniguruma from "vscode-oniguruma";
import textmate from "vscode-textmate";
import { random } from "../demo/random.ts";
import { CEP, cep, styleOf, tagOf } from "../src/grammar/cep.ts";
import { LineGrammar } from "../src/grammar/textmate.ts";
import { ROOT, ruleFiles } from "./files.ts";

const GRAMMAR = join(ROOT, "editors/vscode/syntaxes/cep.tmLanguage.json");

async function reference(): Promise<textmate.IGrammar> {
  const wasm = createRequire(import.meta.url).resolve("vscode-oniguruma/release/onig.wasm");
  await oniguruma.loadWASM(readFileSync(wasm));
  const registry = new textmate.Registry({
    onigLib: Promise.resolve({
      createOnigScanner: (sources) => new oniguruma.OnigScanner(sources),
      createOnigString: (text) => new oniguruma.OnigString(text),
    }),
    loadGrammar: async () => textmate.parseRawGrammar(readFileSync(GRAMMAR, "utf8"), GRAMMAR),
  });
  const grammar = await registry.loadGrammar("source.cep");
  if (!grammar) throw new Error("the grammar is not read");
  return grammar;
}

/** The scope of each character; blank ones do not matter. */
function spread(line: string, tokens: readonly { start: number; end: number; scope: string }[]) {
  const scopes = new Array<string>(line.length).fill("");
  for (const { start, end, scope } of tokens) scopes.fill(scope, start, end);
  return scopes.map((scope, at) => (line[at]?.trim() ? scope : ""));
}

test("every rule file has the colours that Visual Studio Code gives it", async () => {
  const grammar = await reference();
  let lines = 0;
  for (const [path, text] of ruleFiles()) {
    let stack = textmate.INITIAL;
    for (const [index, line] of text.split(/\r?\n/).entries()) {
      const result = grammar.tokenizeLine(line, stack);
      stack = result.ruleStack;
      const theirs = result.tokens.map((token) => {
        const inner = token.scopes.at(-1) ?? "";
        const scope = inner === "source.cep" ? "" : inner;
        return { start: token.startIndex, end: Math.min(token.endIndex, line.length), scope };
      });
      const ours = spread(line, CEP.tokens(line));
      expect(ours, `${path}:${index + 1}: ${line}`).toEqual(spread(line, theirs));
      lines++;
    }
    expect(stack.depth, `${path}: something stays open behind a line`).toBe(1);
  }
  expect(lines).toBeGreaterThan(2000);
});

test("lines with mistakes have the colours that Visual Studio Code gives them", async () => {
  const grammar = await reference();
  const next = random(3);
  const lines = [...ruleFiles().values()].flatMap((text) => text.split("\n"));
  const odd = ['"', "`", "\\", "{", "]", ".", "..", " ", "#", "$", "->", "event ", "12m", "\u00e4"];
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!;
  for (let round = 0; round < 3000; round++) {
    let line = pick(lines);
    for (let change = 0; change < 3; change++) {
      const at = Math.floor(next() * line.length);
      const cut = Math.floor(next() * 4);
      line = line.slice(0, at) + (next() < 0.6 ? pick(odd) : "") + line.slice(at + cut);
    }
    const theirs = grammar.tokenizeLine(line, textmate.INITIAL).tokens.map((token) => {
      const inner = token.scopes.at(-1) ?? "";
      const scope = inner === "source.cep" ? "" : inner;
      return { start: token.startIndex, end: Math.min(token.endIndex, line.length), scope };
    });
    expect(spread(line, CEP.tokens(line)), line).toEqual(spread(line, theirs));
  }
});

test("every scope of the grammar has a style and a tag", () => {
  for (const scope of CEP.scopes()) {
    expect(styleOf(scope), scope).not.toBeNull();
    expect(tagOf(scope), scope).not.toBeNull();
  }
});

test("the editor's language gives each token the style of its scope", () => {
  const parser = cep().language.parser;
  const wrong: string[] = [];
  for (const [path, text] of ruleFiles()) {
    const tree = parser.parse(text);
    let start = 0;
    for (const line of text.split("\n")) {
      for (const token of CEP.tokens(line)) {
        const { name } = tree.resolve(start + token.start, 1);
        if (name !== styleOf(token.scope))
          wrong.push(`${path}: ${line}: ${token.scope} is ${name}`);
      }
      start += line.length + 1;
    }
  }
  expect(wrong).toEqual([]);
});

test("a grammar with what is not supported is refused, not read in part", () => {
  const empty = { repository: {} };
  expect(() => new LineGrammar({ ...empty, patterns: [{ while: "x" } as object] })).toThrow(
    "while",
  );
  expect(() => new LineGrammar({ ...empty, patterns: [{ include: "#x" }] })).toThrow("#x");
  expect(() => new LineGrammar({ ...empty, patterns: [{ name: "x" }] })).toThrow("nothing");
});

test("odd lines end", () => {
  for (const line of [
    '"',
    '"\\',
    '"abc\\"',
    "`",
    "`a",
    "\u0000",
    "\ud800",
    "# \u202e",
    "a.b.c:1..2",
  ]) {
    const tokens = CEP.tokens(line);
    expect(tokens.every((token) => token.end <= line.length)).toBe(true);
  }
  const began = process.cpuUsage();
  for (const text of ["a ", '"', '"\\u{', "`", "a.", "("]) CEP.tokens(text.repeat(4000));
  expect(process.cpuUsage(began).user / 1000).toBeLessThan(3000);
});
