/**
 * The page's end of both workers. A worker that traps, or that does not answer, is replaced by a new
 * one with the same events: the page goes on, and says what happened.
 */
import type { ExplorerRunOptions, InputOptions } from "kleene";
import type { EngineCalls, LanguageCalls, RunDone, RunProgress } from "./protocol.ts";
import { type Args, CallError, type Calls, Remote, type Result } from "./rpc.ts";

/** A worker that breaks so often without having answered at all is given up. */
const ATTEMPTS = 3;
/** A run that is silent for so long is ended. */
const SILENCE = 20_000;

/** A worker that is made anew when it breaks. */
class Restarting<T extends Calls<T> & { init(module: WebAssembly.Module): void }> {
  protected remote: Remote<T>;
  /** Called with the reason when the worker was replaced, or could not be. */
  onRestart: (message: string) => void = () => undefined;
  #failures = 0;
  #isGivenUp = false;

  constructor(
    private readonly module: Promise<WebAssembly.Module>,
    private readonly make: () => Worker,
  ) {
    this.remote = this.start();
  }

  /** Calls that need nothing but a worker. A trap replaces it, and fails the call. */
  async call<K extends keyof T & string>(
    call: K,
    args: Args<T, K>,
    progress?: (progress: never) => void,
  ): Promise<Result<T, K>> {
    await this.module;
    if (this.#isGivenUp) {
      // The user tries something else.
      [this.#isGivenUp, this.#failures] = [false, 0];
      this.remote = this.start();
    }
    const { remote } = this;
    try {
      const result = await remote.call(call, args, progress);
      this.#failures = 0;
      return result;
    } catch (error) {
      if (error instanceof CallError && error.kind === "broken") {
        this.restart(remote, `The engine stopped: ${error.message}.`);
      }
      throw error;
    }
  }

  protected start(): Remote<T> {
    const remote = new Remote<T>(this.make(), (message) =>
      this.restart(remote, `The engine stopped: ${message}.`),
    );
    this.module
      .then((module) => remote.call("init", [module] as unknown as Args<T, "init">))
      .catch(() => undefined);
    return remote;
  }

  protected restart(broken: Remote<T>, message: string): void {
    if (broken !== this.remote || this.#isGivenUp) return;
    broken.stop(message);
    this.#failures += 1;
    this.#isGivenUp = this.#failures > ATTEMPTS;
    if (!this.#isGivenUp) this.remote = this.start();
    this.onRestart(message);
  }
}

/** The worker that knows the language. */
export class LanguageClient extends Restarting<LanguageCalls> {
  constructor(module: Promise<WebAssembly.Module>) {
    super(
      module,
      () => new Worker(new URL("./language.worker.ts", import.meta.url), { type: "module" }),
    );
  }
}

/** The worker that runs rules over events. */
export class EngineClient extends Restarting<EngineCalls> {
  #source: string | Blob = "";
  #options: InputOptions = {};
  #running = 0;
  /** Events that a worker has taken before are given to its successor; others may be the trouble. */
  #isTaken = false;

  constructor(module: Promise<WebAssembly.Module>) {
    super(
      module,
      () => new Worker(new URL("./engine.worker.ts", import.meta.url), { type: "module" }),
    );
  }

  get isRunning(): boolean {
    return this.#running > 0;
  }

  async load(source: string | Blob, options: InputOptions): Promise<void> {
    [this.#source, this.#options, this.#isTaken] = [source, options, false];
    await this.call("load", [source, options]);
    this.#isTaken = true;
  }

  /** Runs; a newer run cancels this one, which then fails with the kind `cancelled`. */
  async run(
    rules: string,
    options: ExplorerRunOptions,
    shown: string | null,
    progress: (progress: RunProgress) => void,
  ): Promise<RunDone> {
    this.#running += 1;
    const { remote } = this;
    const watch = setInterval(() => {
      if (performance.now() - remote.heard > SILENCE) {
        this.restart(
          remote,
          `The engine was stopped: it did not answer for ${SILENCE / 1000} seconds.`,
        );
      }
    }, 1000);
    remote.heard = performance.now();
    try {
      return await this.call("run", [rules, options, shown], progress);
    } finally {
      clearInterval(watch);
      this.#running -= 1;
    }
  }

  /** Stops a run: kindly, and by force if it does not end within a second. */
  async stop(): Promise<void> {
    const { remote } = this;
    const patience = setTimeout(() => this.restart(remote, "The engine was stopped."), 1000);
    await this.call("cancel", []).catch(() => undefined);
    clearTimeout(patience);
  }

  protected override restart(broken: Remote<EngineCalls>, message: string): void {
    if (broken !== this.remote) return;
    super.restart(broken, message);
    if (this.#isTaken) this.load(this.#source, this.#options).catch(() => undefined);
  }
}
