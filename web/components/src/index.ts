/** The components of Kleene's pages. */
export type * from "./api.ts";
export * from "./data.ts";
export { RuleEditor } from "./editor/rule-editor.ts";
export { Timeline } from "./timeline/timeline.ts";
