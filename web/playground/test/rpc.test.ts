import { expect, test, vi } from "vitest";
import { StepSize, sample, wholeLines } from "../src/worker/chunk.ts";
import { CallError, type Port, Remote, serve, Transferred } from "../src/worker/rpc.ts";

interface TestCalls {
  init(module: number): void;
  add(a: number, b: number): number;
  slow(): string;
  fail(): never;
  give(): Uint8Array;
}

/** A worker without a thread. */
class FakeWorker {
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onerror: ((event: unknown) => void) | null = null;
  onmessageerror: (() => void) | null = null;
  isEnded = false;
  readonly port: Port = {
    onmessage: null,
    postMessage: (message) =>
      queueMicrotask(() => this.isEnded || this.onmessage?.({ data: message })),
  };

  postMessage(message: unknown): void {
    queueMicrotask(() => this.port.onmessage?.({ data: message } as MessageEvent));
  }

  terminate(): void {
    this.isEnded = true;
  }
}

function pair(): { worker: FakeWorker; remote: Remote<TestCalls>; crashed: string[] } {
  const worker = new FakeWorker();
  const crashed: string[] = [];
  serve<TestCalls>(worker.port, {
    init: () => undefined,
    add: ([a, b]) => a + b,
    slow: async (_, progress) => {
      progress({ done: 1 });
      return "done";
    },
    fail: () => {
      throw new CallError("rules", "the rules have mistakes");
    },
    give: () => {
      const bytes = new Uint8Array([1, 2]);
      return new Transferred(bytes, [bytes.buffer]);
    },
  });
  const remote = new Remote<TestCalls>(worker as unknown as Worker, (text) => crashed.push(text));
  return { worker, remote, crashed };
}

test("calls before the module is there wait for it", async () => {
  const { remote } = pair();
  const sum = remote.call("add", [1, 2]);
  await remote.call("init", [0]);
  expect(await sum).toBe(3);
  expect(await remote.call("give", [])).toEqual(new Uint8Array([1, 2]));
  expect(remote.waiting).toBe(0);
});

test("progress comes before the answer, and failures keep their kind", async () => {
  const { remote } = pair();
  await remote.call("init", [0]);
  const progress = vi.fn();
  expect(await remote.call("slow", [], progress)).toBe("done");
  expect(progress).toHaveBeenCalledWith({ done: 1 });
  await expect(remote.call("fail", [])).rejects.toMatchObject({ kind: "rules" });
});

test("a worker that is ended fails what waits", async () => {
  const { remote, worker, crashed } = pair();
  const sum = remote.call("add", [1, 2]);
  remote.stop("it was stopped");
  await expect(sum).rejects.toMatchObject({ kind: "stopped", message: "it was stopped" });
  expect(worker.isEnded).toBe(true);
  worker.onerror?.({ message: "out of memory", preventDefault: () => undefined });
  expect(crashed).toEqual(["out of memory"]);
});

test("steps grow and shrink to the time that is wanted", () => {
  const size = new StepSize(12, 256);
  size.took(1);
  expect(size.count).toBe(1024);
  size.took(24);
  expect(size.count).toBe(512);
  for (let step = 0; step < 20; step += 1) size.took(0);
  expect(size.count).toBe(65_536);
  for (let step = 0; step < 20; step += 1) size.took(1e6);
  expect(size.count).toBe(1);
});

test("a sample of a file is unpacked, and ends with a line", async () => {
  const text = "one\ntwo\nthree\n";
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  const packed = await new Response(stream).blob();
  const words = async (blob: Blob, limit: number) =>
    new TextDecoder().decode(wholeLines(await sample(blob, limit)));
  expect(await words(packed, 1000)).toBe(text);
  expect(await words(packed, 10)).toBe("one\ntwo\n");
  expect(await words(new Blob([text]), 6)).toBe("one\n");
  expect(await words(packed.slice(0, 4), 1000)).toBe("");
  expect(await words(new Blob(["no end"]), 100)).toBe("no end");
});
