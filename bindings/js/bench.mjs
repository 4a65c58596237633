// What the module costs beside the native build: `node bindings/js/bench.mjs [PAIRS]`.
//
// It needs `build --bench` and `cargo build --release -p kleene-wasm --example speed`. Each pair is a
// run of both over the same records, one after the other; the ratio is the median over the pairs. In
// the module, building the engine is part of a run. Last come the sizes, and what an edit of rules
// costs in an explorer, decoding included and not.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const here = fileURLToPath(new URL(".", import.meta.url));
const pairs = Number(process.argv[2] ?? 7);
const EVENTS = 200_000;
const RUNS = 3;

const target = process.env.CARGO_TARGET_DIR ?? `${here}/../../target`;
const native = `${target}/release/examples/speed`;
const median = (all) => all.sort((a, b) => a - b)[all.length >> 1];
const least = (work) => {
  let best = Infinity;
  for (let run = 0; run < RUNS; run += 1) {
    const began = performance.now();
    work();
    best = Math.min(best, performance.now() - began);
  }
  return best;
};

/** Speed beside the native build. */
async function compare() {
  const { createGlue } = await import("./pkg-bench/glue.js");
  const glue = createGlue();
  const module = new WebAssembly.Module(readFileSync(`${here}/pkg-bench/kleene_bg.wasm`));
  glue.adopt(new WebAssembly.Instance(module, glue.imports).exports);
  for (const id of ["W1", "W2", "W3"]) {
    const bench = glue.Bench.of(id, EVENTS);
    let outputs = bench.run();
    const ratios = [];
    const speeds = [];
    for (let pair = 0; pair < pairs; pair += 1) {
      const of = JSON.parse(execFileSync(native, [id, String(EVENTS), String(RUNS)]));
      const millis = least(() => {
        outputs = bench.run();
      });
      if (outputs !== of.outputs || bench.events() !== of.events) {
        throw new Error(`${id}: ${outputs} outputs, natively ${of.outputs}`);
      }
      ratios.push(of.nanos / 1e6 / millis);
      speeds.push(of.events / millis / 1000);
    }
    const [ratio, speed] = [median(ratios), median(speeds)];
    console.log(`${id}: ${speed.toFixed(2)} M events/s in Node, ${ratio.toFixed(2)} of native`);
  }
}

if (existsSync(`${here}/pkg-bench/glue.js`) && existsSync(native)) {
  await compare();
} else {
  console.log("skipped: speed beside the native build, as one of the two is not built");
}
if (existsSync(`${here}/pkg/kleene_bg.wasm`)) {
  const wasm = readFileSync(`${here}/pkg/kleene_bg.wasm`);
  const packed = gzipSync(wasm, { level: 9 }).length;
  console.log(`module: ${wasm.length} bytes, ${packed} packed`);
  const { Explorer } = await import("./node.js");
  const rules = (within) => `event created { order_id: string, amount: float }
event paid { order_id: string }
rule unpaid { key order_id match created as c -> not paid for ${within} emit { amount: c.amount } }
rule fast { key order_id match created -> paid within ${within} on timeout emit { order_id } }`;
  for (const count of [10_000, 200_000]) {
    let lines = "";
    for (let index = 0; index < count; index += 1) {
      const created = index % 2 === 0 || index % 7 === 0;
      const event = { type: created ? "created" : "paid", ts: 1_714_557_600_000 + 500 * index };
      event.order_id = `o-${index >> 1}`;
      if (created) event.amount = index / 4;
      lines += `${JSON.stringify(event)}\n`;
    }
    const explorer = new Explorer();
    const run = (within) => {
      const began = performance.now();
      explorer.start(rules(within));
      while (!explorer.step(20_000).finished);
      explorer.summary();
      for (const rule of ["unpaid", "fast"]) {
        explorer.eventColumns(rule);
        explorer.outputColumns(rule);
      }
      return performance.now() - began;
    };
    explorer.setEvents(lines);
    const first = run("9m");
    const edit = Math.min(run("8m"), run("7m"), run("6m"));
    const began = performance.now();
    explorer.openAt("fast", 1_714_557_600_000 + 400 * count);
    const open = performance.now() - began;
    console.log(
      `explorer, ${count} events: ${first.toFixed(0)} ms the first time, ${edit.toFixed(0)} ms an ` +
        `edit, ${open.toFixed(0)} ms what is open at a moment`,
    );
    explorer.free();
  }
}
