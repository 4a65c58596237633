//! A rule in words.

use std::fmt::Write as _;

use super::explanation::Explanation;
use super::spans::{span, times};
use super::words::{Words, counted};
use kleene_automata::nfa::{LIMIT_COUNTS, Strategy};
use kleene_event::util::order;
use kleene_syntax::hir::expr::MatchesFact;
use kleene_syntax::hir::{
    ConditionId, Contiguity, Emit, Expr, Gap, Item, ItemKind, LimitPolicy, LoopMode, Once,
    Quantifier, Report, Sequence, StepId, TotalId, Without,
};

/// The width of the first column.
const MARGIN: usize = 10;

pub(super) fn text(of: &Explanation<'_>) -> String {
    let (rule, words) = (of.rule, of.words());
    let mut out = String::new();
    let about = rule.meta.about.as_ref().map(|about| format!(": {about}"));
    let _ = writeln!(out, "{}{}", rule.name, about.unwrap_or_default());
    let mut facts = Vec::new();
    facts.extend(rule.meta.severity.as_ref().map(|severity| format!("severity {severity}")));
    if !rule.meta.tags.is_empty() {
        facts.push(format!("tags {}", rule.meta.tags.join(", ")));
    }
    if !facts.is_empty() {
        let _ = writeln!(out, "{}", facts.join("; "));
    }
    out.push('\n');
    section(&mut out, "Match", [words.body()]);
    let types: Vec<&str> = rule.types.iter().map(|ty| words.ty(Some(*ty))).collect();
    let key: Vec<&str> = rule.key.iter().map(|part| &*part.name).collect();
    section(&mut out, "Reads", [types.join(", ")]);
    let mut lines = vec![if key.is_empty() {
        String::from("none: all events are one stream")
    } else {
        format!("{}: a separate stream for each value", key.join(" and "))
    }];
    step_keys(&rule.pattern.body, &words, &mut lines);
    section(&mut out, "Key", lines);
    let mut steps = Steps { words, lines: Vec::new(), number: 0 };
    steps.sequence(&rule.pattern.body, 0, Level::Whole);
    section(&mut out, "Steps", steps.lines);
    section(&mut out, "Time", time(of));
    section(&mut out, "Then", [then(of)]);
    section(&mut out, "Reports", reports(of));
    section(&mut out, "Keeps", keeps(of));
    section(&mut out, "Cost", super::cost::lines(of));
    let states = super::states::count(of);
    section(&mut out, "Automaton", [format!("{}; --states lists them", counted(states, "state"))]);
    section(&mut out, "Strategy", [strategy(of)]);
    out
}

/// Says which fields are the key of each step, where an event can have several keys.
fn step_keys(sequence: &Sequence, words: &Words<'_>, lines: &mut Vec<String>) {
    let mut add = |step: StepId, condition: ConditionId, not: &str| {
        if let Some(fields) = words.step_key(condition) {
            lines.push(format!("of {not}`{}`: {fields}", words.step(step)));
        }
    };
    for item in &sequence.items {
        match &item.kind {
            ItemKind::Step { step, condition, .. } => add(*step, *condition, ""),
            ItemKind::Not { step, condition } => add(*step, *condition, "not "),
            ItemKind::Group { .. } | ItemKind::Alternatives { .. } => {}
        }
    }
    if let Some(Without { step, condition }) = &sequence.without {
        add(*step, *condition, "without ");
    }
    for item in &sequence.items {
        match &item.kind {
            ItemKind::Group { body, .. } => step_keys(body, words, lines),
            ItemKind::Alternatives { branches, .. } => {
                for branch in branches {
                    step_keys(branch, words, lines);
                }
            }
            ItemKind::Step { .. } | ItemKind::Not { .. } => {}
        }
    }
}

/// What becomes of a key with many partial matches that have the same future.
const GROUPED: &str = "; a key with many partial matches stores those with the same future as one group (compact form)";

/// What becomes of a key with many partial matches that wait for a captured value.
const JOINED: &str =
    "; a key with many partial matches has an index by the value that they wait for";

