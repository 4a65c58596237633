/**
 * Shows the little Markdown that hovers and completions have: paragraphs, fenced code, lists, code in
 * back-quotes, bold and italic. Everything else stays text. Markup in it is never HTML.
 */
import { el } from "../common/dom.ts";
import { visible } from "./visible.ts";

/** Makes elements of Markdown. `code` shows a fenced block; without it the block is plain text. */
export function markdown(text: string, code?: (text: string) => Node): DocumentFragment {
  const out = document.createDocumentFragment();
  const parts = text.split(/^```.*$/m);
  for (const [index, part] of parts.entries()) {
    const body = part.replace(/^\n+|\n+$/g, "");
    if (!body) continue;
    if (index % 2 === 1) {
      out.append(el("pre", {}, code ? code(visible(body, "keep")) : visible(body, "keep")));
    } else {
      for (const block of body.split(/\n{2,}/)) out.append(blockOf(block));
    }
  }
  return out;
}

function blockOf(block: string): HTMLElement {
  const lines = block.split("\n");
  if (lines.every((line) => /^\s*[-*] /.test(line))) {
    return el(
      "ul",
      {},
      ...lines.map((line) => el("li", {}, inline(line.replace(/^\s*[-*] /, "")))),
    );
  }
  return el("p", {}, inline(lines.join(" ")));
}

function inline(text: string): DocumentFragment {
  const out = document.createDocumentFragment();
  const pattern = /`([^`]+)`|\*\*([^*]+)\*\*|\*([^*\s][^*]*)\*/g;
  let at = 0;
  for (const match of text.matchAll(pattern)) {
    out.append(visible(text.slice(at, match.index)));
    const [whole, code, bold, italic] = match;
    if (code !== undefined) out.append(el("code", {}, visible(code)));
    else if (bold !== undefined) out.append(el("strong", {}, visible(bold)));
    else out.append(el("em", {}, visible(italic ?? "")));
    at = match.index + whole.length;
  }
  out.append(visible(text.slice(at)));
  return out;
}
