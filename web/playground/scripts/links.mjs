// Writes the share link of each rule below its block in README.md and docs/*.md.
//
//   npm run links                    writes the links of rules that changed
//   npm run links -- --check         fails if one is missing, stale or too many
//   npm run links -- --base ADDRESS  for a page that stands elsewhere than in docs/playground
//
// A block is a rule file, or a part of one (tests/docs.rs says which words behind its fence mean
// what). The link opens the whole file, with the text of the files that it uses in their place, and
// shows the events of the block's first test. Without a test it shows the events of `data=FILE`.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, posix, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { runnerImport } from "vite";

const here = dirname(fileURLToPath(import.meta.url));
export const ROOT = join(here, "../../..");
/** Where the page stands, from the root of the repository. */
const PAGE = "docs/playground/index.html";
const TEXT = "Open in the playground";
const LINE = new RegExp(`^\\[${TEXT}\\]\\[play-[\\w-]+\\]$`);
const MARK =
  "<!-- The playground opens these rules. Made by `npm run links` in web/playground. -->";

/** The pages with rules, from the root of the repository. */
export function pages(root) {
  const docs = readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md"));
  return ["README.md", ...docs.sort().map((name) => `docs/${name}`)];
}

/** The share codec of the page. */
export async function codec() {
  const { module } = await runnerImport(join(here, "../src/share.ts"), {
    configFile: false,
    logLevel: "error",
  });
  return module;
}

/**
 * A page's text with the links that it should have, and what each of them opens.
 *
 * @param {string} root the repository
 * @param {string} name the path of the page
 * @param {string} text
 * @param {{ encodeShare(shared: import("../src/share.ts").Shared): string, base?: string }} how
 */
export function linked(root, name, text, { encodeShare, base }) {
  const kept = withoutLinks(text);
  const out = [];
  const found = [];
  const files = new Map();
  let block = null;
  for (const [index, line] of kept.split("\n").entries()) {
    out.push(line);
    if (block && line.trim() === block.fence) {
      const shared = block.language === "cep" ? sharedOf(root, block, files) : null;
      if (shared) {
        const fragment = encodeShare(shared.value);
        const same = found.find((one) => one.fragment === fragment);
        const label = same?.label ?? unique(found, shared.label);
        const { attributes, line } = block;
        found.push({ label, fragment, value: shared.value, attributes, line });
        out.push(`[${TEXT}][play-${label}]`);
      } else if (block.language !== "cep") {
        remember(block, files);
      }
      block = null;
    } else if (block) {
      block.lines.push(line.slice(block.indent));
    } else {
      block = opened(line, index + 1);
    }
  }
  if (found.length === 0) return { text: kept, found };
  const page = base ?? relativePage(name);
  const definitions = new Set(
    found.map(({ label, fragment }) => `[play-${label}]: ${page}#${fragment}`),
  );
  const end = ["", MARK, "", ...definitions, ""];
  return { text: `${out.join("\n").trimEnd()}\n${end.join("\n")}`, found };
}

function relativePage(name) {
  return posix.normalize(relative(dirname(join("/", name)), join("/", PAGE)).replaceAll("\\", "/"));
}

/** The text without the links that this script wrote before. */
export function withoutLinks(text) {
  const at = text.indexOf(`\n${MARK}\n`);
  const body = at < 0 ? text : `${text.slice(0, at).trimEnd()}\n`;
  return body
    .split("\n")
    .filter((line) => !LINE.test(line))
    .join("\n");
}

function opened(line, number) {
  const [, space, fence, rest] = /^(\s*)(`{3,})([^`]*)$/.exec(line) ?? [];
  if (fence === undefined) return null;
  const [language = "", ...words] = rest.trim().split(/\s+/);
  const attributes = Object.fromEntries(
    words.map((word) => [word.split("=")[0], word.split("=")[1] ?? ""]),
  );
  return { fence, language, attributes, indent: space.length, lines: [], line: number };
}

