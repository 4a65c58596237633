// Checks what users hand over, and makes of it what crosses the border of the module: text, JSON
// and bytes. The module is called with nothing that it cannot take: what its glue threw on the way
// in would count as a trap, which ends all engines.

export class KleeneError extends Error {
  constructor(kind, message, diagnostics = []) {
    super(message);
    this.kind = kind;
    this.diagnostics = diagnostics;
  }
}
Object.defineProperty(KleeneError.prototype, "name", { value: "KleeneError" });

const encoder = new TextEncoder();

// ---------------------------------------------------------------- arguments

export function wrong(what, expected, value) {
  return new KleeneError("options", `${what}: expected ${expected}, not ${kindOf(value)}`);
}

export function text(what, value) {
  if (typeof value !== "string") {
    throw wrong(what, "a string", value);
  }
  return value;
}

export function whole(what, value) {
  if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) {
    const found = typeof value === "number" ? value : kindOf(value);
    throw new KleeneError("options", `${what}: expected a whole number, not ${found}`);
  }
  return value;
}

/** What a value is, in words: `null`, `5`, `"x"`, `function`, `a Map`. */
export function kindOf(value) {
  if (typeof value === "string" && value.length <= 40) {
    return JSON.stringify(value);
  }
  if (value === null || typeof value !== "object") {
    return String(typeof value === "number" || value === null ? value : typeof value);
  }
  try {
    const name = Object.getPrototypeOf(value)?.constructor?.name;
    if (typeof name !== "string" || ["", "Object"].includes(name)) {
      return "an object";
    }
    return `${/^[AEIOU]/.test(name) ? "an" : "a"} ${name === "Array" ? "array" : name}`;
  } catch {
    return "a proxy that was revoked";
  }
}

/** The message of what was thrown, which may be anything. */
export function reasonOf(thrown) {
  try {
    return String(thrown instanceof Error ? thrown.message : thrown);
  } catch {
    return "an error without words";
  }
}

function caused(kind, message, cause) {
  const error = new KleeneError(kind, `${message}: ${reasonOf(cause)}`);
  error.cause = cause;
  return error;
}

// ---------------------------------------------------------------- options

// The module refuses what it does not know. It knows no names of types that JavaScript has, and in
// JSON a NaN is a `null`: these are checked here.
const TEXT = [(value) => typeof value === "string", "a string"];
const FLAG = [(value) => typeof value === "boolean", "true or false"];
const COUNT = [(value) => Number.isSafeInteger(value) && value >= 0, "a whole number"];
const MOMENT = [(value) => Number.isFinite(value), "a time in milliseconds"];
const isDuration = (value) => typeof value === "string" || (Number.isFinite(value) && value >= 0);
const DURATION = [isDuration, 'a duration such as "5s", or milliseconds'];
const isKey = (value) => Array.isArray(value) && value.every((part) => typeof part === "string");
const KEY = [(value) => typeof value === "string" || isKey(value), "a string or a list of strings"];
const oneOf = (...words) => [
  (value) => words.includes(value),
  words.map((word) => JSON.stringify(word)).join(" or "),
];
const isParam = (value) => ["string", "boolean"].includes(typeof value) || Number.isFinite(value);
const PARAM = [isParam, "a string, a number or true or false"];

/** Options that there are not: JSON would leave them out, and nobody would say so. */
const OTHER = [(value) => !["function", "symbol"].includes(typeof value), "a value of JSON"];

const OPTIONS = {
  name: TEXT, rule: TEXT, as: TEXT, states: FLAG, delimiter: TEXT, typeField: TEXT, type: TEXT,
  timeField: TEXT, timeUnit: TEXT, strict: FLAG, maxLine: COUNT, maxBytes: COUNT,
  format: oneOf("jsonl", "csv"), outOfOrder: DURATION, endOfTime: FLAG, advanceTo: MOMENT,
  brief: FLAG, key: KEY, first: COUNT, last: COUNT, maxOutputs: COUNT,
};
/** Options that are objects, by what their fields are. */
const NESTED = { limits: COUNT, files: TEXT, params: PARAM };

function isPlain(value) {
  return Object.prototype.toString.call(value) === "[object Object]";
}

/** The fields of options that were given; `undefined` and `null` are not. */
function fieldsOf(what, value) {
  if (value === undefined || value === null) {
    return [];
  }
  if (!isPlain(value)) {
    throw wrong(what, "an object", value);
  }
  return Object.entries(value).filter(([, field]) => field !== undefined && field !== null);
}

function admitted(what, [is, expected], value) {
  if (!is(value)) {
    throw wrong(what, expected, value);
  }
  return value;
}

