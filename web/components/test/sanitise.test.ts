/** @vitest-environment jsdom */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { HOSTILE, PICTURE } from "../demo/picture.ts";
import { safeSvg } from "../src/automaton/sanitise.ts";
import { ROOT } from "./files.ts";

test("what could do something is left out, and text is kept", () => {
  const svg = safeSvg(HOSTILE, "p")!;
  const names = [...svg.querySelectorAll("*")].map((element) => element.localName);
  expect(names).toEqual(["g", "text", "path"]);
  for (const element of [svg, ...svg.querySelectorAll("*")]) {
    for (const { name, value } of element.attributes) {
      expect(["viewBox", "class", "data-state", "d"]).toContain(name);
      expect(value).not.toMatch(/javascript|example|alert/);
    }
  }
  expect(svg.querySelector("g")!.getAttribute("class")).toBe("node");
  expect(svg.querySelector("g")!.getAttribute("data-state")).toBe("<b>");
  expect(svg.textContent).toContain("kept <script>");
});

test("what is no SVG is no picture", () => {
  for (const text of [
    "",
    "<svg",
    "<html xmlns='http://www.w3.org/1999/xhtml'/>",
    "<svg/>",
    "a & b",
  ]) {
    expect(safeSvg(text, "p"), text).toBeNull();
  }
});

test("ids are those of one picture, and arrows point to them", () => {
  const svg = safeSvg(PICTURE, "k-7")!;
  expect(svg.querySelector("marker")!.id).toBe("k-7-tip");
  expect(svg.querySelector("path.arc")!.getAttribute("marker-end")).toBe("url(#k-7-tip)");
  expect(svg.querySelectorAll("[data-state]").length).toBe(2);
});

test("the pictures of the project lose nothing but their own style sheet", () => {
  const folder = join(ROOT, "testdata/explain");
  const files = readdirSync(folder).filter((name) => name.endsWith(".svg"));
  expect(files.length).toBeGreaterThan(10);
  for (const name of files) {
    const text = readFileSync(join(folder, name), "utf8");
    const whole = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
    whole.querySelector("style")?.remove();
    const safe = safeSvg(text, "p")!;
    const shape = (root: Element) =>
      [...root.querySelectorAll("*")].map((one) => [
        one.localName,
        one.getAttribute("class"),
        one.getAttribute("d"),
        one.getAttribute("transform"),
      ]);
    expect(shape(safe), name).toEqual(shape(whole));
    expect(safe.textContent!.trim(), name).toBe(whole.textContent!.trim());
  }
});
