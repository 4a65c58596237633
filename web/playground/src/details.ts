/** The details of what is selected: an event with its story, or an output. */
import type { OutputItem } from "kleene";
import { EventDetails, el, OutputDetails, visible, WhyView } from "kleene-components";
import { fill } from "./page.ts";
import type { EngineClient } from "./worker/client.ts";
import type { OutputRef } from "./worker/protocol.ts";
import { CallError, orElse } from "./worker/rpc.ts";

/** Outputs that the details of an event list. */
const MAX_OUTPUTS = 50;

export interface DetailsOptions {
  /** The rule that is shown. */
  rule(): string;
  /** The number of the newest run: answers about an older one are dropped. */
  run(): number;
  describe(events: readonly number[]): Promise<string[]>;
  onSelectEvent(event: number): void;
  onSelectOutput(output: OutputRef): void;
}

export class Details {
  readonly panel = el("div", { class: "details" });
  readonly #hint = el("div", { class: "empty" });
  readonly #eventBox = el("div", {});
  readonly #outputBox = el("div", {});
  readonly #whyBox = el("section", { class: "why", hidden: true }, el("h3", {}, "Why"));
  readonly #event: EventDetails;
  readonly #output: OutputDetails;
  readonly #why: WhyView;
  /** The event that is shown, and whether its story is. */
  #shown: { event: number; isExplained: boolean } | null = null;

  constructor(
    private readonly engine: EngineClient,
    private readonly options: DetailsOptions,
  ) {
    const onWhy = (event: number) => void this.explain(event);
    this.#event = new EventDetails(this.#eventBox, { ...options, onWhy });
    this.#output = new OutputDetails(this.#outputBox, options);
    this.#why = new WhyView(this.#whyBox, options);
    this.panel.append(this.#hint, this.#outputBox, this.#eventBox, this.#whyBox);
    this.clear([]);
  }

  /** The event that is shown. */
  get event(): number | null {
    return this.#shown?.event ?? null;
  }

  /** Shows nothing but what to do, and what to try. */
  clear(tries: readonly string[]): void {
    this.#event.clear();
    this.#output.clear();
    this.#why.clear();
    for (const box of [this.#eventBox, this.#outputBox, this.#whyBox]) box.hidden = true;
    this.#hint.hidden = false;
    fill(
      this.#hint,
      el(
        "p",
        {},
        "Select an event or a match on the timeline to see its parts, and why an event did or did not take part.",
      ),
      tries.length > 0 && el("ul", {}, ...tries.map((hint) => el("li", {}, hint))),
    );
    this.#shown = null;
  }

  /** Shows an event, again with its story if that was shown. False if it is there no more. */
  async showEvent(event: number): Promise<boolean> {
    const run = this.options.run();
    const isExplained = this.#shown?.event === event && this.#shown.isExplained;
    const [item, outputs] = await orElse(
      Promise.all([
        this.engine.call("event", [event]),
        this.engine.call("outputsOf", [event, MAX_OUTPUTS]),
      ]),
      [null, []] as [null, OutputRef[]],
    );
    if (run !== this.options.run()) return false;
    this.clear([]);
    if (!item) return false;
    this.#shown = { event, isExplained: false };
    this.#hint.hidden = true;
    this.#eventBox.hidden = false;
    this.#event.update(item, outputs);
    if (isExplained) void this.explain(event);
    return true;
  }

  showOutput(rule: string, item: OutputItem): void {
    this.clear([]);
    this.#hint.hidden = true;
    this.#outputBox.hidden = false;
    this.#output.update(rule, item);
  }

  /** Tells the story of the event's key. */
  async explain(event: number): Promise<void> {
    const run = this.options.run();
    try {
      const story = await this.engine.call("why", [this.options.rule(), event]);
      if (run !== this.options.run()) return;
      this.#whyBox.hidden = false;
      this.#why.update(story, event);
      this.#shown = { event, isExplained: true };
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      if (run !== this.options.run()) return;
      fill(this.#hint, el("p", {}, visible(error.message)));
      this.#hint.hidden = false;
    }
  }
}
