/** The components of Kleene's pages. */
export type * from "./api.ts";
export * from "./data.ts";
