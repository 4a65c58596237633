declare module "virtual:examples" {
  import type { RunSettings } from "./share.ts";

  export interface Example {
    id: string;
    field: string;
    title: string;
    sentence: string;
    settings: RunSettings;
    /** The name of the file with the events. */
    data: string;
    /** The addresses of the rules and of the events. */
    rules: string;
    events: string;
  }
  const examples: Example[];
  export default examples;
}

declare module "kleene-wasm-file?url" {
  const address: string;
  export default address;
}
