// Makes `virtual:examples`: the list of examples, with the addresses of their rules and data. It is
// made of the repository's files with each build, so that it cannot go stale.

import { join } from "node:path";
import { examples as all } from "./examples.mjs";

const ID = "virtual:examples";

/** @param {string} root the repository */
export function examples(root) {
  return {
    name: "kleene-examples",
    resolveId: (id) => (id === ID ? `\0${ID}` : null),
    load(id) {
      if (id !== `\0${ID}`) return null;
      const list = all(root);
      const files = [...new Set(list.flatMap((example) => [example.rules, example.events]))];
      const name = (path) => `file${files.indexOf(path)}`;
      const imports = files.map(
        (path) => `import ${name(path)} from ${JSON.stringify(`${join(root, path)}?url`)};`,
      );
      const items = list.map(({ rules, events, ...rest }) => {
        const text = JSON.stringify({ ...rest, data: events.split("/").pop() });
        return `{ ...${text}, rules: ${name(rules)}, events: ${name(events)} }`;
      });
      return `${imports.join("\n")}\nexport default [\n${items.join(",\n")}\n];\n`;
    },
  };
}
