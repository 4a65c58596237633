/** @vitest-environment jsdom */
import { expect, test } from "vitest";
import { longText } from "../src/text/long-text.ts";
import { markdown } from "../src/text/markdown.ts";
import { fieldList, jsonOf, recordText, withCode } from "../src/text/values.ts";

function html(node: Node): string {
  const host = document.createElement("div");
  host.append(node);
  return host.innerHTML;
}

test("the Markdown of hovers becomes elements, and markup in it text", () => {
  const cases: [string, string][] = [
    ["plain", "<p>plain</p>"],
    ["two\nlines\n\nand more", "<p>two lines</p><p>and more</p>"],
    ["`a < b` **bold** *soft*", "<p><code>a &lt; b</code> <strong>bold</strong> <em>soft</em></p>"],
    ["2 * 3 * 4", "<p>2 * 3 * 4</p>"],
    ["- one\n- `two`", "<ul><li>one</li><li><code>two</code></li></ul>"],
    ["```cep\nrule a {\n}\n```\nwhat it is", "<pre>rule a {\n}</pre><p>what it is</p>"],
    ["<img src=x onerror=alert(1)>", "<p>&lt;img src=x onerror=alert(1)&gt;</p>"],
    ["[a](javascript:alert(1))", "<p>[a](javascript:alert(1))</p>"],
    ["\u202eodd\u0000", "<p>\\u202Eodd\u2400</p>"],
    ["```\nnever closed", "<pre>never closed</pre>"],
    ["", ""],
  ];
  for (const [from, to] of cases) expect(html(markdown(from)), from).toBe(to);
});

test("a long text shows its start, and all of it after some clicks", () => {
  const text = `${"x".repeat(299)}\u{1f600}${"y".repeat(50_000)}`;
  const shown = longText(text);
  const more = shown.querySelector("button")!;
  expect(shown.querySelector("bdi")!.textContent).toBe("x".repeat(299));
  expect(more.textContent).toBe("\u2026 50,002 more characters");
  for (let clicks = 0; !more.hidden && clicks < 20; clicks++) more.click();
  expect(shown.querySelector("bdi")!.textContent).toBe(text);
  expect(longText("short").querySelector("button")).toBeNull();
});

test("values are shown as JSON, whatever they are", () => {
  expect(jsonOf("a")).toBe('"a"');
  expect(jsonOf(12n)).toBe('"12"');
  expect(jsonOf(undefined)).toBe("undefined");
  const circle: unknown[] = [];
  circle.push(circle);
  expect(jsonOf(circle)).toBe("a value that cannot be shown");
  expect(recordText({ user: "ann", amount: 9.5, tags: ["x"] })).toBe(
    '{ user: "ann", amount: 9.5, tags: ["x"] }',
  );
  expect(recordText({})).toBe("{}");
  expect(recordText([1])).toBe("[1]");
  expect(recordText({ a: "x".repeat(1_000_000) }).length).toBeLessThan(1100);
});

test("fields are names and values, and no more than can be read", () => {
  const many = Object.fromEntries(Array.from({ length: 500 }, (_, at) => [`f${at}`, at]));
  const list = fieldList(many);
  expect(list.querySelectorAll("dt").length).toBe(201);
  expect(list.lastElementChild!.textContent).toBe("300 more fields");
  expect(html(fieldList({ "<b>": "<i>" }))).not.toMatch(/<b>|<i>/);
  expect(fieldList({}).textContent).toBe("no fields");
  expect(fieldList(7).textContent).toBe("7");
});

test("code in back-quotes is marked, and nothing else", () => {
  expect(html(withCode("not `a<b`, as `"))).toBe(
    'not <code class="k-text">a&lt;b</code>, as <code class="k-text"></code>',
  );
});
