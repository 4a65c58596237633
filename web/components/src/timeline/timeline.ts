/** Lanes of events and outputs over time. */
import type { TimelineApi, TimelineOptions } from "../api.ts";
import { button, el, uniqueId } from "../common/dom.ts";
import { answerOr } from "../common/later.ts";
import { inSlices } from "../common/slices.ts";
import type { OpenPartial, TimelineData, TimelineItem, TimelineSelection } from "../data.ts";
import { brief } from "../text/visible.ts";
import { cursorAt } from "./cursor.ts";
import type { Search } from "./finder.ts";
import { finder, findLane } from "./finder.ts";
import { Keyboard } from "./keyboard.ts";
import { KEY_HELP } from "./keys.ts";
import { LaneList } from "./list.ts";
import { buildModel, positionOf } from "./model.ts";
import { Mouse } from "./mouse.ts";
import { currentLane, Scene } from "./scene.ts";
import { cursorWords, laneOfItem } from "./words.ts";

/** A timeline on a canvas, with a slider, a legend and a list. */
export class Timeline implements TimelineApi {
  private readonly element: HTMLElement;
  private readonly scene: Scene;
  private readonly mouse: Mouse;
  private version = 0;

  constructor(
    parent: HTMLElement,
    private readonly options: TimelineOptions = {},
  ) {
    const helpId = uniqueId("k-help");
    const live = el("p", { class: "k-hidden", "aria-live": "polite" });
    const choose = (item: TimelineItem) => this.choose(item);
    const describe = (item: TimelineItem) => this.describe(item);
    const list = new LaneList(choose);
    const scene = new Scene(options.label ?? "Timeline", helpId, {
      moved: (time) => options.onTime?.(time),
      painted: (view) => list.update(view.model, currentLane(scene, view)),
    });
    this.scene = scene;
    this.mouse = new Mouse({ scene, choose, describe });
    const say = (text: string) => {
      live.textContent = text;
    };
    new Keyboard({ scene, choose, describe, say });
    this.element = el(
      "div",
      { class: "k-timeline" },
      el("div", { class: "k-timeline-head" }, scene.legend, tools(scene, say)),
      scene.plot.element,
      scene.slider.element,
      scene.summary,
      el("p", { class: "k-hidden", id: helpId }, KEY_HELP),
      live,
      list.element,
    );
    parent.append(this.element);
  }

  get time(): number {
    return this.scene.view?.time ?? Number.NaN;
  }

  async setData(data: TimelineData, view: "fit" | "keep" = "fit"): Promise<void> {
    this.version += 1;
    const { version } = this;
    const model = await inSlices(buildModel(data), () => this.version !== version);
    if (!model || this.version !== version) return;
    this.mouse.reset();
    this.scene.show(model, view);
  }

  setTime(time: number): void {
    this.scene.setTime(time);
  }

  setSelection(selection: TimelineSelection): void {
    this.scene.select(selection);
  }

  setOpen(open: readonly OpenPartial[]): void {
    this.scene.setOpen(open);
  }

  reveal(item: TimelineItem): void {
    const { view } = this.scene;
    const position = view && positionOf(view.model, item.kind, item.index);
    if (!view || position === null) return;
    this.scene.cursor = {
      lane: laneOfItem(view.model, item.kind, position),
      kind: item.kind,
      position,
    };
    this.scene.showCursor();
  }

  fit(): void {
    const { view } = this.scene;
    if (view) this.scene.zoomTo(view.limits.from, view.limits.to);
  }

  zoomTo(start: number, end: number): void {
    this.scene.zoomTo(start, end);
  }

  destroy(): void {
    this.version += 1;
    this.mouse.destroy();
    this.scene.destroy();
    this.element.remove();
  }

  private choose(item: TimelineItem): void {
    if (item.kind === "event") this.options.onSelectEvent?.(item.index);
    else this.options.onSelectOutput?.(item.index);
  }

  private async describe(item: TimelineItem): Promise<string> {
    const text = await answerOr(() => this.options.describe?.(item) ?? "", "");
    return brief(text, 300);
  }
}

/** Goes to a lane by its name. */
function find(scene: Scene, say: (text: string) => void, text: string, search: Search): boolean {
  const { view } = scene;
  if (!view) return false;
  const now = currentLane(scene, view);
  const lane = findLane(view.model.data.lanes, text, search === "next" ? now : now - 1);
  scene.isFound = lane !== null;
  if (lane === null) {
    scene.draw();
    say("No such key");
    return false;
  }
  scene.cursor = cursorAt(view.model, lane, "event", (view.scale.from + view.scale.to) / 2);
  scene.showCursor();
  say(cursorWords(view.model, scene.cursor));
  return true;
}

function tools(scene: Scene, say: (text: string) => void): HTMLElement {
  const tool = (title: string, text: string, run: () => void) =>
    button({ class: "k-button", title, "aria-label": title }, run, text);
  const showAll = () => {
    const { view } = scene;
    if (view) scene.zoomTo(view.limits.from, view.limits.to);
  };
  return el(
    "div",
    { class: "k-tools", role: "group", "aria-label": "View" },
    finder(
      (text, search) => find(scene, say, text, search),
      () => {
        scene.isFound = false;
        scene.draw();
      },
    ),
    tool("Zoom out", "\u2212", () => scene.zoom(2)),
    tool("Zoom in", "+", () => scene.zoom(0.5)),
    tool("Show all of time", "All", showAll),
  );
}
