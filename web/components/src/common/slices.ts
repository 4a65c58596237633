/** Long work in slices, so that the page stays responsive. */

/** Work that gives way at each `yield`. */
export type Work<T> = Generator<undefined, T, undefined>;

/** A slice leaves room for a frame within 50 ms, also on a machine that is slow or busy. */
const SLICE_MS = 10;

/** Items between two looks at the clock. */
export const BLOCK = 16384;

/** Runs work in slices. Gives `null` if `isStale` says in between that nobody needs it any more. */
export async function inSlices<T>(work: Work<T>, isStale: () => boolean): Promise<T | null> {
  for (;;) {
    const until = performance.now() + SLICE_MS;
    do {
      const step = work.next();
      if (step.done) return step.value;
    } while (performance.now() < until);
    await pause();
    if (isStale()) return null;
  }
}

/** Runs work at once. */
export function atOnce<T>(work: Work<T>): T {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
