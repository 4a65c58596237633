/** The dialogs: examples, share link, and the text of a code. */

import examples, { type Example } from "virtual:examples";
import { brief, button, el, visible } from "kleene-components";
import { bytes, fill } from "../page.ts";

/** A modal dialog that is made when it is first opened, and closed by Esc or a click beside it. */
function dialog(title: string, kind: string): { box: HTMLDialogElement; body: HTMLElement } {
  const body = el("div", { class: "dialog-body" });
  const heading = el("h2", { id: `dialog-${kind}` }, title);
  const box = el(
    "dialog",
    { class: `dialog ${kind}`, "aria-labelledby": heading.id },
    el(
      "header",
      { class: "dialog-head" },
      heading,
      button({ class: "k-button" }, () => box.close(), "Close"),
    ),
    body,
  );
  box.addEventListener("click", (event) => {
    if (event.target === box) box.close();
  });
  document.body.append(box);
  return { box, body };
}

/** The menu of examples. */
export class ExamplesDialog {
  #made: { box: HTMLDialogElement; filter: HTMLInputElement } | null = null;

  constructor(private readonly onChoose: (example: Example) => void) {}

  open(): void {
    this.#made ??= this.#make();
    this.#made.filter.value = "";
    this.#made.filter.dispatchEvent(new Event("input"));
    this.#made.box.showModal();
    this.#made.filter.focus();
  }

  #make(): { box: HTMLDialogElement; filter: HTMLInputElement } {
    const { box, body } = dialog("Examples", "examples");
    const filter = el("input", {
      class: "k-field",
      type: "search",
      placeholder: "Search",
      "aria-label": "Search the examples",
    });
    const none = el(
      "p",
      { class: "empty", hidden: true, role: "status" },
      "No example contains these words.",
    );
    const groups = [...new Set(examples.map(({ field }) => field))].map((field) => {
      const items = examples
        .filter((example) => example.field === field)
        .map((example) => {
          const item = button(
            { class: "example" },
            () => {
              box.close();
              this.onChoose(example);
            },
            el("b", {}, example.title),
            el("span", {}, example.sentence),
            el("small", { class: "soft" }, example.data),
          );
          const text = `${field} ${example.title} ${example.sentence}`.toLowerCase();
          return { item: el("li", {}, item), text };
        });
      const group = el(
        "section",
        {},
        el("h3", {}, field),
        el("ul", { class: "example-list" }, ...items.map(({ item }) => item)),
      );
      return { group, items };
    });
    filter.addEventListener("input", () => {
      const words = filter.value.toLowerCase().split(/\s+/);
      let isAny = false;
      for (const { group, items } of groups) {
        for (const { item, text } of items) {
          item.hidden = !words.every((word) => text.includes(word));
        }
        group.hidden = items.every(({ item }) => item.hidden);
        isAny ||= !group.hidden;
      }
      none.hidden = isAny;
    });
    body.append(filter, none, ...groups.map(({ group }) => group));
    return { box, filter };
  }
}

/** The share link, ready to be copied. */
export class ShareDialog {
  #made: { box: HTMLDialogElement; body: HTMLElement } | null = null;

  constructor(private readonly copy: (text: string) => Promise<boolean>) {}

  open(link: string, remark: string): void {
    this.#made ??= dialog("Share", "share");
    const field = el("input", {
      class: "k-field k-mono",
      type: "text",
      readonly: true,
      "aria-label": "Link",
      id: "share-link",
    });
    field.value = link;
    const said = el("p", { role: "status", class: "soft" }, `${bytes(link.length)} long.`);
    const copy = button(
      { class: "k-button primary" },
      async () => {
        field.select();
        const isDone = await this.copy(link);
        said.textContent = isDone
          ? "Copied."
          : "The browser did not allow copying. The link is selected: press Ctrl+C.";
      },
      "Copy",
    );
    fill(
      this.#made.body,
      el(
        "p",
        {},
        "The link contains the rules, the events and the settings, compressed. They are after the # of the address, which browsers do not send to any server.",
      ),
      el("div", { class: "share-row" }, field, copy),
      said,
      remark !== "" && el("p", { class: "note" }, remark),
    );
    this.#made.box.showModal();
    field.select();
  }

  /** Says why there is no link. */
  fail(reason: string): void {
    this.#made ??= dialog("Share", "share");
    fill(this.#made.body, el("p", { class: "note", "data-state": "error" }, visible(reason)));
    this.#made.box.showModal();
  }
}

/** What a code of a diagnostic means. */
export class CodeDialog {
  #made: { box: HTMLDialogElement; body: HTMLElement } | null = null;

  open(code: string, text: string): void {
    this.#made ??= dialog("Meaning of this code", "code");
    this.#made.box.setAttribute("aria-label", `Code ${brief(code)}`);
    fill(
      this.#made.body,
      el("pre", { class: "k-mono scroll-x wrap", tabindex: 0 }, visible(text, "keep")),
    );
    this.#made.box.showModal();
  }
}
