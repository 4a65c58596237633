/** The worker that knows the language. It has a module of its own, and so is never kept busy. */
import initialize, {
  check,
  complete,
  explain,
  explainCode,
  format,
  hover,
  test,
  testEvents,
} from "kleene";
import type { LanguageCalls } from "./protocol.ts";
import { type Port, serve } from "./rpc.ts";

/** Rules that are checked before anybody asks: what the first check compiles is ready then. */
const WARM_UP = `event a { ts: time, k: string }
rule r { key k match a as one -> not a for 1m emit { k, at: one.ts } }
test r { at 0s a { k: "1" } expect no match }`;

serve<LanguageCalls>(globalThis as unknown as Port, {
  async init([module]) {
    await initialize(module);
    check(WARM_UP);
  },
  check: ([rules]) => check(rules),
  complete: ([rules, offset]) => complete(rules, offset),
  hover: ([rules, offset]) => hover(rules, offset),
  format: ([rules]) => format(rules),
  test: ([rules]) => test(rules),
  automaton: ([rules, rule]) => explain(rules, { rule, as: "svg", states: true }),
  explainCode: ([code]) => explainCode(code),
  testEvents: ([rules, number]) => testEvents(rules, number),
});
