//! `not` between steps and at the end: stop transitions of the states around it.
//!
//! A `not` captures nothing, so it needs a state only where its end decides something:
//!
//! ```text
//! not b for 5s -> a        no state: the matcher remembers the last `b`
//! a -> not b -> c          no state: the state that waits for `c` stops on a `b`
//!                              C --take c--> final,   C --proceed: b--> stop
//! a -> next not b -> c     N --proceed: not b--> C,   N --proceed: b--> stop    (N is `NextNot`)
//! a -> not b for 10s       P --skip: not b--> P,      P --proceed: b--> stop    (P is `Pending`)
//! ```
//!
//! A state stops on the `not`s before its step, back to the last item that cannot be left out. In
//! `a -> not b -> c? -> d`, two states stop on a `b`, and the event of `c` ends the `not`:
//!
//! ```text
//! C --take c--> D'                      D' is `D` without the stop
//! C --proceed--> D --take d--> final
//!                D --proceed: b--> stop
//! ```
//!
//! An event that the step after a `not` takes is not between: such a stop is marked `is_behind`,
//! and gives way to a take of the same event when the graph is flattened (`let_steps_win` of
//! `flatten.rs`). Not so the stops of a `next not` and of a last `not`: the one concerns the next
//! event whatever takes it, and nothing waits after the other.
//!
//! Held by `testdata/suite/absence.cep`, `not_between.cep`, `next_not.cep` and
//! `silences_in_a_row.cep`.

use hashbrown::HashMap;

use crate::nfa::error::AutomatonError;
use crate::nfa::graph::builder::{Builder, EarlierNot, ItemCursor, has_time};
use crate::nfa::graph::raw::{Role, Verb};
use crate::nfa::guard::{Guard, GuardId};
use crate::nfa::states::StateId;
use kleene_syntax::hir::{ConditionId, Contiguity, Gap, Item, ItemKind, Length, StepId};

