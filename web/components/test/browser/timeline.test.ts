import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DemoServer, Look } from "./page.ts";
import { browserPath, errorsOf, serveDemo } from "./page.ts";
import { longestTask } from "./tasks.ts";

/** No task of the page may be longer, in milliseconds. */
const LONGEST = 100;

/** Shows the data that the page has made up. */
async function showBig(): Promise<void> {
  const { big } = window as unknown as { big: Parameters<typeof window.demo.timeline.setData>[0] };
  await window.demo.timeline.setData(big);
}

describe.skipIf(!browserPath)("the timeline", () => {
  let server: DemoServer;
  beforeAll(async () => {
    server = await serveDemo();
  });
  afterAll(() => server?.close());

  async function open(query = "", look: Look = {}): Promise<Page> {
    const page = await server.open(query, look);
    await page.evaluate(() => window.demo.shown);
    await page.locator("#timeline").scrollIntoViewIfNeeded();
    return page;
  }

  const log = (page: Page) => page.evaluate(() => window.demo.log.splice(0));
  const picture = (page: Page) =>
    page.evaluate(() => {
      const canvas = document.querySelector<HTMLCanvasElement>("#timeline .k-plot > canvas");
      return canvas!.toDataURL();
    });
  const said = (page: Page) => page.locator("#timeline [aria-live]").textContent();

  test("long tasks are seen by these tests", async () => {
    const page = await open();
    const longest = await longestTask(page, () =>
      page.evaluate(() => {
        let sum = 0;
        for (let at = 0; at < 3e8; at++) sum += at % 7;
        return sum;
      }),
    );
    expect(longest).toBeGreaterThan(LONGEST);
  });

  // With a million events the memory of the old ones may be collected at once.
  for (const [events, lanes, most] of [
    [200_000, 100_000, LONGEST],
    [200_000, 3, LONGEST],
    [1_000_000, 500, 2 * LONGEST],
  ] as const) {
    test(`${events} events in ${lanes} lanes: no task is long`, async () => {
      const page = await open();
      const longest: Record<string, number> = {};
      const measure = async (what: string, run: () => Promise<unknown>) => {
        longest[what] = Math.round(await longestTask(page, run));
      };
      await page.evaluate(
        ([e, l]) => {
          Object.assign(window, { big: window.demo.shop(e!, l!) });
        },
        [events, lanes],
      );
      await measure("show", () => page.evaluate(showBig));
      const box = (await page.locator("#timeline .k-surface").boundingBox())!;
      const { mouse, keyboard } = page;
      await mouse.move(box.x + box.width / 2, box.y + 100);
      await keyboard.down("Control");
      await measure("zoom", async () => {
        for (let at = 0; at < 10; at++) await mouse.wheel(0, -120);
        for (let at = 0; at < 5; at++) await mouse.wheel(0, 120);
      });
      await keyboard.up("Control");
      await mouse.down();
      await measure("pan", async () => {
        for (let at = 0; at < 20; at++) await mouse.move(box.x + 600 - at * 15, box.y + 100 - at);
      });
      await mouse.up();
      await measure("scroll", async () => {
        for (let at = 0; at < 20; at++) await mouse.wheel(0, 3000);
      });
      await page.locator("#timeline input[type=range]").focus();
      await measure("slide", async () => {
        for (let at = 0; at < 20; at++) await keyboard.press("ArrowLeft");
      });
      await measure("hover", async () => {
        for (let at = 0; at < 20; at++) await mouse.move(box.x + 300 + 20 * at, box.y + 60 + at);
      });
      console.log(`${events} events, ${lanes} lanes:`, longest);
      expect(Math.max(...Object.values(longest))).toBeLessThan(most);
      expect(errorsOf(page)).toEqual([]);
    });
  }

  test("the last of 100,000 lanes is reached by a key, and its events are selected", async () => {
    const page = await open("?events=200000&lanes=100000");
    await page.locator("#timeline .k-tools button").last().focus();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Control+End");
    expect(await said(page)).toContain("of order_id=o-100000");
    await page.waitForTimeout(100);
    expect(await page.locator(".k-lane-name.k-current").textContent()).toBe("o-100000");
    await page.keyboard.press("Enter");
    const [selected] = await log(page);
    const index = Number(selected?.split(" ")[1]);
    const lane = await page.evaluate((event) => window.demo.data.events.lane[event], index);
    expect(lane).toBe(99_999);
  });

  test("a million lanes are higher than an element can be, and each is reached", async () => {
    const page = await open();
    await page.evaluate(() => window.demo.timeline.setData(window.demo.shop(1000, 1_000_000)));
    await page.locator("#timeline .k-tools button").last().focus();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Control+End");
    for (let at = 0; at < 5; at++) await page.keyboard.press("ArrowUp");
    await page.waitForTimeout(100);
    expect(await page.locator(".k-lane-name.k-current").textContent()).toBe("o-999995");
    const shown = await page.locator(".k-lane-name:not([hidden])").allTextContents();
    expect(shown.at(-1)).toBe("o-1000000");
    const surface = page.locator("#timeline .k-surface");
    await surface.evaluate((it) => {
      it.scrollTop = it.scrollHeight / 2;
    });
    await page.waitForTimeout(100);
    const [middle] = await page.locator(".k-lane-name:not([hidden])").allTextContents();
    expect(Math.abs(Number(middle?.slice(2)) - 500_000)).toBeLessThan(100);
  });

  test("a lane is found by its name", async () => {
    const page = await open("?events=200000&lanes=100000");
    await page.locator("#timeline .k-finder").fill("o-99");
    expect(await said(page)).toContain("of order_id=o-99");
    await page.keyboard.press("Enter");
    expect(await said(page)).toContain("of order_id=o-990");
    await page.keyboard.press("Enter");
    expect(await said(page)).toContain("of order_id=o-991");
    // The lane that was found is marked, until the field is left.
    const marked = await picture(page);
    await page.locator("#timeline .k-finder").blur();
    await expect.poll(() => picture(page)).not.toBe(marked);
    await page.locator("#timeline .k-finder").fill("nobody");
    expect(await said(page)).toBe("No such key");
  });

  test("keys alone: lanes by Tab, events, outputs, the slider, and out again", async () => {
    const page = await open();
    await page.locator("#timeline .k-tools button").last().focus();
    await page.keyboard.press("Tab");
    expect(await said(page)).toMatch(/event 1 of \d+ of order_id=o-1(;|$)/);
    await page.keyboard.press("ArrowRight");
    expect(await said(page)).toContain("event 2 of");
    await page.keyboard.press("Tab");
    expect(await said(page)).toContain("of order_id=o-2");
    await page.keyboard.press("n");
    expect(await said(page)).toMatch(/^(match|timeout), .*output \d+ of/);
    await page.keyboard.press("Enter");
    expect((await log(page)).at(-1)).toMatch(/^output \d+$/);
    await page.keyboard.press("e");
    await page.keyboard.press("t");
    expect((await log(page)).at(-1)).toMatch(/^time \d+$/);
    await page.keyboard.press("Escape");
    await page.keyboard.press("Tab");
    expect(await page.evaluate(() => document.activeElement?.getAttribute("title"))).toBe(
      "Previous moment",
    );
  });

  test("the slider goes from moment to moment, and says the time", async () => {
    const page = await open();
    const slider = page.locator("#timeline input[type=range]");
    await slider.focus();
    await page.keyboard.press("Home");
    const first = await page.evaluate(() => window.demo.timeline.time);
    await page.keyboard.press("ArrowRight");
    const second = await page.evaluate(() => window.demo.timeline.time);
    expect(second).toBeGreaterThan(first);
    const isMoment = await page.evaluate(
      (time) => [...window.demo.data.events.time, ...window.demo.data.outputs.end].includes(time),
      second,
    );
    expect(isMoment).toBe(true);
    expect(await slider.getAttribute("aria-valuetext")).toMatch(/^2024-05-01 \d\d:/);
    await page.keyboard.press("ArrowLeft");
    expect(await page.evaluate(() => window.demo.timeline.time)).toBe(first);
  });

  test("a click selects; events of one instant are listed, each to be chosen", async () => {
    const page = await open();
    // The five events of the first lane at one instant are drawn as a bar.
    const at = await page.evaluate(() => window.demo.data.events.time[10]!);
    await page.evaluate((time) => window.demo.timeline.zoomTo(time - 1000, time + 1000), at);
    await page.waitForTimeout(100);
    const box = (await page.locator("#timeline .k-surface").boundingBox())!;
    const names = await page.locator(".k-lane-names").evaluate((it) => it.clientWidth + 1);
    await page.mouse.click(box.x + names + (box.width - names) / 2, box.y + 46);
    const choices = page.locator(".k-chooser .k-choice");
    await choices.first().waitFor();
    expect(await choices.count()).toBe(5);
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    expect(await log(page)).toEqual(["event 11"]);
    expect(await page.locator(".k-chooser").count()).toBe(0);
  });

  test("odd names and texts stay text and keep the layout", async () => {
    const page = await open();
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(width).toBeLessThanOrEqual(1280);
    const names = await page.locator(".k-lane-name bdi").allTextContents();
    expect(names.join(" ")).toContain("\\u202Egnp.exe\u2400\\uD800 <img src=x");
    expect(Math.max(...names.map((name) => name.length))).toBeLessThan(100);
    expect(await page.locator("#timeline img").count()).toBe(0);
    await page.locator(".k-list summary").click();
    await page.locator(".k-list ol").last().waitFor();
    expect(await page.locator(".k-list h4").allTextContents()).toContain("1 event without a time");
    await page.locator(".k-list ol").last().locator("button").first().click();
    expect((await log(page)).at(-1)).toBe("event 16");
  });

  test("fingers pan and pinch", async () => {
    const page = await open("", { width: 390, height: 844, touch: true });
    const before = await picture(page);
    const box = (await page.locator("#timeline .k-surface").boundingBox())!;
    const session = await page.context().newCDPSession(page);
    const y = box.y + 80;
    const x = box.x + 200;
    const touch = (type: "touchStart" | "touchMove" | "touchEnd", points: number[]) =>
      session.send("Input.dispatchTouchEvent", {
        type,
        touchPoints: points.map((at, id) => ({ x: at, y, id })),
      });
    await touch("touchStart", [x - 20, x + 20]);
    for (let step = 1; step <= 8; step++)
      await touch("touchMove", [x - 20 - 6 * step, x + 20 + 6 * step]);
    await touch("touchEnd", []);
    await page.waitForTimeout(150);
    const pinched = await picture(page);
    expect(pinched).not.toBe(before);
    await touch("touchStart", [x]);
    for (let step = 1; step <= 8; step++) await touch("touchMove", [x - 10 * step]);
    await touch("touchEnd", []);
    await page.waitForTimeout(150);
    expect(await picture(page)).not.toBe(pinched);
    expect(errorsOf(page)).toEqual([]);
  });

  test("selected outputs are drawn over their events, and a new theme is taken at once", async () => {
    const page = await open();
    const plain = await picture(page);
    await page.evaluate(() => {
      window.demo.timeline.setSelection({ output: 0, event: 0, events: [0, 20, 30] });
      window.demo.timeline.reveal({ kind: "output", index: 0 });
    });
    await page.waitForTimeout(100);
    const selected = await picture(page);
    expect(selected).not.toBe(plain);
    await page.evaluate(() => {
      document.documentElement.dataset.theme = "dark";
    });
    await page.waitForTimeout(100);
    expect(await picture(page)).not.toBe(selected);
  });
});
