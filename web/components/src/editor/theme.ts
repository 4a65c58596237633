/** The look of the editor, by the custom properties of the page's theme. */
import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import type { Extension } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { tags } from "@lezer/highlight";

const colours = HighlightStyle.define([
  { tag: tags.lineComment, color: "var(--k-syntax-comment)", fontStyle: "italic" },
  { tag: [tags.string, tags.escape], color: "var(--k-syntax-string)" },
  { tag: [tags.number, tags.bool], color: "var(--k-syntax-number)" },
  { tag: tags.definitionKeyword, color: "var(--k-syntax-keyword)", fontWeight: "600" },
  { tag: tags.keyword, color: "var(--k-syntax-keyword)" },
  { tag: tags.operator, color: "var(--k-syntax-operator)" },
  { tag: tags.definition(tags.variableName), color: "var(--k-syntax-name)", fontWeight: "600" },
  { tag: tags.typeName, color: "var(--k-syntax-type)" },
  { tag: tags.standard(tags.typeName), color: "var(--k-syntax-type)" },
  { tag: tags.function(tags.variableName), color: "var(--k-syntax-function)" },
  { tag: tags.special(tags.variableName), color: "var(--k-syntax-param)" },
  { tag: [tags.propertyName, tags.labelName], color: "var(--k-syntax-name)" },
]);

const tooltip = {
  backgroundColor: "var(--k-bg)",
  color: "var(--k-text)",
  border: "1px solid var(--k-border-strong)",
  borderRadius: "6px",
  boxShadow: "var(--k-shadow)",
  overflow: "hidden",
};

/** Marks of diagnostics are drawn as text and lines: pictures would need an exception in a CSP. */
const lint = {
  ".cm-lintRange": { backgroundImage: "none !important", paddingBottom: "0" },
  ".cm-lintRange-error": { textDecoration: "underline wavy var(--k-error) 1.5px" },
  ".cm-lintRange-warning": { textDecoration: "underline wavy var(--k-warning) 1.5px" },
  ".cm-lintPoint:after": { borderBottomColor: "var(--k-error)" },
  ".cm-lint-marker": { width: "1em", height: "1em", lineHeight: "1" },
  ".cm-lint-marker-error": { content: "none !important", color: "var(--k-error)" },
  ".cm-lint-marker-error:before": { content: "'\u25cf'" },
  ".cm-lint-marker-warning": { content: "none !important", color: "var(--k-warning)" },
  ".cm-lint-marker-warning:before": { content: "'\u25b2'" },
  ".cm-diagnostic": { padding: "6px 10px", borderLeft: "4px solid", whiteSpace: "normal" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--k-error)" },
  ".cm-diagnostic-warning": { borderLeftColor: "var(--k-warning)" },
  ".cm-diagnosticSource": { display: "none" },
  ".cm-diagnosticAction": {
    font: "inherit",
    padding: "2px 10px",
    margin: "4px 6px 2px 0",
    borderRadius: "4px",
    cursor: "pointer",
    color: "var(--k-accent-text)",
    backgroundColor: "var(--k-accent)",
  },
  ".k-diagnostic p": { margin: "0 0 2px", overflowWrap: "anywhere" },
  ".k-code": {
    font: "inherit",
    fontFamily: "var(--k-mono)",
    fontWeight: "600",
    color: "inherit",
    background: "none",
    border: "none",
    padding: "0",
  },
  "button.k-code": { cursor: "pointer", textDecoration: "underline" },
  ".k-help, .k-note, .k-label": { color: "var(--k-text-soft)" },
};

