/**
 * The colours of rule text, read from the grammar that the editors use. There is no second grammar:
 * `test/grammar.test.ts` holds the reading of it against another reader.
 */

import type { StringStream } from "@codemirror/language";
import { foldService, LanguageSupport, StreamLanguage } from "@codemirror/language";
import type { Tag } from "@lezer/highlight";
import { tags } from "@lezer/highlight";
import grammarFile from "../../../../editors/vscode/syntaxes/cep.tmLanguage.json";
import { matchingLine } from "./fold.ts";
import type { GrammarFile, ScopedToken } from "./textmate.ts";
import { LineGrammar } from "./textmate.ts";

/** The grammar of rule files. */
export const CEP: LineGrammar = new LineGrammar(grammarFile as GrammarFile);

/** What scopes are called here: the first prefix that fits counts. */
const STYLES: readonly [string, string][] = [
  ["comment", "comment"],
  ["string", "string"],
  ["constant.character.escape", "escape"],
  ["constant.numeric", "number"],
  ["constant.language", "constant"],
  ["keyword.declaration", "declaration"],
  ["keyword.operator.word", "keyword"],
  ["keyword.operator", "operator"],
  ["keyword", "keyword"],
  ["entity.name.type", "eventType"],
  ["entity.name.function", "ruleName"],
  ["support.type", "builtinType"],
  ["support.function", "callee"],
  ["variable.parameter", "parameter"],
  ["variable.language", "constant"],
  ["variable.other.member", "field"],
  ["variable.other.property", "field"],
  ["variable.other.alias", "alias"],
  ["variable", "name"],
  ["punctuation", "mark"],
];

/** The tags of CodeMirror for each style. */
const TAGS: Record<string, Tag> = {
  comment: tags.lineComment,
  string: tags.string,
  escape: tags.escape,
  number: tags.number,
  constant: tags.bool,
  declaration: tags.definitionKeyword,
  keyword: tags.keyword,
  operator: tags.operator,
  eventType: tags.typeName,
  ruleName: tags.definition(tags.variableName),
  builtinType: tags.standard(tags.typeName),
  callee: tags.function(tags.variableName),
  parameter: tags.special(tags.variableName),
  field: tags.propertyName,
  alias: tags.labelName,
  name: tags.variableName,
  mark: tags.punctuation,
};

/** The style of a scope, or `null` if none is known for it. */
export function styleOf(scope: string): string | null {
  return STYLES.find(([prefix]) => scope === prefix || scope.startsWith(`${prefix}.`))?.[1] ?? null;
}

/** The tag of CodeMirror for a scope. */
export function tagOf(scope: string): Tag | null {
  return TAGS[styleOf(scope) ?? ""] ?? null;
}

/** Longer lines are coloured up to here: nobody reads colours so far to the right. */
const COLOURED = 4000;

interface LineState {
  tokens: readonly ScopedToken[];
  next: number;
  /** Brackets that are open. */
  depth: number;
}

function readToken(stream: StringStream, state: LineState): string | null {
  if (stream.sol()) {
    state.tokens = CEP.tokens(stream.string.slice(0, COLOURED));
    state.next = 0;
  }
  while ((state.tokens[state.next]?.end ?? Infinity) <= stream.pos) state.next++;
  const token = state.tokens[state.next];
  if (!token || stream.pos < token.start) {
    stream.pos = Math.min(token?.start ?? stream.string.length, stream.string.length);
    return null;
  }
  stream.pos = token.end;
  state.next++;
  if (token.scope.startsWith("punctuation")) {
    state.depth += depthOf(stream.string.slice(token.start, token.end));
  }
  return styleOf(token.scope);
}

function depthOf(text: string): number {
  let depth = 0;
  for (const character of text) {
    if ("{[(".includes(character)) depth++;
    else if ("}])".includes(character)) depth--;
  }
  return depth;
}

const language = StreamLanguage.define<LineState>({
  name: "cep",
  startState: () => ({ tokens: [], next: 0, depth: 0 }),
  copyState: (state) => ({ ...state }),
  token: readToken,
  indent: (state, textAfter, context) =>
    Math.max(0, state.depth - (/^\s*[}\])]/.test(textAfter) ? 1 : 0)) * context.unit,
  tokenTable: TAGS,
  languageData: {
    commentTokens: { line: "#" },
    closeBrackets: { brackets: ["(", "[", "{", '"', "`"] },
    indentOnInput: /^\s*[}\])]$/,
  },
});

const folding = foldService.of((state, start) => {
  const line = state.doc.lineAt(start);
  const end = matchingLine((number) => lineText(number), line.number, state.doc.lines);
  if (end === null) return null;
  return { from: line.to, to: state.doc.line(end).from + lineText(end).search(/\S/) };

  function lineText(number: number): string {
    return state.doc.line(number).text;
  }
});

/** Rule files as a language of CodeMirror. */
export function cep(): LanguageSupport {
  return new LanguageSupport(language, [folding]);
}
