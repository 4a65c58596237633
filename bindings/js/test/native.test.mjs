// The module answers what the native build answers, byte for byte: the recorded cases that rules can
// say, and all tests of `testdata/suite` and `patterns/`. `KLEENE_NATIVE` is the folder that
// `cargo run --release -p kleene-wasm --example native -- FOLDER` has written.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";

import { Explorer, run, test as runTests } from "kleene";

const folder = process.env.KLEENE_NATIVE;
const lines = (name) =>
  readFileSync(join(folder, name), "utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
const skip = folder ? false : "KLEENE_NATIVE is not set";

test("every run gives the outputs of the native build", { skip }, () => {
  const runs = lines("runs.jsonl");
  assert.ok(runs.length > 2500, `only ${runs.length} runs`);
  for (const { name, rules, events, options, outputs, error } of runs) {
    if (error) {
      assert.throws(() => run(rules, events, options), {
        kind: error.kind,
        message: error.message,
      });
      continue;
    }
    const found = run(rules, events, options).outputs;
    assert.equal(found.map((line) => `${line}\n`).join(""), outputs, name);
  }
});

test("an explorer gives the same outputs, kept or made again", { skip }, () => {
  const explorer = new Explorer();
  for (const { name, rules, events, options, outputs, error } of lines("runs.jsonl")) {
    if (error) {
      continue;
    }
    explorer.setEvents(events, options);
    const { endOfTime, advanceTo, files, name: rulesName } = options;
    explorer.start(rules, { endOfTime, advanceTo, files, name: rulesName });
    while (!explorer.step(3).finished);
    const found = explorer.outputLines(0, explorer.outputCount());
    assert.equal(found.map((line) => `${line}\n`).join(""), outputs, name);
  }
  explorer.free();
});

test("every test has the report of the native build", { skip }, () => {
  const files = lines("tests.jsonl");
  assert.ok(files.length > 50, `only ${files.length} files`);
  for (const { name, rules, options, report } of files) {
    assert.deepEqual(runTests(rules, options), report, name);
    assert.equal(report.failed, 0, name);
  }
});

// A part of the runs goes through the program itself.
test("the program `kleene` prints the same", { skip: skip || !process.env.KLEENE_CLI }, () => {
  const scratch = mkdtempSync(join(tmpdir(), "kleene-"));
  const runs = lines("runs.jsonl").filter(({ options, error }) => options.advanceTo === undefined && !error);
  let count = 0;
  for (const { name, rules, events, options, outputs } of runs) {
    count += 1;
    if (count % 37 !== 0) {
      continue;
    }
    for (const [file, text] of Object.entries(options.files ?? {})) {
      mkdirSync(dirname(join(scratch, file)), { recursive: true });
      writeFileSync(join(scratch, file), text);
    }
    writeFileSync(join(scratch, "rules.cep"), rules);
    const given = ["run", "rules.cep", "--quiet", "--input", "-"];
    if (options.type) {
      given.push("--type", options.type);
    }
    if (options.endOfTime) {
      given.push("--end-of-time");
    }
    const found = execFileSync(process.env.KLEENE_CLI, given, { cwd: scratch, input: events });
    assert.equal(String(found), outputs, name);
  }
  rmSync(scratch, { recursive: true });
});
