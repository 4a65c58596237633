// What a visitor does, from the first look to a shared link.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { runnerImport } from "vite";
import { drop, open, setEvents, setRules, start, status } from "./harness.mjs";

const at = (path) => new URL(path, import.meta.url).pathname;
const silent = { configFile: false, logLevel: "error" };
const { module: tour } = await runnerImport(at("../../src/tour/steps.ts"), silent);
const { module: share } = await runnerImport(at("../../src/share.ts"), silent);

let world;
before(async () => {
  world = await start();
});
after(() => world?.stop());

/** A page that has to do nothing wrong until the test ends. */
async function visit(context, options) {
  const visitor = await open(world, options);
  context.after(async () => {
    const wrong = await visitor.wrong();
    await visitor.close();
    assert.deepEqual(wrong, []);
  });
  return visitor;
}

const RULES = `event login { ts: time, user: string, ok: bool }

rule guessed {
  key user
  match login[not ok]{2..} as fails -> login[ok] as hit
  within 10m
  emit { user, tries: count(fails) }
}
`;
const EVENTS = `{"ts":"2024-05-01T09:00:00Z","type":"login","user":"ann","ok":false}
{"ts":"2024-05-01T09:01:00Z","type":"login","user":"bob","ok":false}
{"ts":"2024-05-01T09:02:00Z","type":"login","user":"ann","ok":false}
{"ts":"2024-05-01T09:03:00Z","type":"login","user":"ann","ok":true}
{"ts":"2024-05-01T09:04:00Z","type":"login","user":"bob","ok":true}
`;

test("the first visit shows the example of the README", async (context) => {
  const { page } = await visit(context);
  await status(page, /^92 events, 6 matches/);
  assert.equal(await page.locator("#rule-select").inputValue(), "unpaid_order");
  await page.getByRole("tab", { name: /Tests/ }).filter({ hasText: "1 passed" }).waitFor();
});

test("the tour: each step is done by its solution, and not before", async (context) => {
  const { page } = await visit(context);
  await page.locator("#tour-button").click();
  for (const [number, step] of tour.steps.entries()) {
    await page.getByRole("heading", { name: step.title }).waitFor();
    await status(page, new RegExp(`${step.before.length} match`));
    assert.equal(await page.locator(".tour-done").textContent(), "");
    if (number === 0) await page.locator("#tour-solution").click();
    else await setRules(page, step.solution);
    await page.locator(".tour-done").filter({ hasText: "Done." }).waitFor();
    await page.locator("#tour-next").click();
  }
  assert.equal(await page.locator("#tour").isVisible(), false);
  // What was there before comes back.
  await status(page, /^92 events, 6 matches/);
});

test("a mistake is shown, and mended by a click", async (context) => {
  const { page } = await visit(context);
  await setRules(page, RULES.replace("login[not ok]", "login[not okk]"));
  await setEvents(page, EVENTS);
  await status(page, /^1 mistake in the rules/);
  await page
    .locator("#rules-meta")
    .filter({ hasText: /^1 mistake$/ })
    .waitFor();
  await page.locator(".banner").filter({ hasText: "mistakes" }).waitFor();
  await page.locator("#rules .cm-lintRange-error").first().hover();
  await page.locator("#rules").getByRole("button", { name: /ok/ }).first().click();
  await status(page, /^5 events, 1 match,/);
  await page.locator("#rules-meta").filter({ hasText: /^$/ }).waitFor({ state: "attached" });
});

test("a match, why an event took no part, the slider, and the link in a fresh profile", async (context) => {
  const { page } = await visit(context);
  await setRules(page, RULES);
  await setEvents(page, EVENTS);
  await status(page, /^5 events, 1 match,/);

  await page.getByRole("tab", { name: /Matches/ }).click();
  await page
    .locator("#panel-matches")
    .getByText(/tries=2/)
    .first()
    .click();
  const details = page.locator("#panel-details");
  await details.getByText(/fails/).first().waitFor();
  await details.getByText(/ann/).first().waitFor();

  await page.evaluate(() => document.querySelector("#timeline").scrollIntoView());
  const slider = page.locator("#timeline").getByRole("slider").first();
  await slider.focus();
  await page.keyboard.press("Home");
  await page.getByRole("tab", { name: /Open/ }).click();
  await page.locator("#panel-open").getByText(/ann/).first().waitFor();

  await page.locator("#share-button").click();
  const link = await page.locator("#share-link").inputValue();
  assert.ok(link.startsWith(world.address), link);
  const shared = share.decodeShare(new URL(link).hash);
  assert.deepEqual(shared, { rules: RULES, events: EVENTS, rule: "guessed" });

  const other = await visit(context, { fragment: new URL(link).hash });
  await status(other.page, /^5 events, 1 match,/);
  assert.equal(await other.page.locator(".events-text").inputValue(), EVENTS);
  assert.match(await other.page.locator("#rules .cm-content").textContent(), /rule guessed/);
});

