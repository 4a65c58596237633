/** Shows values of fields. */
import { el } from "../common/dom.ts";
import { longText } from "./long-text.ts";
import { visible } from "./visible.ts";

/** Fields that are shown of one record. */
const FIELDS = 200;

/** A value as JSON: texts in quotes, so that they differ from numbers. */
export function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value, bigints) ?? String(value);
  } catch {
    // Too deep, or not JSON at all.
    return "a value that cannot be shown";
  }
}

function bigints(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}` : value;
}

/** A record in short: `{ user: "ann", amount: 9.5 }`. */
export function recordText(record: unknown): string {
  if (typeof record !== "object" || record === null || Array.isArray(record)) return jsonOf(record);
  const fields = Object.entries(record).slice(0, FIELDS);
  // Each value is cut here: a text of a million characters would be written out first.
  const parts = fields.map(([name, value]) => `${name}: ${shortJson(value)}`);
  return parts.length === 0 ? "{}" : `{ ${parts.join(", ")} }`;
}

function shortJson(value: unknown): string {
  if (typeof value === "string" && value.length > 1000)
    return `${jsonOf(value.slice(0, 1000))}\u2026`;
  return jsonOf(value);
}

/** A list of names and values. */
export function fieldList(record: unknown): HTMLElement {
  if (typeof record !== "object" || record === null || Array.isArray(record)) {
    return el("div", { class: "k-value" }, longText(jsonOf(record)));
  }
  const fields = Object.entries(record);
  if (fields.length === 0) return el("p", { class: "k-none" }, "no fields");
  const list = el("dl", { class: "k-fields" });
  for (const [name, value] of fields.slice(0, FIELDS)) {
    list.append(
      el("dt", {}, longText(name, 60)),
      el("dd", { class: "k-value" }, longText(jsonOf(value))),
    );
  }
  const rest = fields.length - FIELDS;
  if (rest > 0) list.append(el("dt", {}, "\u2026"), el("dd", {}, `${rest} more fields`));
  return list;
}

/** Text with code in back-quotes, as messages have it. */
export function withCode(text: string): DocumentFragment {
  const out = document.createDocumentFragment();
  for (const [at, part] of text.split("`").entries()) {
    if (at % 2 === 1) out.append(el("code", { class: "k-text" }, visible(part)));
    else out.append(visible(part));
  }
  return out;
}
