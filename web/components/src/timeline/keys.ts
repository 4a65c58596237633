/** The keys of the timeline. */

/** What a key asks for. */
export type KeyCommand =
  | { do: "step"; by: number }
  | { do: "end"; end: "first" | "last" }
  | { do: "lane"; by: number }
  | { do: "page"; by: number }
  | { do: "kind"; kind: "event" | "output"; by: number }
  | { do: "pan"; by: number }
  | { do: "zoom"; factor: number }
  | { do: "fit" | "select" | "time" | "leave" };

/** How the keys are explained to who does not see the page. */
export const KEY_HELP =
  "Left and Right: events of a lane. Up and Down, or Tab: lanes. N and P: outputs of the lane. " +
  "Enter selects. T moves the slider there. Plus and Minus zoom, 0 shows all, Shift with arrows " +
  "pans. Home and End: first and last event. Escape, then Tab, leaves.";

const COMMANDS: Record<string, KeyCommand> = {
  ArrowLeft: { do: "step", by: -1 },
  ArrowRight: { do: "step", by: 1 },
  ArrowUp: { do: "lane", by: -1 },
  ArrowDown: { do: "lane", by: 1 },
  PageUp: { do: "page", by: -1 },
  PageDown: { do: "page", by: 1 },
  Home: { do: "end", end: "first" },
  End: { do: "end", end: "last" },
  "Shift+ArrowLeft": { do: "pan", by: -0.2 },
  "Shift+ArrowRight": { do: "pan", by: 0.2 },
  "Shift+ArrowUp": { do: "page", by: -1 },
  "Shift+ArrowDown": { do: "page", by: 1 },
  "Ctrl+Home": { do: "lane", by: -Infinity },
  "Ctrl+End": { do: "lane", by: Infinity },
  "+": { do: "zoom", factor: 0.5 },
  "=": { do: "zoom", factor: 0.5 },
  "-": { do: "zoom", factor: 2 },
  0: { do: "fit" },
  n: { do: "kind", kind: "output", by: 1 },
  p: { do: "kind", kind: "output", by: -1 },
  e: { do: "kind", kind: "event", by: 0 },
  t: { do: "time" },
  Enter: { do: "select" },
  " ": { do: "select" },
  Escape: { do: "leave" },
};

/** The command of a key, if it has one. Keys of the browser are left alone. */
export function commandOf(event: KeyboardEvent): KeyCommand | null {
  if (event.altKey || event.metaKey) return null;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const isSign = key === "+" || key === "=" || key === "-";
  const shift = event.shiftKey && event.key.length > 1 ? "Shift+" : "";
  const ctrl = event.ctrlKey ? "Ctrl+" : "";
  if (event.ctrlKey && isSign) return null;
  return COMMANDS[`${ctrl}${shift}${key}`] ?? null;
}