test("why: the story of an event's key, partial match by partial match", async (context) => {
  const fragment = `#${share.encodeShare({ rules: RULES, events: EVENTS })}`;
  const { page } = await visit(context, { fragment });
  await status(page, /^5 events, 1 match,/);
  // The second lane is that of bob: its first event, by keys.
  await page.locator("#timeline").getByRole("application").focus();
  for (const key of ["Control+Home", "ArrowDown", "Home", "Enter"]) await page.keyboard.press(key);
  await page.locator("#panel-details").getByText("bob").first().waitFor();
  await page.getByRole("button", { name: /^Why/ }).first().click();
  await page
    .locator(".why")
    .getByText(/1 of at least 2/)
    .first()
    .waitFor();
  // An edit of the rules tells the story anew.
  await setRules(page, RULES.replace("{2..}", "{3..}"));
  await page
    .locator(".why")
    .getByText(/1 of at least 3/)
    .first()
    .waitFor();
});

test("an edit keeps the view of the timeline, and what is selected", async (context) => {
  const { page } = await visit(context);
  await status(page, /^92 events/);
  await page.locator("#timeline").getByRole("application").focus();
  for (const key of ["Control+Home", "Home", "Enter"]) await page.keyboard.press(key);
  await page.locator("#panel-details").getByText("o-1001").first().waitFor();
  await page.locator("#rules .cm-content").click();
  await page.keyboard.press("Control+End");
  await page.keyboard.type("# a remark");
  await page.waitForTimeout(300);
  await page.locator("#panel-details").getByText("o-1001").first().waitFor();
});

test("links that are damaged, too new, or no links", async (context) => {
  const good = share.encodeShare({ rules: RULES, events: EVENTS });
  const { page } = await visit(context, { fragment: `#${good.slice(0, -9)}` });
  await page.locator("#notice").filter({ hasText: "This link is damaged" }).waitFor();
  // The page goes on with its first example.
  await status(page, /^92 events/);
  await page.evaluate(() => {
    location.hash = "#v9=AAAA";
  });
  await page.locator("#notice").filter({ hasText: "newer playground" }).waitFor();
  await page.evaluate((hash) => {
    location.hash = hash;
  }, good);
  await status(page, /^5 events, 1 match,/);
  assert.equal(await page.locator("#notice").isVisible(), false);
});

test("an example of the menu, and its options", async (context) => {
  const { page } = await visit(context);
  await page.locator("#examples-button").click();
  await page.getByRole("searchbox", { name: "Search the examples" }).fill("guessed");
  await page.getByRole("button", { name: /Login after failures/ }).click();
  await status(page, /^78 events, 1 match,/);
  assert.equal(await page.locator("#late-field").inputValue(), "5s");
});

test("undo goes back to what was there before, and never to nothing", async (context) => {
  const { page } = await visit(context);
  await status(page, /^92 events/);
  const editor = page.locator("#rules .cm-content");
  await editor.click();
  await page.keyboard.press("Control+z");
  await page.keyboard.press("Control+Home");
  await page.keyboard.type("# mine ");
  await page.locator("#examples-button").click();
  await page.getByRole("button", { name: /Login after failures/ }).click();
  await status(page, /^78 events/);
  await editor.click();
  await page.keyboard.press("Control+z");
  await editor.getByText(/^# mine # The rule on the first page/).waitFor();
});

test("a mistake far down is named with its line, and a click goes there", async (context) => {
  const { page } = await visit(context);
  const many = Array.from({ length: 300 }, (_, n) => `\nrule r${n} { match login[ok] }`).join("");
  await setRules(page, `${RULES}${many.replace("r200 { match login", "r200 { match logn")}`);
  await status(page, /^1 mistake in the rules: line 210, there is no .*logn/);
  await page.locator("#rules-meta").getByRole("button").click();
  await page.locator("#rules .cm-line").filter({ hasText: "logn" }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement?.className), "k-editor");
});

