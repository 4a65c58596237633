/** Completions from the language's services. */
import type {
  CompletionContext,
  CompletionResult,
  Completion as Shown,
} from "@codemirror/autocomplete";
import { autocompletion, pickedCompletion } from "@codemirror/autocomplete";
import type { Extension } from "@codemirror/state";
import type { EditorView } from "@codemirror/view";
import { el } from "../common/dom.ts";
import { answerOr } from "../common/later.ts";
import type { Completion, LanguageServices } from "../data.ts";
import { markdown } from "../text/markdown.ts";
import { brief } from "../text/visible.ts";

/** The icons that CodeMirror has, by our kinds. */
const ICONS: Record<string, string> = {
  keyword: "keyword",
  event: "class",
  field: "property",
  rule: "interface",
  list: "constant",
  step: "variable",
  param: "variable",
  function: "function",
  file: "text",
  value: "constant",
};

/** Offers completions while a word is typed, behind a point, and on request. */
export function completions(language: LanguageServices): Extension {
  const source = async (context: CompletionContext): Promise<CompletionResult | null> => {
    if (!context.explicit && !context.matchBefore(/[\w$`.]$/)) return null;
    const text = context.state.doc.toString();
    const found = await answerOr(() => language.complete(text, context.pos), []);
    const [first] = found;
    if (context.aborted || !first) return null;
    return {
      from: Math.min(first.apply.start, context.pos),
      options: found.map((one) => shown(one, context.pos)),
      validFor: /^[\w$`]*$/,
    };
  };
  return autocompletion({ override: [source], icons: true, maxRenderedOptions: 100 });
}

function shown(of: Completion, pos: number): Shown {
  const { documentation, apply } = of;
  return {
    label: of.filter || of.label,
    displayLabel: brief(of.label, 60),
    detail: of.detail ? brief(of.detail, 60) : undefined,
    type: ICONS[of.kind] ?? "text",
    sortText: of.sort,
    info: documentation ? () => el("div", { class: "k-doc" }, markdown(documentation)) : undefined,
    apply(view: EditorView, completion: Shown, _from: number, to: number) {
      // What was typed since the completions were asked for is replaced too.
      const end = Math.max(apply.start, apply.end + (to - pos));
      view.dispatch({
        changes: {
          from: apply.start,
          to: Math.min(end, view.state.doc.length),
          insert: apply.text,
        },
        selection: { anchor: apply.start + apply.text.length },
        annotations: pickedCompletion.of(completion),
        userEvent: "input.complete",
        scrollIntoView: true,
      });
    },
  };
}
