//! A `not` with a time of its own after an item that can go on: `a+ -> not b for 5s`.
//!
//! The silence begins with the last event before it. A state can wait both for more events of the
//! loop and for the item after the silence. Each of the two must wait alone: a violation ends the
//! silence that has begun, but not the loop, whose next event begins another silence. Here each
//! state that waits for both is divided in two, and events that led to it lead to both parts.
//!
//! A `longest` loop that may be left out and that a gap leads to is such an item, too: when the gap
//! is over, the match is reported without it, and a loop before it goes on.
//!
//! A greedy loop before a silence at the end ends with the silence: events of the loop that come
//! later begin another match. So the loop's part waits no longer than the silence can hold, as long
//! as nothing has violated it.
//!
//! ```text
//! a{1.. each} -> not b for 5s
//!
//!     not divided      A --take a--> A     A --proceed--> P     P: deadline, stops on a `b`
//!     divided          A --take a--> A     waits for `a` alone
//!                      A --take a--> P     waits for 5 s without a `b`
//! ```
//!
//! In the first form, a `b` would end the partial match, and the loop with it. In the second, each
//! `a` leads to both states, each with a run of its own: the `b` ends one run.
//!
//! ```text
//! a+ -> not b for 5s
//!
//!     C --take a--> C               waits for `a`, and for 5 s without a `b`
//!     C --skip: no a, no b--> C'    as C
//!     C --skip: b--> A              waits for `a` alone: the silence is violated
//! ```
//!
//! Here the end of the silence is the end of the loop, so one state can wait for both, if the
//! conditions allow it (`is_together`). Two states would do as well: this saves a run for each
//! partial match of a session, `click+ -> not click for 30m`.
//!
//! A first version let the `not` apply from the loop's first event on, as one without a time does,
//! and a violation ended the loop. Since states are divided, `click+ -> not click for 30m` is a
//! session (commit 5b3a88af).
//!
//! A `next not` after a loop is divided in the same way: its violation ends the length that the
//! loop has had, and the loop goes on.
//!
//! Held by `testdata/suite/silence.cep` (`lengths`), `sessions.cep`, `next_not.cep` (`behind_loop`)
//! and `longest.cep` (`end_of_a_gap`), and for random patterns by
//! `the_matcher_reports_what_the_reference_reports` in `tests/properties.rs`.

use hashbrown::HashSet;

use crate::nfa::error::AutomatonError;
use crate::nfa::graph::builder::{Builder, keeps};
use crate::nfa::graph::raw::{RawState, Role, Transition, Verb};
use crate::nfa::guard::{Guard, GuardId};
use crate::nfa::states::StateId;
use kleene_syntax::hir::{Item, ItemKind, Length};

/// The conditions under which the silence after a loop goes on with an event that the loop skips.
#[derive(Clone, Copy)]
struct Holding {
    guard: GuardId,
    time: Length,
}

impl Builder {
    /// Marks the stop as one of a `not` with a time of its own.
    pub(super) fn set_timed(&mut self, stop: StateId) {
        // A state is before the silence if it has no transition to such a stop, and after it if it
        // has.
        self.division.timed.insert(stop);
    }

    /// Marks a state that waits for the end of the last silence after `before`.
    pub(super) fn set_closing(&mut self, state: StateId, before: &Item, time: Length) {
        if ends_greedy(before) {
            self.division.closing.insert(state, time);
        }
    }

    /// Marks a copy of a state as the state is marked.
    pub(super) fn set_like(&mut self, copy: StateId, state: StateId) {
        if let Some(&time) = self.division.closing.get(&state) {
            self.division.closing.insert(copy, time);
        }
    }

    /// Divides the states from `from` on, all of which are laid out.
    pub(super) fn divide(&mut self, from: usize) -> Result<(), AutomatonError> {
        let mut laid_out = (from..self.graph.states.len()).map(StateId::new);
        if self.division.timed.is_empty() && !laid_out.any(|state| self.ends_with_gap(state)) {
            return Ok(());
        }
        let division = &mut self.division;
        division.before.clear();
        division.over.clear();
        division.closed.clear();
        division.parts.clear();
        let mut state = from;
        // Also the parts that this loop adds: what they take leads to parts, too.
        while state < self.graph.states.len() {
            let mut divided = Vec::new();
            for transition in self.graph.states[state].transitions.clone() {
                let parts = match transition.verb {
                    // Only an event begins a silence. A state that skips an event stays on its
                    // side.
                    Verb::Take(_) => self.parts(transition.target)?,
                    Verb::Ignore | Verb::Proceed | Verb::Complete => vec![transition.target],
                };
                for target in parts {
                    divided.push(Transition { target, ..transition.clone() });
                }
            }
            self.graph.states[state].transitions = divided;
            state += 1;
        }
        Ok(())
    }

