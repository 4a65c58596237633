//! The states of two programs that mean the same: partial matches that wait in one state can go on
//! in the other.
//!
//! When it applies: a rule is replaced while partial matches wait.
//!
//! Why it is right: two states correspond if they have the same history. The history of a state is
//! every path from the start to the state: which events are captured as which steps, under which
//! guards, what is skipped between them, what stops on the path, and what happens to clocks. Two
//! states have the same history if the same paths reach them. That is backward bisimilarity. It is
//! computed for both programs at once, one strongly connected component at a time, from the start
//! on.
//!
//! A rule is mostly edited where its partial matches wait: the next step gets another condition,
//! and with it other events are skipped on the spot. So if the whole histories differ, the
//! histories up to the last captured event decide.
//!
//! Which test holds it: the table of edits in `tests/replace.rs`.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use crate::nfa::guard::Guard;
use crate::nfa::program::Program;
use crate::nfa::states::{Action, ClockOp, StateId};
use kleene_syntax::hir::Length;
use kleene_syntax::hir::canon::Content;

/// The maximum number of states of a component that is compared. Partial matches that wait in a
/// larger one, a loop over more steps, are not carried over.
const MAX_COMPONENT: usize = 256;

/// A program with what its pattern says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Described<'a> {
    pub(crate) program: &'a Program,
    pub(crate) content: &'a Content,
}

/// Returns for each state of `old` the state of `new` in which its partial matches can go on. No
/// two states of `old` get the same state of `new`.
pub(crate) fn corresponding_states(old: Described<'_>, new: Described<'_>) -> Vec<Option<StateId>> {
    let mut words = WordTable::default();
    let histories = (History::new(old, &mut words), History::new(new, &mut words));
    let mut found = Pairing {
        target: vec![None; old.program.states.len()],
        taken: vec![false; new.program.states.len()],
    };
    // States that are reached by the same ways are reached at once, so that their order pairs them.
    found.pair(
        &histories,
        |history, state| Some(vec![history.class[state]]),
        |_, _| true,
        Several::InOrder,
    );
    let waits = |history: &History<'_>, state: usize| history.last_taken(state);
    // A state in which nothing may be skipped needs a state in which nothing was.
    let strict = |history: &History<'_>, state: usize| !history.skips[state];
    let as_strict =
        |from: usize, to: usize| strict(&histories.0, from) || !strict(&histories.1, to);
    if histories.0.shape == histories.1.shape {
        // They differ in conditions and times alone.
        let numbered = |history: &History<'_>, state: usize| {
            let mut word = history.last_taken(state)?;
            word.extend([END, number(state)]);
            Some(word)
        };
        found.pair(&histories, numbered, as_strict, Several::Skip);
    }
    found.pair(&histories, waits, as_strict, Several::Skip);
    let waits_for = |history: &History<'_>, state: usize| {
        let mut word = history.last_taken(state)?;
        word.extend(&history.awaits[state]);
        Some(word)
    };
    found.pair(&histories, waits_for, as_strict, Several::Skip);
    found.target
}

/// Returns by state: true if a partial match can wait there.
pub(crate) fn can_wait(program: &Program) -> Vec<bool> {
    let mut waits = vec![false; program.states.len()];
    let mut reached = waits.clone();
    // At the start nothing waits; what begins there takes its first event.
    let first = program.edges(program.start).iter().filter_map(|edge| match edge.action {
        Action::Take { target, .. } => Some(target),
        _ => None,
    });
    let mut open: Vec<StateId> = first.collect();
    while let Some(state) = open.pop() {
        if std::mem::replace(&mut reached[state.index()], true) {
            continue;
        }
        waits[state.index()] = program.states[state.index()].live;
        open.extend(program.edges(state).iter().filter_map(|edge| match edge.action {
            Action::Take { target, .. } | Action::Ignore { target } => Some(target),
            Action::Stop | Action::Complete => None,
        }));
    }
    waits
}

/// The fate of several states with the same word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Several {
    /// They are paired in their order.
    InOrder,
    /// They are not paired.
    Skip,
}

/// The pairs that were found.
struct Pairing {
    target: Vec<Option<StateId>>,
    taken: Vec<bool>,
}

