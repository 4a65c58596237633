// Hostile text never breaks the module; what breaks it is contained.

import assert from "node:assert/strict";
import { test } from "node:test";
import { runInNewContext } from "node:vm";

import init, * as kleene from "kleene";
import { Engine, Explorer, KleeneError } from "kleene";

const TEXTS = [
  "",
  "\0",
  "\ud800",
  "a\udc00b",
  "\u{feff}",
  "\u202e\u2066<script>alert(1)</script>",
  '"><img src=x onerror=alert(1)>',
  "x".repeat(1 << 20),
  "\u{1f600}".repeat(1000),
  "(".repeat(100_000),
  "[".repeat(100_000),
  "a.".repeat(100_000),
  "not ".repeat(100_000),
  "rule r { match " + "(".repeat(5000) + "a" + ")".repeat(5000) + " within 1h }",
  "event e { x: " + "list<".repeat(5000) + "int" + ">".repeat(5000) + " }",
  "rule r { match a[" + "-".repeat(20_000) + "1 == x] }",
  "rule r { match a[" + "x + ".repeat(20_000) + "1 == 1] }",
  "`".repeat(1001),
  "event `\0` { `\ud800`: int }",
];

/** What works or throws an error of a kind, but does not break the module. */
function holds(work) {
  try {
    return work();
  } catch (error) {
    assert.ok(error instanceof KleeneError, String(error));
    assert.notEqual(error.kind, "broken", error.message);
    return undefined;
  }
}

test("hostile rules are answered", () => {
  for (const text of TEXTS) {
    const found = kleene.check(text);
    for (const { start, end } of found) {
      assert.ok(start <= end && end <= text.length);
    }
    holds(() => kleene.format(text));
    holds(() => kleene.explain(text, { as: "svg", states: true }));
    holds(() => kleene.test(text));
    holds(() => kleene.explainCode(text));
    for (const offset of [0, 1, text.length >> 1, text.length, text.length + 5]) {
      holds(() => kleene.complete(text, offset));
      holds(() => kleene.hover(text, offset));
    }
    holds(() => new Engine(text).free());
  }
});

const RULES = `event a { ts: time, text: string, .. }
rule r { key text match a{2} within 1h emit { text } }`;

test("hostile events are taken or rejected, one by one", () => {
  const engine = new Engine(RULES);
  const explorer = new Explorer();
  for (const text of TEXTS) {
    const events = [1, 2].map((second) => ({ type: "a", ts: 1000 * second, text, [text]: text }));
    const found = holds(() => kleene.run(RULES, events));
    const plain = text.isWellFormed?.() ?? !/[\ud800-\udfff]/.test(text);
    if (found?.outputs.length === 1 && plain) {
      assert.equal(JSON.parse(found.outputs[0]).emit.text, text);
    }
    holds(() => engine.pushAll(events));
    holds(() => kleene.run(RULES, text));
    holds(() => kleene.infer(text));
    holds(() => kleene.infer(events));
    holds(() => kleene.run(RULES, text, { format: "csv" }));
    holds(() => kleene.why(RULES, events, { key: text }));
    holds(() => {
      explorer.setEvents(events.map((event) => JSON.stringify(event)).join("\n"));
      explorer.start(RULES);
      while (!explorer.step(1).finished);
      for (let index = 0; index < 2; index += 1) {
        explorer.event(index);
        holds(() => explorer.why("r", index));
      }
      explorer.openAt("r", 1500);
      explorer.lanes("r");
    });
  }
  assert.deepEqual(kleene.check(RULES), []);
});

test("bytes of any kind are answered", () => {
  let state = 1;
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 24;
  for (let round = 0; round < 200; round += 1) {
    const bytes = Uint8Array.from({ length: round * 7 }, next);
    if (round % 3 === 0) {
      bytes.set([0x1f, 0x8b, 8].slice(0, bytes.length));
    }
    holds(() => kleene.run(RULES, bytes));
    holds(() => Engine.restore(RULES, bytes));
  }
});

