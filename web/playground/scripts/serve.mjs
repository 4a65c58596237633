// Serves a folder under a path, on this machine only: `node scripts/serve.mjs FOLDER [PORT] [/PATH/]`.

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize, sep } from "node:path";
import { fileURLToPath } from "node:url";

const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

/** Starts a server; gives its address and what stops it. */
export async function serve(folder, { port = 0, path = "/" } = {}) {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const missing = (status) => response.writeHead(status).end(`${status}`);
    if (request.method !== "GET" && request.method !== "HEAD") return missing(405);
    if (!pathname.startsWith(path)) return missing(404);
    let name;
    try {
      name = normalize(decodeURIComponent(pathname.slice(path.length)) || "index.html");
    } catch {
      return missing(400);
    }
    if (name.startsWith("..") || name.startsWith(sep)) return missing(404);
    const file = join(folder, name.endsWith(sep) ? join(name, "index.html") : name);
    const found = await stat(file).catch(() => null);
    if (!found?.isFile()) return missing(404);
    response.writeHead(200, {
      "content-type": TYPES[extname(file)] ?? "application/octet-stream",
      "content-length": found.size,
      "cache-control": "no-store",
    });
    if (request.method === "HEAD") return response.end();
    createReadStream(file, { highWaterMark: 1 << 20 })
      .on("error", () => response.destroy())
      .pipe(response);
  });
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const stop = () =>
    new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  return { address: `http://127.0.0.1:${server.address().port}${path}`, stop };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder = "../../docs/playground", port = "8080", path = "/"] = process.argv.slice(2);
  const { address } = await serve(folder, { port: Number(port), path });
  console.log(`${folder} is at ${address}; Ctrl+C ends it`);
}
