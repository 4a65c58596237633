// The package behind `index.js` and `node.js`: it keeps the instance of the module, and makes of
// what crosses its border (text, JSON, typed arrays) what `index.d.ts` promises. What users hand over
// is checked before, in `values.js`.
//
// A call into the module ends in one of three ways. It returns; it throws a text, the JSON of a
// failure that the module foresaw; or it throws anything else: a trap, a panic, a stack that ran
// over. The module may then be in any state, so that it is marked as broken, and nothing of it is
// called again.

import { createGlue } from "./pkg/glue.js";
import {
  bytes, encode, formOf, isList, KleeneError, line, mostBytes, ofBuffer, options, outputs, reasonOf,
  text, whole, wrong,
} from "./values.js";

export { KleeneError };

/** The instance in use. */
let current;

// ---------------------------------------------------------------- the instance

/** True if there is an instance that can be used. */
export function isReady() {
  return current !== undefined && current.broken === undefined;
}

/** Makes an instance of the module, and uses it from then on. */
export function instantiateSync(module) {
  const glue = createGlue();
  adopt(glue, new WebAssembly.Instance(module, glue.imports));
}

/** As `instantiateSync`, for browsers, whose main threads instantiate small modules only. */
export async function instantiate(module) {
  const glue = createGlue();
  adopt(glue, await WebAssembly.instantiate(module, glue.imports));
}

function adopt(glue, instance) {
  const made = { glue, memory: instance.exports.memory, broken: undefined };
  glue.adopt(instance.exports);
  current = made;
}

function instance() {
  if (current === undefined) {
    throw new KleeneError("closed", "the module is not loaded: `await init()` comes first");
  }
  return current;
}

/** Calls into an instance. */
function call(of, work) {
  if (of.broken !== undefined) {
    throw new KleeneError(
      "broken",
      `the module is broken (${of.broken}): \`await init()\` loads it anew, objects of before stay unusable`,
    );
  }
  try {
    return work(of.glue);
  } catch (thrown) {
    throw failure(of, thrown);
  }
}

function failure(of, thrown) {
  if (typeof thrown === "string") {
    const { kind, message, diagnostics } = JSON.parse(thrown);
    return new KleeneError(kind, message, diagnostics);
  }
  of.broken = reasonOf(thrown);
  // What is collected later must not call into it either.
  of.glue.retire();
  const error = new KleeneError(
    "broken",
    `the module broke: ${of.broken}; \`await init()\` loads it anew. Please report this`,
  );
  error.cause = thrown;
  return error;
}

// ---------------------------------------------------------------- functions

export function version() {
  return call(instance(), (glue) => glue.version());
}

export function hasTimeZones() {
  return call(instance(), (glue) => glue.hasTimeZones());
}

export function memorySize() {
  return instance().memory.buffer.byteLength;
}

export function check(rules, given) {
  const [checked, json] = [text("rules", rules), options(given)];
  return JSON.parse(call(instance(), (glue) => glue.check(checked, json)));
}

export function format(rules) {
  const checked = text("rules", rules);
  return call(instance(), (glue) => glue.format(checked));
}

export function explain(rules, given) {
  const [checked, json] = [text("rules", rules), options(given)];
  return call(instance(), (glue) => glue.explain(checked, json));
}

export function explainCode(code) {
  const checked = text("code", code);
  return call(instance(), (glue) => glue.explainCode(checked));
}

export function complete(rules, offset, given) {
  const [checked, at, json] = [text("rules", rules), whole("offset", offset), options(given)];
  return JSON.parse(call(instance(), (glue) => glue.complete(checked, at, json)));
}

export function hover(rules, offset, given) {
  const [checked, at, json] = [text("rules", rules), whole("offset", offset), options(given)];
  return JSON.parse(call(instance(), (glue) => glue.hover(checked, at, json)));
}

export function infer(events, given) {
  const json = options(given, formOf(events));
  const encoded = bytes(events, mostBytes(given));
  return call(instance(), (glue) => glue.infer(encoded, json));
}