test("bytes that were transferred away, and those of other realms", () => {
  const line = new TextEncoder().encode('{"type":"a","ts":1000,"text":"x"}\n');
  const gone = line.slice();
  structuredClone(gone.buffer, { transfer: [gone.buffer] });
  const calls = [
    () => kleene.run(RULES, gone),
    () => kleene.run(RULES, gone.buffer),
    () => kleene.infer(gone),
    () => new Engine(RULES).pushAll(gone),
    () => new Explorer().setEvents(gone),
    () => Engine.restore(RULES, gone),
  ];
  for (const work of calls) {
    assert.throws(work, (error) => error.kind === "events" && /transferred/.test(error.message));
  }
  const shared = new Uint8Array(new SharedArrayBuffer(line.length));
  shared.set(line);
  const foreign = runInNewContext("(bytes) => new Uint8Array(bytes)")([...line]);
  for (const events of [line, line.buffer, shared, shared.buffer, foreign, Buffer.from(line)]) {
    assert.equal(kleene.run(RULES, events).summary.events, 1);
  }
});

test("too many bytes are refused before the module grows for them", () => {
  const before = kleene.memorySize();
  const many = new Uint8Array(50_000_000);
  const options = { maxBytes: 1_000_000 };
  for (const work of [
    () => kleene.run(RULES, many, options),
    () => new Engine(RULES, options).pushAll(many),
    () => new Explorer().setEvents(many, options),
    () => kleene.run(RULES, new Uint8Array(2 ** 31), { maxBytes: 2 ** 40 }),
  ]) {
    assert.throws(work, (error) => error.kind === "limit");
  }
  assert.ok(kleene.memorySize() < before + many.length);
});

test("odd times and places are refused or bounded", () => {
  const explorer = new Explorer();
  explorer.setEvents('{"type":"a","ts":1000,"text":"x"}');
  explorer.start(RULES);
  while (!explorer.step(1).finished);
  for (const time of [-1e300, 1e300, Infinity, -Infinity, 0.5]) {
    explorer.openAt("r", time);
  }
  for (const wrong of [-1, 0.5, 2 ** 40, Number.NaN, "1"]) {
    assert.throws(() => explorer.event(wrong), KleeneError);
    assert.throws(() => explorer.output("r", wrong), KleeneError);
  }
  assert.throws(() => explorer.outputs("r", 0, 4_000_000_000), KleeneError);
});

test("memory is given back by `free`", () => {
  const events = Array.from({ length: 2000 }, (_, n) => ({ type: "a", ts: n, text: `k${n}` }));
  const round = () => {
    const engine = new Engine(RULES);
    engine.pushAll(events);
    assert.ok(engine.memoryUsage() > 10_000);
    engine.free();
  };
  for (let warm = 0; warm < 20; warm += 1) round();
  const before = kleene.memorySize();
  for (let again = 0; again < 300; again += 1) round();
  assert.ok(kleene.memorySize() <= before + (1 << 20), "it grows");
});

test("partial matches are bounded, and what was dropped is counted", () => {
  const engine = new Engine(RULES, { limits: { partials: 1000 } });
  engine.pushAll(Array.from({ length: 5000 }, (_, n) => ({ type: "a", ts: n, text: `k${n}` })));
  const stats = engine.stats();
  assert.ok(stats.partials <= 1000 && stats.limitsReached > 0, JSON.stringify(stats));
});

// Last: it breaks the module on purpose.
test("a trap breaks the instance for good, and `init` makes a new one", async () => {
  const engine = new Engine(RULES);
  const explorer = new Explorer();
  explorer.setEvents('{"type":"a","ts":1000,"text":"x"}');
  // A call that runs out of stack inside of the module, from as deep as it takes.
  let broken;
  const descend = () => {
    try {
      descend();
    } catch {
      // Further up there is room for more.
    }
    if (broken === undefined) {
      try {
        kleene.check(RULES);
      } catch (error) {
        broken = error.kind === "broken" ? error : undefined;
      }
    }
  };
  descend();
  assert.equal(broken?.kind, "broken", String(broken));
  const calls = [
    () => kleene.check(RULES),
    () => engine.push({ type: "a", ts: 1, text: "x" }),
    () => explorer.start(RULES),
    () => new Engine(RULES),
  ];
  for (const call of calls) {
    assert.throws(call, (error) => error.kind === "broken" && /init/.test(error.message));
  }
  engine.free();
  await init();
  assert.deepEqual(kleene.check(RULES), []);
  // Objects of the instance that broke stay unusable.
  assert.throws(() => explorer.start(RULES), (error) => error.kind === "broken");
  const again = new Engine(RULES);
  assert.equal(again.pushAll([1, 2].map((ts) => ({ type: "a", ts, text: "x" }))).length, 1);
});
