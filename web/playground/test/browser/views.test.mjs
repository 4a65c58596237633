// Each view at the width of a desktop and of a phone, dark and light: no serious fault by axe-core,
// nothing wider than the page. `npm run browser -- --shots` keeps pictures in shots/.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { open, shot, start, status } from "./harness.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };
const TABS = ["Details", "Open", "Matches", "Automaton", "Tests", "Statistics", "Output"];
const withShots = process.env.SHOTS === "1";

let world;
before(async () => {
  world = await start();
});
after(() => world?.stop());

async function judge(page, name) {
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(overflow <= 0, `${name}: ${overflow} px too wide`);
  const { violations } = await page.evaluate(() =>
    window.axe.run(document, { resultTypes: ["violations"] }),
  );
  const serious = violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(
      ({ id, nodes }) =>
        `${id}: ${nodes.map(({ html, failureSummary }) => `${html.slice(0, 120)} ${failureSummary}`).join("; ")}`,
    );
  assert.deepEqual(serious, [], name);
}

for (const [size, viewport] of Object.entries(SIZES)) {
  for (const colorScheme of ["light", "dark"]) {
    test(`${size}, ${colorScheme}`, async () => {
      const options = {
        viewport,
        colorScheme,
        hasTouch: size === "phone",
        reducedMotion: "reduce",
      };
      const { page, wrong, close } = await open(world, options);
      // Not a script of the page: the policy holds for those.
      await page.evaluate(axe);
      await status(page, /^92 events, 6 matches/);
      const seen = async (view) => {
        await page.waitForTimeout(120);
        if (withShots)
          await shot(page, `${view}-${size}-${colorScheme}`, { fullPage: size === "phone" });
        await judge(page, `${view}, ${size}, ${colorScheme}`);
      };
      await seen("first");
      await page.getByRole("tab", { name: /^Matches/ }).click();
      await page
        .locator("#panel-matches")
        .getByText(/order_id=/)
        .nth(1)
        .click();
      await page.locator("#panel-details").getByText("o-10").first().waitFor();
      // The moment before the second match: one partial match is open.
      await page.getByRole("slider").first().focus();
      await page.keyboard.press("Home");
      await seen("slider");
      for (const tab of TABS) {
        await page.getByRole("tab", { name: new RegExp(`^${tab}`) }).click();
        await seen(tab.toLowerCase());
      }
      await page.locator("#timeline").getByRole("application").focus();
      for (const key of ["Control+Home", "Home", "Enter"]) await page.keyboard.press(key);
      await page.getByRole("button", { name: /^Why/ }).first().click();
      await page
        .locator(".why")
        .getByText(/#1|starts/)
        .first()
        .waitFor();
      await seen("why");
      await page.locator("#rules .cm-content").click();
      await page.keyboard.press("Control+Home");
      await page.keyboard.type("evnt x { }");
      await status(page, /mistake/);
      await page.locator("#rules .cm-lintRange-error").first().hover();
      await page.locator("#rules .k-diagnostic").first().waitFor();
      await seen("mistake");
      await page.keyboard.press("Escape");
      await page.locator("#examples-button").click();
      await seen("examples");
      await page.keyboard.press("Escape");
      await page.locator("#share-button").click();
      await seen("share");
      await page.keyboard.press("Escape");
      await page.locator("#tour-button").click();
      await page.getByRole("heading", { name: "A sequence" }).waitFor();
      await status(page, /^5 events/);
      await seen("tour");
      assert.deepEqual(await wrong(), []);
      await close();
    });
  }
}
