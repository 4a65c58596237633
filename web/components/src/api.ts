/**
 * What the components take and offer. Each is a class of the same name that is made with a parent
 * element and options, holds no state of the application, and is told of changes by its methods.
 */
import type {
  Diagnostic,
  EventItem,
  LanguageServices,
  Later,
  OpenAt,
  OpenPartial,
  OutputItem,
  OutputRef,
  OutputTableData,
  TimelineData,
  TimelineItem,
  TimelineSelection,
  WhyStory,
} from "./data.ts";

/** What each component can do. */
export interface Component {
  /** Takes the component out of the page. It cannot be used any more. */
  destroy(): void;
}

/** Options of `RuleEditor`. */
export interface RuleEditorOptions {
  value?: string;
  language: LanguageServices;
  /** The name for screen readers; "Rules" if it is not given. */
  label?: string;
  readOnly?: boolean;
  /** Milliseconds without typing before the text is checked; 150 if not given. */
  delay?: number;
  /** Called with each change by the user and by `setValue`. */
  onChange?(value: string): void;
  /** Called after each check. */
  onDiagnostics?(diagnostics: readonly Diagnostic[]): void;
  /** Called when the user asks for the meaning of a code. Without it codes are no buttons. */
  onCode?(code: string): void;
}

/** An editor for rule files. */
export interface RuleEditorApi extends Component {
  readonly value: string;
  /** Replaces the text. The change can be undone. */
  setValue(value: string): void;
  /** Selects a range, scrolls to it, and takes the focus. */
  select(start: number, end: number): void;
  /** Formats the text. Gives false if it has mistakes, and changes nothing then. */
  format(): Promise<boolean>;
  /** Checks again at once: the services changed. */
  check(): void;
  focus(): void;
}

/** Options of `Timeline`. */
export interface TimelineOptions {
  /** The name for screen readers; "Timeline" if it is not given. */
  label?: string;
  onSelectEvent?(event: number): void;
  onSelectOutput?(output: number): void;
  /** Called when the user moves the slider. */
  onTime?(time: number): void;
  /** A short text for the tooltip and for screen readers, besides type, lane and time. */
  describe?(item: TimelineItem): Later<string>;
}

/** Lanes of events and outputs over time. */
export interface TimelineApi extends Component {
  /**
   * Shows other data. Large data are indexed in slices: the promise ends when they are drawn, or
   * when newer data replaced them. The view is kept if `view` says so. The selection is kept by index:
   * select anew if events or outputs have other indices now.
   */
  setData(data: TimelineData, view?: "fit" | "keep"): Promise<void>;
  /** Moves the slider; does not call `onTime`. Does nothing before data are shown. */
  setTime(time: number): void;
  /** Where the slider stands. */
  readonly time: number;
  /** Selects; calls nothing. */
  setSelection(selection: TimelineSelection): void;
  /**
   * Draws partial matches that are open where the slider stands: lines from their first event to the
   * slider, and dashes to their deadlines. None are drawn when data change.
   */
  setOpen(open: readonly OpenPartial[]): void;
  /** Scrolls and pans until the item is seen. */
  reveal(item: TimelineItem): void;
  /** Shows all of time. */
  fit(): void;
  /** Shows a range of time. */
  zoomTo(start: number, end: number): void;
}

/** Options of `Automaton`. */
export interface AutomatonOptions {
  /** Called when the user chooses a state. */
  onSelectState?(state: string): void;
}

/** The picture of a rule's automaton. */
export interface AutomatonApi extends Component {
  /** Shows the SVG that `explain` gives with `{ as: "svg", states: true }`. */
  update(svg: string): void;
  /** Lights states, with the number of partial matches that wait in each. */
  light(states: ReadonlyMap<string, number>): void;
}

/** Options of `OutputTable`. */
export interface OutputTableOptions {
  label?: string;
  /** Called when the user opens a row. */
  onSelect?(output: OutputRef): void;
}

/** A table of matches and timeouts. */
export interface OutputTableApi extends Component {
  /** Shows other data. The promise ends when they are shown, or when newer data replaced them. */
  update(data: OutputTableData): Promise<void>;
  /** Marks a row and scrolls to it, or marks none. */
  setSelection(output: OutputRef | null): void;
}

/** Options of the views of details. */
export interface DetailsOptions {
  onSelectEvent?(event: number): void;
  onSelectOutput?(output: OutputRef): void;
  /** Called when the user asks why the event did or did not take part. */
  onWhy?(event: number): void;
  /** Short texts for events, by index. Without it they are shown by number. */
  describe?(events: readonly number[]): Later<readonly string[]>;
}

/** One event: fields, and the outputs that captured it. */
export interface EventDetailsApi extends Component {
  update(event: EventItem, outputs: readonly OutputRef[]): void;
  clear(): void;
}

/** One output: captures and emit. */
export interface OutputDetailsApi extends Component {
  update(rule: string, output: OutputItem): void;
  clear(): void;
}

/** The partial matches that are open at a moment. */
export interface PartialsViewApi extends Component {
  update(time: number, open: OpenAt, lanes: readonly string[]): void;
  clear(): void;
}

/** The story of a key. */
export interface WhyViewApi extends Component {
  /** Shows a story, and scrolls to the entry of the event if one is given. */
  update(story: WhyStory, event?: number): void;
  clear(): void;
}
