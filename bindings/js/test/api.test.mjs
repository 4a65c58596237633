// What `index.d.ts` promises, function by function.

import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

import init, * as kleene from "kleene";
import { Engine, Explorer, KleeneError } from "kleene";

const RULES = `event order_created { order_id: string, amount: float }
event order_paid { order_id: string }

rule unpaid {
  key order_id
  match order_created as created -> not order_paid for 10m
  emit { order_id, amount: created.amount }
}

rule paid {
  key order_id
  match order_created -> order_paid
  within 10m
  on timeout emit { order_id }
}

test unpaid {
  at 0s order_created { order_id: "1", amount: 5.0 }
  advance to 10m
  expect match { order_id: "1" } at 10m
}
`;
const at = (minute) => Date.UTC(2024, 4, 1, 10, minute);
const EVENTS = [
  { type: "order_created", ts: at(0), order_id: "a", amount: 10 },
  { type: "order_created", ts: at(1), order_id: "b", amount: 20.5 },
  { type: "order_paid", ts: at(2), order_id: "b" },
  { type: "nobody", ts: at(3) },
  { type: "order_paid", ts: "soon", order_id: "a" },
  { type: "order_created", ts: at(30), order_id: "c", amount: 1 },
];
const LINES = EVENTS.map((event) => `${JSON.stringify(event)}\n`).join("");

const kindOf = (work) => {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof KleeneError, String(error));
    assert.equal(error.name, "KleeneError");
    assert.notEqual(error.message, "");
    return error.kind;
  }
  assert.fail("it should fail");
};

test("rules are checked, with places as JavaScript counts them", () => {
  assert.deepEqual(kleene.check(RULES), []);
  const text = "# \u{1f600}\nevent paid { at: time }\nrule r { match payd within 1h }";
  const [found] = kleene.check(text);
  assert.equal(found.severity, "error");
  assert.match(found.code, /^E\d{4}$/);
  assert.equal(text.slice(found.start, found.end), "payd");
  assert.deepEqual([found.line, found.column], [3, 16]);
  assert.equal(found.fixes.length, 1);
  const [{ start, end, text: meant }] = found.fixes[0].edits;
  const fixed = text.slice(0, start) + meant + text.slice(end);
  assert.deepEqual(kleene.check(fixed).filter(({ severity }) => severity === "error"), []);
  assert.match(found.rendered, /rules\.cep:3:16/);
  assert.ok(kleene.explainCode(found.code).length > 100);
  assert.equal(kindOf(() => kleene.explainCode("E9999x")), "options");
});

test("files that rules name are given as options", () => {
  const rules = 'use "shop.cep"\nrule twice { key user match paid{2} within 1h }';
  const files = { "shop.cep": "event paid { user: string, at: time }" };
  assert.deepEqual(kleene.check(rules, { files }), []);
  assert.equal(kleene.check(rules)[0].severity, "error");
  const [wrong] = kleene.check(rules, { files: { "shop.cep": "event paid { user: string, at: tim }" } });
  assert.equal(wrong.file ?? wrong.message.includes("shop.cep"), "shop.cep");
});

test("rules are formatted and explained", () => {
  assert.equal(kleene.format("event   a {v:int}"), "event a { v: int }\n");
  assert.equal(kindOf(() => kleene.format("rule r { match a[ }")), "rules");
  assert.match(kleene.explain(RULES), /no `order_paid` for 10m/);
  const svg = kleene.explain(RULES, { rule: "paid", as: "svg", states: true });
  assert.match(svg, /^<svg[^>]*>[^]*data-state="S1"/);
  assert.match(kleene.explain(RULES, { rule: "paid", as: "dot" }), /^digraph/);
  assert.equal(kindOf(() => kleene.explain(RULES, { as: "svg" })), "options");
  assert.equal(kindOf(() => kleene.explain(RULES, { rule: "nil", as: "svg" })), "options");
});

test("an editor is told what can be typed, and what names mean", () => {
  const text = "event \u{e9}\u{1f600} {}\n".replace("\u{e9}\u{1f600}", "paid") +
    "# \u{1f600}\nrule r { match pa";
  const found = kleene.complete(text, text.length).find(({ label }) => label === "paid");
  assert.equal(found.kind, "event");
  assert.deepEqual(found.apply, { start: text.length - 2, end: text.length, text: "paid" });
  const hover = kleene.hover(RULES, RULES.indexOf("order_paid for"));
  assert.equal(RULES.slice(hover.start, hover.end), "order_paid");
  assert.match(hover.markdown, /event order_paid/);
  assert.equal(kleene.hover(RULES, RULES.length), null);
});

