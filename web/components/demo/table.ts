/** Outputs for the table: those of the timeline under the names of two rules. */
import type { OutputTableData, TimelineData } from "../src/index.ts";

/** Gives all outputs to one rule, and a tenth of them to another as well. */
export function outputsOf(data: TimelineData): OutputTableData {
  const { lanes, outputs } = data;
  const few = Math.floor(outputs.kind.length / 10);
  const some = {
    kind: outputs.kind.slice(0, few),
    lane: outputs.lane.slice(0, few),
    start: outputs.start.slice(0, few),
    end: outputs.end.slice(0, few),
  };
  return {
    rules: [
      { rule: "unpaid_order", lanes, outputs },
      { rule: "returned \u202e<b>", lanes, outputs: some },
    ],
    emits: async (rows) => rows.map((row) => `{ amount: ${row.index * 3}, rule: "${row.rule}" }`),
  };
}