export function test(rules, given) {
  const [checked, json] = [text("rules", rules), options(given)];
  return JSON.parse(call(instance(), (glue) => glue.test(checked, json)));
}

export function testEvents(rules, test, given) {
  const [checked, place, json] = [text("rules", rules), whole("test", test), options(given)];
  return JSON.parse(call(instance(), (glue) => glue.testEvents(checked, place, json)));
}

export function run(rules, events, given) {
  const [checked, json] = [text("rules", rules), options(given, formOf(events))];
  const encoded = bytes(events, mostBytes(given));
  const ran = call(instance(), (glue) => glue.run(checked, encoded, json));
  const end = ran.indexOf("\n");
  const lines = ran.slice(end + 1).split("\n");
  lines.pop();
  return { outputs: lines, summary: JSON.parse(ran.slice(0, end)) };
}

export function why(rules, events, given) {
  const [checked, json] = [text("rules", rules), options(given, formOf(events))];
  const encoded = bytes(events, mostBytes(given));
  return JSON.parse(call(instance(), (glue) => glue.why(checked, encoded, json)));
}

// ---------------------------------------------------------------- objects

const dispose = Symbol.dispose ?? Symbol.for("Symbol.dispose");

/** An object of the module. */
class Held {
  #of;
  #raw;

  constructor(make) {
    this.#of = instance();
    this.#raw = call(this.#of, make);
  }

