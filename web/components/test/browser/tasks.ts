/** Measures the tasks of a page's main thread. */
import type { Page } from "playwright-core";

/** What is read of the events of a trace. */
interface TraceEvent {
  name: string;
  pid: number;
  tid: number;
  args: { name?: string };
  /** CPU time of the thread in microseconds. */
  tdur?: number;
}

/**
 * Runs something, and gives the CPU time of the longest task of the main thread meanwhile, in
 * milliseconds. On a machine with nothing else to do that is how long the task took. Entries of the
 * kind `longtask` also count the time for which a busy machine did something else.
 */
export async function longestTask(page: Page, run: () => Promise<unknown>): Promise<number> {
  const session = await page.context().browser()!.newBrowserCDPSession();
  const events: TraceEvent[] = [];
  session.on("Tracing.dataCollected", ({ value }) => {
    events.push(...(value as unknown as TraceEvent[]));
  });
  await session.send("Tracing.start", {
    transferMode: "ReportEvents",
    traceConfig: { includedCategories: ["toplevel"] },
  });
  await run();
  // What was started may still draw.
  await page.waitForTimeout(200);
  const complete = new Promise((resolve) => session.once("Tracing.tracingComplete", resolve));
  await session.send("Tracing.end");
  await complete;
  await session.detach();
  return longestOf(events);
}

function longestOf(events: readonly TraceEvent[]): number {
  const isName = (event: TraceEvent) =>
    event.name === "thread_name" && event.args.name === "CrRendererMain";
  const mains = new Set(events.filter(isName).map((event) => `${event.pid}.${event.tid}`));
  const tasks = events.filter((event) => event.name.endsWith("RunTask"));
  const onMain = tasks.filter((event) => mains.has(`${event.pid}.${event.tid}`));
  if (onMain.length === 0) throw new Error("the trace has no task of a main thread");
  return Math.max(...onMain.map((event) => event.tdur ?? 0)) / 1000;
}
