/** Builds the demo once, serves it, and opens it in a headless Chromium. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { chromium } from "playwright-core";
import { build, preview } from "vite";
import type { Demo } from "../../demo/main.ts";

declare global {
  interface Window {
    demo: Demo;
  }
}

/** Where Debian and others put it; `CHROMIUM` names another. */
const CHROMIUM = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser"];
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** The path of a browser, if there is one. */
export const browserPath: string | undefined = CHROMIUM.find((path) => path && existsSync(path));

/** What a test needs to look at a page. */
export interface Look {
  width?: number;
  height?: number;
  theme?: "light" | "dark";
  touch?: boolean;
  reducedMotion?: "reduce" | "no-preference";
}

/** The demo, served from a folder. */
export interface DemoServer {
  open(query: string, look?: Look): Promise<Page>;
  close(): Promise<void>;
}

/** Builds and serves the demo. */
export async function serveDemo(): Promise<DemoServer> {
  const root = join(import.meta.dirname, "../../demo");
  const configFile = join(root, "vite.config.ts");
  await build({ root, configFile, logLevel: "warn" });
  const server = await preview({ root, configFile, logLevel: "warn" });
  const url = server.resolvedUrls?.local[0];
  if (!url || !browserPath) throw new Error("there is no server or no browser");
  const browser = await chromium.launch({ executablePath: browserPath, args: FLAGS });
  return {
    async open(query, look = {}) {
      const context = await browser.newContext({
        viewport: { width: look.width ?? 1280, height: look.height ?? 800 },
        colorScheme: look.theme ?? "light",
        hasTouch: look.touch ?? false,
        reducedMotion: look.reducedMotion ?? "no-preference",
      });
      const page = await context.newPage();
      watch(page);
      await page.goto(url + query);
      await page.waitForFunction(() => "demo" in window);
      return page;
    },
    async close() {
      await browser.close();
      await server.close();
    },
  };
}

/** Collects what a page must not do: errors, and refused styles or scripts. */
const complaints = new WeakMap<Page, string[]>();

function watch(page: Page): void {
  const list: string[] = [];
  complaints.set(page, list);
  page.on("pageerror", (error) => list.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") list.push(message.text());
  });
}

/** The errors of a page so far. */
export function errorsOf(page: Page): readonly string[] {
  return complaints.get(page) ?? [];
}
