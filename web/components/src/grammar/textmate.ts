/**
 * Reads a TextMate grammar and colours lines by it. Only what a grammar of single lines needs is
 * supported: `match`, `begin`/`end` that close on the line, `captures` and `include`. Anything else
 * fails when the grammar is read, so that a change of the grammar cannot be ignored silently.
 */

/** The parts of a grammar's JSON that are read. */
export interface GrammarRule {
  include?: string;
  name?: string;
  match?: string;
  begin?: string;
  end?: string;
  captures?: Record<string, { name: string }>;
  patterns?: readonly GrammarRule[];
}

/** The JSON of a grammar. */
export interface GrammarFile {
  patterns: readonly GrammarRule[];
  repository: Record<string, { patterns: readonly GrammarRule[] }>;
}

/** A piece of a line with the innermost scope that it has; pieces without a scope are left out. */
export interface ScopedToken {
  start: number;
  end: number;
  scope: string;
}

interface MatchRule {
  kind: "match";
  regex: Pattern;
  scope: string;
  captures: readonly [number, string][];
}

interface BlockRule {
  kind: "block";
  regex: Pattern;
  end: Pattern;
  scope: string;
  inner: readonly CompiledRule[];
}

type CompiledRule = MatchRule | BlockRule;

const KNOWN = ["include", "name", "match", "begin", "end", "captures", "patterns"];

/** A grammar that is ready to colour lines. */
export class LineGrammar {
  private readonly rules: readonly CompiledRule[];

  constructor(grammar: GrammarFile) {
    this.rules = compileAll(grammar, grammar.patterns);
  }

  /** The tokens of a line, without its end, in order and without overlaps. */
  tokens(text: string): ScopedToken[] {
    const line: Line = { text, isAscii: /^[\0-\x7f]*$/.test(text) };
    const out: ScopedToken[] = [];
    const search = new Search(this.rules, line);
    let at = 0;
    while (at < text.length) {
      const found = search.next(at);
      if (!found) break;
      at = found.rule.kind === "match" ? takeMatch(found, out) : takeBlock(found, line, out);
    }
    return out;
  }

  /** All scopes that tokens can have. */
  scopes(): Set<string> {
    const all = new Set<string>();
    const visit = (rules: readonly CompiledRule[]) => {
      for (const rule of rules) {
        if (rule.scope) all.add(rule.scope);
        if (rule.kind === "block") visit(rule.inner);
        else for (const [, scope] of rule.captures) all.add(scope);
      }
    };
    visit(this.rules);
    return all;
  }
}

interface Found {
  rule: CompiledRule;
  match: RegExpExecArray;
}

/**
 * Finds the next match of several rules. The first match counts, and of those that start at one
 * place the first rule. Where a rule matches next is kept until that lies behind: each rule is
 * searched for once per match, not once per character.
 */
class Search {
  private readonly matches: (RegExpExecArray | null | undefined)[];

  constructor(
    private readonly rules: readonly CompiledRule[],
    private readonly line: Line,
  ) {
    this.matches = rules.map(() => undefined);
  }

  next(at: number): Found | null {
    let best: Found | null = null;
    for (const [index, rule] of this.rules.entries()) {
      let match = this.matches[index];
      if (match === undefined || (match !== null && match.index < at)) {
        match = rule.regex.exec(this.line, at);
        this.matches[index] = match;
      }
      if (match && (!best || match.index < best.match.index)) best = { rule, match };
    }
    return best;
  }
}

function takeMatch(found: Found, out: ScopedToken[]): number {
  const { rule, match } = found as { rule: MatchRule; match: RegExpExecArray };
  const end = match.index + match[0].length;
  let at = match.index;
  for (const [group, scope] of rule.captures) {
    const range = match.indices?.[group];
    if (!range || range[0] < at) continue;
    push(out, at, range[0], rule.scope);
    push(out, range[0], range[1], scope);
    at = range[1];
  }
  push(out, at, end, rule.scope);
  // A match of nothing would never end.
  return Math.max(end, match.index + 1);
}

