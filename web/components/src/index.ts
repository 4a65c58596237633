/** The components of Kleene's pages. */
export type * from "./api.ts";
export { Automaton } from "./automaton/automaton.ts";
export * from "./data.ts";
export { EventDetails } from "./details/event-details.ts";
export { OutputDetails } from "./details/output-details.ts";
export { PartialsView } from "./details/partials-view.ts";
export { WhyView } from "./details/why-view.ts";
export { RuleEditor } from "./editor/rule-editor.ts";
export { OutputTable } from "./table/output-table.ts";
export { Timeline } from "./timeline/timeline.ts";
