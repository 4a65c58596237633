/** The lines that `kleene run` prints. */
import { brief, button, el } from "kleene-components";
import { count } from "../page.ts";

/** Lines that are shown at first, and with each press of the button for more. */
const FIRST = 200;
const MORE = 1000;
/** Characters of a line that are shown; copies have all. */
const WIDTH = 4000;

export interface OutputOptions {
  lines(from: number, count: number): Promise<{ lines: string[]; total: number }>;
  file(): Promise<Blob>;
  copy(text: string): Promise<boolean>;
}

export class OutputView {
  readonly panel = el("div", { class: "output" });
  readonly #list = el("pre", {
    class: "k-mono output-lines scroll-x",
    tabindex: 0,
    "aria-label": "Output lines",
  });
  readonly #meta = el("span", { class: "meta", role: "status" });
  readonly #more = button({ class: "k-button" }, () => void this.#load(MORE), "Show more");
  readonly #tools: HTMLElement;
  #shown = 0;
  #total = 0;
  #turn = 0;

  constructor(private readonly options: OutputOptions) {
    this.#tools = el(
      "div",
      { class: "tools" },
      this.#meta,
      button({ class: "k-button" }, () => void this.#copy(), "Copy"),
      button({ class: "k-button" }, () => void this.#download(), "Download"),
    );
    this.panel.append(this.#tools, this.#list, this.#more);
  }

  /** Shows the lines of the newest run. */
  async update(): Promise<void> {
    this.#turn += 1;
    this.#shown = 0;
    await this.#load(FIRST);
  }

  async #load(limit: number): Promise<void> {
    const turn = this.#turn;
    const from = this.#shown;
    const { lines, total } = await this.options.lines(from, limit);
    if (turn !== this.#turn) return;
    const nodes = lines.map((line) => document.createTextNode(`${brief(line, WIDTH)}\n`));
    if (from === 0) this.#list.replaceChildren(...nodes);
    else this.#list.append(...nodes);
    // Lines of limits that were reached are more than outputs.
    [this.#shown, this.#total] = [Math.min(from + limit, total), total];
    this.#more.hidden = this.#shown >= total;
    this.#list.hidden = lines.length === 0;
    this.#say(
      lines.length === 0
        ? "No matches or timeouts: kleene run prints nothing."
        : `${count(total)} ${total === 1 ? "line" : "lines"}, as kleene run prints them` +
            (this.#shown < total ? `; the first ${count(this.#shown)} are shown` : ""),
    );
  }

  async #copy(): Promise<void> {
    const text = await (await this.options.file()).text();
    const isDone = await this.options.copy(text);
    this.#say(isDone ? `${count(this.#total)} lines copied` : "The browser did not allow copying.");
  }

  async #download(): Promise<void> {
    const address = URL.createObjectURL(await this.options.file());
    const link = el("a", { href: address, download: "kleene-output.jsonl" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  }

  #say(text: string): void {
    this.#meta.textContent = text;
  }
}
