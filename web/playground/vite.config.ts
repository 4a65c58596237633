import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";
import { examples } from "./scripts/examples-plugin.mjs";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const pkg = process.env.PLAYGROUND_PACKAGE ?? at("../../bindings/js");

export default defineConfig({
  // Relative addresses: the page works under any path of any static server.
  base: "./",
  resolve: {
    alias: [
      { find: /^kleene$/, replacement: `${pkg}/${process.env.VITEST ? "node" : "index"}.js` },
      { find: /^kleene-wasm-file(?=\?)/, replacement: `${pkg}/pkg/kleene_bg.wasm` },
    ],
  },
  plugins: [examples(at("../..")), preloads(), withoutPolicy()],
  build: {
    outDir: process.env.PLAYGROUND_OUT ?? at("../../docs/playground"),
    emptyOutDir: true,
    target: "es2022",
    // No `data:` addresses, which the page's policy forbids.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
    // Of the packages that are part of the page.
    license: { fileName: "licenses.txt" },
  },
  worker: { format: "es" },
  server: { fs: { allow: [at("../.."), pkg] } },
  test: { include: ["test/*.test.ts"], testTimeout: 60_000 },
});

/** The server of `npm run dev` writes styles and scripts into the page, which its policy forbids. */
function withoutPolicy(): Plugin {
  return {
    name: "kleene-without-policy",
    apply: "serve",
    transformIndexHtml: (html) =>
      html.replace(/<meta\s+http-equiv="Content-Security-Policy"[^>]*>/, ""),
  };
}

/** Lets the browser fetch the engine and the page's larger part before the first script asks. */
function preloads(): Plugin {
  return {
    name: "kleene-preloads",
    apply: "build",
    transformIndexHtml: {
      order: "post",
      handler(_, { bundle = {} }) {
        const named = (pattern: RegExp) => Object.keys(bundle).find((name) => pattern.test(name));
        const [wasm, app] = [named(/\.wasm$/), named(/\/app-[^/]*\.js$/)];
        if (!wasm || !app) throw new Error("the bundle has no engine or no app");
        const fetched = { rel: "preload", as: "fetch", type: "application/wasm", crossorigin: "" };
        return [
          { tag: "link", attrs: { ...fetched, href: `./${wasm}` }, injectTo: "head" },
          { tag: "link", attrs: { rel: "modulepreload", crossorigin: "", href: `./${app}` } },
        ];
      },
    },
  };
}