  _call(work) {
    if (this.#raw === undefined) {
      throw new KleeneError("closed", `this ${this.constructor.name} was freed`);
    }
    return call(this.#of, () => work(this.#raw));
  }

  free() {
    const raw = this.#raw;
    this.#raw = undefined;
    if (raw !== undefined && this.#of.broken === undefined) {
      call(this.#of, () => raw.free());
    }
  }

  [dispose]() {
    this.free();
  }
}

/** Says `Engine.restore` to the constructor. */
const RESTORE = Symbol("restore");

export class Engine extends Held {
  #mostBytes;

  constructor(rules, given, snapshot) {
    const [checked, json] = [text("rules", rules), options(given)];
    if (snapshot !== undefined && snapshot?.[RESTORE] === undefined) {
      throw new KleeneError("options", "an engine of a snapshot is made by `Engine.restore`");
    }
    const from = snapshot?.[RESTORE];
    super((glue) =>
      from === undefined
        ? new glue.RawEngine(checked, json)
        : glue.RawEngine.restore(checked, from, json),
    );
    this.#mostBytes = mostBytes(given);
  }

  static restore(rules, snapshot, given) {
    const found = ofBuffer(snapshot);
    if (found === undefined) {
      throw wrong("snapshot", "a Uint8Array", snapshot);
    }
    return new Engine(rules, given, { [RESTORE]: found });
  }

  get restored() {
    return JSON.parse(this._call((raw) => raw.restored()));
  }

  push(event) {
    const encoded = encode(line(event));
    return outputs(this._call((raw) => raw.push(encoded, "jsonl")));
  }

  pushAll(events) {
    const encoded = bytes(events, this.#mostBytes);
    const form = isList(events) ? "jsonl" : "";
    return outputs(this._call((raw) => raw.push(encoded, form)));
  }

  advance(to) {
    const millis = to instanceof Date ? to.getTime() : to;
    if (typeof millis !== "number" || Number.isNaN(millis)) {
      throw new KleeneError("options", "advance: expected a time in milliseconds, or a Date");
    }
    return outputs(this._call((raw) => raw.advance(millis)));
  }

  endInput() {
    return outputs(this._call((raw) => raw.endInput()));
  }

  endTime() {
    return outputs(this._call((raw) => raw.endTime()));
  }

  snapshot() {
    return this._call((raw) => raw.snapshot());
  }

  replace(rules, given) {
    const [checked, json] = [text("rules", rules), options(given)];
    const verdicts = JSON.parse(this._call((raw) => raw.replace(checked, json)));
    if (given?.maxBytes !== undefined) {
      this.#mostBytes = mostBytes(given);
    }
    return verdicts;
  }

  stats() {
    return JSON.parse(this._call((raw) => raw.stats()));
  }

  watermark() {
    return this._call((raw) => raw.watermark()) ?? null;
  }

  takeRejects() {
    return JSON.parse(this._call((raw) => raw.takeRejects()));
  }

  memoryUsage() {
    return this._call((raw) => raw.memoryUsage());
  }
}

export class Explorer extends Held {
  constructor(given) {
    const json = options(given);
    super((glue) => new glue.RawExplorer(json));
  }

  setEvents(events, given) {
    const json = options(given, formOf(events));
    const encoded = bytes(events, mostBytes(given));
    this._call((raw) => raw.setEvents(encoded, json));
  }

  start(rules, given) {
    const [checked, json] = [text("rules", rules), options(given)];
    return JSON.parse(this._call((raw) => raw.start(checked, json)));
  }

  step(maxEvents) {
    const events = whole("maxEvents", maxEvents);
    return JSON.parse(this._call((raw) => raw.step(events)));
  }

  summary() {
    return JSON.parse(this._call((raw) => raw.summary()));
  }

  rules() {
    return JSON.parse(this._call((raw) => raw.rules()));
  }

  types() {
    return JSON.parse(this._call((raw) => raw.types()));
  }

  lanes(rule) {
    const checked = text("rule", rule);
    return JSON.parse(this._call((raw) => raw.lanes(checked)));
  }

  eventColumns(rule) {
    const checked = text("rule", rule);
    return this._call((raw) => {
      raw.eventColumns(checked);
      return { time: raw.takeTime(), lane: raw.takeLane(), type: raw.takeType() };
    });
  }

  outputColumns(rule) {
    const checked = text("rule", rule);
    return this._call((raw) => {
      raw.outputColumns(checked);
      return {
        kind: raw.takeKind(),
        lane: raw.takeLane(),
        start: raw.takeTime(),
        end: raw.takeEnd(),
      };
    });
  }

  event(index) {
    const checked = whole("index", index);
    return JSON.parse(this._call((raw) => raw.event(checked)));
  }

  output(rule, index) {
    return this.outputs(rule, index, 1)[0];
  }

  outputs(rule, from, count) {
    const checked = text("rule", rule);
    const [first, number] = [whole("index", from), whole("count", count)];
    const items = JSON.parse(this._call((raw) => raw.outputs(checked, first, number)));
    return items.map(({ value, count, ...item }) => ({
      ...item,
      key: value.key,
      emit: value.emit,
      ...(count === null ? {} : { count }),
    }));
  }

  outputCount() {
    return this._call((raw) => raw.outputCount());
  }

  outputLines(from, count) {
    const [first, number] = [whole("from", from), whole("count", count)];
    const lines = this._call((raw) => raw.outputLines(first, number)).split("\n");
    lines.pop();
    return lines;
  }

  outputAt(place) {
    const checked = whole("place", place);
    return JSON.parse(this._call((raw) => raw.outputAt(checked)));
  }

  outputsOf(rule, event) {
    const [checked, index] = [text("rule", rule), whole("event", event)];
    return this._call((raw) => raw.outputsOf(checked, index));
  }

  openAt(rule, time, lane, limit = 1000) {
    const checked = text("rule", rule);
    if (typeof time !== "number" || Number.isNaN(time)) {
      throw new KleeneError("options", "openAt: expected a time in milliseconds");
    }
    const of = lane === undefined || lane === null ? undefined : whole("lane", lane);
    const most = whole("limit", limit);
    return JSON.parse(this._call((raw) => raw.openAt(checked, time, of, most)));
  }

  why(rule, event) {
    const [checked, index] = [text("rule", rule), whole("event", event)];
    return JSON.parse(this._call((raw) => raw.why(checked, index)));
  }

  memoryUsage() {
    return this._call((raw) => raw.memoryUsage());
  }
}
