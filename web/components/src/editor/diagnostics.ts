/** Shows diagnostics in the editor: underlined as one types, with help and fixes. */
import type { Action, Diagnostic as Shown } from "@codemirror/lint";
import { linter, lintGutter } from "@codemirror/lint";
import type { Extension, Text } from "@codemirror/state";
import type { EditorView } from "@codemirror/view";
import type { RuleEditorOptions } from "../api.ts";
import { button, el } from "../common/dom.ts";
import { answerOr } from "../common/later.ts";
import type { Diagnostic, Fix } from "../data.ts";
import { brief, visible } from "../text/visible.ts";

/** More than this says nothing more, and would slow the editor down. */
const MOST = 200;

/** Diagnostics of CodeMirror with ours inside, for the menu of fixes. */
export interface ShownDiagnostic extends Shown {
  of: Diagnostic;
}

/** Checks the text after a pause in typing. */
export function diagnostics(options: RuleEditorOptions): Extension {
  const source = async (view: EditorView): Promise<readonly Shown[]> => {
    const { doc } = view.state;
    const found = await answerOr(() => options.language.check(doc.toString()), []);
    // A later check shows what holds for a later text.
    if (view.state.doc !== doc) return [];
    options.onDiagnostics?.(found);
    return found.slice(0, MOST).map((one) => shown(one, doc, options));
  };
  return [linter(source, { delay: options.delay ?? 150 }), lintGutter()];
}

function shown(of: Diagnostic, doc: Text, options: RuleEditorOptions): ShownDiagnostic {
  const from = Math.min(of.start, doc.length);
  const to = Math.min(Math.max(of.end, from), doc.length);
  return {
    of,
    from,
    to,
    severity: of.severity,
    source: of.code,
    message: [of.message, of.label, of.help].filter(Boolean).join(". "),
    renderMessage: () => message(of, options),
    actions: of.fixes.map(action),
  };
}

function action(fix: Fix): Action {
  return { name: brief(fix.title, 60), apply: (view) => applyFix(view, fix) };
}

/** Makes the changes of a fix in one step that can be undone. */
export function applyFix(view: EditorView, fix: Fix): void {
  const { length } = view.state.doc;
  const edits = fix.edits.filter((edit) => edit.start <= edit.end && edit.end <= length);
  view.dispatch({
    changes: edits.map((edit) => ({ from: edit.start, to: edit.end, insert: edit.text })),
    userEvent: "input.fix",
    scrollIntoView: true,
  });
  view.focus();
}

/** A diagnostic in words: message, what was found, other places, help. */
export function message(of: Diagnostic, options: Pick<RuleEditorOptions, "onCode">): HTMLElement {
  const { onCode } = options;
  const code = onCode
    ? button({ class: "k-code", title: "Meaning of this code" }, () => onCode(of.code), of.code)
    : el("span", { class: "k-code" }, of.code);
  return el(
    "div",
    { class: "k-diagnostic", role: "status" },
    el("p", { class: "k-message" }, code, " ", visible(of.message)),
    of.label ? el("p", { class: "k-label" }, visible(of.label)) : null,
    ...of.related.map((place) => el("p", { class: "k-note" }, `note: ${visible(place.message)}`)),
    of.help ? el("p", { class: "k-help" }, `help: ${visible(of.help)}`) : null,
  );
}
