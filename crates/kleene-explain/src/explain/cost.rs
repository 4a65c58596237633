//! The cost of a rule in words: how it grows, with what, and why.

use super::explanation::Explanation;
use super::words::{Words, counted};
use kleene_automata::nfa::{
    Action, Cost, Edge, Growth, LIMIT_COUNTS, Live, Reason, RegisterKind, StateForm, Strategy,
};
use kleene_event::time::format_millis;
use kleene_syntax::hir::expr::{CapturedField, Pick};
use kleene_syntax::hir::{
    Contiguity, Expr, ItemKind, Length, LoopMode, Report, Sequence, SkipStrategy, StepId,
};

/// The largest number of names in a list of steps or values.
const MOST_NAMES: usize = 4;

/// The cost of a rule for one key: how the work of an event and the memory grow with n.
///
/// The classes are upper bounds for the worst stream, amortized over its events. The docs page
/// "What a rule costs" says what they mean.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct RuleCost {
    /// The time of an event, without the matches that it completes.
    pub event: Growth,
    /// The time that a match adds to its event, besides its own length.
    pub completion: Growth,
    /// The memory of a key.
    pub memory: Growth,
    /// The number of matches that one event reports, and of timeouts that one deadline reports.
    pub matches: Growth,
    /// The meaning of n: "the `paid` events of the last 1h".
    pub n: String,
    /// The values in which groups differ; `None` if partial matches are not held in groups.
    pub groups: Option<String>,
    /// The reasons why the time of an event grows, a sentence each.
    pub reasons: Vec<String>,
}

/// Returns the cost of a rule.
pub(super) fn of_rule(of: &Explanation<'_>) -> RuleCost {
    let cost = of.program.cost(of.rule.limit.as_ref());
    RuleCost {
        event: cost.event,
        completion: cost.completion,
        memory: cost.memory,
        matches: cost.matches,
        n: meaning_of_n(of, &cost),
        groups: match cost.form {
            StateForm::Groups(apart) => Some(groups(of, apart)),
            StateForm::Window | StateForm::Oldest | StateForm::Listed => None,
        },
        reasons: cost.reasons.iter().map(|reason| because(of, &cost, reason)).collect(),
    }
}

/// Returns the cost in lines of text, followed by what makes many partial matches.
pub(super) fn lines(of: &Explanation<'_>) -> Vec<String> {
    let RuleCost { event, completion, memory, matches, n, groups, reasons } = of_rule(of);
    let beside = match completion {
        Growth::Constant => String::new(),
        growth => format!(", and {growth}"),
    };
    let reported = if of.program.report_timeouts {
        "matches of an event or timeouts of a deadline"
    } else {
        "matches of an event"
    };
    let mut lines = vec![
        format!("time of an event: {event}; of a match: its length{beside}"),
        format!("memory of a key: {memory}; {reported}: {matches}"),
        format!("n: {n}"),
    ];
    lines.extend(groups.map(|groups| format!("groups: {groups}")));
    lines.extend(reasons);
    lines.extend(notes(of));
    lines
}

