/** A bar between two parts of the page, moved by pointer or keys. */

export interface SplitterOptions {
  label: string;
  /** `down` divides columns, `across` rows. */
  direction: "down" | "across";
  /** The box of which the first part takes a share. */
  box: HTMLElement;
  /** The custom property of `box` that holds the share, of 100. */
  property: string;
  /** The share at the beginning, and at a double click. */
  share: number;
}

const [LEAST, MOST, STEP] = [15, 85, 3];

export function splitter(bar: HTMLElement, options: SplitterOptions): void {
  const { box, direction, property } = options;
  let share = options.share;
  const set = (value: number): void => {
    share = Math.round(Math.min(MOST, Math.max(LEAST, value)) * 10) / 10;
    box.style.setProperty(property, String(share));
    bar.setAttribute("aria-valuenow", String(Math.round(share)));
  };
  bar.tabIndex = 0;
  bar.setAttribute("role", "separator");
  bar.setAttribute("aria-label", options.label);
  bar.setAttribute("aria-orientation", direction === "down" ? "vertical" : "horizontal");
  bar.setAttribute("aria-valuemin", String(LEAST));
  bar.setAttribute("aria-valuemax", String(MOST));
  set(share);

  const [less, more] =
    direction === "down" ? ["ArrowLeft", "ArrowRight"] : ["ArrowUp", "ArrowDown"];
  bar.addEventListener("keydown", (event) => {
    const to = new Map([
      [less, share - STEP],
      [more, share + STEP],
      ["Home", LEAST],
      ["End", MOST],
    ]).get(event.key);
    if (to === undefined) return;
    event.preventDefault();
    set(to);
  });
  bar.addEventListener("dblclick", () => set(options.share));
  bar.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    bar.setPointerCapture(event.pointerId);
  });
  bar.addEventListener("pointermove", (event) => {
    if (!bar.hasPointerCapture(event.pointerId)) return;
    const { left, top, width, height } = box.getBoundingClientRect();
    set(
      direction === "down"
        ? ((event.clientX - left) / width) * 100
        : ((event.clientY - top) / height) * 100,
    );
  });
}
