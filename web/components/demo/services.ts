/** Services that know a little: enough to show what the editor does with answers. */
import type { Completion, Diagnostic, LanguageServices } from "../src/index.ts";

const WORDS = ["rule", "match", "within", "emit", "key"];

/** Finds each `mtch`, completes five words, explains `match`, and trims lines. */
export const services: LanguageServices = {
  check: (text) => [...text.matchAll(/\bmtch\b/g)].map((found) => mistake(found.index)),
  complete: (text, offset) => {
    const start = offset - (/[\w`$]*$/.exec(text.slice(0, offset))?.[0].length ?? 0);
    return WORDS.map((word): Completion => {
      const apply = { start, end: offset, text: word };
      const documentation = `The word \`${word}\` of a rule.\n\n\`\`\`cep\n${word} x\n\`\`\``;
      return { label: word, kind: "keyword", documentation, apply, filter: word, sort: word };
    });
  },
  hover: (text, offset) => {
    const start = text.lastIndexOf("match", offset);
    if (start < 0 || offset > start + 5) return null;
    const markdown =
      "```cep\nmatch a -> b\n```\nWhat a rule **looks for**. <img src=x onerror=alert(1)>";
    return { start, end: start + 5, markdown };
  },
  format: (text) => {
    if (/\bmtch\b/.test(text)) throw new Error("the text has mistakes");
    return text.replace(/[ \t]+$/gm, "");
  },
};

function mistake(start: number): Diagnostic {
  const fix = (text: string) => ({
    title: `Replace \`mtch\` by \`${text}\``,
    edits: [{ start, end: start + 4, text }],
  });
  return {
    severity: "error",
    code: "E0102",
    message: "expected a clause, found `mtch`",
    start,
    end: start + 4,
    label: "not a clause",
    related: [],
    help: "did you mean `match`?",
    fixes: [fix("match"), fix("meta")],
  };
}

/** A rule file with two mistakes, a mark of direction, and a zero. */
export const RULES = `# Nobody paid this order in time. \u202eodd\u0000
event order_created { order_id: string, user: string, amount: float, at: time }
event order_paid    { order_id: string, at: time }

rule unpaid_order {
  about    "Nobody paid"
  severity medium
  param    wait: duration = 10m
  key      order_id
  mtch     order_created[amount > 9.5 and user not in ["qa-1"]] as o -> not order_paid for $wait
  emit     { order_id, amount: o.amount, due: o.at + $wait, n: count(o) }
}
`;
