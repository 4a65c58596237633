//! Steps and groups with their quantifiers: needed, optional and unbounded repetitions.
//!
//! A quantifier is written out as copies of its item, from the last repetition to the first:
//!
//! ```text
//! a -> b{2..3 each} -> c            first           needed          optional
//!                              B1 --take b--> B2 --take b--> B3 --take b--> C
//!                              +-skip: not b  +-skip: not b   |--proceed--> C
//!                                                             +-skip--> B3' --take b--> C
//!
//! a -> b{2.. each} -> c             first           needed          open end
//!                              B1 --take b--> B2 --take b--> B3 --take b--> B3
//!                                                             |--proceed--> C
//!                                                             +-skip--> B3' --take b--> B3
//! ```
//!
//! - The first repetition differs from the others. The arrow before the item, its gap, and the
//!   `not`s before it apply to the first one; between two repetitions, the loop's own contiguity
//!   applies.
//! - A repetition that may be left out proceeds to what follows the loop. Where it skips an event,
//!   it goes to `B3'`, which has no proceed: `C` skips the event as well, and one state for both
//!   would enter `C` once more with each event that is skipped.
//! - A greedy loop proceeds to copies of the states after it, which leave the loop its events:
//!   [`greedy`](super::greedy).
//! - A loop of groups leads from the end of its body, the joint, back to the head of the body. The
//!   joint exists before the body is laid out.
//! - A `longest` loop does not proceed: it completes at the event that shows that it cannot grow.
//!
//! A loop means what it means written out: `tests/written_out.rs` compares the two. Suites:
//! `testdata/suite/loops.cep`, `groups.cep`, `until.cep` and `longest.cep`.

