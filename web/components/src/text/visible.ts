/**
 * Text of users, made safe to look at. Control characters and marks that turn the direction of text
 * are shown as symbols or by number, so that they neither hide something nor break a layout.
 */

/**
 * What is replaced: C0 and C1 controls, DEL, marks of direction, invisible separators, and halves
 * of surrogate pairs.
 */
const ODD =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** Shows each character that would not be seen. Tabs and ends of lines are kept if `lines` says so. */
export function visible(text: string, lines: "symbols" | "keep" = "symbols"): string {
  return text.replace(ODD, (character) => {
    const code = character.charCodeAt(0);
    if (lines === "keep" && (code === 0x0a || code === 0x09)) return character;
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    if (code === 0x7f) return "\u2421";
    return `\\u${code.toString(16).toUpperCase().padStart(4, "0")}`;
  });
}

/** The first characters of a text, never half of a pair. */
export function head(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const last = text.charCodeAt(limit - 1);
  const isHalf = last >= 0xd800 && last < 0xdc00;
  return text.slice(0, isHalf ? limit - 1 : limit);
}

/** The start of a text on one line, with a sign where something is left out. */
export function brief(text: string, limit = 80): string {
  const start = head(text, limit);
  return visible(start) + (start.length < text.length ? "\u2026" : "");
}