    /// Returns the states that replace `state` as the target of an event.
    fn parts(&mut self, state: StateId) -> Result<Vec<StateId>, AutomatonError> {
        if let Some(parts) = self.division.parts.get(&state) {
            return Ok(parts.clone());
        }
        // A state that waits on one side of the silence only stays as it is.
        let parts = if self.crosses(state) && self.waits_before(state, &mut HashSet::new()) {
            match self.closing_of(state) {
                Some(holding) => match self.closed(state, holding)? {
                    // The part waits for the end of the silence as well: the take has one target.
                    (part, true) => vec![part],
                    (part, false) => vec![part, self.over(state)?],
                },
                None => vec![self.before(state)?, self.over(state)?],
            }
        } else {
            vec![state]
        };
        self.division.parts.insert(state, parts.clone());
        Ok(parts)
    }

    /// Returns the stops of the silences that apply in a state.
    /// They say on which side of which silences the state is.
    fn asked(&self, state: StateId) -> HashSet<StateId> {
        let transitions = self.graph.states[state.index()].transitions.iter();
        let targets = transitions.map(|transition| transition.target);
        targets.filter(|target| self.division.timed.contains(target)).collect()
    }

    /// True if the path from one state to the other goes over a silence, or to where a gap ends the
    /// match.
    fn is_crossing(&self, from: StateId, to: StateId) -> bool {
        // A state after the silence stops on its violation, and one before it does not.
        !self.asked(to).is_subset(&self.asked(from))
            || self.ends_with_gap(to) && !self.ends_with_gap(from)
    }

    /// True if the match is complete in a state when the gap before its `longest` loop is over.
    ///
    /// `a{1..3 each} ->[..2s] b{0..1 longest}`: two seconds after an `a`, the match is reported
    /// without a `b`, and the loop of the `a` still goes on.
    fn ends_with_gap(&self, state: StateId) -> bool {
        let bounds = |gap| matches!(self.graph.guards.get(gap), Guard::Gap { max: Some(_), .. });
        let mut transitions = self.graph.states[state.index()].transitions.iter();
        transitions.any(|one| one.verb == Verb::Complete && one.gap.is_some_and(bounds))
    }

    fn proceeds(&self, state: StateId) -> impl Iterator<Item = &Transition> {
        let transitions = self.graph.states[state.index()].transitions.iter();
        transitions.filter(|transition| {
            transition.verb == Verb::Proceed
                && self.graph.states[transition.target.index()].role != Role::Stop
        })
    }

    /// True if a path over a silence leads on from the state without an event.
    ///
    /// The path may have several proceeds: what can be left out between the loop and the silence.
    fn crosses(&self, state: StateId) -> bool {
        let (mut open, mut seen) = (vec![state], HashSet::new());
        while let Some(state) = open.pop() {
            if !seen.insert(state) {
                continue;
            }
            for transition in self.proceeds(state) {
                if self.is_crossing(state, transition.target) {
                    return true;
                }
                open.push(transition.target);
            }
        }
        false
    }

    /// True if an event is waited for before the silence.
    fn waits_before(&self, state: StateId, seen: &mut HashSet<StateId>) -> bool {
        seen.insert(state);
        let transitions = &self.graph.states[state.index()].transitions;
        transitions.iter().any(|transition| transition.verb != Verb::Proceed)
            || self.proceeds(state).any(|transition| {
                !self.is_crossing(state, transition.target)
                    && !seen.contains(&transition.target)
                    && self.waits_before(transition.target, &mut seen.clone())
            })
    }

