/** How many events a step takes so that it lasts about as long as wanted. */
export class StepSize {
  #count: number;

  constructor(
    private readonly wanted = 12,
    first = 256,
    private readonly most = 65_536,
  ) {
    this.#count = first;
  }

  get count(): number {
    return this.#count;
  }

  /** Records how many milliseconds a step of `count` events took. */
  took(milliseconds: number): void {
    const factor = Math.min(4, Math.max(0.1, this.wanted / Math.max(milliseconds, 0.01)));
    this.#count = Math.round(Math.min(this.most, Math.max(1, this.#count * factor)));
  }
}

/** Ends in a task of its own, so that waiting messages are read before. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** The first bytes of a file, unpacked if they are gzip: at most `limit` bytes. */
export async function sample(file: Blob, limit: number): Promise<Uint8Array> {
  const magic = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  if (magic[0] !== 0x1f || magic[1] !== 0x8b) {
    return new Uint8Array(await file.slice(0, limit).arrayBuffer());
  }
  const reader = file.stream().pipeThrough(new DecompressionStream("gzip")).getReader();
  const parts: Uint8Array[] = [];
  let total = 0;
  try {
    while (total < limit) {
      const { done, value } = await reader.read();
      if (done) break;
      parts.push(value);
      total += value.length;
    }
  } catch {
    // Damaged gzip: the engine says so with the whole file; here is what could be read.
  } finally {
    reader.cancel().catch(() => undefined);
  }
  const out = new Uint8Array(Math.min(total, limit));
  let at = 0;
  for (const part of parts) {
    out.set(part.subarray(0, out.length - at), at);
    at += Math.min(part.length, out.length - at);
  }
  return out;
}

/** Bytes up to the last end of a line; all of them if they hold none. */
export function wholeLines(bytes: Uint8Array): Uint8Array {
  const end = bytes.lastIndexOf(10);
  return end < 0 ? bytes : bytes.subarray(0, end + 1);
}
