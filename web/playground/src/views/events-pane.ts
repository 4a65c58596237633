/** The events: typed or pasted small ones in a text area, large ones as a file that is only named. */
import { brief, button, el } from "kleene-components";
import { bytes, counted, debounced, fill } from "../page.ts";
import type { RunSettings } from "../share.ts";

/** Longer texts are not put into the text area, which would make the page slow. */
const MAX_TEXT = 256 * 1024;
/** Larger files do not fit into the memory of the engine, unpacked and decoded. */
const MAX_FILE = 512 * 1024 * 1024;

/** What numbers that are moments may count, and its words. */
const UNITS = [
  ["", "ms"],
  ["s", "s"],
  ["us", "\u00b5s"],
  ["ns", "ns"],
] as const;

/** A test whose events are shown. */
export interface ShownTest {
  /** Its place among the tests of the rules. */
  number: number;
  /** The test moves time on to this moment. */
  advanceTo: number | null;
}

/** All that is shown, to be shown again later. */
export interface EventsContent {
  file: File | null;
  text: string;
  name: string;
  test: ShownTest | null;
  settings: RunSettings;
}

export interface EventsPaneOptions {
  onChange(): void;
  onInfer(): void;
  /** The first lines of the current events, unpacked. */
  head(lines: number): Promise<string[]>;
  onNotice(message: string): void;
}

/**
 * The text of a file, if it is small or in UTF-16, as some programs write tables. Anything else is
 * for the engine, which reads UTF-8 and unpacks gzip.
 */
async function readText(file: File): Promise<{ text: string | null; remark: string }> {
  const [a, b] = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  const isWide = (a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff);
  if (isWide) {
    const label = a === 0xff ? "utf-16le" : "utf-16be";
    const text = new TextDecoder(label).decode(await file.arrayBuffer());
    return { text, remark: "The file was read as UTF-16." };
  }
  if (file.size > MAX_TEXT || (a === 0x1f && b === 0x8b)) return { text: null, remark: "" };
  const data = new Uint8Array(await file.arrayBuffer());
  if (data.includes(0)) return { text: null, remark: "" };
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(data), remark: "" };
  } catch {
    const text = new TextDecoder("windows-1252").decode(data);
    return { text, remark: "The file is not UTF-8: it was read as Windows-1252." };
  }
}