use crate::nfa::error::{AutomatonError, Refusal};
use crate::nfa::graph::builder::{
    Builder, Clock, Context, EnclosingGroup, Ignoring, ItemCursor, Repetition, WaitGuards, keeps,
};
use crate::nfa::graph::open_loops::{BoundedGroup, OpenLoop};
use crate::nfa::graph::raw::{Role, Verb};
use crate::nfa::guard::{Guard, GuardId};
use crate::nfa::states::StateId;
use kleene_syntax::hir::{Contiguity, Gap, Item, ItemKind, LoopMode, Quantifier, Sequence, StepId};

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
        // In `(a -> b){2} -> not x -> c`, an `x` between the two repetitions violates the `not`,
        // and an `x` before the first `a` does not. The clock says which of the two it is. A loop
        // of a single step needs no clock: its later repetitions are states of their own, and get
        // the stops as they are laid out.
        let nots = if lasts_around(cursor) { self.nots_after(cursor) } else { Vec::new() };
        let from = self.graph.states.len();
        let is_group = matches!(cursor.item().kind, ItemKind::Group { .. });
        let knows_begin = !nots.is_empty() || is_group && quantifier.until.is_some();
        if knows_begin {
            let node = self.nodes.item(cursor);
            let clock = self.clock(Clock::Loop, node);
            self.enter(clock, None);
        }
        let first = if quantifier.is_unbounded() {
            // `x -> not c -> a* -> d`: once an `a` has come, a `c` before the `d` violates nothing.
            let after_loop = self.without_earlier_nots(cursor, sink)?;
            let looping = self.unbounded(cursor, quantifier, after_loop)?;
            self.repeated(cursor, quantifier, looping, sink)?
        } else {
            self.repeated(cursor, quantifier, sink, sink)?
        };
        if knows_begin && let Some(instance) = self.inside.pop() {
            for (step, violated) in nots {
                self.keep_out(from, violated, instance);
                self.stop_inside(from, step, violated, instance)?;
            }
        }
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
        // The guards of a group's steps have the `until` of the group already: `group_until`.
        let until = if is_step { until } else { None };
        let step_take = self.take_guard(cursor);
        let take = self.unless(step_take, until);
        let inner_ignore = self.repeating_ignore(cursor, quantifier, until);
        let min = quantifier.min;
        let max = quantifier.max.unwrap_or(min);
        let longest = Self::is_longest(cursor, quantifier) && !quantifier.is_unbounded();
        // A greedy loop keeps what it can take also when it is left out, or has its most
        // repetitions.
        let gap = self.gap_guard(cursor);
        let left_out = self.after_left_out(cursor, quantifier, proceed, gap)?;
        let done = if quantifier.is_unbounded() {
            sink
        } else {
            self.after_begun(cursor, quantifier, sink)?
        };
        let mut next = done;
        let again = WaitGuards { take, ignore: inner_ignore, optional: true, gap: None };
        // From the end: the last optional repetition leads to what follows, each other one to the
        // next.
        for _ in min..max {
            next = self.single(cursor, next, done, again, Repetition::Optional)?;
            if is_step {
                self.add_stops_to_loop(cursor, next)?;
            }
            if longest {
                self.accept_when_exhausted(next, again, quantifier.inner, proceed);
            }
        }
        let again = WaitGuards { optional: false, ..again };
        // One less than `min`: the first repetition is laid out below.
        for _ in 1..min {
            next = self.single(cursor, next, done, again, Repetition::Needed)?;
            if is_step {
                self.add_stops_to_loop(cursor, next)?;
            }
        }
        // The gap applies to the first repetition, and `until` does not apply to the events skipped
        // before it.
        let take = gap.map_or(take, |gap| self.graph.guards.and(take, gap));
        let ignore = self.first_ignoring(cursor, gap);
        let first = WaitGuards { take, ignore, optional: quantifier.optional, gap };
        let state = self.single(cursor, next, left_out, first, Repetition::First)?;
        if Self::is_longest(cursor, quantifier) && quantifier.optional {
            // `b{0..2 longest}` has captured nothing here: the arrow before it says what it may
            // skip, not the contiguity inside of the loop.
            let leads = Self::entry_contiguity(cursor);
            self.accept_when_exhausted(state, first, leads, proceed);
        }
        Ok(state)
    }

    /// Lays out the state of a loop without upper bound, after its needed repetitions.
    pub(super) fn unbounded(
        &mut self,
        cursor: ItemCursor<'p>,
        quantifier: &'p Quantifier,
        sink: StateId,
    ) -> Result<StateId, AutomatonError> {
        if let ItemKind::Group { body, .. } = &cursor.item().kind {
            let open = self.after_begun(cursor, quantifier, sink)?;
            // The joint has no transitions until the body is laid out. A greedy loop at the end of
            // the body may want a copy of it by then: `end_joint` fills these copies.
            let joint = self.state(Role::Normal)?;
            self.begin_joint(joint);
            let always = self.graph.guards.always();
            let head = self.group_body(cursor, quantifier, body, joint, Repetition::Optional)?;
            self.add(head, Verb::Proceed, open, always);
            self.add(joint, Verb::Proceed, head, always);
            self.end_joint(joint)?;
            return Ok(head);
        }
        let until = quantifier.until.map(|until| self.graph.guards.condition(until));
        let ignore = self.repeating_ignore(cursor, quantifier, until);
        let step_take = self.take_guard(cursor);
        let take = self.unless(step_take, until);
        let always = self.graph.guards.always();
        // A longest loop is not followed by anything that could take its events: nothing to keep.
        let longest = Self::is_longest(cursor, quantifier);
        let open = if longest { sink } else { self.after_begun(cursor, quantifier, sink)? };
        let state = self.state(Role::Normal)?;
        if !longest {
            self.add(state, Verb::Proceed, open, always);
        }
        self.add_take(cursor, state, state, take, None);
        self.add_stops_to_loop(cursor, state)?;
        if let Some(ignore) = ignore {
            // A separate state without the way out of the loop: otherwise each ignored event would
            // add a copy of the states after the loop.
            let skipping = self.state(Role::Normal)?;
            self.add_take(cursor, skipping, state, take, None);
            self.add_ignore(skipping, skipping, ignore);
            self.add_ignore(state, skipping, ignore);
            self.add_stops_to_loop(cursor, skipping)?;
        }
        if longest {
            let waiting = WaitGuards { take, ignore, optional: true, gap: None };
            self.accept_when_exhausted(state, waiting, quantifier.inner, sink);
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
        // A group has no state of its own: what it waits for is what its body waits for.
        if let ItemKind::Group { body, quantifier, .. } = &cursor.item().kind {
            let always = self.graph.guards.always();
            // If the whole content can be left out, an event that it takes is the sign that the
            // repetition happened.
            let can_be_empty = body.items.iter().all(Item::is_nullable);
            // Else the first event of the group ends the `not`s before it, and its end leads to
            // states without them.
            let target = if can_be_empty { sink } else { self.without_earlier_nots(cursor, sink)? };
            let head = self.group_body(cursor, quantifier, body, target, repetition)?;
            if waiting.optional {
                self.add(head, Verb::Proceed, proceed, always);
            }
            return Ok(head);
        }
        let state = self.state(Role::Normal)?;
        // Once the event is taken, the nots before an optional step no longer hold.
        let target = self.without_earlier_nots(cursor, sink)?;
        self.add_take(cursor, state, target, waiting.take, waiting.gap);
        if waiting.optional {
            let always = self.graph.guards.always();
            self.add(state, Verb::Proceed, proceed, always);
        }
        if let Some(ignore) = waiting.ignore {
            if waiting.optional || cursor.heads_optional_group() {
                // The states after the item skip the event by themselves: a second way into them
                // would double the partial match. The first item of an optional group has no
                // proceed yet: the group adds it to `state`.
                let skipping = self.state(Role::Normal)?;
                self.add_take(cursor, skipping, target, waiting.take, waiting.gap);
                self.add_ignore(skipping, skipping, ignore);
                if first {
                    self.add_stops(cursor, skipping)?;
                } else {
                    self.add_stops_to_loop(cursor, skipping)?;
                }
                self.add_ignore(state, skipping, ignore);
            } else {
                self.add_ignore(state, state, ignore);
            }
        }
        Ok(state)
    }

    /// Returns `state`, which follows a loop, as it is once the loop has begun.
    ///
    /// A loop that gives back (`each`) leaves `state` as it is.
    fn after_begun(
        &mut self,
        cursor: ItemCursor<'p>,
        quantifier: &Quantifier,
        state: StateId,
    ) -> Result<StateId, AutomatonError> {
        if !keeps(quantifier) {
            return Ok(state);
        }
        let fits = self.loop_guard(cursor, quantifier);
        let never = self.graph.guards.never();
        let until = quantifier.until.map_or(never, |until| self.graph.guards.condition(until));
        let open = self.open_loop(fits, until, quantifier.inner == Contiguity::Next);
        self.keep_for(state, open)
    }

    /// Returns `state`, which follows a loop, as it is where the loop is left out.
    fn after_left_out(
        &mut self,
        cursor: ItemCursor<'p>,
        quantifier: &Quantifier,
        state: StateId,
        gap: Option<GuardId>,
    ) -> Result<StateId, AutomatonError> {
        if !quantifier.optional || !keeps(quantifier) {
            return Ok(state);
        }
        let fits = self.loop_guard(cursor, quantifier);
        // No `until` here: a loop that has not begun cannot be ended by it.
        let never = self.graph.guards.never();
        let is_next = Self::entry_contiguity(cursor) == Contiguity::Next;
        let open = self.open_loop(fits, never, is_next);
        self.keep_in_gap(cursor, state, open, gap)
    }

    /// Returns `state` as it is after a loop that was left out, and could begin within `gap`. The
    /// gap of a group around it applies as long as the group has not begun, which nobody knows once
    /// the group is left: there is a state for each.
    fn keep_in_gap(
        &mut self,
        cursor: ItemCursor<'p>,
        state: StateId,
        open: OpenLoop,
        gap: Option<GuardId>,
    ) -> Result<StateId, AutomatonError> {
        let Some(gap) = gap else { return self.keep_for(state, open) };
        let guards = &mut self.graph.guards;
        let Some(clock) = guards.clock_of_gap(gap) else {
            let takes = guards.and(open.takes, gap);
            return self.keep_for(state, OpenLoop { takes, ..open });
        };
        let has_begun = guards.leaf(Guard::IsSet(clock));
        let not_begun = guards.not(has_begun);
        // `a ->[..5s] (x? -> b* -> c)`: after the `x`, a `b` fits at any time; without it, only
        // within the gap. The clock of the group is set in the first case. Gaps of nested groups
        // are split one by one.
        let (inside, before) = (guards.where_set(gap, clock), guards.where_unset(gap, clock));
        let either = self.state(Role::Normal)?;
        for (when, gap) in [(has_begun, inside), (not_begun, before)] {
            let kept = self.keep_in_gap(cursor, state, open, Some(gap))?;
            self.add(either, Verb::Proceed, kept, when);
        }
        // It stands where the loop does: before, or after, the same silences.
        self.add_stops(cursor, either)?;
        Ok(either)
    }

    /// Returns the guard for an event that can begin a repetition of the loop.
    fn loop_guard(&mut self, cursor: ItemCursor<'p>, quantifier: &Quantifier) -> GuardId {
        let begins = match &cursor.item().kind {
            ItemKind::Group { body, .. } => self.head_guard(cursor, body),
            _ => self.take_guard(cursor),
        };
        let until = quantifier.until.map(|until| self.graph.guards.condition(until));
        self.unless(begins, until)
    }

    /// Returns the guards for skipping between two repetitions. A `not` right after the loop holds
    /// from its first event on.
    fn repeating_ignore(
        &mut self,
        cursor: ItemCursor<'p>,
        quantifier: &Quantifier,
        until: Option<GuardId>,
    ) -> Option<Ignoring> {
        let mut ignoring = self.ignoring(cursor, quantifier.inner, until)?;
        // Only `skip`: an event that another branch takes comes in between, and violates the `not`.
        // For other events, the stops of the state are enough.
        for (_, violated) in self.nots_after(cursor) {
            ignoring.skip = self.unless(ignoring.skip, Some(violated));
        }
        Some(ignoring)
    }

    /// Stops on an event that violates a `not` after the loop of `instance`, where the loop waits
    /// and has begun. What it takes there violates nothing.
    fn stop_inside(
        &mut self,
        from: usize,
        step: StepId,
        violated: GuardId,
        instance: usize,
    ) -> Result<(), AutomatonError> {
        let begun = Guard::IsSet(self.graph.instances[instance].clock);
        let begun = self.graph.guards.leaf(begun);
        let violated = self.graph.guards.and(violated, begun);
        // Only the states in which the loop waits for an event: one that only leads on decides
        // nothing.
        for state in from..self.graph.states.len() {
            let raw = &self.graph.states[state];
            let takes = raw.transitions.iter().any(|next| matches!(next.verb, Verb::Take(_)));
            if takes && raw.instances.contains(&instance) {
                self.add_stop_behind(StateId::new(state), step, violated)?;
            }
        }
        Ok(())
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
        // A clock is a register of each partial match. A group without any of these needs none.
        let clocked = within.is_some() || cursor.item().gap.is_some() || alias.is_some();
        let outer = self.open_loops.inside;
        let repeats = usize::from(quantifier.max != Some(1));
        self.open_loops.repeating += repeats;
        let comes_once = self.open_loops.repeating == 0;
        // `(a -> b+ within 5s) -> c`: once that time is over, the loop can take no `b`, and so
        // keeps none from what follows. A group that comes again has one clock for all repetitions:
        // by then, the clock may have the time of the next one. Held by
        // `after_the_time_of_the_group` of `testdata/suite/greedy.cep`.
        let kept_within = within.filter(|_| comes_once && ends_in_greedy_loop(body));
        // If a repetition can be empty, the first event can belong to the next one.
        let can_start = first || body.items.iter().all(Item::is_nullable);
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
                // The gap leads to the group's first event. Once that has set the clock, the gap
                // says nothing.
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
        let item = self.nodes.item(cursor);
        let loop_clock = quantifier.until.map(|_| self.clock(Clock::Loop, item));
        let group = EnclosingGroup { contiguity, quantifier, loop_clock, optional, gap, nots };
        let context = Context {
            node: self.nodes.child(item, 0),
            group: Some(group),
            following: cursor.following(),
            top: false,
            since: cursor.context.since,
        };
        if let Some(within) = kept_within {
            let clock = self.clock(Clock::Kept, item);
            self.enter(clock, None);
            let instance = self.graph.instances.len() - 1;
            self.open_loops.inside = Some(self.open_loops.bounded.len());
            self.open_loops.bounded.push(BoundedGroup { within, clock, instance, outer });
        }
        let head = self.sequence(body, sink, context)?;
        self.open_loops.repeating -= repeats;
        if kept_within.is_some() {
            self.open_loops.inside = outer;
            self.inside.pop();
        }
        if clocked {
            self.inside.pop();
        }
        Ok(head)
    }

    pub(super) fn is_longest(cursor: ItemCursor<'p>, quantifier: &Quantifier) -> bool {
        quantifier.mode == LoopMode::Longest
            && cursor.context.top
            && cursor.index + 1 == cursor.items.len()
            && matches!(cursor.item().kind, ItemKind::Step { .. })
    }

    /// Makes an optional repetition of a `longest` loop complete only when it can grow no more, not
    /// at once: at an event that it can neither take nor skip. One that `any` leads to could skip
    /// also what it takes.
    ///
    /// ```text
    /// a -> next b{2.. next longest}     B --take b--> B
    ///                                   B --complete: not b--> final     (before this event)
    /// ```
    ///
    /// Under `->` the loop skips what does not fit, so that it grows until time runs out, its
    /// `until` comes, or a `without` forbids an event. Held by `testdata/suite/longest.cep`:
    /// `in_a_row`, `until_or_time`, `longest_without` and `any_without`.
    ///
    /// The end is an edge of its own, and not the moment at which no other edge is open. In that
    /// form, which commit bc5fd9ff replaced, one event too many for a full greedy loop counted as
    /// the end of the `longest` loop after it; and beside a loop that went on, there was no end.
    fn accept_when_exhausted(
        &mut self,
        state: StateId,
        waiting: WaitGuards,
        leads: Contiguity,
        end: StateId,
    ) {
        let mut states = vec![state];
        for transition in &self.graph.states[state.index()].transitions {
            if transition.verb == Verb::Ignore {
                states.push(transition.target);
            }
        }
        // The states that skip have no proceed, but they wait for the same end.
        states.dedup();
        let guards = &mut self.graph.guards;
        let never = guards.never();
        let skips = waiting.ignore.map_or(never, |ignore| ignore.guard);
        let mut exhausted = guards.not(skips);
        exhausted = guards.or(exhausted, self.forbidden.unwrap_or(never));
        if leads != Contiguity::Any {
            let taken = guards.not(waiting.take);
            exhausted = guards.and(exhausted, taken);
        }
        for id in states {
            let mut transitions = std::mem::take(&mut self.graph.states[id.index()].transitions);
            // The proceeds to stops stay: a violated `not` still ends the partial match.
            transitions.retain(|transition| {
                transition.verb != Verb::Proceed
                    || self.graph.states[transition.target.index()].role == Role::Stop
            });
            let raw = &mut self.graph.states[id.index()];
            raw.accepts_when_exhausted = true;
            raw.transitions = transitions;
            self.add_in_gap(id, Verb::Complete, end, exhausted, waiting.gap);
        }
    }
}

/// True if a greedy loop can be the last that a sequence captures.
fn ends_in_greedy_loop(sequence: &Sequence) -> bool {
    for item in sequence.items.iter().rev() {
        let ends = match &item.kind {
            ItemKind::Step { quantifier, .. } => keeps(quantifier),
            ItemKind::Group { quantifier, body, .. } => {
                keeps(quantifier) || ends_in_greedy_loop(body)
            }
            ItemKind::Alternatives { branches, count } => {
                *count == 1 && branches.iter().any(ends_in_greedy_loop)
            }
            ItemKind::Not { .. } => false,
        };
        if ends || !item.is_nullable() {
            return ends;
        }
    }
    false
}

/// True if the item is a group that repeats: a `not` after it also holds inside of it.
fn lasts_around(cursor: ItemCursor<'_>) -> bool {
    let of_group = matches!(cursor.item().kind, ItemKind::Group { .. });
    of_group && cursor.quantifier().is_some_and(|quantifier| quantifier.max != Some(1))
}
