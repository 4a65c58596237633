import { afterEach, beforeEach, expect, test, vi } from "vitest";

/** Workers that were made, with what they were sent. */
interface Made {
  sent: { id: number; call: string; args: unknown[] }[];
  answer(id: number, reply: object): void;
  crash(message: string): void;
  isEnded: boolean;
}
let made: Made[] = [];

beforeEach(() => {
  made = [];
  vi.stubGlobal(
    "Worker",
    class {
      onmessage: ((event: { data: unknown }) => void) | null = null;
      onerror: ((event: unknown) => void) | null = null;
      readonly own: Made = {
        sent: [],
        isEnded: false,
        answer: (id, reply) => this.onmessage?.({ data: { id, ...reply } }),
        crash: (message) => this.onerror?.({ message, preventDefault: () => undefined }),
      };
      constructor() {
        made.push(this.own);
      }
      postMessage(message: Made["sent"][number]): void {
        this.own.sent.push(message);
      }
      terminate(): void {
        this.own.isEnded = true;
      }
    },
  );
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const module = Promise.resolve({} as WebAssembly.Module);
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
const calls = (worker: Made | undefined): string[] => worker?.sent.map(({ call }) => call) ?? [];

test("a trap replaces the worker, and the new one gets the events again", async () => {
  const { EngineClient } = await import("../src/worker/client.ts");
  const engine = new EngineClient(module);
  const said: string[] = [];
  engine.onRestart = (message) => said.push(message);
  const loaded = engine.load("the events", { type: "t" });
  await turn();
  made[0]?.answer(made[0].sent[1]?.id as number, { value: null });
  await loaded;
  const run = engine.run("rules", {}, null, () => undefined);
  await turn();
  expect(calls(made[0])).toEqual(["init", "load", "run"]);
  const failure = { kind: "broken", message: "unreachable", diagnostics: [] };
  made[0]?.answer(made[0].sent[2]?.id as number, { failure });
  await expect(run).rejects.toMatchObject({ kind: "broken" });
  await turn();
  expect(made.map(({ isEnded }) => isEnded)).toEqual([true, false]);
  expect(calls(made[1])).toEqual(["init", "load"]);
  expect(made[1]?.sent[1]?.args).toEqual(["the events", { type: "t" }]);
  expect(said).toEqual(["The engine stopped: unreachable."]);
});

test("events at which a worker broke are not given to its successor", async () => {
  const { EngineClient } = await import("../src/worker/client.ts");
  const engine = new EngineClient(module);
  const loaded = engine.load("too much", {});
  await turn();
  const failure = { kind: "broken", message: "out of memory", diagnostics: [] };
  made[0]?.answer(made[0].sent[1]?.id as number, { failure });
  await expect(loaded).rejects.toMatchObject({ kind: "broken" });
  await turn();
  expect(made.map(calls)).toEqual([["init", "load"], ["init"]]);
});

test("a worker that cannot be loaded is not tried for ever", async () => {
  const { LanguageClient } = await import("../src/worker/client.ts");
  const language = new LanguageClient(module);
  const said: string[] = [];
  language.onRestart = (message) => said.push(message);
  for (let attempt = 0; attempt < 10; attempt += 1) made.at(-1)?.crash("no such file");
  expect(made.length).toBe(4);
  expect(said.length).toBe(4);
  // What the user does next tries again.
  void language.call("check", ["rules"]);
  await turn();
  expect(made.length).toBe(5);
});

test("a run that is silent for too long is ended", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
  const { EngineClient } = await import("../src/worker/client.ts");
  const engine = new EngineClient(module);
  const run = engine.run("rules", {}, null, () => undefined);
  const failed = expect(run).rejects.toMatchObject({ kind: "stopped" });
  await turn();
  vi.advanceTimersByTime(15_000);
  made[0]?.answer(made[0].sent[1]?.id as number, { progress: { done: 1, total: 2 } });
  vi.advanceTimersByTime(15_000);
  expect(engine.isRunning).toBe(true);
  vi.advanceTimersByTime(10_000);
  await failed;
  expect(engine.isRunning).toBe(false);
  expect(made.length).toBe(2);
});
