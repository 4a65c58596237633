//! Steps and groups with their quantifiers: needed, optional and unbounded repetitions.

use crate::hir::{Gap, ItemKind, LoopMode, Quantifier, Sequence};
use crate::nfa::error::{AutomatonError, Refusal};
use crate::nfa::graph::builder::{
    Builder, Clock, Context, EnclosingGroup, ItemCursor, Repetition, WaitGuards, is_greedy,
};
use crate::nfa::graph::check::is_nullable;
use crate::nfa::graph::raw::{Role, Verb};
use crate::nfa::guard::{Guard, GuardId};
use crate::nfa::states::StateId;

/// The largest number of groups with an alias: each takes one bit of a node.
const MAX_NAMED_GROUPS: usize = 32;

impl<'p> Builder {
    /// Lays out a step or group with its quantifier.
    pub(super) fn item(
        &mut self,
        cursor: ItemCursor<'p>,
        sink: StateId,
    ) -> Result<StateId, AutomatonError> {
        let quantifier = cursor.quantifier().expect("it is a step or a group");
        let first = if quantifier.is_unbounded() {
            let after_loop = self.without_earlier_nots(cursor, sink)?;
            let earlier = self.kept.get(&after_loop).map_or(0, Vec::len);
            let looping = self.unbounded(cursor, quantifier, after_loop)?;
            if after_loop != sink && quantifier.optional {
                // A greedy loop keeps the events that it can take from the items behind it, even if
                // the loop is left out, and whether a `not` is before it or not.
                if quantifier.until.is_some() && is_greedy(quantifier) {
                    let copy = self.copy(sink)?;
                    self.originals.insert(sink, copy);
                }
                let kept = self.kept.get(&after_loop).cloned().unwrap_or_default();
                for loop_take in kept.into_iter().skip(earlier) {
                    self.make_wait(sink, loop_take);
                }
            }
            self.repeated(cursor, quantifier, looping, sink)?
        } else {
            self.repeated(cursor, quantifier, sink, sink)?
        };
        self.add_stops(cursor, first)?;
        Ok(first)
    }

    /// Lays out the needed repetitions, and the optional ones of a bounded loop, in front of
    /// `sink`. A repetition that may be left out proceeds to `proceed`.
    pub(super) fn repeated(
        &mut self,
        cursor: ItemCursor<'p>,
        quantifier: &'p Quantifier,
        sink: StateId,
        proceed: StateId,
    ) -> Result<StateId, AutomatonError> {
        let until = quantifier.until.map(|until| self.graph.guards.condition(until));
        let is_step = matches!(cursor.item().kind, ItemKind::Step { .. });
        let until = if is_step { until } else { None };
        let step_take = self.take_guard(cursor);
        let take = self.unless(step_take, until);
        let inner_ignore = self.ignoring(cursor, quantifier.inner, until);
        let min = quantifier.min;
        let max = quantifier.max.unwrap_or(min);
        let longest = Self::is_longest(cursor, quantifier) && !quantifier.is_unbounded();
        // The states behind the loop are made to wait before they are copied for the repetitions,
        // so that the copies wait, too.
        if is_greedy(quantifier) && min != max {
            if let ItemKind::Group { body, .. } = &cursor.item().kind {
                let head = self.head_guard(cursor, body);
                self.make_wait(sink, head);
            } else {
                if until.is_some() {
                    let copy = self.copy(sink)?;
                    self.originals.insert(sink, copy);
                }
                self.make_wait(sink, take);
            }
        }
        let mut next = sink;
        let again = WaitGuards { take, ignore: inner_ignore, optional: true, gap: None };
        for _ in min..max {
            next = self.single(cursor, next, proceed, again, Repetition::Optional)?;
            if longest {
                self.accept_when_exhausted(next);
            }
            self.add_stop_to_loop(cursor, next)?;
        }
        let again = WaitGuards { optional: false, ..again };
        for _ in 1..min {
            next = self.single(cursor, next, proceed, again, Repetition::Needed)?;
            self.add_stop_to_loop(cursor, next)?;
        }
        // The gap applies to the first repetition, and `until` does not apply to the events skipped
        // before it.
        let gap = self.gap_guard(cursor);
        let take = gap.map_or(take, |gap| self.graph.guards.and(take, gap));
        let ignore = self.first_ignoring(cursor, gap);
        let first = WaitGuards { take, ignore, optional: quantifier.optional, gap };
        let state = self.single(cursor, next, proceed, first, Repetition::First)?;
        if Self::is_longest(cursor, quantifier) && quantifier.optional {
            self.accept_when_exhausted(state);
        }
        Ok(state)
    }

    /// Lays out the state of a loop without upper bound, behind its needed repetitions.
    pub(super) fn unbounded(
        &mut self,
        cursor: ItemCursor<'p>,
        quantifier: &'p Quantifier,
        sink: StateId,
    ) -> Result<StateId, AutomatonError> {
        if let ItemKind::Group { body, .. } = &cursor.item().kind {
            let joint = self.state(Role::Normal)?;
            if is_greedy(quantifier) {
                if quantifier.until.is_some() {
                    let copy = self.copy(sink)?;
                    self.originals.insert(sink, copy);
                }
                let head = self.head_guard(cursor, body);
                self.make_wait(sink, head);
            }
            let always = self.proceed_guard(cursor);
            let head = self.group_body(cursor, quantifier, body, joint, Repetition::Optional)?;
            self.leave(head, sink, quantifier, always);
            self.add(joint, Verb::Proceed, head, always);
            return Ok(head);
        }
        let until = quantifier.until.map(|until| self.graph.guards.condition(until));
        let ignore = self.ignoring(cursor, quantifier.inner, until);
        let step_take = self.take_guard(cursor);
        let take = self.unless(step_take, until);
        let always = self.proceed_guard(cursor);
        let state = self.state(Role::Normal)?;
        let longest = Self::is_longest(cursor, quantifier);
        if longest {
            self.graph.states[state.index()].accepts_when_exhausted = true;
        } else if is_greedy(quantifier) {
            if let Some(until) = until {
                let copy = self.copy(sink)?;
                self.originals.insert(sink, copy);
                let ended = self.graph.guards.and(always, until);
                self.add(state, Verb::Proceed, copy, ended);
            }
            let open = self.unless(always, until);
            self.add(state, Verb::Proceed, sink, open);
            self.make_wait(sink, step_take);
        } else {
            self.add(state, Verb::Proceed, sink, always);
        }
        self.add_take(cursor, state, state, take, None);
        self.add_stop_to_loop(cursor, state)?;
        if let Some(ignore) = ignore {
            // A separate state without the way out of the loop: otherwise each ignored event would
            // add a copy of the states behind the loop.
            let skipping = self.state(Role::Normal)?;
            self.graph.states[skipping.index()].accepts_when_exhausted = longest;
            self.add_take(cursor, skipping, state, take, None);
            self.add_ignore(skipping, skipping, ignore);
            self.add_ignore(state, skipping, ignore);
            self.add_stop_to_loop(cursor, skipping)?;
        }
        Ok(state)
    }

    /// Lays out one repetition of a step or group.
    pub(super) fn single(
        &mut self,
        cursor: ItemCursor<'p>,
        sink: StateId,
        proceed: StateId,
        waiting: WaitGuards,
        repetition: Repetition,
    ) -> Result<StateId, AutomatonError> {
        let first = repetition == Repetition::First;
        if let ItemKind::Group { body, quantifier, .. } = &cursor.item().kind {
            let always = self.proceed_guard(cursor);
            // If the whole content can be left out, an event that it takes is the sign that the
            // repetition happened.
            let can_be_empty = body.items.iter().all(is_nullable);
            let target = if can_be_empty { sink } else { self.without_earlier_nots(cursor, sink)? };
            let head = self.group_body(cursor, quantifier, body, target, repetition)?;
            if target != sink {
                // A greedy loop at the group's end keeps the events that it can take from the items
                // behind the group, even if the group is left out, and whether a `not` is before
                // the group or not.
                for loop_take in self.kept.get(&target).cloned().unwrap_or_default() {
                    self.make_wait(sink, loop_take);
                }
            }
            if waiting.optional {
                self.leave(head, proceed, quantifier, always);
            }
            return Ok(head);
        }
        let quantifier = cursor.quantifier().expect("it is a step");
        let state = self.state(Role::Normal)?;
        // Once the event is taken, the nots before an optional step no longer hold.
        let target = self.without_earlier_nots(cursor, sink)?;
        self.add_take(cursor, state, target, waiting.take, waiting.gap);
        if waiting.optional {
            let always = self.proceed_guard(cursor);
            self.leave(state, proceed, quantifier, always);
        }
        if let Some(ignore) = waiting.ignore {
            if waiting.optional || cursor.heads_optional_group() {
                let skipping = self.state(Role::Normal)?;
                self.add_take(cursor, skipping, target, waiting.take, waiting.gap);
                self.add_ignore(skipping, skipping, ignore);
                if first {
                    self.add_stops(cursor, skipping)?;
                } else {
                    self.add_stop_to_loop(cursor, skipping)?;
                }
                self.add_ignore(state, skipping, ignore);
            } else {
                self.add_ignore(state, state, ignore);
            }
        }
        Ok(state)
    }

    /// Lets an optional repetition be left out. Once its `until` has come, a greedy loop keeps no
    /// events from the items behind it.
    pub(super) fn leave(
        &mut self,
        state: StateId,
        to: StateId,
        quantifier: &Quantifier,
        when: GuardId,
    ) {
        match quantifier.until {
            Some(until) if is_greedy(quantifier) => {
                let until = self.graph.guards.condition(until);
                let original = self.originals.get(&to).copied().unwrap_or(to);
                let ended = self.graph.guards.and(when, until);
                self.add(state, Verb::Proceed, original, ended);
                let open = self.unless(when, Some(until));
                self.add(state, Verb::Proceed, to, open);
            }
            _ => self.add(state, Verb::Proceed, to, when),
        }
    }

    pub(super) fn group_body(
        &mut self,
        cursor: ItemCursor<'p>,
        quantifier: &'p Quantifier,
        body: &'p Sequence,
        sink: StateId,
        repetition: Repetition,
    ) -> Result<StateId, AutomatonError> {
        let first = repetition == Repetition::First;
        let ItemKind::Group { within, alias, .. } = cursor.item().kind else {
            unreachable!("only groups have a body")
        };
        let clocked = within.is_some() || cursor.item().gap.is_some() || alias.is_some();
        // If a repetition can be empty, the first event can belong to the next one.
        let can_start = first || body.items.iter().all(is_nullable);
        let mut gap = if can_start { Self::inherited_gap(cursor) } else { None };
        if clocked {
            let node = self.nodes.item(cursor);
            let clock = self.clock(Clock::Item, node);
            if let Some(alias) = alias
                && self.graph.named.iter().all(|(known, _)| *known != alias)
            {
                self.graph.named.push((alias, clock));
                if self.graph.named.len() > MAX_NAMED_GROUPS {
                    return Err(AutomatonError::new(Refusal::TooLarge));
                }
            }
            self.enter(clock, within);
            if let (Some(Gap { min, max }), true) = (cursor.item().gap, first) {
                let since = cursor.context.since;
                let own = Guard::Gap { min, max, unless_set: Some(clock), since };
                let own = self.graph.guards.leaf(own);
                gap = self.both(gap, Some(own));
            }
        }
        let contiguity = if first { Self::entry_contiguity(cursor) } else { quantifier.inner };
        let optional = match repetition {
            Repetition::First => quantifier.optional || cursor.heads_optional_group(),
            Repetition::Needed => false,
            Repetition::Optional => true,
        };
        let nots = if can_start { self.earlier_nots(cursor) } else { Vec::new() };
        self.before_groups.push(nots);
        let nots = self.before_groups.len() - 1;
        let group = EnclosingGroup { contiguity, quantifier, optional, gap, nots };
        let item = self.nodes.item(cursor);
        let context = Context {
            node: self.nodes.child(item, 0),
            group: Some(group),
            following: cursor.following(),
            top: false,
            since: cursor.context.since,
        };
        let head = self.sequence(body, sink, context)?;
        if clocked {
            self.inside.pop();
        }
        Ok(head)
    }

    /// Makes the state behind a greedy loop wait: no event that the loop can take leads on from
    /// `state`.
    pub(super) fn make_wait(&mut self, state: StateId, loop_take: GuardId) {
        self.kept.entry(state).or_default().push(loop_take);
        let free = self.graph.guards.not(loop_take);
        for transition in &mut self.graph.states[state.index()].transitions {
            transition.guard = self.graph.guards.and(transition.guard, free);
        }
    }

    pub(super) fn is_longest(cursor: ItemCursor<'p>, quantifier: &Quantifier) -> bool {
        quantifier.mode == LoopMode::Longest
            && cursor.context.top
            && cursor.index + 1 == cursor.items.len()
            && matches!(cursor.item().kind, ItemKind::Step { .. })
    }

    /// Makes an optional repetition of a bounded `longest` loop complete only when it can grow no
    /// more, not at once.
    pub(super) fn accept_when_exhausted(&mut self, state: StateId) {
        let mut waiting = vec![state];
        for transition in &self.graph.states[state.index()].transitions {
            if transition.verb == Verb::Ignore {
                waiting.push(transition.target);
            }
        }
        for id in waiting {
            let mut transitions = std::mem::take(&mut self.graph.states[id.index()].transitions);
            transitions.retain(|transition| {
                transition.verb != Verb::Proceed
                    || self.graph.states[transition.target.index()].role == Role::Stop
            });
            let raw = &mut self.graph.states[id.index()];
            raw.accepts_when_exhausted = true;
            raw.transitions = transitions;
        }
    }
}
