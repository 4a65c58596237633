/** Finds lanes by their names. */
import { el } from "../common/dom.ts";

/** Longer names are not searched to their end. */
const SEARCHED = 1000;

/** The next lane behind `from` whose name has the text, from the first again after the last. */
export function findLane(lanes: readonly string[], text: string, from: number): number | null {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return null;
  for (let step = 1; step <= lanes.length; step++) {
    const lane = (from + step + lanes.length) % lanes.length;
    if (lanes[lane]!.slice(0, SEARCHED).toLowerCase().includes(wanted)) return lane;
  }
  return null;
}

/** The lane where one is may be the one, or has to be another. */
export type Search = "here" | "next";

/** A field for a name. Enter goes to the next lane that has it. `leave` is called when the field is left. */
export function finder(
  find: (text: string, search: Search) => boolean,
  leave: () => void,
): HTMLElement {
  const input = el("input", {
    type: "search",
    class: "k-field k-finder",
    placeholder: "Find a key",
    "aria-label": "Find a key",
  });
  const missing = el("span", { class: "k-finder-none", "aria-hidden": "true", hidden: true });
  missing.textContent = "no such key";
  const look = (search: Search) => {
    const isMissing = input.value.trim() !== "" && !find(input.value, search);
    input.setAttribute("aria-invalid", String(isMissing));
    missing.hidden = !isMissing;
  };
  input.addEventListener("input", () => look("here"));
  input.addEventListener("blur", leave);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") look("next");
  });
  return el("span", { class: "k-find" }, missing, input);
}
