/**
 * Scrolling through content of any height. Browsers limit how high an element can be, so that very
 * long content is scrolled in proportion.
 */

/** Firefox ends at 17.8 million pixels, others later. */
const HIGHEST = 8_000_000;

/** A scrolling element with a spacer, and the true offset in its content. */
export class VirtualScroll {
  private content = 0;

  constructor(
    readonly element: HTMLElement,
    private readonly spacer: HTMLElement,
  ) {}

  /** Sets the height of the content in pixels. */
  setContent(height: number): void {
    this.content = height;
    this.spacer.style.height = `${Math.min(height, HIGHEST)}px`;
  }

  /** The true offset in pixels. */
  get offset(): number {
    return this.element.scrollTop * this.factor();
  }

  set offset(offset: number) {
    this.element.scrollTop = offset / this.factor();
  }

  /** Scrolls as little as needed until a range is seen. */
  show(start: number, end: number): void {
    const { offset } = this;
    const height = this.element.clientHeight;
    if (start < offset) this.offset = start;
    else if (end > offset + height) this.offset = end - height;
  }

  private factor(): number {
    if (this.content <= HIGHEST) return 1;
    const height = this.element.clientHeight;
    return (this.content - height) / (HIGHEST - height);
  }
}