function takeBlock(found: Found, line: Line, out: ScopedToken[]): number {
  const { rule, match } = found as { rule: BlockRule; match: RegExpExecArray };
  let at = match.index;
  let inside = at + match[0].length;
  for (;;) {
    const end = rule.end.exec(line, inside);
    const stop = end ? end.index : line.text.length;
    const inner = new Search(rule.inner, line).next(inside);
    if (!inner || inner.match.index >= stop) {
      const after = end ? end.index + end[0].length : line.text.length;
      push(out, at, after, rule.scope);
      return Math.max(after, match.index + 1);
    }
    push(out, at, inner.match.index, rule.scope);
    at = takeMatch(inner, out);
    inside = at;
  }
}

function push(out: ScopedToken[], start: number, end: number, scope: string): void {
  if (start < end && scope) out.push({ start, end, scope });
}

function compileAll(grammar: GrammarFile, rules: readonly GrammarRule[]): CompiledRule[] {
  return rules.flatMap((rule) => {
    const odd = Object.keys(rule).find((key) => !KNOWN.includes(key));
    if (odd) throw new Error(`a grammar with \`${odd}\` is not supported`);
    if (rule.include === undefined) return [compile(grammar, rule)];
    const included = grammar.repository[rule.include.replace(/^#/, "")];
    if (!included) throw new Error(`the grammar has no ${rule.include}`);
    return compileAll(grammar, included.patterns);
  });
}

function compile(grammar: GrammarFile, rule: GrammarRule): CompiledRule {
  const scope = rule.name ?? "";
  if (rule.begin !== undefined && rule.end !== undefined) {
    const inner = compileAll(grammar, rule.patterns ?? []);
    if (inner.some((one) => one.kind === "block")) throw new Error("a block within a block");
    return {
      kind: "block",
      regex: new Pattern(rule.begin),
      end: new Pattern(rule.end),
      scope,
      inner,
    };
  }
  if (rule.match === undefined) throw new Error("a rule of the grammar matches nothing");
  const captures = Object.entries(rule.captures ?? {}).map(([group, of]): [number, string] => [
    Number(group),
    of.name,
  ]);
  captures.sort((a, b) => a[0] - b[0]);
  return { kind: "match", regex: new Pattern(rule.match), scope, captures };
}

/** A letter, digit or underscore of any script, as the engine of the editors sees words. */
const WORD = "[\\p{L}\\p{M}\\p{N}\\p{Pc}]";
const BOUNDARY = `(?:(?<=${WORD})(?!${WORD})|(?<!${WORD})(?=${WORD}))`;

/** A line to be coloured. */
interface Line {
  text: string;
  isAscii: boolean;
}

/**
 * A regular expression of the grammar as one of JavaScript, whose words are of ASCII only. Words of
 * any script need classes that take a tenth of a second to compile, for all of the grammar: they are
 * made when the first line comes that is not of ASCII. `d`: places of groups; `g`: search from a
 * place.
 */
class Pattern {
  private readonly narrow: RegExp;
  private wide: RegExp | null = null;

  constructor(private readonly source: string) {
    this.narrow = new RegExp(source, "dg");
  }

  /** The first match from a place on. */
  exec(line: Line, at: number): RegExpExecArray | null {
    if (!line.isAscii) this.wide ??= withWords(this.source);
    const regex = line.isAscii ? this.narrow : (this.wide as RegExp);
    regex.lastIndex = at;
    return regex.exec(line.text);
  }
}

function withWords(source: string): RegExp {
  const words = source.replace(/\\[\s\S]/g, (pair) => {
    if (pair === "\\b") return BOUNDARY;
    return pair === "\\w" ? WORD : pair;
  });
  return new RegExp(words, "dgu");
}
