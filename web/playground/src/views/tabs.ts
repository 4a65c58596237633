/** Tabs by the ARIA pattern: arrows move between them, and the panel follows. */
import { el } from "kleene-components";

export interface Tab {
  id: string;
  label: string;
  panel: HTMLElement;
  /** Called when the panel comes to the front. */
  onShow?(): void;
}

export class Tabs {
  readonly #tabs: { tab: Tab; button: HTMLButtonElement; badge: HTMLElement }[] = [];
  #active = "";

  constructor(parent: HTMLElement, label: string, tabs: readonly Tab[]) {
    const list = el("div", { role: "tablist", "aria-label": label, class: "tabs" });
    parent.append(list);
    for (const tab of tabs) {
      const badge = el("span", { class: "badge" });
      const button = el(
        "button",
        { type: "button", role: "tab", id: `tab-${tab.id}`, "aria-controls": `panel-${tab.id}` },
        `${tab.label} `,
        badge,
      );
      button.addEventListener("click", () => this.show(tab.id));
      list.append(button);
      tab.panel.id = `panel-${tab.id}`;
      tab.panel.classList.add("panel");
      tab.panel.setAttribute("role", "tabpanel");
      tab.panel.setAttribute("aria-labelledby", button.id);
      tab.panel.tabIndex = 0;
      parent.append(tab.panel);
      this.#tabs.push({ tab, button, badge });
    }
    list.addEventListener("keydown", (event) => this.#key(event));
    this.show(tabs[0]?.id ?? "");
  }

  get active(): string {
    return this.#active;
  }

  show(id: string): void {
    this.#active = id;
    for (const { tab, button } of this.#tabs) {
      const isActive = tab.id === id;
      button.setAttribute("aria-selected", String(isActive));
      button.tabIndex = isActive ? 0 : -1;
      tab.panel.hidden = !isActive;
      if (isActive) {
        this.#bringIntoView(button);
        tab.onShow?.();
      }
    }
  }

  /** A number or a few words behind the label; `state` colours it. */
  badge(id: string, text: string, state = ""): void {
    const found = this.#tabs.find(({ tab }) => tab.id === id);
    if (!found) return;
    found.badge.textContent = text;
    found.badge.dataset.state = state;
  }

  /** Scrolls the row of tabs, and never the page. */
  #bringIntoView(button: HTMLElement): void {
    const row = button.parentElement;
    if (!row) return;
    const [box, own] = [row.getBoundingClientRect(), button.getBoundingClientRect()];
    if (own.left < box.left) row.scrollLeft += own.left - box.left - 8;
    else if (own.right > box.right) row.scrollLeft += own.right - box.right + 8;
  }

  #key(event: KeyboardEvent): void {
    const at = this.#tabs.findIndex(({ tab }) => tab.id === this.#active);
    const last = this.#tabs.length - 1;
    const to = new Map([
      ["ArrowRight", at === last ? 0 : at + 1],
      ["ArrowLeft", at === 0 ? last : at - 1],
      ["Home", 0],
      ["End", last],
    ]).get(event.key);
    const next = to === undefined ? undefined : this.#tabs[to];
    if (!next) return;
    event.preventDefault();
    this.show(next.tab.id);
    next.button.focus();
  }
}
