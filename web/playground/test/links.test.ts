import { readFileSync } from "node:fs";
import { join } from "node:path";
import { check, test as runTests, testEvents } from "kleene";
import { expect, test } from "vitest";
import { linked, pages, ROOT, stale, withoutLinks } from "../scripts/links.mjs";
import { decodeShare, encodeShare } from "../src/share.ts";

test("no page has a link that is missing, stale or too many", async () => {
  const found = await stale(ROOT);
  expect(
    found.map(({ name }) => name),
    "`npm run links` in web/playground writes the links",
  ).toEqual([]);
});

test("each link opens rules that are checked as their block says", () => {
  let links = 0;
  for (const name of pages(ROOT)) {
    const text = readFileSync(join(ROOT, name), "utf8");
    for (const { line, attributes, value } of linked(ROOT, name, text, { encodeShare }).found) {
      links += 1;
      const place = `${name}:${line}`;
      const expected = (attributes.error ?? "").split(",").filter(Boolean);
      const errors = check(value.rules).filter(({ severity }) => severity === "error");
      expect([...new Set(errors.map(({ code }) => code))].sort(), place).toEqual(expected.sort());
      expect(text, place).toContain(encodeShare(value));
      if (value.test !== undefined) {
        const { tests } = runTests(value.rules);
        expect(tests[value.test]?.ok, place).toBe(true);
        expect(testEvents(value.rules, value.test).text, place).not.toBe("");
      }
    }
  }
  expect(links).toBeGreaterThan(60);
});

const PAGE = `# A page

\`\`\`cep file=events.cep
event a { ts: time }
\`\`\`

\`\`\`cep file=r.cep
use "events.cep"

rule r { match a }
\`\`\`

Text.

\`\`\`cep file=r.cep append
rule s { match a -> a }

test s {
  at 0s a { }
}
\`\`\`
`;

test("links stand below their blocks, and the addresses at the end of the page", () => {
  const { text, found } = linked("/", "docs/page.md", PAGE, { encodeShare });
  const labels = found.map(({ label }) => label);
  expect(labels).toEqual(["r", "s"]);
  expect(text).toContain("```\n[Open in the playground][play-r]\n\nText.");
  const addresses = [...text.matchAll(/^\[play-(\w+)\]: playground\/index.html(#.*)$/gm)];
  expect(addresses.map(([, label]) => label)).toEqual(["r", "s"]);
  const [first, second] = addresses.map(([, , fragment]) => decodeShare(fragment as string));
  expect(first).toEqual({ rules: "event a { ts: time }\n\nrule r { match a }\n" });
  expect(second).toMatchObject({ rule: "s", test: 0 });
  expect(second?.rules).toBe(
    "event a { ts: time }\n\nrule r { match a }\n\nrule s { match a -> a }\n\ntest s {\n  at 0s a { }\n}\n",
  );
});

test("entries of a list that has a file are written in its place", () => {
  const page = `\`\`\`text file=ips.txt
# Berlin
10.1.0.0/16
192.0.2.7  # a comment
\`\`\`
\`\`\`cep
list office: ip from "ips.txt"
rule r { match a[ip in office] }
\`\`\`
`;
  const [link] = linked("/", "README.md", page, { encodeShare }).found;
  expect(link?.value.rules).toMatch(/^list office: ip = \["10.1.0.0\/16", "192.0.2.7"\]\n/);
});

test("writing links again changes nothing, and they can be taken away", () => {
  const { text } = linked("/", "docs/page.md", PAGE, { encodeShare });
  expect(linked("/", "docs/page.md", text, { encodeShare }).text).toBe(text);
  expect(withoutLinks(text)).toBe(PAGE);
  const moved = text.replace("rule s", "rule t").replace("test s", "test t");
  expect(linked("/", "docs/page.md", moved, { encodeShare }).text).not.toBe(moved);
  const based = linked("/", "README.md", PAGE, { encodeShare, base: "https://example.org/play/" });
  expect(based.text).toContain("[play-r]: https://example.org/play/#v1=");
  expect(linked("/", "README.md", PAGE, { encodeShare }).text).toContain(
    "[play-r]: docs/playground/index.html#v1=",
  );
});
