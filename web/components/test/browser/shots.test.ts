/** Takes pictures of the demo for people to look at, into the folder that `SHOTS` names. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { errorsOf, serveDemo } from "./page.ts";

const folder = process.env.SHOTS;

/** Selects an output, and opens the list of a bar. */
async function act(page: Page): Promise<void> {
  await page.evaluate(() => {
    const { demo } = window;
    const { lane } = demo.data.events;
    const events = [...lane.keys()].filter((event) => lane[event] === 1).slice(3, 7);
    demo.timeline.setSelection({ event: events[1]!, output: 1, events });
    demo.editor.select(demo.editor.value.indexOf("mtch"), demo.editor.value.indexOf("mtch"));
    demo.table.setSelection({ rule: "unpaid_order", index: 2 });
  });
  const box = (await page.locator("#timeline .k-surface").boundingBox())!;
  const names = await page.locator(".k-lane-names").evaluate((it) => it.clientWidth + 1);
  const share = page.viewportSize()!.width > 600 ? 0.0515 : 0.05;
  await page.mouse.click(box.x + names + (box.width - names) * share, box.y + 46);
}

test.runIf(folder)("pictures of all components", async () => {
  mkdirSync(folder!, { recursive: true });
  const server = await serveDemo();
  for (const theme of ["light", "dark"] as const) {
    for (const [name, width, height] of [
      ["desktop", 1280, 800],
      ["phone", 390, 844],
    ] as const) {
      const page = await server.open("", { theme, width, height });
      await page.evaluate(() => window.demo.shown);
      await act(page);
      await page.waitForTimeout(600);
      const take = async (id: string) => {
        await page
          .locator(`#${id}`)
          .screenshot({ path: join(folder!, `${name}-${theme}-${id}.png`) });
      };
      for (const id of ["table", "automaton", "event", "output", "partials", "why"]) await take(id);
      await take("timeline");
      await page.evaluate(() => window.demo.editor.focus());
      await page.keyboard.press("Control+.");
      await take("editor");
      expect(errorsOf(page)).toEqual([]);
    }
  }
  await server.close();
});
