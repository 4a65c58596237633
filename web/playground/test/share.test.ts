import { deflateSync } from "fflate";
import { expect, test } from "vitest";
import { decodeShare, encodeShare, MAX_LINK, type Shared, ShareError } from "../src/share.ts";

const rules =
  "event a { ts: time, k: int }\n\nrule r {\n  key k\n  match a as one -> a as two\n}\n";

/** A generator of numbers that is the same in each run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

test("a link holds what was put in", () => {
  const all: Shared[] = [
    { rules: "" },
    { rules, test: 3 },
    { rules, events: '{"ts":1,"type":"a"}\n', rule: "r" },
    { rules, settings: { outOfOrder: "5s", type: "cloudtrail", endOfTime: true } },
    { rules: "\u0000\ud800 \udfff\u202e<script>alert(1)</script>\u2028", events: "\ud83d\ude00" },
  ];
  for (const shared of all) {
    expect(decodeShare(`#${encodeShare(shared)}`)).toEqual(shared);
  }
});

test("defaults are left out, and equal content makes equal links", () => {
  const link = encodeShare({ rules });
  expect(encodeShare({ settings: { endOfTime: false, outOfOrder: "" }, rules })).toBe(link);
  expect(link.length).toBeLessThan(100);
});

test("random text comes back", () => {
  const random = seeded(7);
  for (let round = 0; round < 200; round += 1) {
    const length = Math.floor(random() * 300);
    const units = Array.from({ length }, () => Math.floor(random() * 0x10000));
    const shared = { rules: String.fromCharCode(...units), events: "x".repeat(length) };
    expect(decodeShare(encodeShare(shared))).toEqual(shared);
  }
});

test("what mail and chat programs do to links is undone", () => {
  const shared: Shared = { rules: "event a { ts: time }", events: '{"type":"a"}' };
  const link = encodeShare(shared);
  for (const changed of [
    `${link}.`,
    `${link})`,
    `${link}&utm_source=mail`,
    link.replace("=", "%3D"),
  ]) {
    expect(decodeShare(`#${changed}`), changed).toEqual(shared);
  }
  expect(() => decodeShare(`#${link.slice(0, 30)}.${link.slice(30)}`)).toThrow(/damaged/);
});

test("a unit that there is not is damage", () => {
  const right = encodeShare({ rules: "x", settings: { timeUnit: "s", typeField: "kind" } });
  expect(decodeShare(right)?.settings).toEqual({ timeUnit: "s", typeField: "kind" });
  expect(() => decodeShare(encodeShare({ rules: "x", settings: { timeUnit: "h" } }))).toThrow(
    /damaged/,
  );
});

test("any other fragment is no link", () => {
  expect(decodeShare("")).toBeNull();
  expect(decodeShare("#rules")).toBeNull();
});

test("each damage gives a clear message", () => {
  const link = encodeShare({ rules, events: '{"ts":1,"type":"a","k":7}\n' });
  const random = seeded(11);
  for (let at = 3; at < link.length; at += 1) {
    const other = link[at] === "A" ? "B" : "A";
    for (const damaged of [link.slice(0, at), link.slice(0, at) + other + link.slice(at + 1)]) {
      let found: Shared | null | undefined;
      try {
        found = decodeShare(damaged);
      } catch (error) {
        expect(error).toBeInstanceOf(ShareError);
        expect(String(error)).toMatch(/damaged|more than/);
      }
      // The last character may hold bits that mean nothing.
      if (found !== undefined) expect(found).toEqual(decodeShare(link));
    }
  }
  for (let round = 0; round < 500; round += 1) {
    const length = 1 + Math.floor(random() * 60);
    const noise = Array.from({ length }, () => "AZaz09-_"[Math.floor(random() * 8)]).join("");
    expect(() => decodeShare(`v1=${noise}`)).toThrow(ShareError);
  }
  expect(() => decodeShare("v1=")).toThrow("damaged");
  expect(() => decodeShare("v1=%%%%")).toThrow("damaged");
  expect(() => decodeShare("v2=AAAA")).toThrow("newer playground");
});

test("a link that unfolds to too much is refused before it fills the memory", () => {
  const bomb = deflateSync(new Uint8Array(40_000_000), { level: 9 });
  const text = Buffer.from(new Uint8Array([0, 0, 0, 0, ...bomb])).toString("base64url");
  expect(text.length).toBeLessThan(MAX_LINK);
  expect(() => decodeShare(`v1=${text}`)).toThrow("more than 4 MB");
});

test("what is too large for a link says so", () => {
  const random = seeded(3);
  const noise = Array.from({ length: 100_000 }, () => String.fromCharCode(33 + random() * 90)).join(
    "",
  );
  expect(() => encodeShare({ rules, events: noise })).toThrow(
    /Too large for a link: \d+ kB of at most 64 kB/,
  );
});
