/** A tooltip that a key opens: the meaning of a name, or a menu of fixes. Escape closes it. */

import type { Extension } from "@codemirror/state";
import { StateEffect, StateField } from "@codemirror/state";
import type { EditorView, Tooltip } from "@codemirror/view";
import { keymap, showTooltip } from "@codemirror/view";

const setTooltip = StateEffect.define<Tooltip | null>();

const field = StateField.define<Tooltip | null>({
  create: () => null,
  update(tooltip, transaction) {
    for (const effect of transaction.effects) if (effect.is(setTooltip)) return effect.value;
    return transaction.docChanged || transaction.selection ? null : tooltip;
  },
  provide: (of) => showTooltip.from(of),
});

/** Opens a tooltip at a place of the text. */
export function openTooltip(view: EditorView, pos: number, make: () => HTMLElement): void {
  const tooltip: Tooltip = { pos, above: false, arrow: false, create: () => ({ dom: make() }) };
  view.dispatch({ effects: setTooltip.of(tooltip) });
}

/** Closes the tooltip. False if none was open. */
export function closeTooltip(view: EditorView): boolean {
  if (!view.state.field(field, false)) return false;
  view.dispatch({ effects: setTooltip.of(null) });
  view.focus();
  return true;
}

/** Room for one such tooltip. */
export function keyTooltip(): Extension {
  return [field, keymap.of([{ key: "Escape", run: closeTooltip }])];
}