/** Options as JSON. `forced` are fields that the arguments decide. */
export function options(value, forced = {}) {
  try {
    const fields = fieldsOf("options", value).map(([name, field]) => {
      if (Object.hasOwn(NESTED, name)) {
        const inner = fieldsOf(name, field).map(([inside, one]) => [
          inside,
          admitted(`${name}.${inside}`, NESTED[name], one),
        ]);
        return [name, Object.fromEntries(inner)];
      }
      return [name, admitted(name, Object.hasOwn(OPTIONS, name) ? OPTIONS[name] : OTHER, field)];
    });
    return JSON.stringify({ ...Object.fromEntries(fields), ...forced });
  } catch (error) {
    throw error instanceof KleeneError
      ? error
      : caused("options", "these options cannot be used", error);
  }
}

// ---------------------------------------------------------------- events

/** The default of `maxBytes`, and what the module can be handed at most. */
const [USUAL_BYTES, MOST_BYTES] = [2 ** 30, 2 ** 31 - 2 ** 20];
/** Marks the digits of a bigint in JSON, where JSON cannot say it raw. */
const MARK = `bigint ${Math.random()} `;

/** An event as JSON, in which a bigint is a number. */
function withBigInts(event) {
  if (typeof JSON.rawJSON === "function") {
    return JSON.stringify(event, (_, value) =>
      typeof value === "bigint" ? JSON.rawJSON(String(value)) : value,
    );
  }
  const json = JSON.stringify(event, (_, value) =>
    typeof value === "bigint" ? `${MARK}${value}` : value,
  );
  const [first, ...numbers] = json.split(`"${MARK}`);
  return first + numbers.map((part) => part.replace('"', "")).join("");
}

/** An event as a line of JSON. `index` is its place among others. */
export function line(event, index) {
  const at = index === undefined ? "" : `, at index ${index}`;
  let json;
  try {
    if (event === null || typeof event !== "object" || Array.isArray(event)) {
      throw new KleeneError("events", `an event is an object, not ${kindOf(event)}${at}`);
    }
    try {
      json = JSON.stringify(event);
    } catch {
      json = withBigInts(event);
    }
  } catch (error) {
    throw error instanceof KleeneError
      ? error
      : caused("events", `this event cannot be written as JSON${at}`, error);
  }
  if (typeof json !== "string" || !json.startsWith("{")) {
    throw new KleeneError("events", `this event is no object once it is written as JSON${at}`);
  }
  return json;
}

/** Text as bytes. */
export function encode(encoded) {
  try {
    return encoder.encode(encoded);
  } catch (error) {
    throw caused("limit", "the input is too long", error);
  }
}

function tagOf(value) {
  try {
    return Object.prototype.toString.call(value);
  } catch {
    return "";
  }
}

/** The bytes of an array of bytes, of this realm or another one: test runners have several. */
export function ofBuffer(events) {
  const kind = tagOf(events);
  const isBytes = ArrayBuffer.isView(events) && kind === "[object Uint8Array]";
  if (!isBytes && !/^\[object (Shared)?ArrayBuffer\]$/.test(kind)) {
    return undefined;
  }
  try {
    // Throws where the buffer is detached, which the module must not come upon.
    return isBytes
      ? new Uint8Array(events.buffer, events.byteOffset, events.byteLength)
      : new Uint8Array(events);
  } catch (error) {
    throw caused("events", "these bytes were transferred to somebody else", error);
  }
}

/**
 * The most bytes that options allow. The module refuses more as well; but it grows to be handed
 * them, and its memory is never given back.
 */
export function mostBytes(value) {
  const wished = value?.maxBytes;
  return Math.min(Number.isSafeInteger(wished) && wished >= 0 ? wished : USUAL_BYTES, MOST_BYTES);
}

/** Events as bytes, of which there are at most so many. */
export function bytes(events, most) {
  const found =
    typeof events === "string" ? encode(events)
    : isList(events) ? encode(events.map(line).join("\n"))
    : ofBuffer(events);
  if (found === undefined) {
    throw new KleeneError(
      "events",
      `events: expected a string, a Uint8Array or an array of objects, not ${kindOf(events)}`,
    );
  }
  if (found.byteLength > most) {
    const help = most < MOST_BYTES ? "; `maxBytes` allows more" : "";
    throw new KleeneError("limit", `the input is longer than ${most} bytes${help}`);
  }
  return found;
}

export function isList(events) {
  try {
    return Array.isArray(events);
  } catch {
    return false;
  }
}

/** Of objects the module reads JSON only. */
export function formOf(events) {
  return isList(events) ? { format: "jsonl" } : {};
}

/** The outputs of lines of JSON. In a line there is no other end of a line. */
export function outputs(lines) {
  return lines === "" ? [] : JSON.parse(`[${lines.trimEnd().replaceAll("\n", ",")}]`);
}
