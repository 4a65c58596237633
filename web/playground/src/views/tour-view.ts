/** The tour: a card above the rules that says what to do, and sees when it is done. */
import { button, el } from "kleene-components";
import { fill } from "../page.ts";
import { isDone } from "../tour/check.ts";
import { type Step, steps } from "../tour/steps.ts";

export interface TourOptions {
  /** Shows the rules and events of a step. */
  onStep(step: Step): void;
  /** Shows rules that do what the step asks for. */
  onSolution(rules: string): void;
  onClose(): void;
}

export class TourView {
  #at = 0;
  #isOpen = false;
  #isDone = false;
  readonly #done = el("p", { class: "tour-done", role: "status" });

  constructor(
    private readonly parent: HTMLElement,
    private readonly options: TourOptions,
  ) {}

  get isOpen(): boolean {
    return this.#isOpen;
  }

  open(at = 0): void {
    this.#at = at;
    this.#isOpen = true;
    this.#isDone = false;
    this.parent.hidden = false;
    this.#draw();
    this.options.onStep(this.#step);
    this.parent.querySelector<HTMLElement>("h2")?.focus();
  }

  close(): void {
    this.#isOpen = false;
    this.parent.hidden = true;
    this.options.onClose();
  }

  /** Judges the lines that a run printed. */
  judge(lines: readonly string[]): void {
    if (!this.#isOpen || this.#isDone || !isDone(lines, this.#step.expected)) return;
    this.#isDone = true;
    this.parent.classList.add("is-done");
    fill(this.#done, el("b", {}, "Done. "), ...words(this.#step.done));
    const next = this.parent.querySelector<HTMLElement>("#tour-next");
    next?.classList.add("primary");
  }

  get #step(): Step {
    return steps[this.#at] as Step;
  }

  #draw(): void {
    const { title, text, task } = this.#step;
    const last = this.#at === steps.length - 1;
    this.parent.classList.remove("is-done");
    fill(this.#done);
    fill(
      this.parent,
      el(
        "header",
        { class: "pane-head" },
        el("h2", { id: "tour-title", tabindex: -1 }, title),
        el("span", { class: "meta" }, `Step ${this.#at + 1} of ${steps.length}`),
        button({ class: "k-button", id: "tour-close" }, () => this.close(), "End the tour"),
      ),
      el(
        "div",
        { class: "tour-body", tabindex: 0, role: "region", "aria-label": "What to do" },
        ...text.map((paragraph) => el("p", {}, ...words(paragraph))),
        // Stays in sight where the text above is scrolled.
        el(
          "div",
          { class: "tour-task" },
          el("p", { class: "task" }, el("b", {}, "To do: "), ...words(task)),
          this.#done,
        ),
      ),
      el(
        "div",
        { class: "tour-tools" },
        button(
          { class: "k-button", id: "tour-solution" },
          () => this.options.onSolution(this.#step.solution),
          "Show me",
        ),
        el("span", { class: "spacer" }),
        this.#at > 0 && button({ class: "k-button" }, () => this.open(this.#at - 1), "Back"),
        button(
          { class: "k-button", id: "tour-next" },
          () => (last ? this.close() : this.open(this.#at + 1)),
          last ? "Finish" : "Next",
        ),
      ),
    );
  }
}

/** Text in which back-quotes mark code. */
function words(text: string): (Node | string)[] {
  return text.split("`").map((part, index) => (index % 2 === 1 ? el("code", {}, part) : part));
}