test("a JSON list is told from lines, and made lines by a click", async (context) => {
  const { page } = await visit(context);
  await setRules(page, RULES);
  await setEvents(page, `[${EVENTS.trim().replaceAll("\n", ",\n")}]`);
  await page
    .locator("#panel-matches")
    .getByText(/JSON document/)
    .waitFor();
  await page.getByRole("button", { name: "Write one event per line" }).click();
  await status(page, /^5 events, 1 match,/);
  assert.equal(await page.locator(".events-text").inputValue(), EVENTS);
  // A file that is too large to edit, over many lines.
  const padded = JSON.parse(`[${EVENTS.trim().replaceAll("\n", ",")}]`);
  padded[0].note = "x".repeat(300_000);
  await drop(page, "logins.json", JSON.stringify(padded, null, 2));
  await page.getByRole("button", { name: "Write one event per line" }).click();
  await status(page, /^5 events, 1 match,/);
});

test("a CSV whose column of types has another name, also in a link", async (context) => {
  const { page } = await visit(context);
  await setRules(page, RULES);
  const rows = EVENTS.trim().split("\n").map(JSON.parse);
  const lines = rows.map(({ ts, type, user, ok }) => `${ts},${type},${user},${ok}\n`);
  await setEvents(page, `ts,action,user,ok\n${lines.join("")}`);
  await status(page, /^The events cannot be read/);
  await page
    .locator("#events-pane .note")
    .filter({ hasText: /\u201cType field\u201d.*`action`/ })
    .waitFor();
  await page.getByText("More", { exact: true }).click();
  await page.getByLabel("Type field").fill("action");
  await status(page, /^5 events, 1 match,/);
  await page.locator("#share-button").click();
  const link = await page.locator("#share-link").inputValue();
  const other = await visit(context, { fragment: new URL(link).hash });
  await status(other.page, /^5 events, 1 match,/);
  assert.equal(await other.page.getByLabel("Type field").isVisible(), true);
});

test("files of other encodings, damaged ones, and settings that mean nothing", async (context) => {
  const { page } = await visit(context);
  await setRules(page, RULES);
  const note = (text) => page.locator("#events-pane .note").filter({ hasText: text }).waitFor();
  const csv = "ts;type;user;ok\n2024-05-01T09:00:00Z;login;J\u00fcrgen;false\n";
  await drop(page, "wide.csv", Buffer.from(`\ufeff${csv}`, "utf16le"));
  await status(page, /^1 event,/);
  await note(/UTF-16/);
  await drop(page, "old.csv", Buffer.from(csv, "latin1"));
  await note(/Windows-1252/);
  assert.equal(await page.locator(".events-text").inputValue(), csv);
  await drop(page, "cut.jsonl.gz", gzipSync(EVENTS).subarray(0, 50));
  await status(page, /^The events cannot be read/);
  await note(/cannot be unpacked/);
  await page.getByRole("button", { name: "Remove" }).click();
  await setEvents(page, EVENTS);
  await status(page, /^5 events/);
  await page.locator("#late-field").fill("soon");
  await status(page, /^A setting cannot be used/);
  await note(/^\u201cLate by up to\u201d: expected a duration/);
});

