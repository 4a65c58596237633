// What the browser tests share: the built page on a server of ours under a deep path, a Chromium, and
// pages that notice what must not happen.

import { existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { serve } from "../../scripts/serve.mjs";

const here = dirname(fileURLToPath(import.meta.url));
export const ROOT = join(here, "../../../..");
/** The folder that `npm run build` writes. */
export const BUILT = process.env.PLAYGROUND_OUT ?? join(ROOT, "docs/playground");
export const SHOTS = join(here, "../../shots");

const BROWSER = process.env.CHROMIUM ?? "/usr/bin/chromium";
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Starts the server and the browser; `stop` ends both. */
export async function start() {
  if (!existsSync(join(BUILT, "index.html"))) throw new Error(`${BUILT}: npm run build makes it`);
  const server = await serve(BUILT, { path: "/some/where/deep/" });
  let browser;
  try {
    browser = await chromium.launch({ executablePath: BROWSER, args: ARGUMENTS });
  } catch (error) {
    await server.stop();
    throw error;
  }
  return {
    browser,
    address: server.address,
    async stop() {
      await browser.close();
      await server.stop();
    },
  };
}

/** What a page did that it must not do. */
function watch(page, address) {
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error") wrong.push(`console: ${message.text()}`);
  });
  page.on("dialog", (dialog) => {
    wrong.push(`dialog: ${dialog.message()}`);
    dialog.dismiss().catch(() => undefined);
  });
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(address) && !url.startsWith("blob:"))
      wrong.push(`request: ${url.slice(0, 200)}`);
  });
  return wrong;
}

/** Opens the page in a fresh profile. `wrong()` says what it did that it must not. */
export async function open({ browser, address }, options = {}) {
  const { fragment = "", viewport = { width: 1280, height: 800 }, ...context } = options;
  const profile = await browser.newContext({ viewport, ...context });
  profile.setDefaultTimeout(15_000);
  const page = await profile.newPage();
  const wrong = watch(page, address);
  await page.addInitScript(() => {
    window.__seen = { policy: [], long: [], pwned: 0 };
    document.addEventListener("securitypolicyviolation", (event) => {
      window.__seen.policy.push(
        `${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`,
      );
    });
    new PerformanceObserver((list) => {
      for (const { startTime, duration } of list.getEntries()) {
        window.__seen.long.push({ startTime, duration });
      }
    }).observe({ type: "longtask", buffered: true });
    document.addEventListener(
      "keydown",
      (event) => {
        window.__seen.key = event.timeStamp;
      },
      true,
    );
  });
  await page.goto(`${address}${fragment}`);
  await page.locator("#rules .cm-content").waitFor();
  return {
    page,
    wrong: async () => [...wrong, ...(await page.evaluate(() => window.__seen.policy))],
    /** Tasks of the page over 50 ms since a moment. */
    longTasks: (since = 0) =>
      page.evaluate(
        (from) => window.__seen.long.filter(({ startTime }) => startTime >= from),
        since,
      ),
    close: () => profile.close(),
  };
}

/** Waits until the status says so. */
export async function status(page, pattern) {
  const found = page.locator("#status").filter({ hasText: pattern });
  await found.waitFor().catch(async (error) => {
    const text = await page.locator("#status").textContent();
    throw new Error(`the status is "${text}", not ${pattern}\n${error.message}`);
  });
}

/** Replaces the rules as a user does: selects all, and pastes. */
export async function setRules(page, rules) {
  const editor = page.locator("#rules .cm-content");
  await editor.click();
  await page.keyboard.press("Control+a");
  await editor.evaluate((element, text) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", text);
    element.dispatchEvent(
      new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }),
    );
  }, rules);
}

/** Replaces the events. */
export async function setEvents(page, events) {
  await page.locator(".events-text").fill(events);
}

/** Drops a file of a text or of bytes onto the page; gives the moment, by the page's clock. */
export async function drop(page, name, content) {
  const text = typeof content === "string" ? content : content.toString("latin1");
  const transfer = await page.evaluateHandle(
    ([name, text, isBinary]) => {
      const parts = isBinary ? Uint8Array.from(text, (byte) => byte.charCodeAt(0)) : text;
      const data = new DataTransfer();
      data.items.add(new File([parts], name));
      return data;
    },
    [name, text, typeof content !== "string"],
  );
  const began = await page.evaluate(() => performance.now());
  await page.dispatchEvent("body", "drop", { dataTransfer: transfer });
  return began;
}

export async function shot(page, name, options = {}) {
  mkdirSync(SHOTS, { recursive: true });
  await page.screenshot({ path: join(SHOTS, `${name}.png`), ...options });
}
