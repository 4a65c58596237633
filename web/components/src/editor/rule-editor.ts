/** The editor for rule files: CodeMirror with the language's services. */
import { closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import {
  defaultKeymap,
  history,
  historyKeymap,
  isolateHistory,
  undoDepth,
} from "@codemirror/commands";
import { bracketMatching, foldGutter, foldKeymap, indentOnInput } from "@codemirror/language";
import { forceLinting, lintKeymap } from "@codemirror/lint";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import type { Extension } from "@codemirror/state";
import { EditorState, Transaction } from "@codemirror/state";
import {
  drawSelection,
  EditorView,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
} from "@codemirror/view";
import type { RuleEditorApi, RuleEditorOptions } from "../api.ts";
import { el } from "../common/dom.ts";
import { cep } from "../grammar/cep.ts";
import { completions } from "./completions.ts";
import { diagnostics } from "./diagnostics.ts";
import { hover, hoverHere } from "./hover.ts";
import { quickFix } from "./quick-fix.ts";
import { theme } from "./theme.ts";
import { keyTooltip } from "./tooltip.ts";

/** Marks of direction and halves of pairs that CodeMirror would not show. */
const ODD = /[\u202a-\u202e\u2066-\u2069\ud800-\udfff]/u;

/** A cursor that does not blink. */
const STILL = { cursorBlinkRate: 0 };

/** An editor for rules, with colours, diagnostics, fixes, completions, hovers and a formatter. */
export class RuleEditor implements RuleEditorApi {
  private readonly host: HTMLElement;
  private readonly view: EditorView;

  constructor(
    parent: HTMLElement,
    private readonly options: RuleEditorOptions,
  ) {
    this.host = el("div", { class: "k-editor" });
    parent.append(this.host);
    // In a shadow root CodeMirror puts its styles into sheets of the root instead of `<style>`
    // elements, which a strict Content-Security-Policy would refuse.
    const root = this.host.attachShadow({ mode: "open" });
    this.view = new EditorView({
      parent: root as unknown as Element,
      root,
      state: EditorState.create({ doc: options.value ?? "", extensions: this.extensions() }),
    });
  }

  get value(): string {
    return this.view.state.doc.toString();
  }

  setValue(value: string): void {
    this.replace(value);
  }

  select(start: number, end: number): void {
    const { length } = this.view.state.doc;
    const anchor = Math.min(start, length);
    this.view.dispatch({
      selection: { anchor, head: Math.min(end, length) },
      effects: EditorView.scrollIntoView(anchor, { y: "center" }),
    });
    this.view.focus();
  }

  async format(): Promise<boolean> {
    const { doc } = this.view.state;
    let formatted: string;
    try {
      formatted = await this.options.language.format(doc.toString());
    } catch {
      // The diagnostics say why.
      this.check();
      return false;
    }
    if (this.view.state.doc !== doc) return false;
    this.replace(formatted);
    return true;
  }

  check(): void {
    forceLinting(this.view);
  }

  focus(): void {
    this.view.focus();
  }

  destroy(): void {
    this.view.destroy();
    this.host.remove();
  }

  /** Changes only what differs, so that the cursor and folds stay where they are. */
  private replace(value: string): void {
    const old = this.value;
    if (old === value) return;
    // Undo goes back to what was there before: not to an editor that had nothing yet, and not
    // together with what was typed just before or after.
    const isFirst = old === "" && undoDepth(this.view.state) === 0;
    const annotations = isFirst
      ? [Transaction.addToHistory.of(false)]
      : [isolateHistory.of("full" as const)];
    const most = Math.min(old.length, value.length);
    let start = 0;
    while (start < most && old[start] === value[start]) start++;
    let tail = 0;
    while (tail < most - start && old[old.length - 1 - tail] === value[value.length - 1 - tail])
      tail++;
    this.view.dispatch({
      changes: {
        from: start,
        to: old.length - tail,
        insert: value.slice(start, value.length - tail),
      },
      annotations,
    });
  }

  private extensions(): Extension[] {
    const { language, onChange, label, readOnly } = this.options;
    return [
      cep(),
      theme(),
      lineNumbers(),
      foldGutter(),
      highlightSpecialChars({ addSpecialChars: ODD }),
      highlightActiveLineGutter(),
      history(),
      drawSelection(matchMedia("(prefers-reduced-motion: reduce)").matches ? STILL : {}),
      indentOnInput(),
      bracketMatching(),
      closeBrackets(),
      highlightSelectionMatches(),
      keyTooltip(),
      diagnostics(this.options),
      completions(language),
      hover(language),
      EditorState.readOnly.of(readOnly ?? false),
      EditorView.contentAttributes.of({ "aria-label": label ?? "Rules", tabindex: "0" }),
      EditorView.updateListener.of((update) => {
        if (update.docChanged) onChange?.(update.state.doc.toString());
      }),
      keymap.of([
        { key: "Shift-Alt-f", run: () => this.formatByKey(), preventDefault: true },
        { key: "Mod-.", run: quickFix },
        { key: "Mod-k Mod-i", run: hoverHere(language), preventDefault: true },
        ...closeBracketsKeymap,
        ...completionKeymap,
        ...lintKeymap,
        ...searchKeymap,
        ...historyKeymap,
        ...foldKeymap,
        ...defaultKeymap,
      ]),
    ];
  }

  private formatByKey(): boolean {
    void this.format();
    return true;
  }
}
