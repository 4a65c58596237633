/** What to try when a run found less than its reader may have hoped for. */
import type { Summary } from "kleene";
import { counted } from "./page.ts";

type Counts = Pick<
  Summary,
  "events" | "matches" | "timeouts" | "late" | "rejected" | "unknown" | "stillOpen" | "rules"
>;

/** Hints in the words of the page. */
export function hints(summary: Counts): string[] {
  const { events, matches, timeouts, late, rejected, unknown, stillOpen } = summary;
  const out: string[] = [];
  if (summary.rules.length === 0) {
    out.push("There is no rule yet. The tour shows how one is written.");
  }
  if (events + rejected === 0) {
    out.push("There are no events. Type or paste some, open a file, or choose an example.");
  } else if (events === 0) {
    out.push("No line could be read as an event: Statistics says why.");
  } else if (unknown === events) {
    out.push(
      "No event is of a type that the rules declare. \u201cInfer declarations\u201d writes declarations of what is there.",
    );
  }
  if (late > 0) {
    out.push(
      `${counted(late, "event")} came after newer ones and were left out as late. ` +
        "\u201cLate by up to\u201d waits for them.",
    );
  }
  if (stillOpen > 0 && matches + timeouts === 0) {
    out.push(
      `${counted(stillOpen, "partial match", "partial matches")} wait for more than the events have. ` +
        "\u201cNothing comes after\u201d ends them, so that timeouts are reported.",
    );
  }
  return out;
}
