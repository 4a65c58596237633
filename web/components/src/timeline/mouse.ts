/** What the pointer does on a timeline: pans, zooms, selects, and shows what is under it. */
import type { TimelineItem } from "../data.ts";
import type { Choice } from "./chooser.ts";
import { openChooser } from "./chooser.ts";
import type { Hit } from "./hit.ts";
import { hitAt } from "./hit.ts";
import { itemOf } from "./model.ts";
import type { Point } from "./pointer.ts";
import { listenToPointer } from "./pointer.ts";
import type { Scene } from "./scene.ts";
import { Tooltip } from "./tooltip.ts";
import type { View } from "./view.ts";
import { hitWords, itemWords, laneWords } from "./words.ts";

/** A view narrower than this is not zoomed any more. */
const NARROW = 20;

/** What the pointer needs of the timeline. */
export interface MouseHost {
  scene: Scene;
  choose(item: TimelineItem): void;
  describe(item: TimelineItem): Promise<string>;
}

/** The pointer of a timeline. */
export class Mouse {
  private readonly tooltip = new Tooltip();
  private readonly stops: (() => void)[];
  private hovers = 0;
  private closeChooser: (() => void) | null = null;

  constructor(private readonly host: MouseHost) {
    const { scene } = host;
    const { plot } = scene;
    plot.element.append(this.tooltip.element);
    this.stops = [
      listenToPointer(plot.surface, {
        pan: (dx, dy) => scene.pan(dx, dy),
        zoom: (factor, x) => scene.zoom(factor, x - plot.size().names),
        tap: (point) => this.tap(point),
        hover: (point) => this.hover(point),
      }),
      listenToPointer(plot.axis, {
        pan: (dx) => scene.pan(dx, 0),
        zoom: (factor, x) => scene.zoom(factor, x),
        tap: (point) => scene.view && scene.moveTime(scene.view.scale.time(point.x)),
        hover: () => {},
      }),
    ];
  }

  /** Closes what is open: the data changed. */
  reset(): void {
    this.closeChooser?.();
    this.tooltip.hide();
  }

  destroy(): void {
    for (const stop of this.stops) stop();
  }

  private hit(view: View, point: Point): Hit | null {
    return hitAt(view, point.x - this.host.scene.plot.size().names, point.y);
  }

  private tap(point: Point): void {
    const { scene, choose } = this.host;
    const { view } = scene;
    const hit = view && this.hit(view, point);
    const position = hit?.positions[0];
    if (!view || !hit || position === undefined) return;
    scene.cursor = { lane: hit.lane, kind: hit.kind, position };
    if (hit.count === 1) {
      choose(itemOf(view.model, hit.kind, position));
      return;
    }
    this.reset();
    const { element, surface } = scene.plot;
    this.closeChooser = openChooser(element, point, this.choiceOf(view, hit), surface);
  }

  private choiceOf(view: View, hit: Hit): Choice {
    const { scene, choose, describe } = this.host;
    const { model } = view;
    const times = hit.kind === "event" ? model.events.times : model.outputs.start;
    const first = times[hit.positions[0]!]!;
    const last = times[hit.positions.at(-1)!]!;
    const canZoom = first !== last && view.scale.to - view.scale.from > NARROW;
    const room = Math.max(NARROW, (last - first) * 0.3);
    const rest = hit.count - hit.positions.length;
    return {
      title: `${hit.count.toLocaleString("en-US")} ${hit.kind}s of ${laneWords(model, hit.lane)}`,
      items: hit.positions.map((position) => ({
        text: itemWords(model, hit.kind, position),
        choose: () => choose(itemOf(model, hit.kind, position)),
        describe: () => describe(itemOf(model, hit.kind, position)),
      })),
      note: rest > 0 ? `and ${rest.toLocaleString("en-US")} more` : null,
      zoom: canZoom ? () => scene.zoomTo(first - room, last + room) : null,
    };
  }

  private hover(point: Point | null): void {
    const { scene, describe } = this.host;
    const { view } = scene;
    const hit = view && point && this.hit(view, point);
    this.hovers += 1;
    scene.plot.surface.classList.toggle("k-over", hit !== null);
    if (!view || !point || !hit) {
      this.tooltip.hide();
      return;
    }
    const lines = [...hitWords(view.model, hit), laneWords(view.model, hit.lane)];
    this.tooltip.show(lines, point.x, point.y);
    if (hit.count > 1) return;
    const { hovers } = this;
    void describe(itemOf(view.model, hit.kind, hit.positions[0]!)).then((text) => {
      if (text && this.hovers === hovers) this.tooltip.add(text);
    });
  }
}
