/** A grid of rows of which only those on screen are in the page. */
import { button, el, setAttribute, uniqueId } from "../common/dom.ts";
import { VirtualScroll } from "../common/scroll.ts";

/** A column of a grid. */
export interface Column {
  id: string;
  title: string;
  canSort: boolean;
}

/** Where rows come from, and what is done with them. */
export interface GridHost {
  /** Fills the cells of a row, and says if it is the selected one. */
  fill(row: number, cells: readonly HTMLElement[]): { isSelected: boolean };
  open(row: number): void;
  sort(column: string): void;
  /** Called after drawing, with the rows on screen. */
  drawn(first: number, last: number): void;
}

/** Below this width a row has two lines. */
const NARROW = 620;
const ROW = 28;
const ROW_NARROW = 50;

interface RowElement {
  element: HTMLElement;
  cells: HTMLElement[];
}

/** The grid: one stop for Tab, arrows inside, Enter opens. */
export class Grid {
  readonly element: HTMLElement;
  private readonly body: HTMLElement;
  private readonly scroll: VirtualScroll;
  private readonly headers = new Map<string, HTMLElement>();
  private readonly pool: RowElement[] = [];
  private readonly observer: ResizeObserver;
  private readonly id = uniqueId("k-grid");
  private count = 0;
  private active = { row: 0, column: 0 };
  private frame = 0;

  constructor(
    label: string,
    private readonly columns: readonly Column[],
    private readonly host: GridHost,
  ) {
    const header = el(
      "div",
      { role: "row", class: "k-grid-row k-grid-header", "aria-rowindex": 1 },
      ...columns.map((column) => this.header(column)),
    );
    this.body = el("div", { role: "rowgroup", class: "k-grid-body" });
    this.element = el(
      "div",
      { role: "grid", class: "k-grid", tabindex: 0, "aria-label": label },
      el("div", { role: "rowgroup", class: "k-grid-head" }, header),
      this.body,
    );
    setAttribute(this.element, "aria-colcount", columns.length);
    this.scroll = new VirtualScroll(this.element, this.body);
    this.element.addEventListener("scroll", () => this.draw());
    this.element.addEventListener("keydown", (event) => this.key(event));
    this.element.addEventListener("focus", () => this.draw());
    this.element.addEventListener("blur", () => this.draw());
    this.body.addEventListener("click", (event) => this.click(event));
    this.observer = new ResizeObserver(() => this.setRows(this.count));
    this.observer.observe(this.element);
  }

  /** Sets the number of rows. */
  setRows(count: number): void {
    this.count = count;
    this.element.classList.toggle("k-narrow", this.element.clientWidth < NARROW);
    setAttribute(this.element, "aria-rowcount", count + 1);
    this.scroll.setContent(count * this.rowHeight);
    this.active.row = Math.max(0, Math.min(this.active.row, count - 1));
    this.draw();
  }

  toTop(): void {
    this.active = { row: 0, column: 0 };
    this.scroll.offset = 0;
    this.draw();
  }

  /** Scrolls to a row, and lets the keys begin there. */
  show(row: number): void {
    this.active.row = row;
    this.scroll.show(row * this.rowHeight, (row + 1) * this.rowHeight + this.headHeight);
    this.draw();
  }

  setSort(column: string, descending: boolean): void {
    for (const [id, header] of this.headers) {
      const order = descending ? "descending" : "ascending";
      setAttribute(header, "aria-sort", id === column ? order : null);
    }
  }

  /** Draws with the next frame. */
  draw(): void {
    this.frame ||= requestAnimationFrame(() => this.paint());
  }

  destroy(): void {
    cancelAnimationFrame(this.frame);
    this.observer.disconnect();
    this.element.remove();
  }

  private get rowHeight(): number {
    return this.element.classList.contains("k-narrow") ? ROW_NARROW : ROW;
  }

  private get headHeight(): number {
    return this.body.offsetTop;
  }

