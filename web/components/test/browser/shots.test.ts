/** Takes pictures of the demo for people to look at, into the folder that `SHOTS` names. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { errorsOf, serveDemo } from "./page.ts";

const folder = process.env.SHOTS;

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
      await page.waitForTimeout(600);
      await page.screenshot({ path: join(folder!, `${name}-${theme}.png`), fullPage: true });
      expect(errorsOf(page)).toEqual([]);
    }
  }
  await server.close();
});
