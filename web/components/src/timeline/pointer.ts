/**
 * Mouse, pen, fingers and wheel. Dragging pans, two fingers zoom; the wheel scrolls lanes, with Shift
 * (or sideways) it pans, and with Ctrl, Alt or Cmd it zooms. Vertical swipes are the browser's own.
 */

/** A place in the element, and on the screen. */
export interface Point {
  x: number;
  y: number;
}

/** What the pointer asks for. */
export interface PointerActions {
  /** Moves the view by a number of pixels. */
  pan(dx: number, dy: number): void;
  zoom(factor: number, x: number): void;
  tap(point: Point): void;
  hover(point: Point | null): void;
}

/** A press that moves less is a tap. */
const STILL = 5;
/** Pixels of a line and a page, for wheels that count those. */
const LINE = 16;
const PAGE = 400;

/** Listens to an element. Gives a function that stops it. */
export function listenToPointer(element: HTMLElement, actions: PointerActions): () => void {
  const pointers = new Map<number, Point>();
  let start: Point | null = null;
  let isDragging = false;
  const stop = new AbortController();
  const on = <K extends keyof HTMLElementEventMap>(
    type: K,
    handler: (event: HTMLElementEventMap[K]) => void,
    options: AddEventListenerOptions = {},
  ) => element.addEventListener(type, handler, { ...options, signal: stop.signal });

  const pointOf = (event: MouseEvent): Point => {
    const box = element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };

  on("pointerdown", (event) => {
    const point = pointOf(event);
    // The scroll bar is inside the element.
    if (event.button !== 0 || point.x >= element.clientWidth) return;
    pointers.set(event.pointerId, point);
    start = pointers.size === 1 ? point : null;
    isDragging = pointers.size > 1;
    // A press that ends outside still ends here.
    element.setPointerCapture(event.pointerId);
  });
  on("pointermove", (event) => {
    const point = pointOf(event);
    const before = pointers.get(event.pointerId);
    if (!before) {
      if (event.pointerType !== "touch") actions.hover(point);
      return;
    }
    if (pointers.size === 2) pinch(event.pointerId, before, point);
    else drag(event, before, point);
  });
  on("pointerup", (event) => {
    const isTap = pointers.size === 1 && start !== null && !isDragging;
    const point = pointOf(event);
    release(event.pointerId);
    if (isTap) actions.tap(point);
  });
  on("pointercancel", (event) => release(event.pointerId));
  on("pointerleave", () => actions.hover(null));
  on("wheel", (event) => wheel(event), { passive: false });
  return () => stop.abort();

  function release(id: number): void {
    pointers.delete(id);
    if (pointers.size === 0) element.classList.remove("k-dragging");
  }

  function drag(event: PointerEvent, before: Point, point: Point): void {
    if (!isDragging) {
      if (!start || Math.hypot(point.x - start.x, point.y - start.y) < STILL) return;
      isDragging = true;
      element.classList.add("k-dragging");
      actions.hover(null);
    }
    // A finger that moves up or down scrolls by itself.
    const dy = event.pointerType === "touch" ? 0 : before.y - point.y;
    pointers.set(event.pointerId, point);
    actions.pan(before.x - point.x, dy);
  }

  function pinch(id: number, before: Point, point: Point): void {
    const other = [...pointers].find(([one]) => one !== id)?.[1];
    pointers.set(id, point);
    if (!other) return;
    const was = Math.max(20, Math.hypot(before.x - other.x, before.y - other.y));
    const is = Math.max(20, Math.hypot(point.x - other.x, point.y - other.y));
    actions.zoom(was / is, (point.x + other.x) / 2);
    actions.pan((before.x - point.x) / 2, 0);
  }

  function wheel(event: WheelEvent): void {
    const unit = [1, LINE, PAGE][event.deltaMode] ?? 1;
    const dx = event.deltaX * unit;
    const dy = event.deltaY * unit;
    if (event.ctrlKey || event.metaKey || event.altKey) {
      event.preventDefault();
      actions.zoom(Math.exp(Math.max(-200, Math.min(200, dy)) * 0.003), pointOf(event).x);
    } else if (event.shiftKey || Math.abs(dx) > Math.abs(dy)) {
      event.preventDefault();
      actions.pan(dx || dy, 0);
    }
  }
}
