/** Shows each component with made-up data. The browser tests drive this page. */
import { RuleEditor, Timeline } from "../src/index.ts";
import { RULES, services } from "./services.ts";
import { shop } from "./shop.ts";

function box(id: string): HTMLElement {
  const found = document.querySelector<HTMLElement>(`#${id} .box`);
  if (!found) throw new Error(`no ${id}`);
  return found;
}

const query = new URLSearchParams(location.search);
const theme = query.get("theme");
if (theme) document.documentElement.dataset.theme = theme;

/** What the components said, newest last. */
const log: string[] = [];

const editor = new RuleEditor(box("editor"), { value: RULES, language: services });
const timeline = new Timeline(box("timeline"), {
  onSelectEvent: (event) => log.push(`event ${event}`),
  onSelectOutput: (output) => log.push(`output ${output}`),
  onTime: (time) => log.push(`time ${time}`),
  describe: async (item) => `${item.kind} ${item.index} <b>\u202e\u0000</b>`,
});

const data = shop(Number(query.get("events") ?? 400), Number(query.get("lanes") ?? 12));
const shown = timeline.setData(data);

/** What the tests reach for. */
const demo = { editor, timeline, log, data, shop, shown };
export type Demo = typeof demo;
Object.assign(window, { demo });