impl Pairing {
    /// Pairs the states that have no partner yet and for which `word` says the same; where there
    /// are several, as `several` says.
    fn pair<'a>(
        &mut self,
        histories: &(History<'a>, History<'a>),
        word: impl Fn(&History<'a>, usize) -> Option<Vec<i64>>,
        fits: impl Fn(usize, usize) -> bool,
        several: Several,
    ) {
        let mut groups: BTreeMap<Vec<i64>, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
        for state in 0..self.target.len() {
            if histories.0.waits[state]
                && self.target[state].is_none()
                && let Some(word) = word(&histories.0, state)
            {
                groups.entry(word).or_default().0.push(state);
            }
        }
        for state in 0..self.taken.len() {
            if histories.1.waits[state]
                && !self.taken[state]
                && let Some(word) = word(&histories.1, state)
            {
                groups.entry(word).or_default().1.push(state);
            }
        }
        for (from, to) in groups.values() {
            if from.len() != to.len() || (from.len() > 1 && several == Several::Skip) {
                continue;
            }
            for (&from, &to) in from.iter().zip(to) {
                if fits(from, to) {
                    self.target[from] = Some(StateId::new(to));
                    self.taken[to] = true;
                }
            }
        }
    }
}

/// Gives equal sequences of numbers the same number.
#[derive(Debug, Default)]
struct WordTable {
    known: HashMap<Vec<i64>, i64>,
    texts: HashMap<String, i64>,
}

impl WordTable {
    fn word(&mut self, word: Vec<i64>) -> i64 {
        let next = number(self.known.len());
        *self.known.entry(word).or_insert(next)
    }

    fn text(&mut self, text: &str) -> i64 {
        let next = number(self.texts.len());
        *self.texts.entry_ref(text).or_insert(next)
    }

    /// A number that nothing else has.
    fn unlike_any(&mut self) -> i64 {
        let next = number(self.known.len());
        self.word(vec![UNIQUE, next])
    }
}

fn number(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

// The first number of a word says its kind, so that words of different kinds are never equal.
const UNIQUE: i64 = -1;
const GUARD: i64 = -2;
const EDGE: i64 = -3;
const STATE: i64 = -4;
const ROUND: i64 = -5;
/// Between the parts of a word whose lengths differ.
const END: i64 = -6;

/// The ways in which the states of one program are reached.
struct History<'a> {
    /// By state: true if partial matches can wait there.
    waits: Vec<bool>,
    /// By state: a number that is equal for states with the same history, in both programs.
    class: Vec<i64>,
    /// By state: the edges that lead into it.
    into: Vec<Vec<Into>>,
    /// By state: true if an event can be skipped there.
    skips: Vec<bool>,
    /// By state: the steps that can come next.
    awaits: Vec<Vec<i64>>,
    /// By state: its edges without their guards.
    shape: Vec<Vec<i64>>,
    program: &'a Program,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Into {
    from: usize,
    /// The whole of it as a word.
    label: i64,
    takes: bool,
    /// The operations on clocks, as a word; 0 if there are none.
    clocks: i64,
}