    /// Returns the part of a state that waits before the silence.
    fn before(&mut self, state: StateId) -> Result<StateId, AutomatonError> {
        if !self.crosses(state) {
            return Ok(state);
        }
        if let Some(&part) = self.division.before.get(&state) {
            return Ok(part);
        }
        let (part, raw) = self.part(state)?;
        self.division.before.insert(state, part);
        let mut kept = Vec::with_capacity(raw.transitions.len());
        for mut transition in raw.transitions {
            match transition.verb {
                // The other part waits there.
                Verb::Proceed if self.is_crossing(state, transition.target) => continue,
                Verb::Proceed | Verb::Ignore => {
                    transition.target = self.before(transition.target)?;
                }
                Verb::Take(_) | Verb::Complete => {}
            }
            kept.push(transition);
        }
        self.graph.states[part.index()].transitions = kept;
        Ok(part)
    }

    /// Returns the part of a state that waits after the silence.
    fn over(&mut self, state: StateId) -> Result<StateId, AutomatonError> {
        if let Some(&part) = self.division.over.get(&state) {
            return Ok(part);
        }
        let (part, raw) = self.part(state)?;
        self.division.over.insert(state, part);
        let mut kept = Vec::with_capacity(raw.transitions.len());
        for mut transition in raw.transitions {
            // The other part takes and skips: an event that this state takes comes before the
            // silence.
            if transition.verb != Verb::Proceed {
                continue;
            }
            let is_stop = self.graph.states[transition.target.index()].role == Role::Stop;
            if !is_stop && !self.is_crossing(state, transition.target) {
                // This path stays before the silence, and leads nowhere in this part.
                if !self.crosses(transition.target) {
                    continue;
                }
                transition.target = self.over(transition.target)?;
            }
            kept.push(transition);
        }
        self.graph.states[part.index()].transitions = kept;
        Ok(part)
    }

    /// Returns how the last silence, which comes after a greedy loop, goes on after a state.
    fn closing_of(&mut self, state: StateId) -> Option<Holding> {
        let always = self.graph.guards.always();
        let (mut open, mut seen) = (vec![(state, always)], HashSet::new());
        let mut holding: Option<Holding> = None;
        while let Some((state, guard)) = open.pop() {
            if !seen.insert((state, guard)) {
                continue;
            }
            if let Some(&time) = self.division.closing.get(&state) {
                // The state at the end skips the events that do not violate the silence. Several
                // paths can lead to such a state: the silence goes on if it does on one of them.
                let skips = self.ignores_when(state);
                let skips = self.graph.guards.and(guard, skips);
                let before = holding.map_or(self.graph.guards.never(), |before| before.guard);
                holding = Some(Holding { guard: self.graph.guards.or(before, skips), time });
                continue;
            }
            let on: Vec<_> = self.proceeds(state).map(|next| (next.target, next.guard)).collect();
            for (target, next) in on {
                open.push((target, self.graph.guards.and(guard, next)));
            }
        }
        holding
    }

    /// Returns the guard under which the state skips an event.
    fn ignores_when(&mut self, state: StateId) -> GuardId {
        let transitions = self.graph.states[state.index()].transitions.clone();
        let ignores = transitions.iter().filter(|transition| transition.verb == Verb::Ignore);
        let never = self.graph.guards.never();
        ignores.fold(never, |any, ignore| self.graph.guards.or(any, ignore.guard))
    }

    /// Returns the part of a state that waits before the last silence, and no longer than it. The
    /// part also waits for the end of the silence if each event that does not violate the silence
    /// is skipped here as it is there.
    fn closed(
        &mut self,
        state: StateId,
        holding: Holding,
    ) -> Result<(StateId, bool), AutomatonError> {
        // A silence that is reported again waits alone: the loop is over by then.
        let waits = !self.repeats && self.is_together(state, holding);
        Ok((self.closed_part(state, holding, waits)?, waits))
    }

