/** Puts inferred declarations into rules, beside those that are there. */

/** The types that rules declare. */
export function declared(rules: string): Set<string> {
  const found = rules.matchAll(/^\s*event\s+(`[^`\n]+`|\w+)/gm);
  return new Set([...found].map(([, name]) => (name as string).replaceAll("`", "")));
}

/**
 * The rules with those of the inferred declarations on top that they lack, and how many these are.
 * `inferred` is what `kleene infer` prints: blocks that empty lines divide, each a comment and a
 * declaration.
 */
export function withDeclarations(rules: string, inferred: string): { text: string; added: number } {
  const known = declared(rules);
  const missing = inferred.split(/\n\s*\n/).filter((block) => {
    const [name] = declared(block);
    return name !== undefined && !known.has(name);
  });
  if (missing.length === 0) return { text: rules, added: 0 };
  const top = missing.map((block) => block.trim()).join("\n\n");
  return { text: `${top}\n${rules.trim() === "" ? "" : `\n${rules}`}`, added: missing.length };
}

/** The unit of times that inferred declarations ask for: `# To be read with: .. --time-unit s`. */
export function inferredUnit(inferred: string): string | null {
  return /^# To be read with: .*--time-unit (s|us|ns)\b/m.exec(inferred)?.[1] ?? null;
}