test("times in seconds: said by a hint, and set with the declarations", async (context) => {
  const { page } = await visit(context);
  await setRules(page, RULES);
  const seconds = (text) => String(Date.parse(text.slice(1, -1)) / 1000);
  await setEvents(page, EVENTS.replaceAll(/"2024[^"]*"/g, seconds));
  await status(page, /^5 events/);
  await page.getByRole("tab", { name: "Details" }).click();
  await page
    .locator("#panel-details")
    .getByText(/1970.*seconds/)
    .waitFor();
  await page.locator("#infer-button").click();
  await page
    .locator(".k-timeline")
    .getByText(/2024-05-01 09:04:00/)
    .waitFor();
  assert.equal(await page.getByLabel("Times in").inputValue(), "s");
});

test("rules that match nothing: the page says where to look", async (context) => {
  const { page } = await visit(context);
  await setRules(page, RULES.replace("login[ok]", 'login[user == "zed"]'));
  await setEvents(page, EVENTS);
  await status(page, /^5 events, 0 matches,/);
  await page
    .locator("#panel-matches")
    .getByText(/Nothing matches.*Why/)
    .waitFor();
  await page.getByPlaceholder("Find a key").fill("nobody");
  await page.getByText("no such key", { exact: true }).waitFor();
  await setRules(page, "event login { ts: time, user: string, ok: bool }\n");
  await page
    .locator("#panel-matches")
    .getByText(/There is no rule yet/)
    .waitFor();
  assert.equal(
    await page
      .locator("#panel-matches")
      .getByText(/has a declared type/)
      .count(),
    0,
  );
  await page.getByRole("tab", { name: /^Open/ }).click();
});

test("what was typed is not lost without a question", async (context) => {
  const { page, close } = await open(world);
  context.after(close);
  await status(page, /^92 events/);
  const asked = [];
  page.on("dialog", (dialog) => asked.push(dialog.type()));
  await page.locator("#rules .cm-content").click();
  await page.keyboard.press("Control+Home");
  await page.keyboard.type("# mine");
  await page.waitForTimeout(300);
  await page.reload({ timeout: 2000 }).catch(() => undefined);
  assert.deepEqual(asked, ["beforeunload"]);
  // A link holds it.
  await page.locator("#share-button").click();
  await page.locator("#share-link").waitFor();
  await page.reload();
  await status(page, /^92 events/);
  assert.equal(asked.length, 1);
});

test("a low window cuts nothing, and a tooltip at the edge is whole", async (context) => {
  const { page } = await visit(context, { viewport: { width: 1024, height: 600 } });
  await status(page, /^92 events/);
  const box = (selector) => page.locator(selector).boundingBox();
  const plot = await box(".k-plot");
  let tooltip = null;
  // Somewhere along the last lanes that are seen there is an event.
  for (let y = plot.height - 28; y > plot.height / 2 && !tooltip; y -= 6) {
    for (let x = plot.x + plot.width / 5; x < plot.x + plot.width && !tooltip; x += 6) {
      await page.mouse.move(x, plot.y + y);
      if (await page.locator(".k-tooltip").isVisible()) tooltip = await box(".k-tooltip");
    }
  }
  assert.ok(tooltip, "there is no event at the edge");
  await page
    .locator(".k-tooltip")
    .getByText(/customer_id=|order_id=o-\d+$/)
    .last()
    .waitFor();
  await page.waitForTimeout(100);
  tooltip = await box(".k-tooltip");
  assert.ok(
    tooltip.y + tooltip.height <= plot.y + plot.height + 1,
    JSON.stringify({ tooltip, plot }),
  );
  await page.locator("#tour-button").click();
  await page.getByRole("heading", { name: "A sequence" }).waitFor();
  const [task, body] = [await box(".tour .task"), await box(".tour-body")];
  assert.ok(task.y + task.height <= body.y + body.height + 1, "the task is out of sight");
  const [text, settings] = [await box(".events-text"), await box(".settings")];
  assert.ok(text.height >= 50 && text.y + text.height <= settings.y + 1, "the events are cut");
});

test("declarations are inferred, and only those that are missing", async (context) => {
  const { page } = await visit(context);
  await setRules(page, "event login { ts: time, user: string, ok: bool }\n");
  await setEvents(page, `${EVENTS}{"ts":"2024-05-01T09:05:00Z","type":"logout","user":"ann"}\n`);
  await page.locator("#infer-button").click();
  await page.locator("#events-pane .remark").filter({ hasText: "1 declaration added" }).waitFor();
  assert.match(await page.locator("#rules .cm-content").textContent(), /event logout/);
});

test("a packed file is unpacked, named, and taken away again", async (context) => {
  const { page } = await visit(context);
  await setRules(page, RULES);
  await drop(page, "logins.jsonl.gz", gzipSync(EVENTS));
  await status(page, /^5 events, 1 match,/);
  await page.locator(".file-card pre").filter({ hasText: '"user":"ann"' }).waitFor();
  await drop(page, "damaged.gz", gzipSync(EVENTS).subarray(0, 60));
  await page.locator("#status[data-state=error]").waitFor();
  await page.getByRole("button", { name: "Remove" }).click();
  await status(page, /^0 events/);
  assert.equal(await page.locator(".events-text").isVisible(), true);
});

test("the automaton lights the states that are occupied at the slider's moment", async (context) => {
  const fragment = `#${share.encodeShare({ rules: RULES, events: EVENTS })}`;
  const { page } = await visit(context, { fragment });
  await status(page, /^5 events/);
  await page.getByRole("tab", { name: "Automaton" }).click();
  await page.locator("#panel-automaton svg [data-state]").first().waitFor();
  const lit = page.locator("#panel-automaton .k-lit");
  await page.getByRole("slider").first().focus();
  await page.keyboard.press("End");
  const atEnd = await lit.count();
  await page.keyboard.press("Home");
  await page.locator("#tab-open .badge").filter({ hasText: "1" }).waitFor();
  assert.ok((await lit.count()) > 0, `${atEnd} at the end`);
});

test("the link of a rule in the guide shows the events of its test", async (context) => {
  const rules = `${RULES}
test guessed {
  at 0s login { user: "eve", ok: false }
  at 1s login { user: "eve", ok: false }
  at 2s login { user: "eve", ok: true }
  expect match { user: "eve", tries: 2 } at 2s
}
`;
  const { page } = await visit(context, { fragment: `#${share.encodeShare({ rules, test: 0 })}` });
  await status(page, /^3 events, 1 match,/);
  await page.getByRole("tab", { name: /^Tests 1 passed/ }).click();
  // The events follow the test as it is edited.
  await setRules(
    page,
    rules.replace("at 1s login", 'at 1s login { user: "eve", ok: false }\n  at 1s login'),
  );
  await status(page, /^4 events, 1 match,/);
  await page.getByRole("tab", { name: /^Tests 1 failed/ }).click();
  await page
    .locator("#panel-tests")
    .getByText(/tries: 3/)
    .first()
    .waitFor();
});

test("lines that are no events are counted, and the first one is named", async (context) => {
  const { page } = await visit(context);
  await setRules(page, RULES);
  await setEvents(
    page,
    `${EVENTS}{"ts":"2024-05-01T09:05:00Z","type":"login","user":7,"ok":true}\nnonsense\n`,
  );
  await page
    .locator("#events-pane .note")
    .filter({ hasText: /^Line 6: .*user.*1 more/ })
    .waitFor();
  await page.getByRole("tab", { name: "Statistics" }).click();
  await page.locator("#panel-statistics").getByText("nonsense").waitFor();
});

const EXPLOSION = `event a { ts: time, n: int }

rule all {
  match a as one -> any a[n > one.n] as two -> a[n < one.n and n < two.n] as three
  skip none
}
`;
const rising = (count) =>
  Array.from({ length: count }, (_, n) => `{"ts":${n * 1000},"type":"a","n":${n}}\n`).join("");

test("a rule that explodes is stopped by its limits, and says so", async (context) => {
  const { page } = await visit(context);
  await setRules(page, EXPLOSION);
  await setEvents(page, rising(400));
  await status(page, /^400 events, .*limits were reached/);
  await page.getByRole("tab", { name: /Statistics/ }).click();
  await page.locator("#panel-statistics").getByRole("heading", { name: "Limits" }).waitFor();
});

test("a run that takes long is stopped by a button, and the page goes on", async (context) => {
  const { page } = await visit(context);
  await setRules(page, EXPLOSION);
  await drop(page, "many.jsonl", rising(200_000));
  await page.locator("#stop-button").click();
  await page.locator("#stop-button").waitFor({ state: "hidden" });
  await setRules(page, "event a { ts: time, n: int }\n\nrule one {\n  match a[n == 7]\n}\n");
  await status(page, /^200,000 events, 1 match,/);
});

test("a worker that breaks is replaced, with the events that it had", async (context) => {
  const { page, close } = await open(world);
  context.after(close);
  await status(page, /^92 events/);
  const broken = page.workers().find((worker) => worker.url().includes("engine"));
  await broken.evaluate(() => {
    setTimeout(() => {
      throw new WebAssembly.RuntimeError("unreachable");
    });
  });
  await page
    .locator("#notice")
    .filter({ hasText: /unreachable.* restarted/ })
    .waitFor();
  await setRules(
    page,
    "event order_purchased { ts: time }\n\nrule every_order {\n  match order_purchased\n}\n",
  );
  await status(page, /^92 events, \d+ matches,/);
  await page.getByRole("button", { name: "Dismiss" }).click();
  assert.equal(await page.locator("#notice").isVisible(), false);
});

test("everything is reached by keys alone", async (context) => {
  const { page } = await visit(context);
  await status(page, /^92 events/);
  await page.keyboard.press("Tab");
  assert.equal(await focused(page), "To the rules");
  for (const name of ["To the events", "To the timeline", "To the results"]) {
    await page.keyboard.press("Tab");
    assert.equal(await focused(page), name);
  }
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  assert.match(await focused(page), /^Matches/);
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  assert.match(await focused(page), /^Open/);
  assert.equal(await page.locator("#panel-open").isVisible(), true);
  await page.keyboard.press("End");
  assert.equal(await focused(page), "Output");
  const splitter = page.locator("#split-main");
  const width = () =>
    page.locator("#left").evaluate((element) => element.getBoundingClientRect().width);
  const before = await width();
  await splitter.focus();
  await page.keyboard.press("ArrowRight");
  assert.ok((await width()) > before);
  await page.locator("#examples-button").focus();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Escape");
  assert.equal(await focused(page), "Examples");
});

test("hostile text executes nothing, and widens nothing", async (context) => {
  const evil = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "\u202eevil\u202c\u2066\u0000\u0007",
    "\ud800 lone \udfff",
    "'\"><svg onload=alert(1)>",
    "{{7*7}}$" + "{alert(1)}",
  ];
  const rules = `event e { ts: time, k: string, v: string }\n\nrule r {\n  key k\n  match e as one -> e as two\n  emit { k, v: two.v }\n}\n# ${evil.join(" ")}\n`;
  // JSON with half a surrogate pair is no event: these stand in rules and in lines that are none.
  const valid = evil.filter((text) => text.isWellFormed?.() ?? !/[\ud800-\udfff]/.test(text));
  const line = (k, minute, v = valid.join(" ")) =>
    `${JSON.stringify({ ts: `2024-05-01T09:0${minute}:00Z`, type: "e", k, v })}\n`;
  const lines = [1, 2].flatMap((minute) => valid.map((k) => line(k, minute)));
  const events = `${lines.join("")}${evil.join(" ")}\n`;
  const fragment = `#${share.encodeShare({ rules, events, settings: { type: "" } })}`;
  const { page } = await visit(context, { fragment });
  await status(page, /^10 events, 5 match/);
  for (const name of ["Matches", "Automaton", "Tests", "Statistics", "Output", "Open", "Details"]) {
    await page.getByRole("tab", { name: new RegExp(`^${name}`) }).click();
    await page.waitForTimeout(50);
  }
  await page.getByRole("tab", { name: /^Matches/ }).click();
  await page.locator("#panel-matches").getByText(/k=/).first().click();
  await page
    .locator("#panel-details")
    .getByText(/onerror/)
    .first()
    .waitFor();
  const big = "x".repeat(1_000_000);
  await drop(page, "<b>big</b>.jsonl", line("k", 1, big) + line("k", 2, big) + line("<u>", 3));
  await status(page, /^3 events, 1 match,/);
  await page.getByRole("tab", { name: /^Output/ }).click();
  await page.locator(".output-lines").getByText(/xxxx/).first().waitFor();
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(overflow <= 0, `the page is ${overflow} px too wide`);
  assert.equal(
    await page.locator("img:not(.cm-widgetBuffer), [onload], [onerror], script:not([src])").count(),
    0,
  );
});

async function focused(page) {
  return page.evaluate(() => document.activeElement?.textContent?.trim());
}