test("tests are run, and their events can be shown", () => {
  const report = kleene.test(RULES);
  assert.deepEqual([report.passed, report.failed, report.untested], [1, 0, ["paid"]]);
  assert.equal(RULES.slice(report.tests[0].start, report.tests[0].end), "unpaid");
  const wrong = RULES.replace("at 10m\n", "at 11m\n");
  const [failed] = kleene.test(wrong).tests;
  assert.equal(failed.ok, false);
  const [{ message, rendered, start, end }] = failed.failures;
  assert.match(wrong.slice(start, end), /^expect match/);
  assert.ok(message.length > 0 && rendered.includes("expect match"));
  const { text, advanceTo, rule } = kleene.testEvents(RULES, 0);
  assert.equal(rule, "unpaid");
  assert.equal(kleene.run(RULES, text, { advanceTo }).outputs.length, 2);
  assert.equal(kindOf(() => kleene.testEvents(RULES, 1)), "options");
});

test("declarations are inferred", () => {
  const declared = kleene.infer(LINES);
  assert.match(declared, /event order_created \{/);
  assert.deepEqual(kleene.check(declared).filter(({ severity }) => severity === "error"), []);
  assert.equal(kindOf(() => kleene.infer("")), "events");
});

test("text, bytes, gzip, CSV and objects give the same outputs", () => {
  const lines = kleene.run(RULES, LINES);
  assert.equal(lines.outputs.length, 3);
  const { summary } = lines;
  assert.deepEqual(
    [summary.events, summary.matches, summary.timeouts, summary.rejected, summary.unknown],
    [5, 2, 1, 1, 1],
  );
  assert.equal(summary.stillOpen, 2);
  assert.equal(summary.rejects[0].line, 5);
  assert.deepEqual(summary.unknownTypes, [{ type: "nobody", count: 1 }]);
  const bytes = new TextEncoder().encode(`\u{feff}${LINES}`);
  const csv = "type;ts;order_id;amount\n" +
    EVENTS.map(({ type, ts, order_id = "", amount = "" }) =>
      `${type};${ts};${order_id};${amount}\n`).join("");
  const objects = EVENTS.map((event) =>
    typeof event.ts === "number" ? { ...event, ts: new Date(event.ts) } : event);
  const big = EVENTS.map((event) =>
    typeof event.ts === "number" ? { ...event, ts: BigInt(event.ts) } : event);
  for (const events of [bytes, gzipSync(bytes), csv, EVENTS, objects, big]) {
    assert.deepEqual(kleene.run(RULES, events).outputs, lines.outputs);
  }
  const brief = kleene.run(RULES, LINES, { brief: true, endOfTime: true }).outputs;
  assert.equal(brief[0], "2024-05-01T10:02:00Z  paid  order_id=b");
  assert.match(brief[1], /^2024-05-01T10:10:00Z {2}unpaid {2}order_id=a amount=10/);
});

test("an engine gives the same outputs, however events are batched", () => {
  const expected = kleene.run(RULES, LINES, { endOfTime: true }).outputs.map(JSON.parse);
  const one = new Engine(RULES);
  const found = [...EVENTS.flatMap((event) => one.push(event)), ...one.endTime()];
  assert.deepEqual(found, expected);
  assert.equal(kindOf(() => one.push(EVENTS[0])), "closed");
  assert.deepEqual(one.endTime(), []);
  const all = new Engine(RULES);
  assert.deepEqual([...all.pushAll(EVENTS), ...all.endTime()], expected);
  assert.equal(all.stats().matches, 3);
  assert.deepEqual(all.takeRejects().map(({ line }) => line), [5]);
  assert.deepEqual(all.takeRejects(), []);
  const text = new Engine(RULES);
  assert.deepEqual([...text.pushAll(LINES), ...text.advance(at(60)), ...text.endTime()], expected);
});

test("the end of an input is not the end of time", () => {
  const engine = new Engine(RULES);
  const ofInput = [...engine.pushAll(LINES), ...engine.endInput()];
  const rest = engine.endTime();
  const expected = kleene.run(RULES, LINES, {}).outputs.map(JSON.parse);
  assert.deepEqual(ofInput, expected);
  assert.deepEqual([...ofInput, ...rest], kleene.run(RULES, LINES, { endOfTime: true }).outputs.map(JSON.parse));
  assert.ok(rest.length > 0);
  assert.equal(kindOf(() => engine.endInput()), "closed");
});

test("time moves by `advance`", () => {
  const engine = new Engine(RULES);
  assert.equal(engine.watermark(), null);
  engine.push(EVENTS[0]);
  assert.deepEqual(engine.advance(at(9)), []);
  assert.deepEqual(engine.advance(new Date(at(11))).map(({ rule }) => rule), ["unpaid", "paid"]);
  assert.equal(engine.watermark(), at(11));
  assert.equal(kindOf(() => engine.advance("later")), "options");
  assert.equal(kindOf(() => engine.advance(Number.NaN)), "options");
});

test("an engine goes on from a snapshot, with the same rules or others", () => {
  const engine = new Engine(RULES);
  engine.pushAll(EVENTS.slice(0, 2));
  const bytes = engine.snapshot();
  const rest = EVENTS.slice(2);
  const expected = [...engine.pushAll(rest), ...engine.endTime()];
  const again = Engine.restore(RULES, bytes);
  assert.deepEqual(again.restored.map(({ verdict }) => verdict), ["unchanged", "unchanged"]);
  assert.deepEqual([...again.pushAll(rest), ...again.endTime()], expected);
  const longer = RULES.replace("within 10m", "within 20m");
  const changed = Engine.restore(longer, bytes).restored;
  assert.deepEqual(changed.map(({ verdict, kept }) => [verdict, kept]), [["unchanged", 2], ["kept", 2]]);
  for (const wrong of [bytes.slice(0, -1), new Uint8Array(), new Uint8Array(100)]) {
    assert.equal(kindOf(() => Engine.restore(RULES, wrong)), "snapshot");
  }
});

test("rules are replaced with verdicts, or not at all", () => {
  const engine = new Engine(RULES);
  engine.pushAll(EVENTS.slice(0, 2));
  const before = engine.snapshot();
  assert.equal(kindOf(() => engine.replace("rule {")), "rules");
  assert.deepEqual(engine.snapshot(), before);
  const changed = engine.replace(
    `${RULES.replace("within 10m", "within 20m")}\nrule new { match order_paid{2} within 1h }`,
  );
  assert.deepEqual(
    changed.map(({ rule, verdict }) => `${rule} ${verdict}`),
    ["unpaid unchanged", "paid kept", "new added"],
  );
  assert.ok(changed[1].text.includes("paid: kept"));
  assert.deepEqual(engine.push(EVENTS[2]).map(({ rule }) => rule), ["paid"]);
});

test("a story says why", () => {
  const story = kleene.why(RULES, LINES, { rule: "paid", key: "a", endOfTime: true });
  assert.equal(story.summary.timeouts, 1);
  assert.deepEqual(story.entries.map(({ kind }) => kind), ["event", "unreadable", "time"]);
  assert.equal(story.entries[0].time, at(0));
  assert.equal(story.entries[0].effects[0].fate, "started");
  assert.match(story.text, /paid/);
  assert.equal(kindOf(() => kleene.why(RULES, LINES, { rule: "paid" })), "options");
  assert.equal(kindOf(() => kleene.why(RULES, LINES, { rule: "nil", key: "a" })), "options");
});

test("a limit that ends the stream is an error, and what came before it is given", () => {
  const rules = "event a { at: time }\nrule r { match a{3} within 1h limit 1 partials fail }";
  const engine = new Engine(rules);
  const events = [1, 2, 3, 4, 5].map((second) => ({ type: "a", at: 1000 * second, ts: 1000 * second }));
  assert.equal(kindOf(() => engine.pushAll(events)), "limit");
  assert.equal(kindOf(() => engine.push(events[0])), "limit");
});

test("wrong arguments are refused, and nothing breaks", () => {
  for (const wrong of [undefined, null, 5, {}, []]) {
    assert.equal(kindOf(() => kleene.check(wrong)), "options");
    assert.equal(kindOf(() => new Engine(wrong)), "options");
  }
  assert.equal(kindOf(() => kleene.check(RULES, { nil: 1 })), "options");
  assert.equal(kindOf(() => kleene.check(RULES, "x")), "options");
  assert.equal(kindOf(() => kleene.run(RULES, 5)), "events");
  assert.equal(kindOf(() => kleene.run(RULES, [1])), "events");
  assert.equal(kindOf(() => kleene.run(RULES, "", { timeUnit: "h" })), "options");
  assert.equal(kindOf(() => kleene.run(RULES, "", { outOfOrder: "soon" })), "options");
  assert.equal(kindOf(() => kleene.run(RULES, LINES, { maxBytes: 10 })), "limit");
  assert.equal(kindOf(() => kleene.run(RULES, gzipSync(LINES), { maxBytes: 100 })), "limit");
  assert.equal(kindOf(() => kleene.run(RULES, gzipSync(LINES).subarray(0, 40))), "events");
  const circular = {};
  circular.self = circular;
  assert.equal(kindOf(() => new Engine(RULES).push(circular)), "events");
  assert.deepEqual(kleene.check(RULES), []);
});

test("an option that means nothing is named", () => {
  const refused = (options, pattern, work = () => new Engine(RULES, options)) =>
    assert.throws(work, (error) => error.kind === "options" && pattern.test(error.message));
  refused({ outOfOrder: Number.NaN }, /^outOfOrder: expected a duration .*, not NaN$/);
  refused({ outOfOrder: Infinity }, /^outOfOrder: .*not Infinity$/);
  refused({ outOfOrder: 5n }, /^outOfOrder: .*not bigint$/);
  refused({ limits: 5 }, /^limits: expected an object, not 5$/);
  refused({ limits: { partials: Number.NaN } }, /^limits\.partials: expected a whole number/);
  refused({ limits: { partials: "many" } }, /^limits\.partials: .*not "many"$/);
  refused({ limits: { partial: 1 } }, /unknown field `partial`.*`partialsPerKey`/);
  refused({ strict: "yes" }, /^strict: expected true or false, not "yes"$/);
  refused({ format: "xml" }, /^format: expected "jsonl" or "csv", not "xml"$/);
  refused({ params: { x: Symbol("x") } }, /^params\.x: .*not symbol$/);
  refused({ onMatch() {} }, /^onMatch: .*not function$/);
  refused([], /^options: expected an object, not an array$/);
  refused(new Map([["strict", true]]), /^options: .*not a Map$/);
  const thrower = { get strict() { throw new Error("no luck"); } };
  refused(thrower, /no luck/);
  for (const wrong of [5, "x", thrower]) refused(wrong, /./, () => kleene.run(RULES, [], wrong));
  refused({ key: 5 }, /^key: expected a string or a list/, () => kleene.why(RULES, [], { key: 5 }));
  // What was not given is not there.
  new Engine(RULES, { limits: null, outOfOrder: undefined, strict: null }).free();
});

test("an event that cannot be read names its place, and why", () => {
  const good = EVENTS[0];
  const refused = (event, pattern) =>
    assert.throws(
      () => new Engine(RULES).pushAll([good, event]),
      (error) => error.kind === "events" && pattern.test(error.message),
    );
  refused(null, /not null, at index 1$/);
  refused("{}", /not "{}", at index 1$/);
  refused([good], /not an array, at index 1$/);
  refused({ get ts() { throw new Error("no luck"); } }, /at index 1: no luck$/);
  refused({ get ts() { throw null; } }, /at index 1: null$/);
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  refused(proxy, /at index 1: .*revoked/);
  for (const [events, pattern] of [
    [new Set([good]), /not a Set$/],
    [new Float64Array(2), /not a Float64Array$/],
    [good, /not an object$/],
    [proxy, /revoked$/],
  ]) {
    assert.throws(() => kleene.run(RULES, events), (error) =>
      error.kind === "events" && pattern.test(error.message));
  }
  assert.deepEqual(kleene.check(RULES), []);
});

test("a bigint is a number, also where numbers in quotes are refused", () => {
  const rules = "event a { ts: time, n: int, text: string }\nrule r { match a as x emit { n: x.n } }";
  const event = { type: "a", ts: 1000n, n: -9007199254740993n, text: 'bigint "5", 6' };
  const { outputs, summary } = kleene.run(rules, [event, { ...event, text: 7n }], { strict: true });
  assert.match(outputs[0], /"emit":\{"n":-9007199254740993\}/);
  assert.match(summary.rejects[0].reason, /`text`/);
});

test("reasons name the options of this package", () => {
  const said = (events, options) => {
    try {
      return kleene.run(RULES, events, options).summary.rejects[0].reason;
    } catch (error) {
      assert.equal(error.kind, "events");
      return error.message;
    }
  };
  assert.match(said("kind,ts\norder_paid,5\n"), /`typeField` \(perhaps `kind`\).*`type`/);
  assert.match(said(LINES, { maxLine: 9 }), /\(`maxLine` allows more\)/);
  assert.match(said([{ type: "order_paid", ts: 1e15, order_id: "1" }]), /`timeUnit: "us"`/);
  assert.match(said("type;ts\n", { delimiter: "," }), /`delimiter: ';'`/);
  const explorer = new Explorer();
  explorer.setEvents("kind,ts\norder_paid,5\n");
  explorer.start(RULES);
  assert.throws(() => explorer.step(1), /`typeField`/);
  assert.throws(() => kleene.infer("kind,ts\norder_paid,5\n"), /`typeField`/);
});

test("what was freed is closed", async () => {
  const engine = new Engine(RULES);
  engine.free();
  engine.free();
  assert.equal(kindOf(() => engine.stats()), "closed");
  const explorer = new Explorer();
  explorer[Symbol.dispose ?? Symbol.for("Symbol.dispose")]();
  assert.equal(kindOf(() => explorer.step(1)), "closed");
  await init();
  assert.match(kleene.version(), /^\d+\.\d+\.\d+/);
});