/// Describes the strategy, and why it was picked.
fn strategy(of: &Explanation<'_>) -> String {
    let busy = match of.rule.limit {
        None if of.program.groups_busy_keys() => GROUPED,
        None if of.program.joins_busy_keys() => JOINED,
        _ => "",
    };
    let listed = of.rule.limit.is_some() && of.program.prefers_compact;
    let picked = if listed { of.program.strategy_of_runs() } else { of.program.strategy() };
    match picked {
        _ if listed => format!("{picked}; not compact, as {LIMIT_COUNTS}"),
        Strategy::General => {
            let reason = of.program.why_general().unwrap_or("nothing else fits");
            match of.program.why_not_compact().filter(|_| of.program.is_explosive) {
                Some(why) => format!("general, as {reason}; not compact, as {why}"),
                None => format!("general, as {reason}{busy}"),
            }
        }
        Strategy::Deterministic => format!(
            "deterministic, as an event leads a partial match along at most one branch{busy}"
        ),
        Strategy::SharedSuffix => String::from(
            "shared suffix, as each later partial match is a suffix of the oldest: only that one is stored",
        ),
        Strategy::Compact => format!(
            "compact, as partial matches with the same future are one group: an event costs a step \
             for each group{}",
            match of.program.running_sum() {
                None if of.program.finds_groups_by_value() => {
                    ", one for each value that is read; many groups have an index by these values"
                }
                None if !of.program.registers.is_empty() => ", one for each value that is read",
                _ => "",
            }
        ),
        Strategy::CountingWindow { count } => format!(
            "counting window, as it is {} of one kind: their number does not change the cost of an event",
            counted(count, "event")
        ),
    }
}

/// Lines under a title in the margin.
fn section(out: &mut String, title: &str, lines: impl IntoIterator<Item = String>) {
    let mut title = title;
    for line in lines {
        let _ = writeln!(out, "{}", format!("{title:<MARGIN$} {line}").trim_end());
        title = "";
    }
}

/// The level of a sequence: the pattern itself or a part of it.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Level {
    Whole,
    /// A part, and whether its first step begins a match.
    Part {
        begins: bool,
    },
}

/// The position of an item in the pattern.
#[derive(Clone, Copy)]
struct TextPosition {
    /// True if the item begins a match.
    is_first: bool,
    /// True if the item is the last one of the pattern itself.
    is_last: bool,
}

struct Steps<'a> {
    words: Words<'a>,
    lines: Vec<String>,
    number: usize,
}

