// The figures that the page holds itself to; they are printed. Each is the best of some tries: other
// work on the machine makes a try slower, and nothing makes one faster. Where the machine is busy
// with other work all the time, bounds are wider by as much as a loop takes longer than its time on
// the processor; on a machine that does nothing else they hold as they stand.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ordersCsv, ordersJson } from "./data.mjs";
import { drop, open, start, status } from "./harness.mjs";

let world;
before(async () => {
  world = await start();
});
after(() => world?.stop());

const figures = [];
after(() => {
  for (const { name, value, factor, bound } of figures) {
    const crowded = factor > 1.2 ? `, on a machine ${factor.toFixed(1)} times too busy` : "";
    const figure = `${value.toFixed(0).padStart(6)} ms (at most ${bound} ms${crowded})`;
    console.log(`${name.padEnd(58)} ${figure}`);
  }
});

/**
 * How many times longer work takes than it would on a machine that does nothing else: the time of
 * a loop by the clock, divided by that on the processor.
 */
function crowding() {
  const [began, used] = [performance.now(), process.cpuUsage()];
  for (let spent = 0; spent < 40_000; spent = process.cpuUsage(used).user) {
    Math.sqrt(spent);
  }
  const { user, system } = process.cpuUsage(used);
  return Math.max(1, ((performance.now() - began) * 1000) / (user + system));
}

/**
 * Figures beyond their bounds are seen in what is printed; twice beyond them they fail. The browser
 * has several processes: a second busy core, which the crowding of one loop does not show, took the
 * load of the page from 300 to 540 ms.
 */
const GRACE = 2;

function hold(name, bound, value, factor) {
  figures.push({ name, value, factor, bound });
  assert.ok(value <= bound * factor * GRACE, `${name}: ${value.toFixed(0)} ms`);
}

/** Tries up to five times to stay below a bound, which is wider where the machine is busy. */
async function best(name, bound, measure) {
  let least = { value: Number.POSITIVE_INFINITY, factor: 1 };
  for (let attempt = 0; attempt < 5 && least.value > bound * least.factor; attempt += 1) {
    const before = crowding();
    const value = await measure();
    const factor = Math.max(before, crowding());
    if (value / factor < least.value / least.factor) least = { value, factor };
  }
  hold(name, bound, least.value, least.factor);
}

const mark = (page, name, from) =>
  page.waitForFunction(
    ([name, from]) =>
      performance.getEntriesByName(name).find(({ startTime }) => startTime > from)?.startTime,
    [name, from],
    { polling: 5 },
  );

test("the first diagnostics come soon after the page is opened", async () => {
  await best("load to first diagnostics", 300, async () => {
    const { page, close } = await open(world);
    const time = await (await mark(page, "diagnostics", 0)).jsonValue();
    await close();
    return time;
  });
});

test("10,000 events: a key press gives new results", async () => {
  const { page, close } = await open(world);
  await status(page, /^92 events/);
  await drop(page, "orders.jsonl", ordersJson(10_000));
  await status(page, /^10,000 events/);
  const editor = page.locator("#rules .cm-content");
  await editor.click();
  await page.keyboard.press("Control+End");
  await best("10,000 events: key press to new results", 100, async () => {
    await page.waitForTimeout(300);
    await page.keyboard.press("Space");
    const pressed = await page.evaluate(() => window.__seen.key);
    const time = await (await mark(page, "results", pressed)).jsonValue();
    return time - pressed;
  });
  await close();
});

test("200,000 lines of CSV: results in two seconds, and the page stays free", async () => {
  const csv = ordersCsv(200_000);
  let longest = 0;
  await best("200,000 lines of CSV: drop to results", 2000, async () => {
    const { page, close, longTasks } = await open(world);
    await status(page, /^92 events/);
    const began = await drop(page, "orders.csv", csv);
    await status(page, /^200,000 events/);
    const time = await (await mark(page, "results", began)).jsonValue();
    await page
      .locator(".file-card pre")
      .filter({ hasText: /^ts,type,order_id/ })
      .waitFor();
    await page.waitForTimeout(300);
    const factor = crowding();
    longest = Math.max(0, ...(await longTasks(began)).map(({ duration }) => duration)) / factor;
    await close();
    return longest <= 100 ? time - began : Number.POSITIVE_INFINITY;
  });
  hold("200,000 lines of CSV: longest task of the page", 100, longest, 1);
});

test("while 200,000 events are processed, typing is checked at once", async () => {
  const { page, close, longTasks } = await open(world);
  await status(page, /^92 events/);
  await drop(page, "orders.csv", ordersCsv(200_000));
  await status(page, /^200,000 events/);
  await page.locator("#rules .cm-content").click();
  await page.keyboard.press("Control+End");
  let longest = 0;
  await best("200,000 events: key press to diagnostics, while it runs", 300, async () => {
    const began = await page.evaluate(() => performance.now());
    for (const letter of "\n# a remark") {
      await page.keyboard.insertText(letter);
      await page.waitForTimeout(40);
    }
    await page.keyboard.press("x");
    const pressed = await page.evaluate(() => window.__seen.key);
    const time = await (await mark(page, "diagnostics", pressed)).jsonValue();
    await status(page, /^200,000 events/);
    const factor = crowding();
    longest = Math.max(0, ...(await longTasks(began)).map(({ duration }) => duration)) / factor;
    return longest <= 100 ? time - pressed : Number.POSITIVE_INFINITY;
  });
  hold("200,000 events: longest task of the page while typing", 100, longest, 1);
  await close();
});
