import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DemoServer } from "./page.ts";
import { browserPath, errorsOf, serveDemo } from "./page.ts";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

interface Violation {
  id: string;
  impact: string;
  nodes: { html: string; failureSummary: string }[];
}

describe.skipIf(!browserPath)("the views", () => {
  let server: DemoServer;
  beforeAll(async () => {
    server = await serveDemo();
  });
  afterAll(() => server?.close());

  const log = (page: Page) => page.evaluate(() => window.demo.log.splice(0));

  for (const theme of ["light", "dark"] as const) {
    for (const width of [1280, 390]) {
      test(`axe finds no serious fault: ${theme}, ${width} pixels wide`, async () => {
        const page = await server.open("", { theme, width });
        await page.evaluate(() => window.demo.shown);
        await page.waitForSelector(".cm-lintRange-error");
        for (const summary of await page.locator("summary").all()) await summary.click();
        // The policy of the page refuses scripts from elsewhere; the debugger may add one.
        await page.evaluate(readFileSync(AXE, "utf8"));
        const found = await page.evaluate(async () => {
          const { axe } = window as unknown as {
            axe: { run(): Promise<{ violations: Violation[] }> };
          };
          return (await axe.run()).violations;
        });
        const serious = found.filter((one) => ["serious", "critical"].includes(one.impact));
        expect(
          serious.map((one) => [one.id, one.nodes.map((node) => node.html.slice(0, 200))]),
        ).toEqual([]);
      });
    }
  }

  test("nothing of users becomes markup, and nothing is wider than the page", async () => {
    for (const width of [1280, 390]) {
      const page = await server.open("", { width });
      await page.evaluate(() => window.demo.shown);
      expect(errorsOf(page)).toEqual([]);
      page.on("dialog", (dialog) => {
        throw new Error(`a script ran: ${dialog.message()}`);
      });
      await page.evaluate(() => window.demo.automaton.update(window.demo.items.HOSTILE));
      expect(
        await page
          .locator("img:not(.cm-widgetBuffer), script:not([src]), foreignObject, image")
          .count(),
      ).toBe(0);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      expect(wide).toBeLessThanOrEqual(width);
      // The policy reports handlers of the parsed picture too, though nothing can run there.
      expect(errorsOf(page).filter((text) => !text.includes("Content Security Policy"))).toEqual(
        [],
      );
    }
  });

  test("a field of a million characters is cut, and more of it is shown on request", async () => {
    const page = await server.open("");
    const field = page.locator("#event dd").nth(2);
    const length = () => field.evaluate((it) => it.textContent?.length ?? 0);
    expect(await length()).toBeLessThan(400);
    await field.locator(".k-more").click();
    expect(await length()).toBeGreaterThan(4000);
    await field.locator(".k-more").click();
    expect(await length()).toBeGreaterThan(12_000);
  });

  test("what is destroyed leaves nothing behind", async () => {
    const page = await server.open("");
    await page.evaluate(() => window.demo.shown);
    const left = await page.evaluate(() => {
      const { editor, timeline, table, automaton, event, output, partials, why } = window.demo;
      const waiting = timeline.setData(window.demo.shop(100_000, 10));
      for (const one of [editor, timeline, table, automaton, event, output, partials, why]) {
        one.destroy();
      }
      return waiting.then(() => document.querySelectorAll(".box > *").length);
    });
    expect(left).toBe(0);
    await page.emulateMedia({ colorScheme: "dark" });
    await page.setViewportSize({ width: 700, height: 500 });
    await page.waitForTimeout(300);
    expect(errorsOf(page)).toEqual([]);
  });

  test("details say what is chosen", async () => {
    const page = await server.open("");
    await page.locator("#output .k-events button", { hasText: "login 4," }).click();
    await page.locator("#output .k-events button", { hasText: "15 more" }).click();
    await page.locator("#output .k-events button", { hasText: "login 24," }).click();
    await page.locator("#event .k-why").click();
    await page.locator("#event .k-inline button").click();
    await page.locator("#partials .k-events button").first().click();
    await page.locator("#why .k-card-title button").nth(1).click();
    expect(await log(page)).toEqual([
      "event 4",
      "event 24",
      "why 16",
      "output 3",
      "event 3",
      "event 1",
    ]);
  });

  test("states with partial matches are lit, and said in words", async () => {
    const page = await server.open("");
    expect(await page.locator("#automaton .k-lit").count()).toBe(1);
    expect(await page.locator("#automaton .k-count-sign").textContent()).toBe("12");
    expect(await page.locator("#automaton .k-states").textContent()).toBe("S1: 12 partial matches");
    await page.evaluate(() => window.demo.automaton.light(new Map([["S0", 1]])));
    expect(await page.locator("#automaton .k-count-sign").allTextContents()).toEqual(["1"]);
    await page.locator("#automaton [data-state=S1]").click();
    await page.locator("#automaton .k-states button").click();
    expect(await log(page)).toEqual(["state S1", "state S0"]);
    await page.evaluate(() => window.demo.automaton.light(new Map()));
    expect(await page.locator("#automaton .k-states").textContent()).toBe(
      "No partial match is open.",
    );
  });

  test("a story of 10,000 entries shows those around the event that is asked for", async () => {
    const page = await server.open("");
    await page.evaluate(() => {
      const { story } = window.demo.items;
      const [first] = story.entries;
      const entries = Array.from({ length: 10_000 }, (_, index) => ({ ...first!, index }));
      window.demo.why.update({ ...story, entries }, 5000);
    });
    const cards = page.locator("#why .k-card");
    expect(await cards.count()).toBe(100);
    expect(await page.locator("#why .k-wanted").count()).toBe(1);
    await page.locator("#why button", { hasText: "4990 earlier" }).click();
    await page.locator("#why button", { hasText: "4910 later" }).click();
    expect(await cards.count()).toBe(300);
    expect(await page.locator("#why .k-card").nth(110).getAttribute("class")).toContain("k-wanted");
  });
});
