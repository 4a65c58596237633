/** The worker that runs rules over events: the one `Explorer` of the page. */
import initialize, { Explorer, type InputOptions, infer, type OutputItem } from "kleene";
import { jsonLines } from "../json-lines.ts";
import { breathe, StepSize, sample, wholeLines } from "./chunk.ts";
import type { EngineCalls, OutputRef, RuleColumns, RunDone } from "./protocol.ts";
import { CallError, type Port, serve, Transferred } from "./rpc.ts";

/** How much of the events is looked at for declarations. */
const SAMPLE = 4 * 1024 * 1024;
/** Characters of the short texts of events and emits. */
const SHORT = 200;

let explorer: Explorer;
let source: string | Blob = "";
let input: InputOptions = {};
/** Counts the calls that end a run: a run goes on only while it is the newest. */
let turn = 0;
/** Counts what was loaded, of which the newest is kept. A run waits for it. */
let loads = 0;
let loading: Promise<void> = Promise.resolve();

serve<EngineCalls>(globalThis as unknown as Port, {
  async init([module]) {
    await initialize(module);
    explorer = new Explorer();
    explorer.setEvents("");
  },
  async load([events, options]) {
    turn += 1;
    const mine = ++loads;
    loading = take(events, options, mine);
    await loading;
  },
  run: ([rules, options, shown], progress) => run(rules, options, shown, progress),
  cancel() {
    turn += 1;
  },
  columns: ([rule]) => handedOver(columns(rule)),
  outputs: ([rule]) => ({ lanes: explorer.lanes(rule), outputs: explorer.outputColumns(rule) }),
  event: ([index]) => explorer.event(index),
  describe: ([events]) => events.map(short),
  output: ([rule, index]) => explorer.output(rule, index),
  emits: ([outputs]) => outputs.map(({ rule, index }) => emitted(explorer.output(rule, index))),
  outputsOf: ([event, limit]) => outputsOf(event, limit),
  openAt: ([rule, time, limit]) => explorer.openAt(rule, time, undefined, limit),
  why: ([rule, event]) => explorer.why(rule, event),
  lines: ([from, count]) => ({
    lines: explorer.outputLines(from, count),
    total: explorer.outputCount(),
  }),
  linesFile() {
    const parts: string[] = [];
    let from = 0;
    do {
      // Limits that were reached have lines, too, also without an output.
      parts.push(...explorer.outputLines(from, 10_000).map((line) => `${line}\n`));
      from += 10_000;
    } while (from < explorer.outputCount());
    return new Blob(parts, { type: "application/x-ndjson" });
  },
  async infer() {
    await loading;
    if (typeof source === "string") return infer(source, input);
    const bytes = await sample(source, SAMPLE);
    return infer(bytes.length < SAMPLE ? bytes : wholeLines(bytes), input);
  },
  async jsonLines() {
    await loading;
    return jsonLines(typeof source === "string" ? source : await source.text());
  },
  async head([lines]) {
    await loading;
    const text =
      typeof source === "string"
        ? source.slice(0, 64 * 1024)
        : new TextDecoder().decode(await sample(source, 64 * 1024));
    return text.split(/\r?\n/, lines);
  },
});

async function take(events: string | Blob, options: InputOptions, mine: number): Promise<void> {
  const data = typeof events === "string" ? events : new Uint8Array(await events.arrayBuffer());
  if (mine !== loads) throw cancelled();
  [source, input] = [events, options];
  explorer.setEvents(data, options);
}

async function run(
  rules: string,
  options: Parameters<EngineCalls["run"]>[1],
  shown: string | null,
  progress: (value: unknown) => void,
): Promise<Transferred<RunDone>> {
  const mine = ++turn;
  // Without events the reason why there are none is that of the run, too.
  await loading;
  if (mine !== turn) throw cancelled();
  const warnings = explorer.start(rules, options);
  const size = new StepSize();
  let [took, reported] = [0, performance.now()];
  for (;;) {
    const began = performance.now();
    const { done, total, finished } = explorer.step(size.count);
    const now = performance.now();
    took += now - began;
    if (finished) break;
    size.took(now - began);
    if (now - reported > 50) {
      progress({ done, total });
      reported = now;
    }
    await breathe();
    if (mine !== turn) throw cancelled();
  }
  const list = explorer.rules();
  const rule = list.find(({ name }) => name === shown) ?? list[0];
  const found = rule ? columns(rule.name) : null;
  const done: RunDone = {
    warnings,
    summary: explorer.summary(),
    rules: list,
    outputs: explorer.outputCount(),
    columns: found,
    took,
  };
  return new Transferred(done, found ? buffers(found) : []);
}

function cancelled(): CallError {
  return new CallError("cancelled", "a newer run replaced this one");
}

function columns(rule: string): RuleColumns {
  return {
    rule,
    types: explorer.types(),
    lanes: explorer.lanes(rule),
    events: explorer.eventColumns(rule),
    outputs: explorer.outputColumns(rule),
  };
}

function buffers({ events, outputs }: RuleColumns): Transferable[] {
  const { time, lane, type } = events;
  const { kind, start, end } = outputs;
  return [time, lane, type, kind, outputs.lane, start, end].map(
    ({ buffer }) => buffer as ArrayBuffer,
  );
}

function handedOver(found: RuleColumns): Transferred<RuleColumns> {
  return new Transferred(found, buffers(found));
}

function outputsOf(event: number, limit: number): OutputRef[] {
  const found: OutputRef[] = [];
  for (const { name } of explorer.rules()) {
    for (const index of explorer.outputsOf(name, event)) {
      if (found.length >= limit) return found;
      found.push({ rule: name, index });
    }
  }
  return found;
}

function short(index: number): string {
  const { type, fields, text } = explorer.event(index);
  // The time and the type are shown beside it.
  const { ts: _, type: __, ...rest } = fields;
  return cut(type ? `${type} ${fieldsOf(rest)}` : text);
}

function emitted({ emit, count }: OutputItem): string {
  return cut((count ? `${count} matches ` : "") + fieldsOf(emit));
}

function fieldsOf(fields: Record<string, unknown>): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(" ");
}

function cut(text: string): string {
  return text.length > SHORT ? `${text.slice(0, SHORT)}\u2026` : text;
}