/// Says what n is.
fn meaning_of_n(of: &Explanation<'_>, cost: &Cost) -> String {
    let program = &of.program;
    if let Strategy::CountingWindow { count } = program.strategy_of_runs()
        && cost.form == StateForm::Window
    {
        return format!("the last {}", counted(count, "event"));
    }
    let captures = |edge: &Edge| match edge.action {
        Action::Take { step, target } if program.states[target.index()].live => Some(step),
        _ => None,
    };
    // A partial match of few events is counted by its first one.
    let is_counted_by_starts = cost.form == StateForm::Listed && cost.memory == Growth::Linear;
    let mut steps: Vec<StepId> = if is_counted_by_starts {
        program.edges(program.start).iter().filter_map(captures).collect()
    } else {
        program.edges.iter().filter_map(captures).collect()
    };
    steps.sort_unstable();
    steps.dedup();
    let mut names: Vec<String> = Vec::new();
    for step in steps {
        let name = format!("`{}`", of.words().step(step));
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let events = match names.len() {
        0 => String::from("no events, as a match has only one"),
        1..=MOST_NAMES => format!("the {} events{}", listed(&names), period(of)),
        _ => format!("the captured events{}", period(of)),
    };
    let key = if of.rule.key.is_empty() { ", all as one key" } else { "" };
    match of.rule.limit {
        Some(limit) => format!("{events}{key}, at most {} (`limit`)", limit.partials),
        None => format!("{events}{key}"),
    }
}

/// Says for how long events count.
fn period(of: &Explanation<'_>) -> String {
    let program = &of.program;
    if let Some(within) = of.rule.pattern.within {
        return format!(" of the last {}", of.words().length(within));
    }
    if of.program.can_wait_for_ever() {
        return String::from(match of.rule.pattern.skip.strategy {
            SkipStrategy::PastLast => " since the last match, as there is no `within`",
            SkipStrategy::None => " of the whole stream, as there is no `within`",
            _ => " that no match has dropped, as there is no `within`",
        });
    }
    match &*program.bounds {
        [bound] => match bound.after {
            Length::Millis(millis) => format!(" of the last {}", format_millis(millis)),
            Length::Read(_) => String::from(" whose time is not over"),
        },
        _ => String::from(" whose time is not over"),
    }
}

/// Says in which values groups differ.
fn groups(of: &Explanation<'_>, apart: Live) -> String {
    let mut values = values(of, apart.register_numbers());
    if apart.clocks != 0 {
        values.push(String::from("time from which a gap or a bound counts"));
    }
    if apart.last {
        values.push(String::from("time of the previous event"));
    }
    let states = "one for each state";
    match &values[..] {
        [] => format!("{states}, for any number of partial matches"),
        [value] => format!("{states} and each different {value}"),
        values => format!("{states} and each combination of {}", listed(values)),
    }
}

/// Spells the values that registers hold.
fn values(of: &Explanation<'_>, registers: impl Iterator<Item = usize>) -> Vec<String> {
    let spelled = registers.map(|index| {
        let register = &of.program.registers[index];
        let captured = |pick, field: &_| {
            Expr::Captured(CapturedField { step: register.step, pick, field: Clone::clone(field) })
        };
        let expr = match &register.kind {
            RegisterKind::First(field) => captured(Pick::First, field),
            RegisterKind::Last(field) => captured(Pick::Last, field),
            RegisterKind::Aggregate(aggregate) => Expr::Aggregate(aggregate.clone()),
        };
        format!("`{}`", of.words().expr(&expr, None, &|_| None))
    });
    let mut values: Vec<String> = spelled.collect();
    values.dedup();
    values
}

/// Says why the time of an event grows.
fn because(of: &Explanation<'_>, cost: &Cost, reason: &Reason) -> String {
    match reason {
        Reason::Reads(registers) => {
            let values = values(of, registers.iter().copied());
            format!("an event is compared with {} of each partial match", listed(&values))
        }
        Reason::Finds(registers) => {
            let values = values(of, registers.iter().copied());
            format!("an event finds the partial matches that wait for it by {}", listed(&values))
        }
        Reason::Measures => String::from("a time is measured for each partial match"),
        Reason::Loops => {
            String::from("each partial match that waits in a loop captures the same event")
        }
        Reason::Meets => {
            String::from("partial matches with the same events are compared with each other")
        }
        Reason::Deadlines => {
            String::from("waits end at different times, so all are searched for the next end")
        }
        Reason::Ordered => String::from("`ordered` makes matches wait for older partial matches"),
        Reason::Walks => {
            String::from("a condition scans the captured events of each partial match")
        }
        Reason::Collects => {
            String::from("all matches of an event are made before the first is reported")
        }
        Reason::Starts => {
            String::from("each start has its own deadline, which takes a pass over the events")
        }
        Reason::Timeouts => String::from(
            "`on timeout`: a deadline takes a pass over the events, and lists what it ends",
        ),
        Reason::Sums => {
            String::from("sums differ for most combinations of events, and so do the groups")
        }
        Reason::Multiplies => {
            let why = of.program.why_not_compact().unwrap_or(LIMIT_COUNTS);
            let growth = cost.event;
            format!("{growth} with the combinations of events: not in the compact form, as {why}")
        }
    }
}

/// Joins names: `a`, `b` and `c`.
fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [only] => only.clone(),
        [names @ .., last] => format!("{} and {last}", names.join(", ")),
    }
}

