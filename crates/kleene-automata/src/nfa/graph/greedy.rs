//! Greedy loops: an event that an open loop can take is kept from everything after the loop.
//!
//! A greedy loop is open until something is captured after it. So it is not enough that the state
//! right after the loop leaves the loop's events alone: where that state waits for a step that may
//! be left out, or skips an event, the states that follow must do the same. Each state that can be
//! reached from there without a capture is copied, and the guard of each of its transitions
//! excludes the events that the loop can take. A capture leads to the states as they were.
//!
//! ```text
//! a -> b+ -> c? -> d          b+ ----> c?' ----> d'       c?', d': as c?, d, but no b
//!                                       |c        |d      (skipped or taken)
//!                                       v         v
//!                                       d        end
//! ```
//!
//! A loop whose row is broken (`next`), or whose `until` has come, can take nothing any more: such
//! an event that is skipped leads to the states as they were, too.
//!
//! Worked through for `a -> b+ -> c`, whose loop proceeds to `C'`:
//!
//! ```text
//! C    --take c-->         C'    --take: c and no b-->
//! C    --skip: not c-->    C'    --skip: no c and no b-->
//! ```
//!
//! So a `b` has no way through `C'`: the loop takes it, or, where the loop is full, the partial
//! match ends. An event is never both taken by the loop and skipped after it.
//!
//! The reference matcher does the same without copies: each of its partial matches carries a list
//! of the loops that are open (`exec/reference/greedy.rs`), and tests an event against it. Here the
//! list is part of the state, so the matcher knows nothing of greedy loops and a partial match
//! carries nothing for them. The price is a copy of each state between a loop and the next capture.
//! Originals to which nothing leads any more are dropped: `Graph::drop_unreachable`.
//! `tests/properties.rs` holds the one matcher against the other.
//!
//! A first version excluded the events in the one state after the loop only, as Flink does. Then an
//! optional step after the loop took them, or the states after a skipped event did (commit
//! 3136faad). docs/semantics.md says where the answers differ (`open-greedy-loop`). Held by
//! `testdata/suite/greedy.cep`.

use crate::nfa::error::AutomatonError;
use crate::nfa::graph::builder::Builder;
use crate::nfa::graph::open_loops::{BoundedGroup, OpenLoop};
use crate::nfa::graph::raw::{RawState, Role, Transition, Verb};
use crate::nfa::guard::{Guard, GuardId};
use crate::nfa::states::StateId;

impl Builder {
    /// Returns a loop that can take the events that fit it, as long as the groups that it ends have
    /// time.
    pub(super) fn open_loop(&mut self, fits: GuardId, until: GuardId, is_next: bool) -> OpenLoop {
        let bounded = self.open_loops.inside;
        // An event can fit a loop that has no time left for it: then the loop does not take it.
        let mut takes = fits;
        for BoundedGroup { within, clock, .. } in self.open_loops.around(bounded) {
            let in_time = self.graph.guards.leaf(Guard::Within { clock, within });
            takes = self.graph.guards.and(takes, in_time);
        }
        OpenLoop { fits, takes, until, is_next, bounded }
    }

    /// Returns `state` as it is while `open` is open before it.
    pub(super) fn keep_for(
        &mut self,
        state: StateId,
        open: OpenLoop,
    ) -> Result<StateId, AutomatonError> {
        if let Some(&copy) = self.open_loops.copies.get(&(state, open)) {
            return Ok(copy);
        }
        // The loop can take nothing here, so nothing has to be kept.
        if open.takes == self.graph.guards.never() {
            return Ok(state);
        }
        // The joint has no transitions yet. The copy is empty, too, and is filled by `end_joint`.
        if self.open_loops.joints.contains_key(&state) {
            let copy = self.like(state, open)?;
            self.open_loops.copies.insert((state, open), copy);
            self.open_loops.joints.entry(state).or_default().push((open, copy));
            // A loop before this one may be open, too.
            self.begin_joint(copy);
            return Ok(copy);
        }
        if self.graph.states[state.index()].transitions.is_empty() {
            return Ok(state);
        }
        // Recorded before it is filled: a state that skips leads back to itself.
        let copy = self.like(state, open)?;
        self.open_loops.copies.insert((state, open), copy);
        self.fill_for(state, open, copy)?;
        Ok(copy)
    }

    /// Marks the joint of a group that is laid out in front of it. Its transitions come last.
    pub(super) fn begin_joint(&mut self, joint: StateId) {
        self.open_loops.joints.insert(joint, Vec::new());
    }

