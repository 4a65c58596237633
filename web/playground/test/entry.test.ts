import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";

/** The files and packages that the page waits for before it asks for the module. */
function loadedFirst(file: string, seen = new Set<string>()): Set<string> {
  const text = readFileSync(file, "utf8");
  for (const [, path] of text.matchAll(/^import (?!type )[^"]*"([^"]+)";/gm)) {
    if (path === undefined || seen.has(path)) continue;
    if (!path.startsWith(".")) seen.add(path);
    else {
      const next = join(dirname(file), path);
      if (seen.has(next)) continue;
      seen.add(next);
      loadedFirst(next, seen);
    }
  }
  return seen;
}

// With the editor in it, the first diagnostics came 20 ms later.
test("the module does not wait for the components", () => {
  const first = loadedFirst(join(import.meta.dirname, "../src/main.ts"));
  expect([...first].filter((path) => path.startsWith("kleene-"))).toEqual(["kleene-wasm-file?url"]);
  expect(first.size).toBeGreaterThan(3);
});