  private paint(): void {
    this.frame = 0;
    const height = this.rowHeight;
    const { offset } = this.scroll;
    const room = this.element.clientHeight - this.headHeight;
    const first = Math.min(this.count, Math.floor(offset / height));
    const last = Math.min(this.count, Math.ceil((offset + room) / height) + 1);
    // In content that is scrolled in proportion, rows are placed by what is on screen.
    const shift = this.element.scrollTop - offset;
    for (let row = first; row < last; row++) this.place(row, row - first, row * height + shift);
    for (const { element } of this.pool.slice(last - first)) element.hidden = true;
    this.activate(first, last);
    this.host.drawn(first, last);
  }

  private place(row: number, slot: number, top: number): void {
    const { element, cells } = this.pool[slot] ?? this.add(slot);
    const { isSelected } = this.host.fill(row, cells);
    element.hidden = false;
    element.dataset.row = String(row);
    element.style.transform = `translateY(${top}px)`;
    setAttribute(element, "aria-rowindex", row + 2);
    setAttribute(element, "aria-selected", String(isSelected));
  }

  /** Marks the cell that the keys are at. */
  private activate(first: number, last: number): void {
    const { row, column } = this.active;
    const isFocused = document.activeElement === this.element;
    const isSeen = row >= first && row < last;
    const cell = isSeen ? `${this.id}-${row - first}-${column}` : null;
    setAttribute(this.element, "aria-activedescendant", isFocused ? cell : null);
    for (const [slot, { element, cells }] of this.pool.entries()) {
      const isActive = isFocused && isSeen && slot === row - first;
      element.classList.toggle("k-active", isActive);
      for (const [at, one] of cells.entries()) {
        one.classList.toggle("k-active", isActive && at === column);
      }
    }
  }

  private add(slot: number): RowElement {
    const cells = this.columns.map((column, at) =>
      el("div", {
        role: "gridcell",
        class: `k-cell k-cell-${column.id}`,
        id: `${this.id}-${slot}-${at}`,
        "aria-colindex": at + 1,
      }),
    );
    const element = el("div", { role: "row", class: "k-grid-row" }, ...cells);
    this.pool.push({ element, cells });
    this.body.append(element);
    return { element, cells };
  }

  private header(column: Column): HTMLElement {
    const content = column.canSort
      ? button({ class: "k-sort" }, () => this.host.sort(column.id), column.title)
      : column.title;
    const attributes = { role: "columnheader", class: `k-cell k-cell-${column.id}` };
    const element = el("div", attributes, content);
    this.headers.set(column.id, element);
    return element;
  }

  private click(event: MouseEvent): void {
    const row = (event.target as Element).closest<HTMLElement>("[data-row]")?.dataset.row;
    if (row === undefined) return;
    this.active.row = Number(row);
    this.host.open(Number(row));
    this.draw();
  }

  /** The column to move to: one that is shown. */
  private nextColumn(column: number, by: number): number {
    const shown = this.columns
      .map((_, at) => at)
      .filter((at) => this.pool[0]?.cells[at]?.offsetWidth);
    const at = Math.max(0, Math.min(shown.length - 1, shown.indexOf(column) + by));
    return shown[at] ?? 0;
  }

  private key(event: KeyboardEvent): void {
    if (event.target !== this.element || event.altKey || event.metaKey || this.count === 0) return;
    const { row, column } = this.active;
    if (event.key === "Enter" || event.key === " ") this.host.open(row);
    else {
      const page = Math.max(1, Math.floor(this.element.clientHeight / this.rowHeight) - 2);
      const move = moveOf(event, page);
      if (!move) return;
      const [rows, columns] = move;
      this.active.column = this.nextColumn(column, columns);
      this.show(Math.max(0, Math.min(this.count - 1, row + rows)));
    }
    event.preventDefault();
  }
}

/** How many rows and columns a key moves. */
function moveOf(event: KeyboardEvent, page: number): readonly [number, number] | null {
  const moves: Record<string, readonly [number, number]> = {
    ArrowUp: [-1, 0],
    ArrowDown: [1, 0],
    ArrowLeft: [0, -1],
    ArrowRight: [0, 1],
    PageUp: [-page, 0],
    PageDown: [page, 0],
    Home: event.ctrlKey ? [-Infinity, -Infinity] : [0, -Infinity],
    End: event.ctrlKey ? [Infinity, Infinity] : [0, Infinity],
  };
  return moves[event.key] ?? null;
}
