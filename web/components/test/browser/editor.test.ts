import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DemoServer } from "./page.ts";
import { browserPath, errorsOf, serveDemo } from "./page.ts";
import { longestTask } from "./tasks.ts";

describe.skipIf(!browserPath)("the editor", () => {
  let server: DemoServer;
  beforeAll(async () => {
    server = await serveDemo();
  });
  afterAll(() => server?.close());

  const value = (page: Page) => page.evaluate(() => window.demo.editor.value);

  async function atMistake(): Promise<Page> {
    const page = await server.open("");
    await page.waitForSelector(".cm-lintRange-error");
    const at = (await value(page)).indexOf("mtch") + 2;
    await page.evaluate((place) => window.demo.editor.select(place, place), at);
    return page;
  }

  test("works under a strict policy, and shows odd characters", async () => {
    const page = await server.open("");
    await page.waitForSelector(".cm-lintRange-error");
    expect(errorsOf(page)).toEqual([]);
    const family = await page
      .locator(".cm-scroller")
      .evaluate((it) => getComputedStyle(it).display);
    expect(family, "the styles of the editor apply").toBe("flex");
    expect(await page.locator(".cm-specialChar").count()).toBe(2);
    const odd =
      "# \u202a\u202b\u202c\u202d\u202e \u2066\u2067\u2068\u2069 \u0000 \ud800 \ufeff \u{1f600}\n";
    await page.evaluate((text) => window.demo.editor.setValue(text), odd);
    expect(await page.locator(".cm-specialChar").count()).toBe(12);
  });

  test("shows a mistake with its help, and takes the fix by a click", async () => {
    const page = await server.open("");
    await page.hover(".cm-lintRange-error");
    const message = page.locator(".cm-tooltip-lint .k-diagnostic");
    await message.waitFor();
    expect(await message.textContent()).toContain("help: did you mean `match`?");
    await page.locator(".cm-tooltip-lint .cm-diagnosticAction").first().click();
    expect(await value(page)).toContain("  match     order_created");
    await page.waitForFunction(
      () => !document.querySelector(".k-editor")?.shadowRoot?.querySelector(".cm-lintRange-error"),
    );
  });

  test("takes a fix by keys alone", async () => {
    const page = await atMistake();
    await page.keyboard.press("Control+.");
    await page.locator(".k-fixes button:focus").waitFor();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    expect(await value(page)).toContain("  meta     order_created");
    await page.keyboard.press("Control+z");
    expect(await value(page)).toContain("  mtch     order_created");
  });

  test("goes to a mistake by a key, and says what it is", async () => {
    const page = await server.open("");
    await page.waitForSelector(".cm-lintRange-error");
    await page.evaluate(() => window.demo.editor.focus());
    await page.keyboard.press("F8");
    const shown = page.locator(".cm-tooltip-lint [role=status]");
    await shown.waitFor();
    expect(await shown.textContent()).toContain("did you mean `match`?");
    await page.keyboard.press("Control+.");
    await page.locator(".k-fixes button:focus").waitFor();
    await page.keyboard.press("Enter");
    expect(await value(page)).toContain("  match     order_created");
  });

  test("completes what is typed", async () => {
    const page = await atMistake();
    await page.keyboard.press("End");
    await page.keyboard.type("\nwi");
    await page.locator(".cm-tooltip-autocomplete li[aria-selected]").waitFor();
    // CodeMirror ignores Enter for a moment, so that nobody takes what they have not seen.
    await page.waitForTimeout(150);
    await page.keyboard.press("Enter");
    expect(await value(page)).toContain("$wait\n  within\n");
  });

  test("shows the meaning of a name, and runs no markup in it", async () => {
    const page = await server.open("");
    await page.evaluate(() => {
      window.demo.editor.setValue("rule a { match b }\n");
      window.demo.editor.select(11, 11);
    });
    await page.keyboard.press("Control+k");
    await page.keyboard.press("Control+i");
    const doc = page.locator(".k-doc");
    await doc.waitFor();
    expect(await doc.textContent()).toContain("looks for");
    expect(await doc.locator("img").count()).toBe(0);
    expect(await doc.locator("pre span").count()).toBeGreaterThan(0);
    await page.keyboard.press("Escape");
    expect(await doc.count()).toBe(0);
    expect(errorsOf(page)).toEqual([]);
  });

  test("takes long lines and long files without a long task", async () => {
    const page = await server.open("");
    await page.waitForSelector(".cm-lintRange-error");
    const longest = await longestTask(page, async () => {
      await page.evaluate(() => window.demo.editor.setValue("rule a { match b }\n".repeat(50_000)));
      expect(await page.locator(".cm-line").count()).toBeLessThan(100);
      await page.evaluate(() => window.demo.editor.setValue(`# ${"x".repeat(1_000_000)}\n`));
    });
    // CodeMirror colours far lines in slices of its own of 100 ms, when the page is idle.
    expect(longest).toBeLessThan(150);
    expect(errorsOf(page)).toEqual([]);
  });

  test("a service that fails leaves the editor as it is", async () => {
    const page = await server.open("");
    await page.evaluate(() => {
      const fail = () => Promise.reject(new Error("the worker was stopped"));
      Object.assign(window.demo.services, {
        check: fail,
        complete: fail,
        hover: fail,
        format: fail,
      });
      window.demo.editor.setValue("rule a { match b }   \n");
      window.demo.editor.select(9, 9);
    });
    await page.keyboard.type("ma");
    await page.keyboard.press("Control+Space");
    await page.keyboard.press("Shift+Alt+f");
    await page.keyboard.press("Control+k");
    await page.keyboard.press("Control+i");
    await page.waitForTimeout(400);
    expect(await value(page)).toBe("rule a { mamatch b }   \n");
    expect(errorsOf(page)).toEqual([]);
  });

  test("formats by a key, and only a text without mistakes", async () => {
    const page = await atMistake();
    const before = await value(page);
    await page.keyboard.press("Shift+Alt+f");
    expect(await value(page)).toBe(before);
    await page.evaluate(() => {
      window.demo.editor.setValue("rule a { match b }   \n");
      window.demo.editor.focus();
    });
    await page.keyboard.press("Shift+Alt+f");
    await page.waitForFunction(() => window.demo.editor.value === "rule a { match b }\n");
  });
});
