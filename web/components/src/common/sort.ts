/** Sorting of numbers in slices, stable, in arrays that hold the numbers of items. */
import type { Work } from "./slices.ts";
import { BLOCK } from "./slices.ts";

const DIGIT = 65536;

/**
 * Sorts items by a number of each. Whole numbers, such as times, are sorted digit by digit: that
 * takes three passes for a year of milliseconds. Items that are in order already take one.
 */
export function* sortByNumber(items: Uint32Array, keys: Float64Array): Work<Uint32Array> {
  let least = Infinity;
  let most = -Infinity;
  let isSorted = true;
  let isWhole = true;
  let last = -Infinity;
  for (let at = 0; at < items.length; at++) {
    if (at % BLOCK === 0) yield;
    const key = keys[items[at]!]!;
    if (key < last) isSorted = false;
    if (!Number.isSafeInteger(key)) isWhole = false;
    if (key < least) least = key;
    if (key > most) most = key;
    last = key;
  }
  if (isSorted) return items;
  if (!isWhole || most - least >= Number.MAX_SAFE_INTEGER) {
    return yield* sortBy(items, (a, b) => keys[a]! - keys[b]!);
  }
  let from = items;
  let to: Uint32Array = new Uint32Array(items.length);
  for (let unit = 1; unit <= most - least; unit *= DIGIT) {
    yield* pass(from, to, (item) => Math.floor((keys[item]! - least) / unit) % DIGIT, DIGIT);
    const sorted = to;
    to = from === items ? new Uint32Array(items.length) : from;
    from = sorted;
  }
  return from;
}

/** Distributes items by a digit, in their order. Gives where each digit begins. */
export function* pass(
  from: Uint32Array,
  to: Uint32Array,
  digit: (item: number) => number,
  digits: number,
): Work<Uint32Array> {
  const starts = new Uint32Array(digits + 1);
  for (let at = 0; at < from.length; at++) {
    if (at % BLOCK === 0) yield;
    starts[digit(from[at]!) + 1]! += 1;
  }
  for (let at = 0; at < digits; at++) starts[at + 1]! += starts[at]!;
  const next = starts.slice(0, digits);
  for (let at = 0; at < from.length; at++) {
    if (at % BLOCK === 0) yield;
    const item = from[at]!;
    const of = digit(item);
    to[next[of]!] = item;
    next[of]! += 1;
  }
  return starts;
}

/** Sorts items by comparing them: a merge sort from below. */
export function* sortBy(
  items: Uint32Array,
  compare: (a: number, b: number) => number,
): Work<Uint32Array> {
  let from = items.slice();
  let to = new Uint32Array(items.length);
  let sinceYield = 0;
  for (let width = 1; width < items.length; width *= 2) {
    for (let start = 0; start < items.length; start += 2 * width) {
      const middle = Math.min(start + width, items.length);
      const end = Math.min(start + 2 * width, items.length);
      sinceYield += end - start;
      if (sinceYield > 2048) {
        sinceYield = 0;
        yield;
      }
      yield* merge({ from, to, start, middle, end }, compare);
    }
    [from, to] = [to, from];
  }
  return from;
}

interface Runs {
  from: Uint32Array;
  to: Uint32Array;
  start: number;
  middle: number;
  end: number;
}

function* merge(runs: Runs, compare: (a: number, b: number) => number): Work<void> {
  const { from, to, start, middle, end } = runs;
  let left = start;
  let right = middle;
  for (let at = start; at < end; at++) {
    if ((at - start) % 4096 === 4095) yield;
    const takeLeft = left < middle && (right >= end || compare(from[left]!, from[right]!) <= 0);
    to[at] = takeLeft ? from[left++]! : from[right++]!;
  }
}

/** The first place in `start..end` of ascending numbers that is at least `key`. */
export function lowerBound(
  sorted: ArrayLike<number>,
  key: number,
  start = 0,
  end = sorted.length,
): number {
  let low = start;
  let high = end;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The first place in `start..end` of ascending numbers that is more than `key`. */
export function upperBound(
  sorted: ArrayLike<number>,
  key: number,
  start = 0,
  end = sorted.length,
): number {
  let low = start;
  let high = end;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! <= key) low = middle + 1;
    else high = middle;
  }
  return low;
}
