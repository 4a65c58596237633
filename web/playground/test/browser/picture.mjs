// Takes the picture of the page for the README: `npm run picture` after `npm run build`.

import { join } from "node:path";
import { runnerImport } from "vite";
import { open, ROOT, start, status } from "./harness.mjs";

const RULES = `event order { ts: time, id: string }
event payment { ts: time, id: string }
event parcel { ts: time, id: string }

# Paid within half an hour, sent within two.
rule fulfilled {
  key id
  match order ->[0s..30m] payment as paid -> parcel as sent
  within 2h
  emit { id, took: sent.ts - paid.ts }
  on timeout emit { id, waiting_for: match.awaits }
}

test fulfilled {
  at 0s order { id: "1" }
  at 9m payment { id: "1" }
  at 1h parcel { id: "1" }
  expect match { id: "1", took: 51m } at 1h
}
`;
/** Minutes at which each order is made, paid and sent. */
const ORDERS = [
  ["A-17", 0, 9, 62],
  ["A-18", 12, 20, 118],
  ["A-19", 25, null, null],
  ["A-20", 41, 44, 79],
  ["A-21", 58, 71, null],
  ["A-22", 84, 96, 150],
  ["A-23", 101, 104, 171],
  ["A-24", 120, 166, null],
];

const events = ORDERS.flatMap(([id, ...minutes]) =>
  ["order", "payment", "parcel"].flatMap((type, step) => {
    const minute = minutes[step];
    if (minute === null) return [];
    const ts = new Date(Date.UTC(2024, 4, 2, 9, minute)).toISOString().replace(".000", "");
    return [{ ts, type, id }];
  }),
)
  .sort((a, b) => (a.ts < b.ts ? -1 : 1))
  .map((event) => `${JSON.stringify(event)}\n`)
  .join("");

const path = new URL("../../src/share.ts", import.meta.url).pathname;
const { module: share } = await runnerImport(path, { configFile: false, logLevel: "error" });
const fragment = `#${share.encodeShare({ rules: RULES, events })}`;
const world = await start();
try {
  const { page } = await open(world, { fragment, viewport: { width: 1280, height: 900 } });
  await status(page, / 5 matches, /);
  await page.getByRole("slider").first().focus();
  for (let step = 0; step < 2; step += 1) await page.keyboard.press("PageDown");
  await page.locator("#timeline").getByRole("application").focus();
  await page.getByRole("tab", { name: /^Open/ }).click();
  await page.mouse.move(5, 5);
  await page.waitForTimeout(300);
  await page.screenshot({ path: process.argv[2] ?? join(ROOT, "docs/playground.png") });
} finally {
  await world.stop();
}
