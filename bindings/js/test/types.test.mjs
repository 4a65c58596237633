// `index.d.ts` declares what there is, and TypeScript takes what its users write.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import * as kleene from "kleene";

const here = fileURLToPath(new URL("..", import.meta.url));
const declared = readFileSync(`${here}/index.d.ts`, "utf8");

test("what is declared is there, and nothing else", () => {
  const functions = [...declared.matchAll(/^export function (\w+)/gm)].map(([, name]) => name);
  const classes = [...declared.matchAll(/^export class (\w+)[^{]*\{([^]*?)^\}/gm)];
  const names = [...functions, ...classes.map(([, name]) => name), "default"];
  assert.deepEqual(Object.keys(kleene).sort(), names.sort());
  for (const [, name, body] of classes) {
    const members = [...body.matchAll(/^ {2}(?:static )?(\w+)\(/gm)].map(([, member]) => member);
    const own = Object.getOwnPropertyNames(kleene[name].prototype);
    const held = Object.getOwnPropertyNames(Object.getPrototypeOf(kleene[name].prototype));
    for (const member of members) {
      const found = kleene[name].prototype[member] ?? kleene[name][member];
      assert.equal(typeof found, "function", `${name}.${member}`);
    }
    if (name !== "KleeneError") {
      const there = [...own, ...held].filter((one) => !one.startsWith("_"));
      const read = there.filter((one) => !members.includes(one) && !body.includes(`readonly ${one}`));
      assert.deepEqual(read, [], `${name} has what is not declared`);
    }
  }
  // The same for browsers, whose file lists the names.
  const browser = readFileSync(`${here}/index.js`, "utf8");
  for (const name of names.filter((name) => name !== "default")) {
    assert.match(browser, new RegExp(`\\b${name}\\b`));
  }
});

const compiler = `${here}/node_modules/typescript/bin/tsc`;

test("TypeScript takes it", { skip: !existsSync(compiler) && "npm ci comes first" }, () => {
  const options = ["--noEmit", "--strict", "--skipLibCheck", "false", "--target", "es2022"];
  const modules = ["--module", "nodenext", "--moduleResolution", "nodenext"];
  const take = (...words) =>
    execFileSync(process.execPath, [compiler, ...options, ...modules, ...words], {
      cwd: here,
      stdio: "inherit",
    });
  take("--lib", "es2022,dom", "test/usage.ts");
  // For Node there may be no types of a browser.
  take("--lib", "es2022", "index.d.ts");
});
