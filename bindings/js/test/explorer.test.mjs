// The explorer: columns and items say what a plain run says, and any moment of it can be looked at.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Engine, Explorer, KleeneError, run } from "kleene";

const RULES = `event view { user: string, item: string }
event cart { user: string, item: string }
event pay { user: string }

rule funnel {
  key user
  match view as seen -> cart[item == seen.item] as put -> pay
  within 1h
  skip none
  emit { user, item: put.item }
  on timeout emit { user }
}

rule busy {
  key user
  match view{3..5}
  within 10m
}
`;

/** A small generator of numbers: the same ones in each run. */
function dice(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function stream(count, users, late = 0) {
  const next = dice(7);
  const events = [];
  let now = Date.UTC(2024, 0, 1);
  for (let index = 0; index < count; index += 1) {
    now += next(60_000);
    const type = ["view", "view", "cart", "pay"][next(4)];
    const event = { type, ts: now - (late ? next(late) : 0), user: `u${next(users)}` };
    if (type !== "pay") {
      event.item = `i${next(3)}`;
    }
    events.push(event);
  }
  return events;
}
const text = (events) => events.map((event) => `${JSON.stringify(event)}\n`).join("");

function explore(events, options = {}, each = 100) {
  const explorer = new Explorer();
  explorer.setEvents(text(events));
  explorer.start(RULES, options);
  while (!explorer.step(each).finished);
  return explorer;
}

test("columns are those of the events and outputs of a run", () => {
  const events = stream(2000, 20);
  const explorer = explore(events, { endOfTime: true });
  const expected = run(RULES, text(events), { endOfTime: true });
  assert.deepEqual(explorer.outputLines(0, 1e6), expected.outputs);
  assert.equal(explorer.outputCount(), expected.outputs.length);
  assert.deepEqual(explorer.summary(), expected.summary);

  assert.deepEqual(explorer.rules().map(({ name, key }) => [name, key]), [
    ["funnel", ["user"]],
    ["busy", ["user"]],
  ]);
  const types = explorer.types();
  const columns = explorer.eventColumns("funnel");
  const lanes = explorer.lanes("funnel");
  events.forEach((event, index) => {
    assert.equal(columns.time[index], event.ts);
    assert.equal(types[columns.type[index]], event.type);
    assert.equal(lanes[columns.lane[index]], `user=${event.user}`);
  });
  // Lanes are in the order of first events.
  const firsts = [...new Set(events.map(({ user }) => `user=${user}`))];
  assert.deepEqual(lanes, firsts);

  for (const rule of ["funnel", "busy"]) {
    const printed = expected.outputs.map((line) => JSON.parse(line)).filter((o) => o.rule === rule);
    const outputs = explorer.outputColumns(rule);
    assert.equal(outputs.kind.length, printed.length);
    const items = explorer.outputs(rule, 0, printed.length);
    printed.forEach((output, index) => {
      assert.equal(outputs.kind[index] === 1 ? "timeout" : "match", output.kind);
      assert.equal(outputs.start[index], Date.parse(output.start));
      assert.equal(outputs.end[index], Date.parse(output.end));
      assert.equal(explorer.lanes(rule)[outputs.lane[index]], `user=${output.key.user}`);
      const item = items[index];
      assert.deepEqual(JSON.parse(item.json), output);
      assert.deepEqual([item.key, item.emit, item.kind], [output.key, output.emit, output.kind]);
      assert.deepEqual(item.captures.map(({ step }) => step), Object.keys(output.events));
      for (const { step, events: captured } of item.captures) {
        assert.deepEqual(captured.map((at) => events[at].ts), output.events[step].map((e) => Date.parse(e.ts)));
        for (const at of captured) {
          assert.ok(explorer.outputsOf(rule, at).includes(index));
        }
      }
    });
  }
  const place = explorer.outputAt(5);
  assert.equal(explorer.output(place.rule, place.index).json, explorer.outputLines(5, 1)[0]);
});

test("outputs that are not kept as text are made again, the same", () => {
  // The text that is kept has a limit in bytes: big events reach it.
  const big = "x".repeat(40_000);
  const events = stream(1200, 5).map((event) => ({ ...event, item: event.item && event.item + big }));
  const explorer = explore(events, { endOfTime: true });
  const expected = run(RULES, text(events), { endOfTime: true }).outputs;
  const bytes = expected.reduce((sum, line) => sum + line.length, 0);
  assert.ok(bytes > 70 << 20, `only ${bytes} bytes`);
  const count = explorer.outputCount();
  assert.equal(count, expected.length);
  for (let place = 0; place < count; place += 41) {
    assert.equal(explorer.outputLines(place, 1)[0], expected[place]);
  }
  assert.deepEqual(explorer.outputLines(count - 3, 3), expected.slice(-3));
});

test("what is open at a moment is what a plain engine has open then", () => {
  // Alone, so that the engine's count is that of the rule.
  const rules = RULES.slice(0, RULES.indexOf("rule busy"));
  for (const options of [{}, { outOfOrder: "5m" }]) {
    const events = stream(9000, 30, options.outOfOrder ? 300_000 : 0);
    const explorer = explore(events, options);
    const steps = dice(3);
    for (let probe = 0; probe < 25; probe += 1) {
      const at = steps(events.length);
      const time = events[at].ts + steps(90_000);
      let until = 0;
      let newest = Number.NEGATIVE_INFINITY;
      while (until < events.length) {
        newest = Math.max(newest, events[until].ts);
        if (newest > time) {
          break;
        }
        until += 1;
      }
      const plain = new Engine(rules, options);
      plain.pushAll(events.slice(0, until));
      plain.advance(time);
      const found = explorer.openAt("funnel", time, undefined, 1e6);
      assert.equal(found.total, plain.stats().partials, `after ${until} events`);
      // What they wait for is what the engine reports of them: all of them end as timeouts.
      const ends = plain.endTime().map(({ events: of, end }) => [
        ...Object.entries(of).flatMap(([step, all]) => all.map(({ ts }) => `${step} ${Date.parse(ts)}`)),
        Date.parse(end),
      ].join());
      plain.free();
      const open = found.partials.map(({ captures, deadline }) => [
        ...captures.flatMap(({ step, events: of }) => of.map((i) => `${step} ${events[i].ts}`)),
        deadline,
      ].join());
      assert.deepEqual(open.sort(), ends.sort());
      checkPartials(found, events, until, time);
      checkPartials(explorer.openAt("busy", time, undefined, 1e6), events, until, time);
      if (found.partials.length > 0) {
        const { lane } = found.partials[0];
        const ofLane = explorer.openAt("funnel", time, lane);
        assert.deepEqual(ofLane.partials, found.partials.filter((partial) => partial.lane === lane));
      }
    }
    explorer.free();
  }
});

function checkPartials({ total, partials, states }, events, until, time) {
  assert.equal(partials.length, total);
  assert.ok(Object.values(states).reduce((sum, count) => sum + count, 0) >= total);
  for (const partial of partials) {
    assert.ok(partial.waits.length > 0 && partial.states.length > 0);
    assert.ok(partial.deadline > time);
    const captured = partial.captures.flatMap(({ events: of }) => of);
    assert.ok(captured.every((index) => index < until));
    assert.equal(new Set(captured.map((index) => events[index].user)).size, 1);
  }
}

test("events say what became of them", () => {
  const lines = [
    '{"type":"view","ts":1714557600000,"user":"ann","item":"lamp"}',
    "",
    "no json",
    '{"type":"pay","ts":1714557500000,"user":"ann"}',
    '{"type":"nil","ts":1714557600000}',
    '{"type":"pay","ts":1714557700000,"user":"ann"}',
  ];
  const explorer = new Explorer();
  explorer.setEvents(lines.join("\n"));
  explorer.start(RULES);
  while (!explorer.step(1).finished);
  const all = [0, 1, 2, 3, 4].map((index) => explorer.event(index));
  assert.deepEqual(all.map(({ status }) => status), ["ok", "rejected", "late", "unknown", "ok"]);
  assert.deepEqual(all.map(({ line }) => line), [1, 3, 4, 5, 6]);
  assert.deepEqual(all.map(({ text: of }) => of), lines.filter((line) => line !== ""));
  assert.equal(all[0].fields.item, "lamp");
  assert.match(all[2].reason, /late by/);
  assert.match(all[3].reason, /nil/);
  assert.equal(Number.isNaN(explorer.eventColumns("funnel").time[1]), true);
  assert.throws(() => explorer.event(5), KleeneError);
  const story = explorer.why("funnel", 4);
  assert.deepEqual(story.entries.map(({ index }) => index), [0, 2, 4]);
  assert.equal(story.entries[1].kind, "late");
});

test("records of CSV keep their text and lines", () => {
  const csv = 'type;ts;user;item\nview;1714557600000;ann;"a ""b""\nc"\n\ncart;1714557600001;ann;\nview;x;;\n';
  const explorer = new Explorer();
  explorer.setEvents(csv);
  explorer.start(RULES);
  while (!explorer.step(10).finished);
  assert.equal(explorer.event(0).text, 'view;1714557600000;ann;"a ""b""\nc"');
  assert.equal(explorer.event(0).fields.item, 'a "b"\nc');
  assert.equal(explorer.event(1).text, "cart;1714557600001;ann;");
  assert.equal(explorer.event(2).status, "rejected");
});

test("an edit keeps the events, and mistakes keep the run", () => {
  const events = stream(3000, 10);
  const explorer = explore(events);
  const before = explorer.outputCount();
  assert.throws(() => explorer.start("rule {"), (error) => error.kind === "rules");
  assert.equal(explorer.outputCount(), before);
  const edited = RULES.replace("within 1h", "within 2h");
  explorer.start(edited, { endOfTime: true });
  assert.equal(explorer.outputCount(), 0);
  while (!explorer.step(500).finished);
  assert.deepEqual(
    explorer.outputLines(0, 1e6),
    run(edited, text(events), { endOfTime: true }).outputs,
  );
  // Another declaration: they are decoded again.
  const declared = RULES.replace("event pay { user: string }", "event pay { user: string, n: int? }");
  explorer.start(declared);
  while (!explorer.step(500).finished);
  assert.deepEqual(explorer.outputLines(0, 1e6), run(declared, text(events)).outputs);
});

test("events that rules make are told apart", () => {
  const rules = `event hit { ip: string }
rule burst { key ip match hit{2} within 1m emit as bursts { ip } }
rule twice { key ip match bursts{2} within 1h emit { ip } }
`;
  const events = [0, 1, 2, 3].map((second) => ({ type: "hit", ts: 1000 * second, ip: "a" }));
  const explorer = new Explorer();
  explorer.setEvents(text(events));
  explorer.start(rules);
  while (!explorer.step(10).finished);
  const twice = explorer.output("twice", 0);
  assert.deepEqual(twice.captures, [{ step: "bursts", events: [-1, -1] }]);
  assert.equal(explorer.lanes("twice")[twice.lane], "ip=a");
  assert.deepEqual(explorer.outputLines(0, 9), run(rules, text(events)).outputs);
});

test("a rule that explodes is stopped by its limits, and says so", () => {
  const rules = "event a { at: time }\nrule r { match a{1.. any each} -> any a within 1h skip none }";
  const events = Array.from({ length: 400 }, (_, n) => ({ type: "a", ts: n, at: n }));
  const explorer = new Explorer({ limits: { partials: 5000, stepsPerEvent: 20_000, matchesPerSet: 50 } });
  explorer.setEvents(text(events));
  explorer.start(rules, { maxOutputs: 1000 });
  while (!explorer.step(10).finished);
  const summary = explorer.summary();
  assert.ok(summary.limitsReached > 0 && summary.limitNotes.length > 0);
  assert.ok(explorer.outputCount() <= 1000);
  assert.equal(summary.outputsNotKept + explorer.outputCount(), summary.matches);
  assert.ok(explorer.memoryUsage() > 0);
});
