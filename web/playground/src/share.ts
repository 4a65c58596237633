/**
 * The share link: rules, small data and what is selected, in the fragment of the page's address.
 *
 * `#v1=` is followed by base64url of: four bytes of checksum, then a raw deflate stream of JSON in
 * UTF-8. A dictionary of the words that rules and events use makes the link of a small rule half as
 * long. A server never sees a fragment, and the page stores nothing else anywhere.
 */
import { deflateSync, Inflate } from "fflate";

/** Options of a run that a link holds; each is left out where it has its default. */
export interface RunSettings {
  /** Waits for events that are late by up to this duration, such as `5s`. */
  outOfOrder?: string;
  /** The type of all events, for data without a field that holds it. */
  type?: string;
  /** The field that holds the type, if it is not `type`. */
  typeField?: string;
  /** What numbers that are moments count, if not milliseconds: `s`, `us`, `ns`. */
  timeUnit?: string;
  /** True if nothing comes after the data: what is open then times out or completes. */
  endOfTime?: boolean;
}

/** Everything that a link holds. */
export interface Shared {
  rules: string;
  /** JSON lines or CSV. */
  events?: string;
  settings?: RunSettings;
  /** The rule that is shown. */
  rule?: string;
  /** The number of the test whose events are shown, if there are no `events`. */
  test?: number;
}

/** The reason why a link cannot be made or read, in words for the reader of the page. */
export class ShareError extends Error {
  override name = "ShareError";
}

/** The longest fragment that is made: browsers take more, mail and chat programs often do not. */
export const MAX_LINK = 64 * 1024;
/** The most text that a link may unfold to. */
export const MAX_TEXT = 4 * 1024 * 1024;

const PREFIX = "v1=";

/** Frozen: a changed dictionary would make every link of version 1 unreadable. */
const DICTIONARY = new TextEncoder().encode(
  [
    '","settings":{"outOfOrder":"5s","type":"","endOfTime":true},"rule":"","test":0}',
    '{"ts":"2024-05-01T00:00:00Z","type":"order_purchased","user":"ann","ip":"192.0.2.7","amount":',
    " on timeout emit {\\n  skip past last skip none skip to next define  param  as order as tries",
    ' expect no match expect timeout {  advance to 1h\\n  at 0s  at 1s  at 10m  customer: "ann" ',
    "event login_failed { ts: time, ip: ip, user: string }\\nevent login_ok { ts: time, amount: float,",
    " status: string, customer_id: string }\\nevent payment_approved { ts: time, order_id: string }\\n",
    "\\n\\nrule unpaid_order {\\n  key order_id\\n  match order_purchased as order -> not payment_approved",
    " for 30m\\n  within 1h\\n  emit { order_id, count(  first(  last(  sum( .ts, customer: order.ts }\\n",
    '}\\n\\ntest  {\\n  at 0s  { order_id: \\"1\\", k: 1, v: 2 }\\n  at 1m  {  expect match { } at 1m\\n}\\n',
    '{"rules":"event a { ts: time, k: int, v: int }\\n\\nrule r {\\n  key k\\n  match a as first -> b -> c',
  ].join(""),
);

/** The fragment of a link, without the `#`. */
export function encodeShare(shared: Shared): string {
  const text = new TextEncoder().encode(JSON.stringify(ordered(shared)));
  if (text.length > MAX_TEXT) {
    throw new ShareError(tooLarge(text.length, MAX_TEXT));
  }
  const body = deflateSync(text, { level: 9, dictionary: DICTIONARY });
  const bytes = new Uint8Array(4 + body.length);
  new DataView(bytes.buffer).setUint32(0, checksum(text));
  bytes.set(body, 4);
  const fragment = PREFIX + toBase64Url(bytes);
  if (fragment.length > MAX_LINK) {
    throw new ShareError(tooLarge(fragment.length, MAX_LINK));
  }
  return fragment;
}

