// The examples of the menu: each rule file of `patterns/` with the data that its first command names.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What the fields are called in the menu, by their folders. */
const FIELDS = {
  ads: "Ads",
  fraud: "Fraud",
  iot: "Sensors and machines",
  market: "Markets",
  ops: "Operations",
  security: "Security",
  shop: "Shop",
};

/** The options of commands that an example may use, and the settings of the page they are. */
const OPTIONS = {
  "--out-of-order": (settings, value) => ({ ...settings, outOfOrder: value }),
  "--type": (settings, value) => ({ ...settings, type: value }),
  "--type-field": (settings, value) => ({ ...settings, typeField: value }),
  "--end-of-time": (settings) => ({ ...settings, endOfTime: true }),
};
const FLAGS = ["--end-of-time"];

/**
 * All examples, in the order of the menu. Throws if a file does not say what the page needs.
 *
 * @param {string} root the repository
 */
export function examples(root) {
  const fields = readdirSync(join(root, "patterns"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
  return fields.flatMap((field) => {
    if (!FIELDS[field])
      throw new Error(`patterns/${field}: scripts/examples.mjs has no name for it`);
    const files = readdirSync(join(root, "patterns", field)).filter((name) =>
      name.endsWith(".cep"),
    );
    return files.sort().map((name) => {
      const path = `patterns/${field}/${name}`;
      const text = readFileSync(join(root, path), "utf8");
      const stem = name.slice(0, -".cep".length);
      return {
        id: `${field}/${stem}`,
        field: FIELDS[field],
        title: titled(stem),
        ...header(path, text),
      };
    });
  });
}

/** The sentence and the command in the first lines of a rule file. */
export function header(path, text) {
  const lines = text.split("\n");
  const end = lines.findIndex((line) => !line.startsWith("#"));
  const comment = lines.slice(0, end).map((line) => line.replace(/^# ?/, ""));
  const blank = comment.indexOf("");
  const sentence = comment.slice(0, blank).join(" ").trim();
  const command = comment
    .slice(blank)
    .join("\n")
    .replace(/\\\n\s*/g, " ")
    .split("\n")
    .map((line) => line.trim())
    .find((line) => line.startsWith("kleene run "));
  if (!sentence || !command) {
    throw new Error(`${path}: the first lines are no sentence, an empty line and a command`);
  }
  return { rules: path, sentence, ...parsed(path, command.split(/\s+/).slice(2)) };
}

function parsed(path, words) {
  let [events, settings] = [null, {}];
  if (words.shift() !== path) throw new Error(`${path}: its command runs another file`);
  while (words.length > 0) {
    const option = words.shift();
    const value = FLAGS.includes(option) ? true : words.shift();
    if (option === "--input") events = value;
    else if (OPTIONS[option]) settings = OPTIONS[option](settings, value);
    else
      throw new Error(`${path}: the playground does not know the option ${option} of its command`);
  }
  if (!events?.startsWith("examples/data/")) throw new Error(`${path}: its command names no data`);
  return { events, settings };
}

function titled(stem) {
  const words = stem.replaceAll("_", " ");
  return (words[0].toUpperCase() + words.slice(1)).replace("Mfa", "MFA").replace("Ssh", "SSH");
}
