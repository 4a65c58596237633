/** Items with what users can put into them. */
import type { EventItem, OpenAt, OutputItem } from "../src/index.ts";

const LONG = "x".repeat(1_000_000);
const ODD = "\u202egnp.exe\u0000\ud800\u0007";
const MARKUP = "<img src=x onerror=alert(1)>";

/** An event of many odd fields. */
export const EVENT: EventItem = {
  index: 16,
  line: 17,
  time: Date.UTC(2024, 4, 1, 15, 45, 4),
  type: "order_created",
  fields: {
    order_id: "o-17",
    amount: 9.5,
    note: LONG,
    file: ODD,
    [MARKUP]: MARKUP,
    [ODD]: null,
    address: { street: "\u0634\u0627\u0631\u0639 12", flags: [true, false] },
  },
  text: `{"type":"order_created","note":"${LONG}"}`,
  status: "late",
  reason: "the watermark is at 2024-05-01 15:46:00",
};

/** A match of 25 events. */
export const OUTPUT: OutputItem = {
  kind: "match",
  json: `{"rule":"unpaid_order","kind":"match","emit":{"note":"${LONG}"}}`,
  key: { order_id: "o-17" },
  time: Date.UTC(2024, 4, 1, 16, 15, 4),
  captures: [
    { step: "fails", events: Array.from({ length: 25 }, (_, at) => at) },
    { step: MARKUP, events: [30, -1] },
  ],
  emit: { order_id: "o-17", note: LONG, tries: 25 },
  count: "12",
};

/** Three partial matches, of some more. */
export const OPEN: OpenAt = {
  total: 1234,
  partials: [
    {
      lane: 0,
      captures: [{ step: "o", events: [3] }],
      states: ["S1"],
      waits: "waits for `order_paid`: order_paid[amount > 9.5]",
      deadline: OUTPUT.time + 125_000,
    },
    { lane: 4, captures: [], states: ["S1", "S2"], waits: "", deadline: null },
    {
      lane: 3,
      captures: [{ step: "o", events: [5, 6] }],
      states: ["S2"],
      waits: `waits for \`${MARKUP}\``,
      deadline: OUTPUT.time + 86_400_000,
    },
  ],
};