    /// Makes the part that is closed with the silence. `waits` says whether it waits for the end of
    /// the silence, too: then it proceeds to a state with a deadline, else its own wait has that
    /// bound.
    fn closed_part(
        &mut self,
        state: StateId,
        holding: Holding,
        waits: bool,
    ) -> Result<StateId, AutomatonError> {
        if let Some(&part) = self.division.closed.get(&(state, waits)) {
            return Ok(part);
        }
        let (part, raw) = self.part(state)?;
        self.division.closed.insert((state, waits), part);
        let mut kept = Vec::with_capacity(raw.transitions.len() + 1);
        for transition in raw.transitions {
            match transition.verb {
                Verb::Take(_) | Verb::Complete => kept.push(transition),
                Verb::Proceed => {
                    let target = transition.target;
                    if self.is_crossing(state, target) {
                        continue;
                    }
                    let is_stop = self.graph.states[target.index()].role == Role::Stop;
                    let target =
                        if is_stop { target } else { self.closed_part(target, holding, waits)? };
                    kept.push(Transition { target, ..transition });
                }
                Verb::Ignore => {
                    let target = transition.target;
                    // An event that the loop skips either leaves the silence as it is, or violates
                    // it. After a violation, the loop waits without a deadline: its next event
                    // begins another silence.
                    let goes_on = self.graph.guards.and(transition.guard, holding.guard);
                    let violated = self.graph.guards.not(holding.guard);
                    let violated = self.graph.guards.and(transition.guard, violated);
                    let later = self.closed_part(target, holding, waits)?;
                    kept.push(Transition { target: later, guard: goes_on, ..transition.clone() });
                    let target = self.before(target)?;
                    kept.push(Transition { target, guard: violated, ..transition });
                }
            }
        }
        if waits {
            let end = self.state(Role::Pending(Some(holding.time)))?;
            let always = self.graph.guards.always();
            self.graph.states[part.index()].transitions = kept;
            self.add(part, Verb::Proceed, end, always);
        } else {
            let raw = &mut self.graph.states[part.index()];
            raw.transitions = kept;
            raw.closes = Some(holding.time);
        }
        Ok(part)
    }

    /// True if one run can wait in `state` both for the loop and for the end of the silence. The
    /// loop must skip what the silence skips, the silence must not outlive the events that the loop
    /// takes, and no group's bound may end the loop before the silence.
    fn is_together(&self, state: StateId, holding: Holding) -> bool {
        let raw = &self.graph.states[state.index()];
        // Guards are compared by their parts, without a solver. If the answer is no although it
        // could be yes, there are two states: that costs a run, and changes no match.
        let parts = |guard: GuardId| match self.graph.guards.get(guard) {
            Guard::And(parts) => parts.to_vec(),
            _ => vec![guard],
        };
        let held = parts(holding.guard);
        let implies = |guard: GuardId| {
            guard == self.graph.guards.always()
                || parts(guard).iter().all(|part| held.contains(part))
        };
        let excludes = |guard: GuardId| {
            parts(guard).iter().any(|part| match self.graph.guards.get(*part) {
                Guard::Not(inner) => held.contains(inner),
                _ => held.iter().any(|held| *self.graph.guards.get(*held) == Guard::Not(*part)),
            })
        };
        let mut ignores = 0;
        raw.role == Role::Normal
            && raw.instances.iter().all(|at| self.graph.instances[*at].within.is_none())
            && raw.transitions.iter().all(|transition| match transition.verb {
                Verb::Complete => false,
                Verb::Take(_) => excludes(transition.guard),
                Verb::Ignore => {
                    ignores += 1;
                    let target = &self.graph.states[transition.target.index()];
                    ignores == 1
                        && implies(transition.guard)
                        && target.transitions.iter().all(|later| match later.verb {
                            Verb::Take(_) => excludes(later.guard),
                            Verb::Ignore => {
                                later.target == transition.target && implies(later.guard)
                            }
                            Verb::Proceed => transition.target == state,
                            Verb::Complete => false,
                        })
                }
                Verb::Proceed => {
                    self.graph.states[transition.target.index()].role != Role::Stop
                        && self.is_crossing(state, transition.target)
                        && transition.guard == self.graph.guards.always()
                }
            })
            && ignores == 1
    }

    /// Returns a new state like another one, without its transitions, and these transitions.
    fn part(&mut self, state: StateId) -> Result<(StateId, RawState), AutomatonError> {
        let raw = self.graph.states[state.index()].clone();
        let part = self.state(raw.role)?;
        let empty = RawState { transitions: Vec::new(), ..raw.clone() };
        self.graph.states[part.index()] = empty;
        Ok((part, raw))
    }
}

/// True if the item can go on at its end, and takes every event that it can.
fn ends_greedy(item: &Item) -> bool {
    match &item.kind {
        ItemKind::Step { quantifier, .. } => keeps(quantifier),
        ItemKind::Group { quantifier, .. } if quantifier.varies() => keeps(quantifier),
        ItemKind::Group { body, .. } => body.items.last().is_some_and(ends_greedy),
        ItemKind::Not { .. } | ItemKind::Alternatives { .. } => false,
    }
}
