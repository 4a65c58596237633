/** A table of matches and timeouts. */
import type { OutputTableApi, OutputTableOptions } from "../api.ts";
import { el, uniqueId } from "../common/dom.ts";
import { answerOr } from "../common/later.ts";
import { inSlices } from "../common/slices.ts";
import type { OutputRef, OutputTableData } from "../data.ts";
import { formatTime, plural } from "../text/time.ts";
import { brief } from "../text/visible.ts";
import { Grid } from "./grid.ts";
import type { Arrangement, Rows, SortColumn } from "./rows.ts";
import { arrange, buildRows, keyOf, kindOf, refOf, rowOf } from "./rows.ts";

/** Emits that are kept, so that scrolling back does not ask again. */
const KEPT = 2000;

/** Data with their rows. */
interface Shown {
  data: OutputTableData;
  rows: Rows;
}

/** The table: sorted by its headers, filtered by a field, opened by Enter or a click. */
export class OutputTable implements OutputTableApi {
  private readonly element: HTMLElement;
  private readonly grid: Grid;
  private readonly count: HTMLElement = el("span", { class: "k-count", role: "status" });
  private readonly how: Arrangement = { column: "time", descending: false, text: "", kind: null };
  /** What was given last, and what is shown until that is arranged. */
  private latest: Shown | null = null;
  private shown: Shown | null = null;
  /** Rows in the order in which they are shown. */
  private order: Uint32Array = new Uint32Array();
  private selected: OutputRef | null = null;
  private emits = new Map<number, string>();
  /** How often data were given, and how often rows were arranged: older work is stale. */
  private loads = 0;
  private arrangements = 0;

  constructor(
    parent: HTMLElement,
    private readonly options: OutputTableOptions = {},
  ) {
    const columns = [
      { id: "time", title: "Time", canSort: true },
      { id: "kind", title: "Output", canSort: true },
      { id: "rule", title: "Rule", canSort: true },
      { id: "key", title: "Key", canSort: true },
      { id: "emit", title: "Emit", canSort: false },
    ];
    this.grid = new Grid(options.label ?? "Matches and timeouts", columns, {
      fill: (at, cells) => this.fill(at, cells),
      open: (at) => this.open(at),
      sort: (column) => this.sort(column as SortColumn),
      drawn: (first, last) => void this.loadEmits(first, last),
    });
    this.element = el("div", { class: "k-table" }, this.tools(), this.grid.element);
    parent.append(this.element);
    this.grid.setSort("time", false);
  }

  async update(data: OutputTableData): Promise<void> {
    this.loads += 1;
    const { loads } = this;
    const rows = await inSlices(buildRows(data.rules), () => this.loads !== loads);
    if (!rows || this.loads !== loads) return;
    this.latest = { data, rows };
    await this.rearrange();
  }

  setSelection(output: OutputRef | null): void {
    this.selected = output;
    const row = output && this.shown ? rowOf(this.shown.rows, output) : null;
    const at = row === null ? -1 : this.order.indexOf(row);
    if (at >= 0) this.grid.show(at);
    this.grid.draw();
  }

  destroy(): void {
    this.loads += 1;
    this.arrangements += 1;
    this.grid.destroy();
    this.element.remove();
  }

  /** Sorts and filters. Other rows are shown together with their order, never one without the other. */
  private async rearrange(): Promise<void> {
    const { latest } = this;
    if (!latest) return;
    this.arrangements += 1;
    const { arrangements } = this;
    const order = await inSlices(
      arrange(latest.rows, { ...this.how }),
      () => this.arrangements !== arrangements,
    );
    if (!order || this.arrangements !== arrangements) return;
    if (this.shown !== latest) this.emits = new Map();
    this.shown = latest;
    this.order = order;
    this.element.classList.toggle("k-one-rule", latest.data.rules.length < 2);
    const all = plural(latest.rows.count, "output");
    const some = `${order.length.toLocaleString("en-US")} of ${all}`;
    this.count.textContent = order.length === latest.rows.count ? all : some;
    this.grid.setSort(this.how.column, this.how.descending);
    this.grid.setRows(order.length);
  }

  private sort(column: SortColumn): void {
    this.how.descending = this.how.column === column && !this.how.descending;
    this.how.column = column;
    this.grid.toTop();
    void this.rearrange();
  }

  private fill(at: number, cells: readonly HTMLElement[]): { isSelected: boolean } {
    const { shown, selected } = this;
    const row = this.order[at];
    if (!shown || row === undefined) return { isSelected: false };
    const { rows } = shown;
    const ref = refOf(rows, row);
    const kind = kindOf(rows, row) === 1 ? "timeout" : "match";
    const texts = [
      formatTime(rows.time[row]!),
      kind,
      brief(ref.rule, 60),
      brief(keyOf(rows, row), 120),
      this.emits.get(row) ?? "",
    ];
    for (const [column, text] of texts.entries()) {
      const cell = cells[column]!;
      if (cell.textContent !== text) cell.replaceChildren(el("bdi", {}, text));
    }
    cells[1]!.dataset.kind = kind;
    return { isSelected: selected?.rule === ref.rule && selected.index === ref.index };
  }

  private open(at: number): void {
    const row = this.order[at];
    if (this.shown && row !== undefined) this.options.onSelect?.(refOf(this.shown.rows, row));
  }

  /** Asks for the emits on screen that are not there yet. */
  private async loadEmits(first: number, last: number): Promise<void> {
    const { shown, emits } = this;
    if (!shown) return;
    const { data, rows } = shown;
    const missing = [...this.order.subarray(first, last)].filter((row) => !emits.has(row));
    if (missing.length === 0) return;
    // While they are asked for nobody asks again.
    for (const row of missing) emits.set(row, "");
    const refs = missing.map((row) => refOf(rows, row));
    const texts = await answerOr(() => data.emits(refs), []);
    for (const [at, row] of missing.entries()) emits.set(row, brief(texts[at] ?? "", 300));
    for (const row of emits.keys()) {
      if (emits.size <= KEPT) break;
      emits.delete(row);
    }
    this.grid.draw();
  }

  private tools(): HTMLElement {
    const id = uniqueId("k-filter");
    const text = el("input", { id, type: "search", class: "k-field", placeholder: "key or rule" });
    text.addEventListener("input", () => {
      this.how.text = text.value;
      this.grid.toTop();
      void this.rearrange();
    });
    const kind = el(
      "select",
      { class: "k-field", "aria-label": "Kind of output" },
      el("option", { value: "" }, "all"),
      el("option", { value: "0" }, "matches"),
      el("option", { value: "1" }, "timeouts"),
    );
    kind.addEventListener("change", () => {
      this.how.kind = kind.value === "" ? null : Number(kind.value);
      this.grid.toTop();
      void this.rearrange();
    });
    return el(
      "div",
      { class: "k-table-tools" },
      el("label", { for: id }, "Filter"),
      text,
      kind,
      this.count,
    );
  }
}