impl Steps<'_> {
    fn line(&mut self, depth: usize, text: &str) {
        self.lines.push(format!("{}{text}", "   ".repeat(depth)));
    }

    /// A step with its number, and what is to be said of it on the lines below.
    fn step(&mut self, depth: usize, head: &str, notes: &[String]) {
        self.number += 1;
        let number = self.number;
        self.line(depth, &format!("{number:>2}. {head}"));
        for note in notes {
            self.line(depth, &format!("    {note}"));
        }
    }

    /// Writes the steps of a sequence.
    fn sequence(&mut self, sequence: &Sequence, depth: usize, level: Level) {
        let mut begins = !matches!(level, Level::Part { begins: false });
        if let Some(without) = &sequence.without {
            let steps = &self.words.pattern.steps;
            let ty = steps[without.step.index()].ty;
            let is_step = steps.iter().any(|step| !step.negated && step.ty == ty);
            let other = if is_step { "other " } else { "" };
            let without = self.words.step_text(without.condition);
            let from = if level == Level::Whole { "throughout" } else { "in this group" };
            let line = format!("{from}: no {other}`{without}` from the first event to the last");
            self.line(depth, &line);
        }
        for (index, item) in sequence.items.iter().enumerate() {
            let is_last = index + 1 == sequence.items.len();
            let is_last = is_last && level == Level::Whole;
            self.item(item, depth, TextPosition { is_first: begins, is_last });
            begins &= item.is_not();
        }
    }

    fn item(&mut self, item: &Item, depth: usize, position: TextPosition) {
        let is_first = position.is_first;
        let mut notes = Vec::new();
        match &item.kind {
            ItemKind::Step { step, condition, quantifier } => {
                let (name, text) = (self.words.step(*step), self.words.step_text(*condition));
                let head =
                    if name == text { format!("`{name}`") } else { format!("`{name}`: {text}") };
                if is_first {
                    notes.push(String::from("each event that fits begins a partial match"));
                } else {
                    notes.push(follows(item, &self.words));
                }
                notes.extend(self.repeats(quantifier));
                self.step(depth, &head, &notes);
            }
            ItemKind::Not { condition, .. } => {
                let bound = item.gap.and_then(|gap| gap.silence());
                let bound = bound.map(|time| self.words.length(time));
                let step = self.words.step_text(*condition);
                let span = bound.as_ref().map(|bound| format!(" for {bound}")).unwrap_or_default();
                let next = if item.contiguity == Contiguity::Next { " right after" } else { "" };
                notes.push(self.absence(item, position, bound.as_deref()));
                self.step(depth, &format!("no `{step}`{span}{next}"), &notes);
            }
            ItemKind::Group { body, quantifier, within, .. } => {
                let is_plain = quantifier.is_once() && within.is_none() && body.without.is_none();
                if is_plain && (is_first || item.contiguity == Contiguity::Relaxed) {
                    return self.sequence(body, depth, Level::Part { begins: is_first });
                }
                if !is_first {
                    notes.push(follows(item, &self.words));
                }
                notes.extend(self.repeats(quantifier));
                if let Some(within) = within {
                    let within = self.words.length(*within);
                    notes.push(format!(
                        "each repetition takes less than {within} from its first event"
                    ));
                }
                self.step(depth, "a group:", &notes);
                self.sequence(body, depth + 1, Level::Part { begins: is_first });
            }
            ItemKind::Alternatives { branches, count } => {
                let head = match *count {
                    1 => String::from("one of these:"),
                    count if count == branches.len() => String::from("all of these, in any order:"),
                    count => format!("{count} of these, in any order:"),
                };
                if !is_first {
                    notes.push(follows(item, &self.words));
                }
                self.step(depth, &head, &notes);
                for branch in branches {
                    if let [Item { kind: ItemKind::Not { condition, .. }, gap: Some(gap), .. }] =
                        branch.items.as_slice()
                    {
                        self.silence(*condition, *gap, *count == branches.len(), depth + 1);
                        continue;
                    }
                    self.sequence(branch, depth + 1, Level::Part { begins: is_first });
                }
            }
        }
    }

    /// Says when a `not` holds, and what ends it. `bound` is its time.
    fn absence(&self, item: &Item, position: TextPosition, bound: Option<&str>) -> String {
        let TextPosition { is_first, is_last } = position;
        match (is_first, is_last, bound) {
            (true, _, Some(bound)) => {
                format!("in the {bound} before the first event; otherwise nothing begins")
            }
            (_, true, Some(bound)) if self.words.pattern.repeats => format!(
                "matches {bound} after the last event, and again every {bound}; ends if \
                 one comes sooner"
            ),
            (_, true, Some(bound)) => {
                format!("matches {bound} after the last event; ends if one comes sooner")
            }
            (_, true, None) if item.contiguity == Contiguity::Next => {
                String::from("concerns the very next event: any other event completes the match")
            }
            (_, true, None) => {
                String::from("matches when the time is over; ends if one comes sooner")
            }
            _ => String::from("ends if one comes before the next step"),
        }
    }

    /// A branch that is nothing but a `not` with a time.
    fn silence(&mut self, condition: ConditionId, gap: Gap, is_needed: bool, depth: usize) {
        let time = gap.max.map(|max| self.words.length(max)).unwrap_or_default();
        let else_ = if is_needed { "the partial match ends" } else { "the others decide" };
        let note = format!(
            "fulfilled {time} after the event before the group; if one comes sooner, {else_}"
        );
        let head = format!("no `{}` for {time}", self.words.step_text(condition));
        self.step(depth, &head, &[note]);
    }

    fn repeats(&self, quantifier: &Quantifier) -> Vec<String> {
        let mut notes = Vec::new();
        if quantifier.is_once() {
            return notes;
        }
        notes.push(times(quantifier));
        if quantifier.max != Some(1) {
            notes.push(String::from(match quantifier.inner {
                Contiguity::Next => {
                    "each right after the previous one: any other event ends the loop"
                }
                Contiguity::Relaxed => "events between them that do not fit are skipped",
                Contiguity::Any => {
                    "any combination of events that fit, with a partial match for each"
                }
            }));
            let is_fixed = quantifier.max == Some(quantifier.min) && !quantifier.optional;
            match quantifier.mode {
                _ if is_fixed => {}
                LoopMode::Greedy => notes.push(String::from(
                    "greedy: an event that fits the loop goes to it, not to the next step",
                )),
                LoopMode::Each => notes.push(String::from("each: a match for every length")),
                LoopMode::Longest => {
                    notes.push(String::from("longest: reported when it can grow no further"));
                }
            }
        }
        if let Some(until) = quantifier.until {
            notes.push(format!("until `{}` comes", self.words.step_text(until)));
        }
        notes
    }
}