    /// Completes the copies of a joint that has all of its transitions.
    pub(super) fn end_joint(&mut self, joint: StateId) -> Result<(), AutomatonError> {
        for (open, copy) in self.open_loops.joints.remove(&joint).unwrap_or_default() {
            self.fill_for(joint, open, copy)?;
            self.end_joint(copy)?;
        }
        Ok(())
    }

    /// Returns a new state like another one after an open loop, without its transitions.
    fn like(&mut self, state: StateId, open: OpenLoop) -> Result<StateId, AutomatonError> {
        let mut raw = self.graph.states[state.index()].clone();
        // The copy reads the clocks of these groups, so it belongs to them.
        for group in self.open_loops.around(open.bounded) {
            if !raw.instances.contains(&group.instance) {
                raw.instances.push(group.instance);
            }
        }
        let copy = self.state(raw.role)?;
        self.set_like(copy, state);
        let transitions = Vec::new();
        self.graph.states[copy.index()] = RawState { transitions, ..raw };
        Ok(copy)
    }

    fn fill_for(
        &mut self,
        state: StateId,
        open: OpenLoop,
        copy: StateId,
    ) -> Result<(), AutomatonError> {
        // `free` are the events that the loop leaves to others. `ends` are those that are skipped
        // here and after which the loop is over: any event if its repetitions follow each other by
        // `next`, else those of its `until`.
        let free = self.graph.guards.not(open.takes);
        let ends = if open.is_next { self.graph.guards.always() } else { open.until };
        // An ignore is split by `ends`: one half leads to the copy, the other to the state as it
        // was: the loop is over there.
        let goes_on = self.graph.guards.not(ends);
        let is_joint = self.is_joint(state);
        for transition in self.graph.states[state.index()].transitions.clone() {
            let guard = self.graph.guards.and(transition.guard, free);
            let is_end = self.is_end(transition.target);
            if transition.verb == Verb::Proceed {
                // What is waited for after it keeps the events by itself. There, an event that
                // another branch captures passes. The end of a branch of `and` or `of` is not yet
                // the end.
                let role = self.graph.states[transition.target.index()].role;
                let guard = if role == Role::Stop && !is_joint {
                    guard
                } else if !is_joint && self.completes(transition.target) {
                    let free = self.graph.guards.not(open.fits);
                    self.graph.guards.and(transition.guard, free)
                } else {
                    transition.guard
                };
                let target = self.keep_for(transition.target, open)?;
                let proceed = Transition { target, guard, ..transition };
                self.graph.states[copy.index()].transitions.push(proceed);
                continue;
            }
            // A capture closes the loop, and an end of the pattern has nothing after it: no copy is
            // needed.
            if is_end || matches!(transition.verb, Verb::Take(_) | Verb::Complete) {
                self.graph.states[copy.index()]
                    .transitions
                    .push(Transition { guard, ..transition });
                continue;
            }
            let target = self.keep_for(transition.target, open)?;
            for (when, target) in [(ends, transition.target), (goes_on, target)] {
                let (guard, skip) = (
                    self.graph.guards.and(guard, when),
                    self.graph.guards.and(transition.skip, when),
                );
                if when != self.graph.guards.never() {
                    let ignore = Transition { target, guard, skip, ..transition.clone() };
                    self.graph.states[copy.index()].transitions.push(ignore);
                }
            }
        }
        Ok(())
    }

    /// True if nothing is waited for in the state: it only leads on.
    fn is_joint(&self, state: StateId) -> bool {
        let raw = &self.graph.states[state.index()];
        raw.role == Role::Normal
            && raw.transitions.iter().all(|transition| transition.verb == Verb::Proceed)
    }

    /// True if nothing is waited for any more, and the pattern is complete: the end of a branch of
    /// `and` or `of` leads nowhere by itself.
    fn completes(&self, state: StateId) -> bool {
        let raw = &self.graph.states[state.index()];
        let mut targets = raw.transitions.iter().map(|transition| transition.target);
        let mut leads_on = || self.is_end(state) && targets.any(|target| self.completes(target));
        raw.role == Role::Final || leads_on()
    }

    /// True if nothing is waited for any more in the state, or after it.
    fn is_end(&self, state: StateId) -> bool {
        let raw = &self.graph.states[state.index()];
        let mut targets = raw.transitions.iter().map(|transition| transition.target);
        match raw.role {
            Role::Stop | Role::Final => true,
            // A group that is laid out leads on to its first step.
            _ if self.open_loops.joints.contains_key(&state) => false,
            _ => self.is_joint(state) && targets.all(|target| self.is_end(target)),
        }
    }
}
