/**
 * What the package `kleene` gives fits the components: `npm run check` compiles this file, and fails
 * where a type of the package is not one that a component takes. Only the types are read.
 */
import type * as kleene from "../../../bindings/js/index.d.ts";
import type * as ours from "../src/data.ts";

type Fits<Given extends Wanted, Wanted> = [Given, Wanted];

/** Each pair compiles only if the first fits the second. */
export type Checked = [
  Fits<kleene.Diagnostic, ours.Diagnostic>,
  Fits<kleene.Completion, ours.Completion>,
  Fits<kleene.Hover, ours.Hover>,
  Fits<kleene.EventColumns, ours.EventColumns>,
  Fits<kleene.OutputColumns, ours.OutputColumns>,
  Fits<kleene.EventItem, ours.EventItem>,
  Fits<kleene.OutputItem, ours.OutputItem>,
  Fits<kleene.OpenAt, ours.OpenAt>,
  Fits<kleene.WhyStory, ours.WhyStory>,
];