fn follows(item: &Item, words: &Words<'_>) -> String {
    let mut text = String::from(match item.contiguity {
        Contiguity::Next => "has to be the very next event",
        Contiguity::Relaxed => "the first event that fits; others before it are skipped",
        Contiguity::Any => "any later event that fits, with a partial match for each",
    });
    if let Some(gap) = item.gap {
        let _ = write!(text, ", {}", span(gap, words));
    }
    text
}

fn time(of: &Explanation<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(within) = of.rule.pattern.within {
        lines.push(format!(
            "within {}: a match takes less than this, from its first event to its last",
            of.words().length(within)
        ));
    } else if of.program.can_wait_for_ever() {
        lines.push(String::from("no `within`: a partial match can wait forever"));
    } else {
        lines.push(String::from("no `within`; each wait has its own bound"));
    }
    lines
}

fn then(of: &Explanation<'_>) -> String {
    let effect = of.words().skip_effect();
    if of.rule.pattern.skip.ordered {
        format!("{effect}; a match waits while an older partial match is open")
    } else {
        effect
    }
}

fn reports(of: &Explanation<'_>) -> Vec<String> {
    let names = |emit: &Emit| {
        let names: Vec<&str> = emit.fields.iter().map(|(name, _)| &**name).collect();
        if names.is_empty() { String::from("no fields") } else { names.join(", ") }
    };
    let mut lines: Vec<String> = chosen(of.rule.pattern.report).into_iter().collect();
    lines.push(match &of.rule.emit {
        Some(emit) => format!("a match: {}{}", names(emit), feeds(of, emit)),
        None => String::from("a match, with its captured events"),
    });
    lines.extend(totals(of));
    if let Some(having) = &of.rule.having {
        lines.push(format!("only if {} (`having`)", emitted(of, having)));
    }
    if let Some(suppress) = &of.rule.suppress {
        let same = suppress.by.as_ref().map_or_else(
            || String::from("of the same key"),
            |by| {
                let by: Vec<String> = by.iter().map(|expr| emitted(of, expr)).collect();
                format!("with the same {}", by.join(", "))
            },
        );
        let duration = emitted(of, &suppress.duration);
        lines.push(format!("after a match, no other {same} for {duration} (`suppress`)"));
    }
    match of.rule.once {
        Some(Once::Key) if !of.rule.key.is_empty() => {
            lines.push(String::from("only one match for each key, which then ends (`once`)"));
        }
        Some(_) => lines.push(String::from("only one match: the rule then ends (`once`)")),
        None => {}
    }
    lines.push(match &of.rule.on_timeout {
        Some(emit) => {
            format!("a timeout: {}{}", names(emit), feeds(of, emit))
        }
        None => String::from("no timeouts"),
    });
    lines
}

/// Returns the words for the matches of a set that are reported, if not all are.
fn chosen(report: Report) -> Option<String> {
    let chosen = match report {
        Report::All => return None,
        Report::Count => String::from("their number, with the events of the first"),
        Report::First(most) if most.get() == 1 => String::from("the first"),
        Report::Last(most) if most.get() == 1 => String::from("the last"),
        Report::First(most) => format!("the first {most}"),
        Report::Last(most) => format!("the last {most}"),
        Report::Longest => String::from("the one with the most events"),
        Report::Shortest => String::from("the one with the fewest events"),
    };
    Some(format!("of the matches that one event completes: {chosen} (`report {report}`)"))
}

