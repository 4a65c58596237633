/** The colours of the page's theme, as the canvas needs them. */
import type { Ground } from "./palette.ts";

/** Colours to draw with. */
export interface Look {
  ground: Ground;
  bg: string;
  soft: string;
  text: string;
  textSoft: string;
  border: string;
  accent: string;
  accentSoft: string;
  match: string;
  timeout: string;
  matchSoft: string;
  timeoutSoft: string;
  font: string;
}

/** Reads the custom properties that hold for an element. */
export function lookOf(element: Element): Look {
  const style = getComputedStyle(element);
  const get = (name: string) => style.getPropertyValue(`--k-${name}`).trim();
  return {
    ground: groundOf(get("bg")),
    bg: get("bg"),
    soft: get("bg-soft"),
    text: get("text"),
    textSoft: get("text-soft"),
    border: get("border"),
    accent: get("accent"),
    accentSoft: get("accent-soft"),
    match: get("match"),
    timeout: get("timeout"),
    matchSoft: get("match-soft"),
    timeoutSoft: get("timeout-soft"),
    font: style.fontFamily,
  };
}

/** Light or dark, by how bright a colour `#rrggbb` is. */
export function groundOf(colour: string): Ground {
  const [r, g, b] = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
  return 0.3 * (r ?? 0) + 0.6 * (g ?? 0) + 0.1 * (b ?? 0) < 128 ? "dark" : "light";
}

/** Calls back when the theme changes: by the system, or by an attribute of the page's root. */
export function watchLook(changed: () => void): () => void {
  const query = matchMedia("(prefers-color-scheme: dark)");
  query.addEventListener("change", changed);
  const observer = new MutationObserver(changed);
  observer.observe(document.documentElement, { attributeFilter: ["data-theme", "class", "style"] });
  return () => {
    query.removeEventListener("change", changed);
    observer.disconnect();
  };
}
