/** Makes JSON lines of a JSON list, or of objects that stand over many lines. */

/** Texts, brackets, commas, and what stands between them. White space between them is left out. */
const TOKENS = /"(?:[^"\\]|\\[\s\S])*"?|[[\]{},]|[^"[\]{},\s]+/g;
const DEEPER = new Map([
  ["{", 1],
  ["[", 1],
  ["}", -1],
  ["]", -1],
]);

/**
 * One object a line, or null if the text is no list and no row of objects. Numbers and texts stay as
 * they are written: a parser would round large ones.
 */
export function jsonLines(text: string): string | null {
  const lines: string[] = [];
  // The brackets that are open: at first those around the list, if there is one.
  let [line, depth, outer] = ["", 0, 0];
  for (const [token] of text.matchAll(TOKENS)) {
    const isBetween = depth === outer && token !== "{";
    if (isBetween && !isOfList(token, outer, lines.length)) return null;
    depth += DEEPER.get(token) ?? 0;
    if (isBetween) {
      outer = depth;
      continue;
    }
    line += token;
    if (depth > outer) continue;
    lines.push(line);
    line = "";
  }
  return depth === 0 && line === "" && lines.length > 0 ? `${lines.join("\n")}\n` : null;
}

/** True if a token between objects is the start, a comma, or the end of the list around them. */
function isOfList(token: string, outer: number, lines: number): boolean {
  return outer === 0 ? token === "[" && lines === 0 : token === "," || token === "]";
}
