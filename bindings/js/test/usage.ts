// Type-checked by `tsc`: what TypeScript users write. It is not run.

import init, {
  check, complete, Engine, explain, explainCode, Explorer, format, hover, infer, KleeneError,
  memorySize, run, test, testEvents, version, why,
  type Diagnostic, type LimitReached, type OpenAt, type Output, type RunResult, type Verdict, type WhyStory,
} from "kleene";

const rules = "event a { ts: time }";

export async function usage(file: Blob): Promise<void> {
  await init(new URL("https://example.org/kleene.wasm"));
  const found: Diagnostic[] = check(rules, { files: { "x.cep": "" }, params: { "r.n": 3 } });
  const edits = found.flatMap(({ fixes }) => fixes.flatMap((fix) => fix.edits));
  for (const { start, end, text } of edits) {
    console.log(rules.slice(0, start) + text + rules.slice(end));
  }
  console.log(format(rules), explain(rules, { as: "svg", states: true }), explainCode("E0201"));
  console.log(complete(rules, 3)[0]?.apply.text, hover(rules, 3)?.markdown, version(), memorySize());
  const ran: RunResult = run(rules, [{ type: "a", ts: 1 }], { endOfTime: true, outOfOrder: "5s" });
  console.log(ran.outputs.length, ran.summary.unknownTypes[0]?.type, infer(ran.outputs.join("\n")));
  const story: WhyStory = why(rules, new Uint8Array(), { key: ["a"], first: 10 });
  console.log(story.entries[0]?.effects[0]?.mismatches, test(rules).passed, testEvents(rules, 0).text);
  {
    const engine = new Engine(rules, { limits: { partials: 10 }, timeUnit: "s" });
    const outputs: (Output | LimitReached)[] = engine.push({ type: "a", ts: 1 });
    const verdicts: Verdict[] = engine.replace(rules);
    const again = Engine.restore(rules, engine.snapshot());
    console.log(outputs, verdicts, again.restored, engine.advance(new Date()), engine.watermark());
    engine.free();
  }
  const explorer = new Explorer();
  explorer.setEvents(new Uint8Array(await file.arrayBuffer()), { format: "csv", delimiter: ";" });
  explorer.start(rules, { maxOutputs: 100 });
  while (!explorer.step(1000).finished);
  const open: OpenAt = explorer.openAt("r", 5, 0, 10);
  const time: Float64Array = explorer.eventColumns("r").time;
  console.log(open.states["S1"], time.length, explorer.output("r", 0).captures[0]?.events);
  try {
    explorer.why("r", 0);
  } catch (error) {
    if (error instanceof KleeneError && error.kind === "options") {
      console.log(error.diagnostics.length);
    }
  }
  // @ts-expect-error: there is no such option.
  run(rules, "", { nil: 1 });
  // @ts-expect-error: an event is an object.
  new Engine(rules).push(5);
}