/** What a fragment holds, or null if it is not that of a share link. */
export function decodeShare(fragment: string): Shared | null {
  const text = unwrapped(fragment.replace(/^#/, ""));
  if (!/^v\d+=/.test(text)) {
    return null;
  }
  if (!text.startsWith(PREFIX)) {
    throw new ShareError(
      "This link was made by a newer playground. Open it there, or ask for the rules as text.",
    );
  }
  if (text.length > MAX_LINK) {
    throw new ShareError(
      `This link is too long: ${text.length} characters of at most ${MAX_LINK}.`,
    );
  }
  const bytes = fromBase64Url(text.slice(PREFIX.length));
  if (bytes.length < 5) {
    throw damaged();
  }
  const body = inflate(bytes.subarray(4));
  if (checksum(body) !== new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)) {
    throw damaged();
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw damaged();
  }
  return validated(value);
}

/** Without what mail and chat programs do to links: `%3D` for `=`, a full stop or a name behind it. */
function unwrapped(text: string): string {
  const plain = text.replace(/^(v\d+)%3d/i, "$1=");
  return plain.replace(/^(v\d+=[\w-]+)(?:[.,;:!?)\]}>'"&*].*)$/s, "$1");
}

function damaged(): ShareError {
  return new ShareError(
    "This link is damaged: a part of it is missing or changed. Copy the whole link again.",
  );
}

function tooLarge(size: number, limit: number): string {
  const kb = (bytes: number): string => `${Math.ceil(bytes / 1024)} kB`;
  return (
    `Too large for a link: ${kb(size)} of at most ${kb(limit)}. ` +
    "Keep fewer events, or share the rules and the data as files."
  );
}

/** The fields in a fixed order without defaults, so that equal content makes equal links. */
function ordered(shared: Shared): Shared {
  const { rules, events, settings, rule, test } = shared;
  const out: Shared = { rules };
  if (events !== undefined) out.events = events;
  const kept: RunSettings = {};
  if (settings?.outOfOrder) kept.outOfOrder = settings.outOfOrder;
  if (settings?.type) kept.type = settings.type;
  if (settings?.typeField) kept.typeField = settings.typeField;
  if (settings?.timeUnit) kept.timeUnit = settings.timeUnit;
  if (settings?.endOfTime) kept.endOfTime = true;
  if (Object.keys(kept).length > 0) out.settings = kept;
  if (rule !== undefined) out.rule = rule;
  if (test !== undefined) out.test = test;
  return out;
}

function validated(value: unknown): Shared {
  const isObject = (v: unknown): v is Record<string, unknown> =>
    typeof v === "object" && v !== null && !Array.isArray(v);
  const is = {
    string: (v: unknown): boolean => v === undefined || typeof v === "string",
    flag: (v: unknown): boolean => v === undefined || typeof v === "boolean",
    index: (v: unknown): boolean =>
      v === undefined || (Number.isSafeInteger(v) && (v as number) >= 0),
  };
  if (!isObject(value) || typeof value.rules !== "string") throw damaged();
  const settings = value.settings ?? {};
  if (!isObject(settings)) throw damaged();
  const right =
    is.string(value.events) &&
    is.string(value.rule) &&
    is.index(value.test) &&
    is.string(settings.outOfOrder) &&
    is.string(settings.type) &&
    is.string(settings.typeField) &&
    [undefined, "s", "ms", "us", "ns"].includes(settings.timeUnit as string | undefined) &&
    is.flag(settings.endOfTime);
  if (!right) throw damaged();
  return ordered({ ...(value as unknown as Shared), settings: settings as RunSettings });
}

/** Inflates in small pieces, so that a hostile link cannot fill the memory. */
function inflate(body: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [];
  let total = 0;
  let ended = false;
  const stream = new Inflate({ dictionary: DICTIONARY }, (part, final) => {
    parts.push(part);
    total += part.length;
    ended = final;
  });
  try {
    for (let at = 0; at < body.length && total <= MAX_TEXT; at += 512) {
      const end = Math.min(at + 512, body.length);
      // A copy: the stream keeps what it is given.
      stream.push(body.slice(at, end), end === body.length);
    }
  } catch {
    throw damaged();
  }
  if (total > MAX_TEXT) {
    throw new ShareError(`This link contains more than ${MAX_TEXT / 1024 / 1024} MB of text.`);
  }
  if (!ended) throw damaged();
  const out = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** FNV-1a. It finds damage, it does not prove who made the link. */
function checksum(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) {
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return hash >>> 0;
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

function toBase64Url(bytes: Uint8Array): string {
  let out = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const [a, b, c] = [bytes[at] ?? 0, bytes[at + 1] ?? 0, bytes[at + 2] ?? 0];
    const word = (a << 16) | (b << 8) | c;
    const digits = Math.min(bytes.length - at, 3) + 1;
    for (let digit = 0; digit < digits; digit += 1) {
      out += ALPHABET[(word >> (18 - 6 * digit)) & 63];
    }
  }
  return out;
}

function fromBase64Url(text: string): Uint8Array {
  if (text.length % 4 === 1) throw damaged();
  const out = new Uint8Array(Math.floor((text.length * 3) / 4));
  let [word, bits, at] = [0, 0, 0];
  for (const char of text) {
    const digit = ALPHABET.indexOf(char);
    if (digit < 0) throw damaged();
    word = ((word << 6) | digit) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out[at] = (word >> bits) & 255;
      at += 1;
    }
  }
  return out;
}
