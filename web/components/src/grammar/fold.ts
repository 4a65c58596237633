/** Lines further away are not looked at: folding is a nicety, and a file may have a million lines. */
const REACH = 2000;

/**
 * The number of the line that closes what a line opens at its end with `{`, `[` or `(`, or `null`.
 * Formatted rules close a block on a line with the same indentation, and strings never begin a line:
 * so the indentation says it, and nothing has to be parsed.
 */
export function matchingLine(
  lineText: (number: number) => string,
  number: number,
  lines: number,
): number | null {
  const text = lineText(number);
  if (!/[{[(]\s*(#.*)?$/.test(text)) return null;
  const indent = text.search(/\S/);
  for (let next = number + 1; next <= Math.min(lines, number + REACH); next++) {
    const line = lineText(next);
    const at = line.search(/\S/);
    if (at < 0 || at > indent) continue;
    return at === indent && /[}\])]/.test(line[at] ?? "") && next > number + 1 ? next : null;
  }
  return null;
}
