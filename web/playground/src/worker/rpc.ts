/**
 * Calls to a worker: each is a message with a number, and its answer has the same number. Long calls
 * report progress in between. Types are kept by an interface of calls that both sides name.
 */
import type { Diagnostic, ErrorKind } from "kleene";

/** An interface of calls: what each takes, and what it gives. */
export type Calls<T> = { [K in keyof T]: (...args: never[]) => unknown };

export type Args<T, K extends keyof T> = T[K] extends (...args: infer A) => unknown ? A : never;
export type Result<T, K extends keyof T> = T[K] extends (...args: never[]) => infer R
  ? Awaited<R>
  : never;

interface Request {
  id: number;
  call: string;
  args: unknown[];
}
type Reply =
  | { id: number; value: unknown }
  | { id: number; failure: Failure }
  | { id: number; progress: unknown };

interface Failure {
  kind: FailureKind;
  message: string;
  diagnostics: Diagnostic[];
}

/** `cancelled`: a newer call took its place. `stopped`: the worker was ended. */
export type FailureKind = ErrorKind | "cancelled" | "stopped" | "unknown";

/** Why a call gave nothing. */
export class CallError extends Error {
  override name = "CallError";

  constructor(
    readonly kind: FailureKind,
    message: string,
    readonly diagnostics: Diagnostic[] = [],
  ) {
    super(message);
  }
}

/** The answer, or `other` if the call failed: a newer run may have taken away what was asked for. */
export async function orElse<T, U>(answer: Promise<T>, other: U): Promise<T | U> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof CallError) return other;
    throw error;
  }
}

/** A value whose buffers are handed over instead of copied. */
export class Transferred<T> {
  constructor(
    readonly value: T,
    readonly buffers: Transferable[],
  ) {}
}

/** The page's end. */
export class Remote<T extends Calls<T>> {
  /** When the worker was last heard of, by `performance.now()`. */
  heard = performance.now();
  #next = 1;
  #open = new Map<
    number,
    {
      resolve(value: unknown): void;
      reject(error: CallError): void;
      progress: ((progress: never) => void) | undefined;
    }
  >();

  constructor(
    private readonly worker: Worker,
    onCrash: (message: string) => void,
  ) {
    worker.onmessage = ({ data }: MessageEvent<Reply>) => this.#answer(data);
    worker.onerror = (event) => {
      event.preventDefault();
      onCrash(event.message || "the worker could not be loaded");
    };
    worker.onmessageerror = () => onCrash("a message could not be read");
  }

  /** How many calls wait for an answer. */
  get waiting(): number {
    return this.#open.size;
  }

  call<K extends keyof T & string>(
    call: K,
    args: Args<T, K>,
    progress?: (progress: never) => void,
  ): Promise<Result<T, K>> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#open.set(id, { resolve: resolve as (value: unknown) => void, reject, progress });
      this.worker.postMessage({ id, call, args } satisfies Request);
    });
  }

  /** Ends the worker, also in the midst of a call; what waits fails. */
  stop(message: string): void {
    this.worker.terminate();
    const open = [...this.#open.values()];
    this.#open.clear();
    for (const { reject } of open) {
      reject(new CallError("stopped", message));
    }
  }

  #answer(reply: Reply): void {
    this.heard = performance.now();
    const open = this.#open.get(reply.id);
    if ("progress" in reply) {
      open?.progress?.(reply.progress as never);
      return;
    }
    this.#open.delete(reply.id);
    if ("value" in reply) {
      open?.resolve(reply.value);
    } else {
      const { kind, message, diagnostics } = reply.failure;
      open?.reject(new CallError(kind, message, diagnostics));
    }
  }
}

/** What a worker's end needs of its global scope. */
export interface Port {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: unknown, options?: { transfer?: Transferable[] }): void;
}

/** The worker's end: answers each call by the function of its name, once `init` has been called. */
export function serve<T extends Calls<T>>(
  port: Port,
  handlers: {
    [K in keyof T]: (
      args: Args<T, K>,
      progress: (value: unknown) => void,
    ) =>
      | Result<T, K>
      | Transferred<Result<T, K>>
      | Promise<Result<T, K> | Transferred<Result<T, K>>>;
  },
): void {
  const byName = new Map(Object.entries(handlers)) as Map<
    string,
    (args: unknown[], progress: (value: unknown) => void) => unknown
  >;
  let ready: (done: unknown) => void;
  const isReady = new Promise((resolve) => {
    ready = resolve;
  });
  port.onmessage = async ({ data }: MessageEvent<Request>) => {
    const { id, call, args } = data;
    const progress = (value: unknown): void => port.postMessage({ id, progress: value });
    try {
      // What comes before the module is there waits for it, in order.
      if (call !== "init") await isReady;
      const handler = byName.get(call);
      if (!handler) throw new Error(`there is no call ${call}`);
      const value = await handler(args, progress);
      if (value instanceof Transferred) {
        port.postMessage({ id, value: value.value }, { transfer: value.buffers });
      } else {
        port.postMessage({ id, value });
      }
      if (call === "init") ready(null);
    } catch (error) {
      port.postMessage({ id, failure: failure(error) });
    }
  };
}

function failure(error: unknown): Failure {
  const { kind, message, diagnostics } = error as Partial<Failure>;
  const isTrap = typeof WebAssembly !== "undefined" && error instanceof WebAssembly.RuntimeError;
  return {
    kind: isTrap ? "broken" : (kind ?? "unknown"),
    message: message ?? String(error),
    diagnostics: diagnostics ?? [],
  };
}