const panels = {
  ".cm-tooltip": tooltip,
  ".cm-tooltip-lint, .cm-tooltip-hover": { maxWidth: "min(42em, 90vw)" },
  ".cm-tooltip-autocomplete > ul": { fontFamily: "var(--k-mono)", maxHeight: "16em" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": {
    background: "var(--k-accent)",
    color: "var(--k-accent-text)",
  },
  ".cm-completionMatchedText": { textDecoration: "none", fontWeight: "700" },
  ".cm-completionDetail": { fontStyle: "normal", opacity: "1", color: "var(--k-text-soft)" },
  "li[aria-selected] .cm-completionDetail": { color: "inherit" },
  ".cm-completionIcon": { opacity: "1" },
  ".k-doc": { padding: "6px 10px", maxWidth: "42em", maxHeight: "18em", overflow: "auto" },
  ".k-doc p": { margin: "4px 0", overflowWrap: "anywhere" },
  ".k-doc pre": {
    margin: "4px 0",
    fontFamily: "var(--k-mono)",
    whiteSpace: "pre-wrap",
    overflowWrap: "anywhere",
  },
  ".k-doc code": { fontFamily: "var(--k-mono)" },
  ".k-fixes": { display: "flex", flexDirection: "column", padding: "4px" },
  ".k-fixes button": {
    font: "inherit",
    textAlign: "left",
    color: "inherit",
    background: "none",
    border: "none",
    borderRadius: "4px",
    padding: "4px 10px",
    cursor: "pointer",
  },
  ".k-fixes button:focus, .k-fixes button:hover": {
    backgroundColor: "var(--k-accent)",
    color: "var(--k-accent-text)",
    outline: "none",
  },
  ".cm-panels": { backgroundColor: "var(--k-bg-soft)", color: "var(--k-text)" },
  ".cm-panels-bottom": { borderTop: "1px solid var(--k-border)" },
  ".cm-panel.cm-panel-lint ul [aria-selected]": {
    backgroundColor: "var(--k-accent-soft)",
    color: "var(--k-text)",
  },
  ".cm-panel.cm-panel-lint ul": { maxHeight: "11em" },
  ".cm-textfield": {
    backgroundColor: "var(--k-bg)",
    color: "var(--k-text)",
    border: "1px solid var(--k-border-strong)",
  },
  ".cm-button": {
    backgroundImage: "none",
    backgroundColor: "var(--k-bg-strong)",
    color: "var(--k-text)",
    border: "1px solid var(--k-border-strong)",
  },
  ".cm-panel button[name=close]": { color: "var(--k-text)" },
};

const text = {
  "&": { height: "100%", backgroundColor: "var(--k-bg)", color: "var(--k-text)", fontSize: "13px" },
  "&.cm-focused": { outline: "2px solid var(--k-focus)", outlineOffset: "-2px" },
  ".cm-scroller": { fontFamily: "var(--k-mono)", lineHeight: "1.5", overflow: "auto" },
  ".cm-content": { caretColor: "var(--k-text)" },
  ".cm-cursor, .cm-dropCursor": { borderLeftColor: "var(--k-text)" },
  ".cm-gutters": {
    backgroundColor: "var(--k-bg-soft)",
    color: "var(--k-text-soft)",
    borderRight: "1px solid var(--k-border)",
  },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "transparent" },
  "&.cm-focused .cm-activeLineGutter": { color: "var(--k-text)", fontWeight: "600" },
  "& .cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground":
    { background: "var(--k-accent-soft)" },
  ".cm-matchingBracket, &.cm-focused .cm-matchingBracket": {
    backgroundColor: "var(--k-bg-strong)",
    outline: "1px solid var(--k-border-strong)",
  },
  ".cm-nonmatchingBracket, &.cm-focused .cm-nonmatchingBracket": {
    backgroundColor: "var(--k-error-soft)",
  },
  ".cm-selectionMatch": { backgroundColor: "var(--k-bg-strong)" },
  ".cm-searchMatch": { backgroundColor: "var(--k-warning-soft)" },
  ".cm-searchMatch-selected": { outline: "1px solid var(--k-warning)" },
  ".cm-foldPlaceholder": {
    backgroundColor: "var(--k-bg-strong)",
    color: "var(--k-text)",
    border: "none",
    padding: "0 6px",
  },
  ".cm-specialChar": { color: "var(--k-error)" },
};

/** Colours and shapes of the editor. */
export function theme(): Extension {
  return [EditorView.theme({ ...text, ...panels, ...lint }), syntaxHighlighting(colours)];
}
