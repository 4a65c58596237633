/** The WebAssembly module of the engine. */
import wasm from "kleene-wasm-file?url";

/** Loads and compiles the module, once for both workers. */
export async function compiled(): Promise<WebAssembly.Module> {
  const answer = await fetch(wasm);
  if (!answer.ok) {
    throw new Error(`the engine could not be loaded: ${answer.status} for ${wasm}`);
  }
  if (answer.headers.get("content-type")?.startsWith("application/wasm")) {
    return WebAssembly.compileStreaming(answer);
  }
  // Small servers do not know the type.
  return WebAssembly.compile(await answer.arrayBuffer());
}
