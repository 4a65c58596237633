/** The fixed parts of the page. */

/** The element of an id; the page always has it. */
export function part<T extends HTMLElement = HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element as T;
}

/** Replaces what stands in an element; `false` and `null` are left out. */
export function fill(element: Element, ...children: (Node | string | false | null)[]): void {
  element.replaceChildren(...children.filter((child) => child !== false && child !== null));
}

/** Numbers with thousands separated: `12,345`. */
export function count(value: number): string {
  return value.toLocaleString("en-US");
}

/** A number with its noun: `1 match`, `2 matches`. */
export function counted(value: number, noun: string, plural = `${noun}s`): string {
  return `${count(value)} ${value === 1 ? noun : plural}`;
}

/** Bytes in words: `8.3 kB`. */
export function bytes(value: number): string {
  const units = ["bytes", "kB", "MB", "GB"];
  let [size, unit] = [value, 0];
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${units[unit]}`;
}

/** Milliseconds in words: `3.2 ms`, `1.4 s`. */
export function took(milliseconds: number): string {
  if (milliseconds >= 1000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return `${milliseconds < 10 ? milliseconds.toFixed(1) : Math.round(milliseconds)} ms`;
}

/** Runs `action` once things have been quiet for so long; `flush` runs at once what waits. */
export function debounced(
  action: () => void,
  milliseconds: () => number,
): (() => void) & { flush(): void } {
  let timer: ReturnType<typeof setTimeout> | null = null;
  const run = (): void => {
    timer = null;
    action();
  };
  const later = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = setTimeout(run, milliseconds());
  };
  const flush = (): void => {
    if (timer === null) return;
    clearTimeout(timer);
    run();
  };
  return Object.assign(later, { flush });
}

/** Asks one question at a time; of the questions that come meanwhile only the last is asked. */
export class Latest<Q> {
  #isBusy = false;
  #next: { question: Q } | null = null;

  constructor(private readonly ask: (question: Q) => Promise<void>) {}

  async put(question: Q): Promise<void> {
    this.#next = { question };
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      while (this.#next) {
        const { question: now } = this.#next;
        this.#next = null;
        await this.ask(now);
      }
    } finally {
      this.#isBusy = false;
    }
  }
}
