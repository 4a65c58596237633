// Runs the browser tests one after the other, bounded in time: `node test/browser/main.mjs [--shots]
// [NAMES]`.

import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const words = process.argv.slice(2);
const names = words.filter((word) => !word.startsWith("--"));
const files = (names.length > 0 ? names : ["page", "views", "speed"]).map((name) =>
  join(here, `${name}.test.mjs`),
);
const child = spawn(
  process.execPath,
  ["--test", "--test-concurrency=1", "--test-timeout=240000", "--test-reporter=spec", ...files],
  {
    stdio: "inherit",
    env: { ...process.env, SHOTS: words.includes("--shots") ? "1" : "" },
    // Node's test runner ends its own children; this bounds all of it.
    timeout: 500_000,
  },
);
child.on("exit", (code) => {
  process.exitCode = code ?? 1;
});
