/** The components of Kleene's pages. */
export type * from "./api.ts";
export { Automaton } from "./automaton/automaton.ts";
export type { Attributes, Child } from "./common/dom.ts";
export { append, button, el, setAttribute, uniqueId } from "./common/dom.ts";
export * from "./data.ts";
export { EventDetails } from "./details/event-details.ts";
export { OutputDetails } from "./details/output-details.ts";
export { PartialsView } from "./details/partials-view.ts";
export { WhyView } from "./details/why-view.ts";
export { RuleEditor } from "./editor/rule-editor.ts";
export { OutputTable } from "./table/output-table.ts";
export { longText } from "./text/long-text.ts";
export { markdown } from "./text/markdown.ts";
export { formatDuration, formatTime, plural } from "./text/time.ts";
export { fieldList, jsonOf, recordText, withCode } from "./text/values.ts";
export { brief, head, visible } from "./text/visible.ts";
export { Timeline } from "./timeline/timeline.ts";
