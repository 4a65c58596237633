/** Colours of event types are told apart by people who see few colours, on both grounds. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { groundOf } from "../src/timeline/look.ts";
import { colourOf, DARK, LIGHT, SHAPES, shapeOf } from "../src/timeline/palette.ts";

type Rgb = [number, number, number];

function linear(colour: string): Rgb {
  const channel = (at: number) => {
    const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return [channel(1), channel(3), channel(5)];
}

const luminance = ([r, g, b]: Rgb) => 0.2126 * r + 0.7152 * g + 0.0722 * b;

/** The contrast that WCAG defines. */
function contrast(a: string, b: string): number {
  const [x, y] = [luminance(linear(a)), luminance(linear(b))];
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}

/** Machado, Oliveira and Fernandes 2009, full strength. */
const EYES: Record<string, readonly Rgb[]> = {
  all: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
};

function lab(colour: Rgb): Rgb {
  const [r, g, b] = colour;
  const f = (t: number) => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116);
  const x = f((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505);
  const y = f(0.2126 * r + 0.7152 * g + 0.0722 * b);
  const z = f((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

function distance(a: string, b: string, eye: readonly Rgb[]): number {
  const seen = (colour: string) => {
    const rgb = linear(colour);
    const through = eye.map(([r, g, b]) => r * rgb[0] + g * rgb[1] + b * rgb[2]);
    return lab(through.map((value) => Math.min(1, Math.max(0, value))) as Rgb);
  };
  const [p, q] = [seen(a), seen(b)];
  return Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]);
}

const css = readFileSync(join(import.meta.dirname, "../src/colours.css"), "utf8");

/** The custom properties of a theme, as the style sheet sets them. */
function theme(selector: string): Map<string, string> {
  const start = css.indexOf(selector);
  expect(start, selector).toBeGreaterThanOrEqual(0);
  const block = css.slice(start, css.indexOf("}", start));
  return new Map([...block.matchAll(/--k-([\w-]+):\s*(#[0-9a-f]{6})/g)].map((m) => [m[1]!, m[2]!]));
}

const light = theme(':root[data-theme="light"] {');
const dark = theme(':root[data-theme="dark"] {');

test("dots stand out from the ground, and from each other for eyes that see few colours", () => {
  for (const [colours, of] of [
    [LIGHT, light],
    [DARK, dark],
  ] as const) {
    for (const colour of colours) {
      for (const ground of ["bg", "accent-soft"]) {
        const found = contrast(colour, of.get(ground)!);
        expect(found, `${colour} on ${ground}`).toBeGreaterThanOrEqual(3);
      }
    }
    // Six types are told apart by colour; shapes tell all apart.
    for (const [name, eye] of Object.entries(EYES)) {
      for (let a = 0; a < 6; a++) {
        for (let b = a + 1; b < 6; b++) {
          const found = distance(colours[a]!, colours[b]!, eye);
          expect(found, `${colours[a]} and ${colours[b]}, ${name}`).toBeGreaterThan(11);
        }
      }
    }
  }
});

test("sixty-four types have a colour and shape of their own", () => {
  const looks = Array.from({ length: 64 }, (_, type) => colourOf(type, "light") + shapeOf(type));
  expect(new Set(looks).size).toBe(64);
  expect(new Set(looks.slice(0, 8).map((_, type) => shapeOf(type))).size).toBe(SHAPES.length);
});

test("text has the contrast of WCAG AA in both themes", () => {
  for (const of of [light, dark]) {
    const check = (text: string, grounds: string[], least: number) => {
      for (const ground of grounds) {
        const found = contrast(of.get(text)!, of.get(ground)!);
        expect(found, `${text} ${of.get(text)} on ${ground}`).toBeGreaterThanOrEqual(least);
      }
    };
    check("text", ["bg", "bg-soft", "bg-strong", "accent-soft", "match-soft", "timeout-soft"], 4.5);
    check("text-soft", ["bg", "bg-soft", "accent-soft"], 4.5);
    check("accent", ["bg", "bg-soft"], 4.5);
    check("accent-text", ["accent"], 4.5);
    for (const name of ["match", "timeout", "error", "warning"]) {
      check(name, ["bg", "bg-soft", `${name}-soft`], 4.5);
    }
    check("border-strong", ["bg", "bg-soft"], 3);
    check("focus", ["bg", "bg-soft", "accent-soft"], 3);
    for (const name of of.keys()) {
      if (name.startsWith("syntax-")) check(name, ["bg", "accent-soft"], 4.5);
    }
  }
});

test("the ground of a theme decides which colours are taken", () => {
  expect(groundOf(light.get("bg")!)).toBe("light");
  expect(groundOf(dark.get("bg")!)).toBe("dark");
});

test("the two ways to dark are the same", () => {
  expect(dark.size).toBeGreaterThan(25);
  expect([...theme(':root:not([data-theme="light"]) {')]).toEqual([...dark]);
  expect([...light.keys()]).toEqual([...dark.keys()]);
});
