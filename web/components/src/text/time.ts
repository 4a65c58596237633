/** Times and durations in words. */

/** A time as rules and outputs write it, with a blank in the middle: `2024-05-01 15:45:04.250`. */
export function formatTime(time: number): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return "no time";
  return date
    .toISOString()
    .replace("T", " ")
    .replace(/(\.000)?Z$/, "");
}

const UNITS: readonly [string, number][] = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
];

/** A duration as rules write it, in its two largest units: `1h5m`. */
export function formatDuration(duration: number): string {
  let rest = Math.round(Math.abs(duration));
  if (rest === 0) return "0s";
  const parts: string[] = [];
  for (const [name, size] of UNITS) {
    const count = Math.floor(rest / size);
    if (count > 0) parts.push(`${count}${name}`);
    else if (parts.length > 0) break;
    rest -= count * size;
    if (parts.length === 2) break;
  }
  return (duration < 0 ? "-" : "") + parts.join("");
}

/** A count with its noun: `1 event`, `12,000 events`. */
export function plural(count: number, noun: string, many = `${noun}s`): string {
  return `${count.toLocaleString("en-US")} ${count === 1 ? noun : many}`;
}