impl<'p> Builder {
    /// Lays out a `not` in front of `next`. Returns `next` itself if the `not` needs no state.
    pub(super) fn absence(
        &mut self,
        cursor: ItemCursor<'p>,
        step: StepId,
        condition: ConditionId,
        next: StateId,
    ) -> Result<StateId, AutomatonError> {
        if cursor.is_start() {
            // The matcher remembers when an event that violates the `not` came last, and starts
            // nothing too soon after it.
            return Ok(next);
        }
        let violated = self.extend(cursor, condition);
        let violated = self.in_time(violated, Self::window_at_end(cursor), cursor.context.since);
        let respected = self.graph.guards.not(violated);
        let next_role = self.graph.states[next.index()].role;
        if cursor.item().contiguity == Contiguity::Next {
            // A `next not` concerns the very next event only; a gap bounds its time.
            let state = self.state(Role::NextNot)?;
            let gap = self.gap_guard(cursor);
            let respected = gap.map_or(respected, |gap| self.graph.guards.and(respected, gap));
            // At the end of the pattern, the event that is no `b` completes the match: the state
            // skips it. Elsewhere the same event can be the next step's.
            if next_role == Role::Final {
                self.add_in_gap(state, Verb::Ignore, next, respected, gap);
            } else {
                self.add_in_gap(state, Verb::Proceed, next, respected, gap);
            }
            let stop = self.stop(step)?;
            // After a loop, the stop ends one length of the loop, and the loop goes on: `silence`.
            self.set_timed(stop);
            self.add(state, Verb::Proceed, stop, violated);
            return Ok(state);
        }
        match next_role {
            Role::Final if cursor.context.top => {
                // Without a time of its own, the `not` is over when the `within` of the rule is.
                let bound = cursor.item().gap.and_then(|gap| gap.max);
                let state = self.state(Role::Pending(bound))?;
                let stop = self.stop(step)?;
                if let Some(time) = bound {
                    self.set_timed(stop);
                    // The loop of `a+ -> not x for 1s -> not b for 5s` is before both `not`s.
                    let mut before = cursor.previous();
                    while let Some(not) = before.filter(|before| before.item().is_not()) {
                        before = not.previous();
                    }
                    if let Some(before) = before {
                        self.set_closing(state, before.item(), time);
                    }
                }
                self.add(state, Verb::Proceed, stop, violated);
                self.add(state, Verb::Ignore, state, respected);
                Ok(state)
            }
            Role::Pending(_) if cursor.context.top => {
                // A second `not` at the end shares the state of the first.
                let stop = self.stop(step)?;
                if has_time(cursor.item()) {
                    self.set_timed(stop);
                }
                self.add(next, Verb::Proceed, stop, violated);
                for transition in &mut self.graph.states[next.index()].transitions {
                    if transition.verb == Verb::Ignore {
                        transition.guard = self.graph.guards.and(transition.guard, respected);
                    }
                }
                Ok(next)
            }
            // A `not` between two steps becomes stop transitions of the states around it.
            _ => Ok(next),
        }
    }

    /// Returns the time in which a `not` at the end is violated. The last one of the pattern ends
    /// with the wait.
    fn window_at_end(cursor: ItemCursor<'p>) -> Option<Gap> {
        let Gap { min, max } =
            cursor.item().gap.filter(|_| cursor.item().contiguity != Contiguity::Next)?;
        // The wait of the last `not` ends with its time: no event comes later to be tested.
        let is_last = cursor.following().is_empty();
        Some(Gap { min, max: max.filter(|_| !is_last) })
    }

    /// Returns the `not`s that still apply where `cursor` waits: those right before it, those
    /// before optional items before it, and those before the group that it is the first item of.
    pub(super) fn earlier_nots(&mut self, cursor: ItemCursor<'p>) -> Vec<EarlierNot> {
        let mut nots = Vec::new();
        // From `cursor` back to the start. In `a -> not b -> c? -> d`, both `c` and `d` find the
        // `not`; in `a -> not b -> c -> d`, only `c` does.
        let mut here = cursor;
        while let Some(previous) = here.previous() {
            match previous.item().kind {
                ItemKind::Not { step, condition } => {
                    // A `next not` has a state of its own, and a leading `not` is the matcher's.
                    if previous.item().contiguity != Contiguity::Next && !previous.is_start() {
                        let violated = self.violation(previous, cursor, condition);
                        let timed = has_time(previous.item());
                        nots.push(EarlierNot { step, violated, timed });
                    }
                }
                _ if previous.item().is_nullable() => {}
                _ => return nots,
            }
            here = previous;
        }
        if let Some(group) = cursor.context.group {
            // All items up to `cursor` can be left out: the `not`s before the group still apply.
            nots.extend_from_slice(&self.before_groups[group.nots]);
        }
        nots
    }

    /// Returns the guard under which an event violates a `not` before `cursor`.
    pub(super) fn violation(
        &mut self,
        not: ItemCursor<'p>,
        cursor: ItemCursor<'p>,
        condition: ConditionId,
    ) -> GuardId {
        let violated = self.extend(cursor, condition);
        self.in_time(violated, not.item().gap, cursor.context.since)
    }

    /// A `not` with its own time is violated only within it, and one after a silence when that is
    /// over.
    pub(super) fn in_time(
        &mut self,
        violated: GuardId,
        time: Option<Gap>,
        since: Option<u32>,
    ) -> GuardId {
        // `a -> not b for 5s -> not x -> c`: the `b` is a violation in the first five seconds, the
        // `x` after them.
        let Some(Gap { min, max }) = time else { return violated };
        let mut within = violated;
        if let Some(than) = max {
            let sooner = self.graph.guards.leaf(Guard::Sooner { than, since });
            within = self.graph.guards.and(within, sooner);
        }
        if min != Length::ZERO {
            let too_soon = self.graph.guards.leaf(Guard::Sooner { than: min, since });
            let begun = self.graph.guards.not(too_soon);
            within = self.graph.guards.and(within, begun);
        }
        within
    }

    /// Adds the stops of the `not`s that apply where `cursor` waits to `state`, each once.
    pub(super) fn add_stops(
        &mut self,
        cursor: ItemCursor<'p>,
        state: StateId,
    ) -> Result<(), AutomatonError> {
        for EarlierNot { step, violated, timed } in self.earlier_nots(cursor) {
            let stop = self.stop(step)?;
            if timed {
                self.set_timed(stop);
            }
            let asked = &self.graph.states[state.index()].transitions;
            if asked.iter().any(|known| (known.target, known.guard) == (stop, violated)) {
                continue;
            }
            self.add_stop_behind(state, step, violated)?;
        }
        Ok(())
    }

    /// Returns the `not`s without a time right after the item of `cursor`, with their violations.
    /// Where that item repeats, they hold from its first event on, for the events that it does not
    /// take. A `not` with a time of its own begins with the last event, and so does a `next not`.
    pub(super) fn nots_after(&mut self, cursor: ItemCursor<'p>) -> Vec<(StepId, GuardId)> {
        // As in Flink: in `a{2} -> not b -> c`, a `b` between the two `a`s is a violation. Held by
        // `none_after_loop` of `testdata/suite/absence.cep`.
        let lasts =
            |item: &&Item| item.is_not() && item.contiguity != Contiguity::Next && !has_time(item);
        let nots = cursor.following().iter().take_while(lasts);
        nots.filter_map(|item| match item.kind {
            ItemKind::Not { step, condition } => Some((step, self.extend(cursor, condition))),
            _ => None,
        })
        .collect()
    }

    /// Adds the stops of the `not`s after a loop to a state in which the loop goes on. What the
    /// loop takes there violates nothing.
    pub(super) fn add_stops_to_loop(
        &mut self,
        cursor: ItemCursor<'p>,
        state: StateId,
    ) -> Result<(), AutomatonError> {
        for (step, violated) in self.nots_after(cursor) {
            self.add_stop_behind(state, step, violated)?;
        }
        Ok(())
    }

    /// Adds a stop that gives way to a take in the same state.
    pub(super) fn add_stop_behind(
        &mut self,
        state: StateId,
        step: StepId,
        violated: GuardId,
    ) -> Result<(), AutomatonError> {
        let stop = self.stop(step)?;
        self.add(state, Verb::Proceed, stop, violated);
        if let Some(added) = self.graph.states[state.index()].transitions.last_mut() {
            added.is_behind = true;
        }
        Ok(())
    }

    /// Returns the target of an optional item's event: a copy of `state` in which the `not`s before
    /// the item no longer apply, or `state` itself if there are none.
    pub(super) fn without_earlier_nots(
        &mut self,
        cursor: ItemCursor<'p>,
        state: StateId,
    ) -> Result<StateId, AutomatonError> {
        let nots = self.earlier_nots(cursor);
        // A required item needs no copy: what follows it does not look back beyond it.
        if nots.is_empty() || !cursor.is_optional() {
            return Ok(state);
        }
        let stops: Vec<StateId> =
            nots.iter().filter_map(|not| self.stops.get(&not.step).copied()).collect();
        self.copy_without(state, &stops)
    }

    /// Copies a state, and the states that it reaches without an event or by an ignored event,
    /// without the transitions to `stops`.
    pub(super) fn copy_without(
        &mut self,
        state: StateId,
        stops: &[StateId],
    ) -> Result<StateId, AutomatonError> {
        self.copy_all_without(state, stops, &mut HashMap::new())
    }

    fn copy_all_without(
        &mut self,
        state: StateId,
        stops: &[StateId],
        copies: &mut HashMap<StateId, StateId>,
    ) -> Result<StateId, AutomatonError> {
        // States that skip an event lead back to themselves. The copy is recorded before its
        // targets are copied, so that the way around ends here.
        if let Some(copy) = copies.get(&state) {
            return Ok(*copy);
        }
        let copy = self.copy(state)?;
        copies.insert(state, copy);
        if copy == state {
            return Ok(state);
        }
        let transitions = std::mem::take(&mut self.graph.states[copy.index()].transitions);
        let mut kept = Vec::with_capacity(transitions.len());
        for mut transition in transitions {
            // A take leads to the states as they were: they wait after the event.
            let leads_on = matches!(transition.verb, Verb::Proceed | Verb::Ignore);
            if leads_on && transition.target != copy {
                if stops.contains(&transition.target) {
                    continue;
                }
                if self.graph.states[transition.target.index()].role != Role::Stop {
                    transition.target = self.copy_all_without(transition.target, stops, copies)?;
                }
            }
            kept.push(transition);
        }
        self.graph.states[copy.index()].transitions = kept;
        Ok(copy)
    }
}
