// Made up events: the same in each run.

/** Numbers between 0 and 1. */
export function seeded(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Orders and payments as CSV, with a number of lines below the header. */
export function ordersCsv(lines) {
  const random = seeded(1);
  const out = ["ts,type,order_id,customer_id,amount"];
  const open = [];
  let order = 0;
  for (let line = 0; line < lines; line += 1) {
    const ts = new Date(Date.UTC(2024, 4, 1) + line * 400).toISOString();
    const isPayment = open.length > 200 || (open.length > 0 && random() < 0.45);
    if (isPayment) {
      const [paid] = open.splice(Math.floor(random() * open.length), 1);
      if (random() < 0.97) {
        out.push(`${ts},payment_approved,o-${paid},,`);
        continue;
      }
    }
    order += 1;
    open.push(order);
    const customer = Math.floor(random() * 4000);
    out.push(`${ts},order_purchased,o-${order},c-${customer},${(random() * 200).toFixed(2)}`);
  }
  return `${out.join("\n")}\n`;
}

/** The same as JSON lines. */
export function ordersJson(lines) {
  const [head, ...rows] = ordersCsv(lines).trimEnd().split("\n");
  const names = head.split(",");
  return rows
    .map((row) => {
      const fields = row.split(",").map((value, index) => [names[index], value]);
      return JSON.stringify(Object.fromEntries(fields.filter(([, value]) => value !== "")));
    })
    .map((line) => `${line}\n`)
    .join("");
}