/// Describes the values that a rule computes over all matches of a set.
fn totals(of: &Explanation<'_>) -> Option<String> {
    let words = of.words();
    let ids = (0..of.rule.pattern.totals.len()).map(TotalId::new);
    let total = |id| words.expr(&Expr::Matches(MatchesFact::Total(id)), None, &|_| None);
    let totals: Vec<String> = ids.map(total).collect();
    (!totals.is_empty()).then(|| format!("over all matches: {}", totals.join(", ")))
}

/// That a record is an event to other rules, if it is.
fn feeds(of: &Explanation<'_>, emit: &Emit) -> String {
    let ty = emit.feeds.map(|ty| of.words().ty(Some(ty)).to_owned());
    ty.map(|ty| format!("; as an event `{ty}` for other rules")).unwrap_or_default()
}

/// An expression that sees what an emit sees.
fn emitted(of: &Explanation<'_>, expr: &Expr) -> String {
    match expr {
        Expr::Key(index) => of
            .rule
            .key
            .get(*index)
            .map_or_else(|| String::from("key"), |part| part.name.to_string()),
        expr => of.words().expr(expr, None, &|_| None),
    }
}

/// Describes the memory that an open partial match takes.
fn keeps(of: &Explanation<'_>) -> Vec<String> {
    let mut loops = Vec::new();
    let most = most_events(&of.rule.pattern.body, &of.words(), 1, &mut loops);
    let mut lines = vec![match (most, of.rule.pattern.within) {
        (Some(most), _) => format!("at most {}", counted(most, "event")),
        (None, Some(within)) => {
            format!(
                "every event of {} that comes within {}",
                loops.join(", "),
                of.words().length(within)
            )
        }
        (None, None) => format!("every event of {}, without bound", loops.join(", ")),
    }];
    let registers = of.program.registers.len();
    if registers > 0 {
        lines.push(format!(
            "{} of captured events that conditions read",
            counted(registers, "value")
        ));
    }
    lines[0] = if of.program.strategy() == Strategy::Compact {
        String::from("each event of the open partial matches, stored once")
    } else {
        format!("for each open partial match {}", lines[0])
    };
    if let Some(limit) = &of.rule.limit {
        let policy = match limit.policy {
            LimitPolicy::DropOldest => "beyond it the oldest is dropped",
            LimitPolicy::DropNewest => "beyond it no new one begins",
            LimitPolicy::Fail => "beyond it the run fails",
        };
        let partials = match limit.partials {
            1 => String::from("1 partial match"),
            partials => format!("{partials} partial matches"),
        };
        lines.push(format!("at most {partials} for each key (`limit`); {policy}"));
    }
    lines
}

/// Returns the largest number of events of a match, `None` if it has no bound. The loops without a
/// bound are named.
fn most_events(
    sequence: &Sequence,
    words: &Words<'_>,
    times: usize,
    loops: &mut Vec<String>,
) -> Option<usize> {
    let mut most = Some(0_usize);
    let mut add = |more: Option<usize>| {
        most = most.zip(more).map(|(most, more)| most.saturating_add(more));
    };
    let bound = |quantifier: &Quantifier| {
        quantifier.max.map(|max| usize::try_from(max).unwrap_or(usize::MAX))
    };
    for item in &sequence.items {
        match &item.kind {
            ItemKind::Not { .. } => {}
            ItemKind::Step { step, quantifier, .. } => {
                let max = bound(quantifier);
                if max.is_none() {
                    loops.push(format!("`{}`", words.step(*step)));
                }
                add(max.map(|max| max.saturating_mul(times)));
            }
            ItemKind::Group { body, quantifier, .. } => {
                let max = bound(quantifier);
                if max.is_none() {
                    loops.push(String::from("the group that repeats"));
                }
                let times = max.unwrap_or(1).saturating_mul(times);
                let inner = most_events(body, words, times, loops);
                add(inner.filter(|_| max.is_some()));
            }
            ItemKind::Alternatives { branches, count } => {
                // As many of them begin as have to happen.
                let branches =
                    branches.iter().map(|branch| most_events(branch, words, times, loops));
                let mut branches: Vec<Option<usize>> = branches.collect();
                order::sort_by_key(&mut branches, |most| {
                    std::cmp::Reverse(most.unwrap_or(usize::MAX))
                });
                branches.into_iter().take(*count).for_each(&mut add);
            }
        }
    }
    most
}
