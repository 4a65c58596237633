/** Shows each component with made-up data. The browser tests drive this page. */
import { RuleEditor } from "../src/index.ts";
import { RULES, services } from "./services.ts";

function box(id: string): HTMLElement {
  const found = document.querySelector<HTMLElement>(`#${id} .box`);
  if (!found) throw new Error(`no ${id}`);
  return found;
}

const theme = new URLSearchParams(location.search).get("theme");
if (theme) document.documentElement.dataset.theme = theme;

const editor = new RuleEditor(box("editor"), { value: RULES, language: services });

/** What the tests reach for. */
const demo = { editor };
export type Demo = typeof demo;
Object.assign(window, { demo });
