/** What to try when a run found less than its reader may have hoped for. */
import type { Summary } from "kleene";
import { counted } from "./page.ts";

type Counts = Pick<
  Summary,
  | "events"
  | "matches"
  | "timeouts"
  | "filtered"
  | "suppressed"
  | "late"
  | "rejected"
  | "unknown"
  | "stillOpen"
  | "rules"
  | "rejects"
>;

/** Times that were meant as seconds lie here if they are read as milliseconds: 1980 to 2099. */
const SECONDS = { from: 315_532_800, to: 4_102_444_800 };

/**
 * Hints in the words of the page. `times` are those of the first and of the last event, if they are
 * known.
 */
export function hints(summary: Counts, times?: readonly [number, number]): string[] {
  const { events, matches, timeouts, late, rejected, unknown, stillOpen } = summary;
  const out: string[] = [];
  const hasRules = summary.rules.length > 0;
  const known = events - unknown;
  if (!hasRules) {
    out.push(
      "There is no rule yet. \u201cInfer declarations\u201d declares your events, " +
        "and the tour shows how to write a rule.",
    );
  }
  if (events + rejected === 0) {
    out.push("There are no events. Type or paste some, open a file, or choose an example.");
  } else if (events === 0) {
    out.push(
      isDocument(summary) ? DOCUMENT : "No line is a valid event: see Statistics for the reasons.",
    );
  } else if (known === 0 && hasRules) {
    out.push(
      "No event has a declared type. \u201cInfer declarations\u201d declares the types of your events.",
    );
  }
  if (times && times[0] >= SECONDS.from && times[1] <= SECONDS.to) {
    out.push(
      "All events are in January or February 1970. Are their times in seconds? " +
        "Set the unit under \u201cMore\u201d below the events.",
    );
  }
  if (late > 0) {
    out.push(
      `${counted(late, "event")} came after newer ones, and were skipped as late. ` +
        "\u201cLate by up to\u201d waits for them.",
    );
  }
  if (matches + timeouts > 0) return out;
  if (stillOpen > 0) {
    out.push(
      "Partial matches are open at the end of the events: see Open for what they wait for. " +
        "\u201cNothing comes after\u201d ends them.",
    );
  }
  if (summary.filtered + summary.suppressed > 0) {
    const left = counted(summary.filtered + summary.suppressed, "match", "matches");
    out.push(`${left} completed, but having or suppress filtered out all of them.`);
  } else if (hasRules && known > 0) {
    out.push(
      "Nothing matches. Select an event on the timeline and press \u201cWhy?\u201d: " +
        "it compares each step with the event.",
    );
  }
  return out;
}

const DOCUMENT =
  "These events are one JSON document over many lines, or one list. " +
  "Use one JSON object per line.";

/** True if the input seems to be JSON that is not one object a line. */
export function isDocument({ rejects }: Pick<Counts, "rejects">): boolean {
  const [first] = rejects;
  return first?.line === 1 && /^\s*(\[|\{\s*$)/.test(first.input);
}