/** Adds a named block to the file of that name. */
function remember({ attributes, lines }, files) {
  const text = lines.map((line) => `${line}\n`).join("");
  if (attributes.file === undefined) return text;
  const before = attributes.append === undefined ? "" : `${files.get(attributes.file) ?? ""}\n`;
  files.set(attributes.file, before + text);
  return before + text;
}

/** What the link of a block opens, or null if it has no rule. */
function sharedOf(root, block, files) {
  const own = block.lines.join("\n");
  const { part, data } = block.attributes;
  const file = remember(block, files);
  const text = part ? readFileSync(join(root, part), "utf8") : file;
  const rules = inlined(text, files);
  // A block without a rule is named by the last one of its file; one without any has no link.
  const names = [
    ...own.matchAll(/^[ \t]*rule\s+(\w+)/gm),
    ...own.matchAll(/^[ \t]*test\s+(\w+)/gm),
  ];
  const rule = names[0]?.[1];
  if (!rule) return null;
  /** @type {import("../src/share.ts").Shared} */
  const value = { rules };
  const isMistake = block.attributes.error !== undefined;
  const test = isMistake ? -1 : firstTest(rules, own);
  if (test >= 0) value.test = test;
  else if (data) value.events = readFileSync(join(root, data), "utf8");
  const isOnly = [...rules.matchAll(/^[ \t]*rule\s+\w+/gm)].length < 2;
  if (!isOnly && !isMistake) value.rule = rule;
  return { label: rule.replaceAll("_", "-"), value };
}

/** The number of the block's first test among all of the file; of the file's first one if it has none. */
function firstTest(rules, own) {
  const tests = [...rules.matchAll(/^[ \t]*test\s+\w+\s*\{/gm)];
  if (tests.length === 0) return -1;
  if (!/^[ \t]*test\s+\w+\s*\{/m.test(own)) return 0;
  const start = rules.indexOf(own.trimEnd());
  return start < 0 ? 0 : tests.findIndex(({ index }) => index >= start);
}

/** Rules with the text of the files that they use in their place, and the entries of lists. */
function inlined(text, files) {
  const rules = text.replace(/^use "([^"]+)"\n(\n?)/gm, (whole, name, space) => {
    const file = files.get(name);
    return file === undefined ? whole : `${inlined(file, files).trimEnd()}\n${space}`;
  });
  return rules.replace(/^(list .*) from "([^"]+)"$/gm, (whole, start, name) => {
    const lines = files.get(name)?.split("\n");
    const entries = lines?.map((line) => line.replace(/#.*/, "").trim()).filter(Boolean);
    return entries ? `${start} = ${JSON.stringify(entries).replaceAll(",", ", ")}` : whole;
  });
}

function unique(found, label) {
  const taken = new Set(found.map((one) => one.label));
  if (!taken.has(label)) return label;
  let number = 2;
  while (taken.has(`${label}-${number}`)) number += 1;
  return `${label}-${number}`;
}

/** The pages whose links are not as they should be. */
export async function stale(root, base) {
  const share = await codec();
  return pages(root).flatMap((name) => {
    const text = readFileSync(join(root, name), "utf8");
    const right = linked(root, name, text, { ...share, base });
    return right.text === text ? [] : [{ name, text: right.text }];
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const words = process.argv.slice(2);
  const at = words.indexOf("--base");
  const found = await stale(ROOT, at < 0 ? undefined : words[at + 1]);
  if (words.includes("--check")) {
    for (const { name } of found) {
      console.error(
        `${name}: its links are stale: \`npm run links\` in web/playground writes them`,
      );
    }
    process.exitCode = found.length > 0 ? 1 : 0;
  } else {
    for (const { name, text } of found) {
      writeFileSync(join(ROOT, name), text);
      console.log(`${name}: links written`);
    }
  }
}