impl<'a> History<'a> {
    fn new(side: Described<'a>, words: &mut WordTable) -> History<'a> {
        let Described { program, content } = side;
        let steps: Vec<i64> = content.steps.iter().map(|step| words.text(step)).collect();
        let guards = guards(side, words);
        let count = program.states.len();
        let mut history = History {
            waits: can_wait(program),
            class: vec![0; count],
            into: vec![Vec::new(); count],
            skips: vec![false; count],
            awaits: vec![Vec::new(); count],
            shape: vec![Vec::new(); count],
            program,
        };
        let mut stops: Vec<Vec<i64>> = vec![Vec::new(); count];
        for (state, stops) in stops.iter_mut().enumerate() {
            for edge in program.edges(StateId::new(state)) {
                let guard = guards[edge.guard.index()];
                let mut word = vec![EDGE];
                word.extend(program.clock_ops(edge).iter().flat_map(|op| clock_op(program, *op)));
                let clocks = if word.len() > 1 { words.word(word.clone()) + 1 } else { 0 };
                word.push(END);
                let (target, takes) = match edge.action {
                    Action::Stop => {
                        stops.push(guard);
                        history.shape[state].push(-1);
                        continue;
                    }
                    Action::Complete => {
                        history.shape[state].push(-2);
                        continue;
                    }
                    Action::Take { step, target } => {
                        history.awaits[state].push(steps[step.index()]);
                        word.extend([1, steps[step.index()]]);
                        (target, true)
                    }
                    Action::Ignore { target } => {
                        history.skips[state] = true;
                        word.push(0);
                        (target, false)
                    }
                };
                history.shape[state].extend([words.word(word.clone()), number(target.index())]);
                word.push(guard);
                let label = words.word(word);
                history.into[target.index()].push(Into { from: state, label, takes, clocks });
            }
            stops.sort_unstable();
            stops.dedup();
            history.awaits[state].sort_unstable();
            history.awaits[state].dedup();
        }
        // By the first event, all partial matches have passed the leading `not`.
        let leading_not = program
            .leading_not
            .as_ref()
            .map(|not| [words.text(&content.conditions[not.condition.index()]), not.millis]);
        history.classify(&stops, leading_not, words);
        history
    }

    /// Finds the classes, one component after the other, each after those that lead into it.
    fn classify(
        &mut self,
        stops: &[Vec<i64>],
        leading_not: Option<[i64; 2]>,
        words: &mut WordTable,
    ) {
        let components = components(self.program);
        let mut component_of = vec![usize::MAX; self.class.len()];
        for (index, members) in components.iter().enumerate() {
            for &state in members {
                component_of[state] = index;
            }
        }
        for (index, members) in components.iter().enumerate() {
            let inside = |into: &&Into| component_of[into.from] == index;
            if members.len() > MAX_COMPONENT {
                for &state in members {
                    self.class[state] = words.unlike_any();
                }
                continue;
            }
            for &state in members {
                let is_start = state == self.program.start.index();
                let mut word = vec![STATE, number(members.len()), i64::from(is_start)];
                word.extend(leading_not.iter().filter(|_| is_start).flatten());
                word.push(END);
                word.extend(&stops[state]);
                word.push(END);
                // Edges from unreachable states do not count.
                let outside = self.into[state]
                    .iter()
                    .filter(|into| !inside(into) && component_of[into.from] != usize::MAX);
                word.extend(pairs(outside.map(|into| (self.class[into.from], into.label))));
                self.class[state] = words.word(word);
            }
            // After this number of rounds, all states that can be distinguished are, in any
            // program.
            for round in 0..2 * members.len() {
                let next: Vec<i64> = members
                    .iter()
                    .map(|&state| {
                        let mut word = vec![ROUND, number(round), self.class[state]];
                        let inside = self.into[state].iter().filter(inside);
                        word.extend(pairs(inside.map(|into| (self.class[into.from], into.label))));
                        words.word(word)
                    })
                    .collect();
                for (&state, class) in members.iter().zip(next) {
                    self.class[state] = class;
                }
            }
        }
    }

    /// Returns the captures that can have come last before a partial match waits in `state`,
    /// whatever it has skipped since; `None` if nothing was captured.
    fn last_taken(&self, state: usize) -> Option<Vec<i64>> {
        let mut takes = Vec::new();
        let mut clocks = Vec::new();
        let mut seen = vec![false; self.into.len()];
        seen[state] = true;
        let mut open = vec![state];
        while let Some(here) = open.pop() {
            for into in &self.into[here] {
                if into.takes {
                    takes.push((self.class[into.from], into.label));
                } else if self.waits[into.from] {
                    clocks.push((into.clocks, 0));
                    if !std::mem::replace(&mut seen[into.from], true) {
                        open.push(into.from);
                    }
                }
            }
        }
        if takes.is_empty() {
            return None;
        }
        // A state that directly follows a capture differs from one in which an event was skipped
        // since.
        let at_once = self.into[state].iter().any(|into| into.takes);
        let mut word = vec![i64::from(at_once)];
        word.extend(pairs(takes.into_iter()));
        word.push(END);
        clocks.retain(|(clocks, _)| *clocks != 0);
        word.extend(pairs(clocks.into_iter()));
        Some(word)
    }
}

/// Pairs in order, without repetition, one number after the other.
fn pairs(pairs: impl Iterator<Item = (i64, i64)>) -> impl Iterator<Item = i64> {
    let mut pairs: Vec<(i64, i64)> = pairs.collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs.into_iter().flat_map(|(a, b)| [a, b])
}

/// Returns a word for each guard of a program.
fn guards(side: Described<'_>, words: &mut WordTable) -> Vec<i64> {
    let Described { program, content } = side;
    let mut said: Vec<i64> = Vec::with_capacity(program.guards.len());
    for guard in &program.guards {
        // Guards are made after those that they are made of.
        let part = |id: &crate::nfa::GuardId| said[id.index()];
        let clock = |clock: Option<u32>| clock.map_or(-1, |clock| name(program, clock));
        let mut word = vec![GUARD];
        match guard {
            Guard::True => word.push(0),
            Guard::False => word.push(1),
            Guard::Condition(condition) => {
                word.extend([2, words.text(&content.conditions[condition.index()])]);
            }
            Guard::Gap { min, max, unless_set, since } => {
                word.push(3);
                word.extend(length(*min, content, words));
                // A bound that is not there is one of less than nothing.
                let max = max.map_or([0, -1], |max| length(max, content, words));
                word.extend(max);
                word.extend([clock(*unless_set), clock(*since)]);
            }
            Guard::Sooner { than, since } => {
                word.push(9);
                word.extend(length(*than, content, words));
                word.push(clock(*since));
            }
            Guard::Within { clock, within } => {
                word.extend([4, name(program, *clock)]);
                word.extend(length(*within, content, words));
            }
            Guard::IsSet(clock) => word.extend([8, name(program, *clock)]),
            Guard::HasCome { set, event } => {
                word.extend([10, name(program, *set), i64::from(*event)]);
            }
            Guard::HaveCome { set, of, count } => {
                word.extend([11, name(program, *set), of.to_clock(), i64::from(*count)]);
            }
            Guard::Not(inner) => word.extend([5, part(inner)]),
            Guard::And(parts) | Guard::Or(parts) => {
                word.push(if matches!(guard, Guard::And(_)) { 6 } else { 7 });
                let from = word.len();
                word.extend(parts.iter().map(part));
                word[from..].sort_unstable();
            }
        }
        said.push(words.word(word));
    }
    said
}

/// Returns the meaning of a length of time, as numbers.
fn length(length: Length, content: &Content, words: &mut WordTable) -> [i64; 2] {
    match length {
        Length::Millis(millis) => [0, millis],
        Length::Read(id) => [1, words.text(&content.lengths[id.index()])],
    }
}

/// Returns the meaning of an operation on a clock, as numbers.
fn clock_op(program: &Program, op: ClockOp) -> [i64; 4] {
    // The repetitions of a group with an alias are counted.
    let counts = program.named.iter().any(|(_, clock)| *clock == op.clock());
    [op.kind().into(), name(program, op.clock()), i64::from(counts), op.operand_event().into()]
}

/// A clock by its place from the start of the pattern. Patterns are laid out from their end, so
/// that a group that is added there makes the first clock.
fn name(program: &Program, clock: u32) -> i64 {
    number(program.clocks) - i64::from(clock)
}

/// The strongly connected components of what can be reached from the start, each after those that
/// lead into it (Tarjan; what is open is kept in a list, as patterns can be long).
fn components(program: &Program) -> Vec<Vec<usize>> {
    const NEW: usize = usize::MAX;
    struct OpenState {
        state: usize,
        edge: usize,
    }
    let count = program.states.len();
    let (mut index, mut low) = (vec![NEW; count], vec![NEW; count]);
    let mut waiting = vec![false; count];
    let (mut stack, mut components) = (Vec::new(), Vec::new());
    let mut entered = 0;
    let mut open = vec![OpenState { state: program.start.index(), edge: 0 }];
    while let Some(OpenState { state, edge }) = open.last_mut() {
        let state = *state;
        if index[state] == NEW {
            (index[state], low[state]) = (entered, entered);
            entered += 1;
            waiting[state] = true;
            stack.push(state);
        }
        let next = program.edges(StateId::new(state)).get(*edge).map(|edge| edge.action);
        *edge += 1;
        match next {
            Some(Action::Take { target, .. } | Action::Ignore { target }) => {
                let target = target.index();
                if index[target] == NEW {
                    open.push(OpenState { state: target, edge: 0 });
                } else if waiting[target] {
                    low[state] = low[state].min(index[target]);
                }
            }
            Some(Action::Stop | Action::Complete) => {}
            None => {
                open.pop();
                if let Some(OpenState { state: parent, .. }) = open.last() {
                    low[*parent] = low[*parent].min(low[state]);
                }
                if low[state] == index[state] {
                    let mut members = Vec::new();
                    while let Some(member) = stack.pop() {
                        waiting[member] = false;
                        members.push(member);
                        if member == state {
                            break;
                        }
                    }
                    components.push(members);
                }
            }
        }
    }
    // They come out with the last first.
    components.reverse();
    components
}
