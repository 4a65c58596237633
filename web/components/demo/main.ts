/** Shows each component with made-up data. The browser tests drive this page. */

import type { WhyStory } from "../src/index.ts";
import {
  Automaton,
  EventDetails,
  OutputDetails,
  OutputTable,
  PartialsView,
  RuleEditor,
  Timeline,
  WhyView,
} from "../src/index.ts";
import { EVENT, OPEN, OUTPUT } from "./items.ts";
import { HOSTILE, PICTURE } from "./picture.ts";
import { RULES, services } from "./services.ts";
import { shop } from "./shop.ts";
import story from "./story.json";
import { outputsOf } from "./table.ts";

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
const shown = timeline.setData(data).then(() => {
  const time = data.events.time[200] ?? 0;
  timeline.setTime(time);
  timeline.setOpen([
    { ...open(0, [150, 160]), deadline: time + 20 * 3_600_000 },
    { ...open(2, [120]), deadline: null },
  ]);
});

function open(lane: number, events: readonly number[]) {
  return { lane, captures: [{ step: "o", events }], states: [], waits: "" };
}

const table = new OutputTable(box("table"), {
  onSelect: (output) => log.push(`open ${output.rule} ${output.index}`),
});
void table.update(outputsOf(data));

const automaton = new Automaton(box("automaton"), {
  onSelectState: (state) => log.push(`state ${state}`),
});
automaton.update(PICTURE);
automaton.light(
  new Map([
    ["S0", 0],
    ["S1", 12],
  ]),
);

const chosen = {
  onSelectEvent: (event: number) => log.push(`event ${event}`),
  onSelectOutput: (output: { rule: string; index: number }) => log.push(`output ${output.index}`),
  onWhy: (event: number) => log.push(`why ${event}`),
  describe: async (events: readonly number[]) => events.map((event) => `login ${event}, 10:00:00`),
};
const event = new EventDetails(box("event"), chosen);
event.update(EVENT, [{ rule: "unpaid_order", index: 3 }]);
const output = new OutputDetails(box("output"), chosen);
output.update("unpaid_order", OUTPUT);
const partials = new PartialsView(box("partials"), chosen);
partials.update(OUTPUT.time, OPEN, data.lanes);
const why = new WhyView(box("why"), chosen);
why.update(story as WhyStory, 3);
// The story scrolled to the entry that was asked for.
window.scrollTo(0, 0);

/** What the tests reach for. */
const demo = {
  editor,
  services,
  timeline,
  table,
  automaton,
  event,
  output,
  partials,
  why,
  log,
  data,
  shop,
  shown,
  outputsOf,
  items: { EVENT, OUTPUT, OPEN, HOSTILE, PICTURE, story: story as WhyStory },
};
/** Its type. */
export type Demo = typeof demo;
Object.assign(window, { demo });
