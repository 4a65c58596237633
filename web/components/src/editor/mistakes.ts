/** Goes from mistake to mistake by a key, and says what each is. */
import { forEachDiagnostic, nextDiagnostic, previousDiagnostic } from "@codemirror/lint";
import type { Command, EditorView } from "@codemirror/view";
import type { RuleEditorOptions } from "../api.ts";
import { el } from "../common/dom.ts";
import type { Diagnostic } from "../data.ts";
import type { ShownDiagnostic } from "./diagnostics.ts";
import { message } from "./diagnostics.ts";
import { openTooltip } from "./tooltip.ts";

/** A command that goes to the next or previous mistake, and shows it beside the text. */
export function goToMistake(direction: "next" | "previous", options: RuleEditorOptions): Command {
  const go = direction === "next" ? nextDiagnostic : previousDiagnostic;
  return (view) => {
    if (!go(view)) return false;
    const found = selectedMistakes(view);
    if (found.length > 0) {
      openTooltip(view, view.state.selection.main.from, () => describe(found, options));
    }
    return true;
  };
}

/** The diagnostics of exactly what is selected. */
function selectedMistakes(view: EditorView): Diagnostic[] {
  const { from, to } = view.state.selection.main;
  const found: Diagnostic[] = [];
  forEachDiagnostic(view.state, (diagnostic, start, end) => {
    if (start === from && end === to) found.push((diagnostic as ShownDiagnostic).of);
  });
  return found;
}

function describe(found: readonly Diagnostic[], options: RuleEditorOptions): HTMLElement {
  const canFix = found.some((one) => one.fixes.length > 0);
  return el(
    "div",
    { class: "k-doc k-mistake", role: "status" },
    ...found.map((one) => message(one, options)),
    canFix ? el("p", { class: "k-help" }, "Ctrl+. mends it") : null,
  );
}
