/** The meaning of the name under the pointer, or at the cursor by a key. */
import { highlightingFor } from "@codemirror/language";
import type { Extension } from "@codemirror/state";
import type { EditorView } from "@codemirror/view";
import { hoverTooltip } from "@codemirror/view";
import { el } from "../common/dom.ts";
import { answerOr } from "../common/later.ts";
import type { Hover, LanguageServices } from "../data.ts";
import { CEP, tagOf } from "../grammar/cep.ts";
import { markdown } from "../text/markdown.ts";
import { openTooltip } from "./tooltip.ts";

/** Shows hovers of the services. */
export function hover(language: LanguageServices): Extension {
  return hoverTooltip(async (view, pos) => {
    const text = view.state.doc.toString();
    const found = await answerOr(() => language.hover(text, pos), null);
    if (!found || found.start > view.state.doc.length) return null;
    const end = Math.min(found.end, view.state.doc.length);
    return { pos: found.start, end, above: true, create: () => ({ dom: content(view, found) }) };
  });
}

/** Shows the meaning of the name at the cursor. */
export function hoverHere(language: LanguageServices): (view: EditorView) => boolean {
  return (view) => {
    void show(view);
    return true;
  };

  async function show(view: EditorView): Promise<void> {
    const { doc, selection } = view.state;
    const text = doc.toString();
    const found = await answerOr(() => language.hover(text, selection.main.head), null);
    if (found && view.state.doc === doc) {
      openTooltip(view, Math.min(found.start, doc.length), () => {
        const dom = content(view, found);
        dom.setAttribute("role", "status");
        return dom;
      });
    }
  }
}

function content(view: EditorView, found: Hover): HTMLElement {
  return el(
    "div",
    { class: "k-doc" },
    markdown(found.markdown, (text) => coloured(view, text)),
  );
}

/** Code in the colours of the editor. */
function coloured(view: EditorView, text: string): Node {
  const out = document.createDocumentFragment();
  for (const [index, line] of text.split("\n").entries()) {
    if (index > 0) out.append("\n");
    let at = 0;
    for (const token of CEP.tokens(line)) {
      out.append(line.slice(at, token.start));
      const tag = tagOf(token.scope);
      const style = tag && highlightingFor(view.state, [tag]);
      out.append(el("span", { class: style }, line.slice(token.start, token.end)));
      at = token.end;
    }
    out.append(line.slice(at));
  }
  return out;
}