/// Lists the parts of a pattern that make many partial matches, or keep them for long.
fn notes(of: &Explanation<'_>) -> Vec<String> {
    let rule = of.rule;
    let mut notes = Vec::new();
    if rule.key.is_empty() {
        notes
            .push(String::from("no `key`: every event is tested against every open partial match"));
    }
    if of.program.can_wait_for_ever() {
        notes.push(String::from("no time limit: partial matches that never end accumulate"));
    }
    let skips = rule.pattern.skip.strategy != SkipStrategy::None;
    if of.program.strategy() == Strategy::Compact {
        return compact_costs(of, notes);
    }
    multiplies(&rule.pattern.body, &of.words(), skips, &mut notes);
    if !skips {
        notes.push(String::from(
            "`skip none`: overlapping partial matches all continue, and each can match",
        ));
    }
    let mut items = rule.pattern.body.items.iter();
    let first = items.find(|item| !item.is_not());
    if let Some(ItemKind::Step { step, quantifier, .. }) = first.map(|item| &item.kind)
        && quantifier.max != Some(1)
    {
        let name = of.words().step(*step);
        notes.push(format!("each `{name}` also begins a new partial match"));
    }
    if notes.is_empty() {
        notes.push(String::from("no more partial matches than events that begin one"));
    }
    notes
}

/// Returns the costs of the compact form. Partial matches do not multiply there.
fn compact_costs(of: &Explanation<'_>, mut notes: Vec<String>) -> Vec<String> {
    notes.push(String::from(
        "an event costs a step for each group, and each captured event is stored once",
    ));
    notes.push(match of.rule.pattern.report {
        Report::All => String::from("each reported match costs its length"),
        Report::First(_) | Report::Last(_) => String::from("only the reported matches are made"),
        Report::Count | Report::Longest | Report::Shortest => {
            String::from("one match is made for all matches that one event completes")
        }
    });
    if of.program.report_timeouts {
        notes.push(String::from("each partial match that runs out of time is listed"));
    }
    notes
}

fn multiplies(sequence: &Sequence, words: &Words<'_>, skips: bool, notes: &mut Vec<String>) {
    for (index, item) in sequence.items.iter().enumerate() {
        let name = match &item.kind {
            ItemKind::Step { step, .. } => format!("`{}`", words.step(*step)),
            ItemKind::Not { .. } => continue,
            ItemKind::Group { .. } => String::from("a group"),
            ItemKind::Alternatives { .. } => String::from("several alternatives"),
        };
        if index > 0 && item.contiguity == Contiguity::Any {
            notes.push(format!(
                "`any` before {name}: one more partial match for each event that fits"
            ));
        }
        let quantifier = match &item.kind {
            ItemKind::Step { quantifier, .. } => Some(quantifier),
            ItemKind::Group { body, quantifier, .. } => {
                multiplies(body, words, skips, notes);
                Some(quantifier)
            }
            ItemKind::Alternatives { branches, .. } => {
                for branch in branches {
                    multiplies(branch, words, skips, notes);
                }
                None
            }
            ItemKind::Not { .. } => None,
        };
        let Some(quantifier) = quantifier.filter(|quantifier| quantifier.max != Some(1)) else {
            continue;
        };
        let endless = quantifier.max.is_none();
        match (quantifier.inner, quantifier.mode) {
            (Contiguity::Any, _) if endless => notes.push(format!(
                "the loop {name} is `any` without bound: partial matches can double with each event"
            )),
            (Contiguity::Any, _) => notes.push(format!(
                "the loop {name} is `any`: a partial match for each choice of its events"
            )),
            (_, LoopMode::Each) if quantifier.max != Some(quantifier.min) => {
                let limit = if endless && !skips { ", without bound" } else { "" };
                notes.push(format!("the loop {name} is `each`: a match for every length{limit}"));
            }
            _ if endless => notes.push(format!("the loop {name} has no bound on its length")),
            _ => {}
        }
    }
}
