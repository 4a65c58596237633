/** The tests of the rules, run as one types. */
import type { TestReport, TestResult } from "kleene";
import { button, el, visible } from "kleene-components";
import { counted, fill } from "../page.ts";

export interface TestsOptions {
  /** Shows a place in the rules. */
  onGo(start: number, end: number): void;
  /** Puts the events of a test, by its number, on the timeline. */
  onShow(test: number): void;
}

export class TestsView {
  readonly panel = el("div", { class: "tests" });

  constructor(private readonly options: TestsOptions) {
    this.message("");
  }

  /** Says why there are no results; the usual reason if `text` is empty. */
  message(text: string): void {
    const example =
      'test unpaid_order {\n  at 0s order { id: "1" }\n  advance to 1h\n  expect match { id: "1" } at 30m\n}';
    fill(
      this.panel,
      el("p", { class: "empty" }, text || "The rules have no tests. Add a test below its rule:"),
      text === "" && el("pre", { class: "k-mono sample" }, example),
    );
  }

  update(report: TestReport): void {
    if (report.tests.length === 0) {
      this.message("");
      return;
    }
    const { passed, failed, untested } = report;
    fill(
      this.panel,
      el(
        "p",
        { class: "summary", "data-state": failed ? "error" : "match" },
        `${passed} passed, ${failed} failed`,
      ),
      el(
        "ul",
        { class: "test-list" },
        ...report.tests.map((test, index) => this.#item(test, index)),
      ),
      untested.length > 0 &&
        el(
          "p",
          { class: "soft k-text" },
          `Without a test: ${counted(untested.length, "rule")} (${visible(untested.join(", "))})`,
        ),
    );
  }

  #item(test: TestResult, index: number): HTMLElement {
    const { ok, rule, line, start, end, failures } = test;
    return el(
      "li",
      { "data-state": ok ? "match" : "error" },
      el(
        "div",
        { class: "test-head" },
        el("span", { class: "mark" }, ok ? "passed" : "failed"),
        button(
          { class: "k-link k-text", title: "Show it in the rules" },
          () => this.options.onGo(start, end),
          `${visible(rule)}, line ${line}`,
        ),
        button(
          { class: "k-button", title: "Replaces the events with those of the test" },
          () => this.options.onShow(index),
          "Show its events",
        ),
      ),
      ...failures.map((failure) =>
        el(
          "div",
          { class: "failure" },
          button(
            { class: "k-link k-text", title: "Show it in the rules" },
            () => this.options.onGo(failure.start, failure.end),
            visible(failure.message),
          ),
          el("pre", { class: "k-mono scroll-x", tabindex: 0 }, visible(failure.rendered, "keep")),
        ),
      ),
    );
  }
}
