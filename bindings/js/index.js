// Kleene in browsers and workers. `await init()` comes first.

import { instantiate, isReady } from "./core.js";

export {
  Engine, Explorer, KleeneError, check, complete, explain, explainCode, format, hasTimeZones, hover,
  infer, memorySize, run, test, testEvents, version, why,
} from "./core.js";

let compiled;

export default async function init(source) {
  if (isReady()) {
    return;
  }
  compiled ??= compile(source ?? new URL("./pkg/kleene_bg.wasm", import.meta.url));
  try {
    await instantiate(await compiled);
  } catch (error) {
    // Another call may name another source.
    compiled = undefined;
    throw error;
  }
}

async function compile(source) {
  const given = await source;
  if (given instanceof WebAssembly.Module) {
    return given;
  }
  if (given instanceof ArrayBuffer || ArrayBuffer.isView(given)) {
    return WebAssembly.compile(given);
  }
  const response = given instanceof Response ? given : await fetch(given);
  if (!response.ok) {
    throw new Error(`the module cannot be loaded: ${response.status} ${response.url}`);
  }
  // Servers that do not know the type of the file cannot be streamed from.
  if (response.headers.get("content-type")?.startsWith("application/wasm")) {
    return WebAssembly.compileStreaming(response);
  }
  return WebAssembly.compile(await response.arrayBuffer());
}
