/**
 * The tour: five steps, each with rules and events to begin with, something to do, and what the
 * rules report once it is done. `test/tour.test.ts` runs each beginning and each solution.
 *
 * In texts, back-quotes mark what is typed.
 */

/** A result that a step expects: its kind, and what its `emit` reports. */
export interface Expected {
  kind: "match" | "timeout";
  emit: Record<string, unknown>;
}

export interface Step {
  title: string;
  /** What the step is about, in paragraphs. */
  text: readonly string[];
  /** What to do. */
  task: string;
  /** Shown once it is done. */
  done: string;
  rules: string;
  events: string;
  /** What the rules report at the beginning. */
  before: readonly Expected[];
  /** What they have to report. */
  expected: readonly Expected[];
  /** Rules that do it: shown on request. */
  solution: string;
}

const SHOP = `event order { ts: time, id: string }
event payment { ts: time, id: string }
`;

const CARDS = `event declined { ts: time, card: string }
event approved { ts: time, card: string, amount: float }
`;

export const steps: readonly Step[] = [
  {
    title: "A sequence",
    text: [
      "A rule describes a sequence of events. This one describes an `order`, followed some time later by a `payment`. The arrow `->` skips other events in between.",
      "Below it are five events of a shop, one per line. Each event is a dot on the timeline, and each match is a bar over its events. Select one to see its parts.",
      "The wavy lines are warnings: the rule has no key and no time limit. Step 4 adds both.",
    ],
    task: "An order is complete when the parcel is on its way. Write `-> shipment as parcel` after `payment as payment`, and report the carrier: add `carrier: parcel.carrier` to `emit`.",
    done: "Now there is one match: the second order has not been sent yet, so its partial match is still open. Move the slider below the timeline to see what was open at each moment.",
    rules: `${SHOP}event shipment { ts: time, id: string, carrier: string }

rule sent {
  match order as order -> payment as payment
  emit { id: order.id, paid_after: payment.ts - order.ts }
}
`,
    events: `{"ts":"2024-05-01T09:00:00Z","type":"order","id":"o-1"}
{"ts":"2024-05-01T09:04:00Z","type":"payment","id":"o-1"}
{"ts":"2024-05-01T10:30:00Z","type":"shipment","id":"o-1","carrier":"north post"}
{"ts":"2024-05-01T11:00:00Z","type":"order","id":"o-2"}
{"ts":"2024-05-01T11:10:00Z","type":"payment","id":"o-2"}
`,
    before: [
      { kind: "match", emit: { id: "o-1", paid_after: "4m" } },
      { kind: "match", emit: { id: "o-2", paid_after: "10m" } },
    ],
    expected: [{ kind: "match", emit: { id: "o-1", paid_after: "4m", carrier: "north post" } }],
    solution: `${SHOP}event shipment { ts: time, id: string, carrier: string }

rule sent {
  match order as order -> payment as payment -> shipment as parcel
  emit { id: order.id, paid_after: payment.ts - order.ts, carrier: parcel.carrier }
}
`,
  },
  {
    title: "What does not happen",
    text: [
      "A missing payment leaves no line in a log. A rule can still find it: `not payment for 30m` means half an hour without a `payment`.",
      "This rule reports the orders that were paid. The others are more interesting.",
    ],
    task: "Report the orders that were not paid within half an hour: replace `payment as payment` with `not payment for 30m`, and remove `paid_after` from `emit`.",
    done: "The match comes at 10:30, when the half hour is over. No event comes at that moment: the match completes because time passes. The payment at 10:45 is too late.",
    rules: `${SHOP}
rule unpaid {
  match order as order -> payment as payment
  emit { id: order.id, paid_after: payment.ts - order.ts }
}
`,
    events: `{"ts":"2024-05-01T09:00:00Z","type":"order","id":"o-1"}
{"ts":"2024-05-01T09:04:00Z","type":"payment","id":"o-1"}
{"ts":"2024-05-01T10:00:00Z","type":"order","id":"o-2"}
{"ts":"2024-05-01T10:45:00Z","type":"payment","id":"o-2"}
{"ts":"2024-05-01T11:00:00Z","type":"order","id":"o-3"}
{"ts":"2024-05-01T11:20:00Z","type":"payment","id":"o-3"}
`,
    before: [
      { kind: "match", emit: { id: "o-1", paid_after: "4m" } },
      { kind: "match", emit: { id: "o-2", paid_after: "45m" } },
      { kind: "match", emit: { id: "o-3", paid_after: "20m" } },
    ],
    expected: [{ kind: "match", emit: { id: "o-2" } }],
    solution: `${SHOP}
rule unpaid {
  match order as order -> not payment for 30m
  emit { id: order.id }
}
`,
  },
  {
    title: "Repetition",
    text: [
      "A thief tries stolen card numbers: a card is declined a few times, and then a payment is approved. `declined -> approved` finds that, but also everyone who mistyped a digit once.",
      "Braces after a step say how often it comes: `{3}` means three times, `{2..5}` two to five times, and `{3..}` three or more times.",
    ],
    task: "Require three or more: write `declined{3..} as tries`, and report their number: add `tries: count(tries)` before `amount`.",
    done: "A step with braces captures several events. `count`, `sum`, `first`, `last` and others compute with them, in `emit` and in conditions.",
    rules: `${CARDS}
rule tried {
  match declined as tries -> approved as hit
  emit { amount: hit.amount }
}
`,
    events: `{"ts":"2024-05-01T12:00:00Z","type":"declined","card":"4711"}
{"ts":"2024-05-01T12:00:20Z","type":"declined","card":"4711"}
{"ts":"2024-05-01T12:00:45Z","type":"declined","card":"4711"}
{"ts":"2024-05-01T12:01:00Z","type":"declined","card":"4711"}
{"ts":"2024-05-01T12:01:30Z","type":"approved","card":"4711","amount":950}
{"ts":"2024-05-01T12:20:00Z","type":"declined","card":"4711"}
{"ts":"2024-05-01T12:21:00Z","type":"approved","card":"4711","amount":12.5}
`,
    before: [
      { kind: "match", emit: { amount: 950 } },
      { kind: "match", emit: { amount: 12.5 } },
    ],
    expected: [{ kind: "match", emit: { tries: 4, amount: 950 } }],
    solution: `${CARDS}
rule tried {
  match declined{3..} as tries -> approved as hit
  emit { tries: count(tries), amount: hit.amount }
}
`,
  },
  {
    title: "Key and time",
    text: [
      "So far, all events belonged together. Here are three cards, each declined once, and the rule counts them together. `key card` separates the events of each card, and each key has its own lane on the timeline.",
      "Time matters, too. Three mistakes in an afternoon mean nothing; three in ten minutes do. `within 10m` bounds the whole match, from its first event to its last.",
    ],
    task: "Below the line with `rule`, add the line `key card`. Below `match`, add the line `within 10m`. Report the card: add `card` before `tries`.",
    done: "One card is left, with three tries in two minutes. Select a dot of card 7003 to see why it did not take part, for each partial match.",
    rules: `${CARDS}
rule tried {
  match declined{3..} as tries -> approved as hit
  emit { tries: count(tries), amount: hit.amount }
}
`,
    events: `{"ts":"2024-05-01T12:00:00Z","type":"declined","card":"7001"}
{"ts":"2024-05-01T12:01:00Z","type":"declined","card":"7002"}
{"ts":"2024-05-01T12:02:00Z","type":"declined","card":"7003"}
{"ts":"2024-05-01T12:03:00Z","type":"approved","card":"7001","amount":20}
{"ts":"2024-05-01T13:00:00Z","type":"declined","card":"7003"}
{"ts":"2024-05-01T14:10:00Z","type":"declined","card":"7002"}
{"ts":"2024-05-01T14:11:00Z","type":"declined","card":"7002"}
{"ts":"2024-05-01T14:12:00Z","type":"declined","card":"7002"}
{"ts":"2024-05-01T14:13:00Z","type":"approved","card":"7002","amount":740}
{"ts":"2024-05-01T15:00:00Z","type":"declined","card":"7003"}
{"ts":"2024-05-01T15:01:00Z","type":"approved","card":"7003","amount":35}
`,
    before: [
      { kind: "match", emit: { tries: 3, amount: 20 } },
      { kind: "match", emit: { tries: 4, amount: 740 } },
    ],
    expected: [{ kind: "match", emit: { card: "7002", tries: 3, amount: 740 } }],
    solution: `${CARDS}
rule tried {
  key card
  match declined{3..} as tries -> approved as hit
  within 10m
  emit { card, tries: count(tries), amount: hit.amount }
}
`,
  },
  {
    title: "Out of time",
    text: [
      "With a time limit, a sequence can run out of time: the order came, and the payment did not. Kleene can report this at that moment, as a timeout with the events so far.",
      "This rule reports how long each payment took, if it came within an hour. Three orders overlap, and their key separates them.",
    ],
    task: "Report the orders that ran out of time as well: add the line `on timeout emit { id, waiting_for: match.awaits }` below `emit`.",
    done: "You have finished the tour. A rule says which events have to come, which must not, how often, for which key and within which time. See the examples for ready-made rules, or press Share to make a link to yours.",
    rules: `${SHOP}
rule paid {
  key id
  match order as order -> payment as payment
  within 1h
  emit { id, took: payment.ts - order.ts }
}
`,
    events: `{"ts":"2024-05-01T09:00:00Z","type":"order","id":"o-1"}
{"ts":"2024-05-01T09:10:00Z","type":"order","id":"o-2"}
{"ts":"2024-05-01T09:20:00Z","type":"order","id":"o-3"}
{"ts":"2024-05-01T09:25:00Z","type":"payment","id":"o-1"}
{"ts":"2024-05-01T10:30:00Z","type":"payment","id":"o-3"}
`,
    before: [{ kind: "match", emit: { id: "o-1", took: "25m" } }],
    expected: [
      { kind: "match", emit: { id: "o-1", took: "25m" } },
      { kind: "timeout", emit: { id: "o-2", waiting_for: ["payment"] } },
      { kind: "timeout", emit: { id: "o-3", waiting_for: ["payment"] } },
    ],
    solution: `${SHOP}
rule paid {
  key id
  match order as order -> payment as payment
  within 1h
  emit { id, took: payment.ts - order.ts }
  on timeout emit { id, waiting_for: match.awaits }
}
`,
  },
];
