/** Why the package refuses something, as the page says it. */
import { visible } from "kleene-components";

/** A reason of the package in the words of the page, which has fields for options. */
export function inPageWords(reason: string): string {
  const more = "under \u201cMore\u201d";
  return visible(reason, "keep")
    .replace(/with `type` \(`type: "([^"`]*)"`\)/, "with \u201cType\u201d (`$1`)")
    .replace(/^outOfOrder:/, "\u201cLate by up to\u201d:")
    .replaceAll(" (`format` csv)", "")
    .replaceAll("(`type`)", "(\u201cType\u201d)")
    .replaceAll("with `type`", "with \u201cType\u201d")
    .replaceAll("`typeField`", `\u201cType field\u201d ${more}`)
    .replace(/`timeUnit: "(\w+)"`/g, `\u201cTimes in\u201d $1, ${more}`)
    .replaceAll("`timeUnit`", `\u201cTimes in\u201d, ${more},`);
}
