//! A `not` with a time of its own behind an item that can go on: `a+ -> not b for 5s`.
//!
//! The silence begins with the last event before it. A state can wait both for more events of the
//! loop and for the item behind the silence. Each of the two must wait alone: a violation ends the
//! silence that has begun, but not the loop, whose next event begins another silence. Here each
//! state that waits for both is divided in two, and events that led to it lead to both parts.
//!
//! A `longest` loop that may be left out and that a gap leads to is such an item, too: when the gap is
//! over, the match is reported without it, and a loop before it goes on.
//!
//! A greedy loop before a silence at the end ends with the silence: events of the loop that come
//! later begin another match. So the loop's part waits no longer than the silence can hold, as long
//! as nothing has violated it.

use hashbrown::HashSet;

use crate::nfa::error::AutomatonError;
use crate::nfa::graph::builder::{Builder, keeps};
use crate::nfa::graph::raw::{RawState, Role, Transition, Verb};
use crate::nfa::guard::{Guard, GuardId};
use crate::nfa::states::StateId;
use kleene_syntax::hir::{Item, ItemKind, Length};

/// The conditions under which the silence behind a loop goes on with an event that the loop skips.
#[derive(Clone, Copy)]
struct Holding {
    guard: GuardId,
    time: Length,
}

impl Builder {
    /// Marks the stop as one of a `not` with a time of its own.
    pub(super) fn set_timed(&mut self, stop: StateId) {
        self.division.timed.insert(stop);
    }

    /// Marks a state that waits for the end of the last silence behind `before`.
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
        while state < self.graph.states.len() {
            let mut divided = Vec::new();
            for transition in self.graph.states[state].transitions.clone() {
                let parts = match transition.verb {
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
        let parts = if self.crosses(state) && self.waits_before(state, &mut HashSet::new()) {
            match self.closing_of(state) {
                Some(holding) => match self.closed(state, holding)? {
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
    fn asked(&self, state: StateId) -> HashSet<StateId> {
        let transitions = self.graph.states[state.index()].transitions.iter();
        let targets = transitions.map(|transition| transition.target);
        targets.filter(|target| self.division.timed.contains(target)).collect()
    }

    /// True if the path from one state to the other goes over a silence, or to where a gap ends the match.
    fn is_crossing(&self, from: StateId, to: StateId) -> bool {
        !self.asked(to).is_subset(&self.asked(from))
            || self.ends_with_gap(to) && !self.ends_with_gap(from)
    }

    /// True if the match is complete in a state when the gap before its `longest` loop is over.
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

    /// Returns the part of a state that waits behind the silence.
    fn over(&mut self, state: StateId) -> Result<StateId, AutomatonError> {
        if let Some(&part) = self.division.over.get(&state) {
            return Ok(part);
        }
        let (part, raw) = self.part(state)?;
        self.division.over.insert(state, part);
        let mut kept = Vec::with_capacity(raw.transitions.len());
        for mut transition in raw.transitions {
            if transition.verb != Verb::Proceed {
                continue;
            }
            let is_stop = self.graph.states[transition.target.index()].role == Role::Stop;
            if !is_stop && !self.is_crossing(state, transition.target) {
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

    /// Returns how the last silence, which stands behind a greedy loop, goes on behind a state.
    fn closing_of(&mut self, state: StateId) -> Option<Holding> {
        let always = self.graph.guards.always();
        let (mut open, mut seen) = (vec![(state, always)], HashSet::new());
        let mut holding: Option<Holding> = None;
        while let Some((state, guard)) = open.pop() {
            if !seen.insert((state, guard)) {
                continue;
            }
            if let Some(&time) = self.division.closing.get(&state) {
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