export class EventsPane {
  #file: File | null = null;
  #test: ShownTest | null = null;
  #name = "";
  readonly #text = el("textarea", {
    class: "events-text",
    spellcheck: "false",
    autocapitalize: "off",
    autocomplete: "off",
    wrap: "off",
    "aria-label": "Events: JSON lines or CSV",
    placeholder:
      'JSON lines or CSV, for example\n{"ts":"2024-05-01T09:00:00Z","type":"order","id":"o-1"}',
  });
  readonly #card = el("div", { class: "file-card", hidden: true });
  readonly #meta = el("span", { class: "meta" });
  readonly #note = el("p", { class: "note", hidden: true, role: "status" });
  readonly #remark = el("p", { class: "note remark", hidden: true, role: "status" });
  readonly #late = el("input", {
    class: "k-field short",
    type: "text",
    placeholder: "0s",
    spellcheck: "false",
    autocomplete: "off",
    id: "late-field",
  });
  readonly #type = el("input", {
    class: "k-field",
    type: "text",
    placeholder: "in field type",
    spellcheck: "false",
    autocomplete: "off",
    id: "type-field",
  });
  readonly #typeField = el("input", {
    class: "k-field",
    type: "text",
    placeholder: "type",
    spellcheck: "false",
    autocomplete: "off",
    id: "type-field-field",
  });
  readonly #unit = el(
    "select",
    { class: "k-field", id: "unit-field" },
    ...UNITS.map(([value, words]) => el("option", { value }, words)),
  );
  readonly #more = el(
    "details",
    { class: "more" },
    el("summary", {}, "More"),
    el(
      "div",
      { class: "more-fields" },
      el("label", { title: "The field or column with the type" }, "Type field ", this.#typeField),
      el("label", { title: "The unit of times that are numbers" }, "Times in ", this.#unit),
    ),
  );
  readonly #end = el("input", { type: "checkbox", id: "end-field" });
  readonly #picker = el("input", {
    type: "file",
    class: "k-hidden",
    tabindex: -1,
    "aria-label": "File with events",
    accept: ".jsonl,.ndjson,.json,.csv,.tsv,.txt,.log,.gz",
  });

  readonly #changed = debounced(
    () => this.options.onChange(),
    () => 150,
  );

  constructor(
    parent: HTMLElement,
    private readonly options: EventsPaneOptions,
  ) {
    parent.append(
      el(
        "header",
        { class: "pane-head" },
        el("h2", { id: "events-title" }, "Events"),
        this.#meta,
        button(
          { class: "k-button", id: "infer-button" },
          () => options.onInfer(),
          "Infer declarations",
        ),
        button({ class: "k-button", id: "open-button" }, () => this.#picker.click(), "Open file"),
        this.#picker,
      ),
      el("div", { class: "pane-body events-body" }, this.#text, this.#card),
      this.#note,
      this.#remark,
      el(
        "div",
        { class: "settings" },
        el(
          "label",
          { title: "Waits for events that come out of order" },
          "Late by up to ",
          this.#late,
        ),
        el("label", { title: "For data without a type field" }, "Type ", this.#type),
        el(
          "label",
          { title: "Open partial matches time out or complete at the end" },
          this.#end,
          " Nothing comes after",
        ),
        this.#more,
      ),
    );
    this.#text.addEventListener("input", () => {
      [this.#name, this.#test] = ["", null];
      this.#showMeta();
      this.#changed();
    });
    this.#text.addEventListener("paste", (event) => this.#pasted(event));
    for (const field of [this.#late, this.#type, this.#typeField]) {
      field.addEventListener("input", this.#changed);
    }
    for (const field of [this.#end, this.#unit]) {
      field.addEventListener("change", () => options.onChange());
    }
    this.#picker.addEventListener("change", () => {
      const file = this.#picker.files?.[0];
      this.#picker.value = "";
      if (file) void this.take(file);
    });
    this.#acceptDrops();
  }

  /** The text, or the file. */
  get source(): string | Blob {
    return this.#file ?? this.#text.value;
  }

  /** The text, if the events are small. */
  get text(): string | null {
    return this.#file ? null : this.#text.value;
  }

  /** The test whose events are shown, until they are edited. */
  get test(): ShownTest | null {
    return this.#test;
  }

  get content(): EventsContent {
    const { settings } = this;
    const text = this.#text.value;
    return { file: this.#file, text, name: this.#name, test: this.#test, settings };
  }

  set content({ file, text, name, test, settings }: EventsContent) {
    this.set(text, settings, name);
    this.#test = test;
    if (file) this.#showFile(file);
  }

  get settings(): RunSettings {
    return {
      outOfOrder: this.#late.value.trim(),
      type: this.#type.value.trim(),
      typeField: this.#typeField.value.trim(),
      timeUnit: this.#unit.value,
      endOfTime: this.#end.checked,
    };
  }

  /** Shows a text and settings; does not call `onChange`. */
  set(text: string, settings: RunSettings = {}, name = ""): void {
    this.#test = null;
    if (text.length > MAX_TEXT) {
      this.#showFile(new File([text], name || "pasted text"));
    } else {
      this.#file = null;
      this.#name = name;
      this.#text.value = text;
      this.#text.hidden = false;
      this.#card.hidden = true;
    }
    this.#late.value = settings.outOfOrder ?? "";
    this.#type.value = settings.type ?? "";
    this.#typeField.value = settings.typeField ?? "";
    this.#unit.value = settings.timeUnit ?? "";
    this.#more.open = Boolean(this.#typeField.value || this.#unit.value);
    this.#end.checked = settings.endOfTime ?? false;
    this.#showMeta();
  }

  /** Shows the events of a test. */
  setTest(text: string, test: ShownTest, name: string): void {
    this.set(text, {}, name);
    this.#test = test;
  }

  /** Takes a dropped or opened file: small text is shown, everything else is named. */
  async take(file: File): Promise<void> {
    if (file.size > MAX_FILE) {
      this.options.onNotice(
        `${brief(file.name)} is too large for a page: ${bytes(file.size)} of at most ${bytes(MAX_FILE)}. ` +
          "Use a part of it, or use the program: kleene run.",
      );
      return;
    }
    const { text, remark } = await readText(file);
    if (text === null) this.#showFile(file);
    else this.set(text, this.settings, file.name);
    this.options.onChange();
    this.remark(remark);
  }

  /** What was typed counts now. */
  flush(): void {
    this.#changed.flush();
  }

  /** Says what is wrong with the events, or nothing. `mend` makes JSON lines of them. */
  note(text: string, mend?: () => void): void {
    this.#note.hidden = text === "";
    fill(
      this.#note,
      text,
      mend ? button({ class: "k-button" }, mend, "Write one event per line") : null,
    );
  }

  /** What numbers count that are moments, as declarations were inferred. */
  set timeUnit(unit: string) {
    this.#unit.value = unit;
    this.#more.open ||= unit !== "";
  }

  /** Shows the same events in another form, under the same name. */
  rewrite(text: string): void {
    this.set(text, this.settings, this.#name);
    this.options.onChange();
  }

  /** Says what became of a request, or nothing. */
  remark(text: string): void {
    this.#remark.hidden = text === "";
    this.#remark.textContent = text;
  }

  /** Shows the first lines of a file, once the worker has it. */
  async showHead(): Promise<void> {
    const file = this.#file;
    if (!file) return;
    const lines = await this.options.head(8);
    if (file !== this.#file) return;
    const shown = lines.map((line) => brief(line, 200)).join("\n");
    this.#card.querySelector("pre")?.replaceChildren(shown);
  }

  focus(): void {
    (this.#file ? this.#card.querySelector("button") : this.#text)?.focus();
  }

  #showFile(file: File): void {
    this.#test = null;
    this.#file = file;
    this.#name = file.name;
    this.#text.hidden = true;
    this.#text.value = "";
    this.#card.hidden = false;
    this.#card.replaceChildren(
      el(
        "div",
        { class: "file-head" },
        el("strong", { class: "k-text" }, brief(file.name)),
        el("span", { class: "soft" }, bytes(file.size)),
        button({ class: "k-button" }, () => this.#remove(), "Remove"),
      ),
      el("p", { class: "soft" }, "Too large to edit here. It begins with"),
      el("pre", { class: "k-mono", tabindex: 0, "aria-label": "First lines" }),
    );
    this.#showMeta();
  }

  #remove(): void {
    this.set("", this.settings);
    this.options.onChange();
    this.#text.focus();
  }

  #showMeta(): void {
    if (this.#file) {
      this.#meta.textContent = "";
      return;
    }
    const text = this.#text.value;
    const lines = text === "" ? 0 : text.replace(/\n$/, "").split("\n").length;
    const name = this.#name ? `, ${brief(this.#name, 40)}` : "";
    this.#meta.textContent = `${counted(lines, "line")}${name}`;
  }

  #pasted(event: ClipboardEvent): void {
    const file = event.clipboardData?.files[0];
    const text = event.clipboardData?.getData("text/plain") ?? "";
    if (!file && text.length + this.#text.value.length <= MAX_TEXT) return;
    event.preventDefault();
    void this.take(file ?? new File([text], "pasted text"));
  }

  #acceptDrops(): void {
    const root = document.documentElement;
    let depth = 0;
    const hasFiles = (event: DragEvent): boolean =>
      event.dataTransfer?.types.includes("Files") ?? false;
    document.addEventListener("dragenter", (event) => {
      if (!hasFiles(event)) return;
      depth += 1;
      root.classList.add("dropping");
    });
    document.addEventListener("dragleave", (event) => {
      if (!hasFiles(event)) return;
      depth -= 1;
      if (depth <= 0) root.classList.remove("dropping");
    });
    document.addEventListener("dragover", (event) => {
      if (hasFiles(event)) event.preventDefault();
    });
    document.addEventListener("drop", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      depth = 0;
      root.classList.remove("dropping");
      const files = [...(event.dataTransfer?.files ?? [])];
      if (files.length > 1) {
        this.options.onNotice(
          `Only ${brief(files[0]?.name ?? "")} was used: the page holds one file.`,
        );
      }
      if (files[0]) void this.take(files[0]);
    });
  }
}
