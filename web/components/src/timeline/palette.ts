/**
 * Colours and shapes of event types. Neighbours differ in both, so that nobody has to tell them by
 * colour alone. `test/palette.test.ts` holds contrast, and distance for eyes that see few colours.
 */

/** The shape of a dot. */
export type Shape =
  | "circle"
  | "square"
  | "triangle"
  | "diamond"
  | "wedge"
  | "cross"
  | "star"
  | "ring";

/** The shapes in the order in which types get them. */
export const SHAPES: readonly Shape[] = [
  "circle",
  "square",
  "triangle",
  "diamond",
  "wedge",
  "cross",
  "star",
  "ring",
];

/** Colours on a light ground. */
export const LIGHT: readonly string[] = [
  "#0072b2",
  "#9c2500",
  "#00794f",
  "#b0418a",
  "#967b00",
  "#453a8f",
  "#5c4433",
  "#3e4a55",
];

/** Colours on a dark ground. */
export const DARK: readonly string[] = [
  "#56b4e9",
  "#f58231",
  "#2fc294",
  "#f19fd0",
  "#f0e442",
  "#9c8cff",
  "#d2b48c",
  "#c3ccd5",
];

/** The ground that colours are drawn on. */
export type Ground = "light" | "dark";

/** The colour of a type. */
export function colourOf(type: number, ground: Ground): string {
  const colours = ground === "dark" ? DARK : LIGHT;
  return colours[type % colours.length]!;
}

/** The shape of a type: types that share a colour have different ones. */
export function shapeOf(type: number): Shape {
  return SHAPES[(type + Math.floor(type / SHAPES.length)) % SHAPES.length]!;
}

/** Adds a shape to a path. `r` is the radius of the circle that is as large. */
export function addShape(path: CanvasPath, shape: Shape, x: number, y: number, r: number): void {
  const points = POINTS[shape];
  if (points) {
    for (const [at, [dx, dy]] of points.entries()) {
      if (at === 0) path.moveTo(x + dx * r, y + dy * r);
      else path.lineTo(x + dx * r, y + dy * r);
    }
    path.closePath();
    return;
  }
  path.moveTo(x + r, y);
  path.arc(x, y, r, 0, 2 * Math.PI);
  if (shape === "ring") {
    // The other way round, so that the middle stays empty.
    path.moveTo(x + r * 0.5, y);
    path.arc(x, y, r * 0.5, 0, 2 * Math.PI, true);
  }
}

const C = 0.38;
const POINTS: Partial<Record<Shape, readonly (readonly [number, number])[]>> = {
  square: [
    [-0.88, -0.88],
    [0.88, -0.88],
    [0.88, 0.88],
    [-0.88, 0.88],
  ],
  triangle: [
    [0, -1.1],
    [1.1, 0.85],
    [-1.1, 0.85],
  ],
  wedge: [
    [-1.1, -0.85],
    [1.1, -0.85],
    [0, 1.1],
  ],
  diamond: [
    [0, -1.25],
    [1.05, 0],
    [0, 1.25],
    [-1.05, 0],
  ],
  cross: [
    [-C, -1.1],
    [C, -1.1],
    [C, -C],
    [1.1, -C],
    [1.1, C],
    [C, C],
    [C, 1.1],
    [-C, 1.1],
    [-C, C],
    [-1.1, C],
    [-1.1, -C],
    [-C, -C],
  ],
  star: Array.from({ length: 10 }, (_, at): readonly [number, number] => {
    const r = at % 2 === 0 ? 1.3 : 0.55;
    const angle = (at * Math.PI) / 5 - Math.PI / 2;
    return [r * Math.cos(angle), r * Math.sin(angle)];
  }),
};
