// The blocks of the README run, and print what they say. Blocks marked `browser` are only parsed.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL("..", import.meta.url));
const page = readFileSync(join(here, "README.md"), "utf8");
const blocks = [...page.matchAll(/^```js( browser)?\n([^]*?)^```$/gm)];

test("the README has blocks", () => assert.ok(blocks.length >= 5));

for (const [index, [, browser, code]] of blocks.entries()) {
  test(`block ${index + 1} of the README`, () => {
    // Inside of the package, so that it finds itself by its name.
    const folder = mkdtempSync(join(here, "test/readme-"));
    try {
      const file = join(folder, "block.mjs");
      writeFileSync(file, code);
      if (browser) {
        execFileSync(process.execPath, ["--check", file]);
        return;
      }
      const printed = execFileSync(process.execPath, [file], { encoding: "utf8" });
      const expected = [...code.matchAll(/^\/\/ prints: (.*)$/gm)].map(([, line]) => line);
      assert.ok(expected.length > 0);
      assert.deepEqual(printed.trimEnd().split("\n"), expected);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}
