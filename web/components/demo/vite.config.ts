/** Builds the demo, and serves it as strictly as a page of ours may be served. */
import { defineConfig } from "vite";

/** The strictest policy that a page of ours is served with. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

export default defineConfig({
  base: "./",
  build: { outDir: "../dist", emptyOutDir: true, target: "es2022", chunkSizeWarningLimit: 900 },
  preview: { host: "127.0.0.1", headers: { "Content-Security-Policy": POLICY } },
});
