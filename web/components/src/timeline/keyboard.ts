/** Moves the cursor by keys, and says where it is. */
import type { TimelineItem } from "../data.ts";
import { cursorAt, cursorEnd, cursorStep, cursorTime } from "./cursor.ts";
import type { KeyCommand } from "./keys.ts";
import { commandOf } from "./keys.ts";
import { itemOf } from "./model.ts";
import type { Scene } from "./scene.ts";
import type { Cursor, View } from "./view.ts";
import { lanesInView } from "./view.ts";
import { cursorWords } from "./words.ts";

/** What the keys need of the timeline. */
export interface KeyboardHost {
  scene: Scene;
  choose(item: TimelineItem): void;
  describe(item: TimelineItem): Promise<string>;
  /** Says something to screen readers. */
  say(text: string): void;
}

/** The keyboard of a timeline. */
export class Keyboard {
  private isLeaving = false;

  constructor(private readonly host: KeyboardHost) {
    const { surface } = host.scene.plot;
    surface.addEventListener("keydown", (event) => this.key(event));
    surface.addEventListener("focus", () => this.focused());
    surface.addEventListener("blur", () => host.scene.draw());
  }

  private focused(): void {
    this.isLeaving = false;
    const { scene } = this.host;
    this.begin();
    if (scene.plot.surface.matches(":focus-visible")) this.announce();
    scene.draw();
  }

  /** Puts the cursor into the first lane on screen, if it is nowhere. */
  private begin(): void {
    const { scene } = this.host;
    const { view } = scene;
    if (view && !scene.cursor && view.model.data.lanes.length > 0) {
      scene.cursor = cursorAt(view.model, lanesInView(view).first, "event", view.scale.from);
    }
  }

  private key(event: KeyboardEvent): void {
    this.begin();
    const { view, cursor } = this.host.scene;
    if (!view || !cursor) return;
    if (event.key === "Tab") {
      this.tab(event, view, cursor);
      return;
    }
    const command = commandOf(event);
    if (!command) return;
    event.preventDefault();
    const moved = moveOf(command, view, cursor);
    if (moved) this.move(moved);
    else this.run(command, view, cursor);
  }

  /** Tab goes through the lanes on screen, and then on to what follows the timeline. */
  private tab(event: KeyboardEvent, view: View, cursor: Cursor): void {
    const lane = cursor.lane + (event.shiftKey ? -1 : 1);
    const { first, last } = lanesInView(view);
    if (this.isLeaving || lane < first || lane >= last) return;
    event.preventDefault();
    this.move(toLane(view, cursor, lane));
  }

  private run(command: KeyCommand, view: View, cursor: Cursor): void {
    const { scene, choose, say } = this.host;
    const { width } = view.scale;
    const time = cursorTime(view.model, cursor);
    if (command.do === "pan") scene.pan(command.by * width, 0);
    if (command.do === "zoom") {
      const x = time === null ? -1 : view.scale.x(time);
      scene.zoom(command.factor, x >= 0 && x <= width ? x : width / 2);
    }
    if (command.do === "fit") scene.zoomTo(view.limits.from, view.limits.to);
    if (command.do === "time" && time !== null) scene.moveTime(time);
    if (command.do === "select" && cursor.position !== null) {
      choose(itemOf(view.model, cursor.kind, cursor.position));
    }
    if (command.do === "leave") {
      this.isLeaving = true;
      say("Tab leaves the timeline");
    }
  }

  private move(cursor: Cursor): void {
    this.isLeaving = false;
    this.host.scene.cursor = cursor;
    this.host.scene.showCursor();
    this.announce();
  }

  private announce(): void {
    const { scene, describe, say } = this.host;
    const { view, cursor } = scene;
    if (!view || !cursor) return;
    const words = cursorWords(view.model, cursor);
    say(words);
    if (cursor.position === null) return;
    void describe(itemOf(view.model, cursor.kind, cursor.position)).then((text) => {
      if (text && scene.cursor === cursor) say(`${words}; ${text}`);
    });
  }
}

/** Where a command moves the cursor; `null` if it does something else. */
export function moveOf(command: KeyCommand, view: View, cursor: Cursor): Cursor | null {
  const { model } = view;
  switch (command.do) {
    case "step":
      return cursorStep(model, cursor, command.by);
    case "end":
      return cursorEnd(model, cursor, command.end);
    case "lane":
      return toLane(view, cursor, cursor.lane + command.by);
    case "page": {
      const { first, last } = lanesInView(view);
      return toLane(view, cursor, cursor.lane + command.by * Math.max(1, last - first - 1));
    }
    case "kind": {
      if (cursor.kind === command.kind) return cursorStep(model, cursor, command.by);
      const time = cursorTime(model, cursor) ?? view.scale.from;
      return cursorAt(model, cursor.lane, command.kind, time);
    }
    default:
      return null;
  }
}

/** The event of another lane that is nearest in time. */
function toLane(view: View, cursor: Cursor, wanted: number): Cursor {
  const lane = Math.max(0, Math.min(view.model.data.lanes.length - 1, wanted));
  const time = cursorTime(view.model, cursor) ?? (view.scale.from + view.scale.to) / 2;
  return cursorAt(view.model, lane, "event", time);
}
