//! The automaton in words: its states, and what events do there.

use std::collections::VecDeque;
use std::fmt::Write as _;

use super::explanation::Explanation;
use super::picture::{Node, Picture, PictureEdge, Shape};
use super::spans::span;
use kleene_automata::nfa::{
    Action, ClockOp, Edge, Guard, GuardId, OperandSet, Program, Since, StateId,
};
use kleene_syntax::hir::{Gap, ItemKind, StepId};

/// The largest number of states in a listing or a picture.
const SHOWN: usize = 500;

/// A state that a partial match can wait in, with its number for people.
struct NumberedState {
    state: StateId,
    edges: Vec<OutEdge>,
}

/// The effect of an event in a state.
struct OutEdge {
    verb: String,
    guard: String,
    /// The number of the state that it leads to.
    to: To,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum To {
    State(usize),
    Stays,
    Match,
    End,
    /// A match, and the wait goes on there.
    MatchAndState(usize),
}

/// The states from the start on, in the order in which they are reached.
fn reach(program: &Program) -> Vec<StateId> {
    let mut seen = vec![false; program.states.len()];
    let mut order = Vec::new();
    let mut open = VecDeque::from([program.start]);
    seen[program.start.index()] = true;
    while let Some(state) = open.pop_front() {
        order.push(state);
        for edge in program.edges(state) {
            let target = match edge.action {
                // A partial match begins with an event that is taken: the start skips none.
                Action::Ignore { .. } if state == program.start => continue,
                Action::Take { target, .. } | Action::Ignore { target } => target,
                Action::Stop | Action::Complete => continue,
            };
            let is_live = program.states[target.index()].live;
            if is_live && !std::mem::replace(&mut seen[target.index()], true) {
                open.push_back(target);
            }
        }
    }
    order
}

/// Returns the names of `states` in listings and pictures: `S1`.
pub(super) fn names(program: &Program, states: &[StateId]) -> Vec<String> {
    let order = reach(program);
    let number = |state: &StateId| order.iter().position(|other| other == state);
    states.iter().filter_map(number).map(name).collect()
}

fn name(number: usize) -> String {
    format!("S{number}")
}

/// Returns the number of states that can be waited in, the start included.
pub(super) fn count(of: &Explanation<'_>) -> usize {
    reach(&of.program).len()
}

fn seen(of: &Explanation<'_>) -> (Vec<NumberedState>, usize) {
    let program = &of.program;
    let mut order = reach(program);
    let more = order.len().saturating_sub(SHOWN);
    order.truncate(SHOWN);
    let number = |state: StateId| order.iter().position(|other| *other == state);
    let states = order.iter().map(|&state| {
        let is_start = state == program.start;
        let edges = program
            .edges(state)
            .iter()
            .filter(|edge| !is_start || matches!(edge.action, Action::Take { .. } | Action::Stop));
        let found = edges.filter_map(|edge| {
            let (verb, to) = match edge.action {
                Action::Stop => (String::from("end"), To::End),
                Action::Complete => (String::from("complete"), To::Match),
                Action::Ignore { target } if target == state => (String::from("skip"), To::Stays),
                Action::Ignore { target } => (String::from("skip"), To::State(number(target)?)),
                Action::Take { step, target } => {
                    let aim = &program.states[target.index()];
                    let to = match (aim.accept.is_some(), aim.live.then(|| number(target))) {
                        (true, Some(Some(number))) => To::MatchAndState(number),
                        (true, _) => To::Match,
                        (false, Some(number)) => To::State(number?),
                        (false, None) => To::End,
                    };
                    (format!("take as `{}`", of.words().step(step)), to)
                }
            };
            Some(OutEdge { verb, guard: guard(of, edge.guard, 0), to })
        });
        NumberedState { state, edges: found.collect() }
    });
    (states.collect(), more)
}

pub(super) fn text(of: &Explanation<'_>) -> String {
    let (states, more) = seen(of);
    let mut out = String::new();
    for (number, seen) in states.iter().enumerate() {
        let _ = writeln!(out, "S{number}{}", heading(of, seen.state));
        for edge in &seen.edges {
            let to = match edge.to {
                To::State(to) => format!(" -> S{to}"),
                To::Stays => String::new(),
                To::Match => String::from(" -> match"),
                To::End => String::from(" -> over"),
                To::MatchAndState(to) => format!(" -> match, and continue in S{to}"),
            };
            let _ = writeln!(out, "    {}{to}: {}", edge.verb, edge.guard);
        }
        for bound in of.program.bounds(seen.state) {
            let since = match bound.since {
                Since::Last => "after the previous event",
                Since::Clock(_) if of.program.states[seen.state.index()].accepts_at_deadline => {
                    "after the event before its alternatives"
                }
                Since::Clock(_) => "after its group began",
            };
            let unless = if bound.unless_set.is_some() { ", before its group began" } else { "" };
            let after = of.words().length(bound.after);
            let _ = writeln!(out, "    until {after} {since}{unless}");
        }
    }
    if more > 0 {
        let _ = writeln!(out, "... and {more} more states");
    }
    out
}

/// Returns the heading of a state: everything about it but the effects of events.
fn heading(of: &Explanation<'_>, state: StateId) -> String {
    let mut facts = Vec::new();
    let place = &of.program.states[state.index()];
    if state == of.program.start {
        facts.push(String::from("the start"));
        let first = of.rule.pattern.body.items.first();
        if let Some(ItemKind::Not { condition, .. }) = first.map(|item| &item.kind) {
            let not = of.words().step_text(*condition);
            let gap = first.and_then(|item| item.gap?.max).map(|max| of.words().length(max));
            facts.push(format!("{} after the last `{not}`", gap.unwrap_or_default()));
        }
    }
    if place.accepts_when_exhausted {
        facts.push(String::from("matches when it can grow no further"));
    } else if place.accepts_at_deadline {
        facts.push(String::from("matches when its time is over"));
    }
    if facts.is_empty() { String::new() } else { format!("  ({})", facts.join("; ")) }
}

/// A guard in words.
fn guard(of: &Explanation<'_>, id: GuardId, depth: usize) -> String {
    let words = of.words();
    match &of.program.guards[id.index()] {
        Guard::True => String::from("any event"),
        Guard::False => String::from("no event"),
        Guard::Condition(condition) => words.step_text(*condition),
        Guard::Gap { min, max, .. } => span(Gap { min: *min, max: *max }, &words),
        Guard::Sooner { than, .. } => format!("less than {} later", words.length(*than)),
        Guard::Within { within, .. } => format!("within {}", words.length(*within)),
        Guard::IsSet(_) => String::from("once its group has begun"),
        Guard::HasCome { set, event } => {
            format!("once {} has come", operand_event(of, *set, *event))
        }
        Guard::HaveCome { set, of: some, count } => {
            format!("once {count} of {} have come", operand_events(of, *set, *some))
        }
        Guard::Not(inner) => match of.program.guards[inner.index()] {
            Guard::IsSet(_) => String::from("before its group has begun"),
            Guard::HasCome { set, event } => {
                format!("before {} has come", operand_event(of, set, event))
            }
            Guard::HaveCome { set, of: some, count } => {
                format!("before {count} of {} have come", operand_events(of, set, some))
            }
            Guard::Sooner { than, .. } => format!("at least {} later", words.length(than)),
            _ => format!("not {}", guard(of, *inner, depth + 1)),
        },
        Guard::And(parts) => joined(of, parts, " and ", depth),
        Guard::Or(parts) => joined(of, parts, " or ", depth),
    }
}

/// Returns the step of an event of an operand of `and` or `of`.
fn step_of(of: &Explanation<'_>, set: u32, event: u8) -> Option<StepId> {
    let wanted = ClockOp::Add { set, event };
    let adds = |edge: &&Edge| of.program.clock_ops(edge).contains(&wanted);
    of.program.edges.iter().find(adds).and_then(|edge| match edge.action {
        Action::Take { step, .. } => Some(step),
        _ => None,
    })
}

/// Returns the name of an event of an operand of `and` or `of`. A step with several events has them
/// one after the other: `a` (2) is its second.
fn operand_event(of: &Explanation<'_>, set: u32, event: u8) -> String {
    let Some(step) = step_of(of, set, event) else { return String::new() };
    let earlier = (0..event).filter(|earlier| step_of(of, set, *earlier) == Some(step)).count();
    let name = of.words().step(step);
    if earlier == 0 { format!("`{name}`") } else { format!("`{name}` ({})", earlier + 1) }
}

/// Returns the names of events of operands: at most three of them.
fn operand_events(of: &Explanation<'_>, set: u32, events: OperandSet) -> String {
    const MOST: usize = 3;
    let mut names: Vec<String> =
        events.events().take(MOST).map(|event| operand_event(of, set, event)).collect();
    let others = events.events().skip(MOST).count();
    if others > 0 {
        names.push(format!("{others} others"));
    }
    names.join(", ")
}

fn joined(of: &Explanation<'_>, parts: &[GuardId], word: &str, depth: usize) -> String {
    let parts: Vec<String> = parts.iter().map(|part| guard(of, *part, depth + 1)).collect();
    let text = parts.join(word);
    if depth > 0 { format!("({text})") } else { text }
}

pub(super) fn picture(of: &Explanation<'_>) -> Picture {
    let (states, more) = seen(of);
    let mut picture = Picture::new(of);
    for (number, seen) in states.iter().enumerate() {
        let mut lines = vec![name(number)];
        let heading = heading(of, seen.state);
        if !heading.is_empty() {
            lines.push(heading.trim().trim_matches(['(', ')']).to_owned());
        }
        picture.nodes.push(Node { lines, shape: Shape::State });
    }
    let found = picture.add(Node { lines: vec![String::from("match")], shape: Shape::Match });
    let over = picture.add(Node { lines: vec![String::from("over")], shape: Shape::End });
    for (number, seen) in states.iter().enumerate() {
        for edge in &seen.edges {
            let label = format!("{}: {}", edge.verb, edge.guard);
            let mut arrow =
                |to: usize| picture.arrows.push(PictureEdge::new(number, to, label.clone()));
            match edge.to {
                To::State(to) => arrow(to),
                To::Stays => arrow(number),
                To::Match => arrow(found),
                To::End => arrow(over),
                To::MatchAndState(to) => {
                    arrow(to);
                    arrow(found);
                }
            }
        }
        let place = &of.program.states[seen.state.index()];
        if place.accepts_at_deadline {
            picture.arrows.push(PictureEdge::dashed(number, found, String::from("time is over")));
        }
    }
    if more > 0 {
        picture.title.push(format!("... and {more} more states"));
    }
    picture.drop_unused(over);
    picture
}
