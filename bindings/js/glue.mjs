// Makes of what wasm-bindgen writes a function that makes it anew for each instance.
//
// The glue keeps views of the module's memory and a registry of objects that are freed when they
// are collected. With one glue for all instances, an object of an instance that broke would be freed
// in the one that replaced it.

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const out = process.argv[2] ?? "pkg";
const source = readFileSync(join(out, "kleene_bg.js"), "utf8");

const names = [];
const body = source.replace(/^export (function|class|const) ([\w$]+)/gm, (_, kind, name) => {
  names.push(name);
  return `${kind} ${name}`;
});
// Each name is exported by itself, or all of them at the end.
const plain = body.replace(/^export \{([^}]*)\};?$/gm, (_, list) => {
  for (const one of list.split(",")) {
    const [name, as] = one.trim().split(/\s+as\s+/);
    if (name) {
      names.push(as && as !== name ? `${as}: ${name}` : name);
    }
  }
  return "";
});
if (/^(export|import) /m.test(plain)) {
  throw new Error("glue.mjs does not know this form of wasm-bindgen's output");
}
const isImport = (name) => name.startsWith("__wb") && name !== "__wbg_set_wasm";
const imports = names.filter((name) => isImport(name));
// What the module does on its start is no function of the package.
const exported = names.filter((name) => !name.startsWith("__wb") && name !== "start");

writeFileSync(
  join(out, "glue.js"),
  `// Made by glue.mjs of wasm-bindgen's output. Do not edit.

export function createGlue() {
${plain}
  return {
    ${exported.join(", ")},
    imports: { "./kleene_bg.js": { ${imports.join(", ")} } },
    adopt(exports) {
      __wbg_set_wasm(exports);
      exports.__wbindgen_start();
    },
    // Nothing is called any more, not even by what is collected later.
    retire() {
      __wbg_set_wasm(new Proxy({}, { get: () => () => 0 }));
    },
  };
}
`,
);
for (const unused of ["kleene.js", "kleene_bg.js"]) {
  rmSync(join(out, unused));
}
