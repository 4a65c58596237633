import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DemoServer } from "./page.ts";
import { browserPath, errorsOf, serveDemo } from "./page.ts";
import { longestTask } from "./tasks.ts";

/** Shows the data that the page has made up. */
async function showBig(): Promise<void> {
  const { big } = window as unknown as { big: Parameters<typeof window.demo.table.update>[0] };
  await window.demo.table.update(big);
}

describe.skipIf(!browserPath)("the table", () => {
  let server: DemoServer;
  beforeAll(async () => {
    server = await serveDemo();
  });
  afterAll(() => server?.close());

  const log = (page: Page) => page.evaluate(() => window.demo.log.splice(0));
  const rows = (page: Page) =>
    page.locator("#table .k-grid-body [role=row]:not([hidden])").allTextContents();

  test("100,000 rows: nothing is long, and only those on screen are in the page", async () => {
    const page = await server.open("");
    await page.evaluate(() => {
      Object.assign(window, { big: window.demo.outputsOf(window.demo.shop(1_000_000, 100_000)) });
    });
    const longest: Record<string, number> = {};
    const measure = async (what: string, run: () => Promise<unknown>) => {
      longest[what] = Math.round(await longestTask(page, run));
    };
    const status = page.locator("#table [role=status]");
    await measure("show", () => page.evaluate(showBig));
    expect(await status.textContent()).toBe("110,000 outputs");
    for (const name of ["Key", "Rule", "Output", "Time"]) {
      const header = page.locator("#table [role=columnheader]", { hasText: name });
      await measure(`sort by ${name}`, async () => {
        await header.locator("button").click();
        await page.waitForFunction(
          (text) => document.querySelector("#table [aria-sort]")?.textContent === text,
          name,
        );
      });
    }
    await measure("filter", async () => {
      await page.locator("#table input").pressSequentially("o-123");
      await status.filter({ hasText: "of 110,000" }).waitFor();
    });
    await page.locator("#table input").fill("");
    const box = (await page.locator("#table .k-grid").boundingBox())!;
    await page.mouse.move(box.x + 200, box.y + 100);
    await measure("scroll", async () => {
      for (let at = 0; at < 30; at++) await page.mouse.wheel(0, 20_000);
    });
    console.log("table of 110,000 rows:", longest);
    expect(Math.max(...Object.values(longest))).toBeLessThan(100);
    expect((await rows(page)).length).toBeLessThan(30);
    expect(errorsOf(page)).toEqual([]);
  });

  test("a million rows are higher than an element can be, and each is reached", async () => {
    const page = await server.open("");
    await page.evaluate(() => {
      const length = 1_000_000;
      const end = Float64Array.from({ length }, (_, at) => at * 1000);
      const outputs = {
        kind: new Uint8Array(length),
        lane: new Uint32Array(length),
        start: end,
        end,
      };
      const rules = [{ rule: "r", lanes: ["k=1"], outputs }];
      window.demo.table.update({ rules, emits: (all) => all.map((row) => `emit ${row.index}`) });
    });
    await page.locator("#table [role=status]", { hasText: "1,000,000 outputs" }).waitFor();
    await page.locator("#table .k-grid").focus();
    await page.keyboard.press("Control+End");
    await page.waitForTimeout(100);
    expect((await rows(page)).at(-1)).toContain("emit 999999");
    await page.evaluate(() => window.demo.table.setSelection({ rule: "r", index: 400_000 }));
    await page.waitForTimeout(100);
    const selected = page.locator("#table [aria-selected=true]");
    expect(await selected.textContent()).toContain("emit 400000");
    const box = (await page.locator("#table .k-grid").boundingBox())!;
    const at = (await selected.boundingBox())!;
    expect(at.y).toBeGreaterThanOrEqual(box.y);
    expect(at.y + at.height).toBeLessThanOrEqual(box.y + box.height);
  });

  test("sorting while new data are read does not lose them", async () => {
    const page = await server.open("");
    await page.evaluate(() => {
      window.demo.table.update(window.demo.outputsOf(window.demo.shop(400_000, 1000)));
      document.querySelector<HTMLButtonElement>("#table .k-sort")?.click();
    });
    await page.locator("#table [role=status]", { hasText: "44,000 outputs" }).waitFor();
    const sorted = await page.locator("#table [aria-sort]").getAttribute("aria-sort");
    expect(sorted).toBe("descending");
    const [first, second] = await rows(page);
    expect(first! >= second!).toBe(true);
    // From the end of many rows to few, while the table is drawn.
    await page.locator("#table .k-grid").focus();
    await page.keyboard.press("Control+End");
    await page.evaluate(async () => {
      const { table, outputsOf, shop } = window.demo;
      const few = table.update(outputsOf(shop(50, 3)));
      for (let at = 0; at < 5; at++) {
        table.setSelection({ rule: "unpaid_order", index: 39_000 });
        await new Promise(requestAnimationFrame);
      }
      await few;
      await table.update({ rules: [], emits: () => [] });
      await table.update(outputsOf(shop(50, 3)));
    });
    await page.waitForTimeout(100);
    expect((await rows(page)).length).toBe(5);
    expect(errorsOf(page)).toEqual([]);
  });

  test("keys alone: sort, go through cells and to the end, open", async () => {
    const page = await server.open("");
    await page.locator("#table .k-grid").focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    expect(await log(page)).toEqual(["open returned \u202e<b> 0"]);
    await page.keyboard.press("ArrowRight");
    const active = () =>
      page.locator("#table .k-grid").evaluate((grid) => {
        const id = grid.getAttribute("aria-activedescendant") ?? "";
        const cell = document.getElementById(id);
        return [
          cell?.parentElement?.getAttribute("aria-rowindex"),
          cell?.getAttribute("aria-colindex"),
        ];
      });
    await page.waitForTimeout(50);
    expect(await active()).toEqual(["3", "2"]);
    await page.keyboard.press("Control+End");
    await page.waitForTimeout(50);
    expect(await active()).toEqual(["45", "5"]);
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.waitForTimeout(50);
    const sorted = await page.locator("#table [aria-sort]").getAttribute("aria-sort");
    expect(sorted).toBe("descending");
  });

  test("a row that is selected from outside is scrolled to and marked", async () => {
    const page = await server.open("");
    await page.evaluate(() => window.demo.table.setSelection({ rule: "unpaid_order", index: 2 }));
    const selected = page.locator("#table [aria-selected=true]");
    await selected.waitFor();
    expect(await selected.count()).toBe(1);
    expect(await selected.textContent()).toContain("amount: 6");
    expect((await rows(page)).join()).toContain("returned \\u202E<b>");
  });
});
