/** From time to pixels and back. */
import { scaleUtc } from "d3-scale";

/** A range of time. */
export interface Range {
  from: number;
  to: number;
}

/** A narrower view shows nothing more: times are whole milliseconds. */
const NARROWEST = 20;
/** Room beside the data, as a share of them. */
const MARGIN = 0.03;

/** A view on a range of time that is some pixels wide. */
export class TimeScale {
  constructor(
    readonly from: number,
    readonly to: number,
    readonly width: number,
  ) {}

  /** Milliseconds per pixel. */
  get unit(): number {
    return (this.to - this.from) / Math.max(1, this.width);
  }

  x(time: number): number {
    return (time - this.from) / this.unit;
  }

  time(x: number): number {
    return this.from + x * this.unit;
  }

  /** Shows `factor` times as much, and keeps what is at `x` where it is. */
  zoom(factor: number, x: number, limits: Range): TimeScale {
    const fixed = this.time(x);
    const from = fixed - (fixed - this.from) * factor;
    const to = fixed + (this.to - fixed) * factor;
    return new TimeScale(from, to, this.width).within(limits);
  }

  pan(pixels: number, limits: Range): TimeScale {
    const by = pixels * this.unit;
    return new TimeScale(this.from + by, this.to + by, this.width).within(limits);
  }

  /** The same view of another width. */
  wide(width: number): TimeScale {
    return new TimeScale(this.from, this.to, width);
  }

  /** Brings the view into the limits, and to a width that is sensible. */
  within(limits: Range): TimeScale {
    const widest = Math.max(NARROWEST, limits.to - limits.from);
    const middle = (this.from + this.to) / 2;
    const span = Math.min(widest, Math.max(NARROWEST, this.to - this.from));
    const least = limits.from;
    const most = Math.max(least, limits.to - span);
    const from = Math.min(most, Math.max(least, middle - span / 2));
    return new TimeScale(from, from + span, this.width);
  }

  /** The view moved so that a time is in it, not at its edge. Unchanged if it is already. */
  showing(time: number, limits: Range): TimeScale {
    const x = this.x(time);
    const edge = Math.min(24, this.width / 4);
    if (x >= edge && x <= this.width - edge) return this;
    return this.pan(x - this.width / 2, limits);
  }

  /** Times for an axis with what to write at each. The day is always said. */
  ticks(): { x: number; label: string }[] {
    const scale = scaleUtc().domain([this.from, this.to]);
    const times = scale.ticks(Math.max(2, Math.floor(this.width / 110)));
    const step = Number(times[1] ?? this.to) - Number(times[0] ?? this.from);
    const hasDay = times.some((time) => time.getTime() % DAY === 0);
    return times.map((time, at) => {
      const label = tickLabel(time, step);
      const day = at === 0 && !hasDay ? `${dayOf(time)} ` : "";
      return { x: this.x(time.getTime()), label: day + label };
    });
  }
}

const DAY = 86_400_000;
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** `15:45`, `15:45:04` or `15:45:04.250`; the day or month at its start. */
export function tickLabel(time: Date, step: number): string {
  const iso = time.toISOString();
  if (step >= 28 * DAY) {
    return time.getUTCMonth() === 0 ? iso.slice(0, 4) : `${MONTHS[time.getUTCMonth()]}`;
  }
  if (time.getTime() % DAY === 0) return dayOf(time);
  if (step >= 60_000) return iso.slice(11, 16);
  return step >= 1000 ? iso.slice(11, 19) : iso.slice(11, 23);
}

function dayOf(time: Date): string {
  return `${MONTHS[time.getUTCMonth()]} ${time.getUTCDate()}`;
}

/** The range that a view can show: the data with room at both sides. */
export function limitsOf(extent: Range): Range {
  const room = Math.max(500, (extent.to - extent.from) * MARGIN);
  return { from: extent.from - room, to: extent.to + room };
}
