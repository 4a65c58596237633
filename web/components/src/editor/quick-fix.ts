/** The menu of fixes at the cursor, opened by a key. */
import { forEachDiagnostic } from "@codemirror/lint";
import type { EditorView } from "@codemirror/view";
import { button, el } from "../common/dom.ts";
import type { Fix } from "../data.ts";
import { brief } from "../text/visible.ts";
import type { ShownDiagnostic } from "./diagnostics.ts";
import { applyFix } from "./diagnostics.ts";
import { closeTooltip, openTooltip } from "./tooltip.ts";

/** Takes the only fix for the cursor's line, or opens a menu of several. False if there is none. */
export function quickFix(view: EditorView): boolean {
  const fixes = fixesNear(view);
  const [only] = fixes;
  if (!only) return false;
  if (fixes.length === 1) applyFix(view, only);
  else openTooltip(view, view.state.selection.main.head, () => menu(view, fixes));
  return true;
}

/** The fixes of diagnostics at the cursor; of its whole line if none is right there. */
function fixesNear(view: EditorView): Fix[] {
  const { head } = view.state.selection.main;
  const line = view.state.doc.lineAt(head);
  const here: Fix[] = [];
  const onLine: Fix[] = [];
  forEachDiagnostic(view.state, (diagnostic, from, to) => {
    const { of } = diagnostic as ShownDiagnostic;
    if (from <= head && head <= to) here.push(...of.fixes);
    else if (from <= line.to && to >= line.from) onLine.push(...of.fixes);
  });
  return here.length > 0 ? here : onLine;
}

function menu(view: EditorView, fixes: readonly Fix[]): HTMLElement {
  const items = fixes.map((fix) =>
    button({ role: "menuitem", tabindex: -1 }, () => take(fix), brief(fix.title, 100)),
  );
  const list = el("div", { class: "k-fixes", role: "menu", "aria-label": "Fixes" }, ...items);
  list.addEventListener("keydown", (event) => {
    const at = items.indexOf((list.getRootNode() as ShadowRoot).activeElement as HTMLButtonElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) items[(at + step + items.length) % items.length]?.focus();
    else if (event.key === "Escape" || event.key === "Tab") closeTooltip(view);
    else return;
    event.preventDefault();
  });
  // The tooltip has to be in the page before it can have the focus.
  requestAnimationFrame(() => items[0]?.focus());
  return list;

  function take(fix: Fix): void {
    closeTooltip(view);
    applyFix(view, fix);
  }
}
