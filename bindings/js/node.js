// Kleene in Node: ready when it is imported.

import { readFileSync } from "node:fs";

import { instantiateSync, isReady } from "./core.js";

export {
  Engine, Explorer, KleeneError, check, complete, explain, explainCode, format, hasTimeZones, hover,
  infer, memorySize, run, test, testEvents, version, why,
} from "./core.js";

const compiled = new WebAssembly.Module(
  readFileSync(new URL("./pkg/kleene_bg.wasm", import.meta.url)),
);
instantiateSync(compiled);

/** Loads the module anew if it broke. */
export default async function init() {
  if (!isReady()) {
    instantiateSync(compiled);
  }
}
